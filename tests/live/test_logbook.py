"""The activity of a device in a real browser: sentences in the language of the system."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import expect
import pytest
import pytest_asyncio

from tests.emulator import Trigger

from .test_browser import WAIT, browser, take_picture
from .test_devices import METER, TEMPERATURE, House, Person, house_with, product
from .texts import LANGUAGES, text

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house with a device."""
    async with house_with(tmp_path_factory.mktemp("activity"), product()) as house:
        await house.home_assistant.add_device(house.account, METER)
        yield house
        assert house.home_assistant.complaints() == []


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_the_activity_has_sentences_of_what_the_device_has_sent(
    house: House, tmp_path: Path, locale: str
) -> None:
    """The page of the device and the activity panel show the sentences, the button and who pressed it."""
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    await home_assistant.set_language(house.account, LANGUAGES[locale])
    new = {"en": 23.4, "zh-CN": 25.6}[locale]
    onenet.products[0].devices[METER].resources[TEMPERATURE] = new
    meter = await home_assistant.device(METER)
    start = datetime.now(UTC).isoformat()
    async with browser(home_assistant, tmp_path / "profile", locale) as page:
        person = Person(house, page, locale)
        path = f"/config/devices/device/{meter['id']}"
        await person.goto(path)
        await person.row("Request reading").get_by_text(person.text("Press")).click()
        # The reads of the other language are shown, too.
        await person.sees({"Waiting commands": person.commands(3)})
        queued = text("common.activity_reads_queued", locale).format(count=3)
        await expect(page.get_by_text(queued).first).to_be_visible(timeout=WAIT)
        onenet.wake(METER, Trigger.UPDATE)
        onenet.sleep(METER)
        temperature = text("common.activity_value_read", locale).format(
            resource=person.text("Temperature"), value=f"{new} °C"
        )
        await expect(page.get_by_text(temperature)).to_be_visible(timeout=WAIT)
        await take_picture(page, f"activity-device-{locale}")
        await person.goto("/logbook")
        await expect(page.get_by_text(temperature)).to_be_visible(timeout=WAIT)
        await take_picture(page, f"activity-panel-{locale}")
    own: list[dict[str, Any]] = []
    # The recorder saves every few seconds.
    async with asyncio.timeout(30):
        while len(own) < 4:
            await asyncio.sleep(0.5)
            entries = await home_assistant.order("logbook/get_events", start_time=start, device_ids=[meter["id"]])
            own = [entry for entry in entries if entry.get("domain") == "onenet_nbiot"]
    assert len(own) == 4
    assert {entry["name"] for entry in own} == {meter["name"]}
    # The person who pressed the button is the cause of each line.
    assert len({entry["context_user_id"] for entry in own}) == 1
