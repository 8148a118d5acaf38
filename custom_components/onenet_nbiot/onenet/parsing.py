"""Parse the members of OneNET's replies, whose types differ between calls and platforms."""

from datetime import datetime
import json
import re
from typing import Any

from . import clock

_BOOLEANS = {
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
    """Return an integer, parsed from a number or a string such as "3" or "3.0"; None if the value is invalid.

    Integers of more than 64 bits are invalid, because SQLite and some JSON libraries do not support them.
    """
    if isinstance(value, str):
        value = _from_digits(value.strip())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _from_digits(digits: str) -> int | float | None:
    """Return the number in a string of ASCII digits."""
    if not digits.isascii() or not re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,30})?", digits):
        return None
    return float(digits) if "." in digits else int(digits)


def parse_bool(value: Any) -> bool | None:
    """Return a boolean, parsed from a boolean, 0, 1 or a word such as "online"; None if the value is invalid."""
    if isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower())
    # In Python, True equals 1 and 1.0.
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None


def parse_text(value: Any) -> str:
    """Return a value as a string, without unpaired surrogates, which cannot be encoded; empty for None."""
    return "" if value is None else str(value).encode(errors="replace").decode()


def parse_id(value: Any) -> str:
    """Return an id as a string without surrounding whitespace or decimal point; empty if the value is invalid."""
    if isinstance(value, str):
        return parse_text(value).strip()
    number = parse_int(value)
    return "" if number is None else str(number)


def parse_time(value: Any) -> datetime | None:
    """Return a time in UTC; None if the value is invalid or means never."""
    try:
        return clock.from_wire(value)
    except ValueError:
        return None


def parse_json(value: Any) -> Any:
    """Return the value of a JSON string, which may be encoded twice; None if the string is not valid JSON.

    Return any other value unchanged.
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
    """Return the objects in a list, or a single object as a list; either may be a JSON string."""
    value = parse_json(value)
    if isinstance(value, dict):
        return [value] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_empty(value: Any) -> bool:
    """Return whether a value is None, a blank string, or an empty list or object."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())
