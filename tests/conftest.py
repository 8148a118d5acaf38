"""What the tests share: the emulator on a real socket, an account on it, and a log that has to stay clean."""

from collections.abc import AsyncIterator, Iterator
import logging
from pathlib import Path
from typing import Any

from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import Context, Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

# Imported here, so that the harness's own, empty package of this name does not win.
from custom_components.onenet_nbiot import coordinator, ledger
from custom_components.onenet_nbiot.const import DOMAIN, EVENT_ONENET, SERVICE_OFFLINE_READ

from .emulator import Device, OneNet, Product, Server

KEY = "master-key-of-the-product"
DEVICE_KEY = "key-of-one-device"
IMEI = "866971030000001"


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
    monkeypatch.setattr(ledger, "LOST_PAUSE", 0)
    monkeypatch.setattr(coordinator, "PAUSE", 0)


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
    """Fail a test that brings a key into the log, at whatever level."""
    yield
    for phase in ("setup", "call"):
        assert not [record for record in caplog.get_records(phase) if KEY in caplog.handler.format(record)]


@pytest.fixture
async def onenet(socket_enabled: None) -> AsyncIterator[Server]:
    """Return an emulator that listens on a real socket."""
    server = await Server(OneNet(Product(key=KEY, device_keys=frozenset({DEVICE_KEY})))).start()
    yield server
    await server.stop()


@pytest.fixture
def device(onenet: Server) -> Device:
    """Return a device that sleeps."""
    return onenet.onenet.products[0].add(IMEI, "Water meter", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel"})


@pytest.fixture
def entry(hass: HomeAssistant, onenet: Server) -> MockConfigEntry:
    """Return an account on the emulator that is not set up yet."""
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data={CONF_API_KEY: KEY, CONF_URL: onenet.url})
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


async def offline_read(hass: HomeAssistant, context: Context | None = None, **fields: Any) -> Any:
    """Call the action for a device that exists, and return its response; a field that is None is left out."""
    fields = {"imei": IMEI, "obj_id": 3303, "expires_in": {"days": 1}} | fields
    return await hass.services.async_call(
        DOMAIN,
        SERVICE_OFFLINE_READ,
        {name: value for name, value in fields.items() if value is not None},
        blocking=True,
        context=context,
        return_response=True,
    )
