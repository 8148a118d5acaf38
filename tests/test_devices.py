"""Devices that were added: their entities, readings and requests."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from homeassistant.const import (
    ATTR_DEVICE_CLASS,
    ATTR_UNIT_OF_MEASUREMENT,
    CONF_URL,
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityCategory,
)
from homeassistant.core import Context, Event, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.onenet_nbiot.const import DOMAIN, MODEL_DEVICE, SERVICE_READ
from custom_components.onenet_nbiot.device_registry import async_sync_devices
from custom_components.onenet_nbiot.devices import BATCH_SIZE, Device as KnownDevice
from custom_components.onenet_nbiot.lwm2m import describe_entities
from custom_components.onenet_nbiot.onenet.models import Opaque
from custom_components.onenet_nbiot.onenet.operations import Read
from custom_components.onenet_nbiot.store import FILE_NAME, async_get_store

from .common import (
    ACCOUNTS,
    CURRENT_ONLY,
    EVERY_PLATFORM,
    IMEI,
    LEGACY_ONLY,
    OTHER_IMEI,
    act,
    add_device,
    client_of,
    devices_of,
    offline_read,
    pass_time,
    poll_device,
    refresh,
    revoke,
    run_with,
    until,
)
from .emulator import Device, Fault, FaultKind, Server, Trigger

variant = run_with(EVERY_PLATFORM)

MINUTE = timedelta(minutes=1)
TEMPERATURE = (3303, 0, 5700)
UNIT = (3303, 0, 5701)
SENSOR = "sensor.water_meter_temperature"
CONNECTIVITY = "binary_sensor.water_meter_connectivity"
COMMAND = "event.water_meter_command"
WAITING = "sensor.water_meter_waiting_commands"
READ_NOW = "button.water_meter_request_reading"
CANCEL_WAITING = "button.water_meter_cancel_waiting_commands"


def shown(hass: HomeAssistant, entity_id: str = SENSOR) -> State:
    """Return the state of an entity."""
    state = hass.states.get(entity_id)
    assert state
    return state


async def poll(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> list[str]:
    """Advance the clock by a minute and poll; return the paths of the requests."""
    onenet.onenet.clock.offset += MINUTE
    # The date of the reply sets the time of the client.
    await client_of(account).check_credentials()
    onenet.requests.clear()
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    return [request.path for request in onenet.requests]


async def delete(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Delete the device at OneNET, and poll until it is missing."""
    onenet.onenet.remove(IMEI)
    for _ in range(2):
        for _ in range(2):
            await poll(hass, account, onenet)
        onenet.onenet.clock.offset += timedelta(hours=1)


async def finished_read(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, **fields: Any) -> None:
    """Queue a read, wake the device, and poll its commands."""
    await offline_read(hass, **fields)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.async_block_till_done()


async def press(hass: HomeAssistant, context: Context | None = None, entity_id: str = READ_NOW) -> None:
    """Press a button of the device."""
    await hass.services.async_call("button", "press", {"entity_id": entity_id}, blocking=True, context=context)


def identity(hass: HomeAssistant, account: MockConfigEntry) -> tuple[str | None, ...]:
    """Return the manufacturer, model, firmware and hardware version of the device."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, f"{account.entry_id}_{IMEI}"), account.entry_id)
    assert device
    return device.manufacturer, device.model, device.sw_version, device.hw_version


def queued_paths(onenet: Server) -> list[str]:
    """Return the paths of the queued operations."""
    names = ("obj_id", "obj_inst_id", "res_id")
    return [
        "/".join(command.args[name] for name in names if name in command.args) for command in onenet.onenet.commands
    ]


def capture_writes(hass: HomeAssistant) -> list[str]:
    """Return a list that collects the entity ids of all written states, changed or not."""
    written: list[str] = []

    @callback
    def write(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    for name in (EVENT_STATE_CHANGED, EVENT_STATE_REPORTED):
        hass.bus.async_listen(name, write, event_filter=callback(lambda _: True))
    return written


async def test_a_device_is_registered_with_its_imei_and_named_entities(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Names come from the translations, not from paths such as 3303/0/5700."""
    await add_device(hass, account, "3303/0/5700", "3200/0/5500", "3303/1/5700", "31024/0/1")
    registry = dr.async_get(hass)
    service = registry.async_get_device_by_identifier((DOMAIN, account.entry_id), account.entry_id)
    device = registry.async_get_device_by_identifier((DOMAIN, f"{account.entry_id}_{IMEI}"), account.entry_id)
    assert service
    assert device
    assert (device.name, device.model, device.serial_number) == ("Water meter", MODEL_DEVICE, IMEI)
    assert device.via_device_id == service.id
    entities = er.async_entries_for_device(er.async_get(hass), device.id)
    assert {entity.entity_id for entity in entities} == {
        CONNECTIVITY,
        COMMAND,
        WAITING,
        READ_NOW,
        SENSOR,
        "sensor.water_meter_temperature_1",
        "binary_sensor.water_meter_digital_input",
        "sensor.water_meter_31024_0_1",
    }
    assert shown(hass, "sensor.water_meter_temperature_1").name == "Water meter Temperature 1"
    assert shown(hass, SENSOR).attributes[ATTR_DEVICE_CLASS] == "temperature"


IDENTITY = {(3, 0, 0): " Quectel\0", (3, 0, 1): "BC35", (3, 0, 3): "V1.2", (3, 0, 18): "C"}


