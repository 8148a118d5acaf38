"""Blueprints are imported by their address into a real Home Assistant, and run there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
import pytest
import pytest_asyncio

from tests.emulator import Trigger

from .home_assistant import REPOSITORY
from .test_devices import METER, House, house_with, product

pytestmark = pytest.mark.asyncio(loop_scope="session")

BLUEPRINTS = REPOSITORY / "blueprints"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with a device."""
    async with house_with(tmp_path_factory.mktemp("blueprints"), product()) as house:
        await house.home_assistant.add_device(house.account, METER)
        yield house
        assert house.home_assistant.complaints() == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address() -> AsyncIterator[str]:
    """Return the address of a server that has the blueprints."""
    app = web.Application()
    app.router.add_static("/", BLUEPRINTS)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def import_blueprint(house: House, address: str, path: str) -> str:
    """Import a blueprint by its address as the dialog does, and return its path in Home Assistant."""
    domain, url = path.partition("/")[0], f"{address}/{path}"
    found = await house.home_assistant.order("blueprint/import", url=url)
    assert found["validation_errors"] is None
    assert found["blueprint"]["metadata"]["source_url"] == url
    saved = f"{found['suggested_filename']}.yaml"
    data = {"domain": domain, "path": saved, "yaml": found["raw_data"], "source_url": url}
    await house.home_assistant.order("blueprint/save", **data, allow_override=True)
    listed = await house.home_assistant.order("blueprint/list", domain=domain)
    assert listed[saved]["metadata"]["name"] == found["blueprint"]["metadata"]["name"]
    return saved


async def use(house: House, address: str, path: str, **inputs: Any) -> None:
    """Import a blueprint, and make an automation or a script with its inputs as the editor does."""
    domain = path.partition("/")[0]
    blueprint = {"path": await import_blueprint(house, address, path), "input": inputs}
    config = {"alias": "Made", "use_blueprint": blueprint}
    await house.home_assistant.post(f"/api/config/{domain}/config/made", config)
    # A script has the time at which it last ran, an automation that it is on.
    await house.home_assistant.until(f"{domain}.made", "on" if domain == "automation" else "off")


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(BLUEPRINTS).as_posix() for path in BLUEPRINTS.glob("*/*/*.yaml"))
)
async def test_a_blueprint_is_imported_by_its_address(house: House, address: str, path: str) -> None:
    """Home Assistant accepts it and lists it with its name."""
    await import_blueprint(house, address, path)


async def test_a_script_reads_a_resource_and_waits(house: House, address: str) -> None:
    """The response of the script has the value when the device has answered."""
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    await use(house, address, "script/onenet_nbiot/read_and_wait.yaml")
    meter = await home_assistant.device(METER)
    fields = {"device_id": meter["id"], "obj_id": 3303, "res_id": 5700}
    async with home_assistant.events("onenet_nbiot_event") as events:
        running = asyncio.create_task(home_assistant.call("script.made", fields))
        assert (await asyncio.wait_for(events.get(), 30))["data"]["type"] == "command_queued"
        onenet.wake(METER, Trigger.UPDATE)
        onenet.sleep(METER)
        response = await asyncio.wait_for(running, 60)
    assert (response["state"], response["value"]) == ("succeeded", 21.5)


async def test_an_automation_tells_that_a_command_failed(house: House, address: str) -> None:
    """The notification is shown in Home Assistant by default; the device is selected by its area."""
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    area = (await home_assistant.order("config/area_registry/create", name="Street"))["area_id"]
    device_id = (await home_assistant.device(METER))["id"]
    await home_assistant.order("config/device_registry/update", device_id=device_id, area_id=area)
    await use(house, address, "automation/onenet_nbiot/command_failed.yaml", devices={"area_id": area})
    read = {"imei": METER, "obj_id": 3303, "obj_inst_id": 5, "res_id": 5700, "expires_in": "01:00:00"}
    await home_assistant.call("onenet_nbiot.offline_read", read)
    onenet.wake(METER, Trigger.UPDATE)
    onenet.sleep(METER)
    shown: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not shown:
            await asyncio.sleep(0.5)
            listed = await home_assistant.order("persistent_notification/get")
            shown = [notification for notification in listed if notification["title"] == "Water meter, kitchen"]
    assert shown[0]["message"].startswith("The read of 3303/5/5700 failed: ")


async def test_an_automation_for_all_overdue_devices_is_set_up(house: House, address: str) -> None:
    """The form may be left empty."""
    await use(house, address, "automation/onenet_nbiot/device_overdue.yaml")
