"""Find the devices of this integration that a target selects: entities, devices, areas, floors or labels."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids

from .const import DOMAIN

# In these fields, a call has its target.
TARGET_FIELDS = frozenset(map(str, cv.ENTITY_SERVICE_FIELDS))


class TargetedDevice(NamedTuple):
    """Hold a device, and the last parts of the unique ids of its selected entities, None for the whole device."""

    device_id: str
    entry_id: str
    imei: str
    keys: set[str] | None


def _parse(identifiers: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the config entry id and the IMEI of a device of this integration, without an IMEI for an account's."""
    # The identifiers of other integrations may have any form.
    for identifier in identifiers:
        if identifier[0] == DOMAIN:
            entry_id, _, imei = identifier[1].partition("_")
            yield entry_id, imei


def identify(identifiers: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the config entry id and the IMEI of a device of this integration, None for any other device."""
    return next((found for found in _parse(identifiers) if found[1]), None)


@callback
def async_find_devices(hass: HomeAssistant, target: Mapping[str, Any]) -> list[TargetedDevice]:
    """Return the devices of this integration that the validated fields of a target select."""
    selected = async_extract_referenced_entity_ids(hass, TargetSelection(dict(target)))
    devices, entities = dr.async_get(hass), er.async_get(hass)
    unique_ids: dict[str, set[str] | None] = dict.fromkeys(selected.referenced_devices)
    for entity_id in selected.referenced | selected.indirectly_referenced:
        entity = entities.async_get(entity_id)
        if entity is None or entity.platform != DOMAIN or entity.device_id is None or entity.disabled:
            continue
        if (of_device := unique_ids.setdefault(entity.device_id, set())) is not None:
            of_device.add(entity.unique_id)
    found = []
    for device_id, of_device in sorted(unique_ids.items(), key=lambda item: item[0]):
        device = devices.async_get(device_id)
        if device is not None and not device.disabled and (ours := identify(device.identifiers)) is not None:
            prefix = "_".join((*ours, ""))
            keys = None if of_device is None else {unique_id.removeprefix(prefix) for unique_id in of_device}
            found.append(TargetedDevice(device_id, *ours, keys))
    return found


class DeviceTarget:
    """Hold the target of a trigger or a condition.

    The device of an account selects all devices of the account, and no target at all selects all devices.
    """

    def __init__(self, hass: HomeAssistant, target: Mapping[str, Any] | None) -> None:
        """Create a target from its validated fields."""
        self._hass = hass
        self._selection = TargetSelection(dict(target or {}))
        self._selected: set[tuple[str, str]] | None = None

    @callback
    def async_follow(self) -> CALLBACK_TYPE:
        """Follow the changes of the registries, and return the function that ends it."""

        @callback
        def changed(_: Event[Any]) -> None:
            self._selected = None

        events = er.EVENT_ENTITY_REGISTRY_UPDATED, dr.EVENT_DEVICE_REGISTRY_UPDATED, ar.EVENT_AREA_REGISTRY_UPDATED
        removals = [self._hass.bus.async_listen(event, changed) for event in events]

        @callback
        def remove() -> None:
            for removal in removals:
                removal()

        return remove

    @callback
    def async_includes(self, entry_id: str, imei: str) -> bool:
        """Return whether the target selects a device of an account."""
        if not self._selection.has_any_target:
            return True
        if self._selected is None:
            self._selected = self._async_select()
        return not self._selected.isdisjoint({(entry_id, imei), (entry_id, "")})

    @callback
    def _async_select(self) -> set[tuple[str, str]]:
        """Return the config entry id and the IMEI of the selected devices, without an IMEI for an account's device."""
        selected = async_extract_referenced_entity_ids(self._hass, self._selection, primary_entities_only=False)
        devices, entities = dr.async_get(self._hass), er.async_get(self._hass)
        # A disabled entity stands for its device, too.
        of_entities = (entities.async_get(id_) for id_ in selected.referenced | selected.indirectly_referenced)
        ids = selected.referenced_devices | {entity.device_id for entity in of_entities if entity and entity.device_id}
        found = (device for id_ in ids if (device := devices.async_get(id_)) is not None and not device.disabled)
        return {ours for device in found for ours in _parse(device.identifiers)}
