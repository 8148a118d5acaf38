"""Demonstrate queued commands for sleeping devices in a real Home Assistant: scripts/demo."""

import argparse
import asyncio
import contextlib
from datetime import datetime
import signal
import socket
from typing import Any

from tests.live.home_assistant import PASSWORD, USER

from .dashboard import PATH, WATER
from .demonstration import ACCOUNTS, Demonstration, running
from .devices import DEVICES, METER, SimulatedDevice
from .history import DAYS

TITLES = {device.imei: device.title for device in DEVICES}
PLATFORMS = {"legacy": "NB-IoT suite", "current": "open platform"}
READ = {"imei": METER.imei, "obj_id": 3424, "obj_inst_id": 0, "res_id": 1, "expires_in": {"days": 1}}
# Seconds for which the meter stands for one that sleeps for hours.
SLEEP = 3
# Seconds for which a device is online after it has woken.
AWAKE = 5
SCREEN = """\

A real Home Assistant with a simulated OneNET ({platform}) and four simulated devices

  Open            {url}/{path}
  Sign in         user {user}, password {password}
  The meter       {url}/config/devices/device/{meter}
  Its water       {url}/energy/water (simulated for the past {days} days)
  An action       {url}/config/tools/action?service=onenet_nbiot.offline_read

{habits}

What will happen: a read of the sleeping water meter is queued, and waits at OneNET under its UUID.
The meter wakes and answers. OneNET's push is on, so the result is there at once: as an event of
the command, and at the entity.
{ending}

"""
STAYS = """\
Then it is your turn. Read the water meter or switch the lamp on the dashboard, and wait for the
device to wake. Every command is also listed here. Ctrl+C ends, and removes everything."""
ENDS = "Then it ends, and removes everything. Without --once, it stays up for your browser."


def say(text: str) -> None:
    """Print what happens, with the time."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--once", action="store_true", help="end after the first read instead of staying up")
    parser.add_argument("--platform", choices=ACCOUNTS, default="legacy", help="OneNET's platform; defaults to legacy")
    parser.add_argument("--port", type=int, default=0, help="Home Assistant's port, any free one by default")
    parser.add_argument("--language", default="en", help="Home Assistant's language: en or zh-Hans")
    arguments = parser.parse_args()
    with socket.socket() as probe:
        try:
            # As Home Assistant does, to ignore connections that were closed just now.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", arguments.port))
        except (OSError, OverflowError) as err:
            parser.error(f"port {arguments.port} cannot be used ({err}); choose another one with --port")
    return arguments


def describe(event: dict[str, Any]) -> str:
    """Return an event of a command in a line."""
    path = "/".join(str(event[name]) for name in ("obj_id", "obj_inst_id", "res_id") if name in event)
    title = TITLES.get(event["imei"], event["imei"])
    # A rejected command has no UUID.
    return f"{event['type']}: {title} {event['command']} {path} {event.get('uuid') or event['reason']}"


async def next_event(events: asyncio.Queue[dict[str, Any]], last: str = "", uuid: str = "") -> dict[str, Any]:
    """Print events, and return the first one of a type and a command."""
    while True:
        event: dict[str, Any] = (await events.get())["data"]
        say(describe(event))
        if (event["type"], event.get("uuid")) == (last, uuid):
            return event


def wake(demonstration: Demonstration, device: SimulatedDevice) -> None:
    """Wake a device, and print what it reports and takes."""
    report, count = demonstration.wake(device)
    reports = [f"reports {report}"] if report else []
    takes = [f"takes {count} command{'s' if count > 1 else ''}"] if count else []
    if reports or takes:
        say(f"{device.title} wakes: {' and '.join(reports + takes)}")


async def wake_repeatedly(demonstration: Demonstration, device: SimulatedDevice) -> None:
    """Wake a device again and again, each time for some seconds."""
    while True:
        await asyncio.sleep(AWAKE)
        demonstration.sleep(device)
        await asyncio.sleep(device.seconds - AWAKE)
        wake(demonstration, device)


async def read_once(demonstration: Demonstration, events: asyncio.Queue[dict[str, Any]]) -> None:
    """Queue a read, wake the meter, and print the result and the entity."""
    home_assistant = demonstration.home_assistant
    sensor = await home_assistant.until(WATER, str(METER.resources[3424, 0, 1]))
    say(f"{WATER} is {sensor['state']} m³, measured 12 hours ago")
    uuid = (await home_assistant.call("onenet_nbiot.offline_read", READ))["uuid"]
    say("The action onenet_nbiot.offline_read has queued a read, which waits at OneNET")
    print(f"UUID: {uuid}", flush=True)
    await next_event(events, "command_queued", uuid)
    say(f"The water meter sleeps, in reality for hours, here for {SLEEP} seconds ...")
    await asyncio.sleep(SLEEP)
    wake(demonstration, METER)
    result = await next_event(events, "command_succeeded", uuid)
    value = result["values"][0]["value"]
    print(f"RESULT: {value} m³", flush=True)
    await home_assistant.until(WATER, str(value))
    say(f"{WATER} is {value} m³")


async def demonstrate(arguments: argparse.Namespace) -> None:
    """Start, print the screen, read the meter, and stay up until interrupted."""
    async with (
        running(arguments.platform, arguments.port, arguments.language) as demonstration,
        demonstration.home_assistant.events("onenet_nbiot_event") as events,
    ):
        screen = SCREEN.format(
            platform=PLATFORMS[arguments.platform],
            url=demonstration.home_assistant.url,
            path=PATH,
            user=USER,
            password=PASSWORD,
            meter=demonstration.device_ids[METER.imei],
            days=DAYS,
            habits="\n".join(f"  {device.title:<16}{device.habit}" for device in DEVICES),
            ending=ENDS if arguments.once else STAYS,
        )
        print(screen, end="", flush=True)
        async with asyncio.timeout(60):
            await read_once(demonstration, events)
        if not arguments.once:
            say("Your turn")
            async with asyncio.TaskGroup() as group:
                activities = [wake_repeatedly(demonstration, device) for device in DEVICES]
                tasks = [group.create_task(activity) for activity in (*activities, next_event(events))]
                # It also ends if it is stopped or restarted in the browser.
                await demonstration.home_assistant.wait()
                for task in tasks:
                    task.cancel()


async def main() -> None:
    """Run the demonstration; end cleanly when interrupted or terminated."""
    arguments = parse_arguments()
    if (task := asyncio.current_task()) is not None:
        for interruption in (signal.SIGINT, signal.SIGTERM):
            # A program that a script has started in the background ignores SIGINT by default.
            # A second one must not interrupt the end.
            asyncio.get_running_loop().add_signal_handler(interruption, lambda: task.cancelling() or task.cancel())
    print("Starting Home Assistant ...", flush=True)
    try:
        await demonstrate(arguments)
    finally:
        print("Home Assistant has stopped, and its files are removed.", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
