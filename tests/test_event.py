"""The event entities, whose events reach the trigger `event.received`."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events, async_mock_service

from custom_components.onenet_nbiot.const import CONF_IMEI, CONF_RESOURCES, SUBENTRY_DEVICE
from custom_components.onenet_nbiot.onenet.models import CommandState

from .common import (
    EVERY_PLATFORM,
    IMEI,
    add_device,
    commands_of,
    offline_read,
    refresh,
    run_with,
)
from .emulator import Fault, FaultKind, Server, Trigger

variant = run_with(EVERY_PLATFORM)

ENTITIES = "event.water_meter_command", "event.onenet_command"


@pytest.fixture
def changes(hass: HomeAssistant) -> list[tuple[str, str | None]]:
    """Return the list that collects the state and the event type of each new state of the entities."""
    states: list[tuple[str, str | None]] = []

    @callback
    def collect(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state
        shown = STATE_UNAVAILABLE if state.state == STATE_UNAVAILABLE else "available"
        states.append((shown, state.attributes.get("event_type")))

    async_track_state_change_event(hass, ENTITIES, collect)
    return states


async def test_an_event_that_ends_an_outage_is_received(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    changes: list[tuple[str, str | None]],
) -> None:
    """The entities become available before they show what the first poll after the outage finds."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    triggers = [
        {
            "trigger": "event.received",
            "target": {"entity_id": entity_id},
            "options": {"event_type": ["succeeded"]},
        }
        for entity_id in ENTITIES
    ]
    runs = async_mock_service(hass, "test", "run")
    automation = {"alias": "Test", "mode": "parallel", "triggers": triggers, "actions": [{"action": "test.run"}]}
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    onenet.onenet.clock.offset += timedelta(minutes=2)
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert all(hass.states.is_state(entity_id, STATE_UNAVAILABLE) for entity_id in ENTITIES)
    onenet.faults.clear()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    changes.clear()
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert sorted(changes) == [("available", "queued")] * 2 + [("available", "succeeded")] * 2
    assert len(runs) == 2
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


async def test_the_entities_show_what_is_published_when_the_account_is_loaded(
    hass: HomeAssistant, account: MockConfigEntry, changes: list[tuple[str, str | None]]
) -> None:
    """A state that was saved, but not published, waits for the entities."""
    await add_device(hass, account, "3303/0/5700")
    queued = await offline_read(hass)
    command = commands_of(account).find(queued["uuid"])
    assert command
    command.unpublished = True
    before = {entity_id: hass.states.get(entity_id) for entity_id in ENTITIES}
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    for entity_id, state in before.items():
        after = hass.states.get(entity_id)
        assert state
        assert after
        assert after.state > state.state
    assert changes[-1] == ("available", "queued")


async def test_a_command_that_ends_an_outage_is_received_as_queued(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """So is that of a device which would become available later, since there are many devices."""
    imeis = [f"86697103000{number:04}" for number in range(60)]
    for number, imei in enumerate(imeis):
        onenet.onenet.products[0].add(imei, f"Meter {number}", {})
        data = MappingProxyType({CONF_IMEI: imei, CONF_RESOURCES: []})
        device = ConfigSubentry(data=data, subentry_type=SUBENTRY_DEVICE, title=f"Meter {number}", unique_id=imei)
        hass.config_entries.async_add_subentry(account, device)
    await hass.async_block_till_done(wait_background_tasks=True)
    entity_id = "event.meter_59_command"
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.is_state(entity_id, STATE_UNAVAILABLE)
    onenet.faults.clear()
    shown: list[str] = []

    @callback
    def collect(event: Event[EventStateChangedData]) -> None:
        assert event.data["new_state"]
        shown.append(event.data["new_state"].state)

    async_track_state_change_event(hass, entity_id, collect)
    await offline_read(hass, imei=imeis[-1])
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get(entity_id)
    assert state
    assert shown == [STATE_UNKNOWN, state.state]
    assert state.attributes["event_type"] == "queued"


async def test_an_event_in_an_outage_is_received_after_it(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """A result may be pushed while OneNET is unreachable."""
    await add_device(hass, account, "3303/0/5700")
    uuid = (await offline_read(hass))["uuid"]
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    command = commands_of(account).find(uuid)
    assert command
    account.runtime_data.tracker.async_set_state(command, CommandState.EXPIRED, command.context)
    await hass.async_block_till_done()
    assert all(hass.states.is_state(entity_id, STATE_UNAVAILABLE) for entity_id in ENTITIES)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    onenet.faults.clear()
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    for entity_id in ENTITIES:
        states: list[Any] = [change.data["new_state"] for change in changes if change.data["entity_id"] == entity_id]
        assert STATE_UNAVAILABLE not in [state.state for state in states]
        assert [state.attributes["event_type"] for state in states] == ["queued", "expired"]
