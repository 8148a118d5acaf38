"""The exceptions of the client, and the interpretation of OneNET's error numbers and texts."""

from enum import StrEnum
import re
from typing import ClassVar, Self, override


class ErrorKind(StrEnum):
    """Enumerate the causes of errors."""

    AUTHENTICATION = "authentication"
    """The credentials must be replaced."""
    CALLER = "caller"
    """The request must be corrected."""
    DEVICE = "device"
    """The device returned an error, or is not reachable."""
    LIMIT = "limit"
    """A limit is reached; a waiting command must finish or be cancelled first."""
    TRANSIENT = "transient"
    """The call may succeed later; before a call that is not idempotent is repeated, its outcome must be checked."""
    PLATFORM = "platform"
    """The server did not behave as OneNET documents it."""


class OneNetError(Exception):
    """Report that a call failed; the base class of all errors of the client.

    `errno` is OneNET's error number, None if there is none. `text` is OneNET's text, or a description of the failure.
    `reason` is a stable lowercase word for programs.
    """

    reason: ClassVar[str]
    kind: ClassVar[ErrorKind]
    is_account_wide: ClassVar[bool] = False
    """Whether all other calls of the account will fail as well."""

    def __init__(self, text: str, errno: int | None = None) -> None:
        """Create an error from a text and OneNET's error number."""
        super().__init__(text if errno is None else f"{text} (errno {errno})")
        self.text = text
        self.errno = errno

    def with_text(self, text: str) -> Self:
        """Return a copy of the error with another text, without its cause and context."""
        return type(self)(text, self.errno)


class CannotConnectError(OneNetError):
    """Report that no connection could be established; the request was not sent."""

    reason = "cannot_connect"
    kind = ErrorKind.TRANSIENT
    is_account_wide = True


class TlsError(CannotConnectError):
    """Report that no TLS connection could be established; the request was not sent."""

    reason = "tls_failed"
    kind = ErrorKind.PLATFORM


class BodyTooLargeError(OneNetError):
    """Report that a command is larger than OneNET accepts; the request was not sent."""

    reason = "body_too_large"
    kind = ErrorKind.CALLER


class NoReplyError(OneNetError):
    """Report that no complete reply was received; the request may have arrived."""

    reason = "no_reply"
    kind = ErrorKind.TRANSIENT


class SlowReplyError(NoReplyError):
    """Report that the reply timed out; OneNET may still process the request."""


class UnexpectedReplyError(NoReplyError):
    """Report that the reply is not in OneNET's format."""

    reason = "unexpected_reply"
    kind = ErrorKind.PLATFORM


class RequestRejectedError(UnexpectedReplyError):
    """Report that a server rejected the request with an HTTP status; it was not processed."""


class OutcomeUnknownError(OneNetError):
    """Report that it is unknown whether OneNET queued a command; sending it again may queue it twice.

    `request_ended` is whether the request has ended, so that OneNET cannot queue the command later.
    """

    reason = "outcome_unknown"
    kind = ErrorKind.TRANSIENT

    def __init__(self, text: str, errno: int | None = None, *, request_ended: bool = False) -> None:
        """Create an error; `request_ended` defaults to False."""
        super().__init__(text, errno)
        self.request_ended = request_ended

    @override
    def with_text(self, text: str) -> Self:
        return type(self)(text, self.errno, request_ended=self.request_ended)


class ConfirmationLostError(OneNetError):
    """Report that it is unknown whether the device executed an immediate command."""

    reason = "confirmation_lost"
    kind = ErrorKind.TRANSIENT


class PlatformError(OneNetError):
    """Report that OneNET returned an error for a call."""

    reason = "platform_error"
    kind = ErrorKind.PLATFORM


class AuthenticationError(PlatformError):
    """Report that OneNET does not accept the credentials."""

    reason = "invalid_auth"
    kind = ErrorKind.AUTHENTICATION
    is_account_wide = True


class NotPermittedError(PlatformError):
    """Report that OneNET does not permit a call; the credentials may be valid."""

    reason = "not_permitted"
    kind = ErrorKind.CALLER


class DeviceNotPermittedError(NotPermittedError):
    """Report that a call that names a device was refused; the device may belong to another product."""


class ClockError(NotPermittedError):
    """Report that OneNET considers the token expired, because the local clock or OneNET's clock is wrong."""

    kind = ErrorKind.PLATFORM
    is_account_wide = True


class AddressNotPermittedError(NotPermittedError):
    """Report that OneNET does not accept calls from the local IP address."""

    kind = ErrorKind.PLATFORM
    is_account_wide = True


class NotSupportedError(PlatformError):
    """Report that the platform does not have the call."""

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
    """Report that the device is offline; a cached command would wait for it."""

    reason = "device_offline"
    kind = ErrorKind.DEVICE


class DeviceError(PlatformError):
    """Report that the device returned an error, whose name is in the text."""

    reason = "device_error"
    kind = ErrorKind.DEVICE


class DeviceTimeoutError(PlatformError):
    """Report that the device's response timed out; it may have executed the command."""

    reason = "device_timeout"
    kind = ErrorKind.DEVICE


class LimitReachedError(PlatformError):
    """Report that a limit is reached, for example that of waiting commands, or that a parameter is out of range."""

    reason = "limit_reached"
    kind = ErrorKind.LIMIT


