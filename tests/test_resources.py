"""What the resources of a device are called and measured in."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.const import EntityCategory
import pytest

from custom_components.onenet_nbiot import resources
from custom_components.onenet_nbiot.onenet.models import Resource
from custom_components.onenet_nbiot.resources import (
    ResourceBinarySensorDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
    is_readable,
    known_unit,
    lwm2m_name,
    unit_resource,
)

INTEGRATION = Path(resources.__file__).parent
DESCRIBED = {path: describe(path) for path in (f"{obj_id}/0/{res_id}" for obj_id, res_id in resources._TABLE)}
SENSORS = [row for row in DESCRIBED.values() if isinstance(row, ResourceSensorDescription)]


def words(*, without_class: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the platform and the translation key of what is described."""
    for row in DESCRIBED.values():
        assert row.translation_key
        if not (without_class and row.device_class):
            yield "sensor" if isinstance(row, ResourceSensorDescription) else "binary_sensor", row.translation_key


def load(name: str) -> dict[str, Any]:
    """Return what a JSON file of the integration says of entities."""
    content: dict[str, Any] = json.loads((INTEGRATION / name).read_text())["entity"]
    return content


@pytest.mark.parametrize(
    ("path", "device_class", "unit"),
    [
        ("3200/0/5500", None, None),
        ("3301/0/5700", "illuminance", "lx"),
        ("3302/0/5500", "occupancy", None),
        ("3303/0/5700", "temperature", "°C"),
        ("3304/0/5700", "humidity", "%"),
        ("3305/0/5800", "power", "W"),
        ("3305/0/5805", "energy", "Wh"),
        ("3315/0/5700", "atmospheric_pressure", "Pa"),
        ("3316/0/5700", "voltage", "V"),
        ("3317/0/5700", "current", "A"),
        ("3318/0/5700", "frequency", "Hz"),
        # Home Assistant has no class for a percentage, or a concentration, of who knows what.
        ("3320/0/5700", None, "%"),
        ("3323/0/5700", "pressure", "Pa"),
        ("3324/0/5700", "sound_pressure", "dB"),
        ("3325/0/5700", None, "ppm"),
        ("3328/0/5700", "power", "W"),
        ("3330/0/5700", "distance", "m"),
        ("3331/0/5700", "energy", "Wh"),
        ("3/0/9", "battery", "%"),
        ("3/0/7", "voltage", "mV"),
        ("4/0/2", "signal_strength", "dBm"),
    ],
)
def test_what_devices_have_most_is_described(path: str, device_class: str | None, unit: str | None) -> None:
    """A person would see bare numbers, which no dashboard can convert or draw."""
    row = DESCRIBED[path]
    assert (row.key, row.device_class) == (path, device_class)
    assert row.translation_key
    assert getattr(row, "native_unit_of_measurement", None) == unit
    assert is_measurement(Resource.from_path(path))


@pytest.mark.parametrize("row", SENSORS, ids=lambda row: row.key)
def test_home_assistant_takes_every_unit_and_state_class(row: ResourceSensorDescription) -> None:
    """A person would find warnings in the log, and no statistics."""
    if row.device_class:
        assert row.native_unit_of_measurement in DEVICE_CLASS_UNITS[row.device_class]
        assert row.state_class in DEVICE_CLASS_STATE_CLASSES[row.device_class]
    # Home Assistant knows no other angle.
    if row.state_class is SensorStateClass.MEASUREMENT_ANGLE:
        assert row.native_unit_of_measurement == "°"


def test_meters_count_up_and_places_have_no_mean() -> None:
    """The energy dashboard would not offer a meter; statistics would tell where a device never was."""
    for path in ("3305/0/5805", "3305/0/5815", "3331/0/5700", "3200/0/5501"):
        assert getattr(DESCRIBED[path], "state_class", None) is SensorStateClass.TOTAL_INCREASING
    for path in ("6/0/0", "6/0/1"):
        assert getattr(DESCRIBED[path], "state_class", None) is None


@pytest.mark.parametrize("path", DESCRIBED)
def test_the_device_itself_is_diagnosed_apart_from_what_it_measures(path: str) -> None:
    """A dashboard would show the free memory next to the temperature, or hide the temperature."""
    category = EntityCategory.DIAGNOSTIC if path.startswith(("3/", "4/")) else None
    assert DESCRIBED[path].entity_category is category


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_described_resource_has_a_name_with_a_place_for_a_number(language: str) -> None:
    """A person would read keywords, or could not tell the second sensor from the first."""
    names = load(f"translations/{language}.json")
    for platform, word in words():
        name = names[platform][word]["name"]
        assert name.endswith("{number}")
        assert name.removesuffix("{number}") == name.removesuffix("{number}").strip() != ""


def test_what_has_no_device_class_has_an_icon() -> None:
    """A person would see an eye, as for anything."""
    icons = load("icons.json")
    for platform, word in words(without_class=True):
        assert icons[platform][word]["default"].startswith("mdi:")


