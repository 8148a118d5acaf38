"""Beijing wall clock, the only time that OneNET's requests know, and aware datetimes."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
import re

BEIJING = timezone(timedelta(hours=8), "Beijing")
_LOG = "%a %b %d %H:%M:%S CST %Y"
_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.:](\d{1,6}))?", re.ASCII)


def to_wire(moment: datetime) -> str:
    """Return an aware datetime as `YYYY-MM-DDTHH:MM:SS` in Beijing.

    Raise ValueError for a naive datetime: nobody can tell what it means. A fraction of a second is cut off, as the
    platform takes none. Source: "Cached command: read device resources".
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(BEIJING).replace(tzinfo=None).isoformat(timespec="seconds")


def from_wire(text: str) -> datetime:
    """Return Beijing wall clock in any of the forms that replies have as an aware datetime in UTC.

    These are `YYYY-MM-DD HH:MM:SS`, also with `T` in the middle, and with `.SSS` or `:SSS` at the end, and in logs
    `Wed Dec 02 09:02:24 CST 2020`. Raise ValueError for anything else. Sources: "View the list of a device's cached
    commands", "View data points", "Full-link log of a cached command".
    """
    if match := _WIRE.fullmatch(text.strip()):
        day, time, fraction = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0').ljust(6, '0')}")
    else:
        moment = datetime.strptime(text.strip(), _LOG)  # noqa: DTZ007 - CST is China's, no zone that Python knows
    return _in_utc(moment.replace(tzinfo=BEIJING))


def from_header(text: str) -> datetime:
    """Return the text of a `Date` header as an aware datetime in UTC. Raise ValueError for anything else."""
    moment = parsedate_to_datetime(text)
    # "-0000" makes it a naive one, and means UTC all the same.
    return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _in_utc(moment: datetime) -> datetime:
    """Return an aware datetime in UTC. Raise ValueError for what stands for "never"."""
    # It leaves no room for time zones.
    if moment.year in (MINYEAR, MAXYEAR):
        raise ValueError(f"{moment} is no time that anything happens at")
    return moment.astimezone(UTC)