class PlatformBusyError(PlatformError):
    """Report that OneNET is overloaded, limits the rate of calls, or has a temporary error."""

    reason = "platform_busy"
    kind = ErrorKind.TRANSIENT


# By error number, if the text does not determine the class; PlatformError for other numbers. Some numbers have several
# meanings in the N, G and O tables of "API return status codes".
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
    # The product is unknown; its id is part of the credentials.
    10408: AuthenticationError,
    10409: UnknownDeviceError,
    10410: UnknownDeviceError,
    10411: DeviceError,
    10421: DeviceOfflineError,
    10429: PlatformBusyError,
    10500: PlatformBusyError,
}
_NOT_SUPPORTED = {404, 405, 10404}
# The call exceeded the rate limit and was not processed.
_RATE_LIMITED = {15, 429, 10429}
# Errors whose text contains the status of the device's response.
_DEVICE_RESPONSES = {16, 5106}
# Errors for which a timeout in the text is that of the device.
_DEVICE_TIMEOUTS = {14, 10411, 10421, *_DEVICE_RESPONSES}
_INVALID_CREDENTIALS = {10403}
# By response status; other statuses are a DeviceError. 2 and 12 mean that the device is not registered.
_BY_RESPONSE_STATUS: dict[int, type[PlatformError]] = {
    2: DeviceOfflineError,
    5: DeviceTimeoutError,
    12: DeviceOfflineError,
}
_RESPONSE_STATUS = re.compile(r"(?:^|[:\uff1a])\s*(\d{1,2})\s*$", re.ASCII)
_OFFLINE = ("notonline", "offline", "不在线", "离线")
_TIMEOUT = ("timeout", "timedout", "超时")
_TRANSIENT = ("internal", "servererror", "busy", "frequen")
_CALLER = ("invalidparam", "parameterrequired", "invalidjson", "illegal")
_AUTHENTICATION = ("authfailed", "authentication", "authorization", "unauthorized", "apikey", "鉴权")
_ADDRESS = ("iplimit", "whitelist")
# Texts in which "offline" does not mean that the device is offline: paths, and OneNET's name for cached commands.
_PATH = re.compile(r"[a-z]+://[!-~]+|(?<![^\s:\uff1a'\"])/[a-z][\w./-]*", re.ASCII)
_CACHED_COMMAND = re.compile(r"offline(?:command|cmd|cache|history|instruction)|离线(?:命令|指令|缓存)")


def platform_error(
    errno: int | None, text: str, *, idempotent: bool, names_device: bool, about_command: bool = False
) -> PlatformError | OutcomeUnknownError:
    """Return the exception for an error of OneNET, determined by its text, else by its number, which may be None.

    For a temporary error of a call that is not idempotent, return OutcomeUnknownError. `names_device` is whether the
    call names a device; the refusal of such a call does not show that the credentials are invalid, because the device
    may belong to another product. `about_command` is whether the call is about a cached command. Source: "API return
    status codes".
    """
    error = _classify(errno, text, names_device=names_device)
    if error is UnknownDeviceError and errno == 8 and about_command:  # noqa: PLR2004 - the table's number
        error = UnknownCommandError
    if error is AuthenticationError and names_device:
        error = DeviceNotPermittedError
    if error is PlatformBusyError and not idempotent:
        return OutcomeUnknownError(text, errno, request_ended=errno in _RATE_LIMITED or "frequen" in text.lower())
    return error(text, errno)


def _classify(errno: int | None, text: str, *, names_device: bool) -> type[PlatformError]:
    """Return the class of an error, before `idempotent` and `about_command` are considered."""
    if errno in _DEVICE_RESPONSES and (match := _RESPONSE_STATUS.search(text)):
        return _BY_RESPONSE_STATUS.get(int(match[1]), DeviceError)
    # Normalized, because TIME_OUT, time out and timeout are equivalent.
    normalized = _CACHED_COMMAND.sub("", re.sub(r"[\s_-]+", "", _PATH.sub(" ", text.lower())))

    def has(words: tuple[str, ...]) -> bool:
        return any(word in normalized for word in words)

    from_device = errno in _DEVICE_RESPONSES
    # In order of precedence, because a text may contain words of several classes.
    rules: tuple[tuple[bool, type[PlatformError]], ...] = (
        (errno in _NOT_SUPPORTED, NotSupportedError),
        (has(_OFFLINE) or (from_device and "forbidden" in normalized), DeviceOfflineError),
        (errno in _DEVICE_TIMEOUTS and has(_TIMEOUT), DeviceTimeoutError),
        (not from_device and has(_TRANSIENT), PlatformBusyError),
        (has(_CALLER), InvalidRequestError),
        # Before the credentials, because replacing the key would not help.
        (errno in _INVALID_CREDENTIALS and "expired" in normalized, ClockError),
        (has(_ADDRESS), AddressNotPermittedError),
        (not from_device and has(_AUTHENTICATION), AuthenticationError),
        ("notsubscribed" in normalized, InvalidRequestError),
    )
    for applies, error in rules:
        if applies:
            return error
    if errno == 1:
        # In a call that names a device, the key does not match the IMEI; in any other call, the server failed.
        return DeviceNotPermittedError if names_device else PlatformBusyError
    return PlatformError if errno is None else _BY_ERRNO.get(errno, PlatformError)
