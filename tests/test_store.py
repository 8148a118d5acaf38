"""What is on disk, whatever happens to Home Assistant, its disk, or the file."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from homeassistant.components.backup.const import DATA_MANAGER
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_URL, EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.setup import async_setup_component
from homeassistant.util.json import json_loads_object
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot import backup, store as store_module
from custom_components.onenet_nbiot.command import Command
from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.devices import Device as KnownDevice, Reading
from custom_components.onenet_nbiot.manager import managers
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
from custom_components.onenet_nbiot.store import AFTER_CALL, FILE_NAME, CommandStore, async_get_store

from .conftest import IMEI, offline_read
from .emulator import Device, Product, Server

ACCOUNT = "account"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def store(hass: HomeAssistant, tmp_path: Path) -> CommandStore:
    """Return a store of the test's own that is open."""
    return await open_store(hass, tmp_path / "own" / FILE_NAME)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where Home Assistant has the commands; the directory is there."""
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
    """Return the log beside a file."""
    return path.with_name(f"{path.name}-wal")


def kill(path: Path, to: Path) -> Path:
    """Copy what a process that is killed in this very moment leaves of a file."""
    to.parent.mkdir(exist_ok=True)
    shutil.copy(path, to)
    if wal(path).exists():
        shutil.copy(wal(path), wal(to))
    return to


def contents(path: Path) -> list[bytes]:
    """Return what is in a file, and in the log beside it."""
    return [part.read_bytes() for part in (path, wal(path)) if part.exists()]


def rows(path: Path) -> dict[int, dict[str, Any]]:
    """Return the commands that are kept in a copy of a file which is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        return {id_: json_loads_object(data) for id_, data in connection.execute("SELECT id, data FROM command")}


def uuids(path: Path) -> set[str]:
    """Return the UUIDs that are kept in a copy of a file."""
    return {row["uuid"] for row in rows(path).values()}


def a_command(id_: int = 1, **what: Any) -> Command:
    """Return a command."""
    asked = CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=NOON)
    return Command(id=id_, asked=asked, caller=("id", None, None), asked_at=NOON, **what)


