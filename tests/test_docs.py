"""The examples in the documents run, and their lists match the code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
import json
from pathlib import Path
import re
import shutil
from typing import Any

from homeassistant.core import Event, HomeAssistant, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from custom_components import onenet_nbiot
from custom_components.onenet_nbiot import condition as condition_platform, lwm2m, trigger as trigger_platform
from custom_components.onenet_nbiot.const import CONF_CONTROLS, DOMAIN
from custom_components.onenet_nbiot.onenet import errors, models, operations

from .common import (
    IMEI,
    act,
    add_device,
    device_id,
    devices_of,
    offline_read,
    pass_time,
    poll_device,
    refresh,
    until,
)
from .emulator import Device, SendStatus, Server, Trigger

ROOT = Path(__file__).parents[1]
INTEGRATION = Path(onenet_nbiot.__file__).parent
README, CHINESE = "README.md", "README.zh-Hans.md"
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}
SERVICES = load_yaml_dict(str(INTEGRATION / "services.yaml"))
ENGLISH: dict[str, Any] = json.loads((INTEGRATION / "translations" / "en.json").read_text())
TEXTS = {README: ENGLISH, CHINESE: json.loads((INTEGRATION / "translations" / "zh-Hans.json").read_text())}

COVER = "866971030000002"
LAMP = "866971030000007"
COVER_TITLE = "Manhole cover, West Street"
# The examples have this id in place of the one that Home Assistant assigns.
DEVICE_ID = "d3f29c71b8e04a6f9a5be8470c1d2f36"
METER_READ: dict[str, Any] = {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
ASLEEP = "The device sleeps and will be read when it wakes."

type Loader = Callable[..., Awaitable[str]]

# The first line of a YAML block is its kind.
KINDS = {"automations.yaml", "scripts.yaml", "event", "card of a device", "card of a script"}
BLOCKS = [
    (name, *found)
    for name, text in DOCUMENTS.items()
    for found in re.findall(r"```yaml\n(.*?)\n(.*?)```", text, re.DOTALL)
]


def blocks(kind: str) -> list[Any]:
    """Return the content of all YAML blocks of a kind."""
    assert kind in KINDS
    return [parse_yaml(text) for _, first, text in BLOCKS if first == f"# {kind}"]


AUTOMATIONS: dict[str, dict[str, Any]] = {
    automation["alias"]: automation for block in blocks("automations.yaml") for automation in block
}
SCRIPTS: dict[str, dict[str, Any]] = {
    name: script for block in blocks("scripts.yaml") for name, script in block.items()
}


def without_code(text: str) -> str:
    """Return a document without its code blocks."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def words(text: str) -> set[str]:
    """Return the words that a text has as code."""
    return set(re.findall(r"`([\w.]+)`", text))


def headings(text: str) -> list[tuple[int, str]]:
    """Return the level and the text of every heading."""
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", without_code(text), re.MULTILINE)]


def anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def section(document: str, name: str) -> str:
    """Return the text under the heading with this anchor, up to the next heading."""
    parts = re.split(r"^#+ (.+)$", without_code(DOCUMENTS[document]), flags=re.MULTILINE)
    (found,) = (text for title, text in zip(parts[1::2], parts[2::2], strict=True) if anchor(title) == name)
    return found


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of all tables in a text, by the titles of their columns."""
    found = []
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        titles, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        found += [dict(zip(titles, line, strict=True)) for line in lines]
    return found


def links(document: str) -> list[str]:
    """Return the targets of the links and pictures of a document."""
    found = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', without_code(DOCUMENTS[document]))
    return [link or picture for link, picture in found]


# --- Examples


async def trigger(hass: HomeAssistant, automation: str) -> None:
    """Run an automation to its end."""
    await hass.services.async_call("automation", "trigger", {"entity_id": automation}, blocking=True)
    await hass.async_block_till_done()


async def trigger_until_queued(hass: HomeAssistant, automation: str, events: list[Event]) -> None:
    """Run an automation that waits until it has queued its command."""
    await hass.services.async_call("automation", "trigger", {"entity_id": automation})
    while not events:  # noqa: ASYNC110 - no signal marks the end of the first action
        await asyncio.sleep(0.01)


async def get_command(hass: HomeAssistant, event: Event, **fields: Any) -> dict[str, Any]:
    """Request the command of an event, which fires its new state; return the response."""
    response: dict[str, Any] = await act(hass, "get_command", uuid=event.data["uuid"], **fields)
    await hass.async_block_till_done()
    return response


@pytest.fixture
async def load_automation(hass: HomeAssistant) -> AsyncIterator[Loader]:
    """Return a function that loads the example with an alias, for a device, and returns its entity id."""

    async def load(alias: str, device_id: str = DEVICE_ID) -> str:
        automation = json.loads(json.dumps(AUTOMATIONS[alias]).replace(DEVICE_ID, device_id))
        assert await async_setup_component(hass, "automation", {"automation": [automation]})
        await hass.async_block_till_done()
        (state,) = hass.states.async_all("automation")
        assert (state.state, state.attributes["friendly_name"]) == ("on", alias)
        return state.entity_id

    yield load
    # Unload the automations, whose triggers would stay after the test.
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture
def notifications(hass: HomeAssistant) -> list[Any]:
    """Return the notifications that the examples create."""
    return async_mock_service(hass, "persistent_notification", "create")


@pytest.fixture
async def cover(hass: HomeAssistant, onenet: Server, account: MockConfigEntry) -> Device:
    """Return the manhole cover of the examples, which was added to Home Assistant."""
    device = onenet.onenet.products[0].add(COVER, "Manhole cover", {(3200, 0, 5500): False})
    await add_device(hass, account, "3200/0/5500", imei=COVER, title=COVER_TITLE)
    return device


def test_every_yaml_block_is_run_by_a_test() -> None:
    """Every block is of a known kind, and every automation and script is named in a test of this module."""
    assert [(name, first) for name, first, _ in BLOCKS if first.removeprefix("# ") not in KINDS] == []
    source = Path(__file__).read_text()
    assert [name for name in (*AUTOMATIONS, *SCRIPTS) if f'"{name}"' not in source] == []


def test_every_automation_has_a_unique_alias() -> None:
    """No alias occurs twice in the documents."""
    assert len(AUTOMATIONS) == sum(len(block) for block in blocks("automations.yaml"))


@pytest.mark.usefixtures("load_automation")
async def test_all_automations_and_scripts_load_together(
    hass: HomeAssistant, account: MockConfigEntry, cover: Device
) -> None:
    """All examples can be pasted into one configuration."""
    assert await async_setup_component(hass, "automation", {"automation": list(AUTOMATIONS.values())})
    assert await async_setup_component(hass, "script", {"script": SCRIPTS})
    await hass.async_block_till_done()
    states = {state.attributes["friendly_name"]: state.state for state in hass.states.async_all("automation")}
    assert states == dict.fromkeys(AUTOMATIONS, "on")
    assert len(hass.states.async_all("script")) == len(SCRIPTS)


@pytest.mark.parametrize("alias", ["Read the water meter when it wakes", "设备唤醒时读取水表"])
async def test_the_first_example_of_the_readme_queues_one_read(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, alias: str
) -> None:
    """Triggered on two days, the automation queues one read, which waits for 12 hours."""
    automation = await load_automation(alias)
    for _ in range(2):
        await trigger(hass, automation)
    (command,) = onenet.onenet.commands
    assert (command.kind, command.imei, command.args["res_id"]) == ("READ", IMEI, "5700")
    # The queue and the rounding take less than two seconds.
    assert abs(command.expired_time - command.create_time - timedelta(hours=12)) < timedelta(seconds=2)


@pytest.mark.parametrize("alias", ["Warn of frost at the water meter", "水表防冻提醒"])
async def test_the_second_example_of_the_readme_acts_on_the_result(
    hass: HomeAssistant,
    onenet: Server,
    device: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
    alias: str,
) -> None:
    """The automation warns of a reading below 3 °C, and shows it."""
    await load_automation(alias)
    for temperature in (21.5, 2.5):
        device.resources[3303, 0, 5700] = temperature
        await offline_read(hass, obj_inst_id=0, res_id=5700)
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await get_command(hass, events[-1])
    (notification,) = notifications
    assert "2.5 °C" in notification.data["message"]


async def test_use_the_response(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """The notification has the UUID of the queued command."""
    await trigger(hass, await load_automation("Read the water meter every morning"))
    assert onenet.onenet.commands[0].uuid in notifications[0].data["message"]


async def test_wait_for_the_result(
    hass: HomeAssistant,
    onenet: Server,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """The automation ends with the value when the device has answered."""
    await trigger_until_queued(hass, await load_automation("Read the water meter and show the value"), events)
    assert not notifications
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await get_command(hass, events[0])
    assert [notification.data["message"] for notification in notifications] == ["21.5 °C"]


async def test_wait_for_the_result_of_a_command_that_expires(
    hass: HomeAssistant,
    onenet: Server,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """The automation ends with the state when the command has expired."""
    await trigger_until_queued(hass, await load_automation("Read the water meter and show the value"), events)
    onenet.onenet.clock.offset += timedelta(hours=7)
    await get_command(hass, events[0])
    assert [notification.data["message"] for notification in notifications] == ["No reading: expired"]


async def test_act_on_every_result(
    hass: HomeAssistant,
    onenet: Server,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """The automation shows a reading that was requested elsewhere."""
    await load_automation("Show every reading")
    await offline_read(hass, obj_inst_id=0, res_id=5700)
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await get_command(hass, events[0])
    (notification,) = notifications
    assert (notification.data["title"], notification.data["message"]) == (f"{IMEI} has answered", "Reading: 21.5")


async def test_act_on_refused_commands(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """The automation shows the device, the reason and the message of a refusal."""
    await load_automation("Show refused commands")
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)
    await hass.async_block_till_done()
    assert IMEI in notifications[0].data["title"]
    assert notifications[0].data["message"].startswith("unknown_device: ")


async def test_keep_the_queue_short(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader
) -> None:
    """One read waits at a time; after it was answered, the next is queued."""
    automation = await load_automation("Read the water meter every hour")
    for _ in range(3):
        await trigger(hass, automation)
    assert len(onenet.onenet.commands) == 1
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await trigger(hass, automation)
    assert len(onenet.onenet.commands) == 2


async def test_write_the_latest_value_only(
    hass: HomeAssistant, onenet: Server, device: Device, account: MockConfigEntry, load_automation: Loader
) -> None:
    """Only the last write waits, and the device gets a Boolean."""
    device.resources[3306, 0, 5850] = False
    await load_automation("Set the valve when it wakes")
    for state in ("on", "off", "on"):
        hass.states.async_set("input_boolean.valve", state)
    await hass.async_block_till_done()
    assert [command.send_status for command in onenet.onenet.commands] == [
        SendStatus.CANCELLED,
        SendStatus.CANCELLED,
        SendStatus.WAITING,
    ]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert device.resources[3306, 0, 5850] is True


async def test_read_immediately_or_when_the_device_wakes(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """A sleeping device gets one queued read, a device that is awake returns its value."""
    await load_automation("Read the water meter now or when it wakes")
    for pressed_at in ("2030-01-31T08:00:00+00:00", "2030-01-31T09:00:00+00:00"):
        hass.states.async_set("input_button.read_water_meter", pressed_at)
        await hass.async_block_till_done()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    hass.states.async_set("input_button.read_water_meter", "2030-01-31T10:00:00+00:00")
    await hass.async_block_till_done()
    assert [notification.data["message"] for notification in notifications] == [ASLEEP, ASLEEP, "21.5 °C"]
    assert len(onenet.onenet.commands) == 1


async def test_select_the_device_by_name(
    hass: HomeAssistant,
    onenet: Server,
    cover: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    events: list[Event],
) -> None:
    """A device_id selects its device, and the event has it, too."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    (device_id,) = (device.id for device in devices if device.serial_number == COVER)
    await trigger(hass, await load_automation("Read the manhole cover every evening", device_id))
    assert [command.imei for command in onenet.onenet.commands] == [COVER]
    assert events[0].data["device_id"] == device_id


