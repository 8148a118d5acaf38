"""Cached commands in the form of lists, details and logs."""

from datetime import datetime
import json
from typing import Any

from .call import Call
from .device import Command
from .generation import Generation
from .times import cst, iso, printed

_TYPES = {"READ": 0, "WRITE": 1, "EXECUTE": 2}
_CONFIRM_STATUS = (
    "SUCCESS",
    "METHOD_NOT_ALLOWED",
    "FORBIDDEN",
    "NOT_FOUND",
    "INTERNAL_SERVER_ERROR",
    "TIME_OUT",
    "REQ_PARAM_ERROR",
    "RESP_ERROR",
    "UNAUTHORIZED",
    "BAD_REQUEST",
    "NOT_ACCEPTABLE",
    "UNSUPPORTED_CONTENT_FORMAT",
    "OFFLINE",
    "ADDR_OCCUPIED",
)


def item(call: Call, command: Command) -> dict[str, Any]:
    """Return a command as an item of the list."""
    feedback = {"feedback_time": _time(call, command.feedback_time)} if command.feedback_time else {}
    return _uuid(call, command) | _states(call, command, ".") | feedback | _identity(call, command)


def detail(call: Call, command: Command) -> dict[str, Any]:
    """Return the detail of a command."""
    found: dict[str, Any] = _uuid(call, command) if call.onenet.switches.detail_has_uuid else {}
    found |= _states(call, command) | {"args": _args(call, command), "content": command.content or {}}
    if command.send_time:
        found["feedback_msg"] = (
            [{"feedback_time": _time(call, command.feedback_time), "feedback_status": 0}]
            if command.feedback_time
            else []
        )
    found |= _identity(call, command)
    return found | {"cmd_result": _result(call, command)} if command.confirm_status == "SUCCESS" else found


def log(command: Command) -> list[dict[str, str]]:
    """Return the log of a command."""
    return [{"log": text, "time": cst(moment)} for moment, text in command.log]


def _uuid(call: Call, command: Command) -> dict[str, Any]:
    """Return the UUID of a command, which the legacy platform pads with a blank."""
    return {"cmd_uuid": f"{command.uuid} " if call.generation is Generation.LEGACY else command.uuid}


def _states(call: Call, command: Command, separator: str = "") -> dict[str, Any]:
    """Return the type, the times and the states of a command, without those that it does not have yet."""
    switches = call.onenet.switches
    found: dict[str, Any] = {
        "type": _TYPES[command.kind] if switches.type_as_number else command.kind,
        "create_time": _time(call, command.create_time),
        "valid_time": _time(call, command.valid_time, separator),
        "expired_time": _time(call, command.expired_time, separator),
        "trigger_msg": int(command.trigger_msg),
        "send_status": int(command.send_status),
    }
    if command.send_time:
        found["send_time"] = _time(call, command.send_time)
    if command.confirm_time:
        found["confirm_time"] = _time(call, command.confirm_time)
    if status := command.confirm_status:
        found["confirm_status"] = _CONFIRM_STATUS.index(status) if switches.confirm_as_number else status
    return found


def _identity(call: Call, command: Command) -> dict[str, Any]:
    """Return the device and the remaining deliveries of a command."""
    remain = str(command.remain) if call.generation is Generation.LEGACY else command.remain
    return {"imei": command.imei, "remain": remain}


def _args(call: Call, command: Command) -> dict[str, Any]:
    """Return the query of a command with its defaults, numbers as numbers, and times with milliseconds."""
    times = {
        "valid_time": _time(call, command.valid_time, ":"),
        "expired_time": _time(call, command.expired_time, ":"),
    }
    query = {"retry": "3", "timeout": "25"} | command.args
    return {name: _typed(name, text) for name, text in query.items()} | times


def _typed(name: str, text: str) -> Any:
    """Return a parameter of a query in its JSON type."""
    if name != "imei" and text.isdecimal():
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def _result(call: Call, command: Command) -> Any:
    """Return the reply of the call of a command's type, in the form that the switch chooses."""
    reply: dict[str, Any] = {"errno": 0, "error": "succ"}
    if command.result is not None:
        reply["data"] = command.result
    match call.onenet.switches.cmd_result:
        case "data" if command.result is not None:
            return command.result
        case "text":
            return json.dumps(reply)
    return reply


def _time(call: Call, moment: datetime, separator: str = "") -> str:
    """Return a time in the form of the call's platform."""
    if call.generation is Generation.CURRENT and call.onenet.switches.iso_times:
        return iso(moment)
    return printed(moment, separator)
