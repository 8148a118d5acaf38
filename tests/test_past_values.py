"""The values that OneNET kept: returned by an action, and imported into the statistics by another."""

from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.history import RECORDER

from .common import (
    EVERY_PLATFORM,
    IMEI,
    OTHER_IMEI,
    act,
    add_device,
    device_id,
    devices_of,
    pass_time,
    refresh,
    run_with,
)
from .emulator import Device, Fault, FaultKind, Server

variant = run_with(EVERY_PLATFORM)

TEMPERATURE, VOLUME = (3303, 0, 5700), (3424, 0, 1)
THERMOMETER = "sensor.water_meter_temperature"
RESOURCE: dict[str, Any] = {"obj_id": 3303, "obj_inst_id": 0, "res_id": 5700}
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def now() -> datetime:
    """Return the time without milliseconds, which the current platform omits from one of its two times."""
    return datetime.now(UTC).replace(microsecond=0)


def report(
    onenet: Server, now: datetime, values: dict[timedelta, Any], path: tuple[int, int, int] = TEMPERATURE
) -> None:
    """Let the device report values so long ago."""
    for age, value in values.items():
        onenet.onenet.report(IMEI, {path: value}, now - age)


async def get_history(hass: HomeAssistant, **fields: Any) -> dict[str, Any]:
    """Return the response for the temperature of the device."""
    response: dict[str, Any] = await act(hass, "get_history", **{"imei": IMEI} | RESOURCE | fields)
    return response


async def values(hass: HomeAssistant, **fields: Any) -> list[Any]:
    """Return the values in a response."""
    return [value["value"] for value in (await get_history(hass, **fields))["values"]]


