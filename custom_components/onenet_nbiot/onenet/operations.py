"""LwM2M operations, which OneNET sends to a device immediately or as cached commands."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, IntFlag
import json
from typing import Any, Self, override

from . import clock
from .errors import BodyTooLargeError

LWM2M_ID_MAX = 65535
RETRY_MAX = 10
# Seconds that OneNET waits for the device's response.
TIMEOUT_MIN = 5
TIMEOUT_MAX = 40
TIMEOUT_DEFAULT = 25
# Largest size in bytes of the values of a write or the arguments of an execute command, without the rest of the body.
CONTENT_MAX = 2048
# Maximum number of waiting cached commands per device.
WAITING_MAX = 10


def _without_none(parameters: dict[str, str | float | None]) -> dict[str, str | float]:
    """Return the parameters without those that are None, for which OneNET uses its defaults."""
    return {name: value for name, value in parameters.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Describe an operation on an object, object instance or resource of a device.

    `imei` has 15 digits, or 4 for a test device. The LwM2M ids are 0 to 65535; `res_id` requires `obj_inst_id`.
    """

    command: str = field(init=False, default="")
    imei: str
    obj_id: int
    obj_inst_id: int | None = None
    res_id: int | None = None

    @property
    def target(self) -> tuple[object, ...]:
        """Return a key for the IMEI, the command and the resources, without the values; the IMEI is first."""
        return self.imei, self.command, self.obj_id, self.obj_inst_id, self.res_id

    @property
    def identity(self) -> tuple[object, ...]:
        """Return a key that is equal for operations with the same effect."""
        return self.target

    def covers(self, other: Operation) -> bool:
        """Return whether this operation makes an earlier one, which the device has not received, unnecessary."""
        return self.target == other.target

    def query(self) -> dict[str, str | float]:
        """Return the query parameters of the request."""
        return _without_none(
            {"imei": self.imei, "obj_id": self.obj_id, "obj_inst_id": self.obj_inst_id, "res_id": self.res_id}
        )

    def content(self) -> dict[str, Any] | None:
        """Return the body of the request before JSON encoding; None for no body."""
        return None

    def size(self) -> int:
        """Return the size in bytes of the values or arguments, which OneNET limits to CONTENT_MAX."""
        return 0

    def body(self) -> bytes | None:
        """Return the body of the request as JSON; None for no body.

        Raise BodyTooLargeError if `size` exceeds CONTENT_MAX, ValueError for a value that cannot be encoded as JSON.
        """
        if (content := self.content()) is None:
            return None
        if (size := self.size()) > CONTENT_MAX:
            raise BodyTooLargeError(f"{size} bytes, the maximum is {CONTENT_MAX}")
        return _json(content)


