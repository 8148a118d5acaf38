"""Calls about many devices in batches, so that the trouble of one device costs no other."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import batched

from .const import LOGGER
from .onenet.client import OneNetClient
from .onenet.errors import ErrorKind, NotSupportedError, OneNetError, SlowReplyError, UnknownDeviceError

# What was left out is asked for again after this time.
RETRY_AFTER = timedelta(hours=1)
# So many requests of a call may fail before the rest waits for the next round: in all, and with none answered.
_FAILURES_MAX = 24
_FAILURES_IN_A_ROW = 12
# Batches are not made smaller than this for good.
_BATCH_MIN = 10


class BatchCaller:
    """Make calls about many devices in batches, and calls about one, and count what OneNET answers.

    A batch that is refused, or whose reply cannot be read, is asked for in halves until the device that causes it is
    alone; that one is left out for an hour.
    """

    def __init__(self, client: OneNetClient) -> None:
        """Start with nothing left out."""
        self.answers = 0
        self._client = client
        self._checked = False
        # Calls that are not made for now, and calls with the key of a device that they leave out, until then.
        self._left_out: dict[str, datetime] = {}
        # Calls with the key of a device that failed when they were last made about it alone.
        self._failed_alone: set[str] = set()
        # The largest batch that was answered, by call, where larger ones failed, until larger ones are tried again.
        self._limits: dict[str, tuple[int, datetime]] = {}
        self._logged: set[str] = set()

    def start_round(self) -> None:
        """Count from zero, and check the connection again when a request fails."""
        self.answers = 0
        self._checked = False

    async def async_call[T](
        self, call: str, keys: Iterable[str], ask: Callable[[list[str]], Awaitable[T]]
    ) -> AsyncIterator[tuple[list[str], T]]:
        """Make a call about devices in batches, those that fail in halves; yield the keys and the result of each."""
        now = self._client.now()
        asked = [key for key in keys if self.may_ask(call, key)]
        limit, until = self._limits.get(call, (0, now))
        size = limit if until > now else max(1, len(asked))
        pending = deque(
            list(part) for batch in self._client.batches(asked) for part in batched(batch, size, strict=False)
        )
        largest = failures = 0
        alone: dict[str, OneNetError] = {}
        # Halves of one batch fail at most nine times in a row before a single device is left.
        while pending and failures < (_FAILURES_MAX if largest else _FAILURES_IN_A_ROW):
            batch = pending.popleft()
            try:
                result = await self.async_request(ask(batch))
            except OneNetError as err:
                await self.async_check(err)
                failures += 1
                if isinstance(err, NotSupportedError):
                    self.do_without(call, err)
                    return
                if isinstance(err, SlowReplyError) and len(batch) > _BATCH_MIN:
                    # Every further one would take as long: the next round asks for less at once.
                    self.set_limit(call, len(batch) // 2)
                    return
                if len(batch) == 1:
                    alone[batch[0]] = err
                else:
                    middle = len(batch) // 2
                    pending.extendleft((batch[middle:], batch[:middle]))
                continue
            largest = max(largest, len(batch))
            self._failed_alone -= {f"{call} {key}" for key in batch}
            yield batch, result
        lasting = {key: err for key, err in alone.items() if err.kind is not ErrorKind.TRANSIENT}
        if largest:
            self._leave_out(call, alone)
        elif len(asked) == 1:
            self._leave_out(call, lasting)
        elif failures and len(lasting) == len(alone):
            # The devices are not the cause.
            self.do_without(call, next(iter(lasting.values()), None))
        if failures and largest and not alone:
            # Nor is one of them alone: the batches were too large.
            self.set_limit(call, largest)

    def may_ask(self, call: str, key: str) -> bool:
        """Return whether a call is made about a device: neither the call nor the device is left out for now."""
        now = self._client.now()
        return self._left_out.get(call, now) <= now and self._left_out.get(f"{call} {key}", now) <= now

    def do_without(self, call: str, err: OneNetError | None) -> None:
        """Leave out a call about several devices for a while."""
        self._left_out[call] = self._client.now() + RETRY_AFTER
        LOGGER.debug("OneNET cannot be asked for the %s of several devices: %s", call, err)

    def _leave_out(self, call: str, failed: Mapping[str, OneNetError]) -> None:
        """Leave devices out of a call for a while that failed alone twice in a row, and log each once."""
        for key, err in failed.items():
            name = f"{call} {key}"
            if name not in self._failed_alone:
                self._failed_alone.add(name)
                continue
            self._left_out[name] = self._client.now() + RETRY_AFTER
            # A device that OneNET does not know has a repair of its own.
            if name not in self._logged and not isinstance(err, UnknownDeviceError):
                self._logged.add(name)
                LOGGER.warning("OneNET cannot be asked for the %s of one device, it is left out: %s", call, err)

    def set_limit(self, call: str, size: int) -> None:
        """Make the batches of a call no larger than this for a while."""
        self._limits[call] = (max(_BATCH_MIN, size), self._client.now() + RETRY_AFTER)

    def has_failed(self, call: str, key: str) -> bool:
        """Return whether a call failed when it was last made about a device alone."""
        return f"{call} {key}" in self._failed_alone

    def forget_failures(self, key: str) -> None:
        """Ask about a device again in all calls."""
        self._left_out = {name: until for name, until in self._left_out.items() if not name.endswith(f" {key}")}
        self._failed_alone = {name for name in self._failed_alone if not name.endswith(f" {key}")}

    async def async_request[T](self, request: Awaitable[T]) -> T:
        """Wait for a request, and count it if it was answered."""
        result = await request
        self.answers += 1
        return result

    async def async_check(self, err: OneNetError) -> None:
        """Raise an error that concerns all devices."""
        if err.is_account_wide:
            raise err
        if err.kind in (ErrorKind.TRANSIENT, ErrorKind.PLATFORM) and not self._checked:
            # It may concern this request only.
            await self._client.check_connection()
            self._checked = True
