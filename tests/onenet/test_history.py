"""The history of the values of a resource, whatever the pages of OneNET are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import aiohttp
import pytest

from custom_components.onenet_nbiot.onenet.auth import AccessKey, ApiKey
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.errors import OneNetError, UnknownDeviceError
from custom_components.onenet_nbiot.onenet.platforms import CURRENT
from tests.common import ACCESS_KEY, IMEI, KEY, PRODUCT_ID
from tests.emulator import Device, Fault, FaultKind, Server

TEMPERATURE = (3303, 0, 5700)
SECOND = timedelta(seconds=1)
START = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


@pytest.fixture(params=["legacy", "current"])
def client(request: pytest.FixtureRequest, session: aiohttp.ClientSession, onenet: Server) -> OneNetClient:
    """Return a client of each platform."""
    if request.param == "legacy":
        return OneNetClient(session, ApiKey(KEY), base_url=onenet.url)
    key = AccessKey(f"products/{PRODUCT_ID}", ACCESS_KEY)
    return OneNetClient(session, key, base_url=onenet.url, platform=CURRENT, product_id=PRODUCT_ID)


@pytest.fixture
def now() -> datetime:
    """Return the time in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


async def key_of(client: OneNetClient) -> str:
    """Return the key of the device on the client's platform."""
    return (await client.get_device(IMEI)).name


async def history(client: OneNetClient, now: datetime, limit: int | None = None, **period: datetime) -> list[Any]:
    """Return the values of the temperature, of the last day by default."""
    period = {"start": now - timedelta(days=1), "end": now} | period
    found = await client.get_history(await key_of(client), "3303/0/5700", limit=limit, **period)
    assert [point.measured_at for point in found] == sorted(point.measured_at for point in found)
    return [point.value for point in found]


def pages(onenet: Server) -> list[int]:
    """Return the limit of each request for values."""
    return [int(request.query["limit"]) for request in onenet.requests if "datapoints" in request.path]


async def test_all_pages_are_requested(client: OneNetClient, onenet: Server, device: Device, now: datetime) -> None:
    """More values than fit into two pages are returned in their order, each once."""
    for number in range(4500, 0, -1):
        onenet.onenet.report(IMEI, {TEMPERATURE: number}, now - number * SECOND)
    assert await history(client, now) == list(range(4500, 0, -1))
    assert pages(onenet) == [2000] * 3


@pytest.mark.parametrize(("limit", "requested"), [(1, [100]), (100, [100]), (101, [101]), (2100, [2000, 2000])])
async def test_a_limit_takes_no_more_requests_than_necessary(
    client: OneNetClient, onenet: Server, device: Device, now: datetime, limit: int, requested: list[int]
) -> None:
    """The newest values are returned."""
    for number in range(4500, 0, -1):
        onenet.onenet.report(IMEI, {TEMPERATURE: number}, now - number * SECOND)
    assert await history(client, now, limit) == list(range(limit, 0, -1))
    assert pages(onenet) == requested


async def test_values_outside_of_the_period_do_not_count_for_the_limit(
    client: OneNetClient, onenet: Server, device: Device, now: datetime
) -> None:
    """OneNET's times have whole seconds, and the period may end within one."""
    for number in range(150):
        onenet.onenet.report(IMEI, {TEMPERATURE: number}, now - SECOND + number * timedelta(milliseconds=10))
    assert await history(client, now, 100, end=now + timedelta(milliseconds=105)) == list(range(11, 111))


async def test_a_value_with_the_same_time_keeps_its_order_over_pages(
    client: OneNetClient, onenet: Server, device: Device, now: datetime
) -> None:
    """A device may send hundreds of values together."""
    for number in range(350):
        onenet.onenet.report(IMEI, {TEMPERATURE: number}, now - SECOND)
    assert await history(client, now) == list(range(350))
    assert await history(client, now, 5) == [345, 346, 347, 348, 349]


async def test_a_year_is_returned_and_nothing_older(
    client: OneNetClient, onenet: Server, device: Device, now: datetime
) -> None:
    """OneNET ignores the end of a longer period."""
    for days in (366, 364, 200, 100, 1):
        onenet.onenet.report(IMEI, {TEMPERATURE: days}, now - timedelta(days=days))
    assert await history(client, now, start=now - timedelta(days=1000)) == [364, 200, 100, 1]
    end = now - timedelta(days=150)
    assert await history(client, now, start=now - timedelta(days=1000), end=end) == [364, 200]


def add_page(onenet: Server, *seconds: float, cursor: str | None = None, stream: str = "3303_0_5700") -> None:
    """Make the next reply a page with a value at each of these seconds after the start, in this order."""
    points = [{"at_timestamp": round((START.timestamp() + at) * 1000), "value": at} for at in seconds]
    data: dict[str, Any] = {"count": 1, "datastreams": [{"id": stream, "datapoints": points}]}
    if cursor is not None:
        data["cursor"] = cursor
    text = json.dumps({"errno": 0, "code": 0, "data": data})
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=text, path="datapoints"))


