"""Statistics of an account's requests: how many, how long they took, and how they failed."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from .errors import ErrorKind, OneNetError


@dataclass(slots=True)
class CallStatistics:
    """Hold the number of completed requests of a call, the number of failed ones, and their durations in seconds."""

    count: int = 0
    failed: int = 0
    seconds: float = 0
    longest: float = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorStatistics:
    """Hold the number of errors with the same reason, and the time, call and number of the last one, but no text."""

    kind: ErrorKind
    count: int
    last_at: datetime
    last_call: str
    last_errno: int | None


@dataclass(slots=True)
class RequestStatistics:
    """Hold the statistics of requests by call, and those of errors by reason.

    A call is a method and a path without ids, so that there are few of them, and none identifies a device.
    """

    calls: dict[str, CallStatistics] = field(default_factory=dict)
    errors: dict[str, ErrorStatistics] = field(default_factory=dict)

    def add(self, call: str, seconds: float) -> CallStatistics:
        """Count a completed request, and return the statistics of its call."""
        if (found := self.calls.get(call)) is None:
            found = self.calls[call] = CallStatistics()
        found.count += 1
        found.seconds += seconds
        found.longest = max(found.longest, seconds)
        return found

    def add_failed(self, call: str, seconds: float, error: OneNetError, at: datetime) -> None:
        """Count a failed request."""
        self.add(call, seconds).failed += 1
        former = self.errors.get(error.reason)
        self.errors[error.reason] = ErrorStatistics(
            kind=error.kind,
            count=1 if former is None else former.count + 1,
            last_at=at,
            last_call=call,
            last_errno=error.errno,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics, the most frequent calls and the latest errors first."""
        calls = sorted(self.calls.items(), key=lambda item: item[1].count, reverse=True)
        errors = sorted(self.errors.items(), key=lambda item: item[1].last_at, reverse=True)
        return {
            "calls": {
                call: {
                    "count": found.count,
                    "failed": found.failed,
                    "mean_seconds": round(found.seconds / found.count, 3),
                    "longest_seconds": round(found.longest, 3),
                }
                for call, found in calls
            },
            "errors": {reason: asdict(found) for reason, found in errors},
        }
