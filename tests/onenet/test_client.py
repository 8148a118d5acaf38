"""Tests of the API client with the emulator over a socket."""

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
import ipaddress
from itertools import chain
import json
from pathlib import Path
import socket
import ssl
import traceback
from typing import Any, Self, override

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import pytest
from yarl import URL

from custom_components.onenet_nbiot.onenet import errors, transport
from custom_components.onenet_nbiot.onenet.auth import AccessKey, ApiKey
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.models import Datapoint, Device, Opaque
from custom_components.onenet_nbiot.onenet.operations import CachedCommand, Read, Trigger
from custom_components.onenet_nbiot.onenet.platforms import CURRENT, LEGACY, Platform
from tests.common import DEVICE_KEY, IMEI, KEY
from tests.emulator import Device as EmulatedDevice, Fault, FaultKind, OneNet, Server, Trigger as EmulatedTrigger
from tests.emulator.device import CREATED

pytestmark = pytest.mark.usefixtures("device")


def read(imei: str = IMEI, **schedule: Any) -> CachedCommand:
    """Return a valid cached read command."""
    operation = Read(imei=imei, obj_id=3303, obj_inst_id=0, res_id=5700)
    return CachedCommand(operation=operation, expired_time=datetime(2099, 1, 1, tzinfo=UTC), **schedule)


async def test_queue_sends_all_fields_of_a_read(client: OneNetClient, onenet: Server) -> None:
    """`queue` sends all fields of a read command."""
    uuid = await client.queue(
        read(
            valid_time=datetime(2098, 12, 31, 16, 0, tzinfo=UTC),
            retry=0,
            timeout=40,
            trigger_msg=Trigger.REGISTER | Trigger.NOTIFY,
            bin2hex=False,
        )
    )
    assert [command.uuid for command in onenet.onenet.commands] == [uuid]
    request = onenet.requests[-1]
    assert (request.method, request.path, request.headers["api-key"]) == ("GET", "/nbiot/offline", KEY)
    assert request.query == {
        "imei": IMEI,
        "obj_id": "3303",
        "obj_inst_id": "0",
        "res_id": "5700",
        "valid_time": "2099-01-01T00:00:00",
        "expired_time": "2099-01-01T08:00:00",
        "retry": "0",
        "timeout": "40",
        "trigger_msg": "5",
        "bin2hex": "false",
    }


async def test_queue_omits_fields_that_are_none(client: OneNetClient, onenet: Server) -> None:
    """`queue` omits fields that are None."""
    expired_time = datetime(2099, 1, 1, tzinfo=UTC)
    await client.queue(CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=expired_time))
    assert onenet.requests[-1].query == {"imei": IMEI, "obj_id": "3303", "expired_time": "2099-01-01T08:00:00"}


async def test_get_devices_returns_the_requested_page(
    client: OneNetClient, onenet: Server, device: EmulatedDevice
) -> None:
    """`get_devices` returns the requested page."""
    second = onenet.onenet.products[0].add("1234", "Test lamp")
    page = await client.get_devices(page=2, per_page=1)
    assert page.total_count == 2
    expected = Device(
        id=str(second.id), name=str(second.id), title="Test lamp", online=False, imei="1234", create_time=CREATED
    )
    assert page.devices == (expected,)


async def test_get_device_returns_the_device_with_the_imei(client: OneNetClient, device: EmulatedDevice) -> None:
    """`get_device` returns the device with the IMEI."""
    assert await client.get_device(IMEI) == Device(
        id=str(device.id), name=str(device.id), title="Water meter", online=False, imei=IMEI, create_time=CREATED
    )


@pytest.mark.parametrize(
    ("auth_info", "imei"),
    [
        ("1234;460000000000000", "1234"),
        ("1234", "1234"),
        (f"{IMEI};460000000000000", IMEI),
        ("2023-gateway-7", None),
        ("1234 serial", None),
    ],
)
def test_auth_info_is_parsed_only_if_it_begins_with_an_imei(auth_info: str, imei: str | None) -> None:
    """The IMEI is parsed from `auth_info` only if it begins with one; other protocols have serial numbers there."""
    assert Device.from_wire({"id": 7, "auth_info": auth_info}).imei == imei


