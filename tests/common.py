"""Constants and helpers that several test modules share; fixtures are in conftest.py."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
import contextlib
from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
import shutil
from types import MappingProxyType
from typing import Any

from aiohttp import web
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_API_KEY
from homeassistant.core import Context, Event, HomeAssistant, SupportsResponse
from homeassistant.helpers import device_registry as dr
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_test_home_assistant,
    get_system_health_info,
)

from custom_components.onenet_nbiot import services
from custom_components.onenet_nbiot.commands import Commands
from custom_components.onenet_nbiot.const import (
    CONF_ACCESS_KEY,
    CONF_IMEI,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_RESOURCES,
    DOMAIN,
    EVENT_ONENET,
    SERVICE_OFFLINE_READ,
    SUBENTRY_DEVICE,
)
from custom_components.onenet_nbiot.coordinator import OneNetCoordinator
from custom_components.onenet_nbiot.devices import Devices
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.store import async_get_store
from custom_components.onenet_nbiot.tracker import CommandTracker
from custom_components.onenet_nbiot.validation import ActionSchema

from .emulator import Fault, Server, Switches

KEY = "master-key-of-the-product"
DEVICE_KEY = "key-of-one-device"
PRODUCT_ID = "Pr0duct"
ACCESS_KEY = b64encode(b"access key of the product").decode()
SECRETS = (KEY, ACCESS_KEY, "sign=")
# The data of an account for each platform and kind of key.
ACCOUNTS = {
    "legacy, API key": {CONF_API_KEY: KEY},
    "legacy, access key": {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY, CONF_PLATFORM: "legacy"},
    "current, access key": {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY, CONF_PLATFORM: "current"},
}
# The other possible answers where the documents are ambiguous. A command without a valid_time could never be cancelled
# if it could be cancelled only before its valid_time.
OTHER_SWITCHES = replace(Switches.other(), cancel_before_valid_time=False)
# An account, and the answers of the emulator: each platform, each kind of key, each position of the switches.
VARIANTS = {
    "legacy, API key": (ACCOUNTS["legacy, API key"], Switches()),
    "legacy, access key, other switches": (ACCOUNTS["legacy, access key"], OTHER_SWITCHES),
    "current, access key, other switches": (ACCOUNTS["current, access key"], OTHER_SWITCHES),
    "current, access key": (ACCOUNTS["current, access key"], Switches()),
}
# The variant that --one-account keeps.
LAST_VARIANT = "current, access key"
# For tests that depend on the platform, but not on the kind of key.
EVERY_PLATFORM = ("legacy, API key", "current, access key")
# For tests of what only one platform has.
LEGACY_ONLY = pytest.mark.parametrize("variant", ["legacy, API key"])
CURRENT_ONLY = pytest.mark.parametrize("variant", ["current, access key"])

IMEI = "866971030000001"
OTHER_IMEI = "866971030000002"
EXPIRY: dict[str, Any] = {"expires_in": {"days": 1}}
READ: dict[str, Any] = {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
WRITE: dict[str, Any] = {"imei": IMEI, "obj_id": 3306, "obj_inst_id": 0, "values": [{"res_id": 5850, "value": True}]}
EXECUTE: dict[str, Any] = {"imei": IMEI, "obj_id": 3, "obj_inst_id": 0, "res_id": 4}
OFFLINE_READ: dict[str, Any] = {"imei": IMEI, "obj_id": 3303} | EXPIRY
UNKNOWN_UUID = "42742677-adc3-54ca-83a1-5aaaf71482f8"
# No server listens here.
UNREACHABLE_URL = "http://127.0.0.1:9"
# The schema of each action.
ACTIONS: dict[str, ActionSchema] = {
    name.removesuffix("_SCHEMA").lower(): schema
    for name, schema in vars(services).items()
    if isinstance(schema, ActionSchema)
}
DEVICE_ACTIONS = [action for action, schema in ACTIONS.items() if "imei" in schema.schema]
# Valid fields of each action that sends an operation to a device.
OPERATIONS: dict[str, dict[str, Any]] = {
    "offline_read": OFFLINE_READ,
    "offline_write": WRITE | EXPIRY,
    "offline_execute": EXECUTE | EXPIRY,
    "read": READ,
    "write": WRITE,
    "execute": EXECUTE,
    "observe": READ,
    "discover": {"imei": IMEI, "obj_id": 3303},
}
# Valid fields of each action of a device, without the device.
REQUIRED_FIELDS: dict[str, dict[str, Any]] = {
    action: {name: value for name, value in fields.items() if name != "imei"} for action, fields in OPERATIONS.items()
} | {
    "get_resources": {},
    "get_history": {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700},
    "get_command": {"uuid": UNKNOWN_UUID},
    "list_commands": {},
    "cancel_command": {"uuid": UNKNOWN_UUID},
    "cancel_commands": {},
}


def run_with(variants: Iterable[str]) -> Any:
    """Return a fixture that runs each test that uses an account once with each of these variants.

    A module assigns it to `variant`, in place of the fixture in conftest.py.
    """

    @pytest.fixture(name="variant", params=tuple(variants))
    def variant(request: pytest.FixtureRequest) -> Any:
        return request.param

    return variant


def coordinator_of(account: ConfigEntry[Any]) -> OneNetCoordinator:
    """Return the coordinator of an account that is set up."""
    coordinator: OneNetCoordinator = account.runtime_data.coordinator
    return coordinator


def commands_of(account: ConfigEntry[Any]) -> Commands:
    """Return the commands of an account that is set up."""
    commands: Commands = account.runtime_data.commands
    return commands


def devices_of(account: ConfigEntry[Any]) -> Devices:
    """Return the devices of an account that is set up."""
    devices: Devices = account.runtime_data.devices
    return devices


def client_of(account: ConfigEntry[Any]) -> OneNetClient:
    """Return the client of an account that is set up."""
    client: OneNetClient = account.runtime_data.client
    return client


async def refresh(account: ConfigEntry[Any]) -> None:
    """Poll an account once."""
    await coordinator_of(account).async_refresh()


async def poll_device(account: ConfigEntry[Any], imei: str = IMEI) -> None:
    """Poll the commands of a device; raise OneNetError also for an error about one command."""
    tracker: CommandTracker = account.runtime_data.tracker
    if (failure := (await tracker.async_poll(imei)).failure) is not None:
        raise failure


async def add_device(
    hass: HomeAssistant,
    account: MockConfigEntry,
    *resources: str,
    imei: str = IMEI,
    title: str = "Water meter",
    **settings: Any,
) -> ConfigSubentry:
    """Add a device with the paths of its resources and its settings to an account, and return it."""
    subentry = ConfigSubentry(
        data=MappingProxyType({CONF_IMEI: imei, CONF_RESOURCES: list(resources)} | settings),
        subentry_type=SUBENTRY_DEVICE,
        title=title,
        unique_id=imei,
    )
    hass.config_entries.async_add_subentry(account, subentry)
    await hass.async_block_till_done(wait_background_tasks=True)
    return subentry


async def system_health(hass: HomeAssistant) -> dict[str, Any]:
    """Return the integration's information in the system health."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    return {name: await value if asyncio.iscoroutine(value) else value for name, value in info.items()}