async def paged(client: OneNetClient, limit: int | None = None) -> Sequence[Any]:
    """Return the values of an hour from the prepared pages."""
    points = await client.get_history("7", "3303/0/5700", start=START, end=START + timedelta(hours=1), limit=limit)
    return [point.value for point in points]


async def test_a_cursor_that_repeats_ends_the_history(client: OneNetClient, onenet: Server) -> None:
    """The values of the repeated page are not returned twice."""
    add_page(onenet, 4, 3, cursor="a")
    add_page(onenet, 2, 1, cursor="a")
    add_page(onenet, 0)
    assert await paged(client) == [1, 2, 3, 4]
    assert [request.query.get("cursor") for request in onenet.requests] == [None, "a"]


async def test_an_earlier_cursor_ends_the_history(client: OneNetClient, onenet: Server) -> None:
    """OneNET cannot send the client in a circle."""
    for number, cursor in ((3, "a"), (2, "b"), (1, "a"), (0, "b")):
        add_page(onenet, number, cursor=cursor)
    assert await paged(client) == [1, 2, 3]


async def test_a_page_that_repeats_ends_the_history(client: OneNetClient, onenet: Server) -> None:
    """Each time the cursor is another one."""
    for cursor in "abc":
        add_page(onenet, 2, 1, cursor=cursor)
    assert await paged(client) == [1, 2]
    assert len(onenet.requests) == 2


@pytest.mark.parametrize("stream", ["3303_0_5700", "heart_rate"])
async def test_a_page_without_values_ends_the_history(client: OneNetClient, onenet: Server, stream: str) -> None:
    """The page has no values, or those of a datastream that is no resource."""
    add_page(onenet, 2, cursor="a")
    add_page(onenet, *([] if stream == "3303_0_5700" else [1]), cursor="b", stream=stream)
    add_page(onenet, 0)
    assert await paged(client) == [2]
    assert len(onenet.requests) == 2


async def test_values_of_other_resources_are_left_out(client: OneNetClient, onenet: Server) -> None:
    """A page of another resource does not end the history."""
    add_page(onenet, 3, cursor="a", stream="3304_0_5700")
    add_page(onenet, 2, cursor="b")
    add_page(onenet, 1)
    assert await paged(client) == [1, 2]


async def test_oldest_first_is_accepted_although_newest_first_is_requested(
    client: OneNetClient, onenet: Server
) -> None:
    """All pages are read, because the newest values are on the last one, and equal times keep their order."""
    add_page(onenet, 1, 2, 3, cursor="a")
    add_page(onenet, 4, 5)
    assert await paged(client, 2) == [4, 5]
    assert [request.query["sort"] for request in onenet.requests] == ["DESC", "DESC"]
    same = [{"at": "2026-03-01 09:30:01", "value": value} for value in "xyz"]
    data = {"datastreams": [{"id": "3303_0_5700", "datapoints": [*same, {"at": "2026-03-01 09:30:02", "value": "w"}]}]}
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "code": 0, "data": data})))
    assert await paged(client) == ["x", "y", "z", "w"]


@pytest.mark.parametrize(
    "data",
    [
        {"count": 0, "datastreams": None},
        {"count": 0, "datastreams": []},
        {"cursor": "a", "datastreams": [{"id": "3303_0_5700", "datapoints": None}]},
        None,
    ],
    ids=str,
)
async def test_a_history_without_values_is_empty(client: OneNetClient, onenet: Server, data: Any) -> None:
    """One request is enough."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "code": 0, "data": data})))
    assert await paged(client) == []
    assert len(onenet.requests) == 1


async def test_the_period_is_sent_in_the_time_of_beijing(client: OneNetClient, onenet: Server) -> None:
    """The values of the last second belong to the period."""
    add_page(onenet)
    await paged(client)
    (request,) = onenet.requests
    assert (request.query["start"], request.query["end"]) == ("2026-03-01T09:30:00", "2026-03-01T10:30:01")
    assert request.query["datastream_id"] == "3303_0_5700"


async def test_an_error_on_a_later_page_is_raised(client: OneNetClient, onenet: Server) -> None:
    """A part of the history is not mistaken for all of it."""
    add_page(onenet, 2, cursor="a")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=500, text="server error", path="datapoints"))
    with pytest.raises(OneNetError, match="server error"):
        await paged(client)


async def test_the_history_of_an_unknown_device_raises_an_error(client: OneNetClient, onenet: Server) -> None:
    """The error is the one of other calls about a device."""
    with pytest.raises(UnknownDeviceError):
        await paged(client)
