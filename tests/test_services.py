"""The actions, as automations, scripts and the action panel call them."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot.const import DOMAIN, SERVICE_OFFLINE_READ

from .conftest import IMEI, offline_read
from .emulator import Fault, FaultKind, OneNet, Product, Server, Trigger

NOW = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def now(hass: HomeAssistant, onenet: Server, freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Stop the clock, for Home Assistant and for the platform."""
    freezer.move_to(NOW)
    await hass.config.async_set_time_zone("Europe/Berlin")
    return freezer


async def test_a_read_is_queued_and_its_uuid_comes_as_response_and_as_event(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Nobody could follow the command."""
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


async def test_what_was_not_given_is_neither_sent_nor_said(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Automations would meet nulls, and the platform's defaults be overruled."""
    response = await offline_read(hass)
    assert onenet.requests[-1].query == {"imei": IMEI, "obj_id": "3303", "expired_time": "2026-11-24T12:00:00"}
    assert set(response) == {"config_entry_id", "command", "imei", "obj_id", "uuid", "expired_time"}
    assert set(events[0].data) == {*response, "type"}


async def test_a_caller_that_wants_no_response_still_gets_the_event(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """A plain action in an automation would be refused."""
    await hass.services.async_call(
        DOMAIN, SERVICE_OFFLINE_READ, {"imei": IMEI, "obj_id": 3303, "expires_in": "24:00:00"}, blocking=True
    )
    assert [event.data["type"] for event in events] == ["command_queued"]


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        # What YAML, templates and the action panel make of a field.
        ({"imei": int(IMEI)}, {"imei": IMEI}),
        ({"imei": f" {IMEI} "}, {"imei": IMEI}),
        ({"obj_id": "3303"}, {"obj_id": "3303"}),
        ({"obj_id": 3303.0}, {"obj_id": "3303"}),
        ({"obj_id": 0}, {"obj_id": "0"}),
        ({"obj_id": 65535}, {"obj_id": "65535"}),
        ({"obj_inst_id": 0}, {"obj_inst_id": "0"}),
        ({"obj_inst_id": 65535, "res_id": 65535}, {"obj_inst_id": "65535", "res_id": "65535"}),
        ({"retry": 0}, {"retry": "0"}),
        ({"retry": 10}, {"retry": "10"}),
        ({"timeout": 5}, {"timeout": "5"}),
        ({"timeout": 40.0}, {"timeout": "40"}),
        ({"trigger_msg": 1}, {"trigger_msg": "1"}),
        ({"trigger_msg": "6"}, {"trigger_msg": "6"}),
        ({"trigger_msg": "notify"}, {"trigger_msg": "4"}),
        ({"trigger_msg": ["register"]}, {"trigger_msg": "1"}),
        ({"trigger_msg": ["register", "update", "notify", "update"]}, {"trigger_msg": "7"}),
        ({"bin2hex": True}, {"bin2hex": "true"}),
        ({"bin2hex": "no"}, {"bin2hex": "false"}),
        # Durations: what is left of a second counts in favour of the device.
        ({"expires_in": {"hours": 1, "minutes": 30}}, {"expired_time": "2026-11-23T13:30:00"}),
        ({"expires_in": "01:30"}, {"expired_time": "2026-11-23T13:30:00"}),
        ({"expires_in": 90}, {"expired_time": "2026-11-23T12:01:30"}),
        ({"expires_in": {"milliseconds": 1}}, {"expired_time": "2026-11-23T12:00:01"}),
        # Times: Home Assistant is in Berlin here.
        ({"expires_in": None, "expired_time": "2026-11-23 06:00:00"}, {"expired_time": "2026-11-23T13:00:00"}),
        ({"expires_in": None, "expired_time": "2026-11-23T06:00:00Z"}, {"expired_time": "2026-11-23T14:00:00"}),
        ({"expires_in": None, "expired_time": "2026-11-23T06:00:00.001Z"}, {"expired_time": "2026-11-23T14:00:01"}),
        ({"expires_in": None, "expired_time": "2026-11-23T20:00:00+08:00"}, {"expired_time": "2026-11-23T20:00:00"}),
        ({"expires_in": None, "expired_time": datetime(2026, 11, 23, 6)}, {"expired_time": "2026-11-23T13:00:00"}),  # noqa: DTZ001 - what YAML makes of it
        (
            {
                "expires_in": None,
                "expired_time": datetime(2026, 11, 23, 6, tzinfo=ZoneInfo("Asia/Shanghai")) + timedelta(1),
            },
            {"expired_time": "2026-11-24T06:00:00"},
        ),
        (
            {"valid_time": "2026-11-24 00:00:00", "expires_in": {"hours": 2}},
            {"valid_time": "2026-11-24T07:00:00", "expired_time": "2026-11-24T09:00:00"},
        ),
        # 2:30 does not exist on this day, and on that day is there twice: 50 minutes stay 50 minutes.
        (
            {"valid_time": "2027-03-28 01:50:00", "expires_in": {"minutes": 50}},
            {"valid_time": "2027-03-28T08:50:00", "expired_time": "2027-03-28T09:40:00"},
        ),
        (
            {"valid_time": "2027-03-28 01:50:00", "expires_in": None, "expired_time": "2027-03-28 03:10:00"},
            {"valid_time": "2027-03-28T08:50:00", "expired_time": "2027-03-28T09:10:00"},
        ),
        (
            {"valid_time": "2027-03-28 02:30:00", "expires_in": {"minutes": 50}},
            {"valid_time": "2027-03-28T09:30:00", "expired_time": "2027-03-28T10:20:00"},
        ),
        (
            {"valid_time": "2027-10-31 02:50:00", "expires_in": {"minutes": 50}},
            {"valid_time": "2027-10-31T08:50:00", "expired_time": "2027-10-31T09:40:00"},
        ),
    ],
)
async def test_a_field_arrives_as_it_was_meant(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fields: dict[str, Any], query: dict[str, str]
) -> None:
    """The device would be asked for something else, or at another time."""
    await offline_read(hass, **fields)
    sent = onenet.requests[-1].query
    assert {name: sent[name] for name in query} == query


