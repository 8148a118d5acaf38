"""Queue a read for a device that sleeps: read_when_it_wakes.py API_KEY IMEI [BASE_URL]."""

import asyncio
from datetime import UTC, datetime, timedelta
import sys

import aiohttp
from onenet import ApiKey, CachedCommand, OneNetClient, Read


async def main(key: str, imei: str, base_url: str | None = None) -> None:
    """Print the UUID of the command."""
    async with aiohttp.ClientSession() as session:
        client = OneNetClient(session, ApiKey(key), base_url=base_url)
        temperature = Read(imei=imei, obj_id=3303, obj_inst_id=0, res_id=5700)
        expired_time = datetime.now(UTC) + timedelta(days=1)
        print(await client.queue(CachedCommand(operation=temperature, expired_time=expired_time)))


asyncio.run(main(*sys.argv[1:]))
