"""The platform behind the emulated API: products, devices that sleep, and commands that wait for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, IntFlag
import re
from typing import Any
import uuid

BEIJING = timezone(timedelta(hours=8))
WAITING_MAX = 10
DATAPOINT_IDS_MAX = 500
STATUS_IDS_MAX = 1000
_IMEI = re.compile(r"[1-9]\d{14}|\d{4}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


class Trigger(IntFlag):
    """The uplinks of a device."""

    REGISTER = 1
    UPDATE = 2
    NOTIFY = 4


class SendStatus(IntEnum):
    """How far a command has come."""

    WAITING = 1
    CANCELLED = 2
    SENT = 3
    EXPIRED = 4
    DELIVERED = 5
    FAILED = 6


class RefusalError(Exception):
    """An error number and the text that goes with it."""

    def __init__(self, errno: int, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.errno = errno
        self.text = text


class Clock:
    """The platform's time, which a test can move."""

    def __init__(self) -> None:
        """Start at the real time."""
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC) + self.offset


@dataclass(kw_only=True)
class Command:
    """A cached command."""

    uuid: str
    kind: str
    imei: str
    args: dict[str, str]
    create_time: datetime
    valid_time: datetime
    expired_time: datetime
    remain: int
    trigger_msg: Trigger
    send_status: SendStatus = SendStatus.WAITING
    confirm_status: str | None = None
    send_time: datetime | None = None
    confirm_time: datetime | None = None
    result: list[dict[str, Any]] | None = None
    log: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Device:
    """A device: its resources by object, instance and resource, and whether it answers, at once or when it is told to.

    `newest` is when it sent its newest datapoints.
    """

    id: int
    imei: str
    title: str
    resources: dict[tuple[int, int, int], Any] = field(default_factory=dict)
    online: bool = False
    answers: bool = True
    hesitates: bool = False
    newest: datetime | None = None
    commands: list[Command] = field(default_factory=list)

    def read(self, args: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the values of an object, an instance or a resource, as the platform's replies hold them."""
        wanted = tuple(int(args[name]) for name in ("obj_id", "obj_inst_id", "res_id") if name in args)
        instances: dict[int, list[dict[str, Any]]] = {}
        for (obj, instance, resource), value in sorted(self.resources.items()):
            if (obj, instance, resource)[: len(wanted)] == wanted:
                instances.setdefault(instance, []).append({"res_id": resource, "val": value})
        return [{"obj_inst_id": instance, "res": values} for instance, values in instances.items()]


@dataclass(kw_only=True)
class Product:
    """A product: its master key, the keys of single devices, and its devices by IMEI."""

    key: str
    device_keys: frozenset[str] = frozenset()
    devices: dict[str, Device] = field(default_factory=dict)

    def add(self, imei: str, title: str, resources: dict[tuple[int, int, int], Any] | None = None) -> Device:
        """Add a device that sleeps."""
        device = Device(id=500_000_000 + len(self.devices), imei=imei, title=title, resources=resources or {})
        self.devices[imei] = device
        return device


class OneNet:
    """The platform: what the API does, without HTTP."""

    def __init__(self, *products: Product) -> None:
        """Start with products."""
        self.products = list(products)
        self.clock = Clock()

    @property
    def commands(self) -> list[Command]:
        """Return all commands of all devices, oldest first."""
        commands = [c for p in self.products for d in p.devices.values() for c in d.commands]
        return sorted(commands, key=lambda command: command.create_time)

    def product(self, key: str | None) -> Product:
        """Return the product whose master key this is."""
        for product in self.products:
            if key == product.key:
                return product
            if key in product.device_keys:
                raise RefusalError(1, "invalid api-key: not a master key")
        raise RefusalError(3, "auth failed")

    def device(self, product: Product, query: Mapping[str, str]) -> Device:
        """Return the device that a request names."""
        imei = query.get("imei", "")
        if not _IMEI.fullmatch(imei):
            raise RefusalError(3, "invalid parameter: imei")
        if imei not in product.devices:
            raise RefusalError(1, "imei does not belong to the product of this api-key")
        return product.devices[imei]

    def devices(self, product: Product, query: Mapping[str, str], maximum: int) -> list[Device]:
        """Return the devices that a request names by their ids, without those that the product does not have."""
        ids = query.get("devIds", "").split(",")
        if ids == [""] or len(ids) > maximum:
            raise RefusalError(3, "invalid parameter: devIds")
        wanted = set(ids)
        return [device for device in product.devices.values() if str(device.id) in wanted]

    def queue_read(self, product: Product, query: Mapping[str, str]) -> Command:
        """Store a cached read."""
        device = self.device(product, query)
        if extra := set(query) - _READ_PARAMETERS:
            raise RefusalError(3, f"invalid parameter: {', '.join(sorted(extra))}")
        _number(query, "obj_id", 0, 65535)
        _number(query, "obj_inst_id", 0, 65535, 0)
        _number(query, "res_id", 0, 65535, 0)
        _number(query, "timeout", 5, 40, 25)
        if "res_id" in query and "obj_inst_id" not in query:
            raise RefusalError(3, "invalid parameter: res_id needs obj_inst_id")
        if query.get("bin2hex", "true") not in ("true", "false"):
            raise RefusalError(3, "invalid parameter: bin2hex")
        now = self.clock.now()
        valid_time = _time(query, "valid_time") if "valid_time" in query else now
        expired_time = _time(query, "expired_time")
        if "valid_time" in query and valid_time <= now:
            raise RefusalError(3, "invalid parameter: valid_time is over")
        if expired_time <= valid_time:
            raise RefusalError(3, "invalid parameter: expired_time is before valid_time")
        command = Command(
            uuid=str(uuid.uuid4()),
            kind="READ",
            imei=device.imei,
            args=dict(query),
            create_time=now,
            valid_time=valid_time,
            expired_time=expired_time,
            remain=_number(query, "retry", 0, 10, 3),
            trigger_msg=Trigger(_number(query, "trigger_msg", 1, 7, 7)),
        )
        self._expire(device)
        if sum(c.send_status is SendStatus.WAITING for c in device.commands) >= WAITING_MAX:
            raise RefusalError(5006, "too many cached commands of this device")
        device.commands.append(command)
        command.log.append((now, "received command"))
        return command

    def fill(self, each: int) -> list[Command]:
        """Queue a number of reads on every device of the first product."""
        product = self.products[0]
        expired_time = (self.clock.now() + timedelta(days=30)).astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")
        query = {"obj_id": "3303", "obj_inst_id": "0", "res_id": "5700", "expired_time": expired_time}
        return [self.queue_read(product, {"imei": imei} | query) for imei in product.devices for _ in range(each)]

    def history(self, product: Product, query: Mapping[str, str]) -> list[Command]:
        """Return a device's commands between two times, the newest first unless the other order is asked for."""
        device = self.device(product, query)
        self._expire(device)
        start = _time(query, "start")
        end = _time(query, "end") if "end" in query else self.clock.now()
        if query.get("sort", "DESC") not in ("DESC", "ASC"):
            raise RefusalError(3, "invalid parameter: sort")
        found = [command for command in device.commands if start <= command.create_time <= end]
        return found if query.get("sort") == "ASC" else found[::-1]

    def command(self, product: Product, query: Mapping[str, str], uuid: str) -> Command:
        """Return the command of a device with this UUID."""
        device = self.device(product, query)
        self._expire(device)
        for command in device.commands:
            if command.uuid == uuid:
                return command
        raise RefusalError(3, "invalid parameter: no such command")

    def cancel(self, product: Product, query: Mapping[str, str], uuid: str) -> None:
        """Cancel a command that waits."""
        command = self.command(product, query, uuid)
        if command.send_status is not SendStatus.WAITING:
            raise RefusalError(5104, "the command is not waiting")
        command.send_status = SendStatus.CANCELLED

    def cancel_all(self, product: Product, query: Mapping[str, str]) -> list[str]:
        """Cancel all commands of a device that wait, and return their UUIDs."""
        device = self.device(product, query)
        self._expire(device)
        waiting = [command for command in device.commands if command.send_status is SendStatus.WAITING]
        for command in waiting:
            command.send_status = SendStatus.CANCELLED
        return [command.uuid for command in waiting]

    def wake(self, imei: str, trigger: Trigger) -> list[Command]:
        """Let a device show up, and send it what waits for this kind of uplink; return what was sent."""
        device = self._named(imei)
        device.online = True
        if trigger & Trigger.NOTIFY:
            device.newest = self.clock.now()
        self._expire(device)
        sent = [
            command
            for command in device.commands
            if command.send_status is SendStatus.WAITING
            and command.trigger_msg & trigger
            and command.valid_time <= self.clock.now()
        ]
        for command in sent:
            self._deliver(device, command)
        return sent

    def answer(self, imei: str) -> list[Command]:
        """Let a device that hesitated answer all that it was sent; return that."""
        device = self._named(imei)
        sent = [command for command in device.commands if command.send_status is SendStatus.SENT]
        for command in sent:
            self._finish(device, command)
        return sent

    def sleep(self, imei: str) -> None:
        """Let a device go away again."""
        self._named(imei).online = False

    def _named(self, imei: str) -> Device:
        """Return the device with this IMEI, whoever's it is."""
        return next(product.devices[imei] for product in self.products if imei in product.devices)

    def _expire(self, device: Device) -> None:
        """Give up what waited too long."""
        for command in device.commands:
            if command.send_status is SendStatus.WAITING and command.expired_time <= self.clock.now():
                command.send_status = SendStatus.EXPIRED

    def _deliver(self, device: Device, command: Command) -> None:
        """Send a command to a device."""
        command.send_time = self.clock.now()
        command.send_status = SendStatus.SENT
        command.log.append((command.send_time, "send command"))
        if not device.hesitates:
            self._finish(device, command)

    def _finish(self, device: Device, command: Command) -> None:
        """Keep a device's answer; without one, let the command wait for the next uplink while retries remain."""
        if not device.answers:
            command.confirm_status = "TIME_OUT"
            command.send_status = SendStatus.WAITING if command.remain else SendStatus.FAILED
            command.remain = max(0, command.remain - 1)
            return
        command.send_status = SendStatus.DELIVERED
        command.confirm_time = self.clock.now()
        command.log.append((command.confirm_time, "received confirm message"))
        command.result = device.read(command.args) or None
        command.confirm_status = "SUCCESS" if command.result else "NOT_FOUND"


_READ_PARAMETERS = {
    "imei",
    "obj_id",
    "obj_inst_id",
    "res_id",
    "valid_time",
    "expired_time",
    "retry",
    "timeout",
    "trigger_msg",
    "bin2hex",
}


def _number(query: Mapping[str, str], name: str, minimum: int, maximum: int, default: int | None = None) -> int:
    """Return a whole number in a range; without a default it has to be there."""
    text = query.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdecimal() or not minimum <= int(text) <= maximum:
        raise RefusalError(3, f"invalid parameter: {name}")
    return int(text)


def _time(query: Mapping[str, str], name: str) -> datetime:
    """Return a Beijing wall clock time."""
    text = query.get(name, "")
    try:
        moment = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise RefusalError(3, f"invalid parameter: {name}") from None
    return moment.replace(tzinfo=BEIJING)
