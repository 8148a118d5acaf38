"""The options of triggers and conditions that select commands."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .const import ATTR_COMMAND, ATTR_OBJ_ID, ATTR_OBJ_INST_ID, ATTR_RES_ID
from .onenet.operations import LWM2M_ID_MAX, Operation, Write

COMMANDS = ("read", "write", "execute")
_RESOURCE_FIELDS = (ATTR_OBJ_ID, ATTR_OBJ_INST_ID, ATTR_RES_ID)
_LWM2M_ID = vol.All(vol.Coerce(int), vol.Range(min=0, max=LWM2M_ID_MAX))
COMMAND_OPTIONS: dict[vol.Marker, Any] = {
    vol.Optional(ATTR_COMMAND, default=list(COMMANDS)): vol.All(cv.ensure_list, [vol.In(COMMANDS)]),
    **{vol.Optional(field): _LWM2M_ID for field in _RESOURCE_FIELDS},
}


class CommandFilter:
    """Select commands by their kind and by the resources that they are about."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Create a filter from the validated options."""
        self._commands = frozenset(options[ATTR_COMMAND] or COMMANDS)
        self._ids = {field: options[field] for field in _RESOURCE_FIELDS if field in options}

    def matches(self, fields: Mapping[str, Any], operation: Operation | None) -> bool:
        """Return whether a command with these fields of its event matches; `operation` is what it does, if known.

        A command for all instances or resources matches each of them.
        """
        if fields.get(ATTR_COMMAND) not in self._commands or not self._matches_resource(fields):
            return False
        if not isinstance(operation, Write) or ATTR_RES_ID not in self._ids:
            return True
        return any(value.res_id == self._ids[ATTR_RES_ID] for value in operation.values)

    def select(self, values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the values of the resources that match."""
        return [value for value in values if self._matches_resource(value)]

    def _matches_resource(self, fields: Mapping[str, Any]) -> bool:
        """Return whether the ids in these fields match."""
        return all(fields.get(field, id_) == id_ for field, id_ in self._ids.items())
