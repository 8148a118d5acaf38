"""Backup hooks, which keep the store's file complete while Home Assistant copies it."""

import sqlite3

from homeassistant.core import HomeAssistant

from .const import LOGGER
from .store import async_get_store


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Pause checkpoints, so that the file can be copied."""
    try:
        await async_get_store(hass).async_pause_checkpoints()
    except sqlite3.Error as err:
        # An exception would abort the whole backup.
        LOGGER.warning("The file of the commands may be incomplete in the backup: %s", err)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Resume checkpoints."""
    try:
        await async_get_store(hass).async_resume_checkpoints()
    except sqlite3.Error as err:
        LOGGER.warning("Automatic checkpoints of the command file could not be resumed after the backup: %s", err)
