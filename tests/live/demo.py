"""Demonstrate a cached read of a sleeping, emulated device in a real Home Assistant."""

import argparse
import asyncio
import contextlib
from datetime import timedelta
import json
from pathlib import Path
import tempfile
from typing import Any

from tests.emulator import OneNet, Product, Server, Trigger

from .home_assistant import DASHBOARDS, INTERFACE, PASSWORD, USER, HomeAssistant, free_port, seed

KEY = "demo-master-key"
ACCOUNTS = {
    "legacy": {"api_key": KEY},
    "current": {"product_id": Product.id, "access_key": Product.access_key, "platform": "current"},
}
IMEI = "866971030000001"
TITLE = "Water meter, kitchen"
TEMPERATURE = (3303, 0, 5700)
SENSOR = "sensor.water_meter_kitchen_temperature"
CONNECTIVITY = "binary_sensor.water_meter_kitchen_connectivity"
# The automation shows the reading as a notification.
BUTTON = """\
input_button:
  read_water_meter:
    name: Read the water meter
    icon: mdi:water
"""
DASHBOARD = f"""\
title: Meters
views:
  - cards:
      - type: entities
        title: {TITLE}
        entities:
          - {SENSOR}
          - {CONNECTIVITY}
          - sensor.water_meter_kitchen_waiting_commands
          - event.water_meter_kitchen_command
          - button.water_meter_kitchen_request_reading
      - type: button
        entity: input_button.read_water_meter
        tap_action:
          action: toggle
"""
AUTOMATION = f"""\
- id: read_water_meter
  alias: Read the water meter and show the value
  mode: parallel
  triggers:
    - trigger: state
      entity_id: input_button.read_water_meter
  actions:
    - action: onenet_nbiot.offline_read
      data:
        imei: "{IMEI}"
        obj_id: 3303
        obj_inst_id: 0
        res_id: 5700
        expires_in:
          days: 1
      response_variable: command
    - action: onenet_nbiot.wait_for_command
      data:
        uuid: "{{{{ command.uuid }}}}"
        timeout:
          days: 1
      response_variable: result
    - action: persistent_notification.create
      data:
        title: Water meter
        message: "{{{{ result['values'][0].value if result.state == 'succeeded' else result.state }}}}"
"""


def show(what: str, data: Any) -> None:
    """Print one step."""
    print(f"\n{what}\n{json.dumps(data, indent=2, ensure_ascii=False)}", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--once", action="store_true", help="end after the first read instead of staying up")
    parser.add_argument("--platform", choices=ACCOUNTS, default="legacy", help="OneNET's platform; defaults to legacy")
    parser.add_argument("--port", type=int, default=0, help="Home Assistant's port, any free one by default")
    parser.add_argument("--language", default="en", help="Home Assistant's language: en or zh-Hans")
    return parser.parse_args()


async def start_onenet() -> Server:
    """Start an emulated OneNET, 12 hours ago, with a device that has reported its values and sleeps."""
    product = Product(key=KEY)
    product.add(IMEI, TITLE, {TEMPERATURE: 21.5, (3303, 0, 5701): "Cel"})
    onenet = await Server(OneNet(product)).start()
    onenet.onenet.clock.offset = timedelta(hours=-12)
    onenet.onenet.report(IMEI)
    return onenet


async def main() -> None:
    """Run the demonstration."""
    arguments = parse_arguments()
    onenet = await start_onenet()
    port = arguments.port or free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory)
        (config / "automations.yaml").write_text(AUTOMATION)
        (config / "meters.yaml").write_text(DASHBOARD)
        seed(config, port, language=arguments.language, more=INTERFACE + DASHBOARDS + BUTTON)
        print("Starting Home Assistant ...", flush=True)
        async with HomeAssistant.running(config, port) as home_assistant:
            device = await set_up(home_assistant, onenet, arguments.platform)
            async with home_assistant.events("onenet_nbiot_event") as events:
                await demonstrate(home_assistant, onenet, events)
                if not arguments.once:
                    await stay_up(home_assistant, onenet, device, events)
    await onenet.stop()


async def set_up(home_assistant: HomeAssistant, onenet: Server, platform: str) -> dict[str, Any]:
    """Connect the account, add the device from its list, and return the device."""
    account = await home_assistant.connect_account(ACCOUNTS[platform], onenet.url)
    print(f"\nConnected the account {account['title']!r} on the {platform} platform", flush=True)
    # The default of 60 seconds is long for a spectator.
    await home_assistant.set_interval(account["result"], 10)
    device = await home_assistant.add_listed_device(account["result"], TITLE)
    print(f"Added the device {device['name']!r} from the account's list", flush=True)
    return device


async def demonstrate(home_assistant: HomeAssistant, onenet: Server, events: asyncio.Queue[dict[str, Any]]) -> None:
    """Queue a read, wake the device, and show the event with the result and the entities."""
    await show_entities(home_assistant, "off", "21.5")
    response = await home_assistant.call(
        "onenet_nbiot.offline_read",
        {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"days": 1}},
    )
    show("Response of onenet_nbiot.offline_read", response)
    await next_event(events, "command_queued")
    print(f"\nUUID: {response['uuid']}\n\nThe device sleeps. 12 hours later it wakes ...", flush=True)
    onenet.onenet.clock.offset = timedelta()
    onenet.onenet.products[0].devices[IMEI].resources[TEMPERATURE] = 22.75
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    result = await next_event(events, "command_succeeded")
    print(f"\nRESULT: {result['values'][0]['value']}", flush=True)
    await show_entities(home_assistant, "on", str(result["values"][0]["value"]))
    onenet.onenet.sleep(IMEI)


async def show_entities(home_assistant: HomeAssistant, presence: str, value: str) -> None:
    """Wait until the device's entities have these states, and print them."""
    connectivity = await home_assistant.until(CONNECTIVITY, presence)
    print(f"\n{connectivity['attributes']['friendly_name']}: {connectivity['state']}", flush=True)
    sensor = await home_assistant.until(SENSOR, value)
    details = sensor["attributes"]
    print(
        f"{details['friendly_name']}: {sensor['state']} {details['unit_of_measurement']},"
        f" measured {details['measured_at']}",
        flush=True,
    )


async def stay_up(
    home_assistant: HomeAssistant, onenet: Server, device: dict[str, Any], events: asyncio.Queue[dict[str, Any]]
) -> None:
    """Print where to look, and wake the device every 30 seconds."""
    print(
        f"\nHome Assistant stays up at {home_assistant.url} (user {USER}, password {PASSWORD})."
        f"\nThe device: {home_assistant.url}/config/devices/device/{device['id']}"
        f"\nA dashboard: {home_assistant.url}/lovelace-meters/0"
        f"\nAction panel: {home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_read"
        f"\nEmulated OneNET: {onenet.url}; the device {IMEI} wakes every 30 seconds. Ctrl+C ends.",
        flush=True,
    )
    await asyncio.gather(wake_repeatedly(onenet), next_event(events))


async def next_event(events: asyncio.Queue[dict[str, Any]], last: str = "") -> dict[str, Any]:
    """Print events, and return the first one of a type."""
    while True:
        event: dict[str, Any] = (await events.get())["data"]
        show("Event onenet_nbiot_event", event)
        if event["type"] == last:
            return event


async def wake_repeatedly(onenet: Server) -> None:
    """Let the device report, take its commands and go back to sleep, every 30 seconds."""
    while True:
        await asyncio.sleep(30)
        onenet.onenet.wake(IMEI, Trigger.NOTIFY)
        onenet.onenet.sleep(IMEI)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
