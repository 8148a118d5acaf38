"""OneNET pushes to a real Home Assistant, which may be killed meanwhile."""

import asyncio
from pathlib import Path
import random
import time
from typing import Any

import aiohttp
import pytest

from tests.emulator import Generation, OneNet, Product, Push, Server, Trigger
from tests.emulator.push import body_of

from .conftest import ACCESS_KEY, IMEI, KEY, PRODUCT_ID
from .home_assistant import HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "token-of-the-live-push"
KEYS = {Generation.LEGACY: "KeyOfTheTestsOnlyNoRealKeyABCDEFGHIJKLMNOPQ", Generation.CURRENT: "KeyOfTheTests016"}
ACCOUNTS = {
    Generation.LEGACY: {"api_key": KEY},
    Generation.CURRENT: {"product_id": PRODUCT_ID, "access_key": ACCESS_KEY, "platform": "current"},
}
TEMPERATURE = (3303, 0, 5700)
KILLS = 4
READS = 20


async def next_event(events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the next event, which comes sooner than any poll."""
    data: dict[str, Any] = (await asyncio.wait_for(events.get(), 8))["data"]
    return data


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("generation", list(Generation))
async def test_values_presence_and_results_arrive_by_push(
    tmp_path: Path, generation: Generation, *, encrypted: bool
) -> None:
    """The polling interval is an hour."""
    product = Product(key=KEY, id=PRODUCT_ID, access_key=ACCESS_KEY)
    product.add(IMEI, "Water meter", {TEMPERATURE: 21.5})
    onenet = await Server(OneNet(product)).start()
    port = free_port()
    seed(tmp_path, port, more="api:\nconfig:\n")
    key = KEYS[generation] if encrypted else None
    async with HomeAssistant.running(tmp_path, port) as home_assistant:
        account = (await home_assistant.connect_account(ACCOUNTS[generation], onenet.url))["result"]
        await home_assistant.add_device(account, IMEI, ["3303/0/5700"])
        url = await home_assistant.turn_on_push(account, 3600, token=TOKEN, **({"encryption_key": key} if key else {}))
        push = Push(url, TOKEN, generation=generation, product_id=PRODUCT_ID, key=key)
        assert await push.check_url()
        onenet.onenet.push = push
        async with home_assistant.events("onenet_nbiot_event") as events:
            read = {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"days": 1}}
            await home_assistant.call("onenet_nbiot.offline_read", read)
            assert (await next_event(events))["type"] == "command_queued"
            onenet.onenet.wake(IMEI, Trigger.UPDATE)
            result = await next_event(events)
            assert (result["type"], result["values"][0]["value"]) == ("command_succeeded", 21.5)
            onenet.onenet.report(IMEI, {TEMPERATURE: 30.5})
            await home_assistant.until("sensor.water_meter_temperature", "30.5")
            await home_assistant.until("binary_sensor.water_meter_connectivity", "on")
        await push.finish()
        assert push.failures == 0
        assert home_assistant.complaints() == []
        assert TOKEN not in home_assistant.log()
    await onenet.stop()


@pytest.mark.timeout(300)
async def test_no_kill_loses_a_push_that_was_answered(tmp_path: Path) -> None:
    """After the start the commands have the pushed state, although OneNET has forgotten them."""
    start = time.time_ns()
    print(f"Seed of the moments: {start}")
    moments = random.Random(start)  # noqa: S311 - not secrets
    product = Product(key=KEY)
    imeis = [f"{866971040000001 + number}" for number in range(READS)]
    for imei in imeis:
        product.add(imei, "Water meter", {TEMPERATURE: 21.5})
    onenet = await Server(OneNet(product)).start()
    onenet.onenet.command_interval = 0
    port = free_port()
    seed(tmp_path, port, more="api:\nconfig:\n")
    answered: set[str] = set()

    async def send(url: str, imei: str, uuid: str) -> None:
        values = {"obj_id": 3303, "obj_inst": [{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}]}
        await asyncio.sleep(moments.uniform(0, 0.05))
        message = {"type": 7, "cmd_id": uuid, "imei": imei, "send_status": 5, "confirm_status": 0}
        body = body_of(Generation.LEGACY, TOKEN, None, message | {"confirm_body": values})
        try:
            async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
                if response.status == 200:
                    answered.add(uuid)
        except aiohttp.ClientError:
            return

    async with HomeAssistant.running(tmp_path, port) as home_assistant:
        account = (await home_assistant.connect_account({"api_key": KEY}, onenet.url))["result"]
        url = await home_assistant.turn_on_push(account, 3600, token=TOKEN)
        # Home Assistant saves an account with a delay, but at the latest when it stops.
        await home_assistant.stop()
        await home_assistant.start()
        for _ in range(KILLS):
            read = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"days": 1}}
            queued = [await home_assistant.call("onenet_nbiot.offline_read", read | {"imei": imei}) for imei in imeis]
            for device in product.devices.values():
                device.commands.clear()
            sends = [asyncio.create_task(send(url, command["imei"], command["uuid"])) for command in queued]
            goal = len(answered) + moments.randint(1, READS // 2)
            while len(answered) < goal:  # noqa: ASYNC110 - the moment of the kill must not wait for another event
                await asyncio.sleep(0)
            await home_assistant.kill()
            await asyncio.gather(*sends)
            await home_assistant.start()
            commands = (await home_assistant.call("onenet_nbiot.list_commands", {}))["commands"]
            states = {command["uuid"]: command["state"] for command in commands}
            assert {states[uuid] for uuid in answered} <= {"succeeded"}
        print(f"{len(answered)} of {KILLS * READS} pushes were answered")
        assert answered
    await onenet.stop()
