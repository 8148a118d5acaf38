"""Validation of the fields of the actions, as YAML, templates and the action panel pass them."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
import json
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot import validation
from custom_components.onenet_nbiot.const import DOMAIN, SERVICE_OFFLINE_READ
from custom_components.onenet_nbiot.targets import TARGET_FIELDS
from custom_components.onenet_nbiot.validation import ActionSchema, imei as valid_imei, resolve_times

from .common import (
    ACTIONS,
    DEVICE_ACTIONS,
    EXPIRY,
    IMEI,
    OFFLINE_READ,
    OPERATIONS,
    READ,
    REQUIRED_FIELDS,
    UNKNOWN_UUID,
    WRITE,
    act,
    add_device,
    offline_read,
)
from .emulator import Device, Server

NOW = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)
QUEUE: dict[str, Any] = {"if_offline": "queue", "expires_in": {"hours": 6}}
# These actions need no device: a local command is found by its UUID, and all commands can be listed.
OF_ANY_DEVICE = ("get_command", "list_commands", "cancel_command")


@pytest.fixture(autouse=True)
async def now(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Stop the clock of Home Assistant and of the emulator."""
    freezer.move_to(NOW)
    await hass.config.async_set_time_zone("Europe/Berlin")
    return freezer


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        # The forms in which YAML, templates and the action panel pass a field.
        ({"imei": int(IMEI)}, {"imei": IMEI}),
        ({"imei": f" {IMEI} "}, {"imei": IMEI}),
        ({"imei": f"{IMEI}\u00a0\n"}, {"imei": IMEI}),
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
        # Durations: a part of a second is rounded up.
        ({"expires_in": {"hours": 1, "minutes": 30}}, {"expired_time": "2026-11-23T13:30:00"}),
        ({"expires_in": "01:30"}, {"expired_time": "2026-11-23T13:30:00"}),
        ({"expires_in": 90}, {"expired_time": "2026-11-23T12:01:30"}),
        ({"expires_in": {"milliseconds": 1}}, {"expired_time": "2026-11-23T12:00:01"}),
        # Times: Home Assistant's time zone is Berlin.
        ({"expires_in": None, "expired_time": "2026-11-23 06:00:00"}, {"expired_time": "2026-11-23T13:00:00"}),
        ({"expires_in": None, "expired_time": "2026-11-23T06:00:00Z"}, {"expired_time": "2026-11-23T14:00:00"}),
        ({"expires_in": None, "expired_time": "2026-11-23T06:00:00.001Z"}, {"expired_time": "2026-11-23T14:00:01"}),
        ({"expires_in": None, "expired_time": "2026-11-23T20:00:00+08:00"}, {"expired_time": "2026-11-23T20:00:00"}),
        ({"expires_in": None, "expired_time": datetime(2026, 11, 23, 6)}, {"expired_time": "2026-11-23T13:00:00"}),  # noqa: DTZ001 - YAML parses a time without a zone to this
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
        # Changes of daylight saving time: 2:30 does not exist on one day, and occurs twice on the other.
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
async def test_every_accepted_form_of_a_field_is_sent_in_the_form_of_onenet(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fields: dict[str, Any], query: dict[str, str]
) -> None:
    """Numbers, texts, durations and times are converted."""
    await offline_read(hass, **fields)
    sent = onenet.requests[-1].query
    assert {name: sent[name] for name in query} == query


@pytest.mark.parametrize(
    ("values", "body"),
    [
        # The forms in which YAML, templates and the action panel pass a value.
        ({"res_id": "5850", "value": True}, [{"res_id": 5850, "val": True}]),
        ([{"res_id": 5851, "value": 0}], [{"res_id": 5851, "val": 0}]),
        ([{"res_id": 5851, "value": 21.5}], [{"res_id": 5851, "val": 21.5}]),
        ([{"res_id": 5851, "value": -(2**63)}], [{"res_id": 5851, "val": -(2**63)}]),
        ([{"res_id": 5851, "value": 2**64 - 1}], [{"res_id": 5851, "val": 2**64 - 1}]),
        ([{"res_id": 5851, "value": 2**53 + 1}], [{"res_id": 5851, "val": 2**53 + 1}]),
        ([{"res_id": 5750, "value": "21.5"}], [{"res_id": 5750, "val": "21.5"}]),
        ([{"res_id": 5750, "value": ""}], [{"res_id": 5750, "val": ""}]),
        ([{"res_id": 5750, "value": "true", "type": "PLAIN"}], [{"res_id": 5750, "val": "true"}]),
        # A template may convert a text to another type.
        ([{"res_id": 5750, "value": 17, "type": "text"}], [{"res_id": 5750, "val": "17"}]),
        ([{"res_id": 5750, "value": 1.5, "type": "TEXT"}], [{"res_id": 5750, "val": "1.5"}]),
        ([{"res_id": 5750, "value": True, "type": "text"}], [{"res_id": 5750, "val": "true"}]),
        ([{"res_id": 5750, "value": "007", "type": "text"}], [{"res_id": 5750, "val": "007"}]),
        ([{"res_id": 5500, "value": "", "type": "opaque"}], [{"res_id": 5500, "val": "", "type": 1}]),
        ([{"res_id": 5500, "value": "00 Ff", "type": "opaque"}], [{"res_id": 5500, "val": "00ff", "type": 1}]),
        (
            [{"res_id": 5518, "value": "2026-11-24T08:00:00.000Z", "type": "time"}],
            [{"res_id": 5518, "val": 1795507200, "type": 2}],
        ),
        (
            [{"res_id": 5518, "value": datetime(2026, 11, 24, 8, tzinfo=UTC), "type": "time"}],
            [{"res_id": 5518, "val": 1795507200, "type": 2}],
        ),
    ],
)
async def test_every_accepted_form_of_a_written_value_is_sent_with_its_json_type(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, values: Any, body: list[dict[str, Any]]
) -> None:
    """The type of the value decides the JSON type."""
    await act(hass, "offline_write", **OPERATIONS["offline_write"] | {"values": values})
    assert json.loads(onenet.requests[-1].body) == {"data": body}
    sent = json.loads(onenet.requests[-1].body)["data"][0]["val"]
    assert type(sent) is type(body[0]["val"])


