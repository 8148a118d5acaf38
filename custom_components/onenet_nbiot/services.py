"""The actions: what may be asked, and who is asked to do it."""

from collections.abc import Callable, Mapping
from datetime import MAXYEAR, datetime, timedelta
from functools import reduce
from operator import or_
import re
from typing import Any, override

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_STATE
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import (
    ATTR_BIN2HEX,
    ATTR_EXPIRED_TIME,
    ATTR_EXPIRES_IN,
    ATTR_IF_WAITING,
    ATTR_IMEI,
    ATTR_INCLUDE_LOG,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_RETRY,
    ATTR_SINCE,
    ATTR_TIMEOUT,
    ATTR_TRIGGER_MSG,
    ATTR_UUID,
    ATTR_VALID_TIME,
    DOMAIN,
    SERVICE_CANCEL_COMMAND,
    SERVICE_CANCEL_COMMANDS,
    SERVICE_GET_COMMAND,
    SERVICE_LIST_COMMANDS,
    SERVICE_OFFLINE_READ,
    SERVICE_WAIT_FOR_COMMAND,
)
from .coordinator import OneNetConfigEntry
from .exceptions import unknown_uuid
from .ledger import IfWaiting, Ledger, ledgers
from .onenet.models import LWM2M_ID_MAX, RETRY_MAX, TIMEOUT_MAX, TIMEOUT_MIN, UUID, CachedRead, CommandState, Trigger

# 15 digits, 4 for a test device.
_IMEI = re.compile(r"[1-9][0-9]{14}|[0-9]{4}")
_JUST_NOW = timedelta(seconds=1)
_ABOUT_NOW = timedelta(seconds=5)
_WAIT_MAX = timedelta(hours=24)


def _invalid(key: str, **placeholders: object) -> ServiceValidationError:
    """Return the error that tells the caller what to do."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        # What was given may be anything; a whole page of it helps nobody.
        translation_placeholders={name: str(value)[:100] for name, value in placeholders.items()},
    )


def _imei(value: Any) -> str:
    """Return an IMEI; templates and YAML make a number of it."""
    text = str(value).strip()
    if not _IMEI.fullmatch(text):
        raise ValueError
    return text


def _whole_number(minimum: int, maximum: int) -> Callable[[Any], int]:
    """Return a validator for a whole number in a range; its text will do, a truth value or a fraction will not."""

    def validate(value: Any) -> int:
        number = int(value)
        if isinstance(value, bool) or number != float(value) or not minimum <= number <= maximum:
            raise ValueError
        return number

    return validate


def _uuid(value: Any) -> str:
    """Return a UUID, which has to stay as OneNET wrote it."""
    text = str(value).strip()
    # There is a call to cancel them all, under the place of a UUID.
    if not UUID.fullmatch(text) or text == "all":
        raise ValueError
    return text


def _states(value: Any) -> set[CommandState]:
    """Return one or more states of commands."""
    return {CommandState(name) for name in (value if isinstance(value, list) else [value])}


def _trigger(value: Any) -> Trigger:
    """Return the uplinks that set off a command, from a bit mask or from names."""
    if isinstance(value, list):
        return reduce(or_, (Trigger[name.upper()] for name in value))
    if isinstance(value, str) and not value.isdecimal():
        return Trigger[value.upper()]
    return Trigger(_whole_number(1, 7)(value))


def _whole_second(moment: datetime) -> datetime:
    """Return the moment, or the next one that the platform can be told: it knows no fractions of a second."""
    # The last year leaves no room for time zones.
    if moment.year == MAXYEAR:
        raise OverflowError
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)


def _moment(value: Any) -> datetime:
    """Return a date and time in UTC; what has no time zone is in Home Assistant's."""
    # UTC, because two moments in one zone are compared by their wall clocks, even across a change of the clocks.
    return _whole_second(dt_util.as_utc(cv.datetime(value)))


def _duration(value: Any) -> timedelta:
    """Return a duration that is longer than nothing."""
    # A mapping is what the action panel sends; cv.time_period would find that out last.
    if isinstance(value, dict):
        duration = timedelta(**{unit: float(amount) for unit, amount in value.items()})
    else:
        duration = cv.time_period(value)
    if duration <= timedelta():
        raise ValueError
    return duration


def _patience(value: Any) -> timedelta:
    """Return how long to wait."""
    duration = _duration(value)
    if duration > _WAIT_MAX:
        raise ValueError
    return duration


