"""The API client, against the emulator over a real socket."""

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
from tests.conftest import DEVICE_KEY, IMEI, KEY
from tests.emulator import Device as EmulatedDevice, Fault, FaultKind, OneNet, Server, Trigger as EmulatedTrigger

pytestmark = pytest.mark.usefixtures("device")


def read(imei: str = IMEI, **schedule: Any) -> CachedCommand:
    """Return a cached read that the platform accepts."""
    operation = Read(imei=imei, obj_id=3303, obj_inst_id=0, res_id=5700)
    return CachedCommand(operation=operation, expired_time=datetime(2099, 1, 1, tzinfo=UTC), **schedule)


async def test_a_queued_read_arrives_with_every_field_as_given(client: OneNetClient, onenet: Server) -> None:
    """The device would be asked for something else, or at another time."""
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


async def test_what_was_not_given_is_left_to_the_platform(client: OneNetClient, onenet: Server) -> None:
    """The platform's own defaults, which it may improve, would be overruled."""
    expired_time = datetime(2099, 1, 1, tzinfo=UTC)
    await client.queue(CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=expired_time))
    assert onenet.requests[-1].query == {"imei": IMEI, "obj_id": "3303", "expired_time": "2099-01-01T08:00:00"}


async def test_the_accounts_devices_come_page_by_page(
    client: OneNetClient, onenet: Server, device: EmulatedDevice
) -> None:
    """A person with more than one page of devices would never see the others."""
    second = onenet.onenet.products[0].add("1234", "Test lamp")
    page = await client.get_devices(page=2, per_page=1)
    assert page.total_count == 2
    assert page.devices == (
        Device(id=str(second.id), name=str(second.id), title="Test lamp", online=False, imei="1234"),
    )


async def test_a_device_is_found_by_its_imei(client: OneNetClient, device: EmulatedDevice) -> None:
    """A person would have to know the platform's own number of the device."""
    assert await client.get_device(IMEI) == Device(
        id=str(device.id), name=str(device.id), title="Water meter", online=False, imei=IMEI
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
def test_only_an_imei_in_auth_info_is_one(auth_info: str, imei: str | None) -> None:
    """Devices of other protocols have serial numbers there."""
    assert Device.from_wire({"id": 7, "auth_info": auth_info}).imei == imei


async def test_devices_of_other_protocols_do_not_disturb(client: OneNetClient, onenet: Server) -> None:
    """An account with one MQTT device could not list any."""
    onenet.faults.append(
        Fault(
            kind=FaultKind.BODY,
            text='{"errno": 0, "data": {"total_count": "2", "devices": [{"id": 1, "auth_info": "x"}, {"id": "2"}]}}',
        )
    )
    page = await client.get_devices()
    assert [(device.id, device.imei) for device in page.devices] == [("1", None), ("2", None)]


@pytest.mark.parametrize("key", ["somebody-elses-key", DEVICE_KEY])
async def test_a_key_that_is_no_products_master_key_is_an_authentication_error(
    session: aiohttp.ClientSession, onenet: Server, key: str
) -> None:
    """A person would look for the fault in the device."""
    client = OneNetClient(session, ApiKey(key), base_url=onenet.url)
    with pytest.raises(errors.AuthenticationError):
        await client.check_credentials()
    with pytest.raises(errors.AuthenticationError):
        await client.queue(read())
    assert onenet.onenet.commands == []


async def test_an_imei_of_somebody_elses_is_an_unknown_device(client: OneNetClient) -> None:
    """A person who mistyped an IMEI would be asked for a new key."""
    with pytest.raises(errors.UnknownDeviceError) as caught:
        await client.queue(read(imei="866971030000009"))
    assert caught.value.errno == 1


async def test_a_refusal_stays_one_while_the_key_cannot_be_proved(client: OneNetClient, onenet: Server) -> None:
    """A command that was certainly refused would be reported as perhaps queued."""
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/devices"))
    with pytest.raises(errors.NotPermittedError):
        await client.queue(read(imei="866971030000009"))


async def test_the_eleventh_waiting_command_reaches_the_limit(client: OneNetClient) -> None:
    """An automation could not tell a full queue from any other trouble."""
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
async def test_whatever_comes_back_is_an_error_of_the_family(
    client: OneNetClient, onenet: Server, fault: Fault, error: type[errors.OneNetError], text: str
) -> None:
    """A caller would meet exceptions that nobody told it of."""
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OneNetError) as caught:
        await client.get_devices()
    assert type(caught.value) is error
    assert text in str(caught.value)


