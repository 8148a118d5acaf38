"""One family of exceptions for all that can go wrong between an application and OneNET."""

from enum import StrEnum
import re
from typing import ClassVar, Self, override


class ErrorKind(StrEnum):
    """Name who can act on an error."""

    AUTHENTICATION = "authentication"
    """The credentials have to be replaced."""
    CALLER = "caller"
    """The request has to be corrected."""
    DEVICE = "device"
    """The device refused, or is not reachable."""
    LIMIT = "limit"
    """Something has to finish or to be cancelled first."""
    TRANSIENT = "transient"
    """The same may work later; a call that is not idempotent must be looked up before it is repeated."""
    PLATFORM = "platform"
    """The server did something that OneNET's documents do not describe."""


class OneNetError(Exception):
    """Represent every failure of a call to OneNET.

    `errno` is OneNET's number of the error, None where OneNET gave none. `text` is OneNET's text, or that of the layer
    below it. `reason` is a stable lowercase word for programs.
    """

    reason: ClassVar[str]
    kind: ClassVar[ErrorKind]
    is_account_wide: ClassVar[bool] = False
    """Whether every other call of the account would fail in the same way."""

    def __init__(self, text: str, errno: int | None = None) -> None:
        """Keep OneNET's text and number."""
        super().__init__(text if errno is None else f"{text} (errno {errno})")
        self.text = text
        self.errno = errno

    def with_text(self, text: str) -> Self:
        """Return the same error with another text, and without what led to it."""
        return type(self)(text, self.errno)


class CannotConnectError(OneNetError):
    """Report that no connection could be established: nothing was sent."""

    reason = "cannot_connect"
    kind = ErrorKind.TRANSIENT
    is_account_wide = True


class TlsError(CannotConnectError):
    """Report that the host has no trusted certificate, or does not speak TLS: nothing was sent."""

    reason = "tls_failed"
    kind = ErrorKind.PLATFORM


class BodyTooLargeError(OneNetError):
    """Report that a command is larger than OneNET accepts: nothing was sent."""

    reason = "body_too_large"
    kind = ErrorKind.CALLER


class NoReplyError(OneNetError):
    """Report that a request may have arrived, but that no complete reply came back."""

    reason = "no_reply"
    kind = ErrorKind.TRANSIENT


class SlowReplyError(NoReplyError):
    """Report that the reply did not come in time: the request may still be carried out."""


class UnexpectedReplyError(NoReplyError):
    """Report that the reply is not one of OneNET's."""

    reason = "unexpected_reply"
    kind = ErrorKind.PLATFORM


class RequestRejectedError(UnexpectedReplyError):
    """Report that a server rejected the request itself, without a reply of OneNET's: nothing was done."""


class OutcomeUnknownError(OneNetError):
    """Report that a command may or may not have been queued; sending it again may queue it twice.

    `request_ended` is whether the request has ended, so that it can no longer be carried out.
    """

    reason = "outcome_unknown"
    kind = ErrorKind.TRANSIENT

    def __init__(self, text: str, errno: int | None = None, *, request_ended: bool = False) -> None:
        """Keep also whether the request has ended."""
        super().__init__(text, errno)
        self.request_ended = request_ended

    @override
    def with_text(self, text: str) -> Self:
        return type(self)(text, self.errno, request_ended=self.request_ended)


class ConfirmationLostError(OneNetError):
    """Report that a device may or may not have carried out an immediate command."""

    reason = "confirmation_lost"
    kind = ErrorKind.TRANSIENT


class PlatformError(OneNetError):
    """Report that OneNET refused a call: it was not carried out."""

    reason = "platform_error"
    kind = ErrorKind.PLATFORM


class AuthenticationError(PlatformError):
    """Report that OneNET does not accept the credentials."""

    reason = "invalid_auth"
    kind = ErrorKind.AUTHENTICATION
    is_account_wide = True


class NotPermittedError(PlatformError):
    """Report that OneNET does not permit this call, which proves nothing about the credentials."""

    reason = "not_permitted"
    kind = ErrorKind.CALLER


