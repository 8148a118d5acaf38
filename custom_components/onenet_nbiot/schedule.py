"""Decide when the commands of which device are polled next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# A device's commands are polled this long after a command is queued or becomes valid, then after so many intervals.
_FIRST_POLL_DELAY = timedelta(seconds=10)
_POLL_BACKOFF = (1, 1, 2, 5, 10)
# Without commands and devices, a poll only checks the connection.
_IDLE_INTERVAL = timedelta(minutes=15)
# While pushes arrive, all polls are less frequent by this factor.
RELAXED_FACTOR = 4
# A timer may be early by a second.
_TIMER_TOLERANCE = timedelta(seconds=1)


@dataclass(slots=True)
class _Times:
    """Hold the times of the last and the next poll of a device.

    `step` is the number of polls since a command was queued or changed, `queued` the number of queued commands.
    """

    polled_at: datetime
    next_at: datetime
    step: int = 0
    queued: int = 0

    def is_due(self, now: datetime) -> bool:
        """Return whether a poll is due, which it also is after the clock was set back."""
        return not self.polled_at - _TIMER_TOLERANCE <= now < self.next_at - _TIMER_TOLERANCE


class PollSchedule:
    """Hold the times of the full poll, which includes presence and values, and of the polls of each device's commands.

    A device's commands are polled soon after one was queued, becomes valid or expires, then less and less often. All
    times are the platform's.
    """

    def __init__(self, interval: timedelta, now: datetime) -> None:
        """Create a schedule with a full poll that is due now."""
        self.first_delay = min(_FIRST_POLL_DELAY, interval)
        self._base_interval = self._interval = interval
        self._full = _Times(now, now)
        self._devices: dict[str, _Times] = {}

    @property
    def is_relaxed(self) -> bool:
        """Return whether polls are less frequent, because pushes arrive."""
        return self._interval != self._base_interval

    def set_relaxed(self, now: datetime, *, is_relaxed: bool) -> None:
        """Make polls less frequent, or as frequent as before; scheduled ones are not delayed."""
        interval = self._base_interval
        self._interval = interval * RELAXED_FACTOR if is_relaxed else interval
        self.first_delay = self._interval if is_relaxed else min(_FIRST_POLL_DELAY, interval)
        self._full.next_at = min(self._full.next_at, now + self._interval)
        for times in self._devices.values():
            times.next_at = min(times.next_at, now + self._interval)

    def set_devices(self, imeis: Iterable[str], now: datetime) -> None:
        """Set the devices with commands; those of new ones are due now."""
        self._devices = {imei: self._devices.get(imei) or _Times(now, now, 1) for imei in imeis}

    @property
    def imeis(self) -> set[str]:
        """Return the IMEIs of the devices with commands."""
        return set(self._devices)

    def due(self, now: datetime, *, soon_only: bool = False) -> list[str]:
        """Return the IMEIs of the devices that are due, the most urgent first; `soon_only` selects early polls."""
        due = [
            (times.step > 0, times.next_at, imei)
            for imei, times in self._devices.items()
            if times.is_due(now) and not (soon_only and times.step)
        ]
        return [imei for *_, imei in sorted(due)]

    def polled_at(self, imei: str, default: datetime) -> datetime:
        """Return when a device's commands were last polled."""
        return self._devices[imei].polled_at if imei in self._devices else default

    def times(self, imei: str) -> dict[str, datetime]:
        """Return for the diagnostics when a device's commands were and will be polled, nothing without commands."""
        times = self._devices.get(imei)
        return {} if times is None else {"last_poll": times.polled_at, "next_poll": times.next_at}

    def summary(self, now: datetime) -> dict[str, Any]:
        """Return for the diagnostics how often is polled, and how many devices are due."""
        return {
            "interval_seconds": self._interval.total_seconds(),
            "relaxed": self.is_relaxed,
            "next_full_poll": self._full.next_at,
            "devices_with_commands": len(self._devices),
            "devices_due": len(self.due(now)),
        }

    def start(self, imei: str) -> int:
        """Start the poll of a device; return a token for its end."""
        times = self._devices.get(imei)
        return times.queued if times else 0

    def queued(self, imei: str, now: datetime) -> None:
        """Schedule an early poll of a device, for which a command was queued."""
        times = self._devices.setdefault(imei, _Times(now, now + self.first_delay))
        times.next_at, times.step = min(times.next_at, now + self.first_delay), 0
        times.queued += 1

    def polled(self, imei: str, token: int, now: datetime, next_change: datetime | None) -> None:
        """Schedule the next poll of a device at the end of one.

        `next_change` is the first time since the delay of an early poll when one of its commands becomes valid, expires
        or is overdue.
        """
        if (times := self._devices.get(imei)) is None:
            # A simultaneous poll has finished its last command.
            return
        times.polled_at = now
        if times.queued != token:
            # A command was queued meanwhile, and its early poll must not be delayed.
            return
        times.next_at = now + self._interval * _POLL_BACKOFF[min(times.step, len(_POLL_BACKOFF) - 1)]
        times.step += 1
        if next_change is not None and next_change + self.first_delay < times.next_at:
            times.next_at = next_change + self.first_delay
            times.step = 0

    def failed(self, imei: str, token: int, now: datetime) -> None:
        """Make a device due at the next full poll, at the end of a failed poll of it."""
        if (times := self._devices.get(imei)) is None:
            return
        times.polled_at = now
        if times.queued == token:
            times.next_at, times.step = now, max(times.step, 1)

    def is_full_poll_due(self, now: datetime) -> bool:
        """Return whether a full poll is due."""
        return self._full.is_due(now)

    def full_poll_started(self, now: datetime) -> None:
        """Schedule the next full poll an interval after this one."""
        self._full = _Times(now, now + self._interval)

    def request_full_poll(self, now: datetime) -> None:
        """Make the next poll a full one."""
        self._full = _Times(now, now)

    def delay(self, now: datetime, *, is_idle: bool) -> timedelta:
        """Return the time until the next poll: a full one, or an earlier one of commands that are polled soon.

        `is_idle` is whether the account has no devices.
        """
        if is_idle and not self._devices:
            return max(self._interval, _IDLE_INTERVAL)
        soon = (times.next_at - now for times in self._devices.values() if times.step == 0)
        return max(self.first_delay, min((self._interval, self._full.next_at - now, *soon)))
