"""The emulator follows OneNET's documents; the tests of the client depend on its strictness."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import json
from pathlib import Path
import time
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
import pytest

from .emulator import (
    Device,
    Fault,
    FaultKind,
    Generation,
    OneNet,
    Product,
    RefusalError,
    SendStatus,
    Server,
    Switches,
    Trigger,
)

IMEI = "866971030000001"
WIRE = Path(__file__).parent / "onenet" / "wire"
ACCESS_KEY = "ZGVtby1hY2Nlc3Mta2V5LW9mLXRoZS1wcm9kdWN0IQ=="
NOON = datetime(2020, 12, 2, 4, tzinfo=UTC)
EXPIRY = 1_800_000_000
# Output of `openssl dgst -sha256 -mac HMAC -macopt hexkey:...` for the access key and the four lines
# 1800000000, sha256, products/P1demo, 2022-05-01, and accordingly for the others.
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
    """Return a platform with one product, and without a pause between commands."""
    onenet = OneNet(product)
    onenet.command_interval = 0
    return onenet


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
    """Return the device with resources of every type and an executable one."""
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
    """Return a caller of each generation, ten minutes before its token expires."""
    set_clock(onenet, EXPIRY - 600)
    headers = {"api-key": "key"} if request.param is Generation.LEGACY else {"authorization": token()}
    async with ClientSession(server.url, headers=headers) as session:
        yield Caller(session, request.param)


class Caller:
    """A caller of one generation of the API."""

    def __init__(self, session: ClientSession, generation: Generation) -> None:
        """Store the session and the generation."""
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
        """Return the number of the generation."""
        return legacy if self.generation is Generation.LEGACY else current

    async def is_refused(self, method: str, path: str, content: Any = None, **query: Any) -> bool:
        """Return whether a call is refused because of a parameter or its body."""
        number = (await self(method, path, content, **query))[0]
        return number in ((3, 4, 6, 7) if self.generation is Generation.LEGACY else (10001,))


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
    """Return the reply of a control."""
    async with session.post(f"/emulator/{name}", json=asked) as response:
        assert response.status == 200
        return await response.json()


def wire(onenet: OneNet, hours: float) -> str:
    """Return a time some hours from now in the form of the wire."""
    return (onenet.clock.now() + timedelta(hours=hours + 8)).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("changes", "errno"),
    [
        ({"imei": ""}, 6),
        ({"imei": "0" + IMEI[1:]}, 6),
        ({"imei": "866971030000002"}, 1),
        ({"obj_id": ""}, 6),
        ({"obj_id": "65536"}, 6),
        ({"obj_id": "-1"}, 6),
        ({"res_id": "5700"}, 6),
        ({"retry": "11"}, 6),
        ({"timeout": "4"}, 6),
        ({"timeout": "41"}, 6),
        ({"trigger_msg": "0"}, 6),
        ({"trigger_msg": "8"}, 6),
        ({"bin2hex": "True"}, 6),
        ({"Retry": "3"}, 6),
        ({"expired_time": ""}, 6),
        ({"expired_time": "2099-01-01 00:00:00"}, 6),
        ({"expired_time": "2099-01-01T00:00:00Z"}, 6),
        ({"expired_time": "2099-13-01T00:00:00"}, 6),
        ({"expired_time": "2020-01-01T00:00:00"}, 6),
        ({"valid_time": "2020-01-01T00:00:00"}, 6),
        ({"valid_time": "2099-01-01T00:00:00"}, 6),
    ],
)
def test_a_read_with_wrong_parameters_is_refused(
    onenet: OneNet, product: Product, changes: dict[str, str], errno: int
) -> None:
    """Refuse each wrong parameter of a cached read."""
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24)}
    onenet.queue_read(product, query)
    with pytest.raises(RefusalError) as caught:
        onenet.queue_read(product, query | changes)
    assert caught.value.errno == errno


@pytest.mark.parametrize(("key", "errno"), [(None, 3), ("nonsense", 3), ("device-key", 1)])
def test_only_a_master_key_authorizes(onenet: OneNet, key: str | None, errno: int) -> None:
    """Refuse a missing, a wrong and a device's key."""
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
def test_a_read_returns_the_requested_resources(
    onenet: OneNet, product: Product, query: dict[str, str], instances: dict[int, list[int]]
) -> None:
    """Return an object, an instance or a resource."""
    queued = onenet.queue_read(product, {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24)} | query)
    assert onenet.wake(IMEI, Trigger.UPDATE) == [queued]
    assert (queued.send_status, queued.confirm_status) == (SendStatus.DELIVERED, "SUCCESS")
    assert queued.result
    assert {item["obj_inst_id"]: [value["res_id"] for value in item["res"]] for item in queued.result} == instances


def test_a_command_is_sent_on_its_trigger_and_in_its_period(onenet: OneNet, product: Product) -> None:
    """Send a command on its trigger, after valid_time and before expired_time."""
    base = {"imei": IMEI, "obj_id": "3303"}
    notified = onenet.queue_read(product, base | {"expired_time": wire(onenet, 24), "trigger_msg": "4"})
    later = onenet.queue_read(product, base | {"valid_time": wire(onenet, 12), "expired_time": wire(onenet, 24)})
    brief = onenet.queue_read(product, base | {"expired_time": wire(onenet, 1), "trigger_msg": "1"})
    assert onenet.wake(IMEI, Trigger.UPDATE) == []
    assert onenet.wake(IMEI, Trigger.NOTIFY) == [notified]
    onenet.clock.offset += timedelta(hours=13)
    assert onenet.wake(IMEI, Trigger.REGISTER) == [later]
    assert brief.send_status is SendStatus.EXPIRED


def test_a_silent_device_is_retried(onenet: OneNet, product: Product) -> None:
    """Repeat a delivery until no retry remains."""
    product.devices[IMEI].answers = False
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": wire(onenet, 24), "retry": "1"}
    command = onenet.queue_read(product, query)
    assert onenet.wake(IMEI, Trigger.UPDATE) == [command]
    assert command.send_status is SendStatus.WAITING
    assert onenet.wake(IMEI, Trigger.UPDATE) == [command]
    assert (command.send_status, command.confirm_status) == (SendStatus.FAILED, "TIME_OUT")


def test_expired_commands_leave_the_queue(onenet: OneNet, product: Product) -> None:
    """Queue an 11th command once ten have expired."""
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
def test_a_hesitating_device_answers_on_demand(
    onenet: OneNet, product: Product, resource: str, status: SendStatus, confirmed: str, *, answers: bool
) -> None:
    """Keep a command in the state sent until the device answers."""
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


