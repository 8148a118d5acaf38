"""The repair issue of a device that was deleted at OneNET."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from http import HTTPStatus
import json
from pathlib import Path
from typing import Any

from freezegun import freeze_time
from freezegun.api import TickingDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot import repairs
from custom_components.onenet_nbiot.const import CONF_PLATFORM, DOMAIN
from custom_components.onenet_nbiot.repairs import async_create_fix_flow

from .common import EVERY_PLATFORM, IMEI, OTHER_IMEI, add_device, offline_read, refresh, run_with
from .emulator import Device, Server

variant = run_with(EVERY_PLATFORM)

TEMPERATURE = "sensor.water_meter_temperature"
# Longer than the polling interval, since the platform's time is known to a few seconds only.
BETWEEN_POLLS = timedelta(seconds=75)


@pytest.fixture
def expected_warnings() -> list[str]:
    """Return the warnings of Home Assistant's web server, whose log fails if the clock is set."""
    return ["zlib_ng and isal are not available", "Error in logging"]


@pytest.fixture
def clock() -> Iterator[TickingDateTimeFactory]:
    """Return a clock that runs and can be set; the event loop keeps its own."""
    with freeze_time("2026-11-23 04:00:00", tick=True, real_asyncio=True) as clock:
        assert isinstance(clock, TickingDateTimeFactory)
        yield clock


@pytest.fixture
async def subentry(
    hass: HomeAssistant, clock: TickingDateTimeFactory, account: MockConfigEntry, onenet: Server
) -> ConfigSubentry:
    """Return the subentry of the device, which has a value."""
    onenet.onenet.report(IMEI)
    return await add_device(hass, account, "3303/0/5700")


async def polls(hass: HomeAssistant, account: MockConfigEntry, clock: TickingDateTimeFactory, number: int = 2) -> None:
    """Let time pass with regular polls."""
    for _ in range(number):
        # Requests in flight would count the time that passes as theirs.
        await hass.async_block_till_done(wait_background_tasks=True)
        clock.tick(BETWEEN_POLLS)
        await refresh(account)
        await hass.async_block_till_done(wait_background_tasks=True)


async def delete(hass: HomeAssistant, account: MockConfigEntry, clock: TickingDateTimeFactory, onenet: Server) -> None:
    """Delete the device at OneNET, and poll twice with an hour between."""
    onenet.onenet.remove(IMEI)
    await polls(hass, account, clock)
    clock.tick(timedelta(hours=1))
    await polls(hass, account, clock)


