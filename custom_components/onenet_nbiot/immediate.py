"""Send operations to devices immediately."""

from typing import Any, Final

from .command import describe_confirmed, describe_values
from .coordinator import OneNetRuntimeData
from .onenet.errors import DeviceOfflineError, DeviceTimeoutError, OneNetError
from .onenet.operations import Execute, Operation, Read, Write

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
