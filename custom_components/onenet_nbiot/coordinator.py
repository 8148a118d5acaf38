"""The coordinator of an account: poll OneNET for its commands, and for the presence and values of its devices."""

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

# A device's commands are polled this long after a command is queued or becomes valid, then after so many intervals.
_FIRST_POLL_DELAY = timedelta(seconds=10)
_POLL_BACKOFF = (1, 1, 2, 5, 10)
# Seconds until the next poll after one, two, ... failed ones.
_RETRY_DELAYS = (30, 60, 120, 300, 600)
# Without commands and devices, a poll only checks the connection.
_IDLE_INTERVAL = timedelta(minutes=15)
# The most requests of a poll; only the commands of devices that were active since their last poll may add to it.
_MAX_REQUESTS = 10
# Number of simultaneous requests for commands, and the pause in seconds after each: OneNET allows 300 calls a second.
_WORKERS = 3
PAUSE = 0.02
# A timer may be early by a second.
_TIMER_TOLERANCE = timedelta(seconds=1)


def platform_of(data: Mapping[str, Any]) -> Platform:
    """Return the platform of an account; the data of one with an API key lacks it, since only one has API keys."""
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
    """Hold the times of the last and the next poll, and the number of polls since a command was queued or changed."""

    polled_at: datetime
    next_at: datetime
    step: int = 0

    def is_due(self, now: datetime) -> bool:
        """Return whether a poll is due; it is, too, after the clock was set back."""
        return not self.polled_at - _TIMER_TOLERANCE <= now < self.next_at - _TIMER_TOLERANCE


