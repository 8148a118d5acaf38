"""What is measured: a real Home Assistant, and an emulated OneNET in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
import logging
from multiprocessing import get_context
from pathlib import Path
import subprocess
import sys
from typing import Any

from aiohttp import ClientSession
from homeassistant import bootstrap, core, runner
from homeassistant.config_entries import SOURCE_USER, ConfigEntry

from custom_components.onenet_nbiot import coordinator
from tests.live.home_assistant import free_port, seed

DOMAIN = "onenet_nbiot"

type Caller = Callable[[str], Awaitable[str]]
"""Queues a read for a device, and returns the UUID."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """An emulated OneNET, and the key of its one product."""

    url: str
    key: str

    async def tell(self, control: str, **asked: Any) -> Any:
        """Use one of the emulator's controls."""
        async with ClientSession() as session, session.post(f"{self.url}/emulator/{control}", json=asked) as response:
            response.raise_for_status()
            return await response.json()


@contextmanager
def emulator(key: str, devices: int) -> Iterator[Emulator]:
    """Run an emulator in a process of its own."""
    command = [sys.executable, "-m", "tests.emulator", "--key", key, "--devices", str(devices), "--interval", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - what is above
        assert process.stdout
        try:
            yield Emulator(url=process.stdout.readline().strip(), key=key)
        finally:
            process.terminate()


@asynccontextmanager
async def home_assistant(config: Path, more: str = "") -> AsyncIterator[core.HomeAssistant]:
    """Run Home Assistant in this process, in which commands for one device need not be a pause apart."""
    vars(coordinator)["COMMAND_PAUSE"] = 0
    seed(config, free_port(), more=more)
    hass = await bootstrap.async_setup_hass(runner.RuntimeConfig(config_dir=str(config), skip_pip=True))
    assert hass
    await hass.async_start()
    try:
        yield hass
    finally:
        await hass.async_stop(force=True)


async def connect(hass: core.HomeAssistant, platform: Emulator) -> ConfigEntry:
    """Connect an account, as a person does."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": "api_key"})
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"api_key": platform.key, "server": {"region": "custom", "url": platform.url}}
    )
    await hass.async_block_till_done()
    return result["result"]


def action(hass: core.HomeAssistant, entry: ConfigEntry, res_id: int = 5700) -> Caller:
    """Return the way to queue a read through an account."""

    async def call(imei: str) -> str:
        response = await hass.services.async_call(
            DOMAIN,
            "offline_read",
            {
                "config_entry_id": entry.entry_id,
                "imei": imei,
                "obj_id": 3303,
                "obj_inst_id": 0,
                "res_id": res_id,
                "expires_in": {"days": 1},
            },
            blocking=True,
            return_response=True,
        )
        assert response
        return str(response["uuid"])

    return call


def imei(number: int) -> str:
    """Return the IMEI of one of the emulator's devices, which count from 0 here."""
    return str(866_971_030_000_001 + number)


def in_a_process[**P, T](stage: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a stage in a process of its own, as Home Assistant is after a restart: without what was there before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, partial(stage, *args, **kwargs)).result()


def _run[T](stage: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a stage, and let Home Assistant tell of errors only."""
    logging.disable(logging.WARNING)
    # Nor of programs that are not needed here.
    for name in ("haffmpeg.core", "homeassistant.components.camera.img_util"):
        logging.getLogger(name).disabled = True
    return asyncio.run(stage())
