"""The README's YAML, as a reader would paste it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
import re
from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.onenet_nbiot import const, resources, validation
from custom_components.onenet_nbiot.command import VALUES_TOO_LARGE, VALUES_UNREADABLE
from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.manager import IfWaiting
from custom_components.onenet_nbiot.onenet import errors, models, operations
from custom_components.onenet_nbiot.sensor import ATTR_FULL_VALUE
from custom_components.onenet_nbiot.validation import IfOffline

from .conftest import IMEI, add_device
from .emulator import Device, SendStatus, Server, Trigger
from .test_translations import ACTIONS, INTEGRATION, family, load

OTHER = "866971030000002"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
# What an example has in place of a device's id, which Home Assistant makes up.
DEVICE_ID = "d3f29c71b8e04a6f9a5be8470c1d2f36"
README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(kind: str) -> list[Any]:
    """Return the YAML blocks that begin with a comment of this kind."""
    found = [parse_yaml(text) for text in re.findall(rf"```yaml\n# {re.escape(kind)}\n(.*?)```", README, re.DOTALL)]
    assert found
    return found


def raised_keys() -> set[str]:
    """Return the translation keys of the errors that an action or a button raises, except those of wrong fields."""
    # Wrong fields, and what is typed in dialogs, have texts that explain themselves.
    others = {"validation.py", "config_flow.py", "device_flow.py"}
    modules = [path for path in INTEGRATION.glob("*.py") if path.name not in others]
    strings = set(re.findall(r'"(\w+)"', "".join(path.read_text() for path in modules)))
    keys = strings & set(load("translations/en.json")["exceptions"])
    return {key for key in keys if not key.startswith("invalid_")}


def record(send_status: int) -> models.CommandRecord:
    """Return a command that OneNET ended with this status without an answer of the device."""
    return models.CommandRecord.from_wire({"send_status": send_status}, "42742677-adc3-54ca-83a1-5aaaf71482f8")


def assert_like(data: Mapping[str, Any], documented: dict[str, Any]) -> None:
    """Compare an event with one that the README shows."""
    assert set(data) == set(documented)
    for name, value in data.items():
        assert isinstance(documented[name], type(value)), name


async def trigger_until_queued(hass: HomeAssistant, automation: str, events: list[Event]) -> None:
    """Trigger an automation that waits, and return when it does."""
    await hass.services.async_call("automation", "trigger", {"entity_id": f"automation.{automation}"})
    while not events:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0.01)


@pytest.fixture
async def notifications(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> AsyncIterator[list[Any]]:
    """Load the README's automations and scripts, and return the notifications that they send."""
    onenet.onenet.products[0].add(OTHER, "Manhole cover", {(3200, 0, 5500): False})
    await add_device(hass, account, "3200/0/5500", imei=OTHER, title="Manhole cover, West Street")
    automations = [automation for block in blocks("automations.yaml") for automation in block]
    (actions,) = (automation["actions"] for automation in automations if DEVICE_ID in str(automation.get("actions")))
    actions[0]["data"]["device_id"] = account.runtime_data.devices.device_id(OTHER)
    scripts = {name: script for block in blocks("scripts.yaml") for name, script in block.items()}
    assert await async_setup_component(hass, "automation", {"automation": automations})
    assert await async_setup_component(hass, "script", {"script": scripts})
    await hass.async_block_till_done()
    assert len(hass.states.async_entity_ids("automation")) == len(automations)
    yield async_mock_service(hass, "persistent_notification", "create")
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


async def test_the_morning_automation_asks_and_tells(
    hass: HomeAssistant, onenet: Server, notifications: list[Any]
) -> None:
    """A reader's first automation would not work."""
    entity_id = "automation.read_the_water_meter_every_morning"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    assert onenet.onenet.commands[0].uuid in notifications[0].data["message"]


async def test_a_refusal_is_told_by_the_second_automation(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], expected_warnings: list[str]
) -> None:
    """A reader would not hear of a refused command."""
    expected_warnings.append("Read the water meter every morning: Error executing script.")
    expected_warnings.append("Error while executing automation automation.read_the_water_meter_every_morning")
    del onenet.onenet.products[0].devices[IMEI]
    entity_id = "automation.read_the_water_meter_every_morning"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    assert IMEI in notifications[0].data["title"]
    assert notifications[0].data["message"].startswith("unknown_device: ")


