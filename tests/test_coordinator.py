"""Polling: states, events, errors and the number of requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
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

from .common import (
    ACCESS_KEY,
    IMEI,
    KEY,
    LEGACY_ONLY,
    VARIANTS,
    act,
    add_device,
    coordinator_of,
    event_types,
    offline_read,
    poll_device,
    revoke,
    run_with,
    until,
)
from .emulator import Device, Fault, FaultKind, SendStatus, Server, Trigger

variant = run_with(VARIANTS)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[TickingDateTimeFactory]:
    """Return a clock that runs and can be set; the event loop keeps its own."""
    with freeze_time("2026-11-23 04:00:00", tick=True, real_asyncio=True) as clock:
        assert isinstance(clock, TickingDateTimeFactory)
        yield clock


@pytest.fixture
def coordinator(clock: Any, account: MockConfigEntry) -> OneNetCoordinator:
    """Return the account's coordinator."""
    return coordinator_of(account)


def shown(hass: HomeAssistant) -> Any:
    """Return the event type that the event entity shows."""
    state = hass.states.get("event.onenet_command")
    return state and state.attributes["event_type"]


async def polls(coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, minutes: float) -> None:
    """Let time pass with a poll each minute."""
    for _ in range(int(minutes)):
        clock.tick(MINUTE)
        await coordinator.async_refresh()


def paths(onenet: Server) -> list[str]:
    """Return the paths of the requests since the last call of this."""
    found = [
        path.replace(path.rpartition("/")[2], "*") if "/history/" in path else path
        for path in (re.sub("^/nb-?iot", "", request.path) for request in onenet.requests)
    ]
    onenet.requests.clear()
    return found


async def test_a_finished_read_fires_an_event_with_its_values(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """The bus event and the event entity carry the values."""
    context = Context(user_id="somebody")
    queued = await offline_read(hass, context, obj_inst_id=0, res_id=5700)
    await polls(coordinator, clock, 2)
    assert event_types(events) == ["queued"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 10)
    assert event_types(events) == ["queued", "succeeded"]
    assert events[1].data == {
        "type": "command_succeeded",
        **queued,
        "values": [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}],
    }
    assert events[1].context == context


