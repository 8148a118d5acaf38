"""The calls of OneNET's HTTP API."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
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
    ConfirmationLostError,
    DeviceOfflineError,
    InvalidRequestError,
    NoReplyError,
    NotPermittedError,
    NotSupportedError,
    OneNetError,
    OutcomeUnknownError,
    PlatformBusyError,
    PlatformError,
    SlowReplyError,
    TlsError,
    UnexpectedReplyError,
    UnknownDeviceError,
)
from .models import (
    CancelledCommands,
    CommandDetail,
    CommandPage,
    CommandRecord,
    Datapoint,
    Device,
    DevicePage,
    LogEntry,
    Resource,
    ResourceValue,
    statuses_from_wire,
    uuid_from_wire,
)
from .operations import TIMEOUT_DEFAULT, CachedCommand, Discover, Execute, Observe, Operation, Read, Write

# The newest values of as many devices as one call takes need more than one mebibyte.
REPLY_MAX = 4 * 2**20
DATAPOINT_IDS_MAX = 500
STATUS_IDS_MAX = 1000
TEXT_MAX = 300
_PER_PAGE = 100
_SECOND = timedelta(seconds=1)
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
# With no call that needs no device, a key is proved by asking for one that need not be there.
_ANY_IMEI = "0000"


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
    """Describe a request; `wait` is for how many seconds the platform may wait for the device."""

    method: str = "GET"
    path: str
    query: Mapping[str, str | float]
    body: bytes | None = None
    idempotent: bool = True
    wait: float = 0


class OneNetClient:
    """Call OneNET with one account's credentials.

    `session` stays the caller's to close. `base_url` replaces the platform's own. Every request takes `timeout`
    seconds at most, and one that waits for a device as many more as it waits. None is sent twice, but for one that
    was refused because the clock here is wrong. Every call raises OneNetError when it fails.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        *,
        base_url: str | None = None,
        platform: platforms.Platform = platforms.LEGACY,
        timeout: float = 20,
    ) -> None:
        """Prepare the calls; nothing is sent yet."""
        self._session = session
        self._platform = platform
        self._base_url = (base_url or platform.base_url).rstrip("/")
        self._credentials = credentials
        self._seconds = timeout
        self._waiting = _WAITING.setdefault(session, asyncio.Semaphore(_WAITING_MAX))
        self.skew = timedelta()
        """How far the platform's time is ahead of the clock here, as far as its replies have told."""
        # The same, but learned only from a refusal: a clock that signs well need not be set by whoever writes a date.
        self._signing_skew = timedelta()
        self._date: str | None = None

    def now(self) -> datetime:
        """Return the time at the platform, as far as its replies have told it.

        Whoever compares the platform's times with now must use this, because the clock here may be wrong.
        """
        return datetime.now(UTC) + self.skew

    @property
    def lists_devices(self) -> bool:
        """Return whether the platform has the calls whose names begin with `get_device` or `get_newest`."""
        return self._platform.lists_devices

    async def prove_key(self) -> None:
        """Make the cheapest call that only valid credentials allow.

        Raise AuthenticationError for others, such as a key that is not a product's master key. Sources: "Query
        devices", "Get the resource list".
        """
        try:
            if self.lists_devices:
                await self.get_devices(per_page=1)
                return
            # Whoever hears that of a device was let in.
            with suppress(UnknownDeviceError, DeviceOfflineError, InvalidRequestError):
                await self.get_resources(_ANY_IMEI)
        except NotPermittedError as err:
            raise AuthenticationError(err.text, err.errno) from err

    async def get_devices(self, *, page: int = 1, per_page: int = 30) -> DevicePage:
        """Return one page of the account's devices; `page` counts from 1, `per_page` is at most 100.

        Source: "Query devices".
        """
        return DevicePage.from_wire(await self._ask_devices("", {"page": page, "per_page": per_page}))

    async def get_device_by_imei(self, imei: str) -> Device:
        """Return the device with this IMEI.

        Raise UnknownDeviceError where the account has none. Source: "Query device information by IMEI".
        """
        return Device.from_wire(await self._ask_devices("/getbyimei", {"imei": imei}), imei)

    async def get_device_statuses(self, ids: Iterable[str]) -> dict[str, bool]:
        """Return by id which devices are online; `ids` are 1 to STATUS_IDS_MAX.

        Source: "Query device status in batch".
        """
        return statuses_from_wire(await self._ask_devices("/status", {"devIds": ",".join(ids)}))

    async def get_newest_datapoints(self, ids: Iterable[str]) -> Iterator[tuple[str, list[Datapoint]]]:
        """Return by id the newest datapoint of every datastream of devices; `ids` are 1 to DATAPOINT_IDS_MAX.

        Source: "Query newest data in batch".
        """
        return Datapoint.newest_from_wire(await self._ask_devices("/datapoints", {"devIds": ",".join(ids)}))

    async def queue(self, command: CachedCommand) -> str:
        """Queue a read, a write or an execute, and return the command's UUID.

        Raise OutcomeUnknownError when the connection was lost after the command may have been queued,
        UnknownDeviceError, LimitReachedError for a device with 10 waiting commands, another PlatformError when it was
        refused, or BodyTooLargeError. Sources: "Cached command: read device resources", "... write device resources",
        "... execute".
        """
        operation = command.operation
        method, path = _CALLS[operation.command]
        try:
            return uuid_from_wire(
                await self._request(
                    _Call(
                        method=method,
                        path=self._nbiot(f"{path}/offline"),
                        query=command.query(),
                        body=operation.body(),
                        idempotent=False,
                    )
                )
            )
        except NoReplyError as err:
            raise OutcomeUnknownError(err.text, over=not isinstance(err, SlowReplyError)) from err

    async def read(self, operation: Read, *, device_timeout: int | None = None) -> tuple[ResourceValue, ...]:
        """Read a device that is awake; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise DeviceOfflineError for one that is not, DeviceTimeoutError, DeviceError, or UnknownDeviceError. Source:
        "Immediate command: read".
        """
        data = await self._perform(operation, device_timeout)
        if not isinstance(data, (list, dict)):
            raise UnexpectedReplyError("The reply has no values")
        return ResourceValue.all_from_wire(data, operation.obj_id)

    async def write(self, operation: Write, *, device_timeout: int | None = None) -> None:
        """Write to a device that is awake; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise as `read` does, ConfirmationLostError when the device may have been written to all the same, or
        BodyTooLargeError. Source: "Immediate command: write".
        """
        await self._instruct(operation, device_timeout)

    async def execute(self, operation: Execute, *, device_timeout: int | None = None) -> None:
        """Execute a resource of a device that is awake; `device_timeout` is 5 to 40 seconds, 25 where it is None.

        Raise as `write` does. Source: "Immediate command: execute".
        """
        await self._instruct(operation, device_timeout)

    async def observe(self, operation: Observe, *, device_timeout: int | None = None) -> None:
        """Let a device that is awake tell of values by itself, or no more.

        `device_timeout` is 5 to 40 seconds, 25 where it is None. Raise as `read` does. Source: "Immediate command:
        subscribe".
        """
        await self._perform(operation, device_timeout)

    async def discover(self, operation: Discover, *, device_timeout: int | None = None) -> tuple[Resource, ...]:
        """Return what a device that is awake has of an object.

        `device_timeout` is 5 to 40 seconds, 25 where it is None. Raise as `read` does. Source: "Immediate command:
        discover".
        """
        return Resource.all_from_discovery(await self._perform(operation, device_timeout), operation.obj_id)

    async def get_resources(self, imei: str, *, obj_id: int | None = None) -> tuple[Resource, ...]:
        """Return what the platform knows that a device has, awake or not, of all objects or of one.

        Source: "Get the resource list".
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
            got = await self.get_commands(imei, start=start, page=page, per_page=_PER_PAGE)
            seen += got.size
            known = len(commands)
            # What is queued meanwhile moves the last of this page to the next.
            commands |= {command.uuid: command for command in got.commands}
            # The platform may give fewer on a page than it was asked for, and its count may be missing or wrong.
            if (got.total_count is not None and seen >= got.total_count) or len(commands) == known:
                return list(commands.values())

    async def get_command(self, imei: str, uuid: str) -> CommandDetail:
        """Return the details of a cached command.

        Raise UnknownCommandError or another PlatformError where the device has no such command; which, is not
        documented. Source: "View the details of a cached command".
        """
        return CommandDetail.from_wire(await self._ask(f"/offline/history/{quote(uuid, safe='')}", {"imei": imei}))

    async def get_command_log(self, imei: str, uuid: str) -> tuple[LogEntry, ...]:
        """Return the platform's log of a cached command. Source: "Full-link log of a cached command"."""
        path = f"/offline/history/{quote(uuid, safe='')}/piecewise"
        return LogEntry.all_from_wire(await self._ask(path, {"imei": imei}))

    async def cancel_command(self, imei: str, uuid: str) -> None:
        """Cancel a command that waits. Raise PlatformError for one that does not. Source: "Cancel a cached command"."""
        await self._ask(f"/offline/cancel/{quote(uuid, safe='')}", {"imei": imei}, method="PUT")

    async def cancel_commands(self, imei: str) -> CancelledCommands:
        """Cancel all of a device's commands that wait. Source: "Cancel all waiting commands of a device"."""
        return CancelledCommands.from_wire(await self._ask("/offline/cancel/all", {"imei": imei}, method="PUT"))

    def _nbiot(self, path: str) -> str:
        """Return the path of an NB-IoT call on this platform."""
        return f"{self._platform.nbiot_prefix}{path}"

    async def _ask(self, path: str, query: Mapping[str, str | float], *, method: str = "GET") -> Any:
        """Make one of the calls under the prefix that wait for no device."""
        return await self._request(_Call(method=method, path=self._nbiot(path), query=query))

    async def _ask_devices(self, path: str, query: Mapping[str, str | float]) -> Any:
        """Make one of the calls that not every generation of the platform has."""
        if not self.lists_devices:
            raise NotSupportedError("This platform has no calls to list devices, their presence or their datapoints")
        return await self._request(_Call(path=f"/devices{path}", query=query))

    async def _perform(self, operation: Operation, device_timeout: int | None, *, idempotent: bool = True) -> Any:
        """Have something done at once, and return the data of the reply."""
        method, path = _CALLS[operation.command]
        call = _Call(
            method=method,
            path=self._nbiot(path),
            query=operation.query() | ({} if device_timeout is None else {"timeout": device_timeout}),
            body=operation.body(),
            idempotent=idempotent,
            wait=device_timeout or TIMEOUT_DEFAULT,
        )
        async with self._waiting:
            return await self._request(call)

    async def _instruct(self, operation: Operation, device_timeout: int | None) -> None:
        """Have something done at once that must not be done twice."""
        try:
            await self._perform(operation, device_timeout, idempotent=False)
        except (NoReplyError, OutcomeUnknownError) as err:
            raise ConfirmationLostError(err.text, err.errno) from err

    async def _request(self, call: _Call) -> Any:
        """Make a request and return the data of its reply."""
        try:
            return await self._exchange_in_time(call)
        except NotPermittedError as err:
            error = err
        raise await self._explain(error) if "imei" in call.query and self.lists_devices else error

    async def _exchange_in_time(self, call: _Call) -> Any:
        """Send a request, and once more where it was refused for a wrong clock; return the data of its reply."""
        headers = self._authorization(self._signing_skew)
        try:
            return await self._exchange_discreetly(call, headers)
        except AuthenticationError:
            # The refusal has told the time: had it been known before, the headers might have been others.
            skew = self.skew
            if (again := self._authorization(skew)) == headers:
                raise
        data = await self._exchange_discreetly(call, again)
        # Kept only now that it has let a request in: a gateway's date may be wrong.
        self._signing_skew = skew
        return data

    def _authorization(self, skew: timedelta) -> dict[str, str]:
        """Return the headers that prove the credentials now, if the platform's time is so far ahead."""
        return self._credentials.headers(self._platform.authorization_version, datetime.now(UTC) + skew)

    async def _explain(self, error: NotPermittedError) -> PlatformError:
        """Tell a wrong key from a device that is not the account's: OneNET says the same of both."""
        try:
            await self.prove_key()
        except AuthenticationError as err:
            return err
        except OneNetError:
            return error
        return UnknownDeviceError(error.text, error.errno)

    async def _exchange_discreetly(self, call: _Call, headers: dict[str, str]) -> Any:
        """Send one request and return the data of its reply, without a secret in any error."""
        try:
            return await self._exchange(call, headers)
        except OneNetError as err:
            # A server may repeat a secret in whatever it says, and say anything at any length.
            text = redact(err.text, headers).encode(errors="replace").decode()[:TEXT_MAX]
            error = type(err)(text, err.errno)
        # Out here nothing hangs on the error that holds a secret, such as the headers of the request.
        raise error

    async def _exchange(self, call: _Call, headers: dict[str, str]) -> Any:
        """Send one request and read its reply."""
        sent = datetime.now(UTC)
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
                # Most replies come in the same second as one before, and reading a date costs.
                if (date := response.headers.get(hdrs.DATE)) != self._date and date is not None:
                    self._learn_time(date, sent)
                reply = await _read(response)
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
        status_error = _status_error(response)
        try:
            data = self._platform.unwrap(reply, idempotent=call.idempotent)
        except UnexpectedReplyError as err:
            if status_error:
                raise status_error from err
            raise
        if status_error:
            raise status_error
        return data

    def _learn_time(self, date: str, sent: datetime) -> None:
        """Learn from the date of a reply, and from when its request was sent, how wrong the clock here is."""
        self._date = date
        try:
            moment = clock.from_header(date)
        except ValueError:
            return
        # The date is a whole second and was written between sending and now: what agrees with it stays as it is,
        # or a clock that is right would be moved to and fro.
        self.skew = min(max(self.skew, moment - datetime.now(UTC)), moment + _SECOND - sent)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; raise UnexpectedReplyError, and read no further, where it is too large."""
    body = bytearray()
    while not response.content.at_eof():
        body += await response.content.readany()
        if len(body) > REPLY_MAX:
            raise UnexpectedReplyError(f"The reply is larger than {REPLY_MAX} bytes")
    return bytes(body)


def _status_error(response: aiohttp.ClientResponse) -> NoReplyError | PlatformError | None:
    """Return what a status means that did not come with a reply of OneNET's."""
    if response.status == HTTPStatus.OK:
        return None
    text = f"HTTP {response.status} {response.reason}, {response.content_type}"
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError(text)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return PlatformBusyError(text)
        # Behind the gateway that says so, the request may still be worked on.
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return SlowReplyError(text)
        case _:
            return UnexpectedReplyError(text)
