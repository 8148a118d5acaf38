"""Lights: lamps that are switched, dimmed, or both."""

from typing import Any, override

from homeassistant.components.light import (  # type: ignore[attr-defined] # 2026.8 has these only here.
    ATTR_BRIGHTNESS,
    ColorMode,
    LightEntity,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util.color import brightness_to_value, value_to_brightness

from .const import ATTR_PENDING_BRIGHTNESS
from .control import LEVEL_MAX, OneNetOutputEntity
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import Device
from .entity import async_add_device_entities
from .lwm2m import ResourceDescription, ResourceLightDescription

# An automation may control a thousand devices at the same time.
PARALLEL_UPDATES = 10

_SCALE = (1, LEVEL_MAX)


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the lights of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, of_resource=ResourceLight)


class ResourceLight(OneNetOutputEntity, LightEntity):
    """Control a lamp."""

    describes = ResourceLightDescription
    entity_description: ResourceLightDescription

    def __init__(self, account: OneNetRuntimeData, device: Device, description: ResourceDescription) -> None:
        """Set the color mode."""
        super().__init__(account, device, description)
        self._attr_color_mode = ColorMode.BRIGHTNESS if self.entity_description.level_path else ColorMode.ONOFF
        self._attr_supported_color_modes = {self._attr_color_mode}

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        level = self._confirmed_level()
        self._attr_is_on = None if level is None else level > 0
        self._attr_brightness = value_to_brightness(_SCALE, level) if level else None
        if (pending := self._pending_values.get(self.entity_description.level_path)) is not None:
            level = self._parse(self.entity_description.level_path, pending)
            self._attr_extra_state_attributes[ATTR_PENDING_BRIGHTNESS] = level and value_to_brightness(_SCALE, level)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn on, at the given brightness, or at the last one; raise HomeAssistantError."""
        if ATTR_BRIGHTNESS in kwargs:
            await self._async_set_level(round(brightness_to_value(_SCALE, kwargs[ATTR_BRIGHTNESS])))
            return
        level = self._level(self._pending_values) or self._confirmed_level() or LEVEL_MAX
        await self._async_set_level(level, is_on_enough=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn off; raise HomeAssistantError."""
        await self._async_set_level(0)
