"""The triggers and conditions in the automation editor of a real browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect
import pytest
import pytest_asyncio

from tests.emulator import Product, Trigger

from .conftest import IMEI, KEY, PRODUCT_ID
from .test_browser import WAIT, browser, take_picture
from .test_devices import House, house_with
from .texts import text

pytestmark = pytest.mark.asyncio(loop_scope="session")

TITLE = "Water meter"
NAME = "OneNET NB-IoT"
DESKTOP, PHONE = (1200, 1000), (390, 844)
TRIGGERS = ("command_finished", "device_woke_up", "device_became_overdue")
CONDITIONS = ("command_is_waiting", "device_is_overdue")
# Texts of Home Assistant.
CHINESE = {
    "Add condition": "添加条件",
    "Add trigger": "添加触发条件",
    "By type": "按类型",
    "Close": "关闭",
    "Devices": "设备",
    "Save": "保存",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with an account and one device, which was added."""
    product = Product(key=KEY, id=PRODUCT_ID)
    product.add(IMEI, TITLE, {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel"})
    async with house_with(tmp_path_factory.mktemp("editor"), product) as house:
        await house.home_assistant.add_device(house.account, IMEI)
        yield house
        assert house.home_assistant.complaints() == []


class Editor:
    """The editor of a new automation in a browser."""

    def __init__(self, page: Page, locale: str, size: tuple[int, int]) -> None:
        """Store the page, its language and its size."""
        self.page = page
        self.locale = locale
        self.dialog = page.locator("add-automation-element-dialog")
        self._is_phone = size == PHONE

    def own(self, english: str) -> str:
        """Return a text of Home Assistant."""
        return english if self.locale == "en" else CHINESE[english]

    async def open(self, house: House, button: str) -> None:
        """Open the editor, and the dialog that adds a trigger or a condition."""
        await self.page.goto(f"{house.home_assistant.url}/config/automation/edit/new")
        await self.page.get_by_text(self.own(button), exact=True).click()

    async def select_device(self) -> None:
        """Select the device in the dialog."""
        await self.dialog.get_by_text(self.own("Devices"), exact=True).click()
        await self.dialog.get_by_text(TITLE, exact=True).click()

    async def select_integration(self) -> None:
        """Select the integration in the dialog."""
        await self.dialog.get_by_text(self.own("By type"), exact=True).click()
        await self.dialog.get_by_text(NAME, exact=True).click()

    def item(self, kind: str, key: str) -> Locator:
        """Return an item of the dialog."""
        return self.dialog.get_by_text(text(f"{kind}.{key}.name", self.locale)).first

    async def expect_items(self, kind: str, keys: tuple[str, ...]) -> None:
        """Wait until the dialog shows the triggers or conditions of the integration."""
        for key in keys:
            await expect(self.item(kind, key)).to_be_visible(timeout=WAIT)

    async def save(self) -> None:
        """Save the automation under its suggested name."""
        if self._is_phone:
            # The options cover the page.
            await self.page.locator("ha-automation-sidebar").get_by_role("button", name=self.own("Close")).click()
        await self.page.locator("ha-fab, ha-button").get_by_text(self.own("Save"), exact=True).click()
        dialog = self.page.locator("ha-dialog-automation-save")
        await dialog.locator("ha-dialog-footer").get_by_text(self.own("Save"), exact=True).click()
        await expect(dialog).to_be_hidden(timeout=WAIT)


async def finished_run(house: House, automation: str) -> dict[str, Any]:
    """Wait until an automation has run, and return the variables of its trigger."""
    async with asyncio.timeout(60):
        while True:
            traces = await house.home_assistant.order("trace/list", domain="automation", item_id=automation)
            if traces and traces[-1]["state"] == "stopped":
                run = {"domain": "automation", "item_id": automation, "run_id": traces[-1]["run_id"]}
                trace = (await house.home_assistant.order("trace/get", **run))["trace"]
                (step, *_) = next(steps for path, steps in trace.items() if path.startswith("trigger/"))
                variables: dict[str, Any] = step["changed_variables"]["trigger"]
                return variables
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("locale", ["en", "zh-CN"])
async def test_the_editor_offers_triggers_and_conditions(
    house: House, tmp_path: Path, locale: str, size: tuple[int, int]
) -> None:
    """They are found by the device and by the integration."""
    async with browser(house.home_assistant, tmp_path, locale, size=size) as page:
        editor = Editor(page, locale, size)
        for kind, button, keys in (
            ("triggers", "Add trigger", TRIGGERS),
            ("conditions", "Add condition", CONDITIONS),
        ):
            for select in (editor.select_device, editor.select_integration):
                await editor.open(house, button)
                await select()
                await editor.expect_items(kind, keys)
                await take_picture(page, f"{tmp_path.name}-{kind}-{select.__name__}")


@pytest.mark.parametrize(("locale", "size"), [("en", DESKTOP), ("zh-CN", PHONE)], ids=["desktop", "phone"])
async def test_an_automation_is_made_and_runs_when_the_device_has_answered(
    house: House, tmp_path: Path, locale: str, size: tuple[int, int]
) -> None:
    """Its trigger is a command of the device that succeeded."""
    before = {state["entity_id"] for state in await house.home_assistant.get("/api/states")}
    async with browser(house.home_assistant, tmp_path, locale, size=size) as page:
        editor = Editor(page, locale, size)
        await editor.open(house, "Add trigger")
        await editor.select_device()
        await editor.item("triggers", "command_finished").click()
        options = page.locator("ha-automation-sidebar")
        outcome = options.locator("ha-settings-row").filter(
            has=page.get_by_text(text("triggers.command_finished.fields.outcome.name", locale), exact=True)
        )
        await outcome.locator("ha-checkbox").first.click()
        await outcome.get_by_text(text("selector.outcome.options.succeeded", locale), exact=True).click()
        await take_picture(page, f"{tmp_path.name}-options")
        await editor.save()
    states = {state["entity_id"]: state for state in await house.home_assistant.get("/api/states")}
    (entity_id,) = (name for name in states.keys() - before if name.startswith("automation."))
    automation = states[entity_id]["attributes"]["id"]
    config = await house.home_assistant.get(f"/api/config/automation/config/{automation}")
    device = await house.home_assistant.device(IMEI)
    (trigger,) = config["triggers"]
    assert trigger["trigger"] == "onenet_nbiot.command_finished"
    assert trigger["options"] == {"outcome": ["succeeded"]}
    assert device["id"] in trigger["target"]["device_id"]
    read = {"device_id": device["id"], "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": "06:00:00"}
    queued = await house.home_assistant.call("onenet_nbiot.offline_read", read)
    house.onenet.onenet.wake(IMEI, Trigger.UPDATE)
    variables = await finished_run(house, automation)
    assert (variables["uuid"], variables["outcome"], variables["value"]) == (queued["uuid"], "succeeded", 21.5)
    house.onenet.onenet.sleep(IMEI)
