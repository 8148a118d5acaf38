"""The history that OneNET kept, in the statistics of Home Assistant's recorder."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
import logging
import time
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import StatisticsShortTerm
from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import do_adhoc_statistics

from custom_components.onenet_nbiot.history import HistoryImporter
from custom_components.onenet_nbiot.history_rows import hour_of
from custom_components.onenet_nbiot.onenet.models import Datapoint

from .common import EVERY_PLATFORM, IMEI, add_device, client_of, pass_time, refresh, run_with
from .emulator import Device, Fault, FaultKind, Server

HOUR = timedelta(hours=1)
LAST_MINUTE = 59
VOLUME, TIME, TEMPERATURE = (3424, 0, 1), (3424, 0, 5518), (3303, 0, 5700)
METER, THERMOMETER = "sensor.water_meter_water_volume", "sensor.water_meter_temperature"

# Near the end of an hour, a test waits for the next one.
pytestmark = pytest.mark.timeout(180)
variant = run_with(EVERY_PLATFORM)

type Rows = dict[int, tuple[float, ...]]


@pytest.fixture(autouse=True)
def _custom_integration(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration after the recorder."""


@pytest.fixture
def now() -> datetime:
    """Return the beginning of the current hour, which does not end during the test."""
    if (at := datetime.now(UTC)).minute == LAST_MINUTE:
        time.sleep(80 - at.second)
    return hour_of(datetime.now(UTC))


def importer_of(account: MockConfigEntry) -> HistoryImporter:
    """Return the importer of an account."""
    importer: HistoryImporter = account.runtime_data.history
    return importer


async def recorded(hass: HomeAssistant) -> None:
    """Wait until the recorder has worked on its tasks, also the one that it has begun."""
    get_instance(hass).queue_task(SynchronizeTask(idle := hass.loop.create_future()))
    await idle


async def settle(hass: HomeAssistant) -> None:
    """Wait until the history is in the statistics."""
    await hass.async_block_till_done(wait_background_tasks=True)
    await recorded(hass)


async def finish(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Poll, and wait until the history is in the statistics."""
    await refresh(account)
    await settle(hass)
    assert not importer_of(account).summary()["waiting"]


async def compile_hour(hass: HomeAssistant, now: datetime) -> None:
    """Let the recorder compile the current hour."""
    await recorded(hass)
    for minutes in range(0, 60, 5):
        do_adhoc_statistics(hass, start=now + timedelta(minutes=minutes))
    await recorded(hass)


async def try_again(hass: HomeAssistant, seconds: int) -> None:
    """Let a time pass, and wait for what is attempted again."""
    loop_time = hass.loop.time
    with patch.object(hass.loop, "time", lambda: loop_time() + seconds):
        async_fire_time_changed(hass, datetime.now(UTC) + timedelta(seconds=seconds))
        await settle(hass)


async def restart(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Load an account again, and wait for its history."""
    assert await hass.config_entries.async_setup(account.entry_id)
    await finish(hass, account)


def history_requests(onenet: Server) -> list[str]:
    """Return the paths of the resources whose history was requested."""
    queries = [request.query for request in onenet.requests if "start" in request.query]
    return [query["datastream_id"].replace("_", "/") for query in queries]


async def rows_of(hass: HomeAssistant, entity_id: str, now: datetime, *types: Any) -> Rows:
    """Return the rows of an entity's statistics by hours before now."""
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period, hass, now - timedelta(days=400), None, {entity_id}, "hour", None, set(types)
    )
    rows: list[Any] = list(found.get(entity_id, []))
    return {round((row["start"] - now.timestamp()) / 3600): tuple(row[name] for name in types) for row in rows}


def store_rows(hass: HomeAssistant, entity_id: str, now: datetime, rows: Mapping[int, tuple[float, float]]) -> None:
    """Store rows of a total as the recorder has compiled them."""
    metadata = StatisticMetaData(
        has_sum=True,
        mean_type=StatisticMeanType.NONE,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class="volume",
        unit_of_measurement="m³",
    )
    found: list[StatisticData] = [
        {"start": now + hours * HOUR, "state": state, "sum": total} for hours, (state, total) in rows.items()
    ]
    async_import_statistics(hass, metadata, found)
    latest: StatisticData = {**found[-1], "start": found[-1]["start"] + timedelta(minutes=55)}
    get_instance(hass).async_import_statistics(metadata, [latest], StatisticsShortTerm)


