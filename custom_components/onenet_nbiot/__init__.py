"""The OneNET NB-IoT integration: queue commands for sleeping devices on China Mobile's OneNET."""

from functools import partial
import sqlite3

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .accounts import async_load_account, async_remove_account
from .const import ATTR_MESSAGE, CONF_PUSH, DOMAIN
from .coordinator import OneNetConfigEntry, OneNetCoordinator, OneNetRuntimeData, create_client
from .device_registry import async_delete_issues, async_delete_push_issues, async_update_identity
from .devices import SIGNAL_IDENTITY
from .exceptions import setup_error
from .manager import CommandManager
from .onenet.errors import OneNetError
from .overdue import OverdueWatch
from .push import PushWebhook, async_delete_webhook, async_register_webhooks
from .services import async_setup_services
from .tracker import CommandTracker

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.LIGHT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.VALVE,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and the webhooks."""
    async_setup_services(hass)
    async_register_webhooks(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Set up an account."""
    client = create_client(hass, entry.data)
    try:
        account = await async_load_account(hass, entry.entry_id)
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
    commands, devices = account.commands, account.devices
    tracker = CommandTracker(hass, entry, client, commands, devices)
    coordinator = OneNetCoordinator(hass, entry, client, commands, devices, tracker, account.health)
    entry.runtime_data = OneNetRuntimeData(
        client=client,
        commands=commands,
        devices=devices,
        tracker=tracker,
        manager=CommandManager(hass, entry.entry_id, client, commands, tracker),
        coordinator=coordinator,
        health=account.health,
    )
    update_identity = partial(async_update_identity, hass)
    entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_IDENTITY.format(entry.entry_id), update_identity))
    OverdueWatch(hass, entry, client, devices, coordinator).async_start()
    await coordinator.async_load_devices()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    # The event entities must not miss what the first poll finds.
    coordinator.async_start()
    if CONF_PUSH in entry.options:
        PushWebhook(hass, entry).async_register()
    else:
        account.health.clear()
        async_delete_push_issues(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Unload an account; calls in flight continue."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
    """Delete the commands and devices of a removed account."""
    async_delete_issues(hass, entry)
    async_delete_push_issues(hass, entry)
    if CONF_PUSH in entry.options:
        await async_delete_webhook(hass, entry.options[CONF_PUSH])
    await async_remove_account(hass, entry.entry_id)
