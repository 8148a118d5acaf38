"""Request readings: read a device immediately while it answers, and queue the remaining reads."""

from datetime import timedelta
from typing import Any, NamedTuple

from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError

from .command import describe_values
from .const import ATTR_COMMANDS, ATTR_EXPIRED_TIME, ATTR_EXPIRES_IN, ATTR_VALUES
from .coordinator import OneNetRuntimeData
from .devices import Device
from .manager import IfWaiting
from .onenet.errors import DeviceOfflineError, DeviceTimeoutError, OneNetError
from .onenet.operations import TIMEOUT_MIN, CachedCommand, Read
from .validation import invalid, resolve_times

# Long enough for a device that wakes once a week.
EXPIRES_IN = timedelta(days=7)
# The errors of a read that show that the device sleeps.
ASLEEP = (DeviceOfflineError, DeviceTimeoutError)


class Outcome(NamedTuple):
    """Hold the queued commands and the values of a device, as fields of a response, and the first failure."""

    fields: dict[str, Any]
    failure: HomeAssistantError | None


async def async_request_reading(account: OneNetRuntimeData, device: Device, context: Context) -> Outcome:
    """Read the resources that a device's entities show.

    An online device is read immediately until a read shows that it sleeps. The other reads are queued, unless the same
    reads are already waiting. Raise ServiceValidationError for a device without such resources.
    """
    if not (reads := device.reads()):
        raise invalid("nothing_shown", name=device.title)
    values: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    failure: HomeAssistantError | None = None
    is_awake = device.online is True
    for read in reads:
        try:
            if is_awake and (found := await _async_read(account, read)) is not None:
                values += found
                continue
            is_awake = False
            times = resolve_times({ATTR_EXPIRES_IN: EXPIRES_IN}, account.client.now())
            command = CachedCommand(operation=read, expired_time=times[ATTR_EXPIRED_TIME])
            commands.append(await account.manager.async_queue(command, IfWaiting.KEEP, context))
        except HomeAssistantError as err:
            failure = failure or err
    fields = {ATTR_COMMANDS: commands, ATTR_VALUES: values}
    return Outcome({name: found for name, found in fields.items() if found}, failure)


async def _async_read(account: OneNetRuntimeData, read: Read) -> list[dict[str, Any]] | None:
    """Read a device immediately and update its entities; return the values, None if the device sleeps.

    Raise HomeAssistantError for any other error.
    """
    try:
        values = describe_values(await account.client.read(read, device_timeout=TIMEOUT_MIN))
    except ASLEEP:
        return None
    except OneNetError as err:
        raise account.manager.error(err) from err
    account.devices.async_update_from_read(read.imei, values, account.client.now())
    return values