@pytest.mark.parametrize(("mode", "sent"), [("update", "2"), ("replace", "1"), (1, "1"), ("2", "2"), (None, "2")])
async def test_the_write_mode_defaults_to_update(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, mode: Any, sent: str
) -> None:
    """A write in the mode replace is sent only if the call sets it."""
    await act(hass, "offline_write", **OPERATIONS["offline_write"] | {"mode": mode})
    assert onenet.requests[-1].query["mode"] == sent


@pytest.mark.parametrize(
    ("action", "fields", "key", "text"),
    [
        ("offline_read", {"imei": None}, "one_device", "either Device (device_id) or IMEI (imei)"),
        ("offline_read", {"obj_id": None}, "missing_obj_id", "(obj_id) is required"),
        ("offline_read", {"resid": 5700}, "unknown_field", "resid"),
        ("offline_read", {"imei": "86697103000000"}, "invalid_imei", "86697103000000"),
        ("offline_read", {"imei": 8669710300000012}, "invalid_imei", "8669710300000012"),
        ("offline_read", {"imei": -1}, "invalid_imei", "-1"),
        ("offline_read", {"imei": float(IMEI)}, "invalid_imei", IMEI),
        # The numbers that YAML parses 066971030000001 and 0012 without quotes to.
        ("offline_read", {"imei": 66971030000001}, "imei_without_quotes", "Put it in quotes"),
        ("offline_read", {"imei": 12}, "imei_without_quotes", "12"),
        ("offline_read", {"imei": "８６６９７１０３００００００１"}, "invalid_imei", "８"),  # noqa: RUF001 - full-width digits
        ("offline_read", {"imei": [IMEI]}, "invalid_imei", "["),
        ("offline_read", {"imei": True}, "invalid_imei", "True"),
        ("offline_read", {"obj_id": -1}, "invalid_obj_id", "-1"),
        ("offline_read", {"obj_id": 65536}, "invalid_obj_id", "65536"),
        ("offline_read", {"obj_id": 3303.5}, "invalid_obj_id", "3303.5"),
        ("offline_read", {"obj_id": True}, "invalid_obj_id", "True"),
        ("offline_read", {"obj_id": float("inf")}, "invalid_obj_id", "inf"),
        ("offline_read", {"obj_id": "temperature"}, "invalid_obj_id", "temperature"),
        ("offline_read", {"obj_id": [3303]}, "invalid_obj_id", "3303"),
        ("offline_read", {"obj_inst_id": 65536}, "invalid_obj_inst_id", "65536"),
        ("offline_read", {"obj_inst_id": 0, "res_id": -1}, "invalid_res_id", "-1"),
        ("offline_read", {"res_id": 5700}, "instance_missing", "obj_inst_id"),
        ("offline_read", {"retry": 11}, "invalid_retry", "11"),
        ("offline_read", {"retry": -1}, "invalid_retry", "-1"),
        ("offline_read", {"timeout": 4}, "invalid_timeout", "4"),
        ("offline_read", {"timeout": 41}, "invalid_timeout", "41"),
        ("offline_read", {"trigger_msg": 0}, "invalid_trigger_msg", "0"),
        ("offline_read", {"trigger_msg": 8}, "invalid_trigger_msg", "8"),
        ("offline_read", {"trigger_msg": []}, "invalid_trigger_msg", "[]"),
        ("offline_read", {"trigger_msg": ["deregister"]}, "invalid_trigger_msg", "deregister"),
        ("offline_read", {"trigger_msg": [1]}, "invalid_trigger_msg", "1"),
        ("offline_read", {"trigger_msg": "sometimes"}, "invalid_trigger_msg", "sometimes"),
        ("offline_read", {"bin2hex": "perhaps"}, "invalid_bin2hex", "perhaps"),
        ("offline_read", {"config_entry_id": ["x"]}, "invalid_config_entry_id", "x"),
        ("offline_read", {"expires_in": None}, "one_expiry", "expires_in"),
        ("offline_read", {"expired_time": "2026-11-24 00:00:00"}, "one_expiry", "expires_in"),
        ("offline_read", {"expires_in": 0}, "invalid_expires_in", "0"),
        ("offline_read", {"expires_in": -60}, "invalid_expires_in", "-60"),
        ("offline_read", {"expires_in": "tomorrow"}, "invalid_expires_in", "tomorrow"),
        ("offline_read", {"expires_in": 10**20}, "invalid_expires_in", "1000"),
        ("offline_read", {"expires_in": {"days": 999_999_999}}, "invalid_expires_in", "999999999"),
        ("offline_read", {"expires_in": {"fortnights": 1}}, "invalid_expires_in", "fortnights"),
        ("offline_read", {"expires_in": {}}, "invalid_expires_in", "{}"),
        ("offline_read", {"expires_in": {"days": -1}}, "invalid_expires_in", "-1"),
        ("offline_read", {"expires_in": {"days": "x"}}, "invalid_expires_in", "x"),
        ("offline_read", {"expires_in": None, "expired_time": "soon"}, "invalid_expired_time", "soon"),
        ("offline_read", {"expires_in": None, "expired_time": "9999-12-31 23:59:59"}, "invalid_expired_time", "9999"),
        ("offline_read", {"expires_in": True}, "invalid_expires_in", "True"),
        ("offline_read", {"expires_in": {"hours": True}}, "invalid_expires_in", "True"),
        ("offline_read", {"expires_in": {"days": 10**9}}, "invalid_expires_in", "1000000000"),
        (
            "offline_read",
            {"expires_in": None, "expired_time": "2026-11-23 05:00:00"},
            "expired_time_past",
            "2026-11-23 05:00:00+01:00",
        ),
        ("offline_read", {"expires_in": None, "expired_time": "0001-01-01 00:00:00"}, "invalid_expired_time", "0001"),
        ("offline_read", {"valid_time": "soon"}, "invalid_valid_time", "soon"),
        ("offline_read", {"valid_time": "2026-11-23 04:59:59"}, "valid_time_past", "2026-11-23 04:59:59+01:00"),
        (
            "offline_read",
            {"valid_time": "2026-11-24 08:00:00", "expires_in": None, "expired_time": "2026-11-24 08:00:00"},
            "expired_time_past",
            "2026-11-24 08:00:00+01:00",
        ),
        (
            "offline_read",
            {"valid_time": "2026-11-23 05:00:04", "expires_in": None, "expired_time": "2026-11-23 05:00:02"},
            "expired_time_past",
            "05:00:04",
        ),
        # The expiry is later by the wall clock, but earlier in UTC.
        (
            "offline_read",
            {
                "valid_time": "2027-10-31T02:10:00+01:00",
                "expires_in": None,
                "expired_time": "2027-10-31T02:50:00+02:00",
            },
            "expired_time_past",
            "2027-10-31 02:10:00+01:00",
        ),
        ("offline_write", {"obj_inst_id": None}, "missing_obj_inst_id", "(obj_inst_id) is required"),
        ("offline_write", {"values": None}, "missing_values", "(values) is required"),
        ("offline_write", {"res_id": 5850}, "unknown_field", "res_id"),
        ("offline_write", {"bin2hex": True}, "unknown_field", "bin2hex"),
        ("offline_write", {"mode": "merge"}, "invalid_mode", "merge"),
        ("offline_write", {"mode": 3}, "invalid_mode", "3"),
        ("offline_write", {"mode": True}, "invalid_mode", "True"),
        ("offline_write", {"values": []}, "invalid_values", "[]"),
        ("offline_write", {"values": "open"}, "invalid_values", "open"),
        ("offline_write", {"values": [{}]}, "invalid_values", "{}"),
        ("offline_write", {"values": [{"res_id": 1}]}, "invalid_values", "{'res_id': 1}"),
        ("offline_write", {"values": [{"value": 1}]}, "invalid_values", "{'value': 1}"),
        (
            "offline_write",
            {"values": [{"res_id": 1, "value": 1}, {"res_id": 65536, "value": 1}]},
            "invalid_values",
            "65536",
        ),
        ("offline_write", {"values": [{"res_id": 1, "value": 1, "unit": "m"}]}, "invalid_values", "unit"),
        ("offline_write", {"values": [{"res_id": 1, "value": None}]}, "invalid_values", "None"),
        ("offline_write", {"values": [{"res_id": 1, "value": [1]}]}, "invalid_values", "[1]"),
        ("offline_write", {"values": [{"res_id": 1, "value": {"a": 1}}]}, "invalid_values", "'a'"),
        ("offline_write", {"values": [{"res_id": 1, "value": float("nan")}]}, "invalid_values", "nan"),
        ("offline_write", {"values": [{"res_id": 1, "value": 2**64}]}, "invalid_values", "18446744073709551616"),
        ("offline_write", {"values": [{"res_id": 1, "value": "\ud800"}]}, "invalid_values", "res_id"),
        ("offline_write", {"values": [{"res_id": 1, "value": "f", "type": "opaque"}]}, "invalid_values", "opaque"),
        ("offline_write", {"values": [{"res_id": 1, "value": " ", "type": "opaque"}]}, "invalid_values", "opaque"),
        # Values that overflow a parser, or are too long for a message.
        ("offline_write", {"values": [{"res_id": 1, "value": "\ud800", "type": "time"}]}, "invalid_values", "time"),
        ("offline_read", {"valid_time": "\ud800"}, "invalid_valid_time", ""),
        ("offline_read", {"obj_id": 16**5000}, "invalid_obj_id", "..."),
        ("offline_read", {"config_entry_id": "\ud800"}, "invalid_config_entry_id", ""),
        ("offline_read", {"valid_time": "0001-01-01T00:00:00+00:00"}, "invalid_valid_time", "0001"),
        ("offline_write", {"values": [{"res_id": 1, "value": 10, "type": "opaque"}]}, "invalid_values", "opaque"),
        ("offline_write", {"values": [{"res_id": 1, "value": "xy", "type": "opaque"}]}, "invalid_values", "xy"),
        ("offline_write", {"values": [{"res_id": 1, "value": "soon", "type": "time"}]}, "invalid_values", "soon"),
        ("offline_write", {"values": [{"res_id": 1, "value": 7, "type": "time"}]}, "invalid_values", "time"),
        ("offline_write", {"values": [{"res_id": 1, "value": 7, "type": "int"}]}, "invalid_values", "int"),
        ("offline_write", {"values": [{"res_id": 1, "value": 7, "type": None}]}, "invalid_values", "None"),
        ("offline_write", {"values": [{"res_id": 1, "value": 7}, {"res_id": 1, "value": 8}]}, "resource_twice", "1"),
        ("offline_execute", {"res_id": None}, "missing_res_id", "(res_id) is required"),
        ("offline_execute", {"obj_inst_id": None}, "missing_obj_inst_id", "(obj_inst_id) is required"),
        ("offline_execute", {"args": ["0"]}, "invalid_args", "0"),
        ("offline_execute", {"args": "\ud800"}, "invalid_args", ""),
        ("offline_execute", {"expires_in": None}, "one_expiry", "expires_in"),
        ("offline_execute", {"if_waiting": "wait"}, "invalid_if_waiting", "wait"),
        *((action, {"if_offline": "queue"}, "one_expiry", "expires_in") for action in ("read", "write", "execute")),
        ("read", QUEUE | {"expired_time": "2099-01-01 08:00:00"}, "one_expiry", "expired_time"),
        ("read", QUEUE | {"expires_in": 0}, "invalid_expires_in", "0"),
        ("read", QUEUE | {"expires_in": None, "expired_time": "2020-01-01 08:00:00"}, "expired_time_past", "2020"),
        ("read", {"expires_in": {"hours": 1}}, "only_with_queue", "expires_in"),
        ("write", {"expired_time": "2099-01-01 08:00:00"}, "only_with_queue", "expired_time"),
        ("execute", {"if_offline": "fail", "if_waiting": "keep"}, "only_with_queue", "if_waiting"),
        ("read", {"if_offline": "wait"}, "invalid_if_offline", "wait"),
        ("read", {"obj_inst_id": None}, "instance_missing", "obj_inst_id"),
        ("read", {"timeout": 41}, "invalid_timeout", "41"),
        ("read", {"retry": 3}, "unknown_field", "retry"),
        ("write", {"values": [{"res_id": 1, "value": 7}, {"res_id": 1, "value": 8}]}, "resource_twice", "1"),
        *(
            (action, {"values": [{"res_id": 1, "value": "x" * 2049}]}, "body_too_large", "Use fewer or shorter values")
            for action in ("write", "offline_write")
        ),
        *(
            (action, {"args": "x" * 2049}, "body_too_large", "Use fewer or shorter values")
            for action in ("execute", "offline_execute")
        ),
        ("execute", {"res_id": None}, "missing_res_id", "(res_id) is required"),
        ("observe", {"cancel": "perhaps"}, "invalid_cancel", "perhaps"),
        ("observe", {"pmin": 0}, "invalid_pmin", "0"),
        ("observe", {"pmax": 1.5}, "invalid_pmax", "1.5"),
        ("observe", {"gt": "warm"}, "invalid_gt", "warm"),
        ("observe", {"lt": True}, "invalid_lt", "True"),
        ("observe", {"gt": float("inf")}, "invalid_gt", "inf"),
        ("observe", {"st": 0}, "invalid_st", "0"),
        ("observe", {"pmin": 61, "pmax": 60}, "pmin_above_pmax", "61"),
        ("observe", {"gt": 10, "lt": 10}, "thresholds_too_close", "10.0"),
        ("observe", {"gt": 10, "lt": 9, "st": 0.5}, "thresholds_too_close", "10.0"),
        *(
            ("observe", {"obj_inst_id": None, "res_id": None, name: 1}, "condition_without_resource", name)
            for name in ("gt", "lt", "st")
        ),
        ("observe", {"cancel": True, "pmin": 60}, "cancel_with_condition", "pmin"),
        ("observe", {"obj_inst_id": None}, "instance_missing", "obj_inst_id"),
        ("observe", {"obj_id": None}, "missing_obj_id", "(obj_id) is required"),
        ("discover", {"res_id": 5700}, "unknown_field", "res_id"),
        ("discover", {"obj_id": -1}, "invalid_obj_id", "-1"),
        ("get_resources", {"imei": "12"}, "invalid_imei", "12"),
        ("get_resources", {"timeout": 5}, "unknown_field", "timeout"),
    ],
)
async def test_a_wrong_field_raises_a_translated_error_before_any_request(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    events: list[Event],
    action: str,
    fields: dict[str, Any],
    key: str,
    text: str,
) -> None:
    """The message has the value or what to do, and no event is fired."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, action, **OPERATIONS.get(action, {"imei": IMEI}) | fields)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    assert text in str(caught.value)
    # The message can be encoded for browsers and logs.
    str(caught.value).encode()
    assert not onenet.requests
    assert not events


@pytest.mark.parametrize(
    ("action", "fields", "key"),
    [
        ("get_command", {}, "missing_uuid"),
        ("get_command", {"uuid": "../cancel/all"}, "invalid_uuid"),
        ("get_command", {"uuid": UNKNOWN_UUID, "include_log": "perhaps"}, "invalid_include_log"),
        ("list_commands", {"since": "long ago"}, "invalid_since"),
        ("list_commands", {"state": ["asleep"]}, "invalid_state"),
        ("list_commands", {"imei": "12"}, "invalid_imei"),
        ("cancel_command", {"uuid": "all"}, "invalid_uuid"),
        ("cancel_command", {"uuid": [UNKNOWN_UUID]}, "invalid_uuid"),
        ("cancel_commands", {"uuid": UNKNOWN_UUID}, "unknown_field"),
        # The action finds a command by its UUID, and has no field for a device.
        ("wait_for_command", {"uuid": UNKNOWN_UUID, "timeout": 60}, "unknown_field"),
        (
            "wait_for_command",
            {"uuid": UNKNOWN_UUID, "timeout": 60, "imei": None, "device_id": "d3f29c71"},
            "unknown_field",
        ),
    ],
)
async def test_a_wrong_field_of_an_action_about_commands_raises_before_any_request(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, action: str, fields: dict[str, Any], key: str
) -> None:
    """The error has the key of the field."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, action, **OPERATIONS.get(action, {"imei": IMEI}) | fields)
    assert caught.value.translation_key == key
    assert not onenet.requests


