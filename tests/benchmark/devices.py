"""What 1,000 devices with 5 shown resources each cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
import statistics
import time
from types import MappingProxyType
from typing import Any

from homeassistant import core
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED

from .load import INTERVAL, judge_blocks, one_round, watch
from .stage import Emulator, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, note

DEVICES = 1000
RESOURCES = ["3303/0/5700", "3323/0/5700", "3200/0/5500", "3/0/9", "4/0/2"]
# Beside one for each resource, a device has four, and the account two.
ENTITIES = DEVICES * (len(RESOURCES) + 4) + 2
START_UPS = 3
ROUNDS = 10
# Of these, one resource has moved; of it, and of when the device was last seen, a state is written.
MOVED = 10


@dataclass(kw_only=True)
class StartUp:
    """What a start costs: seconds of the set-up, and of each round its longest block, requests and written states."""

    set_up: float
    block: float
    requests: list[int]
    written: list[int]
    written_when_moved: int


def measure(config: Path) -> list[bool]:
    """Measure and print; return which limits are kept."""
    with emulator("master-key", DEVICES) as platform:
        entry_id, first = in_a_process(_add, config, platform)
        offsets = count(INTERVAL, INTERVAL)
        starts = [
            in_a_process(_start, config, platform, entry_id, [next(offsets) for _ in range(ROUNDS + 2)])
            for _ in range(START_UPS)
        ]
    print(f"{DEVICES:,} devices with {len(RESOURCES)} shown resources each: {ENTITIES:,} entities")
    note("  set-up of the account when all of them are new", first, "s")
    return [
        judge("  set-up of the account", statistics.median(start.set_up for start in starts), 3, "s"),
        judge_blocks("  longest block in a round", [start.block for start in starts]),
        judge("  requests of a round", max(max(start.requests) for start in starts), 5),
        judge("  states written in a round in which nothing moved", max(max(start.written) for start in starts), 0),
        judge(f"  states written when {MOVED} moved", max(start.written_when_moved for start in starts), 2 * MOVED),
    ]


async def _add(config: Path, platform: Emulator) -> tuple[str, float]:
    """Connect an account and add its devices; return its id, and the seconds in which it is set up with them."""
    async with home_assistant(config) as hass:
        entry = await connect(hass, platform)
        assert await hass.config_entries.async_unload(entry.entry_id)
        for number in range(DEVICES):
            data = MappingProxyType({"imei": imei(number), "resources": RESOURCES})
            subentry = ConfigSubentry(
                data=data, subentry_type="device", title=f"Water meter {number + 1}", unique_id=imei(number)
            )
            hass.config_entries.async_add_subentry(entry, subentry)
        await platform.tell("report_all")
        return entry.entry_id, await _set_up(hass, entry.entry_id)


async def _start(config: Path, platform: Emulator, entry_id: str, offsets: Iterable[int]) -> StartUp:
    """Measure a start with all devices known, and the rounds that follow."""
    # Not before Home Assistant has started, which has other things to do.
    await platform.tell("fault", kind="reset_before", times=100)
    async with home_assistant(config) as hass:
        # It has tried again.
        await hass.async_block_till_done()
        assert hass.config_entries.async_get_known_entry(entry_id).state is ConfigEntryState.SETUP_RETRY
        await platform.tell("heal")
        seconds = await _set_up(hass, entry_id)
        first, *others, last = offsets
        # What happened since the last start.
        await one_round(hass, platform, entry_id, first)
        written = _count_writes(hass)
        requests, writes = [], []
        async with watch() as rounds:
            for offset in others:
                written.clear()
                requests.append(await one_round(hass, platform, entry_id, offset))
                writes.append(len(written))
        written.clear()
        for number in range(MOVED):
            await platform.tell("report", imei=imei(number), values={RESOURCES[0]: 21.5})
        await one_round(hass, platform, entry_id, last)
        return StartUp(
            set_up=seconds,
            block=rounds.longest,
            requests=requests,
            written=writes,
            written_when_moved=len(written),
        )


async def _set_up(hass: core.HomeAssistant, entry_id: str) -> float:
    """Set up the account, and return the seconds that it took."""
    started = time.perf_counter()
    assert await hass.config_entries.async_reload(entry_id)
    seconds = time.perf_counter() - started
    assert len(hass.states.async_all()) >= ENTITIES
    await hass.async_block_till_done()
    return seconds


def _count_writes(hass: core.HomeAssistant) -> list[str]:
    """Return a list to which the entities come whose state is written, changed or not."""
    written: list[str] = []

    @core.callback
    def write(data: Mapping[str, Any]) -> bool:
        written.append(data["entity_id"])
        return False

    for name in (EVENT_STATE_CHANGED, EVENT_STATE_REPORTED):
        hass.bus.async_listen(str(name), lambda _: None, event_filter=write)
    return written
