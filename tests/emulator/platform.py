"""The platform behind the emulated API: products, devices that sleep, and commands that wait for them."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import hmac
import re
from typing import Any
from urllib.parse import unquote
import uuid

from .device import AnswerError, Command, Device, SendStatus, Trigger
from .generation import Generation
from .parameters import BEIJING, COMMANDS, RefusalError, check_content, check_imei, check_query, invalid, moment, number

WAITING_MAX = 10
DATAPOINT_IDS_MAX = 500
STATUS_IDS_MAX = 1000
# What is not to stand in a token as it is, but encoded.
_RESERVED = re.compile(r"[+ /?#&=]")
_TOKEN_LIFETIME_MAX = 86_400


class Clock:
    """The platform's time, which a test can move."""

    def __init__(self) -> None:
        """Start at the real time."""
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC) + self.offset


@dataclass(kw_only=True)
class Product:
    """A product: its master key, the key that signs tokens, the keys of single devices, and its devices by IMEI."""

    key: str
    id: str = "P1demo"
    access_key: str = "ZGVtby1hY2Nlc3Mta2V5LW9mLXRoZS1wcm9kdWN0IQ=="
    device_keys: frozenset[str] = frozenset()
    devices: dict[str, Device] = field(default_factory=dict)
    # That of a device that was removed is not given again.
    next_id: int = 500_000_000

    def add(self, imei: str, title: str, resources: dict[tuple[int, int, int], Any] | None = None) -> Device:
        """Add a device that sleeps."""
        device = Device(id=self.next_id, imei=imei, title=title, resources=dict(resources or {}))
        self.next_id += 1
        self.devices[imei] = device
        return device


