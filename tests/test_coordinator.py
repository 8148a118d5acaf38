"""Following commands to their end: what is said, when, and at what cost."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
import logging
import re
from typing import Any

from freezegun import freeze_time
from freezegun.api import TickingDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, STATE_UNAVAILABLE
from homeassistant.core import Context, CoreState, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
    async_test_home_assistant,
)

from custom_components.onenet_nbiot.command import Command
from custom_components.onenet_nbiot.const import CONF_INTERVAL, DOMAIN
from custom_components.onenet_nbiot.coordinator import OneNetCoordinator
from custom_components.onenet_nbiot.onenet.models import CommandState
from custom_components.onenet_nbiot.onenet.operations import CachedCommand, Read
from custom_components.onenet_nbiot.store import async_get_store

from .conftest import ACCESS_KEY, ACCOUNTS, IMEI, KEY, LEGACY_ONLY, act, offline_read, revoke, until
from .emulator import Device, Fault, FaultKind, SendStatus, Server, Trigger

EVERY_ACCOUNT = True

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[TickingDateTimeFactory]:
    """Return a clock that goes on and can be set; the event loop keeps its own."""
    with freeze_time("2026-11-23 04:00:00", tick=True, real_asyncio=True) as clock:
        assert isinstance(clock, TickingDateTimeFactory)
        yield clock


@pytest.fixture
def coordinator(clock: Any, account: MockConfigEntry) -> OneNetCoordinator:
    """Return what follows the account's commands."""
    coordinator: OneNetCoordinator = account.runtime_data
    return coordinator


def types(events: Sequence[Event[Any]]) -> list[str]:
    """Return what was said, in short."""
    return [event.data["type"].removeprefix("command_") for event in events]


def shown(hass: HomeAssistant) -> Any:
    """Return what the event entity shows."""
    state = hass.states.get("event.onenet_command")
    return state and state.attributes["event_type"]


async def rounds(coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, minutes: float) -> None:
    """Let time pass, with a round a minute."""
    for _ in range(int(minutes)):
        clock.tick(MINUTE)
        await coordinator.async_refresh()


def paths(onenet: Server) -> list[str]:
    """Return which calls were made since this was last asked, in short."""
    found = [
        path.replace(path.rpartition("/")[2], "*") if "/history/" in path else path
        for path in (re.sub("^/nb-?iot", "", request.path) for request in onenet.requests)
    ]
    onenet.requests.clear()
    return found


async def test_a_finished_read_is_heard_of_with_its_values(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """An automation would wait for its reading for ever."""
    context = Context(user_id="somebody")
    queued = await offline_read(hass, context, obj_inst_id=0, res_id=5700)
    await rounds(coordinator, clock, 2)
    assert types(events) == ["queued"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 10)
    assert types(events) == ["queued", "succeeded"]
    assert events[1].data == {
        "type": "command_succeeded",
        **queued,
        "values": [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}],
    }
    assert events[1].context == context


