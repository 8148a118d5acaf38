"""Requested readings: by the button, and by the action for a target."""

import asyncio
from collections.abc import Iterable
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.devices import Device as AddedDevice

from .common import (
    DEVICE_ACTIONS,
    EVERY_PLATFORM,
    EXPIRY,
    IMEI,
    OTHER_IMEI,
    REQUIRED_FIELDS,
    act,
    add_device,
    devices_of,
    event_types,
    run_with,
    until,
)
from .emulator import Device, Fault, FaultKind, Server

variant = run_with(EVERY_PLATFORM)

BUTTON = "button.water_meter_request_reading"
TEMPERATURE = "sensor.water_meter_temperature"
BATTERY = "sensor.water_meter_battery_level"
INPUT = "binary_sensor.water_meter_digital_input"
CONNECTIVITY = "binary_sensor.water_meter_connectivity"
GAS_METER = "sensor.gas_meter_temperature"
PATHS = ("3303/0/5700", "3/0/9", "3200/0/5500")
VALUES = [
    {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5},
    {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5701, "value": "Cel"},
    {"obj_id": 3, "obj_inst_id": 0, "res_id": 9, "value": 80},
    {"obj_id": 3200, "obj_inst_id": 0, "res_id": 5500, "value": True},
]


@pytest.fixture
def device(device: Device) -> Device:
    """Return a sleeping device with three objects."""
    device.resources |= {(3, 0, 9): 80, (3200, 0, 5500): True}
    return device


@pytest.fixture
async def meter(hass: HomeAssistant, account: MockConfigEntry, device: Device) -> str:
    """Return the id of the device, which sleeps and was added with one resource of each object."""
    await add_device(hass, account, *PATHS)
    return devices_of(account).added[IMEI].device_id


