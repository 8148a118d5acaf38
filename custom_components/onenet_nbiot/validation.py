"""What may stand in the fields of the actions, and what a person is told where something else does."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from enum import StrEnum
from functools import reduce
import math
from operator import or_
import re
from typing import Any, override

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import async_get_hass
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
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
    ATTR_OBJ_INST_ID,
    ATTR_PMAX,
    ATTR_PMIN,
    ATTR_RES_ID,
    ATTR_ST,
    ATTR_TYPE,
    ATTR_VALID_TIME,
    ATTR_VALUES,
    DOMAIN,
)
from .onenet.models import UUID, CommandState
from .onenet.operations import LWM2M_ID_MAX, Trigger, ValueType, WriteMode, WrittenValue

# 15 digits, 4 for a test device.
_IMEI = re.compile(r"[1-9][0-9]{14}|[0-9]{4}")
# What a validator raises over the value of a field.
_WRONG_VALUE = (vol.Invalid, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_JUST_NOW = timedelta(seconds=1)
_ABOUT_NOW = timedelta(seconds=5)
_WAIT_MAX = timedelta(hours=24)


class IfOffline(StrEnum):
    """Name what to do where a device that should do something at once is not awake."""

    FAIL = "fail"
    QUEUE = "queue"


def invalid(key: str, **placeholders: object) -> ServiceValidationError:
    """Return the error that tells the caller what to do."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        # What was given may be anything: a whole page of it helps nobody, and half a character stops a browser.
        translation_placeholders={name: _shown(value) for name, value in placeholders.items()},
    )


def _shown(value: object) -> str:
    """Return the beginning of what was given."""
    try:
        return str(value)[:100].encode(errors="replace").decode()
    except ValueError:
        # A number with thousands of digits.
        return "..."


def imei(value: Any) -> str:
    """Return an IMEI; templates and YAML make a number of it."""
    digits = str(value).strip()
    if not _IMEI.fullmatch(digits):
        raise ValueError
    return digits


def whole_number(minimum: int, maximum: int) -> Callable[[Any], int]:
    """Return a validator for a whole number in a range; its text will do, a truth value or a fraction will not."""

    def validate(value: Any) -> int:
        found = int(value)
        if isinstance(value, bool) or found != float(value) or not minimum <= found <= maximum:
            raise ValueError
        return found

    return validate


lwm2m_id = whole_number(0, LWM2M_ID_MAX)


def uuid(value: Any) -> str:
    """Return a UUID, which has to stay as OneNET wrote it."""
    found = str(value).strip()
    # There is a call to cancel them all, under the place of a UUID.
    if not UUID.fullmatch(found) or found == "all":
        raise ValueError
    return found


def states(value: Any) -> set[CommandState]:
    """Return one or more states of commands."""
    return {CommandState(name) for name in (value if isinstance(value, list) else [value])}


def trigger(value: Any) -> Trigger:
    """Return the uplinks that set off a command, from a bit mask or from names."""
    if isinstance(value, list):
        return reduce(or_, (Trigger[name.upper()] for name in value))
    if isinstance(value, str) and not value.isdecimal():
        return Trigger[value.upper()]
    return Trigger(whole_number(1, 7)(value))


def _whole_second(moment: datetime) -> datetime:
    """Return the moment, or the next one that the platform can be told: it knows no fractions of a second."""
    # The first and the last year leave no room for time zones.
    if moment.year in (MINYEAR, MAXYEAR):
        raise OverflowError
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)


def moment(value: Any) -> datetime:
    """Return a date and time in UTC; what has no time zone is in Home Assistant's."""
    if isinstance(value, str):
        # Half a character would end the whole process in the parser's C code.
        text(value)
    # UTC, because two moments in one zone are compared by their wall clocks, even across a change of the clocks.
    return _whole_second(dt_util.as_utc(cv.datetime(value)))


def duration(value: Any) -> timedelta:
    """Return a duration that is longer than nothing."""
    # A mapping is what the action panel sends; cv.time_period would find that out last.
    if isinstance(value, dict):
        period = timedelta(**{unit: float(amount) for unit, amount in value.items()})
    else:
        period = cv.time_period(value)
    if period <= timedelta():
        raise ValueError
    return period


