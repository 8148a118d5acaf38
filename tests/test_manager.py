"""Queueing, polling and cancelling commands, their rows on disk, and their events."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.onenet_nbiot import commands
from custom_components.onenet_nbiot.const import CONF_ACCESS_KEY, DOMAIN

from .common import (
    IMEI,
    OTHER_IMEI,
    UNKNOWN_UUID,
    VARIANTS,
    act,
    arrival,
    call_and_leave,
    copy_of,
    delay_reply,
    event_uuids,
    offline_read,
    pass_time,
    poll_device,
    queue_elsewhere,
    queue_requests,
    refresh,
    revoke,
    run_with,
    saved_commands,
    saved_rows,
    start,
    until,
)
from .emulator import Device, Fault, FaultKind, OneNet, Product, SendStatus, Server, Trigger

variant = run_with(VARIANTS)


async def test_a_cancelled_caller_does_not_stop_its_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The command of a restarted automation is queued, and its event is fired."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    await call_and_leave(hass, onenet)
    await hass.async_block_till_done()
    assert [event.data["uuid"] for event in events] == [command.uuid for command in onenet.onenet.commands]
    assert len(events) == 1


async def test_an_error_after_the_caller_was_cancelled_is_logged(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A lost reply is logged although no caller receives the exception."""
    expected_warnings.append("A command failed after its caller was cancelled: OneNET's reply was lost")
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, seconds=0.2))
    onenet.faults.append(Fault(kind=FaultKind.PAGE, path="/history"))
    await call_and_leave(hass, onenet)
    await hass.async_block_till_done()
    assert "it is unknown whether the command is queued" in caplog.text


