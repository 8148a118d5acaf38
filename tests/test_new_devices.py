"""New devices of an account that are added like another one."""

import asyncio
from datetime import datetime, timedelta
import logging
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot import new_devices
from custom_components.onenet_nbiot.const import (
    CONF_ADD_NEW,
    CONF_AT_ONCE,
    CONF_CONTROLS,
    CONF_HISTORY_DAYS,
    CONF_IGNORED,
    CONF_KIND,
    CONF_LIKE,
    CONF_MORE,
    CONF_OVERDUE_AFTER,
    CONF_RESOURCES,
    CONF_SEVERAL,
    CONF_SINCE,
)
from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics

from .common import (
    CURRENT_ONLY,
    EVERY_PLATFORM,
    IMEI,
    LEGACY_ONLY,
    OTHER_IMEI,
    add_device,
    pass_time,
    refresh,
    run_with,
    until,
)
from .emulator import Device, Fault, FaultKind, Server
from .test_device_flow import CALLS, finish_adding, platform, reconfigure, start, submit

variant = run_with(EVERY_PLATFORM)

TEMPERATURE = "3303/0/5700"
HUMIDITY = "3304/0/5700"
BATTERY = "3/0/9"
SETTINGS: dict[str, Any] = {
    CONF_KIND: "thermometer",
    CONF_AT_ONCE: True,
    CONF_OVERDUE_AFTER: 86400.0,
    CONF_HISTORY_DAYS: 0,
}
# The parameter with the keys of devices in the request for their newest values.
KEYS = {"legacy": "devIds", "current": "device_name"}
VALUES = {(3303, 0, 5700): 20.5, (3, 0, 9): 90}


@pytest.fixture
async def template(hass: HomeAssistant, account: MockConfigEntry, device: Device) -> ConfigSubentry:
    """Return a device that was added, and like which new ones are added."""
    subentry = await add_device(hass, account, TEMPERATURE, HUMIDITY, BATTERY, **SETTINGS)
    return await choose(hass, account, subentry)


async def choose(
    hass: HomeAssistant, account: MockConfigEntry, subentry: ConfigSubentry, *, add_new: bool = True
) -> ConfigSubentry:
    """Choose in the dialog of a device whether new ones are added like it, and return it."""
    data = subentry.data
    typed = {name: data[name] for name in (CONF_RESOURCES, CONF_CONTROLS, CONF_KIND, CONF_AT_ONCE) if name in data}
    if CONF_OVERDUE_AFTER in data:
        typed[CONF_OVERDUE_AFTER] = {"days": 1}
    form = await reconfigure(hass, account, subentry)
    result = await submit(hass, form, **typed, add_new=add_new)
    assert result["reason"] == "resources_changed"
    return account.subentries[subentry.subentry_id]


def register(onenet: Server, imei: str = OTHER_IMEI, values: dict[tuple[int, int, int], Any] | None = None) -> Device:
    """Register a device at OneNET that has sent these values."""
    device = onenet.onenet.products[0].add(imei, "Thermometer, attic", VALUES if values is None else values)
    device.created = onenet.onenet.clock.now() + timedelta(seconds=1)
    if device.resources:
        onenet.onenet.report(imei)
    return device


async def poll(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, minutes: int = 2) -> None:
    """Poll an account once, some time later."""
    await pass_time(account, onenet, timedelta(minutes=minutes))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)


def added(account: MockConfigEntry) -> dict[str | None, ConfigSubentry]:
    """Return the devices of an account by IMEI."""
    return {subentry.unique_id: subentry for subentry in account.subentries.values()}


def listings(onenet: Server) -> int:
    """Return the number of requests for the list of devices."""
    # The check of the connection requests a single device.
    return sum(request.query.get("per_page", request.query.get("limit")) == "100" for request in onenet.requests)


