"""Request readings: read a device immediately while it answers, and queue the remaining reads."""

import asyncio
from collections.abc import Sequence, Set as AbstractSet
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
    ATTR_EXPIRED_TIME,
    ATTR_EXPIRES_IN,
    ATTR_IMEI,
    ATTR_VALUES,
    DOMAIN,
)
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import Device
from .immediate import ASLEEP, async_send
from .manager import IfWaiting
from .onenet.errors import OneNetError
from .onenet.operations import TIMEOUT_MIN, CachedCommand, Read
from .targets import TargetedDevice
from .validation import invalid, resolve_times

# Long enough for a device that wakes once a week.
EXPIRES_IN = timedelta(days=7)
_MAX_DEVICES = 10


class Outcome(NamedTuple):
    """Hold the queued commands and the values of a device, as fields of a response, and the first failure."""

    fields: dict[str, Any]
    failure: HomeAssistantError | None


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
    values: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    failure: HomeAssistantError | None = None
    is_awake = device.online is True
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
            times = resolve_times({ATTR_EXPIRES_IN: expires_in}, account.client.now())
            command = CachedCommand(operation=read, expired_time=times[ATTR_EXPIRED_TIME])
            commands.append(await account.manager.async_queue(command, IfWaiting.KEEP, context))
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

    Raise the first HomeAssistantError if no device is without a failure.
    """
    limit = asyncio.Semaphore(_MAX_DEVICES)

    async def request(target: TargetedDevice) -> Outcome:
        async with limit:
            try:
                entry: OneNetConfigEntry = service.async_get_config_entry(hass, DOMAIN, target.entry_id)
                account = entry.runtime_data
                if (device := account.devices.added.get(target.imei)) is None:
                    raise invalid("no_device_in_target")
                return await async_request_reading(account, device, context, keys=target.keys, expires_in=expires_in)
            except HomeAssistantError as err:
                return Outcome({}, err)

    outcomes = await asyncio.gather(*map(request, targets))
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if len(failures) == len(targets):
        raise failures[0]
    devices = {}
    for target, (fields, failure) in zip(targets, outcomes, strict=True):
        error = {} if failure is None else {ATTR_ERROR: str(failure)}
        origin = {ATTR_CONFIG_ENTRY_ID: target.entry_id, ATTR_IMEI: target.imei, ATTR_DEVICE_ID: target.device_id}
        devices[target.device_id] = origin | fields | error
    return {ATTR_DEVICES: devices}
