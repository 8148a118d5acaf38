"""The emulator is as strict as OneNET's documents: what it lets pass is let pass by every other test."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import re
import sys
import time
from typing import Any

from aiohttp import ClientSession
import pytest

from .emulator import Fault, FaultKind, OneNet, Product, RefusalError, SendStatus, Server, Trigger

IMEI = "866971030000001"


@pytest.fixture
def product() -> Product:
    """Return a product with one device."""
    product = Product(key="key", device_keys=frozenset({"device-key"}))
    product.add(IMEI, "Meter", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel", (3303, 1, 5700): 20, (3, 0, 9): 87})
    return product


@pytest.fixture
def onenet(product: Product) -> OneNet:
    """Return a platform with one product."""
    return OneNet(product)


@pytest.fixture
async def server(onenet: OneNet, socket_enabled: None) -> AsyncIterator[Server]:
    """Return the platform on a socket."""
    server = await Server(onenet).start()
    yield server
    await server.stop()


@pytest.fixture
async def session(server: Server) -> AsyncIterator[ClientSession]:
    """Return a session with the key of the product."""
    async with ClientSession(server.url, headers={"api-key": "key"}) as session:
        yield session


async def control(session: ClientSession, name: str, **asked: Any) -> Any:
    """Return what a control answers."""
    async with session.post(f"/emulator/{name}", json=asked) as response:
        assert response.status == 200
        return await response.json()


def wire(onenet: OneNet, hours: float) -> str:
    """Return a time some hours from the platform's now, as the wire has it."""
    return (onenet.clock.now() + timedelta(hours=hours + 8)).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("changes", "errno"),
    [
        ({"imei": ""}, 3),
        ({"imei": "0" + IMEI[1:]}, 3),
        ({"imei": "866971030000002"}, 1),
        ({"obj_id": ""}, 3),
        ({"obj_id": "65536"}, 3),
        ({"obj_id": "-1"}, 3),
        ({"res_id": "5700"}, 3),
        ({"retry": "11"}, 3),
        ({"timeout": "4"}, 3),
        ({"timeout": "41"}, 3),
        ({"trigger_msg": "0"}, 3),
        ({"trigger_msg": "8"}, 3),
        ({"bin2hex": "True"}, 3),
        ({"Retry": "3"}, 3),
        ({"expired_time": ""}, 3),
        ({"expired_time": "2099-01-01 00:00:00"}, 3),
        ({"expired_time": "2099-01-01T00:00:00Z"}, 3),
        ({"expired_time": "2099-13-01T00:00:00"}, 3),
        ({"expired_time": "2020-01-01T00:00:00"}, 3),
        ({"valid_time": "2020-01-01T00:00:00"}, 3),
        ({"valid_time": "2099-01-01T00:00:00"}, 3),
    ],
)
def test_what_the_documents_forbid_is_refused(
    onenet: OneNet, product: Product, changes: dict[str, str], errno: int
) -> None:
    """The integration could send what OneNET refuses, and all tests be green."""
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24)}
    onenet.queue_read(product, query)
    with pytest.raises(RefusalError) as caught:
        onenet.queue_read(product, query | changes)
    assert caught.value.errno == errno


@pytest.mark.parametrize(("key", "errno"), [(None, 3), ("nonsense", 3), ("device-key", 1)])
def test_only_a_master_key_opens(onenet: OneNet, key: str | None, errno: int) -> None:
    """A wrong key would work in all tests."""
    with pytest.raises(RefusalError) as caught:
        onenet.product(key)
    assert caught.value.errno == errno


@pytest.mark.parametrize(
    ("query", "instances"),
    [
        ({}, {0: [5700, 5701], 1: [5700]}),
        ({"obj_inst_id": "0"}, {0: [5700, 5701]}),
        ({"obj_inst_id": "1", "res_id": "5700"}, {1: [5700]}),
    ],
)
def test_a_device_that_wakes_answers_what_was_asked(
    onenet: OneNet, product: Product, query: dict[str, str], instances: dict[int, list[int]]
) -> None:
    """The demonstration would show another value than was asked for."""
    queued = onenet.queue_read(product, {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24)} | query)
    assert onenet.wake(IMEI, Trigger.UPDATE) == [queued]
    assert (queued.send_status, queued.confirm_status) == (SendStatus.DELIVERED, "SUCCESS")
    assert queued.result
    assert {item["obj_inst_id"]: [value["res_id"] for value in item["res"]] for item in queued.result} == instances


