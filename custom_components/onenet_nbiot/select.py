"""Select entities: resources whose values the LwM2M registry lists."""

from typing import Any, override

from homeassistant.components.select import SelectEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control import OneNetControlEntity
from .coordinator import OneNetConfigEntry
from .entity import async_add_device_entities
from .lwm2m import ResourceSelectDescription
from .values import parse_number


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the select entities of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, of_resource=ResourceSelect)


class ResourceSelect(OneNetControlEntity, SelectEntity):
    """Select the value of a resource."""

    describes = ResourceSelectDescription
    entity_description: ResourceSelectDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._attr_current_option = self._parse(self.entity_description.key, self._value)

    @override
    def _parse(self, path: str, value: Any) -> str | None:
        number = parse_number(value, 1)
        return next((option for option, listed in self.entity_description.values.items() if listed == number), None)

    @override
    async def async_select_option(self, option: str) -> None:
        """Write the value of an option; raise HomeAssistantError."""
        description = self.entity_description
        await self._async_write({description.key: description.values[option]})