async def test_devices_of_other_protocols_are_listed_without_an_imei(client: OneNetClient, onenet: Server) -> None:
    """Devices of other protocols are listed without an IMEI."""
    onenet.faults.append(
        Fault(
            kind=FaultKind.BODY,
            text='{"errno": 0, "data": {"total_count": "2", "devices": [{"id": 1, "auth_info": "x"}, {"id": "2"}]}}',
        )
    )
    page = await client.get_devices()
    assert [(device.id, device.imei) for device in page.devices] == [("1", None), ("2", None)]


@pytest.mark.parametrize("key", ["key-of-another-account", DEVICE_KEY])
async def test_an_invalid_api_key_raises_an_authentication_error(
    session: aiohttp.ClientSession, onenet: Server, key: str
) -> None:
    """A key that is not the master key of a product raises AuthenticationError, and nothing is queued."""
    client = OneNetClient(session, ApiKey(key), base_url=onenet.url)
    with pytest.raises(errors.AuthenticationError):
        await client.check_credentials()
    with pytest.raises(errors.AuthenticationError):
        await client.queue(read())
    assert onenet.onenet.commands == []


async def test_an_imei_of_another_account_raises_an_unknown_device_error(client: OneNetClient) -> None:
    """The IMEI of a device of another account raises UnknownDeviceError."""
    with pytest.raises(errors.UnknownDeviceError) as caught:
        await client.queue(read(imei="866971030000009"))
    assert caught.value.errno == 1


async def test_a_refusal_is_reported_if_the_credentials_cannot_be_checked(client: OneNetClient, onenet: Server) -> None:
    """A refusal is reported as NotPermittedError if the credentials cannot be checked."""
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/devices"))
    with pytest.raises(errors.NotPermittedError):
        await client.queue(read(imei="866971030000009"))


async def test_the_eleventh_waiting_command_reaches_the_limit(client: OneNetClient) -> None:
    """The eleventh waiting command raises LimitReachedError."""
    for _ in range(10):
        await client.queue(read())
    with pytest.raises(errors.LimitReachedError):
        await client.queue(read())


PAGE = FaultKind.PAGE


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (Fault(kind=FaultKind.RESET_BEFORE), errors.NoReplyError, "closed before the reply"),
        (Fault(kind=FaultKind.RESET_AFTER), errors.NoReplyError, "closed before the reply"),
        (Fault(kind=FaultKind.TRUNCATED), errors.NoReplyError, "incomplete"),
        (Fault(kind=FaultKind.GARBAGE), errors.UnexpectedReplyError, "not HTTP"),
        (Fault(kind=FaultKind.HUGE), errors.UnexpectedReplyError, "larger than"),
        (Fault(kind=FaultKind.EMPTY), errors.UnexpectedReplyError, "not in OneNET's format"),
        (Fault(kind=PAGE, status=200), errors.UnexpectedReplyError, "not in OneNET's format"),
        (Fault(kind=PAGE, status=302, location="/elsewhere"), errors.UnexpectedReplyError, "HTTP 302"),
        (Fault(kind=PAGE, status=400), errors.RequestRejectedError, "HTTP 400"),
        (Fault(kind=PAGE, status=404), errors.RequestRejectedError, "HTTP 404 Not Found, text/html"),
        (Fault(kind=PAGE, status=401), errors.UnexpectedReplyError, "HTTP 401"),
        (Fault(kind=PAGE, status=403), errors.UnexpectedReplyError, "HTTP 403"),
        (Fault(kind=PAGE, status=429), errors.PlatformBusyError, "HTTP 429"),
        (Fault(kind=PAGE, status=500), errors.SlowReplyError, "HTTP 500"),
        (Fault(kind=PAGE, status=503), errors.SlowReplyError, "HTTP 503"),
        (Fault(kind=PAGE, status=504), errors.SlowReplyError, "HTTP 504"),
        (Fault(kind=PAGE, status=500, text='{"errno": 15, "error": "slow"}'), errors.PlatformBusyError, "slow"),
        (Fault(kind=FaultKind.BODY, text="["), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text="[" * 100_000), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text="null"), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='["errno"]'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"error": "succ"}'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"errno": null}'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"errno": Infinity}'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0.9, "data": {}}'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"errno": false, "data": {}}'), errors.UnexpectedReplyError, "format"),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0, "data": 7}'), errors.UnexpectedReplyError, "not a list"),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0, "data": "x"}'), errors.UnexpectedReplyError, "not a list"),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0, "data": {"x": 1}}'), errors.UnexpectedReplyError, "not a list"),
        (Fault(kind=FaultKind.BODY, text='{"errno": "15", "error": null}'), errors.PlatformBusyError, "no text"),
    ],
)
async def test_every_unusable_reply_raises_a_onenet_error(
    client: OneNetClient, onenet: Server, fault: Fault, error: type[errors.OneNetError], text: str
) -> None:
    """Every unusable reply raises the matching OneNetError."""
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OneNetError) as caught:
        await client.get_devices()
    assert type(caught.value) is error
    assert text in str(caught.value)


