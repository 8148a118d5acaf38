"""Buttons of a device: queue reads of its resources, and cancel its waiting commands."""

from datetime import timedelta
from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import OneNetConfigEntry
from .entity import OneNetDeviceEntity, async_add_device_entities
from .manager import IfWaiting
from .onenet.operations import CachedCommand

# An automation may press the buttons of a thousand devices at the same time.
PARALLEL_UPDATES = 3

# Long enough for a device that wakes once a week.
_EXPIRES_IN = timedelta(days=7)


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the buttons of an account's devices."""
    await async_add_device_entities(entry, async_add_entities, [RequestReadingButton, CancelWaitingButton])


class RequestReadingButton(OneNetDeviceEntity, ButtonEntity):
    """Queue reads of a device's resources with entities, unless the same reads are already waiting."""

    _attr_translation_key = "read_now"

    @override
    async def async_press(self) -> None:
        """Queue the reads; raise HomeAssistantError for the first that cannot be queued."""
        if not (reads := self.device.reads()):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="nothing_shown",
                translation_placeholders={"name": self.device.title},
            )
        # OneNET accepts whole seconds only.
        expired_time = (self.account.client.now() + _EXPIRES_IN).replace(microsecond=0)
        for read in reads:
            command = CachedCommand(operation=read, expired_time=expired_time)
            await self.account.manager.async_queue(command, IfWaiting.KEEP, self._context or Context())


class CancelWaitingButton(OneNetDeviceEntity, ButtonEntity):
    """Cancel all commands that wait for a device."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "cancel_waiting"

    @override
    async def async_press(self) -> None:
        """Cancel the commands; raise HomeAssistantError if that fails."""
        await self.account.manager.async_cancel_all(self.device.imei, self._context or Context())