@pytest.mark.parametrize(
    ("fields", "key", "told"),
    [
        ({"imei": None}, "missing_field", "imei"),
        ({"obj_id": None}, "missing_field", "obj_id"),
        ({"resid": 5700}, "unknown_field", "resid"),
        ({"imei": "86697103000000"}, "invalid_imei", "86697103000000"),
        ({"imei": "066971030000001"}, "invalid_imei", "066971030000001"),
        ({"imei": "８６６９７１０３００００００１"}, "invalid_imei", "８"),  # noqa: RUF001 - a trap
        ({"imei": [IMEI]}, "invalid_imei", "["),
        ({"imei": True}, "invalid_imei", "True"),
        ({"obj_id": -1}, "invalid_obj_id", "-1"),
        ({"obj_id": 65536}, "invalid_obj_id", "65536"),
        ({"obj_id": 3303.5}, "invalid_obj_id", "3303.5"),
        ({"obj_id": True}, "invalid_obj_id", "True"),
        ({"obj_id": float("inf")}, "invalid_obj_id", "inf"),
        ({"obj_id": "temperature"}, "invalid_obj_id", "temperature"),
        ({"obj_id": [3303]}, "invalid_obj_id", "3303"),
        ({"obj_inst_id": 65536}, "invalid_obj_inst_id", "65536"),
        ({"obj_inst_id": 0, "res_id": -1}, "invalid_res_id", "-1"),
        ({"res_id": 5700}, "instance_missing", "obj_inst_id"),
        ({"retry": 11}, "invalid_retry", "11"),
        ({"retry": -1}, "invalid_retry", "-1"),
        ({"timeout": 4}, "invalid_timeout", "4"),
        ({"timeout": 41}, "invalid_timeout", "41"),
        ({"trigger_msg": 0}, "invalid_trigger_msg", "0"),
        ({"trigger_msg": 8}, "invalid_trigger_msg", "8"),
        ({"trigger_msg": []}, "invalid_trigger_msg", "[]"),
        ({"trigger_msg": ["deregister"]}, "invalid_trigger_msg", "deregister"),
        ({"trigger_msg": [1]}, "invalid_trigger_msg", "1"),
        ({"trigger_msg": "sometimes"}, "invalid_trigger_msg", "sometimes"),
        ({"bin2hex": "perhaps"}, "invalid_bin2hex", "perhaps"),
        ({"config_entry_id": ["x"]}, "invalid_config_entry_id", "x"),
        ({"expires_in": None}, "one_expiry", "expires_in"),
        ({"expired_time": "2026-11-24 00:00:00"}, "one_expiry", "expires_in"),
        ({"expires_in": 0}, "invalid_expires_in", "0"),
        ({"expires_in": -60}, "invalid_expires_in", "-60"),
        ({"expires_in": "tomorrow"}, "invalid_expires_in", "tomorrow"),
        ({"expires_in": 10**20}, "invalid_expires_in", "1000"),
        ({"expires_in": {"days": 999_999_999}}, "invalid_expires_in", "999999999"),
        ({"expires_in": {"fortnights": 1}}, "invalid_expires_in", "fortnights"),
        ({"expires_in": {}}, "invalid_expires_in", "{}"),
        ({"expires_in": {"days": -1}}, "invalid_expires_in", "-1"),
        ({"expires_in": {"days": "x"}}, "invalid_expires_in", "x"),
        ({"expires_in": None, "expired_time": "soon"}, "invalid_expired_time", "soon"),
        ({"expires_in": None, "expired_time": "9999-12-31 23:59:59"}, "invalid_expired_time", "9999"),
        ({"expires_in": None, "expired_time": "2026-11-23 05:00:00"}, "expired_time_past", "2026-11-23 05:00:00+01:00"),
        ({"expires_in": None, "expired_time": "0001-01-01 00:00:00"}, "invalid_expired_time", "0001"),
        ({"valid_time": "soon"}, "invalid_valid_time", "soon"),
        ({"valid_time": "2026-11-23 04:59:59"}, "valid_time_past", "2026-11-23 04:59:59+01:00"),
        (
            {"valid_time": "2026-11-24 08:00:00", "expires_in": None, "expired_time": "2026-11-24 08:00:00"},
            "expired_time_past",
            "2026-11-24 08:00:00+01:00",
        ),
        (
            {"valid_time": "2026-11-23 05:00:04", "expires_in": None, "expired_time": "2026-11-23 05:00:02"},
            "expired_time_past",
            "05:00:04",
        ),
        # By the wall clock the expiry is later; in truth it is earlier.
        (
            {
                "valid_time": "2027-10-31T02:10:00+01:00",
                "expires_in": None,
                "expired_time": "2027-10-31T02:50:00+02:00",
            },
            "expired_time_past",
            "2027-10-31 02:10:00+01:00",
        ),
    ],
)
async def test_a_wrong_field_is_told_with_what_to_do_before_anything_is_sent(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    fields: dict[str, Any],
    key: str,
    told: str,
) -> None:
    """A person would have to guess, and an automation could not go on after the error."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await offline_read(hass, **fields)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    assert told in str(caught.value)
    assert not onenet.requests
    assert not events


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(-999, "00"), (-1, "00"), (0, "00"), (1, "01"), (300, "01"), (5000, "05")]
)
async def test_a_start_of_about_now_is_now(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, milliseconds: int, seconds: str
) -> None:
    """The template that everybody writes first would be refused, sometimes, on its way to OneNET."""
    start = NOW + timedelta(milliseconds=milliseconds)
    response = await offline_read(hass, valid_time=start.isoformat(), expires_in={"hours": 1})
    assert "valid_time" not in response
    assert "valid_time" not in onenet.requests[-1].query
    assert onenet.requests[-1].query["expired_time"] == f"2026-11-23T13:00:{seconds}"


async def test_a_start_soon_is_told(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A command would start before its time."""
    await offline_read(hass, valid_time=(NOW + timedelta(seconds=6)).isoformat())
    assert onenet.requests[-1].query["valid_time"] == "2026-11-23T12:00:06"


