"""Send operations to devices: immediately, or when they wake."""

from datetime import timedelta
from typing import Any, Final

from homeassistant.core import Context

from .command import describe_confirmed, describe_values
from .const import ATTR_EXPIRED_TIME, ATTR_EXPIRES_IN
from .coordinator import OneNetRuntimeData
from .devices import Device
from .manager import IfWaiting
from .onenet.errors import DeviceOfflineError, DeviceTimeoutError, ErrorKind, OneNetError, OutcomeUnknownError
from .onenet.operations import TIMEOUT_MIN, CachedCommand, Execute, Operation, Read, Write
from .validation import resolve_times

# Long enough for a device that wakes once a week.
EXPIRES_IN = timedelta(days=7)
# The errors after which an operation may be queued instead. After a timeout the device may have carried out the
# operation: only a read may be repeated.
ASLEEP: Final[dict[type[Operation], tuple[type[OneNetError], ...]]] = {
    Read: (DeviceOfflineError, DeviceTimeoutError),
    Write: (DeviceOfflineError,),
    Execute: (DeviceOfflineError,),
}


async def async_send(
    account: OneNetRuntimeData, operation: Read | Write | Execute, *, device_timeout: int | None = None
) -> list[dict[str, Any]]:
    """Send an operation to a device immediately, update the device's entities, and return the values of a read.

    The entities are updated from the values that the device has confirmed. Raise OneNetError.
    """
    client = account.client
    values: list[dict[str, Any]] = []
    match operation:
        case Read():
            values = describe_values(await client.read(operation, device_timeout=device_timeout))
        case Write():
            await client.write(operation, device_timeout=device_timeout)
        case _:
            await client.execute(operation, device_timeout=device_timeout)
    confirmed = describe_confirmed(operation, values)
    account.devices.async_update_from_read(operation.imei, confirmed, client.now())
    return values


async def async_queue(
    account: OneNetRuntimeData,
    operation: Read | Write | Execute,
    if_waiting: IfWaiting,
    context: Context,
    *,
    expires_in: timedelta = EXPIRES_IN,
) -> dict[str, Any]:
    """Queue an operation, and return the fields of its event; raise HomeAssistantError."""
    times = resolve_times({ATTR_EXPIRES_IN: expires_in}, account.client.now())
    command = CachedCommand(operation=operation, expired_time=times[ATTR_EXPIRED_TIME])
    return await account.manager.async_queue(command, if_waiting, context)


async def async_control(
    account: OneNetRuntimeData, device: Device, operation: Write | Execute, context: Context
) -> None:
    """Write or execute a resource when its device wakes, or at once if the user chose to try that first.

    A write replaces waiting writes; an execute that is already waiting is not queued again. Raise HomeAssistantError.
    """
    if device.at_once:
        # Delivered later, a write would undo this one, and an execute would be carried out twice.
        await account.manager.async_cancel_covered(operation, context)
        try:
            await async_send(account, operation, device_timeout=TIMEOUT_MIN)
        except OneNetError as err:
            if not _can_be_queued(err, operation):
                raise account.manager.error(err) from err
        else:
            return
    if_waiting = IfWaiting.REPLACE if isinstance(operation, Write) else IfWaiting.KEEP
    await async_queue(account, operation, if_waiting, context)


def _can_be_queued(err: OneNetError, operation: Write | Execute) -> bool:
    """Return whether a control may be queued after an error of the immediate request.

    A write of a state may be carried out twice, unlike an execute, which must not have reached the device.
    """
    if isinstance(operation, Execute):
        return isinstance(err, ASLEEP[Execute])
    return err.kind is ErrorKind.TRANSIENT or isinstance(err, (*ASLEEP[Read], OutcomeUnknownError))
