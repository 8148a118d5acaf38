"""A command that was queued here: what was asked for, and what has become of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_STATE, ATTR_TIME
from homeassistant.core import Context
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads_object

from .const import (
    ATTR_COMMAND,
    ATTR_CONFIRM_TIME,
    ATTR_CREATE_TIME,
    ATTR_EXPIRED_TIME,
    ATTR_IMEI,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_REASON,
    ATTR_REMAIN,
    ATTR_RES_ID,
    ATTR_RES_INST_ID,
    ATTR_SEND_TIME,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
)
from .onenet.models import CachedRead, CommandDetail, CommandRecord, CommandState, LogEntry, Trigger

# A command only goes forward, from one of these to a later one, and from any of them to its end: all other states.
_UNDER_WAY = (CommandState.UNKNOWN, CommandState.QUEUED, CommandState.SENT)


@dataclass(kw_only=True, slots=True, eq=False)
class Command:
    """Hold a command; as JSON, a row of the store.

    `caller` are the ids of the caller's context, its user and its parent; the context itself would hold on to an event
    and more for as long as the command waits. `asked_at` is the platform's time. `uuid` is empty while nobody knows
    whether OneNET has the command. `values` are as in an event.
    """

    id: int
    asked: CachedRead
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

    @classmethod
    def from_row(cls, row: bytes) -> Self:
        """Read a command from a row; raise LookupError, TypeError or ValueError where it is none."""
        data: dict[str, Any] = json_loads_object(row)
        asked: dict[str, Any] = data["asked"]
        for fields in (data, asked):
            for name in fields:
                if name.endswith(("_time", "_at")) and fields[name] is not None:
                    fields[name] = datetime.fromisoformat(fields[name])
        if asked["trigger_msg"] is not None:
            asked["trigger_msg"] = Trigger(asked["trigger_msg"])
        return cls(
            **data
            | {
                "asked": CachedRead(**asked),
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
    def is_over(self) -> bool:
        """Return whether nothing more will become of the command."""
        return self.state not in _UNDER_WAY

    def can_become(self, state: CommandState) -> bool:
        """Return whether that state is further on than the command's."""
        return not self.is_over and (state not in _UNDER_WAY or _UNDER_WAY.index(state) > _UNDER_WAY.index(self.state))

    def event_fields(self, entry_id: str) -> dict[str, Any]:
        """Return what every event of the command carries."""
        asked = self.asked
        return _present(
            {
                ATTR_CONFIG_ENTRY_ID: entry_id,
                ATTR_COMMAND: "read",
                ATTR_IMEI: asked.imei,
                ATTR_OBJ_ID: asked.obj_id,
                ATTR_OBJ_INST_ID: asked.obj_inst_id,
                ATTR_RES_ID: asked.res_id,
                ATTR_UUID: self.uuid or None,
                ATTR_VALID_TIME: _local(asked.valid_time),
                ATTR_EXPIRED_TIME: _local(asked.expired_time),
            }
        )

    def outcome_fields(self) -> dict[str, Any]:
        """Return what the event of a command's end carries beside that."""
        return _present({ATTR_REASON: self.reason, ATTR_MESSAGE: self.message, ATTR_VALUES: self.values})

    def all_fields(self, entry_id: str) -> dict[str, Any]:
        """Return everything that is known of the command."""
        return (
            self.event_fields(entry_id)
            | _present(
                {
                    ATTR_STATE: self.state.value,
                    ATTR_CREATE_TIME: _local(self.asked_at),
                    ATTR_SEND_TIME: _local(self.send_time),
                    ATTR_CONFIRM_TIME: _local(self.confirm_time),
                    ATTR_REMAIN: self.remain,
                }
            )
            | self.outcome_fields()
        )


def describe_record(record: CommandRecord) -> dict[str, Any]:
    """Return what OneNET's list tells of a command that was not queued here."""
    return _present(
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


def describe_detail(entry_id: str, imei: str, detail: CommandDetail) -> dict[str, Any]:
    """Return what OneNET's details tell of a command that was not queued here."""
    fields = _present(
        {
            ATTR_CONFIG_ENTRY_ID: entry_id,
            ATTR_IMEI: imei,
            ATTR_OBJ_ID: detail.obj_id,
            ATTR_OBJ_INST_ID: detail.obj_inst_id,
            ATTR_RES_ID: detail.res_id,
        }
    ) | describe_record(detail.record)
    if detail.record.state is CommandState.SUCCEEDED and detail.record.command == "read":
        fields[ATTR_VALUES] = describe_values(detail)
    return fields


def describe_values(detail: CommandDetail) -> list[dict[str, Any]]:
    """Return the values of a finished read and where each is from; here, null is what the device said."""
    return [
        _present(
            {
                ATTR_OBJ_ID: value.obj_id,
                ATTR_OBJ_INST_ID: value.obj_inst_id,
                ATTR_RES_ID: value.res_id,
                ATTR_RES_INST_ID: value.res_inst_id,
            }
        )
        | {ATTR_VALUE: value.value}
        for value in detail.values
    ]


def describe_log(log: tuple[LogEntry, ...]) -> list[dict[str, Any]]:
    """Return OneNET's log of a command."""
    return [_present({ATTR_TIME: _local(entry.time), ATTR_MESSAGE: entry.text}) for entry in log]


def _local(moment: datetime | None) -> str | None:
    """Return a time as people here tell it."""
    return None if moment is None else dt_util.as_local(moment).isoformat()


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: absent is absent."""
    return {name: value for name, value in fields.items() if value is not None}
