"""Tests of the credentials and their authorization headers."""

import asyncio
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
import hashlib
import time
import traceback
from typing import Any, Self, override
from urllib.parse import parse_qsl, unquote

import aiohttp
import pytest

from custom_components.onenet_nbiot.onenet import errors, transport
from custom_components.onenet_nbiot.onenet.auth import AccessKey, ApiKey, redact
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.operations import CachedCommand, Read
from custom_components.onenet_nbiot.onenet.platforms import CURRENT, LEGACY, Platform
from tests.common import ACCESS_KEY, IMEI, KEY, PRODUCT_ID
from tests.emulator import Fault, FaultKind, Server

pytestmark = pytest.mark.usefixtures("device")

PLATFORMS = pytest.mark.parametrize("platform", [LEGACY, CURRENT], ids=lambda platform: platform.name)
RESOURCE = f"products/{PRODUCT_ID}"
# 2030-01-01 00:00 UTC, the expiry of these tokens, whose signatures are from OpenSSL.
EXPIRES_AT = 1893456000
SIGNED = [
    (RESOURCE, "2018-10-31", "uZh2oC4y5Z8+GICWSoFHQMmYHM0XJ5lTin6o9CB2Xmk="),
    (RESOURCE, "2022-05-01", "C2PSvisOuisOzqd2R0sZrLpcmE1hLgKV8L+UDMgZ1eI="),
    ("userid/7", "2022-05-01", "FWdTG84aH4c3o7MIjkf+5MSRb+FW5kqGJhJxxwUfCds="),
]


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """Return an HMAC, calculated according to RFC 2104."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def account(session: aiohttp.ClientSession, onenet: Server, platform: Platform, key: str = ACCESS_KEY) -> OneNetClient:
    """Return a client with an access key."""
    return OneNetClient(
        session, AccessKey(RESOURCE, key), base_url=onenet.url, platform=platform, product_id=PRODUCT_ID, pause=0
    )


def read() -> CachedCommand:
    """Return a cached read that the platform accepts."""
    return CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=datetime(2099, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("resource", "version", "sign"), SIGNED)
def test_a_token_has_the_documented_fields_and_signature(resource: str, version: str, sign: str) -> None:
    """A token has the documented fields and signature."""
    token = AccessKey(resource, ACCESS_KEY).token(version, EXPIRES_AT)
    fields = dict(parse_qsl(token, strict_parsing=True))
    assert fields == {"version": version, "res": resource, "et": str(EXPIRES_AT), "method": "sha256", "sign": sign}
    # Characters with a meaning in a query are percent-encoded.
    assert [value for value in token.split("&") if set(value.partition("=")[2]) & set("+/=? #")] == []
    text = f"{EXPIRES_AT}\nsha256\n{resource}\n{version}".encode()
    assert b64decode(sign) == hmac_sha256(b64decode(ACCESS_KEY), text)


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61, 599])
def test_a_token_is_valid_for_nine_to_ten_minutes(seconds: int) -> None:
    """A token is valid for 9 to 10 minutes and changes every minute."""
    start = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
    now = start + timedelta(seconds=seconds, microseconds=1)
    key = AccessKey(RESOURCE, ACCESS_KEY)
    headers = key.headers("2022-05-01", now)
    expires_at = dict(parse_qsl(headers["Authorization"]))["et"]
    assert timedelta(minutes=9) <= datetime.fromtimestamp(int(expires_at), UTC) - now <= timedelta(minutes=10)
    assert (headers == key.headers("2022-05-01", start)) is (seconds < 60)


@pytest.mark.parametrize("key", ["", "no base64!", "YWJj=ZGVm", "密钥"])
def test_an_access_key_that_is_not_base64_raises_an_error(key: str) -> None:
    """An access key that is empty or not base64 raises ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        AccessKey(RESOURCE, key)


@pytest.mark.parametrize("credentials", [ApiKey(KEY), AccessKey(RESOURCE, ACCESS_KEY)])
def test_the_representation_does_not_contain_the_key(credentials: ApiKey | AccessKey) -> None:
    """The representation of credentials does not contain the key."""
    assert credentials.key not in f"{credentials!r} {credentials}"


