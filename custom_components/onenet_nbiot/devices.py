"""The devices of an account: their presence and their readings."""

from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.json import json_loads_object
from homeassistant.util.signal_type import SignalType, SignalTypeFormat

from .const import (
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_VALUE,
    CONF_AT_ONCE,
    CONF_CONTROLS,
    CONF_KIND,
    CONF_ONENET_ID,
    CONF_OVERDUE_AFTER,
    CONF_PLATFORM,
    CONF_RESOURCES,
    DOMAIN,
    LOGGER,
)
from .lwm2m import DeviceKind, ResourceDescription, describe, describe_entities
from .onenet.models import Datapoint, Opaque, Presence, Resource
from .onenet.operations import WAITING_MAX, Read
from .onenet.platforms import LEGACY
from .store import CommandStore
from .timestamps import with_timestamps

# Besides the paths of resources, what SIGNAL_CHANGED can name.
AVAILABILITY: Final = "availability"
PRESENCE: Final = "presence"
OVERDUE: Final = "overdue"
WAKE: Final = "wake"
NEVER: Final = datetime.min.replace(tzinfo=UTC)
# Loops over devices yield to the event loop after this many.
BATCH_SIZE: Final = 50
# How long a device is usually silent is learned from this many of its latest silences, of at least this length: shorter
# ones are within one wake-up. After such a silence, the device wakes up.
_SILENCES_MIN = 3
_SILENCES_MAX = 8
_SILENCE_MIN = timedelta(minutes=10)
# A device that has just woken up may send values of former hours one after the other.
_WAKE_MIN = timedelta(minutes=5)
# A device is overdue after its longest usual silence times this factor, but not before an hour. Of at least this many
# silences, the longest is not usual: it may be an outage.
_OUTLIER_MIN = 4
_OVERDUE_FACTOR = 1.5
_OVERDUE_MIN = timedelta(hours=1)
# The resources of the object Device that Home Assistant's device registry shows, with its names for them.
_IDENTITY: Final = {"3/0/0": "manufacturer", "3/0/1": "model", "3/0/3": "sw_version", "3/0/18": "hw_version"}
_SHORT_TEXT_MAX = 100
# The presence that OneNET's calls return may be this old.
_PRESENCE_LAG = timedelta(minutes=1)
# A device is missing if OneNET did not find it in two lookups at least this far apart.
_MISSING_AFTER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Hold the newest value of a resource and the time of its measurement.

    For a measuring time in the future, `measured_at` is the time of arrival, so that later values replace this one.
    `future_time` is the last such time that OneNET reported for the resource; another value with it is ignored.
    `arrived_at` is when OneNET received the value, if the device has reported another time for `measured_at`.
    """

    value: Any = field(repr=False)
    measured_at: datetime
    future_time: datetime | None = None
    arrived_at: datetime | None = None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Return the reading of a row; raise TypeError or ValueError for an invalid row."""
        value, measured_at, *more = row
        defaults: tuple[Any, ...] = (None, False, None)
        future_time, opaque, arrived_at = (*more, *defaults[len(more) :])
        return cls(
            value=Opaque(value) if opaque else value,
            measured_at=datetime.fromisoformat(measured_at),
            future_time=_moment(future_time),
            arrived_at=_moment(arrived_at),
        )

    def as_row(self) -> tuple[Any, ...]:
        """Return the row, without the last members if they have their defaults."""
        opaque = isinstance(self.value, Opaque)
        row = self.value, self.measured_at, self.future_time, opaque, self.arrived_at
        if self.arrived_at is not None:
            return row
        return row[:4] if opaque or self.future_time else row[:2]

    @property
    def received_at(self) -> datetime:
        """Return when OneNET received the value, by which its order with other values is known."""
        return self.arrived_at or self.measured_at

    def is_replaced_by(self, datapoint: Datapoint) -> bool:
        """Return whether a datapoint is newer than this reading."""
        at, timestamp = datapoint.measured_at, datapoint.timestamp
        if at == self.received_at:
            # Values that a device sent together, or whose timestamp arrived separately.
            return timestamp is not None and (self.arrived_at is None or timestamp > self.measured_at)
        if timestamp is not None and self.arrived_at is not None and timestamp < self.measured_at:
            # The device may send former values after the newest one. Later, it is rather a clock that was set back.
            return at - self.arrived_at >= _WAKE_MIN
        return self.received_at < at != self.future_time


