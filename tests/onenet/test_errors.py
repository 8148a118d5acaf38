"""The family of exceptions."""

import pytest

from custom_components.onenet_nbiot.onenet.errors import ErrorKind, platform_error


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


@pytest.mark.parametrize("errno", [5108, 5117])
def test_an_rpc_error_may_be_tried_again_only_when_that_does_no_harm(errno: int) -> None:
    """A battery-powered device would be sent the same command twice."""
    assert platform_error(errno, "rpc", idempotent=True).kind is ErrorKind.TRANSIENT
    assert platform_error(errno, "rpc", idempotent=False).kind is ErrorKind.PLATFORM


def test_a_text_of_any_length_stays_short() -> None:
    """A page of nonsense would end up in events and in the log."""
    assert len(platform_error(3, "x" * 10_000, idempotent=True).text) == 300
