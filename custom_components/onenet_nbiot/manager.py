"""An account's commands: the one place that keeps them, and says what becomes of them."""

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

# What every event carries; the rest of what is known of a command is asked for by get_command.
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
# What an account's commands have come to: the word after `command_`, the fields, and whose doing it was.
SIGNAL_COMMAND_STATE: SignalTypeFormat[str, dict[str, Any], Context] = SignalTypeFormat(f"{DOMAIN}_command_state_{{}}")

FINISHED_KEPT = timedelta(days=7)
FINISHED_MAX = 1000
# After a lost reply, what arrived has to get into the device's list.
LOST_PAUSE = 1.0
_ATTEMPTS = 2
# The platform's time is known to the second, and learned from a reply that was on its way.
_CREATED_SINCE = timedelta(seconds=5)
# Far enough back for a command of the platform's to be seen, should its time be known badly.
_LISTED_SINCE = timedelta(hours=1)
# What is not in the device's list by then never arrived.
_LOST_FOR = timedelta(hours=1)
# OneNET, which says that a command has expired, may be late with it, or with the device's last answer.
_EXPIRED_FOR = timedelta(minutes=10)
# Then a read has succeeded, though nobody learns what it read.
_VALUES_ATTEMPTS = 5
_NOT_WAITING = "not_waiting"
# The recorder drops the data of an event of more than 32,768 bytes; this leaves room for its type.
_EVENT_MAX = 32_000


class IfWaiting(StrEnum):
    """Name what to do where a command for the same still waits for its device."""

    ADD = "add"
    KEEP = "keep"
    REPLACE = "replace"


