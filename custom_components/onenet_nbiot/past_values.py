"""Return the values of a resource that OneNET kept, and request their import into the statistics."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import service
from homeassistant.util import dt as dt_util

from .const import (
    ATTR_END,
    ATTR_IMEI,
    ATTR_LIMIT,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_START,
    ATTR_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
    DOMAIN,
)
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import Device
from .history import RECORDER, HistoryImporter, sensor_description, sensor_entity
from .onenet.client import HISTORY_MAX
from .targets import TargetedDevice
from .validation import ABOUT_NOW, invalid, local_time

_PERIOD = timedelta(days=1)
# Of more values, the response has the newest.
LIMIT = 500
LIMIT_MAX = 5000


async def async_get_history(account: OneNetRuntimeData, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a resource had in a period, the oldest first, as fields of a response."""
    start, end = _resolve_period(data, account.client.now())
    resource = {name: data[name] for name in (ATTR_OBJ_ID, ATTR_OBJ_INST_ID, ATTR_RES_ID)}
    key = await _async_get_key(account, data[ATTR_IMEI])
    path = "/".join(map(str, resource.values()))
    points = await account.manager.async_request(
        account.client.get_history(key, path, start=start, end=end, limit=data[ATTR_LIMIT])
    )
    return account.tracker.origin(data[ATTR_IMEI]) | {
        ATTR_START: dt_util.as_local(start).isoformat(),
        ATTR_END: dt_util.as_local(end).isoformat(),
        ATTR_VALUES: [
            resource | {ATTR_VALUE: point.value, ATTR_TIME: dt_util.as_local(point.measured_at).isoformat()}
            for point in points
        ],
    }


async def _async_get_key(account: OneNetRuntimeData, imei: str) -> str:
    """Return the key of a device at OneNET, looked up if it is not known."""
    if (device := account.devices.added.get(imei)) is not None and device.key is not None:
        return device.key
    return (await account.manager.async_request(account.client.get_device(imei))).name


def _resolve_period(data: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Return the start and the end of a period; `now` is the platform's time.

    Raise ServiceValidationError for a period that is empty, in the future, or older than what OneNET keeps.
    """
    end = min(data.get(ATTR_END, now), now)
    start = _check_start(data.get(ATTR_START, end - _PERIOD), now)
    if start >= end:
        raise invalid("end_before_start", value=local_time(end), start=local_time(start))
    return start, end


def _check_start(start: datetime, now: datetime) -> datetime:
    """Return the start of a period; raise ServiceValidationError for one in the future or before OneNET's history."""
    if start >= now:
        raise invalid("start_in_future", value=local_time(start), now=local_time(now))
    # A template that subtracts the whole period from now() was evaluated earlier.
    if start < now - HISTORY_MAX - ABOUT_NOW:
        raise invalid("start_too_early", value=local_time(start), earliest=local_time(now - HISTORY_MAX))
    return start


@callback
def async_import_history(hass: HomeAssistant, targets: Sequence[TargetedDevice], start: datetime) -> int:
    """Request the import of the history of a target's sensors since a time; return the number of resources.

    Nothing is requested if an error is raised.
    """
    if RECORDER not in hass.config.components:
        raise invalid("no_recorder")
    requested: list[tuple[HistoryImporter, str, str]] = []
    for target in targets:
        entry: OneNetConfigEntry = service.async_get_config_entry(hass, DOMAIN, target.entry_id)
        account = entry.runtime_data
        _check_start(start, account.client.now())
        if (device := account.devices.added.get(target.imei)) is not None:
            requested += [(account.history, target.imei, path) for path in _paths(hass, device, target)]
    if not requested:
        raise invalid("no_statistics_in_target")
    for history, imei, path in requested:
        history.async_request(imei, path, start)
    return len(requested)


def _paths(hass: HomeAssistant, device: Device, target: TargetedDevice) -> list[str]:
    """Return the paths of the resources of a target whose sensors are enabled and have statistics."""
    keys = [description.key for description in device.descriptions] if target.keys is None else sorted(target.keys)
    return [key for key in keys if sensor_description(device, key) is not None and _is_enabled(hass, target, key)]


def _is_enabled(hass: HomeAssistant, target: TargetedDevice, key: str) -> bool:
    """Return whether the sensor of a resource is enabled."""
    entity = sensor_entity(hass, target.entry_id, target.imei, key)
    return entity is not None and not entity.disabled