@PLATFORMS
async def test_an_access_key_is_accepted_on_both_platforms(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform
) -> None:
    """An access key is accepted on both platforms, and is never sent."""
    client = account(session, onenet, platform)
    await client.check_credentials()
    uuid = await client.queue(read())
    assert [command.uuid for command in onenet.onenet.commands] == [uuid]
    assert all("api-key" not in request.headers for request in onenet.requests)
    # The key itself is not sent.
    assert all(ACCESS_KEY not in str(request) for request in onenet.requests)


@PLATFORMS
@pytest.mark.parametrize(
    "credentials",
    [
        AccessKey(RESOURCE, b64encode(b"another").decode()),
        AccessKey("products/another", ACCESS_KEY),
        ApiKey("another"),
    ],
    ids=["key", "product", "api_key"],
)
async def test_invalid_credentials_raise_an_authentication_error(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform, credentials: ApiKey | AccessKey
) -> None:
    """Invalid credentials raise AuthenticationError, and nothing is queued."""
    client = OneNetClient(session, credentials, base_url=onenet.url, platform=platform, product_id=PRODUCT_ID)
    with pytest.raises(errors.AuthenticationError):
        await client.check_credentials()
    with pytest.raises(errors.AuthenticationError):
        await client.queue(read())
    assert onenet.onenet.commands == []


async def test_a_refused_request_is_not_repeated_at_the_start_of_a_minute(
    session: aiohttp.ClientSession, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused request is not repeated because the token changes at the start of a minute."""
    ahead = timedelta(seconds=59.9 - time.time() % 60)

    class SetClock(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + ahead

    monkeypatch.setattr(transport, "datetime", SetClock)
    onenet.onenet.clock.offset = ahead
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed", seconds=0.2))
    with pytest.raises(errors.AuthenticationError):
        await account(session, onenet, LEGACY).get_devices()
    assert len(onenet.requests) == 1


@PLATFORMS
@pytest.mark.parametrize("offset", [timedelta(days=400), timedelta(minutes=15)])
async def test_a_wrong_clock_requires_one_additional_request(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform, offset: timedelta
) -> None:
    """If the local clock is wrong, only the first request is repeated."""
    onenet.onenet.clock.offset = offset
    client = account(session, onenet, platform)
    expired_time = onenet.onenet.clock.now() + timedelta(days=1)
    uuid = await client.queue(CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=expired_time))
    assert [command.uuid for command in onenet.onenet.commands] == [uuid]
    assert len(onenet.requests) == 2
    await client.check_credentials()
    assert len(onenet.requests) == 3


async def test_concurrent_requests_succeed_with_a_wrong_clock(session: aiohttp.ClientSession, onenet: Server) -> None:
    """Concurrent requests succeed if the local clock is wrong."""
    onenet.onenet.clock.offset = timedelta(minutes=15)
    client = account(session, onenet, LEGACY)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed", path="/getbyimei", seconds=0.3))
    device, page = await asyncio.gather(client.get_device(IMEI), client.get_devices())
    assert device.imei == page.devices[0].imei == IMEI


@PLATFORMS
async def test_a_request_with_a_wrong_key_is_repeated_at_most_once(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform
) -> None:
    """A request with a wrong key is repeated at most once."""
    onenet.onenet.clock.offset = timedelta(days=400)
    client = account(session, onenet, platform, b64encode(b"another").decode())
    with pytest.raises(errors.AuthenticationError):
        await client.queue(read())
    # The command and the check of the credentials, each repeated once with the platform's time.
    assert len(onenet.requests) <= 4


@PLATFORMS
async def test_a_gateway_with_a_wrong_clock_does_not_affect_tokens(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong date of a gateway does not permanently change the time of tokens."""

    async def date(_: Any, response: Any) -> None:
        response.headers["Date"] = format_datetime(onenet.onenet.clock.now() - timedelta(hours=1), usegmt=True)

    server = Server(onenet.onenet)
    monkeypatch.setattr(server, "_date", date)
    await server.start()
    client = account(session, server, platform)
    for _ in range(3):
        await client.check_credentials()
    # One or several refusals with the gateway's date do not change the time of later tokens.
    server.faults.append(Fault(kind=FaultKind.ERRNO, errno=10403, text="auth", times=2))
    refused = await asyncio.gather(client.check_credentials(), client.check_credentials(), return_exceptions=True)
    assert all(isinstance(error, errors.AuthenticationError | errors.ClockError) for error in refused)
    await client.check_credentials()
    await server.stop()


async def test_a_request_with_an_api_key_is_not_repeated_for_a_wrong_clock(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """A refused request with an API key is not repeated, because the key does not depend on the time."""
    onenet.onenet.clock.offset = timedelta(days=400)
    with pytest.raises(errors.AuthenticationError):
        await OneNetClient(session, ApiKey("another"), base_url=onenet.url).queue(read())
    assert [request.path for request in onenet.requests] == ["/nbiot/offline", "/devices"]


async def test_get_device_statuses_sends_no_request_on_the_current_platform(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """`get_device_statuses` raises NotSupportedError on the current platform without sending a request."""
    client = account(session, onenet, CURRENT)
    assert not client.has_statuses
    with pytest.raises(errors.NotSupportedError):
        await client.get_device_statuses(["1"])
    assert not onenet.requests


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind=FaultKind.ERRNO, errno=10403, text="authentication failed"), errors.AuthenticationError),
        (Fault(kind=FaultKind.ERRNO, errno=10408, text="no such product"), errors.AuthenticationError),
        (Fault(kind=FaultKind.ERRNO, errno=10500, text="internal"), errors.PlatformBusyError),
        (Fault(kind=FaultKind.ERRNO, errno=10001, text="parameter"), errors.InvalidRequestError),
        (Fault(kind=FaultKind.PAGE, status=404, times=2), errors.UnexpectedReplyError),
        # The list of devices is used if the product is not available.
        (Fault(kind=FaultKind.ERRNO, errno=10404, text="no such path"), None),
        (Fault(kind=FaultKind.PAGE, status=404), None),
    ],
)
async def test_the_current_platform_checks_credentials_without_a_device(
    session: aiohttp.ClientSession, onenet: Server, fault: Fault, error: type[errors.OneNetError] | None
) -> None:
    """Credentials are checked with the product, or else with the list of devices."""
    onenet.faults.append(Fault(**vars(fault)))
    client = account(session, onenet, CURRENT)
    if error is None:
        await client.check_credentials()
        assert [request.path for request in onenet.requests] == ["/product/detail", "/device/list"]
    else:
        with pytest.raises(error):
            await client.check_credentials()
        tried = ["/product/detail", "/device/list"] if fault.times > 1 else ["/product/detail"]
        assert [request.path for request in onenet.requests] == tried


