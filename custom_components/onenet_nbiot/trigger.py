"""Triggers of automations: a command finished, a device woke up, a device became overdue."""

from collections.abc import Mapping
from typing import Any, ClassVar, override

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util
from homeassistant.util.signal_type import SignalType
import voluptuous as vol

from .command_filter import COMMAND_OPTIONS, CommandFilter
from .const import (
    ATTR_COMMAND,
    ATTR_EXPIRED_TIME,
    ATTR_IMEI,
    ATTR_LAST_SEEN,
    ATTR_MESSAGE,
    ATTR_OBJ_ID,
    ATTR_OBJ_INST_ID,
    ATTR_OUTCOME,
    ATTR_REASON,
    ATTR_RES_ID,
    ATTR_UUID,
    ATTR_VALID_TIME,
    ATTR_VALUE,
    ATTR_VALUES,
    ATTR_VALUES_OMITTED,
)
from .devices import SIGNAL_OVERDUE, SIGNAL_WAKE, Device
from .onenet.operations import Operation
from .targets import DeviceTarget
from .tracker import SIGNAL_COMMAND

# The event types after which nothing more happens to a command.
OUTCOMES = ("succeeded", "failed", "expired", "cancelled", "rejected")
# These variables are None where the event of a command lacks the field.
_NONE = dict.fromkeys(
    (
        ATTR_DEVICE_ID,
        ATTR_OBJ_ID,
        ATTR_OBJ_INST_ID,
        ATTR_RES_ID,
        ATTR_UUID,
        ATTR_VALID_TIME,
        ATTR_EXPIRED_TIME,
        ATTR_REASON,
        ATTR_MESSAGE,
        ATTR_VALUE,
        ATTR_VALUES_OMITTED,
    )
)


class OneNetTrigger(Trigger):
    """Trigger on a signal about a device that the target selects, whether or not its account is loaded."""

    _options: ClassVar[dict[vol.Marker, Any]] = {}

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate the target and the options."""
        schema = vol.Schema({vol.Optional(CONF_TARGET): dict, vol.Optional(CONF_OPTIONS, default={}): cls._options})
        validated: ConfigType = schema(config)
        return validated

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Create a trigger that is not attached."""
        super().__init__(hass, config)
        self._target = DeviceTarget(hass, config.target)

    @callback
    def _async_attach(self, signal: SignalType[*tuple[Any, ...]], target: Any) -> CALLBACK_TYPE:
        """Connect to the signal, and follow the target; return the function that detaches the trigger."""
        removals = self._target.async_follow(), async_dispatcher_connect(self._hass, signal, target)

        @callback
        def detach() -> None:
            for remove in removals:
                remove()

        return detach

    def _name(self, device_id: str | None, imei: str) -> str:
        """Return the name of a device, the IMEI of one that was not added."""
        device = dr.async_get(self._hass).async_get(device_id) if device_id else None
        return (device and (device.name_by_user or device.name)) or imei


class CommandFinishedTrigger(OneNetTrigger):
    """Trigger when a command of a device has finished, also with the event entity disabled."""

    _options = COMMAND_OPTIONS | {
        vol.Optional(ATTR_OUTCOME, default=list(OUTCOMES)): vol.All(cv.ensure_list, [vol.In(OUTCOMES)])
    }

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Create a trigger that is not attached."""
        super().__init__(hass, config)
        options = config.options or {}
        self._filter = CommandFilter(options)
        self._outcomes = frozenset(options[ATTR_OUTCOME] or OUTCOMES)

    @override
    async def async_attach_runner(self, run_action: TriggerActionRunner, did_not_trigger: Any = None) -> CALLBACK_TYPE:
        """Attach the trigger."""

        @callback
        def command_changed(
            change: str, fields: Mapping[str, Any], operation: Operation | None, context: Context
        ) -> None:
            if (
                change in self._outcomes
                and self._target.async_includes(fields[ATTR_CONFIG_ENTRY_ID], fields[ATTR_IMEI])
                and self._filter.matches(fields, operation)
            ):
                values = fields.get(ATTR_VALUES, [])
                selected = self._filter.select(values)
                value = {ATTR_VALUE: selected[0][ATTR_VALUE]} if len(selected) == 1 else {}
                payload: dict[str, Any] = {**_NONE, **fields, ATTR_OUTCOME: change, ATTR_VALUES: values} | value
                name = self._name(payload[ATTR_DEVICE_ID], fields[ATTR_IMEI])
                run_action(payload, f"{fields[ATTR_COMMAND]} command {change} on {name}", context)

        return self._async_attach(SIGNAL_COMMAND, command_changed)


class DeviceTrigger(OneNetTrigger):
    """Trigger on a signal of a device."""

    _signal: SignalType[str, Device]
    _description: str

    @override
    async def async_attach_runner(self, run_action: TriggerActionRunner, did_not_trigger: Any = None) -> CALLBACK_TYPE:
        """Attach the trigger."""

        @callback
        def device_changed(entry_id: str, device: Device) -> None:
            if self._target.async_includes(entry_id, device.imei):
                payload = {
                    ATTR_CONFIG_ENTRY_ID: entry_id,
                    ATTR_DEVICE_ID: device.device_id,
                    ATTR_IMEI: device.imei,
                    ATTR_LAST_SEEN: device.last_seen and dt_util.as_local(device.last_seen).isoformat(),
                }
                run_action(payload, f"{self._name(device.device_id, device.imei)} {self._description}")

        return self._async_attach(self._signal, device_changed)


class DeviceWokeUpTrigger(DeviceTrigger):
    """Trigger when a device woke up."""

    _signal = SIGNAL_WAKE
    _description = "woke up"


class DeviceBecameOverdueTrigger(DeviceTrigger):
    """Trigger when a device became overdue."""

    _signal = SIGNAL_OVERDUE
    _description = "became overdue"


TRIGGERS: dict[str, type[Trigger]] = {
    "command_finished": CommandFinishedTrigger,
    "device_woke_up": DeviceWokeUpTrigger,
    "device_became_overdue": DeviceBecameOverdueTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return TRIGGERS
