"""Commands of an account with an access key on the current platform."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.emulator import Device, OneNet, Product, Server, Trigger

from .conftest import ACCESS_KEY, IMEI, PRODUCT_ID
from .home_assistant import HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
SWITCH = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0}
REBOOT = {"imei": IMEI, "obj_id": 3, "obj_inst_id": 0, "res_id": 4}
LATER = {"expires_in": {"hours": 12}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform() -> AsyncIterator[Server]:
    """Return an emulated OneNET with one sleeping device."""
    product = Product(key="never-used", id=PRODUCT_ID, access_key=ACCESS_KEY)
    resources = {(3303, 0, 5700): 21.5, (3306, 0, 5850): False, (3306, 0, 5851): 10}
    product.add(IMEI, "Valve", resources).executables.add((3, 0, 4))
    server = await Server(OneNet(product)).start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(platform: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HomeAssistant]:
    """Return a real Home Assistant with an account that was connected through the config flow."""
    config = tmp_path_factory.mktemp("access_key")
    port = free_port()
    seed(config, port)
    typed = {"product_id": PRODUCT_ID, "access_key": ACCESS_KEY, "platform": "current"}
    async with HomeAssistant.running(config, port) as home_assistant:
        result = await home_assistant.connect_account(typed, platform.url)
        assert (result["type"], result["title"]) == ("create_entry", "OneNET Demo product")
        await home_assistant.set_interval(result["result"], 10)
        yield home_assistant


@pytest.fixture
def device(platform: Server) -> Device:
    """Return the device, asleep and without commands."""
    device = platform.onenet.products[0].devices[IMEI]
    device.commands.clear()
    device.online = False
    return device


async def next_event(events: asyncio.Queue[dict[str, Any]]) -> tuple[str, str]:
    """Return the UUID and the type of the next event."""
    data = (await asyncio.wait_for(events.get(), 30))["data"]
    return data["uuid"], data["type"]


async def test_a_sleeping_device_is_written_to_and_executed(
    house: HomeAssistant, platform: Server, device: Device
) -> None:
    """Both commands are queued, and succeed when the device wakes."""
    values = [{"res_id": 5850, "value": True}, {"res_id": 5851, "value": 80}]
    async with house.events("onenet_nbiot_event") as events:
        written = await house.call("onenet_nbiot.offline_write", SWITCH | LATER | {"values": values})
        executed = await house.call("onenet_nbiot.offline_execute", REBOOT | LATER | {"args": "0='10'"})
        queued = [await next_event(events) for _ in range(2)]
        platform.onenet.wake(IMEI, Trigger.REGISTER)
        finished = [await next_event(events) for _ in range(2)]
    uuids = [written["uuid"], executed["uuid"]]
    assert uuids == [command.uuid for command in platform.onenet.commands]
    assert queued == [(uuid, "command_queued") for uuid in uuids]
    assert sorted(finished) == sorted((uuid, "command_succeeded") for uuid in uuids)
    assert device.resources[3306, 0, 5850] is True
    assert device.resources[3306, 0, 5851] == 80
    assert device.executed == [((3, 0, 4), "0='10'")]
    assert (await house.call("onenet_nbiot.get_command", {"uuid": written["uuid"]}))["state"] == "succeeded"


async def test_a_device_that_is_awake_is_read_immediately(
    house: HomeAssistant, platform: Server, device: Device
) -> None:
    """The response has the value, and no command is queued."""
    platform.onenet.wake(IMEI, Trigger.UPDATE)
    response = await house.call("onenet_nbiot.read", READ)
    assert response["values"] == [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert not platform.onenet.commands


async def test_reading_a_sleeping_device_immediately_names_the_action_that_queues(
    house: HomeAssistant, platform: Server, device: Device
) -> None:
    """The error suggests onenet_nbiot.offline_read, and no command is queued."""
    with pytest.raises(RuntimeError, match=r"(?s)500.*onenet_nbiot\.offline_read"):
        await house.call("onenet_nbiot.read", READ)
    assert not platform.onenet.commands


async def test_a_read_is_queued_if_the_device_is_offline(
    house: HomeAssistant, platform: Server, device: Device
) -> None:
    """One action reads immediately or, with if_offline, queues."""
    async with house.events("onenet_nbiot_event") as events:
        queued = await house.call("onenet_nbiot.read", READ | LATER | {"if_offline": "queue"})
        platform.onenet.wake(IMEI, Trigger.NOTIFY)
        received = [await next_event(events) for _ in range(2)]
    assert received == [(queued["uuid"], "command_queued"), (queued["uuid"], "command_succeeded")]
    found = await house.call("onenet_nbiot.get_command", {"uuid": queued["uuid"]})
    assert [value["value"] for value in found["values"]] == [21.5]


async def test_neither_the_access_key_nor_a_signature_is_in_the_log(
    house: HomeAssistant, platform: Server, device: Device
) -> None:
    """Neither is logged, also not with a refusal."""
    await house.call("onenet_nbiot.offline_read", READ | LATER)
    platform.onenet.products[0].access_key = "YW5vdGhlcg=="
    with pytest.raises(RuntimeError, match="does not accept the account's key"):
        await house.call("onenet_nbiot.offline_read", READ | LATER)
    platform.onenet.products[0].access_key = ACCESS_KEY
    log = house.log()
    assert "onenet_nbiot" in log
    assert not [secret for secret in (ACCESS_KEY, "sign=") if secret in log]
    signatures = {request.headers["authorization"].rpartition("sign=")[2] for request in platform.requests}
    assert signatures
    assert not [signature for signature in signatures if signature in log]
