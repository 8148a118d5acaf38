"""Number entities: numeric resources that are written."""

from typing import Any, override

from homeassistant.components.number import NumberDeviceClass, NumberEntity
from homeassistant.components.number.const import UNIT_CONVERTERS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_PENDING
from .control import OneNetControlEntity
from .coordinator import OneNetConfigEntry
from .entity import async_add_device_entities
from .lwm2m import ResourceNumberDescription, with_reported_unit
from .values import parse_number, round_float


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
        sensor, self._factor = with_reported_unit(
            description.sensor, self.device.reported_unit(self.entity_description)
        )
        self._attr_native_unit_of_measurement = sensor.native_unit_of_measurement
        device_class = sensor.device_class
        self._attr_device_class = None if device_class is None else NumberDeviceClass(device_class)
        super()._update_attrs()
        self._attr_native_value = self._parse(description.key, self._value)
        low, high = (round_float(limit * self._factor) for limit in self._range())
        self._attr_native_min_value, self._attr_native_max_value = low, high
        self._attr_native_step = (description.native_step or 1) * self._factor

    def _range(self) -> tuple[float, float]:
        """Return the range that the device reports, with that of the registry in place of a missing limit."""
        description = self.entity_description
        low = parse_number(self._value_of(description.min_path), 1)
        high = parse_number(self._value_of(description.max_path), 1)
        low = description.lowest if low is None else low
        high = description.highest if high is None else high
        return (low, high) if low < high else (description.lowest, description.highest)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the attributes, with the pending value in the unit of the state."""
        attributes = dict(self._attr_extra_state_attributes)
        native, shown = self.native_unit_of_measurement, self.unit_of_measurement
        converter = None if self.device_class is None else UNIT_CONVERTERS.get(self.device_class)
        if converter is not None and native != shown and attributes.get(ATTR_PENDING) is not None:
            attributes[ATTR_PENDING] = round_float(converter.convert(attributes[ATTR_PENDING], native, shown))
        return attributes

    @override
    def _parse(self, path: str, value: Any) -> float | None:
        return parse_number(value, self._factor)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Write a number; raise HomeAssistantError."""
        description = self.entity_description
        written = round_float(value / self._factor)
        await self._async_write({description.key: round(written) if description.is_integer else written})
