"""Entity descriptions of controls: entities that write or execute resources."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Self, override

from homeassistant.components.button import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    ButtonDeviceClass,
    ButtonEntityDescription,
)
from homeassistant.components.light import LightEntityDescription
from homeassistant.components.number import NumberEntityDescription
from homeassistant.components.select import SelectEntityDescription
from homeassistant.components.switch import SwitchEntityDescription
from homeassistant.components.valve.const import ValveDeviceClass
from homeassistant.components.valve.entity import ValveEntityDescription
from homeassistant.const import EntityCategory, Platform, UnitOfRatio

from .definitions import ResourceDefinition
from .descriptions import (
    DESCRIPTIONS,
    KEY_RESOURCE,
    ResourceDescription,
    ResourceSensorDescription,
    describe,
    is_measurement,
)
from .kinds import KIND_MEANINGS, DeviceKind
from .lookup import IPSO_OBJECTS, find_resource, ids_of, lwm2m_name


@dataclass(frozen=True, kw_only=True)
class ControlDescription(ResourceDescription):
    """Describe an entity that writes a resource.

    `readable` is whether the device can be asked for the value.
    """

    readable: bool = True

    @property
    def written_paths(self) -> tuple[str, ...]:
        """Return the paths of the resources that the entity writes, the one that determines its state first."""
        return (self.key,)

    @property
    @override
    def read_paths(self) -> tuple[str, ...]:
        return self.shown_paths if self.readable else ()


@dataclass(frozen=True, kw_only=True)
class ResourceSwitchDescription(SwitchEntityDescription, ControlDescription):
    """Describe the switch of a Boolean."""

    platform = Platform.SWITCH


@dataclass(frozen=True, kw_only=True)
class ResourceNumberDescription(NumberEntityDescription, ControlDescription):
    """Describe the number entity of an integer or a decimal.

    `sensor` describes its class and unit. `lowest` and `highest` are the range, unless the device reports other limits
    in `min_path` and `max_path`, which only IPSO objects have.
    """

    platform = Platform.NUMBER

    sensor: ResourceSensorDescription
    is_integer: bool
    lowest: float
    highest: float
    min_path: str = ""
    max_path: str = ""

    @property
    @override
    def paths(self) -> frozenset[str]:
        return super().paths | {self.min_path, self.max_path} - {""}


@dataclass(frozen=True, kw_only=True)
class ResourceSelectDescription(SelectEntityDescription, ControlDescription):
    """Describe the select entity of an integer with named values."""

    platform = Platform.SELECT

    values: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutputDescription(ControlDescription):
    """Describe an entity that is switched, set to a level in percent, or both.

    The key is `switch_path`, or `level_path` if that is empty. `status_path` is where the device reports the level,
    empty if there is none.
    """

    switch_path: str = ""
    level_path: str = ""
    status_path: str = ""

    @property
    @override
    def written_paths(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.switch_path, self.level_path)))

    @property
    @override
    def shown_paths(self) -> tuple[str, ...]:
        return tuple(filter(None, (*self.written_paths, self.status_path)))


@dataclass(frozen=True, kw_only=True)
class ResourceLightDescription(LightEntityDescription, OutputDescription):
    """Describe a light."""

    platform = Platform.LIGHT


@dataclass(frozen=True, kw_only=True)
class ResourceValveDescription(ValveEntityDescription, OutputDescription):
    """Describe a valve."""

    platform = Platform.VALVE


@dataclass(frozen=True, kw_only=True)
class ResourceButtonDescription(ButtonEntityDescription, ResourceDescription):
    """Describe the button of a resource that is executed."""

    platform = Platform.BUTTON

    @property
    @override
    def shown_paths(self) -> tuple[str, ...]:
        return ()


_ON_OFF = 5850
_DIMMER = 5851
_LIGHT_CONTROL = 3311
# Outputs that the kind of the device makes lights or valves.
_GENERIC_OUTPUTS = {(3201, 5550), (3306, _ON_OFF), (3312, _ON_OFF)}
_LAMP_COMMAND = (3416, 1)
_VALVE_COMMAND = (3425, 3)
# The resource of the same instance in which the device reports the level that a command has set.
_STATUS = {_LAMP_COMMAND: 3, _VALVE_COMMAND: 2}
_REBOOT = (3, 4)
# The object that holds the keys.
_SECURITY = 0
# The resources of an instance of an IPSO object that hold the range of its value.
_RANGE = (5603, 5604)
# The values that the registry lists in the descriptions of resources.
_VALUES: dict[tuple[int, int], dict[str, int]] = {
    (3200, 5504): {"falling_edge": 1, "rising_edge": 2, "both_edges": 3},
    (3340, 5526): {"disabled": 0, "one_shot": 1, "interval": 2, "delayed_on": 3, "delayed_off": 4},
}
# A light or a valve is what its device is for, not a setting.
_LIGHT = {"translation_key": "light", "entity_category": None}
_VALVE = {"translation_key": "valve", "entity_category": None}
_INTEGERS = ("Integer", "Unsigned Integer")
_LIMIT = 2**31 - 1


class _Resource(NamedTuple):
    """Hold the path and the definition of a resource."""

    path: str
    obj_id: int
    obj_inst_id: int
    res_id: int
    definition: ResourceDefinition

    @classmethod
    def from_path(cls, path: str) -> Self:
        """Return the resource; raise ValueError for one that no control can write or execute."""
        obj_id, obj_inst_id, res_id = ids_of(path)
        definition = find_resource(obj_id, res_id)
        if definition is None or definition.multiple or obj_id == _SECURITY:
            raise ValueError(f"{path} cannot be controlled")
        return cls(path, obj_id, obj_inst_id, res_id, definition)

    @property
    def ids(self) -> tuple[int, int]:
        """Return the ids of the object and the resource."""
        return self.obj_id, self.res_id

    @property
    def is_controllable(self) -> bool:
        """Return whether the registry lets a server write or execute it."""
        return not {"W", "E"}.isdisjoint(self.definition.operations)

    def sibling(self, res_id: int) -> str:
        """Return the path of another resource of the same instance."""
        return f"{self.obj_id}/{self.obj_inst_id}/{res_id}"

    def common(self) -> dict[str, Any]:
        """Return the fields of the description of any control."""
        fields: dict[str, Any] = {
            "key": self.path,
            "number": f" {self.obj_inst_id}" if self.obj_inst_id else "",
            "entity_category": None if is_measurement(self.path) else EntityCategory.CONFIG,
        }
        if self.definition.operations != "E":
            fields["readable"] = "R" in self.definition.operations
        if self.ids in {*_VALUES, _REBOOT}:
            return fields | {"translation_key": f"{self.obj_id}_{self.res_id}"}
        if self.is_controllable and (described := DESCRIPTIONS.get(self.ids)) is not None:
            return fields | {"translation_key": described.translation_key}
        return fields | {"name": lwm2m_name(self.path), "translation_key": KEY_RESOURCE}


def is_control(path: str) -> bool:
    """Return whether the registry lets a server write or execute a resource as a control does."""
    try:
        describe_control(path)
        return _Resource.from_path(path).is_controllable
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def describe_entities(
    resources: tuple[str, ...], controls: tuple[str, ...], kind: DeviceKind = DeviceKind.OTHER
) -> tuple[ResourceDescription, ...]:
    """Return the descriptions of a device's entities: those of its controls, and those of the other resources.

    The dimmer of a light or a valve has no entity of its own. Raise ValueError for an invalid path.
    """
    described: list[ResourceDescription] = [describe(path, kind) for path in resources if path not in controls]
    of_controls: list[ResourceDescription] = []
    for path in controls:
        # The registry of another version may have another type.
        with suppress(ValueError):
            of_controls.append(describe_control(path, kind, frozenset(controls)))
    outputs = [control for control in of_controls if isinstance(control, OutputDescription)]
    dimmers = {output.level_path for output in outputs if output.switch_path}
    return (*described, *(control for control in of_controls if control.key not in dimmers))


def describe_control(
    path: str, kind: DeviceKind = DeviceKind.OTHER, controls: frozenset[str] = frozenset()
) -> ControlDescription | ResourceButtonDescription:
    """Return the description of a control, whatever the operations of the resource.

    `controls` are the paths of all controls of the device: a light or a valve includes its dimmer. Raise ValueError for
    a resource with an unknown or unsuitable type.
    """
    resource = _Resource.from_path(path)
    definition = resource.definition
    if definition.operations == "E":
        return ResourceButtonDescription(
            **resource.common(),
            device_class=ButtonDeviceClass.RESTART if resource.ids == _REBOOT else None,
            entity_registry_enabled_default=False,
        )
    if definition.type == "Boolean":
        return _describe_switched(resource, kind, controls)
    if resource.ids in _STATUS:
        return _describe_level(resource)
    if (values := _VALUES.get(resource.ids)) is not None:
        return ResourceSelectDescription(**resource.common(), options=list(values), values=values)
    if definition.type in {*_INTEGERS, "Float"}:
        return _describe_number(resource)
    raise ValueError(f"The type of {path} is {definition.type}")


def _output(ids: tuple[int, int], kind: DeviceKind) -> Platform:
    """Return the platform of a Boolean that is written."""
    if ids == (_LIGHT_CONTROL, _ON_OFF):
        return Platform.LIGHT
    meaning = KIND_MEANINGS.get(kind)
    return meaning.output if meaning is not None and ids in _GENERIC_OUTPUTS else Platform.SWITCH


def _describe_switched(resource: _Resource, kind: DeviceKind, controls: frozenset[str]) -> ControlDescription:
    """Return the description of the switch, light or valve of a Boolean."""
    platform = _output(resource.ids, kind)
    if platform is Platform.SWITCH:
        return ResourceSwitchDescription(**resource.common())
    dimmer = resource.sibling(_DIMMER)
    level_path = dimmer if dimmer in controls and resource.res_id == _ON_OFF else ""
    fields = resource.common() | {"switch_path": resource.path, "level_path": level_path}
    if platform is Platform.LIGHT:
        return ResourceLightDescription(**fields | _LIGHT)
    device_class = KIND_MEANINGS[kind].valve
    return ResourceValveDescription(**fields | _VALVE, device_class=device_class, reports_position=bool(level_path))


def _describe_level(resource: _Resource) -> ControlDescription:
    """Return the description of the light or valve of an object that has a level only."""
    status_path = resource.sibling(_STATUS[resource.ids])
    fields = resource.common() | {"level_path": resource.path, "status_path": status_path}
    if resource.ids == _LAMP_COMMAND:
        return ResourceLightDescription(**fields | _LIGHT)
    return ResourceValveDescription(**fields | _VALVE, device_class=ValveDeviceClass.WATER, reports_position=True)


def _describe_number(resource: _Resource) -> ControlDescription:
    """Return the description of the number entity of a number."""
    definition = resource.definition
    sensor = describe(resource.path)
    if not isinstance(sensor, ResourceSensorDescription):
        raise ValueError(f"{resource.path} is not described as a number")  # noqa: TRY004 - an invalid path
    is_integer = definition.type in _INTEGERS
    lowest, _, highest = definition.range.partition("..")
    min_path, max_path = map(resource.sibling, _RANGE) if resource.obj_id in IPSO_OBJECTS else ("", "")
    lowest_of_type = 0 if definition.type == "Unsigned Integer" else -_LIMIT
    return ResourceNumberDescription(
        **resource.common(),
        sensor=sensor,
        unit_path=sensor.unit_path,
        is_integer=is_integer,
        lowest=float(lowest) if highest else lowest_of_type,
        highest=float(highest) if highest else _LIMIT,
        native_step=1 if is_integer or sensor.native_unit_of_measurement == UnitOfRatio.PERCENTAGE else 0.01,
        min_path=min_path,
        max_path=max_path,
    )
