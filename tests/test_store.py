"""The file of the commands and devices, across crashes, full disks and backups."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
import sqlite3
import threading
from typing import Any, Self

from homeassistant.components.backup.const import DATA_MANAGER
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL, EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads_object
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.onenet_nbiot import backup
from custom_components.onenet_nbiot.accounts import async_load_account
from custom_components.onenet_nbiot.command import Command
from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.devices import Device as KnownDevice, Reading
from custom_components.onenet_nbiot.lwm2m import describe_entities
from custom_components.onenet_nbiot.onenet.models import CommandState, Opaque
from custom_components.onenet_nbiot.onenet.operations import (
    CachedCommand,
    Execute,
    Read,
    Trigger,
    ValueType,
    Write,
    WriteMode,
    WrittenValue,
)
from custom_components.onenet_nbiot.store import FILE_NAME, CommandStore, async_get_store

from .common import IMEI, OTHER_IMEI, offline_read, until
from .emulator import Device, Product, Server

ACCOUNT = "account"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Disk:
    """A disk that can be full or slow."""

    def __init__(self) -> None:
        """Create an empty and fast disk."""
        self.is_full = False
        # Commits wait until this is set.
        self.responds = threading.Event()
        self.responds.set()

    def connect(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        """Connect to a file on this disk."""
        disk = self

        class Connection(sqlite3.Connection):
            def __enter__(self) -> Self:
                disk.responds.wait()
                (pages,) = self.execute("PRAGMA page_count").fetchone()
                self.execute(f"PRAGMA max_page_count = {pages if disk.is_full else 1_000_000}").fetchall()
                return super().__enter__()

        return Connection(*args, **kwargs)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Return the disk of the files that are opened from now on."""
    disk = Disk()
    monkeypatch.setattr(sqlite3, "connect", disk.connect)
    return disk


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Return the path of the store's file."""
    return tmp_path / "own" / FILE_NAME


