"""A start of Home Assistant with the files that the version before wrote."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.emulator import BEIJING, OneNet, Product, Server, Trigger

from .earlier_version import (
    DEVICES,
    DOMAIN,
    ENTITIES,
    ENTRIES,
    RENAMED,
    RENAMED_NAME,
    SHOWN,
    products,
    read_commands,
    read_file,
    restore_files,
)
from .home_assistant import HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEMPERATURE = (3303, 0, 5700)
# Sensors of the devices with a waiting command.
SENSORS = {"866971070000001": RENAMED, "866971070000003": "sensor.gas_meter_temperature"}


@dataclass(kw_only=True)
class House:
    """A Home Assistant with accounts on an emulated OneNET, and the rows of its commands before the start."""

    home_assistant: HomeAssistant
    onenet: OneNet
    commands: list[dict[str, Any]]

    def in_state(self, state: str) -> list[dict[str, Any]]:
        """Return the rows in a state."""
        return [row for row in self.commands if row["state"] == state]

    async def listed(self) -> dict[str, dict[str, Any]]:
        """Return the commands that Home Assistant lists, by UUID."""
        found: dict[str, dict[str, Any]] = {}
        for entry in read_file(ENTRIES)["data"]["entries"]:
            account = {"config_entry_id": entry["entry_id"]}
            response = await self.home_assistant.call("onenet_nbiot.list_commands", account)
            found |= {command["uuid"]: command for command in response["commands"]}
        return found


def requeue(onenet: OneNet, product: Product, row: dict[str, Any]) -> None:
    """Queue the read of a row in the emulator, with its UUID and its times."""
    asked = row["asked"]
    expired_time = datetime.fromisoformat(asked["expired_time"]).astimezone(BEIJING)
    query = {name: str(value) for name, value in asked["operation"].items() if name != "command"}
    command = onenet.queue_read(product, query | {"expired_time": f"{expired_time:%Y-%m-%dT%H:%M:%S}"})
    command.uuid, command.create_time = row["uuid"], datetime.fromisoformat(row["asked_at"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house that was started with the files; OneNET has its waiting commands, but no values."""
    server = await Server(OneNet(*products())).start()
    config = tmp_path_factory.mktemp("earlier_version")
    port = free_port()
    seed(config, port)
    restore_files(config / ".storage", server.url)
    commands = read_commands(config / ".storage")
    for product in server.onenet.products:
        for row in commands:
            if row["state"] == "queued" and row["asked"]["operation"]["imei"] in product.devices:
                requeue(server.onenet, product, row)
    try:
        async with HomeAssistant.running(config, port) as home_assistant:
            yield House(home_assistant=home_assistant, onenet=server.onenet, commands=commands)
            assert home_assistant.complaints() == []
    finally:
        await server.stop()


async def test_accounts_are_loaded_with_their_options(house: House) -> None:
    """An account of each platform is loaded and has its interval."""
    expected = {entry["entry_id"]: entry for entry in read_file(ENTRIES)["data"]["entries"]}
    found = await house.home_assistant.get(f"/api/config/config_entries/entry?domain={DOMAIN}")
    assert {entry["entry_id"]: (entry["title"], entry["state"]) for entry in found} == {
        entry_id: (entry["title"], "loaded") for entry_id, entry in expected.items()
    }
    for entry_id, entry in expected.items():
        flow = await house.home_assistant.post("/api/config/config_entries/options/flow", {"handler": entry_id})
        suggested = {field["name"]: field["description"]["suggested_value"] for field in flow["data_schema"]}
        # The version had no push.
        assert suggested == entry["options"] | {"push": False}
        await house.home_assistant.delete(f"/api/config/config_entries/options/flow/{flow['flow_id']}")


async def test_devices_and_entities_keep_their_ids(house: House) -> None:
    """The registries have the same devices and entities, also the entity that a user renamed."""
    devices = await house.home_assistant.order("config/device_registry/list")
    kept = {device["id"]: device["name"] for device in devices}
    expected = {device["id"]: device["name"] for device in read_file(DEVICES)["data"]["devices"]}
    assert expected.items() <= kept.items()
    entities = await house.home_assistant.order("config/entity_registry/list")
    found = {entity["unique_id"]: entity["entity_id"] for entity in entities if entity["platform"] == DOMAIN}
    before = {entity["unique_id"]: entity["entity_id"] for entity in read_file(ENTITIES)["data"]["entities"]}
    # Later versions may add entities.
    assert before.items() <= found.items()
    renamed = await house.home_assistant.get(f"/api/states/{RENAMED}")
    assert renamed["attributes"]["friendly_name"] == f"Water meter {RENAMED_NAME}"


async def test_states_are_restored(house: House) -> None:
    """State, unit, name and measuring time are those before the start, since OneNET has no values yet."""
    states = {state["entity_id"]: state for state in await house.home_assistant.get("/api/states")}
    for expected in read_file(SHOWN):
        found = states[expected["entity_id"]]
        assert found["state"] == expected["state"]
        assert expected["attributes"].items() <= found["attributes"].items()
    assert states[RENAMED]["attributes"]["measured_at"]


async def test_finished_commands_are_listed_with_their_values(house: House) -> None:
    """OneNET does not have them any more."""
    listed = await house.listed()
    rows = house.in_state("succeeded")
    assert len(rows) == len(SENSORS)
    for row in rows:
        found = listed[row["uuid"]]
        assert (found["state"], found["values"]) == ("succeeded", row["values"])


async def test_waiting_commands_succeed_when_their_devices_wake(house: House) -> None:
    """They are listed as queued; then their events have the values, which the entities show."""
    home_assistant = house.home_assistant
    rows = house.in_state("queued")
    assert [(await house.listed())[row["uuid"]]["state"] for row in rows] == ["queued"] * len(SENSORS)
    async with home_assistant.events("onenet_nbiot_event") as events:
        for product in house.onenet.products:
            for imei in SENSORS.keys() & product.devices.keys():
                product.devices[imei].resources[TEMPERATURE] = 24.5
                house.onenet.wake(imei, Trigger.UPDATE)
        received = [(await asyncio.wait_for(events.get(), 60))["data"] for _ in rows]
    assert {(event["uuid"], event["type"]) for event in received} == {
        (row["uuid"], "command_succeeded") for row in rows
    }
    assert [[value["value"] for value in event["values"]] for event in received] == [[24.5]] * len(rows)
    for sensor in SENSORS.values():
        await home_assistant.until(sensor, "24.5")
    assert {command["state"] for command in (await house.listed()).values()} == {"succeeded"}
