"""The legacy platform's calls for devices."""

from collections.abc import Callable
from typing import Any

from . import points
from .call import Call
from .device import Device
from .parameters import check_imei, whole
from .refusals import RefusalError, invalid, missing, no_device
from .times import cst, printed

PER_PAGE_MAX = 100
DATAPOINT_IDS_MAX = 500
STATUS_IDS_MAX = 1000


def _devices(call: Call) -> dict[str, Any]:
    """Answer "Query devices"."""
    page = whole(call.query, "page", 1, minimum=1)
    per_page = whole(call.query, "per_page", 30, 1, PER_PAGE_MAX)
    devices = [device for device in call.product.devices.values() if _matches(call.query, device)]
    return {
        "total_count": len(devices),
        "page": page,
        "per_page": per_page,
        "devices": [
            _identity(device)
            | {
                "protocol": "LWM2M",
                "auth_info": {device.imei: device.imsi},
                "create_time": printed(device.created),
                "private": True,
                "tags": [],
            }
            for device in devices[(page - 1) * per_page : page * per_page]
        ],
    }


def _matches(query: dict[str, str], device: Device) -> bool:
    """Return whether a device matches the filters of "Query devices"; no device has a tag."""
    if (online := query.get("online", "true")) not in ("true", "false"):
        raise invalid("online")
    created = printed(device.created)[:10]
    return (
        query.get("key_words", "") in device.title
        and ("online" not in query or device.online == (online == "true"))
        and ("device_id" not in query or str(device.id) in query["device_id"].split(","))
        and "tag" not in query
        and query.get("begin", created) <= created <= query.get("end", created)
    )


def _device(call: Call, device_id: str) -> dict[str, Any]:
    """Answer "Query device information"."""
    device = _with_id(call, device_id)
    return _identity(device) | {
        "private": True,
        "protocol": "LwM2M",
        "auth_info": {device.imei: device.imsi},
        "rg_id": device.imei,
        "imsi": device.imsi,
        "imsi_old": [device.imsi],
        "create_time": printed(device.created),
        "act_time": cst(device.created) if device.activated else "",
        "last_ct": cst(device.last_online) if device.activated else "",
        "obsv": True,
        "obsv_st": True,
        "tags": [],
        "datastreams": [
            {"id": stream["id"], "create_time": printed(device.created), "unit": "", "unit_symbol": ""}
            for stream in points.newest(call, device)
        ],
    }


def _device_by_imei(call: Call) -> dict[str, Any]:
    """Answer "Query device information by IMEI"; an unknown device has empty data."""
    device = call.product.devices.get(check_imei(call.query))
    if device is None:
        return {}
    return _identity(device) | {"create_time": printed(device.created), "observe_status": True}


def _statuses(call: Call) -> dict[str, Any]:
    """Answer "Query device status in batch"."""
    devices = _with_ids(call, STATUS_IDS_MAX)
    return {"total_count": len(devices), "devices": [_identity(device) for device in devices]}


def _newest(call: Call) -> dict[str, Any]:
    """Answer "Query newest data in batch"."""
    return {
        "devices": [
            {"id": str(device.id), "title": device.title, "datastreams": points.newest(call, device)}
            for device in _with_ids(call, DATAPOINT_IDS_MAX)
        ]
    }


def _points(call: Call, device_id: str) -> dict[str, Any]:
    """Answer "View data points"."""
    return points.history(call, _with_id(call, device_id))


def _push_status(call: Call) -> dict[str, Any]:
    """Answer whether the HTTP push of a product is on."""
    if "pid" not in call.query:
        raise missing("pid")
    for product in call.products:
        if product.id == call.query["pid"]:
            push = call.onenet.push
            return {"status": product.push_enabled and (push is None or push.is_on)}
    raise RefusalError(8, "no such product")


def _identity(device: Device) -> dict[str, Any]:
    """Return the members that all records of a device have."""
    return {"id": str(device.id), "title": device.title, "online": device.online}


def _with_id(call: Call, device_id: str) -> Device:
    """Return the device with an id."""
    for product in call.products:
        for device in product.devices.values():
            if str(device.id) == device_id:
                return device
    raise no_device()


def _with_ids(call: Call, maximum: int) -> list[Device]:
    """Return the devices that a call names by their ids, without unknown ones."""
    if not call.query.get("devIds"):
        raise missing("devIds")
    ids = call.query["devIds"].split(",")
    if len(ids) > maximum:
        raise RefusalError(20, "too many ids")
    wanted = set(ids)
    return [device for device in call.product.devices.values() if str(device.id) in wanted]


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/devices", _devices),
    ("GET", "/devices/getbyimei", _device_by_imei),
    ("GET", "/devices/status", _statuses),
    ("GET", "/devices/datapoints", _newest),
    ("GET", "/devices/([^/]+)", _device),
    ("GET", "/devices/([^/]+)/datapoints", _points),
    ("GET", "/third/platform/status", _push_status),
)
