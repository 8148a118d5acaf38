"""Immediate actions, and what they do when the device is offline."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN

from .common import IMEI, VARIANTS, act, commands_of, event_uuids, offline_read, poll_device, revoke, run_with, until
from .emulator import Device, Fault, FaultKind, Server, Trigger

variant = run_with(VARIANTS)

REBOOT = (3, 0, 4)
# Valid fields of each action whose command can be queued instead.
FIELDS: dict[str, dict[str, Any]] = {
    "read": {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700},
    "write": {"obj_id": 3306, "obj_inst_id": 0, "values": [{"res_id": 5850, "value": True}]},
    "execute": {"obj_id": 3, "obj_inst_id": 0, "res_id": 4, "args": "0"},
}
OTHER_FIELDS: dict[str, dict[str, Any]] = {
    "observe": {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700},
    "discover": {"obj_id": 3303},
}
VALUES = [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
QUEUE: dict[str, Any] = {"if_offline": "queue", "expires_in": {"hours": 6}}


@pytest.fixture
def device(device: Device) -> Device:
    """Return a sleeping device with a writable resource and an executable one."""
    device.resources[3306, 0, 5850] = False
    device.executables.add(REBOOT)
    return device


async def do(hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any) -> Any:
    """Call an action for the device with valid fields; return its response, if it has one."""
    return await act(hass, action, context, **{"imei": IMEI} | (FIELDS | OTHER_FIELDS).get(action, {}) | fields)


async def test_an_immediate_read_returns_the_values_of_an_online_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The values have the form of a finished queued read, and no command is queued."""
    device.online = True
    response = await do(hass, "read", timeout=5)
    assert response == {
        "config_entry_id": account.entry_id,
        "command": "read",
        "imei": IMEI,
        "obj_id": 3303,
        "obj_inst_id": 0,
        "res_id": 5700,
        "values": VALUES,
    }
    assert onenet.requests[-1].query["timeout"] == "5"
    assert not events
    assert commands_of(account).waiting == 0


async def test_an_immediate_write_and_execute_reach_an_online_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Both work with and without a request for a response."""
    device.online = True
    written = await do(hass, "write", mode="update")
    assert device.resources[3306, 0, 5850] is True
    assert (written["command"], "values" in written) == ("write", False)
    await do(hass, "execute")
    assert device.executed == [(REBOOT, "0")]
    # An action in an automation without response_variable requests no response.
    await hass.services.async_call(DOMAIN, "execute", {"imei": IMEI} | FIELDS["execute"], blocking=True)
    assert len(device.executed) == 2


@pytest.mark.parametrize("action", FIELDS)
async def test_the_error_for_a_sleeping_device_names_the_action_that_queues(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event], action: str
) -> None:
    """Nothing is queued, and no event is fired."""
    with pytest.raises(HomeAssistantError, match=rf"onenet_nbiot\.offline_{action}") as caught:
        await do(hass, action)
    assert caught.value.translation_key == "device_asleep"
    assert not isinstance(caught.value, ServiceValidationError)
    assert not onenet.onenet.commands
    assert not events


@pytest.mark.parametrize("action", OTHER_FIELDS)
async def test_the_error_for_an_action_that_cannot_be_queued_names_no_other_action(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, action: str
) -> None:
    """Observe and discover have no action that queues them."""
    with pytest.raises(HomeAssistantError) as caught:
        await do(hass, action)
    assert caught.value.translation_key == "device_offline"
    assert "offline_" not in str(caught.value)


@pytest.mark.parametrize("action", FIELDS)
async def test_if_offline_queue_queues_a_command_for_a_sleeping_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event], action: str
) -> None:
    """The response and the events are those of a queued command."""
    context = Context()
    response = await do(hass, action, context, **QUEUE, timeout=7)
    (command,) = onenet.onenet.commands
    assert (command.kind, command.args["timeout"]) == (action.upper(), "7")
    assert response["uuid"] == command.uuid
    assert events[0].data == {"type": "command_queued", **response}
    assert events[0].context is context
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert event_uuids(events) == [("queued", command.uuid), ("succeeded", command.uuid)]


async def test_a_command_is_queued_although_the_account_is_unloaded_during_the_immediate_call(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A reload during the immediate call loses no command."""
    device.online = device.hesitates = True
    onenet.onenet.second = 0.1
    reading = hass.async_create_task(do(hass, "read", **QUEUE, timeout=5))
    await until(lambda: device.waiting)
    assert await hass.config_entries.async_unload(account.entry_id)
    uuid = (await reading)["uuid"]
    assert [command.uuid for command in onenet.onenet.commands] == [uuid]


