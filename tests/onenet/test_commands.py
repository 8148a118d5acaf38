"""Tests of the lists, details and logs of commands."""

from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.onenet_nbiot.onenet import clock, errors
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.models import (
    CommandDetail,
    CommandPage,
    CommandRecord,
    CommandState,
    ReadResult,
)
from custom_components.onenet_nbiot.onenet.operations import CachedCommand, Read, Write, WrittenValue
from tests.common import IMEI
from tests.emulator import Device, Fault, FaultKind, Server, Trigger

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def read() -> CachedCommand:
    """Return a valid cached read command."""
    return CachedCommand(
        operation=Read(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700),
        expired_time=datetime(2099, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-12-02 09:02:24", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("2020-12-02T09:02:24", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("2020-12-02 09:02:24.981", datetime(2020, 12, 2, 1, 2, 24, 981000, tzinfo=UTC)),
        ("2020-12-02T09:02:24:981", datetime(2020, 12, 2, 1, 2, 24, 981000, tzinfo=UTC)),
        (" 2020-12-02 00:02:24 ", datetime(2020, 12, 1, 16, 2, 24, tzinfo=UTC)),
        ("Wed Dec 02 09:02:24 CST 2020", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("2020-12-02T09:02:24+08:00", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("2020-12-02t01:02:24z", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("1606870944000", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
        ("1606870944", datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)),
    ],
)
def test_from_wire_parses_every_time_format(text: str, moment: datetime) -> None:
    """`from_wire` parses every time format."""
    assert clock.from_wire(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2020-13-02 09:02:24",
        "2020-12-02",
        "0",
        "123",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
    ],
)
def test_from_wire_rejects_invalid_times(text: str) -> None:
    """`from_wire` rejects invalid times and those that mean never."""
    with pytest.raises(ValueError, match=r".+"):
        clock.from_wire(text)


@pytest.mark.parametrize(
    ("send_status", "confirm_status", "state", "reason"),
    [
        (1, None, CommandState.QUEUED, None),
        ("1", "", CommandState.QUEUED, None),
        (2, None, CommandState.CANCELLED, None),
        (3, None, CommandState.SENT, None),
        (4, None, CommandState.EXPIRED, None),
        (5, None, CommandState.SENT, None),
        (5, 0, CommandState.SUCCEEDED, None),
        (5, "0", CommandState.SUCCEEDED, None),
        (5, "SUCCESS", CommandState.SUCCEEDED, None),
        (5, 9, CommandState.FAILED, "bad_request"),
        (5, "NOT_FOUND", CommandState.FAILED, "not_found"),
        (5, 99, CommandState.FAILED, "99"),
        (5, "9" * 5000, CommandState.FAILED, "9" * 64),
        (5, "Teapot (short and stout)", CommandState.FAILED, "teapot_short_and_stout"),
        (5, "unsuccess:TIME_OUT", CommandState.FAILED, "time_out"),
        (5, "5(TIME_OUT)", CommandState.FAILED, "time_out"),
        (5, "time out", CommandState.FAILED, "time_out"),
        (6, None, CommandState.FAILED, "failed"),
        (6, "SUCCESS", CommandState.FAILED, "failed"),
        (6, 5, CommandState.FAILED, "time_out"),
        (7, None, CommandState.FAILED, "undefined"),
        (8, "SUCCESS", CommandState.FAILED, "undefined"),
        (42, None, CommandState.QUEUED, None),
    ],
)
def test_the_state_depends_on_the_send_and_confirm_status(
    send_status: Any, confirm_status: Any, state: CommandState, reason: str | None
) -> None:
    """The state and reason of a command depend on the send status and the confirm status."""
    record = CommandRecord.from_wire(
        {"cmd_uuid": "u ", "type": "READ", "send_status": send_status, "confirm_status": confirm_status, "remain": "3"}
    )
    assert (record.uuid, record.command, record.remain) == ("u", "read", 3)
    assert (record.state, record.reason) == (state, reason)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ([{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}], [(3303, 0, 5700, None, 21.5)]),
        ('[{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}]', [(3303, 0, 5700, None, 21.5)]),
        (
            {
                "obj_id": 3,
                "obj_inst": [
                    {
                        "obj_inst_id": 0,
                        "res": [
                            {"res_id": 13, "val": 1530496927000},
                            {"res_id": 11, "res_inst": [{"res_inst_id": 0, "val": 0}, {"res_inst_id": 1, "val": 7}]},
                        ],
                    }
                ],
            },
            [(3, 0, 13, None, 1530496927000), (3, 0, 11, 0, 0), (3, 0, 11, 1, 7)],
        ),
        (
            {"obj_id": 0, "obj_inst": [{"obj_inst_id": "1", "res": [{"res_id": "2", "val": None}]}]},
            [(0, 1, 2, None, None)],
        ),
        # A list of bytes is an opaque value; other lists are unchanged.
        ([{"obj_inst_id": 0, "res": [{"res_id": 1, "val": [0, 255, 16]}]}], [(3303, 0, 1, None, "00ff10")]),
        ([{"obj_inst_id": 0, "res": [{"res_id": 1, "val": [256]}]}], [(3303, 0, 1, None, [256])]),
        # A nested list, and an envelope with only data.
        ([[{"obj_inst_id": 0, "res": [{"res_id": 1, "val": 1}]}]], [(3303, 0, 1, None, 1)]),
        ({"data": [{"obj_inst_id": 0, "res": [{"res_id": 1, "val": 1}]}]}, [(3303, 0, 1, None, 1)]),
        # A JSON string of a JSON string.
        (json.dumps(json.dumps([{"obj_inst_id": 0, "res": [{"res_id": 1, "val": 1}]}])), [(3303, 0, 1, None, 1)]),
        # Invalid entries among valid ones.
        (
            [
                7,
                {"res": [{"res_id": 1, "val": 1}]},
                {"obj_inst_id": 0, "res": [{"val": 1}, 8, {"res_id": 2, "val": 2}]},
            ],
            [(3303, 0, 2, None, 2)],
        ),
        ([{"obj_inst_id": 0, "res": [{"res_id": 1}, {"res_id": 2, "res_inst": 5}]}], []),
        ([{"obj_inst_id": 0, "res": [{"res_id": 2, "val": 7, "res_inst": None}]}], [(3303, 0, 2, None, 7)]),
        ("not JSON", []),
        ("[" * 200_000, []),
        (None, []),
        ({}, []),
    ],
)
def test_values_of_a_read_are_parsed_in_every_format(data: Any, values: list[tuple[Any, ...]]) -> None:
    """The values of a read are parsed in every format; invalid values are omitted."""
    result = ReadResult.from_wire(data, 3303)
    assert [(v.obj_id, v.obj_inst_id, v.res_id, v.res_inst_id, v.value) for v in result.values] == values