async def test_a_huge_reply_is_not_read_to_its_end(client: OneNetClient, onenet: Server) -> None:
    """A broken server could fill Home Assistant's memory."""
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
async def test_a_lost_reply_never_queues_a_command_twice(
    session: aiohttp.ClientSession, onenet: Server, fault: Fault, stored: int, *, connected_before: bool
) -> None:
    """A device that lives ten years on one battery would do everything twice."""
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
async def test_a_request_without_a_reply_is_over_or_still_on_its_way(
    session: aiohttp.ClientSession, onenet: Server, fault: Fault, *, request_ended: bool
) -> None:
    """A command that arrives late would be reported as never queued."""
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        await OneNetClient(session, ApiKey(KEY), base_url=onenet.url, timeout=0.3).queue(read())
    assert caught.value.request_ended is request_ended


async def test_a_redirect_does_not_carry_the_key_to_another_host(client: OneNetClient, onenet: Server) -> None:
    """Whoever can redirect a request would own the account."""
    thief = await Server(OneNet()).start()
    onenet.faults.append(Fault(kind=PAGE, status=307, location=f"{thief.url}/devices"))
    with pytest.raises(errors.UnexpectedReplyError):
        await client.check_credentials()
    assert not thief.requests
    await thief.stop()


@pytest.mark.parametrize(("size", "fits"), [(2**21, True), (2**21 + 1, False)])
async def test_a_reply_may_have_two_mebibytes(client: OneNetClient, onenet: Server, size: int, *, fits: bool) -> None:
    """A long list of devices would be refused, or the limit be none."""
    text = '{"errno": 0, "data": {"total_count": 0, "devices": []}}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=text.ljust(size)))
    if fits:
        assert (await client.get_devices()).devices == ()
    else:
        with pytest.raises(errors.UnexpectedReplyError):
            await client.get_devices()


class BrokenResolver(AbstractResolver):
    """Look up names as no name server of ours could."""

    def __init__(self, error: Exception, seconds: float = 0) -> None:
        """Fail with an error, after some time."""
        self.asked = ""
        self._error = error
        self._seconds = seconds

    @override
    async def resolve(self, host: str, *_: Any, **__: Any) -> list[ResolveResult]:
        self.asked = host
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
        # What the standard library makes of a..b, or of a label of 64 characters.
        BrokenResolver(UnicodeError("label empty or too long")),
    ],
    ids=["unknown", "hanging", "impossible"],
)
async def test_a_name_that_is_not_found_is_told_from_a_lost_reply(
    socket_enabled: None, resolver: BrokenResolver
) -> None:
    """A command that was certainly not sent would be reported as perhaps queued, at every outage."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        client = OneNetClient(session, ApiKey(KEY), base_url="http://api.example.com", timeout=0.2)
        with pytest.raises(errors.CannotConnectError):
            await client.queue(read())


@pytest.mark.parametrize(
    ("platform", "host"), [(LEGACY, "api.heclouds.com"), (CURRENT, "iot-api.heclouds.com")], ids=["legacy", "current"]
)
async def test_who_names_no_server_means_the_platforms_own(socket_enabled: None, platform: Platform, host: str) -> None:
    """A program would have to look up the address, and might hand the key to another server."""
    resolver = BrokenResolver(OSError("no such host"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        client = OneNetClient(session, AccessKey("products/1", "a2V5"), platform=platform)
        with pytest.raises(errors.CannotConnectError):
            await client.check_credentials()
    assert resolver.asked == host


async def test_an_unreachable_host_is_told_from_a_lost_reply(session: aiohttp.ClientSession) -> None:
    """A command that was certainly not sent would be reported as perhaps queued."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        client = OneNetClient(session, ApiKey(KEY), base_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(errors.CannotConnectError):
            await client.queue(read())