async def leave(hass: HomeAssistant, tmp_path: Path, file: Path, entry_id: str, count: int = 50) -> set[str]:
    """Leave a file of an earlier run of Home Assistant, with nothing beside it; return the UUIDs in it."""
    earlier = await open_store(hass, tmp_path / "earlier" / FILE_NAME)
    for number in range(count):
        id_ = earlier.new_id()
        command = a_command(id_, uuid=f"uuid-{number}", state=CommandState.QUEUED)
        await earlier.async_save_command(entry_id, id_, command, patience=AFTER_CALL)
    kill(tmp_path / "earlier" / FILE_NAME, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return uuids(file)


async def leave_devices(hass: HomeAssistant, file: Path, entry_id: str, devices: dict[str, bytes]) -> None:
    """Leave a file of an earlier run of Home Assistant with these rows by IMEI."""
    earlier = await open_store(hass, file.parent.parent / "earlier" / FILE_NAME)
    with closing(sqlite3.connect(kill(earlier._path, file))) as connection, connection:
        connection.executemany(
            "INSERT INTO device VALUES (?, ?, ?)", [(entry_id, imei, row) for imei, row in devices.items()]
        )


def fill_disk(store: CommandStore, pages: int | None = None) -> None:
    """Leave no room for more, or more room again."""
    assert store._connection is not None
    if pages is None:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


# What is saved


async def test_what_is_saved_survives_a_kill(hass: HomeAssistant, store: CommandStore, tmp_path: Path) -> None:
    """A crash would lose commands that somebody was told are queued."""
    first, second = store.new_id(), store.new_id()
    await store.async_save_command(ACCOUNT, second, {"number": 2}, patience=AFTER_CALL)
    await store.async_save_command(ACCOUNT, first, {"number": 1}, patience=AFTER_CALL)
    store.async_save_device(ACCOUNT, IMEI, {"online": True})
    await store.async_save_command("other", store.new_id(), {"number": 3})
    again = await open_store(hass, kill(store._path, tmp_path / "copy" / FILE_NAME))
    assert again.load_commands(ACCOUNT) == [(first, b'{"number":1}'), (second, b'{"number":2}')]
    assert again.load_devices(ACCOUNT) == [(IMEI, b'{"online":true}')]
    assert again.new_id() == store.new_id()


async def test_a_returned_uuid_survives_a_kill(
    hass: HomeAssistant, account: MockConfigEntry, file: Path, tmp_path: Path
) -> None:
    """An automation would wait for a command that Home Assistant has forgotten."""
    response = await offline_read(hass)
    again = await open_store(hass, kill(file, tmp_path / "copy" / FILE_NAME))
    ((_, row),) = again.load_commands(account.entry_id)
    assert Command.from_row(row).uuid == response["uuid"]


async def test_commands_go_on_after_a_kill(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, tmp_path: Path
) -> None:
    """Nobody would hear what becomes of the commands from before."""
    before = await leave(hass, tmp_path, file, entry.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    manager = managers(hass)[entry.entry_id]
    assert all(manager.find(uuid, IMEI) for uuid in before)
    response = await offline_read(hass)
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {*before, response["uuid"]}


async def test_a_hundred_calls_share_their_saves(
    hass: HomeAssistant, account: MockConfigEntry, meters: list[str], file: Path, tmp_path: Path
) -> None:
    """An SD card would wear out, and every call wait for all others."""
    before = async_get_store(hass).transactions
    responses = await asyncio.gather(*(offline_read(hass, imei=imei) for imei in meters))
    assert async_get_store(hass).transactions - before <= 5
    saved = uuids(kill(file, tmp_path / "copy" / FILE_NAME))
    assert saved == {response["uuid"] for response in responses}
    assert len(saved) == 100


async def test_a_save_waits_for_the_calls_under_way(hass: HomeAssistant, store: CommandStore) -> None:
    """Every call would cost a write of its own."""
    saves = []
    for others in (2, 1, 0):
        store.calls_under_way = others
        saves.append(store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL))
    await asyncio.gather(*saves)
    assert store.transactions == 1
    assert len(store.load_commands(ACCOUNT)) == 3


async def test_a_save_does_not_wait_for_a_call_that_hangs(hass: HomeAssistant, store: CommandStore) -> None:
    """One slow reply would hold up all other calls."""
    store.calls_under_way = 1000
    async with asyncio.timeout(1):
        await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    assert len(store.load_commands(ACCOUNT)) == 1


async def test_one_call_alone_does_not_wait(hass: HomeAssistant, store: CommandStore) -> None:
    """Every call would take longer than OneNET needs."""
    for _ in range(2):
        store.async_save_device(ACCOUNT, IMEI, {})
    assert store.transactions == 0
    saved = store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    await asyncio.sleep(0)
    assert store.transactions == 1
    await saved


async def test_what_comes_during_a_write_follows_it(hass: HomeAssistant, store: CommandStore) -> None:
    """A command would stay unsaved until the next one comes."""
    first, second = store.new_id(), store.new_id()
    saves = []
    for id_ in (first, second):
        saves.append(store.async_save_command(ACCOUNT, id_, {}, patience=AFTER_CALL))
        await asyncio.sleep(0)
    await asyncio.gather(*saves)
    assert [id_ for id_, _ in store.load_commands(ACCOUNT)] == [first, second]
    assert store.transactions == 2


async def test_one_who_is_cancelled_takes_nobody_along(hass: HomeAssistant, store: CommandStore) -> None:
    """Cancelling one automation's call would fail the others that were made at the same time."""
    one, other = (store.async_save_command(ACCOUNT, store.new_id(), {}) for _ in range(2))
    one.cancel()
    await other
    assert len(store.load_commands(ACCOUNT)) == 2


async def test_the_last_word_counts(hass: HomeAssistant, store: CommandStore) -> None:
    """A command that was refused would come back at the next start."""
    kept, gone = store.new_id(), store.new_id()
    store.async_save_command(ACCOUNT, gone, {})
    store.async_delete_command(gone)
    store.async_save_command(ACCOUNT, kept, {"state": "old"})
    await store.async_save_command(ACCOUNT, kept, {"state": "new"})
    assert store.load_commands(ACCOUNT) == [(kept, b'{"state":"new"}')]


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
async def test_a_row_is_read_as_it_was_saved(operation: Read | Write | Execute) -> None:
    """A restart would change commands, or forget what is known of them."""
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
        told = [field.name for field in fields(command)]
        assert [getattr(again, name) for name in told] == [getattr(command, name) for name in told]
        assert isinstance(again.state, CommandState)
        assert again.asked.operation.body() == command.asked.operation.body()


async def test_a_row_of_before_there_were_other_commands_than_reads_is_read() -> None:
    """An update would forget every command that waits."""
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


async def test_a_row_that_cannot_be_read_stops_nothing_else(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    device: Device,
    file: Path,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One bad row would take away all of an account's commands."""
    earlier = await open_store(hass, file.parent.parent / "earlier" / FILE_NAME)
    good = a_command(5, uuid="good", state=CommandState.QUEUED)
    bad: dict[str, Any] = json_loads_object(json_bytes(good))
    later = bad | {"uuid": "later", "later": 1, "asked": bad["asked"] | {"priority": 1}}
    rows: list[Any] = [{}, [], bad | {"asked_at": "noon"}, later, good, bad | {"state": "lost"}]
    for row in rows:
        await earlier.async_save_command(entry.entry_id, earlier.new_id(), row)
    earlier.async_save_device(entry.entry_id, IMEI, {"id": "7", "online": True, "newest": NOON, "battery": 3})
    earlier.async_save_device(entry.entry_id, "2", [])
    await earlier.async_save_command("other", 99, {}, patience=AFTER_CALL)
    kill(earlier._path, file)
    expected_warnings.extend(f"The kept command {id_} cannot be read" for id_ in (1, 2, 3, 6))
    assert await hass.config_entries.async_setup(entry.entry_id)
    manager = managers(hass)[entry.entry_id]
    assert manager.find("good")
    assert manager.find("later")
    assert manager.summary()["commands"] == {CommandState.QUEUED: 2}
    assert caplog.text.count("fields of later versions are ignored") == 2
    told = manager.devices.get(IMEI)
    assert (told.key, told.online, told.newest) == ("7", True, NOON)
    assert manager.devices.summary()["known"] == 1


async def test_what_is_known_of_a_device_is_read_as_it_was_saved() -> None:
    """A restart would show old values, or none, until a device that sleeps for a day sends them again."""
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
        # Home Assistant has the rest.
        subentry_id="subentry",
        title="Water meter",
        device_id="device",
        resource_paths=("3303/0/5700",),
        tracked_paths=frozenset({"3303/0/5700"}),
    )
    for device in (full, KnownDevice(imei=IMEI)):
        again = KnownDevice.from_row(IMEI, json_bytes(device.as_row()))
        assert again.as_row() == device.as_row()
        assert [type(reading.value) for reading in again.readings.values()] == [
            type(reading.value) for reading in device.readings.values()
        ]
        assert (again.imei, again.subentry_id, again.resource_paths, again.tracked_paths) == (IMEI, "", (), frozenset())


async def test_a_device_of_before_values_were_kept_is_read(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path
) -> None:
    """After an update, OneNET would be asked for the ids of all devices again, and what moved meanwhile pass unseen."""
    former = {
        IMEI: b'{"id":"7","online":true,"newest":"2026-11-24T04:00:00+00:00"}',
        "1234": b'{"id":"8","online":null,"newest":null}',
    }
    await leave_devices(hass, file, entry.entry_id, former)
    assert await hass.config_entries.async_setup(entry.entry_id)
    devices = managers(hass)[entry.entry_id].devices
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
async def test_a_damaged_device_is_left_out(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, row: bytes
) -> None:
    """One bad row would keep an account from being set up, or hide all other devices."""
    await leave_devices(hass, file, entry.entry_id, {"1": b'{"id":"1"}', "2": row, "3": b'{"id":"3"}'})
    assert await hass.config_entries.async_setup(entry.entry_id)
    devices = managers(hass)[entry.entry_id].devices
    assert devices.summary()["known"] == 2
    assert [devices.get(imei).key for imei in "123"] == ["1", None, "3"]


async def test_a_device_that_is_removed_leaves_nothing(hass: HomeAssistant, store: CommandStore) -> None:
    """What a device sent would be kept for ever, and be shown should it be added again; or another lose its own."""
    for account, imei in ((ACCOUNT, IMEI), (ACCOUNT, "1234"), ("other", IMEI)):
        store.async_save_device(account, imei, {"id": imei})
    await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    assert len(store.load_devices(ACCOUNT)) == 2
    store.async_delete_device(ACCOUNT, IMEI)
    store.async_delete_device(ACCOUNT, "nobody's")
    await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    assert store.load_devices(ACCOUNT) == [("1234", b'{"id":"1234"}')]
    assert store.load_devices("other") == [(IMEI, f'{{"id":"{IMEI}"}}'.encode())]
    assert len(store.load_commands(ACCOUNT)) == 2


async def test_of_a_device_too_the_last_word_counts(hass: HomeAssistant, store: CommandStore) -> None:
    """A device that was removed would come back with old values, or one that was added again lose its new ones."""
    store.async_save_device(ACCOUNT, "removed", {"id": "1"})
    store.async_delete_device(ACCOUNT, "removed")
    store.async_save_device(ACCOUNT, "again", {"id": "1"})
    store.async_delete_device(ACCOUNT, "again")
    store.async_save_device(ACCOUNT, "again", {"id": "2"})
    await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    assert store.load_devices(ACCOUNT) == [("again", b'{"id":"2"}')]


async def test_an_account_that_is_removed_before_it_was_set_up_leaves_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, file: Path, tmp_path: Path
) -> None:
    """Commands of an account that was disabled, and then removed, would fill the disk."""
    before = await leave(hass, tmp_path, file, entry.entry_id)
    assert uuids(file) == before
    await hass.config_entries.async_remove(entry.entry_id)
    await async_get_store(hass).async_save_command("other", 99, {"uuid": "other"}, patience=AFTER_CALL)
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {"other"}


