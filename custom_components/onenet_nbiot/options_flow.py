"""Options flow: set the polling interval, and set up OneNET's push."""

import asyncio
from contextlib import suppress
import re
import secrets
from typing import Any

from homeassistant.components import webhook
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigFlowResult,
    OperationNotAllowed,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_WEBHOOK_ID, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
)
import voluptuous as vol
from yarl import URL

from .const import (
    CONF_CLOUDHOOK,
    CONF_ENCRYPTION_KEY,
    CONF_INTERVAL,
    CONF_OTHER_COMMANDS,
    CONF_PUSH,
    INTERVAL,
    INTERVAL_MAX,
    INTERVAL_MIN,
)
from .coordinator import platform_of
from .onenet.push import PushReceiver
from .push_url import (
    async_can_create_cloudhook,
    async_create_cloudhook,
    async_delete_webhook,
    async_has_cloud,
    async_push_url,
)

# Seconds to wait for OneNET to check the URL.
CHECK_TIMEOUT = 300
# The length of a new token in bytes; OneNET's console accepts 32 letters and digits.
_TOKEN_BYTES = 16
_TOKEN = re.compile(r"[0-9A-Za-z_-]{8,64}")
_EXAMPLE = "https://home.example.com"
_OPTIONS_SCHEMA = vol.Schema(
    {
        # Without limits: the selector's own error is in English only.
        vol.Required(CONF_INTERVAL, default=INTERVAL): NumberSelector(
            NumberSelectorConfig(step=1, mode=NumberSelectorMode.BOX, unit_of_measurement=UnitOfTime.SECONDS)
        ),
        # Without a default: API clients that omit it leave the push as it is.
        vol.Optional(CONF_PUSH): BooleanSelector(),
    }
)
_PUSH_FIELDS: dict[vol.Marker, Any] = {
    vol.Required(CONF_TOKEN): TextSelector(),
    vol.Optional(CONF_ENCRYPTION_KEY): TextSelector(),
}
_OTHER_COMMANDS_FIELD: dict[vol.Marker, Any] = {vol.Required(CONF_OTHER_COMMANDS, default=False): BooleanSelector()}


def _is_public(url: str | None) -> bool:
    """Return whether OneNET can reach a URL over HTTPS, as far as the URL shows."""
    return url is not None and URL(url).scheme == "https"