class DeviceNotPermittedError(NotPermittedError):
    """Report that the credentials were refused in a call that names a device, which may be another product's."""


class ClockError(NotPermittedError):
    """Report that the token was expired on arrival: the clock here, or there, is wrong."""

    kind = ErrorKind.PLATFORM
    is_account_wide = True


class AddressNotPermittedError(NotPermittedError):
    """Report that OneNET accepts no calls from this IP address."""

    kind = ErrorKind.PLATFORM
    is_account_wide = True


class NotSupportedError(PlatformError):
    """Report that this platform does not have the call."""

    reason = "not_supported"
    kind = ErrorKind.CALLER


class InvalidRequestError(PlatformError):
    """Report that OneNET rejected a parameter or the body."""

    reason = "invalid_request"
    kind = ErrorKind.CALLER


class UnknownDeviceError(PlatformError):
    """Report that the account does not have the device."""

    reason = "unknown_device"
    kind = ErrorKind.CALLER


class UnknownCommandError(PlatformError):
    """Report that the device does not have the command."""

    reason = "unknown_command"
    kind = ErrorKind.CALLER


class DeviceOfflineError(PlatformError):
    """Report that the device is not online; a cached command waits for it."""

    reason = "device_offline"
    kind = ErrorKind.DEVICE


class DeviceError(PlatformError):
    """Report that the device answered with an error, whose name is in the text."""

    reason = "device_error"
    kind = ErrorKind.DEVICE


class DeviceTimeoutError(PlatformError):
    """Report that the device did not answer in time; it may have carried out the command."""

    reason = "device_timeout"
    kind = ErrorKind.DEVICE


class LimitReachedError(PlatformError):
    """Report that a limit of the platform is reached, such as that of waiting commands, or a parameter out of range."""

    reason = "limit_reached"
    kind = ErrorKind.LIMIT


class PlatformBusyError(PlatformError):
    """Report that OneNET is overloaded, is called too often, or fails temporarily."""

    reason = "platform_busy"
    kind = ErrorKind.TRANSIENT


# By number: what is not listed depends on the text, or is a PlatformError. The N, G and O tables of "API return status
# codes" give some numbers several meanings.
_BY_ERRNO: dict[int, type[PlatformError]] = {
    2: AuthenticationError,
    3: InvalidRequestError,
    4: InvalidRequestError,
    5: InvalidRequestError,
    6: InvalidRequestError,
    7: PlatformBusyError,
    8: UnknownDeviceError,
    9: InvalidRequestError,
    10: DeviceOfflineError,
    13: LimitReachedError,
    14: PlatformBusyError,
    15: PlatformBusyError,
    16: DeviceError,
    17: PlatformBusyError,
    18: PlatformBusyError,
    19: LimitReachedError,
    20: LimitReachedError,
    21: InvalidRequestError,
    22: InvalidRequestError,
    23: InvalidRequestError,
    429: PlatformBusyError,
    500: PlatformBusyError,
    502: PlatformBusyError,
    503: PlatformBusyError,
    504: PlatformBusyError,
    2001: DeviceOfflineError,
    5006: LimitReachedError,
    5106: DeviceError,
    5108: PlatformBusyError,
    5117: PlatformBusyError,
    10001: InvalidRequestError,
    10403: AuthenticationError,
    10406: InvalidRequestError,
    10407: InvalidRequestError,
    # The product id is part of the credentials.
    10408: AuthenticationError,
    10409: UnknownDeviceError,
    10410: UnknownDeviceError,
    10411: DeviceError,
    10421: DeviceOfflineError,
    10429: PlatformBusyError,
    10500: PlatformBusyError,
}
_NO_SUCH_CALL = {404, 405, 10404}
# Called too often: turned away before anything was done.
_TOO_OFTEN = {15, 429, 10429}
# The text is the device's answer.
_DEVICE_ANSWERS = {16, 5106}
# A time-out in the text is the device's.
_DEVICE_TIMEOUTS = {14, 10411, 10421, *_DEVICE_ANSWERS}
_CREDENTIALS = {10403}
# Of the device's answers by number, those that are not its own error: 2 and 12 say that it is not registered.
_ANSWER_NUMBERS: dict[int, type[PlatformError]] = {
    2: DeviceOfflineError,
    5: DeviceTimeoutError,
    12: DeviceOfflineError,
}
_ANSWER_NUMBER = re.compile(r"(?:^|[:\uff1a])\s*(\d{1,2})\s*$", re.ASCII)
_OFFLINE = ("notonline", "offline", "不在线", "离线")
_TIMEOUT = ("timeout", "timedout", "超时")
_TRANSIENT = ("internal", "servererror", "busy", "frequen")
_CALLER = ("invalidparam", "parameterrequired", "invalidjson", "illegal")
_AUTHENTICATION = ("authfailed", "authentication", "authorization", "unauthorized", "apikey", "鉴权")
_ADDRESS = ("iplimit", "whitelist")
# Not about the device: paths, and OneNET's name for cached commands.
_PATH = re.compile(r"[a-z]+://[!-~]+|(?<![^\s:\uff1a'\"])/[a-z][\w./-]*", re.ASCII)
_CACHED = re.compile(r"offline(?:command|cmd|cache|history|instruction)|离线(?:命令|指令|缓存)")


