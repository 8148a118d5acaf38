"""Send HTTP requests to OneNET and return the data of the replies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import re
import time
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import hdrs
from yarl import URL

from . import clock, platforms
from .auth import Credentials, redact
from .errors import (
    AuthenticationError,
    CannotConnectError,
    ClockError,
    DeviceNotPermittedError,
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
from .statistics import RequestStatistics

# The largest reply in bytes. The newest values of many devices exceed 1 MiB; decoding 2 MiB takes 40 ms.
REPLY_MAX = 2 * 2**20
# The longest text of an error, in characters.
TEXT_MAX = 300
_SECOND = timedelta(seconds=1)
# The smallest clock difference for which a refused token is signed again. Tokens are valid for much longer.
_SKEW_MIN = timedelta(minutes=1)
# An IMEI, an IMSI, or the number of a SIM card.
_LONG_NUMBER = re.compile(r"[0-9]{14,}")
_JSON = {hdrs.CONTENT_TYPE: "application/json"}
# HTTP statuses which, without a OneNET envelope, mean that the request was not processed.
_REJECTIONS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Describe a request.

    `id` replaces `{id}` in the path. `names_device` is whether the request contains the id of a device,
    `about_command` whether it is about a cached command.
    `device_timeout` is the time in seconds that OneNET waits for the device's response.
    """

    method: str = "GET"
    path: str
    id: str = ""
    query: Mapping[str, str | float]
    body: bytes | None = None
    idempotent: bool = True
    names_device: bool = True
    about_command: bool = False
    device_timeout: float = 0

    @property
    def call(self) -> str:
        """Return the method and the path, without the id of a device or a command."""
        return f"{self.method} {self.path}"

    @property
    def full_path(self) -> str:
        """Return the path with the id."""
        return self.path.replace("{id}", quote(self.id, safe=""))


