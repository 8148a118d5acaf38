"""Queued writes and executes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .common import (
    IMEI,
    VARIANTS,
    act,
    copy_of,
    event_uuids,
    poll_device,
    queue_requests,
    run_with,
    saved_commands,
    start,
)
from .emulator import Device, Fault, FaultKind, SendStatus, Server, Trigger

variant = run_with(VARIANTS)

REBOOT = (3, 0, 4)
EXPIRY = {"imei": IMEI, "expires_in": {"days": 1}}
OPEN: dict[str, Any] = EXPIRY | {"obj_id": 3306, "obj_inst_id": 0, "values": [{"res_id": 5850, "value": True}]}
REBOOT_NOW: dict[str, Any] = EXPIRY | {"obj_id": 3, "obj_inst_id": 0, "res_id": 4}


@pytest.fixture
def device(device: Device) -> Device:
    """Return a sleeping device with writable resources and an executable one."""
    device.resources |= {(3306, 0, 5850): False, (3306, 0, 5851): 0, (3306, 0, 5750): "valve"}
    device.resources |= {(3306, 0, 5500): b"\x00", (3306, 0, 5518): datetime(2020, 1, 1, tzinfo=UTC)}
    device.executables.add(REBOOT)
    return device


async def write(hass: HomeAssistant, context: Context | None = None, **fields: Any) -> Any:
    """Queue a write that opens the valve."""
    return await act(hass, "offline_write", context, **OPEN | fields)


async def execute(hass: HomeAssistant, context: Context | None = None, **fields: Any) -> Any:
    """Queue a reboot."""
    return await act(hass, "offline_execute", context, **REBOOT_NOW | fields)


async def test_a_queued_write_reaches_the_device_and_fires_its_events(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The events have the fields of the response; every type of value is written."""
    context = Context()
    response = await write(
        hass,
        context,
        values=[
            {"res_id": 5850, "value": True},
            {"res_id": 5851, "value": 80, "type": "plain"},
            {"res_id": 5750, "value": "main valve"},
            {"res_id": 5500, "value": "01 FF", "type": "opaque"},
            {"res_id": 5518, "value": "2026-11-24T08:00:00+00:00", "type": "time"},
        ],
    )
    expired_time = response.pop("expired_time")
    uuid = onenet.onenet.commands[0].uuid
    assert response == {
        "config_entry_id": account.entry_id,
        "command": "write",
        "imei": IMEI,
        "obj_id": 3306,
        "obj_inst_id": 0,
        "uuid": uuid,
    }
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    fields = response | {"expired_time": expired_time}
    # The events have no written values: `values` are those that a device reported.
    assert [event.data for event in events] == [
        {"type": "command_queued", **fields},
        {"type": "command_succeeded", **fields},
    ]
    assert [event.context.id for event in events] == [context.id] * 2
    assert (
        device.resources
        | {
            (3306, 0, 5850): True,
            (3306, 0, 5851): 80,
            (3306, 0, 5750): "main valve",
            (3306, 0, 5500): b"\x01\xff",
            (3306, 0, 5518): datetime(2026, 11, 24, 8, tzinfo=UTC),
        }
        == device.resources
    )


