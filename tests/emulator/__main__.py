"""Run the emulator by itself."""

import argparse
import asyncio
import contextlib

from .platform import OneNet, Product
from .server import Server


async def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description="Emulate OneNET's NB-IoT API.")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1, any free one by default")
    parser.add_argument("--key", default="demo-master-key", help="the product's master key")
    parser.add_argument("--access-key", default=Product.access_key, help="the product's access key, in base64")
    parser.add_argument("--product-id", default=Product.id, help="the product's id")
    parser.add_argument("--devices", type=int, default=3, help="how many devices the product has")
    parser.add_argument("--latency", type=float, default=0, help="how many milliseconds every reply takes")
    arguments = parser.parse_args()
    product = Product(
        key=arguments.key,
        id=arguments.product_id,
        access_key=arguments.access_key,
        device_keys=frozenset({"demo-device-key"}),
    )
    for number in range(1, arguments.devices + 1):
        device = product.add(
            str(866_971_030_000_000 + number),
            f"Water meter {number}",
            {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel", (3, 0, 9): 87},
        )
        device.executables.add((3, 0, 4))
    server = await Server(OneNet(product)).start(arguments.port)
    server.latency = arguments.latency / 1000
    print(server.url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
