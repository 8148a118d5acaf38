"""Base classes of the entities of accounts and of devices."""

import asyncio
from collections.abc import Iterable, Set as AbstractSet
from typing import Any, override

from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import ATTR_MEASURED_AT, DOMAIN
from .coordinator import SIGNAL_ADDITION, OneNetConfigEntry, OneNetCoordinator, OneNetRuntimeData
from .devices import AVAILABILITY, Addition, Device
from .lwm2m import ResourceDescription


class OneNetAccountEntity(CoordinatorEntity[OneNetCoordinator]):
    """Represent an entity of an account's service device, available while OneNET is reachable."""

    _attr_has_entity_name = True

    def __init__(self, account: OneNetRuntimeData) -> None:
        """Set the unique id, which ends with the translation key, and the device."""
        super().__init__(account.coordinator)
        self._commands = account.commands
        entry_id = self._signal_key = account.coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{self._attr_translation_key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry_id)})


class OneNetDeviceEntity(Entity):
    """Represent an entity of a device, available while OneNET is reachable and the device is not missing.

    `_watched` are the changes of the device after which the entity's state is written.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False
    _watched: AbstractSet[str] = frozenset({AVAILABILITY})

    def __init__(self, account: OneNetRuntimeData, device: Device, key: str | None = None) -> None:
        """Set the unique id, which ends with `key` or else with the translation key, and the device."""
        self.account = account
        self.device = device
        self._signal_key = f"{account.coordinator.config_entry.entry_id}_{device.imei}"
        self._attr_unique_id = f"{self._signal_key}_{key or self._attr_translation_key}"
        # The device is registered already; a device_info with every entity would take a fifth of the set-up time.
        self.device_entry = dr.async_get(account.coordinator.hass).async_get(device.device_id)

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signal."""
        await super().async_added_to_hass()
        signal = self.account.devices.signal(self.device.imei)
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
        return self.account.coordinator.last_update_success and not self.device.missing


class OneNetResourceEntity(OneNetDeviceEntity):
    """Show the value of a resource and the time of its measurement; `describes` is the class of its description."""

    describes: type[ResourceDescription]
    entity_description: ResourceDescription

    def __init__(self, account: OneNetRuntimeData, device: Device, description: ResourceDescription) -> None:
        """Set the description, whose key is the path of the resource."""
        super().__init__(account, device, description.key)
        self._watched = {AVAILABILITY, *description.paths}
        self.entity_description = description
        self._attr_translation_placeholders = {"number": description.number}
        self._update_attrs()

    @override
    def _update_attrs(self) -> None:
        readings = (self.device.readings.get(path) for path in self.entity_description.shown_paths)
        # Of the same time, the last path is where the device reports what a command has set.
        reading = max(reversed([*filter(None, readings)]), key=lambda reading: reading.measured_at, default=None)
        self._value = reading and reading.value
        self._attr_extra_state_attributes = {ATTR_MEASURED_AT: reading.measured_at} if reading else {}

    def _value_of(self, path: str) -> Any:
        """Return the newest value of a resource, None without one."""
        reading = self.device.readings.get(path)
        return reading and reading.value


async def async_add_device_entities(
    entry: OneNetConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    of_device: Iterable[type[OneNetDeviceEntity]] = (),
    of_resource: type[OneNetResourceEntity] | None = None,
) -> None:
    """Add the entities of an account's devices, and those of devices and resources that are added later.

    A device gets one of each class in `of_device`, and one `of_resource` for each resource whose description this class
    describes.
    """
    account = entry.runtime_data
    added = account.devices.added
    hass = account.coordinator.hass

    @callback
    def add(addition: Addition) -> None:
        device = addition.device
        # The device, or some of its resources, may have been removed meanwhile.
        if added.get(device.imei) is not device:
            return
        entities: list[Entity] = [kind(account, device) for kind in of_device] if addition.is_new else []
        if of_resource is not None:
            entities += [
                of_resource(account, device, description)
                for description in addition.descriptions
                if isinstance(description, of_resource.describes) and description in device.descriptions
            ]
        if entities:
            async_add_entities(entities, config_subentry_id=device.subentry_id)

    # The signal covers everything that is added after this snapshot.
    present = [Addition(device, device.descriptions, is_new=True) for device in added.values()]
    entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_ADDITION.format(entry.entry_id), add))
    for addition in present:
        add(addition)
        # A thousand devices would block the event loop.
        await asyncio.sleep(0)
