"""Switches, lights, valves, numbers, selects and buttons that control a device which may sleep."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.const import ATTR_ASSUMED_STATE, ATTR_ENTITY_ID, EVENT_STATE_CHANGED, STATE_UNKNOWN, EntityCategory
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import CONF_AT_ONCE, CONF_CONTROLS, CONF_KIND, CONF_RESOURCES, DOMAIN

from .common import (
    IMEI,
    VARIANTS,
    act,
    add_device,
    arrival,
    client_of,
    devices_of,
    event_types,
    pass_time,
    poll_device,
    queue_requests,
    refresh,
    run_with,
    until,
)
from .emulator import Device, Fault, FaultKind, SendStatus, Server, Trigger

variant = run_with(VARIANTS)

SWITCH = "switch.water_meter_actuator"
LIGHT = "light.water_meter_light"
VALVE = "valve.water_meter_valve"
PENDING = ("pending", "pending_since", "pending_until", "uuid")
REBOOT = (3, 0, 4)


@pytest.fixture
def device(device: Device) -> Device:
    """Return a sleeping device with outputs, settings and an executable resource."""
    device.resources = {
        (3306, 0, 5850): False,
        (3306, 0, 5851): 20,
        (3311, 0, 5850): False,
        (3311, 0, 5851): 40,
        (3416, 0, 1): 0,
        (3416, 0, 3): 0,
        (3425, 0, 2): 0,
        (3425, 0, 3): 0,
        (3308, 0, 5900): 21.5,
        (3308, 0, 5603): 5,
        (3308, 0, 5604): 30,
        (3308, 0, 5701): "Cel",
        (3340, 0, 5526): 1,
        (3312, 0, 5851): 10,
        (3424, 0, 6): 10,
    }
    device.executables.add(REBOOT)
    return device


async def control(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, *controls: str, **settings: Any
) -> None:
    """Add the device with these controls, whose values it has reported."""
    onenet.onenet.report(IMEI)
    await add_device(hass, account, **{CONF_CONTROLS: list(controls)} | settings)


async def call(hass: HomeAssistant, action: str, entity_id: str, context: Context | None = None, **data: Any) -> None:
    """Call an action for an entity."""
    domain = entity_id.partition(".")[0]
    await hass.services.async_call(
        domain, action, {ATTR_ENTITY_ID: entity_id} | data, blocking=True, context=context or Context()
    )


def shown(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state is not None
    return state


def pending(hass: HomeAssistant, entity_id: str) -> Any:
    """Return the value that waits, None for no waiting write."""
    attributes = shown(hass, entity_id).attributes
    assert {name in attributes for name in PENDING} in ({True}, {False})
    return attributes.get("pending")


async def wake(account: MockConfigEntry, onenet: Server) -> None:
    """Let the device fetch its commands, and poll them."""
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)


async def test_a_switch_moves_when_the_device_has_confirmed_the_write(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Until then it has the confirmed state, and the attributes of the write that waits."""
    await control(hass, account, onenet, "3306/0/5850")
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    context = Context()
    await call(hass, "turn_on", SWITCH, context)
    state = shown(hass, SWITCH)
    (command,) = onenet.onenet.commands
    assert (state.state, state.attributes["pending"], state.attributes["uuid"]) == ("off", True, command.uuid)
    week = state.attributes["pending_until"] - state.attributes["pending_since"]
    assert abs(week - timedelta(days=7)) <= timedelta(seconds=1)
    assert ATTR_ASSUMED_STATE not in state.attributes
    await wake(account, onenet)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("on", None)
    assert device.resources[3306, 0, 5850] is True
    assert event_types(events) == ["queued", "succeeded"]
    assert {event.context.id for event in events} == {context.id}


