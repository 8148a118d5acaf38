"""Spellings of units."""

from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS
import pytest

from custom_components.onenet_nbiot.lwm2m import is_unit, known_unit
from custom_components.onenet_nbiot.lwm2m.units import UNITS, normalize_unit

# What looks like a degree sign, and like a percent sign.
DEGREES = (
    "\N{DEGREE SIGN}\N{MASCULINE ORDINAL INDICATOR}\N{RING ABOVE}\N{RING OPERATOR}\N{WHITE BULLET}"
    "\N{MODIFIER LETTER SMALL O}\N{SUPERSCRIPT ZERO}\N{KATAKANA-HIRAGANA SEMI-VOICED SOUND MARK}"
)
PERCENTS = "%\N{FULLWIDTH PERCENT SIGN}\N{SMALL PERCENT SIGN}\N{ARABIC PERCENT SIGN}"


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
    for spelling, (unit, factor) in UNITS.items():
        if unit in units:
            left.setdefault(spelling.casefold(), set()).add((unit, factor))
    for unit in map(str, units):
        assert known_unit(unit, device_class) == (unit, 1)
        prefixed = unit[0] in "mM" and unit[1:] in every - {"in"}
        for text in (unit.upper(), unit.lower(), unit.swapcase(), unit.title(), unit[0].swapcase() + unit[1:]):
            # That may be the exact spelling of another unit.
            if (spelling := normalize_unit(text)) not in UNITS:
                # A capital mu, which looks like mega, leaves none.
                ambiguous = len(left.get(spelling.casefold(), ())) != 1 or (prefixed and text[0] != unit[0])
                assert (text, known_unit(text, device_class)) == (text, None if ambiguous else (unit, 1))
