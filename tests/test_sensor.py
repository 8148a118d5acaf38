"""The states of sensors of resources."""

from datetime import UTC, datetime, timedelta
import math
from typing import Any

from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_send
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import ATTR_MEASURED_AT, DOMAIN
from custom_components.onenet_nbiot.devices import AVAILABILITY, Reading
from custom_components.onenet_nbiot.onenet.models import Opaque
from custom_components.onenet_nbiot.sensor import ATTR_FULL_VALUE

from .common import IMEI, add_device, devices_of

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
TEMPERATURE = "3303/0/5700"
PRESSURE = "3323/0/5700"
# Resources without a unit, the last one of an object that the registry does not have.
TEXTS = ["3/0/0", "3200/0/5505", "3202/0/5605", "3311/0/5750", "3338/0/5548", "3310/0/5824", "31024/0/1"]


@callback
def measure(hass: HomeAssistant, account: MockConfigEntry, values: dict[str, Any], at: datetime = NOON) -> None:
    """Update the readings of the device."""
    devices = devices_of(account)
    devices.added[IMEI].readings |= {path: Reading(value=value, measured_at=at) for path, value in values.items()}
    async_dispatcher_send(hass, devices.signal(IMEI), set(values))


def state_of(hass: HomeAssistant, account: MockConfigEntry, path: str) -> State:
    """Return the state of the sensor of a resource."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{account.entry_id}_{IMEI}_{path}")
    assert entity_id
    state = hass.states.get(entity_id)
    assert state
    return state


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (17, "17"),
        ("17", "17"),
        (17.0, "17.0"),
        ("17.0", "17.0"),
        (" 17\r\n", "17"),
        ("+17", "17"),
        ("-17", "-17"),
        ("017", "17"),
        ("21.50", "21.5"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("1e3", "1000.0"),
        ("1.5E-2", "0.015"),
        ("12345678901234567890", "12345678901234567890"),
    ],
    ids=repr,
)
async def test_a_number_and_its_text_are_the_same_state(
    hass: HomeAssistant, account: MockConfigEntry, value: Any, state: str
) -> None:
    """A text that is a number has the state of the number, without decimals where the text has none."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: value})
    assert state_of(hass, account, TEMPERATURE).state == state


