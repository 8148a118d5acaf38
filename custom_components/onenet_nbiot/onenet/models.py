"""What comes back from OneNET, as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
import json
import re
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

from .errors import UnexpectedReplyError, UnknownCommandError, UnknownDeviceError
from .operations import LWM2M_ID_MAX, Execute, Operation, ValueType, Write, WriteMode, WrittenValue
from .parsing import is_empty, parse_bool, parse_id, parse_int, parse_json, parse_objects, parse_text, parse_time

# Not only what RFC 9562 calls one: another form is no reason to lose a command.
UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_PATH = re.compile(r"(\d{1,5})([/_])(\d{1,5})\2(\d{1,5})", re.ASCII)
_IMEI = re.compile(r"\d{15}", re.ASCII)
# Also of a test device.
_ANY_IMEI = re.compile(r"\d{15}|\d{4}", re.ASCII)
_LEADING_IMEI = re.compile(r"\d{15}(?!\d)|\d{4}(?=;|$)", re.ASCII)
# OneNET keeps the history of commands for so long.
HISTORY = timedelta(days=180)


class CommandState(StrEnum):
    """Name the states of a command that OneNET did not refuse."""

    # No reply says this: whether OneNET has the command is not known yet.
    UNKNOWN = "unknown"
    QUEUED = "queued"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_DELIVERED = 5
# Numbers that are not documented mean that the command is not finished.
_STATES = {
    1: CommandState.QUEUED,
    2: CommandState.CANCELLED,
    3: CommandState.SENT,
    4: CommandState.EXPIRED,
    6: CommandState.FAILED,
    7: CommandState.FAILED,
    8: CommandState.FAILED,
}
_OTHER_ERRORS = {7, 8}
_COMMANDS = {0: "read", 1: "write", 2: "execute"}
# By number; replies have the number, its digits, or the name.
_CONFIRM_STATUS = (
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
_CONFIRM_STATUS_SPELLINGS = {**{name: name for name in _CONFIRM_STATUS}, "succ": "success", "timeout": "time_out"}
_LEADING_NUMBER = re.compile(r"(\d{1,3}(?:\.0+)?)(?![\w.])", re.ASCII)
_WORD_MAX = 64


def _confirm_status(value: Any) -> str | None:
    """Return the name of the device's answer as a lowercase word; None while there is none.

    Replies have its number, its digits or its name, with or without a remark behind it.
    """
    word = parse_text(value).strip().lower().removeprefix("unsuccess:").strip()
    if not word:
        return None
    if match := _LEADING_NUMBER.match(word):
        number = parse_int(match[1])
        return _CONFIRM_STATUS[number] if number is not None and number < len(_CONFIRM_STATUS) else word[:_WORD_MAX]
    word = re.sub(r"\W+", "_", word, flags=re.ASCII).strip("_")[:_WORD_MAX] or "undefined"
    for spelling, name in _CONFIRM_STATUS_SPELLINGS.items():
        if word.startswith(spelling):
            return name
    return word


def _command(value: Any) -> str:
    """Return which command it is; empty where OneNET does not say."""
    number = parse_int(value)
    return parse_text(value).strip().lower() if number is None else _COMMANDS.get(number, "")


def _uuid(value: Any) -> str | None:
    """Return a UUID of a reply, some of which have blanks around it; None for anything else."""
    uuid = parse_id(value)
    return uuid if UUID.fullmatch(uuid) else None


def _lwm2m_id(value: Any) -> int | None:
    """Return an LwM2M id; None for anything else, such as the -1 that stands for none."""
    number = parse_int(value)
    return number if number is not None and _is_id(number) else None


def _is_id(number: int) -> bool:
    """Return whether LwM2M has such an id."""
    return 0 <= number <= LWM2M_ID_MAX


class Opaque(str):
    """Hold bytes as a hex string."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceValue:
    """Hold the value of one resource, or of one instance of it; opaque bytes are an Opaque.

    `obj_id` is None where neither the reply nor the question tells it.
    """

    obj_id: int | None
    obj_inst_id: int
    res_id: int
    res_inst_id: int | None = None
    value: Any