class Transport:
    """Send requests with the credentials of one account.

    A request is sent only once, unless OneNET refused it because the local clock is wrong.
    """

    def __init__(  # noqa: PLR0913 - all are part of every request
        self,
        session: aiohttp.ClientSession,
        credentials: Credentials,
        platform: platforms.Platform,
        *,
        base_url: str | None,
        product_id: str | None,
        timeout: float,
    ) -> None:
        """Create a transport; no request is sent."""
        self._session = session
        self._credentials = credentials
        self._platform = platform
        self._base_url = (base_url or platform.base_url).rstrip("/")
        self._product = {"product_id": product_id} if platform.requires_product_id and product_id else {}
        self._timeout = timeout
        self.statistics = RequestStatistics()
        # The platform's time at the last update, and the monotonic time of that update.
        self._platform_time: datetime | None = None
        self._updated_at = 0.0
        # The clock difference used for tokens. It only changes after it made a refused request succeed, because a
        # gateway may send a wrong date.
        self._signing_skew = timedelta()
        self._date: str | None = None

    def now(self) -> datetime:
        """Return the platform's time in UTC, which defaults to the local time until the first reply."""
        if self._platform_time is None:
            return datetime.now(UTC)
        return self._platform_time + timedelta(seconds=time.monotonic() - self._updated_at)

    @property
    def skew(self) -> timedelta:
        """Return how far the platform's clock is ahead of the local clock."""
        return self.now() - datetime.now(UTC)

    async def check_credentials(self) -> None:
        """Send a request that names no device; raise AuthenticationError if OneNET refuses the credentials."""
        *preferred, last = self._platform.credentials_paths
        for path in preferred:
            try:
                await self.request_account(path)
            except NotSupportedError, RequestRejectedError:
                continue
            return
        await self.request_account(last, self._platform.page_query(1, 1))

    async def request_account(self, path: str, query: Mapping[str, str | float] | None = None) -> Any:
        """Send a GET request that names no device and return the data of the reply."""
        return await self.request(Request(path=path, query={**self._product, **(query or {})}, names_device=False))

    async def request_devices(self, path: str, query: Mapping[str, str | float], id_: str = "") -> Any:
        """Send a GET request about devices, outside of the NB-IoT prefix, and return the data of the reply.

        `id_` replaces `{id}` in the path.
        """
        return await self.request(Request(path=path, id=id_, query={**self._product, **query}))

    async def request(self, request: Request) -> Any:
        """Send a request and return the data of the reply; raise OneNetError."""
        try:
            return await self._request_with_clock_retry(request)
        except DeviceNotPermittedError as err:
            error = err
        raise await self._classify_refusal(error)

    async def _classify_refusal(self, error: DeviceNotPermittedError) -> PlatformError:
        """Return an error for invalid credentials or for an unknown device, which OneNET refuses in the same way."""
        try:
            await self.check_credentials()
        except AuthenticationError as err:
            return err
        except OneNetError:
            return error
        return UnknownDeviceError(error.text, error.errno)

    async def _request_with_clock_retry(self, request: Request) -> Any:
        """Send a request, and send it again with the platform's time if its token was refused."""
        # A concurrent request may change the attribute.
        signing_skew = self._signing_skew
        headers = self._authorization(signing_skew)
        try:
            return await self._request_redacted(request, headers)
        except AuthenticationError, DeviceNotPermittedError, ClockError:
            # The refusal has updated the platform's time. API keys do not depend on it, so their headers are equal.
            skew = self.skew
            if abs(skew - signing_skew) < _SKEW_MIN or (new_headers := self._authorization(skew)) == headers:
                raise
        data = await self._request_redacted(request, new_headers)
        self._signing_skew = skew
        return data

    def _authorization(self, skew: timedelta) -> dict[str, str]:
        """Return the authorization headers for a platform clock that is ahead by `skew`."""
        return self._credentials.headers(self._platform.authorization_version, datetime.now(UTC) + skew)

    async def _request_redacted(self, request: Request, headers: dict[str, str]) -> Any:
        """Send a request, count it, and remove secrets and the ids of devices from the text of any error."""
        started_at = time.monotonic()
        try:
            data = await self._exchange(request, headers)
        except OneNetError as err:
            # The server may repeat a secret in its text, which may be of any length.
            text = self._redact_ids(redact(err.text, headers), request)
            error = err.with_text(text.encode(errors="replace").decode()[:TEXT_MAX])
        else:
            self.statistics.add(request.call, time.monotonic() - started_at)
            return data
        self.statistics.add_failed(request.call, time.monotonic() - started_at, error, self.now())
        # Raised outside of the handler, because the context of the original error may contain the headers.
        raise error

    def _redact_ids(self, text: str, request: Request) -> str:
        """Replace the ids in a request, and other numbers of devices and SIM cards, in a text by `***`."""
        keys = str(request.query.get(self._platform.keys_parameter, "")).split(",")
        ids = filter(None, (request.id, str(request.query.get("imei", "")), *keys))
        # The longest first: one name may be the beginning of another.
        if pattern := "|".join(map(re.escape, sorted(ids, key=len, reverse=True))):
            text = re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", "***", text)
        return _LONG_NUMBER.sub("***", text)

    async def _exchange(self, request: Request, headers: dict[str, str]) -> Any:
        """Send a request and read the reply."""
        sent_at = time.monotonic()
        seconds = self._timeout + request.device_timeout
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._base_url}{request.full_path}").with_query(request.query),
                headers=headers if request.body is None else headers | _JSON,
                data=request.body,
                # A separate limit for connecting, because a request that failed to connect was certainly not sent.
                timeout=aiohttp.ClientTimeout(total=seconds, connect=self._timeout / 2),
                # A redirect would send the credentials to another host.
                allow_redirects=False,
                raise_for_status=False,
                middlewares=(_send_once,),
            ) as response:
                body = await _read_body(response)
        except aiohttp.ClientSSLError as err:
            raise TlsError(str(err)) from err
        # aiohttp validates a host name only when it resolves it, with a UnicodeError.
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError) as err:
            raise CannotConnectError(f"Could not connect: {err}") from err
        except aiohttp.ClientResponseError as err:
            raise UnexpectedReplyError(f"The reply is not HTTP: {err.message}") from err
        except TimeoutError as err:
            raise SlowReplyError(f"No reply within {seconds} seconds") from err
        except aiohttp.ClientError as err:
            raise NoReplyError(f"The reply is incomplete: {err}") from err
        try:
            reply = platforms.read_reply(body)
        except UnexpectedReplyError as err:
            raise _status_error(response, request) or err from err
        # Only OneNET's own replies have the platform's time; a proxy sends its own. Skip a date that did not change.
        if (date := response.headers.get(hdrs.DATE)) != self._date and date is not None:
            self._update_platform_time(date, sent_at)
        # The envelope is valid for every HTTP status.
        if reply.errno == 0:
            return reply.data
        raise platform_error(
            reply.errno,
            reply.text or "no text",
            idempotent=request.idempotent,
            names_device=request.names_device,
            about_command=request.about_command,
        )

    def _update_platform_time(self, date: str, sent_at: float) -> None:
        """Update the platform's time from the Date header of a reply to a request sent at `sent_at` (monotonic)."""
        self._date = date
        try:
            earliest = clock.from_header(date)
        except ValueError:
            return
        received_at = time.monotonic()
        # The header has whole seconds, and was written between the request and now. Keep the current value if it is
        # within these limits, or each reply would change a clock that is correct.
        latest = earliest + _SECOND + timedelta(seconds=received_at - sent_at)
        self._platform_time, self._updated_at = min(max(self.now(), earliest), latest), received_at


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevent aiohttp from sending an idempotent request again when the connection is closed before the reply."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise NoReplyError(f"The connection was closed before the reply: {err}") from err


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a reply; stop and raise UnexpectedReplyError if it exceeds REPLY_MAX."""
    body = bytearray()
    while not response.content.at_eof():
        body += await response.content.readany()
        if len(body) > REPLY_MAX:
            raise UnexpectedReplyError(f"The reply is larger than {REPLY_MAX} bytes")
    return bytes(body)


def _status_error(response: aiohttp.ClientResponse, request: Request) -> OneNetError | None:
    """Return the error for the HTTP status of a reply without an envelope; None for status 200."""
    text = f"HTTP {response.status} {response.reason}, {response.content_type}"
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return PlatformBusyError(text) if request.idempotent else OutcomeUnknownError(text, request_ended=True)
    if response.status in _REJECTIONS:
        return RequestRejectedError(text)
    # The server behind a gateway that returns such a status may still process the request.
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SlowReplyError(text)
    return None if response.status == HTTPStatus.OK else UnexpectedReplyError(text)
