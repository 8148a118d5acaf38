"""The commands of an account: find, list, save and delete them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, KeysView
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from homeassistant.core import HomeAssistant, callback

from .command import Command
from .const import LOGGER
from .onenet.models import FAILURE_REASONS, CommandState
from .store import CommandStore

FINISHED_MAX_AGE = timedelta(days=7)
FINISHED_MAX_COUNT = 1000
# OneNET may report late that a command has expired, or report the device's last reply late.
EXPIRY_GRACE = timedelta(minutes=10)


class Commands:
    """Hold the commands of an account, unfinished ones and the latest finished ones, and their rows in the store.

    It outlives reloads of the config entry, so that a call that is in flight during a reload finds its command.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, store: CommandStore) -> None:
        """Create a collection without commands."""
        # Ids of commands whose request is in flight, or whose event `command_queued` is not fired yet.
        self.in_flight: set[int] = set()
        self.removed = False
        self._hass = hass
        self._entry_id = entry_id
        self._store = store
        # All commands with a UUID, by UUID; the finished ones of these, in the order in which they finished; and the
        # unfinished commands, with or without a UUID, by IMEI and id.
        self._by_uuid: dict[str, Command] = {}
        self._finished: dict[str, Command] = {}
        self._open: dict[str, dict[int, Command]] = {}
        self._locks: WeakValueDictionary[tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()
        self._done_futures: dict[str, asyncio.Future[None]] = {}

    async def async_load(self) -> None:
        """Load the stored commands."""
        commands = await self._hass.async_add_executor_job(self._read_rows)
        for command in sorted(commands, key=lambda command: command.over_at or command.asked_at):
            self.index(command)

    def _read_rows(self) -> list[Command]:
        """Read the stored commands; log and skip unreadable rows."""
        commands = []
        unknown: set[str] = set()
        for command_id, row in self._store.load_commands(self._entry_id):
            try:
                commands.append(Command.from_row(row, unknown))
            except (LookupError, TypeError, ValueError) as err:
                LOGGER.error("The stored command %s cannot be read and is skipped: %r", command_id, err)
        if unknown:
            LOGGER.info("Unknown fields of stored commands are ignored: %s", sorted(unknown))
        return commands

    @property
    def imeis(self) -> KeysView[str]:
        """Return the IMEIs of the devices with unfinished commands."""
        return self._open.keys()

    @property
    def finished(self) -> Iterable[Command]:
        """Return the finished commands in the order in which they finished."""
        return self._finished.values()

    @property
    def unpublished(self) -> list[Command]:
        """Return the commands whose state is saved, but not published."""
        return [command for command in self._by_uuid.values() if command.unpublished]

    @property
    def waiting(self) -> int:
        """Return the number of unfinished commands with a UUID."""
        return len(self._by_uuid) - len(self._finished)

    def waiting_for(self, imei: str) -> int:
        """Return the number of a device's unfinished commands with a UUID."""
        return sum(1 for command in self.unfinished(imei) if command.uuid)

    def unfinished(self, imei: str) -> list[Command]:
        """Return the unfinished commands of a device, with or without a UUID."""
        return list(self._open.get(imei, {}).values())

    def unconfirmed(self, imei: str) -> list[Command]:
        """Return the commands of a device without a UUID: it is unknown whether OneNET has them."""
        return [command for command in self.unfinished(imei) if not command.uuid]

    def is_unconfirmed(self, command: Command) -> bool:
        """Return whether a command has no UUID, and was not deleted meanwhile."""
        return not command.uuid and command.id in self._open.get(command.asked.operation.imei, {})

    def find(self, uuid: str, imei: str | None = None) -> Command | None:
        """Return a command that was queued here, None for another UUID or another device."""
        command = self._by_uuid.get(uuid)
        return command if command is not None and imei in (None, command.asked.operation.imei) else None

    def select(self, since: datetime | None, states: set[CommandState]) -> list[Command]:
        """Return the commands in these states that were queued here since then, the newest first."""
        commands = [
            command
            for command in self._all()
            if command.state in states and (since is None or command.asked_at >= since)
        ]
        return sorted(commands, key=lambda command: (command.asked_at, command.id), reverse=True)

    def _all(self) -> Iterator[Command]:
        """Yield all commands, with and without a UUID."""
        yield from self._by_uuid.values()
        for imei in self._open:
            yield from self.unconfirmed(imei)

    def next_change(self, imei: str, since: datetime) -> datetime | None:
        """Return the first time after `since` when one of a device's commands becomes valid, expires, or is overdue."""
        times = (
            moment
            for command in self.unfinished(imei)
            for moment in (
                command.asked.valid_time,
                command.asked.expired_time,
                command.asked.expired_time + EXPIRY_GRACE,
            )
            if moment is not None and moment > since
        )
        return min(times, default=None)

    def summary(self, imei: str | None = None) -> dict[str, Any]:
        """Return the numbers of commands for the diagnostics, of a device or of all devices."""
        commands = [command for command in self._all() if imei in (None, command.asked.operation.imei)]
        reasons = [command.reason for command in commands if command.reason is not None]
        return {
            "by_state": Counter(command.state for command in commands),
            "by_type": Counter(command.asked.operation.command for command in commands),
            "failed_by_reason": Counter(reason if reason in FAILURE_REASONS else "other" for reason in reasons),
            "unconfirmed": sum(1 for command in commands if not command.uuid),
            "oldest_waiting": min((command.asked_at for command in commands if not command.is_finished), default=None),
        }

    def new_id(self) -> int:
        """Return the id of a new command."""
        return self._store.new_id()

    def index(self, command: Command) -> None:
        """Add a command, or update the indexes after a change of its UUID or its state."""
        imei = command.asked.operation.imei
        if command.uuid:
            self._by_uuid[command.uuid] = command
        if not command.is_finished:
            self._open.setdefault(imei, {})[command.id] = command
            return
        self._finished[command.uuid] = command
        self._remove_unfinished(command)

    @callback
    def async_save(self, command: Command) -> None:
        """Save a command with the next transaction."""
        if not self.removed:
            self._store.async_save_command(self._entry_id, command.id, command)

    async def async_save_and_wait(self, command: Command) -> None:
        """Save a command, and return when it is on disk."""
        if not self.removed:
            await self._store.async_save_command(self._entry_id, command.id, command)

    @callback
    def async_delete(self, command: Command) -> None:
        """Delete a command that OneNET does not have."""
        self._remove_unfinished(command)
        self._store.async_delete_command(command.id)

    def _remove_unfinished(self, command: Command) -> None:
        """Remove a command from the unfinished ones."""
        imei = command.asked.operation.imei
        commands = self._open.get(imei, {})
        commands.pop(command.id, None)
        if not commands:
            self._open.pop(imei, None)

    @callback
    def async_prune(self, now: datetime) -> None:
        """Delete the oldest finished commands beyond the maximum age or number."""
        oldest = now - FINISHED_MAX_AGE
        for uuid, command in list(self._finished.items()):
            if len(self._finished) <= FINISHED_MAX_COUNT and (command.over_at or oldest) > oldest:
                break
            del self._finished[uuid]
            self._by_uuid.pop(uuid, None)
            self._store.async_delete_command(command.id)

    @callback
    def async_remove(self) -> None:
        """Save nothing from now on, since the account was removed, and end all waits."""
        self.removed = True
        for uuid in list(self._done_futures):
            self.async_end_wait(uuid)

    def lock(self, target: tuple[Any, ...]) -> asyncio.Lock:
        """Return the lock that a request for a target of a device holds."""
        return self._locks.setdefault(target, asyncio.Lock())

    async def async_wait_for_requests(self, imei: str, uuid: str) -> None:
        """Wait until no request in flight can still fire `command_queued` for this UUID."""
        for target, lock in list(self._locks.items()):
            command = self.find(uuid, imei)
            if target[0] == imei and (command is None or command.id in self.in_flight):
                async with lock:
                    pass

    async def async_wait(self, command: Command, seconds: float) -> None:
        """Wait until a command is finished, at most so many seconds."""
        if command.is_finished:
            return
        if command.uuid not in self._done_futures:
            self._done_futures[command.uuid] = self._hass.loop.create_future()
        await asyncio.wait((self._done_futures[command.uuid],), timeout=seconds)

    @callback
    def async_end_wait(self, uuid: str) -> None:
        """End all waits for a command."""
        if (done := self._done_futures.pop(uuid, None)) is not None:
            done.set_result(None)
