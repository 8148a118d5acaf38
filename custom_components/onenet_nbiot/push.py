"""The webhook that OneNET's HTTP push calls: verify a request, save what it brings, answer, then publish it."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from aiohttp import ClientError, web
from aiohttp.hdrs import METH_GET, METH_POST
from homeassistant.components import webhook
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CoreState, Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.network import NoURLAvailableError
from homeassistant.util.aiohttp import MockRequest
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.signal_type import SignalTypeFormat

from .const import CONF_CLOUDHOOK, CONF_ENCRYPTION_KEY, CONF_PRODUCT_ID, CONF_PUSH, DOMAIN, ISSUE_PUSH_URL, LOGGER
from .coordinator import OneNetConfigEntry
from .devices import Device
from .exceptions import escape_markdown
from .onenet.models import CommandState
from .onenet.operations import Read
from .onenet.push import (
    MAX_BODY,
    DeviceIdentity,
    Push,
    PushedDatapoint,
    PushedOutcome,
    PushEvent,
    PushReceiver,
    PushRefusedError,
    RefusalKind,
)
from .push_health import DUPLICATES, NOT_SAVED, OTHER_COMMANDS, OTHER_DEVICES, PushHealth
from .store import async_get_store
from .tracker import StateChange

# The time of the last push, or the number of refused requests, has changed.
SIGNAL_PUSH: SignalTypeFormat[()] = SignalTypeFormat(f"{DOMAIN}_push_{{}}")
_CLOUD = "cloud"
# Seconds within which a request has to be complete: OneNET itself gives up after this time.
_READ_TIMEOUT = 5
# Seconds for saving: a request is answered within a second.
_SAVE_TIMEOUT = 0.8
# A larger body is parsed in a thread, and so many events are processed at a time, so as not to block the event loop.
_PARSED_AT_ONCE = 2**14
_EVENTS_AT_ONCE = 200
# Number of requests that are recognized as duplicates.
_RECENT_MAX = 2000
# Seconds between two updates of the sensors: requests may arrive by the thousand.
_SENSOR_PAUSE = 5
_REFUSALS = {
    RefusalKind.BAD_SIGNATURE: "its signature does not match the token in the options",
    RefusalKind.MALFORMED: "it is not in OneNET's format, or incomplete",
    RefusalKind.TOO_LARGE: "it is too large",
    RefusalKind.NOT_DECRYPTED: "it cannot be decrypted with the encryption key in the options",
}


@callback
def async_push_url(hass: HomeAssistant, push: Mapping[str, Any]) -> str | None:
    """Return the URL to enter in OneNET's console, None if Home Assistant has no external URL."""
    if (url := push.get(CONF_CLOUDHOOK)) is not None:
        return str(url)
    try:
        return webhook.async_generate_url(hass, push[CONF_WEBHOOK_ID], allow_internal=False)
    except NoURLAvailableError:
        return None


