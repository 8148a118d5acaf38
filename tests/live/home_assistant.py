"""A real Home Assistant in its own process: configuration, start, sign-in and calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
import json
from pathlib import Path
import random
import re
import socket
import sys
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

REPOSITORY = Path(__file__).parents[2]
USER = "demo"
PASSWORD = "onenet-demo"
OPTIONS_FLOWS = "/api/config/config_entries/options/flow"
SUBENTRY_FLOWS = "/api/config/config_entries/subentries/flow"

# No default_config: it would bring integrations that need the internet, or programs that are not here.
CONFIGURATION = """\
homeassistant:
  name: Home
  latitude: 31.23
  longitude: 121.47
  elevation: 4
  unit_system: metric
  currency: CNY
  time_zone: Asia/Shanghai
  country: CN
  language: {language}
  internal_url: {url}
  external_url: {url}
logger:
  default: warning
  logs:
    custom_components.onenet_nbiot: debug
"""
# The frontend, and what the tests use.
INTERFACE = """\
api:
config:
diagnostics:
frontend:
history:
logbook:
system_health:
websocket_api:
automation: !include automations.yaml
script: !include scripts.yaml
"""
DASHBOARDS = """\
lovelace:
  dashboards:
    lovelace-meters:
      mode: yaml
      filename: meters.yaml
      title: Meters
"""


def free_port() -> int:
    """Return a free port outside of the range from which the system assigns ports."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311 - not a secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def seed(config: Path, port: int, *, language: str = "en", more: str = INTERFACE) -> None:
    """Write a configuration that starts without internet access and has the integration."""
    storage = config / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    (config / "configuration.yaml").write_text(CONFIGURATION.format(language=language, url=url) + more)
    for name, empty in (("automations.yaml", "[]\n"), ("scripts.yaml", "{}\n")):
        if not (config / name).exists():
            (config / name).write_text(empty)
    # Home Assistant 2026.11 treats an http section in YAML as a trial and restarts after 5 minutes.
    _store(
        storage / "http",
        2,
        2,
        {
            "stable": {
                "server_host": ["127.0.0.1"],
                "server_port": port,
                "cors_allowed_origins": [],
                "login_attempts_threshold": -1,
                "ip_ban_enabled": False,
                "ssl_profile": "modern",
                "use_x_frame_options": True,
                "created_at": "2026-01-01T00:00:00+00:00",
                "error": None,
                "error_message": None,
            },
            "pending": None,
            "yaml_migration_done": True,
        },
    )
    # These steps would set up integrations that need internet access.
    _store(storage / "onboarding", 4, 1, {"done": ["core_config", "analytics", "integration"]})
    integrations = config / "custom_components"
    if not integrations.exists():
        integrations.symlink_to(REPOSITORY / "custom_components")


def _store(path: Path, version: int, minor_version: int, data: dict[str, Any]) -> None:
    """Write a file in the format of Home Assistant's storage."""
    content = {"version": version, "minor_version": minor_version, "key": path.name, "data": data}
    path.write_text(json.dumps(content))


