"""The costs of 1,000 devices with 5 resources each."""

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

from .load import INTERVAL, judge_blocks, one_poll, watch
from .stage import Emulator, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, note

DEVICES = 1000
RESOURCES = ["3303/0/5700", "3323/0/5700", "3200/0/5500", "3/0/9", "4/0/2"]
# A device has four enabled entities besides those of its resources, and the account has two.
ENTITIES = DEVICES * (len(RESOURCES) + 4) + 2
START_UPS = 3
POLLS = 10
# Devices of which one resource changes: its state and the time when the device was last seen are written.
CHANGED = 10


@dataclass(kw_only=True)
class StartUp:
    """Hold the seconds of a set-up, the longest block of the polls, and their requests and written states."""

    set_up: float
    block: float
    requests: list[int]
    written: list[int]
    written_when_changed: int


def measure(config: Path) -> list[bool]:
    """Measure and print; return whether each limit is kept."""
    with emulator("master-key", DEVICES) as platform:
        entry_id, first = in_a_process(_add, config, platform)
        offsets = count(INTERVAL, INTERVAL)
        starts = [
            in_a_process(_start, config, platform, entry_id, [next(offsets) for _ in range(POLLS + 2)])
            for _ in range(START_UPS)
        ]
    print(f"{DEVICES:,} devices with {len(RESOURCES)} resources each: {ENTITIES:,} entities")
    note("  set-up of the account with new devices", first, "s")
    return [
        judge("  set-up of the account", statistics.median(start.set_up for start in starts), 3, "s"),
        judge_blocks("  longest block in a poll", [start.block for start in starts]),
        judge("  requests of a poll", max(max(start.requests) for start in starts), 5),
        judge("  states written in a poll without changes", max(max(start.written) for start in starts), 0),
        judge(
            f"  states written when {CHANGED} devices changed",
            max(start.written_when_changed for start in starts),
            2 * CHANGED,
        ),
    ]


async def _add(config: Path, platform: Emulator) -> tuple[str, float]:
    """Connect an account and add its devices; return its id and the seconds of its set-up."""
    async with home_assistant(config) as hass:
        entry = await connect(hass, platform)
        assert await hass.config_entries.async_unload(entry.entry_id)
        for number in range(DEVICES):
            data = MappingProxyType({"imei": imei(number), "resources": RESOURCES})
            subentry = ConfigSubentry(
                data=data, subentry_type="device", title=f"Water meter {number + 1}", unique_id=imei(number)
            )
            hass.config_entries.async_add_subentry(entry, subentry)
        await platform.control("report_all")
        return entry.entry_id, await _set_up(hass, entry.entry_id)


async def _start(config: Path, platform: Emulator, entry_id: str, offsets: Iterable[int]) -> StartUp:
    """Measure a start with known devices, and the polls after it."""
    # The set-up fails until Home Assistant has started, whose own work is not measured.
    await platform.control("fault", kind="reset_before", times=100)
    async with home_assistant(config) as hass:
        # The set-up is scheduled again.
        await hass.async_block_till_done()
        assert hass.config_entries.async_get_known_entry(entry_id).state is ConfigEntryState.SETUP_RETRY
        await platform.control("heal")
        seconds = await _set_up(hass, entry_id)
        first, *others, last = offsets
        # The first poll applies changes since the last start.
        await one_poll(hass, platform, entry_id, first)
        written = _count_writes(hass)
        requests, writes = [], []
        async with watch() as watched:
            for offset in others:
                written.clear()
                requests.append(await one_poll(hass, platform, entry_id, offset))
                writes.append(len(written))
        written.clear()
        for number in range(CHANGED):
            await platform.control("report", imei=imei(number), values={RESOURCES[0]: 21.5})
        await one_poll(hass, platform, entry_id, last)
        return StartUp(
            set_up=seconds,
            block=watched.longest,
            requests=requests,
            written=writes,
            written_when_changed=len(written),
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
    """Return a list that collects the entity ids of all written states, changed or not."""
    written: list[str] = []

    @core.callback
    def write(data: Mapping[str, Any]) -> bool:
        written.append(data["entity_id"])
        return False

    for name in (EVENT_STATE_CHANGED, EVENT_STATE_REPORTED):
        hass.bus.async_listen(str(name), lambda _: None, event_filter=write)
    return written
