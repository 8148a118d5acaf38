"""Devices with names and readings, as a person adds them, sees them and gets rid of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect
import pytest
import pytest_asyncio

from tests.emulator import OneNet, Product, Server, Trigger

from .conftest import KEY
from .home_assistant import HomeAssistant, free_port, seed
from .test_browser import WAIT, browser, field, take_picture, tick, type_days

pytestmark = pytest.mark.asyncio(loop_scope="session")

METER = "866971050000001"
COVERS = {"en": "866971050000002", "zh-CN": "866971050000003"}
LAMP = "866971050000004"
SOLD = "866971050000005"
TEMPERATURE = (3303, 0, 5700)
SENSOR = "sensor.water_meter_kitchen_temperature"
PRESSURE = "sensor.water_meter_kitchen_pressure"
LANGUAGES = {"en": "en", "zh-CN": "zh-Hans"}
CHINESE = {
    "Add device": "添加设备",
    "Add a device": "添加设备",
    "Manhole cover, West Street": "西街井盖",
    "West": "西街",
    "Submit": "提交",
    "Humidity": "湿度",
    "Presence": "存在检测",
    "Signal strength": "信号强度",
    "Connectivity": "连通性",
    "Disconnected": "已断开",
    "Temperature": "温度",
    "Battery level": "电池电量",
    "Waiting commands": "等待中的命令",
    "Command": "命令",
    "Read now": "立即读取",
    "Press": "按下",
    "3 commands": "3 条",
    "5 commands": "5 条",
    "0 commands": "0 条",
    "Device": "设备",
    "Object": "对象",
    "Expires in": "有效时长",
    "Perform action": "执行动作",
}
ROWS = "hui-sensor-entity-row, hui-simple-entity-row, hui-event-entity-row, hui-button-entity-row"


def product() -> Product:
    """Return a product whose devices have told OneNET of their values, and sleep."""
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
async def house_with(config: Path, products: Product) -> AsyncIterator[House]:
    """Start a Home Assistant with an account."""
    onenet = await Server(OneNet(products)).start()
    onenet.onenet.report_all()
    port = free_port()
    seed(config, port)
    try:
        async with HomeAssistant.running(config, port) as home_assistant:
            account = (await home_assistant.connect_account({"api_key": KEY}, onenet.url))["result"]
            yield House(home_assistant=home_assistant, onenet=onenet, account=account)
    finally:
        await onenet.stop()


async def entity_ids(house: House) -> set[str]:
    """Return the ids of all entities."""
    return {state["entity_id"] for state in await house.home_assistant.get("/api/states")}


async def measured(house: House) -> dict[str, tuple[str, str, str]]:
    """Return what the meter has measured, in which units, and when."""
    found = {}
    for entity_id in (SENSOR, PRESSURE):
        state = await house.home_assistant.get(f"/api/states/{entity_id}")
        told = state["attributes"]
        found[entity_id] = state["state"], told["unit_of_measurement"], told["measured_at"]
    return found


async def issues(house: House) -> list[dict[str, Any]]:
    """Return the integration's repairs."""
    found = (await house.home_assistant.order("repairs/list_issues"))["issues"]
    return [issue for issue in found if issue["domain"] == "onenet_nbiot"]


async def remove_device(house: House, device: dict[str, Any]) -> None:
    """Remove a device from its account's page."""
    subentry = {"entry_id": house.account["entry_id"], "subentry_id": device["config_subentry_id"]}
    await house.home_assistant.order("config_entries/subentries/delete", **subentry)


async def make_dashboard(house: House, path: str, *devices: str) -> None:
    """Make a dashboard with a card for each of these devices, with all that Home Assistant has of it."""
    home_assistant = house.home_assistant
    if path not in [dashboard["url_path"] for dashboard in await home_assistant.order("lovelace/dashboards/list")]:
        await home_assistant.order("lovelace/dashboards/create", url_path=path, title="Meters", mode="storage")
    entities = await home_assistant.order("config/entity_registry/list")
    cards = []
    for imei in devices:
        device = await home_assistant.device(imei)
        # Without the device's name, which is that of the card.
        own = [
            {"entity": entity["entity_id"], "name": {"type": "entity"}}
            for entity in entities
            if entity["device_id"] == device["id"]
        ]
        cards.append({"type": "entities", "title": device["name"], "entities": own})
    await home_assistant.order("lovelace/config/save", url_path=path, config={"views": [{"cards": cards}]})