def _json(content: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Read(Operation):
    """Read an object, an object instance or a resource.

    Sources: "Immediate command: read", "Cached command: read device resources".
    """

    command: str = field(init=False, default="read")


class WriteMode(IntEnum):
    """Enumerate the LwM2M write modes."""

    REPLACE = 1
    """Delete the resources of the object instance that are not written."""
    UPDATE = 2
    """Keep the resources of the object instance that are not written."""


class ValueType(IntEnum):
    """Enumerate the formats of written values."""

    PLAIN = 0
    """A boolean, a number or a string."""
    OPAQUE = 1
    """Bytes as a hex string."""
    TIME = 2
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """Hold a value to write to a resource, in the format of its type."""

    res_id: int
    value: bool | float | str
    type: ValueType = ValueType.PLAIN

    @classmethod
    def opaque(cls, res_id: int, value: bytes) -> Self:
        """Return an opaque value from bytes."""
        return cls(res_id, value.hex(), ValueType.OPAQUE)

    @classmethod
    def time(cls, res_id: int, moment: datetime) -> Self:
        """Return a time value in whole seconds from an aware datetime; raise ValueError for a naive one."""
        return cls(res_id, clock.to_unix(moment), ValueType.TIME)

    @property
    def moment(self) -> datetime:
        """Return the time in UTC; raise OverflowError, OSError, TypeError or ValueError if the value is not a time."""
        return clock.from_unix(float(self.value))

    def content(self) -> dict[str, Any]:
        """Return the value as a member of the request's body."""
        content: dict[str, Any] = {"res_id": self.res_id, "val": self.value}
        return content if self.type is ValueType.PLAIN else content | {"type": self.type.value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Write(Operation):
    """Write one or more resources of an object instance.

    OneNET does not check the types of the values; the device refuses a wrong type. Sources: "Immediate command: write",
    "Cached command: write device resources".
    """

    command: str = field(init=False, default="write")
    obj_inst_id: int
    res_id: None = field(init=False, default=None)
    values: tuple[WrittenValue, ...]
    mode: WriteMode = WriteMode.UPDATE

    @property
    @override
    def target(self) -> tuple[object, ...]:
        return self.imei, self.command, self.obj_id, self.obj_inst_id, self.res_ids

    @property
    @override
    def identity(self) -> tuple[object, ...]:
        # Compared by representation, because True equals 1 in Python.
        return *self.target, self.mode, frozenset(map(repr, self.values))

    @override
    def covers(self, other: Operation) -> bool:
        if not isinstance(other, Write) or other.mode is not self.mode:
            return self.target == other.target
        return self.target[:-1] == other.target[:-1] and other.res_ids <= self.res_ids

    @property
    def res_ids(self) -> frozenset[int]:
        """Return the ids of the written resources."""
        return frozenset(value.res_id for value in self.values)

    @override
    def query(self) -> dict[str, str | float]:
        return Operation.query(self) | {"mode": self.mode.value}

    @override
    def content(self) -> dict[str, Any]:
        return {"data": [value.content() for value in self.values]}

    @override
    def size(self) -> int:
        return len(_json(self.content()["data"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Execute(Operation):
    """Execute a resource, for example a reboot, with optional arguments.

    Sources: "Immediate command: execute", "Cached command: execute".
    """

    command: str = field(init=False, default="execute")
    obj_inst_id: int
    res_id: int
    args: str | None = None

    @property
    @override
    def identity(self) -> tuple[object, ...]:
        return *self.target, self.args

    @override
    def content(self) -> dict[str, Any]:
        return {} if self.args is None else {"args": self.args}

    @override
    def size(self) -> int:
        return len((self.args or "").encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class Discover(Operation):
    """Discover the resources of an object or object instance. Source: "Immediate command: discover"."""

    command: str = field(init=False, default="discover")
    res_id: None = field(init=False, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Observe(Operation):
    """Observe an object, object instance or resource, or cancel the observation with `cancel`.

    The notification attributes default to those of the device. `pmin` and `pmax` are the minimum and maximum period
    between notifications in seconds, pmax >= pmin > 0. `gt`, `lt` (greater than, less than) and `st` (step) require a
    resource; lt < gt, and lt + 2 * st < gt. Source: "Immediate command: subscribe".
    """

    command: str = field(init=False, default="observe")
    cancel: bool = False
    pmin: int | None = None
    pmax: int | None = None
    gt: float | None = None
    lt: float | None = None
    st: float | None = None

    @override
    def query(self) -> dict[str, str | float]:
        conditions = {"pmin": self.pmin, "pmax": self.pmax, "gt": self.gt, "lt": self.lt, "st": self.st}
        # OneNET documents only decimals, so numbers are sent without an exponent.
        decimals = {name: f"{Decimal(str(value)):f}" for name, value in conditions.items() if value is not None}
        return Operation.query(self) | {"cancel": str(self.cancel).lower()} | decimals


class Trigger(IntFlag):
    """Enumerate the messages of a device after which OneNET sends a cached command."""

    REGISTER = 1
    UPDATE = 2
    NOTIFY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedCommand:
    """Describe a read, write or execute command that OneNET caches until the device is online.

    `valid_time` is the earliest time of delivery, `expired_time` the latest; both are aware, in the future and in whole
    seconds, and `expired_time` is after `valid_time`. `retry` is the number of repeated deliveries, 0 to 10; `timeout`
    the time in seconds to wait for the device's response, 5 to 40. `bin2hex`, for read commands only, requests opaque
    values as hex strings. For values that are None, OneNET uses its defaults. Sources: "Cached command: read device
    resources", "... write device resources", "... execute".
    """

    operation: Read | Write | Execute
    valid_time: datetime | None = None
    expired_time: datetime
    retry: int | None = None
    timeout: int | None = None
    trigger_msg: Trigger | None = None
    bin2hex: bool | None = None

    def query(self) -> dict[str, str | float]:
        """Return the query parameters of the request."""
        return self.operation.query() | _without_none(
            {
                "valid_time": None if self.valid_time is None else clock.to_wire(self.valid_time),
                "expired_time": clock.to_wire(self.expired_time),
                "retry": self.retry,
                "timeout": self.timeout,
                "trigger_msg": self.trigger_msg,
                "bin2hex": None if self.bin2hex is None else str(self.bin2hex).lower(),
            }
        )
