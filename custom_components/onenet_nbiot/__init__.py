"""The OneNET NB-IoT integration: queue commands for sleeping devices on China Mobile's OneNET."""

import sqlite3

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import ATTR_MESSAGE, DOMAIN
from .coordinator import OneNetConfigEntry, OneNetCoordinator, create_client
from .exceptions import setup_error
from .manager import async_get_manager, async_remove_manager
from .onenet.errors import OneNetError
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Set up an account."""
    client = create_client(hass, entry.data)
    try:
        manager = await async_get_manager(hass, entry, client)
    except sqlite3.Error as err:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="storage_failed",
            translation_placeholders={ATTR_MESSAGE: str(err)},
        ) from err
    try:
        await client.check_connection()
    except OneNetError as err:
        raise setup_error(err) from err
    entry.runtime_data = OneNetCoordinator(hass, entry, client, manager)
    await entry.runtime_data.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Unload an account; calls in flight continue."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
    """Delete the commands and devices of a removed account."""
    await async_remove_manager(hass, entry)
