"""The actions, as automations, scripts and the action panel call them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
import json
import re
from typing import Any
from unittest.mock import AsyncMock, call as call_with

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import CONF_PLATFORM, DOMAIN, SERVICE_OFFLINE_READ
from custom_components.onenet_nbiot.onenet.errors import (
    AddressNotPermittedError,
    CannotConnectError,
    NotPermittedError,
    OneNetError,
    UnknownDeviceError,
)
from custom_components.onenet_nbiot.onenet.models import CancelledCommands, Device as OneNetDevice

from .common import (
    ACCESS_KEY,
    DEVICE_ACTIONS,
    IMEI,
    KEY,
    LEGACY_ONLY,
    PRODUCT_ID,
    REQUIRED_FIELDS,
    VARIANTS,
    act,
    add_device,
    client_of,
    offline_read,
    queue_elsewhere,
    revoke,
    run_with,
)
from .emulator import Fault, FaultKind, OneNet, Product, Server, Trigger
from .emulator.switches import Switches

variant = run_with(VARIANTS)

NOW = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def now(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Stop the clock of Home Assistant and of the emulator."""
    freezer.move_to(NOW)
    await hass.config.async_set_time_zone("Europe/Berlin")
    return freezer


async def test_a_queued_read_returns_and_fires_its_uuid(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The event has the fields of the response and the context of the call."""
    context = Context()
    response = await offline_read(hass, context, obj_inst_id=0, res_id=5700, valid_time="2026-11-24 08:00:00")
    assert response == {
        "config_entry_id": account.entry_id,
        "command": "read",
        "imei": IMEI,
        "obj_id": 3303,
        "obj_inst_id": 0,
        "res_id": 5700,
        "uuid": onenet.onenet.commands[0].uuid,
        "valid_time": "2026-11-24T08:00:00+01:00",
        "expired_time": "2026-11-25T08:00:00+01:00",
    }
    assert [event.data for event in events] == [{"type": "command_queued", **response}]
    assert events[0].context is context


async def test_fields_that_are_not_set_are_omitted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """They are neither sent to OneNET nor returned or fired as null."""
    response = await offline_read(hass)
    assert onenet.requests[-1].query == {"imei": IMEI, "obj_id": "3303", "expired_time": "2026-11-24T12:00:00"}
    assert set(response) == {"config_entry_id", "command", "imei", "obj_id", "uuid", "expired_time"}
    assert set(events[0].data) == {*response, "type"}


async def test_an_action_without_a_response_fires_its_event(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """The response is optional."""
    await hass.services.async_call(
        DOMAIN, SERVICE_OFFLINE_READ, {"imei": IMEI, "obj_id": 3303, "expires_in": "24:00:00"}, blocking=True
    )
    assert [event.data["type"] for event in events] == ["command_queued"]


@pytest.mark.parametrize(
    ("errno", "text", "reason", "exception"),
    [
        (3, "body error", "invalid_request", ServiceValidationError),
        (5006, "queue is full", "limit_reached", HomeAssistantError),
        (2001, "not online", "device_offline", HomeAssistantError),
        (5106, "NOT_FOUND", "device_error", HomeAssistantError),
        (5106, "TIME_OUT", "device_timeout", HomeAssistantError),
        (10410, "no such device", "unknown_device", ServiceValidationError),
        (424242, "a new one", "platform_error", HomeAssistantError),
    ],
)
async def test_a_refusal_raises_and_fires_its_reason(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    errno: int,
    text: str,
    reason: str,
    exception: type[HomeAssistantError],
) -> None:
    """The error and command_rejected have OneNET's text and errno."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=errno, text=text))
    context = Context()
    with pytest.raises(HomeAssistantError) as caught:
        await offline_read(hass, context)
    assert type(caught.value) is exception
    assert caught.value.translation_key == reason
    assert f"{text} (errno {errno})" in str(caught.value)
    assert [event.data for event in events] == [
        {
            "type": "command_rejected",
            "config_entry_id": account.entry_id,
            "command": "read",
            "imei": IMEI,
            "obj_id": 3303,
            "expired_time": "2026-11-24T05:00:00+01:00",
            "reason": reason,
            "message": f"{text} (errno {errno})",
        }
    ]
    assert events[0].context is context
    assert hass.config_entries.flow.async_progress() == []


async def test_the_imei_of_another_product_starts_no_reauthentication(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """The device is unknown; the key is not refused."""
    with pytest.raises(ServiceValidationError, match="no device with this IMEI"):
        await offline_read(hass, imei="866971030000009")
    assert events[0].data["reason"] == "unknown_device"
    assert hass.config_entries.flow.async_progress() == []


async def test_a_refused_key_starts_one_reauthentication(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Each call raises the error, and one flow is started."""
    revoke(onenet)
    for _ in range(2):
        with pytest.raises(HomeAssistantError) as caught:
            await offline_read(hass)
        assert caught.value.translation_key == "invalid_auth"
    await hass.async_block_till_done()
    assert [event.data["reason"] for event in events] == ["invalid_auth", "invalid_auth"]
    flows = hass.config_entries.flow.async_progress()
    assert [(flow["step_id"], flow["context"]["entry_id"]) for flow in flows] == [("reauth_confirm", account.entry_id)]


async def test_the_error_for_an_unreachable_platform_says_that_nothing_was_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """It differs from the error for a lost reply, and no event is fired."""
    await onenet.stop()
    # Let the client notice that its idle connection is closed.
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(HomeAssistantError, match="nothing was sent"):
        await offline_read(hass)
    assert not events


async def test_config_entry_id_selects_the_account(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """The command is queued in the selected account; an account that is not loaded is an error."""
    product = Product(key="second-key")
    product.add("1234", "Test lamp")
    second = await Server(OneNet(product)).start()
    entry = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: product.key, CONF_URL: second.url})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await offline_read(hass, imei="1234", config_entry_id=entry.entry_id)
    assert [command.imei for command in second.onenet.commands] == ["1234"]
    assert events[0].data["config_entry_id"] == entry.entry_id
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError, match="not loaded"):
        await offline_read(hass, config_entry_id=entry.entry_id)
    await second.stop()


async def test_an_unknown_or_disabled_account_is_a_validation_error(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The message says that the account was not found."""
    with pytest.raises(ServiceValidationError, match="not found"):
        await offline_read(hass, config_entry_id="no-such-entry")
    await hass.config_entries.async_set_disabled_by(account.entry_id, ConfigEntryDisabler.USER)
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)


async def test_an_action_without_an_account_is_a_validation_error(hass: HomeAssistant) -> None:
    """The action is registered although there is no account."""
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)


async def test_continue_on_error_continues_after_a_wrong_field_and_a_refusal(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], expected_warnings: list[str]
) -> None:
    """A script runs to its end after both errors."""
    expected_warnings.append("test: Error executing script.")
    action = {"action": f"{DOMAIN}.{SERVICE_OFFLINE_READ}", "continue_on_error": True}
    data = {"imei": IMEI, "obj_id": 3303, "expires_in": "01:00:00"}
    assert await async_setup_component(
        hass,
        "script",
        {
            "script": {
                "test": {
                    "sequence": [
                        action | {"data": data | {"obj_id": -1}},
                        action | {"data": data | {"imei": "866971030000009"}},
                        action | {"data": data, "response_variable": "queued"},
                        {"event": "done", "event_data": {"uuid": "{{ queued.uuid }}"}},
                    ]
                }
            }
        },
    )
    done: list[Event] = []
    hass.bus.async_listen("done", done.append)
    await hass.services.async_call("script", "test", blocking=True)
    await hass.async_block_till_done()
    assert [event.data["type"] for event in events] == ["command_rejected", "command_queued"]
    assert done[0].data["uuid"] == events[1].data["uuid"]


