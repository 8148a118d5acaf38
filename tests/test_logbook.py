"""The logbook shows the commands of devices as sentences, in the language of the system."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, mock_component

from custom_components.onenet_nbiot.const import CONF_CONTROLS, CONF_KIND

from .common import EXECUTE, EXPIRY, IMEI, READ, WRITE, act, add_device, devices_of, offline_read, poll_device
from .emulator import Device, Server, Trigger

BUTTON = "button.water_meter_request_reading"

type Lines = Callable[..., Awaitable[list[tuple[str, str]]]]


@pytest.fixture(autouse=True)
def _custom_integration(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """Start the recorder before Home Assistant, as the recorder's fixture requires."""


@pytest.fixture
async def lines(hass: HomeAssistant, account: MockConfigEntry, hass_ws_client: Any) -> Lines:
    """Return a function that returns the name and the sentence of each activity, the oldest first."""
    # The package of the frontend is not installed.
    mock_component(hass, "frontend")
    assert await async_setup_component(hass, "logbook", {})
    await hass.async_block_till_done()
    start = dt_util.utcnow()
    client = await hass_ws_client()

    async def fetch(**filters: Any) -> list[tuple[str, str]]:
        await hass.async_block_till_done()
        await get_instance(hass).async_block_till_done()
        await client.send_json_auto_id(
            {"type": "logbook/get_events", "start_time": start.isoformat(), **filters},
        )
        entries = (await client.receive_json())["result"]
        return [(entry["name"], entry["message"]) for entry in entries if entry.get("domain") == "onenet_nbiot"]

    return fetch


async def sentences(lines: Lines, **filters: Any) -> list[str]:
    """Return the sentences of all activities."""
    return [sentence for _, sentence in await lines(**filters)]


