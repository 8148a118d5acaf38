"""Helpers of the tests of push."""

from typing import Any

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.push_health import PushHealth

from .emulator import Server

TOKEN = "token-of-the-push"
WEBHOOK_ID = "random-id-of-the-webhook"
PATH = f"/api/webhook/{WEBHOOK_ID}"


def push_options(token: str = TOKEN, key: str | None = None) -> dict[str, Any]:
    """Return the options of an account whose push is on."""
    return {"push": {"webhook_id": WEBHOOK_ID, "token": token} | ({"encryption_key": key} if key else {})}


@pytest.fixture(name="entry")
def push_entry(hass: HomeAssistant, onenet: Server, account_data: dict[str, str]) -> MockConfigEntry:
    """Return an account on the emulator whose push is on, and which is not loaded."""
    data = account_data | {CONF_URL: onenet.url}
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=data, options=push_options())
    entry.add_to_hass(hass)
    return entry


def health_of(account: MockConfigEntry) -> PushHealth:
    """Return what is known of an account's pushes."""
    health: PushHealth = account.runtime_data.health
    return health
