"""Kinds of devices."""

from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
import pytest

from custom_components.onenet_nbiot.lwm2m import (
    DeviceKind,
    ResourceBinarySensorDescription,
    ResourceSensorDescription,
    describe,
    guess_kind,
    is_measurement,
)
from custom_components.onenet_nbiot.lwm2m.kinds import KIND_MEANINGS

GENERIC = [
    (kind, f"{obj_id}/0/{res_id}")
    for kind, meaning in KIND_MEANINGS.items()
    for obj_id, res_id in (*meaning.sensors, *meaning.binary_sensors)
]


@pytest.mark.parametrize(("kind", "path"), GENERIC)
def test_a_kind_only_changes_the_attributes_of_a_generic_resource(kind: DeviceKind, path: str) -> None:
    """Platform, name and category stay, Home Assistant accepts the unit and the state class, and it is preselected."""
    row, generic = describe(path, kind), describe(path)
    assert (row.key, row.platform, row.unit_path) == (generic.key, generic.platform, generic.unit_path)
    assert (row.translation_key, row.entity_category) == (generic.translation_key, generic.entity_category)
    assert row.icon
    assert row.icon.startswith("mdi:")
    assert row.device_class
    assert is_measurement(path)
    if isinstance(row, ResourceSensorDescription):
        assert row.device_class
        assert row.native_unit_of_measurement in DEVICE_CLASS_UNITS[row.device_class]
        assert row.state_class in DEVICE_CLASS_STATE_CLASSES[row.device_class]
    else:
        assert isinstance(row, ResourceBinarySensorDescription)


@pytest.mark.parametrize("kind", DeviceKind)
def test_a_kind_changes_no_resource_with_a_meaning(kind: DeviceKind) -> None:
    """Resources of dedicated objects, unknown resources and those about the device are described as ever."""
    for path in ("3/0/9", "3303/0/5700", "3331/0/5700", "3424/0/1", "3408/0/3", "3311/0/5850", "65535/0/1"):
        assert describe(path, kind) == describe(path)


@pytest.mark.parametrize(
    ("kind", "path", "device_class", "unit"),
    [
        (DeviceKind.WATER_METER, "3300/0/5700", "water", "m³"),
        (DeviceKind.WATER_METER, "3346/0/5700", "volume_flow_rate", "m³/h"),
        (DeviceKind.GAS_METER, "3300/1/5700", "gas", "m³"),
        (DeviceKind.HEAT_METER, "3300/0/5700", "energy", "kWh"),
        (DeviceKind.ELECTRICITY_METER, "3300/0/5700", "energy", "kWh"),
        (DeviceKind.MANHOLE_COVER, "3200/0/5500", "opening", None),
        (DeviceKind.SMOKE_ALARM, "3200/0/5500", "smoke", None),
        (DeviceKind.GAS_ALARM, "3200/0/5500", "gas", None),
        (DeviceKind.WATER_LEAK_ALARM, "3200/0/5500", "moisture", None),
        (DeviceKind.DOOR, "3342/0/5500", "door", None),
        (DeviceKind.PARKING_SENSOR, "3302/0/5500", "occupancy", None),
        (DeviceKind.VALVE, "3200/0/5500", "opening", None),
        (DeviceKind.THERMOMETER, "3300/0/5700", "temperature", "°C"),
        (DeviceKind.STREET_LAMP, "3200/0/5500", None, None),
        (DeviceKind.OTHER, "3300/0/5700", None, None),
    ],
)
def test_a_kind_determines_the_class_and_the_unit(
    kind: DeviceKind, path: str, device_class: str | None, unit: str | None
) -> None:
    """A generic resource has the class and the unit that suit the kind."""
    row = describe(path, kind)
    assert (row.device_class, getattr(row, "native_unit_of_measurement", None)) == (device_class, unit)


@pytest.mark.parametrize(
    ("title", "objects", "kind"),
    [
        ("", {3, 3424}, DeviceKind.WATER_METER),
        ("", {3423}, DeviceKind.GAS_METER),
        ("", {3421}, DeviceKind.ELECTRICITY_METER),
        ("", {10242}, DeviceKind.ELECTRICITY_METER),
        ("", {3305}, DeviceKind.ELECTRICITY_METER),
        ("", {3331, 3300}, DeviceKind.ELECTRICITY_METER),
        ("", {3408, 3303}, DeviceKind.MANHOLE_COVER),
        ("", {3407}, DeviceKind.SMOKE_ALARM),
        ("", {3431}, DeviceKind.PARKING_SENSOR),
        ("", {3416, 3421}, DeviceKind.STREET_LAMP),
        ("", {3311, 3305}, DeviceKind.STREET_LAMP),
        ("", {3425}, DeviceKind.VALVE),
        ("", {3, 4, 3303}, DeviceKind.THERMOMETER),
        ("", {3303, 3304}, DeviceKind.THERMOMETER),
        ("", {3303, 3304, 3200}, DeviceKind.OTHER),
        ("", set(), DeviceKind.OTHER),
        ("866971030000001", {3300}, DeviceKind.OTHER),
        # An object of one kind takes precedence over the title, the title over other objects.
        ("Water meter", {3407}, DeviceKind.SMOKE_ALARM),
        ("热量表 3", {3331}, DeviceKind.HEAT_METER),
        ("3号楼水表", {3300}, DeviceKind.WATER_METER),
        ("阀控水表", {3300}, DeviceKind.WATER_METER),
        ("水表井盖", {3200}, DeviceKind.MANHOLE_COVER),
        ("天然气表", {3300}, DeviceKind.GAS_METER),
        ("燃气报警器", {3200}, DeviceKind.GAS_ALARM),
        ("单相电能表", {3300}, DeviceKind.ELECTRICITY_METER),
        ("电表箱门磁", {3200}, DeviceKind.DOOR),
        ("烟感-101", {3200}, DeviceKind.SMOKE_ALARM),
        ("水浸传感器", {3200}, DeviceKind.WATER_LEAK_ALARM),
        ("地磁车位", {3302}, DeviceKind.PARKING_SENSOR),
        ("路灯", {3306}, DeviceKind.STREET_LAMP),
        ("阀门", {3306}, DeviceKind.VALVE),
        ("温度", {3300}, DeviceKind.THERMOMETER),
        ("water_meter_12", {3300}, DeviceKind.WATER_METER),
        ("GAS METER", {3300}, DeviceKind.GAS_METER),
        ("Heat meter, next door", {3300}, DeviceKind.HEAT_METER),
        ("Power meter", {3300}, DeviceKind.ELECTRICITY_METER),
        ("Manhole", {3200}, DeviceKind.MANHOLE_COVER),
        ("Gas alarm", {3200}, DeviceKind.GAS_ALARM),
        ("Water leak sensor", {3200}, DeviceKind.WATER_LEAK_ALARM),
        ("Door sensor", {3200}, DeviceKind.DOOR),
        ("Parking 7", {3302}, DeviceKind.PARKING_SENSOR),
        ("Streetlight", {3306}, DeviceKind.STREET_LAMP),
        ("Valve", {3306}, DeviceKind.VALVE),
        ("Thermometer", {3300}, DeviceKind.THERMOMETER),
    ],
)
def test_the_objects_and_the_title_of_a_device_suggest_its_kind(
    title: str, objects: set[int], kind: DeviceKind
) -> None:
    """The guess is other unless an object or a word suggests a kind."""
    assert guess_kind(title, objects) is kind


def test_an_unknown_kind_is_other() -> None:
    """A later version may have stored it."""
    assert DeviceKind("submarine") is DeviceKind.OTHER
