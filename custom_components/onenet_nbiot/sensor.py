"""Sensors: numbers of waiting commands, when devices were last seen, and values of resources."""

from datetime import UTC, datetime
import json
import math
import re
from typing import Any, Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.components.sensor.const import STATE_CLASS_UNITS
from homeassistant.const import MAX_LENGTH_STATE_STATE, EntityCategory, Platform
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_PUSH, DOMAIN
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import AVAILABILITY, PRESENCE
from .entity import OneNetAccountEntity, OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .lwm2m import ResourceSensorDescription, describe, is_unit, known_unit
from .onenet.models import Opaque
from .push import SIGNAL_PUSH
from .tracker import SIGNAL_WAITING_COMMANDS

# The entities never poll.
PARALLEL_UPDATES = 0

ATTR_FULL_VALUE: Final = "full_value"

# Stricter than float(), which also accepts "1_000", "nan", and digits other than 0 to 9.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of an account and of its devices."""
    account = entry.runtime_data
    async_add_entities([AccountWaitingCommandsSensor(account)])
    if CONF_PUSH in entry.options:
        async_add_entities([LastPushSensor(account), RefusedPushesSensor(account)])
    else:
        _async_remove_push_sensors(hass, entry)
    of_device = (DeviceWaitingCommandsSensor, LastSeenSensor)
    await async_add_device_entities(entry, async_add_entities, of_device, ResourceSensor)


@callback
def _async_remove_push_sensors(hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
    """Remove the sensors of an account whose push was turned off."""
    registry = er.async_get(hass)
    for kind in (LastPushSensor, RefusedPushesSensor):
        unique_id = f"{entry.entry_id}_{kind.key}"
        if (entity_id := registry.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id)) is not None:
            registry.async_remove(entity_id)


class WaitingCommandsSensor(SensorEntity):
    """Count the unfinished commands that OneNET has accepted."""

    _signal_key: str

    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_translation_key = "waiting_commands"

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        await super().async_added_to_hass()
        signal = SIGNAL_WAITING_COMMANDS.format(self._signal_key)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._async_commands_changed))

    @callback
    def _async_commands_changed(self, context: Context) -> None:
        """Write the state with the context of the command."""
        self.async_set_context(context)
        self.async_write_ha_state()


class AccountWaitingCommandsSensor(OneNetAccountEntity, WaitingCommandsSensor):
    """Count the waiting commands of an account."""

    @property
    @override
    def native_value(self) -> int:
        """Return the number of waiting commands."""
        return self._commands.waiting


class DeviceWaitingCommandsSensor(OneNetDeviceEntity, WaitingCommandsSensor):
    """Count the waiting commands of a device."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def native_value(self) -> int:
        """Return the number of waiting commands."""
        return self.account.commands.waiting_for(self.device.imei)


class PushSensor(OneNetAccountEntity, SensorEntity):
    """Show the state of an account's push."""

    key: str

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_entity_registry_enabled_default = False

    def __init__(self, account: OneNetRuntimeData) -> None:
        """Set the translation key."""
        self._attr_translation_key = self.key
        super().__init__(account)
        self._health = account.health

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        await super().async_added_to_hass()
        signal = SIGNAL_PUSH.format(self._signal_key)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self.async_write_ha_state))


