"""The emulator is as strict as OneNET's documents: what it lets pass is let pass by every other test."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import re
import sys
import time
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
import pytest

from .emulator import Device, Fault, FaultKind, Generation, OneNet, Product, RefusalError, SendStatus, Server, Trigger
from .emulator.__main__ import resources

IMEI = "866971030000001"
ACCESS_KEY = "ZGVtby1hY2Nlc3Mta2V5LW9mLXRoZS1wcm9kdWN0IQ=="
NOON = datetime(2020, 12, 2, 4, tzinfo=UTC)
EXPIRY = 1_800_000_000
# As `openssl dgst -sha256 -mac HMAC -macopt hexkey:...` has it of the access key and of the four lines
# 1800000000, sha256, products/P1demo, 2022-05-01; the others alike.
SIGNATURES = {
    ("2018-10-31", "md5"): "RFAbECz7KAqRfQ/gNobY0Q==",
    ("2018-10-31", "sha1"): "eQB9ibkSUyEKnteb5gtMJsCTzmU=",
    ("2018-10-31", "sha256"): "3hQQnSTax6Ak9G8SffwGOAOZqo1NKp1vtP9FQWwdkPw=",
    ("2022-05-01", "md5"): "YY8rGMJNw44k5Nw4X3bJPw==",
    ("2022-05-01", "sha1"): "kaj4e9WK7VMR79I5UG2oTtUi/d4=",
    ("2022-05-01", "sha256"): "hgV0WtprOjDrhUMmrBnZJwHGGvxBPy4axiJKiJCpvX4=",
    (
        "2022-05-01",
        "sha512",
    ): "iXNn/0T5qZYjb5BrpFL7F5Dah8xgc3DXntM+ou5Pht4ht63Xd4XTc2ig1EnMmvEOggDF/UQcr2YvfSezVz0rEg==",
}
OF_A_USER = "sEaM+o33aQGplHB1znwsDwBJJBws5/s/qFtd5cz5vVA="


@pytest.fixture
def product() -> Product:
    """Return a product with one device."""
    product = Product(key="key", access_key=ACCESS_KEY, device_keys=frozenset({"device-key"}))
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


@pytest.fixture
def device(product: Product) -> Device:
    """Return the device, with something of every type, and something to execute."""
    device = product.devices[IMEI]
    device.resources |= {
        (3200, 0, 5500): True,
        (3200, 0, 5505): b"\x00\xff",
        (3200, 0, 5518): datetime(2020, 12, 2, 1, 2, 24, tzinfo=UTC),
    }
    device.executables.add((3, 0, 4))
    return device


@pytest.fixture(params=Generation)
async def caller(
    request: pytest.FixtureRequest, server: Server, onenet: OneNet, device: Device
) -> AsyncIterator[Caller]:
    """Return a caller of either generation, some minutes before its token expires."""
    set_clock(onenet, EXPIRY - 600)
    headers = {"api-key": "key"} if request.param is Generation.LEGACY else {"authorization": token()}
    async with ClientSession(server.url, headers=headers) as session:
        yield Caller(session, request.param)


class Caller:
    """Somebody who calls one generation of the API."""

    def __init__(self, session: ClientSession, generation: Generation) -> None:
        """Keep both."""
        self.session = session
        self.generation = generation

    async def __call__(self, method: str, path: str, content: Any = None, **query: Any) -> tuple[int, str, Any]:
        """Return a reply's number, its text and its data, which is ... where there is none."""
        params = {"imei": IMEI} | {name: str(value) for name, value in query.items()}
        body = {"data": content} if isinstance(content, bytes) else {"json": content}
        async with self.session.request(method, self.generation.value + path, params=params, **body) as response:
            assert response.status == 200
            reply = await response.json()
        if self.generation is Generation.CURRENT:
            assert reply.pop("request_id")
        data = reply.pop("data", ...)
        number, text = reply.values()
        assert list(reply) == (["errno", "error"] if self.generation is Generation.LEGACY else ["code", "msg"])
        return number, text, data

    def number(self, legacy: int, current: int) -> int:
        """Return that of two numbers that the generation has."""
        return legacy if self.generation is Generation.LEGACY else current


def token(
    version: str = "2022-05-01", method: str = "sha256", res: str = "products/P1demo", signature: str = ""
) -> str:
    """Return a token that expires at a known time."""
    signature = signature or SIGNATURES[version, method]
    return f"version={version}&res={quote(res, '')}&et={EXPIRY}&method={method}&sign={quote(signature, '')}"


def set_clock(onenet: OneNet, seconds: float) -> None:
    """Set the platform's clock to a Unix time."""
    onenet.clock.offset = datetime.fromtimestamp(seconds, UTC) - datetime.now(UTC)


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
    assert (device.online, device.datapoints) == (True, {})
    onenet.clock.offset = timedelta(days=1)
    onenet.wake(IMEI, Trigger.NOTIFY)
    assert {path: value for path, (value, _) in device.datapoints.items()} == device.resources
    for _, at in device.datapoints.values():
        assert timedelta() <= onenet.clock.now() - at < timedelta(seconds=10)


def test_a_device_measures_values_of_its_own(onenet: OneNet, product: Product) -> None:
    """A reading that was asked for could differ from the one that the device sent by itself."""
    device = product.devices[IMEI]
    onenet.report(IMEI, {(3303, 0, 5700): 22.5, (3323, 0, 5700): 0.31}, NOON)
    assert device.datapoints == {(3303, 0, 5700): (22.5, NOON), (3323, 0, 5700): (0.31, NOON)}
    assert (device.resources[3303, 0, 5700], device.resources[3323, 0, 5700]) == (22.5, 0.31)
    assert (device.resources[3, 0, 9], device.online) == (87, False)
    onenet.report(IMEI, {})
    assert len(device.datapoints) == 2
    onenet.report(IMEI)
    assert {path: value for path, (value, _) in device.datapoints.items()} == device.resources
    assert all(at > NOON for _, at in device.datapoints.values())