async def test_an_account_that_is_removed_takes_only_its_own_along(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, file: Path, tmp_path: Path
) -> None:
    """Commands of an account that is no longer would fill the disk, or another account lose its own."""
    onenet.onenet.products.append(Product(key="another"))
    onenet.onenet.products[-1].add("866971030000002", "Gas meter")
    other = MockConfigEntry(domain=DOMAIN, title="Other", data={CONF_API_KEY: "another", CONF_URL: onenet.url})
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    await offline_read(hass, config_entry_id=account.entry_id)
    kept = await offline_read(hass, imei="866971030000002", config_entry_id=other.entry_id)
    store = async_get_store(hass)
    for entry in (account, other):
        store.async_save_device(entry.entry_id, IMEI, {"id": "1"})
    await hass.config_entries.async_remove(account.entry_id)
    await store.async_save_command("third", store.new_id(), {"uuid": "third"}, patience=AFTER_CALL)
    assert not [*store.load_commands(account.entry_id), *store.load_devices(account.entry_id)]
    assert store.load_devices(other.entry_id) == [(IMEI, b'{"id":"1"}')]
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {kept["uuid"], "third"}


# A file that is no good


def garbage(file: Path) -> None:
    """Write something else over a file."""
    file.write_bytes(b"garbage!" * 4096)


