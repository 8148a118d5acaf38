"""Add the devices that are registered at OneNET from now on like a device whose user has chosen that."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback

from .batches import RETRY_AFTER, BatchCaller, ConnectionCheck
from .const import (
    CONF_ADD_NEW,
    CONF_AT_ONCE,
    CONF_CONTROLS,
    CONF_HISTORY_DAYS,
    CONF_IGNORED,
    CONF_IMEI,
    CONF_KIND,
    CONF_ONENET_ID,
    CONF_OVERDUE_AFTER,
    CONF_PLATFORM,
    CONF_RESOURCES,
    CONF_SINCE,
    LOGGER,
    SUBENTRY_DEVICE,
)
from .devices import NEVER
from .onenet.client import OneNetClient
from .onenet.errors import NotSupportedError, OneNetError, RequestRejectedError
from .onenet.models import Device, DevicePage

_PER_PAGE = 100
# Number of pages of the list of devices that are fetched in a poll; the next poll continues.
_PAGES_PER_POLL = 5
_PAGES_MAX = 100
# Number of devices whose values are requested in a poll, and of devices that are added.
_MAX_PER_POLL = 50
# An account with more devices than this gets no further ones: Home Assistant limits the entities of an account.
_MAX_DEVICES = 1000
_CALL = "values of new devices"
# Every device may have the objects Device and Connectivity Monitoring.
_COMMON_OBJECTS = {"3", "4"}
_DEVICE_INSTANCE = "3/0"


def create_subentry(device: Device, imei: str, platform: str, settings: Mapping[str, Any]) -> ConfigSubentry:
    """Return the subentry of a device of OneNET with these resources and settings."""
    identity = {CONF_ONENET_ID: device.name, CONF_PLATFORM: platform} if device.name else {}
    return ConfigSubentry(
        data=MappingProxyType({CONF_IMEI: imei, **settings, **identity}),
        subentry_type=SUBENTRY_DEVICE,
        title=device.title or imei,
        unique_id=imei,
    )


class _Template(NamedTuple):
    """Hold a device like which new ones are added, since when, and the IMEIs of removed devices, which are not."""

    subentry: ConfigSubentry
    since: datetime
    ignored: frozenset[str]

    def settings(self, reported: set[str]) -> dict[str, Any] | None:
        """Return the settings of a new device that has reported these paths, None if it is not like this one.

        Its resources are those of the template that it has reported.
        """
        data = self.subentry.data
        resources = [path for path in data[CONF_RESOURCES] if path in reported]
        paths = {*data[CONF_RESOURCES], *data.get(CONF_CONTROLS, ())}
        typical = {path for path in paths if path.partition("/")[0] not in _COMMON_OBJECTS} or paths
        if typical and typical.isdisjoint(reported):
            return None
        # A control may be of a resource without values, but not of an object that the device lacks.
        instances = {_DEVICE_INSTANCE, *map(_instance, reported)}
        controls = [path for path in data.get(CONF_CONTROLS, ()) if _instance(path) in instances]
        names = CONF_KIND, CONF_AT_ONCE, CONF_OVERDUE_AFTER, CONF_HISTORY_DAYS
        kept = {name: data[name] for name in names if name in data}
        return {CONF_RESOURCES: resources, **kept, **({CONF_CONTROLS: controls} if controls else {})}


def _instance(path: str) -> str:
    """Return the path of the object instance of a resource."""
    return path.rpartition("/")[0]


def _templates(entry: ConfigEntry[Any]) -> Iterator[_Template]:
    """Yield the devices of an account like which new ones are added."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_DEVICE):
        if (chosen := subentry.data.get(CONF_ADD_NEW)) is not None:
            since = datetime.fromisoformat(chosen[CONF_SINCE])
            yield _Template(subentry, since, frozenset(chosen.get(CONF_IGNORED, ())))


@callback
def async_ignore_removed(hass: HomeAssistant, entry: ConfigEntry[Any], imeis: Iterable[str]) -> None:
    """Remember the IMEIs of devices that were removed from Home Assistant, so that they are not added again."""
    removed = set(imeis)
    for template in list(_templates(entry)) if removed else []:
        subentry = template.subentry
        chosen = {**subentry.data[CONF_ADD_NEW], CONF_IGNORED: sorted(template.ignored | removed)}
        hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_ADD_NEW: chosen})


