"""The costs of importing 30 days of hourly values of 100 meters into the statistics."""

import asyncio
from dataclasses import dataclass
import gc
from itertools import count
from pathlib import Path
import statistics
import time
from types import MappingProxyType

from homeassistant import core
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from custom_components.onenet_nbiot import history
from custom_components.onenet_nbiot.const import CONF_HISTORY_DAYS
from custom_components.onenet_nbiot.coordinator import OneNetRuntimeData

from .load import INTERVAL, judge_blocks, watch
from .stage import DOMAIN, Emulator, action, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, note

METERS = 100
DAYS = 30
ROWS = DAYS * 24
# Seconds between two requests for history, without which is measured.
PAUSE = history.PAUSE
RESOURCE = "3424/0/1"
ROUNDS = 3
POLLS = 20
SECONDS_MAX = 120
RECORDER = "recorder:\n  commit_interval: 0\n"


@dataclass(kw_only=True)
class Result:
    """Hold the seconds and the requests of an import, the longest blocks before and in it, and the seconds of polls.

    `seconds` are until the statistics are written, `fetched` until OneNET's last reply. `collection` is how long a
    full garbage collection of the objects takes that were there before; it is not part of `block`.
    """

    seconds: float
    fetched: float
    requests: int
    collection: float
    block_before: float
    block: float
    polls_before: list[float]
    polls_during: list[float]


def measure(config: Path) -> list[bool]:
    """Measure and print; return whether each limit is kept."""
    results = []
    for number in range(ROUNDS):
        with emulator("history-master-key", METERS) as platform:
            results.append(in_a_process(_measure, config / str(number), platform))
    requests = max(result.requests for result in results)
    before, during = (
        statistics.median(seconds for result in results for seconds in getattr(result, polls))
        for polls in ("polls_before", "polls_during")
    )
    print(f"{DAYS} days of hourly values of {METERS} meters, each with a waiting command")
    note("  import without the pauses between requests", statistics.median(result.seconds for result in results), "s")
    note("  of this, until the last reply", statistics.median(result.fetched for result in results), "s")
    note("  pauses between the requests", requests * PAUSE, "s")
    note("  p50 of a poll before the import", before * 1000, "ms")
    note("  p50 of a poll during the import", during * 1000, "ms")
    note("  longest poll during the import", max(max(result.polls_during) for result in results), "s")
    note("  full garbage collection before the import", statistics.median(r.collection for r in results) * 1000, "ms")
    note("  longest block before the import", statistics.median(r.block_before for r in results) * 1000, "ms")
    return [
        judge("  requests for the history of a meter", requests / METERS, 1),
        judge_blocks("  longest block in the import", [result.block for result in results]),
        judge("  p50 of a poll during the import to that before", during / before, 2),
    ]


async def _measure(config: Path, platform: Emulator) -> Result:
    """Measure an import of meters that had no values when they were added."""
    vars(history)["PAUSE"] = 0
    offsets = count(INTERVAL, INTERVAL)
    async with home_assistant(config, RECORDER) as hass:
        for domain in (DOMAIN, "event", "sensor"):
            assert await async_setup_component(hass, domain, {})
        entry = await connect(hass, platform)
        for number in range(METERS):
            _add_meter(hass, entry, number)
        await hass.async_block_till_done()
        call = action(hass, entry)
        for number in range(METERS):
            await call(imei(number))
        async with watch() as watched_before:
            before = [await _seconds_of_poll(hass, platform, entry, next(offsets)) for _ in range(POLLS)]
        await platform.control("report_hours", path=RESOURCE, hours=ROWS)
        account: OneNetRuntimeData = entry.runtime_data
        during = []
        # A full garbage collection, which the recorder's work causes, blocks for as long as Home Assistant has objects.
        collection = time.perf_counter()
        gc.collect()
        collection = time.perf_counter() - collection
        gc.freeze()
        started = time.perf_counter()
        requests = 0
        async with asyncio.timeout(SECONDS_MAX), watch() as watched:
            # The first of these polls finds the values.
            while account.history.summary()["rows"] < METERS * ROWS:
                during.append(await _seconds_of_poll(hass, platform, entry, next(offsets)))
                requests += await _requests(platform)
            fetched = time.perf_counter() - started
            await _written(hass)
        seconds = time.perf_counter() - started
        requests += await _requests(platform)
        assert await _rows(hass) == METERS * ROWS
        return Result(
            seconds=seconds,
            fetched=fetched,
            requests=requests,
            collection=collection,
            block_before=watched_before.longest,
            block=watched.longest,
            polls_before=before,
            polls_during=during,
        )


def _add_meter(hass: core.HomeAssistant, entry: ConfigEntry, number: int) -> None:
    """Add a meter."""
    subentry = ConfigSubentry(
        data=MappingProxyType({"imei": imei(number), "resources": [RESOURCE], CONF_HISTORY_DAYS: DAYS + 1}),
        subentry_type="device",
        title=f"Meter {number}",
        unique_id=imei(number),
    )
    hass.config_entries.async_add_subentry(entry, subentry)


async def _seconds_of_poll(hass: core.HomeAssistant, platform: Emulator, entry: ConfigEntry, offset: int) -> float:
    """Set the platform's clock, so that all commands are due, and return the seconds of a poll."""
    account: OneNetRuntimeData = entry.runtime_data
    await platform.control("clock", offset=offset)
    # The date of the reply sets the clock of the client.
    await account.client.check_credentials()
    started = time.perf_counter()
    await account.coordinator.async_refresh()
    assert account.coordinator.last_update_success
    return time.perf_counter() - started


async def _requests(platform: Emulator) -> int:
    """Return the number of requests for the history since the last call."""
    requests = await platform.control("requests", clear=True)
    return sum("datastream_id" in request["query"] for request in requests)


async def _written(hass: core.HomeAssistant) -> None:
    """Wait until the recorder has written everything; its own method may return before the end of the last task."""
    future = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(future))
    await future


async def _rows(hass: core.HomeAssistant) -> int:
    """Return the number of rows in the statistics."""
    beginning = dt_util.utc_from_timestamp(0)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period, hass, beginning, None, None, "hour", None, {"sum"}
    )
    return sum(map(len, found.values()))
