"""The command tracker of an account: poll its commands, save their new states and fire the events."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.json import json_bytes
from homeassistant.util.signal_type import SignalType, SignalTypeFormat

from .activity import describe_activity
from .command import VALUES_TOO_LARGE, Command, describe_outcome, describe_values
from .commands import EXPIRY_GRACE, Commands
from .const import (
    ATTR_IMEI,
    ATTR_MESSAGE,
    ATTR_REASON,
    ATTR_TYPE,
    ATTR_VALUES,
    ATTR_VALUES_OMITTED,
    DOMAIN,
    EVENT_ACTIVITY,
    EVENT_ONENET,
    LOGGER,
)
from .devices import Devices
from .lost_replies import Match, compare, could_match, matching_records
from .onenet.client import OneNetClient
from .onenet.errors import ErrorKind, OneNetError, PlatformError
from .onenet.models import HISTORY, CommandDetail, CommandRecord, CommandState
from .onenet.operations import Operation, Read, Write
from .onenet.push import PushedOutcome

# An event of a command: the event type without `command_`, the event's fields, and the context.
SIGNAL_COMMAND_STATE: SignalTypeFormat[str, dict[str, Any], Context] = SignalTypeFormat(f"{DOMAIN}_command_state_{{}}")
# The same, of the commands of all accounts, after the entities were updated.
SIGNAL_COMMAND: SignalType[str, dict[str, Any], Operation | None, Context] = SignalType(f"{DOMAIN}_command")
# The number of waiting commands may have changed; sent before SIGNAL_COMMAND_STATE, with the context.
SIGNAL_WAITING_COMMANDS: SignalTypeFormat[Context] = SignalTypeFormat(f"{DOMAIN}_waiting_commands_{{}}")

# Lists start this long before a command was sent, in case the platform's time is not known exactly.
LIST_MARGIN = timedelta(hours=1)
# An unconfirmed command that is not in the device's list after this time never arrived.
_UNCONFIRMED_MAX_AGE = timedelta(hours=1)
# After this many failed requests for its values, a successful read is published without them.
_VALUES_MAX_ATTEMPTS = 5
_WITHIN_SECOND = timedelta(milliseconds=999)
# The recorder drops the data of an event of more than 32,768 bytes; this leaves room for its type.
_MAX_EVENT_SIZE = 32_000


class PollResult(NamedTuple):
    """Hold the commands whose state has changed, and the error of a request for details, which a later poll repeats."""

    changed: list[Command]
    failure: OneNetError | None


class StateChange(NamedTuple):
    """Hold a command and its new state, which is saved, but not published."""

    command: Command
    state: CommandState


class _Reading:
    """Hold what was already published of a reading, by its context.

    `shown` are the signal keys of entities that have shown a queued command; `queued` are the commands by device, while
    the device's reads are being queued.
    """

    def __init__(self) -> None:
        """Start without a command."""
        self.shown: set[str] = set()
        self.queued: dict[str, list[Command]] = {}


class CommandTracker:
    """Change the states of an account's commands; save each new state, and publish it once."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry[Any], client: OneNetClient, commands: Commands, devices: Devices
    ) -> None:
        """Create a tracker, which polls with the client."""
        self._hass = hass
        self._entry = entry
        self._data = entry.data
        self._client = client
        self._commands = commands
        self._devices = devices
        self._value_failures: Counter[int] = Counter()
        # The readings that are being requested, by the id of their context.
        self._readings: WeakValueDictionary[str, _Reading] = WeakValueDictionary()

    def origin(self, imei: str) -> dict[str, Any]:
        """Return the fields that identify a device in events and responses."""
        origin = {ATTR_CONFIG_ENTRY_ID: self._entry.entry_id, ATTR_IMEI: imei}
        device_id = self._devices.device_id(imei)
        return origin if device_id is None else origin | {ATTR_DEVICE_ID: device_id}

    def event_fields(self, command: Command) -> dict[str, Any]:
        """Return the fields of every event of a command."""
        return self.origin(command.asked.operation.imei) | command.event_fields()

    @callback
    def async_start_reauth_if_refused(self, err: OneNetError) -> None:
        """Start reauthentication if OneNET refused the account's current key."""
        # A call that started before a reload may have used a former key.
        if err.kind is ErrorKind.AUTHENTICATION and self._entry.data == self._data and not self._commands.removed:
            self._entry.async_start_reauth(self._hass)

    async def async_poll(self, imei: str) -> PollResult:
        """Poll a device's commands, and publish their new states; raise OneNetError."""
        if not (commands := self._commands.unfinished(imei)):
            return PollResult([], None)
        now = self._client.now()
        since = min(now, *(command.asked_at for command in commands)) - LIST_MARGIN
        try:
            records = await self._client.get_all_commands(imei, start=max(since, now - HISTORY))
        except OneNetError as err:
            if err.kind is not ErrorKind.TRANSIENT and not err.is_account_wide:
                if not isinstance(err, PlatformError):
                    # The reply may be another server's, such as a proxy's.
                    await self._client.check_connection()
                # Commands expire, too, if OneNET does not know the device, or its list cannot be read.
                self._async_expire_overdue(imei, undecided={command.id for command in commands})
            raise
        states = {command.id: command.state for command in commands}
        undecided = await self.async_match_unconfirmed(imei, records)
        failure = await self._async_apply_records(imei, records)
        # A successful read whose values are not fetched yet must not expire.
        if failure is None:
            self._async_expire_overdue(imei, undecided)
        return PollResult([command for command in commands if command.state is not states[command.id]], failure)

    async def async_match_unconfirmed(self, imei: str, records: Sequence[CommandRecord]) -> set[int]:
        """Match a device's unconfirmed commands with records, the newest first, and publish those that are found.

        Return the ids of the commands for which it stays undecided.
        """
        undecided = set()
        for command in self._commands.unconfirmed(imei):
            for record in matching_records(command, records, self._commands):
                try:
                    detail = await self._client.get_command(imei, record.uuid)
                except OneNetError as err:
                    if err.is_account_wide:
                        raise
                    undecided.add(command.id)
                    continue
                # A simultaneous poll may have matched it first.
                if not could_match(command, record, self._commands):
                    continue
                match compare(command, record, detail):
                    case Match.SAME:
                        self.async_set_queued(command, record.uuid)
                        self._commands.async_save(command)
                        self.async_publish("queued", self.event_fields(command), command.context, command)
                    case Match.UNDECIDED:
                        undecided.add(command.id)
        return undecided

    async def _async_apply_records(self, imei: str, records: Sequence[CommandRecord]) -> OneNetError | None:
        """Update a device's commands from records, the newest first; return the last error of a request for details."""
        failure: OneNetError | None = None
        # Of two writes to the same resource, the value of the later one counts.
        for record in reversed(records):
            command = self._commands.find(record.uuid, imei)
            if command is None or command.is_finished:
                continue
            try:
                await self._async_apply_record(command, record)
            except OneNetError as err:
                if err.is_account_wide:
                    raise
                failure = err
        return failure

    async def _async_apply_record(self, command: Command, record: CommandRecord) -> None:
        """Update a command from a record; raise OneNetError if the details that this needs cannot be fetched."""
        is_read = record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read)
        # The list may lack the device's reply, which the details include.
        if not is_read and not record.lacks_confirm_status:
            self.async_update(command, record)
            return
        try:
            detail = await self._client.get_command(command.asked.operation.imei, record.uuid)
        except OneNetError as err:
            if err.is_account_wide or err.kind is ErrorKind.TRANSIENT:
                raise
            if is_read:
                self._value_failures[command.id] += 1
                if self._value_failures[command.id] < _VALUES_MAX_ATTEMPTS:
                    raise
                LOGGER.warning("The values that command %s has read cannot be fetched: %s", record.uuid, err)
            # Without its reply, the command is only known to be sent, and a read to be successful.
            self.async_update(command, record)
        else:
            self.async_update(command, detail.record, detail)

    @callback
    def async_update(self, command: Command, record: CommandRecord, detail: CommandDetail | None = None) -> None:
        """Update a command from a record, save it, and publish its state if that advances."""
        # A reply may arrive after a newer one; and no other event may come before `command_queued`.
        if command.is_finished or command.id in self._commands.in_flight:
            return
        known = command.remain, command.send_time, command.confirm_time
        # OneNET may leave out in one reply what it returned in another.
        new = command.remain, command.send_time, command.confirm_time = (
            command.remain if record.remain is None else record.remain,
            record.send_time or command.send_time,
            record.confirm_time or command.confirm_time,
        )
        if command.can_become(record.state):
            command.reason, command.message = record.reason, record.message
            if detail is not None and record.state is CommandState.SUCCEEDED:
                self._set_values(command, detail)
            self.async_set_state(command, record.state, command.context)
        elif new != known:
            self._commands.async_save(command)

    @callback
    def async_apply_push(self, command: Command, outcome: PushedOutcome) -> StateChange | None:
        """Update a command from a push and save it; return its new state for async_publish_change, None for no change.

        The caller checks `needs_details` and that no request of the command is in flight.
        """
        record = outcome.record
        if not command.can_become(record.state):
            return None
        command.send_time = record.send_time or command.send_time
        command.confirm_time = record.confirm_time or command.confirm_time
        command.reason, command.message = record.reason, record.message
        if record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read):
            command.values = describe_values(outcome.result.values, command.asked.operation.obj_id)
        command.unpublished = True
        self._set_state(command, record.state)
        return StateChange(command, record.state)

    @callback
    def async_publish_change(self, change: StateChange) -> None:
        """Publish the new state of a command, unless a later state replaced it, or it was published meanwhile."""
        if change.command.unpublished and change.command.state is change.state:
            self._publish_state(change.command, change.command.context)

    @callback
    def async_publish_saved(self) -> None:
        """Publish the states that were saved, but not published before Home Assistant stopped."""
        for command in self._commands.unpublished:
            self._publish_state(command, command.context)

    def _set_values(self, command: Command, detail: CommandDetail) -> None:
        """Set the values of a successful read, or its result if the values cannot be parsed."""
        if not isinstance(command.asked.operation, Read):
            return
        command.unreadable = detail.unreadable
        if detail.unreadable is None:
            command.values = describe_values(detail.values, command.asked.operation.obj_id)
        else:
            LOGGER.warning(
                "The result of command %s cannot be read; the action Get command returns it as it is", command.uuid
            )

    @callback
    def _async_expire_overdue(self, imei: str, undecided: set[int]) -> None:
        """Expire a device's overdue commands, and delete unconfirmed ones that never arrived."""
        now = self._client.now()
        for command in self._commands.unfinished(imei):
            if command.id in self._commands.in_flight:
                continue
            expired = command.asked.expired_time + EXPIRY_GRACE < now
            if not command.uuid:
                if expired or (command.asked_at + _UNCONFIRMED_MAX_AGE < now and command.id not in undecided):
                    self._commands.async_delete(command)
            elif expired:
                self.async_set_state(command, CommandState.EXPIRED, command.context)

    @callback
    def async_set_queued(self, command: Command, uuid: str) -> None:
        """Set the UUID that OneNET gave a command, and its state; the caller saves and publishes it."""
        command.uuid, command.state = uuid, CommandState.QUEUED
        self._commands.index(command)

    @callback
    def async_set_state(self, command: Command, state: CommandState, context: Context) -> None:
        """Set the new state of a command that has a UUID, save it, and publish it."""
        self._set_state(command, state)
        self._publish_state(command, context)

    def _set_state(self, command: Command, state: CommandState) -> None:
        """Set the new state of a command, and save it."""
        command.state = state
        if command.is_finished:
            command.over_at = self._client.now()
            self._commands.index(command)
            del self._value_failures[command.id]
        self._commands.async_save(command)

    def _publish_state(self, command: Command, context: Context) -> None:
        """Publish the state of a command."""
        if command.unpublished:
            command.unpublished = False
            self._commands.async_save(command)
        self.async_apply_values(command)
        fields = self.event_fields(command) | command.outcome_fields()
        self.async_publish(command.state.value, fields, context, command)
        if command.is_finished:
            self._commands.async_end_wait(command.uuid)
            self._commands.async_prune(self._client.now())

    @callback
    def async_apply_values(self, command: Command) -> None:
        """Update a device's readings and `last_seen` from the device's reply to a command."""
        at = command.confirm_time
        if at is None and command.state is CommandState.SUCCEEDED:
            # OneNET has not returned when the device answered.
            at = command.over_at
        if at is not None:
            if isinstance(command.asked.operation, Write) and at.microsecond == 0:
                # OneNET's times are in whole seconds: what the device reported before, in the same second, is older.
                at += _WITHIN_SECOND
            self._devices.async_update_from_read(command.asked.operation.imei, command.confirmed_values(), at)

    @contextmanager
    def one_queued_event(self, imei: str, context: Context) -> Iterator[None]:
        """Show the reads of a device as one queued event in its event entities and in the logbook.

        The bus event is fired for each read.
        """
        # Simultaneous readings with the same context, of several devices, share what was shown.
        reading = self._readings.setdefault(context.id, _Reading())
        queued = reading.queued.setdefault(imei, [])
        try:
            yield
        finally:
            reading.queued.pop(imei, None)
            if queued:
                fields = self.event_fields(queued[0])
                self._fire_activity("queued", fields, context, queued[0], len(queued))

    @callback
    def async_publish(
        self, change: str, fields: dict[str, Any], context: Context, command: Command | None = None
    ) -> None:
        """Update the entities of a command's device and account, then run the triggers and fire the bus events.

        The command is None if it was not queued here.

        An automation may run within each of these steps: the numbers of waiting commands are updated before the events.
        """
        fields = _limit_size(fields)
        keys = f"{self._entry.entry_id}_{fields[ATTR_IMEI]}", self._entry.entry_id
        for key in keys:
            async_dispatcher_send(self._hass, SIGNAL_WAITING_COMMANDS.format(key), context)
        reading = self._readings.get(context.id) if change == "queued" else None
        shown = reading.shown if reading else set()
        for key in keys:
            if key not in shown:
                shown.add(key)
                async_dispatcher_send(self._hass, SIGNAL_COMMAND_STATE.format(key), change, fields, context)
        operation = None if command is None else command.asked.operation
        async_dispatcher_send(self._hass, SIGNAL_COMMAND, change, fields, operation, context)
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"command_{change}", **fields}, context=context)
        if reading and command and fields[ATTR_IMEI] in reading.queued:
            reading.queued[fields[ATTR_IMEI]].append(command)
        else:
            self._fire_activity(change, fields, context, command)

    def _fire_activity(
        self, change: str, fields: dict[str, Any], context: Context, command: Command | None, count: int = 1
    ) -> None:
        """Fire the event of the logbook."""
        device = self._devices.added.get(fields[ATTR_IMEI])
        activity = describe_activity(change, fields, command, device, count)
        self._hass.bus.async_fire(EVENT_ACTIVITY, activity, context=context)

    @callback
    def async_publish_other(self, imei: str, outcome: PushedOutcome) -> None:
        """Fire the bus event of a finished command that another application has queued."""
        fields = _limit_size(self.origin(imei) | describe_outcome(outcome))
        self._hass.bus.async_fire(EVENT_ONENET, {ATTR_TYPE: f"other_command_{outcome.record.state.value}", **fields})

    @callback
    def async_publish_rejected(self, command: Command, err: PlatformError, context: Context) -> None:
        """Publish that OneNET refused a command."""
        reason = {ATTR_REASON: err.reason, ATTR_MESSAGE: str(err)}
        self.async_publish("rejected", self.event_fields(command) | reason, context, command)


def _limit_size(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event, without the values if the recorder would drop an event of that size."""
    if ATTR_VALUES not in fields or len(json_bytes(fields)) <= _MAX_EVENT_SIZE:
        return fields
    return {name: value for name, value in fields.items() if name != ATTR_VALUES} | {
        ATTR_VALUES_OMITTED: VALUES_TOO_LARGE
    }
