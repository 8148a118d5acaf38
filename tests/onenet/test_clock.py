"""Beijing wall clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.onenet_nbiot.onenet import clock


@pytest.mark.parametrize(
    ("moment", "wire"),
    [
        (datetime(2026, 12, 31, 20, 0, tzinfo=UTC), "2027-01-01T04:00:00"),
        (datetime(2026, 7, 1, 12, 0, 5, 999999, tzinfo=UTC), "2026-07-01T20:00:05"),
        # The hour that clocks in Berlin show twice is two hours in Beijing.
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T08:30:00"),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25T09:30:00"),
        # Beijing's own daylight saving time ended in 1991; the platform never had it.
        (datetime(1990, 7, 1, tzinfo=UTC), "1990-07-01T08:00:00"),
    ],
)
def test_a_moment_is_told_by_beijings_wall_clock(moment: datetime, wire: str) -> None:
    """A command would wait hours too long, or be dropped at once."""
    assert clock.to_wire(moment) == wire


def test_a_time_without_a_zone_is_refused() -> None:
    """Somebody would have to guess what it means."""
    with pytest.raises(ValueError, match="no time zone"):
        clock.to_wire(datetime(2026, 1, 1))  # noqa: DTZ001 - the fault that is tested


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_reply_tells_its_time_in_utc(zone: str) -> None:
    """The platform's time would be taken for that of the computer's own zone."""
    moment = datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC)
    assert clock.from_header(f"Wed, 02 Dec 2020 01:02:24 {zone}") == moment


@pytest.mark.parametrize("text", ["", "yesterday", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_date_that_is_none_is_told(text: str) -> None:
    """A time that is reckoned from it would be too late to be held."""
    with pytest.raises(ValueError, match=r".+"):
        clock.from_header(text)
