"""What is said of a command, whatever becomes of the caller."""

import asyncio
from collections.abc import AsyncIterator, Sequence
import contextlib
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import shutil
from typing import Any

from aiohttp import web
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_test_home_assistant,
)

from custom_components.onenet_nbiot import ledger
from custom_components.onenet_nbiot.const import DOMAIN, EVENT_ONENET
from custom_components.onenet_nbiot.store import async_get_store

from .conftest import IMEI, act, offline_read, revoke, until
from .emulator import Device, Fault, FaultKind, OneNet, Product, SendStatus, Server, Trigger
from .test_services import queue_elsewhere

EVERY_ACCOUNT = True

OTHER_IMEI = "866971030000002"
UNKNOWN_UUID = "42742677-adc3-54ca-83a1-5aaaf71482f8"


def kept_on_disk(hass: HomeAssistant, account: MockConfigEntry) -> list[dict[str, Any]]:
    """Return the commands of an account that are on disk."""
    return [json.loads(row) for _, row in async_get_store(hass).load_commands(account.entry_id)]


def everything_on_disk(hass: HomeAssistant, account: MockConfigEntry) -> list[Any]:
    """Return all that is on disk of an account."""
    store = async_get_store(hass)
    return [*store.load_commands(account.entry_id), *store.load_devices(account.entry_id)]


def said(events: Sequence[Event[Any]]) -> list[tuple[str, str | None]]:
    """Return what was said of which command."""
    return [(event.data["type"].removeprefix("command_"), event.data.get("uuid")) for event in events]


def queueings(onenet: Server) -> int:
    """Return how many requests to queue a command have arrived."""
    return sum(request.path.endswith("/offline") for request in onenet.requests)


async def pass_time(account: MockConfigEntry, onenet: Server, duration: timedelta) -> None:
    """Let time pass at the platform, by whose clock an account goes."""
    onenet.onenet.clock.offset += duration
    await account.runtime_data.client.check_credentials()


def copy_of(config_dir: str) -> Path:
    """Return a configuration directory with the commands as they are on disk now."""
    copy = Path(config_dir, "copy")
    shutil.copytree(Path(config_dir, ".storage"), copy / ".storage")
    return copy


@contextlib.asynccontextmanager
async def start(
    config_dir: Path, account: MockConfigEntry
) -> AsyncIterator[tuple[HomeAssistant, Sequence[Event[Any]]]]:
    """Start another Home Assistant with the same account; give it and what it says."""
    async with async_test_home_assistant(config_dir=str(config_dir)) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        events = async_capture_events(hass, EVENT_ONENET)
        entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=dict(account.data), entry_id=account.entry_id)
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await look(entry)
        await look(entry)
        yield hass, events
        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_stop(force=True)


async def look(account: MockConfigEntry) -> None:
    """Ask what has become of the device's commands."""
    await account.runtime_data.ledger.async_look(IMEI)


async def arrival(onenet: Server) -> None:
    """Wait until a command has arrived at the platform."""
    while not onenet.requests[-1].path.endswith("/offline"):  # noqa: ASYNC110 - the emulator rings no bell
        await asyncio.sleep(0)


async def call_and_leave(hass: HomeAssistant, onenet: Server) -> None:
    """Be cancelled while a command is on its way."""
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call


async def test_a_command_is_heard_of_though_its_caller_was_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation in mode restart would queue a command that nobody knows of."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    await call_and_leave(hass, onenet)
    await hass.async_block_till_done()
    assert [event.data["uuid"] for event in events] == [command.uuid for command in onenet.onenet.commands]
    assert len(events) == 1


