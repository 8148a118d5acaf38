"""A real Home Assistant and an emulated OneNET in a separate process."""

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
"""Queue a read for a device, and return its UUID."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """The address of an emulated OneNET, and the key of its product."""

    url: str
    key: str

    async def control(self, name: str, **fields: Any) -> Any:
        """Call a control of the emulator."""
        async with ClientSession() as session, session.post(f"{self.url}/emulator/{name}", json=fields) as response:
            response.raise_for_status()
            return await response.json()


@contextmanager
def emulator(key: str, devices: int) -> Iterator[Emulator]:
    """Run an emulator in a separate process."""
    command = [sys.executable, "-m", "tests.emulator", "--key", key, "--devices", str(devices), "--interval", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the command above
        assert process.stdout
        try:
            yield Emulator(url=process.stdout.readline().strip(), key=key)
        finally:
            process.terminate()


@asynccontextmanager
async def home_assistant(config: Path, more: str = "") -> AsyncIterator[core.HomeAssistant]:
    """Run Home Assistant in this process, without the pause between commands for one device."""
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
    """Connect an account through the config flow."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": "api_key"})
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"api_key": platform.key, "server": {"region": "custom", "url": platform.url}}
    )
    await hass.async_block_till_done()
    return result["result"]


def action(hass: core.HomeAssistant, entry: ConfigEntry, res_id: int = 5700) -> Caller:
    """Return a function that queues a read through an account."""

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
    """Return the IMEI of a device of the emulator, counted from 0."""
    return str(866_971_030_000_001 + number)


def in_a_process[**P, T](stage: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a stage in a new process, so that it starts without objects of earlier stages."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, partial(stage, *args, **kwargs)).result()


def _run[T](stage: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a stage, with errors only in the log."""
    logging.disable(logging.WARNING)
    # These components lack programs that the benchmark does not need.
    for name in ("haffmpeg.core", "homeassistant.components.camera.img_util"):
        logging.getLogger(name).disabled = True
    return asyncio.run(stage())
