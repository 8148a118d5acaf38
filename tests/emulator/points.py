"""Newest values and the history of values, in the form of both platforms."""

from collections.abc import Mapping
from datetime import datetime, timedelta
import re
from typing import Any

from .call import Call
from .device import Device, as_json
from .generation import Generation
from .parameters import direction, moment, whole
from .refusals import invalid
from .times import milliseconds, printed

LIMIT_MAX = 6000
_KEPT = timedelta(days=365)
_CURSOR = re.compile(r"(\d{1,9})_(\d+)_\d+", re.ASCII)

type _Point = tuple[datetime, str, Any]


def newest(call: Call, device: Device) -> list[dict[str, Any]]:
    """Return the newest value of every datastream of a device."""
    return [
        {"id": _stream(path), "at": printed(at, "."), "value": _value(call, value)}
        for path, (value, at) in device.datapoints.items()
    ]


def history(call: Call, device: Device) -> dict[str, Any]:
    """Return one page of the reported values of a device."""
    found = _found(call.query, device, call.onenet.clock.now())
    start = _offset(call.query, device)
    end = start + whole(call.query, "limit", 100, 1, LIMIT_MAX)
    streams: dict[str, list[dict[str, Any]]] = {}
    for at, stream, value in found[start:end]:
        streams.setdefault(stream, []).append(_point(call, at, value))
    cursor = {"cursor": f"{end}_{device.id}_{milliseconds(found[end][0])}"} if end < len(found) else {}
    # Samples of the legacy platform count points, recordings of the current one streams.
    count = len(found[start:end]) if call.generation is Generation.LEGACY else len(streams)
    datastreams = [{"id": stream, "datapoints": points} for stream, points in streams.items()]
    return cursor | {"count": count, "datastreams": datastreams}


def _found(query: Mapping[str, str], device: Device, now: datetime) -> list[_Point]:
    """Return the points that a query selects, in its order."""
    period = _period(query, now)
    wanted = query["datastream_id"].split(",") if query.get("datastream_id") else None
    found: list[_Point] = []
    for path, points in device.points.items():
        stream = _stream(path)
        if wanted is None or stream in wanted:
            every = [(at, stream, value) for value, at in points if now - at < _KEPT]
            if period is None:
                found += [max(every, key=_time)] if every else []
            else:
                found += [point for point in every if period[0] <= point[0] <= period[1]]
    found.sort(key=_time)
    return found[::-1] if direction(query, "ASC") else found


def _period(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment of a query, or None for the newest points."""
    start = moment(query, "start") if "start" in query else None
    end = moment(query, "end") if "end" in query else now
    duration = timedelta(seconds=whole(query, "duration", maximum=2**31)) if "duration" in query else None
    if start is None:
        # An end without a start is ignored.
        return (now - duration, now) if duration else None
    if duration:
        return start, start + duration
    # So is an end more than a year after the start.
    return start, end if end - start <= _KEPT else now


def _offset(query: Mapping[str, str], device: Device) -> int:
    """Return the number of points before the page that a query asks for."""
    if "cursor" not in query:
        return 0
    cursor = _CURSOR.fullmatch(query["cursor"])
    if not cursor or cursor[2] != str(device.id):
        raise invalid("cursor")
    return int(cursor[1])


def _point(call: Call, at: datetime, value: Any) -> dict[str, Any]:
    """Return a point in the form of the call's platform."""
    if call.generation is Generation.LEGACY:
        return {"at": printed(at, "."), "value": as_json(value)}
    return {"at": printed(at), "at_timestamp": milliseconds(at), "value": _value(call, value)}


def _value(call: Call, value: Any) -> Any:
    """Return a value; the current platform has opaque values in hex."""
    return as_json(value, in_hex=call.generation is Generation.CURRENT)


def _stream(path: tuple[int, int, int]) -> str:
    """Return the id of the datastream of a resource."""
    return "_".join(map(str, path))


def _time(point: _Point) -> datetime:
    """Return the time of a point."""
    return point[0]
