"""Request readings: read a device immediately while it answers, and queue the remaining reads."""

import asyncio
from collections.abc import Iterable, Sequence, Set as AbstractSet
from datetime import timedelta
from typing import Any, NamedTuple

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import service

from .const import (
    ATTR_COMMANDS,
    ATTR_DEVICES,
    ATTR_ERROR,
    ATTR_IMEI,
    ATTR_REASON,
    ATTR_VALUES,
    DOMAIN,
    LOGGER,
)
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import Device
from .manager import IfWaiting
from .onenet.errors import OneNetError
from .onenet.operations import TIMEOUT_MIN, Read
from .sending import ASLEEP, EXPIRES_IN, async_queue, async_send
from .targets import TargetedDevice
from .validation import invalid

_MAX_DEVICES = 10
# The reason of a failure without a translation key.
_UNEXPECTED = "unexpected_error"


class Outcome(NamedTuple):
    """Hold the queued commands and the values of a device, as fields of a response, and the first failure."""

    fields: dict[str, Any]
    failure: BaseException | None


async def async_request_reading(
    account: OneNetRuntimeData,
    device: Device,
    context: Context,
    *,
    keys: AbstractSet[str] | None = None,
    expires_in: timedelta = EXPIRES_IN,
) -> Outcome:
    """Read the resources that a device's entities show, or those with these keys.

    An online device is read immediately until a read shows that it sleeps. The other reads are queued, unless the same
    reads are already waiting. Raise ServiceValidationError for a device without such resources.
    """
    if not (reads := device.reads(keys)):
        raise invalid("nothing_shown", name=device.title)
    # One press is one line in the activity of the device.
    with account.tracker.one_queued_event(device.imei, context):
        return await _async_read_all(account, reads, context, expires_in, is_awake=device.online is True)


async def _async_read_all(
    account: OneNetRuntimeData, reads: Iterable[Read], context: Context, expires_in: timedelta, *, is_awake: bool
) -> Outcome:
    """Read a device immediately until a read shows that it sleeps, and queue the other reads."""
    values: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    failure: HomeAssistantError | None = None
    for read in reads:
        try:
            if is_awake:
                try:
                    values += await async_send(account, read, device_timeout=TIMEOUT_MIN)
                    continue
                except ASLEEP[Read]:
                    is_awake = False
                except OneNetError as err:
                    raise account.manager.error(err) from err
            commands.append(await async_queue(account, read, IfWaiting.KEEP, context, expires_in=expires_in))
        except HomeAssistantError as err:
            failure = failure or err
            if isinstance(err.__cause__, OneNetError) and err.__cause__.is_account_wide:
                # Every other read would fail in the same way.
                break
    fields = {ATTR_COMMANDS: commands, ATTR_VALUES: values}
    return Outcome({name: found for name, found in fields.items() if found}, failure)


async def async_request_readings(
    hass: HomeAssistant, targets: Sequence[TargetedDevice], context: Context, expires_in: timedelta
) -> dict[str, Any]:
    """Read several devices, a few at the same time, and return the response by device.

    Raise the first failure if no read of any device was queued or answered, and each device has a failure.
    """
    limit = asyncio.Semaphore(_MAX_DEVICES)

    async def request(target: TargetedDevice) -> Outcome:
        async with limit:
            entry: OneNetConfigEntry = service.async_get_config_entry(hass, DOMAIN, target.entry_id)
            account = entry.runtime_data
            if (device := account.devices.added.get(target.imei)) is None:
                raise invalid("no_device_in_target")
            return await async_request_reading(account, device, context, keys=target.keys, expires_in=expires_in)

    results = await asyncio.gather(*map(request, targets), return_exceptions=True)
    outcomes = [result if isinstance(result, Outcome) else Outcome({}, result) for result in results]
    for target, (_, failure) in zip(targets, outcomes, strict=True):
        if failure is not None and not isinstance(failure, HomeAssistantError):
            # A bug in the reading of one device does not hide the commands and values of the others.
            LOGGER.error("The reading of device %s failed unexpectedly", target.device_id, exc_info=failure)
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if len(failures) == len(targets) and not any(outcome.fields for outcome in outcomes):
        raise failures[0]
    devices = {}
    for target, (fields, failure) in zip(targets, outcomes, strict=True):
        error = {} if failure is None else _describe_failure(failure)
        origin = {ATTR_CONFIG_ENTRY_ID: target.entry_id, ATTR_IMEI: target.imei, ATTR_DEVICE_ID: target.device_id}
        devices[target.device_id] = origin | fields | error
    return {ATTR_DEVICES: devices}


def _describe_failure(failure: BaseException) -> dict[str, Any]:
    """Return the fields of a failure in a response."""
    if isinstance(failure, HomeAssistantError) and failure.translation_key is not None:
        return {ATTR_REASON: failure.translation_key, ATTR_ERROR: str(failure)}
    return {ATTR_REASON: _UNEXPECTED, ATTR_ERROR: repr(failure)}