def test_only_a_notify_reports_values(onenet: OneNet, product: Product) -> None:
    """Report values on NOTIFY, not on REGISTER or UPDATE."""
    device = product.devices[IMEI]
    onenet.wake(IMEI, Trigger.REGISTER)
    onenet.wake(IMEI, Trigger.UPDATE)
    assert (device.online, device.datapoints) == (True, {})
    onenet.clock.offset = timedelta(days=1)
    onenet.wake(IMEI, Trigger.NOTIFY)
    assert {path: value for path, (value, _) in device.datapoints.items()} == device.resources
    for _, at in device.datapoints.values():
        assert timedelta() <= onenet.clock.now() - at < timedelta(seconds=10)


@pytest.mark.parametrize(("seconds", "value"), [(-1, 21.5), (0, 30.5), (1, 30.5)])
def test_a_late_datapoint_is_not_the_newest(onenet: OneNet, product: Product, seconds: int, value: float) -> None:
    """Keep the newest value of each datastream by its time."""
    device = product.devices[IMEI]
    onenet.report(IMEI, at=NOON)
    at = NOON + timedelta(seconds=seconds)
    onenet.report(IMEI, {(3303, 0, 5700): 30.5, (3323, 0, 5700): 0.31}, at)
    assert device.datapoints[3303, 0, 5700] == (value, max(at, NOON))
    assert device.resources[3303, 0, 5700] == value
    # Other datastreams have their own newest values.
    assert device.datapoints[3323, 0, 5700] == (0.31, at)
    assert device.datapoints[3, 0, 9] == (87, NOON)


async def test_a_removed_device_is_unknown(
    caller: Caller, server: Server, onenet: OneNet, product: Product, device: Device
) -> None:
    """Refuse calls for a removed device."""
    onenet.switches = Switches(current_resources=True)
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
            assert (await response.json())["data"] == {}
    assert onenet.commands == []


@pytest.mark.parametrize(
    ("words", "titles"),
    [("", ["Meter", "Meter, cellar", "Lamp"]), ("Meter", ["Meter", "Meter, cellar"]), ("cell", ["Meter, cellar"])],
)
async def test_legacy_devices_are_found_by_title(
    session: ClientSession, product: Product, words: str, titles: list[str]
) -> None:
    """Page through the devices whose title has the words."""
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


async def test_legacy_batches_return_states_and_newest_values(
    session: ClientSession, onenet: OneNet, product: Product
) -> None:
    """Return states and newest values of the known ids."""
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


@pytest.mark.parametrize("fault", [None, Fault(kind=FaultKind.PAGE), Fault(kind=FaultKind.EMPTY)])
async def test_replies_have_the_date_of_the_platforms_clock(
    session: ClientSession, server: Server, fault: Fault | None
) -> None:
    """Set the Date header from the platform's clock, with faults too."""
    server.faults += [Fault(**vars(fault))] if fault else []
    await control(session, "clock", offset=-86_400)
    async with session.get("/devices") as response:
        date = parsedate_to_datetime(response.headers["Date"])
    assert timedelta() <= server.onenet.clock.now() - date < timedelta(seconds=10)


async def call_with(server: Server, path: str, headers: dict[str, str]) -> int:
    """Return the number of the reply to a list of commands."""
    async with (
        ClientSession(server.url) as session,
        session.get(
            f"{path}/offline/history", params={"imei": IMEI, "start": "2020-01-01T00:00:00"}, headers=headers
        ) as response,
    ):
        reply = await response.json()
    return int(reply["errno"] if path == "/nbiot" else reply["code"])


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize(
    ("path", "version"), [("/nbiot", "2018-10-31"), ("/nb-iot", "2018-10-31"), ("/nb-iot", "2022-05-01")]
)
async def test_a_token_authorizes(server: Server, onenet: OneNet, path: str, version: str, method: str) -> None:
    """Accept each version and method that the documents name."""
    set_clock(onenet, EXPIRY - 600)
    assert await call_with(server, path, {"Authorization": token(version, method)}) == 0


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nbiot", {}),
        ("/nb-iot", {}),
        ("/nb-iot", {"api-key": "key"}),
        ("/nbiot", {"api-key": "nonsense", "Authorization": token("2018-10-31")}),
        ("/nbiot", {"Authorization": token("2022-05-01")}),
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
async def test_other_tokens_are_refused(server: Server, onenet: OneNet, path: str, headers: dict[str, str]) -> None:
    """Refuse tokens that are wrong or malformed."""
    set_clock(onenet, EXPIRY - 600)
    assert await call_with(server, path, headers) == (3 if path == "/nbiot" else 10403)


async def test_a_token_authorizes_one_product(server: Server, onenet: OneNet, product: Product) -> None:
    """Refuse another product's device and another access key."""
    set_clock(onenet, EXPIRY - 600)
    product.access_key = "b3RoZXI="
    assert await call_with(server, "/nb-iot", {"Authorization": token()}) == 10403
    product.id = "P2demo"
    onenet.products.append(Product(key="second", id="P1demo", access_key=ACCESS_KEY))
    assert await call_with(server, "/nb-iot", {"Authorization": token()}) == 10403
    onenet.remove(IMEI)
    assert await call_with(server, "/nb-iot", {"Authorization": token()}) == 10410


@pytest.mark.parametrize("data", [None, [], {"uuid": 7}])
async def test_fault_data_replaces_the_data(caller: Caller, server: Server, onenet: OneNet, data: Any) -> None:
    """Replace the data of a successful reply."""
    server.faults.append(Fault(kind=FaultKind.DATA, data=data))
    assert await caller("GET", "/offline", obj_id=3303, expired_time=wire(onenet, 1)) == (0, "succ", data)
    assert len(onenet.commands) == 1


