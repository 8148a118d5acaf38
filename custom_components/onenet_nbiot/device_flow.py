"""Subentry flow: add devices to an account, and select the resources that are shown as entities."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
import re
from typing import Any

from homeassistant.config_entries import ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult, UnknownEntry
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    DurationSelector,
    DurationSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from .const import (
    ATTR_MESSAGE,
    CONF_ADD_NEW,
    CONF_AT_ONCE,
    CONF_CONTROLS,
    CONF_HISTORY_DAYS,
    CONF_IMEI,
    CONF_KIND,
    CONF_LIKE,
    CONF_MORE,
    CONF_ONENET_ID,
    CONF_OVERDUE_AFTER,
    CONF_PLATFORM,
    CONF_RESOURCES,
    CONF_SEVERAL,
    CONF_SINCE,
    DOMAIN,
    HISTORY_DAYS,
    HISTORY_DAYS_MAX,
    LOGGER,
)
from .coordinator import create_client, platform_of
from .exceptions import escape_markdown, form_error
from .lwm2m import (
    DeviceKind,
    ResourceDescription,
    describe,
    describe_control,
    guess_kind,
    is_control,
    is_measurement,
    is_readable,
    lwm2m_name,
)
from .new_devices import create_subentry
from .onenet.client import OneNetClient
from .onenet.errors import NotSupportedError, OneNetError, RequestRejectedError
from .onenet.models import Datapoint, Device, DevicePage, Resource
from .onenet.operations import TIMEOUT_MIN, Discover
from .validation import imei as valid_imei

# Size of a page of the list of devices, how many pages are read at once, and how many at most.
_PER_PAGE = 100
_PAGES_AT_ONCE = 5
_PAGES_MAX = 100
# How many objects a device is asked for. OneNET takes one call per device and second, and the user waits.
_DISCOVERIES = 3
# The object that every LwM2M device has.
_DEVICE_OBJECT = 3
# The limits of `overdue_after`.
_OVERDUE_AFTER_MIN = timedelta(minutes=10)
_OVERDUE_AFTER_MAX = timedelta(days=400)
_DURATION = DurationSelector(DurationSelectorConfig(enable_day=True, enable_second=False))
# Without limits, which would be errors that are not translated.
_DAYS = NumberSelector(NumberSelectorConfig(mode=NumberSelectorMode.BOX, step=1))
_KIND = SelectSelector(
    SelectSelectorConfig(options=list(DeviceKind), mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_KIND)
)
# The settings that the data of a subentry may lack.
_OPTIONAL = (CONF_OVERDUE_AFTER, CONF_CONTROLS, CONF_AT_ONCE, CONF_ADD_NEW)
_INVISIBLE_CHARACTERS = "invisible_characters"
_CHARACTERS = "characters"
_COUNT = "count"


class OneNetDeviceFlow(ConfigSubentryFlow):
    """Add devices to an account, or change which of a device's resources are shown."""

    def __init__(self) -> None:
        """Start without a device."""
        self._imei = ""
        # The IMEIs of the other devices that get the same resources and settings, and the task that adds them.
        self._more: list[str] = []
        self._adding: asyncio.Task[None] | None = None
        self._settings: dict[str, Any] = {}
        self._is_like_another = False
        self._title = ""
        # What identifies the device on the account's platform, if OneNET has found it.
        self._identity: dict[str, str] = {}
        self._devices: dict[str, Device] = {}
        self._choices: list[SelectOptionDict] = []
        self._suggested: list[str] = []
        self._kind = DeviceKind.OTHER
        self._overdue_after: dict[str, float] | None = None
        self._control_choices: list[SelectOptionDict] = []
        self._controls: list[str] = []
        self._at_once = False
        self._history_days: float = HISTORY_DAYS
        # Whether new devices are added like this one, and the time from which on they count as new.
        self._add_new = False
        self._now = ""
        self._errors: dict[str, str] = {}
        self._message = ""
        self._characters = ""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Select one of the account's devices, or type an IMEI."""
        client = self._client()
        if user_input is None:
            # The frontend requests the form of a flow that it did not start again.
            if not self._choices:
                await self._async_list_devices(client)
        elif (device := await self._async_find_device(client, user_input)) is not None:
            like = self._get_entry().subentries.get(user_input.get(CONF_LIKE, ""))
            await self._async_list_resources(client, device, like.data if like else {})
            self._is_like_another = like is not None
            if not like:
                self._suggested = [choice["value"] for choice in self._choices if is_measurement(choice["value"])]
            return self._show_new_resources()
        # Without a suggested value, the frontend preselects the first device.
        suggested = user_input or {CONF_IMEI: ""}
        subentries = self._get_entry().subentries.values()
        schema = _device_schema(self._choices, subentries, _ticked(suggested))
        return self.async_show_form(
            step_id="user" if self._choices else "imei",
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, _CHARACTERS: self._characters, **self._names()},
        )

    async def async_step_imei(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Type an IMEI, where there is no list of devices."""
        return await self.async_step_user(user_input)

    async def async_step_resources(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Select the resources of the new devices, and add them."""
        if user_input is None or (selected := self._selected(user_input)) is None:
            return self._show_new_resources()
        self._settings = selected
        return await (self.async_step_adding() if self._more else self.async_step_finish())

    # The same form with another text.
    async_step_other_resources = async_step_resources
    async_step_typed_resources = async_step_resources
    async_step_like_resources = async_step_resources
    async_step_several_resources = async_step_resources

    async def async_step_adding(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show the progress while all devices but the first are added."""
        if self._adding is None:
            self._adding = self.hass.async_create_task(self._async_add_more(), "OneNET new devices")
        if self._adding.done():
            return self.async_show_progress_done(next_step_id="finish")
        return self.async_show_progress(
            step_id="adding",
            progress_action="adding",
            description_placeholders=self._names(),
            progress_task=self._adding,
        )

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add the first device."""
        if self._imei in self._added_imeis():
            # Another flow has added it meanwhile.
            if self._more:
                return self.async_abort(reason="others_added", description_placeholders=self._names())
            return self.async_abort(reason="already_configured")
        data = {CONF_IMEI: self._imei, **self._settings, **self._identity}
        return self.async_create_entry(title=self._title, data=data, unique_id=self._imei)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Select other resources of a device."""
        subentry = self._get_reconfigure_subentry()
        if user_input is None:
            self._imei, self._title = subentry.data[CONF_IMEI], subentry.title
            client = self._client()
            try:
                device = await client.get_device(self._imei)
            except OneNetError as err:
                LOGGER.debug("A device cannot be identified by its IMEI: %s", err)
                device = _unidentified(self._imei)
            await self._async_list_resources(client, device, subentry.data)
            self._add_new = CONF_ADD_NEW in subentry.data
        elif (selected := self._selected(user_input)) is not None:
            kept = {name: value for name, value in subentry.data.items() if name not in _OPTIONAL}
            if CONF_ADD_NEW in selected:
                # The time and the removed devices stay.
                selected[CONF_ADD_NEW] = subentry.data.get(CONF_ADD_NEW, selected[CONF_ADD_NEW])
            data = {**kept, **selected, **self._identity}
            self.hass.config_entries.async_update_subentry(self._get_entry(), subentry, data=data)
            return self.async_abort(reason="resources_changed")
        return self._show_resources("reconfigure")

    def _client(self) -> OneNetClient:
        """Return a client, also for an account that is not loaded."""
        return create_client(self.hass, self._get_entry().data)

    def _added_imeis(self) -> set[str | None]:
        """Return the IMEIs of the account's added devices."""
        return {subentry.unique_id for subentry in self._get_entry().subentries.values()}

    def _set_error(self, err: OneNetError) -> None:
        """Set the error of the next form."""
        self._errors = {"base": form_error(err)}
        self._message = str(err)

    async def _async_list_devices(self, client: OneNetClient) -> None:
        """Offer the account's devices that are not added yet, sorted by title."""
        try:
            async for device in _all_devices(client):
                if device.imei is not None:
                    self._devices[device.imei] = device
        except (NotSupportedError, RequestRejectedError) as err:
            LOGGER.debug("The devices of an account cannot be listed: %s", err)
        except OneNetError as err:
            # An IMEI can be typed nevertheless.
            self._set_error(err)
        added = self._added_imeis()
        self._choices = [
            SelectOptionDict(value=imei, label=imei if device.title in ("", imei) else f"{device.title} ({imei})")
            for imei, device in sorted(self._devices.items(), key=lambda item: _natural(item[1].title))
            if imei not in added
        ]

    def _check_imei(self, field: str, typed: str) -> str | None:
        """Return the IMEI of a device that can be added; set the error of the field and return None if it cannot."""
        self._imei = typed
        try:
            imei = valid_imei(typed)
        except ValueError as err:
            self._errors = {field: "invalid_imei"}
            # Invisible characters have an error of their own, which names them.
            if (characters := getattr(err, "placeholders", {}).get(_CHARACTERS)) is not None:
                self._errors = {field: _INVISIBLE_CHARACTERS}
                self._characters = characters
            return None
        if imei in self._added_imeis():
            self._errors = {field: "already_added"}
            return None
        return imei

    async def _async_find_device(self, client: OneNetClient, user_input: Mapping[str, Any]) -> Device | None:
        """Return the account's device with an IMEI, and store its title; set the error and return None if not found.

        Store the IMEIs of the other selected devices.
        """
        imeis: dict[str, None] = {}
        # A field within a section cannot show an error of its own.
        ticked = [("base", imei) for imei in _ticked(user_input)]
        for field, typed in ((CONF_IMEI, user_input[CONF_IMEI]), *ticked):
            if (imei := self._check_imei(field, typed)) is None:
                return None
            imeis[imei] = None
        self._imei, *self._more = imeis
        try:
            device = await client.get_device(self._imei)
        except (NotSupportedError, RequestRejectedError) as err:
            LOGGER.debug("A device cannot be identified by its IMEI: %s", err)
            device = self._devices.get(self._imei) or _unidentified(self._imei)
        except OneNetError as err:
            self._set_error(err)
            return None
        self._title = device.title or self._imei
        self._errors = {}
        return device

    def _identify(self, device: Device) -> dict[str, str]:
        """Return what identifies a device on the account's platform."""
        platform = platform_of(self._get_entry().data)
        return {CONF_ONENET_ID: device.name, CONF_PLATFORM: platform.name} if device.name else {}

    async def _async_add_more(self) -> None:
        """Add all devices but the first, except for those that were added meanwhile."""
        # New devices are added like one of the devices, not like each of them.
        settings = {name: value for name, value in self._settings.items() if name != CONF_ADD_NEW}
        # The account may be removed meanwhile.
        with suppress(UnknownEntry):
            platform = platform_of(self._get_entry().data).name
            for number, imei in enumerate(self._more, 1):
                if imei not in self._added_imeis():
                    device = self._devices[imei]
                    subentry = create_subentry(device, imei, platform, settings)
                    self.hass.config_entries.async_add_subentry(self._get_entry(), subentry)
                self.async_update_progress(number / (len(self._more) + 1))
                await asyncio.sleep(0)

    async def _async_list_resources(self, client: OneNetClient, device: Device, like: Mapping[str, Any]) -> None:
        """Offer the resources that the device is known to have; suggest the resources and settings of an added device.

        Without an added device, guess the kind.
        """
        self._suggested = list(like.get(CONF_RESOURCES, []))
        self._overdue_after = _as_duration(like.get(CONF_OVERDUE_AFTER))
        self._controls = list(like.get(CONF_CONTROLS, []))
        self._at_once = like.get(CONF_AT_ONCE, False)
        self._history_days = like.get(CONF_HISTORY_DAYS, HISTORY_DAYS)
        self._identity = self._identify(device)
        with_values, listed, failures = await _find_resources(client, self._imei, device)
        # By the clock of OneNET, whose times are in whole seconds.
        self._now = client.now().isoformat(timespec="seconds")
        if failures:
            # Resources can be typed nevertheless.
            self._set_error(failures[0])
        shown = with_values | {resource for resource in listed if is_readable(resource.path)}
        shown |= {Resource.from_path(path) for path in self._suggested}
        controls = {resource for resource in with_values | listed if is_control(resource.path)}
        controls |= {Resource.from_path(path) for path in self._controls}
        guessed = guess_kind(self._title, {resource.obj_id for resource in shown | controls})
        self._kind = DeviceKind(like.get(CONF_KIND, guessed))
        texts = await async_get_translations(self.hass, self.hass.config.language, "entity", [DOMAIN])
        # A resource with a value is always offered; a resource that is only listed is offered if it is readable.
        self._choices = _options(shown, describe, texts)
        self._control_choices = _options(controls, describe_control, texts)

    def _selected(self, user_input: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the selected resources and the settings; set the error and return None if one is invalid."""
        self._suggested = user_input.get(CONF_RESOURCES, [])
        self._controls = user_input.get(CONF_CONTROLS, [])
        self._at_once = user_input.get(CONF_AT_ONCE, False)
        self._add_new = user_input.get(CONF_ADD_NEW, False)
        self._kind = DeviceKind(user_input[CONF_KIND])
        self._overdue_after = user_input.get(CONF_OVERDUE_AFTER)
        self._history_days = user_input.get(CONF_HISTORY_DAYS, HISTORY_DAYS)
        self._errors = {}
        try:
            paths = _paths(self._suggested)
        except ValueError:
            self._errors = {CONF_RESOURCES: "invalid_resource"}
            return None
        try:
            controls = _paths(self._controls)
            for path in controls:
                describe_control(path)
        except ValueError:
            self._errors = {CONF_CONTROLS: "invalid_control"}
            return None
        overdue_after = timedelta(**self._overdue_after or {})
        # Without a duration, or with zeros, it is learned.
        if overdue_after and not _OVERDUE_AFTER_MIN <= overdue_after <= _OVERDUE_AFTER_MAX:
            self._errors = {CONF_OVERDUE_AFTER: "invalid_overdue_after"}
            return None
        if self._history_days not in range(HISTORY_DAYS_MAX + 1):
            self._errors = {CONF_HISTORY_DAYS: "invalid_history_days"}
            return None
        optional = {
            CONF_OVERDUE_AFTER: overdue_after.total_seconds(),
            CONF_CONTROLS: controls,
            CONF_AT_ONCE: self._at_once,
            CONF_ADD_NEW: self._add_new and {CONF_SINCE: self._now},
        }
        settings = {name: value for name, value in optional.items() if value}
        if self._history_days != HISTORY_DAYS:
            settings[CONF_HISTORY_DAYS] = int(self._history_days)
        return {CONF_RESOURCES: paths, CONF_KIND: str(self._kind), **settings}

    def _show_new_resources(self) -> SubentryFlowResult:
        """Show the form of the new devices' resources, with a text that suits what is offered."""
        if self._more:
            return self._show_resources("several_resources")
        if self._is_like_another:
            return self._show_resources("like_resources")
        if not self._choices:
            return self._show_resources("typed_resources")
        has_measurements = any(is_measurement(choice["value"]) for choice in self._choices)
        return self._show_resources("resources" if has_measurements else "other_resources")

    def _show_resources(self, step_id: str) -> SubentryFlowResult:
        """Show the form of the resources."""
        is_new = step_id != "reconfigure"
        fields: VolDictType = {
            vol.Optional(CONF_RESOURCES): _paths_selector(self._choices),
            vol.Required(CONF_KIND, default=str(self._kind)): _KIND,
            vol.Optional(CONF_CONTROLS): _paths_selector(self._control_choices),
            vol.Optional(CONF_AT_ONCE, default=self._at_once): BooleanSelector(),
            vol.Optional(CONF_OVERDUE_AFTER): _DURATION,
            **({vol.Optional(CONF_HISTORY_DAYS, default=self._history_days): _DAYS} if is_new else {}),
            vol.Optional(CONF_ADD_NEW, default=self._add_new): BooleanSelector(),
        }
        suggested = {
            CONF_RESOURCES: self._suggested,
            CONF_OVERDUE_AFTER: self._overdue_after,
            CONF_CONTROLS: self._controls,
        }
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), suggested),
            errors=self._errors,
            description_placeholders={ATTR_MESSAGE: self._message, **self._names()},
        )

    def _names(self) -> dict[str, str]:
        """Return the placeholders of the new devices, or of the one that is reconfigured."""
        return {
            # The title of a form is plain text, its description Markdown.
            "name": self._title,
            "device": escape_markdown(self._title),
            CONF_IMEI: self._imei,
            _COUNT: str(len(self._more) + 1),
        }


