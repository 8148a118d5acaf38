"""A simulated past: hourly statistics of water, temperature and humidity, which look like those of a household."""

from collections.abc import Callable
from datetime import datetime, timedelta
import math
import random
from typing import Any

from tests.emulator import BEIJING

DAYS = 40
# Litres in each hour of a day.
_LITRES = (1, 0, 0, 0, 1, 4, 22, 31, 16, 6, 5, 9, 15, 8, 4, 4, 7, 14, 26, 29, 21, 17, 9, 3)
_SATURDAY = 5


def temperature(moment: datetime) -> float:
    """Return the temperature of the air, which is highest in the afternoon."""
    local = moment.astimezone(BEIJING)
    hour = local.hour + local.minute / 60
    day = local.toordinal() + hour / 24
    weather = 3 * math.sin(day / 1.7) + 2 * math.sin(day / 4.3) + 0.4 * math.sin(day * 23)
    return 12 + weather + 4 * math.cos((hour - 15) / 12 * math.pi)


def humidity(moment: datetime) -> float:
    """Return the relative humidity, which falls while the temperature rises."""
    return max(30, min(98, 103 - 2.6 * temperature(moment)))


def _litres(hour: datetime) -> float:
    """Return the consumption of an hour, the same in every demonstration."""
    local = hour.astimezone(BEIJING)
    weekend = 1.3 if local.weekday() >= _SATURDAY else 1
    # The hour is the seed.
    chance = random.Random(int(hour.timestamp()))  # noqa: S311 - not a secret
    return round(_LITRES[local.hour] * weekend * chance.uniform(0.3, 1.7))


def _hours(now: datetime) -> list[datetime]:
    """Return the starts of the past hours, the latest first."""
    latest = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return [latest - timedelta(hours=number) for number in range(DAYS * 24)]


def water_statistics(volume: float, now: datetime) -> list[dict[str, Any]]:
    """Return the volumes and the sums of the past hours, of a meter that shows this volume now.

    The sums end at 0, since the recorder starts its own sum of a new sensor at 0. Only the very first hour then has a
    wrong change.
    """
    rows, litres = [], 0.0
    for hour in _hours(now):
        state = round(volume - litres / 1000, 3)
        rows.append({"start": hour.isoformat(), "state": state, "sum": round(-litres / 1000, 3)})
        litres += _litres(hour)
    return rows[::-1]


def mean_statistics(measure: Callable[[datetime], float], now: datetime) -> list[dict[str, Any]]:
    """Return the mean, the lowest and the highest value of the past hours."""
    rows = []
    for hour in _hours(now):
        values = [measure(hour + timedelta(minutes=minutes)) for minutes in range(0, 60, 15)]
        row = {"mean": sum(values) / len(values), "min": min(values) - 0.1, "max": max(values) + 0.1}
        rows.append({"start": hour.isoformat()} | {name: round(value, 2) for name, value in row.items()})
    return rows[::-1]
