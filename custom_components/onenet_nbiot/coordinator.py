"""When OneNET is asked, and about whom."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import batched, chain
from typing import Any, override

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, CoreState, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .command import Command
from .const import (
    ATTR_IMEI,
    ATTR_UUID,
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    INTERVAL,
    LOGGER,
)
from .device import AT_ONCE, AVAILABILITY, LONG_AGO, Device
from .exceptions import update_error
from .ledger import Ledger
from .onenet.auth import AccessKey, ApiKey
from .onenet.client import DATAPOINT_IDS_MAX, STATUS_IDS_MAX, OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformBusyError, PlatformError, UnknownDeviceError
from .onenet.models import Datapoint
from .onenet.platforms import LEGACY, PLATFORMS, Platform

type OneNetConfigEntry = ConfigEntry[OneNetCoordinator]

# Soon after a command was queued, or has begun to count, its device is looked at; then after so many intervals.
_SOON = timedelta(seconds=10)
_LESS_OFTEN = (1, 1, 2, 5, 10)
# Seconds until the next attempt after one, two, ... failed rounds.
_BACK_OFF = (30, 60, 120, 300, 600)
# While no command waits, it is only of interest whether OneNET is there.
_IDLE = timedelta(minutes=15)
# Of devices that show no sign of having moved, a round looks at as many as keep it to so many requests.
_REQUESTS = 10
# Where there are more devices without an id than this, all of the account's are read, so many pages a round.
_SINGLE_IDS = 2
_PAGES = 5
_PER_PAGE = 100
_REFUSALS = 3
_NO_BATCHES = timedelta(hours=1)
# A device that OneNET does not tell of is looked for so often.
_LOOKED_FOR = timedelta(hours=1)
# So many looks at once, and a pause in seconds between two of one worker: OneNET takes 300 calls a second.
_WORKERS = 3
PAUSE = 0.02
# A timer may be early by a second.
_EARLY = timedelta(seconds=1)


def platform_of(data: Mapping[str, Any]) -> Platform:
    """Return the platform of an account; one with an API key does not name it, since it can be but one."""
    return PLATFORMS[data.get(CONF_PLATFORM, LEGACY.name)]


def create_client(hass: HomeAssistant, data: Mapping[str, str]) -> OneNetClient:
    """Return a client for an account; raise ValueError for an access key that is not base64."""
    if (api_key := data.get(CONF_API_KEY)) is not None:
        credentials: ApiKey | AccessKey = ApiKey(api_key)
    else:
        credentials = AccessKey(f"products/{data[CONF_PRODUCT_ID]}", data[CONF_ACCESS_KEY])
    return OneNetClient(
        async_get_clientsession(hass),
        credentials,
        base_url=data[CONF_URL],
        platform=platform_of(data),
    )


@dataclass(slots=True)
class _Schedule:
    """Hold when something was asked, is to be asked next, and how often it was in vain."""

    asked_at: datetime
    next_at: datetime
    step: int = 0

    def is_due(self, now: datetime) -> bool:
        """Return whether it is to be asked; after the clock was set back, it is, too."""
        return not self.asked_at - _EARLY <= now < self.next_at - _EARLY


class OneNetCoordinator(DataUpdateCoordinator[None]):
    """Ask OneNET for the presence and newest values of an account's devices, and what has become of its commands.

    A device's commands are read with its list, which costs a request: soon, then less often, and first where the
    device has moved. Presence and newest values are asked for hundreds of devices at once, which shows that, too.
    """

    config_entry: OneNetConfigEntry

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient, ledger: Ledger) -> None:
        """Prepare the rounds; nothing is asked yet."""
        self.client = client
        self.ledger = ledger
        self.devices = ledger.devices
        self.reachable = True
        self._interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        self._schedules: dict[str, _Schedule] = {}
        # When the next regular round is, and when devices can be asked for together, should that have been refused.
        self._regular = self._batches = _Schedule(client.now(), client.now())
        self._refusals = 0
        self._page: int | None = 0
        self._failures = 0
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=self._interval, always_update=False
        )

    async def async_start(self) -> None:
        """Begin with the rounds, as soon as Home Assistant can hear what they bring."""
        entry = self.config_entry
        self.devices.async_register_account()
        await self.devices.async_sync()
        self._take_over_answers()
        if not self.client.lists_devices:
            # The account may have been on another platform before.
            await self._async_forget_presence()
        entry.async_on_unload(async_dispatcher_connect(self.hass, self.ledger.signal, self._async_heard))
        entry.async_on_unload(
            async_dispatcher_connect(self.hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_entry_changed)
        )
        # Rounds go on without entities, which somebody may have disabled.
        entry.async_on_unload(self.async_add_listener(lambda: None))
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Ask what happened while Home Assistant was away, when the automations listen."""
        if self.devices.added:
            self._async_round_now()
        elif self.ledger.imeis:
            self._round_soon()

    @callback
    def _async_entry_changed(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Take over which devices were added, and ask for what is shown of them."""
        if entry is self.config_entry:
            entry.async_create_task(self.hass, self._async_sync(), "OneNET devices")

    async def _async_sync(self) -> None:
        """Take over which devices were added, and ask for what is shown of them, if that is more than before."""
        if await self.devices.async_sync():
            self._take_over_answers()
            self._async_round_now()

    @callback
    def _async_round_now(self) -> None:
        """Go through a regular round at once, or, shortly after another, a little later."""
        now = self.client.now()
        self._regular = _Schedule(now, now)
        self.config_entry.async_create_background_task(self.hass, self.async_request_refresh(), "OneNET round")

    @callback
    def _take_over_answers(self) -> None:
        """Take over what finished reads have told of devices that were added since."""
        for command in self.ledger.finished:
            self._async_take_over(command)

    @callback
    def _async_take_over(self, command: Command | None) -> None:
        """Take over what a device has told with a command."""
        if command is not None and command.confirm_time is not None:
            self.devices.async_answered(command.asked.operation.imei, command.values or (), command.confirm_time)

    @callback
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Plan to look at a device for which a command was queued; whatever is heard of, OneNET is there."""
        if change == "rejected":
            # It may be the key that was refused.
            return
        if change == "queued":
            now = self.client.now()
            schedule = self._schedules.setdefault(fields[ATTR_IMEI], _Schedule(now, now + self._soon))
            schedule.next_at, schedule.step = min(schedule.next_at, now + self._soon), 0
            if (device := self.devices.added.get(fields[ATTR_IMEI])) is not None and device.gone:
                # It is back, maybe with another id.
                self.devices.async_set_gone(device, gone=False)
                device.id, device.looked_for = None, LONG_AGO
        else:
            self._async_take_over(self.ledger.known(fields[ATTR_UUID]))
        if not self.reachable:
            self._async_set_reachable(reachable=True)
            self._round_soon()
        elif change == "queued" and self.update_interval != self._soon:
            self._round_soon()

    @property
    def _soon(self) -> timedelta:
        """Return how soon a round may follow."""
        return min(_SOON, self._interval)

    @callback
    def _round_soon(self) -> None:
        """Make the next round soon."""
        self.update_interval = self._soon
        self._schedule_refresh()

    @override
    async def _async_update_data(self) -> None:
        """Go through a round."""
        if self.hass.state is not CoreState.running:
            # Nobody would hear the news.
            return
        try:
            await self._async_round()
        except OneNetError as err:
            retry_after = _BACK_OFF[min(self._failures, len(_BACK_OFF) - 1)]
            self._failures += 1
            # The next one asks all that this has not.
            now = self.client.now()
            self._regular = _Schedule(now, now)
            self._async_set_reachable(reachable=False)
            if err.kind is ErrorKind.AUTHENTICATION:
                # The rounds go on: it may be a passing fault of a gateway's.
                self.config_entry.async_start_reauth(self.hass)
            raise update_error(err, retry_after) from err
        self._failures = 0
        self._async_set_reachable(reachable=True)
        # Now that OneNET has told the time.
        self.ledger.prune()
        self.update_interval = self._until_next_round()

    @callback
    def _async_set_reachable(self, *, reachable: bool) -> None:
        """Note whether OneNET is there, and tell all entities where that is news."""
        if reachable is self.reachable:
            return
        self.reachable = reachable
        self.async_update_listeners()
        self.config_entry.async_create_background_task(self.hass, self._async_tell_devices(), "OneNET availability")

    async def _async_tell_devices(self) -> None:
        """Tell the entities of all devices whether OneNET is there."""
        for devices in batched(list(self.devices.added.values()), AT_ONCE, strict=False):
            for device in devices:
                self.devices.async_tell(device, {AVAILABILITY})
            await asyncio.sleep(0)

    def _until_next_round(self) -> timedelta:
        """Return when the next regular round is, or, between two of them, one for what is to be looked at soon."""
        if not self._schedules and not self.devices.added:
            return max(self._interval, _IDLE)
        now = self.client.now()
        soon = (schedule.next_at - now for schedule in self._schedules.values() if schedule.step == 0)
        return max(self._soon, min((self._interval, self._regular.next_at - now, *soon)))

    async def _async_round(self) -> None:
        """Ask for presence and values, look at the devices that have moved, and at some of those whose turn it is."""
        now = self.client.now()
        self._schedules = {imei: self._schedules.get(imei) or _Schedule(now, now, 1) for imei in self.ledger.imeis}
        due = [imei for imei, schedule in self._schedules.items() if schedule.is_due(now)]
        due.sort(key=lambda imei: (self._schedules[imei].step > 0, self._schedules[imei].next_at))
        if not self._regular.is_due(now):
            await self._async_look_at([imei for imei in due if self._schedules[imei].step == 0][:_REQUESTS])
            return
        self._regular = _Schedule(now, now + self._interval)
        requests = 0
        moved: set[str] = set()
        if self.client.lists_devices and self._batches.is_due(now):
            others = self._schedules.keys() - self.devices.added.keys() - set(due[:_REQUESTS])
            together = [*self.devices.added, *sorted(others)]
            requests = await self._async_ask_together([self.devices.get(imei) for imei in together])
            moved = {imei for imei in self._schedules if self.devices.get(imei).moved}
        looks = [imei for imei in due if imei not in moved][: max(1, _REQUESTS - requests)]
        if not (requests or looks):
            await self._async_prove()
        await self._async_look_at([*looks, *moved], is_there=requests > 0)

    async def _async_prove(self) -> None:
        """Find out whether OneNET is there, and where it can do no more, whether one of the devices is."""
        if self.client.lists_devices or not self.devices.added:
            await self.client.prove_key()
            return
        device = min(self.devices.added.values(), key=lambda device: device.looked_for)
        device.looked_for = self.client.now()
        try:
            await self.client.get_resources(device.imei)
        except UnknownDeviceError:
            self.devices.async_set_gone(device, gone=True)
        except OneNetError as err:
            if err.concerns_all:
                raise
            # It may be about this device only.
            await self.client.prove_key()
        else:
            self.devices.async_set_gone(device, gone=False)

    async def _async_ask_together(self, devices: Sequence[Device]) -> int:
        """Take over what OneNET tells of many devices at once, and return how many requests it took."""
        try:
            requests = await self._async_identify([device for device in devices if device.id is None])
            by_id = self._by_id(devices)
            online: dict[str, bool] = {}
            for ids in batched(by_id, STATUS_IDS_MAX, strict=False):
                online |= await self.client.get_device_statuses(ids)
                requests += 1
            for ids in batched(by_id, DATAPOINT_IDS_MAX, strict=False):
                told = await self.client.get_newest_datapoints(ids)
                requests += 1
                await self._async_take_over_datapoints({id_: by_id[id_] for id_ in ids}, online, told)
            # These may be gone, or have another id now.
            unlisted = [device for id_, device in by_id.items() if id_ not in online]
            requests += await self._async_look_for(unlisted)
        except OneNetError as err:
            if err.concerns_all:
                raise
            LOGGER.debug("Devices cannot be asked for together: %s", err)
            self._refusals += 1
            # It may have been one odd reply.
            await self.client.prove_key()
            if isinstance(err, PlatformError) or self._refusals >= _REFUSALS:
                # Not every OneNET has these calls; then the devices take turns only.
                now = self.client.now()
                self._batches = _Schedule(now, now + _NO_BATCHES)
                await self._async_forget_presence()
            return _REQUESTS
        self._refusals = 0
        return requests

    def _by_id(self, devices: Sequence[Device]) -> dict[str, Device]:
        """Return the devices whose ids are known; of two with one id, both are to be looked for anew."""
        by_id: dict[str, Device] = {}
        for device in devices:
            if device.id is None:
                continue
            if (other := by_id.setdefault(device.id, device)) is not device:
                del by_id[device.id]
                for one in (device, other):
                    one.id, one.looked_for = None, LONG_AGO
        return by_id

    async def _async_take_over_datapoints(
        self, by_id: dict[str, Device], online: dict[str, bool], told: Iterator[tuple[str, list[Datapoint]]]
    ) -> None:
        """Take over the presence and the newest values of devices."""
        now = self.client.now()
        # What nothing is told of has none.
        everything = chain(told, [(id_, []) for id_ in by_id])
        for part in batched(everything, AT_ONCE, strict=False):
            for id_, datapoints in part:
                if (device := by_id.pop(id_, None)) is None:
                    continue
                if id_ in online:
                    self.devices.async_set_gone(device, gone=False)
                elif device.online is not None:
                    device.looked_for = LONG_AGO
                schedule = self._schedules.get(device.imei)
                self.devices.async_told(
                    device,
                    online=online.get(id_),
                    datapoints=datapoints,
                    since=schedule.asked_at if schedule else now,
                    now=now,
                )
            await asyncio.sleep(0)

    async def _async_forget_presence(self) -> None:
        """Forget whether devices are there, which OneNET does not tell."""
        for part in batched(list(self.devices.added.values()), AT_ONCE, strict=False):
            for device in part:
                self.devices.async_forget_presence(device)
            await asyncio.sleep(0)

    async def _async_identify(self, devices: Sequence[Device]) -> int:
        """Find out the ids of devices, some a round, and return how many requests it took."""
        if len(devices) <= _SINGLE_IDS or self._page is None:
            return await self._async_look_for(devices)
        wanted = {device.imei: device for device in devices}
        requests = 0
        while self._page is not None and requests < _PAGES:
            requests += 1
            page = await self.client.get_devices(page=self._page + 1, per_page=_PER_PAGE)
            self._page += 1
            for told in page.devices:
                if told.imei in wanted:
                    self._async_identified(wanted.pop(told.imei), told.id)
            # The rest is found sooner one by one, where that takes fewer requests.
            if (
                page.total_count - self._page * _PER_PAGE <= 0
                or page.total_count > (self._page + len(wanted)) * _PER_PAGE
            ):
                self._page = None
        return requests

    async def _async_look_for(self, devices: Sequence[Device]) -> int:
        """Find out the ids of some devices by IMEI, or that the account has them no more; return the requests."""
        long_since = self.client.now() - _LOOKED_FOR
        due = [device for device in devices if device.looked_for < long_since]
        looks = nsmallest(_SINGLE_IDS, due, key=lambda device: device.looked_for)
        for device in looks:
            try:
                told = await self.client.get_device_by_imei(device.imei)
            except OneNetError as err:
                if err.concerns_all:
                    raise
                if isinstance(err, UnknownDeviceError):
                    self.devices.async_set_gone(device, gone=True)
            else:
                self._async_identified(device, told.id)
            device.looked_for = self.client.now()
        return len(looks)

    @callback
    def _async_identified(self, device: Device, id_: str) -> None:
        """Keep a device's id."""
        device.id = id_
        self.devices.async_save(device)
        self.devices.async_set_gone(device, gone=False)

    async def _async_look_at(self, imeis: list[str], *, is_there: bool = False) -> None:
        """Look at devices, a few at once; raise OneNetError where OneNET is not there.

        `is_there` is whether it has answered in this round.
        """
        waiting = iter(imeis)
        answers = 0
        failures: list[OneNetError] = []

        async def work() -> None:
            nonlocal answers
            for imei in waiting:
                if any(err.concerns_all for err in failures):
                    return
                step = self._schedules[imei].step
                again = False
                try:
                    await self._async_look(self.devices.get(imei))
                except OneNetError as err:
                    failures.append(err)
                    again = err.concerns_all
                    answers += isinstance(err, PlatformError) and not again
                else:
                    answers += 1
                self._plan(imei, step, again=again)
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        for err in failures:
            # What is wrong with one device is no reason to ask no more about the others.
            concerns_one = isinstance(err, PlatformBusyError) or not err.concerns_all
            if not concerns_one or not (answers or (is_there and len(failures) == 1)):
                raise err
            LOGGER.debug("The commands of a device could not be read: %s", err)

    async def _async_look(self, device: Device) -> None:
        """Ask what has become of a device's commands; raise OneNetError."""
        if device.imei not in self.ledger.imeis:
            # They have ended meanwhile.
            return
        try:
            await self.ledger.async_look(device.imei)
        except PlatformError as err:
            if not err.concerns_all:
                self._async_looked_at(device, gone=isinstance(err, UnknownDeviceError))
            raise
        self._async_looked_at(device, gone=False)

    @callback
    def _async_looked_at(self, device: Device, *, gone: bool) -> None:
        """Note that whatever happened to a device, its commands have been looked at, and whether there is one."""
        if not self.client.lists_devices:
            # Elsewhere, what is told of all devices shows that.
            self.devices.async_set_gone(device, gone=gone)
        if device.moved:
            device.moved = False
            self.devices.async_save(device)

    def _plan(self, imei: str, step: int, *, again: bool) -> None:
        """Plan when a device is looked at next, where it could not be, again after the others."""
        now = self.client.now()
        schedule = self._schedules[imei]
        schedule.asked_at = now
        if schedule.step < step:
            # A command was queued meanwhile, and is to be looked at soon.
            return
        if again:
            schedule.next_at, schedule.step = now, max(step, 1)
            return
        schedule.next_at = now + self._interval * _LESS_OFTEN[min(schedule.step, len(_LESS_OFTEN) - 1)]
        schedule.step += 1
        change = self.ledger.next_change(imei, now - self._soon)
        if change is not None and change + self._soon < schedule.next_at:
            schedule.next_at = change + self._soon
            schedule.step = 0
