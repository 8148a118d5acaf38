"""Tests of the API client as a separate package."""

import asyncio
from pathlib import Path
import pkgutil
import subprocess
import sys

from custom_components.onenet_nbiot import onenet as package
from tests.common import IMEI, KEY
from tests.emulator import Device, Server

EXAMPLE = Path(__file__).parents[2] / "docs" / "read_when_it_wakes.py"


def test_the_package_does_not_import_home_assistant() -> None:
    """All modules of the package can be imported without Home Assistant."""
    modules = [module.name for module in pkgutil.walk_packages(package.__path__)]
    program = (
        "import sys; sys.modules['homeassistant'] = None; sys.path.insert(0, sys.argv[1])\n"
        f"for name in {modules}: __import__(f'onenet.{{name}}')"
    )
    subprocess.run([sys.executable, "-c", program, f"{package.__path__[0]}/.."], check=True)  # noqa: S603 - the program is constant


def test_every_public_name_exists_and_has_a_docstring() -> None:
    """Every public name exists and has a docstring."""
    for name in package.__all__:
        assert getattr(package, name).__doc__


async def test_the_example_in_the_documents_queues_a_read(onenet: Server, device: Device) -> None:
    """The example in the documents queues a read and prints its UUID."""
    # Home Assistant cannot be imported.
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
