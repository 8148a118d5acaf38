"""New devices that appear in a real Home Assistant by themselves."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.emulator import Product

from .conftest import IMEI, KEY
from .home_assistant import SUBENTRY_FLOWS
from .test_devices import house_with

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW_IMEI = "866971030000042"
TEMPERATURE = (3303, 0, 5700)


async def test_a_device_that_is_registered_at_onenet_appears_by_itself(tmp_path: Path) -> None:
    """Its value is shown without a reload."""
    product = Product(key=KEY)
    product.add(IMEI, "Water meter", {TEMPERATURE: 21.5})
    async with house_with(tmp_path, product) as house:
        home_assistant, onenet = house.home_assistant, house.onenet.onenet
        await home_assistant.add_device(house.account, IMEI)
        entry_id = house.account["entry_id"]
        (subentry,) = await home_assistant.order("config_entries/subentries/list", entry_id=entry_id)
        handler = {"handler": [entry_id, "device"], "subentry_id": subentry["subentry_id"]}
        form = await home_assistant.post(SUBENTRY_FLOWS, handler)
        product.add(NEW_IMEI, "Water meter, attic", {TEMPERATURE: 4.5}).created = onenet.clock.now() + timedelta(
            seconds=1
        )
        onenet.report(NEW_IMEI)
        chosen = {"resources": ["3303/0/5700"], "kind": "water_meter", "add_new": True}
        await home_assistant.post(f"{SUBENTRY_FLOWS}/{form['flow_id']}", chosen)
        assert (await home_assistant.device(NEW_IMEI))["name"] == "Water meter, attic"
        state = await home_assistant.until("sensor.water_meter_attic_temperature", "4.5")
        assert state["attributes"]["unit_of_measurement"] == "°C"
        assert "Added 1 new devices" in home_assistant.log()
        assert home_assistant.complaints() == []
