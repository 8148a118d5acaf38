"""The calls of the API: what the platform does, as its replies have it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from .device import Command, as_json
from .parameters import BEIJING, RefusalError, parse_body
from .platform import DATAPOINT_IDS_MAX, STATUS_IDS_MAX, OneNet, Product


def _queue_read(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Cached command: read device resources"."""
    return {"uuid": onenet.queue_read(product, query).uuid}


def _queue_write(onenet: OneNet, product: Product, query: dict[str, str], body: bytes) -> dict[str, Any]:
    """Answer "Cached command: write device resources"."""
    return {"uuid": onenet.queue_write(product, query, parse_body(body)).uuid}


def _queue_execute(onenet: OneNet, product: Product, query: dict[str, str], body: bytes) -> dict[str, Any]:
    """Answer "Cached command: execute"."""
    return {"uuid": onenet.queue_execute(product, query, parse_body(body)).uuid}


async def _ask(kind: str, onenet: OneNet, product: Product, query: dict[str, str], body: bytes = b"") -> Any:
    """Answer "Immediate command", of whichever kind."""
    content = parse_body(body) if kind in ("WRITE", "EXECUTE") else None
    return await onenet.ask(product, kind, query, content)


def _resources(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Get the resource list"."""
    objects = onenet.resources(product, query)
    return {
        "total_count": len(objects),
        "item": [
            {
                "obj_id": obj,
                "instances": [
                    {"inst_id": instance, "resources": resources} for instance, resources in instances.items()
                ],
            }
            for obj, instances in objects.items()
        ],
    }


def _devices(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query devices"."""
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", "30"))
    if page < 1 or not 1 <= per_page <= 100:
        raise RefusalError(3, "invalid parameter: page")
    words = query.get("key_words", "")
    devices = [device for device in product.devices.values() if words in device.title]
    return {
        "total_count": len(devices),
        "page": page,
        "per_page": per_page,
        "devices": [
            {
                "id": str(device.id),
                "title": device.title,
                "protocol": "LWM2M",
                "online": device.online,
                "auth_info": {device.imei: "460000000000001"},
                "create_time": "2020-12-02 09:02:24",
            }
            for device in devices[(page - 1) * per_page : page * per_page]
        ],
    }


def _device_by_imei(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query device information by IMEI"."""
    device = onenet.device(product, query)
    return {
        "id": str(device.id),
        "title": device.title,
        "online": device.online,
        "create_time": "2020-12-02 09:02:24",
        "observe_status": True,
    }


def _statuses(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query device status in batch"."""
    devices = onenet.devices(product, query, STATUS_IDS_MAX)
    return {
        "total_count": len(devices),
        "devices": [{"id": str(device.id), "title": device.title, "online": device.online} for device in devices],
    }


def _newest(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Query newest data in batch"."""
    return {
        "devices": [
            {
                "id": str(device.id),
                "title": device.title,
                "datastreams": [
                    {
                        "id": "_".join(map(str, path)),
                        "at": at.astimezone(BEIJING).replace(tzinfo=None).isoformat(" ", timespec="milliseconds"),
                        "value": as_json(value),
                    }
                    for path, (value, at) in device.datapoints.items()
                ],
            }
            for device in onenet.devices(product, query, DATAPOINT_IDS_MAX)
        ]
    }


def _history(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "View the list of a device's cached commands"."""
    found = onenet.history(product, query)
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", "30"))
    return {
        "total_count": len(found),
        "items": [_item(command) for command in found[(page - 1) * per_page :][:per_page]],
    }


def _detail(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> dict[str, Any]:
    """Answer "View the details of a cached command"."""
    command = onenet.command(product, query, uuid)
    detail = _item(command) | {"args": command.args, "content": command.content}
    return detail if command.result is None else detail | {"cmd_result": command.result}


def _log(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> list[dict[str, str]]:
    """Answer "Full-link log of a cached command"."""
    log = onenet.command(product, query, uuid).log
    return [{"log": text, "time": time.astimezone(BEIJING).strftime("%a %b %d %H:%M:%S CST %Y")} for time, text in log]


def _item(command: Command) -> dict[str, Any]:
    """Return a command as lists and details have it."""
    times = {
        name: moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        for name in ("create_time", "valid_time", "expired_time", "send_time", "confirm_time")
        if (moment := getattr(command, name)) is not None
    }
    return times | {
        "cmd_uuid": command.uuid,
        "type": command.kind,
        "imei": command.imei,
        "send_status": command.send_status,
        "confirm_status": command.confirm_status,
        "trigger_msg": command.trigger_msg,
        "remain": str(command.remain),
    }


def _cancel(onenet: OneNet, product: Product, query: dict[str, str], uuid: str) -> None:
    """Answer "Cancel a cached command"."""
    onenet.cancel(product, query, uuid)


def _cancel_all(onenet: OneNet, product: Product, query: dict[str, str]) -> dict[str, Any]:
    """Answer "Cancel all waiting commands of a device"."""
    cancelled = onenet.cancel_all(product, query)
    return {"succ": cancelled, "failed": [], "total": len(cancelled)}


# Written as the legacy platform has them; what is posted has a body.
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/nbiot", partial(_ask, "READ")),
    ("POST", "/nbiot", partial(_ask, "WRITE")),
    ("POST", "/nbiot/execute", partial(_ask, "EXECUTE")),
    ("POST", "/nbiot/observe", partial(_ask, "OBSERVE")),
    ("GET", "/nbiot/discover", partial(_ask, "DISCOVER")),
    ("GET", "/nbiot/resources", _resources),
    ("GET", "/nbiot/offline", _queue_read),
    ("POST", "/nbiot/offline", _queue_write),
    ("POST", "/nbiot/execute/offline", _queue_execute),
    ("GET", "/nbiot/offline/history", _history),
    ("GET", "/nbiot/offline/history/([^/]+)", _detail),
    ("GET", "/nbiot/offline/history/([^/]+)/piecewise", _log),
    ("PUT", "/nbiot/offline/cancel/all", _cancel_all),
    ("PUT", "/nbiot/offline/cancel/([^/]+)", _cancel),
    ("GET", "/devices", _devices),
    ("GET", "/devices/getbyimei", _device_by_imei),
    ("GET", "/devices/status", _statuses),
    ("GET", "/devices/datapoints", _newest),
)