def _device_schema(
    choices: list[SelectOptionDict], subentries: Iterable[ConfigSubentry], ticked: list[str]
) -> vol.Schema:
    """Return the form of the devices to add; the section of several devices is collapsed if none is ticked."""
    which = SelectSelector(SelectSelectorConfig(options=choices, custom_value=True, mode=SelectSelectorMode.DROPDOWN))
    fields: VolDictType = {vol.Required(CONF_IMEI): which if choices else TextSelector()}
    if added := [SelectOptionDict(value=subentry.subentry_id, label=subentry.title) for subentry in subentries]:
        added.sort(key=lambda option: _natural(option["label"]))
        fields[vol.Optional(CONF_LIKE)] = SelectSelector(
            SelectSelectorConfig(options=added, mode=SelectSelectorMode.DROPDOWN)
        )
    if len(choices) > 1:
        more = SelectSelector(SelectSelectorConfig(options=choices, multiple=True, mode=SelectSelectorMode.LIST))
        several = vol.Schema({vol.Optional(CONF_MORE): more})
        fields[vol.Optional(CONF_SEVERAL)] = section(several, {"collapsed": not ticked})
    return vol.Schema(fields)


def _ticked(user_input: Mapping[str, Any]) -> list[str]:
    """Return the IMEIs that are ticked in the form of the devices."""
    ticked: list[str] = user_input.get(CONF_SEVERAL, {}).get(CONF_MORE, [])
    return ticked


