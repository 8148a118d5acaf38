"""Diagnostics of an account."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant

from .const import CONF_ACCESS_KEY, CONF_IMEI, CONF_ONENET_ID, CONF_PRODUCT_ID, CONF_USER_ID
from .coordinator import OneNetConfigEntry

TO_REDACT = {
    CONF_ACCESS_KEY,
    CONF_API_KEY,
    CONF_IMEI,
    CONF_ONENET_ID,
    CONF_PRODUCT_ID,
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
        "manager": account.commands.summary(),
        "devices": account.devices.summary(),
    }