async def test_the_values_of_the_last_day_are_returned_with_their_times(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The oldest is first, and the times are in the time zone of Home Assistant."""
    await hass.config.async_set_time_zone("America/St_Johns")
    report(onenet, now, {25 * HOUR: 1.5, 23 * HOUR: 20, HOUR: "21.5"})
    await add_device(hass, account)
    response = await get_history(hass)
    start, end = (datetime.fromisoformat(response.pop(name)) for name in ("start", "end"))
    assert (end - start, end.utcoffset()) == (DAY, dt_util.as_local(now).utcoffset())
    assert abs(end - now) < MINUTE
    assert response == {
        "config_entry_id": account.entry_id,
        "imei": IMEI,
        "device_id": device_id(hass, account),
        "values": [
            RESOURCE | {"value": value, "time": dt_util.as_local(now - age).isoformat()}
            for age, value in ((23 * HOUR, 20), (HOUR, "21.5"))
        ],
    }
    assert response["values"][0]["time"].endswith(("-03:30", "-02:30"))


async def test_a_period_is_returned_with_both_of_its_ends(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """A value at the start or at the end belongs to the period, also if the period is old."""
    report(onenet, now, {day * DAY: day for day in range(364, 0, -1)})
    assert await values(hass, start=now - 300 * DAY, end=now - 297 * DAY) == [300, 299, 298, 297]
    assert await values(hass, end=now - 100 * DAY) == [101, 100]
    assert await values(hass, start=now - 2 * DAY, end=now + DAY) == [2, 1]
    assert await values(hass, start=now - 365 * DAY) == list(range(364, 0, -1))


async def test_a_duration_of_the_platform_counts_by_its_clock(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """With a wrong clock of Home Assistant, the last day is still that of OneNET."""
    await pass_time(account, onenet, 10 * DAY)
    report(onenet, now + 10 * DAY, {25 * HOUR: 1, 23 * HOUR: 2, MINUTE: 3})
    assert await values(hass) == [2, 3]


async def test_of_more_values_than_the_limit_the_newest_are_returned(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """The default is 500, and a larger limit takes several requests."""
    report(onenet, now, {number * timedelta(seconds=10): number for number in range(5500, 0, -1)})
    for limit, count, requests in ((None, 500, 1), (1, 1, 1), (2, 2, 1), (100, 100, 1), (5000, 5000, 3)):
        onenet.requests.clear()
        assert await values(hass, start=now - DAY, limit=limit) == list(range(count, 0, -1))
        assert sum("datapoints" in request.path for request in onenet.requests) == requests


async def test_values_that_were_sent_together_keep_their_order(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """A meter that collects its values sends them with one time."""
    for value in (3, 1, 2):
        report(onenet, now, {HOUR: value})
    assert await values(hass) == [3, 1, 2]
    report(onenet, now, {MINUTE: 0})
    assert await values(hass) == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("value", "returned"),
    [
        (21.5, 21.5),
        ("21.5", "21.5"),
        (True, True),
        ("text 水", "text 水"),
        (b"\x00\x1a\xff", "001aff"),
        ({"a": [1, None]}, {"a": [1, None]}),
    ],
    ids=str,
)
async def test_values_of_all_kinds_are_returned(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime, value: Any, returned: Any
) -> None:
    """Bytes are hex digits on both platforms."""
    report(onenet, now, {HOUR: value}, (19, 0, 0))
    assert await values(hass, obj_id=19, obj_inst_id=0, res_id=0) == [returned]


async def test_a_resource_without_values_has_an_empty_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """Values of other resources are not returned."""
    report(onenet, now, {HOUR: 5}, (3304, 0, 5700))
    assert await values(hass) == []


async def test_the_device_is_looked_up_only_if_its_key_is_not_known(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server, now: datetime
) -> None:
    """A device that was added and polled takes one request, another device two."""
    device.name = "nb-meter"
    report(onenet, now, {HOUR: 5})
    onenet.requests.clear()
    assert await values(hass) == [5]
    assert len(onenet.requests) == 2
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    assert devices_of(account).added[IMEI].key is not None
    onenet.requests.clear()
    assert await values(hass) == [5]
    assert len(onenet.requests) == 1


async def test_an_entity_selects_its_resource(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, now: datetime
) -> None:
    """Neither the device nor the resource has to be given."""
    report(onenet, now, {HOUR: 5})
    await add_device(hass, account, "3303/0/5700", "3304/0/5700")
    response = await act(hass, "get_history", entity_id=THERMOMETER)
    assert [value["value"] for value in response["values"]] == [5]
    # Another resource of the same device can be given.
    report(onenet, now, {HOUR: 6}, (3304, 0, 5700))
    humidity = RESOURCE | {"obj_id": 3304}
    response = await act(hass, "get_history", entity_id=THERMOMETER, **humidity)
    assert [value["value"] for value in response["values"]] == [6]


@pytest.mark.parametrize(
    "fields",
    [
        {"imei": IMEI},
        {"imei": IMEI, "obj_id": 3303},
        {"imei": IMEI, "obj_id": 3303, "obj_inst_id": 0},
        {"imei": IMEI, "obj_inst_id": 0, "res_id": 5700},
        {"entity_id": THERMOMETER, "obj_id": 3303},
        {"entity_id": [THERMOMETER, "sensor.water_meter_humidity"]},
        {"entity_id": "binary_sensor.water_meter_connectivity"},
    ],
    ids=str,
)
async def test_a_call_without_one_resource_is_refused(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fields: dict[str, Any]
) -> None:
    """Nothing is sent."""
    await add_device(hass, account, "3303/0/5700", "3304/0/5700")
    onenet.requests.clear()
    with pytest.raises(ServiceValidationError, match="select one entity that shows a resource") as caught:
        await act(hass, "get_history", **fields)
    assert caught.value.translation_key == "resource_missing"
    assert not onenet.requests


@pytest.mark.parametrize(
    ("start", "end", "key", "text"),
    [
        (-366 * DAY, None, "start_too_early", "OneNET keeps values for 365 days. Choose a start after 20"),
        (None, -365 * DAY, "start_too_early", "The period begins at 20"),
        (HOUR, None, "start_in_future", "is in the future: OneNET's time is 20"),
        (-HOUR, -HOUR, "end_before_start", "must be later than the beginning of the period, 20"),
        (-HOUR, -2 * HOUR, "end_before_start", "Choose a later end or an earlier start"),
        ("yesterday", None, "invalid_start", "must be a date and time"),
        (None, "today", "invalid_end", "not today"),
    ],
)
async def test_a_period_that_onenet_does_not_have_is_refused(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    now: datetime,
    start: timedelta | str | None,
    end: timedelta | str | None,
    key: str,
    text: str,
) -> None:
    """The message says what to do, and nothing is sent."""
    onenet.requests.clear()
    period = {"start": start, "end": end}
    with pytest.raises(ServiceValidationError, match=text) as caught:
        await get_history(
            hass, **{name: now + time if isinstance(time, timedelta) else time for name, time in period.items()}
        )
    assert caught.value.translation_key == key
    assert not onenet.requests


@pytest.mark.parametrize("limit", [0, 5001, "many"])
async def test_a_limit_out_of_range_is_refused(hass: HomeAssistant, account: MockConfigEntry, limit: Any) -> None:
    """The message has the range."""
    with pytest.raises(ServiceValidationError, match="from 1 to 5000, not"):
        await get_history(hass, limit=limit)


async def test_an_unknown_device_is_an_error(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The account does not have the device."""
    with pytest.raises(HomeAssistantError, match="has no device with this IMEI") as caught:
        await get_history(hass, imei=OTHER_IMEI)
    assert caught.value.translation_key == "unknown_device"


@pytest.mark.parametrize(
    ("errno", "text", "key"), [(15, "too often", "platform_busy"), (10403, "ip limit", "not_permitted")]
)
async def test_a_refusal_is_an_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, errno: int, text: str, key: str
) -> None:
    """The error is that of other actions, and has the text of OneNET."""
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=errno, text=text, path="datapoints"))
    with pytest.raises(HomeAssistantError, match=text) as caught:
        await get_history(hass)
    assert caught.value.translation_key == key


# --- The import


