"""Set-up and tear-down of an account."""

from datetime import timedelta

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN, SERVICE_OFFLINE_READ

from .common import IMEI, KEY, VARIANTS, add_device, refresh, revoke, run_with
from .emulator import Fault, FaultKind, Server

variant = run_with(VARIANTS)


async def test_an_account_is_loaded_and_unloaded(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The actions stay registered without a loaded account."""
    assert hass.config_entries.async_loaded_entries(DOMAIN) == [account]
    assert await hass.config_entries.async_unload(account.entry_id)
    assert account.state is ConfigEntryState.NOT_LOADED
    assert hass.services.has_service(DOMAIN, SERVICE_OFFLINE_READ)


async def test_a_revoked_key_starts_reauthentication_at_set_up(
    hass: HomeAssistant, entry: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """The account is not set up."""
    expected_warnings.append("Config entry 'OneNET' for onenet_nbiot integration could not authenticate")
    revoke(onenet)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "invalid_auth"
    assert [flow["step_id"] for flow in hass.config_entries.flow.async_progress()] == ["reauth_confirm"]


async def test_no_history_is_fetched_without_the_recorder(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """There are no statistics to fill."""
    onenet.onenet.report(IMEI, at=onenet.onenet.clock.now() - timedelta(days=1))
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert state.state == "21.5"
    assert not [request for request in onenet.requests if "start" in request.query]
    assert account.runtime_data.history.summary()["waiting"] == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
        (Fault(kind=FaultKind.ERRNO, errno=14, text="late"), "platform_busy"),
    ],
)
async def test_set_up_is_retried_after_an_outage(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    fault: Fault,
    reason: str,
) -> None:
    """The reason of the retry is translated, and has no key."""
    expected_warnings.append("Config entry 'OneNET' for onenet_nbiot integration not ready yet")
    onenet.faults.append(Fault(**vars(fault)))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == reason
    assert KEY not in str(entry.reason)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert hass.config_entries.async_loaded_entries(DOMAIN) == [entry]
