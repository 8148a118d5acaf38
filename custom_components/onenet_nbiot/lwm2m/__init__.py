"""LwM2M objects and resources: the registry, entity descriptions and units."""

from .descriptions import (
    DESCRIPTIONS,
    KEY_RESOURCE,
    Description,
    ResourceBinarySensorDescription,
    ResourceDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
)
from .kinds import DeviceKind, guess_kind
from .lookup import find_resource, is_readable, lwm2m_name, unit_path
from .units import is_unit, known_unit

__all__ = [
    "DESCRIPTIONS",
    "KEY_RESOURCE",
    "Description",
    "DeviceKind",
    "ResourceBinarySensorDescription",
    "ResourceDescription",
    "ResourceSensorDescription",
    "describe",
    "find_resource",
    "guess_kind",
    "is_measurement",
    "is_readable",
    "is_unit",
    "known_unit",
    "lwm2m_name",
    "unit_path",
]
