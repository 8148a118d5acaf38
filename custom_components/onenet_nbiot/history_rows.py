"""Calculate hourly statistics from values with times, as Home Assistant's recorder would have compiled them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
import math
from operator import attrgetter
from typing import NamedTuple

from .values import round_float

HOUR = timedelta(hours=1)
# The recorder takes a smaller fall of an increasing total for an inaccuracy, not for a new meter.
_RESET_BELOW = 0.9
_at = attrgetter("at")


class Point(NamedTuple):
    """Hold a value in the unit of the statistics, and its time."""

    at: datetime
    value: float


class Mean(NamedTuple):
    """Hold the statistics of a measurement in an hour."""

    start: datetime
    mean: float
    min: float
    max: float


class Total(NamedTuple):
    """Hold the statistics of a total in an hour: its value at the end, and the sum of its growth until then."""

    start: datetime
    state: float
    sum: float


class Adjustment(NamedTuple):
    """Hold by how much the sums of all rows from an hour on have to be changed."""

    start: datetime
    amount: float


class Totals(NamedTuple):
    """Hold the missing rows of a total, and the adjustments of later rows.

    `is_early` is whether rows are left out because an adjustment needs a later row, which the recorder has not compiled
    yet.
    """

    rows: list[Total]
    adjustments: list[Adjustment]
    is_early: bool


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour of a time."""
    return at.replace(minute=0, second=0, microsecond=0)


def hourly_means(
    points: Sequence[Point], until: datetime, existing: Mapping[datetime, Mean], *, replaces: bool
) -> list[Mean]:
    """Return the missing rows of a measurement from the first point until the hour `until`.

    `points` are sorted, and each value is valid until the next one. If `replaces`, rows with a single value are
    replaced if the value was another one: they were compiled before it was known.
    """
    rows = []
    last = points[0]
    for hour, of_hour in _hours(points, until):
        known = [Point(max(hour, last.at), last.value), *of_hour]
        last = known[-1]
        new = Mean(
            hour,
            _time_weighted_mean(known, hour + HOUR),
            min(point.value for point in known),
            max(point.value for point in known),
        )
        row = existing.get(hour)
        if row is None or (replaces and _same(row.min, row.max) and not _same_row(row[1:], new[1:])):
            rows.append(new)
    return rows


def hourly_totals(
    points: Sequence[Point], until: datetime, existing: Mapping[datetime, Total], *, is_increasing: bool
) -> Totals:
    """Return the missing rows of a total from the first point until the hour `until`.

    `points` are sorted; the last one, which may be later, is what the recorder finds at first. `existing` are the rows
    from the last one before these hours on. Rows that repeat the one before are replaced if the total has grown
    meanwhile; others are kept. Where the sums of rows differ from their states, somebody has corrected them,
    and no growth is spread there.
    """
    result = Totals([], [], is_early=False)
    starts = sorted(existing)
    for run in _runs_to_fill(points, until, existing):
        first, end = bisect_left(starts, run[0]), bisect_right(starts, run[-1])
        before = existing[starts[first - 1]] if first else None
        after = existing[starts[end]] if end < len(starts) else None
        found = _fill_run(points, run, before, after, is_increasing=is_increasing)
        if found is None:
            result = result._replace(is_early=True)
            continue
        rows, adjustment = found
        result.rows.extend(rows)
        if adjustment is not None:
            result.adjustments.append(adjustment)
    return result


def _hours(points: Sequence[Point], until: datetime) -> Iterator[tuple[datetime, list[Point]]]:
    """Yield the hours from the first point until a time, with the points of each."""
    index, hour = 0, hour_of(points[0].at)
    while hour < until:
        first = index
        while index < len(points) and points[index].at < hour + HOUR:
            index += 1
        yield hour, list(points[first:index])
        hour += HOUR


def _time_weighted_mean(points: Sequence[Point], end: datetime) -> float:
    """Return the mean of values that are each valid until the next one, the last one until the end."""
    spans = [(two.at - one.at).total_seconds() for one, two in pairwise([*points, Point(end, 0)])]
    if not (duration := sum(spans)):
        return points[-1].value
    return round_float(sum(point.value * span for point, span in zip(points, spans, strict=True)) / duration)


def _runs_to_fill(
    points: Sequence[Point], until: datetime, existing: Mapping[datetime, Total]
) -> Iterator[list[datetime]]:
    """Yield successive hours without a row, or with one that repeats the one before although the total has grown."""
    previous = max((row for start, row in existing.items() if start < hour_of(points[0].at)), default=None)
    value = points[0].value
    run: list[datetime] = []
    for hour, of_hour in _hours(points, until):
        value = of_hour[-1].value if of_hour else value
        row = existing.get(hour)
        repeats = row is not None and previous is not None and _same_row(row[1:], previous[1:])
        if row is None or (repeats and not _same(row.state, value)):
            run.append(hour)
            continue
        if run:
            yield run
            run = []
        previous = row
    if run:
        yield run


def _fill_run(
    points: Sequence[Point], run: Sequence[datetime], before: Total | None, after: Total | None, *, is_increasing: bool
) -> tuple[list[Total], Adjustment | None] | None:
    """Return the rows of successive hours and the adjustment of later ones; None if that is not possible yet."""
    end = run[-1] + HOUR
    new = _points_after(before, points[: bisect_left(points, end, key=_at)])
    values = [point.value for point in new] or [points[0].value if before is None else before.state]
    base_state = values[0] if before is None else before.state
    grown = _growth([base_state, *values], is_increasing=is_increasing)
    # The recorder goes on with the newest value.
    end_state = points[-1].value if after is None else after.state
    real = grown + _growth([values[-1], end_state], is_increasing=is_increasing)
    adjustment = None
    if before is None:
        # The recorder starts with a sum of 0 at the first value that it finds.
        base_sum = (0 if after is None else after.sum) - real
    else:
        base_sum = before.sum
        compiled = _growth([base_state, end_state], is_increasing=is_increasing)
        if after is not None and not _same(after.sum, base_sum + compiled):
            return [], None
        if not _same(real, compiled):
            if after is None:
                return None
            adjustment = Adjustment(after.start, round_float(real - compiled))
    rows = []
    state, total, index = base_state, base_sum, 0
    for hour in run:
        while index < len(new) and new[index].at < hour + HOUR:
            total += _growth([state, new[index].value], is_increasing=is_increasing)
            state = new[index].value
            index += 1
        rows.append(Total(hour, state, round_float(total)))
    return rows, adjustment


def _points_after(before: Total | None, points: Sequence[Point]) -> Sequence[Point]:
    """Return the points that are later than the value of a row."""
    if before is None:
        return points
    first = bisect_left(points, before.start + HOUR, key=_at)
    for index in range(first - 1, -1, -1):
        if points[index].at < before.start:
            break
        if _same(points[index].value, before.state):
            return points[index + 1 :]
    return points[first:]


def _growth(values: Sequence[float], *, is_increasing: bool) -> float:
    """Return by how much a total has grown; an increasing one that falls is of a new meter, which began with 0."""
    return sum(
        after if is_increasing and after < _RESET_BELOW * before else after - before
        for before, after in pairwise(values)
    )


def _same_row(one: Sequence[float], two: Sequence[float]) -> bool:
    """Return whether two rows have the same numbers."""
    return all(_same(*pair) for pair in zip(one, two, strict=True))


def _same(one: float, two: float) -> bool:
    """Return whether two numbers are the same but for rounding."""
    return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-6)