async def test_trouble_is_heard_of_though_the_caller_was_cancelled(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody would know of a command whose reply was lost."""
    expected_warnings.append("After its caller had gone, a command failed: OneNET's reply was lost")
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, seconds=0.2))
    onenet.faults.append(Fault(kind=FaultKind.PAGE, path="/history"))
    await call_and_leave(hass, onenet)
    await hass.async_block_till_done()
    assert "it is unknown whether the command is queued" in caplog.text


async def test_nobody_waits_for_ever_when_home_assistant_stops(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Home Assistant would hang at its end."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=60))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    (work,) = (task for task in asyncio.all_tasks() if task.get_name() == "OneNET command")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_command_is_heard_of_though_its_account_is_reloaded(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command would be lost whenever somebody changes a setting."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    assert await hass.config_entries.async_reload(account.entry_id)
    assert (await call)["uuid"] == onenet.onenet.commands[0].uuid == events[0].data["uuid"]


async def test_a_hundred_calls_at_once_each_get_their_own_uuid(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The answer to one automation would reach another."""
    product = onenet.onenet.products[0]
    imeis = [str(int(IMEI) + number) for number in range(1, 101)]
    for imei in imeis:
        product.add(imei, "Meter")
    responses = await asyncio.gather(*(offline_read(hass, imei=imei) for imei in imeis))
    stored = {command.imei: command.uuid for command in onenet.onenet.commands}
    assert {response["imei"]: response["uuid"] for response in responses} == stored
    assert {event.data["imei"]: event.data["uuid"] for event in events} == stored


async def test_an_account_removed_during_a_call_leaves_nothing_behind(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A caller would wait for ever, or commands of an account that is no longer be kept for ever."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    await until(lambda: len(kept_on_disk(hass, account)) == 2)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await call)["uuid"] == onenet.onenet.commands[1].uuid
    await until(lambda: not everything_on_disk(hass, account))
    await asyncio.sleep(0.05)
    assert not everything_on_disk(hass, account)


async def test_an_account_removed_during_a_look_up_leaves_nothing_behind(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """What a device answered would be kept for ever for an account that is no longer."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history/", seconds=0.2))
    looking = asyncio.create_task(act(hass, "get_command", uuid=queued["uuid"]))
    await until(lambda: queued["uuid"] in onenet.requests[-1].path)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await looking)["state"] == "succeeded"
    await asyncio.sleep(0.05)
    assert not everything_on_disk(hass, account)


async def test_commands_are_added_by_default(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """An automation that wants two readings would get one."""
    first = await offline_read(hass)
    second = await offline_read(hass, if_waiting="add")
    assert [command.uuid for command in onenet.onenet.commands] == [first["uuid"], second["uuid"]]


async def test_a_command_that_waits_is_kept(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An hourly automation would fill the queue of a device that sleeps for days."""
    waiting = await offline_read(hass, obj_inst_id=0, if_waiting="keep")
    onenet.requests.clear()
    # It is the same, whenever it expires and however it is read.
    response = await offline_read(hass, obj_inst_id=0, expires_in={"days": 2}, retry=5, if_waiting="keep")
    assert response == waiting
    assert queueings(onenet) == 0
    assert said(events) == [("queued", waiting["uuid"])]


@pytest.mark.parametrize("fields", [{}, {"obj_inst_id": 1}, {"obj_inst_id": 0, "res_id": 5700}, {"obj_id": 3304}])
@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_a_command_for_something_else_is_neither_kept_nor_replaced(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], if_waiting: str, fields: dict[str, Any]
) -> None:
    """A reading would be missing because another one waits."""
    first = await offline_read(hass, obj_inst_id=0)
    second = await offline_read(hass, if_waiting=if_waiting, **fields)
    assert said(events) == [("queued", first["uuid"]), ("queued", second["uuid"])]


async def test_another_is_queued_when_the_device_has_woken(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation would get no new reading until the next round has seen the last one."""
    first = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    second = await offline_read(hass, if_waiting="keep")
    assert second["uuid"] == onenet.onenet.commands[1].uuid != first["uuid"]
    assert said(events) == [("queued", first["uuid"]), ("succeeded", first["uuid"]), ("queued", second["uuid"])]


@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_a_command_that_is_planned_for_later_stays_beside_one_for_now(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], if_waiting: str
) -> None:
    """A reading now would not come before tomorrow, or the one of tomorrow never."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    planned = await offline_read(hass, valid_time=tomorrow)
    now = await offline_read(hass, if_waiting=if_waiting)
    assert said(events) == [("queued", planned["uuid"]), ("queued", now["uuid"])]
    # One for now does for tomorrow, too.
    later = await offline_read(hass, valid_time=tomorrow, if_waiting="keep")
    assert later["uuid"] in (planned["uuid"], now["uuid"])
    assert len(events) == 2


async def test_a_command_that_waits_is_replaced(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command of yesterday would be carried out with yesterday's expiry, or both be."""
    waiting = [await offline_read(hass) for _ in range(2)]
    context = Context()
    response = await offline_read(hass, context, expires_in={"days": 2}, if_waiting="replace")
    assert said(events[2:]) == [
        ("cancelled", waiting[0]["uuid"]),
        ("cancelled", waiting[1]["uuid"]),
        ("queued", response["uuid"]),
    ]
    assert [event.context for event in events[2:]] == [context] * 3
    assert [command["state"] for command in (await act(hass, "list_commands", imei=IMEI))["commands"]] == [
        "queued",
        "cancelled",
        "cancelled",
    ]


async def test_a_command_that_was_sent_before_it_was_replaced_goes_on(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An automation would fail whenever the device wakes in the wrong moment."""
    first = await offline_read(hass)
    cancel = onenet.onenet.cancel

    def wake_first(*args: Any) -> None:
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        cancel(*args)

    monkeypatch.setattr(onenet.onenet, "cancel", wake_first)
    second = await offline_read(hass, if_waiting="replace")
    assert said(events) == [("queued", first["uuid"]), ("succeeded", first["uuid"]), ("queued", second["uuid"])]


@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_a_command_that_was_sent_in_vain_waits_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, if_waiting: str
) -> None:
    """An hourly automation would fill the queue of a device that hears badly."""
    first = await offline_read(hass)
    device.hesitates = True
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    assert (await act(hass, "get_command", uuid=first["uuid"]))["state"] == "sent"
    device.commands[0].send_status, device.commands[0].remain = SendStatus.WAITING, 2
    second = await offline_read(hass, if_waiting=if_waiting)
    assert (second == first) == (if_waiting == "keep")
    assert sum(command.send_status is SendStatus.WAITING for command in device.commands) == 1
    (*_, listed) = (await act(hass, "list_commands"))["commands"]
    assert listed["remain"] == 2


async def test_nothing_is_queued_beside_what_cannot_be_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command would be doubled that was to be replaced."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, path="/cancel/", errno=14, text="late"))
    with pytest.raises(HomeAssistantError, match="late"):
        await offline_read(hass, if_waiting="replace")
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_nothing_is_queued_beside_what_onenet_no_longer_wants_to_know(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command would be doubled, because OneNET's refusal passes for a command that was sent."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, path="/history/", errno=10001, text="what?"))
    with pytest.raises(ServiceValidationError, match="errno 10001"):
        await offline_read(hass, if_waiting="replace")
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_two_calls_at_once_that_keep_what_waits_queue_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Two automations that are set off by the same event would queue two."""
    responses = await asyncio.gather(*(offline_read(hass, if_waiting="keep") for _ in range(2)))
    assert responses[0] == responses[1]
    assert said(events) == [("queued", onenet.onenet.commands[0].uuid)]


async def test_nothing_is_queued_while_nobody_can_tell_what_waits(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command would be doubled that was to be kept."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/history"))
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass, if_waiting="keep")
    assert caught.value.translation_key == "no_reply"
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_a_full_queue_is_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person could not tell what to do about it."""
    for _ in range(10):
        queue_elsewhere(onenet)
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass)
    assert caught.value.translation_key == "limit_reached"
    assert said(events) == [("rejected", None)]
    assert events[0].data["reason"] == "limit_reached"
    assert not (await act(hass, "list_commands"))["commands"]
    await until(lambda: not kept_on_disk(hass, account))


async def test_waiting_for_a_command_ends_with_what_it_brought(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script could not go on with the reading."""
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    waits = [
        asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout={"hours": 24})) for _ in range(3)
    ]
    await asyncio.sleep(0.05)
    assert not any(wait.done() for wait in waits)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    for response in await asyncio.gather(*waits):
        assert response.items() >= (queued | {"state": "succeeded"}).items()
        assert response["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    onenet.requests.clear()
    assert await act(hass, "wait_for_command", uuid=queued["uuid"], timeout="24:00:00") == response
    assert not onenet.requests


async def test_the_end_of_the_wait_asks_once_more(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The device has answered since the last poll."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01)
    assert (response["state"], response["values"][0]["value"]) == ("succeeded", 21.5)
    assert said(events) == [("queued", queued["uuid"]), ("succeeded", queued["uuid"])]


async def test_the_end_of_the_wait_answers_without_onenet_too(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """What is known here is better than an error."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE))
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01)
    assert response["state"] == "queued"


async def test_waiting_for_a_command_goes_on_while_it_is_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A script would go on without the reading."""
    device.hesitates = True
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    assert (await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01))["state"] == "sent"
    assert not wait.done()
    onenet.onenet.answer(IMEI)
    await look(account)
    assert (await wait)["state"] == "succeeded"


async def test_waiting_for_a_command_ends_when_the_time_is_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script would hang for days on a device that sleeps."""
    queued = await offline_read(hass)
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.05)
    assert response["state"] == "queued"
    assert response["uuid"] == queued["uuid"]


async def test_one_who_no_longer_waits_takes_nobody_along(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An automation that is restarted would end the waiting of others, or what it waited for stay in memory."""
    queued = await offline_read(hass)
    gone, stays = (
        asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60)) for _ in range(2)
    )
    await asyncio.sleep(0.02)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await act(hass, "cancel_command", uuid=queued["uuid"])
    assert (await stays)["state"] == "cancelled"
    assert account.runtime_data.ledger._ends == {}


async def test_waiting_for_a_command_survives_a_reload(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script would wait for ever when somebody changes a setting."""
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0.02)
    assert await hass.config_entries.async_reload(account.entry_id)
    assert not wait.done()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    assert (await wait)["state"] == "succeeded"


async def test_waiting_for_a_command_ends_with_its_account(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script would wait for what nobody follows any more."""
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0.02)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await wait)["state"] == "queued"


