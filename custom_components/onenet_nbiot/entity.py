"""What the account's entities have in common."""

from typing import Any, override

from homeassistant.core import Context, callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import OneNetCoordinator


class OneNetAccountEntity(CoordinatorEntity[OneNetCoordinator]):
    """Belong to an account's service device, and be there while OneNET is."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: OneNetCoordinator, key: str) -> None:
        """Name the entity."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self._attr_translation_key = key
        self._attr_unique_id = f"{entry.entry_id}_{key}"
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, entry.entry_id)},
            manufacturer="China Mobile",
            model="OneNET NB-IoT",
            name=entry.title,
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Begin to listen."""
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, self.coordinator.ledger.signal, self._async_heard))

    @callback
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Show what somebody's command has come to."""
        self.async_set_context(context)
        self.async_write_ha_state()

    @property
    @override
    def available(self) -> bool:
        """Return whether OneNET was there when it was last asked, or heard of."""
        return self.coordinator.reachable
