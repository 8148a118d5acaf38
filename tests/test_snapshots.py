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

from .common import EVERY_PLATFORM, IMEI, add_device, client_of, devices_of, offline_read, refresh
from .emulator import Device, Server, Trigger

# Both platforms in every run, since syrupy fails on an unused snapshot.
pytestmark = [
    pytest.mark.parametrize("variant", EVERY_PLATFORM),
    pytest.mark.usefixtures("entity_registry_enabled_by_default"),
]

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


@pytest.fixture
async def full_account(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
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
        state = hass.states.get(entity.entity_id)
        assert (state is None) is entity.disabled
        found[entity.entity_id] = {
            "state": "…"
            if entity.domain == "event" or entity.translation_key == "last_seen"
            else state and state.state,
            "attributes": state and stable(state.attributes),
            "unique_id": entity.unique_id.replace(full_account.entry_id, "…"),
            "translation_key": entity.translation_key,
            "category": entity.entity_category,
            "disabled_by": entity.disabled_by,
            "options": entity.options,
        }
    assert found == snapshot


async def test_devices_match_the_snapshot(
    hass: HomeAssistant, full_account: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    """Registry entries of the devices of the account."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), full_account.entry_id)
    assert [
        {
            name: getattr(device, name)
            for name in (
                "name",
                "manufacturer",
                "model",
                "model_id",
                "serial_number",
                "entry_type",
                "sw_version",
                "hw_version",
            )
        }
        for device in devices
    ] == snapshot


async def test_diagnostics_match_the_snapshot(
    hass: HomeAssistant, full_account: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    """Diagnostics of the account and of the device."""
    device = dr.async_get(hass).async_get(devices_of(full_account).added[IMEI].device_id)
    assert isinstance(device, dr.DeviceEntry)
    of_device = await async_get_device_diagnostics(hass, full_account, device)
    times = [of_device.pop(name) for name in ("last_seen", "newest_datapoint")]
    times += [value.pop("measured_at") for value in of_device["values"].values()]
    assert all(isinstance(time, datetime) for time in times)
    diagnostics = await async_get_config_entry_diagnostics(hass, full_account)
    entry = diagnostics.pop("entry")
    assert entry["title"] == REDACTED
    diagnostics["data"] = {**entry["data"], "url": "…"}
    diagnostics["options"] = entry["options"]
    # How many commands share a transaction depends on the machine.
    assert diagnostics["commands"].pop("write_transactions") > 0
    assert {"account": diagnostics, "device": of_device} == snapshot