class LastPushSensor(PushSensor):
    """Show when the last push arrived."""

    key = "last_push"

    _attr_device_class = SensorDeviceClass.TIMESTAMP

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return when the last push arrived, None before the first one."""
        return self._health.last_push


class RefusedPushesSensor(PushSensor):
    """Count the requests that were refused."""

    key = "refused_pushes"

    _attr_state_class = SensorStateClass.TOTAL_INCREASING

    @property
    @override
    def native_value(self) -> int:
        """Return the number of refused requests since Home Assistant started."""
        return self._health.refused.total()


class LastSeenSensor(OneNetDeviceEntity, SensorEntity):
    """Show when a device was last seen."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    # Home Assistant accepts 10,000 enabled entities of an account; the connectivity has the same time as an attribute.
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "last_seen"
    _watched = frozenset({AVAILABILITY, PRESENCE})

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return when the device was last seen, None while that is unknown."""
        return self.device.last_seen


class ResourceSensor(OneNetResourceEntity, SensorEntity):
    """Show the value of a resource, in the unit that the device reports."""

    describes = ResourceSensorDescription
    entity_description: ResourceSensorDescription
    _unrecorded_attributes = frozenset({ATTR_FULL_VALUE})

    @callback
    @override
    def _async_device_changed(self, changed: set[str]) -> None:
        unit, value = self.native_unit_of_measurement, self.native_value
        if changed & self._watched == {self.entity_description.unit_path}:
            self._update_attrs()
            if (self.native_unit_of_measurement, self.native_value) == (unit, value):
                # The device reported the same unit again.
                return
        super()._async_device_changed(changed)
        if unit != self.native_unit_of_measurement:
            # Home Assistant registers the unit only when it adds an entity; with the former one it would round to
            # the wrong precision and, after a restart, convert the value.
            registry = er.async_get(self.hass)
            registry.async_update_entity(self.entity_id, unit_of_measurement=self.unit_of_measurement)

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        description = self.entity_description
        has_unit = is_unit(reported := self._reported_unit())
        if has_unit and known_unit(reported, description.device_class) is None:
            # Such as the temperature of a water meter.
            generic = describe(description.key)
            description = generic if isinstance(generic, ResourceSensorDescription) else description
        self._attr_icon = description.icon
        device_class, unit, factor = description.device_class, description.native_unit_of_measurement, 1.0
        if has_unit:
            if (known := known_unit(reported, device_class)) is not None:
                unit, factor = known
            else:
                # With a device class, Home Assistant would reject an unknown unit.
                device_class, unit = None, reported
        self._attr_device_class, self._attr_native_unit_of_measurement = device_class, unit
        # The precision and the state class of the description may not suit another unit.
        usual = unit == description.native_unit_of_measurement
        self._attr_suggested_display_precision = description.suggested_display_precision if usual else None
        state_class = description.state_class
        suits = state_class is not None and unit in STATE_CLASS_UNITS.get(state_class, {unit})
        self._attr_state_class = state_class if suits else None
        if device_class is SensorDeviceClass.TIMESTAMP:
            self._attr_native_value = _time(self._value)
            return
        if state_class or device_class or unit:
            self._attr_native_value = _number(self._value, factor)
            return
        text = _text(self._value)
        if text is not None and len(text) > MAX_LENGTH_STATE_STATE:
            self._attr_extra_state_attributes |= {ATTR_FULL_VALUE: text}
            text = text[:MAX_LENGTH_STATE_STATE]
        self._attr_native_value = text

    def _reported_unit(self) -> str:
        """Return the unit as the device reports it, empty without one."""
        reading = self.device.readings.get(self.entity_description.unit_path)
        if reading is None or not isinstance(reading.value, str) or isinstance(reading.value, Opaque):
            return ""
        return reading.value.strip()


def _number(value: Any, factor: float) -> float | None:
    """Return a number, or a text that is one, multiplied by a factor; None for anything else, and for bytes."""
    if isinstance(value, str):
        text = value.strip()
        if isinstance(value, Opaque) or not _NUMBER.fullmatch(text):
            return None
        value = float(text)
        # "17" and 17 are the same state; int() refuses thousands of digits, of which the float is infinite.
        if text.lstrip("+-").isdigit() and math.isfinite(value):
            value = int(text)
    if not isinstance(value, float | int) or isinstance(value, bool):
        return None
    try:
        number = value if factor == 1 else value * factor
        return number if math.isfinite(number) else None
    except OverflowError:
        # An integer beyond any float.
        return None


def _time(value: Any) -> datetime | None:
    """Return the time of a number of Unix seconds, or of a text that is one; None for anything else, and for 0.

    LwM2M has no other value for a time that is not set.
    """
    seconds = _number(value, 1)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None and seconds > 0 else None
    except OSError, OverflowError, ValueError:
        # After the year 9999, such as milliseconds.
        return None


def _text(value: Any) -> str | None:
    """Return any value as a text, a structure as JSON; None for None, and for a float that is not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
