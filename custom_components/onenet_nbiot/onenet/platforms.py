"""The two platforms of OneNET's API: their URLs, calls and parameters, and the envelope of their replies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
import json
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from .errors import UnexpectedReplyError
from .parsing import parse_bool, parse_int, parse_text

# The longest URL in bytes. Common servers accept request lines of 8 KB.
URL_MAX: Final = 6000
# Members that contain the text of an error; the names differ between calls and platforms.
_TEXTS = ("error", "msg", "message", "errmsg")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Describe one platform of the API.

    `regions` are the public base URLs by name, a stable lowercase word; the first is the default. `credentials_paths`
    are calls that name no device, for checking credentials; the first that exists is used. `requires_product_id` is
    whether calls outside of the NB-IoT prefix have a product id. `statuses_path` is None if only the list of devices
    contains presence. `keys_parameter` is the parameter of the keys of devices, `key` the member that contains the key
    in the reply. In `history_path`, `{id}` is replaced by the key, unless the key is a parameter. `pushes_outcomes` is
    whether the HTTP push contains the outcomes of commands, `push_status_path` returns whether the push is active.
    """

    name: str
    regions: Mapping[str, str] = field(hash=False)
    nbiot_prefix: str
    authorization_version: str
    credentials_paths: tuple[str, ...]
    requires_product_id: bool
    devices_path: str
    device_path: str
    statuses_path: str | None
    newest_path: str
    key: str
    keys_parameter: str
    keys_max: int
    history_path: str
    pushes_outcomes: bool
    push_status_path: str | None

    @property
    def base_url(self) -> str:
        """Return the default base URL."""
        return next(iter(self.regions.values()))

    def page_query(self, page: int, per_page: int) -> dict[str, str | float]:
        """Return the parameters for a page of the list of devices; `page` starts at 1."""
        if self.requires_product_id:
            return {"offset": (page - 1) * per_page, "limit": per_page}
        return {"page": page, "per_page": per_page}

    def batches(self, keys: Iterable[str]) -> Iterator[list[str]]:
        """Yield the keys of devices in batches, limited by `keys_max` and by the length of the URL."""
        batch: list[str] = []
        length = 0
        for key in keys:
            size = len(quote(key, safe="")) + len(",")
            if batch and (len(batch) == self.keys_max or length + size > URL_MAX - _OTHER_PARAMETERS):
                yield batch
                batch, length = [], 0
            batch.append(key)
            length += size
        if batch:
            yield batch


# Bytes for the base URL, the path and the other parameters.
_OTHER_PARAMETERS = 500

LEGACY: Final = Platform(
    name="legacy",
    regions={"china": "https://api.heclouds.com", "hong_kong": "https://api.onenet.hk.chinamobile.com"},
    nbiot_prefix="/nbiot",
    authorization_version="2018-10-31",
    credentials_paths=("/devices",),
    requires_product_id=False,
    devices_path="/devices",
    device_path="/devices/getbyimei",
    statuses_path="/devices/status",
    newest_path="/devices/datapoints",
    key="id",
    keys_parameter="devIds",
    keys_max=500,
    history_path="/devices/{id}/datapoints",
    pushes_outcomes=True,
    push_status_path="/third/platform/status",
)
CURRENT: Final = Platform(
    name="current",
    regions={"china": "https://iot-api.heclouds.com", "hong_kong": "https://www.onenet.hk.chinamobile.com:2616"},
    nbiot_prefix="/nb-iot",
    authorization_version="2022-05-01",
    credentials_paths=("/product/detail", "/device/list"),
    requires_product_id=True,
    devices_path="/device/list",
    device_path="/device/detail",
    statuses_path=None,
    newest_path="/datapoint/current-datapoints",
    key="title",
    keys_parameter="device_name",
    # The maximum is not documented. Callers split a batch that OneNET refuses.
    keys_max=100,
    history_path="/datapoint/history-datapoints",
    pushes_outcomes=False,
    push_status_path=None,
)
# The current platform is first, because new accounts are created there.
PLATFORMS: Final = {platform.name: platform for platform in (CURRENT, LEGACY)}


class Reply(NamedTuple):
    """Hold the envelope of a reply; `errno` is 0 for success, None for an error without a number."""

    errno: int | None
    text: str
    data: Any


def read_reply(body: bytes) -> Reply:
    """Return the envelope of a reply, in the format of either platform.

    Raise UnexpectedReplyError if the body is not an envelope of OneNET. Source: "API return status codes".
    """
    reply = _decode(body)
    if not isinstance(reply, dict):
        raise UnexpectedReplyError("The reply is not in OneNET's format")
    number = next((reply[name] for name in ("errno", "code") if reply.get(name) is not None), None)
    errno = parse_int(number)
    message = next((parse_text(reply[name]).strip() for name in _TEXTS if reply.get(name) is not None), "")
    if errno is None:
        match parse_bool(reply.get("success")):
            case True:
                errno = 0
            case False:
                message = message or parse_text(number)
            case None:
                raise UnexpectedReplyError("The reply is not in OneNET's format")
    return Reply(errno, message, reply.get("data"))


def _decode(body: bytes) -> Any:
    """Return the JSON of a body, which may contain a byte order mark, raw control characters or GBK."""
    for encoding, errors in (("utf-8-sig", "strict"), ("gb18030", "strict"), ("utf-8-sig", "replace")):
        try:
            return json.loads(body.decode(encoding, errors), strict=False)
        except RecursionError, ValueError:
            continue
    raise UnexpectedReplyError("The reply is not in OneNET's format")
