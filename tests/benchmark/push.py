"""The costs of pushes: how many are received per second, how soon they are published, and how many polls they save."""

import asyncio
from dataclasses import dataclass
import json
from pathlib import Path
import statistics
import sys
import time
from types import MappingProxyType
from typing import Any

from aiohttp import ClientSession, web
from homeassistant import core
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.setup import async_setup_component

from custom_components.onenet_nbiot.coordinator import OneNetRuntimeData
from custom_components.onenet_nbiot.onenet.push import MAX_BODY
from tests.emulator import Generation
from tests.emulator.push import body_of

from .load import judge_blocks, watch
from .stage import DOMAIN, Emulator, action, connect, emulator, home_assistant, imei, in_a_process
from .verdict import judge, judge_least, note

DEVICES = 100
PUSHES = 10_000
ROUNDS = 3
CONNECTIONS = 16
READS = 200
HOST = "127.0.0.1"
TOKEN = "token-of-the-benchmark"
WEBHOOK_ID = "webhook-of-the-benchmark"
BARE_ID = "bare-webhook"


@dataclass(kw_only=True)
class Result:
    """Hold the pushes per second through the webhook and a bare one, the longest blocks, and the costs of reads.

    `blocks_of_batches` are those of batches of the maximum size, one signed and one forged.
    """

    rates: list[float]
    bare_rates: list[float]
    blocks: list[float]
    blocks_of_batches: list[float]
    p95: float
    requests_per_read: float


def measure(config: Path) -> list[bool]:
    """Measure and print; return whether each limit is kept."""
    with emulator("push-master-key", DEVICES) as platform:
        result = in_a_process(_measure, config, platform)
    rate, bare = statistics.median(result.rates), statistics.median(result.bare_rates)
    print(f"{ROUNDS} x {PUSHES:,} signed pushes for {DEVICES} devices over {CONNECTIONS} connections")
    note("  pushes per second through a webhook that only parses JSON", bare)
    return [
        judge_least("  pushes per second", rate, 2000),
        judge("  time of a push to that of the bare webhook", bare / rate, 5),
        judge_blocks("  longest block while pushes arrive", result.blocks),
        judge_blocks("  longest block while batches of 1 MiB arrive", result.blocks_of_batches),
        judge("  p95 from a push to its event", result.p95 * 1000, 50, "ms"),
        judge("  requests to OneNET per finished read", result.requests_per_read, 1),
    ]


async def _measure(config: Path, platform: Emulator) -> Result:
    """Measure all figures in one Home Assistant."""
    async with home_assistant(config) as hass:
        for domain in (DOMAIN, "event", "sensor"):
            assert await async_setup_component(hass, domain, {})
        entry = await connect(hass, platform)
        options = {"push": {"webhook_id": WEBHOOK_ID, "token": TOKEN}}
        hass.config_entries.async_update_entry(entry, options=options)
        assert await hass.config_entries.async_reload(entry.entry_id)
        for number in range(DEVICES):
            _add_device(hass, entry, number)
        await hass.async_block_till_done()
        webhook.async_register(hass, DOMAIN, "bare", BARE_ID, _handle_bare, local_only=False)
        rates, bare_rates, blocks = [], [], []
        for number in range(ROUNDS):
            bare_rates.append(await _send(hass, BARE_ID, number))
            async with watch() as longest:
                rates.append(await _send(hass, WEBHOOK_ID, number))
            blocks.append(longest.longest)
        _check_values(entry)
        return Result(
            rates=rates,
            bare_rates=bare_rates,
            blocks=blocks,
            blocks_of_batches=[await _block_of_batches(hass, number) for number in range(ROUNDS)],
            p95=await _time_to_event(hass, entry),
            requests_per_read=await _requests_per_read(hass, entry, platform),
        )


def _add_device(hass: core.HomeAssistant, entry: ConfigEntry, number: int) -> None:
    """Add a device with one resource."""
    subentry = ConfigSubentry(
        data=MappingProxyType({"imei": imei(number), "resources": ["3303/0/5700"]}),
        subentry_type="device",
        title=f"Meter {number}",
        unique_id=imei(number),
    )
    hass.config_entries.async_add_subentry(entry, subentry)


async def _handle_bare(hass: core.HomeAssistant, webhook_id: str, request: web.Request) -> web.Response:
    """Parse a request and answer it."""
    await request.json()
    return web.Response()


