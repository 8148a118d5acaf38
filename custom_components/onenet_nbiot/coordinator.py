"""When OneNET is asked, and about whom."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, CoreState, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import ATTR_IMEI, CONF_ACCESS_KEY, CONF_INTERVAL, CONF_PLATFORM, CONF_PRODUCT_ID, INTERVAL, LOGGER
from .exceptions import update_error
from .ledger import DeviceTrace, Ledger
from .onenet.auth import AccessKey, ApiKey
from .onenet.client import DATAPOINT_IDS_MAX, STATUS_IDS_MAX, OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformError
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
_SINGLE_IDS = 3
_PAGES = 5
_PER_PAGE = 100
_NO_BATCHES = timedelta(hours=1)
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
    """Ask OneNET what has become of an account's commands: soon, then less often, and first where something moved.

    A device's commands are read with its list, which costs a request. Many devices are followed by asking for their
    presence and newest datapoints, hundreds at once, and looking at those that moved; at the others in turn.
    """

    config_entry: OneNetConfigEntry

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient, ledger: Ledger) -> None:
        """Prepare the rounds; nothing is asked yet."""
        self.client = client
        self.ledger = ledger
        self.reachable = True
        self._interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        self._schedules: dict[str, _Schedule] = {}
        # When the next regular round is, and when devices can be asked for together, should that have been refused.
        self._regular = self._batches = _Schedule(client.now(), client.now())
        self._page: int | None = 0
        self._unidentified: set[str] = set()
        self._failures = 0
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=self._interval, always_update=False
        )

    @callback
    def async_start(self) -> None:
        """Begin with the rounds, as soon as Home Assistant can hear what they bring."""
        entry = self.config_entry
        entry.async_on_unload(async_dispatcher_connect(self.hass, self.ledger.signal, self._async_heard))
        # Rounds go on without entities, which somebody may have disabled.
        entry.async_on_unload(self.async_add_listener(lambda: None))
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Ask what happened while Home Assistant was away, when the automations listen."""
        if self.ledger.devices:
            self._round_soon()

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
        if not self.reachable:
            self.reachable = True
            self.async_update_listeners()
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
            if self.reachable:
                self.reachable = False
                self.async_update_listeners()
            if err.kind is ErrorKind.AUTHENTICATION:
                # The rounds go on: it may be a passing fault of a gateway's.
                self.config_entry.async_start_reauth(self.hass)
            raise update_error(err, retry_after) from err
        self._failures = 0
        self.reachable = True
        # Now that OneNET has told the time.
        self.ledger.prune()
        self.update_interval = self._until_next_round()

    def _until_next_round(self) -> timedelta:
        """Return when the next regular round is, or, between two of them, one for what is to be looked at soon."""
        if not self._schedules:
            return max(self._interval, _IDLE)
        now = self.client.now()
        soon = (schedule.next_at - now for schedule in self._schedules.values() if schedule.step == 0)
        return max(self._soon, min((self._interval, self._regular.next_at - now, *soon)))

    async def _async_round(self) -> None:
        """Look at the devices that have moved, and at some of those whose turn it is."""
        now = self.client.now()
        self._schedules = {imei: self._schedules.get(imei) or _Schedule(now, now, 1) for imei in self.ledger.devices}
        if not self._schedules:
            await self.client.prove_key()
            return
        due = [imei for imei, schedule in self._schedules.items() if schedule.is_due(now)]
        due.sort(key=lambda imei: (self._schedules[imei].step > 0, self._schedules[imei].next_at))
        moved: dict[str, DeviceTrace] = {}
        requests = 0
        regular = self._regular.is_due(now)
        if not regular:
            due = [imei for imei in due if self._schedules[imei].step == 0]
        else:
            self._regular = _Schedule(now, now + self._interval)
            if (
                self.client.lists_devices
                and self._batches.is_due(now)
                and (others := self._schedules.keys() - set(due[:_REQUESTS]))
            ):
                moved, requests = await self._async_moved(others)
        looks = [imei for imei in due if imei not in moved][: max(1, _REQUESTS - requests)]
        if regular and not (requests or looks):
            # Nobody would know whether OneNET is there.
            await self.client.prove_key()
        await self._async_look_at([*looks, *moved], moved)

    async def _async_moved(self, imeis: Iterable[str]) -> tuple[dict[str, DeviceTrace], int]:
        """Return what OneNET tells of those that moved since they were looked at, and how many requests it took."""
        traces = self.ledger.traces
        moved: dict[str, DeviceTrace] = {}
        try:
            requests = await self._async_identify([imei for imei in imeis if imei not in traces])
            by_id = {traces[imei].id: imei for imei in imeis if imei in traces}
            online: dict[str, bool] = {}
            for ids in batched(by_id, STATUS_IDS_MAX, strict=False):
                online |= await self.client.get_device_statuses(ids)
                requests += 1
            newest: dict[str, datetime] = {}
            for ids in batched(by_id, DATAPOINT_IDS_MAX, strict=False):
                newest |= await self.client.get_newest_datapoint_times(ids)
                requests += 1
        except OneNetError as err:
            if err.concerns_all:
                raise
            # Not every OneNET has these calls; then the devices take turns only.
            LOGGER.debug("Devices cannot be asked for together: %s", err)
            now = self.client.now()
            self._batches = _Schedule(now, now + _NO_BATCHES)
            return {}, _REQUESTS
        for id_, imei in by_id.items():
            trace = DeviceTrace(id=id_, online=online.get(id_), newest=newest.get(id_))
            if trace == traces[imei]:
                continue
            if traces[imei] == DeviceTrace(id=id_) and not (
                trace.newest and trace.newest > self._schedules[imei].asked_at
            ):
                # There is nothing to compare with yet.
                self.ledger.async_trace(imei, trace)
            else:
                moved[imei] = trace
        return moved, requests

    async def _async_identify(self, imeis: list[str]) -> int:
        """Find out the ids of devices, some a round, and return how many requests it took."""
        imeis = [imei for imei in imeis if imei not in self._unidentified]
        requests = 0
        if len(imeis) > _SINGLE_IDS and self._page is not None:
            wanted = set(imeis)
            while self._page is not None and requests < _PAGES:
                requests += 1
                page = await self.client.get_devices(page=self._page + 1, per_page=_PER_PAGE)
                self._page += 1
                for device in page.devices:
                    if device.imei in wanted:
                        self.ledger.async_trace(device.imei, DeviceTrace(id=device.id))
                if self._page * _PER_PAGE >= page.total_count:
                    self._page = None
            return requests
        for imei in imeis[:_SINGLE_IDS]:
            requests += 1
            try:
                device = await self.client.get_device_by_imei(imei)
            except OneNetError as err:
                if err.concerns_all:
                    raise
                self._unidentified.add(imei)
            else:
                self.ledger.async_trace(imei, DeviceTrace(id=device.id))
        return requests

    async def _async_look_at(self, imeis: list[str], moved: dict[str, DeviceTrace]) -> None:
        """Look at devices, a few at once; raise OneNetError where OneNET is not there."""
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
                    await self.ledger.async_look(imei)
                except OneNetError as err:
                    failures.append(err)
                    again = err.concerns_all
                    answers += isinstance(err, PlatformError)
                else:
                    answers += 1
                    if imei in moved:
                        self.ledger.async_trace(imei, moved[imei])
                self._plan(imei, step, again=again)
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        for err in failures:
            # What is wrong with one device is no reason to ask no more about the others.
            if err.concerns_all or not answers:
                raise err
            LOGGER.debug("The commands of a device could not be read: %s", err)

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
