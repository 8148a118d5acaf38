"""Requested readings."""

from collections.abc import Iterable
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .common import (
    EVERY_PLATFORM,
    IMEI,
    add_device,
    devices_of,
    run_with,
)
from .emulator import Device, Fault, FaultKind, Server

variant = run_with(EVERY_PLATFORM)

BUTTON = "button.water_meter_request_reading"
TEMPERATURE = "sensor.water_meter_temperature"
BATTERY = "sensor.water_meter_battery_level"
PATHS = ("3303/0/5700", "3/0/9", "3200/0/5500")


@pytest.fixture
def device(device: Device) -> Device:
    """Return a sleeping device with three objects."""
    device.resources |= {(3, 0, 9): 80, (3200, 0, 5500): True}
    return device


@pytest.fixture
async def meter(hass: HomeAssistant, account: MockConfigEntry, device: Device) -> str:
    """Return the id of the device, which sleeps and was added with one resource of each object."""
    await add_device(hass, account, *PATHS)
    return devices_of(account).added[IMEI].device_id


def wake(account: MockConfigEntry, device: Device, *, listed: bool | None = True) -> None:
    """Set whether a device is online, and whether OneNET listed it as online at the last poll."""
    device.online = True
    devices_of(account).added[device.imei].online = listed


async def press(hass: HomeAssistant, context: Context | None = None) -> None:
    """Press the button of the device."""
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True, context=context)


def paths_of(queries: Iterable[dict[str, Any]]) -> list[str]:
    """Return the paths of operations."""
    names = ("obj_id", "obj_inst_id", "res_id")
    return ["/".join(str(query[name]) for name in names if name in query) for query in queries]


def queued(onenet: Server, imei: str = IMEI) -> list[str]:
    """Return the paths of a device's queued reads."""
    return paths_of(command.args for command in onenet.onenet.commands if command.imei == imei)


def tried(onenet: Server) -> list[str]:
    """Return the paths of the immediate reads."""
    return paths_of(
        request.query for request in onenet.requests if request.method == "GET" and "timeout" in request.query
    )


async def test_the_button_reads_an_online_device_at_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, events: list[Event]
) -> None:
    """The entities have the values, and nothing is queued."""
    wake(account, device)
    await press(hass)
    assert [hass.states.get(entity).state for entity in (TEMPERATURE, BATTERY)] == ["21.5", "80"]  # type: ignore[union-attr]
    assert tried(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]
    assert not queued(onenet)
    assert not events


@pytest.mark.parametrize("listed", [False, None])
async def test_a_device_that_is_not_known_to_be_online_is_not_tried(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, listed: Any
) -> None:
    """The reads are queued directly."""
    wake(account, device, listed=listed)
    await press(hass)
    assert not tried(onenet)
    assert queued(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]


async def test_all_reads_are_queued_after_the_first_that_finds_the_device_asleep(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, events: list[Event]
) -> None:
    """One immediate read is tried; pressing again keeps the waiting reads."""
    wake(account, device)
    device.online = False
    context = Context()
    for _ in range(2):
        await press(hass, context)
    assert tried(onenet) == ["3303/0"] * 2
    assert queued(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]
    assert [event.context.id for event in events] == [context.id] * 3


async def test_the_remaining_reads_are_queued_when_the_device_falls_asleep(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """The entity of the first read has its value."""
    wake(account, device)
    onenet.faults.append(
        Fault(kind=FaultKind.ERRNO, errno=2001, text="device not online", parameter=("obj_id", "3"), times=1)
    )
    await press(hass)
    assert tried(onenet) == ["3303/0", "3/0/9"]
    assert queued(onenet) == ["3/0/9", "3200/0/5500"]
    assert hass.states.get(TEMPERATURE).state == "21.5"  # type: ignore[union-attr]


async def test_a_unit_is_read_while_it_is_unknown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """Afterwards, the value is read alone."""
    wake(account, device)
    for _ in range(2):
        await press(hass)
    assert tried(onenet) == ["3303/0", "3/0/9", "3200/0/5500", "3303/0/5700", "3/0/9", "3200/0/5500"]


async def test_a_failed_read_does_not_stop_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """The button raises the first error."""
    wake(account, device)
    del device.resources[3, 0, 9], device.resources[3200, 0, 5500]
    device.resources[3303, 0, 5700] = 22.5
    with pytest.raises(HomeAssistantError, match="NOT_FOUND") as caught:
        await press(hass)
    assert caught.value.translation_key == "device_error"
    assert hass.states.get(TEMPERATURE).state == "22.5"  # type: ignore[union-attr]
    assert len(tried(onenet)) == 3
    assert not queued(onenet)


async def test_a_refused_queued_read_does_not_stop_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """The button raises the error."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline"))
    with pytest.raises(HomeAssistantError, match="as many waiting commands"):
        await press(hass)
    assert queued(onenet) == ["3/0/9", "3200/0/5500"]
