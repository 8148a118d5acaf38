"""Names, units and entity descriptions of LwM2M resources.

Source: the OMA LwM2M registry, which lists the core objects, the IPSO objects and the reusable resources. Where OneNET
deviates from the registry, OneNET's meaning is used.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
import unicodedata

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass,
    BinarySensorEntityDescription,
)
from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS
from homeassistant.const import (
    DEGREE,
    LIGHT_LUX,
    REVOLUTIONS_PER_MINUTE,
    SIGNAL_STRENGTH_DECIBELS,
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
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
    UnitOfReactiveEnergy,
    UnitOfReactivePower,
    UnitOfSoundPressure,
    UnitOfSpeed,
    UnitOfTemperature,
    UnitOfTime,
)
from homeassistant.helpers.entity import EntityDescription

from .onenet.models import Resource


@dataclass(frozen=True, kw_only=True)
class ResourceDescription(EntityDescription):
    """Describe the entity of a resource; the `key` is the path of the resource.

    `unit_path` is the path of the resource that holds the unit, empty without one. `number` is the suffix of the
    name: the object instance, empty for instance 0.
    """

    unit_path: str = ""
    number: str = ""


@dataclass(frozen=True, kw_only=True)
class ResourceSensorDescription(SensorEntityDescription, ResourceDescription):
    """Describe the sensor of a number or a text."""


@dataclass(frozen=True, kw_only=True)
class ResourceBinarySensorDescription(BinarySensorEntityDescription, ResourceDescription):
    """Describe the binary sensor of a Boolean."""


# The translation key of the sensors that have the registry's name.
KEY_RESOURCE = "resource"

type Description = ResourceSensorDescription | ResourceBinarySensorDescription

# The core objects with the names of their resources, in the order of the resource ids.
_CORE = {
    0: ("LwM2M Security", ()),
    1: (
        "LwM2M Server",
        (
            "Short Server ID",
            "Lifetime",
            "Default Minimum Period",
            "Default Maximum Period",
            "Disable",
            "Disable Timeout",
            "Notification Storing When Disabled or Offline",
            "Binding",
            "Registration Update Trigger",
            "Bootstrap-Request Trigger",
            "APN Link",
            "TLS-DTLS Alert Code",
            "Last Bootstrapped",
            "Registration Priority Order",
            "Initial Registration Delay Timer",
            "Registration Failure Block",
            "Bootstrap on Registration Failure",
            "Communication Retry Count",
            "Communication Retry Timer",
            "Communication Sequence Delay Timer",
            "Communication Sequence Retry Count",
            "Trigger",
            "Preferred Transport",
            "Mute Send",
        ),
    ),
    2: ("LwM2M Access Control", ("Object ID", "Object Instance ID", "ACL", "Access Control Owner")),
    3: (
        "Device",
        (
            "Manufacturer",
            "Model Number",
            "Serial Number",
            "Firmware Version",
            "Reboot",
            "Factory Reset",
            "Available Power Sources",
            "Power Source Voltage",
            "Power Source Current",
            "Battery Level",
            "Memory Free",
            "Error Code",
            "Reset Error Code",
            "Current Time",
            "UTC Offset",
            "Timezone",
            "Supported Binding and Modes",
            "Device Type",
            "Hardware Version",
            "Software Version",
            "Battery Status",
            "Memory Total",
            "ExtDevInfo",
        ),
    ),
    4: (
        "Connectivity Monitoring",
        (
            "Network Bearer",
            "Available Network Bearer",
            "Radio Signal Strength",
            "Link Quality",
            "IP Addresses",
            "Router IP Addresses",
            "Link Utilization",
            "APN",
            "Cell ID",
            "SMNC",
            "SMCC",
            "SignalSNR",
            "LAC",
            "Coverage Enhancement Level",
        ),
    ),
    5: (
        "Firmware Update",
        (
            "Package",
            "Package URI",
            "Update",
            "State",
            "Update Supported Objects",
            "Update Result",
            "PkgName",
            "PkgVersion",
            "Firmware Update Protocol Support",
            "Firmware Update Delivery Method",
            "Cancel",
            "Severity",
            "Last State Change Time",
            "Maximum Defer Period",
        ),
    ),
    6: ("Location", ("Latitude", "Longitude", "Altitude", "Radius", "Velocity", "Timestamp", "Speed")),
    7: (
        "Connectivity Statistics",
        (
            "SMS Tx Counter",
            "SMS Rx Counter",
            "Tx Data",
            "Rx Data",
            "Max Message Size",
            "Average Message Size",
            "Start",
            "Stop",
            "Collection Period",
        ),
    ),
}
_IPSO = {
    3200: "Digital Input",
    3201: "Digital Output",
    3202: "Analog Input",
    3203: "Analog Output",
    3300: "Generic Sensor",
    3301: "Illuminance",
    3302: "Presence",
    3303: "Temperature",
    3304: "Humidity",
    3305: "Power Measurement",
    3306: "Actuation",
    3308: "Set Point",
    3310: "Load Control",
    3311: "Light Control",
    3312: "Power Control",
    3313: "Accelerometer",
    3314: "Magnetometer",
    3315: "Barometer",
    3316: "Voltage",
    3317: "Current",
    3318: "Frequency",
    3319: "Depth",
    3320: "Percentage",
    3321: "Altitude",
    3322: "Load",
    3323: "Pressure",
    3324: "Loudness",
    3325: "Concentration",
    3326: "Acidity",
    3327: "Conductivity",
    3328: "Power",
    3329: "Power Factor",
    3330: "Distance",
    3331: "Energy",
    3332: "Direction",
    3333: "Time",
    3334: "Gyrometer",
    3335: "Colour",
    3336: "Location",
    3337: "Positioner",
    3338: "Buzzer",
    3339: "Audio Clip",
    3340: "Timer",
    3341: "Addressable Text Display",
    3342: "On/Off switch",
    3343: "Dimmer",
    3344: "Up/Down Control",
    3345: "Multiple Axis Joystick",
    3346: "Rate",
    3347: "Push button",
    3348: "Multi-state Selector",
    3349: "Bitmap",
    3350: "Stopwatch",
}
# The reusable resources of the IPSO objects.
_RESOURCES = {
    5500: "Digital Input State",
    5501: "Digital Input Counter",
    5502: "Digital Input Polarity",
    5503: "Digital Input Debounce",
    5504: "Digital Input Edge Selection",
    5505: "Digital Input Counter Reset",
    5506: "Current Time",
    5507: "Fractional Time",
    5508: "Min X Value",
    5509: "Max X Value",
    5510: "Min Y Value",
    5511: "Max Y Value",
    5512: "Min Z Value",
    5513: "Max Z Value",
    5514: "Latitude",
    5515: "Longitude",
    5516: "Uncertainty",
    5517: "Velocity",
    5518: "Timestamp",
    5519: "Min Limit",
    5520: "Max Limit",
    5521: "Delay Duration",
    5522: "Clip",
    5523: "Trigger",
    5524: "Duration",
    5525: "Minimum Off-time",
    5526: "Timer Mode",
    5527: "Text",
    5528: "X Coordinate",
    5529: "Y Coordinate",
    5530: "Clear Display",
    5531: "Contrast",
    5532: "Increase Input State",
    5533: "Decrease Input State",
    5534: "Counter",
    5535: "Calibration Offset",
    5536: "Current Position",
    5537: "Transition Time",
    5538: "Remaining Time",
    5541: "Up Counter",
    5542: "Down Counter",
    5543: "Digital State",
    5544: "Cumulative Time",
    5545: "Max X Coordinate",
    5546: "Max Y Coordinate",
    5547: "Multi-state Input",
    5548: "Level",
    5550: "Digital Output State",
    5551: "Digital Output Polarity",
    5600: "Analog Input Current Value",
    5601: "Min Measured Value",
    5602: "Max Measured Value",
    5603: "Min Range Value",
    5604: "Max Range Value",
    5605: "Reset Min and Max Measured Values",
    5650: "Analog Output Current Value",
    5700: "Sensor Value",
    5701: "Sensor Units",
    5702: "X Value",
    5703: "Y Value",
    5704: "Z Value",
    5705: "Compass Direction",
    5706: "Colour",
    5750: "Application Type",
    5751: "Sensor Type",
    5800: "Instantaneous active power",
    5801: "Min Measured active power",
    5802: "Max Measured active power",
    5803: "Min Range active power",
    5804: "Max Range active power",
    5805: "Cumulative active power",
    5806: "Active Power Calibration",
    5810: "Instantaneous reactive power",
    5811: "Min Measured reactive power",
    5812: "Max Measured reactive power",
    5813: "Min Range reactive power",
    5814: "Max Range reactive power",
    5815: "Cumulative reactive power",
    5816: "Reactive Power Calibration",
    5820: "Power factor",
    5821: "Current Calibration",
    5822: "Reset Cumulative energy",
    5823: "Event Identifier",
    5824: "Start Time",
    5825: "Duration In Min",
    5826: "Criticality Level",
    5827: "Avg Load AdjPct",
    5828: "Duty Cycle",
    5850: "On/Off",
    5851: "Dimmer",
    5852: "On time",
    5853: "Multi-state Output",
    5854: "Off Time",
    5900: "Set Point Value",
    5903: "Busy to Clear delay",
    5904: "Clear to Busy delay",
    5910: "Bitmap Input",
    5911: "Bitmap Input Reset",
    5912: "Element Description",
    6042: "Measurement Quality Indicator",
    6049: "Measurement Quality Level",
    6050: "Fractional Timestamp",
}
# OneNET's resources that the registry lacks, or has with another meaning.
_ONENET_NAMES = {(3336, 5513): "Latitude", (3336, 5514): "Longitude", (3336, 5515): "Altitude"}
_BOOLEAN = {5500, 5502, 5532, 5533, 5543, 5550, 5551, 5850}
# Resources that are only executed or written: reusable ones, which every object has with the same id, and others.
_SHARED_UNREADABLE = {4011, 4012, 5505, 5523, 5530, 5605, 5806, 5816, 5822, 5911, 6008, 6010, 6022, 6026, 6027}
_UNREADABLE = {
    *((1, 4), (1, 8), (1, 9), (3, 4), (3, 5), (3, 12), (5, 0), (5, 2), (5, 10), (7, 6), (7, 7)),
    # Only OneNET makes this one write-only.
    (3312, 5851),
}
_SECURITY = 0
_SENSOR_UNITS = 5701
_IN_SENSOR_UNITS = {*range(5508, 5514), 5519, 5520, 5535, 5600, *range(5601, 5605), 5650, 5700, 5702, 5703, 5704, 5900}
_ONENET_IN_SENSOR_UNITS = {(3331, 5805)}


def _sensor(
    key: str,
    device_class: SensorDeviceClass | None = None,
    unit: str | None = None,
    *,
    precision: int | None = None,
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT,
) -> ResourceSensorDescription:
    """Return the description of a numeric sensor."""
    return ResourceSensorDescription(
        key=key,
        translation_key=key,
        device_class=device_class,
        native_unit_of_measurement=unit,
        suggested_display_precision=precision,
        state_class=state_class,
    )


def _about_device(
    key: str, device_class: SensorDeviceClass | None = None, unit: str | None = None
) -> ResourceSensorDescription:
    """Return the description of a diagnostic sensor."""
    return replace(_sensor(key, device_class, unit), entity_category=EntityCategory.DIAGNOSTIC)


def _state(key: str, device_class: BinarySensorDeviceClass | None = None) -> ResourceBinarySensorDescription:
    """Return the description of a binary sensor."""
    return ResourceBinarySensorDescription(key=key, translation_key=key, device_class=device_class)


def _counter(key: str) -> ResourceSensorDescription:
    """Return the description of a counter, which only a reset decreases."""
    return _sensor(key, state_class=SensorStateClass.TOTAL_INCREASING)


def _energy(key: str) -> ResourceSensorDescription:
    """Return the description of an energy meter reading."""
    return _sensor(key, SensorDeviceClass.ENERGY, UnitOfEnergy.WATT_HOUR, state_class=SensorStateClass.TOTAL_INCREASING)


def _power_factor(key: str) -> ResourceSensorDescription:
    """Return the description of a power factor."""
    return _sensor(key, SensorDeviceClass.POWER_FACTOR, precision=2)


def _percentage(key: str) -> ResourceSensorDescription:
    """Return the description of a percentage, for which Home Assistant has no device class."""
    return _sensor(key, unit=UnitOfRatio.PERCENTAGE, precision=0)


def _distance(key: str) -> ResourceSensorDescription:
    """Return the description of a distance."""
    return _sensor(key, SensorDeviceClass.DISTANCE, UnitOfLength.METERS)


def _coordinate(key: str) -> ResourceSensorDescription:
    """Return the description of a coordinate, without statistics: the mean of coordinates is meaningless."""
    return _sensor(key, unit=DEGREE, precision=5, state_class=None)


def _direction(key: str) -> ResourceSensorDescription:
    """Return the description of a direction, for which Home Assistant has no device class but the wind's."""
    return _sensor(key, unit=DEGREE, precision=0, state_class=SensorStateClass.MEASUREMENT_ANGLE)


