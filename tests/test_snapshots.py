"""Snapshots of an account with all kinds of entities."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics, async_get_device_diagnostics
from custom_components.onenet_nbiot.lwm2m import guess_kind, is_measurement

from .common import EVERY_PLATFORM, IMEI, add_device, client_of, devices_of, offline_read, refresh
from .emulator import Device, Server, Trigger

# Both platforms in every run, since syrupy fails on an unused snapshot.
on_every_platform = pytest.mark.parametrize("variant", EVERY_PLATFORM)

# Attributes that differ in every run.
VOLATILE = {"uuid", "config_entry_id", "device_id", "expired_time", "last_seen", "measured_at"}
VALUES = {
    (3, 0, 0): "Quectel",
    (3, 0, 1): "BC35",
    (3, 0, 3): "V1.2",
    (3, 0, 18): "C",
    (3, 0, 9): 87,
    (4, 0, 2): -93,
    (6, 0, 0): 30.25,
    (3200, 0, 5500): True,
    (3300, 0, 5700): 7,
    (3300, 0, 5701): "m3",
    (3303, 0, 5700): 21.5,
    (3303, 0, 5701): "Cel",
    (3303, 1, 5700): -3,
    (3331, 0, 5805): 1250,
    (3341, 0, 5527): "A text that is longer than a state may be. " * 8,
    (19, 0, 0): "00ff",
}
UNSELECTED = {(3, 0, 0), (3, 0, 1), (3, 0, 3), (3, 0, 18), (3300, 0, 5701), (3303, 0, 5701)}
RESOURCES = ["/".join(map(str, path)) for path in VALUES if path not in UNSELECTED]
DEVICE_FIELDS = (
    "name",
    "manufacturer",
    "model",
    "model_id",
    "serial_number",
    "entry_type",
    "sw_version",
    "hw_version",
)
KIND_IMEI = "866971030000777"
MEASURED = 1_795_000_000
# Values of objects that devices of a kind report, by the title of the device.
KINDS: dict[str, dict[int, dict[int, Any]]] = {
    "Water meter 12": {
        3424: {1: 153.274, 3: "ultrasonic", 4: 15327, 6: 100, 7: 0.0, 8: 0.00042, 9: False, 10: False, 11: False}
        | {12: False, 13: True, 5518: MEASURED}
    },
    "Gas meter": {
        3423: {1: 2750.125, 3: "diaphragm", 4: 275012, 6: 100, 9: False, 10: False, 11: False, 5518: MEASURED}
    },
    "Electricity meter": {
        3421: {1: 229.6, 6: 3.512, 11: 49.98, 13: 0.97, 16: 782.1, 17: 0.0, 22: 782.1, 25: 4512300.0, 26: 1200.0}
        | {5518: MEASURED}
    },
    "Three-phase meter": {
        10242: {0: "Acrel", 1: "ADL400", 4: 228.1, 5: 12.4, 6: 2.71, 11: 0.96, 14: 229.4, 15: 9.8, 16: 2.16, 21: 0.96}
        | {24: 227.9, 25: 10.1, 26: 2.22, 31: 0.97, 34: 7.09, 39: 0.963, 41: 48213.7, 42: 5120.4, 49: 50.01}
    },
    "Manhole cover": {3408: {1: 15, 2: 3, 3: False}},
    "Smoke alarm": {3407: {6044: 92.5, 6045: -105.0, 6046: True, 6047: 0.04, 6048: 85.0}},
    "Parking sensor": {3431: {1: True, 2: 1830, 3: 21600, 4: False, 5: "magnetic", 5518: MEASURED}},
    "Street lamp": {
        3416: {1: 80, 2: 80, 3: 80, 4: 100, 5: False, 6: 0, 7: False, 15: 8123.5, 18: 412, 44: 48.2, 45: 1.25}
        | {29: False, 46: 60.3, 47: 489.8}
    },
    "Irrigation valve": {3425: {1: 0, 2: 100, 3: 100, 4: 100, 6: False, 5518: MEASURED}},
    "Cold store": {3303: {5700: -18.4, 5701: "Cel", 5601: -21.0, 5602: -15.2}, 3304: {5700: 61.5, 5701: "%RH"}},
}
# The controls that a person would choose.
CONTROLS = {"Street lamp": ["3416/0/1", "3416/0/4", "3416/0/29"], "Irrigation valve": ["3425/0/3", "3425/0/1", "3/0/4"]}
# What each device reports about itself and its network.
NETWORK = {
    (3, 0, 0): "Quectel",
    (3, 0, 1): "BC28",
    (3, 0, 3): "V2.1",
    (3, 0, 18): "B",
    (3, 0, 9): 87,
    (4, 0, 2): -93,
}


@pytest.fixture
async def full_account(
    hass: HomeAssistant,
    entity_registry_enabled_by_default: None,
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
) -> MockConfigEntry:
    """Return an account with entities of every kind, a finished command and a waiting one."""
    onenet.onenet.report(IMEI, VALUES)
    onenet.onenet.set_online(IMEI, online=True)
    await add_device(hass, account, *RESOURCES)
    await offline_read(hass, obj_inst_id=0, res_id=5700)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    onenet.onenet.clock.offset += timedelta(minutes=1)
    await client_of(account).check_credentials()
    await refresh(account)
    await offline_read(hass, obj_id=3)
    await hass.async_block_till_done(wait_background_tasks=True)
    return account


def stable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with placeholders for values that differ in every run."""
    return {name: "…" if name in VOLATILE else value for name, value in sorted(attributes.items())}


