"""The account's dialogs and the action panel in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import shutil

from playwright.async_api import ConsoleMessage, Locator, Page, async_playwright, expect
import pytest

from tests.emulator import Server, Trigger

from .conftest import IMEI, KEY, SECOND_ACCESS_KEY, SECOND_KEY, SECOND_PRODUCT_ID
from .home_assistant import PASSWORD, USER, HomeAssistant, free_port, seed
from .texts import DEVICE_FLOW, LANGUAGES, READ, WRITE, beginning, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Without these, Chromium sends requests to its vendor at every start.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
WAIT = 30_000
SIZES = {"en": (1200, 1600), "zh-CN": (412, 1600)}
# Texts of Home Assistant.
CHINESE = {
    "Add": "添加",
    "Configure": "配置",
    "OK": "确定",
    "Perform action": "执行动作",
    "Submit": "提交",
}
# Texts of the integration in the dialog of an account.
API_KEY = "config.step.user.menu_options.api_key"
ACCESS_KEY = "config.step.user.menu_options.access_key"
SERVER = "config.step.api_key.sections.server.name"
CUSTOM = "selector.region.options.custom"
CURRENT = "selector.platform.options.current"
LEGACY = "selector.platform.options.legacy"


def own_text(english: str, locale: str) -> str:
    """Return a text of Home Assistant."""
    return english if locale == "en" else CHINESE[english]


@asynccontextmanager
async def browser(
    home_assistant: HomeAssistant,
    profile: Path,
    locale: str,
    *,
    size: tuple[int, int] | None = None,
    scale: float = 1,
    timezone: str | None = None,
) -> AsyncIterator[Page]:
    """Open a browser, sign in, and take a picture at the end; fail if the console has an error of the integration.

    Without a size, the browser is as wide as a desktop in English, and as a phone in Chinese.
    """
    width, height = size or SIZES[locale]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            # Chromium's sandbox does not work for root.
            args=[*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            locale=locale,
            timezone_id=timezone,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            service_workers="block",
        )
        context.set_default_timeout(WAIT)
        page = context.pages[0]
        errors: list[str] = []

        def collect(message: ConsoleMessage) -> None:
            """Store an error that has the integration in its text or its address."""
            shown = f"{message.text} ({message.location['url']})"
            if message.type == "error" and "onenet_nbiot" in shown:
                errors.append(shown)

        page.on("console", collect)
        await page.goto(home_assistant.url)
        await page.fill("input[name=username]", USER)
        await page.fill("input[name=password]", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("home-assistant-main")
        try:
            yield page
            assert errors == []
        finally:
            await take_picture(page, profile.name)
            await context.close()


async def take_picture(page: Page, name: str) -> None:
    """Take a picture if the environment names a directory for it."""
    if pictures := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{pictures}/{name}.png")


def field(page: Page, name: str) -> Locator:
    """Return a field of the action panel."""
    return page.locator("ha-settings-row").filter(has=page.get_by_text(name, exact=True))


async def tick(row: Locator) -> None:
    """Tick the checkbox of an optional field."""
    await row.locator("ha-checkbox").click()


async def tick_a_day(row: Locator) -> None:
    """Tick an optional duration, for which the panel fills in a day."""
    await tick(row)
    # The first input is the checkbox.
    await expect(row.locator("input").nth(1)).to_have_value("1", timeout=WAIT)


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_a_read_is_queued_from_the_action_panel(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """The panel shows the fields in the language of the browser, and the response with the UUID."""
    async with browser(home_assistant, tmp_path, locale) as page:
        await page.goto(f"{home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_read")
        imei, obj_id, expires_in = (
            field(page, text(f"{READ}.{name}.name", locale)) for name in ("imei", "obj_id", "expires_in")
        )
        await tick(imei)
        await imei.locator("input").last.fill(IMEI)
        await obj_id.locator("input").fill("3303")
        await tick_a_day(expires_in)
        await page.get_by_text(own_text("Perform action", locale), exact=True).click()
        response = page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        command = onenet.onenet.commands[0]
        await expect(response).to_contain_text(command.uuid)
    assert (command.args["imei"], command.args["obj_id"]) == (IMEI, "3303")


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_a_write_is_queued_from_the_action_panel(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """The values keep their types: true is a truth value, 80 a number."""
    async with browser(home_assistant, tmp_path, locale) as page:
        await page.goto(f"{home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_write")
        names = ("imei", "obj_id", "obj_inst_id", "expires_in")
        imei, obj_id, obj_inst_id, expires_in = (field(page, text(f"{WRITE}.{name}.name", locale)) for name in names)
        await tick(imei)
        await imei.locator("input").last.fill(IMEI)
        await obj_id.locator("input").fill("3306")
        await obj_inst_id.locator("input").fill("0")
        values = page.locator("ha-selector-object").first
        add = own_text("Add", locale)
        dialog = page.locator("dialog-form")
        for res_id, value in (("5850", "true"), ("5851", "80")):
            await values.get_by_text(add, exact=True).click()
            await dialog.locator("input[type=number]").fill(res_id)
            await dialog.locator(".cm-content").fill(value)
            await take_picture(page, f"{tmp_path.name}-{res_id}")
            await dialog.locator("ha-dialog-footer").get_by_text(add, exact=True).click()
            await expect(dialog.locator("ha-form")).to_be_hidden()
        await tick_a_day(expires_in)
        await page.get_by_text(own_text("Perform action", locale), exact=True).click()
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
    """The event of the command reaches the websocket."""
    async with (
        browser(home_assistant, tmp_path, "en") as page,
        home_assistant.events("onenet_nbiot_event") as events,
    ):
        await page.goto(f"{home_assistant.url}/lovelace-meters/0")
        await page.get_by_text("Read now").click()
        event = await events.get()
    assert event["data"]["uuid"] == onenet.onenet.commands[0].uuid


class Dialog:
    """The dialog of a new account in a browser."""

    def __init__(self, page: Page, locale: str) -> None:
        """Store the page and its language."""
        self.page = page
        self._locale = locale

    async def click(self, shown: str) -> None:
        """Click on a text."""
        await self.page.get_by_text(shown, exact=True).click()

    async def click_own(self, english: str) -> None:
        """Click on a text of Home Assistant."""
        await self.click(own_text(english, self._locale))

    async def choose(self, key: str) -> None:
        """Click on a text of the integration."""
        await self.click(text(key, self._locale))

    def option(self, key: str) -> Locator:
        """Return a radio button."""
        return self.page.get_by_role("radio", name=text(key, self._locale))

    async def type_server(self, url: str) -> None:
        """Enter the address of a custom server."""
        await self.choose(SERVER)
        await self.option(CUSTOM).click()
        await self.page.locator("input[type=url]").fill(url)

    async def submit(self) -> None:
        """Submit the form."""
        await self.click_own("Submit")

    async def submit_and_see_error(self, key: str) -> None:
        """Submit the form, and wait for an error."""
        await self.submit()
        error = self.page.get_by_text(beginning(f"config.error.{key}", self._locale))
        await expect(error).to_be_visible(timeout=WAIT)

    async def submit_and_finish(self) -> None:
        """Submit the form, and wait for the dialog of a device, which follows."""
        await self.submit()
        fields = self.page.locator("dialog-data-entry-flow ha-form")
        device = fields.get_by_text(text(f"{DEVICE_FLOW}.step.imei.data.imei", self._locale)).first
        await expect(device).to_be_visible(timeout=WAIT)


@asynccontextmanager
async def connecting(home_assistant: HomeAssistant, profile: Path, locale: str) -> AsyncIterator[Dialog]:
    """Open the dialog of a new account, and remove the account at the end."""
    async with browser(home_assistant, profile, locale) as page:
        await page.goto(f"{home_assistant.url}/config/integrations/dashboard/add?domain=onenet_nbiot")
        dialog = Dialog(page, locale)
        await dialog.click_own("OK")
        yield dialog
    entries = "/api/config/config_entries/entry"
    (second,) = [
        entry
        for entry in await home_assistant.get(entries)
        if entry["title"] in ("OneNET 2", f"OneNET {SECOND_PRODUCT_ID}")
    ]
    assert await home_assistant.delete(f"{entries}/{second['entry_id']}") == {"require_restart": False}


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_an_account_is_connected_in_the_dialog_and_removed_again(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """A wrong key is an error that can be corrected, in the language of the browser."""
    async with connecting(home_assistant, tmp_path, locale) as dialog:
        await dialog.choose(API_KEY)
        key = dialog.page.locator("input[type=password]")
        await key.fill("mistyped")
        await dialog.type_server(onenet.url)
        await dialog.submit_and_see_error("invalid_auth")
        await key.fill(SECOND_KEY)
        await dialog.submit_and_finish()
    assert {request.headers.get("api-key") for request in onenet.requests} >= {"mistyped", SECOND_KEY}


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_devices_are_added_together_in_the_dialog_that_follows_that_of_the_account(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """The first one is selected in the list, the others are ticked."""
    _, product = onenet.onenet.products
    imeis = {f"8669710600000{number:02}": f"Meter {number}" for number in range(12)}
    for imei, title in imeis.items():
        product.add(imei, title, {(3303, 0, 5700): 21.5})
        onenet.onenet.report(imei)
    async with connecting(home_assistant, tmp_path, locale) as dialog:
        await dialog.choose(API_KEY)
        await dialog.page.locator("input[type=password]").fill(SECOND_KEY)
        await dialog.type_server(onenet.url)
        await dialog.submit()
        form = dialog.page.locator("dialog-data-entry-flow")
        await form.locator("ha-generic-picker").click()
        await dialog.page.locator("ha-picker-combo-box").get_by_text("Meter 0 (").click()
        await dialog.choose(f"{DEVICE_FLOW}.step.user.sections.several.name")
        for number in range(1, 12):
            await form.locator("ha-checkbox").nth(number).click()
        await take_picture(dialog.page, f"{tmp_path.name}-ticked")
        await dialog.submit()
        shown = text(f"{DEVICE_FLOW}.step.several_resources.title", locale).format(count=12)
        await expect(form.get_by_text(shown, exact=True)).to_be_visible(timeout=WAIT)
        await take_picture(dialog.page, f"{tmp_path.name}-resources")
        await dialog.submit()
        for imei, title in imeis.items():
            assert (await home_assistant.device(imei))["name"] == title
        await expect(form.get_by_text(shown, exact=True)).to_be_hidden(timeout=WAIT)
        await take_picture(dialog.page, f"{tmp_path.name}-end")
    for imei in imeis:
        onenet.onenet.remove(imei)


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_an_access_key_is_typed_in_the_dialog(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path, locale: str
) -> None:
    """A wrong product ID is an error that can be corrected; the platform can be changed with it."""
    onenet.requests.clear()
    async with connecting(home_assistant, tmp_path, locale) as dialog:
        await dialog.choose(ACCESS_KEY)
        product_id = dialog.page.locator("ha-selector-text input").first
        await product_id.fill("m1styped")
        await dialog.page.locator("input[type=password]").fill(SECOND_ACCESS_KEY)
        await expect(dialog.option(CURRENT)).to_be_checked()
        await dialog.type_server(onenet.url)
        await take_picture(dialog.page, f"{tmp_path.name}-form")
        await dialog.submit_and_see_error("access_refused")
        await product_id.fill(SECOND_PRODUCT_ID)
        await dialog.option(LEGACY).click()
        await dialog.submit_and_finish()
    requests = {(request.headers.get("authorization", ""), request.path) for request in onenet.requests}
    for product, path in (("m1styped", "/product/detail"), (SECOND_PRODUCT_ID, "/devices")):
        assert {path} == {path for token, path in requests if f"res=products%2F{product}&" in token}


@pytest.mark.parametrize(("locale", "language"), LANGUAGES.items())
async def test_an_account_has_options_and_shows_its_commands(
    onenet: Server, tmp_path: Path, locale: str, language: str
) -> None:
    """The interval is set in a dialog, and the account's device shows the command that waits."""
    unit = text("entity.sensor.waiting_commands.unit_of_measurement", locale)
    command = "entity.event.command"
    shown = {
        text("entity.sensor.waiting_commands.name", locale): f"1 {unit}",
        text(f"{command}.name", locale): text(f"{command}.state_attributes.event_type.state.queued", locale),
    }
    port = free_port()
    seed(tmp_path, port, language=language)
    async with HomeAssistant.running(tmp_path, port) as home_assistant:
        await home_assistant.connect_account({"api_key": KEY}, onenet.url)
        async with browser(home_assistant, tmp_path / language, locale) as page:
            await page.goto(f"{home_assistant.url}/config/integrations/integration/onenet_nbiot")
            await page.get_by_role("button", name=own_text("Configure", locale)).click()
            interval = page.get_by_text(text("options.step.init.data.interval", locale)).first
            await expect(interval).to_be_visible(timeout=WAIT)
            field = page.locator("input[type=number]")
            await field.fill("30")
            await page.get_by_text(own_text("Submit", locale), exact=True).click()
            await expect(field).to_be_hidden(timeout=WAIT)
            await page.goto(f"{home_assistant.url}/config/integrations/integration/onenet_nbiot")
            await home_assistant.call(
                "onenet_nbiot.offline_read", {"imei": IMEI, "obj_id": 3303, "expires_in": "06:00:00"}
            )
            # The first text is the account, the second its device.
            await page.get_by_text("OneNET", exact=True).nth(1).click()
            cards = page.locator("ha-device-entities-card")
            for name, state in shown.items():
                await expect(cards.filter(has_text=name).filter(has_text=state)).to_be_visible(timeout=WAIT)
