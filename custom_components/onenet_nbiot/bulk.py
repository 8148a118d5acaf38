"""Presence and newest values of many devices, with few requests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from heapq import nsmallest
from itertools import batched

from .batches import RETRY_AFTER, BatchCaller
from .devices import BATCH_SIZE, NEVER, Device, Devices, PlatformUpdate
from .onenet.client import OneNetClient
from .onenet.errors import (
    NotSupportedError,
    OneNetError,
    RequestRejectedError,
    UnknownDeviceError,
)
from .onenet.models import Datapoint, Device as OneNetDevice

_PER_PAGE = 100
# Up to so many devices are looked up one by one, by IMEI, rather than in the list of all devices.
_SINGLE_LOOKUPS = 2
# So many pages of the list are read in a round; the next round goes on.
_PAGES = 5
# Where presence takes more than one request, it is asked for in every so many rounds.
_PRESENCE_ROUNDS = 5
# Whether a device is online, and when it last was. Tuples, since a thousand objects that live through a round would
# make Python collect garbage.
type Presence = tuple[bool | None, datetime | None]
_UNKNOWN: Presence = (None, None)


class BulkUpdater:
    """Update the presence and the newest values of an account's devices."""

    def __init__(self, client: OneNetClient, devices: Devices) -> None:
        """Start with nothing known."""
        self._client = client
        self._devices = devices
        self._calls = BatchCaller(client)
        self._round = 0
        # The page of the list of devices to read next, and how many pages there are, as far as they were read.
        self._page = 1
        self._pages = 1
        # The IMEIs of wanted devices that were found since the first page.
        self._listed: set[str] = set()
        # The IMEIs of those that OneNET did not list when it was last asked.
        self._unlisted: set[str] = set()
        # When the list is read again for devices that it did not have.
        self._list_again = NEVER
        # Keys of devices without values that a reply left out, and when they are asked for once more.
        self._asked_again: dict[str, datetime] = {}
        # Keys of devices that replies left out, and when they were last asked for alone.
        self._asked_alone: dict[str, datetime] = {}

    async def async_update(self, devices: Sequence[Device], polled_at: Callable[[Device], datetime]) -> int:
        """Update devices, and return how many requests were answered.

        `polled_at` returns when a device's commands were last polled. Raise OneNetError for what concerns all devices.
        """
        self._calls.start_round()
        presence = await self._async_presence(devices)
        by_key = self._by_key(devices)
        pending = dict(by_key)
        async for newest in self._async_newest(by_key):
            for key, datapoints in newest.items():
                if (device := pending.pop(key, None)) is not None:
                    self._async_apply(device, presence, datapoints, polled_at(device))
            await asyncio.sleep(0)
        # Of these there are no values, but there may be their presence.
        others = [*pending.values(), *(device for device in devices if device.key is None)]
        for some in batched(others, BATCH_SIZE, strict=False):
            for device in some:
                self._async_apply(device, presence, [], polled_at(device))
            await asyncio.sleep(0)
        self._round += 1
        return self._calls.answers

    def _async_apply(
        self,
        device: Device,
        presence: Mapping[str, Presence],
        datapoints: Sequence[Datapoint],
        since: datetime,
    ) -> None:
        """Pass on what OneNET says of a device."""
        news = PlatformUpdate(datapoints=datapoints, since=since, now=self._client.now())
        if device.imei in presence:
            news.presence_known = True
            news.online, news.last_time = presence[device.imei]
        self._devices.async_update_from_platform(device, news)

    def _by_key(self, devices: Iterable[Device]) -> dict[str, Device]:
        """Return the devices whose keys are known; two with the same key are both looked up anew."""
        by_key: dict[str, Device] = {}
        for device in devices:
            if device.key is None:
                continue
            if (other := by_key.setdefault(device.key, device)) is not device:
                del by_key[device.key]
                for one in (device, other):
                    one.key, one.last_lookup = None, NEVER
        return by_key

    async def _async_presence(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Return the presence of devices by IMEI, unknown for those that OneNET should list and does not.

        Those of which nothing was asked are left out.
        """
        if self._client.has_statuses:
            return await self._async_presence_by_id(devices)
        if len(devices) <= _SINGLE_LOOKUPS or self._pages > len(devices):
            self._page, self._listed = 1, set()
            # In turn, so that each is looked up as often as it would be in the list.
            count = max(_SINGLE_LOOKUPS, -(-len(devices) // _PRESENCE_ROUNDS))
            return await self._async_look_up(devices, count, timedelta())
        if (self._pages > 1 and self._page == 1 and self._round % _PRESENCE_ROUNDS) or not self._calls.may_ask(
            "list", ""
        ):
            # Meanwhile, new devices need their keys.
            new = [device for device in devices if device.key is None]
            return await self._async_look_up(new, _SINGLE_LOOKUPS, RETRY_AFTER)
        found, unlisted = await self._async_read_list({device.imei: device for device in devices})
        return found | await self._async_look_up_unlisted(unlisted)

    async def _async_presence_by_id(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Return the presence of devices by IMEI, asked for by id."""
        await self._async_identify([device for device in devices if device.key is None])
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
        # OneNET may refuse an id that it does not know, and with it all others.
        unlisted += [device for key, device in by_key.items() if self._calls.has_failed("statuses", key)]
        await self._async_look_up_unlisted(unlisted)
        # Of these OneNET cannot say whether they are online.
        unknown = [device.imei for key, device in by_key.items() if not self._calls.may_ask("statuses", key)]
        return presence | dict.fromkeys(unknown, _UNKNOWN)

    async def _async_identify(self, devices: Sequence[Device]) -> None:
        """Look up devices whose ids are not known: in the list, as long as that takes fewer requests."""
        now = self._client.now()
        if len(devices) > max(_SINGLE_LOOKUPS, self._pages - 1) and now >= self._list_again:
            _, unlisted = await self._async_read_list({device.imei: device for device in devices})
            if unlisted:
                self._list_again = now + RETRY_AFTER
            return
        await self._async_look_up(devices, _SINGLE_LOOKUPS, RETRY_AFTER)

    async def _async_look_up_unlisted(self, devices: Sequence[Device]) -> dict[str, Presence]:
        """Look up some devices that OneNET did not list: they may be gone, or have another key now."""
        for device in devices:
            if device.imei not in self._unlisted:
                device.last_lookup = NEVER
        self._unlisted = {device.imei for device in devices}
        unknown = dict.fromkeys(self._unlisted, _UNKNOWN)
        return unknown | await self._async_look_up(devices, _SINGLE_LOOKUPS, RETRY_AFTER)

    async def _async_look_up(self, devices: Iterable[Device], count: int, pause: timedelta) -> dict[str, Presence]:
        """Look up devices by IMEI: so many, those first that were not looked up for longest, with a pause for each."""
        long_since = self._client.now() - pause
        due = (device for device in devices if device.last_lookup <= long_since)
        found: dict[str, Presence] = {}
        for device in nsmallest(count, due, key=lambda device: device.last_lookup):
            try:
                told = await self._calls.async_request(self._client.get_device(device.imei))
            except UnknownDeviceError:
                found[device.imei] = _UNKNOWN
                self._devices.async_set_not_found(device, self._client.now())
            except OneNetError as err:
                await self._calls.async_check(err)
            else:
                found[device.imei] = (told.online, told.last_time)
                self._set_found(device, told)
            device.last_lookup = self._client.now()
        return found

    def _set_found(self, device: Device, told: OneNetDevice) -> None:
        """Note that the account has a device, which is then asked about again."""
        if device.missing or device.key != told.name:
            self._calls.forget_failures(told.name)
        self._devices.async_set_found(device, told.name)

    async def _async_read_list(self, wanted: Mapping[str, Device]) -> tuple[dict[str, Presence], list[Device]]:
        """Read the list of devices, or go on reading it, until all wanted ones are found.

        Return those found by IMEI, and at the end of the list those that it does not have.
        """
        found: dict[str, Presence] = {}
        for _ in range(_PAGES):
            try:
                page = await self._calls.async_request(self._client.get_devices(page=self._page, per_page=_PER_PAGE))
            except (NotSupportedError, RequestRejectedError) as err:
                self._calls.do_without("list", err)
                return dict.fromkeys(wanted, _UNKNOWN), []
            except OneNetError as err:
                await self._calls.async_check(err)
                break
            for told in page.devices:
                if told.imei is not None and (device := wanted.get(told.imei)) is not None:
                    found[told.imei] = (told.online, told.last_time)
                    self._set_found(device, told)
            self._listed |= found.keys()
            self._pages = self._page if page.total_count is None else max(1, -(-page.total_count // _PER_PAGE))
            unlisted = [device for imei, device in wanted.items() if imei not in self._listed]
            if page.more and unlisted and self._pages <= len(wanted):
                self._page += 1
                continue
            self._page, self._listed = 1, set()
            # Where there are more pages than devices, it takes fewer requests to look up the rest.
            return found, [] if page.more else unlisted
        return found, []

    async def _async_newest(self, by_key: Mapping[str, Device]) -> AsyncIterator[dict[str, list[Datapoint]]]:
        """Yield the newest values of devices by key, some devices at a time."""
        missing: list[str] = []
        largest = 0
        ask = partial(self._async_ask_newest, by_key)
        # A list of names cannot hold these.
        single = [key for key in by_key if "," in key]
        for key in single:
            async for _, newest in self._calls.async_call("newest", [key], ask):
                yield dict(newest)
        several = [key for key in by_key if "," not in key]
        async for keys, newest in self._calls.async_call("newest", several, ask):
            found: set[str] = set()
            # Each device is read when it is its turn: all at once would block the event loop.
            for part in batched(newest, BATCH_SIZE, strict=False):
                some = dict(part)
                found |= some.keys()
                yield some
            missing += [key for key in keys if key not in found]
            largest = max(largest, len(found))
        # On the legacy platform, what is not in the reply has no values.
        if not self._client.has_statuses:
            async for some in self._async_newest_again(by_key, missing, largest):
                yield some

    async def _async_newest_again(
        self, by_key: Mapping[str, Device], missing: Iterable[str], largest: int
    ) -> AsyncIterator[dict[str, list[Datapoint]]]:
        """Yield the newest values of devices that a reply left out; `largest` is how many a reply had at the most.

        Those that have had values are asked for in every round, the others, which may have none, once an hour.
        """
        now = self._client.now()
        again = [key for key in missing if by_key[key].newest is not None or self._asked_again.get(key, now) <= now]
        ask = partial(self._async_ask_newest, by_key)
        left: list[str] = []
        async for keys, newest in self._calls.async_call("newest", again, ask):
            some = dict(newest)
            yield some
            left += [key for key in keys if key not in some]
            if not some:
                self._asked_again |= dict.fromkeys(keys, now + RETRY_AFTER)
            elif largest:
                # No reply has more devices than that.
                self._calls.set_limit("newest", largest)
        for key in nsmallest(_SINGLE_LOOKUPS, left, key=lambda key: self._asked_alone.get(key, NEVER)):
            self._asked_alone[key] = now
            async for _, alone in self._calls.async_call("newest", [key], ask):
                yield dict(alone)

    async def _async_ask_newest(
        self, by_key: Mapping[str, Device], keys: list[str]
    ) -> Iterable[tuple[str, list[Datapoint]]]:
        """Ask for the newest values of devices together; on the current platform, for those of one by its IMEI."""
        if len(keys) == 1 and not self._client.has_statuses:
            return [(keys[0], await self._client.get_newest_datapoints_of(by_key[keys[0]].imei))]
        return await self._client.get_newest_datapoints(keys)
