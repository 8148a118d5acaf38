"""Tests of the operations with both platforms of the emulator."""

import asyncio
from datetime import UTC, datetime
import json
from typing import Any

import aiohttp
import pytest

from custom_components.onenet_nbiot.onenet import errors, nbiot
from custom_components.onenet_nbiot.onenet.auth import AccessKey, ApiKey
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.models import CommandDetail, CommandState, Resource
from custom_components.onenet_nbiot.onenet.operations import (
    CONTENT_MAX,
    LWM2M_ID_MAX,
    CachedCommand,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    ValueType,
    Write,
    WriteMode,
    WrittenValue,
)
from custom_components.onenet_nbiot.onenet.platforms import CURRENT, LEGACY, Platform
from tests.common import ACCESS_KEY, IMEI, KEY, PRODUCT_ID, until
from tests.emulator import Device, Fault, FaultKind, Server, Switches, Trigger

EXPIRED_TIME = datetime(2099, 1, 1, tzinfo=UTC)
OPENED_AT = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
VALVE: dict[tuple[int, int, int], Any] = {
    (3306, 0, 5850): False,
    (3306, 0, 5851): 0,
    (3306, 0, 5750): "valve",
    (3306, 0, 5500): b"\x00",
    (3306, 0, 5518): datetime(2020, 1, 1, tzinfo=UTC),
    (3306, 1, 5850): True,
}
REBOOT = (3, 0, 4)
OPEN = Write(
    imei=IMEI,
    obj_id=3306,
    obj_inst_id=0,
    values=(
        WrittenValue(5850, value=True),
        WrittenValue(5851, 80),
        WrittenValue(5750, "阀门"),
        WrittenValue.opaque(5500, b"\x01\xff"),
        WrittenValue.time(5518, OPENED_AT),
    ),
)
OPENED: dict[tuple[int, int, int], Any] = {
    (3306, 0, 5850): True,
    (3306, 0, 5851): 80,
    (3306, 0, 5750): "阀门",
    (3306, 0, 5500): b"\x01\xff",
    (3306, 0, 5518): OPENED_AT,
}


@pytest.fixture(params=[(LEGACY, ApiKey(KEY)), (LEGACY, None), (CURRENT, None)], ids=["api_key", "legacy", "current"])
def client(session: aiohttp.ClientSession, onenet: Server, request: pytest.FixtureRequest) -> OneNetClient:
    """Return a client for each platform with each kind of key."""
    platform: Platform
    platform, api_key = request.param
    credentials = api_key or AccessKey(f"products/{PRODUCT_ID}", ACCESS_KEY)
    return OneNetClient(session, credentials, base_url=onenet.url, platform=platform, product_id=PRODUCT_ID, pause=0)


@pytest.fixture
def valve(device: Device) -> Device:
    """Return a device with writable and executable resources."""
    device.resources |= VALVE
    device.executables.add(REBOOT)
    return device


@pytest.fixture
def awake(valve: Device) -> Device:
    """Return the online device."""
    valve.online = True
    return valve


def cached(operation: Read | Write | Execute, **schedule: Any) -> CachedCommand:
    """Return a valid cached command."""
    return CachedCommand(operation=operation, expired_time=EXPIRED_TIME, **schedule)


async def test_a_cached_write_changes_the_device_when_it_wakes(
    client: OneNetClient, onenet: Server, valve: Device
) -> None:
    """A cached write changes the device when it wakes."""
    uuid = await client.queue(cached(OPEN, retry=2))
    request = onenet.requests[-1]
    assert (request.method, request.query["mode"], request.query["retry"]) == ("POST", "2", "2")
    assert "res_id" not in request.query
    assert json.loads(request.body) == {
        "data": [
            {"res_id": 5850, "val": True},
            {"res_id": 5851, "val": 80},
            {"res_id": 5750, "val": "阀门"},
            {"res_id": 5500, "val": "01ff", "type": 1},
            {"res_id": 5518, "val": int(OPENED_AT.timestamp()), "type": 2},
        ]
    }
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert valve.resources | OPENED == valve.resources
    detail = await client.get_command(IMEI, uuid)
    assert (detail.record.command, detail.record.state) == ("write", CommandState.SUCCEEDED)
    assert (detail.mode, detail.written) == (WriteMode.UPDATE, OPEN.values)
    assert not detail.contradicts(OPEN)
    assert detail.could_match(OPEN)
    assert detail.values == ()


