"""The triggers of automations."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.websocket_api.automation import (
    async_get_conditions_for_target,
    async_get_triggers_for_target,
)
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import Context, CoreState, HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.onenet_nbiot.const import DOMAIN

from .common import (
    EVERY_PLATFORM,
    EXECUTE,
    EXPIRY,
    IMEI,
    OTHER_IMEI,
    WRITE,
    act,
    add_device,
    device_id,
    devices_of,
    offline_read,
    pass_time,
    poll_device,
    refresh,
    run_with,
)
from .emulator import Device, Fault, FaultKind, Server, Trigger

variant = run_with(EVERY_PLATFORM)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TEMPERATURE = "3303/0/5700"
TITLE = "Water meter"

type Automate = Callable[..., Awaitable[list[ServiceCall]]]


@pytest.fixture
async def automate(hass: HomeAssistant) -> AsyncIterator[Automate]:
    """Return a function that sets up an automation, and returns the list of its runs."""
    runs = async_mock_service(hass, "test", "run")

    async def load(trigger: str, target: dict[str, Any] | None = None, **options: Any) -> list[ServiceCall]:
        config: dict[str, Any] = {"trigger": f"{DOMAIN}.{trigger}"}
        if target is not None:
            config["target"] = target
        if options:
            config["options"] = options
        automation = {
            "alias": "Test",
            "mode": "parallel",
            "triggers": [config],
            "actions": [{"action": "test.run", "data": {"trigger": "{{ trigger }}"}}],
        }
        assert await async_setup_component(hass, "automation", {"automation": [automation]})
        await hass.async_block_till_done()
        (state,) = hass.states.async_all("automation")
        assert state.state == "on"
        return runs

    yield load
    if hass.services.has_service("automation", "turn_off"):
        await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


async def answer(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, imei: str = IMEI) -> None:
    """Let a device wake and carry out its commands, and poll them."""
    onenet.onenet.wake(imei, Trigger.UPDATE)
    await poll_device(account, imei)
    await hass.async_block_till_done()


async def report(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, **ago: float) -> None:
    """Let all devices report, and poll after some time."""
    onenet.onenet.report_all()
    await pass_time(account, onenet, timedelta(**ago))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)


def variables(run: ServiceCall) -> dict[str, Any]:
    """Return the variable `trigger` of a run."""
    found: dict[str, Any] = run.data["trigger"]
    return found


async def test_a_finished_command_gives_its_outcome_and_its_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The run has the context of the call as its parent, and variables that the event lacks are None."""
    await add_device(hass, account, TEMPERATURE)
    id_ = device_id(hass, account)
    runs = await automate("command_finished", {"device_id": id_})
    context = Context()
    queued = await offline_read(hass, context, obj_inst_id=0, res_id=5700)
    assert not runs
    await answer(hass, account, onenet)
    (run,) = runs
    assert run.context.parent_id == context.id
    found = variables(run)
    assert (found["uuid"], found["outcome"], found["value"]) == (queued["uuid"], "succeeded", 21.5)
    assert found["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert (found["device_id"], found["imei"], found["config_entry_id"]) == (id_, IMEI, account.entry_id)
    assert (found["command"], found["obj_id"], found["reason"]) == ("read", 3303, None)
    assert found["description"] == f"read command succeeded on {TITLE}"


async def test_several_values_give_no_single_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """A read of an instance with two resources has both in its values."""
    runs = await automate("command_finished")
    await offline_read(hass, obj_inst_id=0)
    await answer(hass, account, onenet)
    found = variables(runs[0])
    assert (len(found["values"]), found["value"]) == (2, None)


async def test_the_selected_resource_gives_the_value(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """A read of a whole instance is also a read of its resource."""
    runs = await automate("command_finished", obj_id="3303", obj_inst_id=0, res_id=5700)
    await offline_read(hass, obj_inst_id=0)
    await answer(hass, account, onenet)
    found = variables(runs[0])
    assert (len(found["values"]), found["value"]) == (2, 21.5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["read", "write", "execute"]),
        ({"command": []}, ["read", "write", "execute"]),
        ({"command": "write"}, ["write"]),
        ({"command": ["read", "execute"]}, ["read", "execute"]),
        ({"obj_id": 3306}, ["write"]),
        ({"obj_id": 3306, "obj_inst_id": 1}, []),
        ({"res_id": 5850}, ["read", "write"]),
        ({"res_id": 5851}, ["read"]),
        ({"res_id": 4}, ["read", "execute"]),
        ({"outcome": "expired"}, []),
        ({"outcome": ["succeeded", "failed"], "command": "read"}, ["read"]),
    ],
)
async def test_options_select_commands(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
    automate: Automate,
    options: dict[str, Any],
    expected: list[str],
) -> None:
    """A resource selects the writes to it, and the reads of its whole object."""
    device.resources |= {(3306, 0, 5850): False, (3, 0, 4): None}
    runs = await automate("command_finished", **options)
    await offline_read(hass)
    await act(hass, "offline_write", **WRITE | EXPIRY)
    await act(hass, "offline_execute", **EXECUTE | EXPIRY)
    await answer(hass, account, onenet)
    assert [variables(run)["command"] for run in runs] == expected


