"""The coordinator of an account: poll OneNET for its commands, and for the presence and values of its devices."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
import time
from typing import Any, override

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util.signal_type import SignalTypeFormat

from .active_polls import ActivePolls
from .batches import ConnectionCheck
from .bulk import BulkUpdater
from .commands import Commands
from .const import (
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_PUSH,
    CONF_USER_ID,
    DOMAIN,
    INTERVAL,
    LOGGER,
)
from .device_registry import async_register_account, async_sync_devices, async_update_issues
from .devices import AVAILABILITY, BATCH_SIZE, Addition, Device, Devices
from .exceptions import update_error
from .history import HistoryImporter
from .manager import SIGNAL_ACTION, CommandManager
from .new_devices import NewDevices
from .onenet.auth import AccessKey, ApiKey
from .onenet.client import COMMAND_PAUSE, OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformError
from .onenet.models import CommandState
from .onenet.platforms import LEGACY, PLATFORMS, Platform
from .push_health import PushHealth
from .push_monitor import PushMonitor
from .schedule import RELAXED_FACTOR, PollSchedule
from .tracker import CommandTracker

type OneNetConfigEntry = ConfigEntry[OneNetRuntimeData]

# A device, or more of its resources, was added to Home Assistant.
SIGNAL_ADDITION: SignalTypeFormat[Addition] = SignalTypeFormat(f"{DOMAIN}_addition_{{}}")
# Seconds until the next poll after one, two, ... failed ones.
_RETRY_DELAYS = (30, 60, 120, 300, 600)
# A full poll adds due devices until it has this many requests, but at least one. Bulk requests and active devices may
# exceed it. Other polls are of at most this many devices.
_MAX_REQUESTS = 10
# Values of a device may be missing if so many intervals, but at least this time, were between two polls.
_GAP_FACTOR = 2
_GAP_MIN = timedelta(minutes=10)
# Number of simultaneous requests for commands, and the pause in seconds after each: OneNET allows 300 calls a second.
_WORKERS = 3
PAUSE = 0.02


def platform_of(data: Mapping[str, Any]) -> Platform:
    """Return the platform of an account.

    One with an API key has no platform in its data, since only the legacy platform has API keys.
    """
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


@dataclass(frozen=True, kw_only=True, slots=True)
class OneNetRuntimeData:
    """Hold the parts of a loaded account."""

    client: OneNetClient
    commands: Commands
    devices: Devices
    tracker: CommandTracker
    manager: CommandManager
    coordinator: OneNetCoordinator
    health: PushHealth
    history: HistoryImporter


class OneNetCoordinator(DataUpdateCoordinator[None]):
    """Poll OneNET for the presence and newest values of an account's devices, and for the states of its commands.

    The commands of a device take one request. They are polled soon after a command was queued, then less often, but
    always if the device was active since. Presence and newest values take one request for hundreds of devices, and
    show which of them were active.
    """

    config_entry: OneNetConfigEntry

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it connects
        self,
        hass: HomeAssistant,
        entry: OneNetConfigEntry,
        client: OneNetClient,
        commands: Commands,
        devices: Devices,
        tracker: CommandTracker,
        health: PushHealth,
    ) -> None:
        """Create a coordinator that does not poll yet."""
        self._client = client
        self._commands = commands
        self._devices = devices
        self._tracker = tracker
        self._connection = ConnectionCheck(client)
        self._new_devices = NewDevices(hass, entry, client, self._connection)
        interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        self._schedule = PollSchedule(interval, client.now())
        self.push: PushMonitor | None = None
        if CONF_PUSH in entry.options:
            self.push = PushMonitor(hass, entry, client, commands, devices, self._schedule, health)
        pushed = self.push.health if self.push else None
        self._bulk = BulkUpdater(client, devices, self._connection, pushed, self._new_devices.async_see)
        poll = partial(self._async_poll_devices, reached=True)
        self.active_polls = ActivePolls(hass, entry, commands, poll, self._async_poll_now)
        # The reachability that the device entities last showed.
        self._published_reachable = True
        self._polling = False
        self._failures = 0
        # Times for the diagnostics; the next poll is earlier if one is requested.
        self._last_poll: datetime | None = None
        self._last_full_poll: datetime | None = None
        self._last_duration = 0.0
        self._next_poll: datetime | None = None
        super().__init__(
            hass, LOGGER, config_entry=entry, name=entry.title, update_interval=interval, always_update=False
        )

    async def async_load_devices(self) -> None:
        """Load the devices, and follow changes of them."""
        entry = self.config_entry
        self._devices.async_set_platform(platform_of(entry.data).name)
        interval = timedelta(seconds=entry.options.get(CONF_INTERVAL, INTERVAL))
        if self.push is not None:
            interval *= RELAXED_FACTOR
        self._devices.gap_after = max(_GAP_MIN, _GAP_FACTOR * interval)
        async_register_account(self.hass, entry)
        await self._async_sync_devices()
        signal = SIGNAL_ACTION.format(entry.entry_id)
        entry.async_on_unload(async_dispatcher_connect(self.hass, signal, self._async_action_called))
        entry.async_on_unload(
            async_dispatcher_connect(self.hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_entry_changed)
        )

    @callback
    def async_start(self) -> None:
        """Start polling once Home Assistant has started."""
        entry = self.config_entry
        # Polling goes on if all entities are disabled.
        entry.async_on_unload(self.async_add_listener(lambda: None))
        entry.async_on_unload(async_at_started(self.hass, self._async_started))

    @callback
    def _async_started(self, hass: HomeAssistant) -> None:
        """Publish and poll states that changed while Home Assistant was stopped, now that automations are set up."""
        self._tracker.async_publish_saved()
        if self._devices.added:
            self._async_poll_now()
        elif self._commands.imeis:
            self._schedule_early_poll()

    @callback
    def _async_entry_changed(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Update the devices after a change of the entry's subentries."""
        if entry is self.config_entry:
            entry.async_create_task(self.hass, self._async_subentries_changed(), "OneNET devices")

    async def _async_subentries_changed(self) -> None:
        """Update the devices from the subentries, and poll now if a device or a resource was added.

        Reload the entry if descriptions of present entities have changed.
        """
        additions = await self._async_sync_devices()
        if any(addition.needs_reload for addition in additions):
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        elif additions:
            self._async_poll_now()

    async def _async_sync_devices(self) -> list[Addition]:
        """Update the devices and their entities from the subentries; return what was added or changed."""
        additions = await async_sync_devices(self.hass, self.config_entry, self._devices)
        for addition in additions:
            async_dispatcher_send(self.hass, SIGNAL_ADDITION.format(self.config_entry.entry_id), addition)
        if additions:
            for command in self._commands.finished:
                self._tracker.async_apply_values(command)
        return additions

    @callback
    def _async_poll_now(self) -> None:
        """Request a full poll, which the coordinator delays shortly after another one."""
        self._schedule.request_full_poll(self._client.now())
        self.config_entry.async_create_background_task(self.hass, self.async_request_refresh(), "OneNET poll")

    @callback
    def _async_action_called(self, imei: str, queued: bool) -> None:  # noqa: FBT001 - a signal has no names
        """Mark OneNET as reachable after a command was queued or cancelled, and poll soon if one was queued."""
        # A poll in progress updates the state itself.
        is_back = not self.last_update_success and not self._polling
        if is_back:
            self._async_set_reachable()
        if queued:
            self._schedule.queued(imei, self._client.now())
            self.active_polls.async_reset(imei)
            if len(self._commands.unfinished(imei)) == 1:
                # Earlier activity of the device has no effect on its first command.
                self._devices.async_set_polled(imei)
            if (device := self._devices.added.get(imei)) is not None and device.missing:
                # OneNET accepted a command for it; its key may have changed.
                self._devices.async_set_found(device)
                self._devices.async_reset_key(device)
                async_update_issues(self.hass, self.config_entry, self._devices)
        if is_back or (queued and self.update_interval != self._schedule.first_delay):
            self._schedule_early_poll()

    @callback
    def _async_set_reachable(self) -> None:
        """Mark OneNET as reachable after an outage, which makes the entities available."""
        LOGGER.info("Fetching %s data recovered", self.name)
        self.last_update_success = True
        self.async_update_listeners()

    @callback
    def _schedule_early_poll(self) -> None:
        """Reschedule the next poll to an early one."""
        self.update_interval = self._schedule.first_delay
        self._next_poll = self._client.now() + self._schedule.first_delay
        self._schedule_refresh()

    @override
    async def _async_update_data(self) -> None:
        """Poll OneNET once."""
        if self.hass.state is not CoreState.running:
            # Automations are not set up yet, or are stopped already.
            return
        self._polling = True
        self._last_poll = self._client.now()
        started_at = time.monotonic()
        try:
            await self._async_poll()
        except OneNetError as err:
            retry_after = _RETRY_DELAYS[min(self._failures, len(_RETRY_DELAYS) - 1)]
            self._failures += 1
            now = self._client.now()
            self._schedule.request_full_poll(now)
            self._next_poll = now + timedelta(seconds=retry_after)
            # Polling goes on: a gateway may have caused the error, and it may be temporary.
            self._tracker.async_start_reauth_if_refused(err)
            self._devices.async_set_unreachable()
            raise update_error(err, retry_after) from err
        finally:
            self._polling = False
            self._last_duration = time.monotonic() - started_at
            async_update_issues(self.hass, self.config_entry, self._devices)
        self._failures = 0
        self._async_end_reauth()
        now = self._client.now()
        self._commands.async_prune(now)
        self._devices.async_prune(self._commands.imeis)
        self.update_interval = self._schedule.delay(now, is_idle=not self._devices.added)
        self._next_poll = now + self.update_interval

    def summary(self) -> dict[str, Any]:
        """Return the times of polls, and what they leave out, for the diagnostics."""
        return {
            "reachable": self.last_update_success,
            "failures_in_succession": self._failures,
            "last_poll": self._last_poll,
            "last_poll_seconds": round(self._last_duration, 3),
            "last_full_poll": self._last_full_poll,
            "next_poll": self._next_poll,
            **self._schedule.summary(self._client.now()),
            **self._bulk.summary(),
        }

    def device_summary(self, device: Device) -> dict[str, Any]:
        """Return when the commands of a device are polled, and which calls leave it out, for the diagnostics."""
        return {
            "reachable": self.last_update_success,
            **self._schedule.times(device.imei),
            "suspended_calls": self._bulk.suspensions(device),
        }

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
        if self.last_update_success is not self._published_reachable:
            self._published_reachable = self.last_update_success
            self.config_entry.async_create_background_task(
                self.hass, self._async_publish_availability(), "OneNET availability"
            )

    async def _async_publish_availability(self) -> None:
        """Update the entities of all devices after a change of OneNET's reachability."""
        for devices in batched(list(self._devices.added.values()), BATCH_SIZE, strict=False):
            for device in devices:
                self._devices.async_notify_entities(device, {AVAILABILITY})
            await asyncio.sleep(0)

    async def _async_poll(self) -> None:
        """Update presence and values, then poll the commands of active devices and of some that are due.

        Raise OneNetError if OneNET cannot be reached or refuses the account.
        """
        if self.push is not None:
            self.push.async_check()
        now = self._client.now()
        schedule = self._schedule
        schedule.set_devices(self._commands.imeis, now)
        if not schedule.is_full_poll_due(now):
            await self._async_poll_devices(schedule.due(now, soon_only=True)[:_MAX_REQUESTS])
            return
        self._last_full_poll = now
        schedule.full_poll_started(now)
        self.active_polls.async_reset()
        if self.push is not None:
            await self.push.async_request_status()
        due = schedule.due(now)
        others = schedule.imeis - self._devices.added.keys() - set(due[:_MAX_REQUESTS])
        imeis = [*self._devices.added, *sorted(others)]
        replies = 0
        if imeis:
            replies = await self._bulk.async_update([self._devices.get(imei) for imei in imeis], self._polled_at)
        if not self.last_update_success:
            # The entities become available before they show what this poll finds.
            if not replies:
                await self._client.check_connection()
                replies = 1
            self._async_set_reachable()
        active = {imei for imei in schedule.imeis if self._devices.get(imei).active_since_poll}
        inactive = [imei for imei in due if imei not in active][: max(1, _MAX_REQUESTS - replies)]
        await self._async_poll_devices([*inactive, *active], reached=replies > 0)
        await self._new_devices.async_update(platform_of(self.config_entry.data).name)

    def _polled_at(self, device: Device) -> datetime:
        """Return when a device's commands were last polled."""
        return self._schedule.polled_at(device.imei, self._client.now())

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
                try:
                    await self._async_poll_device(imei)
                except OneNetError as err:
                    account_error = err
                reached = True
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        if account_error is not None:
            raise account_error
        if not reached:
            await self._client.check_connection()

    async def _async_poll_device(self, imei: str) -> None:
        """Poll a device's commands, and schedule the next poll; raise OneNetError for an error about the account."""
        token = self._schedule.start(imei)
        try:
            changed, failure = await self._tracker.async_poll(imei)
        except OneNetError as err:
            changed, failure = [], err
        now = self._client.now()
        if failure is None or _is_lasting(failure):
            self._devices.async_set_polled(imei)
            next_change = self._commands.next_change(imei, now - self._schedule.first_delay)
            self._schedule.polled(imei, token, now, next_change)
        else:
            self._schedule.failed(imei, token, now)
        if any(command.state is CommandState.QUEUED for command in changed):
            # A command whose reply was lost was found.
            self._schedule.queued(imei, now)
        if self.push is not None:
            self.push.polled(imei, changed)
        if failure is not None:
            LOGGER.debug("The commands of a device could not be polled: %s", failure)
            await self._connection.async_check(failure)


def _is_lasting(err: OneNetError) -> bool:
    """Return whether the next poll of a device's commands would fail in the same way."""
    return isinstance(err, PlatformError) and err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide
