"""What is said of a command, whatever becomes of the caller."""

import asyncio
import contextlib

from homeassistant.core import Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .conftest import IMEI, offline_read
from .emulator import Device, Fault, FaultKind, Server


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
    expected_warnings.append("After its caller had gone, a command failed: OneNET's answer was lost")
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, seconds=0.2))
    await call_and_leave(hass, onenet)
    await hass.async_block_till_done()
    assert "may or may not have been queued" in caplog.text


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