@pytest.fixture
async def gas_meter(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> str:
    """Return the id of another device, which sleeps and was added with one resource."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 4.5})
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Gas meter")
    return devices_of(account).added[OTHER_IMEI].device_id


def wake(account: MockConfigEntry, device: Device, *, listed: bool | None = True) -> None:
    """Set whether a device is online, and whether OneNET listed it as online at the last poll."""
    device.online = True
    devices_of(account).added[device.imei].online = listed


async def press(hass: HomeAssistant, context: Context | None = None) -> None:
    """Press the button of the device."""
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True, context=context)


def paths_of(queries: Iterable[dict[str, Any]]) -> list[str]:
    """Return the paths of operations."""
    names = ("obj_id", "obj_inst_id", "res_id")
    return ["/".join(str(query[name]) for name in names if name in query) for query in queries]


def queued(onenet: Server, imei: str = IMEI) -> list[str]:
    """Return the paths of a device's queued reads."""
    return paths_of(command.args for command in onenet.onenet.commands if command.imei == imei)


def tried(onenet: Server) -> list[str]:
    """Return the paths of the immediate reads."""
    return paths_of(
        request.query for request in onenet.requests if request.method == "GET" and "timeout" in request.query
    )


async def request_reading(hass: HomeAssistant, **fields: Any) -> dict[str, dict[str, Any]]:
    """Request a reading of a target; return the response by device."""
    devices: dict[str, dict[str, Any]] = (await act(hass, "request_reading", **fields))["devices"]
    return devices


async def select(hass: HomeAssistant, kind: str, *, device_id: str = "", entity_id: str = "") -> dict[str, Any]:
    """Put a device or an entity into a new area, floor, label or group; return the fields of this target."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    if kind == "group":
        group = {"meters": {"entities": [entity_id]}}
        assert await async_setup_component(hass, "group", {"group": group})
        return {"entity_id": "group.meters"}
    if kind == "label_id":
        labels = {lr.async_get(hass).async_create("Meters").label_id}
        if device_id:
            devices.async_update_device(device_id, labels=labels)
        else:
            entities.async_update_entity(entity_id, labels=labels)
        return {kind: list(labels)}
    floor = fr.async_get(hass).async_create("Basement")
    area = ar.async_get(hass).async_create("Cellar", floor_id=floor.floor_id)
    if device_id:
        devices.async_update_device(device_id, area_id=area.id)
    else:
        entities.async_update_entity(entity_id, area_id=area.id)
    return {kind: [area.id if kind == "area_id" else floor.floor_id]}


async def test_the_button_reads_an_online_device_at_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, events: list[Event]
) -> None:
    """The entities have the values, and nothing is queued."""
    wake(account, device)
    await press(hass)
    assert [hass.states.get(entity).state for entity in (TEMPERATURE, BATTERY)] == ["21.5", "80"]  # type: ignore[union-attr]
    assert tried(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]
    assert not queued(onenet)
    assert not events


@pytest.mark.parametrize("listed", [False, None])
async def test_a_device_that_is_not_known_to_be_online_is_not_tried(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, listed: Any
) -> None:
    """The reads are queued directly."""
    wake(account, device, listed=listed)
    await press(hass)
    assert not tried(onenet)
    assert queued(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]


async def test_all_reads_are_queued_after_the_first_that_finds_the_device_asleep(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, events: list[Event]
) -> None:
    """One immediate read is tried; pressing again keeps the waiting reads."""
    wake(account, device)
    device.online = False
    context = Context()
    for _ in range(2):
        await press(hass, context)
    assert tried(onenet) == ["3303/0"] * 2
    assert queued(onenet) == ["3303/0", "3/0/9", "3200/0/5500"]
    assert [event.context.id for event in events] == [context.id] * 3


async def test_the_remaining_reads_are_queued_when_the_device_falls_asleep(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """The response has the values of the first read, and the commands of the others."""
    wake(account, device)
    onenet.faults.append(
        Fault(kind=FaultKind.ERRNO, errno=2001, text="device not online", parameter=("obj_id", "3"), times=1)
    )
    response = await request_reading(hass, device_id=meter)
    assert tried(onenet) == ["3303/0", "3/0/9"]
    assert queued(onenet) == ["3/0/9", "3200/0/5500"]
    assert response[meter]["values"] == VALUES[:2]
    assert [command["uuid"] for command in response[meter]["commands"]] == [
        command.uuid for command in onenet.onenet.commands
    ]


async def test_a_reading_is_one_queued_event_of_the_event_entities(
    hass: HomeAssistant, account: MockConfigEntry, events: list[Event]
) -> None:
    """The bus event is fired for each command, and each of two presses is shown."""
    await add_device(hass, account, "3/0/9", "3303/0/5700", "3303/1/5700")
    shown: list[tuple[str, str]] = []

    @callback
    def record(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state
        if state.domain == "event":
            shown.append((state.entity_id, state.attributes["event_type"]))

    hass.bus.async_listen(EVENT_STATE_CHANGED, record)
    for _ in range(2):
        await press(hass)
        await hass.async_block_till_done()
        assert event_types(events) == ["queued"] * 3
        assert sorted(shown) == [("event.onenet_command", "queued"), ("event.water_meter_command", "queued")]
        await act(hass, "cancel_commands", imei=IMEI)
        await hass.async_block_till_done()
        events.clear()
        shown.clear()


async def test_a_unit_is_read_while_it_is_unknown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """Afterwards, the value is read alone."""
    wake(account, device)
    for _ in range(2):
        await press(hass)
    assert tried(onenet) == ["3303/0", "3/0/9", "3200/0/5500", "3303/0/5700", "3/0/9", "3200/0/5500"]


async def test_a_failed_read_does_not_stop_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """The button raises the first error."""
    wake(account, device)
    del device.resources[3, 0, 9], device.resources[3200, 0, 5500]
    device.resources[3303, 0, 5700] = 22.5
    with pytest.raises(HomeAssistantError, match="NOT_FOUND") as caught:
        await press(hass)
    assert caught.value.translation_key == "device_error"
    assert hass.states.get(TEMPERATURE).state == "22.5"  # type: ignore[union-attr]
    assert len(tried(onenet)) == 3
    assert not queued(onenet)


async def test_a_refused_queued_read_does_not_stop_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """The button raises the error."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline"))
    with pytest.raises(HomeAssistantError, match="as many waiting commands"):
        await press(hass)
    assert queued(onenet) == ["3/0/9", "3200/0/5500"]


@pytest.mark.parametrize(
    ("entities", "paths"),
    [
        ([BATTERY], ["3/0/9"]),
        ([TEMPERATURE, BATTERY], ["3303/0", "3/0/9"]),
        ([CONNECTIVITY], ["3303/0", "3/0/9", "3200/0/5500"]),
        ([BATTERY, BUTTON], ["3303/0", "3/0/9", "3200/0/5500"]),
    ],
)
async def test_the_resources_of_selected_entities_are_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, entities: list[str], paths: list[str]
) -> None:
    """An entity without a resource stands for the whole device."""
    response = await request_reading(hass, entity_id=entities)
    assert queued(onenet) == paths
    assert paths_of(response[meter]["commands"]) == paths


@pytest.mark.parametrize("kind", ["area_id", "floor_id", "label_id", "group"])
async def test_entities_are_selected_by_area_floor_label_and_group(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str, kind: str
) -> None:
    """Only the resource of the entity is read."""
    response = await request_reading(hass, **await select(hass, kind, entity_id=INPUT))
    assert list(response) == [meter]
    assert (queued(onenet), queued(onenet, OTHER_IMEI)) == (["3200/0/5500"], [])