@pytest.fixture
async def store(hass: HomeAssistant, disk: Disk, store_path: Path) -> CommandStore:
    """Return an open store."""
    return await open_store(hass, store_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of Home Assistant's file; its directory exists."""
    file = tmp_path / STORAGE_DIR / FILE_NAME
    file.parent.mkdir(exist_ok=True)
    return file


@pytest.fixture
def meters(onenet: Server) -> list[str]:
    """Return the IMEIs of a hundred more devices."""
    imeis = [str(int(IMEI) + number) for number in range(1, 101)]
    for imei in imeis:
        onenet.onenet.products[0].add(imei, "Meter")
    return imeis


async def queue(hass: HomeAssistant, imeis: list[str]) -> set[str]:
    """Queue a command for each device, one after the other, and return the UUIDs."""
    return {(await offline_read(hass, imei=imei))["uuid"] for imei in imeis}


async def open_store(hass: HomeAssistant, path: Path) -> CommandStore:
    """Open a file."""
    store = CommandStore(hass, path)
    await store.async_open()
    return store


def wal(path: Path) -> Path:
    """Return the path of the log of a file."""
    return path.with_name(f"{path.name}-wal")


def kill(path: Path, to: Path) -> Path:
    """Copy a file and its log as a killed process leaves them."""
    to.parent.mkdir(exist_ok=True)
    shutil.copy(path, to)
    if wal(path).exists():
        shutil.copy(wal(path), wal(to))
    return to


def contents(path: Path) -> list[bytes]:
    """Return the bytes of a file and its log."""
    return [part.read_bytes() for part in (path, wal(path)) if part.exists()]


def rows(path: Path) -> dict[int, dict[str, Any]]:
    """Return the commands in a copy of an undamaged file."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        return {id_: json_loads_object(data) for id_, data in connection.execute("SELECT id, data FROM command")}


def uuids(path: Path) -> set[str]:
    """Return the UUIDs in a copy of a file."""
    return {row["uuid"] for row in rows(path).values()}


def a_command(id_: int = 1, **what: Any) -> Command:
    """Return a command."""
    asked = CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=NOON)
    return Command(id=id_, asked=asked, caller=("id", None, None), asked_at=NOON, **what)


async def create_file(hass: HomeAssistant, tmp_path: Path, file: Path, entry_id: str, count: int = 50) -> set[str]:
    """Create a file of an earlier run of Home Assistant, without a log; return its UUIDs."""
    earlier = await open_store(hass, tmp_path / "earlier" / FILE_NAME)
    for number in range(count):
        id_ = earlier.new_id()
        command = a_command(id_, uuid=f"uuid-{number}", state=CommandState.QUEUED)
        await earlier.async_save_command(entry_id, id_, command)
    kill(tmp_path / "earlier" / FILE_NAME, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return uuids(file)


async def create_file_with_devices(hass: HomeAssistant, file: Path, entry_id: str, devices: dict[str, bytes]) -> None:
    """Create a file of an earlier run of Home Assistant with these rows by IMEI."""
    path = file.parent.parent / "earlier" / FILE_NAME
    await open_store(hass, path)
    with closing(sqlite3.connect(kill(path, file))) as connection, connection:
        connection.executemany(
            "INSERT INTO device VALUES (?, ?, ?)", [(entry_id, imei, row) for imei, row in devices.items()]
        )


# Saved rows


async def test_saved_rows_survive_a_kill(
    hass: HomeAssistant, store: CommandStore, store_path: Path, tmp_path: Path
) -> None:
    """A row is on disk when its future is done."""
    first, second = store.new_id(), store.new_id()
    await store.async_save_command(ACCOUNT, second, {"number": 2})
    await store.async_save_command(ACCOUNT, first, {"number": 1})
    store.async_save_device(ACCOUNT, IMEI, {"online": True})
    await store.async_save_command("other", store.new_id(), {"number": 3})
    again = await open_store(hass, kill(store_path, tmp_path / "copy" / FILE_NAME))
    assert again.load_commands(ACCOUNT) == [(first, b'{"number":1}'), (second, b'{"number":2}')]
    assert again.load_devices(ACCOUNT) == [(IMEI, b'{"online":true}')]
    assert again.new_id() == store.new_id()


async def test_a_returned_uuid_survives_a_kill(
    hass: HomeAssistant, account: MockConfigEntry, file: Path, tmp_path: Path
) -> None:
    """A command is on disk before its call returns."""
    response = await offline_read(hass)
    again = await open_store(hass, kill(file, tmp_path / "copy" / FILE_NAME))
    ((_, row),) = again.load_commands(account.entry_id)
    assert Command.from_row(row).uuid == response["uuid"]


async def test_commands_are_polled_after_a_kill(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, tmp_path: Path
) -> None:
    """Commands from before the kill are loaded."""
    before = await create_file(hass, tmp_path, file, entry.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    commands = (await async_load_account(hass, entry.entry_id)).commands
    assert all(commands.find(uuid, IMEI) for uuid in before)
    response = await offline_read(hass)
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {*before, response["uuid"]}


async def test_a_hundred_calls_share_transactions(
    hass: HomeAssistant, account: MockConfigEntry, meters: list[str], file: Path, tmp_path: Path
) -> None:
    """Simultaneous calls take much fewer transactions than rows."""
    before = async_get_store(hass).transactions
    responses = await asyncio.gather(*(offline_read(hass, imei=imei) for imei in meters))
    assert async_get_store(hass).transactions - before <= 40
    saved = uuids(kill(file, tmp_path / "copy" / FILE_NAME))
    assert saved == {response["uuid"] for response in responses}
    assert len(saved) == 100


async def test_rows_that_are_saved_in_the_same_iteration_share_a_transaction(
    hass: HomeAssistant, store: CommandStore
) -> None:
    """They are committed in the next iteration of the event loop."""
    saves = [store.async_save_command(ACCOUNT, store.new_id(), {}) for _ in range(3)]
    assert store.transactions == 0
    await asyncio.sleep(0)
    assert store.transactions == 1
    await asyncio.gather(*saves)
    assert store.transactions == 1
    assert len(store.load_commands(ACCOUNT)) == 3


async def test_rows_that_are_saved_during_a_commit_share_the_next_one(hass: HomeAssistant, store: CommandStore) -> None:
    """All that is pending when a commit ends is committed together."""
    first = store.async_save_command(ACCOUNT, store.new_id(), {})
    await asyncio.sleep(0)
    others = []
    for _ in range(3):
        others.append(store.async_save_command(ACCOUNT, store.new_id(), {}))
        # Without yielding to the end of the commit.
        store.async_save_device(ACCOUNT, IMEI, {})
    await asyncio.gather(first, *others)
    assert len(store.load_commands(ACCOUNT)) == 4
    assert store.transactions == 2


async def test_cancelling_one_future_leaves_the_others(hass: HomeAssistant, store: CommandStore) -> None:
    """Callers that share a transaction have their own futures."""
    one, other = (store.async_save_command(ACCOUNT, store.new_id(), {}) for _ in range(2))
    one.cancel()
    await other
    assert len(store.load_commands(ACCOUNT)) == 2


async def test_the_latest_statement_of_a_command_is_committed(hass: HomeAssistant, store: CommandStore) -> None:
    """A command that is deleted after it was saved is not on disk."""
    saved, deleted = store.new_id(), store.new_id()
    store.async_save_command(ACCOUNT, deleted, {})
    store.async_delete_command(deleted)
    store.async_save_command(ACCOUNT, saved, {"state": "old"})
    await store.async_save_command(ACCOUNT, saved, {"state": "new"})
    assert store.load_commands(ACCOUNT) == [(saved, b'{"state":"new"}')]


@pytest.mark.parametrize(
    "operation",
    [
        Read(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700),
        Write(
            imei=IMEI,
            obj_id=3306,
            obj_inst_id=0,
            values=(
                WrittenValue(5850, value=True),
                WrittenValue(5851, 80.5),
                WrittenValue(5750, "pump"),
                WrittenValue(1, "00ff", ValueType.OPAQUE),
                WrittenValue.time(2, NOON),
            ),
            mode=WriteMode.REPLACE,
        ),
        Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args="0='10'"),
        Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4),
    ],
    ids=lambda operation: operation.command,
)
async def test_a_command_is_loaded_as_it_was_saved(operation: Read | Write | Execute) -> None:
    """Every kind of command has the same fields after a restart."""
    asked = CachedCommand(
        operation=operation,
        valid_time=NOON,
        expired_time=NOON,
        trigger_msg=Trigger.REGISTER | Trigger.UPDATE,
    )
    full = Command(
        id=7,
        asked=asked,
        caller=("id", "user", "parent"),
        asked_at=NOON,
        uuid="uuid",
        state=CommandState.FAILED,
        remain=2,
        send_time=NOON,
        confirm_time=NOON,
        reason="timeout",
        message="The device answered TIMEOUT",
        values=[{"obj_id": 3303, "value": None}],
        over_at=NOON,
    )
    for command in (full, a_command()):
        again = Command.from_row(json_bytes(command))
        names = [field.name for field in fields(command)]
        assert [getattr(again, name) for name in names] == [getattr(command, name) for name in names]
        assert isinstance(again.state, CommandState)
        assert again.asked.operation.body() == command.asked.operation.body()


async def test_a_row_of_the_version_with_reads_only_is_loaded() -> None:
    """An update keeps the waiting commands."""
    row = (
        b'{"id":1,"asked":{"imei":"866971030000001","obj_id":3303,"obj_inst_id":0,"res_id":5700,"valid_time":null,'
        b'"expired_time":"2026-11-24T04:00:00+00:00","retry":3,"timeout":null,"trigger_msg":6,"bin2hex":true},'
        b'"caller":["id",null,null],"asked_at":"2026-11-23T04:00:00+00:00","uuid":"u","state":"queued","remain":3,'
        b'"send_time":null,"confirm_time":null,"reason":null,"message":null,"values":null,"over_at":null}'
    )
    command = Command.from_row(row)
    assert command.asked == CachedCommand(
        operation=Read(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700),
        expired_time=datetime(2026, 11, 24, 4, tzinfo=UTC),
        retry=3,
        trigger_msg=Trigger.UPDATE | Trigger.NOTIFY,
        bin2hex=True,
    )
    assert (command.uuid, command.state) == ("u", CommandState.QUEUED)


async def test_an_unreadable_row_leaves_the_other_commands(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    device: Device,
    file: Path,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The row is logged and skipped."""
    path = file.parent.parent / "earlier" / FILE_NAME
    earlier = await open_store(hass, path)
    good = a_command(5, uuid="good", state=CommandState.QUEUED)
    bad: dict[str, Any] = json_loads_object(json_bytes(good))
    later = bad | {"uuid": "later", "later": 1, "asked": bad["asked"] | {"priority": 1}}
    rows: list[Any] = [{}, [], bad | {"asked_at": "noon"}, later, good, bad | {"state": "lost"}]
    for row in rows:
        await earlier.async_save_command(entry.entry_id, earlier.new_id(), row)
    earlier.async_save_device(entry.entry_id, IMEI, {"id": "7", "online": True, "newest": NOON, "battery": 3})
    earlier.async_save_device(entry.entry_id, "2", [])
    await earlier.async_save_command("other", 99, {})
    kill(path, file)
    expected_warnings.extend(f"The stored command {id_} cannot be read" for id_ in (1, 2, 3, 6))
    assert await hass.config_entries.async_setup(entry.entry_id)
    account = await async_load_account(hass, entry.entry_id)
    commands = account.commands
    assert commands.find("good")
    assert commands.find("later")
    assert commands.summary()["by_state"] == {CommandState.QUEUED: 2}
    assert caplog.text.count("are ignored:") == 2
    known = account.devices.get(IMEI)
    assert (known.key, known.online, known.newest) == ("7", True, NOON)
    assert account.devices.summary()["known"] == 1


async def test_a_device_is_loaded_as_it_was_saved() -> None:
    """Its readings are available after a restart."""
    full = KnownDevice(
        imei=IMEI,
        key="7",
        online=False,
        newest=NOON,
        last_seen=NOON + timedelta(minutes=1),
        active_since_poll=True,
        missing=True,
        readings={
            path: Reading(value=value, measured_at=NOON, future_time=NOON if value is None else None)
            for path, value in {
                "19/0/0": Opaque("3131"),
                "3303/0/5700": 21.5,
                "3303/0/5701": "Cel",
                "3/0/11": [0, 1],
                "3342/0/5500": None,
            }.items()
        },
        # The other fields come from Home Assistant.
        subentry_id="subentry",
        title="Water meter",
        device_id="device",
        descriptions=describe_entities(("3303/0/5700",), ()),
        tracked_paths=frozenset({"3303/0/5700"}),
    )
    for device in (full, KnownDevice(imei=IMEI)):
        again = KnownDevice.from_row(IMEI, json_bytes(device.as_row()))
        assert again.as_row() == device.as_row()
        assert [type(reading.value) for reading in again.readings.values()] == [
            type(reading.value) for reading in device.readings.values()
        ]
        assert (again.imei, again.subentry_id, again.descriptions, again.tracked_paths) == (IMEI, "", (), frozenset())


async def test_a_row_of_a_device_without_readings_is_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path
) -> None:
    """An update keeps the ids of devices."""
    former = {
        IMEI: b'{"id":"7","online":true,"newest":"2026-11-24T04:00:00+00:00"}',
        "1234": b'{"id":"8","online":null,"newest":null}',
    }
    await create_file_with_devices(hass, file, entry.entry_id, former)
    assert await hass.config_entries.async_setup(entry.entry_id)
    devices = (await async_load_account(hass, entry.entry_id)).devices
    assert (
        devices.get(IMEI).as_row()
        == KnownDevice(imei=IMEI, key="7", online=True, newest=datetime(2026, 11, 24, 4, tzinfo=UTC)).as_row()
    )
    assert devices.get("1234").as_row() == KnownDevice(imei="1234", key="8").as_row()
    assert devices.summary()["known"] == 2


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"{",
        b"7",
        b"[]",
        b"null",
        b'{"id":"7","newest":"noon"}',
        b'{"id":"7","newest":7}',
        b'{"id":"7","last_seen":{}}',
        b'{"id":"7","readings":[]}',
        b'{"id":"7","readings":null}',
        b'{"id":"7","readings":{"3303/0/5700":21.5}}',
        b'{"id":"7","readings":{"3303/0/5700":[21.5]}}',
        b'{"id":"7","readings":{"3303/0/5700":[21.5,null]}}',
        b'{"id":"7","readings":{"3303/0/5700":[21.5,"noon"]}}',
    ],
)
async def test_an_unreadable_device_leaves_the_others(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, row: bytes
) -> None:
    """The account is set up with the other devices."""
    await create_file_with_devices(hass, file, entry.entry_id, {"1": b'{"id":"1"}', "2": row, "3": b'{"id":"3"}'})
    assert await hass.config_entries.async_setup(entry.entry_id)
    devices = (await async_load_account(hass, entry.entry_id)).devices
    assert devices.summary()["known"] == 2
    assert [devices.get(imei).key for imei in "123"] == ["1", None, "3"]


