"""Each blueprint, set up with its inputs, acts on the emulated OneNET."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
import shutil
from typing import Any

from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import area_registry as ar, device_registry as dr, label_registry as lr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.onenet_nbiot.const import CONF_OVERDUE_AFTER

from .common import (
    IMEI,
    OTHER_IMEI,
    READ,
    act,
    add_device,
    devices_of,
    event_types,
    offline_read,
    pass_time,
    poll_device,
    refresh,
    until,
)
from .emulator import Device, SendStatus, Server, Trigger

ROOT = Path(__file__).parents[1] / "blueprints"
BLUEPRINTS = sorted(ROOT.glob("*/*/*.yaml"))

type Use = Callable[..., Awaitable[None]]


@pytest.fixture
async def use(hass: HomeAssistant) -> AsyncIterator[Use]:
    """Return a function that sets up an automation or a script from a blueprint with inputs."""

    async def set_up(path: str, **inputs: Any) -> None:
        shutil.copytree(ROOT, hass.config.path("blueprints"))
        domain, _, file = path.partition("/")
        made = {"use_blueprint": {"path": file, "input": inputs}}
        config = {"script": {"made": made}} if domain == "script" else {"automation": [made | {"alias": "Made"}]}
        assert await async_setup_component(hass, domain, config)
        await hass.async_block_till_done()
        assert hass.states.get(f"{domain}.made")

    yield set_up
    if hass.services.has_service("automation", "turn_off"):
        # Unload the automation, whose triggers would stay after the test.
        await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture
def notifications(hass: HomeAssistant) -> list[Any]:
    """Return the notifications that the blueprints create by default."""
    return async_mock_service(hass, "persistent_notification", "create")


@pytest.fixture
async def meter(hass: HomeAssistant, account: MockConfigEntry) -> str:
    """Return the id of the device, which was added."""
    settings: dict[str, Any] = {CONF_OVERDUE_AFTER: 7200}
    await add_device(hass, account, "3303/0/5700", **settings)
    return devices_of(account).added[IMEI].device_id


@pytest.mark.parametrize("path", BLUEPRINTS, ids=[path.stem for path in BLUEPRINTS])
def test_a_blueprint_can_be_imported(path: Path) -> None:
    """It is valid, has texts, and requires the oldest supported version."""
    blueprint = Blueprint(load_yaml_dict(str(path)), schema=BLUEPRINT_SCHEMA)
    assert blueprint.domain == path.parts[-3]
    assert blueprint.validate() is None
    assert blueprint.metadata["description"]
    assert blueprint.metadata["homeassistant"]["min_version"] == "2026.8.0"
    assert all(field["name"] for field in blueprint.inputs.values())


async def read(hass: HomeAssistant, **fields: Any) -> Any:
    """Run the script, and return its response."""
    return await hass.services.async_call("script", "made", fields, blocking=True, return_response=True)


async def test_a_script_reads_a_resource_and_waits(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, use: Use, events: list[Event]
) -> None:
    """The response has the state and the value; the object instance and the time have defaults."""
    await use("script/onenet_nbiot/read_and_wait.yaml")
    running = hass.async_create_task(read(hass, device_id=meter, obj_id=3303, res_id=5700))
    await until(lambda: events)
    (command,) = onenet.onenet.commands
    assert abs(command.expired_time - command.create_time - timedelta(hours=1)) < timedelta(seconds=2)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    response = await running
    assert (response["state"], response["value"], response["uuid"]) == ("succeeded", 21.5, command.uuid)


async def test_a_script_returns_why_a_read_failed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, use: Use, events: list[Event]
) -> None:
    """Without a value, the response has the reason."""
    await use("script/onenet_nbiot/read_and_wait.yaml")
    fields = {"obj_id": 3303, "obj_inst_id": 1, "res_id": 5700, "wait": {"hours": 6}}
    running = hass.async_create_task(read(hass, device_id=meter, **fields))
    await until(lambda: events)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    response = await running
    assert (response["state"], response["reason"]) == ("failed", "not_found")
    assert "value" not in response


async def test_devices_are_read_on_a_schedule(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, use: Use
) -> None:
    """On the chosen day, one read is queued; on the next day, it still waits, and none is queued."""
    tomorrow = dt_util.start_of_local_day(dt_util.now() + timedelta(days=1)) + timedelta(hours=7)
    days = [(tomorrow + timedelta(days=number)).strftime("%a").lower() for number in (1, 2)]
    target = {"device_id": [meter]}
    await use("automation/onenet_nbiot/read_on_a_schedule.yaml", devices=target, time="07:00:00", days=days)
    for number, queued in enumerate([0, 1, 1]):
        async_fire_time_changed(hass, tomorrow + timedelta(days=number, seconds=1))
        await hass.async_block_till_done(wait_background_tasks=True)
        assert len(onenet.onenet.commands) == queued


async def test_failed_expired_and_rejected_commands_are_told(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    use: Use,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """The notification has the name of the device, or its IMEI; a cancelled command is not told."""
    await use("automation/onenet_nbiot/command_failed.yaml")
    await offline_read(hass, **READ | {"res_id": 9999})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    onenet.onenet.sleep(IMEI)
    await act(hass, "cancel_command", uuid=(await offline_read(hass, **READ))["uuid"])
    await offline_read(hass, **READ, expires_in={"hours": 1})
    onenet.onenet.clock.offset += timedelta(hours=2)
    await poll_device(account)
    with pytest.raises(ServiceValidationError):
        await offline_read(hass, imei=OTHER_IMEI)
    await hass.async_block_till_done()
    shown = [(notification.data["title"], notification.data["message"]) for notification in notifications]
    assert shown[1] == ("Water meter", "The read of 3303/0/5700 expired.")
    assert shown[0] == ("Water meter", f"The read of 3303/0/9999 failed: {events[1].data['message']}.")
    assert shown[2] == (f"IMEI {OTHER_IMEI}", f"The read of 3303 was rejected by OneNET: {events[-1].data['message']}.")
    assert len(shown) == 3


@pytest.mark.parametrize("kind", ["device_id", "entity_id", "area_id", "label_id"])
async def test_only_chosen_devices_and_outcomes_are_told(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    use: Use,
    events: list[Event],
    *,
    kind: str,
) -> None:
    """Own actions run with the variables of the blueprint."""
    area, label = ar.async_get(hass).async_create("Basement"), lr.async_get(hass).async_create("Meters")
    dr.async_get(hass).async_update_device(meter, area_id=area.id, labels={label.label_id})
    entity_id = "sensor.water_meter_temperature"
    target = {"device_id": meter, "entity_id": entity_id, "area_id": area.id, "label_id": label.label_id}
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 4.5})
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Gas meter")
    told = async_mock_service(hass, "notify", "phone")
    await use(
        "automation/onenet_nbiot/command_failed.yaml",
        devices={kind: target[kind]},
        outcomes=["failed"],
        actions=[{"action": "notify.phone", "data": {"message": "{{ name }} {{ trigger.reason }}"}}],
    )
    for imei in (IMEI, OTHER_IMEI):
        await offline_read(hass, imei=imei, obj_id=3, obj_inst_id=0, res_id=9)
        onenet.onenet.wake(imei, Trigger.UPDATE)
        await poll_device(account, imei)
        onenet.onenet.sleep(imei)
    await offline_read(hass, **READ, expires_in={"hours": 1})
    onenet.onenet.clock.offset += timedelta(hours=2)
    await poll_device(account)
    await hass.async_block_till_done()
    assert event_types(events)[-1] == "expired"
    assert [call.data["message"] for call in told] == ["Water meter not_found"]


async def test_without_outcomes_nothing_is_told(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    use: Use,
    notifications: list[Any],
    events: list[Event],
) -> None:
    """Not even a command that succeeded."""
    await use("automation/onenet_nbiot/command_failed.yaml", outcomes=[])
    for res_id in (5700, 9999):
        await offline_read(hass, **READ | {"res_id": res_id})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.async_block_till_done()
    assert sorted(event_types(events)[-2:]) == ["failed", "succeeded"]
    assert notifications == []


@pytest.mark.parametrize("chosen", [True, False])
async def test_an_overdue_device_is_told_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    meter: str,
    use: Use,
    notifications: list[Any],
    *,
    chosen: bool,
) -> None:
    """Not again after a reload; without a choice, all devices are told."""
    await use("automation/onenet_nbiot/device_overdue.yaml", **({"devices": {"device_id": meter}} if chosen else {}))
    onenet.onenet.report(IMEI)
    await pass_time(account, onenet, timedelta(minutes=1))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not notifications
    await pass_time(account, onenet, timedelta(hours=3))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=3))
    await hass.async_block_till_done(wait_background_tasks=True)
    (notification,) = notifications
    assert notification.data["title"] == "Water meter"
    assert notification.data["notification_id"] == f"onenet_nbiot_overdue_{meter}"
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(notifications) == 1


async def test_a_device_follows_a_toggle(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str, use: Use
) -> None:
    """Only the latest value waits, and the device gets a Boolean; a helper that is restored writes nothing."""
    device.resources[3306, 0, 5850] = False
    helper = "input_boolean.valve"
    await use("automation/onenet_nbiot/follow_helper.yaml", helper=helper, device=meter, obj_id=3306, res_id=5850)
    for state in ("off", "unavailable", "off"):
        hass.states.async_set(helper, state)
    await hass.async_block_till_done()
    assert not onenet.onenet.commands
    for state in ("on", "off", "on"):
        hass.states.async_set(helper, state)
    await hass.async_block_till_done()
    assert [command.send_status for command in onenet.onenet.commands] == [
        SendStatus.CANCELLED,
        SendStatus.CANCELLED,
        SendStatus.WAITING,
    ]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert device.resources[3306, 0, 5850] is True


@pytest.mark.parametrize(
    ("domain", "state", "written"),
    [
        ("input_number", "20.0", 20),
        ("input_number", "20.5", 20.5),
        ("input_select", "eco", "eco"),
        ("input_text", "0123", "0123"),
        ("input_text", "12", "12"),
    ],
)
async def test_a_device_follows_a_number_or_a_text(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
    meter: str,
    use: Use,
    *,
    domain: str,
    state: str,
    written: Any,
) -> None:
    """A number is written as a number, without decimals if it has none; a text as a text."""
    # The device refuses a value of another type.
    device.resources[3308, 0, 5900] = type(written)()
    helper = f"{domain}.set_point"
    await use("automation/onenet_nbiot/follow_helper.yaml", helper=helper, device=meter, obj_id=3308, res_id=5900)
    for value in ("1", state):
        hass.states.async_set(helper, value)
    await hass.async_block_till_done()
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    found = device.resources[3308, 0, 5900]
    assert (found, type(found)) == (written, type(written))
