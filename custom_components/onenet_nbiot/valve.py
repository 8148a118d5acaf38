"""Valves: outputs that open and close a valve."""

from typing import override

from homeassistant.components.valve.const import ValveEntityFeature
from homeassistant.components.valve.entity import ValveEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control import LEVEL_MAX, OneNetOutputEntity
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import Device
from .entity import async_add_device_entities
from .lwm2m import ResourceDescription, ResourceValveDescription


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the valves of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, of_resource=ResourceValve)


class ResourceValve(OneNetOutputEntity, ValveEntity):
    """Control a valve, which is opening or closing while a write waits for the device."""

    describes = ResourceValveDescription
    entity_description: ResourceValveDescription

    def __init__(self, account: OneNetRuntimeData, device: Device, description: ResourceDescription) -> None:
        """Set the supported features."""
        super().__init__(account, device, description)
        self._attr_supported_features = ValveEntityFeature.OPEN | ValveEntityFeature.CLOSE
        if self.reports_position:
            self._attr_supported_features |= ValveEntityFeature.SET_POSITION

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        position, target = self._level, self._pending_level
        self._attr_current_valve_position = position
        self._attr_is_closed = None if position is None else position == 0
        self._attr_is_opening = target is not None and target > (position or 0)
        is_lower = target is not None and target < (LEVEL_MAX if position is None else position)
        self._attr_is_closing = is_lower and not self._attr_is_opening

    @override
    async def async_open_valve(self) -> None:
        """Open the valve; raise HomeAssistantError."""
        if self.reports_position:
            await self._async_set_level(LEVEL_MAX)
        else:
            await self._async_switch(on=True)

    @override
    async def async_close_valve(self) -> None:
        """Close the valve; raise HomeAssistantError."""
        await self._async_switch(on=False)

    @override
    async def async_set_valve_position(self, position: int) -> None:
        """Set the position of the valve; raise HomeAssistantError."""
        await self._async_set_level(position)