def issue(hass: HomeAssistant, subentry: ConfigSubentry) -> ir.IssueEntry | None:
    """Return the repair issue of a device, if there is one."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"device_gone_{subentry.subentry_id}")


def states(hass: HomeAssistant, subentry: ConfigSubentry) -> dict[str, bool]:
    """Return whether the entities of a device are available, by entity id."""
    entities = [
        entity for entity in er.async_get(hass).entities.values() if entity.config_subentry_id == subentry.subentry_id
    ]
    found = {entity.entity_id: hass.states.get(entity.entity_id) for entity in entities}
    return {entity_id: state.state != STATE_UNAVAILABLE for entity_id, state in found.items() if state}


@pytest.fixture
async def repair_issue(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> ir.IssueEntry:
    """Return the repair issue of the device after it was deleted at OneNET."""
    await delete(hass, account, clock, onenet)
    found = issue(hass, subentry)
    assert found
    return found


async def open_repair(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, found: ir.IssueEntry
) -> tuple[Any, Any]:
    """Start the repair flow of an issue over HTTP; return the HTTP client and the form."""
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    data = {"handler": DOMAIN, "issue_id": found.issue_id}
    response = await client.post("/api/repairs/issues/fix", json=data)
    assert response.status == HTTPStatus.OK
    return client, await response.json()


async def confirm(client: Any, form: Any) -> Any:
    """Submit the form of a repair flow over HTTP."""
    response = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    assert response.status == HTTPStatus.OK
    return await response.json()


async def test_a_sleeping_device_has_no_repair_issue(
    hass: HomeAssistant, subentry: ConfigSubentry, account: MockConfigEntry, clock: TickingDateTimeFactory
) -> None:
    """Its entities stay available."""
    await polls(hass, account, clock, 20)
    assert issue(hass, subentry) is None
    assert all(states(hass, subentry).values())


async def test_a_deleted_device_is_unavailable_and_has_a_repair_issue(
    hass: HomeAssistant, subentry: ConfigSubentry, repair_issue: ir.IssueEntry
) -> None:
    """The issue is fixable; the entities of the account stay available."""
    shown = states(hass, subentry)
    assert TEMPERATURE in shown
    assert not any(shown.values())
    assert (repair_issue.severity, repair_issue.is_fixable, repair_issue.translation_key) == (
        ir.IssueSeverity.WARNING,
        True,
        "device_gone",
    )
    assert repair_issue.translation_placeholders == {
        "name": "Water meter",
        "device": "Water meter",
        "account": "OneNET",
    }
    # The entities of the account stay available.
    state = hass.states.get("sensor.onenet_waiting_commands")
    assert state
    assert state.state == "0"


async def test_a_device_that_onenet_does_not_know_for_less_than_an_hour_has_no_repair_issue(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """Two refusals within an hour count as one."""
    device = onenet.onenet.products[0].devices[IMEI]
    for _ in range(3):
        onenet.onenet.remove(IMEI)
        await polls(hass, account, clock, 20)
        onenet.onenet.products[0].devices[IMEI] = device
        clock.tick(timedelta(hours=1))
        await polls(hass, account, clock)
    assert issue(hass, subentry) is None
    assert all(states(hass, subentry).values())


async def test_a_deleted_device_with_a_queued_command_has_a_repair_issue(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """Its entities are unavailable, too."""
    await offline_read(hass)
    await delete(hass, account, clock, onenet)
    assert issue(hass, subentry)
    assert not any(states(hass, subentry).values())


async def test_a_deleted_device_leaves_the_others_available(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """The other device has no repair issue."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 1.5})
    other = await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Gas meter")
    await polls(hass, account, clock, 2)
    await delete(hass, account, clock, onenet)
    assert issue(hass, subentry)
    assert issue(hass, other) is None
    assert not any(states(hass, subentry).values())
    assert all(states(hass, other).values())


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
async def test_the_texts_of_the_repair_name_the_device_and_the_account(
    hass: HomeAssistant, repair_issue: ir.IssueEntry, hass_client: ClientSessionGenerator, language: str
) -> None:
    """All placeholders of the title and the description are filled in."""
    path = Path(repairs.__file__).parent / "translations" / f"{language}.json"
    texts = json.loads(path.read_text(encoding="utf-8"))["issues"][repair_issue.translation_key]
    assert repair_issue.translation_placeholders
    assert texts["title"].format(**repair_issue.translation_placeholders).startswith("Water meter")
    _, form = await open_repair(hass, hass_client, repair_issue)
    assert (form["type"], form["step_id"], form["data_schema"]) == ("form", "confirm", [])
    shown = texts["fix_flow"]["step"]["confirm"]
    assert "Water meter" in shown["title"].format(**form["description_placeholders"])
    description = shown["description"].format(**form["description_placeholders"])
    assert "Water meter" in description
    assert "OneNET" in description


async def test_confirming_the_repair_removes_the_device(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    hass_client: ClientSessionGenerator,
    clock: TickingDateTimeFactory,
) -> None:
    """Opening the repair removes nothing; confirming it deletes the issue, too."""
    client, form = await open_repair(hass, hass_client, repair_issue)
    # The form was only opened.
    assert issue(hass, subentry)
    assert account.subentries
    assert (await confirm(client, form))["type"] == FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not account.subentries
    assert states(hass, subentry) == {}
    assert hass.states.get(TEMPERATURE) is None
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}
    assert issue(hass, subentry) is None
    await polls(hass, account, clock)
    assert issue(hass, subentry) is None
    assert account.state.value == "loaded"


async def test_a_repair_can_be_confirmed_after_the_device_was_removed(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    """The flow ends without an error."""
    client, form = await open_repair(hass, hass_client, repair_issue)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (await confirm(client, form))["type"] == FlowResultType.CREATE_ENTRY
    assert issue(hass, subentry) is None


async def test_confirming_the_repair_keeps_a_device_that_was_found_again(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    onenet: Server,
    hass_client: ClientSessionGenerator,
) -> None:
    """OneNET accepted a command for the device while the form was open."""
    client, form = await open_repair(hass, hass_client, repair_issue)
    onenet.onenet.products[0].add(IMEI, "Water meter")
    await offline_read(hass)
    assert (await confirm(client, form))["type"] == FlowResultType.CREATE_ENTRY
    assert subentry.subentry_id in account.subentries


async def test_a_repair_can_be_confirmed_after_the_account_was_removed(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    """The issue is deleted with the account, and the flow ends without an error."""
    client, form = await open_repair(hass, hass_client, repair_issue)
    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue(hass, subentry) is None
    assert (await confirm(client, form))["type"] == FlowResultType.CREATE_ENTRY


async def test_confirming_a_repair_without_data_removes_nothing(
    hass: HomeAssistant, subentry: ConfigSubentry, account: MockConfigEntry, repair_issue: ir.IssueEntry
) -> None:
    """The flow ends without an error."""
    flow: Any = await async_create_fix_flow(hass, repair_issue.issue_id, None)
    flow.hass, flow.handler, flow.data = hass, DOMAIN, None
    flow.context = {"issue_id": repair_issue.issue_id}
    # The attribute that Home Assistant 2026.8 uses.
    flow.issue_id = repair_issue.issue_id
    assert (await flow.async_step_init())["type"] is FlowResultType.FORM
    assert isinstance(flow, repairs.DeviceGoneRepairFlow)
    assert (await flow.async_step_confirm({}))["type"] is FlowResultType.CREATE_ENTRY
    assert account.subentries


async def test_a_device_that_is_registered_again_is_available(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """Its repair issue is deleted, and its entities show the new values."""
    onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 23.5})
    onenet.onenet.report(IMEI)
    clock.tick(timedelta(hours=1))
    await polls(hass, account, clock)
    assert issue(hass, subentry) is None
    shown = states(hass, subentry)
    assert TEMPERATURE in shown
    assert all(shown.values())
    if account.data.get(CONF_PLATFORM) != "current":
        state = hass.states.get(TEMPERATURE)
        assert state
        assert state.state == "23.5"


async def test_a_device_that_is_deleted_again_has_a_repair_issue_again(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
) -> None:
    """The issue is created each time the device is deleted."""
    onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 23.5})
    clock.tick(timedelta(hours=1))
    await polls(hass, account, clock)
    assert issue(hass, subentry) is None
    await delete(hass, account, clock, onenet)
    assert issue(hass, subentry)
    assert not any(states(hass, subentry).values())


