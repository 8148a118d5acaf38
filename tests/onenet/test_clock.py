"""Tests of the conversion of times."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.onenet_nbiot.onenet import clock


@pytest.mark.parametrize(
    ("moment", "wire"),
    [
        (datetime(2026, 12, 31, 20, 0, tzinfo=UTC), "2027-01-01T04:00:00"),
        (datetime(2026, 7, 1, 12, 0, 5, 999999, tzinfo=UTC), "2026-07-01T20:00:05"),
        # The repeated hour at the end of daylight saving time in Berlin.
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T08:30:00"),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T09:30:00"),
        # OneNET ignores China's daylight saving time, which ended in 1991.
        (datetime(1990, 7, 1, tzinfo=UTC), "1990-07-01T08:00:00"),
    ],
)
def test_to_wire_converts_to_beijing_time(moment: datetime, wire: str) -> None:
    """`to_wire` converts to Beijing time."""
    assert clock.to_wire(moment) == wire


@pytest.mark.parametrize("convert", [clock.to_wire, clock.to_unix, clock.to_unix_ms])
def test_a_naive_datetime_is_rejected(convert: Callable[[datetime], object]) -> None:
    """A naive datetime is rejected."""
    with pytest.raises(ValueError, match="no time zone"):
        convert(datetime(2026, 1, 1))  # noqa: DTZ001 - the invalid value under test


def test_unix_times_are_in_seconds_or_milliseconds() -> None:
    """Unix times are in whole seconds or in milliseconds."""
    moment = datetime(2020, 12, 2, 1, 2, 24, 500_000, tzinfo=UTC)
    assert clock.to_unix(moment) == 1_606_870_944
    assert clock.to_unix_ms(moment) == 1_606_870_944_500
    assert clock.from_unix(1_606_870_944.5) == moment


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_from_header_returns_a_time_in_utc(zone: str) -> None:
    """`from_header` returns a time in UTC."""
    moment = datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)
    assert clock.from_header(f"Wed, 02 Dec 2020 01:02:24 {zone}") == moment


@pytest.mark.parametrize("text", ["", "yesterday", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_from_header_rejects_an_invalid_date(text: str) -> None:
    """`from_header` rejects an invalid date."""
    with pytest.raises(ValueError, match=r".+"):
        clock.from_header(text)
