"""Names, units and entity descriptions of resources."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.const import EntityCategory
import pytest

from custom_components.onenet_nbiot import resources
from custom_components.onenet_nbiot.const import ATTR_MEASURED_AT
from custom_components.onenet_nbiot.onenet.models import Resource
from custom_components.onenet_nbiot.resources import (
    ResourceBinarySensorDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
    is_readable,
    is_unit,
    known_unit,
    lwm2m_name,
    unit_resource,
)
from custom_components.onenet_nbiot.sensor import ATTR_FULL_VALUE

INTEGRATION = Path(resources.__file__).parent
DESCRIBED = {path: describe(path) for path in (f"{obj_id}/0/{res_id}" for obj_id, res_id in resources._TABLE)}
# What looks like a degree sign, and like a percent sign.
DEGREES = (
    "\N{DEGREE SIGN}\N{MASCULINE ORDINAL INDICATOR}\N{RING ABOVE}\N{RING OPERATOR}\N{WHITE BULLET}"
    "\N{MODIFIER LETTER SMALL O}\N{SUPERSCRIPT ZERO}\N{KATAKANA-HIRAGANA SEMI-VOICED SOUND MARK}"
)
PERCENTS = "%\N{FULLWIDTH PERCENT SIGN}\N{SMALL PERCENT SIGN}\N{ARABIC PERCENT SIGN}"
SENSORS = [row for row in DESCRIBED.values() if isinstance(row, ResourceSensorDescription)]


def words(*, without_class: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the platform and the translation key of every measurement."""
    for row in DESCRIBED.values():
        assert row.translation_key
        if not (without_class and row.device_class):
            yield "sensor" if isinstance(row, ResourceSensorDescription) else "binary_sensor", row.translation_key


def load(name: str) -> dict[str, Any]:
    """Return the section about entities of a JSON file of the integration."""
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
        # Home Assistant has no device class for percentages or concentrations in general.
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
def test_a_common_measurement_has_its_device_class_and_unit(
    path: str, device_class: str | None, unit: str | None
) -> None:
    """A measurement has the device class and the unit that suit it."""
    row = DESCRIBED[path]
    assert (row.key, row.device_class) == (path, device_class)
    assert row.translation_key
    assert getattr(row, "native_unit_of_measurement", None) == unit
    assert is_measurement(Resource.from_path(path))


@pytest.mark.parametrize("row", SENSORS, ids=lambda row: row.key)
def test_the_unit_and_the_state_class_of_a_measurement_fit_its_device_class(row: ResourceSensorDescription) -> None:
    """Home Assistant accepts the unit and the state class together with the device class."""
    if row.device_class:
        assert row.native_unit_of_measurement in DEVICE_CLASS_UNITS[row.device_class]
        assert row.state_class in DEVICE_CLASS_STATE_CLASSES[row.device_class]
    # Home Assistant accepts no other angle.
    if row.state_class is SensorStateClass.MEASUREMENT_ANGLE:
        assert row.native_unit_of_measurement == "°"


def test_meters_are_totals_and_coordinates_have_no_statistics() -> None:
    """A meter only increases, and the mean of coordinates is meaningless."""
    for path in ("3305/0/5805", "3305/0/5815", "3331/0/5700", "3200/0/5501"):
        assert getattr(DESCRIBED[path], "state_class", None) is SensorStateClass.TOTAL_INCREASING
    for path in ("6/0/0", "6/0/1", "3336/0/5513", "3336/0/5514"):
        assert getattr(DESCRIBED[path], "state_class", None) is None


@pytest.mark.parametrize("path", DESCRIBED)
def test_resources_about_the_device_itself_are_diagnostic(path: str) -> None:
    """Only the resources of the objects 3 and 4 are diagnostic."""
    category = EntityCategory.DIAGNOSTIC if path.startswith(("3/", "4/")) else None
    assert DESCRIBED[path].entity_category is category


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_measurement_has_a_name_that_ends_with_the_instance(language: str) -> None:
    """A name ends with the placeholder for the object instance."""
    names = load(f"translations/{language}.json")
    for platform, word in words():
        name = names[platform][word]["name"]
        assert name.endswith("{number}")
        assert name.removesuffix("{number}") == name.removesuffix("{number}").strip() != ""


def test_a_measurement_without_a_device_class_has_an_icon() -> None:
    """Without a device class, the icon is the integration's."""
    icons = load("icons.json")
    for platform, word in words(without_class=True):
        assert icons[platform][word]["default"].startswith("mdi:")


