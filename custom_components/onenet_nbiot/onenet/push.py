"""OneNET's HTTP push: check and read the requests that OneNET sends to an application.

It needs the package cryptography, which the rest of the client does not. Source: "HTTP push: development guide".
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
import hashlib
import hmac
import json
import re
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

from .errors import UnexpectedReplyError
from .models import CommandRecord, Datapoint, Presence, ReadResult
from .parsing import parse_bool, parse_id, parse_int, parse_json, parse_objects, parse_time

# Bytes. OneNET's own requests are far smaller, and decoding a larger one would block the event loop.
MAX_BODY = 2**20
_BLOCK = 16
# In front of a message that the legacy platform encrypted: random bytes, then the message's length.
_RANDOM = 16
_HEADER = _RANDOM + 4
_LEGACY_KEY = 43
_CURRENT_KEY = 16
# The current platform's status; the legacy platform's is 0.
_OFFLINE = 2
# OneNET sends up to five; a forged body of thousands would block the event loop.
_MEMBERS_MAX = 32
_DECODER = json.JSONDecoder(strict=False)
_MEMBER = re.compile(
    r"(?:\A[ \t\r\n]*\{|(?!\A)[ \t\r\n]*,)"
    r'[ \t\r\n]*"((?:[^"\\]|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*',
    re.DOTALL,
)
_END = re.compile(r"[ \t\r\n]*\}[ \t\r\n]*")


class RefusalKind(StrEnum):
    """Name why a request is refused."""

    BAD_SIGNATURE = "bad_signature"
    """It is not signed with the token."""
    MALFORMED = "malformed"
    """It does not have the shape of a push."""
    TOO_LARGE = "too_large"
    """Its body is over MAX_BODY."""
    NOT_DECRYPTED = "not_decrypted"
    """It is signed, but the encryption key is missing or wrong."""


class PushRefusedError(Exception):
    """Report that nothing of a request may be processed; neither its content nor a secret is in it."""

    def __init__(self, kind: RefusalKind) -> None:
        """Keep the kind."""
        super().__init__(f"The push was refused: {kind}")
        self.kind = kind

    @property
    def status(self) -> int:
        """Return the HTTP status of the answer."""
        return 401 if self.kind is RefusalKind.BAD_SIGNATURE else 400


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceIdentity:
    """Identify a device by `imei`, else by `product_id` and `name`, else by `id`; None where OneNET gives none.

    One family of messages has only one text, which is the name or the id: there it is both.
    """

    imei: str | None
    product_id: str | None
    name: str | None
    id: str | None

    @classmethod
    def from_wire(cls, message: dict[str, Any]) -> Self:
        """Read the identity from a message."""

        def first(*names: str) -> str | None:
            return next((found for name in names if (found := parse_id(message.get(name)))), None)

        return cls(
            imei=first("imei"),
            product_id=first("pid", "productId"),
            name=first("dev_name", "deviceName"),
            id=first("dev_id", "deviceId"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedOutcome:
    """Hold the outcome of a cached command, also of one that another application queued, and what a read brought.

    The record has no `command`, as OneNET's is contradictory here, and no times but those of sending and confirming.
    """

    device: DeviceIdentity
    record: CommandRecord
    result: ReadResult


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedPresence:
    """Hold that a device came online or went offline."""

    device: DeviceIdentity
    presence: Presence


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedDatapoint:
    """Hold a value that a device reported."""

    device: DeviceIdentity
    datapoint: Datapoint


type PushEvent = PushedOutcome | PushedPresence | PushedDatapoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """Hold the events of one request.

    A request is a duplicate if its `id` or its `fingerprint` was received before: OneNET may sign a repeat anew with
    the same id, which the legacy platform does not have, and only the fingerprint is covered by the signature.
    """

    id: str | None
    fingerprint: str
    events: tuple[PushEvent, ...]


class _Member(NamedTuple):
    """Hold a member of a body, and the text that is signed: a string's value, otherwise the text in the body."""

    value: Any
    text: str


_ABSENT = _Member(None, "")


