"""Kinds of devices, what generic resources mean for each, and which kind a device probably is."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Self, override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass as Binary,
)
from homeassistant.components.sensor import SensorDeviceClass as Sensor
from homeassistant.components.valve.const import ValveDeviceClass as Valve
from homeassistant.const import Platform


class DeviceKind(StrEnum):
    """Name a kind of device."""

    WATER_METER = "water_meter"
    GAS_METER = "gas_meter"
    HEAT_METER = "heat_meter"
    ELECTRICITY_METER = "electricity_meter"
    MANHOLE_COVER = "manhole_cover"
    SMOKE_ALARM = "smoke_alarm"
    GAS_ALARM = "gas_alarm"
    WATER_LEAK_ALARM = "water_leak_alarm"
    DOOR = "door"
    PARKING_SENSOR = "parking_sensor"
    STREET_LAMP = "street_lamp"
    VALVE = "valve"
    THERMOMETER = "thermometer"
    OTHER = "other"

    @classmethod
    @override
    def _missing_(cls, value: object) -> Self:
        # A later version may have stored another kind.
        return cls("other")


@dataclass(frozen=True, kw_only=True, slots=True)
class KindMeaning:
    """Hold the icon and the device classes of generic resources, by object and resource, for a kind of device.

    `output` is the platform of the controls of its generic outputs, `valve` the device class of a valve.
    """

    icon: str
    sensors: Mapping[tuple[int, int], Sensor] = field(default_factory=dict)
    binary_sensors: Mapping[tuple[int, int], Binary] = field(default_factory=dict)
    output: Platform = Platform.SWITCH
    valve: Valve | None = None


_DIGITAL_INPUT = (3200, 5500)
_PRESENCE = (3302, 5500)
_SENSOR_VALUE = (3300, 5700)
_SWITCH = (3342, 5500)
_PUSH_BUTTON = (3347, 5500)
_RATE = (3346, 5700)
# A kind that does not determine what a generic resource means is not listed.
KIND_MEANINGS: dict[DeviceKind, KindMeaning] = {
    DeviceKind.WATER_METER: KindMeaning(
        icon="mdi:water",
        sensors={_SENSOR_VALUE: Sensor.WATER, _RATE: Sensor.VOLUME_FLOW_RATE},
        output=Platform.VALVE,
        valve=Valve.WATER,
    ),
    DeviceKind.GAS_METER: KindMeaning(
        icon="mdi:meter-gas",
        sensors={_SENSOR_VALUE: Sensor.GAS, _RATE: Sensor.VOLUME_FLOW_RATE},
        output=Platform.VALVE,
        valve=Valve.GAS,
    ),
    DeviceKind.HEAT_METER: KindMeaning(icon="mdi:radiator", sensors={_SENSOR_VALUE: Sensor.ENERGY}),
    DeviceKind.ELECTRICITY_METER: KindMeaning(icon="mdi:meter-electric", sensors={_SENSOR_VALUE: Sensor.ENERGY}),
    DeviceKind.MANHOLE_COVER: KindMeaning(
        icon="mdi:square-outline", binary_sensors=dict.fromkeys((_DIGITAL_INPUT, _SWITCH, _PUSH_BUTTON), Binary.OPENING)
    ),
    DeviceKind.SMOKE_ALARM: KindMeaning(icon="mdi:smoke-detector", binary_sensors={_DIGITAL_INPUT: Binary.SMOKE}),
    DeviceKind.GAS_ALARM: KindMeaning(icon="mdi:alarm-light", binary_sensors={_DIGITAL_INPUT: Binary.GAS}),
    DeviceKind.WATER_LEAK_ALARM: KindMeaning(icon="mdi:water-alert", binary_sensors={_DIGITAL_INPUT: Binary.MOISTURE}),
    DeviceKind.DOOR: KindMeaning(icon="mdi:door", binary_sensors=dict.fromkeys((_DIGITAL_INPUT, _SWITCH), Binary.DOOR)),
    DeviceKind.PARKING_SENSOR: KindMeaning(
        icon="mdi:car", binary_sensors=dict.fromkeys((_DIGITAL_INPUT, _PRESENCE), Binary.OCCUPANCY)
    ),
    DeviceKind.STREET_LAMP: KindMeaning(icon="mdi:outdoor-lamp", output=Platform.LIGHT),
    DeviceKind.VALVE: KindMeaning(
        icon="mdi:valve", binary_sensors={_DIGITAL_INPUT: Binary.OPENING}, output=Platform.VALVE
    ),
    DeviceKind.THERMOMETER: KindMeaning(icon="mdi:thermometer", sensors={_SENSOR_VALUE: Sensor.TEMPERATURE}),
}
# Objects of one kind of device. A lamp controller or a valve may also have the object of an electricity meter.
_KIND_BY_OBJECT: dict[int, DeviceKind] = {
    3424: DeviceKind.WATER_METER,
    3423: DeviceKind.GAS_METER,
    3408: DeviceKind.MANHOLE_COVER,
    3407: DeviceKind.SMOKE_ALARM,
    3431: DeviceKind.PARKING_SENSOR,
    3416: DeviceKind.STREET_LAMP,
    3425: DeviceKind.VALVE,
    3421: DeviceKind.ELECTRICITY_METER,
    10242: DeviceKind.ELECTRICITY_METER,
}
# IPSO objects that suggest a kind if the title does not.
_KIND_BY_IPSO_OBJECT: dict[int, DeviceKind] = {
    3311: DeviceKind.STREET_LAMP,
    3305: DeviceKind.ELECTRICITY_METER,
    3331: DeviceKind.ELECTRICITY_METER,
}
# Temperature, with or without humidity.
_THERMOMETERS = ({3303}, {3303, 3304})
_FIRST_IPSO_OBJECT = 3200
_WORDS: dict[DeviceKind, str] = {
    DeviceKind.WATER_METER: r"水表|\bwater ?meter",
    DeviceKind.GAS_METER: r"气表|\bgas ?meter",
    DeviceKind.HEAT_METER: r"热量表|热能表|热表|\bheat ?meter",
    DeviceKind.ELECTRICITY_METER: r"电表|电能表|\b(?:electric(?:ity)?|power) ?meter",
    DeviceKind.MANHOLE_COVER: r"井盖|\bmanhole",
    DeviceKind.SMOKE_ALARM: r"烟感|烟雾|\bsmoke\b",
    DeviceKind.GAS_ALARM: r"燃气报警|燃气探测|可燃气体|\bgas (?:leak )?(?:alarm|detector|sensor)",
    DeviceKind.WATER_LEAK_ALARM: r"水浸|漏水|\bwater leak|\bflood",
    # A door alone may be the place of another device.
    DeviceKind.DOOR: r"门磁|\bdoor (?:sensor|contact)",
    DeviceKind.PARKING_SENSOR: r"地磁|车位|停车|\bparking",
    DeviceKind.STREET_LAMP: r"路灯|\bstreet ?(?:lamp|light)",
    DeviceKind.VALVE: r"阀|\bvalve",
    DeviceKind.THERMOMETER: r"温度|温湿度|\bthermometer|\btemperature",
}
_WORD = re.compile("|".join(f"(?P<{kind}>{words})" for kind, words in _WORDS.items()), re.IGNORECASE)


def guess_kind(title: str, objects: AbstractSet[int]) -> DeviceKind:
    """Return the kind that the objects of a device or its title suggest."""
    for obj_id, kind in _KIND_BY_OBJECT.items():
        if obj_id in objects:
            return kind
    # The last word is the device: "水表井盖" is a cover, "阀控水表" a meter.
    if matches := list(_WORD.finditer(title.replace("_", " "))):
        return DeviceKind(matches[-1].lastgroup or "")
    for obj_id, kind in _KIND_BY_IPSO_OBJECT.items():
        if obj_id in objects:
            return kind
    measured = {obj_id for obj_id in objects if obj_id >= _FIRST_IPSO_OBJECT}
    return DeviceKind.THERMOMETER if measured in _THERMOMETERS else DeviceKind.OTHER