@pytest.mark.parametrize("how", ["queued", "immediate", "newest"])
async def test_a_device_shows_the_manufacturer_model_and_versions_that_it_reported(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, how: str
) -> None:
    """They need not be selected; a reload keeps them, and a new version replaces the former one."""
    await add_device(hass, account, "3303/0/5700")
    assert identity(hass, account) == (None, MODEL_DEVICE, None, None)
    device.resources |= IDENTITY
    if how == "queued":
        await finished_read(hass, account, onenet, obj_id=3)
    elif how == "immediate":
        onenet.onenet.set_online(IMEI, online=True)
        await act(hass, SERVICE_READ, imei=IMEI, obj_id=3)
    else:
        onenet.onenet.report(IMEI, IDENTITY)
        await poll(hass, account, onenet)
    assert identity(hass, account) == ("Quectel", "BC35", "V1.2", "C")
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert identity(hass, account) == ("Quectel", "BC35", "V1.2", "C")
    onenet.onenet.clock.offset += MINUTE
    onenet.onenet.report(IMEI, {(3, 0, 3): "V1.3"})
    await poll(hass, account, onenet)
    assert identity(hass, account) == ("Quectel", "BC35", "V1.3", "C")


async def test_the_registration_at_a_start_keeps_the_model(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The model of a registered device is kept, also if the file of its values was lost."""
    await add_device(hass, account)
    registry = dr.async_get(hass)
    registry.async_update_device(devices_of(account).added[IMEI].device_id, model="BC35")
    devices_of(account).added.clear()
    assert await async_sync_devices(hass, account, devices_of(account))
    assert identity(hass, account) == (None, "BC35", None, None)


@pytest.mark.parametrize("value", ["", " ", "m" * 101, "two\nlines", 7, True, None, ["BC35"]])
async def test_what_is_no_short_text_is_no_model(hass: HomeAssistant, account: MockConfigEntry, value: object) -> None:
    """The page of the device does not change, nor does it for another object or instance."""
    await add_device(hass, account)
    at = client_of(account).now()
    values = [
        {"obj_id": obj_id, "obj_inst_id": instance, "res_id": 1, "value": text}
        for obj_id, instance, text in ((3, 0, value), (3, 0, Opaque("00ff")), (3, 1, "BC35"), (4, 0, "BC35"))
    ]
    for number, one in enumerate(values):
        devices_of(account).async_update_from_read(IMEI, [one], at + number * MINUTE)
    assert identity(hass, account) == (None, MODEL_DEVICE, None, None)


async def test_a_device_that_was_removed_from_the_registry_is_not_updated(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A value that arrives during the removal raises nothing."""
    await add_device(hass, account)
    registry = dr.async_get(hass)
    registry.async_remove_device(devices_of(account).added[IMEI].device_id)
    value = {"obj_id": 3, "obj_inst_id": 0, "res_id": 1, "value": "BC35"}
    devices_of(account).async_update_from_read(IMEI, [value], client_of(account).now())
    identifier = (DOMAIN, f"{account.entry_id}_{IMEI}")
    assert registry.async_get_device_by_identifier(identifier, account.entry_id) is None


@LEGACY_ONLY
async def test_a_new_device_shows_its_newest_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """OneNET is polled right after a device is added."""
    measured_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    onenet.onenet.report(IMEI, at=measured_at)
    device.online = True
    await add_device(hass, account, "3303/0/5700")
    assert shown(hass).state == "21.5"
    assert shown(hass).attributes["measured_at"] == measured_at
    assert shown(hass, CONNECTIVITY).state == "on"
    assert shown(hass, CONNECTIVITY).attributes["last_seen"] == measured_at


async def test_a_finished_read_updates_the_value_and_its_measuring_time(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The entity and the event have the same value."""
    await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    assert shown(hass).state == "21.5"
    confirmed = onenet.onenet.commands[0].confirm_time
    assert confirmed
    assert shown(hass).attributes["measured_at"] == confirmed.replace(microsecond=0)
    assert shown(hass, CONNECTIVITY).attributes["last_seen"] == confirmed.replace(microsecond=0)


async def test_a_read_that_finished_before_the_device_was_added_sets_its_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The device need not be read again."""
    await finished_read(hass, account, onenet)
    await add_device(hass, account, "3303/0/5700")
    assert shown(hass).state == "21.5"


async def test_an_immediate_read_updates_the_entity(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """The value of the response is also the state."""
    await add_device(hass, account, "3303/0/5700")
    device.online = True
    device.resources[TEMPERATURE] = 18
    await act(hass, SERVICE_READ, imei=IMEI, obj_id=3303)
    assert shown(hass).state == "18"


@LEGACY_ONLY
@pytest.mark.parametrize("order", [("read", "datapoint"), ("datapoint", "read")], ids=" then ".join)
@pytest.mark.parametrize("newest", ["read", "datapoint"])
async def test_the_value_with_the_latest_measuring_time_is_shown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, order: Sequence[str], newest: str
) -> None:
    """The order in which values arrive does not matter."""
    await add_device(hass, account, "3303/0/5700")
    now = datetime.now(UTC)
    devices = devices_of(account)
    for source in order:
        at = now if source == newest else now - timedelta(minutes=5)
        if source == "datapoint":
            onenet.onenet.report(IMEI, {TEMPERATURE: 30.0}, at=at)
            await poll(hass, account, onenet)
        else:
            devices.async_update_from_read(
                IMEI, [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 10.0}], at
            )
    assert shown(hass).state == ("10.0" if newest == "read" else "30.0")


@LEGACY_ONLY
@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=4000)])
async def test_a_measuring_time_in_the_future_counts_as_the_arrival(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, ahead: timedelta
) -> None:
    """Later values replace one with a wrong time."""
    await add_device(hass, account, "3303/0/5700")
    onenet.onenet.report(IMEI, {TEMPERATURE: 99.0}, at=onenet.onenet.clock.now() + ahead)
    await poll(hass, account, onenet)
    assert shown(hass).state == "99.0"
    assert shown(hass).attributes["measured_at"] <= onenet.onenet.clock.now()
    onenet.onenet.products[0].devices[IMEI].resources[TEMPERATURE] = 21.5
    onenet.onenet.clock.offset += MINUTE
    await finished_read(hass, account, onenet, obj_inst_id=0, res_id=5700)
    assert shown(hass).state == "21.5"
    # OneNET still returns the value with the wrong time.
    for _ in range(3):
        await poll(hass, account, onenet)
    assert shown(hass).state == "21.5"