@pytest.mark.parametrize("kind", ["area_id", "floor_id", "label_id"])
async def test_devices_are_selected_by_area_floor_and_label(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str, kind: str
) -> None:
    """All resources of the device are read, and the other device is not."""
    response = await request_reading(hass, **await select(hass, kind, device_id=gas_meter), expires_in={"days": 1})
    assert list(response) == [gas_meter]
    assert (queued(onenet), queued(onenet, OTHER_IMEI)) == ([], ["3303/0"])
    (command,) = onenet.onenet.commands
    assert 0.99 < (command.expired_time - command.create_time).total_seconds() / 86_400 < 1.01


async def test_the_response_has_commands_and_values_by_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, gas_meter: str
) -> None:
    """The device that is awake has values, the sleeping one a command that waits for 7 days."""
    wake(account, device)
    response = await request_reading(hass, device_id=[meter, gas_meter])
    origin = {"config_entry_id": account.entry_id}
    (command,) = onenet.onenet.commands
    asleep = response[gas_meter]
    assert response == {
        meter: origin | {"imei": IMEI, "device_id": meter, "values": VALUES},
        gas_meter: origin | {"imei": OTHER_IMEI, "device_id": gas_meter, "commands": asleep["commands"]},
    }
    (queued_read,) = asleep["commands"]
    looked_up = await act(hass, "get_command", uuid=command.uuid)
    assert queued_read == {name: looked_up[name] for name in queued_read}
    assert 6.99 < (command.expired_time - command.create_time).total_seconds() / 86_400 < 7.01


async def test_a_failure_of_one_device_does_not_stop_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str
) -> None:
    """The response has the key and the text of the error at its device, beside the commands that were queued."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline", imei=IMEI))
    response = await request_reading(hass, device_id=[meter, gas_meter])
    assert response[meter]["reason"] == "limit_reached"
    assert "as many waiting commands" in response[meter]["error"]
    assert paths_of(response[meter]["commands"]) == ["3/0/9", "3200/0/5500"]
    assert response[gas_meter].keys() == {"config_entry_id", "imei", "device_id", "commands"}


async def test_a_failure_of_one_device_is_logged_without_a_response(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    gas_meter: str,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The action succeeds for the other device."""
    warning = f"The reading of device {meter} is incomplete; the response"
    expected_warnings.append(warning)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline", imei=IMEI))
    devices = {"device_id": [meter, gas_meter]}
    await hass.services.async_call(DOMAIN, "request_reading", devices, blocking=True)
    assert warning in caplog.text
    assert queued(onenet, OTHER_IMEI) == ["3303/0"]


async def test_failures_of_all_devices_raise_the_first_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str
) -> None:
    """So does the failure of a single device, also of an account that is not loaded."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline", times=5))
    for devices in ([meter], [gas_meter]):
        with pytest.raises(HomeAssistantError, match="as many waiting commands"):
            await request_reading(hass, device_id=devices)
    onenet.faults[:] = [Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline", times=5)]
    with pytest.raises(HomeAssistantError, match="as many waiting commands"):
        await request_reading(hass, device_id=[meter, gas_meter])
    assert await hass.config_entries.async_unload(account.entry_id)
    with pytest.raises(ServiceValidationError, match="not loaded"):
        await request_reading(hass, device_id=[meter, gas_meter])


async def test_failures_of_all_devices_keep_what_was_queued(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str
) -> None:
    """The response has the queued reads of a device beside its error, if another read of each device fails."""
    onenet.faults += [
        Fault(kind=FaultKind.ERRNO, errno=5006, text="limit", path="/offline", imei=imei) for imei in (IMEI, OTHER_IMEI)
    ]
    response = await request_reading(hass, device_id=[meter, gas_meter])
    assert paths_of(response[meter]["commands"]) == queued(onenet) == ["3/0/9", "3200/0/5500"]
    assert [fields["reason"] for fields in response.values()] == ["limit_reached"] * 2
    assert "commands" not in response[gas_meter]


async def test_an_unexpected_exception_of_one_device_does_not_stop_the_others(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    gas_meter: str,
    expected_warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exception is logged; it is raised if no other device is read."""
    expected_warnings.append(f"The reading of device {gas_meter} failed unexpectedly")
    reads = AddedDevice.reads
    monkeypatch.setattr(
        AddedDevice, "reads", lambda device, keys: reads(device, keys) if device.imei == IMEI else [None]
    )
    response = await request_reading(hass, device_id=[meter, gas_meter])
    assert paths_of(response[meter]["commands"]) == ["3303/0", "3/0/9", "3200/0/5500"]
    assert response[gas_meter]["reason"] == "unexpected_error"
    assert response[gas_meter]["error"].startswith("AttributeError(")
    with pytest.raises(AttributeError):
        await request_reading(hass, device_id=gas_meter)


