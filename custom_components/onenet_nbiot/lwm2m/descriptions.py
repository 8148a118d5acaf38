"""Entity descriptions of LwM2M resources."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass,
    BinarySensorEntityDescription,
)
from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.components.sensor.const import STATE_CLASS_UNITS
from homeassistant.const import (
    DEGREE,
    LIGHT_LUX,
    SIGNAL_STRENGTH_DECIBELS,
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
    Platform,
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
    UnitOfVolume,
    UnitOfVolumeFlowRate,
)
from homeassistant.helpers.entity import EntityDescription

from .definitions import ResourceDefinition
from .kinds import KIND_MEANINGS, DeviceKind, KindMeaning
from .lookup import IPSO_OBJECTS, definitions_of, find_resource, ids_of, lwm2m_name, split_path, unit_path
from .meanings import BY_UNIT, MEANINGS, Meaning
from .units import is_unit, known_unit


@dataclass(frozen=True, kw_only=True)
class ResourceDescription(EntityDescription):
    """Describe the entity of a resource on a `platform`; the `key` is the path of the resource.

    `unit_path` is the path of the resource that holds the unit, empty without one. `number` is the suffix of the
    name: the object instance, empty for instance 0.
    """

    platform: ClassVar[Platform]

    unit_path: str = ""
    number: str = ""

    @property
    def entity(self) -> tuple[Platform, str]:
        """Return what identifies the entity among those of its device."""
        return self.platform, self.key

    @property
    def shown_paths(self) -> tuple[str, ...]:
        """Return the paths of the resources whose values the entity shows."""
        return (self.key,)

    @property
    def read_paths(self) -> tuple[str, ...]:
        """Return the paths of the resources whose values the device can be asked for."""
        return self.shown_paths

    @property
    def paths(self) -> frozenset[str]:
        """Return the paths of all resources that the entity depends on."""
        return frozenset({*self.shown_paths, self.unit_path} - {""})


@dataclass(frozen=True, kw_only=True)
class ResourceSensorDescription(SensorEntityDescription, ResourceDescription):
    """Describe the sensor of a number, a time or a text."""

    platform = Platform.SENSOR


@dataclass(frozen=True, kw_only=True)
class ResourceBinarySensorDescription(BinarySensorEntityDescription, ResourceDescription):
    """Describe the binary sensor of a Boolean."""

    platform = Platform.BINARY_SENSOR


# The translation key of the sensors that have the registry's name.
KEY_RESOURCE = "resource"
_FRACTIONAL_TIMESTAMP = 6050

type Description = ResourceSensorDescription | ResourceBinarySensorDescription


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


def _diagnostic(
    key: str, device_class: SensorDeviceClass | None = None, unit: str | None = None
) -> ResourceSensorDescription:
    """Return the description of a diagnostic sensor."""
    return replace(_sensor(key, device_class, unit), entity_category=EntityCategory.DIAGNOSTIC)


def _binary(key: str, device_class: BinarySensorDeviceClass | None = None) -> ResourceBinarySensorDescription:
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
    """Return the description of a direction, for which Home Assistant only has the wind's device class."""
    return _sensor(key, unit=DEGREE, precision=0, state_class=SensorStateClass.MEASUREMENT_ANGLE)


