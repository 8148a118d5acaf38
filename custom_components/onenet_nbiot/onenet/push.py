"""Verify and parse the requests of OneNET's HTTP push.

This module requires the package cryptography; the rest of the client does not. Source: "HTTP push: development guide".
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
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

# The largest body in bytes. OneNET's requests are much smaller, and decoding a larger one would block the event loop.
MAX_BODY = 2**20
_BLOCK = 16
# Bytes before an encrypted message of the legacy platform: random bytes, then the length of the message.
_LEGACY_RANDOM = 16
_LEGACY_HEADER = _LEGACY_RANDOM + 4
_LEGACY_KEY_LENGTH = 43
_CURRENT_KEY_LENGTH = 16
# The status of an offline device on the current platform; on the legacy platform it is 0.
_OFFLINE = 2
# OneNET sends up to five members; parsing thousands in a forged body would block the event loop.
_MEMBERS_MAX = 32
_DECODER = json.JSONDecoder(strict=False)
_MEMBER_START = re.compile(
    r"(?:\A[ \t\r\n]*\{|(?!\A)[ \t\r\n]*,)"
    r'[ \t\r\n]*"((?:[^"\\]|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*',
    re.DOTALL,
)
_BODY_END = re.compile(r"[ \t\r\n]*\}[ \t\r\n]*")


class RefusalKind(StrEnum):
    """Enumerate the reasons for refusing a request."""

    BAD_SIGNATURE = "bad_signature"
    """The signature does not match the token."""
    MALFORMED = "malformed"
    """The request is not in the format of a push."""
    TOO_LARGE = "too_large"
    """The body is larger than MAX_BODY."""
    NOT_DECRYPTED = "not_decrypted"
    """The signature is valid, but the encryption key is missing or wrong."""


class PushRefusedError(Exception):
    """Report that a request must not be processed; the error contains neither its content nor a secret."""

    def __init__(self, kind: RefusalKind) -> None:
        """Create an error from a reason."""
        super().__init__(f"The push was refused: {kind}")
        self.kind = kind

    @property
    def status(self) -> int:
        """Return the HTTP status of the response."""
        return 401 if self.kind is RefusalKind.BAD_SIGNATURE else 400


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceIdentity:
    """Identify a device by `imei`, else by `product_id` and `name`, else by `id`; missing values are None.

    Messages of the rule engine contain either the name or the id in the same member, which is used for both.
    """

    imei: str | None
    product_id: str | None
    name: str | None
    id: str | None

    @classmethod
    def from_wire(cls, message: dict[str, Any]) -> Self:
        """Parse the identity in a message."""

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
    """Hold the outcome of a cached command, which another application may have queued, and the result of a read.

    `record.command` is empty, because OneNET's values are contradictory; of the times, only `send_time` and
    `confirm_time` are known.
    """

    device: DeviceIdentity
    record: CommandRecord
    result: ReadResult

    @property
    def time(self) -> datetime | None:
        """Return when the device confirmed the command, or else when it was sent; None if OneNET left out both."""
        return self.record.confirm_time or self.record.send_time


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedPresence:
    """Hold a change of a device's presence."""

    device: DeviceIdentity
    presence: Presence


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedDatapoint:
    """Hold a datapoint that a device reported."""

    device: DeviceIdentity
    datapoint: Datapoint


type PushEvent = PushedOutcome | PushedPresence | PushedDatapoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """Hold the events of a request.

    A request is a duplicate if its `fingerprint` was received before. OneNET may repeat a request with a new signature
    and the same `id`, which is not signed, and is None on the legacy platform.
    """

    id: str | None
    fingerprint: str
    events: tuple[PushEvent, ...]


class UrlCheck(NamedTuple):
    """Hold the body of the response to a check of the URL, and a fingerprint to recognize a repeated check."""

    answer: str
    fingerprint: str


class _Member(NamedTuple):
    """Hold the value of a member of a body, and its signed text: the value of a string, or else the member's JSON."""

    value: Any
    text: str


_ABSENT = _Member(None, "")