async def test_a_replacing_write_deletes_the_other_resources(
    client: OneNetClient, onenet: Server, valve: Device
) -> None:
    """A write in replace mode deletes the other resources of the object instance."""
    replace = Write(
        imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(5850, value=True),), mode=WriteMode.REPLACE
    )
    await client.queue(cached(replace))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert {path: value for path, value in valve.resources.items() if path[0] == 3306} == {
        (3306, 0, 5850): True,
        (3306, 1, 5850): True,
    }


@pytest.mark.parametrize(("args", "body"), [("0='10'", {"args": "0='10'"}), (None, {}), ("", {"args": ""})])
async def test_a_cached_execute_is_executed_when_the_device_wakes(
    client: OneNetClient, onenet: Server, valve: Device, args: str | None, body: dict[str, str]
) -> None:
    """A cached execute command is executed when the device wakes."""
    uuid = await client.queue(cached(Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args=args)))
    request = onenet.requests[-1]
    assert request.path.endswith("/execute/offline")
    assert (request.method, json.loads(request.body)) == ("POST", body)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert valve.executed == [(REBOOT, args)]
    detail = await client.get_command(IMEI, uuid)
    assert (detail.record.command, detail.record.state) == ("execute", CommandState.SUCCEEDED)
    assert detail.args == (args or "")


