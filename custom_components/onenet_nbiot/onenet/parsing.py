"""Read the members of OneNET's replies, whose types differ between calls, editions and platforms."""

from datetime import datetime
import json
import re
from typing import Any

from . import clock

_TRUTH = {
    "true": True,
    "1": True,
    "online": True,
    "on": True,
    "false": False,
    "0": False,
    "offline": False,
    "off": False,
}


def parse_int(value: Any) -> int | None:
    """Return a whole number, also from digits or a decimal such as 3.0; None for anything else.

    Numbers of more than 64 bits are not OneNET's, and would not fit into JSON or SQLite.
    """
    if isinstance(value, str):
        value = _from_digits(value.strip())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _from_digits(digits: str) -> int | float | None:
    """Return the number that a text spells in ASCII digits."""
    if not digits.isascii() or not re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,30})?", digits):
        return None
    return float(digits) if "." in digits else int(digits)


def parse_bool(value: Any) -> bool | None:
    """Return a truth value, also from 0 and 1 or a word; None for anything else."""
    if isinstance(value, str):
        return _TRUTH.get(value.strip().lower())
    # 1 == 1.0 == True.
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None


def parse_text(value: Any) -> str:
    """Return a text without unpaired surrogates, which neither UTF-8 nor a log can hold; empty for none."""
    return "" if value is None else str(value).encode(errors="replace").decode()


def parse_id(value: Any) -> str:
    """Return an id in its one form, without blanks or a decimal point; empty for none."""
    if isinstance(value, str):
        return parse_text(value).strip()
    number = parse_int(value)
    return "" if number is None else str(number)


def parse_time(value: Any) -> datetime | None:
    """Return a time in UTC; None for none, and for one that cannot be read."""
    try:
        return clock.from_wire(value)
    except ValueError:
        return None


def parse_json(value: Any) -> Any:
    """Return what a text says in JSON, also where it was encoded twice; None where it is no JSON.

    Anything but a text is returned as it is.
    """
    for _ in range(2):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value, strict=False)
        except RecursionError, ValueError:
            return None
    return value


def parse_objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, of JSON text of one, or a single object as a list of one."""
    value = parse_json(value)
    if isinstance(value, dict):
        return [value] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_empty(value: Any) -> bool:
    """Return whether a member holds nothing: null, an empty text, list or object."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())
