"""What comes back from OneNET, as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
import json
import re
from typing import Any, Self
from urllib.parse import parse_qsl

from . import clock
from .errors import UnexpectedReplyError, UnknownCommandError
from .operations import LWM2M_ID_MAX, Execute, Operation, ValueType, Write, WriteMode, WrittenValue

# Not only what RFC 9562 calls one: another form is no reason to lose a command.
UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_PATH = re.compile(r"(\d{1,5})([/_])(\d{1,5})\2(\d{1,5})", re.ASCII)
# OneNET keeps the history of commands for so long.
HISTORY = timedelta(days=180)


class SendStatus(IntEnum):
    """Name how far a cached command has come; numbers that no document has are UNDEFINED."""

    WAITING = 1
    CANCELLED = 2
    SENT = 3
    EXPIRED = 4
    DELIVERED = 5
    FAILED = 6
    TIMED_OUT = 7
    UNDEFINED = 8

    @classmethod
    def _missing_(cls, value: object) -> SendStatus:
        """Take a number that came later than this code."""
        return cls.UNDEFINED


class CommandState(StrEnum):
    """Name the states in the life of a command that OneNET was not heard to refuse."""

    # No reply says this: nobody knows yet whether OneNET has the command.
    UNKNOWN = "unknown"
    QUEUED = "queued"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


# By number; replies have the number, its digits, or the name.
_CONFIRM_STATUS_NAMES = (
    "success",
    "method_not_allowed",
    "forbidden",
    "not_found",
    "internal_server_error",
    "time_out",
    "req_param_error",
    "resp_error",
    "unauthorized",
    "bad_request",
    "not_acceptable",
    "unsupported_content_format",
    "offline",
    "addr_occupied",
)
_CONFIRM_STATUS = {str(number): name for number, name in enumerate(_CONFIRM_STATUS_NAMES)}

_STATES = {
    SendStatus.WAITING: CommandState.QUEUED,
    SendStatus.CANCELLED: CommandState.CANCELLED,
    SendStatus.SENT: CommandState.SENT,
    SendStatus.EXPIRED: CommandState.EXPIRED,
    SendStatus.FAILED: CommandState.FAILED,
    SendStatus.TIMED_OUT: CommandState.FAILED,
}


def _confirm_status(value: Any) -> str | None:
    """Return the name of the device's answer, lowercase; None while there is none."""
    if value is None or value == "":
        return None
    text = _text(str(value)).strip().lower()
    return _CONFIRM_STATUS.get(text, text)


def _moment(data: dict[str, Any], name: str) -> datetime | None:
    """Return a time of a reply, None where it has none or none that can be read."""
    try:
        return clock.from_wire(data[name])
    except AttributeError, LookupError, TypeError, ValueError:
        return None


def _uuid(value: Any) -> str | None:
    """Return a UUID of a reply, some of which have blanks around it, None for what is none."""
    text = value.strip() if isinstance(value, str) else ""
    return text if UUID.fullmatch(text) else None


def _json(text: str) -> Any:
    """Return what a text says in JSON, None where it is none."""
    try:
        return json.loads(text)
    except RecursionError, ValueError:
        return None


def _number(data: dict[str, Any], name: str) -> int | None:
    """Return a whole number of a reply, also from its digits, None where it has none, or one out of all proportion."""
    return _integer(data.get(name))