async def test_a_deleted_device_has_no_row(hass: HomeAssistant, store: CommandStore) -> None:
    """The rows of the other devices stay."""
    for account, imei in ((ACCOUNT, IMEI), (ACCOUNT, "1234"), ("other", IMEI)):
        store.async_save_device(account, imei, {"id": imei})
    await store.async_save_command(ACCOUNT, store.new_id(), {})
    assert len(store.load_devices(ACCOUNT)) == 2
    store.async_delete_device(ACCOUNT, IMEI)
    store.async_delete_device(ACCOUNT, "unknown")
    await store.async_save_command(ACCOUNT, store.new_id(), {})
    assert store.load_devices(ACCOUNT) == [("1234", b'{"id":"1234"}')]
    assert store.load_devices("other") == [(IMEI, f'{{"id":"{IMEI}"}}'.encode())]
    assert len(store.load_commands(ACCOUNT)) == 2


async def test_the_latest_statement_of_a_device_is_committed(hass: HomeAssistant, store: CommandStore) -> None:
    """Deleting and saving take effect in their order."""
    store.async_save_device(ACCOUNT, "removed", {"id": "1"})
    store.async_delete_device(ACCOUNT, "removed")
    store.async_save_device(ACCOUNT, "again", {"id": "1"})
    store.async_delete_device(ACCOUNT, "again")
    store.async_save_device(ACCOUNT, "again", {"id": "2"})
    await store.async_save_command(ACCOUNT, store.new_id(), {})
    assert store.load_devices(ACCOUNT) == [("again", b'{"id":"2"}')]