@callback
def async_has_cloud(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant Cloud can provide a URL."""
    if _CLOUD not in hass.config.components:
        return False
    # Imported only if it is set up: it needs packages that not every installation has.
    from homeassistant.components import cloud  # noqa: PLC0415

    return cloud.async_active_subscription(hass)


async def async_create_cloudhook(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the URL of a webhook in Home Assistant Cloud, None without an active subscription."""
    if not async_has_cloud(hass):
        return None
    from homeassistant.components import cloud  # noqa: PLC0415

    try:
        return await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    except cloud.CloudNotAvailable:
        return None


async def async_delete_webhook(hass: HomeAssistant, push: Mapping[str, Any]) -> None:
    """Unregister the webhook of an account, and delete that of Home Assistant Cloud, if there is one."""
    webhook.async_unregister(hass, push[CONF_WEBHOOK_ID])
    if CONF_CLOUDHOOK not in push or _CLOUD not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415

    with suppress(cloud.CloudNotAvailable, ValueError):
        await cloud.async_delete_cloudhook(hass, push[CONF_WEBHOOK_ID])


@dataclass(kw_only=True, slots=True)
class _Changes:
    """Hold what a request has changed, and the devices to poll: for details, or because they are active.

    `early` are outcomes that arrived before the reply to the request that queued their command: IMEI and UUID.
    """

    devices: dict[Device, set[str]] = field(default_factory=dict)
    states: list[StateChange] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    details: set[str] = field(default_factory=set)
    early: list[tuple[str, str]] = field(default_factory=list)


class PushUpdater:
    """Update the commands and devices of an account from pushes: first in memory and in the store, then publish."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
        """Create an updater for a loaded account."""
        self._hass = hass
        self._entry = entry
        self._product_id = entry.data.get(CONF_PRODUCT_ID)
        self._client = entry.runtime_data.client
        self._commands = entry.runtime_data.commands
        self._devices = entry.runtime_data.devices
        self._tracker = entry.runtime_data.tracker
        self._coordinator = entry.runtime_data.coordinator
        self._health = entry.runtime_data.health

    async def async_apply(self, events: Iterable[PushEvent]) -> _Changes:
        """Update the commands and devices from events, and save them with the next transaction."""
        changes = _Changes()
        for number, part in enumerate(batched(events, _EVENTS_AT_ONCE, strict=False)):
            if number:
                await asyncio.sleep(0)
            for event in part:
                try:
                    self._apply(event, changes)
                except Exception:  # noqa: BLE001 - it is logged
                    # OneNET would repeat the request, and turn the push off after many failures.
                    LOGGER.exception("A message of a push could not be processed")
        for device in changes.devices:
            self._devices.async_save(device)
        return changes

    def _apply(self, event: PushEvent, changes: _Changes) -> None:
        """Update a command or a device from an event."""
        if isinstance(event, PushedOutcome):
            self._apply_outcome(event, changes)
        else:
            item = event.datapoint if isinstance(event, PushedDatapoint) else event.presence
            self._apply_to_device(event.device, item, changes)

    def _find(self, identity: DeviceIdentity) -> Device | None:
        """Return the device of a message, None if it was neither added nor has commands."""
        if identity.imei in self._commands.imeis:
            return self._devices.get(identity.imei)
        key = identity.id
        if not self._client.has_statuses:
            # Names are unique within a product only.
            key = identity.name if identity.product_id in (None, self._product_id) else None
        device = self._devices.find(identity.imei, key)
        if device is None or device.imei not in self._devices.added:
            self._health.counts[OTHER_DEVICES] += 1
        return device

    def _apply_to_device(self, identity: DeviceIdentity, item: Any, changes: _Changes) -> None:
        """Update a device from a datapoint or from its presence."""
        if (device := self._find(identity)) is None:
            return
        changed, active = self._devices.update_from_push(device, [item], self._client.now())
        if changed or active:
            changes.devices.setdefault(device, set()).update(changed)
        if active:
            changes.active.add(device.imei)

    def _apply_outcome(self, outcome: PushedOutcome, changes: _Changes) -> None:
        """Update a command that was queued here from its outcome; ignore the commands of other applications."""
        uuid, imei = outcome.record.uuid, outcome.device.imei
        command = self._commands.find(uuid, imei)
        if command is None:
            device = self._find(outcome.device)
            if device is not None and self._commands.unconfirmed(device.imei):
                changes.early.append((device.imei, uuid))
            else:
                self._health.counts[OTHER_COMMANDS] += 1
            return
        imei = command.asked.operation.imei
        record = outcome.record
        if record.lacks_confirm_status or record.state in (CommandState.SUCCEEDED, CommandState.FAILED):
            self._health.pushed(uuid)
        if command.id in self._commands.in_flight:
            changes.early.append((imei, uuid))
            return
        is_read = record.state is CommandState.SUCCEEDED and isinstance(command.asked.operation, Read)
        if command.is_finished:
            return
        if record.lacks_confirm_status or (is_read and not outcome.result.values):
            changes.details.add(imei)
        elif (change := self._tracker.async_apply_push(command, outcome)) is not None:
            changes.states.append(change)

    @callback
    def async_publish(self, changes: _Changes) -> None:
        """Publish what was saved, and poll the devices that need it."""
        for device, changed in changes.devices.items():
            self._devices.async_notify_entities(device, changed)
        # Until Home Assistant has started, automations do not receive events; the coordinator publishes them then.
        if self._hass.state is CoreState.running:
            for change in changes.states:
                self._tracker.async_publish_change(change)
        # Outcomes arrive by push if the platform pushes them.
        active = set() if self._client.pushes_outcomes else changes.active
        self._coordinator.active_polls.async_poll(changes.details | active)
        for imei, uuid in changes.early:
            self._entry.async_create_background_task(self._hass, self._async_poll_later(imei, uuid), "OneNET push")

    async def _async_poll_later(self, imei: str, uuid: str) -> None:
        """Poll the commands of a device once no request in flight can be about the command with this UUID."""
        await self._commands.async_wait_for_requests(imei, uuid)
        self._coordinator.active_polls.async_poll({imei})


# The receivers of loaded accounts, by the id of their webhook.
_RECEIVERS: HassKey[dict[str, PushWebhook]] = HassKey(f"{DOMAIN}_push_receivers")


@callback
def async_register_webhooks(hass: HomeAssistant) -> None:
    """Register the webhooks of all accounts with push; they stay registered until push is turned off.

    Home Assistant answers requests for unknown webhooks with 200, after which OneNET does not repeat them.
    """
    for entry in hass.config_entries.async_entries(DOMAIN):
        if (push := entry.options.get(CONF_PUSH)) is not None:
            _async_register(hass, entry.title, push[CONF_WEBHOOK_ID])


@callback
def _async_register(hass: HomeAssistant, name: str, webhook_id: str) -> None:
    """Register a webhook, unless it is registered."""
    with suppress(ValueError):
        webhook.async_register(
            hass,
            DOMAIN,
            name,
            webhook_id,
            _async_handle,
            local_only=False,
            allowed_methods=(METH_GET, METH_POST),
        )


async def _async_handle(hass: HomeAssistant, webhook_id: str, request: web.Request) -> web.Response:
    """Let the account of a webhook answer a request; while it is not loaded, answer so that OneNET repeats it."""
    receiver = hass.data.get(_RECEIVERS, {}).get(webhook_id)
    return web.Response(status=503) if receiver is None else await receiver.async_handle(request)


class PushWebhook:
    """Receive the requests of OneNET's HTTP push for an account."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
        """Create a webhook for a loaded account with push in its options; raise ValueError for an invalid key."""
        self._hass = hass
        self._entry = entry
        push = entry.options[CONF_PUSH]
        self._id: str = push[CONF_WEBHOOK_ID]
        self._receiver = PushReceiver(push[CONF_TOKEN], push.get(CONF_ENCRYPTION_KEY))
        self._updater = PushUpdater(hass, entry)
        self._store = async_get_store(hass)
        self._client = entry.runtime_data.client
        self._coordinator = entry.runtime_data.coordinator
        self._health: PushHealth = entry.runtime_data.health
        # The fingerprints of the latest requests.
        self._recent: dict[str, None] = {}
        self._sensor_update: asyncio.TimerHandle | None = None

    @callback
    def async_register(self) -> None:
        """Receive requests until the account is unloaded."""
        _async_register(self._hass, self._entry.title, self._id)
        self._hass.data.setdefault(_RECEIVERS, {})[self._id] = self
        self._entry.async_on_unload(self._async_unregister)
        self._entry.async_on_unload(self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._async_check_url))
        self._async_check_url()

    @callback
    def _async_unregister(self) -> None:
        """Receive no more requests."""
        self._hass.data[_RECEIVERS].pop(self._id, None)
        if self._sensor_update is not None:
            self._sensor_update.cancel()

    @callback
    def _async_check_url(self, event: Event[Any] | None = None) -> None:
        """Create a repair issue if the URL is not the one that was to be entered in OneNET's console."""
        issue_id = f"{ISSUE_PUSH_URL}_{self._entry.entry_id}"
        push = self._entry.options.get(CONF_PUSH, {})
        url = async_push_url(self._hass, push) if push else None
        if url in (None, push.get(CONF_URL)):
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_PUSH_URL,
            translation_placeholders={"account": escape_markdown(self._entry.title), "url": str(url)},
        )

    async def async_handle(self, request: web.Request) -> web.Response:
        """Answer a request."""
        try:
            if request.method == METH_GET:
                return self._answer_url_check(request)
            return await self._async_accept(await self._async_receive(await _async_read(request)))
        except PushRefusedError as err:
            self._count_refusal(err.kind)
            return web.Response(status=err.status)
        except Exception:  # noqa: BLE001 - it is logged
            # Home Assistant would answer 200, and OneNET would not repeat the request.
            LOGGER.exception("A push could not be processed")
            return web.Response(status=500)

    def _answer_url_check(self, request: Any) -> web.Response:
        """Answer the request with which OneNET checks a URL that was entered in its console."""
        # A request through Home Assistant Cloud has another class, with the query as it was sent.
        query = request.query_string if isinstance(request, MockRequest) else request.rel_url.raw_query_string
        answer = self._receiver.answer_url_check(query)
        self._health.url_checked.set()
        push = self._entry.options[CONF_PUSH]
        if (url := async_push_url(self._hass, push)) not in (None, push.get(CONF_URL)):
            options = {**self._entry.options, CONF_PUSH: {**push, CONF_URL: url}}
            self._hass.config_entries.async_update_entry(self._entry, options=options)
            self._async_check_url()
        return web.Response(text=answer)

    async def _async_receive(self, body: bytes) -> Push:
        """Verify and parse a request; raise PushRefusedError."""
        if len(body) <= _PARSED_AT_ONCE:
            return self._receiver.receive(body)
        return await self._hass.async_add_executor_job(self._receiver.receive, body)

    async def _async_accept(self, push: Push) -> web.Response:
        """Save what a request brings, then answer it and publish what has changed."""
        changes = None
        if push.fingerprint in self._recent:
            self._health.counts[DUPLICATES] += 1
        else:
            changes = await self._updater.async_apply(push.events)
            self._recent[push.fingerprint] = None
            if len(self._recent) > _RECENT_MAX:
                del self._recent[next(iter(self._recent))]
            self._health.arrived(self._client.now())
            self._coordinator.async_check_push()
            self._update_sensors()
        done, _ = await asyncio.wait((self._store.async_flush(),), timeout=_SAVE_TIMEOUT)
        is_saved = bool(done) and self._store.can_save
        if changes is not None:
            # After the response was written.
            self._hass.loop.call_soon(self._updater.async_publish, changes)
        if not is_saved:
            self._health.counts[NOT_SAVED] += 1
        # OneNET repeats a request that is not answered with 200.
        return web.Response(status=200 if is_saved else 503)

    def _count_refusal(self, kind: RefusalKind) -> None:
        """Count a refused request, and log the first one of its kind."""
        if not self._health.refused[kind]:
            LOGGER.warning(
                "A push was refused: %s. Further ones are only counted, see the diagnostics", _REFUSALS[kind]
            )
        self._health.refused[kind] += 1
        self._update_sensors()

    def _update_sensors(self) -> None:
        """Update the sensors soon."""
        if self._sensor_update is None:
            self._sensor_update = self._hass.loop.call_later(_SENSOR_PAUSE, self._async_update_sensors)

    @callback
    def _async_update_sensors(self) -> None:
        """Update the sensors."""
        self._sensor_update = None
        async_dispatcher_send(self._hass, SIGNAL_PUSH.format(self._entry.entry_id))


async def _async_read(request: web.Request) -> bytes:
    """Return the body of a request; raise PushRefusedError if it is too large, slow or incomplete."""
    body = bytearray()
    # A request through Home Assistant Cloud returns a new stream for each access.
    stream = request.content
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            while len(body) <= MAX_BODY and (part := await stream.read(MAX_BODY)):
                body += part
    except ClientError, OSError, TimeoutError, web.HTTPException:
        raise PushRefusedError(RefusalKind.MALFORMED) from None
    if len(body) > MAX_BODY:
        raise PushRefusedError(RefusalKind.TOO_LARGE)
    return bytes(body)
