"""The actions: their schemas and handlers."""

from datetime import timedelta

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID, ATTR_STATE
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from . import validation
from .accounts import async_get_account
from .command import describe_operation, describe_resources
from .const import (
    ATTR_ARGS,
    ATTR_BIN2HEX,
    ATTR_CANCEL,
    ATTR_COUNT,
    ATTR_DEVICES,
    ATTR_END,
    ATTR_ERROR,
    ATTR_EXPIRED_TIME,
    ATTR_EXPIRES_IN,
    ATTR_GT,
    ATTR_IF_OFFLINE,
    ATTR_IF_WAITING,
    ATTR_IMEI,
    ATTR_INCLUDE_LOG,
    ATTR_LIMIT,
    ATTR_LT,
    ATTR_MODE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_PMAX,
    ATTR_PMIN,
    ATTR_RES_ID,
    ATTR_RESOURCES,
    ATTR_RETRY,
    ATTR_SINCE,
    ATTR_ST,
    ATTR_START,
    ATTR_TIMEOUT,
    ATTR_TRIGGER_MSG,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUES,
    DOMAIN,
    LOGGER,
    SERVICE_CANCEL_COMMAND,
    SERVICE_CANCEL_COMMANDS,
    SERVICE_DISCOVER,
    SERVICE_EXECUTE,
    SERVICE_GET_COMMAND,
    SERVICE_GET_HISTORY,
    SERVICE_GET_RESOURCES,
    SERVICE_IMPORT_HISTORY,
    SERVICE_LIST_COMMANDS,
    SERVICE_OBSERVE,
    SERVICE_OFFLINE_EXECUTE,
    SERVICE_OFFLINE_READ,
    SERVICE_OFFLINE_WRITE,
    SERVICE_READ,
    SERVICE_REQUEST_READING,
    SERVICE_WAIT_FOR_COMMAND,
    SERVICE_WRITE,
)
from .coordinator import OneNetRuntimeData
from .exceptions import device_asleep
from .manager import IfWaiting
from .onenet.errors import OneNetError
from .onenet.models import CommandState
from .onenet.operations import (
    RETRY_MAX,
    TIMEOUT_MAX,
    TIMEOUT_MIN,
    CachedCommand,
    Discover,
    Execute,
    Observe,
    Read,
    Write,
    WriteMode,
)
from .past_values import LIMIT, LIMIT_MAX, async_get_history, async_import_history
from .reading import async_request_readings
from .sending import ASLEEP, EXPIRES_IN, async_send
from .targets import async_find_devices
from .validation import ActionSchema, IfOffline, build, lwm2m_id

_SECONDS_MAX = 2**31 - 1

_ACCOUNT: VolDictType = {vol.Optional(ATTR_CONFIG_ENTRY_ID): validation.text}
_DEVICE: VolDictType = {
    **_ACCOUNT,
    vol.Optional(ATTR_DEVICE_ID): validation.device_id,
    vol.Optional(ATTR_IMEI): validation.imei,
}
_TIMEOUT: VolDictType = {vol.Optional(ATTR_TIMEOUT): validation.whole_number(TIMEOUT_MIN, TIMEOUT_MAX)}
_EXPIRY: VolDictType = {
    vol.Optional(ATTR_EXPIRED_TIME): validation.moment,
    vol.Optional(ATTR_EXPIRES_IN): validation.duration,
}
_CACHED: VolDictType = {
    vol.Optional(ATTR_VALID_TIME): validation.moment,
    **_EXPIRY,
    vol.Optional(ATTR_RETRY): validation.whole_number(0, RETRY_MAX),
    **_TIMEOUT,
    vol.Optional(ATTR_TRIGGER_MSG): validation.trigger,
    vol.Optional(ATTR_IF_WAITING, default=IfWaiting.ADD): vol.Coerce(IfWaiting),
}
_IMMEDIATE: VolDictType = {
    **_TIMEOUT,
    vol.Optional(ATTR_IF_OFFLINE, default=IfOffline.FAIL): vol.Coerce(IfOffline),
    **_EXPIRY,
    vol.Optional(ATTR_IF_WAITING): vol.Coerce(IfWaiting),
}
_OBJECT: VolDictType = {
    **_DEVICE,
    vol.Required(ATTR_OBJ_ID): lwm2m_id,
    vol.Optional(ATTR_OBJ_INST_ID): lwm2m_id,
}
_READ: VolDictType = {**_OBJECT, vol.Optional(ATTR_RES_ID): lwm2m_id}
_INSTANCE: VolDictType = {
    **_DEVICE,
    vol.Required(ATTR_OBJ_ID): lwm2m_id,
    vol.Required(ATTR_OBJ_INST_ID): lwm2m_id,
}
_WRITE: VolDictType = {
    **_INSTANCE,
    vol.Required(ATTR_VALUES): validation.values,
    vol.Optional(ATTR_MODE, default=WriteMode.UPDATE): validation.mode,
}
_EXECUTE: VolDictType = {
    **_INSTANCE,
    vol.Required(ATTR_RES_ID): lwm2m_id,
    vol.Optional(ATTR_ARGS): validation.text,
}
# The UUID is enough for a command that was queued here.
_COMMAND: VolDictType = {**_DEVICE, vol.Required(ATTR_UUID): validation.uuid}

