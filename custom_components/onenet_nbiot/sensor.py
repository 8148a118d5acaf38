"""The sensor that counts an account's waiting commands."""

from typing import override

from homeassistant.components.sensor import SensorEntity, SensorStateClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OneNetConfigEntry
from .entity import OneNetAccountEntity

# It only counts.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an account's sensor."""
    async_add_entities([WaitingCommandsSensor(entry.runtime_data, "waiting_commands")])


class WaitingCommandsSensor(OneNetAccountEntity, SensorEntity):
    """Count the commands of which something may still become."""

    _attr_state_class = SensorStateClass.MEASUREMENT

    @property
    @override
    def native_value(self) -> int:
        """Return how many there are."""
        return self.coordinator.ledger.waiting