async def call(hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any) -> Any:
    """Call an action for the device, and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, {"imei": IMEI} | fields, blocking=True, context=context, return_response=True
    )


async def test_get_command_returns_the_state_times_values_and_log(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: FrozenDateTimeFactory
) -> None:
    """The fields of the queued command stay, and those of its progress are added."""
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700)
    waiting = await call(hass, "get_command", uuid=f" {queued['uuid']}")
    assert waiting == queued | {
        "state": "queued",
        "create_time": "2026-11-23T05:00:00+01:00",
        "remain": 3,
    }
    now.move_to(NOW + timedelta(hours=6))
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    done = await call(hass, "get_command", uuid=queued["uuid"], include_log=True)
    assert done == waiting | {
        "state": "succeeded",
        "send_time": "2026-11-23T11:00:00+01:00",
        "confirm_time": "2026-11-23T11:00:00+01:00",
        "values": [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}],
        "log": [
            {"time": "2026-11-23T05:00:00+01:00", "message": "received command"},
            {"time": "2026-11-23T11:00:00+01:00", "message": "send command"},
            {"time": "2026-11-23T11:00:00+01:00", "message": "received confirm message"},
        ],
    }


async def test_get_command_returns_the_reason_of_a_failed_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A command that was delivered but rejected by the device is failed, and has no values."""
    queued = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    looked_up = await call(hass, "get_command", uuid=queued["uuid"])
    assert (looked_up["state"], looked_up["reason"]) == ("failed", "not_found")
    assert "values" not in looked_up


