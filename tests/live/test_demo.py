"""The demonstration: what it prints, how it ends, and its dashboard in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
import re
import signal
import socket
import sys
from typing import Any

from playwright.async_api import Page, expect
import pytest

from .demo.dashboard import LIGHT, PATH, TEMPERATURE, WATER
from .demo.demonstration import Demonstration, running
from .demo.devices import LAMP, METER, VOLUME
from .home_assistant import REPOSITORY, free_port
from .test_browser import WAIT, browser

pytestmark = pytest.mark.asyncio(loop_scope="session")

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@asynccontextmanager
async def demo(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program with this directory for temporary files."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.live.demo", *arguments),
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


def files_in(directory: Path) -> list[Path]:
    """Return the files in a directory."""
    return list(directory.iterdir())


async def test_it_reads_once_and_ends(tmp_path: Path) -> None:
    """The screen fits a terminal; the UUID, the events and the result follow; nothing is left."""
    async with asyncio.timeout(60), demo(tmp_path, "--once", "--platform", "current") as process:
        output = (await process.communicate())[0].decode()
    print(output)
    lines = output.splitlines()
    assert process.returncode == 0
    assert max(map(len, lines)) <= 100
    screen = next(number for number, line in enumerate(lines) if re.match(r"\d\d:\d\d:\d\d ", line))
    assert screen <= 24
    assert f"/{PATH}\n" in output
    uuid = re.search(rf"^UUID: ({UUID})$", output, re.MULTILINE)
    assert uuid
    events = re.findall(rf"^[\d:]+  (command_\w+): Water meter read 3424/0/1 {uuid[1]}$", output, re.MULTILINE)
    assert events == ["command_queued", "command_succeeded"]
    result = re.search(r"^RESULT: ([\d.]+) m³$", output, re.MULTILINE)
    assert result
    assert float(result[1]) > METER.resources[VOLUME]
    assert f"{WATER} is {result[1]} m³" in output
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_up_until_it_is_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    """Home Assistant is stopped, and its files are removed."""
    port = free_port()
    async with asyncio.timeout(60), demo(tmp_path, "--port", str(port)) as process:
        assert process.stdout
        while b"Your turn" not in (line := await process.stdout.readline()):
            assert line, "the demonstration has ended"
        process.send_signal(how)
        output = (await process.communicate())[0].decode()
    assert "Traceback" not in output
    assert process.returncode == 0
    assert files_in(tmp_path) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    """Nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with asyncio.timeout(30), demo(tmp_path, "--port", str(port)) as process:
            output = (await process.communicate())[0].decode()
    assert process.returncode == 2
    assert f"port {port} cannot be used" in output
    assert "Starting" not in output


async def changes_of(demonstration: Demonstration, days: int) -> list[float]:
    """Return the consumption of water of each of the past days and of today."""
    start = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    query = {"start_time": start, "statistic_ids": [WATER], "period": "day", "types": ["change"]}
    found: dict[str, Any] = {}
    async with asyncio.timeout(30):
        while WATER not in found:  # The recorder imports in a thread of its own.
            found = await demonstration.home_assistant.order("recorder/statistics_during_period", **query)
    return [row["change"] for row in found[WATER]]


async def see_dashboard(page: Page, demonstration: Demonstration) -> None:
    """Open the dashboard, and wait until it shows values and graphs."""
    await page.goto(f"{demonstration.home_assistant.url}/{PATH}")
    for entity_id in (WATER, TEMPERATURE):
        state = await demonstration.home_assistant.get(f"/api/states/{entity_id}")
        row = page.locator("hui-sensor-entity-row").filter(has_text=state["state"])
        await expect(row).to_be_visible(timeout=WAIT)
    await expect(page.locator("hui-statistics-graph-card canvas")).to_have_count(2, timeout=WAIT)
    await expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)


async def use_dashboard(page: Page, demonstration: Demonstration) -> None:
    """Read the meter and switch the lamp, and wait until they have woken and the dashboard shows the results."""
    home_assistant = demonstration.home_assistant
    before = (await home_assistant.get(f"/api/states/{LIGHT}"))["state"]
    await page.locator("hui-button-card").get_by_text("Read the water meter").click()
    await page.locator("hui-tile-card").get_by_role("button", name="Toggle").click()
    for device in (METER, LAMP):
        await home_assistant.until(f"sensor.{device.slug}_waiting_commands", "1")
    # One command for each of the two.
    await expect(page.locator("hui-entity-badge")).to_contain_text("2", timeout=WAIT)
    assert (await home_assistant.get(f"/api/states/{LIGHT}"))["state"] == before
    for device in (METER, LAMP):
        demonstration.wake(device)
    volume = demonstration.onenet.products[0].devices[METER.imei].resources[VOLUME]
    await expect(page.locator("hui-sensor-entity-row").filter(has_text=str(volume))).to_be_visible(timeout=WAIT)
    await home_assistant.until(LIGHT, "on" if before == "off" else "off")
    await expect(page.locator("hui-entity-badge")).to_contain_text("0", timeout=WAIT)
    for device in (METER, LAMP):
        demonstration.sleep(device)


@pytest.mark.parametrize(("platform", "size"), [("legacy", (1400, 1500)), ("current", (412, 2600))])
async def test_the_dashboard_shows_devices_history_and_results(
    tmp_path: Path, platform: str, size: tuple[int, int]
) -> None:
    """It does on a screen and on a phone, without an error in the console; the past days have plausible values."""
    async with running(platform) as demonstration:
        home_assistant = demonstration.home_assistant
        changes = await changes_of(demonstration, 7)
        assert len(changes) >= 7
        assert all(0.1 < change < 1 for change in changes[:-1])
        async with browser(home_assistant, tmp_path / f"demo-{platform}", "en", size=size) as page:
            await see_dashboard(page, demonstration)
            await use_dashboard(page, demonstration)
            assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert home_assistant.complaints() == []
