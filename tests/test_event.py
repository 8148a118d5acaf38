"""The event entities, whose events reach the trigger `event.received`."""

from datetime import timedelta

from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

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
