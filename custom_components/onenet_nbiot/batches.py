"""Batched calls about many devices, in which an error about one device affects no other."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import batched
import time

from .const import LOGGER
from .onenet.client import OneNetClient
from .onenet.errors import ErrorKind, NotSupportedError, OneNetError, SlowReplyError, UnknownDeviceError

# Suspended calls and devices are included again after this time.
RETRY_AFTER = timedelta(hours=1)
# Seconds for which a successful check of the connection is not repeated.
_CHECK_VALID_FOR = 5
# A call is given up until the next poll after this many failed requests, or after fewer if none has succeeded.
_MAX_FAILURES = 24
_MAX_FAILURES_WITHOUT_REPLY = 12
# The lower bound of the size limit that a call keeps for later polls.
_MIN_BATCH_SIZE = 10


class ConnectionCheck:
    """Find out whether a failed request, which is about some devices, is due to the account or the connection."""

    def __init__(self, client: OneNetClient) -> None:
        """Create a check without a result."""
        self._client = client
        self._valid_until = 0.0

    async def async_check(self, err: OneNetError) -> None:
        """Raise `err` if it is account-wide. Otherwise check the connection, and raise the error of that check.

        The check is skipped for an error that is not due to the connection, and shortly after a successful check.
        """
        if err.is_account_wide:
            raise err
        if err.kind in (ErrorKind.TRANSIENT, ErrorKind.PLATFORM) and time.monotonic() >= self._valid_until:
            await self._client.check_connection()
            self._valid_until = time.monotonic() + _CHECK_VALID_FOR


class BatchCaller:
    """Make calls about many devices in batches, and calls about one device, and count the successful requests.

    After a refusal or an unreadable reply, a batch is split in halves until a single device remains; a device that
    fails like this in two polls is suspended for an hour.
    """

    def __init__(self, client: OneNetClient, connection: ConnectionCheck) -> None:
        """Create a caller without suspended calls or devices."""
        self.replies = 0
        self._client = client
        self._connection = connection
        # Until when calls ("call"), or single devices of a call ("call key"), are suspended.
        self._suspended_until: dict[str, datetime] = {}
        # Names "call key" whose last request about that single device failed.
        self._failed_single: set[str] = set()
        # By call, the limit of the size of its batches after larger ones failed, and until when it applies.
        self._limits: dict[str, tuple[int, datetime]] = {}
        self._logged: set[str] = set()

    async def async_call[T](
        self, call: str, keys: Iterable[str], request: Callable[[list[str]], Awaitable[T]]
    ) -> AsyncIterator[tuple[list[str], T]]:
        """Make a call about devices in batches, split failed ones in halves, and yield keys and result of each one."""
        now = self._client.now()
        included = [key for key in keys if self.is_included(call, key)]
        limit, until = self._limits.get(call, (0, now))
        size = limit if until > now else max(1, len(included))
        pending = deque(
            list(part) for batch in self._client.batches(included) for part in batched(batch, size, strict=False)
        )
        largest = failures = 0
        single: dict[str, OneNetError] = {}
        # A batch of the largest size is halved at most nine times until a single device remains.
        while pending and failures < (_MAX_FAILURES if largest else _MAX_FAILURES_WITHOUT_REPLY):
            # If a single device failed and nothing has succeeded yet, try the last batch next: its success shows that
            # the call itself works.
            batch = pending.pop() if single and not largest else pending.popleft()
            try:
                result = await self.async_request(request(batch))
            except OneNetError as err:
                await self._connection.async_check(err)
                failures += 1
                if isinstance(err, NotSupportedError):
                    self.suspend_call(call, err)
                    return
                if isinstance(err, SlowReplyError) and len(batch) > _MIN_BATCH_SIZE:
                    # Further batches would be as slow: use smaller ones in the next poll.
                    self.set_limit(call, len(batch) // 2)
                    return
                if len(batch) == 1:
                    single[batch[0]] = err
                else:
                    middle = len(batch) // 2
                    pending.extendleft((batch[middle:], batch[:middle]))
                continue
            largest = max(largest, len(batch))
            self._failed_single -= {f"{call} {key}" for key in batch}
            yield batch, result
        lasting = {key: err for key, err in single.items() if err.kind is not ErrorKind.TRANSIENT}
        if largest:
            self._suspend_devices(call, single)
        elif len(included) == 1:
            self._suspend_devices(call, lasting)
        elif failures and len(lasting) == len(single):
            # No request was successful: the call is the cause, not the devices.
            self.suspend_call(call, next(iter(lasting.values()), None))
        if failures and largest and not single:
            # Only batches failed, and no single device: they were too large.
            self.set_limit(call, largest)

    def is_included(self, call: str, key: str) -> bool:
        """Return whether neither a call nor the device in that call is suspended."""
        now = self._client.now()
        return self._suspended_until.get(call, now) <= now and self._suspended_until.get(f"{call} {key}", now) <= now

    def suspend_call(self, call: str, err: OneNetError | None) -> None:
        """Suspend a call about several devices for an hour."""
        self._suspended_until[call] = self._client.now() + RETRY_AFTER
        LOGGER.debug("The bulk request for the %s failed and is suspended for an hour: %s", call, err)

    def _suspend_devices(self, call: str, failed: Mapping[str, OneNetError]) -> None:
        """Suspend the devices of a call that also failed in their last single request, and log each device once."""
        for key, err in failed.items():
            name = f"{call} {key}"
            if name not in self._failed_single:
                self._failed_single.add(name)
                continue
            self._suspended_until[name] = self._client.now() + RETRY_AFTER
            # For a device that OneNET does not know there is a repair issue.
            if name not in self._logged and not isinstance(err, UnknownDeviceError):
                self._logged.add(name)
                LOGGER.warning(
                    "The %s of a device could not be fetched; the device is skipped for an hour: %s", call, err
                )

    def set_limit(self, call: str, size: int) -> None:
        """Limit the size of a call's batches for an hour."""
        self._limits[call] = (max(_MIN_BATCH_SIZE, size), self._client.now() + RETRY_AFTER)

    def suspensions(self, calls: Iterable[str], key: str | None = None) -> dict[str, datetime]:
        """Return until when calls are suspended, for all devices or for the one with a key, by call."""
        now = self._client.now()
        names = {call: call if key is None else f"{call} {key}" for call in calls}
        until = {call: self._suspended_until.get(name, now) for call, name in names.items()}
        return {call: moment for call, moment in until.items() if moment > now}

    def limits(self) -> dict[str, int]:
        """Return the limits of the sizes of batches, by call."""
        now = self._client.now()
        return {call: size for call, (size, until) in self._limits.items() if until > now}

    def has_failed(self, call: str, key: str) -> bool:
        """Return whether the last request of a call about this single device failed."""
        return f"{call} {key}" in self._failed_single

    def clear_failures(self, key: str) -> None:
        """Include a device in all calls again."""
        suspended = self._suspended_until.items()
        self._suspended_until = {name: until for name, until in suspended if not name.endswith(f" {key}")}
        self._failed_single = {name for name in self._failed_single if not name.endswith(f" {key}")}

    async def async_request[T](self, request: Awaitable[T]) -> T:
        """Wait for a request, and count it if it was successful."""
        result = await request
        self.replies += 1
        return result
