"""Fixtures of the tests: the emulator on a real socket, an account on it, and checks of the log."""

from collections.abc import AsyncIterator, Iterator
import logging
from pathlib import Path
from unittest.mock import patch

from homeassistant.const import CONF_URL
from homeassistant.core import Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

# Imported before the harness, which has an empty package of the same name.
from custom_components.onenet_nbiot import active_polls, coordinator, history, manager
from custom_components.onenet_nbiot.const import (
    DOMAIN,
    EVENT_ONENET,
    LOGGER,
)

from .common import ACCESS_KEY, DEVICE_KEY, IMEI, KEY, LAST_VARIANT, PRODUCT_ID, SECRETS, VARIANTS
from .emulator import Device, OneNet, Product, Server, Switches


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs the tests with one kind of account."""
    parser.addoption("--one-account", action="store_true", help="run with one kind of account where there are several")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --one-account, keep one variant of each test, unless the test itself names its variants."""
    if not config.getoption("one_account"):
        return
    kept: list[pytest.Item] = []
    deselected: list[pytest.Item] = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        variant = callspec.params.get("variant", LAST_VARIANT) if callspec else LAST_VARIANT
        is_named = any("variant" in mark.args[0] for mark in item.iter_markers("parametrize"))
        (kept if is_named or variant == LAST_VARIANT else deselected).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=deselected)


@pytest.fixture(autouse=True)
def _custom_integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant load the integration."""


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration directory for this test, since commands are stored in it."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all pauses, which take time, and never end if the clock is stopped."""
    monkeypatch.setattr(manager, "LOST_PAUSE", 0)
    monkeypatch.setattr(coordinator, "PAUSE", 0)
    monkeypatch.setattr(active_polls, "PAUSE", 0)
    monkeypatch.setattr(coordinator, "COMMAND_PAUSE", 0)
    monkeypatch.setattr(history, "PAUSE", 0)


@pytest.fixture
def expected_warnings() -> list[str]:
    """Return the beginnings of the warnings and errors that a test provokes; a test extends the list."""
    return []


@pytest.fixture(autouse=True)
def _clean_log(caplog: pytest.LogCaptureFixture, expected_warnings: list[str]) -> Iterator[None]:
    """Fail a test on every warning or error in the log that it does not expect."""
    yield
    # asyncio logs slow callbacks on a busy machine, and aiohttp a missing package that only compresses faster.
    expected = ("We found a custom integration onenet_nbiot", "Executing <", "zlib_ng and isal", *expected_warnings)
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [
        record.getMessage()
        for record in records
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(expected)
    ] == []


@pytest.fixture(autouse=True)
def _no_key_in_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test whose log has a key, at every level of the integration's logger."""
    caplog.set_level(logging.DEBUG, LOGGER.name)
    yield
    for phase in ("setup", "call"):
        lines = [caplog.handler.format(record) for record in caplog.get_records(phase)]
        assert not [line for line in lines if any(secret in line for secret in SECRETS)]


@pytest.fixture
def variant() -> str:
    """Return the name of the kind of account; a module overrides it with run_with, a test with a parameter."""
    return "legacy, API key"


@pytest.fixture
def account_data(variant: str) -> dict[str, str]:
    """Return the data of an account, without the address of the platform."""
    return VARIANTS[variant][0]


@pytest.fixture
def switches(variant: str) -> Switches:
    """Return the emulator's answers where the documents are ambiguous."""
    return VARIANTS[variant][1]


@pytest.fixture
async def onenet(socket_enabled: None, switches: Switches) -> AsyncIterator[Server]:
    """Return an emulator that listens on a real socket."""
    product = Product(id=PRODUCT_ID, key=KEY, access_key=ACCESS_KEY, device_keys=frozenset({DEVICE_KEY}))
    server = await Server(OneNet(product, switches=switches)).start()
    # The tests send faster than OneNET accepts commands for one device.
    server.onenet.command_interval = 0
    yield server
    await server.stop()


@pytest.fixture
def device(onenet: Server) -> Device:
    """Return a sleeping device."""
    return onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel"})


@pytest.fixture
def entry(hass: HomeAssistant, onenet: Server, account_data: dict[str, str]) -> MockConfigEntry:
    """Return an account on the emulator that is not loaded."""
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=account_data | {CONF_URL: onenet.url})
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def account(hass: HomeAssistant, entry: MockConfigEntry, device: Device) -> MockConfigEntry:
    """Return a loaded account with one device at OneNET."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
def entity_registry_enabled_by_default() -> Iterator[None]:
    """Enable all entities."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", new=True):
        yield


@pytest.fixture
def events(hass: HomeAssistant) -> list[Event]:
    """Return the list that collects the events of the integration."""
    return async_capture_events(hass, EVENT_ONENET)
