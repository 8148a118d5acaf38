"""An account's commands: the one place that says what becomes of them."""

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import datetime
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_STATE, ATTR_TIME
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import (
    ATTR_COMMAND,
    ATTR_COMMANDS,
    ATTR_CONFIRM_TIME,
    ATTR_CREATE_TIME,
    ATTR_EXPIRED_TIME,
    ATTR_FAILED,
    ATTR_IMEI,
    ATTR_LOG,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_REMAIN,
    ATTR_RES_ID,
    ATTR_RES_INST_ID,
    ATTR_SEND_TIME,
    ATTR_TYPE,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
    DOMAIN,
    EVENT_ONENET,
    LOGGER,
)
from .exceptions import action_error
from .onenet.client import OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformError
from .onenet.models import (
    HISTORY,
    CachedRead,
    CancelledCommands,
    CommandDetail,
    CommandRecord,
    CommandState,
    ResourceValue,
)

# What every event carries; the rest of what is known of a command is asked for by get_command.
_EVENT_FIELDS = {
    ATTR_CONFIG_ENTRY_ID,
    ATTR_COMMAND,
    ATTR_IMEI,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_EXPIRED_TIME,
}

type OneNetConfigEntry = ConfigEntry[Ledger]


def _local(moment: datetime | None) -> str | None:
    """Return a time as people here tell it."""
    return None if moment is None else dt_util.as_local(moment).isoformat()


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: absent is absent."""
    return {name: value for name, value in fields.items() if value is not None}


class Ledger:
    """Queue an account's commands, look them up, take them back, and say so."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient) -> None:
        """Start with nothing queued."""
        self._hass = hass
        self._entry = entry
        self._client = client

    @callback
    def async_queue(self, command: CachedRead, context: Context) -> asyncio.Future[dict[str, Any]]:
        """Queue a command, say so, and return what was said.

        Raise HomeAssistantError when OneNET refused it, or when it is not known whether it was queued.
        """
        return self._async_see_through(self._async_queue(command, context))

    async def async_get(self, imei: str, uuid: str, *, include_log: bool) -> dict[str, Any]:
        """Return what OneNET knows of a command, also of one that was not queued here."""
        fields = self._describe_detail(imei, await self._async_ask(self._client.get_command(imei, uuid)))
        if include_log:
            log = await self._async_ask(self._client.get_command_log(imei, uuid))
            fields[ATTR_LOG] = [_present({ATTR_TIME: _local(entry.time), ATTR_MESSAGE: entry.text}) for entry in log]
        return fields

    async def async_list(self, imei: str, since: datetime, states: set[CommandState]) -> dict[str, Any]:
        """Return a device's commands in these states that were created since then, the newest first."""
        commands = await self._async_ask(self._client.get_all_commands(imei, start=since))
        return {
            ATTR_CONFIG_ENTRY_ID: self._entry.entry_id,
            ATTR_IMEI: imei,
            ATTR_COMMANDS: [self._describe_record(record) for record in commands if record.state in states],
        }

    @callback
    def async_cancel(self, imei: str, uuid: str, context: Context) -> asyncio.Future[dict[str, Any]]:
        """Cancel a command that waits, say so, and return what was said."""
        return self._async_see_through(self._async_cancel(imei, uuid, context))

    @callback
    def async_cancel_all(self, imei: str, context: Context) -> asyncio.Future[dict[str, Any]]:
        """Cancel all of a device's commands that wait, say so, and return what was said."""
        return self._async_see_through(self._async_cancel_all(imei, context))

    @callback
    def _async_see_through(self, work: Coroutine[Any, Any, dict[str, Any]]) -> asyncio.Future[dict[str, Any]]:
        """Do something that must be heard of, even if the caller does not wait for its end.

        A caller that is cancelled, such as a restarted automation, takes nothing back.
        """
        # What asyncio.shield does, at two thirds of its cost. Not a task of the entry's: a reload need not wait for it.
        answer: asyncio.Future[dict[str, Any]] = self._hass.loop.create_future()
        self._hass.async_create_task(self._async_answer(answer, work), "OneNET command")
        return answer

    async def _async_answer(
        self, answer: asyncio.Future[dict[str, Any]], work: Coroutine[Any, Any, dict[str, Any]]
    ) -> None:
        """Hand a result, or an error, to a caller who may be gone."""
        try:
            result = await work
        except Exception as err:  # noqa: BLE001 - whatever it is, the caller's to handle
            if answer.cancelled():
                # An error that was foreseen explains itself.
                trace = None if isinstance(err, HomeAssistantError) else err
                LOGGER.warning("After its caller had gone, a command failed: %s", err, exc_info=trace)
            else:
                answer.set_exception(err)
        else:
            if not answer.cancelled():
                answer.set_result(result)
        finally:
            # Where Home Assistant stops and cancels this, nobody must wait for an answer.
            answer.cancel()

    def _error(self, err: OneNetError) -> HomeAssistantError:
        """Return what an action raises, and ask for a new key where that is what it takes."""
        # A call that outlives a reload says nothing of the key that the account has now.
        if err.kind is ErrorKind.AUTHENTICATION and getattr(self._entry, "runtime_data", None) is self:
            self._entry.async_start_reauth(self._hass)
        return action_error(err)

    async def _async_ask[T](self, call: Awaitable[T]) -> T:
        """Make a call that changes nothing."""
        try:
            return await call
        except OneNetError as err:
            raise self._error(err) from err

    async def _async_queue(self, command: CachedRead, context: Context) -> dict[str, Any]:
        """Queue a command and say what OneNET answered."""
        fields = _present(
            {
                ATTR_CONFIG_ENTRY_ID: self._entry.entry_id,
                ATTR_COMMAND: "read",
                ATTR_IMEI: command.imei,
                ATTR_OBJ_ID: command.obj_id,
                ATTR_OBJ_INST_ID: command.obj_inst_id,
                ATTR_RES_ID: command.res_id,
                ATTR_VALID_TIME: _local(command.valid_time),
                ATTR_EXPIRED_TIME: _local(command.expired_time),
            }
        )
        try:
            fields[ATTR_UUID] = await self._client.queue_read(command)
        except OneNetError as err:
            if isinstance(err, PlatformError):
                self._async_say("rejected", fields | {ATTR_REASON: err.reason, ATTR_MESSAGE: str(err)}, context)
            raise self._error(err) from err
        self._async_say("queued", fields, context)
        return fields

    async def _async_cancel(self, imei: str, uuid: str, context: Context) -> dict[str, Any]:
        """Cancel a command and say so."""
        command = await self._async_find(imei, uuid, CommandState.QUEUED)
        try:
            await self._client.cancel_command(imei, uuid)
        except OneNetError as err:
            # The device may have shown up in this very moment, or only the answer have been lost.
            found = await self._async_find(imei, uuid, CommandState.QUEUED, CommandState.CANCELLED)
            if found.record.state is CommandState.QUEUED:
                raise self._error(err) from err
        return self._say_cancelled(self._describe_detail(imei, command), context)

    async def _async_find(self, imei: str, uuid: str, *states: CommandState) -> CommandDetail:
        """Return a command that can be cancelled; raise ServiceValidationError for one in another state."""
        detail = await self._async_ask(self._client.get_command(imei, uuid))
        if detail.record.state not in states:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_waiting",
                translation_placeholders={ATTR_STATE: detail.record.state},
            )
        return detail

    async def _async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all commands that wait and say so of each."""
        waiting = await self._async_by_state(imei, CommandState.QUEUED)
        try:
            cancelled = await self._client.cancel_commands(imei)
        except OneNetError as err:
            # Only the answer may have been lost.
            gone = await self._async_by_state(imei, CommandState.CANCELLED)
            cancelled = CancelledCommands(succeeded=tuple(uuid for uuid in waiting if uuid in gone), failed=())
            if not cancelled.succeeded:
                raise self._error(err) from err
        said = []
        for uuid in cancelled.succeeded:
            try:
                fields = self._describe_detail(imei, await self._client.get_command(imei, uuid))
            except OneNetError:
                # It is cancelled all the same, and somebody may wait to hear it.
                fields = {ATTR_CONFIG_ENTRY_ID: self._entry.entry_id, ATTR_IMEI: imei, ATTR_UUID: uuid}
                fields |= self._describe_record(waiting[uuid]) if uuid in waiting else {}
            said.append(self._say_cancelled(fields, context))
        return {
            ATTR_CONFIG_ENTRY_ID: self._entry.entry_id,
            ATTR_IMEI: imei,
            ATTR_COMMANDS: said,
            ATTR_FAILED: list(cancelled.failed),
        }

    async def _async_by_state(self, imei: str, state: CommandState) -> dict[str, CommandRecord]:
        """Return all of a device's commands in a state, by UUID, the oldest first."""
        commands = await self._async_ask(self._client.get_all_commands(imei, start=dt_util.utcnow() - HISTORY))
        return {record.uuid: record for record in reversed(commands) if record.state is state}

    def _describe_detail(self, imei: str, detail: CommandDetail) -> dict[str, Any]:
        """Return what is known of a command."""
        fields = _present(
            {
                ATTR_CONFIG_ENTRY_ID: self._entry.entry_id,
                ATTR_IMEI: imei,
                ATTR_OBJ_ID: detail.obj_id,
                ATTR_OBJ_INST_ID: detail.obj_inst_id,
                ATTR_RES_ID: detail.res_id,
            }
        ) | self._describe_record(detail.record)
        if detail.record.state is CommandState.SUCCEEDED and detail.record.command == "read":
            fields[ATTR_VALUES] = [self._describe_value(value) for value in detail.values]
        return fields

    @staticmethod
    def _describe_record(record: CommandRecord) -> dict[str, Any]:
        """Return what a list tells of a command."""
        return _present(
            {
                ATTR_UUID: record.uuid,
                ATTR_COMMAND: record.command or None,
                ATTR_STATE: record.state.value,
                ATTR_REASON: record.reason,
                ATTR_CREATE_TIME: _local(record.create_time),
                ATTR_VALID_TIME: _local(record.valid_time),
                ATTR_EXPIRED_TIME: _local(record.expired_time),
                ATTR_SEND_TIME: _local(record.send_time),
                ATTR_CONFIRM_TIME: _local(record.confirm_time),
                ATTR_REMAIN: record.remain,
            }
        )

    @staticmethod
    def _describe_value(value: ResourceValue) -> dict[str, Any]:
        """Return a value and where it is from; here, null is what the device said."""
        where = {
            ATTR_OBJ_ID: value.obj_id,
            ATTR_OBJ_INST_ID: value.obj_inst_id,
            ATTR_RES_ID: value.res_id,
            ATTR_RES_INST_ID: value.res_inst_id,
        }
        return _present(where) | {ATTR_VALUE: value.value}

    @callback
    def _say_cancelled(self, fields: dict[str, Any], context: Context) -> dict[str, Any]:
        """Tell automations of a command that was cancelled, and return what was told."""
        told = {name: value for name, value in fields.items() if name in _EVENT_FIELDS}
        self._async_say("cancelled", told, context)
        return told

    @callback
    def _async_say(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Tell automations of a change."""
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"command_{change}", **fields}, context=context)
