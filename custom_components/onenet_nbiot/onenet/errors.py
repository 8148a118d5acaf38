"""One family of exceptions for all that can go wrong between an application and OneNET."""

from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """Whose turn it is after an error."""

    AUTHENTICATION = "authentication"
    """The credentials have to be replaced."""
    CALLER = "caller"
    """The request has to be corrected."""
    DEVICE = "device"
    """The device refused, or is not there."""
    LIMIT = "limit"
    """Something has to finish or to be cancelled first."""
    TRANSIENT = "transient"
    """The same may work later; a call that is not idempotent must be looked up before it is repeated."""
    PLATFORM = "platform"
    """What answered did something that its documents do not describe."""


class OneNetError(Exception):
    """Stand for every failure of a call to OneNET.

    `errno` is OneNET's number of the error, None where OneNET gave none. `text` is what OneNET, or the layer
    below it, said. `reason` is a stable lowercase word for programs.
    """

    reason: ClassVar[str]
    kind: ClassVar[ErrorKind]

    def __init__(self, text: str, errno: int | None = None) -> None:
        """Keep OneNET's text and number."""
        super().__init__(text if errno is None else f"{text} (errno {errno})")
        self.text = text
        self.errno = errno

    @property
    def concerns_all(self) -> bool:
        """Return whether other calls would meet the same error now: it lies with the credentials or the connection."""
        return self.kind in (ErrorKind.AUTHENTICATION, ErrorKind.TRANSIENT)


class BodyTooLargeError(OneNetError):
    """Say that a command holds more than OneNET takes: nothing was sent."""

    reason = "body_too_large"
    kind = ErrorKind.CALLER


class NotSupportedError(OneNetError):
    """Say that this generation of the platform has no such call: nothing was sent."""

    reason = "not_supported"
    kind = ErrorKind.CALLER


class CannotConnectError(OneNetError):
    """Say that no connection came about: nothing was sent."""

    reason = "cannot_connect"
    kind = ErrorKind.TRANSIENT


class TlsError(CannotConnectError):
    """Say that the host has no certificate that can be trusted, or does not speak TLS: nothing was sent."""

    reason = "tls_failed"
    kind = ErrorKind.PLATFORM


class NoReplyError(OneNetError):
    """Say that a request may have arrived, but that no whole reply came back."""

    reason = "no_reply"
    kind = ErrorKind.TRANSIENT


class SlowReplyError(NoReplyError):
    """Say that nobody waited for the reply any longer: the request may still arrive."""


class UnexpectedReplyError(NoReplyError):
    """Say that the reply is not one of OneNET's."""

    reason = "unexpected_reply"
    kind = ErrorKind.PLATFORM


class OutcomeUnknownError(OneNetError):
    """Say that a command may or may not have been queued; sending it again may queue it twice.

    `over` is whether the request is over, so that nothing of it can still arrive.
    """

    reason = "outcome_unknown"
    kind = ErrorKind.TRANSIENT

    def __init__(self, text: str, errno: int | None = None, *, over: bool = False) -> None:
        """Keep also whether it is over."""
        super().__init__(text, errno)
        self.over = over


class ConfirmationLostError(OneNetError):
    """Say that a device may or may not have done what it was told to do at once."""

    reason = "confirmation_lost"
    kind = ErrorKind.TRANSIENT


class PlatformError(OneNetError):
    """Say that OneNET refused: what was asked for was not done."""

    reason = "platform_error"
    kind = ErrorKind.PLATFORM


class AuthenticationError(PlatformError):
    """Say that OneNET does not accept the credentials."""

    reason = "invalid_auth"
    kind = ErrorKind.AUTHENTICATION


class NotPermittedError(PlatformError):
    """Say that the credentials, though perhaps valid, do not allow this call."""

    reason = "not_permitted"
    kind = ErrorKind.CALLER


class InvalidRequestError(PlatformError):
    """Say that OneNET found a parameter or the body wrong."""

    reason = "invalid_request"
    kind = ErrorKind.CALLER


class UnknownDeviceError(PlatformError):
    """Say that the account has no such device."""

    reason = "unknown_device"
    kind = ErrorKind.CALLER


class UnknownCommandError(PlatformError):
    """Say that the device has no such command."""

    reason = "unknown_command"
    kind = ErrorKind.CALLER


class DeviceOfflineError(PlatformError):
    """Say that the device sleeps: a cached command would wait for it."""

    reason = "device_offline"
    kind = ErrorKind.DEVICE


class DeviceError(PlatformError):
    """Say that the device answered with an error, whose name is in the text."""

    reason = "device_error"
    kind = ErrorKind.DEVICE


class DeviceTimeoutError(PlatformError):
    """Say that the device did not answer in time: it may sleep, and may have done what it was told before that."""

    reason = "device_timeout"
    kind = ErrorKind.DEVICE


class LimitReachedError(PlatformError):
    """Say that a limit of the platform is reached: for a cached command, the queue of its device is full."""

    reason = "limit_reached"
    kind = ErrorKind.LIMIT


class PlatformBusyError(PlatformError):
    """Say that OneNET is overloaded, is called too often, or fails for the moment."""

    reason = "platform_busy"
    kind = ErrorKind.TRANSIENT


_BY_ERRNO: dict[int, type[PlatformError]] = {
    1: NotPermittedError,
    3: InvalidRequestError,
    7: PlatformBusyError,
    10: DeviceOfflineError,
    14: PlatformBusyError,
    15: PlatformBusyError,
    17: PlatformBusyError,
    2001: DeviceOfflineError,
    5006: LimitReachedError,
    5106: DeviceError,
    10001: InvalidRequestError,
    10403: AuthenticationError,
    10410: UnknownDeviceError,
    10421: DeviceOfflineError,
    10500: PlatformBusyError,
}
# The documents contradict each other about these numbers, or give one for many errors; the text decides.
_BY_TEXT: dict[int, dict[str, type[PlatformError]]] = {
    3: {"auth": AuthenticationError},
    7: {"param": InvalidRequestError},
    # Unlike 2001, this may come after the device was told what to do.
    5106: {"time_out": DeviceTimeoutError, "offline": DeviceTimeoutError},
}
# RPC errors that the documents ask to try again.
_RPC = {5108, 5117}
# After these nobody knows whether the call was carried out.
_UNCERTAIN = {7, 14, 17, 10500} | _RPC


def platform_error(errno: int, text: str, *, idempotent: bool) -> PlatformError | OutcomeUnknownError:
    """Return the exception for one of OneNET's error numbers.

    `idempotent` says whether the failed call may be repeated without harm; where it may not, an error after which it
    may have been carried out all the same is an OutcomeUnknownError. Source: "API return status codes".
    """
    for word, error in _BY_TEXT.get(errno, {}).items():
        if word in text.lower():
            return error(text, errno)
    if errno in _UNCERTAIN and not idempotent:
        return OutcomeUnknownError(text, errno)
    if errno in _RPC:
        return PlatformBusyError(text, errno)
    return _BY_ERRNO.get(errno, PlatformError)(text, errno)
