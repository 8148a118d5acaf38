"""Commands for NB-IoT devices on China Mobile's OneNET that sleep almost all the time."""

from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .exceptions import setup_error
from .ledger import Ledger, OneNetConfigEntry
from .onenet.client import OneNetClient
from .onenet.errors import OneNetError
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Set up an account."""
    client = OneNetClient(async_get_clientsession(hass), entry.data[CONF_API_KEY], base_url=entry.data[CONF_URL])
    try:
        await client.prove_key()
    except OneNetError as err:
        raise setup_error(err) from err
    entry.runtime_data = Ledger(hass, entry, client)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Leave an account; commands under way are finished all the same."""
    return True