class ReadResult(NamedTuple):
    """Hold what a read brought; `unreadable` is whether it brought something of which nothing can be read."""

    values: tuple[ResourceValue, ...]
    unreadable: bool

    @classmethod
    def from_wire(cls, data: Any, obj_id: int | None, obj_inst_id: int | None = None) -> Self:
        """Read the result of a read in any of the shapes in which it comes, each also as JSON text.

        These are the whole reply of the call, its data alone, which is a list of object instances of the object
        `obj_id`, and an object with its number and that list. Without an object instance, resources belong to
        `obj_inst_id`. What cannot be read is left out. Sources: "Immediate command: read", "View the details of a
        cached command", "HTTP push: development guide".
        """
        data = _without_envelope(data)
        # Such as of the reply to a write or an execute.
        if is_empty(data):
            return cls((), unreadable=False)
        payload = parse_json(data)
        if isinstance(payload, dict) and "obj_inst" in payload:
            named = _lwm2m_id(payload.get("obj_id"))
            obj_id, payload = obj_id if named is None else named, payload["obj_inst"]
        values = tuple(_values(payload, obj_id, obj_inst_id))
        return cls(values, unreadable=not values and not _has_no_resource(payload))


def _without_envelope(data: Any) -> Any:
    """Return the data of a reply within a reply, either of which may be in a list of one; anything else as it is."""
    reply = parse_json(data)
    while isinstance(reply, list) and len(reply) == 1:
        reply = parse_json(reply[0])
    if not isinstance(reply, dict):
        return data
    is_reply = reply.keys() & {"errno", "code"} or reply.keys() == {"data"}
    return reply.get("data") if is_reply else data


def _has_no_resource(payload: Any) -> bool:
    """Return whether these are object instances without a resource."""
    instances = payload if isinstance(payload, list) else [payload]
    return all(isinstance(item, dict) and (not item or is_empty(item.get("res", "?"))) for item in instances)


def _values(instances: Any, obj_id: int | None, asked_inst_id: int | None) -> Iterator[ResourceValue]:
    """Yield the values of object instances."""
    while isinstance(instances, list) and len(instances) == 1 and isinstance(instances[0], list):
        instances = instances[0]
    for instance in parse_objects(instances):
        obj_inst_id = _lwm2m_id(instance.get("obj_inst_id"))
        resources = parse_objects(instance.get("res"))
        if obj_inst_id is None and "res_id" in instance:
            obj_inst_id, resources = asked_inst_id, [instance]
        for resource in resources:
            res_id = _lwm2m_id(resource.get("res_id"))
            if obj_inst_id is None or res_id is None:
                continue
            for part in parse_objects(resource["res_inst"]) if resource.get("res_inst") is not None else [resource]:
                if "val" in part:
                    yield ResourceValue(
                        obj_id=obj_id,
                        obj_inst_id=obj_inst_id,
                        res_id=res_id,
                        res_inst_id=parse_int(part.get("res_inst_id")),
                        value=_value(part["val"]),
                    )


def _value(value: Any) -> Any:
    """Return a value, with a list of bytes, which may be signed, as an Opaque."""
    if isinstance(value, list) and all(type(byte) is int and -128 <= byte <= 255 for byte in value):  # noqa: PLR2004 - a byte
        return Opaque(bytes(byte & 0xFF for byte in value).hex())
    return _plain(value)


