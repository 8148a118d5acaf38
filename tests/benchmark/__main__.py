"""Measure the action against a bare request and against rest_command, in a real Home Assistant.

The emulator runs in a process of its own. The contenders take turns, so that whatever else the machine does meets
all of them alike.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
import statistics
import sys
import tempfile
import time
from typing import Any

from aiohttp import ClientSession
from homeassistant import bootstrap, core, runner
from homeassistant.config_entries import SOURCE_USER
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from tests.live.home_assistant import free_port, seed

KEY = "demo-master-key"
DEVICES = 1000
SEQUENCE = 1500
ROUNDS = 60
CONCURRENT = 100
REST_COMMAND = """\
rest_command:
  offline_read:
    url: >-
      {url}/nbiot/offline?imei={{{{ imei }}}}&obj_id={{{{ obj_id }}}}&obj_inst_id={{{{ obj_inst_id }}}}&res_id={{{{
      res_id }}}}&expired_time={{{{ (utcnow() + timedelta(days=1, hours=8)).strftime('%Y-%m-%dT%H:%M:%S') }}}}
    headers:
      api-key: {key}
"""

type Contender = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def emulator() -> AsyncIterator[str]:
    """Run the emulator in a process of its own, and return its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.emulator", "--devices", str(DEVICES), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def home_assistant(config: Path, url: str) -> AsyncIterator[core.HomeAssistant]:
    """Run Home Assistant in this process, with an account and a rest_command for the same request."""
    seed(config, free_port(), more=REST_COMMAND.format(url=url, key=KEY))
    hass = await bootstrap.async_setup_hass(runner.RuntimeConfig(config_dir=str(config), skip_pip=True))
    assert hass
    await hass.async_start()
    flow = await hass.config_entries.flow.async_init("onenet_nbiot", context={"source": SOURCE_USER})
    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"api_key": KEY, "server": {"region": "custom", "url": url}}
    )
    await hass.async_block_till_done()
    try:
        yield hass
    finally:
        await hass.async_stop(force=True)


def contenders(hass: core.HomeAssistant, url: str) -> dict[str, Contender]:
    """Return the ways to queue a read, by name; each returns the UUID."""
    session = async_get_clientsession(hass)
    fields: dict[str, str | int] = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}

    async def bare(imei: str) -> str:
        expired_time = (datetime.now(UTC) + timedelta(days=1, hours=8)).strftime("%Y-%m-%dT%H:%M:%S")
        query = fields | {"imei": imei, "expired_time": expired_time}
        async with session.get(f"{url}/nbiot/offline", params=query, headers={"api-key": KEY}) as response:
            return str((await response.json())["data"]["uuid"])

    async def action(imei: str) -> str:
        response = await hass.services.async_call(
            "onenet_nbiot",
            "offline_read",
            {"imei": imei, **fields, "expires_in": {"days": 1}},
            blocking=True,
            return_response=True,
        )
        assert response
        return str(response["uuid"])

    async def rest_command(imei: str) -> str:
        response: Any = await hass.services.async_call(
            "rest_command", "offline_read", {"imei": imei, **fields}, blocking=True, return_response=True
        )
        return str(response["content"]["data"]["uuid"])

    return {"bare GET": bare, "action": action, "rest_command": rest_command}


async def in_sequence(ways: dict[str, Contender], forget: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Return the median seconds of one call."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    imeis = count()
    for turn in range(SEQUENCE):
        if turn % 1000 == 0:
            await forget()
        for name, way in ways.items():
            imei = str(866_971_030_000_001 + next(imeis) % DEVICES)
            started = time.perf_counter()
            uuid = await way(imei)
            taken[name].append(time.perf_counter() - started)
            assert len(uuid) == 36
    return {name: statistics.median(times) for name, times in taken.items()}


async def at_once(ways: dict[str, Contender], forget: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Return the median calls per second of 100 concurrent calls."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    imeis = [str(866_971_030_000_001 + number) for number in range(CONCURRENT)]
    order = deque(ways.items())
    for _ in range(ROUNDS):
        order.rotate()
        for name, way in order:
            await forget()
            started = time.perf_counter()
            await asyncio.gather(*map(way, imeis))
            rates[name].append(CONCURRENT / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def judge(what: str, ratio: float, limit: float, *, at_least: bool = False) -> bool:
    """Print a ratio and whether it is within its limit."""
    kept = ratio >= limit if at_least else ratio <= limit
    bound = "at least" if at_least else "at most"
    print(f"{what:<60} {ratio:5.2f}   {bound} {limit:.2f}   {'ok' if kept else 'MISSED'}")
    return kept


async def main(config: Path) -> int:
    """Measure, and return an exit status."""
    async with emulator() as url, home_assistant(config, url) as hass, ClientSession() as control:

        async def forget() -> None:
            async with control.post(f"{url}/emulator/forget"):
                pass

        ways = contenders(hass, url)
        for way in ways.values():
            await way("866971030000001")
        p50 = await in_sequence(ways, forget)
        rate = await at_once(ways, forget)
    for name in ways:
        print(f"{name:<14} p50 {p50[name] * 1000:6.2f} ms   {CONCURRENT} at once {rate[name]:6.0f}/s")
    verdicts = [
        judge("p50 of the action to that of a bare GET", p50["action"] / p50["bare GET"], 1.4),
        judge("p50 of the action to that of rest_command", p50["action"] / p50["rest_command"], 1.0),
        judge(
            "throughput of the action to that of rest_command", rate["action"] / rate["rest_command"], 1, at_least=True
        ),
    ]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(asyncio.run(main(Path(directory))))
