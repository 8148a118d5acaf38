"""Fetch what OneNET kept while nobody polled, and write it into the statistics of the sensors."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.storage import Store

from .const import CONF_HISTORY_DAYS, DOMAIN, HISTORY_DAYS, LOGGER
from .devices import SIGNAL_GAP, Device, Devices
from .history_rows import Point, hour_of
from .lwm2m import ResourceSensorDescription, with_reported_unit
from .onenet.client import OneNetClient
from .onenet.errors import OneNetError
from .onenet.models import Datapoint
from .values import parse_number

RECORDER = "recorder"
_STORAGE_VERSION = 1
_SAVE_DELAY = 10
# Seconds between two requests in the background, and before another attempt.
PAUSE = 1
_RETRY_AFTER = 300
_ATTEMPTS_MAX = 20
_STATE_CLASSES = {SensorStateClass.MEASUREMENT, SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}


class Sensor(NamedTuple):
    """Hold the entity of a sensor, the units of its values and of its state, and what they mean.

    A value as the device reports it is multiplied by `factor`.
    """

    entity_id: str
    native_unit: str | None
    state_unit: str | None
    device_class: SensorDeviceClass | None
    state_class: SensorStateClass
    factor: float

    @property
    def is_total(self) -> bool:
        """Return whether the statistics have sums instead of means."""
        return self.state_class is not SensorStateClass.MEASUREMENT


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

    values: int = 0
    rows: int = 0
    failed: Counter[str] = field(default_factory=Counter)


class HistoryImporter:
    """Fetch the history of an account's devices in the background, one resource at a time.

    The jobs survive a restart of Home Assistant.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], client: OneNetClient, devices: Devices) -> None:
        """Create an importer without jobs."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._devices = devices
        self._store: Store[list[dict[str, Any]]] = async_history_store(hass, entry.entry_id)
        # By IMEI and path.
        self._jobs: dict[tuple[str, str], HistoryJob] = {}
        # When a job may be tried again, in the event loop's time.
        self._not_before: dict[tuple[str, str], float] = {}
        self._progress: dict[str, _Progress] = {}
        self._added = asyncio.Event()

    async def async_start(self) -> None:
        """Continue the stored jobs, and wait for gaps, if the recorder is set up."""
        if RECORDER not in self._hass.config.components:
            return
        for data in await self._store.async_load() or []:
            # Skip an unreadable job; its action can be called again.
            with suppress(KeyError, TypeError, ValueError):
                self._add(HistoryJob.from_dict(data))
        signal = SIGNAL_GAP.format(self._entry.entry_id)
        self._entry.async_on_unload(async_dispatcher_connect(self._hass, signal, self._async_gap))
        self._entry.async_on_unload(async_at_started(self._hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Work on the jobs now that Home Assistant has started."""
        self._entry.async_create_background_task(hass, self._async_run(), "OneNET history")

    @callback
    def _async_gap(self, device: Device, path: str, since: datetime | None) -> None:
        """Add a job for the values that are missing since a time, or for the past of a new resource."""
        if device.imei not in self._devices.added or sensor_description(device, path) is None:
            return
        now = self._client.now()
        if since is None:
            subentry = self._entry.subentries.get(device.subentry_id or "")
            since = now - timedelta(days=subentry.data.get(CONF_HISTORY_DAYS, HISTORY_DAYS) if subentry else 0)
        if hour_of(since) < hour_of(now):
            self._async_add(HistoryJob(imei=device.imei, path=path, start=since, until=hour_of(now)))

    @callback
    def async_request(self, imei: str, path: str, start: datetime) -> None:
        """Add a job that a user has requested, which goes before others."""
        until = hour_of(self._client.now())
        self._async_add(HistoryJob(imei=imei, path=path, start=start, until=until, is_requested=True))

    @callback
    def _async_add(self, job: HistoryJob) -> None:
        """Add a job and save it."""
        self._add(job)
        self._store.async_delay_save(self._as_rows, _SAVE_DELAY)

    def _add(self, job: HistoryJob) -> None:
        """Add a job, or extend the one of the same resource."""
        key = job.imei, job.path
        if (known := self._jobs.pop(key, None)) is not None:
            is_requested = known.is_requested or job.is_requested
            job = replace(job, start=min(job.start, known.start), is_requested=is_requested)
        self._jobs[key] = job
        self._not_before.pop(key, None)
        self._added.set()

    def _as_rows(self) -> list[dict[str, Any]]:
        """Return the jobs as JSON."""
        return [job.as_dict() for job in self._jobs.values()]

    def summary(self, imei: str | None = None) -> dict[str, Any]:
        """Return the progress of a device, or of all devices, for the diagnostics."""
        progress = [done for key, done in self._progress.items() if imei in (None, key)]
        failed: Counter[str] = sum((done.failed for done in progress), Counter())
        return {
            "waiting": sum(1 for key, _ in self._jobs if imei in (None, key)),
            "values": sum(done.values for done in progress),
            "rows": sum(done.rows for done in progress),
            "failed": dict(failed),
        }

    async def _async_run(self) -> None:
        """Work on the jobs, those that users have requested first, and wait for further ones."""
        count = 0
        while True:
            self._added.clear()
            now = self._hass.loop.time()
            ready = [key for key in self._jobs if self._not_before.get(key, now) <= now]
            if not ready:
                if count:
                    LOGGER.info("%s: fetched the history of %s resources: %s", self._entry.title, count, self.summary())
                count = 0
                next_at = min(self._not_before.values(), default=None)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(next_at):
                        await self._added.wait()
                continue
            if not count:
                LOGGER.info("%s: fetching the history of %s resources", self._entry.title, len(ready))
            count += 1
            key = next((key for key in ready if self._jobs[key].is_requested), ready[0])
            await self._async_work(key, self._jobs[key])
            await asyncio.sleep(PAUSE)

    async def _async_work(self, key: tuple[str, str], job: HistoryJob) -> None:
        """Work on a job; after an error or if it is too early, try it again later."""
        progress = self._progress.setdefault(job.imei, _Progress())
        try:
            done = await self._async_fill(job, progress)
        except OneNetError as err:
            progress.failed[err.kind] += 1
            LOGGER.debug("The history of a resource could not be fetched: %s", err)
            done = False
        except ValueError as err:
            # Nothing that another attempt would change.
            LOGGER.info("The history of a resource is left out: %s", err)
            done = True
        if self._jobs.get(key) is not job:
            # It was extended meanwhile.
            return
        if done or job.attempts >= _ATTEMPTS_MAX:
            del self._jobs[key]
            self._not_before.pop(key, None)
        else:
            self._jobs[key] = replace(job, attempts=job.attempts + 1)
            self._not_before[key] = self._hass.loop.time() + _RETRY_AFTER
        self._store.async_delay_save(self._as_rows, _SAVE_DELAY)

    async def _async_fill(self, job: HistoryJob, progress: _Progress) -> bool:
        """Fetch the history of a job and write its statistics; return False if it is too early."""
        device = self._devices.added.get(job.imei)
        sensor = None if device is None else self._sensor(device, job.path)
        if device is None or sensor is None:
            # It was removed or disabled meanwhile.
            return True
        # Imported only if the recorder is set up: it needs packages that not every installation has.
        from .history_statistics import async_fill_statistics  # noqa: PLC0415

        if device.key is None:
            return False
        datapoints = await self._client.get_history(device.key, job.path, start=job.start, end=self._client.now())
        points = [point for datapoint in datapoints if (point := _point(datapoint, sensor)) is not None]
        # What the recorder finds from then on, it compiles itself.
        points = [point for point in points if point.at < job.until]
        progress.values += len(points)
        if not points:
            return True
        rows = await async_fill_statistics(self._hass, sensor, points, job.until, replaces=not job.is_requested)
        progress.rows += rows or 0
        return rows is not None

    def _sensor(self, device: Device, path: str) -> Sensor | None:
        """Return the sensor of a resource, None if it has no entity with statistics."""
        if (description := sensor_description(device, path)) is None:
            return None
        unique_id = f"{self._entry.entry_id}_{device.imei}_{path}"
        entity_id = er.async_get(self._hass).async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id)
        state = None if entity_id is None else self._hass.states.get(entity_id)
        described, factor = with_reported_unit(description, device.reported_unit(description))
        if state is None or described.state_class not in _STATE_CLASSES:
            return None
        return Sensor(
            entity_id=state.entity_id,
            native_unit=described.native_unit_of_measurement,
            state_unit=state.attributes.get(ATTR_UNIT_OF_MEASUREMENT),
            device_class=described.device_class,
            state_class=SensorStateClass(described.state_class),
            factor=factor,
        )


def async_history_store(hass: HomeAssistant, entry_id: str) -> Store[list[dict[str, Any]]]:
    """Return the store of the jobs of an account."""
    return Store(hass, _STORAGE_VERSION, f"{DOMAIN}.history_{entry_id}")


def sensor_description(device: Device, path: str) -> ResourceSensorDescription | None:
    """Return the description of the sensor with statistics that shows a resource, None without one."""
    for description in device.descriptions:
        if isinstance(description, ResourceSensorDescription) and description.key == path:
            return description if description.state_class in _STATE_CLASSES else None
    return None


def _point(datapoint: Datapoint, sensor: Sensor) -> Point | None:
    """Return a value with its time, None if it is not a number."""
    value = parse_number(datapoint.value, sensor.factor)
    return None if value is None else Point(datapoint.measured_at, value)