def test_different_objects_have_different_names() -> None:
    """Two objects share a name only where a device has one or the other."""
    objects: dict[tuple[str, str], set[str]] = {}
    for path, word in zip(DESCRIBED, words(), strict=True):
        objects.setdefault(word, set()).add(path.split("/", maxsplit=1)[0])
    either = [{"6", "3336"}, {"6", "3321", "3336"}, {"3305", "3329"}]
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
        # OneNET's meaning, not the registry's.
        ("3336/0/5513", "Location Latitude"),
        ("3336/1/5514", "Location 1 Longitude"),
        ("3336/0/5515", "Location Altitude"),
        ("3313/0/5513", "Accelerometer Max Z Value"),
    ],
)
def test_every_resource_has_the_name_of_the_registry_or_of_onenet(path: str, name: str) -> None:
    """What has no name has its ids instead."""
    resource = Resource.from_path(path)
    assert lwm2m_name(resource) == name
    row = describe(resource.path)
    assert is_measurement(resource) or (row.key, row.name) == (path, name)


def test_an_instance_without_a_resource_has_a_name_and_cannot_be_read() -> None:
    """An object instance of which OneNET lists no resources has a name, but neither a value nor a unit."""
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
        # Outside the IPSO objects the ids have other meanings.
        ("31024/0/5500", ResourceSensorDescription),
        # Bytes or texts at OneNET.
        *((path, ResourceSensorDescription) for path in ("3200/0/5505", "3202/0/5605", "3311/0/5750", "3338/0/5548")),
        *((path, ResourceSensorDescription) for path in ("3316/0/5821", "3322/0/5821")),
        *((f"3310/0/{res_id}", ResourceSensorDescription) for res_id in range(5824, 5829)),
        # Executed or secret.
        *((path, ResourceSensorDescription) for path in ("0/0/5", "3/0/4", "5/0/0", "3/0/12")),
    ],
)
def test_any_other_resource_is_a_plain_entity(path: str, kind: type) -> None:
    """A resource that is not a measurement has only a name, whatever its operations are."""
    resource = Resource.from_path(path)
    row = describe(resource.path)
    assert isinstance(row, kind)
    assert (row.key, row.name) == (path, lwm2m_name(resource))
    assert (row.device_class, row.entity_category) == (None, None)
    if isinstance(row, ResourceSensorDescription):
        assert (row.native_unit_of_measurement, row.state_class) == (None, None)
    assert not is_measurement(resource)


def test_every_id_can_be_described() -> None:
    """Every object with every resource id has a description and a name."""
    objects = [*resources._CORE, *resources._IPSO, 19, 3424, 65535]
    ids = [*range(40), *resources._RESOURCES, *resources._SHARED_UNREADABLE, 65535]
    for path in (f"{obj_id}/2/{res_id}" for obj_id in objects for res_id in ids):
        row = describe(path)
        assert row.key == path
        assert row.name or row.translation_key


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_attributes_of_a_plain_sensor_have_names(language: str) -> None:
    """Plain sensors share the key of the names of their attributes, and have no translated name."""
    texts = load(f"translations/{language}.json")["sensor"][describe("3/0/0").translation_key]
    assert set(texts) == {"state_attributes"}
    assert set(texts["state_attributes"]) == {ATTR_MEASURED_AT, ATTR_FULL_VALUE}
    assert all(attribute["name"] for attribute in texts["state_attributes"].values())


@pytest.mark.parametrize(
    "path",
    [
        *("0/0/5", "1/0/4", "1/0/8", "3/0/4", "3/0/5", "3/0/12", "5/0/0", "5/0/2", "5/0/10", "7/0/6", "7/0/7"),
        *("3200/0/5505", "3302/0/5505", "3340/0/5523", "3341/0/5530", "3303/0/5605", "3305/0/5822", "3349/0/5911"),
        *("3305/0/5806", "3305/0/5816"),
        # Only OneNET says so.
        "3312/0/5851",
    ],
)
def test_an_executed_or_written_resource_is_not_readable(path: str) -> None:
    """A resource that is only executed or written is left out of OneNET's resource list."""
    assert not is_readable(Resource.from_path(path))


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in DESCRIBED if path != "3312/0/5851"),
        *("3/0/0", "1/0/1", "5/0/3", "3303/0/5601", "3303/0/5701", "3311/0/5851", "3338/0/5548", "31024/0/4"),
    ],
)
def test_any_other_resource_is_readable(path: str) -> None:
    """Measurements, texts and resources of unknown objects are readable."""
    assert is_readable(Resource.from_path(path))


