"""Credentials for OneNET, and their authorization headers."""

from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
import hmac
import re
from typing import override
from urllib.parse import quote, unquote

from . import clock

# Seconds until a token expires. The expiry is rounded to the minute, so that requests in the same minute share a token.
_LIFETIME = 600
_MINUTE = 60
_METHOD = "sha256"


class Credentials(ABC):
    """Create the authorization headers of requests; the representation contains no secret."""

    @abstractmethod
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return the headers of a request that is sent at `now` in the platform's time."""


@dataclass(frozen=True, slots=True)
class ApiKey(Credentials):
    """Authorize with the master key of a product, on the legacy platform. Source: "API authentication"."""

    key: str = field(repr=False)

    @override
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return the key in a header."""
        return {"api-key": self.key}


@dataclass(frozen=True, slots=True)
class AccessKey(Credentials):
    """Authorize with tokens signed with the access key of a product or a user; the key itself is never sent.

    `resource` is `products/{product id}`, or `userid/{user id}` on the current platform; `key` is base64. Source: "API
    authentication".
    """

    resource: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError if the key is empty or not base64."""
        if not b64decode(self.key, validate=True):
            raise ValueError("The access key is empty")

    @override
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return a token in a header; it is valid for 9 to 10 minutes, and equal within one minute."""
        return {"Authorization": self.token(authorization_version, clock.to_unix(now) // _MINUTE * _MINUTE + _LIFETIME)}

    def token(self, version: str, expires_at: int) -> str:
        """Return a signed token; `version` is the authorization version, `expires_at` is in Unix seconds."""
        text = "\n".join((str(expires_at), _METHOD, self.resource, version))
        sign = b64encode(hmac.digest(b64decode(self.key), text.encode(), _METHOD)).decode()
        fields = {"version": version, "res": self.resource, "et": str(expires_at), "method": _METHOD, "sign": sign}
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


def redact(text: str, headers: Mapping[str, str]) -> str:
    """Replace the secrets of authorization headers in a text by `***`, whether or not they are percent-encoded."""
    for value in headers.values():
        # A token is redacted as a whole and by its signature, with which the token could be rebuilt.
        for secret in (value, value.rpartition("sign=")[2]):
            for plain in (secret, unquote(secret)):
                encoded = quote(plain, safe="")
                # The hexadecimal digits of a percent-encoded character may be lowercase.
                for form in (plain, encoded, re.sub("%..", lambda digits: digits[0].lower(), encoded)):
                    text = text.replace(form, "***")
    return text
