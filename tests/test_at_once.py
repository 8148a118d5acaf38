"""What a device that is awake does at once, and what becomes of it where the device sleeps."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN

from .common import IMEI, VARIANTS, act, event_uuids, manager_of, offline_read, poll_device, revoke, run_with, until
from .emulator import Device, Fault, FaultKind, Server, Trigger

variant = run_with(VARIANTS)

REBOOT = (3, 0, 4)
# Of each action that can be queued instead, what it needs.
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
    """Return a device that sleeps, can be written to, and rebooted."""
    device.resources[3306, 0, 5850] = False
    device.executables.add(REBOOT)
    return device


async def do(hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any) -> Any:
    """Call an action for the device, with what it needs, and return its response, if it has one."""
    return await act(hass, action, context, **{"imei": IMEI} | (FIELDS | OTHER_FIELDS).get(action, {}) | fields)


async def test_an_awake_device_is_read_with_the_values_of_a_finished_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """A person would have to wait for a device that is there, or to learn a second form of values."""
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
    # Nothing was queued, so there is nothing to follow.
    assert not events
    assert manager_of(account).waiting == 0


async def test_an_awake_device_is_written_to_and_executes(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A person would have to wait for a device that is there."""
    device.online = True
    written = await do(hass, "write", mode="update")
    assert device.resources[3306, 0, 5850] is True
    assert (written["command"], "values" in written) == ("write", False)
    await do(hass, "execute")
    assert device.executed == [(REBOOT, "0")]
    # A plain action in an automation wants no response.
    await hass.services.async_call(DOMAIN, "execute", {"imei": IMEI} | FIELDS["execute"], blocking=True)
    assert len(device.executed) == 2


@pytest.mark.parametrize("action", FIELDS)
async def test_a_device_that_sleeps_is_an_error_that_names_the_way_out(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event], action: str
) -> None:
    """A person would not know that a command could wait for the device."""
    with pytest.raises(HomeAssistantError, match=rf"onenet_nbiot\.offline_{action}") as caught:
        await do(hass, action)
    assert caught.value.translation_key == "device_asleep"
    assert not isinstance(caught.value, ServiceValidationError)
    assert not onenet.onenet.commands
    assert not events


@pytest.mark.parametrize("action", OTHER_FIELDS)
async def test_what_cannot_wait_is_an_error_while_the_device_sleeps(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, action: str
) -> None:
    """A person would be sent to an action that does not exist."""
    with pytest.raises(HomeAssistantError) as caught:
        await do(hass, action)
    assert caught.value.translation_key == "device_offline"
    assert "offline_" not in str(caught.value)


@pytest.mark.parametrize("action", FIELDS)
async def test_a_device_that_sleeps_gets_it_when_it_wakes_where_that_is_wanted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event], action: str
) -> None:
    """A person would have to write the fall-back into every automation."""
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


