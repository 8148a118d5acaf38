"""Write the history of a sensor into its statistics in Home Assistant's recorder.

This module requires the recorder, and is only imported if it is set up.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from homeassistant.components.recorder.const import DOMAIN as RECORDER_DOMAIN
from homeassistant.components.recorder.models import StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import BaseUnitConverter

from .history import Sensor
from .history_rows import Mean, Point, Total, hour_of, hourly_means, hourly_totals
from .values import round_float

# Rows before a gap are usually this near.
_NEAR = timedelta(days=2)
# The recorder begins to compile an hour 10 seconds after its end.
_COMPILED_AFTER = timedelta(seconds=20)
_BEGINNING = dt_util.utc_from_timestamp(0)


async def async_fill_statistics(
    hass: HomeAssistant, sensor: Sensor, points: Sequence[Point], until: datetime, *, replaces: bool
) -> int | None:
    """Write the missing rows of a sensor from the first point until the hour `until`, and return their number.

    `points` are sorted, in the native unit. `replaces` is as in `hourly_means`. Return None if it is too early: call it
    again when the recorder has compiled the hour `until`. Raise ValueError if the unit of the statistics is not
    convertible.
    """
    recorder = get_instance(hass)
    # It compiles an hour shortly after its end, by the local clock, and must find no row of this hour.
    now = dt_util.utcnow()
    until = min(until, hour_of(now))
    await asyncio.sleep(max(0, (hour_of(now) + _COMPILED_AFTER - now).total_seconds()))
    # After a start, it first compiles the hours in which Home Assistant was not running.
    recorder.queue_task(SynchronizeTask(idle := hass.loop.create_future()))
    await idle
    known = await recorder.async_add_executor_job(lambda: get_metadata(hass, statistic_ids={sensor.entity_id}))
    metadata = known[sensor.entity_id][1] if sensor.entity_id in known else _new_metadata(sensor)
    if metadata["has_sum"] is not sensor.is_total:
        raise ValueError("The statistics are of another kind")
    points = _converted(points, sensor, metadata)
    rows = await recorder.async_add_executor_job(_existing, hass, metadata, hour_of(points[0].at))
    adjustments = []
    is_early = False
    if sensor.is_total:
        existing = {row.start: row for row in rows if isinstance(row, Total)}
        is_increasing = sensor.state_class is SensorStateClass.TOTAL_INCREASING
        found = await hass.async_add_executor_job(
            lambda: hourly_totals(points, until, existing, is_increasing=is_increasing)
        )
        new: Sequence[Mean | Total] = found.rows
        adjustments, is_early = found.adjustments, found.is_early
    else:
        means = {row.start: row for row in rows if isinstance(row, Mean)}
        new = await hass.async_add_executor_job(lambda: hourly_means(points, until, means, replaces=replaces))
    if new:
        async_import_statistics(hass, metadata, cast("Any", [row._asdict() for row in new]))
    for adjustment in adjustments:
        unit = metadata["unit_of_measurement"]
        recorder.async_adjust_statistics(sensor.entity_id, adjustment.start, adjustment.amount, cast("str", unit))
    return None if is_early else len(new)


def _new_metadata(sensor: Sensor) -> StatisticMetaData:
    """Return the metadata with which the recorder will begin the statistics of a sensor."""
    converter = _converter(sensor)
    return StatisticMetaData(
        has_sum=sensor.is_total,
        mean_type=StatisticMeanType.NONE if sensor.is_total else StatisticMeanType.ARITHMETIC,
        name=None,
        source=RECORDER_DOMAIN,
        statistic_id=sensor.entity_id,
        unit_class=converter.UNIT_CLASS if converter else None,
        unit_of_measurement=sensor.state_unit,
    )


def _converter(sensor: Sensor) -> type[BaseUnitConverter] | None:
    """Return the converter for the unit of a sensor, None without one."""
    converter = UNIT_CONVERTERS.get(cast("SensorDeviceClass", sensor.device_class))
    if converter is not None and sensor.state_unit in converter.VALID_UNITS:
        return converter
    return STATISTIC_UNIT_TO_UNIT_CONVERTER.get(sensor.state_unit)


def _converted(points: Sequence[Point], sensor: Sensor, metadata: StatisticMetaData) -> Sequence[Point]:
    """Return points in the unit of the statistics; raise ValueError if that is not possible."""
    unit = metadata["unit_of_measurement"]
    if unit == sensor.native_unit:
        return points
    converter = _converter(sensor)
    if converter is None or not {unit, sensor.native_unit} <= converter.VALID_UNITS:
        raise ValueError("The statistics have another unit")
    convert = converter.converter_factory(sensor.native_unit, unit)
    return [Point(point.at, round_float(convert(point.value))) for point in points]


def _existing(hass: HomeAssistant, metadata: StatisticMetaData, first: datetime) -> list[Mean | Total]:
    """Return the rows of a sensor in the unit of its statistics: from the last one before an hour on."""
    entity_id, unit, unit_class = metadata["statistic_id"], metadata["unit_of_measurement"], metadata["unit_class"]
    for start in (first - _NEAR, _BEGINNING):
        found = statistics_during_period(
            hass,
            start,
            None,
            {entity_id},
            "hour",
            {unit_class: unit} if unit_class and unit else None,
            {"mean", "min", "max", "state", "sum"},
        ).get(entity_id, [])
        rows = [row for part in found if (row := _row(part)) is not None]
        if any(row.start < first for row in rows):
            break
    return rows


def _row(found: Mapping[str, Any]) -> Mean | Total | None:
    """Return a row of the recorder, None if it is incomplete."""
    start = dt_util.utc_from_timestamp(found["start"])
    for kind in (Mean, Total):
        values: list[Any] = [found.get(name) for name in kind._fields[1:]]
        if None not in values:
            return kind(start, *values)
    return None
