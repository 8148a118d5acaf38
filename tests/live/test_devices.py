"""Devices in a real browser: added, shown, read, reconfigured and removed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Error as PlaywrightError, Locator, Page, expect
import pytest
import pytest_asyncio

from tests.emulator import OneNet, Product, Server, Trigger

from .conftest import KEY
from .home_assistant import INTERFACE, SUBENTRY_FLOWS, HomeAssistant, free_port, seed
from .test_browser import WAIT, browser, field, take_picture, tick, tick_a_day
from .texts import DEVICE_FLOW, LANGUAGES, READ, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

METER = "866971050000001"
COVERS = {"en": "866971050000002", "zh-CN": "866971050000003"}
WATER_METERS = {"en": "866971050000020", "zh-CN": "866971050000021"}
LAMP = "866971050000004"
SLEEPING_LAMPS = {"en": "866971050000030", "zh-CN": "866971050000031"}
SOLD = "866971050000005"
TEMPERATURE = (3303, 0, 5700)
SENSOR = "sensor.water_meter_kitchen_temperature"
PRESSURE = "sensor.water_meter_kitchen_pressure"
# Texts of the integration by their English names here.
KEYS = {
    "Add device": f"{DEVICE_FLOW}.initiate_flow.user",
    "Battery level": "entity.sensor.battery_level.name",
    "Controls": f"{DEVICE_FLOW}.step.resources.data.controls",
    "Device": f"{READ}.device_id.name",
    "Expires in": f"{READ}.expires_in.name",
    "Humidity": "entity.sensor.humidity.name",
    "Light": "entity.light.light.name",
    "Light brightness": "entity.number.light_brightness.name",
    "Object": f"{READ}.obj_id.name",
    "Pending": "entity.light.light.state_attributes.pending.name",
    "Pending since": "entity.light.light.state_attributes.pending_since.name",
    "Pending until": "entity.light.light.state_attributes.pending_until.name",
    "Presence": "entity.binary_sensor.presence.name",
    "Request reading": "entity.button.read_now.name",
    "Signal strength": "entity.sensor.signal_strength.name",
    "Temperature": "entity.sensor.temperature.name",
    "Valve": "entity.valve.valve.name",
    "Waiting commands": "entity.sensor.waiting_commands.name",
    "Water leak": "entity.binary_sensor.3424_10.name",
    "Water meter": "selector.kind.options.water_meter",
    "Water volume": "entity.sensor.3424_1.name",
    "What is it?": f"{DEVICE_FLOW}.step.resources.data.kind",
}
# Texts of Home Assistant, and titles.
CHINESE = {
    "Add": "添加",
    "Add water source": "添加自来水数据",
    "Connected": "已连接",
    "Connectivity": "连通性",
    "Details": "详情",
    "Disconnected": "已断开",
    "Manhole cover, West Street": "西街井盖",
    "Menu": "菜单",
    "Off": "关闭",
    "On": "开启",
    "Opening": "正在打开",
    "Park lamp": "公园路灯",
    "Perform action": "执行动作",
    "Press": "按下",
    "Save": "保存",
    "State": "状态",
    "Submit": "提交",
    "Water consumption": "水用量",
    "Water meter, garden": "花园水表",
    "West": "西街",
}
ROWS = "hui-sensor-entity-row, hui-simple-entity-row, hui-event-entity-row, hui-button-entity-row"


def product() -> Product:
    """Return a product with sleeping devices."""
    made = Product(key=KEY)
    meter = made.add(METER, "Water meter, kitchen", {TEMPERATURE: 21.5, (3303, 0, 5701): "Cel", (3, 0, 9): 87})
    meter.resources |= {(3323, 0, 5700): 3.1, (3323, 0, 5701): "bar"}
    for locale, imei in COVERS.items():
        title = "Manhole cover, West Street"
        cover = made.add(imei, title if locale == "en" else CHINESE[title])
        cover.resources = {(3304, 0, 5700): 81, (3302, 0, 5500): False, (3302, 0, 5751): "Radar", (4, 0, 2): -97}
    made.add(LAMP, "Street lamp", {(3311, 0, 5850): True, (3311, 0, 5851): 80, TEMPERATURE: 4.5})
    made.add(SOLD, "Sold", {TEMPERATURE: 9.5})
    return made


@dataclass(kw_only=True)
class House:
    """A Home Assistant with an account on an emulated OneNET."""

    home_assistant: HomeAssistant
    onenet: Server
    account: dict[str, Any]


@asynccontextmanager
async def house_with(config: Path, products: Product, typed: dict[str, str] | None = None) -> AsyncIterator[House]:
    """Start a Home Assistant with an account, by default with the API key, whose devices have reported their values."""
    onenet = await Server(OneNet(products)).start()
    onenet.onenet.report_all()
    port = free_port()
    seed(config, port, more=INTERFACE + "energy:\n")
    try:
        async with HomeAssistant.running(config, port) as home_assistant:
            account = (await home_assistant.connect_account(typed or {"api_key": KEY}, onenet.url))["result"]
            await home_assistant.set_interval(account, 10)
            yield House(home_assistant=home_assistant, onenet=onenet, account=account)
    finally:
        await onenet.stop()


async def entity_ids(house: House) -> set[str]:
    """Return the ids of all entities."""
    return {state["entity_id"] for state in await house.home_assistant.get("/api/states")}


async def measured(house: House) -> dict[str, tuple[str, str, str]]:
    """Return the values of the meter, their units and their times."""
    found = {}
    for entity_id in (SENSOR, PRESSURE):
        state = await house.home_assistant.get(f"/api/states/{entity_id}")
        attributes = state["attributes"]
        found[entity_id] = state["state"], attributes["unit_of_measurement"], attributes["measured_at"]
    return found


async def issues(house: House) -> list[dict[str, Any]]:
    """Return the integration's repairs."""
    found = (await house.home_assistant.order("repairs/list_issues"))["issues"]
    return [issue for issue in found if issue["domain"] == "onenet_nbiot"]


