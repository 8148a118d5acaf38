"""The webhook that OneNET's push calls: real requests over a socket, and what they change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
import json
import sqlite3
import threading
from typing import Any, override
from unittest.mock import Mock
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from homeassistant.components import webhook
from homeassistant.const import CONF_URL, EVENT_HOMEASSISTANT_CLOSE, EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import CoreState, Event, HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util.aiohttp import MockRequest
from homeassistant.util.hass_dict import HassKey
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.onenet_nbiot.command import Command
from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.devices import SIGNAL_WAKE, Device as KnownDevice
from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics
from custom_components.onenet_nbiot.onenet.models import CommandState
from custom_components.onenet_nbiot.onenet.operations import CachedCommand, Execute, Read
from custom_components.onenet_nbiot.onenet.push import MAX_BODY, PushReceiver
from custom_components.onenet_nbiot.push import async_register_webhooks
from custom_components.onenet_nbiot.push_updates import PushUpdater
from custom_components.onenet_nbiot.store import CommandStore, async_get_store

from .common import (
    ACCOUNTS,
    CURRENT_ONLY,
    EVERY_PLATFORM,
    IMEI,
    LEGACY_ONLY,
    OTHER_IMEI,
    UNKNOWN_UUID,
    add_device,
    client_of,
    commands_of,
    coordinator_of,
    copy_of,
    delay_reply,
    devices_of,
    event_types,
    offline_read,
    pass_time,
    refresh,
    run_with,
    saved_commands,
    saved_rows,
    start,
    until,
)
from .emulator import Device, Fault, FaultKind, Generation, Push, Server, Trigger
from .emulator.push import body_of, sign
from .onenet.test_wire import WIRE, Case, expected_time, load, seconds
from .push import PATH, TOKEN, WEBHOOK_ID, health_of, push_entry, push_options

LEGACY_KEY = "KeyOfTheTestsOnlyNoRealKeyABCDEFGHIJKLMNOPQ"
CURRENT_KEY = "KeyOfTheTests016"
JSON = {"Content-Type": "application/json"}
WIRE_PRODUCT = "WiReTesT01"
REFUSED = "A push was refused"

variant = run_with(EVERY_PLATFORM)
entry = push_entry

type Send = Callable[..., Awaitable[int]]


@pytest.fixture
async def client(account: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator) -> TestClient[Any, Any]:
    """Return a client of Home Assistant's web server, where the account's webhook is registered."""
    client: TestClient[Any, Any] = await hass_client_no_auth()
    return client


@pytest.fixture
def push_generation(variant: str) -> Generation:
    """Return the platform of the account."""
    return Generation.CURRENT if variant.startswith("current") else Generation.LEGACY


@pytest.fixture
def send(client: TestClient[Any, Any], push_generation: Generation) -> Send:
    """Return a function that sends signed messages and returns the status of the answer."""

    async def send(*messages: dict[str, Any], token: str = TOKEN) -> int:
        async with client.post(PATH, data=body_of(push_generation, token, None, *messages), headers=JSON) as response:
            return response.status

    return send


def datapoint(value: Any, at: datetime, stream: str = "3303_0_5700", **identity: Any) -> dict[str, Any]:
    """Return the message of a datapoint."""
    return {"type": 1, "ds_id": stream, "value": value, "at": milliseconds(at)} | (identity or {"imei": IMEI})


def presence(status: int, at: datetime) -> dict[str, Any]:
    """Return the message of a change of presence."""
    return {"type": 2, "imei": IMEI, "status": status, "at": milliseconds(at)}


def outcome(uuid: str, **members: Any) -> dict[str, Any]:
    """Return the message of the outcome of a read."""
    values = {"obj_id": 3303, "obj_inst": [{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}]}
    return {
        "type": 7,
        "cmd_id": uuid,
        "imei": IMEI,
        "send_status": 5,
        "confirm_time": milliseconds(datetime.now(UTC)),
        "confirm_status": 0,
        "confirm_body": values,
    } | members


def milliseconds(at: datetime) -> int:
    """Return Unix time in milliseconds."""
    return round(at.timestamp() * 1000)


async def expect_case(hass: HomeAssistant, account: MockConfigEntry, events: Sequence[Case]) -> None:
    """Add the devices and the commands that the events of a case are about."""
    paths: dict[str, list[str]] = {}
    for event in events:
        paths.setdefault(event.get("imei") or OTHER_IMEI, []).extend([event["path"]] if "path" in event else [])
    for imei, resources in paths.items():
        await add_device(hass, account, *dict.fromkeys(resources), imei=imei)
        # The samples are older than what the poll of the new device has found.
        devices_of(account).added[imei].presence_at = None
    for event in events:
        if event.get("imei") is None and event["kind"] != "outcome":
            device = devices_of(account).added[OTHER_IMEI]
            devices_of(account).async_set_found(device, event.get("name") or event["device"])
        if event["kind"] == "outcome":
            queue_locally(account, event)


def queue_locally(account: MockConfigEntry, event: Case) -> None:
    """Add a waiting command with the UUID of an expected outcome."""
    imei, values = event["imei"], event["values"]
    operation: Read | Execute = Execute(imei=imei, obj_id=3, obj_inst_id=0, res_id=4)
    if values or event["state"] != "succeeded":
        operation = Read(imei=imei, obj_id=values[0]["obj_id"] if values else 3303)
    commands = commands_of(account)
    now = client_of(account).now()
    command = Command(
        id=commands.new_id(),
        asked=CachedCommand(operation=operation, expired_time=now + timedelta(days=1)),
        caller=("context", None, None),
        asked_at=now,
        uuid=event["uuid"],
        state=CommandState.QUEUED,
    )
    commands.index(command)


def replaced(event: Case, events: Sequence[Case]) -> bool:
    """Return whether another event has a value of the same resource: an earlier one with this time, or a read."""
    same = [e for e in events if e.get("imei") == event.get("imei")]
    first = next(e for e in same if (e.get("path"), e.get("time")) == (event["path"], event["time"]))
    read = [f"{v['obj_id']}/{v['obj_inst_id']}/{v['res_id']}" for e in same for v in e.get("values", [])]
    return first is not event or event["path"] in read


def check_case(account: MockConfigEntry, events: Sequence[Case]) -> None:
    """Compare the state of the devices and commands with the events of a case."""
    for event in events:
        device = devices_of(account).added.get(event.get("imei") or OTHER_IMEI)
        match event["kind"]:
            case "datapoint":
                assert device
                if replaced(event, events):
                    continue
                reading = device.readings[event["path"]]
                assert json.dumps(reading.value) == json.dumps(event["value"])
                assert seconds(reading.measured_at) == expected_time(event["time"])
            case "presence":
                assert device
                assert (device.online, seconds(device.presence_at)) == (event["online"], expected_time(event["time"]))
            case "outcome":
                command = commands_of(account).find(event["uuid"])
                assert command
                assert (command.state, command.reason) == (event["state"], event["reason"])
                expected = [{name: v for name, v in value.items() if v is not None} for value in event["values"]]
                assert (command.values or []) == expected


async def check_push(
    hass: HomeAssistant,
    case: Case,
    variant: str,
    onenet: Server,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """Send the request of a case to an account, and compare the answers and what has changed with the expected."""
    file = json.loads((WIRE / f"push_{variant.split(',', maxsplit=1)[0]}.json").read_text("utf-8"))
    onenet.onenet.products[0].id = WIRE_PRODUCT
    data = ACCOUNTS[variant] | {CONF_URL: onenet.url}
    if "product_id" in data:
        data["product_id"] = WIRE_PRODUCT
    key = file["aes_key"] if case.get("encrypted") else None
    account = MockConfigEntry(domain=DOMAIN, title="OneNET", data=data, options=push_options(file["token"], key))
    account.add_to_hass(hass)
    assert await hass.config_entries.async_setup(account.entry_id)
    expect = case["expect"]
    events = expect.get("events", [])
    await expect_case(hass, account, events)
    client = await hass_client_no_auth()
    answers = [await send_case(client, case) for _ in range(case.get("repeat", 1))]
    await hass.async_block_till_done(wait_background_tasks=True)
    for answer in answers:
        assert answer.status in (200, 400, 401), case["why"]
        assert (answer.status == 200) is expect.get("accepted", answer.status == 200), case["why"]
        text = await answer.text()
        assert text == expect.get("answer_text", text), case["why"]
    assert sum(health_of(account).refused.values()) == sum(answer.status != 200 for answer in answers)
    check_case(account, events)


async def send_case(client: TestClient[Any, Any], case: Case) -> ClientResponse:
    """Send the request of a case unchanged, and return the response with its body."""
    if case["method"] == "GET":
        request = client.get(URL(f"{PATH}?{case['query_text']}", encoded=True))
    else:
        request = client.post(PATH, data=case["body_text"].encode(), headers={"Content-Type": case["content_type"]})
    async with request as answer:
        await answer.read()
        return answer


@LEGACY_ONLY
@load("push_legacy")
async def test_a_sample_request_of_the_legacy_platform_changes_what_it_should(
    hass: HomeAssistant,
    case: Case,
    generation: str,
    variant: str,
    onenet: Server,
    hass_client_no_auth: ClientSessionGenerator,
    expected_warnings: list[str],
) -> None:
    """Forged, damaged and unreadable requests change nothing and are refused."""
    expected_warnings.append(REFUSED)
    await check_push(hass, case, variant, onenet, hass_client_no_auth)


@CURRENT_ONLY
@load("push_current")
async def test_a_sample_request_of_the_current_platform_changes_what_it_should(
    hass: HomeAssistant,
    case: Case,
    generation: str,
    variant: str,
    onenet: Server,
    hass_client_no_auth: ClientSessionGenerator,
    expected_warnings: list[str],
) -> None:
    """Forged, damaged and unreadable requests change nothing and are refused."""
    expected_warnings.append(REFUSED)
    await check_push(hass, case, variant, onenet, hass_client_no_auth)


async def test_the_outcome_of_a_read_fires_its_event_and_updates_the_entity_without_a_request(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, events: list[Event]
) -> None:
    """The values of the push are those of the event."""
    await add_device(hass, account, "3303/0/5700")
    uuid = (await offline_read(hass))["uuid"]
    onenet.requests.clear()
    assert await send(outcome(uuid)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]
    assert events[-1].data["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 21.5
    assert not onenet.requests
    assert commands_of(account).waiting == 0


async def test_stored_values_that_are_pushed_together_have_the_times_at_which_they_were_measured(
    hass: HomeAssistant, account: MockConfigEntry, send: Send
) -> None:
    """The newest one is shown, whatever the order."""
    await add_device(hass, account, "3424/0/1")
    at = datetime.now(UTC).replace(microsecond=0)
    hours = [2, 1, 3]
    times = [datapoint(int(at.timestamp()) - 3600 * hour, at, "3424_0_5518") for hour in hours]
    await send(*(datapoint(100 - hour, at, "3424_0_1") for hour in hours), *times)
    reading = devices_of(account).added[IMEI].readings["3424/0/1"]
    assert (reading.value, reading.measured_at) == (99, at - timedelta(hours=1))


async def test_repeated_and_late_pushes_change_nothing(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, events: list[Event]
) -> None:
    """States only move forward, and values and presence are only replaced by newer ones."""
    await add_device(hass, account, "3303/0/5700")
    uuid = (await offline_read(hass))["uuid"]
    now = datetime.now(UTC)
    earlier = now - timedelta(hours=1)
    messages = [outcome(uuid), datapoint(22.5, now + timedelta(seconds=1)), presence(1, now)]
    late = [
        outcome(uuid, confirm_status=9),
        outcome(uuid, send_status=3, confirm_status=None),
        datapoint(1, earlier),
        presence(2, earlier),
    ]
    for message in [*messages, *messages, *late]:
        assert await send(message) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    device = devices_of(account).added[IMEI]
    assert event_types(events) == ["queued", "succeeded"]
    assert (device.readings["3303/0/5700"].value, device.online) == (22.5, True)


async def test_the_newest_presence_counts_whether_it_was_pushed_or_polled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send
) -> None:
    """The presence that a poll returns may be a minute old."""
    await add_device(hass, account, "3303/0/5700")
    device = devices_of(account).added[IMEI]
    shown = [device.online]
    now = datetime.now(UTC)
    assert await send(presence(1, now - timedelta(minutes=5))) == 200
    shown.append(device.online)
    assert await send(presence(1, now)) == 200
    shown.append(device.online)
    coordinator_of(account)._schedule.request_full_poll(now)  # noqa: SLF001 - the poll would be due later
    await refresh(account)
    shown.append(device.online)
    await pass_time(account, onenet, timedelta(minutes=5))
    await refresh(account)
    shown.append(device.online)
    assert shown == [False, False, True, True, False]


async def test_a_recorded_request_that_is_sent_again_is_no_sign_that_pushes_arrive(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], push_generation: Generation
) -> None:
    """Neither in the same run of Home Assistant nor after a restart; a request without events is none either."""
    await add_device(hass, account, "3303/0/5700")
    now, health = datetime.now(UTC), health_of(account)

    async def send_recorded(body: str) -> None:
        async with client.post(PATH, data=body, headers=JSON) as response:
            assert response.status == 200

    await send_recorded(body_of(push_generation, TOKEN, None, {"type": 99}))
    old = body_of(push_generation, TOKEN, None, datapoint(1, now - timedelta(days=2)))
    await send_recorded(old)
    assert health.last_push is None
    recorded = body_of(push_generation, TOKEN, None, datapoint(1, now))
    await send_recorded(recorded)
    first = health_of(account).last_push
    assert first
    # After so many requests, the recorded one is forgotten.
    for number in range(2000):
        health.received(str(number))
    await send_recorded(recorded)
    assert health.last_push == first
    await send_recorded(body_of(push_generation, TOKEN, None, datapoint(1, now + timedelta(seconds=1))))
    assert health_of(account).last_push not in (None, first)


async def test_a_recorded_check_of_the_url_proves_nothing(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """It is answered, since OneNET may repeat it."""
    signature = quote(sign(TOKEN, "n", "check"), safe="")
    for is_first in (True, False):
        health_of(account).url_checked.clear()
        async with client.get(f"{PATH}?msg=check&nonce=n&signature={signature}") as response:
            assert (response.status, await response.text()) == (200, "check")
        assert health_of(account).url_checked.is_set() is is_first


async def test_a_device_that_pushes_wakes_up_once(hass: HomeAssistant, account: MockConfigEntry, send: Send) -> None:
    """It sends values of former hours one after the other, then goes online."""
    await add_device(hass, account, "3303/0/5700")
    device = devices_of(account).added[IMEI]
    now = client_of(account).now()
    device.last_seen, device.observed_since = now - timedelta(hours=9), now - timedelta(hours=8)
    woken: list[KnownDevice] = []
    async_dispatcher_connect(hass, SIGNAL_WAKE, lambda _, device: woken.append(device))
    for hours in (3, 2, 1):
        assert await send(datapoint(hours, now - timedelta(hours=hours))) == 200
    assert await send(presence(1, now)) == 200
    assert await send(presence(0, now + timedelta(seconds=1))) == 200
    assert woken == [device]


async def test_an_identical_request_is_counted_as_a_duplicate(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], push_generation: Generation
) -> None:
    """It is answered with 200, since OneNET has missed the first answer."""
    body = body_of(push_generation, TOKEN, None, datapoint(1, datetime.now(UTC)))
    for _ in range(3):
        async with client.post(PATH, data=body, headers=JSON) as response:
            assert response.status == 200
    assert health_of(account).counts["duplicates"] == 2


@LEGACY_ONLY
async def test_a_sent_command_finishes_later(hass: HomeAssistant, send: Send, events: list[Event]) -> None:
    """Both states are published once."""
    uuid = (await offline_read(hass))["uuid"]
    for _ in range(2):
        assert await send(outcome(uuid, send_status=3, confirm_status=None, confirm_body=None)) == 200
    assert await send(outcome(uuid, confirm_status="NOT_FOUND", confirm_body=None)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "sent", "failed"]
    assert events[-1].data["reason"] == "not_found"


async def test_messages_of_others_are_counted_and_ignored(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, events: list[Event]
) -> None:
    """Devices that were not added, commands of other applications, and another product's devices change nothing."""
    now = datetime.now(UTC)
    others = [
        datapoint(1, now, imei=OTHER_IMEI),
        datapoint(1, now, pid="another", dev_name=IMEI),
        outcome(UNKNOWN_UUID),
    ]
    for message in others:
        assert await send(message) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert events == []
    assert health_of(account).counts == {"messages_of_other_devices": 3, "outcomes_of_other_commands": 1}