async def test_a_huge_reply_is_not_read_completely(client: OneNetClient, onenet: Server) -> None:
    """A reply that is too large is not read completely."""
    onenet.faults.append(Fault(kind=FaultKind.HUGE))
    with pytest.raises(errors.UnexpectedReplyError):
        await client.get_devices()
    assert onenet.bytes_of_huge_reply < 2**25


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        (Fault(kind=FaultKind.RESET_BEFORE), 0),
        (Fault(kind=FaultKind.RESET_AFTER), 1),
        (Fault(kind=FaultKind.TRUNCATED), 1),
        (Fault(kind=FaultKind.EMPTY), 1),
        (Fault(kind=FaultKind.GARBAGE), 1),
        (Fault(kind=FaultKind.HUGE), 1),
        (Fault(kind=FaultKind.DELAY, seconds=60), 0),
        (Fault(kind=PAGE, status=502), 0),
        (Fault(kind=PAGE, status=302, location="/nbiot/offline"), 0),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0, "data": {"uuid": " "}}'), 1),
        (Fault(kind=FaultKind.BODY, text='{"errno": 0, "data": {"uuid": [7]}}'), 1),
        (Fault(kind=FaultKind.BODY, text=f'{{"errno": 0, "data": {{"uuid": "{"u" * 999}"}}}}'), 1),
        (Fault(kind=FaultKind.ERRNO, errno=7, text="internal"), 0),
        (Fault(kind=FaultKind.ERRNO, errno=5108, text="RPC error"), 0),
    ],
)
@pytest.mark.parametrize("connected_before", [False, True])
async def test_queue_sends_one_request_if_the_reply_is_lost(
    session: aiohttp.ClientSession, onenet: Server, fault: Fault, stored: int, *, connected_before: bool
) -> None:
    """`queue` sends one request if the reply is lost, and raises OutcomeUnknownError."""
    client = OneNetClient(session, ApiKey(KEY), base_url=onenet.url, timeout=0.5, pause=0)
    if connected_before:
        await client.check_credentials()
        onenet.requests.clear()
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OutcomeUnknownError):
        await client.queue(read())
    assert len(onenet.requests) == 1
    assert len(onenet.onenet.commands) == stored


@pytest.mark.parametrize(
    ("fault", "request_ended"),
    [
        (Fault(kind=FaultKind.RESET_BEFORE), True),
        (Fault(kind=FaultKind.RESET_AFTER), True),
        (Fault(kind=FaultKind.TRUNCATED), True),
        (Fault(kind=FaultKind.EMPTY), True),
        (Fault(kind=PAGE, status=429), True),
        (Fault(kind=PAGE, status=502), False),
        (Fault(kind=PAGE, status=504), False),
        (Fault(kind=FaultKind.DELAY, seconds=60), False),
        (Fault(kind=FaultKind.ERRNO, errno=14, text="latency"), False),
    ],
)
async def test_a_lost_reply_reports_whether_the_request_has_ended(
    session: aiohttp.ClientSession, onenet: Server, fault: Fault, *, request_ended: bool
) -> None:
    """OutcomeUnknownError reports whether the request has ended."""
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await OneNetClient(session, ApiKey(KEY), base_url=onenet.url, timeout=0.3).queue(read())
    assert caught.value.request_ended is request_ended


