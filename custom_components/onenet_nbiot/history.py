"""Fetch the values that OneNET stored between polls, and write them into the statistics of the sensors."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple, Self

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, Platform
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.importlib import async_import_module
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.storage import Store

from .const import CONF_HISTORY_DAYS, DOMAIN, HISTORY_DAYS, LOGGER
from .devices import SIGNAL_GAP, Device, Devices
from .history_rows import Point, hour_of
from .lwm2m import ResourceSensorDescription, with_reported_unit
from .onenet.client import OneNetClient
from .onenet.errors import ErrorKind, OneNetError
from .onenet.models import Datapoint
from .timestamps import timestamp_path, with_timestamps
from .values import parse_number

RECORDER = "recorder"
_STORAGE_VERSION = 1
_SAVE_DELAY = 10
# Seconds between two requests in the background.
PAUSE = 1
# Seconds before another attempt, which doubles with each one: the last one is after about three days.
_RETRY_AFTER = 300
_RETRY_DOUBLINGS = 6
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
    """Hold which history of a resource is to be fetched: the full hours from `start` to `until`.

    `until` is when the job was created. `is_requested` is whether a user waits for it.
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
        self._is_started = False
        self._task: asyncio.Task[None] | None = None
        self._cancel_timer: CALLBACK_TYPE | None = None

    async def async_load(self) -> None:
        """Load the stored jobs, and add jobs for gaps from now on, if the recorder is set up."""
        if RECORDER not in self._hass.config.components:
            return
        # It requires the recorder, which not every installation has.
        await async_import_module(self._hass, f"{__package__}.history_statistics")
        for data in await self._store.async_load() or []:
            # Skip an unreadable job; its action can be called again.
            with suppress(KeyError, TypeError, ValueError):
                self._add(HistoryJob.from_dict(data))
        signal = SIGNAL_GAP.format(self._entry.entry_id)
        self._entry.async_on_unload(async_dispatcher_connect(self._hass, signal, self._async_gap))
        self._entry.async_on_unload(self._async_stop)

    @callback
    def async_start(self) -> None:
        """Work on the jobs once Home Assistant has started, now that the entities are set up."""
        if RECORDER not in self._hass.config.components:
            return
        self._entry.async_on_unload(async_at_started(self._hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Work on the jobs now that Home Assistant has started."""
        self._is_started = True
        self._async_wake()

    async def _async_stop(self) -> None:
        """Stop, and save the jobs for the next load of the account."""
        self._is_started = False
        self._async_cancel_timer()
        await self._store.async_save(self._as_rows())

    @callback
    def _async_cancel_timer(self) -> None:
        """Cancel the timer of the next attempt."""
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None

    @callback
    def _async_wake(self, now: datetime | None = None) -> None:
        """Work on the jobs in the background, unless that is in progress."""
        self._async_cancel_timer()
        if self._is_started and self._jobs and (self._task is None or self._task.done()):
            # Not before the entities have the values that this callback may be part of.
            self._task = self._entry.async_create_background_task(
                self._hass, self._async_run(), "OneNET history", eager_start=False
            )

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
            self._async_add(HistoryJob(imei=device.imei, path=path, start=since, until=now))

    @callback
    def async_request(self, imei: str, path: str, start: datetime) -> None:
        """Add a job that a user has requested, which goes before others."""
        until = self._client.now()
        self._async_add(HistoryJob(imei=imei, path=path, start=start, until=until, is_requested=True))

    @callback
    def _async_add(self, job: HistoryJob) -> None:
        """Add a job, save it and work on it."""
        self._add(job)
        self._store.async_delay_save(self._as_rows, _SAVE_DELAY)
        self._async_wake()

    def _add(self, job: HistoryJob) -> None:
        """Add a job, or extend the one of the same resource."""
        key = job.imei, job.path
        if (known := self._jobs.pop(key, None)) is not None:
            is_requested = known.is_requested or job.is_requested
            job = replace(job, start=min(job.start, known.start), is_requested=is_requested)
        self._jobs[key] = job
        self._not_before.pop(key, None)

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
        """Work on the jobs that are due, those that users have requested first, and schedule the next attempts."""
        count = 0
        while (key := self._next_due()) is not None:
            if not count:
                LOGGER.info("%s: fetching the history of %s resources", self._entry.title, len(self._jobs))
            count += 1
            if not await self._async_work(key, self._jobs[key]):
                # The other jobs would fail in the same way.
                self._async_schedule(_RETRY_AFTER)
                break
            await asyncio.sleep(PAUSE)
        else:
            if self._jobs:
                self._async_schedule(max(0, min(self._not_before.values()) - self._hass.loop.time()))
        if count:
            LOGGER.info("%s: fetched the history of %s resources: %s", self._entry.title, count, self.summary())

    def _next_due(self) -> tuple[str, str] | None:
        """Return the key of the next job, None if none is due."""
        now = self._hass.loop.time()
        due = [key for key in self._jobs if self._not_before.get(key, now) <= now]
        return min(due, key=lambda key: not self._jobs[key].is_requested, default=None)

    @callback
    def _async_schedule(self, delay: float) -> None:
        """Schedule further attempts after a delay in seconds."""
        self._cancel_timer = async_call_later(
            self._hass, delay, HassJob(self._async_wake, "OneNET history", cancel_on_shutdown=True)
        )

    async def _async_work(self, key: tuple[str, str], job: HistoryJob) -> bool:
        """Work on a job; after an error or if it is too early, try it again later.

        Return whether OneNET replied, and did not refuse the account.
        """
        progress = self._progress.setdefault(job.imei, _Progress())
        reached = True
        try:
            done = await self._async_fill(job, progress)
        except OneNetError as err:
            progress.failed[err.kind] += 1
            LOGGER.debug("The history of a resource could not be fetched: %s", err)
            done = False
            reached = err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide
        except ValueError as err:
            # Nothing that another attempt would change.
            LOGGER.info("The history of a resource is left out: %s", err)
            done = True
        except Exception:  # noqa: BLE001 - it is logged
            # A bug in one resource's history does not stop the others.
            LOGGER.exception("The history of a resource could not be written")
            done = True
        if self._jobs.get(key) is not job:
            # It was extended meanwhile.
            return reached
        if done or job.attempts >= _ATTEMPTS_MAX:
            del self._jobs[key]
            self._not_before.pop(key, None)
        else:
            self._jobs[key] = replace(job, attempts=job.attempts + 1)
            delay = _RETRY_AFTER * 2 ** min(job.attempts, _RETRY_DOUBLINGS)
            self._not_before[key] = self._hass.loop.time() + delay
        self._store.async_delay_save(self._as_rows, _SAVE_DELAY)
        return reached

    async def _async_fill(self, job: HistoryJob, progress: _Progress) -> bool:
        """Fetch the history of a job and write its statistics; return False if it is too early."""
        device = self._devices.added.get(job.imei)
        sensor = None if device is None else self._sensor(device, job.path)
        if device is None or sensor is None:
            # It was removed or disabled meanwhile.
            return True
        # Imported when the importer started.
        from .history_statistics import async_fill_statistics  # noqa: PLC0415

        if device.key is None:
            return False
        datapoints = await self._async_fetch(device, device.key, job)
        # Thousands of values would block the event loop.
        points = await self._hass.async_add_executor_job(_points, datapoints, job, sensor.factor)
        progress.values += len(points)
        if not points:
            return True
        until = hour_of(job.until)
        rows = await async_fill_statistics(self._hass, sensor, points, until, replaces=not job.is_requested)
        progress.rows += rows or 0
        return rows is not None

    async def _async_fetch(self, device: Device, key: str, job: HistoryJob) -> list[Datapoint]:
        """Fetch the values of a job, and the times at which they were measured if the device reports these."""
        end = self._client.now()
        datapoints = await self._client.get_history(key, job.path, start=job.start, end=end)
        reading = device.readings.get(job.path)
        if reading is not None and reading.arrived_at is not None:
            await asyncio.sleep(PAUSE)
            datapoints += await self._client.get_history(key, timestamp_path(job.path), start=job.start, end=end)
        return datapoints

    def _sensor(self, device: Device, path: str) -> Sensor | None:
        """Return the sensor of a resource, None if it has no entity with statistics."""
        if (description := sensor_description(device, path)) is None:
            return None
        entity = sensor_entity(self._hass, self._entry.entry_id, device.imei, path)
        state = None if entity is None else self._hass.states.get(entity.entity_id)
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


@callback
def sensor_entity(hass: HomeAssistant, entry_id: str, imei: str, path: str) -> er.RegistryEntry | None:
    """Return the entity of the sensor that shows a resource, None without one."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id(Platform.SENSOR, DOMAIN, f"{entry_id}_{imei}_{path}")
    return None if entity_id is None else registry.async_get(entity_id)


def _points(datapoints: Sequence[Datapoint], job: HistoryJob, factor: float) -> list[Point]:
    """Return the values of a job that are numbers, the oldest first."""
    points = []
    for datapoint in with_timestamps(datapoints):
        at = datapoint.timestamp or datapoint.measured_at
        if datapoint.path == job.path and at <= job.until:
            value = parse_number(datapoint.value, factor)
            points += [] if value is None else [Point(at, value)]
    return sorted(points, key=attrgetter("at"))
