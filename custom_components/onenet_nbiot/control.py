"""Base classes of the entities that control a device."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.core import Context, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .command import Command
from .const import ATTR_PENDING, ATTR_PENDING_SINCE, ATTR_PENDING_UNTIL, ATTR_UUID
from .coordinator import OneNetRuntimeData
from .devices import Device
from .entity import OneNetResourceEntity
from .lwm2m import ControlDescription, OutputDescription, ResourceDescription, ids_of
from .manager import async_run_detached
from .onenet.operations import Operation, Write, WrittenValue
from .sending import async_control
from .tracker import SIGNAL_WAITING_COMMANDS
from .values import parse_boolean, parse_number

# An automation may control a thousand devices at the same time.
PARALLEL_UPDATES: Final = 10
LEVEL_MAX: Final = 100


class OneNetControlEntity(OneNetResourceEntity):
    """Show the value that a device confirmed last, and what waits to be written."""

    entity_description: ControlDescription
    # The waiting write that is delivered last, and the values by path that all waiting writes will have written.
    _pending: Command | None = None
    _pending_values: dict[str, Any]

    def __init__(self, account: OneNetRuntimeData, device: Device, description: ResourceDescription) -> None:
        """Assume the state of a resource that cannot be read."""
        super().__init__(account, device, description)
        self._attr_assumed_state = not self.entity_description.readable
        self._lock = asyncio.Lock()

    @override
    async def async_added_to_hass(self) -> None:
        """Connect to the signals, and show a write that was queued meanwhile."""
        await super().async_added_to_hass()
        signal = SIGNAL_WAITING_COMMANDS.format(self._signal_key)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._async_commands_changed))
        self._update_attrs()

    @callback
    def _async_commands_changed(self, context: Context) -> None:
        """Write the state if another write is pending, or none any more, with the context of the command."""
        if self._lock.locked():
            # The write that replaces a cancelled one follows.
            return
        before = self._pending
        self._update_attrs()
        if self._pending is not before:
            self.async_set_context(context)
            self.async_write_ha_state()

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        waiting = self._waiting_writes()
        self._pending = waiting[-1] if waiting else None
        self._pending_values = self._merge(waiting)
        if self._pending is not None:
            path = next(path for path in self.entity_description.written_paths if path in self._pending_values)
            self._attr_extra_state_attributes |= {
                ATTR_PENDING: self._parse(path, self._pending_values[path]),
                ATTR_PENDING_SINCE: self._pending.asked_at,
                ATTR_PENDING_UNTIL: self._pending.asked.expired_time,
                ATTR_UUID: self._pending.uuid,
            }

    def _parse(self, path: str, value: Any) -> Any:
        """Return what the entity shows for a value of a resource, None for an unsuitable value."""
        return parse_boolean(value)

    def _waiting_writes(self) -> list[Command]:
        """Return the waiting writes of the controlled resources in the order of their delivery."""
        waiting = [
            command
            for command in self.account.commands.unfinished(self.device.imei)
            if command.uuid and self._values_of(command.asked.operation)
        ]
        return sorted(waiting, key=lambda command: command.asked.valid_time or command.asked_at)

    def _values_of(self, operation: Operation) -> dict[str, Any]:
        """Return the values that an operation writes to the controlled resources, by path."""
        if not isinstance(operation, Write):
            return {}
        instance = f"{operation.obj_id}/{operation.obj_inst_id}"
        values = {f"{instance}/{value.res_id}": value.value for value in operation.values}
        return {path: value for path, value in values.items() if path in self.entity_description.written_paths}

    def _merge(self, writes: list[Command]) -> dict[str, Any]:
        """Return the values that several writes will have written."""
        return {path: value for write in writes for path, value in self._values_of(write.asked.operation).items()}

    async def _async_write(self, values: dict[str, bool | float]) -> None:
        """Write values by path, together with those that wait to be delivered; raise HomeAssistantError."""
        context = self._context or Context()
        await async_run_detached(self.hass, self._async_write_merged(values, context))

    async def _async_write_merged(self, values: dict[str, bool | float], context: Context) -> None:
        """Write values together with those that wait to be delivered now, after simultaneous writes."""
        try:
            async with self._lock:
                now = self.account.client.now()
                due = [
                    write
                    for write in self._waiting_writes()
                    if (write.asked.valid_time or now) <= now < write.asked.expired_time
                ]
                obj_id, obj_inst_id, _ = ids_of(self.entity_description.key)
                merged = self._merge(due) | values
                write = Write(
                    imei=self.device.imei,
                    obj_id=obj_id,
                    obj_inst_id=obj_inst_id,
                    values=tuple(WrittenValue(ids_of(path)[2], value) for path, value in merged.items()),
                )
                await async_control(self.account, self.device, write, context)
        finally:
            self._async_commands_changed(context)


class OneNetOutputEntity(OneNetControlEntity):
    """Represent an output that is switched on and off, set to a level in percent, or both."""

    entity_description: OutputDescription

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        description = self.entity_description
        confirmed = {path: self._value_of(path) for path in description.written_paths}
        if description.status_path:
            # Either the status or the last command, whichever is newer.
            confirmed[description.level_path] = self._value
        self._level = self._level_of(confirmed)
        self._pending_level = self._level_of(confirmed | self._pending_values) if self._pending_values else None

    @override
    def _parse(self, path: str, value: Any) -> Any:
        return parse_boolean(value) if path == self.entity_description.switch_path else _parse_level(value)

    def _level_of(self, values: Mapping[str, Any]) -> int | None:
        """Return the level for the values of the resources: 0 for off, 100 for on without a level; None if unknown."""
        description = self.entity_description
        level = _parse_level(values.get(description.level_path))
        if not description.switch_path:
            return level
        is_on = parse_boolean(values.get(description.switch_path))
        if is_on is None:
            return None
        if not is_on:
            return 0
        return LEVEL_MAX if level is None else level

    async def _async_switch(self, *, on: bool) -> None:
        """Switch the output on or off; without a switch, set the level to 100 or 0."""
        description = self.entity_description
        value = on if description.switch_path else LEVEL_MAX if on else 0
        await self._async_write({description.key: value})

    async def _async_set_level(self, level: int) -> None:
        """Set the level in percent, and switch the output on, or off for 0."""
        description = self.entity_description
        switch = {description.switch_path: level > 0} if description.switch_path else {}
        await self._async_write(switch | {description.level_path: level})


def _parse_level(value: Any) -> int | None:
    """Return a level in percent, None for anything else."""
    level = parse_number(value, 1)
    return None if level is None else round(min(max(level, 0), LEVEL_MAX))