@pytest.mark.parametrize(
    "value",
    [
        Opaque("3131"),
        Opaque("17"),
        "1_000",
        "nan",
        "-inf",
        "Infinity",
        math.nan,
        math.inf,
        "1e999",
        "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT SEVEN}",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "0x11",
        "1,5",
        "1 000",
        "- 17",
        "21.5 C",
        "",
        ".",
        "e3",
        None,
        True,
        [17],
        {"value": 17},
        pytest.param(10**400, id="a number of 401 digits"),
        pytest.param("9" * 5000, id="a text of 5000 digits"),
    ],
    ids=repr,
)
async def test_a_value_that_is_not_a_number_is_unknown(
    hass: HomeAssistant, account: MockConfigEntry, value: Any
) -> None:
    """The state of a numeric sensor without a number, or with bytes, is unknown."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: 21.5})
    measure(hass, account, {TEMPERATURE: value})
    assert state_of(hass, account, TEMPERATURE).state == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("value", "state"),
    [(17, "17000"), ("17", "17000"), (17.0, "17000.0"), (" 0.5 ", "500.0"), (1e306, STATE_UNKNOWN)],
    ids=repr,
)
async def test_a_number_and_its_text_are_converted_alike(
    hass: HomeAssistant, account: MockConfigEntry, value: Any, state: str
) -> None:
    """Megapascals become kilopascals, from a number and from its text, if the product is finite."""
    await add_device(hass, account, PRESSURE)
    measure(hass, account, {PRESSURE: value, "3323/0/5701": "MPa"})
    assert state_of(hass, account, PRESSURE).state == state
    assert state_of(hass, account, PRESSURE).attributes[ATTR_UNIT_OF_MEASUREMENT] == "kPa"


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize(
    ("value", "state"),
    [
        (Opaque("3131"), "3131"),
        ("17", "17"),
        (17, "17"),
        (17.5, "17.5"),
        ("nan", "nan"),
        (math.nan, STATE_UNKNOWN),
        (math.inf, STATE_UNKNOWN),
        (None, STATE_UNKNOWN),
        (False, "false"),
        ("", ""),
    ],
    ids=repr,
)
async def test_a_text_sensor_shows_any_value(
    hass: HomeAssistant, account: MockConfigEntry, path: str, value: Any, state: str
) -> None:
    """A resource without a unit shows bytes as hex and other values as they are, whatever its operations are."""
    await add_device(hass, account, path)
    measure(hass, account, {path: value})
    shown = state_of(hass, account, path)
    assert (shown.state, type(shown.state)) == (state, str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 256, "x" * 256),
        (Opaque("0f" * 500), "0f" * 500),
        (["\N{CJK UNIFIED IDEOGRAPH-4E8C}" * 300], f'["{"\N{CJK UNIFIED IDEOGRAPH-4E8C}" * 300}"]'),
    ],
    ids=["text", "bytes", "JSON"],
)
async def test_the_whole_of_a_long_text_is_an_attribute_that_is_not_recorded(
    hass: HomeAssistant, account: MockConfigEntry, value: Any, text: str
) -> None:
    """The state has its first 255 characters; a text that fits into the state has no such attribute."""
    await add_device(hass, account, "3/0/0")
    measure(hass, account, {"3/0/0": value})
    state = state_of(hass, account, "3/0/0")
    assert state.state == text[:255]
    assert state.attributes[ATTR_FULL_VALUE] == text
    assert state.attributes[ATTR_MEASURED_AT] == NOON
    assert state.state_info
    assert ATTR_FULL_VALUE in state.state_info["unrecorded_attributes"]
    measure(hass, account, {"3/0/0": "x" * 255})
    state = state_of(hass, account, "3/0/0")
    assert (state.state, ATTR_FULL_VALUE in state.attributes) == ("x" * 255, False)


@pytest.mark.parametrize(
    "unit",
    [
        *("", "  ", "\x00\x00", "-", "--", "\N{EM DASH}", "NaN", "nan", "null", "NULL", "none", "None", "N/A", "n/a"),
        *("NA", "unknown", "\N{CJK UNIFIED IDEOGRAPH-65E0}"),
        *(None, 5, Opaque("4b"), Opaque("ff")),
    ],
    ids=repr,
)
async def test_a_placeholder_for_a_unit_leaves_the_default_unit(
    hass: HomeAssistant, account: MockConfigEntry, unit: Any
) -> None:
    """A value that is not a unit, such as bytes, does not replace the unit and the device class of the description."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: "21.5", "3303/0/5701": unit})
    attributes = state_of(hass, account, TEMPERATURE).attributes
    assert (attributes[ATTR_UNIT_OF_MEASUREMENT], attributes[ATTR_DEVICE_CLASS]) == ("°C", "temperature")


@pytest.mark.parametrize(
    ("path", "unit", "shown"),
    [
        (TEMPERATURE, "\N{MASCULINE ORDINAL INDICATOR}C", ("21", "°C", "temperature")),
        ("3326/0/5700", "pH", ("21", None, "ph")),
        ("3326/0/5700", "mol", ("21", "mol", None)),
        ("3328/0/5700", "MW", ("21", "MW", "power")),
        ("3328/0/5700", "mW", ("21", "mW", "power")),
        ("3328/0/5700", "Mw", ("21", "Mw", None)),
        ("3331/0/5700", "KWH", ("21", "kWh", "energy")),
        ("3331/0/5805", "KWH", ("21", "kWh", "energy")),
        # The description of coordinates has no unit.
        ("3336/0/5513", "m", ("21", "°", None)),
        ("3336/0/5515", "km", ("21", "m", "distance")),
    ],
)
async def test_the_unit_of_the_device_is_shown(
    hass: HomeAssistant, account: MockConfigEntry, path: str, unit: str, shown: tuple[str | None, ...]
) -> None:
    """A known unit keeps the device class, an ambiguous one is shown as the device spells it."""
    await add_device(hass, account, path)
    measure(hass, account, {path: "21", f"{path.rpartition('/')[0]}/5701": unit})
    state = state_of(hass, account, path)
    attributes = state.attributes
    assert (state.state, attributes.get(ATTR_UNIT_OF_MEASUREMENT), attributes.get(ATTR_DEVICE_CLASS)) == shown