# The device classes of meter readings, which Home Assistant does not accept as measurements.
_TOTALS = {
    SensorDeviceClass.ENERGY,
    SensorDeviceClass.GAS,
    SensorDeviceClass.REACTIVE_ENERGY,
    SensorDeviceClass.WATER,
}
# The flows of a home are tiny in the unit of the registry, the readings of an electricity meter large.
_SUGGESTED_UNITS: dict[str | None, str] = {
    UnitOfEnergy.WATT_HOUR: UnitOfEnergy.KILO_WATT_HOUR,
    UnitOfVolumeFlowRate.CUBIC_METERS_PER_SECOND: UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR,
}
# The measurements of the core and IPSO objects by object and resource, in the unit that IPSO specifies or gives as an
# example. A precision is set where Home Assistant has no default, or a default that would round away significant
# digits.
_MEASUREMENTS: dict[tuple[int, int], Description] = {
    (3, 7): _diagnostic("power_source_voltage", SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.MILLIVOLT),
    (3, 8): _diagnostic("power_source_current", SensorDeviceClass.CURRENT, UnitOfElectricCurrent.MILLIAMPERE),
    (3, 9): _diagnostic("battery_level", SensorDeviceClass.BATTERY, UnitOfRatio.PERCENTAGE),
    (3, 10): _diagnostic("memory_free", SensorDeviceClass.DATA_SIZE, UnitOfInformation.KILOBYTES),
    (4, 2): _diagnostic("signal_strength", SensorDeviceClass.SIGNAL_STRENGTH, SIGNAL_STRENGTH_DECIBELS_MILLIWATT),
    # The unit and the range depend on the network.
    (4, 3): _diagnostic("link_quality"),
    (4, 11): _diagnostic("signal_to_noise_ratio", SensorDeviceClass.SIGNAL_STRENGTH, SIGNAL_STRENGTH_DECIBELS),
    (6, 0): _coordinate("latitude"),
    (6, 1): _coordinate("longitude"),
    (6, 2): _distance("altitude"),
    (6, 6): _sensor("speed", SensorDeviceClass.SPEED, UnitOfSpeed.METERS_PER_SECOND, precision=1),
    (3200, 5500): _binary("digital_input"),
    (3200, 5501): _counter("digital_input_counter"),
    (3201, 5550): _binary("digital_output"),
    (3202, 5600): _sensor("analog_input"),
    (3203, 5650): _sensor("analog_output"),
    (3300, 5700): _sensor("sensor_value"),
    (3301, 5700): _sensor("illuminance", SensorDeviceClass.ILLUMINANCE, LIGHT_LUX),
    (3302, 5500): _binary("presence", BinarySensorDeviceClass.OCCUPANCY),
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
    (3306, 5850): _binary("actuator"),
    (3306, 5851): _percentage("actuator_level"),
    (3308, 5900): _sensor("set_point"),
    (3311, 5805): _energy("light_energy"),
    (3311, 5820): _power_factor("light_power_factor"),
    (3311, 5850): _binary("light"),
    (3311, 5851): _percentage("light_brightness"),
    (3312, 5805): _energy("power_control_energy"),
    (3312, 5820): _power_factor("power_control_power_factor"),
    (3312, 5850): _binary("power_control"),
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
    (3338, 5850): _binary("buzzer"),
    (3342, 5500): _binary("switch"),
    (3342, 5501): _counter("switch_counter"),
    (3343, 5548): _percentage("dimmer_level"),
    (3346, 5700): _sensor("rate"),
    (3347, 5500): _binary("push_button"),
    (3347, 5501): _counter("push_button_counter"),
}


def _describe_definition(obj_id: int, res_id: int, definition: ResourceDefinition, meaning: Meaning) -> Description:
    """Return the description of a resource from its definition and the meaning of its object."""
    key = f"{obj_id}_{res_id}"
    is_time = definition.type == "Time"
    is_measured = not is_time and res_id in {*meaning.preselected, *meaning.measured, *meaning.totals}
    category = None if is_measured and res_id not in meaning.diagnostic else EntityCategory.DIAGNOSTIC
    if definition.type == "Boolean":
        return replace(_binary(key, meaning.binary_sensors.get(res_id)), entity_category=category)
    if is_time:
        return replace(_sensor(key, SensorDeviceClass.TIMESTAMP, state_class=None), entity_category=category)
    # A fraction of a time is no duration.
    by_unit = (None, None) if res_id == _FRACTIONAL_TIMESTAMP else BY_UNIT.get(definition.units, (None, None))
    device_class, precision = by_unit
    device_class = meaning.sensors.get(res_id, device_class)
    # A unit that Home Assistant does not have is shown as it is.
    unit, _ = known_unit(definition.units, device_class) or (definition.units or None, 1)
    if device_class is SensorDeviceClass.POWER_FACTOR:
        precision = 2
    elif definition.type == "Integer" and unit is not None:
        precision = 0
    state_class = None
    if res_id in meaning.net_totals:
        state_class = SensorStateClass.TOTAL
    elif res_id in meaning.totals or device_class in _TOTALS:
        state_class = SensorStateClass.TOTAL_INCREASING
    elif is_measured:
        state_class = SensorStateClass.MEASUREMENT
    return replace(
        _sensor(key, device_class, unit, precision=precision, state_class=state_class),
        entity_category=category,
        suggested_unit_of_measurement=_SUGGESTED_UNITS.get(unit),
    )


# All descriptions by object and resource.
DESCRIPTIONS: dict[tuple[int, int], Description] = _MEASUREMENTS | {
    (obj_id, res_id): _describe_definition(obj_id, res_id, definition, meaning)
    for obj_id, meaning in MEANINGS.items()
    for res_id, definition in definitions_of(obj_id).items()
}
_PRESELECTED = _MEASUREMENTS.keys() | {
    (obj_id, res_id) for obj_id, meaning in MEANINGS.items() for res_id in meaning.preselected
}