@pytest.fixture
async def device_ids(hass: HomeAssistant, account: MockConfigEntry) -> dict[str, str]:
    """Return the ids of the device, of devices that cannot be selected, and of another account, by placeholder."""
    await add_device(hass, account)
    other_account = MockConfigEntry(domain=DOMAIN, title="Another OneNET")
    lamps = MockConfigEntry(domain="lamps")
    registry = dr.async_get(hass)
    for entry in (other_account, lamps):
        entry.add_to_hass(hass)
    like_ours = f"{account.entry_id}_{IMEI}"
    lamp = registry.async_get_or_create(config_entry_id=lamps.entry_id, identifiers={("lamps", like_ours)}, name="Lamp")
    registry.async_update_device(lamp.id, name_by_user="Kitchen lamp")
    ours, service = (
        registry.async_get_device_by_identifier((DOMAIN, identifier), account.entry_id)
        for identifier in (like_ours, account.entry_id)
    )
    assert ours
    assert service
    return {
        "<ours>": ours.id,
        "<service>": service.id,
        "<lamp>": lamp.id,
        "<other account>": other_account.entry_id,
    }


@pytest.mark.parametrize(
    ("fields", "key", "text"),
    [
        ({"device_id": "<ours>", "imei": IMEI}, "one_device", "either Device (device_id) or IMEI (imei)"),
        ({}, "one_device", "either Device (device_id) or IMEI (imei)"),
        ({"device_id": "d3f29c71"}, "no_nbiot_device", "d3f29c71 is not one of your NB-IoT devices"),
        ({"device_id": IMEI}, "no_nbiot_device", f"{IMEI} is not one of your NB-IoT devices"),
        ({"device_id": 866971}, "no_nbiot_device", "866971 is not one of your NB-IoT devices"),
        ({"device_id": "<lamp>"}, "no_nbiot_device", "Kitchen lamp is not one of your NB-IoT devices"),
        ({"device_id": "<service>"}, "no_nbiot_device", "OneNET is not one of your NB-IoT devices"),
        (
            {"device_id": "<ours>", "config_entry_id": "<other account>"},
            "device_of_other_account",
            "does not belong to the account in Account (config_entry_id)",
        ),
        ({"device_id": ["d3f29c71"]}, "no_nbiot_device", "d3f29c71 is not one of your NB-IoT devices"),
        ({"device_id": ["d3f29c71", "866971"]}, "several_devices", "once for each device"),
        ({"device_id": []}, "invalid_device_id", "the ID of one device, not []"),
        ({"device_id": [["d3f29c71"]]}, "invalid_device_id", "the ID of one device, not [['d3f29c71']]"),
        ({"device_id": {"id": "d3f29c71"}}, "invalid_device_id", "the ID of one device, not {'id': 'd3f29c71'}"),
    ],
)
async def test_a_wrong_device_id_raises_a_translated_error_before_any_request(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    device_ids: dict[str, str],
    events: list[Event],
    fields: dict[str, Any],
    key: str,
    text: str,
) -> None:
    """The message has the name of the device, and no event is fired."""
    onenet.requests.clear()
    which = {name: device_ids.get(str(value), value) for name, value in fields.items()}
    for action in DEVICE_ACTIONS:
        if not fields and action in OF_ANY_DEVICE:
            continue
        with pytest.raises(ServiceValidationError) as caught:
            await act(hass, action, **REQUIRED_FIELDS[action] | which)
        assert (action, caught.value.translation_domain, caught.value.translation_key) == (action, DOMAIN, key)
        assert text in str(caught.value)
    assert not onenet.requests
    assert not events