def describe_entity(hass: HomeAssistant, entity: er.RegistryEntry) -> dict[str, Any]:
    """Return what a person sees of an entity; an entity that is disabled has no state."""
    state = hass.states.get(entity.entity_id)
    assert (state is None) is entity.disabled
    is_volatile = entity.domain == "event" or entity.translation_key == "last_seen"
    return {
        "state": "…" if is_volatile else state and state.state,
        "attributes": state and stable(state.attributes),
        "translation_key": entity.translation_key,
        "category": entity.entity_category,
        "disabled_by": entity.disabled_by,
    }


@on_every_platform
async def test_entities_match_the_snapshot(
    hass: HomeAssistant,
    full_account: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    """State, attributes and registry entry of each entity."""
    registry = er.async_get(hass)
    entities = er.async_entries_for_config_entry(registry, full_account.entry_id)
    found = {}
    for entity in sorted(entities, key=lambda entity: entity.entity_id):
        found[entity.entity_id] = describe_entity(hass, entity) | {
            "unique_id": entity.unique_id.replace(full_account.entry_id, "…"),
            "options": entity.options,
        }
    assert found == snapshot


@on_every_platform
async def test_devices_match_the_snapshot(
    hass: HomeAssistant, full_account: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    """Registry entries of the devices of the account."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), full_account.entry_id)
    assert [{name: getattr(device, name) for name in DEVICE_FIELDS} for device in devices] == snapshot


@pytest.mark.parametrize("kind", KINDS)
async def test_the_entities_of_a_kind_of_device_match_the_snapshot(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, snapshot: SnapshotAssertion, kind: str
) -> None:
    """State, attributes and registry entry of each entity that the dialog preselects, and the device itself."""
    resources = {
        (obj_id, 0, res_id): value for obj_id, values in KINDS[kind].items() for res_id, value in values.items()
    } | NETWORK
    onenet.onenet.products[0].add(KIND_IMEI, kind, resources)
    onenet.onenet.report(KIND_IMEI)
    paths = [path for path in ("/".join(map(str, ids)) for ids in resources) if is_measurement(path)]
    guessed = guess_kind(kind, {obj_id for obj_id, *_ in resources})
    await add_device(hass, account, *paths, imei=KIND_IMEI, title=kind, kind=guessed, controls=CONTROLS.get(kind, []))
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    device = dr.async_get(hass).async_get(devices_of(account).added[KIND_IMEI].device_id)
    assert device
    entities = er.async_entries_for_device(er.async_get(hass), device.id, include_disabled_entities=True)
    assert {
        "kind": str(guessed),
        "device": {name: getattr(device, name) for name in DEVICE_FIELDS},
        "entities": {
            entity.entity_id: describe_entity(hass, entity)
            | {"device_class": entity.original_device_class, "unit": entity.unit_of_measurement}
            for entity in sorted(entities, key=lambda entity: entity.entity_id)
        },
    } == snapshot


def without_times(found: Any) -> Any:
    """Replace the times and the durations in diagnostics, which differ in each run."""
    match found:
        case dict():
            return {name: without_times(value) for name, value in found.items()}
        case datetime():
            return "time"
        case float():
            return "seconds"
    return found


@on_every_platform
async def test_diagnostics_match_the_snapshot(
    hass: HomeAssistant, full_account: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    """Diagnostics of the account and of the device."""
    device = dr.async_get(hass).async_get(devices_of(full_account).added[IMEI].device_id)
    assert isinstance(device, dr.DeviceEntry)
    of_device = await async_get_device_diagnostics(hass, full_account, device)
    diagnostics = await async_get_config_entry_diagnostics(hass, full_account)
    entry = diagnostics.pop("entry")
    assert entry["title"] == REDACTED
    diagnostics["data"] = {**entry["data"], "url": "…"}
    diagnostics["options"] = entry["options"]
    # How many commands share a transaction depends on the machine.
    assert diagnostics["storage"].pop("write_transactions") > 0
    assert without_times({"account": diagnostics, "device": of_device}) == snapshot
