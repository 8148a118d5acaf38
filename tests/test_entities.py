"""Entities of an account."""

from homeassistant.core import Context, Event, HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    mock_restore_cache_with_extra_data,
)

from custom_components.onenet_nbiot.const import DOMAIN, EVENT_ONENET

from .common import IMEI, add_device, offline_read, poll_device
from .emulator import Device, Server, Trigger

EVENT = "event.onenet_command"
SENSOR = "sensor.onenet_waiting_commands"


def state(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found
    return found


async def test_an_account_is_a_service_device_with_named_entities(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Its entities have translated names."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}
    assert (device.name, device.manufacturer, device.entry_type) == (
        "OneNET",
        "China Mobile",
        dr.DeviceEntryType.SERVICE,
    )
    entities = er.async_entries_for_device(er.async_get(hass), device.id)
    assert {entity.entity_id for entity in entities} == {EVENT, SENSOR}
    assert state(hass, EVENT).name == "OneNET Command"
    assert state(hass, SENSOR).name == "OneNET Waiting commands"


async def test_the_event_entity_shows_the_bus_event(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """It has the same fields and the same context."""
    context = Context(user_id="somebody")
    await offline_read(hass, context)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.async_block_till_done()
    fields = {name: value for name, value in events[1].data.items() if name != "type"}
    shown = state(hass, EVENT)
    assert shown.attributes["event_type"] == "succeeded"
    assert {name: shown.attributes[name] for name in fields} == fields
    assert shown.context.id == context.id


async def test_the_event_entity_shows_a_refusal(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Its event type is `rejected`."""
    with pytest.raises(ServiceValidationError, match="no device with this IMEI"):
        await offline_read(hass, imei="866971030000009")
    assert state(hass, EVENT).attributes["event_type"] == "rejected"
    assert state(hass, EVENT).attributes["reason"] == "unknown_device"


async def test_the_sensor_counts_waiting_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Finished commands are not counted."""
    assert state(hass, SENSOR).state == "0"
    await offline_read(hass)
    await offline_read(hass, obj_id=3)
    assert state(hass, SENSOR).state == "2"
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert state(hass, SENSOR).state == "0"


async def test_all_states_are_updated_when_an_automation_runs(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An automation with a trigger for the bus event or for an event entity sees the counts and the value."""
    await add_device(hass, account, "3303/0/5700")
    triggers = [
        {"trigger": "event", "event_type": EVENT_ONENET},
        {"trigger": "state", "entity_id": "event.water_meter_command"},
        {"trigger": "state", "entity_id": EVENT},
    ]
    sensors = (SENSOR, "sensor.water_meter_waiting_commands", "sensor.water_meter_temperature")
    seen = {name: f"{{{{ states('{name}') }}}}" for name in sensors}
    event_type = "{{ state_attr('event.water_meter_command', 'event_type') }}"
    action = {"event": "seen", "event_data": {"event_type": event_type, "states": list(seen.values())}}
    automations = [{"alias": f"{number}", "triggers": one, "actions": action} for number, one in enumerate(triggers)]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    found = async_capture_events(hass, "seen")
    await offline_read(hass, obj_inst_id=0, res_id=5700)
    await hass.async_block_till_done()
    assert [event.data for event in found] == [{"event_type": "queued", "states": [1, 1, "unknown"]}] * 3
    found.clear()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.async_block_till_done()
    assert [event.data for event in found] == [{"event_type": "succeeded", "states": [0, 0, 21.5]}] * 3


async def test_the_last_event_is_shown_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device
) -> None:
    """The event entity restores its state."""
    mock_restore_cache_with_extra_data(
        hass,
        [
            (
                State(EVENT, "2026-11-23T04:00:00.000+00:00"),
                {"last_event_type": "succeeded", "last_event_attributes": {"uuid": "u"}},
            )
        ],
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert state(hass, EVENT).state == "2026-11-23T04:00:00.000+00:00"
    assert state(hass, EVENT).attributes["event_type"] == "succeeded"
    assert state(hass, EVENT).attributes["uuid"] == "u"
