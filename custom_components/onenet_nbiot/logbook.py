"""Describe the activity of devices in the logbook, in the language of the system."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    ATTR_CONFIG_ENTRY_ID,
    ATTR_DEVICE_ID,
    EVENT_CORE_CONFIG_UPDATE,
    STATE_OFF,
    STATE_ON,
    Platform,
    UnitOfRatio,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import (
    async_get_cached_translations,
    async_load_integrations,
    async_translate_state,
)
from homeassistant.util import dt as dt_util

from .activity import ATTR_COUNT, ATTR_PATH, VALUES_MAX
from .const import (
    ATTR_COMMAND,
    ATTR_IMEI,
    ATTR_MESSAGE,
    ATTR_REASON,
    ATTR_RESOURCES,
    ATTR_TYPE,
    ATTR_VALUE,
    ATTR_VALUES,
    DOMAIN,
    EVENT_ACTIVITY,
)
from .coordinator import OneNetConfigEntry
from .devices import Device
from .lwm2m import (
    ResourceBinarySensorDescription,
    ResourceDescription,
    ResourceSensorDescription,
    describe,
    lwm2m_name,
    with_reported_unit,
)
from .values import parse_boolean, parse_number, parse_text, parse_time

_RESOURCE_PATH_SLASHES = 2


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Register the description of the activity event."""

    @callback
    def describe_event(event: Event) -> dict[str, str]:
        """Return the name of the device and a sentence; the logbook also calls this in a thread."""
        data = event.data
        return {
            LOGBOOK_ENTRY_NAME: _device_name(hass, data),
            LOGBOOK_ENTRY_MESSAGE: _Sentence(hass, _find_device(hass, data)).of(data),
        }

    async def load_texts(event: Event) -> None:
        """Load the texts in a new language of the system, which Home Assistant does not do by itself."""
        await async_load_integrations(hass, {DOMAIN, Platform.BINARY_SENSOR})

    async_describe_event(DOMAIN, EVENT_ACTIVITY, describe_event)
    hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, load_texts)


def _device_name(hass: HomeAssistant, data: Mapping[str, Any]) -> str:
    """Return the name of the device in Home Assistant, or its IMEI."""
    entry = dr.async_get(hass).async_get(data.get(ATTR_DEVICE_ID, ""))
    return (entry and (entry.name_by_user or entry.name)) or f"IMEI {data[ATTR_IMEI]}"


def _find_device(hass: HomeAssistant, data: Mapping[str, Any]) -> Device | None:
    """Return the device of an event, None if it is not added, or its account is not loaded."""
    account: OneNetConfigEntry | None = hass.config_entries.async_get_entry(data[ATTR_CONFIG_ENTRY_ID])
    if account is None or account.state is not ConfigEntryState.LOADED:
        return None
    return account.runtime_data.devices.added.get(data[ATTR_IMEI])


class _Sentence:
    """Make a sentence of an activity event."""

    def __init__(self, hass: HomeAssistant, device: Device | None) -> None:
        """Get the texts, which are loaded with the integration."""
        self._hass = hass
        self._device = device
        language = hass.config.language
        self._texts = async_get_cached_translations(hass, language, "common", DOMAIN)
        self._names = async_get_cached_translations(hass, language, "entity", DOMAIN)

    def of(self, data: Mapping[str, Any]) -> str:
        """Return the sentence of an event."""
        change = data[ATTR_TYPE]
        if ATTR_COUNT in data:
            return self._text("reads_queued", count=data[ATTR_COUNT])
        if values := data.get(ATTR_VALUES):
            return self._describe_values(values)
        reason = data.get(ATTR_REASON, "")
        # The message is that of OneNET; the reasons of devices are known.
        reason = self._texts.get(_key(f"reason_{reason}"), data.get(ATTR_MESSAGE, reason))
        return self._text(change, operation=self._describe_operation(data), reason=reason)

    def _text(self, key: str, **placeholders: str | int) -> str:
        """Return a text; its key while a new language of the system is being loaded."""
        return self._texts.get(_key(key), key).format(**placeholders)

    def _describe_operation(self, data: Mapping[str, Any]) -> str:
        """Return what a command does to which resources, as far as that is known."""
        command = data.get(ATTR_COMMAND)
        if command is None or not (paths := data[ATTR_RESOURCES]):
            return self._text("command")
        return self._text(command, resource=", ".join(map(self._name, paths)))

    def _describe_values(self, values: list[dict[str, Any]]) -> str:
        """Return the values that a device has sent, with the names of their resources."""
        named = [(self._name(value[ATTR_PATH]), self._value(value[ATTR_PATH], value[ATTR_VALUE])) for value in values]
        if len(named) == 1:
            ((name, value),) = named
            return self._text("value_read", resource=name, value=value)
        listed = [f"{name} {value}" for name, value in named[:VALUES_MAX]]
        more = ["…"] if len(named) > VALUES_MAX else []
        return self._text("values_read", values=", ".join(listed + more))

    def _name(self, path: str) -> str:
        """Return the name of the entity that shows a resource, or the only one of an instance, or a name of LwM2M."""
        shown = [
            description
            for description in (self._device.descriptions if self._device else ())
            if any(f"{own}/".startswith(f"{path}/") for own in (description.key, *description.shown_paths))
        ]
        if path.count("/") == _RESOURCE_PATH_SLASHES:
            shown = shown or [describe(path)]
        if len(shown) == 1:
            return self._name_of(shown[0])
        return lwm2m_name(path if "/" in path else f"{path}/0")

    def _name_of(self, description: ResourceDescription) -> str:
        """Return the name that an entity has without its device."""
        key = f"component.{DOMAIN}.entity.{description.platform}.{description.translation_key}.name"
        text = self._names.get(key)
        return lwm2m_name(description.key) if text is None else text.format(number=description.number)

    def _value(self, path: str, value: Any) -> str:
        """Return a value as its entity shows it, with the unit that the device reports."""
        text = parse_text(value) or ""
        if self._device is None or path.count("/") != _RESOURCE_PATH_SLASHES:
            # The unit is not known.
            return text
        described = next((shown for shown in self._device.descriptions if shown.key == path), None)
        if not isinstance(described, ResourceSensorDescription | ResourceBinarySensorDescription):
            # That of a control does not have the unit.
            described = describe(path)
        if isinstance(described, ResourceBinarySensorDescription):
            if (is_on := parse_boolean(value)) is None:
                return text
            state = STATE_ON if is_on else STATE_OFF
            return async_translate_state(self._hass, state, described.platform, None, None, described.device_class)
        described, factor = with_reported_unit(described, self._device.reported_unit(described))
        if described.device_class is SensorDeviceClass.TIMESTAMP:
            moment = parse_time(value)
            return text if moment is None else f"{dt_util.as_local(moment):%Y-%m-%d %H:%M:%S}"
        unit = described.native_unit_of_measurement
        number = parse_number(value, factor) if unit or described.state_class else None
        if number is None:
            return text
        return f"{number:.12g}%" if unit == UnitOfRatio.PERCENTAGE else f"{number:.12g} {unit or ''}".rstrip()


def _key(key: str) -> str:
    """Return the full key of a text."""
    return f"component.{DOMAIN}.common.activity_{key}"
