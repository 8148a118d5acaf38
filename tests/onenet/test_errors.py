"""The family of exceptions; every number of the documents' tables has its cases in wire/errors_*.json."""

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
    """Return all classes of the family that have a reason."""
    return [kind for child in base.__subclasses__() for kind in (child, *every_class(child))]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_only_the_connection_and_the_credentials_concern_the_whole_account(kind: type[OneNetError]) -> None:
    """What OneNET says of one device, or of one call, stops no other."""
    assert kind.is_account_wide is (kind in ACCOUNT_WIDE)


def test_an_error_shows_the_text_and_the_number_of_onenet() -> None:
    """A person can search for both."""
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
def test_a_device_that_is_offline_is_recognised_in_every_spelling(
    errno: int | None, text: str, *, idempotent: bool
) -> None:
    """Otherwise if_offline would not queue."""
    error = platform_error(errno, text, idempotent=idempotent, names_device=True)
    assert error.reason == "device_offline"


@pytest.mark.parametrize("text", ["Time-Out", "device timed out", "TIMED_OUT", "应答超时"])
@pytest.mark.parametrize("errno", [14, 16, 5106, 10411, 10421])
def test_a_device_that_timed_out_is_recognised_in_every_spelling(errno: int, text: str) -> None:
    """Otherwise a read would not be queued in its place."""
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
def test_what_is_not_about_the_credentials_asks_for_no_others(errno: int, text: str, *, names_device: bool) -> None:
    """A person would replace a key that is right."""
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
def test_the_word_offline_in_the_name_of_a_call_says_nothing_of_the_device(errno: int, text: str, reason: str) -> None:
    """OneNET calls its cached commands offline commands, and has the word in their paths."""
    error = platform_error(errno, text, idempotent=False, names_device=True, about_command=True)
    assert error.reason == reason


@pytest.mark.parametrize("errno", [1, 7, 14, 15, 17, 18, 429, 500, 502, 503, 504, 5108, 5117, 10429, 10500])
def test_a_temporary_error_leaves_open_whether_a_command_was_queued(errno: int) -> None:
    """A command that is sent again blindly may be carried out twice."""
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
def test_a_call_that_came_too_often_was_not_carried_out(errno: int, text: str, *, request_ended: bool) -> None:
    """A command that can no longer be queued need not be looked for."""
    error = platform_error(errno, text, idempotent=False, names_device=True)
    assert isinstance(error, errors.OutcomeUnknownError)
    assert error.request_ended is request_ended


def test_an_error_keeps_what_it_knows_with_another_text() -> None:
    """Whether a request has ended decides whether it is sent again."""
    error = errors.OutcomeUnknownError("secret", 7, request_ended=True).with_text("***")
    assert (error.text, error.errno, error.request_ended) == ("***", 7, True)
