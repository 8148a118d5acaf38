"""Requested readings: by the button, and by the action for a target."""

from collections.abc import Iterable
from typing import Any

from homeassistant.core import Context, Event, HomeAssistant
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
    run_with,
)
from .emulator import Device, Fault, FaultKind, Server

variant = run_with(EVERY_PLATFORM)

BUTTON = "button.water_meter_request_reading"
TEMPERATURE = "sensor.water_meter_temperature"
BATTERY = "sensor.water_meter_battery_level"
GAS_METER = "sensor.gas_meter_temperature"
PATHS = ("3303/0/5700", "3/0/9", "3200/0/5500")


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
    """The entity of the first read has its value."""
    wake(account, device)
    onenet.faults.append(
        Fault(kind=FaultKind.ERRNO, errno=2001, text="device not online", parameter=("obj_id", "3"), times=1)
    )
    await press(hass)
    assert tried(onenet) == ["3303/0", "3/0/9"]
    assert queued(onenet) == ["3/0/9", "3200/0/5500"]
    assert hass.states.get(TEMPERATURE).state == "21.5"  # type: ignore[union-attr]


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
