"""Entities of meters, covers, lamps and other devices."""

from typing import Any

from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN

from .common import IMEI, add_device
from .emulator import Server


@pytest.mark.parametrize(
    ("path", "value", "entity_id", "state", "attributes"),
    [
        (
            *("3424/0/1", 12.345, "sensor.west_street_water_volume", "12.345"),
            {"device_class": "water", "state_class": "total_increasing", "unit_of_measurement": "m³"},
        ),
        (
            *("3423/1/1", "7.5", "sensor.west_street_gas_volume_1", "7.5"),
            {"device_class": "gas", "state_class": "total_increasing", "unit_of_measurement": "m³"},
        ),
        (
            *("3421/0/25", 1250, "sensor.west_street_active_energy_import", "1.25"),
            {"device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh"},
        ),
        (
            *("3424/0/8", 0.0005, "sensor.west_street_maximum_water_flow", "1.8"),
            {"device_class": "volume_flow_rate", "state_class": "measurement", "unit_of_measurement": "m³/h"},
        ),
        (
            *(
                "3424/0/5518",
                1790000000,
                "sensor.west_street_water_meter_measurement_time",
                "2026-09-21T14:13:20+00:00",
            ),
            {"device_class": "timestamp"},
        ),
        ("3408/0/2", 12, "sensor.west_street_tilt", "12", {"state_class": "measurement", "unit_of_measurement": "°"}),
        ("3424/0/3", "DN20", "sensor.west_street_water_meter_type", "DN20", {}),
        ("3416/0/6", 3, "sensor.west_street_lamp_failure_reason", "3", {}),
        ("3424/0/10", True, "binary_sensor.west_street_water_leak", "on", {"device_class": "moisture"}),
        ("3408/0/3", 1, "binary_sensor.west_street_manhole_cover", "on", {"device_class": "opening"}),
        ("3431/0/1", "1", "binary_sensor.west_street_parking_occupancy", "on", {"device_class": "occupancy"}),
        ("3407/0/6046", False, "binary_sensor.west_street_smoke", "off", {"device_class": "smoke"}),
    ],
)
async def test_a_value_has_a_meaning(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    path: str,
    value: Any,
    entity_id: str,
    state: str,
    attributes: dict[str, str],
) -> None:
    """The entity has a translated name and the device class, the state class and the unit of the object."""
    obj_id, obj_inst_id, res_id = map(int, path.split("/"))
    onenet.onenet.report(IMEI, {(obj_id, obj_inst_id, res_id): value})
    await add_device(hass, account, path, title="West Street")
    shown = hass.states.get(entity_id)
    assert shown
    assert shown.state == state
    kinds = ("device_class", "state_class", "unit_of_measurement")
    assert {name: shown.attributes[name] for name in kinds if name in shown.attributes} == attributes


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (1790000000, "2026-09-21T14:13:20+00:00"),
        ("1790000000", "2026-09-21T14:13:20+00:00"),
        (1790000000.25, "2026-09-21T14:13:20+00:00"),
        *((value, STATE_UNKNOWN) for value in (0, -1, "yesterday", 1790000000000, 10**30, None, True)),
    ],
    ids=repr,
)
async def test_a_time_that_is_not_valid_is_unknown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, value: Any, state: str
) -> None:
    """Unix seconds are a time; 0, milliseconds and texts are none."""
    onenet.onenet.report(IMEI, {(3424, 0, 5518): value})
    await add_device(hass, account, "3424/0/5518", title="West Street")
    shown = hass.states.get("sensor.west_street_water_meter_measurement_time")
    assert shown
    assert shown.state == state


async def test_an_entity_that_another_platform_shows_now_is_removed(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The binary sensor replaces the text sensor of a former version, with the same unique id; others stay."""
    registry = er.async_get(hass)
    unique_ids = {path: f"{account.entry_id}_{IMEI}_{path}" for path in ("3408/0/3", "3408/0/2")}
    for unique_id in unique_ids.values():
        registry.async_get_or_create("sensor", DOMAIN, unique_id, config_entry=account)
    await add_device(hass, account, *unique_ids)
    assert registry.async_get_entity_id("sensor", DOMAIN, unique_ids["3408/0/3"]) is None
    assert registry.async_get_entity_id("binary_sensor", DOMAIN, unique_ids["3408/0/3"])
    assert registry.async_get_entity_id("sensor", DOMAIN, unique_ids["3408/0/2"])
