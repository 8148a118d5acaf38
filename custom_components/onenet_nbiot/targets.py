"""Find the devices of this integration that a target selects: entities, devices, areas, floors or labels."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er
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


def identify(identifiers: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the config entry id and the IMEI of a device of this integration, None for any other device."""
    # The identifiers of other integrations may have any form.
    ours = [identifier[1] for identifier in identifiers if identifier[0] == DOMAIN]
    return next(((entry_id, imei) for entry_id, _, imei in (text.partition("_") for text in ours) if imei), None)


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
