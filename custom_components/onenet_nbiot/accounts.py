"""Keep the data of accounts over reloads, and find the account of an action."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import service
from homeassistant.util.hass_dict import HassKey

from .commands import Commands
from .const import ATTR_IMEI, ATTR_UUID, DOMAIN, SUBENTRY_DEVICE
from .coordinator import OneNetConfigEntry
from .devices import Devices
from .exceptions import unknown_uuid, which_account
from .history import async_history_store
from .onenet.client import OneNetClient
from .onenet.errors import NotPermittedError, OneNetError, UnknownDeviceError
from .push_health import PushHealth
from .store import async_get_store


@dataclass(frozen=True, slots=True)
class AccountData:
    """Hold what outlives reloads of a config entry: calls that are in flight during a reload need it."""

    commands: Commands
    devices: Devices
    health: PushHealth


_ACCOUNTS: HassKey[dict[str, AccountData]] = HassKey(f"{DOMAIN}_accounts")
# By IMEI, the account that has the device according to OneNET, and until when that is cached: a device may be moved.
_FOUND: HassKey[dict[str, tuple[str, float]]] = HassKey(f"{DOMAIN}_found_accounts")
_FOUND_FOR = 600


async def async_load_account(hass: HomeAssistant, entry_id: str) -> AccountData:
    """Return the data of an account, loaded from disk on first use; raise sqlite3.Error."""
    accounts = hass.data.setdefault(_ACCOUNTS, {})
    if (account := accounts.get(entry_id)) is None:
        store = async_get_store(hass)
        await store.async_open()
        health = PushHealth(hass, entry_id)
        account = AccountData(Commands(hass, entry_id, store), Devices(hass, entry_id, store), health)
        await account.health.async_load()
        await account.devices.async_load()
        await account.commands.async_load()
        accounts[entry_id] = account
    return account


@callback
def async_get_accounts(hass: HomeAssistant) -> Mapping[str, AccountData]:
    """Return the data of the accounts that were loaded and are not disabled, by config entry id.

    An account may be unloaded again.
    """
    accounts = hass.data.get(_ACCOUNTS, {})
    entries = hass.config_entries.async_entries(DOMAIN, include_disabled=False)
    return {entry.entry_id: accounts[entry.entry_id] for entry in entries if entry.entry_id in accounts}


async def async_remove_account(hass: HomeAssistant, entry_id: str) -> None:
    """Delete the data of a removed account; raise sqlite3.Error."""
    store = async_get_store(hass)
    account = hass.data.get(_ACCOUNTS, {}).pop(entry_id, None)
    await (PushHealth(hass, entry_id) if account is None else account.health).async_clear()
    await async_history_store(hass, entry_id).async_remove()
    if account is None:
        await store.async_open()
    else:
        account.devices.async_remove()
        account.commands.async_remove()
    store.async_delete_account(entry_id)


async def async_get_account(hass: HomeAssistant, data: Mapping[str, Any]) -> OneNetConfigEntry:
    """Return the loaded account of an action with this data; raise ServiceValidationError.

    Without `config_entry_id`, find it by the `uuid` of a command that was queued here, else by the `imei`.
    """
    entry_id: str | None = data.get(ATTR_CONFIG_ENTRY_ID)
    imei: str | None = data.get(ATTR_IMEI)
    if entry_id is None and (uuid := data.get(ATTR_UUID)) is not None:
        accounts = hass.data.get(_ACCOUNTS, {})
        entry_id = next((entry_id for entry_id, account in accounts.items() if account.commands.find(uuid)), None)
        if entry_id is None and imei is None:
            raise unknown_uuid(uuid)
    if entry_id is None and imei is not None:
        entry_id = await _async_find(hass, imei)
    entry: OneNetConfigEntry = service.async_get_config_entry(hass, DOMAIN, entry_id)
    return entry


async def _async_find(hass: HomeAssistant, imei: str) -> str | None:
    """Return the id of the account to use for a device; None if there is at most one account.

    OneNET is queried only if several loaded accounts are possible. Raise ServiceValidationError if no account has it,
    or several have.
    """
    entries: list[OneNetConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    if len(entries) <= 1:
        return None
    added = [entry for entry in entries if _is_added(entry, imei)]
    found = hass.data.setdefault(_FOUND, {})
    entry_id, until = found.get(imei, (None, 0.0))
    if until > hass.loop.time() and entry_id in {entry.entry_id for entry in added or entries}:
        return entry_id
    loaded = [entry for entry in added or entries if entry.state is ConfigEntryState.LOADED]
    if len(loaded) <= 1:
        return (loaded or added or entries)[0].entry_id
    if not added and (entry_id := _with_commands(loaded, imei)) is not None:
        return entry_id
    answers = await asyncio.gather(*(_async_has(entry.runtime_data.client, imei) for entry in loaded))
    owners = [entry for entry, has in zip(loaded, answers, strict=True) if has]
    if len(owners) != 1:
        unreachable = [entry for entry, has in zip(loaded, answers, strict=True) if has is None]
        raise which_account(imei, owners or loaded, found=len(owners), unreachable=unreachable)
    found[imei] = owners[0].entry_id, hass.loop.time() + _FOUND_FOR
    return owners[0].entry_id


def _is_added(entry: OneNetConfigEntry, imei: str) -> bool:
    """Return whether a device was added to Home Assistant in this account."""
    return any(subentry.unique_id == imei for subentry in entry.get_subentries_of_type(SUBENTRY_DEVICE))


def _with_commands(entries: list[OneNetConfigEntry], imei: str) -> str | None:
    """Return the id of the only account with open commands of a device, else of the only one with finished ones."""
    for has_commands in (_has_open, _has_finished):
        found = [entry.entry_id for entry in entries if has_commands(entry.runtime_data.commands, imei)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _has_open(commands: Commands, imei: str) -> bool:
    """Return whether a device has commands that OneNET accepted and that are not finished."""
    return commands.waiting_for(imei) > 0


def _has_finished(commands: Commands, imei: str) -> bool:
    """Return whether a device has finished commands that are still kept."""
    return any(command.asked.operation.imei == imei for command in commands.finished)


async def _async_has(client: OneNetClient, imei: str) -> bool | None:
    """Return whether an account has a device according to OneNET, None if that is unknown."""
    try:
        await client.get_device(imei)
    except (UnknownDeviceError, NotPermittedError) as err:
        # A refusal for another reason, such as the IP address, is not about the device.
        return None if err.is_account_wide else False
    except OneNetError:
        return None
    return True
