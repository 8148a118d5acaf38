"""The simulated devices: what they are, when they wake, and how their values change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import random
from typing import Any

from .history import humidity, temperature

VOLUME = (3424, 0, 1)
TEMPERATURE = (3303, 0, 5700)
HUMIDITY = (3304, 0, 5700)
LIGHT = (3311, 0, 5850)
BRIGHTNESS = (3311, 0, 5851)
TILT = (3408, 0, 2)
OPEN = (3408, 0, 3)
BATTERY = (3, 0, 9)
SIGNAL = (4, 0, 2)

type Resources = dict[tuple[int, int, int], Any]


@dataclass(frozen=True, kw_only=True)
class SimulatedDevice:
    """A device that wakes every `seconds`, measures, reports its values and takes its commands.

    `slug` is the beginning of the ids of its entities; `silence` is how long it has been silent when the demonstration
    starts; `measure` changes its values and returns what it reports, an empty text for nothing new.
    """

    imei: str
    title: str
    slug: str
    habit: str
    resources: Resources
    silence: timedelta
    seconds: int
    measure: Callable[[Resources], str]
    controls: tuple[str, ...] = ()


def _measure_water(resources: Resources) -> str:
    """Add a few litres."""
    resources[VOLUME] = round(resources[VOLUME] + random.randint(3, 18) / 1000, 3)  # noqa: S311 - not a secret
    return f"{resources[VOLUME]} m³"


def _measure_weather(resources: Resources) -> str:
    """Measure the temperature and the humidity of the air."""
    now = datetime.now(UTC)
    resources[TEMPERATURE] = round(temperature(now) + random.uniform(-0.2, 0.2), 1)  # noqa: S311 - not a secret
    resources[HUMIDITY] = round(humidity(now))
    return f"{resources[TEMPERATURE]} °C, {resources[HUMIDITY]} %"


def _move_cover(resources: Resources) -> str:
    """Open or close the cover."""
    resources[OPEN] = not resources[OPEN]
    resources[TILT] = 38 if resources[OPEN] else 0
    return "open" if resources[OPEN] else "closed"


METER = SimulatedDevice(
    imei="866971030000001",
    title="Water meter",
    slug="water_meter",
    habit="sleeps, and wakes every 60 seconds (a real one: once or twice a day)",
    resources={VOLUME: 128.734, (3424, 0, 10): False, BATTERY: 87, SIGNAL: -97},
    silence=timedelta(hours=12),
    seconds=60,
    measure=_measure_water,
)
THERMOMETER = SimulatedDevice(
    imei="866971030000002",
    title="Thermometer",
    slug="thermometer",
    habit="notifies OneNET of its values every 20 seconds",
    resources={
        TEMPERATURE: round(temperature(datetime.now(UTC)), 1),
        (3303, 0, 5701): "Cel",
        HUMIDITY: round(humidity(datetime.now(UTC))),
        BATTERY: 64,
    },
    silence=timedelta(minutes=1),
    seconds=20,
    measure=_measure_weather,
)
LAMP = SimulatedDevice(
    imei="866971030000003",
    title="Street lamp",
    slug="street_lamp",
    habit="sleeps, and wakes every 15 seconds; you can switch and dim it",
    resources={LIGHT: False, BRIGHTNESS: 80, SIGNAL: -88},
    silence=timedelta(minutes=20),
    seconds=15,
    measure=lambda _: "",
    controls=("3311/0/5850", "3311/0/5851"),
)
COVER = SimulatedDevice(
    imei="866971030000004",
    title="Manhole cover",
    slug="manhole_cover",
    habit="reports that it was opened or closed, every 45 seconds",
    resources={OPEN: False, TILT: 0, BATTERY: 78},
    silence=timedelta(hours=3),
    seconds=45,
    measure=_move_cover,
)
DEVICES = (METER, THERMOMETER, LAMP, COVER)