async def test_a_command_is_queued_though_its_account_is_unloaded_while_the_device_is_tried(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A reload at the wrong moment would lose a command."""
    device.online = device.hesitates = True
    onenet.onenet.second = 0.1
    reading = hass.async_create_task(do(hass, "read", **QUEUE, timeout=5))
    await until(lambda: device.waiting)
    assert await hass.config_entries.async_unload(account.entry_id)
    uuid = (await reading)["uuid"]
    assert [command.uuid for command in onenet.onenet.commands] == [uuid]


async def test_an_awake_device_is_not_queued_for(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A reading would come late, though the device is there."""
    device.online = True
    assert (await do(hass, "read", **QUEUE))["values"] == VALUES
    assert not onenet.onenet.commands


async def test_an_hourly_read_does_not_fill_the_queue_of_a_device_that_sleeps(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The queue of a device that sleeps for days would be full after ten hours."""
    uuids = {(await do(hass, "read", **QUEUE, if_waiting="keep"))["uuid"] for _ in range(3)}
    assert [command.uuid for command in onenet.onenet.commands] == list(uuids)


@pytest.mark.parametrize(("action", "queued"), [("read", True), ("write", False), ("execute", False)])
async def test_only_what_can_be_done_twice_is_queued_after_the_device_did_not_answer(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
    action: str,
    *,
    queued: bool,
) -> None:
    """A device that fell asleep over its answer would do everything twice, or a reading be missing."""
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
async def test_a_lost_reply_is_neither_repeated_nor_passed_for_done(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """A valve would be moved twice, or a person believe that it was."""
    device.online = True
    onenet.requests.clear()
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER))
    with pytest.raises(HomeAssistantError, match="unknown whether the device carried out") as caught:
        await do(hass, action, **QUEUE)
    assert caught.value.translation_key == "confirmation_lost"
    assert len(onenet.requests) == 1
    assert not onenet.onenet.commands


@pytest.mark.parametrize("action", [*FIELDS, *OTHER_FIELDS, "get_resources"])
async def test_a_refused_key_asks_for_a_new_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """Every call would fail for ever, and nobody be told how to mend it."""
    onenet.onenet.switches = replace(onenet.onenet.switches, current_resources=True)
    revoke(onenet)
    with pytest.raises(HomeAssistantError) as caught:
        await do(hass, action)
    assert caught.value.translation_key == "invalid_auth"
    await hass.async_block_till_done()
    assert [flow["step_id"] for flow in hass.config_entries.flow.async_progress()] == ["reauth_confirm"]


@pytest.mark.parametrize("action", [*FIELDS, *OTHER_FIELDS, "get_resources"])
async def test_a_device_that_is_not_the_accounts_is_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, action: str
) -> None:
    """A person who mistyped an IMEI would look for the fault in the device."""
    onenet.onenet.switches = replace(onenet.onenet.switches, current_resources=True)
    with pytest.raises(ServiceValidationError, match="no device with this IMEI"):
        await do(hass, action, imei="866971030000009")


async def test_what_a_device_answers_with_an_error_is_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A person could not tell a wrong number from a device that sleeps."""
    device.online = True
    with pytest.raises(HomeAssistantError, match="NOT_FOUND") as caught:
        await do(hass, "read", obj_id=9, **QUEUE)
    assert caught.value.translation_key == "device_error"
    assert not onenet.onenet.commands


async def test_devices_that_hesitate_do_not_hold_up_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """While some lamps hesitate for 40 seconds, no command could be queued and nothing be heard."""
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


async def test_a_device_is_observed_and_no_more(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A device would tell nothing by itself, or never stop."""
    device.online = True
    await do(hass, "observe", pmin=60, pmax="3600", gt=30, lt="10.5", st=0.5)
    assert device.observations == {
        (3303, 0, 5700): {"pmin": "60", "pmax": "3600", "gt": "30.0", "lt": "10.5", "st": "0.5"}
    }
    await do(hass, "observe", cancel=True)
    assert device.observations == {}


async def test_what_a_device_has_is_found_out(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A person would have to guess the numbers of a device's resources."""
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


async def test_a_read_that_is_queued_late_has_not_expired_by_then(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A read would be refused because its device took long not to answer."""
    device.online = True
    device.hesitates = True
    onenet.onenet.second = 0.2
    queued = await do(hass, "read", timeout=5, if_offline="queue", expires_in={"seconds": 1}, if_waiting=None)
    (command,) = onenet.onenet.commands
    assert command.uuid == queued["uuid"]
    # A second later, but for the way to the platform.
    assert command.expired_time - command.create_time > timedelta(seconds=0.5)


async def test_what_has_expired_while_the_device_was_tried_is_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """A person would read that OneNET found a parameter wrong."""
    device.online = True
    device.hesitates = True
    onenet.onenet.second = 0.4
    expired_time = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    with pytest.raises(ServiceValidationError) as caught:
        await do(hass, "read", timeout=5, if_offline="queue", expired_time=expired_time)
    assert caught.value.translation_key == "expired_time_past"
    assert not onenet.onenet.commands
    assert not events
