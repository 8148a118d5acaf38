"""What a person sees and clicks, in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import shutil

from playwright.async_api import Page, async_playwright, expect
import pytest

from tests.emulator import Server

from .conftest import IMEI, KEY, SECOND_KEY
from .home_assistant import PASSWORD, USER, HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Without these Chromium talks to its maker at every start.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
WAIT = 30_000


@asynccontextmanager
async def browser(home_assistant: HomeAssistant, profile: Path, locale: str) -> AsyncIterator[Page]:
    """Open a browser and sign in."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            # Chromium has no sandbox for root.
            args=[*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            locale=locale,
            viewport={"width": 1200, "height": 1600},
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
            # For a person who wants to see what the test saw.
            if pictures := os.environ.get("SCREENSHOTS"):
                await page.screenshot(path=f"{pictures}/{profile.name}.png")
            await context.close()


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
        imei, obj_id, expires_in = (
            page.locator("ha-settings-row").filter(has=page.get_by_text(name, exact=True)) for name in fields
        )
        await imei.locator("input").fill(IMEI)
        await obj_id.locator("input").fill("3303")
        await expires_in.locator("ha-checkbox").click()
        await expires_in.locator("input").nth(1).fill("1")
        await page.get_by_text(perform, exact=True).click()
        response = page.locator("ha-yaml-editor, ha-code-editor").last
        await expect(response).to_contain_text("uuid", timeout=WAIT)
        command = onenet.onenet.commands[0]
        await expect(response).to_contain_text(command.uuid)
    assert (command.args["imei"], command.args["obj_id"]) == (IMEI, "3303")


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


async def test_an_account_is_connected_in_the_dialog_and_removed_again(
    home_assistant: HomeAssistant, onenet: Server, tmp_path: Path
) -> None:
    """A person could not start."""
    async with browser(home_assistant, tmp_path, "en") as page:
        await page.goto(f"{home_assistant.url}/config/integrations/dashboard/add?domain=onenet_nbiot")
        await page.get_by_text("OK", exact=True).click()
        key = page.locator("input[type=password]")
        await key.fill("mistyped")
        await page.get_by_text("Server", exact=True).click()
        await page.get_by_role("radio", name="Custom").click()
        await page.locator("input[type=url]").fill(onenet.url)
        await page.get_by_text("Submit", exact=True).click()
        await expect(page.get_by_text("OneNET does not accept this key")).to_be_visible(timeout=WAIT)
        await key.fill(SECOND_KEY)
        await page.get_by_text("Submit", exact=True).click()
        await expect(page.get_by_text("Skip and finish", exact=True)).to_be_visible(timeout=WAIT)
    assert {request.headers["api-key"] for request in onenet.requests} >= {"mistyped", SECOND_KEY}
    entries = "/api/config/config_entries/entry"
    second = next(entry for entry in await home_assistant.get(entries) if entry["title"] == "OneNET 2")
    assert await home_assistant.delete(f"{entries}/{second['entry_id']}") == {"require_restart": False}


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
        await home_assistant.connect_account(KEY, onenet.url)
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
