"""The README's YAML, as a reader would paste it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import re
from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.onenet_nbiot.onenet import errors

from .conftest import IMEI
from .emulator import Fault, FaultKind, Server, Trigger
from .test_translations import family

# Nobody wants to wait for a test as long as for a device.
README = (Path(__file__).parents[1] / "README.md").read_text().replace('delay: "00:10:00"', "delay: 0.01")


def blocks(kind: str) -> list[Any]:
    """Return the YAML blocks that begin with a comment of this kind."""
    found = [parse_yaml(text) for text in re.findall(rf"```yaml\n# {re.escape(kind)}\n(.*?)```", README, re.DOTALL)]
    assert found
    return found


@pytest.fixture
async def notifications(hass: HomeAssistant, account: MockConfigEntry) -> AsyncIterator[list[Any]]:
    """Load the README's automations and scripts, and return the notifications that they send."""
    automations = [automation for block in blocks("automations.yaml") for automation in block]
    scripts = {name: script for block in blocks("scripts.yaml") for name, script in block.items()}
    assert await async_setup_component(hass, "automation", {"automation": automations})
    assert await async_setup_component(hass, "script", {"script": scripts})
    await hass.async_block_till_done()
    assert len(hass.states.async_entity_ids("automation")) == len(automations)
    yield async_mock_service(hass, "persistent_notification", "create")
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


async def test_the_morning_automation_asks_and_tells(
    hass: HomeAssistant, onenet: Server, notifications: list[Any]
) -> None:
    """A reader's first automation would not work."""
    entity_id = "automation.read_the_water_meter_every_morning"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    assert onenet.onenet.commands[0].uuid in notifications[0].data["message"]


async def test_a_refusal_is_told_by_the_second_automation(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], expected_warnings: list[str]
) -> None:
    """A reader would not hear of a refused command."""
    expected_warnings.append("Read the water meter every morning: Error executing script.")
    expected_warnings.append("Error while executing automation automation.read_the_water_meter_every_morning")
    del onenet.onenet.products[0].devices[IMEI]
    entity_id = "automation.read_the_water_meter_every_morning"
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    assert IMEI in notifications[0].data["title"]
    assert notifications[0].data["message"].startswith("unknown_device: ")


async def test_the_third_automation_reads_waits_and_tells_the_value(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], expected_warnings: list[str]
) -> None:
    """A reader could ask for a value, but never get it, or not after one broken connection."""

    async def looked_up(times: int) -> None:
        while sum("/offline/history/" in request.path for request in onenet.requests) < times:  # noqa: ASYNC110 - it rings no bell
            await asyncio.sleep(0.01)

    entity_id = "automation.read_the_water_meter_and_tell_the_value"
    expected_warnings.append("Read the water meter and tell the value: Repeat at step 2: Error executing script.")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/offline/history/"))
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id})
    await looked_up(3)
    assert not notifications
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    while not notifications:  # noqa: ASYNC110 - nor does the mocked action ring a bell
        await asyncio.sleep(0.01)
    assert notifications[0].data["message"] == "21.5 °C"


async def test_the_dashboards_button_runs_the_script(
    hass: HomeAssistant, onenet: Server, notifications: list[Any], events: list[Event]
) -> None:
    """A reader's button would do nothing, and the documented event be another."""
    domain, service = blocks("dashboard card")[0]["tap_action"]["perform_action"].split(".")
    await hass.services.async_call(domain, service, blocking=True)
    assert len(onenet.onenet.commands) == 1
    documented = blocks("event")[0]
    assert set(events[0].data) == set(documented)
    for name, value in events[0].data.items():
        assert isinstance(documented[name], type(value)), name


def test_every_reason_and_every_event_is_explained() -> None:
    """A reader would meet a word that nobody explains."""
    ledger = (Path(errors.__file__).parents[1] / "ledger.py").read_text()
    events = {f"command_{change}" for change in re.findall(r'_async_say\(\s*"(\w+)"', ledger)}
    assert events == {"command_queued", "command_rejected", "command_cancelled"}
    for word in family(errors.OneNetError) | events:
        assert f"`{word}`" in README