def damage(file: Path) -> None:
    """Write garbage over the middle of a file."""
    with file.open("r+b") as opened:
        opened.seek(2 * 4096)
        opened.write(b"garbage!" * 1024)


def cut(file: Path) -> None:
    """Leave nothing of a file, as some disks do when the power fails, but what is beside it."""
    wal(file).write_bytes(b"the newest commands")
    file.write_bytes(b"")


def newer(file: Path) -> None:
    """Make a file one of a later version."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")


def kept_aside(file: Path) -> list[Path]:
    """Return the files that were kept, without the logs beside them."""
    return [path for path in file.parent.glob("*.kept-*") if not path.name.endswith("-wal")]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (garbage, "file is not a database"),
        (damage, "Tree "),
        (cut, "it is empty"),
        (newer, "it is of version 2, this is version 1"),
    ],
)
async def test_a_file_that_is_no_good_is_kept_aside(
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
    """Commands would vanish without a word, or all of the account stop working."""
    expected_warnings.append(f"The commands in {file} cannot be read: ")
    await leave(hass, tmp_path, file, entry.entry_id)
    spoil(file)
    before = contents(file)
    assert await hass.config_entries.async_setup(entry.entry_id)

    (kept,) = kept_aside(file)
    assert contents(kept) == before
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "storage_kept_aside")
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["path"] == str(kept)
    assert reason in issue.translation_placeholders["reason"]
    assert reason in caplog.text
    assert f"The file is kept as {kept}" in caplog.text

    response = await offline_read(hass)
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == {response["uuid"]}


def put_in_the_way(file: Path) -> None:
    """Make a directory where the file should be."""
    file.mkdir()


def take_away(file: Path) -> None:
    """Remove that directory."""
    file.rmdir()


async def test_a_file_that_cannot_be_opened_is_tried_again(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, file: Path, expected_warnings: list[str]
) -> None:
    """A person would see a bare error, and have to restart Home Assistant when it is mended."""
    expected_warnings.append("Config entry 'OneNET' for onenet_nbiot integration not ready yet")
    put_in_the_way(file)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "storage_failed"
    assert entry.error_reason_translation_placeholders == {"message": "unable to open database file"}
    take_away(file)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await offline_read(hass)


async def test_another_programs_file_is_left_alone(hass: HomeAssistant, tmp_path: Path) -> None:
    """A file would stay locked until Home Assistant is restarted."""
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
    """Return whether nobody has a file open."""
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",))


async def test_a_directory_that_cannot_be_used_is_told(hass: HomeAssistant, tmp_path: Path) -> None:
    """A person would see an unknown error."""
    (tmp_path / "own").write_text("")
    with pytest.raises(sqlite3.OperationalError, match="File exists"):
        await open_store(hass, tmp_path / "own" / FILE_NAME)


async def test_two_accounts_open_the_file_once(hass: HomeAssistant, tmp_path: Path) -> None:
    """The second account would find the file locked, and fail at every start."""
    store = CommandStore(hass, tmp_path / FILE_NAME)
    await asyncio.gather(store.async_open(), store.async_open())
    await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
    assert len(store.load_commands(ACCOUNT)) == 1


# A disk that is full


async def test_a_full_disk_loses_no_command(
    hass: HomeAssistant,
    account: MockConfigEntry,
    meters: list[str],
    file: Path,
    tmp_path: Path,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A call would fail whose command OneNET has, or the log fill up the disk."""
    expected_warnings.append("Commands cannot be saved, a restart would lose them: database or disk is full")
    store = async_get_store(hass)
    fill_disk(store)
    queued = await queue(hass, meters[:20])
    assert len(queued) == 20
    assert caplog.text.count("Commands cannot be saved") == 1
    assert not queued <= uuids(kill(file, tmp_path / "full" / FILE_NAME))

    fill_disk(store, 1_000_000)
    queued.add((await offline_read(hass))["uuid"])
    assert uuids(kill(file, tmp_path / "copy" / FILE_NAME)) == queued
    assert caplog.text.count("Commands can be saved again") == 1


