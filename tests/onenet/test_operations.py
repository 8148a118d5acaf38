"""What a device can be told to do, against both generations of the emulated platform."""

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
from tests.conftest import ACCESS_KEY, IMEI, KEY, PRODUCT_ID, until
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
    """Return a client of each platform, with each kind of key."""
    platform: Platform
    platform, api_key = request.param
    credentials = api_key or AccessKey(f"products/{PRODUCT_ID}", ACCESS_KEY)
    return OneNetClient(session, credentials, base_url=onenet.url, platform=platform, product_id=PRODUCT_ID, pause=0)


@pytest.fixture
def valve(device: Device) -> Device:
    """Return a device that can be written to, and rebooted."""
    device.resources |= VALVE
    device.executables.add(REBOOT)
    return device


@pytest.fixture
def awake(valve: Device) -> Device:
    """Return it awake."""
    valve.online = True
    return valve


def cached(operation: Read | Write | Execute, **schedule: Any) -> CachedCommand:
    """Return a cached command that the platform accepts."""
    return CachedCommand(operation=operation, expired_time=EXPIRED_TIME, **schedule)


async def test_a_cached_write_changes_the_device_when_it_wakes(
    client: OneNetClient, onenet: Server, valve: Device
) -> None:
    """A valve would stay as it is, or get a text where it wants a number."""
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


async def test_a_replacing_write_leaves_nothing_else(client: OneNetClient, onenet: Server, valve: Device) -> None:
    """What should go would stay, or what should stay would go."""
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
async def test_a_cached_execute_is_done_when_the_device_wakes(
    client: OneNetClient, onenet: Server, valve: Device, args: str | None, body: dict[str, str]
) -> None:
    """A device would not reboot, or not as it was told to."""
    uuid = await client.queue(cached(Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args=args)))
    request = onenet.requests[-1]
    assert request.path.endswith("/execute/offline")
    assert (request.method, json.loads(request.body)) == ("POST", body)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert valve.executed == [(REBOOT, args)]
    detail = await client.get_command(IMEI, uuid)
    assert (detail.record.command, detail.record.state) == ("execute", CommandState.SUCCEEDED)
    assert detail.args == (args or "")


async def test_a_value_that_the_device_does_not_want_fails_with_its_reason(
    client: OneNetClient, onenet: Server, valve: Device
) -> None:
    """A person could not tell why a valve did not move."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(5850, "open"),))
    uuid = await client.queue(cached(operation))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    record = (await client.get_command(IMEI, uuid)).record
    assert (record.state, record.reason) == (CommandState.FAILED, "req_param_error")


@pytest.mark.parametrize("length", [0, 1])
async def test_arguments_of_two_kilobytes_are_sent_and_not_one_byte_more(
    client: OneNetClient, onenet: Server, valve: Device, length: int
) -> None:
    """A command that OneNET refuses would count against the device's queue, or a long one be cut short."""
    # A character of three bytes.
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
async def test_values_of_two_kilobytes_are_sent_and_not_one_byte_more(
    client: OneNetClient, onenet: Server, valve: Device, length: int
) -> None:
    """OneNET counts the list of values, without the object around it."""
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
async def test_no_lost_reply_queues_anything_twice(
    session: aiohttp.ClientSession, client: OneNetClient, onenet: Server, valve: Device, operation: Any, kind: str
) -> None:
    """A device that lives ten years on one battery would do everything twice."""
    for fault in (FaultKind.RESET_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY):
        onenet.faults.append(Fault(kind=fault))
        with pytest.raises(errors.OutcomeUnknownError):
            await client.queue(cached(operation))
    assert [command.kind for command in onenet.onenet.commands] == [kind.upper()] * 3
    assert len(onenet.requests) == 3


async def test_an_awake_device_is_read_at_once(client: OneNetClient, onenet: Server, awake: Device) -> None:
    """A person would have to wait for a device that is there."""
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