async def test_read_a_resource_and_wait(
    hass: HomeAssistant,
    onenet: Server,
    cover: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """The script of the blueprint returns the value to the automation."""
    cover.resources[3303, 0, 5700] = 4.5
    shutil.copytree(ROOT / "blueprints", hass.config.path("blueprints"))
    script = {"use_blueprint": {"path": "onenet_nbiot/read_and_wait.yaml", "input": {}}}
    assert await async_setup_component(hass, "script", {"script": {"read_and_wait": script}})
    device_id = devices_of(account).added[COVER].device_id
    automation = await load_automation("Show the temperature of the manhole cover at noon", device_id)
    await trigger_until_queued(hass, automation, events)
    onenet.onenet.wake(COVER, Trigger.UPDATE)
    await get_command(hass, events[0])
    await until(lambda: notifications)
    assert [notification.data["message"] for notification in notifications] == ["4.5 °C"]


async def test_read_everything_in_an_area(
    hass: HomeAssistant,
    onenet: Server,
    cover: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
) -> None:
    """The devices of the area are read, and the notification counts the queued reads."""
    await add_device(hass, account, "3303/0/5700")
    area = ar.async_get(hass).async_create("Basement")
    assert area.id == "basement"
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, account.entry_id):
        if device.serial_number:
            registry.async_update_device(device.id, area_id=area.id)
    await trigger(hass, await load_automation("Read the meters in the basement every week"))
    assert {command.imei for command in onenet.onenet.commands} == {IMEI, COVER}
    assert [notification.data["message"] for notification in notifications] == ["Queued reads: 2"]


async def test_use_past_values(
    hass: HomeAssistant,
    onenet: Server,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
) -> None:
    """The notification has the lowest of the values that the device sent in the night."""
    await add_device(hass, account, "3303/0/5700", title="Water meter, kitchen")
    automation = await load_automation("Show the coldest temperature of the night")
    await trigger(hass, automation)
    assert not notifications
    now = dt_util.now().replace(microsecond=0)
    for hours, value in ((10, 1.5), (8, 4.5), (5, 3.5), (1, 6.5)):
        onenet.onenet.report(IMEI, {(3303, 0, 5700): value}, now - timedelta(hours=hours))
    await trigger(hass, automation)
    at = (now - timedelta(hours=5)).strftime("%H:%M")
    assert [notification.data["message"] for notification in notifications] == [f"3.5 °C at {at}"]


async def test_import_past_values(hass: HomeAssistant, account: MockConfigEntry, notifications: list[Any]) -> None:
    """The notification has the number of resources whose history is fetched in the background."""
    await add_device(hass, account, "3303/0/5700", "3424/0/1")
    area = ar.async_get(hass).async_create("Basement")
    dr.async_get(hass).async_update_device(device_id(hass, account), area_id=area.id)
    hass.config.components.add("recorder")
    assert await async_setup_component(hass, "script", {"script": {"import_a_year": SCRIPTS["import_a_year"]}})
    await hass.services.async_call("script", "import_a_year", blocking=True)
    assert [notification.data["message"] for notification in notifications] == ["Resources to import: 2"]
    assert account.runtime_data.history.summary()["waiting"] == 2


async def test_use_the_entities(
    hass: HomeAssistant,
    onenet: Server,
    cover: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
) -> None:
    """The automation warns when the binary sensor turns on."""
    await load_automation("Warn of an open manhole cover")
    onenet.onenet.wake(COVER, Trigger.UPDATE)
    for is_open in (False, True):
        assert not notifications
        cover.resources[3200, 0, 5500] = is_open
        await act(hass, "read", imei=COVER, obj_id=3200, obj_inst_id=0, res_id=5500)
        await hass.async_block_till_done()
    assert [notification.data["message"] for notification in notifications] == ["The cover is open."]


@pytest.mark.parametrize("wakes", [False, True])
async def test_control_a_device_that_sleeps(
    hass: HomeAssistant,
    onenet: Server,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
    events: list[Event],
    *,
    wakes: bool,
) -> None:
    """The automation waits for the confirmed state, and reports a lamp that does not confirm it."""
    onenet.onenet.products[0].add(LAMP, "Street lamp 7", {(3311, 0, 5850): False})
    await add_device(hass, account, imei=LAMP, title="Street lamp 7", **{CONF_CONTROLS: ["3311/0/5850"]})
    automation = await load_automation("Switch on the street lamp at sunset")
    await trigger_until_queued(hass, automation, events)
    # No event marks the beginning of the wait.
    light = "light.street_lamp_7_light"
    await until(lambda: (tracked := hass.data.get("track_state_change_data")) and light in tracked.callbacks)
    if wakes:
        onenet.onenet.wake(LAMP, Trigger.UPDATE)
        await poll_device(account, LAMP)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await hass.async_block_till_done()
    message = "The lamp has not confirmed that it is on."
    assert [notification.data["message"] for notification in notifications] == ([] if wakes else [message])


