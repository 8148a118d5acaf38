"""Tests with the documented replies in wire/, which are served over a socket."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from custom_components.onenet_nbiot.onenet.auth import AccessKey, ApiKey
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.errors import AuthenticationError, OneNetError, OutcomeUnknownError
from custom_components.onenet_nbiot.onenet.models import (
    CommandDetail,
    CommandRecord,
    Datapoint,
    Device,
    ResourceValue,
)
from custom_components.onenet_nbiot.onenet.operations import (
    CachedCommand,
    Discover,
    Execute,
    Observe,
    Read,
    ValueType,
    Write,
    WrittenValue,
)
from custom_components.onenet_nbiot.onenet.platforms import CURRENT, LEGACY

WIRE = Path(__file__).with_name("wire")
IMEI = "860000000000101"
UUID = "a8ecb161-6412-5673-86d6-d9603a83ad67"
DEVICE_ID = "590000101"
START = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND = CachedCommand(operation=Read(imei=IMEI, obj_id=3303), expired_time=datetime(2099, 1, 1, tzinfo=UTC))
WRITE = Write(imei=IMEI, obj_id=3306, obj_inst_id=0, values=(WrittenValue(5850, value=True),))
SUCCESS = {"status": 200, "body": {"errno": 0, "error": "succ"}}
REFUSED = {"status": 200, "body": {"errno": 3, "error": "auth failed"}}
BROKEN = {"status": 500, "body_text": "<html></html>"}

type Case = dict[str, Any]


def load(name: str) -> pytest.MarkDecorator:
    """Parametrize a test with the cases of a file, for each platform of a case."""
    cases = json.loads((WIRE / f"{name}.json").read_text("utf-8"))["cases"]
    return pytest.mark.parametrize(
        ("case", "generation"),
        [
            pytest.param(case, generation, id=f"{case['name']}, {generation}")
            for case in cases
            for generation in (("legacy", "current") if case["generation"] == "both" else (case["generation"],))
        ],
    )


@dataclass
class Replies:
    """Serve one reply to the path of the first request, and another to all other paths."""

    reply: Case
    account: Case
    url: str = ""
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reply to a request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        first = self.requests[0].split(" ")[1].split("?")[0] if self.requests else path.split("?")[0]
        self.requests.append(head)
        writer.write(_raw(self.reply if path.split("?")[0] in (first, f"{first}/") else self.account))
        await writer.drain()
        writer.close()


def _raw(reply: Case) -> bytes:
    """Return the bytes of a reply."""
    if "body" in reply:
        body = json.dumps(reply["body"], ensure_ascii=False).encode()
    else:
        body = b64decode(reply["body_base64"]) if "body_base64" in reply else reply["body_text"].encode()
    headers = {"Content-Type": "application/json", **reply.get("headers", {}), "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {reply['status']} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def served(
    case: Case, generation: str, account: Case | None = None
) -> AsyncIterator[tuple[OneNetClient, Replies]]:
    """Serve the reply of a case, and return a client and the server's state."""
    replies = Replies(case, account or SUCCESS)
    server = await asyncio.start_server(replies.serve, "127.0.0.1")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        if generation == "legacy" and not case["expect"].get("clock"):
            yield OneNetClient(session, ApiKey("key"), base_url=url, platform=LEGACY, pause=0), replies
        else:
            key = AccessKey("products/WiReTesT01", b64encode(b"key").decode())
            platform = CURRENT if generation == "current" else LEGACY
            yield OneNetClient(session, key, base_url=url, platform=platform, product_id="WiReTesT01"), replies


type Call = Callable[[OneNetClient], Awaitable[Any]]


async def attempt(case: Case, generation: str, call: Call, account: Case | None = None) -> Any:
    """Return the result of a call, or its error."""
    async with served(case, generation, account) as (client, _):
        try:
            return await call(client)
        except OneNetError as err:
            return err


async def check_error(case: Case, generation: str, call: Call) -> None:
    """Compare the error of a call with the expected one, also if a check of the credentials succeeds or fails."""
    expect, why = case["expect"], case["why"]
    reasons = [expect["error"], *expect.get("also_right", [])]
    after = expect.get("after_account_call")
    error = await attempt(case, generation, call, BROKEN if after else None)
    assert isinstance(error, OneNetError), why
    assert error.reason in reasons, why
    assert isinstance(error, AuthenticationError) is expect.get("reauth", error.reason == "invalid_auth"), why
    if after:
        assert (await attempt(case, generation, call, SUCCESS)).reason == after["works"], why
        assert (await attempt(case, generation, call, REFUSED)).reason == after["refused"], why
    if expect.get("done") is False:
        assert not isinstance(error, OutcomeUnknownError), why
    if expect.get("stops_account") is False:
        assert not error.is_account_wide, why