@pytest.mark.parametrize(
    "path",
    [
        *("3202/1/5600", "3303/1/5700", "3303/1/5601", "3303/1/5604", "3308/1/5900", "3313/1/5702", "3314/1/5513"),
        # At OneNET.
        "3331/1/5805",
    ],
)
def test_the_unit_of_a_measured_value_is_in_5701(path: str) -> None:
    """The unit is in resource 5701 of the same instance."""
    resource = Resource.from_path(path)
    assert unit_resource(resource) == Resource(obj_id=resource.obj_id, obj_inst_id=1, res_id=5701)
    assert describe(path).unit_path == f"{resource.obj_id}/1/5701"


@pytest.mark.parametrize(
    "path",
    [
        *("3305/0/5800", "3305/0/5805", "3303/0/5701", "3303/0/5750", "3/0/9", "31024/0/5700"),
        *("3336/0/5513", "3336/0/5514", "3336/0/5515"),
    ],
)
def test_any_other_resource_has_no_unit_in_5701(path: str) -> None:
    """A value that is not in the unit of 5701 has no unit resource."""
    assert unit_resource(Resource.from_path(path)) is None
    assert describe(path).unit_path == ""


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
def test_a_unit_is_known_in_every_common_spelling(text: str, device_class: str | None, unit: str) -> None:
    """A spelling of a unit is recognized."""
    assert known_unit(text, None if device_class is None else SensorDeviceClass(device_class)) == (unit, 1)


@pytest.mark.parametrize(
    ("text", "device_class", "unit"),
    [
        *((f"{degree}C", "temperature", "°C") for degree in DEGREES),
        *((f"{degree} F", "temperature", "°F") for degree in DEGREES),
        *((degree, None, "°") for degree in DEGREES),
        ("\N{DEGREE CELSIUS}", "temperature", "°C"),
        ("\N{DEGREE FAHRENHEIT}", "temperature", "°F"),
        ("\N{KELVIN SIGN}", "temperature", "K"),
        *((text, None, "m³") for text in ("\N{SQUARE M CUBED}", "m\N{SUPERSCRIPT THREE}", "m3", "M3", "m^3")),
        *((f"{micro}g/m3", None, "μg/m³") for micro in ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}", "u", "U")),
        ("\N{SQUARE MU G}/m\N{SUPERSCRIPT THREE}", None, "μg/m³"),
        *((f"{ohm}", None, "Ω") for ohm in ("\N{OHM SIGN}", "\N{GREEK CAPITAL LETTER OMEGA}", "ohm", "Ohms")),
        *((text, None, "kΩ") for text in ("k\N{OHM SIGN}", "K\N{GREEK CAPITAL LETTER OMEGA}", "\N{SQUARE K OHM}")),
        ("M\N{OHM SIGN}", None, "MΩ"),
        ("m\N{OHM SIGN}", None, "mΩ"),
        *((f"{percent}", "humidity", "%") for percent in PERCENTS),
        *((f"{percent} RH", "humidity", "%") for percent in PERCENTS),
        ("m\N{DIVISION SLASH}s", None, "m/s"),
        ("\N{SQUARE M OVER S}", None, "m/s"),
        ("\N{FULLWIDTH LATIN SMALL LETTER K}Wh", "energy", "kWh"),
        ("\N{ZERO WIDTH SPACE}Cel\x00", "temperature", "°C"),
        # In another case.
        *((text, "pressure", "mbar") for text in ("mBar", "mbar", "MBAR", "mBAR")),
        *((text, "energy", "kWh") for text in ("KWH", "kwh", "Kwh", "KWh")),
        ("LUX", "illuminance", "lx"),
        ("LX", "illuminance", "lx"),
        ("PPM", None, "ppm"),
        ("mhz", "wind_speed", None),
        ("DB", "sound_pressure", "dB"),
        ("MM", "distance", "mm"),
        ("KB", None, "kB"),
        ("ml", None, "mL"),
        ("l/H", None, "L/h"),
        # Both exist.
        ("Mb", None, "Mbit"),
        ("MB", None, "MB"),
        ("kb/s", None, "kbit/s"),
        ("kB/s", None, "kB/s"),
        ("cal", "energy", "cal"),
        ("Cal", "energy", "kcal"),
        ("S", None, "S"),
        ("s", None, "s"),
        ("S", "duration", "s"),
        ("mS", None, "mS"),
        ("ms", None, "ms"),
        ("T", None, "T"),
        ("G", None, "G"),
        ("G", "weight", "g"),
        ("kN", None, "kN"),
        ("kn", None, "kn"),
    ],
)
def test_a_unit_with_look_alikes_or_in_another_case_is_known_where_one_is_left(
    text: str, device_class: str | None, unit: str | None
) -> None:
    """Look-alike characters and the case do not matter where they leave one unit."""
    known = known_unit(text, None if device_class is None else SensorDeviceClass(device_class))
    assert known == (None if unit is None else (unit, 1))


