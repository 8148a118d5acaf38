"""A device and its cached commands."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
import re
from typing import Any

from .times import BEIJING

POINTS_MAX = 10_000
STATES_MAX = 1000
CREATED = datetime(2020, 12, 2, 9, 2, 24, tzinfo=BEIJING)
_HEX = re.compile(r"([0-9a-f]{2})*", re.ASCII | re.IGNORECASE)


class Trigger(IntFlag):
    """The uplinks of a device."""

    REGISTER = 1
    UPDATE = 2
    NOTIFY = 4


class SendStatus(IntEnum):
    """State of a cached command."""

    WAITING = 1
    CANCELLED = 2
    SENT = 3
    EXPIRED = 4
    DELIVERED = 5
    FAILED = 6


class AnswerError(Exception):
    """An answer of a device other than SUCCESS, by the name of the confirm status."""


@dataclass(kw_only=True)
class Command:
    """A cached command."""

    uuid: str
    kind: str
    imei: str
    args: dict[str, str]
    content: dict[str, Any] | None = None
    create_time: datetime
    valid_time: datetime
    expired_time: datetime
    remain: int
    trigger_msg: Trigger
    send_status: SendStatus = SendStatus.WAITING
    confirm_status: str | None = None
    send_time: datetime | None = None
    confirm_time: datetime | None = None
    feedback_time: datetime | None = None
    result: list[dict[str, Any]] | None = None
    log: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Device:
    """A device: its resources by object, instance and resource, and how it answers.

    `datapoints` has the newest reported value of every datastream and its time, `points` has all of them; a written
    value is in neither. `hesitates` delays every answer until `OneNet.answer`; `waiting` has the immediate commands
    that this delays, `due` the cached commands that the last uplink triggered and that were not sent yet.
    """

    id: int
    imei: str
    title: str
    name: str = ""
    resources: dict[tuple[int, int, int], Any] = field(default_factory=dict)
    executables: set[tuple[int, int, int]] = field(default_factory=set)
    executed: list[tuple[tuple[int, int, int], str | None]] = field(default_factory=list)
    observations: dict[tuple[int, ...], dict[str, str]] = field(default_factory=dict)
    online: bool = False
    activated: bool = True
    created: datetime = CREATED
    last_online: datetime = CREATED
    states: deque[tuple[bool, datetime]] = field(default_factory=lambda: deque(maxlen=STATES_MAX))
    answers: bool = True
    hesitates: bool = False
    datapoints: dict[tuple[int, int, int], tuple[Any, datetime]] = field(default_factory=dict)
    points: dict[tuple[int, int, int], deque[tuple[Any, datetime]]] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    due: deque[Command] = field(default_factory=deque)
    waiting: list[asyncio.Event] = field(default_factory=list)
    # When the last command came in over HTTP, in seconds of the event loop.
    commanded_at: float = float("-inf")

    def __post_init__(self) -> None:
        """Name a device by its IMEI if it has no other name."""
        self.name = self.name or self.imei

    @property
    def imsi(self) -> str:
        """Return the 15 digits of the SIM card."""
        return f"46{self.imei.zfill(15)[2:]}"

    def set_online(self, at: datetime, *, online: bool) -> None:
        """Set whether the device is online, and keep the change."""
        if online != self.online:
            self.states.append((online, at))
        if online or self.online:
            self.last_online = at
        self.activated |= online
        self.online = online

    def report(self, values: Mapping[tuple[int, int, int], Any] | None, at: datetime) -> None:
        """Send these values, or all present ones; a value older than its stream's newest only joins the history."""
        for path, value in dict(self.resources if values is None else values).items():
            self.points.setdefault(path, deque(maxlen=POINTS_MAX)).append((value, at))
            if path not in self.datapoints or self.datapoints[path][1] <= at:
                self.resources[path] = value
                self.datapoints[path] = (value, at)

    def act(self, kind: str, args: Mapping[str, str], content: dict[str, Any] | None) -> list[dict[str, Any]] | None:
        """Carry out a command and return the data of its reply."""
        match kind:
            case "READ":
                return self.read(args)
            case "DISCOVER":
                return self.discover(args)
            case "OBSERVE":
                self.observe(args)
            case "WRITE":
                self.write(args, content or {})
            case "EXECUTE":
                self.execute(args, content or {})
        return None

    def read(self, args: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the values of an object, an instance or a resource, as the platform's replies hold them."""
        instances: dict[int, list[dict[str, Any]]] = {}
        found = self._within(_path(args))
        for path in found:
            if path in self.resources:
                value = as_json(self.resources[path], in_hex=args.get("bin2hex") == "true")
                instances.setdefault(path[1], []).append({"res_id": path[2], "val": value})
        if not instances:
            raise AnswerError("METHOD_NOT_ALLOWED" if found else "NOT_FOUND")
        return [{"obj_inst_id": instance, "res": values} for instance, values in instances.items()]

    def write(self, args: Mapping[str, str], content: dict[str, Any]) -> None:
        """Write all values, or none if one does not fit."""
        instance = (int(args["obj_id"]), int(args["obj_inst_id"]))
        if not self._within(instance):
            raise AnswerError("NOT_FOUND")
        replace = args["mode"] == "1"
        written: dict[tuple[int, int, int], Any] = {}
        for item in content["data"]:
            path = (*instance, item["res_id"])
            if path in self.executables:
                raise AnswerError("METHOD_NOT_ALLOWED")
            if path not in self.resources and not replace:
                raise AnswerError("NOT_FOUND")
            written[path] = _fitting(item, self.resources.get(path))
        if replace:
            for path in self._within(instance):
                self.resources.pop(path, None)
        self.resources |= written

    def execute(self, args: Mapping[str, str], content: dict[str, Any]) -> None:
        """Record an execution and its arguments."""
        path = (int(args["obj_id"]), int(args["obj_inst_id"]), int(args["res_id"]))
        if path not in self.executables:
            raise AnswerError("METHOD_NOT_ALLOWED" if path in self.resources else "NOT_FOUND")
        self.executed.append((path, content.get("args")))

    def observe(self, args: Mapping[str, str]) -> None:
        """Start or cancel the observation of an object, an instance or a resource."""
        path = _path(args)
        if args["cancel"] == "true":
            self.observations.pop(path, None)
        elif self._within(path):
            names = ("pmin", "pmax", "gt", "lt", "st")
            self.observations[path] = {name: args[name] for name in names if name in args}
        else:
            raise AnswerError("NOT_FOUND")

    def discover(self, args: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the numbers of the resources that an object or an instance has."""
        instances: dict[int, list[int]] = {}
        for _, instance, resource in self._within(_path(args)):
            instances.setdefault(instance, []).append(resource)
        if not instances:
            raise AnswerError("NOT_FOUND")
        return [{"obj_inst_id": instance, "res_id": resources} for instance, resources in instances.items()]

    def known(self, args: Mapping[str, str]) -> dict[int, dict[int, list[int]]]:
        """Return the numbers of the registered resources by object and instance."""
        objects: dict[int, dict[int, list[int]]] = {}
        for obj, instance, resource in self._within(_path(args)):
            objects.setdefault(obj, {}).setdefault(instance, []).append(resource)
        return objects

    def _within(self, path: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Return all resources of an object or an instance, or the one with this path."""
        return [found for found in sorted({*self.resources, *self.executables}) if found[: len(path)] == path]


def as_json(value: Any, *, in_hex: bool = False) -> Any:
    """Return a value in the form of the platform's replies."""
    match value:
        case bytes():
            return value.hex() if in_hex else list(value)
        case datetime():
            return int(value.timestamp())
    return value


def _path(args: Mapping[str, str]) -> tuple[int, ...]:
    """Return the path that a query names: an object, an instance or a resource."""
    return tuple(int(args[name]) for name in ("obj_id", "obj_inst_id", "res_id") if name in args)


def _fitting(item: dict[str, Any], present: Any) -> Any:
    """Return a written value in the device's form; it needs the type of the present value, if there is one."""
    value = item["val"]
    try:
        match item.get("type"):
            case 1 if isinstance(value, str) and _HEX.fullmatch(value):
                value = bytes.fromhex(value)
            case 2 if _type(value) is int:
                value = datetime.fromtimestamp(value, UTC)
            case 1 | 2:
                raise AnswerError("REQ_PARAM_ERROR")
    except ValueError, OverflowError, OSError:
        raise AnswerError("REQ_PARAM_ERROR") from None
    if _type(present) is float and _type(value) is int:
        return float(value)
    if present is not None and _type(value) is not _type(present):
        raise AnswerError("REQ_PARAM_ERROR")
    return value


def _type(value: Any) -> type | None:
    """Return the LwM2M type of a value."""
    # bool comes first because True is an int in Python.
    return next((kind for kind in (bool, int, float, str, bytes, datetime) if isinstance(value, kind)), None)