def seconds(moment: datetime | None) -> str | None:
    """Return a time in UTC, in ISO 8601 with milliseconds."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")


def expected_time(text: str | None) -> str | None:
    """Return an expected time in the format of `seconds`."""
    return None if text is None else seconds(datetime.fromisoformat(text))


def values_of(values: tuple[ResourceValue, ...]) -> list[dict[str, Any]]:
    """Return values in the format of the cases."""
    names = ("obj_id", "obj_inst_id", "res_id", "res_inst_id", "value")
    return [{name: getattr(value, name) for name in names} for value in values]


def check_members(expect: Case, found: Any, why: str) -> None:
    """Compare the attributes of an object with the expected ones."""
    for name, value in expect.items():
        if name.endswith("time"):
            assert seconds(getattr(found, name)) == expected_time(value), (name, why)
        else:
            assert getattr(found, name) == value, (name, why)
            # In Python, True equals 1.
            assert isinstance(getattr(found, name), bool) is isinstance(value, bool), (name, why)


def check_devices(expect: Case, devices: tuple[Device, ...], why: str) -> None:
    """Compare devices with the expected ones."""
    for device, found in zip(expect["devices"], devices, strict=True):
        check_members(device, found, why)
    for secret in expect.get("must_not_hold", []):
        assert secret not in repr(devices), why


@load("queue")
async def test_replies_to_a_queued_command_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The reply to a queued command contains its UUID or is the expected error."""

    async def call(client: OneNetClient) -> str:
        return await client.queue(COMMAND)

    if "error" in case["expect"]:
        await check_error(case, generation, call)
    else:
        assert await attempt(case, generation, call) == case["expect"]["uuid"], case["why"]


@load("list")
async def test_lists_of_commands_are_parsed_as_documented(case: Case, generation: str, socket_enabled: None) -> None:
    """The list of commands contains every valid command with its state."""
    page = await attempt(case, generation, lambda client: client.get_commands(IMEI, start=START))
    assert page.total_count == case["expect"]["total"], case["why"]
    for expect, record in zip(case["expect"]["commands"], page.commands, strict=True):
        check_members(expect, record, case["why"])


@load("detail")
async def test_details_of_a_command_are_parsed_as_documented(case: Case, generation: str, socket_enabled: None) -> None:
    """The details contain the state, target, content and values of the command."""
    uuid = case.get("request", {}).get("uuid", UUID)

    async def call(client: OneNetClient) -> CommandDetail:
        return await client.get_command(IMEI, uuid)

    expect, why = dict(case["expect"]), case["why"]
    if "error" in expect:
        await check_error(case, generation, call)
        return
    detail = await attempt(case, generation, call)
    assert (detail.unreadable is not None) is expect.pop("values_unreadable", False), why
    assert values_of(detail.values) == expect.pop("values"), why
    if "written" in expect:
        written = [
            {
                "res_id": value.res_id,
                "value": value.value,
                "type": None if value.type is ValueType.PLAIN else value.type,
            }
            for value in detail.written
        ]
        assert written == expect.pop("written"), why
    of_record = expect.keys() & {field.name for field in fields(CommandRecord)} | expect.keys() & {"state", "reason"}
    check_members({name: expect.pop(name) for name in of_record}, detail.record, why)
    check_members(expect, detail, why)


@load("log")
async def test_logs_of_a_command_are_parsed_as_documented(case: Case, generation: str, socket_enabled: None) -> None:
    """The log contains every line with its time, if that is valid."""
    log = await attempt(case, generation, lambda client: client.get_command_log(IMEI, UUID))
    for expect, entry in zip(case["expect"]["entries"], log, strict=True):
        check_members(expect, entry, case["why"])


