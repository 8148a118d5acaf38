"""What the tests share: the emulator on a real socket, an account on it, and a log that has to stay clean."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
import logging
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant, SupportsResponse
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

# Imported here, so that the harness's own, empty package of this name does not win.
from custom_components.onenet_nbiot import coordinator, manager
from custom_components.onenet_nbiot.const import (
    CONF_ACCESS_KEY,
    CONF_IMEI,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_RESOURCES,
    DOMAIN,
    EVENT_ONENET,
    LOGGER,
    SERVICE_OFFLINE_READ,
    SUBENTRY_DEVICE,
)

from .emulator import Device, OneNet, Product, Server, Switches

KEY = "master-key-of-the-product"
DEVICE_KEY = "key-of-one-device"
PRODUCT_ID = "Pr0duct"
ACCESS_KEY = b64encode(b"access key of the product").decode()
SECRETS = (KEY, ACCESS_KEY, "sign=")
# The platforms and the kinds of keys that there are, as the data of an account.
ACCOUNTS = {
    "legacy, API key": {CONF_API_KEY: KEY},
    "legacy, access key": {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY, CONF_PLATFORM: "legacy"},
    "current, access key": {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY, CONF_PLATFORM: "current"},
}


# Where the documents are open, OneNET may answer in another way. A command that can be cancelled only before its
# valid_time could never be cancelled without one.
OTHER_SWITCHES = replace(Switches.other(), cancel_before_valid_time=False)
# The accounts that the suites about commands run with: each platform, each kind of key, each position of the switches.
VARIANTS = {
    "legacy, API key": (ACCOUNTS["legacy, API key"], Switches()),
    "legacy, access key, other switches": (ACCOUNTS["legacy, access key"], OTHER_SWITCHES),
    "current, access key, other switches": (ACCOUNTS["current, access key"], OTHER_SWITCHES),
    "current, access key": (ACCOUNTS["current, access key"], Switches()),
}

# For a test of what only one platform has.
LEGACY_ONLY = pytest.mark.parametrize("account_data", [ACCOUNTS["legacy, API key"]], ids=["legacy, API key"])

# For a test in which it matters what a platform has, and not with which kind of key.
EVERY_PLATFORM = ("legacy, API key", "current, access key")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run that is about Home Assistant, not about OneNET, take less time."""
    parser.addoption("--one-account", action="store_true", help="run with one kind of account where there are several")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module with every kind of account, or with those that it names."""
    kinds = getattr(metafunc.module, "WITH_ACCOUNTS", VARIANTS if hasattr(metafunc.module, "EVERY_ACCOUNT") else ())
    if (
        "account_data" in metafunc.fixturenames
        and kinds
        and not any("account_data" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    ):
        kinds = list(kinds)[-1:] if metafunc.config.getoption("one_account") else kinds
        metafunc.parametrize(("account_data", "switches"), [VARIANTS[kind] for kind in kinds], ids=kinds)


IMEI = "866971030000001"
READ: dict[str, Any] = {"imei": IMEI, "obj_id": 3303, "expires_in": {"days": 1}}


@pytest.fixture(autouse=True)
def _custom_integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration."""


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration directory of the test's own: commands are kept in it."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody pause, which takes time, or for ever where time stands still."""
    monkeypatch.setattr(manager, "LOST_PAUSE", 0)
    monkeypatch.setattr(coordinator, "PAUSE", 0)
    monkeypatch.setattr(coordinator, "COMMAND_PAUSE", 0)


@pytest.fixture
def expected_warnings() -> list[str]:
    """Return the beginnings of the warnings and errors that a test provokes."""
    return []


@pytest.fixture(autouse=True)
def _clean_log(caplog: pytest.LogCaptureFixture, expected_warnings: list[str]) -> Iterator[None]:
    """Fail a test on every warning or error in the log that it does not expect."""
    yield
    # A machine that has more to do is slow, and asyncio says so.
    expected = ("We found a custom integration onenet_nbiot", "Executing <", *expected_warnings)
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [
        record.getMessage()
        for record in records
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(expected)
    ] == []


@pytest.fixture(autouse=True)
def _no_key_in_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that brings a key into the log, at whatever level of the integration's."""
    caplog.set_level(logging.DEBUG, LOGGER.name)
    yield
    for phase in ("setup", "call"):
        lines = [caplog.handler.format(record) for record in caplog.get_records(phase)]
        assert not [line for line in lines if any(secret in line for secret in SECRETS)]


@pytest.fixture
def switches() -> Switches:
    """Return how OneNET answers where the documents are open."""
    return Switches()


@pytest.fixture
async def onenet(socket_enabled: None, switches: Switches) -> AsyncIterator[Server]:
    """Return an emulator that listens on a real socket."""
    product = Product(id=PRODUCT_ID, key=KEY, access_key=ACCESS_KEY, device_keys=frozenset({DEVICE_KEY}))
    server = await Server(OneNet(product, switches=switches)).start()
    # The tests send faster than OneNET takes commands for one device.
    server.onenet.command_interval = 0
    yield server
    await server.stop()


@pytest.fixture
def device(onenet: Server) -> Device:
    """Return a device that sleeps."""
    return onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel"})


@pytest.fixture
def account_data() -> dict[str, str]:
    """Return the data of an account, but for where the platform is."""
    return ACCOUNTS["legacy, API key"]


@pytest.fixture
def entry(hass: HomeAssistant, onenet: Server, account_data: dict[str, str]) -> MockConfigEntry:
    """Return an account on the emulator that is not set up yet."""
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=account_data | {CONF_URL: onenet.url})
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def account(hass: HomeAssistant, entry: MockConfigEntry, device: Device) -> MockConfigEntry:
    """Return an account with one device that is set up."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
def events(hass: HomeAssistant) -> list[Event]:
    """Return the list in which the integration's events arrive."""
    return async_capture_events(hass, EVENT_ONENET)


async def add_device(
    hass: HomeAssistant, account: MockConfigEntry, *resources: str, imei: str = IMEI, title: str = "Water meter"
) -> ConfigSubentry:
    """Add a device to an account, with the paths of the resources that are shown, and return it."""
    subentry = ConfigSubentry(
        data=MappingProxyType({CONF_IMEI: imei, CONF_RESOURCES: list(resources)}),
        subentry_type=SUBENTRY_DEVICE,
        title=title,
        unique_id=imei,
    )
    hass.config_entries.async_add_subentry(account, subentry)
    await hass.async_block_till_done(wait_background_tasks=True)
    return subentry


def revoke(onenet: Server) -> None:
    """Give a product other keys."""
    product = onenet.onenet.products[0]
    product.key, product.access_key = "another", b64encode(b"another").decode()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - nothing rings a bell
        await asyncio.sleep(0.005)


async def act(hass: HomeAssistant, action: str, context: Context | None = None, **fields: Any) -> Any:
    """Call an action and return its response, if it has one; a field that is None is left out."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        {name: value for name, value in fields.items() if value is not None},
        blocking=True,
        context=context,
        return_response=hass.services.supports_response(DOMAIN, action) is not SupportsResponse.NONE,
    )


async def offline_read(hass: HomeAssistant, context: Context | None = None, **fields: Any) -> Any:
    """Queue a read for a device that exists, and return the response."""
    return await act(hass, SERVICE_OFFLINE_READ, context, **READ | fields)
