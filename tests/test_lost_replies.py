"""Commands for which OneNET's reply is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.onenet_nbiot import manager
from custom_components.onenet_nbiot.const import DOMAIN

from .common import (
    IMEI,
    VARIANTS,
    act,
    arrival,
    client_of,
    commands_of,
    copy_of,
    delay_reply,
    event_uuids,
    offline_read,
    pass_time,
    poll_device,
    queue_elsewhere,
    queue_requests,
    run_with,
    saved_commands,
    start,
    until,
)
from .emulator import BEIJING, Fault, FaultKind, Server, Trigger

variant = run_with(VARIANTS)

# The expiry of the commands, for Home Assistant and for the emulator.
EXPIRED_TIME = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
EXPIRY: dict[str, Any] = {"expires_in": None, "expired_time": EXPIRED_TIME.isoformat()}
EXPIRY_AT_ONENET = EXPIRED_TIME.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")

# Faults of one request that queues a command.
OK = Fault(kind=FaultKind.DELAY)
BEFORE = Fault(kind=FaultKind.RESET_BEFORE)
AFTER = Fault(kind=FaultKind.RESET_AFTER)
SLOW = Fault(kind=FaultKind.PAGE, status=504)


def spoil(onenet: Server, *faults: Fault, history: Fault | None = None) -> None:
    """Apply one fault to each request that queues a command, in order, and another one to lists and details."""
    onenet.faults.clear()
    # The first matching fault applies, and the path of the list contains that of queueing.
    onenet.faults.append(Fault(**vars(history or OK) | {"path": "/history", "times": 10_000}))
    onenet.faults.extend(Fault(**vars(fault) | {"path": "/offline"}) for fault in faults)


def uuids(onenet: Server) -> list[str]:
    """Return the UUIDs of the commands at the emulator."""
    return [command.uuid for command in onenet.onenet.commands]


def arrive_late(onenet: Server) -> str:
    """Deliver the last request to queue a command to the emulator after all; return the UUID."""
    query = next(request.query for request in reversed(onenet.requests) if request.path.endswith("/offline"))
    return onenet.onenet.queue_read(onenet.onenet.products[0], query).uuid


async def lose(
    hass: HomeAssistant, key: str = "outcome_unknown", context: Context | None = None, **fields: Any
) -> None:
    """Queue a command whose call fails with this error."""
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass, context, **EXPIRY | fields)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)


async def unconfirmed(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return the stored commands that OneNET may not have."""
    commands: list[dict[str, Any]] = (await act(hass, "list_commands", state="unknown"))["commands"]
    return commands


@pytest.mark.parametrize(
    "fault",
    [
        BEFORE,
        Fault(kind=FaultKind.PAGE, status=200),
    ],
    ids=["reset", "page"],
)
async def test_a_request_that_did_not_arrive_is_sent_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault
) -> None:
    """The list of the device lacks the command."""
    onenet.requests.clear()
    spoil(onenet, fault)
    response = await offline_read(hass)
    assert [response["uuid"]] == uuids(onenet)
    assert event_uuids(events) == [("queued", response["uuid"])]
    assert queue_requests(onenet) == 2