# The measurements by object and resource, in the unit that IPSO specifies or gives as an example. A precision is set
# where Home Assistant has no default, or one that would round away significant digits.
_TABLE: dict[tuple[int, int], Description] = {
    (3, 7): _about_device("power_source_voltage", SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.MILLIVOLT),
    (3, 8): _about_device("power_source_current", SensorDeviceClass.CURRENT, UnitOfElectricCurrent.MILLIAMPERE),
    (3, 9): _about_device("battery_level", SensorDeviceClass.BATTERY, UnitOfRatio.PERCENTAGE),
    (3, 10): _about_device("memory_free", SensorDeviceClass.DATA_SIZE, UnitOfInformation.KILOBYTES),
    (4, 2): _about_device("signal_strength", SensorDeviceClass.SIGNAL_STRENGTH, SIGNAL_STRENGTH_DECIBELS_MILLIWATT),
    # The unit and the range depend on the network.
    (4, 3): _about_device("link_quality"),
    (4, 11): _about_device("signal_to_noise_ratio", SensorDeviceClass.SIGNAL_STRENGTH, SIGNAL_STRENGTH_DECIBELS),
    (6, 0): _coordinate("latitude"),
    (6, 1): _coordinate("longitude"),
    (6, 2): _distance("altitude"),
    (6, 6): _sensor("speed", SensorDeviceClass.SPEED, UnitOfSpeed.METERS_PER_SECOND, precision=1),
    (3200, 5500): _state("digital_input"),
    (3200, 5501): _counter("digital_input_counter"),
    (3201, 5550): _state("digital_output"),
    (3202, 5600): _sensor("analog_input"),
    (3203, 5650): _sensor("analog_output"),
    (3300, 5700): _sensor("sensor_value"),
    (3301, 5700): _sensor("illuminance", SensorDeviceClass.ILLUMINANCE, LIGHT_LUX),
    (3302, 5500): _state("presence", BinarySensorDeviceClass.OCCUPANCY),
    (3302, 5501): _counter("presence_counter"),
    (3303, 5700): _sensor("temperature", SensorDeviceClass.TEMPERATURE, UnitOfTemperature.CELSIUS, precision=1),
    (3304, 5700): _sensor("humidity", SensorDeviceClass.HUMIDITY, UnitOfRatio.PERCENTAGE, precision=1),
    (3305, 5800): _sensor("active_power", SensorDeviceClass.POWER, UnitOfPower.WATT, precision=1),
    (3305, 5805): _energy("active_energy"),
    (3305, 5810): _sensor(
        "reactive_power", SensorDeviceClass.REACTIVE_POWER, UnitOfReactivePower.VOLT_AMPERE_REACTIVE, precision=1
    ),
    (3305, 5815): _sensor(
        "reactive_energy",
        SensorDeviceClass.REACTIVE_ENERGY,
        UnitOfReactiveEnergy.VOLT_AMPERE_REACTIVE_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
    ),
    (3305, 5820): _power_factor("power_factor"),
    (3306, 5850): _state("actuator"),
    (3306, 5851): _percentage("actuator_level"),
    (3308, 5900): _sensor("set_point"),
    (3311, 5805): _energy("light_energy"),
    (3311, 5820): _power_factor("light_power_factor"),
    (3311, 5850): _state("light"),
    (3311, 5851): _percentage("light_brightness"),
    (3312, 5805): _energy("power_control_energy"),
    (3312, 5820): _power_factor("power_control_power_factor"),
    (3312, 5850): _state("power_control"),
    (3312, 5851): _percentage("power_control_level"),
    (3313, 5702): _sensor("acceleration_x"),
    (3313, 5703): _sensor("acceleration_y"),
    (3313, 5704): _sensor("acceleration_z"),
    (3314, 5702): _sensor("magnetic_field_x"),
    (3314, 5703): _sensor("magnetic_field_y"),
    (3314, 5704): _sensor("magnetic_field_z"),
    (3315, 5700): _sensor("atmospheric_pressure", SensorDeviceClass.ATMOSPHERIC_PRESSURE, UnitOfPressure.PA),
    (3316, 5700): _sensor("voltage", SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.VOLT, precision=2),
    (3317, 5700): _sensor("current", SensorDeviceClass.CURRENT, UnitOfElectricCurrent.AMPERE, precision=3),
    (3318, 5700): _sensor("frequency", SensorDeviceClass.FREQUENCY, UnitOfFrequency.HERTZ, precision=2),
    (3319, 5700): _distance("depth"),
    (3320, 5700): _percentage("percentage"),
    (3321, 5700): _distance("altitude"),
    (3322, 5700): _sensor("load", SensorDeviceClass.WEIGHT, UnitOfMass.KILOGRAMS),
    (3323, 5700): _sensor("pressure", SensorDeviceClass.PRESSURE, UnitOfPressure.PA),
    (3324, 5700): _sensor("loudness", SensorDeviceClass.SOUND_PRESSURE, UnitOfSoundPressure.DECIBEL, precision=1),
    # Home Assistant has device classes only for the concentrations of certain substances.
    (3325, 5700): _sensor("concentration", unit=UnitOfRatio.PARTS_PER_MILLION),
    (3326, 5700): _sensor("acidity", SensorDeviceClass.PH, precision=2),
    (3327, 5700): _sensor("conductivity", SensorDeviceClass.CONDUCTIVITY, UnitOfConductivity.MICROSIEMENS_PER_CM),
    (3328, 5700): _sensor("power", SensorDeviceClass.POWER, UnitOfPower.WATT, precision=1),
    (3329, 5700): _power_factor("power_factor"),
    (3330, 5700): _distance("distance"),
    # The registry has 3331/5700, OneNET 3331/5805.
    (3331, 5700): _energy("energy"),
    (3331, 5805): _energy("energy"),
    # The registry has only 5705, devices have either.
    (3332, 5700): _direction("direction"),
    (3332, 5705): _direction("direction"),
    (3334, 5702): _sensor("angular_rate_x"),
    (3334, 5703): _sensor("angular_rate_y"),
    (3334, 5704): _sensor("angular_rate_z"),
    (3336, 5513): _coordinate("latitude"),
    (3336, 5514): _coordinate("longitude"),
    (3336, 5515): _distance("altitude"),
    (3337, 5536): _percentage("position"),
    (3338, 5850): _state("buzzer"),
    (3342, 5500): _state("switch"),
    (3342, 5501): _counter("switch_counter"),
    (3343, 5548): _percentage("dimmer_level"),
    (3346, 5700): _sensor("rate"),
    (3347, 5500): _state("push_button"),
    (3347, 5501): _counter("push_button_counter"),
}

