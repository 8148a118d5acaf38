"""Tests of the push: the sample requests in wire/, sent over a socket, and the expected events."""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
import hmac
import json
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
import pytest
from yarl import URL

from custom_components.onenet_nbiot.onenet.push import (
    MAX_BODY,
    DeviceIdentity,
    Push,
    PushedDatapoint,
    PushedOutcome,
    PushedPresence,
    PushEvent,
    PushReceiver,
    PushRefusedError,
    RefusalKind,
)

from .test_wire import WIRE, Case, expected_time, load, seconds, values_of

TOKEN = "token-of-the-tests"
LEGACY_KEY = "KeyOfTheTestsOnlyNoRealKeyABCDEFGHIJKLMNOPQ"
CURRENT_KEY = "KeyOfTheTests016"
NONCE = "nonce001"
IMEI = "860000000000101"
UUID = "a8ecb161-6412-5673-86d6-d9603a83ad67"
AT = 1772328600000
DATAPOINT = {"type": 1, "imei": IMEI, "ds_id": "3303_0_5700", "at": AT, "value": 21.5}
OUTCOME = {"type": 7, "imei": IMEI, "cmd_id": UUID, "send_status": 5, "confirm_status": 0}


@dataclass
class Application:
    """An application that receives pushes and omits duplicates."""

    receiver: PushReceiver
    events: list[PushEvent] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.Response:
        """Handle a request."""
        try:
            if request.method == "GET":
                return web.Response(text=self.receiver.check_url(request.rel_url.raw_query_string).answer)
            push = self.receiver.receive(await request.read())
        except PushRefusedError as err:
            return web.Response(status=err.status)
        keys = {push.fingerprint} | ({push.id} if push.id else set())
        if not keys & self.seen:
            self.events += push.events
        self.seen |= keys
        return web.Response()


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[URL]:
    """Serve an application and return its URL."""
    app = web.Application(client_max_size=2 * MAX_BODY)
    app.router.add_route("*", "/", application.handle)
    async with TestServer(app) as server:
        yield server.make_url("/")


async def send(session: ClientSession, url: URL, case: Case) -> ClientResponse:
    """Send the request of a case unchanged, and return the response with its body."""
    if case["method"] == "GET":
        request = session.get(URL(f"{url}?{case['query_text']}", encoded=True))
    else:
        headers = {"Content-Type": case["content_type"]}
        request = session.post(url, data=case["body_text"].encode(), headers=headers)
    async with request as answer:
        await answer.read()
        return answer


def members_of(event: PushEvent) -> dict[str, Any]:
    """Return an event in the format of the cases."""
    device = event.device
    found: dict[str, Any] = {
        "imei": device.imei,
        "pid": device.product_id,
        "name": device.name,
        "device": device.id,
    }
    match event:
        case PushedDatapoint(datapoint=point):
            found |= {
                "kind": "datapoint",
                "path": point.path,
                "value": point.value,
                "time": seconds(point.measured_at),
            }
        case PushedPresence(presence=presence):
            found |= {"kind": "presence", "online": presence.online, "time": seconds(presence.time)}
        case PushedOutcome(record=record, result=result):
            found |= {
                "kind": "outcome",
                "uuid": record.uuid,
                "state": record.state,
                "reason": record.reason,
                "values": values_of(result.values),
            }
    return found


def check_events(expected: list[Case], events: list[PushEvent], why: str) -> None:
    """Compare events with the expected ones, including the types of their values."""
    for event, found in zip(expected, map(members_of, events), strict=True):
        members = event | ({"time": expected_time(event["time"])} if "time" in event else {})
        # Compared as JSON, because in Python 200.0 equals 200 and True equals 1.
        assert json.dumps({name: found[name] for name in members}) == json.dumps(members), why


