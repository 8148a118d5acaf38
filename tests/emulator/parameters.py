"""What the platform takes as parameters and as the body of a command, and how it refuses the rest."""

from collections.abc import Mapping, Set as AbstractSet
from datetime import datetime, timedelta, timezone
import json
import re
from typing import Any

BEIJING = timezone(timedelta(hours=8))
BODY_MAX = 2048
_IMEI = re.compile(r"[1-9]\d{14}|\d{4}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

# Of every command, next to "imei": what it requires, and what it also takes.
COMMANDS = {
    "READ": (frozenset({"obj_id"}), frozenset({"obj_inst_id", "res_id"})),
    "WRITE": (frozenset({"obj_id", "obj_inst_id", "mode"}), frozenset()),
    "EXECUTE": (frozenset({"obj_id", "obj_inst_id", "res_id"}), frozenset()),
    "OBSERVE": (
        frozenset({"obj_id", "cancel"}),
        frozenset({"obj_inst_id", "res_id", "pmin", "pmax", "gt", "lt", "st"}),
    ),
    "DISCOVER": (frozenset({"obj_id"}), frozenset({"obj_inst_id"})),
}
_RANGES = {
    "obj_id": (0, 65535),
    "obj_inst_id": (0, 65535),
    "res_id": (0, 65535),
    "mode": (1, 2),
    "retry": (0, 10),
    "timeout": (5, 40),
    "trigger_msg": (1, 7),
    # Of these two, only the lower bound is OneNET's.
    "pmin": (1, 2**31),
    "pmax": (1, 2**31),
}


class RefusalError(Exception):
    """An error number, as the legacy platform has it, and the text that goes with it."""

    def __init__(self, errno: int, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.errno = errno
        self.text = text


def invalid(name: str) -> RefusalError:
    """Return the refusal of a parameter."""
    return RefusalError(3, f"invalid parameter: {name}")


def check_imei(query: Mapping[str, str]) -> str:
    """Return the IMEI, once it is one."""
    if not _IMEI.fullmatch(imei := query.get("imei", "")):
        raise invalid("imei")
    return imei


def check_query(query: Mapping[str, str], required: AbstractSet[str], optional: AbstractSet[str]) -> None:
    """Refuse what is missing, what is unknown, and what is out of its range."""
    if missing := required - set(query):
        raise invalid(", ".join(sorted(missing)))
    if extra := set(query) - required - optional - {"imei"}:
        raise invalid(", ".join(sorted(extra)))
    for name in _RANGES:
        if name in query:
            number(query, name)
    for name in ("bin2hex", "cancel"):
        if query.get(name, "true") not in ("true", "false"):
            raise invalid(name)
    if "res_id" in query and "obj_inst_id" not in query:
        raise invalid("res_id needs obj_inst_id")
    _check_attributes(query)


def _check_attributes(query: Mapping[str, str]) -> None:
    """Refuse conditions of an observation that nothing can meet."""
    if "pmin" in query and "pmax" in query and int(query["pmax"]) < int(query["pmin"]):
        raise invalid("pmax is less than pmin")
    for name in ("gt", "lt", "st"):
        if name in query and not _DECIMAL.fullmatch(query[name]):
            raise invalid(name)
        if name in query and "res_id" not in query:
            raise invalid(f"{name} needs res_id")
    if "gt" in query and "lt" in query:
        greater, less, step = (float(query.get(name, "0")) for name in ("gt", "lt", "st"))
        if less >= greater or less + 2 * step >= greater:
            raise invalid("lt, st and gt overlap")


def number(query: Mapping[str, str], name: str, default: int | None = None) -> int:
    """Return a whole number in its range; without a default it has to be there."""
    text = query.get(name, "" if default is None else str(default))
    minimum, maximum = _RANGES[name]
    if not text.isascii() or not text.isdecimal() or not minimum <= int(text) <= maximum:
        raise invalid(name)
    return int(text)


def moment(query: Mapping[str, str], name: str) -> datetime:
    """Return a Beijing wall clock time."""
    text = query.get(name, "")
    try:
        found = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise invalid(name) from None
    return found.replace(tzinfo=BEIJING)


def parse_body(body: bytes) -> Any:
    """Return what a body says; an empty one says nothing."""
    if len(body) > BODY_MAX:
        raise RefusalError(3, "body too large")
    try:
        return json.loads(body.decode() or "{}", parse_constant=_refuse_constant)
    except ValueError:
        raise RefusalError(3, "invalid body: not JSON") from None


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which are Python's and not JSON's."""
    raise ValueError(name)


def check_content(kind: str, content: Any) -> None:
    """Refuse a body that is not of a command's form; whether a value fits is for the device to say."""
    if kind == "WRITE":
        data = content.get("data") if isinstance(content, dict) and len(content) == 1 else None
        if not isinstance(data, list) or not data or not all(map(_is_written, data)):
            raise RefusalError(3, "invalid body: data")
    if kind == "EXECUTE" and (
        not isinstance(content, dict) or set(content) - {"args"} or not isinstance(content.get("args", ""), str)
    ):
        raise RefusalError(3, "invalid body: args")


def _is_written(item: Any) -> bool:
    """Return whether this is a resource and a value."""
    return (
        isinstance(item, dict)
        and {"res_id", "val"} <= set(item) <= {"res_id", "val", "type"}
        # JSON's true is no number, though Python's is.
        and type(item["res_id"]) is int
        and 0 <= item["res_id"] <= 65535
        and isinstance(item["val"], str | int | float)
        and ("type" not in item or (type(item["type"]) is int and item["type"] in (1, 2)))
    )
