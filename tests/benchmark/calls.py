"""The duration of a call, compared with a bare request and with rest_command.

The contenders take turns, so that other load on the machine affects all of them equally.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
import statistics
import time
from typing import Any

from homeassistant import core
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from custom_components.onenet_nbiot.store import async_get_store

from .stage import Caller, Emulator, action, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, note

DEVICES = 1000
SEQUENCE = 1500
SEQUENCE_FAR = 150
ROUNDS = 40
ROUNDS_OF_WRITES = 8
CONCURRENT = 100
FAR = 0.02
REST_COMMAND = """\
rest_command:
  offline_read:
    url: >-
      {url}/nbiot/offline?imei={{{{ imei }}}}&obj_id={{{{ obj_id }}}}&obj_inst_id={{{{ obj_inst_id }}}}&res_id={{{{
      res_id }}}}&expired_time={{{{ (utcnow() + timedelta(days=1, hours=8)).strftime('%Y-%m-%dT%H:%M:%S') }}}}
    headers:
      api-key: {key}
"""


@dataclass(kw_only=True)
class Figures:
    """Hold the median seconds of a call and the calls per second by contender, and the most transactions."""

    near: dict[str, float]
    near_at_once: dict[str, float]
    far: dict[str, float]
    writes_near: int
    writes_far: int


def measure(config: Path) -> list[bool]:
    """Measure and print; return whether each limit is kept."""
    with emulator("calls-master-key", DEVICES) as platform:
        figures = in_a_process(_measure, config, platform)
    # A UUID is on disk before it is returned. That takes a fixed time, which matters only if the platform replies at
    # once; so these figures have no limits.
    print("A platform on the same machine, without limits: the time includes saving the UUID")
    for name, seconds in figures.near.items():
        note(f"  p50 of a call: {name}", seconds * 1000, "ms")
        note(f"  {CONCURRENT} at once: {name}", figures.near_at_once[name], "/s")
    print(f"A platform {FAR * 1000:.0f} ms away")
    for name, seconds in figures.far.items():
        note(f"  p50 of a call: {name}", seconds * 1000, "ms")
    note("  p50 of the action to that of rest_command", figures.far["action"] / figures.far["rest_command"], "")
    return [
        judge("  p50 of the action to that of a bare GET", figures.far["action"] / figures.far["bare GET"], 1.1),
        judge(f"Transactions of {CONCURRENT} concurrent calls, on the same machine", figures.writes_near, 20),
        judge(f"Transactions of {CONCURRENT} concurrent calls, {FAR * 1000:.0f} ms away", figures.writes_far, 20),
    ]


async def _measure(config: Path, platform: Emulator) -> Figures:
    """Measure with one account."""
    rest_command = REST_COMMAND.format(url=platform.url, key=platform.key)
    async with home_assistant(config, rest_command) as hass:
        entry = await connect(hass, platform)
        contenders = _contenders(hass, entry, platform)
        for call in contenders.values():
            await call(imei(0))
        # Before the other measurements, so that no poll writes meanwhile.
        writes_near = await _most_writes(hass, contenders["action"], platform)
        await platform.control("latency", seconds=FAR)
        writes_far = await _most_writes(hass, contenders["action"], platform)
        far = await _in_sequence(contenders, platform, SEQUENCE_FAR)
        await platform.control("latency", seconds=0)
        return Figures(
            near=await _in_sequence(contenders, platform, SEQUENCE),
            near_at_once=await _at_once(contenders, platform),
            far=far,
            writes_near=writes_near,
            writes_far=writes_far,
        )


def _contenders(hass: core.HomeAssistant, entry: ConfigEntry, platform: Emulator) -> dict[str, Caller]:
    """Return the contenders, which queue a read, by name."""
    session = async_get_clientsession(hass)
    fields: dict[str, str | int] = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}

    async def bare(imei: str) -> str:
        expired_time = (datetime.now(UTC) + timedelta(days=1, hours=8)).strftime("%Y-%m-%dT%H:%M:%S")
        query = fields | {"imei": imei, "expired_time": expired_time}
        headers = {"api-key": platform.key}
        async with session.get(f"{platform.url}/nbiot/offline", params=query, headers=headers) as response:
            return str((await response.json())["data"]["uuid"])

    async def rest_command(imei: str) -> str:
        response: Any = await hass.services.async_call(
            "rest_command", "offline_read", {"imei": imei, **fields}, blocking=True, return_response=True
        )
        return str(response["content"]["data"]["uuid"])

    return {"bare GET": bare, "action": action(hass, entry), "rest_command": rest_command}


async def _in_sequence(contenders: dict[str, Caller], platform: Emulator, turns: int) -> dict[str, float]:
    """Return the median seconds of one call by contender."""
    durations: dict[str, list[float]] = {name: [] for name in contenders}
    numbers = count()
    for turn in range(turns):
        if turn % DEVICES == 0:
            await platform.control("forget")
        for name, call in contenders.items():
            device = imei(next(numbers) % DEVICES)
            started = time.perf_counter()
            uuid = await call(device)
            durations[name].append(time.perf_counter() - started)
            assert len(uuid) == 36
    return {name: statistics.median(times) for name, times in durations.items()}


async def _at_once(contenders: dict[str, Caller], platform: Emulator) -> dict[str, float]:
    """Return the median calls per second of 100 concurrent calls by contender."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    imeis = [imei(number) for number in range(CONCURRENT)]
    order = deque(contenders.items())
    for _ in range(ROUNDS):
        order.rotate()
        for name, call in order:
            await platform.control("forget")
            started = time.perf_counter()
            await asyncio.gather(*map(call, imeis))
            rates[name].append(CONCURRENT / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


async def _most_writes(hass: core.HomeAssistant, call: Caller, platform: Emulator) -> int:
    """Return the most write transactions of 100 concurrent calls."""
    store = async_get_store(hass)
    most = 0
    for _ in range(ROUNDS_OF_WRITES):
        await platform.control("forget")
        before = store.transactions
        await asyncio.gather(*(call(imei(number)) for number in range(CONCURRENT)))
        await asyncio.sleep(0.1)
        most = max(most, store.transactions - before)
    return most
