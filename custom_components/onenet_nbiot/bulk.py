"""Fetch the presence and newest values of many devices with few requests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from heapq import nsmallest
from itertools import batched
from typing import Any

from .batches import RETRY_AFTER, BatchCaller, ConnectionCheck
from .devices import BATCH_SIZE, NEVER, Device, Devices, PlatformUpdate
from .onenet.client import OneNetClient
from .onenet.errors import (
    NotSupportedError,
    OneNetError,
    RequestRejectedError,
    UnknownDeviceError,
)
from .onenet.models import Datapoint, Device as OneNetDevice, DevicePage
from .push_health import PushHealth

_PER_PAGE = 100
# The calls for newest values: of all devices, of those that the replies lacked, and of single ones that were lacking
# again. Each suspends devices of its own: OneNET may omit a device from a reply, and refuse a request about it alone.
_NEWEST = "newest values"
_OMITTED = "omitted newest values"
_SINGLE = "single newest values"
_ALL_CALLS = ("list", "statuses", _NEWEST, _OMITTED, _SINGLE)
# Up to so many devices are looked up one by one, by IMEI, instead of in the list of all devices.
_SINGLE_LOOKUPS = 2
# Number of pages of the list that are fetched in a poll; the next poll continues.
_PAGES_PER_POLL = 5
# If presence takes more than one request, it is fetched once in so many polls.
_POLLS_PER_PRESENCE = 5
# Whether a device is online, and when it was last online. Tuples, because a thousand objects that live until the end
# of a poll would make Python collect garbage.
type Presence = tuple[bool | None, datetime | None]
_UNKNOWN: Presence = (None, None)


class BulkUpdater:
    """Update the presence and the newest values of an account's devices."""

    def __init__(
        self,
        client: OneNetClient,
        devices: Devices,
        connection: ConnectionCheck,
        health: PushHealth | None,
        on_page: Callable[[DevicePage, int], None],
    ) -> None:
        """Create an updater for devices of an account.

        `health` is that of its push, if it has one, and `on_page` is called with each page of the list of devices.
        """
        self._client = client
        self._health = health
        self._devices = devices
        self._connection = connection
        self._on_page = on_page
        self._calls = BatchCaller(client, connection)
        self._poll_count = 0
        # The keys of the devices in the requests for newest values that were answered in this poll.
        self._answered: set[str] = set()
        # The next page of the list of devices to fetch, and the number of pages according to the last one.
        self._page = 1
        self._pages = 1
        # IMEIs of wanted devices that were on the pages since the first one.
        self._listed_imeis: set[str] = set()
        # Whether a page since the first one could not be read.
        self._has_gaps = False
        # IMEIs of devices that the last list or the last statuses lacked.
        self._unlisted_imeis: set[str] = set()
        # When the list may be fetched again for devices that it lacked.
        self._next_listing = NEVER
        # By key, when the values of a device without any are requested again after a reply lacked it.
        self._next_retry: dict[str, datetime] = {}
        # By key, when the values of a device that replies lacked were last requested for it alone.
        self._last_single_request: dict[str, datetime] = {}

    async def async_update(self, devices: Sequence[Device], polled_at: Callable[[Device], datetime]) -> int:
        """Update devices, and return the number of successful requests.

        `polled_at` returns when a device's commands were last polled. Raise OneNetError for an error about the account.
        """
        self._calls.replies = 0
        self._answered.clear()
        presence = await self._async_presence(devices)
        by_key = self._by_key(devices)
        pending = dict(by_key)
        async for newest in self._async_iterate_newest(by_key):
            for key, datapoints in newest.items():
                if (device := pending.pop(key, None)) is not None:
                    self._async_apply(device, presence, datapoints, polled_at(device))
            await asyncio.sleep(0)
        # The other devices have no values in the replies, but may have a new presence.
        others = [*pending.values(), *(device for device in devices if device.key is None)]
        for some in batched(others, BATCH_SIZE, strict=False):
            for device in some:
                # A reply may lack a device that has had values.
                has_none = self._client.has_statuses or device.newest is None
                is_known = has_none and device.key in self._answered
                self._async_apply(device, presence, [], polled_at(device), values_known=is_known)
            await asyncio.sleep(0)
        self._poll_count += 1
        return self._calls.replies

    def suspensions(self, device: Device) -> dict[str, datetime]:
        """Return until when the calls about a device are suspended because they failed, by call."""
        return {} if device.key is None else self._calls.suspensions(_ALL_CALLS, device.key)

    def summary(self) -> dict[str, Any]:
        """Return for the diagnostics which calls are suspended or limited, and for how many devices."""
        added = self._devices.added.values()
        return {
            "suspended_calls": self._calls.suspensions(_ALL_CALLS),
            "suspended_devices": sum(1 for device in added if self.suspensions(device)),
            "batch_limits": self._calls.limits(),
        }

    def _async_apply(
        self,
        device: Device,
        presence: Mapping[str, Presence],
        datapoints: Sequence[Datapoint],
        polled_at: datetime,
        *,
        values_known: bool = True,
    ) -> None:
        """Update a device from its presence, if known, and its newest values."""
        now = self._client.now()
        update = PlatformUpdate(datapoints=datapoints, polled_at=polled_at, now=now, values_known=values_known)
        if device.imei in presence:
            update.presence_known = True
            update.online, update.last_time = presence[device.imei]
        before = dict(device.readings) if self._health else {}
        changed = self._devices.async_update_from_platform(device, update)
        if self._health is not None:
            for path in changed & device.readings.keys():
                known_at = before[path].measured_at if path in before else None
                at = device.readings[path].measured_at
                self._health.polled_value(device.imei, path, known_at, at, update.now)

    def _by_key(self, devices: Iterable[Device]) -> dict[str, Device]:
        """Return the devices with a key, by key; reset the keys of two devices with the same one."""
        by_key: dict[str, Device] = {}
        for device in devices:
            if device.key is None:
                continue
            if (other := by_key.setdefault(device.key, device)) is not device:
                del by_key[device.key]
                for one in (device, other):
                    self._devices.async_reset_key(one)
        return by_key

    async def _async_presence(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Return the presence of devices by IMEI, unknown for those that OneNET's list lacks.

        Devices whose presence was not requested in this poll are left out.
        """
        if self._client.has_statuses:
            return await self._async_presence_by_id(devices)
        if len(devices) <= _SINGLE_LOOKUPS or self._pages > len(devices):
            self._page = 1
            # Look up a part of the devices in each poll, so that each is looked up as often as it would be in the list.
            count = max(_SINGLE_LOOKUPS, -(-len(devices) // _POLLS_PER_PRESENCE))
            return await self._async_look_up(devices, count, timedelta())
        if (
            self._pages > 1 and self._page == 1 and self._poll_count % _POLLS_PER_PRESENCE
        ) or not self._calls.is_included("list", ""):
            # New devices need their keys before the next list.
            new = [device for device in devices if device.key is None]
            return await self._async_look_up(new, _SINGLE_LOOKUPS, RETRY_AFTER)
        found, unlisted = await self._async_read_list({device.imei: device for device in devices})
        return found if unlisted is None else found | await self._async_look_up_unlisted(unlisted)

    async def _async_presence_by_id(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Return the presence of devices by IMEI, requested by id."""
        await self._async_resolve_ids([device for device in devices if device.key is None])
        by_key = self._by_key(devices)
        presence: dict[str, Presence] = {}
        unlisted = []
        async for keys, statuses in self._calls.async_call("statuses", by_key, self._client.get_device_statuses):
            for key in keys:
                device = by_key[key]
                if key in statuses:
                    self._devices.async_set_found(device)
                    presence[device.imei] = (statuses[key], None)
                else:
                    presence[device.imei] = _UNKNOWN
                    unlisted.append(device)
        # OneNET may refuse a batch because of one unknown id.
        unlisted += [device for key, device in by_key.items() if self._calls.has_failed("statuses", key)]
        await self._async_look_up_unlisted(unlisted)
        # The presence of suspended devices is unknown.
        unknown = [device.imei for key, device in by_key.items() if not self._calls.is_included("statuses", key)]
        return presence | dict.fromkeys(unknown, _UNKNOWN)

    async def _async_resolve_ids(self, devices: Sequence[Device]) -> None:
        """Look up devices without an id: in the list if that takes fewer requests, else one by one."""
        now = self._client.now()
        is_listing_shorter = len(devices) > max(_SINGLE_LOOKUPS, self._pages - 1)
        if is_listing_shorter and now >= self._next_listing and self._calls.is_included("list", ""):
            _, unlisted = await self._async_read_list({device.imei: device for device in devices})
            if unlisted:
                self._next_listing = now + RETRY_AFTER
            return
        await self._async_look_up(devices, _SINGLE_LOOKUPS, RETRY_AFTER)

    async def _async_look_up_unlisted(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Look up some devices that OneNET did not list, which may be missing or have another key."""
        for device in devices:
            if device.imei not in self._unlisted_imeis:
                device.last_lookup = NEVER
        self._unlisted_imeis = {device.imei for device in devices}
        unknown = dict.fromkeys(self._unlisted_imeis, _UNKNOWN)
        return unknown | await self._async_look_up(devices, _SINGLE_LOOKUPS, RETRY_AFTER)

    async def _async_look_up(self, devices: Iterable[Device], count: int, pause: timedelta) -> dict[str, Presence]:
        """Look up so many devices by IMEI, those with the oldest lookup first, and none twice within the pause."""
        latest = self._client.now() - pause
        due = (device for device in devices if device.last_lookup <= latest)
        found: dict[str, Presence] = {}
        for device in nsmallest(count, due, key=lambda device: device.last_lookup):
            try:
                found_device = await self._calls.async_request(self._client.get_device(device.imei))
            except UnknownDeviceError:
                found[device.imei] = _UNKNOWN
                self._devices.async_set_not_found(device, self._client.now())
            except OneNetError as err:
                await self._connection.async_check(err)
            else:
                found[device.imei] = (found_device.online, found_device.last_time)
                self._set_found(device, found_device)
            device.last_lookup = self._client.now()
        return found

    def _set_found(self, device: Device, found_device: OneNetDevice) -> None:
        """Mark a device as found, and resume its calls if it was missing or has another key."""
        if device.missing or device.key != found_device.name:
            self._calls.clear_failures(found_device.name)
        self._devices.async_set_found(device, found_device.name)

    async def _async_read_list(self, wanted: Mapping[str, Device]) -> tuple[dict[str, Presence], list[Device] | None]:
        """Fetch pages of the list of devices from the next page on, until all wanted devices are found.

        Return the presence of the found devices by IMEI, and the wanted devices that the list lacks, None if that is
        not known yet.
        """
        found: dict[str, Presence] = {}
        for _ in range(_PAGES_PER_POLL):
            if self._page == 1:
                self._listed_imeis, self._has_gaps = set(), False
            try:
                page = await self._calls.async_request(self._client.get_devices(page=self._page, per_page=_PER_PAGE))
            except (NotSupportedError, RequestRejectedError) as err:
                self._calls.suspend_call("list", err)
                return dict.fromkeys(wanted, _UNKNOWN), None
            except OneNetError as err:
                await self._connection.async_check(err)
                # The next poll continues after this page, which may never be readable.
                self._has_gaps = True
                self._page = self._page % self._pages + 1
                break
            self._on_page(page, self._page)
            for found_device in page.devices:
                if found_device.imei is not None and (device := wanted.get(found_device.imei)) is not None:
                    found[found_device.imei] = (found_device.online, found_device.last_time)
                    self._set_found(device, found_device)
            self._listed_imeis |= found.keys()
            if page.total_count is not None:
                self._pages = max(1, -(-page.total_count // _PER_PAGE))
            else:
                # Without a total, at least one more page follows, or as many as in the last pass.
                self._pages = max(self._pages, self._page + 1) if page.more else self._page
            unlisted = [device for imei, device in wanted.items() if imei not in self._listed_imeis]
            if page.more and unlisted and self._pages <= len(wanted):
                self._page += 1
                continue
            self._page = 1
            # With more pages than devices, looking up the others takes fewer requests.
            return found, None if unlisted and (page.more or self._has_gaps) else unlisted
        return found, None

    async def _async_iterate_newest(self, by_key: Mapping[str, Device]) -> AsyncIterator[dict[str, list[Datapoint]]]:
        """Yield the newest values of devices by key, some devices at a time."""
        missing: list[str] = []
        sizes: list[int] = []
        request = partial(self._async_fetch_newest, by_key)
        # The parameter of several names cannot contain a name with a comma.
        single = [key for key in by_key if "," in key]
        for key in single:
            async for _, newest in self._calls.async_call(_NEWEST, [key], request):
                yield dict(newest)
        several = [key for key in by_key if "," not in key]
        async for keys, newest in self._calls.async_call(_NEWEST, several, request):
            self._answered.update(keys)
            found: set[str] = set()
            # The datapoints are parsed lazily; parsing all of them at once would block the event loop.
            for part in batched(newest, BATCH_SIZE, strict=False):
                some = dict(part)
                found |= some.keys()
                yield some
            missing += [key for key in keys if key not in found]
            sizes.append(len(found))
        # On the legacy platform, a device that is not in the reply has no values.
        if not self._client.has_statuses:
            async for some in self._async_retry_newest(by_key, missing, sizes):
                yield some

    async def _async_retry_newest(
        self, by_key: Mapping[str, Device], missing: Iterable[str], sizes: Sequence[int]
    ) -> AsyncIterator[dict[str, list[Datapoint]]]:
        """Yield the newest values of devices that replies lacked; `sizes` are the numbers of devices in the replies.

        A device that has had values is requested in every poll, another one, which may have none, once an hour.
        """
        now = self._client.now()
        for times in (self._next_retry, self._last_single_request):
            for removed in times.keys() - by_key.keys():
                del times[removed]
        retried = [
            key
            for key in missing
            if self._calls.is_included(_SINGLE, key)
            and (by_key[key].newest is not None or self._next_retry.get(key, now) <= now)
        ]
        request = partial(self._async_fetch_newest, by_key)
        left: list[str] = []
        recovered = 0
        async for keys, newest in self._calls.async_call(_OMITTED, retried, request):
            some = dict(newest)
            yield some
            recovered += len(some)
            left += [key for key in keys if key not in some]
            if not some:
                self._next_retry |= dict.fromkeys(keys, now + RETRY_AFTER)
        # One missing device per reply is normal. More than one means that OneNET limits the number of devices in a
        # reply.
        if recovered > len(sizes) > 0:
            self._calls.set_limit(_NEWEST, max(sizes))
        for key in nsmallest(_SINGLE_LOOKUPS, left, key=lambda key: self._last_single_request.get(key, NEVER)):
            self._last_single_request[key] = now
            async for _, alone in self._calls.async_call(_SINGLE, [key], request):
                yield dict(alone)

    async def _async_fetch_newest(
        self, by_key: Mapping[str, Device], keys: list[str]
    ) -> Iterable[tuple[str, list[Datapoint]]]:
        """Fetch the newest values of devices in one request; on the current platform, those of one device by IMEI."""
        if len(keys) == 1 and not self._client.has_statuses:
            return [(keys[0], await self._client.get_newest_datapoints_of(by_key[keys[0]].imei))]
        return await self._client.get_newest_datapoints(keys)
