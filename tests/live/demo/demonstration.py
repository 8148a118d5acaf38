"""Set up the demonstration: a Home Assistant with an account, simulated devices, their past and a dashboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import tempfile
from typing import Any

from tests.emulator import Generation, OneNet, Product, Push, Server, Trigger
from tests.live.home_assistant import INTERFACE, HomeAssistant, free_port, seed

from . import dashboard
from .devices import DEVICES, METER, VOLUME, SimulatedDevice
from .history import humidity, mean_statistics, temperature, water_statistics

KEY = "demo-master-key"
ACCOUNTS = {
    "legacy": {"api_key": KEY},
    "current": {"product_id": Product.id, "access_key": Product.access_key, "platform": "current"},
}
_GENERATIONS = {"legacy": Generation.LEGACY, "current": Generation.CURRENT}
_PUSH_TOKEN = "token-of-the-demo"
# The account is polled as well, because the open platform does not push results.
_INTERVAL = 10


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """A running demonstration, with the device ids of Home Assistant by IMEI."""

    home_assistant: HomeAssistant
    onenet: OneNet
    device_ids: dict[str, str]

    def wake(self, device: SimulatedDevice) -> tuple[str, int]:
        """Let a device wake, measure, report and take its commands; return what it measured and how many it took."""
        report = device.measure(self.onenet.products[0].devices[device.imei].resources)
        return report, len(self.onenet.wake(device.imei, Trigger.NOTIFY))

    def sleep(self, device: SimulatedDevice) -> None:
        """Let a device sleep."""
        self.onenet.sleep(device.imei)


@asynccontextmanager
async def running(platform: str, port: int = 0, language: str = "en") -> AsyncIterator[Demonstration]:
    """Start everything in a temporary directory; stop and remove it at the end."""
    product = Product(key=KEY)
    for device in DEVICES:
        product.add(device.imei, device.title, device.resources)
    server = await Server(OneNet(product)).start()
    for device in DEVICES:
        server.onenet.report(device.imei, at=server.onenet.clock.now() - device.silence)
    port = port or free_port()
    try:
        with tempfile.TemporaryDirectory(prefix="onenet-demo-") as directory:
            (Path(directory) / "scripts.yaml").write_text(dashboard.SCRIPTS)
            seed(Path(directory), port, language=language, more=INTERFACE + "energy:\n")
            async with HomeAssistant.running(Path(directory), port) as home_assistant:
                device_ids = await _set_up(home_assistant, server, platform)
                yield Demonstration(home_assistant=home_assistant, onenet=server.onenet, device_ids=device_ids)
    finally:
        await server.stop()


async def _set_up(home_assistant: HomeAssistant, server: Server, platform: str) -> dict[str, str]:
    """Connect the account with its devices, fill in the past, and make the dashboard; return the device ids."""
    account = (await home_assistant.connect_account(ACCOUNTS[platform], server.url))["result"]
    device_ids = {}
    for device in DEVICES:
        added = await home_assistant.add_device(account, device.imei, controls=list(device.controls))
        device_ids[device.imei] = added["id"]
    # This reloads the account, which then polls all devices at once.
    url = await home_assistant.turn_on_push(account, _INTERVAL, token=_PUSH_TOKEN)
    server.onenet.push = Push(url, _PUSH_TOKEN, generation=_GENERATIONS[platform], product_id=Product.id)
    await home_assistant.until(dashboard.WATER, str(METER.resources[VOLUME]))
    await _import_past(home_assistant)
    await home_assistant.order(
        "lovelace/dashboards/create", url_path=dashboard.PATH, title="OneNET", icon="mdi:antenna", mode="storage"
    )
    unique_id = f"{account['entry_id']}_waiting_commands"
    entities = await home_assistant.order("config/entity_registry/list")
    (waiting,) = [entity["entity_id"] for entity in entities if entity["unique_id"] == unique_id]
    config = dashboard.dashboard([*device_ids.values()], waiting)
    await home_assistant.order("lovelace/config/save", url_path=dashboard.PATH, config=config)
    return device_ids


async def _import_past(home_assistant: HomeAssistant) -> None:
    """Import the statistics of the past, and select the water in the energy dashboard."""
    now = datetime.now(UTC)
    water = {"statistic_id": dashboard.WATER, "unit_of_measurement": "m³", "unit_class": "volume", "has_sum": True}
    await _import(home_assistant, water, water_statistics(METER.resources[VOLUME], now), mean_type=0)
    for entity_id, unit, unit_class, measure in (
        (dashboard.TEMPERATURE, "°C", "temperature", temperature),
        (dashboard.HUMIDITY, "%", "unitless", humidity),
    ):
        metadata = {"statistic_id": entity_id, "unit_of_measurement": unit, "unit_class": unit_class, "has_sum": False}
        await _import(home_assistant, metadata, mean_statistics(measure, now), mean_type=1)
    source = {"type": "water", "stat_energy_from": dashboard.WATER}
    await home_assistant.order("energy/save_prefs", energy_sources=[source])


async def _import(
    home_assistant: HomeAssistant, metadata: dict[str, Any], stats: list[dict[str, Any]], *, mean_type: int
) -> None:
    """Import statistics of an entity."""
    metadata = metadata | {"source": "recorder", "name": None, "mean_type": mean_type}
    await home_assistant.order("recorder/import_statistics", metadata=metadata, stats=stats)
