"""The platform behind the emulated API: products, devices that sleep, and their cached commands."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
import uuid

from .device import AnswerError, Command, Device, SendStatus, Trigger
from .parameters import COMMANDS, check_content, check_imei, check_query, direction, moment, number
from .push import Push
from .refusals import RefusalError, device_answer, invalid, not_authorized
from .switches import Switches
from .times import BEIJING, Clock

WAITING_MAX = 10
HISTORY_KEPT = timedelta(days=180)


@dataclass(kw_only=True)
class Product:
    """A product: its master key, the key that signs tokens, the keys of single devices, and its devices by IMEI."""

    key: str
    id: str = "P1demo"
    name: str = "Demo product"
    access_key: str = "ZGVtby1hY2Nlc3Mta2V5LW9mLXRoZS1wcm9kdWN0IQ=="
    device_keys: frozenset[str] = frozenset()
    push_enabled: bool = True
    devices: dict[str, Device] = field(default_factory=dict)
    # The id of a removed device is not used again.
    next_id: int = 500_000_000

    def add(
        self, imei: str, title: str, resources: dict[tuple[int, int, int], Any] | None = None, name: str = ""
    ) -> Device:
        """Add a device that sleeps."""
        device = Device(id=self.next_id, imei=imei, title=title, name=name, resources=dict(resources or {}))
        self.next_id += 1
        self.devices[imei] = device
        return device


class OneNet:
    """The platform: what the API does, without HTTP.

    `command_interval` is the least number of seconds between two commands for one device over HTTP; `second` is the
    length of a second of an immediate command's timeout.
    """

    def __init__(self, *products: Product, switches: Switches | None = None) -> None:
        """Start with products."""
        self.products = list(products)
        self.switches = switches or Switches()
        self.user_id = "100001"
        self.user_key = "ZGVtby1hY2NvdW50LWtleS1vZi10aGUtdXNlci0xMDA="
        self.clock = Clock()
        self.command_interval = 1.0
        self.second = 1.0
        self.push: Push | None = None

    @property
    def every_device(self) -> list[Device]:
        """Return the devices of all products."""
        return [device for product in self.products for device in product.devices.values()]

    @property
    def commands(self) -> list[Command]:
        """Return all commands of all devices, oldest first."""
        commands = [command for device in self.every_device for command in device.commands]
        return sorted(commands, key=lambda command: command.create_time)

    def product(self, key: str | None) -> Product:
        """Return the product of a master key."""
        for product in self.products:
            if key == product.key:
                return product
            if key in product.device_keys:
                raise RefusalError(1, "authentication failed")
        raise not_authorized()

    def device(self, product: Product, query: Mapping[str, str]) -> Device:
        """Return the device that a call names by its IMEI."""
        imei = check_imei(query)
        if imei in product.devices:
            return product.devices[imei]
        mismatch = "authentication failed for this imei"
        if any(device.imei == imei for device in self.every_device):
            raise RefusalError(1, mismatch, 10403, "this authorization is not valid")
        raise RefusalError(1, mismatch, 10410, "no such device")

    def pace(self, product: Product, query: Mapping[str, str]) -> None:
        """Refuse a command that follows the last one for the same device too soon."""
        device = self.device(product, query)
        now = asyncio.get_running_loop().time()
        if now - device.commanded_at < self.command_interval:
            raise RefusalError(1, "internal server error", 10500, "internal error")
        device.commanded_at = now

    def queue_read(self, product: Product, query: Mapping[str, str]) -> Command:
        """Store a cached read."""
        return self._queue(product, "READ", query)

    def queue_write(self, product: Product, query: Mapping[str, str], content: dict[str, Any]) -> Command:
        """Store a cached write."""
        return self._queue(product, "WRITE", query, content)

    def queue_execute(self, product: Product, query: Mapping[str, str], content: dict[str, Any]) -> Command:
        """Store a cached execution."""
        return self._queue(product, "EXECUTE", query, content)

    def _queue(
        self, product: Product, kind: str, query: Mapping[str, str], content: dict[str, Any] | None = None
    ) -> Command:
        """Store a cached command."""
        device = self.device(product, query)
        required, optional = COMMANDS[kind]
        optional = optional | {"valid_time", "retry", "timeout", "trigger_msg"}
        check_query(query, required | {"expired_time"}, optional | {"bin2hex"} if kind == "READ" else optional)
        check_content(kind, content)
        now = self.clock.now()
        valid_time, expired_time = _times(query, now)
        self._expire(device)
        if sum(c.send_status is SendStatus.WAITING for c in device.commands) >= WAITING_MAX:
            raise RefusalError(self.switches.queue_full, "too many cached commands of this device")
        command = Command(
            uuid=str(uuid.uuid4()),
            kind=kind,
            imei=device.imei,
            args=dict(query),
            content=content,
            create_time=now,
            valid_time=valid_time,
            expired_time=expired_time,
            remain=number(query, "retry", 3),
            trigger_msg=Trigger(number(query, "trigger_msg", 7)),
        )
        device.commands.append(command)
        command.log.append((now, "received command"))
        return command

    async def ask(
        self, product: Product, kind: str, query: Mapping[str, str], content: dict[str, Any] | None = None
    ) -> list[dict[str, Any]] | None:
        """Carry out an immediate command and return the data of its reply."""
        device = self.device(product, query)
        required, optional = COMMANDS[kind]
        check_query(query, required, optional | {"timeout"})
        check_content(kind, content)
        if not device.online:
            reason = "device not online"
            code = self.switches.not_online
            raise RefusalError(2001, reason, code, f"operation failed: {reason}" if code == 10411 else reason)
        if device.hesitates:
            await self._hesitate(device, number(query, "timeout", 25) * self.second)
        if not device.answers:
            raise device_answer("TIME_OUT")
        try:
            return device.act(kind, query, content)
        except AnswerError as err:
            raise device_answer(str(err)) from None

    async def _hesitate(self, device: Device, seconds: float) -> None:
        """Wait until `answer` is called for the device."""
        device.waiting.append(answered := asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await answered.wait()
        except TimeoutError:
            raise device_answer("TIME_OUT") from None
        finally:
            device.waiting.remove(answered)

    def resources(self, product: Product, query: Mapping[str, str]) -> dict[int, dict[int, list[int]]]:
        """Return the numbers of a device's registered resources by object and instance."""
        device = self.device(product, query)
        check_query(query, frozenset(), {"obj_id"})
        return device.known(query)

    def fill(self, each: int) -> list[Command]:
        """Queue a number of reads on every device of the first product."""
        product = self.products[0]
        expired_time = (self.clock.now() + timedelta(days=30)).astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")
        query = {"obj_id": "3303", "obj_inst_id": "0", "res_id": "5700", "expired_time": expired_time}
        return [self.queue_read(product, {"imei": imei} | query) for imei in product.devices for _ in range(each)]

    def history(self, product: Product, query: Mapping[str, str]) -> list[Command]:
        """Return a device's commands between two times, the newest first by default."""
        device = self.device(product, query)
        self._expire(device)
        start = moment(query, "start")
        end = moment(query, "end") if "end" in query else self.clock.now()
        found = [
            command
            for command in device.commands
            if start <= command.create_time <= end and query.get("uuid", command.uuid) == command.uuid
        ]
        return found[::-1] if direction(query, "DESC") else found

    def command(self, product: Product, query: Mapping[str, str], uuid: str) -> Command:
        """Return the command of a device with this UUID."""
        device = self.device(product, query)
        self._expire(device)
        for command in device.commands:
            if command.uuid == uuid:
                return command
        raise RefusalError(8, "no such command")

    def cancel(self, product: Product, query: Mapping[str, str], uuid: str) -> None:
        """Cancel a waiting command."""
        command = self.command(product, query, uuid)
        if command.send_status is not SendStatus.WAITING or not self._can_cancel(command):
            raise RefusalError(5104, "the command cannot be cancelled")
        command.send_status = SendStatus.CANCELLED

    def cancel_all(self, product: Product, query: Mapping[str, str]) -> list[str]:
        """Cancel the waiting commands of a device, and return their UUIDs."""
        device = self.device(product, query)
        self._expire(device)
        cancelled = [c for c in device.commands if c.send_status is SendStatus.WAITING and self._can_cancel(c)]
        for command in cancelled:
            command.send_status = SendStatus.CANCELLED
        return [command.uuid for command in cancelled]

    def _can_cancel(self, command: Command) -> bool:
        """Return whether it is early enough to cancel a command."""
        return not self.switches.cancel_before_valid_time or self.clock.now() < command.valid_time

    def wake(self, imei: str, trigger: Trigger) -> list[Command]:
        """Send an uplink from a device, and send it the commands that this triggers; return them.

        The next command is sent after the answer to the one before: a hesitating device receives only the first one.
        """
        device = self._named(imei)
        now = self.clock.now()
        self._set_online(device, online=True)
        if trigger & Trigger.NOTIFY:
            self._report(device, None, now)
        self._expire(device)
        device.due = deque(
            command
            for command in device.commands
            if command.send_status is SendStatus.WAITING and command.trigger_msg & trigger and command.valid_time <= now
        )
        return self._send_due(device)

    def report(
        self, imei: str, values: Mapping[tuple[int, int, int], Any] | None = None, at: datetime | None = None
    ) -> None:
        """Report values of a device, all its values by default; its presence and its commands do not change."""
        self._report(self._named(imei), values, at or self.clock.now())

    def report_all(self, values: Mapping[tuple[int, int, int], Any] | None = None) -> None:
        """Report values of every device at the same time."""
        now = self.clock.now()
        for device in self.every_device:
            self._report(device, values, now)

    def _report(self, device: Device, values: Mapping[tuple[int, int, int], Any] | None, at: datetime) -> None:
        """Report values of a device, and push them."""
        values = dict(device.resources if values is None else values)
        device.report(values, at)
        if self.push is not None:
            for path, value in values.items():
                self.push.datapoint(device, path, value, at)

    def remove(self, imei: str) -> None:
        """Delete a device with its commands and values."""
        product = next(product for product in self.products if imei in product.devices)
        del product.devices[imei]

    def answer(self, imei: str) -> list[Command]:
        """Answer the commands that a device has received, and send the next one; return the answered commands."""
        device = self._named(imei)
        for answered in device.waiting:
            answered.set()
        sent = [command for command in device.commands if command.send_status is SendStatus.SENT]
        for command in sent:
            self._finish(device, command)
        self._send_due(device)
        return sent

    def sleep(self, imei: str) -> None:
        """Set a device offline."""
        self.set_online(imei, online=False)

    def set_online(self, imei: str, *, online: bool) -> None:
        """Set whether a device is online, without sending it commands."""
        self._set_online(self._named(imei), online=online)

    def _set_online(self, device: Device, *, online: bool) -> None:
        """Set whether a device is online, and push a change."""
        now, is_change = self.clock.now(), device.online is not online
        device.set_online(now, online=online)
        if is_change and self.push is not None:
            self.push.presence(device, now)

    def _named(self, imei: str) -> Device:
        """Return the device with this IMEI, of any product."""
        return next(product.devices[imei] for product in self.products if imei in product.devices)

    def _expire(self, device: Device) -> None:
        """Expire overdue commands, and delete those older than the history."""
        now = self.clock.now()
        device.commands[:] = [c for c in device.commands if now - c.create_time < HISTORY_KEPT]
        for command in device.commands:
            if command.send_status is SendStatus.WAITING and command.expired_time <= now:
                command.send_status = SendStatus.EXPIRED

    def _send_due(self, device: Device) -> list[Command]:
        """Send due commands one after the other, up to one that the device does not answer yet."""
        sent: list[Command] = []
        while device.due and not any(command.send_status is SendStatus.SENT for command in device.commands):
            command = device.due.popleft()
            # The command may have been cancelled or expired since the uplink.
            if command.send_status is SendStatus.WAITING:
                self._send(device, command)
                sent.append(command)
        return sent

    def _send(self, device: Device, command: Command) -> None:
        """Send a command to a device."""
        command.send_time = self.clock.now()
        command.send_status = SendStatus.SENT
        command.log.append((command.send_time, "send command"))
        if not device.hesitates:
            self._finish(device, command)

    def _finish(self, device: Device, command: Command) -> None:
        """Store a device's answer; without one, keep the command for the next uplink while retries remain."""
        now = self.clock.now()
        if not device.answers:
            command.confirm_status = "TIME_OUT"
            if command.remain:
                command.send_status = SendStatus.WAITING
                command.remain -= 1
                return
            command.send_status = SendStatus.FAILED
        else:
            command.send_status = SendStatus.DELIVERED
            command.log.append((now, "received confirm message"))
            try:
                command.result = device.act(command.kind, command.args, command.content)
                command.confirm_status = "SUCCESS"
            except AnswerError as err:
                command.confirm_status = str(err)
        command.confirm_time = command.feedback_time = now
        if self.push is not None:
            self.push.outcome(device, command)


def _times(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    """Return valid_time and expired_time of a command, with the milliseconds of its creation."""
    fraction = timedelta(milliseconds=now.microsecond // 1000)
    expired_time = moment(query, "expired_time")
    valid_time = now
    if "valid_time" in query:
        valid_time = moment(query, "valid_time")
        if valid_time <= now:
            raise invalid("valid_time is in the past")
        valid_time += fraction
    if expired_time <= valid_time:
        raise invalid("expired_time is before valid_time")
    return valid_time, expired_time + fraction
