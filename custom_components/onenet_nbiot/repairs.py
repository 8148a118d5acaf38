"""The repair of a device that OneNET has no more."""

from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant


class DeviceGoneRepairFlow(ConfirmRepairFlow):
    """Remove the device from Home Assistant, too, once a person has agreed."""

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask, and remove it."""
        if user_input is not None and self.data is not None:
            entry = self.hass.config_entries.async_get_entry(str(self.data["entry_id"]))
            if entry is not None and self.data["subentry_id"] in entry.subentries:
                self.hass.config_entries.async_remove_subentry(entry, str(self.data["subentry_id"]))
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None) -> RepairsFlow:
    """Return the dialog that repairs."""
    return DeviceGoneRepairFlow()