async def check_push(case: Case, generation: str) -> None:
    """Send the request of a case one or more times, and compare the responses and events with the expected ones."""
    file = json.loads((WIRE / f"push_{generation}.json").read_text("utf-8"))
    expect, why = case["expect"], case["why"]
    application = Application(PushReceiver(file["token"], file["aes_key"] if case.get("encrypted") else None))
    async with served(application) as url, ClientSession() as session:
        answers = [await send(session, url, case) for _ in range(case.get("repeat", 1))]
    for answer in answers:
        assert answer.status in (200, 400, 401), why
        assert (answer.status == 200) is expect.get("accepted", answer.status == 200), why
        assert answer.status == expect.get("http_status", answer.status), why
        text = await answer.text()
        assert text == expect.get("answer_text", text), why
    check_events(expect.get("events", []), application.events, why)


@load("push_legacy")
async def test_a_push_of_the_legacy_platform_is_handled_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The documented requests of the legacy platform return the expected events and HTTP status."""
    await check_push(case, generation)


@load("push_current")
async def test_a_push_of_the_current_platform_is_handled_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The documented requests of the current platform return the expected events and HTTP status."""
    await check_push(case, generation)


def sign(text: str) -> str:
    """Return the signature of a text."""
    return b64encode(hashlib.md5(f"{TOKEN}{NONCE}{text}".encode(errors="replace")).digest()).decode()  # noqa: S324 - required by OneNET


def body_of(message: Any, **more: Any) -> bytes:
    """Return the body of a push with a signed message, which may be a string."""
    text = message if isinstance(message, str) else json.dumps(message)
    raw = json.dumps(message)
    rest = json.dumps({"nonce": NONCE, "msg_signature": sign(text), **more})
    return f'{{"msg": {raw}, {rest[1:]}'.encode()


def receive(message: Any, key: str | None = None, **more: Any) -> Push:
    """Return the push that a receiver parses from a signed message."""
    return PushReceiver(TOKEN, key).receive(body_of(message, **more))


def refusal(body: bytes, key: str | None = None) -> PushRefusedError:
    """Return the error with which a receiver refuses a body."""
    with pytest.raises(PushRefusedError) as caught:
        PushReceiver(TOKEN, key).receive(body)
    return caught.value


def encrypt(plain: bytes, key: bytes) -> bytes:
    """Encrypt whole blocks of plaintext in the way of both platforms."""
    encryptor = Cipher(AES(key), modes.CBC(key[:16])).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def encrypted_for_current(text: str) -> bytes:
    """Encrypt a text in the way of the current platform."""
    plain = text.encode()
    padding = 16 - len(plain) % 16
    return encrypt(plain + bytes([padding]) * padding, CURRENT_KEY.encode())


def test_the_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures are compared only by `hmac.compare_digest`."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    receiver = PushReceiver(TOKEN)
    assert receiver.check_url("msg=check&nonce=nonce001&signature=any").answer == "check"
    assert receiver.receive(body_of(DATAPOINT, msg_signature="any")).events
    # Signatures of another length or alphabet are compared as well.
    receiver.receive(body_of(DATAPOINT, msg_signature=""))
    receiver.receive(body_of(DATAPOINT, msg_signature="签名\ud800"))
    ours = [sign(text).rstrip("=").encode() for text in ("check", *[json.dumps(DATAPOINT)] * 3)]
    assert compared == list(zip(ours, (b"any", b"any", b"", "签名?".encode()), strict=True))


