"""Buttons: request a reading, cancel the waiting commands of a device, and execute resources."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import OneNetConfigEntry
from .entity import OneNetDeviceEntity, OneNetResourceEntity, async_add_device_entities
from .lwm2m import ResourceButtonDescription, ids_of
from .manager import async_run_detached
from .onenet.operations import Execute
from .reading import async_request_reading
from .sending import async_control

# An automation may press the buttons of a thousand devices at the same time.
PARALLEL_UPDATES = 3


async def async_setup_entry(
    hass: HomeAssistant, entry: OneNetConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the buttons of an account's devices."""
    of_device = (RequestReadingButton, CancelWaitingButton)
    await async_add_device_entities(entry, async_add_entities, of_device, ResourceButton)


class RequestReadingButton(OneNetDeviceEntity, ButtonEntity):
    """Read a device's resources with entities immediately if it is online, otherwise when it wakes."""

    _attr_translation_key = "read_now"

    @override
    async def async_press(self) -> None:
        """Request the reading; raise HomeAssistantError for the first read that fails."""
        outcome = await async_request_reading(self.account, self.device, self._context or Context())
        if outcome.failure is not None:
            raise outcome.failure


class CancelWaitingButton(OneNetDeviceEntity, ButtonEntity):
    """Cancel all commands that wait for a device."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "cancel_waiting"

    @override
    async def async_press(self) -> None:
        """Cancel the commands; raise HomeAssistantError if that fails."""
        await self.account.manager.async_cancel_all(self.device.imei, self._context or Context())


class ResourceButton(OneNetResourceEntity, ButtonEntity):
    """Execute a resource."""

    describes = ResourceButtonDescription
    entity_description: ResourceButtonDescription

    @override
    async def async_press(self) -> None:
        """Execute the resource immediately or when the device wakes; raise HomeAssistantError."""
        obj_id, obj_inst_id, res_id = ids_of(self.entity_description.key)
        execute = Execute(imei=self.device.imei, obj_id=obj_id, obj_inst_id=obj_inst_id, res_id=res_id)
        context = self._context or Context()
        await async_run_detached(self.hass, async_control(self.account, self.device, execute, context))