@pytest.mark.parametrize(
    ("text", "device_class"),
    [
        # Both exist, in other spellings.
        *((text, "power") for text in ("Mw", "mw")),
        *((text, "energy") for text in ("mwh", "MWH", "Mwh")),
        *((text, "frequency") for text in ("mhz", "MHZ", "Mhz")),
        *((text, "voltage") for text in ("Mv", "mv")),
        *((text, "pressure") for text in ("MPA", "mpa")),
        # Milli or mega, of which Home Assistant has the other one.
        ("mJ", "energy"),
        ("MVA", "apparent_power"),
        *((text, "reactive_power") for text in ("Mvar", "MVAR", "MVAr")),
        ("MA", "current"),
        ("Mbar", "pressure"),
        ("Mm", "distance"),
        *((text, None) for text in ("ML", "Ml", "MG", "MS", "mb", "KN", "GAL")),
        # Of another device class.
        ("KV A", "voltage"),
        ("Cel", "humidity"),
        ("%", "temperature"),
        ("pH", "humidity"),
        # Not a unit of Home Assistant's.
        ("pH", None),
        ("", None),
        ("smoots", None),
    ],
)
def test_an_ambiguous_or_unknown_unit_is_not_guessed(text: str, device_class: str | None) -> None:
    """A unit that could be two, or none, of the device class is unknown."""
    assert known_unit(text, None if device_class is None else SensorDeviceClass(device_class)) is None


@pytest.mark.parametrize(
    ("text", "device_class", "known"),
    [
        ("MPa", "pressure", ("kPa", 1000)),
        ("mPa", "pressure", ("mPa", 1)),
        ("S/m", "conductivity", ("mS/cm", 10)),
        ("t", "weight", ("kg", 1000)),
        ("T", "weight", ("kg", 1000)),
    ],
)
def test_a_unit_that_home_assistant_lacks_is_converted(text: str, device_class: str, known: tuple[str, float]) -> None:
    """A value in a unit that Home Assistant lacks is converted to one that it has."""
    assert known_unit(text, SensorDeviceClass(device_class)) == known


@pytest.mark.parametrize("text", ["pH", "PH", "ph", "[pH]", "\N{SQUARE PH}"])
def test_the_unit_of_ph_fits_its_device_class(text: str) -> None:
    """The device class of pH has no unit, and accepts "pH"."""
    assert is_unit(text)
    assert known_unit(text, SensorDeviceClass.PH) == (None, 1)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\x00", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "_", "/", "?", "."),
        *(
            "NaN",
            "nan",
            "NAN",
            "null",
            "NULL",
            "nil",
            "none",
            "None",
            " none ",
            "N/A",
            "n/a",
            "NA",
            "N.A.",
            "undefined",
        ),
    ],
    ids=repr,
)
def test_a_placeholder_is_not_a_unit(text: str) -> None:
    """A placeholder is neither a unit nor known."""
    assert not is_unit(text)
    assert known_unit(text, None) is None


@pytest.mark.parametrize("text", ["Cel", "%", "°", "pH", "nA", "1", "smoots", "/min", "\N{PER MILLE SIGN}"])
def test_anything_else_is_a_unit(text: str) -> None:
    """A text that is not a placeholder is a unit, known or not."""
    assert is_unit(text)


@pytest.mark.parametrize("device_class", [device_class for device_class, units in DEVICE_CLASS_UNITS.items() if units])
def test_the_case_of_a_unit_is_ignored_where_that_leaves_one(device_class: SensorDeviceClass) -> None:
    """Each unit of Home Assistant's is known as it is, and in another case unless two units are left."""
    every = {str(unit) for units in DEVICE_CLASS_UNITS.values() for unit in units}
    units = DEVICE_CLASS_UNITS[device_class] - {None}
    left: dict[str, set[Any]] = {}
    for spelling, (unit, factor) in resources._READINGS.items():
        if unit in units:
            left.setdefault(spelling.casefold(), set()).add((unit, factor))
    for unit in map(str, units):
        assert known_unit(unit, device_class) == (unit, 1)
        prefixed = unit[0] in "mM" and unit[1:] in every - {"in"}
        for text in (unit.upper(), unit.lower(), unit.swapcase(), unit.title(), unit[0].swapcase() + unit[1:]):
            # That may be the exact spelling of another unit.
            if (spelling := resources._spelling(text)) not in resources._READINGS:
                # A capital mu, which looks like mega, leaves none.
                ambiguous = len(left.get(spelling.casefold(), ())) != 1 or (prefixed and text[0] != unit[0])
                assert (text, known_unit(text, device_class)) == (text, None if ambiguous else (unit, 1))