async def test_a_new_device_gets_the_settings_and_those_resources_that_it_has_reported(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    template: ConfigSubentry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A new device gets the settings and those resources that it has reported."""
    register(onenet)
    await poll(hass, account, onenet, 61)
    found = added(account)[OTHER_IMEI]
    assert found.title == "Thermometer, attic"
    settings = {name: found.data[name] for name in SETTINGS}
    assert (found.data[CONF_RESOURCES], settings) == ([TEMPERATURE, BATTERY], SETTINGS)
    assert CONF_ADD_NEW not in found.data
    await poll(hass, account, onenet)
    state = hass.states.get("sensor.thermometer_attic_temperature")
    assert state
    assert state.state == "20.5"
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert "Added 1 new devices to the account OneNET" in lines
    assert OTHER_IMEI not in "".join(lines)


async def test_controls_are_added_of_objects_that_the_device_has(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Controls are added of objects that the device has."""
    controls = ["3306/0/5850", "3306/0/5851", "3/0/4", "3311/0/5850"]
    await choose(hass, account, await add_device(hass, account, controls=controls, kind="street_lamp"))
    register(onenet, values={(3306, 0, 5850): True})
    await poll(hass, account, onenet, 61)
    data = added(account)[OTHER_IMEI].data
    assert (data[CONF_RESOURCES], data[CONF_CONTROLS]) == ([], ["3306/0/5850", "3306/0/5851", "3/0/4"])


async def test_without_the_option_no_device_is_added_and_the_list_is_not_requested(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """Without the option no device is added and the list is not requested."""
    await choose(hass, account, template, add_new=False)
    register(onenet)
    requests = listings(onenet)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI}
    assert listings(onenet) == requests


async def test_a_device_that_was_registered_before_is_not_new(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A device that was registered before is not new."""
    register(onenet).created -= timedelta(days=1)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI}


@pytest.mark.parametrize("values", [{}, {(3, 0, 9): 90}, {(3316, 0, 5700): 3.6}])
async def test_a_device_is_not_added_before_it_reports_a_resource_that_is_typical(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    template: ConfigSubentry,
    values: dict[tuple[int, int, int], Any],
) -> None:
    """A device is not added before it reports a resource that is typical."""
    register(onenet, values=values)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI}
    onenet.onenet.report(OTHER_IMEI, VALUES)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI, OTHER_IMEI}


async def test_of_several_devices_the_one_with_the_most_common_resources_is_the_model(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """Of several devices the one with the most common resources is the model."""
    meter = await add_device(
        hass, account, TEMPERATURE, "3424/0/1", BATTERY, imei="866971030000009", title="Meter", kind="water_meter"
    )
    await choose(hass, account, meter)
    register(onenet, values={**VALUES, (3424, 0, 1): 12.5})
    await poll(hass, account, onenet, 61)
    assert added(account)[OTHER_IMEI].data[CONF_KIND] == "water_meter"


async def test_a_removed_device_is_not_added_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A removed device is not added again."""
    register(onenet)
    await poll(hass, account, onenet, 61)
    hass.config_entries.async_remove_subentry(account, added(account)[OTHER_IMEI].subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass, account, onenet, 61)
    assert await hass.config_entries.async_reload(account.entry_id)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI}
    # Nor after the dialog was used for something else.
    await choose(hass, account, added(account)[IMEI])
    assert added(account)[IMEI].data[CONF_ADD_NEW][CONF_IGNORED] == [OTHER_IMEI]
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert OTHER_IMEI not in str(diagnostics)


async def test_a_device_that_was_removed_while_the_account_was_not_loaded_is_not_added_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A device that was removed while the account was not loaded is not added again."""
    register(onenet)
    await poll(hass, account, onenet, 61)
    await poll(hass, account, onenet)
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, added(account)[OTHER_IMEI].subentry_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI}


@LEGACY_ONLY
async def test_the_list_is_requested_once_an_hour(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """The list is requested once an hour."""
    await poll(hass, account, onenet)
    requests = listings(onenet)
    for _ in range(10):
        await poll(hass, account, onenet, 5)
    assert listings(onenet) == requests
    await poll(hass, account, onenet, 30)
    assert listings(onenet) == requests + 1


@CURRENT_ONLY
async def test_a_list_that_is_polled_anyway_is_not_requested_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A list that is polled anyway is not requested again."""
    for number in range(3):
        imei = f"86697104000000{number}"
        onenet.onenet.products[0].add(imei, f"Old {number}", VALUES)
        await add_device(hass, account, TEMPERATURE, imei=imei, title=f"Old {number}")
    await poll(hass, account, onenet)
    register(onenet)
    requests = listings(onenet)
    await poll(hass, account, onenet)
    assert OTHER_IMEI in added(account)
    assert listings(onenet) == requests + 1


async def test_a_device_that_is_added_in_the_dialog_meanwhile_is_not_added_twice(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A device that is added in the dialog meanwhile is not added twice."""
    device = register(onenet)
    key = device.name if platform(account) == "current" else str(device.id)
    await pass_time(account, onenet, timedelta(minutes=61))
    onenet.latency = 0.05
    polling = asyncio.create_task(refresh(account))
    await until(lambda: onenet.requests[-1].query.get(KEYS[platform(account)]) == key)
    await add_device(hass, account, TEMPERATURE, imei=OTHER_IMEI, title="By hand")
    await polling
    assert [subentry.title for subentry in account.subentries.values()] == ["Water meter", "By hand"]


async def test_many_new_devices_are_added_in_several_polls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """Many new devices are added in several polls."""
    for number in range(120):
        register(onenet, f"866971050000{number:03}")
    counts = []
    await pass_time(account, onenet, timedelta(hours=1))
    for _ in range(4):
        await poll(hass, account, onenet)
        counts.append(len(added(account)))
    assert counts == [51, 101, 121, 121]


async def test_a_long_list_is_read_in_several_polls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """A long list is read in several polls."""
    for number in range(600):
        onenet.onenet.products[0].add(f"866971060000{number:03}", f"Old {number}")
    register(onenet)
    await pass_time(account, onenet, timedelta(hours=1))
    found = []
    for _ in range(2):
        requests = listings(onenet)
        await poll(hass, account, onenet)
        found.append((listings(onenet) - requests, OTHER_IMEI in added(account)))
    assert found == [(5, False), (2, True)]


async def test_an_account_with_very_many_devices_gets_no_more(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    template: ConfigSubentry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An account with very many devices gets no more."""
    monkeypatch.setattr(new_devices, "_MAX_DEVICES", 3)
    for number in range(5):
        register(onenet, f"866971050000{number:03}")
    for _ in range(2):
        await poll(hass, account, onenet, 61)
    assert len(added(account)) == 3


@pytest.mark.parametrize("kind", [FaultKind.ERRNO, FaultKind.TRUNCATED])
async def test_a_failed_list_is_requested_again_an_hour_later(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry, kind: FaultKind
) -> None:
    """A failed list is requested again an hour later."""
    register(onenet)
    parameter = ("limit" if platform(account) == "current" else "per_page", "100")
    fault = Fault(kind=kind, errno=404, text="no such path", path=CALLS[platform(account)]["list"], parameter=parameter)
    await pass_time(account, onenet, timedelta(minutes=61))
    onenet.faults.append(fault)
    await refresh(account)
    assert account.runtime_data.coordinator.last_update_success
    assert added(account).keys() == {IMEI}
    await poll(hass, account, onenet, 61)
    assert added(account).keys() == {IMEI, OTHER_IMEI}


async def test_the_time_of_the_choice_is_kept_until_it_is_withdrawn(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, template: ConfigSubentry
) -> None:
    """The time of the choice is kept until it is withdrawn."""
    chosen = template.data[CONF_ADD_NEW]
    assert abs(datetime.fromisoformat(chosen[CONF_SINCE]) - onenet.onenet.clock.now()) < timedelta(minutes=1)
    await pass_time(account, onenet, timedelta(hours=1))
    template = await choose(hass, account, template)
    assert template.data[CONF_ADD_NEW] == chosen
    template = await choose(hass, account, template, add_new=False)
    assert CONF_ADD_NEW not in template.data


async def test_only_the_first_of_several_devices_is_the_model_and_a_device_like_it_is_not(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Only the first of several devices is the model and a device like it is not."""
    for number in range(2):
        onenet.onenet.products[0].add(f"86697105000000{number}", f"Meter {number}", VALUES)
    form = await submit(hass, await start(hass, account), imei=IMEI, **{CONF_SEVERAL: {CONF_MORE: ["866971050000000"]}})
    progress = await submit(hass, form, resources=[TEMPERATURE], add_new=True)
    await finish_adding(hass, progress)
    chosen = {imei: CONF_ADD_NEW in subentry.data for imei, subentry in added(account).items()}
    assert chosen == {IMEI: True, "866971050000000": False}
    like = added(account)[IMEI].subentry_id
    form = await submit(hass, await start(hass, account), imei="866971050000001", **{CONF_LIKE: like})
    await submit(hass, form, resources=[TEMPERATURE])
    assert CONF_ADD_NEW not in added(account)["866971050000001"].data
