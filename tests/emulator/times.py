"""The platform's clock, and the forms in which its replies print a time."""

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


class Clock:
    """The platform's time, which a test can move."""

    def __init__(self) -> None:
        """Start at the real time."""
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC) + self.offset


def printed(moment: datetime, separator: str = "") -> str:
    """Return Beijing wall clock time, with milliseconds where a separator is given."""
    local = moment.astimezone(BEIJING)
    text = local.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}{separator}{local.microsecond // 1000:03}" if separator else text


def iso(moment: datetime) -> str:
    """Return an ISO 8601 time with milliseconds and the zone."""
    return moment.astimezone(BEIJING).isoformat(timespec="milliseconds")


def cst(moment: datetime) -> str:
    """Return a time in the form of the log, with CST for China Standard Time."""
    return moment.astimezone(BEIJING).strftime("%a %b %d %H:%M:%S CST %Y")


def milliseconds(moment: datetime) -> int:
    """Return Unix time in milliseconds."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
