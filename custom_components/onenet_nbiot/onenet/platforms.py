"""The generations of OneNET's API: where each is, and how it wraps a reply."""

from dataclasses import dataclass
import json
from typing import Any, Final

from .errors import UnexpectedReplyError, platform_error

CHINA: Final = "https://api.heclouds.com"
HONG_KONG: Final = "https://api.onenet.hk.chinamobile.com"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Describe one generation of the API."""

    base_url: str
    nbiot_prefix: str
    error_number: str
    error_text: str

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


LEGACY: Final = Platform(base_url=CHINA, nbiot_prefix="/nbiot", error_number="errno", error_text="error")
