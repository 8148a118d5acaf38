"""A queued command with its row in the store, and the fields of events and responses."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from homeassistant.const import ATTR_STATE, ATTR_TIME
from homeassistant.core import Context
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads_object

from .const import (
    ATTR_ARGS,
    ATTR_CMD_RESULT,
    ATTR_COMMAND,
    ATTR_CONFIRM_TIME,
    ATTR_CREATE_TIME,
    ATTR_EXPIRED_TIME,
    ATTR_MESSAGE,
    ATTR_MODE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_REMAIN,
    ATTR_RES_ID,
    ATTR_RES_INST_ID,
    ATTR_SEND_TIME,
    ATTR_TYPE,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
    ATTR_VALUES_OMITTED,
)
from .onenet.models import CommandDetail, CommandRecord, CommandState, LogEntry, Opaque, Resource, ResourceValue
from .onenet.operations import (
    CachedCommand,
    Execute,
    Operation,
    Read,
    Trigger,
    ValueType,
    Write,
    WriteMode,
    WrittenValue,
)
from .onenet.push import PushedOutcome

# The unfinished states in their order: a command only changes to a later one of these, or to a finished state.
_UNFINISHED = (CommandState.UNKNOWN, CommandState.QUEUED, CommandState.SENT)
_OPERATIONS: dict[str, type[Read | Write | Execute]] = {"read": Read, "write": Write, "execute": Execute}
# Why the values of a successful read are left out.
VALUES_TOO_LARGE = "too_large"
VALUES_UNREADABLE = "unreadable"
# The members of a read in rows of the version that only supported reads.
_READ = ("imei", "obj_id", "obj_inst_id", "res_id")


@dataclass(kw_only=True, slots=True, eq=False, repr=False)
class Command:
    """Hold a queued command; its JSON is a row of the store, so renaming a field changes the rows.

    `caller` are the ids of the caller's context, its user and its parent; the context itself would keep an event and
    more in memory until the command is finished. `asked_at`, in the platform's time, is when the command was created,
    `over_at` when it finished. `uuid` is empty while it is unknown whether OneNET has the command. `values` have the
    form of an event's values.
    """

    id: int
    asked: CachedCommand
    caller: tuple[str, str | None, str | None]
    asked_at: datetime
    uuid: str = ""
    state: CommandState = CommandState.UNKNOWN
    remain: int | None = None
    send_time: datetime | None = None
    confirm_time: datetime | None = None
    reason: str | None = None
    message: str | None = None
    values: list[dict[str, Any]] | None = None
    over_at: datetime | None = None
    # The result of a read, as JSON, if its values cannot be parsed.
    unreadable: str | None = None
    # Whether the state is saved, but the event that publishes it is not fired yet.
    unpublished: bool = False

    @classmethod
    def from_row(cls, row: bytes, unknown: set[str] | None = None) -> Self:
        """Return the command of a row, and add the names that this version does not know to `unknown`.

        Raise LookupError, TypeError or ValueError for an invalid row.
        """
        data: dict[str, Any] = json_loads_object(row)
        if unknown is not None:
            unknown |= data.keys() - _COMMAND_FIELDS
        asked: dict[str, Any] = data["asked"]
        if "operation" not in asked:
            asked["operation"] = {"command": "read"} | {name: asked.pop(name) for name in _READ}
        asked = _select_known(asked, _CACHED_FIELDS)
        data = _select_known(data, _COMMAND_FIELDS)
        for found in (data, asked):
            for name in found:
                if name.endswith(("_time", "_at")) and found[name] is not None:
                    found[name] = datetime.fromisoformat(found[name])
        if asked["trigger_msg"] is not None:
            asked["trigger_msg"] = Trigger(asked["trigger_msg"])
        return cls(
            **data
            | {
                "asked": CachedCommand(**asked | {"operation": _operation(asked["operation"])}),
                "caller": tuple(data["caller"]),
                "state": CommandState(data["state"]),
            }
        )

    @property
    def context(self) -> Context:
        """Return the caller's context."""
        context_id, user_id, parent_id = self.caller
        return Context(id=context_id, user_id=user_id, parent_id=parent_id)

    @property
    def is_finished(self) -> bool:
        """Return whether the state is final."""
        return self.state not in _UNFINISHED

    def can_become(self, state: CommandState) -> bool:
        """Return whether a change to this state is a step forward."""
        return not self.is_finished and (
            state not in _UNFINISHED or _UNFINISHED.index(state) > _UNFINISHED.index(self.state)
        )

    def event_fields(self) -> dict[str, Any]:
        """Return the fields of every event of the command, except those that identify the device."""
        return describe_operation(self.asked.operation) | _without_none(
            {
                ATTR_UUID: self.uuid or None,
                ATTR_VALID_TIME: _local(self.asked.valid_time),
                ATTR_EXPIRED_TIME: _local(self.asked.expired_time),
            }
        )

    def outcome_fields(self) -> dict[str, Any]:
        """Return the additional fields of the event of a finished command."""
        omitted = VALUES_UNREADABLE if self.values is None and self.has_values else None
        return _without_none(
            {
                ATTR_REASON: self.reason,
                ATTR_MESSAGE: self.message,
                ATTR_VALUES: self.values,
                ATTR_VALUES_OMITTED: omitted,
            }
        )

    @property
    def has_values(self) -> bool:
        """Return whether the command is a successful read."""
        return self.state is CommandState.SUCCEEDED and isinstance(self.asked.operation, Read)

    def confirmed_values(self) -> list[dict[str, Any]]:
        """Return the values that the device has confirmed: those of a read, or those that were written."""
        if self.state is not CommandState.SUCCEEDED:
            return []
        return describe_confirmed(self.asked.operation, self.values)

    def all_fields(self) -> dict[str, Any]:
        """Return all known fields of the command, except those that identify the device."""
        operation = self.asked.operation
        written = {}
        if isinstance(operation, Write):
            written = _describe_written(operation.mode, operation.values)
        if isinstance(operation, Execute):
            written = _without_none({ATTR_ARGS: operation.args})
        return (
            self.event_fields()
            | written
            | _without_none(
                {
                    ATTR_STATE: self.state.value,
                    ATTR_CREATE_TIME: _local(self.asked_at),
                    ATTR_SEND_TIME: _local(self.send_time),
                    ATTR_CONFIRM_TIME: _local(self.confirm_time),
                    ATTR_REMAIN: self.remain,
                }
            )
            | self.outcome_fields()
            | _without_none({ATTR_CMD_RESULT: self.unreadable})
        )


def _names(kind: type[Any]) -> frozenset[str]:
    """Return the names of the parameters of a dataclass."""
    return frozenset(field.name for field in fields(kind) if field.init)


_COMMAND_FIELDS = _names(Command)
_CACHED_FIELDS = _names(CachedCommand)
_OPERATION_FIELDS = {kind: _names(kind) for kind in _OPERATIONS.values()}
_VALUE_FIELDS = _names(WrittenValue)


def _select_known(data: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return the members of a row that this version knows."""
    return data if data.keys() <= names else {name: value for name, value in data.items() if name in names}


def describe_confirmed(operation: Operation, read: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return the values that a confirmed operation has read or written, in the form of an event's values."""
    if not isinstance(operation, Write):
        return read or []
    return [
        {
            ATTR_OBJ_ID: operation.obj_id,
            ATTR_OBJ_INST_ID: operation.obj_inst_id,
            ATTR_RES_ID: value.res_id,
            ATTR_VALUE: Opaque(value.value) if value.type is ValueType.OPAQUE else value.value,
        }
        for value in operation.values
    ]


def _operation(data: dict[str, Any]) -> Read | Write | Execute:
    """Return the operation of a row; raise LookupError, TypeError or ValueError for an invalid one."""
    kind = _OPERATIONS[data["command"]]
    data = _select_known(data, _OPERATION_FIELDS[kind])
    if kind is Write:
        data["mode"] = WriteMode(data["mode"])
        data["values"] = tuple(
            WrittenValue(**_select_known(v, _VALUE_FIELDS) | {"type": ValueType(v["type"])}) for v in data["values"]
        )
    return kind(**data)


def describe_operation(operation: Operation) -> dict[str, Any]:
    """Return the fields of an operation and its target."""
    return _without_none(
        {
            ATTR_COMMAND: operation.command,
            ATTR_OBJ_ID: operation.obj_id,
            ATTR_OBJ_INST_ID: operation.obj_inst_id,
            ATTR_RES_ID: operation.res_id,
        }
    )


def _describe_written(mode: WriteMode | None, values: Iterable[WrittenValue]) -> dict[str, Any]:
    """Return the fields of a write in the form of the action's fields."""
    return _without_none(
        {
            ATTR_MODE: mode and mode.name.lower(),
            ATTR_VALUES: [
                {ATTR_RES_ID: value.res_id, ATTR_VALUE: _as_typed(value), ATTR_TYPE: value.type.name.lower()}
                for value in values
            ],
        }
    )


def _as_typed(value: WrittenValue) -> Any:
    """Return a written value in the form in which the action accepts it."""
    if value.type is ValueType.TIME:
        # A command from another client may contain an invalid time.
        with suppress(ArithmeticError, OSError, TypeError, ValueError):
            return _local(value.moment)
    return value.value


def describe_record(record: CommandRecord) -> dict[str, Any]:
    """Return the fields of a command as OneNET lists it."""
    return _without_none(
        {
            ATTR_UUID: record.uuid,
            ATTR_COMMAND: record.command or None,
            ATTR_STATE: record.state.value,
            ATTR_REASON: record.reason,
            ATTR_MESSAGE: record.message,
            ATTR_CREATE_TIME: _local(record.create_time),
            ATTR_VALID_TIME: _local(record.valid_time),
            ATTR_EXPIRED_TIME: _local(record.expired_time),
            ATTR_SEND_TIME: _local(record.send_time),
            ATTR_CONFIRM_TIME: _local(record.confirm_time),
            ATTR_REMAIN: record.remain,
        }
    )


def describe_detail(detail: CommandDetail) -> dict[str, Any]:
    """Return the fields of a command from its details."""
    found = _without_none(
        {
            ATTR_OBJ_ID: detail.obj_id,
            ATTR_OBJ_INST_ID: detail.obj_inst_id,
            ATTR_RES_ID: detail.res_id,
        }
    ) | describe_record(detail.record)
    if detail.record.command == "write":
        found |= _describe_written(detail.mode, detail.written)
    if detail.record.command == "execute":
        found |= _without_none({ATTR_ARGS: detail.args or None})
    if detail.record.state is CommandState.SUCCEEDED and detail.record.command == "read":
        values = {ATTR_VALUES_OMITTED: VALUES_UNREADABLE, ATTR_CMD_RESULT: detail.unreadable}
        found |= values if detail.unreadable else {ATTR_VALUES: describe_values(detail.values)}
    return found


def describe_values(values: Iterable[ResourceValue], obj_id: int | None = None) -> list[dict[str, Any]]:
    """Return the values of a device; the object of a value defaults to `obj_id`.

    A null value was null in the device's reply.
    """
    return [
        _without_none(
            {
                ATTR_OBJ_ID: obj_id if value.obj_id is None else value.obj_id,
                ATTR_OBJ_INST_ID: value.obj_inst_id,
                ATTR_RES_ID: value.res_id,
                ATTR_RES_INST_ID: value.res_inst_id,
            }
        )
        | {ATTR_VALUE: value.value}
        for value in values
    ]


def describe_outcome(outcome: PushedOutcome) -> dict[str, Any]:
    """Return the fields of the outcome of a command that another application has queued."""
    record = outcome.record
    return _without_none(
        {
            ATTR_UUID: record.uuid,
            ATTR_CONFIRM_TIME: _local(record.confirm_time),
            ATTR_REASON: record.reason,
            ATTR_MESSAGE: record.message,
            ATTR_VALUES: describe_values(outcome.result.values) or None,
        }
    )


def describe_resources(resources: Iterable[Resource]) -> list[dict[str, Any]]:
    """Return the fields of a device's resources."""
    return [
        _without_none(
            {ATTR_OBJ_ID: resource.obj_id, ATTR_OBJ_INST_ID: resource.obj_inst_id, ATTR_RES_ID: resource.res_id}
        )
        for resource in resources
    ]


def describe_log(log: tuple[LogEntry, ...]) -> list[dict[str, Any]]:
    """Return the fields of OneNET's log of a command."""
    return [_without_none({ATTR_TIME: _local(entry.time), ATTR_MESSAGE: entry.text}) for entry in log]


def _local(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601, in Home Assistant's time zone."""
    return None if moment is None else dt_util.as_local(moment).isoformat()


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}
