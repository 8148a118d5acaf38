"""The event entity that tells what becomes of an account's commands."""

from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OneNetConfigEntry, OneNetCoordinator
from .entity import OneNetAccountEntity

# It only hears.
PARALLEL_UPDATES = 0

# The words after `command_`.
EVENT_TYPES = ["queued", "sent", "succeeded", "failed", "expired", "cancelled", "rejected"]


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an account's event entity."""
    async_add_entities([CommandEvent(entry.runtime_data)])


class CommandEvent(OneNetAccountEntity, EventEntity):
    """Tell what becomes of an account's commands, as the bus event does."""

    def __init__(self, coordinator: OneNetCoordinator) -> None:
        """Name what there is to tell."""
        super().__init__(coordinator, "command")
        self._attr_event_types = EVENT_TYPES

    @callback
    @override
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Show a change."""
        self._trigger_event(change, fields)
        super()._async_heard(change, fields, context)
