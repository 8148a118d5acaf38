"""Config flow: connect, reauthenticate and reconfigure accounts."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
import re
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
)
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import (
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
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_REGION,
    CONF_SERVER,
    CONF_USER_ID,
    DOMAIN,
    SUBENTRY_DEVICE,
)
from .coordinator import create_client, platform_of
from .device_flow import OneNetDeviceFlow
from .devices import short_text
from .exceptions import escape_markdown, form_error
from .onenet.client import OneNetClient
from .onenet.errors import AuthenticationError, OneNetError, UnknownDeviceError
from .onenet.platforms import CURRENT, PLATFORMS
from .options_flow import OneNetOptionsFlow

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
# The key of a user account signs requests for all products of the user.
_USER = "user"
_USER_SCHEMA = vol.Schema({vol.Optional(CONF_USER_ID): TextSelector()})
_DEFAULT_SERVER = {CONF_REGION: _REGIONS[0]}
_PLACEHOLDERS = {"console_url": "https://open.iot.10086.cn", "example_url": "https://api.example.com"}
# The members by which two entries are the same account.
_SAME_ACCOUNT = {CONF_API_KEY: (CONF_API_KEY,), CONF_ACCESS_KEY: (CONF_PRODUCT_ID, CONF_URL)}
# Any other character would change the meaning of the token that the id becomes a part of.
_ID = re.compile(r"[0-9A-Za-z_-]+")
# Seconds to wait for the name of the product, which only the title needs.
_NAME_TIMEOUT = 2


def _account_schema(kind: str, suggested: Mapping[str, Any]) -> vol.Schema:
    """Return the form of an account with this kind of key; sections with non-default values are expanded."""
    fields: VolDictType = {vol.Required(CONF_API_KEY): _SECRET}
    if kind == CONF_ACCESS_KEY:
        platform = suggested.get(CONF_PLATFORM, CURRENT.name)
        is_product_key = not suggested[_USER].get(CONF_USER_ID)
        fields = {
            vol.Required(CONF_PRODUCT_ID): TextSelector(),
            vol.Required(CONF_ACCESS_KEY): _SECRET,
            # The default is for API clients that omit the platform.
            vol.Required(CONF_PLATFORM, default=platform): _PLATFORM,
            vol.Optional(_USER): section(_USER_SCHEMA, {"collapsed": is_product_key}),
        }
    is_default_server = suggested[CONF_SERVER] == _DEFAULT_SERVER
    fields[vol.Optional(CONF_SERVER)] = section(_SERVER_SCHEMA, {"collapsed": is_default_server})
    return vol.Schema(fields)


def _sections(kind: str, data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the values of the form's sections for an existing account, or the defaults for no data."""
    sections = {CONF_SERVER: _server(data[CONF_URL]) if data else _DEFAULT_SERVER}
    if kind == CONF_ACCESS_KEY:
        sections[_USER] = {CONF_USER_ID: data[CONF_USER_ID]} if CONF_USER_ID in data else {}
    return sections


def _base_url(server: Mapping[str, Any], regions: Mapping[str, str]) -> str | None:
    """Return the base URL of the selected server, None for an invalid one."""
    typed = server.get(CONF_URL, "").strip()
    if server[CONF_REGION] != _CUSTOM:
        # An address that would not be used is a mistake.
        return None if typed else regions[server[CONF_REGION]]
    try:
        url = URL(typed)
    except ValueError:
        return None
    bare = url.scheme in ("http", "https") and url.host and not (url.user or url.password or url.query or url.fragment)
    return str(url).rstrip("/") if bare else None


def _server(base_url: str) -> dict[str, str]:
    """Return the server section for a base URL: its region if it is a public one, else custom."""
    for platform in PLATFORMS.values():
        for region, url in platform.regions.items():
            if url == base_url:
                return {CONF_REGION: region}
    return {CONF_REGION: _CUSTOM, CONF_URL: base_url}


def _kind(data: Mapping[str, Any]) -> str:
    """Return the kind of key of an account."""
    return next(kind for kind in _KINDS if kind in data)


def _reason(kind: str, err: OneNetError) -> str:
    """Return the key of the error text for a failed check of an account."""
    # The request names no device, so an unknown-device error is about the product.
    if isinstance(err, AuthenticationError | UnknownDeviceError):
        return "access_refused" if kind == CONF_ACCESS_KEY else AuthenticationError.reason
    return form_error(err)


async def _product(client: OneNetClient, data: Mapping[str, str]) -> str:
    """Return the name of an account's product, or else its id; empty for an account with an API key."""
    name = None
    if platform_of(data) is CURRENT:
        with suppress(OneNetError, TimeoutError):
            async with asyncio.timeout(_NAME_TIMEOUT):
                name = short_text((await client.get_product()).name)
    return name or data.get(CONF_PRODUCT_ID, "")