@pytest.mark.parametrize("options", [{"outcome": "unknown"}, {"command": "observe"}, {"obj_id": 70000}, {"imei": IMEI}])
async def test_wrong_options_are_refused(
    hass: HomeAssistant, account: MockConfigEntry, expected_warnings: list[str], options: dict[str, Any]
) -> None:
    """The automation is unavailable."""
    expected_warnings.append("Automation with alias 'Test' failed to setup triggers")
    trigger = {"trigger": f"{DOMAIN}.command_finished", "options": options}
    automation = {"alias": "Test", "triggers": [trigger], "actions": []}
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    assert hass.states.is_state("automation.test", "unavailable")


async def test_expired_cancelled_and_rejected_commands_are_finished(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """A rejected command has a reason, but no UUID."""
    runs = await automate("command_finished")
    cancelled = await offline_read(hass)
    await act(hass, "cancel_command", uuid=cancelled["uuid"])
    await offline_read(hass)
    await pass_time(account, onenet, timedelta(days=2))
    await poll_device(account)
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await offline_read(hass)
    await hass.async_block_till_done()
    assert [variables(run)["outcome"] for run in runs] == ["cancelled", "expired", "rejected"]
    found = variables(runs[-1])
    assert (found["uuid"], found["reason"], found["device_id"]) == (None, "unknown_device", None)
    assert found["description"] == f"read command rejected on {IMEI}"


async def test_a_failed_command_has_its_reason(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The device does not have the resource."""
    runs = await automate("command_finished", outcome=["failed"])
    await offline_read(hass, obj_id=3200)
    await answer(hass, account, onenet)
    found = variables(runs[0])
    assert (found["reason"], found["values"], found["value"]) == ("not_found", [], None)


@pytest.mark.parametrize("kind", ["device_id", "entity_id", "area_id", "floor_id", "label_id", "account"])
async def test_targets_select_devices(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate, kind: str
) -> None:
    """A target need not have devices when the automation is set up; that of the account has all its devices."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Other meter", {(3303, 0, 5700): 5})
    area = ar.async_get(hass).async_create("Basement", floor_id=fr.async_get(hass).async_create("Ground").floor_id)
    label = lr.async_get(hass).async_create("Meters")
    target = {
        "device_id": "",
        "entity_id": "event.water_meter_command",
        "area_id": area.id,
        "floor_id": area.floor_id,
        "label_id": label.label_id,
        "account": device_id(hass, account, ""),
    }
    if kind == "device_id":
        await add_device(hass, account, TEMPERATURE)
        target[kind] = device_id(hass, account)
    runs = await automate("command_finished", {"device_id" if kind == "account" else kind: [target[kind]]})
    await offline_read(hass)
    await answer(hass, account, onenet)
    assert len(runs) == (kind in ("account", "device_id"))
    runs.clear()
    if kind != "device_id":
        await add_device(hass, account, TEMPERATURE)
    await add_device(hass, account, TEMPERATURE, imei=OTHER_IMEI, title="Other meter")
    dr.async_get(hass).async_update_device(device_id(hass, account), area_id=area.id, labels={label.label_id})
    for imei in (IMEI, OTHER_IMEI):
        await offline_read(hass, imei=imei)
        await answer(hass, account, onenet, imei)
    assert [variables(run)["imei"] for run in runs] == [IMEI, OTHER_IMEI][: 1 + (kind == "account")]


async def test_a_device_that_leaves_the_target_triggers_no_more(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The device is moved to another area."""
    await add_device(hass, account, TEMPERATURE)
    area = ar.async_get(hass).async_create("Basement")
    registry = dr.async_get(hass)
    registry.async_update_device(device_id(hass, account), area_id=area.id)
    runs = await automate("command_finished", {"area_id": area.id})
    for _ in range(2):
        await offline_read(hass)
        await answer(hass, account, onenet)
        registry.async_update_device(device_id(hass, account), area_id=None)
        await hass.async_block_till_done()
    assert len(runs) == 1


@pytest.mark.parametrize(("imei", "count"), [(IMEI, 0), ("", 1)])
async def test_a_disabled_device_is_only_selected_by_the_device_of_its_account(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate, imei: str, count: int
) -> None:
    """The target is the device, or that of the account."""
    await add_device(hass, account, TEMPERATURE)
    disabled_by = dr.DeviceEntryDisabler.USER
    dr.async_get(hass).async_update_device(device_id(hass, account), disabled_by=disabled_by)
    await hass.async_block_till_done()
    runs = await automate("command_finished", {"device_id": device_id(hass, account, imei)})
    await offline_read(hass)
    await answer(hass, account, onenet)
    assert len(runs) == count


async def test_the_event_entity_may_be_disabled(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The target is the disabled entity itself."""
    await add_device(hass, account, TEMPERATURE)
    entity_id = "event.water_meter_command"
    er.async_get(hass).async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    assert hass.states.get(entity_id) is None
    runs = await automate("command_finished", {"entity_id": entity_id})
    await offline_read(hass)
    await answer(hass, account, onenet)
    assert len(runs) == 1


async def test_the_account_need_not_be_loaded_when_the_automation_is_set_up(
    hass: HomeAssistant, entry: MockConfigEntry, device: Device, onenet: Server, automate: Automate
) -> None:
    """The trigger also survives a reload."""
    runs = await automate("command_finished")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await offline_read(hass)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await answer(hass, entry, onenet)
    assert len(runs) == 1


async def test_a_device_wakes_up_once_after_a_silence(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """It may report several times within ten minutes. Another device is not in the target."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Other meter", {(3303, 0, 5700): 5})
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE)
    await add_device(hass, account, TEMPERATURE, imei=OTHER_IMEI, title="Other meter")
    runs = await automate("device_woke_up", {"device_id": device_id(hass, account)})
    for _ in range(2):
        await pass_time(account, onenet, HOUR)
        await refresh(account)
        runs.clear()
        for _ in range(3):
            await report(hass, account, onenet, minutes=1)
            assert len(runs) == 1
    found = variables(runs[0])
    assert (found["device_id"], found["imei"]) == (device_id(hass, account), IMEI)
    assert found["description"] == f"{TITLE} woke up"
    at = dt_util.parse_datetime(found["last_seen"])
    last_seen = devices_of(account).get(IMEI).last_seen
    assert at
    assert last_seen
    assert timedelta() < last_seen - at < 3 * MINUTE


async def test_a_device_that_registers_wakes_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """It sends no value; that it is online is old when the account is loaded. It may go offline later."""
    await add_device(hass, account, TEMPERATURE)
    runs = await automate("device_woke_up")
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    assert await hass.config_entries.async_reload(account.entry_id)
    await pass_time(account, onenet, HOUR)
    await refresh(account)
    assert not runs
    onenet.onenet.sleep(IMEI)
    await pass_time(account, onenet, HOUR)
    await refresh(account)
    assert not runs
    for _ in range(2):
        onenet.onenet.wake(IMEI, Trigger.REGISTER)
        await pass_time(account, onenet, MINUTE)
        await refresh(account)
        await hass.async_block_till_done()
        assert len(runs) == 1


async def test_a_device_that_answers_wakes_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """Its answer is found before its presence."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE)
    runs = await automate("device_woke_up")
    await offline_read(hass)
    await pass_time(account, onenet, HOUR)
    await answer(hass, account, onenet)
    assert len(runs) == 1
    await refresh(account)
    await hass.async_block_till_done()
    assert len(runs) == 1


@pytest.mark.parametrize(("minutes", "count"), [(60, 0), (2, 1)])
async def test_old_activity_does_not_wake_a_device_when_its_account_is_loaded(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate, minutes: float, count: int
) -> None:
    """A device that was seen just before is still awake."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE)
    runs = await automate("device_woke_up")
    await pass_time(account, onenet, HOUR)
    assert await hass.config_entries.async_unload(account.entry_id)
    onenet.onenet.report(IMEI)
    onenet.onenet.clock.offset += timedelta(minutes=minutes)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(runs) == count


async def test_no_device_wakes_up_when_it_is_added(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """Its first report afterwards does."""
    runs = await automate("device_woke_up")
    onenet.onenet.report(IMEI)
    await add_device(hass, account, TEMPERATURE)
    assert not runs
    await pass_time(account, onenet, HOUR)
    await report(hass, account, onenet, minutes=1)
    assert len(runs) == 1


async def test_no_device_wakes_up_while_home_assistant_starts(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """Nothing is polled before automations are set up."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE)
    runs = await automate("device_woke_up")
    await pass_time(account, onenet, HOUR)
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.set_state(CoreState.starting)
    assert await hass.config_entries.async_setup(account.entry_id)
    await report(hass, account, onenet, minutes=1)
    assert not runs
    hass.set_state(CoreState.running)


@pytest.mark.parametrize("enabled", [False, True])
async def test_a_device_becomes_overdue_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    automate: Automate,
    *,
    enabled: bool,
) -> None:
    """The entity may be disabled; a reload does not repeat the trigger."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    if not enabled:
        entity_id = "binary_sensor.water_meter_overdue"
        er.async_get(hass).async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
        await hass.async_block_till_done()
        assert hass.states.get(entity_id) is None
    runs = await automate("device_became_overdue", {"device_id": device_id(hass, account)})
    await pass_time(account, onenet, HOUR)
    async_fire_time_changed(hass, dt_util.utcnow() + HOUR)
    await hass.async_block_till_done()
    assert not runs
    await pass_time(account, onenet, HOUR)
    for _ in range(2):
        async_fire_time_changed(hass, dt_util.utcnow() + 3 * HOUR)
        await hass.async_block_till_done()
        assert await hass.config_entries.async_reload(account.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    (run,) = runs
    assert variables(run)["description"] == f"{TITLE} became overdue"
    assert variables(run)["imei"] == IMEI
    await report(hass, account, onenet, minutes=1)
    await pass_time(account, onenet, 2 * HOUR)
    async_fire_time_changed(hass, dt_util.utcnow() + 3 * HOUR)
    await hass.async_block_till_done()
    assert len(runs) == 2


async def test_a_device_that_becomes_overdue_while_its_account_is_not_loaded_triggers_later(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The first poll finds it."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    runs = await automate("device_became_overdue")
    await hass.config_entries.async_set_disabled_by(account.entry_id, ConfigEntryDisabler.USER)
    onenet.onenet.clock.offset += 3 * HOUR
    await hass.config_entries.async_set_disabled_by(account.entry_id, None)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(runs) == 1


async def test_a_device_that_is_overdue_when_it_is_added_does_not_become_overdue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """The binary sensor shows it at once."""
    onenet.onenet.report(IMEI)
    await pass_time(account, onenet, 3 * HOUR)
    runs = await automate("device_became_overdue")
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    assert hass.states.is_state("binary_sensor.water_meter_overdue", "on")
    assert not runs


async def test_no_device_becomes_overdue_during_an_outage(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    automate: Automate,
    expected_warnings: list[str],
) -> None:
    """It may have been seen; afterwards, one that was not seen becomes overdue."""
    expected_warnings.append("Error fetching OneNET data")
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    runs = await automate("device_became_overdue")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    await refresh(account)
    onenet.onenet.clock.offset += 3 * HOUR
    async_fire_time_changed(hass, dt_util.utcnow() + 3 * HOUR)
    await hass.async_block_till_done()
    assert not runs
    onenet.faults.clear()
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(runs) == 1


async def test_the_editor_offers_the_triggers_and_conditions_for_a_device(
    hass: HomeAssistant, account: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    """They are offered for the device of a person, for that of the account and for a diagnostic entity."""
    await add_device(hass, account)
    triggers = {f"{DOMAIN}.{key}" for key in ("command_finished", "device_woke_up", "device_became_overdue")}
    conditions = {f"{DOMAIN}.{key}" for key in ("command_is_waiting", "device_is_overdue")}
    for target in (
        {"device_id": [device_id(hass, account)]},
        {"device_id": [device_id(hass, account, "")]},
        {"entity_id": ["event.water_meter_command"]},
    ):
        assert await async_get_triggers_for_target(hass, target, expand_group=True) >= triggers
        assert await async_get_conditions_for_target(hass, target, expand_group=True) >= conditions
    client = await hass_ws_client()
    for kind, expected in (("trigger", triggers), ("condition", conditions)):
        await client.send_json_auto_id({"type": f"{kind}_platforms/subscribe"})
        assert (await client.receive_json())["success"]
        found: dict[str, Any] = (await client.receive_json())["event"]
        assert {key for key in found if key.startswith(f"{DOMAIN}.")} == expected
        assert all(found[key]["target"]["entity"] == [{"integration": DOMAIN}] for key in expected)


async def test_a_rejected_write_only_matches_its_resources(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """It has no UUID."""
    runs = await automate("command_finished", res_id=1)
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await act(hass, "offline_write", **WRITE | EXPIRY)
    await hass.async_block_till_done()
    assert not runs


async def test_an_action_that_ends_an_outage_makes_no_device_overdue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate, expected_warnings: list[str]
) -> None:
    """The next poll shows that it was seen during the outage."""
    expected_warnings.append("Error fetching OneNET data")
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    runs = await automate("device_became_overdue")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=99))
    await refresh(account)
    onenet.onenet.clock.offset += 3 * HOUR
    onenet.onenet.report_all()
    onenet.faults.clear()
    await offline_read(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    await refresh(account)
    assert not runs


@pytest.mark.parametrize("path", ["/datapoints", "current-datapoints"])
async def test_a_poll_without_values_makes_no_device_overdue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate, path: str
) -> None:
    """It may have sent values since the last poll before the restart."""
    await report(hass, account, onenet, minutes=1)
    await add_device(hass, account, TEMPERATURE, overdue_after=7200)
    runs = await automate("device_became_overdue")
    assert await hass.config_entries.async_unload(account.entry_id)
    onenet.onenet.clock.offset += 3 * HOUR
    onenet.onenet.report_all()
    onenet.faults.append(Fault(kind=FaultKind.PAGE, status=504, path=path, times=2))
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    onenet.faults.clear()
    await pass_time(account, onenet, timedelta(minutes=3))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not runs


async def test_a_target_may_have_devices_of_other_integrations(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """Their identifiers may have any form."""
    await add_device(hass, account, TEMPERATURE)
    area = ar.async_get(hass).async_create("Street")
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    identifiers: Any = {("other", "a", "b")}
    registry = dr.async_get(hass)
    foreign = registry.async_get_or_create(config_entry_id=other.entry_id, identifiers=identifiers)
    for id_ in (foreign.id, device_id(hass, account)):
        registry.async_update_device(id_, area_id=area.id)
    runs = await automate("command_finished", target={"area_id": area.id})
    await offline_read(hass)
    await answer(hass, account, onenet)
    assert len(runs) == 1


async def test_a_field_without_a_value_is_none(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, automate: Automate
) -> None:
    """A template need not test whether it is defined."""
    await add_device(hass, account, TEMPERATURE)
    runs = await automate("command_finished")
    await offline_read(hass)
    await answer(hass, account, onenet)
    (run,) = runs
    found = variables(run)
    assert [found[name] for name in ("obj_inst_id", "res_id", "reason", "values_omitted")] == [None] * 4
