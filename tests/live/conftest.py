"""Fixtures of the live tests: a real Home Assistant with an account on an emulated OneNET."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.emulator import OneNet, Product, Server

from .home_assistant import DASHBOARDS, INTERFACE, HomeAssistant, free_port, seed

KEY = "live-master-key"
PRODUCT_ID = "L1vePr0duct"
ACCESS_KEY = b64encode(b"access key of the live product").decode()
SECOND_KEY = "second-live-master-key"
SECOND_PRODUCT_ID = "S3condPr0duct"
SECOND_ACCESS_KEY = b64encode(b"access key of the second live product").decode()
IMEI = "866971030000001"

AUTOMATION = """\
- id: request
  alias: Queue a read on request
  triggers:
    - trigger: event
      event_type: read_requested
  actions:
    - action: onenet_nbiot.offline_read
      data:
        imei: {imei}
        obj_id: 3303
        expires_in: "06:00:00"
      response_variable: queued
    - event: read_queued
      event_data:
        uuid: "{{{{ queued.uuid }}}}"
- id: repeat
  alias: Repeat every queued command
  mode: parallel
  triggers:
    - trigger: event
      event_type: onenet_nbiot_event
      event_data:
        type: command_queued
  actions:
    - event: command_repeated
      event_data:
        uuid: "{{{{ trigger.event.data.uuid }}}}"
"""
SCRIPT = """\
read_water_meter:
  alias: Read the water meter
  sequence:
    - action: onenet_nbiot.offline_read
      data:
        imei: "{imei}"
        obj_id: 3303
        obj_inst_id: 0
        res_id: 5700
        expires_in:
          days: 1
"""
DASHBOARD = """\
title: Meters
views:
  - cards:
      - type: button
        name: Read now
        tap_action:
          action: perform-action
          perform_action: script.read_water_meter
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def onenet() -> AsyncIterator[Server]:
    """Return an emulated OneNET with one sleeping device."""
    product = Product(key=KEY, id=PRODUCT_ID, access_key=ACCESS_KEY)
    product.add(IMEI, "Water meter", {(3303, 0, 5700): 21.5, (3306, 0, 5850): False, (3306, 0, 5851): 10})
    second = Product(key=SECOND_KEY, id=SECOND_PRODUCT_ID, access_key=SECOND_ACCESS_KEY)
    server = await Server(OneNet(product, second)).start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home_assistant(onenet: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HomeAssistant]:
    """Return a real Home Assistant with an account that was connected through the config flow."""
    config: Path = tmp_path_factory.mktemp("config")
    port = free_port()
    (config / "automations.yaml").write_text(AUTOMATION.format(imei=IMEI))
    (config / "scripts.yaml").write_text(SCRIPT.format(imei=IMEI))
    (config / "meters.yaml").write_text(DASHBOARD)
    seed(config, port, more=INTERFACE + DASHBOARDS)
    async with HomeAssistant.running(config, port) as home_assistant:
        result = await home_assistant.connect_account({"api_key": KEY}, onenet.url)
        assert (result["type"], result["title"]) == ("create_entry", "OneNET")
        yield home_assistant


@pytest.fixture(autouse=True)
def _room_in_the_queue(onenet: Server) -> None:
    """Delete the commands of the test before: the queue of a device has room for ten."""
    onenet.onenet.products[0].devices[IMEI].commands.clear()
