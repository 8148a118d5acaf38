"""Measure the integration in a real Home Assistant, and exit with 1 where a limit is missed.

The emulator runs in processes of its own. Figures without a unit compare what was measured in the same run, so that
the speed of the machine matters little.
"""

from pathlib import Path
import sys
import tempfile

from . import calls, devices, load


def main(directory: Path) -> int:
    """Measure, and return an exit status."""
    verdicts = [
        *calls.measure(directory / "calls"),
        *load.measure(directory / "load"),
        *devices.measure(directory / "devices"),
    ]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(main(Path(name)))