@pytest.mark.parametrize(
    ("errno", "text", "reason", "exception"),
    [
        (3, "body error", "invalid_request", ServiceValidationError),
        (5006, "queue is full", "limit_reached", HomeAssistantError),
        (2001, "not online", "device_offline", HomeAssistantError),
        (5106, "TIME_OUT", "device_error", HomeAssistantError),
        (10410, "no such device", "unknown_device", ServiceValidationError),
        (15, "called too often", "platform_busy", HomeAssistantError),
        (424242, "a new one", "platform_error", HomeAssistantError),
    ],
)
async def test_a_refusal_raises_and_says_why(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    errno: int,
    text: str,
    reason: str,
    exception: type[HomeAssistantError],
) -> None:
    """A refused command would pass for a queued one."""
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


async def test_an_imei_of_another_product_is_not_taken_for_a_wrong_key(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """A person who mistyped an IMEI would be asked for a new key."""
    with pytest.raises(ServiceValidationError, match="no device with this IMEI"):
        await offline_read(hass, imei="866971030000009")
    assert events[0].data["reason"] == "unknown_device"
    assert hass.config_entries.flow.async_progress() == []


async def test_data_that_is_no_mapping_is_refused_as_usual(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A program outside would be told of a fault in Home Assistant."""
    data: Any = [{}]
    with pytest.raises(vol.Invalid):
        await hass.services.async_call(DOMAIN, SERVICE_OFFLINE_READ, data, blocking=True)


async def test_a_refused_key_asks_for_a_new_one_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Every call would fail for ever, and nobody be told how to mend it."""
    onenet.onenet.products[0].key = "another"
    for _ in range(2):
        with pytest.raises(HomeAssistantError) as caught:
            await offline_read(hass)
        assert caught.value.translation_key == "invalid_auth"
    await hass.async_block_till_done()
    assert [event.data["reason"] for event in events] == ["invalid_auth", "invalid_auth"]
    flows = hass.config_entries.flow.async_progress()
    assert [(flow["step_id"], flow["context"]["entry_id"]) for flow in flows] == [("reauth_confirm", account.entry_id)]


async def test_an_unreachable_platform_is_told_from_a_lost_reply(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person could not tell that it is safe to try again."""
    await onenet.stop()
    # Until the connection that was kept alive has noticed, too.
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(HomeAssistantError, match="nothing was sent"):
        await offline_read(hass)
    assert not events


async def test_several_accounts_are_told_apart(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """A command would go to the wrong account, or to none."""
    product = Product(key="second-key")
    product.add("1234", "Test lamp")
    second = await Server(OneNet(product)).start()
    entry = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: product.key, CONF_URL: second.url})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await offline_read(hass, imei="1234", config_entry_id=entry.entry_id)
    assert [command.imei for command in second.onenet.commands] == ["1234"]
    assert events[0].data["config_entry_id"] == entry.entry_id
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError, match="not loaded"):
        await offline_read(hass, config_entry_id=entry.entry_id)
    await second.stop()


async def test_an_account_that_is_not_there_is_told(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person could not tell a wrong account from a wrong device."""
    with pytest.raises(ServiceValidationError, match="not found"):
        await offline_read(hass, config_entry_id="no-such-entry")
    await hass.config_entries.async_set_disabled_by(account.entry_id, ConfigEntryDisabler.USER)
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)


async def test_the_action_explains_itself_without_an_account(hass: HomeAssistant) -> None:
    """An automation would be told that the action does not exist."""
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)


async def test_continue_on_error_survives_a_wrong_field_and_a_refusal(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event], expected_warnings: list[str]
) -> None:
    """An automation would stop at its first mistake, whatever it says."""
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
    """Call an action for a device that exists, and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, {"imei": IMEI} | fields, blocking=True, context=context, return_response=True
    )


def queue_elsewhere(onenet: Server, **fields: str) -> dict[str, str]:
    """Queue a read that Home Assistant knows nothing of."""
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": "2030-01-01T00:00:00"} | fields
    return {"uuid": onenet.onenet.queue_read(onenet.onenet.products[0], query).uuid}


async def test_a_command_is_looked_up_from_its_queueing_to_its_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: FrozenDateTimeFactory
) -> None:
    """Nobody could learn what became of a command."""
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


async def test_a_command_that_the_device_refused_is_failed_with_a_reason(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Delivered would pass for done."""
    queued = await offline_read(hass, obj_id=9)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    looked_up = await call(hass, "get_command", uuid=queued["uuid"])
    assert (looked_up["state"], looked_up["reason"]) == ("failed", "not_found")
    assert "values" not in looked_up