async def test_a_certificate_that_nobody_signed_is_a_tls_error(
    session: aiohttp.ClientSession, tmp_path: Path, expected_warnings: list[str]
) -> None:
    """The key would be handed to whoever stands in between."""
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


async def test_a_server_without_tls_behind_https_is_a_tls_error(session: aiohttp.ClientSession, onenet: Server) -> None:
    """A person could not tell a wrong scheme from a dead host."""
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
async def test_no_error_shows_the_key(client: OneNetClient, onenet: Server, fault: Fault) -> None:
    """The key would end up in logs, traces and reports of problems."""
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


async def test_a_text_that_no_json_can_hold_is_mended(client: OneNetClient, onenet: Server) -> None:
    """The event of a refused command could not be sent to anybody."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text='{"errno": 3, "error": "bad \\ud800"}'))
    with pytest.raises(errors.InvalidRequestError) as caught:
        await client.queue(read())
    assert caught.value.text == "bad ?"


@pytest.mark.parametrize("offset", [timedelta(days=-20_000), timedelta(hours=-13), timedelta(minutes=5)])
async def test_every_reply_of_onenet_shows_its_time(client: OneNetClient, onenet: Server, offset: timedelta) -> None:
    """Where the clock here is wrong, a command that waits would pass for expired."""
    for later in (timedelta(), timedelta(hours=1)):
        onenet.onenet.clock.offset = offset + later
        await client.get_devices()
        # To the second.
        assert abs(client.now() - onenet.onenet.clock.now()) < timedelta(seconds=1.5)


@pytest.mark.parametrize("fault", [Fault(kind=PAGE, status=502), Fault(kind=PAGE), Fault(kind=FaultKind.EMPTY)])
async def test_the_clock_of_a_proxy_is_not_onenets(client: OneNetClient, onenet: Server, fault: Fault) -> None:
    """A command would get the wrong expiry."""
    await client.get_devices()
    onenet.onenet.clock.offset = timedelta(days=36)
    onenet.faults.append(Fault(**vars(fault)))
    with pytest.raises(errors.NoReplyError):
        await client.get_devices()
    assert abs(client.now() - datetime.now(UTC)) < timedelta(seconds=1.5)


async def test_a_clock_that_is_set_here_does_not_move_onenets_time(
    client: OneNetClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without a clock of its own gets the time from the network, at some time after its start."""

    class SetClock(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=3)

    await client.get_devices()
    monkeypatch.setattr(transport, "datetime", SetClock)
    assert abs(client.now() - datetime.now(UTC)) < timedelta(seconds=1.5)
    assert client.skew < timedelta(hours=-2)


async def test_a_clock_that_is_right_is_left_alone(client: OneNetClient, onenet: Server) -> None:
    """Times would be off by up to a second, though nothing is wrong."""
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
async def test_a_reply_without_a_date_changes_no_time(client: OneNetClient, onenet: Server, header: str) -> None:
    """A strange server could break every call, or move all times."""
    onenet.onenet.clock.offset = timedelta(days=1)
    await client.get_devices()
    known = client.now()
    text = f"HTTP/1.1 502 Bad Gateway\r\n{header}Connection: close\r\nContent-Length: 0\r\n\r\n"
    onenet.faults.append(Fault(kind=FaultKind.GARBAGE, text=text))
    with pytest.raises(errors.NoReplyError, match="HTTP 502"):
        await client.get_devices()
    assert known < client.now() < known + timedelta(seconds=0.9)
    assert (await client.get_devices()).total_count == 1