async def remove_device(house: House, device: dict[str, Any]) -> None:
    """Remove a device as its account's page does."""
    subentry = {"entry_id": house.account["entry_id"], "subentry_id": device["config_subentry_id"]}
    await house.home_assistant.order("config_entries/subentries/delete", **subentry)


async def make_dashboard(house: House, path: str, *devices: str) -> None:
    """Make a dashboard with a card of all enabled entities for each of these devices."""
    home_assistant = house.home_assistant
    if path not in [dashboard["url_path"] for dashboard in await home_assistant.order("lovelace/dashboards/list")]:
        await home_assistant.order("lovelace/dashboards/create", url_path=path, title="Meters", mode="storage")
    entities = await home_assistant.order("config/entity_registry/list")
    cards = []
    for imei in devices:
        device = await home_assistant.device(imei)
        # The card has the device's name, the rows those of the entities.
        own = [
            {"entity": entity["entity_id"], "name": {"type": "entity"}}
            for entity in entities
            if entity["device_id"] == device["id"] and entity["disabled_by"] is None
        ]
        cards.append({"type": "entities", "title": device["name"], "entities": own})
    await home_assistant.order("lovelace/config/save", url_path=path, config={"views": [{"cards": cards}]})


class Person:
    """A person at a browser in English or Chinese."""

    def __init__(self, house: House, page: Page, locale: str) -> None:
        """Store the page and its language."""
        self.house = house
        self.page = page
        self.locale = locale

    def text(self, english: str) -> str:
        """Return a text in the language of the browser."""
        if english in KEYS:
            return text(KEYS[english], self.locale)
        return english if self.locale == "en" else CHINESE[english]

    def commands(self, number: int) -> str:
        """Return how a number of commands is shown."""
        return f"{number} {text('entity.sensor.waiting_commands.unit_of_measurement', self.locale)}"

    async def goto(self, path: str) -> None:
        """Open a page of Home Assistant."""
        await self.page.goto(self.house.home_assistant.url + path)

    async def click(self, english: str) -> None:
        """Click on a button."""
        await self.page.get_by_role("button", name=self.text(english), exact=True).click()

    async def choose(self, picker: Locator, search: str, found: str) -> None:
        """Search in a list, and click on a result."""
        await picker.click()
        await self.page.locator("ha-picker-combo-box input").fill(search)
        await self.page.locator("ha-picker-combo-box").get_by_text(found).click()

    async def add_device(self, search: str, label: str) -> None:
        """Open the dialog of a new device, and select one of the account's list."""
        await self.goto("/config/integrations/integration/onenet_nbiot")
        # The second picker is that of a device to copy the selection from.
        picker = self.page.locator("dialog-data-entry-flow ha-generic-picker").first
        # The frontend may ignore a click while it renders the page.
        async with asyncio.timeout(30):
            while not await picker.is_visible():
                with suppress(PlaywrightError):
                    button = self.page.get_by_role("button", name=self.text("Add device"), exact=True)
                    await button.click(timeout=5000)
                with suppress(AssertionError):
                    await expect(picker).to_be_visible(timeout=5000)
        await self.choose(picker, search, label)
        await self.click("Submit")

    async def choose_controls(self, controls: dict[str, str]) -> None:
        """Select controls, by name with their paths, in the dialog of a device."""
        shown = self.page.locator("dialog-data-entry-flow ha-selector-select")
        picker = shown.filter(has_text=self.text("Controls")).last
        for name, path in controls.items():
            label = f"{self.text(name)} ({path})"
            await self.choose(picker.get_by_role("button", name=self.text("Add"), exact=True), path, label)
            await expect(picker.get_by_role("button", name=label, exact=True)).to_be_visible(timeout=WAIT)

    def control_row(self, name: str) -> Locator:
        """Return the row of a light or valve."""
        return self.page.locator("hui-toggle-entity-row, hui-valve-entity-row").filter(
            has=self.page.get_by_text(self.text(name), exact=True)
        )

    async def open_details(self, name: str) -> Locator:
        """Open the details of an entity from its row, and return them."""
        await self.control_row(name).get_by_text(self.text(name), exact=True).click()
        dialog = self.page.locator("ha-more-info-dialog")
        await dialog.get_by_role("button", name=self.text("Menu"), exact=True).click()
        await dialog.get_by_text(self.text("Details"), exact=True).click()
        return dialog

    async def sees_selected(self, resources: dict[str, str], kind: str | None = None) -> None:
        """Wait until the dialog of a device has selected resources, by name with their paths, and its kind."""
        for name, path in resources.items():
            chip = self.page.get_by_role("button", name=f"{self.text(name)} ({path})", exact=True)
            await expect(chip).to_be_visible(timeout=WAIT)
        if kind:
            selected = self.page.get_by_role("button", name=self.text("What is it?")).filter(has_text=self.text(kind))
            await expect(selected).to_be_visible(timeout=WAIT)

    async def queue_read(self, title: str) -> Locator:
        """Select a device in the action panel, queue a read, and return the response."""
        await self.goto("/config/tools/action?service=onenet_nbiot.offline_read")
        device, obj_id, expires_in = (field(self.page, self.text(name)) for name in ("Device", "Object", "Expires in"))
        await obj_id.locator("input").fill("3303")
        await tick(device)
        picker = device.locator("ha-generic-picker")
        await self.choose(picker, title, title)
        await expect(picker).to_contain_text(title, timeout=WAIT)
        await tick_a_day(expires_in)
        await self.click("Perform action")
        response = self.page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        return response

    def row(self, name: str) -> Locator:
        """Return the row of an entity."""
        return self.page.locator(ROWS).filter(has_text=self.text(name))

    async def sees(self, rows: dict[str, str]) -> None:
        """Wait until entities, by name, show these texts."""
        for name, shown in rows.items():
            await expect(self.row(name).filter(has_text=shown)).to_be_visible(timeout=WAIT)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with two added devices, one of which was deleted at OneNET afterwards."""
    async with house_with(tmp_path_factory.mktemp("devices"), product()) as house:
        for imei in (METER, SOLD):
            await house.home_assistant.add_device(house.account, imei)
        house.onenet.onenet.remove(SOLD)
        house.onenet.requests.clear()
        yield house
        assert house.home_assistant.complaints() == []


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(LANGUAGES))
async def person(
    house: House, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Person]:
    """Return a person at a browser, in a house with the same language."""
    locale = request.param
    await house.home_assistant.set_language(house.account, LANGUAGES[locale])
    async with browser(house.home_assistant, tmp_path_factory.mktemp(locale), locale) as page:
        yield Person(house, page, locale)


async def test_a_device_is_added_in_the_dialog_and_has_a_page(person: Person, tmp_path: Path) -> None:
    """The list is searched by title, measurements are preselected, and the page shows their values."""
    house, imei = person.house, COVERS[person.locale]
    title = person.text("Manhole cover, West Street")
    await person.add_device(person.text("West"), f"{title} ({imei})")
    await person.sees_selected({"Humidity": "3304/0/5700", "Presence": "3302/0/5500", "Signal strength": "4/0/2"})
    await expect(person.page.get_by_role("button", name="3302/0/5751")).to_be_hidden()
    await take_picture(person.page, f"{tmp_path.name}-resources")
    await person.click("Submit")
    device = await house.home_assistant.device(imei)
    assert (device["name"], device["via_device_id"] is not None) == (title, True)
    await person.goto(f"/config/devices/device/{device['id']}")
    await person.sees(
        {
            "Humidity": "81",
            "Signal strength": "-97",
            "Connectivity": person.text("Disconnected"),
            "Waiting commands": person.commands(0),
            "Request reading": person.text("Press"),
        }
    )
    await expect(person.page.get_by_text(imei)).to_be_visible()
    await take_picture(person.page, f"{tmp_path.name}-device")


async def test_the_button_queues_reads_until_the_device_wakes(person: Person, tmp_path: Path) -> None:
    """The device's page shows the waiting commands, then the new value."""
    house = person.house
    meter = await house.home_assistant.device(METER)
    new = {"en": 23.4, "zh-CN": 25.6}[person.locale]
    await person.goto(f"/config/devices/device/{meter['id']}")
    await person.sees({"Waiting commands": person.commands(0)})
    await person.row("Request reading").get_by_text(person.text("Press")).click()
    # One command for each object.
    await person.sees({"Waiting commands": person.commands(3)})
    await take_picture(person.page, f"{tmp_path.name}-waiting")
    house.onenet.onenet.products[0].devices[METER].resources[TEMPERATURE] = new
    house.onenet.onenet.wake(METER, Trigger.UPDATE)
    house.onenet.onenet.sleep(METER)
    await person.sees({"Temperature": str(new), "Waiting commands": person.commands(0)})


