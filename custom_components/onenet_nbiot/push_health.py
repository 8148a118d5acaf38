"""Decide whether the pushes of an account arrive: only then may polls be less frequent."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .onenet.push import PushedOutcome

# After this many outcomes in succession that a poll has found, but no push has brought, pushes have stopped.
_MISSED_MAX = 3
# A push may arrive this much later than a poll finds the same outcome.
_LATE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
# An event with a later time is from a device with a wrong clock.
_FUTURE = timedelta(minutes=5)
# Pushes are expected every day if they arrived every day for this long.
_REGULAR = timedelta(days=2)
# Numbers of pushed outcomes and of requests that are kept to recognize duplicates.
_PUSHED_MAX = 1000
_REQUESTS_MAX = 2000
_STORAGE_VERSION = 1
# How often the times are saved at most, and the delay of that in seconds.
_SAVE_INTERVAL = timedelta(minutes=10)
_SAVE_DELAY = 60
# Counts for the diagnostics.
DUPLICATES: Final = "duplicates"
NOT_SAVED: Final = "not_saved"
OTHER_COMMANDS: Final = "outcomes_of_other_commands"
OTHER_DEVICES: Final = "messages_of_other_devices"


class PushHealth:
    """Hold which pushes of an account arrived, which were refused, and which are missing.

    It outlives reloads of the config entry. All times are the platform's.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Create a state in which no push has arrived."""
        self._store: Store[dict[str, str]] = Store(hass, _STORAGE_VERSION, f"{DOMAIN}.push_{entry_id}")
        # Numbers of refused requests by reason, and of other requests and messages.
        self.refused: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.missed = 0
        # Set when OneNET has checked the URL.
        self.url_checked = asyncio.Event()
        # Whether OneNET has returned that the push is off.
        self._is_off = False
        self._status_at: datetime | None = None
        self._requests: dict[str, None] = {}
        self._pushed: dict[str, None] = {}
        self._announced: dict[str, None] = {}
        # By UUID, the device of an outcome that a poll has found and no push has brought yet, and when it was found.
        self._unpushed: dict[str, tuple[str, datetime]] = {}
        # The number of outcomes in succession that no push has brought: of all devices, and by the IMEI of one.
        self._missed_in_succession = 0
        self._missed_of: dict[str, tuple[int, datetime]] = {}
        self._set_times({})

    def _set_times(self, times: dict[str, str]) -> None:
        """Set the times that survive a restart."""
        at = {name: dt_util.parse_datetime(time) for name, time in times.items()}
        self.last_push = at.get("last_push")
        # The first push since which no day was without one.
        self._regular_since = at.get("regular_since")
        # The platform's time of the newest event that a push has brought.
        self._newest_event = at.get("newest_event")
        self._saved_at: datetime | None = None

    def _times(self) -> dict[str, str]:
        """Return the times that survive a restart."""
        times = {
            "last_push": self.last_push,
            "regular_since": self._regular_since,
            "newest_event": self._newest_event,
        }
        return {name: at.isoformat() for name, at in times.items() if at is not None}

    async def async_load(self) -> None:
        """Load the times of the last run of Home Assistant."""
        self._set_times(await self._store.async_load() or {})

    async def async_clear(self) -> None:
        """Expect no pushes until one arrives, since the push was turned off."""
        self._set_times({})
        self._is_off, self._status_at = False, None
        self._missed_in_succession = 0
        self._missed_of.clear()
        self._unpushed.clear()
        await self._store.async_remove()

    def is_duplicate(self, fingerprint: str) -> bool:
        """Return whether a request has been received before."""
        return fingerprint in self._requests

    def received(self, fingerprint: str) -> None:
        """Remember a request to recognize duplicates."""
        _remember(self._requests, fingerprint, _REQUESTS_MAX)

    @callback
    def async_arrived(self, now: datetime, newest: datetime | None) -> None:
        """Record that a push with events has arrived, the newest of which has this time.

        A repeated push is no sign that pushes arrive: a signature is valid forever.
        """
        known = max(self._newest_event or now - _DAY, now - _DAY)
        if newest is None or not known < newest <= now + _FUTURE:
            return
        self._newest_event = newest
        if self.last_push is None or self._regular_since is None or now - self.last_push > _DAY:
            self._regular_since = now
        self.last_push = now
        if self._saved_at is None or now - self._saved_at > _SAVE_INTERVAL:
            self._saved_at = now
            self._store.async_delay_save(self._times, _SAVE_DELAY)

    def pushed(self, imei: str, uuid: str) -> None:
        """Record that a push has brought the outcome of a command."""
        self._missed_in_succession = 0
        self._missed_of.pop(imei, None)
        self._unpushed.pop(uuid, None)
        _remember(self._pushed, uuid, _PUSHED_MAX)

    def is_new_other(self, outcome: PushedOutcome, now: datetime) -> bool:
        """Return whether the outcome of a command of another application is from the last day, and was not seen yet."""
        uuid = outcome.record.uuid
        if uuid in self._announced or outcome.time is None or now - outcome.time > _DAY:
            return False
        _remember(self._announced, uuid, _PUSHED_MAX)
        return True

    def polled(self, imei: str, uuid: str, now: datetime) -> None:
        """Record that a poll has found the outcome of a command, which a push should bring."""
        if uuid not in self._pushed:
            self._unpushed[uuid] = imei, now

    def check(self, now: datetime) -> None:
        """Count the outcomes that no push has brought in time."""
        for uuid, (imei, polled_at) in list(self._unpushed.items()):
            if now - polled_at > _LATE:
                del self._unpushed[uuid]
                self.missed += 1
                self._missed_in_succession += 1
                self._missed_of[imei] = self._missed_of.get(imei, (0, now))[0] + 1, now
        for imei, (_, missed_at) in list(self._missed_of.items()):
            if now - missed_at > _DAY:
                del self._missed_of[imei]

    def is_status_due(self, now: datetime) -> bool:
        """Return whether to request now whether the push is active, at most once an hour."""
        is_due = self._status_at is None or now - self._status_at >= _HOUR
        if is_due:
            self._status_at = now
        return is_due

    def set_status(self, *, is_active: bool) -> None:
        """Set whether the push is active according to OneNET."""
        self._is_off = not is_active

    def is_stopped(self, now: datetime) -> bool:
        """Return whether pushes that should arrive do not."""
        last, since = self.last_push, self._regular_since
        # OneNET returns the state of one push of the product, and may have others, of groups or rules.
        is_off = self._is_off and (last is None or now - last > _HOUR)
        is_silent = bool(last and since and last - since >= _REGULAR and now - last > _DAY)
        missed = max((self._missed_in_succession, *(number for number, _ in self._missed_of.values())))
        return is_off or missed >= _MISSED_MAX or is_silent

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


def _remember(known: dict[str, None], key: str, limit: int) -> None:
    """Add a key to known ones, and drop the oldest one beyond a limit."""
    known[key] = None
    if len(known) > limit:
        del known[next(iter(known))]
