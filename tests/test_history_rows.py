"""Hourly statistics that are calculated from values with times."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.onenet_nbiot.history_rows import Adjustment, Mean, Point, Total, hourly_means, hourly_totals

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def points(*values: tuple[float, float]) -> list[Point]:
    """Return points from hours after noon and values."""
    return [Point(NOON + hours * HOUR, value) for hours, value in values]


def totals(*rows: tuple[int, float, float]) -> dict[datetime, Total]:
    """Return rows from hours after noon, states and sums."""
    return {NOON + hours * HOUR: Total(NOON + hours * HOUR, state, total) for hours, state, total in rows}


def fill(
    existing: dict[datetime, Total], values: list[Point], until: int, *, is_increasing: bool = True
) -> dict[int, tuple[float, float]]:
    """Return the states and sums of the missing rows by hours after noon, which need no adjustment."""
    found = hourly_totals(values, NOON + until * HOUR, existing, is_increasing=is_increasing)
    assert not found.is_early
    assert not found.adjustments
    return {(row.start - NOON) // HOUR: (row.state, row.sum) for row in found.rows}


def test_the_mean_of_an_hour_is_weighted_by_time() -> None:
    """A value is valid until the next one, also in the hours that follow."""
    rows = hourly_means(points((0.5, 10), (1.25, 20), (3.5, 0)), NOON + 4 * HOUR, {}, replaces=True)
    assert rows == [
        Mean(NOON, 10, 10, 10),
        Mean(NOON + HOUR, 17.5, 10, 20),
        Mean(NOON + 2 * HOUR, 20, 20, 20),
        Mean(NOON + 3 * HOUR, 10, 0, 20),
    ]


def test_a_row_of_a_measurement_is_kept_unless_it_was_compiled_before_the_value_was_known() -> None:
    """Such a row has a single value. It is only replaced where a gap is filled."""
    existing = {
        NOON + hours * HOUR: Mean(NOON + hours * HOUR, mean, low, high)
        for hours, mean, low, high in ((1, 10, 10, 10), (2, 15, 10, 20), (3, 20, 20, 20))
    }
    values = points((0, 10), (1.5, 20))
    filled = hourly_means(values, NOON + 4 * HOUR, existing, replaces=True)
    assert filled == [Mean(NOON, 10, 10, 10), Mean(NOON + HOUR, 15, 10, 20)]
    assert hourly_means(values, NOON + 4 * HOUR, existing, replaces=False) == [Mean(NOON, 10, 10, 10)]


def test_a_total_is_spread_over_the_hours_in_which_it_grew() -> None:
    """The sum goes on from the last row, and the recorder's later sums stay right."""
    existing = totals((-1, 100, 7))
    assert fill(existing, points((-0.5, 100), (0.2, 101), (0.7, 102), (2.5, 105)), 4) == {
        0: (102, 9),
        1: (102, 9),
        2: (105, 12),
        3: (105, 12),
    }


def test_rows_that_repeat_the_last_one_are_replaced_and_others_are_kept() -> None:
    """They stand for the jump at the end, which the recorder has compiled in the hour of the last row."""
    existing = totals((0, 100, 7), (1, 100, 7), (2, 100, 7), (3, 104, 11), (4, 104, 11))
    values = points((0.5, 100), (1.5, 103), (3.5, 104))
    assert fill(existing, values, 5) == {1: (103, 10), 2: (103, 10)}


def test_nothing_is_written_twice() -> None:
    """The filled rows are no gap any more."""
    existing = totals((0, 100, 7), (4, 104, 11))
    values = points((0.5, 100), (1.5, 103), (3.5, 104))
    first = hourly_totals(values, NOON + 4 * HOUR, existing, is_increasing=True)
    assert [row.sum for row in first.rows] == [10, 10, 11]
    again = existing | {row.start: row for row in first.rows}
    assert fill(again, values, 4) == {}


@pytest.mark.parametrize("corrected", [3, 4])
def test_the_correction_of_a_jump_is_kept(corrected: int) -> None:
    """The corrected row is that of the hour of the jump, or one before it."""
    sums = {3: (7, 11 - 4), 4: (7, 7)}
    existing = totals((0, 100, 7), (3, 100, sums[corrected][0] - 4 * (corrected == 3)), (4, 104, sums[corrected][1]))
    values = points((0.5, 100), (1.5, 103), (3.5, 104))
    assert fill(existing, values, 4) == {}


def test_a_correction_of_a_filled_hour_is_kept() -> None:
    """The rows after it are shifted with it."""
    existing = totals((0, 100, 7), (1, 103, 10), (2, 103, 60), (3, 104, 61), (4, 104, 61))
    assert fill(existing, points((0.5, 100), (1.5, 103), (3.5, 104)), 4) == {}


def test_the_sums_of_a_new_device_begin_with_0_and_those_that_the_recorder_has_compiled_are_raised() -> None:
    """The recorder has started with 0 at the first value that it has found; the first sum is shown as growth."""
    values = points((0.5, 100), (1.5, 103), (2.5, 104))
    for existing in ({}, totals((3, 105, 1))):
        found = hourly_totals(values, NOON + 3 * HOUR, existing, is_increasing=True)
        assert [(row.state, row.sum) for row in found.rows] == [(100, 0), (103, 3), (104, 4)]
        assert found.adjustments == [Adjustment(NOON + 3 * HOUR, 4)]
        assert (found.is_early, found.is_beginning) == (False, not existing)


def test_a_meter_that_was_exchanged_before_the_device_was_added_has_its_growth_in_both_parts() -> None:
    """The new meter begins with 0."""
    found = hourly_totals(points((0.5, 100), (1.5, 110), (2.5, 3)), NOON + 3 * HOUR, {}, is_increasing=True)
    assert [(row.state, row.sum) for row in found.rows] == [(100, 0), (110, 10), (3, 13)]


def test_a_meter_that_was_exchanged_in_a_gap_needs_an_adjustment_of_later_rows() -> None:
    """The recorder only knows the last value of the old meter that it found, and the first one of the new meter."""
    before, values = totals((0, 100, 7)), points((0.5, 100), (1.5, 110), (2.5, 3))
    early = hourly_totals(values, NOON + 3 * HOUR, before, is_increasing=True)
    assert (early.rows, early.is_early) == ([], True)
    found = hourly_totals(values, NOON + 3 * HOUR, before | totals((3, 4, 11)), is_increasing=True)
    assert [(row.state, row.sum) for row in found.rows] == [(110, 17), (3, 20)]
    assert found.adjustments == [Adjustment(NOON + 3 * HOUR, 10)]


def test_a_total_that_may_fall_has_negative_growth() -> None:
    """It is not an increasing one."""
    values = points((0.5, 100), (1.5, 50), (2.5, 60))
    assert fill(totals((0, 100, 7)), values, 3, is_increasing=False) == {1: (50, -43), 2: (60, -33)}


def test_values_before_the_state_of_the_last_row_are_not_counted_again() -> None:
    """A new meter's first values may differ by more than the recorder takes for an inaccuracy."""
    values = points((0.2, 4), (0.6, 5), (1.5, 6))
    assert fill(totals((0, 5, 40)), values, 2) == {1: (6, 41)}
    assert fill(totals((-1, 3, 38), (0, 4.5, 39.5)), values, 2) == {1: (6, 41)}