async def test_the_presence_of_many_devices_takes_few_calls(client: OneNetClient, onenet: Server) -> None:
    """A call for each would exceed OneNET's limit of calls."""
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
def test_the_keys_of_devices_fit_into_a_url(platform: Platform) -> None:
    """An ordinary server takes a request line of 8 KB."""
    for key in ("590000101", "866971030000001", "meter-" + "x" * 80, "水表" * 20):
        keys = [f"{key}{number}" for number in range(1200)]
        batches = list(platform.batches(keys))
        assert [key for batch in batches for key in batch] == keys
        urls = [str(URL("https://h/x").with_query({platform.keys_parameter: ",".join(batch)})) for batch in batches]
        assert max(map(len, urls)) < 6000
    assert list(platform.batches([])) == []
    # One that is too long is still asked for.
    assert list(platform.batches(["x" * 9000, "y"])) == [["x" * 9000], ["y"]]


async def test_the_newest_datapoints_are_told_for_many_at_once(client: OneNetClient, onenet: Server) -> None:
    """A person would see the values of some devices only, of before, or measured hours off."""
    product = onenet.onenet.products[0]
    resources = {(3303, instance, 5700): 21.5 for instance in range(10)}
    devices = [product.add(str(866_971_040_000_000 + number), "Meter", resources) for number in range(500)]
    ids = [str(device.id) for device in devices]
    assert dict(await client.get_newest_datapoints(ids)) == {id_: [] for id_ in ids}
    for device in devices[1:]:
        onenet.onenet.wake(device.imei, EmulatedTrigger.NOTIFY)
    onenet.onenet.report(devices[7].imei, {(3303, 0, 5700): 22.5})
    told = dict(await client.get_newest_datapoints(id_ for id_ in ids))
    assert list(told) == ids
    assert told.pop(ids[0]) == []
    paths = [f"3303/{instance}/5700" for instance in range(10)]
    assert all([datapoint.path for datapoint in datapoints] == paths for datapoints in told.values())
    assert [datapoint.value for datapoint in told.pop(ids[7])] == [22.5] + [21.5] * 9
    for datapoint in chain.from_iterable(told.values()):
        assert datapoint.value == 21.5
        assert timedelta() <= client.now() - datapoint.measured_at < timedelta(seconds=30)


async def test_a_strange_status_is_left_out(client: OneNetClient, onenet: Server) -> None:
    """One strange device would hide all others, or a sleeping one pass for awake."""
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


def tell(onenet: Server, *devices: Any) -> None:
    """Let the next reply be a list of these devices."""
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "data": {"devices": devices}})))


def stream(value: Any = 21.5, at: Any = "2015-12-01 17:10:24", id_: Any = "3303_0_5700") -> dict[str, Any]:
    """Return a datastream as it is on the wire."""
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
async def test_a_value_of_any_kind_is_read(client: OneNetClient, onenet: Server, wire: Any, value: Any) -> None:
    """A value that no JSON can hold would break what is shown of all devices, or bytes be a list that nobody reads."""
    tell(onenet, {"id": "7", "datastreams": [stream(wire)]})
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
async def test_the_time_of_a_value_is_read_in_every_form(
    client: OneNetClient, onenet: Server, at: str, measured_at: datetime
) -> None:
    """A value would be shown as measured hours off, or an old one hide a new one."""
    tell(onenet, {"id": "7", "datastreams": [stream(at=at)]})
    assert dict(await client.get_newest_datapoints(["7"])) == {
        "7": [Datapoint(path="3303/0/5700", value=21.5, measured_at=measured_at)]
    }