async def test_redirects_are_not_followed(client: OneNetClient, onenet: Server) -> None:
    """A redirect is not followed, so that another host does not receive the key."""
    thief = await Server(OneNet()).start()
    onenet.faults.append(Fault(kind=PAGE, status=307, location=f"{thief.url}/devices"))
    with pytest.raises(errors.UnexpectedReplyError):
        await client.check_credentials()
    assert not thief.requests
    await thief.stop()


@pytest.mark.parametrize(("size", "fits"), [(2**21, True), (2**21 + 1, False)])
async def test_replies_of_up_to_two_mebibytes_are_accepted(
    client: OneNetClient, onenet: Server, size: int, *, fits: bool
) -> None:
    """Replies of up to 2 MiB are accepted."""
    text = '{"errno": 0, "data": {"total_count": 0, "devices": []}}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=text.ljust(size)))
    if fits:
        assert (await client.get_devices()).devices == ()
    else:
        with pytest.raises(errors.UnexpectedReplyError):
            await client.get_devices()


class BrokenResolver(AbstractResolver):
    """A resolver that fails."""

    def __init__(self, error: Exception, seconds: float = 0) -> None:
        """Create a resolver that fails with an error after a delay in seconds."""
        self.host = ""
        self._error = error
        self._seconds = seconds

    @override
    async def resolve(self, host: str, *_: Any, **__: Any) -> list[ResolveResult]:
        self.host = host
        await asyncio.sleep(self._seconds)
        raise self._error

    @override
    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "resolver",
    [
        BrokenResolver(OSError("no such host")),
        BrokenResolver(OSError("too late"), seconds=60),
        # Raised by the standard library for host names such as a..b, or with a label of 64 characters.
        BrokenResolver(UnicodeError("label empty or too long")),
    ],
    ids=["unknown", "hanging", "impossible"],
)
async def test_a_failed_name_lookup_raises_a_cannot_connect_error(
    socket_enabled: None, resolver: BrokenResolver
) -> None:
    """A host name that cannot be resolved raises CannotConnectError, because nothing was sent."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        client = OneNetClient(session, ApiKey(KEY), base_url="http://api.example.com", timeout=0.2)
        with pytest.raises(errors.CannotConnectError):
            await client.queue(read())


@pytest.mark.parametrize(
    ("platform", "host"), [(LEGACY, "api.heclouds.com"), (CURRENT, "iot-api.heclouds.com")], ids=["legacy", "current"]
)
async def test_the_base_url_defaults_to_that_of_the_platform(
    socket_enabled: None, platform: Platform, host: str
) -> None:
    """The base URL defaults to that of the platform."""
    resolver = BrokenResolver(OSError("no such host"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        client = OneNetClient(session, AccessKey("products/1", "a2V5"), platform=platform)
        with pytest.raises(errors.CannotConnectError):
            await client.check_credentials()
    assert resolver.host == host


async def test_an_unreachable_host_raises_a_cannot_connect_error(session: aiohttp.ClientSession) -> None:
    """An unreachable host raises CannotConnectError, because nothing was sent."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        client = OneNetClient(session, ApiKey(KEY), base_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(errors.CannotConnectError):
            await client.queue(read())


async def test_a_self_signed_certificate_raises_a_tls_error(
    session: aiohttp.ClientSession, tmp_path: Path, expected_warnings: list[str]
) -> None:
    """A self-signed certificate raises TlsError before a request is sent."""
    expected_warnings.append("Error doing job: Error on transport creation for incoming connection")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    server = await Server(OneNet()).start(tls=context)
    with pytest.raises(errors.TlsError):
        await OneNetClient(session, ApiKey(KEY), base_url=server.url).check_credentials()
    assert not server.requests
    await server.stop()


