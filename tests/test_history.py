"""The history that OneNET kept, in the statistics of Home Assistant's recorder."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.history import HistoryImporter
from custom_components.onenet_nbiot.history_rows import hour_of

from .common import EVERY_PLATFORM, IMEI, add_device, refresh, run_with
from .emulator import Device, Server

HOUR = timedelta(hours=1)
VOLUME, TEMPERATURE = (3424, 0, 1), (3303, 0, 5700)
METER, THERMOMETER = "sensor.water_meter_water_volume", "sensor.water_meter_temperature"

variant = run_with(EVERY_PLATFORM)

type Rows = dict[int, tuple[float, ...]]


@pytest.fixture(autouse=True)
def _custom_integration(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration after the recorder."""


@pytest.fixture
def now() -> datetime:
    """Return the beginning of the current hour."""
    return hour_of(datetime.now(UTC))


def importer_of(account: MockConfigEntry) -> HistoryImporter:
    """Return the importer of an account."""
    importer: HistoryImporter = account.runtime_data.history
    return importer


async def finish(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Poll, and wait until the history is in the statistics."""
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not importer_of(account).summary()["waiting"]
    await get_instance(hass).async_block_till_done()


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


async def test_a_day_without_home_assistant_has_a_row_for_every_hour(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """The growth of the meter is where it happened, and the sum goes on from the last row."""
    onenet.onenet.report(IMEI, {VOLUME: 100}, now - 25 * HOUR)
    await add_device(hass, account, "3424/0/1", history_days=0)
    await finish(hass, account)
    assert await rows_of(hass, METER, now, "state", "sum") == {}
    store_rows(hass, METER, now, {-25: (100, 7)})
    await hass.config_entries.async_unload(account.entry_id)
    for hours in range(1, 25):
        onenet.onenet.report(IMEI, {VOLUME: 100 + hours}, now + (hours - 24.5) * HOUR)
    assert await hass.config_entries.async_setup(account.entry_id)
    await finish(hass, account)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert rows == {hours: (125.0 + hours, 32.0 + hours) for hours in range(-25, 0)}


async def test_a_new_device_brings_its_past_of_the_days_in_its_dialog(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, now: datetime
) -> None:
    """The sums end with 0, with which the recorder begins; measurements have their mean."""
    for hours in range(1, 100):
        onenet.onenet.report(IMEI, {VOLUME: 200 - hours, TEMPERATURE: hours % 24}, now - (hours - 0.5) * HOUR)
    await add_device(hass, account, "3424/0/1", "3303/0/5700", history_days=3)
    await finish(hass, account)
    rows = await rows_of(hass, METER, now, "state", "sum")
    assert min(rows) in (-72, -73)
    assert {rows[hours] for hours in (-1, -2, -70)} == {(199, 0), (198, -1), (130, -69)}
    means = await rows_of(hass, THERMOMETER, now, "mean", "min", "max")
    assert means[-1] == (1.5, 1, 2)
    known = await get_instance(hass).async_add_executor_job(lambda: get_metadata(hass, statistic_ids={METER}))
    assert known[METER][1]["unit_class"] == "volume"
