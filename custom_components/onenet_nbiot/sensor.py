"""The sensors that count waiting commands, and that show what devices have measured."""

import json
import math
from typing import Any, override

from homeassistant.components.sensor import SensorEntity, SensorStateClass
from homeassistant.components.sensor.const import STATE_CLASS_UNITS
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OneNetConfigEntry
from .entity import (
    NewsEntity,
    OneNetAccountEntity,
    OneNetDeviceEntity,
    OneNetResourceEntity,
    async_add_device_entities,
)
from .resources import ResourceSensorDescription, known_unit

# They only show.
PARALLEL_UPDATES = 0

_STATE_MAX = 255


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of an account and of its devices."""
    async_add_entities([AccountWaitingCommandsSensor(entry.runtime_data)])
    await async_add_device_entities(entry, async_add_entities, DeviceWaitingCommandsSensor, ResourceSensor)


class WaitingCommandsSensor(NewsEntity, SensorEntity):
    """Count the commands of which something may still become."""

    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_translation_key = "waiting_commands"


class AccountWaitingCommandsSensor(OneNetAccountEntity, WaitingCommandsSensor):
    """Count an account's commands."""

    @property
    @override
    def native_value(self) -> int:
        """Return how many there are."""
        return self.coordinator.ledger.waiting


class DeviceWaitingCommandsSensor(OneNetDeviceEntity, WaitingCommandsSensor):
    """Count a device's commands."""

    @property
    @override
    def native_value(self) -> int:
        """Return how many there are."""
        return self.coordinator.ledger.waiting_for(self.device.imei)


class ResourceSensor(OneNetResourceEntity, SensorEntity):
    """Show what a device has measured, in the unit that it says it measures in."""

    describes = ResourceSensorDescription
    entity_description: ResourceSensorDescription

    @callback
    @override
    def _async_changed(self, changed: set[str]) -> None:
        unit = self.native_unit_of_measurement
        super()._async_changed(changed)
        if unit != self.native_unit_of_measurement:
            # Home Assistant registers the unit only when it adds an entity, and would go on to round as suits the
            # former one, and after a restart convert to it.
            er.async_get(self.hass).async_update_entity(
                self.entity_id,
                original_device_class=self.device_class,
                unit_of_measurement=self.unit_of_measurement,
            )

    @override
    def _take_over(self) -> None:
        super()._take_over()
        description = self.entity_description
        device_class, unit, factor = description.device_class, description.native_unit_of_measurement, 1.0
        if reported := self._reported_unit():
            if (known := known_unit(reported, device_class)) is not None:
                unit, factor = known
            else:
                # As something that it knows, Home Assistant would convert it.
                device_class, unit = None, reported
        self._attr_device_class, self._attr_native_unit_of_measurement = device_class, unit
        # These are meant for the usual unit, or need not suit another one.
        usual = unit == description.native_unit_of_measurement
        self._attr_suggested_display_precision = description.suggested_display_precision if usual else None
        state_class = description.state_class
        suits = state_class is not None and unit in STATE_CLASS_UNITS.get(state_class, {unit})
        self._attr_state_class = state_class if suits else None
        numeric = state_class or device_class or unit
        self._attr_native_value = _number(self._value, factor) if numeric else _text(self._value)

    def _reported_unit(self) -> str:
        """Return the unit that the device tells, if it does."""
        reading = self.device.readings.get(self.entity_description.unit_path)
        return reading.value.strip() if reading and isinstance(reading.value, str) else ""


def _number(value: Any, factor: float) -> float | None:
    """Return a number, also from its text, so many times as large, None for what is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, float | int) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return value if factor == 1 else value * factor


def _text(value: Any) -> float | int | str | None:
    """Return a value as a state shows it."""
    if value is None or (isinstance(value, float | int) and not isinstance(value, bool)):
        return value
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_STATE_MAX]
