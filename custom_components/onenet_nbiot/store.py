"""The SQLite file with the commands and devices of all accounts."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
import sqlite3
from threading import Lock
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, ISSUE_STORAGE, LOGGER

FILE_NAME = f"{DOMAIN}.db"
_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE command (id INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE device (entry_id TEXT, imei TEXT, data BLOB NOT NULL, PRIMARY KEY (entry_id, imei)) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_SAVE_COMMAND = "INSERT OR REPLACE INTO command VALUES (?, ?, ?)"
_DELETE_COMMAND = "DELETE FROM command WHERE id = ?"
_SAVE_DEVICE = "INSERT OR REPLACE INTO device VALUES (?, ?, ?)"
_DELETE_DEVICE = "DELETE FROM device WHERE entry_id = ? AND imei = ?"
_DELETE_ACCOUNT = ("DELETE FROM command WHERE entry_id = ?", "DELETE FROM device WHERE entry_id = ?")

# Seconds until a failed commit is retried, unless another row is saved earlier.
_RETRY_DELAY = 60

# The latest statement for each row or account, and its parameters.
type _Batch = dict[Hashable, tuple[str, tuple[Any, ...]]]


class CommandStore:
    """Save rows in a file; rows that are saved during a transaction share the next one.

    Home Assistant's storage helper would write the whole file at every change. A row survives a crash of Home Assistant
    once its future is done, and a loss of power a moment later. If the file cannot be written, an error is logged.
    """

    def __init__(self, hass: HomeAssistant, path: Path) -> None:
        """Create a store that is not open yet."""
        self.transactions = 0
        self._hass = hass
        self._path = path
        self._connection: sqlite3.Connection | None = None
        # Held by the thread that uses the connection.
        self._connection_lock = Lock()
        self._last_id = 0
        self._pending: _Batch = {}
        # What waits for the next transaction, and for the one in progress.
        self._futures: list[asyncio.Future[None]] = []
        self._committing: list[asyncio.Future[None]] = []
        # The next commit, unless it waits for the one in progress.
        self._scheduled: asyncio.Handle | None = None
        self._commit_future: asyncio.Future[None] | None = None
        self._failing = False
        self._closing = False
        # The number of contexts that delay the next commit.
        self._holds = 0
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, self._async_close)

    async def async_open(self) -> None:
        """Open the file, unless it is open already; raise sqlite3.Error if that fails.

        A damaged file, or one of a later version, is renamed, and a new file is created.
        """
        moved = await self._hass.async_add_executor_job(self._open, dt_util.utcnow())
        if moved is None:
            await self._async_update_issue()
            return
        new_path, reason = moved
        LOGGER.error("The commands in %s cannot be read: %s. The file is kept as %s", self._path, reason, new_path)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_STORAGE,
            is_fixable=False,
            is_persistent=True,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE_STORAGE,
            translation_placeholders={"path": str(new_path), "reason": reason},
        )

    async def _async_update_issue(self) -> None:
        """Delete the repair issue of a file that was kept, if a person has put that file back or deleted it."""
        issue = ir.async_get(self._hass).async_get_issue(DOMAIN, ISSUE_STORAGE)
        if issue is not None and issue.translation_placeholders is not None:
            kept = Path(issue.translation_placeholders["path"])
            if not await self._hass.async_add_executor_job(kept.exists):
                ir.async_delete_issue(self._hass, DOMAIN, ISSUE_STORAGE)

    def new_id(self) -> int:
        """Return the id of a new command."""
        self._last_id += 1
        return self._last_id

    def load_commands(self, entry_id: str) -> list[tuple[int, bytes]]:
        """Read an account's commands by id, in the order of their ids."""
        return self._load("SELECT id, data FROM command WHERE entry_id = ? ORDER BY id", entry_id)

    def load_devices(self, entry_id: str) -> list[tuple[str, bytes]]:
        """Read an account's devices by IMEI."""
        return self._load("SELECT imei, data FROM device WHERE entry_id = ?", entry_id)

    def _load(self, query: str, entry_id: str) -> list[tuple[Any, bytes]]:
        """Read an account's rows."""
        with self._connection_lock:
            if self._connection is None:
                raise sqlite3.ProgrammingError("Home Assistant has stopped")
            return self._connection.execute(query, (entry_id,)).fetchall()

    @callback
    def async_save_command(self, entry_id: str, command_id: int, data: Any) -> asyncio.Future[None]:
        """Save a command; the future is done when it is on disk."""
        # One future per caller, so that cancelling one leaves the others.
        saved: asyncio.Future[None] = self._hass.loop.create_future()
        self._futures.append(saved)
        self._async_write(command_id, _SAVE_COMMAND, command_id, entry_id, json_bytes(data))
        return saved

    @callback
    def async_delete_command(self, command_id: int) -> None:
        """Delete a command."""
        self._async_write(command_id, _DELETE_COMMAND, command_id)

    @callback
    def async_save_device(self, entry_id: str, imei: str, data: Any) -> None:
        """Save a device."""
        self._async_write((entry_id, imei), _SAVE_DEVICE, entry_id, imei, json_bytes(data))

    @callback
    def async_delete_device(self, entry_id: str, imei: str) -> None:
        """Delete a device."""
        self._async_write((entry_id, imei), _DELETE_DEVICE, entry_id, imei)

    @callback
    def async_delete_account(self, entry_id: str) -> None:
        """Delete an account's commands and devices; nothing of the account may be saved later."""
        for statement in _DELETE_ACCOUNT:
            self._async_write((statement, entry_id), statement, entry_id)

    @contextmanager
    def one_transaction(self) -> Iterator[None]:
        """Save everything within this context with one transaction after it."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._async_schedule_commit()

    @property
    def can_save(self) -> bool:
        """Return whether the file is open and the latest transaction succeeded."""
        return self._connection is not None and not self._failing

    @callback
    def async_flush(self) -> asyncio.Future[None]:
        """Return a future that is done when all statements so far are committed, or have failed."""
        flushed: asyncio.Future[None] = self._hass.loop.create_future()
        if self._pending:
            self._futures.append(flushed)
        elif self._commit_future is not None:
            self._committing.append(flushed)
        else:
            flushed.set_result(None)
        return flushed

    async def async_pause_checkpoints(self) -> None:
        """Checkpoint the file, and write new rows only to the log beside it until async_resume_checkpoints.

        A copy of the file is then complete; a copy of the log may be cut short.
        """
        await self._hass.async_add_executor_job(
            self._execute, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_autocheckpoint = 0"
        )

    async def async_resume_checkpoints(self) -> None:
        """Let SQLite checkpoint the log automatically again."""
        await self._hass.async_add_executor_job(self._execute, "PRAGMA wal_autocheckpoint = 1000")

    def _open(self, now: datetime) -> tuple[Path, str] | None:
        """Open the file until Home Assistant stops; return the new name of an unreadable file, and the reason."""
        with self._connection_lock:
            if self._connection is not None:
                return None
            try:
                self._path.parent.mkdir(exist_ok=True)
                moved = (self._move_unreadable_file(now), reason) if (reason := self._unreadable()) else None
            except OSError as err:
                raise sqlite3.OperationalError(str(err)) from err
            connection = self._connect()
            try:
                if connection.execute("PRAGMA user_version").fetchone() == (0,):
                    connection.executescript(_SCHEMA)
                self._last_id = connection.execute("SELECT COALESCE(MAX(id), 0) FROM command").fetchone()[0]
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
            return moved

    def _unreadable(self) -> str | None:
        """Return why the file cannot be used, None if it can or does not exist."""
        if self._path.exists() and not self._path.stat().st_size:
            # SQLite would take it for a new file, and delete the log beside it.
            return "it is empty"
        try:
            with closing(self._connect()) as connection:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version > _VERSION:
                    return f"it has version {version}, but only versions up to {_VERSION} are supported"
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return None if verdict == "ok" else str(verdict)
        except sqlite3.DatabaseError as err:
            if err.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                return str(err)
            raise

    def _move_unreadable_file(self, now: datetime) -> Path:
        """Rename the file and its log, and return the file's new name."""
        new_path = self._path.with_name(f"{self._path.name}.kept-{now:%Y%m%d%H%M%S}")
        # The log first: without its file, SQLite would delete it if renaming is interrupted.
        for suffix in ("-wal", ""):
            if (part := Path(f"{self._path}{suffix}")).exists():
                part.rename(f"{new_path}{suffix}")
        return new_path

    def _connect(self) -> sqlite3.Connection:
        """Connect to the file, and create it if it does not exist."""
        connection = sqlite3.connect(self._path, check_same_thread=False)
        try:
            # No other process uses the file, and some network drives do not support the locks for sharing it.
            connection.executescript(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"
            )
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _execute(self, *statements: str) -> None:
        """Execute statements outside of transactions."""
        with self._connection_lock:
            if self._connection is not None:
                for statement in statements:
                    self._connection.execute(statement).fetchall()

    @callback
    def _async_write(self, row: Hashable, statement: str, *parameters: Any) -> None:
        """Add a statement to the next transaction."""
        self._pending[row] = (statement, parameters)
        if self._scheduled is not None and self._failing:
            # Commit now instead of at the retry.
            self._scheduled.cancel()
            self._scheduled = None
        self._async_schedule_commit()

    @callback
    def _async_schedule_commit(self, delay: float = 0) -> None:
        """Commit what is pending after so many seconds, unless a commit is scheduled, in progress, or not needed."""
        if not self._pending or self._scheduled or self._commit_future or self._closing or self._holds:
            return
        # Not before the next iteration of the event loop, so that simultaneous calls share a transaction.
        loop = self._hass.loop
        self._scheduled = loop.call_later(delay, self._async_commit) if delay else loop.call_soon(self._async_commit)

    @callback
    def _async_commit(self) -> None:
        """Commit the pending statements in a thread."""
        self._scheduled = None
        if self._holds:
            return
        batch, self._pending = self._pending, {}
        self._committing, self._futures = self._futures, []
        self.transactions += 1
        # Not an executor job of Home Assistant, which cancels running jobs when it stops.
        self._commit_future = self._hass.loop.run_in_executor(None, self._commit, batch)
        self._commit_future.add_done_callback(partial(self._async_committed, batch))

    def _commit(self, batch: _Batch) -> None:
        """Execute statements in one transaction."""
        with self._connection_lock:
            if self._connection is not None:
                with self._connection:
                    for statement, parameters in batch.values():
                        self._connection.execute(statement, parameters)

    @callback
    def _async_committed(self, batch: _Batch, commit_future: asyncio.Future[None]) -> None:
        """Resolve the futures of a commit, and schedule the next one; retry failed statements later."""
        self._commit_future = None
        err = commit_future.exception()
        if err is not None and not self._failing:
            LOGGER.error("Commands cannot be saved, a restart would lose them: %s", err)
        if err is None and self._failing:
            LOGGER.info("Commands can be saved again")
        self._failing = err is not None
        # Even if saving failed, the caller must receive the UUID of the command that OneNET has.
        futures, self._committing = self._committing, []
        self._async_resolve(futures)
        # Rows that were saved during the commit are committed at once, failed ones alone later.
        delay = _RETRY_DELAY if self._failing and not self._pending else 0
        if self._failing:
            self._pending = batch | self._pending
        self._async_schedule_commit(delay)

    @callback
    def _async_resolve(self, futures: list[asyncio.Future[None]]) -> None:
        """Set the results of the futures that are not done."""
        for saved in futures:
            if not saved.done():
                saved.set_result(None)

    async def _async_close(self, event: Event) -> None:
        """Commit the pending statements, close the file, and resolve all futures."""
        self._closing = True
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        if self._commit_future is not None:
            await asyncio.wait((self._commit_future,))
        batch, self._pending = self._pending, {}
        await self._hass.async_add_executor_job(self._close, batch)
        # Later rows are not written: commands in flight are matched with the device's list after the next start.
        self._closing = False
        futures, self._futures = self._futures, []
        self._async_resolve(futures)

    def _close(self, batch: _Batch) -> None:
        """Commit the last statements, and close the file."""
        try:
            self._commit(batch)
        except sqlite3.Error as err:
            LOGGER.error("Commands could not be saved: %s", err)
        with self._connection_lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@singleton(HassKey[CommandStore](f"{DOMAIN}_store"))
def async_get_store(hass: HomeAssistant) -> CommandStore:
    """Return the store, which all accounts share."""
    return CommandStore(hass, Path(hass.config.path(STORAGE_DIR, FILE_NAME)))