class CommandManager:
    """Queue an account's commands, look them up, take them back, and say once what becomes of each.

    There is one for an account as long as Home Assistant runs, whatever becomes of the config entry meanwhile:
    a call that is under way when the entry is reloaded must find its command where it was.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], store: CommandStore, client: OneNetClient) -> None:
        """Start with nothing queued; a reload replaces the client."""
        self.client = client
        self.devices = Devices(hass, entry, store)
        self.signal = SIGNAL_COMMAND_STATE.format(entry.entry_id)
        self._hass = hass
        self._entry = entry
        self._store = store
        # Those with a UUID; of these, those that are over, in this order; and by IMEI and id those that are not.
        self._commands: dict[str, Command] = {}
        self._finished: dict[str, Command] = {}
        self._open: dict[str, dict[int, Command]] = {}
        # Whose answer has not been said yet.
        self._in_flight: set[int] = set()
        self._target_locks: WeakValueDictionary[tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()
        self._done_futures: dict[str, asyncio.Future[None]] = {}
        self._value_failures: Counter[int] = Counter()
        self._removed = False

    async def async_load(self) -> None:
        """Take up what was kept."""
        await self.devices.async_load()
        commands = await self._hass.async_add_executor_job(self._read)
        for command in sorted(commands, key=lambda command: command.over_at or command.asked_at):
            self._index(command)

    def _read(self) -> list[Command]:
        """Read what was kept."""
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
        """Return the IMEIs of the devices that have commands of which something may become."""
        return self._open.keys()

    @property
    def finished(self) -> Iterable[Command]:
        """Return the commands that are over and kept, in this order."""
        return self._finished.values()

    @property
    def waiting(self) -> int:
        """Return how many commands are not over."""
        return len(self._commands) - len(self._finished)

    def waiting_for(self, imei: str) -> int:
        """Return how many commands for a device are not over."""
        return sum(1 for command in self._open.get(imei, {}).values() if command.uuid)

    def signal_for(self, imei: str) -> SignalType[str, dict[str, Any], Context]:
        """Return the signal that tells what a device's commands have come to."""
        return SIGNAL_COMMAND_STATE.format(f"{self.entry_id}_{imei}")

    def origin(self, imei: str) -> dict[str, Any]:
        """Return what everything that is said of a device begins with."""
        origin = {ATTR_CONFIG_ENTRY_ID: self.entry_id, ATTR_IMEI: imei}
        device_id = self.devices.device_id(imei)
        return origin if device_id is None else origin | {ATTR_DEVICE_ID: device_id}

    def _event_fields(self, command: Command) -> dict[str, Any]:
        """Return what every event of a command carries."""
        return self.origin(command.asked.operation.imei) | command.event_fields()

    def _all_fields(self, command: Command) -> dict[str, Any]:
        """Return everything that is known of a command."""
        return self.origin(command.asked.operation.imei) | command.all_fields()

    def next_change(self, imei: str, since: datetime) -> datetime | None:
        """Return when the next of a device's commands starts to count, expires, or is given up."""
        times = (
            moment
            for command in self._open.get(imei, {}).values()
            for moment in (
                command.asked.valid_time,
                command.asked.expired_time,
                command.asked.expired_time + _EXPIRED_FOR,
            )
            if moment is not None and moment > since
        )
        return min(times, default=None)

    def known(self, uuid: str, imei: str | None = None) -> Command | None:
        """Return a command that was queued here, for that device."""
        command = self._commands.get(uuid)
        return command if command is not None and imei in (None, command.asked.operation.imei) else None

    def summary(self) -> dict[str, Any]:
        """Return how much there is, for somebody who looks for a fault."""
        return {
            "commands": Counter(command.state for command in self._commands.values()),
            "lost": sum(1 for _ in self._lost()),
            "devices": len(self._open),
            "write_transactions": self._store.transactions,
        }

    @callback
    def async_remove(self) -> None:
        """Forget everything: the account is no longer."""
        self._removed = True
        self.devices.async_remove()
        self._store.async_delete_account(self.entry_id)
        for end in self._done_futures.values():
            end.set_result(None)
        self._done_futures.clear()

    async def async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command, say so, and return what was said.

        Raise HomeAssistantError when OneNET refused it, or when it is not known whether it was queued.
        """
        return await self._async_run_detached(self._async_queue(asked, if_waiting, context))

    async def async_get(self, uuid: str, imei: str | None, *, include_log: bool) -> dict[str, Any]:
        """Return what is known of a command; of one that was not queued here, if `imei` tells its device."""
        if (command := self.known(uuid, imei)) is not None:
            imei = command.asked.operation.imei
            fields = await self._async_know(command)
        elif imei is not None:
            detail = await self.async_ask(self.client.get_command(imei, uuid))
            fields = self.origin(imei) | describe_detail(detail)
        else:
            raise unknown_uuid(uuid)
        if include_log:
            fields[ATTR_LOG] = describe_log(await self.async_ask(self.client.get_command_log(imei, uuid)))
        return fields

    async def async_list(self, imei: str, since: datetime, states: set[CommandState]) -> dict[str, Any]:
        """Return a device's commands in these states that were created since then, the newest first."""
        records = await self.async_ask(self.client.get_all_commands(imei, start=since))
        commands = [self._describe(imei, record) for record in records]
        return self.origin(imei) | {ATTR_COMMANDS: [command for command in commands if command[ATTR_STATE] in states]}

    def _describe(self, imei: str, record: CommandRecord) -> dict[str, Any]:
        """Return what is known of a command in a device's list."""
        told = describe_record(record)
        if (command := self.known(record.uuid, imei)) is None:
            return told
        known = self._all_fields(command)
        # What was said to be over stays over; and OneNET adds a fraction of a second to the times that it was given.
        times = {name: known[name] for name in (ATTR_VALID_TIME, ATTR_EXPIRED_TIME) if name in known}
        return told | known if command.is_over else known | told | times

    @callback
    def async_list_known(self, since: datetime | None, states: set[CommandState]) -> dict[str, Any]:
        """Return all commands in these states that were queued here since then and are kept, the newest first."""
        commands = [
            command
            for command in (*self._commands.values(), *self._lost())
            if command.state in states and (since is None or command.asked_at >= since)
        ]
        commands.sort(key=lambda command: (command.asked_at, command.id), reverse=True)
        return {
            ATTR_CONFIG_ENTRY_ID: self.entry_id,
            ATTR_COMMANDS: [self._all_fields(command) for command in commands],
        }

    async def async_wait(self, uuid: str, seconds: float) -> dict[str, Any]:
        """Return what is known of a command that was queued here when it is over, or when the time is."""
        if (command := self.known(uuid)) is None:
            raise unknown_uuid(uuid)
        if not command.is_over:
            if uuid not in self._done_futures:
                self._done_futures[uuid] = self._hass.loop.create_future()
            await asyncio.wait((self._done_futures[uuid],), timeout=seconds)
        # What happened since the last poll is not known here yet.
        return await self._async_know(command)

    async def async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a command that waits, say so, and return what was said."""
        return await self._async_run_detached(self._async_cancel(uuid, imei, context))

    async def async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all of a device's commands that wait, say so, and return what was said."""
        return await self._async_run_detached(self._async_cancel_all(imei, context))

    def error(self, err: OneNetError, client: OneNetClient) -> HomeAssistantError:
        """Return what an action raises, and ask for a new key where that is what it takes."""
        self._check_key(err, client)
        return action_error(err)

    async def async_ask[T](self, call: Awaitable[T]) -> T:
        """Make a call that changes nothing here; raise HomeAssistantError."""
        client = self.client
        try:
            return await call
        except OneNetError as err:
            raise self.error(err, client) from err

    async def async_poll_device(self, imei: str) -> None:
        """Ask OneNET what has become of a device's commands, and say it; raise OneNetError."""
        if (trouble := await self._async_read(imei)) is not None:
            raise trouble

    async def _async_run_detached(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Do something that must be heard of, even if the caller does not wait for its end.

        A caller that is cancelled, such as a restarted automation, takes nothing back.
        """
        # Not a task of the entry's: a reload need not wait for it.
        task = self._hass.async_create_task(work, "OneNET command")
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            task.add_done_callback(_log_trouble)
            raise
        return task.result()

    def _check_key(self, err: OneNetError, client: OneNetClient) -> None:
        """Ask for a new key where that is what an error takes."""
        # A call that outlives a reload says nothing of the key that the account has now.
        if err.kind is ErrorKind.AUTHENTICATION and client is self.client and not self._removed:
            self._entry.async_start_reauth(self._hass)

    def _lost(self) -> Iterator[Command]:
        """Yield the commands of which nobody knows whether OneNET has them."""
        return (command for commands in self._open.values() for command in commands.values() if not command.uuid)

    def _index(self, command: Command) -> None:
        """Put a command where it is looked for."""
        if command.uuid:
            self._commands[command.uuid] = command
            if command.is_over:
                self._finished[command.uuid] = command
        if not command.is_over:
            self._open.setdefault(command.asked.operation.imei, {})[command.id] = command

    def _unindex(self, command: Command) -> None:
        """Take a command from those of which something may become."""
        commands = self._open.get(command.asked.operation.imei, {})
        commands.pop(command.id, None)
        if not commands:
            self._open.pop(command.asked.operation.imei, None)

    def _save(self, command: Command) -> None:
        """Keep a command."""
        if not self._removed:
            self._store.async_save_command(self.entry_id, command.id, command)

    async def _async_queue(self, asked: CachedCommand, if_waiting: IfWaiting, context: Context) -> dict[str, Any]:
        """Queue a command, after those for the same that are under way, and say what OneNET answered."""
        # Should both their replies be lost, nobody could tell whose is the one command in the list.
        target = asked.operation.target
        if (turn := self._target_locks.get(target)) is None:
            turn = self._target_locks[target] = asyncio.Lock()
        async with turn:
            if if_waiting is not IfWaiting.ADD:
                waiting = await self._async_waiting(asked)
                if if_waiting is IfWaiting.REPLACE:
                    for command in waiting:
                        if command.uuid:
                            await self._async_replace(command, context)
                elif (kept := _last_word(waiting, asked.operation)) is not None:
                    return self._event_fields(kept)
            command = Command(
                id=self._store.new_id(),
                asked=asked,
                caller=(context.id, context.user_id, context.parent_id),
                asked_at=self.client.now(),
            )
            self._index(command)
            return await self._async_send(command, context)

    async def _async_send(self, command: Command, context: Context) -> dict[str, Any]:
        """Send a command until OneNET has it, or has not for certain; return what was said."""
        client = self.client
        lost: OutcomeUnknownError
        for _ in range(_ATTEMPTS):
            try:
                return await self._async_try(client, command, context)
            except OutcomeUnknownError as err:
                lost = err
            except OneNetError as err:
                self._forget(command)
                if isinstance(err, PlatformError):
                    reason = {ATTR_REASON: err.reason, ATTR_MESSAGE: str(err)}
                    self._fire_event("rejected", self._event_fields(command) | reason, context)
                raise self.error(err, client) from err
            if await self._async_find_after_lost_reply(client, command, lost):
                return self._event_fields(command)
        self._forget(command)
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="not_queued",
            translation_placeholders={ATTR_MESSAGE: str(lost)},
        ) from lost

    async def _async_try(self, client: OneNetClient, command: Command, context: Context) -> dict[str, Any]:
        """Send a command, kept before that, and say so when its UUID is kept, too; return what was said."""
        self._in_flight.add(command.id)
        try:
            await self._async_saved(command, BEFORE_CALL)
            self._store.calls_under_way += 1
            try:
                uuid = await client.queue(command.asked)
            finally:
                self._store.calls_under_way -= 1
            if (known := self._commands.get(uuid)) is not None:
                if known.asked.operation.imei != command.asked.operation.imei:
                    raise UnexpectedReplyError(f"The UUID {uuid} is that of another device's command")
                # OneNET takes the one for the other.
                self._forget(command)
                return self._event_fields(known)
            # Its answer has told the time: before, the clock here may have been wrong.
            command.asked_at = client.now()
            self._mark_queued(command, uuid)
            await self._async_saved(command, AFTER_CALL)
            fields = self._event_fields(command)
            self._fire_event("queued", fields, context)
        finally:
            self._in_flight.discard(command.id)
        return fields

    async def _async_find_after_lost_reply(
        self, client: OneNetClient, command: Command, lost: OutcomeUnknownError
    ) -> bool:
        """Return whether a command whose reply was lost is in its device's list.

        Raise HomeAssistantError where nobody can tell; it is looked for again later.
        """
        await asyncio.sleep(LOST_PAUSE)
        imei = command.asked.operation.imei
        try:
            # Whatever the clock here says, an answer tells the time: a list that began too late proves nothing.
            skew = client.skew
            await client.get_commands(imei, start=client.now() - _LISTED_SINCE, per_page=1)
            command.asked_at += client.skew - skew
            records = await client.get_all_commands(imei, start=command.asked_at - _LISTED_SINCE)
            undecided = await self._async_match_unconfirmed(imei, records)
        except OneNetError as err:
            self._check_key(err, client)
            # It may be the details of another lost command's that cannot be had.
            if not command.uuid:
                raise self.error(lost, client) from err
        if command.uuid:
            await self._async_saved(command, AFTER_CALL)
            return True
        if command.id in undecided or not lost.over:
            raise self.error(lost, client) from lost
        return False

    async def _async_read(self, imei: str) -> OneNetError | None:
        """Read a device's list, say what is new, and return why the values of a read could not be had, if so."""
        if not (commands := self._open.get(imei)):
            return None
        now = self.client.now()
        since = min(now, *(command.asked_at for command in commands.values())) - _LISTED_SINCE
        try:
            records = await self.client.get_all_commands(imei, start=max(since, now - HISTORY))
        except PlatformError as err:
            # Such as of a device that is no longer: its commands expire all the same.
            if err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide:
                self._give_up(imei, undecided=set(commands))
            raise
        undecided = await self._async_match_unconfirmed(imei, records)
        trouble = await self._async_apply_records(imei, records)
        # A read whose values are still to be had has not expired.
        if trouble is None:
            self._give_up(imei, undecided)
        return trouble

    async def _async_match_unconfirmed(self, imei: str, records: Sequence[CommandRecord]) -> set[int]:
        """Find a device's commands whose replies were lost among these, and say so; return those that may be there."""
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
                # Another look may have been quicker.
                if not self._could_match(command, record) or not detail.may_ask_for(command.asked.operation):
                    continue
                early = record.create_time is not None and record.create_time < command.asked_at - _CREATED_SINCE
                if early or detail.contradicts(command.asked.operation):
                    # Somebody else asked for the same, or something like it; or one of the clocks is wrong.
                    undecided.add(command.id)
                    continue
                self._mark_queued(command, record.uuid)
                self._save(command)
                self._fire_event("queued", self._event_fields(command), command.context)
        return undecided

    def _could_match(self, command: Command, record: CommandRecord) -> bool:
        """Return whether a command may be that one in its device's list."""
        operation = command.asked.operation
        return (
            not command.uuid
            # Nor given up meanwhile.
            and command.id in self._open.get(operation.imei, {})
            and record.uuid not in self._commands
            and record.command in ("", operation.command)
            and (record.expired_time is None or same_second(record.expired_time, command.asked.expired_time))
            # Nor is it another's, whose answer is on its way.
            and not any(
                other.id in self._in_flight and other.asked.operation.target == operation.target
                for other in self._open[operation.imei].values()
            )
        )

    async def _async_apply_records(self, imei: str, records: Iterable[CommandRecord]) -> OneNetError | None:
        """Say what is new of a device's commands; return why the values of a read could not be had, if so."""
        trouble: OneNetError | None = None
        for record in records:
            command = self.known(record.uuid, imei)
            if command is None or command.is_over:
                continue
            is_read = record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read)
            # A list may lack the device's answer that the details have.
            if not is_read and not record.lacks_answer:
                self._update_from_record(command, record)
                continue
            try:
                detail = await self.client.get_command(imei, record.uuid)
            except OneNetError as err:
                if err.is_account_wide:
                    raise
                trouble = err
                if err.kind is ErrorKind.TRANSIENT:
                    continue
                self._value_failures[command.id] += 1
                if self._value_failures[command.id] >= _VALUES_ATTEMPTS:
                    LOGGER.warning("The values that command %s has read cannot be fetched: %s", record.uuid, err)
                    self._update_from_record(command, record)
            else:
                self._update_from_record(command, detail.record, detail)
        return trouble

    def _update_from_record(self, command: Command, record: CommandRecord, detail: CommandDetail | None = None) -> None:
        """Keep what is new of a command, and say it where it is a step forward."""
        # What was asked before its end may arrive after it; and what is not said to be queued has not come further.
        if command.is_over or command.id in self._in_flight:
            return
        known = command.remain, command.send_time, command.confirm_time
        told = command.remain, command.send_time, command.confirm_time = (
            record.remain,
            record.send_time,
            record.confirm_time,
        )
        if command.can_become(record.state):
            command.state = record.state
            command.reason, command.message = record.reason, record.message
            if detail is not None and command.has_values:
                self._keep_values(command, detail)
            self._publish_state(command, command.context)
        elif told != known:
            self._save(command)

    def _keep_values(self, command: Command, detail: CommandDetail) -> None:
        """Keep what a read has brought."""
        command.unreadable = detail.unreadable
        if detail.unreadable is None:
            command.values = describe_values(detail.values, command.asked.operation.obj_id)
        else:
            LOGGER.warning(
                "The result of command %s cannot be read; the action Get command returns it as it is", command.uuid
            )

    def _give_up(self, imei: str, undecided: set[int]) -> None:
        """Say which of a device's commands have expired without a word from OneNET, and forget what never arrived."""
        now = self.client.now()
        for command in list(self._open.get(imei, {}).values()):
            if command.id in self._in_flight:
                continue
            expired = command.asked.expired_time + _EXPIRED_FOR < now
            if not command.uuid:
                if expired or (command.asked_at + _LOST_FOR < now and command.id not in undecided):
                    self._forget(command)
            elif expired:
                command.state = CommandState.EXPIRED
                self._publish_state(command, command.context)

    def _mark_queued(self, command: Command, uuid: str) -> None:
        """Note that OneNET has a command."""
        command.uuid, command.state = uuid, CommandState.QUEUED
        self._commands[uuid] = command

    def _forget(self, command: Command) -> None:
        """Drop a command that OneNET does not have."""
        self._unindex(command)
        self._store.async_delete_command(command.id)

    def _publish_state(self, command: Command, context: Context) -> None:
        """Keep and say what has become of a command."""
        if command.is_over:
            command.over_at = self.client.now()
            self._unindex(command)
            self._finished[command.uuid] = command
            del self._value_failures[command.id]
        self._save(command)
        fields = self._event_fields(command) | command.outcome_fields()
        self._fire_event(command.state.value, fields, context)
        if command.is_over:
            if (end := self._done_futures.pop(command.uuid, None)) is not None:
                end.set_result(None)
            self.prune()

    def prune(self) -> None:
        """Forget commands that have been over for long, or that are too many."""
        oldest = self.client.now() - FINISHED_KEPT
        for uuid, command in list(self._finished.items()):
            if len(self._finished) <= FINISHED_MAX and (command.over_at or oldest) > oldest:
                break
            del self._finished[uuid]
            self._commands.pop(uuid, None)
            self._store.async_delete_command(command.id)

    async def _async_saved(self, command: Command, patience: float) -> None:
        """Keep a command, and return when it is on disk."""
        if not self._removed:
            await self._store.async_save_command(self.entry_id, command.id, command, patience=patience)

    async def _async_waiting(self, asked: CachedCommand) -> list[Command]:
        """Return the commands for the same that may wait and count no later than this would, the last one last."""
        operation = asked.operation
        start = asked.valid_time or self.client.now()

        def waiting() -> list[Command]:
            return [
                command
                for command in self._open.get(operation.imei, {}).values()
                if command.asked.operation.target == operation.target and (command.asked.valid_time or start) <= start
            ]

        if waiting():
            await self.async_ask(self._async_read(operation.imei))
        # One that was sent in vain waits again, which is no step forward to be said.
        return sorted(waiting(), key=lambda command: command.asked.valid_time or command.asked_at)

    async def _async_replace(self, command: Command, context: Context) -> None:
        """Cancel a command to queue another in its place."""
        try:
            await self._async_cancel(command.uuid, command.asked.operation.imei, context)
        except ServiceValidationError as err:
            # The device may have shown up in this very moment: then there is nothing to cancel.
            if err.translation_key != _NOT_WAITING:
                raise

    async def _async_know(self, command: Command) -> dict[str, Any]:
        """Return what OneNET knows of a command that was queued here, or else what is known here."""
        if not command.is_over:
            client = self.client
            try:
                detail = await client.get_command(command.asked.operation.imei, command.uuid)
            except OneNetError as err:
                self._check_key(err, client)
            else:
                self._update_from_record(command, detail.record, detail)
        return self._all_fields(command)

    async def _async_cancel(self, uuid: str, imei: str | None, context: Context) -> dict[str, Any]:
        """Cancel a command and say so."""
        if imei is None:
            if (command := self.known(uuid)) is None:
                raise unknown_uuid(uuid)
            imei = command.asked.operation.imei
        client = self.client
        detail = await self._async_find(imei, uuid, CommandState.QUEUED)
        try:
            await client.cancel_command(imei, uuid)
        except OneNetError as err:
            # The device may have shown up in this very moment, or only the answer have been lost.
            found = await self._async_find(imei, uuid, CommandState.QUEUED, CommandState.CANCELLED)
            if found.record.state is CommandState.QUEUED:
                raise self.error(err, client) from err
        await self._async_wait_for_pending_requests(imei, uuid)
        return self._publish_cancelled(uuid, self.origin(imei) | describe_detail(detail), context)

    async def _async_find(self, imei: str, uuid: str, *states: CommandState) -> CommandDetail:
        """Return a command that can be cancelled; raise ServiceValidationError for one in another state."""
        detail = await self.async_ask(self.client.get_command(imei, uuid))
        with suppress(OneNetError):
            await self._async_match_unconfirmed(imei, [detail.record])
        if detail.record.state not in states:
            if (command := self.known(uuid, imei)) is not None:
                self._update_from_record(command, detail.record, detail)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=_NOT_WAITING,
                translation_placeholders={ATTR_STATE: detail.record.state},
            )
        return detail

    async def _async_cancel_all(self, imei: str, context: Context) -> dict[str, Any]:
        """Cancel all commands that wait and say so of each."""
        client = self.client
        waiting = await self._async_by_state(imei, CommandState.QUEUED)
        with suppress(OneNetError):
            await self._async_match_unconfirmed(imei, list(waiting.values())[::-1])
        error: OneNetError | None = None
        cancelled = CancelledCommands(succeeded=(), failed=())
        try:
            cancelled = await client.cancel_commands(imei)
        except OneNetError as err:
            error = err
        if waiting and not cancelled.succeeded:
            # Only the answer may have been lost, or not have named them.
            gone = await self._async_by_state(imei, CommandState.CANCELLED)
            cancelled = replace(cancelled, succeeded=tuple(uuid for uuid in waiting if uuid in gone))
        if error is not None and not cancelled.succeeded:
            raise self.error(error, client) from error
        said = []
        for uuid in cancelled.succeeded:
            fields = self.origin(imei) | {ATTR_UUID: uuid}
            await self._async_wait_for_pending_requests(imei, uuid)
            if self.known(uuid, imei) is None:
                try:
                    fields |= describe_detail(await client.get_command(imei, uuid))
                except OneNetError:
                    # It is cancelled all the same, and somebody may wait to hear it.
                    fields |= describe_record(waiting[uuid]) if uuid in waiting else {}
            said.append(self._publish_cancelled(uuid, fields, context))
        return self.origin(imei) | {ATTR_COMMANDS: said, ATTR_FAILED: list(cancelled.failed)}

    async def _async_by_state(self, imei: str, state: CommandState) -> dict[str, CommandRecord]:
        """Return all of a device's commands in a state, by UUID, the oldest first."""
        commands = await self.async_ask(self.client.get_all_commands(imei, start=self.client.now() - HISTORY))
        return {record.uuid: record for record in reversed(commands) if record.state is state}

    async def _async_wait_for_pending_requests(self, imei: str, uuid: str) -> None:
        """Wait for the calls of a device that are under way: one may be about to say that it has queued this."""
        for target, turn in list(self._target_locks.items()):
            command = self.known(uuid, imei)
            if target[0] == imei and (command is None or command.id in self._in_flight):
                async with turn:
                    pass

    def _publish_cancelled(self, uuid: str, fields: dict[str, Any], context: Context) -> dict[str, Any]:
        """Say that a command was cancelled, and return what was said; the fields are of one queued elsewhere."""
        if (command := self.known(uuid, fields[ATTR_IMEI])) is None:
            told = {name: value for name, value in fields.items() if name in _EVENT_FIELDS}
            self._fire_event("cancelled", told, context)
            return told
        if command.can_become(CommandState.CANCELLED):
            command.state = CommandState.CANCELLED
            self._publish_state(command, context)
        return self._event_fields(command)

    @callback
    def _fire_event(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Tell automations and entities of a change."""
        fields = _limit_size(fields)
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"command_{change}", **fields}, context=context)
        for signal in (self.signal, self.signal_for(fields[ATTR_IMEI])):
            async_dispatcher_send(self._hass, signal, change, fields, context)


def _limit_size(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what an event carries, without values where they would make it larger than Home Assistant records."""
    if ATTR_VALUES not in fields or len(json_bytes(fields)) <= _EVENT_MAX:
        return fields
    return {name: value for name, value in fields.items() if name != ATTR_VALUES} | {
        ATTR_VALUES_OMITTED: VALUES_TOO_LARGE
    }


def _last_word(waiting: Sequence[Command], operation: Operation) -> Command | None:
    """Return the last of several commands if it does the very same: of several writes, the last one counts.

    One whose reply was lost may be there or not: it counts only where it does something else.
    """
    for command in reversed(waiting):
        if command.asked.operation.identity != operation.identity:
            return None
        if command.uuid:
            return command
    return None


def _log_trouble(task: asyncio.Task[Any]) -> None:
    """Tell of an error that nobody waits for any longer."""
    if not task.cancelled() and (err := task.exception()) is not None:
        # An error that was foreseen explains itself.
        trace = None if isinstance(err, HomeAssistantError) else err
        LOGGER.warning("After its caller had gone, a command failed: %s", err, exc_info=trace)


_MANAGERS: HassKey[dict[str, CommandManager]] = HassKey(f"{DOMAIN}_managers")


def managers(hass: HomeAssistant) -> dict[str, CommandManager]:
    """Return the managers by the id of their config entry."""
    return hass.data.setdefault(_MANAGERS, {})


async def async_get_manager(hass: HomeAssistant, entry: ConfigEntry[Any], client: OneNetClient) -> CommandManager:
    """Return the manager of an account, which is read from disk the first time; raise sqlite3.Error."""
    if (manager := managers(hass).get(entry.entry_id)) is None:
        store = async_get_store(hass)
        await store.async_open()
        manager = CommandManager(hass, entry, store, client)
        await manager.async_load()
        managers(hass)[entry.entry_id] = manager
    manager.client = client
    return manager


async def async_remove_manager(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Forget the commands of an account that is no longer; raise sqlite3.Error."""
    if (manager := managers(hass).pop(entry.entry_id, None)) is not None:
        manager.async_remove()
    else:
        store = async_get_store(hass)
        await store.async_open()
        store.async_delete_account(entry.entry_id)
