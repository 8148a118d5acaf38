"""A device on the current platform in a real browser, from the account's list to the result of a read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.emulator import Product, Trigger

from .conftest import ACCESS_KEY, PRODUCT_ID
from .test_browser import browser, take_picture
from .test_devices import House, Person, house_with

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMEI = "866971060000001"
TITLE = "Water meter, cellar"
TEMPERATURE = (3303, 0, 5700)
SECRET = "SECRET-"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with an account on the current platform, where more devices are than a page has."""
    product = Product(key="never-used", id=PRODUCT_ID, access_key=ACCESS_KEY)
    for number in range(150):
        product.add(f"8669710610{number:05}", f"Gas meter {number}")
    product.add(IMEI, TITLE, {TEMPERATURE: 21.5, (3303, 0, 5701): "Cel"}, "meter-cellar")
    typed = {"product_id": PRODUCT_ID, "access_key": ACCESS_KEY, "platform": "current"}
    async with house_with(tmp_path_factory.mktemp("current"), product, typed) as house:
        yield house
        assert house.home_assistant.complaints() == []
        assert SECRET not in house.home_assistant.log()


async def next_event(events: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the next event."""
    data: dict[str, Any] = (await asyncio.wait_for(events.get(), 30))["data"]
    return data


async def test_a_device_is_added_from_the_list_and_read_when_it_wakes(house: House, tmp_path: Path) -> None:
    """The device's page shows presence, value and the waiting command, then the result."""
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    async with browser(home_assistant, tmp_path, "en") as page, home_assistant.events("onenet_nbiot_event") as events:
        person = Person(house, page, "en")
        await person.add_device("cellar", f"{TITLE} ({IMEI})")
        await person.click("Submit")
        device = await home_assistant.device(IMEI)
        assert device["name"] == TITLE
        await person.goto(f"/config/devices/device/{device['id']}")
        await person.sees(
            {"Temperature": "21.5", "Connectivity": "Disconnected", "Waiting commands": person.commands(0)}
        )
        await person.row("Request reading").get_by_text("Press").click()
        queued = await next_event(events)
        assert (queued["type"], queued["imei"], queued["device_id"]) == ("command_queued", IMEI, device["id"])
        assert [command.uuid for command in onenet.commands] == [queued["uuid"]]
        await person.sees({"Waiting commands": person.commands(1)})
        onenet.products[0].devices[IMEI].resources[TEMPERATURE] = 23.4
        onenet.wake(IMEI, Trigger.UPDATE)
        result = await next_event(events)
        assert (result["type"], result["uuid"]) == ("command_succeeded", queued["uuid"])
        assert [value["value"] for value in result["values"] if value["res_id"] == 5700] == [23.4]
        await person.sees({"Temperature": "23.4", "Connectivity": "Connected", "Waiting commands": person.commands(0)})
        await take_picture(page, f"{tmp_path.name}-device")
