"""Queue a read in a real Home Assistant for an emulated device that sleeps, and watch what comes of it."""

import argparse
import asyncio
import contextlib
from datetime import timedelta
import json
from pathlib import Path
import tempfile
from typing import Any

from tests.emulator import OneNet, Product, Server, Trigger

from .home_assistant import PASSWORD, USER, HomeAssistant, free_port, seed

KEY = "demo-master-key"
IMEI = "866971030000001"
DASHBOARD_SCRIPT = """\
read_water_meter:
  alias: Read the water meter
  icon: mdi:water
  sequence:
    - action: onenet_nbiot.offline_read
      data:
        imei: "866971030000001"
        obj_id: 3303
        obj_inst_id: 0
        res_id: 5700
        expires_in:
          days: 1
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
        (config / "scripts.yaml").write_text(DASHBOARD_SCRIPT)
        seed(config, port, language=arguments.language)
        print("Starting Home Assistant ...", flush=True)
        async with HomeAssistant.running(config, port) as home_assistant:
            await demonstrate(home_assistant, onenet)
            if not arguments.once:
                print(
                    f"\nHome Assistant stays up at {home_assistant.url} (user {USER}, password {PASSWORD})."
                    f"\nAction panel: {home_assistant.url}/config/tools/action?service=onenet_nbiot.offline_read"
                    f"\nEmulated OneNET: {onenet.url}; the device {IMEI} wakes every 30 seconds. Ctrl+C ends.",
                    flush=True,
                )
                while True:
                    await asyncio.sleep(30)
                    await wake(home_assistant, onenet)
    await onenet.stop()


async def demonstrate(home_assistant: HomeAssistant, onenet: Server) -> None:
    """Connect the account, queue a read, and wake the device."""
    account = await home_assistant.connect_account(KEY, onenet.url)
    print(f"\nConnected the account {account['title']!r}", flush=True)
    async with home_assistant.events("onenet_nbiot_event") as events:
        response = await home_assistant.call(
            "onenet_nbiot.offline_read",
            {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"days": 1}},
        )
        event = await asyncio.wait_for(events.get(), 10)
    show("Response of onenet_nbiot.offline_read", response)
    show("Event onenet_nbiot_event", event["data"])
    print(f"\nUUID: {response['uuid']}\n\nThe device sleeps. Half a day later it wakes ...", flush=True)
    onenet.onenet.clock.offset += timedelta(hours=12)
    await wake(home_assistant, onenet)


async def wake(home_assistant: HomeAssistant, onenet: Server) -> None:
    """Wake the device, and let Home Assistant look up what came of the commands that waited for it."""
    for command in onenet.onenet.wake(IMEI, Trigger.UPDATE):
        found = await home_assistant.call("onenet_nbiot.get_command", {"imei": IMEI, "uuid": command.uuid})
        show(f"Result of {command.uuid}: {found['state']}", found.get("values"))
    onenet.onenet.sleep(IMEI)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