async def test_a_device_whose_identifier_has_three_parts_raises_the_same_error(
    hass: HomeAssistant, account: MockConfigEntry, device_ids: dict[str, str]
) -> None:
    """Some integrations create such identifiers."""
    longer: Any = {("lamps", "kitchen", "1")}
    dr.async_get(hass).async_update_device(device_ids["<lamp>"], new_identifiers=longer)
    with pytest.raises(ServiceValidationError, match="Kitchen lamp is not one of your NB-IoT devices"):
        await offline_read(hass, imei=None, device_id=device_ids["<lamp>"])


@pytest.mark.parametrize(
    "fields",
    [
        {"pmin": 60, "pmax": 60},
        {"pmax": 1},
        {"gt": 10, "lt": 9, "st": 0.4},
        {"gt": -1, "lt": -2.5},
        {"gt": 10, "st": 100},
    ],
)
async def test_every_combination_of_conditions_that_onenet_accepts_is_sent(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, fields: dict[str, Any]
) -> None:
    """Equal periods and negative thresholds are valid."""
    device.online = True
    await act(hass, "observe", **OPERATIONS["observe"] | fields)
    assert {name: float(value) for name, value in device.observations[3303, 0, 5700].items()} == fields


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(-999, "00"), (-1, "00"), (0, "00"), (1, "01"), (300, "01"), (5000, "05")]
)
async def test_a_valid_time_within_seconds_of_now_is_not_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, milliseconds: int, seconds: str
) -> None:
    """`now()` in a template is already in the past when the call arrives."""
    start = NOW + timedelta(milliseconds=milliseconds)
    response = await offline_read(hass, valid_time=start.isoformat(), expires_in={"hours": 1})
    assert "valid_time" not in response
    assert "valid_time" not in onenet.requests[-1].query
    assert onenet.requests[-1].query["expired_time"] == f"2026-11-23T13:00:{seconds}"