class PushReceiver:
    """Check and read requests signed with one token, in any thread, as it keeps nothing of them."""

    def __init__(self, token: str, key: str | None = None) -> None:
        """Keep the token and the encryption key that are entered in OneNET's console.

        Raise ValueError for an empty token, and for a key of neither platform. Requests that are not encrypted are
        accepted with a key, too, so that encryption can be turned on without losing any.
        """
        if not token:
            raise ValueError("The token is empty")
        self._token = token.encode()
        self._decrypt = None if key is None else _decryption(key)

    def answer_url_check(self, query: str) -> str:
        """Return the body of the answer to a GET with this query, which is still percent-encoded.

        Raise PushRefusedError.
        """
        fields = dict(parse_qsl(query))
        if "msg" not in fields:
            raise PushRefusedError(RefusalKind.MALFORMED)
        self._verify(fields["msg"], fields.get("nonce", ""), fields.get("signature", ""))
        return fields["msg"]

    def receive(self, body: bytes) -> Push:
        """Return the events of a POST. What is signed, but of an unknown kind, has none.

        Raise PushRefusedError.
        """
        members = _members(body)
        encrypted = "enc_msg" in members
        content = members.get("enc_msg" if encrypted else "msg")
        if content is None:
            raise PushRefusedError(RefusalKind.MALFORMED)
        signature = members.get("msg_signature", members.get("signature", _ABSENT))
        fingerprint = self._verify(content.text, members.get("nonce", _ABSENT).text, signature.text)
        messages = parse_objects(self._messages(content.value, encrypted=encrypted))
        return Push(
            id=parse_id(members.get("id", _ABSENT).value) or None,
            fingerprint=fingerprint,
            events=tuple(event for message in messages for event in _events(message)),
        )

    def _verify(self, text: str, nonce: str, signature: str) -> str:
        """Return the signature of a text in its one form. Raise PushRefusedError for another one."""
        # MD5 is OneNET's choice. UTF-8 cannot hold unpaired surrogates, which JSON can.
        signed = hashlib.md5(self._token + (nonce + text).encode(errors="replace"), usedforsecurity=False)
        expected = b64encode(signed.digest()).rstrip(b"=")
        # A plus that is not escaped in a URL arrives as a blank; some of OneNET's samples cut the equals signs off.
        given = signature.replace(" ", "+").rstrip("=").encode(errors="replace")
        if not hmac.compare_digest(expected, given):
            raise PushRefusedError(RefusalKind.BAD_SIGNATURE)
        return expected.decode()

    def _messages(self, content: Any, *, encrypted: bool) -> Any:
        """Return what a signed member holds, None for text that is neither JSON nor encrypted.

        Raise PushRefusedError for what cannot be decrypted.
        """
        if not isinstance(content, str):
            return content
        # No base64 begins like this.
        if content.lstrip().startswith(("{", "[")):
            return parse_json(content)
        try:
            ciphertext = b64decode(content, validate=True)
        except ValueError:
            ciphertext = b""
        if not encrypted and (not ciphertext or len(ciphertext) % _BLOCK):
            return None
        try:
            messages = parse_json(self._decrypt(ciphertext).decode()) if self._decrypt else None
        except ValueError:
            messages = None
        if not isinstance(messages, dict | list):
            raise PushRefusedError(RefusalKind.NOT_DECRYPTED)
        return messages


def _decryption(key: str) -> Callable[[bytes], bytes]:
    """Return the function that decrypts with a key, which raises ValueError for what the key does not fit.

    Raise ValueError for a key of neither platform.
    """
    if len(key) == _LEGACY_KEY:
        secret, strip = b64decode(f"{key}=", validate=True), _cut_by_length
    elif len(key) == _CURRENT_KEY and key.isascii():
        secret, strip = key.encode(), _unpad
    else:
        raise ValueError(f"The key has neither {_LEGACY_KEY} nor {_CURRENT_KEY} characters")
    cipher = Cipher(AES(secret), modes.CBC(secret[:_BLOCK]))

    def decrypt(ciphertext: bytes) -> bytes:
        decryptor = cipher.decryptor()
        return strip(decryptor.update(ciphertext) + decryptor.finalize())

    return decrypt


def _cut_by_length(plain: bytes) -> bytes:
    """Return the message of the legacy platform. Raise ValueError where it is incomplete."""
    end = _HEADER + int.from_bytes(plain[_RANDOM:_HEADER])
    if len(plain) < end:
        raise ValueError("The message is incomplete")
    # OneNET's samples pad in different ways.
    return plain[_HEADER:end]


