"""The webhook that OneNET's HTTP push calls: verify a request, save what it brings, answer, then publish it."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

from aiohttp import ClientError, web
from aiohttp.hdrs import METH_GET, METH_POST
from homeassistant.components import webhook
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.aiohttp import MockRequest
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.signal_type import SignalTypeFormat

from .const import CONF_CLOUDHOOK, CONF_ENCRYPTION_KEY, CONF_PUSH, DOMAIN, ISSUE_PUSH_URL, LOGGER
from .coordinator import OneNetConfigEntry
from .exceptions import escape_markdown
from .onenet.push import MAX_BODY, Push, PushReceiver, PushRefusedError, RefusalKind
from .push_health import DUPLICATES, NOT_SAVED, PushHealth
from .push_updates import PushUpdater
from .push_url import async_listen_cloud, async_listen_cloudhook, async_push_url
from .store import async_get_store

# The time of the last push, or the number of refused requests, has changed.
SIGNAL_PUSH: SignalTypeFormat[()] = SignalTypeFormat(f"{DOMAIN}_push_{{}}")
# Seconds within which a request has to be complete: OneNET itself gives up after this time.
_READ_TIMEOUT = 5
# Seconds for saving: a request is answered within a second.
_SAVE_TIMEOUT = 0.8
# A larger body is parsed in a thread so as not to block the event loop, and only so many are read at a time: anyone
# may send them, and their signature can only be verified when they are complete.
_PARSED_AT_ONCE = 2**14
_LARGE_AT_ONCE = 4
_LARGE_TIMEOUT = 1
_CHUNK = 2**16
# Seconds between two updates of the sensors: requests may arrive by the thousand.
_SENSOR_PAUSE = 5
_REFUSALS = {
    RefusalKind.BAD_SIGNATURE: "its signature does not match the token in the options",
    RefusalKind.MALFORMED: "it is not in OneNET's format, or incomplete",
    RefusalKind.TOO_LARGE: "it is too large",
    RefusalKind.NOT_DECRYPTED: "it cannot be decrypted with the encryption key in the options",
}

# The receivers of loaded accounts, by the id of their webhook.
_RECEIVERS: HassKey[dict[str, PushWebhook]] = HassKey(f"{DOMAIN}_push_receivers")


@callback
def async_register_webhooks(hass: HomeAssistant) -> None:
    """Register the webhooks of all accounts with push; they stay registered until push is turned off.

    Home Assistant answers requests for unknown webhooks with 200, after which OneNET does not repeat them.
    """
    for entry in hass.config_entries.async_entries(DOMAIN):
        if (webhook_id := entry.options.get(CONF_PUSH, {}).get(CONF_WEBHOOK_ID)) is not None:
            _async_register(hass, entry.title, webhook_id)


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


@callback
def async_create_push_webhook(hass: HomeAssistant, entry: OneNetConfigEntry) -> PushWebhook | None:
    """Return the webhook of an account, None if its push is off or its options are damaged."""
    if CONF_PUSH not in entry.options:
        return None
    try:
        return PushWebhook(hass, entry)
    except KeyError, ValueError:
        LOGGER.error("The push of %s is off: its options are damaged. Turn it off and on again", entry.title)
        return None


class PushWebhook:
    """Receive the requests of OneNET's HTTP push for an account."""

    def __init__(self, hass: HomeAssistant, entry: OneNetConfigEntry) -> None:
        """Create a webhook for an account; raise KeyError or ValueError if its options are damaged."""
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
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._sensor_update: asyncio.TimerHandle | None = None

    @callback
    def async_register(self) -> None:
        """Receive requests until the account is unloaded."""
        _async_register(self._hass, self._entry.title, self._id)
        self._hass.data.setdefault(_RECEIVERS, {})[self._id] = self
        self._entry.async_on_unload(self._async_unregister)
        self._entry.async_on_unload(self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._async_check_url))
        self._entry.async_on_unload(async_listen_cloud(self._hass, self._async_check_url))
        self._entry.async_on_unload(async_listen_cloudhook(self._hass, self._id, self._async_cloudhook_changed))
        self._health.ready(self._client.now())
        self._async_check_url()

    @property
    def _is_registered(self) -> bool:
        """Return whether requests are received."""
        return self._hass.data[_RECEIVERS].get(self._id) is self

    @callback
    def _async_unregister(self) -> None:
        """Receive no more requests."""
        self._hass.data[_RECEIVERS].pop(self._id, None)
        if self._sensor_update is not None:
            self._sensor_update.cancel()

    @callback
    def _async_check_url(self, change: Any = None) -> None:
        """Create a repair issue if the URL is not the one that was to be entered in OneNET's console."""
        issue_id = f"{ISSUE_PUSH_URL}_{self._entry.entry_id}"
        push = self._entry.options.get(CONF_PUSH, {})
        if not push or async_push_url(self._hass, push) == push.get(CONF_URL):
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_PUSH_URL,
            translation_placeholders={"account": escape_markdown(self._entry.title)},
        )

    @callback
    def _async_cloudhook_changed(self, cloudhook: Any) -> None:
        """Use the external URL after the webhook in Home Assistant Cloud was deleted."""
        push = self._entry.options.get(CONF_PUSH, {})
        if not cloudhook and CONF_CLOUDHOOK in push:
            push = {name: value for name, value in push.items() if name != CONF_CLOUDHOOK}
            options = {**self._entry.options, CONF_PUSH: push}
            self._hass.config_entries.async_update_entry(self._entry, options=options)
        self._async_check_url()

    async def async_handle(self, request: web.Request) -> web.Response:
        """Answer a request."""
        try:
            if request.method == METH_GET:
                return self._answer_url_check(request)
            push = await self._async_receive(request)
            # The push may have been turned off meanwhile.
            return await self._async_accept(push) if self._is_registered else web.Response(status=503)
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
        check = self._receiver.check_url(query)
        answer = web.Response(text=check.answer)
        if self._health.is_duplicate(check.fingerprint):
            # A repeated request proves nothing: a signature is valid forever.
            return answer
        self._health.received(check.fingerprint)
        self._health.async_url_checked()
        push = self._entry.options[CONF_PUSH]
        if (url := async_push_url(self._hass, push)) not in (None, push.get(CONF_URL)):
            options = {**self._entry.options, CONF_PUSH: {**push, CONF_URL: url}}
            self._hass.config_entries.async_update_entry(self._entry, options=options)
            self._async_check_url()
        return answer

    async def _async_receive(self, request: web.Request) -> Push:
        """Read, verify and parse a request; raise PushRefusedError."""
        # A request through Home Assistant Cloud returns a new stream for each access.
        body, stream = bytearray(), request.content
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_READ_TIMEOUT):
                    await _async_read(stream, body, _PARSED_AT_ONCE)
                    if len(body) > _PARSED_AT_ONCE:
                        await stack.enter_async_context(self._large)
                        async with asyncio.timeout(_LARGE_TIMEOUT):
                            await _async_read(stream, body, MAX_BODY)
            except ClientError, OSError, TimeoutError, web.HTTPException, web.RequestPayloadError:
                raise PushRefusedError(RefusalKind.MALFORMED) from None
            if len(body) <= _PARSED_AT_ONCE:
                return self._receiver.receive(bytes(body))
            return await self._hass.async_add_executor_job(self._receiver.receive, bytes(body))

    async def _async_accept(self, push: Push) -> web.Response:
        """Save what a request brings, then answer it and publish what has changed."""
        changes, is_refused = None, False
        if self._health.is_duplicate(push.fingerprint):
            self._health.counts[DUPLICATES] += 1
        else:
            changes = await self._updater.async_apply(push.events)
            # Automations are not ready for events that are not saved: OneNET has to repeat the request.
            is_refused = bool(changes.others) and self._hass.state is not CoreState.running
            if not is_refused:
                # Not before: a duplicate that arrives meanwhile must not be answered earlier.
                self._health.received(push.fingerprint)
            now = self._client.now()
            # A repeated outcome does not finish a command.
            self._health.async_arrived(now, now if changes.states else changes.newest)
            if self._coordinator.push is not None:
                self._coordinator.push.async_check()
            self._update_sensors()
        try:
            done, _ = await asyncio.wait((self._store.async_flush(),), timeout=_SAVE_TIMEOUT)
        finally:
            if changes is not None:
                # After the response was written.
                self._hass.loop.call_soon(self._updater.async_publish, changes)
        is_saved = bool(done) and self._store.can_save
        if not is_saved:
            self._health.counts[NOT_SAVED] += 1
        # OneNET repeats a request that is not answered with 200.
        return web.Response(status=200 if is_saved and not is_refused else 503)

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
        if self._sensor_update is None and self._is_registered:
            self._sensor_update = self._hass.loop.call_later(_SENSOR_PAUSE, self._async_update_sensors)

    @callback
    def _async_update_sensors(self) -> None:
        """Update the sensors."""
        self._sensor_update = None
        async_dispatcher_send(self._hass, SIGNAL_PUSH.format(self._entry.entry_id))


async def _async_read(stream: Any, body: bytearray, limit: int) -> None:
    """Read a request until its end, or beyond a limit."""
    while len(body) <= limit and (part := await stream.read(_CHUNK)):
        body += part
