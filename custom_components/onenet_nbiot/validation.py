"""Validators of the actions' fields, and the translated errors for wrong values.

A validator raises vol.Invalid or ValueError for every wrong value, of whatever type. Any other exception is a bug.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from enum import Enum, StrEnum
from functools import reduce
import math
from operator import or_
import re
from typing import Any, override
import unicodedata

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import async_get_hass
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.target import TargetSelection
from homeassistant.helpers.template import ResultWrapper
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import (
    ATTR_CANCEL,
    ATTR_EXPIRED_TIME,
    ATTR_EXPIRES_IN,
    ATTR_GT,
    ATTR_IF_OFFLINE,
    ATTR_IF_WAITING,
    ATTR_IMEI,
    ATTR_LT,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_PMAX,
    ATTR_PMIN,
    ATTR_RES_ID,
    ATTR_ST,
    ATTR_TYPE,
    ATTR_VALID_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
    DOMAIN,
)
from .exceptions import action_error
from .lwm2m import ids_of
from .onenet.errors import BodyTooLargeError
from .onenet.models import UUID, CommandState
from .onenet.operations import (
    LWM2M_ID_MAX,
    CachedCommand,
    Execute,
    Operation,
    Trigger,
    ValueType,
    Write,
    WriteMode,
    WrittenValue,
)
from .targets import TARGET_FIELDS, async_find_devices, identify

_IMEI = re.compile(r"[0-9]{15}|[0-9]{4}")
_IMEI_MIN = 10**14
# Letters and symbols without a shape: Hangul fillers and the blank Braille pattern.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_WRONG_VALUE = (vol.Invalid, ValueError)
_DURATION_UNITS = {"weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds"}
_ENTRY_FIELDS = {ATTR_RES_ID, ATTR_VALUE, ATTR_TYPE}
# Not a type of OneNET: the value is sent as plain.
_TEXT = "text"
# A valid_time less than this in the past is accepted: a template's now() has passed when the action is called.
_JUST_NOW = timedelta(seconds=1)
# A valid_time at most this in the future counts as now. Also the largest lag of the local clock that is compensated.
ABOUT_NOW = timedelta(seconds=5)
_WAIT_MAX = timedelta(hours=24)
_TARGET = vol.Schema(cv.ENTITY_SERVICE_FIELDS)
_RESOURCE = (ATTR_OBJ_ID, ATTR_OBJ_INST_ID, ATTR_RES_ID)


class IfOffline(StrEnum):
    """Choose what to do with an immediate command while its device is offline."""

    FAIL = "fail"
    QUEUE = "queue"


def invalid(key: str, **placeholders: object) -> ServiceValidationError:
    """Return a translated error for a wrong call."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        # A value may be a whole page, or contain an unpaired surrogate, which a browser cannot decode.
        translation_placeholders={name: _shown(value) for name, value in placeholders.items()},
    )


def _shown(value: object) -> str:
    """Return the beginning of a value as text."""
    try:
        return str(value)[:100].encode(errors="replace").decode()
    except ValueError:
        # A number with thousands of digits.
        return "..."


class _WrongValueError(ValueError):
    """Carry a translation key that is more specific than `invalid_<field>`."""

    def __init__(self, key: str, **placeholders: object) -> None:
        """Keep the translation key and its placeholders."""
        super().__init__(key)
        self.key = key
        self.placeholders = placeholders


def _require(value: Any, *types: type) -> None:
    """Raise ValueError for a value of another type; a Boolean is not a number."""
    if isinstance(value, bool) or not isinstance(value, types):
        raise ValueError  # noqa: TRY004 - a TypeError is a bug


def imei(value: Any) -> str:
    """Return an IMEI; raise ValueError.

    A number is accepted if it has all digits: templates and unquoted YAML turn an IMEI into one.
    """
    _require(value, str, int)
    digits = str(value).strip()
    if _IMEI.fullmatch(digits):
        return digits
    if isinstance(value, int) and 0 <= value < _IMEI_MIN:
        raise _WrongValueError("imei_without_quotes", value=value)
    if invisible := dict.fromkeys(f"U+{ord(char):04X}" for char in digits if _is_invisible(char)):
        raise _WrongValueError("invisible_characters", characters=", ".join(invisible))
    raise ValueError


