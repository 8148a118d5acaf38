"""What a LwM2M resource is called and measured in.

Source: the OMA LwM2M registry, which has the objects of LwM2M itself, those of IPSO, and the resources that all objects
share.
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
    UnitOfVolume,
    UnitOfVolumeFlowRate,
)
from homeassistant.helpers.entity import EntityDescription

from .onenet.models import Resource


@dataclass(frozen=True, kw_only=True)
class ResourceDescription(EntityDescription):
    """Describe the entity of a resource, whose path is the `key`.

    `unit_path` is the path of the resource that tells the unit, if one does, `number` what tells the instance from the
    first one.
    """

    unit_path: str = ""
    number: str = ""


@dataclass(frozen=True, kw_only=True)
class ResourceSensorDescription(SensorEntityDescription, ResourceDescription):
    """Describe a number, a text or whatever else is neither true nor false."""


@dataclass(frozen=True, kw_only=True)
class ResourceBinarySensorDescription(BinarySensorEntityDescription, ResourceDescription):
    """Describe what is true or false."""


type Description = ResourceSensorDescription | ResourceBinarySensorDescription

# The objects of LwM2M itself, each with its resources in the order of their numbers.
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
# What the objects of IPSO share.
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
_BOOLEAN = {5500, 5502, 5532, 5533, 5543, 5550, 5551, 5850}
# These are executed, or only written; these numbers mean the same in every object.
_SHARED_UNREADABLE = {4011, 4012, 5505, 5523, 5530, 5605, 5806, 5816, 5822, 5911, 6008, 6010, 6022, 6026, 6027}
_CORE_UNREADABLE = {(1, 4), (1, 8), (1, 9), (3, 4), (3, 5), (3, 12), (5, 0), (5, 2), (5, 10), (7, 6), (7, 7)}
_SECURITY = 0
_SENSOR_UNITS = 5701
_IN_SENSOR_UNITS = {*range(5508, 5514), 5519, 5520, 5535, 5600, *range(5601, 5605), 5650, 5700, 5702, 5703, 5704, 5900}


def _sensor(
    key: str,
    device_class: SensorDeviceClass | None = None,
    unit: str | None = None,
    *,
    precision: int | None = None,
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT,
) -> ResourceSensorDescription:
    """Return a row of the table about a number."""
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
    """Return a row of the table about the device itself."""
    return replace(_sensor(key, device_class, unit), entity_category=EntityCategory.DIAGNOSTIC)


def _state(key: str, device_class: BinarySensorDeviceClass | None = None) -> ResourceBinarySensorDescription:
    """Return a row of the table about a state."""
    return ResourceBinarySensorDescription(key=key, translation_key=key, device_class=device_class)


def _counter(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a count since a reset."""
    return _sensor(key, state_class=SensorStateClass.TOTAL_INCREASING)


