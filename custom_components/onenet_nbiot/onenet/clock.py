"""Beijing wall clock, the only time that OneNET's requests know, and aware datetimes."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
import re

BEIJING = timezone(timedelta(hours=8), "Beijing")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,:](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
# The log's: CST stands for China Standard Time.
_LOG = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} \d\d? \d\d:\d\d:\d\d) (?:CST|GMT\+08:?00) (\d{4})", re.ASCII)
_DIGITS = re.compile(r"\d{9,14}", re.ASCII)
# A Unix time of more is in milliseconds.
_SECONDS_MAX = 10**11


def to_wire(moment: datetime) -> str:
    """Return an aware datetime as `YYYY-MM-DDTHH:MM:SS` in Beijing.

    Raise ValueError for a naive datetime. A fraction of a second is cut off, as the platform takes none. Source:
    "Cached command: read device resources".
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(BEIJING).replace(tzinfo=None).isoformat(timespec="seconds")


def from_wire(value: object) -> datetime:
    """Return a time of a reply as an aware datetime in UTC.

    It is `YYYY-MM-DD HH:MM:SS`, also with `T`, with a fraction behind a point or a colon, and with a zone (Beijing
    without one); `Wed Dec 02 09:02:24 CST 2020` in logs; or Unix time in seconds or milliseconds. Raise ValueError for
    anything else and for what means never: empty, year 0 and year 1. Sources: "View the list of a device's cached
    commands", "View data points", "Full-link log of a cached command", "Device list".
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_unix(value)
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not a time")  # noqa: TRY004 - one error for all that cannot be read
    text = value.strip()
    if match := _ISO.fullmatch(text):
        day, time, fraction, zone = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6].ljust(6, '0')}{(zone or '').upper()}")
        return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=BEIJING))
    if match := _LOG.fullmatch(text):
        moment = datetime.strptime(" ".join(match.groups()), "%b %d %H:%M:%S %Y")  # noqa: DTZ007 - the zone follows
        return _in_utc(moment.replace(tzinfo=BEIJING))
    if _DIGITS.fullmatch(text):
        return _from_unix(int(text))
    raise ValueError(f"{text[:40]!r} is not a time")


def from_header(text: str) -> datetime:
    """Return the text of a `Date` header as an aware datetime in UTC. Raise ValueError for anything else."""
    moment = parsedate_to_datetime(text)
    # "-0000" makes it a naive one, and means UTC all the same.
    return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def same_second(one: datetime, other: datetime) -> bool:
    """Return whether two times are equal to the platform, which adds milliseconds of its own."""
    return one.replace(microsecond=0) == other.replace(microsecond=0)


def _from_unix(value: float) -> datetime:
    """Return Unix time, in seconds or milliseconds, as an aware datetime in UTC. Raise ValueError for no such time."""
    try:
        moment = datetime.fromtimestamp(value if abs(value) < _SECONDS_MAX else value / 1000, UTC)
    except (OverflowError, OSError) as err:
        raise ValueError(f"{value} is not a time") from err
    if value <= 0:
        raise ValueError(f"{value} means never")
    return moment


def _in_utc(moment: datetime) -> datetime:
    """Return an aware datetime in UTC. Raise ValueError for what stands for "never"."""
    # The first and the last year leave no room for time zones.
    if moment.year in (MINYEAR, MAXYEAR):
        raise ValueError(f"{moment} means never")
    return moment.astimezone(UTC)
