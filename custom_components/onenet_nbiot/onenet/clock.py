"""Beijing wall clock, the only time that OneNET's requests know, and aware datetimes."""

from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Beijing")


def to_wire(moment: datetime) -> str:
    """Return an aware datetime as `YYYY-MM-DDTHH:MM:SS` in Beijing.

    Raise ValueError for a naive datetime: nobody can tell what it means. A fraction of a second is cut off, as the
    platform takes none. Source: "Cached command: read device resources".
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(BEIJING).replace(tzinfo=None).isoformat(timespec="seconds")
