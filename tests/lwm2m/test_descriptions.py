"""Entity descriptions of resources."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

from homeassistant.components.sensor import SensorStateClass
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.const import EntityCategory
import pytest

from custom_components.onenet_nbiot import const
from custom_components.onenet_nbiot.const import ATTR_MEASURED_AT
from custom_components.onenet_nbiot.lwm2m import (
    DESCRIPTIONS,
    ResourceBinarySensorDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
    lwm2m_name,
)
from custom_components.onenet_nbiot.lwm2m.deviations import FORMER_REUSABLE
from custom_components.onenet_nbiot.lwm2m.meanings import MEANINGS
from custom_components.onenet_nbiot.lwm2m.registry import OBJECTS, REUSABLE
from custom_components.onenet_nbiot.sensor import ATTR_FULL_VALUE

INTEGRATION = Path(const.__file__).parent
DESCRIBED = {path: describe(path) for path in (f"{obj_id}/0/{res_id}" for obj_id, res_id in DESCRIPTIONS)}
SENSORS = [row for row in DESCRIBED.values() if isinstance(row, ResourceSensorDescription)]


def words(*, without_class: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the platform and the translation key of every description."""
    for row in DESCRIBED.values():
        assert row.translation_key
        if not (without_class and row.device_class):
            yield row.platform, row.translation_key


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
    assert is_measurement(path)


@pytest.mark.parametrize("row", SENSORS, ids=lambda row: row.key)
def test_the_unit_and_the_state_class_of_a_measurement_fit_its_device_class(row: ResourceSensorDescription) -> None:
    """Home Assistant accepts the unit and the state class together with the device class."""
    if row.device_class:
        assert row.native_unit_of_measurement in DEVICE_CLASS_UNITS.get(row.device_class, {None})
        # Settings and times have no statistics.
        assert row.state_class in {None, *DEVICE_CLASS_STATE_CLASSES[row.device_class]}
    # Home Assistant accepts no other angle.
    if row.state_class is SensorStateClass.MEASUREMENT_ANGLE:
        assert row.native_unit_of_measurement == "°"


def test_meters_are_totals_and_coordinates_have_no_statistics() -> None:
    """A meter only increases, and the mean of coordinates is meaningless."""
    for path in ("3305/0/5805", "3305/0/5815", "3331/0/5700", "3200/0/5501"):
        assert getattr(DESCRIBED[path], "state_class", None) is SensorStateClass.TOTAL_INCREASING
    for path in ("6/0/0", "6/0/1", "3336/0/5513", "3336/0/5514"):
        assert getattr(DESCRIBED[path], "state_class", None) is None


@pytest.mark.parametrize("path", (f"{obj_id}/0/{res_id}" for obj_id, res_id in DESCRIPTIONS if obj_id not in MEANINGS))
def test_resources_about_the_device_itself_are_diagnostic(path: str) -> None:
    """Of the core and IPSO objects, only the resources of the objects 3 and 4 are diagnostic."""
    category = EntityCategory.DIAGNOSTIC if path.startswith(("3/", "4/")) else None
    assert DESCRIBED[path].entity_category is category


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_described_resource_has_a_name_that_ends_with_the_instance(language: str) -> None:
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


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_different_objects_have_different_names(language: str) -> None:
    """Two objects share a name only where a device has one or the other, two resources only if they are the same."""
    texts = load(f"translations/{language}.json")
    objects: dict[str, set[str]] = {}
    keys: dict[str, set[tuple[str, str]]] = {}
    for path, (platform, key) in zip(DESCRIBED, words(), strict=True):
        name = texts[platform][key]["name"]
        objects.setdefault(name, set()).add(path.split("/", maxsplit=1)[0])
        keys.setdefault(name, set()).add((platform, key))
    location = [{"6", "3336"}, {"6", "3321", "3336"}]
    either = [*location, {"3305", "3329", "3421"}, {"3316", "3421"}, {"3317", "3421"}, {"3318", "3421"}]
    assert [of for of in objects.values() if len(of) > 1 and of not in either] == []
    assert [name for name, of in keys.items() if len(of) > len(objects[name])] == []


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
        # Not in the list of the object.
        *((path, ResourceSensorDescription) for path in ("3408/0/9", "3424/0/5500")),
        # Executed or secret.
        *((path, ResourceSensorDescription) for path in ("0/0/5", "3/0/4", "5/0/0", "3/0/12")),
    ],
)
def test_any_other_resource_is_a_plain_entity(path: str, kind: type) -> None:
    """A resource that is not a measurement has only a name, whatever its operations are."""
    row = describe(path)
    assert isinstance(row, kind)
    assert (row.key, row.name) == (path, lwm2m_name(path))
    assert (row.device_class, row.entity_category) == (None, None)
    if isinstance(row, ResourceSensorDescription):
        assert (row.native_unit_of_measurement, row.state_class) == (None, None)
    assert not is_measurement(path)


def test_every_id_can_be_described() -> None:
    """Every object with every resource id has a description and a name."""
    objects = [*OBJECTS, 3307, 65535]
    ids = [*range(70), *REUSABLE, *FORMER_REUSABLE, 65535]
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
