"""The family of exceptions."""

import pytest

from custom_components.onenet_nbiot.onenet.errors import ErrorKind, PlatformError, platform_error


@pytest.mark.parametrize(
    ("errno", "text", "reason", "kind"),
    [
        (1, "internal error", "not_permitted", ErrorKind.CALLER),
        (3, "Auth failed", "invalid_auth", ErrorKind.AUTHENTICATION),
        (3, "invalid JSON", "invalid_request", ErrorKind.CALLER),
        (7, "inner error", "platform_busy", ErrorKind.TRANSIENT),
        (7, "Parameter missing", "invalid_request", ErrorKind.CALLER),
        (10, "device not online", "device_offline", ErrorKind.DEVICE),
        (14, "latency", "platform_busy", ErrorKind.TRANSIENT),
        (15, "too often", "platform_busy", ErrorKind.TRANSIENT),
        (17, "nb server error", "platform_busy", ErrorKind.TRANSIENT),
        (2001, "not online", "device_offline", ErrorKind.DEVICE),
        (5006, "limit", "limit_reached", ErrorKind.LIMIT),
        (5106, "NOT_FOUND", "device_error", ErrorKind.DEVICE),
        (10001, "parameter", "invalid_request", ErrorKind.CALLER),
        (10403, "auth", "invalid_auth", ErrorKind.AUTHENTICATION),
        (10410, "no such device", "unknown_device", ErrorKind.CALLER),
        (10421, "not online", "device_offline", ErrorKind.DEVICE),
        (10500, "internal", "platform_busy", ErrorKind.TRANSIENT),
        (987654, "new in 2027", "platform_error", ErrorKind.PLATFORM),
    ],
)
def test_every_number_says_whose_turn_it_is(errno: int, text: str, reason: str, kind: ErrorKind) -> None:
    """A person would be asked for a new key when the device sleeps, or a wrong parameter be tried for ever."""
    error = platform_error(errno, text, idempotent=True)
    assert (error.reason, error.kind, error.errno, error.text) == (reason, kind, errno, text)
    assert str(error) == f"{text} (errno {errno})"


@pytest.mark.parametrize("errno", [7, 14, 17, 5108, 5117, 10500])
def test_trouble_of_the_platforms_leaves_open_whether_a_command_was_queued(errno: int) -> None:
    """A person would be told to try again, and a battery-powered device do everything twice."""
    assert platform_error(errno, "internal", idempotent=True).kind is ErrorKind.TRANSIENT
    assert platform_error(errno, "internal", idempotent=False).reason == "outcome_unknown"


@pytest.mark.parametrize(("errno", "text"), [(7, "parameter missing"), (15, "too often"), (5006, "limit")])
def test_a_refusal_stays_one_for_a_command(errno: int, text: str) -> None:
    """A person would look for a command that was certainly not queued."""
    assert isinstance(platform_error(errno, text, idempotent=False), PlatformError)
