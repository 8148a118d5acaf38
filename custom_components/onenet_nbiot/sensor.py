"""Sensors: numbers of waiting commands, when devices were last seen, and values of resources."""

from datetime import datetime
from typing import Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.const import MAX_LENGTH_STATE_STATE, EntityCategory, Platform
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_PUSH, DOMAIN
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import AVAILABILITY, PRESENCE
from .entity import OneNetAccountEntity, OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .lwm2m import ResourceSensorDescription, with_reported_unit
from .push import SIGNAL_PUSH
from .tracker import SIGNAL_WAITING_COMMANDS
from .values import parse_number, parse_text, parse_time

# The entities never poll.
PARALLEL_UPDATES = 0

ATTR_FULL_VALUE: Final = "full_value"


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
        description, factor = with_reported_unit(
            self.entity_description, self.device.reported_unit(self.entity_description)
        )
        self._attr_icon = description.icon
        device_class = self._attr_device_class = description.device_class
        unit = self._attr_native_unit_of_measurement = description.native_unit_of_measurement
        self._attr_suggested_display_precision = description.suggested_display_precision
        state_class = self._attr_state_class = description.state_class
        if device_class is SensorDeviceClass.TIMESTAMP:
            self._attr_native_value = parse_time(self._value)
            return
        if state_class or device_class or unit:
            self._attr_native_value = parse_number(self._value, factor)
            return
        text = parse_text(self._value)
        if text is not None and len(text) > MAX_LENGTH_STATE_STATE:
            self._attr_extra_state_attributes |= {ATTR_FULL_VALUE: text}
            text = text[:MAX_LENGTH_STATE_STATE]
        self._attr_native_value = text
