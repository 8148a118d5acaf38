"""The API client as a package of its own."""

import asyncio
from pathlib import Path
import pkgutil
import subprocess
import sys

from custom_components.onenet_nbiot import onenet as package
from tests.common import IMEI, KEY
from tests.emulator import Device, Server

EXAMPLE = Path(__file__).parents[2] / "docs" / "read_when_it_wakes.py"


def test_the_client_works_without_home_assistant() -> None:
    """It could not be published as a library tomorrow."""
    modules = [module.name for module in pkgutil.walk_packages(package.__path__)]
    program = (
        "import sys; sys.modules['homeassistant'] = None; sys.path.insert(0, sys.argv[1])\n"
        f"for name in {modules}: __import__(f'onenet.{{name}}')"
    )
    subprocess.run([sys.executable, "-c", program, f"{package.__path__[0]}/.."], check=True)  # noqa: S603 - all of it is written here


def test_every_public_name_is_there_and_explained() -> None:
    """A program could not use what the package offers, or its author not know how."""
    for name in package.__all__:
        assert getattr(package, name).__doc__


async def test_the_example_in_the_documents_queues_a_read(onenet: Server, device: Device) -> None:
    """Whoever copies the example would start with an error."""
    # Without Home Assistant, as on another machine.
    program = "import runpy, sys; sys.modules['homeassistant'] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sys; sys.argv = {[str(EXAMPLE), KEY, IMEI, onenet.url]!r}; {program}",
        env={"PYTHONPATH": str(Path(package.__file__).parents[1])},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert [command.uuid for command in onenet.onenet.commands] == [output.decode().strip()]