async def test_a_command_is_heard_of_when_it_was_sent_and_when_it_failed(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """Delivered would pass for done, or a failure for silence."""
    device.hesitates = True
    await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    await rounds(coordinator, clock, 1)
    assert types(events) == ["queued", "sent"]
    onenet.onenet.answer(IMEI)
    await rounds(coordinator, clock, 10)
    assert types(events) == ["queued", "sent", "failed"]
    assert events[2].data["reason"] == "not_found"
    assert events[2].data["message"] == "The device answered NOT_FOUND"


async def test_a_command_that_nobody_answered_has_timed_out(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """A device that is broken would be waited for until the command expires."""
    device.answers = False
    await offline_read(hass, retry=0)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    await rounds(coordinator, clock, 1)
    assert types(events) == ["queued", "failed"]
    assert (events[1].data["reason"], events[1].data["message"]) == ("time_out", "OneNET gave up: TIME_OUT")


async def test_the_same_news_is_said_once(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """An automation would act twice on one reading."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    action = {"imei": IMEI, "uuid": queued["uuid"]}
    for _ in range(2):
        await hass.services.async_call(DOMAIN, "get_command", action, blocking=True, return_response=True)
        await coordinator.ledger.async_look(IMEI)
        await rounds(coordinator, clock, 5)
    assert types(events) == ["queued", "succeeded"]


async def test_a_command_goes_forward_only(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """An automation would hear that a finished command waits again."""
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 1)
    await offline_read(hass)
    device.hesitates = True
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 1)
    for command in device.commands:
        command.send_status = SendStatus.WAITING
    await rounds(coordinator, clock, 10)
    assert types(events) == ["queued", "succeeded", "queued", "sent"]


async def test_a_command_that_was_cancelled_elsewhere_is_heard_of(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """An automation would wait for a command that somebody cancelled in OneNET's console."""
    await offline_read(hass)
    device.commands[0].send_status = SendStatus.CANCELLED
    await rounds(coordinator, clock, 1)
    assert types(events) == ["queued", "cancelled"]


async def test_an_expired_command_is_heard_of_soon(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    events: list[Event],
) -> None:
    """An automation would wait for a command that OneNET has dropped."""
    await offline_read(hass, expires_in={"minutes": 33})
    await rounds(coordinator, clock, 32)
    assert types(events) == ["queued"]
    await rounds(coordinator, clock, 2)
    assert types(events) == ["queued", "expired"]


async def test_a_command_expires_though_onenet_never_says_so(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OneNET would be asked about a dead command for ever."""
    monkeypatch.setattr(onenet.onenet, "_expire", lambda _: None)
    await offline_read(hass, expires_in={"minutes": 5})
    await rounds(coordinator, clock, 14)
    assert types(events) == ["queued"]
    await rounds(coordinator, clock, 10)
    assert types(events) == ["queued", "expired"]
    assert not coordinator.ledger.imeis
    listed: Any = await hass.services.async_call(
        DOMAIN, "list_commands", {"imei": IMEI}, blocking=True, return_response=True
    )
    assert [command["state"] for command in listed["commands"]] == ["expired"]


@LEGACY_ONLY
async def test_a_device_that_has_sent_something_is_looked_at_in_the_next_round(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A reading would be told up to ten minutes after it was taken."""
    await offline_read(hass)
    await rounds(coordinator, clock, 60)
    for trigger in (Trigger.NOTIFY, Trigger.REGISTER):
        events.clear()
        onenet.onenet.sleep(IMEI)
        await rounds(coordinator, clock, 30)
        await offline_read(hass)
        await rounds(coordinator, clock, 33)
        onenet.onenet.wake(IMEI, trigger)
        await rounds(coordinator, clock, 1)
        assert types(events)[-1] == "succeeded", trigger


async def test_onenet_is_asked_soon_and_then_less_often(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """OneNET would be asked every minute for days, or a quick answer be heard of late."""
    await offline_read(hass, expires_in={"days": 3})
    assert coordinator.update_interval == timedelta(seconds=10)
    looks = []
    onenet.requests.clear()
    for minute in range(1, 61):
        await rounds(coordinator, clock, 1)
        if "/offline/history" in paths(onenet):
            looks.append(minute)
    assert looks == [1, 2, 3, 5, 10, 20, 30, 40, 50, 60]


async def test_a_new_command_is_looked_at_between_two_rounds_and_nothing_else(
    hass: HomeAssistant, coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, onenet: Server
) -> None:
    """An automation that asks every few seconds would make OneNET be asked about everything as often."""
    onenet.onenet.products[0].add("1234", "Test lamp")
    await offline_read(hass)
    await rounds(coordinator, clock, 3)
    assert coordinator.update_interval
    assert coordinator.update_interval > timedelta(seconds=50)
    await offline_read(hass, imei="1234")
    onenet.requests.clear()
    clock.tick(timedelta(seconds=11))
    await coordinator.async_refresh()
    assert [request.query["imei"] for request in onenet.requests] == ["1234"]
    assert paths(onenet) == ["/offline/history"]


async def test_a_command_that_starts_later_is_looked_at_then(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """The answer to a planned command would be heard of late."""
    start = dt_util.now() + timedelta(minutes=56)
    await offline_read(hass, valid_time=start.isoformat())
    await rounds(coordinator, clock, 56)
    clock.tick(timedelta(seconds=2))
    onenet.requests.clear()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 1)
    assert "/offline/history" in paths(onenet)
    assert types(events) == ["queued", "succeeded"]


async def test_rounds_come_by_themselves(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Nothing would be heard of unless somebody asks."""
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    clock.tick(timedelta(seconds=11))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert types(events) == ["queued", "succeeded"]
    onenet.requests.clear()
    for _ in range(30):
        clock.tick(MINUTE)
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    # Nothing waits any more: then it is only of interest whether OneNET is there.
    assert 1 <= len(paths(onenet)) <= 3


async def test_the_base_interval_is_the_persons_choice(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, onenet: Server, clock: TickingDateTimeFactory
) -> None:
    """The option would change nothing."""
    hass.config_entries.async_update_entry(entry, options={CONF_INTERVAL: 600})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await offline_read(hass, expires_in={"days": 3})
    looks = []
    for minute in range(1, 70):
        await rounds(entry.runtime_data, clock, 1)
        if "/offline/history" in paths(onenet):
            looks.append(minute)
    assert looks == [1, 11, 21, 41]


async def test_an_outage_is_logged_once_and_passes_by_itself(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A person would find hundreds of lines in the log, or miss what happened meanwhile."""
    expected_warnings.append("Error fetching OneNET data: OneNET did not reply")
    await offline_read(hass)
    await rounds(coordinator, clock, 1)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=10_000))
    delays = []
    for _ in range(7):
        clock.tick(timedelta(hours=1))
        await coordinator.async_refresh()
        assert isinstance(coordinator.last_exception, Exception)
        delays.append(getattr(coordinator.last_exception, "retry_after", None))
    assert delays == [30, 60, 120, 300, 600, 600, 600]
    for entity_id in ("event.onenet_command", "sensor.onenet_waiting_commands"):
        assert hass.states.is_state(entity_id, STATE_UNAVAILABLE)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.faults.clear()
    clock.tick(timedelta(minutes=10))
    await coordinator.async_refresh()
    assert types(events) == ["queued", "succeeded"]
    assert shown(hass) == "succeeded"
    assert hass.states.is_state("sensor.onenet_waiting_commands", "0")
    loud = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in loud if "OneNET" in text]) == 1
    assert len([record for record in caplog.records if "recovered" in record.getMessage()]) == 1


async def test_a_queued_command_shows_that_onenet_is_back(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """The entities would stay unavailable for minutes, and not tell of the command."""
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=2))
    await coordinator.async_refresh()
    assert hass.states.is_state("event.onenet_command", STATE_UNAVAILABLE)
    await coordinator.async_refresh()
    await offline_read(hass)
    assert shown(hass) == "queued"
    assert hass.states.is_state("sensor.onenet_waiting_commands", "1")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=10))
    await coordinator.async_refresh()
    assert hass.states.is_state("event.onenet_command", STATE_UNAVAILABLE)


