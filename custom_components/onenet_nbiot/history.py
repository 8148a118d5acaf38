"""Fetch what OneNET kept while nobody polled, and write it into the statistics of the sensors."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Self

from homeassistant.components.sensor import SensorStateClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.signal_type import SignalTypeFormat

from .const import CONF_HISTORY_DAYS, DOMAIN, HISTORY_DAYS, LOGGER
from .devices import Device, Devices
from .history_rows import Point, hour_of
from .lwm2m import ResourceSensorDescription, reported_unit, with_reported_unit
from .onenet.client import HISTORY_MAX, OneNetClient
from .onenet.errors import OneNetError
from .onenet.models import Datapoint
from .values import parse_number

# The values of a resource of a device may be missing between two times, the first of which is None for a new resource.
SIGNAL_GAP: SignalTypeFormat[Device, str, datetime | None] = SignalTypeFormat(f"{DOMAIN}_gap_{{}}")

_STORAGE_VERSION = 1
_SAVE_DELAY = 10
# Seconds between two requests in the background, and before another attempt.
PAUSE = 1
_RETRY_AFTER = 300
_ATTEMPTS_MAX = 20
_STATE_CLASSES = {SensorStateClass.MEASUREMENT, SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryJob:
    """Hold which history of a resource is to be fetched: from `start` until the hour of `until`.

    `is_requested` is whether a user waits for it.
    """

    imei: str
    path: str
    start: datetime
    until: datetime
    is_requested: bool = False
    attempts: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return a stored job."""
        times = {name: datetime.fromisoformat(data[name]) for name in ("start", "until")}
        return cls(**{**data, **times})

    def as_dict(self) -> dict[str, Any]:
        """Return the job as JSON."""
        return {
            "imei": self.imei,
            "path": self.path,
            "start": self.start.isoformat(),
            "until": self.until.isoformat(),
            "is_requested": self.is_requested,
            "attempts": self.attempts,
        }


@dataclass(slots=True)
class _Progress:
    """Hold the progress of a device's history for the diagnostics."""

    fetched: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
