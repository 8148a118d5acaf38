"""Parse the values that devices report."""

from datetime import UTC, datetime
import json
import math
import re
from typing import Any

from .onenet.models import Opaque

# Stricter than float(), which also accepts "1_000", "nan", and digits other than 0 to 9.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# The spellings of devices and of OneNET's datapoints.
_TRUTH = {"true": True, "1": True, "1.0": True, "on": True, "false": False, "0": False, "0.0": False, "off": False}


def parse_boolean(value: Any) -> bool | None:
    """Return a Boolean from a Boolean, number or text; None for anything else, and for bytes."""
    return None if isinstance(value, Opaque) else _TRUTH.get(str(value).strip().lower())


def parse_number(value: Any, factor: float) -> float | None:
    """Return a number, or a text that is one, multiplied by a factor; None for anything else, and for bytes."""
    if isinstance(value, str):
        text = value.strip()
        if isinstance(value, Opaque) or not _NUMBER.fullmatch(text):
            return None
        value = float(text)
        # "17" and 17 are the same state; int() refuses thousands of digits, of which the float is infinite.
        if text.lstrip("+-").isdigit() and math.isfinite(value):
            value = int(text)
    if not isinstance(value, float | int) or isinstance(value, bool):
        return None
    try:
        number = value if factor == 1 else round_float(value * factor)
        return number if math.isfinite(number) else None
    except OverflowError:
        # An integer beyond any float.
        return None


def round_float(number: float) -> float:
    """Return a number without the digits beyond the precision of a calculation."""
    return number if isinstance(number, int) else float(f"{number:.12g}")


def parse_time(value: Any) -> datetime | None:
    """Return the time of a number of Unix seconds, or of a text that is one; None for anything else, and for 0.

    LwM2M has no other value for a time that is not set.
    """
    seconds = parse_number(value, 1)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None and seconds > 0 else None
    except OSError, OverflowError, ValueError:
        # After the year 9999, such as milliseconds.
        return None


def parse_text(value: Any) -> str | None:
    """Return any value as a text, a structure as JSON; None for None, and for a float that is not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