async def test_a_server_without_tls_raises_a_tls_error(session: aiohttp.ClientSession, onenet: Server) -> None:
    """An https URL of a server without TLS raises TlsError."""
    with pytest.raises(errors.TlsError):
        await OneNetClient(session, ApiKey(KEY), base_url=onenet.url.replace("http:", "https:")).check_credentials()


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(kind=kind) for kind in FaultKind if kind not in (FaultKind.DELAY, FaultKind.BODY)),
        Fault(kind=FaultKind.ERRNO, errno=3, text=f"auth failed for {KEY}"),
        Fault(kind=FaultKind.ERRNO, errno=7, text=f"bad parameter, key {KEY}"),
        Fault(kind=FaultKind.ERRNO, errno=3, text=f"{'x' * 290}{KEY}"),
        Fault(kind=PAGE, status=401, text=f"bad key {KEY}", reason=f"bad key {KEY}"),
        Fault(kind=PAGE, status=500, text=KEY, reason=KEY),
        Fault(kind=FaultKind.GARBAGE, text=f"SIP/2.0 {KEY}\r\n\r\n"),
    ],
)
async def test_errors_do_not_contain_the_key(client: OneNetClient, onenet: Server, fault: Fault) -> None:
    """Neither an error nor its causes contain the key."""
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OneNetError) as caught:
        await client.queue(read())
    assert len(caught.value.text) <= 300
    shown = ["".join(traceback.format_exception(caught.value)), repr(client)]
    hanging: list[BaseException | None] = [caught.value]
    for error in hanging:
        if error:
            shown.append(repr(error))
            hanging += [error.__cause__, error.__context__]
    assert KEY[:20] not in "".join(shown)


async def test_unpaired_surrogates_in_an_error_text_are_replaced(client: OneNetClient, onenet: Server) -> None:
    """Unpaired surrogates in the text of an error are replaced, because they cannot be encoded."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text='{"errno": 3, "error": "bad \\ud800"}'))
    with pytest.raises(errors.InvalidRequestError) as caught:
        await client.queue(read())
    assert caught.value.text == "bad ?"


@pytest.mark.parametrize("offset", [timedelta(days=-20_000), timedelta(hours=-13), timedelta(minutes=5)])
async def test_every_reply_updates_the_platform_time(client: OneNetClient, onenet: Server, offset: timedelta) -> None:
    """Every reply of OneNET updates the platform's time."""
    for later in (timedelta(), timedelta(hours=1)):
        onenet.onenet.clock.offset = offset + later
        await client.get_devices()
        # The Date header has whole seconds.
        assert abs(client.now() - onenet.onenet.clock.now()) < timedelta(seconds=1.5)


@pytest.mark.parametrize("fault", [Fault(kind=PAGE, status=502), Fault(kind=PAGE), Fault(kind=FaultKind.EMPTY)])
async def test_a_reply_of_a_proxy_does_not_update_the_platform_time(
    client: OneNetClient, onenet: Server, fault: Fault
) -> None:
    """A reply that is not in OneNET's format does not update the platform's time."""
    await client.get_devices()
    onenet.onenet.clock.offset = timedelta(days=36)
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.NoReplyError):
        await client.get_devices()
    assert abs(client.now() - datetime.now(UTC)) < timedelta(seconds=1.5)


async def test_setting_the_local_clock_does_not_change_the_platform_time(
    client: OneNetClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting the local clock does not change the platform's time."""

    class SetClock(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=3)

    await client.get_devices()
    monkeypatch.setattr(transport, "datetime", SetClock)
    assert abs(client.now() - datetime.now(UTC)) < timedelta(seconds=1.5)
    assert client.skew < timedelta(hours=-2)


async def test_a_correct_clock_is_not_adjusted(client: OneNetClient, onenet: Server) -> None:
    """The platform's time equals the local time within 20 ms if the local clock is correct."""
    for seconds in (0.0, 0.2):
        onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=seconds))
        await client.get_devices()
        assert abs(client.now() - datetime.now(UTC)) < timedelta(milliseconds=20)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Date: yesterday\r\n",
        "Date: Wed, 02 Dec 99999999999999999999 09:02:24 GMT\r\n",
        "Date: Fri, 31 Dec 9999 23:59:59 -0100\r\n",
    ],
)
async def test_an_invalid_date_does_not_change_the_platform_time(
    client: OneNetClient, onenet: Server, header: str
) -> None:
    """A reply with a missing or invalid date does not change the platform's time."""
    onenet.onenet.clock.offset = timedelta(days=1)
    await client.get_devices()
    known = client.now()
    text = f"HTTP/1.1 502 Bad Gateway\r\n{header}Connection: close\r\nContent-Length: 0\r\n\r\n"
    onenet.faults.append(Fault(kind=FaultKind.GARBAGE, text=text))
    with pytest.raises(errors.NoReplyError, match="HTTP 502"):
        await client.get_devices()
    assert known < client.now() < known + timedelta(seconds=0.9)
    assert (await client.get_devices()).total_count == 1