async def test_removing_an_account_that_was_not_set_up_deletes_its_rows(
    hass: HomeAssistant, entry: MockConfigEntry, file: Path, tmp_path: Path
) -> None:
    """Accounts that were disabled are included."""
    before = await create_file(hass, tmp_path, file, entry.entry_id)
    assert uuids(file) == before
    await hass.config_entries.async_remove(entry.entry_id)
    await async_get_store(hass).async_save_command("other", 99, {"uuid": "other"})
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {"other"}


async def test_removing_an_account_deletes_its_rows_only(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, file: Path, tmp_path: Path
) -> None:
    """The rows of another account stay."""
    onenet.onenet.products.append(Product(key="another"))
    onenet.onenet.products[-1].add(OTHER_IMEI, "Gas meter")
    other = MockConfigEntry(domain=DOMAIN, title="Other", data={CONF_API_KEY: "another", CONF_URL: onenet.url})
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    await offline_read(hass, config_entry_id=account.entry_id)
    other_command = await offline_read(hass, imei=OTHER_IMEI, config_entry_id=other.entry_id)
    store = async_get_store(hass)
    for entry in (account, other):
        store.async_save_device(entry.entry_id, IMEI, {"id": "1"})
    await hass.config_entries.async_remove(account.entry_id)
    await store.async_save_command("third", store.new_id(), {"uuid": "third"})
    assert not [*store.load_commands(account.entry_id), *store.load_devices(account.entry_id)]
    assert store.load_devices(other.entry_id) == [(IMEI, b'{"id":"1"}')]
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {other_command["uuid"], "third"}


