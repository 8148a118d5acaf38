"""Binary sensors: connectivity and overdue devices, and values of Boolean resources."""

from datetime import datetime
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later

from .const import ATTR_LAST_SEEN
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import AVAILABILITY, PRESENCE, Device
from .entity import OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .lwm2m import ResourceBinarySensorDescription
from .values import parse_boolean

# The entities never poll.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of an account's devices."""
    of_device = (ConnectivitySensor, OverdueSensor)
    await async_add_device_entities(entry, async_add_entities, of_device, ResourceBinarySensor)


class ConnectivitySensor(OneNetDeviceEntity, BinarySensorEntity):
    """Show whether a device is online at OneNET, and when it was last seen."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    # The translations of this key name the attribute; the name is the device class's.
    _attr_translation_key = "connectivity"
    _watched = frozenset({AVAILABILITY, PRESENCE})

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the device is online, None while that is unknown."""
        return self.device.online

    @property
    @override
    def extra_state_attributes(self) -> dict[str, datetime]:
        """Return when the device was last seen, if known."""
        return {ATTR_LAST_SEEN: self.device.last_seen} if self.device.last_seen else {}


class OverdueSensor(OneNetDeviceEntity, BinarySensorEntity):
    """Show whether a device has been silent for longer than usual, or than the user expects.

    It is enabled by default if the user has set a time.
    """

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_translation_key = "overdue"
    _watched = frozenset({AVAILABILITY, PRESENCE})
    _cancel_timer: CALLBACK_TYPE | None = None

    def __init__(self, account: OneNetRuntimeData, device: Device) -> None:
        """Enable the entity by default only if asked for: Home Assistant accepts 10,000 enabled ones of an account."""
        super().__init__(account, device)
        self._attr_entity_registry_enabled_default = device.overdue_after is not None

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal, and start the timer."""
        await super().async_added_to_hass()
        self._update_attrs()
        self.async_on_remove(self._async_cancel_timer)

    @override
    def _update_attrs(self) -> None:
        self._async_cancel_timer()
        self._attr_is_on = None
        # Before the first poll, the device may have been seen since.
        if (overdue_at := self.device.overdue_at) is None or self.device.observed_since is None:
            return
        remaining = (overdue_at - self.account.client.now()).total_seconds()
        self._attr_is_on = remaining <= 0
        if remaining > 0:
            self._cancel_timer = async_call_later(self.hass, remaining, self._async_timer_finished)

    @callback
    def _async_timer_finished(self, now: datetime) -> None:
        """Write the state when the timer ends."""
        self._cancel_timer = None
        self._async_device_changed({PRESENCE})

    @callback
    def _async_cancel_timer(self) -> None:
        """Cancel the timer, if it is running."""
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None

    @callback
    @override
    def _async_device_changed(self, changed: set[str]) -> None:
        before = self.is_on
        if PRESENCE in changed:
            self._update_attrs()
        if AVAILABILITY in changed or self.is_on is not before:
            self.async_write_ha_state()


class ResourceBinarySensor(OneNetResourceEntity, BinarySensorEntity):
    """Show the value of a Boolean resource."""

    describes = ResourceBinarySensorDescription
    entity_description: ResourceBinarySensorDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._attr_is_on = parse_boolean(self._value)
