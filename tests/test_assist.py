"""Tools for conversation agents: what they answer, to whom, and what they never tell."""

from datetime import timedelta
from typing import Any

from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import __version__
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, llm
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot.const import DOMAIN

from .common import (
    EVERY_PLATFORM,
    IMEI,
    OTHER_IMEI,
    act,
    add_device,
    devices_of,
    offline_read,
    pass_time,
    poll_device,
    queue_requests,
    refresh,
    run_with,
)
from .emulator import Device, Server, Trigger

variant = run_with(EVERY_PLATFORM)

LOOK_UP = "onenet_nbiot_look_up"
READINGS = "onenet_nbiot_request_readings"
TEMPERATURE = "sensor.water_meter_temperature"
WEEKS: dict[str, Any] = {"expires_in": {"weeks": 4}}
UNKNOWN_NAME = "No device with this name is exposed to this assistant."


@pytest.fixture(autouse=True)
async def _exposed_entities(hass: HomeAssistant) -> None:
    """Set up the part of Home Assistant that knows which entities are exposed."""
    assert await async_setup_component(hass, "homeassistant", {})


@pytest.fixture
async def meter(hass: HomeAssistant, account: MockConfigEntry, _exposed_entities: None) -> str:
    """Return the id of a device that was added with its temperature, which is exposed by default."""
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    await hass.async_block_till_done()
    return devices_of(account).added[IMEI].device_id


async def instance(hass: HomeAssistant, *apis: str, assistant: str = "conversation") -> llm.APIInstance:
    """Return the instance of APIs that an agent gets."""
    context = llm.LLMContext(
        platform="test", context=Context(id="of-the-user"), language="en", assistant=assistant, device_id=None
    )
    return await llm.async_get_api(hass, list(apis), context)


async def call(
    hass: HomeAssistant, tool: str, api: str = LOOK_UP, assistant: str = "conversation", **fields: Any
) -> dict[str, Any]:
    """Call a tool as an agent does, and return the result."""
    agent = await instance(hass, api, assistant=assistant)
    (found,) = [one for one in agent.tools if one.name == f"{DOMAIN}__{tool}"]
    tool_input = llm.ToolInput(tool_name=found.name, tool_args=fields)
    result: Any = await found.async_call(hass, tool_input, agent.llm_context)
    if __version__.startswith("2026.8"):
        return dict(result)
    assert result.error is ("error" in result.data)
    return dict(result.data)


async def report(account: MockConfigEntry, onenet: Server, imei: str) -> None:
    """Report the values of a device, and poll the account."""
    await pass_time(account, onenet, timedelta(minutes=2))
    onenet.onenet.report(imei)
    await refresh(account)


def expose(hass: HomeAssistant, entity_id: str, *, exposed: bool) -> None:
    """Expose an entity to Assist, or hide it."""
    async_expose_entity(hass, "conversation", entity_id, exposed)


