"""The data of the LwM2M registry."""

import ast
from pathlib import Path
import re

import pytest

from custom_components.onenet_nbiot import lwm2m
from custom_components.onenet_nbiot.lwm2m import registry
from custom_components.onenet_nbiot.lwm2m.definitions import ResourceDefinition
from custom_components.onenet_nbiot.lwm2m.deviations import DEVIATIONS, FORMER_REUSABLE
from custom_components.onenet_nbiot.lwm2m.registry import OBJECTS, REUSABLE

IDS = range(65536)
# The ids of resources whose definition all objects share.
REUSABLE_IDS = range(2048, 26241)
OPERATIONS = ("", "R", "W", "RW", "E")
TYPES = ("Boolean", "Float", "Integer", "Objlnk", "Opaque", "String", "Time", "Unsigned Integer")
DEFINITIONS = [
    *(
        (f"{obj_id}/{res_id}", resource)
        for obj_id, obj in OBJECTS.items()
        for res_id, resource in obj.resources.items()
    ),
    *((str(res_id), resource) for res_id, resource in (REUSABLE | FORMER_REUSABLE).items()),
    *((f"{obj_id}/{res_id}", resource) for (obj_id, res_id), resource in DEVIATIONS.items()),
]


def test_the_state_and_the_source_of_the_registry_are_named() -> None:
    """The data names the month of the registry and the checksum of the file it was generated from."""
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", registry.STATE)
    assert re.fullmatch(r"[0-9a-f]{64}", registry.CHECKSUM)


def test_the_objects_that_onenet_documents_are_defined() -> None:
    """The registry has the core, IPSO and further objects, each with resources."""
    core = {*range(8), 19}
    ipso = {*range(3200, 3204), *range(3300, 3351)} - {3307, 3309}
    others = {3407, 3408, 3411, 3416, 3421, 3423, 3424, 3425, 3428, 3431, 3433, 10242}
    assert OBJECTS.keys() == core | ipso | others
    for obj in OBJECTS.values():
        assert obj.name == obj.name.strip() != ""
        assert re.fullmatch(r"\d\.\d", obj.version)
        assert obj.resources or obj.reusable


def test_reusable_resources_are_defined_once() -> None:
    """An object's own resources have ids outside the range of reusable ones, of which it refers to defined ones."""
    for obj in OBJECTS.values():
        assert not any(res_id in REUSABLE_IDS for res_id in obj.resources)
        assert all(res_id in IDS for res_id in obj.resources)
        assert REUSABLE.keys() >= set(obj.reusable)
    assert all(res_id in REUSABLE_IDS for res_id in REUSABLE | FORMER_REUSABLE)
    assert REUSABLE.keys().isdisjoint(FORMER_REUSABLE)


def test_every_definition_is_valid() -> None:
    """A definition has a name, known operations and a type unless it is executed, and a range of numbers."""
    for ids, resource in DEFINITIONS:
        assert (ids, resource.name == resource.name.strip() != "") == (ids, True)
        assert (ids, resource.operations in OPERATIONS) == (ids, True)
        # At OneNET, some resources that are executed have a type.
        assert (ids, resource.type in (*TYPES, *([""] if resource.operations == "E" else []))) == (ids, True)
        assert (ids, re.fullmatch(r"(-?[\d.,]+( bytes)?)?", resource.range) is not None) == (ids, True)


@pytest.mark.parametrize(
    ("obj_id", "res_id", "definition"),
    [
        (3, 9, ResourceDefinition(name="Battery Level", operations="R", type="Integer", units="/100", range="0..100")),
        (3, 4, ResourceDefinition(name="Reboot", operations="E")),
        (5, 0, ResourceDefinition(name="Package", operations="W", type="Opaque")),
        (19, 0, ResourceDefinition(name="Data", operations="RW", type="Opaque", multiple=True)),
        (3408, 3, ResourceDefinition(name="Cover Open Status", operations="R", type="Boolean")),
        (3424, 1, ResourceDefinition(name="Cumulated water volume", operations="R", type="Float", units="m3")),
        (10242, 11, ResourceDefinition(name="Power Factor R", operations="R", type="Float", range="-1..1")),
        # Reusable.
        (3303, 5700, ResourceDefinition(name="Sensor Value", operations="R", type="Float")),
        (3424, 5518, ResourceDefinition(name="Timestamp", operations="R", type="Time")),
        # Not in the list of the object.
        (3313, 5513, ResourceDefinition(name="Max Z Value", operations="R", type="Float")),
        # Only in former versions.
        (5, 4, ResourceDefinition(name="Update Supported Objects", operations="RW", type="Boolean")),
        (3300, 5535, ResourceDefinition(name="Calibration Offset", operations="R", type="Float")),
        # Corrected.
        (
            3408,
            2,
            ResourceDefinition(name="Manhole Cover Tilt", operations="R", type="Integer", units="deg", range="0..180"),
        ),
        (3421, 9, ResourceDefinition(name="High current threshold", operations="R", type="Float", units="A")),
        # OneNET's.
        (3200, 5505, ResourceDefinition(name="Digital Input Counter Reset", operations="E", type="Opaque")),
        (3310, 5827, ResourceDefinition(name="Avg Load AdjPct", operations="RW", type="String", units="/100")),
        (
            *(3312, 5851),
            ResourceDefinition(name="Dimmer", operations="W", type="Integer", units="/100", range="0..100"),
        ),
        (3336, 5513, ResourceDefinition(name="Latitude", operations="R", type="String")),
    ],
)
def test_a_resource_is_found_by_the_ids_of_the_object_and_the_resource(
    obj_id: int, res_id: int, definition: ResourceDefinition
) -> None:
    """OneNET's definition takes precedence over the object's, and that over the reusable one."""
    assert lwm2m.find_resource(obj_id, res_id) == definition


@pytest.mark.parametrize(("obj_id", "res_id"), [(31024, 1), (31024, 5700), (3, 5700), (3303, 9999), (3307, 5700)])
def test_an_unknown_resource_has_no_definition(obj_id: int, res_id: int) -> None:
    """A resource of an unknown object, an unknown id and a reusable id in a core object have no definition."""
    assert lwm2m.find_resource(obj_id, res_id) is None


def test_the_package_imports_nothing_else_of_the_integration() -> None:
    """A module of the package imports Home Assistant, the standard library and its neighbours only."""
    for file in Path(lwm2m.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1
                assert not str(node.module).startswith("custom_components")