async def _send(hass: core.HomeAssistant, webhook_id: str, number: int) -> float:
    """Send pushes from another process, and return how many were answered per second."""
    parameters = {
        "host": HOST,
        "port": hass.http.server_port,
        "path": webhook.async_generate_path(webhook_id),
        "token": TOKEN,
        "connections": CONNECTIONS,
        "imeis": [imei(device) for device in range(DEVICES)],
        "count": PUSHES,
        "first_at": _first_at(number),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmark.sender", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(parameters).encode())
    result = json.loads(output)
    assert result["statuses"] == {"200": PUSHES}
    return PUSHES / float(result["seconds"])


async def _block_of_batches(hass: core.HomeAssistant, number: int) -> float:
    """Return the longest block in seconds while a signed and a forged batch of the maximum size arrive."""
    message = {"type": 1, "ds_id": "3303_0_5700", "value": 0}
    count = MAX_BODY // (len(json.dumps(message | {"imei": imei(0), "at": _first_at(0)})) + 3)
    first_at = _first_at(ROUNDS + number)
    messages = [message | {"imei": imei(at % DEVICES), "at": first_at + at} for at in range(count)]
    signed, forged = (body_of(Generation.LEGACY, token, None, *messages) for token in (TOKEN, "another"))
    assert MAX_BODY * 0.9 < len(signed) <= MAX_BODY
    url = f"http://{HOST}:{hass.http.server_port}{webhook.async_generate_path(WEBHOOK_ID)}"
    async with watch() as longest, ClientSession() as session:
        for body, status in ((signed, 200), (forged, 401)):
            async with session.post(url, data=body) as response:
                assert response.status == status
    return longest.longest


def _first_at(number: int) -> int:
    """Return the time of the first push of a round, in milliseconds; all rounds are in the past."""
    return round(time.time() * 1000) - 1_000_000 + number * PUSHES


def _check_values(entry: ConfigEntry) -> None:
    """Check that the last push of each device was not lost."""
    account: OneNetRuntimeData = entry.runtime_data
    last = [account.devices.added[imei(number)].readings["3303/0/5700"].value for number in range(DEVICES)]
    assert sorted(last) == [21.5 + number for number in range(PUSHES - DEVICES, PUSHES)]


async def _time_to_event(hass: core.HomeAssistant, entry: ConfigEntry) -> float:
    """Return the 95th percentile of the seconds from sending the outcome of a read to its event."""
    call = action(hass, entry)
    url = f"http://{HOST}:{hass.http.server_port}{webhook.async_generate_path(WEBHOOK_ID)}"
    durations = []
    fired: asyncio.Future[float]

    @core.callback
    def listen(event: core.Event[Any]) -> None:
        if event.data["type"] == "command_succeeded":
            fired.set_result(time.perf_counter())

    remove = hass.bus.async_listen(f"{DOMAIN}_event", listen)
    async with ClientSession() as session:
        for number in range(READS):
            uuid = await call(imei(number % DEVICES))
            message = _outcome(uuid, imei(number % DEVICES))
            fired = hass.loop.create_future()
            started = time.perf_counter()
            async with session.post(url, data=body_of(Generation.LEGACY, TOKEN, None, message)) as response:
                assert response.status == 200
            durations.append(await fired - started)
    remove()
    return statistics.quantiles(durations, n=20)[-1]


def _outcome(uuid: str, device: str) -> dict[str, Any]:
    """Return the outcome of a read."""
    values = {"obj_id": 3303, "obj_inst": [{"obj_inst_id": 0, "res": [{"res_id": 5700, "val": 1}]}]}
    confirmed = {"send_status": 5, "confirm_status": 0, "confirm_body": values}
    return {"type": 7, "cmd_id": uuid, "imei": device} | confirmed


async def _requests_per_read(hass: core.HomeAssistant, entry: ConfigEntry, platform: Emulator) -> float:
    """Return the number of requests, that for queueing included, for each read that a device answers on waking up."""
    await platform.control("forget")
    url = f"http://{HOST}:{hass.http.server_port}{webhook.async_generate_path(WEBHOOK_ID)}"
    await platform.control("push", url=url, token=TOKEN, generation="legacy")
    await platform.control("requests", clear=True)
    call = action(hass, entry)
    finished = asyncio.Event()
    left = READS

    @core.callback
    def listen(event: core.Event[Any]) -> None:
        nonlocal left
        left -= event.data["type"] == "command_succeeded"
        if not left:
            finished.set()

    remove = hass.bus.async_listen(f"{DOMAIN}_event", listen)
    for number in range(READS):
        await call(imei(number % DEVICES))
    for number in range(DEVICES):
        await platform.control("wake", imei=imei(number))
    async with asyncio.timeout(30):
        await finished.wait()
    remove()
    requests = await platform.control("requests")
    return sum(not request["path"].startswith("/emulator") for request in requests) / READS