async def test_a_write_that_the_device_rejects_fails_with_the_reason(
    client: OneNetClient, onenet: Server, valve: Device
) -> None:
    """A write that the device rejects fails with the reason of the device."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(5850, "open"),))
    uuid = await client.queue(cached(operation))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    record = (await client.get_command(IMEI, uuid)).record
    assert (record.state, record.reason) == (CommandState.FAILED, "req_param_error")


@pytest.mark.parametrize("length", [0, 1])
async def test_the_maximum_size_of_arguments_is_2048_bytes(
    client: OneNetClient, onenet: Server, valve: Device, length: int
) -> None:
    """The maximum size of arguments is 2048 bytes."""
    # The first character has three bytes.
    text = "阀" + "x" * (CONTENT_MAX - 3 + length)
    operation = Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args=text)
    if length:
        for call in (client.queue(cached(operation)), client.execute(operation)):
            with pytest.raises(errors.BodyTooLargeError, match="2049 bytes"):
                await call
        assert not onenet.requests
    else:
        await client.queue(cached(operation))
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        assert valve.executed == [(REBOOT, text)]


@pytest.mark.parametrize("length", [0, 1])
async def test_the_maximum_size_of_values_is_2048_bytes(
    client: OneNetClient, onenet: Server, valve: Device, length: int
) -> None:
    """The maximum size of the list of values is 2048 bytes, without the enclosing object."""
    around = len(b'[{"res_id":5750,"val":""}]')
    text = "x" * (CONTENT_MAX - around + length)
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(5750, text),))
    if length:
        with pytest.raises(errors.BodyTooLargeError, match="2049 bytes"):
            await client.queue(cached(operation))
        assert not onenet.requests
    else:
        await client.queue(cached(operation))
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        assert valve.resources[3306, 0, 5750] == text


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (Read(imei=IMEI, obj_id=3303), "read"),
        (OPEN, "write"),
        (Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4), "execute"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_command_is_sent_once_if_the_reply_is_lost(
    session: aiohttp.ClientSession, client: OneNetClient, onenet: Server, valve: Device, operation: Any, kind: str
) -> None:
    """Every kind of command is sent once if the reply is lost."""
    for fault in (FaultKind.RESET_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY):
        onenet.faults.append(Fault(kind=fault))
        with pytest.raises(errors.OutcomeUnknownError):
            await client.queue(cached(operation))
    assert [command.kind for command in onenet.onenet.commands] == [kind.upper()] * 3
    assert len(onenet.requests) == 3


async def test_read_returns_the_values_of_an_online_device(client: OneNetClient, onenet: Server, awake: Device) -> None:
    """`read` returns the values of an online device."""
    values = await client.read(Read(imei=IMEI, obj_id=3306, obj_inst_id=0), device_timeout=30)
    assert {(value.obj_id, value.obj_inst_id, value.res_id): value.value for value in values} == {
        (3306, 0, 5500): "00",
        (3306, 0, 5518): int(VALVE[3306, 0, 5518].timestamp()),
        (3306, 0, 5750): "valve",
        (3306, 0, 5850): False,
        (3306, 0, 5851): 0,
    }
    assert onenet.requests[-1].query == {"imei": IMEI, "obj_id": "3306", "obj_inst_id": "0", "timeout": "30"}
    await client.read(Read(imei=IMEI, obj_id=3306))
    assert "timeout" not in onenet.requests[-1].query


async def test_write_and_execute_take_effect_on_an_online_device(
    client: OneNetClient, onenet: Server, awake: Device
) -> None:
    """`write` and `execute` take effect on an online device immediately."""
    await client.write(OPEN, device_timeout=5)
    assert awake.resources | OPENED == awake.resources
    assert onenet.requests[-1].query["timeout"] == "5"
    await client.execute(Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args="0"))
    assert awake.executed == [(REBOOT, "0")]


@pytest.mark.parametrize(
    ("value", "sent"),
    [(30, "30"), (30.0, "30.0"), (-2.5, "-2.5"), (0.00001, "0.00001"), (1e22, "10000000000000000000000")],
)
async def test_a_threshold_is_sent_without_an_exponent(
    client: OneNetClient, onenet: Server, awake: Device, value: float, sent: str
) -> None:
    """A threshold is sent without an exponent."""
    await client.observe(Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, gt=value))
    assert awake.observations[3303, 0, 5700] == {"gt": sent}


@pytest.mark.parametrize("data", ["text", 7, {"payload": 1}])
async def test_read_raises_an_error_for_a_reply_without_valid_values(
    client: OneNetClient, onenet: Server, awake: Device, data: Any
) -> None:
    """`read` raises UnexpectedReplyError for a reply without valid values."""
    onenet.faults.append(Fault(kind=FaultKind.DATA, data=data))
    with pytest.raises(errors.UnexpectedReplyError):
        await client.read(Read(imei=IMEI, obj_id=3303))


async def test_observe_starts_and_cancels_an_observation(client: OneNetClient, onenet: Server, awake: Device) -> None:
    """`observe` starts and cancels an observation."""
    await client.observe(
        Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, pmin=60, pmax=3600, gt=30.5, lt=10, st=0.5)
    )
    assert awake.observations == {
        (3303, 0, 5700): {"pmin": "60", "pmax": "3600", "gt": "30.5", "lt": "10", "st": "0.5"}
    }
    await client.observe(Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, cancel=True))
    assert awake.observations == {}


async def test_discover_and_get_resources_return_the_resources_of_a_device(
    client: OneNetClient, onenet: Server, awake: Device
) -> None:
    """`discover` and `get_resources` return the resources of a device."""
    found = await client.discover(Discover(imei=IMEI, obj_id=3306, obj_inst_id=1))
    assert found == (Resource(obj_id=3306, obj_inst_id=1, res_id=5850),)
    assert len(await client.discover(Discover(imei=IMEI, obj_id=3306))) == len(VALVE)
    awake.online = False
    onenet.onenet.switches = Switches(current_resources=True)
    known = await client.get_resources(IMEI)
    assert {(r.obj_id, r.obj_inst_id, r.res_id) for r in known} == {*awake.resources, *awake.executables}
    assert await client.get_resources(IMEI, obj_id=3) == (Resource(obj_id=3, obj_inst_id=0, res_id=4),)
    assert await client.get_resources(IMEI, obj_id=9) == ()


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        ("read", Read(imei=IMEI, obj_id=3303)),
        ("write", OPEN),
        ("execute", Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4)),
        ("observe", Observe(imei=IMEI, obj_id=3303)),
        ("discover", Discover(imei=IMEI, obj_id=3303)),
    ],
)
async def test_immediate_commands_raise_the_matching_error(
    client: OneNetClient, onenet: Server, valve: Device, call: str, operation: Operation
) -> None:
    """Immediate commands raise the error that matches the failure, and are not repeated."""
    perform = getattr(client, call)
    with pytest.raises(errors.DeviceOfflineError):
        await perform(operation)
    valve.online = True
    valve.answers = False
    with pytest.raises(errors.DeviceTimeoutError):
        await perform(operation)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5106, text="OFFLINE"))
    with pytest.raises(errors.DeviceOfflineError):
        await perform(operation)
    valve.answers = True
    valve.resources.clear()
    valve.executables.clear()
    with pytest.raises(errors.DeviceError, match="NOT_FOUND"):
        await perform(operation)
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER))
    lost = errors.ConfirmationLostError if call in ("write", "execute") else errors.NoReplyError
    with pytest.raises(lost):
        await perform(operation)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5108, text="RPC error"))
    lost_in_rpc = errors.ConfirmationLostError if call in ("write", "execute") else errors.PlatformBusyError
    with pytest.raises(lost_in_rpc):
        await perform(operation)
    assert len(onenet.requests) == 6


async def test_pending_immediate_commands_leave_connections_for_other_requests(
    client: OneNetClient, onenet: Server, awake: Device
) -> None:
    """Pending immediate commands leave connections for other requests."""
    awake.hesitates = True
    # Home Assistant's session is limited to 100 connections to a host.
    reads = [asyncio.create_task(client.read(Read(imei=IMEI, obj_id=3303), device_timeout=40)) for _ in range(150)]
    await until(lambda: len(awake.waiting) == nbiot._IMMEDIATE_MAX)
    async with asyncio.timeout(5):
        await client.queue(cached(Read(imei=IMEI, obj_id=3303)))
    assert not any(read.done() for read in reads)
    awake.hesitates = False
    onenet.onenet.answer(IMEI)
    answers = await asyncio.wait_for(asyncio.gather(*reads), 30)
    assert [values[0].value for values in answers] == [21.5] * 150


async def test_the_device_timeout_is_added_to_the_request_timeout(
    session: aiohttp.ClientSession, onenet: Server, awake: Device
) -> None:
    """The device timeout is added to the request timeout."""
    client = OneNetClient(session, ApiKey(KEY), base_url=onenet.url, timeout=0.2, pause=0)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.6))
    assert await client.read(Read(imei=IMEI, obj_id=3303), device_timeout=5)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.6))
    with pytest.raises(errors.SlowReplyError):
        await client.check_credentials()


@pytest.mark.parametrize(
    ("data", "resources"),
    [
        ([{"obj_inst_id": 3, "res_id": [3, 2, 4]}], [(3303, 3, 3), (3303, 3, 2), (3303, 3, 4)]),
        ([{"obj_inst_id": "3", "res_id": []}, {"obj_inst_id": 4}], [(3303, 3, None), (3303, 4, None)]),
        ([{"obj_inst_id": 3, "res_id": ["3", "2"]}], [(3303, 3, 3), (3303, 3, 2)]),
        ([7, {"res_id": [1]}, {"obj_inst_id": 0, "res_id": ["x", None, 5, 2**70, -1]}], [(3303, 0, 5)]),
        ([], []),
    ],
)
def test_discovered_resources_are_parsed_in_every_format(
    data: Any, resources: list[tuple[int, int, int | None]]
) -> None:
    """Discovered resources are parsed in every format; invalid ones are omitted."""
    found = Resource.all_from_discovery(data, 3303)
    assert [(resource.obj_id, resource.obj_inst_id, resource.res_id) for resource in found] == resources


@pytest.mark.parametrize(
    ("data", "resources"),
    [
        # The documented sample.
        (
            {"total_count": 1, "item": [{"obj_id": 3200, "instances": [{"inst_id": 0, "resources": [5500]}]}]},
            [(3200, 0, 5500)],
        ),
        ({"item": [{"obj_id": 3, "instances": [{"inst_id": 0}]}, {"obj_id": 4}, 7, {}]}, [(3, 0, None)]),
        ({"item": []}, []),
    ],
)
def test_the_list_of_resources_is_parsed_in_every_format(
    data: Any, resources: list[tuple[int, int, int | None]]
) -> None:
    """The list of resources is parsed in every format; invalid entries are omitted."""
    found = Resource.all_from_list(data)
    assert [(resource.obj_id, resource.obj_inst_id, resource.res_id) for resource in found] == resources


@pytest.mark.parametrize("data", ["text", 7, {"item": 7}])
def test_a_reply_without_a_list_of_resources_raises_an_error(data: Any) -> None:
    """A reply without a list of resources raises UnexpectedReplyError."""
    with pytest.raises(errors.UnexpectedReplyError):
        Resource.all_from_list(data)
    if not isinstance(data, dict):
        with pytest.raises(errors.UnexpectedReplyError):
            Resource.all_from_discovery(data, 3303)


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("3303/0/5700", (3303, 0, 5700)),
        ("3303_0_5700", (3303, 0, 5700)),
        (" 3303/0/5700\n", (3303, 0, 5700)),
        ("03303/00/05700", (3303, 0, 5700)),
        ("0/0/0", (0, 0, 0)),
        (f"{LWM2M_ID_MAX}_{LWM2M_ID_MAX}_{LWM2M_ID_MAX}", (LWM2M_ID_MAX, LWM2M_ID_MAX, LWM2M_ID_MAX)),
    ],
)
def test_from_path_parses_paths_and_ids_of_datastreams(path: str, numbers: tuple[int, int, int]) -> None:
    """`from_path` parses paths and ids of datastreams."""
    resource = Resource.from_path(path)
    assert (resource.obj_id, resource.obj_inst_id, resource.res_id) == numbers
    assert resource.path == "{}/{}/{}".format(*numbers)
    assert Resource.from_path(resource.path) == resource


@pytest.mark.parametrize(
    "path",
    [
        "",
        "3303",
        "3303/0",
        "3303/0/",
        "/3303/0/5700",
        "3303//5700",
        "3303/0/5700/1",
        "3303_0_5700_1",
        "3303/0_5700",
        "3303_0/5700",
        "3303-0-5700",
        "3303/ 0/5700",
        "3303/-1/5700",
        "3303/+1/5700",
        "3303/0.0/5700",
        f"{LWM2M_ID_MAX + 1}/0/5700",
        f"3303/{LWM2M_ID_MAX + 1}/5700",
        f"3303_0_{LWM2M_ID_MAX + 1}",
        "3303/0/" + "0" * 5000,
        "temperature",
        "a/b/c",
        "\N{FULLWIDTH DIGIT THREE}/0/5700",
        "3303/\N{ARABIC-INDIC DIGIT ZERO}/5700",
        "3303/0/\N{SUPERSCRIPT TWO}",
    ],
)
def test_from_path_rejects_invalid_paths(path: str) -> None:
    """`from_path` rejects invalid paths."""
    with pytest.raises(ValueError, match=r"is not the path of a resource|has a number above 65\d+"):
        Resource.from_path(path)


def test_the_path_of_an_object_instance_has_no_resource() -> None:
    """The path of an object instance has no resource id, and is rejected by `from_path`."""
    instance = Resource(obj_id=3303, obj_inst_id=1, res_id=None)
    assert instance.path == "3303/1"
    with pytest.raises(ValueError, match="is not the path of a resource"):
        Resource.from_path(instance.path)


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ({"data": [{"res_id": 1, "val": 7}]}, (WrittenValue(1, 7),)),
        ('{"data": [{"res_id": "1", "val": "7", "type": "2"}]}', (WrittenValue(1, "7", ValueType.TIME),)),
        (
            {"data": [{"res_id": 1, "val": "ff", "type": 1}, 7, {"val": 1}, {"res_id": 2, "val": [256]}]},
            (WrittenValue(1, "ff", ValueType.OPAQUE),),
        ),
        ({"data": [{"res_id": 1, "val": [255], "type": 1}]}, (WrittenValue(1, "ff", ValueType.OPAQUE),)),
        ({"data": [{"res_id": 1, "val": 7, "type": 9}]}, ()),
        ({"data": 7}, ()),
        ("{}", ()),
        (None, ()),
        ("", ()),
    ],
)
@pytest.mark.parametrize("command", ["WRITE", "", 1])
def test_the_values_of_a_write_are_parsed_in_every_format(
    content: Any, written: tuple[WrittenValue, ...], command: Any
) -> None:
    """The values of a write are parsed in every format; invalid values are omitted."""
    query = {"obj_id": 3306, "obj_inst_id": 0, "mode": "1"}
    detail = CommandDetail.from_wire({"send_status": 1, "type": command, "args": query, "content": content}, "u")
    assert (detail.mode, detail.written, detail.args) == (WriteMode.REPLACE, written, None)


@pytest.mark.parametrize(
    ("content", "args"),
    [
        ({"args": "0='10'"}, "0='10'"),
        ('{"args": "now"}', "now"),
        ({"args": ""}, ""),
        ({"args": 7}, None),
        ({"other": 7}, None),
        ("{}", ""),
        (None, None),
        ("", None),
    ],
)
def test_the_arguments_of_an_execute_are_parsed_in_every_format(content: Any, args: str | None) -> None:
    """The arguments of an execute command are parsed in every format."""
    detail = CommandDetail.from_wire({"send_status": 1, "type": "EXECUTE", "content": content}, "u")
    assert (detail.args, detail.written) == (args, ())


@pytest.mark.parametrize(
    ("query", "content", "matches"),
    [
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 1, "val": 7}]}, True),
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 1, "val": "7"}]}, True),
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 2, "val": 7}]}, False),
        ({"obj_id": 3306, "obj_inst_id": 0}, None, True),
        ({"obj_id": 3306, "obj_inst_id": 1}, None, False),
        (None, None, True),
    ],
)
def test_a_command_could_match_a_write_of_the_same_resources(query: Any, content: Any, *, matches: bool) -> None:
    """A command could match a write of the same resources; a missing object id matches any."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, 7),))
    detail = CommandDetail.from_wire({"send_status": 1, "args": query, "content": content}, "u")
    assert detail.could_match(operation) is matches


