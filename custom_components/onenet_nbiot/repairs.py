"""Repair flow for a device that is missing at OneNET."""

from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, ISSUE_DEVICE_GONE


class DeviceGoneRepairFlow(ConfirmRepairFlow):
    """Remove the device from Home Assistant after confirmation."""

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show the confirmation, then remove the device."""
        if user_input is not None and self.data is not None:
            subentry_id = str(self.data["subentry_id"])
            entry = self.hass.config_entries.async_get_entry(str(self.data["entry_id"]))
            # The device may have been found again, or removed, while the dialog was open.
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, f"{ISSUE_DEVICE_GONE}_{subentry_id}")
            if issue is not None and entry is not None and subentry_id in entry.subentries:
                self.hass.config_entries.async_remove_subentry(entry, subentry_id)
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None) -> RepairsFlow:
    """Return the repair flow of an issue."""
    return DeviceGoneRepairFlow()