def _unpad(plain: bytes) -> bytes:
    """Return the message of the current platform. Raise ValueError where the padding is wrong."""
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    return unpadder.update(plain) + unpadder.finalize()


def _members(body: bytes) -> dict[str, _Member]:
    """Return the members of a body by name.

    Values are decoded because that is the fastest way to find where they end. Raise PushRefusedError where the body
    is too large, or is not an object with members.
    """
    if len(body) > MAX_BODY:
        raise PushRefusedError(RefusalKind.TOO_LARGE)
    members: dict[str, _Member] = {}
    position = 0
    try:
        text = body.decode("utf-8-sig")
        while len(members) < _MEMBERS_MAX and (match := _MEMBER.match(text, position)):
            value, position = _DECODER.raw_decode(text, match.end())
            members[match[1]] = _Member(value, value if isinstance(value, str) else text[match.end() : position])
    except RecursionError, ValueError:
        raise PushRefusedError(RefusalKind.MALFORMED) from None
    if not members or not _END.fullmatch(text, position):
        raise PushRefusedError(RefusalKind.MALFORMED)
    return members


def _events(message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message of any family; what cannot be read is left out."""
    if "sysProperty" in message:
        return _from_rule_engine(message)
    device = DeviceIdentity.from_wire(message)
    return (_from_thing_model if "messageType" in message else _from_type)(device, message)


def _from_type(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message with a type, which both platforms send."""
    match parse_int(message.get("type")):
        case 1:
            yield from _datapoints(device, message.get("ds_id"), message.get("at"), message.get("value"))
        case 2:
            yield from _presences(device, message.get("status"), message.get("at"))
        case 7:
            yield from _outcomes(device, message)


def _from_thing_model(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message of the current platform's thing model."""
    data = _object(message.get("data"))
    if message["messageType"] == "lifeCycle":
        yield from _presences(device, data.get("status"), data.get("time"))
    elif message["messageType"] == "notify" and message.get("notifyType") == "property":
        for stream, points in _object(data.get("params")).items():
            for point in parse_objects(points):
                yield from _datapoints(device, stream, point.get("time"), point.get("value"))


def _from_rule_engine(message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message of the older family of the current platform's rule engine."""
    about, body = _object(message["sysProperty"]) | _object(message.get("appProperty")), message.get("body")
    device = DeviceIdentity.from_wire(about | {"deviceName": about.get("deviceId")})
    at = about.get("dataTimestamp")
    if about.get("messageType") == "deviceLifeCycle":
        yield from _presences(device, _object(body).get("event"), at)
    # An object is a reference to binary data.
    elif about.get("messageType") == "deviceDatapoint" and not isinstance(body, dict):
        yield from _datapoints(device, about.get("datastream"), at, body)


def _object(value: Any) -> dict[str, Any]:
    """Return an object, also one in JSON text; empty for anything else."""
    return next(iter(parse_objects(value)), {})


def _datapoints(device: DeviceIdentity, stream: Any, at: Any, value: Any) -> Iterator[PushedDatapoint]:
    """Yield a value of a datastream, unless that is no resource, or the value or its time is missing."""
    if value is not None:
        for datapoint in Datapoint.each_from_wire({"id": stream, "at": at, "value": value}):
            yield PushedDatapoint(device=device, datapoint=datapoint)


def _presences(device: DeviceIdentity, status: Any, at: Any) -> Iterator[PushedPresence]:
    """Yield a presence, unless the status means neither online nor offline, or the time is missing."""
    online, time = False if parse_int(status) == _OFFLINE else parse_bool(status), parse_time(at)
    if online is not None and time is not None:
        yield PushedPresence(device=device, presence=Presence(online=online, time=time))


def _outcomes(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushedOutcome]:
    """Yield the outcome of a command, unless the UUID or the status is missing."""
    names = ("send_status", "send_time", "confirm_status", "confirm_time")
    try:
        record = CommandRecord.from_wire({"cmd_uuid": message.get("cmd_id")} | {n: message.get(n) for n in names})
    except UnexpectedReplyError:
        return
    yield PushedOutcome(device=device, record=record, result=ReadResult.from_wire(message.get("confirm_body"), None))
