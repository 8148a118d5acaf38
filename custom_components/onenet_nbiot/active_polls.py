"""Poll the commands of devices at once when a push shows that they are active."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant, callback

from .commands import Commands
from .const import LOGGER
from .onenet.errors import OneNetError
from .onenet.models import CommandState

# Seconds between two polls of active devices, and the number of polls while a device has not answered a command.
PAUSE = 5
_POLLS = 5


class ActivePolls:
    """Poll the commands of active devices, each device at most once in a pause."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        commands: Commands,
        poll: Callable[[list[str]], Awaitable[None]],
        poll_account: Callable[[], None],
    ) -> None:
        """Create an idle instance; `poll` polls devices, `poll_account` requests a full poll after an error."""
        self._hass = hass
        self._entry = entry
        self._commands = commands
        self._poll = poll
        self._poll_account = poll_account
        # By IMEI, how often a device is still polled.
        self._pending: dict[str, int] = {}
        self._is_running = False

    @callback
    def async_poll(self, imeis: Iterable[str]) -> None:
        """Poll the commands of devices now, and again while a device has not answered a command."""
        # Events wait until automations are set up; the coordinator polls then.
        if self._hass.state is not CoreState.running or self._entry.state is not ConfigEntryState.LOADED:
            return
        if not self._entry.runtime_data.coordinator.last_update_success:
            # The retry of the account's poll polls active devices.
            return
        self._pending |= {imei: _POLLS for imei in imeis if self._commands.unfinished(imei)}
        if self._pending and not self._is_running:
            self._is_running = True
            self._entry.async_create_background_task(self._hass, self._async_run(), "OneNET active devices")

    async def _async_run(self) -> None:
        """Poll until no device is left."""
        try:
            while self._pending:
                polls, self._pending = self._pending, {}
                await self._poll(list(polls))
                again = {imei: left - 1 for imei, left in polls.items() if left > 1 and self._has_sent(imei)}
                self._pending = again | self._pending
                await asyncio.sleep(PAUSE)
        except OneNetError as err:
            LOGGER.debug("The commands of active devices could not be polled: %s", err)
            self._pending = {}
            self._poll_account()
            # Pushes may arrive at any rate.
            await asyncio.sleep(PAUSE)
        finally:
            self._is_running = False

    def _has_sent(self, imei: str) -> bool:
        """Return whether OneNET has sent a command that the device has not answered."""
        return any(command.state is CommandState.SENT for command in self._commands.unfinished(imei))