def platform_error(
    errno: int | None, text: str, *, idempotent: bool, names_device: bool, about_command: bool = False
) -> PlatformError | OutcomeUnknownError:
    """Return the exception for a refusal by its text, else by its number, which is None where OneNET gave a word.

    `idempotent` is whether the call may be repeated without harm; where it may not, a temporary error leaves open
    whether it was carried out: an OutcomeUnknownError. `names_device` is whether the call names a device: only the
    refusal of one that does not proves that the credentials are wrong. `about_command` is whether it asks about a
    cached command. Source: "API return status codes".
    """
    error = _classify(errno, text, names_device=names_device)
    if error is UnknownDeviceError and errno == 8 and about_command:  # noqa: PLR2004 - the table's number
        error = UnknownCommandError
    if error is AuthenticationError and names_device:
        error = DeviceNotPermittedError
    if error is PlatformBusyError and not idempotent:
        return OutcomeUnknownError(text, errno, request_ended=errno in _TOO_OFTEN or "frequen" in text.lower())
    return error(text, errno)


def _classify(errno: int | None, text: str, *, names_device: bool) -> type[PlatformError]:
    """Return the class of a refusal, as if the credentials were proved by any call."""
    if errno in _DEVICE_ANSWERS and (match := _ANSWER_NUMBER.search(text)):
        return _ANSWER_NUMBERS.get(int(match[1]), DeviceError)
    # Without case and separators: TIME_OUT, time out and timeout are one word.
    folded = _CACHED.sub("", re.sub(r"[\s_-]+", "", _PATH.sub(" ", text.lower())))

    def has(words: tuple[str, ...]) -> bool:
        return any(word in folded for word in words)

    from_device = errno in _DEVICE_ANSWERS
    # The order counts: a text may have words of several classes.
    rules: tuple[tuple[bool, type[PlatformError]], ...] = (
        (errno in _NO_SUCH_CALL, NotSupportedError),
        (has(_OFFLINE) or (from_device and "forbidden" in folded), DeviceOfflineError),
        (errno in _DEVICE_TIMEOUTS and has(_TIMEOUT), DeviceTimeoutError),
        (not from_device and has(_TRANSIENT), PlatformBusyError),
        (has(_CALLER), InvalidRequestError),
        # Before the credentials: neither a new key nor another one would help.
        (errno in _CREDENTIALS and "expired" in folded, ClockError),
        (has(_ADDRESS), AddressNotPermittedError),
        (not from_device and has(_AUTHENTICATION), AuthenticationError),
        ("notsubscribed" in folded, InvalidRequestError),
    )
    for applies, error in rules:
        if applies:
            return error
    if errno == 1:
        # Of a call that names a device, key and IMEI do not match; of any other, the server failed.
        return DeviceNotPermittedError if names_device else PlatformBusyError
    return PlatformError if errno is None else _BY_ERRNO.get(errno, PlatformError)
