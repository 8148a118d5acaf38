"""The emulator is as strict as OneNET's documents: what it lets pass is let pass by every other test."""

from datetime import timedelta

import pytest

from .emulator import OneNet, Product, RefusalError, SendStatus, Trigger

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
