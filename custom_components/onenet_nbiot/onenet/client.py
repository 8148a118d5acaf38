"""The calls of OneNET's HTTP API."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import hdrs
from yarl import URL

from . import clock, platforms
from .errors import (
    AuthenticationError,
    CannotConnectError,
    NoReplyError,
    NotPermittedError,
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
    CachedRead,
    CancelledCommands,
    CommandDetail,
    CommandPage,
    CommandRecord,
    Device,
    DevicePage,
    LogEntry,
    newest_times_from_wire,
    statuses_from_wire,
    uuid_from_wire,
)

# The newest values of as many devices as one call takes need more than one mebibyte.
BODY_MAX = 4 * 2**20
DATAPOINT_IDS_MAX = 500
STATUS_IDS_MAX = 1000
TEXT_MAX = 300
_PER_PAGE = 100
_SECOND = timedelta(seconds=1)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET or PUT again by itself when the connection breaks before the reply."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise NoReplyError(f"The connection broke before the reply: {err}") from err


class OneNetClient:
    """Call OneNET with one account's credentials.

    `session` stays the caller's to close. `base_url` replaces the platform's own. Every request takes
    `timeout` seconds at most and is never sent twice; every call raises OneNetError when it fails.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_key: str,
        *,
        base_url: str | None = None,
        platform: platforms.Platform = platforms.LEGACY,
        timeout: float = 20,
    ) -> None:
        """Prepare the calls; nothing is sent yet."""
        self._session = session
        self._platform = platform
        self._base_url = (base_url or platform.base_url).rstrip("/")
        self._headers = {"api-key": api_key}
        # A connection that takes half the time has failed for certain, before anything was sent.
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self.skew = timedelta()
        """How far the platform's time is ahead of the clock here, as far as its replies have told."""
        self._date: str | None = None

    def now(self) -> datetime:
        """Return the time at the platform, as far as its replies have told it.

        Whoever compares the platform's times with now must use this, because the clock here may be wrong.
        """
        return datetime.now(UTC) + self.skew

    async def prove_key(self) -> None:
        """Make the cheapest call that only a valid key allows.

        Raise AuthenticationError for a key that is not a product's master key. Source: "Query devices".
        """
        try:
            await self.get_devices(per_page=1)
        except NotPermittedError as err:
            raise AuthenticationError(err.text, err.errno) from err

    async def get_devices(self, *, page: int = 1, per_page: int = 30) -> DevicePage:
        """Return one page of the account's devices; `page` counts from 1, `per_page` is at most 100.

        Source: "Query devices".
        """
        return DevicePage.from_wire(await self._request("GET", "/devices", {"page": page, "per_page": per_page}))

    async def get_device_by_imei(self, imei: str) -> Device:
        """Return the device with this IMEI.

        Raise UnknownDeviceError where the account has none. Source: "Query device information by IMEI".
        """
        return Device.from_wire(await self._request("GET", "/devices/getbyimei", {"imei": imei}), imei)

    async def get_device_statuses(self, ids: Iterable[str]) -> dict[str, bool]:
        """Return by id which devices are online; `ids` are 1 to STATUS_IDS_MAX.

        Source: "Query device status in batch".
        """
        return statuses_from_wire(await self._request("GET", "/devices/status", {"devIds": ",".join(ids)}))

    async def get_newest_datapoint_times(self, ids: Iterable[str]) -> dict[str, datetime]:
        """Return by id when each device that has any datapoint sent the newest; `ids` are 1 to DATAPOINT_IDS_MAX.

        Source: "Query newest data in batch".
        """
        return newest_times_from_wire(await self._request("GET", "/devices/datapoints", {"devIds": ",".join(ids)}))

    async def queue_read(self, command: CachedRead) -> str:
        """Queue a cached read and return the command's UUID.

        Raise OutcomeUnknownError when the connection was lost after the command may have been queued,
        UnknownDeviceError, LimitReachedError for a device with 10 waiting commands, or another PlatformError when it
        was refused. Source: "Cached command: read device resources".
        """
        try:
            return uuid_from_wire(
                await self._request("GET", self._nbiot("/offline"), command.query(), idempotent=False)
            )
        except NoReplyError as err:
            raise OutcomeUnknownError(err.text, over=not isinstance(err, SlowReplyError)) from err

    async def get_commands(
        self, imei: str, *, start: datetime, end: datetime | None = None, page: int = 1, per_page: int = 30
    ) -> CommandPage:
        """Return one page of a device's cached commands that were created since `start`, the newest first.

        `start` and `end` are aware, `page` counts from 1. Source: "View the list of a device's cached commands".
        """
        query: dict[str, str | int] = {"imei": imei, "start": clock.to_wire(start), "page": page, "per_page": per_page}
        if end is not None:
            query["end"] = clock.to_wire(end)
        return CommandPage.from_wire(await self._request("GET", self._nbiot("/offline/history"), query))

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
        return CommandDetail.from_wire(
            await self._request("GET", self._nbiot(f"/offline/history/{quote(uuid, safe='')}"), {"imei": imei})
        )

    async def get_command_log(self, imei: str, uuid: str) -> tuple[LogEntry, ...]:
        """Return the platform's log of a cached command. Source: "Full-link log of a cached command"."""
        path = self._nbiot(f"/offline/history/{quote(uuid, safe='')}/piecewise")
        return LogEntry.all_from_wire(await self._request("GET", path, {"imei": imei}))

    async def cancel_command(self, imei: str, uuid: str) -> None:
        """Cancel a command that waits. Raise PlatformError for one that does not. Source: "Cancel a cached command"."""
        await self._request("PUT", self._nbiot(f"/offline/cancel/{quote(uuid, safe='')}"), {"imei": imei})

    async def cancel_commands(self, imei: str) -> CancelledCommands:
        """Cancel all of a device's commands that wait. Source: "Cancel all waiting commands of a device"."""
        return CancelledCommands.from_wire(
            await self._request("PUT", self._nbiot("/offline/cancel/all"), {"imei": imei})
        )

    def _nbiot(self, path: str) -> str:
        """Return the path of an NB-IoT call on this platform."""
        return f"{self._platform.nbiot_prefix}{path}"

    async def _request(self, method: str, path: str, query: Mapping[str, str | int], *, idempotent: bool = True) -> Any:
        """Make one request and return the data of its reply, without the key in any error."""
        try:
            return await self._exchange(method, path, query, idempotent=idempotent)
        except OneNetError as err:
            # A server may repeat the key in whatever it says, and say anything at any length.
            text = err.text.replace(self._headers["api-key"], "***").encode(errors="replace").decode()[:TEXT_MAX]
            error = type(err)(text, err.errno)
        # Out here nothing hangs on the error that holds the key, such as the headers of the request.
        raise await self._explain(error) if isinstance(error, NotPermittedError) and "imei" in query else error

    async def _explain(self, error: NotPermittedError) -> PlatformError:
        """Tell a wrong key from a device that is not the account's: OneNET says the same of both."""
        try:
            await self.prove_key()
        except AuthenticationError as err:
            return err
        except OneNetError:
            return error
        return UnknownDeviceError(error.text, error.errno)

    async def _exchange(self, method: str, path: str, query: Mapping[str, str | int], *, idempotent: bool) -> Any:
        """Send one request and read its reply."""
        sent = datetime.now(UTC)
        try:
            async with self._session.request(
                method,
                URL(f"{self._base_url}{path}").with_query(query),
                headers=self._headers,
                timeout=self._timeout,
                # Another host must not be handed the key.
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_send_once,),
            ) as response:
                # Most replies come in the same second as one before, and reading a date costs.
                if (date := response.headers.get(hdrs.DATE)) != self._date and date is not None:
                    self._learn_time(date, sent)
                body = await _read(response)
        except aiohttp.ClientSSLError as err:
            raise TlsError(str(err)) from err
        # An address that cannot be one is found out only when it is looked up.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError) as err:
            raise CannotConnectError(f"No connection: {err}") from err
        except aiohttp.ClientResponseError as err:
            raise UnexpectedReplyError(f"The reply is not HTTP: {err.message}") from err
        except TimeoutError as err:
            raise SlowReplyError(f"No reply within {self._timeout.total} seconds") from err
        except aiohttp.ClientError as err:
            raise NoReplyError(f"The reply broke off: {err}") from err
        status_error = _status_error(response)
        try:
            data = self._platform.unwrap(body, idempotent=idempotent)
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
        if len(body) > BODY_MAX:
            raise UnexpectedReplyError(f"The reply is larger than {BODY_MAX} bytes")
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
