"""Binary sensors: connectivity of devices, and values of Boolean resources."""

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
from .devices import AVAILABILITY, PRESENCE
from .entity import OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .lwm2m import ResourceBinarySensorDescription
from .onenet.models import Opaque

# The entities never poll.
PARALLEL_UPDATES = 0

# The spellings of devices and of OneNET's datapoints.
_TRUTH = {"true": True, "1": True, "1.0": True, "on": True, "false": False, "0": False, "0.0": False, "off": False}


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, [ConnectivitySensor], ResourceBinarySensor)


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


class ResourceBinarySensor(OneNetResourceEntity, BinarySensorEntity):
    """Show the value of a Boolean resource."""

    describes = ResourceBinarySensorDescription
    entity_description: ResourceBinarySensorDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._attr_is_on = _truth(self._value)


def _truth(value: Any) -> bool | None:
    """Return a Boolean from a Boolean, number or text; None for anything else, and for bytes."""
    return None if isinstance(value, Opaque) else _TRUTH.get(str(value).strip().lower())
