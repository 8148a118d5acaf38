"""The states of binary sensors of resources."""

from datetime import UTC, datetime
from typing import Any

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.devices import Reading
from custom_components.onenet_nbiot.onenet.models import Opaque

from .common import IMEI, add_device, devices_of

PATH = "3200/0/5500"


@pytest.mark.parametrize(
    ("kind", "path", "device_class"),
    [
        ("manhole_cover", PATH, "opening"),
        ("parking_sensor", "3302/0/5500", "occupancy"),
        ("street_lamp", PATH, None),
        ("of a later version", PATH, None),
    ],
)
async def test_a_boolean_has_the_class_of_the_kind_of_device(
    hass: HomeAssistant, account: MockConfigEntry, kind: str, path: str, device_class: str | None
) -> None:
    """A Boolean without a class that follows from the kind has none."""
    await add_device(hass, account, path, kind=kind)
    (shown,) = (
        state for state in hass.states.async_all("binary_sensor") if not state.entity_id.endswith("_connectivity")
    )
    assert shown.attributes.get("device_class") == device_class


@pytest.mark.parametrize(
    ("value", "state"),
    [
        *((value, STATE_ON) for value in (True, 1, 1.0, "1", "true", " True ", "ON", "1.0")),
        *((value, STATE_OFF) for value in (False, 0, 0.0, "0", "false", "Off", "0.0")),
        *((Opaque(value), STATE_UNKNOWN) for value in ("1", "0", "01", "00", "true")),
        *((value, STATE_UNKNOWN) for value in (None, "", "maybe", 2, [1], {"value": 1})),
        ("\N{FULLWIDTH DIGIT ONE}", STATE_UNKNOWN),
    ],
    ids=repr,
)
async def test_a_boolean_is_on_or_off_in_every_form_but_bytes(
    hass: HomeAssistant, account: MockConfigEntry, value: Any, state: str
) -> None:
    """A Boolean, its number and its text are on or off, anything else is unknown."""
    await add_device(hass, account, PATH)
    devices = devices_of(account)
    devices.added[IMEI].readings[PATH] = Reading(value=value, measured_at=datetime(2026, 11, 23, 4, tzinfo=UTC))
    async_dispatcher_send(hass, devices.signal(IMEI), {PATH})
    shown = hass.states.get("binary_sensor.water_meter_digital_input")
    assert shown
    assert shown.state == state
