"""What 10,000 waiting commands on 1,000 devices cost."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
import gc
from itertools import count
from pathlib import Path
import statistics
import time
import timeit
import tracemalloc

from homeassistant import core
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.setup import async_setup_component

from custom_components.onenet_nbiot.commands import Commands
from custom_components.onenet_nbiot.coordinator import OneNetRuntimeData
from custom_components.onenet_nbiot.devices import Devices
from custom_components.onenet_nbiot.store import async_get_store

from .stage import DOMAIN, Emulator, action, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, note

DEVICES = 1000
EACH = 10
WAITING = DEVICES * EACH
# These have nothing that waits, and so room for more.
MORE_DEVICES = 100
MORE_EACH = 8
CALLERS = 50
START_UPS = 5
ROUNDS = 20
INTERVAL = 60
TICK = 0.001
NOTIFY = 4


@dataclass(kw_only=True)
class StartUp:
    """What a start costs: seconds of the set-up, its longest blocks, and the requests of each round.

    `collection` is by how much a full garbage collection takes longer afterwards.
    """

    set_up: float
    block_of_set_up: float
    block_of_rounds: float
    collection: float
    requests: list[int]


@dataclass(kw_only=True)
class Watch:
    """How long the event loop did nothing else, in seconds, at most."""

    longest: float = 0


def measure(config: Path) -> list[bool]:
    """Measure and print; return which limits are kept."""
    devices = DEVICES + MORE_DEVICES
    with emulator("busy-master-key", devices) as busy, emulator("idle-master-key", devices) as idle:
        busy_id, idle_id = in_a_process(_connect, config, busy, idle)
        without = in_a_process(_fill, config, busy, busy_id)
        offsets = count(INTERVAL, INTERVAL)
        starts = [
            in_a_process(_start, config, busy, busy_id, [next(offsets) for _ in range(ROUNDS)])
            for _ in range(START_UPS)
        ]
        kept, queued, p50 = in_a_process(_compare, config, busy_id, idle_id)
    print(f"{WAITING:,} waiting commands on {DEVICES:,} devices")
    note("  set-up of the account with none", without * 1000, "ms")
    note("  set-up of the account", statistics.median(start.set_up for start in starts) * 1000, "ms")
    note("  p50 of a call with none", p50[idle_id] * 1000, "ms")
    note("  p50 of a call", p50[busy_id] * 1000, "ms")
    note("  what they add to a full garbage collection", statistics.median(s.collection for s in starts) * 1000, "ms")
    return [
        judge_blocks("  longest block while it is set up", [start.block_of_set_up for start in starts]),
        judge_blocks("  longest block in the rounds that follow", [start.block_of_rounds for start in starts]),
        judge("  memory of a command that was kept over a restart", kept, 2048, "bytes"),
        judge("  memory of a command that was queued since", queued, 2048, "bytes"),
        judge("  requests of a round", max(max(start.requests) for start in starts), 10),
        judge("  p50 of a call to that with none", p50[busy_id] / p50[idle_id], 1.2),
    ]


def judge_blocks(what: str, blocks: list[float]) -> bool:
    """Judge the starts' longest blocks by the median: one of them may be another program's doing."""
    note(f"{what}, in the worst of {len(blocks)} starts", max(blocks) * 1000, "ms")
    return judge(what, statistics.median(blocks) * 1000, 50, "ms")


async def _connect(config: Path, *platforms: Emulator) -> list[str]:
    """Connect accounts, and return their ids; the next starts set them up when they are told to."""
    async with home_assistant(config) as hass:
        entries = [await connect(hass, platform) for platform in platforms]
        for entry in entries:
            await _disable(hass, entry.entry_id)
        return [entry.entry_id for entry in entries]


async def _fill(config: Path, platform: Emulator, entry_id: str) -> float:
    """Queue the commands, and return the seconds in which the account was set up without them."""
    async with _started(config) as hass:
        await _let_devices_speak(platform)
        seconds = await _set_up(hass, entry_id)
        entry = hass.config_entries.async_get_known_entry(entry_id)
        calls = (action(hass, entry, 5700 + turn)(imei(number)) for turn in range(EACH) for number in range(DEVICES))

        async def call() -> None:
            for one in calls:
                await one

        await asyncio.gather(*(call() for _ in range(CALLERS)))
        assert _account(hass, entry_id).commands.waiting == WAITING
        await _disable(hass, entry_id)
        return seconds


async def _let_devices_speak(platform: Emulator) -> None:
    """Give the devices newest values, as real ones have."""
    for number in range(DEVICES + MORE_DEVICES):
        await platform.tell("wake", imei=imei(number), trigger=NOTIFY)
        await platform.tell("sleep", imei=imei(number))


async def _start(config: Path, platform: Emulator, entry_id: str, offsets: Iterable[int]) -> StartUp:
    """Measure a start with all commands kept, and the rounds that follow."""
    async with _started(config) as hass:
        collection = _collect()
        async with watch() as set_up:
            seconds = await _set_up(hass, entry_id)
        async with watch() as rounds:
            requests = [await one_round(hass, platform, entry_id, offset) for offset in offsets]
        assert _account(hass, entry_id).commands.waiting == WAITING
        collection = _collect() - collection
        await _disable(hass, entry_id)
    return StartUp(
        set_up=seconds,
        block_of_set_up=set_up.longest,
        block_of_rounds=rounds.longest,
        collection=collection,
        requests=requests,
    )


def _collect() -> float:
    """Return the seconds of a full garbage collection that finds nothing to collect."""
    gc.collect()
    return min(timeit.repeat(gc.collect, number=1, repeat=3))


async def one_round(hass: core.HomeAssistant, platform: Emulator, entry_id: str, offset: int) -> int:
    """Go through a round when an interval has passed at the platform, and return its requests."""
    account = _account(hass, entry_id)
    coordinator = account.coordinator
    await platform.tell("clock", offset=offset)
    # Its date tells the time.
    await account.client.check_credentials()
    await platform.tell("requests", clear=True)
    await coordinator.async_refresh()
    assert coordinator.last_update_success
    return len(await platform.tell("requests"))


async def _compare(config: Path, busy_id: str, idle_id: str) -> tuple[float, float, dict[str, float]]:
    """Return the bytes that a command takes, kept and newly queued, and the median seconds of a call by account."""
    async with _started(config) as hass:
        for entry_id in (busy_id, idle_id):
            await _set_up(hass, entry_id)
        p50 = await _take_turns(hass, busy_id, idle_id)
        memory = await _memory(hass, busy_id) - await _memory(hass, idle_id)
        queued = await _memory_of_new(hass, busy_id)
        added = MORE_DEVICES * (MORE_EACH + 1)
        assert _account(hass, busy_id).commands.waiting - added == WAITING
        return memory / WAITING, queued, p50


async def _take_turns(hass: core.HomeAssistant, *entry_ids: str) -> dict[str, float]:
    """Return the median seconds of a call by account, for devices of which nothing waits."""
    ways = {entry_id: action(hass, hass.config_entries.async_get_known_entry(entry_id)) for entry_id in entry_ids}
    taken: dict[str, list[float]] = {entry_id: [] for entry_id in ways}
    for _ in range(MORE_EACH):
        for number in range(DEVICES, DEVICES + MORE_DEVICES):
            for entry_id, way in ways.items():
                started = time.perf_counter()
                await way(imei(number))
                taken[entry_id].append(time.perf_counter() - started)
    return {entry_id: statistics.median(times) for entry_id, times in taken.items()}


async def _memory(hass: core.HomeAssistant, entry_id: str) -> int:
    """Return the bytes that an account's commands take once they are loaded."""
    gc.collect()
    tracemalloc.start()
    try:
        commands, devices = (kind(hass, entry_id, async_get_store(hass)) for kind in (Commands, Devices))
        await devices.async_load()
        await commands.async_load()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