def test_the_signature_is_verified_before_the_message_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is verified before the message is decrypted or parsed."""
    receiver = PushReceiver(TOKEN, CURRENT_KEY)
    monkeypatch.setattr(PushReceiver, "_decode", lambda *_, **__: pytest.fail("The message was decoded"))
    ciphertext = b64encode(encrypted_for_current(json.dumps(DATAPOINT))).decode()
    for message in (DATAPOINT, json.dumps(DATAPOINT), ciphertext):
        with pytest.raises(PushRefusedError) as caught:
            receiver.receive(body_of(message, msg_signature=sign("another text")))
        assert (caught.value.kind, caught.value.status) == (RefusalKind.BAD_SIGNATURE, 401)


@pytest.mark.parametrize("key", [None, LEGACY_KEY, CURRENT_KEY])
def test_representations_contain_no_secret(key: str | None) -> None:
    """The receiver, its results and its errors contain no secret, and its errors nothing of the request."""
    receiver = PushReceiver(TOKEN, key)
    shown = [repr(receiver), str(receiver), repr(receive(DATAPOINT, key))]
    ciphertext = b64encode(bytes(32)).decode()
    for body in (body_of(ciphertext), body_of(DATAPOINT, nonce="another"), body_of(DATAPOINT)[:-9], b"\xff"):
        error = refusal(body, key)
        shown += [str(error), repr(error)]
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        assert IMEI not in str(error)
    for secret in filter(None, (TOKEN, key, key and key[:10])):
        assert not [text for text in shown if secret in text]


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize(
    "key", ["", "k" * 15, "k" * 17, "k" * 42, "k" * 44, "键" * 16, "键" * 43, "-" * 43, "=" * 43, f"{'k' * 39}===="]
)
def test_an_invalid_key_raises_an_error_that_does_not_contain_it(token: str, key: str) -> None:
    """An invalid key raises ValueError, whose text does not contain the key."""
    with pytest.raises(ValueError, match=r"(?s).") as caught:
        PushReceiver(token, key)
    assert not key or key not in repr(caught.value)


def test_an_empty_token_raises_an_error() -> None:
    """An empty token raises ValueError."""
    with pytest.raises(ValueError, match="token is empty"):
        PushReceiver("")


def test_a_signed_body_larger_than_one_mebibyte_is_refused() -> None:
    """A signed body is accepted up to 1 MiB and refused above."""
    empty = len(body_of(DATAPOINT | {"value": ""}))
    body = body_of(DATAPOINT | {"value": "x" * (MAX_BODY - empty)})
    assert len(body) == MAX_BODY == 2**20
    assert len(PushReceiver(TOKEN).receive(body).events) == 1
    error = refusal(body + b" ")
    assert (error.kind, error.status) == (RefusalKind.TOO_LARGE, 400)


@pytest.mark.parametrize("message", [DATAPOINT, json.dumps(DATAPOINT)], ids=["object", "string"])
def test_a_truncated_body_is_refused(message: Any) -> None:
    """A body that is truncated at any position is malformed."""
    body = body_of(message)
    assert len(PushReceiver(TOKEN).receive(body).events) == 1
    for end in range(len(body)):
        error = refusal(body[:end])
        assert (error.kind, error.status) == (RefusalKind.MALFORMED, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'"msg"',
        b'{"nonce": "nonce001"}',
        b'{"enc_message": "", "nonce": ""}',
        b"%s x" % body_of(DATAPOINT),
        b"x %s" % body_of(DATAPOINT),
        b",%s" % body_of(DATAPOINT)[1:],
        body_of(DATAPOINT).replace(b', "nonce"', b'{"nonce"'),
        body_of(DATAPOINT).replace(b', "nonce"', b', {"nonce"'),
        body_of(DATAPOINT).replace(b', "nonce"', b',, "nonce"'),
        body_of(DATAPOINT).replace(b'"nonce":', b"nonce:"),
        body_of(DATAPOINT | {"value": "?"}).replace(b"?", "正常".encode("gbk")),
        b'{"msg": %s' % (b"[" * 500_000),
        b'{"msg": %s}' % (b"1" * 500_000),
        body_of(DATAPOINT, **{f"member{number}": number for number in range(30)}),
    ],
    ids=lambda body: body[:40],
)
def test_a_body_in_another_format_is_malformed(body: bytes) -> None:
    """A body in another format, with deep nesting, a long number or many members is malformed."""
    assert refusal(body).kind is RefusalKind.MALFORMED


def test_a_url_check_without_a_message_is_malformed() -> None:
    """A URL check without a message is malformed."""
    with pytest.raises(PushRefusedError) as caught:
        PushReceiver(TOKEN).check_url("")
    assert caught.value.kind is RefusalKind.MALFORMED


def test_a_byte_order_mark_and_whitespace_are_accepted() -> None:
    """A byte order mark, whitespace and escapes in names of members are accepted."""
    body = b"\xef\xbb\xbf \r\n" + body_of(DATAPOINT, **{'a "quoted\\ name': 1}).replace(
        b'"nonce": ', b'\t"nonce"\n:\r\n '
    )
    assert len(PushReceiver(TOKEN).receive(body + b"\n").events) == 1


def test_the_last_of_two_members_with_the_same_name_is_used() -> None:
    """The last of two members with the same name is verified and parsed."""
    signed = body_of(DATAPOINT)
    forged = json.dumps({"msg": DATAPOINT | {"value": 99}}).encode()
    push = PushReceiver(TOKEN).receive(forged[:-1] + b"," + signed[1:])
    assert [members_of(event)["value"] for event in push.events] == [21.5]
    assert refusal(signed[:-1] + b"," + forged[1:]).kind is RefusalKind.BAD_SIGNATURE


def test_moving_text_from_the_message_to_the_nonce_yields_no_events() -> None:
    """Moving text from the message to the nonce keeps the signature valid, but yields no events."""
    text = json.dumps([DATAPOINT, DATAPOINT])
    receiver = PushReceiver(TOKEN)
    for cut in range(1, len(text)):
        body = {"msg": text[cut:], "nonce": NONCE + text[:cut], "signature": sign(text)}
        assert receiver.receive(json.dumps(body).encode()).events == ()


def test_a_repeated_request_has_the_same_id_or_fingerprint() -> None:
    """A repeated request has the same id or the same fingerprint."""
    push = receive(DATAPOINT, id="one")
    assert (push.id, receive(DATAPOINT).id, receive(DATAPOINT, id=17).id) == ("one", None, "17")
    padded = receive(DATAPOINT, id="two", msg_signature=sign(json.dumps(DATAPOINT)).rstrip("="))
    assert push.fingerprint == padded.fingerprint
    assert push.fingerprint != receive(DATAPOINT | {"value": 22}, id="one").fingerprint


@pytest.mark.parametrize("key", [LEGACY_KEY, CURRENT_KEY])
def test_a_request_without_encryption_is_accepted_with_a_key(key: str) -> None:
    """A request without encryption is accepted with a key."""
    assert len(receive(DATAPOINT, key).events) == len(receive(json.dumps(DATAPOINT), key).events) == 1


def test_an_encrypted_request_is_refused_without_the_right_key() -> None:
    """An encrypted request is refused without a key, or with the key of the other platform."""
    plain = json.dumps(DATAPOINT)
    current = b64encode(encrypted_for_current(plain)).decode()
    assert len(receive(current, CURRENT_KEY).events) == 1
    for key in (None, LEGACY_KEY):
        error = refusal(body_of(current), key)
        assert (error.kind, error.status) == (RefusalKind.NOT_DECRYPTED, 400)
    assert refusal(body_of("").replace(b'"msg"', b'"enc_msg"')).kind is RefusalKind.NOT_DECRYPTED


def test_a_legacy_message_ends_at_its_length() -> None:
    """A message of the legacy platform ends at its length, which must not exceed the plaintext."""
    key = b64decode(f"{LEGACY_KEY}=")
    for blanks in range(33):
        text = json.dumps(DATAPOINT).encode() + b" " * blanks
        plain = bytes(16) + len(text).to_bytes(4) + text
        padding = -len(plain) % 16
        message = b64encode(encrypt(plain + b"}" * padding, key)).decode()
        assert len(receive(message, LEGACY_KEY).events) == 1
        longer = plain[:16] + (len(text) + padding + 1).to_bytes(4) + text + b" " * padding
        error = refusal(body_of(b64encode(encrypt(longer, key)).decode()), LEGACY_KEY)
        assert error.kind is RefusalKind.NOT_DECRYPTED


def test_a_tampered_ciphertext_is_refused() -> None:
    """A tampered ciphertext is refused, even if it is signed again."""
    ciphertext = encrypted_for_current(json.dumps(DATAPOINT))
    signature = sign(b64encode(ciphertext).decode())
    for position in range(16):
        tampered = bytearray(ciphertext)
        tampered[position] ^= 0x80
        text = b64encode(tampered).decode()
        assert refusal(body_of(text, msg_signature=signature), CURRENT_KEY).kind is RefusalKind.BAD_SIGNATURE
        assert refusal(body_of(text), CURRENT_KEY).kind is RefusalKind.NOT_DECRYPTED
    for text in ("", "1", '"text"', "null", '{"type": 1'):
        message = b64encode(encrypted_for_current(text)).decode()
        assert refusal(body_of(message), CURRENT_KEY).kind is RefusalKind.NOT_DECRYPTED


@pytest.mark.parametrize(
    "message",
    [
        None,
        17,
        "",
        "hello",
        "{broken",
        b64encode(b"no whole block").decode(),
        [],
        [[DATAPOINT]],
        DATAPOINT | {"value": None},
        DATAPOINT | {"at": 0},
        DATAPOINT | {"type": "2", "status": "unknown"},
        DATAPOINT | {"type": 2, "status": 3},
        DATAPOINT | {"type": 2, "status": 1, "at": "never"},
        OUTCOME | {"cmd_id": None},
        OUTCOME | {"send_status": "unknown"},
        {"messageType": "notify", "notifyType": "property", "data": {"params": [1]}},
        {"messageType": ["lifeCycle"]},
        {"messageType": "lifeCycle", "data": "online"},
        {"sysProperty": None},
        {"sysProperty": {"messageType": "deviceDatapoint"}, "appProperty": 5, "body": 5},
        {"sysProperty": {"messageType": "another"}, "appProperty": {}, "body": 5},
    ],
    ids=repr,
)
@pytest.mark.parametrize("key", [None, CURRENT_KEY])
def test_signed_messages_of_unknown_types_have_no_events(message: Any, key: str | None) -> None:
    """Signed messages that are invalid or of unknown types are accepted and have no events."""
    assert receive(message, key).events == ()


def test_an_unpaired_surrogate_is_signed_as_a_question_mark() -> None:
    """An unpaired surrogate is signed and parsed as a question mark."""
    message = '{"type": 1, "dev_id": 5, "ds_id": "3303_0_5700", "at": 1772328600000, "value": "\ud800"}'
    push = receive(message)
    assert push.fingerprint == sign(message.replace("\ud800", "?")).rstrip("=")
    assert [members_of(event)["value"] for event in push.events] == ["?"]


def test_an_outcome_has_times_and_reports_an_unreadable_result() -> None:
    """An outcome has its times, no command type, and reports an unreadable result."""
    push = receive(OUTCOME | {"cmd_type": 1, "send_time": AT, "confirm_time": AT + 2000, "confirm_body": {"odd": 1}})
    [event] = push.events
    assert isinstance(event, PushedOutcome)
    assert event.device == DeviceIdentity(imei=IMEI, product_id=None, name=None, id=None)
    assert (event.record.command, event.record.create_time) == ("", None)
    assert seconds(event.record.send_time) == "2026-03-01T01:30:00.000+00:00"
    assert seconds(event.record.confirm_time) == "2026-03-01T01:30:02.000+00:00"
    assert event.result.unreadable
    assert event.result.values == ()


def test_the_device_of_a_rule_engine_message_has_the_same_name_and_id() -> None:
    """The device of a message of the rule engine has the same name and id."""
    message = {
        "sysProperty": {"messageType": "deviceLifeCycle", "productId": "Pr0duct"},
        "appProperty": {"deviceId": 590000101, "dataTimestamp": AT},
        "body": '{"event": "online"}',
    }
    [event] = receive(message).events
    assert event.device == DeviceIdentity(imei=None, product_id="Pr0duct", name="590000101", id="590000101")