@pytest.mark.parametrize(
    ("data", "unreadable"),
    [
        (None, False),
        ("  ", False),
        ([], False),
        ({"errno": 0, "error": "succ"}, False),
        ([{"errno": 0, "error": "succ"}], False),
        ({"code": 0, "data": None}, False),
        ([{"obj_inst_id": 0, "res": []}], False),
        ([{}], False),
        ("21.5", True),
        ("not JSON", True),
        (21.5, True),
        ({"payload": "ff"}, True),
        ({"errno": 0, "data": {"payload": "ff"}}, True),
        ([{"obj_inst_id": 0, "res": [{"res_id": 5700}]}], True),
        ([{"obj_inst_id": 70000, "res": [{"res_id": 5700, "val": 1}]}], True),
    ],
    ids=str,
)
def test_a_result_without_valid_values_is_unreadable_unless_it_is_empty(data: Any, *, unreadable: bool) -> None:
    """A result without valid values is unreadable, unless it is empty."""
    assert ReadResult.from_wire(data, 3303) == ((), unreadable)


@pytest.mark.parametrize(
    ("content", "contradicts"),
    [
        ({"data": [{"res_id": 1, "val": True}, {"res_id": 2, "val": 80}]}, False),
        ({"data": [{"res_id": 1, "val": "true"}, {"res_id": 2, "val": "80"}]}, False),
        (None, False),
        ("not JSON", False),
        ({"data": [{"res_id": 1, "val": True}, {"res_id": 2, "val": {}}]}, False),
        ({"data": [{"res_id": 1, "val": True}]}, True),
        ({"data": [{"res_id": 1, "val": False}, {"res_id": 2, "val": 80}]}, True),
        ({"data": [{"res_id": 1, "val": 1}, {"res_id": 2, "val": 80}]}, True),
    ],
    ids=str,
)
def test_only_valid_values_contradict_a_write(content: Any, *, contradicts: bool) -> None:
    """A write is contradicted by different values, but not by missing or invalid ones."""
    write = Write(
        imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, value=True), WrittenValue(2, value=80))
    )
    detail = CommandDetail.from_wire({"type": "WRITE", "send_status": 1, "content": content}, "u")
    assert detail.contradicts(write) is contradicts


