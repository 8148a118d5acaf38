"""An account's devices: whether they are there, and what they last measured."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any, Final, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.json import json_loads_object
from homeassistant.util.signal_type import SignalType, SignalTypeFormat

from .const import (
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_RES_ID,
    ATTR_VALUE,
    CONF_RESOURCES,
    DOMAIN,
    ISSUE_DEVICE_GONE,
    LOGGER,
    MODEL_DEVICE,
    SUBENTRY_DEVICE,
)
from .exceptions import escape_markdown
from .lwm2m import describe
from .onenet.models import Datapoint, Opaque, Resource
from .onenet.operations import WAITING_MAX, Read
from .onenet.platforms import LEGACY
from .store import CommandStore

# What can change of a device, beside its resources.
AVAILABILITY: Final = "availability"
PRESENCE: Final = "presence"
NEVER: Final = datetime.min.replace(tzinfo=UTC)
# Of so many devices at once something is done before others have their turn.
BATCH_SIZE: Final = 50
# A device that OneNET did not know twice, this far apart, is gone.
_MISSING_AFTER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Hold the newest value of a resource, and when it was measured.

    A measuring time in the future counts as the value's arrival, so that later values replace it; `reported_at` is the
    last such time that OneNET gave, of this value or of one before it, so that it counts only once.
    """

    value: Any
    measured_at: datetime
    future_time: datetime | None = None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Read a reading from a row; raise TypeError or ValueError where it is none."""
        value, measured_at, *more = row
        reported_at, opaque = more or (None, False)
        return cls(
            value=Opaque(value) if opaque else value,
            measured_at=datetime.fromisoformat(measured_at),
            future_time=_moment(reported_at),
        )

    def as_row(self) -> tuple[Any, ...]:
        """Return what is kept, in the short form where that is enough."""
        opaque = isinstance(self.value, Opaque)
        short = (self.value, self.measured_at)
        return (*short, self.future_time, opaque) if opaque or self.future_time else short


@dataclass(kw_only=True, slots=True)
class PlatformUpdate:
    """Hold what OneNET says of a device: its newest values, and its presence if that was asked for.

    `online` is None where OneNET does not say, `last_time` when the device was last online. `since` is when its
    commands were last polled, `now` the platform's time.
    """

    datapoints: Sequence[Datapoint]
    since: datetime
    now: datetime
    presence_known: bool = False
    online: bool | None = None
    last_time: datetime | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Device:
    """Hold what is known of a device; the first part, as JSON, is a row of the store.

    `key` is what the calls of `platform` about several devices name it by, `newest` when the device sent its newest
    datapoint, `last_seen` when it last sent anything. `moved` is whether something happened since its commands were
    last polled, `gone` whether the account no longer has it. Of the rest, `looked_for` is when it was last looked up by
    its IMEI, `missing_since` when OneNET first did not know it; one that was added to Home Assistant has the others:
    `shown` are the paths of the resources that are shown, `kept` those whose values are kept for that.
    """

    key: str | None = None
    online: bool | None = None
    newest: datetime | None = None
    last_seen: datetime | None = None
    active_since_poll: bool = False
    missing: bool = False
    platform: str = LEGACY.name
    readings: dict[str, Reading] = field(default_factory=dict)

    imei: str
    subentry_id: str = ""
    title: str = ""
    device_id: str = ""
    last_lookup: datetime = NEVER
    not_found_since: datetime | None = None
    resource_paths: tuple[str, ...] = ()
    tracked_paths: frozenset[str] = frozenset()

    @classmethod
    def from_row(cls, imei: str, row: bytes) -> Self:
        """Read a device from a row; raise AttributeError, TypeError or ValueError where it is none."""
        data: dict[str, Any] = json_loads_object(row)
        return cls(
            imei=imei,
            key=data.get("id"),
            online=data.get("online"),
            newest=_moment(data.get("newest")),
            last_seen=_moment(data.get("last_seen")),
            active_since_poll=bool(data.get("moved")),
            missing=bool(data.get("gone")),
            # There was no other one when rows had no platform.
            platform=data.get("platform", LEGACY.name),
            readings={path: Reading.from_row(reading) for path, reading in data.get("readings", {}).items()},
        )

    def as_row(self) -> dict[str, Any]:
        """Return what is kept."""
        return {
            "id": self.key,
            "online": self.online,
            "newest": self.newest,
            "last_seen": self.last_seen,
            "moved": self.active_since_poll,
            "gone": self.missing,
            "platform": self.platform,
            "readings": {path: reading.as_row() for path, reading in self.readings.items()},
        }

    def reads(self) -> list[Read]:
        """Return the reads that bring all that is shown.

        There is one for each object instance, or, where so many commands may not wait for a device, for each object.
        """
        instances: dict[tuple[int, int], list[Resource]] = {}
        for path in self.resource_paths:
            resource = Resource.from_path(path)
            instances.setdefault((resource.obj_id, resource.obj_inst_id), []).append(resource)
        if len(instances) > WAITING_MAX:
            return [Read(imei=self.imei, obj_id=obj_id) for obj_id in dict.fromkeys(obj_id for obj_id, _ in instances)]
        return [
            Read(
                imei=self.imei,
                obj_id=obj_id,
                obj_inst_id=obj_inst_id,
                # A value is read together with its unit, which may change.
                res_id=resources[0].res_id
                if len(resources) == 1 and not describe(resources[0].path).unit_path
                else None,
            )
            for (obj_id, obj_inst_id), resources in instances.items()
        ]


def _moment(text: str | None) -> datetime | None:
    """Return a time of a row."""
    return None if text is None else datetime.fromisoformat(text)


# What of a device has changed: the paths of resources, PRESENCE, AVAILABILITY.
SIGNAL_CHANGED: SignalTypeFormat[set[str]] = SignalTypeFormat(f"{DOMAIN}_changed_{{}}")
# A device, the paths of resources that were not shown of it before, and whether the device itself is new.
SIGNAL_RESOURCES_ADDED: SignalTypeFormat[Device, list[str], bool] = SignalTypeFormat(f"{DOMAIN}_resources_added_{{}}")


class Devices:
    """Keep what is known of an account's devices: of those that were added, and of those that have commands.

    There is one for an account as long as Home Assistant runs, as there is one manager.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], store: CommandStore) -> None:
        """Start with none."""
        self.added: dict[str, Device] = {}
        self.signal_resources_added = SIGNAL_RESOURCES_ADDED.format(entry.entry_id)
        self._known: dict[str, Device] = {}
        self._hass = hass
        self._entry = entry
        self._store = store
        self._platform = LEGACY.name
        self._removed = False

    async def async_load(self) -> None:
        """Take up what was kept."""
        unknown: set[str] = set()
        for imei, row in await self._hass.async_add_executor_job(self._store.load_devices, self._entry.entry_id):
            # An unreadable row is skipped; the next poll restores it.
            with suppress(AttributeError, TypeError, ValueError):
                device = self._known[imei] = Device.from_row(imei, row)
                unknown |= json_loads_object(row).keys() - device.as_row().keys()
        if unknown:
            LOGGER.info("In the rows of devices, fields of later versions are ignored: %s", sorted(unknown))

    def get(self, imei: str) -> Device:
        """Return what is known of a device, which may be nothing."""
        if (device := self._known.get(imei)) is None:
            device = self._known[imei] = Device(imei=imei, platform=self._platform)
        return device

    @callback
    def async_prune(self, imeis: AbstractSet[str]) -> None:
        """Forget the devices that were not added to Home Assistant, except those that have commands."""
        for imei in [imei for imei in self._known if imei not in self.added and imei not in imeis]:
            del self._known[imei]
            self._store.async_delete_device(self._entry.entry_id, imei)

    def device_id(self, imei: str) -> str | None:
        """Return the id that a device that was added has in Home Assistant."""
        return self.added[imei].device_id if imei in self.added else None

    def summary(self) -> dict[str, Any]:
        """Return how many there are, for somebody who looks for a fault."""
        added = self.added.values()
        return {
            "known": len(self._known),
            "added": len(added),
            "identified": sum(1 for device in added if device.key is not None),
            "online": sum(1 for device in added if device.online),
            "gone": sum(1 for device in added if device.missing),
        }

    def signal(self, imei: str) -> SignalType[set[str]]:
        """Return the signal that tells what of a device has changed."""
        return SIGNAL_CHANGED.format(f"{self._entry.entry_id}_{imei}")

    @callback
    def async_set_platform(self, platform: str) -> None:
        """Set the platform that the account is on, and forget the keys of another one."""
        self._platform = platform
        for device in self._known.values():
            if device.platform != platform:
                device.key, device.online, device.platform = None, None, platform

    @callback
    def async_register_account(self) -> None:
        """Let Home Assistant know the account's service device, through which the others are reached."""
        dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            entry_type=dr.DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, self._entry.entry_id)},
            manufacturer="China Mobile",
            model="OneNET NB-IoT",
            name=self._entry.title,
        )

    async def async_sync(self) -> bool:
        """Take over which devices were added, and what is shown of them; return whether there is more than before."""
        subentries = {
            subentry.unique_id: subentry
            for subentry in self._entry.get_subentries_of_type(SUBENTRY_DEVICE)
            if subentry.unique_id is not None
        }
        for device in list(self._known.values()):
            subentry = subentries.get(device.imei)
            if device.imei in self.added:
                # One that was removed and added again begins anew.
                stale = subentry is None or subentry.subentry_id != device.subentry_id
            else:
                # What was removed while nobody looked has left traces.
                stale = subentry is None and bool(device.readings or device.missing)
            if stale:
                self.added.pop(device.imei, None)
                self._async_delete(device)
        changes: list[tuple[Device, list[str], bool]] = []
        for part in batched(subentries.items(), BATCH_SIZE, strict=False):
            for imei, subentry in part:
                # It may have been removed meanwhile.
                if (current := self._entry.subentries.get(subentry.subentry_id)) is not None:
                    changes += self._async_apply_subentry(imei, current)
            await asyncio.sleep(0)
        if changes:
            self._async_remove_entities()
        for device, more, new in changes:
            async_dispatcher_send(self._hass, self.signal_resources_added, device, more, new)
        return any(more or new for _, more, new in changes)

    @callback
    def _async_apply_subentry(self, imei: str, subentry: ConfigSubentry) -> list[tuple[Device, list[str], bool]]:
        """Update a device from its subentry; return the arguments of SIGNAL_RESOURCES_ADDED, if anything changed."""
        shown = tuple(subentry.data[CONF_RESOURCES])
        device = self.get(imei)
        new = imei not in self.added
        if not new and (device.title, device.resource_paths) == (subentry.title, shown):
            return []
        more = [path for path in shown if new or path not in device.resource_paths]
        device.subentry_id, device.title, device.resource_paths = subentry.subentry_id, subentry.title, shown
        device.tracked_paths = frozenset((*shown, *filter(None, (describe(path).unit_path for path in shown))))
        device.readings = {path: reading for path, reading in device.readings.items() if path in device.tracked_paths}
        device.device_id = self._async_register(device)
        self.added[imei] = device
        # After a restart nobody knows of it any more, but here.
        self._async_update_issue(device)
        return [(device, more, new)]

    @callback
    def _async_register(self, device: Device) -> str:
        """Let Home Assistant know a device, and return the id that it has there."""
        registry = dr.async_get(self._hass)
        entry_id = self._entry.entry_id
        account = registry.async_get_device_by_identifier((DOMAIN, entry_id), entry_id)
        return registry.async_get_or_create(
            config_entry_id=entry_id,
            config_subentry_id=device.subentry_id,
            identifiers={(DOMAIN, f"{entry_id}_{device.imei}")},
            model=MODEL_DEVICE,
            name=device.title,
            serial_number=device.imei,
            via_device_id=account.id if account else None,
        ).id

    @callback
    def _async_remove_entities(self) -> None:
        """Remove the entities of resources that are no longer shown."""
        registry = er.async_get(self._hass)
        for entity in er.async_entries_for_config_entry(registry, self._entry.entry_id):
            _, _, key = entity.unique_id.partition("_")
            imei, _, path = key.partition("_")
            if "/" in path and imei in self.added and path not in self.added[imei].resource_paths:
                registry.async_remove(entity.entity_id)

    @callback
    def _async_delete(self, device: Device) -> None:
        """Forget a device that was removed from Home Assistant."""
        self._async_update_issue(device)
        del self._known[device.imei]
        if not self._removed:
            self._store.async_delete_device(self._entry.entry_id, device.imei)

    @callback
    def async_remove(self) -> None:
        """Keep nothing any more: the account is no longer."""
        self._removed = True
        while self.added:
            self._async_delete(self.added.popitem()[1])

    @callback
    def async_save(self, device: Device) -> None:
        """Keep what is known of a device."""
        # Not of one that was removed during a round.
        if not self._removed and self._known.get(device.imei) is device:
            self._store.async_save_device(self._entry.entry_id, device.imei, device.as_row())

    @callback
    def async_update_from_platform(self, device: Device, news: PlatformUpdate) -> None:
        """Update a device from what OneNET says of it."""
        newest = max((datapoint.measured_at for datapoint in news.datapoints), default=None)
        changed = self._update_readings(device, news.datapoints, news.now)
        sent = bool(changed) or newest not in (None, device.newest)
        seen = max((min(at, news.now) for at in (newest, news.last_time) if at is not None), default=None)
        later = seen is not None and (device.last_seen is None or seen > device.last_seen)
        if device.online is None and device.newest is None:
            # With nothing to compare with, only what came after that poll counts.
            moved = seen is not None and seen > news.since
        else:
            flipped = news.presence_known and None not in (news.online, device.online)
            moved = sent or later or (flipped and news.online is not device.online)
        changed |= self._update_last_seen(device, seen)
        if news.presence_known and news.online is not device.online:
            device.online = news.online
            changed.add(PRESENCE)
        device.newest = newest or device.newest
        device.active_since_poll = device.active_since_poll or moved
        if changed or sent or moved:
            self.async_save(device)
        self.async_notify_entities(device, changed)

    @callback
    def async_update_from_read(self, imei: str, values: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Take over that a device has answered, and the values, in the form in which events carry them."""
        if (device := self.added.get(imei)) is None:
            return
        # Of several instances of a resource, the first one stands for it.
        told = {_path(value): value[ATTR_VALUE] for value in reversed(list(values))}
        datapoints = [Datapoint(path=path, value=value, measured_at=at) for path, value in told.items()]
        self._async_changed(device, self._update_readings(device, datapoints, at) | self._update_last_seen(device, at))

    @callback
    def async_set_found(self, device: Device, key: str | None = None) -> None:
        """Note that the account has a device, and the key that it has there."""
        device.not_found_since = None
        if key is not None and key != device.key:
            device.key, device.platform = key, self._platform
            self.async_save(device)
        self._async_set_missing(device, missing=False)

    @callback
    def async_set_not_found(self, device: Device, now: datetime) -> None:
        """Note that OneNET does not know a device; if it did not know it an hour ago either, it is gone."""
        device.not_found_since = device.not_found_since or now
        if now - device.not_found_since >= _MISSING_AFTER:
            self._async_set_missing(device, missing=True)

    @callback
    def _async_set_missing(self, device: Device, *, missing: bool) -> None:
        """Note whether the account has a device that was added no more, and say so where that is news."""
        if missing is not device.missing and self.added.get(device.imei) is device:
            device.missing = missing
            self._async_changed(device, {AVAILABILITY})
            self._async_update_issue(device)

    @callback
    def _async_update_issue(self, device: Device) -> None:
        """Let a person repair it that a device is gone, as long as it is."""
        issue_id = f"{ISSUE_DEVICE_GONE}_{device.subentry_id}"
        if not device.missing or self.added.get(device.imei) is not device:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={"entry_id": self._entry.entry_id, "subentry_id": device.subentry_id},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_DEVICE_GONE,
            translation_placeholders={
                "name": device.title,
                "device": escape_markdown(device.title),
                "account": escape_markdown(self._entry.title),
            },
        )

    def _update_readings(self, device: Device, datapoints: Iterable[Datapoint], now: datetime) -> set[str]:
        """Keep the values that are newer than the known ones, and return the paths of their resources."""
        changed = set()
        for datapoint in datapoints:
            path, measured_at = datapoint.path, datapoint.measured_at
            if path not in device.tracked_paths:
                continue
            known = device.readings.get(path) or Reading(value=None, measured_at=NEVER)
            if known.measured_at < measured_at != known.future_time:
                device.readings[path] = Reading(
                    value=datapoint.value,
                    measured_at=min(measured_at, now),
                    future_time=measured_at if measured_at > now else known.future_time,
                )
                changed.add(path)
        return changed

    def _update_last_seen(self, device: Device, at: datetime | None) -> set[str]:
        """Take over when something of a device was heard, and return what that changes."""
        if at is None or (device.last_seen is not None and at <= device.last_seen):
            return set()
        device.last_seen = at
        return {PRESENCE}

    @callback
    def _async_changed(self, device: Device, changed: set[str]) -> None:
        """Keep and tell what has changed of a device, if anything."""
        if changed:
            self.async_save(device)
            self.async_notify_entities(device, changed)

    @callback
    def async_notify_entities(self, device: Device, changed: set[str]) -> None:
        """Tell a device's entities what has changed of it, if anything."""
        if changed:
            async_dispatcher_send(self._hass, self.signal(device.imei), changed)


def _path(value: Mapping[str, Any]) -> str:
    """Return the path of the resource that a value is of."""
    return f"{value.get(ATTR_OBJ_ID)}/{value[ATTR_OBJ_INST_ID]}/{value[ATTR_RES_ID]}"
