"""What a person sees and clicks, in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import shutil

from playwright.async_api import Locator, Page, async_playwright, expect
import pytest

from tests.emulator import Server, Trigger

from .conftest import IMEI, KEY, SECOND_ACCESS_KEY, SECOND_KEY, SECOND_PRODUCT_ID
from .home_assistant import PASSWORD, USER, HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Without these Chromium talks to its maker at every start.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
WAIT = 30_000
DIALOG_IN_CHINESE = {
    "OK": "确定",
    "API key": "API 密钥",
    "Access key": "访问密钥（access key）",  # noqa: RUF001 - the brackets of a Chinese text
    "Open platform": "开放平台",
    "NB-IoT suite": "NB-IoT 套件",
    "Server": "服务器",
    "Custom": "自定义",
    "Submit": "提交",
    "OneNET does not accept this key": "OneNET 不接受此密钥",
    "OneNET does not accept this product ID": "OneNET 不接受此产品 ID",
    "Skip and finish": "跳过并完成",
}


@asynccontextmanager
async def browser(
    home_assistant: HomeAssistant, profile: Path, locale: str, *, size: tuple[int, int] = (1200, 1600), scale: float = 1
) -> AsyncIterator[Page]:
    """Open a browser and sign in."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            # Chromium has no sandbox for root.
            args=[*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            locale=locale,
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=scale,
            service_workers="block",
        )
        context.set_default_timeout(WAIT)
        page = context.pages[0]
        await page.goto(home_assistant.url)
        await page.fill("input[name=username]", USER)
        await page.fill("input[name=password]", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("home-assistant-main")
        try:
            yield page
        finally:
            await take_picture(page, profile.name)
            await context.close()


async def take_picture(page: Page, name: str) -> None:
    """Take a picture for a person who wants to see what the test saw."""
    if pictures := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{pictures}/{name}.png")


def field(page: Page, name: str) -> Locator:
    """Return a field of the action panel."""
    return page.locator("ha-settings-row").filter(has=page.get_by_text(name, exact=True))


async def tick(row: Locator) -> None:
    """Tick a field that can be left out."""
    await row.locator("ha-checkbox").click()


async def type_days(row: Locator, days: int) -> None:
    """Tick an optional duration, and type its days."""
    await tick(row)
    # The first is that of the checkbox.
    await row.locator("input").nth(1).fill(str(days))


@pytest.mark.parametrize(
    ("locale", "fields", "perform"),
    [
        ("en", ("IMEI", "Object", "Expires in"), "Perform action"),
        ("zh-CN", ("IMEI", "对象", "有效时长"), "执行动作"),
    ],
)
async def test_a_read_is_queued_from_the_action_panel(
    home_assistant: HomeAssistant,
    onenet: Server,
    tmp_path: Path,
    locale: str,
    fields: tuple[str, str, str],
    perform: str,
) -> None:
    """A person could not try the action, or not in their language."""
    async with browser(home_assistant, tmp_path, locale) as page:
        await page.goto(f"{home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_read")
        imei, obj_id, expires_in = (field(page, name) for name in fields)
        await tick(imei)
        await imei.locator("input").last.fill(IMEI)
        await obj_id.locator("input").fill("3303")
        await type_days(expires_in, 1)
        await page.get_by_text(perform, exact=True).click()
        response = page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        command = onenet.onenet.commands[0]
        await expect(response).to_contain_text(command.uuid)
    assert (command.args["imei"], command.args["obj_id"]) == (IMEI, "3303")


@pytest.mark.parametrize(
    ("locale", "fields", "add", "perform"),
    [
        ("en", ("IMEI", "Object", "Object instance", "Expires in"), "Add", "Perform action"),
        ("zh-CN", ("IMEI", "对象", "对象实例", "有效时长"), "添加", "执行动作"),
    ],
)
async def test_a_write_is_queued_from_the_action_panel(
    home_assistant: HomeAssistant,
    onenet: Server,
    tmp_path: Path,
    locale: str,
    fields: tuple[str, str, str, str],
    add: str,
    perform: str,
) -> None:
    """A person could not switch anything by hand, or the device would get a text that it does not understand."""
    async with browser(home_assistant, tmp_path, locale) as page:
        await page.goto(f"{home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_write")
        imei, obj_id, obj_inst_id, expires_in = (field(page, name) for name in fields)
        await tick(imei)
        await imei.locator("input").last.fill(IMEI)
        await obj_id.locator("input").fill("3306")
        await obj_inst_id.locator("input").fill("0")
        values = page.locator("ha-selector-object").first
        dialog = page.locator("dialog-form")
        for res_id, value in (("5850", "true"), ("5851", "80")):
            await values.get_by_text(add, exact=True).click()
            await dialog.locator("input[type=number]").fill(res_id)
            await dialog.locator(".cm-content").fill(value)
            await take_picture(page, f"{tmp_path.name}-{res_id}")
            await dialog.locator("ha-dialog-footer").get_by_text(add, exact=True).click()
            await expect(dialog.locator("ha-form")).to_be_hidden()
        await type_days(expires_in, 1)
        await page.get_by_text(perform, exact=True).click()
        response = page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        command = onenet.onenet.commands[0]
        await expect(response).to_contain_text(command.uuid)
    assert command.content == {"data": [{"res_id": 5850, "val": True}, {"res_id": 5851, "val": 80}]}
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    assert command.confirm_status == "SUCCESS"


async def test_a_button_on_a_dashboard_queues_a_read(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path
) -> None:
    """A person would have to leave their dashboard."""
    async with (
        browser(home_assistant, tmp_path, "en") as page,
        home_assistant.events("onenet_nbiot_event") as events,
    ):
        await page.goto(f"{home_assistant.url}/lovelace-meters/0")
        await page.get_by_text("Read now").click()
        event = await events.get()
    assert event["data"]["uuid"] == onenet.onenet.commands[0].uuid


class Dialog:
    """The dialog for a new account, in a browser that speaks English or Chinese."""

    def __init__(self, page: Page, locale: str) -> None:
        """Prepare to click on texts, which are written in English here."""
        self.page = page
        self._chinese = locale == "zh-CN"

    def text(self, english: str) -> str:
        """Return a text in the language of the browser."""
        return DIALOG_IN_CHINESE[english] if self._chinese else english

    async def click(self, english: str) -> None:
        """Click on a text."""
        await self.page.get_by_text(self.text(english), exact=True).click()

    def option(self, english: str) -> Locator:
        """Return one of several options."""
        return self.page.get_by_role("radio", name=self.text(english))

    async def type_server(self, url: str) -> None:
        """Say where a server of one's own is."""
        await self.click("Server")
        await self.option("Custom").click()
        await self.page.locator("input[type=url]").fill(url)

    async def submit_and_see(self, english: str) -> None:
        """Send the form, and wait for a text."""
        await self.click("Submit")
        await expect(self.page.get_by_text(self.text(english))).to_be_visible(timeout=WAIT)


@asynccontextmanager
async def connecting(home_assistant: HomeAssistant, profile: Path, locale: str) -> AsyncIterator[Dialog]:
    """Open the dialog for a new account, and remove at the end the one that was connected in it."""
    async with browser(home_assistant, profile, locale) as page:
        await page.goto(f"{home_assistant.url}/config/integrations/dashboard/add?domain=onenet_nbiot")
        dialog = Dialog(page, locale)
        await dialog.click("OK")
        yield dialog
    entries = "/api/config/config_entries/entry"
    second = next(entry for entry in await home_assistant.get(entries) if entry["title"] == "OneNET 2")
    assert await home_assistant.delete(f"{entries}/{second['entry_id']}") == {"require_restart": False}


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
async def test_an_account_is_connected_in_the_dialog_and_removed_again(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """A person could not start, or not in their language."""
    async with connecting(home_assistant, tmp_path, locale) as dialog:
        await dialog.click("API key")
        key = dialog.page.locator("input[type=password]")
        await key.fill("mistyped")
        await dialog.type_server(onenet.url)
        await dialog.submit_and_see("OneNET does not accept this key")
        await key.fill(SECOND_KEY)
        await dialog.submit_and_see("Skip and finish")
    assert {request.headers.get("api-key") for request in onenet.requests} >= {"mistyped", SECOND_KEY}


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
async def test_an_access_key_is_typed_in_the_dialog(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """Whoever registered lately could not start, or not in their language."""
    onenet.requests.clear()
    async with connecting(home_assistant, tmp_path, locale) as dialog:
        await dialog.click("Access key")
        product_id = dialog.page.locator("ha-selector-text input").first
        await product_id.fill("m1styped")
        await dialog.page.locator("input[type=password]").fill(SECOND_ACCESS_KEY)
        await expect(dialog.option("Open platform")).to_be_checked()
        await dialog.type_server(onenet.url)
        await take_picture(dialog.page, f"{tmp_path.name}-form")
        await dialog.submit_and_see("OneNET does not accept this product ID")
        await product_id.fill(SECOND_PRODUCT_ID)
        await dialog.option("NB-IoT suite").click()
        await dialog.submit_and_see("Skip and finish")
    asked = {(request.headers.get("authorization", ""), request.path) for request in onenet.requests}
    for product, path in (("m1styped", "/nb-iot/resources"), (SECOND_PRODUCT_ID, "/devices")):
        assert {path} == {path for token, path in asked if f"res=products%2F{product}&" in token}


@pytest.mark.parametrize(
    ("language", "locale", "dialog", "told"),
    [
        (
            "en",
            "en",
            ("Configure", "Base interval", "Submit"),
            (("Waiting commands", "1 commands"), ("Command", "Queued")),
        ),
        ("zh-Hans", "zh-CN", ("配置", "基准间隔", "提交"), (("等待中的命令", "1 条"), ("命令", "已缓存"))),
    ],
)
async def test_an_account_has_options_and_tells_of_its_commands(
    onenet: Server,
    tmp_path: Path,
    language: str,
    locale: str,
    dialog: tuple[str, str, str],
    told: tuple[tuple[str, str], ...],
) -> None:
    """A person could not see what they wait for, or not in the language of their house."""
    port = free_port()
    seed(tmp_path, port, language=language)
    async with HomeAssistant.running(tmp_path, port) as home_assistant:
        await home_assistant.connect_account({"api_key": KEY}, onenet.url)
        async with browser(home_assistant, tmp_path / language, locale) as page:
            await page.goto(f"{home_assistant.url}/config/integrations/integration/onenet_nbiot")
            configure, interval, submit = dialog
            await page.get_by_role("button", name=configure).click()
            await expect(page.get_by_text(interval)).to_be_visible(timeout=WAIT)
            field = page.locator("input[type=number]")
            await field.fill("30")
            await page.get_by_text(submit, exact=True).click()
            await expect(field).to_be_hidden(timeout=WAIT)
            await page.goto(f"{home_assistant.url}/config/integrations/integration/onenet_nbiot")
            await home_assistant.call(
                "onenet_nbiot.offline_read", {"imei": IMEI, "obj_id": 3303, "expires_in": "06:00:00"}
            )
            # The first is the account, the second its device.
            await page.get_by_text("OneNET", exact=True).nth(1).click()
            cards = page.locator("ha-device-entities-card")
            for name, state in told:
                await expect(cards.filter(has_text=name).filter(has_text=state)).to_be_visible(timeout=WAIT)
