"""Run the emulator as a program."""

import argparse
import asyncio
import contextlib
from typing import Any

from .platform import OneNet, Product
from .server import Server
from .switches import Switches


def resources(number: int) -> dict[tuple[int, int, int], Any]:
    """Return the resources of a water meter; 3303/0/5700 is the same for all, the rest varies with the number."""
    place = number - 1
    return {
        (3303, 0, 5700): 21.5,
        (3303, 0, 5701): "Cel",
        (3, 0, 9): 87,
        (3, 0, 7): 3600 - place * 35 % 400,
        (4, 0, 2): -87 - place * 7 % 30,
        (3323, 0, 5700): (31 + place * 4 % 30) / 100,
        (3323, 0, 5701): "bar",
        (3200, 0, 5500): number % 3 == 0,
    }


async def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description="Emulate OneNET's NB-IoT API.")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1, any free one by default")
    parser.add_argument("--key", default="demo-master-key", help="the product's master key")
    parser.add_argument("--access-key", default=Product.access_key, help="the product's access key, in base64")
    parser.add_argument("--product-id", default=Product.id, help="the product's id")
    parser.add_argument("--devices", type=int, default=3, help="how many devices the product has")
    parser.add_argument("--latency", type=float, default=0, help="how many milliseconds every reply takes")
    parser.add_argument("--other", action="store_true", help="use the other position of every switch")
    parser.add_argument(
        "--interval", type=float, default=1, help="how many seconds apart the commands for one device have to be"
    )
    arguments = parser.parse_args()
    product = Product(
        key=arguments.key,
        id=arguments.product_id,
        access_key=arguments.access_key,
        device_keys=frozenset({"demo-device-key"}),
    )
    for number in range(1, arguments.devices + 1):
        device = product.add(str(866_971_030_000_000 + number), f"Water meter {number}", resources(number))
        device.executables.add((3, 0, 4))
    switches = Switches.other() if arguments.other else Switches()
    server = await Server(OneNet(product, switches=switches)).start(arguments.port)
    server.latency = arguments.latency / 1000
    server.onenet.command_interval = arguments.interval
    print(server.url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