OFFLINE_READ_SCHEMA = ActionSchema(
    {**_READ, **_CACHED, vol.Optional(ATTR_BIN2HEX): validation.flag},
    validation.check_device,
    validation.check_resource,
    validation.check_expiry,
)
OFFLINE_WRITE_SCHEMA = ActionSchema(
    {**_WRITE, **_CACHED},
    validation.check_device,
    validation.check_values,
    validation.check_size(Write),
    validation.check_expiry,
)
OFFLINE_EXECUTE_SCHEMA = ActionSchema(
    {**_EXECUTE, **_CACHED}, validation.check_device, validation.check_size(Execute), validation.check_expiry
)
READ_SCHEMA = ActionSchema(
    {**_READ, **_IMMEDIATE}, validation.check_device, validation.check_resource, validation.check_if_offline
)
WRITE_SCHEMA = ActionSchema(
    {**_WRITE, **_IMMEDIATE},
    validation.check_device,
    validation.check_values,
    validation.check_size(Write),
    validation.check_if_offline,
)
EXECUTE_SCHEMA = ActionSchema(
    {**_EXECUTE, **_IMMEDIATE}, validation.check_device, validation.check_size(Execute), validation.check_if_offline
)
DISCOVER_SCHEMA = ActionSchema({**_OBJECT, **_TIMEOUT}, validation.check_device)
OBSERVE_SCHEMA = ActionSchema(
    {
        **_READ,
        vol.Optional(ATTR_CANCEL, default=False): validation.flag,
        vol.Optional(ATTR_PMIN): validation.whole_number(1, _SECONDS_MAX),
        vol.Optional(ATTR_PMAX): validation.whole_number(1, _SECONDS_MAX),
        vol.Optional(ATTR_GT): validation.number,
        vol.Optional(ATTR_LT): validation.number,
        vol.Optional(ATTR_ST): validation.step,
        **_TIMEOUT,
    },
    validation.check_device,
    validation.check_resource,
    validation.check_observation,
)
GET_RESOURCES_SCHEMA = ActionSchema({**_DEVICE, vol.Optional(ATTR_OBJ_ID): lwm2m_id}, validation.check_device)
GET_HISTORY_SCHEMA = ActionSchema(
    {
        **_DEVICE,
        vol.Optional(ATTR_OBJ_ID): lwm2m_id,
        vol.Optional(ATTR_OBJ_INST_ID): lwm2m_id,
        vol.Optional(ATTR_RES_ID): lwm2m_id,
        vol.Optional(ATTR_START): validation.moment,
        vol.Optional(ATTR_END): validation.moment,
        vol.Optional(ATTR_LIMIT, default=LIMIT): validation.whole_number(1, LIMIT_MAX),
    },
    validation.check_device,
    validation.check_one_resource,
    takes_entity=True,
)
IMPORT_HISTORY_SCHEMA = ActionSchema({vol.Required(ATTR_START): validation.moment}, has_target=True)
GET_COMMAND_SCHEMA = ActionSchema(
    {**_COMMAND, vol.Optional(ATTR_INCLUDE_LOG, default=False): validation.flag}, validation.check_any_device
)
LIST_COMMANDS_SCHEMA = ActionSchema(
    {**_DEVICE, vol.Optional(ATTR_SINCE): validation.moment, vol.Optional(ATTR_STATE): validation.states},
    validation.check_any_device,
)
WAIT_FOR_COMMAND_SCHEMA = ActionSchema(
    {**_ACCOUNT, vol.Required(ATTR_UUID): validation.uuid, vol.Required(ATTR_TIMEOUT): validation.wait_timeout},
    # The timeout of the other actions is OneNET's, in seconds.
    texts={ATTR_TIMEOUT: "invalid_wait"},
)
CANCEL_COMMAND_SCHEMA = ActionSchema(_COMMAND, validation.check_any_device)
CANCEL_COMMANDS_SCHEMA = ActionSchema(_DEVICE, validation.check_device)
REQUEST_READING_SCHEMA = ActionSchema({vol.Optional(ATTR_EXPIRES_IN): validation.duration}, has_target=True)