class OneNet:
    """The platform: what the API does, without HTTP."""

    def __init__(self, *products: Product) -> None:
        """Start with products."""
        self.products = list(products)
        self.clock = Clock()
        # How long a second of an immediate command's timeout is: a test can make it shorter.
        self.second = 1.0

    @property
    def every_device(self) -> list[Device]:
        """Return the devices of all products."""
        return [device for product in self.products for device in product.devices.values()]

    @property
    def commands(self) -> list[Command]:
        """Return all commands of all devices, oldest first."""
        commands = [command for device in self.every_device for command in device.commands]
        return sorted(commands, key=lambda command: command.create_time)

    def caller(self, headers: Mapping[str, str], generation: Generation) -> Product:
        """Return the product that a request's headers open."""
        key, token = headers.get("api-key"), headers.get("Authorization")
        if generation is Generation.LEGACY and (key is not None or token is None):
            return self.product(key)
        if key is not None or token is None:
            raise RefusalError(3, "auth failed")
        return self._signer(token, generation)

    def _signer(self, token: str, generation: Generation) -> Product:
        """Return the product whose token this is."""
        pairs = [pair.partition("=") for pair in token.split("&")]
        values = {name: unquote(value) for name, _, value in pairs}
        now = int(self.clock.now().timestamp())
        if (
            sorted(name for name, _, _ in pairs) == ["et", "method", "res", "sign", "version"]
            and not any(_RESERVED.search(value) for _, _, value in pairs)
            and values["version"] == generation.token_version
            and values["method"] in ("md5", "sha1", "sha256")
            and re.fullmatch(r"\d{1,12}", values["et"], re.ASCII)
            # A client whose clock is fast asks for a token that lives too long.
            and now < int(values["et"]) <= now + _TOKEN_LIFETIME_MAX
        ):
            text = "\n".join(values[name] for name in ("et", "method", "res", "version"))
            for product in self.products:
                if values["res"] == f"products/{product.id}":
                    signature = hmac.digest(base64.b64decode(product.access_key), text.encode(), values["method"])
                    if base64.b64encode(signature).decode() == values["sign"]:
                        return product
        raise RefusalError(3, "auth failed")

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
        imei = check_imei(query)
        if imei not in product.devices:
            raise RefusalError(1, "imei does not belong to the product of this api-key")
        return product.devices[imei]

    def devices(self, product: Product, query: Mapping[str, str], maximum: int) -> list[Device]:
        """Return the devices that a request names by their ids, without those that the product does not have."""
        ids = query.get("devIds", "").split(",")
        if ids == [""] or len(ids) > maximum:
            raise invalid("devIds")
        wanted = set(ids)
        return [device for device in product.devices.values() if str(device.id) in wanted]

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
        valid_time = moment(query, "valid_time") if "valid_time" in query else now
        expired_time = moment(query, "expired_time")
        if "valid_time" in query and valid_time <= now:
            raise invalid("valid_time is over")
        if expired_time <= valid_time:
            raise invalid("expired_time is before valid_time")
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
        self._expire(device)
        if sum(c.send_status is SendStatus.WAITING for c in device.commands) >= WAITING_MAX:
            raise RefusalError(5006, "too many cached commands of this device")
        device.commands.append(command)
        command.log.append((now, "received command"))
        return command

    async def ask(
        self, product: Product, kind: str, query: Mapping[str, str], content: dict[str, Any] | None = None
    ) -> list[dict[str, Any]] | None:
        """Let a device that is awake act at once, and return the data it answers."""
        device = self.device(product, query)
        required, optional = COMMANDS[kind]
        check_query(query, required, optional | {"timeout"})
        check_content(kind, content)
        if not device.online:
            raise RefusalError(2001, "device not online")
        if device.hesitates:
            device.waiting.append(told := asyncio.Event())
            try:
                async with asyncio.timeout(number(query, "timeout", 25) * self.second):
                    await told.wait()
            except TimeoutError:
                raise RefusalError(5106, "TIME_OUT") from None
            finally:
                device.waiting.remove(told)
        if not device.answers:
            raise RefusalError(5106, "TIME_OUT")
        try:
            return device.act(kind, query, content)
        except AnswerError as err:
            raise RefusalError(5106, str(err)) from None

    def resources(self, product: Product, query: Mapping[str, str]) -> dict[int, dict[int, list[int]]]:
        """Return the numbers of a device's resources by object and instance, for which it need not be awake."""
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
        """Return a device's commands between two times, the newest first unless the other order is asked for."""
        device = self.device(product, query)
        self._expire(device)
        start = moment(query, "start")
        end = moment(query, "end") if "end" in query else self.clock.now()
        if query.get("sort", "DESC") not in ("DESC", "ASC"):
            raise invalid("sort")
        found = [command for command in device.commands if start <= command.create_time <= end]
        return found if query.get("sort") == "ASC" else found[::-1]

    def command(self, product: Product, query: Mapping[str, str], uuid: str) -> Command:
        """Return the command of a device with this UUID."""
        device = self.device(product, query)
        self._expire(device)
        for command in device.commands:
            if command.uuid == uuid:
                return command
        raise invalid("no such command")

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
            device.report(None, self.clock.now())
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

    def report(
        self, imei: str, values: Mapping[tuple[int, int, int], Any] | None = None, at: datetime | None = None
    ) -> None:
        """Let a device send datapoints, measured now or then: these values, which it has from now on, or all it has.

        This alone neither makes it online nor sets off commands: `wake` does.
        """
        self._named(imei).report(values, at or self.clock.now())

    def report_all(self, values: Mapping[tuple[int, int, int], Any] | None = None) -> None:
        """Let every device send datapoints, measured at one time."""
        now = self.clock.now()
        for device in self.every_device:
            device.report(values, now)

    def remove(self, imei: str) -> None:
        """Delete a device, with all that the platform knows of it."""
        product = next(product for product in self.products if imei in product.devices)
        del product.devices[imei]

    def answer(self, imei: str) -> list[Command]:
        """Let a device that hesitated answer all that it was sent; return that."""
        device = self._named(imei)
        for told in device.waiting:
            told.set()
        sent = [command for command in device.commands if command.send_status is SendStatus.SENT]
        for command in sent:
            self._finish(device, command)
        return sent

    def sleep(self, imei: str) -> None:
        """Let a device go away again."""
        self.set_online(imei, online=False)

    def set_online(self, imei: str, *, online: bool) -> None:
        """Set whether a device is there; it is sent nothing."""
        self._named(imei).online = online

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
        try:
            command.result = device.act(command.kind, command.args, command.content)
            command.confirm_status = "SUCCESS"
        except AnswerError as err:
            command.confirm_status = str(err)
