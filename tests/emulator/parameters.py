"""Checks of the parameters and bodies of calls."""

from collections.abc import Mapping, Set as AbstractSet
from datetime import datetime
import json
import re
from typing import Any

from .refusals import RefusalError, invalid, malformed_body, missing, too_large
from .times import BEIJING

# Bytes of the data of a write, and of the args of an execution.
CONTENT_MAX = 2048
_IMEI = re.compile(r"[1-9]\d{14}|\d{4}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,19}", re.ASCII)
_DATA = re.compile(rb'\s*\{\s*"data"\s*:\s*(.*?)\s*\}\s*', re.DOTALL)

# Required and optional parameters of every command, except "imei".
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
    # Only the lower bounds of these two are OneNET's.
    "pmin": (1, 2**31),
    "pmax": (1, 2**31),
}


def check_imei(query: Mapping[str, str]) -> str:
    """Return the IMEI that a query names."""
    if "imei" not in query:
        raise missing("imei")
    if not _IMEI.fullmatch(imei := query.get("imei", "")):
        raise invalid("imei")
    return imei


def check_query(query: Mapping[str, str], required: AbstractSet[str], optional: AbstractSet[str]) -> None:
    """Refuse parameters that are missing, unknown or out of range."""
    if absent := required - set(query):
        raise missing(", ".join(sorted(absent)))
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
    """Refuse conditions of an observation that no value can meet."""
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
    """Return a parameter of a command in its range; without a default it is required."""
    return whole(query, name, default, *_RANGES[name])


def whole(
    query: Mapping[str, str], name: str, default: int | None = None, minimum: int = 0, maximum: int = 2**63
) -> int:
    """Return a whole number in a range; without a default it is required."""
    if name not in query and default is None:
        raise missing(name)
    text = query.get(name, str(default))
    if not _WHOLE.fullmatch(text) or not minimum <= int(text) <= maximum:
        raise invalid(name)
    return int(text)


def moment(query: Mapping[str, str], name: str) -> datetime:
    """Return a Beijing wall clock time."""
    if name not in query:
        raise missing(name)
    text = query[name]
    try:
        found = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise invalid(name) from None
    return found.replace(tzinfo=BEIJING)


def direction(query: Mapping[str, str], default: str) -> bool:
    """Return whether the order is descending."""
    if (order := query.get("sort", default)) not in ("DESC", "ASC"):
        raise invalid("sort")
    return order == "DESC"


def parse_body(body: bytes) -> Any:
    """Return the content of a JSON body; an empty body is an empty object."""
    if (data := _DATA.fullmatch(body)) and len(data[1]) > CONTENT_MAX:
        raise too_large("data")
    try:
        return json.loads(body.decode() or "{}", parse_constant=_refuse_constant)
    except ValueError:
        raise RefusalError(4, "invalid json", 10001) from None


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python accepts and JSON does not have."""
    raise ValueError(name)


def check_content(kind: str, content: Any) -> None:
    """Refuse a body that is not of a command's form; the types of values are the device's to check."""
    match kind:
        case "WRITE":
            data = content.get("data") if isinstance(content, dict) and len(content) == 1 else None
            if not isinstance(data, list) or not data or not all(map(_is_written, data)):
                raise malformed_body()
        case "EXECUTE":
            if not isinstance(content, dict) or set(content) - {"args"}:
                raise malformed_body()
            if not isinstance(args := content.get("args", ""), str):
                raise malformed_body()
            if len(args.encode(errors="surrogatepass")) > CONTENT_MAX:
                raise too_large("args")


def _is_written(item: Any) -> bool:
    """Return whether an item is a resource and a value."""
    return (
        isinstance(item, dict)
        and {"res_id", "val"} <= set(item) <= {"res_id", "val", "type"}
        # Python's True is an int, JSON's true is no number.
        and type(item["res_id"]) is int
        and 0 <= item["res_id"] <= 65535
        and isinstance(item["val"], str | int | float)
        and ("type" not in item or (type(item["type"]) is int and item["type"] in (1, 2)))
    )