async def test_a_refused_key_asks_for_a_new_one(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """Commands would no longer be followed, and nobody be told why."""
    expected_warnings.append("Error fetching OneNET data: OneNET does not accept the account's key")
    revoke(onenet)
    for _ in range(2):
        await coordinator.async_refresh()
        await hass.async_block_till_done()
        assert [flow["step_id"] for flow in hass.config_entries.flow.async_progress()] == ["reauth_confirm"]
    # It was a passing fault.
    onenet.onenet.products[0].key, onenet.onenet.products[0].access_key = KEY, ACCESS_KEY
    clock.tick(timedelta(seconds=61))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.last_update_success
    # Then the request for a new key goes by itself.
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    ("errno", "text"),
    [
        (1, "internal server error"),
        (1, "ip limit"),
        (10403, "this request has expired"),
        (3, "invalid parameter: auth_info"),
    ],
)
async def test_a_refusal_that_is_not_about_the_key_asks_for_no_new_one(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    onenet: Server,
    expected_warnings: list[str],
    errno: int,
    text: str,
) -> None:
    """A new key would not help."""
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=errno, text=text, times=10_000))
    with pytest.raises(HomeAssistantError):
        await offline_read(hass)
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert not coordinator.last_update_success
    assert hass.config_entries.flow.async_progress() == []