class NewDevices:
    """Find the new devices of an account, and add them."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry[Any], client: OneNetClient, connection: ConnectionCheck
    ) -> None:
        """Create an instance that has not seen any device."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._connection = connection
        self._calls = BatchCaller(client, connection)
        # By IMEI, the new devices that were seen and are not added yet.
        self._candidates: dict[str, Device] = {}
        # By IMEI, when the values of a device that was like no template are requested again.
        self._next_check: dict[str, datetime] = {}
        self._page = 1
        self._next_listing = NEVER

    @callback
    def async_see(self, page: DevicePage, number: int) -> None:
        """Keep the new devices of a page of the list, which another part of the poll has fetched."""
        is_whole_list = number == 1 and not page.more
        if is_whole_list:
            self._candidates = {}
        templates = list(_templates(self._entry))
        since = min((template.since for template in templates), default=None)
        ignored = frozenset().union(*(template.ignored for template in templates))
        for device in page.devices:
            is_new = since is not None and device.create_time is not None and device.create_time >= since
            if is_new and device.imei is not None and device.name and device.imei not in ignored:
                self._candidates[device.imei] = device
        if is_whole_list:
            self._page, self._next_listing = 1, self._client.now() + RETRY_AFTER

    async def async_update(self, platform: str) -> None:
        """Add new devices, at most some of them; raise OneNetError for an error about the account."""
        if not any(_templates(self._entry)):
            self._candidates, self._next_check, self._next_listing = {}, {}, NEVER
            return
        await self._async_list()
        added = {subentry.unique_id for subentry in self._entry.subentries.values()}
        self._candidates = {imei: device for imei, device in self._candidates.items() if imei not in added}
        now = self._client.now()
        self._next_check = {imei: at for imei, at in self._next_check.items() if at > now}
        room = min(_MAX_PER_POLL, _MAX_DEVICES - len(added))
        due = (device for imei, device in self._candidates.items() if imei not in self._next_check)
        devices = {device.name: device for device in islice(due, max(0, room))}
        self._next_check |= {device.imei: now + RETRY_AFTER for device in devices.values() if device.imei}
        count = 0
        async for _, newest in self._calls.async_call(_CALL, devices, self._client.get_newest_datapoints):
            for key, datapoints in newest:
                reported = {datapoint.path for datapoint in datapoints}
                if key in devices and self._async_add(devices[key], reported, platform):
                    count += 1
                    await asyncio.sleep(0)
        if count:
            LOGGER.info("Added %s new devices to the account %s", count, self._entry.title)

    async def _async_list(self) -> None:
        """Fetch some pages of the list of devices, at most once an hour the whole list."""
        if self._client.now() < self._next_listing:
            return
        if self._page == 1:
            self._candidates = {}
        for _ in range(_PAGES_PER_POLL):
            try:
                page = await self._client.get_devices(page=self._page, per_page=_PER_PAGE)
            except (NotSupportedError, RequestRejectedError) as err:
                LOGGER.debug("The devices of an account cannot be listed: %s", err)
                more = False
            except OneNetError as err:
                await self._connection.async_check(err)
                more = False
            else:
                self.async_see(page, self._page)
                more = page.more and self._page < _PAGES_MAX
            if not more:
                self._page, self._next_listing = 1, self._client.now() + RETRY_AFTER
                return
            self._page += 1

    @callback
    def _async_add(self, device: Device, reported: set[str], platform: str) -> bool:
        """Add a device like the template of which it has reported the most resources; return whether it was added."""
        imei = device.imei
        # The dialog may have added it meanwhile.
        if imei is None or any(subentry.unique_id == imei for subentry in self._entry.subentries.values()):
            return False
        settings = [
            found
            for template in _templates(self._entry)
            if imei not in template.ignored
            and device.create_time is not None
            and device.create_time >= template.since
            and (found := template.settings(reported)) is not None
        ]
        if not settings:
            return False
        best = max(settings, key=lambda found: len(found[CONF_RESOURCES]))
        self._hass.config_entries.async_add_subentry(self._entry, create_subentry(device, imei, platform, best))
        return True