async def announce_others(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Add a device, and turn on the option that announces results of other applications' commands."""
    await add_device(hass, account, "3303/0/5700")
    options = {**account.options, "push": account.options["push"] | {"other_commands": True}}
    hass.config_entries.async_update_entry(account, options=options)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done()


@LEGACY_ONLY
async def test_outcomes_of_other_applications_commands_are_announced_once_if_the_option_is_on(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, events: list[Event]
) -> None:
    """Only those of the account's devices, of the last day, and with an outcome; the event entities ignore them."""
    await announce_others(hass, account)
    device_id = devices_of(account).device_id(IMEI)
    failed = str(uuid4())
    for message in (
        outcome(UNKNOWN_UUID),
        outcome(UNKNOWN_UUID),
        outcome(failed, confirm_status=5, confirm_body=None),
        outcome(str(uuid4()), send_status=3, confirm_status=None, confirm_time=None),
        outcome(str(uuid4()), imei=OTHER_IMEI),
        outcome(str(uuid4()), confirm_time=milliseconds(datetime.now(UTC) - timedelta(days=2))),
    ):
        assert await send(message) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    first, second = (dict(event.data) for event in events)
    assert abs(datetime.fromisoformat(first.pop("confirm_time")) - datetime.now(UTC)) < timedelta(minutes=1)
    common = {"config_entry_id": account.entry_id, "imei": IMEI, "device_id": device_id}
    values = [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert first == common | {"type": "other_command_succeeded", "uuid": UNKNOWN_UUID, "values": values}
    assert (second["type"], second["uuid"], "values" in second) == ("other_command_failed", failed, False)
    assert second["reason"]


@LEGACY_ONLY
async def test_an_outcome_that_is_to_be_announced_is_repeated_while_home_assistant_starts(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, events: list[Event]
) -> None:
    """Automations are not ready before."""
    await announce_others(hass, account)
    hass.set_state(CoreState.starting)
    assert await send(datapoint(7, datetime.now(UTC)), outcome(UNKNOWN_UUID)) == 503
    await hass.async_block_till_done()
    assert hass.states.is_state("sensor.water_meter_temperature", "7")
    hass.set_state(CoreState.running)
    assert await send(outcome(UNKNOWN_UUID)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [event.data["type"] for event in events] == ["other_command_succeeded"]


@LEGACY_ONLY
async def test_an_outcome_is_announced_after_the_reply_shows_that_it_is_of_another_application(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    send: Send,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until then, it may be of the command that is being queued."""
    await announce_others(hass, account)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/offline"))
    release = delay_reply(onenet, monkeypatch)
    call = asyncio.create_task(offline_read(hass))
    await until(lambda: onenet.onenet.commands)
    assert await send(outcome(UNKNOWN_UUID)) == 200
    assert events == []
    release.set()
    await call
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [event.data["type"] for event in events] == ["command_queued", "other_command_succeeded"]
    assert health_of(account).counts["outcomes_of_other_commands"] == 1


@LEGACY_ONLY
async def test_an_outcome_for_another_device_is_ignored(hass: HomeAssistant, send: Send, events: list[Event]) -> None:
    """The UUID alone is not sufficient if the message names another device."""
    uuid = (await offline_read(hass))["uuid"]
    assert await send(outcome(uuid, imei=OTHER_IMEI)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"msg": {}}', 401),
        (b'{"msg": {}, "nonce": "n", "msg_signature": "AAAAAAAAAAAAAAAAAAAAAA=="}', 401),
        (b'{"msg": "' + b"x" * MAX_BODY + b'"}', 400),
    ],
)
async def test_a_bad_request_is_refused_counted_and_logged_once_without_its_content(
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    body: bytes,
    status: int,
    caplog: pytest.LogCaptureFixture,
    expected_warnings: list[str],
) -> None:
    """The second request of the same kind is not logged."""
    expected_warnings.append(REFUSED)
    for _ in range(2):
        async with client.post(PATH, data=body, headers=JSON) as response:
            assert response.status == status
    warnings = [record.getMessage() for record in caplog.records if record.getMessage().startswith(REFUSED)]
    assert len(warnings) == 1
    assert "AAAA" not in warnings[0]
    assert TOKEN not in caplog.text
    assert sum(health_of(account).refused.values()) == 2


async def test_only_get_and_post_are_accepted(client: TestClient[Any, Any], expected_warnings: list[str]) -> None:
    """Home Assistant refuses other methods."""
    expected_warnings.append("Webhook ")
    async with client.put(PATH, data=b"{}") as response:
        assert response.status == 405


async def raw_request(client: TestClient[Any, Any], data: bytes, *, close: bool) -> bytes:
    """Send bytes over a connection of their own, and return the answer."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(data)
    await writer.drain()
    if close:
        writer.close()
        await writer.wait_closed()
        return b""
    answer = await reader.readline()
    writer.close()
    return answer


async def test_a_truncated_and_a_slow_request_change_nothing_and_delay_no_other_one(
    hass: HomeAssistant,
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
    push_generation: Generation,
) -> None:
    """An incomplete body is refused after a time limit; requests that arrive meanwhile are answered."""
    expected_warnings.append(REFUSED)
    monkeypatch.setattr("custom_components.onenet_nbiot.push._READ_TIMEOUT", 0.5)
    await add_device(hass, account, "3303/0/5700")
    body = body_of(push_generation, TOKEN, None, datapoint(1, datetime.now(UTC))).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    await raw_request(client, head + body[:-5], close=True)
    slow = asyncio.create_task(raw_request(client, head + body[:-5], close=False))
    await asyncio.sleep(0.05)
    assert await send(datapoint(2, datetime.now(UTC))) == 200
    assert not slow.done()
    assert b" 400 " in await slow
    # The server of the tests cancels the handler of the truncated request.
    assert health_of(account).refused == {"malformed": 1}
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 2


async def test_concurrent_requests_are_all_saved_in_few_transactions(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], send: Send
) -> None:
    """Requests that arrive during a transaction share the next one."""
    await add_device(hass, account, "3303/0/5700")
    before = (await async_get_config_entry_diagnostics(hass, account))["storage"]["write_transactions"]
    now = datetime.now(UTC)
    messages = [datapoint(number, now + timedelta(milliseconds=number)) for number in range(200)]
    assert set(await asyncio.gather(*map(send, messages))) == {200}
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 199
    after = (await async_get_config_entry_diagnostics(hass, account))["storage"]["write_transactions"]
    assert after - before < 100


@LEGACY_ONLY
async def test_ten_thousand_forged_requests_do_not_delay_real_ones(
    hass: HomeAssistant,
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    send: Send,
    push_generation: Generation,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each real request is answered within a second, and one warning is logged."""
    expected_warnings.append(REFUSED)
    await add_device(hass, account, "3303/0/5700")
    forged = body_of(push_generation, "another", None, datapoint(0, datetime.now(UTC))).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(forged)}\r\n\r\n".encode()
    connections, each = 20, 500

    async def flood() -> None:
        reader, writer = await asyncio.open_connection(client.host, client.port)
        for _ in range(each):
            writer.write(head + forged)
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    caplog.set_level("WARNING")
    floods = asyncio.gather(*(flood() for _ in range(connections)))
    loop = asyncio.get_running_loop()
    sent = 0
    while not floods.done():
        started = loop.time()
        assert await send(datapoint(sent, datetime.now(UTC))) == 200
        assert loop.time() - started < 1
        sent += 1
    await floods
    assert sent > 10
    assert health_of(account).refused == {"bad_signature": connections * each}
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == sent - 1
    assert caplog.text.count(REFUSED) == 1


async def test_a_batch_takes_one_transaction(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands and devices are saved together."""
    monkeypatch.setattr(PushUpdater, "async_publish", lambda *_: None)
    await add_device(hass, account, "3303/0/5700")
    uuids = [(await offline_read(hass))["uuid"] for _ in range(5)]
    await hass.async_block_till_done(wait_background_tasks=True)
    store: CommandStore = commands_of(account)._store  # noqa: SLF001 - only the store knows its transactions
    await store.async_flush()
    before = store.transactions
    messages = [datapoint(5, datetime.now(UTC)), *map(outcome, uuids)]
    body = body_of(Generation.LEGACY, TOKEN, None, *messages)
    async with client.post(PATH, data=body, headers=JSON) as response:
        assert store.transactions - before == 1
        assert response.status == 200
    assert {command["state"] for command in saved_commands(hass, account)} == {"succeeded"}


async def test_a_large_batch_is_received(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """It is parsed in a thread and processed in parts."""
    await add_device(hass, account, "3303/0/5700")
    now = datetime.now(UTC)
    messages = [datapoint(number, now + timedelta(milliseconds=number)) for number in range(1000)]
    async with client.post(PATH, data=body_of(Generation.LEGACY, TOKEN, None, *messages), headers=JSON) as response:
        assert response.status == 200
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 999


@LEGACY_ONLY
async def test_a_large_batch_takes_one_transaction(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is processed in parts."""
    monkeypatch.setattr(PushUpdater, "async_publish", lambda *_: None)
    await add_device(hass, account, "3303/0/5700")
    uuids = [(await offline_read(hass))["uuid"] for _ in range(3)]
    store, now = async_get_store(hass), datetime.now(UTC)
    await store.async_flush()
    before = store.transactions
    values = [datapoint(number, now + timedelta(milliseconds=number)) for number in range(300)]
    messages = [outcome(uuids[0]), *values, outcome(uuids[1]), *values, outcome(uuids[2])]
    async with client.post(PATH, data=body_of(Generation.LEGACY, TOKEN, None, *messages), headers=JSON) as response:
        assert response.status == 200
        assert store.transactions - before == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_cannot_be_decompressed_is_refused(
    account: MockConfigEntry, client: TestClient[Any, Any], expected_warnings: list[str], encoding: str
) -> None:
    """It is counted like others, and logged once; the web server logs it, too."""
    expected_warnings += [REFUSED, "Unhandled exception"]
    for _ in range(2):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: 40\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        # The head of the request is processed before its body arrives.
        await asyncio.sleep(0.05)
        writer.write(b"\xff" * 40)
        assert b" 400 " in await reader.readline()
        writer.close()
    assert health_of(account).refused == {"malformed": 2}


async def test_a_request_that_is_read_while_the_account_is_removed_leaves_nothing(
    hass: HomeAssistant,
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    push_generation: Generation,
    hass_storage: dict[str, Any],
) -> None:
    """It is not answered with 200, and no file of the account is written later."""
    await add_device(hass, account, "3303/0/5700")
    body = body_of(push_generation, TOKEN, None, datapoint(1, datetime.now(UTC))).encode()
    started, removed = asyncio.Event(), asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield body[:20]
        started.set()
        await removed.wait()
        yield body[20:]

    async def send_slowly() -> int:
        async with client.post(PATH, data=parts(), headers=JSON) as response:
            return response.status

    sending = asyncio.create_task(send_slowly())
    await started.wait()
    await asyncio.sleep(0.05)
    assert await hass.config_entries.async_remove(account.entry_id)
    removed.set()
    assert await sending == 503
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert not [key for key in hass_storage if key.startswith(f"{DOMAIN}.")]


async def test_removing_an_account_unregisters_its_webhook_although_the_file_cannot_be_opened(
    hass: HomeAssistant,
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
) -> None:
    """Home Assistant logs the error."""
    expected_warnings += ["Error calling entry remove callback", "Received message for unregistered webhook"]
    await hass.config_entries.async_unload(account.entry_id)
    monkeypatch.setattr("custom_components.onenet_nbiot.accounts._ACCOUNTS", HassKey("no accounts"))
    monkeypatch.setattr(CommandStore, "async_open", Mock(side_effect=sqlite3.OperationalError("disk I/O error")))
    await hass.config_entries.async_remove(account.entry_id)
    async with client.post(PATH, data=b"{}") as response:
        # As for every unknown webhook.
        assert response.status == 200


async def test_a_few_large_requests_are_read_at_a_time_and_delay_no_small_one(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, expected_warnings: list[str]
) -> None:
    """Anyone may send them: the memory that they take is limited."""
    expected_warnings.append(REFUSED)
    await add_device(hass, account, "3303/0/5700")
    most = 0
    four, released = asyncio.Event(), asyncio.Event()

    class Large(MockRequest):
        """A request through Home Assistant Cloud that is large, and does not end until the test releases it."""

        parts = 1

        @property
        @override
        def content(self) -> Any:
            """Return this request as the stream of its body."""
            return self

        async def read(self, limit: int) -> bytes:
            """Return the first part of the body, then its end."""
            nonlocal most
            if self.parts:
                self.parts -= 1
                return b"x" * limit
            most += 1
            if most == 4:
                four.set()
            await released.wait()
            return b""

    large = [
        asyncio.ensure_future(webhook.async_handle_webhook(hass, WEBHOOK_ID, Large(b"", "test", "POST")))
        for _ in range(8)
    ]
    await four.wait()
    assert await send(datapoint(1, datetime.now(UTC))) == 200
    # Of eight, four went on reading.
    assert most == 4
    released.set()
    assert [answer.status for answer in await asyncio.gather(*large)] == [400] * 8
    assert most == 8


async def test_the_requests_that_are_recognized_as_duplicates_are_limited(
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    push_generation: Generation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest one is forgotten; it changes nothing nevertheless."""
    monkeypatch.setattr("custom_components.onenet_nbiot.push_health._REQUESTS_MAX", 1)
    bodies = [body_of(push_generation, TOKEN, None, presence(1, datetime.now(UTC))) for _ in range(2)]
    for body in (*bodies, bodies[0]):
        async with client.post(PATH, data=body, headers=JSON) as response:
            assert response.status == 200
    assert health_of(account).counts["duplicates"] == 0


async def test_a_push_that_was_answered_is_on_disk_and_published_after_a_crash(
    hass: HomeAssistant,
    account: MockConfigEntry,
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    hass_config_dir: str,
    events: list[Event],
) -> None:
    """If Home Assistant crashes between the answer and the publication, the next start fires the event once."""
    await add_device(hass, account, "3303/0/5700")
    uuid = (await offline_read(hass))["uuid"]
    monkeypatch.setattr(PushUpdater, "async_publish", lambda *_: None)
    assert await send(outcome(uuid)) == 200
    assert await send(presence(1, datetime.now(UTC))) == 200
    assert event_types(events) == ["queued"]
    rows = saved_rows(hass, account)
    assert any(b'"online":true' in row for _, row in rows)
    crashed = copy_of(hass_config_dir)
    async with start(crashed, account) as (_, later):
        assert event_types(later) == ["succeeded"]
        assert later[0].data["values"][0]["value"] == 21.5
    async with start(crashed, account) as (_, later):
        assert event_types(later) == []


async def test_a_push_that_arrives_before_automations_are_ready_is_published_after_the_start(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, events: list[Event]
) -> None:
    """The event waits for the automations."""
    uuid = (await offline_read(hass))["uuid"]
    hass.set_state(CoreState.starting)
    assert await send(outcome(uuid)) == 200
    await hass.async_block_till_done()
    assert event_types(events) == ["queued"]
    hass.set_state(CoreState.running)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]


async def test_a_push_that_cannot_be_saved_is_not_answered_with_200(
    hass: HomeAssistant,
    account: MockConfigEntry,
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
    events: list[Event],
) -> None:
    """OneNET repeats it later; the event is fired meanwhile, once."""
    expected_warnings.append("Commands cannot be saved")
    uuid = (await offline_read(hass))["uuid"]

    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as context:
        context.setattr(CommandStore, "_commit", fail)
        assert await send(outcome(uuid)) == 503
        await hass.async_block_till_done()
        assert event_types(events) == ["queued", "succeeded"]
        assert await send(outcome(uuid)) == 503
    # Another row that is saved repeats the transaction.
    command = commands_of(account).find(uuid)
    assert command
    commands_of(account).async_save(command)
    await commands_of(account)._store.async_flush()  # noqa: SLF001 - the end of the transaction
    assert await send(outcome(uuid)) == 200
    await hass.async_block_till_done()
    assert event_types(events) == ["queued", "succeeded"]


async def test_a_push_is_not_answered_with_200_while_home_assistant_stops(
    hass: HomeAssistant, account: MockConfigEntry, send: Send
) -> None:
    """The file is closed already, and OneNET repeats the push after the start."""
    uuid = (await offline_read(hass))["uuid"]
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()
    assert await send(outcome(uuid)) == 503


async def test_a_slow_disk_delays_no_answer_beyond_a_second(
    hass: HomeAssistant, account: MockConfigEntry, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered that the push is to be repeated."""
    uuid = (await offline_read(hass))["uuid"]
    release = threading.Event()
    commit = CommandStore._commit  # noqa: SLF001 - the disk has no other seam

    def slow(store: CommandStore, batch: Any) -> None:
        release.wait(5)
        commit(store, batch)

    monkeypatch.setattr(CommandStore, "_commit", slow)
    started = hass.loop.time()
    assert await send(outcome(uuid)) == 503
    assert hass.loop.time() - started < 1
    release.set()
    assert await send(outcome(uuid)) == 200


async def test_an_unexpected_error_is_not_answered_with_200(
    send: Send, monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]
) -> None:
    """OneNET repeats the push."""
    expected_warnings.append("A push could not be processed")

    async def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(PushUpdater, "async_apply", fail)
    assert await send(presence(1, datetime.now(UTC))) == 500


async def test_a_message_that_cannot_be_processed_affects_no_other_one(
    hass: HomeAssistant,
    account: MockConfigEntry,
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
) -> None:
    """The request is answered with 200, since the message would fail again."""
    expected_warnings.append("A message of a push could not be processed")
    await add_device(hass, account, "3303/0/5700")

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(PushUpdater, "_apply_outcome", fail)
    body = body_of(Generation.LEGACY, TOKEN, None, outcome(UNKNOWN_UUID), datapoint(1, datetime.now(UTC)))
    async with client.post(PATH, data=body, headers=JSON) as response:
        assert response.status == 200
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 1


async def test_an_outcome_without_values_is_fetched_at_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, events: list[Event]
) -> None:
    """The values come from the details of the command."""
    uuid = (await offline_read(hass))["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert await send(outcome(uuid, confirm_body=None)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]
    assert events[-1].data["values"]


async def test_an_outcome_that_overtakes_the_reply_to_the_queued_command_is_fetched(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    send: Send,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is polled once its UUID is known."""
    await add_device(hass, account, "3303/0/5700")
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/offline"))
    release = delay_reply(onenet, monkeypatch)
    call = asyncio.create_task(offline_read(hass))
    await until(lambda: onenet.onenet.commands)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert await send(outcome(onenet.onenet.commands[0].uuid)) == 200
    release.set()
    await call
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]
    # A push has brought it, although a poll has fetched it.
    await pass_time(account, onenet, timedelta(minutes=2))
    await refresh(account)
    assert health_of(account).missed == 0


@LEGACY_ONLY
async def test_values_that_no_push_brings_are_missed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send
) -> None:
    """Polling is as frequent as without push after three of them."""
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    assert await send(datapoint(1, client_of(account).now())) == 200
    assert health_of(account).is_active(client_of(account).now())
    for value in range(3):
        await pass_time(account, onenet, timedelta(minutes=10))
        onenet.onenet.report(IMEI, {(3303, 0, 5700): value})
        await refresh(account)
        await pass_time(account, onenet, timedelta(minutes=2))
        await refresh(account)
    assert (health_of(account).missed, health_of(account).is_active(client_of(account).now())) == (3, False)


async def test_an_outcome_that_overtakes_the_event_of_the_queued_command_is_fetched(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, events: list[Event]
) -> None:
    """No other event of a command comes before `command_queued`."""
    uuid = (await offline_read(hass))["uuid"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    commands = commands_of(account)
    command = commands.find(uuid)
    assert command
    async with commands.lock(command.asked.operation.target):
        commands.in_flight.add(command.id)
        assert await send(outcome(uuid)) == 200
        await hass.async_block_till_done()
        assert event_types(events) == ["queued"]
        commands.in_flight.discard(command.id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]


async def test_an_outage_while_an_outcome_is_fetched_is_noticed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, expected_warnings: list[str]
) -> None:
    """The account becomes unavailable, and a later poll fetches the outcome."""
    expected_warnings.append("Error fetching OneNET data")
    uuid = (await offline_read(hass))["uuid"]
    await onenet.stop()
    assert await send(outcome(uuid, confirm_body=None)) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not coordinator_of(account).last_update_success


@CURRENT_ONLY
async def test_pushes_cause_few_requests_while_commands_cannot_be_polled(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    send: Send,
    expected_warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may arrive at any rate: there is a pause after an error, and none is made until the account is reachable."""
    expected_warnings.append("Error fetching OneNET data")
    monkeypatch.setattr("custom_components.onenet_nbiot.active_polls.PAUSE", 60)
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.PAGE, times=10_000, status=502))
    onenet.requests.clear()
    # One after the other, so that each may cause polls.
    for number in range(10):
        assert await send(presence(number % 2, datetime.now(UTC) + timedelta(milliseconds=number))) == 200
        await hass.async_block_till_done()
    await until(lambda: not coordinator_of(account).last_update_success)
    assert sum(request.path.endswith("/history") for request in onenet.requests) <= 2
    onenet.requests.clear()
    assert await send(presence(1, datetime.now(UTC) + timedelta(seconds=1))) == 200
    await hass.async_block_till_done()
    assert not onenet.requests
    onenet.faults.clear()


@CURRENT_ONLY
async def test_an_active_device_is_polled_a_few_times_while_it_does_not_answer(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, device: Device
) -> None:
    """Afterwards its commands are polled by time again."""
    await offline_read(hass)
    device.hesitates = True
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.requests.clear()
    assert await send(presence(1, datetime.now(UTC))) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert sum(request.path.endswith("/history") for request in onenet.requests) == 5


@CURRENT_ONLY
@pytest.mark.parametrize("message", [datapoint(1, datetime.now(UTC)), presence(1, datetime.now(UTC))])
async def test_commands_of_an_active_device_are_polled_at_once_on_the_current_platform(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    send: Send,
    events: list[Event],
    message: dict[str, Any],
) -> None:
    """The platform pushes no outcomes."""
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert await send(message) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert event_types(events) == ["queued", "succeeded"]


@LEGACY_ONLY
async def test_commands_of_an_active_device_are_not_polled_on_the_legacy_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send, events: list[Event]
) -> None:
    """The outcome arrives by push."""
    await offline_read(hass)
    onenet.requests.clear()
    assert await send(datapoint(1, datetime.now(UTC))) == 200
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not onenet.requests
    # If it does not, the next full poll finds it.
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await pass_time(account, onenet, timedelta(minutes=4))
    await refresh(account)
    assert event_types(events) == ["queued", "succeeded"]


@CURRENT_ONLY
async def test_a_device_that_reports_often_is_polled_a_few_times_between_full_polls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, send: Send
) -> None:
    """A new command for it is polled nevertheless."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    onenet.requests.clear()

    async def report() -> int:
        """Report often; return the number of polls."""
        onenet.requests.clear()
        for _ in range(20):
            assert await send(datapoint(1, datetime.now(UTC))) == 200
            await hass.async_block_till_done(wait_background_tasks=True)
        return sum(request.path.endswith("/history") for request in onenet.requests)

    assert await report() == 5
    assert await report() == 0
    await offline_read(hass, obj_id=3300)
    assert await report() == 5
    await pass_time(account, onenet, timedelta(minutes=4))
    await refresh(account)
    assert await report() == 5


async def test_a_device_with_a_wrong_clock_is_active_when_it_reports(
    hass: HomeAssistant, account: MockConfigEntry, send: Send
) -> None:
    """A value with a time in the future does not make later ones old."""
    await add_device(hass, account, "3303/0/5700")
    device, now = devices_of(account).added[IMEI], datetime.now(UTC)
    assert await send(datapoint(1, now + timedelta(days=400))) == 200
    devices_of(account).async_set_polled(IMEI)
    assert await send(datapoint(2, now)) == 200
    assert device.active_since_poll
    devices_of(account).async_set_polled(IMEI)
    assert await send(datapoint(3, now - timedelta(minutes=1))) == 200
    assert not device.active_since_poll


async def test_requests_through_the_cloud_are_received(
    hass: HomeAssistant, account: MockConfigEntry, push_generation: Generation
) -> None:
    """Home Assistant Cloud passes them on as objects of another class."""
    await add_device(hass, account, "3303/0/5700")

    async def handle(method: str, content: str = "", query: str = "") -> web.Response:
        headers = {"Content-Type": "application/json"}
        request = MockRequest(content.encode(), "test", method, headers=headers, query_string=query)
        return await webhook.async_handle_webhook(hass, WEBHOOK_ID, request)

    body = body_of(push_generation, TOKEN, None, datapoint(1, datetime.now(UTC)))
    assert (await handle("POST", body)).status == 200
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 1
    signature = quote(sign(TOKEN, "n", "check it"), safe="")
    assert (await handle("GET", query=f"msg=check%20it&nonce=n&signature={signature}")).text == "check it"


async def test_a_push_is_repeated_while_the_account_is_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry, client: TestClient[Any, Any], send: Send
) -> None:
    """Home Assistant answers unknown webhooks with 200, after which OneNET would not repeat the push."""
    await add_device(hass, account, "3303/0/5700")
    assert await hass.config_entries.async_reload(account.entry_id)
    assert await send(datapoint(1, datetime.now(UTC))) == 200
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 1
    assert await hass.config_entries.async_unload(account.entry_id)
    assert await send(datapoint(2, datetime.now(UTC))) == 503
    async_register_webhooks(hass)
    assert await send(datapoint(2, datetime.now(UTC))) == 503
    assert await hass.config_entries.async_setup(account.entry_id)
    assert await send(datapoint(2, datetime.now(UTC))) == 200
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 2
    await hass.config_entries.async_remove(account.entry_id)
    assert await send(datapoint(3, datetime.now(UTC)), token="another") == 200


async def test_an_unexpected_error_while_receiving_is_not_answered_with_200(
    account: MockConfigEntry, send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OneNET repeats the push."""
    monkeypatch.setattr(PushReceiver, "receive", Mock(side_effect=RuntimeError("bug")))
    assert await send(datapoint(1, datetime.now(UTC))) == 500
    assert "A push could not be processed" in caplog.text
    caplog.clear()


async def test_diagnostics_have_counts_of_pushes_but_no_secrets(
    hass: HomeAssistant, account: MockConfigEntry, send: Send
) -> None:
    """They have neither the token nor the id of the webhook."""
    await add_device(hass, account, "3303/0/5700")
    assert await send(presence(1, datetime.now(UTC))) == 200
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics["push"]["active"]
    text = json.dumps(diagnostics, default=str)
    assert not [secret for secret in (TOKEN, WEBHOOK_ID) if secret in text]


@pytest.mark.parametrize("encrypted", [False, True])
async def test_the_emulator_pushes_what_happens(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    client: TestClient[Any, Any],
    push_generation: Generation,
    events: list[Event],
    *,
    encrypted: bool,
) -> None:
    """The values, the presence and the outcome of a device that wakes up are there without a poll by time."""
    key = {Generation.LEGACY: LEGACY_KEY, Generation.CURRENT: CURRENT_KEY}[push_generation] if encrypted else None
    hass.config_entries.async_update_entry(account, options=push_options(key=key))
    assert await hass.config_entries.async_reload(account.entry_id)
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    push = Push(str(client.make_url(PATH)), TOKEN, generation=push_generation, product_id="Pr0duct", key=key)
    assert await push.check_url()
    assert health_of(account).url_checked.is_set()
    onenet.onenet.push = push
    await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await push.finish()
    await hass.async_block_till_done(wait_background_tasks=True)
    device: KnownDevice = devices_of(account).added[IMEI]
    assert (device.online, device.readings["3303/0/5700"].value) == (True, 21.5)
    assert event_types(events) == ["queued", "succeeded"]
    assert push.failures == 0


async def test_the_emulator_repeats_a_push_until_it_is_answered_with_200(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    client: TestClient[Any, Any],
    push_generation: Generation,
    monkeypatch: pytest.MonkeyPatch,
    expected_warnings: list[str],
) -> None:
    """A failure costs nothing but time."""
    expected_warnings.append("A push could not be processed")
    await add_device(hass, account, "3303/0/5700")
    url = str(client.make_url(PATH))
    push = Push(url, TOKEN, generation=push_generation, product_id="Pr0duct", second=0.001)
    apply = PushUpdater.async_apply

    async def fail_once(updater: PushUpdater, events: Any) -> Any:
        monkeypatch.setattr(PushUpdater, "async_apply", apply)
        raise RuntimeError

    monkeypatch.setattr(PushUpdater, "async_apply", fail_once)
    onenet.onenet.push = push
    onenet.onenet.report(IMEI, {(3303, 0, 5700): 30})
    await push.finish()
    assert devices_of(account).added[IMEI].readings["3303/0/5700"].value == 30
    assert push.failures == 1
