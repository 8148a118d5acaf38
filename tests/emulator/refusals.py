"""The refusals of both platforms."""


class RefusalError(Exception):
    """A refusal: the legacy platform's number and text, and those of the current platform where they differ."""

    def __init__(self, errno: int, text: str, code: int | None = None, msg: str | None = None) -> None:
        """Store both pairs."""
        super().__init__(text)
        self.errno = errno
        self.text = text
        self.code = errno if code is None else code
        self.msg = text if msg is None else msg


def missing(name: str) -> RefusalError:
    """Return the refusal of a call without a required parameter."""
    return RefusalError(7, f"parameter required: {name}", 10001)


def invalid(name: str) -> RefusalError:
    """Return the refusal of a parameter."""
    return RefusalError(6, f"invalid parameter: {name}", 10001)


def malformed_body() -> RefusalError:
    """Return the refusal of a body that is missing or not of the command's form."""
    return RefusalError(3, "http body missing or malformed", 10001)


def too_large(name: str) -> RefusalError:
    """Return the refusal of a body whose member is too large."""
    return RefusalError(5, f"body too large: {name}", 10001)


def not_authorized() -> RefusalError:
    """Return the refusal of a key or a token."""
    return RefusalError(3, "auth failed", 10403, "this authorization is not valid")


def no_device() -> RefusalError:
    """Return the refusal of an unknown device."""
    return RefusalError(8, "no such device", 10410)


def no_path() -> RefusalError:
    """Return the refusal of a call that the platform does not have."""
    return RefusalError(404, "no such path", 10404)


def device_answer(status: str) -> RefusalError:
    """Return the refusal of an immediate command to which the device did not answer SUCCESS."""
    return RefusalError(5106, f"unsuccess:{status}")