@pytest.mark.parametrize(("seconds", "value"), [(-1, 21.5), (0, 30.5), (1, 30.5)])
def test_a_late_datapoint_is_no_news(onenet: OneNet, product: Product, seconds: int, value: float) -> None:
    """A device that sends what it could not send earlier would show what was hours ago."""
    device = product.devices[IMEI]
    onenet.report(IMEI, at=NOON)
    at = NOON + timedelta(seconds=seconds)
    onenet.report(IMEI, {(3303, 0, 5700): 30.5, (3323, 0, 5700): 0.31}, at)
    assert device.datapoints[3303, 0, 5700] == (value, max(at, NOON))
    assert device.resources[3303, 0, 5700] == value
    # Every datastream has a newest value of its own.
    assert device.datapoints[3323, 0, 5700] == (0.31, at)
    assert device.datapoints[3, 0, 9] == (87, NOON)


def test_what_is_written_is_not_measured(onenet: OneNet, product: Product) -> None:
    """A value that a person wrote would pass for one that the device sent."""
    device = product.devices[IMEI]
    onenet.report(IMEI, at=NOON)
    device.resources[3303, 0, 5700] = 30.5
    assert device.datapoints[3303, 0, 5700] == (21.5, NOON)


def test_devices_do_not_share_what_they_measure(onenet: OneNet, product: Product) -> None:
    """A test of many devices could mistake one device's value for another's."""
    shared = {(3303, 0, 5700): 21.5}
    for imei in ("1234", "1235"):
        product.add(imei, "Meter", shared)
    onenet.report("1234", {(3303, 0, 5700): 22.5})
    assert product.devices["1235"].resources == shared == {(3303, 0, 5700): 21.5}


async def test_a_removed_device_is_unknown(
    caller: Caller, server: Server, onenet: OneNet, product: Product, device: Device
) -> None:
    """Nobody would see what becomes of a device that its owner deletes."""
    lamp = product.add("1234", "Lamp")
    onenet.wake(IMEI, Trigger.NOTIFY)
    assert (await caller("GET", "/offline", obj_id=3303, expired_time=wire(onenet, 1)))[0] == 0
    onenet.remove(IMEI)
    for path, query in (
        ("", {"obj_id": 3303}),
        ("/resources", {}),
        ("/offline", {"obj_id": 3303, "expired_time": wire(onenet, 1)}),
        ("/offline/history", {"start": wire(onenet, -1)}),
    ):
        assert (await caller("GET", path, **query))[0] == caller.number(1, 10410)
    async with ClientSession(server.url, headers={"api-key": "key"}) as session:
        for path in ("", "/status", "/datapoints"):
            async with session.get("/devices" + path, params={"devIds": f"{device.id},{lamp.id}"}) as response:
                assert [item["id"] for item in (await response.json())["data"]["devices"]] == [str(lamp.id)]
        async with session.get("/devices/getbyimei", params={"imei": IMEI}) as response:
            assert (await response.json())["errno"] == 1
    assert onenet.commands == []


def test_an_id_is_given_once(onenet: OneNet, product: Product) -> None:
    """A device could pass for another that was deleted before it was added."""
    ids = [product.devices[IMEI].id, product.add("1234", "Lamp").id]
    onenet.remove("1234")
    ids.append(product.add("1234", "Lamp").id)
    onenet.remove(IMEI)
    ids.append(product.add(IMEI, "Meter").id)
    assert ids == [500_000_000, 500_000_001, 500_000_002, 500_000_003]


@pytest.mark.parametrize(
    ("words", "titles"),
    [("", ["Meter", "Meter, cellar", "Lamp"]), ("Meter", ["Meter", "Meter, cellar"]), ("cell", ["Meter, cellar"])],
)
async def test_devices_are_found_by_their_titles(
    session: ClientSession, product: Product, words: str, titles: list[str]
) -> None:
    """A person could not find a device among thousands."""
    product.add("1234", "Meter, cellar")
    product.add("1235", "Lamp")
    found = []
    for page in range(1, len(titles) + 1):
        params = {"page": str(page), "per_page": "1", "key_words": words}
        async with session.get("/devices", params=params) as response:
            data = (await response.json())["data"]
        assert data["total_count"] == len(titles)
        found += [device["title"] for device in data["devices"]]
    assert found == titles


async def test_many_devices_are_asked_about_at_once(session: ClientSession, onenet: OneNet, product: Product) -> None:
    """The integration could ask for more than OneNET answers, and all tests be green."""
    device = product.devices[IMEI]
    onenet.wake(IMEI, Trigger.UPDATE)
    onenet.report(IMEI, at=datetime(2015, 12, 1, 9, 10, 24, 981_999, tzinfo=UTC))
    onenet.report(IMEI, {(3, 0, 9): 86}, datetime(2015, 12, 2, 16, tzinfo=UTC))
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
    assert newest["devices"][0]["datastreams"][3] == {"id": "3_0_9", "at": "2015-12-03 00:00:00.000", "value": 86}
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


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2015-12-01T09:10:24.981+00:00", datetime(2015, 12, 1, 9, 10, 24, 981_000, tzinfo=UTC)),
        ("2015-12-01 17:10:24.981", datetime(2015, 12, 1, 9, 10, 24, 981_000, tzinfo=UTC)),
    ],
)
async def test_another_process_lets_a_device_report(
    session: ClientSession, onenet: OneNet, product: Product, at: str, moment: datetime
) -> None:
    """The demonstration could show no value that changes by itself."""
    device = product.devices[IMEI]
    queued = onenet.fill(1)
    await control(session, "report", imei=IMEI, values={"3303/0/5700": 22.5}, at=at)
    assert device.datapoints == {(3303, 0, 5700): (22.5, moment)}
    await control(session, "report", imei=IMEI)
    assert len(device.datapoints) == len(device.resources) == 4
    assert (device.online, queued[0].send_status) == (False, SendStatus.WAITING)