# The unit and the precision of generic sensors whose device class follows from the kind of the device.
_UNITS_BY_CLASS: dict[SensorDeviceClass, tuple[str, int | None]] = {
    SensorDeviceClass.ENERGY: (UnitOfEnergy.KILO_WATT_HOUR, None),
    SensorDeviceClass.GAS: (UnitOfVolume.CUBIC_METERS, 3),
    SensorDeviceClass.TEMPERATURE: (UnitOfTemperature.CELSIUS, 1),
    SensorDeviceClass.VOLUME_FLOW_RATE: (UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR, 3),
    SensorDeviceClass.WATER: (UnitOfVolume.CUBIC_METERS, 3),
}


def _describe_generic(key: str, device_class: SensorDeviceClass) -> ResourceSensorDescription:
    """Return the description of a generic sensor whose device class follows from the kind of the device."""
    unit, precision = _UNITS_BY_CLASS[device_class]
    state_class = SensorStateClass.TOTAL_INCREASING if device_class in _TOTALS else SensorStateClass.MEASUREMENT
    return _sensor(key, device_class, unit, precision=precision, state_class=state_class)


def _describe_kind(meaning: KindMeaning) -> dict[tuple[int, int], Description]:
    """Return the descriptions of the generic resources of a kind of device, with the names of DESCRIPTIONS."""
    described: dict[tuple[int, int], Description] = {
        **{ids: _describe_generic(DESCRIPTIONS[ids].key, of) for ids, of in meaning.sensors.items()},
        **{ids: _binary(DESCRIPTIONS[ids].key, of) for ids, of in meaning.binary_sensors.items()},
    }
    # The icon of the translation key would hide that of the device class.
    return {ids: replace(description, icon=meaning.icon) for ids, description in described.items()}


_BY_KIND = {kind: DESCRIPTIONS | _describe_kind(meaning) for kind, meaning in KIND_MEANINGS.items()}


# Devices of one kind share their resources, so few paths make up most calls.
@lru_cache(maxsize=4096)
def describe(path: str, kind: DeviceKind = DeviceKind.OTHER) -> Description:
    """Return the entity description of any resource, whatever its operations; raise ValueError for an invalid path.

    The kind of the device determines the class, unit and icon of generic resources, not the platform.

    A measurement and any resource of an object with a meaning have a translated name, others the registry's.
    """
    obj_id, obj_inst_id, res_id = ids_of(path)
    number = f" {obj_inst_id}" if obj_inst_id else ""
    if (description := _BY_KIND.get(kind, DESCRIPTIONS).get((obj_id, res_id))) is not None:
        return replace(description, key=path, unit_path=unit_path(path), number=number)
    name = lwm2m_name(path)
    definition = find_resource(obj_id, res_id)
    if obj_id in IPSO_OBJECTS and definition is not None and definition.type == "Boolean":
        return ResourceBinarySensorDescription(key=path, name=name, unit_path=unit_path(path), number=number)
    return ResourceSensorDescription(
        key=path,
        name=name,
        # The translations of this key name the attributes.
        translation_key=KEY_RESOURCE,
        unit_path=unit_path(path),
        number=number,
    )


@lru_cache(maxsize=4096)
def with_reported_unit(
    description: ResourceSensorDescription, reported: str
) -> tuple[ResourceSensorDescription, float]:
    """Return the description of a sensor in the unit that its device reports, and the factor of its values.

    Without a unit, or with a placeholder for one, the description is returned unchanged.
    """
    if not is_unit(reported):
        return description, 1
    if known_unit(reported, description.device_class) is None:
        # Such as the temperature of a water meter.
        generic = describe(description.key)
        description = generic if isinstance(generic, ResourceSensorDescription) else description
    # With a device class, Home Assistant would reject an unknown unit.
    device_class: SensorDeviceClass | None = None
    unit: str | None = reported
    factor = 1.0
    if (known := known_unit(reported, description.device_class)) is not None:
        device_class, (unit, factor) = description.device_class, known
    # The precision and the state class of the description may not suit another unit.
    usual = unit == description.native_unit_of_measurement
    state_class = description.state_class
    suits = state_class is not None and unit in STATE_CLASS_UNITS.get(state_class, {unit})
    described = replace(
        description,
        device_class=device_class,
        native_unit_of_measurement=unit,
        suggested_display_precision=description.suggested_display_precision if usual else None,
        state_class=state_class if suits else None,
    )
    return described, factor


def is_measurement(path: str) -> bool:
    """Return whether a resource is a measurement that people want to see, which the dialog preselects."""
    obj_id, _, res_id = split_path(path)
    return (obj_id, res_id) in _PRESELECTED