# Look-alikes of a character that NFKC would turn into a letter, a digit or a blank, or leave as they are.
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
# UCUM writes [degF] and W.h, others write W*h and m^3.
_ORNAMENTS = str.maketrans(
    {
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{DIVISION SLASH}": "/",
        "\N{FRACTION SLASH}": "/",
        **dict.fromkeys("[]^*.\N{MIDDLE DOT}\N{DOT OPERATOR}\N{BULLET}\N{BULLET OPERATOR}"),
    }
)


def _spelling(text: str) -> str:
    """Return a unit with look-alike characters unified, and without blanks, ornaments and control characters."""
    plain = unicodedata.normalize("NFKC", text.translate(_LOOK_ALIKES)).translate(_ORNAMENTS)
    return "".join(character for character in plain if character.isprintable() and not character.isspace())


_DASHES = "-_/?\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
_NO_UNITS = {"nan", "null", "nil", "none", "n/a", "NA", "undefined", "unknown", "\N{CJK UNIFIED IDEOGRAPH-65E0}"}
_OHM = "\N{GREEK CAPITAL LETTER OMEGA}"
# Names of Home Assistant's units.
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
# Units that Home Assistant lacks, as a multiple of one that it has.
_MULTIPLES: dict[str, tuple[str, float]] = {
    "MPa": (UnitOfPressure.KPA, 1000),
    "S/m": (UnitOfConductivity.MILLISIEMENS_PER_CM, 10),
    "t": (UnitOfMass.KILOGRAMS, 1000),
}
# Further units that Home Assistant lacks. Most differ only in case from one that it has: S is siemens, s is second.
_OTHERS = ("G", "Gal", "H", "S", "T", "kN", "mS", "pA", _OHM, f"k{_OHM}", f"M{_OHM}", f"m{_OHM}")
_OWN = {unit for units in DEVICE_CLASS_UNITS.values() for unit in units if isinstance(unit, str)}
_READINGS: dict[str, tuple[str | None, float]] = {
    _spelling(name): reading
    for name, reading in {
        **{unit: (unit, 1.0) for unit in (*_OWN, *_OTHERS)},
        **{name: (unit, 1.0) for name, unit in _ALIASES.items()},
        **_MULTIPLES,
        # Home Assistant has a device class for pH, without a unit.
        "pH": (None, 1.0),
    }.items()
}
_SPELLINGS: dict[str, list[str]] = {}
for _name in _READINGS:
    _SPELLINGS.setdefault(_name.casefold(), []).append(_name)