@pytest.fixture
async def meter(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> MockConfigEntry:
    """Return an account that is not loaded any more: its meter had 100 m³ and a sum of 7 in the hour before the gap."""
    onenet.onenet.report(IMEI, {VOLUME: 100}, now - 25 * HOUR)
    await add_device(hass, account, "3424/0/1", history_days=0)
    await finish(hass, account)
    assert await rows_of(hass, METER, now, "state", "sum") == {}
    store_rows(hass, METER, now, {-25: (100, 7)})
    await hass.config_entries.async_unload(account.entry_id)
    return account


async def test_a_day_without_home_assistant_has_a_row_for_every_hour(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The growth is where it happened, and the sum that the recorder compiles afterwards has no step."""
    for hours in range(1, 25):
        onenet.onenet.report(IMEI, {VOLUME: 100 + hours}, now + (hours - 24.5) * HOUR)
    await restart(hass, meter)
    expected = {hours: (125.0 + hours, 32.0 + hours) for hours in range(-25, 0)}
    assert await rows_of(hass, METER, now, "state", "sum") == expected
    onenet.onenet.report(IMEI, {VOLUME: 126})
    await pass_time(meter, onenet, timedelta(minutes=2))
    await finish(hass, meter)
    await compile_hour(hass, now)
    assert await rows_of(hass, METER, now, "state", "sum") == expected | {0: (126, 33)}


async def test_hours_that_repeat_the_last_row_are_filled_once(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The recorder compiled them while OneNET could not be reached. A second import writes nothing."""
    store_rows(hass, METER, now, dict.fromkeys(range(-25, 0), (100, 7)))
    for hours in range(1, 25):
        onenet.onenet.report(IMEI, {VOLUME: 100 + hours}, now + (hours - 24.5) * HOUR)
    await restart(hass, meter)
    expected = {hours: (125.0 + hours, 32.0 + hours) for hours in range(-25, 0)}
    assert await rows_of(hass, METER, now, "state", "sum") == expected
    await compile_hour(hass, now)
    expected |= {0: (124, 31)}
    assert await rows_of(hass, METER, now, "state", "sum") == expected
    assert importer_of(meter).summary() == {"waiting": 0, "values": 25, "rows": 24, "failed": {}}
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    assert await rows_of(hass, METER, now, "state", "sum") == expected
    assert importer_of(meter).summary() == {"waiting": 0, "values": 50, "rows": 24, "failed": {}}


async def test_a_correction_of_a_filled_hour_survives_a_second_import(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The sums of all later rows have been corrected with it."""
    for hours in range(1, 25):
        onenet.onenet.report(IMEI, {VOLUME: 100 + hours}, now + (hours - 24.5) * HOUR)
    await restart(hass, meter)
    get_instance(hass).async_adjust_statistics(METER, now - 10 * HOUR, -5, "m³")
    await recorded(hass)
    corrected = await rows_of(hass, METER, now, "state", "sum")
    assert (corrected[-11], corrected[-10]) == ((114, 21), (115, 17))
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    assert await rows_of(hass, METER, now, "state", "sum") == corrected


async def test_a_meter_that_was_exchanged_in_the_gap_adjusts_the_rows_that_the_recorder_compiles(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The rows wait for the row of the current hour, in which the recorder only knows the last value of the old one."""
    for hours, value in ((-20, 110), (-10, 3), (-0.5, 5)):
        onenet.onenet.report(IMEI, {VOLUME: value}, now + hours * HOUR)
    assert await hass.config_entries.async_setup(meter.entry_id)
    await refresh(meter)
    await settle(hass)
    assert importer_of(meter).summary()["waiting"] == 1
    await compile_hour(hass, now)
    assert await rows_of(hass, METER, now, "state", "sum") == {-25: (100, 7), 0: (5, 12)}
    await try_again(hass, 301)
    assert importer_of(meter).summary()["waiting"] == 0
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert [rows[hours] for hours in (-21, -20, -11, -10, -2, -1, 0)] == [
        (100, 7),
        (110, 17),
        (110, 17),
        (3, 20),
        (3, 20),
        (5, 22),
        (5, 22),
    ]
    # The recorder goes on from the adjusted sum.
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    assert await rows_of(hass, METER, now, "state", "sum") == rows


async def test_a_meter_that_was_exchanged_in_the_current_hour_leaves_no_step(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The growth of the old meter in the gap is unknown to the recorder."""
    onenet.onenet.report(IMEI, {VOLUME: 110}, now - 20 * HOUR)
    onenet.onenet.report(IMEI, {VOLUME: 3}, now)
    assert await hass.config_entries.async_setup(meter.entry_id)
    await refresh(meter)
    await settle(hass)
    await compile_hour(hass, now)
    await try_again(hass, 301)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert [rows[hours] for hours in (-21, -20, -1, 0)] == [(100, 7), (110, 17), (110, 17), (3, 20)]


async def test_a_new_device_brings_its_past_of_the_days_in_its_dialog(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """The sums begin with 0, and the recorder goes on from the last one; measurements have their mean."""
    for hours in range(1, 100):
        onenet.onenet.report(IMEI, {VOLUME: 200 - hours, TEMPERATURE: hours % 24}, now - (hours - 0.5) * HOUR)
    # The recorder begins with this value.
    onenet.onenet.report(IMEI, {VOLUME: 202}, now)
    await add_device(hass, account, "3424/0/1", "3303/0/5700", history_days=3)
    await finish(hass, account)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert min(rows) in (-71, -72, -73)
    first = min(rows)
    assert rows[first][1] == 0
    assert [rows[hours] for hours in (-1, -2, -70)] == [(state, state - rows[first][0]) for state in (199, 198, 130)]
    means = await rows_of(hass, THERMOMETER, now, "mean", "min", "max")
    assert list(means[-1]) == [1.5, 1, 2]
    known = await get_instance(hass).async_add_executor_job(lambda: get_metadata(hass, statistic_ids={METER}))
    assert known[METER][1]["unit_class"] == "volume"
    onenet.onenet.report(IMEI, {VOLUME: 205})
    await compile_hour(hass, now)
    assert (await rows_of(hass, METER, now, "state", "sum"))[0] == (202, 202 - rows[first][0])


async def test_statistics_keep_their_unit_when_the_user_changes_that_of_the_entity(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """Values are converted from the unit of the device to that of the statistics."""
    er.async_get(hass).async_update_entity_options(METER, "sensor", {"unit_of_measurement": "L"})
    onenet.onenet.report(IMEI, {VOLUME: 101.5}, now - 20 * HOUR)
    await restart(hass, meter)
    state = hass.states.get(METER)
    assert state
    assert state.attributes["unit_of_measurement"] == "L"
    await compile_hour(hass, now)
    rows = await rows_of(hass, METER, now, "state", "sum")
    # They are shown in the unit of the entity.
    assert [rows[hours] for hours in (-21, -20, 0)] == [(100_000, 7000), (101_500, 8500), (101_500, 8500)]
    known = await get_instance(hass).async_add_executor_job(lambda: get_metadata(hass, statistic_ids={METER}))
    assert known[METER][1]["unit_of_measurement"] == "m³"


async def test_new_statistics_have_the_unit_of_the_state(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """That is the unit with which the recorder goes on."""
    onenet.onenet.report(IMEI, {VOLUME: 1}, now - 5 * HOUR)
    onenet.onenet.report(IMEI, {VOLUME: 1.5}, now - 3 * HOUR)
    er.async_get(hass).async_get_or_create(
        "sensor",
        "onenet_nbiot",
        f"{account.entry_id}_{IMEI}_3424/0/1",
        suggested_object_id="water_meter_water_volume",
        config_entry=account,
    )
    er.async_get(hass).async_update_entity_options(METER, "sensor", {"unit_of_measurement": "L"})
    await add_device(hass, account, "3424/0/1")
    await finish(hass, account)
    await compile_hour(hass, now)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert [rows[hours] for hours in (-5, -3, 0)] == [(1000, 0), (1500, 500), (1500, 500)]


async def test_stored_values_that_arrived_together_are_in_the_hours_in_which_they_were_measured(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The device reports the times with them."""
    for hours in range(1, 25):
        measured = now + (hours - 24.5) * HOUR
        onenet.onenet.report(IMEI, {VOLUME: 100 + hours, TIME: int(measured.timestamp())}, now)
    await restart(hass, meter)
    expected = {hours: (125.0 + hours, 32.0 + hours) for hours in range(-25, 0)}
    assert await rows_of(hass, METER, now, "state", "sum") == expected


async def test_hours_of_a_measurement_that_were_compiled_too_early_are_replaced(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """Their row has a single value, which was another one; a row with several values is kept."""
    onenet.onenet.report(IMEI, {TEMPERATURE: 20}, now - 5.5 * HOUR)
    await add_device(hass, account, "3303/0/5700", history_days=0)
    await finish(hass, account)
    await hass.config_entries.async_unload(account.entry_id)
    metadata = StatisticMetaData(
        has_sum=False,
        mean_type=StatisticMeanType.ARITHMETIC,
        name=None,
        source="recorder",
        statistic_id=THERMOMETER,
        unit_class="temperature",
        unit_of_measurement="°C",
    )
    flat: tuple[float, ...] = (20, 20, 20)
    rows: Rows = {**dict.fromkeys(range(-5, 0), flat), -2: (25, 20, 26)}
    found: list[StatisticData] = [
        {"start": now + hours * HOUR, "mean": mean, "min": low, "max": high}
        for hours, (mean, low, high) in rows.items()
    ]
    async_import_statistics(hass, metadata, found)
    onenet.onenet.report(IMEI, {TEMPERATURE: 30}, now - 3.5 * HOUR)
    await restart(hass, account)
    expected = rows | {-6: (20, 20, 20), -4: (25, 20, 30), -3: (30, 30, 30), -1: (30, 30, 30)}
    assert await rows_of(hass, THERMOMETER, now, "mean", "min", "max") == expected
    assert importer_of(account).summary()["rows"] == 4
    importer_of(account).async_request(IMEI, "3303/0/5700", now - 6 * HOUR)
    await settle(hass)
    assert importer_of(account).summary()["rows"] == 4


async def test_the_statistics_of_another_kind_and_a_device_that_onenet_does_not_know_are_left_alone(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """A wrong unit does not stop the jobs of others; an unknown device is tried again."""
    assert await hass.config_entries.async_setup(meter.entry_id)
    await finish(hass, meter)
    get_instance(hass).async_update_statistics_metadata(METER, new_unit_of_measurement="°C", new_unit_class=None)
    await recorded(hass)
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    assert importer_of(meter).summary() == {"waiting": 0, "values": 1, "rows": 0, "failed": {}}
    onenet.onenet.remove(IMEI)
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    assert importer_of(meter).summary() == {"waiting": 1, "values": 1, "rows": 0, "failed": {"caller": 1}}


async def test_a_resource_without_statistics_has_no_job(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """Texts and times have no history to write."""
    onenet.onenet.report(IMEI, {(3, 0, 0): "Maker", TIME: 1_700_000_000}, now - 5 * HOUR)
    await add_device(hass, account, "3/0/0", "3424/0/5518")
    await finish(hass, account)
    assert history_requests(onenet) == []


@pytest.mark.parametrize("days", [0, 2])
async def test_no_further_history_is_requested_in_normal_operation(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime, days: int
) -> None:
    """Every poll brings a newer value; after an outage, values may be missing."""
    onenet.onenet.report(IMEI, {VOLUME: 1}, now - HOUR)
    await add_device(hass, account, "3424/0/1", history_days=days)
    await finish(hass, account)
    assert history_requests(onenet) == ["3424/0/1"] * bool(days)
    for minutes in range(1, 4):
        onenet.onenet.report(IMEI, {VOLUME: 1 + minutes}, now - (40 - minutes) * timedelta(minutes=1))
        await pass_time(account, onenet, timedelta(minutes=9))
        await finish(hass, account)
    assert history_requests(onenet) == ["3424/0/1"] * bool(days)
    onenet.onenet.report(IMEI, {VOLUME: 9}, now - timedelta(minutes=1))
    await pass_time(account, onenet, timedelta(minutes=11))
    await finish(hass, account)
    assert history_requests(onenet) == ["3424/0/1"] * (1 + bool(days))


async def test_after_a_reload_the_first_newer_value_starts_a_job_wherever_it_comes_from(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """A late push of an old value does not hide the gap before the first poll."""
    assert await hass.config_entries.async_setup(meter.entry_id)
    devices = meter.runtime_data.devices
    old = Datapoint(path="3424/0/1", value=99, measured_at=now - 26 * HOUR)
    devices.update_from_push(devices.added[IMEI], [old], client_of(meter).now())
    onenet.onenet.report(IMEI, {VOLUME: 110}, now - 20 * HOUR)
    await finish(hass, meter)
    assert history_requests(onenet) == ["3424/0/1"]
    await hass.config_entries.async_unload(meter.entry_id)
    assert await hass.config_entries.async_setup(meter.entry_id)
    value = {"obj_id": 3424, "obj_inst_id": 0, "res_id": 1, "value": 111}
    devices.async_update_from_read(IMEI, [value], client_of(meter).now())
    await finish(hass, meter)
    assert history_requests(onenet) == ["3424/0/1"] * 2
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert [rows[hours] for hours in (-21, -20, -1)] == [(100, 7), (110, 17), (110, 17)]


async def test_jobs_survive_a_reload_and_a_restart_and_are_given_up_after_a_while(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """A job is attempted again later and later while OneNET does not reply; the log has a line at its beginning."""
    onenet.onenet.report(IMEI, {VOLUME: 110}, now - 20 * HOUR)
    fault = Fault(kind=FaultKind.ERRNO, errno=14, text="late", times=1000, parameter=("datastream_id", "3424_0_1"))
    onenet.faults.append(fault)
    assert await hass.config_entries.async_setup(meter.entry_id)
    await refresh(meter)
    await settle(hass)
    assert importer_of(meter).summary() == {"waiting": 1, "values": 0, "rows": 0, "failed": {"transient": 1}}
    await hass.config_entries.async_reload(meter.entry_id)
    await settle(hass)
    # The stored job is attempted when the entities are set up.
    assert importer_of(meter).summary() == {"waiting": 1, "values": 0, "rows": 0, "failed": {"transient": 1}}
    # A requested job goes first, but the job of the same resource is extended.
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    assert importer_of(meter).summary()["waiting"] == 1
    await settle(hass)
    onenet.faults.clear()
    await try_again(hass, 301)
    assert importer_of(meter).summary(IMEI) == {"waiting": 0, "values": 2, "rows": 24, "failed": {"transient": 2}}
    assert importer_of(meter).summary("another")["values"] == 0
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert "OneNET: fetching the history of 1 resources" in lines
    assert any(line.startswith("OneNET: fetched the history of 1 resources: ") for line in lines)
    onenet.faults.append(fault)
    importer_of(meter).async_request(IMEI, "3424/0/1", now - 30 * HOUR)
    await settle(hass)
    for attempt in range(1, 21):
        assert importer_of(meter).summary(IMEI)["waiting"] == 1
        await try_again(hass, attempt * 20_000)
    assert importer_of(meter).summary(IMEI)["waiting"] == 0
    assert importer_of(meter).summary(IMEI)["failed"] == {"transient": 23}


async def test_requested_jobs_go_first_one_at_a_time(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """The jobs of removed devices are left out."""
    paths = ["3303/0/5700", "3424/0/1", "3424/1/1"]
    onenet.onenet.report(IMEI, {TEMPERATURE: 1, VOLUME: 1, (3424, 1, 1): 2}, now - 2 * HOUR)
    subentry = await add_device(hass, account, *paths, history_days=0)
    await finish(hass, account)
    importer = importer_of(account)
    importer.async_request(IMEI, paths[0], now - 3 * HOUR)
    importer.async_request(IMEI, paths[1], now - 3 * HOUR)
    await settle(hass)
    assert history_requests(onenet) == paths[:2]
    importer.async_request(IMEI, paths[2], now - 3 * HOUR)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await settle(hass)
    assert importer.summary()["waiting"] == 0


async def test_the_hours_of_a_clock_that_is_behind_are_written_when_the_recorder_has_compiled_them(
    hass: HomeAssistant, meter: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """By the clock of OneNET, two further hours are over."""
    onenet.onenet.clock.offset = timedelta(hours=2)
    onenet.onenet.report(IMEI, {VOLUME: 110}, now - 3 * HOUR)
    await restart(hass, meter)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert (max(rows), rows[-1]) == (-1, (110, 17))