async def _async_get_data(call: ServiceCall) -> OneNetRuntimeData:
    """Return the runtime data of the account of a call."""
    return (await async_get_account(call.hass, call.data)).runtime_data


async def _async_queue(
    call: ServiceCall, account: OneNetRuntimeData, operation: Read | Write | Execute
) -> ServiceResponse:
    """Queue an operation and return the fields of the event; `expires_in` counts from the platform's time now."""
    data = validation.resolve_times(call.data, account.client.now())
    asked = build(CachedCommand, data, operation=operation)
    response = await account.manager.async_queue(asked, data.get(ATTR_IF_WAITING, IfWaiting.ADD), call.context)
    return response if call.return_response else None


async def _async_offline_read(call: ServiceCall) -> ServiceResponse:
    """Queue a cached read for a sleeping device.

    Takes the parameters of Read and CachedCommand, with `device_id` allowed in place of `imei` and `expires_in` in
    place of `expired_time`, `if_waiting`, and `config_entry_id` for an IMEI that does not identify the account.
    Return the fields of the event `command_queued`. Raise ServiceValidationError for a wrong field or a device that the
    account does not have, HomeAssistantError for every other refusal and if it is unknown whether the command was
    queued. Source: "Cached command: read device resources".
    """
    return await _async_queue(call, await _async_get_data(call), build(Read, call.data))


async def _async_offline_write(call: ServiceCall) -> ServiceResponse:
    """Queue a cached write for a sleeping device.

    Takes the parameters of Write and CachedCommand except `bin2hex`; `values` is a list of `res_id`, `value` and `type`
    (`plain`, `text` for any value as text, `opaque` or `time`), at most 2,048 bytes of JSON. Otherwise as offline_read.
    Source: "Cached command: write device resources".
    """
    return await _async_queue(call, await _async_get_data(call), build(Write, call.data))


async def _async_offline_execute(call: ServiceCall) -> ServiceResponse:
    """Queue a cached execute for a sleeping device.

    Takes the parameters of Execute and CachedCommand except `bin2hex`; `args` has at most 2,048 bytes. Otherwise as
    offline_read. Source: "Cached command: execute".
    """
    return await _async_queue(call, await _async_get_data(call), build(Execute, call.data))