async def test_the_apis_are_offered_once_and_survive_a_reload(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The APIs are offered once and survive a reload."""

    def offered() -> dict[str, str]:
        return {api.id: api.name for api in llm.async_get_apis(hass) if api.id.startswith(DOMAIN)}

    names = {LOOK_UP: "OneNET NB-IoT: look up", READINGS: "OneNET NB-IoT: request readings"}
    assert offered() == names
    assert await hass.config_entries.async_reload(account.entry_id)
    assert offered() == names


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("zh-Hans", ["OneNET NB-IoT\uff1a查询", "OneNET NB-IoT\uff1a请求读取"]),
        ("de", ["OneNET NB-IoT: look up", "OneNET NB-IoT: request readings"]),
    ],
)
async def test_the_names_are_in_the_language_of_home_assistant(
    hass: HomeAssistant, entry: MockConfigEntry, language: str, names: list[str]
) -> None:
    """The names are in the language of Home Assistant."""
    hass.config.language = language
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert [api.name for api in llm.async_get_apis(hass) if api.id.startswith(DOMAIN)] == names
    # Agents limit the length of a tool's name, which older versions of Home Assistant extend.
    tools = (await instance(hass, LOOK_UP, READINGS)).tools
    assert [tool.name for tool in tools if len(tool.name) > 64] == []


@pytest.mark.parametrize(
    ("api", "tools"), [(LOOK_UP, ["list_devices", "list_commands"]), (READINGS, ["request_reading"])]
)
async def test_only_the_second_api_can_request_readings(
    hass: HomeAssistant, account: MockConfigEntry, api: str, tools: list[str]
) -> None:
    """Only the second API can request readings."""
    agent = await instance(hass, api)
    assert [tool.name for tool in agent.tools] == [f"{DOMAIN}__{name}" for name in tools]
    assert "OneNET" in agent.api_prompt
    for tool in agent.tools:
        assert tool.description
        if not __version__.startswith("2026.8"):
            assert tool.annotations.read_only is (api == LOOK_UP)
            assert not tool.annotations.destructive


async def test_devices_are_listed_with_what_is_known_of_them(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """Devices are listed with what is known of them."""
    area = ar.async_get(hass).async_create("Cellar")
    dr.async_get(hass).async_update_device(meter, area_id=area.id)
    await report(account, onenet, IMEI)
    await offline_read(hass, **WEEKS)
    await pass_time(account, onenet, timedelta(days=3, hours=2, seconds=30))
    found = await call(hass, "list_devices")
    (listed,) = found["devices"]
    assert listed.pop("silent_for").startswith("3 days, 2:0")
    assert listed.pop("last_seen").startswith("20")
    assert listed == {
        "name": "Water meter",
        "area": "Cellar",
        "connected": False,
        "overdue": None,
        "waiting_commands": 1,
    }
    assert found == {"total": 1, "devices": [listed]}


async def test_overdue_devices_are_listed_first_or_alone(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """Overdue devices are listed first or alone."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 4.5})
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Gas meter", overdue_after=3600)
    await report(account, onenet, IMEI)
    await report(account, onenet, OTHER_IMEI)
    assert [device["overdue"] for device in (await call(hass, "list_devices"))["devices"]] == [None, False]
    await pass_time(account, onenet, timedelta(hours=2))
    await refresh(account)
    listed = (await call(hass, "list_devices"))["devices"]
    assert [(device["name"], device["overdue"]) for device in listed] == [("Gas meter", True), ("Water meter", None)]
    found = await call(hass, "list_devices", only_overdue=True)
    assert (found["total"], [device["name"] for device in found["devices"]]) == (1, ["Gas meter"])


async def test_a_device_without_an_exposed_entity_is_not_listed_or_read(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """A device without an exposed entity is not listed or read."""
    await offline_read(hass)
    expose(hass, TEMPERATURE, exposed=False)
    queued = queue_requests(onenet)
    assert await call(hass, "list_devices") == {"total": 0, "devices": []}
    assert await call(hass, "list_commands", state="all") == {"total": 0, "commands": []}
    assert await call(hass, "request_reading", READINGS, device="Water meter") == {"error": UNKNOWN_NAME}
    assert queue_requests(onenet) == queued


async def test_exposure_is_that_of_the_assistant_that_asks(
    hass: HomeAssistant, account: MockConfigEntry, meter: str
) -> None:
    """Exposure is that of the assistant that asks."""
    for assistant, total in (("conversation", 1), ("another", 0), ("", 0)):
        assert (await call(hass, "list_devices", assistant=assistant))["total"] == total


async def test_an_exposed_entity_without_a_resource_shows_the_device_but_allows_no_reading(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """An exposed entity without a resource shows the device but allows no reading."""
    expose(hass, TEMPERATURE, exposed=False)
    expose(hass, "binary_sensor.water_meter_connectivity", exposed=True)
    assert (await call(hass, "list_devices"))["total"] == 1
    assert await call(hass, "request_reading", READINGS, device="Water meter") == {
        "error": "No resource of this device is exposed to this assistant."
    }
    assert queue_requests(onenet) == 0


async def test_a_reading_of_a_sleeping_device_is_queued_once_in_the_name_of_the_user(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, events: list[Event]
) -> None:
    """A reading of a sleeping device is queued once in the name of the user."""
    for _ in range(2):
        assert await call(hass, "request_reading", READINGS, device=" water METER") == {"values": {}, "queued_reads": 1}
    assert queue_requests(onenet) == 1
    assert [event.context.id for event in events] == ["of-the-user"]


async def test_a_reading_of_an_awake_device_returns_only_exposed_values_with_units(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """A reading of an awake device returns only exposed values with units."""
    device.resources |= {(3303, 0, 5601): 3.5}
    await add_device(hass, account, "3303/0/5700", "3303/0/5601")
    expose(hass, TEMPERATURE, exposed=True)
    expose(hass, "sensor.water_meter_temperature_min_measured_value", exposed=False)
    device.resources[3303, 0, 5700] = 23.5
    device.online = devices_of(account).added[IMEI].online = True
    assert await call(hass, "request_reading", READINGS, device="Water meter") == {
        "values": {"Temperature": "23.5 °C"},
        "queued_reads": 0,
    }


async def test_a_reading_that_onenet_refuses_returns_the_key_of_the_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """A reading that OneNET refuses returns the key of the error."""
    del onenet.onenet.products[0].devices[IMEI]
    assert await call(hass, "request_reading", READINGS, device="Water meter") == {"error": "unknown_device"}


async def test_two_devices_of_the_same_name_are_not_confused(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """Two devices of the same name are not confused."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Water meter", {(3303, 0, 5700): 4.5})
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI)
    assert await call(hass, "request_reading", READINGS, device="Water meter") == {
        "error": "Several devices have this name. The user can rename them in Home Assistant."
    }
    assert queue_requests(onenet) == 0


async def test_commands_are_listed_with_their_age_and_the_reason(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device, meter: str
) -> None:
    """Commands are listed with their age and the reason."""
    await act(
        hass,
        "offline_write",
        imei=IMEI,
        obj_id=3311,
        obj_inst_id=0,
        values=[{"res_id": 5850, "value": True}],
        **WEEKS,
    )
    onenet.onenet.clock.offset += timedelta(seconds=1)
    await offline_read(hass, obj_inst_id=0, res_id=5700, **WEEKS)
    await pass_time(account, onenet, timedelta(days=1, seconds=30))
    waiting = await call(hass, "list_commands")
    assert [command["command"] for command in waiting["commands"]] == ["read Temperature", "write Light Control"]
    assert all(command["waiting_for"].startswith("1 day, 0:0") for command in waiting["commands"])
    assert waiting["commands"][0].keys() == {"device", "command", "state", "queued_at", "expires_at", "waiting_for"}
    del device.resources[3303, 0, 5700]
    onenet.onenet.wake(IMEI, Trigger.REGISTER)
    await poll_device(account)
    failed = (await call(hass, "list_commands", device="Water meter", state="failed"))["commands"]
    assert {(command["state"], command["reason"]) for command in failed} == {("failed", "not_found")}
    assert all("finished_at" in command and "waiting_for" not in command for command in failed)


async def test_nothing_that_identifies_a_device_reaches_the_model(
    hass: HomeAssistant, account: MockConfigEntry, meter: str
) -> None:
    """Nothing that identifies a device reaches the model."""
    # A device without a title at OneNET has its IMEI as its title.
    dr.async_get(hass).async_update_device(meter, name_by_user=IMEI)
    uuid = (await offline_read(hass))["uuid"]
    answers = [
        await call(hass, "list_devices"),
        await call(hass, "list_commands"),
        await call(hass, "request_reading", READINGS, device=f"…{IMEI[-4:]}"),
    ]
    assert answers[0]["devices"][0]["name"] == f"…{IMEI[-4:]}"
    assert not [answer for answer in answers if IMEI in str(answer) or uuid in str(answer)]
    assert answers[2]["queued_reads"] == 1


async def test_at_most_fifty_commands_are_listed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str
) -> None:
    """At most fifty commands are listed."""
    for _ in range(51):
        uuid = (await offline_read(hass))["uuid"]
        await act(hass, "cancel_command", uuid=uuid)
    found = await call(hass, "list_commands", state="all")
    assert (found["total"], len(found["commands"])) == (51, 50)


async def test_an_account_that_is_not_loaded_or_reachable_is_noted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, meter: str, expected_warnings: list[str]
) -> None:
    """An account that is not loaded or reachable is noted."""
    expected_warnings += ["Error fetching OneNET data", "Error requesting"]
    assert "note" not in await call(hass, "list_devices")
    await onenet.stop()
    await refresh(account)
    assert "OneNET cannot be reached" in (await call(hass, "list_devices"))["note"]
    assert await hass.config_entries.async_unload(account.entry_id)
    found = await call(hass, "list_devices")
    assert (found["total"], "note" in found) == (0, True)


async def test_an_invalid_argument_is_refused(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """An invalid argument is refused."""
    with pytest.raises(vol.Invalid):
        await call(hass, "list_commands", state="sleeping")
