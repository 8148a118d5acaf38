"""Base classes of the entities that control a device."""

import asyncio
from collections.abc import Mapping
from typing import Any, override

from homeassistant.core import Context, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .command import Command
from .const import ATTR_PENDING, ATTR_PENDING_SINCE, ATTR_PENDING_UNTIL, ATTR_UUID
from .coordinator import OneNetRuntimeData
from .devices import Device
from .entity import OneNetResourceEntity
from .lwm2m import ControlDescription, OutputDescription, ResourceDescription, ids_of
from .onenet.operations import Operation, Write, WrittenValue
from .sending import async_control
from .tracker import SIGNAL_WAITING_COMMANDS
from .values import parse_boolean, parse_number

LEVEL_MAX = 100


class OneNetControlEntity(OneNetResourceEntity):
    """Show the value that a device confirmed last, and the write that waits for the device."""

    entity_description: ControlDescription
    # The waiting write that is delivered last.
    _pending: Command | None = None

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
        before = self._pending
        self._update_attrs()
        if self._pending is not before:
            self.async_set_context(context)
            self.async_write_ha_state()

    @override
    def _update_attrs(self) -> None:
        super()._update_attrs()
        self._pending = next(reversed(self._waiting_writes()), None)
        self._pending_values = {} if self._pending is None else self._written(self._pending.asked.operation)
        if self._pending is not None:
            path = next(iter(self._pending_values))
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
            if command.uuid and self._written(command.asked.operation)
        ]
        return sorted(waiting, key=lambda command: command.asked.valid_time or command.asked_at)

    def _written(self, operation: Operation) -> dict[str, Any]:
        """Return the values that an operation writes to the controlled resources, by path."""
        if not isinstance(operation, Write):
            return {}
        instance = f"{operation.obj_id}/{operation.obj_inst_id}"
        written = {f"{instance}/{value.res_id}": value.value for value in operation.values}
        return {path: written[path] for path in self.entity_description.written_paths if path in written}

    async def _async_write(self, values: dict[str, bool | float]) -> None:
        """Write values by path, together with those that wait to be delivered; raise HomeAssistantError."""
        # Of two simultaneous calls, the second one replaces the write of the first.
        async with self._lock:
            now = self.account.client.now()
            written: dict[str, Any] = {}
            for command in self._waiting_writes():
                if (command.asked.valid_time or now) <= now:
                    written |= self._written(command.asked.operation)
            obj_id, obj_inst_id, _ = ids_of(self.entity_description.key)
            write = Write(
                imei=self.device.imei,
                obj_id=obj_id,
                obj_inst_id=obj_inst_id,
                values=tuple(WrittenValue(ids_of(path)[2], value) for path, value in (written | values).items()),
            )
            await async_control(self.account, self.device, write, self._context or Context())


class OneNetOutputEntity(OneNetControlEntity):
    """Represent an output that is switched on and off, set to a level in percent, or both."""

    entity_description: OutputDescription

    @override
    def _parse(self, path: str, value: Any) -> Any:
        return parse_boolean(value) if path == self.entity_description.switch_path else _parse_level(value)

    def _level(self, values: Mapping[str, Any]) -> int | None:
        """Return the level that values by path set, 0 for off, 100 for on without a level; None if it is unknown."""
        description = self.entity_description
        level: int | None = self._parse(description.level_path, values.get(description.level_path))
        if not description.switch_path:
            return level
        is_on = parse_boolean(values.get(description.switch_path))
        return None if is_on is None else 0 if not is_on else LEVEL_MAX if level is None else level

    def _confirmed_level(self) -> int | None:
        """Return the level that the device has confirmed, None if it is unknown."""
        description = self.entity_description
        if description.status_path:
            # Either the status or the last command, whichever is newer.
            return _parse_level(self._value)
        return self._level({path: self._value_of(path) for path in description.written_paths})

    async def _async_set_level(self, level: int, *, is_on_enough: bool = False) -> None:
        """Set the level in percent, 0 for off; `is_on_enough` is whether a switch that is on suffices."""
        description = self.entity_description
        values: dict[str, bool | float] = {}
        if description.switch_path:
            values[description.switch_path] = level > 0
        if description.level_path and not (description.switch_path and (is_on_enough or level == 0)):
            values[description.level_path] = level
        await self._async_write(values)


def _parse_level(value: Any) -> int | None:
    """Return a level in percent, None for anything else."""
    level = parse_number(value, 1)
    return None if level is None else round(min(max(level, 0), LEVEL_MAX))
