"""Find when values were measured: an object may report that in a resource of the same instance, with the value."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from .onenet.models import Datapoint
from .values import parse_time

# The resource "Timestamp" of the objects of the IPSO Alliance.
_TIMESTAMP = "5518"
_AGE_MAX = timedelta(days=365)


def timestamp_path(path: str) -> str:
    """Return the path of the resource that contains when a resource of the same instance was measured."""
    return f"{path.rpartition('/')[0]}/{_TIMESTAMP}"


def with_timestamps(datapoints: Iterable[Datapoint]) -> list[Datapoint]:
    """Return the datapoints of a device, in the same order, with the times that arrived together with them.

    Of several values of a resource that arrived together, the first one belongs to the first time. A time in the
    future, or of a year ago, is that of a wrong clock.
    """
    datapoints = list(datapoints)
    timestamps: defaultdict[tuple[str, datetime], list[datetime | None]] = defaultdict(list)
    for datapoint in datapoints:
        if datapoint.path == timestamp_path(datapoint.path):
            timestamps[_key(datapoint.path, datapoint)].append(_plausible(datapoint))
    if not timestamps:
        return datapoints
    counts = Counter(_key(datapoint.path, datapoint) for datapoint in datapoints)
    used: Counter[tuple[str, datetime]] = Counter()
    found = []
    for datapoint in datapoints:
        key = _key(datapoint.path, datapoint)
        times = timestamps.get(_key(timestamp_path(datapoint.path), datapoint), [])
        if len(times) == counts[key] and (timestamp := times[used[key]]) is not None:
            found.append(replace(datapoint, timestamp=timestamp))
        else:
            found.append(datapoint)
        used[key] += 1
    return found


def _key(path: str, datapoint: Datapoint) -> tuple[str, datetime]:
    """Return a path and the second in which a datapoint arrived."""
    return path, datapoint.measured_at.replace(microsecond=0)


def _plausible(datapoint: Datapoint) -> datetime | None:
    """Return the time that is the value of a datapoint, None if the value cannot have been measured then."""
    timestamp = parse_time(datapoint.value)
    if timestamp is None or not datapoint.measured_at - _AGE_MAX <= timestamp <= datapoint.measured_at:
        return None
    return timestamp
