"""Tests of the subentry flow of devices."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, SubentryFlowResult, UnknownEntry
from homeassistant.const import CONF_API_KEY, CONF_URL, STATE_UNKNOWN, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE,
    FlowResultType,
    InvalidData,
    UnknownFlow,
    section,
)
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import SelectSelector, TextSelector
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot.const import (
    CONF_ADD_NEW,
    CONF_AT_ONCE,
    CONF_CONTROLS,
    CONF_HISTORY_DAYS,
    CONF_IMEI,
    CONF_KIND,
    CONF_LIKE,
    CONF_MORE,
    CONF_ONENET_ID,
    CONF_OVERDUE_AFTER,
    CONF_PLATFORM,
    CONF_RESOURCES,
    CONF_SEVERAL,
    DOMAIN,
    SUBENTRY_DEVICE,
)
from custom_components.onenet_nbiot.lwm2m import is_measurement

from .common import (
    CURRENT_ONLY,
    EVERY_PLATFORM,
    IMEI,
    KEY,
    LEGACY_ONLY,
    OTHER_IMEI,
    PRODUCT_ID,
    SECRETS,
    UNREACHABLE_URL,
    add_device,
    devices_of,
    offline_read,
    refresh,
    revoke,
    run_with,
)
from .emulator import Device, Fault, FaultKind, Product, Server, Switches

variant = run_with(EVERY_PLATFORM)

TEMPERATURE = "3303/0/5700"
UNIT = "3303/0/5701"
HUMIDITY = "3304/0/5700"
SENSOR_VALUE = "3300/0/5700"
# The beginning of the emulator's sec_key, psk, auth_code and auth_info.
DEVICE_SECRET = "SECRET-"
# A part of the path of each call, by platform; the history of the legacy platform has the device's id before it.
CALLS = {
    "legacy": {
        "list": "/devices",
        "device": "/devices/getbyimei",
        "newest": "/devices/datapoints",
        "history": "0/datapoints",
        "resources": "/nbiot/resources",
    },
    "current": {
        "list": "/device/list",
        "device": "/device/detail",
        "newest": "/datapoint/current-datapoints",
        "history": "/datapoint/history-datapoints",
        "resources": "/nb-iot/resources",
    },
}
# Faults of a reply, and the errors that a form shows for them.
FAULTS = [
    (Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"), "invalid_auth"),
    (Fault(kind=FaultKind.ERRNO, errno=10403, text="auth failed"), "invalid_auth"),
    (Fault(kind=FaultKind.ERRNO, errno=15, text="called too often"), "platform_error"),
    (Fault(kind=FaultKind.ERRNO, errno=10500, text="internal error"), "platform_error"),
    (Fault(kind=FaultKind.ERRNO, errno=424242, text="new"), "platform_error"),
    (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
    (Fault(kind=FaultKind.TRUNCATED), "no_reply"),
    (Fault(kind=FaultKind.PAGE, status=503), "no_reply"),
    (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
    # An HTTP status 401 comes from a proxy.
    (Fault(kind=FaultKind.PAGE, status=401), "unexpected_reply"),
    (Fault(kind=FaultKind.DATA, data="none"), "unexpected_reply"),
]
# The same for a call that names a device: with a key that OneNET accepts, its refusal is about the device.
DEVICE_FAULTS = [(fault, "unknown_device" if error == "invalid_auth" else error) for fault, error in FAULTS]
every_fault = pytest.mark.parametrize(("fault", "error"), FAULTS)
every_device_fault = pytest.mark.parametrize(("fault", "error"), DEVICE_FAULTS)
every_form_of_a_missing_call = pytest.mark.parametrize("errno", [404, 405, 10404, None])


def with_resource_list[T: Callable[..., Any]](test: T) -> T:
    """Run a test on each platform, both with a call that lists resources."""
    for mark in (
        pytest.mark.parametrize("variant", EVERY_PLATFORM),
        pytest.mark.parametrize("switches", [Switches(current_resources=True)], ids=["listed"]),
    ):
        test = mark(test)
    return test


def platform(account: MockConfigEntry) -> str:
    """Return the platform of an account."""
    return "current" if account.data.get(CONF_PLATFORM) == "current" else "legacy"


def fault_of(account: MockConfigEntry, call: str, of: Fault | None = None, **fields: Any) -> Fault:
    """Return a fault of one of the account's calls."""
    return Fault(**(vars(of) if of else {}) | fields | {"path": CALLS[platform(account)][call]})


def missing(account: MockConfigEntry, call: str, errno: int | None = 404, times: int = 100) -> Fault:
    """Return the fault that a call does not exist: an errno, or a web page of the status 404."""
    kind = FaultKind.PAGE if errno is None else FaultKind.ERRNO
    return fault_of(account, call, kind=kind, status=404, errno=errno or 0, text="no such path", times=times)


def paths(onenet: Server) -> list[str]:
    """Return the paths of the requests so far."""
    return [request.path for request in onenet.requests]


def field(result: SubentryFlowResult) -> tuple[Any, Any]:
    """Return the first field of a form, and its selector."""
    assert result["type"] is FlowResultType.FORM
    assert result["data_schema"]
    key, selector = next(iter(result["data_schema"].schema.items()))
    return key, selector


def offered(result: SubentryFlowResult) -> dict[str, str]:
    """Return the labels of a form's options by value."""
    _, selector = field(result)
    if isinstance(selector, TextSelector):
        return {}
    assert isinstance(selector, SelectSelector)
    # Other values can be typed.
    assert selector.config["custom_value"]
    options: Sequence[Any] = selector.config["options"]
    values = [option["value"] for option in options]
    assert len(values) == len(set(values))
    return {option["value"]: option["label"] for option in options}


def suggested(result: SubentryFlowResult) -> Any:
    """Return the suggested value of a form."""
    return (field(result)[0].description or {}).get("suggested_value")


def kind_of(result: SubentryFlowResult) -> str:
    """Return the kind of device that a form preselects."""
    assert result["data_schema"]
    kind: str = result["data_schema"]({})[CONF_KIND]
    return kind


def checked(result: SubentryFlowResult) -> SubentryFlowResult:
    """Return a step of the flow after checking that it has no secret."""
    form = str([offered(result), suggested(result)]) if result["type"] is FlowResultType.FORM else ""
    assert not [secret for secret in (*SECRETS, DEVICE_SECRET) if secret in f"{form}{result}"]
    return result


def step_of(result: SubentryFlowResult) -> str:
    """Return the step of a form after checking that its text suits what is offered."""
    step = result["step_id"]
    choices = offered(result)
    if step in ("user", "imei"):
        assert (step == "user") == bool(choices)
        return "user"
    if step not in ("reconfigure", "like_resources", "several_resources"):
        measured = any(is_measurement(path) for path in choices)
        assert step == ("resources" if measured else "other_resources" if choices else "typed_resources")
        return "resources"
    return step


async def start(hass: HomeAssistant, account: MockConfigEntry) -> SubentryFlowResult:
    """Start the flow that adds a device."""
    handler = (account.entry_id, SUBENTRY_DEVICE)
    result = checked(await hass.config_entries.subentries.async_init(handler, context={"source": SOURCE_USER}))
    assert (result["type"], step_of(result)) == (FlowResultType.FORM, "user")
    return result


async def reconfigure(hass: HomeAssistant, account: MockConfigEntry, subentry: ConfigSubentry) -> SubentryFlowResult:
    """Start the flow that selects other resources of a device."""
    # The harness declares the result of a config flow.
    opened: Any = await account.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = checked(opened)
    assert (result["type"], step_of(result)) == (FlowResultType.FORM, "reconfigure")
    return result


async def submit(hass: HomeAssistant, result: SubentryFlowResult, **typed: Any) -> SubentryFlowResult:
    """Submit a form."""
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], typed)
    await hass.async_block_till_done(wait_background_tasks=True)
    return checked(result)


async def choose(hass: HomeAssistant, account: MockConfigEntry, imei: str = IMEI) -> SubentryFlowResult:
    """Start the flow, enter an IMEI, and return the form of the resources."""
    result = await submit(hass, await start(hass, account), imei=imei)
    assert (result["type"], step_of(result), result["errors"]) == (FlowResultType.FORM, "resources", {})
    return result


async def add(hass: HomeAssistant, account: MockConfigEntry, *resources: str, imei: str = IMEI) -> ConfigSubentry:
    """Add a device by the flow, and return its subentry."""
    result = await submit(hass, await choose(hass, account, imei), resources=list(resources))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    return next(subentry for subentry in account.subentries.values() if subentry.unique_id == imei)


def entity_ids(hass: HomeAssistant, subentry: ConfigSubentry) -> set[str]:
    """Return the ids of a device's entities."""
    return {
        entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if entity.config_subentry_id == subentry.subentry_id
    }