def patience(value: Any) -> timedelta:
    """Return how long to wait."""
    period = duration(value)
    if period > _WAIT_MAX:
        raise ValueError
    return period


def text(value: Any) -> str:
    """Return a text; a number will do, half a character will not."""
    whole = cv.string(value)
    whole.encode()
    return whole


def number(value: Any) -> float:
    """Return a number; its text will do, a truth value or something without end will not."""
    if isinstance(value, bool) or not math.isfinite(found := float(value)):
        raise ValueError
    return found


def step(value: Any) -> float:
    """Return a number above 0."""
    if (found := number(value)) <= 0:
        raise ValueError
    return found


def mode(value: Any) -> WriteMode:
    """Return what becomes of the resources that are not written, from its name or OneNET's number."""
    if isinstance(value, str) and not value.isdecimal():
        return WriteMode[value.upper()]
    return WriteMode(whole_number(1, 2)(value))


class _WrongEntryError(ValueError):
    """Point to the wrong entry of a list."""

    def __init__(self, entry: Any) -> None:
        """Keep it."""
        super().__init__()
        self.entry = entry


def values(value: Any) -> tuple[WrittenValue, ...]:
    """Return what to write, from a list of entries or from one."""
    written = []
    for entry in value if isinstance(value, list) else [value]:
        try:
            written.append(_written(**entry))
        except _WRONG_VALUE as err:
            raise _WrongEntryError(entry) from err
    if not written:
        raise ValueError
    return tuple(written)


def _written(*, res_id: Any, value: Any, **more: Any) -> WrittenValue:
    """Return a value for a resource; whether it is of the resource's type, only the device knows."""
    resource = lwm2m_id(res_id)
    kind = ValueType[str(more.pop(ATTR_TYPE, ValueType.PLAIN.name)).upper()]
    if more:
        raise ValueError
    if kind is ValueType.OPAQUE:
        # A number may have lost zeros; and blanks alone are a slip.
        if value.isspace():
            raise ValueError
        return WrittenValue.opaque(resource, bytes.fromhex(value))
    if kind is ValueType.TIME:
        return WrittenValue.time(resource, moment(value))
    if isinstance(value, str):
        return WrittenValue(resource, text(value))
    if isinstance(value, bool):
        return WrittenValue(resource, value)
    # Not more than a device, or anybody's JSON, can hold.
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return WrittenValue(resource, value)
    if isinstance(value, float):
        return WrittenValue(resource, number(value))
    raise TypeError


class ActionSchema(vol.Schema):
    """Validate an action's fields one by one, then all at once, with a translated error for every refusal."""

    def __init__(
        self, fields: VolDictType, *checks: Callable[[dict[str, Any]], None], texts: Mapping[str, str] | None = None
    ) -> None:
        """Keep the checks, which may also change the data that they are given, and the keys of unusual texts."""
        super().__init__(fields)
        self._validators = {str(key): validator for key, validator in fields.items()}
        self._required = [str(key) for key in fields if isinstance(key, vol.Required)]
        self._checks = checks
        self._texts = texts or {}

    @override
    def __call__(self, data: Any, **options: Any) -> Any:
        """Return the data, validated."""
        try:
            validated = super().__call__(data, **options)
        except _WRONG_VALUE as err:
            if not isinstance(data, dict):
                raise
            raise self._explain(data) from err
        for check in self._checks:
            check(validated)
        return validated

    def _explain(self, data: dict[str, Any]) -> ServiceValidationError:
        """Find out which field is wrong, which is not worth the time while none is."""
        for name, value in data.items():
            if name not in self._validators:
                return invalid("unknown_field", field=name)
            try:
                self._validators[name](value)
            except _WrongEntryError as err:
                return invalid(f"invalid_{name}", value=err.entry)
            except _WRONG_VALUE:
                return invalid(self._texts.get(name, f"invalid_{name}"), value=value)
        return invalid("missing_field", field=next(name for name in self._required if name not in data))


def check_device(data: dict[str, Any]) -> None:
    """Replace device_id by the IMEI and the account of the device, and refuse both or neither of device_id and imei."""
    if ATTR_DEVICE_ID not in data and ATTR_IMEI not in data:
        raise invalid("one_device")
    check_any_device(data)


