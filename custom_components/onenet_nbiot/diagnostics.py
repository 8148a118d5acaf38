"""Diagnostics of an account and of a device."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .const import (
    ATTR_MEASURED_AT,
    CONF_ACCESS_KEY,
    CONF_CLOUDHOOK,
    CONF_CONTROLS,
    CONF_ENCRYPTION_KEY,
    CONF_IGNORED,
    CONF_IMEI,
    CONF_ONENET_ID,
    CONF_PRODUCT_ID,
    CONF_PUSH,
    CONF_USER_ID,
)
from .coordinator import OneNetConfigEntry, platform_of
from .devices import NEVER, Device
from .lwm2m import find_resource, ids_of
from .store import async_get_store

TO_REDACT = {
    CONF_ACCESS_KEY,
    CONF_API_KEY,
    CONF_IGNORED,
    CONF_IMEI,
    CONF_ONENET_ID,
    CONF_PRODUCT_ID,
    # The token, the encryption key and the id of the webhook.
    CONF_PUSH,
    CONF_USER_ID,
    # A person may have put anything into a title.
    "title",
    "unique_id",
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant,
    entry: OneNetConfigEntry,
) -> dict[str, Any]:
    """Return an account's configuration without secrets, its polls and requests, and counts of what it has."""
    described = {
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
        "platform": platform_of(entry.data).name,
    }
    if entry.state is not ConfigEntryState.LOADED:
        return described
    account = entry.runtime_data
    store = async_get_store(hass)
    return described | {
        "clock_skew_seconds": round(account.client.skew.total_seconds(), 1),
        "polls": account.coordinator.summary(),
        "requests": account.client.statistics.as_dict(),
        "commands": account.commands.summary(),
        "devices": account.devices.summary(),
        "history": account.history.summary(),
        "push": _describe_push(entry),
        "storage": {"can_save": store.can_save, "write_transactions": store.transactions},
    }


def _describe_push(entry: OneNetConfigEntry) -> dict[str, Any] | None:
    """Return whether the pushes of an account arrive, None if push is off."""
    if (push := entry.options.get(CONF_PUSH)) is None:
        return None
    account = entry.runtime_data
    return {
        "encrypted": CONF_ENCRYPTION_KEY in push,
        "cloud": CONF_CLOUDHOOK in push,
        **account.health.summary(account.client.now()),
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant,
    entry: OneNetConfigEntry,
    device_entry: DeviceEntry,
) -> dict[str, Any]:
    """Return a device's settings, presence and polls, counts of its commands, and types and times of its values.

    It has no value. The service device of an account has the diagnostics of the account.
    """
    if entry.state is not ConfigEntryState.LOADED:
        return await async_get_config_entry_diagnostics(hass, entry)
    account = entry.runtime_data
    device = next((device for device in account.devices.added.values() if device.device_id == device_entry.id), None)
    if device is None:
        return await async_get_config_entry_diagnostics(hass, entry)
    return {
        "platform": device.platform,
        "kind": device.kind,
        "controls": list(entry.subentries[device.subentry_id].data.get(CONF_CONTROLS, [])),
        "at_once": device.at_once,
        "presence": _describe_presence(device),
        "polls": account.coordinator.device_summary(device),
        "commands": account.commands.summary(device.imei),
        "history": account.history.summary(device.imei),
        "entities": _describe_entities(device),
        "values": {
            path: {"type": type(reading.value).__name__, ATTR_MEASURED_AT: reading.measured_at}
            for path, reading in device.readings.items()
        },
    }


def _describe_presence(device: Device) -> dict[str, Any]:
    """Return when a device was present, when it is overdue, and whether OneNET has it."""
    return {
        "online": device.online,
        "online_known_at": device.presence_at,
        "last_seen": device.last_seen,
        "newest_datapoint": device.newest,
        "active_since_poll": device.active_since_poll,
        "observed_since": device.observed_since,
        "silences_seconds": device.silences,
        "overdue_after_seconds": device.overdue_after and device.overdue_after.total_seconds(),
        "overdue_at": device.overdue_at,
        "has_key": device.key is not None,
        "missing": device.missing,
        "not_found_since": device.not_found_since,
        "last_lookup": None if device.last_lookup == NEVER else device.last_lookup,
    }


def _describe_entities(device: Device) -> dict[str, dict[str, str]]:
    """Return the data types of the resources that a device's entities show, according to the LwM2M registry."""
    return {
        f"{description.platform} {description.key}": {path: _data_type(path) for path in description.shown_paths}
        for description in device.descriptions
    }


def _data_type(path: str) -> str:
    """Return the data type of a resource according to the LwM2M registry."""
    obj_id, _, res_id = ids_of(path)
    definition = find_resource(obj_id, res_id)
    return "unknown" if definition is None else definition.type
