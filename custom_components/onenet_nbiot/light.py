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
        level = self._level
        self._attr_is_on = None if level is None else level > 0
        self._attr_brightness = value_to_brightness(_SCALE, level) if level else None
        path = self.entity_description.level_path
        if path in self._pending_values and (pending := self._parse(path, self._pending_values[path])) is not None:
            brightness = value_to_brightness(_SCALE, pending) if pending else 0
            self._attr_extra_state_attributes[ATTR_PENDING_BRIGHTNESS] = brightness

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn on, at a given brightness; without one, a lamp that has no switch and is off at full brightness.

        Raise HomeAssistantError.
        """
        if ATTR_BRIGHTNESS in kwargs:
            await self._async_set_level(max(1, round(brightness_to_value(_SCALE, kwargs[ATTR_BRIGHTNESS]))))
        elif self.entity_description.switch_path:
            await self._async_switch(on=True)
        else:
            await self._async_set_level(self._pending_level or self._level or LEVEL_MAX)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn off; raise HomeAssistantError."""
        await self._async_switch(on=False)
