"""The API client as a package of its own."""

import pkgutil
import subprocess
import sys

from custom_components.onenet_nbiot import onenet


def test_the_client_works_without_home_assistant() -> None:
    """It could not be published as a library tomorrow."""
    modules = [module.name for module in pkgutil.walk_packages(onenet.__path__)]
    program = (
        "import sys; sys.modules['homeassistant'] = None; sys.path.insert(0, sys.argv[1])\n"
        f"for name in {modules}: __import__(f'onenet.{{name}}')"
    )
    subprocess.run([sys.executable, "-c", program, f"{onenet.__path__[0]}/.."], check=True)  # noqa: S603 - all of it is written here
