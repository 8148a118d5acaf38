"""Poll the commands of devices at once when a push shows that they are active."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant, callback

from .commands import Commands
from .const import LOGGER
from .onenet.errors import OneNetError
from .onenet.models import CommandState

# Seconds between two polls of active devices.
PAUSE = 5
# The number of polls of a device until the next full poll: some devices report a value every few seconds.
_POLLS = 5


class ActivePolls:
    """Poll the commands of active devices, each device at most once in a pause and a few times between full polls."""

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
        self._pending: dict[str, None] = {}
        # By IMEI, the number of polls since the last full poll.
        self._polls: Counter[str] = Counter()
        self._is_running = False

    @callback
    def async_reset(self, imei: str | None = None) -> None:
        """Allow polls of a device, or of all devices, again: after a full poll, and for a new command or outcome."""
        if imei is None:
            self._polls.clear()
        else:
            del self._polls[imei]

    @callback
    def async_poll(self, imeis: Iterable[str]) -> None:
        """Poll the commands of devices now, and again while a device has not answered a command."""
        # Events wait until automations are set up; the coordinator polls then.
        if self._hass.state is not CoreState.running or self._entry.state is not ConfigEntryState.LOADED:
            return
        if not self._entry.runtime_data.coordinator.last_update_success:
            # The retry of the account's poll polls active devices.
            return
        self._pending |= dict.fromkeys(imei for imei in imeis if self._may_poll(imei))
        if self._pending and not self._is_running:
            self._is_running = True
            self._entry.async_create_background_task(self._hass, self._async_run(), "OneNET active devices")

    async def _async_run(self) -> None:
        """Poll until no device is left."""
        try:
            while self._pending:
                imeis, self._pending = list(self._pending), {}
                self._polls.update(imeis)
                await self._poll(imeis)
                self._pending |= dict.fromkeys(imei for imei in imeis if self._may_poll(imei) and self._has_sent(imei))
                await asyncio.sleep(PAUSE)
        except OneNetError as err:
            LOGGER.debug("The commands of active devices could not be polled: %s", err)
            self._pending = {}
            self._poll_account()
            # Pushes may arrive at any rate.
            await asyncio.sleep(PAUSE)
        finally:
            self._is_running = False

    def _may_poll(self, imei: str) -> bool:
        """Return whether a device has commands to poll, and may be polled before the next full poll."""
        return self._polls[imei] < _POLLS and bool(self._commands.unfinished(imei))

    def _has_sent(self, imei: str) -> bool:
        """Return whether OneNET has sent a command that the device has not answered."""
        return any(command.state is CommandState.SENT for command in self._commands.unfinished(imei))
