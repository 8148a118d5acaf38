"""Event entities for the commands of an account and of its devices."""

from collections import deque
from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.const import STATE_UNAVAILABLE, EntityCategory
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_MESSAGE, ATTR_VALUES
from .coordinator import OneNetConfigEntry
from .entity import OneNetAccountEntity, OneNetDeviceEntity, async_add_device_entities
from .tracker import SIGNAL_COMMAND_STATE

# The entities never poll.
PARALLEL_UPDATES = 0

# The types of the bus event without `command_`.
EVENT_TYPES = ["queued", "sent", "succeeded", "failed", "expired", "cancelled", "rejected"]

# Number of events that wait while an entity is unavailable.
_WAITING_MAX = 100


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the event entities of an account and of its devices."""
    async_add_entities([AccountCommandEvent(entry.runtime_data)])
    await async_add_device_entities(entry, async_add_entities, (DeviceCommandEvent,))


class CommandEvent(EventEntity):
    """Trigger an event for each bus event of a command."""

    _signal_key: str

    _attr_translation_key = "command"
    _attr_event_types = EVENT_TYPES
    # The recorder drops all attributes of a state if they are larger than 16 KB.
    _unrecorded_attributes = frozenset({ATTR_MESSAGE, ATTR_VALUES})

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        self._waiting: deque[tuple[str, dict[str, Any], Context]] = deque(maxlen=_WAITING_MAX)
        await super().async_added_to_hass()
        signal = SIGNAL_COMMAND_STATE.format(self._signal_key)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._async_command_changed))

    @callback
    def _async_command_changed(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Trigger the event of a command's new state, with the context of the command."""
        # The trigger `event.received` ignores an event that ends unavailability.
        self._waiting.append((change, fields, context))
        if self.available and self.hass.states.is_state(self.entity_id, STATE_UNAVAILABLE):
            self.async_write_ha_state()
        self._trigger_waiting()

    @callback
    def _trigger_waiting(self) -> None:
        """Trigger the waiting events, if the entity is available: they may be pushed while OneNET is unreachable."""
        while self._waiting and self.available:
            change, fields, context = self._waiting.popleft()
            self._trigger_event(change, fields)
            self.async_set_context(context)
            self.async_write_ha_state()


class AccountCommandEvent(OneNetAccountEntity, CommandEvent):
    """Trigger events for an account's commands."""

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        self._trigger_waiting()


class DeviceCommandEvent(OneNetDeviceEntity, CommandEvent):
    """Trigger events for a device's commands."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC

    @callback
    @override
    def _async_device_changed(self, changed: set[str]) -> None:
        super()._async_device_changed(changed)
        self._trigger_waiting()