async def test_every_instance_of_a_resource_and_a_null_are_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Two values of one resource could not be told apart."""
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
    onenet.faults.append(Fault(kind=FaultKind.BODY, text=json.dumps({"errno": 0, "data": data})))
    looked_up = await call(hass, "get_command", uuid=data["cmd_uuid"])
    assert looked_up["values"] == [{"obj_id": 3, "obj_inst_id": 0, "res_id": 11, "res_inst_id": 1, "value": None}]


async def test_a_devices_commands_are_listed_by_state_and_age(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: FrozenDateTimeFactory
) -> None:
    """A person could not see what waits for a device."""
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


async def test_a_waiting_command_is_cancelled_and_heard_of(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person could not take a command back, or an automation would wait for it for ever."""
    queued = await offline_read(hass, obj_inst_id=0, res_id=5700, valid_time="2026-11-24 08:00:00")
    context = Context()
    response = await call(hass, "cancel_command", context, uuid=queued["uuid"])
    assert response == queued
    assert events[1].data == {"type": "command_cancelled", **queued}
    assert events[1].context is context
    assert (await call(hass, "get_command", uuid=queued["uuid"]))["state"] == "cancelled"
    with pytest.raises(ServiceValidationError, match="it is cancelled"):
        await call(hass, "cancel_command", uuid=queued["uuid"])
    assert len(events) == 2


