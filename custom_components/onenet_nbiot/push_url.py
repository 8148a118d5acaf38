"""The URL of an account's push: that of Home Assistant Cloud, or else the external URL of Home Assistant."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError

from .const import CONF_CLOUDHOOK, LOGGER

_CLOUD = "cloud"


def _cloud(hass: HomeAssistant) -> Any:
    """Return the module of Home Assistant Cloud, None if it is not set up."""
    if _CLOUD not in hass.config.components:
        return None
    # Imported only if it is set up: it needs packages that not every installation has.
    from homeassistant.components import cloud  # noqa: PLC0415

    return cloud


def _cloud_errors(cloud: Any) -> tuple[type[Exception], ...]:
    """Return the errors of calls of Home Assistant Cloud, ValueError among them: it is not connected, for example."""
    from hass_nabucasa import NabuCasaBaseError  # noqa: PLC0415 - see above

    return cloud.CloudNotAvailable, NabuCasaBaseError, TimeoutError, ValueError


@callback
def async_has_cloud(hass: HomeAssistant) -> bool:
    """Return whether there is an active subscription of Home Assistant Cloud, whose URLs are valid."""
    return (cloud := _cloud(hass)) is not None and bool(cloud.async_active_subscription(hass))


@callback
def async_can_create_cloudhook(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant Cloud can provide a URL now."""
    return async_has_cloud(hass) and bool(_cloud(hass).async_is_connected(hass))


@callback
def async_listen_cloud(hass: HomeAssistant, action: Callable[[Any], None]) -> Callable[[], None]:
    """Call an action when Home Assistant Cloud is connected or disconnected; return a function that ends this."""
    if (cloud := _cloud(hass)) is None:
        return lambda: None
    unsubscribe: Callable[[], None] = cloud.async_listen_connection_change(hass, action)
    return unsubscribe


@callback
def async_listen_cloudhook(hass: HomeAssistant, webhook_id: str, action: Callable[[Any], None]) -> Callable[[], None]:
    """Call an action with the webhook in Home Assistant Cloud when it changes, None when it is deleted.

    Return a function that ends this.
    """
    if (cloud := _cloud(hass)) is None:
        return lambda: None
    unsubscribe: Callable[[], None] = cloud.async_listen_cloudhook_change(hass, webhook_id, action)
    return unsubscribe


@callback
def async_push_url(hass: HomeAssistant, push: Mapping[str, Any]) -> str | None:
    """Return the URL to enter in OneNET's console, None if Home Assistant has no external URL."""
    if (url := push.get(CONF_CLOUDHOOK)) is not None and async_has_cloud(hass):
        return str(url)
    try:
        return webhook.async_generate_url(hass, push[CONF_WEBHOOK_ID], allow_internal=False)
    except NoURLAvailableError:
        return None


async def async_create_cloudhook(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the URL of a webhook in Home Assistant Cloud, None without an active subscription or after an error."""
    if not async_has_cloud(hass):
        return None
    cloud = _cloud(hass)
    try:
        return str(await cloud.async_get_or_create_cloudhook(hass, webhook_id))
    except _cloud_errors(cloud) as err:
        LOGGER.warning("Home Assistant Cloud has provided no URL for OneNET's push: %s", str(err) or type(err).__name__)
        return None


async def async_delete_webhook(hass: HomeAssistant, push: Mapping[str, Any]) -> None:
    """Unregister the webhook of an account, and delete that of Home Assistant Cloud, if there is one."""
    if (webhook_id := push.get(CONF_WEBHOOK_ID)) is None:
        return
    webhook.async_unregister(hass, webhook_id)
    if (cloud := _cloud(hass)) is not None:
        with suppress(*_cloud_errors(cloud)):
            await cloud.async_delete_cloudhook(hass, webhook_id)