async def test_a_sent_and_a_failed_command_fire_events(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """A delivered command with an error from the device is failed."""
    device.hesitates = True
    await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    await polls(coordinator, clock, 1)
    assert event_types(events) == ["queued", "sent"]
    onenet.onenet.answer(IMEI)
    await polls(coordinator, clock, 10)
    assert event_types(events) == ["queued", "sent", "failed"]
    assert events[2].data["reason"] == "not_found"
    assert events[2].data["message"] == "The device answered NOT_FOUND"


async def test_a_command_without_a_reply_from_the_device_fails(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """The reason is a timeout."""
    device.answers = False
    await offline_read(hass, retry=0)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    await polls(coordinator, clock, 1)
    assert event_types(events) == ["queued", "failed"]
    assert (events[1].data["reason"], events[1].data["message"]) == ("time_out", "OneNET gave up: TIME_OUT")


async def test_each_state_is_fired_once(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Repeated polls fire no second event."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    action = {"imei": IMEI, "uuid": queued["uuid"]}
    for _ in range(2):
        await hass.services.async_call(DOMAIN, "get_command", action, blocking=True, return_response=True)
        await poll_device(coordinator.config_entry)
        await polls(coordinator, clock, 5)
    assert event_types(events) == ["queued", "succeeded"]


async def test_a_state_only_moves_forward(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """OneNET's older states are ignored."""
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 1)
    await offline_read(hass)
    device.hesitates = True
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 1)
    for command in device.commands:
        command.send_status = SendStatus.WAITING
    await polls(coordinator, clock, 10)
    assert event_types(events) == ["queued", "succeeded", "queued", "sent"]


async def test_a_command_that_another_client_cancelled_fires_an_event(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """A cancellation in OneNET's console is fired, too."""
    await offline_read(hass)
    device.commands[0].send_status = SendStatus.CANCELLED
    await polls(coordinator, clock, 1)
    assert event_types(events) == ["queued", "cancelled"]


async def test_an_expired_command_fires_an_event_soon(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    events: list[Event],
) -> None:
    """Its device is polled shortly after the expiry."""
    await offline_read(hass, expires_in={"minutes": 33})
    await polls(coordinator, clock, 32)
    assert event_types(events) == ["queued"]
    await polls(coordinator, clock, 2)
    assert event_types(events) == ["queued", "expired"]


async def test_an_overdue_command_expires_without_onenets_report(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """Its device is not polled afterwards."""
    await offline_read(hass, expires_in={"minutes": 5})
    onenet.onenet.commands[0].expired_time += timedelta(days=1)
    await polls(coordinator, clock, 14)
    assert event_types(events) == ["queued"]
    await polls(coordinator, clock, 10)
    assert event_types(events) == ["queued", "expired"]
    assert not coordinator.config_entry.runtime_data.commands.imeis
    listed: Any = await hass.services.async_call(
        DOMAIN, "list_commands", {"imei": IMEI}, blocking=True, return_response=True
    )
    assert [command["state"] for command in listed["commands"]] == ["expired"]


@LEGACY_ONLY
async def test_an_active_device_is_polled_in_the_next_poll(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Its commands are polled before their time."""
    await offline_read(hass)
    await polls(coordinator, clock, 60)
    for trigger in (Trigger.NOTIFY, Trigger.REGISTER):
        events.clear()
        onenet.onenet.sleep(IMEI)
        await polls(coordinator, clock, 30)
        await offline_read(hass)
        await polls(coordinator, clock, 33)
        onenet.onenet.wake(IMEI, trigger)
        await polls(coordinator, clock, 1)
        assert event_types(events)[-1] == "succeeded", trigger


async def test_commands_are_polled_soon_and_then_less_often(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """The intervals grow from ten seconds to ten minutes."""
    await offline_read(hass, expires_in={"days": 3})
    assert coordinator.update_interval == timedelta(seconds=10)
    looks = []
    onenet.requests.clear()
    for minute in range(1, 61):
        await polls(coordinator, clock, 1)
        if "/offline/history" in paths(onenet):
            looks.append(minute)
    assert looks == [1, 2, 3, 5, 10, 20, 30, 40, 50, 60]


async def test_a_poll_between_two_full_polls_only_polls_new_commands(
    hass: HomeAssistant, coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, onenet: Server
) -> None:
    """Presence and values keep their interval."""
    onenet.onenet.products[0].add("1234", "Test lamp")
    await offline_read(hass)
    await polls(coordinator, clock, 3)
    assert coordinator.update_interval
    assert coordinator.update_interval > timedelta(seconds=50)
    await offline_read(hass, imei="1234")
    onenet.requests.clear()
    clock.tick(timedelta(seconds=11))
    await coordinator.async_refresh()
    assert [request.query["imei"] for request in onenet.requests] == ["1234"]
    assert paths(onenet) == ["/offline/history"]


async def test_a_command_is_polled_when_it_becomes_valid(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A poll follows its `valid_time`."""
    start = dt_util.now() + timedelta(minutes=56)
    await offline_read(hass, valid_time=start.isoformat())
    await polls(coordinator, clock, 56)
    clock.tick(timedelta(seconds=2))
    onenet.requests.clear()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 1)
    assert "/offline/history" in paths(onenet)
    assert event_types(events) == ["queued", "succeeded"]


async def test_polls_are_scheduled(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Time alone leads to the next poll."""
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    clock.tick(timedelta(seconds=11))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]
    onenet.requests.clear()
    for _ in range(30):
        clock.tick(MINUTE)
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
    # Without waiting commands, a poll only checks the connection.
    assert 1 <= len(paths(onenet)) <= 3


async def test_the_option_sets_the_polling_interval(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, onenet: Server, clock: TickingDateTimeFactory
) -> None:
    """A changed option takes effect."""
    hass.config_entries.async_update_entry(entry, options={CONF_INTERVAL: 600})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await offline_read(hass, expires_in={"days": 3})
    looks = []
    for minute in range(1, 70):
        await polls(coordinator_of(entry), clock, 1)
        if "/offline/history" in paths(onenet):
            looks.append(minute)
    assert looks == [1, 11, 21, 41]


async def test_an_outage_is_logged_once_and_polling_recovers(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """States that changed during the outage are fired after it."""
    expected_warnings.append("Error fetching OneNET data: OneNET did not reply")
    await offline_read(hass)
    await polls(coordinator, clock, 1)
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
    assert event_types(events) == ["queued", "succeeded"]
    assert shown(hass) == "succeeded"
    assert hass.states.is_state("sensor.onenet_waiting_commands", "0")
    loud = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in loud if "OneNET" in text]) == 1
    assert len([record for record in caplog.records if "recovered" in record.getMessage()]) == 1


async def test_a_queued_command_ends_an_outage(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """The entities become available when a command is queued."""
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


async def test_a_refused_key_starts_reauthentication(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """Polling goes on, and the flow ends when OneNET accepts the key."""
    expected_warnings.append("Error fetching OneNET data: OneNET does not accept the account's key")
    revoke(onenet)
    for _ in range(2):
        await coordinator.async_refresh()
        await hass.async_block_till_done()
        assert [flow["step_id"] for flow in hass.config_entries.flow.async_progress()] == ["reauth_confirm"]
    # The key is valid again.
    onenet.onenet.products[0].key, onenet.onenet.products[0].access_key = KEY, ACCESS_KEY
    clock.tick(timedelta(seconds=61))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.last_update_success
    # The reauthentication flow is aborted.
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
async def test_a_refusal_that_is_not_about_the_key_starts_no_reauthentication(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    onenet: Server,
    expected_warnings: list[str],
    errno: int,
    text: str,
) -> None:
    """The refusal has another reason than the key."""
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=errno, text=text, times=10_000))
    with pytest.raises(HomeAssistantError):
        await offline_read(hass)
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert not coordinator.last_update_success
    assert hass.config_entries.flow.async_progress() == []


async def test_a_page_of_a_proxy_starts_no_reauthentication(
    hass: HomeAssistant, coordinator: OneNetCoordinator, onenet: Server, expected_warnings: list[str]
) -> None:
    """OneNET's own refusals have the HTTP status 200."""
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
async def test_an_error_about_one_device_leaves_the_others_polled(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    fault: Fault,
) -> None:
    """The commands of the others fire their events."""
    onenet.onenet.products[0].add("1234", "Test lamp", {(3303, 0, 5700): 1})
    await offline_read(hass)
    await offline_read(hass, imei="1234")
    for imei in (IMEI, "1234"):
        onenet.onenet.wake(imei, Trigger.UPDATE)
    onenet.faults.append(Fault(**vars(fault) | {"path": "/history", "imei": IMEI}))
    await polls(coordinator, clock, 1)
    assert coordinator.last_update_success
    assert [event.data["imei"] for event in events if event.data["type"] == "command_succeeded"] == ["1234"]


async def test_failed_requests_for_values_are_retried_up_to_a_limit(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
) -> None:
    """After the limit, the read succeeds without values."""
    first = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.BODY, path=first["uuid"], times=2))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    second = await offline_read(hass, res_id=5700, obj_inst_id=0)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    expected_warnings.append("Error fetching OneNET data: The server of the account is not OneNET")
    await polls(coordinator, clock, 1)
    assert [event.data["uuid"] for event in events if "values" in event.data] == [second["uuid"]]
    await polls(coordinator, clock, 20)
    assert [event.data["uuid"] for event in events if "values" in event.data] == [second["uuid"], first["uuid"]]
    third = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.faults.append(Fault(kind=FaultKind.BODY, path=third["uuid"], times=10))
    expected_warnings.append(f"The values that command {third['uuid']} has read cannot be fetched: ")
    await polls(coordinator, clock, 60)
    assert (events[-1].data["uuid"], events[-1].data["values_omitted"]) == (third["uuid"], "unreadable")
    assert "values" not in events[-1].data


async def test_an_unreadable_result_is_stored_and_logged_once(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The action get_command returns it."""
    uuid = (await offline_read(hass))["uuid"]
    expected_warnings.append(f"The result of command {uuid} cannot be read")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    detail = {"type": "READ", "send_status": 5, "confirm_status": "SUCCESS", "cmd_result": {"payload": "001aff"}}
    onenet.faults.append(Fault(kind=FaultKind.DATA, path=uuid, data=detail))
    await polls(coordinator, clock, 3)
    assert event_types(events) == ["queued", "succeeded"]
    assert "values" not in events[-1].data
    assert events[-1].data["values_omitted"] == "unreadable"
    assert "cmd_result" not in events[-1].data
    command = await act(hass, "get_command", uuid=uuid)
    assert (command["cmd_result"], command["values_omitted"]) == ('{"payload": "001aff"}', "unreadable")
    assert sum("cannot be read" in record.getMessage() for record in caplog.records) == 1
    # The result is also on disk.
    assert await hass.config_entries.async_reload(coordinator.config_entry.entry_id)
    assert (await act(hass, "get_command", uuid=uuid))["cmd_result"] == '{"payload": "001aff"}'


async def test_values_that_are_too_large_for_an_event_are_omitted(
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
    await polls(coordinator, clock, 1)
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


async def test_values_and_messages_are_not_recorded(hass: HomeAssistant, coordinator: OneNetCoordinator) -> None:
    """The recorder drops all attributes of a state if they are larger than 16 KB."""
    await offline_read(hass)
    info = hass.states.get("event.onenet_command")
    assert info
    assert info.state_info
    assert {"values", "message"} <= info.state_info["unrecorded_attributes"]


async def test_the_row_of_a_device_that_was_not_added_is_deleted_with_its_commands(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """Only devices that were added or have commands have a row."""
    store = async_get_store(hass)
    await offline_read(hass)
    # While its commands are not due, the device is updated together with others.
    onenet.onenet.report(IMEI)
    await polls(coordinator, clock, 8)
    await until(lambda: store.load_devices(coordinator.config_entry.entry_id))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 2)
    await until(lambda: not store.load_devices(coordinator.config_entry.entry_id))
    assert coordinator.config_entry.runtime_data.devices.summary()["known"] == 0


async def test_a_read_that_is_fetched_after_its_expiry_succeeds(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    expected_warnings: list[str],
) -> None:
    """A failed request for its values does not let it expire."""
    expected_warnings.append("Error fetching OneNET data: OneNET did not reply")
    await offline_read(hass, expires_in={"minutes": 5})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    clock.tick(timedelta(hours=2))
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/history/"))
    await polls(coordinator, clock, 2)
    assert event_types(events) == ["queued", "succeeded"]


async def test_a_reply_that_neither_list_nor_details_have_lets_the_command_expire(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A command whose details OneNET refuses expires, and other commands are updated."""
    queued = await offline_read(hass, expires_in={"hours": 1})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    item = {"cmd_uuid": queued["uuid"], "type": "READ", "send_status": 5}
    onenet.faults += [
        Fault(kind=FaultKind.ERRNO, errno=6, text="no detail", path=f"/history/{queued['uuid']}", times=10**6),
        Fault(kind=FaultKind.DATA, path="/history", data={"total_count": 1, "items": [item]}, times=10**6),
    ]
    await polls(coordinator, clock, 20)
    assert event_types(events) == ["queued", "sent"]
    clock.tick(timedelta(hours=2))
    await polls(coordinator, clock, 12)
    assert event_types(events) == ["queued", "sent", "expired"]
    again = await offline_read(hass, if_waiting="keep")
    assert again["uuid"] != queued["uuid"]


async def test_a_reply_that_only_the_details_include_fires_an_event(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """The details are fetched if the list lacks the device's reply."""
    queued = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    item = {"cmd_uuid": queued["uuid"], "type": "READ", "send_status": 5}
    onenet.faults.append(Fault(kind=FaultKind.DATA, path="/history", data={"total_count": 1, "items": [item]}))
    await polls(coordinator, clock, 10)
    assert event_types(events) == ["queued", "failed"]
    assert events[1].data["reason"] == "not_found"


async def test_a_clock_that_is_set_changes_no_command(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Commands do not expire, and are polled, after Home Assistant's clock is set."""
    await offline_read(hass, expires_in={"days": 1})
    await polls(coordinator, clock, 3)
    # The clock of Home Assistant is set; the platform's runs on.
    for jump in (timedelta(days=40), timedelta(days=-80)):
        clock.tick(jump)
        onenet.onenet.clock.offset -= jump
        await polls(coordinator, clock, 12)
        assert event_types(events) == ["queued"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 11)
    assert event_types(events) == ["queued", "succeeded"]


async def test_polling_continues_after_a_reload(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Commands that were queued before fire their events."""
    await offline_read(hass)
    assert await hass.config_entries.async_reload(account.entry_id)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator_of(account), clock, 1)
    assert event_types(events) == ["queued", "succeeded"]
    # The former coordinator no longer polls.
    onenet.requests.clear()
    await coordinator.async_refresh()
    assert not onenet.requests


@asynccontextmanager
async def restarted(hass: HomeAssistant, account: MockConfigEntry) -> AsyncIterator[HomeAssistant]:
    """Restart Home Assistant."""
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


async def test_states_that_changed_during_a_restart_are_fired_after_the_start(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """The first poll waits until automations are set up."""
    context = Context(user_id="somebody")
    queued = await offline_read(hass, context, valid_time="2026-11-23 05:00:00+00:00", trigger_msg=["update"])
    clock.tick(timedelta(hours=2))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    async with restarted(hass, account) as again:
        entry = again.config_entries.async_get_entry(account.entry_id)
        assert entry
        events = async_capture_events(again, "onenet_nbiot_event")
        await polls(coordinator_of(entry), clock, 1)
        assert not events
        again.set_state(CoreState.running)
        again.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        clock.tick(timedelta(seconds=11))
        async_fire_time_changed(again)
        await again.async_block_till_done(wait_background_tasks=True)
        assert event_types(events) == ["succeeded"]
        assert {name: events[0].data[name] for name in queued} == queued
        assert (events[0].context.id, events[0].context.user_id) == (context.id, "somebody")
        stored = await again.services.async_call(
            DOMAIN, "get_command", {"uuid": queued["uuid"]}, blocking=True, return_response=True
        )
        assert stored
        assert stored["values"] == events[0].data["values"]


async def store_commands(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, devices: int, each: int
) -> None:
    """Store waiting commands of an earlier run of Home Assistant."""
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
async def test_ten_thousand_waiting_commands_take_ten_requests_per_poll(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, onenet: Server, clock: TickingDateTimeFactory
) -> None:
    """The number of requests does not grow with the number of commands."""
    await store_commands(hass, onenet, entry, 1000, 10)
    assert await hass.config_entries.async_setup(entry.entry_id)
    coordinator = coordinator_of(entry)
    assert coordinator.config_entry.runtime_data.commands.waiting == 10_000
    assert len(list(coordinator.config_entry.runtime_data.commands.imeis)) == 1000
    events = async_capture_events(hass, "onenet_nbiot_event")
    onenet.requests.clear()
    requested: set[str] = set()
    for _ in range(200):
        await polls(coordinator, clock, 1)
        requested |= {request.query["imei"] for request in onenet.requests if "imei" in request.query}
        assert len(paths(onenet)) <= 10
    # Every device has been polled.
    assert len(requested) == 1000
    assert not events
    # A device that wakes is polled in the next poll.
    imei = str(int(IMEI) + 777)
    onenet.onenet.wake(imei, Trigger.NOTIFY)
    await polls(coordinator, clock, 1)
    assert {event.data["imei"] for event in events} == {imei}
    assert event_types(events) == ["failed"] * 10


@LEGACY_ONLY
async def test_commands_of_devices_without_a_known_id_are_polled(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """The list lacks these devices, and some lookups are refused."""
    product = onenet.onenet.products[0]
    imeis = [str(int(IMEI) + number) for number in range(6)]
    for imei in imeis[1:]:
        product.add(imei, "Meter")
    for imei in imeis:
        await offline_read(hass, imei=imei)
    await polls(coordinator, clock, 1)
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10410, text="no such device", path="/getbyimei", times=3))
    onenet.faults.append(
        Fault(kind=FaultKind.BODY, path="/devices", text='{"errno": 0, "data": {"total_count": 6, "devices": []}}')
    )
    for minute in range(1, 12):
        await polls(coordinator, clock, 1)
        assert len(paths(onenet)) <= 10, minute
    assert sum(coordinator.config_entry.runtime_data.devices.get(imei).key is not None for imei in imeis) == 3
    for imei in imeis:
        onenet.onenet.wake(imei, Trigger.UPDATE)
    await polls(coordinator, clock, 12)
    assert sorted(event_types(events)) == ["failed"] * 5 + ["queued"] * 6 + ["succeeded"]
    assert not coordinator.config_entry.runtime_data.commands.imeis


@LEGACY_ONLY
async def test_commands_are_polled_without_calls_about_many_devices(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A platform that lacks these calls is supported."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=404, text="no such path", path="/status", times=10_000))
    await offline_read(hass)
    await polls(coordinator, clock, 30)
    assert coordinator.last_update_success
    assert paths(onenet).count("/devices/status") == 1
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 11)
    assert event_types(events) == ["queued", "succeeded"]


@LEGACY_ONLY
@pytest.mark.parametrize("path", ["/getbyimei", "/devices/status", "/devices/datapoints", "/history"])
async def test_a_busy_call_is_retried_without_an_outage(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
    path: str,
) -> None:
    """OneNET may be busy with a single call or a single device."""
    imeis = [str(int(IMEI) + number) for number in range(8)]
    for imei in imeis[1:]:
        onenet.onenet.products[0].add(imei, "Meter")
    for imei in imeis:
        await offline_read(hass, imei=imei)
    await polls(coordinator, clock, 1)
    for imei in imeis:
        onenet.onenet.wake(imei, Trigger.NOTIFY)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=15, text="too frequent", path=path, times=3))
    for _ in range(12):
        onenet.requests.clear()
        await polls(coordinator, clock, 1)
        assert coordinator.last_update_success
        # The number of requests does not grow while OneNET is busy.
        assert len(onenet.requests) <= 20
    assert event_types(events).count("failed") == 7
    assert event_types(events).count("succeeded") == 1


async def test_commands_of_a_device_that_was_removed_from_onenet_expire(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Each of these commands fires its event."""
    await offline_read(hass, expires_in={"hours": 1})
    onenet.onenet.remove(IMEI)
    await polls(coordinator, clock, 60)
    assert event_types(events) == ["queued"]
    await polls(coordinator, clock, 30)
    assert event_types(events) == ["queued", "expired"]


async def test_commands_whose_list_cannot_be_read_expire(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """OneNET can be reached, so it is not another server's reply."""
    await offline_read(hass, expires_in={"hours": 1})
    onenet.faults.append(Fault(kind=FaultKind.BODY, text="<html>", path="/history", times=10**6))
    await polls(coordinator, clock, 60)
    assert event_types(events) == ["queued"]
    await polls(coordinator, clock, 30)
    assert event_types(events) == ["queued", "expired"]


async def test_a_read_without_a_confirm_time_updates_the_entity(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    account: MockConfigEntry,
    onenet: Server,
) -> None:
    """The value has the time at which its command finished here."""
    await add_device(hass, account, "3303/0/5700")
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    item = {"uuid": queued["uuid"], "cmd_uuid": queued["uuid"], "type": "READ", "send_status": 5, "confirm_status": 0}
    read = {"cmd_result": [{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 19.5}]}]}
    onenet.faults += [
        Fault(kind=FaultKind.DATA, path=f"/history/{queued['uuid']}", data=item | read, times=10**6),
        Fault(kind=FaultKind.DATA, path="/history", data={"total_count": 1, "items": [item]}, times=10**6),
    ]
    await polls(coordinator, clock, 2)
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert state.state == "19.5"


async def test_a_first_command_is_not_polled_because_of_earlier_activity(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    account: MockConfigEntry,
    onenet: Server,
) -> None:
    """A thousand devices that report by themselves would otherwise be polled at once."""
    await add_device(hass, account, "3303/0/5700")
    for _ in range(3):
        onenet.onenet.report(IMEI)
        await polls(coordinator, clock, 1)
    device = account.runtime_data.devices.get(IMEI)
    assert device.active_since_poll
    await offline_read(hass)
    assert not device.active_since_poll


async def test_a_command_that_is_queued_during_a_poll_is_polled_soon(
    hass: HomeAssistant, coordinator: OneNetCoordinator, clock: TickingDateTimeFactory, onenet: Server
) -> None:
    """The end of that poll does not delay the next one."""
    await offline_read(hass, expires_in={"days": 1})
    await polls(coordinator, clock, 4)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history", seconds=0.2))
    clock.tick(MINUTE)
    onenet.requests.clear()
    looking = asyncio.create_task(coordinator.async_refresh())
    while not any("/history" in request.path for request in onenet.requests):  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0)
    await offline_read(hass)
    await looking
    onenet.requests.clear()
    clock.tick(timedelta(seconds=11))
    await coordinator.async_refresh()
    assert "/offline/history" in paths(onenet)


async def test_an_extreme_value_is_fired(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
    events: list[Event],
) -> None:
    """The event carries it, and later commands are polled."""
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
    await polls(coordinator, clock, 1)
    assert event_types(events) == ["queued", "succeeded"]
    values = [value["value"] for value in events[1].data["values"]]
    assert values[:3] == [str(2**70), "half ?", [{"x": str(2**70)}]]
    assert "..." in str(values[3])
    await hass.async_block_till_done()
    assert coordinator.config_entry.runtime_data.commands.find(queued["uuid"])


async def test_an_outage_continues_while_no_device_is_due(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The connection is checked in each poll, and the outage logged once."""
    expected_warnings.append("Error fetching OneNET data")
    await offline_read(hass, expires_in={"days": 1})
    await polls(coordinator, clock, 6)
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
async def test_commands_are_polled_if_calls_about_many_devices_return_pages(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """A gateway that lacks these calls may return web pages."""
    onenet.faults.append(Fault(kind=FaultKind.PAGE, status=404, path="/devices/", times=10_000))
    await offline_read(hass)
    await polls(coordinator, clock, 5)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await polls(coordinator, clock, 11)
    assert coordinator.last_update_success
    assert event_types(events) == ["queued", "succeeded"]


async def test_an_outage_is_noticed_while_no_device_is_due(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    expected_warnings: list[str],
) -> None:
    """The entities become unavailable with the next poll."""
    expected_warnings.append("Error fetching OneNET data")
    await offline_read(hass, expires_in={"days": 3})
    await polls(coordinator, clock, 12)
    onenet.requests.clear()
    await polls(coordinator, clock, 1)
    assert len(paths(onenet)) <= 2
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=10_000))
    await polls(coordinator, clock, 1)
    assert hass.states.is_state("event.onenet_command", STATE_UNAVAILABLE)
    onenet.faults.clear()
    await polls(coordinator, clock, 1)
    assert shown(hass) == "queued"


@pytest.mark.parametrize("variant", ["current, access key"])
async def test_the_current_platform_gets_no_request_of_the_legacy_one(
    hass: HomeAssistant,
    coordinator: OneNetCoordinator,
    clock: TickingDateTimeFactory,
    onenet: Server,
    events: list[Event],
) -> None:
    """Its commands are polled by its own calls."""
    product = onenet.onenet.products[0]
    imeis = [IMEI, *(product.add(str(int(IMEI) + number), "Meter").imei for number in range(1, 30))]
    for imei in imeis:
        await offline_read(hass, imei=imei, obj_id=3)
    onenet.requests.clear()
    most = 0
    for _ in range(40):
        onenet.onenet.wake(imeis[-1], Trigger.UPDATE)
        await polls(coordinator, clock, 1)
        found = paths(onenet)
        most = max(most, len(found))
        assert not [path for path in found if path.startswith("/devices")]
    assert most <= 11
    assert event_types(events)[-1] == "failed"
