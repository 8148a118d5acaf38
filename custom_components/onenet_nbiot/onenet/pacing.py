"""Limit the rate of commands for each device. OneNET accepts one command per device and second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

# Above this number of devices, those without a pause are removed.
_DEVICES_MAX = 1000


class Pacer:
    """Separate the commands for each device by a pause, in the order of the calls."""

    def __init__(self) -> None:
        """Create a pacer without pauses."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # By IMEI, the event loop's time at which the pause ends.
        self._next: dict[str, float] = {}

    @asynccontextmanager
    async def slot(self, imei: str, pause: float) -> AsyncIterator[None]:
        """Wait for the device's pause, and start a pause of `pause` seconds when the context exits.

        The pause starts at the exit, because a request takes time to arrive.
        """
        if not pause:
            yield
            return
        loop = asyncio.get_running_loop()
        if (lock := self._locks.get(imei)) is None:
            lock = self._locks[imei] = asyncio.Lock()
        async with lock:
            if (seconds := self._next.get(imei, 0) - loop.time()) > 0:
                await asyncio.sleep(seconds)
            try:
                yield
            finally:
                now = loop.time()
                if len(self._next) > _DEVICES_MAX:
                    self._next = {device: moment for device, moment in self._next.items() if moment > now}
                self._next[imei] = now + pause