class PushReceiver:
    """Verify and parse requests that are signed with a token; thread-safe, because it stores no request."""

    def __init__(self, token: str, key: str | None = None) -> None:
        """Create a receiver with the token and the encryption key that are configured in OneNET's console.

        Raise ValueError for an empty token or an invalid key. With a key, requests without encryption are accepted as
        well, so that none is lost when encryption is turned on.
        """
        if not token:
            raise ValueError("The token is empty")
        self._token = token.encode()
        self._decrypt = None if key is None else _create_decryptor(key)

    def check_url(self, query: str) -> UrlCheck:
        """Verify the GET request with which OneNET checks the URL.

        `query` is percent-encoded. Raise PushRefusedError.
        """
        fields = dict(parse_qsl(query))
        if "msg" not in fields:
            raise PushRefusedError(RefusalKind.MALFORMED)
        fingerprint = self._verify(fields["msg"], fields.get("nonce", ""), fields.get("signature", ""))
        return UrlCheck(fields["msg"], fingerprint)

    def receive(self, body: bytes) -> Push:
        """Return the events of a POST request; signed messages of unknown types have no events.

        Raise PushRefusedError.
        """
        members = _parse_body(body)
        encrypted = "enc_msg" in members
        content = members.get("enc_msg" if encrypted else "msg")
        if content is None:
            raise PushRefusedError(RefusalKind.MALFORMED)
        signature = members.get("msg_signature", members.get("signature", _ABSENT))
        fingerprint = self._verify(content.text, members.get("nonce", _ABSENT).text, signature.text)
        messages = parse_objects(self._decode(content.value, encrypted=encrypted))
        return Push(
            id=parse_id(members.get("id", _ABSENT).value) or None,
            fingerprint=fingerprint,
            events=tuple(event for message in messages for event in _parse_message(message)),
        )

    def _verify(self, text: str, nonce: str, signature: str) -> str:
        """Verify the signature of a text and return it without padding; raise PushRefusedError if it is invalid."""
        # OneNET requires MD5. JSON may contain unpaired surrogates, which cannot be encoded as UTF-8.
        signed = hashlib.md5(self._token + (nonce + text).encode(errors="replace"), usedforsecurity=False)
        expected = b64encode(signed.digest()).rstrip(b"=")
        # A plus sign that is not percent-encoded is decoded as a space. Some of OneNET's samples lack the padding.
        given = signature.replace(" ", "+").rstrip("=").encode(errors="replace")
        if not hmac.compare_digest(expected, given):
            raise PushRefusedError(RefusalKind.BAD_SIGNATURE)
        return expected.decode()

    def _decode(self, content: Any, *, encrypted: bool) -> Any:
        """Return the messages in a signed member, None if it is neither JSON nor encrypted.

        Raise PushRefusedError if it cannot be decrypted.
        """
        if not isinstance(content, str):
            return content
        # Base64 contains neither braces nor brackets.
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


def _create_decryptor(key: str) -> Callable[[bytes], bytes]:
    """Return a function that decrypts with a key and raises ValueError if the key is wrong.

    Raise ValueError if the key is not in the format of either platform.
    """
    if len(key) == _LEGACY_KEY_LENGTH:
        secret, strip = b64decode(f"{key}=", validate=True), _strip_legacy
    elif len(key) == _CURRENT_KEY_LENGTH and key.isascii():
        secret, strip = key.encode(), _strip_current
    else:
        raise ValueError(f"The key has neither {_LEGACY_KEY_LENGTH} nor {_CURRENT_KEY_LENGTH} characters")
    cipher = Cipher(AES(secret), modes.CBC(secret[:_BLOCK]))

    def decrypt(ciphertext: bytes) -> bytes:
        decryptor = cipher.decryptor()
        return strip(decryptor.update(ciphertext) + decryptor.finalize())

    return decrypt


def _strip_legacy(plain: bytes) -> bytes:
    """Return the message in the plaintext of the legacy platform; raise ValueError if it is incomplete."""
    end = _LEGACY_HEADER + int.from_bytes(plain[_LEGACY_RANDOM:_LEGACY_HEADER])
    if len(plain) < end:
        raise ValueError("The message is incomplete")
    # The padding is ignored, because it differs between OneNET's samples.
    return plain[_LEGACY_HEADER:end]


def _strip_current(plain: bytes) -> bytes:
    """Return the message in the plaintext of the current platform; raise ValueError if the padding is wrong."""
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    return unpadder.update(plain) + unpadder.finalize()


