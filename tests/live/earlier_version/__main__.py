"""Write the files of this version, for the tests of the next one."""

import asyncio
from pathlib import Path
import tempfile
from typing import Any

from tests.emulator import OneNet, Server, Trigger
from tests.live.home_assistant import HomeAssistant, free_port, seed

from . import ACCESS_KEY, DETECTOR, GAS_METER, KEY, METER, PRODUCT_ID, RENAMED, RENAMED_NAME, products, write_files

INTERVAL = 10


async def furnish(home_assistant: HomeAssistant, onenet: Server) -> None:
    """Add accounts and devices, rename an entity, and queue a read that finishes and one that waits for each meter."""
    current = {"product_id": PRODUCT_ID, "access_key": ACCESS_KEY, "platform": "current"}
    for typed, imeis in (({"api_key": KEY}, (METER, DETECTOR)), (current, (GAS_METER,))):
        account = (await home_assistant.connect_account(typed, onenet.url))["result"]
        await home_assistant.set_interval(account, INTERVAL)
        for imei in imeis:
            await home_assistant.add_device(account, imei)
    await home_assistant.until("sensor.water_meter_temperature", "21.5")
    await home_assistant.until("binary_sensor.detector_presence", "on")
    await home_assistant.until("sensor.gas_meter_temperature", "8.5")
    renamed = {"entity_id": "sensor.water_meter_temperature", "new_entity_id": RENAMED, "name": RENAMED_NAME}
    await home_assistant.order("config/entity_registry/update", **renamed)
    for number, (imei, sensor) in enumerate(((METER, RENAMED), (GAS_METER, "sensor.gas_meter_temperature"))):
        read = {"imei": imei, "obj_id": 3303, "obj_inst_id": 0, "expires_in": {"days": 30}}
        await home_assistant.call("onenet_nbiot.offline_read", read)
        onenet.onenet.products[number].devices[imei].resources[3303, 0, 5700] = 22.75
        onenet.onenet.wake(imei, Trigger.UPDATE)
        await home_assistant.until(sensor, "22.75")
        onenet.onenet.sleep(imei)
        await home_assistant.call("onenet_nbiot.offline_read", read | {"res_id": 5700})
    for meter in ("water_meter", "gas_meter"):
        await home_assistant.until(f"binary_sensor.{meter}_connectivity", "off")


async def main() -> None:
    """Furnish a Home Assistant, stop it, and write its files."""
    onenet = await Server(OneNet(*products())).start()
    onenet.onenet.report_all()
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory)
        seed(config, port)
        async with HomeAssistant.running(config, port) as home_assistant:
            await furnish(home_assistant, onenet)
            shown: list[dict[str, Any]] = await home_assistant.get("/api/states")
            await home_assistant.stop()
            write_files(config / ".storage", onenet.url, shown)
    await onenet.stop()


if __name__ == "__main__":
    asyncio.run(main())
