"""Home Assistant is killed or stopped while commands are pending."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
import random
import time
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest

from tests.emulator import OneNet, Product, Server, Trigger, platform

from .conftest import KEY
from .home_assistant import HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

KILLS = 20
CALLERS = 8
# OneNET takes one command per device and second, so that the calls of a round are spread over devices: as many as one
# poll asks for their commands.
IMEIS = [f"{866971040000001 + number}" for number in range(10)]
RESOURCES = 200


class FarAway(Server):
    """An emulated OneNET with a latency before and after each call."""

    @override
    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response = await super()._answer(request)
        await asyncio.sleep(self.latency)
        return response


@asynccontextmanager
async def house(config: Path) -> AsyncIterator[tuple[HomeAssistant, Server]]:
    """Start a Home Assistant with an account on its own emulated OneNET with sleeping devices."""
    product = Product(key=KEY)
    for imei in IMEIS:
        product.add(imei, "Water meter", {(3303, 0, number): number for number in range(RESOURCES)})
    onenet = await FarAway(OneNet(product)).start()
    onenet.latency = 0.02
    port = free_port()
    seed(config, port, more="api:\nconfig:\n")
    try:
        async with HomeAssistant.running(config, port) as home_assistant:
            account = (await home_assistant.connect_account({"api_key": KEY}, onenet.url))["result"]
            await home_assistant.set_interval(account, 10)
            yield home_assistant, onenet
    finally:
        await onenet.stop()


def request(number: int) -> dict[str, Any]:
    """Return the fields of a read; each number is another device or resource."""
    resource, device = divmod(number, len(IMEIS))
    return {"imei": IMEIS[device], "obj_id": 3303, "obj_inst_id": 0, "res_id": resource, "expires_in": {"hours": 12}}


def target(command: dict[str, Any]) -> tuple[str, int]:
    """Return the device and the resource of a command, which no other command has."""
    return command["imei"], int(command["res_id"])


async def known(home_assistant: HomeAssistant) -> dict[tuple[str, int], str | None]:
    """Return the UUIDs of the commands in Home Assistant, None for one that is not yet matched after a lost reply."""
    commands = (await home_assistant.call("onenet_nbiot.list_commands", {}))["commands"]
    return {target(command): command.get("uuid") for command in commands}


async def next_event(events: asyncio.Queue[dict[str, Any]]) -> tuple[str, str]:
    """Return the type and the UUID of the next event."""
    data = (await asyncio.wait_for(events.get(), 30))["data"]
    return data["type"], data["uuid"]


@pytest.mark.timeout(300)
async def test_twenty_kills_lose_and_repeat_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command at OneNET is known after a kill, is there once, and its success is fired once."""
    # The commands of all rounds wait at once.
    monkeypatch.setattr(platform, "WAITING_MAX", RESOURCES)
    start = time.time_ns()
    print(f"Seed of the moments: {start}")
    moments = random.Random(start)  # noqa: S311 - not secrets
    numbers = count()
    answered: dict[tuple[str, int], str] = {}

    async def call_until_killed() -> None:
        """Queue commands one after the other."""
        for number in numbers:
            asked = request(number)
            try:
                queued = await home_assistant.call("onenet_nbiot.offline_read", asked)
            except aiohttp.ClientError:
                return
            answered[target(asked)] = queued["uuid"]

    async with house(tmp_path) as (home_assistant, onenet):
        # Home Assistant saves a new account with a delay, but at the latest when it stops.
        await home_assistant.stop()
        await home_assistant.start()
        for _ in range(KILLS):
            before = set(answered)
            async with asyncio.TaskGroup() as callers:
                for _ in range(CALLERS):
                    callers.create_task(call_until_killed())
                await asyncio.sleep(moments.uniform(0, 0.15))
                await home_assistant.kill()
            await home_assistant.start()
            assert answered.items() <= (await known(home_assistant)).items()
            new = [{"uuid": uuid} for asked, uuid in answered.items() if asked not in before]
            found = await asyncio.gather(*(home_assistant.call("onenet_nbiot.get_command", uuid) for uuid in new))
            assert [(command["state"], answered[target(command)]) for command in found] == [
                ("queued", uuid["uuid"]) for uuid in new
            ]
        onenet.latency = 0
        arrived = {target(command.args): command.uuid for command in onenet.onenet.commands}
        assert len(arrived) == len(onenet.onenet.commands)
        async with home_assistant.events("onenet_nbiot_event") as events:
            kept = {asked: uuid for asked, uuid in (await known(home_assistant)).items() if asked in arrived}
            lost = [arrived[asked] for asked, uuid in kept.items() if uuid is None]
            print(f"{len(answered)} answered, {len(lost)} lost")
            assert lost
            assert kept.keys() == arrived.keys()
            async with asyncio.timeout(120):
                while None in [(await known(home_assistant))[asked] for asked in kept]:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.5)
            for imei in IMEIS:
                onenet.onenet.wake(imei, Trigger.NOTIFY)
            received = [await next_event(events) for _ in (*lost, *kept)]
            assert events.empty()
    expected = [("command_queued", uuid) for uuid in lost] + [("command_succeeded", arrived[asked]) for asked in kept]
    assert sorted(received) == sorted(expected)


async def test_a_result_that_came_during_a_restart_is_fired_after_it(tmp_path: Path) -> None:
    """The first poll finds the result."""
    async with house(tmp_path) as (home_assistant, onenet):
        queued = await home_assistant.call("onenet_nbiot.offline_read", request(5))
        await home_assistant.stop()
        onenet.onenet.wake(queued["imei"], Trigger.UPDATE)
        await home_assistant.start()
        async with home_assistant.events("onenet_nbiot_event") as events:
            assert await next_event(events) == ("command_succeeded", queued["uuid"])
