"""Parse the data of OneNET's replies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
import json
import re
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl

from .errors import UnexpectedReplyError, UnknownCommandError, UnknownDeviceError
from .operations import LWM2M_ID_MAX, Execute, Operation, ValueType, Write, WriteMode, WrittenValue
from .parsing import is_empty, parse_bool, parse_id, parse_int, parse_json, parse_objects, parse_text, parse_time

# Wider than RFC 9562, so that a UUID in another form is not rejected.
UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_PATH = re.compile(r"(\d{1,5})([/_])(\d{1,5})\2(\d{1,5})", re.ASCII)
_IMEI = re.compile(r"\d{15}", re.ASCII)
# Test devices have four digits.
_ANY_IMEI = re.compile(r"\d{15}|\d{4}", re.ASCII)
_LEADING_IMEI = re.compile(r"\d{15}(?!\d)|\d{4}(?=;|$)", re.ASCII)
# How long OneNET keeps commands.
HISTORY = timedelta(days=180)


class CommandState(StrEnum):
    """Enumerate the states of a command that OneNET did not refuse."""

    # Not a state of OneNET: it is unknown whether OneNET queued the command.
    UNKNOWN = "unknown"
    QUEUED = "queued"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_DELIVERED = 5
# By send status. Undocumented numbers mean that the command is not finished.
_STATES = {
    1: CommandState.QUEUED,
    2: CommandState.CANCELLED,
    3: CommandState.SENT,
    4: CommandState.EXPIRED,
    6: CommandState.FAILED,
    7: CommandState.FAILED,
    8: CommandState.FAILED,
}
_UNDEFINED_ERRORS = {7, 8}
_COMMANDS = {0: "read", 1: "write", 2: "execute"}
# By number.
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
# The reasons of failed commands; OneNET may return others, which are any text.
FAILURE_REASONS: Final = frozenset({*_CONFIRM_STATUS, "undefined", "failed"} - {"success"})


def _confirm_status(value: Any) -> str | None:
    """Return a confirm status as a lowercase word; None if it is empty.

    Replies contain its number, as a number or a string, or its name; a remark may follow.
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
    """Return the name of a command type; empty if it is missing or unknown."""
    number = parse_int(value)
    return parse_text(value).strip().lower() if number is None else _COMMANDS.get(number, "")


def _uuid(value: Any) -> str | None:
    """Return a UUID, without surrounding whitespace; None if the value is invalid."""
    uuid = parse_id(value)
    return uuid if UUID.fullmatch(uuid) else None


def _lwm2m_id(value: Any) -> int | None:
    """Return an LwM2M id; None if the value is invalid, for example -1, which means none."""
    number = parse_int(value)
    return number if number is not None and _is_lwm2m_id(number) else None


def _is_lwm2m_id(number: int) -> bool:
    """Return whether a number is in the range of LwM2M ids."""
    return 0 <= number <= LWM2M_ID_MAX