async def test_values_are_restored_after_a_restart(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The device need not wake first."""
    subentry = await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    before = shown(hass)
    store = async_get_store(hass)
    await until(lambda: b"21.5" in dict(store.load_devices(account.entry_id)).get(IMEI, b""))
    copy = Path(hass.config.config_dir, "copy")
    shutil.copytree(Path(hass.config.config_dir, ".storage"), copy / ".storage")
    # The value is only in the row of the device: it was never a datapoint, and the command is deleted here.
    database = sqlite3.connect(copy / ".storage" / FILE_NAME)
    database.execute("DELETE FROM command")
    database.commit()
    database.close()
    async with async_test_home_assistant(config_dir=str(copy)) as again:
        again.data.pop(DATA_CUSTOM_COMPONENTS)
        entry = MockConfigEntry(
            domain=DOMAIN,
            title="OneNET",
            data=dict(account.data),
            entry_id=account.entry_id,
            subentries_data=[subentry.as_dict()],
        )
        entry.add_to_hass(again)
        assert await again.config_entries.async_setup(entry.entry_id)
        await again.async_block_till_done()
        state = again.states.get(SENSOR)
        assert state
        assert (state.state, state.attributes) == (before.state, before.attributes)
        assert await again.config_entries.async_unload(entry.entry_id)
        await again.async_stop(force=True)


@LEGACY_ONLY
@pytest.mark.parametrize(
    ("unit", "state", "shown_unit", "device_class"),
    [
        ("Cel", "21.5", "°C", "temperature"),
        ("[degF]", "-5.8", "°C", "temperature"),
        ("K", "21.5", "K", "temperature"),
        ("Réaumur", "21.5", "Réaumur", None),
        ("", "21.5", "°C", "temperature"),
        (5, "21.5", "°C", "temperature"),
    ],
)
async def test_the_unit_that_the_device_reports_is_used(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    unit: object,
    state: str,
    shown_unit: str,
    device_class: str | None,
) -> None:
    """Without a usable unit, that of the description is used."""
    onenet.onenet.report(IMEI, {TEMPERATURE: 21.5, UNIT: unit})
    await add_device(hass, account, "3303/0/5700")
    assert float(shown(hass).state) == pytest.approx(float(state), abs=0.1)
    assert shown(hass).attributes[ATTR_UNIT_OF_MEASUREMENT] == shown_unit
    assert shown(hass).attributes.get(ATTR_DEVICE_CLASS) == device_class


@LEGACY_ONLY
@pytest.mark.parametrize(
    ("path", "value", "state"),
    [
        ("3303/0/5700", "21.5", "21.5"),
        ("3303/0/5700", 21, "21"),
        ("3303/0/5700", "warm", STATE_UNKNOWN),
        ("3303/0/5700", True, STATE_UNKNOWN),
        ("3303/0/5700", "nan", STATE_UNKNOWN),
        ("3303/0/5700", None, STATE_UNKNOWN),
        ("3/0/0", "China Mobile", "China Mobile"),
        ("3/0/0", "x" * 300, "x" * 255),
        ("3/0/11", 0, "0"),
        ("31024/0/1", True, "true"),
        ("31024/0/1", {"a": [1, "二"]}, '{"a": [1, "二"]}'),
        ("31024/0/1", b"\x01\xff", "01ff"),
    ],
    ids=str,
)
async def test_a_sensor_shows_suitable_values_and_is_unknown_for_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, path: str, value: Any, state: str
) -> None:
    """Long texts are cut, and structures are shown as JSON."""
    subentry = await add_device(hass, account, path)
    numbers = tuple(int(number) for number in path.split("/"))
    assert len(numbers) == 3
    onenet.onenet.report(IMEI, {numbers: value})
    await poll(hass, account, onenet)
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{account.entry_id}_{IMEI}_{path}")
    assert entity_id
    assert shown(hass, entity_id).state == state
    assert subentry.data["resources"] == [path]


@LEGACY_ONLY
@pytest.mark.parametrize(
    ("value", "state"),
    [(True, "on"), (False, "off"), (1, "on"), (0, "off"), ("true", "on"), ("0", "off"), ("maybe", "unknown")],
)
async def test_a_binary_sensor_accepts_every_form_of_a_truth_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, value: Any, state: str
) -> None:
    """Devices and datapoints spell truth values differently."""
    await add_device(hass, account, "3200/0/5500")
    onenet.onenet.report(IMEI, {(3200, 0, 5500): value})
    await poll(hass, account, onenet)
    cover = shown(hass, "binary_sensor.water_meter_digital_input")
    assert cover.state == state
    assert "measured_at" in cover.attributes


async def test_the_first_of_several_resource_instances_is_shown(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A device may have several power sources."""
    await add_device(hass, account, "3/0/7")
    values = [
        {"obj_id": 3, "obj_inst_id": 0, "res_id": 7, "res_inst_id": instance, "value": value}
        for instance, value in enumerate((3600, 5000))
    ]
    devices_of(account).async_update_from_read(IMEI, values, datetime.now(UTC))
    assert shown(hass, "sensor.water_meter_power_source_voltage").state == "3600"


async def test_a_device_has_entities_for_its_commands(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Its page has the number of waiting commands and the latest event."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Lamp")
    await add_device(hass, account, "3303/0/5700")
    await add_device(hass, account, imei=OTHER_IMEI, title="Lamp")
    context = Context(user_id="somebody")
    await offline_read(hass, context)
    assert (shown(hass, WAITING).state, shown(hass, "sensor.lamp_waiting_commands").state) == ("1", "0")
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert shown(hass, WAITING).state == "0"
    state = shown(hass, COMMAND)
    assert state.attributes["event_type"] == "succeeded"
    fields = {name: value for name, value in events[-1].data.items() if name != "type"}
    assert {name: state.attributes[name] for name in fields} == fields
    assert state.context.id == context.id
    assert shown(hass, "event.lamp_command").state == STATE_UNKNOWN


async def test_read_now_queues_each_read_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """Pressing the button again queues nothing while the reads wait."""
    await add_device(hass, account, "3303/0/5700", "3/0/9", "3200/0/5500", "3200/0/5501")
    context = Context()
    await press(hass, context)
    # The unit is read with the value, and resources of one instance share a command.
    assert queued_paths(onenet) == ["3303/0", "3/0/9", "3200/0"]
    await press(hass)
    assert len(onenet.onenet.commands) == 3
    assert [event.context.id for event in events] == [context.id] * 3
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert shown(hass).state == "21.5"
    await press(hass)
    # The unit is known now.
    assert queued_paths(onenet)[3:] == ["3303/0/5700", "3/0/9", "3200/0"]


async def test_the_entities_of_commands_are_diagnostic(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Those of a device are, those of the account are not; the button that cancels is disabled by default."""
    await add_device(hass, account)
    found = {
        entity.entity_id: (entity.entity_category, entity.disabled)
        for entity in er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    }
    assert found == {
        "event.onenet_command": (None, False),
        "sensor.onenet_waiting_commands": (None, False),
        READ_NOW: (None, False),
        CONNECTIVITY: (EntityCategory.DIAGNOSTIC, False),
        COMMAND: (EntityCategory.DIAGNOSTIC, False),
        WAITING: (EntityCategory.DIAGNOSTIC, False),
        CANCEL_WAITING: (EntityCategory.DIAGNOSTIC, True),
        "binary_sensor.water_meter_overdue": (EntityCategory.DIAGNOSTIC, True),
        "sensor.water_meter_last_seen": (EntityCategory.DIAGNOSTIC, True),
    }


async def test_cancel_waiting_cancels_all_commands_of_the_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, events: list[Event]
) -> None:
    """The events have the context of the press; a press without waiting commands does nothing."""
    await add_device(hass, account, "3303/0/5700")
    er.async_get(hass).async_update_entity(CANCEL_WAITING, disabled_by=None)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    for obj_id in (3303, 3):
        await offline_read(hass, obj_id=obj_id)
    events.clear()
    context = Context()
    await press(hass, context, CANCEL_WAITING)
    assert [(event.data["type"], event.context.id) for event in events] == [("command_cancelled", context.id)] * 2
    assert shown(hass, WAITING).state == "0"
    await press(hass, entity_id=CANCEL_WAITING)
    assert len(events) == 2
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/offline", times=9))
    with pytest.raises(HomeAssistantError, match="closed before"):
        await press(hass, entity_id=CANCEL_WAITING)


async def test_read_now_fits_into_a_devices_queue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """With many object instances, whole objects are read."""
    await add_device(hass, account, *(f"3303/{instance}/5700" for instance in range(12)), "3/0/9")
    await press(hass)
    assert queued_paths(onenet) == ["3303", "3"]


async def test_read_now_without_resources_raises_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The message explains how to select resources."""
    await add_device(hass, account)
    with pytest.raises(ServiceValidationError, match="Select its resources"):
        await press(hass)
    assert not onenet.onenet.commands


async def test_read_now_raises_the_error_of_a_refused_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The button does not fail silently."""
    await add_device(hass, account, "3303/0/5700")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline"))
    with pytest.raises(HomeAssistantError, match="as many waiting commands"):
        await press(hass)


async def test_selecting_resources_adds_and_removes_entities(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The other entities stay."""
    subentry = await add_device(hass, account, "3303/0/5700", "3200/0/5500")
    await finished_read(hass, account, onenet)
    hass.config_entries.async_update_subentry(
        account, subentry, data={"imei": IMEI, "resources": ["3303/0/5700", "3/0/9"]}, title="Meter, kitchen"
    )
    await hass.async_block_till_done()
    assert not hass.states.get("binary_sensor.water_meter_digital_input")
    assert shown(hass).state == "21.5"
    assert hass.states.get("sensor.meter_kitchen_battery_level")
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier((DOMAIN, f"{account.entry_id}_{IMEI}"), account.entry_id)
    assert device
    assert device.name == "Meter, kitchen"


async def test_entities_of_resources_that_were_deselected_while_unloaded_are_removed(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The entities are removed when the account is loaded."""
    subentry = await add_device(hass, account, "3303/0/5700", "3200/0/5500")
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_update_subentry(account, subentry, data={"imei": IMEI, "resources": ["3303/0/5700"]})
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done()
    registry = er.async_get(hass)
    assert not registry.async_get_entity_id("binary_sensor", DOMAIN, f"{account.entry_id}_{IMEI}_3200/0/5500")
    assert hass.states.get(SENSOR)


async def test_removing_a_device_removes_its_entities_and_readings(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A device that is added again has no readings."""
    subentry = await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done()
    assert {state.entity_id for state in hass.states.async_all()} == {
        "event.onenet_command",
        "sensor.onenet_waiting_commands",
    }
    store = async_get_store(hass)
    await until(lambda: not store.load_devices(account.entry_id))
    # Its commands are still polled.
    await finished_read(hass, account, onenet)


async def test_an_outage_makes_devices_unavailable_until_it_ends(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """The states are unavailable, and show the values after the outage."""
    await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    expected_warnings.append("Error fetching OneNET data")
    onenet.onenet.clock.offset += MINUTE
    await client_of(account).check_credentials()
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    for entity_id in (SENSOR, CONNECTIVITY, COMMAND, WAITING, READ_NOW):
        assert shown(hass, entity_id).state == STATE_UNAVAILABLE
    onenet.faults.clear()
    await poll(hass, account, onenet)
    assert shown(hass).state == "21.5"
    for entity_id in (CONNECTIVITY, COMMAND, WAITING, READ_NOW):
        assert shown(hass, entity_id).state != STATE_UNAVAILABLE


@LEGACY_ONLY
async def test_connectivity_shows_the_presence_at_the_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The state changes with the poll."""
    await add_device(hass, account)
    assert shown(hass, CONNECTIVITY).state == "off"
    assert "last_seen" not in shown(hass, CONNECTIVITY).attributes
    device.online = True
    await poll(hass, account, onenet)
    assert shown(hass, CONNECTIVITY).state == "on"


@CURRENT_ONLY
async def test_connectivity_is_unknown_without_a_presence_from_onenet(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The state is unknown, not off."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10404, text="no such path", path="/device/", times=99))
    await add_device(hass, account)
    assert shown(hass, CONNECTIVITY).state == STATE_UNKNOWN
    assert shown(hass, WAITING).state == "0"


@LEGACY_ONLY
async def test_a_poll_writes_only_changed_states(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Unchanged devices write no state."""
    product = onenet.onenet.products[0]
    imeis = [str(int(IMEI) + number) for number in range(10)]
    for number, imei in enumerate(imeis[1:], 1):
        product.add(imei, f"Meter {number}", {TEMPERATURE: 20.0})
    onenet.onenet.report_all()
    for number, imei in enumerate(imeis):
        await add_device(hass, account, "3303/0/5700", "3/0/9", imei=imei, title=f"Meter {number}")
    await poll(hass, account, onenet)
    written = capture_writes(hass)
    await poll(hass, account, onenet)
    assert written == []
    onenet.onenet.report(imeis[3], {TEMPERATURE: 23.0})
    await poll(hass, account, onenet)
    assert sorted(written) == ["binary_sensor.meter_3_connectivity", "sensor.meter_3_temperature"]
    assert shown(hass, "sensor.meter_3_temperature").state == "23.0"


@LEGACY_ONLY
async def test_a_poll_of_a_thousand_devices_takes_four_requests(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Batches keep the number of calls within the limit of OneNET."""
    product = onenet.onenet.products[0]
    devices = devices_of(account)
    for number in range(1, 1000):
        product.add(str(int(IMEI) + number), f"Meter {number}", {TEMPERATURE: 20.0})
    for imei in product.devices:
        known = devices.added[imei] = devices.get(imei)
        known.tracked_paths = frozenset({"3303/0/5700"})
    onenet.onenet.report_all()
    finding = [len(await poll(hass, account, onenet)) for _ in range(5)]
    assert max(finding) <= 9
    assert sorted(await poll(hass, account, onenet)) == ["/devices/datapoints"] * 2 + ["/devices/status"] * 2
    assert {known.readings["3303/0/5700"].value for known in devices.added.values()} == {20.0, 21.5}


@LEGACY_ONLY
async def test_a_device_with_a_new_id_at_the_platform_is_updated(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A device may be registered again with the same IMEI."""
    await add_device(hass, account, "3303/0/5700")
    onenet.onenet.remove(IMEI)
    onenet.onenet.products[0].add(IMEI, "Water meter", {TEMPERATURE: 17.0})
    onenet.onenet.report(IMEI)
    for _ in range(2):
        await poll(hass, account, onenet)
    assert shown(hass).state == "17.0"
    assert not ir.async_get(hass).issues


async def test_a_refused_command_triggers_the_devices_event_entity(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The event type is `rejected`."""
    await add_device(hass, account)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline"))
    with pytest.raises(HomeAssistantError):
        await offline_read(hass)
    assert shown(hass, COMMAND).attributes["event_type"] == "rejected"


def test_a_device_is_read_with_the_fewest_commands() -> None:
    """A single resource of an instance is read by its own path."""
    device = KnownDevice(imei=IMEI, descriptions=describe_entities(("3/0/9", "3/1/9"), ()))
    assert device.reads() == [
        Read(imei=IMEI, obj_id=3, obj_inst_id=0, res_id=9),
        Read(imei=IMEI, obj_id=3, obj_inst_id=1, res_id=9),
    ]


@LEGACY_ONLY
async def test_a_missing_device_is_available_after_a_queued_command(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """OneNET accepts commands for existing devices only."""
    subentry = await add_device(hass, account, "3303/0/5700")
    product = onenet.onenet.products[0]
    await delete(hass, account, onenet)
    assert shown(hass).state == STATE_UNAVAILABLE
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"device_gone_{subentry.subentry_id}")
    product.add(IMEI, "Water meter", {TEMPERATURE: 17.0})
    onenet.onenet.report(IMEI)
    await offline_read(hass)
    assert shown(hass).state != STATE_UNAVAILABLE
    assert not ir.async_get(hass).issues
    await poll(hass, account, onenet)
    assert shown(hass).state == "17.0"


@CURRENT_ONLY
async def test_an_error_about_one_device_is_not_an_outage(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The other devices stay available."""
    await add_device(hass, account)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10421, text="device not online", path="/device/detail"))
    await poll(hass, account, onenet)
    assert not onenet.faults
    assert shown(hass, WAITING).state == "0"


@LEGACY_ONLY
async def test_a_device_that_onenet_does_not_list_is_looked_up_rarely(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A poll makes no request for it most of the time."""
    await add_device(hass, account, "3303/0/5700")
    nothing = '{"errno": 0, "data": {"devices": []}}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, path="/status", text=nothing, times=99))
    looked_for = [(await poll(hass, account, onenet)).count("/devices/getbyimei") for _ in range(5)]
    assert sum(looked_for) <= 2
    assert not ir.async_get(hass).issues


async def test_a_device_that_is_removed_during_the_sync_is_skipped(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The other devices are set up."""
    devices = devices_of(account)
    assert await hass.config_entries.async_unload(account.entry_id)
    imeis = [str(int(IMEI) + number) for number in range(BATCH_SIZE + 2)]
    subentries = [await add_device(hass, account, imei=imei) for imei in imeis]
    sync = hass.async_create_task(async_sync_devices(hass, account, devices))
    assert len(devices.added) == BATCH_SIZE
    hass.config_entries.async_remove_subentry(account, subentries[-1].subentry_id)
    await sync
    assert list(devices.added) == imeis[:-1]


async def test_values_for_a_removed_account_are_not_saved(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The account has no rows on disk."""
    await add_device(hass, account, "3303/0/5700")
    devices = devices_of(account)
    await hass.config_entries.async_remove(account.entry_id)
    devices.async_save(devices.get(IMEI))
    devices.async_update_from_read(IMEI, [], datetime.now(UTC))
    await until(lambda: not async_get_store(hass).load_devices(account.entry_id))


async def test_the_precision_suits_the_reported_unit(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A value in pascals has no decimals, a value in bars has."""
    await add_device(hass, account, "3323/0/5700")
    values = [
        {"obj_id": 3323, "obj_inst_id": 0, "res_id": res_id, "value": value}
        for res_id, value in ((5700, 3.1), (5701, "bar"))
    ]
    devices_of(account).async_update_from_read(IMEI, values, datetime.now(UTC))
    await hass.async_block_till_done()
    pressure = "sensor.water_meter_pressure"
    assert (shown(hass, pressure).state, shown(hass, pressure).attributes[ATTR_UNIT_OF_MEASUREMENT]) == ("3.1", "bar")
    entity = er.async_get(hass).async_get(pressure)
    assert entity
    assert entity.options["sensor"]["suggested_display_precision"] == 2


async def test_a_reported_unit_stays_after_a_reload(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The value is shown in the same unit."""
    await add_device(hass, account, "3323/0/5700")
    values = [
        {"obj_id": 3323, "obj_inst_id": 0, "res_id": res_id, "value": value}
        for res_id, value in ((5700, 3.1), (5701, "bar"))
    ]
    devices_of(account).async_update_from_read(IMEI, values, datetime.now(UTC))
    await hass.async_block_till_done()
    for _ in range(2):
        assert await hass.config_entries.async_reload(account.entry_id)
        await hass.async_block_till_done()
        pressure = shown(hass, "sensor.water_meter_pressure")
        assert (pressure.state, pressure.attributes[ATTR_UNIT_OF_MEASUREMENT]) == ("3.1", "bar")


@LEGACY_ONLY
async def test_megapascals_are_shown_as_kilopascals(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The value is converted to the unit of the description."""
    onenet.onenet.report(IMEI, {(3323, 0, 5700): 0.31, (3323, 0, 5701): "MPa"})
    await add_device(hass, account, "3323/0/5700")
    pressure = shown(hass, "sensor.water_meter_pressure")
    assert float(pressure.state) == pytest.approx(310)
    assert pressure.attributes[ATTR_UNIT_OF_MEASUREMENT] == "kPa"


@LEGACY_ONLY
async def test_a_direction_in_any_unit_is_shown(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Home Assistant accepts angles in degrees only."""
    onenet.onenet.report(IMEI, {(3332, 0, 5700): 1.5, (3332, 0, 5701): "rad"})
    await add_device(hass, account, "3332/0/5700")
    direction = shown(hass, "sensor.water_meter_direction")
    assert (direction.state, direction.attributes[ATTR_UNIT_OF_MEASUREMENT]) == ("1.5", "rad")


@LEGACY_ONLY
async def test_the_poll_after_an_odd_reply_updates_the_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Nothing is suspended after a single page of a gateway."""
    await add_device(hass, account, "3303/0/5700")
    onenet.faults.append(Fault(kind=FaultKind.GARBAGE, path="/datapoints"))
    await poll(hass, account, onenet)
    onenet.onenet.report(IMEI, {TEMPERATURE: 23.0})
    await poll(hass, account, onenet)
    assert shown(hass).state == "23.0"


@LEGACY_ONLY
async def test_connectivity_is_unknown_while_onenet_refuses_the_call(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The last presence is not shown."""
    device.online = True
    await add_device(hass, account)
    assert shown(hass, CONNECTIVITY).state == "on"
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=404, text="no such path", path="/status", times=99))
    await poll(hass, account, onenet)
    assert shown(hass, CONNECTIVITY).state == STATE_UNKNOWN


@LEGACY_ONLY
async def test_a_single_list_that_lacks_devices_suspends_nothing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An empty reply does not exclude the devices from later batches."""
    imeis = [str(int(IMEI) + number) for number in range(8)]
    for imei in imeis[1:]:
        onenet.onenet.products[0].add(imei, "Meter", {TEMPERATURE: 20.0})
    for imei in imeis:
        await add_device(hass, account, imei=imei)
        await offline_read(hass, imei=imei)
    for _ in range(20):
        await poll(hass, account, onenet)
    nothing = '{"errno": 0, "data": {"devices": []}}'
    for path in ("/status", "/datapoints"):
        onenet.faults.append(Fault(kind=FaultKind.BODY, path=path, text=nothing))
    for _ in range(3):
        # At most one of the devices is due, and two are looked up.
        assert (await poll(hass, account, onenet)).count("/nbiot/offline/history") <= 3
    assert not onenet.faults
    devices = devices_of(account).added.values()
    assert [known.online for known in devices] == [False] * 8
    assert not ir.async_get(hass).issues


async def test_a_device_that_replaced_another_while_unloaded_is_set_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The other devices are set up, too."""
    subentry = await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await add_device(hass, account, "3303/0/5700")
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done()
    assert shown(hass).state == "21.5"


async def test_removing_or_changing_a_device_during_the_set_up_leaves_the_others(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The other devices have their entities."""
    imeis = [str(int(IMEI) + number) for number in range(20)]
    subentries = [
        await add_device(hass, account, "3303/0/5700", "3/0/9", imei=imei, title=f"Meter {number}")
        for number, imei in enumerate(imeis)
    ]
    assert await hass.config_entries.async_unload(account.entry_id)
    setting_up = hass.async_create_task(hass.config_entries.async_setup(account.entry_id))
    while shown(hass, "sensor.meter_0_temperature").state == STATE_UNAVAILABLE:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    assert shown(hass, "sensor.meter_19_temperature").state == STATE_UNAVAILABLE
    hass.config_entries.async_remove_subentry(account, subentries[15].subentry_id)
    for number, resources in ((16, ["3303/0/5700"]), (17, ["3303/0/5700", "3/0/9", "3/0/7"])):
        data = {"imei": imeis[number], "resources": resources}
        hass.config_entries.async_update_subentry(account, subentries[number], data=data)
    assert await setting_up
    await hass.async_block_till_done()
    assert not hass.states.get("sensor.meter_15_temperature")
    assert not hass.states.get("sensor.meter_16_battery_level")
    for entity_id in (
        "sensor.meter_16_temperature",
        "sensor.meter_17_power_source_voltage",
        "sensor.meter_19_temperature",
    ):
        assert shown(hass, entity_id).state == STATE_UNKNOWN


@LEGACY_ONLY
async def test_a_device_that_onenet_lists_is_not_missing(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A refusal of its commands creates no repair issue."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=1, text="internal error", path="/history"))
    for _ in range(3):
        await poll(hass, account, onenet)
    assert not onenet.faults
    assert shown(hass).state != STATE_UNAVAILABLE
    assert not ir.async_get(hass).issues


@CURRENT_ONLY
async def test_a_deleted_device_is_missing_until_it_is_found_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The repair issue is created when it is missing, and deleted when it is found."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    await delete(hass, account, onenet)
    assert shown(hass).state == STATE_UNAVAILABLE
    assert ir.async_get(hass).issues
    onenet.onenet.products[0].add(IMEI, "Water meter", {TEMPERATURE: 17.0})
    onenet.onenet.report(IMEI)
    for _ in range(3):
        await poll(hass, account, onenet)
    assert shown(hass).state == "17.0"
    assert not ir.async_get(hass).issues


@LEGACY_ONLY
async def test_deleted_devices_with_commands_are_not_requested_in_every_poll(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The number of requests is limited."""
    imeis = [str(int(IMEI) + number) for number in range(20)]
    for imei in imeis[1:]:
        onenet.onenet.products[0].add(imei, "Meter")
    for imei in imeis:
        await add_device(hass, account, imei=imei)
        await offline_read(hass, imei=imei)
    for _ in range(30):
        await poll(hass, account, onenet)
    for imei in imeis:
        onenet.onenet.remove(imei)
    requests = [len(await poll(hass, account, onenet)) for _ in range(40)]
    assert max(requests[20:]) <= 26
    assert sum(requests[20:]) / 20 <= 14


@LEGACY_ONLY
async def test_a_failing_request_about_one_device_leaves_the_others_available(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The failure is not an outage of the account."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Lamp")
    await add_device(hass, account, "3303/0/5700")
    await add_device(hass, account, imei=OTHER_IMEI, title="Lamp")
    await offline_read(hass, imei=OTHER_IMEI)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5117, text="RPC error", path="/history", times=99))
    for _ in range(3):
        assert "/nbiot/offline/history" in await poll(hass, account, onenet)
        assert shown(hass).state != STATE_UNAVAILABLE


@LEGACY_ONLY
async def test_unknown_devices_do_not_hide_a_known_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The last device of an account is looked up."""
    strangers = [str(866_971_020_000_000 + number) for number in range(200)]
    for imei in strangers:
        known = devices_of(account).get(imei)
        known.imei, known.subentry_id = imei, ""
        devices_of(account).added[imei] = known
    onenet.onenet.report(IMEI)
    known = devices_of(account).get(IMEI)
    devices_of(account).added[IMEI] = known
    known.tracked_paths = frozenset({"3303/0/5700"})
    for _ in range(120):
        await poll(hass, account, onenet)
    assert known.readings


async def test_removing_a_device_during_a_poll_deletes_its_row(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The device is not saved again by the poll."""
    subentry = await add_device(hass, account, "3303/0/5700")
    devices = devices_of(account)
    known = devices.added[IMEI]
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done()
    devices.async_save(known)
    store = async_get_store(hass)
    await until(lambda: not store.load_devices(account.entry_id))


async def test_a_device_that_was_removed_while_unloaded_is_deleted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Its row is deleted at the next set-up of the account."""
    subentry = await add_device(hass, account, "3303/0/5700")
    await finished_read(hass, account, onenet)
    devices = devices_of(account)
    assert await hass.config_entries.async_unload(account.entry_id)
    # As after a restart, before the first sync.
    devices.added.clear()
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    store = async_get_store(hass)
    await until(lambda: not store.load_devices(account.entry_id))


@LEGACY_ONLY
async def test_connectivity_is_updated_after_a_move_to_the_other_platform(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """The keys of one platform are not valid on the other."""
    device.online = True
    await add_device(hass, account)
    assert shown(hass, CONNECTIVITY).state == "on"
    device.online = False
    hass.config_entries.async_update_entry(
        account, data=ACCOUNTS["current, access key"] | {CONF_URL: account.data[CONF_URL]}
    )
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass, CONNECTIVITY).state == "off"


@CURRENT_ONLY
@pytest.mark.parametrize(("path", "outage"), [("/device/detail", False), ("/current-datapoints", False), ("/", True)])
async def test_a_busy_account_is_an_outage_and_a_busy_device_is_not(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    path: str,
    *,
    outage: bool,
) -> None:
    """A busy reply about one device is retried."""
    await add_device(hass, account)
    expected_warnings.append("Error fetching OneNET data")
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10500, text="internal error", path=path, times=99))
    onenet.onenet.clock.offset += MINUTE
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (shown(hass, WAITING).state == STATE_UNAVAILABLE) is outage


@LEGACY_ONLY
async def test_only_an_unknown_device_is_missing(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Another error in a lookup does not count."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=3, text="invalid parameter", path="/getbyimei", times=99))
    await add_device(hass, account)
    await poll(hass, account, onenet)
    assert shown(hass, WAITING).state == "0"
    assert not ir.async_get(hass).issues


async def test_a_device_whose_commands_finish_during_a_poll_is_not_requested(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The poll makes no request for the commands of a device that has none left."""
    await add_device(hass, account)
    queued = await offline_read(hass)
    await pass_time(account, onenet, MINUTE)
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/device", seconds=0.2))
    onenet.requests.clear()
    poll = asyncio.create_task(refresh(account))
    await until(lambda: onenet.requests)
    await act(hass, "cancel_command", uuid=queued["uuid"])
    onenet.requests.clear()
    await poll
    assert not [request.path for request in onenet.requests if "offline" in request.path]


@LEGACY_ONLY
async def test_an_odd_reply_about_one_device_leaves_the_others_up_to_date(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The values of the others are shown."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Lamp")
    await add_device(hass, account, "3303/0/5700")
    onenet.faults.append(Fault(kind=FaultKind.DATA, path="/getbyimei", imei=OTHER_IMEI, data=None, times=99))
    await add_device(hass, account, imei=OTHER_IMEI, title="Lamp")
    onenet.onenet.report(IMEI, {TEMPERATURE: 30.0})
    await poll(hass, account, onenet)
    await poll(hass, account, onenet)
    assert shown(hass).state == "30.0"


@CURRENT_ONLY
async def test_an_odd_reply_about_one_device_is_not_an_outage(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The other devices stay available."""
    await add_device(hass, account)
    onenet.faults.append(Fault(kind=FaultKind.BODY, path="/device/detail", imei=IMEI, text="?"))
    await poll(hass, account, onenet)
    assert not onenet.faults
    assert shown(hass, WAITING).state == "0"


@CURRENT_ONLY
async def test_a_refused_key_starts_reauthentication_with_devices(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """A refusal of the calls about devices starts it, too."""
    await add_device(hass, account)
    expected_warnings.append("Error fetching OneNET data")
    revoke(onenet)
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass, WAITING).state == STATE_UNAVAILABLE
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == ["reauth"]


@LEGACY_ONLY
async def test_a_value_is_read_together_with_its_unit(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """The first reading of a device that is set to Fahrenheit is converted."""
    await add_device(hass, account, "3303/0/5700")
    device.resources |= {TEMPERATURE: 68.0, UNIT: "[degF]"}
    await press(hass)
    # A value of the same second does not count as newer.
    onenet.onenet.clock.offset += MINUTE
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert float(shown(hass).state) == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("cached", [True, False])
async def test_a_confirmed_write_updates_the_entity(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, *, cached: bool
) -> None:
    """The written value is shown without another read."""
    device.resources |= {(3306, 0, 5850): False, (3306, 0, 5851): 10}
    await add_device(hass, account, "3306/0/5850", "3306/0/5851")
    device.online = not cached
    values = [{"res_id": 5850, "value": True}, {"res_id": 5851, "value": 80}]
    onenet.onenet.clock.offset += MINUTE
    await client_of(account).check_credentials()
    if cached:
        await act(hass, "offline_write", imei=IMEI, obj_id=3306, obj_inst_id=0, values=values, expires_in=3600)
        assert shown(hass, "binary_sensor.water_meter_actuator").state == STATE_UNKNOWN
        onenet.onenet.wake(IMEI, Trigger.UPDATE)
        await poll_device(account)
    else:
        await act(hass, "write", imei=IMEI, obj_id=3306, obj_inst_id=0, values=values)
    await hass.async_block_till_done()
    assert shown(hass, "binary_sensor.water_meter_actuator").state == "on"
    assert shown(hass, "sensor.water_meter_actuator_level").state == "80"


async def test_a_write_that_the_device_refused_does_not_update_the_entity(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A command that was delivered but refused does not change the value."""
    device.resources |= {(3306, 0, 5850): False}
    await add_device(hass, account, "3306/0/5850")
    values = [{"res_id": 5850, "value": "open"}]
    await act(hass, "offline_write", imei=IMEI, obj_id=3306, obj_inst_id=0, values=values, expires_in=3600)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.async_block_till_done()
    assert shown(hass, "binary_sensor.water_meter_actuator").state == STATE_UNKNOWN


@LEGACY_ONLY
async def test_two_devices_with_the_same_key_are_looked_up_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """After a module was exchanged, each device shows its own values."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Lamp", {TEMPERATURE: 15.0})
    onenet.onenet.report_all()
    await add_device(hass, account, "3303/0/5700")
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Lamp")
    await poll(hass, account, onenet)
    devices = devices_of(account).added
    devices[OTHER_IMEI].key = devices[IMEI].key
    for _ in range(3):
        await poll(hass, account, onenet)
    assert devices[OTHER_IMEI].key != devices[IMEI].key
    assert (shown(hass).state, shown(hass, "sensor.lamp_temperature").state) == ("21.5", "15.0")


def test_a_presence_of_the_future_is_replaced() -> None:
    """A clock was wrong; a late presence is ignored."""
    device, now = KnownDevice(imei=IMEI), datetime.now(UTC)
    assert device.set_presence(now + timedelta(days=1), now, online=True)
    assert device.set_presence(now, now, online=False)
    assert not device.set_presence(now - timedelta(seconds=1), now, online=True)
    assert device.online is False