def resource_ids(hass: HomeAssistant, subentry: ConfigSubentry) -> dict[str, str]:
    """Return the ids of the entities of a device's resources, by path."""
    return {
        entity.unique_id.rpartition("_")[2]: entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if entity.config_subentry_id == subentry.subentry_id and "/" in entity.unique_id
    }


def placeholders(result: SubentryFlowResult) -> dict[str, str]:
    """Return the placeholders of a form's texts."""
    assert result["description_placeholders"]
    return dict(result["description_placeholders"])


def message(result: SubentryFlowResult) -> str:
    """Return OneNET's text of the error that a form shows."""
    return placeholders(result)["message"]


def identity(account: MockConfigEntry, onenet: Server) -> dict[str, str]:
    """Return the kind of the device and what identifies it on the account's platform, as its subentry stores them."""
    platform = account.data.get(CONF_PLATFORM, "legacy")
    device = onenet.onenet.products[0].devices[IMEI]
    onenet_id = device.name if platform == "current" else str(device.id)
    return {CONF_KIND: "water_meter", CONF_ONENET_ID: onenet_id, CONF_PLATFORM: platform}


async def test_a_device_is_selected_from_the_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The device has its title, its values and its presence as soon as it is added."""
    onenet.onenet.report(IMEI)
    onenet.onenet.set_online(IMEI, online=True)
    result = await start(hass, account)
    assert not result["errors"]
    assert offered(result) == {IMEI: f"Water meter ({IMEI})"}
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})
    assert placeholders(result).items() >= {"name": "Water meter", "imei": IMEI}.items()
    result = await submit(hass, result, resources=suggested(result))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Water meter")
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: [TEMPERATURE]} | identity(account, onenet)
    (subentry,) = account.subentries.values()
    assert (subentry.title, subentry.unique_id, dict(subentry.data)) == ("Water meter", IMEI, result["data"])
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert (state.state, state.attributes["unit_of_measurement"]) == ("21.5", "°C")
    connectivity = hass.states.get("binary_sensor.water_meter_connectivity")
    assert connectivity
    assert connectivity.state == "on"


async def test_a_device_of_the_dialog_is_not_looked_up_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Its id at OneNET is stored in its subentry, and used by the first poll."""
    onenet.onenet.report(IMEI)
    result = await submit(hass, await start(hass, account), imei=IMEI)
    onenet.requests.clear()
    await submit(hass, result, resources=suggested(result))
    paths = [request.path for request in onenet.requests]
    if CONF_PLATFORM not in account.data:
        assert not [path for path in paths if "getbyimei" in path]
    # The first poll has the newest values, for which it needs the id.
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert state.state == "21.5"


