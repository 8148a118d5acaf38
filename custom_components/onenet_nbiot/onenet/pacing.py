"""Turns for the commands to one device, which OneNET takes one a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

# With more devices than this, those whose pause has passed are dropped.
_KEPT = 1000


class Pacer:
    """Keep the calls for one device a pause apart, in the order in which they came."""

    def __init__(self) -> None:
        """Start with no call."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # When the next call for a device may start.
        self._next: dict[str, float] = {}

    @asynccontextmanager
    async def slot(self, imei: str, pause: float) -> AsyncIterator[None]:
        """Wait for a device's turn, which is at once for the first call; the next one is `pause` seconds after this.

        The pause begins at the end of the context: a call may take its time to arrive.
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
                if len(self._next) > _KEPT:
                    self._next = {device: moment for device, moment in self._next.items() if moment > now}
                self._next[imei] = now + pause