@pytest.mark.parametrize(
    "fault",
    [
        AFTER,
        Fault(kind=FaultKind.TRUNCATED),
        Fault(kind=FaultKind.EMPTY),
        Fault(kind=FaultKind.GARBAGE),
        Fault(kind=FaultKind.HUGE),
        Fault(kind=FaultKind.BODY, text="[1, 2"),
        Fault(kind=FaultKind.BODY, text='{"errno": 0, "code": 0, "data": {"uuid": ""}}'),
        # Errors after which OneNET may have stored the command.
        Fault(kind=FaultKind.BODY, text='{"errno": 14, "error": "latency", "code": 14, "msg": "latency"}'),
        Fault(kind=FaultKind.BODY, text='{"errno": 5117, "error": "rpc error", "code": 5117, "msg": "rpc error"}'),
    ],
    ids=["reset", "truncated", "empty", "garbage", "huge", "no_json", "no_uuid", "14", "5117"],
)
async def test_a_command_whose_reply_was_lost_is_found_in_the_devices_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault
) -> None:
    """It is queued once, and the call returns its UUID."""
    onenet.requests.clear()
    spoil(onenet, fault)
    context = Context()
    response = await offline_read(hass, context, obj_inst_id=0, res_id=5700, **EXPIRY)
    assert [response["uuid"]] == uuids(onenet)
    # aiohttp itself repeats a GET request, and a request on an idle connection.
    assert queue_requests(onenet) == 1
    assert events[0].data == {"type": "command_queued", **response}
    assert [event.context for event in events] == [context]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events) == [("queued", response["uuid"]), ("succeeded", response["uuid"])]
    assert events[1].data["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert events[1].context == context
    await until(lambda: [row["uuid"] for row in saved_commands(hass, account)] == uuids(onenet))


@pytest.mark.parametrize(
    ("calls", "faults"),
    [
        (2, (AFTER, AFTER)),
        (2, (BEFORE, OK, BEFORE, OK)),
        (2, (BEFORE, AFTER, AFTER)),
        (2, (AFTER, BEFORE, AFTER)),
        (5, (AFTER, AFTER, AFTER, AFTER, AFTER)),
        (5, (BEFORE, OK, BEFORE, OK, BEFORE, OK, BEFORE, OK, BEFORE, OK)),
        (5, (BEFORE, AFTER, OK, AFTER, BEFORE, OK, BEFORE, AFTER)),
    ],
)
async def test_simultaneous_identical_calls_each_queue_their_own_command(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    calls: int,
    faults: tuple[Fault, ...],
) -> None:
    """Lost replies do not assign one command to two calls."""
    spoil(onenet, *faults)
    contexts = [Context() for _ in range(calls)]
    responses = await asyncio.gather(*(offline_read(hass, context, **EXPIRY) for context in contexts))
    assert len(onenet.faults) == 1
    assert sorted(response["uuid"] for response in responses) == sorted(uuids(onenet))
    assert len(set(uuids(onenet))) == len(responses) == calls
    queued_by = {event.context.id: event.data["uuid"] for event in events if event.data["type"] == "command_queued"}
    assert queued_by == {context.id: response["uuid"] for context, response in zip(contexts, responses, strict=True)}
    assert len(events) == calls


async def test_an_identical_command_of_another_client_is_not_matched(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
) -> None:
    """It was created before the lost request was sent."""
    queue_elsewhere(onenet, expired_time=EXPIRY_AT_ONENET)
    await pass_time(account, onenet, timedelta(minutes=1))
    onenet.requests.clear()
    spoil(onenet, BEFORE)
    await lose(hass)
    # The clocks may be wrong: nothing is sent again.
    assert queue_requests(onenet) == len(onenet.onenet.commands) == 1
    assert not events
    assert len(await unconfirmed(hass)) == 1


async def test_a_different_command_of_another_client_is_not_matched(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Its target in the details differs."""
    elsewhere = queue_elsewhere(onenet, obj_inst_id="0", expired_time=EXPIRY_AT_ONENET)["uuid"]
    spoil(onenet, BEFORE)
    response = await offline_read(hass, **EXPIRY)
    assert uuids(onenet) == [elsewhere, response["uuid"]]
    assert event_uuids(events) == [("queued", response["uuid"])]


async def test_the_details_of_a_command_with_another_expiry_are_not_requested(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The list is enough to exclude it."""
    elsewhere = queue_elsewhere(onenet)["uuid"]
    onenet.requests.clear()
    spoil(onenet, BEFORE)
    await offline_read(hass, **EXPIRY)
    assert not [request for request in onenet.requests if request.path.endswith(elsewhere)]


async def test_an_unconfirmed_command_is_queued_when_a_poll_finds_it(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Its event has the context of the call that failed."""
    context = Context()
    onenet.requests.clear()
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass, context=context)
    (unknown,) = (await act(hass, "list_commands"))["commands"]
    assert (unknown["state"], unknown["obj_id"], unknown["imei"]) == ("unknown", 3303, IMEI)
    assert "uuid" not in unknown
    assert not events
    spoil(onenet)
    for _ in range(2):
        await poll_device(account)
    assert event_uuids(events) == [("queued", uuids(onenet)[0])]
    assert events[0].context == context
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events)[1:] == [("succeeded", uuids(onenet)[0])]
    assert queue_requests(onenet) == len(uuids(onenet)) == 1
    assert not await unconfirmed(hass)


async def test_an_unconfirmed_command_that_has_finished_fires_both_events(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """`command_queued` comes before the event of its end."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    spoil(onenet)
    await poll_device(account)
    assert event_uuids(events) == [("queued", uuids(onenet)[0]), ("succeeded", uuids(onenet)[0])]


async def test_two_requests_that_did_not_arrive_raise_not_queued(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The error means that the call can be repeated."""
    onenet.requests.clear()
    spoil(onenet, BEFORE, BEFORE)
    await lose(hass, "not_queued")
    assert queue_requests(onenet) == 2
    assert not events
    assert not uuids(onenet)
    assert not (await act(hass, "list_commands"))["commands"]
    await until(lambda: not saved_commands(hass, account))


async def test_a_command_whose_second_reply_was_lost_is_found(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The first request did not arrive."""
    spoil(onenet, BEFORE, AFTER)
    response = await offline_read(hass)
    assert event_uuids(events) == [("queued", response["uuid"])] == [("queued", uuids(onenet)[0])]


async def test_a_refusal_of_the_second_request_is_raised(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """`command_rejected` is fired, and the command is deleted."""
    spoil(onenet, BEFORE, Fault(kind=FaultKind.ERRNO, errno=5006, text="full"))
    await lose(hass, "limit_reached")
    assert event_uuids(events) == [("rejected", None)]
    assert not (await act(hass, "list_commands"))["commands"]


@pytest.mark.parametrize(
    "fault",
    [
        SLOW,
        Fault(kind=FaultKind.PAGE, status=502),
        Fault(kind=FaultKind.ERRNO, errno=5117, text="rpc error"),
        Fault(kind=FaultKind.ERRNO, errno=14, text="latency"),
        Fault(kind=FaultKind.ERRNO, errno=7, text="backlog"),
    ],
    ids=["504", "502", "5117", "14", "7"],
)
async def test_a_request_that_may_still_arrive_is_not_sent_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault
) -> None:
    """The error says that the outcome is unknown."""
    onenet.requests.clear()
    spoil(onenet, fault)
    await lose(hass)
    assert queue_requests(onenet) == 1
    assert not uuids(onenet)
    assert len(await unconfirmed(hass)) == 1
    uuid = arrive_late(onenet)
    await poll_device(account)
    assert event_uuids(events) == [("queued", uuid)]


async def test_a_request_that_timed_out_is_not_sent_again(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may still arrive."""
    onenet.requests.clear()
    spoil(onenet, Fault(kind=FaultKind.DELAY, seconds=5))
    # Private, since an account has no option for the timeout.
    monkeypatch.setattr(client_of(account)._transport, "_timeout", 0.3)  # noqa: SLF001
    await lose(hass)
    assert queue_requests(onenet) == 1
    uuid = arrive_late(onenet)
    await poll_device(account)
    assert event_uuids(events) == [("queued", uuid)]


async def test_an_unconfirmed_command_that_is_not_found_is_deleted_after_an_hour(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
) -> None:
    """No event is fired for a command that never arrived."""
    spoil(onenet, SLOW)
    await lose(hass)
    await pass_time(account, onenet, timedelta(minutes=59))
    await poll_device(account)
    assert len(await unconfirmed(hass)) == 1
    await pass_time(account, onenet, timedelta(minutes=2))
    await poll_device(account)
    assert not await unconfirmed(hass)
    await until(lambda: not saved_commands(hass, account))
    assert not events


async def test_an_undecided_command_is_deleted_after_its_expiry(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A similar command of another client keeps it undecided until then."""
    queue_elsewhere(onenet, expired_time=EXPIRY_AT_ONENET)
    await pass_time(account, onenet, timedelta(minutes=1))
    spoil(onenet, BEFORE)
    await lose(hass)
    await pass_time(account, onenet, timedelta(hours=47))
    await poll_device(account)
    assert len(await unconfirmed(hass)) == 1
    await pass_time(account, onenet, timedelta(hours=2))
    await poll_device(account)
    assert not await unconfirmed(hass)
    assert not events


async def test_a_command_in_flight_during_a_crash_is_found_after_the_start(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, hass_config_dir: str
) -> None:
    """A command is on disk before it is sent."""
    context = Context()
    spoil(onenet, Fault(kind=FaultKind.DELAY, seconds=0.3))
    call = asyncio.create_task(offline_read(hass, context))
    await arrival(onenet)
    await until(lambda: len(saved_commands(hass, account)) == 1)
    config_dir = copy_of(hass_config_dir)
    uuid = (await call)["uuid"]
    async with start(config_dir, account) as (after, events):
        assert event_uuids(events) == [("queued", uuid)]
        assert events[0].context.id == context.id
        assert (await act(after, "wait_for_command", uuid=uuid, timeout=0.01))["state"] == "queued"
    assert uuids(onenet) == [uuid]


async def test_the_command_of_an_identical_call_in_flight_is_not_matched(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It belongs to the call whose reply is pending."""
    spoil(onenet, SLOW)
    await lose(hass)
    go_on = delay_reply(onenet, monkeypatch)
    onenet.faults.clear()
    onenet.faults.append(Fault(kind=FaultKind.DELAY))
    context = Context()
    call = asyncio.create_task(offline_read(hass, context, **EXPIRY))
    await until(lambda: len(uuids(onenet)) == 1)
    await poll_device(account)
    assert not events
    go_on.set()
    assert [(await call)["uuid"]] == uuids(onenet)
    await poll_device(account)
    assert event_uuids(events) == [("queued", uuids(onenet)[0])]
    assert events[0].context == context
    assert len(await unconfirmed(hass)) == 1


async def test_keep_returns_an_unconfirmed_command_that_is_found(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A call that is repeated after the error queues no second command."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    spoil(onenet)
    response = await offline_read(hass, if_waiting="keep", **EXPIRY)
    assert [response["uuid"]] == uuids(onenet)
    assert event_uuids(events) == [("queued", response["uuid"])]


async def test_a_found_command_is_returned_if_another_lookup_fails(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The failed request is about another unconfirmed command."""
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/offline", seconds=0.2))
    found = asyncio.create_task(offline_read(hass, obj_id=3, expires_in={"days": 1}))
    await arrival(onenet)
    await until(lambda: not onenet.faults)
    # The lookup of another lost command fails.
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    onenet.faults.clear()
    onenet.faults.append(Fault(kind=FaultKind.PAGE, path=f"/history/{uuids(onenet)[0]}", times=10_000))
    response = await found
    assert event_uuids(events) == [("queued", response["uuid"])]


async def test_a_command_that_is_deleted_while_a_poll_matches_it_raises_nothing(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The poll continues."""
    monkeypatch.setattr(manager, "LOST_PAUSE", 0.1)
    elsewhere = queue_elsewhere(onenet, obj_inst_id="0", expired_time=EXPIRY_AT_ONENET)["uuid"]
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path=elsewhere, seconds=0.6))
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history", times=10_000))
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/offline", times=2))
    call = asyncio.create_task(lose(hass, "not_queued"))
    await arrival(onenet)
    await until(lambda: onenet.faults[-1].times == 1)
    await asyncio.sleep(0.03)
    await asyncio.gather(call, poll_device(account))
    assert not events
    assert not await unconfirmed(hass)


@pytest.mark.parametrize("action", ["cancel_command", "cancel_commands"])
async def test_an_unconfirmed_command_that_is_cancelled_fires_both_events_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], action: str
) -> None:
    """`command_queued` comes before `command_cancelled`."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    spoil(onenet)
    # As the error suggests.
    (listed,) = (await act(hass, "list_commands", imei=IMEI))["commands"]
    await act(hass, action, imei=IMEI, **({"uuid": listed["uuid"]} if action == "cancel_command" else {}))
    await poll_device(account)
    assert event_uuids(events) == [("queued", listed["uuid"]), ("cancelled", listed["uuid"])]


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("fault", [BEFORE, AFTER])
async def test_a_wrong_clock_queues_no_command_twice(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault, days: int
) -> None:
    """The list starts early enough in the platform's time."""
    onenet.onenet.clock.offset += timedelta(days=days)
    spoil(onenet, fault)
    queued = await offline_read(hass, **EXPIRY)
    assert event_uuids(events) == [("queued", queued["uuid"])]
    assert uuids(onenet) == [queued["uuid"]]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events)[1:] == [("succeeded", queued["uuid"])]


async def test_a_command_with_unreadable_details_leaves_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The events of other commands of the device are fired."""
    ours = await offline_read(hass)
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.RESET_BEFORE))
    await lose(hass)
    lost = uuids(onenet)[1]
    onenet.faults[:] = [Fault(kind=FaultKind.ERRNO, errno=10001, text="what?", path=lost, times=10_000)]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events) == [("queued", ours["uuid"]), ("succeeded", ours["uuid"])]
    onenet.faults.clear()
    await poll_device(account)
    assert event_uuids(events)[2:] == [("queued", lost), ("succeeded", lost)]


async def test_a_uuid_that_onenet_returns_twice_is_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """For another device the reply is worthless: the command is found in the device's list."""
    first = await offline_read(hass)
    same = Fault(
        kind=FaultKind.BODY, text=f'{{"errno": 0, "code": 0, "data": {{"uuid": "{first["uuid"]}"}}}}', path="/offline"
    )
    onenet.faults.append(Fault(**vars(same)))
    assert (await offline_read(hass))["uuid"] == first["uuid"]
    assert event_uuids(events) == [("queued", first["uuid"])]
    onenet.onenet.products[0].add("1234", "Test lamp")
    onenet.faults.append(Fault(**vars(same)))
    found = (await offline_read(hass, imei="1234"))["uuid"]
    assert found == onenet.onenet.commands[-1].uuid != first["uuid"]
    assert event_uuids(events)[1:] == [("queued", found)]
    assert commands_of(account).waiting == 2
