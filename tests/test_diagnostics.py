"""What a person attaches to a report of a problem."""

import json

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics

from .common import IMEI, PRODUCT_ID, SECRETS, VARIANTS, offline_read, run_with

variant = run_with(VARIANTS)


async def test_diagnostics_tell_how_it_stands_but_neither_key_nor_devices(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A person would publish their key, or whose it is, with a report of a problem."""
    await offline_read(hass)
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics["entry"]["data"]["url"] == account.data["url"]
    # A person may have put anything into the title.
    assert diagnostics["entry"]["title"] == "**REDACTED**"
    assert (diagnostics["reachable"], diagnostics["manager"]["commands"]) == (True, {"queued": 1})
    told = json.dumps(diagnostics, default=str)
    assert not [secret for secret in (*SECRETS, PRODUCT_ID, IMEI) if secret in told]