# Unreadable files


def garbage(file: Path) -> None:
    """Overwrite a file with garbage."""
    file.write_bytes(b"garbage!" * 4096)


def damage(file: Path) -> None:
    """Overwrite the middle of a file with garbage."""
    with file.open("r+b") as opened:
        opened.seek(2 * 4096)
        opened.write(b"garbage!" * 1024)


def cut(file: Path) -> None:
    """Truncate a file but not its log, as some disks do after a loss of power."""
    wal(file).write_bytes(b"the newest commands")
    file.write_bytes(b"")


def newer(file: Path) -> None:
    """Set a later version in a file."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")


def renamed_files(file: Path) -> list[Path]:
    """Return the renamed files without their logs."""
    return [path for path in file.parent.glob("*.kept-*") if not path.name.endswith("-wal")]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (garbage, "file is not a database"),
        (damage, "Tree "),
        (cut, "it is empty"),
        (newer, "it has version 2, but only versions up to 1 are supported"),
    ],
)
async def test_an_unreadable_file_is_renamed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    device: Device,
    file: Path,
    tmp_path: Path,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    """A repair issue names the new path, and new commands are saved."""
    expected_warnings.append(f"The commands in {file} cannot be read: ")
    await create_file(hass, tmp_path, file, entry.entry_id)
    spoil(file)
    before = contents(file)
    assert await hass.config_entries.async_setup(entry.entry_id)

    (renamed,) = renamed_files(file)
    assert contents(renamed) == before
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "storage_kept_aside")
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["path"] == str(renamed)
    assert reason in issue.translation_placeholders["reason"]
    assert reason in caplog.text
    assert f"The file is kept as {renamed}" in caplog.text

    response = await offline_read(hass)
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {response["uuid"]}


async def kept_file(hass: HomeAssistant, entry: MockConfigEntry, file: Path) -> Path:
    """Set an account up with an unreadable file, and return the path under which it is kept."""
    garbage(file)
    assert await hass.config_entries.async_setup(entry.entry_id)
    (kept,) = renamed_files(file)
    return kept


def has_storage_issue(hass: HomeAssistant) -> bool:
    """Return whether there is a repair issue of a file that is kept."""
    return ir.async_get(hass).async_get_issue(DOMAIN, "storage_kept_aside") is not None


async def test_the_repair_issue_is_deleted_once_the_kept_file_is_deleted(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, expected_warnings: list[str]
) -> None:
    """Until then, it stays after a restart and a reload."""
    expected_warnings.append(f"The commands in {file} cannot be read: ")
    kept = await kept_file(hass, entry, file)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await CommandStore(hass, file.with_name("other.db")).async_open()
    assert has_storage_issue(hass)
    kept.unlink()
    await CommandStore(hass, file.with_name("another.db")).async_open()
    assert not has_storage_issue(hass)


async def test_the_repair_issue_of_a_kept_file_is_deleted_with_the_last_account(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, expected_warnings: list[str]
) -> None:
    """It is about the commands of all accounts."""
    expected_warnings.append(f"The commands in {file} cannot be read: ")
    await kept_file(hass, entry, file)
    other = MockConfigEntry(domain=DOMAIN, title="Other", data=dict(entry.data))
    other.add_to_hass(hass)
    await hass.config_entries.async_remove(other.entry_id)
    assert has_storage_issue(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    assert not has_storage_issue(hass)


def block_path(file: Path) -> None:
    """Create a directory at the path of the file."""
    file.mkdir()


def unblock_path(file: Path) -> None:
    """Remove the directory at the path of the file."""
    file.rmdir()


async def test_opening_the_file_is_retried(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, expected_warnings: list[str]
) -> None:
    """The account is set up as soon as the file can be opened."""
    expected_warnings.append("Config entry 'OneNET' for onenet_nbiot integration not ready yet")
    block_path(file)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "storage_failed"
    assert entry.error_reason_translation_placeholders == {"message": "unable to open database file"}
    unblock_path(file)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await offline_read(hass)


async def test_a_file_of_another_program_is_not_locked(hass: HomeAssistant, tmp_path: Path) -> None:
    """The file is closed after a failed attempt to use it."""
    file = tmp_path / FILE_NAME
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 1")
    store = CommandStore(hass, file)
    with pytest.raises(sqlite3.OperationalError, match="no such table: command"):
        await store.async_open()
    assert is_free(file)
    file.unlink()
    await store.async_open()
    assert not [*store.load_commands(ACCOUNT), *store.load_devices(ACCOUNT)]


def is_free(file: Path) -> bool:
    """Return whether no connection has a file open."""
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",))


async def test_an_unusable_directory_raises_a_sqlite_error(hass: HomeAssistant, tmp_path: Path) -> None:
    """The error has the message of the operating system."""
    (tmp_path / "own").write_text("")
    with pytest.raises(sqlite3.OperationalError, match="File exists"):
        await open_store(hass, tmp_path / "own" / FILE_NAME)


async def test_two_accounts_open_the_file_once(hass: HomeAssistant, tmp_path: Path) -> None:
    """Both share one connection, which locks the file."""
    store = CommandStore(hass, tmp_path / FILE_NAME)
    await asyncio.gather(store.async_open(), store.async_open())
    await store.async_save_command(ACCOUNT, store.new_id(), {})
    assert len(store.load_commands(ACCOUNT)) == 1


# Full disks


async def test_a_full_disk_loses_no_command(
    hass: HomeAssistant,
    disk: Disk,
    account: MockConfigEntry,
    meters: list[str],
    file: Path,
    tmp_path: Path,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Calls return their UUIDs, one error is logged, and the rows are saved once there is room."""
    expected_warnings.append("Commands cannot be saved, a restart would lose them: database or disk is full")
    disk.is_full = True
    queued = await queue(hass, meters[:20])
    assert len(queued) == 20
    assert caplog.text.count("Commands cannot be saved") == 1
    assert not queued <= uuids(kill(file, tmp_path / "full" / FILE_NAME))

    disk.is_full = False
    queued.add((await offline_read(hass))["uuid"])
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == queued
    assert caplog.text.count("Commands can be saved again") == 1


