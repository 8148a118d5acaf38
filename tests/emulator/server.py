"""The emulated API over HTTP, its faults, and the controls for those who are in another process."""

import asyncio
from collections import deque
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from enum import StrEnum
import json
import re
import ssl
from typing import Any, Self

from aiohttp import web

from .platform import (
    BEIJING,
    DATAPOINT_IDS_MAX,
    STATUS_IDS_MAX,
    Command,
    OneNet,
    Product,
    RefusalError,
    Trigger,
)

# A request for the most devices that one may name has a long line.
_LINE_MAX = 2**16


class FaultKind(StrEnum):
    """What can go wrong with a reply; the second group leaves the call undone, the last carries it out first."""

    DELAY = "delay"

    RESET_BEFORE = "reset_before"
    PAGE = "page"
    ERRNO = "errno"

    RESET_AFTER = "reset_after"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    HUGE = "huge"
    GARBAGE = "garbage"
    BODY = "body"


@dataclass(kw_only=True)
class Fault:
    """A fault, for how many requests, of which path and device, after how many seconds, and what it takes."""

    kind: FaultKind
    times: int = 1
    path: str = ""
    imei: str = ""
    seconds: float = 0
    status: int = 502
    reason: str = ""
    errno: int = 0
    text: str = "<html><body>Welcome</body></html>"
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Server:
    """The emulator on a socket; `latency` is how many seconds every reply of the API takes."""

    def __init__(self, onenet: OneNet) -> None:
        """Prepare the server; nothing listens yet."""
        self.onenet = onenet
        self.faults: list[Fault] = []
        self.requests: deque[Request] = deque(maxlen=10_000)
        self.bytes_of_huge_reply = 0
        self.latency: float = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Self:
        """Listen on the loopback interface."""
        app = web.Application()
        app.router.add_route("*", "/emulator/{control}", self._control)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0,
            max_line_size=_LINE_MAX,
            max_field_size=_LINE_MAX,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        if self._runner:
            await self._runner.cleanup()

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        """Date a reply by the platform's clock."""
        response.headers["Date"] = format_datetime(self.onenet.clock.now(), usegmt=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Log a request and answer it, well or badly."""
        self.requests.append(
            Request(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
            )
        )
        # Even a sleep of no time lets others go first.
        if self.latency:
            await asyncio.sleep(self.latency)
        imei = request.query.get("imei", "")
        fault = next((fault for fault in self.faults if fault.path in request.path and fault.imei in imei), None)
        if fault is None:
            return web.json_response(self._call(request))
        fault.times -= 1
        if fault.times <= 0:
            self.faults.remove(fault)
        return await self._spoil(request, fault)

    def _call(self, request: web.Request) -> dict[str, Any]:
        """Carry out a call and return the reply."""
        try:
            product = self.onenet.product(request.headers.get("api-key"))
            for method, path, route in ROUTES:
                if method == request.method and (match := re.fullmatch(path, request.path)):
                    data = route(self.onenet, product, dict(request.query), *match.groups())
                    break
            else:
                return {"errno": 4, "error": "no such url"}
        except RefusalError as err:
            return {"errno": err.errno, "error": err.text}
        return {"errno": 0, "error": "succ", "data": data}

    async def _spoil(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer as a fault has it."""
        await asyncio.sleep(fault.seconds)
        match fault.kind:
            case FaultKind.DELAY:
                return web.json_response(self._call(request))
            case FaultKind.PAGE:
                headers = {"Location": fault.location} if fault.location else None
                return web.Response(
                    status=fault.status,
                    reason=fault.reason or None,
                    text=fault.text,
                    content_type="text/html",
                    headers=headers,
                )
            case FaultKind.ERRNO:
                return web.json_response({"errno": fault.errno, "error": fault.text})
            case FaultKind.RESET_BEFORE:
                return self._reset(request)
        return await self._spoil_reply(request, fault, json.dumps(self._call(request)).encode())

    async def _spoil_reply(self, request: web.Request, fault: Fault, reply: bytes) -> web.StreamResponse:
        """Lose or spoil the reply to a call that was carried out."""
        response = web.StreamResponse()
        match fault.kind:
            case FaultKind.RESET_AFTER:
                return self._reset(request)
            case FaultKind.TRUNCATED:
                response.content_length = len(reply)
                await response.prepare(request)
                await response.write(reply[: len(reply) // 2])
                return self._reset(request)
            case FaultKind.HUGE:
                await response.prepare(request)
                with contextlib.suppress(ConnectionError):
                    while self.bytes_of_huge_reply < 2**27:
                        await response.write(bytes(2**16))
                        self.bytes_of_huge_reply += 2**16
            case FaultKind.GARBAGE:
                assert isinstance(request.transport, asyncio.Transport)
                request.transport.write(fault.text.encode())
                request.transport.close()
            case FaultKind.BODY:
                return web.Response(text=fault.text, content_type="application/json")
        return web.Response()

    def _reset(self, request: web.Request) -> web.Response:
        """Break the connection, so that what is returned here reaches nobody."""
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def _control(self, request: web.Request) -> web.Response:
        """Do what a test, a demo or a benchmark in another process asks for."""
        control = CONTROLS.get(name := request.match_info["control"])
        if control is None:
            return web.Response(status=404, text=f"no control {name}")
        return web.json_response(control(self, await request.json() if request.can_read_body else {}))


def _describe(command: Command) -> dict[str, Any]:
    """Return what a command has come to."""
    return {
        "uuid": command.uuid,
        "imei": command.imei,
        "args": command.args,
        "send_status": command.send_status,
        "confirm_status": command.confirm_status,
        "result": command.result,
    }


def _queue_read(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Cached command: read device resources"."""
    return {"uuid": onenet.queue_read(product, query).uuid}


def _devices(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query devices"."""
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", "30"))
    if page < 1 or not 1 <= per_page <= 100:
        raise RefusalError(3, "invalid parameter: page")
    devices = list(product.devices.values())
    return {
        "total_count": len(devices),
        "page": page,
        "per_page": per_page,
        "devices": [
            {
                "id": str(device.id),
                "title": device.title,
                "protocol": "LWM2M",
                "online": device.online,
                "auth_info": {device.imei: "460000000000001"},
                "create_time": "2020-12-02 09:02:24",
            }
            for device in devices[(page - 1) * per_page : page * per_page]
        ],
    }


def _device_by_imei(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query device information by IMEI"."""
    device = onenet.device(product, query)
    return {
        "id": str(device.id),
        "title": device.title,
        "online": device.online,
        "create_time": "2020-12-02 09:02:24",
        "observe_status": True,
    }


def _statuses(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query device status in batch"."""
    devices = onenet.devices(product, query, STATUS_IDS_MAX)
    return {
        "total_count": len(devices),
        "devices": [{"id": str(device.id), "title": device.title, "online": device.online} for device in devices],
    }


def _newest(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query newest data in batch"."""
    return {
        "devices": [
            {
                "id": str(device.id),
                "title": device.title,
                "datastreams": [
                    {
                        "id": "_".join(map(str, path)),
                        "at": device.newest.astimezone(BEIJING)
                        .replace(tzinfo=None)
                        .isoformat(" ", timespec="milliseconds"),
                        "value": value,
                    }
                    for path, value in device.resources.items()
                    if device.newest
                ],
            }
            for device in onenet.devices(product, query, DATAPOINT_IDS_MAX)
        ]
    }


def _history(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "View the list of a device's cached commands"."""
    found = onenet.history(product, query)
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", "30"))
    return {
        "total_count": len(found),
        "items": [_item(command) for command in found[(page - 1) * per_page :][:per_page]],
    }


def _detail(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> dict[str, Any]:
    """Answer "View the details of a cached command"."""
    command = onenet.command(product, query, uuid)
    detail = _item(command) | {"args": command.args, "content": None}
    return detail if command.result is None else detail | {"cmd_result": command.result}


def _log(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> list[dict[str, str]]:
    """Answer "Full-link log of a cached command"."""
    log = onenet.command(product, query, uuid).log
    return [{"log": text, "time": time.astimezone(BEIJING).strftime("%a %b %d %H:%M:%S CST %Y")} for time, text in log]


def _item(command: Command) -> dict[str, Any]:
    """Return a command as lists and details have it."""
    times = {
        name: moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        for name in ("create_time", "valid_time", "expired_time", "send_time", "confirm_time")
        if (moment := getattr(command, name)) is not None
    }
    return times | {
        "cmd_uuid": command.uuid,
        "type": command.kind,
        "imei": command.imei,
        "send_status": command.send_status,
        "confirm_status": command.confirm_status,
        "trigger_msg": command.trigger_msg,
        "remain": str(command.remain),
    }


def _cancel(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> None:
    """Answer "Cancel a cached command"."""
    onenet.cancel(product, query, uuid)


def _cancel_all(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Cancel all waiting commands of a device"."""
    cancelled = onenet.cancel_all(product, query)
    return {"succ": cancelled, "failed": [], "total": len(cancelled)}


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/nbiot/offline", _queue_read),
    ("GET", "/nbiot/offline/history", _history),
    ("GET", "/nbiot/offline/history/([^/]+)", _detail),
    ("GET", "/nbiot/offline/history/([^/]+)/piecewise", _log),
    ("PUT", "/nbiot/offline/cancel/all", _cancel_all),
    ("PUT", "/nbiot/offline/cancel/([^/]+)", _cancel),
    ("GET", "/devices", _devices),
    ("GET", "/devices/getbyimei", _device_by_imei),
    ("GET", "/devices/status", _statuses),
    ("GET", "/devices/datapoints", _newest),
)


def _wake(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device show up; return what it was sent."""
    return [_describe(command) for command in server.onenet.wake(asked["imei"], Trigger(asked.get("trigger", 2)))]


def _answer(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device that hesitated answer; return what it was sent."""
    return [_describe(command) for command in server.onenet.answer(asked["imei"])]


def _sleep(server: Server, asked: dict[str, Any]) -> None:
    """Let a device go away again."""
    server.onenet.sleep(asked["imei"])


def _set_clock(server: Server, asked: dict[str, Any]) -> None:
    """Move the platform's clock away from the real time."""
    server.onenet.clock.offset = timedelta(seconds=asked["offset"])


def _fill(server: Server, asked: dict[str, Any]) -> list[list[str]]:
    """Queue a number of reads on every device; return of each its UUID and IMEI."""
    return [[command.uuid, command.imei] for command in server.onenet.fill(asked["commands"])]


def _commands(server: Server, _: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all commands."""
    return [_describe(command) for command in server.onenet.commands]


def _forget(server: Server, _: dict[str, Any]) -> None:
    """Forget all commands."""
    for product in server.onenet.products:
        for device in product.devices.values():
            device.commands.clear()


def _fault(server: Server, asked: dict[str, Any]) -> None:
    """Add a fault."""
    server.faults.append(Fault(**asked | {"kind": FaultKind(asked["kind"])}))


def _heal(server: Server, _: dict[str, Any]) -> None:
    """Remove all faults."""
    server.faults.clear()


def _set_latency(server: Server, asked: dict[str, Any]) -> None:
    """Set how long every reply takes."""
    server.latency = asked["seconds"]


def _requests(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that arrived, and forget them where that is asked for."""
    logged = [vars(request) for request in server.requests]
    if asked.get("clear"):
        server.requests.clear()
    return logged


CONTROLS: dict[str, Callable[[Server, dict[str, Any]], Any]] = {
    "wake": _wake,
    "answer": _answer,
    "sleep": _sleep,
    "clock": _set_clock,
    "fill": _fill,
    "commands": _commands,
    "forget": _forget,
    "fault": _fault,
    "heal": _heal,
    "latency": _set_latency,
    "requests": _requests,
}
