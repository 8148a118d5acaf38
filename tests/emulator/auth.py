"""Authorization: the products that a key or a token gives access to."""

import base64
from collections.abc import Mapping
import hmac
import re
from urllib.parse import unquote

from .generation import Generation
from .platform import OneNet, Product
from .refusals import RefusalError, not_authorized

_VERSIONS = {Generation.LEGACY: ("2018-10-31",), Generation.CURRENT: ("2018-10-31", "2022-05-01")}
_METHODS = ("md5", "sha1", "sha256")
# Characters that have to be encoded in a token.
_RESERVED = re.compile(r"[+ /?#&=]")


def authorize(onenet: OneNet, headers: Mapping[str, str], generation: Generation) -> list[Product]:
    """Return the products that a request's headers give access to."""
    key, token = headers.get("api-key"), headers.get("Authorization")
    if generation is Generation.LEGACY and key is not None:
        return [onenet.product(key)]
    if not token:
        raise RefusalError(3, "token authentication failed: authentication", 10403, "authorization must not be empty")
    return _signer(onenet, token, generation)


def _signer(onenet: OneNet, text: str, generation: Generation) -> list[Product]:
    """Return the products of the product or user that signed a token."""
    token = _parse(text)
    if token.get("version") not in _VERSIONS[generation]:
        raise not_authorized()
    if int(token["et"]) <= onenet.clock.now().timestamp():
        raise RefusalError(3, "auth failed", 10403, "this request has expired")
    signed = "\n".join(token[name] for name in ("et", "method", "res", "version")).encode()
    for resource, key, products in _signers(onenet):
        signature = base64.b64encode(hmac.digest(base64.b64decode(key), signed, token["method"])).decode()
        if (token["res"], token["sign"]) == (resource, signature):
            return products
    raise not_authorized()


def _signers(onenet: OneNet) -> list[tuple[str, str, list[Product]]]:
    """Return the resources that a token may name, each with its key and its products."""
    products = [(f"products/{product.id}", product.access_key, [product]) for product in onenet.products]
    return [*products, (f"userid/{onenet.user_id}", onenet.user_key, onenet.products)]


def _parse(token: str) -> dict[str, str]:
    """Return the values of a well-formed token, or nothing."""
    pairs = [pair.partition("=") for pair in token.split("&")]
    values = {name: unquote(value) for name, _, value in pairs}
    if (
        sorted(name for name, _, _ in pairs) != ["et", "method", "res", "sign", "version"]
        or any(_RESERVED.search(value) for _, _, value in pairs)
        or values["method"] not in _METHODS
        or not re.fullmatch(r"\d{1,12}", values["et"], re.ASCII)
    ):
        return {}
    return values
