"""When a device was last seen, and whether it is overdue."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.onenet_nbiot.const import CONF_OVERDUE_AFTER
from custom_components.onenet_nbiot.devices import Device as KnownDevice
from custom_components.onenet_nbiot.store import async_get_store

from .common import EVERY_PLATFORM, IMEI, add_device, devices_of, pass_time, refresh, run_with, until
from .emulator import Server

pytestmark = pytest.mark.usefixtures("entity_registry_enabled_by_default")
variant = run_with(EVERY_PLATFORM)

LAST_SEEN = "sensor.water_meter_last_seen"
OVERDUE = "binary_sensor.water_meter_overdue"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def shown(hass: HomeAssistant, entity_id: str = OVERDUE) -> str:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state
    return state.state


async def report(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Let the device report, and poll a minute later."""
    onenet.onenet.report(IMEI)
    await pass_time(account, onenet, timedelta(minutes=1))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)


async def wait(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, duration: timedelta) -> None:
    """Let time pass at OneNET, and fire the timers of Home Assistant."""
    await pass_time(account, onenet, duration)
    async_fire_time_changed(hass, dt_util.utcnow() + 400 * DAY)
    await hass.async_block_till_done()


@pytest.fixture
async def reports(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> MockConfigEntry:
    """Return an account with a device that has reported four times, once a day."""
    await add_device(hass, account, "3303/0/5700")
    for _ in range(4):
        await pass_time(account, onenet, DAY)
        await report(hass, account, onenet)
    return account


async def test_last_seen_is_the_time_of_the_newest_report(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """It is unknown before the first one, and a diagnostic timestamp."""
    await add_device(hass, account, "3303/0/5700")
    await report(hass, account, onenet)
    seen = devices_of(account).get(IMEI).last_seen
    assert seen
    assert shown(hass, LAST_SEEN) == seen.replace(microsecond=0).isoformat()
    entity = er.async_get(hass).async_get(LAST_SEEN)
    assert entity
    assert (entity.original_device_class, entity.entity_category) == ("timestamp", "diagnostic")


async def test_overdue_is_unknown_while_too_few_silences_are_known(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Three silences are needed."""
    await add_device(hass, account, "3303/0/5700")
    for _ in range(3):
        await pass_time(account, onenet, DAY)
        await report(hass, account, onenet)
        assert shown(hass) == "unknown"
    await pass_time(account, onenet, DAY)
    await report(hass, account, onenet)
    assert shown(hass) == "off"


async def test_a_device_is_overdue_after_its_usual_silence_and_half_of_it(
    hass: HomeAssistant, reports: MockConfigEntry, onenet: Server
) -> None:
    """The next report ends it; a sleeping device that is not overdue is available."""
    assert shown(hass) == "off"
    await wait(hass, reports, onenet, 35 * HOUR)
    assert shown(hass) == "off"
    await wait(hass, reports, onenet, 2 * HOUR)
    assert shown(hass) == "on"
    await report(hass, reports, onenet)
    assert shown(hass) == "off"


async def test_silences_within_a_wake_up_are_not_learned(
    hass: HomeAssistant, reports: MockConfigEntry, onenet: Server
) -> None:
    """The device reports several times in a minute."""
    known = list(devices_of(reports).get(IMEI).silences)
    for _ in range(3):
        await pass_time(reports, onenet, timedelta(seconds=20))
        await report(hass, reports, onenet)
    assert devices_of(reports).get(IMEI).silences == known
    assert len(known) == 3


async def test_the_silences_survive_a_restart(hass: HomeAssistant, reports: MockConfigEntry) -> None:
    """The first silence after it is not learned, since the device may have been seen in the meantime."""

    def stored() -> KnownDevice:
        ((_, row),) = async_get_store(hass).load_devices(reports.entry_id)
        return KnownDevice.from_row(IMEI, row)

    known = devices_of(reports).get(IMEI).silences
    assert len(known) == 3
    await until(lambda: stored().silences == known)
    again = stored()
    assert again.observed_since is None


async def test_an_outage_does_not_hide_the_next_one(
    hass: HomeAssistant, reports: MockConfigEntry, onenet: Server
) -> None:
    """The longest of several silences is not usual."""
    await pass_time(reports, onenet, 30 * DAY)
    await report(hass, reports, onenet)
    assert max(devices_of(reports).get(IMEI).silences) > 29 * DAY.total_seconds()
    await wait(hass, reports, onenet, 37 * HOUR)
    assert shown(hass) == "on"


async def test_overdue_is_unknown_until_the_first_poll_after_a_reload(
    hass: HomeAssistant, reports: MockConfigEntry, onenet: Server
) -> None:
    """The device may have been seen while the account was not loaded."""
    await pass_time(reports, onenet, 10 * DAY)
    assert await hass.config_entries.async_unload(reports.entry_id)
    onenet.onenet.report(IMEI)
    hass.set_state(CoreState.starting)
    assert await hass.config_entries.async_setup(reports.entry_id)
    await hass.async_block_till_done()
    assert shown(hass) == "unknown"
    hass.set_state(CoreState.running)
    await pass_time(reports, onenet, timedelta(minutes=1))
    await refresh(reports)
    await hass.async_block_till_done()
    assert shown(hass) == "off"
    # The ten days were not observed.
    assert max(devices_of(reports).get(IMEI).silences) < 2 * DAY.total_seconds()


async def test_the_users_setting_precedes_what_was_learned(
    hass: HomeAssistant, reports: MockConfigEntry, onenet: Server
) -> None:
    """It takes effect at once."""
    (subentry,) = reports.subentries.values()
    data: dict[str, Any] = {**subentry.data, CONF_OVERDUE_AFTER: HOUR.total_seconds()}
    hass.config_entries.async_update_subentry(reports, subentry, data=MappingProxyType(data))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass) == "off"
    await wait(hass, reports, onenet, 2 * HOUR)
    assert shown(hass) == "on"


async def test_a_device_that_reports_often_is_not_overdue_before_an_hour(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A silence of some minutes more than usual is no problem."""
    await add_device(hass, account, "3303/0/5700")
    for _ in range(5):
        await pass_time(account, onenet, timedelta(minutes=15))
        await report(hass, account, onenet)
    await wait(hass, account, onenet, timedelta(minutes=55))
    assert shown(hass) == "off"
    await wait(hass, account, onenet, timedelta(minutes=10))
    assert shown(hass) == "on"