async def test_the_state_moves_and_the_pending_attributes_go_at_the_same_time(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An automation never sees a confirmed state with a pending value, or neither."""
    await control(hass, account, onenet, "3306/0/5850")
    seen: list[tuple[str, Any]] = []

    @callback
    def record(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == SWITCH and state is not None:
            seen.append((state.state, state.attributes.get("pending")))

    hass.bus.async_listen(EVENT_STATE_CHANGED, record)
    await call(hass, "turn_on", SWITCH)
    await wake(account, onenet)
    await hass.async_block_till_done()
    assert seen == [("off", True), ("on", None)]


@pytest.mark.parametrize("at_same_time", [False, True])
async def test_two_quick_turns_leave_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, *, at_same_time: bool
) -> None:
    """The second one replaces the write of the first."""
    await control(hass, account, onenet, "3306/0/5850")
    turns = call(hass, "turn_on", SWITCH), call(hass, "turn_off", SWITCH)
    if at_same_time:
        await asyncio.gather(*turns)
    else:
        for turn in turns:
            await turn
    assert pending(hass, SWITCH) is False
    await wake(account, onenet)
    assert [command.send_status for command in onenet.onenet.commands] == [SendStatus.CANCELLED, SendStatus.DELIVERED]
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    assert device.resources[3306, 0, 5850] is False


async def test_a_failed_write_leaves_the_state(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """The event has the reason."""
    await control(hass, account, onenet, "3306/0/5850")
    await call(hass, "turn_on", SWITCH)
    del device.resources[3306, 0, 5850]
    await wake(account, onenet)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    assert event_types(events) == ["queued", "failed"]
    assert events[-1].data["reason"] == "not_found"


async def test_an_expired_write_leaves_the_state(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The attributes go when OneNET reports that."""
    await control(hass, account, onenet, "3306/0/5850")
    await call(hass, "turn_on", SWITCH)
    await pass_time(account, onenet, timedelta(days=8))
    await poll_device(account)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    assert event_types(events) == ["queued", "expired"]


async def test_a_refused_write_is_an_error(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """The caller gets it."""
    await control(hass, account, onenet, "3306/0/5850")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline"))
    with pytest.raises(HomeAssistantError, match="limit"):
        await call(hass, "turn_on", SWITCH)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)


async def test_a_pending_write_is_shown_after_a_reload(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The waiting commands are stored."""
    await control(hass, account, onenet, "3306/0/5850")
    await call(hass, "turn_on", SWITCH)
    uuid = shown(hass, SWITCH).attributes["uuid"]
    await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done()
    assert (pending(hass, SWITCH), shown(hass, SWITCH).attributes["uuid"]) == (True, uuid)
    await wake(account, onenet)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("on", None)


async def test_a_write_of_an_action_is_pending_too(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A cancelled one is not."""
    await control(hass, account, onenet, "3306/0/5850")
    values = [{"res_id": 5850, "value": 1}, {"res_id": 5851, "value": 70}]
    queued: dict[str, Any] = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0, "expires_in": {"days": 1}}
    response = await act(hass, "offline_write", **queued, values=values)
    assert pending(hass, SWITCH) is True
    await act(hass, "offline_write", **queued | {"obj_inst_id": 1}, values=values)
    await act(hass, "offline_read", **queued)
    assert shown(hass, SWITCH).attributes["uuid"] == response["uuid"]
    await act(hass, "cancel_command", uuid=response["uuid"])
    assert pending(hass, SWITCH) is None


async def test_a_write_for_later_is_neither_replaced_nor_sent_earlier(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A light that is turned on now keeps its brightness until the write for later."""
    await control(hass, account, onenet, "3311/0/5850", "3311/0/5851")
    later = (
        await act(
            hass,
            "offline_write",
            imei=IMEI,
            obj_id=3311,
            obj_inst_id=0,
            values=[{"res_id": 5851, "value": 5}],
            valid_time=(client_of(account).now() + timedelta(days=1)).isoformat(),
            expires_in={"days": 2},
        )
    )["uuid"]
    await call(hass, "turn_on", LIGHT)
    await wake(account, onenet)
    assert shown(hass, LIGHT).state == "on"
    assert (device.resources[3311, 0, 5850], device.resources[3311, 0, 5851]) == (True, 40)
    assert shown(hass, LIGHT).attributes["uuid"] == later


async def test_a_light_is_switched_and_dimmed_by_one_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The waiting values are kept unless they are changed."""
    await control(hass, account, onenet, "3311/0/5850", "3311/0/5851")
    assert shown(hass, LIGHT).attributes["supported_color_modes"] == ["brightness"]
    assert hass.states.get("number.water_meter_light_brightness") is None
    await call(hass, "turn_on", LIGHT, brightness=128)
    await call(hass, "turn_on", LIGHT)
    assert pending(hass, LIGHT) is True
    assert shown(hass, LIGHT).attributes["pending_brightness"] == 128
    await wake(account, onenet)
    assert (device.resources[3311, 0, 5850], device.resources[3311, 0, 5851]) == (True, 50)
    assert (shown(hass, LIGHT).state, shown(hass, LIGHT).attributes["brightness"]) == ("on", 128)
    await call(hass, "turn_on", LIGHT, brightness=255)
    await call(hass, "turn_off", LIGHT)
    assert pending(hass, LIGHT) is False
    await wake(account, onenet)
    assert shown(hass, LIGHT).state == "off"
    # Two of the four writes were replaced.
    cancelled = [command.send_status is SendStatus.CANCELLED for command in onenet.onenet.commands]
    assert cancelled == [True, False, True, False]


async def test_a_light_without_a_dimmer_is_switched(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A street lamp with a generic output is a light."""
    await control(hass, account, onenet, "3306/0/5850", **{CONF_KIND: "street_lamp"})
    assert shown(hass, LIGHT).attributes["supported_color_modes"] == ["onoff"]
    await call(hass, "turn_on", LIGHT)
    await wake(account, onenet)
    assert (shown(hass, LIGHT).state, device.resources[3306, 0, 5851]) == ("on", 20)


async def test_a_lamp_controller_shows_the_newer_of_command_and_status(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Another source, such as a schedule, may have changed the level since."""
    await control(hass, account, onenet, "3416/0/1")
    assert shown(hass, LIGHT).state == "off"
    await call(hass, "turn_on", LIGHT)
    await wake(account, onenet)
    assert (device.resources[3416, 0, 1], shown(hass, LIGHT).attributes["brightness"]) == (100, 255)
    await pass_time(account, onenet, timedelta(minutes=2))
    onenet.onenet.report(IMEI, {(3416, 0, 3): 30})
    await refresh(account)
    assert shown(hass, LIGHT).attributes["brightness"] == 76
    await call(hass, "turn_on", LIGHT)
    assert (pending(hass, LIGHT), shown(hass, LIGHT).attributes["pending_brightness"]) == (30, 76)
    await call(hass, "turn_off", LIGHT)
    assert (pending(hass, LIGHT), shown(hass, LIGHT).attributes["pending_brightness"]) == (0, 0)
    await wake(account, onenet)
    assert shown(hass, LIGHT).state == "off"


async def test_a_valve_is_opening_and_closing_while_a_write_waits(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """Its position is the one that the device has confirmed."""
    await control(hass, account, onenet, "3425/0/3")
    assert (shown(hass, VALVE).state, shown(hass, VALVE).attributes["device_class"]) == ("closed", "water")
    await call(hass, "open_valve", VALVE)
    assert (shown(hass, VALVE).state, pending(hass, VALVE)) == ("opening", 100)
    await call(hass, "set_valve_position", VALVE, position=60)
    await wake(account, onenet)
    assert (shown(hass, VALVE).state, shown(hass, VALVE).attributes["current_position"]) == ("open", 60)
    assert device.resources[3425, 0, 3] == 60
    await call(hass, "close_valve", VALVE)
    assert (shown(hass, VALVE).state, pending(hass, VALVE)) == ("closing", 0)
    await wake(account, onenet)
    assert shown(hass, VALVE).state == "closed"
    await call(hass, "set_valve_position", VALVE, position=0)
    assert (shown(hass, VALVE).state, pending(hass, VALVE)) == ("closed", 0)


async def test_a_valve_of_unknown_position_is_opening_or_closing(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The device has reported nothing yet."""
    await add_device(hass, account, controls=["3306/0/5850"], kind="valve")
    assert shown(hass, VALVE).state == STATE_UNKNOWN
    await call(hass, "close_valve", VALVE)
    assert shown(hass, VALVE).state == "closing"
    await call(hass, "open_valve", VALVE)
    assert shown(hass, VALVE).state == "opening"


async def test_a_generic_output_of_a_meter_is_its_valve(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """With a dimmer, it has a position."""
    await control(hass, account, onenet, "3306/0/5850", "3306/0/5851", **{CONF_KIND: "water_meter"})
    assert (shown(hass, VALVE).state, shown(hass, VALVE).attributes["current_position"]) == ("closed", 0)
    await call(hass, "open_valve", VALVE)
    await call(hass, "set_valve_position", VALVE, position=30)
    await wake(account, onenet)
    assert (shown(hass, VALVE).state, shown(hass, VALVE).attributes["current_position"]) == ("open", 30)
    assert (device.resources[3306, 0, 5850], device.resources[3306, 0, 5851]) == (True, 30)


async def test_a_number_has_the_unit_and_the_range_that_the_device_reports(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A value outside is refused before any request."""
    await control(hass, account, onenet, "3308/0/5900")
    number = "number.water_meter_set_point"
    state = shown(hass, number)
    assert (state.state, state.attributes["unit_of_measurement"]) == ("21.5", "°C")
    assert (state.attributes["min"], state.attributes["max"]) == (5, 30)
    with pytest.raises(ServiceValidationError):
        await call(hass, "set_value", number, value=31)
    assert queue_requests(onenet) == 0
    await call(hass, "set_value", number, value=18.25)
    assert pending(hass, number) == 18.25
    await wake(account, onenet)
    await pass_time(account, onenet, timedelta(minutes=2))
    onenet.onenet.report(IMEI, {(3308, 0, 5603): 30, (3308, 0, 5604): 5})
    await refresh(account)
    assert (shown(hass, number).state, device.resources[3308, 0, 5900]) == ("18.25", 18.25)
    # A reversed range is not accepted.
    assert shown(hass, number).attributes["max"] > 10**9


async def test_an_integer_is_written_as_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A setting is in the configuration of its device."""
    await control(hass, account, onenet, "3424/0/6")
    number = "number.water_meter_water_pulse_ratio"
    entry = er.async_get(hass).async_get(number)
    assert entry is not None
    assert entry.entity_category is EntityCategory.CONFIG
    await call(hass, "set_value", number, value=7)
    (command,) = onenet.onenet.commands
    assert command.content == {"data": [{"res_id": 6, "val": 7}]}
    await wake(account, onenet)
    assert shown(hass, number).state == "7"


async def test_a_value_that_cannot_be_read_is_assumed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """OneNET only lets 3312/x/5851 be written."""
    await add_device(hass, account, controls=["3312/0/5851"])
    number = "number.water_meter_power_control_level"
    assert (shown(hass, number).state, shown(hass, number).attributes[ATTR_ASSUMED_STATE]) == (STATE_UNKNOWN, True)
    await call(hass, "set_value", number, value=55)
    await wake(account, onenet)
    assert shown(hass, number).state == "55"


async def test_a_mode_is_selected_by_its_name(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """An unlisted value is unknown."""
    await control(hass, account, onenet, "3340/0/5526")
    select = "select.water_meter_timer_mode"
    assert shown(hass, select).state == "one_shot"
    await call(hass, "select_option", select, option="delayed_off")
    assert pending(hass, select) == "delayed_off"
    await wake(account, onenet)
    assert (shown(hass, select).state, device.resources[3340, 0, 5526]) == ("delayed_off", 4)
    await pass_time(account, onenet, timedelta(minutes=2))
    onenet.onenet.report(IMEI, {(3340, 0, 5526): 9})
    await refresh(account)
    assert shown(hass, select).state == STATE_UNKNOWN


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_a_button_executes_a_resource_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A second press while the first one waits changes nothing."""
    await control(hass, account, onenet, "3/0/4")
    button = "button.water_meter_reboot"
    assert shown(hass, button).attributes["device_class"] == "restart"
    await call(hass, "press", button)
    await call(hass, "press", button)
    await wake(account, onenet)
    assert device.executed == [(REBOOT, None)]


async def test_a_button_that_executes_is_disabled_by_default(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """It is enabled on purpose."""
    await control(hass, account, onenet, "3/0/4")
    entry = er.async_get(hass).async_get("button.water_meter_reboot")
    assert entry is not None
    assert entry.disabled_by is er.RegistryEntryDisabler.INTEGRATION


AT_ONCE: dict[str, Any] = {CONF_AT_ONCE: True}


async def test_a_device_that_answers_is_written_to_at_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Nothing is queued."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    device.online = True
    await call(hass, "turn_on", SWITCH)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("on", None)
    assert (queue_requests(onenet), events) == (0, [])
    assert device.resources[3306, 0, 5850] is True


@pytest.mark.parametrize("online", [False, True])
async def test_a_device_that_does_not_answer_is_written_to_later(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, *, online: bool
) -> None:
    """After a timeout, the same state may be written again."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    device.online, device.answers = online, False
    await call(hass, "turn_on", SWITCH)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", True)
    device.answers = True
    await wake(account, onenet)
    assert shown(hass, SWITCH).state == "on"


async def test_a_write_at_once_cancels_the_waiting_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Delivered later, it would undo the write."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    await call(hass, "turn_on", SWITCH)
    device.online = True
    await call(hass, "turn_off", SWITCH)
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    assert event_types(events) == ["queued", "cancelled"]


async def test_a_refused_write_at_once_is_an_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """It is not queued."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    device.online = True
    del device.resources[3306, 0, 5850]
    with pytest.raises(HomeAssistantError):
        await call(hass, "turn_on", SWITCH)
    assert queue_requests(onenet) == 0


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_a_resource_is_executed_at_once_or_later(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """It is queued only if the device is offline."""
    await control(hass, account, onenet, "3/0/4", **AT_ONCE)
    button = "button.water_meter_reboot"
    device.online = True
    await call(hass, "press", button)
    assert (device.executed, queue_requests(onenet)) == ([(REBOOT, None)], 0)
    device.online = False
    await call(hass, "press", button)
    assert queue_requests(onenet) == 1


async def test_a_controlled_resource_has_no_sensor(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """It is read with the others."""
    await control(hass, account, onenet, "3306/0/5850", **{CONF_RESOURCES: ["3306/0/5850", "3306/0/5851"]})
    assert hass.states.get("binary_sensor.water_meter_actuator") is None
    assert shown(hass, "sensor.water_meter_actuator_level").state == "20"
    await act(hass, "request_reading", entity_id=SWITCH)
    (command,) = onenet.onenet.commands
    assert command.args["res_id"] == "5850"


async def test_changed_controls_take_effect_at_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A light gets its dimmer, and becomes a sensor again."""
    await control(hass, account, onenet, "3311/0/5850")
    (subentry,) = account.subentries.values()

    async def change(**data: Any) -> None:
        hass.config_entries.async_update_subentry(account, subentry, data={**subentry.data, **data})
        await hass.async_block_till_done(wait_background_tasks=True)

    await change(controls=["3311/0/5850", "3311/0/5851"])
    assert shown(hass, LIGHT).attributes["supported_color_modes"] == ["brightness"]
    await change(controls=[], resources=["3311/0/5850"])
    assert (hass.states.get(LIGHT), er.async_get(hass).async_get(LIGHT)) == (None, None)
    assert shown(hass, "binary_sensor.water_meter_light").state == "off"
    await change(at_once=True)
    assert devices_of(account).get(IMEI).at_once
    assert hass.services.has_service(DOMAIN, "offline_write")


async def test_of_two_writes_in_one_wake_the_later_one_is_shown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, events: list[Event]
) -> None:
    """Their events are fired in the order of their delivery."""
    await control(hass, account, onenet, "3306/0/5850")
    target: dict[str, Any] = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0, "expires_in": {"days": 1}}
    uuids = [
        (await act(hass, "offline_write", **target, values=[{"res_id": 5850, "value": value}]))["uuid"]
        for value in (True, False)
    ]
    await wake(account, onenet)
    assert device.resources[3306, 0, 5850] is False
    assert (shown(hass, SWITCH).state, pending(hass, SWITCH)) == ("off", None)
    assert [event.data["uuid"] for event in events if event.data["type"] == "command_succeeded"] == uuids


async def test_a_cancelled_turn_is_finished_before_the_next_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """An automation that is restarted in the middle leaves one command, that of its last turn."""
    await control(hass, account, onenet, "3311/0/5850", "3311/0/5851")
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/offline", times=1, seconds=0.2))
    turn = asyncio.create_task(call(hass, "turn_on", LIGHT, brightness=200))
    await arrival(onenet)
    turn.cancel()
    await call(hass, "turn_off", LIGHT)
    assert pending(hass, LIGHT) is False
    await wake(account, onenet)
    assert (device.resources[3311, 0, 5850], shown(hass, LIGHT).state) == (False, "off")
    assert [command.send_status for command in onenet.onenet.commands] == [SendStatus.CANCELLED, SendStatus.DELIVERED]


async def test_a_cancelled_turn_at_once_is_not_lost(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """It is sent although the caller is gone, after the waiting write was cancelled."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    await call(hass, "turn_on", SWITCH)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/cancel", times=1, seconds=0.2))
    device.online = True
    turn = asyncio.create_task(call(hass, "turn_off", SWITCH))
    while "/cancel" not in onenet.requests[-1].path:  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0)
    turn.cancel()
    await until(lambda: pending(hass, SWITCH) is None)
    await hass.async_block_till_done()
    assert (device.resources[3306, 0, 5850], shown(hass, SWITCH).state) == (False, "off")


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE])
async def test_a_write_at_once_without_a_reply_is_queued(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, kind: FaultKind
) -> None:
    """The same state may be written twice."""
    await control(hass, account, onenet, "3306/0/5850", **AT_ONCE)
    device.online = True
    path = "/nbiot" if "legacy" in account.data.get("platform", "legacy") else "/nb-iot"
    onenet.faults.append(Fault(kind=kind, path=path, times=1))
    await call(hass, "turn_on", SWITCH)
    assert pending(hass, SWITCH) is True
    await wake(account, onenet)
    assert shown(hass, SWITCH).state == "on"


async def test_a_valve_stays_opening_while_its_write_is_replaced(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """No automation sees it closed in between."""
    await control(hass, account, onenet, "3425/0/3")
    seen: list[str] = []

    @callback
    def record(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == VALVE and state is not None:
            seen.append(state.state)

    await call(hass, "open_valve", VALVE)
    hass.bus.async_listen(EVENT_STATE_CHANGED, record)
    await call(hass, "set_valve_position", VALVE, position=50)
    await hass.async_block_till_done()
    assert (seen, pending(hass, VALVE)) == (["opening"], 50)


async def test_the_lowest_brightness_is_not_off(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A percentage keeps its value through Home Assistant's brightness."""
    await control(hass, account, onenet, "3416/0/1")
    await call(hass, "turn_on", LIGHT, brightness=1)
    assert pending(hass, LIGHT) == 1
    for percentage in (2, 50, 99, 100):
        await call(hass, "turn_on", LIGHT, brightness_pct=percentage)
        assert pending(hass, LIGHT) == percentage


async def test_several_waiting_writes_are_pending_together(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The UUID is that of the last one."""
    await control(hass, account, onenet, "3306/0/5850", "3306/0/5851", **{CONF_KIND: "valve"})
    target: dict[str, Any] = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0, "expires_in": {"days": 1}}
    await act(hass, "offline_write", **target, values=[{"res_id": 5850, "value": True}])
    last = await act(hass, "offline_write", **target, values=[{"res_id": 5851, "value": 60}])
    assert (shown(hass, VALVE).state, pending(hass, VALVE)) == ("opening", True)
    assert shown(hass, VALVE).attributes["uuid"] == last["uuid"]


async def test_the_pending_number_has_the_unit_of_the_state(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A value is written without the digits beyond its precision."""
    hass.config.units = US_CUSTOMARY_SYSTEM
    # A resource that the registry only lets be read can be typed.
    device.resources[3303, 0, 5700] = 20.0
    await control(hass, account, onenet, "3303/0/5700")
    number = "number.water_meter_temperature_sensor_value"
    assert shown(hass, number).state == "68.0"
    await call(hass, "set_value", number, value=70)
    assert (pending(hass, number), shown(hass, number).attributes["unit_of_measurement"]) == (70, "°F")
    (command,) = onenet.onenet.commands
    assert command.content == {"data": [{"res_id": 5700, "val": 21.1111111111}]}


async def test_a_number_in_another_unit_is_written_in_that_of_the_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The limits of the range can be set."""
    device.resources |= {(3308, 0, 5701): "MPa", (3308, 0, 5900): 0.5, (3308, 0, 5603): 0.0, (3308, 0, 5604): 2.01}
    await control(hass, account, onenet, "3308/0/5900")
    number = "number.water_meter_set_point"
    assert [shown(hass, number).attributes[name] for name in ("min", "max", "step")] == [0, 2010, 10]
    for value, written in ((301.1, 0.3011), (2010, 2.01)):
        await call(hass, "set_value", number, value=value)
        assert onenet.onenet.commands[-1].content == {"data": [{"res_id": 5900, "val": written}]}
        assert pending(hass, number) == value


async def test_a_reported_limit_replaces_that_of_the_registry(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The registry's range of an analog output is 0 to 1."""
    device.resources |= {(3203, 0, 5650): 7.3, (3203, 0, 5604): 10}
    await control(hass, account, onenet, "3203/0/5650")
    state = shown(hass, "number.water_meter_analog_output")
    assert (state.state, state.attributes["min"], state.attributes["max"]) == ("7.3", 0, 10)


async def test_a_resource_that_is_only_written_is_not_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A reading of nothing else is an error."""
    await add_device(hass, account, controls=["3312/0/5851"])
    with pytest.raises(ServiceValidationError):
        await call(hass, "press", "button.water_meter_request_reading")
    assert queue_requests(onenet) == 0


async def test_an_expired_value_is_not_written_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """OneNET may report only later that a write has expired."""
    await control(hass, account, onenet, "3311/0/5850", "3311/0/5851")
    await call(hass, "turn_on", LIGHT, brightness=255)
    await pass_time(account, onenet, timedelta(days=7, seconds=5))
    await call(hass, "turn_off", LIGHT)
    assert onenet.onenet.commands[-1].content == {"data": [{"res_id": 5850, "val": False}]}


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_a_waiting_execute_is_not_carried_out_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A press that reaches the device cancels the one that waits."""
    await control(hass, account, onenet, "3/0/4", **AT_ONCE)
    button = "button.water_meter_reboot"
    await call(hass, "press", button)
    device.online = True
    await call(hass, "press", button)
    await wake(account, onenet)
    assert device.executed == [(REBOOT, None)]
