"""Number entities: numeric resources that are written."""

from typing import Any, override

from homeassistant.components.number import NumberDeviceClass, NumberEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control import OneNetControlEntity
from .coordinator import OneNetConfigEntry
from .entity import async_add_device_entities
from .lwm2m import ResourceNumberDescription, with_reported_unit
from .values import parse_number

# An automation may control a thousand devices at the same time.
PARALLEL_UPDATES = 10


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the number entities of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, of_resource=ResourceNumber)


class ResourceNumber(OneNetControlEntity, NumberEntity):
    """Set a number, in the unit and within the range that the device reports."""

    describes = ResourceNumberDescription
    entity_description: ResourceNumberDescription
    _factor = 1.0

    @override
    def _update_attrs(self) -> None:
        description = self.entity_description
        sensor, self._factor = with_reported_unit(description.sensor, self._reported_unit())
        self._attr_native_unit_of_measurement = sensor.native_unit_of_measurement
        device_class = sensor.device_class
        self._attr_device_class = None if device_class is None else NumberDeviceClass(device_class)
        super()._update_attrs()
        self._attr_native_value = self._parse(description.key, self._value)
        low, high = description.lowest, description.highest
        reported_low = parse_number(self._value_of(description.min_path), 1)
        reported_high = parse_number(self._value_of(description.max_path), 1)
        if reported_low is not None and reported_high is not None and reported_low < reported_high:
            low, high = reported_low, reported_high
        self._attr_native_min_value, self._attr_native_max_value = low * self._factor, high * self._factor

    @override
    def _parse(self, path: str, value: Any) -> float | None:
        return parse_number(value, self._factor)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Write a number; raise HomeAssistantError."""
        written = value / self._factor
        description = self.entity_description
        await self._async_write({description.key: round(written) if description.is_integer else written})
