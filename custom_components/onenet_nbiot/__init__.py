"""The OneNET NB-IoT integration: queue commands for sleeping devices on China Mobile's OneNET."""

from functools import partial
import sqlite3

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .accounts import async_load_account, async_remove_account
from .assist import async_register_llm_apis
from .const import ATTR_MESSAGE, CONF_PUSH, DOMAIN, ISSUE_STORAGE
from .coordinator import OneNetConfigEntry, OneNetCoordinator, OneNetRuntimeData, create_client
from .device_registry import async_delete_issues, async_delete_push_issues, async_update_identity
from .devices import SIGNAL_IDENTITY
from .exceptions import setup_error
from .history import HistoryImporter
from .manager import CommandManager
from .onenet.errors import OneNetError
from .overdue import OverdueWatch
from .push import async_create_push_webhook, async_register_webhooks
from .push_url import async_delete_webhook
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
    """Register the actions, the webhooks and the tools for conversation agents."""
    async_setup_services(hass)
    async_register_webhooks(hass)
    await async_register_llm_apis(hass)
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
        history=HistoryImporter(hass, entry, client, devices),
    )
    update_identity = partial(async_update_identity, hass)
    entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_IDENTITY.format(entry.entry_id), update_identity))
    push = async_create_push_webhook(hass, entry)
    await entry.runtime_data.history.async_load()
    OverdueWatch(hass, entry, client, devices, coordinator).async_start()
    await coordinator.async_load_devices()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.runtime_data.history.async_start()
    # The event entities must not miss what the first poll finds.
    coordinator.async_start()
    if push is not None:
        push.async_register()
    else:
        await account.health.async_clear()
        async_delete_push_issues(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> bool:
    """Unload an account; calls in flight continue."""
    if entry.disabled_by is not None:
        # A reload keeps the issues, with what a person has ignored.
        async_delete_issues(hass, entry)
        async_delete_push_issues(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
    """Delete the commands and devices of a removed account."""
    if not hass.config_entries.async_entries(DOMAIN):
        ir.async_delete_issue(hass, DOMAIN, ISSUE_STORAGE)
    async_delete_issues(hass, entry)
    async_delete_push_issues(hass, entry)
    if CONF_PUSH in entry.options:
        await async_delete_webhook(hass, entry.options[CONF_PUSH])
    await async_remove_account(hass, entry.entry_id)