async def test_the_third_and_the_fourth_automation_tell_the_value(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, notifications: list[Any], events: list[Event]
) -> None:
    """A reader could ask for a value, but never get it."""
    await trigger_until_queued(hass, "read_the_water_meter_and_tell_the_value", events)
    assert not notifications
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await account.runtime_data.async_refresh()
    await hass.async_block_till_done()
    told = {notification.data["title"]: notification.data["message"] for notification in notifications}
    assert told == {"Water meter": "21.5 °C", f"{IMEI} has answered": "Reading: 21.5"}
    for event, documented in zip(events, blocks("event"), strict=True):
        assert event.data["type"] == documented["type"]
        assert_like(event.data, documented)


async def test_the_third_automation_tells_that_there_is_no_value(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, notifications: list[Any], events: list[Event]
) -> None:
    """A reader would wait for a reading that never comes."""
    await trigger_until_queued(hass, "read_the_water_meter_and_tell_the_value", events)
    onenet.onenet.clock.offset += timedelta(hours=7)
    await account.runtime_data.manager.async_poll_device(IMEI)
    await hass.async_block_till_done()
    assert notifications[0].data["message"] == "No reading: expired"


async def test_the_fifth_automation_does_not_fill_the_queue(
    hass: HomeAssistant, onenet: Server, notifications: list[Any]
) -> None:
    """A reader would fill the queue of a device that sleeps, or never ask it again."""
    entity_id = "automation.ask_the_water_meter_every_hour"
    for _ in range(3):
        await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    assert len(onenet.onenet.commands) == 1
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    assert len(onenet.onenet.commands) == 2


async def test_the_sixth_automation_leaves_only_the_last_wish(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, device: Device, notifications: list[Any]
) -> None:
    """A reader's valve would go through all that was ever wanted, be told it in a wrong type, or pass for a reading."""
    device.resources[3306, 0, 5850] = False
    for wish in ("on", "off", "on"):
        hass.states.async_set("input_boolean.valve", wish)
    await hass.async_block_till_done()
    assert [command.send_status for command in onenet.onenet.commands] == [
        SendStatus.CANCELLED,
        SendStatus.CANCELLED,
        SendStatus.WAITING,
    ]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert device.resources[3306, 0, 5850] is True
    await account.runtime_data.manager.async_poll_device(IMEI)
    await hass.async_block_till_done()
    assert account.runtime_data.manager.waiting == 0
    assert not notifications


async def test_the_seventh_automation_reads_at_once_or_when_the_device_wakes(
    hass: HomeAssistant, onenet: Server, notifications: list[Any]
) -> None:
    """A reader could not tell a reading from a command that waits."""
    for pressed_at in ("2030-01-31T08:00:00+00:00", "2030-01-31T09:00:00+00:00"):
        hass.states.async_set("input_button.read_water_meter", pressed_at)
        await hass.async_block_till_done()
    assert len(onenet.onenet.commands) == 1
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    hass.states.async_set("input_button.read_water_meter", "2030-01-31T10:00:00+00:00")
    await hass.async_block_till_done()
    asleep = "It sleeps, and will be read when it wakes."
    assert [notification.data["message"] for notification in notifications] == [asleep, asleep, "21.5 °C"]
    assert len(onenet.onenet.commands) == 1


async def test_the_eighth_automation_names_its_device_by_its_id(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], events: list[Event]
) -> None:
    """A reader who picks a device by its name would read another, or none."""
    entity_id = "automation.read_the_manhole_cover_every_evening"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    assert [command.imei for command in onenet.onenet.commands] == [OTHER]
    assert set(events[0].data) == {*blocks("event")[0], "device_id"}


