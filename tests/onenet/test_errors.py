"""Tests of the exceptions; the cases for the documented error numbers are in wire/errors_*.json."""

import pytest

from custom_components.onenet_nbiot.onenet import errors
from custom_components.onenet_nbiot.onenet.errors import OneNetError, platform_error

ACCOUNT_WIDE = {
    errors.CannotConnectError,
    errors.TlsError,
    errors.AuthenticationError,
    errors.ClockError,
    errors.AddressNotPermittedError,
}


def every_class(base: type[OneNetError] = OneNetError) -> list[type[OneNetError]]:
    """Return all subclasses of a class of errors."""
    return [kind for child in base.__subclasses__() for kind in (child, *every_class(child))]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_only_connection_and_credentials_errors_are_account_wide(kind: type[OneNetError]) -> None:
    """Only errors of the connection and of the credentials are account-wide."""
    assert kind.is_account_wide is (kind in ACCOUNT_WIDE)


def test_an_error_contains_the_text_and_the_number() -> None:
    """An error contains OneNET's text and number."""
    error = platform_error(5006, "limit", idempotent=True, names_device=True)
    assert (error.text, error.errno, str(error)) == ("limit", 5006, "limit (errno 5006)")


@pytest.mark.parametrize(
    ("errno", "text"),
    [
        (2001, "NOT-ONLINE"),
        (14, "Device Not_Online"),
        (10500, "device off line"),
        (4711, "the device is off-line"),
        (5106, "unsuccess:OFFLINE"),
        (16, "forbidden"),
        (None, "deviceOffline"),
        (10411, "操作失败/设备不在线"),
        (10500, "not registered/not online"),
        (5108, "device offline request failed"),
    ],
)
@pytest.mark.parametrize("idempotent", [True, False])
def test_an_offline_device_is_recognized_in_every_spelling(errno: int | None, text: str, *, idempotent: bool) -> None:
    """An offline device is recognized in every spelling."""
    error = platform_error(errno, text, idempotent=idempotent, names_device=True)
    assert error.reason == "device_offline"


@pytest.mark.parametrize("text", ["Time-Out", "device timed out", "TIMED_OUT", "应答超时"])
@pytest.mark.parametrize("errno", [14, 16, 5106, 10411, 10421])
def test_a_device_timeout_is_recognized_in_every_spelling(errno: int, text: str) -> None:
    """The timeout of a device is recognized in every spelling."""
    assert platform_error(errno, text, idempotent=False, names_device=True).reason == "device_timeout"


@pytest.mark.parametrize(
    ("errno", "text"),
    [
        (10403, "this request has expired"),
        (10403, "authorization expired"),
        (1, "ip limit"),
        (3, "auth failed: not in the white-list"),
        (1, "internal server error"),
        (7, "authentication server is busy"),
        (3, "invalid parameter: auth_info"),
        (6, "author is missing"),
        (5106, "UNAUTHORIZED"),
    ],
)
@pytest.mark.parametrize("names_device", [True, False])
def test_other_refusals_are_not_authentication_errors(errno: int, text: str, *, names_device: bool) -> None:
    """Refusals for other reasons than the credentials are not authentication errors."""
    error = platform_error(errno, text, idempotent=True, names_device=names_device)
    assert not isinstance(error, errors.AuthenticationError | errors.DeviceNotPermittedError)


@pytest.mark.parametrize(
    ("errno", "text", "reason"),
    [
        (10404, "path /nb-iot/offline/cancel/all does not exist", "not_supported"),
        (404, "not found: /nbiot/offline/history", "not_supported"),
        (405, "method not allowed for /nb-iot/execute/offline", "not_supported"),
        (10404, "no such call: https://host.example/nbiot/offline", "not_supported"),
        (6, "cannot parse 'http://host.example/nbiot/offline'", "invalid_request"),
        (5006, "offline command count exceeds the limit", "limit_reached"),
        (5006, "离线命令数量超限", "limit_reached"),
        (8, "offline command not found", "unknown_command"),
        (10421, "device offline, offline command kept", "device_offline"),
    ],
)
def test_offline_in_the_name_of_a_call_does_not_mean_an_offline_device(errno: int, text: str, reason: str) -> None:
    """The word "offline" in a path, or in OneNET's name for cached commands, does not mean an offline device."""
    error = platform_error(errno, text, idempotent=False, names_device=True, about_command=True)
    assert error.reason == reason


@pytest.mark.parametrize("errno", [1, 7, 14, 15, 17, 18, 429, 500, 502, 503, 504, 5108, 5117, 10429, 10500])
def test_the_outcome_of_a_command_is_unknown_after_a_temporary_error(errno: int) -> None:
    """After a temporary error, the outcome of a call that is not idempotent is unknown."""
    assert platform_error(errno, "internal error", idempotent=True, names_device=True).reason == "platform_busy"
    assert platform_error(errno, "internal error", idempotent=False, names_device=True).reason == "outcome_unknown"


@pytest.mark.parametrize(
    ("errno", "text", "request_ended"),
    [
        (15, "", True),
        (429, "", True),
        (10429, "", True),
        (7, "request too frequent", True),
        (7, "", False),
        (10500, "internal error", False),
        (503, "", False),
    ],
)
def test_a_rate_limited_request_has_ended(errno: int, text: str, *, request_ended: bool) -> None:
    """A request that exceeded the rate limit has ended."""
    error = platform_error(errno, text, idempotent=False, names_device=True)
    assert isinstance(error, errors.OutcomeUnknownError)
    assert error.request_ended is request_ended


def test_with_text_keeps_the_number_and_whether_the_request_has_ended() -> None:
    """`with_text` keeps the error number and whether the request has ended."""
    error = errors.OutcomeUnknownError("secret", 7, request_ended=True).with_text("***")
    assert (error.text, error.errno, error.request_ended) == ("***", 7, True)
