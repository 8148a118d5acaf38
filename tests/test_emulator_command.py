"""The emulator as a program."""

import asyncio
import re
import sys

from aiohttp import ClientSession


async def test_the_program_prints_its_address_and_accepts_the_key(socket_enabled: None) -> None:
    """CONTRIBUTING.md and the benchmark start it like this."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.emulator", "--key", "key"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        async with ClientSession(url) as session:
            async with session.get("/devices", headers={"api-key": "key"}) as response:
                titles = [device["title"] for device in (await response.json())["data"]["devices"]]
            assert titles == ["Water meter 1", "Water meter 2", "Water meter 3"]
    finally:
        process.terminate()
        await process.wait()
