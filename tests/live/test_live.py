"""Actions, events, automations and scripts in a real Home Assistant."""

import asyncio
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.emulator import Server, Trigger

from .conftest import IMEI, KEY
from .home_assistant import HomeAssistant

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "expires_in": {"hours": 12}}


async def next_event(events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    """Return the next event."""
    return await asyncio.wait_for(events.get(), 20)


async def test_the_rest_api_answers_with_the_uuid(home_assistant: HomeAssistant, onenet: Server) -> None:
    """The response of the action and its event have the same fields."""
    async with home_assistant.events("onenet_nbiot_event") as events:
        response = await home_assistant.call("onenet_nbiot.offline_read", READ)
        event = await next_event(events)
    assert response["uuid"] == onenet.onenet.commands[0].uuid
    assert event["data"] == {"type": "command_queued", **response}
    assert event["context"]["user_id"]


async def test_the_value_is_in_the_details_after_the_device_has_answered(
    home_assistant: HomeAssistant, onenet: Server
) -> None:
    """State, value and log of a command are available by its UUID."""
    queued = await home_assistant.call("onenet_nbiot.offline_read", READ)
    command = {"imei": IMEI, "uuid": queued["uuid"]}
    assert (await home_assistant.call("onenet_nbiot.get_command", command))["state"] == "queued"
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    found = await home_assistant.call("onenet_nbiot.get_command", command | {"include_log": True})
    assert (found["state"], found["values"][0]["value"], len(found["log"])) == ("succeeded", 21.5, 3)
    listed = await home_assistant.call("onenet_nbiot.list_commands", {"imei": IMEI, "state": ["succeeded"]})
    assert [command["uuid"] for command in listed["commands"]] == [queued["uuid"]]


async def test_the_result_is_fired_as_an_event(home_assistant: HomeAssistant, onenet: Server) -> None:
    """The event, the waiting action and the event entity have the values."""
    async with home_assistant.events("onenet_nbiot_event") as events:
        queued = await home_assistant.call("onenet_nbiot.offline_read", READ)
        fields = {"uuid": queued["uuid"], "timeout": {"seconds": 60}}
        waiting = asyncio.create_task(home_assistant.call("onenet_nbiot.wait_for_command", fields))
        onenet.onenet.wake(IMEI, Trigger.NOTIFY)
        received = [await next_event(events) for _ in range(2)]
    values = [{"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700, "value": 21.5}]
    assert received[1]["data"] == {**queued, "type": "command_succeeded", "values": values}
    assert received[1]["context"]["user_id"] == received[0]["context"]["user_id"]
    waited = await waiting
    assert (waited["uuid"], waited["state"], waited["values"]) == (queued["uuid"], "succeeded", values)
    entity = await home_assistant.get("/api/states/event.onenet_command")
    assert entity["attributes"].items() >= {"event_type": "succeeded", "uuid": queued["uuid"], "values": values}.items()


async def test_a_command_is_addressed_by_its_uuid_and_shown_by_the_entities(home_assistant: HomeAssistant) -> None:
    """The account's entities show the number of waiting commands and the newest state."""

    async def shown() -> tuple[int, str, str]:
        waiting, event = [
            await home_assistant.get(f"/api/states/{entity_id}")
            for entity_id in ("sensor.onenet_waiting_commands", "event.onenet_command")
        ]
        assert waiting["attributes"]["friendly_name"] == "OneNET Waiting commands"
        assert event["attributes"]["friendly_name"] == "OneNET Command"
        return int(waiting["state"]), event["attributes"]["event_type"], event["attributes"]["uuid"]

    queued = await home_assistant.call("onenet_nbiot.offline_read", READ)
    uuid = {"uuid": queued["uuid"]}
    waiting, *last = await shown()
    assert last == ["queued", queued["uuid"]]
    assert (await home_assistant.call("onenet_nbiot.get_command", uuid))["state"] == "queued"
    await home_assistant.call("onenet_nbiot.cancel_command", uuid)
    assert await shown() == (waiting - 1, "cancelled", queued["uuid"])
    assert (await home_assistant.call("onenet_nbiot.get_command", uuid))["state"] == "cancelled"


async def test_waiting_commands_are_cancelled(home_assistant: HomeAssistant, onenet: Server) -> None:
    """One command or all of a device are cancelled, and none is sent."""
    async with home_assistant.events("onenet_nbiot_event") as events:
        queued = [await home_assistant.call("onenet_nbiot.offline_read", READ) for _ in range(2)]
        await home_assistant.call("onenet_nbiot.cancel_command", {"imei": IMEI, "uuid": queued[0]["uuid"]})
        await home_assistant.call("onenet_nbiot.cancel_commands", {"imei": IMEI})
        received = [await next_event(events) for _ in range(4)]
    assert [event["data"]["type"] for event in received[2:]] == ["command_cancelled"] * 2
    assert [event["data"]["uuid"] for event in received[2:]] == [command["uuid"] for command in queued]
    assert onenet.onenet.wake(IMEI, Trigger.REGISTER) == []


async def test_a_wrong_field_is_explained_to_a_caller_of_the_rest_api(home_assistant: HomeAssistant) -> None:
    """The error has the text of the integration."""
    with pytest.raises(RuntimeError, match=r"400.*12 is not an IMEI"):
        await home_assistant.call("onenet_nbiot.offline_read", READ | {"imei": "12"})


async def test_an_automation_queues_and_another_receives_the_event(
    home_assistant: HomeAssistant, onenet: Server
) -> None:
    """Both have the UUID of the command."""
    async with (
        home_assistant.events("read_queued") as responses,
        home_assistant.events("command_repeated") as repetitions,
    ):
        await home_assistant.post("/api/events/read_requested", {})
        response, repetition = await next_event(responses), await next_event(repetitions)
    assert response["data"]["uuid"] == repetition["data"]["uuid"] == onenet.onenet.commands[0].uuid


async def test_a_script_as_a_dashboard_button_runs_it(home_assistant: HomeAssistant, onenet: Server) -> None:
    """The script of a dashboard's button queues a read."""
    async with home_assistant.events("onenet_nbiot_event") as events:
        await home_assistant.post("/api/services/script/read_water_meter", {})
        event = await next_event(events)
    assert event["data"]["uuid"] == onenet.onenet.commands[0].uuid


async def test_the_configuration_check_finds_nothing(home_assistant: HomeAssistant) -> None:
    """check_config prints no problem."""
    check = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "homeassistant", "--script", "check_config", "--config", str(home_assistant.config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    output = check.stdout + check.stderr
    assert not re.search(r"(?i)error|warning|invalid|failed", output), output


async def test_the_log_has_no_problem_and_no_key(home_assistant: HomeAssistant) -> None:
    """Nothing above the level of information is logged, and the key at no level."""
    await home_assistant.call("onenet_nbiot.offline_read", READ)
    log = home_assistant.log()
    assert KEY not in log
    # A test above has a wrong IMEI. Home Assistant's cameras need programs that may not be installed.
    expected = (
        "We found a custom integration onenet_nbiot which has not been tested",
        "12 is not an IMEI",
        "FFmpeg fails [Errno 2] No such file or directory",
        "Error starting FFmpeg",
        "Error loading libturbojpeg",
    )
    problems = [line for line in log.splitlines() if re.search(r" (WARNING|ERROR|CRITICAL) ", line)]
    assert [line for line in problems if not any(text in line for text in expected)] == []