async def test_a_page_of_a_proxy_asks_for_no_new_key(
    hass: HomeAssistant, coordinator: OneNetCoordinator, onenet: Server, expected_warnings: list[str]
) -> None:
    """OneNET answers refusals with HTTP status 200."""
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.PAGE, status=401, times=10_000))
    with pytest.raises(HomeAssistantError):
        await offline_read(hass)
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ERRNO, errno=10410, text="no such device", times=10_000),
        Fault(kind=FaultKind.BODY, text='{"errno": 0, "code": 0, "data": "?"}', times=10_000),
    ],
)
async def test_trouble_with_one_device_does_not_stop_the_others(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    fault: Fault,
) -> None:
    """One broken device would keep a person from all their readings."""
    onenet.onenet.products[0].add("1234", "Test lamp", {(3303, 0, 5700): 1})
    await offline_read(hass)
    await offline_read(hass, imei="1234")
    for imei in (IMEI, "1234"):
        onenet.onenet.wake(imei, Trigger.UPDATE)
    onenet.faults.append(Fault(**vars(fault) | {"path": "/history", "imei": IMEI}))
    await rounds(coordinator, clock, 1)
    assert coordinator.last_update_success
    assert [event.data["imei"] for event in events if event.data["type"] == "command_succeeded"] == ["1234"]


async def test_values_that_cannot_be_had_are_asked_for_again_and_given_up_at_last(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
) -> None:
    """A reply that OneNET spoiled once would cost a reading, or one that stays spoiled all that follow."""
    first = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.BODY, path=first["uuid"], times=2))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    second = await offline_read(hass, res_id=5700, obj_inst_id=0)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    expected_warnings.append("Error fetching OneNET data: The server of the account is not OneNET")
    await rounds(coordinator, clock, 1)
    assert [event.data["uuid"] for event in events if "values" in event.data] == [second["uuid"]]
    await rounds(coordinator, clock, 20)
    assert [event.data["uuid"] for event in events if "values" in event.data] == [second["uuid"], first["uuid"]]
    third = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.faults.append(Fault(kind=FaultKind.BODY, path=third["uuid"], times=10))
    expected_warnings.append(f"The values that command {third['uuid']} has read cannot be fetched: ")
    await rounds(coordinator, clock, 60)
    assert (events[-1].data["uuid"], events[-1].data["values_omitted"]) == (third["uuid"], "unreadable")
    assert "values" not in events[-1].data