async def test_a_cached_write_is_carried_out(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Queue, list, deliver and show a write."""
    content = {"data": [{"res_id": 5701, "val": "K"}, {"res_id": 5700, "val": 294}]}
    target = {"obj_id": "3303", "obj_inst_id": "0", "mode": "2", "expired_time": wire(onenet, 1)}
    number, _, data = await caller("POST", "/offline", content, **target)
    assert number == 0
    waiting = (await caller("GET", "/offline/history", start="2020-01-01T00:00:00"))[2]["items"]
    assert [(item["cmd_uuid"].strip(), item["type"]) for item in waiting] == [(data["uuid"], "WRITE")]
    described = await control(caller.session, "wake", imei=IMEI)
    assert [(item["kind"], item["content"], item["confirm_status"]) for item in described] == [
        ("WRITE", content, "SUCCESS")
    ]
    assert (device.resources[3303, 0, 5700], device.resources[3303, 0, 5701]) == (294.0, "K")
    detail = (await caller("GET", f"/offline/history/{data['uuid']}"))[2]
    assert (detail["content"], detail["send_status"]) == (content, 5)
    assert detail["cmd_result"] == {"errno": 0, "error": "succ"}


@pytest.mark.parametrize(("body", "argument"), [(b"", None), (b"{}", None), (b'{"args": "now"}', "now")])
async def test_a_cached_execution_is_carried_out(
    caller: Caller, onenet: OneNet, device: Device, body: bytes, argument: str | None
) -> None:
    """Queue, deliver and show an execution."""
    target = {"obj_id": 3, "obj_inst_id": 0, "res_id": 4, "expired_time": wire(onenet, 1)}
    number, _, data = await caller("POST", "/execute/offline", body, **target)
    assert (number, device.executed) == (0, [])
    onenet.wake(IMEI, Trigger.UPDATE)
    assert device.executed == [((3, 0, 4), argument)]
    detail = (await caller("GET", f"/offline/history/{data['uuid']}"))[2]
    assert (detail["type"], detail["content"]) == ("EXECUTE", {"args": argument} if argument else {})
    assert detail["cmd_result"] == {"errno": 0, "error": "succ"}


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
async def test_a_wrong_write_is_refused(
    caller: Caller, onenet: OneNet, content: Any, query: dict[str, str | None]
) -> None:
    """Refuse each wrong body and parameter of a cached write."""
    target = {"obj_id": "3303", "obj_inst_id": "0", "mode": "2", "expired_time": wire(onenet, 1)}
    assert (await caller("POST", "/offline", {"data": [ITEM]}, **target))[0] == 0
    sent = {name: value for name, value in (target | query).items() if value is not None}
    assert await caller.is_refused("POST", "/offline", content, **sent)


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
async def test_a_wrong_execution_is_refused(
    caller: Caller, onenet: OneNet, content: Any, query: dict[str, str | None]
) -> None:
    """Refuse each wrong body and parameter of a cached execution."""
    target = {"obj_id": "3", "obj_inst_id": "0", "res_id": "4", "expired_time": wire(onenet, 1)}
    assert (await caller("POST", "/execute/offline", {}, **target))[0] == 0
    sent = {name: value for name, value in (target | query).items() if value is not None}
    assert await caller.is_refused("POST", "/execute/offline", content, **sent)


def test_all_kinds_of_commands_share_a_queue(onenet: OneNet, product: Product, device: Device) -> None:
    """Count reads, writes and executions together, and retry them alike."""
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
def test_a_write_needs_the_type_of_the_resource(
    onenet: OneNet,
    product: Product,
    device: Device,
    target: tuple[int, int, int],
    item: dict[str, Any],
    value: Any,
) -> None:
    """Answer a value of another type with REQ_PARAM_ERROR."""
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
def test_a_write_replaces_an_instance_or_updates_it(
    onenet: OneNet,
    product: Product,
    device: Device,
    mode: str,
    query: dict[str, str],
    resources: list[int],
    confirmed: str,
) -> None:
    """Delete the other resources in mode 1 only."""
    before = dict(device.resources)
    base = {"imei": IMEI, "obj_id": "3303", "obj_inst_id": "0", "mode": mode, "expired_time": wire(onenet, 1)}
    content = {"data": [{"res_id": resource, "val": 7.5} for resource in resources]}
    command = onenet.queue_write(product, base | query, content)
    onenet.wake(IMEI, Trigger.UPDATE)
    assert command.confirm_status == confirmed
    if confirmed != "SUCCESS":
        # No value is written if one does not fit.
        assert device.resources == before
        return
    kept = {path: value for path, value in before.items() if mode == "2" or path[:2] != (3303, 0)}
    assert device.resources == kept | {(3303, 0, resource): 7.5 for resource in resources}


@pytest.mark.parametrize(("resource", "confirmed"), [("4", "SUCCESS"), ("9", "METHOD_NOT_ALLOWED"), ("5", "NOT_FOUND")])
def test_only_executable_resources_are_executed(
    onenet: OneNet, product: Product, device: Device, resource: str, confirmed: str
) -> None:
    """Refuse to execute a readable or a missing resource."""
    query = {"imei": IMEI, "obj_id": "3", "obj_inst_id": "0", "res_id": resource, "expired_time": wire(onenet, 1)}
    command = onenet.queue_execute(product, query, {})
    onenet.wake(IMEI, Trigger.UPDATE)
    assert (command.confirm_status, len(device.executed)) == (confirmed, confirmed == "SUCCESS")


@pytest.mark.parametrize(
    ("query", "opaque"), [({}, [0, 255]), ({"bin2hex": "true"}, "00ff"), ({"bin2hex": "false"}, [0, 255])]
)
async def test_values_have_the_documented_json_types(
    caller: Caller, onenet: OneNet, query: dict[str, str], opaque: Any
) -> None:
    """Show booleans, opaque values and times as OneNET does."""
    uuid = (await caller("GET", "/offline", obj_id=3200, expired_time=wire(onenet, 1), **query))[2]["uuid"]
    onenet.wake(IMEI, Trigger.NOTIFY)
    values = [
        {"res_id": 5500, "val": True},
        {"res_id": 5505, "val": opaque},
        {"res_id": 5518, "val": 1_606_870_944},
    ]
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert detail["cmd_result"] == {"errno": 0, "error": "succ", "data": [{"obj_inst_id": 0, "res": values}]}
    async with caller.session.get(
        "/devices/datapoints", params={"devIds": "500000000"}, headers={"api-key": "key"}
    ) as response:
        streams = (await response.json())["data"]["devices"][0]["datastreams"]
    assert {"3200_0_5505": [0, 255], "3200_0_5518": 1_606_870_944}.items() <= {
        stream["id"]: stream["value"] for stream in streams
    }.items()


async def test_immediate_commands_are_carried_out(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Write, read, execute and discover while a device is online."""
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
    # Executable resources are discovered, too.
    assert (await caller("GET", "/discover", obj_id=3, obj_inst_id=0))[2] == [{"obj_inst_id": 0, "res_id": [4, 9]}]
    assert onenet.commands == []


async def test_an_observation_is_kept_until_it_is_cancelled(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Store the conditions of an observation."""
    onenet.wake(IMEI, Trigger.UPDATE)
    done = (0, "succ", ...)
    conditions = {"pmin": "1", "pmax": "60", "lt": "-5.5", "st": "0.5", "gt": "30"}
    resource = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
    assert await caller("POST", "/observe", cancel="false", **resource, **conditions) == done
    assert await caller("POST", "/observe", cancel="false", obj_id=3) == done
    assert device.observations == {(3303, 0, 5700): conditions, (3,): {}}
    assert await caller("POST", "/observe", cancel="true", **resource) == done
    assert device.observations == {(3,): {}}
    assert await caller("POST", "/observe", cancel="false", obj_id=4) == (5106, "unsuccess:NOT_FOUND", ...)


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
async def test_a_wrong_observation_is_refused(caller: Caller, onenet: OneNet, query: dict[str, str | None]) -> None:
    """Refuse each wrong condition of an observation."""
    onenet.wake(IMEI, Trigger.UPDATE)
    base = {"cancel": "false", "obj_id": "3303", "obj_inst_id": "0", "res_id": "5700"}
    sent = {name: value for name, value in (base | query).items() if value is not None}
    assert await caller.is_refused("POST", "/observe", **sent)


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
async def test_a_wrong_immediate_call_is_refused(
    caller: Caller, onenet: OneNet, method: str, path: str, query: dict[str, str | None]
) -> None:
    """Refuse each wrong parameter of an immediate command."""
    onenet.switches = Switches(current_resources=True)
    onenet.wake(IMEI, Trigger.UPDATE)
    base = {"obj_id": "3303", "obj_inst_id": "0", "res_id": "5700"}
    sent = {name: value for name, value in (base | query).items() if value is not None}
    content = {"data": [ITEM]} if (method, path) == ("POST", "") else None
    assert await caller.is_refused(method, path, content, **sent)


async def test_known_resources_need_no_online_device(caller: Caller, onenet: OneNet, device: Device) -> None:
    """List the registered resources of a sleeping device."""
    onenet.switches = Switches(current_resources=True)
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
async def test_an_immediate_command_needs_a_device_that_answers(
    caller: Caller, onenet: OneNet, device: Device, method: str, path: str, content: Any, query: dict[str, Any]
) -> None:
    """Distinguish a device that is not online from one that does not answer."""
    before = dict(device.resources)
    number = caller.number(2001, 10421)
    assert await caller(method, path, content, **query) == (number, "device not online", ...)
    onenet.wake(IMEI, Trigger.UPDATE)
    device.answers = False
    assert await caller(method, path, content, **query) == (5106, "unsuccess:TIME_OUT", ...)
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
async def test_an_immediate_command_names_the_devices_answer(
    caller: Caller, onenet: OneNet, method: str, path: str, content: Any, query: dict[str, Any], text: str
) -> None:
    """Give the confirm status in the text of 5106."""
    onenet.wake(IMEI, Trigger.UPDATE)
    assert await caller(method, path, content, **query) == (5106, f"unsuccess:{text}", ...)


@pytest.mark.parametrize(("method", "path", "content", "query"), CALLS)
async def test_an_immediate_command_waits_for_a_hesitating_device(
    caller: Caller, onenet: OneNet, device: Device, method: str, path: str, content: Any, query: dict[str, Any]
) -> None:
    """Reply once the device answers, without blocking other calls."""
    onenet.wake(IMEI, Trigger.UPDATE)
    device.hesitates = True
    call = asyncio.create_task(caller(method, path, content, **query))
    async with asyncio.timeout(10):
        while not device.waiting:  # noqa: ASYNC110 - The emulator has no event for it.
            await asyncio.sleep(0.001)
    # Other calls are not blocked.
    assert (await caller("GET", "/offline/history", start="2020-01-01T00:00:00"))[0] == 0
    assert not call.done()
    await control(caller.session, "answer", imei=IMEI)
    assert (await call)[0] == 0
    assert device.waiting == []


@pytest.mark.parametrize(("query", "seconds"), [({}, 25), ({"timeout": "5"}, 5)])
async def test_an_immediate_command_times_out(
    caller: Caller, onenet: OneNet, device: Device, query: dict[str, str], seconds: int
) -> None:
    """End with TIME_OUT after the timeout of the call."""
    onenet.wake(IMEI, Trigger.UPDATE)
    onenet.second = 0.02
    device.hesitates = True
    started = time.perf_counter()
    assert await caller("GET", "", obj_id=3303, **query) == (5106, "unsuccess:TIME_OUT", ...)
    assert seconds * 0.02 <= time.perf_counter() - started
    assert device.waiting == []
    device.hesitates = False
    assert (await caller("GET", "", obj_id=3303))[0] == 0


def sample(file: str, name: str) -> dict[str, Any]:
    """Return the body of a sample reply."""
    cases = json.loads((WIRE / f"{file}.json").read_text("utf-8"))["cases"]
    body: dict[str, Any] = next(case["body"] for case in cases if case["name"] == name)
    return body


def shape(value: Any) -> Any:
    """Return the members and types of a reply; values of devices and the keys of auth_info may be anything."""
    match value:
        case dict():
            return {
                "imei" if key.isdecimal() else key: ... if key in ("val", "value") else shape(item)
                for key, item in value.items()
            }
        case list():
            return [shape(value[0])] if value else []
    return type(value)


@pytest.fixture
def busy(onenet: OneNet, product: Product) -> Device:
    """Return an online device with a delivered read, a waiting read, and two reports of one datastream."""
    set_clock(onenet, EXPIRY - 600)
    busy = product.add("860000000000101", "Meter A", {(3303, 0, 5700): 21.5}, "nb_101")
    query = {"imei": busy.imei, "obj_id": "3303", "obj_inst_id": "0", "res_id": "5700", "expired_time": wire(onenet, 9)}
    onenet.queue_read(product, query)
    onenet.queue_read(product, query | {"trigger_msg": "1"})
    onenet.wake(busy.imei, Trigger.UPDATE)
    for value, seconds in ((1, 120), (2, 60)):
        onenet.report(busy.imei, {(3303, 0, 5700): value}, onenet.clock.now() - timedelta(seconds=seconds))
    onenet.sleep(busy.imei)
    onenet.set_online(busy.imei, online=True)
    return busy


async def get(session: ClientSession, path: str, **query: Any) -> dict[str, Any]:
    """Return the reply to a GET with the token or the key of the product."""
    legacy = Generation.of(path) is Generation.LEGACY
    headers = {"api-key": "key"} if legacy else {"authorization": token()}
    if path.startswith(("/product/", "/device/", "/datapoint/")):
        query = {"product_id": "P1demo"} | query
    async with session.get(path, params=query, headers=headers) as response:
        assert response.status == 200
        reply: dict[str, Any] = await response.json()
    return reply


TARGET = {"imei": "860000000000101"}
START = {"start": "2020-01-01T00:00:00"}


@pytest.mark.parametrize(
    ("file", "name", "path", "query"),
    [
        ("list", "times with milliseconds", "/nbiot/offline/history", TARGET | START | {"sort": "ASC"}),
        ("list", "waiting: no send_time, no confirm", "/nbiot/offline/history", TARGET | START),
        ("detail", "read, result is the whole reply of the call", "/nbiot/offline/history/{sent}", TARGET),
        ("detail", "read, current platform", "/nb-iot/offline/history/{sent}", TARGET),
        ("log", "two lines", "/nbiot/offline/history/{sent}/piecewise", TARGET),
        ("resources", "two objects", "/nbiot/resources", TARGET),
        ("immediate", "read one value", "/nbiot", TARGET | {"obj_id": "3303"}),
        ("devices_legacy", "two devices", "/devices", {"key_words": "Meter A"}),
        ("devices_legacy", "by IMEI", "/devices/getbyimei", TARGET),
        ("devices_legacy", "one device in full", "/devices/{id}", {}),
        ("devices_legacy", "is the push on", "/third/platform/status", {"pid": "P1demo"}),
        ("datapoints_legacy", "history, more to come", "/devices/{id}/datapoints", START | {"limit": "1"}),
        ("datapoints_legacy", "history, none", "/devices/500000000/datapoints", START),
        ("device_current", "product", "/product/detail", {}),
        ("device_current", "last page", "/device/list", {"device_name": "nb_101"}),
        ("device_current", "one device", "/device/detail", TARGET),
        ("device_current", "one device", "/device/detail", {"device_name": "nb_101"}),
        ("device_current", "history of states", "/device/status-history", {"device_name": "nb_101"}),
        ("datapoints_current", "one device", "/datapoint/current-datapoints", TARGET),
        (
            "datapoints_current",
            "three names, two answers",
            "/datapoint/current-datapoints",
            {"device_name": "nb_101,x"},
        ),
        ("datapoints_current", "history", "/datapoint/history-datapoints", TARGET | START),
        (
            "datapoints_current",
            "history, more to come",
            "/datapoint/history-datapoints",
            TARGET | START | {"limit": "1"},
        ),
    ],
)
async def test_replies_have_the_documented_shape(
    session: ClientSession, onenet: OneNet, busy: Device, file: str, name: str, path: str, query: dict[str, str]
) -> None:
    """Return the members and types of the sample replies."""
    reply = await get(session, path.format(sent=busy.commands[0].uuid, id=busy.id), **query)
    assert shape(reply) == shape(sample(file, name))


@pytest.mark.parametrize(
    ("name", "path"),
    [("states", "/devices/status"), ("two devices", "/devices/datapoints")],
)
async def test_ids_of_legacy_batches_can_be_numbers(
    session: ClientSession, onenet: OneNet, busy: Device, name: str, path: str
) -> None:
    """Return ids as numbers with the switch, as the samples have them."""
    onenet.switches = Switches(ids_as_numbers=True)
    reply = await get(session, path, devIds=str(busy.id))
    assert shape(reply) == shape(sample("devices_legacy" if name == "states" else "datapoints_legacy", name))


async def test_a_command_is_shown_by_list_and_detail(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Show UUID, times, arguments, outcome and remaining deliveries in the documented forms."""
    query = {"obj_id": 3303, "obj_inst_id": 0, "expired_time": wire(onenet, 1)}
    uuid = (await caller("GET", "/offline", **query, bin2hex="true"))[2]["uuid"]
    command = device.commands[0]
    milliseconds = f"{command.create_time.microsecond // 1000:03}"
    assert command.expired_time.microsecond // 1000 == int(milliseconds)
    (item,) = (await caller("GET", "/offline/history", **START))[2]["items"]
    assert item["cmd_uuid"] == (f"{uuid} " if caller.generation is Generation.LEGACY else uuid)
    assert item["expired_time"] == f"{query['expired_time']}.{milliseconds}".replace("T", " ")
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert not {"cmd_uuid", "cmd_result", "send_time", "confirm_time", "confirm_status", "feedback_msg"} & set(detail)
    assert detail["args"]["expired_time"] == f"{query['expired_time']}:{milliseconds}".replace("T", " ")
    assert detail["args"].items() >= {"imei": IMEI, "obj_id": 3303, "retry": 3, "timeout": 25, "bin2hex": True}.items()
    assert detail["content"] == {}
    device.hesitates = True
    onenet.wake(IMEI, Trigger.UPDATE)
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert (detail["send_status"], detail["feedback_msg"]) == (3, [])
    onenet.answer(IMEI)
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert (detail["send_status"], detail["confirm_status"]) == (5, "SUCCESS")
    assert detail["remain"] == ("3" if caller.generation is Generation.LEGACY else 3)


async def test_the_list_is_paged_and_filtered(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Return pages of the list, in both orders, and the item of one UUID."""
    uuids = [command.uuid for command in onenet.fill(3)]
    for sort, expected in (("ASC", uuids), ("DESC", uuids[::-1])):
        found = []
        for page in (1, 2):
            data = (await caller("GET", "/offline/history", **START, page=page, per_page=2, sort=sort))[2]
            assert data["total_count"] == 3
            found += [item["cmd_uuid"].strip() for item in data["items"]]
        assert found == expected
    data = (await caller("GET", "/offline/history", **START, uuid=uuids[1]))[2]
    assert [item["cmd_uuid"].strip() for item in data["items"]] == [uuids[1]]
    assert await caller.is_refused("GET", "/offline/history", **START, page="x")
    assert await caller.is_refused("GET", "/offline/history", **START, sort="UP")
    assert await caller.is_refused("GET", "/offline/history")


async def test_commands_are_cancelled_while_they_wait(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Cancel one command and all, and refuse to cancel a finished or unknown one."""
    one, *others = [command.uuid for command in onenet.fill(3)]
    assert await caller("PUT", f"/offline/cancel/{one}") == (0, "succ", ...)
    assert (await caller("PUT", f"/offline/cancel/{one}"))[0] == 5104
    assert (await caller("PUT", "/offline/cancel/nonsense"))[0] == 8
    data = {"succ": others, "failed": [], "total": 2}
    assert await caller("PUT", "/offline/cancel/all") == (0, "succ", data)
    assert (await caller("PUT", "/offline/cancel/all/"))[:2] == (caller.number(404, 10404), "no such path")


async def test_due_commands_follow_one_after_the_other(onenet: OneNet, product: Product, device: Device) -> None:
    """Send the next due command after the answer, without cancelled ones."""
    device.hesitates = True
    first, second, third = onenet.fill(3)
    assert onenet.wake(IMEI, Trigger.UPDATE) == [first]
    onenet.cancel(product, {"imei": IMEI}, second.uuid)
    assert onenet.wake(IMEI, Trigger.UPDATE) == []
    assert onenet.answer(IMEI) == [first]
    assert (second.send_status, third.send_status) == (SendStatus.CANCELLED, SendStatus.SENT)
    assert onenet.answer(IMEI) == [third]
    assert onenet.answer(IMEI) == []


async def test_commands_are_kept_180_days(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Delete commands that are older than the history."""
    (command,) = onenet.fill(1)
    command.create_time -= timedelta(days=179, hours=23)
    assert (await caller("GET", "/offline/history", **START))[2]["total_count"] == 1
    command.create_time -= timedelta(hours=2)
    assert (await caller("GET", "/offline/history", **START))[2]["total_count"] == 0
    assert (await caller("GET", f"/offline/history/{command.uuid}"))[0] == 8


async def test_one_command_per_device_and_interval(caller: Caller, onenet: OneNet, product: Product) -> None:
    """Refuse a queued or immediate command too soon after another one for the same device."""
    product.add("1234", "Lamp")
    onenet.wake(IMEI, Trigger.UPDATE)
    await control(caller.session, "interval", seconds=0.3)
    queued = {"obj_id": 3303, "expired_time": wire(onenet, 1)}
    refused = caller.number(1, 10500)
    assert (await caller("GET", "/offline", **queued))[0] == 0
    number, text, _ = await caller("GET", "/offline", **queued)
    assert (number, text) == (refused, "internal server error" if number == 1 else "internal error")
    assert (await caller("GET", "", obj_id=3303))[0] == refused
    assert (await caller("POST", "/observe", obj_id=3303, cancel="false"))[0] == refused
    assert (await caller("GET", "/offline", **queued, imei="1234"))[0] == 0
    assert (await caller("GET", "/offline/history", **START))[2]["total_count"] == 1
    await asyncio.sleep(0.3)
    assert (await caller("GET", "", obj_id=3303))[0] == 0
    assert OneNet(product).command_interval == 1


async def test_args_have_2048_bytes_at_most(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Measure the UTF-8 bytes of the args of an execution."""
    target = {"obj_id": 3, "obj_inst_id": 0, "res_id": 4, "expired_time": wire(onenet, 1)}
    assert (await caller("POST", "/execute/offline", {"args": "\u00fc" * 1024}, **target))[0] == 0
    number, text, _ = await caller("POST", "/execute/offline", {"args": "\u00fc" * 1024 + "x"}, **target)
    assert (number, text) == (caller.number(5, 10001), "body too large: args")
    assert len(onenet.commands) == 1


async def test_data_has_2048_bytes_at_most(caller: Caller, onenet: OneNet, device: Device) -> None:
    """Measure the JSON of the data of a write as it was sent."""
    target = {"obj_id": 3303, "obj_inst_id": 0, "mode": 2, "expired_time": wire(onenet, 1)}
    data = b'[{"res_id": 5701, "val": "%s"}]' % (b"x" * 2019)
    assert len(data) == 2048
    assert (await caller("POST", "/offline", b' {"data": %s} ' % data, **target))[0] == 0
    number, text, _ = await caller("POST", "/offline", b'{"data": %s}' % data.replace(b"x", b"xx", 1), **target)
    assert (number, text) == (caller.number(5, 10001), "body too large: data")
    assert len(onenet.commands) == 1


@pytest.mark.parametrize(("length", "status"), [(8190, 200), (8191, 414), (200_000, 414)])
async def test_a_long_request_line_is_refused(session: ClientSession, server: Server, length: int, status: int) -> None:
    """Answer 414 with a page to a request line of more than 8,190 characters."""
    path = "/devices?key_words="
    path += "x" * (length - len(f"GET {path} HTTP/1.1"))
    async with session.get(path) as response:
        assert response.status == status
        assert response.content_type == ("application/json" if status == 200 else "text/html")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("path", "count", "errno"),
    [
        ("status", 0, 7),
        ("status", 1000, 0),
        ("status", 1001, 20),
        ("datapoints", 0, 7),
        ("datapoints", 500, 0),
        ("datapoints", 501, 20),
    ],
)
async def test_a_legacy_batch_has_a_maximum_of_ids(session: ClientSession, path: str, count: int, errno: int) -> None:
    """Refuse more than 1,000 ids for states, and more than 500 for newest values."""
    reply = await get(session, f"/devices/{path}", devIds=",".join(map(str, range(count))))
    assert reply["errno"] == errno


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nbiot/nonsense"),
        ("GET", "/nonsense"),
        ("POST", "/devices"),
        ("GET", "/nbiot/device/list"),
        ("GET", "/nb-iot/resources"),
        ("GET", "/nb-iot/devices"),
        ("PUT", "/nb-iot/offline/cancel/all/"),
        ("GET", "/device/nonsense"),
        ("POST", "/device/list"),
    ],
)
async def test_other_calls_do_not_exist(session: ClientSession, method: str, path: str) -> None:
    """Refuse calls that the generation of the path does not have, even without a key."""
    async with session.request(method, path, params={"imei": IMEI}) as response:
        assert response.status == 200
        reply = await response.json()
    number, text = ("code", "msg") if Generation.of(path) is Generation.CURRENT else ("errno", "error")
    assert (reply[number], reply[text]) == (10404 if number == "code" else 404, "no such path")


@pytest.mark.parametrize(
    "path",
    [
        "/product/detail",
        "/device/list",
        "/device/detail",
        "/device/status-history",
        "/datapoint/current-datapoints",
        "/datapoint/history-datapoints",
    ],
)
async def test_current_calls_need_the_product(session: ClientSession, onenet: OneNet, busy: Device, path: str) -> None:
    """Refuse a missing product, an unknown one and another account's."""
    onenet.products.append(Product(key="second", id="P2demo"))
    query = {} if path.endswith(("/list", "/product/detail")) else {"device_name": busy.name}
    assert (await get(session, path, **query))["code"] == 0
    assert (await get(session, path, **query, product_id="P2demo"))["code"] == 10408
    assert (await get(session, path, **query, product_id="nonsense"))["code"] == 10408
    async with session.get(path, params=query, headers={"authorization": token()}) as response:
        assert (await response.json())["code"] == 10001
    if query:
        assert (await get(session, path))["code"] == 10001
        assert (await get(session, path, device_name="nonsense"))["code"] == 10410


async def test_current_devices_are_paged(session: ClientSession, busy: Device, product: Product) -> None:
    """Return records with name, description, status and secrets, without a total."""
    lamp = product.add("1234", "Lamp")
    lamp.activated = False
    found = []
    for offset in (0, 2, 4):
        data = (await get(session, "/device/list", offset=offset, limit=2))["data"]
        assert (data["offset"], data["limit"]) == (offset, 2)
        found += data["list"]
    assert [(record["name"], record["desc"], record["status"], record["imei"]) for record in found] == [
        (IMEI, "Meter", 0, IMEI),
        ("nb_101", "Meter A", 1, busy.imei),
        ("1234", "Lamp", 2, "1234"),
    ]
    assert found[2]["last_time"] == found[2]["activate_time"] == ""
    assert found[1]["sec_key"] == f"SECRET-sec-key-{busy.id}"
    assert found[1]["last_time"].endswith("+08:00")
    product_detail = (await get(session, "/product/detail"))["data"]
    assert {name: count for name, count in product_detail.items() if name.endswith("_count")} == {
        "own_device_count": 3,
        "online_device_count": 1,
        "offline_device_count": 1,
        "not_active_device_count": 1,
    }
    assert (await get(session, "/device/list", limit=101))["code"] == 10001


async def test_states_are_kept(session: ClientSession, onenet: OneNet, busy: Device) -> None:
    """Return the changes of a device's state between two times, the newest first."""
    onenet.set_online(busy.imei, online=True)
    states = (await get(session, "/device/status-history", device_name=busy.name))["data"]["list"]
    assert [state["status"] for state in states] == [1, 0, 1]
    reply = await get(session, "/device/status-history", device_name=busy.name, end_time=states[0]["time"] - 10**6)
    assert reply["data"]["list"] == []


@pytest.mark.parametrize("current", [False, True])
async def test_the_history_of_values_is_paged(
    session: ClientSession, onenet: OneNet, busy: Device, *, current: bool
) -> None:
    """Return every reported value once, over all pages and in both orders."""
    now = onenet.clock.now()
    busy.points.clear()
    for number in range(5):
        onenet.report(busy.imei, {(3303, 0, 5700): number, (3, 0, 9): -number}, now - timedelta(hours=5 - number))
    path = "/datapoint/history-datapoints" if current else f"/devices/{busy.id}/datapoints"
    target: dict[str, Any] = TARGET if current else {}
    start = {"start": wire(onenet, -24), "datastream_id": "3303_0_5700"}
    for sort, expected in (("ASC", [0, 1, 2, 3, 4]), ("DESC", [4, 3, 2, 1, 0])):
        query = target | start | {"limit": 2, "sort": sort}
        found = []
        while True:
            data = (await get(session, path, **query))["data"]
            found += [point["value"] for point in data["datastreams"][0]["datapoints"]]
            if "cursor" not in data:
                break
            query["cursor"] = data["cursor"]
        assert found == expected
    name, refused = ("code", 10001) if current else ("errno", 6)
    assert (await get(session, path, **target, **start, cursor="nonsense"))[name] == refused
    assert (await get(session, path, **target, **start, limit=6001))[name] == refused


@pytest.mark.parametrize(
    ("hours", "values"),
    [
        ({}, [4]),
        ({"end": -2.5}, [4]),
        ({"start": -24}, [0, 1, 2, 3, 4]),
        ({"start": -3.5, "end": -1.5}, [2, 3]),
        ({"start": -400 * 24, "end": -2.5}, [0, 1, 2, 3, 4]),
        ({"start": -4.5, "duration": 1}, [1]),
        ({"duration": 2.5}, [3, 4]),
    ],
)
async def test_a_history_has_a_period(
    session: ClientSession, onenet: OneNet, busy: Device, hours: dict[str, float], values: list[int]
) -> None:
    """Return the values of a period, or the newest value without a start; ignore an end that does not fit."""
    now = onenet.clock.now()
    busy.points.clear()
    for number in range(5):
        onenet.report(busy.imei, {(3303, 0, 5700): number}, now - timedelta(hours=5 - number))
    onenet.report(busy.imei, {(3303, 0, 5700): 9}, now - timedelta(days=366))
    query = {
        name: str(int(number * 3600)) if name == "duration" else wire(onenet, number) for name, number in hours.items()
    }
    (stream,) = (await get(session, f"/devices/{busy.id}/datapoints", **query))["data"]["datastreams"]
    assert [point["value"] for point in stream["datapoints"]] == values


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize(
    ("headers", "legacy", "current"),
    [
        ({}, "token authentication failed: authentication", "authorization must not be empty"),
        ({"Authorization": "nonsense"}, "auth failed", "this authorization is not valid"),
        (
            {"Authorization": token("2018-10-31").replace(str(EXPIRY), "1500000000")},
            "auth failed",
            "this request has expired",
        ),
    ],
)
async def test_refusals_of_a_token_have_the_documented_text(
    server: Server, onenet: OneNet, generation: Generation, headers: dict[str, str], legacy: str, current: str
) -> None:
    """Name a missing, a wrong and an expired token."""
    set_clock(onenet, EXPIRY - 600)
    path = "/devices" if generation is Generation.LEGACY else "/device/list"
    async with ClientSession(server.url, headers=headers) as session, session.get(path) as response:
        assert response.status == 200
        _, number, _, text, *_ = (part for pair in (await response.json()).items() for part in pair)
    expected = (3, legacy) if generation is Generation.LEGACY else (10403, current)
    assert (number, text) == expected


@pytest.mark.parametrize("left", [-1, 0, 60, 1_000_000])
async def test_a_token_is_valid_until_it_expires(server: Server, onenet: OneNet, left: int) -> None:
    """Accept a token until the expiry that it names."""
    set_clock(onenet, EXPIRY - left)
    assert await call_with(server, "/nb-iot", {"Authorization": token()}) == (0 if left > 0 else 10403)


async def test_a_user_token_authorizes_all_products(server: Server, onenet: OneNet, busy: Device) -> None:
    """Accept a token that the account's key signed, for every product and device."""
    onenet.user_id, onenet.user_key = "P1demo", ACCESS_KEY
    second = Product(key="second", id="P2demo")
    second.add("1234", "Lamp")
    onenet.products.append(second)
    headers = {"Authorization": token(res="userid/P1demo", signature=OF_A_USER)}
    async with ClientSession(server.url, headers=headers) as session:
        for path, query in (
            ("/device/list", {"product_id": "P1demo"}),
            ("/device/list", {"product_id": "P2demo"}),
            ("/nb-iot/offline/history", {"imei": "1234"} | START),
            ("/nb-iot/offline/history", {"imei": IMEI} | START),
        ):
            async with session.get(path, params=query) as response:
                assert (await response.json())["code"] == 0


async def test_a_device_of_another_product_is_refused(caller: Caller, onenet: OneNet) -> None:
    """Refuse the IMEI of another product with an error about the device, not about the key."""
    second = Product(key="second", id="P2demo")
    second.add("1234", "Lamp")
    onenet.products.append(second)
    number, text, _ = await caller("GET", "/offline/history", **START, imei="1234")
    assert (number, text) == (
        (1, "authentication failed for this imei")
        if caller.generation is Generation.LEGACY
        else (10403, "this authorization is not valid")
    )


async def test_fault_errno_has_the_envelope_of_the_path(session: ClientSession, server: Server, onenet: OneNet) -> None:
    """Answer a fault with code and msg on the current platform, except with the errno envelope."""
    await control(session, "fault", kind="errno", errno=17, text="down", times=4)
    for path, number in (("/devices", "errno"), ("/device/list", "code"), ("/nb-iot", "code")):
        assert (await get(session, path))[number] == 17
    onenet.switches = Switches(nb_errno=True)
    assert await get(session, "/nb-iot") == {"errno": 17, "error": "down"}


@pytest.mark.parametrize(
    ("switches", "path", "query", "expected"),
    [
        ({"nb_errno": True}, "/nb-iot", TARGET | {"obj_id": "x"}, {"errno": 6, "error": "invalid parameter: obj_id"}),
        ({"nb_errno": True}, "/nb-iot", {"imei": IMEI, "obj_id": "3"}, {"errno": 2001, "error": "device not online"}),
        ({"not_online": 10411}, "/nb-iot", {"imei": IMEI, "obj_id": "3"}, {"code": 10411}),
        ({"not_online": 2001}, "/nb-iot", {"imei": IMEI, "obj_id": "3"}, {"code": 2001}),
        ({"current_resources": True}, "/nb-iot/resources", TARGET, {"code": 0}),
        ({"names_max": 2}, "/datapoint/current-datapoints", {"device_name": "a,b"}, {"code": 0}),
        ({"names_max": 2}, "/datapoint/current-datapoints", {"device_name": "a,b,c"}, {"code": 10001}),
        ({"numbers_as_digits": True}, "/devices", {}, {"errno": "0"}),
        ({"null_for_empty": True}, "/devices/getbyimei", {"imei": "1235"}, {"data": None}),
    ],
)
async def test_switches_change_the_reply(
    session: ClientSession,
    onenet: OneNet,
    busy: Device,
    switches: dict[str, Any],
    path: str,
    query: dict[str, str],
    expected: dict[str, Any],
) -> None:
    """Answer as the switch chooses."""
    before = await get(session, path, **query)
    onenet.switches = Switches(**switches)
    reply = await get(session, path, **query)
    assert reply.items() >= expected.items()
    if path != "/datapoint/current-datapoints" or reply["code"]:
        assert before.items() != reply.items()


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"confirm_as_number": True}, {"confirm_status": 0}),
        ({"type_as_number": True}, {"type": 0}),
        ({"numbers_as_digits": True}, {"send_status": "5", "trigger_msg": "7"}),
        ({"cmd_result": "data"}, {"cmd_result": [{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}]}),
        (
            {"cmd_result": "text"},
            {
                "cmd_result": '{"errno": 0, "error": "succ", "data": '
                '[{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 21.5}]}]}'
            },
        ),
    ],
)
async def test_switches_change_the_detail(
    session: ClientSession, onenet: OneNet, busy: Device, switches: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Show a command as the switch chooses."""
    onenet.switches = Switches(**switches)
    path = f"/nbiot/offline/history/{busy.commands[0].uuid}"
    assert (await get(session, path, **TARGET))["data"].items() >= expected.items()


async def test_switches_change_the_commands_of_the_current_platform(
    caller: Caller, onenet: OneNet, device: Device
) -> None:
    """Cancel with a slash and before valid_time, cut pages, refuse an 11th command, print ISO times."""
    onenet.switches = Switches(
        detail_has_uuid=True,
        queue_full=13,
        cancel_all_slash=True,
        per_page_max=4,
        cancel_before_valid_time=True,
        iso_times=True,
    )
    uuid = onenet.fill(10)[0].uuid
    queued = {"obj_id": 3303, "expired_time": wire(onenet, 1)}
    assert (await caller("GET", "/offline", **queued))[0] == 13
    data = (await caller("GET", "/offline/history", **START, per_page=100))[2]
    assert (data["total_count"], len(data["items"])) == (10, 4)
    detail = (await caller("GET", f"/offline/history/{uuid}"))[2]
    assert detail["cmd_uuid"].strip() == uuid
    assert detail["create_time"].endswith("+08:00") == (caller.generation is Generation.CURRENT)
    path, missing = ("/offline/cancel/all", "/offline/cancel/all/")[
        :: 1 if caller.generation is Generation.LEGACY else -1
    ]
    assert (await caller("PUT", missing))[1] == "no such path"
    assert (await caller("PUT", f"/offline/cancel/{uuid}"))[0] == 5104
    device.commands[0].valid_time += timedelta(hours=1)
    cancelled = (await caller("PUT", path))[2]
    assert (cancelled["succ"], len(cancelled["failed"]), cancelled["total"]) == ([uuid], 9, 10)


@pytest.mark.parametrize(("form", "online"), [("bool", True), ("word", "true"), ("number", 1)])
async def test_switches_change_online(
    session: ClientSession, onenet: OneNet, busy: Device, form: Any, online: Any
) -> None:
    """Show online as the switch chooses."""
    onenet.switches = Switches(online=form, ids_as_numbers=True)
    (found,) = (await get(session, "/devices", key_words="Meter A"))["data"]["devices"]
    assert (found["online"], type(found["online"]), found["id"]) == (online, type(online), busy.id)


async def test_a_batch_can_lack_its_last_name(session: ClientSession, onenet: OneNet, busy: Device) -> None:
    """Leave the last device out of a batch, but not out of a call for it alone."""
    names = f"{IMEI},{busy.name}"
    for switches, expected in ((Switches(), [IMEI, busy.name]), (Switches(last_name_left_out=True), [IMEI])):
        onenet.switches = switches
        devices = (await get(session, "/datapoint/current-datapoints", device_name=names))["data"]["devices"]
        assert [device["title"] for device in devices] == expected
    assert len((await get(session, "/datapoint/current-datapoints", device_name=busy.name))["data"]["devices"]) == 1


async def test_control_switches(session: ClientSession, onenet: OneNet) -> None:
    """Set all switches over HTTP; the two positions differ in every one."""
    await control(session, "switches", other=True)
    assert onenet.switches == Switches.other()
    assert not {name for name, value in vars(Switches()).items() if vars(Switches.other())[name] == value}
    await control(session, "switches", other=False)
    assert onenet.switches == Switches()


@pytest.mark.parametrize(
    ("path", "query", "errno"),
    [
        ("/devices", {"per_page": "101"}, 6),
        ("/devices", {"page": "0"}, 6),
        ("/devices", {"online": "yes"}, 6),
        ("/devices/1", {}, 8),
        ("/devices/1/datapoints", {}, 8),
        ("/devices/getbyimei", {}, 7),
        ("/third/platform/status", {}, 7),
        ("/third/platform/status", {"pid": "nonsense"}, 8),
    ],
)
async def test_wrong_legacy_device_calls_are_refused(
    session: ClientSession, path: str, query: dict[str, str], errno: int
) -> None:
    """Refuse with the numbers of the general table."""
    assert (await get(session, path, **query))["errno"] == errno


async def test_opaque_values_are_hex_on_the_current_platform(
    session: ClientSession, onenet: OneNet, busy: Device
) -> None:
    """Show the same opaque value as hex text and as a list of bytes."""
    onenet.report(busy.imei, {(19, 0, 0): b"\x00\xff"})
    for path, query, value in (
        (f"/devices/{busy.id}/datapoints", {"datastream_id": "19_0_0"}, [0, 255]),
        ("/datapoint/history-datapoints", TARGET | {"datastream_id": "19_0_0"}, "00ff"),
    ):
        (stream,) = (await get(session, path, **query))["data"]["datastreams"]
        assert [point["value"] for point in stream["datapoints"]] == [value]
