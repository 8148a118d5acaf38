"""The devices of an account in Home Assistant's registries: their registration, their entities and repair issues."""

import asyncio
from collections.abc import Container
from itertools import batched
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir

from .const import DOMAIN, ISSUE_DEVICE_GONE, ISSUE_PUSH_STOPPED, ISSUE_PUSH_URL, MODEL_DEVICE, SUBENTRY_DEVICE
from .devices import BATCH_SIZE, Addition, Device, Devices
from .exceptions import escape_markdown
from .lwm2m import DeviceKind
from .new_devices import async_ignore_removed


@callback
def async_register_account(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Register an account's service device, the parent of its devices."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        entry_type=dr.DeviceEntryType.SERVICE,
        identifiers={(DOMAIN, entry.entry_id)},
        manufacturer="China Mobile",
        model="OneNET NB-IoT",
        name=entry.title,
    )


async def async_sync_devices(hass: HomeAssistant, entry: ConfigEntry[Any], devices: Devices) -> list[Addition]:
    """Update the devices and the registries from an account's subentries; return the devices with additions."""
    subentries = {
        subentry.unique_id: subentry
        for subentry in entry.get_subentries_of_type(SUBENTRY_DEVICE)
        if subentry.unique_id is not None
    }
    removed = devices.async_delete_removed({imei: subentry.subentry_id for imei, subentry in subentries.items()})
    async_ignore_removed(hass, entry, removed - subentries.keys())
    changed: list[Addition] = []
    for part in batched(subentries.items(), BATCH_SIZE, strict=False):
        for imei, subentry in part:
            # The subentry may have been removed meanwhile.
            current = entry.subentries.get(subentry.subentry_id)
            if current is not None and (addition := devices.async_add(imei, current)) is not None:
                addition.device.device_id = _async_register(hass, entry.entry_id, addition.device)
                changed.append(addition)
        await asyncio.sleep(0)
    if changed:
        _async_remove_entities(hass, entry.entry_id, devices)
    async_update_issues(hass, entry, devices)
    return [addition for addition in changed if addition.descriptions or addition.is_new or addition.needs_reload]


@callback
def _async_register(hass: HomeAssistant, entry_id: str, device: Device) -> str:
    """Register a device, and return its Home Assistant device id."""
    registry = dr.async_get(hass)
    account = registry.async_get_device_by_identifier((DOMAIN, entry_id), entry_id)
    identifier = (DOMAIN, f"{entry_id}_{device.imei}")
    known = registry.async_get_device_by_identifier(identifier, entry_id)
    # The model that the device has reported replaces its kind, also if its readings were lost since.
    is_reported = known is not None and known.model not in {None, *map(_model, DeviceKind)}
    identity: dict[str, Any] = ({} if is_reported else {"model": _model(device.kind)}) | device.identity()
    return registry.async_get_or_create(
        config_entry_id=entry_id,
        config_subentry_id=device.subentry_id,
        identifiers={identifier},
        name=device.title,
        serial_number=device.imei,
        via_device_id=account.id if account else None,
        **identity,
    ).id


def _model(kind: DeviceKind) -> str:
    """Return the model of a kind of device, which Home Assistant does not translate."""
    return MODEL_DEVICE if kind is DeviceKind.OTHER else f"{MODEL_DEVICE} {kind.replace('_', ' ')}"


@callback
def async_update_identity(hass: HomeAssistant, device: Device) -> None:
    """Update the manufacturer, model and versions of a device, unless it was removed meanwhile."""
    registry = dr.async_get(hass)
    if registry.async_get(device.device_id) is not None:
        identity: dict[str, Any] = device.identity()
        registry.async_update_device(device.device_id, **identity)


@callback
def _async_remove_entities(hass: HomeAssistant, entry_id: str, devices: Devices) -> None:
    """Remove the entities of resources that are no longer selected, or that another platform has now."""
    registry = er.async_get(hass)
    kept = {imei: {description.entity for description in device.descriptions} for imei, device in devices.added.items()}
    for entity in er.async_entries_for_config_entry(registry, entry_id):
        _, _, key = entity.unique_id.partition("_")
        imei, _, path = key.partition("_")
        if "/" in path and imei in kept and (entity.domain, path) not in kept[imei]:
            registry.async_remove(entity.entity_id)


@callback
def async_update_issues(hass: HomeAssistant, entry: ConfigEntry[Any], devices: Devices) -> None:
    """Create the repair issues of an account's missing devices, and delete those of other devices.

    An account that is being disabled has no issues.
    """
    missing = {
        f"{ISSUE_DEVICE_GONE}_{device.subentry_id}": device
        for device in devices.added.values()
        if device.missing and entry.disabled_by is None
    }
    async_delete_issues(hass, entry, missing)
    for issue_id, device in missing.items():
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            data={"entry_id": entry.entry_id, "subentry_id": device.subentry_id},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_DEVICE_GONE,
            translation_placeholders={
                "name": device.title,
                "device": escape_markdown(device.title),
                "account": escape_markdown(entry.title),
            },
        )


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry[Any], except_for: Container[str] = ()) -> None:
    """Delete the repair issues of an account's devices, except for those with these ids."""
    for issue in list(ir.async_get(hass).issues.values()):
        if issue.domain == DOMAIN and _is_about(issue, entry) and issue.issue_id not in except_for:
            ir.async_delete_issue(hass, DOMAIN, issue.issue_id)


@callback
def async_update_push_issue(hass: HomeAssistant, entry: ConfigEntry[Any], *, is_stopped: bool) -> None:
    """Create the repair issue of an account whose pushes have stopped, or delete it."""
    issue_id = f"{ISSUE_PUSH_STOPPED}_{entry.entry_id}"
    if not is_stopped:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=ISSUE_PUSH_STOPPED,
        translation_placeholders={"account": escape_markdown(entry.title)},
    )


@callback
def async_delete_push_issues(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Delete the repair issues about an account's pushes."""
    for issue in (ISSUE_PUSH_STOPPED, ISSUE_PUSH_URL):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{entry.entry_id}")


def _is_about(issue: ir.IssueEntry, entry: ConfigEntry[Any]) -> bool:
    """Return whether an issue is about a device of an account; one that was ignored before a restart lacks its data."""
    data = issue.data or {}
    subentry_id = issue.issue_id.removeprefix(f"{ISSUE_DEVICE_GONE}_")
    return data.get("entry_id") == entry.entry_id or subentry_id in entry.subentries
