"""The calls of OneNET's HTTP API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from . import platforms
from .errors import (
    AuthenticationError,
    CannotConnectError,
    NoReplyError,
    NotPermittedError,
    OneNetError,
    OutcomeUnknownError,
    PlatformBusyError,
    PlatformError,
    TlsError,
    UnexpectedReplyError,
    UnknownDeviceError,
)
from .models import CachedRead, Device, DevicePage, uuid_from_wire

BODY_MAX = 2**20


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

    `session` stays the caller's to close. `base_url` replaces the platform's own. Every call takes
    `timeout` seconds at most and raises OneNetError when it fails; none is ever sent twice.
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
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=timeout / 2)

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
        return Device.from_wire(await self._device_request("GET", "/devices/getbyimei", {"imei": imei}), imei)

    async def queue_read(self, command: CachedRead) -> str:
        """Queue a cached read and return the command's UUID.

        Raise OutcomeUnknownError when the connection was lost after the command may have been queued,
        UnknownDeviceError, LimitReachedError for a device with 10 waiting commands, or another PlatformError when it
        was refused. Source: "Cached command: read device resources".
        """
        try:
            return uuid_from_wire(
                await self._device_request(
                    "GET", f"{self._platform.nbiot_prefix}/offline", command.query(), idempotent=False
                )
            )
        except NoReplyError as err:
            raise OutcomeUnknownError(err.text) from err

    async def _device_request(
        self, method: str, path: str, query: Mapping[str, str | int], *, idempotent: bool = True
    ) -> Any:
        """Make a call for one device, and tell a wrong key from a device that is not the account's."""
        try:
            return await self._request(method, path, query, idempotent=idempotent)
        except NotPermittedError as err:
            try:
                await self.prove_key()
            except AuthenticationError:
                raise
            except OneNetError:
                raise err from None
            raise UnknownDeviceError(err.text, err.errno) from err

    async def _request(self, method: str, path: str, query: Mapping[str, str | int], *, idempotent: bool = True) -> Any:
        """Make one request and return the data of its reply."""
        try:
            async with self._session.request(
                method,
                URL(f"{self._base_url}{path}").with_query(query),
                headers=self._headers,
                timeout=self._timeout,
                # Another host must not be handed the key.
                allow_redirects=False,
                middlewares=(_send_once,),
            ) as response:
                body = await _read(response)
        except aiohttp.ClientSSLError as err:
            raise TlsError(str(err)) from err
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as err:
            raise CannotConnectError(f"No connection: {err}") from err
        except aiohttp.ClientResponseError as err:
            # The original holds the request's headers, and so the key.
            raise UnexpectedReplyError(f"The reply is not HTTP: {err.message}") from None
        except TimeoutError as err:
            raise NoReplyError(f"No reply within {self._timeout.total} seconds") from err
        except aiohttp.ClientError as err:
            raise NoReplyError(f"The reply broke off: {err}") from err
        status_error = _status_error(response)
        try:
            data = self._platform.unwrap(body, idempotent=idempotent)
        except UnexpectedReplyError as err:
            if status_error:
                raise status_error from err
            raise
        except PlatformError as err:
            # A platform that repeats the key in its text must not bring it into logs and events.
            raise type(err)(err.text.replace(self._headers["api-key"], "***"), err.errno) from None
        if status_error:
            raise status_error
        return data


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; raise UnexpectedReplyError, and read no further, where it is too large."""
    body = b""
    while not response.content.at_eof():
        body += await response.content.readany()
        if len(body) > BODY_MAX:
            raise UnexpectedReplyError(f"The reply is larger than {BODY_MAX} bytes")
    return body


def _status_error(response: aiohttp.ClientResponse) -> NoReplyError | PlatformError | None:
    """Return what a status means that did not come with a reply of OneNET's."""
    if response.status == HTTPStatus.OK:
        return None
    text = f"HTTP {response.status} {response.reason}, {response.content_type}"
    match response.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AuthenticationError(text)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return PlatformBusyError(text)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return NoReplyError(text)
        case _:
            return UnexpectedReplyError(text)
