"""What proves to OneNET who is calling."""

from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
import hmac
import re
from typing import override
from urllib.parse import quote, unquote

# Seconds: a token is signed for so long, and anew with every minute.
_LIFETIME = 600
_MINUTE = 60
_METHOD = "sha256"


class Credentials(ABC):
    """Prove an account, without showing its secret in any representation."""

    @abstractmethod
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return the headers of a request that is sent at this time of the platform's."""


@dataclass(frozen=True, slots=True)
class ApiKey(Credentials):
    """Prove a product with its master key, which the legacy platform accepts. Source: "API authentication"."""

    key: str = field(repr=False)

    @override
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return the key as it is."""
        return {"api-key": self.key}


@dataclass(frozen=True, slots=True)
class AccessKey(Credentials):
    """Prove a product, or a user, with tokens that are signed with an access key, which itself is never sent.

    `resource` is `products/{product id}`, or on the current platform also `userid/{user id}`; `key` is base64.
    Source: "API authentication".
    """

    resource: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a key that is not base64."""
        if not b64decode(self.key, validate=True):
            raise ValueError("The access key is empty")

    @override
    def headers(self, authorization_version: str, now: datetime) -> dict[str, str]:
        """Return a token that is valid for the next 9 to 10 minutes, the same one throughout a minute."""
        return {
            "Authorization": self.token(authorization_version, int(now.timestamp()) // _MINUTE * _MINUTE + _LIFETIME)
        }

    def token(self, version: str, expires_at: int) -> str:
        """Return a token of this version that is valid until then, in Unix seconds."""
        text = "\n".join((str(expires_at), _METHOD, self.resource, version))
        sign = b64encode(hmac.digest(b64decode(self.key), text.encode(), _METHOD)).decode()
        fields = {"version": version, "res": self.resource, "et": str(expires_at), "method": _METHOD, "sign": sign}
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


def redact(text: str, headers: Mapping[str, str]) -> str:
    """Return a text without the secrets of these headers, in any form in which a server may have repeated them."""
    for value in headers.values():
        # Of a token, the signature alone is enough to be misused; of a key, only the whole is secret.
        for secret in (value, value.rpartition("sign=")[2]):
            for plain in (secret, unquote(secret)):
                encoded = quote(plain, safe="")
                # In a URL, case does not matter to the digits of an encoded character.
                for form in (plain, encoded, re.sub("%..", lambda digits: digits[0].lower(), encoded)):
                    text = text.replace(form, "***")
    return text
