"""Send signed pushes as fast as they are answered: python -m tests.benchmark.sender, with parameters on stdin.

Print the seconds and the numbers of answers by status as JSON.
"""

import asyncio
from collections import Counter
import json
import sys
import time
from typing import Any

from tests.emulator import Generation
from tests.emulator.push import body_of

VALUE = 21.5


def requests(host: str, path: str, token: str, imeis: list[str], count: int, first_at: int) -> list[bytes]:
    """Return requests with one datapoint each; each is newer than the one before."""
    found = []
    for number in range(count):
        message = {
            "type": 1,
            "imei": imeis[number % len(imeis)],
            "dev_id": number % len(imeis),
            "ds_id": "3303_0_5700",
            "value": VALUE + number,
            "at": first_at + number,
        }
        body = body_of(Generation.LEGACY, token, None, message).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        found.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return found


async def main(parameters: dict[str, Any]) -> None:
    """Send all requests over some connections."""
    host, port, connections = parameters.pop("host"), parameters.pop("port"), parameters.pop("connections")
    pending = iter(requests(f"{host}:{port}", **parameters))
    statuses: Counter[str] = Counter()

    async def send() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in pending:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            statuses[head.split(b" ", 2)[1].decode()] += 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(connections)))
    print(json.dumps({"seconds": time.perf_counter() - started, "statuses": statuses}))


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