class Opaque(str):
    """Hold bytes as a hex string."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceValue:
    """Hold the value of a resource or of a resource instance; the value of an opaque resource is an Opaque.

    `obj_id` is None if neither the reply nor the request contains it.
    """

    obj_id: int | None
    obj_inst_id: int
    res_id: int
    res_inst_id: int | None = None
    value: Any


class ReadResult(NamedTuple):
    """Hold the values of a read; `unreadable` is whether the result is not empty, but contains no valid values."""

    values: tuple[ResourceValue, ...]
    unreadable: bool

    @classmethod
    def from_wire(cls, data: Any, obj_id: int | None, obj_inst_id: int | None = None) -> Self:
        """Parse the result of a read; invalid values are omitted.

        The result is a list of object instances of `obj_id`; an LwM2M object that contains its id and this list; or an
        envelope with either. Each may be a JSON string. `obj_inst_id` is the object instance of resources without one.
        Sources: "Immediate command: read", "View the details of a cached command", "HTTP push: development guide".
        """
        data = _without_envelope(data)
        # Replies to a write or an execute command have no values.
        if is_empty(data):
            return cls((), unreadable=False)
        payload = parse_json(data)
        if isinstance(payload, dict) and "obj_inst" in payload:
            own_id = _lwm2m_id(payload.get("obj_id"))
            obj_id, payload = obj_id if own_id is None else own_id, payload["obj_inst"]
        values = tuple(_resource_values(payload, obj_id, obj_inst_id))
        return cls(values, unreadable=not values and not _has_no_resources(payload))


def _without_envelope(data: Any) -> Any:
    """Return the data of a nested envelope, which may be in a list of one; return other data unchanged."""
    reply = parse_json(data)
    while isinstance(reply, list) and len(reply) == 1:
        reply = parse_json(reply[0])
    if not isinstance(reply, dict):
        return data
    is_reply = reply.keys() & {"errno", "code"} or reply.keys() == {"data"}
    return reply.get("data") if is_reply else data


def _has_no_resources(payload: Any) -> bool:
    """Return whether a payload consists of object instances without resources."""
    instances = payload if isinstance(payload, list) else [payload]
    return all(isinstance(item, dict) and (not item or is_empty(item.get("res", "?"))) for item in instances)


def _resource_values(instances: Any, obj_id: int | None, default_inst_id: int | None) -> Iterator[ResourceValue]:
    """Yield the values of object instances, or of resources of the default instance."""
    while isinstance(instances, list) and len(instances) == 1 and isinstance(instances[0], list):
        instances = instances[0]
    for instance in parse_objects(instances):
        obj_inst_id = _lwm2m_id(instance.get("obj_inst_id"))
        resources = parse_objects(instance.get("res"))
        if obj_inst_id is None and "res_id" in instance:
            obj_inst_id, resources = default_inst_id, [instance]
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
    """Return a value; a list of bytes, signed or unsigned, is returned as an Opaque."""
    if isinstance(value, list) and all(type(byte) is int and -128 <= byte <= 255 for byte in value):  # noqa: PLR2004 - a byte
        return Opaque(bytes(byte & 0xFF for byte in value).hex())
    return _json_safe(value)


def _json_safe(value: Any, depth: int = 8) -> Any:
    """Return a value without unpaired surrogates, integers of more than 64 bits or deep nesting."""
    if isinstance(value, str):
        return parse_text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list | dict) and not depth:
        return "..."
    if isinstance(value, list):
        return [_json_safe(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {parse_text(name): _json_safe(item, depth - 1) for name, item in value.items()}
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRecord:
    """Hold a cached command as OneNET lists it.

    `command` is `read`, `write`, `execute`, or empty if it is missing; `send_status` is OneNET's number;
    `confirm_status` is the status of the device's response, a lowercase word; `remain` is the number of remaining
    delivery attempts. Times are in UTC. Missing values are None. Source: "View the list of a device's cached commands".
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
    def from_wire(cls, data: dict[str, Any], requested_uuid: str | None = None) -> Self:
        """Parse a command from a list, or from the details of the command with `requested_uuid`.

        Raise UnexpectedReplyError if the UUID is missing or not the requested one, or the status is missing.
        """
        uuid = _uuid(data.get("cmd_uuid")) or requested_uuid
        status = parse_int(data.get("send_status"))
        if uuid is None or status is None or requested_uuid not in (None, uuid):
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
        """Return whether the command was delivered, but the confirm status is missing."""
        return self.send_status == _DELIVERED and self.confirm_status is None

    @property
    def state(self) -> CommandState:
        """Return the state of the command, which depends on the send status and the confirm status."""
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
        """Return why the command failed, as a lowercase word; None in other states."""
        if self.state is not CommandState.FAILED:
            return None
        if self.confirm_status not in (None, "success"):
            return self.confirm_status
        return "undefined" if self.send_status in _UNDEFINED_ERRORS else "failed"

    @property
    def message(self) -> str | None:
        """Return why the command failed, as a text; None in other states."""
        if self.reason is None:
            return None
        cause = "The device answered" if self.send_status == _DELIVERED else "OneNET gave up:"
        return f"{cause} {self.reason.upper()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandPage:
    """Hold a page of a device's commands.

    `size` is the number of commands on the page, including invalid ones; `total_count` is the number on all pages, None
    if it is missing. Source: "View the list of a device's cached commands".
    """

    size: int
    total_count: int | None
    commands: tuple[CommandRecord, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Parse a page of commands; invalid commands are omitted.

        Raise UnexpectedReplyError if the data is not a list of commands.
        """
        size, items = _list_items(data, "items")
        commands = []
        for item in items:
            try:
                commands.append(CommandRecord.from_wire(item))
            except UnexpectedReplyError:
                continue
        return cls(size=size, total_count=_total_count(data), commands=tuple(commands))


def _list_items(data: Any, *names: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of items in a list, and the items that are objects.

    The list is the data itself, or its first member in `names`; it may be missing, null or empty. Raise
    UnexpectedReplyError if the data contains no list.
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


def _total_count(data: Any) -> int | None:
    """Return the number of items on all pages; None if it is missing."""
    if not isinstance(data, dict):
        return None
    return next((total for name in _TOTALS if (total := parse_int(data.get(name))) is not None), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandDetail:
    """Hold a command with its target, its content and the values of a finished read.

    Missing ids are None. `mode` and `written` are the content of a write, `args` that of an execute command, None if it
    is missing. `written_incomplete` is whether invalid values were omitted from `written`. `unreadable` is a result
    without valid values, as JSON. Source: "View the details of a cached command".
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
        """Return whether the command's resources can be those of an operation; a missing object id matches any."""
        address = self.obj_id, self.obj_inst_id, self.res_id
        if self.obj_id is not None and address != (operation.obj_id, operation.obj_inst_id, operation.res_id):
            return False
        return not isinstance(operation, Write) or self._written_ids <= operation.res_ids

    def contradicts(self, operation: Operation) -> bool:
        """Return whether the command's mode, values or arguments differ from an operation's; missing ones do not."""
        if isinstance(operation, Execute):
            return self.args not in (None, operation.args or "")
        if not isinstance(operation, Write):
            return False
        if self.mode not in (None, operation.mode):
            return True
        if not self.written_incomplete and self._written_ids not in (set(), operation.res_ids):
            return True
        sent = {value.res_id: value.value for value in operation.values}
        return not all(value.res_id in sent and _is_equal(value.value, sent[value.res_id]) for value in self.written)

    @property
    def _written_ids(self) -> set[int]:
        """Return the ids of the written resources."""
        return {value.res_id for value in self.written}

    @classmethod
    def from_wire(cls, data: Any, uuid: str) -> Self:
        """Parse the details of the command with `uuid`, which the reply may not repeat.

        Raise UnknownCommandError if the data is empty, UnexpectedReplyError if it does not describe this command.
        """
        if is_empty(data):
            raise UnknownCommandError("The device has no such command")
        if len(found := parse_objects(data)) != 1:
            raise UnexpectedReplyError("The reply does not describe a command")
        data = found[0]
        record = CommandRecord.from_wire(data, uuid)
        query, content, result = _object(data.get("args")), data.get("content"), data.get("cmd_result")
        obj_id, obj_inst_id = _lwm2m_id(query.get("obj_id")), _lwm2m_id(query.get("obj_inst_id"))
        mode = parse_int(query.get("mode"))
        items = None if record.command in ("read", "execute") else _object(content).get("data", content)
        written = tuple(_written_values(items))
        values, unreadable = ReadResult.from_wire(result, obj_id, obj_inst_id)
        return cls(
            record=record,
            obj_id=obj_id,
            obj_inst_id=obj_inst_id,
            res_id=_lwm2m_id(query.get("res_id")),
            mode=None if mode is None or mode not in WriteMode else WriteMode(mode),
            written=written,
            written_incomplete=len(written) != len(_list_entries(items)),
            args=_args(content) if record.command == "execute" else None,
            values=values,
            unreadable=json.dumps(_json_safe(result), ensure_ascii=False) if unreadable else None,
        )


def _is_equal(reported: float | str, sent: float | str) -> bool:
    """Return whether a reported value equals the one that was sent; OneNET may report it as a string."""
    # In Python, True equals 1.
    if isinstance(reported, bool) and isinstance(sent, bool):
        return reported is sent
    if isinstance(reported, str) or isinstance(sent, str):
        return str(reported).lower() == str(sent).lower()
    return reported == sent and not isinstance(reported, bool) and not isinstance(sent, bool)


def _object(data: Any) -> dict[str, Any]:
    """Return an object, parsed from an object, a list, a JSON string or a query string; empty if it is invalid."""
    if found := parse_objects(data):
        return found[0]
    return dict(parse_qsl(data)) if isinstance(data, str) else {}


def _args(content: Any) -> str | None:
    """Return the arguments of an execute command; empty if it has none, None if the content is missing."""
    body = parse_json(content)
    if body in ({}, []):
        return ""
    args = _object(body).get("args")
    return parse_text(args) if isinstance(args, str) else None


def _list_entries(data: Any) -> list[Any]:
    """Return the entries of a list, which may be a JSON string, or a single object as a list."""
    items = parse_json(data)
    if isinstance(items, dict):
        return [items] if items else []
    return items if isinstance(items, list) else []


def _written_values(data: Any) -> Iterator[WrittenValue]:
    """Yield the valid values of a write command."""
    for item in parse_objects(data):
        res_id, type_ = _lwm2m_id(item.get("res_id")), parse_int(item.get("type")) or ValueType.PLAIN
        value = _value(item.get("val"))
        if res_id is not None and type_ in ValueType and isinstance(value, float | int | str):
            yield WrittenValue(res_id, value, ValueType(type_))


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelledCommands:
    """Hold the UUIDs of the commands that were cancelled, and of those whose cancellation failed.

    Source: "Cancel all waiting commands of a device".
    """

    succeeded: tuple[str, ...]
    failed: tuple[str, ...]

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Parse the UUIDs; a value that is not a list means none."""
        lists = data if isinstance(data, dict) else {}
        succeeded, failed = (
            tuple(uuid for item in _list_or_empty(lists.get(name)) if (uuid := _uuid(item)))
            for name in ("succ", "failed")
        )
        return cls(succeeded=succeeded, failed=failed)


def _list_or_empty(value: Any) -> list[Any]:
    """Return a list unchanged; empty if the value is not a list."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """Hold a line of a command's log; `time` is None if it is invalid.

    Source: "Full-link log of a cached command".
    """

    time: datetime | None
    text: str

    @classmethod
    def all_from_wire(cls, data: Any) -> tuple[Self, ...]:
        """Parse a log, whose lines may be in nested lists; raise UnexpectedReplyError if it is not a list."""
        lines = [] if is_empty(data) else parse_json(data)
        if not isinstance(lines, list):
            raise UnexpectedReplyError("The reply is not a log")
        flat = [line for item in lines for line in parse_objects(item)]
        return tuple(cls(time=parse_time(line.get("time")), text=parse_text(line.get("log")).strip()) for line in flat)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Hold a device of the account.

    `id` is OneNET's id. `name` identifies the device in calls of the current platform and is unique in the product; on
    the legacy platform it equals `id`. `title` is for people. `online` is whether the device is registered, `last_time`
    when it was last online, `create_time` when it was registered. `paths` are those of the resources that have had
    values. `imei`, `online` and the times are None if they are missing. Sources: "Query devices", "Query device
    information by IMEI", "Device list", "Device detail".
    """

    id: str
    name: str
    title: str
    online: bool | None
    imei: str | None = None
    last_time: datetime | None = None
    create_time: datetime | None = None
    paths: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, data: Any, imei: str | None = None) -> Self:
        """Parse a device, without its secrets (keys and registration codes); `imei` is that of the request, if any.

        Raise UnknownDeviceError if the data is empty or has no id, UnexpectedReplyError if it is not an object.
        """
        found = parse_objects(data)
        if not is_empty(data) and not found:
            raise UnexpectedReplyError("The reply does not describe a device")
        record = found[0] if found else {}
        current = bool(record.keys() & {"did", "pid", "access_pt"})
        name = parse_id(record.get("name"))
        id_ = (parse_id(record.get("did")) or name) if current else parse_id(record.get("id"))
        if not id_:
            raise UnknownDeviceError("The account has no such device")
        name = (name or id_) if current else id_
        status = record.get("status")
        return cls(
            id=id_,
            name=name,
            title=parse_text(record.get("desc")).strip() or name
            if current
            else parse_text(record.get("title")).strip(),
            online=_online(status) if current else parse_bool(record.get("online")),
            imei=imei or (_imei(record.get("imei")) or _imei_from_name(name) if current else _legacy_imei(record)),
            last_time=parse_time(record.get("last_time") if current else record.get("last_ct")),
            create_time=parse_time(record.get("create_time")),
            paths=tuple(_paths(record.get("datastreams"))),
        )


