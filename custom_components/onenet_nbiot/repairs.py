"""The repair of a device that OneNET has no more."""

from typing import Any, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, ISSUE_DEVICE_GONE


class DeviceGoneRepairFlow(ConfirmRepairFlow):
    """Remove the device from Home Assistant, too, once a person has agreed."""

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask, and remove it."""
        if user_input is not None and self.data is not None:
            subentry_id = str(self.data["subentry_id"])
            entry = self.hass.config_entries.async_get_entry(str(self.data["entry_id"]))
            # It may have come back, or have been removed, while the dialog was open.
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, f"{ISSUE_DEVICE_GONE}_{subentry_id}")
            if issue is not None and entry is not None and subentry_id in entry.subentries:
                self.hass.config_entries.async_remove_subentry(entry, subentry_id)
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None) -> RepairsFlow:
    """Return the dialog that repairs."""
    return DeviceGoneRepairFlow()
