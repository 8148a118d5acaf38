"""LwM2M objects and resources: the registry, entity descriptions and units."""

from .controls import (
    ControlDescription,
    OutputDescription,
    ResourceButtonDescription,
    ResourceLightDescription,
    ResourceNumberDescription,
    ResourceSelectDescription,
    ResourceSwitchDescription,
    ResourceValveDescription,
    describe_control,
    describe_entities,
    is_control,
)
from .descriptions import (
    DESCRIPTIONS,
    KEY_RESOURCE,
    Description,
    ResourceBinarySensorDescription,
    ResourceDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
    with_reported_unit,
)
from .kinds import DeviceKind, guess_kind
from .lookup import find_resource, ids_of, is_readable, lwm2m_name, unit_path
from .units import is_unit, known_unit

__all__ = [
    "DESCRIPTIONS",
    "KEY_RESOURCE",
    "ControlDescription",
    "Description",
    "DeviceKind",
    "OutputDescription",
    "ResourceBinarySensorDescription",
    "ResourceButtonDescription",
    "ResourceDescription",
    "ResourceLightDescription",
    "ResourceNumberDescription",
    "ResourceSelectDescription",
    "ResourceSensorDescription",
    "ResourceSwitchDescription",
    "ResourceValveDescription",
    "describe",
    "describe_control",
    "describe_entities",
    "find_resource",
    "guess_kind",
    "ids_of",
    "is_control",
    "is_measurement",
    "is_readable",
    "is_unit",
    "known_unit",
    "lwm2m_name",
    "unit_path",
    "with_reported_unit",
]