@dataclass(kw_only=True, slots=True)
class PlatformUpdate:
    """Hold OneNET's data of a device: its newest values if `values_known`, and its presence if `presence_known`.

    `online` is None if OneNET does not return it, `last_time` is when the device was last online, `polled_at` when its
    commands were last polled, `now` the platform's time.
    """

    datapoints: Sequence[Datapoint]
    polled_at: datetime
    now: datetime
    values_known: bool = True
    presence_known: bool = False
    online: bool | None = None
    last_time: datetime | None = None


# Home Assistant logs the arguments of a signal whose receiver fails: the representation has no IMEI and no value.
@dataclass(kw_only=True, slots=True, eq=False, repr=False)
class Device:
    """Hold the state of a device; the first group of fields, as JSON, is a row of the store.

    `key` identifies the device in the calls of `platform` about several devices. `newest` is when it sent its newest
    datapoint, `last_seen` when it last sent anything. `active_since_poll` is whether it sent anything or changed its
    presence since its commands were last polled, `missing` whether the account no longer has it.

    `presence_at` is a time at which `online` is known to be right: a push with an older presence is late.

    `silences` are the latest times between two wake-ups of the device, in seconds. `overdue_after` is how long the user
    expects it to be silent, None to learn that. `observed_since` is when it was first polled after the account was
    loaded: how often it was seen before is not known.

    `is_overdue` is whether it is overdue, None while that is not known; `was_overdue` is the last known value.
    `woke_at` is when it was last noticed that the device woke up.

    `last_lookup` is when it was last looked up by IMEI, `not_found_since` when OneNET first did not find it. The others
    are set for a device that was added to Home Assistant: `descriptions` are those of its entities, `tracked_paths` the
    resources that these depend on and those of the device's identity, and `at_once` is whether controls are sent
    immediately while the device answers. `polled_at` is when its values were last polled, and `followed_paths` are the
    resources of which no value is missing since.
    """

    key: str | None = None
    online: bool | None = None
    newest: datetime | None = None
    last_seen: datetime | None = None
    active_since_poll: bool = False
    missing: bool = False
    platform: str = LEGACY.name
    presence_at: datetime | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    silences: list[float] = field(default_factory=list)
    was_added: bool = False
    was_overdue: bool | None = None

    imei: str
    subentry_id: str = ""
    title: str = ""
    device_id: str = ""
    kind: DeviceKind = DeviceKind.OTHER
    last_lookup: datetime = NEVER
    not_found_since: datetime | None = None
    at_once: bool = False
    descriptions: tuple[ResourceDescription, ...] = ()
    tracked_paths: frozenset[str] = frozenset()
    overdue_after: timedelta | None = None
    observed_since: datetime | None = None
    polled_at: datetime | None = None
    followed_paths: set[str] = field(default_factory=set)
    is_last_seen_current: bool = False
    is_overdue: bool | None = None
    woke_at: datetime | None = None

    @classmethod
    def from_row(cls, imei: str, row: bytes) -> Self:
        """Return the device of a row; raise AttributeError, TypeError or ValueError for an invalid row."""
        data: dict[str, Any] = json_loads_object(row)
        return cls(
            imei=imei,
            key=data.get("id"),
            online=data.get("online"),
            newest=_moment(data.get("newest")),
            last_seen=_moment(data.get("last_seen")),
            active_since_poll=bool(data.get("moved")),
            missing=bool(data.get("gone")),
            # Rows without a platform are from a version that only supported this one.
            platform=data.get("platform", LEGACY.name),
            presence_at=_moment(data.get("presence_at")),
            readings={path: Reading.from_row(reading) for path, reading in data.get("readings", {}).items()},
            silences=[float(seconds) for seconds in data.get("silences", [])],
            was_added=bool(data.get("added")),
            was_overdue=data.get("overdue"),
        )

    def as_row(self) -> dict[str, Any]:
        """Return the row of the store."""
        return {
            "id": self.key,
            "online": self.online,
            "newest": self.newest,
            "last_seen": self.last_seen,
            "moved": self.active_since_poll,
            "gone": self.missing,
            "platform": self.platform,
            "presence_at": self.presence_at,
            "readings": {path: reading.as_row() for path, reading in self.readings.items()},
            "silences": self.silences,
            "added": self.was_added,
            "overdue": self.was_overdue,
        }

    @property
    def overdue_at(self) -> datetime | None:
        """Return when the device is overdue unless it is seen before; None if that is not known yet."""
        after = self.overdue_after
        if after is None and len(self.silences) >= _SILENCES_MIN:
            longest = sorted(self.silences)[-2 if len(self.silences) >= _OUTLIER_MIN else -1]
            after = max(_OVERDUE_MIN, _OVERDUE_FACTOR * timedelta(seconds=longest))
        return None if after is None or self.last_seen is None else self.last_seen + after

    def set_presence(self, at: datetime, now: datetime, *, online: bool | None) -> bool:
        """Set the presence at a time, unless it is known at that time or later; return whether it was set."""
        # A time in the future is that of a wrong clock.
        if self.presence_at is not None and at <= self.presence_at <= now:
            return False
        self.online, self.presence_at = online, at
        return True

    def update_readings(
        self, datapoints: Iterable[Datapoint], now: datetime, *, is_confirmed: bool = False
    ) -> tuple[set[str], dict[str, datetime | None]]:
        """Store the datapoints that are newer than the readings, and return the paths of their resources.

        Also return those of which values may be missing, and since when; None is for a first value. `is_confirmed` is
        whether they are values of a command, which may replace those of the same time.
        """
        changed: set[str] = set()
        gaps: dict[str, datetime | None] = {}
        for datapoint in with_timestamps(datapoints):
            path, at = datapoint.path, datapoint.measured_at
            if path not in self.tracked_paths:
                continue
            known = self.readings.get(path) or Reading(value=None, measured_at=NEVER)
            # Of several commands that were confirmed in the same second, the last one counts.
            is_corrected = is_confirmed and at == known.received_at and datapoint.value != known.value
            if is_corrected or known.is_replaced_by(datapoint):
                self.readings[path] = Reading(
                    value=datapoint.value,
                    measured_at=min(datapoint.timestamp or at, now),
                    future_time=at if at > now else known.future_time,
                    arrived_at=min(at, now) if datapoint.timestamp else None,
                )
                changed.add(path)
                if path not in self.followed_paths:
                    self.followed_paths.add(path)
                    gaps[path] = None if known.measured_at == NEVER else known.received_at
        return changed, gaps

    def update_last_seen(self, at: datetime | None, now: datetime, *, wakes: bool = True) -> set[str]:
        """Update when the device was last seen, as it is known now, and return the resulting changes."""
        if at is None or (self.last_seen is not None and at <= self.last_seen):
            return set()
        before, observed_since = self.last_seen, self.observed_since
        self.last_seen = at
        if observed_since is None or (before is not None and at - before < _SILENCE_MIN):
            return {PRESENCE}
        if before is not None and before >= observed_since:
            self.silences = [*self.silences, (at - before).total_seconds()][-_SILENCES_MAX:]
        # What the first poll finds is old, except for a device that was seen just before, which is still awake.
        since = observed_since if before is None else observed_since - _SILENCE_MIN
        if not wakes or at <= since or (self.woke_at is not None and now - self.woke_at < _WAKE_MIN):
            return {PRESENCE}
        self.woke_at = now
        return {PRESENCE, WAKE}

    def identity(self) -> dict[str, str]:
        """Return the manufacturer, model and versions that the device has reported, by the device registry's names."""
        readings = ((name, self.readings.get(path)) for path, name in _IDENTITY.items())
        texts = ((name, short_text(reading.value)) for name, reading in readings if reading is not None)
        return {name: text for name, text in texts if text is not None}

    def reported_unit(self, description: ResourceDescription) -> str:
        """Return the unit of a resource as the device reports it, empty without one."""
        reading = self.readings.get(description.unit_path)
        value = reading and reading.value
        return value.strip() if isinstance(value, str) and not isinstance(value, Opaque) else ""

    def reads(self, keys: AbstractSet[str] | None = None) -> list[Read]:
        """Return the reads that fetch what the entities show, or those with these keys.

        There is one for each object instance, or one for each object if OneNET's queue for a device has too few places.
        A key that is not that of a resource's entity stands for the whole device.
        """
        shown = self.descriptions
        if keys is not None and keys <= {description.key for description in shown}:
            shown = tuple(description for description in shown if description.key in keys)
        instances: dict[tuple[int, int], list[Resource]] = {}
        for path in dict.fromkeys(path for description in shown for path in description.read_paths):
            resource = Resource.from_path(path)
            instances.setdefault((resource.obj_id, resource.obj_inst_id), []).append(resource)
        if len(instances) > WAITING_MAX:
            return [Read(imei=self.imei, obj_id=obj_id) for obj_id in dict.fromkeys(obj_id for obj_id, _ in instances)]
        return [
            Read(
                imei=self.imei,
                obj_id=obj_id,
                obj_inst_id=obj_inst_id,
                # While the unit of a value is unknown, read both together.
                res_id=resources[0].res_id
                if len(resources) == 1 and describe(resources[0].path).unit_path in {"", *self.readings}
                else None,
            )
            for (obj_id, obj_inst_id), resources in instances.items()
        ]


