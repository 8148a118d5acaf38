"""Switches: Boolean resources that are written."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control import OneNetControlEntity
from .coordinator import OneNetConfigEntry
from .entity import async_add_device_entities
from .lwm2m import ResourceSwitchDescription


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switches of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, of_resource=ResourceSwitch)


class ResourceSwitch(OneNetControlEntity, SwitchEntity):
    """Switch a Boolean resource."""

    describes = ResourceSwitchDescription
    entity_description: ResourceSwitchDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._attr_is_on = self._parse(self.entity_description.key, self._value)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Write true; raise HomeAssistantError."""
        await self._async_write({self.entity_description.key: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Write false; raise HomeAssistantError."""
        await self._async_write({self.entity_description.key: False})
