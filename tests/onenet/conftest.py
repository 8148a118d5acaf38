"""Fixtures for the tests of the API client, which do not use Home Assistant."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from custom_components.onenet_nbiot.onenet.auth import ApiKey
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from tests.common import KEY
from tests.emulator import Server


@pytest.fixture(autouse=True)
def _custom_integration() -> None:
    """Do not load the integration."""


@pytest.fixture
async def session(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session with aiohttp's defaults."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(session: aiohttp.ClientSession, onenet: Server) -> OneNetClient:
    """Return a client with a valid key."""
    return OneNetClient(session, ApiKey(KEY), base_url=onenet.url, pause=0)