async def test_a_device_is_selected_by_its_name_in_the_action_panel(person: Person) -> None:
    """The action takes the device instead of its IMEI."""
    house = person.house
    response = await person.queue_read("Water meter, kitchen")
    command = house.onenet.onenet.products[0].devices[METER].commands[-1]
    await expect(response).to_contain_text(command.uuid)
    assert command.args["obj_id"] == "3303"
    meter = {"device_id": (await house.home_assistant.device(METER))["id"]}
    response_of_cancelling = await house.home_assistant.call("onenet_nbiot.cancel_commands", meter)
    assert command.uuid in [cancelled["uuid"] for cancelled in response_of_cancelling["commands"]]


async def test_a_dashboard_shows_devices_by_their_names(person: Person, tmp_path: Path) -> None:
    """An entities card shows the values of a device."""
    await make_dashboard(person.house, "water-meters", METER)
    await person.goto("/water-meters/0")
    temperature = (await person.house.home_assistant.get(f"/api/states/{SENSOR}"))["state"]
    await person.sees(
        {
            "Temperature": temperature,
            "Battery level": "87",
            "Connectivity": person.text("Disconnected"),
            "Waiting commands": person.commands(0),
            "Request reading": person.text("Press"),
        }
    )
    await expect(person.page.locator("hui-entities-card")).to_contain_text("Water meter, kitchen")
    await take_picture(person.page, f"{tmp_path.name}-dashboard")