async def test_a_result_that_cannot_be_read_is_kept_and_logged_once(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A device that answered is not told as one without values."""
    uuid = (await offline_read(hass))["uuid"]
    expected_warnings.append(f"The result of command {uuid} cannot be read")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    detail = {"type": "READ", "send_status": 5, "confirm_status": "SUCCESS", "cmd_result": {"payload": "001aff"}}
    onenet.faults.append(Fault(kind=FaultKind.DATA, path=uuid, data=detail))
    await rounds(coordinator, clock, 3)
    assert types(events) == ["queued", "succeeded"]
    assert "values" not in events[-1].data
    assert events[-1].data["values_omitted"] == "unreadable"
    assert "cmd_result" not in events[-1].data
    command = await act(hass, "get_command", uuid=uuid)
    assert (command["cmd_result"], command["values_omitted"]) == ('{"payload": "001aff"}', "unreadable")
    assert sum("cannot be read" in record.getMessage() for record in caplog.records) == 1
    # It is on disk, too.
    assert await hass.config_entries.async_reload(coordinator.config_entry.entry_id)
    assert (await act(hass, "get_command", uuid=uuid))["cmd_result"] == '{"payload": "001aff"}'


async def test_values_that_make_an_event_too_large_are_left_to_the_response(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """The recorder drops the data of an event of more than 32 KB."""
    device.resources |= {(3300, 0, 5750): "x" * 31_000, (3300, 1, 5750): "y" * 33_000}
    small = (await offline_read(hass, obj_id=3300, obj_inst_id=0))["uuid"]
    large = (await offline_read(hass, obj_id=3300, obj_inst_id=1))["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 1)
    outcomes = {event.data["uuid"]: event.data for event in events if event.data["type"] == "command_succeeded"}
    assert len(outcomes[small]["values"][0]["value"]) == 31_000
    assert "values_omitted" not in outcomes[small]
    assert "values" not in outcomes[large]
    assert outcomes[large]["values_omitted"] == "too_large"
    assert all(len(json_bytes(data)) < 32_768 for data in outcomes.values())
    for response in (
        await act(hass, "get_command", uuid=large),
        await act(hass, "wait_for_command", uuid=large, timeout=1),
    ):
        assert len(response["values"][0]["value"]) == 33_000
        assert "values_omitted" not in response


async def test_the_recorder_is_spared_values_and_messages(hass: HomeAssistant, coordinator: OneNetCoordinator) -> None:
    """It drops all attributes of a state where they are larger than 16 KB."""
    await offline_read(hass)
    info = hass.states.get("event.onenet_command")
    assert info
    assert info.state_info
    assert {"values", "message"} <= info.state_info["unrecorded_attributes"]


async def test_the_row_of_a_device_that_only_had_commands_goes_with_them(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """The file would grow with every IMEI that was ever typed."""
    store = coordinator.ledger._store
    await offline_read(hass)
    # Not due in every round, it is asked about together with others.
    onenet.onenet.report(IMEI)
    await rounds(coordinator, clock, 8)
    await until(lambda: store.load_devices(coordinator.config_entry.entry_id))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 2)
    await until(lambda: not store.load_devices(coordinator.config_entry.entry_id))
    assert coordinator.devices.summary()["known"] == 0


async def test_a_reading_that_is_fetched_long_after_its_time_has_not_expired(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
) -> None:
    """A reading would be thrown away because one request failed after an outage."""
    expected_warnings.append("Error fetching OneNET data: OneNET did not reply")
    await offline_read(hass, expires_in={"minutes": 5})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    clock.tick(timedelta(hours=2))
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/history/"))
    await rounds(coordinator, clock, 2)
    assert types(events) == ["queued", "succeeded"]


async def test_an_answer_that_only_the_details_have_is_heard_of(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """A command that the device refused would pass for one that it has not answered."""
    queued = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    item = {"cmd_uuid": queued["uuid"], "type": "READ", "send_status": 5}
    onenet.faults.append(Fault(kind=FaultKind.DATA, path="/history", data={"total_count": 1, "items": [item]}))
    await rounds(coordinator, clock, 10)
    assert types(events) == ["queued", "failed"]
    assert events[1].data["reason"] == "not_found"


async def test_a_set_clock_loses_nothing_and_ends_nothing(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A wrong clock would drop every command, or silence the integration until it is right again."""
    await offline_read(hass, expires_in={"days": 1})
    await rounds(coordinator, clock, 3)
    # The clock of this machine is set; the platform's goes on.
    for jump in (timedelta(days=40), timedelta(days=-80)):
        clock.tick(jump)
        onenet.onenet.clock.offset -= jump
        await rounds(coordinator, clock, 12)
        assert types(events) == ["queued"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 11)
    assert types(events) == ["queued", "succeeded"]


async def test_a_reload_goes_on_where_it_was(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A person who changes an option would never hear of their commands."""
    await offline_read(hass)
    assert await hass.config_entries.async_reload(account.entry_id)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(account.runtime_data, clock, 1)
    assert types(events) == ["queued", "succeeded"]
    # What was there before asks no more.
    onenet.requests.clear()
    await coordinator.async_refresh()
    assert not onenet.requests


@asynccontextmanager
async def restarted(hass: HomeAssistant, account: MockConfigEntry) -> AsyncIterator[HomeAssistant]:
    """Stop Home Assistant and start it again."""
    await hass.async_stop(force=True)
    async with async_test_home_assistant(config_dir=hass.config.config_dir) as again:
        again.data.pop(DATA_CUSTOM_COMPONENTS)
        again.set_state(CoreState.starting)
        entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=account.data, entry_id=account.entry_id)
        entry.add_to_hass(again)
        assert await again.config_entries.async_setup(entry.entry_id)
        yield again
        await again.config_entries.async_unload(entry.entry_id)
        await again.async_stop(force=True)


async def test_news_of_a_time_without_home_assistant_is_said_when_automations_listen(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """A restart would lose what devices answered meanwhile."""
    context = Context(user_id="somebody")
    queued = await offline_read(hass, context, valid_time="2026-11-23 05:00:00+00:00", trigger_msg=["update"])
    clock.tick(timedelta(hours=2))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    async with restarted(hass, account) as again:
        entry = again.config_entries.async_get_entry(account.entry_id)
        assert entry
        events = async_capture_events(again, "onenet_nbiot_event")
        await rounds(entry.runtime_data, clock, 1)
        assert not events
        again.set_state(CoreState.running)
        again.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        clock.tick(timedelta(seconds=11))
        async_fire_time_changed(again)
        await again.async_block_till_done(wait_background_tasks=True)
        assert types(events) == ["succeeded"]
        assert {name: events[0].data[name] for name in queued} == queued
        assert (events[0].context.id, events[0].context.user_id) == (context.id, "somebody")
        kept = await again.services.async_call(
            DOMAIN, "get_command", {"uuid": queued["uuid"]}, blocking=True, return_response=True
        )
        assert kept
        assert kept["values"] == events[0].data["values"]


async def keep(hass: HomeAssistant, onenet: Server, account: MockConfigEntry, devices: int, each: int) -> None:
    """Let commands wait that were queued by a Home Assistant of before."""
    product = onenet.onenet.products[0]
    for number in range(1, devices):
        product.add(str(int(IMEI) + number), "Meter")
    store = async_get_store(hass)
    await store.async_open()
    for queued in onenet.onenet.fill(each):
        command = Command(
            id=store.new_id(),
            asked=CachedCommand(
                operation=Read(imei=queued.imei, obj_id=3303, obj_inst_id=0, res_id=5700),
                expired_time=queued.expired_time,
            ),
            caller=("id", None, None),
            asked_at=queued.create_time,
            uuid=queued.uuid,
            state=CommandState.QUEUED,
        )
        saved = store.async_save_command(account.entry_id, command.id, command)
    await saved


@LEGACY_ONLY
async def test_ten_thousand_waiting_commands_cost_ten_requests_a_round(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, onenet: Server, clock: TickingDateTimeFactory
) -> None:
    """OneNET would refuse an account with many devices for calling too often."""
    await keep(hass, onenet, entry, 1000, 10)
    assert await hass.config_entries.async_setup(entry.entry_id)
    coordinator: OneNetCoordinator = entry.runtime_data
    assert coordinator.ledger.waiting == 10_000
    assert len(list(coordinator.ledger.imeis)) == 1000
    events = async_capture_events(hass, "onenet_nbiot_event")
    onenet.requests.clear()
    asked: set[str] = set()
    for _ in range(200):
        await rounds(coordinator, clock, 1)
        asked |= {request.query["imei"] for request in onenet.requests if "imei" in request.query}
        assert len(paths(onenet)) <= 10
    # Still, every device has had its turn.
    assert len(asked) == 1000
    assert not events
    # One of them wakes: it is found at once.
    imei = str(int(IMEI) + 777)
    onenet.onenet.wake(imei, Trigger.NOTIFY)
    await rounds(coordinator, clock, 1)
    assert {event.data["imei"] for event in events} == {imei}
    assert types(events) == ["failed"] * 10


@LEGACY_ONLY
async def test_devices_with_an_unknown_identity_are_followed_all_the_same(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A device that OneNET does not list would never be heard of."""
    product = onenet.onenet.products[0]
    imeis = [str(int(IMEI) + number) for number in range(6)]
    for imei in imeis[1:]:
        product.add(imei, "Meter")
    for imei in imeis:
        await offline_read(hass, imei=imei)
    await rounds(coordinator, clock, 1)
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10410, text="no such device", path="/getbyimei", times=3))
    onenet.faults.append(
        Fault(kind=FaultKind.BODY, path="/devices", text='{"errno": 0, "data": {"total_count": 6, "devices": []}}')
    )
    for minute in range(1, 12):
        await rounds(coordinator, clock, 1)
        assert len(paths(onenet)) <= 10, minute
    assert sum(coordinator.devices.get(imei).key is not None for imei in imeis) == 3
    for imei in imeis:
        onenet.onenet.wake(imei, Trigger.UPDATE)
    await rounds(coordinator, clock, 12)
    assert sorted(types(events)) == ["failed"] * 5 + ["queued"] * 6 + ["succeeded"]
    assert not coordinator.ledger.imeis