async def test_a_command_that_was_sent_cannot_be_cancelled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person would believe that nothing happens."""
    queued = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    with pytest.raises(ServiceValidationError, match="it is succeeded"):
        await call(hass, "cancel_command", uuid=queued["uuid"])
    assert [event.data["type"] for event in events] == ["command_queued", "command_succeeded"]


async def test_a_command_that_is_sent_while_it_is_cancelled_is_told(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person would read of an error of OneNET's that they cannot mend."""
    queued = await offline_read(hass)
    cancel = onenet.onenet.cancel

    def wake_first(*args: Any) -> None:
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        cancel(*args)

    monkeypatch.setattr(onenet.onenet, "cancel", wake_first)
    with pytest.raises(ServiceValidationError, match="it is succeeded"):
        await call(hass, "cancel_command", uuid=queued["uuid"])


async def test_a_cancellation_whose_answer_was_lost_is_heard_of(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """An automation would wait for ever for a command that is cancelled."""
    queued = await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_AFTER, path="/cancel/"))
    assert await call(hass, "cancel_command", uuid=queued["uuid"]) == queued
    assert [event.data["type"] for event in events] == ["command_queued", "command_cancelled"]


async def test_a_cancellation_that_onenet_refuses_raises(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A command that still waits would pass for cancelled."""
    queued = await offline_read(hass)
    for kind in (FaultKind.ERRNO, FaultKind.RESET_BEFORE):
        onenet.faults.append(Fault(kind=kind, path="/cancel/", errno=14, text="late"))
        with pytest.raises(HomeAssistantError, match=r"late|broke"):
            await call(hass, "cancel_command", uuid=queued["uuid"])
    assert len(events) == 1


async def test_all_waiting_commands_are_cancelled_and_heard_of(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """A person would have to cancel ten commands one by one."""
    sent = await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    waiting = [await offline_read(hass), *(queue_elsewhere(onenet) for _ in range(2))]
    # What cannot be looked up any more is cancelled all the same.
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
async def test_cancellations_whose_answer_was_lost_are_heard_of(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event], kind: FaultKind
) -> None:
    """Automations would wait for ever for commands that are cancelled."""
    before = await offline_read(hass)
    await call(hass, "cancel_command", uuid=before["uuid"])
    waiting = [await offline_read(hass) for _ in range(2)]
    events.clear()
    onenet.faults.append(Fault(kind=kind, path="/cancel/"))
    response = await call(hass, "cancel_commands")
    assert [command["uuid"] for command in response["commands"]] == [command["uuid"] for command in waiting]
    assert [event.data["uuid"] for event in events] == [command["uuid"] for command in waiting]


async def test_cancellations_that_onenet_refuses_raise(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Commands that still wait would pass for cancelled."""
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/cancel/"))
    with pytest.raises(HomeAssistantError, match="broke"):
        await call(hass, "cancel_commands")
    onenet.faults.append(
        Fault(kind=FaultKind.BODY, path="/cancel/", text='{"errno": 0, "data": {"succ": [], "failed": ["u"]}}')
    )
    response = await call(hass, "cancel_commands")
    assert (response["commands"], response["failed"]) == ([], ["u"])
    assert [event.data["type"] for event in events] == ["command_queued"]


async def test_cancelling_needs_no_one_who_wants_a_response(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """A plain action in an automation would be refused."""
    queued = await offline_read(hass)
    await offline_read(hass)
    await hass.services.async_call(DOMAIN, "cancel_command", {"imei": IMEI, "uuid": queued["uuid"]}, blocking=True)
    await hass.services.async_call(DOMAIN, "cancel_commands", {"imei": IMEI}, blocking=True)
    assert [event.data["type"] for event in events] == ["command_queued"] * 2 + ["command_cancelled"] * 2


@pytest.mark.parametrize(
    ("action", "fields", "key"),
    [
        ("get_command", {}, "missing_field"),
        ("get_command", {"uuid": "../cancel/all"}, "invalid_uuid"),
        (
            "get_command",
            {"uuid": "42742677-adc3-54ca-83a1-5aaaf71482f8", "include_log": "perhaps"},
            "invalid_include_log",
        ),
        ("list_commands", {"since": "long ago"}, "invalid_since"),
        ("list_commands", {"state": ["asleep"]}, "invalid_state"),
        ("list_commands", {"imei": "12"}, "invalid_imei"),
        ("cancel_command", {"uuid": "all"}, "invalid_uuid"),
        ("cancel_command", {"uuid": ["42742677-adc3-54ca-83a1-5aaaf71482f8"]}, "invalid_uuid"),
        ("cancel_commands", {"uuid": "42742677-adc3-54ca-83a1-5aaaf71482f8"}, "unknown_field"),
    ],
)
async def test_a_wrong_field_of_another_action_is_told_before_anything_is_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, action: str, fields: dict[str, Any], key: str
) -> None:
    """A person would have to guess, or cancel more than they meant."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, **fields)
    assert caught.value.translation_key == key
    assert not onenet.requests


async def test_an_unknown_command_is_told(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person could not tell a mistyped UUID from a command without news."""
    with pytest.raises(ServiceValidationError, match="no such command"):
        await call(hass, "get_command", uuid="42742677-adc3-54ca-83a1-5aaaf71482f8")