async def test_get_command_returns_resource_instances_and_null_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Each resource instance has an entry with its id."""
    data = {
        "cmd_uuid": "42742677-adc3-54ca-83a1-5aaaf71482f8",
        "type": "READ",
        "send_status": 5,
        "confirm_status": "SUCCESS",
        "args": {"obj_id": 3},
        "cmd_result": [
            {"obj_inst_id": 0, "res": [{"res_id": 11, "res_inst": [{"res_inst_id": 1, "val": None}]}]},
        ],
    }
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "code": 0, "data": data})))
    looked_up = await call(hass, "get_command", uuid=data["cmd_uuid"])
    assert looked_up["values"] == [{"obj_id": 3, "obj_inst_id": 0, "res_id": 11, "res_inst_id": 1, "value": None}]


async def test_list_commands_filters_by_state_and_age(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: FrozenDateTimeFactory
) -> None:
    """By default, the commands of the last week are listed in every state."""
    old = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    now.move_to(NOW + timedelta(days=8))
    new = await offline_read(hass)
    listed = await call(hass, "list_commands")
    assert (listed["config_entry_id"], listed["imei"]) == (account.entry_id, IMEI)
    assert [(command["uuid"], command["state"]) for command in listed["commands"]] == [(new["uuid"], "queued")]
    listed = await call(hass, "list_commands", since="2026-11-01 00:00:00", state=[])
    assert [command["uuid"] for command in listed["commands"]] == [new["uuid"], old["uuid"]]
    listed = await call(hass, "list_commands", since="2026-11-01 00:00:00", state=["succeeded", "failed"])
    assert [command["uuid"] for command in listed["commands"]] == [old["uuid"]]
    listed = await call(hass, "list_commands", since="2026-11-01 00:00:00", state="expired")
    assert listed["commands"] == []


async def test_cancel_command_cancels_a_waiting_command_and_fires_its_event(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A second cancellation is an error and fires no event."""
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700, valid_time="2026-11-24 08:00:00")
    context = Context()
    response = await call(hass, "cancel_command", context, uuid=queued["uuid"])
    assert response == queued
    assert events[1].data == {"type": "command_cancelled", **queued}
    assert events[1].context is context
    assert (await call(hass, "get_command", uuid=queued["uuid"]))["state"] == "cancelled"
    with pytest.raises(ServiceValidationError, match="already cancelled"):
        await call(hass, "cancel_command", uuid=queued["uuid"])
    assert len(events) == 2


async def test_a_sent_command_cannot_be_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The error names its state, and the event of the new state is fired."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    with pytest.raises(ServiceValidationError, match="already succeeded"):
        await call(hass, "cancel_command", uuid=queued["uuid"])
    assert [event.data["type"] for event in events] == ["command_queued", "command_succeeded"]


async def test_the_error_for_a_command_that_is_sent_during_the_cancellation_names_its_state(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OneNET's own error is replaced by one about the state."""
    queued = await offline_read(hass)
    cancel = onenet.onenet.cancel

    def wake_first(*args: Any) -> None:
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        cancel(*args)

    monkeypatch.setattr(onenet.onenet, "cancel", wake_first)
    with pytest.raises(ServiceValidationError, match="already succeeded"):
        await call(hass, "cancel_command", uuid=queued["uuid"])


async def test_a_cancellation_whose_reply_is_lost_fires_its_event(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The call returns the cancelled command."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/cancel/"))
    assert await call(hass, "cancel_command", uuid=queued["uuid"]) == queued
    assert [event.data["type"] for event in events] == ["command_queued", "command_cancelled"]


