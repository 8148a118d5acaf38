"""The dialogs in which a person connects an account, says how often OneNET is asked, and adds devices."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import batched
import re
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlowWithReload,
    SubentryFlowResult,
)
from homeassistant.const import CONF_API_KEY, CONF_URL, UnitOfTime
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol
from yarl import URL

from .const import (
    ATTR_MESSAGE,
    CONF_ACCESS_KEY,
    CONF_IMEI,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_REGION,
    CONF_RESOURCES,
    CONF_SERVER,
    DOMAIN,
    INTERVAL,
    INTERVAL_MAX,
    INTERVAL_MIN,
    SUBENTRY_DEVICE,
)
from .coordinator import create_client, platform_of
from .onenet.client import OneNetClient
from .onenet.errors import (
    AuthenticationError,
    CannotConnectError,
    NoReplyError,
    OneNetError,
    PlatformError,
    UnknownDeviceError,
)
from .onenet.models import Device, Resource
from .onenet.platforms import CURRENT, PLATFORMS
from .resources import (
    ResourceSensorDescription,
    describe,
    is_measurement,
    is_readable,
    lwm2m_name,
)
from .validation import imei as valid_imei

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
# Pages of a list of thousands of devices that are read at once, and how many devices a page has at most.
_PAGES_AT_ONCE = 5
_PER_PAGE = 100
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


def _reason(err: OneNetError) -> str:
    """Return the key of the text for an error."""
    told = isinstance(err, AuthenticationError | CannotConnectError | NoReplyError | UnknownDeviceError)
    return err.reason if told else PlatformError.reason


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

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the dialog in which a device is added to an account."""
        return {SUBENTRY_DEVICE: OneNetDeviceFlow}

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
            reason = _reason(err)
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


