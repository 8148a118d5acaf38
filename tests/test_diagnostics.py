"""Diagnostics of an account and of a device."""

import json

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics, async_get_device_diagnostics

from .common import IMEI, PRODUCT_ID, SECRETS, VARIANTS, add_device, devices_of, offline_read, refresh, run_with
from .emulator import Server

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
    assert (diagnostics["polls"]["reachable"], diagnostics["commands"]["by_state"]) == (True, {"queued": 1})
    text = json.dumps(diagnostics, default=str)
    assert not [secret for secret in (*SECRETS, PRODUCT_ID, IMEI) if secret in text]


async def test_diagnostics_of_a_device_have_its_state_without_ids_titles_and_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """They have no IMEI, title or value of a device."""
    onenet.onenet.report(IMEI)
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    await refresh(account)
    entry = dr.async_get(hass).async_get(devices_of(account).added[IMEI].device_id)
    assert isinstance(entry, dr.DeviceEntry)
    diagnostics = await async_get_device_diagnostics(hass, account, entry)
    assert diagnostics["commands"]["by_state"] == {"queued": 1}
    assert diagnostics["values"]["3303/0/5700"]["type"] == "float"
    text = json.dumps(diagnostics, default=str)
    assert not [private for private in (*SECRETS, PRODUCT_ID, IMEI, "Water meter", "21.5") if private in text]


async def test_the_service_device_has_the_diagnostics_of_the_account(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """It is the device that represents the account."""
    entry = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, account.entry_id), account.entry_id)
    assert entry
    expected = await async_get_config_entry_diagnostics(hass, account)
    assert await async_get_device_diagnostics(hass, account, entry) == expected