async def test_an_awake_device_is_written_to_and_executes_at_once(
    client: OneNetClient, onenet: Server, awake: Device
) -> None:
    """A person would have to wait for a device that is there."""
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
    """OneNET would refuse a small step, or take it for another."""
    await client.observe(Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, gt=value))
    assert awake.observations[3303, 0, 5700] == {"gt": sent}


@pytest.mark.parametrize("data", ["text", 7, {"payload": 1}])
async def test_a_reply_without_values_is_no_reading(
    client: OneNetClient, onenet: Server, awake: Device, data: Any
) -> None:
    """A person would believe that the device has no values."""
    onenet.faults.append(Fault(kind=FaultKind.DATA, data=data))
    with pytest.raises(errors.UnexpectedReplyError):
        await client.read(Read(imei=IMEI, obj_id=3303))


async def test_an_observation_is_started_and_stopped(client: OneNetClient, onenet: Server, awake: Device) -> None:
    """A device would tell nothing, or never stop."""
    await client.observe(
        Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, pmin=60, pmax=3600, gt=30.5, lt=10, st=0.5)
    )
    assert awake.observations == {
        (3303, 0, 5700): {"pmin": "60", "pmax": "3600", "gt": "30.5", "lt": "10", "st": "0.5"}
    }
    await client.observe(Observe(imei=IMEI, obj_id=3303, obj_inst_id=0, res_id=5700, cancel=True))
    assert awake.observations == {}


async def test_what_a_device_has_is_found_out(client: OneNetClient, onenet: Server, awake: Device) -> None:
    """A person would have to guess the numbers of a device's resources."""
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
async def test_why_a_device_does_nothing_is_told(
    client: OneNetClient, onenet: Server, valve: Device, call: str, operation: Operation
) -> None:
    """A program could not tell a device that sleeps from one that does not want, or from a lost reply."""
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


async def test_requests_that_wait_for_devices_do_not_hold_up_others(
    client: OneNetClient, onenet: Server, awake: Device
) -> None:
    """While some lamps hesitate for 40 seconds, no command could be queued."""
    awake.hesitates = True
    # Home Assistant's session has a hundred connections to a host.
    reads = [asyncio.create_task(client.read(Read(imei=IMEI, obj_id=3303), device_timeout=40)) for _ in range(150)]
    await until(lambda: len(awake.waiting) == nbiot._IMMEDIATE_MAX)
    async with asyncio.timeout(5):
        await client.queue(cached(Read(imei=IMEI, obj_id=3303)))
    assert not any(read.done() for read in reads)
    awake.hesitates = False
    onenet.onenet.answer(IMEI)
    answers = await asyncio.wait_for(asyncio.gather(*reads), 30)
    assert [values[0].value for values in answers] == [21.5] * 150


async def test_the_reply_is_waited_for_as_long_as_the_device_may_take(
    session: aiohttp.ClientSession, onenet: Server, awake: Device
) -> None:
    """A device that answers late would be given up before its time."""
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
def test_what_was_discovered_is_read_in_every_shape(data: Any, resources: list[tuple[int, int, int | None]]) -> None:
    """One strange instance would hide all others."""
    found = Resource.all_from_discovery(data, 3303)
    assert [(resource.obj_id, resource.obj_inst_id, resource.res_id) for resource in found] == resources


@pytest.mark.parametrize(
    ("data", "resources"),
    [
        # The document's sample.
        (
            {"total_count": 1, "item": [{"obj_id": 3200, "instances": [{"inst_id": 0, "resources": [5500]}]}]},
            [(3200, 0, 5500)],
        ),
        ({"item": [{"obj_id": 3, "instances": [{"inst_id": 0}]}, {"obj_id": 4}, 7, {}]}, [(3, 0, None)]),
        ({"item": []}, []),
    ],
)
def test_the_list_of_resources_is_read_in_every_shape(data: Any, resources: list[tuple[int, int, int | None]]) -> None:
    """One strange object would hide all others."""
    found = Resource.all_from_list(data)
    assert [(resource.obj_id, resource.obj_inst_id, resource.res_id) for resource in found] == resources


