"""The dialog that sets up the push, and its repair notice, in a real browser: on a desktop and on a phone."""

from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page, expect
import pytest

from tests.emulator import Generation, Product, Push

from .conftest import IMEI, KEY
from .home_assistant import HomeAssistant
from .test_browser import WAIT, browser, own_text, take_picture
from .test_devices import house_with
from .texts import LANGUAGES, beginning, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEP = "options.step"
PHONE = {"width": 390, "height": 844}


async def set_external_url(home_assistant: HomeAssistant, url: str) -> None:
    """Set the external URL of Home Assistant."""
    await home_assistant.order("config/core/update", external_url=url)


async def see(page: Page, key: str, locale: str) -> None:
    """Wait until a text of the integration is shown, as far as it has no placeholder."""
    await expect(page.get_by_text(beginning(key, locale)).first).to_be_visible(timeout=WAIT)


async def open_push(page: Page, home_assistant: HomeAssistant, locale: str) -> None:
    """Open the options of the account, turn the push on and submit."""
    await page.goto(f"{home_assistant.url}/config/integrations/integration/onenet_nbiot")
    await page.get_by_role("button", name=own_text("Configure", locale)).click()
    switch = page.locator("dialog-data-entry-flow ha-switch")
    await expect(switch).to_be_visible(timeout=WAIT)
    if not await switch.evaluate("element => element.checked"):
        await switch.click()
    await submit(page, locale)
    await see(page, f"{STEP}.push.data.token", locale)


async def submit(page: Page, locale: str) -> None:
    """Submit a step."""
    await page.get_by_text(own_text("Submit", locale), exact=True).click()


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_push_is_set_up_in_the_dialog(tmp_path: Path, locale: str) -> None:
    """The dialog shows what to enter in OneNET's console, waits for its check, and a new URL is a repair notice."""
    product = Product(key=KEY)
    product.add(IMEI, "Water meter", {(3303, 0, 5700): 21.5})
    async with house_with(tmp_path / "config", product) as house:
        home_assistant = house.home_assistant
        await set_external_url(home_assistant, "https://home.example.com")
        async with browser(home_assistant, tmp_path / f"push-{locale}", locale) as page:
            await open_push(page, home_assistant, locale)
            dialog = page.locator("dialog-data-entry-flow")
            token = await dialog.locator("ha-selector-text input").first.input_value()
            assert len(token) == 32
            await take_picture(page, f"push-{locale}-form")
            await submit(page, locale)
            await see(page, f"{STEP}.enter_legacy.title", locale)
            url, shown_token, _ = await dialog.locator("code").all_inner_texts()
            assert shown_token == token
            assert url.startswith("https://home.example.com/api/webhook/")
            await take_picture(page, f"push-{locale}-enter")
            await page.get_by_text(text(f"{STEP}.enter_legacy.menu_options.push_check", locale)).click()
            await see(page, "options.progress.push_check", locale)
            push = Push(
                home_assistant.url + urlsplit(url).path, token, generation=Generation.LEGACY, product_id=product.id
            )
            assert await push.check_url()
            await see(page, f"{STEP}.push_checked.description", locale)
            await take_picture(page, f"push-{locale}-checked")
            await submit(page, locale)
            await set_external_url(home_assistant, "https://moved.example.com")
            await page.set_viewport_size(PHONE)
            await page.goto(f"{home_assistant.url}/config/repairs")
            await page.get_by_text(text("issues.push_url_changed.title", locale)).click()
            await see(page, "issues.push_url_changed.description", locale)
            await take_picture(page, f"push-{locale}-repair")
            await open_push(page, home_assistant, locale)
            assert await page.locator("dialog-data-entry-flow ha-selector-text input").first.input_value() == token
            await take_picture(page, f"push-{locale}-phone")
            await submit(page, locale)
            await expect(page.get_by_text("https://moved.example.com/api/webhook/").first).to_be_visible(timeout=WAIT)
            await take_picture(page, f"push-{locale}-phone-enter")
            await page.get_by_text(text(f"{STEP}.enter_legacy.menu_options.finish", locale)).click()
            await page.goto(f"{home_assistant.url}/config/repairs")
            await expect(page.get_by_text(text("issues.push_url_changed.title", locale))).to_be_hidden(timeout=WAIT)
