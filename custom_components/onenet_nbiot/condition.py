"""Conditions of automations: a command is waiting, a device is overdue."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Unpack, override

from homeassistant.const import CONF_OPTIONS, CONF_TARGET
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .accounts import AccountData, async_get_accounts
from .command_filter import COMMAND_OPTIONS, CommandFilter
from .targets import DeviceTarget

CONF_BEHAVIOR = "behavior"
BEHAVIORS = ("any", "all")


class OneNetCondition(Condition):
    """Test the devices that the target selects, also while their account is not loaded."""

    _options: ClassVar[dict[vol.Marker, Any]] = {}

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate the target and the options."""
        options = {vol.Optional(CONF_BEHAVIOR, default="any"): vol.In(BEHAVIORS)} | cls._options
        schema = vol.Schema({vol.Optional(CONF_TARGET): dict, vol.Optional(CONF_OPTIONS, default={}): options})
        validated: ConfigType = schema(config)
        return validated

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Create a condition that can be checked."""
        super().__init__(hass, config)
        self._target = config.target
        self._behavior = (config.options or {})[CONF_BEHAVIOR]

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        results = self._results()
        if self._behavior == "any":
            return any(results)
        # Without any device, nothing is true of all.
        return bool(tested := [*results]) and all(tested)

    @callback
    def _results(self) -> Iterator[bool]:
        """Yield the result for each selected device."""
        target = DeviceTarget(self._hass, self._target)
        for entry_id, account in async_get_accounts(self._hass).items():
            for imei in self._imeis(account):
                if target.async_includes(entry_id, imei):
                    yield self._test(account, imei)

    def _imeis(self, account: AccountData) -> set[str]:
        """Return the IMEIs of the devices of an account that the target may select."""
        return set(account.devices.added)

    @abstractmethod
    def _test(self, account: AccountData, imei: str) -> bool:
        """Return the result for a device."""


class CommandIsWaitingCondition(OneNetCondition):
    """Test whether a command waits for a device, also for one that was not added to Home Assistant."""

    _options = COMMAND_OPTIONS

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Create a condition that can be checked."""
        super().__init__(hass, config)
        self._filter = CommandFilter(config.options or {})

    @override
    def _imeis(self, account: AccountData) -> set[str]:
        return super()._imeis(account) | account.commands.imeis

    @override
    def _test(self, account: AccountData, imei: str) -> bool:
        return any(
            command.uuid and self._filter.matches(command.event_fields(), command.asked.operation)
            for command in account.commands.unfinished(imei)
        )


class DeviceIsOverdueCondition(OneNetCondition):
    """Test whether a device is overdue, as last known."""

    @override
    def _test(self, account: AccountData, imei: str) -> bool:
        device = account.devices.added[imei]
        return device.was_overdue is True and not device.missing


CONDITIONS: dict[str, type[Condition]] = {
    "command_is_waiting": CommandIsWaitingCondition,
    "device_is_overdue": DeviceIsOverdueCondition,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return CONDITIONS
