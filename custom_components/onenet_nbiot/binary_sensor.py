"""The binary sensors that show whether devices are there, and which states they have told."""

from datetime import datetime
from typing import Any, override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_LAST_SEEN
from .coordinator import OneNetConfigEntry
from .device import AVAILABILITY, PRESENCE
from .entity import OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .resources import ResourceBinarySensorDescription

# They only show.
PARALLEL_UPDATES = 0

# How devices, and OneNET's datapoints, tell a truth value.
_TRUTH = {"true": True, "1": True, "1.0": True, "on": True, "false": False, "0": False, "0.0": False, "off": False}


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, ConnectivitySensor, ResourceBinarySensor)


class ConnectivitySensor(OneNetDeviceEntity, BinarySensorEntity):
    """Show whether a device is registered at OneNET, and when it was last heard."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    # Of its attribute; its name is that of its class.
    _attr_translation_key = "connectivity"
    _watched = frozenset({AVAILABILITY, PRESENCE})

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it is registered, None where OneNET does not tell."""
        return self.device.online

    @property
    @override
    def extra_state_attributes(self) -> dict[str, datetime]:
        """Return when the device was last heard, where that is known."""
        return {ATTR_LAST_SEEN: self.device.last_seen} if self.device.last_seen else {}


class ResourceBinarySensor(OneNetResourceEntity, BinarySensorEntity):
    """Show a state that a device has told."""

    describes = ResourceBinarySensorDescription
    entity_description: ResourceBinarySensorDescription

    @override
    def _take_over(self) -> None:
        super()._take_over()
        self._attr_is_on = _truth(self._value)


def _truth(value: Any) -> bool | None:
    """Return a truth value, also from its text or number, None for what is none."""
    return _TRUTH.get(str(value).strip().lower())