@pytest.mark.parametrize(
    ("query", "content", "other"),
    [
        ({"mode": "2"}, {"data": [{"res_id": 1, "val": 7}]}, False),
        ({"mode": "2"}, {"data": [{"res_id": 1, "val": "7"}]}, False),
        ({}, {"data": [{"res_id": 1, "val": 7.0}]}, False),
        ({}, None, False),
        ({"mode": "1"}, {"data": [{"res_id": 1, "val": 7}]}, True),
        ({"mode": "2"}, {"data": [{"res_id": 1, "val": 8}]}, True),
        ({"mode": "2"}, {"data": [{"res_id": 1, "val": True}]}, True),
        # Another resource is written.
        ({"mode": "2"}, {"data": [{"res_id": 2, "val": 7}]}, True),
    ],
)
def test_another_mode_or_value_contradicts_a_write(query: Any, content: Any, *, other: bool) -> None:
    """Another mode or value contradicts a write, but a missing one does not."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, 7),))
    detail = CommandDetail.from_wire({"send_status": 1, "args": query, "content": content}, "u")
    assert detail.contradicts(operation) is other
    assert not detail.contradicts(Read(imei=IMEI, obj_id=3306, obj_inst_id=0))


@pytest.mark.parametrize(
    ("args", "content", "other"),
    [
        ("1", {"args": "1"}, False),
        ("1", None, False),
        (None, {}, False),
        (None, {"args": ""}, False),
        ("1", {"args": "2"}, True),
        ("1", {}, True),
        (None, {"args": "1"}, True),
    ],
)
def test_other_arguments_contradict_an_execute(
    args: str | None, content: dict[str, str] | None, *, other: bool
) -> None:
    """Other arguments contradict an execute command, but missing content does not."""
    operation = Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args=args)
    detail = CommandDetail.from_wire({"send_status": 1, "type": "EXECUTE", "content": content}, "u")
    assert detail.contradicts(operation) is other


def test_the_identity_of_a_write_ignores_the_order_of_values() -> None:
    """The identity of a write ignores the order of its values, but not their types."""
    values = (WrittenValue(1, 7), WrittenValue(2, value=True))
    one = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=values)
    assert one.identity == Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=values[::-1]).identity
    # In Python, True equals 1.
    other = (WrittenValue(1, 7), WrittenValue(2, 1))
    assert one.identity != Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=other).identity


def test_a_naive_datetime_cannot_be_written() -> None:
    """A naive datetime cannot be written."""
    with pytest.raises(ValueError, match="no time zone"):
        WrittenValue.time(5518, datetime(2026, 11, 24, 8))  # noqa: DTZ001 - the invalid value under test


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_a_value_that_json_cannot_encode_raises_an_error(value: float | str) -> None:
    """A value that cannot be encoded as JSON raises ValueError."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, value),))
    with pytest.raises(ValueError, match=r".+"):
        operation.body()