def _moment(text: str | None) -> datetime | None:
    """Return the time from a row, None for none."""
    return None if text is None else datetime.fromisoformat(text)


def short_text(value: Any) -> str | None:
    """Return a text in one line without surrounding whitespace; None if it is empty or long, and for anything else."""
    if not isinstance(value, str) or isinstance(value, Opaque):
        return None
    # Firmware may send the zero at the end of a text.
    text = value.strip("\0 \t\r\n")
    return text if 0 < len(text) <= _SHORT_TEXT_MAX and text.isprintable() else None


# The changes of a device: paths of resources, PRESENCE, OVERDUE, WAKE, AVAILABILITY.
SIGNAL_CHANGED: SignalTypeFormat[set[str]] = SignalTypeFormat(f"{DOMAIN}_changed_{{}}")
# Values of a resource of a device may be missing since a time, which is None if the resource had no value before.
SIGNAL_GAP: SignalTypeFormat[Device, str, datetime | None] = SignalTypeFormat(f"{DOMAIN}_gap_{{}}")
# The presence of an account's device, or its availability, may have changed; sent after SIGNAL_CHANGED.
SIGNAL_PRESENCE: SignalTypeFormat[Device] = SignalTypeFormat(f"{DOMAIN}_presence_{{}}")
# An added device of the account with this id woke up, or became overdue; sent after its entities were updated.
SIGNAL_WAKE: SignalType[str, Device] = SignalType(f"{DOMAIN}_wake")
SIGNAL_OVERDUE: SignalType[str, Device] = SignalType(f"{DOMAIN}_overdue")
# A device of an account has reported its manufacturer, its model or a version.
SIGNAL_IDENTITY: SignalTypeFormat[Device] = SignalTypeFormat(f"{DOMAIN}_identity_{{}}")