async def test_an_error_of_the_list_of_devices_fails_the_check_of_credentials(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """An error of the list of devices fails the check of the credentials."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10001, text="parameter"))
    with pytest.raises(errors.InvalidRequestError):
        await account(session, onenet, LEGACY).check_credentials()


@PLATFORMS
@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("part", ["whole", "sign"])
async def test_errors_do_not_contain_a_token(
    session: aiohttp.ClientSession, onenet: Server, platform: Platform, part: str, *, decoded: bool
) -> None:
    """An error contains neither the token nor its signature."""
    client = account(session, onenet, platform)
    await client.check_credentials()
    token = onenet.requests[-1].headers["authorization"]
    secret = token if part == "whole" else token.rpartition("sign=")[2]
    onenet.faults.append(
        Fault(kind=FaultKind.ERRNO, errno=3, text=f"bad: {unquote(secret) if decoded else secret}, sorry")
    )
    with pytest.raises(errors.OneNetError) as caught:
        await client.queue(read())
    assert caught.value.text.endswith(", sorry")
    shown = "".join(traceback.format_exception(caught.value))
    sign = token.rpartition("sign=")[2]
    assert sign not in shown
    assert unquote(sign) not in shown


@pytest.mark.parametrize("form", ["k+y/1=", "k%2By%2F1%3D", "k%2by%2f1%3d"])
@pytest.mark.parametrize("name", ["api-key", "Authorization"])
def test_a_secret_is_redacted_with_and_without_percent_encoding(name: str, form: str) -> None:
    """A secret is redacted with and without percent-encoding."""
    value = "k+y/1=" if name == "api-key" else "version=1&sign=k%2By%2F1%3D"
    assert redact(f"/devices?token={form}&page=1", {name: value}) == "/devices?token=***&page=1"


def test_text_without_a_secret_is_not_redacted() -> None:
    """Text without a secret is not redacted."""
    headers = {"Authorization": "version=1&sign=c2VjcmV0%3D"}
    assert redact("version=1 is too old, sign= is missing", headers) == "version=1 is too old, sign= is missing"