@LEGACY_ONLY
async def test_a_onenet_without_calls_for_many_devices_is_followed_too(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Commands on another generation of OneNET would never be heard of."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=404, text="no such path", path="/status", times=10_000))
    await offline_read(hass)
    await rounds(coordinator, clock, 30)
    assert coordinator.last_update_success
    assert paths(onenet).count("/devices/status") == 1
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 11)
    assert types(events) == ["queued", "succeeded"]


@LEGACY_ONLY
@pytest.mark.parametrize("path", ["/getbyimei", "/devices/status", "/devices/datapoints", "/history"])
async def test_a_busy_call_is_made_again_and_is_no_outage(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    path: str,
) -> None:
    """OneNET may be busy with one call, or with one device."""
    imeis = [str(int(IMEI) + number) for number in range(8)]
    for imei in imeis[1:]:
        onenet.onenet.products[0].add(imei, "Meter")
    for imei in imeis:
        await offline_read(hass, imei=imei)
    await rounds(coordinator, clock, 1)
    for imei in imeis:
        onenet.onenet.wake(imei, Trigger.NOTIFY)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=15, text="too frequent", path=path, times=3))
    for _ in range(12):
        onenet.requests.clear()
        await rounds(coordinator, clock, 1)
        assert coordinator.last_update_success
        # A busy OneNET is not asked more often.
        assert len(onenet.requests) <= 20
    assert types(events).count("failed") == 7
    assert types(events).count("succeeded") == 1


