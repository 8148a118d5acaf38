"""Update the commands and devices of an account from what OneNET has pushed."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import batched
from typing import Any

from homeassistant.core import CoreState, HomeAssistant, callback

from .const import CONF_OTHER_COMMANDS, CONF_PRODUCT_ID, CONF_PUSH, LOGGER
from .coordinator import OneNetConfigEntry
from .devices import Device
from .onenet.models import CommandState, Datapoint
from .onenet.operations import Read
from .onenet.push import DeviceIdentity, PushedDatapoint, PushedOutcome, PushEvent
from .push_health import OTHER_COMMANDS, OTHER_DEVICES, value_key
from .store import async_get_store
from .timestamps import with_timestamps
from .tracker import StateChange

# So many events are processed at a time, so as not to block the event loop.
_EVENTS_AT_ONCE = 200
_FINISHED = (CommandState.SUCCEEDED, CommandState.FAILED)


@dataclass(kw_only=True, slots=True)
class PushChanges:
    """Hold what a request has changed, and the devices to poll: for details, or because they are active.

    `early` are outcomes, and the IMEI, that may have arrived before the reply to the request that queued their command.
    `others` are those of commands that other applications have queued. `newest` is the time of the newest event of the
    account's devices.
    """

    devices: dict[Device, set[str]] = field(default_factory=dict)
    states: list[StateChange] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    details: set[str] = field(default_factory=set)
    early: list[tuple[str, PushedOutcome]] = field(default_factory=list)
    others: list[tuple[str, PushedOutcome]] = field(default_factory=list)
    newest: datetime | None = None

    def add_time(self, at: datetime | None) -> None:
        """Add the time of an event of one of the account's devices."""
        self.newest = max(filter(None, (self.newest, at)), default=None)


