"""What the entities of accounts and of devices have in common."""

import asyncio
from collections.abc import Iterable, Set as AbstractSet
from typing import Any, override

from homeassistant.core import Context, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util.signal_type import SignalType

from .const import ATTR_MEASURED_AT, DOMAIN
from .coordinator import OneNetConfigEntry, OneNetCoordinator
from .devices import AVAILABILITY, Device
from .lwm2m import Description, describe


class OneNetAccountEntity(CoordinatorEntity[OneNetCoordinator]):
    """Belong to an account's service device, and be available while OneNET is; the translation key is also its key."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: OneNetCoordinator) -> None:
        """Identify the entity."""
        super().__init__(coordinator)
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{self._attr_translation_key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry_id)})
        self._command_signal = coordinator.manager.signal


class OneNetDeviceEntity(Entity):
    """Belong to a device, and be there while OneNET and the device are.

    Without another key, the translation key is also its key. `_watched` is what of the device changes the entity.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False
    _watched: AbstractSet[str] = frozenset({AVAILABILITY})

    def __init__(self, coordinator: OneNetCoordinator, device: Device, key: str | None = None) -> None:
        """Identify the entity."""
        self.coordinator = coordinator
        self.device = device
        entry_id = coordinator.config_entry.entry_id
        self._command_signal = coordinator.manager.signal_for(device.imei)
        self._attr_unique_id = f"{entry_id}_{device.imei}_{key or self._attr_translation_key}"
        # Which is there already: to describe it again with every entity would cost a fifth of the set-up.
        self.device_entry = dr.async_get(coordinator.hass).async_get(device.device_id)

    @override
    async def async_added_to_hass(self) -> None:
        """Begin to listen."""
        await super().async_added_to_hass()
        signal = self.coordinator.devices.signal(self.device.imei)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._async_changed))

    @callback
    def _async_changed(self, changed: set[str]) -> None:
        """Show what has changed of the device, if it is of interest here."""
        if not self._watched.isdisjoint(changed):
            self._update_attrs()
            self.async_write_ha_state()

    def _update_attrs(self) -> None:
        """Take over what is known of the device."""

    @property
    @override
    def available(self) -> bool:
        """Return whether OneNET is reachable, and still has the device."""
        return self.coordinator.last_update_success and not self.device.missing


class OneNetResourceEntity(OneNetDeviceEntity):
    """Show what a device has told of a resource, and when that was measured; `describes` is of which kind it is."""

    describes: type[Description]
    entity_description: Description

    def __init__(self, coordinator: OneNetCoordinator, device: Device, description: Description) -> None:
        """Describe the entity, whose key is the path of the resource."""
        super().__init__(coordinator, device, description.key)
        self._watched = {AVAILABILITY, description.key, description.unit_path}
        self.entity_description = description
        self._attr_translation_placeholders = {"number": description.number}
        self._update_attrs()

    @override
    def _update_attrs(self) -> None:
        reading = self.device.readings.get(self.entity_description.key)
        self._value = reading and reading.value
        self._attr_extra_state_attributes = {ATTR_MEASURED_AT: reading.measured_at} if reading else {}


class CommandStateEntity(Entity):
    """Hear what commands have come to, of an account or of a device."""

    _command_signal: SignalType[str, dict[str, Any], Context]

    @override
    async def async_added_to_hass(self) -> None:
        """Begin to listen."""
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, self._command_signal, self._async_heard))

    @callback
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Show what somebody's command has come to."""
        self.async_set_context(context)
        self.async_write_ha_state()


async def async_add_device_entities(
    entry: OneNetConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    of_device: type[OneNetDeviceEntity],
    of_resource: type[OneNetResourceEntity] | None = None,
) -> None:
    """Add the entities of an account's devices, now and whenever one is added or more of one is shown.

    A device gets one `of_device`, and one `of_resource` for each resource of the kind that this describes.
    """
    coordinator = entry.runtime_data
    added = coordinator.devices.added

    @callback
    def add(device: Device, paths: Iterable[str], new: bool) -> None:  # noqa: FBT001 - a signal has no names
        # It may have been removed meanwhile, or less be shown of it.
        if added.get(device.imei) is not device:
            return
        entities: list[Entity] = [of_device(coordinator, device)] if new else []
        if of_resource is not None:
            descriptions = [describe(path) for path in paths if path in device.resource_paths]
            entities += [
                of_resource(coordinator, device, description)
                for description in descriptions
                if isinstance(description, of_resource.describes)
            ]
        async_add_entities(entities, config_subentry_id=device.subentry_id)

    # Of what is shown later, the signal tells.
    present = [(device, device.resource_paths) for device in added.values()]
    entry.async_on_unload(async_dispatcher_connect(coordinator.hass, coordinator.devices.signal_resources_added, add))
    for device, shown in present:
        add(device, shown, new=True)
        # A thousand devices take their time, which others need, too.
        await asyncio.sleep(0)
