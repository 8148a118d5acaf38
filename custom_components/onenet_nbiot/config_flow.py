"""The dialogs in which a person connects an account, and says how often OneNET is asked."""

from collections.abc import Mapping
import re
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_API_KEY, CONF_URL, UnitOfTime
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol
from yarl import URL

from .const import (
    ATTR_MESSAGE,
    CONF_INTERVAL,
    CONF_REGION,
    CONF_SERVER,
    DOMAIN,
    INTERVAL,
    INTERVAL_MAX,
    INTERVAL_MIN,
)
from .onenet import platforms
from .onenet.client import OneNetClient
from .onenet.errors import AuthenticationError, CannotConnectError, NoReplyError, OneNetError, PlatformError

_CHINA = "china"
_REGIONS = {_CHINA: platforms.CHINA, "hong_kong": platforms.HONG_KONG}
_CUSTOM = "custom"

_KEY_FIELD = {
    vol.Required(CONF_API_KEY): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
}
_KEY_SCHEMA = vol.Schema(_KEY_FIELD)
_SERVER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_REGION, default=_CHINA): SelectSelector(
            SelectSelectorConfig(options=[*_REGIONS, _CUSTOM], translation_key=CONF_REGION)
        ),
        vol.Optional(CONF_URL): TextSelector(TextSelectorConfig(type=TextSelectorType.URL)),
    }
)
_DEFAULT_SERVER = {CONF_REGION: _CHINA}
_OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_INTERVAL, default=INTERVAL): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=INTERVAL_MIN,
                    max=INTERVAL_MAX,
                    step=1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.SECONDS,
                )
            ),
            vol.Coerce(int),
        )
    }
)


def _base_url(server: Mapping[str, Any]) -> str | None:
    """Return the base URL that a person chose or typed, None where it is none."""
    typed = server.get(CONF_URL, "").strip()
    if server[CONF_REGION] != _CUSTOM:
        # An address that would go unused is a mistake, too.
        return None if typed else _REGIONS[server[CONF_REGION]]
    try:
        url = URL(typed)
    except ValueError:
        return None
    bare = url.scheme in ("http", "https") and url.host and not (url.user or url.password or url.query or url.fragment)
    return str(url).rstrip("/") if bare else None


def _server(base_url: str) -> dict[str, str]:
    """Return what a person would have chosen for a base URL."""
    for region, url in _REGIONS.items():
        if url == base_url:
            return {CONF_REGION: region}
    return {CONF_REGION: _CUSTOM, CONF_URL: base_url}


class OneNetConfigFlow(ConfigFlow, domain=DOMAIN):
    """Connect an account, give it a new key, or move it to another server."""

    def __init__(self) -> None:
        """Start with nothing to tell."""
        self._errors: dict[str, str] = {}
        self._message = ""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OneNetOptionsFlow:
        """Return the dialog for the options of an account."""
        return OneNetOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for an account's key and server."""
        if data := await self._async_account(user_input, _DEFAULT_SERVER):
            return self.async_create_entry(title=self._free_title(), data=data)
        return self._show_account("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another key or server."""
        entry = self._get_reconfigure_entry()
        server = _server(entry.data[CONF_URL])
        if data := await self._async_account(user_input, server):
            return self.async_update_reload_and_abort(entry, data=data)
        return self._show_account("reconfigure", user_input or {CONF_SERVER: server})

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start to ask for a new key after OneNET refused the old one."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new key."""
        entry = self._get_reauth_entry()
        if user_input and (data := await self._async_prove(user_input[CONF_API_KEY], entry.data[CONF_URL])):
            return self.async_update_reload_and_abort(entry, data=data)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=_KEY_SCHEMA,
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, "name": entry.title},
        )

    def _show_account(self, step_id: str, suggested: Mapping[str, Any] | None) -> ConfigFlowResult:
        """Show the form of an account, with what was typed before."""
        # A server that is not everybody's must not be out of sight.
        usual = (suggested or {}).get(CONF_SERVER, _DEFAULT_SERVER) == _DEFAULT_SERVER
        schema = vol.Schema({**_KEY_FIELD, vol.Optional(CONF_SERVER): section(_SERVER_SCHEMA, {"collapsed": usual})})
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors=self._errors,
            description_placeholders={
                ATTR_MESSAGE: self._message,
                "console_url": "https://open.iot.10086.cn",
                "example_url": "https://api.example.com",
            },
        )

    async def _async_account(self, user_input: dict[str, Any] | None, server: dict[str, str]) -> dict[str, str] | None:
        """Return the data of the account that was typed, None while something is wrong with it.

        Who does not say which server, as a program may, means the one given.
        """
        if user_input is None:
            return None
        if (base_url := _base_url(user_input.get(CONF_SERVER, server))) is None:
            self._errors = {"base": "invalid_url"}
            return None
        return await self._async_prove(user_input[CONF_API_KEY], base_url)

    async def _async_prove(self, api_key: str, base_url: str) -> dict[str, str] | None:
        """Return an account's data if OneNET accepts the key."""
        # A key that no header can carry was not copied whole, or with something around it.
        if not re.fullmatch(r"[!-~]+", api_key := api_key.strip()):
            self._errors = {CONF_API_KEY: "invalid_key"}
            return None
        self._async_abort_entries_match({CONF_API_KEY: api_key})
        try:
            await OneNetClient(async_get_clientsession(self.hass), api_key, base_url=base_url).prove_key()
        except OneNetError as err:
            told = isinstance(err, AuthenticationError | CannotConnectError | NoReplyError)
            self._errors = {"base": err.reason if told else PlatformError.reason}
            self._message = str(err)
            return None
        # Another dialog may have been quicker.
        self._async_abort_entries_match({CONF_API_KEY: api_key})
        return {CONF_API_KEY: api_key, CONF_URL: base_url}

    def _free_title(self) -> str:
        """Return a title that no other account has."""
        taken = {entry.title for entry in self._async_current_entries()}
        number = 1
        while (title := "OneNET" if number == 1 else f"OneNET {number}") in taken:
            number += 1
        return title


class OneNetOptionsFlow(OptionsFlowWithReload):
    """Say how often OneNET is asked."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of an account."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS_SCHEMA, self.config_entry.options),
        )
