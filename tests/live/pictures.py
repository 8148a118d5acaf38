"""Take the pictures of the documents: `.venv/live/bin/python -m tests.live.pictures`."""

import asyncio
from datetime import timedelta
from io import BytesIO
from pathlib import Path
import tempfile

from PIL import Image
from playwright.async_api import Locator, Page, expect

from tests.emulator import Product, Trigger

from .conftest import KEY
from .demo import devices as demo
from .demo.dashboard import LIGHT, PATH
from .demo.demonstration import running
from .home_assistant import REPOSITORY
from .test_browser import WAIT, browser
from .test_devices import METER, House, Person, house_with, make_dashboard
from .test_history import METERS, house_after_a_stop
from .texts import LANGUAGES

COVER = "866971050000002"
TITLES = {
    "en": {METER: "Water meter, kitchen", COVER: "Manhole cover, West Street"},
    "zh-CN": {METER: "厨房水表", COVER: "西街井盖"},
}
SUFFIXES = {"en": "", "zh-CN": "-zh"}
DOCS = REPOSITORY / "docs"
SIZE = (1200, 1060)
FORM_SIZE = (968, 2100)
DEMO_SIZE = (1400, 1440)
ENERGY_SIZE = (1200, 900)
SCALE = 1.5
MARGIN = 8


def product(locale: str) -> Product:
    """Return a product with two devices."""
    made = Product(key=KEY)
    made.add(
        METER,
        TITLES[locale][METER],
        {
            (3303, 0, 5700): 8.5,
            (3303, 0, 5701): "Cel",
            (3323, 0, 5700): 3.1,
            (3323, 0, 5701): "bar",
            (3200, 0, 5500): False,
            (3, 0, 0): "ACME",
            (3, 0, 9): 87,
            (4, 0, 2): -94,
        },
    )
    made.add(
        COVER, TITLES[locale][COVER], {(3304, 0, 5700): 81, (3302, 0, 5500): False, (3, 0, 9): 64, (4, 0, 2): -102}
    )
    return made


async def take(person: Person, name: str, *parts: Locator, margin: int = 0) -> None:
    """Take a picture of the area of these parts of a page, in the language of the person."""
    await take_parts(person.page, name + SUFFIXES[person.locale], *parts, margin=margin)


async def take_parts(page: Page, name: str, *parts: Locator, margin: int = 0) -> None:
    """Take a picture of the area of these parts of a page."""
    # Animations end.
    await page.wait_for_timeout(1000)
    boxes = [box for part in parts if (box := await part.bounding_box())]
    left, top = min(box["x"] for box in boxes) - margin, min(box["y"] for box in boxes) - margin
    right = max(box["x"] + box["width"] for box in boxes) + margin
    bottom = max(box["y"] + box["height"] for box in boxes) + margin
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    picture = await page.screenshot(clip=clip)
    Image.open(BytesIO(picture)).convert("RGB").quantize(256).save(DOCS / f"{name}.png", optimize=True)


async def take_all(house: House, person: Person) -> None:
    """Add a device, queue reads and wake it, with a picture of each step."""
    home_assistant, onenet = house.home_assistant, house.onenet.onenet
    title = TITLES[person.locale][METER]
    await home_assistant.add_device(house.account, COVER)
    await person.add_device(title, f"{title} ({METER})")
    chosen = person.page.get_by_role("button", name=f"{person.text('Temperature')} (3303/0/5700)", exact=True)
    await expect(chosen).to_be_visible(timeout=WAIT)
    await take(person, "add-device", person.page.locator("dialog-data-entry-flow dialog"))
    await person.click("Submit")
    meter = await home_assistant.device(METER)
    page = f"/config/devices/device/{meter['id']}"
    await person.goto(page)
    await person.sees({"Temperature": "8.5"})
    await person.row("Request reading").get_by_text(person.text("Press")).click()
    await person.sees({"Temperature": "8.5", "Waiting commands": person.commands(5)})
    await person.goto(page)
    await person.sees({"Temperature": "8.5", "Waiting commands": person.commands(5)})
    cards = await person.page.locator("ha-config-device-page ha-device-entities-card").all()
    first = person.page.locator("ha-config-device-page ha-device-info-card")
    await take(person, "device-page", first, *cards, margin=2 * MARGIN)
    onenet.products[0].devices[METER].resources[3303, 0, 5700] = 9.2
    onenet.wake(METER, Trigger.UPDATE)
    await make_dashboard(house, "water-meters", METER, COVER)
    await person.goto("/water-meters/0")
    await person.sees({"Temperature": "9.2"})
    await take(person, "dashboard", *await person.page.locator("hui-entities-card").all(), margin=MARGIN)