async def test_another_process_lets_all_devices_report(session: ClientSession, onenet: OneNet) -> None:
    """A benchmark would need a call for each of thousands of devices."""
    second = Product(key="second")
    second.add("1234", "Lamp", {(3311, 0, 5850): True})
    onenet.products.append(second)
    await control(session, "report_all")
    assert [len(device.datapoints) for device in onenet.every_device] == [4, 1]
    assert len({at for device in onenet.every_device for _, at in device.datapoints.values()}) == 1
    await control(session, "report_all", values={"3303/0/5700": 22.5})
    assert [device.datapoints[3303, 0, 5700][0] for device in onenet.every_device] == [22.5, 22.5]
    assert [len(device.datapoints) for device in onenet.every_device] == [4, 2]


async def test_another_process_adds_and_removes_devices(session: ClientSession, product: Product) -> None:
    """Nobody could see in a real Home Assistant how devices come and go."""
    id_ = await control(session, "add", imei="1234", title="Lamp", resources={"3311/0/5850": True})
    added = product.devices["1234"]
    assert (str(added.id), added.title, added.resources) == (id_, "Lamp", {(3311, 0, 5850): True})
    await control(session, "remove", imei=IMEI)
    assert list(product.devices) == ["1234"]


async def test_another_process_sets_who_is_there(session: ClientSession, onenet: OneNet, product: Product) -> None:
    """A device could not come and go without being sent what waits for it."""
    product.add("1234", "Lamp")
    onenet.fill(1)
    for asked, online in (
        ({"imei": "1234", "online": True}, [False, True]),
        ({"online": True}, [True, True]),
        ({"imei": IMEI, "online": False}, [False, True]),
        ({"online": False}, [False, False]),
    ):
        await control(session, "online", **asked)
        assert [device.online for device in product.devices.values()] == online
    assert {command.send_status for command in onenet.commands} == {SendStatus.WAITING}


def test_demonstrated_devices_have_much_to_show() -> None:
    """A screenshot would show the same few values everywhere, or others than the one before."""
    assert resources(1) == {
        (3303, 0, 5700): 21.5,
        (3303, 0, 5701): "Cel",
        (3, 0, 9): 87,
        (3, 0, 7): 3600,
        (4, 0, 2): -87,
        (3323, 0, 5700): 0.31,
        (3323, 0, 5701): "bar",
        (3200, 0, 5500): False,
    }
    for number in range(1, 1001):
        found = resources(number)
        assert found.items() >= {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel", (3, 0, 9): 87}.items()
        assert {path: type(value) for path, value in found.items()} == {
            path: type(value) for path, value in resources(1).items()
        }
        assert 3200 <= found[3, 0, 7] <= 3600
        assert -120 <= found[4, 0, 2] <= -80
        assert 0.3 <= found[3323, 0, 5700] <= 0.61
    assert {resources(number)[3200, 0, 5500] for number in (1, 2, 3)} == {False, True}


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


@pytest.mark.parametrize("stray", [[], ["--access-key", "b3RoZXI="], ["--product-id", "other"]])
async def test_the_emulator_runs_by_itself(socket_enabled: None, stray: list[str]) -> None:
    """The demonstration and the benchmark would not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.emulator", "--latency", "200", "--key", "key"),
        *("--access-key", ACCESS_KEY, "--product-id", "P1demo", *stray),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        started = time.perf_counter()
        async with ClientSession(url) as session:
            async with session.get("/devices", headers={"api-key": "key"}) as response:
                assert [device["title"] for device in (await response.json())["data"]["devices"]] == [
                    "Water meter 1",
                    "Water meter 2",
                    "Water meter 3",
                ]
            assert time.perf_counter() - started >= 0.2
            offset = EXPIRY - 600 - time.time()
            await control(session, "clock", offset=offset)
            async with session.get(
                "/nb-iot/resources", params={"imei": IMEI}, headers={"authorization": token()}
            ) as response:
                reply = await response.json()
            assert reply["code"] == (10403 if stray else 0)
            if not stray:
                assert [item["obj_id"] for item in reply["data"]["item"]] == [3, 4, 3200, 3303, 3323]
                assert reply["data"]["item"][0]["instances"] == [{"inst_id": 0, "resources": [4, 7, 9]}]
    finally:
        process.terminate()
        await process.wait()


async def open_with(server: Server, path: str, headers: dict[str, str]) -> int:
    """Return the number with which the platform answers somebody who asks for a device's resources."""
    async with (
        ClientSession(server.url) as session,
        session.get(f"{path}/resources", params={"imei": IMEI}, headers=headers) as response,
    ):
        reply = await response.json()
    return int(reply["errno"] if path == "/nbiot" else reply["code"])


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize(("path", "version"), [("/nbiot", "2018-10-31"), ("/nb-iot", "2022-05-01")])
async def test_a_token_opens_the_generation_it_is_made_for(
    server: Server, onenet: OneNet, path: str, version: str, method: str
) -> None:
    """A token that OneNET refuses could open the emulator, or one that it takes could not."""
    set_clock(onenet, EXPIRY - 600)
    assert await open_with(server, path, {"Authorization": token(version, method)}) == 0


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nbiot", {}),
        ("/nb-iot", {}),
        ("/nb-iot", {"api-key": "key"}),
        ("/nb-iot", {"api-key": "key", "Authorization": token()}),
        ("/nbiot", {"api-key": "nonsense", "Authorization": token("2018-10-31")}),
        ("/nbiot", {"Authorization": token("2022-05-01")}),
        ("/nb-iot", {"Authorization": token("2018-10-31")}),
        ("/nb-iot", {"Authorization": token(method="sha512")}),
        ("/nb-iot", {"Authorization": token(res="userid/P1demo", signature=OF_A_USER)}),
        ("/nb-iot", {"Authorization": token(res="products/other")}),
        ("/nb-iot", {"Authorization": token(signature="AAAA")}),
        ("/nb-iot", {"Authorization": token().replace(str(EXPIRY), str(EXPIRY + 1))}),
        ("/nb-iot", {"Authorization": token().replace("%2F", "/")}),
        ("/nb-iot", {"Authorization": token().replace("%3D", "=")}),
        ("/nb-iot", {"Authorization": token() + "&version=2022-05-01"}),
        ("/nb-iot", {"Authorization": token().replace("&method=sha256", "")}),
        ("/nb-iot", {"Authorization": "nonsense"}),
    ],
)
async def test_no_other_token_opens(server: Server, onenet: OneNet, path: str, headers: dict[str, str]) -> None:
    """A token that OneNET refuses would work in all tests."""
    set_clock(onenet, EXPIRY - 600)
    assert await open_with(server, path, headers) == (3 if path == "/nbiot" else 10403)