def _integer(value: Any) -> int | None:
    """Return a whole number, also from its digits, None for what is none, or one out of all proportion."""
    try:
        return number if abs(number := int(value)) < 2**63 else None
    except OverflowError, TypeError, ValueError:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceValue:
    """Hold the value of one resource, or of one instance of it; opaque bytes are a hex string.

    `obj_id` is None where neither the reply nor the question tells it.
    """

    obj_id: int | None
    obj_inst_id: int
    res_id: int
    res_inst_id: int | None = None
    value: Any

    @classmethod
    def all_from_wire(cls, data: Any, obj_id: int | None) -> tuple[Self, ...]:
        """Read the values of a finished read, in either of the shapes in which they come.

        One is a list of object instances, of the object `obj_id`; the other names the object and holds that list. What
        cannot be read is left out. Sources: "Immediate command: read", "HTTP push: development guide".
        """
        if isinstance(data, str):
            data = _json(data)
        if isinstance(data, dict):
            named = _number(data, "obj_id")
            obj_id, data = obj_id if named is None else named, data.get("obj_inst")
        return tuple(cls._each_from_wire(data, obj_id))

    @classmethod
    def _each_from_wire(cls, instances: Any, obj_id: int | None) -> Iterator[Self]:
        """Yield the values of object instances."""
        for instance in _dicts(instances):
            obj_inst_id = _number(instance, "obj_inst_id")
            for resource in _dicts(instance.get("res")):
                res_id = _number(resource, "res_id")
                if obj_inst_id is None or res_id is None:
                    continue
                several = resource.get("res_inst") is not None
                for part in _dicts(resource["res_inst"]) if several else [resource]:
                    if "val" in part:
                        yield cls(
                            obj_id=obj_id,
                            obj_inst_id=obj_inst_id,
                            res_id=res_id,
                            res_inst_id=_number(part, "res_inst_id"),
                            value=_value(part["val"]),
                        )


