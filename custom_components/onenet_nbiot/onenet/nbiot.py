"""The calls of OneNET's NB-IoT API: cached commands, immediate commands and resources of a device."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp

from . import clock
from .errors import (
    ConfirmationLostError,
    InvalidRequestError,
    LimitReachedError,
    NoReplyError,
    NotSupportedError,
    OutcomeUnknownError,
    RequestRejectedError,
    SlowReplyError,
    UnexpectedReplyError,
)
from .models import (
    CancelledCommands,
    CommandDetail,
    CommandPage,
    CommandRecord,
    LogEntry,
    ReadResult,
    Resource,
    ResourceValue,
    uuid_from_wire,
)
from .operations import TIMEOUT_DEFAULT, CachedCommand, Discover, Execute, Observe, Operation, Read, Write
from .pacing import Pacer
from .transport import Request, Transport

# OneNET documents no maximum page size. If it rejects _PER_PAGE, _PER_PAGE_DEFAULT is used.
_PER_PAGE = 100
_PER_PAGE_DEFAULT = 30
# OneNET only accepts a valid_time in the future.
_VALID_TIME_MARGIN = timedelta(seconds=2)
# The method and path of each operation; the path of a cached command is followed by "/offline".
_CALLS: dict[str, tuple[str, str]] = {
    "read": ("GET", ""),
    "write": ("POST", ""),
    "execute": ("POST", "/execute"),
    "observe": ("POST", "/observe"),
    "discover": ("GET", "/discover"),
}
# The maximum number of immediate commands in flight. A session may be limited to 100 connections to a host, and other
# requests need some of them.
_IMMEDIATE_MAX = 50
_IMMEDIATE_SLOTS: WeakKeyDictionary[aiohttp.ClientSession, asyncio.Semaphore] = WeakKeyDictionary()
# Shared by the clients of a session, so that the pauses apply when an account is reloaded.
_PACERS: WeakKeyDictionary[aiohttp.ClientSession, Pacer] = WeakKeyDictionary()


class NbIotCalls:
    """Call OneNET's NB-IoT API with one account's credentials."""

    def __init__(self, session: aiohttp.ClientSession, transport: Transport, prefix: str, pause: float) -> None:
        """Initialize the calls; `prefix` begins their paths, `pause` is in seconds between commands for one device."""
        self._transport = transport
        self._prefix = prefix
        self._pause = pause
        self._pacer = _PACERS.setdefault(session, Pacer())
        self._immediate_slots = _IMMEDIATE_SLOTS.setdefault(session, asyncio.Semaphore(_IMMEDIATE_MAX))
        self._per_page = _PER_PAGE

    async def queue(self, command: CachedCommand) -> str:
        """Queue a read, write or execute command and return its UUID.

        Wait for the pause after the device's previous command. Raise OutcomeUnknownError if OneNET may have queued the
        command nevertheless, UnknownDeviceError, LimitReachedError for a device with 10 waiting commands, another
        PlatformError if OneNET refused the command, or BodyTooLargeError. Sources: "Cached command: read device
        resources", "... write device resources", "... execute".
        """
        operation = command.operation
        body = operation.body()
        method, path = _CALLS[operation.command]
        try:
            async with self._pacer.slot(operation.imei, self._pause):
                if command.valid_time is not None and command.valid_time <= self._transport.now() + _VALID_TIME_MARGIN:
                    command = replace(command, valid_time=None)
                request = Request(
                    method=method,
                    path=f"{self._prefix}{path}/offline",
                    query=command.query(),
                    body=body,
                    idempotent=False,
                )
                return uuid_from_wire(await self._transport.request(request))
        except RequestRejectedError:
            raise
        except NoReplyError as err:
            raise OutcomeUnknownError(err.text, request_ended=not isinstance(err, SlowReplyError)) from err

    async def read(self, operation: Read, *, device_timeout: int | None = None) -> tuple[ResourceValue, ...]:
        """Read values of an online device immediately.

        `device_timeout` is 5 to 40 seconds; OneNET's default is 25. Raise DeviceOfflineError, DeviceTimeoutError,
        DeviceError or UnknownDeviceError. Source: "Immediate command: read".
        """
        data = await self._perform(operation, device_timeout)
        values, unreadable = ReadResult.from_wire(data, operation.obj_id, operation.obj_inst_id)
        if unreadable:
            raise UnexpectedReplyError("The reply contains no valid values")
        return values

    async def write(self, operation: Write, *, device_timeout: int | None = None) -> None:
        """Write values to an online device immediately.

        `device_timeout` is 5 to 40 seconds; OneNET's default is 25. Raise the errors of `read`, ConfirmationLostError
        if the device may have been written to nevertheless, or BodyTooLargeError. Source: "Immediate command: write".
        """
        await self._perform_not_idempotent(operation, device_timeout)

    async def execute(self, operation: Execute, *, device_timeout: int | None = None) -> None:
        """Execute a resource of an online device immediately.

        `device_timeout` is 5 to 40 seconds; OneNET's default is 25. Raise the errors of `write`. Source: "Immediate
        command: execute".
        """
        await self._perform_not_idempotent(operation, device_timeout)

    async def observe(self, operation: Observe, *, device_timeout: int | None = None) -> None:
        """Start or cancel an observation of an online device.

        `device_timeout` is 5 to 40 seconds; OneNET's default is 25. Raise the errors of `read`. Source: "Immediate
        command: subscribe".
        """
        await self._perform(operation, device_timeout)

    async def discover(self, operation: Discover, *, device_timeout: int | None = None) -> tuple[Resource, ...]:
        """Return the resources of an object, as discovered from an online device.

        `device_timeout` is 5 to 40 seconds; OneNET's default is 25. Raise the errors of `read`. Source: "Immediate
        command: discover".
        """
        return Resource.all_from_discovery(await self._perform(operation, device_timeout), operation.obj_id)

    async def get_resources(self, imei: str, *, obj_id: int | None = None) -> tuple[Resource, ...]:
        """Return the resources of a device that OneNET has stored; `obj_id` defaults to all objects.

        Raise NotSupportedError if the platform does not have this call. Source: "Get the resource list".
        """
        query: dict[str, str | float] = {"imei": imei}
        if obj_id is not None:
            query["obj_id"] = obj_id
        return Resource.all_from_list(await self._request("/resources", query))

    async def get_commands(
        self, imei: str, *, start: datetime, end: datetime | None = None, page: int = 1, per_page: int = 30
    ) -> CommandPage:
        """Return a page of the device's cached commands that were created since `start`, newest first.

        `start` and `end` are aware; `page` starts at 1. Source: "View the list of a device's cached commands".
        """
        query: dict[str, str | float] = {"imei": imei, "start": clock.to_wire(start)}
        if end is not None:
            query["end"] = clock.to_wire(end)
        query |= {"page": page, "per_page": per_page}
        return CommandPage.from_wire(await self._request("/offline/history", query))

    async def get_all_commands(self, imei: str, *, start: datetime) -> list[CommandRecord]:
        """Return all of a device's cached commands that were created since `start`, newest first."""
        commands: dict[str, CommandRecord] = {}
        page = size = 0
        while True:
            page += 1
            try:
                found = await self.get_commands(imei, start=start, page=page, per_page=self._per_page)
            except InvalidRequestError, LimitReachedError:
                if page > 1 or self._per_page == _PER_PAGE_DEFAULT:
                    raise
                self._per_page, page = _PER_PAGE_DEFAULT, 0
                continue
            size += found.size
            known = len(commands)
            # A command that is queued between two requests moves the last command of a page to the next page.
            commands |= {command.uuid: command for command in found.commands}
            # Pages may be smaller than requested, and the total may be missing or wrong. The last page is therefore one
            # without new commands, or one that is not full and reaches the total.
            expected = found.total_count is None or size < found.total_count
            if (not expected and found.size < self._per_page) or len(commands) == known:
                return list(commands.values())

    async def get_command(self, imei: str, uuid: str) -> CommandDetail:
        """Return the details of a cached command.

        Raise UnknownCommandError or another PlatformError if the device has no such command; OneNET does not document
        its error for that. Source: "View the details of a cached command".
        """
        return CommandDetail.from_wire(await self._request("/offline/history/{id}", {"imei": imei}, uuid=uuid), uuid)

    async def get_command_log(self, imei: str, uuid: str) -> tuple[LogEntry, ...]:
        """Return OneNET's log of a cached command. Source: "Full-link log of a cached command"."""
        path = "/offline/history/{id}/piecewise"
        return LogEntry.all_from_wire(await self._request(path, {"imei": imei}, uuid=uuid))

    async def cancel_command(self, imei: str, uuid: str) -> None:
        """Cancel a waiting command; raise PlatformError if it is not waiting. Source: "Cancel a cached command"."""
        await self._request("/offline/cancel/{id}", {"imei": imei}, method="PUT", uuid=uuid)

    async def cancel_commands(self, imei: str) -> CancelledCommands:
        """Cancel all waiting commands of a device. Source: "Cancel all waiting commands of a device"."""
        query = {"imei": imei}
        try:
            data = await self._request("/offline/cancel/all", query, method="PUT")
        except NotSupportedError, RequestRejectedError:
            # Some clients of the current platform use this path.
            data = await self._request("/offline/cancel/all/", query, method="PUT")
        return CancelledCommands.from_wire(data)

    async def _request(
        self, path: str, query: Mapping[str, str | float], *, method: str = "GET", uuid: str = ""
    ) -> Any:
        """Send a request that does not wait for the device, and return the data of the reply.

        `uuid` is that of the command that the request is about, and replaces `{id}` in the path.
        """
        path = f"{self._prefix}{path}"
        return await self._transport.request(
            Request(method=method, path=path, id=uuid, query=query, about_command=bool(uuid))
        )

    async def _perform(self, operation: Operation, device_timeout: int | None, *, idempotent: bool = True) -> Any:
        """Send an immediate command and return the data of the reply."""
        method, path = _CALLS[operation.command]
        request = Request(
            method=method,
            path=f"{self._prefix}{path}",
            query=operation.query() | ({} if device_timeout is None else {"timeout": device_timeout}),
            body=operation.body(),
            idempotent=idempotent,
            device_timeout=device_timeout or TIMEOUT_DEFAULT,
        )
        async with self._pacer.slot(operation.imei, self._pause):
            await self._immediate_slots.acquire()
            task = asyncio.ensure_future(self._transport.request(request))
            task.add_done_callback(lambda _: self._immediate_slots.release())
            # Keep the slot until the request has probably arrived, but not until the device responds.
            await _wait_or_cancel(task, self._pause)
        await _wait_or_cancel(task)
        return task.result()

    async def _perform_not_idempotent(self, operation: Operation, device_timeout: int | None) -> None:
        """Send an immediate command that must not be repeated; raise ConfirmationLostError for an unknown outcome."""
        try:
            await self._perform(operation, device_timeout, idempotent=False)
        except RequestRejectedError:
            raise
        except (NoReplyError, OutcomeUnknownError) as err:
            raise ConfirmationLostError(err.text, err.errno) from err


async def _wait_or_cancel(task: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Wait until a task is done, or for some seconds; cancel the task if the caller is cancelled."""
    try:
        await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