# Units with the prefix milli or mega, of which Home Assistant may have only one. "min" is no milli-inch.
_PREFIXED = {name for name in map(_spelling, _OWN) if name[0] in "mM" and name[1:] in _READINGS} - {"min"}


# Devices of one kind share their resources, so few paths make up most calls.
@lru_cache(maxsize=4096)
def describe(path: str) -> Description:
    """Return the entity description of any resource, whatever its operations; raise ValueError for an invalid path.

    A measurement has a translated name, any other resource the name of the registry.
    """
    resource = Resource.from_path(path)
    unit = unit_resource(resource)
    unit_path = unit.path if unit else ""
    number = f" {resource.obj_inst_id}" if resource.obj_inst_id else ""
    if (row := _row(resource)) is not None:
        return replace(row, key=path, unit_path=unit_path, number=number)
    name = lwm2m_name(resource)
    if resource.obj_id in _IPSO and resource.res_id in _BOOLEAN:
        return ResourceBinarySensorDescription(key=path, name=name, unit_path=unit_path, number=number)
    return ResourceSensorDescription(
        key=path,
        name=name,
        # The translations of this key name the attributes.
        translation_key=KEY_RESOURCE,
        unit_path=unit_path,
        number=number,
    )


def lwm2m_name(resource: Resource) -> str:
    """Return the name of the registry, or OneNET's, with the ids of what has no name."""
    if resource.obj_id in _CORE:
        obj, names = _CORE[resource.obj_id]
        resources = dict(enumerate(names))
    elif resource.obj_id in _IPSO:
        obj, resources = _IPSO[resource.obj_id], _RESOURCES
    else:
        return resource.path
    if resource.obj_inst_id:
        obj = f"{obj} {resource.obj_inst_id}"
    if (res_id := resource.res_id) is None:
        return obj
    return f"{obj} {_ONENET_NAMES.get((resource.obj_id, res_id)) or resources.get(res_id, res_id)}"