async def test_a_full_disk_keeps_nobody_waiting(
    hass: HomeAssistant,
    store: CommandStore,
    tmp_path: Path,
    expected_warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call during a failing write would last a minute; and when there is room again, nobody would try."""
    expected_warnings.append("Commands cannot be saved")
    fill_disk(store)
    async with asyncio.timeout(5):
        await asyncio.gather(
            *(
                store.async_save_command(ACCOUNT, store.new_id(), {"x": "x" * 9999}, patience=AFTER_CALL)
                for _ in range(2)
            )
        )
    assert not [*store.load_commands(ACCOUNT), *store.load_devices(ACCOUNT)]
    fill_disk(store, 1_000_000)
    monkeypatch.setattr(store_module, "_TRY_AGAIN", 0)
    store.async_delete_command(99)
    while len(store.load_commands(ACCOUNT)) < 2:  # noqa: ASYNC110 - nobody rings when it has worked
        await asyncio.sleep(0.01)


async def test_a_failed_write_is_tried_again_by_itself(
    hass: HomeAssistant, store: CommandStore, expected_warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands would stay unsaved until somebody queues another, or old news take the place of newer."""
    expected_warnings.append("Commands cannot be saved")
    monkeypatch.setattr(store_module, "_TRY_AGAIN", 0.01)
    fill_disk(store)
    await asyncio.gather(
        *(
            store.async_save_command(ACCOUNT, 1, {"x": "x" * 9999, "is": news}, patience=AFTER_CALL)
            for news in ("old", "new")
        )
    )
    with store._turn:
        fill_disk(store, 1_000_000)
    async with asyncio.timeout(5):
        while not (saved := store.load_commands(ACCOUNT)):  # noqa: ASYNC110 - nobody rings when it has worked
            await asyncio.sleep(0.01)
    assert json_loads_object(saved[0][1])["is"] == "new"


async def test_a_disk_that_is_full_to_the_end_is_told(
    hass: HomeAssistant, store: CommandStore, expected_warnings: list[str]
) -> None:
    """Home Assistant would hang at its end, or lose commands without a word."""
    expected_warnings.extend(("Commands cannot be saved", "Commands could not be saved: database or disk is full"))
    fill_disk(store)
    await store.async_save_command(ACCOUNT, store.new_id(), {"x": "x" * 9999}, patience=AFTER_CALL)
    await hass.async_stop(force=True)
    assert rows(store._path) == {}


# The end


async def test_what_is_pending_is_written_at_the_end(hass: HomeAssistant, store: CommandStore, tmp_path: Path) -> None:
    """Every restart would lose the newest commands."""
    saved = store.async_save_command(ACCOUNT, store.new_id(), {})
    await hass.async_stop(force=True)
    assert saved.done()
    assert not wal(store._path).exists()
    assert list(rows(store._path)) == [1]


async def test_what_is_being_written_at_the_end_is_written_first(hass: HomeAssistant, store: CommandStore) -> None:
    """A slow disk would lose commands at a restart, or have Home Assistant hang."""
    saves: list[asyncio.Future[None]] = []

    def save(_: Event | None = None) -> None:
        saves.append(store.async_save_command(ACCOUNT, 1, {"number": len(saves)}, patience=AFTER_CALL))

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, callback(save))
    store._turn.acquire()
    save()
    save()
    hass.loop.call_later(0.1, store._turn.release)
    async with asyncio.timeout(5):
        await hass.async_stop(force=True)
        await asyncio.gather(*saves)
    assert len(saves) == 3
    assert rows(store._path) == {1: {"number": 2}}
    # A second one would race with the end.
    assert store.transactions == 1