def _paths_selector(options: list[SelectOptionDict]) -> SelectSelector:
    """Return the field of the paths of resources, of which some are offered and others can be typed."""
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    )


def _paths(typed: Iterable[str]) -> list[str]:
    """Return the paths of resources in one spelling, each once; raise ValueError for an invalid path."""
    return list(dict.fromkeys(Resource.from_path(path).path for path in typed))


def _as_duration(seconds: float | None) -> dict[str, float] | None:
    """Return a duration as the selector has it, None for none."""
    if seconds is None:
        return None
    minutes = round(seconds / 60)
    return {"days": minutes // 1440, "hours": minutes // 60 % 24, "minutes": minutes % 60}


def _unidentified(imei: str) -> Device:
    """Return a device of which only the IMEI is known."""
    return Device(id="", name="", title="", online=None, imei=imei)


async def _all_devices(client: OneNetClient) -> AsyncIterator[Device]:
    """Yield every device of an account once."""
    seen: set[str] = set()
    async for pages in _batches_of_pages(client):
        devices = {device.id: device for page in pages for device in page.devices}
        if devices and devices.keys() <= seen:
            # The platform ignores the number of the page.
            return
        for device in devices.values():
            if device.id not in seen:
                yield device
        seen |= devices.keys()


async def _batches_of_pages(client: OneNetClient) -> AsyncIterator[list[DevicePage]]:
    """Yield the first page of the account's devices, then the others, some at once."""
    first = await client.get_devices(per_page=_PER_PAGE)
    yield [first]
    last = _PAGES_MAX if first.total_count is None else min(_PAGES_MAX, -(-first.total_count // _PER_PAGE))
    more = first.more
    for start in range(2, last + 1, _PAGES_AT_ONCE):
        if not more:
            return
        numbers = range(start, min(start + _PAGES_AT_ONCE, last + 1))
        pages = await asyncio.gather(*(client.get_devices(page=number, per_page=_PER_PAGE) for number in numbers))
        yield pages
        more = all(page.more for page in pages)


async def _find_resources(
    client: OneNetClient, imei: str, device: Device
) -> tuple[set[Resource], set[Resource], list[OneNetError]]:
    """Return the resources of a device that have values and those that are listed, and the errors of failed sources."""
    failures: list[OneNetError] = []
    newest, past = await asyncio.gather(
        _attempt(_with_newest_values(client, imei), failures), _attempt(_with_past_values(client, device), failures)
    )
    listed = await _attempt(_listed(client, imei, device, newest | past), failures)
    return newest | past, listed, failures


async def _attempt(source: Awaitable[set[Resource]], failures: list[OneNetError]) -> set[Resource]:
    """Return the resources of a source; empty if the platform lacks it, or if it fails.

    Add that failure to `failures`.
    """
    try:
        return await source
    except (NotSupportedError, RequestRejectedError) as err:
        LOGGER.debug("A source of resources does not exist: %s", err)
    except OneNetError as err:
        failures.append(err)
    return set()


async def _with_newest_values(client: OneNetClient, imei: str) -> set[Resource]:
    """Return the resources with a newest value."""
    return _resources_of(await client.get_newest_datapoints_of(imei))


async def _with_past_values(client: OneNetClient, device: Device) -> set[Resource]:
    """Return the resources with a value in the history; without a start, it has the newest of each resource."""
    return _resources_of((await client.get_history_page(device.name)).points) if device.name else set()


def _resources_of(points: Iterable[Datapoint]) -> set[Resource]:
    """Return the resources of datapoints."""
    return {Resource.from_path(point.path) for point in points}


async def _listed(client: OneNetClient, imei: str, device: Device, known: set[Resource]) -> set[Resource]:
    """Return OneNET's list of a device's resources; without that call, discover those of a device that is online."""
    try:
        return set(await client.get_resources(imei))
    except (NotSupportedError, RequestRejectedError) as err:
        LOGGER.debug("The resources of a device cannot be listed: %s", err)
    return await _discover(client, imei, known) if device.online else set()


async def _discover(client: OneNetClient, imei: str, known: set[Resource]) -> set[Resource]:
    """Return the resources that an online device has of the objects that it is known to have."""
    found: set[Resource] = set()
    # Measurements have high object ids.
    objects = sorted({_DEVICE_OBJECT, *(resource.obj_id for resource in known)}, reverse=True)
    for obj_id in objects[:_DISCOVERIES]:
        try:
            found |= set(await client.discover(Discover(imei=imei, obj_id=obj_id), device_timeout=TIMEOUT_MIN))
        except OneNetError as err:
            LOGGER.debug("The resources of object %s cannot be discovered: %s", obj_id, err)
            break
    return found


def _natural(text: str) -> list[str | int]:
    """Return a sort key that puts "Lamp 3" before "Lamp 10"."""
    # Texts and numbers alternate; int() refuses thousands of digits.
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d{1,18})", text)]


def _ids(resource: Resource) -> tuple[int, int, int]:
    """Return the sort key of a resource."""
    return resource.obj_id, resource.obj_inst_id, resource.res_id or 0


def _options(
    resources: Iterable[Resource],
    describe_resource: Callable[[str], ResourceDescription],
    texts: Mapping[str, str],
) -> list[SelectOptionDict]:
    """Return the options of resources, with the names that their entities will have."""
    return [
        SelectOptionDict(value=path, label=f"{_name(path, describe_resource, texts)} ({path})")
        for path in (resource.path for resource in sorted(resources, key=_ids))
    ]


def _name(path: str, describe_resource: Callable[[str], ResourceDescription], texts: Mapping[str, str]) -> str:
    """Return the name that the entity of a resource will have."""
    description = describe_resource(path)
    text = texts.get(f"component.{DOMAIN}.entity.{description.platform}.{description.translation_key}.name")
    return lwm2m_name(path) if text is None else text.format(number=description.number)
