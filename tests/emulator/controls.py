"""Controls for tests, demos and benchmarks in another process: POST /emulator/<name> with a JSON object."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .device import Command, Trigger
from .faults import Fault, FaultKind
from .generation import Generation
from .push import Push
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


def _wake(server: Server, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Send an uplink from a device; return the commands that are sent to it."""
    return [
        _describe(command) for command in server.onenet.wake(parameters["imei"], Trigger(parameters.get("trigger", 2)))
    ]


def _answer(server: Server, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer the commands that a hesitating device has received; return them."""
    return [_describe(command) for command in server.onenet.answer(parameters["imei"])]


def _sleep(server: Server, parameters: dict[str, Any]) -> None:
    """Set a device offline."""
    server.onenet.sleep(parameters["imei"])


def _set_online(server: Server, parameters: dict[str, Any]) -> None:
    """Set whether one device or all are online, without sending commands."""
    everyone = [device.imei for device in server.onenet.every_device]
    for imei in [parameters["imei"]] if "imei" in parameters else everyone:
        server.onenet.set_online(imei, online=parameters["online"])


def _report(server: Server, parameters: dict[str, Any]) -> None:
    """Report values of a device; a time without a zone is Beijing time."""
    at = datetime.fromisoformat(parameters["at"]) if "at" in parameters else None
    if at and at.tzinfo is None:
        at = at.replace(tzinfo=BEIJING)
    server.onenet.report(parameters["imei"], _values(parameters.get("values")), at)


def _report_all(server: Server, parameters: dict[str, Any]) -> None:
    """Report values of every device."""
    server.onenet.report_all(_values(parameters.get("values")))


def _report_hours(server: Server, parameters: dict[str, Any]) -> None:
    """Report a growing value of a resource of every device in the middle of each of the past hours."""
    values = _values({parameters["path"]: None})
    now = server.onenet.clock.now().replace(minute=30, second=0, microsecond=0)
    for device in server.onenet.every_device:
        for number in range(parameters["hours"]):
            at = now - timedelta(hours=parameters["hours"] - number)
            server.onenet.report(device.imei, dict.fromkeys(values or (), 1 + number / 10), at)


def _values(parameters: dict[str, Any] | None) -> dict[tuple[int, int, int], Any] | None:
    """Return values by path, from text such as 3303/0/5700; None stands for all present values."""
    if parameters is None:
        return None
    values: dict[tuple[int, int, int], Any] = {}
    for path, value in parameters.items():
        obj, instance, resource = map(int, path.split("/"))
        values[obj, instance, resource] = value
    return values


def _add(server: Server, parameters: dict[str, Any]) -> str:
    """Add a device to the first product; return its id."""
    product = server.onenet.products[0]
    resources = _values(parameters.get("resources"))
    return str(product.add(parameters["imei"], parameters["title"], resources, parameters.get("name", "")).id)


def _remove(server: Server, parameters: dict[str, Any]) -> None:
    """Delete a device at the platform."""
    server.onenet.remove(parameters["imei"])


def _set_clock(server: Server, parameters: dict[str, Any]) -> None:
    """Set the platform's clock to an offset from the real time."""
    server.onenet.clock.offset = timedelta(seconds=parameters["offset"])


def _fill(server: Server, parameters: dict[str, Any]) -> list[list[str]]:
    """Queue a number of reads on every device; return the UUID and IMEI of each."""
    return [[command.uuid, command.imei] for command in server.onenet.fill(parameters["commands"])]


def _commands(server: Server, _: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all commands."""
    return [_describe(command) for command in server.onenet.commands]


def _forget(server: Server, _: dict[str, Any]) -> None:
    """Delete all commands."""
    for device in server.onenet.every_device:
        device.commands.clear()


def _fault(server: Server, parameters: dict[str, Any]) -> None:
    """Add a fault."""
    server.faults.append(Fault(**parameters | {"kind": FaultKind(parameters["kind"])}))


def _heal(server: Server, _: dict[str, Any]) -> None:
    """Remove all faults."""
    server.faults.clear()


def _set_latency(server: Server, parameters: dict[str, Any]) -> None:
    """Set how many seconds every reply takes."""
    server.latency = parameters["seconds"]


def _set_interval(server: Server, parameters: dict[str, Any]) -> None:
    """Set the least number of seconds between two commands for one device."""
    server.onenet.command_interval = parameters["seconds"]


def _set_switches(server: Server, parameters: dict[str, Any]) -> None:
    """Set all switches to one position or to the other."""
    server.onenet.switches = Switches.other() if parameters["other"] else Switches()


def _requests(server: Server, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that arrived, and optionally clear them."""
    logged = [vars(request) for request in server.requests]
    if parameters.get("clear"):
        server.requests.clear()
    return logged


def _set_push(server: Server, parameters: dict[str, Any]) -> None:
    """Push to a URL from now on."""
    generation = Generation[parameters.pop("generation").upper()]
    product_id = server.onenet.products[0].id
    server.onenet.push = Push(**parameters, generation=generation, product_id=product_id)


CONTROLS: dict[str, Callable[[Server, dict[str, Any]], Any]] = {
    "wake": _wake,
    "answer": _answer,
    "sleep": _sleep,
    "online": _set_online,
    "report": _report,
    "report_all": _report_all,
    "report_hours": _report_hours,
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
    "push": _set_push,
}