async def test_a_valid_time_in_a_few_seconds_is_sent(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Six seconds are more than the tolerance."""
    await offline_read(hass, valid_time=(NOW + timedelta(seconds=6)).isoformat())
    assert onenet.requests[-1].query["valid_time"] == "2026-11-23T12:00:06"


async def test_data_that_is_not_a_mapping_raises_invalid(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Home Assistant reports vol.Invalid to the client."""
    data: Any = [{}]
    with pytest.raises(vol.Invalid):
        await hass.services.async_call(DOMAIN, SERVICE_OFFLINE_READ, data, blocking=True)


@pytest.mark.parametrize("imei", ["066971030000001", "000000000000000", "0012", "0000"])
def test_an_imei_with_leading_zeros_is_valid(imei: str) -> None:
    """A text keeps its zeros."""
    assert valid_imei(imei) == imei


@pytest.mark.parametrize(
    ("imei", "characters"),
    [
        (f"\u200b{IMEI}", "U+200B"),
        (f"{IMEI}\ufeff", "U+FEFF"),
        (f"{IMEI[:6]}\u00a0{IMEI[6:]}", "U+00A0"),
        (f"{IMEI[:6]}\u00ad{IMEI[6:]}\u00ad", "U+00AD"),
        (f"\u202d{IMEI}\u202c", "U+202D, U+202C"),
        (f"\u200e{IMEI}", "U+200E"),
        (f"{IMEI}\u2060", "U+2060"),
        (f"{IMEI}\ufe0f", "U+FE0F"),
        (f"{IMEI[:6]}\u3164{IMEI[6:]}", "U+3164"),
        (f"{IMEI}\x00", "U+0000"),
        (f"{IMEI}\ud800", "U+D800"),
        (f"{IMEI}\U000e0020", "U+E0020"),
    ],
)
async def test_invisible_characters_of_an_imei_are_named(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, imei: str, characters: str
) -> None:
    """The error names the invisible characters by their code points."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await offline_read(hass, imei=imei)
    assert caught.value.translation_key == "invisible_characters"
    assert f"invisible characters: {characters}." in str(caught.value)
    assert not onenet.requests
    # The form that adds a device uses this key for its own text.
    with pytest.raises(ValueError, match="invisible_characters"):
        valid_imei(imei)


async def test_a_list_with_one_device_selects_that_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device_ids: dict[str, str]
) -> None:
    """The `target:` of a script is such a list."""
    assert await async_setup_component(
        hass,
        "script",
        {
            "script": {
                "test": {
                    "sequence": {
                        "action": f"{DOMAIN}.{SERVICE_OFFLINE_READ}",
                        "target": {"device_id": device_ids["<ours>"]},
                        "data": {"obj_id": 3303, "expires_in": "01:00:00"},
                    }
                }
            }
        },
    )
    await hass.services.async_call("script", "test", blocking=True)
    assert [command.imei for command in onenet.onenet.commands] == [IMEI]


@pytest.mark.parametrize("action", ["offline_execute", "offline_write"])
async def test_a_content_of_the_maximum_size_is_accepted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, action: str
) -> None:
    """The limit of 2,048 bytes applies to the arguments, or to the values as JSON."""
    # [{"res_id":1,"val":"..."}] around the text.
    content: dict[str, dict[str, Any]] = {
        "offline_execute": {"args": "x" * 2048},
        "offline_write": {"values": {"res_id": 1, "value": "x" * 2025}},
    }
    await act(hass, action, **OPERATIONS[action] | content[action])
    assert len(onenet.onenet.commands) == 1


# Values of every type that YAML, templates and API clients can pass, also beyond the range of every parser.
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**400,
    16**5000,
    -(16**5000),
    0.5,
    -0.0,
    1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    " ",
    "x",
    "\ud800",
    "\u0663",
    "\u00b2",
    "9" * 5000,
    "1e999",
    "nan",
    "99999999999999:00",
    "-00:00:00",
    "2026-11-24 25:00:00",
    "2026-11-24T08:00:00+99:00",
    "0001-01-01 00:00:00",
    "9999-12-31T23:59:59.999999-23:59",
    b"x",
    bytearray(b"x"),
    date(2026, 11, 24),
    time(8),
    datetime(1, 1, 1),  # noqa: DTZ001 - YAML has times without a zone
    datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001 - YAML has times without a zone
    datetime.min.replace(tzinfo=timezone(timedelta(hours=23))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=23))),
    timedelta.max,
    timedelta.min,
    Decimal("sNaN"),
    Decimal("1e999"),
    1j,
    [],
    [None],
    [[]],
    [{}],
    [1, "x"],
    ["x", ["x"]],
    ("update",),
    {"update"},
    {},
    {"days": None},
    {"days": "inf"},
    {"days": 10**400},
    {"days": 1e300},
    {1: 2, "x": 3},
    {"res_id": 1},
    {"res_id": None, "value": None},
    {1: 2, "res_id": 1, "value": 1},
    object(),
    int,
]


def filled(action: str) -> dict[str, Any]:
    """Return valid fields of an action."""
    if action == "wait_for_command":
        return {"uuid": UNKNOWN_UUID, "timeout": 60}
    if action == "request_reading":
        return {}
    if action == "import_history":
        return {"start": NOW}
    return {"imei": IMEI} | REQUIRED_FIELDS[action]


@pytest.mark.parametrize(
    ("action", "field"), [(action, str(field)) for action, schema in ACTIONS.items() for field in schema.schema]
)
async def test_an_odd_value_is_accepted_or_refused_with_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, action: str, field: str
) -> None:
    """No value, of whatever type, makes a validator raise another exception."""
    other = {"device_id": "imei", "expired_time": "expires_in"}.get(field)
    base = {name: value for name, value in filled(action).items() if name != other}
    entries = [{"res_id": 1, "value": 1} | {name: odd} for odd in ODD for name in ("res_id", "value", "type")]
    entries += [{"res_id": 1, "value": odd, "type": kind} for odd in ODD for kind in ("text", "opaque", "time")]
    refused = 0
    for odd in [*ODD, *(entries if field == "values" else ())]:
        with suppress(ServiceValidationError):
            data = ACTIONS[action](base | {field: odd})
            if "expires_in" in data or "expired_time" in data:
                resolve_times(data, NOW)
            continue
        refused += 1
    assert refused


@pytest.mark.parametrize("action", ["request_reading", "offline_read", "get_history", "import_history"])
@pytest.mark.parametrize("field", sorted(TARGET_FIELDS - {"device_id"}))
async def test_an_odd_target_is_accepted_or_refused_with_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, action: str, field: str
) -> None:
    """No value, of whatever type, makes the target raise another exception."""
    base = {"obj_id": 3303} | EXPIRY if action == "offline_read" else {}
    for odd in ODD:
        with suppress(ServiceValidationError):
            ACTIONS[action](base | {field: odd})


@pytest.mark.parametrize("bug", [AttributeError, TypeError, KeyError, IndexError, ZeroDivisionError, OverflowError])
def test_a_bug_in_a_validator_is_not_reported_as_a_wrong_value(
    bug: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only vol.Invalid and ValueError mean a wrong value; any other exception leaves the schema as it is."""

    def broken(value: Any) -> Any:
        raise bug

    with pytest.raises(bug):
        ActionSchema({vol.Required("imei"): broken})({"imei": IMEI})
    monkeypatch.setattr(validation, "lwm2m_id", broken)
    with pytest.raises(bug):
        ACTIONS["write"](WRITE)


# How far the platform's clock is ahead of Home Assistant's.
CLOCKS = pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(hours=-3)], ids=["a day slow", "3 hours fast"])