async def test_a_lamp_is_switched_while_it_sleeps(person: Person, tmp_path: Path) -> None:
    """The lamp stays off and shows the pending value, the valve is opening, and both are on and open after the wake."""
    house, imei = person.house, SLEEPING_LAMPS[person.locale]
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    title = person.text("Park lamp")
    values = {(3311, 0, 5850): False, (3311, 0, 5851): 80, (3425, 0, 2): 0, (3425, 0, 3): 0}
    onenet.products[0].add(imei, title, values)
    onenet.report(imei)
    await person.add_device(title, f"{title} ({imei})")
    await person.choose_controls({"Light": "3311/0/5850", "Light brightness": "3311/0/5851", "Valve": "3425/0/3"})
    await take_picture(person.page, f"{tmp_path.name}-controls")
    await person.click("Submit")
    lamp = await home_assistant.device(imei)
    page = f"/config/devices/device/{lamp['id']}"
    await person.goto(page)
    # Until the first poll, everything is unknown.
    await person.sees({"Connectivity": person.text("Disconnected")})
    for name in ("Light", "Valve"):
        await person.control_row(name).locator("ha-entity-toggle").click()
    await person.sees({"Waiting commands": person.commands(2)})
    await expect(person.control_row("Valve").filter(has_text=person.text("Opening"))).to_be_visible(timeout=WAIT)
    await take_picture(person.page, f"{tmp_path.name}-waiting")
    light = await person.open_details("Light")
    state = light.locator("ha-list-item-value").filter(has=person.page.get_by_text(person.text("State"), exact=True))
    await expect(state).to_contain_text(person.text("Off"), timeout=WAIT)
    for name in ("Pending", "Pending since", "Pending until"):
        await expect(light.get_by_text(person.text(name), exact=True)).to_be_visible(timeout=WAIT)
    await take_picture(person.page, f"{tmp_path.name}-pending")
    onenet.wake(imei, Trigger.UPDATE)
    onenet.sleep(imei)
    # The dialog follows the state.
    await expect(state).to_contain_text(person.text("On"), timeout=WAIT)
    await expect(light.get_by_text(person.text("Pending"), exact=True)).to_be_hidden(timeout=WAIT)
    await take_picture(person.page, f"{tmp_path.name}-confirmed")
    assert onenet.products[0].devices[imei].resources[3311, 0, 5850] is True
    await person.goto(page)
    for name in ("Light", "Valve"):
        await expect(person.control_row(name).get_by_role("switch")).to_be_checked(timeout=WAIT)