class OneNetCoordinator(DataUpdateCoordinator[None]):
    """Poll OneNET for the presence and newest values of an account's devices, and for the states of its commands.

    The commands of a device take one request. They are polled soon after a command was queued, then less often, but
    always if the device was active since. Presence and newest values take one request for hundreds of devices, and
    show which of them were active.
    """

    config_entry: OneNetConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: OneNetConfigEntry, client: OneNetClient, manager: CommandManager
    ) -> None:
        """Create a coordinator that does not poll yet."""
        self.client = client
        self.manager = manager
        self.devices = manager.devices
        self._bulk = BulkUpdater(client, self.devices)
        # Whether OneNET was reachable when the entities of devices were last updated with that.
        self._published = True
        self._polling = False
        self._interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        self._schedules: dict[str, _Schedule] = {}
        # The schedule of the full poll, which includes presence and values.
        self._full_poll = _Schedule(client.now(), client.now())
        self._failures = 0
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=self._interval, always_update=False
        )

    async def async_start(self) -> None:
        """Load the devices, and start polling once Home Assistant has started."""
        entry = self.config_entry
        self.devices.async_set_platform(platform_of(entry.data).name)
        self.devices.async_register_account()
        await self.devices.async_sync()
        self._apply_finished_commands()
        entry.async_on_unload(async_dispatcher_connect(self.hass, self.manager.signal, self._async_command_changed))
        entry.async_on_unload(
            async_dispatcher_connect(self.hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_entry_changed)
        )
        # Polling goes on if all entities are disabled.
        entry.async_on_unload(self.async_add_listener(lambda: None))
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Poll the states that changed while Home Assistant was stopped, now that automations are set up."""
        if self.devices.added:
            self._async_poll_now()
        elif self.manager.imeis:
            self._schedule_early_poll()

    @callback
    def _async_entry_changed(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Update the devices after a change of the entry's subentries."""
        if entry is self.config_entry:
            entry.async_create_task(self.hass, self._async_sync(), "OneNET devices")

    async def _async_sync(self) -> None:
        """Update the devices from the subentries, and poll now if a device or a resource was added."""
        if await self.devices.async_sync():
            self._apply_finished_commands()
            self._async_poll_now()

    @callback
    def _async_poll_now(self) -> None:
        """Request a full poll, which the coordinator delays shortly after another one."""
        now = self.client.now()
        self._full_poll = _Schedule(now, now)
        self.config_entry.async_create_background_task(self.hass, self.async_request_refresh(), "OneNET round")

    @callback
    def _apply_finished_commands(self) -> None:
        """Update the devices with the values of all stored finished commands."""
        for command in self.manager.finished:
            self._async_apply_command(command)

    @callback
    def _async_apply_command(self, command: Command | None) -> None:
        """Update a device with the values that a command read or wrote."""
        if command is not None and command.confirm_time is not None:
            self.devices.async_update_from_read(
                command.asked.operation.imei, command.confirmed_values(), command.confirm_time
            )

    @callback
    def _async_command_changed(self, change: str, fields: dict[str, Any], context: Context) -> None:
        """Schedule a poll for a queued command, update the device from another, and mark OneNET as reachable."""
        if change == "rejected":
            # OneNET may have refused the key.
            return
        # A poll in progress updates the state itself.
        is_back = not self.last_update_success and not self._polling
        if is_back:
            LOGGER.info("Fetching %s data recovered", self.name)
            self.async_set_updated_data(None)
        if change == "queued":
            now = self.client.now()
            schedule = self._schedules.setdefault(fields[ATTR_IMEI], _Schedule(now, now + self._first_poll_delay))
            schedule.next_at, schedule.step = min(schedule.next_at, now + self._first_poll_delay), 0
            if (device := self.devices.added.get(fields[ATTR_IMEI])) is not None and device.missing:
                # OneNET accepted a command for it; its key may have changed.
                self.devices.async_set_found(device)
                device.key, device.last_lookup = None, NEVER
        else:
            self._async_apply_command(self.manager.find(fields[ATTR_UUID]))
        if is_back or (change == "queued" and self.update_interval != self._first_poll_delay):
            self._schedule_early_poll()

    @property
    def _first_poll_delay(self) -> timedelta:
        """Return the delay until the first poll after a change."""
        return min(_FIRST_POLL_DELAY, self._interval)

    @callback
    def _schedule_early_poll(self) -> None:
        """Reschedule the next poll to an early one."""
        self.update_interval = self._first_poll_delay
        self._schedule_refresh()

    @override
    async def _async_update_data(self) -> None:
        """Poll OneNET once."""
        if self.hass.state is not CoreState.running:
            # Automations are not set up yet, or are stopped already.
            return
        self._polling = True
        try:
            await self._async_poll()
        except OneNetError as err:
            retry_after = _RETRY_DELAYS[min(self._failures, len(_RETRY_DELAYS) - 1)]
            self._failures += 1
            # The next poll is a full one.
            now = self.client.now()
            self._full_poll = _Schedule(now, now)
            if err.kind is ErrorKind.AUTHENTICATION:
                # Polling goes on: a gateway may have caused the error, and it may be temporary.
                self.config_entry.async_start_reauth(self.hass)
            raise update_error(err, retry_after) from err
        finally:
            self._polling = False
        self._failures = 0
        self._async_end_reauth()
        self.manager.prune()
        self.devices.async_prune(self.manager.imeis)
        self.update_interval = self._next_update_interval()

    @callback
    def _async_end_reauth(self) -> None:
        """Abort a reauthentication flow, since OneNET has accepted the current key."""
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the account's entities, and those of all devices if OneNET has become reachable or unreachable."""
        super().async_update_listeners()
        if self.last_update_success is not self._published:
            self._published = self.last_update_success
            self.config_entry.async_create_background_task(
                self.hass, self._async_publish_availability(), "OneNET availability"
            )

    async def _async_publish_availability(self) -> None:
        """Update the entities of all devices after a change of OneNET's reachability."""
        for devices in batched(list(self.devices.added.values()), BATCH_SIZE, strict=False):
            for device in devices:
                self.devices.async_notify_entities(device, {AVAILABILITY})
            await asyncio.sleep(0)

    def _next_update_interval(self) -> timedelta:
        """Return the time until the next full poll, or until an earlier one of commands that are polled soon."""
        if not self._schedules and not self.devices.added:
            return max(self._interval, _IDLE_INTERVAL)
        now = self.client.now()
        soon = (schedule.next_at - now for schedule in self._schedules.values() if schedule.step == 0)
        return max(self._first_poll_delay, min((self._interval, self._full_poll.next_at - now, *soon)))

    async def _async_poll(self) -> None:
        """Update presence and values, then poll the commands of active devices and of some that are due.

        Raise OneNetError if OneNET cannot be reached or refuses the account.
        """
        now = self.client.now()
        self._schedules = {imei: self._schedules.get(imei) or _Schedule(now, now, 1) for imei in self.manager.imeis}
        due = [imei for imei, schedule in self._schedules.items() if schedule.is_due(now)]
        due.sort(key=lambda imei: (self._schedules[imei].step > 0, self._schedules[imei].next_at))
        if not self._full_poll.is_due(now):
            await self._async_poll_devices([imei for imei in due if self._schedules[imei].step == 0][:_MAX_REQUESTS])
            return
        self._full_poll = _Schedule(now, now + self._interval)
        others = self._schedules.keys() - self.devices.added.keys() - set(due[:_MAX_REQUESTS])
        imeis = [*self.devices.added, *sorted(others)]
        replies = 0
        if imeis:
            replies = await self._bulk.async_update([self.devices.get(imei) for imei in imeis], self._polled_at)
        active = {imei for imei in self._schedules if self.devices.get(imei).active_since_poll}
        inactive = [imei for imei in due if imei not in active][: max(1, _MAX_REQUESTS - replies)]
        await self._async_poll_devices([*inactive, *active], reached=replies > 0)

    def _polled_at(self, device: Device) -> datetime:
        """Return when a device's commands were last polled."""
        schedule = self._schedules.get(device.imei)
        return schedule.polled_at if schedule else self.client.now()

    async def _async_poll_devices(self, imeis: list[str], *, reached: bool = False) -> None:
        """Poll the commands of devices, a few at once; `reached` is whether OneNET has replied in this poll.

        An error about one device schedules a retry for that device; raise OneNetError for one about the account.
        """
        pending = iter(imeis)
        account_error: OneNetError | None = None

        async def work() -> None:
            nonlocal reached, account_error
            for imei in pending:
                if account_error is not None:
                    return
                step = self._schedules[imei].step
                retry = False
                try:
                    await self._async_poll_device(self.devices.get(imei))
                except OneNetError as err:
                    LOGGER.debug("The commands of a device could not be polled: %s", err)
                    retry = not isinstance(err, PlatformError) or err.kind is ErrorKind.TRANSIENT
                    try:
                        await self._async_check_connection(err)
                    except OneNetError as wider:
                        account_error = wider
                reached = True
                self._schedule_next_poll(imei, step, retry=retry)
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        if account_error is not None:
            raise account_error
        if not reached:
            await self.client.check_connection()

    async def _async_check_connection(self, err: OneNetError) -> None:
        """Raise OneNetError if an error about one device is one about the account, or OneNET cannot be reached."""
        if err.is_account_wide:
            raise err
        if not isinstance(err, PlatformError) or err.kind is ErrorKind.TRANSIENT:
            await self.client.check_connection()

    async def _async_poll_device(self, device: Device) -> None:
        """Poll the commands of a device; raise OneNetError."""
        if device.imei not in self.manager.imeis:
            # Its commands have finished meanwhile.
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
        """Mark a device as inactive since its commands were polled."""
        if device.active_since_poll:
            device.active_since_poll = False
            self.devices.async_save(device)

    def _schedule_next_poll(self, imei: str, step: int, *, retry: bool) -> None:
        """Schedule the next poll of a device's commands; after an error, retry in the next poll."""
        now = self.client.now()
        schedule = self._schedules[imei]
        schedule.polled_at = now
        if schedule.step < step:
            # A command was queued meanwhile, and its poll is scheduled already.
            return
        if retry:
            schedule.next_at, schedule.step = now, max(step, 1)
            return
        schedule.next_at = now + self._interval * _POLL_BACKOFF[min(schedule.step, len(_POLL_BACKOFF) - 1)]
        schedule.step += 1
        change = self.manager.next_change(imei, now - self._first_poll_delay)
        if change is not None and change + self._first_poll_delay < schedule.next_at:
            schedule.next_at = change + self._first_poll_delay
            schedule.step = 0
