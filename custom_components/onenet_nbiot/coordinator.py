"""When OneNET is asked, and about whom."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, override

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, CoreState, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .bulk import BulkUpdater
from .command import Command
from .const import (
    ATTR_IMEI,
    ATTR_UUID,
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_USER_ID,
    INTERVAL,
    LOGGER,
)
from .devices import AVAILABILITY, BATCH_SIZE, NEVER, Device
from .exceptions import update_error
from .manager import CommandManager
from .onenet.auth import AccessKey, ApiKey
from .onenet.client import COMMAND_PAUSE, OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformError
from .onenet.platforms import LEGACY, PLATFORMS, Platform

type OneNetConfigEntry = ConfigEntry[OneNetCoordinator]

# Soon after a command was queued, or has begun to count, its device is looked at; then after so many intervals.
_FIRST_POLL_DELAY = timedelta(seconds=10)
_POLL_BACKOFF = (1, 1, 2, 5, 10)
# Seconds until the next attempt after one, two, ... failed rounds.
_BACK_OFF = (30, 60, 120, 300, 600)
# While no command waits, it is only of interest whether OneNET is there.
_IDLE_INTERVAL = timedelta(minutes=15)
# Of devices that show no sign of having moved, a round looks at as many as keep it to so many requests.
_REQUESTS = 10
# So many looks at once, and a pause in seconds between two of one worker: OneNET takes 300 calls a second.
_WORKERS = 3
PAUSE = 0.02
# A timer may be early by a second.
_TIMER_TOLERANCE = timedelta(seconds=1)


def platform_of(data: Mapping[str, Any]) -> Platform:
    """Return the platform of an account; one with an API key does not name it, since it can be but one."""
    return PLATFORMS[data.get(CONF_PLATFORM, LEGACY.name)]


def create_client(hass: HomeAssistant, data: Mapping[str, str]) -> OneNetClient:
    """Return a client for an account; raise ValueError for an access key that is not base64."""
    product_id = data.get(CONF_PRODUCT_ID)
    if (api_key := data.get(CONF_API_KEY)) is not None:
        credentials: ApiKey | AccessKey = ApiKey(api_key)
    else:
        user_id = data.get(CONF_USER_ID)
        credentials = AccessKey(f"userid/{user_id}" if user_id else f"products/{product_id}", data[CONF_ACCESS_KEY])
    return OneNetClient(
        async_get_clientsession(hass),
        credentials,
        base_url=data[CONF_URL],
        platform=platform_of(data),
        product_id=product_id,
        pause=COMMAND_PAUSE,
    )


@dataclass(slots=True)
class _Schedule:
    """Hold when something was asked, is to be asked next, and how often it was in vain."""

    asked_at: datetime
    next_at: datetime
    step: int = 0

    def is_due(self, now: datetime) -> bool:
        """Return whether it is to be asked; after the clock was set back, it is, too."""
        return not self.asked_at - _TIMER_TOLERANCE <= now < self.next_at - _TIMER_TOLERANCE


class OneNetCoordinator(DataUpdateCoordinator[None]):
    """Ask OneNET for the presence and newest values of an account's devices, and what has become of its commands.

    A device's commands are read with its list, which costs a request: soon, then less often, and first where the
    device has moved. Presence and newest values are asked for hundreds of devices at once, which shows that, too.
    """

    config_entry: OneNetConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient, manager: CommandManager
    ) -> None:
        """Prepare the rounds; nothing is asked yet."""
        self.client = client
        self.manager = manager
        self.devices = manager.devices
        self._bulk = BulkUpdater(client, self.devices)
        # Whether OneNET was reachable when that was last shown by the entities of devices.
        self._published = True
        self._polling = False
        self._interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        self._schedules: dict[str, _Schedule] = {}
        # When the next regular round is.
        self._regular = _Schedule(client.now(), client.now())
        self._failures = 0
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=self._interval, always_update=False
        )

    async def async_start(self) -> None:
        """Begin with the rounds, as soon as Home Assistant can hear what they bring."""
        entry = self.config_entry
        self.devices.async_set_platform(platform_of(entry.data).name)
        self.devices.async_register_account()
        await self.devices.async_sync()
        self._take_over_answers()
        entry.async_on_unload(async_dispatcher_connect(self.hass, self.manager.signal, self._async_heard))
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
        elif self.manager.imeis:
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
        """Update the devices that were added since from commands that have succeeded."""
        for command in self.manager.finished:
            self._async_take_over(command)

    @callback
    def _async_take_over(self, command: Command | None) -> None:
        """Update a device from what a command read or wrote."""
        if command is not None and command.confirm_time is not None:
            self.devices.async_update_from_read(
                command.asked.operation.imei, command.confirmed_values(), command.confirm_time
            )

    @callback
    def _async_heard(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Plan to poll a device for which a command was queued; OneNET is reachable, as there is news."""
        if change == "rejected":
            # The reason may be the key.
            return
        # The end of a round shows by itself that OneNET is back.
        is_back = not self.last_update_success and not self._polling
        if is_back:
            LOGGER.info("Fetching %s data recovered", self.name)
            self.async_set_updated_data(None)
        if change == "queued":
            now = self.client.now()
            schedule = self._schedules.setdefault(fields[ATTR_IMEI], _Schedule(now, now + self._soon))
            schedule.next_at, schedule.step = min(schedule.next_at, now + self._soon), 0
            if (device := self.devices.added.get(fields[ATTR_IMEI])) is not None and device.missing:
                # It is back, perhaps with another key.
                self.devices.async_set_found(device)
                device.key, device.last_lookup = None, NEVER
        else:
            self._async_take_over(self.manager.find(fields[ATTR_UUID]))
        if is_back or (change == "queued" and self.update_interval != self._soon):
            self._round_soon()

    @property
    def _soon(self) -> timedelta:
        """Return how soon a round may follow."""
        return min(_FIRST_POLL_DELAY, self._interval)

    @callback
    def _round_soon(self) -> None:
        """Make the next round soon."""
        self.update_interval = self._soon
        self._schedule_refresh()

    @override
    async def _async_update_data(self) -> None:
        """Poll OneNET once."""
        if self.hass.state is not CoreState.running:
            # Automations do not listen yet, or any more.
            return
        self._polling = True
        try:
            await self._async_poll()
        except OneNetError as err:
            retry_after = _BACK_OFF[min(self._failures, len(_BACK_OFF) - 1)]
            self._failures += 1
            # The next round asks all that this one has not.
            now = self.client.now()
            self._regular = _Schedule(now, now)
            if err.kind is ErrorKind.AUTHENTICATION:
                # Polling goes on: the error may be a gateway's, and temporary.
                self.config_entry.async_start_reauth(self.hass)
            raise update_error(err, retry_after) from err
        finally:
            self._polling = False
        self._failures = 0
        self._async_end_reauth()
        self.manager.prune()
        self.devices.async_prune(self.manager.imeis)
        self.update_interval = self._until_next_round()

    @callback
    def _async_end_reauth(self) -> None:
        """Close a request for a new key, now that OneNET accepts the one there is."""
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the entities of the account, and those of all devices where OneNET has become (un)reachable."""
        super().async_update_listeners()
        if self.last_update_success is not self._published:
            self._published = self.last_update_success
            self.config_entry.async_create_background_task(
                self.hass, self._async_publish_availability(), "OneNET availability"
            )

    async def _async_publish_availability(self) -> None:
        """Update the entities of all devices."""
        for devices in batched(list(self.devices.added.values()), BATCH_SIZE, strict=False):
            for device in devices:
                self.devices.async_notify_entities(device, {AVAILABILITY})
            await asyncio.sleep(0)

    def _until_next_round(self) -> timedelta:
        """Return when the next regular round is, or, between two of them, one for what is to be polled soon."""
        if not self._schedules and not self.devices.added:
            return max(self._interval, _IDLE_INTERVAL)
        now = self.client.now()
        soon = (schedule.next_at - now for schedule in self._schedules.values() if schedule.step == 0)
        return max(self._soon, min((self._interval, self._regular.next_at - now, *soon)))

    async def _async_poll(self) -> None:
        """Update presence and values, then poll the devices that were active, and some of those that are due.

        Raise OneNetError where OneNET cannot be reached, or refuses the account.
        """
        now = self.client.now()
        self._schedules = {imei: self._schedules.get(imei) or _Schedule(now, now, 1) for imei in self.manager.imeis}
        due = [imei for imei, schedule in self._schedules.items() if schedule.is_due(now)]
        due.sort(key=lambda imei: (self._schedules[imei].step > 0, self._schedules[imei].next_at))
        if not self._regular.is_due(now):
            await self._async_poll_devices([imei for imei in due if self._schedules[imei].step == 0][:_REQUESTS])
            return
        self._regular = _Schedule(now, now + self._interval)
        others = self._schedules.keys() - self.devices.added.keys() - set(due[:_REQUESTS])
        together = [*self.devices.added, *sorted(others)]
        answers = 0
        if together:
            answers = await self._bulk.async_update([self.devices.get(imei) for imei in together], self._polled_at)
        moved = {imei for imei in self._schedules if self.devices.get(imei).active_since_poll}
        looks = [imei for imei in due if imei not in moved][: max(1, _REQUESTS - answers)]
        await self._async_poll_devices([*looks, *moved], answered=answers > 0)

    def _polled_at(self, device: Device) -> datetime:
        """Return when a device's commands were last polled."""
        schedule = self._schedules.get(device.imei)
        return schedule.asked_at if schedule else self.client.now()

    async def _async_poll_devices(self, imeis: list[str], *, answered: bool = False) -> None:
        """Poll the commands of devices, a few at once.

        `answered` is whether OneNET has answered in this round. What goes wrong with one device costs only that one a
        retry; raise OneNetError for what concerns all.
        """
        waiting = iter(imeis)
        account_error: OneNetError | None = None

        async def work() -> None:
            nonlocal answered, account_error
            for imei in waiting:
                if account_error is not None:
                    return
                step = self._schedules[imei].step
                again = False
                try:
                    await self._async_poll_device(self.devices.get(imei))
                except OneNetError as err:
                    LOGGER.debug("The commands of a device could not be polled: %s", err)
                    again = not isinstance(err, PlatformError) or err.kind is ErrorKind.TRANSIENT
                    try:
                        await self._async_check(err)
                    except OneNetError as found:
                        account_error = found
                answered = True
                self._plan(imei, step, again=again)
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        if account_error is not None:
            raise account_error
        if not answered:
            await self.client.check_connection()

    async def _async_check(self, err: OneNetError) -> None:
        """Raise OneNetError if what went wrong with one device concerns all of them."""
        if err.is_account_wide:
            raise err
        if not isinstance(err, PlatformError) or err.kind is ErrorKind.TRANSIENT:
            await self.client.check_connection()

    async def _async_poll_device(self, device: Device) -> None:
        """Poll the commands of a device; raise OneNetError."""
        if device.imei not in self.manager.imeis:
            # They have finished meanwhile.
            return
        try:
            await self.manager.async_poll_device(device.imei)
        except PlatformError as err:
            if err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide:
                self._async_clear_activity(device)
            raise
        self._async_clear_activity(device)

    @callback
    def _async_clear_activity(self, device: Device) -> None:
        """Note that a device's commands have been polled, with whatever result."""
        if device.active_since_poll:
            device.active_since_poll = False
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
        schedule.next_at = now + self._interval * _POLL_BACKOFF[min(schedule.step, len(_POLL_BACKOFF) - 1)]
        schedule.step += 1
        change = self.manager.next_change(imei, now - self._soon)
        if change is not None and change + self._soon < schedule.next_at:
            schedule.next_at = change + self._soon
            schedule.step = 0