async def take_demo() -> None:
    """Take a picture of the dashboard of the demonstration after a read, while the lamp is to be switched."""
    async with running("legacy") as demonstration:
        home_assistant = demonstration.home_assistant
        with tempfile.TemporaryDirectory() as directory:
            async with browser(home_assistant, Path(directory), "en", size=DEMO_SIZE) as page:
                await page.goto(f"{home_assistant.url}/{PATH}")
                await page.get_by_text("Read the water meter").last.click()
                await home_assistant.until(f"sensor.{demo.METER.slug}_waiting_commands", "1")
                demonstration.wake(demo.METER)
                await home_assistant.until(f"sensor.{demo.METER.slug}_waiting_commands", "0")
                demonstration.sleep(demo.METER)
                await home_assistant.post("/api/services/light/turn_on", {"entity_id": LIGHT})
                await expect(page.locator("hui-entity-badge")).to_contain_text("1", timeout=WAIT)
                await take_parts(page, "demo", page.locator("hui-sections-view"))


async def take_history(locale: str) -> None:
    """Take a picture of yesterday's water, when Home Assistant was stopped."""
    with tempfile.TemporaryDirectory() as directory:
        titles = dict.fromkeys(METERS, TITLES[locale][METER])
        async with house_after_a_stop(Path(directory) / "config", titles) as house:
            home_assistant = house.home_assistant
            yesterday = house.expected(house.stopped_at, house.stopped_at + timedelta(days=1))
            assert await house.litres_once("legacy", yesterday) == yesterday
            source = {"type": "water", "stat_energy_from": house.sensors["legacy"]}
            await home_assistant.order("energy/save_prefs", energy_sources=[source])
            profile = Path(directory) / "profile"
            async with browser(home_assistant, profile, locale, size=ENERGY_SIZE, timezone="Asia/Shanghai") as page:
                await page.goto(f"{home_assistant.url}/energy/water")
                # To the day before.
                await page.locator("hui-energy-period-selector ha-icon-button").first.click()
                card = page.locator("hui-energy-water-graph-card")
                await expect(card).to_contain_text(f"{sum(yesterday.values()) / 1000:.2f} m³", timeout=WAIT)
                await take_parts(page, "energy-history" + SUFFIXES[locale], card)


async def main() -> None:
    """Take all pictures, those of devices in every language."""
    await take_demo()
    for locale, language in LANGUAGES.items():
        await take_history(locale)
        with tempfile.TemporaryDirectory() as directory:
            async with house_with(Path(directory) / "config", product(locale)) as house:
                await house.home_assistant.set_language(house.account, language)
                profile = Path(directory) / "profile"
                async with browser(house.home_assistant, profile, locale, size=SIZE, scale=SCALE) as page:
                    await take_all(house, Person(house, page, locale))
                # In a browser profile that was used before, the frontend of 2026.11 shows keywords instead of options.
                profile = Path(directory) / "new profile"
                async with browser(house.home_assistant, profile, locale, size=FORM_SIZE) as page:
                    person = Person(house, page, locale)
                    await person.queue_read(TITLES[locale][METER])
                    await take(person, "action-panel", *await page.locator("ha-card").all(), margin=MARGIN)


if __name__ == "__main__":
    asyncio.run(main())