async def test_the_ninth_automation_tells_what_a_device_has_told(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, notifications: list[Any]
) -> None:
    """A reader would not hear of what their device has noticed."""
    account.runtime_data.devices.async_update_from_read(
        OTHER, [{"obj_id": 3200, "obj_inst_id": 0, "res_id": 5500, "value": False}], NOON
    )
    await hass.async_block_till_done()
    assert not notifications
    account.runtime_data.devices.async_update_from_read(
        OTHER, [{"obj_id": 3200, "obj_inst_id": 0, "res_id": 5500, "value": True}], NOON + timedelta(minutes=1)
    )
    await hass.async_block_till_done()
    assert [notification.data["message"] for notification in notifications] == ["It is open."]


async def test_the_card_shows_what_a_device_has(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A reader would see warnings on their dashboard instead of values."""
    await add_device(hass, account, "3303/0/5700", title="Water meter, kitchen")
    (card,) = blocks("card of a device")
    assert [entity["entity"] for entity in card["entities"] if not hass.states.get(entity["entity"])] == []


async def test_the_dashboards_button_runs_the_script(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], events: list[Event]
) -> None:
    """A reader's button would do nothing, and the documented event be another."""
    domain, service = blocks("dashboard card")[0]["tap_action"]["perform_action"].split(".")
    await hass.services.async_call(domain, service, blocking=True)
    assert len(onenet.onenet.commands) == 1
    assert_like(events[0].data, blocks("event")[0])


async def test_every_action_entity_and_word_is_explained(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A reader would meet a word that nobody explains."""
    await add_device(hass, account, "3303/0/5700", title="Water meter, kitchen")
    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    (event_types,) = {tuple(state.attributes["event_types"]) for state in hass.states.async_all("event")}
    words = {
        *(f"{DOMAIN}.{action}" for action in hass.services.async_services_for_domain(DOMAIN)),
        *(entity.entity_id for entity in entities),
        *event_types,
        *(f"command_{change}" for change in event_types),
        *models.CommandState,
        *IfWaiting,
        *IfOffline,
        *(str(field) for schema in ACTIONS.values() for field in schema.schema),
        *(
            name.lower()
            for kind in (operations.Trigger, operations.ValueType, operations.WriteMode)
            for name in kind.__members__
        ),
        validation._TEXT,
        # The first one is that of a success, which has no reason.
        *models._CONFIRM_STATUS[1:],
        *(record(send_status).reason for send_status in (6, 7)),
        VALUES_TOO_LARGE,
        VALUES_UNREADABLE,
        *family(errors.OneNetError),
        *raised_keys(),
        # The fields of events and responses, and the attributes of entities.
        *(value for name, value in vars(const).items() if name.startswith("ATTR_") and value != const.ATTR_ACTION),
        ATTR_FULL_VALUE,
    }
    assert words > {"command_sent", "not_queued", "not_waiting", "which_account", "undefined", "values_omitted"}
    assert sorted(word for word in words if f"`{word}`" not in README) == []
    # What resources are called has a test of its own.
    described = {description.translation_key for description in resources._TABLE.values()}
    # The key of resources with the registry's name only translates attributes.
    described.add(resources.KEY_RESOURCE)
    named = {key for keys in load("translations/en.json")["entity"].values() for key in keys} - described
    assert named == {"connectivity", "command", "waiting_commands", "read_now"}
    names = {entity.original_name for entity in entities if entity.translation_key in named}
    assert len(names) == len(named)
    assert sorted(str(name) for name in names if f"*{name}*" not in README) == []


def test_every_object_whose_resources_have_names_is_listed() -> None:
    """A reader could not know whether their device's values will have a name and a unit."""
    listed = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", README, re.MULTILINE)
    texts = load("translations/en.json")["entity"]
    shown: dict[int, list[str]] = {}
    for (obj_id, _), description in resources._TABLE.items():
        sensor = isinstance(description, resources.ResourceSensorDescription)
        name = texts["sensor" if sensor else "binary_sensor"][description.translation_key]["name"]
        shown.setdefault(obj_id, []).append(name.removesuffix("{number}"))
    assert [int(obj_id) for obj_id, _, _ in listed] == sorted(shown)
    for obj_id, _, told in listed:
        assert [name for name in shown[int(obj_id)] if name not in told] == []
