"""OneNET's errors, as Home Assistant shows and handles them."""

from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryNotReady,
    HomeAssistantError,
    ServiceValidationError,
)

from .const import ATTR_MESSAGE, DOMAIN
from .onenet.errors import ErrorKind, OneNetError


def _translated(exception: type[HomeAssistantError], err: OneNetError) -> HomeAssistantError:
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


def action_error(err: OneNetError) -> HomeAssistantError:
    """Return what an action raises."""
    return _translated(ServiceValidationError if err.kind is ErrorKind.CALLER else HomeAssistantError, err)