def test_a_dashboard_tells_the_objects_of_one_device_apart() -> None:
    """A person would find two entities of one name, about two things."""
    objects: dict[tuple[str, str], set[str]] = {}
    for path, word in zip(DESCRIBED, words(), strict=True):
        objects.setdefault(word, set()).add(path.split("/", maxsplit=1)[0])
    # Of these a device has the one or the other: its place and its power factor are one thing.
    either = [{"6", "3336"}, {"6", "3321"}, {"3305", "3329"}]
    assert all(len(of) == 1 or of in either for of in objects.values())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("3303/0/5700", "Temperature Sensor Value"),
        ("3303/0/5602", "Temperature Max Measured Value"),
        ("3303/2/5602", "Temperature 2 Max Measured Value"),
        ("3/0/9", "Device Battery Level"),
        ("3/0/22", "Device ExtDevInfo"),
        ("4/0/13", "Connectivity Monitoring Coverage Enhancement Level"),
        ("5/0/13", "Firmware Update Maximum Defer Period"),
        ("1/0/23", "LwM2M Server Mute Send"),
        ("7/0/8", "Connectivity Statistics Collection Period"),
        ("3303/0/9999", "Temperature 9999"),
        ("3303/1/9999", "Temperature 1 9999"),
        ("3/0/5700", "Device 5700"),
        ("31024/0/1", "31024/0/1"),
    ],
)
def test_every_resource_has_a_name_that_a_person_can_look_up(path: str, name: str) -> None:
    """A person would look for numbers in the registry, or could not tell what nobody knows apart."""
    resource = Resource.from_path(path)
    assert lwm2m_name(resource) == name
    row = describe(resource.path)
    assert path in DESCRIBED or (row.key, row.name) == (path, name)


def test_an_instance_without_known_resources_has_a_name() -> None:
    """A person would see nothing of an object that the platform knows by its number only."""
    instance = Resource(obj_id=3303, obj_inst_id=1, res_id=None)
    assert lwm2m_name(instance) == "Temperature 1"
    assert lwm2m_name(Resource(obj_id=31024, obj_inst_id=1, res_id=None)) == "31024/1"
    assert not is_readable(instance)
    assert not is_measurement(instance)
    assert unit_resource(instance) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("3200/0/5502", ResourceBinarySensorDescription),
        ("3201/0/5551", ResourceBinarySensorDescription),
        ("3340/0/5543", ResourceBinarySensorDescription),
        ("3303/0/5601", ResourceSensorDescription),
        ("3303/0/5701", ResourceSensorDescription),
        # Nobody knows what it is there.
        ("31024/0/5500", ResourceSensorDescription),
    ],
)
def test_other_resources_are_plain(path: str, kind: type) -> None:
    """A person would see true and false as texts, or a device's lower limit among its measurements."""
    resource = Resource.from_path(path)
    row = describe(resource.path)
    assert isinstance(row, kind)
    assert (row.key, row.name) == (path, lwm2m_name(resource))
    assert (row.device_class, row.entity_category, row.translation_key) == (None, None, None)
    assert not is_measurement(resource)


@pytest.mark.parametrize(
    "path",
    [
        *("0/0/5", "1/0/4", "1/0/8", "3/0/4", "3/0/5", "3/0/12", "5/0/0", "5/0/2", "5/0/10", "7/0/6", "7/0/7"),
        *("3200/0/5505", "3302/0/5505", "3340/0/5523", "3341/0/5530", "3303/0/5605", "3305/0/5822", "3349/0/5911"),
        *("3305/0/5806", "3305/0/5816"),
    ],
)
def test_what_is_executed_or_only_written_is_not_read(path: str) -> None:
    """A sleeping device would be woken for reads that it has to refuse."""
    assert not is_readable(Resource.from_path(path))


@pytest.mark.parametrize("path", [*DESCRIBED, "3/0/0", "1/0/1", "5/0/3", "3303/0/5601", "3303/0/5701", "31024/0/4"])
def test_everything_else_is_read(path: str) -> None:
    """A person would miss values that the device has."""
    assert is_readable(Resource.from_path(path))


@pytest.mark.parametrize(
    "path", ["3202/1/5600", "3303/1/5700", "3303/1/5601", "3303/1/5604", "3308/1/5900", "3313/1/5702", "3314/1/5513"]
)
def test_the_unit_of_a_measured_value_is_asked_for(path: str) -> None:
    """A thermometer's degrees Fahrenheit would be shown as degrees Celsius."""
    resource = Resource.from_path(path)
    assert unit_resource(resource) == Resource(obj_id=resource.obj_id, obj_inst_id=1, res_id=5701)


@pytest.mark.parametrize("path", ["3305/0/5800", "3305/0/5805", "3303/0/5701", "3303/0/5750", "3/0/9", "31024/0/5700"])
def test_the_unit_of_anything_else_is_not_asked_for(path: str) -> None:
    """A device would be asked for what it does not have, or its unit taken for that of another value."""
    assert unit_resource(Resource.from_path(path)) is None