@load("cancel")
async def test_replies_to_a_cancellation_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """One or all commands are cancelled, or the expected error is raised."""
    every = case["path"].endswith("/all")
    expect, why = case["expect"], case["why"]

    async def call(client: OneNetClient) -> Any:
        return await (client.cancel_commands(IMEI) if every else client.cancel_command(IMEI, UUID))

    if "error" in expect:
        await check_error(case, generation, call)
        if "retry_path" in expect:
            async with served(case, generation) as (client, replies):
                with pytest.raises(OneNetError):
                    await call(client)
                assert [head.split("?")[0].split("/offline")[1] for head in replies.requests] == [
                    "/cancel/all",
                    "/cancel/all/",
                ], why
        return
    cancelled = await attempt(case, generation, call)
    if every:
        assert (cancelled.succeeded, cancelled.failed) == (tuple(expect["succeeded"]), tuple(expect["failed"])), why
    else:
        assert cancelled is None, why


@load("immediate")
async def test_replies_to_an_immediate_command_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The values are parsed, or the expected error is raised."""
    request = case.get("request", {"imei": IMEI, "obj_id": 3303})
    calls: dict[str, Call] = {
        "GET {prefix}": lambda client: client.read(Read(**request)),
        "POST {prefix}": lambda client: client.write(WRITE),
        "POST {prefix}/execute": lambda client: client.execute(Execute(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4)),
        "POST {prefix}/observe": lambda client: client.observe(Observe(imei=IMEI, obj_id=3303)),
    }
    call, expect = calls[case["path"]], case["expect"]
    if "error" in expect:
        await check_error(case, generation, call)
        return
    result = await attempt(case, generation, call)
    if "ok" in expect:
        assert result is None, case["why"]
    else:
        assert values_of(result) == expect["values"], case["why"]


@load("resources")
async def test_resources_of_a_device_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The valid resources are parsed, or the expected error is raised."""

    async def call(client: OneNetClient) -> Any:
        if case["path"].endswith("discover"):
            return await client.discover(Discover(imei=IMEI, obj_id=case["request"]["obj_id"]))
        return await client.get_resources(IMEI)

    if "error" in case["expect"]:
        await check_error(case, generation, call)
    else:
        found = await attempt(case, generation, call)
        assert [resource.path for resource in found] == case["expect"]["paths"], case["why"]


@load("devices_legacy")
async def test_devices_of_the_legacy_platform_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """Every valid device of the legacy platform is parsed."""
    calls: dict[str, Call] = {
        "GET /devices": lambda client: client.get_devices(),
        "GET /devices/getbyimei": lambda client: client.get_device(IMEI),
        "GET /devices/status": lambda client: client.get_device_statuses([DEVICE_ID]),
        "GET /devices/{id}": lambda client: client.get_device_by_id(DEVICE_ID),
        "GET /third/platform/status": lambda client: client.is_push_active("590000"),
    }
    call, expect, why = calls[case["path"]], case["expect"], case["why"]
    if "error" in expect:
        await check_error(case, generation, call)
        return
    result = await attempt(case, generation, call)
    if "online" in expect:
        assert result == expect["online"], why
    elif "push_active" in expect:
        assert result is expect["push_active"], why
    elif isinstance(result, Device):
        check_devices(expect, (result,), why)
        assert list(result.paths) == expect.get("paths", []), why
    else:
        check_devices(expect, result.devices, why)
        assert result.total_count == expect["total"], why
        assert await attempt(case, generation, lambda client: client.check_credentials()) is None, why


