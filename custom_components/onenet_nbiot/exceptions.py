"""Translated Home Assistant exceptions for errors of OneNET and of actions."""

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
    """Return a Home Assistant exception for an error of OneNET."""
    return exception(
        translation_domain=DOMAIN,
        translation_key=err.reason,
        translation_placeholders={ATTR_MESSAGE: str(err)},
    )


def setup_error(err: OneNetError) -> HomeAssistantError:
    """Return the exception for an error in the set-up of a config entry."""
    refused = err.kind is ErrorKind.AUTHENTICATION
    return _translated(ConfigEntryAuthFailed if refused else ConfigEntryNotReady, err)


def update_error(err: OneNetError, retry_after: float) -> HomeAssistantError:
    """Return the exception for an error in a coordinator's update, which is retried after so many seconds."""
    return _translated(partial(UpdateFailed, retry_after=retry_after), err)


def action_error(err: OneNetError) -> HomeAssistantError:
    """Return the exception for an error in an action."""
    return _translated(ServiceValidationError if err.kind is ErrorKind.CALLER else HomeAssistantError, err)


def device_asleep(err: OneNetError, action: str) -> HomeAssistantError:
    """Return the exception for a sleeping device, for which `action` could queue the operation."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="device_asleep",
        translation_placeholders={ATTR_ACTION: action, ATTR_MESSAGE: str(err)},
    )


def unknown_uuid(uuid: str) -> ServiceValidationError:
    """Return the exception for the UUID of a command that was not queued here."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key="unknown_uuid", translation_placeholders={ATTR_UUID: uuid}
    )


def which_account(
    imei: str, accounts: Sequence[ConfigEntry[Any]], *, found: int, unreachable: Sequence[ConfigEntry[Any]]
) -> ServiceValidationError:
    """Return the exception for a device in none or several of these accounts; `unreachable` could not be queried."""
    key = "which_account_unreachable" if unreachable else "which_account"
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            ATTR_IMEI: imei,
            "count": str(found),
            "accounts": _names(accounts),
            "unreachable": _names(unreachable),
        },
    )


def _names(accounts: Sequence[ConfigEntry[Any]]) -> str:
    """Return the titles of accounts with their config entry ids."""
    return ", ".join(f"{account.title} ({account.entry_id})" for account in accounts)


def form_error(err: OneNetError) -> str:
    """Return the translation key of a form's error."""
    has_own_text = isinstance(err, AuthenticationError | CannotConnectError | NoReplyError | UnknownDeviceError)
    return err.reason if has_own_text else PlatformError.reason


def escape_markdown(text: str) -> str:
    """Return a text escaped for Markdown, on one line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
