"""What the LwM2M registry defines of an object and of a resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceDefinition:
    """Define a resource.

    `operations` are those of a server: read, write and execute; a resource that only the bootstrap server may access
    has none. A resource that is executed has no `type`. `units` is in UCUM. `range` is the minimum and the maximum of
    a number, such as "0..100", or the lengths of a text or bytes. `multiple` resources have several instances.
    """

    name: str
    operations: Literal["", "R", "W", "RW", "E"]
    type: Literal["", "Boolean", "Float", "Integer", "Objlnk", "Opaque", "String", "Time", "Unsigned Integer"] = ""
    units: str = ""
    range: str = ""
    multiple: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectDefinition:
    """Define an object: its own resources by id, and the ids of its reusable resources, which objects share."""

    name: str
    version: str
    resources: Mapping[int, ResourceDefinition] = field(default_factory=dict)
    reusable: tuple[int, ...] = ()
