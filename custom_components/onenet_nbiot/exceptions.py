"""Translated exceptions of Home Assistant's for what fails here or at OneNET."""

from collections.abc import Callable, Sequence
from functools import partial
import re
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryNotReady,
    HomeAssistantError,
    ServiceValidationError,
)
from homeassistant.helpers.update_coordinator import UpdateFailed

from .const import ATTR_ACTION, ATTR_IMEI, ATTR_MESSAGE, ATTR_UUID, DOMAIN
from .onenet.errors import (
    AuthenticationError,
    CannotConnectError,
    ErrorKind,
    NoReplyError,
    OneNetError,
    PlatformError,
    UnknownDeviceError,
)


def _translated(exception: Callable[..., HomeAssistantError], err: OneNetError) -> HomeAssistantError:
    """Return an exception of Home Assistant's that says the same."""
    return exception(
        translation_domain=DOMAIN,
        translation_key=err.reason,
        translation_placeholders={ATTR_MESSAGE: str(err)},
    )


def setup_error(err: OneNetError) -> HomeAssistantError:
    """Return what a config entry's set-up raises."""
    refused = err.kind is ErrorKind.AUTHENTICATION
    return _translated(ConfigEntryAuthFailed if refused else ConfigEntryNotReady, err)


def update_error(err: OneNetError, retry_after: float) -> HomeAssistantError:
    """Return what a coordinator's update raises, to be tried again after so many seconds."""
    return _translated(partial(UpdateFailed, retry_after=retry_after), err)


def action_error(err: OneNetError) -> HomeAssistantError:
    """Return what an action raises."""
    return _translated(ServiceValidationError if err.kind is ErrorKind.CALLER else HomeAssistantError, err)


def device_asleep(err: OneNetError, action: str) -> HomeAssistantError:
    """Return the error of something that a device would do when it wakes, if it were queued with that action."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="device_asleep",
        translation_placeholders={ATTR_ACTION: action, ATTR_MESSAGE: str(err)},
    )


def unknown_uuid(uuid: str) -> ServiceValidationError:
    """Return the error of a command that was not queued here."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key="unknown_uuid", translation_placeholders={ATTR_UUID: uuid}
    )


def which_account(
    imei: str, accounts: Sequence[ConfigEntry[Any]], *, found: int, unasked: Sequence[ConfigEntry[Any]]
) -> ServiceValidationError:
    """Return the error for a device that none or several of these accounts have; some could not be asked."""
    key = "which_account_unasked" if unasked else "which_account"
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            ATTR_IMEI: imei,
            "count": str(found),
            "accounts": _names(accounts),
            "unasked": _names(unasked),
        },
    )


def _names(accounts: Sequence[ConfigEntry[Any]]) -> str:
    """Return the titles of accounts, and the ids by which an action chooses them."""
    return ", ".join(f"{account.title} ({account.entry_id})" for account in accounts)


def form_error(err: OneNetError) -> str:
    """Return the key of the text that a form shows for an error."""
    own = isinstance(err, AuthenticationError | CannotConnectError | NoReplyError | UnknownDeviceError)
    return err.reason if own else PlatformError.reason


def escape_markdown(text: str) -> str:
    """Return a text from OneNET as it is shown where Home Assistant renders Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