async def _async_send_immediate(call: ServiceCall, operation: Read | Write | Execute) -> ServiceResponse:
    """Send an immediate command, or queue it if the device is offline and the caller wants that."""
    account = await _async_get_data(call)
    if call.data[ATTR_IF_OFFLINE] is IfOffline.QUEUE:
        # Report wrong times before the device is tried.
        validation.resolve_times(call.data, account.client.now())
    response = account.tracker.origin(operation.imei) | describe_operation(operation)
    try:
        values = await async_send(account, operation, device_timeout=call.data.get(ATTR_TIMEOUT))
    except OneNetError as err:
        if not isinstance(err, ASLEEP[type(operation)]):
            raise account.manager.error(err) from err
        if call.data[ATTR_IF_OFFLINE] is IfOffline.FAIL:
            raise device_asleep(err, f"{DOMAIN}.offline_{operation.command}") from err
        return await _async_queue(call, account, operation)
    if isinstance(operation, Read):
        response[ATTR_VALUES] = values
    return response if call.return_response else None


async def _async_request_reading(call: ServiceCall) -> ServiceResponse:
    """Read what the entities of a target show: immediately while a device answers, otherwise when it wakes.

    Takes the fields of a target and `expires_in`, which defaults to 7 days. Return by device id, under `devices`, the
    account, `imei` and `device_id`, the fields of each queued command under `commands`, the `values` of the immediate
    reads, and of the first error its `reason`, which is its translation key, and its text `error`. Raise
    ServiceValidationError for a target without a device of this integration, and the first error if each device has one
    and nothing was queued or read. Log the other errors if no response is requested. Sources: those of read and
    offline_read.
    """
    if not (targets := async_find_devices(call.hass, call.data)):
        raise validation.invalid("no_device_in_target")
    expires_in = call.data.get(ATTR_EXPIRES_IN, EXPIRES_IN)
    response = await async_request_readings(call.hass, targets, call.context, expires_in)
    if call.return_response:
        return response
    for device_id, reading in response[ATTR_DEVICES].items():
        if ATTR_ERROR in reading:
            # The text may have the IMEI.
            LOGGER.warning(
                "The reading of device %s is incomplete; the response of the action has the error", device_id
            )
    return None


async def _async_read(call: ServiceCall) -> ServiceResponse:
    """Read a device immediately.

    Takes the parameters of Read, `timeout`, `if_offline` with an expiry and `if_waiting`, and `config_entry_id` as
    offline_read does. Return the `values`; if the read was queued instead, what offline_read returns. Raise
    ServiceValidationError for a wrong field or a device that the account does not have, HomeAssistantError for a
    sleeping device and every other refusal. Source: "Immediate command: read".
    """
    return await _async_send_immediate(call, build(Read, call.data))


async def _async_write(call: ServiceCall) -> ServiceResponse:
    """Write to a device immediately.

    Takes the parameters of Write, `values` as offline_write does, and the other parameters of read. Return the object
    and its instance; if the write was queued instead, what offline_write returns. Raise as read does, and
    HomeAssistantError if it is unknown whether the device was written to. Source: "Immediate command: write".
    """
    return await _async_send_immediate(call, build(Write, call.data))


async def _async_execute(call: ServiceCall) -> ServiceResponse:
    """Execute a resource of a device immediately.

    Takes the parameters of Execute, and the other parameters of read. Return the resource; if the execute was queued
    instead, what offline_execute returns. Raise as write does. Source: "Immediate command: execute".
    """
    return await _async_send_immediate(call, build(Execute, call.data))


async def _async_observe(call: ServiceCall) -> None:
    """Start or end an observation, in which a device reports values by itself.

    Takes the parameters of Observe, `timeout`, and `config_entry_id` as offline_read does. Raise as read does. Source:
    "Immediate command: subscribe".
    """
    account = await _async_get_data(call)
    await account.manager.async_request(
        account.client.observe(build(Observe, call.data), device_timeout=call.data.get(ATTR_TIMEOUT))
    )


async def _async_discover(call: ServiceCall) -> ServiceResponse:
    """Ask a device which resources of an object it has.

    Takes the parameters of Discover, `timeout`, and `config_entry_id` as offline_read does. Return a list of `obj_id`,
    `obj_inst_id` and `res_id` under `resources`. Raise as read does. Source: "Immediate command: discover".
    """
    account = await _async_get_data(call)
    operation = build(Discover, call.data)
    found = await account.manager.async_request(
        account.client.discover(operation, device_timeout=call.data.get(ATTR_TIMEOUT))
    )
    return account.tracker.origin(operation.imei) | {ATTR_RESOURCES: describe_resources(found)}