async def learn_time(hass: HomeAssistant, onenet: Server, ahead: timedelta) -> datetime:
    """Set the platform's clock, let the client receive it, and return the platform's time."""
    onenet.onenet.clock.offset = ahead
    await act(hass, "list_commands", imei=IMEI)
    onenet.requests.clear()
    return NOW + ahead


def sent_time(onenet: Server, name: str) -> datetime:
    """Return a time of the last request."""
    return datetime.fromisoformat(onenet.requests[-1].query[name] + "+08:00")


@CLOCKS
async def test_a_duration_counts_from_the_time_of_the_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, ahead: timedelta
) -> None:
    """A wrong clock of Home Assistant does not change how long a command may wait."""
    now = await learn_time(hass, onenet, ahead)
    for action, fields in (("offline_read", OFFLINE_READ), ("read", READ | QUEUE)):
        await act(hass, action, **fields | {"expires_in": {"hours": 1}})
        assert abs(sent_time(onenet, "expired_time") - now - timedelta(hours=1)) <= timedelta(seconds=1)


@CLOCKS
async def test_times_are_compared_with_the_time_of_the_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, ahead: timedelta
) -> None:
    """A time that is in the past at the platform is an error, and no command is sent."""
    now = await learn_time(hass, onenet, ahead)
    past, soon = (now - timedelta(minutes=1)).isoformat(), (now + timedelta(minutes=1)).isoformat()
    wrong: list[tuple[dict[str, Any], str]] = [
        (OFFLINE_READ | {"valid_time": past}, "valid_time_past"),
        (OFFLINE_READ | {"expires_in": None, "expired_time": past}, "expired_time_past"),
        (OFFLINE_READ | {"valid_time": soon, "expires_in": None, "expired_time": past}, "expired_time_past"),
    ]
    for fields, key in wrong:
        with pytest.raises(ServiceValidationError) as caught:
            await act(hass, "offline_read", **fields)
        assert caught.value.translation_key == key
    # The same error is raised before the device is called.
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "read", **READ, if_offline="queue", expired_time=past)
    assert caught.value.translation_key == "expired_time_past"
    assert not onenet.requests
    await act(hass, "offline_read", **OFFLINE_READ | {"expires_in": None, "expired_time": soon})
    assert sent_time(onenet, "expired_time") == now + timedelta(minutes=1)
    # A valid_time within seconds of now is not sent.
    await act(hass, "offline_read", **OFFLINE_READ | {"valid_time": (now + timedelta(seconds=2)).isoformat()})
    assert "valid_time" not in onenet.requests[-1].query


async def test_now_in_a_template_is_accepted_although_the_clock_is_seconds_slow(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A valid_time of Home Assistant's own time is accepted, and not sent."""
    await learn_time(hass, onenet, timedelta(seconds=4))
    await act(hass, "offline_read", **OFFLINE_READ | {"valid_time": NOW.isoformat()})
    assert "valid_time" not in onenet.requests[-1].query


@CLOCKS
async def test_list_commands_starts_a_week_before_the_time_of_the_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, ahead: timedelta
) -> None:
    """The default of `since` does not depend on Home Assistant's clock."""
    now = await learn_time(hass, onenet, ahead)
    await act(hass, "list_commands", imei=IMEI)
    assert abs(sent_time(onenet, "start") - now + timedelta(days=7)) <= timedelta(seconds=1)