def _parse_body(body: bytes) -> dict[str, _Member]:
    """Return the members of a body by name.

    Values are decoded because this is the fastest way to find their end. Raise PushRefusedError if the body is too
    large or not an object with members.
    """
    if len(body) > MAX_BODY:
        raise PushRefusedError(RefusalKind.TOO_LARGE)
    members: dict[str, _Member] = {}
    position = 0
    try:
        text = body.decode("utf-8-sig")
        while len(members) < _MEMBERS_MAX and (match := _MEMBER_START.match(text, position)):
            value, position = _DECODER.raw_decode(text, match.end())
            members[match[1]] = _Member(value, value if isinstance(value, str) else text[match.end() : position])
    except RecursionError, ValueError:
        raise PushRefusedError(RefusalKind.MALFORMED) from None
    if not members or not _BODY_END.fullmatch(text, position):
        raise PushRefusedError(RefusalKind.MALFORMED)
    return members


def _parse_message(message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the valid events of a message in any format."""
    if "sysProperty" in message:
        return _parse_rule_engine(message)
    device = DeviceIdentity.from_wire(message)
    return (_parse_thing_model if "messageType" in message else _parse_typed)(device, message)


def _parse_typed(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message with `type`, the format of both platforms."""
    match parse_int(message.get("type")):
        case 1:
            yield from _datapoints(device, message.get("ds_id"), message.get("at"), message.get("value"))
        case 2:
            yield from _presences(device, message.get("status"), message.get("at"))
        case 7:
            yield from _outcomes(device, message)


def _parse_thing_model(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message of the current platform's thing model."""
    data = _parse_object(message.get("data"))
    if message["messageType"] == "lifeCycle":
        yield from _presences(device, data.get("status"), data.get("time"))
    elif message["messageType"] == "notify" and message.get("notifyType") == "property":
        for stream, points in _parse_object(data.get("params")).items():
            for point in parse_objects(points):
                yield from _datapoints(device, stream, point.get("time"), point.get("value"))


def _parse_rule_engine(message: dict[str, Any]) -> Iterator[PushEvent]:
    """Yield the events of a message of the current platform's rule engine."""
    properties = _parse_object(message["sysProperty"]) | _parse_object(message.get("appProperty"))
    body = message.get("body")
    device = DeviceIdentity.from_wire(properties | {"deviceName": properties.get("deviceId")})
    at = properties.get("dataTimestamp")
    if properties.get("messageType") == "deviceLifeCycle":
        yield from _presences(device, _parse_object(body).get("event"), at)
    # An object is a reference to binary data.
    elif properties.get("messageType") == "deviceDatapoint" and not isinstance(body, dict):
        yield from _datapoints(device, properties.get("datastream"), at, body)


def _parse_object(value: Any) -> dict[str, Any]:
    """Return an object, which may be a JSON string; empty if it is invalid."""
    return next(iter(parse_objects(value)), {})


def _datapoints(device: DeviceIdentity, stream: Any, at: Any, value: Any) -> Iterator[PushedDatapoint]:
    """Yield a datapoint, unless its value or time is missing, or its datastream does not belong to a resource."""
    if value is not None:
        for datapoint in Datapoint.each_from_wire({"id": stream, "at": at, "value": value}):
            yield PushedDatapoint(device=device, datapoint=datapoint)


def _presences(device: DeviceIdentity, status: Any, at: Any) -> Iterator[PushedPresence]:
    """Yield a change of presence, unless the status or time is invalid."""
    online, time = False if parse_int(status) == _OFFLINE else parse_bool(status), parse_time(at)
    if online is not None and time is not None:
        yield PushedPresence(device=device, presence=Presence(online=online, time=time))


def _outcomes(device: DeviceIdentity, message: dict[str, Any]) -> Iterator[PushedOutcome]:
    """Yield the outcome of a command, unless its UUID or status is missing."""
    names = ("send_status", "send_time", "confirm_status", "confirm_time")
    try:
        record = CommandRecord.from_wire({"cmd_uuid": message.get("cmd_id")} | {n: message.get(n) for n in names})
    except UnexpectedReplyError:
        return
    yield PushedOutcome(device=device, record=record, result=ReadResult.from_wire(message.get("confirm_body"), None))