async def test_a_failed_cancellation_raises_and_fires_no_event(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """OneNET refuses the request or does not receive it."""
    queued = await offline_read(hass)
    for kind in (FaultKind.ERRNO, FaultKind.RESET_BEFORE):
        onenet.faults.append(Fault(kind=kind, path="/cancel/", errno=14, text="late"))
        with pytest.raises(HomeAssistantError, match=r"late|closed before"):
            await call(hass, "cancel_command", uuid=queued["uuid"])
    assert len(events) == 1


async def test_cancel_commands_cancels_all_waiting_commands_and_fires_their_events(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Commands of other clients are included, sent ones are not."""
    sent = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    waiting = [await offline_read(hass), *(queue_elsewhere(onenet) for _ in range(2))]
    # A failed request for details does not keep a command from being cancelled.
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path=waiting[2]["uuid"]))
    response = await call(hass, "cancel_commands")
    assert {command["uuid"] for command in response["commands"]} == {command["uuid"] for command in waiting}
    cancelled = [event.data for event in events if event.data["type"] == "command_cancelled"]
    assert [command["uuid"] for command in cancelled] == [command["uuid"] for command in waiting]
    assert [command.get("obj_id") for command in cancelled] == [3303, 3303, None]
    assert all(set(command) >= {"command", "expired_time"} for command in cancelled)
    assert response["failed"] == []
    assert (await call(hass, "get_command", uuid=sent["uuid"]))["state"] == "succeeded"
    assert (await call(hass, "cancel_commands"))["commands"] == []


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.TRUNCATED])
async def test_cancel_commands_whose_reply_is_lost_fires_the_events(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], kind: FaultKind
) -> None:
    """The call returns all cancelled commands."""
    before = await offline_read(hass)
    await call(hass, "cancel_command", uuid=before["uuid"])
    waiting = [await offline_read(hass) for _ in range(2)]
    events.clear()
    slash = onenet.onenet.switches.cancel_all_slash and account.data.get(CONF_PLATFORM) == "current"
    onenet.faults.append(Fault(kind=kind, path="/cancel/all/" if slash else "/cancel/all"))
    response = await call(hass, "cancel_commands")
    assert [command["uuid"] for command in response["commands"]] == [command["uuid"] for command in waiting]
    assert [event.data["uuid"] for event in events] == [command["uuid"] for command in waiting]


async def test_cancel_commands_returns_the_commands_that_cannot_be_cancelled(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failed request raises; no event is fired in either case."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/cancel/"))
    with pytest.raises(HomeAssistantError, match="closed before"):
        await call(hass, "cancel_commands")
    client = client_of(account)
    refused = CancelledCommands(succeeded=(), failed=("u",))
    monkeypatch.setattr(client, "cancel_commands", AsyncMock(return_value=refused))
    response = await call(hass, "cancel_commands")
    assert (response["commands"], response["failed"]) == ([], ["u"])
    assert [event.data["type"] for event in events] == ["command_queued"]


async def test_cancelling_works_without_a_response(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """The response is optional."""
    queued = await offline_read(hass)
    await offline_read(hass)
    await hass.services.async_call(DOMAIN, "cancel_command", {"imei": IMEI, "uuid": queued["uuid"]}, blocking=True)
    await hass.services.async_call(DOMAIN, "cancel_commands", {"imei": IMEI}, blocking=True)
    assert [event.data["type"] for event in events] == ["command_queued"] * 2 + ["command_cancelled"] * 2


async def test_an_unknown_uuid_is_a_validation_error(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The message has OneNET's text."""
    with pytest.raises(ServiceValidationError, match="no such command"):
        await call(hass, "get_command", uuid="42742677-adc3-54ca-83a1-5aaaf71482f8")


# The IMEI of a test device, which several accounts may have.
LAMP = "1234"


def device_id(hass: HomeAssistant, account: MockConfigEntry, imei: str = IMEI) -> str:
    """Return the id of an added device in Home Assistant."""
    identifier = (DOMAIN, f"{account.entry_id}_{imei}")
    device = dr.async_get(hass).async_get_device_by_identifier(identifier, account.entry_id)
    assert device
    return device.id


@pytest.fixture
async def second(onenet: Server, account: MockConfigEntry) -> AsyncIterator[Server]:
    """Return another platform with a lamp that is online; the first platform has a lamp with this IMEI, too."""
    product = Product(id=PRODUCT_ID, key=KEY, access_key=ACCESS_KEY)
    product.add(IMEI, "Gas meter", {(3303, 0, 5700): 4.5})
    lamp = product.add(LAMP, "Test lamp", {(3303, 0, 5700): 30.5, (3306, 0, 5850): False})
    lamp.executables.add((3, 0, 4))
    lamp.online = True
    onenet.onenet.products[0].add(LAMP, "Test lamp")
    server = await Server(OneNet(product, switches=Switches(current_resources=True))).start()
    server.onenet.command_interval = 0
    yield server
    await server.stop()


@pytest.fixture
async def other_account(
    hass: HomeAssistant, account: MockConfigEntry, second: Server, account_data: dict[str, str]
) -> MockConfigEntry:
    """Return a loaded account on the second platform."""
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET 2", data=account_data | {CONF_URL: second.url})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.fixture
async def second_account(
    hass: HomeAssistant, account: MockConfigEntry, other_account: MockConfigEntry
) -> MockConfigEntry:
    """Return the account on the second platform after the lamp was added to both accounts."""
    for owner in (account, other_account):
        await add_device(hass, owner, imei=LAMP, title="Test lamp")
    return other_account


async def done(hass: HomeAssistant, second: Server, action: str, **which: Any) -> Any:
    """Call an action for the lamp; return its response and its requests, with all UUIDs replaced."""
    second.onenet.products[0].devices[LAMP].commands.clear()
    fields = REQUIRED_FIELDS[action]
    waiting = queue_elsewhere(second, imei=LAMP)
    if "uuid" in fields:
        fields = fields | waiting
    second.requests.clear()
    response = await act(hass, action, **fields | which)
    requests = [(request.method, request.path, request.query, request.body) for request in second.requests]
    # The history of values is that of a name or an id.
    lamp = second.onenet.products[0].devices[LAMP]
    named = {query.get("imei") or query.get("device_name", path) for _, path, query, _ in requests}
    assert named <= {LAMP, lamp.name, f"/devices/{lamp.id}/datapoints"}
    return json.loads(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", json.dumps([response, requests])))


@pytest.mark.parametrize("action", DEVICE_ACTIONS)
async def test_device_id_selects_the_device_and_its_account(
    hass: HomeAssistant, onenet: Server, second: Server, second_account: MockConfigEntry, action: str
) -> None:
    """The action does the same as with the IMEI and the config_entry_id."""
    chosen = device_id(hass, second_account, LAMP)
    by_imei = await done(hass, second, action, imei=LAMP, config_entry_id=second_account.entry_id)
    onenet.requests.clear()
    assert await done(hass, second, action, device_id=chosen) == by_imei
    # Both fields may be set.
    assert await done(hass, second, action, device_id=chosen, config_entry_id=second_account.entry_id) == by_imei
    assert not onenet.requests
    response, requests = by_imei
    assert requests
    if response is not None:
        origin = {"config_entry_id": second_account.entry_id, "imei": LAMP, "device_id": chosen}
        assert {name: response[name] for name in origin} == origin


async def test_responses_and_events_of_an_added_device_have_its_id(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Every event, response and listed command has the device_id."""
    await add_device(hass, account)
    chosen = device_id(hass, account)
    done, cancelled = await offline_read(hass), await offline_read(hass)
    await call(hass, "cancel_command", uuid=cancelled["uuid"])
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=3, text="body error"))
    with pytest.raises(ServiceValidationError, match="body error"):
        await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    looked_up = await call(hass, "get_command", uuid=done["uuid"])
    listed = await call(hass, "list_commands")
    assert [event.data["type"].removeprefix("command_") for event in events] == [
        "queued",
        "queued",
        "cancelled",
        "rejected",
        "succeeded",
    ]
    found = [event.data for event in events] + [done, cancelled, looked_up, listed, *listed["commands"]]
    assert [fields["device_id"] for fields in found] == [chosen] * len(found)


async def test_responses_and_events_of_a_device_that_is_not_added_have_no_id(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """Neither before the device is added nor after it was removed."""
    before = await offline_read(hass)
    subentry = await add_device(hass, account)
    chosen = device_id(hass, account)
    assert (await call(hass, "get_command", uuid=before["uuid"]))["device_id"] == chosen
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done()
    with pytest.raises(ServiceValidationError, match=f"{chosen} is not one of your NB-IoT devices"):
        await offline_read(hass, imei=None, device_id=chosen)
    after = await offline_read(hass)
    looked_up = await call(hass, "get_command", uuid=before["uuid"])
    listed = await call(hass, "list_commands")
    found = [before, after, looked_up, listed, *listed["commands"], *(event.data for event in events)]
    assert [fields for fields in found if "device_id" in fields] == []
    assert [event.data["type"] for event in events] == ["command_queued"] * 2


async def test_a_device_of_an_account_that_is_not_loaded_is_a_validation_error(
    hass: HomeAssistant, onenet: Server, second: Server, second_account: MockConfigEntry
) -> None:
    """The other account is not used in its place."""
    chosen = device_id(hass, second_account, LAMP)
    assert await hass.config_entries.async_unload(second_account.entry_id)
    onenet.requests.clear()
    second.requests.clear()
    for action in DEVICE_ACTIONS:
        with pytest.raises(ServiceValidationError, match=r"OneNET 2 .*is not loaded"):
            await act(hass, action, **REQUIRED_FIELDS[action], device_id=chosen)
    assert not onenet.requests
    assert not second.requests


@pytest.fixture
def device_lists(
    account: MockConfigEntry, other_account: MockConfigEntry, second: Server, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[AsyncMock]]:
    """Return a function that sets the reply to a lookup of a device for each account."""

    def set_answers(*answers: OneNetError | None) -> list[AsyncMock]:
        id_ = str(second.onenet.products[0].devices[LAMP].id)
        found = OneNetDevice(id=id_, name=id_, title="Test lamp", online=None)
        mocks = [AsyncMock(side_effect=answer, return_value=found) for answer in answers]
        for entry, mock in zip((account, other_account), mocks, strict=True):
            monkeypatch.setattr(client_of(entry), "get_device", mock)
        return mocks

    return set_answers


UNKNOWN = UnknownDeviceError("no such device", 10410)
NOT_PERMITTED = NotPermittedError("key and IMEI do not match", 1)
UNREACHABLE = CannotConnectError("no route")


@LEGACY_ONLY
@pytest.mark.parametrize("action", DEVICE_ACTIONS)
async def test_the_account_follows_from_the_device_list_that_has_the_imei(
    hass: HomeAssistant,
    onenet: Server,
    second: Server,
    other_account: MockConfigEntry,
    device_lists: Callable[..., list[AsyncMock]],
    action: str,
) -> None:
    """An automation that specifies an IMEI still works after a second account was added."""
    device_lists(UNKNOWN, None)
    onenet.requests.clear()
    found = await done(hass, second, action, imei=LAMP)
    assert found == await done(hass, second, action, imei=LAMP, config_entry_id=other_account.entry_id)
    assert not onenet.requests


@LEGACY_ONLY
@pytest.mark.parametrize("other_answer", [UNKNOWN, NOT_PERMITTED, UNREACHABLE])
async def test_the_account_of_a_device_is_looked_up_once(
    hass: HomeAssistant,
    other_account: MockConfigEntry,
    device_lists: Callable[..., list[AsyncMock]],
    other_answer: OneNetError,
) -> None:
    """The result is cached, even if the lookup in another account failed."""
    mocks = device_lists(other_answer, None)
    for _ in range(2):
        listed = await act(hass, "list_commands", imei=LAMP)
        assert listed["config_entry_id"] == other_account.entry_id
    assert [mock.await_args_list for mock in mocks] == [[call_with(LAMP)]] * 2


@LEGACY_ONLY
@pytest.mark.parametrize(
    ("answers", "key", "detail"),
    [
        ((UNKNOWN, NOT_PERMITTED), "which_account", "found in 0 accounts"),
        ((None, None), "which_account", "found in 2 accounts"),
        ((UNREACHABLE, UNKNOWN), "which_account_unreachable", "failed for OneNET ("),
        ((UNKNOWN, AddressNotPermittedError("ip limit", 1)), "which_account_unreachable", "failed for OneNET 2 ("),
        ((UNREACHABLE, UNREACHABLE), "which_account_unreachable", "failed for OneNET ("),
    ],
)
async def test_an_imei_without_one_account_is_an_error_that_names_the_accounts(
    hass: HomeAssistant,
    account: MockConfigEntry,
    other_account: MockConfigEntry,
    onenet: Server,
    second: Server,
    events: list[Event],
    device_lists: Callable[..., list[AsyncMock]],
    answers: tuple[OneNetError | None, ...],
    key: str,
    detail: str,
) -> None:
    """The error contains what config_entry_id can be set to, and no command is sent."""
    device_lists(*answers)
    onenet.requests.clear()
    second.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await offline_read(hass, imei=LAMP)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    for text in (detail, f"OneNET ({account.entry_id})", f"OneNET 2 ({other_account.entry_id})", "config_entry_id"):
        assert text in str(caught.value)
    assert not onenet.requests
    assert not second.requests
    assert not events


@LEGACY_ONLY
async def test_the_account_follows_from_where_the_device_was_added(
    hass: HomeAssistant, other_account: MockConfigEntry, device_lists: Callable[..., list[AsyncMock]]
) -> None:
    """A device that was added in one account is not looked up, and only its account is used."""
    await add_device(hass, other_account, imei=LAMP, title="Test lamp")
    mocks = device_lists(None, None)
    assert (await offline_read(hass, imei=LAMP))["config_entry_id"] == other_account.entry_id
    assert await hass.config_entries.async_unload(other_account.entry_id)
    with pytest.raises(ServiceValidationError, match=r"OneNET 2 .*is not loaded"):
        await offline_read(hass, imei=LAMP)
    for mock in mocks:
        mock.assert_not_awaited()


@LEGACY_ONLY
async def test_a_device_that_was_added_in_several_accounts_is_looked_up_at_onenet(
    hass: HomeAssistant,
    account: MockConfigEntry,
    second_account: MockConfigEntry,
    device_lists: Callable[..., list[AsyncMock]],
) -> None:
    """The account whose product has the device is used, whatever is queued in the other one."""
    await offline_read(hass, imei=LAMP, config_entry_id=account.entry_id)
    device_lists(UNKNOWN, None)
    assert (await offline_read(hass, imei=LAMP))["config_entry_id"] == second_account.entry_id
    # Only one of the accounts is loaded.
    assert await hass.config_entries.async_unload(second_account.entry_id)
    assert await hass.config_entries.async_unload(account.entry_id)
    with pytest.raises(ServiceValidationError, match="is not loaded"):
        await offline_read(hass, imei=LAMP)


@LEGACY_ONLY
async def test_the_account_follows_from_an_open_or_a_finished_command(
    hass: HomeAssistant,
    account: MockConfigEntry,
    other_account: MockConfigEntry,
    device_lists: Callable[..., list[AsyncMock]],
) -> None:
    """A device that is only known by its commands belongs to the account that queued them."""
    mocks = device_lists(None, None)
    finished = await offline_read(hass, imei=LAMP, config_entry_id=other_account.entry_id)
    assert (await act(hass, "list_commands", imei=LAMP))["config_entry_id"] == other_account.entry_id
    await act(hass, "cancel_command", uuid=finished["uuid"])
    assert (await act(hass, "list_commands", imei=LAMP))["config_entry_id"] == other_account.entry_id
    # An open command has priority over a finished one.
    await offline_read(hass, imei=LAMP, config_entry_id=account.entry_id)
    assert (await act(hass, "list_commands", imei=LAMP))["config_entry_id"] == account.entry_id
    for mock in mocks:
        mock.assert_not_awaited()
    # Open commands in two accounts do not decide.
    await offline_read(hass, imei=LAMP, config_entry_id=other_account.entry_id)
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "list_commands", imei=LAMP)
    assert caught.value.translation_key == "which_account"


@LEGACY_ONLY
async def test_the_only_loaded_account_is_used_unless_another_is_known_to_have_the_device(
    hass: HomeAssistant,
    account: MockConfigEntry,
    other_account: MockConfigEntry,
    device_lists: Callable[..., list[AsyncMock]],
) -> None:
    """The devices of an account that is not loaded are not looked up in the loaded one."""
    mocks = device_lists(UNKNOWN, None)
    assert (await act(hass, "list_commands", imei=LAMP))["config_entry_id"] == other_account.entry_id
    assert await hass.config_entries.async_unload(other_account.entry_id)
    with pytest.raises(ServiceValidationError, match=r"OneNET 2 .*is not loaded"):
        await act(hass, "list_commands", imei=LAMP)
    assert (await act(hass, "list_commands", imei=IMEI))["config_entry_id"] == account.entry_id
    assert mocks[0].await_count == 1
    assert await hass.config_entries.async_unload(account.entry_id)
    with pytest.raises(ServiceValidationError, match="is not loaded"):
        await act(hass, "list_commands", imei=IMEI)