async def test_a_full_disk_does_not_delay_calls(
    hass: HomeAssistant, disk: Disk, store: CommandStore, expected_warnings: list[str]
) -> None:
    """Calls return during failing commits."""
    expected_warnings.append("Commands cannot be saved")
    disk.is_full = True
    async with asyncio.timeout(5):
        await asyncio.gather(*(store.async_save_command(ACCOUNT, store.new_id(), {"x": "x" * 9999}) for _ in range(2)))
    assert not [*store.load_commands(ACCOUNT), *store.load_devices(ACCOUNT)]
    disk.is_full = False
    store.async_delete_command(99)
    await until(lambda: len(store.load_commands(ACCOUNT)) == 2)


async def test_a_failed_commit_is_retried(
    hass: HomeAssistant, disk: Disk, store: CommandStore, expected_warnings: list[str]
) -> None:
    """Newer statements for the same row replace the failed ones."""
    expected_warnings.append("Commands cannot be saved")
    disk.is_full = True
    await asyncio.gather(
        *(store.async_save_command(ACCOUNT, 1, {"x": "x" * 9999, "is": news}) for news in ("old", "new"))
    )
    assert not store.load_commands(ACCOUNT)
    disk.is_full = False
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=1, seconds=1))
    await until(lambda: store.load_commands(ACCOUNT))
    ((_, row),) = store.load_commands(ACCOUNT)
    assert json_loads_object(row)["is"] == "new"


