"""Adapt the polls of an account, and its repair issue, to whether pushes arrive."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .command import Command
from .commands import Commands
from .const import CONF_PRODUCT_ID, LOGGER
from .device_registry import async_update_push_issue
from .devices import Devices
from .onenet.client import OneNetClient
from .onenet.errors import OneNetError
from .onenet.models import CommandState
from .push_health import PushHealth
from .schedule import PollSchedule


class PushMonitor:
    """Compare what polls find with what pushes have brought."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it connects
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: OneNetClient,
        commands: Commands,
        devices: Devices,
        schedule: PollSchedule,
        health: PushHealth,
    ) -> None:
        """Create a monitor of an account with push."""
        self.health = health
        self._hass = hass
        self._entry = entry
        self._client = client
        self._commands = commands
        self._devices = devices
        self._schedule = schedule

    @callback
    def async_check(self) -> None:
        """Adapt the frequency of polls, and the repair issue."""
        now = self._client.now()
        self.health.async_check(now, self._is_known)
        # Where outcomes are not pushed, only polls find them.
        is_relaxed = self._client.pushes_outcomes and self.health.is_active(now)
        if is_relaxed is not self._schedule.is_relaxed:
            self._schedule.set_relaxed(now, is_relaxed=is_relaxed)
        async_update_push_issue(self._hass, self._entry, is_stopped=self.health.is_stopped(now))

    def _is_known(self, imei: str) -> bool:
        """Return whether a device was added, or has commands."""
        return imei in self._devices.added or imei in self._commands.imeis

    async def async_request_status(self) -> None:
        """Request whether the push is active, from time to time and if OneNET returns that for the account."""
        product_id = self._entry.data.get(CONF_PRODUCT_ID)
        if product_id is None or not self.health.is_status_due(self._client.now()):
            return
        try:
            self.health.set_status(is_active=await self._client.is_push_active(product_id))
        except OneNetError as err:
            LOGGER.debug("It is unknown whether the push is active: %s", err)

    def polled(self, imei: str, commands: list[Command]) -> None:
        """Record the commands of a device whose state has changed by a poll."""
        if self._client.pushes_outcomes:
            for command in commands:
                if command.state in (CommandState.SUCCEEDED, CommandState.FAILED):
                    self.health.polled(imei, command.uuid, command.confirm_time, self._client.now())
