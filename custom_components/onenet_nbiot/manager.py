"""The command manager of an account: queue, poll, cancel and store its commands, and fire their events."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable, Iterator, KeysView, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from weakref import WeakValueDictionary

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID, ATTR_STATE
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.json import json_bytes
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.signal_type import SignalType, SignalTypeFormat

from .command import (
    VALUES_TOO_LARGE,
    Command,
    describe_detail,
    describe_log,
    describe_record,
    describe_values,
)
from .const import (
    ATTR_COMMAND,
    ATTR_COMMANDS,
    ATTR_EXPIRED_TIME,
    ATTR_FAILED,
    ATTR_IMEI,
    ATTR_LOG,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_RES_ID,
    ATTR_TYPE,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUES,
    ATTR_VALUES_OMITTED,
    DOMAIN,
    EVENT_ONENET,
    LOGGER,
)
from .devices import Devices
from .exceptions import action_error, unknown_uuid
from .onenet.client import OneNetClient
from .onenet.clock import same_second
from .onenet.errors import ErrorKind, OneNetError, OutcomeUnknownError, PlatformError, UnexpectedReplyError
from .onenet.models import (
    HISTORY,
    CancelledCommands,
    CommandDetail,
    CommandRecord,
    CommandState,
)
from .onenet.operations import CachedCommand, Operation, Read
from .store import AFTER_CALL, BEFORE_CALL, CommandStore, async_get_store

# The fields of every event; the action get_command returns the other fields of a command.
_EVENT_FIELDS = {
    ATTR_CONFIG_ENTRY_ID,
    ATTR_COMMAND,
    ATTR_DEVICE_ID,
    ATTR_IMEI,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_EXPIRED_TIME,
}
# A new state of a command: the event type without `command_`, the event's fields, and the context.
SIGNAL_COMMAND_STATE: SignalTypeFormat[str, dict[str, Any], Context] = SignalTypeFormat(f"{DOMAIN}_command_state_{{}}")

FINISHED_MAX_AGE = timedelta(days=7)
FINISHED_MAX_COUNT = 1000
# Seconds after a lost reply until the device's list is fetched: OneNET needs time to add a command to it.
LOST_PAUSE = 1.0
_MAX_ATTEMPTS = 2
# The platform's time comes from the header of a reply: it has whole seconds, and the reply took time to arrive.
_CREATE_TIME_TOLERANCE = timedelta(seconds=5)
# Lists start this long before a command was sent, in case the platform's time is not known exactly.
_LIST_MARGIN = timedelta(hours=1)
# An unconfirmed command that is not in the device's list after this time never arrived.
_UNCONFIRMED_MAX_AGE = timedelta(hours=1)
# OneNET may report late that a command has expired, or report the device's last reply late.
_EXPIRY_GRACE = timedelta(minutes=10)
# After this many failed requests for its values, a successful read is published without them.
_VALUES_MAX_ATTEMPTS = 5
_NOT_WAITING = "not_waiting"
# The recorder drops the data of an event of more than 32,768 bytes; this leaves room for its type.
_MAX_EVENT_SIZE = 32_000


class IfWaiting(StrEnum):
    """Choose what to do if a command for the same target is already waiting."""

    ADD = "add"
    KEEP = "keep"
    REPLACE = "replace"


class CommandManager:
    """Queue, look up, poll and cancel an account's commands, and fire one event for each new state.

    A manager outlives reloads of the config entry, so that a call which is in flight during a reload still finds its
    command.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], store: CommandStore, client: OneNetClient) -> None:
        """Create a manager without commands; a reload replaces the client."""
        self.client = client
        self.devices = Devices(hass, entry, store)
        self.signal = SIGNAL_COMMAND_STATE.format(entry.entry_id)
        self._hass = hass
        self._entry = entry
        self._store = store
        # All commands with a UUID, by UUID; the finished ones of these, in the order in which they finished; and the
        # unfinished commands, with or without a UUID, by IMEI and id.
        self._commands: dict[str, Command] = {}
        self._finished: dict[str, Command] = {}
        self._open: dict[str, dict[int, Command]] = {}
        # Ids of commands whose request is in flight, or whose event `command_queued` is not fired yet.
        self._in_flight: set[int] = set()
        self._target_locks: WeakValueDictionary[tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()
        self._done_futures: dict[str, asyncio.Future[None]] = {}
        self._value_failures: Counter[int] = Counter()
        self._removed = False

    async def async_load(self) -> None:
        """Load the stored devices and commands."""
        await self.devices.async_load()
        commands = await self._hass.async_add_executor_job(self._read_rows)
        for command in sorted(commands, key=lambda command: command.over_at or command.asked_at):
            self._index(command)

    def _read_rows(self) -> list[Command]:
        """Read the stored commands; log and skip unreadable rows."""
        commands = []
        unknown: set[str] = set()
        for command_id, row in self._store.load_commands(self.entry_id):
            try:
                commands.append(Command.from_row(row, unknown))
            except (LookupError, TypeError, ValueError) as err:
                LOGGER.error("The kept command %s cannot be read: %r", command_id, err)
        if unknown:
            LOGGER.info("In the rows of commands, fields of later versions are ignored: %s", sorted(unknown))
        return commands

    @property
    def entry_id(self) -> str:
        """Return the id of the account's config entry."""
        return self._entry.entry_id

    @property
    def imeis(self) -> KeysView[str]:
        """Return the IMEIs of the devices with unfinished commands."""
        return self._open.keys()

    @property
    def finished(self) -> Iterable[Command]:
        """Return the stored finished commands in the order in which they finished."""
        return self._finished.values()

    @property
    def waiting(self) -> int:
        """Return the number of unfinished commands with a UUID."""
        return len(self._commands) - len(self._finished)

    def waiting_for(self, imei: str) -> int:
        """Return the number of a device's unfinished commands with a UUID."""
        return sum(1 for command in self._open.get(imei, {}).values() if command.uuid)

    def signal_for(self, imei: str) -> SignalType[str, dict[str, Any], Context]:
        """Return the dispatcher signal for new states of a device's commands."""
        return SIGNAL_COMMAND_STATE.format(f"{self.entry_id}_{imei}")

    def origin(self, imei: str) -> dict[str, Any]:
        """Return the fields that identify a device in events and responses."""
        origin = {ATTR_CONFIG_ENTRY_ID: self.entry_id, ATTR_IMEI: imei}
        device_id = self.devices.device_id(imei)
        return origin if device_id is None else origin | {ATTR_DEVICE_ID: device_id}

    def _event_fields(self, command: Command) -> dict[str, Any]:
        """Return the fields of every event of a command."""
        return self.origin(command.asked.operation.imei) | command.event_fields()

    def _all_fields(self, command: Command) -> dict[str, Any]:
        """Return all known fields of a command."""
        return self.origin(command.asked.operation.imei) | command.all_fields()

    def next_change(self, imei: str, since: datetime) -> datetime | None:
        """Return the first time after `since` when one of a device's commands becomes valid, expires, or is overdue."""
        times = (
            moment
            for command in self._open.get(imei, {}).values()
            for moment in (
                command.asked.valid_time,
                command.asked.expired_time,
                command.asked.expired_time + _EXPIRY_GRACE,
            )
            if moment is not None and moment > since
        )
        return min(times, default=None)

    def find(self, uuid: str, imei: str | None = None) -> Command | None:
        """Return a command that was queued here, None for another UUID or another device."""
        command = self._commands.get(uuid)
        return command if command is not None and imei in (None, command.asked.operation.imei) else None

    def summary(self) -> dict[str, Any]:
        """Return counts for the diagnostics."""
        return {
            "commands": Counter(command.state for command in self._commands.values()),
            "lost": sum(1 for _ in self._unconfirmed()),
            "devices": len(self._open),
            "write_transactions": self._store.transactions,
        }

    @callback
    def async_remove(self) -> None:
        """Delete the commands and devices of an account that was removed."""
        self._removed = True
        self.devices.async_remove()
        self._store.async_delete_account(self.entry_id)
        for done in self._done_futures.values():
            done.set_result(None)
        self._done_futures.clear()

    async def async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command, fire its event, and return the event's fields.

        Raise HomeAssistantError if OneNET refused the command, or if it is unknown whether the command was queued.
        """
        return await self._async_run_detached(self._async_queue(asked, if_waiting, context))

    async def async_get(self, uuid: str, imei: str | None, *, include_log: bool) -> dict[str, Any]:
        """Return the fields of a command; one that was not queued here requires `imei`."""
        if (command := self.find(uuid, imei)) is not None:
            imei = command.asked.operation.imei
            fields = await self._async_fetch_fields(command)
        elif imei is not None:
            detail = await self.async_request(self.client.get_command(imei, uuid))
            fields = self.origin(imei) | describe_detail(detail)
        else:
            raise unknown_uuid(uuid)
        if include_log:
            fields[ATTR_LOG] = describe_log(await self.async_request(self.client.get_command_log(imei, uuid)))
        return fields

    async def async_list(self, imei: str, since: datetime, states: set[CommandState]) -> dict[str, Any]:
        """Return a device's commands in these states that were created since then, the newest first."""
        records = await self.async_request(self.client.get_all_commands(imei, start=since))
        commands = [self._describe_listed(imei, record) for record in records]
        return self.origin(imei) | {ATTR_COMMANDS: [command for command in commands if command[ATTR_STATE] in states]}

    def _describe_listed(self, imei: str, record: CommandRecord) -> dict[str, Any]:
        """Return the fields of a command in a device's list."""
        listed = describe_record(record)
        if (command := self.find(record.uuid, imei)) is None:
            return listed
        known = self._all_fields(command)
        # A finished command keeps its state; and OneNET returns the times with a fraction of a second added.
        times = {name: known[name] for name in (ATTR_VALID_TIME, ATTR_EXPIRED_TIME) if name in known}
        return listed | known if command.is_finished else known | listed | times

    @callback
    def async_list_local(self, since: datetime | None, states: set[CommandState]) -> dict[str, Any]:
        """Return the stored commands in these states that were queued here since then, the newest first."""
        commands = [
            command
            for command in (*self._commands.values(), *self._unconfirmed())
            if command.state in states and (since is None or command.asked_at >= since)
        ]
        commands.sort(key=lambda command: (command.asked_at, command.id), reverse=True)
        return {
            ATTR_CONFIG_ENTRY_ID: self.entry_id,
            ATTR_COMMANDS: [self._all_fields(command) for command in commands],
        }

    async def async_wait(self, uuid: str, seconds: float) -> dict[str, Any]:
        """Wait until a command that was queued here is finished, at most so many seconds, and return its fields."""
        if (command := self.find(uuid)) is None:
            raise unknown_uuid(uuid)
        if not command.is_finished:
            if uuid not in self._done_futures:
                self._done_futures[uuid] = self._hass.loop.create_future()
            await asyncio.wait((self._done_futures[uuid],), timeout=seconds)
        # OneNET may know a newer state than the last poll.
        return await self._async_fetch_fields(command)

    async def async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a waiting command, fire its event, and return the event's fields."""
        return await self._async_run_detached(self._async_cancel(uuid, imei, context))

    async def async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all waiting commands of a device, fire their events, and return the fields of each event."""
        return await self._async_run_detached(self._async_cancel_all(imei, context))

    def error(self, err: OneNetError, client: OneNetClient) -> HomeAssistantError:
        """Return the exception of an action, and start reauthentication if OneNET refused the key."""
        self._start_reauth_if_refused(err, client)
        return action_error(err)

    async def async_request[T](self, call: Awaitable[T]) -> T:
        """Make a call to OneNET; raise HomeAssistantError."""
        client = self.client
        try:
            return await call
        except OneNetError as err:
            raise self.error(err, client) from err

    async def async_poll_device(self, imei: str) -> None:
        """Poll a device's commands and fire the events of new states; raise OneNetError."""
        if (failure := await self._async_poll(imei)) is not None:
            raise failure

    async def _async_run_detached(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Run work to its end and return its result, even if the caller is cancelled, as a restarted automation is."""
        # A task of Home Assistant, not of the entry: a reload does not wait for it.
        task = self._hass.async_create_task(work, "OneNET command")
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise
        return task.result()

    def _start_reauth_if_refused(self, err: OneNetError, client: OneNetClient) -> None:
        """Start reauthentication if OneNET refused the key of the current client."""
        # A call that started before a reload used the former key.
        if err.kind is ErrorKind.AUTHENTICATION and client is self.client and not self._removed:
            self._entry.async_start_reauth(self._hass)

    def _unconfirmed(self) -> Iterator[Command]:
        """Yield the commands without a UUID: it is unknown whether OneNET has them."""
        return (command for commands in self._open.values() for command in commands.values() if not command.uuid)

    def _index(self, command: Command) -> None:
        """Add a command to the indexes."""
        if command.uuid:
            self._commands[command.uuid] = command
            if command.is_finished:
                self._finished[command.uuid] = command
        if not command.is_finished:
            self._open.setdefault(command.asked.operation.imei, {})[command.id] = command

    def _unindex(self, command: Command) -> None:
        """Remove a command from the unfinished ones."""
        commands = self._open.get(command.asked.operation.imei, {})
        commands.pop(command.id, None)
        if not commands:
            self._open.pop(command.asked.operation.imei, None)

    def _save(self, command: Command) -> None:
        """Save a command with the next transaction."""
        if not self._removed:
            self._store.async_save_command(self.entry_id, command.id, command)

    async def _async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command after pending requests for the same target, and fire its event."""
        # If the replies to two simultaneous requests were lost, a command in the list could belong to either.
        target = asked.operation.target
        if (lock := self._target_locks.get(target)) is None:
            lock = self._target_locks[target] = asyncio.Lock()
        async with lock:
            if if_waiting is not IfWaiting.ADD:
                waiting = await self._async_find_waiting(asked)
                if if_waiting is IfWaiting.REPLACE:
                    for command in waiting:
                        if command.uuid:
                            await self._async_replace(command, context)
                elif (same := _latest_if_same(waiting, asked.operation)) is not None:
                    return self._event_fields(same)
            command = Command(
                id=self._store.new_id(),
                asked=asked,
                caller=(context.id, context.user_id, context.parent_id),
                asked_at=self.client.now(),
            )
            self._index(command)
            return await self._async_send(command, context)

    async def _async_send(self, command: Command, context: Context) -> dict[str, Any]:
        """Send a command, again if the reply was lost and the device's list lacks it; return the event's fields."""
        client = self.client
        lost: OutcomeUnknownError
        for _ in range(_MAX_ATTEMPTS):
            try:
                return await self._async_send_once(client, command, context)
            except OutcomeUnknownError as err:
                lost = err
            except OneNetError as err:
                self._delete(command)
                if isinstance(err, PlatformError):
                    reason = {ATTR_REASON: err.reason, ATTR_MESSAGE: str(err)}
                    self._fire_event("rejected", self._event_fields(command) | reason, context)
                raise self.error(err, client) from err
            if await self._async_find_after_lost_reply(client, command, lost):
                return self._event_fields(command)
        self._delete(command)
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="not_queued",
            translation_placeholders={ATTR_MESSAGE: str(lost)},
        ) from lost

    async def _async_send_once(self, client: OneNetClient, command: Command, context: Context) -> dict[str, Any]:
        """Save a command, send it, save its UUID, then fire its event; return the event's fields."""
        self._in_flight.add(command.id)
        try:
            await self._async_save_and_wait(command, BEFORE_CALL)
            self._store.calls_in_flight += 1
            try:
                uuid = await client.queue(command.asked)
            finally:
                self._store.calls_in_flight -= 1
            if (known := self._commands.get(uuid)) is not None:
                if known.asked.operation.imei != command.asked.operation.imei:
                    raise UnexpectedReplyError(f"The UUID {uuid} is that of another device's command")
                # OneNET merged the command with an equal one.
                self._delete(command)
                return self._event_fields(known)
            # The reply updated the platform's time, which may have been wrong before.
            command.asked_at = client.now()
            self._mark_queued(command, uuid)
            await self._async_save_and_wait(command, AFTER_CALL)
            fields = self._event_fields(command)
            self._fire_event("queued", fields, context)
        finally:
            self._in_flight.discard(command.id)
        return fields

    async def _async_find_after_lost_reply(
        self, client: OneNetClient, command: Command, lost: OutcomeUnknownError
    ) -> bool:
        """Return whether a command whose reply was lost is in its device's list.

        Raise HomeAssistantError if that is unknown; later polls retry the search.
        """
        await asyncio.sleep(LOST_PAUSE)
        imei = command.asked.operation.imei
        try:
            # The list must not start after the command: a first reply corrects the platform's time.
            skew = client.skew
            await client.get_commands(imei, start=client.now() - _LIST_MARGIN, per_page=1)
            command.asked_at += client.skew - skew
            records = await client.get_all_commands(imei, start=command.asked_at - _LIST_MARGIN)
            undecided = await self._async_match_unconfirmed(imei, records)
        except OneNetError as err:
            self._start_reauth_if_refused(err, client)
            # The failed request may be about another unconfirmed command.
            if not command.uuid:
                raise self.error(lost, client) from err
        if command.uuid:
            await self._async_save_and_wait(command, AFTER_CALL)
            return True
        if command.id in undecided or not lost.request_ended:
            raise self.error(lost, client) from lost
        return False

    async def _async_poll(self, imei: str) -> OneNetError | None:
        """Poll a device's list and fire the events of new states; return the error of a failed request for details."""
        if not (commands := self._open.get(imei)):
            return None
        now = self.client.now()
        since = min(now, *(command.asked_at for command in commands.values())) - _LIST_MARGIN
        try:
            records = await self.client.get_all_commands(imei, start=max(since, now - HISTORY))
        except PlatformError as err:
            # The commands of a device that OneNET no longer knows expire nevertheless.
            if err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide:
                self._expire_overdue(imei, undecided=set(commands))
            raise
        undecided = await self._async_match_unconfirmed(imei, records)
        failure = await self._async_apply_records(imei, records)
        # A successful read whose values are not fetched yet must not expire.
        if failure is None:
            self._expire_overdue(imei, undecided)
        return failure

    async def _async_match_unconfirmed(self, imei: str, records: Sequence[CommandRecord]) -> set[int]:
        """Match a device's unconfirmed commands with records, and fire the events of those that are found.

        Return the ids of the commands for which it stays undecided.
        """
        undecided = set()
        for command in [command for command in self._open.get(imei, {}).values() if not command.uuid]:
            for record in reversed(records):
                if not self._could_match(command, record):
                    continue
                try:
                    detail = await self.client.get_command(imei, record.uuid)
                except OneNetError as err:
                    if err.is_account_wide:
                        raise
                    undecided.add(command.id)
                    continue
                # A simultaneous poll may have matched it first.
                if not self._could_match(command, record) or not detail.could_match(command.asked.operation):
                    continue
                early = (
                    record.create_time is not None and record.create_time < command.asked_at - _CREATE_TIME_TOLERANCE
                )
                if early or detail.contradicts(command.asked.operation):
                    # The record is another client's command for the same target, or a clock is wrong.
                    undecided.add(command.id)
                    continue
                self._mark_queued(command, record.uuid)
                self._save(command)
                self._fire_event("queued", self._event_fields(command), command.context)
        return undecided

    def _could_match(self, command: Command, record: CommandRecord) -> bool:
        """Return whether an unconfirmed command may be this record of its device's list."""
        operation = command.asked.operation
        return (
            not command.uuid
            # It may have been deleted meanwhile.
            and command.id in self._open.get(operation.imei, {})
            and record.uuid not in self._commands
            and record.command in ("", operation.command)
            and (record.expired_time is None or same_second(record.expired_time, command.asked.expired_time))
            # The record may belong to another command whose reply is pending.
            and not any(
                other.id in self._in_flight and other.asked.operation.target == operation.target
                for other in self._open[operation.imei].values()
            )
        )

    async def _async_apply_records(self, imei: str, records: Iterable[CommandRecord]) -> OneNetError | None:
        """Update a device's commands from records; return the error of a failed request for details."""
        failure: OneNetError | None = None
        for record in records:
            command = self.find(record.uuid, imei)
            if command is None or command.is_finished:
                continue
            is_read = record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read)
            # The list may lack the device's reply, which the details include.
            if not is_read and not record.lacks_confirm_status:
                self._update_from_record(command, record)
                continue
            try:
                detail = await self.client.get_command(imei, record.uuid)
            except OneNetError as err:
                if err.is_account_wide:
                    raise
                if err.kind is ErrorKind.TRANSIENT:
                    failure = err
                    continue
                if not is_read:
                    # Without its reply, the command is only known to be sent.
                    self._update_from_record(command, record)
                    continue
                failure = err
                self._value_failures[command.id] += 1
                if self._value_failures[command.id] >= _VALUES_MAX_ATTEMPTS:
                    LOGGER.warning("The values that command %s has read cannot be fetched: %s", record.uuid, err)
                    self._update_from_record(command, record)
            else:
                self._update_from_record(command, detail.record, detail)
        return failure

    def _update_from_record(self, command: Command, record: CommandRecord, detail: CommandDetail | None = None) -> None:
        """Update and save a command, and fire an event if its state advances."""
        # A reply may arrive after a newer one; and no other event may come before `command_queued`.
        if command.is_finished or command.id in self._in_flight:
            return
        known = command.remain, command.send_time, command.confirm_time
        new = command.remain, command.send_time, command.confirm_time = (
            record.remain,
            record.send_time,
            record.confirm_time,
        )
        if command.can_become(record.state):
            command.state = record.state
            command.reason, command.message = record.reason, record.message
            if detail is not None and command.has_values:
                self._set_values(command, detail)
            self._publish_state(command, command.context)
        elif new != known:
            self._save(command)

    def _set_values(self, command: Command, detail: CommandDetail) -> None:
        """Set the values of a successful read, or its result if the values cannot be parsed."""
        command.unreadable = detail.unreadable
        if detail.unreadable is None:
            command.values = describe_values(detail.values, command.asked.operation.obj_id)
        else:
            LOGGER.warning(
                "The result of command %s cannot be read; the action Get command returns it as it is", command.uuid
            )

    def _expire_overdue(self, imei: str, undecided: set[int]) -> None:
        """Expire a device's overdue commands, and delete unconfirmed ones that never arrived."""
        now = self.client.now()
        for command in list(self._open.get(imei, {}).values()):
            if command.id in self._in_flight:
                continue
            expired = command.asked.expired_time + _EXPIRY_GRACE < now
            if not command.uuid:
                if expired or (command.asked_at + _UNCONFIRMED_MAX_AGE < now and command.id not in undecided):
                    self._delete(command)
            elif expired:
                command.state = CommandState.EXPIRED
                self._publish_state(command, command.context)

    def _mark_queued(self, command: Command, uuid: str) -> None:
        """Set the UUID that OneNET gave a command, and its state."""
        command.uuid, command.state = uuid, CommandState.QUEUED
        self._commands[uuid] = command

    def _delete(self, command: Command) -> None:
        """Delete a command that OneNET does not have."""
        self._unindex(command)
        self._store.async_delete_command(command.id)

    def _publish_state(self, command: Command, context: Context) -> None:
        """Save a command in its new state and fire the event."""
        if command.is_finished:
            command.over_at = self.client.now()
            self._unindex(command)
            self._finished[command.uuid] = command
            del self._value_failures[command.id]
        self._save(command)
        fields = self._event_fields(command) | command.outcome_fields()
        self._fire_event(command.state.value, fields, context)
        if command.is_finished:
            if (done := self._done_futures.pop(command.uuid, None)) is not None:
                done.set_result(None)
            self.prune()

    def prune(self) -> None:
        """Delete the oldest finished commands beyond the maximum age or number."""
        oldest = self.client.now() - FINISHED_MAX_AGE
        for uuid, command in list(self._finished.items()):
            if len(self._finished) <= FINISHED_MAX_COUNT and (command.over_at or oldest) > oldest:
                break
            del self._finished[uuid]
            self._commands.pop(uuid, None)
            self._store.async_delete_command(command.id)

    async def _async_save_and_wait(self, command: Command, patience: float) -> None:
        """Save a command, and return when it is on disk."""
        if not self._removed:
            await self._store.async_save_command(self.entry_id, command.id, command, patience=patience)

    async def _async_find_waiting(self, asked: CachedCommand) -> list[Command]:
        """Return the waiting commands for the same target that are valid no later than this one, the latest last."""
        operation = asked.operation
        start = asked.valid_time or self.client.now()

        def find() -> list[Command]:
            return [
                command
                for command in self._open.get(operation.imei, {}).values()
                if command.asked.operation.target == operation.target and (command.asked.valid_time or start) <= start
            ]

        if find():
            await self.async_request(self._async_poll(operation.imei))
        # A command with state `sent` may be waiting again after a failed delivery.
        return sorted(find(), key=lambda command: command.asked.valid_time or command.asked_at)

    async def _async_replace(self, command: Command, context: Context) -> None:
        """Cancel a command that a new one replaces, unless it is no longer waiting."""
        try:
            await self._async_cancel(command.uuid, command.asked.operation.imei, context)
        except ServiceValidationError as err:
            # The device may have fetched the command meanwhile.
            if err.translation_key != _NOT_WAITING:
                raise

    async def _async_fetch_fields(self, command: Command) -> dict[str, Any]:
        """Return the fields of a command that was queued here, updated from OneNET if possible."""
        if not command.is_finished:
            client = self.client
            try:
                detail = await client.get_command(command.asked.operation.imei, command.uuid)
            except OneNetError as err:
                self._start_reauth_if_refused(err, client)
            else:
                self._update_from_record(command, detail.record, detail)
        return self._all_fields(command)

    async def _async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a command and fire its event; return the event's fields."""
        if imei is None:
            if (command := self.find(uuid)) is None:
                raise unknown_uuid(uuid)
            imei = command.asked.operation.imei
        client = self.client
        detail = await self._async_fetch_cancellable(imei, uuid, CommandState.QUEUED)
        try:
            await client.cancel_command(imei, uuid)
        except OneNetError as err:
            # The device may have fetched the command meanwhile, or only the reply may have been lost.
            found = await self._async_fetch_cancellable(imei, uuid, CommandState.QUEUED, CommandState.CANCELLED)
            if found.record.state is CommandState.QUEUED:
                raise self.error(err, client) from err
        await self._async_wait_for_pending_requests(imei, uuid)
        return self._publish_cancelled(uuid, self.origin(imei) | describe_detail(detail), context)

    async def _async_fetch_cancellable(self, imei: str, uuid: str, *states: CommandState) -> CommandDetail:
        """Return the details of a command in one of these states; raise ServiceValidationError for another state."""
        detail = await self.async_request(self.client.get_command(imei, uuid))
        with suppress(OneNetError):
            await self._async_match_unconfirmed(imei, [detail.record])
        if detail.record.state not in states:
            if (command := self.find(uuid, imei)) is not None:
                self._update_from_record(command, detail.record, detail)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=_NOT_WAITING,
                translation_placeholders={ATTR_STATE: detail.record.state},
            )
        return detail

    async def _async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all waiting commands of a device and fire an event for each."""
        client = self.client
        waiting = await self._async_fetch_by_state(imei, CommandState.QUEUED)
        with suppress(OneNetError):
            await self._async_match_unconfirmed(imei, list(waiting.values())[::-1])
        error: OneNetError | None = None
        cancelled = CancelledCommands(succeeded=(), failed=())
        try:
            cancelled = await client.cancel_commands(imei)
        except OneNetError as err:
            error = err
        if waiting and not cancelled.succeeded:
            # The reply may have been lost, or may not have listed the UUIDs.
            listed = await self._async_fetch_by_state(imei, CommandState.CANCELLED)
            cancelled = replace(cancelled, succeeded=tuple(uuid for uuid in waiting if uuid in listed))
        if error is not None and not cancelled.succeeded:
            raise self.error(error, client) from error
        events = []
        for uuid in cancelled.succeeded:
            fields = self.origin(imei) | {ATTR_UUID: uuid}
            await self._async_wait_for_pending_requests(imei, uuid)
            if self.find(uuid, imei) is None:
                try:
                    fields |= describe_detail(await client.get_command(imei, uuid))
                except OneNetError:
                    # The command is cancelled nevertheless, and its event must be fired.
                    fields |= describe_record(waiting[uuid]) if uuid in waiting else {}
            events.append(self._publish_cancelled(uuid, fields, context))
        return self.origin(imei) | {ATTR_COMMANDS: events, ATTR_FAILED: list(cancelled.failed)}

    async def _async_fetch_by_state(self, imei: str, state: CommandState) -> dict[str, CommandRecord]:
        """Fetch a device's commands in a state, by UUID, the oldest first."""
        commands = await self.async_request(self.client.get_all_commands(imei, start=self.client.now() - HISTORY))
        return {record.uuid: record for record in reversed(commands) if record.state is state}

    async def _async_wait_for_pending_requests(self, imei: str, uuid: str) -> None:
        """Wait for a device's pending requests, one of which may still have to fire `command_queued` for this UUID."""
        for target, lock in list(self._target_locks.items()):
            command = self.find(uuid, imei)
            if target[0] == imei and (command is None or command.id in self._in_flight):
                async with lock:
                    pass

    def _publish_cancelled(self, uuid: str, fields: dict[str, Any], context: Context) -> dict[str, Any]:
        """Publish that a command was cancelled, and return the event's fields: `fields` if it was not queued here."""
        if (command := self.find(uuid, fields[ATTR_IMEI])) is None:
            event_fields = {name: value for name, value in fields.items() if name in _EVENT_FIELDS}
            self._fire_event("cancelled", event_fields, context)
            return event_fields
        if command.can_become(CommandState.CANCELLED):
            command.state = CommandState.CANCELLED
            self._publish_state(command, context)
        return self._event_fields(command)

    @callback
    def _fire_event(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Fire the bus event of a command's change, and send the signals to the entities and the coordinator."""
        fields = _limit_size(fields)
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"command_{change}", **fields}, context=context)
        for signal in (self.signal, self.signal_for(fields[ATTR_IMEI])):
            async_dispatcher_send(self._hass, signal, change, fields, context)


