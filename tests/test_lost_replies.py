"""What becomes of a command when OneNET's answer to it is lost."""

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

from .conftest import IMEI, act, offline_read, until
from .emulator import BEIJING, Fault, FaultKind, Server, Trigger
from .test_manager import (
    answer_late,
    arrival,
    copy_of,
    kept_on_disk,
    pass_time,
    poll,
    queueings,
    said,
    start,
)
from .test_services import queue_elsewhere

EVERY_ACCOUNT = True

# When the commands of these tests expire, here and at the platform.
EXPIRED_TIME = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
EXPIRY: dict[str, Any] = {"expires_in": None, "expired_time": EXPIRED_TIME.isoformat()}
EXPIRY_AT_ONENET = EXPIRED_TIME.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")

# What happens to one request that queues a command.
OK = Fault(kind=FaultKind.DELAY)
BEFORE = Fault(kind=FaultKind.RESET_BEFORE)
AFTER = Fault(kind=FaultKind.RESET_AFTER)
SLOW = Fault(kind=FaultKind.PAGE, status=504)


def spoil(onenet: Server, *faults: Fault, history: Fault | None = None) -> None:
    """Spoil one queueing request after the other, and the lists and details with another fault."""
    onenet.faults.clear()
    # The first that fits is taken, and a list's path holds that of the queueing.
    onenet.faults.append(Fault(**vars(history or OK) | {"path": "/history", "times": 10_000}))
    onenet.faults.extend(Fault(**vars(fault) | {"path": "/offline"}) for fault in faults)


def uuids(onenet: Server) -> list[str]:
    """Return the UUIDs that the platform has given."""
    return [command.uuid for command in onenet.onenet.commands]


def arrive_late(onenet: Server) -> str:
    """Let the last request to queue a command arrive at the platform after all; return the UUID."""
    query = next(request.query for request in reversed(onenet.requests) if request.path.endswith("/offline"))
    return onenet.onenet.queue_read(onenet.onenet.products[0], query).uuid


async def lose(
    hass: HomeAssistant, key: str = "outcome_unknown", context: Context | None = None, **fields: Any
) -> None:
    """Queue a command of which nobody can tell whether OneNET has it."""
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass, context, **EXPIRY | fields)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)


