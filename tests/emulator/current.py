"""The current platform's calls for products, devices and their values."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import points
from .call import Call
from .device import CREATED, Device
from .parameters import whole
from .refusals import invalid, missing, no_device
from .times import iso, milliseconds

LIMIT_MAX = 100


def _product(call: Call) -> dict[str, Any]:
    """Answer "Product detail"."""
    product = call.named_product
    statuses = [_status(device) for device in product.devices.values()]
    return {
        "product_id": product.id,
        "name": product.name,
        "node_type": 1,
        "desc": "",
        "own_device_count": len(statuses),
        "online_device_count": statuses.count(1),
        "offline_device_count": statuses.count(0),
        "not_active_device_count": statuses.count(2),
        "create_time": iso(CREATED),
        "update_time": iso(CREATED),
        "status": 1,
    }


def _devices(call: Call) -> dict[str, Any]:
    """Answer "Device list", which has no total."""
    product = call.named_product
    words = call.query.get("device_name", "")
    return _page(call, [_record(product.id, device) for device in product.devices.values() if words in device.name])


def _device(call: Call) -> dict[str, Any]:
    """Answer "Device detail"."""
    return _record(call.named_product.id, call.named_device)


def _states(call: Call) -> dict[str, Any]:
    """Answer "Device status history", the newest change first."""
    device = call.named_device
    start = whole(call.query, "start_time", 0)
    end = whole(call.query, "end_time", milliseconds(call.onenet.clock.now()))
    states = [{"status": int(online), "time": milliseconds(at)} for online, at in reversed(device.states)]
    return _page(call, [state for state in states if start <= state["time"] <= end])


def _newest(call: Call) -> dict[str, Any]:
    """Answer "Newest data points in batch"."""
    return {
        "devices": [
            {"id": str(device.id), "title": device.name, "datastreams": points.newest(call, device)}
            for device in _batch(call)
        ]
    }


def _points(call: Call) -> dict[str, Any]:
    """Answer "History of data points"."""
    return points.history(call, call.named_device)


def _batch(call: Call) -> list[Device]:
    """Return the devices that a call names by one IMEI or by several names, without unknown names."""
    if "imei" in call.query:
        return [call.named_device]
    product = call.named_product
    if not call.query.get("device_name"):
        raise missing("device_name")
    names = set(call.query["device_name"].split(","))
    switches = call.onenet.switches
    if len(names) > (switches.names_max or len(names)):
        raise invalid("device_name")
    found = [device for device in product.devices.values() if device.name in names]
    if not found and len(names) == 1:
        raise no_device()
    return found[:-1] if switches.last_name_left_out and len(names) > 1 else found


def _page(call: Call, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the records that offset and limit select."""
    offset = whole(call.query, "offset", 0)
    limit = whole(call.query, "limit", 10, 1, LIMIT_MAX)
    return {"offset": offset, "limit": limit, "list": records[offset : offset + limit]}


def _record(product_id: str, device: Device) -> dict[str, Any]:
    """Return the record of a device, with its secrets."""
    return {
        "did": str(device.id),
        "pid": product_id,
        "access_pt": 4,
        "data_pt": 2,
        "name": device.name,
        "desc": device.title,
        "status": _status(device),
        "create_time": iso(device.created),
        "activate_time": iso(device.created + timedelta(hours=1)) if device.activated else "",
        "last_time": iso(device.last_online) if device.activated else "",
        "imei": device.imei,
        "imsi": device.imsi,
        "enable_status": True,
        "obsv": True,
        "obsv_st": True,
        "group_id": "",
        "tags": [],
        "private": True,
    } | {name: f"SECRET-{name.replace('_', '-')}-{device.id}" for name in ("sec_key", "psk", "auth_code", "auth_info")}


def _status(device: Device) -> int:
    """Return 0 for offline, 1 for online, 2 for never activated."""
    return int(device.online) if device.activated or device.online else 2


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/product/detail", _product),
    ("GET", "/device/list", _devices),
    ("GET", "/device/detail", _device),
    ("GET", "/device/status-history", _states),
    ("GET", "/datapoint/current-datapoints", _newest),
    ("GET", "/datapoint/history-datapoints", _points),
)