async def test_a_read_is_shown_with_the_value_and_unit_of_its_entity(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, lines: Lines
) -> None:
    """The name is that of the device, and the resources have the names of the entities."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass, **READ)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert await lines() == [
        ("Water meter", "Read of Temperature queued"),
        ("Water meter", "Temperature read: 21.5 °C"),
    ]


async def test_the_activity_is_that_of_the_device_and_of_its_name(
    hass: HomeAssistant, account: MockConfigEntry, lines: Lines
) -> None:
    """The page of a device filters by its id; a renamed device has its new name."""
    await add_device(hass, account, "3303/0/5700")
    device_id = devices_of(account).added[IMEI].device_id
    await offline_read(hass, **READ)
    dr.async_get(hass).async_update_device(device_id, name_by_user="Kitchen")
    assert await lines(device_ids=[device_id]) == [("Kitchen", "Read of Temperature queued")]
    assert await lines(device_ids=["d3f29c71b8e04a6f9a5be8470c1d2f36"]) == []


async def test_the_activity_of_a_device_that_was_not_added_has_its_imei(
    hass: HomeAssistant, account: MockConfigEntry, lines: Lines, onenet: Server
) -> None:
    """The resources have the names of LwM2M where no entity gives one."""
    await offline_read(hass, obj_inst_id=None)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert await lines() == [
        (f"IMEI {IMEI}", "Read of Temperature queued"),
        (f"IMEI {IMEI}", "Read: Temperature 21.5, Temperature Sensor Units Cel"),
    ]


async def test_the_reads_of_a_reading_are_one_line(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, lines: Lines
) -> None:
    """The logbook has the context of the caller for each line."""
    device.resources |= {(3, 0, 9): 80, (3200, 0, 5500): True}
    await add_device(hass, account, "3303/0/5700", "3/0/9", "3200/0/5500")
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True, context=Context())
    assert await sentences(lines) == ["3 reads queued"]
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert sorted((await sentences(lines))[1:]) == [
        "Battery level read: 80%",
        "Digital input read: On",
        "Temperature read: 21.5 °C",
    ]


async def test_a_reading_of_one_resource_is_named(hass: HomeAssistant, account: MockConfigEntry, lines: Lines) -> None:
    """One read is shown with its resource, although the command reads the instance."""
    await add_device(hass, account, "3303/0/5700")
    for _ in range(2):
        await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)
    # The second press finds the read waiting, and queues nothing.
    assert await sentences(lines) == ["Read of Temperature queued"]


async def test_many_values_are_cut(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, lines: Lines
) -> None:
    """A sentence has the first four values, and only the beginning of a long text."""
    device.resources = {(3, 0, 0): "A" * 60} | {(3, 0, number): number for number in (9, 10, 17, 20, 21)}
    await offline_read(hass, obj_id=3, obj_inst_id=0)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    read = (await sentences(lines))[-1]
    assert read.startswith(f"Read: Device Manufacturer {'A' * 50}, Battery level 9, ")
    assert read.endswith(", …")
    assert read.count(", ") == 4


async def test_bytes_are_not_shown_as_a_number(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, lines: Lines
) -> None:
    """They are shown as hex digits."""
    device.resources[3303, 0, 5700] = b"\x21"
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass, **READ)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    assert (await sentences(lines))[-1] == "Temperature read: 0x21"


async def test_writes_and_executes_are_shown_with_their_outcome(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, lines: Lines
) -> None:
    """A failure has its reason; a write has the name of the control, a reboot that of its button."""
    device.executables.add((3, 0, 4))
    device.resources[3306, 0, 5850] = False
    settings: dict[str, Any] = {CONF_CONTROLS: ["3306/0/5850", "3/0/4"], CONF_KIND: "valve"}
    await add_device(hass, account, **settings)
    await act(hass, "offline_write", **WRITE | EXPIRY)
    await act(hass, "offline_execute", **EXECUTE | EXPIRY)
    await act(hass, "offline_write", **WRITE | EXPIRY | {"obj_id": 3342, "values": [{"res_id": 5500, "value": True}]})
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    shown = await sentences(lines)
    assert shown[:3] == ["Write to Valve queued", "Execution of Reboot queued", "Write to Switch queued"]
    assert sorted(shown[3:]) == [
        "Execution of Reboot succeeded",
        "Write to Switch failed: not found",
        "Write to Valve succeeded",
    ]


async def test_a_command_that_ends_without_an_answer_is_shown(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, lines: Lines
) -> None:
    """A command is cancelled, another expires, a third is refused by OneNET."""
    await add_device(hass, account, "3303/0/5700")
    await act(hass, "cancel_command", uuid=(await offline_read(hass, **READ))["uuid"])
    await offline_read(hass, **READ, expires_in={"hours": 1})
    onenet.onenet.clock.offset += timedelta(hours=2)
    await poll_device(account)
    del onenet.onenet.products[0].devices[IMEI]
    with pytest.raises(ServiceValidationError):
        await offline_read(hass, **READ)
    *shown, refused = await sentences(lines)
    assert shown == [
        "Read of Temperature queued",
        "Read of Temperature cancelled",
        "Read of Temperature queued",
        "Read of Temperature expired",
    ]
    assert refused.startswith("Read of Temperature rejected by OneNET: ")
    assert "(errno " in refused


async def test_sentences_are_in_the_language_of_the_system(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, lines: Lines
) -> None:
    """A change of the language also changes the sentences of the past."""
    await add_device(hass, account, "3303/0/5700", "3200/0/5500")
    await offline_read(hass, **READ)
    await offline_read(hass, **READ | {"obj_id": 3200, "res_id": 5500})
    device.resources[3200, 0, 5500] = False
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await poll_device(account)
    await hass.config.async_update(language="zh-Hans")
    shown = await sentences(lines)
    assert shown[0] == "读取温度\uff1a已缓存"
    assert sorted(shown[2:]) == ["已读取数字量输入\uff1a关闭", "已读取温度\uff1a21.5 °C"]


async def test_the_activity_of_an_account_that_is_not_loaded_is_shown(
    hass: HomeAssistant, account: MockConfigEntry, lines: Lines
) -> None:
    """Without the device's entities, the sentences have the names of the resources."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass, **READ)
    assert await hass.config_entries.async_unload(account.entry_id)
    assert await lines() == [("Water meter", "Read of Temperature queued")]
