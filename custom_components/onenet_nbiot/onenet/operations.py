"""What a device can be told to do: LwM2M's operations, at once or when it next shows up."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, IntFlag
import json
from typing import Any, Self, override

from . import clock
from .errors import BodyTooLargeError

LWM2M_ID_MAX = 65535
RETRY_MAX = 10
# Seconds to wait for a device's answer; without a number the platform takes the default.
TIMEOUT_MIN = 5
TIMEOUT_MAX = 40
TIMEOUT_DEFAULT = 25
# Largest size in bytes of the values of a write or the arguments of an execute, without the rest of the body.
CONTENT_MAX = 2048
# As many cached commands may wait for a device.
WAITING_MAX = 10


def _given(parameters: dict[str, str | float | None]) -> dict[str, str | float]:
    """Leave out what was not given: it is left to the platform."""
    return {name: value for name, value in parameters.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Name an object, an object instance or a resource of a device, and what to do with it.

    `imei` has 15 digits, 4 for a test device. The LwM2M ids are 0 to 65535; `res_id` needs `obj_inst_id`.
    """

    command: str = field(init=False, default="")
    imei: str
    obj_id: int
    obj_inst_id: int | None = None
    res_id: int | None = None

    @property
    def target(self) -> tuple[object, ...]:
        """Return what is done to which resources of which device, whatever the values; the IMEI comes first."""
        return self.imei, self.command, self.obj_id, self.obj_inst_id, self.res_id

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what two have in common that do the very same."""
        return self.target

    def query(self) -> dict[str, str | float]:
        """Return the parameters of the request."""
        return _given(
            {"imei": self.imei, "obj_id": self.obj_id, "obj_inst_id": self.obj_inst_id, "res_id": self.res_id}
        )

    def content(self) -> dict[str, Any] | None:
        """Return the body of the request before it is JSON, None for a request without one."""
        return None

    def size(self) -> int:
        """Return the size of what is written or of the arguments, in bytes as OneNET counts them."""
        return 0

    def body(self) -> bytes | None:
        """Return the body of the request, None for a request without one.

        Raise BodyTooLargeError for more than the 2 KB that the platform takes, ValueError for a value that JSON cannot
        hold.
        """
        if (content := self.content()) is None:
            return None
        if (size := self.size()) > CONTENT_MAX:
            raise BodyTooLargeError(f"{size} bytes, of at most {CONTENT_MAX}")
        return _json(content)


def _json(content: Any) -> bytes:
    """Return content as compact JSON."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Read(Operation):
    """Read an object, an object instance or a resource.

    Sources: "Immediate command: read", "Cached command: read device resources".
    """

    command: str = field(init=False, default="read")


class WriteMode(IntEnum):
    """Say what becomes of the resources of an object instance that are not written."""

    REPLACE = 1
    """They are deleted."""
    UPDATE = 2
    """They stay as they are."""


class ValueType(IntEnum):
    """Name how the platform is told a value."""

    PLAIN = 0
    """As a truth value, a number or a text."""
    OPAQUE = 1
    """As a hex string of bytes."""
    TIME = 2
    """In Unix seconds."""


@dataclass(frozen=True, slots=True)
class WrittenValue:
    """Hold a value for one resource, in the form in which its type is sent."""

    res_id: int
    value: bool | float | str
    type: ValueType = ValueType.PLAIN

    @classmethod
    def opaque(cls, res_id: int, value: bytes) -> Self:
        """Return bytes for a resource."""
        return cls(res_id, value.hex(), ValueType.OPAQUE)

    @classmethod
    def time(cls, res_id: int, moment: datetime) -> Self:
        """Return a moment for a resource, which knows whole seconds only; raise ValueError for a naive one."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
        return cls(res_id, int(moment.timestamp()), ValueType.TIME)

    @property
    def moment(self) -> datetime:
        """Return a time in UTC; raise OverflowError, TypeError or ValueError for what is none."""
        return datetime.fromtimestamp(float(self.value), UTC)

    def content(self) -> dict[str, Any]:
        """Return what stands for it in a request."""
        content: dict[str, Any] = {"res_id": self.res_id, "val": self.value}
        return content if self.type is ValueType.PLAIN else content | {"type": self.type.value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Write(Operation):
    """Write resources of an object instance, several at once.

    A value of a type that the resource does not have is refused by the device, not by the platform. Sources:
    "Immediate command: write", "Cached command: write device resources".
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
        # As texts: true and 1 are equal to Python, but not to a device.
        return *self.target, self.mode, frozenset(map(repr, self.values))

    @property
    def res_ids(self) -> frozenset[int]:
        """Return which resources are written."""
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
    """Execute a resource, such as a reboot, with arguments where it takes any.

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
    """Find out which resources an object, or an object instance, has. Source: "Immediate command: discover"."""

    command: str = field(init=False, default="discover")
    res_id: None = field(init=False, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Observe(Operation):
    """Let a device tell of a value by itself, or with `cancel` no more.

    `pmin` and `pmax` are the least and the most seconds between two messages, pmax >= pmin > 0. With a resource, `gt`
    and `lt` are the thresholds whose crossing is told, `st` the step: lt < gt, and lt + 2 * st < gt. Source:
    "Immediate command: subscribe".
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
        # No document knows numbers with an exponent.
        decimals = {name: f"{Decimal(str(value)):f}" for name, value in conditions.items() if value is not None}
        return Operation.query(self) | {"cancel": str(self.cancel).lower()} | decimals


class Trigger(IntFlag):
    """Name the uplinks of a device that set off a cached command."""

    REGISTER = 1
    UPDATE = 2
    NOTIFY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedCommand:
    """Have a read, a write or an execute done when the device next shows up.

    `valid_time`, when the command starts to count, and `expired_time`, until when it may wait, are aware and whole
    seconds, in the future, the second after the first. `retry` is 0 to 10 repeated deliveries, `timeout` 5 to 40
    seconds to wait for the device's answer. `bin2hex`, for reads only, asks for opaque values as hex strings. What is
    None is left to the platform. Sources: "Cached command: read device resources", "... write device resources",
    "... execute".
    """

    operation: Read | Write | Execute
    valid_time: datetime | None = None
    expired_time: datetime
    retry: int | None = None
    timeout: int | None = None
    trigger_msg: Trigger | None = None
    bin2hex: bool | None = None

    def query(self) -> dict[str, str | float]:
        """Return the parameters of the request."""
        return self.operation.query() | _given(
            {
                "valid_time": None if self.valid_time is None else clock.to_wire(self.valid_time),
                "expired_time": clock.to_wire(self.expired_time),
                "retry": self.retry,
                "timeout": self.timeout,
                "trigger_msg": self.trigger_msg,
                "bin2hex": None if self.bin2hex is None else str(self.bin2hex).lower(),
            }
        )