async def test_an_id_of_another_platform_is_not_used(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The account may have been moved to the other platform after the device was added."""
    subentry = await add(hass, account, TEMPERATURE)
    stored = subentry.data | {CONF_ONENET_ID: "other", CONF_PLATFORM: "other"}
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_add_subentry(
        account,
        ConfigSubentry(
            data=MappingProxyType(stored), subentry_type=SUBENTRY_DEVICE, title="Water meter", unique_id=IMEI
        ),
    )
    onenet.onenet.report(IMEI)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert devices_of(account).get(IMEI).key == identity(account, onenet)[CONF_ONENET_ID]


@pytest.mark.parametrize("typed", [IMEI, f"  {IMEI}\n"])
async def test_an_imei_can_be_typed(hass: HomeAssistant, account: MockConfigEntry, onenet: Server, typed: str) -> None:
    """A typed IMEI, which may have blanks around it, adds the device with its title."""
    result = await submit(hass, await start(hass, account), imei=typed)
    assert (step_of(result), result["errors"]) == ("resources", {})
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Water meter")
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: [TEMPERATURE]} | identity(account, onenet)
    (subentry,) = account.subentries.values()
    assert subentry.unique_id == IMEI
    (device,) = (
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
        if device.serial_number
    )
    assert (device.name, device.serial_number) == ("Water meter", IMEI)
    assert device.config_subentry_id == subentry.subentry_id
    assert {"sensor.water_meter_temperature", "binary_sensor.water_meter_connectivity"} <= entity_ids(hass, subentry)
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    # The device has not reported a value.
    assert state.state == STATE_UNKNOWN


@every_form_of_a_missing_call
async def test_without_the_list_call_an_imei_can_be_typed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, errno: int | None
) -> None:
    """A list call that does not exist is not an error."""
    onenet.faults.append(missing(account, "list", errno, times=1))
    result = await start(hass, account)
    assert not result["errors"]
    assert isinstance(field(result)[1], TextSelector)
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})
    assert (await submit(hass, result))["title"] == "Water meter"


@every_form_of_a_missing_call
@pytest.mark.parametrize("is_listed", [False, True])
async def test_without_the_call_for_a_device_an_imei_is_accepted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, errno: int | None, *, is_listed: bool
) -> None:
    """A listed device keeps its title; any other one has its IMEI as the title."""
    if not is_listed:
        onenet.faults.append(missing(account, "list", errno, times=1))
    result = await start(hass, account)
    onenet.faults.append(missing(account, "device", errno))
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})
    onenet.faults.clear()
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Water meter" if is_listed else IMEI)
    found = identity(account, onenet) if is_listed else {CONF_KIND: result["data"][CONF_KIND]}
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: [TEMPERATURE]} | found


@with_resource_list
async def test_measurements_are_preselected(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Readable resources are offered in the order of their ids, with the measurements selected."""
    onenet.onenet.report(IMEI)
    device.resources |= {
        (3, 0, 0): "Maker",
        (3, 0, 9): 87,
        (3303, 1, 5700): 3.5,
        (3342, 0, 5500): True,
        (0, 0, 5): b"key",
        (19, 0, 0): b"data",
    }
    device.executables = {(3, 0, 4), (3303, 0, 5605)}
    result = await choose(hass, account)
    assert offered(result) == {
        "3/0/0": "Device Manufacturer (3/0/0)",
        "3/0/9": "Battery level (3/0/9)",
        "19/0/0": "BinaryAppDataContainer Data (19/0/0)",
        "3303/0/5700": "Temperature (3303/0/5700)",
        "3303/0/5701": "Temperature Sensor Units (3303/0/5701)",
        "3303/1/5700": "Temperature 1 (3303/1/5700)",
        "3342/0/5500": "Switch (3342/0/5500)",
    }
    assert list(offered(result)) == ["3/0/0", "3/0/9", "19/0/0", TEMPERATURE, UNIT, "3303/1/5700", "3342/0/5500"]
    assert suggested(result) == ["3/0/9", TEMPERATURE, "3303/1/5700", "3342/0/5500"]


async def test_a_resource_is_offered_with_the_name_of_its_entity(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """The label of an option is the name that the entity gets."""
    device.resources |= {
        (3, 0, 0): "Maker",
        (3, 0, 9): 87,
        (3303, 1, 5700): 3.5,
        (3342, 0, 5500): True,
        (3311, 2, 1): 1,
    }
    onenet.onenet.report(IMEI)
    labels = offered(await choose(hass, account))
    assert labels.keys() >= {"3/0/0", "3/0/9", "3303/1/5700", "3342/0/5500", "3311/2/1"}
    subentry = await add(hass, account, *labels)
    for path, entity_id in resource_ids(hass, subentry).items():
        state = hass.states.get(entity_id)
        assert state
        assert state.name == f"Water meter {labels[path]}".removesuffix(f" ({path})")
    assert resource_ids(hass, subentry).keys() == labels.keys()


@pytest.mark.parametrize(
    ("language", "label"),
    [("zh-Hans", "温度"), ("en", "Temperature"), ("en-GB", "Temperature"), ("de", "Temperature")],
)
async def test_resources_are_offered_in_the_language_of_home_assistant(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, language: str, label: str
) -> None:
    """Labels are translated, with English for any other language."""
    onenet.onenet.report(IMEI)
    hass.config.language = language
    assert offered(await choose(hass, account))[TEMPERATURE] == f"{label} ({TEMPERATURE})"


async def test_a_resource_with_a_newest_value_is_offered(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """The resource need not be in OneNET's list."""
    onenet.onenet.report(IMEI, {(3303, 0, 5700): 21.5, (3304, 0, 5700): 40.0})
    device.points.clear()
    result = await choose(hass, account)
    assert offered(result)[HUMIDITY] == f"Humidity ({HUMIDITY})"
    assert suggested(result) == [TEMPERATURE, HUMIDITY]


async def test_a_resource_with_a_value_in_the_history_is_offered(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """The resource need not have a newest value, nor be in OneNET's list."""
    onenet.onenet.report(IMEI, {(3303, 0, 5700): 21.5, (3304, 0, 5700): 40.0})
    device.datapoints.clear()
    result = await choose(hass, account)
    assert offered(result)[HUMIDITY] == f"Humidity ({HUMIDITY})"
    assert suggested(result) == [TEMPERATURE, HUMIDITY]


@with_resource_list
async def test_a_resource_with_a_value_is_offered_whatever_the_registry_says(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Of resources that the registry does not let read, those with a value are offered, those only listed are not."""
    device.resources |= {(3200, 0, 5505): 12, (3201, 0, 5605): 1}
    device.executables = {(3, 0, 4)}
    onenet.onenet.report(IMEI, {(3200, 0, 5505): 12})
    assert list(offered(await choose(hass, account))) == ["3200/0/5505", TEMPERATURE, UNIT]
    subentry = await add(hass, account, "3200/0/5505")
    state = hass.states.get(resource_ids(hass, subentry)["3200/0/5505"])
    assert state
    assert state.state == "12"


async def test_a_datastream_with_another_name_is_ignored(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A datastream that is not a resource leaves the others."""
    streams = [{"id": name, "at": "2026-11-23 12:00:00", "value": 1} for name in ("level", "3304_0_5700")]
    data = {"devices": [{"id": device.id, "title": device.name, "datastreams": streams}]}
    onenet.faults.append(fault_of(account, "newest", kind=FaultKind.DATA, data=data))
    result = await choose(hass, account)
    assert set(offered(result)) - {TEMPERATURE, UNIT} == {HUMIDITY}


@CURRENT_ONLY
async def test_resources_are_discovered_where_they_cannot_be_listed(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Discovery requests the objects of an online device, and its device object."""
    device.resources |= {(3303, 0, 5601): 1.5, (3, 0, 9): 87, (3304, 0, 5700): 40.0}
    device.executables = {(3, 0, 4)}
    onenet.onenet.report(IMEI, {(3303, 0, 5700): 21.5})
    onenet.onenet.set_online(IMEI, online=True)
    form = await start(hass, account)
    onenet.requests.clear()
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})
    assert list(offered(result)) == ["3/0/9", "3303/0/5601", TEMPERATURE, UNIT]
    queries = [request.query for request in onenet.requests if request.path == "/nb-iot/discover"]
    assert [(query["obj_id"], query["timeout"]) for query in queries] == [("3303", "5"), ("3", "5")]


@CURRENT_ONLY
async def test_no_more_than_three_objects_are_discovered(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """OneNET accepts one call per device and second, and the form waits for them."""
    device.resources |= {(obj_id, 0, 5700): 1.5 for obj_id in range(3303, 3308)}
    onenet.onenet.report(IMEI)
    onenet.onenet.set_online(IMEI, online=True)
    await choose(hass, account)
    objects = [request.query["obj_id"] for request in onenet.requests if request.path == "/nb-iot/discover"]
    assert objects == ["3307", "3306", "3305"]


@CURRENT_ONLY
async def test_the_discovery_of_a_device_that_does_not_reply_is_not_repeated(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """A failed discovery is not an error of the form."""
    onenet.onenet.report(IMEI)
    onenet.onenet.set_online(IMEI, online=True)
    device.answers = False
    assert list(offered(await choose(hass, account))) == [TEMPERATURE, UNIT]
    assert paths(onenet).count("/nb-iot/discover") == 1


async def test_a_device_that_is_offline_is_not_discovered(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """No request is sent to the device."""
    onenet.onenet.report(IMEI)
    await choose(hass, account)
    assert not [path for path in paths(onenet) if path.endswith("/discover")]


@with_resource_list
@pytest.mark.parametrize("fails", [False, True])
async def test_a_device_is_not_discovered_where_its_resources_can_be_listed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, *, fails: bool
) -> None:
    """Discovery replaces a list call that does not exist, not one that fails."""
    onenet.onenet.set_online(IMEI, online=True)
    form = await start(hass, account)
    if fails:
        onenet.faults.append(fault_of(account, "resources", kind=FaultKind.RESET_BEFORE))
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {"base": "no_reply"} if fails else {})
    assert not [path for path in paths(onenet) if path.endswith("/discover")]


@pytest.mark.parametrize("call", ["newest", "history"])
async def test_a_source_of_values_that_does_not_exist_is_not_an_error(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, call: str
) -> None:
    """The other source has the resources."""
    onenet.onenet.report(IMEI)
    onenet.faults.append(missing(account, call))
    result = await choose(hass, account)
    assert list(offered(result)) == [TEMPERATURE, UNIT]
    assert suggested(result) == [TEMPERATURE]


async def test_a_list_of_thousands_of_devices_is_complete_and_sorted(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Every page is requested once, and titles are sorted without regard to case."""
    product = onenet.onenet.products[0]
    titles = {f"8669710400{number:05}": f"{'mM'[number % 2]}eter {number * 7919 % 2344:04}" for number in range(2344)}
    for imei, name in titles.items():
        product.add(imei, name)
    await add_device(hass, account, TEMPERATURE, imei="866971040000007", title="Added")
    del titles["866971040000007"]
    onenet.requests.clear()
    result = await start(hass, account)
    assert not result["errors"]
    titles[IMEI] = "Water meter"
    assert list(offered(result).items()) == [
        (imei, f"{name} ({imei})") for imei, name in sorted(titles.items(), key=lambda item: item[1].lower())
    ]
    assert set(paths(onenet)) == {CALLS[platform(account)]["list"]}
    queries = [request.query for request in onenet.requests]
    if platform(account) == "legacy":
        assert sorted(int(query["page"]) for query in queries) == list(range(1, 25))
    else:
        # Without a total, the last batch has pages after the last one.
        assert sorted(int(query["offset"]) for query in queries) == list(range(0, 2600, 100))


async def test_titles_with_numbers_are_sorted_by_the_numbers(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Lamp 3 comes before lamp 10; thousands of digits do no harm."""
    titles = ["Lamp 10", "lamp 3", "Lamp", "3 lamps", "Lamp " + "9" * 5000]
    for number, name in enumerate(titles):
        onenet.onenet.products[0].add(f"8669710400{number:05}", name)
    labels = [label.rpartition(" (")[0] for label in offered(await start(hass, account)).values()]
    assert labels == ["3 lamps", "Lamp", "lamp 3", "Lamp 10", titles[-1], "Water meter"]


async def test_a_device_without_a_title_is_called_by_its_imei(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Its label, its subentry and its entities have the IMEI."""
    onenet.onenet.products[0].add(OTHER_IMEI, "", {(3303, 0, 5700): 1.5})
    assert list(offered(await start(hass, account)).items()) == [
        (OTHER_IMEI, OTHER_IMEI),
        (IMEI, f"Water meter ({IMEI})"),
    ]
    subentry = await add(hass, account, TEMPERATURE, imei=OTHER_IMEI)
    assert subentry.title == OTHER_IMEI
    assert hass.states.get(f"sensor.{OTHER_IMEI}_temperature")


@CURRENT_ONLY
async def test_a_device_without_a_description_is_called_by_its_name(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The name is unique in the product; it is also what the history is requested by."""
    onenet.onenet.products[0].add(OTHER_IMEI, "", {(3303, 0, 5700): 1.5}, "lamp-1")
    onenet.onenet.report(OTHER_IMEI)
    result = await start(hass, account)
    assert offered(result)[OTHER_IMEI] == f"lamp-1 ({OTHER_IMEI})"
    onenet.requests.clear()
    result = await submit(hass, result, imei=OTHER_IMEI)
    queries = {request.path.rpartition("/")[2]: request.query for request in onenet.requests}
    assert queries["current-datapoints"].items() >= {"product_id": PRODUCT_ID, "imei": OTHER_IMEI}.items()
    assert queries["history-datapoints"].items() >= {"product_id": PRODUCT_ID, "device_name": "lamp-1"}.items()
    assert (await submit(hass, result, resources=suggested(result)))["title"] == "lamp-1"
    state = hass.states.get("sensor.lamp_1_temperature")
    assert state
    assert state.state == "1.5"


async def test_a_title_of_blanks_is_ignored(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """The device is called by its IMEI."""
    onenet.onenet.products[0].add(OTHER_IMEI, "  ")
    subentry = await add(hass, account, imei=OTHER_IMEI)
    assert subentry.title == OTHER_IMEI


async def test_a_title_is_escaped_in_descriptions_only(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """Descriptions are Markdown; labels, titles and subentries are text."""
    device.title = "*Meter*  [1](x) {imei}"
    escaped = r"\*Meter\* \[1\]\(x\) \{imei\}"
    form = await start(hass, account)
    assert offered(form) == {IMEI: f"{device.title} ({IMEI})"}
    result = await submit(hass, form, imei=IMEI)
    assert placeholders(result).items() >= {"name": device.title, "device": escaped}.items()
    assert (await submit(hass, result, resources=[]))["title"] == device.title
    (subentry,) = account.subentries.values()
    result = await reconfigure(hass, account, subentry)
    assert placeholders(result).items() >= {"name": device.title, "device": escaped}.items()


@LEGACY_ONLY
@pytest.mark.parametrize(("total_count", "requests"), [(-1, 1), (0, 1), (1, 1), (10**9, 6)])
async def test_a_wrong_number_of_devices_is_ignored(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, total_count: int, requests: int
) -> None:
    """The list ends at an empty page at the latest."""
    listed = [{"id": 1, "title": "Water meter", "auth_info": {IMEI: "460"}, "online": False}]
    onenet.faults.append(
        Fault(kind=FaultKind.DATA, path="/devices", data={"total_count": total_count, "devices": listed})
    )
    onenet.faults.append(
        Fault(kind=FaultKind.DATA, path="/devices", data={"total_count": 10**9, "devices": []}, times=100)
    )
    onenet.requests.clear()
    result = await start(hass, account)
    assert offered(result) == {IMEI: f"Water meter ({IMEI})"}
    assert len(onenet.requests) == requests


async def test_a_repeated_page_ends_the_list(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A platform that ignores the page number gets no endless requests, and each device is offered once."""
    numbers = range(866971040000000, 866971040000100)
    if platform(account) == "legacy":
        listed = [{"id": number, "title": "Meter", "auth_info": {str(number): "460"}} for number in numbers]
        data: dict[str, Any] = {"total_count": 10**5, "devices": listed}
    else:
        data = {"list": [{"did": number, "name": "Meter", "imei": str(number), "access_pt": 4} for number in numbers]}
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.DATA, data=data, times=10_000))
    onenet.requests.clear()
    result = await start(hass, account)
    assert list(offered(result)) == [str(number) for number in numbers]
    assert len(onenet.requests) == 6


async def test_a_device_on_two_pages_is_offered_once(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A device that is added between two requests moves another one to the next page."""
    for number in range(100):
        onenet.onenet.products[0].add(f"8669710400{number:05}", f"Meter {number}")
    if platform(account) == "legacy":
        records = [{"id": 500000000, "auth_info": IMEI}, {"id": 1, "title": "Gas meter", "auth_info": OTHER_IMEI}]
        data: dict[str, Any] = {"total_count": 102, "devices": records}
    else:
        names = {500000000: IMEI, 1: OTHER_IMEI}
        data = {"list": [{"did": id_, "name": "Gas meter", "imei": imei} for id_, imei in names.items()]}
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.DELAY))
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.DATA, data=data))
    result = await start(hass, account)
    assert not result["errors"]
    labels = offered(result)
    assert len(labels) == 101
    assert (labels[IMEI], labels[OTHER_IMEI]) == (f"Water meter ({IMEI})", f"Gas meter ({OTHER_IMEI})")


async def test_a_page_without_lwm2m_devices_does_not_end_the_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The devices after it are offered."""
    if platform(account) == "legacy":
        # Their records have no id.
        data: dict[str, Any] = {"total_count": 101, "devices": [{}] * 100}
        rest: dict[str, Any] = {"total_count": 101, "devices": [{"id": 1, "title": "Meter", "auth_info": IMEI}]}
    else:
        data = {"list": [{"did": number, "name": f"camera-{number}", "access_pt": 1} for number in range(100)]}
        rest = {"list": [{"did": 1000, "name": "Meter", "imei": IMEI, "access_pt": 4}]}
    for page in (data, rest):
        onenet.faults.append(fault_of(account, "list", kind=FaultKind.DATA, data=page))
    assert offered(await start(hass, account)) == {IMEI: f"Meter ({IMEI})"}


async def test_devices_of_other_protocols_are_not_listed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A device without an IMEI cannot be added."""
    data: dict[str, Any]
    if platform(account) == "legacy":
        listed = [
            {"id": 1, "title": "Camera", "auth_info": "camera-1", "online": False},
            {"id": 2, "title": "Gateway", "online": False},
            {"id": 4, "title": "Bridge", "auth_info": {"bridge-1": "secret"}, "online": False},
            {"id": 3, "title": "Water meter", "auth_info": {IMEI: "460"}, "online": False},
        ]
        data = {"total_count": 4, "devices": listed}
    else:
        listed = [
            {"did": "1", "name": "camera-1", "desc": "Camera", "access_pt": 1, "status": 1},
            {"did": "2", "name": "gateway-1", "desc": "Gateway", "access_pt": 4, "status": 1},
            {"did": "3", "name": IMEI, "desc": "Water meter", "access_pt": 4, "status": 0, "imei": IMEI},
        ]
        data = {"list": listed}
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.DATA, data=data))
    assert offered(await start(hass, account)) == {IMEI: f"Water meter ({IMEI})"}


async def test_a_device_that_is_added_is_not_offered_again(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """With all devices added, an IMEI can be typed."""
    await add(hass, account, TEMPERATURE)
    result = await start(hass, account)
    assert isinstance(field(result)[1], TextSelector)
    assert not result["errors"]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", {CONF_IMEI: "invalid_imei"}),
        ("Water meter", {CONF_IMEI: "invalid_imei"}),
        (IMEI[:-1], {CONF_IMEI: "invalid_imei"}),
        (f"{IMEI}0", {CONF_IMEI: "invalid_imei"}),
        ("８６６９７１０３０００００００１", {CONF_IMEI: "invalid_imei"}),  # noqa: RUF001 - a Chinese keyboard types these digits
        (OTHER_IMEI, {"base": "unknown_device"}),
        ("0815", {"base": "unknown_device"}),
    ],
)
async def test_a_wrong_imei_can_be_corrected(
    hass: HomeAssistant, account: MockConfigEntry, typed: str, error: dict[str, str]
) -> None:
    """The form keeps the IMEI and the list."""
    form = await start(hass, account)
    result = await submit(hass, form, imei=typed)
    assert (step_of(result), result["errors"]) == ("user", error)
    assert suggested(result) == typed
    assert offered(result) == offered(form)
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})


@pytest.mark.parametrize(
    ("typed", "characters"),
    [
        (f"{IMEI}\u200b", "U+200B"),
        (f"\ufeff{IMEI}", "U+FEFF"),
        (f"\u202a{IMEI[:8]}\u00ad{IMEI[8:]}\u202c", "U+202A, U+00AD, U+202C"),
    ],
)
async def test_invisible_characters_in_an_imei_are_named(
    hass: HomeAssistant, account: MockConfigEntry, typed: str, characters: str
) -> None:
    """The error for invisible characters differs from that for a wrong IMEI."""
    result = await submit(hass, await start(hass, account), imei=typed)
    assert (step_of(result), result["errors"]) == ("user", {CONF_IMEI: "invisible_characters"})
    assert placeholders(result)["characters"] == characters
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})


@pytest.mark.parametrize("refusal", [None, Fault(kind=FaultKind.ERRNO, errno=10403, text="auth failed")], ids=str)
async def test_the_imei_of_another_product_is_not_an_error_of_the_key(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, refusal: Fault | None
) -> None:
    """The device is unknown, even if OneNET refuses the credentials for it."""
    other = Product(key="another", id="Another")
    other.add(OTHER_IMEI, "Gas meter")
    onenet.onenet.products.append(other)
    form = await start(hass, account)
    if refusal:
        onenet.faults.append(fault_of(account, "device", refusal))
    result = await submit(hass, form, imei=OTHER_IMEI)
    assert (step_of(result), result["errors"]) == ("user", {"base": "unknown_device"})
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})


async def test_a_device_is_not_added_twice(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """The IMEI of an added device is an error before a request."""
    await add(hass, account, TEMPERATURE)
    form = await start(hass, account)
    onenet.requests.clear()
    result = await submit(hass, form, imei=f" {IMEI}")
    assert (step_of(result), result["errors"]) == ("user", {CONF_IMEI: "already_added"})
    assert not onenet.requests
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter")
    assert step_of(await submit(hass, result, imei=OTHER_IMEI)) == "resources"


async def test_the_later_of_two_flows_for_one_device_aborts(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The device is added once."""
    flows = [await choose(hass, account) for _ in range(2)]
    results = [await submit(hass, flow, resources=[TEMPERATURE]) for flow in flows]
    assert results[0]["type"] is FlowResultType.CREATE_ENTRY
    assert (results[1]["type"], results[1]["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert len(account.subentries) == 1


@every_fault
async def test_a_failed_list_shows_its_error_and_an_imei_can_be_typed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """The next flow lists the devices."""
    onenet.faults.append(Fault(**vars(fault)))
    result = await start(hass, account)
    assert result["errors"] == {"base": error}
    assert message(result)
    assert isinstance(field(result)[1], TextSelector)
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})
    assert offered(await start(hass, account)) == {IMEI: f"Water meter ({IMEI})"}


async def test_a_failed_later_page_shows_its_error_and_leaves_the_pages_before(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """An incomplete list is offered with the error."""
    for number in range(700):
        onenet.onenet.products[0].add(f"8669710400{number:05}", "Meter")
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.DELAY, times=3))
    onenet.faults.append(fault_of(account, "list", kind=FaultKind.RESET_BEFORE, times=2))
    result = await start(hass, account)
    assert result["errors"] == {"base": "no_reply"}
    assert len(offered(result)) == 100
    assert step_of(await submit(hass, result, imei=IMEI)) == "resources"


@every_device_fault
async def test_a_failed_call_for_the_device_shows_its_error_and_can_be_repeated(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """The form keeps the IMEI."""
    form = await start(hass, account)
    onenet.faults.append(fault_of(account, "device", fault))
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("user", {"base": error})
    assert message(result)
    assert suggested(result) == IMEI
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {})


@every_device_fault
async def test_a_failed_list_of_resources_shows_its_error_and_they_can_be_typed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """A device can be added without an offered resource."""
    form = await start(hass, account)
    onenet.faults.append(fault_of(account, "resources", fault))
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {"base": error})
    assert message(result)
    assert offered(result) == {}
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_RESOURCES] == [TEMPERATURE]


@with_resource_list
@every_device_fault
@pytest.mark.parametrize("call", ["newest", "history", "resources"])
async def test_a_failed_source_of_resources_shows_its_error_and_leaves_the_others(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str, call: str
) -> None:
    """The resources of the other sources are offered and preselected."""
    onenet.onenet.report(IMEI)
    form = await start(hass, account)
    onenet.faults.append(fault_of(account, call, fault))
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("resources", {"base": error})
    assert message(result)
    assert list(offered(result)) == [TEMPERATURE, UNIT]
    assert suggested(result) == [TEMPERATURE]
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(("scheme", "error"), [("http", "cannot_connect"), ("https", "tls_failed")])
async def test_without_onenet_the_error_is_shown_and_can_be_corrected(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, scheme: str, error: str
) -> None:
    """The flow continues as soon as OneNET is reachable."""
    url = UNREACHABLE_URL if scheme == "http" else onenet.url.replace("http:", "https:")
    hass.config_entries.async_update_entry(account, data={**account.data, CONF_URL: url})
    result = await start(hass, account)
    assert result["errors"] == {"base": error}
    result = await submit(hass, result, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("user", {"base": error})
    hass.config_entries.async_update_entry(account, data={**account.data, CONF_URL: onenet.url})
    assert step_of(await submit(hass, result, imei=IMEI)) == "resources"


@LEGACY_ONLY
async def test_a_text_of_onenet_is_shown_without_the_key(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A server may repeat the key in its text."""
    assert account.data[CONF_API_KEY] == KEY
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=15, text=f"{KEY} calls too often", times=2))
    result = await start(hass, account)
    assert "calls too often" in message(result)
    result = await submit(hass, result, imei=IMEI)
    assert "calls too often" in message(result)


@CURRENT_ONLY
async def test_the_secrets_of_devices_are_not_stored(
    hass: HomeAssistant,
    account: MockConfigEntry,
    device: Device,
    onenet: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The forms, the entry, the subentry, the log and the states do not have them."""
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, TEMPERATURE)
    await reconfigure(hass, account, subentry)
    await offline_read(hass)
    # OneNET's reply has them.
    request = next(request for request in reversed(onenet.requests) if request.path == "/device/detail")
    headers = {"Authorization": request.headers["authorization"]}
    async with async_get_clientsession(hass).get(
        f"{onenet.url}{request.path}", params=request.query, headers=headers
    ) as reply:
        assert (await reply.text()).count(DEVICE_SECRET) == 4
    stored = [dict(account.data), subentry, hass.states.async_all(), dr.async_get(hass).devices]
    assert DEVICE_SECRET not in f"{stored}{caplog.text}"


@pytest.mark.parametrize("typed", ["", "temperature", "3303", "3303/0", "3303/0/5700/0", "3303/0/65536", "-1/0/1"])
async def test_an_invalid_resource_can_be_corrected(hass: HomeAssistant, account: MockConfigEntry, typed: str) -> None:
    """The form keeps the other resources."""
    form = await choose(hass, account)
    result = await submit(hass, form, resources=[TEMPERATURE, typed])
    assert (step_of(result), result["errors"]) == ("resources", {CONF_RESOURCES: "invalid_resource"})
    assert suggested(result) == [TEMPERATURE, typed]
    assert offered(result) == offered(form)
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("typed", ["3/0/4", "0/0/5", "3200/0/5505"])
async def test_any_resource_can_be_typed(hass: HomeAssistant, account: MockConfigEntry, typed: str) -> None:
    """The registry does not limit the resources, since devices may use other ids."""
    result = await submit(hass, await choose(hass, account), resources=[TEMPERATURE, typed])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_RESOURCES] == [TEMPERATURE, typed]
    (subentry,) = account.subentries.values()
    assert resource_ids(hass, subentry).keys() == {TEMPERATURE, typed}


async def test_a_resource_can_be_typed_in_the_form_of_lwm2m_or_of_datastreams(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Both forms are the same resource, which is added once."""
    typed = ["3304_0_5700", TEMPERATURE, " 3303_0_5700 ", "3304/0/5700", "03303/0/5700", "10241/65535/0"]
    result = await submit(hass, await choose(hass, account), resources=typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_RESOURCES] == [HUMIDITY, TEMPERATURE, "10241/65535/0"]
    (subentry,) = account.subentries.values()
    assert resource_ids(hass, subentry).keys() == set(result["data"][CONF_RESOURCES])


@pytest.mark.parametrize("typed", [{}, {CONF_RESOURCES: []}])
async def test_a_device_is_added_without_resources(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, typed: dict[str, Any]
) -> None:
    """It has the entities of every device."""
    result = await submit(hass, await choose(hass, account), **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: []} | identity(account, onenet)
    (subentry,) = account.subentries.values()
    assert resource_ids(hass, subentry) == {}
    assert "binary_sensor.water_meter_connectivity" in entity_ids(hass, subentry)


async def test_a_form_can_be_requested_again(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A page that is reloaded shows the same form."""
    onenet.onenet.report(IMEI)
    form = await choose(hass, account)
    again = checked(await hass.config_entries.subentries.async_configure(form["flow_id"]))
    assert (step_of(again), offered(again), suggested(again)) == ("resources", offered(form), suggested(form))


async def test_the_forms_are_valid_json(
    hass: HomeAssistant,
    account: MockConfigEntry,
    device: Device,
    onenet: Server,
    hass_client: ClientSessionGenerator,
    expected_warnings: list[str],
) -> None:
    """The frontend can decode the forms, also with an unpaired surrogate in a title, and the title can be stored."""
    expected_warnings.append("zlib_ng and isal are not available")
    device.title = f"水表 {chr(0xD83D)}"
    onenet.onenet.report(IMEI)
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    url = "/api/config/config_entries/subentries/flow"
    response = await client.post(url, json={"handler": [account.entry_id, SUBENTRY_DEVICE]})
    assert response.status == HTTPStatus.OK
    form = await response.json()
    (shown,) = form["data_schema"]
    assert (shown["name"], shown["required"]) == (CONF_IMEI, True)
    assert list(shown["selector"]) == ["select"]
    response = await client.post(f"{url}/{form['flow_id']}", json={CONF_IMEI: IMEI})
    assert response.status == HTTPStatus.OK
    form = await response.json()
    shown, kind, controls, at_once, duration, days, add_new = form["data_schema"]
    assert (days["name"], days["required"], days["default"]) == (CONF_HISTORY_DAYS, False, 7)
    assert (add_new["name"], add_new["required"], add_new["default"]) == (CONF_ADD_NEW, False, False)
    assert (controls["name"], controls["required"]) == (CONF_CONTROLS, False)
    assert (at_once["name"], at_once["required"], at_once["default"]) == (CONF_AT_ONCE, False, False)
    assert (kind["name"], kind["required"], kind["default"]) == (CONF_KIND, True, "water_meter")
    assert (duration["name"], duration["required"]) == (CONF_OVERDUE_AFTER, False)
    assert shown["name"] == CONF_RESOURCES
    assert (shown["selector"]["select"]["multiple"], shown["selector"]["select"]["custom_value"]) == (True, True)
    assert shown["description"] == {"suggested_value": [TEMPERATURE]}
    response = await client.post(f"{url}/{form['flow_id']}", json={CONF_RESOURCES: [TEMPERATURE]})
    assert response.status == HTTPStatus.OK
    assert (await response.json())["type"] == FlowResultType.CREATE_ENTRY
    (subentry,) = account.subentries.values()
    assert subentry.title == "水表 ?"


async def test_the_resources_of_a_device_can_be_changed(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Entities of deselected resources are removed, the others keep their ids."""
    device.resources |= {(3, 0, 9): 87, (3304, 0, 5700): 40.5}
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, TEMPERATURE, UNIT, "3/0/9")
    before = resource_ids(hass, subentry)
    others = entity_ids(hass, subentry) - set(before.values())
    registry = er.async_get(hass)
    renamed = registry.async_update_entity(before[TEMPERATURE], new_entity_id="sensor.cellar")
    result = await reconfigure(hass, account, subentry)
    assert not result["errors"]
    assert placeholders(result).items() >= {"name": "Water meter", "imei": IMEI}.items()
    assert suggested(result) == [TEMPERATURE, UNIT, "3/0/9"]
    assert list(offered(result)) == ["3/0/9", TEMPERATURE, UNIT, HUMIDITY]
    result = await submit(hass, result, resources=[HUMIDITY, TEMPERATURE])
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "resources_changed")
    (changed,) = account.subentries.values()
    assert (changed.subentry_id, changed.title, changed.unique_id) == (subentry.subentry_id, "Water meter", IMEI)
    assert dict(changed.data) == {CONF_IMEI: IMEI, CONF_RESOURCES: [HUMIDITY, TEMPERATURE]} | identity(account, onenet)
    humidity = "sensor.water_meter_humidity"
    assert resource_ids(hass, changed) == {TEMPERATURE: renamed.entity_id, HUMIDITY: humidity}
    assert entity_ids(hass, changed) == others | {renamed.entity_id, humidity}
    for removed in (before[UNIT], before["3/0/9"]):
        assert registry.async_get(removed) is None
        assert hass.states.get(removed) is None
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get(humidity)
    assert state
    assert state.state == "40.5"


async def test_reconfiguring_to_the_same_resources_changes_nothing(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """An invalid resource can be corrected, and the entities stay."""
    subentry = await add(hass, account, TEMPERATURE)
    before = entity_ids(hass, subentry)
    result = await submit(hass, await reconfigure(hass, account, subentry), resources=["temperature"])
    assert (step_of(result), result["errors"]) == ("reconfigure", {CONF_RESOURCES: "invalid_resource"})
    assert suggested(result) == ["temperature"]
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["reason"] == "resources_changed"
    assert entity_ids(hass, subentry) == before


async def test_shown_resources_are_offered_although_onenet_no_longer_knows_them(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """Opening the form deselects nothing."""
    subentry = await add(hass, account, TEMPERATURE, HUMIDITY)
    device.resources.clear()
    result = await reconfigure(hass, account, subentry)
    assert offered(result) == {TEMPERATURE: f"Temperature ({TEMPERATURE})", HUMIDITY: f"Humidity ({HUMIDITY})"}
    assert suggested(result) == [TEMPERATURE, HUMIDITY]


async def test_resources_can_be_changed_while_onenet_is_not_reachable(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """The form shows the error and the resources that are shown."""
    expected_warnings.append("Error fetching OneNET data")
    subentry = await add(hass, account, TEMPERATURE, HUMIDITY)
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=100))
    result = await reconfigure(hass, account, subentry)
    assert result["errors"] == {"base": "no_reply"}
    assert list(offered(result)) == suggested(result) == [TEMPERATURE, HUMIDITY]
    result = await submit(hass, result, resources=[TEMPERATURE, "3/0/9"])
    assert result["reason"] == "resources_changed"
    (changed,) = account.subentries.values()
    assert changed.data[CONF_RESOURCES] == [TEMPERATURE, "3/0/9"]
    assert resource_ids(hass, changed).keys() == {TEMPERATURE, "3/0/9"}


async def test_reconfiguring_does_not_need_the_call_for_a_device(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Without the device's name, the other sources have its resources."""
    subentry = await add(hass, account, TEMPERATURE)
    device.resources[3304, 0, 5700] = 40.5
    onenet.onenet.report(IMEI)
    # The legacy platform needs the call for the newest values, too.
    onenet.faults.append(fault_of(account, "device", kind=FaultKind.ERRNO, errno=10404, text="no such path"))
    result = await reconfigure(hass, account, subentry)
    assert not result["errors"]
    assert list(offered(result)) == [TEMPERATURE, UNIT, HUMIDITY]


async def test_a_device_is_removed_with_its_entities(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The device of the account remains."""
    subentry = await add(hass, account, TEMPERATURE)
    ids = entity_ids(hass, subentry)
    assert len(dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)) == 2
    assert hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not [entity_id for entity_id in ids if hass.states.get(entity_id)]
    assert entity_ids(hass, subentry) == set()
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}
    assert devices_of(account).added == {}


async def test_a_removed_device_can_be_added_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """It has the same entities, with values after the next poll."""
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, TEMPERATURE)
    ids = entity_ids(hass, subentry)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    again = await add(hass, account, TEMPERATURE)
    assert entity_ids(hass, again) == ids
    # The requested poll is debounced.
    await refresh(account)
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert state.state == "21.5"


async def test_devices_are_added_while_the_account_is_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """The entities are created when the account is loaded."""
    await hass.config_entries.async_unload(account.entry_id)
    subentry = await add(hass, account, TEMPERATURE, UNIT)
    assert entity_ids(hass, subentry) == set()
    result = await submit(hass, await reconfigure(hass, account, subentry), resources=[TEMPERATURE])
    assert result["reason"] == "resources_changed"
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert resource_ids(hass, subentry) == {TEMPERATURE: "sensor.water_meter_temperature"}


async def test_resources_are_changed_while_the_account_is_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The entities are created and removed when the account is loaded."""
    subentry = await add(hass, account, TEMPERATURE, UNIT)
    await hass.config_entries.async_unload(account.entry_id)
    await submit(hass, await reconfigure(hass, account, subentry), resources=[HUMIDITY, TEMPERATURE])
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert resource_ids(hass, subentry) == {
        TEMPERATURE: "sensor.water_meter_temperature",
        HUMIDITY: "sensor.water_meter_humidity",
    }


async def test_a_device_is_removed_while_the_account_is_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The device is not restored when the account is loaded."""
    subentry = await add(hass, account, TEMPERATURE)
    await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert devices_of(account).added == {}
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}


async def test_a_refused_key_is_an_error_of_the_flow(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The refusal of a device is checked by a call that names none."""
    form = await start(hass, account)
    revoke(onenet)
    result = await submit(hass, form, imei=IMEI)
    assert (step_of(result), result["errors"]) == ("user", {"base": "invalid_auth"})
    assert (await start(hass, account))["errors"] == {"base": "invalid_auth"}


async def test_several_devices_are_added_at_once(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Two flows of an account are independent."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 5.5})
    await asyncio.gather(*(add(hass, account, TEMPERATURE, imei=imei) for imei in (IMEI, OTHER_IMEI)))
    assert {subentry.unique_id for subentry in account.subentries.values()} == {IMEI, OTHER_IMEI}
    assert devices_of(account).added.keys() == {IMEI, OTHER_IMEI}


async def test_resources_of_the_device_object_are_diagnostic(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """Battery and signal strength are apart from measurements."""
    device.resources[3, 0, 9] = 87
    subentry = await add(hass, account, TEMPERATURE, "3/0/9")
    ids = resource_ids(hass, subentry)
    categories = {path: er.async_get(hass).entities[entity_id].entity_category for path, entity_id in ids.items()}
    assert categories == {TEMPERATURE: None, "3/0/9": EntityCategory.DIAGNOSTIC}


@pytest.mark.parametrize(("days", "stored"), [(0, 0), (7, None), (365.0, 365)])
async def test_the_days_of_history_are_chosen_for_a_new_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, days: float, stored: int | None
) -> None:
    """A wrong number is an error before any request; the field is not in the dialog of a device that was added."""
    result = await submit(hass, await start(hass, account), imei=IMEI)
    onenet.requests.clear()
    for wrong in (-1, 366, 1.5):
        result = await submit(hass, result, resources=[TEMPERATURE], history_days=wrong)
        assert result["errors"] == {CONF_HISTORY_DAYS: "invalid_history_days"}
    assert not onenet.requests
    result = await submit(hass, result, resources=[TEMPERATURE], history_days=days)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = account.subentries.values()
    assert subentry.data.get(CONF_HISTORY_DAYS) == stored
    result = await reconfigure(hass, account, subentry)
    assert CONF_HISTORY_DAYS not in fields_of(result)
    await submit(hass, result, resources=[HUMIDITY])
    (subentry,) = account.subentries.values()
    assert subentry.data.get(CONF_HISTORY_DAYS) == stored


async def test_the_time_until_a_device_is_overdue_can_be_set_and_cleared(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """It is stored in seconds, shown again, and learned without a duration."""
    result = await submit(hass, await start(hass, account), imei=IMEI)
    for wrong in ({"minutes": 9}, {"days": 401}):
        result = await submit(hass, result, resources=[TEMPERATURE], overdue_after=wrong)
        assert result["errors"] == {CONF_OVERDUE_AFTER: "invalid_overdue_after"}
    result = await submit(hass, result, resources=[TEMPERATURE], overdue_after={"days": 1, "hours": 2, "minutes": 30})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = account.subentries.values()
    assert subentry.data[CONF_OVERDUE_AFTER] == 95_400
    assert devices_of(account).get(IMEI).overdue_after == timedelta(seconds=95_400)
    # Its entity is enabled, since the user has asked for it.
    assert hass.states.get("binary_sensor.water_meter_overdue")
    result = await reconfigure(hass, account, subentry)
    assert result["data_schema"]
    *_, shown, _ = result["data_schema"].schema
    assert shown.description == {"suggested_value": {"days": 1, "hours": 2, "minutes": 30}}
    await submit(hass, result, resources=[TEMPERATURE], overdue_after={"days": 0, "hours": 0, "minutes": 0})
    (subentry,) = account.subentries.values()
    assert CONF_OVERDUE_AFTER not in subentry.data
    assert devices_of(account).get(IMEI).overdue_after is None


async def test_the_kind_of_a_device_is_guessed_stored_and_changed(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """Another kind takes effect at once on the existing entity, which keeps its id, and on the model."""
    device.resources = {(3300, 0, 5700): 12.5}
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, SENSOR_VALUE)
    assert subentry.data[CONF_KIND] == "water_meter"
    entity_id = "sensor.water_meter_sensor_value"
    for kind, device_class, unit, model in (
        ("water_meter", "water", "m³", "NB-IoT water meter"),
        ("heat_meter", "energy", "kWh", "NB-IoT heat meter"),
        ("thermometer", "temperature", "°C", "NB-IoT thermometer"),
        ("other", None, None, "NB-IoT"),
        ("water_meter", "water", "m³", "NB-IoT water meter"),
    ):
        result = await reconfigure(hass, account, subentry)
        await submit(hass, result, resources=[SENSOR_VALUE], kind=kind)
        assert account.subentries[subentry.subentry_id].data[CONF_KIND] == kind
        assert resource_ids(hass, subentry) == {SENSOR_VALUE: entity_id}
        state = hass.states.get(entity_id)
        assert state
        shown = [state.attributes.get(name) for name in ("device_class", "unit_of_measurement")]
        assert (state.state, shown) == ("12.5", [device_class, unit])
        row = er.async_get(hass).entities[entity_id]
        assert (row.original_device_class, row.unit_of_measurement) == (device_class, unit)
        assert (row.capabilities or {}).get("state_class") == state.attributes["state_class"]
        devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
        assert [device.model for device in devices if device.serial_number == IMEI] == [model]
    # The form has the stored kind.
    result = await reconfigure(hass, account, subentry)
    assert kind_of(result) == "water_meter"
    # It keeps the selected one after an error.
    assert kind_of(await submit(hass, result, resources=["wrong"], kind="valve")) == "valve"


async def test_the_kind_of_a_device_of_an_earlier_version_is_guessed_when_it_is_reconfigured(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Until then, its generic resources have no device class."""
    subentry = await add_device(hass, account, SENSOR_VALUE)
    assert devices_of(account).get(IMEI).kind == "other"
    assert kind_of(await reconfigure(hass, account, subentry)) == "water_meter"


METERS = {f"8669710400{number:05}": f"Meter {number}" for number in range(50)}
FIRST, SECOND, *_, LAST = METERS


def add_meters(onenet: Server) -> None:
    """Add fifty devices at OneNET, the last of which has no title."""
    for imei, title in METERS.items():
        onenet.onenet.products[0].add(imei, "" if imei == LAST else title, {(3303, 0, 5700): 1.5})
        onenet.onenet.report(imei)


def fields_of(result: SubentryFlowResult) -> dict[str, Any]:
    """Return the fields of a form by name."""
    assert result["data_schema"]
    return {str(key): selector for key, selector in result["data_schema"].schema.items()}


def added_imeis(account: MockConfigEntry) -> list[str | None]:
    """Return the IMEIs of the added devices."""
    return [subentry.unique_id for subentry in account.subentries.values()]


async def choose_meters(hass: HomeAssistant, account: MockConfigEntry) -> SubentryFlowResult:
    """Select the first of fifty meters, tick all of them, and return the form of the resources."""
    result = await submit(hass, await start(hass, account), imei=FIRST, several={CONF_MORE: list(METERS)})
    assert (result["type"], step_of(result), result["errors"]) == (FlowResultType.FORM, "several_resources", {})
    return result


async def start_adding(hass: HomeAssistant, form: SubentryFlowResult) -> SubentryFlowResult:
    """Submit the resources of several devices, and return the progress."""
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], {CONF_RESOURCES: [TEMPERATURE]})
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "adding")
    return checked(result)


async def finish_adding(hass: HomeAssistant, result: SubentryFlowResult) -> SubentryFlowResult:
    """Wait until the other devices are added, and request the result as the frontend does."""
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await hass.config_entries.subentries.async_configure(result["flow_id"])
    await hass.async_block_till_done(wait_background_tasks=True)
    return checked(result)


async def test_fifty_devices_are_added_in_one_dialog(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """All have the same resources and settings, and each has its own title, identity and entities."""
    add_meters(onenet)
    updates = async_capture_events(hass, EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE)
    form = await choose_meters(hass, account)
    assert placeholders(form).items() >= {"name": "Meter 0", "imei": FIRST, "count": "50"}.items()
    assert suggested(form) == [TEMPERATURE]
    result = await submit(hass, form, resources=["wrong"])
    assert (step_of(result), result["errors"]) == ("several_resources", {CONF_RESOURCES: "invalid_resource"})
    settings = {CONF_RESOURCES: [TEMPERATURE], CONF_KIND: "thermometer", CONF_OVERDUE_AFTER: {"days": 1}}
    progress = await hass.config_entries.subentries.async_configure(form["flow_id"], settings)
    assert (progress["type"], progress["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "adding")
    assert placeholders(progress)["count"] == "50"
    # The page can be reloaded.
    assert (await hass.config_entries.subentries.async_configure(form["flow_id"]))["type"] == progress["type"]
    result = await finish_adding(hass, progress)
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Meter 0")
    assert [update.data["progress"] for update in updates] == [number / 50 for number in range(1, 50)]
    assert {subentry.unique_id: subentry.title for subentry in account.subentries.values()} == METERS | {LAST: LAST}
    of_all = settings | {CONF_OVERDUE_AFTER: 86_400, CONF_PLATFORM: platform(account)}
    for subentry in account.subentries.values():
        device = onenet.onenet.products[0].devices[str(subentry.unique_id)]
        onenet_id = device.name if platform(account) == "current" else str(device.id)
        assert dict(subentry.data) == of_all | {CONF_IMEI: subentry.unique_id, CONF_ONENET_ID: onenet_id}
        assert resource_ids(hass, subentry).keys() == {TEMPERATURE}
    assert devices_of(account).added.keys() == METERS.keys()


async def test_several_devices_are_offered_only_where_there_are_several(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """With one device, the form has a single field; the section is collapsed and offers the devices of the list."""
    assert fields_of(await start(hass, account)).keys() == {CONF_IMEI}
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter")
    form = await start(hass, account)
    several = fields_of(form)[CONF_SEVERAL]
    assert isinstance(several, section)
    assert several.options["collapsed"]
    ((name, more),) = several.schema.schema.items()
    assert (name, more.config["multiple"], more.config["mode"]) == (CONF_MORE, True, "list")
    assert {option["value"]: option["label"] for option in more.config["options"]} == offered(form)
    # A ticked device that is also the selected one counts once.
    result = await submit(hass, form, imei=IMEI, several={CONF_MORE: [IMEI]})
    assert step_of(result) == "resources"
    assert (await submit(hass, result))["type"] is FlowResultType.CREATE_ENTRY
    assert added_imeis(account) == [IMEI]


async def test_a_ticked_device_that_was_added_meanwhile_is_an_error_that_names_it(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A section cannot show errors of its fields; it stays open with its ticks."""
    add_meters(onenet)
    form = await start(hass, account)
    await add_device(hass, account, imei=LAST)
    result = await submit(hass, form, imei=FIRST, several={CONF_MORE: [SECOND, LAST]})
    assert (step_of(result), result["errors"]) == ("user", {"base": "already_added"})
    assert placeholders(result)["imei"] == LAST
    assert suggested(result) == FIRST
    several = fields_of(result)[CONF_SEVERAL]
    (ticks,) = several.schema.schema
    assert (several.options["collapsed"], ticks.description) == (False, {"suggested_value": [SECOND, LAST]})
    result = await submit(hass, result, imei=FIRST, several={CONF_MORE: [SECOND]})
    assert (step_of(result), result["errors"]) == ("several_resources", {})


@pytest.mark.parametrize("ticked", ["12345", "866971049999999", ""])
async def test_a_device_that_is_not_in_the_list_cannot_be_ticked(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, ticked: str
) -> None:
    """Home Assistant refuses it; a device whose IMEI is invalid is not in the list."""
    add_meters(onenet)
    onenet.onenet.products[0].add("12345", "No IMEI")
    form = await start(hass, account)
    with pytest.raises(InvalidData):
        await submit(hass, form, imei=FIRST, several={CONF_MORE: [SECOND, ticked]})
    result = await submit(hass, form, imei=FIRST, several={CONF_MORE: [SECOND]})
    assert (step_of(result), result["errors"]) == ("several_resources", {})


async def test_devices_that_another_flow_adds_meanwhile_are_skipped(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The others are added, also if the first one was added meanwhile."""
    add_meters(onenet)
    form = await choose_meters(hass, account)
    first, last = [await choose(hass, account, imei) for imei in (FIRST, LAST)]
    progress = await start_adding(hass, form)
    for other in (first, last):
        result = await hass.config_entries.subentries.async_configure(other["flow_id"], {CONF_RESOURCES: []})
        assert result["type"] is FlowResultType.CREATE_ENTRY
    assert len(account.subentries) < len(METERS)
    result = await finish_adding(hass, progress)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "others_added")
    assert placeholders(result)["device"] == "Meter 0"
    resources = {subentry.unique_id: subentry.data[CONF_RESOURCES] for subentry in account.subentries.values()}
    assert resources == {imei: [TEMPERATURE] for imei in METERS} | {FIRST: [], LAST: []}


async def test_a_dialog_that_is_closed_while_devices_are_added_leaves_those_added_so_far(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """No further device is added, and nothing is logged."""
    add_meters(onenet)
    progress = await start_adding(hass, await choose_meters(hass, account))
    await asyncio.sleep(0)
    hass.config_entries.subentries.async_abort(progress["flow_id"])
    added = added_imeis(account)
    assert 0 < len(added) < len(METERS)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert added_imeis(account) == added
    assert devices_of(account).added.keys() == set(added)
    with pytest.raises(UnknownFlow):
        await hass.config_entries.subentries.async_configure(progress["flow_id"])


async def test_an_account_can_be_removed_while_devices_are_added(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Nothing is logged."""
    add_meters(onenet)
    progress = await start_adding(hass, await choose_meters(hass, account))
    await hass.config_entries.async_remove(account.entry_id)
    with pytest.raises(UnknownEntry):
        await finish_adding(hass, progress)


async def test_several_devices_are_added_while_the_account_is_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """They have entities after the account is loaded."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter")
    await hass.config_entries.async_unload(account.entry_id)
    form = await submit(hass, await start(hass, account), imei=IMEI, several={CONF_MORE: [OTHER_IMEI]})
    await finish_adding(hass, await start_adding(hass, form))
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert devices_of(account).added.keys() == {IMEI, OTHER_IMEI}


async def test_a_device_is_added_like_another_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The form has the resources and settings of that device; identity and title are the device's own."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3, 0, 9): 87})
    onenet.onenet.report(OTHER_IMEI)
    settings = {CONF_RESOURCES: [UNIT, HUMIDITY], CONF_KIND: "valve"}
    await submit(hass, await choose(hass, account), **settings, overdue_after={"days": 1}, history_days=30)
    (like,) = account.subentries.values()
    await add_device(hass, account, imei="866971030000003", title="Meter 10")
    await add_device(hass, account, imei="866971030000004", title="Meter 9")
    form = await start(hass, account)
    labels = [option["label"] for option in fields_of(form)[CONF_LIKE].config["options"]]
    assert (list(fields_of(form)), labels) == ([CONF_IMEI, CONF_LIKE], ["Meter 9", "Meter 10", "Water meter"])
    result = await submit(hass, form, imei="0815", like=like.subentry_id)
    assert result["data_schema"]
    _, kept = result["data_schema"].schema
    assert kept.description == {"suggested_value": like.subentry_id}
    result = await submit(hass, result, imei=OTHER_IMEI, like=like.subentry_id)
    assert (step_of(result), result["errors"]) == ("like_resources", {})
    assert list(offered(result)) == ["3/0/9", UNIT, HUMIDITY]
    assert (suggested(result), kind_of(result)) == ([UNIT, HUMIDITY], "valve")
    assert result["data_schema"]
    *_, duration, days, _ = result["data_schema"].schema
    assert duration.description == {"suggested_value": {"days": 1, "hours": 0, "minutes": 0}}
    result = await submit(hass, result, **settings, overdue_after={"days": 1}, history_days=days.default())
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Gas meter")
    own = {CONF_IMEI, CONF_ONENET_ID}
    assert {name: value for name, value in result["data"].items() if name not in own} == {
        name: value for name, value in like.data.items() if name not in own
    }
    assert result["data"][CONF_ONENET_ID] != like.data[CONF_ONENET_ID]


async def test_a_device_is_added_like_another_one_where_devices_cannot_be_listed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The kind is guessed if that device has none; a device that was removed meanwhile is ignored."""
    like = await add_device(hass, account, HUMIDITY, imei=OTHER_IMEI, title="Hall")
    onenet.onenet.report(IMEI)
    onenet.faults.append(missing(account, "list", times=2))
    forms = [await start(hass, account) for _ in range(2)]
    assert [form["step_id"] for form in forms] == ["imei", "imei"]
    assert fields_of(forms[0]).keys() == {CONF_IMEI, CONF_LIKE}
    result = await submit(hass, forms[0], imei=IMEI, like=like.subentry_id)
    assert (step_of(result), suggested(result), kind_of(result)) == ("like_resources", [HUMIDITY], "water_meter")
    hass.config_entries.async_remove_subentry(account, like.subentry_id)
    await hass.async_block_till_done()
    result = await submit(hass, forms[1], imei=IMEI, like=like.subentry_id)
    assert (step_of(result), suggested(result)) == ("resources", [TEMPERATURE])


async def test_the_form_of_the_devices_can_be_requested_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The dialog that opens after the account dialog requests the form once more; devices are listed once."""
    form = await start(hass, account)
    onenet.requests.clear()
    again = checked(await hass.config_entries.subentries.async_configure(form["flow_id"]))
    assert (step_of(again), offered(again)) == ("user", offered(form))
    assert not onenet.requests


async def choose_lamp(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> SubentryFlowResult:
    """Select a lamp with readable, writable and executable resources, and return the form of its resources."""
    resources = {(3311, 0, 5850): False, (3311, 0, 5851): 40, (3311, 0, 5805): 1200, (3311, 0, 5750): "street"}
    lamp = onenet.onenet.products[0].add(OTHER_IMEI, "路灯 7", resources)
    lamp.executables.add((3, 0, 4))
    lamp.online = True
    onenet.onenet.report(OTHER_IMEI)
    return await submit(hass, await start(hass, account), imei=OTHER_IMEI)


async def test_writable_and_executable_resources_are_offered_as_controls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """None is preselected; a text cannot be one, and a resource that is only executed is not offered as a value."""
    result = await choose_lamp(hass, account, onenet)
    controls = {option["value"]: option["label"] for option in fields_of(result)[CONF_CONTROLS].config["options"]}
    assert controls == {
        "3/0/4": "Reboot (3/0/4)",
        "3311/0/5850": "Light (3311/0/5850)",
        "3311/0/5851": "Light brightness (3311/0/5851)",
    }
    assert "3/0/4" not in offered(result)
    assert [key.description for key in schema_of(result) if key == CONF_CONTROLS] == [{"suggested_value": []}]
    assert [key.default() for key in schema_of(result) if key == CONF_AT_ONCE] == [False]


async def test_controls_are_stored_and_can_be_changed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Paths are stored in one spelling; without controls, nothing is."""
    result = await choose_lamp(hass, account, onenet)
    for wrong in ("lamp", "3311/0/5750", "33000/0/1", "3311/0"):
        result = await submit(hass, result, controls=[wrong], at_once=True)
        assert result["errors"] == {CONF_CONTROLS: "invalid_control"}
    await submit(hass, result, controls=["3311_0_5850", "3311/0/5850", "3342/0/5500"], at_once=True)
    (subentry,) = account.subentries.values()
    assert subentry.data[CONF_CONTROLS] == ["3311/0/5850", "3342/0/5500"]
    assert subentry.data[CONF_AT_ONCE] is True
    result = await reconfigure(hass, account, subentry)
    suggested_controls = [key.description for key in schema_of(result) if key == CONF_CONTROLS]
    assert suggested_controls == [{"suggested_value": ["3311/0/5850", "3342/0/5500"]}]
    assert [key.default() for key in schema_of(result) if key == CONF_AT_ONCE] == [True]
    await submit(hass, result, controls=[], at_once=False)
    (subentry,) = account.subentries.values()
    assert not {CONF_CONTROLS, CONF_AT_ONCE} & subentry.data.keys()


async def test_a_device_like_another_one_has_its_controls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """They are suggested with the resources."""
    await submit(hass, await choose_lamp(hass, account, onenet), controls=["3311/0/5850"], at_once=True)
    (like,) = account.subentries.values()
    result = await submit(hass, await start(hass, account), imei=IMEI, like=like.subentry_id)
    await submit(hass, result, controls=["3311/0/5850"], at_once=True)
    assert [key.description for key in schema_of(result) if key == CONF_CONTROLS] == [
        {"suggested_value": ["3311/0/5850"]}
    ]
    assert [key.default() for key in schema_of(result) if key == CONF_AT_ONCE] == [True]


def schema_of(result: SubentryFlowResult) -> list[Any]:
    """Return the keys of a form."""
    assert result["data_schema"]
    return list(result["data_schema"].schema)
