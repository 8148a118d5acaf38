"""An asyncio client for OneNET's NB-IoT API. It requires aiohttp, and does not import Home Assistant."""

from .auth import AccessKey, ApiKey, Credentials
from .client import OneNetClient
from .errors import OneNetError
from .operations import (
    CachedCommand,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    Trigger,
    ValueType,
    Write,
    WriteMode,
    WrittenValue,
)
from .platforms import CURRENT, LEGACY, PLATFORMS, Platform

__all__ = [
    "CURRENT",
    "LEGACY",
    "PLATFORMS",
    "AccessKey",
    "ApiKey",
    "CachedCommand",
    "Credentials",
    "Discover",
    "Execute",
    "Observe",
    "OneNetClient",
    "OneNetError",
    "Operation",
    "Platform",
    "Read",
    "Trigger",
    "ValueType",
    "Write",
    "WriteMode",
    "WrittenValue",
]