async def test_an_equivalent_value_measured_later_changes_only_the_time(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The same number as a text is no change of state."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: 17})
    before = state_of(hass, account, TEMPERATURE)
    later = NOON + timedelta(minutes=1)
    measure(hass, account, {TEMPERATURE: "17"}, later)
    after = state_of(hass, account, TEMPERATURE)
    assert (after.state, after.last_changed) == (before.state, before.last_changed)
    assert after.attributes == {**before.attributes, ATTR_MEASURED_AT: later}


@pytest.mark.parametrize(("unit", "written"), [("Cel", False), ("degC", False), ("", False), ("K", True)])
async def test_an_equivalent_unit_writes_no_state(
    hass: HomeAssistant, account: MockConfigEntry, unit: str, *, written: bool
) -> None:
    """A unit that arrives again, also in another spelling, writes no state; another unit does."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: 17, "3303/0/5701": "Cel"})
    last_reported = state_of(hass, account, TEMPERATURE).last_reported
    measure(hass, account, {"3303/0/5701": unit}, NOON + timedelta(minutes=1))
    state = state_of(hass, account, TEMPERATURE)
    assert (state.last_reported != last_reported) is written
    assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == ("K" if written else "°C")


async def test_an_outage_is_shown_with_an_equivalent_unit(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A change of availability writes the state even if the unit arrives with it."""
    await add_device(hass, account, TEMPERATURE)
    measure(hass, account, {TEMPERATURE: 17, "3303/0/5701": "Cel"})
    devices = devices_of(account)
    devices.added[IMEI].missing = True
    async_dispatcher_send(hass, devices.signal(IMEI), {AVAILABILITY, "3303/0/5701"})
    assert state_of(hass, account, TEMPERATURE).state == STATE_UNAVAILABLE


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        (None, ("m³", "water", "total_increasing")),
        ("L", ("L", "water", "total_increasing")),
        ("N/A", ("m³", "water", "total_increasing")),
        # A unit that no water meter has contradicts the kind.
        ("Cel", ("°C", None, "measurement")),
        ("pulses", ("pulses", None, "measurement")),
    ],
)
async def test_the_unit_of_the_device_takes_precedence_over_its_kind(
    hass: HomeAssistant, account: MockConfigEntry, unit: str | None, shown: tuple[str, str | None, str]
) -> None:
    """A generic sensor of a water meter is a volume, unless the device reports another unit."""
    path = "3300/0/5700"
    await add_device(hass, account, path, kind="water_meter")
    measure(hass, account, {path: "17"} | ({} if unit is None else {"3300/0/5701": unit}))
    state = state_of(hass, account, path)
    names = (ATTR_UNIT_OF_MEASUREMENT, ATTR_DEVICE_CLASS, "state_class")
    assert (state.state, tuple(state.attributes.get(name) for name in names)) == ("17", shown)


async def test_the_registry_has_the_unit_and_the_device_class_of_the_sensor(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Both follow the unit that the device reports, also a unit without a device class."""
    path = "3300/0/5700"
    await add_device(hass, account, path, kind="water_meter")
    for unit, shown in (("L", ("L", "water")), ("Cel", ("°C", None)), ("m3", ("m³", "water"))):
        measure(hass, account, {path: "17", "3300/0/5701": unit})
        entity = er.async_get(hass).async_get(state_of(hass, account, path).entity_id)
        assert entity
        assert (entity.unit_of_measurement, entity.original_device_class) == shown
