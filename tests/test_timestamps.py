"""Times that devices report with their values."""

from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.devices import Reading
from custom_components.onenet_nbiot.onenet.models import Datapoint
from custom_components.onenet_nbiot.timestamps import with_timestamps

from .common import EVERY_PLATFORM, IMEI, add_device, client_of, devices_of, pass_time, refresh, run_with
from .emulator import Server

variant = run_with(EVERY_PLATFORM)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
METER = "3424/0/1"
VALUE, TIME = (3424, 0, 1), (3424, 0, 5518)


def points(path: str, *values: Any, at: datetime = NOON) -> list[Datapoint]:
    """Return datapoints that arrived at the same time."""
    return [Datapoint(path=path, value=value, measured_at=at) for value in values]


def seconds(hours: float) -> int:
    """Return the Unix time of an hour after noon."""
    return int((NOON + hours * HOUR).timestamp())


def timestamps(datapoints: list[Datapoint]) -> list[float | None]:
    """Return the hours after noon at which the values of the meter were measured."""
    found = [point.timestamp for point in with_timestamps(datapoints) if point.path == METER]
    return [None if timestamp is None else (timestamp - NOON) / HOUR for timestamp in found]


def test_a_value_has_the_time_that_arrived_with_it() -> None:
    """The time of another instance, or that arrived at another time, is not its own."""
    value = points(METER, 17)
    assert timestamps([*value, *points("3424/0/5518", seconds(-1))]) == [-1]
    assert timestamps([*value, *points("3424/1/5518", seconds(-1))]) == [None]
    assert timestamps([*value, *points("3424/0/5518", seconds(-1), at=NOON + HOUR)]) == [None]


@pytest.mark.parametrize("wrong", [seconds(0.1), seconds(-24 * 366), "now", 0, None])
def test_an_implausible_time_is_ignored(wrong: Any) -> None:
    """It is in the future, of more than a year ago, or no time."""
    assert timestamps([*points(METER, 17), *points("3424/0/5518", wrong)]) == [None]


def test_values_that_arrived_together_have_the_times_in_the_same_order() -> None:
    """With another number of times, it is not known which is whose."""
    values = points(METER, 1, 2, 3)
    times = points("3424/0/5518", seconds(-3), seconds(-2), seconds(-1))
    assert timestamps([*values, *times]) == [-3, -2, -1]
    assert timestamps([*values, *times[1:]]) == [None] * 3


def show(hass: HomeAssistant, account: MockConfigEntry) -> tuple[Any, datetime]:
    """Return the value and the time of the reading of the meter."""
    reading = devices_of(account).added[IMEI].readings[METER]
    return reading.value, reading.measured_at


async def test_a_reading_has_the_time_at_which_the_device_measured_it(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """It is the attribute of the entity, and the same after the reading is restored; a later value replaces it."""
    now = client_of(account).now().replace(microsecond=0)
    measured = now - 2 * HOUR
    onenet.onenet.report(IMEI, {VALUE: 17, TIME: int(measured.timestamp())}, now - HOUR)
    await add_device(hass, account, METER)
    await refresh(account)
    await hass.async_block_till_done()
    assert show(hass, account) == (17, measured)
    state = hass.states.get("sensor.water_meter_water_volume")
    assert state
    assert state.attributes["measured_at"] == measured
    reading = devices_of(account).added[IMEI].readings[METER]
    row = [part.isoformat() if isinstance(part, datetime) else part for part in reading.as_row()]
    assert Reading.from_row(row) == reading
    # Without a time of its own, the time of arrival counts, also if it is before the next time of the device.
    onenet.onenet.report(IMEI, {VALUE: 18}, now - HOUR / 2)
    await pass_time(account, onenet, timedelta(minutes=2))
    await refresh(account)
    assert show(hass, account) == (18, now - HOUR / 2)


async def test_a_device_that_sends_stored_values_shows_the_one_that_was_measured_last(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The order in which they arrive is of no importance, unless the clock of the device was set back before."""
    await add_device(hass, account, METER)
    device = devices_of(account).added[IMEI]

    def push(value: int, measured: float, arrived: float) -> None:
        at = NOON + arrived * HOUR
        point = Datapoint(path=METER, value=value, measured_at=at, timestamp=NOON + measured * HOUR)
        devices_of(account).update_from_push(device, [point], at)

    for number in (1, 24, 3):
        push(number, number - 25, number / 3600)
    assert show(hass, account) == (24, NOON - HOUR)
    # The clock of the device stands still.
    push(30, -1, 0.01)
    assert show(hass, account) == (30, NOON - HOUR)
    push(25, -30, 2)
    assert show(hass, account) == (25, NOON - 30 * HOUR)
    # The same second: the time arrived after the value.
    push(26, 3, 4)
    push(27, 3.5, 4)
    push(28, 2, 4)
    assert show(hass, account) == (27, NOON + 3.5 * HOUR)