async def test_a_device_without_resources_raises_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The message names the device and explains how to select resources."""
    await add_device(hass, account)
    with pytest.raises(ServiceValidationError, match=r"Water meter has no .* Select its resources"):
        await request_reading(hass, device_id=devices_of(account).added[IMEI].device_id)


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ({}, "no_device_in_target"),
        ({"device_id": "d3f29c71"}, "no_device_in_target"),
        ({"entity_id": ["sensor.onenet_waiting_commands", "sun.sun"]}, "no_device_in_target"),
        ({"entity_id": "all"}, "no_device_in_target"),
        ({"area_id": "nowhere"}, "no_device_in_target"),
        ({"entity_id": "temperature"}, "invalid_target"),
        ({"label_id": [1]}, "invalid_target"),
        ({"imei": IMEI}, "unknown_field"),
    ],
)
async def test_a_target_without_a_device_of_this_integration_raises_a_translated_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, target: dict[str, Any], key: str
) -> None:
    """The message says what to do, and nothing is sent."""
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "request_reading", **target)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    assert not onenet.requests


async def test_ten_devices_are_read_at_the_same_time(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An eleventh device is read after one of the others."""
    imeis = [f"8669710300001{number:02}" for number in range(12)]
    meters = [onenet.onenet.products[0].add(imei, "Meter", {(3, 0, 9): 80}) for imei in imeis]
    for meter in meters:
        await add_device(hass, account, "3/0/9", imei=meter.imei, title=meter.imei)
        wake(account, meter)
        meter.hesitates = True
    devices = [devices_of(account).added[imei].device_id for imei in imeis]
    reading = hass.async_create_task(request_reading(hass, device_id=devices))
    await until(lambda: sum(len(meter.waiting) for meter in meters) == 10)
    await asyncio.sleep(0.1)
    assert sum(len(meter.waiting) for meter in meters) == 10
    for meter in meters:
        meter.hesitates = False
        onenet.onenet.answer(meter.imei)
    response = await reading
    assert sorted(response) == sorted(devices)
    assert all(len(fields["values"]) == 1 for fields in response.values())


# --- The other actions


@pytest.mark.parametrize("kind", ["area_id", "floor_id", "label_id", "group"])
async def test_every_action_finds_its_device_by_a_target(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str, kind: str
) -> None:
    """A target with one device of this integration is like its device_id."""
    target = await select(hass, kind, entity_id=GAS_METER)
    for action in DEVICE_ACTIONS:
        schema = hass.services.async_services_for_domain(DOMAIN)[action].schema
        assert schema
        fields = REQUIRED_FIELDS[action]
        expected = schema(fields | {"device_id": gas_meter})
        assert expected["imei"] == OTHER_IMEI
        assert schema(fields | target) == expected
        assert schema(fields | target | {"device_id": [gas_meter]}) == expected
    response = await act(hass, "offline_read", obj_id=3303, **EXPIRY, **target)
    assert (response["device_id"], response["imei"]) == (gas_meter, OTHER_IMEI)


async def test_an_action_for_one_device_refuses_another_number_of_devices(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, gas_meter: str
) -> None:
    """The message has the number of devices, and nothing is sent."""
    onenet.requests.clear()
    for target, key, text in (
        ({"entity_id": [TEMPERATURE, BATTERY, GAS_METER]}, "several_devices", "target contains 2"),
        ({"entity_id": TEMPERATURE, "device_id": gas_meter}, "several_devices", "target contains 2"),
        ({"entity_id": "sun.sun"}, "no_device_in_target", "contains no NB-IoT device"),
        ({"entity_id": TEMPERATURE, "imei": IMEI}, "one_device", "either Device"),
        ({"entity_id": []}, "one_device", "either Device"),
        ({"entity_id": {"a": 1}}, "invalid_target", "the IDs of entities"),
    ):
        with pytest.raises(ServiceValidationError, match=text) as caught:
            await act(hass, "offline_read", obj_id=3303, **EXPIRY, **target)
        assert caught.value.translation_key == key
    with pytest.raises(ServiceValidationError, match="no field entity_id"):
        await act(hass, "wait_for_command", uuid="u", timeout=1, entity_id=TEMPERATURE)
    assert not onenet.requests


async def test_an_empty_target_beside_an_imei_is_ignored(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The interface may send an empty list."""
    response = await act(hass, "offline_read", imei=IMEI, obj_id=3303, **EXPIRY, entity_id=[], area_id=[])
    assert response["imei"] == IMEI