@pytest.mark.parametrize(
    ("text", "device_class", "unit"),
    [
        *((text, "temperature", "°C") for text in ("Cel", "C", "degC", "°C", "℃", "celsius", "Celsius", " ° C ")),
        *((text, "temperature", "°F") for text in ("F", "degF", "[degF]", "°F", "℉")),
        ("K", "temperature", "K"),
        *((text, "humidity", "%") for text in ("%", "%RH", "% RH", "\uff05", "/100")),
        *((text, "illuminance", "lx") for text in ("lx", "lux", "Lux")),
        *((text, text_class, "hPa") for text in ("hPa", "HPA") for text_class in ("pressure", "atmospheric_pressure")),
        ("Pa", "pressure", "Pa"),
        ("kPa", "pressure", "kPa"),
        ("KPa", "pressure", "kPa"),
        ("mbar", "pressure", "mbar"),
        ("bar", "pressure", "bar"),
        ("[psi]", "pressure", "psi"),
        ("mm[Hg]", "pressure", "mmHg"),
        ("V", "voltage", "V"),
        ("mV", "voltage", "mV"),
        ("MV", "voltage", "MV"),
        ("kV", "voltage", "kV"),
        ("uV", "voltage", "μV"),
        ("A", "current", "A"),
        ("mA", "current", "mA"),
        ("µA", "current", "μA"),
        ("W", "power", "W"),
        ("mW", "power", "mW"),
        ("MW", "power", "MW"),
        ("kW", "power", "kW"),
        ("Wh", "energy", "Wh"),
        ("W.h", "energy", "Wh"),
        ("W*h", "energy", "Wh"),
        ("kWh", "energy", "kWh"),
        ("kW·h", "energy", "kWh"),
        ("KWH", "energy", "kWh"),
        ("MWh", "energy", "MWh"),
        ("mWh", "energy", "mWh"),
        ("J", "energy", "J"),
        ("GJ", "energy", "GJ"),
        ("m", "distance", "m"),
        ("cm", "distance", "cm"),
        ("[ft_i]", "distance", "ft"),
        ("[in_i]", "distance", "in"),
        ("Hz", "frequency", "Hz"),
        ("MHz", "frequency", "MHz"),
        ("mHz", "frequency", "mHz"),
        ("dB", "sound_pressure", "dB"),
        *((text, "sound_pressure", "dBA") for text in ("dBA", "dB(A)", "dB (A)")),
        ("ppm", None, "ppm"),
        ("[ppb]", None, "ppb"),
        *((text, None, "μg/m³") for text in ("ug/m3", "µg/m3", "μg/m³", "ug/m^3")),
        ("mg/m3", None, "mg/m³"),
        ("g/m3", None, "g/m³"),
        ("S/cm", "conductivity", "S/cm"),
        ("uS/cm", "conductivity", "μS/cm"),
        ("kg", "weight", "kg"),
        ("g", "weight", "g"),
        ("var", "reactive_power", "var"),
        ("VAr", "reactive_power", "var"),
        ("kvarh", "reactive_energy", "kvarh"),
        ("dBm", "signal_strength", "dBm"),
        ("s", None, "s"),
        ("min", None, "min"),
        ("h", None, "h"),
        ("deg", None, "°"),
        ("m/s", None, "m/s"),
        ("m3", None, "m³"),
        ("r.p.m.", None, "rpm"),
        ("L/min", None, "L/min"),
    ],
)
def test_a_unit_is_known_however_a_device_spells_it(text: str, device_class: str | None, unit: str) -> None:
    """A value would be shown in a unit that it is not in."""
    assert known_unit(text, None if device_class is None else SensorDeviceClass(device_class)) == (unit, 1)


@pytest.mark.parametrize(
    ("text", "device_class"),
    [
        ("MPA", "pressure"),
        ("KV A", "voltage"),
        ("Cel", "humidity"),
        ("%", "temperature"),
        ("pH", "ph"),
        ("", None),
        ("smoots", None),
    ],
)
def test_a_unit_that_is_none_is_not_guessed(text: str, device_class: str | None) -> None:
    """A pressure would be shown a thousand million times too low."""
    assert known_unit(text, None if device_class is None else SensorDeviceClass(device_class)) is None


@pytest.mark.parametrize(
    ("text", "device_class", "known"),
    [
        ("MPa", "pressure", ("kPa", 1000)),
        ("mPa", "pressure", ("mPa", 1)),
        ("S/m", "conductivity", ("mS/cm", 10)),
        ("t", "weight", ("kg", 1000)),
    ],
)
def test_a_unit_that_home_assistant_lacks_is_told_in_another(
    text: str, device_class: str, known: tuple[str, float]
) -> None:
    """The pressure of a water meter would be shown without a class, or a thousand million times too low."""
    assert known_unit(text, SensorDeviceClass(device_class)) == known


def test_home_assistants_own_units_are_known() -> None:
    """A device that spells a unit as Home Assistant does would not be understood."""
    for device_class, units in DEVICE_CLASS_UNITS.items():
        for unit in units - {None}:
            assert known_unit(str(unit), device_class) == (unit, 1)
