"""The emulated API over HTTP, its faults, and the controls for those who are in another process."""

import asyncio
from collections import deque
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
import inspect
import json
import re
import ssl
from typing import Any, Self

from aiohttp import web

from .device import Command, Trigger
from .generation import Generation
from .parameters import BEIJING, RefusalError
from .platform import OneNet
from .routes import ROUTES

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
    DATA = "data"


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
    data: Any = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


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
                body=(await request.read()).decode(errors="replace"),
            )
        )
        # Even a sleep of no time lets others go first.
        if self.latency:
            await asyncio.sleep(self.latency)
        imei = request.query.get("imei", "")
        fault = next((fault for fault in self.faults if fault.path in request.path and fault.imei in imei), None)
        if fault is None:
            return web.json_response(await self._call(request))
        fault.times -= 1
        if fault.times <= 0:
            self.faults.remove(fault)
        return await self._spoil(request, fault)

    async def _call(self, request: web.Request) -> dict[str, Any]:
        """Carry out a call and return the reply."""
        generation = Generation.of(request.path)
        # Both generations have the same paths once they have begun.
        asked = request.path.replace(generation.value, Generation.LEGACY.value, 1)
        try:
            product = self.onenet.caller(request.headers, generation)
            for method, path, route in ROUTES:
                if method == request.method and (match := re.fullmatch(path, asked)):
                    body = [await request.read()] if method == "POST" else []
                    data = route(self.onenet, product, dict(request.query), *match.groups(), *body)
                    data = await data if inspect.isawaitable(data) else data
                    break
            else:
                return generation.reply(4, "no such url")
        except RefusalError as err:
            return generation.refusal(err)
        return generation.reply(0, "succ") if data is None else generation.success(data)

    async def _spoil(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer as a fault has it."""
        await asyncio.sleep(fault.seconds)
        match fault.kind:
            case FaultKind.DELAY:
                return web.json_response(await self._call(request))
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
                return web.json_response(Generation.of(request.path).reply(fault.errno, fault.text))
            case FaultKind.RESET_BEFORE:
                return self._reset(request)
        return await self._spoil_reply(request, fault, json.dumps(await self._call(request)).encode())

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
            case FaultKind.DATA:
                return web.json_response(Generation.of(request.path).success(fault.data))
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
        "kind": command.kind,
        "imei": command.imei,
        "args": command.args,
        "content": command.content,
        "send_status": command.send_status,
        "confirm_status": command.confirm_status,
        "result": command.result,
    }


def _wake(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device show up; return what it was sent."""
    return [_describe(command) for command in server.onenet.wake(asked["imei"], Trigger(asked.get("trigger", 2)))]


def _answer(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device that hesitated answer; return what it was sent."""
    return [_describe(command) for command in server.onenet.answer(asked["imei"])]


def _sleep(server: Server, asked: dict[str, Any]) -> None:
    """Let a device go away again."""
    server.onenet.sleep(asked["imei"])


def _set_online(server: Server, asked: dict[str, Any]) -> None:
    """Set whether a device is there, or whether all are; they are sent nothing."""
    everyone = [device.imei for device in server.onenet.every_device]
    for imei in [asked["imei"]] if "imei" in asked else everyone:
        server.onenet.set_online(imei, online=asked["online"])


def _report(server: Server, asked: dict[str, Any]) -> None:
    """Let a device send datapoints; a time without a zone is Beijing's."""
    at = datetime.fromisoformat(asked["at"]) if "at" in asked else None
    if at and at.tzinfo is None:
        at = at.replace(tzinfo=BEIJING)
    server.onenet.report(asked["imei"], _values(asked.get("values")), at)


def _report_all(server: Server, asked: dict[str, Any]) -> None:
    """Let every device send datapoints."""
    server.onenet.report_all(_values(asked.get("values")))


def _values(asked: dict[str, Any] | None) -> dict[tuple[int, int, int], Any] | None:
    """Return values by object, instance and resource, which JSON has as text; None stands for all that there are."""
    if asked is None:
        return None
    values: dict[tuple[int, int, int], Any] = {}
    for path, value in asked.items():
        obj, instance, resource = map(int, path.split("/"))
        values[obj, instance, resource] = value
    return values


def _add(server: Server, asked: dict[str, Any]) -> str:
    """Add a device to the first product; return its id."""
    product = server.onenet.products[0]
    return str(product.add(asked["imei"], asked["title"], _values(asked.get("resources"))).id)


def _remove(server: Server, asked: dict[str, Any]) -> None:
    """Delete a device at the platform."""
    server.onenet.remove(asked["imei"])


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
    for device in server.onenet.every_device:
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
    "online": _set_online,
    "report": _report,
    "report_all": _report_all,
    "add": _add,
    "remove": _remove,
    "clock": _set_clock,
    "fill": _fill,
    "commands": _commands,
    "forget": _forget,
    "fault": _fault,
    "heal": _heal,
    "latency": _set_latency,
    "requests": _requests,
}