class OneNetDeviceFlow(ConfigSubentryFlow):
    """Add one of an account's devices, or change what is shown of it."""

    def __init__(self) -> None:
        """Start with nothing chosen and nothing to tell."""
        self._imei = ""
        self._title = ""
        self._choices: list[SelectOptionDict] = []
        self._suggested: list[str] = []
        self._errors: dict[str, str] = {}
        self._message = ""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which device, of those that the account has, or by its IMEI."""
        client = self._client()
        if user_input is None:
            await self._async_list_devices(client)
        elif await self._async_confirm(client, user_input[CONF_IMEI]):
            await self._async_list_resources(client)
            self._suggested = [
                choice["value"] for choice in self._choices if is_measurement(Resource.from_path(choice["value"]))
            ]
            return self._show_resources("resources")
        which = SelectSelector(
            SelectSelectorConfig(options=self._choices, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
        )
        schema = vol.Schema({vol.Required(CONF_IMEI): which if self._choices else TextSelector()})
        return self.async_show_form(
            step_id="user",
            # With nothing suggested, the first device would be chosen already.
            data_schema=self.add_suggested_values_to_schema(schema, user_input or {CONF_IMEI: ""}),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message},
        )

    async def async_step_resources(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be shown of a new device."""
        if user_input is None or (shown := self._shown(user_input)) is None:
            return self._show_resources("resources")
        if self._imei in self._added():
            # Another dialog was quicker.
            return self.async_abort(reason="already_configured")
        return self.async_create_entry(
            title=self._title, data={CONF_IMEI: self._imei, CONF_RESOURCES: shown}, unique_id=self._imei
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be shown of a device from now on."""
        subentry = self._get_reconfigure_subentry()
        if user_input is None:
            self._imei, self._title = subentry.data[CONF_IMEI], subentry.title
            self._suggested = list(subentry.data[CONF_RESOURCES])
            await self._async_list_resources(self._client())
        elif (shown := self._shown(user_input)) is not None:
            return self.async_update_and_abort(self._get_entry(), subentry, data_updates={CONF_RESOURCES: shown})
        return self._show_resources("reconfigure")

    def _client(self) -> OneNetClient:
        """Return a client, also for an account that is not set up at the moment."""
        return create_client(self.hass, self._get_entry().data)

    def _added(self) -> set[str | None]:
        """Return the IMEIs of the devices that were added."""
        return {subentry.unique_id for subentry in self._get_entry().subentries.values()}

    def _tell(self, err: OneNetError) -> None:
        """Tell of an error with the next form."""
        self._errors = {"base": _reason(err)}
        self._message = str(err)

    async def _async_list_devices(self, client: OneNetClient) -> None:
        """Offer the devices that the account has and that were not added, by their titles."""
        if not client.lists_devices:
            return
        try:
            devices = await _async_all_devices(client)
        except OneNetError as err:
            # An IMEI can be typed all the same.
            self._tell(err)
            return
        added = self._added()
        self._choices = [
            SelectOptionDict(
                value=device.imei, label=f"{device.title} ({device.imei})" if device.title else device.imei
            )
            for device in sorted(devices, key=lambda device: _natural(device.title))
            if device.imei is not None and _is_imei(device.imei) and device.imei not in added
        ]

    async def _async_confirm(self, client: OneNetClient, typed: str) -> bool:
        """Return whether the account has a device that was not added yet, and keep its title."""
        try:
            self._imei = valid_imei(typed)
        except ValueError:
            self._errors = {CONF_IMEI: "invalid_imei"}
            return False
        if self._imei in self._added():
            self._errors = {CONF_IMEI: "already_added"}
            return False
        try:
            if client.lists_devices:
                self._title = (await client.get_device_by_imei(self._imei)).title
            else:
                await client.get_resources(self._imei)
        except OneNetError as err:
            self._tell(err)
            return False
        # Without a title, it is called by its number until a person gives it a name.
        self._title = self._title or self._imei
        self._errors = {}
        return True

    async def _async_list_resources(self, client: OneNetClient) -> None:
        """Offer the resources that OneNET knows of the device, and those that are shown, by their names."""
        resources = {Resource.from_path(path) for path in self._suggested}
        try:
            resources |= set(await client.get_resources(self._imei))
            if client.lists_devices:
                resources |= await _async_datastreams(client, self._imei)
        except OneNetError as err:
            # They can be typed all the same.
            self._tell(err)
        texts = await async_get_translations(self.hass, self.hass.config.language, "entity", [DOMAIN])
        self._choices = [
            SelectOptionDict(value=resource.path, label=f"{_name(resource, texts)} ({resource.path})")
            for resource in sorted(filter(is_readable, resources), key=_numbers)
        ]

    def _shown(self, user_input: Mapping[str, Any]) -> list[str] | None:
        """Return the paths of the resources that were chosen or typed, None while one is none."""
        self._suggested = user_input.get(CONF_RESOURCES, [])
        self._errors = {}
        try:
            resources = [Resource.from_path(typed) for typed in self._suggested]
        except ValueError:
            self._errors = {CONF_RESOURCES: "invalid_resource"}
            return None
        if not all(map(is_readable, resources)):
            self._errors = {CONF_RESOURCES: "unreadable_resource"}
            return None
        return [resource.path for resource in dict.fromkeys(resources)]

    def _show_resources(self, step_id: str) -> SubentryFlowResult:
        """Show the form of what is to be shown."""
        which = SelectSelector(
            SelectSelectorConfig(
                options=self._choices, multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN
            )
        )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema({vol.Optional(CONF_RESOURCES): which}), {CONF_RESOURCES: self._suggested}
            ),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, "name": self._title, CONF_IMEI: self._imei},
        )


async def _async_all_devices(client: OneNetClient) -> list[Device]:
    """Return all devices of an account."""
    first = await client.get_devices(per_page=_PER_PAGE)
    # One that is added meanwhile moves others to the next page, where they come again.
    devices = {device.id: device for device in first.devices}
    for numbers in batched(range(2, -(-first.total_count // _PER_PAGE) + 1), _PAGES_AT_ONCE, strict=False):
        pages = await asyncio.gather(*(client.get_devices(page=page, per_page=_PER_PAGE) for page in numbers))
        known = len(devices)
        devices |= {device.id: device for page in pages for device in page.devices}
        if len(devices) == known:
            # There are not as many as it says.
            break
    return list(devices.values())


async def _async_datastreams(client: OneNetClient, imei: str) -> set[Resource]:
    """Return the resources of which a device has sent datapoints."""
    device = await client.get_device_by_imei(imei)
    resources = set()
    for _, datapoints in await client.get_newest_datapoints([device.id]):
        for datapoint in datapoints:
            # There are datastreams of other names.
            with suppress(ValueError):
                resources.add(Resource.from_path(datapoint.path))
    return resources


def _natural(text: str) -> list[str | int]:
    """Return what texts are sorted by: "Lamp 3" comes before "Lamp 10"."""
    # Texts and numbers take turns.
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]


def _is_imei(text: str) -> bool:
    """Return whether a device can be added by this; those of other protocols have something else."""
    try:
        return valid_imei(text) == text
    except ValueError:
        return False


def _numbers(resource: Resource) -> tuple[int, int, int]:
    """Return what resources are sorted by."""
    return resource.obj_id, resource.obj_inst_id, resource.res_id or 0


def _name(resource: Resource, texts: Mapping[str, str]) -> str:
    """Return what the entity of a resource will be called."""
    description = describe(resource.path)
    kind = "sensor" if isinstance(description, ResourceSensorDescription) else "binary_sensor"
    text = texts.get(f"component.{DOMAIN}.entity.{kind}.{description.translation_key}.name")
    return lwm2m_name(resource) if text is None else text.format(number=description.number)