@pytest.mark.parametrize(
    "args",
    [
        {"obj_id": 3303, "obj_inst_id": "0", "res_id": 5700},
        '{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}',
        "imei=1234&obj_id=3303&obj_inst_id=0&res_id=5700",
    ],
)
def test_the_target_of_a_command_is_parsed_in_every_format(args: Any) -> None:
    """The target of a command is parsed in every format."""
    detail = CommandDetail.from_wire({"send_status": 1, "args": args}, "u")
    assert (detail.obj_id, detail.obj_inst_id, detail.res_id, detail.values) == (3303, 0, 5700, ())


def test_invalid_items_and_a_missing_total_do_not_prevent_parsing_a_list() -> None:
    """Invalid commands are omitted from a list, and its total may have another name or be missing."""
    page = CommandPage.from_wire({"count": 3, "items": [{"cmd_uuid": "u", "send_status": 1}, {"cmd_uuid": ""}, 7]})
    assert (page.total_count, [command.uuid for command in page.commands]) == (3, ["u"])
    assert page.size == 3
    assert CommandPage.from_wire({"items": [{"cmd_uuid": "u", "send_status": 1}]}).total_count is None


async def test_a_command_is_tracked_until_it_succeeds(client: OneNetClient, onenet: Server, device: Device) -> None:
    """The details and the log of a command are available until it succeeds."""
    uuid = await client.queue(read())
    waiting = await client.get_command(IMEI, uuid)
    assert (waiting.record.state, waiting.record.send_time, waiting.values) == (CommandState.QUEUED, None, ())
    assert (waiting.obj_id, waiting.obj_inst_id, waiting.res_id) == (3303, 0, 5700)
    assert waiting.record.expired_time == datetime(2099, 1, 1, tzinfo=UTC)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    done = await client.get_command(IMEI, uuid)
    assert (done.record.state, [value.value for value in done.values]) == (CommandState.SUCCEEDED, [21.5])
    assert done.record.confirm_time
    assert done.record.create_time
    assert timedelta() <= done.record.confirm_time - done.record.create_time < timedelta(minutes=1)
    log = await client.get_command_log(IMEI, uuid)
    assert [entry.text for entry in log] == ["received command", "send command", "received confirm message"]
    assert all(entry.time for entry in log)


async def test_get_all_commands_reads_all_pages(client: OneNetClient, onenet: Server, device: Device) -> None:
    """`get_all_commands` reads all pages, newest command first."""
    expected = []
    for _ in range(25):
        expected += [await client.queue(read()) for _ in range(10)]
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
    commands = await client.get_all_commands(IMEI, start=LONG_AGO)
    assert [command.uuid for command in commands] == expected[::-1]
    assert len([request for request in onenet.requests if request.path.endswith("/history")]) == 3
    assert await client.get_all_commands(IMEI, start=datetime.now(UTC) + timedelta(hours=1)) == []
    page = await client.get_commands(IMEI, start=LONG_AGO, end=LONG_AGO, page=1)
    assert (page.total_count, page.commands) == (0, ())


@pytest.mark.parametrize("total", [3, None, 10**9])
async def test_get_all_commands_accepts_small_pages_and_wrong_totals(
    client: OneNetClient, onenet: Server, device: Device, total: int | None
) -> None:
    """`get_all_commands` reads all pages if they are small or the total is wrong."""
    for items in ([{"cmd_uuid": "a", "send_status": 1}, 7], [{"cmd_uuid": "b", "send_status": 1}], []):
        text = json.dumps({"errno": 0, "data": {"total_count": total, "items": items}})
        onenet.faults.append(Fault(kind=FaultKind.BODY, text=text))
    commands = await client.get_all_commands(IMEI, start=LONG_AGO)
    assert [command.uuid for command in commands] == ["a", "b"]