async def _async_get_resources(call: ServiceCall) -> ServiceResponse:
    """List the resources of a device that OneNET has stored; no command is sent to the device.

    Takes `device_id` or `imei`, `obj_id`, which defaults to all, and `config_entry_id` as offline_read does. Return
    what discover returns. Raise HomeAssistantError if the request to OneNET fails. Source: "Get the resource list".
    """
    account = await _async_get_data(call)
    imei = call.data[ATTR_IMEI]
    found = await account.manager.async_request(account.client.get_resources(imei, obj_id=call.data.get(ATTR_OBJ_ID)))
    return account.tracker.origin(imei) | {ATTR_RESOURCES: describe_resources(found)}


async def _async_get_history(call: ServiceCall) -> ServiceResponse:
    """Return the values that a resource had in a period; no command is sent to the device.

    Takes `device_id` or `imei`, `config_entry_id` as offline_read does, `obj_id`, `obj_inst_id` and `res_id` unless the
    target is one entity that shows a resource, `start`, which defaults to a day before `end`, `end`, which defaults to
    now, and `limit`. Return `start`, `end` and under `values`, the oldest first, the resource, `value` and `time` of at
    most `limit` values, the newest if there are more. Raise ServiceValidationError for a wrong field, a period that
    OneNET does not keep, or a device that the account does not have, HomeAssistantError if the request to OneNET fails.
    Sources: "View data points", "History of data points".
    """
    return await async_get_history(await _async_get_data(call), call.data)


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Import the values that OneNET kept into the statistics of a target's sensors, in the background.

    Takes the fields of a target, and `start`. Return under `count` of how many resources the history is imported. Raise
    ServiceValidationError for a target without a sensor that has statistics, for a start in the future or before the
    history that OneNET keeps, and if the recorder is not set up.
    """
    if not (targets := async_find_devices(call.hass, call.data)):
        raise validation.invalid("no_device_in_target")
    count = async_import_history(call.hass, targets, call.data[ATTR_START])
    return {ATTR_COUNT: count} if call.return_response else None


async def _async_get_command(call: ServiceCall) -> ServiceResponse:
    """Look up a cached command.

    Takes `uuid`, `device_id` or `imei` of a command that was not queued here, `include_log`, and `config_entry_id` as
    offline_read does. Return the fields of an event with `state`, `reason` and `message` of a failed command, the known
    times, how many deliveries `remain`, the `values` of a finished read, and `log`. If the request to OneNET fails for
    a command that was queued here, return its last known state. Raise ServiceValidationError for an unknown command,
    HomeAssistantError if the request to OneNET fails. Sources: "View the details of a cached command", "Full-link log
    of a cached command".
    """
    data = call.data
    account = await _async_get_data(call)
    return await account.manager.async_get(data[ATTR_UUID], data.get(ATTR_IMEI), include_log=data[ATTR_INCLUDE_LOG])


async def _async_list_commands(call: ServiceCall) -> ServiceResponse:
    """List cached commands, the newest first: a device's, or those that were queued here.

    Takes `device_id` or `imei`, `since`, `state`, which defaults to all, and `config_entry_id` as offline_read does.
    Return them under `commands`. With a device, these are OneNET's list, by default of the last week; commands that
    were queued elsewhere come without resources and values, which OneNET returns for one command at a time. Without a
    device, these are all commands that are kept here. Raise HomeAssistantError if the request to OneNET fails. Source:
    "View the list of a device's cached commands".
    """
    since = call.data.get(ATTR_SINCE)
    states = call.data.get(ATTR_STATE) or set(CommandState)
    account = await _async_get_data(call)
    if (imei := call.data.get(ATTR_IMEI)) is None:
        return account.manager.list_local(since, states)
    return await account.manager.async_list(imei, since or account.client.now() - timedelta(days=7), states)


async def _async_wait_for_command(call: ServiceCall) -> ServiceResponse:
    """Wait until a command that was queued here is finished.

    Takes `uuid` and `timeout`, a duration of up to 24 hours. Return what get_command returns; after the timeout, with
    the `state` of an unfinished command. Raise ServiceValidationError for a command that was not queued here.
    """
    account = await _async_get_data(call)
    return await account.manager.async_wait(call.data[ATTR_UUID], call.data[ATTR_TIMEOUT].total_seconds())


async def _async_cancel_command(call: ServiceCall) -> ServiceResponse:
    """Cancel a waiting cached command.

    Takes `uuid`, `device_id` or `imei` of a command that was not queued here, and `config_entry_id` as offline_read
    does. Return the fields of the event `command_cancelled`. Raise ServiceValidationError for a command that was sent
    or is finished, HomeAssistantError if the request to OneNET fails. Source: "Cancel a cached command".
    """
    account = await _async_get_data(call)
    response = await account.manager.async_cancel(call.data[ATTR_UUID], call.data.get(ATTR_IMEI), call.context)
    return response if call.return_response else None


async def _async_cancel_commands(call: ServiceCall) -> ServiceResponse:
    """Cancel all waiting cached commands of a device.

    Takes `device_id` or `imei`, and `config_entry_id` as offline_read does. Return the fields of each event
    `command_cancelled` under `commands`, and the UUIDs of those that OneNET could not cancel under `failed`. Raise
    HomeAssistantError if the request to OneNET fails. Source: "Cancel all waiting commands of a device".
    """
    account = await _async_get_data(call)
    response = await account.manager.async_cancel_all(call.data[ATTR_IMEI], call.context)
    return response if call.return_response else None


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    # A command is useful without its response, a query is not.
    optional, only = SupportsResponse.OPTIONAL, SupportsResponse.ONLY
    for name, handler, schema, supports_response in (
        (SERVICE_OFFLINE_READ, _async_offline_read, OFFLINE_READ_SCHEMA, optional),
        (SERVICE_OFFLINE_WRITE, _async_offline_write, OFFLINE_WRITE_SCHEMA, optional),
        (SERVICE_OFFLINE_EXECUTE, _async_offline_execute, OFFLINE_EXECUTE_SCHEMA, optional),
        (SERVICE_REQUEST_READING, _async_request_reading, REQUEST_READING_SCHEMA, optional),
        (SERVICE_READ, _async_read, READ_SCHEMA, optional),
        (SERVICE_WRITE, _async_write, WRITE_SCHEMA, optional),
        (SERVICE_EXECUTE, _async_execute, EXECUTE_SCHEMA, optional),
        (SERVICE_OBSERVE, _async_observe, OBSERVE_SCHEMA, SupportsResponse.NONE),
        (SERVICE_DISCOVER, _async_discover, DISCOVER_SCHEMA, only),
        (SERVICE_GET_RESOURCES, _async_get_resources, GET_RESOURCES_SCHEMA, only),
        (SERVICE_GET_HISTORY, _async_get_history, GET_HISTORY_SCHEMA, only),
        (SERVICE_IMPORT_HISTORY, _async_import_history, IMPORT_HISTORY_SCHEMA, optional),
        (SERVICE_GET_COMMAND, _async_get_command, GET_COMMAND_SCHEMA, only),
        (SERVICE_LIST_COMMANDS, _async_list_commands, LIST_COMMANDS_SCHEMA, only),
        (SERVICE_WAIT_FOR_COMMAND, _async_wait_for_command, WAIT_FOR_COMMAND_SCHEMA, only),
        (SERVICE_CANCEL_COMMAND, _async_cancel_command, CANCEL_COMMAND_SCHEMA, optional),
        (SERVICE_CANCEL_COMMANDS, _async_cancel_commands, CANCEL_COMMANDS_SCHEMA, optional),
    ):
        hass.services.async_register(DOMAIN, name, handler, schema=schema, supports_response=supports_response)