def _dicts(data: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, nothing for anything else."""
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _value(value: Any) -> Any:
    """Return a value, with bytes that come as a list of numbers as a hex string."""
    # A list of numbers that are no bytes, whatever it may be, stays as it is.
    try:
        return bytes(value).hex() if isinstance(value, list) else _plain(value)
    except TypeError, ValueError:
        return _plain(value)


def _plain(value: Any, depth: int = 8) -> Any:
    """Return a value that everybody's JSON can hold, which is not all that a reply's can."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list | dict) and not depth:
        return "..."
    if isinstance(value, list):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {_text(name): _plain(item, depth - 1) for name, item in value.items()}
    return value


def _text(text: str) -> str:
    """Return a text without halves of characters."""
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRecord:
    """Hold what OneNET knows of a cached command.

    `command` is `read`, `write` or `execute`; `remain` how many deliveries are left. Times are aware and in UTC, None
    where OneNET does not tell. Source: "View the list of a device's cached commands".
    """

    uuid: str
    command: str
    send_status: SendStatus
    confirm_status: str | None
    create_time: datetime | None
    valid_time: datetime | None
    expired_time: datetime | None
    send_time: datetime | None
    confirm_time: datetime | None
    remain: int | None

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Self:
        """Read a command from a list or from its details. Raise UnexpectedReplyError where it has no UUID or status."""
        uuid = _uuid(data.get("cmd_uuid"))
        status = _number(data, "send_status")
        if uuid is None or status is None:
            raise UnexpectedReplyError("The reply does not describe a command")
        return cls(
            uuid=uuid,
            command=str(data.get("type") or "").lower(),
            send_status=SendStatus(status),
            confirm_status=_confirm_status(data.get("confirm_status")),
            create_time=_moment(data, "create_time"),
            valid_time=_moment(data, "valid_time"),
            expired_time=_moment(data, "expired_time"),
            send_time=_moment(data, "send_time"),
            confirm_time=_moment(data, "confirm_time"),
            remain=_number(data, "remain"),
        )

    @property
    def state(self) -> CommandState:
        """Return the state, which needs both what OneNET did and what the device answered."""
        if self.send_status is SendStatus.DELIVERED and self.confirm_status is not None:
            return CommandState.SUCCEEDED if self.confirm_status == "success" else CommandState.FAILED
        # Without the device's answer nobody knows more than that it was sent, or, of a status of later times, queued.
        if self.send_status is SendStatus.DELIVERED:
            return CommandState.SENT
        return _STATES.get(self.send_status, CommandState.QUEUED)

    @property
    def reason(self) -> str | None:
        """Return why the command failed, as a lowercase word, None for every other state."""
        if self.state is not CommandState.FAILED:
            return None
        if self.confirm_status not in (None, "success"):
            return self.confirm_status
        return "time_out" if self.send_status is SendStatus.TIMED_OUT else "failed"

    @property
    def message(self) -> str | None:
        """Return in words why the command failed, None for every other state."""
        if self.state is not CommandState.FAILED:
            return None
        status = (self.confirm_status or self.send_status.name).upper()
        delivered = self.send_status is SendStatus.DELIVERED
        return f"The device answered {status}" if delivered else f"OneNET gave up: {status}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandPage:
    """Hold one page of a device's commands.

    `size` is how many are on the page, with those that cannot be read, `total_count` how many on all pages, None where
    OneNET does not tell. Source: "View the list of a device's cached commands".
    """

    size: int
    total_count: int | None
    commands: tuple[CommandRecord, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read a page from a reply; a command of an unknown shape is left out.

        Raise UnexpectedReplyError where the reply is no list of commands.
        """
        if not isinstance(data, dict) or not isinstance(items := data.get("items"), list):
            raise UnexpectedReplyError("The reply is not a list of commands")
        commands = []
        for item in _dicts(items):
            try:
                commands.append(CommandRecord.from_wire(item))
            except UnexpectedReplyError:
                continue
        total_count = _number(data, "total_count" if "total_count" in data else "count")
        return cls(size=len(items), total_count=total_count, commands=tuple(commands))


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandDetail:
    """Hold a command, what was asked for, and the values that a finished read brought.

    `mode` and `written` are of a write, `args` of an execute; all of it as far as OneNET tells. Source: "View the
    details of a cached command".
    """

    record: CommandRecord
    obj_id: int | None
    obj_inst_id: int | None
    res_id: int | None
    mode: WriteMode | None
    written: tuple[WrittenValue, ...]
    args: str | None
    values: tuple[ResourceValue, ...]

    def may_ask_for(self, operation: Operation) -> bool:
        """Return whether it is about the same resources; where OneNET does not tell, it may be."""
        address = self.obj_id, self.obj_inst_id, self.res_id
        if self.obj_id is not None and address != (operation.obj_id, operation.obj_inst_id, operation.res_id):
            return False
        # There may be more than could be read.
        return not isinstance(operation, Write) or self._written_ids <= operation.res_ids

    def contradicts(self, operation: Operation) -> bool:
        """Return whether OneNET tells another mode, other values or other arguments."""
        if isinstance(operation, Execute):
            return self.args not in (None, operation.args or "")
        if not isinstance(operation, Write):
            return False
        if self.mode not in (None, operation.mode) or self._written_ids not in (set(), operation.res_ids):
            return True
        asked = {value.res_id: value.value for value in operation.values}
        return not all(_alike(value.value, asked[value.res_id]) for value in self.written)

    @property
    def _written_ids(self) -> set[int]:
        """Return which resources are written, as far as that can be read."""
        return {value.res_id for value in self.written}

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read a command from a reply.

        Raise UnknownCommandError for an empty one, UnexpectedReplyError for one of another shape.
        """
        if data is None or data == {}:
            raise UnknownCommandError("no such command")
        if not isinstance(data, dict):
            raise UnexpectedReplyError("The reply does not describe a command")
        record = CommandRecord.from_wire(data)
        query, content = _object(data.get("args")), data.get("content")
        obj_id, mode = _number(query, "obj_id"), _number(query, "mode")
        return cls(
            record=record,
            obj_id=obj_id,
            obj_inst_id=_number(query, "obj_inst_id"),
            res_id=_number(query, "res_id"),
            mode=None if mode is None or mode not in WriteMode else WriteMode(mode),
            written=tuple(_written(_object(content).get("data"))),
            args=_args(content) if record.command == "execute" else None,
            values=ResourceValue.all_from_wire(data.get("cmd_result"), obj_id),
        )


def _alike(told: float | str, asked: float | str) -> bool:
    """Return whether OneNET may have told a value in another way than it was told."""
    if isinstance(told, str) or isinstance(asked, str):
        return str(told).lower() == str(asked).lower()
    # To Python, true is 1.
    return told == asked and isinstance(told, bool) is isinstance(asked, bool)


def _object(data: Any) -> dict[str, Any]:
    """Return what a command was queued with, in whichever form it comes, nothing where that cannot be read."""
    if isinstance(data, str):
        # The document says no more than that this is the query, or the body.
        data = _json(data) or dict(parse_qsl(data))
    return data if isinstance(data, dict) else {}


def _args(content: Any) -> str | None:
    """Return the arguments of an execute, empty where it has none, None where OneNET does not tell."""
    args = _object(content).get("args", "")
    return _text(args) if content not in (None, "") and isinstance(args, str) else None


def _written(data: Any) -> Iterator[WrittenValue]:
    """Yield the values of a write; what cannot be read is left out."""
    for item in _dicts(data):
        res_id, type_ = _number(item, "res_id"), _number(item, "type") or ValueType.PLAIN
        value = _value(item.get("val"))
        if res_id is not None and type_ in ValueType and isinstance(value, float | int | str):
            yield WrittenValue(res_id, value, ValueType(type_))


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelledCommands:
    """Hold the UUIDs of the commands that were cancelled, and of those for which it was too late.

    Source: "Cancel all waiting commands of a device".
    """

    succeeded: tuple[str, ...]
    failed: tuple[str, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read them from a reply. Raise UnexpectedReplyError for another shape."""
        if not isinstance(data, dict) or not isinstance(data.get("succ"), list):
            raise UnexpectedReplyError("The reply does not list cancelled commands")
        succeeded, failed = (
            tuple(uuid for value in data.get(name) or () if (uuid := _uuid(value))) for name in ("succ", "failed")
        )
        return cls(succeeded=succeeded, failed=failed)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """Hold one line of a command's log; `time` is None where it cannot be read.

    Source: "Full-link log of a cached command".
    """

    time: datetime | None
    text: str

    @classmethod
    def all_from_wire(cls, data: Any) -> tuple[Self, ...]:
        """Read a log from a reply. Raise UnexpectedReplyError for another shape."""
        if not isinstance(data, list):
            raise UnexpectedReplyError("The reply is not a log")
        return tuple(cls(time=_moment(line, "time"), text=str(line.get("log") or "").strip()) for line in _dicts(data))


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
                id=str(data["id"]),
                title=_text(str(data.get("title") or "")).strip(),
                online=bool(data.get("online")),
                imei=imei,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Name a resource; `res_id` is None for an object instance of which no resource is known."""

    obj_id: int
    obj_inst_id: int
    res_id: int | None

    @classmethod
    def from_path(cls, path: str) -> Self:
        """Read a resource as LwM2M writes it, `3303/0/5700`, or as a datastream's id, `3303_0_5700`.

        Raise ValueError for anything else. Source: "View data points".
        """
        if (match := _PATH.fullmatch(path.strip())) is None:
            raise ValueError(f"{path} is not the path of a resource")
        numbers = [int(number) for number in match.group(1, 3, 4)]
        if not all(map(_is_id, numbers)):
            raise ValueError(f"{path} has a number above {LWM2M_ID_MAX}")
        return cls(obj_id=numbers[0], obj_inst_id=numbers[1], res_id=numbers[2])

    @property
    def path(self) -> str:
        """Return the resource, or the object instance, as LwM2M writes it."""
        instance = f"{self.obj_id}/{self.obj_inst_id}"
        return instance if self.res_id is None else f"{instance}/{self.res_id}"

    @classmethod
    def all_from_discovery(cls, data: Any, obj_id: int) -> tuple[Self, ...]:
        """Read what a device has of an object; an instance of an unknown shape is left out.

        Raise UnexpectedReplyError where the reply is no list. Source: "Immediate command: discover".
        """
        if not isinstance(data, list):
            raise UnexpectedReplyError("The reply is not a list of object instances")
        return tuple(
            resource
            for instance in _dicts(data)
            for resource in cls._of_instance(obj_id, _number(instance, "obj_inst_id"), instance.get("res_id"))
        )

    @classmethod
    def all_from_list(cls, data: Any) -> tuple[Self, ...]:
        """Read what the platform knows of a device; an object or instance of an unknown shape is left out.

        Raise UnexpectedReplyError where the reply is no list. Source: "Get the resource list".
        """
        if not isinstance(data, dict) or not isinstance(items := data.get("item"), list):
            raise UnexpectedReplyError("The reply is not a list of objects")
        return tuple(
            resource
            for item in _dicts(items)
            if (obj_id := _number(item, "obj_id")) is not None
            for instance in _dicts(item.get("instances"))
            for resource in cls._of_instance(obj_id, _number(instance, "inst_id"), instance.get("resources"))
        )

    @classmethod
    def _of_instance(cls, obj_id: int, obj_inst_id: int | None, res_ids: Any) -> Iterator[Self]:
        """Yield the resources of an object instance, or the instance alone."""
        if obj_inst_id is None or not _is_id(obj_id) or not _is_id(obj_inst_id):
            return
        numbers = map(_integer, res_ids if isinstance(res_ids, list) else ())
        known = [number for number in numbers if number is not None and _is_id(number)]
        for res_id in known or (None,):
            yield cls(obj_id=obj_id, obj_inst_id=obj_inst_id, res_id=res_id)


def _is_id(number: int) -> bool:
    """Return whether LwM2M has such an id."""
    return 0 <= number <= LWM2M_ID_MAX


def statuses_from_wire(data: Any) -> dict[str, bool]:
    """Read by id which devices are online; a device of an unknown shape is left out.

    Raise UnexpectedReplyError where the reply is no list of devices. Source: "Query device status in batch".
    """
    # Anything else than a truth value would be a guess, "false" the first of all.
    return {id_: bool(device["online"]) for id_, device in _by_id(data) if device.get("online") in (True, False)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Datapoint:
    """Hold a value of a datastream, which is a resource by its path, and when it was measured."""

    path: str
    value: Any
    measured_at: datetime

    @classmethod
    def newest_from_wire(cls, data: Any) -> Iterator[tuple[str, list[Self]]]:
        """Read by id the newest datapoint of every datastream of devices; what cannot be read is left out.

        Each device is read when its turn comes: hundreds at once would hold up everybody else. Raise
        UnexpectedReplyError where the reply is no list of devices. Source: "Query newest data in batch".
        """
        return ((id_, list(cls._of_streams(device.get("datastreams")))) for id_, device in _by_id(data))

    @classmethod
    def _of_streams(cls, streams: Any) -> Iterator[Self]:
        """Yield the datapoints of a device."""
        for stream in _dicts(streams):
            name, measured_at = stream.get("id"), _moment(stream, "at")
            if isinstance(name, str) and measured_at is not None and "value" in stream:
                yield cls(path=name.replace("_", "/"), value=_value(stream["value"]), measured_at=measured_at)


def _by_id(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the devices of a reply with their ids."""
    if not isinstance(data, dict) or not isinstance(devices := data.get("devices"), list):
        raise UnexpectedReplyError("The reply is not a list of devices")
    return ((str(id_).strip(), device) for device in _dicts(devices) if isinstance(id_ := device.get("id"), (int, str)))


def uuid_from_wire(data: Any) -> str:
    """Read the UUID of a command that was queued. Raise UnexpectedReplyError where there is none."""
    uuid = _uuid(data.get("uuid")) if isinstance(data, dict) else None
    if uuid is None:
        raise UnexpectedReplyError("The reply has no UUID")
    return uuid