class Addition(NamedTuple):
    """Hold a device, the descriptions of its new entities, and whether the device itself is new.

    `needs_reload` is whether descriptions of present entities have changed, which entities keep.
    """

    device: Device
    descriptions: Sequence[ResourceDescription]
    is_new: bool
    needs_reload: bool = False


# What a push brings of a device.
type News = Datapoint | Presence


class Devices:
    """Hold the devices of an account: those that were added to Home Assistant, and those with commands.

    Like the commands, they outlive reloads of the config entry.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, store: CommandStore) -> None:
        """Create a collection without devices."""
        self.added: dict[str, Device] = {}
        self._known: dict[str, Device] = {}
        # Devices by key; None after a change of a key.
        self._by_key: dict[str, Device] | None = None
        self._hass = hass
        self._entry_id = entry_id
        self._store = store
        self._platform = LEGACY.name
        self._removed = False
        # Values may be missing between two polls that are further apart.
        self.gap_after = timedelta()

    async def async_load(self) -> None:
        """Load the stored devices."""
        unknown: set[str] = set()
        for imei, row in await self._hass.async_add_executor_job(self._store.load_devices, self._entry_id):
            # Skip an unreadable row; the next poll restores it.
            with suppress(AttributeError, TypeError, ValueError):
                device = self._known[imei] = Device.from_row(imei, row)
                unknown |= json_loads_object(row).keys() - device.as_row().keys()
        if unknown:
            LOGGER.info("Unknown fields of stored devices are ignored: %s", sorted(unknown))

    def get(self, imei: str) -> Device:
        """Return the device with an IMEI, a new one if it is unknown."""
        if (device := self._known.get(imei)) is None:
            device = self._known[imei] = Device(imei=imei, platform=self._platform)
        return device

    @callback
    def async_prune(self, imeis: AbstractSet[str]) -> None:
        """Delete the devices that were not added to Home Assistant, except those with these IMEIs."""
        for imei in [imei for imei in self._known if imei not in self.added and imei not in imeis]:
            del self._known[imei]
            self._by_key = None
            self._store.async_delete_device(self._entry_id, imei)

    def find(self, imei: str | None, key: str | None) -> Device | None:
        """Return the known device with an IMEI, or without one, that with a key; None if it is unknown."""
        if imei is not None:
            return self._known.get(imei)
        if self._by_key is None:
            self._by_key = {device.key: device for device in self._known.values() if device.key is not None}
        return None if key is None else self._by_key.get(key)

    def device_id(self, imei: str) -> str | None:
        """Return the Home Assistant device id of an added device, None for another one."""
        return self.added[imei].device_id if imei in self.added else None

    def summary(self) -> dict[str, Any]:
        """Return counts for the diagnostics."""
        added = self.added.values()
        return {
            "known": len(self._known),
            "added": len(added),
            "with_key": sum(1 for device in added if device.key is not None),
            "online": sum(1 for device in added if device.online),
            "missing": sum(1 for device in added if device.missing),
        }

    def signal(self, imei: str) -> SignalType[set[str]]:
        """Return the dispatcher signal for changes of a device."""
        return SIGNAL_CHANGED.format(f"{self._entry_id}_{imei}")

    @callback
    def async_set_unreachable(self) -> None:
        """Record that OneNET is unreachable: devices may be seen meanwhile."""
        for device in self.added.values():
            device.is_last_seen_current = False

    @callback
    def async_set_platform(self, platform: str) -> None:
        """Set the platform of an account that is loaded, and reset keys and presence from another platform."""
        self._platform = platform
        for device in self._known.values():
            # It was not polled while the account was not loaded.
            device.observed_since = device.is_overdue = None
            device.followed_paths.clear()
            device.is_last_seen_current = False
            if device.platform != platform:
                self.async_reset_key(device)
                device.online, device.platform, device.not_found_since = None, platform, None
                device.presence_at = None

    @callback
    def async_add(self, imei: str, subentry: ConfigSubentry) -> Addition | None:
        """Add a device with the resources of its subentry, or update it; return what was added, None for no change.

        The caller registers the device, and sets its `device_id`.
        """
        data = subentry.data
        device = self.get(imei)
        is_new = imei not in self.added
        seconds = data.get(CONF_OVERDUE_AFTER)
        overdue_after = None if seconds is None else timedelta(seconds=seconds)
        kind = DeviceKind(data.get(CONF_KIND, DeviceKind.OTHER))
        at_once = data.get(CONF_AT_ONCE, False)
        descriptions = describe_entities(tuple(data[CONF_RESOURCES]), tuple(data.get(CONF_CONTROLS, ())), kind)
        selected = subentry.title, kind, at_once, descriptions, overdue_after
        if not is_new and selected == (
            device.title,
            device.kind,
            device.at_once,
            device.descriptions,
            device.overdue_after,
        ):
            return None
        if device.overdue_after != overdue_after:
            device.overdue_after = overdue_after
            self.async_notify_entities(device, {PRESENCE})
        present = set() if is_new else {description.entity for description in device.descriptions}
        added = [description for description in descriptions if description.entity not in present]
        changed = [description for description in descriptions if description not in (*device.descriptions, *added)]
        if device.key is None and is_new and data.get(CONF_PLATFORM) == self._platform:
            device.key = data.get(CONF_ONENET_ID)
            self._by_key = None
        device.kind, device.at_once, device.descriptions = kind, at_once, descriptions
        device.subentry_id, device.title = subentry.subentry_id, subentry.title
        device.tracked_paths = frozenset(_IDENTITY).union(*(description.paths for description in descriptions))
        device.readings = {path: reading for path, reading in device.readings.items() if path in device.tracked_paths}
        device.followed_paths &= device.tracked_paths
        self.added[imei] = device
        if not device.was_added:
            device.was_added = True
            self.async_save(device)
        return Addition(device, added, is_new, needs_reload=bool(changed))

    @callback
    def async_delete_removed(self, subentry_ids: Mapping[str, str]) -> set[str]:
        """Delete the devices that were removed from Home Assistant, and return their IMEIs.

        `subentry_ids` are those of the others, by IMEI.
        """
        removed = set()
        for device in list(self._known.values()):
            subentry_id = subentry_ids.get(device.imei)
            if device.imei in self.added:
                # A device that was removed and added again starts without readings.
                is_removed = subentry_id != device.subentry_id
            else:
                # The device was removed while the account was not loaded.
                is_removed = subentry_id is None and (
                    device.was_added or bool(device.readings or device.silences or device.missing)
                )
            if is_removed:
                removed.add(device.imei)
                self.added.pop(device.imei, None)
                del self._known[device.imei]
                self._by_key = None
                if not self._removed:
                    self._store.async_delete_device(self._entry_id, device.imei)
        return removed

    @callback
    def async_remove(self) -> None:
        """Delete the added devices, since the account was removed, and save nothing from now on."""
        self._removed = True
        self.async_delete_removed({})

    @callback
    def async_save(self, device: Device) -> None:
        """Save a device, unless it was removed meanwhile."""
        if not self._removed and self._known.get(device.imei) is device:
            self._store.async_save_device(self._entry_id, device.imei, device.as_row())

    @callback
    def async_update_from_platform(self, device: Device, update: PlatformUpdate) -> set[str]:
        """Update a device from OneNET's data, save it, and notify its entities; return the changes."""
        is_first = device.observed_since is None
        device.observed_since = device.observed_since or update.now
        device.is_last_seen_current = update.values_known
        newest = max((datapoint.measured_at for datapoint in update.datapoints), default=None)
        if update.datapoints:
            self._check_gap(device, update.now)
            device.polled_at = update.now
        changed = self._update_readings(device, update.datapoints, update.now)
        # A push or a read may bring an old value, a poll brings the newest ones.
        device.followed_paths |= device.tracked_paths & {datapoint.path for datapoint in update.datapoints}
        sent = bool(changed) or newest not in (None, device.newest)
        seen = max((min(at, update.now) for at in (newest, update.last_time) if at is not None), default=None)
        later = seen is not None and (device.last_seen is None or seen > device.last_seen)
        if device.online is None and device.newest is None:
            # Without former values to compare, the device was active if it sent something after that poll.
            active = seen is not None and seen > update.polled_at
        else:
            flipped = update.presence_known and None not in (update.online, device.online)
            active = sent or later or (flipped and update.online is not device.online)
            observed = device.presence_at is not None and device.presence_at >= device.observed_since - _PRESENCE_LAG
            if flipped and observed and update.online and not device.online and not later:
                # The reply has no time: the device went online between two polls.
                seen = update.now - _PRESENCE_LAG
        # The time of a device that went offline is that when its registration ended.
        went_offline = bool(device.online and update.presence_known and update.online is False and not sent)
        changed |= device.update_last_seen(seen, update.now, wakes=not went_offline)
        if is_first:
            changed.add(PRESENCE)
        was_online = device.online
        if update.presence_known:
            device.set_presence(update.now - _PRESENCE_LAG, update.now, online=update.online)
        if device.online is not was_online:
            changed.add(PRESENCE)
        device.newest = newest or device.newest
        device.active_since_poll = device.active_since_poll or active
        if changed or sent or active:
            self.async_save(device)
        self.async_notify_entities(device, changed)
        return changed

    @callback
    def async_update_from_read(self, imei: str, values: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Update an added device from confirmed values, which have the form of an event's values."""
        if (device := self.added.get(imei)) is None:
            return
        # The first of several resource instances is the value of the resource.
        newest = {_path(value): value[ATTR_VALUE] for value in reversed(list(values))}
        datapoints = [Datapoint(path=path, value=value, measured_at=at) for path, value in newest.items()]
        self._check_gap(device, at)
        changed = self._update_readings(device, datapoints, at, is_confirmed=True)
        self._async_save_and_notify(device, changed | device.update_last_seen(at, at))

    def update_from_push(self, device: Device, news: Sequence[News], now: datetime) -> tuple[set[str], bool]:
        """Update a known device from a push in memory only; the caller saves it, then notifies its entities.

        Return the changes, and whether the device was active. What is not newer than the known state has no effect.
        """
        datapoints = [item for item in news if isinstance(item, Datapoint)]
        self._check_gap(device, now)
        changed = self._update_readings(device, datapoints, now)
        seen = [min(datapoint.measured_at, now) for datapoint in datapoints]
        newest = max((datapoint.measured_at for datapoint in datapoints), default=None)
        # A time in the future, of a device with a wrong clock, is not comparable.
        active = newest not in (None, device.newest) and (
            device.newest is None or device.newest > now or newest > device.newest
        )
        if active:
            device.newest = newest
        was_online = device.online
        for presence in (item for item in news if isinstance(item, Presence)):
            if device.set_presence(at := min(presence.time, now), now, online=presence.online) and presence.online:
                active = True
                seen.append(at)
        if device.online is not was_online:
            changed.add(PRESENCE)
        device.active_since_poll = device.active_since_poll or active
        return changed | device.update_last_seen(max(seen, default=None), now), active

    @callback
    def async_set_found(self, device: Device, key: str | None = None) -> None:
        """Mark a device as found, and set its key."""
        device.not_found_since = None
        if key is not None and key != device.key:
            device.key, device.platform = key, self._platform
            self._by_key = None
            self.async_save(device)
        self._async_set_missing(device, missing=False)

    @callback
    def async_reset_key(self, device: Device) -> None:
        """Reset the key of a device, so that it is looked up again."""
        device.key, device.last_lookup = None, NEVER
        self._by_key = None

    @callback
    def async_set_polled(self, imei: str) -> None:
        """Mark a device as inactive since its commands were polled."""
        if (device := self._known.get(imei)) is not None and device.active_since_poll:
            device.active_since_poll = False
            self.async_save(device)

    @callback
    def async_set_not_found(self, device: Device, now: datetime) -> None:
        """Record that OneNET did not find a device, and mark it as missing if that lasts for an hour."""
        device.not_found_since = device.not_found_since or now
        if now - device.not_found_since >= _MISSING_AFTER:
            self._async_set_missing(device, missing=True)

    @callback
    def _async_set_missing(self, device: Device, *, missing: bool) -> None:
        """Mark an added device as missing or not; on a change, save it and notify its entities."""
        if missing is not device.missing and self.added.get(device.imei) is device:
            device.missing = missing
            self._async_save_and_notify(device, {AVAILABILITY})

    def _update_readings(
        self, device: Device, datapoints: Iterable[Datapoint], now: datetime, *, is_confirmed: bool = False
    ) -> set[str]:
        """Update the readings of a device, publish the gaps, and return the paths of the changed resources."""
        changed, gaps = device.update_readings(datapoints, now, is_confirmed=is_confirmed)
        for path, since in gaps.items():
            async_dispatcher_send(self._hass, SIGNAL_GAP.format(self._entry_id), device, path, since)
        return changed

    def _check_gap(self, device: Device, now: datetime) -> None:
        """Expect missing values if a device was not polled for a while."""
        if device.polled_at is not None and now - device.polled_at > self.gap_after:
            device.followed_paths.clear()

    @callback
    def _async_save_and_notify(self, device: Device, changed: set[str]) -> None:
        """Save a device and notify its entities, if anything has changed."""
        if changed:
            self.async_save(device)
            self.async_notify_entities(device, changed)

    @callback
    def async_notify_entities(self, device: Device, changed: set[str]) -> None:
        """Send the changes of a device to its entities, if there are any, and to those that follow some of them."""
        if changed:
            async_dispatcher_send(self._hass, self.signal(device.imei), changed)
        if not changed.isdisjoint({AVAILABILITY, PRESENCE}):
            async_dispatcher_send(self._hass, SIGNAL_PRESENCE.format(self._entry_id), device)
        if WAKE in changed and self.added.get(device.imei) is device:
            async_dispatcher_send(self._hass, SIGNAL_WAKE, self._entry_id, device)
        if not changed.isdisjoint(_IDENTITY):
            async_dispatcher_send(self._hass, SIGNAL_IDENTITY.format(self._entry_id), device)


def _path(value: Mapping[str, Any]) -> str:
    """Return the path of the resource of a value."""
    return f"{value.get(ATTR_OBJ_ID)}/{value[ATTR_OBJ_INST_ID]}/{value[ATTR_RES_ID]}"