def device_id(hass: HomeAssistant, account: MockConfigEntry, imei: str = IMEI) -> str:
    """Return the Home Assistant id of a device, of the account's own device without an IMEI."""
    key = f"{account.entry_id}_{imei}" if imei else account.entry_id
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, key), account.entry_id)
    assert device
    return device.id


async def act(hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any) -> Any:
    """Call an action without the fields that are None; return its response, if it has one."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        {name: value for name, value in fields.items() if value is not None},
        blocking=True,
        context=context,
        return_response=hass.services.supports_response(DOMAIN, action) is not SupportsResponse.NONE,
    )


async def offline_read(hass: HomeAssistant, context: Context | None = None, **fields: Any) -> Any:
    """Queue a read for the device, and return the response."""
    return await act(hass, SERVICE_OFFLINE_READ, context, **OFFLINE_READ | fields)


async def call_and_leave(hass: HomeAssistant, onenet: Server) -> None:
    """Cancel a call while its request is in flight."""
    call = asyncio.create_task(offline_read(hass))
    await arrival(onenet)
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.005)


async def arrival(onenet: Server) -> None:
    """Wait until a command has arrived at the emulator."""
    while not onenet.requests[-1].path.endswith("/offline"):  # noqa: ASYNC110 - the emulator has no event for it
        await asyncio.sleep(0)


async def pass_time(account: MockConfigEntry, onenet: Server, duration: timedelta) -> None:
    """Advance the clock of the emulator; a reply sets the clock of the client."""
    onenet.onenet.clock.offset += duration
    await client_of(account).check_credentials()


def revoke(onenet: Server) -> None:
    """Change the keys of the product."""
    product = onenet.onenet.products[0]
    product.key, product.access_key = "another", b64encode(b"another").decode()


def queue_elsewhere(onenet: Server, **fields: str) -> dict[str, str]:
    """Queue a read at OneNET that Home Assistant did not send, and return its UUID."""
    query = {"imei": IMEI, "obj_id": "3303", "expired_time": "2030-01-01T00:00:00"} | fields
    return {"uuid": onenet.onenet.queue_read(onenet.onenet.products[0], query).uuid}


def queue_requests(onenet: Server) -> int:
    """Return the number of requests to queue a command."""
    return sum(request.path.endswith("/offline") for request in onenet.requests)


def event_types(events: Sequence[Event[Any]]) -> list[str]:
    """Return the types of events without their prefix."""
    return [event.data["type"].removeprefix("command_") for event in events]


def event_uuids(events: Sequence[Event[Any]]) -> list[tuple[str, str | None]]:
    """Return the type and the UUID of each event."""
    return [(event.data["type"].removeprefix("command_"), event.data.get("uuid")) for event in events]


def saved_commands(hass: HomeAssistant, account: MockConfigEntry) -> list[dict[str, Any]]:
    """Return the commands of an account that are on disk."""
    return [json.loads(row) for _, row in async_get_store(hass).load_commands(account.entry_id)]


def saved_rows(hass: HomeAssistant, account: MockConfigEntry) -> list[Any]:
    """Return the rows of the commands and devices of an account that are on disk."""
    store = async_get_store(hass)
    return [*store.load_commands(account.entry_id), *store.load_devices(account.entry_id)]


def copy_of(config_dir: str) -> Path:
    """Return a configuration directory with a copy of the commands on disk."""
    copy = Path(config_dir, "copy")
    shutil.copytree(Path(config_dir, ".storage"), copy / ".storage")
    return copy


@contextlib.asynccontextmanager
async def start(
    config_dir: Path, account: MockConfigEntry
) -> AsyncIterator[tuple[HomeAssistant, Sequence[Event[Any]]]]:
    """Start another Home Assistant with the same account; yield it and its events."""
    async with async_test_home_assistant(config_dir=str(config_dir)) as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        events = async_capture_events(hass, EVENT_ONENET)
        entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=dict(account.data), entry_id=account.entry_id)
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await poll_device(entry)
        # Another poll must not fire the same events again.
        await poll_device(entry)
        yield hass, events
        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_stop(force=True)


def delay_reply(onenet: Server, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Delay the reply to a request that a fault selects, after it was carried out, until the returned event is set."""
    release = asyncio.Event()

    # Private, since the emulator has no fault that delays a reply after the call was carried out.
    async def answer(request: web.Request, fault: Fault) -> web.Response:
        reply = await onenet._call(request)  # noqa: SLF001
        await release.wait()
        return web.json_response(reply)

    monkeypatch.setattr(onenet, "_spoil", answer)
    return release