# What a validator raises over the value of a field.
_WRONG_VALUE = (vol.Invalid, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class _ActionSchema(vol.Schema):
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
                return _invalid("unknown_field", field=name)
            try:
                self._validators[name](value)
            except _WRONG_VALUE:
                return _invalid(self._texts.get(name, f"invalid_{name}"), value=value)
        return _invalid("missing_field", field=next(name for name in self._required if name not in data))


def _check_resource(data: dict[str, Any]) -> None:
    """Refuse a resource of which nobody can tell the object instance."""
    if ATTR_RES_ID in data and ATTR_OBJ_INST_ID not in data:
        raise _invalid("instance_missing")


def _check_times(data: dict[str, Any]) -> None:
    """Replace expires_in by expired_time, and refuse times that the platform would."""
    now = dt_util.utcnow()
    start = now
    if ATTR_VALID_TIME in data:
        start = data[ATTR_VALID_TIME]
        if start <= now - _JUST_NOW:
            raise _invalid("valid_time_past", value=dt_util.as_local(start))
        if start <= now + _ABOUT_NOW:
            # What is now here may be over when it arrives there; not to tell it means now, too.
            del data[ATTR_VALID_TIME]
    expires_in = data.pop(ATTR_EXPIRES_IN, None)
    if (expires_in is None) == (ATTR_EXPIRED_TIME not in data):
        raise _invalid("one_expiry")
    if expires_in is not None:
        try:
            data[ATTR_EXPIRED_TIME] = _whole_second(start + expires_in)
        except OverflowError as err:
            raise _invalid("invalid_expires_in", value=expires_in) from err
    if (expired_time := data[ATTR_EXPIRED_TIME]) <= max(start, now):
        raise _invalid("expired_time_past", value=dt_util.as_local(expired_time), start=dt_util.as_local(start))


_LWM2M_ID = _whole_number(0, LWM2M_ID_MAX)

_ACCOUNT: VolDictType = {vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string}
_DEVICE: VolDictType = {**_ACCOUNT, vol.Required(ATTR_IMEI): _imei}
_CACHED: VolDictType = {
    vol.Optional(ATTR_VALID_TIME): _moment,
    vol.Optional(ATTR_EXPIRED_TIME): _moment,
    vol.Optional(ATTR_EXPIRES_IN): _duration,
    vol.Optional(ATTR_RETRY): _whole_number(0, RETRY_MAX),
    vol.Optional(ATTR_TIMEOUT): _whole_number(TIMEOUT_MIN, TIMEOUT_MAX),
    vol.Optional(ATTR_TRIGGER_MSG): _trigger,
    vol.Optional(ATTR_IF_WAITING, default=IfWaiting.ADD): vol.Coerce(IfWaiting),
}

OFFLINE_READ_FIELDS: VolDictType = {
    **_DEVICE,
    vol.Required(ATTR_OBJ_ID): _LWM2M_ID,
    vol.Optional(ATTR_OBJ_INST_ID): _LWM2M_ID,
    vol.Optional(ATTR_RES_ID): _LWM2M_ID,
    **_CACHED,
    vol.Optional(ATTR_BIN2HEX): cv.boolean,
}
OFFLINE_READ_SCHEMA = _ActionSchema(OFFLINE_READ_FIELDS, _check_resource, _check_times)

# A command that was queued here is known by its UUID alone.
_COMMAND: VolDictType = {
    **_ACCOUNT,
    vol.Required(ATTR_UUID): _uuid,
    vol.Optional(ATTR_IMEI): _imei,
}
GET_COMMAND_FIELDS: VolDictType = {
    **_COMMAND,
    vol.Optional(ATTR_INCLUDE_LOG, default=False): cv.boolean,
}
LIST_COMMANDS_FIELDS: VolDictType = {
    **_ACCOUNT,
    vol.Optional(ATTR_IMEI): _imei,
    vol.Optional(ATTR_SINCE): _moment,
    vol.Optional(ATTR_STATE): _states,
}
WAIT_FOR_COMMAND_FIELDS: VolDictType = {
    **_ACCOUNT,
    vol.Required(ATTR_UUID): _uuid,
    vol.Required(ATTR_TIMEOUT): _patience,
}
# A field of this name means something else elsewhere.
WAIT_FOR_COMMAND_SCHEMA = _ActionSchema(WAIT_FOR_COMMAND_FIELDS, texts={ATTR_TIMEOUT: "invalid_wait"})
CANCEL_COMMAND_FIELDS = _COMMAND
CANCEL_COMMANDS_FIELDS = _DEVICE


def _ledger(call: ServiceCall) -> Ledger:
    """Return the ledger of the account that a call is for."""
    entry_id: str | None = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if entry_id is None and (uuid := call.data.get(ATTR_UUID)) is not None:
        entry_id = next((entry_id for entry_id, ledger in ledgers(call.hass).items() if ledger.known(uuid)), None)
        if entry_id is None and ATTR_IMEI not in call.data:
            raise unknown_uuid(uuid)
    entry: OneNetConfigEntry = service.async_get_config_entry(call.hass, DOMAIN, entry_id)
    return entry.runtime_data.ledger


async def _async_offline_read(call: ServiceCall) -> ServiceResponse:
    """Queue a cached read for a device that sleeps.

    Takes the parameters of CachedRead, with `expires_in` allowed in place of `expired_time`, `if_waiting`, and
    `config_entry_id` where there are several accounts. Return the fields of the event `command_queued`. Raise
    ServiceValidationError for a field that is wrong or a device that is not the account's, HomeAssistantError for
    every other refusal and when it is not known whether the command was queued. Source: "Cached command: read device
    resources".
    """
    fields = dict(call.data)
    fields.pop(ATTR_CONFIG_ENTRY_ID, None)
    if_waiting = fields.pop(ATTR_IF_WAITING)
    response = await _ledger(call).async_queue(CachedRead(**fields), if_waiting, call.context)
    return response if call.return_response else None


async def _async_get_command(call: ServiceCall) -> ServiceResponse:
    """Look up a cached command.

    Takes `uuid`, `imei` of a command that was not queued here, and `include_log`. Return the fields of an event with
    `state`, `reason` and `message` of a failed command, the times that are known, how many deliveries `remain`, the
    `values` of a finished read, and `log`. What OneNET cannot be asked of a command that was queued here is answered
    as it was last known. Raise ServiceValidationError for a command that nobody knows, HomeAssistantError when OneNET
    cannot be asked. Sources: "View the details of a cached command", "Full-link log of a cached command".
    """
    data = call.data
    return await _ledger(call).async_get(data[ATTR_UUID], data.get(ATTR_IMEI), include_log=data[ATTR_INCLUDE_LOG])


async def _async_list_commands(call: ServiceCall) -> ServiceResponse:
    """List cached commands, the newest first: a device's, or those that were queued here.

    Takes `imei`, `since`, `state`, all by default, and `config_entry_id` where there are several accounts. Return them
    under `commands`: with `imei` as OneNET lists them, of the last week by default, without what was asked for and the
    values of those that were queued elsewhere, which OneNET tells of one command at a time; without it all that are
    kept here. Raise HomeAssistantError when OneNET cannot be asked. Source: "View the list of a device's cached
    commands".
    """
    since = call.data.get(ATTR_SINCE)
    states = call.data.get(ATTR_STATE) or set(CommandState)
    if (imei := call.data.get(ATTR_IMEI)) is None:
        return _ledger(call).async_list_known(since, states)
    return await _ledger(call).async_list(imei, since or dt_util.utcnow() - timedelta(days=7), states)


async def _async_wait_for_command(call: ServiceCall) -> ServiceResponse:
    """Wait until a command that was queued here is over.

    Takes `uuid` and `timeout`, a duration of up to 24 hours. Return what `get_command` does; when the time is up, the
    `state` is one in which something may still become of the command. Raise ServiceValidationError for a command that
    was not queued here.
    """
    return await _ledger(call).async_wait(call.data[ATTR_UUID], call.data[ATTR_TIMEOUT].total_seconds())


async def _async_cancel_command(call: ServiceCall) -> ServiceResponse:
    """Cancel a cached command that waits.

    Takes `uuid`, and `imei` of a command that was not queued here. Return the fields of the event
    `command_cancelled`. Raise ServiceValidationError for a command that was sent or is over, HomeAssistantError when
    OneNET cannot be asked. Source: "Cancel a cached command".
    """
    response = await _ledger(call).async_cancel(call.data[ATTR_UUID], call.data.get(ATTR_IMEI), call.context)
    return response if call.return_response else None


async def _async_cancel_commands(call: ServiceCall) -> ServiceResponse:
    """Cancel all cached commands of a device that wait.

    Takes `imei`, and `config_entry_id` where there are several accounts. Return the fields of each event
    `command_cancelled` under `commands`, and the UUIDs of those that OneNET could not cancel under `failed`. Raise
    HomeAssistantError when OneNET cannot be asked. Source: "Cancel all waiting commands of a device".
    """
    response = await _ledger(call).async_cancel_all(call.data[ATTR_IMEI], call.context)
    return response if call.return_response else None


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, handler, schema, supports_response in (
        (SERVICE_OFFLINE_READ, _async_offline_read, OFFLINE_READ_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_GET_COMMAND, _async_get_command, _ActionSchema(GET_COMMAND_FIELDS), SupportsResponse.ONLY),
        (SERVICE_LIST_COMMANDS, _async_list_commands, _ActionSchema(LIST_COMMANDS_FIELDS), SupportsResponse.ONLY),
        (SERVICE_WAIT_FOR_COMMAND, _async_wait_for_command, WAIT_FOR_COMMAND_SCHEMA, SupportsResponse.ONLY),
        (
            SERVICE_CANCEL_COMMAND,
            _async_cancel_command,
            _ActionSchema(CANCEL_COMMAND_FIELDS),
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_CANCEL_COMMANDS,
            _async_cancel_commands,
            _ActionSchema(CANCEL_COMMANDS_FIELDS),
            SupportsResponse.OPTIONAL,
        ),
    ):
        hass.services.async_register(DOMAIN, name, handler, schema=schema, supports_response=supports_response)