def _is_invisible(char: str) -> bool:
    """Return whether a character has no shape of its own."""
    return not char.isprintable() or unicodedata.category(char) == "Mn" or char in _BLANK


def whole_number(minimum: int, maximum: int) -> Callable[[Any], int]:
    """Return a validator for an integer in a range, as a number or as text."""

    def validate(value: Any) -> int:
        _require(value, int, float, str)
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        found = int(value)
        if not minimum <= found <= maximum:
            raise ValueError
        return found

    return validate


lwm2m_id = whole_number(0, LWM2M_ID_MAX)


def _member[T: Enum](kind: type[T], name: Any) -> T:
    """Return the member of an enumeration with this name, in upper or lower case; raise ValueError."""
    if not isinstance(name, str) or (member := kind.__members__.get(name.upper())) is None:
        raise ValueError
    return member


def flag(value: Any) -> bool:
    """Return a Boolean, from a Boolean, its text or a number."""
    if not isinstance(value, bool):
        _require(value, str, int, float)
    return cv.boolean(value)


def uuid(value: Any) -> str:
    """Return the UUID of a command exactly as OneNET wrote it."""
    _require(value, str, int)
    found = str(value).strip()
    # In a URL, "all" in place of a UUID cancels every command of the device.
    if not UUID.fullmatch(found) or found == "all":
        raise ValueError
    return found


def device_id(value: Any) -> str:
    """Return the id of one device; `target:` makes a list of it."""
    if isinstance(value, list):
        if len(value) > 1:
            raise _WrongValueError("several_devices", count=len(value))
        if not value:
            raise ValueError
        value = value[0]
    return text(value)


def states(value: Any) -> set[CommandState]:
    """Return one or more states of commands."""
    return {CommandState(name) for name in (value if isinstance(value, list) else [value])}


def trigger(value: Any) -> Trigger:
    """Return the uplinks that trigger a command, from a bit mask or from names."""
    if isinstance(value, list):
        if not value:
            raise ValueError
        return reduce(or_, (_member(Trigger, name) for name in value))
    if isinstance(value, str) and not value.isdecimal():
        return _member(Trigger, value)
    return Trigger(whole_number(1, 7)(value))


def _whole_second(moment: datetime) -> datetime:
    """Return a moment rounded up to the whole seconds that OneNET accepts; raise ValueError."""
    # Conversion to another time zone would overflow in the first and the last year.
    if moment.year in (MINYEAR, MAXYEAR):
        raise ValueError
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)


def moment(value: Any) -> datetime:
    """Return a date and time in UTC; without a time zone it is in Home Assistant's."""
    if isinstance(value, str):
        # The parser, in C, crashes the process on an unpaired surrogate.
        text(value)
    _require(value, str, datetime)
    try:
        # In UTC, because Python compares two times in the same zone by wall clock, which is wrong across a DST change.
        return _whole_second(dt_util.as_utc(cv.datetime(value)))
    except OverflowError as err:
        raise ValueError from err


def duration(value: Any) -> timedelta:
    """Return a duration longer than 0."""
    try:
        period = _duration(value)
    except OverflowError as err:
        raise ValueError from err
    if period <= timedelta():
        raise ValueError
    return period


def _duration(value: Any) -> timedelta:
    """Return a duration; raise OverflowError, ValueError or vol.Invalid."""
    # The action panel sends a mapping, which cv.time_period would try last.
    if isinstance(value, dict):
        if not value.keys() <= _DURATION_UNITS:
            raise ValueError
        return timedelta(**{str(unit): number(amount) for unit, amount in value.items()})
    _require(value, int, float, str, timedelta)
    period: timedelta = cv.time_period(value)
    return period


def wait_timeout(value: Any) -> timedelta:
    """Return how long to wait, at most 24 hours."""
    period = duration(value)
    if period > _WAIT_MAX:
        raise ValueError
    return period