async def _memory_of_new(hass: core.HomeAssistant, entry_id: str) -> float:
    """Return the bytes that a command takes once it is queued."""
    way = action(hass, hass.config_entries.async_get_known_entry(entry_id))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(DEVICES, DEVICES + MORE_DEVICES):
            await way(imei(number))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / MORE_DEVICES
    finally:
        tracemalloc.stop()


@asynccontextmanager
async def _started(config: Path) -> AsyncIterator[core.HomeAssistant]:
    """Run Home Assistant until it is ready to set up an account."""
    async with home_assistant(config) as hass:
        for domain in (DOMAIN, "event", "sensor"):
            assert await async_setup_component(hass, domain, {})
        await hass.async_block_till_done()
        yield hass


async def _set_up(hass: core.HomeAssistant, entry_id: str) -> float:
    """Set up an account, and return the seconds that it took."""
    started = time.perf_counter()
    assert await hass.config_entries.async_set_disabled_by(entry_id, None)
    return time.perf_counter() - started


async def _disable(hass: core.HomeAssistant, entry_id: str) -> None:
    """Take an account down, and keep it so over a restart."""
    assert await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)


def _account(hass: core.HomeAssistant, entry_id: str) -> OneNetRuntimeData:
    """Return an account's runtime data."""
    entry: ConfigEntry[OneNetRuntimeData] = hass.config_entries.async_get_known_entry(entry_id)
    return entry.runtime_data


@asynccontextmanager
async def watch() -> AsyncIterator[Watch]:
    """Watch the event loop: see how late something is that is due every millisecond."""
    loop = asyncio.get_running_loop()
    watch = Watch()
    timer: asyncio.TimerHandle

    def tick(due: float) -> None:
        nonlocal timer
        now = loop.time()
        watch.longest = max(watch.longest, now - due)
        timer = loop.call_at(now + TICK, tick, now + TICK)

    tick(loop.time())
    try:
        yield watch
    finally:
        # What came last must be seen, too.
        await asyncio.sleep(2 * TICK)
        timer.cancel()