async def test_commands_of_a_device_that_is_no_longer_expire(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """An automation would wait for ever for a device that was removed from the account."""
    await offline_read(hass, expires_in={"hours": 1})
    onenet.onenet.remove(IMEI)
    await rounds(coordinator, clock, 60)
    assert types(events) == ["queued"]
    await rounds(coordinator, clock, 30)
    assert types(events) == ["queued", "expired"]


async def test_a_command_that_is_queued_during_a_look_is_looked_at_soon(
    hass: HomeAssistant, coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, onenet: Server
) -> None:
    """A quick answer would be heard of minutes late."""
    await offline_read(hass, expires_in={"days": 1})
    await rounds(coordinator, clock, 4)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history", seconds=0.2))
    clock.tick(MINUTE)
    onenet.requests.clear()
    looking = asyncio.create_task(coordinator.async_refresh())
    while not any("/history" in request.path for request in onenet.requests):  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0)
    await offline_read(hass)
    await looking
    onenet.requests.clear()
    clock.tick(timedelta(seconds=11))
    await coordinator.async_refresh()
    assert "/offline/history" in paths(onenet)


async def test_a_value_that_is_out_of_all_proportion_is_said(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """One strange value would keep a reading, and all that follow, from being heard of."""
    nested: Any = 1
    for _ in range(300):
        nested = {"in": nested}
    device.resources = {
        (3303, 0, 1): 2**70,
        (3303, 0, 2): "half \ud800",
        (3303, 0, 3): [{"x": 2**70}],
        (3303, 0, 4): nested,
    }
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 1)
    assert types(events) == ["queued", "succeeded"]
    values = [value["value"] for value in events[1].data["values"]]
    assert values[:3] == [str(2**70), "half ?", [{"x": str(2**70)}]]
    assert "..." in str(values[3])
    await hass.async_block_till_done()
    assert coordinator.ledger.known(queued["uuid"])