@pytest.mark.parametrize("data", ["text", 7, {"item": 7}])
def test_what_is_no_list_of_resources_is_told(data: Any) -> None:
    """A device would pass for one that has nothing."""
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
def test_a_resource_is_read_in_both_spellings(path: str, numbers: tuple[int, int, int]) -> None:
    """What a person writes, and what OneNET tells, would not be the same resource."""
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
def test_what_is_no_resource_is_told(path: str) -> None:
    """A value would be shown as another resource's, or a person never learn why nothing is shown."""
    with pytest.raises(ValueError, match=r"is not the path of a resource|has a number above 65\d+"):
        Resource.from_path(path)


def test_an_object_instance_has_a_path() -> None:
    """An instance of which no resource is known would be shown as one with a resource."""
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
def test_the_values_of_a_write_are_read_in_every_form(
    content: Any, written: tuple[WrittenValue, ...], command: Any
) -> None:
    """A person sees what a command from elsewhere will do."""
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
def test_the_arguments_of_an_execute_are_read_in_every_form(content: Any, args: str | None) -> None:
    """A person sees what a command from elsewhere will do."""
    detail = CommandDetail.from_wire({"send_status": 1, "type": "EXECUTE", "content": content}, "u")
    assert (detail.args, detail.written) == (args, ())


@pytest.mark.parametrize(
    ("query", "content", "may_be"),
    [
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 1, "val": 7}]}, True),
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 1, "val": "7"}]}, True),
        ({"obj_id": 3306, "obj_inst_id": 0}, {"data": [{"res_id": 2, "val": 7}]}, False),
        ({"obj_id": 3306, "obj_inst_id": 0}, None, True),
        ({"obj_id": 3306, "obj_inst_id": 1}, None, False),
        (None, None, True),
    ],
)
def test_a_write_is_recognised_by_its_resources(query: Any, content: Any, *, may_be: bool) -> None:
    """A write whose reply was lost would be taken for another, or be sent twice."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, 7),))
    detail = CommandDetail.from_wire({"send_status": 1, "args": query, "content": content}, "u")
    assert detail.could_match(operation) is may_be


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
        # A part of it cannot be read, or is not there.
        ({"mode": "2"}, {"data": [{"res_id": 2, "val": 7}]}, True),
    ],
)
def test_a_write_of_other_values_is_told_from_ones_own(query: Any, content: Any, *, other: bool) -> None:
    """A person would hear that a valve was opened when it was closed."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, 7),))
    detail = CommandDetail.from_wire({"send_status": 1, "args": query, "content": content}, "u")
    assert detail.contradicts(operation) is other
    assert not detail.contradicts(Read(imei=IMEI, obj_id=3306, obj_inst_id=0))


@pytest.mark.parametrize(
    ("args", "told", "other"),
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
def test_an_execute_with_other_arguments_is_told_from_ones_own(
    args: str | None, told: dict[str, str] | None, *, other: bool
) -> None:
    """A person would hear that a device did what somebody else asked for."""
    operation = Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args=args)
    detail = CommandDetail.from_wire({"send_status": 1, "type": "EXECUTE", "content": told}, "u")
    assert detail.contradicts(operation) is other


def test_what_is_the_same_is_the_same_in_any_order() -> None:
    """A device would be written to twice."""
    values = (WrittenValue(1, 7), WrittenValue(2, value=True))
    one = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=values)
    assert one.identity == Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=values[::-1]).identity
    # Equal to Python, but not to a device.
    other = (WrittenValue(1, 7), WrittenValue(2, 1))
    assert one.identity != Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=other).identity


def test_a_moment_without_a_zone_is_not_guessed() -> None:
    """A device's clock would be hours off."""
    with pytest.raises(ValueError, match="no time zone"):
        WrittenValue.time(5518, datetime(2026, 11, 24, 8))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_a_value_that_no_json_can_hold_is_not_sent(value: float | str) -> None:
    """A program would hear of a fault of OneNET's."""
    operation = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(1, value),))
    with pytest.raises(ValueError, match=r".+"):
        operation.body()