async def test_get_all_commands_continues_after_full_pages(
    client: OneNetClient, onenet: Server, device: Device
) -> None:
    """`get_all_commands` continues after full pages if the total is too low."""
    uuids = [f"u{number}" for number in range(250)]
    for start in (0, 100, 200):
        items = [{"cmd_uuid": uuid, "send_status": 1} for uuid in uuids[start : start + 100]]
        onenet.faults.append(Fault(kind=FaultKind.DATA, data={"total_count": 100, "items": items}))
    commands = await client.get_all_commands(IMEI, start=LONG_AGO)
    assert [command.uuid for command in commands] == uuids


async def test_get_all_commands_requests_smaller_pages_after_a_rejection(
    client: OneNetClient, onenet: Server, device: Device
) -> None:
    """`get_all_commands` requests smaller pages after OneNET rejected the size."""
    uuid = await client.queue(read())
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=6, text="invalid parameter: per_page"))
    for _ in range(2):
        assert [command.uuid for command in await client.get_all_commands(IMEI, start=LONG_AGO)] == [uuid]
    assert [request.query["per_page"] for request in onenet.requests] == ["100", "30", "30"]
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=6, text="invalid parameter: imei"))
    with pytest.raises(errors.InvalidRequestError):
        await client.get_all_commands(IMEI, start=LONG_AGO)


@pytest.mark.parametrize("data", ["null", "{}"])
async def test_an_empty_reply_raises_an_unknown_command_error(
    client: OneNetClient, onenet: Server, device: Device, data: str
) -> None:
    """An empty reply for a command raises UnknownCommandError."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=f'{{"errno": 0, "data": {data}}}'))
    with pytest.raises(errors.UnknownCommandError):
        await client.get_command(IMEI, "u")


async def test_waiting_commands_are_cancelled_individually_or_together(client: OneNetClient, device: Device) -> None:
    """Waiting commands are cancelled individually or together."""
    first, second, third = [await client.queue(read()) for _ in range(3)]
    await client.cancel_command(IMEI, first)
    assert (await client.get_command(IMEI, first)).record.state is CommandState.CANCELLED
    cancelled = await client.cancel_commands(IMEI)
    assert (cancelled.succeeded, cancelled.failed) == ((second, third), ())
    with pytest.raises(errors.PlatformError):
        await client.cancel_command(IMEI, first)


@pytest.mark.parametrize(
    ("call", "arguments", "data"),
    [
        *(("get_commands", (), data) for data in ("7", '"text"', '{"items": 7}', '{"other": 1}')),
        *(("get_command", ("u",), data) for data in ("7", '"text"', '{"cmd_uuid": "u"}', '[{"a": 1}, {"b": 2}]')),
        *(("get_command_log", ("u",), data) for data in ("7", '{"log": "a"}', '"text"')),
    ],
)
async def test_a_reply_in_another_format_raises_an_unexpected_reply_error(
    client: OneNetClient, onenet: Server, device: Device, call: str, arguments: tuple[str, ...], data: str
) -> None:
    """A reply in another format raises UnexpectedReplyError."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=f'{{"errno": 0, "data": {data}}}'))
    keywords = {"start": LONG_AGO} if call == "get_commands" else {}
    with pytest.raises(errors.UnexpectedReplyError):
        await getattr(client, call)(IMEI, *arguments, **keywords)


async def test_invalid_uuids_of_cancelled_commands_are_omitted(
    client: OneNetClient, onenet: Server, device: Device
) -> None:
    """Invalid UUIDs of cancelled commands are omitted."""
    text = '{"errno": 0, "data": {"succ": ["a ", "../cancel/all", [7], ""], "failed": null}}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=text))
    cancelled = await client.cancel_commands(IMEI)
    assert (cancelled.succeeded, cancelled.failed) == (("a",), ())


async def test_invalid_lines_of_a_log_are_omitted(client: OneNetClient, onenet: Server, device: Device) -> None:
    """Invalid lines of a log are omitted, and an invalid time is None."""
    text = '{"errno": 0, "data": [{"log": "sent", "time": "?"}, 7, {"time": "2020-12-02 09:02:24"}]}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=text))
    log = await client.get_command_log(IMEI, "u")
    assert [(entry.text, entry.time is None) for entry in log] == [("sent", True), ("", False)]
