"""The calls of OneNET's HTTP API."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import time
from typing import Any, Final
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import hdrs
from yarl import URL

from . import clock, platforms
from .auth import Credentials, redact
from .errors import (
    AuthenticationError,
    CannotConnectError,
    ClockError,
    ConfirmationLostError,
    DeviceNotPermittedError,
    InvalidRequestError,
    LimitReachedError,
    NoReplyError,
    NotSupportedError,
    OneNetError,
    OutcomeUnknownError,
    PlatformBusyError,
    PlatformError,
    RequestRejectedError,
    SlowReplyError,
    TlsError,
    UnexpectedReplyError,
    UnknownDeviceError,
    platform_error,
)
from .models import (
    CancelledCommands,
    CommandDetail,
    CommandPage,
    CommandRecord,
    Datapoint,
    DatapointPage,
    Device,
    DevicePage,
    LogEntry,
    Presence,
    Product,
    ReadResult,
    Resource,
    ResourceValue,
    statuses_from_wire,
    uuid_from_wire,
)
from .operations import TIMEOUT_DEFAULT, CachedCommand, Discover, Execute, Observe, Operation, Read, Write
from .pacing import Pacer
from .parsing import truth

# The newest values of many devices need more than one mebibyte; to decode two takes 40 ms.
REPLY_MAX = 2 * 2**20
TEXT_MAX = 300
# Seconds between two calls that queue or send something for one device: OneNET takes one a second, counted at its end.
COMMAND_PAUSE: Final = 1.1
_PER_PAGE = 100
# OneNET may not document a maximum, but have one.
_PER_PAGE_DEFAULT = 30
_SECOND = timedelta(seconds=1)
# A token is valid for much longer: a smaller difference is not why it was refused.
_MINUTE = timedelta(minutes=1)
_ABOUT_NOW = timedelta(seconds=2)
_JSON = {hdrs.CONTENT_TYPE: "application/json"}
# The method of an operation, and its path after the prefix; of a cached command, that with "/offline" behind it.
_CALLS: dict[str, tuple[str, str]] = {
    "read": ("GET", ""),
    "write": ("POST", ""),
    "execute": ("POST", "/execute"),
    "observe": ("POST", "/observe"),
    "discover": ("GET", "/discover"),
}
# Requests that wait for a device leave connections for others: a session may have no more than a hundred to a host.
_WAITING_MAX = 50
_WAITING: WeakKeyDictionary[aiohttp.ClientSession, asyncio.Semaphore] = WeakKeyDictionary()
# Shared, so that the turns of devices outlive a client.
_PACERS: WeakKeyDictionary[aiohttp.ClientSession, Pacer] = WeakKeyDictionary()
# Without a reply of OneNET's, these say that a server did not pass the request on.
_REJECTIONS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET or PUT again by itself when the connection breaks before the reply."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise NoReplyError(f"The connection broke before the reply: {err}") from err


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """Describe a request.

    `names_device` is whether it is about certain devices, `about_command` whether about a cached command; `wait` is for
    how many seconds the platform may wait for the device.
    """

    method: str = "GET"
    path: str
    query: Mapping[str, str | float]
    body: bytes | None = None
    idempotent: bool = True
    names_device: bool = True
    about_command: bool = False
    wait: float = 0


class OneNetClient:
    """Call OneNET with one account's credentials.

    `session` stays the caller's to close. `base_url` replaces the platform's own. `product_id` is needed for the calls
    about devices on the current platform. Every request takes `timeout` seconds at most, and one that waits for a
    device as many more as it waits. `pause` is how many seconds lie between two calls that queue or send something for
    one device; further ones wait for their turn. No request is sent twice, except one that was refused because the
    clock here is wrong. Every call raises OneNetError when it fails.
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
        """Prepare the calls; nothing is sent yet."""
        self._session = session
        self._platform = platform
        self._base_url = (base_url or platform.base_url).rstrip("/")
        self._credentials = credentials
        self._product = {"product_id": product_id} if platform.names_product and product_id else {}
        self._seconds = timeout
        self._pause = pause
        self._pacer = _PACERS.setdefault(session, Pacer())
        self._waiting = _WAITING.setdefault(session, asyncio.Semaphore(_WAITING_MAX))
        # The platform's time at the last reply, and when that was: the clock here may be set meanwhile.
        self._platform_time: datetime | None = None
        self._learned_at = 0.0
        # How far the platform's time is ahead of the clock here, kept once it has made a refused request succeed: the
        # date of a gateway may be wrong.
        self._signing_skew = timedelta()
        self._date: str | None = None
        self._per_page = _PER_PAGE

    def now(self) -> datetime:
        """Return the time at the platform, as far as its replies have shown it.

        Whatever is compared with the platform's times must use this, because the clock here may be wrong.
        """
        if self._platform_time is None:
            return datetime.now(UTC)
        return self._platform_time + timedelta(seconds=time.monotonic() - self._learned_at)

    @property
    def skew(self) -> timedelta:
        """Return how far the platform's time is ahead of the clock here, as far as its replies have shown it."""
        return self.now() - datetime.now(UTC)

    @property
    def has_statuses(self) -> bool:
        """Return whether the platform has the call `get_device_statuses`; otherwise `get_devices` shows presence."""
        return self._platform.statuses_path is not None

    def batches(self, keys: Iterable[str]) -> Iterator[list[str]]:
        """Yield the keys of devices in as few batches as the calls about several devices take."""
        return self._platform.batches(keys)

    async def check_credentials(self) -> None:
        """Make a call that names no device.

        Raise AuthenticationError where OneNET refuses the credentials, such as a key that is not a product's master
        key. Sources: "Query devices", "Product detail", "Device list".
        """
        *preferred, last = self._platform.credentials_paths
        for path in preferred:
            try:
                await self._ask_account(path)
            except NotSupportedError, RequestRejectedError:
                continue
            return
        await self._ask_account(last, self._platform.page_query(1, 1))

    async def check_connection(self) -> None:
        """Find out whether OneNET can be reached and accepts the credentials, as far as a call can tell.

        Raise OneNetError where not. Where the platform has none of the calls that name no device, its answer is enough.
        """
        try:
            await self.check_credentials()
        except NotSupportedError:
            return

    async def get_product(self) -> Product:
        """Return the product of the account; only the current platform has this call. Source: "Product detail"."""
        return Product.from_wire(await self._ask_account("/product/detail"))

    async def get_devices(self, *, page: int = 1, per_page: int = 30) -> DevicePage:
        """Return one page of the account's devices; `page` counts from 1, `per_page` is at most 100.

        Sources: "Query devices", "Device list".
        """
        data = await self._ask_account(self._platform.devices_path, self._platform.page_query(page, per_page))
        return DevicePage.from_wire(data, page, per_page)

    async def get_device(self, imei: str) -> Device:
        """Return the device with this IMEI.

        Raise UnknownDeviceError where the account has none. Sources: "Query device information by IMEI", "Device
        detail".
        """
        return Device.from_wire(await self._ask_devices(self._platform.device_path, {"imei": imei}), imei)

    async def get_device_by_id(self, id_: str) -> Device:
        """Return the device with this id, with the paths of its datastreams; only the legacy platform has this call.

        Source: "Query devices".
        """
        return Device.from_wire(await self._ask_devices(f"/devices/{quote(id_, safe='')}", {}))

    async def get_device_statuses(self, ids: Iterable[str]) -> dict[str, bool]:
        """Return by id which devices are online; `ids` are one of `batches`.

        Raise NotSupportedError, before anything is sent, on the current platform. Source: "Query device status in
        batch".
        """
        if (path := self._platform.statuses_path) is None:
            raise NotSupportedError("This platform shows presence in the list of devices only")
        return statuses_from_wire(await self._ask_devices(path, {"devIds": ",".join(ids)}))

    async def get_presence_history(
        self, name: str, *, start: datetime, end: datetime, page: int = 1, per_page: int = 100
    ) -> tuple[Presence, ...]:
        """Return when a device came online and went offline, the newest first; only the current platform has this call.

        `name` is the device's, `start` and `end` are aware, `per_page` is at most 100. Source: "Device detail".
        """
        query: dict[str, str | float] = {
            "device_name": name,
            "start_time": int(start.timestamp() * 1000),
            "end_time": int(end.timestamp() * 1000),
        }
        data = await self._ask_devices("/device/status-history", query | self._platform.page_query(page, per_page))
        return Presence.all_from_wire(data)

    async def get_newest_datapoints(self, keys: Iterable[str]) -> Iterator[tuple[str, list[Datapoint]]]:
        """Return by key the newest datapoint of every datastream of devices.

        `keys` are one of `batches`: the names of devices, which on the legacy platform are their ids. A device may be
        left out. Sources: "Query newest data in batch", "Newest data points in batch".
        """
        query = {self._platform.keys_parameter: ",".join(keys)}
        return Datapoint.newest_from_wire(
            await self._ask_devices(self._platform.newest_path, query), self._platform.key
        )

    async def get_newest_datapoints_of(self, imei: str) -> list[Datapoint]:
        """Return the newest datapoint of every datastream of the device with this IMEI.

        Sources: "Query newest data in batch", "Newest data points in batch".
        """
        query = {"imei": imei}
        if self.has_statuses:
            query = {self._platform.keys_parameter: (await self.get_device(imei)).id}
        data = await self._ask_devices(self._platform.newest_path, query)
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
    ) -> DatapointPage:
        """Return one page of a device's history of values, all resources together.

        `key` is the device's name, on the legacy platform its id. `paths` are resources, all by default. `start` and
        `end` are aware; without `start` it is the newest value of each resource. `limit` is 1 to 6000. Sources: "View
        data points", "History of data points".
        """
        query: dict[str, str | float] = {"limit": limit}
        if "{key}" not in self._platform.history_path:
            query["device_name"] = key
        if streams := ",".join(path.replace("/", "_") for path in paths):
            query["datastream_id"] = streams
        times = {"start": start, "end": end}
        query |= {name: clock.to_wire(moment) for name, moment in times.items() if moment is not None}
        if cursor is not None:
            query["cursor"] = cursor
        path = self._platform.history_path.format(key=quote(key, safe=""))
        return DatapointPage.from_wire(await self._ask_devices(path, query), cursor)

    async def is_push_active(self, product_id: str) -> bool:
        """Return whether the HTTP push of a product is on; only the legacy platform has this call.

        Source: "HTTP push: development guide".
        """
        data = await self._ask_account("/third/platform/status", {"pid": product_id})
        if (active := truth(data.get("status")) if isinstance(data, dict) else None) is None:
            raise UnexpectedReplyError("The reply does not say whether the push is on")
        return active

    async def queue(self, command: CachedCommand) -> str:
        """Queue a read, a write or an execute, and return the command's UUID.

        Wait for the device's turn before that. Raise OutcomeUnknownError when the command may have been queued all the
        same, UnknownDeviceError, LimitReachedError for a device with 10 waiting commands, another PlatformError when it
        was refused, or BodyTooLargeError. Sources: "Cached command: read device resources", "... write device
        resources", "... execute".
        """
        operation = command.operation
        body = operation.body()
        method, path = _CALLS[operation.command]
        try:
            async with self._pacer.turn(operation.imei, self._pause):
                if command.valid_time is not None and command.valid_time <= self.now() + _ABOUT_NOW:
                    # It has begun meanwhile; OneNET takes only times to come.
                    command = replace(command, valid_time=None)
                call = _Call(
                    method=method,
                    path=self._nbiot(f"{path}/offline"),
                    query=command.query(),
                    body=body,
                    idempotent=False,
                )
                return uuid_from_wire(await self._request(call))
        except RequestRejectedError:
            raise
        except NoReplyError as err:
            raise OutcomeUnknownError(err.text, over=not isinstance(err, SlowReplyError)) from err

    async def read(self, operation: Read, *, device_timeout: int | None = None) -> tuple[ResourceValue, ...]:
        """Read a device that is online; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise DeviceOfflineError for one that is not, DeviceTimeoutError, DeviceError, or UnknownDeviceError. Source:
        "Immediate command: read".
        """
        data = await self._perform(operation, device_timeout)
        values, unreadable = ReadResult.from_wire(data, operation.obj_id, operation.obj_inst_id)
        if unreadable:
            raise UnexpectedReplyError("The reply has no values that can be read")
        return values

    async def write(self, operation: Write, *, device_timeout: int | None = None) -> None:
        """Write to a device that is online; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise as `read` does, ConfirmationLostError when the device may have been written to all the same, or
        BodyTooLargeError. Source: "Immediate command: write".
        """
        await self._call_not_idempotent(operation, device_timeout)

    async def execute(self, operation: Execute, *, device_timeout: int | None = None) -> None:
        """Execute a resource of a device that is online; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise as `write` does. Source: "Immediate command: execute".
        """
        await self._call_not_idempotent(operation, device_timeout)

    async def observe(self, operation: Observe, *, device_timeout: int | None = None) -> None:
        """Start or cancel the observation of values of a device that is online.

        `device_timeout` is 5 to 40 seconds, 25 where it is None. Raise as `read` does. Source: "Immediate command:
        subscribe".
        """
        await self._perform(operation, device_timeout)

    async def discover(self, operation: Discover, *, device_timeout: int | None = None) -> tuple[Resource, ...]:
        """Return the resources that a device that is online has of an object.

        `device_timeout` is 5 to 40 seconds, 25 where it is None. Raise as `read` does. Source: "Immediate command:
        discover".
        """
        return Resource.all_from_discovery(await self._perform(operation, device_timeout), operation.obj_id)

    async def get_resources(self, imei: str, *, obj_id: int | None = None) -> tuple[Resource, ...]:
        """Return the resources that the platform knows of a device, online or not, of all objects or of one.

        Raise NotSupportedError where the platform does not have this call. Source: "Get the resource list".
        """
        query: dict[str, str | float] = {"imei": imei}
        if obj_id is not None:
            query["obj_id"] = obj_id
        return Resource.all_from_list(await self._ask("/resources", query))

    async def get_commands(
        self, imei: str, *, start: datetime, end: datetime | None = None, page: int = 1, per_page: int = 30
    ) -> CommandPage:
        """Return one page of a device's cached commands that were created since `start`, the newest first.

        `start` and `end` are aware, `page` counts from 1. Source: "View the list of a device's cached commands".
        """
        query: dict[str, str | float] = {"imei": imei, "start": clock.to_wire(start)}
        if end is not None:
            query["end"] = clock.to_wire(end)
        query |= {"page": page, "per_page": per_page}
        return CommandPage.from_wire(await self._ask("/offline/history", query))

    async def get_all_commands(self, imei: str, *, start: datetime) -> list[CommandRecord]:
        """Return all of a device's cached commands that were created since `start`, the newest first."""
        commands: dict[str, CommandRecord] = {}
        page = seen = 0
        while True:
            page += 1
            try:
                got = await self.get_commands(imei, start=start, page=page, per_page=self._per_page)
            except InvalidRequestError, LimitReachedError:
                if page > 1 or self._per_page == _PER_PAGE_DEFAULT:
                    raise
                self._per_page, page = _PER_PAGE_DEFAULT, 0
                continue
            seen += got.size
            known = len(commands)
            # A command that is queued meanwhile moves the last one of this page to the next.
            commands |= {command.uuid: command for command in got.commands}
            # The platform may give fewer on a page than it was asked for, and its count may be missing or wrong: only
            # a page that is neither full nor expected is the last, or one that brings nothing new.
            expected = got.total_count is None or seen < got.total_count
            if (not expected and got.size < self._per_page) or len(commands) == known:
                return list(commands.values())

    async def get_command(self, imei: str, uuid: str) -> CommandDetail:
        """Return the details of a cached command.

        Raise UnknownCommandError or another PlatformError where the device has no such command; which, is not
        documented. Source: "View the details of a cached command".
        """
        path = f"/offline/history/{quote(uuid, safe='')}"
        return CommandDetail.from_wire(await self._ask(path, {"imei": imei}, about_command=True), uuid)

    async def get_command_log(self, imei: str, uuid: str) -> tuple[LogEntry, ...]:
        """Return the platform's log of a cached command. Source: "Full-link log of a cached command"."""
        path = f"/offline/history/{quote(uuid, safe='')}/piecewise"
        return LogEntry.all_from_wire(await self._ask(path, {"imei": imei}, about_command=True))

    async def cancel_command(self, imei: str, uuid: str) -> None:
        """Cancel a command that waits. Raise PlatformError for one that does not. Source: "Cancel a cached command"."""
        path = f"/offline/cancel/{quote(uuid, safe='')}"
        await self._ask(path, {"imei": imei}, method="PUT", about_command=True)

    async def cancel_commands(self, imei: str) -> CancelledCommands:
        """Cancel all of a device's commands that wait. Source: "Cancel all waiting commands of a device"."""
        query = {"imei": imei}
        try:
            data = await self._ask("/offline/cancel/all", query, method="PUT")
        except NotSupportedError, RequestRejectedError:
            # Some clients of the current platform know this form.
            data = await self._ask("/offline/cancel/all/", query, method="PUT")
        return CancelledCommands.from_wire(data)

    def _nbiot(self, path: str) -> str:
        """Return the path of an NB-IoT call on this platform."""
        return f"{self._platform.nbiot_prefix}{path}"

    async def _ask(
        self, path: str, query: Mapping[str, str | float], *, method: str = "GET", about_command: bool = False
    ) -> Any:
        """Make one of the calls under the prefix that wait for no device."""
        return await self._request(
            _Call(method=method, path=self._nbiot(path), query=query, about_command=about_command)
        )

    async def _ask_account(self, path: str, query: Mapping[str, str | float] | None = None) -> Any:
        """Make one of the calls that name no device."""
        return await self._request(_Call(path=path, query={**self._product, **(query or {})}, names_device=False))

    async def _ask_devices(self, path: str, query: Mapping[str, str | float]) -> Any:
        """Make one of the calls about certain devices outside of the prefix."""
        return await self._request(_Call(path=path, query={**self._product, **query}))

    async def _perform(self, operation: Operation, device_timeout: int | None, *, idempotent: bool = True) -> Any:
        """Have a device carry out an operation at once when it is its turn, and return the data of the reply."""
        method, path = _CALLS[operation.command]
        call = _Call(
            method=method,
            path=self._nbiot(path),
            query=operation.query() | ({} if device_timeout is None else {"timeout": device_timeout}),
            body=operation.body(),
            idempotent=idempotent,
            wait=device_timeout or TIMEOUT_DEFAULT,
        )
        async with self._pacer.turn(operation.imei, self._pause):
            await self._waiting.acquire()
            request = asyncio.ensure_future(self._request(call))
            request.add_done_callback(lambda _: self._waiting.release())
            # Time to arrive; the device may take much longer to answer.
            await _wait(request, self._pause)
        await _wait(request)
        return request.result()

    async def _call_not_idempotent(self, operation: Operation, device_timeout: int | None) -> None:
        """Have a device carry out an operation that must not be repeated."""
        try:
            await self._perform(operation, device_timeout, idempotent=False)
        except RequestRejectedError:
            raise
        except (NoReplyError, OutcomeUnknownError) as err:
            raise ConfirmationLostError(err.text, err.errno) from err

    async def _request(self, call: _Call) -> Any:
        """Make a request and return the data of its reply."""
        try:
            return await self._request_with_clock_retry(call)
        except DeviceNotPermittedError as err:
            error = err
        raise await self._explain(error)

    async def _explain(self, error: DeviceNotPermittedError) -> PlatformError:
        """Tell wrong credentials from a device of another product: OneNET answers both in the same way."""
        try:
            await self.check_credentials()
        except AuthenticationError as err:
            return err
        except OneNetError:
            return error
        return UnknownDeviceError(error.text, error.errno)

    async def _request_with_clock_retry(self, call: _Call) -> Any:
        """Send a request, and once more where it was refused for a wrong clock; return the data of its reply."""
        # Another request may change it meanwhile.
        signing_skew = self._signing_skew
        headers = self._authorization(signing_skew)
        try:
            return await self._request_redacted(call, headers)
        except AuthenticationError, DeviceNotPermittedError, ClockError:
            # The refusal has shown the platform's time, with which a token may be another one: a key stays the same.
            skew = self.skew
            if abs(skew - signing_skew) < _MINUTE or (again := self._authorization(skew)) == headers:
                raise
        data = await self._request_redacted(call, again)
        # Kept only now: a gateway's date may be wrong.
        self._signing_skew = skew
        return data

    def _authorization(self, skew: timedelta) -> dict[str, str]:
        """Return the headers that prove the credentials now, if the platform's time is so far ahead."""
        return self._credentials.headers(self._platform.authorization_version, datetime.now(UTC) + skew)

    async def _request_redacted(self, call: _Call, headers: dict[str, str]) -> Any:
        """Send one request and return the data of its reply, without a secret in any error."""
        try:
            return await self._exchange(call, headers)
        except OneNetError as err:
            # A server may repeat a secret in its text, which may have any length.
            error = err.with_text(redact(err.text, headers).encode(errors="replace").decode()[:TEXT_MAX])
        # Raised here, it does not refer to the error that holds a secret, such as the headers of the request.
        raise error

    async def _exchange(self, call: _Call, headers: dict[str, str]) -> Any:
        """Send one request and read its reply."""
        sent = time.monotonic()
        seconds = self._seconds + call.wait
        try:
            async with self._session.request(
                call.method,
                URL(f"{self._base_url}{call.path}").with_query(call.query),
                headers=headers if call.body is None else headers | _JSON,
                data=call.body,
                # A connection that takes half the time has failed for certain, before anything was sent.
                timeout=aiohttp.ClientTimeout(total=seconds, connect=self._seconds / 2),
                # Another host must not be handed the key.
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_send_once,),
            ) as response:
                body = await _read(response)
        except aiohttp.ClientSSLError as err:
            raise TlsError(str(err)) from err
        # An address that cannot be one is found out only when it is looked up.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError) as err:
            raise CannotConnectError(f"No connection: {err}") from err
        except aiohttp.ClientResponseError as err:
            raise UnexpectedReplyError(f"The reply is not HTTP: {err.message}") from err
        except TimeoutError as err:
            raise SlowReplyError(f"No reply within {seconds} seconds") from err
        except aiohttp.ClientError as err:
            raise NoReplyError(f"The reply broke off: {err}") from err
        try:
            reply = platforms.read_reply(body)
        except UnexpectedReplyError as err:
            raise _status_error(response, call) or err from err
        # Of others, such as a proxy, the clock is not OneNET's. Most replies come in the same second as one before.
        if (date := response.headers.get(hdrs.DATE)) != self._date and date is not None:
            self._learn_time(date, sent)
        # An envelope is OneNET's word, whatever the HTTP status.
        if reply.errno == 0:
            return reply.data
        raise platform_error(
            reply.errno,
            reply.text or "no text",
            idempotent=call.idempotent,
            names_device=call.names_device,
            about_command=call.about_command,
        )

    def _learn_time(self, date: str, sent: float) -> None:
        """Learn the platform's time from the date of a reply whose request was sent then."""
        self._date = date
        try:
            moment = clock.from_header(date)
        except ValueError:
            return
        learned_at = time.monotonic()
        # The date is a whole second and was written since the request was sent: what agrees with it is kept, or a clock
        # that is right would change with every reply.
        latest = moment + _SECOND + timedelta(seconds=learned_at - sent)
        self._platform_time, self._learned_at = min(max(self.now(), moment), latest), learned_at


async def _wait(request: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Wait until a request ends, at most for so many seconds, and cancel it if the caller is cancelled."""
    try:
        await asyncio.wait((request,), timeout=seconds)
    except asyncio.CancelledError:
        request.cancel()
        raise


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; raise UnexpectedReplyError, and read no further, where it is too large."""
    body = bytearray()
    while not response.content.at_eof():
        body += await response.content.readany()
        if len(body) > REPLY_MAX:
            raise UnexpectedReplyError(f"The reply is larger than {REPLY_MAX} bytes")
    return bytes(body)


def _status_error(response: aiohttp.ClientResponse, call: _Call) -> OneNetError | None:
    """Return what an HTTP status means without a reply of OneNET's; None where it says nothing more."""
    text = f"HTTP {response.status} {response.reason}, {response.content_type}"
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return PlatformBusyError(text) if call.idempotent else OutcomeUnknownError(text, over=True)
    if response.status in _REJECTIONS:
        return RequestRejectedError(text)
    # Behind the gateway that says so, the request may still be carried out.
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SlowReplyError(text)
    return None if response.status == HTTPStatus.OK else UnexpectedReplyError(text)