@pytest.mark.parametrize("wrong", [0, -1, {"hours": 25}, "24:00:01", "soon", {}, {"fortnights": 1}])
async def test_a_wrong_time_to_wait_is_told(hass: HomeAssistant, account: MockConfigEntry, wrong: Any) -> None:
    """A person would be told of the seconds that the device has to answer."""
    queued = await offline_read(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=wrong)
    assert caught.value.translation_key == "invalid_wait"


@pytest.mark.parametrize(
    ("action", "fields"), [("get_command", {}), ("cancel_command", {}), ("wait_for_command", {"timeout": 1})]
)
@pytest.mark.parametrize("with_account", [False, True])
async def test_a_command_that_nobody_knows_is_told_before_anything_is_sent(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    action: str,
    fields: dict[str, Any],
    with_account: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A person could not tell that only an IMEI is missing."""
    onenet.requests.clear()
    if with_account:
        fields = fields | {"config_entry_id": account.entry_id}
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, action, uuid=UNKNOWN_UUID, **fields)
    assert caught.value.translation_key == "unknown_uuid"
    assert UNKNOWN_UUID in str(caught.value)
    assert not onenet.requests


async def test_a_uuid_alone_finds_the_account(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """Whoever has two accounts would have to name one with every UUID."""
    product = Product(key="second-key")
    product.add("1234", "Test lamp", {(3303, 0, 5700): 20})
    server = await Server(OneNet(product)).start()
    second = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: product.key, CONF_URL: server.url})
    second.add_to_hass(hass)
    assert await hass.config_entries.async_setup(second.entry_id)
    queued = [
        await offline_read(hass, config_entry_id=account.entry_id),
        await offline_read(hass, imei="1234", config_entry_id=second.entry_id),
    ]
    for command in queued:
        known = await act(hass, "get_command", uuid=command["uuid"])
        assert known.items() >= (command | {"state": "queued"}).items()
        assert (await act(hass, "wait_for_command", uuid=command["uuid"], timeout=0.01))["state"] == "queued"
        assert await act(hass, "cancel_command", uuid=command["uuid"]) == command
    assert said(events[2:]) == [("cancelled", command["uuid"]) for command in queued]
    await server.stop()


async def test_looking_up_a_command_says_its_news_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person would see what no automation has heard of, or automations hear it twice."""
    context = Context()
    queued = await offline_read(hass, context)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    first = await act(hass, "get_command", uuid=queued["uuid"])
    await look(account)
    assert await act(hass, "get_command", uuid=queued["uuid"]) == first
    assert first["state"] == "succeeded"
    assert said(events) == [("queued", queued["uuid"]), ("succeeded", queued["uuid"])]
    assert events[1].context == context


async def test_what_is_known_is_told_while_onenet_is_away(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person could not look at their commands during an outage."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=100))
    known = await act(hass, "get_command", uuid=queued["uuid"])
    assert known.items() >= (queued | {"state": "queued"}).items()
    with pytest.raises(HomeAssistantError, match="did not reply"):
        await act(hass, "get_command", uuid=queued["uuid"], include_log=True)
    assert len((await act(hass, "list_commands"))["commands"]) == 1
    with pytest.raises(HomeAssistantError, match="did not reply"):
        await act(hass, "list_commands", imei=IMEI)


async def test_a_key_that_is_refused_at_a_look_up_is_asked_for(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would see old news and not be told why."""
    queued = await offline_read(hass)
    revoke(onenet)
    assert (await act(hass, "get_command", uuid=queued["uuid"]))["state"] == "queued"
    await hass.async_block_till_done()
    flows = hass.config_entries.flow.async_progress()
    assert [(flow["step_id"], flow["context"]["entry_id"]) for flow in flows] == [("reauth_confirm", account.entry_id)]


async def test_a_uuid_with_another_imei_is_asked_at_onenet(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The command of another device would be told, or cancelled."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Street lamp")
    queued = await offline_read(hass)
    for action in ("get_command", "cancel_command"):
        onenet.requests.clear()
        with pytest.raises(ServiceValidationError, match="no such command"):
            await act(hass, action, uuid=queued["uuid"], imei=OTHER_IMEI)
        assert {request.query["imei"] for request in onenet.requests} == {OTHER_IMEI}
    assert said(events) == [("queued", queued["uuid"])]


async def test_a_key_that_was_replaced_during_a_call_is_not_asked_for(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person who has just given a new key would be asked for it again."""
    elsewhere = queue_elsewhere(onenet)["uuid"]
    refusal: dict[str, Any] = {"kind": FaultKind.ERRNO, "errno": 3, "text": "auth failed"}
    onenet.faults.append(Fault(**refusal, path="/history/", seconds=0.2))
    # The call that proves that it is the key, in one generation or the other.
    onenet.faults += [Fault(**refusal, path=path, seconds=0.3) for path in ("/devices", "/product/detail")]
    call = asyncio.create_task(act(hass, "get_command", imei=IMEI, uuid=elsewhere))
    await until(lambda: onenet.requests[-1].path.endswith(elsewhere))
    await until(lambda: onenet.requests[-1].path in ("/devices", "/product/detail"))
    assert await hass.config_entries.async_reload(account.entry_id)
    with pytest.raises(HomeAssistantError, match="does not accept"):
        await call
    await hass.async_block_till_done()
    assert hass.config_entries.flow.async_progress() == []


async def test_all_that_is_kept_is_listed(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A person could not see what an account is waiting for."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Street lamp")
    old = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    await pass_time(account, onenet, timedelta(hours=1))
    since = onenet.onenet.clock.now().isoformat()
    await pass_time(account, onenet, timedelta(seconds=1))
    new = [await offline_read(hass), await offline_read(hass, imei=OTHER_IMEI)]
    queue_elsewhere(onenet)
    onenet.faults.append(Fault(kind=FaultKind.PAGE, status=504))
    with pytest.raises(HomeAssistantError):
        await offline_read(hass, obj_id=3)
    onenet.requests.clear()

    async def listed(**fields: Any) -> list[str | None]:
        response = await act(hass, "list_commands", **fields)
        assert response["config_entry_id"] == account.entry_id
        return [command.get("uuid") for command in response["commands"]]

    assert await listed() == [None, new[1]["uuid"], new[0]["uuid"], old["uuid"]]
    assert await listed(since=since) == [None, new[1]["uuid"], new[0]["uuid"]]
    assert await listed(state="unknown") == [None]
    assert await listed(state=["failed"]) == [old["uuid"]]
    assert await listed(state=["queued", "failed"], since=since) == [new[1]["uuid"], new[0]["uuid"]]
    assert await listed(state="expired") == []
    assert not onenet.requests
    (failed,) = (await act(hass, "list_commands", state="failed"))["commands"]
    assert failed.items() >= (old | {"state": "failed", "reason": "not_found"}).items()


async def test_a_devices_list_tells_more_of_what_was_queued_here(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person could not tell what a command asks for."""
    elsewhere = queue_elsewhere(onenet)
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    here, there = (await act(hass, "list_commands", imei=IMEI))["commands"]
    assert here.items() >= (queued | {"state": "queued"}).items()
    assert (there["uuid"], there["state"]) == (elsewhere["uuid"], "queued")
    assert "obj_id" not in there


async def test_finished_commands_are_forgotten_after_a_week(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The file would grow as long as Home Assistant lives, or a person not find what was yesterday."""
    queued = await offline_read(hass, expires_in={"days": 30})
    await pass_time(account, onenet, timedelta(days=10))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    waiting = await offline_read(hass, expires_in={"days": 30})
    await pass_time(account, onenet, timedelta(days=7, minutes=-1))
    await account.runtime_data.async_refresh()
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting["uuid"], queued["uuid"]]
    await pass_time(account, onenet, timedelta(minutes=2))
    await account.runtime_data.async_refresh()
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting["uuid"]]
    await until(lambda: [row["uuid"] for row in kept_on_disk(hass, account)] == [waiting["uuid"]])


async def test_of_too_many_finished_commands_the_oldest_are_forgotten(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file would grow with every automation that reads a lot."""
    monkeypatch.setattr(ledger, "FINISHED_MAX", 3)
    queued = []
    for _ in range(5):
        queued.append((await offline_read(hass))["uuid"])
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await look(account)
    waiting = (await offline_read(hass))["uuid"]
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting, *queued[:1:-1]]
    await until(lambda: [row["uuid"] for row in kept_on_disk(hass, account)] == [*queued[2:], waiting])


async def test_a_device_that_refuses_is_told_from_one_that_does_not_answer(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """An automation could not tell what to do about it."""
    await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    device.answers = False
    await offline_read(hass, retry=1)
    for _ in range(2):
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await look(account)
    outcomes = [event.data for event in events if event.data["type"] == "command_failed"]
    assert [(outcome["reason"], outcome["message"]) for outcome in outcomes] == [
        ("not_found", "The device answered NOT_FOUND"),
        ("time_out", "OneNET gave up: TIME_OUT"),
    ]
    assert all("values" not in outcome for outcome in outcomes)
    assert len(events) == 4


async def test_every_value_of_a_read_is_said(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Automations could not handle bytes, or tell two values of one resource apart."""
    device.resources[3200, 0, 5505] = [1, 171, 255]
    device.resources[3200, 1, 5500] = True
    opaque = await offline_read(hass, obj_id=3200)
    several = await offline_read(hass, obj_id=3)
    device.resources[3, 0, 11] = 0
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    detail = {
        "cmd_uuid": several["uuid"],
        "type": "READ",
        "send_status": 5,
        "confirm_status": 0,
        "cmd_result": {
            "obj_id": 3,
            "obj_inst": [
                {
                    "obj_inst_id": 0,
                    "res": [
                        {"res_id": 11, "res_inst": [{"res_inst_id": 0, "val": 0}, {"res_inst_id": 1, "val": [16]}]},
                        {"res_id": 13, "val": 1530496927000},
                    ],
                }
            ],
        },
    }
    onenet.faults.append(
        Fault(
            kind=FaultKind.BODY,
            path=f"/history/{several['uuid']}",
            text=json.dumps({"errno": 0, "code": 0, "data": detail}),
        )
    )
    await look(account)
    values = {event.data["uuid"]: event.data["values"] for event in events if "values" in event.data}
    assert values == {
        opaque["uuid"]: [
            {"obj_id": 3200, "obj_inst_id": 0, "res_id": 5505, "value": "01abff"},
            {"obj_id": 3200, "obj_inst_id": 1, "res_id": 5500, "value": True},
        ],
        several["uuid"]: [
            {"obj_id": 3, "obj_inst_id": 0, "res_id": 11, "res_inst_id": 0, "value": 0},
            {"obj_id": 3, "obj_inst_id": 0, "res_id": 11, "res_inst_id": 1, "value": "10"},
            {"obj_id": 3, "obj_inst_id": 0, "res_id": 13, "value": 1530496927000},
        ],
    }


def answer_late(onenet: Server, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Keep what a fault spoils waiting for its answer, after it was carried out, until this event."""
    go_on = asyncio.Event()

    async def answer(request: web.Request, fault: Fault) -> web.Response:
        reply = await onenet._call(request)
        await go_on.wait()
        return web.json_response(reply)

    monkeypatch.setattr(onenet, "_spoil", answer)
    return go_on


async def test_old_news_does_not_undo_the_times_of_a_finished_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person would see a command that succeeded, but was never sent."""
    queued = await offline_read(hass)
    go_on = answer_late(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path=queued["uuid"]))
    old = asyncio.create_task(act(hass, "get_command", uuid=queued["uuid"]))
    await until(lambda: not onenet.faults)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    go_on.set()
    assert (await old)["state"] == "succeeded"
    finished = await act(hass, "get_command", uuid=queued["uuid"])
    assert {"send_time", "confirm_time"} <= finished.keys()


async def test_a_cancellation_that_a_round_sees_first_is_said_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An automation would handle the end of one command twice."""
    queued = await offline_read(hass)
    go_on = answer_late(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/cancel/"))
    cancel = asyncio.create_task(act(hass, "cancel_command", uuid=queued["uuid"]))
    await until(lambda: onenet.requests[-1].method == "PUT")
    await look(account)
    go_on.set()
    assert await cancel == queued
    assert said(events) == [("queued", queued["uuid"]), ("cancelled", queued["uuid"])]


async def test_a_command_of_somebody_elses_that_was_sent_cannot_be_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person would believe that nothing happens."""
    uuid = queue_elsewhere(onenet)["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    with pytest.raises(ServiceValidationError, match="already succeeded"):
        await act(hass, "cancel_command", uuid=uuid, imei=IMEI)
    assert not events


async def test_a_restart_says_what_came_meanwhile_and_nothing_twice(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, hass_config_dir: str
) -> None:
    """An automation would wait for ever for news of that time, or act twice on older news."""
    context = Context()
    over = (await offline_read(hass))["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await look(account)
    meanwhile = (await offline_read(hass, context, obj_inst_id=0, res_id=5700))["uuid"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    waits = (await offline_read(hass, valid_time=tomorrow, trigger_msg="update"))["uuid"]
    await until(lambda: [row["state"] for row in kept_on_disk(hass, account)] == ["succeeded", "queued", "queued"])
    before = await act(hass, "list_commands")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    async with start(copy_of(hass_config_dir), account) as (after, events):
        assert said(events) == [("succeeded", meanwhile)]
        assert events[0].context.id == context.id
        commands = (await act(after, "list_commands"))["commands"]
        assert [(command["uuid"], command["state"]) for command in commands] == [
            (waits, "queued"),
            (meanwhile, "succeeded"),
            (over, "succeeded"),
        ]
        assert commands[0] == before["commands"][0] | {"remain": 3}
        assert commands[2] == before["commands"][2]
        assert (await act(after, "wait_for_command", uuid=over, timeout=60))["values"]


async def test_a_command_that_is_cancelled_before_its_caller_has_the_uuid_is_said_to_be_cancelled_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Automations would hear of a command that is queued after its end, and of its end twice."""
    go_on = answer_late(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY))
    call = asyncio.create_task(offline_read(hass))
    await until(lambda: onenet.onenet.commands)
    cancel = asyncio.create_task(act(hass, "cancel_commands", imei=IMEI))
    await asyncio.sleep(0.1)
    go_on.set()
    uuid = (await call)["uuid"]
    assert [command["uuid"] for command in (await cancel)["commands"]] == [uuid]
    await look(account)
    assert said(events) == [("queued", uuid), ("cancelled", uuid)]