def text(value: Any) -> str:
    """Return a text, from a text, a number or a Boolean, without unpaired surrogates."""
    if isinstance(value, bool):
        # As in YAML, not as in Python.
        return str(value).lower()
    # A template's result may look like a list; its text is still known.
    _require(value, str, int, float, ResultWrapper)
    whole = cv.string(value)
    whole.encode()
    return whole


def number(value: Any) -> float:
    """Return a finite number, from a number or its text."""
    _require(value, int, float, str)
    try:
        found = float(value)
    except OverflowError as err:
        raise ValueError from err
    if not math.isfinite(found):
        raise ValueError
    return found


def step(value: Any) -> float:
    """Return a number above 0."""
    if (found := number(value)) <= 0:
        raise ValueError
    return found


def mode(value: Any) -> WriteMode:
    """Return a write mode, from its name or OneNET's number."""
    if isinstance(value, str) and not value.isdecimal():
        return _member(WriteMode, value)
    return WriteMode(whole_number(1, 2)(value))


def values(value: Any) -> tuple[WrittenValue, ...]:
    """Return the values to write, from one entry or a list of them."""
    written = []
    for entry in value if isinstance(value, list) else [value]:
        try:
            written.append(_written(entry))
        except _WRONG_VALUE as err:
            raise _WrongValueError("invalid_values", value=entry) from err
    if not written:
        raise ValueError
    return tuple(written)


def _written(entry: Any) -> WrittenValue:
    """Return a value for a resource, whose type only the device knows."""
    if not isinstance(entry, dict) or not {ATTR_RES_ID, ATTR_VALUE} <= entry.keys() <= _ENTRY_FIELDS:
        raise ValueError
    resource, value = lwm2m_id(entry[ATTR_RES_ID]), entry[ATTR_VALUE]
    kind = entry.get(ATTR_TYPE, ValueType.PLAIN.name)
    if isinstance(kind, str) and kind.lower() == _TEXT:
        return WrittenValue(resource, text(value))
    match _member(ValueType, kind):
        case ValueType.OPAQUE:
            # Digits without quotes may have lost zeros, and blanks alone are a mistake.
            if not isinstance(value, str) or value.isspace():
                raise ValueError
            return WrittenValue.opaque(resource, bytes.fromhex(value))
        case ValueType.TIME:
            return WrittenValue.time(resource, moment(value))
        case _:
            return WrittenValue(resource, _plain(value))


def _plain(value: Any) -> bool | float | str:
    """Return a Boolean, a number or a text as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        # JSON parsers, and devices, have 64 bits.
        if not -(2**63) <= value < 2**64:
            raise ValueError
        return value
    if isinstance(value, float):
        return number(value)
    raise ValueError


class ActionSchema(vol.Schema):
    """Validate an action's fields one by one, then together; raise a translated error for a wrong one."""

    def __init__(
        self,
        fields: VolDictType,
        *checks: Callable[[dict[str, Any]], None],
        texts: Mapping[str, str] | None = None,
        has_target: bool = False,
        takes_entity: bool = False,
    ) -> None:
        """Keep the checks, which may also change the validated data, and the translation keys that deviate.

        With `has_target`, the fields of a target are validated and kept. Otherwise they select the one `device_id`;
        with `takes_entity`, a single entity also selects the resource that it shows.
        """
        super().__init__(fields)
        self._validators = {str(key): validator for key, validator in fields.items()}
        self._required = [str(key) for key in fields if isinstance(key, vol.Required)]
        self._checks = checks
        self._texts = texts or {}
        self._has_target = has_target
        self._takes_entity = takes_entity

    @override
    def __call__(self, data: Any, **options: Any) -> Any:
        """Return the validated data; raise ServiceValidationError."""
        target: dict[str, Any] = {}
        if isinstance(data, dict) and self._has_target:
            data, target = _split_target(data)
        elif isinstance(data, dict) and ATTR_DEVICE_ID in self._validators:
            data = _resolve_target(data, takes_entity=self._takes_entity)
        try:
            validated = super().__call__(data, **options) | target
        except _WRONG_VALUE as err:
            if not isinstance(data, dict):
                raise
            raise self._explain(data) from err
        for check in self._checks:
            check(validated)
        return validated

    def _explain(self, data: dict[str, Any]) -> ServiceValidationError:
        """Return the error of the first wrong field, which the schema itself does not name reliably."""
        for name, value in data.items():
            if name not in self._validators:
                return invalid("unknown_field", field=name)
            try:
                self._validators[name](value)
            except _WrongValueError as err:
                return invalid(err.key, **err.placeholders)
            except _WRONG_VALUE:
                return invalid(self._texts.get(name, f"invalid_{name}"), value=value)
        return invalid(f"missing_{next(name for name in self._required if name not in data)}")


