"""Meanings of the resources of meters, covers, lamps and other devices."""

from typing import Any

from homeassistant.components.energy.validate import ENERGY_USAGE_UNITS, GAS_USAGE_UNITS, WATER_USAGE_UNITS
from homeassistant.const import EntityCategory, Platform
import pytest

from custom_components.onenet_nbiot.lwm2m import Description, describe, is_measurement, known_unit
from custom_components.onenet_nbiot.lwm2m.lookup import definitions_of
from custom_components.onenet_nbiot.lwm2m.meanings import MEANINGS

OBJECTS = [3407, 3408, 3411, 3416, 3421, 3423, 3424, 3425, 3428, 3431, 3433, 10242]
DEFINITIONS = {
    f"{obj_id}/0/{res_id}": definition for obj_id in OBJECTS for res_id, definition in definitions_of(obj_id).items()
}
DESCRIPTIONS = {path: describe(path) for path in DEFINITIONS}


def state_class(row: Description) -> Any:
    """Return the state class of a sensor, None for a binary sensor."""
    return getattr(row, "state_class", None)


def unit(row: Description) -> Any:
    """Return the unit of a sensor, None for a binary sensor."""
    return getattr(row, "native_unit_of_measurement", None)


def test_every_resource_of_an_object_with_a_meaning_has_a_translated_name() -> None:
    """The translation key has the ids, so that the platforms share the name."""
    assert list(MEANINGS) == OBJECTS
    for path, row in DESCRIPTIONS.items():
        assert row.translation_key == path.replace("/0/", "_")
        assert row.key == path


def test_the_platform_follows_from_the_type() -> None:
    """A Boolean is a binary sensor, a time a timestamp, a text has neither a unit nor statistics."""
    for path, definition in DEFINITIONS.items():
        row = DESCRIPTIONS[path]
        assert (row.platform is Platform.BINARY_SENSOR) is (definition.type == "Boolean")
        assert (row.device_class == "timestamp") is (definition.type == "Time")
        if definition.type in ("", "String"):
            assert (row.device_class, unit(row), state_class(row)) == (None, None, None)


@pytest.mark.parametrize("obj_id", OBJECTS)
def test_a_meaning_names_only_resources_that_it_suits(obj_id: int) -> None:
    """The resources exist, and their types suit the device classes and the statistics."""
    meaning, definitions = MEANINGS[obj_id], definitions_of(obj_id)
    measured = {*meaning.preselected, *meaning.measured, *meaning.totals, *meaning.net_totals}
    assert all("W" not in definitions[res_id].operations != "E" for res_id in measured)
    assert {*meaning.diagnostic, *meaning.net_totals} <= measured
    assert meaning.preselected.isdisjoint(meaning.measured)
    assert all(definitions[res_id].type == "Boolean" for res_id in meaning.binary_sensors)
    numbers = [*meaning.sensors, *meaning.totals, *meaning.net_totals]
    assert all(definitions[res_id].type in ("Integer", "Float") for res_id in numbers)


def test_a_number_has_the_unit_of_the_registry() -> None:
    """The unit is that of Home Assistant for it, without a conversion, or else the registry's."""
    for path, definition in DEFINITIONS.items():
        assert unit(DESCRIPTIONS[path]) == (known_unit(definition.units, None) or (definition.units or None, 1))[0]
        assert (known_unit(definition.units, None) or (None, 1))[1] == 1


def test_settings_are_diagnostic_and_not_preselected() -> None:
    """A writable or executable resource is a setting, and so is a threshold."""
    for path, definition in DEFINITIONS.items():
        if definition.operations != "R" or "threshold" in definition.name.lower():
            row = DESCRIPTIONS[path]
            assert (row.entity_category, state_class(row)) == (EntityCategory.DIAGNOSTIC, None)
            assert not is_measurement(path)


