"""The command manager of an account: queue, look up and cancel commands."""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_STATE
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalTypeFormat

from .command import Command, describe_detail, describe_log, describe_record
from .commands import Commands
from .const import (
    ATTR_COMMAND,
    ATTR_COMMANDS,
    ATTR_EXPIRED_TIME,
    ATTR_FAILED,
    ATTR_LOG,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_UUID,
    ATTR_VALID_TIME,
    DOMAIN,
    LOGGER,
)
from .exceptions import action_error, unknown_uuid
from .onenet.client import OneNetClient
from .onenet.errors import OneNetError, OutcomeUnknownError, PlatformError
from .onenet.models import HISTORY, CancelledCommands, CommandDetail, CommandRecord, CommandState
from .onenet.operations import CachedCommand, Operation
from .tracker import LIST_MARGIN, CommandTracker

# A command was queued or cancelled: the IMEI of its device, and whether a command may have been queued.
SIGNAL_ACTION: SignalTypeFormat[str, bool] = SignalTypeFormat(f"{DOMAIN}_action_{{}}")

# Seconds after a lost reply until the device's list is fetched: OneNET needs time to add a command to it.
LOST_PAUSE = 1.0
_MAX_ATTEMPTS = 2
_NOT_WAITING = "not_waiting"
# The fields of the event of a command that was not queued here, besides those that identify the device.
_EVENT_FIELDS = (
    ATTR_COMMAND,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_EXPIRED_TIME,
)


class IfWaiting(StrEnum):
    """Choose what to do if a command for the same target is already waiting."""

    ADD = "add"
    KEEP = "keep"
    REPLACE = "replace"


