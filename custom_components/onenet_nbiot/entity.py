"""Base classes of the entities of accounts and of devices."""

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
    """Represent an entity of an account's service device, available while OneNET is reachable."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: OneNetCoordinator) -> None:
        """Set the unique id, which ends with the translation key, and the device."""
        super().__init__(coordinator)
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{self._attr_translation_key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry_id)})
        self._command_signal = coordinator.manager.signal


class OneNetDeviceEntity(Entity):
    """Represent an entity of a device, available while OneNET is reachable and the device is not missing.

    `_watched` are the changes of the device after which the entity's state is written.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False
    _watched: AbstractSet[str] = frozenset({AVAILABILITY})

    def __init__(self, coordinator: OneNetCoordinator, device: Device, key: str | None = None) -> None:
        """Set the unique id, which ends with `key` or else with the translation key, and the device."""
        self.coordinator = coordinator
        self.device = device
        entry_id = coordinator.config_entry.entry_id
        self._command_signal = coordinator.manager.signal_for(device.imei)
        self._attr_unique_id = f"{entry_id}_{device.imei}_{key or self._attr_translation_key}"
        # The device is registered already; a device_info with every entity would take a fifth of the set-up time.
        self.device_entry = dr.async_get(coordinator.hass).async_get(device.device_id)

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        await super().async_added_to_hass()
        signal = self.coordinator.devices.signal(self.device.imei)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._async_device_changed))

    @callback
    def _async_device_changed(self, changed: set[str]) -> None:
        """Update the attributes and write the state if a watched part of the device has changed."""
        if not self._watched.isdisjoint(changed):
            self._update_attrs()
            self.async_write_ha_state()

    def _update_attrs(self) -> None:
        """Update the attributes from the device."""

    @property
    @override
    def available(self) -> bool:
        """Return whether OneNET is reachable and the device is not missing."""
        return self.coordinator.last_update_success and not self.device.missing


class OneNetResourceEntity(OneNetDeviceEntity):
    """Show the value of a resource and the time of its measurement; `describes` is the class of its description."""

    describes: type[Description]
    entity_description: Description

    def __init__(self, coordinator: OneNetCoordinator, device: Device, description: Description) -> None:
        """Set the description, whose key is the path of the resource."""
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
    """Write the state for each new state of a command, of an account or of a device."""

    _command_signal: SignalType[str, dict[str, Any], Context]

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, self._command_signal, self._async_command_changed))

    @callback
    def _async_command_changed(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Write the state with the context of the command."""
        self.async_set_context(context)
        self.async_write_ha_state()


async def async_add_device_entities(
    entry: OneNetConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    of_device: type[OneNetDeviceEntity],
    of_resource: type[OneNetResourceEntity] | None = None,
) -> None:
    """Add the entities of an account's devices, and those of devices and resources that are added later.

    A device gets one `of_device`, and one `of_resource` for each resource whose description this class describes.
    """
    coordinator = entry.runtime_data
    added = coordinator.devices.added

    @callback
    def add(device: Device, paths: Iterable[str], new: bool) -> None:  # noqa: FBT001 - a signal has no names
        # The device, or some of its resources, may have been removed meanwhile.
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

    # The signal covers everything that is added after this snapshot.
    present = [(device, device.resource_paths) for device in added.values()]
    entry.async_on_unload(async_dispatcher_connect(coordinator.hass, coordinator.devices.signal_resources_added, add))
    for device, paths in present:
        add(device, paths, new=True)
        # A thousand devices would block the event loop.
        await asyncio.sleep(0)
