"""The generations of OneNET's API: where each is, who it lets in, and how it wraps a reply."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from typing import Any, Final

from .errors import UnexpectedReplyError, platform_error


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Describe one generation of the API.

    `regions` are its public base URLs by a stable lowercase word, the usual one first. `lists_devices` is whether
    there are calls to list devices, their presence and their datapoints.
    """

    name: str
    regions: Mapping[str, str] = field(hash=False)
    nbiot_prefix: str
    error_number: str
    error_text: str
    authorization_version: str
    lists_devices: bool

    @property
    def base_url(self) -> str:
        """Return the usual base URL."""
        return next(iter(self.regions.values()))

    def unwrap(self, body: bytes, *, idempotent: bool) -> Any:
        """Return the `data` of a reply, None where it has none.

        Raise what platform_error returns when the reply says that the call failed, UnexpectedReplyError when the body
        is not a reply of this platform. Source: "API return status codes".
        """
        try:
            reply = json.loads(body.decode())
            errno = int(str(reply[self.error_number]))
        except (ValueError, TypeError, LookupError, RecursionError) as err:
            raise UnexpectedReplyError("The reply is not in OneNET's format") from err
        if errno:
            raise platform_error(errno, str(reply.get(self.error_text) or "no text"), idempotent=idempotent)
        return reply.get("data")


LEGACY: Final = Platform(
    name="legacy",
    regions={"china": "https://api.heclouds.com", "hong_kong": "https://api.onenet.hk.chinamobile.com"},
    nbiot_prefix="/nbiot",
    error_number="errno",
    error_text="error",
    authorization_version="2018-10-31",
    lists_devices=True,
)
CURRENT: Final = Platform(
    name="current",
    regions={"china": "https://iot-api.heclouds.com"},
    nbiot_prefix="/nb-iot",
    error_number="code",
    error_text="msg",
    authorization_version="2022-05-01",
    lists_devices=False,
)
# The one first that takes whoever registers today.
PLATFORMS: Final = {platform.name: platform for platform in (CURRENT, LEGACY)}