def check_any_device(data: dict[str, Any]) -> None:
    """Replace device_id, if it is there, and refuse both device_id and imei."""
    if (device_id := data.pop(ATTR_DEVICE_ID, None)) is None:
        return
    if ATTR_IMEI in data:
        raise invalid("one_device")
    device = dr.async_get(async_get_hass()).async_get(device_id)
    # Those of others may have any form.
    ours = [identifier[1] for identifier in device.identifiers if identifier[0] == DOMAIN] if device else []
    for entry_id, _, imei in (identifier.partition("_") for identifier in ours):
        if imei:
            if data.setdefault(ATTR_CONFIG_ENTRY_ID, entry_id) != entry_id:
                raise invalid("device_of_other_account")
            data[ATTR_IMEI] = imei
            return
    raise invalid("no_nbiot_device", device=(device and (device.name_by_user or device.name)) or device_id)


def check_resource(data: dict[str, Any]) -> None:
    """Refuse a resource of which nobody can tell the object instance."""
    if ATTR_RES_ID in data and ATTR_OBJ_INST_ID not in data:
        raise invalid("instance_missing")


def check_times(data: dict[str, Any]) -> None:
    """Replace expires_in by expired_time, and refuse times that the platform would."""
    now = dt_util.utcnow()
    start = now
    if ATTR_VALID_TIME in data:
        start = data[ATTR_VALID_TIME]
        if start <= now - _JUST_NOW:
            raise invalid("valid_time_past", value=dt_util.as_local(start))
        if start <= now + _ABOUT_NOW:
            # What is now here may be over when it arrives there; not to tell it means now, too.
            del data[ATTR_VALID_TIME]
    expires_in = data.pop(ATTR_EXPIRES_IN, None)
    if (expires_in is None) == (ATTR_EXPIRED_TIME not in data):
        raise invalid("one_expiry")
    if expires_in is not None:
        try:
            data[ATTR_EXPIRED_TIME] = _whole_second(start + expires_in)
        except OverflowError as err:
            raise invalid("invalid_expires_in", value=expires_in) from err
    if (expired_time := data[ATTR_EXPIRED_TIME]) <= max(start, now):
        raise invalid("expired_time_past", value=dt_util.as_local(expired_time), start=dt_util.as_local(start))


def check_if_offline(data: dict[str, Any]) -> None:
    """Refuse an expiry where nothing would be queued, and to queue without one."""
    if data[ATTR_IF_OFFLINE] is IfOffline.QUEUE:
        # Of a copy: what expires in an hour does so an hour after it was queued, not after the device was tried.
        check_times(dict(data))
        return
    for field in (ATTR_EXPIRES_IN, ATTR_EXPIRED_TIME, ATTR_IF_WAITING):
        if field in data:
            raise invalid("only_with_queue", field=field)


def check_values(data: dict[str, Any]) -> None:
    """Refuse two values for one resource."""
    counted = Counter(value.res_id for value in data[ATTR_VALUES])
    for res_id, count in counted.items():
        if count > 1:
            raise invalid("resource_twice", res_id=res_id)


def check_observation(data: dict[str, Any]) -> None:
    """Refuse conditions that contradict each other, or that the platform would not take."""
    conditions = {name: data[name] for name in (ATTR_PMIN, ATTR_PMAX, ATTR_GT, ATTR_LT, ATTR_ST) if name in data}
    if data[ATTR_CANCEL] and conditions:
        raise invalid("cancel_with_condition", field=next(iter(conditions)))
    for field in (ATTR_GT, ATTR_LT, ATTR_ST):
        if field in conditions and ATTR_RES_ID not in data:
            raise invalid("condition_without_resource", field=field)
    if conditions.get(ATTR_PMIN, 0) > conditions.get(ATTR_PMAX, math.inf):
        raise invalid("pmin_above_pmax", pmin=data[ATTR_PMIN], pmax=data[ATTR_PMAX])
    if ATTR_GT in conditions and ATTR_LT in conditions:
        lowest = conditions[ATTR_LT] + 2 * conditions.get(ATTR_ST, 0)
        if lowest >= conditions[ATTR_GT]:
            raise invalid("thresholds_too_close", gt=conditions[ATTR_GT], lowest=lowest)
