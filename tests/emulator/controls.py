"""Controls for tests, demos and benchmarks in another process: POST /emulator/<name> with a JSON object."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .device import Command, Trigger
from .faults import Fault, FaultKind
from .switches import Switches
from .times import BEIJING

if TYPE_CHECKING:
    from .server import Server


def _describe(command: Command) -> dict[str, Any]:
    """Return the state of a command."""
    return {
        "uuid": command.uuid,
        "kind": command.kind,
        "imei": command.imei,
        "args": command.args,
        "content": command.content,
        "send_status": command.send_status,
        "confirm_status": command.confirm_status,
        "result": command.result,
    }


def _wake(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device send an uplink; return the commands that it was sent."""
    return [_describe(command) for command in server.onenet.wake(asked["imei"], Trigger(asked.get("trigger", 2)))]


def _answer(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a device that hesitates answer; return the answered commands."""
    return [_describe(command) for command in server.onenet.answer(asked["imei"])]


def _sleep(server: Server, asked: dict[str, Any]) -> None:
    """Let a device go offline."""
    server.onenet.sleep(asked["imei"])


def _set_online(server: Server, asked: dict[str, Any]) -> None:
    """Set whether one device or all are online, without sending commands."""
    everyone = [device.imei for device in server.onenet.every_device]
    for imei in [asked["imei"]] if "imei" in asked else everyone:
        server.onenet.set_online(imei, online=asked["online"])


def _report(server: Server, asked: dict[str, Any]) -> None:
    """Let a device report values; a time without a zone is Beijing time."""
    at = datetime.fromisoformat(asked["at"]) if "at" in asked else None
    if at and at.tzinfo is None:
        at = at.replace(tzinfo=BEIJING)
    server.onenet.report(asked["imei"], _values(asked.get("values")), at)


def _report_all(server: Server, asked: dict[str, Any]) -> None:
    """Let every device report values."""
    server.onenet.report_all(_values(asked.get("values")))


def _values(asked: dict[str, Any] | None) -> dict[tuple[int, int, int], Any] | None:
    """Return values by path, from text such as 3303/0/5700; None stands for all present values."""
    if asked is None:
        return None
    values: dict[tuple[int, int, int], Any] = {}
    for path, value in asked.items():
        obj, instance, resource = map(int, path.split("/"))
        values[obj, instance, resource] = value
    return values


def _add(server: Server, asked: dict[str, Any]) -> str:
    """Add a device to the first product; return its id."""
    product = server.onenet.products[0]
    resources = _values(asked.get("resources"))
    return str(product.add(asked["imei"], asked["title"], resources, asked.get("name", "")).id)


def _remove(server: Server, asked: dict[str, Any]) -> None:
    """Delete a device at the platform."""
    server.onenet.remove(asked["imei"])


def _set_clock(server: Server, asked: dict[str, Any]) -> None:
    """Set the platform's clock to an offset from the real time."""
    server.onenet.clock.offset = timedelta(seconds=asked["offset"])


def _fill(server: Server, asked: dict[str, Any]) -> list[list[str]]:
    """Queue a number of reads on every device; return the UUID and IMEI of each."""
    return [[command.uuid, command.imei] for command in server.onenet.fill(asked["commands"])]


def _commands(server: Server, _: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all commands."""
    return [_describe(command) for command in server.onenet.commands]


def _forget(server: Server, _: dict[str, Any]) -> None:
    """Delete all commands."""
    for device in server.onenet.every_device:
        device.commands.clear()


def _fault(server: Server, asked: dict[str, Any]) -> None:
    """Add a fault."""
    server.faults.append(Fault(**asked | {"kind": FaultKind(asked["kind"])}))


def _heal(server: Server, _: dict[str, Any]) -> None:
    """Remove all faults."""
    server.faults.clear()


def _set_latency(server: Server, asked: dict[str, Any]) -> None:
    """Set how many seconds every reply takes."""
    server.latency = asked["seconds"]


def _set_interval(server: Server, asked: dict[str, Any]) -> None:
    """Set the least number of seconds between two commands for one device."""
    server.onenet.command_interval = asked["seconds"]


def _set_switches(server: Server, asked: dict[str, Any]) -> None:
    """Set all switches to one position or to the other."""
    server.onenet.switches = Switches.other() if asked["other"] else Switches()


def _requests(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that arrived, and optionally clear them."""
    logged = [vars(request) for request in server.requests]
    if asked.get("clear"):
        server.requests.clear()
    return logged


CONTROLS: dict[str, Callable[[Server, dict[str, Any]], Any]] = {
    "wake": _wake,
    "answer": _answer,
    "sleep": _sleep,
    "online": _set_online,
    "report": _report,
    "report_all": _report_all,
    "add": _add,
    "remove": _remove,
    "clock": _set_clock,
    "fill": _fill,
    "commands": _commands,
    "forget": _forget,
    "fault": _fault,
    "heal": _heal,
    "latency": _set_latency,
    "interval": _set_interval,
    "switches": _set_switches,
    "requests": _requests,
}
