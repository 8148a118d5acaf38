"""Measure the integration in a real Home Assistant, and exit with 1 if a limit is exceeded.

The emulator runs in separate processes. Figures without a unit are ratios within one run, which depend little on the
speed of the machine.
"""

from pathlib import Path
import sys
import tempfile

from . import calls, devices, history, load, push


def main(directory: Path) -> int:
    """Run all benchmarks, and return an exit status."""
    verdicts = [
        *calls.measure(directory / "calls"),
        *load.measure(directory / "load"),
        *devices.measure(directory / "devices"),
        *push.measure(directory / "push"),
        *history.measure(directory / "history"),
    ]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(main(Path(name)))
