"""OneNET's errors, as Home Assistant shows and handles them."""

from collections.abc import Callable
from functools import partial

from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryNotReady,
    HomeAssistantError,
    ServiceValidationError,
)
from homeassistant.helpers.update_coordinator import UpdateFailed

from .const import ATTR_ACTION, ATTR_MESSAGE, ATTR_UUID, DOMAIN
from .onenet.errors import ErrorKind, OneNetError


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
