"""Every command that is queued here: the one place that says what becomes of it."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import (
    ATTR_COMMAND,
    ATTR_EXPIRED_TIME,
    ATTR_IMEI,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_RES_ID,
    ATTR_TYPE,
    ATTR_UUID,
    ATTR_VALID_TIME,
    EVENT_ONENET,
)
from .exceptions import action_error
from .onenet.client import OneNetClient
from .onenet.errors import OneNetError, PlatformError
from .onenet.models import CachedRead

type OneNetConfigEntry = ConfigEntry[Ledger]


class Ledger:
    """Queue an account's commands and say so."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient) -> None:
        """Start with nothing queued."""
        self._hass = hass
        self._entry = entry
        self._client = client

    async def async_queue(self, command: CachedRead, context: Context) -> dict[str, Any]:
        """Queue a command, say so, and return what was said.

        Raise HomeAssistantError when OneNET refused it, or when it is not known whether it was queued.
        """
        # A caller that is cancelled meanwhile, such as a restarted automation, takes nothing back: the command is
        # queued all the same, and its UUID has to be heard of. (asyncio.shield costs a tenth of the throughput.)
        answer: asyncio.Future[dict[str, Any]] = self._hass.loop.create_future()
        self._hass.async_create_task(self._async_answer(answer, command, context), "queue a OneNET command")
        return await answer

    async def _async_answer(
        self, answer: asyncio.Future[dict[str, Any]], command: CachedRead, context: Context
    ) -> None:
        """Queue a command for a caller who may be gone before OneNET answers."""
        try:
            fields = await self._async_queue(command, context)
        except Exception as err:
            if answer.cancelled():
                raise
            answer.set_exception(err)
        else:
            if not answer.cancelled():
                answer.set_result(fields)

    async def _async_queue(self, command: CachedRead, context: Context) -> dict[str, Any]:
        """Queue a command and say what OneNET answered."""
        fields = self._describe(command)
        try:
            fields[ATTR_UUID] = await self._client.queue_read(command)
        except OneNetError as err:
            if isinstance(err, PlatformError):
                self._async_say("rejected", fields | {ATTR_REASON: err.reason, ATTR_MESSAGE: str(err)}, context)
            raise action_error(self._hass, self._entry, err) from err
        self._async_say("queued", fields, context)
        return fields

    def _describe(self, command: CachedRead) -> dict[str, Any]:
        """Return what every event of a command carries; absent is absent."""
        fields = {
            ATTR_CONFIG_ENTRY_ID: self._entry.entry_id,
            ATTR_COMMAND: "read",
            ATTR_IMEI: command.imei,
            ATTR_OBJ_ID: command.obj_id,
            ATTR_OBJ_INST_ID: command.obj_inst_id,
            ATTR_RES_ID: command.res_id,
            ATTR_VALID_TIME: command.valid_time and dt_util.as_local(command.valid_time).isoformat(),
            ATTR_EXPIRED_TIME: dt_util.as_local(command.expired_time).isoformat(),
        }
        return {name: value for name, value in fields.items() if value is not None}

    @callback
    def _async_say(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Tell automations of a change."""
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"command_{change}", **fields}, context=context)
