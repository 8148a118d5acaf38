"""Backups of the commands, taken while they go on."""

from homeassistant.core import HomeAssistant

from .store import async_get_store


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Let the file be copied."""
    await async_get_store(hass).async_hold_still()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Write as usual again."""
    await async_get_store(hass).async_go_on()
