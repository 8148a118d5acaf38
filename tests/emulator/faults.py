"""Faults of replies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """Kinds of faults: a delay, then those before the call is carried out, then those after it."""

    DELAY = "delay"

    RESET_BEFORE = "reset_before"
    PAGE = "page"
    ERRNO = "errno"

    RESET_AFTER = "reset_after"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    HUGE = "huge"
    GARBAGE = "garbage"
    BODY = "body"
    DATA = "data"


@dataclass(kw_only=True)
class Fault:
    """A fault: of which requests, for how many of them, after how many seconds, and its parameters.

    In the text, `{authorization}` is replaced by the key or the token of the request.
    """

    kind: FaultKind
    times: int = 1
    path: str = ""
    imei: str = ""
    device_id: str = ""
    parameter: tuple[str, str] | None = None
    seconds: float = 0
    status: int = 502
    reason: str = ""
    errno: int = 0
    text: str = "<html><body>Welcome</body></html>"
    location: str = ""
    data: Any = None

    def applies_to(self, path: str, query: Mapping[str, str]) -> bool:
        """Return whether the fault applies to a request."""
        ids = query.get("devIds", "").split(",")
        name, value = self.parameter or ("", None)
        return (
            self.path in path
            and self.imei in query.get("imei", "")
            and (not self.device_id or self.device_id in ids)
            and query.get(name) == value
        )