async def test_a_queued_execute_reaches_the_device_and_fires_its_events(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The device receives the arguments, and the events have no values."""
    response = await execute(hass, args="0='10'", trigger_msg=["update"], retry=1)
    assert (response["command"], response["res_id"]) == ("execute", 4)
    assert (await act(hass, "get_command", uuid=response["uuid"]))["args"] == "0='10'"
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events) == [("queued", response["uuid"]), ("succeeded", response["uuid"])]
    assert "values" not in events[1].data
    assert device.executed == [(REBOOT, "0='10'")]


async def test_a_command_that_the_device_rejects_is_failed_with_its_reason(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """A command that was delivered but rejected is not succeeded."""
    await write(hass, values={"res_id": 5850, "value": "open"})
    await execute(hass, obj_id=3306, res_id=5850)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert {event.data["command"]: event.data["reason"] for event in events if "reason" in event.data} == {
        "write": "req_param_error",
        "execute": "method_not_allowed",
    }


async def test_written_values_and_arguments_are_returned_for_commands_of_all_clients(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """get_command and list_commands return the mode, the values and the arguments."""
    own = await write(
        hass,
        mode="replace",
        values=[
            {"res_id": 5850, "value": True},
            {"res_id": 5518, "value": "2026-11-24T08:00:00+00:00", "type": "time"},
            {"res_id": 5500, "value": "01ff", "type": "opaque"},
        ],
    )
    written: dict[str, Any] = {
        "mode": "replace",
        "values": [
            {"res_id": 5850, "value": True, "type": "plain"},
            {"res_id": 5518, "value": "2026-11-24T00:00:00-08:00", "type": "time"},
            {"res_id": 5500, "value": "01ff", "type": "opaque"},
        ],
    }
    assert (await act(hass, "get_command", imei=IMEI, uuid=own["uuid"])).items() >= written.items()
    (listed,) = (await act(hass, "list_commands"))["commands"]
    assert listed.items() >= written.items()
    # Commands of another client are requested from OneNET.
    product = onenet.onenet.products[0]
    query = {"imei": IMEI, "obj_id": "3306", "obj_inst_id": "0", "expired_time": "2099-01-01T00:00:00"}
    moment = int(datetime(2026, 11, 24, 8, tzinfo=UTC).timestamp())
    content = {
        "data": [
            {"res_id": 5850, "val": True},
            {"res_id": 5518, "val": moment, "type": 2},
            {"res_id": 5500, "val": "01ff", "type": 1},
            # Not a valid time: it is returned as a number.
            {"res_id": 5519, "val": 10**15, "type": 2},
        ]
    }
    theirs = onenet.onenet.queue_write(product, query | {"mode": "1"}, content).uuid
    found = await act(hass, "get_command", imei=IMEI, uuid=theirs)
    assert found["mode"] == written["mode"]
    assert found["values"] == [*written["values"], {"res_id": 5519, "value": 10**15, "type": "time"}]
    theirs = onenet.onenet.queue_execute(product, query | {"obj_id": "3", "res_id": "4"}, {"args": "now"}).uuid
    assert (await act(hass, "get_command", imei=IMEI, uuid=theirs))["args"] == "now"


@pytest.mark.parametrize("queue", [write, execute])
@pytest.mark.parametrize(
    ("kind", "requests"), [(FaultKind.RESET_AFTER, 1), (FaultKind.TRUNCATED, 1), (FaultKind.RESET_BEFORE, 2)]
)
async def test_a_write_or_execute_whose_reply_is_lost_is_queued_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    queue: Any,
    kind: FaultKind,
    requests: int,
) -> None:
    """The call returns the UUID of the only command at OneNET."""
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=kind, path="/offline"))
    response = await queue(hass)
    assert [command.uuid for command in onenet.onenet.commands] == [response["uuid"]]
    assert queue_requests(onenet) == requests
    assert event_uuids(events) == [("queued", response["uuid"])]


async def test_a_lost_write_is_matched_by_its_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command with the same times that writes something else is not matched."""
    # The commands have the same times, and differ in their contents only.
    expired_time = "2099-01-01T08:00:00+08:00"
    product = onenet.onenet.products[0]
    query = {"imei": IMEI, "obj_id": "3306", "obj_inst_id": "0", "mode": "2", "expired_time": "2099-01-01T08:00:00"}
    onenet.onenet.queue_write(product, query, {"data": [{"res_id": 5851, "val": 1}]})
    onenet.onenet.queue_read(product, {name: value for name, value in query.items() if name != "mode"})
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/offline"))
    response = await write(hass, expires_in=None, expired_time=expired_time)
    assert response["uuid"] == onenet.onenet.commands[-1].uuid
    assert len(onenet.onenet.commands) == 3


@pytest.mark.parametrize(
    ("queue", "one", "other"),
    [
        (write, {"values": [{"res_id": 5850, "value": True}]}, {"values": [{"res_id": 5850, "value": False}]}),
        (write, {"mode": "replace"}, {"mode": "update"}),
        (execute, {"args": "1"}, {"args": "2"}),
        (execute, {"args": None}, {"args": "2"}),
        (execute, {"args": "1"}, {"args": None}),
    ],
)
async def test_two_lost_commands_with_different_contents_are_not_confused(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    queue: Any,
    one: dict[str, Any],
    other: dict[str, Any],
) -> None:
    """The found command is matched with the call that has its contents; the other one stays unknown."""
    times = {"expires_in": None, "expired_time": "2099-01-01T08:00:00+08:00"}
    # The first request does not arrive, but still may; only the reply to the second one is lost.
    onenet.faults.append(Fault(kind=FaultKind.PAGE, path="/offline", status=504))
    with pytest.raises(HomeAssistantError):
        await queue(hass, **times, **one)
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/offline"))
    response = await queue(hass, **times, **other)
    assert [command.uuid for command in onenet.onenet.commands] == [response["uuid"]]
    await poll_device(account)
    assert event_uuids(events) == [("queued", response["uuid"])]
    assert len((await act(hass, "list_commands", state="unknown"))["commands"]) == 1


async def test_keep_queues_a_write_if_the_last_waiting_one_differs(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """An equal write before the last one does not count: the device carries out the last one last."""
    for value, if_waiting in ((True, "add"), (False, "add"), (True, "keep"), (True, "keep")):
        await write(hass, values=[{"res_id": 5850, "value": value}], if_waiting=if_waiting)
    assert len(onenet.onenet.commands) == 3
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert device.resources[3306, 0, 5850] is True


async def test_keep_considers_an_unconfirmed_write_as_the_last_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """It may be at OneNET, but it cannot be cancelled: replace goes on without it."""
    first = await write(hass, values=[{"res_id": 5850, "value": True}])
    for value, kept in ((True, True), (False, False)):
        onenet.faults.append(Fault(kind=FaultKind.PAGE, path="/offline", status=504))
        with pytest.raises(HomeAssistantError):
            await write(hass, values=[{"res_id": 5850, "value": value}])
        response = await write(hass, values=[{"res_id": 5850, "value": True}], if_waiting="keep")
        assert (response["uuid"] == first["uuid"]) is kept
    # An unconfirmed command cannot be cancelled, which does not stop replace.
    last = await write(hass, values=[{"res_id": 5850, "value": True}], if_waiting="replace")
    waiting = [command.uuid for command in onenet.onenet.commands if command.send_status is SendStatus.WAITING]
    assert waiting == [last["uuid"]]


async def test_keep_compares_with_the_command_that_becomes_valid_last(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A write that was queued earlier may become valid later."""
    in_hours = [(datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in range(4)]
    await write(hass, values=[{"res_id": 5850, "value": False}], valid_time=in_hours[2])
    await write(hass, values=[{"res_id": 5850, "value": True}])
    await write(hass, values=[{"res_id": 5850, "value": True}], valid_time=in_hours[3], if_waiting="keep")
    assert len(onenet.onenet.commands) == 3


async def test_simultaneous_writes_of_one_resource_are_queued_in_the_order_of_the_calls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The second request waits for the reply to the first one."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/offline", seconds=0.2))
    calls = [asyncio.create_task(write(hass, values=[{"res_id": 5850, "value": value}])) for value in (True, False)]
    await asyncio.gather(*calls)
    contents = [command.content for command in onenet.onenet.commands]
    assert contents == [{"data": [{"res_id": 5850, "val": value}]} for value in (True, False)]


OTHER_VALUE = {"values": [{"res_id": 5850, "value": False}]}
OTHER_RESOURCE = {"values": [{"res_id": 5851, "value": 80}]}


@pytest.mark.parametrize(
    ("queue", "fields", "kept"),
    [
        (write, {}, True),
        (write, {"retry": 1}, True),
        (write, OTHER_VALUE, False),
        # Python considers 1 and True equal, a device does not.
        (write, {"values": [{"res_id": 5850, "value": 1}]}, False),
        (write, OTHER_RESOURCE, False),
        (write, {"mode": "replace"}, False),
        (execute, {}, True),
        (execute, {"args": "0"}, False),
        (execute, {"res_id": 5}, False),
    ],
)
async def test_keep_returns_a_waiting_command_only_if_it_is_identical(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, queue: Any, fields: dict[str, Any], *, kept: bool
) -> None:
    """Values, mode, arguments and target must be equal."""
    waiting = await queue(hass)
    second = await queue(hass, if_waiting="keep", **fields)
    assert (second["uuid"] == waiting["uuid"]) is kept
    assert len(onenet.onenet.commands) == (1 if kept else 2)


@pytest.mark.parametrize(
    ("queue", "fields", "replaced"),
    [
        (write, {}, True),
        (write, OTHER_VALUE, True),
        (write, {"mode": "replace"}, True),
        (write, OTHER_RESOURCE, False),
        (execute, {"args": "0"}, True),
        (execute, {"res_id": 5}, False),
    ],
)
async def test_replace_cancels_a_waiting_command_for_the_same_resources(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    queue: Any,
    fields: dict[str, Any],
    *,
    replaced: bool,
) -> None:
    """A command for other resources stays queued."""
    waiting = await queue(hass)
    second = await queue(hass, if_waiting="replace", **fields)
    ended = [("cancelled", waiting["uuid"])] if replaced else []
    assert event_uuids(events) == [("queued", waiting["uuid"]), *ended, ("queued", second["uuid"])]


async def test_a_write_or_execute_that_is_too_large_cancels_nothing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """It is refused before a request, and the waiting command stays queued."""
    waiting = await write(hass)
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError, match="2056 bytes"):
        await write(hass, if_waiting="replace", values=[{"res_id": 5750, "value": "x" * 2030}])
    with pytest.raises(ServiceValidationError, match="2049 bytes"):
        await execute(hass, args="x" * 2049)
    assert not onenet.requests
    assert event_uuids(events) == [("queued", waiting["uuid"])]


async def test_a_refused_write_fires_command_rejected(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The event has the command and the reason of the refusal."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="full"))
    with pytest.raises(HomeAssistantError):
        await write(hass)
    assert events[0].data.items() >= {"type": "command_rejected", "command": "write", "reason": "limit_reached"}.items()


async def test_writes_and_executes_are_polled_after_a_restart(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Commands that were queued before the restart fire their events."""
    written, rebooted = await write(hass), await execute(hass, args="0")
    kept = [row["asked"]["operation"]["command"] for row in saved_commands(hass, account)]
    assert kept == ["write", "execute"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    async with start(copy_of(hass.config.config_dir), account) as (again, events):
        assert sorted(event_uuids(events)) == sorted([("succeeded", written["uuid"]), ("succeeded", rebooted["uuid"])])
        assert (await act(again, "get_command", uuid=rebooted["uuid"]))["args"] == "0"
