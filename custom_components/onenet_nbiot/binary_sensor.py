"""Binary sensors: connectivity and overdue devices, and values of Boolean resources."""

from datetime import datetime
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_LAST_SEEN
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import AVAILABILITY, OVERDUE, PRESENCE, Device
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
    _watched = frozenset({AVAILABILITY, OVERDUE})

    def __init__(self, account: OneNetRuntimeData, device: Device) -> None:
        """Enable the entity by default only if asked for: Home Assistant accepts 10,000 enabled ones of an account."""
        super().__init__(account, device)
        self._attr_entity_registry_enabled_default = device.overdue_after is not None

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the device is overdue, None while that is unknown."""
        return self.device.is_overdue


class ResourceBinarySensor(OneNetResourceEntity, BinarySensorEntity):
    """Show the value of a Boolean resource."""

    describes = ResourceBinarySensorDescription
    entity_description: ResourceBinarySensorDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._attr_is_on = parse_boolean(self._value)
