"""The emulated API over HTTP."""

import asyncio
from collections import deque
import contextlib
from dataclasses import dataclass, replace
from email.utils import format_datetime
import inspect
import json
import ssl
from typing import Any, Self

from aiohttp import web

from .auth import authorize
from .call import Call
from .controls import CONTROLS
from .faults import Fault, FaultKind
from .generation import Generation
from .platform import OneNet
from .refusals import RefusalError
from .routes import find_route

# Longest request line of ordinary servers; aiohttp's own limit is higher, since it answers 400.
REQUEST_LINE_MAX = 8190
_PARSED_MAX = 2**20


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
            max_line_size=_PARSED_MAX,
            max_field_size=_PARSED_MAX,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        if self.onenet.push is not None:
            await self.onenet.push.stop()
        if self._runner:
            await self._runner.cleanup()

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        """Date a reply by the platform's clock."""
        response.headers["Date"] = format_datetime(self.onenet.clock.now(), usegmt=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Log a request and answer it, with a fault if one applies."""
        self.requests.append(
            Request(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=(await request.read()).decode(errors="replace"),
            )
        )
        if len(f"{request.method} {request.raw_path} HTTP/1.1") > REQUEST_LINE_MAX:
            return web.Response(status=414, text="<html><body>414</body></html>", content_type="text/html")
        # A sleep of 0 seconds would let other requests pass.
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = next((fault for fault in self.faults if fault.applies_to(request.path, request.query)), None)
        if fault is None:
            return web.json_response(await self._call(request))
        fault.times -= 1
        if fault.times <= 0:
            self.faults.remove(fault)
        return await self._spoil(request, fault)

    async def _call(self, request: web.Request) -> dict[str, Any]:
        """Carry out a call and return the reply."""
        envelope = self._envelope(request.path)
        try:
            data = await self._carry_out(request)
        except RefusalError as err:
            reply = envelope.refusal(err)
        else:
            reply = envelope.reply(0, "succ") if data is None else envelope.success(data)
        found: dict[str, Any] = self.onenet.switches.apply(reply)
        return found

    async def _carry_out(self, request: web.Request) -> Any:
        """Carry out a call and return the data of the reply."""
        route, named = find_route(self.onenet.switches, request.method, request.path)
        generation = Generation.of(request.path)
        call = Call(
            onenet=self.onenet,
            generation=generation,
            products=authorize(self.onenet, request.headers, generation),
            query=dict(request.query),
            body=await request.read(),
        )
        data = route(call, *named)
        return await data if inspect.isawaitable(data) else data

    def _envelope(self, path: str) -> Generation:
        """Return the generation whose envelope and numbers a path has."""
        if self.onenet.switches.nb_errno and path.startswith(Generation.CURRENT.value):
            return Generation.LEGACY
        return Generation.of(path)

    async def _spoil(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer with a fault."""
        await asyncio.sleep(fault.seconds)
        authorization = str(request.headers.get("Authorization") or request.headers.get("api-key"))
        fault = replace(fault, text=fault.text.replace("{authorization}", authorization))
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
                return web.json_response(self._envelope(request.path).reply(fault.errno, fault.text))
            case FaultKind.RESET_BEFORE:
                return self._reset(request)
        return await self._corrupt_reply(request, fault, json.dumps(await self._call(request)).encode())

    async def _corrupt_reply(self, request: web.Request, fault: Fault, reply: bytes) -> web.StreamResponse:
        """Drop or corrupt the reply to a call that has been carried out."""
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
                return web.json_response(self._envelope(request.path).success(fault.data))
        return web.Response()

    def _reset(self, request: web.Request) -> web.Response:
        """Break the connection; the returned response is not sent."""
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def _control(self, request: web.Request) -> web.Response:
        """Run a control for a test, a demo or a benchmark in another process."""
        control = CONTROLS.get(name := request.match_info["control"])
        if control is None:
            return web.Response(status=404, text=f"no control {name}")
        return web.json_response(control(self, await request.json() if request.can_read_body else {}))
