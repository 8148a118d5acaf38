"""Descriptions of controls."""

from typing import Any

from homeassistant.const import EntityCategory, Platform
import pytest

from custom_components.onenet_nbiot.lwm2m import (
    DeviceKind,
    OutputDescription,
    ResourceNumberDescription,
    describe_control,
    describe_entities,
    find_resource,
    is_control,
)
from custom_components.onenet_nbiot.lwm2m.lookup import definitions_of
from custom_components.onenet_nbiot.lwm2m.registry import OBJECTS

OTHER = DeviceKind.OTHER


def entities(*controls: str, kind: DeviceKind = OTHER) -> list[tuple[str, str]]:
    """Return platform and key of the entities of controls."""
    return [(description.platform, description.key) for description in describe_entities((), controls, kind)]


@pytest.mark.parametrize(
    ("path", "kind", "platform"),
    [
        ("3201/0/5550", OTHER, "switch"),
        ("3306/0/5850", OTHER, "switch"),
        ("3306/0/5850", DeviceKind.DOOR, "switch"),
        ("3306/0/5850", DeviceKind.STREET_LAMP, "light"),
        ("3312/0/5850", DeviceKind.VALVE, "valve"),
        ("3201/0/5550", DeviceKind.GAS_METER, "valve"),
        ("3306/0/5850", DeviceKind.ELECTRICITY_METER, "switch"),
        ("3338/0/5850", DeviceKind.VALVE, "switch"),
        ("3311/0/5850", DeviceKind.VALVE, "light"),
        ("3416/0/1", OTHER, "light"),
        ("3425/1/3", OTHER, "valve"),
        ("3340/0/5526", OTHER, "select"),
        ("3308/0/5900", OTHER, "number"),
        ("3/0/4", OTHER, "button"),
        # Devices use ids their own way: resources that the registry only lets be read can be typed.
        ("3342/0/5500", OTHER, "switch"),
        ("3303/0/5700", OTHER, "number"),
    ],
)
def test_the_entity_of_a_control(path: str, kind: DeviceKind, platform: str) -> None:
    """It follows from the object, the type and the kind of the device."""
    assert entities(path, kind=kind) == [(platform, path)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (DeviceKind.STREET_LAMP, [("light", "3306/0/5850")]),
        (DeviceKind.VALVE, [("valve", "3306/0/5850")]),
        (OTHER, [("switch", "3306/0/5850"), ("number", "3306/0/5851")]),
    ],
)
def test_a_dimmer_belongs_to_its_light_or_valve(kind: DeviceKind, expected: list[tuple[str, str]]) -> None:
    """Alone, and beside a switch, it is a number."""
    assert entities("3306/0/5850", "3306/0/5851", kind=kind) == expected
    assert entities("3306/0/5851", kind=kind) == [("number", "3306/0/5851")]
    # That of another instance is not its dimmer.
    assert ("number", "3306/1/5851") in entities("3306/0/5850", "3306/1/5851", kind=kind)


@pytest.mark.parametrize("path", ["3311/0/5750", "33000/0/1", "3/0/13", "3311/0", "lamp"])
def test_other_resources_are_no_controls(path: str) -> None:
    """Texts, times and resources of unknown types are written with an action; stored ones are skipped."""
    with pytest.raises(ValueError):  # noqa: PT011 - any text
        describe_control(path)
    assert not is_control(path)


def test_controls_of_another_version_are_skipped() -> None:
    """The other entities of the device are added."""
    found = describe_entities(("3303/0/5700", "3306/0/5850"), ("3306/0/5850", "33000/0/1"))
    assert [(description.platform, description.key) for description in found] == [
        (Platform.SENSOR, "3303/0/5700"),
        (Platform.SWITCH, "3306/0/5850"),
    ]


def test_only_writable_and_executable_resources_are_offered() -> None:
    """Each of them has a description, and none of the security object is offered."""
    offered = set()
    for obj_id in OBJECTS:
        for res_id in definitions_of(obj_id):
            path = f"{obj_id}/0/{res_id}"
            if is_control(path):
                offered.add(path)
                definition = find_resource(obj_id, res_id)
                assert definition is not None
                assert set(definition.operations) & {"W", "E"}
                assert obj_id != 0
                assert describe_control(path) is not None
    assert offered > {"3/0/4", "3306/0/5850", "3306/0/5851", "3308/0/5900", "3416/0/1", "3425/0/3"}
    assert not offered & {"3303/0/5700", "3416/0/13", "3306/0/5750"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("3306/0/5851", {"lowest": 0, "highest": 100, "native_step": 1, "is_integer": True}),
        ("3343/0/5548", {"lowest": 0, "highest": 100, "native_step": 1, "is_integer": False}),
        ("3308/0/5900", {"lowest": -(2**31) + 1, "highest": 2**31 - 1, "native_step": 0.01, "min_path": "3308/0/5603"}),
        ("3424/2/6", {"min_path": "", "max_path": "", "entity_category": EntityCategory.CONFIG, "number": " 2"}),
        ("3312/0/5851", {"readable": False}),
    ],
)
def test_the_range_of_a_number(path: str, expected: dict[str, Any]) -> None:
    """It is that of the registry, or that which the device reports."""
    description = describe_control(path)
    assert isinstance(description, ResourceNumberDescription)
    assert {name: getattr(description, name) for name in expected} == expected


def test_the_resources_of_an_output() -> None:
    """A status is shown, and not written."""
    lamp = describe_control("3416/0/1")
    assert isinstance(lamp, OutputDescription)
    assert (lamp.written_paths, lamp.shown_paths) == (("3416/0/1",), ("3416/0/1", "3416/0/3"))
    (light,) = describe_entities((), ("3311/0/5850", "3311/0/5851"))
    assert isinstance(light, OutputDescription)
    assert light.written_paths == light.shown_paths == ("3311/0/5850", "3311/0/5851")