def test_an_integer_is_shown_without_decimals() -> None:
    """Home Assistant would show a duration of whole seconds with three decimals."""
    for path, definition in DEFINITIONS.items():
        if definition.type == "Integer" and unit(DESCRIPTIONS[path]):
            assert getattr(DESCRIPTIONS[path], "suggested_display_precision", None) == 0


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("3407/0/6044", ("battery", "%", "measurement")),
        # Home Assistant has no dBW, and dBm is another unit.
        ("3407/0/6045", (None, "dBW", "measurement")),
        ("3407/0/6046", ("smoke", None, None)),
        ("3408/0/2", (None, "°", "measurement")),
        ("3408/0/3", ("opening", None, None)),
        ("3411/0/1", ("battery", "%", "measurement")),
        ("3411/0/6", ("battery", None, None)),
        ("3416/0/3", (None, "%", "measurement")),
        ("3416/0/5", ("problem", None, None)),
        ("3416/0/15", ("duration", "h", "total_increasing")),
        # The device class of a temperature would convert it to °C.
        ("3416/0/40", (None, "K", "measurement")),
        ("3416/0/47", ("energy", "kWh", "total_increasing")),
        ("3421/0/1", ("voltage", "V", "measurement")),
        ("3421/0/9", ("current", "A", None)),
        ("3421/0/18", ("reactive_power", "var", "measurement")),
        ("3421/0/20", ("apparent_power", "VA", "measurement")),
        ("3421/0/25", ("energy", "Wh", "total_increasing")),
        ("3421/0/28", ("energy", "Wh", "total")),
        ("3421/0/29", ("reactive_energy", "varh", "total_increasing")),
        ("3421/0/35", (None, "VAh", "total_increasing")),
        ("3423/0/1", ("gas", "m³", "total_increasing")),
        ("3423/0/10", ("gas", None, None)),
        ("3423/0/11", ("heat", None, None)),
        ("3424/0/1", ("water", "m³", "total_increasing")),
        ("3424/0/8", ("volume_flow_rate", "m³/s", "measurement")),
        ("3424/0/10", ("moisture", None, None)),
        ("3424/0/11", ("problem", None, None)),
        ("3424/0/13", ("tamper", None, None)),
        ("3424/0/5518", ("timestamp", None, None)),
        ("3424/0/6050", (None, "s", None)),
        ("3425/0/2", (None, "%", "measurement")),
        ("3428/0/3", ("pm25", "μg/m³", "measurement")),
        # Home Assistant accepts no ppm for this device class.
        ("3428/0/9", (None, "ppm", "measurement")),
        ("3428/0/17", ("carbon_dioxide", "ppm", "measurement")),
        ("3431/0/1", ("occupancy", None, None)),
        ("3431/0/3", ("duration", "s", "total_increasing")),
        ("3433/0/3", ("sound_pressure", "dB", "measurement")),
        ("10242/0/11", ("power_factor", None, "measurement")),
        ("10242/0/12", (None, "%", "measurement")),
        ("10242/0/34", ("power", "kW", "measurement")),
        ("10242/0/41", ("energy", "kWh", "total_increasing")),
    ],
)
def test_a_resource_has_the_device_class_the_unit_and_the_state_class(path: str, meaning: tuple[Any, ...]) -> None:
    """A value that no device class suits has none."""
    row = DESCRIPTIONS[path]
    assert (row.device_class, unit(row), state_class(row)) == meaning


@pytest.mark.parametrize(
    ("path", "usage"),
    [
        ("3424/0/1", WATER_USAGE_UNITS),
        ("3423/0/1", GAS_USAGE_UNITS),
        *((path, ENERGY_USAGE_UNITS) for path in ("3416/0/47", "3421/0/25", "3421/0/26", "10242/0/41")),
    ],
)
def test_a_meter_can_be_selected_in_the_energy_dashboard(path: str, usage: dict[str, tuple[str, ...]]) -> None:
    """The energy dashboard accepts the device class, the unit and the state class, and the dialog preselects it."""
    row = DESCRIPTIONS[path]
    assert unit(row) in usage[str(row.device_class)]
    assert state_class(row) == "total_increasing"
    assert is_measurement(path)