@pytest.mark.parametrize(
    ("left", "number"), [(-5, 10403), (0, 10403), (60, 0), (86_390, 0), (86_410, 10403), (1_000_000, 10403)]
)
async def test_a_token_lives_a_day_at_most(server: Server, onenet: OneNet, left: int, number: int) -> None:
    """Nobody would see that a fast clock makes tokens that live too long, or a slow one some that are over."""
    set_clock(onenet, EXPIRY - left)
    assert await open_with(server, "/nb-iot", {"Authorization": token()}) == number


async def test_a_token_is_of_a_product_and_of_its_key(server: Server, onenet: OneNet, product: Product) -> None:
    """Whoever has one product would have them all."""
    set_clock(onenet, EXPIRY - 600)
    product.access_key = "b3RoZXI="
    assert await open_with(server, "/nb-iot", {"Authorization": token()}) == 10403
    # It opens the product that it names, of which this device is not.
    onenet.products.append(Product(key="second", id="P1demo", access_key=ACCESS_KEY))
    assert await open_with(server, "/nb-iot", {"Authorization": token()}) == 10410


async def test_the_current_generation_has_no_calls_for_devices(server: Server, onenet: OneNet) -> None:
    """The integration could rely on calls that owners of newer products do not have."""
    set_clock(onenet, EXPIRY - 600)
    async with ClientSession(server.url, headers={"Authorization": token()}) as session:
        async with session.get("/nb-iot/devices") as response:
            assert (await response.json())["code"] == 4
        async with session.get("/devices") as response:
            assert (await response.json())["errno"] == 3


@pytest.mark.parametrize(
    ("query", "legacy", "current"),
    [
        ({"imei": "866971030000002"}, (1, "imei does not belong to"), (10410, "no such device")),
        ({"obj_id": "x"}, (3, "invalid parameter: obj_id"), (10001, "invalid parameter: obj_id")),
        ({}, (2001, "device not online"), (10421, "device not online")),
    ],
)
async def test_each_generation_has_its_own_numbers(
    caller: Caller, query: dict[str, str], legacy: tuple[int, str], current: tuple[int, str]
) -> None:
    """The integration would take one error of the current platform for another."""
    number, text, data = await caller("GET", "", **{"obj_id": 3303} | query)
    expected, beginning = legacy if caller.generation is Generation.LEGACY else current
    assert (number, data) == (expected, ...)
    assert text.startswith(beginning)


async def test_the_other_numbers_are_the_same(caller: Caller, server: Server, onenet: OneNet) -> None:
    """A test of one generation would have to be written anew for the other."""
    query = {"obj_id": 3303, "expired_time": wire(onenet, 1)}
    for _ in range(10):
        assert (await caller("GET", "/offline", **query))[0] == 0
    assert (await caller("GET", "/offline", **query))[0] == 5006
    server.faults.append(Fault(kind=FaultKind.ERRNO, errno=10500, text="internal"))
    assert await caller("GET", "/offline", **query) == (10500, "internal", ...)


@pytest.mark.parametrize("data", [None, [], {"uuid": 7}])
async def test_a_reply_can_be_of_any_shape(caller: Caller, server: Server, onenet: OneNet, data: Any) -> None:
    """A reply that nobody expects could not be tried on both generations."""
    server.faults.append(Fault(kind=FaultKind.DATA, data=data))
    assert await caller("GET", "/offline", obj_id=3303, expired_time=wire(onenet, 1)) == (0, "succ", data)
    assert len(onenet.commands) == 1


async def test_a_cached_write_is_told_and_done(caller: Caller, onenet: OneNet, device: Device) -> None:
    """A write could be stored as something else, and nobody see it."""
    content = {"data": [{"res_id": 5701, "val": "K"}, {"res_id": 5700, "val": 294}]}
    target = {"obj_id": "3303", "obj_inst_id": "0", "mode": "2", "expired_time": wire(onenet, 1)}
    number, _, data = await caller("POST", "/offline", content, **target)
    assert number == 0
    waiting = (await caller("GET", "/offline/history", start="2020-01-01T00:00:00"))[2]["items"]
    assert [(item["cmd_uuid"], item["type"], item["remain"]) for item in waiting] == [(data["uuid"], "WRITE", "3")]
    described = await control(caller.session, "wake", imei=IMEI)
    assert [(item["kind"], item["content"], item["confirm_status"]) for item in described] == [
        ("WRITE", content, "SUCCESS")
    ]
    assert (device.resources[3303, 0, 5700], device.resources[3303, 0, 5701]) == (294.0, "K")
    detail = (await caller("GET", f"/offline/history/{data['uuid']}"))[2]
    assert (detail["args"], detail["content"], detail["send_status"]) == ({"imei": IMEI} | target, content, 5)
    assert "cmd_result" not in detail