class Person:
    """Somebody at a browser that speaks English or Chinese."""

    def __init__(self, house: House, page: Page, locale: str) -> None:
        """Sit down."""
        self.house = house
        self.page = page
        self.locale = locale

    def text(self, english: str) -> str:
        """Return a text in the language of the browser."""
        return english if self.locale == "en" else CHINESE[english]

    async def goto(self, path: str) -> None:
        """Open a page of Home Assistant."""
        await self.page.goto(self.house.home_assistant.url + path)

    async def click(self, english: str) -> None:
        """Click on a button."""
        await self.page.get_by_role("button", name=self.text(english), exact=True).click()

    async def choose(self, picker: Locator, search: str, found: str) -> None:
        """Search in a list, and take what is found."""
        await picker.click()
        await self.page.locator("ha-picker-combo-box input").fill(search)
        await self.page.locator("ha-picker-combo-box").get_by_text(found).click()

    async def add_device(self, search: str, label: str) -> None:
        """Open the dialog for a device, and choose one of the account's."""
        await self.goto("/config/integrations/integration/onenet_nbiot")
        await self.click("Add device")
        await self.choose(self.page.locator("dialog-data-entry-flow ha-generic-picker"), search, label)
        await self.click("Submit")

    async def queue_read(self, title: str) -> Locator:
        """Pick a device in the action panel, queue a read, and return the response."""
        await self.goto("/config/tools/action?service=onenet_nbiot.offline_read")
        device, obj_id, expires_in = (field(self.page, self.text(name)) for name in ("Device", "Object", "Expires in"))
        await obj_id.locator("input").fill("3303")
        await tick(device)
        picker = device.locator("ha-generic-picker")
        await self.choose(picker, title, title)
        await expect(picker).to_contain_text(title, timeout=WAIT)
        await type_days(expires_in, 1)
        await self.click("Perform action")
        response = self.page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        return response

    def row(self, name: str) -> Locator:
        """Return the row in which an entity is shown."""
        return self.page.locator(ROWS).filter(has_text=self.text(name))

    async def sees(self, rows: dict[str, str]) -> None:
        """See what entities are called, and what they show."""
        for name, shown in rows.items():
            await expect(self.row(name).filter(has_text=shown)).to_be_visible(timeout=WAIT)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with two devices added, of which one was deleted at OneNET since."""
    async with house_with(tmp_path_factory.mktemp("devices"), product()) as house:
        for imei in (METER, SOLD):
            await house.home_assistant.add_device(house.account, imei)
        house.onenet.onenet.remove(SOLD)
        yield house
        assert house.home_assistant.complaints() == []


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(LANGUAGES))
async def person(
    house: House, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Person]:
    """Return somebody at a browser, in a house that speaks the same language."""
    locale = request.param
    await house.home_assistant.set_language(house.account, LANGUAGES[locale])
    async with browser(house.home_assistant, tmp_path_factory.mktemp(locale), locale) as page:
        yield Person(house, page, locale)


async def test_a_device_is_added_in_the_dialog_and_has_a_page(person: Person, tmp_path: Path) -> None:
    """A person could not add a device, would not find it among thousands, or not know what its numbers mean."""
    house, imei = person.house, COVERS[person.locale]
    title = person.text("Manhole cover, West Street")
    await person.add_device(person.text("West"), f"{title} ({imei})")
    names = {"Humidity": "3304/0/5700", "Presence": "3302/0/5500", "Signal strength": "4/0/2"}
    for name, path in names.items():
        label = f"{person.text(name)} ({path})"
        await expect(person.page.get_by_role("button", name=label, exact=True)).to_be_visible(timeout=WAIT)
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
            "Waiting commands": person.text("0 commands"),
            "Read now": person.text("Press"),
        }
    )
    await expect(person.page.get_by_text(imei)).to_be_visible()
    await take_picture(person.page, f"{tmp_path.name}-device")


async def test_a_button_has_a_device_read_when_it_wakes(person: Person, tmp_path: Path) -> None:
    """A person would have to know objects and resources to get a new value, or would not see that it is under way."""
    house = person.house
    meter = await house.home_assistant.device(METER)
    new = {"en": 23.4, "zh-CN": 25.6}[person.locale]
    await person.goto(f"/config/devices/device/{meter['id']}")
    await person.sees({"Waiting commands": person.text("0 commands")})
    await person.row("Read now").get_by_text(person.text("Press")).click()
    # One for each object.
    await person.sees({"Waiting commands": person.text("3 commands")})
    await take_picture(person.page, f"{tmp_path.name}-waiting")
    house.onenet.onenet.products[0].devices[METER].resources[TEMPERATURE] = new
    house.onenet.onenet.wake(METER, Trigger.UPDATE)
    house.onenet.onenet.sleep(METER)
    await person.sees({"Temperature": str(new), "Waiting commands": person.text("0 commands")})


async def test_a_device_is_picked_by_its_name_in_the_action_panel(person: Person) -> None:
    """A person would have to look up the IMEI of a device that they have named."""
    house = person.house
    response = await person.queue_read("Water meter, kitchen")
    command = house.onenet.onenet.products[0].devices[METER].commands[-1]
    await expect(response).to_contain_text(command.uuid)
    assert command.args["obj_id"] == "3303"
    meter = {"device_id": (await house.home_assistant.device(METER))["id"]}
    taken_back = await house.home_assistant.call("onenet_nbiot.cancel_commands", meter)
    assert command.uuid in [cancelled["uuid"] for cancelled in taken_back["commands"]]


async def test_a_dashboard_shows_devices_by_their_names(person: Person, tmp_path: Path) -> None:
    """A person could not see what their meters have measured where they see everything else."""
    await make_dashboard(person.house, "water-meters", METER)
    await person.goto("/water-meters/0")
    temperature = (await person.house.home_assistant.get(f"/api/states/{SENSOR}"))["state"]
    await person.sees(
        {
            "Temperature": temperature,
            "Battery level": "87",
            "Connectivity": person.text("Disconnected"),
            "Waiting commands": person.text("0 commands"),
            "Read now": person.text("Press"),
        }
    )
    await expect(person.page.locator("hui-entities-card")).to_contain_text("Water meter, kitchen")
    await take_picture(person.page, f"{tmp_path.name}-dashboard")


async def test_a_person_changes_their_mind_about_what_is_shown(house: House) -> None:
    """A person would have to remove a device, and lose its history, to see one more value or one less."""
    home_assistant = house.home_assistant
    lamp = await home_assistant.add_device(house.account, LAMP, ["3311/0/5850", "3311/0/5851"])
    assert "sensor.street_lamp_light_brightness" in await entity_ids(house)
    flows = "/api/config/config_entries/subentries/flow"
    flow = await home_assistant.post(
        flows, {"handler": [house.account["entry_id"], "device"], "subentry_id": lamp["config_subentry_id"]}
    )
    (field,) = flow["data_schema"]
    assert field["description"]["suggested_value"] == ["3311/0/5850", "3311/0/5851"]
    changed = await home_assistant.post(f"{flows}/{flow['flow_id']}", {"resources": ["3311/0/5850", "3303/0/5700"]})
    assert changed["reason"] == "reconfigure_successful"
    lamps = {entity_id for entity_id in await entity_ids(house) if "street_lamp_" in entity_id}
    assert lamps >= {"sensor.street_lamp_temperature", "binary_sensor.street_lamp_light"}
    assert "sensor.street_lamp_light_brightness" not in lamps
    await remove_device(house, lamp)


async def test_a_device_that_is_removed_leaves_nothing(house: House) -> None:
    """A person could not get rid of a device, or would be left with its entities."""
    home_assistant = house.home_assistant
    lamp = await home_assistant.add_device(house.account, LAMP)
    assert await entity_ids(house) >= {"button.street_lamp_read_now", "sensor.street_lamp_temperature"}
    await remove_device(house, lamp)
    assert [entity_id for entity_id in await entity_ids(house) if "street_lamp" in entity_id] == []
    assert LAMP not in [device["serial_number"] for device in await home_assistant.order("config/device_registry/list")]


async def test_values_are_there_after_a_restart(house: House) -> None:
    """A person would look at empty dashboards until every device wakes, which may take days."""
    home_assistant = house.home_assistant
    before = await measured(house)
    assert before[PRESSURE][:2] == ("3.1", "bar")
    # OneNET tells it no more.
    house.onenet.onenet.products[0].devices[METER].datapoints.clear()
    await home_assistant.stop()
    await home_assistant.start()
    assert await measured(house) == before


async def test_a_device_that_was_deleted_at_onenet_is_removed_by_a_repair(house: House) -> None:
    """A person would not hear that a device is gone, and keep a dead one for ever."""
    home_assistant = house.home_assistant
    await home_assistant.until("sensor.sold_temperature", "unavailable")
    (issue,) = await issues(house)
    assert (issue["translation_key"], issue["is_fixable"]) == ("device_gone", True)
    assert issue["translation_placeholders"] == {"name": "Sold", "account": "OneNET"}
    repairs = "/api/repairs/issues/fix"
    flow = await home_assistant.post(repairs, {"handler": issue["domain"], "issue_id": issue["issue_id"]})
    assert (await home_assistant.post(f"{repairs}/{flow['flow_id']}", {}))["type"] == "create_entry"
    assert [entity_id for entity_id in await entity_ids(house) if "sold" in entity_id] == []
    assert await issues(house) == []
