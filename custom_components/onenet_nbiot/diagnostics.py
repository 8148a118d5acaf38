"""Diagnostics of an account and of a device."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .const import (
    ATTR_MEASURED_AT,
    CONF_ACCESS_KEY,
    CONF_IGNORED,
    CONF_IMEI,
    CONF_ONENET_ID,
    CONF_PRODUCT_ID,
    CONF_PUSH,
    CONF_USER_ID,
)
from .coordinator import OneNetConfigEntry

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
    "title",
    "unique_id",
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant,
    entry: OneNetConfigEntry,
) -> dict[str, Any]:
    """Return an account's configuration without secrets, and counts of its commands and devices."""
    account = entry.runtime_data
    return {
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
        "reachable": account.coordinator.last_update_success,
        "commands": account.commands.summary(),
        "devices": account.devices.summary(),
        "push": account.health.summary(account.client.now()) if CONF_PUSH in entry.options else None,
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant,
    entry: OneNetConfigEntry,
    device_entry: DeviceEntry,
) -> dict[str, Any]:
    """Return a device's presence, counts of its commands, and the types and times of its values, but no value.

    The service device of an account has the diagnostics of the account.
    """
    account = entry.runtime_data
    device = next((device for device in account.devices.added.values() if device.device_id == device_entry.id), None)
    if device is None:
        return await async_get_config_entry_diagnostics(hass, entry)
    return {
        "reachable": account.coordinator.last_update_success,
        "platform": device.platform,
        "has_key": device.key is not None,
        "missing": device.missing,
        "online": device.online,
        "last_seen": device.last_seen,
        "newest_datapoint": device.newest,
        "commands": account.commands.count_by_state(device.imei),
        "entities": [f"{description.platform} {description.key}" for description in device.descriptions],
        "at_once": device.at_once,
        "values": {
            path: {"type": type(reading.value).__name__, ATTR_MEASURED_AT: reading.measured_at}
            for path, reading in device.readings.items()
        },
    }