class HomeAssistant:
    """A running Home Assistant."""

    def __init__(self, config: Path, port: int) -> None:
        """Store the configuration; nothing is started yet."""
        self.config = config
        self.url = f"http://127.0.0.1:{port}"
        self._process: asyncio.subprocess.Process | None = None
        self._session = aiohttp.ClientSession()
        self._token = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, config: Path, port: int) -> AsyncIterator[Self]:
        """Start Home Assistant, and stop it when the context ends."""
        home_assistant = cls(config, port)
        try:
            await home_assistant.start()
            yield home_assistant
        finally:
            await home_assistant.stop()
            await home_assistant._session.close()

    async def start(self) -> None:
        """Start, create the user at the first start, and wait until automations are loaded."""
        await self._launch()
        if not self._token:
            await self._sign_in()
        async with asyncio.timeout(60):
            while (await self.get("/api/config"))["state"] != "RUNNING":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def _launch(self) -> None:
        """Start the process and wait until it accepts requests."""
        with (self.config / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "homeassistant",
                "--config",
                str(self.config),
                stdout=output,
                stderr=output,
            )
        async with asyncio.timeout(120):
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"Home Assistant did not start:\n{self.log()}")
                try:
                    async with self._session.get(f"{self.url}/api/onboarding"):
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)

    async def _sign_in(self) -> None:
        """Create the user as the onboarding does, and sign in."""
        client = {"client_id": f"{self.url}/"}
        user = {"name": "Demo", "username": USER, "password": PASSWORD, "language": "en"}
        code = (await self.post("/api/onboarding/users", client | user))["auth_code"]
        token = {"grant_type": "authorization_code", "code": code}
        async with self._session.post(f"{self.url}/auth/token", data=client | token) as response:
            self._token = (await response.json())["access_token"]

    async def wait(self) -> None:
        """Wait until the process ends."""
        if self._process:
            await self._process.wait()

    async def stop(self) -> None:
        """Stop the process; kill it after 30 seconds."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                await self.kill()

    async def kill(self) -> None:
        """Kill the process."""
        if self._process:
            self._process.kill()
            await self._process.wait()

    def log(self) -> str:
        """Return the log so far."""
        return (self.config / "output.log").read_text()

    def complaints(self) -> list[str]:
        """Return the integration's warnings and errors in the log."""
        problem = re.compile(r" (WARNING|ERROR|CRITICAL) .*onenet_nbiot")
        # A change of the language logs the second for every custom integration.
        expected = ("which has not been tested by Home Assistant", "Failed to load integration for translation")
        return [
            line
            for line in self.log().splitlines()
            if problem.search(line) and not any(text in line for text in expected)
        ]

    async def get(self, path: str) -> Any:
        """Send a GET request to the REST API."""
        return await self._request("GET", path)

    async def post(self, path: str, data: Any) -> Any:
        """Send a POST request to the REST API."""
        return await self._request("POST", path, data)

    async def delete(self, path: str) -> Any:
        """Send a DELETE request to the REST API."""
        return await self._request("DELETE", path)

    async def _request(self, method: str, path: str, data: Any = None) -> Any:
        """Send a request to the REST API."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(method, f"{self.url}{path}", json=data, headers=headers) as response:
            text = await response.text()
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise RuntimeError(f"{path}: {response.status} {text}")
            return json.loads(text)

    async def call(self, action: str, data: dict[str, Any]) -> dict[str, Any]:
        """Call an action and return its response."""
        path = f"/api/services/{action.replace('.', '/')}?return_response"
        response: dict[str, Any] = (await self.post(path, data))["service_response"]
        return response

    async def connect_account(self, typed: dict[str, str], url: str) -> dict[str, Any]:
        """Connect an account on a custom server through the config flow, and return the result."""
        flows = "/api/config/config_entries/flow"
        flow = f"{flows}/{(await self.post(flows, {'handler': 'onenet_nbiot'}))['flow_id']}"
        await self.post(flow, {"next_step_id": "api_key" if "api_key" in typed else "access_key"})
        result: dict[str, Any] = await self.post(flow, {**typed, "server": {"region": "custom", "url": url}})
        return result

    async def add_device(
        self, account: dict[str, Any], imei: str, resources: list[str] | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Add a device by its IMEI, with these resources or the suggested ones, and return it."""
        flow = await self.post(SUBENTRY_FLOWS, {"handler": [account["entry_id"], "device"]})
        url = f"{SUBENTRY_FLOWS}/{flow['flow_id']}"
        form = await self.post(url, {"imei": imei})
        if resources is None:
            field = form["data_schema"][0]
            resources = field["description"]["suggested_value"]
        await self.post(url, {"resources": resources} | settings)
        return await self.device(imei)

    async def device(self, imei: str) -> dict[str, Any]:
        """Wait for a device in Home Assistant's registry, and return it."""
        async with asyncio.timeout(20):
            while True:
                for device in await self.order("config/device_registry/list"):
                    if device["serial_number"] == imei:
                        found: dict[str, Any] = device
                        return found
                await asyncio.sleep(0.1)

    async def until(self, entity_id: str, state: str) -> dict[str, Any]:
        """Wait until an entity has a state, and return it with its attributes."""
        async with asyncio.timeout(60):
            while True:
                with suppress(RuntimeError):
                    found: dict[str, Any] = await self.get(f"/api/states/{entity_id}")
                    if found["state"] == state:
                        return found
                await asyncio.sleep(0.1)

    async def turn_on_push(self, account: dict[str, Any], interval: int, **fields: str) -> str:
        """Turn the push of an account on, with this token or key and polling interval, and return its URL."""
        flow = await self.post(OPTIONS_FLOWS, {"handler": account["entry_id"]})
        url = f"{OPTIONS_FLOWS}/{flow['flow_id']}"
        form = await self.post(url, {"interval": interval, "push": True})
        # An address without HTTPS.
        assert form["step_id"] == "push_not_public"
        menu = await self.post(url, fields)
        await self.post(url, {"next_step_id": "finish"})
        shown = str(menu["description_placeholders"]["url"])
        return self.url + urlsplit(shown).path

    async def set_interval(self, account: dict[str, Any], seconds: int) -> None:
        """Set the polling interval in an account's options, and wait until the account is reloaded."""
        flow = await self.post(OPTIONS_FLOWS, {"handler": account["entry_id"]})
        await self.post(f"{OPTIONS_FLOWS}/{flow['flow_id']}", {"interval": seconds})
        await self._loaded(account)

    async def set_language(self, account: dict[str, Any], language: str) -> None:
        """Set Home Assistant's language, and reload the account for its entities' names."""
        await self.order("config/core/update", language=language)
        await self.post(f"/api/config/config_entries/entry/{account['entry_id']}/reload", {})
        await self._loaded(account)

    async def _loaded(self, account: dict[str, Any]) -> None:
        """Wait until an account is loaded."""
        async with asyncio.timeout(60):
            while (await self._entry(account["entry_id"]))["state"] != "loaded":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def _entry(self, entry_id: str) -> dict[str, Any]:
        """Return a config entry."""
        entries: list[dict[str, Any]] = await self.get("/api/config/config_entries/entry")
        return next(entry for entry in entries if entry["entry_id"] == entry_id)

    @asynccontextmanager
    async def events(self, event_type: str) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """Subscribe to events over the websocket, and return the queue that receives them."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        async with self._websocket() as socket_:
            await _order(socket_, "subscribe_events", {"event_type": event_type})

            async def receive() -> None:
                async for message in socket_:
                    await queue.put(message.json()["event"])

            receiver = asyncio.create_task(receive())
            try:
                yield queue
            finally:
                receiver.cancel()

    async def system_health(self) -> dict[str, Any]:
        """Return the integration's information in the system health, after all checks have ended."""
        async with self._websocket() as socket_:
            await _order(socket_, "system_health/info", {})
            found: dict[str, Any] = {}
            async for message in socket_:
                match message.json()["event"]:
                    case {"type": "initial", "data": data}:
                        found = data["onenet_nbiot"]["info"]
                    case {"type": "update", "domain": "onenet_nbiot", "key": key, "data": value}:
                        found[key] = value
                    case {"type": "finish"}:
                        break
            return found

    async def order(self, type_: str, **data: Any) -> Any:
        """Send a command over a websocket of its own, and return its result."""
        async with self._websocket() as socket_:
            return await _order(socket_, type_, data)

    @asynccontextmanager
    async def _websocket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a websocket and authenticate."""
        async with self._session.ws_connect(f"{self.url}/api/websocket") as socket_:
            await socket_.receive_json()
            await socket_.send_json({"type": "auth", "access_token": self._token})
            assert (await socket_.receive_json())["type"] == "auth_ok"
            yield socket_


async def _order(socket_: aiohttp.ClientWebSocketResponse, type_: str, data: dict[str, Any]) -> Any:
    """Send the first command over a websocket, and return its result."""
    await socket_.send_json({"id": 1, "type": type_, **data})
    reply = await socket_.receive_json()
    if not reply["success"]:
        raise RuntimeError(f"{type_}: {reply['error']}")
    return reply["result"]