class OneNetConfigFlow(ConfigFlow, domain=DOMAIN):
    """Connect an account, replace its key, or change its server."""

    def __init__(self) -> None:
        """Start without errors."""
        self._errors: dict[str, str] = {}
        self._message = ""
        self._product = ""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OneNetOptionsFlow:
        """Return the options flow of an account."""
        return OneNetOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flow that adds devices to an account."""
        return {SUBENTRY_DEVICE: OneNetDeviceFlow}

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Select the kind of key of a new account."""
        return self.async_show_menu(step_id="user", menu_options=_KINDS, description_placeholders=_PLACEHOLDERS)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Select the kind of key of an existing account."""
        return self.async_show_menu(step_id="reconfigure", menu_options=_KINDS, description_placeholders=_PLACEHOLDERS)

    async def async_step_api_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Enter a product's master key."""
        return await self._async_step_account(CONF_API_KEY, user_input)

    async def async_step_access_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Enter a product and its access key."""
        return await self._async_step_account(CONF_ACCESS_KEY, user_input)

    async def _async_step_account(self, kind: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Create or update an account with this kind of key."""
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        known = entry.data if entry else {}
        sections = _sections(kind, known)
        if user_input is None:
            # A form never shows a key.
            visible = {name: value for name, value in known.items() if name not in _KINDS}
            return self._show_account(kind, visible | sections)
        # API clients may omit sections, which then keep their values.
        typed = sections | user_input
        if (data := await self._async_account(kind, typed)) is None:
            return self._show_account(kind, typed)
        if entry:
            return self.async_update_reload_and_abort(entry, data=data, reason="account_changed")
        return self.async_create_entry(title=self._free_title(), data=data)

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Open the dialog that adds devices to the new account."""
        handler = (result["result"].entry_id, SUBENTRY_DEVICE)
        # The account may be removed meanwhile.
        with suppress(HomeAssistantError):
            flow = await self.hass.config_entries.subentries.async_init(handler, context={"source": SOURCE_USER})
            if flow["type"] is FlowResultType.FORM:
                result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, flow["flow_id"])
        return result

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start the reauthentication of an account whose key OneNET refused."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Enter a new key of the same kind."""
        entry = self._get_reauth_entry()
        kind = _kind(entry.data)
        if user_input and (data := await self._async_check(kind, {**entry.data, kind: user_input[kind].strip()})):
            return self.async_update_reload_and_abort(entry, data=data, reason="key_updated")
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=vol.Schema({vol.Required(kind): _SECRET}),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, "name": escape_markdown(entry.title)},
        )

    def _show_account(self, kind: str, suggested: Mapping[str, Any]) -> ConfigFlowResult:
        """Show the form of an account, filled in with suggested values."""
        return self.async_show_form(
            step_id=kind,
            data_schema=self.add_suggested_values_to_schema(_account_schema(kind, suggested), suggested),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, **_PLACEHOLDERS},
        )

    async def _async_account(self, kind: str, typed: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the data of the typed account; set the error and return None if it is invalid."""
        if (base_url := _base_url(typed[CONF_SERVER], platform_of(typed).regions)) is None:
            self._errors = {"base": "invalid_url"}
            return None
        fields = {**typed, **typed.get(_USER, {})}
        data = {name: value.strip() for name, value in fields.items() if isinstance(value, str)}
        if not data.get(CONF_USER_ID):
            data.pop(CONF_USER_ID, None)
        return await self._async_check(kind, data | {CONF_URL: base_url})

    async def _async_check(self, kind: str, data: dict[str, str]) -> dict[str, str] | None:
        """Return an account's data if OneNET accepts its key; set the error and return None if not."""
        # No HTTP header can carry other characters.
        if not re.fullmatch(r"[!-~]+", data[kind]):
            self._errors = {kind: "invalid_key"}
            return None
        if not _ID.fullmatch(data.get(CONF_PRODUCT_ID, "-")):
            self._errors = {CONF_PRODUCT_ID: "invalid_product_id"}
            return None
        if not _ID.fullmatch(data.get(CONF_USER_ID, "-")):
            # A field within a section cannot show an error of its own.
            self._errors = {"base": "invalid_user_id"}
            return None
        try:
            client = create_client(self.hass, data)
        except ValueError:
            self._errors = {kind: "invalid_access_key"}
            return None
        same = {name: data[name] for name in _SAME_ACCOUNT[kind]}
        self._async_abort_entries_match(same)
        try:
            await client.check_credentials()
        except OneNetError as err:
            self._errors = {"base": _reason(kind, err)}
            self._message = str(err)
            return None
        if self.source == SOURCE_USER:
            self._product = await _product(client, data)
        # Another flow may have connected the account meanwhile.
        self._async_abort_entries_match(same)
        return data

    def _free_title(self) -> str:
        """Return a title with the product that no other account has."""
        base = f"OneNET {self._product}".strip()
        taken = {entry.title for entry in self._async_current_entries()}
        number = 1
        while (title := base if number == 1 else f"{base} {number}") in taken:
            number += 1
        return title