@load("device_current")
async def test_devices_of_the_current_platform_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Every valid LwM2M device of the current platform is parsed, without its secrets."""
    caplog.set_level(logging.DEBUG)
    per_page = case.get("request", {}).get("limit", 30)
    calls: dict[str, Call] = {
        "GET /product/detail": lambda client: client.get_product(),
        "GET /device/list": lambda client: client.get_devices(per_page=per_page),
        "GET /device/detail": lambda client: client.get_device(IMEI),
        "GET /device/status-history": lambda client: client.get_presence_history("nb_101", start=START, end=START),
    }
    call, expect, why = calls[case["path"]], case["expect"], case["why"]
    if "proves_key" in expect:
        refusal = await attempt(case, generation, lambda client: client.check_credentials(), case)
        assert (refusal is None) is expect["proves_key"], why
    if "error" in expect:
        await check_error(case, generation, call)
        return
    result = await attempt(case, generation, call)
    for secret in expect.get("must_not_hold", []):
        assert secret not in caplog.text, why
    if "states" in expect:
        for state, presence in zip(expect["states"], result, strict=True):
            check_members(state, presence, why)
    elif isinstance(result, Device):
        check_devices(expect, (result,), why)
    elif "devices" in expect:
        check_devices(expect, result.devices, why)
        assert result.more is expect["more"], why
        assert result.total_count == expect.get("total", result.total_count), why
    else:
        check_members({name: expect[name] for name in ("name", "device_count")}, result, why)


def points_of(points: list[tuple[str | None, Datapoint]]) -> list[dict[str, Any]]:
    """Return datapoints in the format of the cases."""
    return [
        {"device": device, "path": point.path, "value": point.value, "time": seconds(point.measured_at)}
        for device, point in points
    ]


async def check_datapoints(case: Case, generation: str) -> None:
    """Compare the newest datapoints, or a page of the history, with the expected ones."""
    expect, request = case["expect"], case.get("request", {})

    async def call(client: OneNetClient) -> Any:
        if "cursor" in expect:
            page = await client.get_history_page(DEVICE_ID, cursor=request.get("cursor"))
            assert (page.cursor, page.more) == (expect["cursor"], expect["more"]), case["why"]
            return [(None, point) for point in page.points]
        requested = request.get("device_name", DEVICE_ID).split(",")
        found = list(await client.get_newest_datapoints(requested))
        assert expect.get("missing", []) == [
            name for name in requested if "missing" in expect and name not in dict(found)
        ], case["why"]
        return [(device, point) for device, points in found for point in points]

    points = await attempt(case, generation, call)
    expected = [point | {"time": expected_time(point["time"])} for point in expect["points"]]
    assert points_of(points) == expected, case["why"]


@load("datapoints_legacy")
async def test_datapoints_of_the_legacy_platform_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """Every valid datapoint of the legacy platform is parsed with its time."""
    await check_datapoints(case, generation)


@load("datapoints_current")
async def test_datapoints_of_the_current_platform_are_parsed_as_documented(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """Every valid datapoint of the current platform is parsed with its time."""
    await check_datapoints(case, generation)


def call_of(case: Case) -> Call:
    """Return the call of a case."""
    about = case.get("request", {}).get("about")
    if not case["idempotent"]:
        return lambda client: client.queue(COMMAND)
    if not case["call_with_imei"]:
        return lambda client: client.get_devices()
    match about:
        case "device":
            return lambda client: client.get_device(IMEI)
        case "command":
            return lambda client: client.get_command(IMEI, UUID)
        case _:
            return lambda client: client.get_commands(IMEI, start=START)


async def check_refusal(case: Case, generation: str) -> None:
    """Compare the error of a case with the expected one, and count the repeated requests."""
    await check_error(case, generation, call_of(case))
    if case["expect"].get("clock"):
        async with served(case, generation) as (client, replies):
            with pytest.raises(OneNetError):
                await call_of(case)(client)
        # The request is repeated once with the server's time, if the reply contains it.
        tokens = {
            line for head in replies.requests for line in head.splitlines() if line.lower().startswith("authorization")
        }
        assert len(tokens) == len(replies.requests) == (2 if "Date" in case.get("headers", {}) else 1), case["why"]


@load("errors_legacy")
async def test_errors_of_the_legacy_platform_have_the_expected_class(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """Errors of the legacy platform have the expected class, determined by text, then number."""
    await check_refusal(case, generation)


@load("errors_current")
async def test_errors_of_the_current_platform_have_the_expected_class(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """Errors of the current platform have the expected class, determined by text, then number."""
    await check_refusal(case, generation)


@load("envelope")
async def test_envelopes_of_both_platforms_and_all_encodings_are_parsed(
    case: Case, generation: str, socket_enabled: None
) -> None:
    """The envelope of either platform is parsed in every encoding and with every HTTP status."""
    expect = case["expect"]
    path = case.get("path", "")
    calls: dict[str, Call] = {
        "": lambda client: client.queue(COMMAND),
        "GET /product/detail": lambda client: client.get_product(),
        "GET {prefix}/offline/history": lambda client: client.get_commands(IMEI, start=START),
        "GET /devices/status": lambda client: client.get_device_statuses([DEVICE_ID]),
    }
    call = calls.get(path, lambda client: client.get_devices())
    if "error" in expect:
        await check_error(case, generation, call)
    elif "devices" in expect:
        page = await attempt(case, generation, call)
        check_devices(expect, page.devices, case["why"])
        assert page.total_count == expect["total"], case["why"]
    else:
        assert await attempt(case, generation, call) == expect["uuid"], case["why"]