async def test_the_card_of_a_device_shows_entities_that_exist(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Every entity of the card is one of a water meter with the title of the card."""
    (card,) = blocks("card of a device")
    await add_device(hass, account, "3303/0/5700", title=card["title"])
    assert [entity["entity"] for entity in card["entities"] if not hass.states.get(entity["entity"])] == []


async def test_the_card_of_a_script_runs_the_script(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry
) -> None:
    """A tap on the button queues the read of the script."""
    (card,) = blocks("card of a script")
    domain, service = card["tap_action"]["perform_action"].split(".")
    assert service == "read_water_meter"
    assert await async_setup_component(hass, "script", {"script": SCRIPTS})
    await hass.services.async_call(domain, service, blocking=True)
    assert len(onenet.onenet.commands) == 1


# --- triggers.md


async def basement(hass: HomeAssistant, account: MockConfigEntry, imei: str = IMEI) -> str:
    """Move a device to the basement, and return its id."""
    area = ar.async_get(hass).async_get_or_create("Basement")
    assert area.id == "basement"
    id_ = device_id(hass, account, imei)
    dr.async_get(hass).async_update_device(id_, area_id=area.id)
    await hass.async_block_till_done()
    return id_


async def wake_after_a_day(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Let a day pass, then let the device report, and poll."""
    await pass_time(account, onenet, timedelta(days=1))
    onenet.onenet.report(IMEI)
    await pass_time(account, onenet, timedelta(minutes=1))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)


async def be_silent(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Add the device, which was seen, and let it be overdue."""
    onenet.onenet.report(IMEI)
    await add_device(hass, account, "3303/0/5700", overdue_after=3600)
    await pass_time(account, onenet, timedelta(hours=2))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await hass.async_block_till_done()


async def test_command_finished_shows_the_temperatures_of_an_area(
    hass: HomeAssistant,
    onenet: Server,
    cover: Device,
    account: MockConfigEntry,
    load_automation: Loader,
    notifications: list[Any],
) -> None:
    """The notification has the name of the device in the area, and its value."""
    await load_automation("Show the temperatures in the basement")
    await add_device(hass, account, "3303/0/5700")
    await basement(hass, account)
    cover.resources[3303, 0, 5700] = 5
    for imei in (IMEI, COVER):
        await offline_read(hass, imei=imei)
        onenet.onenet.wake(imei, Trigger.UPDATE)
        await poll_device(account, imei)
    await hass.async_block_till_done()
    (notification,) = notifications
    assert (notification.data["title"], notification.data["message"]) == ("Water meter", "21.5 °C")


async def test_command_finished_shows_what_went_wrong(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """A failed command has a message, one that has expired has none."""
    await load_automation("Show commands that did not succeed")
    for obj_id in (3303, 3200):
        await offline_read(hass, obj_id=obj_id)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await offline_read(hass)
    await pass_time(account, onenet, timedelta(days=2))
    await poll_device(account)
    await hass.async_block_till_done()
    titles = [notification.data["title"] for notification in notifications]
    assert titles == [f"{IMEI}: read failed", f"{IMEI}: read expired"]
    assert notifications[0].data["message"]
    assert notifications[1].data["message"] == "No answer in time"


async def test_device_became_overdue_shows_the_device(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """The notification has the name of the device, and when it was last seen."""
    await load_automation("Show overdue devices")
    await be_silent(hass, account, onenet)
    (notification,) = notifications
    assert notification.data["title"] == "Water meter is silent"
    assert dt_util.parse_datetime(notification.data["message"].removeprefix("Last seen: "))


async def test_device_woke_up_requests_the_next_reading(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader
) -> None:
    """The second reading is not requested while the first one waits."""
    onenet.onenet.report(IMEI)
    await add_device(hass, account, "3303/0/5700")
    await load_automation("Request the next reading of the water meter", device_id(hass, account))
    for _ in range(2):
        await wake_after_a_day(hass, account, onenet)
        assert len(onenet.onenet.commands) == 1


async def test_device_is_overdue_shows_a_silent_meter(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, load_automation: Loader, notifications: list[Any]
) -> None:
    """The condition is tested every morning."""
    automation = await load_automation("Show every morning that a meter is silent")
    run = {"entity_id": automation, "skip_condition": False}
    await hass.services.async_call("automation", "trigger", run, blocking=True)
    assert not notifications
    await be_silent(hass, account, onenet)
    await basement(hass, account)
    await hass.services.async_call("automation", "trigger", run, blocking=True)
    assert len(notifications) == 1


async def test_every_variable_and_option_of_command_finished_is_explained(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The options and outcomes are those of the triggers."""
    table = rows(section("docs/triggers.md", "command-finished"))
    options = {word for row in table if "Option" in row for word in words(row["Option"])}
    assert options == set(load_yaml_dict(str(INTEGRATION / "triggers.yaml"))["command_finished"]["fields"])
    (outcomes,) = (words(row["Meaning"]) for row in table if row.get("Option") == "`outcome`")
    assert outcomes == set(trigger_platform.OUTCOMES)
    text = DOCUMENTS["docs/triggers.md"]
    kinds = {*trigger_platform.TRIGGERS, *condition_platform.CONDITIONS}
    assert {kind for kind in kinds if f"`{DOMAIN}.{kind}`" not in text} == set()


# --- events.md


async def test_the_examples_of_events_are_like_real_events(
    hass: HomeAssistant, onenet: Server, account: MockConfigEntry, events: list[Event]
) -> None:
    """Each example has the fields of a real event of its type, with values of the same types."""
    await offline_read(hass, obj_inst_id=0, res_id=5700)
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await get_command(hass, events[0])
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await offline_read(hass, obj_inst_id=0, res_id=5700)
    await hass.async_block_till_done()
    examples = json.loads(json.dumps(blocks("event")))
    for event, documented in zip(events, examples, strict=True):
        real = json.loads(json.dumps(event.data))
        assert real["type"] == documented["type"]
        assert {name: type(real[name]) for name in real} == {name: type(documented[name]) for name in documented}
    assert events[1].data["values"][0].keys() == examples[1]["values"][0].keys()


async def test_every_field_of_an_event_is_explained(
    hass: HomeAssistant, onenet: Server, device: Device, account: MockConfigEntry, events: list[Event]
) -> None:
    """Commands of each kind and result have the documented fields, and those of their type."""
    await add_device(hass, account, "3303/0/5700")
    device.resources[3306, 0, 5850] = False
    device.executables.add((3, 0, 4))
    start = onenet.onenet.clock.now() + timedelta(minutes=1)
    await act(hass, "offline_read", **METER_READ, expires_in={"hours": 2}, valid_time=start.isoformat())
    await act(hass, "cancel_command", uuid=events[0].data["uuid"])
    await act(hass, "offline_read", **METER_READ, expires_in={"hours": 1})
    await act(hass, "offline_read", **METER_READ | {"res_id": 9999}, expires_in={"hours": 1})
    instance: dict[str, Any] = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0, "expires_in": {"hours": 1}}
    await act(hass, "offline_write", **instance, values=[{"res_id": 5850, "value": True}])
    await act(hass, "offline_execute", **instance | {"obj_id": 3, "res_id": 4}, args="0='10'")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    for event in [event for event in events if event.data["type"] == "command_queued"]:
        await get_command(hass, event)
    await act(hass, "offline_read", **METER_READ, expires_in={"hours": 1})
    onenet.onenet.sleep(IMEI)
    await act(hass, "offline_read", **METER_READ, expires_in={"hours": 1})
    onenet.onenet.clock.offset += timedelta(hours=2)
    await get_command(hass, events[-1])
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)
    await hass.async_block_till_done()

    common = {word for row in rows(section("docs/events.md", "fields")) for word in words(row["Field"])}
    further = {
        row["`type`"].strip("`"): words(row["Further fields"])
        for row in rows(section("docs/events.md", "types"))
        if "Further fields" in row
    }
    seen: dict[str, set[str]] = {}
    for event in events:
        seen.setdefault(event.data["type"], set()).update(event.data)
    # No poll occurred while a command was sent.
    assert further.keys() - seen.keys() == {"command_sent"}
    assert {kind: fields - common - further[kind] for kind, fields in seen.items()} == {kind: set() for kind in seen}
    assert set.union(*seen.values()) >= common