def test_a_command_waits_for_its_uplink_its_start_and_not_past_its_end(onenet: OneNet, product: Product) -> None:
    """A device would be sent what is not due, or no more."""
    base = {"imei": IMEI, "obj_id": "3303"}
    notified = onenet.queue_read(product, base | {"expired_time": wire(onenet, 24), "trigger_msg": "4"})
    later = onenet.queue_read(product, base | {"valid_time": wire(onenet, 12), "expired_time": wire(onenet, 24)})
    brief = onenet.queue_read(product, base | {"expired_time": wire(onenet, 1), "trigger_msg": "1"})
    assert onenet.wake(IMEI, Trigger.UPDATE) == []
    assert onenet.wake(IMEI, Trigger.NOTIFY) == [notified]
    onenet.clock.offset += timedelta(hours=13)
    assert onenet.wake(IMEI, Trigger.REGISTER) == [later]
    assert brief.send_status is SendStatus.EXPIRED


def test_a_silent_device_is_tried_again_until_the_retries_are_used_up(onenet: OneNet, product: Product) -> None:
    """A command to a broken device would be lost at once, or stay for ever."""
    product.devices[IMEI].answers = False
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24), "retry": "1"}
    command = onenet.queue_read(product, query)
    assert onenet.wake(IMEI, Trigger.UPDATE) == [command]
    assert command.send_status is SendStatus.WAITING
    assert onenet.wake(IMEI, Trigger.UPDATE) == [command]
    assert (command.send_status, command.confirm_status) == (SendStatus.FAILED, "TIME_OUT")


def test_what_a_device_does_not_have_is_delivered_but_not_found(onenet: OneNet, product: Product) -> None:
    """Delivered would pass for succeeded."""
    command = onenet.queue_read(product, {"imei": IMEI, "obj_id": "9", "expired_time": wire(onenet, 24)})
    onenet.wake(IMEI, Trigger.UPDATE)
    assert (command.send_status, command.confirm_status) == (SendStatus.DELIVERED, "NOT_FOUND")


def test_a_queue_has_room_again_when_commands_expire(onenet: OneNet, product: Product) -> None:
    """A full queue would stay full."""
    for _ in range(10):
        onenet.queue_read(product, {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 1)})
    with pytest.raises(RefusalError, match="too many"):
        onenet.queue_read(product, {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 1)})
    onenet.clock.offset += timedelta(hours=2)
    onenet.queue_read(product, {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 1)})


@pytest.mark.parametrize(
    ("answers", "resource", "status", "confirmed"),
    [
        (True, "5700", SendStatus.DELIVERED, "SUCCESS"),
        (True, "9", SendStatus.DELIVERED, "NOT_FOUND"),
        (False, "5700", SendStatus.WAITING, "TIME_OUT"),
    ],
)
def test_a_device_that_hesitates_answers_when_it_is_told_to(
    onenet: OneNet, product: Product, resource: str, status: SendStatus, confirmed: str, *, answers: bool
) -> None:
    """Nothing could be tested between a command's sending and its outcome."""
    product.devices[IMEI].hesitates = True
    product.devices[IMEI].answers = answers
    query = {"imei": IMEI, "obj_id": "3303", "obj_inst_id": "0", "res_id": resource, "expired_time": wire(onenet, 24)}
    command = onenet.queue_read(product, query)
    assert onenet.answer(IMEI) == []
    assert onenet.wake(IMEI, Trigger.UPDATE) == [command]
    assert (command.send_status, command.confirm_status, command.confirm_time) == (SendStatus.SENT, None, None)
    assert command.send_time
    assert [text for _, text in command.log] == ["received command", "send command"]
    assert onenet.wake(IMEI, Trigger.UPDATE) == []
    assert onenet.answer(IMEI) == [command]
    assert (command.send_status, command.confirm_status) == (status, confirmed)


def test_only_a_datapoint_is_news(onenet: OneNet, product: Product) -> None:
    """A device that merely says that it is there would pass for one that measured."""
    device = product.devices[IMEI]
    onenet.wake(IMEI, Trigger.REGISTER)
    onenet.wake(IMEI, Trigger.UPDATE)
    assert (device.online, device.newest) == (True, None)
    onenet.clock.offset = timedelta(days=1)
    onenet.wake(IMEI, Trigger.NOTIFY)
    assert device.newest
    assert timedelta() <= onenet.clock.now() - device.newest < timedelta(seconds=10)


async def test_many_devices_are_asked_about_at_once(session: ClientSession, onenet: OneNet, product: Product) -> None:
    """The integration could ask for more than OneNET answers, and all tests be green."""
    device = product.devices[IMEI]
    onenet.wake(IMEI, Trigger.NOTIFY)
    device.newest = datetime(2015, 12, 1, 9, 10, 24, 981_999, tzinfo=UTC)
    silent = product.add("1234", "Lamp", {(3311, 0, 5850): True})
    ids = f"{device.id},{silent.id},1,x"
    replies: list[Any] = []
    for path in ("status", "datapoints"):
        async with session.get(f"/devices/{path}", params={"devIds": ids}) as response:
            replies.append((await response.json())["data"])
    statuses, newest = replies
    assert statuses == {
        "total_count": 2,
        "devices": [
            {"id": str(device.id), "title": "Meter", "online": True},
            {"id": str(silent.id), "title": "Lamp", "online": False},
        ],
    }
    assert [item["id"] for item in newest["devices"]] == [str(device.id), str(silent.id)]
    assert newest["devices"][0]["datastreams"][0] == {
        "id": "3303_0_5700",
        "at": "2015-12-01 17:10:24.981",
        "value": 21.5,
    }
    assert [len(item["datastreams"]) for item in newest["devices"]] == [4, 0]