async def test_a_water_meter_is_added_and_selected_in_the_energy_dashboard(person: Person, tmp_path: Path) -> None:
    """The dialog suggests kind and volume, and the picker of water sources lists the volume."""
    house, imei = person.house, WATER_METERS[person.locale]
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    title, volume = person.text("Water meter, garden"), person.text("Water volume")
    onenet.products[0].add(imei, title, {(3424, 0, 1): 12.5, (3424, 0, 10): False})
    onenet.report(imei)
    await person.add_device(title, f"{title} ({imei})")
    await person.sees_selected({"Water volume": "3424/0/1", "Water leak": "3424/0/10"}, kind="Water meter")
    await take_picture(person.page, f"{tmp_path.name}-resources")
    await person.click("Submit")
    meter = await home_assistant.device(imei)
    await person.goto("/config/energy/water")
    await person.click("Add water source")
    picker = person.page.locator("ha-statistic-picker").filter(has_text=person.text("Water consumption"))
    await person.choose(picker, title, volume)
    await expect(picker.filter(has_text=volume).filter(has_text=title)).to_be_visible(timeout=WAIT)
    await take_picture(person.page, f"{tmp_path.name}-source")
    await person.click("Save")
    row = person.page.locator("ha-energy-water-settings .row").filter(has_text=f"{title} {volume}")
    await expect(row).to_be_visible(timeout=WAIT)
    await take_picture(person.page, f"{tmp_path.name}-energy")
    (source,) = (await home_assistant.order("energy/get_prefs"))["energy_sources"]
    entities = await home_assistant.order("config/entity_registry/list")
    (statistic,) = [entity["entity_id"] for entity in entities if entity["unique_id"].endswith(f"{imei}_3424/0/1")]
    assert (source["type"], source["stat_energy_from"]) == ("water", statistic)
    await home_assistant.order("energy/save_prefs", energy_sources=[])
    await remove_device(house, meter)


