"""What a person attaches to a report of a problem."""

import json

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics

from .conftest import KEY


async def test_diagnostics_tell_the_server_but_not_the_key(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person would publish their key with a report of a problem."""
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics["entry"]["data"]["url"] == account.data["url"]
    # A person may have put anything into the title.
    assert diagnostics["entry"]["title"] == "**REDACTED**"
    assert KEY not in json.dumps(diagnostics, default=str)