async def test_a_disk_that_is_full_when_home_assistant_stops_is_logged(
    hass: HomeAssistant, disk: Disk, store: CommandStore, store_path: Path, expected_warnings: list[str]
) -> None:
    """Home Assistant stops nevertheless."""
    expected_warnings.extend(("Commands cannot be saved", "Commands could not be saved: database or disk is full"))
    disk.is_full = True
    await store.async_save_command(ACCOUNT, store.new_id(), {"x": "x" * 9999})
    await hass.async_stop(force=True)
    assert rows(store_path) == {}


# The stop of Home Assistant


async def test_pending_rows_are_saved_when_home_assistant_stops(
    hass: HomeAssistant, store: CommandStore, store_path: Path
) -> None:
    """The newest commands survive a restart."""
    saved = store.async_save_command(ACCOUNT, store.new_id(), {})
    await hass.async_stop(force=True)
    assert saved.done()
    assert not wal(store_path).exists()
    assert list(rows(store_path)) == [1]


async def test_a_commit_in_progress_is_finished_when_home_assistant_stops(
    hass: HomeAssistant, disk: Disk, store: CommandStore, store_path: Path
) -> None:
    """Rows that are saved during the commit follow it."""
    saves: list[asyncio.Future[None]] = []

    def save(_: Event | None = None) -> None:
        saves.append(store.async_save_command(ACCOUNT, 1, {"number": len(saves)}))

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, callback(save))
    disk.responds.clear()
    save()
    save()
    hass.loop.call_later(0.1, disk.responds.set)
    async with asyncio.timeout(5):
        await hass.async_stop(force=True)
        await asyncio.gather(*saves)
    assert len(saves) == 3
    assert rows(store_path) == {1: {"number": 2}}
    # A second transaction could not be finished before the stop.
    assert store.transactions == 1