@pytest.fixture
async def meters(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> MockConfigEntry:
    """Return the account with two devices, after which the recorder appears: requested jobs wait."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {TEMPERATURE: 5})
    # A text has no statistics.
    await add_device(hass, account, "3303/0/5700", "3424/0/1", "3300/0/5750")
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Gas meter")
    hass.config.components.add(RECORDER)
    return account


def waiting(account: MockConfigEntry, imei: str | None = None) -> int:
    """Return the number of resources whose history is not yet imported."""
    count: int = account.runtime_data.history.summary(imei)["waiting"]
    return count


async def import_history(hass: HomeAssistant, start: Any = None, **target: Any) -> Any:
    """Import the history of a target, of a month by default, and return the response."""
    start = datetime.now(UTC) - 30 * DAY if start is None else start
    return await act(hass, "import_history", start=start, **target)


async def test_the_history_of_a_device_is_imported(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """All its sensors with statistics are, and those of no other device."""
    assert await import_history(hass, device_id=device_id(hass, meters)) == {"count": 2}
    assert (waiting(meters, IMEI), waiting(meters)) == (2, 2)
    # Another call does not add more.
    assert await import_history(hass, device_id=device_id(hass, meters)) == {"count": 2}
    assert waiting(meters) == 2


async def test_the_history_of_an_entity_is_imported(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """Entities without statistics in the same target are ignored, and no response is needed."""
    entities = [THERMOMETER, "binary_sensor.water_meter_connectivity", "sun.sun"]
    await hass.services.async_call(
        DOMAIN, "import_history", {"start": datetime.now(UTC) - DAY, "entity_id": entities}, blocking=True
    )
    assert (waiting(meters, IMEI), waiting(meters)) == (1, 1)


async def test_the_history_of_an_area_is_imported(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """Both devices are in the area; a disabled sensor is not imported."""
    area = ar.async_get(hass).async_create("Basement")
    for imei in (IMEI, OTHER_IMEI):
        dr.async_get(hass).async_update_device(device_id(hass, meters, imei), area_id=area.id)
    er.async_get(hass).async_update_entity(THERMOMETER, disabled_by=er.RegistryEntryDisabler.USER)
    assert await import_history(hass, area_id=area.id) == {"count": 2}
    assert (waiting(meters, IMEI), waiting(meters, OTHER_IMEI)) == (1, 1)


@pytest.mark.parametrize(
    "entity_id",
    [
        "binary_sensor.water_meter_connectivity",
        "sensor.water_meter_generic_sensor_application_type",
        "sensor.water_meter_waiting_commands",
    ],
)
async def test_a_target_without_statistics_is_refused(
    hass: HomeAssistant, meters: MockConfigEntry, entity_id: str
) -> None:
    """The message says which sensors have them."""
    with pytest.raises(ServiceValidationError, match="no enabled sensor with statistics") as caught:
        await import_history(hass, entity_id=entity_id)
    assert caught.value.translation_key == "no_statistics_in_target"


async def test_a_target_without_a_device_of_this_integration_is_refused(
    hass: HomeAssistant, meters: MockConfigEntry
) -> None:
    """As for the other actions with a target."""
    for target in ({}, {"entity_id": "sun.sun"}):
        with pytest.raises(ServiceValidationError, match="contains no NB-IoT device"):
            await import_history(hass, **target)


async def test_without_the_recorder_nothing_is_imported(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """The message says how to set it up."""
    hass.config.components.remove(RECORDER)
    with pytest.raises(ServiceValidationError, match="which is not set up") as caught:
        await import_history(hass, device_id=device_id(hass, meters))
    assert caught.value.translation_key == "no_recorder"
    assert waiting(meters) == 0


@pytest.mark.parametrize(
    ("age", "key"), [(366 * DAY, "start_too_early"), (-HOUR, "start_in_future"), ("soon", "invalid_start")]
)
async def test_a_start_out_of_range_is_refused(
    hass: HomeAssistant, meters: MockConfigEntry, age: timedelta | str, key: str
) -> None:
    """Nothing is imported; a start of exactly a year ago is accepted."""
    start = age if isinstance(age, str) else datetime.now(UTC) - age
    with pytest.raises(ServiceValidationError) as caught:
        await import_history(hass, start, device_id=device_id(hass, meters))
    assert caught.value.translation_key == key
    assert waiting(meters) == 0
    start = datetime.now(UTC) - 365 * DAY
    assert await import_history(hass, start, device_id=device_id(hass, meters)) == {"count": 2}


async def test_a_start_is_required(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """The field has no default."""
    with pytest.raises(ServiceValidationError, match=r"From \(start\) is required"):
        await act(hass, "import_history", device_id=device_id(hass, meters))


async def test_an_account_that_is_not_loaded_is_an_error(hass: HomeAssistant, meters: MockConfigEntry) -> None:
    """The message names the account."""
    chosen = device_id(hass, meters)
    assert await hass.config_entries.async_unload(meters.entry_id)
    with pytest.raises(ServiceValidationError, match="is not loaded"):
        await import_history(hass, device_id=chosen)
