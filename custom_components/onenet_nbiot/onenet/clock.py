"""Convert between aware datetimes and OneNET's times, which are in Beijing's time zone or Unix times."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
import re

BEIJING = timezone(timedelta(hours=8), "Beijing")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,:](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
# The format of command logs; CST is China Standard Time.
_LOG = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} \d\d? \d\d:\d\d:\d\d) (?:CST|GMT\+08:?00) (\d{4})", re.ASCII)
_DIGITS = re.compile(r"\d{9,14}", re.ASCII)
# Unix times above this are in milliseconds.
_SECONDS_MAX = 10**11


def to_wire(moment: datetime) -> str:
    """Return an aware datetime as `YYYY-MM-DDTHH:MM:SS` in Beijing's time zone, without fractions of a second.

    Raise ValueError for a naive datetime. Source: "Cached command: read device resources".
    """
    _require_zone(moment)
    return moment.astimezone(BEIJING).replace(tzinfo=None).isoformat(timespec="seconds")


def to_unix(moment: datetime) -> int:
    """Return an aware datetime as Unix time in whole seconds; raise ValueError for a naive datetime."""
    _require_zone(moment)
    return int(moment.timestamp())


def to_unix_ms(moment: datetime) -> int:
    """Return an aware datetime as Unix time in milliseconds; raise ValueError for a naive datetime."""
    _require_zone(moment)
    return int(moment.timestamp() * 1000)


def from_unix(seconds: float) -> datetime:
    """Return a Unix time in seconds as a datetime in UTC.

    Raise OverflowError, OSError or ValueError for a number that is not a time.
    """
    return datetime.fromtimestamp(seconds, UTC)


def from_wire(value: object) -> datetime:
    """Return a time from a reply as an aware datetime in UTC.

    Formats are `YYYY-MM-DD HH:MM:SS`, optionally with `T`, a fraction after a point, comma or colon, and a time zone
    (default Beijing); `Wed Dec 02 09:02:24 CST 2020`; and Unix time in seconds or milliseconds, as a number or a
    string. Raise ValueError for any other value, and for values that mean never: an empty string, a Unix time of 0, or
    the first or last year. Sources: "View the list of a device's cached commands", "View data points", "Full-link log
    of a cached command", "Device list".
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_wire_unix(value)
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not a time")  # noqa: TRY004 - one error for all invalid values
    text = value.strip()
    if match := _ISO.fullmatch(text):
        day, time, fraction, zone = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6].ljust(6, '0')}{(zone or '').upper()}")
        return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=BEIJING))
    if match := _LOG.fullmatch(text):
        moment = datetime.strptime(" ".join(match.groups()), "%b %d %H:%M:%S %Y")  # noqa: DTZ007 - the zone follows
        return _in_utc(moment.replace(tzinfo=BEIJING))
    if _DIGITS.fullmatch(text):
        return _from_wire_unix(int(text))
    raise ValueError(f"{text[:40]!r} is not a time")


def from_header(text: str) -> datetime:
    """Return the value of a `Date` header as an aware datetime in UTC; raise ValueError if it is invalid."""
    moment = parsedate_to_datetime(text)
    # For the zone -0000, which is UTC, Python returns a naive datetime.
    return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def same_second(one: datetime, other: datetime) -> bool:
    """Return whether two times are in the same second; OneNET adds milliseconds to times that it received."""
    return one.replace(microsecond=0) == other.replace(microsecond=0)


def _require_zone(moment: datetime) -> None:
    """Raise ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")


def _from_wire_unix(value: float) -> datetime:
    """Return a Unix time, in seconds or milliseconds, as a datetime in UTC; raise ValueError if it is invalid."""
    try:
        moment = from_unix(value if abs(value) < _SECONDS_MAX else value / 1000)
    except (OverflowError, OSError) as err:
        raise ValueError(f"{value} is not a time") from err
    if value <= 0:
        raise ValueError(f"{value} means never")
    return moment


def _in_utc(moment: datetime) -> datetime:
    """Convert an aware datetime to UTC; raise ValueError for the first and the last year, which mean never."""
    # These years are also at the limits of datetime, so that a conversion could overflow.
    if moment.year in (MINYEAR, MAXYEAR):
        raise ValueError(f"{moment} means never")
    return moment.astimezone(UTC)