async def remembered(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return what is kept of which nobody knows whether OneNET has it."""
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
async def test_a_command_that_was_lost_on_its_way_is_sent_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault
) -> None:
    """A reading would be missing after every short interruption."""
    onenet.requests.clear()
    spoil(onenet, fault)
    response = await offline_read(hass)
    assert [response["uuid"]] == uuids(onenet)
    assert said(events) == [("queued", response["uuid"])]
    assert queueings(onenet) == 2


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
        # Errors after which a command may have been stored all the same.
        Fault(kind=FaultKind.BODY, text='{"errno": 14, "error": "latency", "code": 14, "msg": "latency"}'),
        Fault(kind=FaultKind.BODY, text='{"errno": 5117, "error": "rpc error", "code": 5117, "msg": "rpc error"}'),
    ],
    ids=["reset", "truncated", "empty", "garbage", "huge", "no_json", "no_uuid", "14", "5117"],
)
async def test_a_command_whose_answer_was_lost_is_found_in_the_devices_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault
) -> None:
    """A battery-powered device would be asked twice, or a command be queued that nobody can follow."""
    onenet.requests.clear()
    spoil(onenet, fault)
    context = Context()
    response = await offline_read(hass, context, obj_inst_id=0, res_id=5700, **EXPIRY)
    assert [response["uuid"]] == uuids(onenet)
    # aiohttp would repeat a GET, or one on a connection that was kept alive, by itself.
    assert queueings(onenet) == 1
    assert events[0].data == {"type": "command_queued", **response}
    assert [event.context for event in events] == [context]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll(account)
    assert said(events) == [("queued", response["uuid"]), ("succeeded", response["uuid"])]
    assert events[1].data["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert events[1].context == context
    await until(lambda: [row["uuid"] for row in kept_on_disk(hass, account)] == uuids(onenet))


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
async def test_identical_calls_at_once_each_get_a_command_of_their_own(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    calls: int,
    faults: tuple[Fault, ...],
) -> None:
    """Two automations would be told of one command, and the other one be followed by nobody."""
    spoil(onenet, *faults)
    contexts = [Context() for _ in range(calls)]
    responses = await asyncio.gather(*(offline_read(hass, context, **EXPIRY) for context in contexts))
    assert len(onenet.faults) == 1
    assert sorted(response["uuid"] for response in responses) == sorted(uuids(onenet))
    assert len(set(uuids(onenet))) == len(responses) == calls
    queued_by = {event.context.id: event.data["uuid"] for event in events if event.data["type"] == "command_queued"}
    assert queued_by == {context.id: response["uuid"] for context, response in zip(contexts, responses, strict=True)}
    assert len(events) == calls


async def test_somebody_elses_identical_command_is_not_taken_for_ours(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
) -> None:
    """An automation would follow, and cancel, a command of another program's."""
    queue_elsewhere(onenet, expired_time=EXPIRY_AT_ONENET)
    await pass_time(account, onenet, timedelta(minutes=1))
    onenet.requests.clear()
    spoil(onenet, BEFORE)
    await lose(hass)
    # It cannot be told whether the clocks are wrong: nothing is sent again.
    assert queueings(onenet) == len(onenet.onenet.commands) == 1
    assert not events
    assert len(await remembered(hass)) == 1


async def test_somebody_elses_other_command_is_not_taken_for_ours(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The answer to another question would be taken for the reading."""
    elsewhere = queue_elsewhere(onenet, obj_inst_id="0", expired_time=EXPIRY_AT_ONENET)["uuid"]
    spoil(onenet, BEFORE)
    response = await offline_read(hass, **EXPIRY)
    assert uuids(onenet) == [elsewhere, response["uuid"]]
    assert said(events) == [("queued", response["uuid"])]


async def test_a_command_with_another_expiry_is_not_even_looked_at(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Looking for one lost answer would cost as many requests as the device has commands."""
    elsewhere = queue_elsewhere(onenet)["uuid"]
    onenet.requests.clear()
    spoil(onenet, BEFORE)
    await offline_read(hass, **EXPIRY)
    assert not [request for request in onenet.requests if request.path.endswith(elsewhere)]


async def test_a_command_that_may_be_queued_is_announced_when_it_turns_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command that OneNET carries out would never be heard of again."""
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
        await poll(account)
    assert said(events) == [("queued", uuids(onenet)[0])]
    assert events[0].context == context
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll(account)
    assert said(events)[1:] == [("succeeded", uuids(onenet)[0])]
    assert queueings(onenet) == len(uuids(onenet)) == 1
    assert not await remembered(hass)


async def test_a_command_that_turns_up_when_it_is_over_is_told_from_the_beginning(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation would hear of the end of a command that it has not heard of."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    spoil(onenet)
    await poll(account)
    assert said(events) == [("queued", uuids(onenet)[0]), ("succeeded", uuids(onenet)[0])]


async def test_a_command_that_did_not_arrive_twice_is_not_queued(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person could not tell that it is safe to try again."""
    onenet.requests.clear()
    spoil(onenet, BEFORE, BEFORE)
    await lose(hass, "not_queued")
    assert queueings(onenet) == 2
    assert not events
    assert not uuids(onenet)
    assert not (await act(hass, "list_commands"))["commands"]
    await until(lambda: not kept_on_disk(hass, account))


async def test_an_answer_lost_at_the_second_attempt_is_found_too(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The second command of two would be followed by nobody."""
    spoil(onenet, BEFORE, AFTER)
    response = await offline_read(hass)
    assert said(events) == [("queued", response["uuid"])] == [("queued", uuids(onenet)[0])]


async def test_a_refusal_at_the_second_attempt_is_a_refusal(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command that OneNET refused would pass for one that may be queued."""
    spoil(onenet, BEFORE, Fault(kind=FaultKind.ERRNO, errno=5006, text="full"))
    await lose(hass, "limit_reached")
    assert said(events) == [("rejected", None)]
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
    """A slow platform would queue every command twice."""
    onenet.requests.clear()
    spoil(onenet, fault)
    await lose(hass)
    assert queueings(onenet) == 1
    assert not uuids(onenet)
    assert len(await remembered(hass)) == 1
    uuid = arrive_late(onenet)
    await poll(account)
    assert said(events) == [("queued", uuid)]


async def test_a_request_that_nobody_waited_for_any_longer_is_not_sent_again(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow line would queue every command twice."""
    onenet.requests.clear()
    spoil(onenet, Fault(kind=FaultKind.DELAY, seconds=5))
    monkeypatch.setattr(account.runtime_data.manager.client, "_seconds", 0.3)
    await lose(hass)
    assert queueings(onenet) == 1
    uuid = arrive_late(onenet)
    await poll(account)
    assert said(events) == [("queued", uuid)]


async def test_what_never_turns_up_is_forgotten_after_an_hour(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
) -> None:
    """Home Assistant would poll for ever for what never arrived, or not find what was late."""
    spoil(onenet, SLOW)
    await lose(hass)
    await pass_time(account, onenet, timedelta(minutes=59))
    await poll(account)
    assert len(await remembered(hass)) == 1
    await pass_time(account, onenet, timedelta(minutes=2))
    await poll(account)
    assert not await remembered(hass)
    await until(lambda: not kept_on_disk(hass, account))
    assert not events


async def test_what_may_be_there_is_forgotten_when_it_has_expired(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person who was told to poll would find nothing to poll for, or be shown it for ever."""
    queue_elsewhere(onenet, expired_time=EXPIRY_AT_ONENET)
    await pass_time(account, onenet, timedelta(minutes=1))
    spoil(onenet, BEFORE)
    await lose(hass)
    await pass_time(account, onenet, timedelta(hours=47))
    await poll(account)
    assert len(await remembered(hass)) == 1
    await pass_time(account, onenet, timedelta(hours=2))
    await poll(account)
    assert not await remembered(hass)
    assert not events


async def test_a_crash_in_the_middle_of_a_call_loses_nothing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, hass_config_dir: str
) -> None:
    """OneNET would carry out a command that Home Assistant knows nothing of."""
    context = Context()
    spoil(onenet, Fault(kind=FaultKind.DELAY, seconds=0.3))
    call = asyncio.create_task(offline_read(hass, context))
    await arrival(onenet)
    await until(lambda: len(kept_on_disk(hass, account)) == 1)
    config_dir = copy_of(hass_config_dir)
    uuid = (await call)["uuid"]
    async with start(config_dir, account) as (after, events):
        assert said(events) == [("queued", uuid)]
        assert events[0].context.id == context.id
        assert (await act(after, "wait_for_command", uuid=uuid, timeout=0.01))["state"] == "queued"
    assert uuids(onenet) == [uuid]


async def test_the_command_of_an_identical_call_under_way_is_not_given_to_a_lost_one(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An automation would be told of a command that another one queued, and the other one of none."""
    spoil(onenet, SLOW)
    await lose(hass)
    go_on = answer_late(onenet, monkeypatch)
    onenet.faults.clear()
    onenet.faults.append(Fault(kind=FaultKind.DELAY))
    context = Context()
    call = asyncio.create_task(offline_read(hass, context, **EXPIRY))
    await until(lambda: len(uuids(onenet)) == 1)
    await poll(account)
    assert not events
    go_on.set()
    assert [(await call)["uuid"]] == uuids(onenet)
    await poll(account)
    assert said(events) == [("queued", uuids(onenet)[0])]
    assert events[0].context == context
    assert len(await remembered(hass)) == 1


async def test_a_lost_command_is_not_doubled_by_a_call_that_would_keep_it(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation that tries again after the error, and asks to keep what waits, would queue it twice."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    spoil(onenet)
    response = await offline_read(hass, if_waiting="keep", **EXPIRY)
    assert [response["uuid"]] == uuids(onenet)
    assert said(events) == [("queued", response["uuid"])]


async def test_a_command_that_was_found_is_answered_though_another_cannot_be_looked_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation would be told that nobody knows of the command that is announced in the same moment."""
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/offline", seconds=0.2))
    found = asyncio.create_task(offline_read(hass, obj_id=3, expires_in={"days": 1}))
    await arrival(onenet)
    await until(lambda: not onenet.faults)
    # Meanwhile another is lost, and nobody can look for it.
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    onenet.faults.clear()
    onenet.faults.append(Fault(kind=FaultKind.PAGE, path=f"/history/{uuids(onenet)[0]}", times=10_000))
    response = await found
    assert said(events) == [("queued", response["uuid"])]


async def test_a_command_that_is_given_up_while_a_round_looks_for_it_disturbs_nobody(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A round would break off, and say nothing of the other devices."""
    monkeypatch.setattr(manager, "LOST_PAUSE", 0.1)
    elsewhere = queue_elsewhere(onenet, obj_inst_id="0", expired_time=EXPIRY_AT_ONENET)["uuid"]
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path=elsewhere, seconds=0.6))
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history", times=10_000))
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/offline", times=2))
    call = asyncio.create_task(lose(hass, "not_queued"))
    await arrival(onenet)
    await until(lambda: onenet.faults[-1].times == 1)
    await asyncio.sleep(0.03)
    await asyncio.gather(call, poll(account))
    assert not events
    assert not await remembered(hass)


@pytest.mark.parametrize("action", ["cancel_command", "cancel_commands"])
async def test_a_lost_command_that_is_cancelled_is_said_to_be_cancelled_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], action: str
) -> None:
    """Automations would hear of a command that is queued after its end, and of its end twice."""
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.PAGE))
    await lose(hass)
    spoil(onenet)
    # As the error asks to.
    (listed,) = (await act(hass, "list_commands", imei=IMEI))["commands"]
    await act(hass, action, imei=IMEI, **({"uuid": listed["uuid"]} if action == "cancel_command" else {}))
    await poll(account)
    assert said(events) == [("queued", listed["uuid"]), ("cancelled", listed["uuid"])]


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("fault", [BEFORE, AFTER])
async def test_a_clock_that_was_set_doubles_nothing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], fault: Fault, days: int
) -> None:
    """A machine that has just learned the time would have every lost command carried out twice."""
    onenet.onenet.clock.offset += timedelta(days=days)
    spoil(onenet, fault)
    queued = await offline_read(hass, **EXPIRY)
    assert said(events) == [("queued", queued["uuid"])]
    assert uuids(onenet) == [queued["uuid"]]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll(account)
    assert said(events)[1:] == [("succeeded", queued["uuid"])]


async def test_somebody_elses_spoiled_command_stops_nobodys_news(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """One command that OneNET tells nothing of would silence a device."""
    ours = await offline_read(hass)
    spoil(onenet, AFTER, history=Fault(kind=FaultKind.RESET_BEFORE))
    await lose(hass)
    lost = uuids(onenet)[1]
    onenet.faults[:] = [Fault(kind=FaultKind.ERRNO, errno=10001, text="what?", path=lost, times=10_000)]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll(account)
    assert said(events) == [("queued", ours["uuid"]), ("succeeded", ours["uuid"])]
    onenet.faults.clear()
    await poll(account)
    assert said(events)[2:] == [("queued", lost), ("succeeded", lost)]


async def test_a_uuid_that_comes_twice_is_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command would be said to expire after it had succeeded."""
    first = await offline_read(hass)
    same = Fault(
        kind=FaultKind.BODY, text=f'{{"errno": 0, "code": 0, "data": {{"uuid": "{first["uuid"]}"}}}}', path="/offline"
    )
    onenet.faults.append(Fault(**vars(same)))
    assert (await offline_read(hass))["uuid"] == first["uuid"]
    assert said(events) == [("queued", first["uuid"])]
    onenet.onenet.products[0].add("1234", "Test lamp")
    onenet.faults.append(Fault(**vars(same)))
    with pytest.raises(HomeAssistantError, match="another device's"):
        await offline_read(hass, imei="1234")
    assert list(account.runtime_data.manager.imeis) == [IMEI]
    assert account.runtime_data.manager.waiting == 1