async def test_after_the_end_nothing_hangs(hass: HomeAssistant, store: CommandStore) -> None:
    """Home Assistant would not end while a command is on its way."""
    await hass.async_stop(force=True)
    async with asyncio.timeout(5):
        await store.async_save_command(ACCOUNT, store.new_id(), {}, patience=AFTER_CALL)
        await store.async_pause_checkpoints()
    with pytest.raises(sqlite3.ProgrammingError, match="Home Assistant has stopped"):
        store.load_commands(ACCOUNT)
    with pytest.raises(sqlite3.ProgrammingError, match="Home Assistant has stopped"):
        store.load_devices(ACCOUNT)
    assert rows(store._path) == {}


async def test_an_end_without_commands(hass: HomeAssistant, tmp_path: Path) -> None:
    """Home Assistant would make a file where there is no account."""
    store = CommandStore(hass, tmp_path / FILE_NAME)
    await hass.async_stop(force=True)
    assert not store._path.exists()


# Backups


@pytest.mark.parametrize("cut_at", [0, 0.1, 0.5, 0.9, 1])
async def test_a_backup_is_whole_though_commands_go_on(
    hass: HomeAssistant,
    account: MockConfigEntry,
    meters: list[str],
    file: Path,
    tmp_path: Path,
    expected_warnings: list[str],
    cut_at: float,
) -> None:
    """A backup could not be restored, or would miss commands that were queued before it."""
    expected_warnings.append("zlib_ng and isal are not available")
    before = await queue(hass, meters[:20])
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    manager = hass.data[DATA_MANAGER]
    await manager.async_pre_backup_actions()
    copy = kill(file, tmp_path / "copy" / FILE_NAME)
    (main, _) = contents(copy)
    after = await queue(hass, meters[20:40])
    # More than what is otherwise moved to the main file.
    await async_get_store(hass).async_save_command(ACCOUNT, 99, {"uuid": "x" * 5_000_000}, patience=AFTER_CALL)
    after.add("x" * 5_000_000)
    (main_later, log) = contents(file)
    assert main_later == main
    assert len(log) > 5_000_000
    wal(copy).write_bytes(log[: int(len(log) * cut_at)])
    restored = uuids(copy)
    assert before <= restored <= before | after
    assert (restored == before | after) == (cut_at == 1)
    await manager.async_post_backup_actions()