async def test_saves_after_the_stop_end_without_being_written(
    hass: HomeAssistant, store: CommandStore, store_path: Path
) -> None:
    """Home Assistant stops although a call is in flight."""
    await hass.async_stop(force=True)
    async with asyncio.timeout(5):
        await store.async_save_command(ACCOUNT, store.new_id(), {})
        await store.async_pause_checkpoints()
    with pytest.raises(sqlite3.ProgrammingError, match="Home Assistant has stopped"):
        store.load_commands(ACCOUNT)
    with pytest.raises(sqlite3.ProgrammingError, match="Home Assistant has stopped"):
        store.load_devices(ACCOUNT)
    assert rows(store_path) == {}


async def test_home_assistant_stops_without_a_file(hass: HomeAssistant, tmp_path: Path) -> None:
    """No file is created without an account."""
    CommandStore(hass, tmp_path / FILE_NAME)
    await hass.async_stop(force=True)
    assert not (tmp_path / FILE_NAME).exists()


# Backups


@pytest.mark.parametrize("cut_at", [0, 0.1, 0.5, 0.9, 1])
async def test_a_backup_is_complete_while_commands_are_queued(
    hass: HomeAssistant,
    account: MockConfigEntry,
    meters: list[str],
    file: Path,
    tmp_path: Path,
    expected_warnings: list[str],
    cut_at: float,
) -> None:
    """A restored copy has all commands from before the backup."""
    expected_warnings.append("zlib_ng and isal are not available")
    before = await queue(hass, meters[:20])
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    manager = hass.data[DATA_MANAGER]
    await manager.async_pre_backup_actions()
    copy = kill(file, tmp_path / "copy" / FILE_NAME)
    (main, _) = contents(copy)
    after = await queue(hass, meters[20:40])
    # More than the log has before a checkpoint.
    await async_get_store(hass).async_save_command(ACCOUNT, 99, {"uuid": "x" * 5_000_000})
    after.add("x" * 5_000_000)
    (main_later, log) = contents(file)
    assert main_later == main
    assert len(log) > 5_000_000
    wal(copy).write_bytes(log[: int(len(log) * cut_at)])
    restored = uuids(copy)
    assert before <= restored <= before | after
    assert (restored == before | after) == (cut_at == 1)
    await manager.async_post_backup_actions()


async def test_checkpoints_limit_the_size_of_the_log(hass: HomeAssistant, account: MockConfigEntry, file: Path) -> None:
    """Checkpoints resume after a backup."""
    store = async_get_store(hass)

    async def write() -> int:
        for _ in range(50):
            await store.async_save_command(ACCOUNT, 99, {"x": "x" * 100_000})
        return len(contents(file)[1])

    await backup.async_pre_backup(hass)
    assert await write() > 5_000_000
    await backup.async_post_backup(hass)
    length = await write()
    assert await write() == length


async def test_a_backup_works_without_an_account(hass: HomeAssistant) -> None:
    """The hooks accept a store that is not open."""
    await backup.async_pre_backup(hass)
    await backup.async_post_backup(hass)


async def test_a_failing_checkpoint_does_not_stop_the_backup(
    hass: HomeAssistant,
    account: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
) -> None:
    """A warning is logged."""
    expected_warnings += [
        "zlib_ng",
        "The file of the commands may be incomplete",
        "Automatic checkpoints of the command file could not be resumed",
    ]

    async def fail() -> None:
        raise sqlite3.OperationalError("database table is locked")

    for name in ("async_pause_checkpoints", "async_resume_checkpoints"):
        monkeypatch.setattr(async_get_store(hass), name, fail)
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    manager = hass.data[DATA_MANAGER]
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