def _energy(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a meter reading."""
    return _sensor(key, SensorDeviceClass.ENERGY, UnitOfEnergy.WATT_HOUR, state_class=SensorStateClass.TOTAL_INCREASING)


def _power_factor(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a power factor."""
    return _sensor(key, SensorDeviceClass.POWER_FACTOR, precision=2)


def _percentage(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a percentage, for which Home Assistant has no device class."""
    return _sensor(key, unit=UnitOfRatio.PERCENTAGE, precision=0)


def _distance(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a length."""
    return _sensor(key, SensorDeviceClass.DISTANCE, UnitOfLength.METERS)


def _coordinate(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a coordinate, of which no mean tells where the device was."""
    return _sensor(key, unit=DEGREE, precision=5, state_class=None)


def _direction(key: str) -> ResourceSensorDescription:
    """Return a row of the table about a direction, which need not be the wind's."""
    return _sensor(key, unit=DEGREE, precision=0, state_class=SensorStateClass.MEASUREMENT_ANGLE)


# By object and resource: what a person wants to see, in the unit that IPSO gives or has as its example. Precisions are
# where Home Assistant's own would hide what counts, or where it has none.
_TABLE: dict[tuple[int, int], Description] = {
    (3, 7): _about_device("power_source_voltage", SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.MILLIVOLT),
    (3, 8): _about_device("power_source_current", SensorDeviceClass.CURRENT, UnitOfElectricCurrent.MILLIAMPERE),
    (3, 9): _about_device("battery_level", SensorDeviceClass.BATTERY, UnitOfRatio.PERCENTAGE),
    (3, 10): _about_device("memory_free", SensorDeviceClass.DATA_SIZE, UnitOfInformation.KILOBYTES),
    (4, 2): _about_device("signal_strength", SensorDeviceClass.SIGNAL_STRENGTH, SIGNAL_STRENGTH_DECIBELS_MILLIWATT),
    # Its unit and its range are the network's.
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
    # Home Assistant has device classes for concentrations of certain substances only.
    (3325, 5700): _sensor("concentration", unit=UnitOfRatio.PARTS_PER_MILLION),
    (3326, 5700): _sensor("acidity", SensorDeviceClass.PH, precision=2),
    (3327, 5700): _sensor("conductivity", SensorDeviceClass.CONDUCTIVITY, UnitOfConductivity.MICROSIEMENS_PER_CM),
    (3328, 5700): _sensor("power", SensorDeviceClass.POWER, UnitOfPower.WATT, precision=1),
    (3329, 5700): _power_factor("power_factor"),
    (3330, 5700): _distance("distance"),
    # The registry has 5700 of 3331 and 5705 of 3332, devices have either.
    (3331, 5700): _energy("energy"),
    (3331, 5805): _energy("energy"),
    (3332, 5700): _direction("direction"),
    (3332, 5705): _direction("direction"),
    (3334, 5702): _sensor("angular_rate_x"),
    (3334, 5703): _sensor("angular_rate_y"),
    (3334, 5704): _sensor("angular_rate_z"),
    (3336, 5514): _coordinate("latitude"),
    (3336, 5515): _coordinate("longitude"),
    (3337, 5536): _percentage("position"),
    (3338, 5850): _state("buzzer"),
    (3342, 5500): _state("switch"),
    (3342, 5501): _counter("switch_counter"),
    (3343, 5548): _percentage("dimmer_level"),
    (3346, 5700): _sensor("rate"),
    (3347, 5500): _state("push_button"),
    (3347, 5501): _counter("push_button_counter"),
}

# UCUM has [degF] and W.h, others have W*h and m^3.
_ORNAMENTS = str.maketrans({"μ": "u", **dict.fromkeys("[]^*.·⋅")})


def _spelling(text: str) -> str:
    """Return a unit without what differs between spellings of it: blanks, ornaments, characters of the same look."""
    return "".join(unicodedata.normalize("NFKC", text).translate(_ORNAMENTS).split())


# As Home Assistant writes them, and as others do.
_UNITS: dict[str, str] = {
    **{_spelling(unit): unit for units in DEVICE_CLASS_UNITS.values() for unit in units if isinstance(unit, str)},
    "/100": UnitOfRatio.PERCENTAGE,
    "C": UnitOfTemperature.CELSIUS,
    "F": UnitOfTemperature.FAHRENHEIT,
    "ft_i": UnitOfLength.FEET,
    "in_i": UnitOfLength.INCHES,
    "l": UnitOfVolume.LITERS,
    "l/h": UnitOfVolumeFlowRate.LITERS_PER_HOUR,
    "l/min": UnitOfVolumeFlowRate.LITERS_PER_MINUTE,
    "l/s": UnitOfVolumeFlowRate.LITERS_PER_SECOND,
    "ml": UnitOfVolume.MILLILITERS,
}
# Units that Home Assistant does not have, in one that it has; water meters tell megapascals.
_MULTIPLES: dict[str, tuple[str, float]] = {
    "MPa": (UnitOfPressure.KPA, 1000),
    "S/m": (UnitOfConductivity.MILLISIEMENS_PER_CM, 10),
    "t": (UnitOfMass.KILOGRAMS, 1000),
}
# The case of these does not matter: there is no other unit that they could be.
_UNITS_IN_ANY_CASE: dict[str, str] = {
    "%el": UnitOfRatio.PERCENTAGE,
    "%rh": UnitOfRatio.PERCENTAGE,
    "rh%": UnitOfRatio.PERCENTAGE,
    "percent": UnitOfRatio.PERCENTAGE,
    "ppm": UnitOfRatio.PARTS_PER_MILLION,
    "ppb": UnitOfRatio.PARTS_PER_BILLION,
    "cel": UnitOfTemperature.CELSIUS,
    "celsius": UnitOfTemperature.CELSIUS,
    "degc": UnitOfTemperature.CELSIUS,
    "degreecelsius": UnitOfTemperature.CELSIUS,
    "degreescelsius": UnitOfTemperature.CELSIUS,
    "°c": UnitOfTemperature.CELSIUS,
    "degf": UnitOfTemperature.FAHRENHEIT,
    "fahrenheit": UnitOfTemperature.FAHRENHEIT,
    "°f": UnitOfTemperature.FAHRENHEIT,
    "kelvin": UnitOfTemperature.KELVIN,
    "deg": DEGREE,
    "degree": DEGREE,
    "degrees": DEGREE,
    "lx": LIGHT_LUX,
    "lux": LIGHT_LUX,
    "pa": UnitOfPressure.PA,
    "hpa": UnitOfPressure.HPA,
    "kpa": UnitOfPressure.KPA,
    "bar": UnitOfPressure.BAR,
    "psi": UnitOfPressure.PSI,
    "volt": UnitOfElectricPotential.VOLT,
    "volts": UnitOfElectricPotential.VOLT,
    "kv": UnitOfElectricPotential.KILOVOLT,
    "ampere": UnitOfElectricCurrent.AMPERE,
    "amperes": UnitOfElectricCurrent.AMPERE,
    "watt": UnitOfPower.WATT,
    "watts": UnitOfPower.WATT,
    "kw": UnitOfPower.KILO_WATT,
    "wh": UnitOfEnergy.WATT_HOUR,
    "kwh": UnitOfEnergy.KILO_WATT_HOUR,
    "var": UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
    "kvar": UnitOfReactivePower.KILO_VOLT_AMPERE_REACTIVE,
    "varh": UnitOfReactiveEnergy.VOLT_AMPERE_REACTIVE_HOUR,
    "kvarh": UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR,
    "meter": UnitOfLength.METERS,
    "meters": UnitOfLength.METERS,
    "metre": UnitOfLength.METERS,
    "km": UnitOfLength.KILOMETERS,
    "kg": UnitOfMass.KILOGRAMS,
    "hz": UnitOfFrequency.HERTZ,
    "hertz": UnitOfFrequency.HERTZ,
    "khz": UnitOfFrequency.KILOHERTZ,
    "ghz": UnitOfFrequency.GIGAHERTZ,
    "db": UnitOfSoundPressure.DECIBEL,
    "dba": UnitOfSoundPressure.WEIGHTED_DECIBEL_A,
    "db(a)": UnitOfSoundPressure.WEIGHTED_DECIBEL_A,
    "dbm": SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    "rpm": REVOLUTIONS_PER_MINUTE,
    "sec": UnitOfTime.SECONDS,
    "second": UnitOfTime.SECONDS,
    "seconds": UnitOfTime.SECONDS,
    "minute": UnitOfTime.MINUTES,
    "minutes": UnitOfTime.MINUTES,
    "hour": UnitOfTime.HOURS,
    "hours": UnitOfTime.HOURS,
}


# A thousand devices of a kind have the same few resources.
@lru_cache(maxsize=4096)
def describe(path: str) -> Description:
    """Return what the entity of a resource is like; one of the table has a translated name, any other LwM2M's."""
    resource = Resource.from_path(path)
    unit = unit_resource(resource)
    unit_path = unit.path if unit else ""
    number = f" {resource.obj_inst_id}" if resource.obj_inst_id else ""
    if (row := _row(resource)) is not None:
        return replace(row, key=path, unit_path=unit_path, number=number)
    boolean = resource.obj_id in _IPSO and resource.res_id in _BOOLEAN
    kind = ResourceBinarySensorDescription if boolean else ResourceSensorDescription
    return kind(key=path, name=lwm2m_name(resource), unit_path=unit_path, number=number)


def lwm2m_name(resource: Resource) -> str:
    """Return the name that LwM2M's registry has, with the numbers of what it does not know."""
    if resource.obj_id in _CORE:
        obj, names = _CORE[resource.obj_id]
        resources = dict(enumerate(names))
    elif resource.obj_id in _IPSO:
        obj, resources = _IPSO[resource.obj_id], _RESOURCES
    else:
        return resource.path
    if resource.obj_inst_id:
        obj = f"{obj} {resource.obj_inst_id}"
    return obj if resource.res_id is None else f"{obj} {resources.get(resource.res_id, resource.res_id)}"


def is_readable(resource: Resource) -> bool:
    """Return whether a read may bring a value."""
    # A device tells its keys to nobody.
    if resource.res_id is None or resource.obj_id == _SECURITY:
        return False
    return resource.res_id not in _SHARED_UNREADABLE and (resource.obj_id, resource.res_id) not in _CORE_UNREADABLE


def is_measurement(resource: Resource) -> bool:
    """Return whether it is what a person most probably wants to see."""
    return _row(resource) is not None


def _row(resource: Resource) -> Description | None:
    """Return what the table has of a resource."""
    return None if resource.res_id is None else _TABLE.get((resource.obj_id, resource.res_id))


def unit_resource(resource: Resource) -> Resource | None:
    """Return which resource tells the unit of this one, None where none does."""
    if resource.obj_id not in _IPSO or resource.res_id not in _IN_SENSOR_UNITS:
        return None
    return replace(resource, res_id=_SENSOR_UNITS)


def known_unit(text: str, device_class: SensorDeviceClass | None) -> tuple[str, float] | None:
    """Return Home Assistant's unit for a device's, and how many of it make up one, None where a class has none."""
    spelling = _spelling(text)
    unit = _UNITS.get(spelling) or _UNITS_IN_ANY_CASE.get(spelling.lower())
    known = _MULTIPLES.get(spelling) or (unit and (unit, 1.0))
    return known if known and (device_class is None or known[0] in DEVICE_CLASS_UNITS.get(device_class, ())) else None
