"""Decide whether the pushes of an account arrive: only then may polls be less frequent."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .onenet.push import PushedOutcome

# After so many results in succession, or values, that a poll has found and no push has brought, pushes have stopped.
_MISSED_MAX = 3
# A push may arrive this much later than a poll finds the same news, and may have another time.
_LATE = timedelta(minutes=1)
_DAY = timedelta(days=1)
# An event with a later time is from a device with a wrong clock.
_FUTURE = timedelta(minutes=5)
# Pushes are expected every day if they arrived every day for this long. A device that reports daily may be late.
_REGULAR = timedelta(days=2)
_SILENT = timedelta(hours=30)
# The state of the push is requested this often, and while it is off.
_STATUS_INTERVAL = timedelta(hours=1)
_OFF_INTERVAL = timedelta(minutes=5)
# Numbers of pushed outcomes and of requests that are kept to recognize duplicates.
_PUSHED_MAX = 1000
_REQUESTS_MAX = 2000
_STORAGE_VERSION = 1
# Seconds.
_SAVE_DELAY = 300
_RESULT, _VALUE = "result", "value"
# Counts for the diagnostics.
DUPLICATES: Final = "duplicates"
NOT_SAVED: Final = "not_saved"
OTHER_COMMANDS: Final = "outcomes_of_other_commands"
OTHER_DEVICES: Final = "messages_of_other_devices"


class PushHealth:
    """Hold which pushes of an account arrived, which were refused, and which are missing.

    It outlives reloads of the config entry, and what decides about polling outlives restarts. All times are the
    platform's.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Create a state in which no push has arrived."""
        self._store: Store[dict[str, Any]] = Store(hass, _STORAGE_VERSION, f"{DOMAIN}.push_{entry_id}")
        self._is_saving = False
        # Numbers of refused requests by reason, and of other requests and messages.
        self.refused: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.missed = 0
        # Set when OneNET has checked the URL.
        self.url_checked = asyncio.Event()
        self._ready_at: datetime | None = None
        # Whether OneNET has returned that the push is off.
        self._is_off = False
        self._status_at: datetime | None = None
        self._requests: dict[str, None] = {}
        self._pushed: dict[str, None] = {}
        # By UUID or value key, the device of news that a poll has found and no push has brought yet, and when.
        self._unpushed: dict[str, tuple[str, datetime]] = {}
        self._restore({})

    def _restore(self, data: dict[str, Any]) -> None:
        """Set what survives a restart."""
        self.last_push = _time(data, "last_push")
        # The first push since which no day was without one.
        self._regular_since = _time(data, "regular_since")
        # The platform's time of the newest event that a push has brought.
        self._newest_event = _time(data, "newest_event")
        # The UUIDs of announced commands of other applications.
        self._announced: dict[str, None] = dict.fromkeys(data.get("announced", []))
        # The numbers of news in succession that no push has brought: of all devices, and of one with its IMEI.
        self._missed: Counter[str] = Counter(data.get("missed", {}))

    def _data(self) -> dict[str, Any]:
        """Return what survives a restart, as JSON."""
        self._is_saving = False
        return {
            "last_push": self.last_push and self.last_push.isoformat(),
            "regular_since": self._regular_since and self._regular_since.isoformat(),
            "newest_event": self._newest_event and self._newest_event.isoformat(),
            "announced": list(self._announced),
            "missed": dict(self._missed),
        }

    @callback
    def _async_save(self) -> None:
        """Save soon, and at the latest when Home Assistant stops."""
        if not self._is_saving:
            self._is_saving = True
            self._store.async_delay_save(self._data, _SAVE_DELAY)

    async def async_load(self) -> None:
        """Load the state of the last run of Home Assistant."""
        self._restore(await self._store.async_load() or {})

    async def async_clear(self) -> None:
        """Expect no pushes until one arrives, since the push was turned off."""
        self._restore({})
        self._is_off, self._status_at, self._ready_at = False, None, None
        self._unpushed.clear()
        await self._store.async_remove()
        self._is_saving = False

    def ready(self, now: datetime) -> None:
        """Record that requests are received from now on."""
        # OneNET's times of outcomes have whole seconds.
        self._ready_at = now.replace(microsecond=0)

    @callback
    def async_url_checked(self) -> None:
        """Record that OneNET has checked the URL; the push may be active again."""
        self.url_checked.set()
        self._status_at = None

    def is_duplicate(self, fingerprint: str) -> bool:
        """Return whether a request has been received before."""
        return fingerprint in self._requests

    def received(self, fingerprint: str) -> None:
        """Remember a request to recognize duplicates."""
        _remember(self._requests, fingerprint, _REQUESTS_MAX)

    @callback
    def async_arrived(self, now: datetime, newest: datetime | None) -> None:
        """Record that a push has arrived, whose newest event about a device of the account has this time.

        A repeated push is no sign that pushes arrive: a signature is valid forever.
        """
        known = max(self._newest_event or now - _DAY, now - _DAY)
        if newest is None or not known < newest <= now + _FUTURE:
            return
        self._newest_event = newest
        if self.last_push is None or self._regular_since is None or now - self.last_push > _SILENT:
            self._regular_since = now
        self.last_push = now
        self._async_save()

    @callback
    def pushed(self, imei: str, key: str) -> None:
        """Record that a push has brought the outcome of a command, by its UUID, or a value, by its value key."""
        self._unpushed.pop(key, None)
        kind = _kind(key)
        if kind == _RESULT:
            _remember(self._pushed, key, _PUSHED_MAX)
        for counted in (kind, f"{kind} {imei}"):
            if self._missed.pop(counted, 0):
                self._async_save()

    def polled_value(self, imei: str, path: str, before: datetime | None, at: datetime, now: datetime) -> None:
        """Record that a poll has found a value of a time; the one before has the other time."""
        if before is None or at - before > _LATE:
            self.polled(imei, value_key(imei, path), at, now)

    def polled(self, imei: str, key: str, at: datetime | None, now: datetime) -> None:
        """Record that a poll has found an outcome or a value of a time, which a push should have brought."""
        if key not in self._pushed and self._ready_at is not None and (at or now) >= self._ready_at:
            self._unpushed[key] = imei, now

    @callback
    def async_check(self, now: datetime, is_known: Callable[[str], bool]) -> None:
        """Count the news that no push has brought in time; forget those of devices that are not known any more."""
        for key, (imei, polled_at) in list(self._unpushed.items()):
            if now - polled_at > _LATE:
                del self._unpushed[key]
                self.missed += 1
                kind = _kind(key)
                self._missed.update([kind, f"{kind} {imei}"])
                self._async_save()
        for counted in list(self._missed):
            _, _, imei = counted.partition(" ")
            if imei and not is_known(imei):
                del self._missed[counted]

    def is_new_other(self, outcome: PushedOutcome, now: datetime) -> bool:
        """Return whether the outcome of a command of another application is recent, and was not announced yet."""
        is_recent = outcome.time is None or now - outcome.time <= _DAY
        return is_recent and outcome.record.uuid not in self._announced

    @callback
    def async_announced(self, outcome: PushedOutcome) -> None:
        """Remember that the outcome of a command of another application was announced."""
        _remember(self._announced, outcome.record.uuid, _PUSHED_MAX)
        self._async_save()

    def is_status_due(self, now: datetime) -> bool:
        """Return whether to request now whether the push is active."""
        interval = _OFF_INTERVAL if self._is_off else _STATUS_INTERVAL
        is_due = self._status_at is None or now - self._status_at >= interval
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
        is_off = self._is_off and (last is None or now - last > _DAY)
        is_silent = bool(last and since and last - since >= _REGULAR and now - last > _SILENT)
        return is_off or is_silent or max(self._missed.values(), default=0) >= _MISSED_MAX

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
            "missed_in_succession": max(self._missed.values(), default=0),
            "refused": self.refused,
            "url_checked": self.url_checked.is_set(),
        } | self.counts


def value_key(imei: str, path: str) -> str:
    """Return the key of a value of a device."""
    return f"{imei}/{path}"


def _kind(key: str) -> str:
    """Return whether a key is that of a value or the UUID of a command."""
    return _VALUE if "/" in key else _RESULT


def _time(data: dict[str, Any], name: str) -> datetime | None:
    """Return a stored time, None for none."""
    return dt_util.parse_datetime(data[name]) if data.get(name) else None


def _remember(known: dict[str, None], key: str, limit: int) -> None:
    """Add a key to known ones, and drop the oldest one beyond a limit."""
    known[key] = None
    if len(known) > limit:
        del known[next(iter(known))]
