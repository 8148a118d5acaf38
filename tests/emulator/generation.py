"""The two generations of the API: their paths and envelopes."""

from enum import Enum
from typing import Any
import uuid

from .refusals import RefusalError

_CURRENT_PATHS = frozenset({"nb-iot", "device", "product", "datapoint"})


class Generation(Enum):
    """A generation, by the prefix of its NB-IoT calls."""

    LEGACY = "/nbiot"
    CURRENT = "/nb-iot"

    @classmethod
    def of(cls, path: str) -> Generation:
        """Return the generation of a path."""
        return cls.CURRENT if path.split("/", 2)[1] in _CURRENT_PATHS else cls.LEGACY

    def reply(self, number: int, text: str, **data: Any) -> dict[str, Any]:
        """Return a reply with this number and text."""
        if self is Generation.LEGACY:
            return {"errno": number, "error": text} | data
        return {"code": number, "msg": text} | data | {"request_id": uuid.uuid4().hex}

    def success(self, data: Any) -> dict[str, Any]:
        """Return the reply to a call that was carried out."""
        return self.reply(0, "succ", data=data)

    def refusal(self, error: RefusalError) -> dict[str, Any]:
        """Return the reply to a call that was refused."""
        if self is Generation.LEGACY:
            return self.reply(error.errno, error.text)
        return self.reply(error.code, error.msg)