@pytest.mark.parametrize(("body", "argument"), [(b"", None), (b"{}", None), (b'{"args": "now"}', "now")])
async def test_a_cached_execution_is_told_and_done(
    caller: Caller, onenet: OneNet, device: Device, body: bytes, argument: str | None
) -> None:
    """A valve could be turned the wrong way, and nobody see it."""
    target = {"obj_id": 3, "obj_inst_id": 0, "res_id": 4, "expired_time": wire(onenet, 1)}
    number, _, data = await caller("POST", "/execute/offline", body, **target)
    assert (number, device.executed) == (0, [])
    onenet.wake(IMEI, Trigger.UPDATE)
    assert device.executed == [((3, 0, 4), argument)]
    detail = (await caller("GET", f"/offline/history/{data['uuid']}"))[2]
    assert (detail["type"], detail["content"]) == ("EXECUTE", {"args": argument} if argument else {})
    assert "cmd_result" not in detail


ITEM = {"res_id": 5700, "val": 1}


@pytest.mark.parametrize(
    ("content", "query"),
    [
        (None, {}),
        (b"", {}),
        (b"data", {}),
        (b'{"data": [{"res_id": 5700, "val": NaN}]}', {}),
        ([ITEM], {}),
        ({"data": []}, {}),
        ({"data": ITEM}, {}),
        ({"data": [ITEM], "args": "x"}, {}),
        ({"data": [ITEM, 1]}, {}),
        ({"data": [{"res_id": 5700}]}, {}),
        ({"data": [{"val": 1}]}, {}),
        ({"data": [ITEM | {"res_id": "5700"}]}, {}),
        ({"data": [ITEM | {"res_id": True}]}, {}),
        ({"data": [ITEM | {"res_id": -1}]}, {}),
        ({"data": [ITEM | {"res_id": 65536}]}, {}),
        ({"data": [ITEM | {"val": None}]}, {}),
        ({"data": [ITEM | {"val": [1]}]}, {}),
        ({"data": [ITEM | {"type": 0}]}, {}),
        ({"data": [ITEM | {"type": 3}]}, {}),
        ({"data": [ITEM | {"type": "1"}]}, {}),
        ({"data": [ITEM | {"type": None}]}, {}),
        ({"data": [ITEM | {"Type": 1}]}, {}),
        ({"data": [ITEM]}, {"mode": "0"}),
        ({"data": [ITEM]}, {"mode": "3"}),
        ({"data": [ITEM]}, {"mode": None}),
        ({"data": [ITEM]}, {"obj_inst_id": None}),
        ({"data": [ITEM]}, {"res_id": "5700"}),
        ({"data": [ITEM]}, {"bin2hex": "true"}),
        ({"data": [ITEM]}, {"expired_time": None}),
    ],
)
async def test_a_write_that_the_documents_forbid_is_refused(
    caller: Caller, onenet: OneNet, content: Any, query: dict[str, str | None]
) -> None:
    """The integration could write what OneNET refuses, and all tests be green."""
    target = {"obj_id": "3303", "obj_inst_id": "0", "mode": "2", "expired_time": wire(onenet, 1)}
    assert (await caller("POST", "/offline", {"data": [ITEM]}, **target))[0] == 0
    sent = {name: value for name, value in (target | query).items() if value is not None}
    assert (await caller("POST", "/offline", content, **sent))[0] == caller.number(3, 10001)


@pytest.mark.parametrize(
    ("content", "query"),
    [
        (b"now", {}),
        (["now"], {}),
        ({"args": 1}, {}),
        ({"args": None}, {}),
        ({"Args": "now"}, {}),
        ({}, {"res_id": None}),
        ({}, {"obj_inst_id": None}),
        ({}, {"mode": "2"}),
        ({}, {"bin2hex": "true"}),
    ],
)
async def test_an_execution_that_the_documents_forbid_is_refused(
    caller: Caller, onenet: OneNet, content: Any, query: dict[str, str | None]
) -> None:
    """The integration could execute what OneNET refuses, and all tests be green."""
    target = {"obj_id": "3", "obj_inst_id": "0", "res_id": "4", "expired_time": wire(onenet, 1)}
    assert (await caller("POST", "/execute/offline", {}, **target))[0] == 0
    sent = {name: value for name, value in (target | query).items() if value is not None}
    assert (await caller("POST", "/execute/offline", content, **sent))[0] == caller.number(3, 10001)


async def test_a_body_has_two_kilobytes_at_most(caller: Caller, onenet: OneNet, server: Server) -> None:
    """The integration could send a body that OneNET refuses, and all tests be green."""
    target = {"obj_id": 3, "obj_inst_id": 0, "res_id": 4, "expired_time": wire(onenet, 1)}
    full = b'{"args": "%s"}' % ("\u00fc".encode() * 1018)
    assert len(full) == 2048
    assert (await caller("POST", "/execute/offline", full, **target))[0] == 0
    assert await caller("POST", "/execute/offline", full + b" ", **target) == (
        caller.number(3, 10001),
        "body too large",
        ...,
    )
    assert [len(request.body) for request in server.requests] == [1030, 1031]


