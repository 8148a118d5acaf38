"""Units of measurement as devices spell them."""

import unicodedata

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS
from homeassistant.const import (
    DEGREE,
    LIGHT_LUX,
    REVOLUTIONS_PER_MINUTE,
    UnitOfConductivity,
    UnitOfDataRate,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfInformation,
    UnitOfLength,
    UnitOfMass,
    UnitOfPower,
    UnitOfPressure,
    UnitOfRatio,
    UnitOfSoundPressure,
    UnitOfTemperature,
    UnitOfTime,
)

# Look-alikes of the degree and percent signs, which NFKC normalization would not unify.
_LOOK_ALIKES = str.maketrans(
    {
        "\N{MASCULINE ORDINAL INDICATOR}": DEGREE,
        "\N{RING ABOVE}": DEGREE,
        "\N{RING OPERATOR}": DEGREE,
        "\N{WHITE BULLET}": DEGREE,
        "\N{MODIFIER LETTER SMALL O}": DEGREE,
        "\N{SUPERSCRIPT ZERO}": DEGREE,
        "\N{KATAKANA-HIRAGANA SEMI-VOICED SOUND MARK}": DEGREE,
        "\N{ARABIC PERCENT SIGN}": UnitOfRatio.PERCENTAGE,
    }
)
# UCUM writes [degF] and W.h; others write W*h and m^3.
_PUNCTUATION = str.maketrans(
    {
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{DIVISION SLASH}": "/",
        "\N{FRACTION SLASH}": "/",
        **dict.fromkeys("[]^*.\N{MIDDLE DOT}\N{DOT OPERATOR}\N{BULLET}\N{BULLET OPERATOR}"),
    }
)


def normalize_unit(text: str) -> str:
    """Return a unit with look-alike characters unified, and without blanks, punctuation and control characters."""
    plain = unicodedata.normalize("NFKC", text.translate(_LOOK_ALIKES)).translate(_PUNCTUATION)
    return "".join(character for character in plain if character.isprintable() and not character.isspace())