async def test_get_device_statuses_accepts_batches_of_500(client: OneNetClient, onenet: Server) -> None:
    """`get_device_statuses` accepts 500 devices in one request."""
    product = onenet.onenet.products[0]
    devices = [product.add(str(866_971_040_000_000 + number), "Lamp") for number in range(1000)]
    ids = [str(device.id) for device in devices]
    onenet.onenet.wake(devices[7].imei, EmulatedTrigger.UPDATE)
    batches = list(client.batches(ids))
    assert [len(batch) for batch in batches] == [500, 500]
    found: dict[str, bool] = {}
    for batch in batches:
        found |= await client.get_device_statuses(batch)
    assert found == {id_: id_ == ids[7] for id_ in ids}
    assert await client.get_device_statuses(id_ for id_ in (ids[7], "1")) == {ids[7]: True}


@pytest.mark.parametrize("platform", [LEGACY, CURRENT], ids=lambda platform: platform.name)
def test_batches_fit_into_a_url(platform: Platform) -> None:
    """The keys of a batch fit into a URL, unless a single key is too long."""
    for key in ("590000101", "866971030000001", "meter-" + "x" * 80, "水表" * 20):
        keys = [f"{key}{number}" for number in range(1200)]
        batches = list(platform.batches(keys))
        assert [key for batch in batches for key in batch] == keys
        urls = [str(URL("https://h/x").with_query({platform.keys_parameter: ",".join(batch)})) for batch in batches]
        assert max(map(len, urls)) < 6000
    assert list(platform.batches([])) == []
    # A key that is too long is in a batch of its own.
    assert list(platform.batches(["x" * 9000, "y"])) == [["x" * 9000], ["y"]]


async def test_get_newest_datapoints_returns_those_of_many_devices(client: OneNetClient, onenet: Server) -> None:
    """`get_newest_datapoints` returns the newest values of 500 devices with their times."""
    product = onenet.onenet.products[0]
    resources = {(3303, instance, 5700): 21.5 for instance in range(10)}
    devices = [product.add(str(866_971_040_000_000 + number), "Meter", resources) for number in range(500)]
    ids = [str(device.id) for device in devices]
    assert dict(await client.get_newest_datapoints(ids)) == {id_: [] for id_ in ids}
    for device in devices[1:]:
        onenet.onenet.wake(device.imei, EmulatedTrigger.NOTIFY)
    onenet.onenet.report(devices[7].imei, {(3303, 0, 5700): 22.5})
    found = dict(await client.get_newest_datapoints(id_ for id_ in ids))
    assert list(found) == ids
    assert found.pop(ids[0]) == []
    paths = [f"3303/{instance}/5700" for instance in range(10)]
    assert all([datapoint.path for datapoint in datapoints] == paths for datapoints in found.values())
    assert [datapoint.value for datapoint in found.pop(ids[7])] == [22.5] + [21.5] * 9
    for datapoint in chain.from_iterable(found.values()):
        assert datapoint.value == 21.5
        assert timedelta() <= client.now() - datapoint.measured_at < timedelta(seconds=30)


async def test_invalid_statuses_are_omitted(client: OneNetClient, onenet: Server) -> None:
    """Devices with an invalid id or status are omitted."""
    devices = [
        {"id": 1, "online": True},
        {"id": " 2 ", "online": False},
        {"id": "3", "online": 1},
        {"id": "4", "online": "false"},
        {"id": "5", "online": []},
        {"id": "7", "online": "maybe"},
        {"id": "6"},
        {"id": None, "online": True},
        {"online": True},
        7,
    ]
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "data": {"devices": devices}})))
    assert await client.get_device_statuses(["1"]) == {"1": True, "2": False, "3": True, "4": False}


