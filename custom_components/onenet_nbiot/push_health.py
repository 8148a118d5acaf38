"""Decide whether the pushes of an account arrive: only then may polls be less frequent."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

# After this many outcomes in succession that a poll has found, but no push has brought, pushes have stopped.
_MISSED_MAX = 3
# A push may arrive this much later than a poll finds the same outcome.
_LATE = timedelta(minutes=1)
_DAY = timedelta(days=1)
# Pushes are expected every day if they arrived every day for this long.
_REGULAR = timedelta(days=2)
_STATUS_INTERVAL = timedelta(hours=1)
# Number of outcomes of which it is kept that a push has brought them.
_PUSHED_MAX = 1000
# Counts for the diagnostics.
DUPLICATES: Final = "duplicates"
NOT_SAVED: Final = "not_saved"
OTHER_COMMANDS: Final = "outcomes_of_other_commands"
OTHER_DEVICES: Final = "messages_of_other_devices"


class PushHealth:
    """Hold which pushes of an account arrived, which were refused, and which are missing.

    It outlives reloads of the config entry. All times are the platform's.
    """

    def __init__(self) -> None:
        """Create a state in which no push has arrived."""
        # Numbers of refused requests by reason, and of other requests and messages.
        self.refused: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.missed = 0
        # Set when OneNET has checked the URL.
        self.url_checked = asyncio.Event()
        self.clear()

    def clear(self) -> None:
        """Expect no pushes until one arrives, since the push was turned off."""
        self.last_push: datetime | None = None
        # Whether OneNET has returned that the push is off.
        self.is_off = False
        self._status_at: datetime | None = None
        # The first push since which no day was without one.
        self._regular_since: datetime | None = None
        self._missed_in_succession = 0
        self._pushed: dict[str, None] = {}
        # By UUID, when a poll has found an outcome that no push has brought yet.
        self._unpushed: dict[str, datetime] = {}

    def arrived(self, now: datetime) -> None:
        """Record that a push has arrived."""
        if self.last_push is None or self._regular_since is None or now - self.last_push > _DAY:
            self._regular_since = now
        self.last_push = now
        self.is_off = False

    def pushed(self, uuid: str) -> None:
        """Record that a push has brought the outcome of a command."""
        self._missed_in_succession = 0
        self._unpushed.pop(uuid, None)
        self._pushed[uuid] = None
        if len(self._pushed) > _PUSHED_MAX:
            del self._pushed[next(iter(self._pushed))]

    def polled(self, uuid: str, now: datetime) -> None:
        """Record that a poll has found the outcome of a command, which a push should bring."""
        if uuid not in self._pushed:
            self._unpushed[uuid] = now

    def check(self, now: datetime) -> None:
        """Count the outcomes that no push has brought in time."""
        for uuid, polled_at in list(self._unpushed.items()):
            if now - polled_at > _LATE:
                del self._unpushed[uuid]
                self.missed += 1
                self._missed_in_succession += 1

    def is_status_due(self, now: datetime) -> bool:
        """Return whether to request now whether the push is active, at most once an hour."""
        is_due = self._status_at is None or now - self._status_at >= _STATUS_INTERVAL
        if is_due:
            self._status_at = now
        return is_due

    def is_stopped(self, now: datetime) -> bool:
        """Return whether pushes that should arrive do not."""
        last, since = self.last_push, self._regular_since
        is_silent = bool(last and since and last - since >= _REGULAR and now - last > _DAY)
        return self.is_off or self._missed_in_succession >= _MISSED_MAX or is_silent

    def is_active(self, now: datetime) -> bool:
        """Return whether pushes arrive."""
        return self.last_push is not None and now - self.last_push <= _DAY and not self.is_stopped(now)

    def summary(self, now: datetime) -> dict[str, Any]:
        """Return the state for the diagnostics."""
        return {
            "last_push": self.last_push,
            "active": self.is_active(now),
            "stopped": self.is_stopped(now),
            "missed": self.missed,
            "refused": self.refused,
            "url_checked": self.url_checked.is_set(),
        } | self.counts