async def test_the_resources_of_a_device_are_changed(house: House) -> None:
    """Entities are added and removed without removing the device."""
    home_assistant = house.home_assistant
    lamp = await home_assistant.add_device(house.account, LAMP, ["3311/0/5850", "3311/0/5851"])
    assert "sensor.street_lamp_light_brightness" in await entity_ids(house)
    flow = await home_assistant.post(
        SUBENTRY_FLOWS, {"handler": [house.account["entry_id"], "device"], "subentry_id": lamp["config_subentry_id"]}
    )
    field = flow["data_schema"][0]
    assert field["description"]["suggested_value"] == ["3311/0/5850", "3311/0/5851"]
    changed = await home_assistant.post(
        f"{SUBENTRY_FLOWS}/{flow['flow_id']}", {"resources": ["3311/0/5850", "3303/0/5700"]}
    )
    assert changed["reason"] == "resources_changed"
    lamps = {entity_id for entity_id in await entity_ids(house) if "street_lamp_" in entity_id}
    assert lamps >= {"sensor.street_lamp_temperature", "binary_sensor.street_lamp_light"}
    assert "sensor.street_lamp_light_brightness" not in lamps
    await remove_device(house, lamp)


async def test_a_reading_is_requested_by_area(house: House) -> None:
    """The sleeping device of the area is read when it wakes."""
    home_assistant = house.home_assistant
    lamp = await home_assistant.add_device(house.account, LAMP, ["3311/0/5850"])
    device_id = (await home_assistant.device(LAMP))["id"]
    area = (await home_assistant.order("config/area_registry/create", name="Street"))["area_id"]
    await home_assistant.order("config/device_registry/update", device_id=device_id, area_id=area)
    response = await home_assistant.call("onenet_nbiot.request_reading", {"area_id": area})
    assert [command["obj_id"] for command in response["devices"][device_id]["commands"]] == [3311]
    cancelled = await home_assistant.call("onenet_nbiot.cancel_commands", {"area_id": [area]})
    assert len(cancelled["commands"]) == 1
    await remove_device(house, lamp)


async def test_a_device_is_removed_with_its_entities(house: House) -> None:
    """Neither the states nor the registry have it afterwards."""
    home_assistant = house.home_assistant
    lamp = await home_assistant.add_device(house.account, LAMP)
    assert "sensor.street_lamp_temperature" in await entity_ids(house)
    await remove_device(house, lamp)
    assert [entity_id for entity_id in await entity_ids(house) if "street_lamp" in entity_id] == []
    assert LAMP not in [device["serial_number"] for device in await home_assistant.order("config/device_registry/list")]


async def test_values_are_restored_after_a_restart(house: House) -> None:
    """The entities keep value, unit and time, also where OneNET no longer has them."""
    home_assistant = house.home_assistant
    before = await measured(house)
    assert before[PRESSURE][:2] == ("3.1", "bar")
    # OneNET has no values any more.
    house.onenet.onenet.products[0].devices[METER].datapoints.clear()
    await home_assistant.stop()
    await home_assistant.start()
    assert await measured(house) == before


async def test_a_device_that_was_deleted_at_onenet_is_removed_by_a_repair(house: House) -> None:
    """A device that two lookups an hour apart do not find is unavailable and has a repair."""
    home_assistant, onenet = house.home_assistant, house.onenet
    async with asyncio.timeout(60):
        while not any(request.query.get("imei") == SOLD for request in onenet.requests):  # noqa: ASYNC110 - an emulator
            await asyncio.sleep(0.1)
    onenet.onenet.clock.offset = timedelta(hours=1, minutes=1)
    await home_assistant.until("sensor.sold_temperature", "unavailable")
    (issue,) = await issues(house)
    assert (issue["translation_key"], issue["is_fixable"]) == ("device_gone", True)
    assert issue["translation_placeholders"].items() >= {"name": "Sold", "account": "OneNET"}.items()
    repairs = "/api/repairs/issues/fix"
    flow = await home_assistant.post(repairs, {"handler": issue["domain"], "issue_id": issue["issue_id"]})
    assert (await home_assistant.post(f"{repairs}/{flow['flow_id']}", {}))["type"] == "create_entry"
    assert [entity_id for entity_id in await entity_ids(house) if "sold" in entity_id] == []
    assert await issues(house) == []
