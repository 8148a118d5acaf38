"""Names, operations and unit resources of LwM2M resources, by path: `3303/0/5700`, or `3303/0` for an instance."""

from .definitions import ResourceDefinition
from .deviations import DEVIATIONS, FORMER_REUSABLE, WITH_SENSOR_UNITS
from .registry import OBJECTS, REUSABLE

IPSO_OBJECTS = OBJECTS.keys() & set(range(3200, 3351))
_SECURITY = 0
_SENSOR_UNITS = 5701
# The resources of IPSO objects whose unit is in resource 5701 of the same instance.
_IN_SENSOR_UNITS = {*range(5508, 5514), 5519, 5520, 5535, 5600, *range(5601, 5605), 5650, 5700, 5702, 5703, 5704, 5900}
_REUSABLE = FORMER_REUSABLE | REUSABLE


def split_path(path: str) -> tuple[int, int, int | None]:
    """Return the ids of the object, the instance and the resource; raise ValueError for an invalid path."""
    obj_id, obj_inst_id, *res_ids = map(int, path.split("/"))
    (res_id,) = res_ids or (None,)
    return obj_id, obj_inst_id, res_id


def ids_of(path: str) -> tuple[int, int, int]:
    """Return the ids of the object, the instance and the resource of a resource; raise ValueError for another path."""
    obj_id, obj_inst_id, res_id = split_path(path)
    if res_id is None:
        raise ValueError(f"{path} is not the path of a resource")
    return obj_id, obj_inst_id, res_id


def find_resource(obj_id: int, res_id: int) -> ResourceDefinition | None:
    """Return the definition of a resource, None without one.

    An object that has reusable resources may have any of them: devices do not keep to the list of the registry.
    """
    if (deviation := DEVIATIONS.get((obj_id, res_id))) is not None:
        return deviation
    if (obj := OBJECTS.get(obj_id)) is None:
        return None
    return obj.resources.get(res_id) or (_REUSABLE.get(res_id) if obj.reusable else None)


def definitions_of(obj_id: int) -> dict[int, ResourceDefinition]:
    """Return the definitions of the resources that the registry lists for an object, by id."""
    obj = OBJECTS[obj_id]
    listed = {**obj.resources, **{res_id: REUSABLE[res_id] for res_id in obj.reusable}}
    return {res_id: DEVIATIONS.get((obj_id, res_id), definition) for res_id, definition in listed.items()}


def lwm2m_name(path: str) -> str:
    """Return the name of a resource or of an object instance, with the ids in place of unknown names."""
    obj_id, obj_inst_id, res_id = split_path(path)
    if (obj := OBJECTS.get(obj_id)) is None:
        return path
    name = f"{obj.name} {obj_inst_id}" if obj_inst_id else obj.name
    if res_id is None:
        return name
    definition = find_resource(obj_id, res_id)
    return f"{name} {definition.name if definition else res_id}"


def is_readable(path: str) -> bool:
    """Return whether a resource is readable, or not known to be unreadable.

    Devices use ids their own way: a resource with a value can be shown whatever this returns.
    """
    obj_id, _, res_id = split_path(path)
    # The security object, which holds the keys, is never readable.
    if res_id is None or obj_id == _SECURITY:
        return False
    definition = find_resource(obj_id, res_id) or REUSABLE.get(res_id)
    return definition is None or "R" in definition.operations


def unit_path(path: str) -> str:
    """Return the path of the resource that holds the unit of this one, empty without one."""
    obj_id, obj_inst_id, res_id = split_path(path)
    ids = obj_id, res_id
    shared = obj_id in IPSO_OBJECTS and res_id in _IN_SENSOR_UNITS and ids not in DEVIATIONS
    return f"{obj_id}/{obj_inst_id}/{_SENSOR_UNITS}" if shared or ids in WITH_SENSOR_UNITS else ""