@pytest.mark.parametrize(
    "strange",
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
async def test_a_strange_datastream_is_left_out(client: OneNetClient, onenet: Server, strange: Any) -> None:
    """One strange datastream would hide all others."""
    good = [stream(id_="3303_0_5700"), stream(id_="3303_1_5700")]
    tell(onenet, {"id": "7", "datastreams": [good[0], strange, good[1]]})
    ((_, datapoints),) = await client.get_newest_datapoints(["7"])
    assert [datapoint.path for datapoint in datapoints] == ["3303/0/5700", "3303/1/5700"]


async def test_a_datastream_that_is_no_resource_is_left_out(client: OneNetClient, onenet: Server) -> None:
    """Only object_instance_resource is a resource."""
    tell(onenet, {"id": "7", "datastreams": [stream(id_="temperature"), stream(id_="3303/0/5700")]})
    ((_, datapoints),) = await client.get_newest_datapoints(["7"])
    assert [datapoint.path for datapoint in datapoints] == ["3303/0/5700"]


@pytest.mark.parametrize("streams", [None, 7, "text", {}, []], ids=str)
async def test_a_device_without_datastreams_has_no_values(client: OneNetClient, onenet: Server, streams: Any) -> None:
    """One device that has sent nothing yet would hide all others."""
    tell(onenet, {"id": "1", "datastreams": streams}, {"id": "2"}, {"id": "3", "datastreams": [stream()]})
    told = dict(await client.get_newest_datapoints(["1", "2", "3"]))
    assert {id_: len(datapoints) for id_, datapoints in told.items()} == {"1": 0, "2": 0, "3": 1}


async def test_the_id_of_a_device_may_be_a_number_or_a_text(client: OneNetClient, onenet: Server) -> None:
    """The values of devices would not be found, since OneNET tells ids in both forms; or a strange one hide them."""
    datastreams = [stream()]
    tell(
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
    told = dict(await client.get_newest_datapoints(["1", "2", "3"]))
    assert list(told) == ["1", "2", "3", "5"]
    assert all(len(datapoints) == 1 for datapoints in told.values())


@pytest.mark.parametrize("data", ["7", '"text"', '{"devices": 7}', '{"other": []}'])
async def test_a_reply_that_is_no_list_of_devices_is_an_error(client: OneNetClient, onenet: Server, data: str) -> None:
    """The error comes from the call, though devices are read one by one after it."""
    for call in (client.get_device_statuses, client.get_newest_datapoints):
        onenet.faults.append(Fault(kind=FaultKind.BODY, text=f'{{"errno": 0, "data": {data}}}'))
        with pytest.raises(errors.UnexpectedReplyError):
            await call(["1"])


async def test_commands_for_one_device_are_a_pause_apart_and_hold_up_no_other(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """OneNET refuses more than one command per device and second."""
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
    # In the order in which they came.
    assert [command.args["res_id"] for command in onenet.onenet.commands if command.imei == IMEI] == ["0", "1", "2"]
    assert dict(ended)[f"{other.imei}/0"] < 0.2
    assert dict(ended)[f"{IMEI}/0"] < 0.2
    assert dict(ended)[f"{IMEI}/2"] >= 0.5


async def test_the_pause_outlives_a_client_and_begins_when_a_command_has_arrived(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """An account that is reloaded has a new client, and a slow request arrives late."""
    onenet.onenet.command_interval = 0.25
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.4))
    for _ in range(3):
        await OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=0.3).queue(read())
    assert len(onenet.onenet.commands) == 3


async def test_a_command_that_waited_beyond_its_beginning_begins_now(
    session: aiohttp.ClientSession, onenet: Server
) -> None:
    """OneNET takes no valid_time in the past."""
    client = OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=1.2)
    soon = (client.now() + timedelta(seconds=1)).replace(microsecond=0)
    first, second = await asyncio.gather(client.queue(read()), client.queue(read(valid_time=soon)))
    assert [command.uuid for command in onenet.onenet.commands] == [first, second]
    assert "valid_time" not in onenet.requests[-1].query