async def async_run_detached[T](hass: HomeAssistant, work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end and return its result, even if the caller is cancelled, as a restarted automation is."""
    # A task of Home Assistant, not of the entry: a reload does not wait for it.
    task = hass.async_create_task(work, "OneNET command")
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.add_done_callback(_log_failure)
        raise
    return task.result()


class CommandManager:
    """Queue, look up and cancel the commands of an account."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, client: OneNetClient, commands: Commands, tracker: CommandTracker
    ) -> None:
        """Create a manager, which calls OneNET with the client."""
        self._hass = hass
        self._entry_id = entry_id
        self._client = client
        self._commands = commands
        self._tracker = tracker

    async def async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command, fire its event, and return the event's fields.

        Raise HomeAssistantError if OneNET refused the command, or if it is unknown whether the command was queued.
        """
        return await async_run_detached(self._hass, self._async_queue(asked, if_waiting, context))

    async def async_get(self, uuid: str, imei: str | None, *, include_log: bool) -> dict[str, Any]:
        """Return the fields of a command; one that was not queued here requires `imei`."""
        if (command := self._commands.find(uuid, imei)) is not None:
            imei = command.asked.operation.imei
            fields = await self._async_fetch_fields(command)
        elif imei is not None:
            detail = await self.async_request(self._client.get_command(imei, uuid))
            fields = self._tracker.origin(imei) | describe_detail(detail)
        else:
            raise unknown_uuid(uuid)
        if include_log:
            fields[ATTR_LOG] = describe_log(await self.async_request(self._client.get_command_log(imei, uuid)))
        return fields

    async def async_list(self, imei: str, since: datetime, states: set[CommandState]) -> dict[str, Any]:
        """Return a device's commands in these states that were created since then, the newest first."""
        records = await self.async_request(self._client.get_all_commands(imei, start=since))
        commands = [self._describe_listed(imei, record) for record in records]
        listed = [command for command in commands if command[ATTR_STATE] in states]
        return self._tracker.origin(imei) | {ATTR_COMMANDS: listed}

    def _describe_listed(self, imei: str, record: CommandRecord) -> dict[str, Any]:
        """Return the fields of a command in a device's list."""
        listed = describe_record(record)
        if (command := self._commands.find(record.uuid, imei)) is None:
            return listed
        known = self._all_fields(command)
        # A finished command keeps its state; and OneNET returns the times with a fraction of a second added.
        times = {name: known[name] for name in (ATTR_VALID_TIME, ATTR_EXPIRED_TIME) if name in known}
        return listed | known if command.is_finished else known | listed | times

    def list_local(self, since: datetime | None, states: set[CommandState]) -> dict[str, Any]:
        """Return the stored commands in these states that were queued here since then, the newest first."""
        commands = [self._all_fields(command) for command in self._commands.select(since, states)]
        return {ATTR_CONFIG_ENTRY_ID: self._entry_id, ATTR_COMMANDS: commands}

    async def async_wait(self, uuid: str, seconds: float) -> dict[str, Any]:
        """Wait until a command that was queued here is finished, at most so many seconds, and return its fields."""
        if (command := self._commands.find(uuid)) is None:
            raise unknown_uuid(uuid)
        await self._commands.async_wait(command, seconds)
        # OneNET may know a newer state than the last poll.
        return await self._async_fetch_fields(command)

    async def async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a waiting command, fire its event, and return the event's fields."""
        return await async_run_detached(self._hass, self._async_cancel(uuid, imei, context))

    async def async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all waiting commands of a device, fire their events, and return the fields of each event."""
        return await async_run_detached(self._hass, self._async_cancel_all(imei, context))

    async def async_cancel_covered(self, operation: Operation, context: Context) -> None:
        """Cancel the waiting commands that an operation covers, since it is sent immediately; fire their events."""
        async with self._commands.lock(operation.target):
            await self._async_replace(await self._async_find_waiting(operation), context)

    async def async_request[T](self, call: Awaitable[T]) -> T:
        """Make a call to OneNET; raise HomeAssistantError."""
        try:
            return await call
        except OneNetError as err:
            raise self.error(err) from err

    def error(self, err: OneNetError) -> HomeAssistantError:
        """Return the exception of an action, and start reauthentication if OneNET refused the key."""
        self._tracker.async_start_reauth_if_refused(err)
        return action_error(err)

    def _notify_coordinator(self, imei: str, *, queued: bool = False) -> None:
        """Send the signal that a command was queued or cancelled."""
        async_dispatcher_send(self._hass, SIGNAL_ACTION.format(self._entry_id), imei, queued)

    def _all_fields(self, command: Command) -> dict[str, Any]:
        """Return all known fields of a command."""
        return self._tracker.origin(command.asked.operation.imei) | command.all_fields()

    async def _async_fetch_fields(self, command: Command) -> dict[str, Any]:
        """Return the fields of a command that was queued here, updated from OneNET if possible."""
        if not command.is_finished:
            try:
                detail = await self._client.get_command(command.asked.operation.imei, command.uuid)
            except OneNetError as err:
                self._tracker.async_start_reauth_if_refused(err)
            else:
                self._tracker.async_update(command, detail.record, detail)
        return self._all_fields(command)

    async def _async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command after requests in flight for the same target, and fire its event."""
        # If the replies to two simultaneous requests were lost, a command in the list could belong to either.
        async with self._commands.lock(asked.operation.target):
            if if_waiting is not IfWaiting.ADD:
                waiting = await self._async_find_waiting(asked.operation, asked.valid_time)
                if if_waiting is IfWaiting.REPLACE:
                    await self._async_replace(waiting, context)
                elif (same := _latest_if_same(waiting, asked.operation)) is not None:
                    return self._tracker.event_fields(same)
            command = Command(
                id=self._commands.new_id(),
                asked=asked,
                caller=(context.id, context.user_id, context.parent_id),
                asked_at=self._client.now(),
            )
            self._commands.index(command)
            return await self._async_send(command, context)

    async def _async_send(self, command: Command, context: Context) -> dict[str, Any]:
        """Send a command, again if the reply was lost and the device's list lacks it; return the event's fields."""
        lost: OutcomeUnknownError
        for _ in range(_MAX_ATTEMPTS):
            try:
                return await self._async_send_once(command, context)
            except OutcomeUnknownError as err:
                lost = err
            except OneNetError as err:
                self._commands.async_delete(command)
                if isinstance(err, PlatformError):
                    self._tracker.async_publish_rejected(command, err, context)
                raise self.error(err) from err
            if await self._async_find_after_lost_reply(command, lost):
                return self._tracker.event_fields(command)
        self._commands.async_delete(command)
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="not_queued",
            translation_placeholders={ATTR_MESSAGE: str(lost)},
        ) from lost

    async def _async_send_once(self, command: Command, context: Context) -> dict[str, Any]:
        """Save a command, send it, save its UUID, then fire its event; return the event's fields."""
        imei = command.asked.operation.imei
        self._commands.in_flight.add(command.id)
        try:
            await self._commands.async_save_and_wait(command)
            uuid = await self._client.queue(command.asked)
            if (known := self._commands.find(uuid)) is not None:
                if known.asked.operation.imei != imei:
                    raise OutcomeUnknownError(f"The UUID {uuid} is that of another device's command")
                # OneNET merged the command with an equal one.
                self._commands.async_delete(command)
                return self._tracker.event_fields(known)
            # The reply updated the platform's time, which may have been wrong before.
            command.asked_at = self._client.now()
            self._tracker.async_set_queued(command, uuid)
            await self._commands.async_save_and_wait(command)
            fields = self._tracker.event_fields(command)
            self._notify_coordinator(imei, queued=True)
            self._tracker.async_publish("queued", fields, context, command)
        finally:
            self._commands.in_flight.discard(command.id)
        return fields

    async def _async_find_after_lost_reply(self, command: Command, lost: OutcomeUnknownError) -> bool:
        """Return whether a command whose reply was lost is in its device's list.

        Raise HomeAssistantError if that is unknown; later polls retry the search.
        """
        await asyncio.sleep(LOST_PAUSE)
        imei = command.asked.operation.imei
        client = self._client
        try:
            # This request only synchronizes the platform's time, so that the list below does not start after the
            # command was created.
            skew = client.skew
            await client.get_commands(imei, start=client.now() - LIST_MARGIN, per_page=1)
            command.asked_at += client.skew - skew
            records = await client.get_all_commands(imei, start=command.asked_at - LIST_MARGIN)
            self._notify_coordinator(imei, queued=True)
            undecided = await self._tracker.async_match_unconfirmed(imei, records)
        except OneNetError as err:
            self._tracker.async_start_reauth_if_refused(err)
            # The failed request may be about another unconfirmed command.
            if not command.uuid:
                raise self.error(lost) from err
        if command.uuid:
            await self._commands.async_save_and_wait(command)
            return True
        if command.id in undecided or not lost.request_ended:
            raise self.error(lost) from lost
        return False

    async def _async_find_waiting(self, operation: Operation, valid_time: datetime | None = None) -> list[Command]:
        """Return the waiting commands that an operation covers and that are valid no later than this time, or now.

        They are sorted by the time from which they are valid.
        """
        start = valid_time or self._client.now()

        def find() -> list[Command]:
            return [
                command
                for command in self._commands.unfinished(operation.imei)
                if operation.covers(command.asked.operation) and (command.asked.valid_time or start) <= start
            ]

        if find():
            await self.async_request(self._tracker.async_poll(operation.imei))
        # Includes state `sent`: after a failed delivery, OneNET queues the command again.
        return sorted(find(), key=lambda command: command.asked.valid_time or command.asked_at)

    async def _async_replace(self, commands: Sequence[Command], context: Context) -> None:
        """Cancel commands that a new one replaces, unless they are no longer waiting."""
        for command in commands:
            if not command.uuid:
                continue
            try:
                await self._async_cancel(command.uuid, command.asked.operation.imei, context)
            except ServiceValidationError as err:
                # The device may have fetched the command meanwhile.
                if err.translation_key != _NOT_WAITING:
                    raise

    async def _async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a command and fire its event; return the event's fields."""
        if imei is None:
            if (command := self._commands.find(uuid)) is None:
                raise unknown_uuid(uuid)
            imei = command.asked.operation.imei
        detail = await self._async_fetch_cancellable(imei, uuid, CommandState.QUEUED)
        try:
            await self._client.cancel_command(imei, uuid)
        except OneNetError as err:
            # The device may have fetched the command meanwhile, or only the reply may have been lost.
            found = await self._async_fetch_cancellable(imei, uuid, CommandState.QUEUED, CommandState.CANCELLED)
            if found.record.state is CommandState.QUEUED:
                raise self.error(err) from err
        await self._commands.async_wait_for_requests(imei, uuid)
        return self._publish_cancelled(imei, uuid, describe_detail(detail), context)

    async def _async_fetch_cancellable(self, imei: str, uuid: str, *states: CommandState) -> CommandDetail:
        """Return the details of a command in one of these states; raise ServiceValidationError for another state."""
        detail = await self.async_request(self._client.get_command(imei, uuid))
        await self._async_try_match(imei, [detail.record])
        if detail.record.state not in states:
            if (command := self._commands.find(uuid, imei)) is not None:
                self._tracker.async_update(command, detail.record, detail)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=_NOT_WAITING,
                translation_placeholders={ATTR_STATE: detail.record.state},
            )
        return detail

    async def _async_try_match(self, imei: str, records: Sequence[CommandRecord]) -> None:
        """Match a device's unconfirmed commands with records, the newest first, if OneNET returns their details."""
        try:
            await self._tracker.async_match_unconfirmed(imei, records)
        except OneNetError as err:
            self._tracker.async_start_reauth_if_refused(err)

    async def _async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all waiting commands of a device and fire an event for each."""
        waiting = await self._async_fetch_by_state(imei, CommandState.QUEUED)
        await self._async_try_match(imei, list(waiting.values())[::-1])
        error: OneNetError | None = None
        cancelled = CancelledCommands(succeeded=(), failed=())
        try:
            cancelled = await self._client.cancel_commands(imei)
        except OneNetError as err:
            error = err
        if waiting and not cancelled.succeeded:
            # The reply may have been lost, or may not have listed the UUIDs.
            listed = await self._async_fetch_by_state(imei, CommandState.CANCELLED)
            cancelled = replace(cancelled, succeeded=tuple(uuid for uuid in waiting if uuid in listed))
        if error is not None and not cancelled.succeeded:
            raise self.error(error) from error
        events = []
        for uuid in cancelled.succeeded:
            await self._commands.async_wait_for_requests(imei, uuid)
            fields = await self._async_describe_cancelled(imei, uuid, waiting.get(uuid))
            events.append(self._publish_cancelled(imei, uuid, fields, context))
        return self._tracker.origin(imei) | {ATTR_COMMANDS: events, ATTR_FAILED: list(cancelled.failed)}

    async def _async_describe_cancelled(self, imei: str, uuid: str, record: CommandRecord | None) -> dict[str, Any]:
        """Return the fields of a cancelled command that was not queued here, as far as they are known."""
        if self._commands.find(uuid, imei) is None:
            try:
                return describe_detail(await self._client.get_command(imei, uuid))
            except OneNetError:
                # The command is cancelled nevertheless, and its event must be fired.
                if record is not None:
                    return describe_record(record)
        return {ATTR_UUID: uuid}

    async def _async_fetch_by_state(self, imei: str, state: CommandState) -> dict[str, CommandRecord]:
        """Fetch a device's commands in a state, by UUID, the oldest first."""
        commands = await self.async_request(self._client.get_all_commands(imei, start=self._client.now() - HISTORY))
        return {record.uuid: record for record in reversed(commands) if record.state is state}

    def _publish_cancelled(self, imei: str, uuid: str, fields: dict[str, Any], context: Context) -> dict[str, Any]:
        """Publish that a command was cancelled; return the event's fields, `fields` for one not queued here."""
        self._notify_coordinator(imei)
        if (command := self._commands.find(uuid, imei)) is None:
            event_fields = self._tracker.origin(imei) | {name: fields[name] for name in _EVENT_FIELDS if name in fields}
            self._tracker.async_publish("cancelled", event_fields, context)
            return event_fields
        if command.can_become(CommandState.CANCELLED):
            self._tracker.async_set_state(command, CommandState.CANCELLED, context)
        return self._tracker.event_fields(command)


def _latest_if_same(waiting: Sequence[Command], operation: Operation) -> Command | None:
    """Return the latest confirmed command with the same operation, None if a later command has another operation.

    Commands without a UUID are not returned, since OneNET may not have them; but one with another operation ends the
    search.
    """
    for command in reversed(waiting):
        if command.asked.operation.identity != operation.identity:
            return None
        if command.uuid:
            return command
    return None


def _log_failure(task: asyncio.Task[Any]) -> None:
    """Log the error of a task whose caller was cancelled."""
    if not task.cancelled() and (err := task.exception()) is not None:
        # A HomeAssistantError is logged without a traceback.
        trace = None if isinstance(err, HomeAssistantError) else err
        LOGGER.warning("A command failed after its caller was cancelled: %s", err, exc_info=trace)