async def test_the_log_does_not_grow_for_ever(hass: HomeAssistant, account: MockConfigEntry, file: Path) -> None:
    """The disk would be full some day."""
    store = async_get_store(hass)

    async def write() -> int:
        for _ in range(50):
            await store.async_save_command(ACCOUNT, 99, {"x": "x" * 100_000}, patience=AFTER_CALL)
        return len(contents(file)[1])

    await backup.async_pre_backup(hass)
    assert await write() > 5_000_000
    await backup.async_post_backup(hass)
    length = await write()
    assert await write() == length


async def test_a_backup_without_an_account(hass: HomeAssistant) -> None:
    """A backup would fail where the last account was disabled."""
    await backup.async_pre_backup(hass)
    await backup.async_post_backup(hass)


async def test_a_failing_checkpoint_does_not_stop_the_backup(
    hass: HomeAssistant,
    account: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
) -> None:
    """Home Assistant would give up the whole backup for one file of many."""
    expected_warnings += [
        "zlib_ng",
        "The file of the commands may be incomplete",
        "The file of the commands could not be opened",
    ]

    def fail(*statements: str) -> None:
        raise sqlite3.OperationalError("database table is locked")

    monkeypatch.setattr(async_get_store(hass), "_execute", fail)
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    manager = hass.data[DATA_MANAGER]
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
