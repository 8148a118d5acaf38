"""What the entities of accounts and of devices have in common."""

import asyncio
from collections.abc import Callable, Iterable
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
from .device import AVAILABILITY, Device
from .resources import Description


class OneNetAccountEntity(CoordinatorEntity[OneNetCoordinator]):
    """Belong to an account's service device, and be there while OneNET is."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: OneNetCoordinator, key: str) -> None:
        """Name the entity."""
        super().__init__(coordinator)
        entry_id = coordinator.config_entry.entry_id
        self._attr_translation_key = key
        self._attr_unique_id = f"{entry_id}_{key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry_id)})
        self._news = coordinator.ledger.signal

    @property
    @override
    def available(self) -> bool:
        """Return whether OneNET was there when it was last asked, or heard of."""
        return self.coordinator.reachable


class OneNetDeviceEntity(Entity):
    """Belong to a device, and be there while OneNET and the device are.

    `watched` is what of the device, if it changes, changes the entity.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: OneNetCoordinator, device: Device, key: str, *watched: str) -> None:
        """Name the entity."""
        self.coordinator = coordinator
        self.device = device
        entry_id = coordinator.config_entry.entry_id
        self._watched = {AVAILABILITY, *watched}
        self._news = coordinator.ledger.signal_for(device.imei)
        self._attr_unique_id = f"{entry_id}_{device.imei}_{key}"
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
            self._take_over()
            self.async_write_ha_state()

    def _take_over(self) -> None:
        """Take over what is known of the device."""

    @property
    @override
    def available(self) -> bool:
        """Return whether OneNET was there when it was last asked, or heard of, and still has the device."""
        return self.coordinator.reachable and not self.device.gone


class OneNetResourceEntity(OneNetDeviceEntity):
    """Show what a device has told of a resource, and when that was measured."""

    entity_description: Description

    def __init__(self, coordinator: OneNetCoordinator, device: Device, description: Description) -> None:
        """Describe the entity, whose key is the path of the resource."""
        super().__init__(coordinator, device, description.key, description.key, description.unit_path)
        self.entity_description = description
        self._attr_translation_placeholders = {"number": description.number}
        self._take_over()

    @override
    def _take_over(self) -> None:
        reading = self.device.readings.get(self.entity_description.key)
        self._value = reading and reading.value
        self._attr_extra_state_attributes = {ATTR_MEASURED_AT: reading.measured_at} if reading else {}


class NewsEntity(Entity):
    """Hear what commands have come to, of an account or of a device."""

    _news: SignalType[str, dict[str, Any], Context]

    @override
    async def async_added_to_hass(self) -> None:
        """Begin to listen."""
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, self._news, self._async_heard))

    @callback
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Show what somebody's command has come to."""
        self.async_set_context(context)
        self.async_write_ha_state()


async def async_add_device_entities(
    entry: OneNetConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities_of: Callable[[Device, Iterable[str], bool], Iterable[Entity]],
) -> None:
    """Add the entities of an account's devices, now and whenever one is added or more of one is shown.

    `entities_of` returns those of a device, of the resources with these paths, and, if it is a new device, the others.
    """
    coordinator = entry.runtime_data

    added = coordinator.devices.added

    @callback
    def add(device: Device, paths: Iterable[str], new: bool) -> None:  # noqa: FBT001 - a signal has no names
        # It may have been removed meanwhile, or less be shown of it.
        if added.get(device.imei) is device:
            paths = [path for path in paths if path in device.shown]
            async_add_entities(list(entities_of(device, paths, new)), config_subentry_id=device.subentry_id)

    # Of what is shown later, the signal tells.
    present = [(device, device.shown) for device in added.values()]
    entry.async_on_unload(async_dispatcher_connect(coordinator.hass, coordinator.devices.signal_shown, add))
    for device, shown in present:
        add(device, shown, new=True)
        # A thousand devices take their time, which others need, too.
        await asyncio.sleep(0)