class OneNetOptionsFlow(OptionsFlowWithReload):
    """Set the polling interval, and set up the push of an account."""

    def __init__(self) -> None:
        """Create a flow without options."""
        self._options: dict[str, Any] = {}
        self._push: dict[str, Any] = {}
        self._check: asyncio.Task[None] | None = None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set the polling interval and turn the push on or off."""
        errors = {}
        known = self.config_entry.options
        if user_input is not None:
            if INTERVAL_MIN <= user_input[CONF_INTERVAL] <= INTERVAL_MAX:
                self._options = {CONF_INTERVAL: int(user_input[CONF_INTERVAL])}
                if user_input.get(CONF_PUSH):
                    return await self._async_start_push()
                if CONF_PUSH in known and CONF_PUSH in user_input:
                    await async_delete_webhook(self.hass, known[CONF_PUSH])
                elif CONF_PUSH in known:
                    self._options[CONF_PUSH] = known[CONF_PUSH]
                return self.async_create_entry(data=self._options)
            errors = {CONF_INTERVAL: "invalid_interval"}
        suggested = user_input or {**known, CONF_PUSH: CONF_PUSH in known}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS_SCHEMA, suggested),
            errors=errors,
        )

    async def _async_start_push(self) -> ConfigFlowResult:
        """Show the settings of the push, with a warning if OneNET cannot reach Home Assistant."""
        self._push = dict(self.config_entry.options.get(CONF_PUSH, {}))
        self._push.setdefault(CONF_WEBHOOK_ID, webhook.async_generate_id())
        self._push.setdefault(CONF_TOKEN, secrets.token_hex(_TOKEN_BYTES))
        if async_can_create_cloudhook(self.hass) or _is_public(async_push_url(self.hass, self._push)):
            return await self.async_step_push()
        return await self.async_step_push_not_public()

    async def async_step_push(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set the token and the encryption key."""
        return await self._async_step_push("push", user_input)

    async def async_step_push_not_public(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set the token and the encryption key, although Home Assistant has no public HTTPS address."""
        return await self._async_step_push("push_not_public", user_input)

    async def _async_step_push(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Set the token and the encryption key in a step, and save them."""
        errors = {}
        fields = _PUSH_FIELDS
        if platform_of(self.config_entry.data).pushes_outcomes:
            fields = fields | _OTHER_COMMANDS_FIELD
        if user_input is not None:
            token, key = user_input[CONF_TOKEN].strip(), user_input.get(CONF_ENCRYPTION_KEY, "").strip()
            if not _TOKEN.fullmatch(token):
                errors = {CONF_TOKEN: "invalid_token"}
            elif key and not _is_valid_key(key):
                errors = {CONF_ENCRYPTION_KEY: "invalid_encryption_key"}
            else:
                self._push[CONF_TOKEN] = token
                self._push.pop(CONF_ENCRYPTION_KEY, None)
                if key:
                    self._push[CONF_ENCRYPTION_KEY] = key
                self._push[CONF_OTHER_COMMANDS] = user_input.get(CONF_OTHER_COMMANDS, False)
                return await self._async_save_push()
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), user_input or self._push),
            errors=errors,
        )

    async def _async_save_push(self) -> ConfigFlowResult:
        """Save the options and reload the account, so that it answers when OneNET checks the URL."""
        entry = self.config_entry
        if not async_has_cloud(self.hass):
            self._push.pop(CONF_CLOUDHOOK, None)
        if (cloudhook := await async_create_cloudhook(self.hass, self._push[CONF_WEBHOOK_ID])) is not None:
            self._push[CONF_CLOUDHOOK] = cloudhook
        self._push[CONF_URL] = async_push_url(self.hass, self._push)
        self._options[CONF_PUSH] = self._push
        self.hass.config_entries.async_update_entry(entry, options=self._options)
        # The account may be in a state in which it cannot be reloaded; the options are saved nevertheless.
        with suppress(OperationNotAllowed):
            await self.hass.config_entries.async_reload(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_create_entry(data=self._options)
        entry.runtime_data.health.url_checked.clear()
        return self._show_menu()

    def _show_menu(self) -> ConfigFlowResult:
        """Show what to enter in OneNET's console, and the choice to wait for its check of the URL."""
        return self.async_show_menu(
            step_id=f"enter_{platform_of(self.config_entry.data).name}",
            menu_options=["push_check", "finish"],
            description_placeholders=self._placeholders(),
        )

    def _placeholders(self) -> dict[str, str]:
        """Return the URL, the token and the encryption key for the texts."""
        url = self._push[CONF_URL] or f"{_EXAMPLE}{webhook.async_generate_path(self._push[CONF_WEBHOOK_ID])}"
        return {
            "url": url,
            "token": self._push[CONF_TOKEN],
            "encryption_key": self._push.get(CONF_ENCRYPTION_KEY, "-"),
        }

    async def async_step_enter_legacy(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what to enter in the console of the legacy platform."""
        return self._show_menu()

    async def async_step_enter_current(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what to enter in the console of the current platform."""
        return self._show_menu()

    async def async_step_push_check(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Wait until OneNET has checked the URL."""
        if self._check is None:
            self._check = self.hass.async_create_task(self._async_wait_for_check(), "OneNET URL check")
        if not self._check.done():
            return self.async_show_progress(
                step_id="push_check", progress_action="push_check", progress_task=self._check
            )
        self._check = None
        is_checked = self.config_entry.runtime_data.health.url_checked.is_set()
        return self.async_show_progress_done(next_step_id="push_checked" if is_checked else "push_unchecked")

    async def _async_wait_for_check(self) -> None:
        """Wait until OneNET has checked the URL, at most CHECK_TIMEOUT seconds."""
        checked = self.config_entry.runtime_data.health.url_checked
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                await checked.wait()
        except TimeoutError:
            return

    async def async_step_push_checked(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show that OneNET has checked the URL."""
        if user_input is None:
            return self.async_show_form(step_id="push_checked")
        return await self.async_step_finish()

    async def async_step_push_unchecked(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show that OneNET has not checked the URL yet, then what to enter again."""
        if user_input is None:
            return self.async_show_form(step_id="push_unchecked", description_placeholders=self._placeholders())
        return self._show_menu()

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Finish; the options are saved already."""
        # The check of the URL may have updated the URL in the options.
        return self.async_create_entry(data=dict(self.config_entry.options))


def _is_valid_key(key: str) -> bool:
    """Return whether a key is in the format of an encryption key of either platform."""
    try:
        PushReceiver("token", key)
    except ValueError:
        return False
    return True
