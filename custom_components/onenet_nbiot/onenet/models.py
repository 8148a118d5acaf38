"""What is sent to OneNET and what comes back, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Any, Self

from . import clock
from .errors import UnexpectedReplyError

LWM2M_ID_MAX = 65535
RETRY_MAX = 10
TIMEOUT_MIN = 5
TIMEOUT_MAX = 40


class Trigger(IntFlag):
    """Name the uplinks of a device that set off a cached command."""

    REGISTER = 1
    UPDATE = 2
    NOTIFY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedRead:
    """Read an object, an object instance or a resource when the device next shows up.

    `imei` has 15 digits, 4 for a test device. The LwM2M ids are 0 to 65535; `res_id` needs `obj_inst_id`. `valid_time`
    and `expired_time` are aware and whole seconds, in the future, the second after the first. `retry` is 0 to 10
    repeated deliveries, `timeout` 5 to 40 seconds to wait for the device's answer. What is None is left to
    the platform. Source: "Cached command: read device resources".
    """

    imei: str
    obj_id: int
    obj_inst_id: int | None = None
    res_id: int | None = None
    valid_time: datetime | None = None
    expired_time: datetime
    retry: int | None = None
    timeout: int | None = None
    trigger_msg: Trigger | None = None
    bin2hex: bool | None = None

    def query(self) -> dict[str, str | int]:
        """Return the parameters of the request, without those that were not given."""
        parameters: dict[str, str | int | None] = {
            "imei": self.imei,
            "obj_id": self.obj_id,
            "obj_inst_id": self.obj_inst_id,
            "res_id": self.res_id,
            "valid_time": None if self.valid_time is None else clock.to_wire(self.valid_time),
            "expired_time": clock.to_wire(self.expired_time),
            "retry": self.retry,
            "timeout": self.timeout,
            "trigger_msg": self.trigger_msg,
            "bin2hex": None if self.bin2hex is None else str(self.bin2hex).lower(),
        }
        return {name: value for name, value in parameters.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Identify a device of the account.

    `online` is whether it is registered at the platform; `imei` is None where the platform does not tell.
    Sources: "Query devices", "Query device information by IMEI".
    """

    id: str
    title: str
    online: bool
    imei: str | None = None

    @classmethod
    def from_wire(cls, data: Any, imei: str | None = None) -> Self:
        """Read a device from a reply, where it was asked for by IMEI with that.

        Raise UnexpectedReplyError for another shape.
        """
        try:
            # {"<imei>": "<imsi>"} for NB-IoT; devices of other protocols have a string here.
            if imei is None and isinstance(auth_info := data.get("auth_info"), dict):
                imei = next(iter(auth_info), None)
            return cls(
                id=str(data["id"]), title=str(data.get("title") or ""), online=bool(data.get("online")), imei=imei
            )
        except (AttributeError, LookupError, TypeError) as err:
            raise UnexpectedReplyError("The reply does not describe a device") from err


@dataclass(frozen=True, kw_only=True, slots=True)
class DevicePage:
    """Hold one page of the account's devices, and how many there are on all pages."""

    total_count: int
    devices: tuple[Device, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read a page from a reply. Raise UnexpectedReplyError for another shape."""
        try:
            return cls(
                total_count=int(data["total_count"]),
                devices=tuple(Device.from_wire(device) for device in data["devices"]),
            )
        except (LookupError, OverflowError, TypeError, ValueError) as err:
            raise UnexpectedReplyError("The reply is not a list of devices") from err


def uuid_from_wire(data: Any) -> str:
    """Read the UUID of a command that was queued. Raise UnexpectedReplyError where there is none."""
    uuid = data.get("uuid") if isinstance(data, dict) else None
    if not isinstance(uuid, str) or not (uuid := uuid.strip()):
        raise UnexpectedReplyError("The reply has no UUID")
    return uuid