def _plain(value: Any, depth: int = 8) -> Any:
    """Return a value that any JSON can hold, which not all values of a reply are."""
    if isinstance(value, str):
        return parse_text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list | dict) and not depth:
        return "..."
    if isinstance(value, list):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {parse_text(name): _plain(item, depth - 1) for name, item in value.items()}
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRecord:
    """Hold what OneNET knows of a cached command.

    `command` is `read`, `write` or `execute`; `send_status` OneNET's number; `confirm_status` the device's answer as a
    lowercase word; `remain` how many deliveries are left. Times are aware and in UTC, None where OneNET has none.
    Source: "View the list of a device's cached commands".
    """

    uuid: str
    command: str
    send_status: int
    confirm_status: str | None
    create_time: datetime | None
    valid_time: datetime | None
    expired_time: datetime | None
    send_time: datetime | None
    confirm_time: datetime | None
    remain: int | None

    @classmethod
    def from_wire(cls, data: dict[str, Any], asked: str | None = None) -> Self:
        """Read a command from a list, or from the details of the one that was asked for.

        Raise UnexpectedReplyError where it has no UUID, another one than was asked for, or no status.
        """
        uuid = _uuid(data.get("cmd_uuid")) or asked
        status = parse_int(data.get("send_status"))
        if uuid is None or status is None or asked not in (None, uuid):
            raise UnexpectedReplyError("The reply does not describe the command")
        return cls(
            uuid=uuid,
            command=_command(data.get("type")),
            send_status=status,
            confirm_status=_confirm_status(data.get("confirm_status")),
            create_time=parse_time(data.get("create_time")),
            valid_time=parse_time(data.get("valid_time")),
            expired_time=parse_time(data.get("expired_time")),
            send_time=parse_time(data.get("send_time")),
            confirm_time=parse_time(data.get("confirm_time")),
            remain=parse_int(data.get("remain")),
        )

    @property
    def lacks_confirm_status(self) -> bool:
        """Return whether the command was delivered, but the device's answer is not there."""
        return self.send_status == _DELIVERED and self.confirm_status is None

    @property
    def state(self) -> CommandState:
        """Return the state, which needs both what OneNET did and what the device answered."""
        if self.send_status != _DELIVERED:
            return _STATES.get(self.send_status, CommandState.QUEUED)
        match self.confirm_status:
            case None:
                return CommandState.SENT
            case "success":
                return CommandState.SUCCEEDED
            case _:
                return CommandState.FAILED

    @property
    def reason(self) -> str | None:
        """Return why the command failed, as a lowercase word; None for every other state."""
        if self.state is not CommandState.FAILED:
            return None
        if self.confirm_status not in (None, "success"):
            return self.confirm_status
        return "undefined" if self.send_status in _OTHER_ERRORS else "failed"

    @property
    def message(self) -> str | None:
        """Return in words why the command failed; None for every other state."""
        if self.reason is None:
            return None
        speaker = "The device answered" if self.send_status == _DELIVERED else "OneNET gave up:"
        return f"{speaker} {self.reason.upper()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandPage:
    """Hold one page of a device's commands.

    `size` is how many are on the page, with those that cannot be read, `total_count` how many on all pages, None where
    OneNET does not say. Source: "View the list of a device's cached commands".
    """

    size: int
    total_count: int | None
    commands: tuple[CommandRecord, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read a page from a reply; a command that cannot be read is left out.

        Raise UnexpectedReplyError where the reply is no list of commands.
        """
        size, items = _listed(data, "items")
        commands = []
        for item in items:
            try:
                commands.append(CommandRecord.from_wire(item))
            except UnexpectedReplyError:
                continue
        return cls(size=size, total_count=_total(data), commands=tuple(commands))


def _listed(data: Any, *names: str) -> tuple[int, list[dict[str, Any]]]:
    """Return how many items a list in a reply has, and those that are objects; `names` are the list's, in turn.

    Null, absent and empty stand for an empty list. Raise UnexpectedReplyError for anything else that is no list.
    """
    items = data
    if isinstance(data, dict):
        items = next((data[name] for name in names if name in data), None)
        if items is None and data and not data.keys() & {*_TOTALS, *names, "page", "per_page", "offset", "limit"}:
            raise UnexpectedReplyError("The reply is not a list")
    items = parse_json(items) if not is_empty(items) else []
    if not isinstance(items, list | dict):
        raise UnexpectedReplyError("The reply is not a list")
    return len(items) if isinstance(items, list) else 1, parse_objects(items)


_TOTALS = ("total_count", "count", "total")


def _total(data: Any) -> int | None:
    """Return how many items there are on all pages; None where OneNET does not say."""
    if not isinstance(data, dict):
        return None
    return next((total for name in _TOTALS if (total := parse_int(data.get(name))) is not None), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandDetail:
    """Hold a command, what was asked for, and the values that a finished read brought.

    `mode` and `written` are of a write, `args` of an execute; all of it as far as OneNET says, and
    `written_incomplete` whether some of it could not be read. `unreadable` is a result of which nothing could be read,
    as JSON. Source: "View the details of a cached command".
    """

    record: CommandRecord
    obj_id: int | None
    obj_inst_id: int | None
    res_id: int | None
    mode: WriteMode | None
    written: tuple[WrittenValue, ...]
    written_incomplete: bool
    args: str | None
    values: tuple[ResourceValue, ...]
    unreadable: str | None

    def could_match(self, operation: Operation) -> bool:
        """Return whether it is about the same resources; where OneNET does not say, it may be."""
        address = self.obj_id, self.obj_inst_id, self.res_id
        if self.obj_id is not None and address != (operation.obj_id, operation.obj_inst_id, operation.res_id):
            return False
        return not isinstance(operation, Write) or self._written_ids <= operation.res_ids

    def contradicts(self, operation: Operation) -> bool:
        """Return whether OneNET names another mode, other values or other arguments."""
        if isinstance(operation, Execute):
            return self.args not in (None, operation.args or "")
        if not isinstance(operation, Write):
            return False
        if self.mode not in (None, operation.mode):
            return True
        if not self.written_incomplete and self._written_ids not in (set(), operation.res_ids):
            return True
        asked = {value.res_id: value.value for value in operation.values}
        return not all(value.res_id in asked and _alike(value.value, asked[value.res_id]) for value in self.written)

    @property
    def _written_ids(self) -> set[int]:
        """Return which resources are written, as far as that can be read."""
        return {value.res_id for value in self.written}

    @classmethod
    def from_wire(cls, data: Any, uuid: str) -> Self:
        """Read the command that was asked for from a reply, which does not repeat its UUID.

        Raise UnknownCommandError for an empty one, UnexpectedReplyError for one of another shape or command.
        """
        if is_empty(data):
            raise UnknownCommandError("no such command")
        if len(found := parse_objects(data)) != 1:
            raise UnexpectedReplyError("The reply does not describe a command")
        data = found[0]
        record = CommandRecord.from_wire(data, uuid)
        query, content, result = _object(data.get("args")), data.get("content"), data.get("cmd_result")
        obj_id, obj_inst_id = _lwm2m_id(query.get("obj_id")), _lwm2m_id(query.get("obj_inst_id"))
        mode = parse_int(query.get("mode"))
        items = None if record.command in ("read", "execute") else _object(content).get("data", content)
        written = tuple(_written(items))
        values, unreadable = ReadResult.from_wire(result, obj_id, obj_inst_id)
        return cls(
            record=record,
            obj_id=obj_id,
            obj_inst_id=obj_inst_id,
            res_id=_lwm2m_id(query.get("res_id")),
            mode=None if mode is None or mode not in WriteMode else WriteMode(mode),
            written=written,
            written_incomplete=len(written) != len(_items(items)),
            args=_args(content) if record.command == "execute" else None,
            values=values,
            unreadable=json.dumps(_plain(result), ensure_ascii=False) if unreadable else None,
        )


def _alike(told: float | str, asked: float | str) -> bool:
    """Return whether OneNET may have printed a value in another way than it was sent."""
    # To Python, true is 1.
    if isinstance(told, bool) and isinstance(asked, bool):
        return told is asked
    if isinstance(told, str) or isinstance(asked, str):
        return str(told).lower() == str(asked).lower()
    return told == asked and not isinstance(told, bool) and not isinstance(asked, bool)


def _object(data: Any) -> dict[str, Any]:
    """Return a member that is an object, also in a list of one, as JSON text or as a query; empty for anything else."""
    if found := parse_objects(data):
        return found[0]
    return dict(parse_qsl(data)) if isinstance(data, str) else {}


def _args(content: Any) -> str | None:
    """Return the arguments of an execute, empty where it has none; None where OneNET does not say."""
    body = parse_json(content)
    if body in ({}, []):
        return ""
    args = _object(body).get("args")
    return parse_text(args) if isinstance(args, str) else None


def _items(data: Any) -> list[Any]:
    """Return the entries of a list, or of JSON text of one."""
    items = parse_json(data)
    if isinstance(items, dict):
        return [items] if items else []
    return items if isinstance(items, list) else []


def _written(data: Any) -> Iterator[WrittenValue]:
    """Yield the values of a write; what cannot be read is left out."""
    for item in parse_objects(data):
        res_id, type_ = _lwm2m_id(item.get("res_id")), parse_int(item.get("type")) or ValueType.PLAIN
        value = _value(item.get("val"))
        if res_id is not None and type_ in ValueType and isinstance(value, float | int | str):
            yield WrittenValue(res_id, value, ValueType(type_))


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelledCommands:
    """Hold the UUIDs of the commands that were cancelled, and of those that could not be.

    Source: "Cancel all waiting commands of a device".
    """

    succeeded: tuple[str, ...]
    failed: tuple[str, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read them from a reply, in which anything but a list stands for none."""
        lists = data if isinstance(data, dict) else {}
        succeeded, failed = (
            tuple(uuid for item in _uuids(lists.get(name)) if (uuid := _uuid(item))) for name in ("succ", "failed")
        )
        return cls(succeeded=succeeded, failed=failed)


def _uuids(value: Any) -> list[Any]:
    """Return a list; empty for anything else."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """Hold one line of a command's log; `time` is None where it cannot be read.

    Source: "Full-link log of a cached command".
    """

    time: datetime | None
    text: str

    @classmethod
    def all_from_wire(cls, data: Any) -> tuple[Self, ...]:
        """Read a log from a reply, whose lines may be nested. Raise UnexpectedReplyError for another shape."""
        lines = [] if is_empty(data) else parse_json(data)
        if not isinstance(lines, list):
            raise UnexpectedReplyError("The reply is not a log")
        flat = [line for item in lines for line in parse_objects(item)]
        return tuple(cls(time=parse_time(line.get("time")), text=parse_text(line.get("log")).strip()) for line in flat)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Identify a device of the account.

    `id` is OneNET's, `name` what it is called in the calls of the current platform, where it is unique in the product,
    `title` what people call it. `online` is whether it is registered, `last_time` when it last was, `paths` are the
    resources that have had values; `imei`, `online` and `last_time` are None where OneNET does not say. Sources: "Query
    devices", "Query device information by IMEI", "Device list", "Device detail".
    """

    id: str
    name: str
    title: str
    online: bool | None
    imei: str | None = None
    last_time: datetime | None = None
    paths: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, data: Any, imei: str | None = None) -> Self:
        """Read a device from a reply, where it was asked for by IMEI with that.

        Its secrets (keys and codes that devices register with) are not taken over. Raise UnknownDeviceError where the
        reply has no device.
        """
        found = parse_objects(data)
        if not is_empty(data) and not found:
            raise UnexpectedReplyError("The reply does not describe a device")
        record = found[0] if found else {}
        current = bool(record.keys() & {"did", "pid", "access_pt"})
        name = parse_id(record.get("name"))
        id_ = (parse_id(record.get("did")) or name) if current else parse_id(record.get("id"))
        if not id_:
            raise UnknownDeviceError("no such device")
        name = (name or id_) if current else id_
        status = record.get("status")
        return cls(
            id=id_,
            name=name,
            title=parse_text(record.get("desc")).strip() or name
            if current
            else parse_text(record.get("title")).strip(),
            online=_online(status) if current else parse_bool(record.get("online")),
            imei=imei or (_imei(record.get("imei")) or _named(name) if current else _imei_of(record)),
            last_time=parse_time(record.get("last_time") if current else record.get("last_ct")),
            paths=tuple(_paths(record.get("datastreams"))),
        )


