"""Add an emulated device that sleeps to a real Home Assistant, queue a read for it, and watch what comes of it."""

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
IMEI = "866971030000001"
SENSOR = "sensor.water_meter_kitchen_temperature"
# A person presses the button, and sees the reading among the notifications.
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
        title: Water meter, kitchen
        entities:
          - {SENSOR}
          - binary_sensor.water_meter_kitchen_connectivity
          - sensor.water_meter_kitchen_waiting_commands
          - event.water_meter_kitchen_command
          - button.water_meter_kitchen_read_now
      - type: button
        entity: input_button.read_water_meter
        tap_action:
          action: toggle
"""
AUTOMATION = f"""\
- id: read_water_meter
  alias: Read the water meter and tell the value
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


async def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--once", action="store_true", help="end after the first read instead of staying up")
    parser.add_argument("--port", type=int, default=0, help="Home Assistant's port, any free one by default")
    parser.add_argument("--language", default="en", help="Home Assistant's language: en or zh-Hans")
    arguments = parser.parse_args()
    product = Product(key=KEY)
    product.add(IMEI, "Water meter, kitchen", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel"})
    onenet = await Server(OneNet(product)).start()
    port = arguments.port or free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory)
        (config / "automations.yaml").write_text(AUTOMATION)
        (config / "meters.yaml").write_text(DASHBOARD)
        seed(config, port, language=arguments.language, more=INTERFACE + DASHBOARDS + BUTTON)
        print("Starting Home Assistant ...", flush=True)
        async with HomeAssistant.running(config, port) as home_assistant:
            account = await home_assistant.connect_account({"api_key": KEY}, onenet.url)
            print(f"\nConnected the account {account['title']!r}", flush=True)
            # Nobody who watches waits a minute.
            await home_assistant.set_interval(account["result"], 10)
            device = await home_assistant.add_device(account["result"], IMEI)
            print(f"Added the device {device['name']!r}", flush=True)
            async with home_assistant.events("onenet_nbiot_event") as events:
                await demonstrate(home_assistant, onenet, events)
                if not arguments.once:
                    print(
                        f"\nHome Assistant stays up at {home_assistant.url} (user {USER}, password {PASSWORD})."
                        f"\nThe device: {home_assistant.url}/config/devices/device/{device['id']}"
                        f"\nA dashboard: {home_assistant.url}/lovelace-meters/0"
                        f"\nAction panel: {home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_read"
                        f"\nEmulated OneNET: {onenet.url}; the device {IMEI} wakes every 30 seconds. Ctrl+C ends.",
                        flush=True,
                    )
                    await asyncio.gather(wake_again_and_again(onenet), hear(events))
    await onenet.stop()


async def demonstrate(home_assistant: HomeAssistant, onenet: Server, events: asyncio.Queue[dict[str, Any]]) -> None:
    """Queue a read, wake the device, hear what it has read, and see it."""
    response = await home_assistant.call(
        "onenet_nbiot.offline_read",
        {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"days": 1}},
    )
    show("Response of onenet_nbiot.offline_read", response)
    await hear(events, "command_queued")
    print(f"\nUUID: {response['uuid']}\n\nThe device sleeps. Half a day later it wakes ...", flush=True)
    onenet.onenet.clock.offset += timedelta(hours=12)
    wake(onenet)
    result = await hear(events, "command_succeeded")
    print(f"\nRESULT: {result['values'][0]['value']}", flush=True)
    seen = await home_assistant.until(SENSOR, str(result["values"][0]["value"]))
    told = seen["attributes"]
    print(
        f"{told['friendly_name']}: {seen['state']} {told['unit_of_measurement']}, measured {told['measured_at']}",
        flush=True,
    )


async def hear(events: asyncio.Queue[dict[str, Any]], last: str = "") -> dict[str, Any]:
    """Print the events as they come, and return the first of the type that is waited for."""
    while True:
        event: dict[str, Any] = (await events.get())["data"]
        show("Event onenet_nbiot_event", event)
        if event["type"] == last:
            return event


def wake(onenet: Server) -> None:
    """Let the device send a value, take what waits for it, and go back to sleep."""
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    onenet.onenet.sleep(IMEI)


async def wake_again_and_again(onenet: Server) -> None:
    """Wake the device every 30 seconds."""
    while True:
        await asyncio.sleep(30)
        wake(onenet)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
