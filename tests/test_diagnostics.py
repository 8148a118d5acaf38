"""Diagnostics of an account."""

import json

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics

from .common import IMEI, PRODUCT_ID, SECRETS, VARIANTS, offline_read, run_with

variant = run_with(VARIANTS)


async def test_diagnostics_have_the_state_of_the_account_without_keys_ids_and_titles(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """They have no key, product ID, IMEI or title of an account."""
    await offline_read(hass)
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics["entry"]["data"]["url"] == account.data["url"]
    # The title is redacted, since a user may put a key into it.
    assert diagnostics["entry"]["title"] == "**REDACTED**"
    assert (diagnostics["reachable"], diagnostics["manager"]["commands"]) == (True, {"queued": 1})
    text = json.dumps(diagnostics, default=str)
    assert not [secret for secret in (*SECRETS, PRODUCT_ID, IMEI) if secret in text]
