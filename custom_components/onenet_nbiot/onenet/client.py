"""The client of OneNET's HTTP API."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

import aiohttp

from . import clock, platforms
from .auth import Credentials
from .errors import NotSupportedError
from .models import (
    Datapoint,
    DatapointPage,
    Device,
    DevicePage,
    Presence,
    Product,
    push_active_from_wire,
    statuses_from_wire,
)
from .nbiot import NbIotCalls
from .statistics import RequestStatistics
from .transport import Transport

# Seconds between two commands for one device. OneNET accepts one command per second, measured on arrival.
COMMAND_PAUSE: Final = 1.1
# OneNET keeps values for this long, and ignores the end of a longer period.
HISTORY_MAX: Final = timedelta(days=365)
# OneNET accepts 6000; decoding so many would block the event loop.
_HISTORY_PAGE = 2000
# Enough values to see whether the newest are first.
_HISTORY_PAGE_MIN = 100


class OneNetClient(NbIotCalls):
    """Call OneNET with one account's credentials.

    The caller closes `session`. `base_url` defaults to that of `platform`. The calls about devices on the current
    platform require `product_id`. `timeout` is the limit for each request in seconds, to which the device timeout of an
    immediate command is added. `pause` is the time in seconds between two commands for one device; further commands
    wait. A request is sent only once, unless OneNET refused it because the local clock is wrong. Every call raises
    OneNetError if it fails.
    """

    def __init__(  # noqa: PLR0913 - all but two are optional
        self,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        *,
        base_url: str | None = None,
        platform: platforms.Platform = platforms.LEGACY,
        product_id: str | None = None,
        timeout: float = 20,
        pause: float = COMMAND_PAUSE,
    ) -> None:
        """Create a client; no request is sent."""
        self._platform = platform
        transport = Transport(session, credentials, platform, base_url=base_url, product_id=product_id, timeout=timeout)
        super().__init__(session, transport, platform.nbiot_prefix, pause)

    def now(self) -> datetime:
        """Return the platform's time in UTC, which defaults to the local time until the first reply.

        Compare the platform's times with this time, because the local clock may be wrong.
        """
        return self._transport.now()

    @property
    def skew(self) -> timedelta:
        """Return how far the platform's clock is ahead of the local clock, according to its replies."""
        return self._transport.skew

    @property
    def statistics(self) -> RequestStatistics:
        """Return the statistics of the requests since the client was created."""
        return self._transport.statistics

    @property
    def has_statuses(self) -> bool:
        """Return whether the platform has `get_device_statuses`; on other platforms, `get_devices` returns presence."""
        return self._platform.statuses_path is not None

    @property
    def pushes_outcomes(self) -> bool:
        """Return whether the platform pushes the outcomes of commands."""
        return self._platform.pushes_outcomes

    def batches(self, keys: Iterable[str]) -> Iterator[list[str]]:
        """Yield the keys of devices in batches of the largest size that one request can contain."""
        return self._platform.batches(keys)

    async def check_credentials(self) -> None:
        """Send a request that names no device.

        Raise AuthenticationError if OneNET refuses the credentials, for example a key that is not the master key of a
        product. Sources: "Query devices", "Product detail", "Device list".
        """
        await self._transport.check_credentials()

    async def check_connection(self) -> None:
        """Check that OneNET is reachable and accepts the credentials; raise OneNetError otherwise.

        If the platform has no call that names no device, any reply from OneNET is sufficient.
        """
        try:
            await self.check_credentials()
        except NotSupportedError:
            return

    async def get_product(self) -> Product:
        """Return the account's product; only on the current platform. Source: "Product detail"."""
        return Product.from_wire(await self._transport.request_account("/product/detail"))

    async def get_devices(self, *, page: int = 1, per_page: int = 30) -> DevicePage:
        """Return a page of the account's devices; `page` starts at 1, `per_page` is 1 to 100.

        Sources: "Query devices", "Device list".
        """
        query = self._platform.page_query(page, per_page)
        return DevicePage.from_wire(
            await self._transport.request_account(self._platform.devices_path, query), page, per_page
        )

    async def get_device(self, imei: str) -> Device:
        """Return the device with an IMEI; raise UnknownDeviceError if the account does not have it.

        Sources: "Query device information by IMEI", "Device detail".
        """
        data = await self._transport.request_devices(self._platform.device_path, {"imei": imei})
        return Device.from_wire(data, imei)

    async def get_device_by_id(self, id_: str) -> Device:
        """Return the device with an id, including the paths of its datastreams; only on the legacy platform.

        Source: "Query devices".
        """
        return Device.from_wire(await self._transport.request_devices("/devices/{id}", {}, id_))

    async def get_device_statuses(self, ids: Iterable[str]) -> dict[str, bool]:
        """Return by id whether devices are online; `ids` are one batch of `batches`.

        Raise NotSupportedError on the current platform, without sending a request. Source: "Query device status in
        batch".
        """
        if (path := self._platform.statuses_path) is None:
            raise NotSupportedError("This platform returns presence only in the list of devices")
        return statuses_from_wire(await self._transport.request_devices(path, {"devIds": ",".join(ids)}))

    async def get_presence_history(
        self, name: str, *, start: datetime, end: datetime, page: int = 1, per_page: int = 100
    ) -> tuple[Presence, ...]:
        """Return when a device went online and offline, newest first; only on the current platform.

        `name` is the device's name, `start` and `end` are aware, `per_page` is 1 to 100. Source: "Device detail".
        """
        query: dict[str, str | float] = {
            "device_name": name,
            "start_time": clock.to_unix_ms(start),
            "end_time": clock.to_unix_ms(end),
        }
        query |= self._platform.page_query(page, per_page)
        return Presence.all_from_wire(await self._transport.request_devices("/device/status-history", query))

    async def get_newest_datapoints(self, keys: Iterable[str]) -> Iterator[tuple[str, list[Datapoint]]]:
        """Return by key the newest datapoint of each datastream of devices.

        `keys` are one batch of `batches`: names of devices, or ids on the legacy platform. The reply may omit devices.
        Sources: "Query newest data in batch", "Newest data points in batch".
        """
        query = {self._platform.keys_parameter: ",".join(keys)}
        data = await self._transport.request_devices(self._platform.newest_path, query)
        return Datapoint.newest_from_wire(data, self._platform.key)

    async def get_newest_datapoints_of(self, imei: str) -> list[Datapoint]:
        """Return the newest datapoint of each datastream of the device with an IMEI.

        Sources: "Query newest data in batch", "Newest data points in batch".
        """
        query = {"imei": imei}
        if self.has_statuses:
            query = {self._platform.keys_parameter: (await self.get_device(imei)).id}
        data = await self._transport.request_devices(self._platform.newest_path, query)
        return [point for _, points in Datapoint.newest_from_wire(data, self._platform.key) for point in points]

    async def get_history_page(  # noqa: PLR0913 - all but one are optional
        self,
        key: str,
        *,
        paths: Iterable[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
        is_descending: bool = False,
    ) -> DatapointPage:
        """Return a page of the history of a device's values.

        `key` is the device's name, or its id on the legacy platform. `paths` are paths of resources and default to all.
        `start` and `end` are aware; without `start`, the page contains the newest value of each resource. `limit` is 1
        to 6000, and `is_descending` requests the newest values first. Sources: "View data points", "History of data
        points".
        """
        query: dict[str, str | float] = {"limit": limit}
        if is_descending:
            query["sort"] = "DESC"
        if "{id}" not in self._platform.history_path:
            query["device_name"] = key
        if streams := ",".join(path.replace("/", "_") for path in paths):
            query["datastream_id"] = streams
        times = {"start": start, "end": end}
        query |= {name: clock.to_wire(moment) for name, moment in times.items() if moment is not None}
        if cursor is not None:
            query["cursor"] = cursor
        data = await self._transport.request_devices(self._platform.history_path, query, key)
        return DatapointPage.from_wire(data, cursor)

    async def get_history(
        self, key: str, path: str, *, start: datetime, end: datetime, limit: int | None = None
    ) -> list[Datapoint]:
        """Return the values that a resource had in a period, the oldest first; of more than `limit`, the newest.

        `key` is the device's name, or its id on the legacy platform. `start` and `end` are aware; OneNET keeps values
        for a year. Sources: "View data points", "History of data points".
        """
        # OneNET's times have whole seconds, and it ignores the end of a longer period.
        end_second = end + timedelta(seconds=1)
        start = max(start, end_second - HISTORY_MAX)
        per_page = _HISTORY_PAGE if limit is None else min(max(limit, _HISTORY_PAGE_MIN), _HISTORY_PAGE)
        found: list[Datapoint] = []
        previous: tuple[Datapoint, ...] = ()
        cursor, cursors = None, set[str]()
        while True:
            page = await self.get_history_page(
                key,
                paths=[path],
                start=start,
                end=end_second,
                limit=per_page,
                cursor=cursor,
                is_descending=True,
            )
            if page.points == previous:
                # The same page again, although the cursor is another one.
                break
            previous = page.points
            found += (point for point in page.points if point.path == path and start <= point.measured_at <= end)
            cursor = page.cursor
            if not page.more or cursor is None or cursor in cursors:
                break
            if limit is not None and len(found) >= limit and found[0].measured_at > found[-1].measured_at:
                break
            cursors.add(cursor)
        if found and found[0].measured_at >= found[-1].measured_at:
            found.reverse()
        # Values that a device sent together have the same time, and keep their order.
        found.sort(key=attrgetter("measured_at"))
        return found if limit is None else found[-limit:]

    async def is_push_active(self, product_id: str) -> bool:
        """Return whether the HTTP push of a product is active.

        Raise NotSupportedError on the current platform, without sending a request.
        Source: "HTTP push: development guide".
        """
        if (path := self._platform.push_status_path) is None:
            raise NotSupportedError("This platform does not return whether the push is active")
        return push_active_from_wire(await self._transport.request_account(path, {"pid": product_id}))
