"""Watch whether the devices of an account are overdue."""

from datetime import datetime
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.helpers.event import async_call_later

from .coordinator import SIGNAL_ADDITION, OneNetCoordinator
from .devices import OVERDUE, SIGNAL_OVERDUE, SIGNAL_PRESENCE, Addition, Device, Devices
from .onenet.client import OneNetClient


class OverdueWatch:
    """Set whether the devices of an account are overdue, and publish when one becomes overdue."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: OneNetClient,
        devices: Devices,
        coordinator: OneNetCoordinator,
    ) -> None:
        """Create a watch that is not started."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._devices = devices
        self._coordinator = coordinator
        self._timers: dict[Device, CALLBACK_TYPE] = {}

    @callback
    def async_start(self) -> None:
        """Follow the presence of the devices until the account is unloaded."""
        entry = self._entry
        presence = SIGNAL_PRESENCE.format(entry.entry_id)
        addition = SIGNAL_ADDITION.format(entry.entry_id)
        entry.async_on_unload(async_dispatcher_connect(self._hass, presence, self._async_update))
        entry.async_on_unload(async_dispatcher_connect(self._hass, addition, self._async_added))
        entry.async_on_unload(self._async_cancel_timers)

    @callback
    def _async_added(self, addition: Addition) -> None:
        """Update a device that was added, since its presence may be known."""
        self._async_update(addition.device)

    @callback
    def _async_update(self, device: Device) -> None:
        """Set whether a device is overdue, publish a change, and start the timer until it may become overdue."""
        if (cancel := self._timers.pop(device, None)) is not None:
            cancel()
        # A device that is not polled may have been seen meanwhile.
        if (
            self._devices.added.get(device.imei) is not device
            or not device.is_last_seen_current
            or device.missing
            or not self._coordinator.last_update_success
        ):
            return
        is_overdue = None
        if (overdue_at := device.overdue_at) is not None:
            remaining = (overdue_at - self._client.now()).total_seconds()
            is_overdue = remaining <= 0
            if not is_overdue:
                finished = partial(self._async_timer_finished, device)
                self._timers[device] = async_call_later(self._hass, remaining, finished)
        if is_overdue is device.is_overdue:
            return
        # It is published once, also over restarts.
        is_new = is_overdue is True and device.was_overdue is False
        device.is_overdue = is_overdue
        if device.was_overdue is not is_overdue:
            device.was_overdue = is_overdue
            self._devices.async_save(device)
        self._devices.async_notify_entities(device, {OVERDUE})
        if is_new:
            async_dispatcher_send(self._hass, SIGNAL_OVERDUE, self._entry.entry_id, device)

    @callback
    def _async_timer_finished(self, device: Device, _: datetime) -> None:
        """Update a device at the end of its timer."""
        del self._timers[device]
        self._async_update(device)

    @callback
    def _async_cancel_timers(self) -> None:
        """Cancel all timers."""
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()
