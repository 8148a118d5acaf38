"""The activity of devices: events from which the logbook makes sentences."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID

from .command import Command
from .const import (
    ATTR_COMMAND,
    ATTR_IMEI,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_RES_ID,
    ATTR_RESOURCES,
    ATTR_TYPE,
    ATTR_VALUE,
    ATTR_VALUES,
)
from .devices import Device
from .onenet.models import Opaque
from .onenet.operations import Write
from .values import parse_text

ATTR_COUNT: Final = "count"
ATTR_PATH: Final = "path"
# A sentence has the first few values of a read, each with the beginning of a long text.
VALUES_MAX: Final = 4
_TEXT_MAX = 50
_COPIED = (ATTR_CONFIG_ENTRY_ID, ATTR_IMEI, ATTR_DEVICE_ID, ATTR_COMMAND, ATTR_REASON, ATTR_MESSAGE)


def describe_activity(
    change: str, fields: Mapping[str, Any], command: Command | None, device: Device | None, count: int
) -> dict[str, Any]:
    """Return the data of the event of a command's new state, or of several commands that a reading has queued.

    `fields` are those of the command's event. The command is None if it was not queued here, the device if it was not
    added.
    """
    data: dict[str, Any] = {ATTR_TYPE: change, ATTR_RESOURCES: _paths(fields, command)}
    data |= {name: fields[name] for name in _COPIED if name in fields}
    if count > 1:
        data[ATTR_COUNT] = count
    if values := _shown_values(fields.get(ATTR_VALUES, ()), device):
        # One more than a sentence has, to know that there are more.
        data[ATTR_VALUES] = [{ATTR_PATH: path, ATTR_VALUE: value} for path, value in values[: VALUES_MAX + 1]]
    return data


def _paths(fields: Mapping[str, Any], command: Command | None) -> list[str]:
    """Return the path of what a command reads or executes, or the paths of the resources that it writes."""
    path = _path(fields)
    if command is not None and isinstance(write := command.asked.operation, Write):
        return [f"{path}/{value.res_id}" for value in write.values]
    return [path] if path else []


def _path(fields: Mapping[str, Any]) -> str:
    """Return the path of an object, an instance or a resource; it is empty if the object is unknown."""
    path = ""
    for name in (ATTR_OBJ_ID, ATTR_OBJ_INST_ID, ATTR_RES_ID):
        if name not in fields:
            break
        path += f"/{fields[name]}"
    return path.removeprefix("/")


def _shown_values(values: Sequence[Mapping[str, Any]], device: Device | None) -> list[tuple[str, Any]]:
    """Return the values with their paths: those that the device's entities show, or all if they show none."""
    found = [(_path(value), _shorten(value[ATTR_VALUE])) for value in values]
    shown = {path for description in device.descriptions for path in description.shown_paths} if device else set()
    return [(path, value) for path, value in found if path in shown] or found


def _shorten(value: Any) -> Any:
    """Return a number, a Boolean or None as it is, the beginning of a text, or bytes as hex digits."""
    if value is None or isinstance(value, bool | int | float):
        return value
    # Without the prefix, some bytes would be read as a number.
    return f"0x{value}"[:_TEXT_MAX] if isinstance(value, Opaque) else (parse_text(value) or "")[:_TEXT_MAX]
