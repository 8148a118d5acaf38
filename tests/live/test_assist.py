"""A conversation agent of Home Assistant uses the tools, with a model that plays a script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
from typing import Any

from aiohttp import web
import pytest

from tests.emulator import Product

from .conftest import IMEI, KEY
from .home_assistant import SUBENTRY_FLOWS, HomeAssistant, free_port
from .test_devices import house_with

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOK_UP, READINGS = "onenet_nbiot_look_up", "onenet_nbiot_request_readings"
FLOWS = "/api/config/config_entries/flow"


class Model:
    """A language model that calls these tools one after the other, and then says that it is done."""

    def __init__(self, *calls: tuple[str, dict[str, Any]]) -> None:
        """Start with the calls to make, and without requests."""
        self.calls = list(calls)
        self.requests: list[dict[str, Any]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen like a llama.cpp server, and yield the address."""
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}/v1"
        await runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        model = {"id": "scripted", "object": "model", "created": 0, "owned_by": "test"}
        return web.json_response({"object": "list", "data": [model]})

    async def _complete(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("stream"):
            return web.json_response({"error": {"message": "no streaming"}}, status=400)
        message: dict[str, Any] = {"role": "assistant", "content": "Done."}
        if any(tool["function"]["name"].startswith("onenet_nbiot__") for tool in asked.get("tools", ())):
            self.requests.append(asked)
            if self.calls:
                name, args = self.calls.pop(0)
                function = {"name": name, "arguments": json.dumps(args)}
                message["tool_calls"] = [{"id": f"call-{len(self.calls)}", "type": "function", "function": function}]
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice]}
        )

    @property
    def results(self) -> list[dict[str, Any]]:
        """Return what the tools have answered."""
        messages = self.requests[-1]["messages"]
        return [json.loads(message["content"]) for message in messages if message["role"] == "tool"]


async def connect_agent(home_assistant: HomeAssistant, url: str) -> str:
    """Add an agent whose model is at a URL, select both APIs in its dialog, and return its entity id."""
    form = await home_assistant.post(FLOWS, {"handler": "llama_cpp"})
    await home_assistant.post(f"{FLOWS}/{form['flow_id']}", {"base_url": url})
    created = await home_assistant.post(f"{FLOWS}/{form['flow_id']}", {"chat_model": "scripted"})
    entry_id = created["result"]["entry_id"]
    (agent,) = await home_assistant.order("config_entries/subentries/list", entry_id=entry_id)
    handler = {"handler": [entry_id, "conversation"], "subentry_id": agent["subentry_id"]}
    form = await home_assistant.post(SUBENTRY_FLOWS, handler)
    field = next(field for field in form["data_schema"] if field["name"] == "llm_hass_api")
    offered = {option["value"]: option["label"] for option in field["selector"]["select"]["options"]}
    assert offered[LOOK_UP] == "OneNET NB-IoT: look up"
    assert offered[READINGS] == "OneNET NB-IoT: request readings"
    chosen = {"llm_hass_api": [LOOK_UP, READINGS], "chat_model": "scripted", "recommended": True}
    await home_assistant.post(f"{SUBENTRY_FLOWS}/{form['flow_id']}", chosen)
    entities = await home_assistant.order("config/entity_registry/list")
    entity_id: str = next(entity["entity_id"] for entity in entities if entity["config_entry_id"] == entry_id)
    return entity_id


async def test_an_agent_lists_devices_and_requests_a_reading(tmp_path: Path) -> None:
    """The person selects the tools in the dialog of the agent; the model gets names and states, but no IMEI."""
    name = "Water meter"
    product = Product(key=KEY)
    product.add(IMEI, name, {(3303, 0, 5700): 21.5})
    model = Model(
        ("onenet_nbiot__list_devices", {}),
        ("onenet_nbiot__request_reading", {"device": name}),
        ("onenet_nbiot__list_commands", {"device": name}),
    )
    async with house_with(tmp_path, product) as house, model.running() as url:
        home_assistant, onenet = house.home_assistant, house.onenet.onenet
        await home_assistant.add_device(house.account, IMEI)
        # The package that the agent needs is one of the cloud integration, after which this one is set up.
        agent = await connect_agent(home_assistant, url)
        await home_assistant.order("conversation/process", text="Read the silent meters", agent_id=agent)
        assert home_assistant.complaints() == []
    listed, requested, commands = (result["data"] for result in model.results)
    assert [device["name"] for device in listed["devices"]] == [name]
    assert requested == {"values": {}, "queued_reads": 1}
    assert [command["command"] for command in commands["commands"]] == ["read Temperature"]
    (command,) = onenet.commands
    assert command.imei == IMEI
    assert IMEI not in str(model.requests)
    assert command.uuid not in str(model.requests)