async def test_every_type_of_event_is_explained(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The documented types are the event types of the event entity."""
    (types,) = {tuple(state.attributes["event_types"]) for state in hass.states.async_all("event")}
    listed = [row["`type`"].strip("`") for row in rows(section("docs/events.md", "types")) if "`type`" in row]
    assert sorted(listed) == sorted(f"command_{change}" for change in types)
    assert words(section("docs/resources.md", "entities-of-an-account")) >= set(types)


def test_every_reason_of_a_failed_command_is_explained() -> None:
    """The table has the word of every error of a device and of every final status of OneNET."""
    uuid = "42742677-adc3-54ca-83a1-5aaaf71482f8"
    ended = [{"send_status": 5, "confirm_status": status} for status in range(14)]
    ended += [{"send_status": status} for status in (6, 7, 8)]
    reasons = {models.CommandRecord.from_wire(record, uuid).reason for record in ended} - {None}
    listed = {word for row in rows(section("docs/events.md", "types")) for word in words(row.get("`reason`", ""))}
    assert listed == reasons


# --- actions.md


def described_fields(action: str) -> dict[str, dict[str, Any]]:
    """Return the fields of an action in services.yaml by name, those in its sections, too."""
    fields: dict[str, Any] = {}
    for name, field in SERVICES[action]["fields"].items():
        fields |= field.get("fields", {name: field})
    return fields


def example(action: str, field: str) -> Any:
    """Return the example of a field in services.yaml."""
    return parse_yaml(str(described_fields(action)[field]["example"]))


def schema_of(hass: HomeAssistant, action: str) -> Any:
    """Return the schema with which an action is registered."""
    return hass.services.async_services_for_domain(DOMAIN)[action].schema


def documented_fields(action: str) -> dict[str, dict[str, str]]:
    """Return the rows of an action's fields by name, with those of the sections that it refers to."""
    text = section("docs/actions.md", action)
    (more,) = re.findall(r"^Further fields: (.*)$", text, re.MULTILINE) or [""]
    texts = [text, *(section("docs/actions.md", name) for name in re.findall(r"\(#([\w-]+)\)", more))]
    found = [row for text in texts for row in rows(text) if "Values" in row]
    by_name = {row["Field"].strip("`"): row for row in found}
    assert len(by_name) == len(found)
    return by_name


def given(action: str) -> dict[str, Any]:
    """Return the fewest fields with which an action is valid."""
    fields = documented_fields(action)
    # Without the alternatives: their device does not exist, and their expiry may be in the past.
    needed: list[str] = [name for name in ("imei", "expires_in") if name in fields and fields[name]["Required"] != "no"]
    needed += [name for name, field in described_fields(action).items() if field.get("required")]
    needed += [name for name, field in fields.items() if field["Required"] == "without an entity"]
    return {name: example(action, name) for name in needed}


def refusal(hass: HomeAssistant, action: str, **data: Any) -> str | None:
    """Return the key of the error with which the schema refuses a call, None if it is accepted."""
    try:
        schema_of(hass, action)(data)
    except ServiceValidationError as err:
        return err.translation_key
    return None


FIELDS = [(action, field) for action in SERVICES for field in documented_fields(action)]


def test_every_action_is_documented_once() -> None:
    """README and actions.md list the actions of services.yaml."""
    titles = [title.strip("`") for _, title in headings(DOCUMENTS["docs/actions.md"]) if title.startswith("`")]
    overview = [row["Action"].split("`")[1].removeprefix(f"{DOMAIN}.") for row in rows(section(README, "actions"))]
    assert sorted(titles) == sorted(overview) == sorted(SERVICES)


@pytest.mark.parametrize("readme", TEXTS)
def test_the_readme_has_the_names_of_the_actions(readme: str) -> None:
    """The names are those of the action panel, in the language of the README."""
    named = {
        link.rpartition("#")[2]: name
        for link, name in re.findall(r"^\| \[`[\w.]+`\]\((\S+)\) \| (.+?) \|", DOCUMENTS[readme], re.MULTILINE)
    }
    assert named == {action: texts["name"] for action, texts in TEXTS[readme]["services"].items()}


@pytest.mark.parametrize("action", SERVICES)
async def test_every_field_of_an_action_is_documented(hass: HomeAssistant, action: str) -> None:
    """The documented fields, and which of them are required, are those of services.yaml and of the schema."""
    assert await async_setup_component(hass, DOMAIN, {})
    fields = documented_fields(action)
    assert set(fields) == set(described_fields(action)) == {str(field) for field in schema_of(hass, action).schema}
    data = given(action)
    assert refusal(hass, action, **data) is None
    required = {name for name, row in fields.items() if row["Required"] == "yes"}
    missing = {
        name
        for name in data
        if refusal(hass, action, **{k: v for k, v in data.items() if k != name}) == f"missing_{name}"
    }
    assert required == missing
    # Exactly one of two alternatives is required.
    for name, row in fields.items():
        if other := re.fullmatch(r"or `(\w+)`", row["Required"]):
            both = {field: example(action, field) for field in (name, other[1])}
            neither = {field: value for field, value in data.items() if field not in both}
            assert {refusal(hass, action, **neither), refusal(hass, action, **data | both)} in (
                {"one_device"},
                {"one_expiry"},
            )


@pytest.mark.parametrize("action", SERVICES)
async def test_the_documented_defaults_are_those_of_the_schema(hass: HomeAssistant, action: str) -> None:
    """Every default of the schema, and no other, is documented as code."""
    assert await async_setup_component(hass, DOMAIN, {})
    data = given(action)
    validated = schema_of(hass, action)(data)
    filled = {str(name): value for name, value in validated.items() if name not in data}
    defaults = {name: getattr(value, "name", str(value)).lower() for name, value in filled.items()}
    documented = {name: word for name, row in documented_fields(action).items() for word in words(row["Default"])}
    assert documented == defaults


@pytest.mark.parametrize(("action", "field"), FIELDS)
async def test_the_documented_values_are_those_of_the_schema(hass: HomeAssistant, action: str, field: str) -> None:
    """The limits of a range and every choice are accepted, values beyond are refused."""
    assert await async_setup_component(hass, DOMAIN, {})
    values = documented_fields(action)[field]["Values"]
    ((kind, options),) = described_fields(action)[field]["selector"].items()
    data = given(action)
    refused = "invalid_wait" if (action, field) == ("wait_for_command", "timeout") else f"invalid_{field}"
    if limits := re.search(r"(\d+) to (\d+)", values):
        low, high = map(int, limits.groups())
        at_limits = [refusal(hass, action, **data | {field: value}) for value in (low - 1, low, high, high + 1)]
        assert [key == refused for key in at_limits] == [True, False, False, True]
    match kind:
        case "number" if "min" in options:
            assert limits
            assert (low, high) == (options["min"], options["max"])
        case "select":
            choices = {choice if isinstance(choice, str) else choice["value"] for choice in options["options"]}
            assert words(values) == choices
            assert not [word for word in words(values) if refusal(hass, action, **data | {field: word}) == refused]
            assert refusal(hass, action, **data | {field: "another"}) == refused
        case "boolean":
            assert values == "true or false"
            assert refusal(hass, action, **data | {field: "another"}) == refused


def test_the_documented_limits_are_those_of_onenet() -> None:
    """Sizes and OneNET's own defaults are stated at the fields."""
    text = DOCUMENTS["docs/actions.md"]
    assert f"at most {operations.CONTENT_MAX:,} bytes" in text
    assert f"at most {operations.WAITING_MAX} waiting commands" in DOCUMENTS[README]
    assert {documented_fields(action)["timeout"]["Default"] for action in ("offline_read", "read", "discover")} == {
        str(operations.TIMEOUT_DEFAULT)
    }


def test_every_type_of_a_written_value_is_documented() -> None:
    """The types are the options of the action panel."""
    types = SERVICES["offline_write"]["fields"]["values"]["selector"]["object"]["fields"]["type"]["selector"]["select"]
    found = [row for row in rows(section("docs/actions.md", "values")) if "What is written" in row]
    assert list(dict.fromkeys(row["`type`"].strip("`") for row in found)) == types["options"]


@pytest.mark.parametrize("action", SERVICES)
async def test_an_action_responds_as_documented(hass: HomeAssistant, action: str) -> None:
    """The word after Response is whether an action has a response, and whether it is optional."""
    assert await async_setup_component(hass, DOMAIN, {})
    (word,) = re.findall(r"^\*\*Response\*\*: (\w+)", section("docs/actions.md", action), re.MULTILINE)
    expected = {"none": SupportsResponse.NONE, "optional": SupportsResponse.OPTIONAL, "always": SupportsResponse.ONLY}
    assert hass.services.supports_response(DOMAIN, action) is expected[word]


async def test_every_field_of_a_response_is_explained(
    hass: HomeAssistant, onenet: Server, device: Device, account: MockConfigEntry, events: list[Event]
) -> None:
    """The responses have no field that is not documented for their action or for events."""
    await add_device(hass, account, "3303/0/5700")
    device.executables.add((3, 0, 4))
    device.resources[3306, 0, 5850] = False
    actuator: dict[str, Any] = {
        "imei": IMEI,
        "obj_id": 3306,
        "obj_inst_id": 0,
        "values": [{"res_id": 5850, "value": True}],
    }
    await offline_read(hass, obj_inst_id=0, res_id=5700)
    await act(hass, "offline_write", **actuator, expires_in={"days": 1})
    await act(hass, "offline_execute", imei=IMEI, obj_id=3, obj_inst_id=0, res_id=4, args="0", expires_in={"days": 1})
    await offline_read(hass, obj_inst_id=0, res_id=9999)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    responses = {
        "get_command": [await get_command(hass, event, include_log=True) for event in events[:4]],
        "list_commands": [await act(hass, "list_commands", imei=IMEI), await act(hass, "list_commands")],
        "read": [await hass.services.async_call(DOMAIN, "read", METER_READ, blocking=True, return_response=True)],
        "write": [await hass.services.async_call(DOMAIN, "write", actuator, blocking=True, return_response=True)],
        "discover": [await act(hass, "discover", imei=IMEI, obj_id=3303)],
        "cancel_commands": [await act(hass, "cancel_commands", imei=IMEI)],
        "request_reading": [
            reading
            for entity in ("sensor.water_meter_temperature", "sensor.water_meter_waiting_commands")
            for reading in (await act(hass, "request_reading", entity_id=entity))["devices"].values()
        ],
    }
    event_fields = words(section("docs/events.md", "fields")) | words(section("docs/events.md", "values"))
    listed = words(section("docs/actions.md", "get_command")) | event_fields
    assert listed >= set().union(*responses["get_command"])
    for action, answers in responses.items():
        explained = words(section("docs/actions.md", action)) | words(section("docs/actions.md", "read")) | event_fields
        if action in ("get_command", "list_commands"):
            explained |= listed
        assert explained >= set(fields_of(answers)), action


def fields_of(response: Any) -> Iterator[str]:
    """Yield the names of all fields in a response, at every depth."""
    if isinstance(response, dict):
        yield from response
        response = list(response.values())
    if isinstance(response, list):
        for part in response:
            yield from fields_of(part)


def test_every_state_of_a_command_is_explained() -> None:
    """The table of states has every state of the client."""
    listed = [row["State"].strip("`") for row in rows(section("docs/how-it-works.md", "states"))]
    assert sorted(listed) == sorted(models.CommandState)


# --- errors.md


# The sections of errors.md about calls that were made.
OF_CALLS = ("errors-of-all-actions", "errors-of-queued-commands", "errors-of-immediate-commands")


def error_keys(*names: str) -> list[str]:
    """Return the keys that the tables of these sections of errors.md explain."""
    return [
        key
        for name in names
        for row in rows(section("docs/errors.md", name))
        for key in re.findall(r"`(\w+)`", row["Key"])
    ]


def test_every_error_is_explained_once() -> None:
    """The keys in errors.md are those of the translated errors."""
    listed = error_keys(*OF_CALLS, "wrong-fields", "errors-of-set-up")
    assert sorted(listed) == sorted(ENGLISH["exceptions"])


def test_the_errors_of_onenet_are_not_among_the_wrong_fields() -> None:
    """Every reason of the client is explained with its remedy."""

    def reasons(error: type[errors.OneNetError]) -> set[str]:
        own = {error.reason} if hasattr(error, "reason") else set()
        return own.union(*(reasons(child) for child in error.__subclasses__()))

    assert set(error_keys(*OF_CALLS)) >= reasons(errors.OneNetError)
    # Only a refusal by OneNET fires command_rejected; the other keys are in italics.
    text = "".join(section("docs/errors.md", name) for name in OF_CALLS)
    may_be_rejected = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    assert may_be_rejected <= reasons(errors.PlatformError)


def test_every_wrong_field_has_an_error() -> None:
    """For every field of an action, the error of a wrong value is explained."""
    assert {f"invalid_{field}" for _, field in FIELDS} <= set(error_keys("wrong-fields"))


def test_the_errors_that_an_action_lists_are_explained() -> None:
    """Every key in a list of errors in actions.md is in errors.md."""
    lines = re.findall(r"^\*\*Errors\*\*: (.*)$", DOCUMENTS["docs/actions.md"], re.MULTILINE)
    assert len(lines) == len(SERVICES)
    # Links are to actions.
    listed = set().union(*(words(re.sub(r"\[`\w+`\]", "", line)) for line in lines))
    assert listed
    assert listed <= set(error_keys(*OF_CALLS))


# --- resources.md


def test_the_listed_resources_are_those_that_the_dialog_preselects() -> None:
    """Each row has the name of an object, and the ids, names and units of its preselected resources."""
    described: dict[str, set[str]] = {}
    for (obj_id, res_id), description in lwm2m.DESCRIPTIONS.items():
        if not lwm2m.is_measurement(f"{obj_id}/0/{res_id}"):
            continue
        is_sensor = isinstance(description, lwm2m.ResourceSensorDescription)
        texts = ENGLISH["entity"][description.platform][description.translation_key]
        unit = getattr(description, "native_unit_of_measurement", None) if is_sensor else "on or off"
        unit = "time" if description.device_class == "timestamp" else unit
        name = texts["name"].removesuffix("{number}")
        described.setdefault(str(obj_id), set()).add(f"{res_id} {name}" + (f" ({unit})" if unit else ""))
    table = rows(section("docs/resources.md", "names-and-units"))
    assert {row["Object"]: set(row["Resources"].split(", ")) for row in table} == described
    assert [row["Name"] for row in table] == [lwm2m.lwm2m_name(f"{row['Object']}/0") for row in table]
    assert [row["Object"] for row in table] == sorted(described, key=int)


async def test_every_entity_is_explained(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Ids and names of the entities of an account and of a device are in resources.md."""
    await add_device(hass, account, "3303/0/5700", title="Water meter, kitchen")
    text = DOCUMENTS["docs/resources.md"]
    for entity in er.async_entries_for_config_entry(er.async_get(hass), account.entry_id):
        assert f"*{entity.name or entity.original_name}*" in text
        assert f"`{entity.entity_id}`" in text
    entities = [texts for platform in ENGLISH["entity"].values() for texts in platform.values()]
    assert words(text) >= {name for texts in entities for name in texts.get("state_attributes", ())}


# --- All documents


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_resolves(document: str) -> None:
    """Files exist, and anchors are headings of their document."""
    broken = []
    for link in links(document):
        if "://" in link:
            continue
        name, _, fragment = link.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        exists = path.exists()
        if exists and fragment:
            target = DOCUMENTS[path.resolve().relative_to(ROOT).as_posix()]
            exists = fragment in {anchor(title) for _, title in headings(target)}
        if not exists:
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_heading_has_a_unique_anchor(document: str) -> None:
    """No heading occurs twice in a document, except in the changelog."""
    anchors = [
        anchor(title) for level, title in headings(DOCUMENTS[document]) if document != "CHANGELOG.md" or level < 3
    ]
    assert len(anchors) == len(set(anchors))


def test_every_picture_and_every_document_is_linked() -> None:
    """No file in docs/ is unreachable from the README in either language."""
    linked = {
        Path(ROOT / document).parent.joinpath(link).resolve()
        for document in DOCUMENTS
        for link in (name.partition("#")[0] for name in links(document))
    }
    assert [path.name for path in sorted((ROOT / "docs").iterdir()) if path.resolve() not in linked] == []


def test_the_readme_is_a_landing_page() -> None:
    """It has 150 to 180 lines, and its first commands set everything up."""
    assert 150 <= len(DOCUMENTS[README].splitlines()) <= 180
    first = re.search(r"```bash\n(.*?)```", DOCUMENTS[README], re.DOTALL)
    assert first
    assert first[1].split() == ["scripts/demo", "scripts/test"]
    assert DOCUMENTS[README].index("```") == first.start()


def test_the_chinese_readme_has_the_same_content() -> None:
    """Sections, tables, lists, links, commands and examples are the same in both languages."""
    english, chinese = DOCUMENTS[README], DOCUMENTS[CHINESE]
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]
    # The first link of each document leads to the other language.
    swapped = {README: CHINESE, CHINESE: README}
    assert links(README) == [swapped.get(link, link.replace("-zh.png", ".png")) for link in links(CHINESE)]
    assert [line[:2] for line in without_code(english).splitlines()[4:] if line.startswith(("| ", "- ", "1."))] == [
        line[:2] for line in without_code(chinese).splitlines()[4:] if line.startswith(("| ", "- ", "1."))
    ]
    # Only texts are translated.
    translated = r"^( *-? *(?:alias|title|message)): .*$"
    assert [re.sub(translated, r"\1", text, flags=re.MULTILINE) for name, *_, text in BLOCKS if name == README] == [
        re.sub(translated, r"\1", text, flags=re.MULTILINE) for name, *_, text in BLOCKS if name == CHINESE
    ]
    assert words(without_code(english)) == words(without_code(chinese))


@pytest.mark.parametrize(("readme", "marks"), [(README, "**"), (CHINESE, "“”")])
def test_the_readme_uses_the_words_of_the_interface(readme: str, marks: str) -> None:
    """The names of options, buttons and entities are those of the interface."""
    texts = TEXTS[readme]
    steps = texts["config"]["step"]
    shown = [
        *steps["user"]["menu_options"].values(),
        *texts["selector"]["platform"]["options"].values(),
        *texts["selector"]["region"]["options"].values(),
        *texts["options"]["step"]["init"]["data"].values(),
        *texts["config_subentries"]["device"]["initiate_flow"].values(),
        *(texts["entity"]["button"][name]["name"] for name in ("read_now", "cancel_waiting")),
    ]
    assert [text for text in shown if f"{marks[0]}{text}{marks[1]}" not in DOCUMENTS[readme]] == []
    labels = [*steps["api_key"]["data"].values(), *steps["access_key"]["data"].values()]
    for part in steps["access_key"]["sections"].values():
        labels += [part["name"], *part["data"].values()]
    table = "".join(row for row in DOCUMENTS[readme].splitlines() if row.startswith("| "))
    # Words in brackets may be omitted.
    short = [found[0].strip() for text in labels if (found := re.match(r"[\w ]+", text))]
    assert [text for text in short if text not in table] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_address_of_the_repository_is_only_in_the_manifest(document: str) -> None:
    """The owner and the address are placeholders in one file."""
    manifest = json.loads((INTEGRATION / "manifest.json").read_text())
    address = manifest["documentation"].partition("://")[2]
    assert address not in DOCUMENTS[document]
    assert f"{address.split('/')[1]}/" not in DOCUMENTS[document]


def test_the_files_that_contributing_names_exist() -> None:
    """Each path is relative to the repository or to the integration."""
    named = re.findall(r"`([\w./]+(?:\.\w+|/))`", without_code(DOCUMENTS["CONTRIBUTING.md"]))
    named = [name for name in named if not name.startswith(".")]
    assert [name for name in named if not (ROOT / name).exists() and not (INTEGRATION / name).exists()] == []