async def test_a_long_outage_stays_one_while_nothing_is_due(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The entities would come and go, and the log fill, while OneNET is away."""
    expected_warnings.append("Error fetching OneNET data")
    await offline_read(hass, expires_in={"days": 1})
    await rounds(coordinator, clock, 6)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=10_000))
    delays = []
    for _ in range(4):
        clock.tick(timedelta(seconds=30))
        await coordinator.async_refresh()
        if isinstance(coordinator.last_exception, UpdateFailed) and not coordinator.last_update_success:
            delays.append(coordinator.last_exception.retry_after)
    assert delays[-3:] == [30, 60, 120] or delays == [30, 60, 120, 300]
    assert len([record for record in caplog.records if record.getMessage().startswith("Error fetching")]) == 1
    with pytest.raises(HomeAssistantError):
        await offline_read(hass, imei="866971030000009")
    assert not coordinator.last_update_success


@LEGACY_ONLY
async def test_a_onenet_that_answers_with_pages_to_calls_for_many_devices_is_followed_too(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Commands would never be heard of behind a gateway that does not know these calls."""
    onenet.faults.append(Fault(kind=FaultKind.PAGE, status=404, path="/devices/", times=10_000))
    await offline_read(hass)
    await rounds(coordinator, clock, 5)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await rounds(coordinator, clock, 11)
    assert coordinator.last_update_success
    assert types(events) == ["queued", "succeeded"]


async def test_an_outage_shows_though_no_devices_turn_has_come(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """The entities would seem to be up to date for ten minutes and more."""
    expected_warnings.append("Error fetching OneNET data")
    await offline_read(hass, expires_in={"days": 3})
    await rounds(coordinator, clock, 12)
    onenet.requests.clear()
    await rounds(coordinator, clock, 1)
    assert len(paths(onenet)) <= 2
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=10_000))
    await rounds(coordinator, clock, 1)
    assert hass.states.is_state("event.onenet_command", STATE_UNAVAILABLE)
    onenet.faults.clear()
    await rounds(coordinator, clock, 1)
    assert shown(hass) == "queued"


@pytest.mark.parametrize("account_data", [ACCOUNTS["current, access key"]])
async def test_the_current_platform_is_not_asked_for_what_it_lacks(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Every round would cost requests in vain, or no command be followed."""
    product = onenet.onenet.products[0]
    imeis = [IMEI, *(product.add(str(int(IMEI) + number), "Meter").imei for number in range(1, 30))]
    for imei in imeis:
        await offline_read(hass, imei=imei, obj_id=3)
    onenet.requests.clear()
    most = 0
    for _ in range(40):
        onenet.onenet.wake(imeis[-1], Trigger.UPDATE)
        await rounds(coordinator, clock, 1)
        found = paths(onenet)
        most = max(most, len(found))
        assert not [path for path in found if path.startswith("/devices")]
    assert most <= 11
    assert types(events)[-1] == "failed"