def _online(status: Any) -> bool | None:
    """Return whether a device of the current platform is online: 1, or a word; other numbers say that it is not."""
    number = parse_int(status)
    return parse_bool(status) if number is None else number == 1


def _imei(value: Any) -> str | None:
    """Return an IMEI; None for anything else."""
    imei = parse_id(value)
    return imei if _ANY_IMEI.fullmatch(imei) else None


def _named(name: str) -> str | None:
    """Return the name of a device if it is an IMEI."""
    return name if _IMEI.fullmatch(name) else None


def _imei_in(text: str) -> str | None:
    """Return the IMEI that a text begins with, or the first 15 digits in it; None where it has neither."""
    match = _LEADING_IMEI.match(text) or _IMEI.search(text)
    return match[0] if match else None


def _imei_of(record: dict[str, Any]) -> str | None:
    """Return the IMEI of a device of the legacy platform; None for one of another protocol."""
    auth_info = record.get("auth_info")
    if isinstance(auth_info, str) and isinstance(parsed := parse_json(auth_info), dict | list):
        auth_info = parsed
    if isinstance(auth_info, dict | list):
        # An object has the IMEI as its key, and the IMSI as its value.
        auth_info = next(iter(auth_info), None)
    return _imei_in(parse_id(auth_info)) or _imei(record.get("rg_id"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DevicePage:
    """Hold one page of the account's devices.

    `total_count` is how many there are on all pages, None where OneNET does not say; `more` whether there may be
    another page. Sources: "Query devices", "Device list".
    """

    total_count: int | None
    more: bool
    devices: tuple[Device, ...]

    @classmethod
    def from_wire(cls, data: Any, page: int, per_page: int) -> Self:
        """Read a page from a reply; a device that cannot be read, or is not an LwM2M device, is left out.

        Raise UnexpectedReplyError where the reply is no list.
        """
        size, items = _listed(data, "devices", "list")
        devices = []
        for item in filter(_is_lwm2m, items):
            try:
                devices.append(Device.from_wire(item))
            except UnknownDeviceError:
                continue
        total_count = _total(data)
        # A full page may be followed by another whatever the total says.
        more = size >= per_page or (total_count is not None and size > 0 and page * per_page < total_count)
        return cls(total_count=total_count, more=more, devices=tuple(devices))


def _is_lwm2m(record: dict[str, Any]) -> bool:
    """Return whether a device of the current platform takes NB-IoT commands."""
    access_protocol = parse_int(record.get("access_pt"))
    return access_protocol in (None, 4) or _imei(record.get("imei")) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """Hold a product's name and how many devices it has, as far as OneNET says. Source: "Product detail"."""

    name: str | None
    device_count: int | None

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Read a product from a reply."""
        product = _object(data)
        return cls(
            name=parse_text(product.get("name")).strip() or None,
            device_count=parse_int(product.get("own_device_count")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Hold that a device came online or went offline, and when."""

    online: bool
    time: datetime

    @classmethod
    def all_from_wire(cls, data: Any) -> tuple[Self, ...]:
        """Read the history of a device's presence from a reply; what cannot be read is left out."""
        _, items = _listed(data, "list")
        return tuple(
            cls(online=status == 1, time=time)
            for item in items
            if (status := parse_int(item.get("status"))) is not None
            and (time := parse_time(item.get("time"))) is not None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Identify a resource; `res_id` is None for an object instance of which no resource is known."""

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
        """Read what a device has of an object; an instance that cannot be read is left out.

        Raise UnexpectedReplyError where the reply is no list. Source: "Immediate command: discover".
        """
        instances = [] if is_empty(data) else parse_json(data)
        if not isinstance(instances, list | dict):
            raise UnexpectedReplyError("The reply is not a list of object instances")
        return tuple(
            resource
            for instance in parse_objects(instances)
            for resource in cls._of_instance(obj_id, instance.get("obj_inst_id"), instance.get("res_id"))
        )

    @classmethod
    def all_from_list(cls, data: Any) -> tuple[Self, ...]:
        """Read the resources that the platform knows of a device; what cannot be read is left out.

        Raise UnexpectedReplyError where the reply is no list. Source: "Get the resource list".
        """
        _, items = _listed(data, "item", "items")
        return tuple(
            resource
            for item in items
            if (obj_id := _lwm2m_id(item.get("obj_id"))) is not None
            for instance in parse_objects(item.get("instances"))
            for resource in cls._of_instance(obj_id, instance.get("inst_id"), instance.get("resources"))
        )

    @classmethod
    def _of_instance(cls, obj_id: int, instance: Any, res_ids: Any) -> Iterator[Self]:
        """Yield the resources of an object instance, or the instance alone."""
        if (obj_inst_id := _lwm2m_id(instance)) is None:
            return
        numbers = map(_lwm2m_id, res_ids if isinstance(res_ids, list) else [res_ids])
        for res_id in [number for number in numbers if number is not None] or (None,):
            yield cls(obj_id=obj_id, obj_inst_id=obj_inst_id, res_id=res_id)


def _paths(streams: Any) -> Iterator[str]:
    """Yield the paths of the datastreams that are resources."""
    for stream in parse_objects(streams):
        if (path := _path(stream.get("id"))) is not None:
            yield path


def _path(stream: Any) -> str | None:
    """Return the path of a datastream; None for one that is no resource."""
    try:
        return Resource.from_path(stream).path if isinstance(stream, str) else None
    except ValueError:
        return None


def statuses_from_wire(data: Any) -> dict[str, bool]:
    """Read by id which devices are online; a device whose state cannot be read is left out.

    Raise UnexpectedReplyError where the reply is no list of devices. Source: "Query device status in batch".
    """
    _, devices = _listed(data, "devices")
    states = ((parse_id(device.get("id")), parse_bool(device.get("online"))) for device in devices)
    return {id_: online for id_, online in states if id_ and online is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Datapoint:
    """Hold a value of a datastream, which is a resource by its path, and when OneNET got it."""

    path: str
    value: Any
    measured_at: datetime

    @classmethod
    def newest_from_wire(cls, data: Any, key: str) -> Iterator[tuple[str, list[Self]]]:
        """Read by key the newest datapoint of every datastream of devices; what cannot be read is left out.

        Each device is read when its turn comes: hundreds at once would block the event loop. Raise
        UnexpectedReplyError where the reply is no list of devices. Sources: "Query newest data in batch", "Newest data
        points in batch".
        """
        _, devices = _listed(data, "devices")
        return (
            (found, list(cls.each_from_wire(device.get("datastreams"))))
            for device in devices
            if (found := parse_id(device.get(key)))
        )

    @classmethod
    def each_from_wire(cls, streams: Any) -> Iterator[Self]:
        """Yield the datapoints of datastreams, each of which has one, or a list of them."""
        for stream in parse_objects(streams):
            path = _path(stream.get("id"))
            for point in parse_objects(stream["datapoints"]) if "datapoints" in stream else [stream]:
                measured_at = parse_time(point.get("at_timestamp")) or parse_time(point.get("at"))
                if path is not None and measured_at is not None and "value" in point:
                    yield cls(path=path, value=_value(point["value"]), measured_at=measured_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatapointPage:
    """Hold one page of the history of values; `cursor` is what the next page is asked for with, if `more`.

    Sources: "View data points", "History of data points".
    """

    points: tuple[Datapoint, ...]
    cursor: str | None
    more: bool

    @classmethod
    def from_wire(cls, data: Any, asked: str | None) -> Self:
        """Read the page that was asked for with a cursor. Raise UnexpectedReplyError where the reply is no history."""
        _, streams = _listed(data, "datastreams")
        points = tuple(Datapoint.each_from_wire(streams))
        cursor = parse_id(data.get("cursor")) or None if isinstance(data, dict) else None
        return cls(points=points, cursor=cursor, more=bool(points) and cursor not in (None, asked))


def uuid_from_wire(data: Any) -> str:
    """Read the UUID of a command that was queued. Raise UnexpectedReplyError where there is none."""
    uuid = _uuid(data.get("uuid")) if isinstance(data, dict) else None
    if uuid is None:
        raise UnexpectedReplyError("The reply has no UUID")
    return uuid
