"""The event entities that tell what becomes of the commands of an account, and of a device."""

from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_MESSAGE, ATTR_VALUES
from .coordinator import OneNetConfigEntry
from .entity import CommandStateEntity, OneNetAccountEntity, OneNetDeviceEntity, async_add_device_entities

# They only hear.
PARALLEL_UPDATES = 0

# The words after `command_`.
EVENT_TYPES = ["queued", "sent", "succeeded", "failed", "expired", "cancelled", "rejected"]


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the event entities of an account and of its devices."""
    async_add_entities([AccountCommandEvent(entry.runtime_data)])
    await async_add_device_entities(entry, async_add_entities, DeviceCommandEvent)


class CommandEvent(CommandStateEntity, EventEntity):
    """Tell what becomes of commands, as the bus event does."""

    _attr_translation_key = "command"
    _attr_event_types = EVENT_TYPES
    # The recorder drops all attributes of a state where they are larger than 16 KB.
    _unrecorded_attributes = frozenset({ATTR_MESSAGE, ATTR_VALUES})

    @callback
    @override
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Show a change."""
        self._trigger_event(change, fields)
        super()._async_heard(change, fields, context)


class AccountCommandEvent(OneNetAccountEntity, CommandEvent):
    """Tell what becomes of an account's commands."""


class DeviceCommandEvent(OneNetDeviceEntity, CommandEvent):
    """Tell what becomes of a device's commands."""