def test_all_kinds_of_commands_share_a_queue(onenet: OneNet, product: Product, device: Device) -> None:
    """Writes could fill a queue beyond what OneNET holds, or wait for ever."""
    base = {"imei": IMEI, "obj_id": "3", "obj_inst_id": "0", "expired_time": wire(onenet, 1)}
    for _ in range(4):
        onenet.queue_read(product, base)
        onenet.queue_write(product, base | {"mode": "2", "trigger_msg": "1"}, {"data": [{"res_id": 9, "val": 1}]})
    execution = onenet.queue_execute(product, base | {"res_id": "4", "retry": "0"}, {})
    onenet.queue_execute(product, base | {"res_id": "4"}, {})
    with pytest.raises(RefusalError, match="too many"):
        onenet.queue_write(product, base | {"mode": "2"}, {"data": [{"res_id": 9, "val": 1}]})
    device.answers = False
    assert {command.kind for command in onenet.wake(IMEI, Trigger.UPDATE)} == {"READ", "EXECUTE"}
    assert (execution.send_status, device.executed) == (SendStatus.FAILED, [])
    assert len(onenet.cancel_all(product, {"imei": IMEI})) == 9


@pytest.mark.parametrize(
    ("target", "item", "value"),
    [
        ((3200, 0, 5500), {"val": False}, False),
        ((3200, 0, 5500), {"val": 1}, None),
        ((3, 0, 9), {"val": 7}, 7),
        ((3, 0, 9), {"val": True}, None),
        ((3, 0, 9), {"val": 7.0}, None),
        ((3, 0, 9), {"val": "7"}, None),
        ((3303, 0, 5700), {"val": 7.5}, 7.5),
        ((3303, 0, 5700), {"val": 7}, 7.0),
        ((3303, 0, 5700), {"val": True}, None),
        ((3303, 0, 5701), {"val": "K"}, "K"),
        ((3303, 0, 5701), {"val": 7}, None),
        ((3303, 0, 5701), {"val": "ff", "type": 1}, None),
        ((3200, 0, 5505), {"val": "0aFF", "type": 1}, b"\x0a\xff"),
        ((3200, 0, 5505), {"val": "0a f", "type": 1}, None),
        ((3200, 0, 5505), {"val": "0af", "type": 1}, None),
        ((3200, 0, 5505), {"val": 10, "type": 1}, None),
        ((3200, 0, 5505), {"val": "0aff"}, None),
        ((3200, 0, 5518), {"val": 1_600_000_000, "type": 2}, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        ((3200, 0, 5518), {"val": 1_600_000_000}, None),
        ((3200, 0, 5518), {"val": 1.6e9, "type": 2}, None),
        ((3200, 0, 5518), {"val": True, "type": 2}, None),
        ((3200, 0, 5518), {"val": 10**30, "type": 2}, None),
        ((3, 0, 9), {"val": 7, "type": 2}, None),
    ],
)
def test_a_device_takes_a_value_of_the_right_type_only(
    onenet: OneNet,
    product: Product,
    device: Device,
    target: tuple[int, int, int],
    item: dict[str, Any],
    value: Any,
) -> None:
    """The integration could write text where a number belongs, and all tests be green."""
    before = dict(device.resources)
    obj, instance, resource = target
    query = {"imei": IMEI, "obj_id": str(obj), "obj_inst_id": str(instance), "expired_time": wire(onenet, 1)}
    command = onenet.queue_write(product, query | {"mode": "2"}, {"data": [{"res_id": resource} | item]})
    onenet.wake(IMEI, Trigger.UPDATE)
    assert command.send_status is SendStatus.DELIVERED
    assert command.confirm_status == ("REQ_PARAM_ERROR" if value is None else "SUCCESS")
    assert device.resources == (before if value is None else before | {target: value})
    assert type(device.resources[target]) is type(before[target])


@pytest.mark.parametrize(
    ("mode", "query", "resources", "confirmed"),
    [
        ("2", {}, [5700], "SUCCESS"),
        ("2", {}, [5700, 9], "NOT_FOUND"),
        ("1", {}, [5700, 9], "SUCCESS"),
        ("1", {"obj_inst_id": "2"}, [5700], "NOT_FOUND"),
        ("2", {"obj_inst_id": "2"}, [5700], "NOT_FOUND"),
        ("2", {"obj_id": "3"}, [4], "METHOD_NOT_ALLOWED"),
    ],
)
def test_a_write_replaces_an_instance_or_a_part_of_it(
    onenet: OneNet,
    product: Product,
    device: Device,
    mode: str,
    query: dict[str, str],
    resources: list[int],
    confirmed: str,
) -> None:
    """Nobody would see that a write deletes what it was not to touch."""
    before = dict(device.resources)
    base = {"imei": IMEI, "obj_id": "3303", "obj_inst_id": "0", "mode": mode, "expired_time": wire(onenet, 1)}
    content = {"data": [{"res_id": resource, "val": 7.5} for resource in resources]}
    command = onenet.queue_write(product, base | query, content)
    onenet.wake(IMEI, Trigger.UPDATE)
    assert command.confirm_status == confirmed
    if confirmed != "SUCCESS":
        # All or nothing.
        assert device.resources == before
        return
    kept = {path: value for path, value in before.items() if mode == "2" or path[:2] != (3303, 0)}
    assert device.resources == kept | {(3303, 0, resource): 7.5 for resource in resources}


@pytest.mark.parametrize(("resource", "confirmed"), [("4", "SUCCESS"), ("9", "METHOD_NOT_ALLOWED"), ("5", "NOT_FOUND")])
def test_only_what_can_be_executed_is(
    onenet: OneNet, product: Product, device: Device, resource: str, confirmed: str
) -> None:
    """A mistyped resource would pass for one that did something."""
    query = {"imei": IMEI, "obj_id": "3", "obj_inst_id": "0", "res_id": resource, "expired_time": wire(onenet, 1)}
    command = onenet.queue_execute(product, query, {})
    onenet.wake(IMEI, Trigger.UPDATE)
    assert (command.confirm_status, len(device.executed)) == (confirmed, confirmed == "SUCCESS")


@pytest.mark.parametrize(
    ("query", "opaque"), [({}, [0, 255]), ({"bin2hex": "true"}, "00ff"), ({"bin2hex": "false"}, [0, 255])]
)
async def test_values_of_all_types_are_shown_as_onenet_shows_them(
    caller: Caller, onenet: OneNet, query: dict[str, str], opaque: Any
) -> None:
    """A test could rely on a value that OneNET never sends."""
    uuid = (await caller("GET", "/offline", obj_id=3200, expired_time=wire(onenet, 1), **query))[2]["uuid"]
    onenet.wake(IMEI, Trigger.NOTIFY)
    values = [
        {"res_id": 5500, "val": True},
        {"res_id": 5505, "val": opaque},
        {"res_id": 5518, "val": 1_606_870_944},
    ]
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert detail["cmd_result"] == [{"obj_inst_id": 0, "res": values}]
    async with caller.session.get(
        "/devices/datapoints", params={"devIds": "500000000"}, headers={"api-key": "key"}
    ) as response:
        streams = (await response.json())["data"]["devices"][0]["datastreams"]
    assert {"3200_0_5505": [0, 255], "3200_0_5518": 1_606_870_944}.items() <= {
        stream["id"]: stream["value"] for stream in streams
    }.items()


async def test_a_device_that_is_awake_acts_at_once(caller: Caller, onenet: OneNet, device: Device) -> None:
    """An immediate command could be sent wrongly, and all tests be green."""
    onenet.wake(IMEI, Trigger.UPDATE)
    done = (0, "succ", ...)
    write = {"data": [{"res_id": 5505, "val": "0a", "type": 1}]}
    assert await caller("POST", "", write, obj_id=3200, obj_inst_id=0, mode=2, timeout=40) == done
    assert await caller("GET", "", obj_id=3200, obj_inst_id=0, res_id=5505) == (
        0,
        "succ",
        [{"obj_inst_id": 0, "res": [{"res_id": 5505, "val": [10]}]}],
    )
    assert await caller("POST", "/execute", {"args": "now"}, obj_id=3, obj_inst_id=0, res_id=4) == done
    assert device.executed == [((3, 0, 4), "now")]
    assert await caller("GET", "/discover", obj_id=3303) == (
        0,
        "succ",
        [{"obj_inst_id": 0, "res_id": [5700, 5701]}, {"obj_inst_id": 1, "res_id": [5700]}],
    )
    # Not to be read, but there.
    assert (await caller("GET", "/discover", obj_id=3, obj_inst_id=0))[2] == [{"obj_inst_id": 0, "res_id": [4, 9]}]
    assert onenet.commands == []


async def test_an_observation_is_kept_until_it_is_cancelled(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Nobody would see under which conditions a device reports."""
    onenet.wake(IMEI, Trigger.UPDATE)
    done = (0, "succ", ...)
    conditions = {"pmin": "1", "pmax": "60", "lt": "-5.5", "st": "0.5", "gt": "30"}
    resource = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
    assert await caller("POST", "/observe", cancel="false", **resource, **conditions) == done
    assert await caller("POST", "/observe", cancel="false", obj_id=3) == done
    assert device.observations == {(3303, 0, 5700): conditions, (3,): {}}
    assert await caller("POST", "/observe", cancel="true", **resource) == done
    assert device.observations == {(3,): {}}
    assert await caller("POST", "/observe", cancel="false", obj_id=4) == (5106, "NOT_FOUND", ...)


@pytest.mark.parametrize(
    "query",
    [
        {"cancel": None},
        {"cancel": "1"},
        {"obj_id": None},
        {"pmin": "0"},
        {"pmax": "0"},
        {"pmin": "1.5"},
        {"pmin": "2", "pmax": "1"},
        {"gt": "x"},
        {"gt": "1", "lt": "1"},
        {"gt": "4", "lt": "2", "st": "1"},
        {"gt": "4", "lt": "5", "st": "-1"},
        {"gt": "4", "res_id": None},
        {"lt": "4", "res_id": None},
        {"st": "4", "res_id": None},
        {"obj_inst_id": None},
        {"timeout": "4"},
        {"mode": "2"},
    ],
)
async def test_an_observation_that_the_documents_forbid_is_refused(
    caller: Caller, onenet: OneNet, query: dict[str, str | None]
) -> None:
    """The integration could ask for reports under conditions that OneNET refuses, and all tests be green."""
    onenet.wake(IMEI, Trigger.UPDATE)
    base = {"cancel": "false", "obj_id": "3303", "obj_inst_id": "0", "res_id": "5700"}
    sent = {name: value for name, value in (base | query).items() if value is not None}
    assert (await caller("POST", "/observe", **sent))[0] == caller.number(3, 10001)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "", {"obj_id": None}),
        ("GET", "", {"obj_inst_id": None}),
        ("GET", "", {"bin2hex": "true"}),
        ("GET", "", {"timeout": "41"}),
        ("GET", "", {"expired_time": "2099-01-01T00:00:00"}),
        ("POST", "", {"mode": "2"}),
        ("POST", "", {"res_id": None}),
        ("POST", "/execute", {"res_id": None}),
        ("POST", "/execute", {"trigger_msg": "7"}),
        ("GET", "/discover", {}),
        ("GET", "/discover", {"obj_id": None, "res_id": None}),
        ("GET", "/resources", {"res_id": None}),
        ("GET", "/resources", {"res_id": None, "obj_inst_id": None, "timeout": "25"}),
    ],
)
async def test_an_immediate_call_that_the_documents_forbid_is_refused(
    caller: Caller, onenet: OneNet, method: str, path: str, query: dict[str, str | None]
) -> None:
    """The integration could ask for what OneNET refuses, and all tests be green."""
    onenet.wake(IMEI, Trigger.UPDATE)
    base = {"obj_id": "3303", "obj_inst_id": "0", "res_id": "5700"}
    sent = {name: value for name, value in (base | query).items() if value is not None}
    content = {"data": [ITEM]} if (method, path) == ("POST", "") else None
    assert (await caller(method, path, content, **sent))[0] == caller.number(3, 10001)


async def test_what_the_platform_knows_wakes_nobody(caller: Caller, device: Device) -> None:
    """A person could not choose a resource while the device sleeps."""
    known = [
        {"obj_id": 3, "instances": [{"inst_id": 0, "resources": [4, 9]}]},
        {"obj_id": 3200, "instances": [{"inst_id": 0, "resources": [5500, 5505, 5518]}]},
        {
            "obj_id": 3303,
            "instances": [{"inst_id": 0, "resources": [5700, 5701]}, {"inst_id": 1, "resources": [5700]}],
        },
    ]
    assert await caller("GET", "/resources") == (0, "succ", {"total_count": 3, "item": known})
    assert await caller("GET", "/resources", obj_id=3) == (0, "succ", {"total_count": 1, "item": known[:1]})
    assert await caller("GET", "/resources", obj_id=4) == (0, "succ", {"total_count": 0, "item": []})
    assert not device.online


CALLS: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("GET", "", None, {"obj_id": 3303}),
    ("POST", "", {"data": [ITEM]}, {"obj_id": 3303, "obj_inst_id": 0, "mode": 2}),
    ("POST", "/execute", {}, {"obj_id": 3, "obj_inst_id": 0, "res_id": 4}),
    ("POST", "/observe", None, {"obj_id": 3303, "cancel": "false"}),
    ("GET", "/discover", None, {"obj_id": 3303}),
]


@pytest.mark.parametrize(("method", "path", "content", "query"), CALLS)
async def test_a_device_has_to_be_awake_to_act(
    caller: Caller, onenet: OneNet, device: Device, method: str, path: str, content: Any, query: dict[str, Any]
) -> None:
    """A device that sleeps would pass for one that answers, or a silent one for one that sleeps."""
    before = dict(device.resources)
    number = caller.number(2001, 10421)
    assert await caller(method, path, content, **query) == (number, "device not online", ...)
    onenet.wake(IMEI, Trigger.UPDATE)
    device.answers = False
    assert await caller(method, path, content, **query) == (5106, "TIME_OUT", ...)
    onenet.sleep(IMEI)
    assert await caller(method, path, content, **query) == (number, "device not online", ...)
    assert (device.resources, device.executed, device.observations) == (before, [], {})


@pytest.mark.parametrize(
    ("method", "path", "content", "query", "text"),
    [
        ("GET", "", None, {"obj_id": 9}, "NOT_FOUND"),
        ("GET", "", None, {"obj_id": 3, "obj_inst_id": 0, "res_id": 4}, "METHOD_NOT_ALLOWED"),
        (
            "POST",
            "",
            {"data": [{"res_id": 9, "val": "x"}]},
            {"obj_id": 3, "obj_inst_id": 0, "mode": 2},
            "REQ_PARAM_ERROR",
        ),
        ("POST", "/execute", {}, {"obj_id": 3, "obj_inst_id": 0, "res_id": 9}, "METHOD_NOT_ALLOWED"),
        ("GET", "/discover", None, {"obj_id": 9}, "NOT_FOUND"),
    ],
)
async def test_what_a_device_refuses_is_told_by_its_name(
    caller: Caller, onenet: OneNet, method: str, path: str, content: Any, query: dict[str, Any], text: str
) -> None:
    """A person would learn that something failed, but not what."""
    onenet.wake(IMEI, Trigger.UPDATE)
    assert await caller(method, path, content, **query) == (5106, text, ...)


@pytest.mark.parametrize(("method", "path", "content", "query"), CALLS)
async def test_an_immediate_call_waits_for_a_device_that_hesitates(
    caller: Caller, onenet: OneNet, device: Device, method: str, path: str, content: Any, query: dict[str, Any]
) -> None:
    """Nothing could be tested between an immediate command's sending and its answer."""
    onenet.wake(IMEI, Trigger.UPDATE)
    device.hesitates = True
    call = asyncio.create_task(caller(method, path, content, **query))
    async with asyncio.timeout(10):
        while not device.waiting:  # noqa: ASYNC110 - The emulator has no event for it.
            await asyncio.sleep(0.001)
    # Others are not held up.
    assert (await caller("GET", "/resources"))[0] == 0
    assert not call.done()
    await control(caller.session, "answer", imei=IMEI)
    assert (await call)[0] == 0
    assert device.waiting == []


@pytest.mark.parametrize(("query", "seconds"), [({}, 25), ({"timeout": "5"}, 5)])
async def test_a_device_that_hesitates_too_long_timed_out(
    caller: Caller, onenet: OneNet, device: Device, query: dict[str, str], seconds: int
) -> None:
    """An immediate command to a device that went away would never end."""
    onenet.wake(IMEI, Trigger.UPDATE)
    onenet.second = 0.02
    device.hesitates = True
    started = time.perf_counter()
    assert await caller("GET", "", obj_id=3303, **query) == (5106, "TIME_OUT", ...)
    assert seconds * 0.02 <= time.perf_counter() - started
    assert device.waiting == []
    device.hesitates = False
    assert (await caller("GET", "", obj_id=3303))[0] == 0