async def test_if_offline_queue_queues_nothing_for_an_online_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The values are returned immediately."""
    device.online = True
    assert (await do(hass, "read", **QUEUE))["values"] == VALUES
    assert not onenet.onenet.commands


async def test_repeated_reads_with_keep_queue_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """All calls return the UUID of the command that is already queued."""
    uuids = {(await do(hass, "read", **QUEUE, if_waiting="keep"))["uuid"] for _ in range(3)}
    assert [command.uuid for command in onenet.onenet.commands] == list(uuids)


@pytest.mark.parametrize(("action", "queued"), [("read", True), ("write", False), ("execute", False)])
async def test_only_a_read_is_queued_after_the_device_did_not_reply(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
    action: str,
    *,
    queued: bool,
) -> None:
    """The device may have carried out a write or an execute already."""
    device.online = True
    device.answers = False
    if queued:
        assert "uuid" in await do(hass, action, **QUEUE)
    else:
        with pytest.raises(HomeAssistantError) as caught:
            await do(hass, action, **QUEUE)
        assert caught.value.translation_key == "device_timeout"
    assert len(onenet.onenet.commands) == queued


@pytest.mark.parametrize("action", ["write", "execute"])
async def test_a_write_or_execute_whose_reply_is_lost_is_an_error_and_is_not_repeated(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """The error says that the outcome is unknown; one request is sent, and nothing is queued."""
    device.online = True
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER))
    with pytest.raises(HomeAssistantError, match="unknown whether the device carried out") as caught:
        await do(hass, action, **QUEUE)
    assert caught.value.translation_key == "confirmation_lost"
    assert len(onenet.requests) == 1
    assert not onenet.onenet.commands


@pytest.mark.parametrize("action", [*FIELDS, *OTHER_FIELDS, "get_resources"])
async def test_a_refused_key_starts_reauthentication(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """Every immediate action reports the refused key."""
    onenet.onenet.switches = replace(onenet.onenet.switches, current_resources=True)
    revoke(onenet)
    with pytest.raises(HomeAssistantError) as caught:
        await do(hass, action)
    assert caught.value.translation_key == "invalid_auth"
    await hass.async_block_till_done()
    assert [flow["step_id"] for flow in hass.config_entries.flow.async_progress()] == ["reauth_confirm"]


@pytest.mark.parametrize("action", [*FIELDS, *OTHER_FIELDS, "get_resources"])
async def test_the_imei_of_another_account_is_a_validation_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """The message says that the account has no device with this IMEI."""
    onenet.onenet.switches = replace(onenet.onenet.switches, current_resources=True)
    with pytest.raises(ServiceValidationError, match="no device with this IMEI"):
        await do(hass, action, imei="866971030000009")


async def test_an_error_of_the_device_is_raised_and_queues_nothing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The message has the error of the device."""
    device.online = True
    with pytest.raises(HomeAssistantError, match="NOT_FOUND") as caught:
        await do(hass, "read", obj_id=9, **QUEUE)
    assert caught.value.translation_key == "device_error"
    assert not onenet.onenet.commands


async def test_slow_devices_do_not_delay_queued_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Commands are queued and polled while many immediate reads are in flight."""
    device.online = True
    device.hesitates = True
    reads = [hass.async_create_task(do(hass, "read", timeout=40)) for _ in range(120)]
    await until(lambda: len(device.waiting) >= 50)
    async with asyncio.timeout(5):
        queued = await offline_read(hass)
        assert (await do(hass, "get_command", uuid=queued["uuid"]))["state"] == "queued"
        await poll_device(account)
    device.hesitates = False
    onenet.onenet.answer(IMEI)
    assert [response["values"] for response in await asyncio.gather(*reads)] == [VALUES] * 120


async def test_an_observation_is_started_and_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The report conditions reach the device, and cancelling removes the observation."""
    device.online = True
    await do(hass, "observe", pmin=60, pmax="3600", gt=30, lt="10.5", st=0.5)
    assert device.observations == {
        (3303, 0, 5700): {"pmin": "60", "pmax": "3600", "gt": "30.0", "lt": "10.5", "st": "0.5"}
    }
    await do(hass, "observe", cancel=True)
    assert device.observations == {}


async def test_get_resources_and_discover_return_the_resources_of_a_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Both can be limited to an object or an instance."""
    onenet.onenet.switches = replace(onenet.onenet.switches, current_resources=True)
    known = await do(hass, "get_resources")
    assert known == {
        "config_entry_id": account.entry_id,
        "imei": IMEI,
        "resources": [
            {"obj_id": 3, "obj_inst_id": 0, "res_id": 4},
            {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700},
            {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5701},
            {"obj_id": 3306, "obj_inst_id": 0, "res_id": 5850},
        ],
    }
    assert len((await do(hass, "get_resources", obj_id=3303))["resources"]) == 2
    device.online = True
    assert (await do(hass, "discover", obj_inst_id=0, timeout=5))["resources"] == known["resources"][1:3]


async def test_expires_in_counts_from_the_time_of_queueing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The time that the immediate call took does not shorten it."""
    device.online = True
    device.hesitates = True
    onenet.onenet.second = 0.2
    queued = await do(hass, "read", timeout=5, if_offline="queue", expires_in={"seconds": 1}, if_waiting=None)
    (command,) = onenet.onenet.commands
    assert command.uuid == queued["uuid"]
    # One second, less the time of the request.
    assert command.expired_time - command.create_time > timedelta(seconds=0.5)


async def test_an_expired_time_that_passes_during_the_immediate_call_is_an_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The error says that the expired_time is in the past; nothing is queued."""
    device.online = True
    device.hesitates = True
    onenet.onenet.second = 0.4
    expired_time = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    with pytest.raises(ServiceValidationError) as caught:
        await do(hass, "read", timeout=5, if_offline="queue", expired_time=expired_time)
    assert caught.value.translation_key == "expired_time_past"
    assert not onenet.onenet.commands
    assert not events
