"""System health: whether OneNET can be reached, and what the accounts have."""

import asyncio
from collections import defaultdict
from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback

from .const import CONF_PUSH, DOMAIN
from .coordinator import OneNetConfigEntry, platform_of


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the information about this integration."""
    register.async_register_info(_async_get_info)


async def _async_get_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return whether each platform that has accounts can be reached, and counts of all accounts."""
    entries: list[OneNetConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    urls: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        urls[platform_of(entry.data).name].add(entry.data[CONF_URL])
    loaded = [entry for entry in entries if entry.state is ConfigEntryState.LOADED]
    accounts = [entry.runtime_data for entry in loaded]
    pushes = [entry.runtime_data for entry in loaded if CONF_PUSH in entry.options]
    return {
        **{f"can_reach_{platform}": _async_check(hass, urls[platform]) for platform in sorted(urls)},
        "accounts": len(entries),
        "loaded_accounts": len(loaded),
        "devices": sum(len(account.devices.added) for account in accounts),
        "waiting_commands": sum(account.commands.waiting for account in accounts),
        "push_accounts": sum(1 for entry in entries if CONF_PUSH in entry.options),
        "active_pushes": sum(account.health.is_active(account.client.now()) for account in pushes),
        "stopped_pushes": sum(account.health.is_stopped(account.client.now()) for account in pushes),
    }


async def _async_check(hass: HomeAssistant, urls: set[str]) -> Any:
    """Return whether all addresses of a platform can be reached, or the first failure."""
    checks = [system_health.async_check_can_reach_url(hass, url) for url in urls]
    results = await asyncio.gather(*checks)
    return next((result for result in results if result != "ok"), "ok")