async def test_calls_end_when_home_assistant_stops(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A call ends with its task, which Home Assistant cancels when it stops."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=60))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    (work,) = (task for task in asyncio.all_tasks() if task.get_name() == "OneNET command")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_command_in_flight_survives_a_reload(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Its event is fired after a reload of the account."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    assert await hass.config_entries.async_reload(account.entry_id)
    assert (await call)["uuid"] == onenet.onenet.commands[0].uuid == events[0].data["uuid"]


async def test_a_hundred_simultaneous_calls_each_return_their_own_uuid(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Each caller receives the reply to its own command."""
    product = onenet.onenet.products[0]
    imeis = [str(int(IMEI) + number) for number in range(1, 101)]
    for imei in imeis:
        product.add(imei, "Meter")
    responses = await asyncio.gather(*(offline_read(hass, imei=imei) for imei in imeis))
    stored = {command.imei: command.uuid for command in onenet.onenet.commands}
    assert {response["imei"]: response["uuid"] for response in responses} == stored
    assert {event.data["imei"]: event.data["uuid"] for event in events} == stored


async def test_removing_an_account_during_a_call_deletes_its_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The call ends, and no row of the account stays on disk."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.2))
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    await until(lambda: len(saved_commands(hass, account)) == 2)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await call)["uuid"] == onenet.onenet.commands[1].uuid
    await until(lambda: not saved_rows(hass, account))
    await asyncio.sleep(0.05)
    assert not saved_rows(hass, account)


async def test_removing_an_account_during_a_lookup_deletes_its_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The late reply to a lookup is not saved."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/history/", seconds=0.2))
    looking = asyncio.create_task(act(hass, "get_command", uuid=queued["uuid"]))
    await until(lambda: queued["uuid"] in onenet.requests[-1].path)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await looking)["state"] == "succeeded"
    await asyncio.sleep(0.05)
    assert not saved_rows(hass, account)


async def test_commands_are_added_by_default(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Two equal calls queue two commands."""
    first = await offline_read(hass)
    second = await offline_read(hass, if_waiting="add")
    assert [command.uuid for command in onenet.onenet.commands] == [first["uuid"], second["uuid"]]


async def test_keep_returns_the_waiting_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Repeated calls queue one command while the device sleeps."""
    waiting = await offline_read(hass, obj_inst_id=0, if_waiting="keep")
    onenet.requests.clear()
    # The expiry and the options of the read do not matter.
    response = await offline_read(hass, obj_inst_id=0, expires_in={"days": 2}, retry=5, if_waiting="keep")
    assert response == waiting
    assert queue_requests(onenet) == 0
    assert event_uuids(events) == [("queued", waiting["uuid"])]


@pytest.mark.parametrize("fields", [{}, {"obj_inst_id": 1}, {"obj_inst_id": 0, "res_id": 5700}, {"obj_id": 3304}])
@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_keep_and_replace_ignore_commands_for_other_targets(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], if_waiting: str, fields: dict[str, Any]
) -> None:
    """A command for another resource neither prevents a new one nor is cancelled."""
    first = await offline_read(hass, obj_inst_id=0)
    second = await offline_read(hass, if_waiting=if_waiting, **fields)
    assert event_uuids(events) == [("queued", first["uuid"]), ("queued", second["uuid"])]


async def test_keep_queues_a_command_after_the_last_one_was_delivered(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The state is fetched from OneNET first, since the last poll may be older."""
    first = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    second = await offline_read(hass, if_waiting="keep")
    assert second["uuid"] == onenet.onenet.commands[1].uuid != first["uuid"]
    assert event_uuids(events) == [("queued", first["uuid"]), ("succeeded", first["uuid"]), ("queued", second["uuid"])]


@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_keep_and_replace_ignore_commands_that_become_valid_later(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], if_waiting: str
) -> None:
    """A command for tomorrow and one for now are both queued."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    planned = await offline_read(hass, valid_time=tomorrow)
    now = await offline_read(hass, if_waiting=if_waiting)
    assert event_uuids(events) == [("queued", planned["uuid"]), ("queued", now["uuid"])]
    # A command for now also serves a call for tomorrow.
    later = await offline_read(hass, valid_time=tomorrow, if_waiting="keep")
    assert later["uuid"] in (planned["uuid"], now["uuid"])
    assert len(events) == 2


async def test_replace_cancels_the_waiting_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Only the new command stays in the queue."""
    waiting = [await offline_read(hass) for _ in range(2)]
    context = Context()
    response = await offline_read(hass, context, expires_in={"days": 2}, if_waiting="replace")
    assert event_uuids(events[2:]) == [
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


async def test_replace_queues_a_command_if_the_old_one_was_just_sent(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that the device fetches during the call is not an error."""
    first = await offline_read(hass)
    cancel = onenet.onenet.cancel

    def wake_first(*args: Any) -> None:
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        cancel(*args)

    monkeypatch.setattr(onenet.onenet, "cancel", wake_first)
    second = await offline_read(hass, if_waiting="replace")
    assert event_uuids(events) == [("queued", first["uuid"]), ("succeeded", first["uuid"]), ("queued", second["uuid"])]


@pytest.mark.parametrize("if_waiting", ["keep", "replace"])
async def test_a_sent_command_that_onenet_delivers_again_counts_as_waiting(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, if_waiting: str
) -> None:
    """Keep returns it, and replace cancels it."""
    first = await offline_read(hass)
    device.hesitates = True
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert (await act(hass, "get_command", uuid=first["uuid"]))["state"] == "sent"
    device.commands[0].send_status, device.commands[0].remain = SendStatus.WAITING, 2
    second = await offline_read(hass, if_waiting=if_waiting)
    assert (second == first) == (if_waiting == "keep")
    assert sum(command.send_status is SendStatus.WAITING for command in device.commands) == 1
    (*_, listed) = (await act(hass, "list_commands"))["commands"]
    assert listed["remain"] == 2


async def test_replace_queues_nothing_if_cancelling_fails(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The call fails instead of doubling the command."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, path="/cancel/", errno=14, text="late"))
    with pytest.raises(HomeAssistantError, match="late"):
        await offline_read(hass, if_waiting="replace")
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_replace_queues_nothing_if_onenet_refuses_the_lookup(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A refused lookup does not count as a command that was sent."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, path="/history/", errno=10001, text="what?"))
    with pytest.raises(ServiceValidationError, match="errno 10001"):
        await offline_read(hass, if_waiting="replace")
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_two_simultaneous_calls_with_keep_queue_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Both callers receive the same UUID."""
    responses = await asyncio.gather(*(offline_read(hass, if_waiting="keep") for _ in range(2)))
    assert responses[0] == responses[1]
    assert event_uuids(events) == [("queued", onenet.onenet.commands[0].uuid)]


async def test_keep_queues_nothing_if_the_list_cannot_be_fetched(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The call fails instead of doubling the command."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/history"))
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass, if_waiting="keep")
    assert caught.value.translation_key == "no_reply"
    assert len(events) == len(onenet.onenet.commands) == 1


async def test_a_full_queue_raises_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Its reason is that of the event `command_rejected`."""
    for _ in range(10):
        queue_elsewhere(onenet)
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass)
    assert caught.value.translation_key == "limit_reached"
    assert event_uuids(events) == [("rejected", None)]
    assert events[0].data["reason"] == "limit_reached"
    assert not (await act(hass, "list_commands"))["commands"]
    await until(lambda: not saved_commands(hass, account))


async def test_waiting_for_a_command_returns_its_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script continues with the reading."""
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    waits = [
        asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout={"hours": 24})) for _ in range(3)
    ]
    await asyncio.sleep(0.05)
    assert not any(wait.done() for wait in waits)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    for response in await asyncio.gather(*waits):
        assert response.items() >= (queued | {"state": "succeeded"}).items()
        assert response["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    onenet.requests.clear()
    assert await act(hass, "wait_for_command", uuid=queued["uuid"], timeout="24:00:00") == response
    assert not onenet.requests


async def test_waiting_fetches_the_state_at_the_timeout(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A reply of the device since the last poll is returned."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01)
    assert (response["state"], response["values"][0]["value"]) == ("succeeded", 21.5)
    assert event_uuids(events) == [("queued", queued["uuid"]), ("succeeded", queued["uuid"])]


async def test_waiting_returns_the_last_known_state_during_an_outage(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The timeout raises no exception if OneNET cannot be reached."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE))
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01)
    assert response["state"] == "queued"


async def test_waiting_continues_after_a_command_is_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Only a final state ends the wait."""
    device.hesitates = True
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert (await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.01))["state"] == "sent"
    assert not wait.done()
    onenet.onenet.answer(IMEI)
    await poll_device(account)
    assert (await wait)["state"] == "succeeded"


async def test_waiting_ends_at_the_timeout(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """The state of the unfinished command is returned."""
    queued = await offline_read(hass)
    response = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=0.05)
    assert response["state"] == "queued"
    assert response["uuid"] == queued["uuid"]


async def test_cancelling_one_waiting_caller_leaves_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The other caller, and later ones, receive the state of the finished command."""
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
    async with asyncio.timeout(5):
        later = await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60)
    assert later["state"] == "cancelled"


async def test_waiting_for_a_command_survives_a_reload(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The wait ends with the command, not with a reload of the account."""
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0.02)
    assert await hass.config_entries.async_reload(account.entry_id)
    assert not wait.done()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert (await wait)["state"] == "succeeded"


async def test_waiting_ends_when_the_account_is_removed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A script continues."""
    queued = await offline_read(hass)
    wait = asyncio.create_task(act(hass, "wait_for_command", uuid=queued["uuid"], timeout=60))
    await asyncio.sleep(0.02)
    await hass.config_entries.async_remove(account.entry_id)
    assert (await wait)["state"] == "queued"


@pytest.mark.parametrize("wrong", [0, -1, {"hours": 25}, "24:00:01", "soon", {}, {"fortnights": 1}])
async def test_a_wrong_wait_timeout_raises_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, wrong: Any
) -> None:
    """The message is about the wait, not about the device's response timeout."""
    queued = await offline_read(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "wait_for_command", uuid=queued["uuid"], timeout=wrong)
    assert caught.value.translation_key == "invalid_wait"


@pytest.mark.parametrize(
    ("action", "fields"), [("get_command", {}), ("cancel_command", {}), ("wait_for_command", {"timeout": 1})]
)
@pytest.mark.parametrize("with_account", [False, True])
async def test_an_unknown_uuid_without_an_imei_is_refused_before_any_request(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    action: str,
    fields: dict[str, Any],
    with_account: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The message names the UUID."""
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
    """A UUID is sufficient with several accounts."""
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
    assert event_uuids(events[2:]) == [("cancelled", command["uuid"]) for command in queued]
    await server.stop()


async def test_get_command_fires_a_new_state_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A state that a lookup shows is fired as an event, and not again by the next poll."""
    context = Context()
    queued = await offline_read(hass, context)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    first = await act(hass, "get_command", uuid=queued["uuid"])
    await poll_device(account)
    assert await act(hass, "get_command", uuid=queued["uuid"]) == first
    assert first["state"] == "succeeded"
    assert event_uuids(events) == [("queued", queued["uuid"]), ("succeeded", queued["uuid"])]
    assert events[1].context == context


async def test_get_command_returns_the_last_known_state_during_an_outage(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A command that was queued here can be looked up without OneNET."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=100))
    known = await act(hass, "get_command", uuid=queued["uuid"])
    assert known.items() >= (queued | {"state": "queued"}).items()
    with pytest.raises(HomeAssistantError, match="did not reply"):
        await act(hass, "get_command", uuid=queued["uuid"], include_log=True)
    assert len((await act(hass, "list_commands"))["commands"]) == 1
    with pytest.raises(HomeAssistantError, match="did not reply"):
        await act(hass, "list_commands", imei=IMEI)


async def test_a_refused_key_in_a_lookup_starts_reauthentication(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The lookup returns the last known state."""
    queued = await offline_read(hass)
    revoke(onenet)
    assert (await act(hass, "get_command", uuid=queued["uuid"]))["state"] == "queued"
    await hass.async_block_till_done()
    flows = hass.config_entries.flow.async_progress()
    assert [(flow["step_id"], flow["context"]["entry_id"]) for flow in flows] == [("reauth_confirm", account.entry_id)]


async def test_a_uuid_with_another_imei_is_not_the_local_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Another device's command is neither returned nor cancelled."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Street lamp")
    queued = await offline_read(hass)
    for action in ("get_command", "cancel_command"):
        onenet.requests.clear()
        with pytest.raises(ServiceValidationError, match="no such command"):
            await act(hass, action, uuid=queued["uuid"], imei=OTHER_IMEI)
        assert {request.query["imei"] for request in onenet.requests} == {OTHER_IMEI}
    assert event_uuids(events) == [("queued", queued["uuid"])]


async def test_a_refusal_of_a_replaced_key_starts_no_reauthentication(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The refused request was sent with the former key."""
    elsewhere = queue_elsewhere(onenet)["uuid"]
    refusal: dict[str, Any] = {"kind": FaultKind.ERRNO, "errno": 3, "text": "auth failed"}
    onenet.faults.append(Fault(**refusal, path="/history/", seconds=0.2))
    # The call by which the key is checked, on either platform.
    onenet.faults += [Fault(**refusal, path=path, seconds=0.3) for path in ("/devices", "/product/detail")]
    call = asyncio.create_task(act(hass, "get_command", imei=IMEI, uuid=elsewhere))
    await until(lambda: onenet.requests[-1].path.endswith(elsewhere))
    await until(lambda: onenet.requests[-1].path in ("/devices", "/product/detail"))
    revoke(onenet)
    product = onenet.onenet.products[0]
    keys = {CONF_API_KEY: product.key, CONF_ACCESS_KEY: product.access_key}
    new = {name: key for name, key in keys.items() if name in account.data}
    hass.config_entries.async_update_entry(account, data=account.data | new)
    assert await hass.config_entries.async_reload(account.entry_id)
    with pytest.raises(HomeAssistantError, match="does not accept"):
        await call
    await hass.async_block_till_done()
    assert hass.config_entries.flow.async_progress() == []


async def test_list_commands_without_a_device_returns_all_stored_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """They include finished and unconfirmed ones."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Street lamp")
    old = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
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


async def test_a_devices_list_includes_the_local_fields(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Only commands that were queued here have their resources."""
    elsewhere = queue_elsewhere(onenet)
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    here, there = (await act(hass, "list_commands", imei=IMEI))["commands"]
    assert here.items() >= (queued | {"state": "queued"}).items()
    assert (there["uuid"], there["state"]) == (elsewhere["uuid"], "queued")
    assert "obj_id" not in there


async def test_finished_commands_are_deleted_after_a_week(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Newer ones stay on disk."""
    queued = await offline_read(hass, expires_in={"days": 30})
    await pass_time(account, onenet, timedelta(days=10))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    waiting = await offline_read(hass, expires_in={"days": 30})
    await pass_time(account, onenet, timedelta(days=7, minutes=-1))
    await refresh(account)
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting["uuid"], queued["uuid"]]
    await pass_time(account, onenet, timedelta(minutes=2))
    await refresh(account)
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting["uuid"]]
    await until(lambda: [row["uuid"] for row in saved_commands(hass, account)] == [waiting["uuid"]])


async def test_the_oldest_finished_commands_beyond_the_maximum_are_deleted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has an upper bound."""
    monkeypatch.setattr(commands, "FINISHED_MAX_COUNT", 3)
    queued = []
    for _ in range(5):
        queued.append((await offline_read(hass))["uuid"])
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await poll_device(account)
    waiting = (await offline_read(hass))["uuid"]
    listed = (await act(hass, "list_commands"))["commands"]
    assert [command["uuid"] for command in listed] == [waiting, *queued[:1:-1]]
    await until(lambda: [row["uuid"] for row in saved_commands(hass, account)] == [*queued[2:], waiting])


async def test_a_refusal_and_a_timeout_have_different_reasons(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """An automation can distinguish the two."""
    await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    device.answers = False
    await offline_read(hass, retry=1)
    for _ in range(2):
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await poll_device(account)
    outcomes = [event.data for event in events if event.data["type"] == "command_failed"]
    assert [(outcome["reason"], outcome["message"]) for outcome in outcomes] == [
        ("not_found", "The device answered NOT_FOUND"),
        ("time_out", "OneNET gave up: TIME_OUT"),
    ]
    assert all("values" not in outcome for outcome in outcomes)
    assert len(events) == 4


async def test_an_event_carries_every_value_of_a_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Bytes are hexadecimal, and resource instances are named."""
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
    await poll_device(account)
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


async def test_an_older_reply_does_not_reset_the_times_of_a_finished_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply that arrives late is ignored."""
    queued = await offline_read(hass)
    go_on = delay_reply(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path=queued["uuid"]))
    old = asyncio.create_task(act(hass, "get_command", uuid=queued["uuid"]))
    await until(lambda: not onenet.faults)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    go_on.set()
    assert (await old)["state"] == "succeeded"
    finished = await act(hass, "get_command", uuid=queued["uuid"])
    assert {"send_time", "confirm_time"} <= finished.keys()


async def test_a_cancellation_that_a_poll_sees_first_is_fired_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call that cancelled it fires no second event."""
    queued = await offline_read(hass)
    go_on = delay_reply(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/cancel/"))
    cancel = asyncio.create_task(act(hass, "cancel_command", uuid=queued["uuid"]))
    await until(lambda: onenet.requests[-1].method == "PUT")
    await poll_device(account)
    go_on.set()
    assert await cancel == queued
    assert event_uuids(events) == [("queued", queued["uuid"]), ("cancelled", queued["uuid"])]


async def test_a_sent_command_of_another_client_cannot_be_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The error names its state."""
    uuid = queue_elsewhere(onenet)["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    with pytest.raises(ServiceValidationError, match="already succeeded"):
        await act(hass, "cancel_command", uuid=uuid, imei=IMEI)
    assert not events


async def test_a_restart_fires_new_states_and_repeats_none(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, hass_config_dir: str
) -> None:
    """States that changed while Home Assistant was stopped are fired once."""
    context = Context()
    over = (await offline_read(hass))["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    meanwhile = (await offline_read(hass, context, obj_inst_id=0, res_id=5700))["uuid"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    waits = (await offline_read(hass, valid_time=tomorrow, trigger_msg="update"))["uuid"]
    await until(lambda: [row["state"] for row in saved_commands(hass, account)] == ["succeeded", "queued", "queued"])
    before = await act(hass, "list_commands")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    async with start(copy_of(hass_config_dir), account) as (after, events):
        assert event_uuids(events) == [("succeeded", meanwhile)]
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


async def test_a_command_that_is_cancelled_before_its_call_returns_is_fired_in_order(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`command_queued` comes before a single `command_cancelled`."""
    go_on = delay_reply(onenet, monkeypatch)
    onenet.faults.append(Fault(kind=FaultKind.DELAY))
    call = asyncio.create_task(offline_read(hass))
    await until(lambda: onenet.onenet.commands)
    cancel = asyncio.create_task(act(hass, "cancel_commands", imei=IMEI))
    await asyncio.sleep(0.1)
    go_on.set()
    uuid = (await call)["uuid"]
    assert [command["uuid"] for command in (await cancel)["commands"]] == [uuid]
    await poll_device(account)
    assert event_uuids(events) == [("queued", uuid), ("cancelled", uuid)]