class PushUpdater:
    """Update the commands and devices of an account from pushes: first in memory and in the store, then publish."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
        """Create an updater for a loaded account."""
        self._hass = hass
        self._entry = entry
        self._product_id = entry.data.get(CONF_PRODUCT_ID)
        self._client = entry.runtime_data.client
        self._commands = entry.runtime_data.commands
        self._devices = entry.runtime_data.devices
        self._tracker = entry.runtime_data.tracker
        self._coordinator = entry.runtime_data.coordinator
        self._health = entry.runtime_data.health
        self._store = async_get_store(hass)
        self._announces_others = entry.options[CONF_PUSH].get(CONF_OTHER_COMMANDS, False)

    async def async_apply(self, events: Iterable[PushEvent]) -> PushChanges:
        """Update the commands and devices from events, and save them with one transaction, the next one."""
        changes = PushChanges()
        events = _with_timestamps(events)
        with self._store.one_transaction():
            for number, part in enumerate(batched(events, _EVENTS_AT_ONCE, strict=False)):
                if number:
                    await asyncio.sleep(0)
                for event in part:
                    try:
                        self._apply(event, changes)
                    except Exception:  # noqa: BLE001 - it is logged
                        # OneNET would repeat the request, and turn the push off after many failures.
                        LOGGER.exception("A message of a push could not be processed")
            for device in changes.devices:
                self._devices.async_save(device)
        return changes

    def _apply(self, event: PushEvent, changes: PushChanges) -> None:
        """Update a command or a device from an event."""
        if isinstance(event, PushedOutcome):
            self._apply_outcome(event, changes)
        else:
            item = event.datapoint if isinstance(event, PushedDatapoint) else event.presence
            self._apply_to_device(event.device, item, changes)

    def _find(self, identity: DeviceIdentity) -> Device | None:
        """Return the device of a message, None if it was neither added nor has commands."""
        if identity.imei in self._commands.imeis:
            return self._devices.get(identity.imei)
        key = identity.id
        if not self._client.has_statuses:
            # Names are unique within a product only.
            key = identity.name if identity.product_id in (None, self._product_id) else None
        device = self._devices.find(identity.imei, key)
        if device is None or device.imei not in self._devices.added:
            self._health.counts[OTHER_DEVICES] += 1
        return device

    def _apply_to_device(self, identity: DeviceIdentity, item: Any, changes: PushChanges) -> None:
        """Update a device from a datapoint or from its presence."""
        if (device := self._find(identity)) is None:
            return
        changes.add_time(item.measured_at if isinstance(item, Datapoint) else item.time)
        if isinstance(item, Datapoint):
            self._health.pushed(device.imei, value_key(device.imei, item.path))
        changed, active = self._devices.update_from_push(device, [item], self._client.now())
        if changed or active:
            changes.devices.setdefault(device, set()).update(changed)
        if active:
            changes.active.add(device.imei)

    def _apply_outcome(self, outcome: PushedOutcome, changes: PushChanges) -> None:
        """Update a command that was queued here from its outcome; ignore the commands of other applications."""
        uuid, imei = outcome.record.uuid, outcome.device.imei
        command = self._commands.find(uuid, imei)
        if command is None:
            if (device := self._find(outcome.device)) is not None:
                changes.add_time(outcome.time)
                if self._commands.unconfirmed(device.imei):
                    changes.early.append((device.imei, outcome))
                    return
                self._add_other(device.imei, outcome, changes)
            self._health.counts[OTHER_COMMANDS] += 1
            return
        imei = command.asked.operation.imei
        record = outcome.record
        changes.add_time(outcome.time)
        if record.lacks_confirm_status or record.state in _FINISHED:
            self._health.pushed(imei, uuid)
        if command.id in self._commands.in_flight:
            changes.early.append((imei, outcome))
            return
        is_read = record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read)
        if command.is_finished:
            return
        if record.lacks_confirm_status or (is_read and not outcome.result.values):
            changes.details.add(imei)
        elif (change := self._tracker.async_apply_push(command, outcome)) is not None:
            changes.states.append(change)

    def _add_other(self, imei: str, outcome: PushedOutcome, changes: PushChanges) -> None:
        """Add the outcome of a command that another application has queued, if it is to be announced."""
        is_announced = self._announces_others and outcome.record.state in _FINISHED
        if is_announced and self._health.is_new_other(outcome, self._client.now()):
            changes.others.append((imei, outcome))

    @callback
    def async_publish(self, changes: PushChanges) -> None:
        """Publish what was saved, and poll the devices that need it."""
        for device, changed in changes.devices.items():
            self._devices.async_notify_entities(device, changed)
        # Until Home Assistant has started, automations do not receive events; the coordinator publishes them then.
        if self._hass.state is CoreState.running:
            for change in changes.states:
                self._tracker.async_publish_change(change)
            self._publish_others(changes.others)
        # Outcomes arrive by push if the platform pushes them.
        active = set() if self._client.pushes_outcomes else changes.active
        for imei in changes.details:
            self._coordinator.active_polls.async_reset(imei)
        self._coordinator.active_polls.async_poll(changes.details | active)
        for imei, outcome in changes.early:
            self._entry.async_create_background_task(self._hass, self._async_apply_early(imei, outcome), "OneNET push")

    def _publish_others(self, others: list[tuple[str, PushedOutcome]]) -> None:
        """Announce outcomes of commands that other applications have queued, each once."""
        for imei, outcome in others:
            if self._health.is_new_other(outcome, self._client.now()):
                self._health.async_announced(outcome)
                self._tracker.async_publish_other(imei, outcome)

    async def _async_apply_early(self, imei: str, outcome: PushedOutcome) -> None:
        """Poll the commands of a device once no request in flight can be about the command of an outcome.

        If the command was queued by another application, announce it.
        """
        uuid = outcome.record.uuid
        await self._commands.async_wait_for_requests(imei, uuid)
        if self._commands.find(uuid, imei) is not None or self._commands.unconfirmed(imei):
            self._health.pushed(imei, uuid)
            self._coordinator.active_polls.async_poll({imei})
            return
        self._health.counts[OTHER_COMMANDS] += 1
        changes = PushChanges()
        self._add_other(imei, outcome, changes)
        self._publish_others(changes.others)


def _with_timestamps(events: Iterable[PushEvent]) -> list[PushEvent]:
    """Return the events of a request, whose datapoints have the times that were pushed together with them."""
    events = list(events)
    datapoints = defaultdict[DeviceIdentity, list[Datapoint]](list)
    for event in events:
        if isinstance(event, PushedDatapoint):
            datapoints[event.device].append(event.datapoint)
    found = {identity: iter(with_timestamps(of_device)) for identity, of_device in datapoints.items()}
    return [
        replace(event, datapoint=next(found[event.device])) if isinstance(event, PushedDatapoint) else event
        for event in events
    ]
