"""System health and diagnostics in a real Home Assistant, and the files that it writes."""

from pathlib import Path

from playwright.async_api import expect
import pytest

from tests.emulator import Server

from .conftest import IMEI, KEY
from .home_assistant import HomeAssistant
from .test_browser import WAIT, browser
from .texts import LANGUAGES, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = {"imei": IMEI, "obj_id": 3303, "expires_in": {"hours": 12}}


async def test_the_system_health_counts_accounts_and_commands(home_assistant: HomeAssistant, onenet: Server) -> None:
    """OneNET can be reached, and a command waits."""
    await home_assistant.call("onenet_nbiot.offline_read", READ)
    found = await home_assistant.system_health()
    assert found["can_reach_legacy"] == "ok"
    assert found["accounts"] == found["loaded_accounts"] > 0
    assert found["waiting_commands"] > 0


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_the_system_information_has_the_texts_of_the_integration(
    home_assistant: HomeAssistant, tmp_path: Path, locale: str
) -> None:
    """The dialog has a row for each number and for the platform."""
    found = await home_assistant.system_health()
    async with browser(home_assistant, tmp_path, locale) as page:
        await page.goto(f"{home_assistant.url}/config/repairs?dialog=system-health")
        rows = page.locator("dialog-system-information tr")
        for name in found:
            row = rows.filter(has_text=text(f"system_health.info.{name}", locale))
            await expect(row.first).to_be_visible(timeout=WAIT)


async def test_the_diagnostics_of_an_account_can_be_downloaded(home_assistant: HomeAssistant) -> None:
    """They count the requests, and have no key and no IMEI."""
    await home_assistant.call("onenet_nbiot.offline_read", READ)
    entries = await home_assistant.get("/api/config/config_entries/entry")
    accounts = [entry["entry_id"] for entry in entries if entry["domain"] == "onenet_nbiot"]
    files = [await home_assistant.get(f"/api/diagnostics/config_entry/{account}") for account in accounts]
    assert any(file["data"]["requests"]["calls"].get("GET /nbiot/offline") for file in files)
    assert not [secret for secret in (KEY, IMEI) if secret in str(files)]


async def test_only_the_file_of_config_entries_has_the_key(home_assistant: HomeAssistant) -> None:
    """All integrations have their keys there."""
    await home_assistant.call("onenet_nbiot.offline_read", READ)
    files = (home_assistant.config / ".storage").iterdir()
    assert {path.name for path in files if KEY.encode() in path.read_bytes()} <= {"core.config_entries"}