async def test_removing_the_device_deletes_its_repair_issue(
    hass: HomeAssistant, subentry: ConfigSubentry, account: MockConfigEntry, repair_issue: ir.IssueEntry
) -> None:
    """The repair flow is not needed for that."""
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue(hass, subentry) is None


async def test_removing_the_device_while_the_account_is_not_loaded_deletes_its_repair_issue(
    hass: HomeAssistant, subentry: ConfigSubentry, account: MockConfigEntry, repair_issue: ir.IssueEntry
) -> None:
    """The issue is deleted at the next set-up of the account."""
    await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue(hass, subentry) is None


async def test_the_repair_issue_stays_after_a_reload(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
) -> None:
    """The entities stay unavailable."""
    assert await hass.config_entries.async_reload(account.entry_id)
    await polls(hass, account, clock)
    assert issue(hass, subentry)
    assert not any(states(hass, subentry).values())


async def test_the_repair_issue_is_deleted_when_the_account_is_disabled(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
) -> None:
    """It returns when the account is enabled again."""
    await hass.config_entries.async_set_disabled_by(account.entry_id, ConfigEntryDisabler.USER)
    assert issue(hass, subentry) is None
    await hass.config_entries.async_set_disabled_by(account.entry_id, None)
    await polls(hass, account, clock)
    assert issue(hass, subentry)


async def test_the_repair_issue_stays_after_a_restart(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
) -> None:
    """The entities stay unavailable, and the issue has the same data and placeholders."""
    await hass.config_entries.async_unload(account.entry_id)
    await hass.async_stop(force=True)
    restart: AbstractAsyncContextManager[HomeAssistant] = async_test_home_assistant(config_dir=hass.config.config_dir)
    async with restart as again:
        again.data.pop(DATA_CUSTOM_COMPONENTS)
        entry = MockConfigEntry(
            domain=DOMAIN,
            title="OneNET",
            data=account.data,
            entry_id=account.entry_id,
            subentries_data=[subentry.as_dict()],
        )
        entry.add_to_hass(again)
        assert await again.config_entries.async_setup(entry.entry_id)
        await polls(again, entry, clock)
        found = issue(again, subentry)
        shown = states(again, subentry)
        await again.config_entries.async_unload(entry.entry_id)
        await again.async_stop(force=True)
    assert TEMPERATURE in shown
    assert not any(shown.values())
    assert found
    assert found.data == {"entry_id": account.entry_id, "subentry_id": subentry.subentry_id}
    assert found.translation_placeholders == {
        "name": "Water meter",
        "device": "Water meter",
        "account": "OneNET",
    }


async def test_a_deleted_device_can_be_removed_and_added_again(
    hass: HomeAssistant,
    subentry: ConfigSubentry,
    account: MockConfigEntry,
    repair_issue: ir.IssueEntry,
    clock: TickingDateTimeFactory,
    onenet: Server,
    device: Device,
) -> None:
    """It has no repair issue, and its entities show the new values."""
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 23.5})
    onenet.onenet.report(IMEI)
    again = await add_device(hass, account, "3303/0/5700")
    await polls(hass, account, clock)
    assert issue(hass, again) is None
    assert all(states(hass, again).values())
    if account.data.get(CONF_PLATFORM) != "current":
        state = hass.states.get(TEMPERATURE)
        assert state
        assert state.state == "23.5"