def is_readable(resource: Resource) -> bool:
    """Return whether a resource of which only the id is known is worth offering.

    A filter for OneNET's resource list only: a resource that has had a value, or that a person types, can be shown
    whatever this returns, since devices use ids their own way.
    """
    # The security object, which holds the keys, is never readable.
    if resource.res_id is None or resource.obj_id == _SECURITY:
        return False
    return resource.res_id not in _SHARED_UNREADABLE and (resource.obj_id, resource.res_id) not in _UNREADABLE


def is_measurement(resource: Resource) -> bool:
    """Return whether a resource is a measurement, which the dialog preselects."""
    return _row(resource) is not None


def _row(resource: Resource) -> Description | None:
    """Return the row of the table for a resource, None without one."""
    return None if resource.res_id is None else _TABLE.get((resource.obj_id, resource.res_id))


def unit_resource(resource: Resource) -> Resource | None:
    """Return the resource that holds the unit of this one, None without one."""
    ids = resource.obj_id, resource.res_id
    shared = resource.obj_id in _IPSO and resource.res_id in _IN_SENSOR_UNITS and ids not in _ONENET_NAMES
    return replace(resource, res_id=_SENSOR_UNITS) if shared or ids in _ONENET_IN_SENSOR_UNITS else None


def is_unit(text: str) -> bool:
    """Return whether a device's text for a unit is one, rather than a placeholder such as "N/A"."""
    spelling = _spelling(text)
    # Only dashes and the like are a placeholder, too.
    return spelling.strip(_DASHES) != "" and _NO_UNITS.isdisjoint((spelling, spelling.casefold()))


def known_unit(text: str, device_class: SensorDeviceClass | None) -> tuple[str | None, float] | None:
    """Return the unit that fits a device class for a device's text, and the factor to convert a value to it.

    An exact spelling wins. Otherwise the case is ignored if that leaves one unit, but never that of milli and mega.
    Without a device class every unit fits. Return None for an unknown or ambiguous unit; the unit of pH is None.
    """
    spelling = _spelling(text)
    units = None if device_class is None else DEVICE_CLASS_UNITS.get(device_class, ())
    readings = {
        name: (unit, factor)
        for name in _SPELLINGS.get(spelling.casefold(), ())
        for unit, factor in [_READINGS[name]]
        if (unit is not None if units is None else unit in units)
    }
    if spelling in readings:
        return readings[spelling]
    if any(name[0] != spelling[0] for name in _PREFIXED.intersection(readings)):
        return None
    found = set(readings.values())
    return found.pop() if len(found) == 1 else None