def _limit_size(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event, without the values if the recorder would drop an event of that size."""
    if ATTR_VALUES not in fields or len(json_bytes(fields)) <= _MAX_EVENT_SIZE:
        return fields
    return {name: value for name, value in fields.items() if name != ATTR_VALUES} | {
        ATTR_VALUES_OMITTED: VALUES_TOO_LARGE
    }


def _latest_if_same(waiting: Sequence[Command], operation: Operation) -> Command | None:
    """Return the latest waiting command if its operation is the same: of several writes, the latest one takes effect.

    A same command without a UUID is skipped, since OneNET may not have it; a different one without a UUID is not.
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
        # The message of a HomeAssistantError is enough.
        trace = None if isinstance(err, HomeAssistantError) else err
        LOGGER.warning("After its caller had gone, a command failed: %s", err, exc_info=trace)


_MANAGERS: HassKey[dict[str, CommandManager]] = HassKey(f"{DOMAIN}_managers")


def managers(hass: HomeAssistant) -> dict[str, CommandManager]:
    """Return the command managers by config entry id."""
    return hass.data.setdefault(_MANAGERS, {})


async def async_get_manager(hass: HomeAssistant, entry: ConfigEntry[Any], client: OneNetClient) -> CommandManager:
    """Return the command manager of an account, loaded from disk on first use; raise sqlite3.Error."""
    if (manager := managers(hass).get(entry.entry_id)) is None:
        store = async_get_store(hass)
        await store.async_open()
        manager = CommandManager(hass, entry, store, client)
        await manager.async_load()
        managers(hass)[entry.entry_id] = manager
    manager.client = client
    return manager


async def async_remove_manager(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Delete the commands of a removed account; raise sqlite3.Error."""
    if (manager := managers(hass).pop(entry.entry_id, None)) is not None:
        manager.async_remove()
    else:
        store = async_get_store(hass)
        await store.async_open()
        store.async_delete_account(entry.entry_id)