_PLACEHOLDER_CHARACTERS = "-_/?\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
_PLACEHOLDERS = {"nan", "null", "nil", "none", "n/a", "NA", "undefined", "unknown", "\N{CJK UNIFIED IDEOGRAPH-65E0}"}
_OHM = "\N{GREEK CAPITAL LETTER OMEGA}"
# Further spellings of units.
_ALIASES: dict[str, str] = {
    "/100": UnitOfRatio.PERCENTAGE,
    "%EL": UnitOfRatio.PERCENTAGE,
    "%RH": UnitOfRatio.PERCENTAGE,
    "RH%": UnitOfRatio.PERCENTAGE,
    "percent": UnitOfRatio.PERCENTAGE,
    "C": UnitOfTemperature.CELSIUS,
    "Cel": UnitOfTemperature.CELSIUS,
    "Celsius": UnitOfTemperature.CELSIUS,
    "degC": UnitOfTemperature.CELSIUS,
    "degree Celsius": UnitOfTemperature.CELSIUS,
    "degrees Celsius": UnitOfTemperature.CELSIUS,
    "F": UnitOfTemperature.FAHRENHEIT,
    "degF": UnitOfTemperature.FAHRENHEIT,
    "Fahrenheit": UnitOfTemperature.FAHRENHEIT,
    "ohm": _OHM,
    "ohms": _OHM,
    "kelvin": UnitOfTemperature.KELVIN,
    "deg": DEGREE,
    "degree": DEGREE,
    "degrees": DEGREE,
    "lux": LIGHT_LUX,
    "volt": UnitOfElectricPotential.VOLT,
    "volts": UnitOfElectricPotential.VOLT,
    "ampere": UnitOfElectricCurrent.AMPERE,
    "amperes": UnitOfElectricCurrent.AMPERE,
    "watt": UnitOfPower.WATT,
    "watts": UnitOfPower.WATT,
    "Cal": UnitOfEnergy.KILO_CALORIE,
    "meter": UnitOfLength.METERS,
    "meters": UnitOfLength.METERS,
    "metre": UnitOfLength.METERS,
    "ft_i": UnitOfLength.FEET,
    "in_i": UnitOfLength.INCHES,
    "hertz": UnitOfFrequency.HERTZ,
    "dB(A)": UnitOfSoundPressure.WEIGHTED_DECIBEL_A,
    "rpm": REVOLUTIONS_PER_MINUTE,
    "sec": UnitOfTime.SECONDS,
    "second": UnitOfTime.SECONDS,
    "seconds": UnitOfTime.SECONDS,
    "minute": UnitOfTime.MINUTES,
    "minutes": UnitOfTime.MINUTES,
    "hour": UnitOfTime.HOURS,
    "hours": UnitOfTime.HOURS,
    # The case of the b decides between bits and bytes.
    **{f"{prefix}b{per}": f"{prefix}bit{per}" for prefix in ("", "k", "M", "G") for per in ("", "/s")},
    "KB": UnitOfInformation.KILOBYTES,
    "KB/s": UnitOfDataRate.KILOBYTES_PER_SECOND,
    # Common in capitals, and no megabar or megameter then.
    "MBAR": UnitOfPressure.MBAR,
    "MM": UnitOfLength.MILLIMETERS,
}
# Units that Home Assistant lacks, as multiples of units that it has.
_MULTIPLES: dict[str, tuple[str, float]] = {
    "MPa": (UnitOfPressure.KPA, 1000),
    "S/m": (UnitOfConductivity.MILLISIEMENS_PER_CM, 10),
    "t": (UnitOfMass.KILOGRAMS, 1000),
}
# Further units that Home Assistant lacks. Most differ only in case from one that it has: S is siemens, s is second.
_OTHER_UNITS = ("G", "Gal", "H", "S", "T", "kN", "mS", "pA", _OHM, f"k{_OHM}", f"M{_OHM}", f"m{_OHM}")
_HOME_ASSISTANT_UNITS = {unit for units in DEVICE_CLASS_UNITS.values() for unit in units if isinstance(unit, str)}
# The unit and the factor that converts a value to it, by normalized spelling.
UNITS: dict[str, tuple[str | None, float]] = {
    normalize_unit(spelling): unit_and_factor
    for spelling, unit_and_factor in {
        **{unit: (unit, 1.0) for unit in (*_HOME_ASSISTANT_UNITS, *_OTHER_UNITS)},
        **{spelling: (unit, 1.0) for spelling, unit in _ALIASES.items()},
        **_MULTIPLES,
        # Home Assistant has a device class for pH, without a unit.
        "pH": (None, 1.0),
    }.items()
}
_SPELLINGS_BY_CASEFOLD: dict[str, list[str]] = {}
for _spelling in UNITS:
    _SPELLINGS_BY_CASEFOLD.setdefault(_spelling.casefold(), []).append(_spelling)
# Units with the prefix milli or mega, of which Home Assistant may have only one. "min" has no prefix.
_PREFIXED = {
    spelling
    for spelling in map(normalize_unit, _HOME_ASSISTANT_UNITS)
    if spelling != "min" and spelling[0] in "mM" and spelling[1:] in UNITS
}


def is_unit(text: str) -> bool:
    """Return whether a text is a unit, known or not, rather than a placeholder such as "N/A"."""
    spelling = normalize_unit(text)
    return spelling.strip(_PLACEHOLDER_CHARACTERS) != "" and _PLACEHOLDERS.isdisjoint((spelling, spelling.casefold()))


def known_unit(text: str, device_class: SensorDeviceClass | None) -> tuple[str | None, float] | None:
    """Return the unit of a text that a device class accepts, and the factor that converts a value to it.

    The exact spelling takes precedence. Another case is accepted if it matches one unit only, but "m" and "M" are
    always distinct as prefixes. Without a device class, any unit is accepted. Return None for an unknown or ambiguous
    unit; the unit of pH is None.
    """
    spelling = normalize_unit(text)
    accepted = None if device_class is None else DEVICE_CLASS_UNITS.get(device_class, ())
    candidates = {
        candidate: (unit, factor)
        for candidate in _SPELLINGS_BY_CASEFOLD.get(spelling.casefold(), ())
        for unit, factor in [UNITS[candidate]]
        if (unit is not None if accepted is None else unit in accepted)
    }
    if spelling in candidates:
        return candidates[spelling]
    if any(candidate[0] != spelling[0] for candidate in _PREFIXED.intersection(candidates)):
        return None
    matches = set(candidates.values())
    return matches.pop() if len(matches) == 1 else None