def add_reply(onenet: Server, *devices: Any) -> None:
    """Make the next reply a list of devices."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "data": {"devices": devices}})))


def stream(value: Any = 21.5, at: Any = "2015-12-01 17:10:24", id_: Any = "3303_0_5700") -> dict[str, Any]:
    """Return a datastream in the format of a reply."""
    return {"id": id_, "at": at, "value": value}


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (21.5, 21.5),
        (0, 0),
        (False, False),
        ("", ""),
        ("on", "on"),
        (None, None),
        ({"on": [1]}, {"on": [1]}),
        ([0, 255, 16], "00ff10"),
        ([], ""),
        ([-1], "ff"),
        ([256], [256]),
        ([-129], [-129]),
        ([True], [True]),
        (["on", 1], ["on", 1]),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(10**40), f"-1{'0' * 40}"),
        ({"deep": [10**40]}, {"deep": [f"1{'0' * 40}"]}),
        ("half \ud800", "half ?"),
    ],
    ids=str,
)
async def test_values_of_all_types_are_parsed(client: OneNetClient, onenet: Server, wire: Any, value: Any) -> None:
    """Values of all types are parsed, and those that cannot be encoded as JSON are converted."""
    add_reply(onenet, {"id": "7", "datastreams": [stream(wire)]})
    ((_, (datapoint,)),) = await client.get_newest_datapoints(["7"])
    kind = Opaque if isinstance(wire, list) and isinstance(value, str) else type(value)
    assert (datapoint.path, datapoint.value, type(datapoint.value)) == ("3303/0/5700", value, kind)


@pytest.mark.parametrize(
    ("at", "measured_at"),
    [
        ("2015-12-01 17:10:24.981", datetime(2015, 12, 1, 9, 10, 24, 981000, tzinfo=UTC)),
        ("2015-12-01 17:10:24", datetime(2015, 12, 1, 9, 10, 24, tzinfo=UTC)),
        ("2015-12-01T17:10:24", datetime(2015, 12, 1, 9, 10, 24, tzinfo=UTC)),
        ("2015-12-01T17:10:24:981", datetime(2015, 12, 1, 9, 10, 24, 981000, tzinfo=UTC)),
        (" 2015-12-01 00:10:24 ", datetime(2015, 11, 30, 16, 10, 24, tzinfo=UTC)),
        ("Tue Dec 01 17:10:24 CST 2015", datetime(2015, 12, 1, 9, 10, 24, tzinfo=UTC)),
    ],
)
async def test_the_time_of_a_datapoint_is_parsed_in_every_format(
    client: OneNetClient, onenet: Server, at: str, measured_at: datetime
) -> None:
    """The time of a datapoint is parsed in every format."""
    add_reply(onenet, {"id": "7", "datastreams": [stream(at=at)]})
    assert dict(await client.get_newest_datapoints(["7"])) == {
        "7": [Datapoint(path="3303/0/5700", value=21.5, measured_at=measured_at)]
    }


@pytest.mark.parametrize(
    "invalid",
    [
        None,
        7,
        "3303_0_5700",
        [],
        {},
        stream(id_=None),
        stream(id_=7),
        stream(id_=["3303_0_5700"]),
        stream(at=None),
        stream(at=-7),
        stream(at={}),
        stream(at="yesterday"),
        stream(at="9999-12-31"),
        stream(at="9999-12-31 23:59:59"),
        {"id": "3303_0_5700", "at": "2015-12-01 17:10:24"},
        {"id": "3303_0_5700", "value": 21.5},
        {"at": "2015-12-01 17:10:24", "value": 21.5},
    ],
    ids=str,
)
async def test_invalid_datastreams_are_omitted(client: OneNetClient, onenet: Server, invalid: Any) -> None:
    """An invalid datastream is omitted, and the others are parsed."""
    good = [stream(id_="3303_0_5700"), stream(id_="3303_1_5700")]
    add_reply(onenet, {"id": "7", "datastreams": [good[0], invalid, good[1]]})
    ((_, datapoints),) = await client.get_newest_datapoints(["7"])
    assert [datapoint.path for datapoint in datapoints] == ["3303/0/5700", "3303/1/5700"]


async def test_datastreams_without_a_resource_are_omitted(client: OneNetClient, onenet: Server) -> None:
    """A datastream that does not belong to a resource is omitted."""
    add_reply(onenet, {"id": "7", "datastreams": [stream(id_="temperature"), stream(id_="3303/0/5700")]})
    ((_, datapoints),) = await client.get_newest_datapoints(["7"])
    assert [datapoint.path for datapoint in datapoints] == ["3303/0/5700"]


@pytest.mark.parametrize("streams", [None, 7, "text", {}, []], ids=str)
async def test_a_device_without_datastreams_has_no_datapoints(
    client: OneNetClient, onenet: Server, streams: Any
) -> None:
    """A device without datastreams has no datapoints."""
    add_reply(onenet, {"id": "1", "datastreams": streams}, {"id": "2"}, {"id": "3", "datastreams": [stream()]})
    found = dict(await client.get_newest_datapoints(["1", "2", "3"]))
    assert {id_: len(datapoints) for id_, datapoints in found.items()} == {"1": 0, "2": 0, "3": 1}


async def test_the_id_of_a_device_may_be_a_number_or_a_string(client: OneNetClient, onenet: Server) -> None:
    """The id of a device may be a number or a string; devices with an invalid id are omitted."""
    datastreams = [stream()]
    add_reply(
        onenet,
        {"id": 1, "datastreams": datastreams},
        {"id": "2", "datastreams": datastreams},
        {"id": " 3 ", "datastreams": datastreams},
        {"id": None, "datastreams": datastreams},
        {"id": [4], "datastreams": datastreams},
        {"id": 5.0, "datastreams": datastreams},
        {"datastreams": datastreams},
        7,
        None,
    )
    found = dict(await client.get_newest_datapoints(["1", "2", "3"]))
    assert list(found) == ["1", "2", "3", "5"]
    assert all(len(datapoints) == 1 for datapoints in found.values())


@pytest.mark.parametrize("data", ["7", '"text"', '{"devices": 7}', '{"other": []}'])
async def test_a_reply_without_a_list_of_devices_raises_an_error(
    client: OneNetClient, onenet: Server, data: str
) -> None:
    """The calls raise UnexpectedReplyError if the reply does not contain a list of devices."""
    for call in (client.get_device_statuses, client.get_newest_datapoints):
        onenet.faults.append(Fault(kind=FaultKind.BODY, text=f'{{"errno": 0, "data": {data}}}'))
        with pytest.raises(errors.UnexpectedReplyError):
            await call(["1"])


async def test_commands_are_separated_by_a_pause_for_each_device(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """Commands for one device are sent in order with a pause, without delaying other devices."""
    onenet.onenet.command_interval = 0.2
    client = OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=0.25)
    other = onenet.onenet.products[0].add("866971030000002", "Other", {(3303, 0, 5700): 1.0})
    loop = asyncio.get_running_loop()
    started = loop.time()
    ended: list[tuple[str, float]] = []

    async def queue(imei: str, res_id: int) -> None:
        operation = Read(imei=imei, obj_id=3303, obj_inst_id=0, res_id=res_id)
        await client.queue(CachedCommand(operation=operation, expired_time=datetime(2099, 1, 1, tzinfo=UTC)))
        ended.append((f"{imei}/{res_id}", loop.time() - started))

    await asyncio.gather(*(queue(IMEI, number) for number in range(3)), queue(other.imei, 0))
    # In the order of the calls.
    assert [command.args["res_id"] for command in onenet.onenet.commands if command.imei == IMEI] == ["0", "1", "2"]
    assert dict(ended)[f"{other.imei}/0"] < 0.2
    assert dict(ended)[f"{IMEI}/0"] < 0.2
    assert dict(ended)[f"{IMEI}/2"] >= 0.5


async def test_the_pause_starts_after_the_request_and_is_shared_by_clients(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """The pause starts when a request has ended, and applies to all clients of a session."""
    onenet.onenet.command_interval = 0.25
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.4))
    for _ in range(3):
        await OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=0.3).queue(read())
    assert len(onenet.onenet.commands) == 3


async def test_queue_omits_a_valid_time_that_has_passed_during_the_pause(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """`queue` omits a `valid_time` that has passed during the pause."""
    client = OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=1.2)
    soon = (client.now() + timedelta(seconds=1)).replace(microsecond=0)
    first, second = await asyncio.gather(client.queue(read()), client.queue(read(valid_time=soon)))
    assert [command.uuid for command in onenet.onenet.commands] == [first, second]
    assert "valid_time" not in onenet.requests[-1].query
