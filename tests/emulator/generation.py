"""The two generations of the API: one platform, two envelopes."""

from enum import Enum
from typing import Any
import uuid

from .parameters import RefusalError


class Generation(Enum):
    """A generation, by the beginning of its paths."""

    LEGACY = "/nbiot"
    CURRENT = "/nb-iot"

    @classmethod
    def of(cls, path: str) -> Generation:
        """Return the generation that a path belongs to; what is not NB-IoT's own is older than the current one."""
        return cls.CURRENT if path.startswith(cls.CURRENT.value) else cls.LEGACY

    @property
    def token_version(self) -> str:
        """Return the version of the tokens that open it."""
        return "2018-10-31" if self is Generation.LEGACY else "2022-05-01"

    def reply(self, number: int, text: str, **data: Any) -> dict[str, Any]:
        """Return a reply with this number, whatever it means."""
        if self is Generation.LEGACY:
            return {"errno": number, "error": text} | data
        return {"code": number, "msg": text} | data | {"request_id": uuid.uuid4().hex}

    def success(self, data: Any) -> dict[str, Any]:
        """Return the reply to a call that was carried out."""
        return self.reply(0, "succ", data=data)

    def refusal(self, error: RefusalError) -> dict[str, Any]:
        """Return the reply to a call that was refused: errors are written in the legacy numbers everywhere else."""
        if self is Generation.LEGACY:
            return self.reply(error.errno, error.text)
        match error.errno:
            case 1:
                return self.reply(10410, "no such device")
            case 3 if error.text.startswith("auth"):
                return self.reply(10403, error.text)
            case 3:
                return self.reply(10001, error.text)
            case 2001:
                return self.reply(10421, error.text)
        return self.reply(error.errno, error.text)