def _split_target(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data without its target, and the validated target."""
    target = {name: value for name, value in data.items() if name in TARGET_FIELDS}
    try:
        validated: dict[str, Any] = _TARGET(target)
    except (*_WRONG_VALUE, TypeError) as err:
        # Home Assistant's validator of entity ids iterates over values of any type.
        raise invalid("invalid_target", value=target) from err
    return {name: value for name, value in data.items() if name not in TARGET_FIELDS}, validated


def _resolve_target(data: dict[str, Any], *, takes_entity: bool) -> dict[str, Any]:
    """Return the data with the device_id of its target, which must select one device.

    With `takes_entity`, add the resource of a single entity unless the data has parts of another.
    """
    if data.keys() & TARGET_FIELDS <= {ATTR_DEVICE_ID}:
        return data
    others, target = _split_target(data)
    if not TargetSelection(target).has_any_target:
        return others
    devices = async_find_devices(async_get_hass(), target)
    if len(devices) > 1:
        raise invalid("several_devices", count=len(devices))
    if not devices:
        raise invalid("no_device_in_target")
    shown = devices[0].keys if takes_entity and others.keys().isdisjoint(_RESOURCE) else None
    return others | {ATTR_DEVICE_ID: devices[0].device_id} | _resource_of(shown or ())


def _resource_of(keys: Collection[str]) -> dict[str, Any]:
    """Return the fields of the resource that a single entity shows, empty for several or for another entity."""
    with suppress(ValueError):
        (path,) = keys
        return dict(zip(_RESOURCE, ids_of(path), strict=True))
    return {}


def check_device(data: dict[str, Any]) -> None:
    """Replace device_id by the IMEI and the account of the device; refuse both or neither of device_id and imei."""
    if ATTR_DEVICE_ID not in data and ATTR_IMEI not in data:
        raise invalid("one_device")
    check_any_device(data)


def check_any_device(data: dict[str, Any]) -> None:
    """Replace device_id, if present, by the IMEI and the account; refuse both device_id and imei."""
    if (device_id := data.pop(ATTR_DEVICE_ID, None)) is None:
        return
    if ATTR_IMEI in data:
        raise invalid("one_device")
    device = dr.async_get(async_get_hass()).async_get(device_id)
    if device is None or (ours := identify(device.identifiers)) is None:
        raise invalid("no_nbiot_device", device=(device and (device.name_by_user or device.name)) or device_id)
    entry_id, data[ATTR_IMEI] = ours
    if data.setdefault(ATTR_CONFIG_ENTRY_ID, entry_id) != entry_id:
        raise invalid("device_of_other_account")


def check_resource(data: dict[str, Any]) -> None:
    """Refuse a resource without its object instance."""
    if ATTR_RES_ID in data and ATTR_OBJ_INST_ID not in data:
        raise invalid("instance_missing")


def check_one_resource(data: dict[str, Any]) -> None:
    """Refuse a call without exactly one resource."""
    if not data.keys() >= set(_RESOURCE):
        raise invalid("resource_missing")


def check_expiry(data: dict[str, Any]) -> None:
    """Require either expires_in or expired_time, the latter after valid_time."""
    if (ATTR_EXPIRES_IN in data) == (ATTR_EXPIRED_TIME in data):
        raise invalid("one_expiry")
    if ATTR_VALID_TIME in data and ATTR_EXPIRED_TIME in data:
        _check_order(data[ATTR_VALID_TIME], data[ATTR_EXPIRED_TIME])


def _check_order(start: datetime, expired_time: datetime) -> None:
    """Refuse an expiry that is not after the start."""
    if expired_time <= start:
        raise invalid("expired_time_past", value=local_time(expired_time), start=local_time(start))


def local_time(moment: datetime) -> datetime:
    """Return a time as people read it in an error: in Home Assistant's time zone, in whole seconds."""
    return dt_util.as_local(moment.replace(microsecond=0))


def resolve_times(data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the data with expired_time in place of expires_in; `now` is the platform's time.

    Raise ServiceValidationError for times that are in the past there.
    """
    resolved = dict(data)
    start: datetime = resolved.get(ATTR_VALID_TIME, now)
    # A template's now() counts as now even if the clock here is a few seconds slow.
    slow = min(max(now - dt_util.utcnow(), timedelta()), ABOUT_NOW)
    if start <= now - slow - _JUST_NOW:
        raise invalid("valid_time_past", value=local_time(start), now=local_time(now))
    if start <= now + ABOUT_NOW:
        # valid_time may have passed when the request arrives. Without it, the command is valid at once, too.
        resolved.pop(ATTR_VALID_TIME, None)
    expires_in: timedelta | None = resolved.pop(ATTR_EXPIRES_IN, None)
    if expires_in is not None:
        try:
            resolved[ATTR_EXPIRED_TIME] = _whole_second(start + expires_in)
        except (OverflowError, ValueError) as err:
            raise invalid("invalid_expires_in", value=expires_in) from err
    _check_order(max(start, now), resolved[ATTR_EXPIRED_TIME])
    return resolved


def check_if_offline(data: dict[str, Any]) -> None:
    """Require an expiry if the command may be queued, and refuse one otherwise."""
    if data[ATTR_IF_OFFLINE] is IfOffline.QUEUE:
        check_expiry(data)
        return
    if data.keys() & {ATTR_EXPIRES_IN, ATTR_EXPIRED_TIME, ATTR_IF_WAITING}:
        raise invalid("only_with_queue")


def check_values(data: dict[str, Any]) -> None:
    """Refuse two values for one resource."""
    counted = Counter(value.res_id for value in data[ATTR_VALUES])
    for res_id, count in counted.items():
        if count > 1:
            raise invalid("resource_twice", res_id=res_id)


def build[T: Operation | CachedCommand](kind: type[T], data: Mapping[str, Any], **more: Any) -> T:
    """Build an operation or a command from the fields of a call."""
    names = {field.name for field in fields(kind) if field.init}
    return kind(**{name: data[name] for name in names & data.keys()}, **more)


def check_size(kind: type[Write | Execute]) -> Callable[[dict[str, Any]], None]:
    """Return a check that the body is not larger than OneNET accepts, which runs before any request."""

    def check(data: dict[str, Any]) -> None:
        try:
            build(kind, data).body()
        except BodyTooLargeError as err:
            raise action_error(err) from err

    return check


def check_observation(data: dict[str, Any]) -> None:
    """Refuse report conditions that contradict each other, or that OneNET rejects."""
    conditions = {name: data[name] for name in (ATTR_PMIN, ATTR_PMAX, ATTR_GT, ATTR_LT, ATTR_ST) if name in data}
    if data[ATTR_CANCEL] and conditions:
        raise invalid("cancel_with_condition")
    if conditions.keys() & {ATTR_GT, ATTR_LT, ATTR_ST} and ATTR_RES_ID not in data:
        raise invalid("condition_without_resource")
    if conditions.get(ATTR_PMIN, 0) > conditions.get(ATTR_PMAX, math.inf):
        raise invalid("pmin_above_pmax", pmin=data[ATTR_PMIN], pmax=data[ATTR_PMAX])
    if ATTR_GT in conditions and ATTR_LT in conditions:
        lowest = conditions[ATTR_LT] + 2 * conditions.get(ATTR_ST, 0)
        if lowest >= conditions[ATTR_GT]:
            raise invalid("thresholds_too_close", gt=conditions[ATTR_GT], lowest=lowest)