@pytest.mark.parametrize(
    ("path", "count", "errno"),
    [
        *(("status", count, errno) for count, errno in ((0, 3), (1, 0), (1000, 0), (1001, 3))),
        *(("datapoints", count, errno) for count, errno in ((0, 3), (1, 0), (500, 0), (501, 3))),
    ],
)
async def test_only_so_many_devices_are_asked_about_at_once(
    session: ClientSession, path: str, count: int, errno: int
) -> None:
    """The integration could ask for more than OneNET answers, and all tests be green."""
    params = {"devIds": ",".join(str(600_000_000 + number) for number in range(count))}
    async with session.get(f"/devices/{path}", params=params) as response:
        assert (await response.json())["errno"] == errno
    async with session.get(f"/devices/{path}") as response:
        assert (await response.json())["errno"] == 3


@pytest.mark.parametrize("fault", [None, Fault(kind=FaultKind.PAGE), Fault(kind=FaultKind.EMPTY)])
async def test_every_reply_is_dated_by_the_platforms_clock(
    session: ClientSession, server: Server, fault: Fault | None
) -> None:
    """No test could tell whether a wrong clock does harm."""
    server.faults += [Fault(**vars(fault))] if fault else []
    await control(session, "clock", offset=-86_400)
    async with session.get("/devices") as response:
        date = parsedate_to_datetime(response.headers["Date"])
    assert timedelta() <= server.onenet.clock.now() - date < timedelta(seconds=10)


async def test_another_process_has_everything_in_hand(
    session: ClientSession, server: Server, onenet: OneNet, product: Product
) -> None:
    """The demonstration and the tests of a real Home Assistant could show half of what happens."""
    device = product.devices[IMEI]
    product.add("1234", "Lamp")
    filled = await control(session, "fill", commands=2)
    assert [imei for _, imei in filled] == [IMEI, IMEI, "1234", "1234"]
    assert sorted(uuid for uuid, _ in filled) == sorted(command.uuid for command in onenet.commands)
    left = {command.expired_time - onenet.clock.now() for command in onenet.commands}
    assert all(timedelta(days=29, hours=23) < time_left < timedelta(days=30) for time_left in left)
    device.hesitates = True
    sent = await control(session, "wake", imei=IMEI)
    assert [(command["uuid"], command["send_status"]) for command in sent] == [
        (uuid, SendStatus.SENT) for uuid, imei in filled if imei == IMEI
    ]
    answered = await control(session, "answer", imei=IMEI)
    assert [command["confirm_status"] for command in answered] == ["SUCCESS", "SUCCESS"]
    assert [awake.imei for awake in product.devices.values() if awake.online] == [IMEI]
    await control(session, "sleep", imei=IMEI)
    assert [awake.imei for awake in product.devices.values() if awake.online] == []
    assert len(await control(session, "commands")) == 4
    await control(session, "forget")
    assert onenet.commands == []
    async with session.post("/emulator/nonsense") as response:
        assert response.status == 404


async def test_faults_are_healed_and_requests_forgotten(session: ClientSession, server: Server) -> None:
    """One load test would spoil the next."""
    await control(session, "fault", kind="errno", errno=17, times=1000)
    async with session.get("/devices") as response:
        assert (await response.json())["errno"] == 17
    await control(session, "heal")
    async with session.get("/devices") as response:
        assert (await response.json())["errno"] == 0
    assert len(await control(session, "requests")) == 2
    assert len(await control(session, "requests", clear=True)) == 2
    assert await control(session, "requests") == []


async def test_a_slow_platform_is_slow_for_those_who_call_it(session: ClientSession, server: Server) -> None:
    """A benchmark would measure a platform that no network lies before."""
    await control(session, "latency", seconds=0.2)
    started = time.perf_counter()
    async with session.get("/devices"):
        assert time.perf_counter() - started >= 0.2
    # Whoever is in control does not wait.
    await control(session, "latency", seconds=1000)
    await control(session, "latency", seconds=0)
    async with session.get("/devices") as response:
        assert response.status == 200


async def test_the_emulator_runs_by_itself(socket_enabled: None) -> None:
    """The demonstration and the benchmark would not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.emulator", "--latency", "200", "--key", "key"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        started = time.perf_counter()
        async with ClientSession(url, headers={"api-key": "key"}) as session, session.get("/devices") as response:
            assert (await response.json())["data"]["total_count"] == 3
        assert time.perf_counter() - started >= 0.2
    finally:
        process.terminate()
        await process.wait()
