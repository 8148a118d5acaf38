"""The dialogs in which a person connects an account, and says how often OneNET is asked."""

from collections.abc import Mapping
import re
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_API_KEY, CONF_URL, UnitOfTime
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
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
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol
from yarl import URL

from .const import (
    ATTR_MESSAGE,
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_REGION,
    CONF_SERVER,
    DOMAIN,
    INTERVAL,
    INTERVAL_MAX,
    INTERVAL_MIN,
)
from .coordinator import create_client, platform_of
from .onenet.errors import AuthenticationError, CannotConnectError, NoReplyError, OneNetError, PlatformError
from .onenet.platforms import CURRENT, PLATFORMS

_CUSTOM = "custom"
_REGIONS = [*dict.fromkeys(region for platform in PLATFORMS.values() for region in platform.regions), _CUSTOM]
_KINDS = [CONF_API_KEY, CONF_ACCESS_KEY]

_SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
_PLATFORM = SelectSelector(SelectSelectorConfig(options=list(PLATFORMS), translation_key=CONF_PLATFORM))
_SERVER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_REGION, default=_REGIONS[0]): SelectSelector(
            SelectSelectorConfig(options=_REGIONS, translation_key=CONF_REGION)
        ),
        vol.Optional(CONF_URL): TextSelector(TextSelectorConfig(type=TextSelectorType.URL)),
    }
)
_DEFAULT_SERVER = {CONF_REGION: _REGIONS[0]}
_PLACEHOLDERS = {"console_url": "https://open.iot.10086.cn", "example_url": "https://api.example.com"}
# What two entries of one account would have in common.
_SAME_ACCOUNT = {CONF_API_KEY: (CONF_API_KEY,), CONF_ACCESS_KEY: (CONF_PRODUCT_ID, CONF_URL)}
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


def _account_fields(kind: str, platform: str) -> VolDictType:
    """Return what is asked for an account with this kind of key; who names no platform means this one."""
    if kind == CONF_API_KEY:
        return {vol.Required(CONF_API_KEY): _SECRET}
    return {
        vol.Required(CONF_PRODUCT_ID): TextSelector(),
        vol.Required(CONF_ACCESS_KEY): _SECRET,
        vol.Required(CONF_PLATFORM, default=platform): _PLATFORM,
    }


def _base_url(server: Mapping[str, Any], regions: Mapping[str, str]) -> str | None:
    """Return the base URL that a person chose or typed, None where it is none."""
    typed = server.get(CONF_URL, "").strip()
    if server[CONF_REGION] != _CUSTOM:
        # An address that would go unused is a mistake, too.
        return None if typed else regions[server[CONF_REGION]]
    try:
        url = URL(typed)
    except ValueError:
        return None
    bare = url.scheme in ("http", "https") and url.host and not (url.user or url.password or url.query or url.fragment)
    return str(url).rstrip("/") if bare else None


def _server(base_url: str) -> dict[str, str]:
    """Return what a person would have chosen for a base URL."""
    for platform in PLATFORMS.values():
        for region, url in platform.regions.items():
            if url == base_url:
                return {CONF_REGION: region}
    return {CONF_REGION: _CUSTOM, CONF_URL: base_url}


def _kind(data: Mapping[str, Any]) -> str:
    """Return which kind of key an account has."""
    return next(kind for kind in _KINDS if kind in data)


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
        """Ask which kind of key a new account has."""
        return self.async_show_menu(step_id="user", menu_options=_KINDS, description_placeholders=_PLACEHOLDERS)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which kind of key an account is to have from now on."""
        return self.async_show_menu(step_id="reconfigure", menu_options=_KINDS, description_placeholders=_PLACEHOLDERS)

    async def async_step_api_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a product's master key."""
        return await self._async_step_account(CONF_API_KEY, user_input)

    async def async_step_access_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a product and its access key."""
        return await self._async_step_account(CONF_ACCESS_KEY, user_input)

    async def _async_step_account(self, kind: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Ask for an account with this kind of key, and connect or change it."""
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        server = _server(entry.data[CONF_URL]) if entry else _DEFAULT_SERVER
        if user_input is None:
            # Never the key itself.
            known = {name: value for name, value in entry.data.items() if name not in _KINDS} if entry else {}
            return self._show_account(kind, known | {CONF_SERVER: server})
        # Who does not say which server, as a program may, means the one there is.
        if (data := await self._async_account(kind, user_input, user_input.get(CONF_SERVER, server))) is None:
            return self._show_account(kind, user_input)
        if entry:
            return self.async_update_reload_and_abort(entry, data=data)
        return self.async_create_entry(title=self._free_title(), data=data)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start to ask for a new key after OneNET refused the old one."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new key of the same kind."""
        entry = self._get_reauth_entry()
        kind = _kind(entry.data)
        if user_input and (data := await self._async_prove(kind, {**entry.data, kind: user_input[kind].strip()})):
            return self.async_update_reload_and_abort(entry, data=data)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=vol.Schema({vol.Required(kind): _SECRET}),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, "name": entry.title},
        )

    def _show_account(self, kind: str, suggested: Mapping[str, Any]) -> ConfigFlowResult:
        """Show the form of an account, with what was typed before."""
        # A server that is not everybody's must not be out of sight.
        usual = suggested.get(CONF_SERVER, _DEFAULT_SERVER) == _DEFAULT_SERVER
        fields = _account_fields(kind, suggested.get(CONF_PLATFORM, CURRENT.name))
        fields[vol.Optional(CONF_SERVER)] = section(_SERVER_SCHEMA, {"collapsed": usual})
        return self.async_show_form(
            step_id=kind,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), suggested),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, **_PLACEHOLDERS},
        )

    async def _async_account(
        self, kind: str, user_input: Mapping[str, Any], server: Mapping[str, Any]
    ) -> dict[str, str] | None:
        """Return the data of the account that was typed, None while something is wrong with it."""
        regions = platform_of(user_input).regions
        if server[CONF_REGION] not in (*regions, _CUSTOM):
            self._errors = {"base": "no_such_region"}
            return None
        if (base_url := _base_url(server, regions)) is None:
            self._errors = {"base": "invalid_url"}
            return None
        typed = {name: value.strip() for name, value in user_input.items() if name != CONF_SERVER}
        return await self._async_prove(kind, typed | {CONF_URL: base_url})

    async def _async_prove(self, kind: str, data: dict[str, str]) -> dict[str, str] | None:
        """Return an account's data if OneNET accepts its key."""
        # A key that no header can carry was not copied whole, or with something around it.
        if not re.fullmatch(r"[!-~]+", data[kind]):
            self._errors = {kind: "invalid_key"}
            return None
        if not re.fullmatch(r"[0-9A-Za-z_-]+", data.get(CONF_PRODUCT_ID, "-")):
            self._errors = {CONF_PRODUCT_ID: "invalid_product_id"}
            return None
        try:
            client = create_client(self.hass, data)
        except ValueError:
            self._errors = {kind: "invalid_access_key"}
            return None
        same = {name: data[name] for name in _SAME_ACCOUNT[kind]}
        self._async_abort_entries_match(same)
        try:
            await client.prove_key()
        except OneNetError as err:
            told = isinstance(err, AuthenticationError | CannotConnectError | NoReplyError)
            reason = err.reason if told else PlatformError.reason
            # There is more to check than of an API key.
            if kind == CONF_ACCESS_KEY and isinstance(err, AuthenticationError):
                reason = "access_refused"
            self._errors = {"base": reason}
            self._message = str(err)
            return None
        # Another dialog may have been quicker.
        self._async_abort_entries_match(same)
        return data

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