def _online(status: Any) -> bool | None:
    """Return whether a device of the current platform is online; the status is a word or a number, 1 for online."""
    number = parse_int(status)
    return parse_bool(status) if number is None else number == 1


def _imei(value: Any) -> str | None:
    """Return an IMEI; None if the value is invalid."""
    imei = parse_id(value)
    return imei if _ANY_IMEI.fullmatch(imei) else None


def _imei_from_name(name: str) -> str | None:
    """Return the name of a device if it is an IMEI; None otherwise."""
    return name if _IMEI.fullmatch(name) else None


def _find_imei(text: str) -> str | None:
    """Return the IMEI at the beginning of a text, or else the first 15 digits in it; None if there are none."""
    match = _LEADING_IMEI.match(text) or _IMEI.search(text)
    return match[0] if match else None


def _legacy_imei(record: dict[str, Any]) -> str | None:
    """Return the IMEI of a device of the legacy platform; None for devices of other protocols."""
    auth_info = record.get("auth_info")
    if isinstance(auth_info, str) and isinstance(parsed := parse_json(auth_info), dict | list):
        auth_info = parsed
    if isinstance(auth_info, dict | list):
        # An object has the IMEI as the name and the IMSI as the value of its only member.
        auth_info = next(iter(auth_info), None)
    return _find_imei(parse_id(auth_info)) or _imei(record.get("rg_id"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DevicePage:
    """Hold a page of the account's devices.

    `total_count` is the number of devices on all pages, None if it is missing; `more` is whether another page may
    follow. Sources: "Query devices", "Device list".
    """

    total_count: int | None
    more: bool
    devices: tuple[Device, ...]

    @classmethod
    def from_wire(cls, data: Any, page: int, per_page: int) -> Self:
        """Parse a page of devices; invalid devices and, on the current platform, those of other protocols are omitted.

        Raise UnexpectedReplyError if the data is not a list.
        """
        size, items = _list_items(data, "devices", "list")
        devices = []
        for item in filter(_is_lwm2m, items):
            try:
                devices.append(Device.from_wire(item))
            except UnknownDeviceError:
                continue
        total_count = _total_count(data)
        # The total may be too low, so another page may follow every full page.
        more = size >= per_page or (total_count is not None and size > 0 and page * per_page < total_count)
        return cls(total_count=total_count, more=more, devices=tuple(devices))


def _is_lwm2m(record: dict[str, Any]) -> bool:
    """Return whether a device of the current platform supports NB-IoT commands; True for the legacy platform."""
    access_protocol = parse_int(record.get("access_pt"))
    return access_protocol in (None, 4) or _imei(record.get("imei")) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """Hold a product's name and its number of devices; None if they are missing. Source: "Product detail"."""

    name: str | None
    device_count: int | None

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Parse a product."""
        product = _object(data)
        return cls(
            name=parse_text(product.get("name")).strip() or None,
            device_count=parse_int(product.get("own_device_count")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Hold whether a device went online or offline, and the time in UTC."""

    online: bool
    time: datetime

    @classmethod
    def all_from_wire(cls, data: Any) -> tuple[Self, ...]:
        """Parse the history of a device's presence; invalid entries are omitted."""
        _, items = _list_items(data, "list")
        return tuple(
            cls(online=status == 1, time=time)
            for item in items
            if (status := parse_int(item.get("status"))) is not None
            and (time := parse_time(item.get("time"))) is not None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Identify a resource; `res_id` is None for an object instance without known resources."""

    obj_id: int
    obj_inst_id: int
    res_id: int | None

    @classmethod
    def from_path(cls, path: str) -> Self:
        """Parse the path of a resource, `3303/0/5700`, or the id of a datastream, `3303_0_5700`.

        Raise ValueError for other values. Source: "View data points".
        """
        if (match := _PATH.fullmatch(path.strip())) is None:
            raise ValueError(f"{path} is not the path of a resource")
        numbers = [int(number) for number in match.group(1, 3, 4)]
        if not all(map(_is_lwm2m_id, numbers)):
            raise ValueError(f"{path} has a number above {LWM2M_ID_MAX}")
        return cls(obj_id=numbers[0], obj_inst_id=numbers[1], res_id=numbers[2])

    @property
    def path(self) -> str:
        """Return the path of the resource or object instance, for example `3303/0/5700`."""
        instance = f"{self.obj_id}/{self.obj_inst_id}"
        return instance if self.res_id is None else f"{instance}/{self.res_id}"

    @classmethod
    def all_from_discovery(cls, data: Any, obj_id: int) -> tuple[Self, ...]:
        """Parse the discovered resources of an object; invalid instances are omitted.

        Raise UnexpectedReplyError if the data is not a list. Source: "Immediate command: discover".
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
        """Parse the stored list of a device's resources; invalid entries are omitted.

        Raise UnexpectedReplyError if the data is not a list. Source: "Get the resource list".
        """
        _, items = _list_items(data, "item", "items")
        return tuple(
            resource
            for item in items
            if (obj_id := _lwm2m_id(item.get("obj_id"))) is not None
            for instance in parse_objects(item.get("instances"))
            for resource in cls._of_instance(obj_id, instance.get("inst_id"), instance.get("resources"))
        )

    @classmethod
    def _of_instance(cls, obj_id: int, instance: Any, res_ids: Any) -> Iterator[Self]:
        """Yield the resources of an object instance, or the instance if it has none."""
        if (obj_inst_id := _lwm2m_id(instance)) is None:
            return
        numbers = map(_lwm2m_id, res_ids if isinstance(res_ids, list) else [res_ids])
        for res_id in [number for number in numbers if number is not None] or (None,):
            yield cls(obj_id=obj_id, obj_inst_id=obj_inst_id, res_id=res_id)


def _paths(streams: Any) -> Iterator[str]:
    """Yield the paths of the datastreams that belong to resources."""
    for stream in parse_objects(streams):
        if (path := _path(stream.get("id"))) is not None:
            yield path


def _path(stream: Any) -> str | None:
    """Return the path of a datastream's resource; None if it does not belong to a resource."""
    try:
        return Resource.from_path(stream).path if isinstance(stream, str) else None
    except ValueError:
        return None


def statuses_from_wire(data: Any) -> dict[str, bool]:
    """Parse by id whether devices are online; devices with an invalid id or status are omitted.

    Raise UnexpectedReplyError if the data is not a list of devices. Source: "Query device status in batch".
    """
    _, devices = _list_items(data, "devices")
    states = ((parse_id(device.get("id")), parse_bool(device.get("online"))) for device in devices)
    return {id_: online for id_, online in states if id_ and online is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Datapoint:
    """Hold a value of a resource, the path of the resource, and the time in UTC when OneNET received the value.

    `timestamp` is when the device measured it, if the device has reported that with it. A reply does not contain it.
    """

    path: str
    value: Any
    measured_at: datetime
    timestamp: datetime | None = None

    @classmethod
    def newest_from_wire(cls, data: Any, key: str) -> Iterator[tuple[str, list[Self]]]:
        """Yield by key the newest datapoint of each datastream of devices; invalid entries are omitted.

        The devices are parsed lazily, because parsing hundreds at once would block the event loop. Raise
        UnexpectedReplyError if the data is not a list of devices. Sources: "Query newest data in batch", "Newest data
        points in batch".
        """
        _, devices = _list_items(data, "devices")
        return (
            (found, list(cls.each_from_wire(device.get("datastreams"))))
            for device in devices
            if (found := parse_id(device.get(key)))
        )

    @classmethod
    def each_from_wire(cls, streams: Any) -> Iterator[Self]:
        """Yield the valid datapoints of datastreams, each of which contains one datapoint or a list."""
        for stream in parse_objects(streams):
            path = _path(stream.get("id"))
            for point in parse_objects(stream["datapoints"]) if "datapoints" in stream else [stream]:
                measured_at = parse_time(point.get("at_timestamp")) or parse_time(point.get("at"))
                if path is not None and measured_at is not None and "value" in point:
                    yield cls(path=path, value=_value(point["value"]), measured_at=measured_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatapointPage:
    """Hold a page of the history of values; if `more`, another page can be requested with `cursor`.

    Sources: "View data points", "History of data points".
    """

    points: tuple[Datapoint, ...]
    cursor: str | None
    more: bool

    @classmethod
    def from_wire(cls, data: Any, requested_cursor: str | None) -> Self:
        """Parse the page that was requested with a cursor; raise UnexpectedReplyError if the data is not a history."""
        _, streams = _list_items(data, "datastreams")
        points = tuple(Datapoint.each_from_wire(streams))
        cursor = parse_id(data.get("cursor")) or None if isinstance(data, dict) else None
        return cls(points=points, cursor=cursor, more=bool(points) and cursor not in (None, requested_cursor))


def uuid_from_wire(data: Any) -> str:
    """Parse the UUID of a queued command; raise UnexpectedReplyError if it is missing or invalid."""
    uuid = _uuid(data.get("uuid")) if isinstance(data, dict) else None
    if uuid is None:
        raise UnexpectedReplyError("The reply has no UUID")
    return uuid


def push_active_from_wire(data: Any) -> bool:
    """Parse whether the push of a product is active; raise UnexpectedReplyError if the reply does not contain it."""
    active = parse_bool(data.get("status")) if isinstance(data, dict) else None
    if active is None:
        raise UnexpectedReplyError("The reply does not contain the state of the push")
    return active
