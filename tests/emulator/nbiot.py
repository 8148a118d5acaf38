"""The NB-IoT calls, which both platforms have under their prefix."""

from collections.abc import Callable
from functools import partial
from typing import Any

from . import commands
from .call import Call
from .device import SendStatus
from .parameters import check_imei, parse_body, whole


def _queue_read(call: Call) -> dict[str, Any]:
    """Answer "Cached command: read device resources"."""
    call.onenet.pace(call.product, call.query)
    return {"uuid": call.onenet.queue_read(call.product, call.query).uuid}


def _queue_write(call: Call) -> dict[str, Any]:
    """Answer "Cached command: write device resources"."""
    content = parse_body(call.body)
    call.onenet.pace(call.product, call.query)
    return {"uuid": call.onenet.queue_write(call.product, call.query, content).uuid}


def _queue_execute(call: Call) -> dict[str, Any]:
    """Answer "Cached command: execute"."""
    content = parse_body(call.body)
    call.onenet.pace(call.product, call.query)
    return {"uuid": call.onenet.queue_execute(call.product, call.query, content).uuid}


async def _ask(kind: str, call: Call) -> Any:
    """Answer "Immediate command" of this kind."""
    content = parse_body(call.body) if kind in ("WRITE", "EXECUTE") else None
    call.onenet.pace(call.product, call.query)
    return await call.onenet.ask(call.product, kind, call.query, content)


def _resources(call: Call) -> dict[str, Any]:
    """Answer "Get the resource list"."""
    objects = call.onenet.resources(call.product, call.query)
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


def _history(call: Call) -> dict[str, Any]:
    """Answer "View the list of a device's cached commands"."""
    found = call.onenet.history(call.product, call.query)
    page = whole(call.query, "page", 1, minimum=1)
    per_page = whole(call.query, "per_page", 30, minimum=1)
    per_page = min(per_page, call.onenet.switches.per_page_max or per_page)
    listed = found[(page - 1) * per_page :][:per_page]
    return {"total_count": len(found), "items": [commands.item(call, command) for command in listed]}


def _detail(call: Call, uuid: str) -> dict[str, Any]:
    """Answer "View the details of a cached command"."""
    return commands.detail(call, call.onenet.command(call.product, call.query, uuid))


def _log(call: Call, uuid: str) -> list[dict[str, str]]:
    """Answer "Full-link log of a cached command"."""
    return commands.log(call.onenet.command(call.product, call.query, uuid))


def _cancel(call: Call, uuid: str) -> None:
    """Answer "Cancel a cached command"."""
    call.onenet.cancel(call.product, call.query, uuid)


def _cancel_all(call: Call) -> dict[str, Any]:
    """Answer "Cancel all waiting commands of a device"."""
    cancelled = call.onenet.cancel_all(call.product, call.query)
    device = call.product.devices[check_imei(call.query)]
    failed = [command.uuid for command in device.commands if command.send_status is SendStatus.WAITING]
    return {"succ": cancelled, "failed": failed, "total": len(cancelled) + len(failed)}


# Paths after the prefix.
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "", partial(_ask, "READ")),
    ("POST", "", partial(_ask, "WRITE")),
    ("POST", "/execute", partial(_ask, "EXECUTE")),
    ("POST", "/observe", partial(_ask, "OBSERVE")),
    ("GET", "/discover", partial(_ask, "DISCOVER")),
    ("GET", "/resources", _resources),
    ("GET", "/offline", _queue_read),
    ("POST", "/offline", _queue_write),
    ("POST", "/execute/offline", _queue_execute),
    ("GET", "/offline/history", _history),
    ("GET", "/offline/history/([^/]+)", _detail),
    ("GET", "/offline/history/([^/]+)/piecewise", _log),
    ("PUT", "/offline/cancel/all/?", _cancel_all),
    ("PUT", "/offline/cancel/([^/]+)", _cancel),
)
