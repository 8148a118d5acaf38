"""The dialog in which a person adds a device to an account, or changes what is shown of it."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, SubentryFlowResult
from homeassistant.const import CONF_API_KEY, CONF_URL, STATE_UNKNOWN, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.selector import SelectSelector, TextSelector
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot.const import CONF_IMEI, CONF_PLATFORM, CONF_RESOURCES, DOMAIN, SUBENTRY_DEVICE

from .conftest import EVERY_PLATFORM, IMEI, KEY, LEGACY_ONLY, SECRETS, add_device, revoke
from .emulator import Device, Fault, FaultKind, Server

WITH_ACCOUNTS = EVERY_PLATFORM

NOBODY = "http://127.0.0.1:9"
OTHER_IMEI = "866971030000002"
TEMPERATURE = "3303/0/5700"
UNIT = "3303/0/5701"
# What is wrong with a reply, and the text that a person sees.
TROUBLES = [
    (Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"), "invalid_auth"),
    (Fault(kind=FaultKind.ERRNO, errno=10403, text="auth failed"), "invalid_auth"),
    (Fault(kind=FaultKind.PAGE, status=401), "invalid_auth"),
    (Fault(kind=FaultKind.ERRNO, errno=15, text="called too often"), "platform_error"),
    (Fault(kind=FaultKind.ERRNO, errno=10500, text="internal error"), "platform_error"),
    (Fault(kind=FaultKind.ERRNO, errno=424242, text="new"), "platform_error"),
    (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
    (Fault(kind=FaultKind.TRUNCATED), "no_reply"),
    (Fault(kind=FaultKind.PAGE, status=503), "no_reply"),
    (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
    (Fault(kind=FaultKind.DATA, data="none"), "unexpected_reply"),
]
every_trouble = pytest.mark.parametrize(("fault", "error"), TROUBLES)


def lists_devices(account: MockConfigEntry) -> bool:
    """Return whether an account's platform lists its devices."""
    return account.data.get(CONF_PLATFORM) != "current"


def title(account: MockConfigEntry) -> str:
    """Return what the device of the tests is called once it was added."""
    return "Water meter" if lists_devices(account) else IMEI


def slug(account: MockConfigEntry) -> str:
    """Return how the ids of its entities begin."""
    return "water_meter" if lists_devices(account) else IMEI


def field(result: SubentryFlowResult) -> tuple[Any, Any]:
    """Return the one field of a form, and its selector."""
    assert result["type"] is FlowResultType.FORM
    assert result["data_schema"]
    ((key, selector),) = result["data_schema"].schema.items()
    return key, selector


def offered(result: SubentryFlowResult) -> dict[str, str]:
    """Return what a person can choose from, by value."""
    _, selector = field(result)
    if isinstance(selector, TextSelector):
        return {}
    assert isinstance(selector, SelectSelector)
    # What is not in the list can be typed.
    assert selector.config["custom_value"]
    options: Sequence[Any] = selector.config["options"]
    values = [option["value"] for option in options]
    assert len(values) == len(set(values))
    return {option["value"]: option["label"] for option in options}


def suggested(result: SubentryFlowResult) -> Any:
    """Return what a form is filled in with."""
    return (field(result)[0].description or {}).get("suggested_value")


def checked(result: SubentryFlowResult) -> SubentryFlowResult:
    """Return what a dialog shows, in which there must be no key."""
    form = str([offered(result), suggested(result)]) if result["type"] is FlowResultType.FORM else ""
    assert not [secret for secret in SECRETS if secret in f"{form}{result}"]
    return result


async def start(hass: HomeAssistant, account: MockConfigEntry) -> SubentryFlowResult:
    """Open the dialog that adds a device."""
    handler = (account.entry_id, SUBENTRY_DEVICE)
    result = checked(await hass.config_entries.subentries.async_init(handler, context={"source": SOURCE_USER}))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    return result


async def reconfigure(hass: HomeAssistant, account: MockConfigEntry, subentry: ConfigSubentry) -> SubentryFlowResult:
    """Open the dialog that changes what is shown of a device."""
    # The harness says that it is the flow of an account.
    opened: Any = await account.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = checked(opened)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    return result


async def submit(hass: HomeAssistant, result: SubentryFlowResult, **typed: Any) -> SubentryFlowResult:
    """Send the form of a dialog."""
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], typed)
    await hass.async_block_till_done(wait_background_tasks=True)
    return checked(result)


async def choose(hass: HomeAssistant, account: MockConfigEntry, imei: str = IMEI) -> SubentryFlowResult:
    """Open the dialog as far as the question what is to be shown."""
    result = await submit(hass, await start(hass, account), imei=imei)
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "resources", {})
    return result


async def add(hass: HomeAssistant, account: MockConfigEntry, *resources: str, imei: str = IMEI) -> ConfigSubentry:
    """Add a device by the dialog, and return it."""
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
    """Return the ids of the entities that show a device's resources, by path."""
    return {
        entity.unique_id.rpartition("_")[2]: entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if entity.config_subentry_id == subentry.subentry_id and "/" in entity.unique_id
    }


def message(result: SubentryFlowResult) -> str:
    """Return what OneNET said, as a form tells it."""
    placeholders = result["description_placeholders"]
    assert placeholders
    return placeholders["message"]


@LEGACY_ONLY
async def test_a_person_chooses_a_device_from_the_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would have to find out the IMEI, and would see nothing of the device before it wakes again."""
    onenet.onenet.report(IMEI)
    onenet.onenet.set_online(IMEI, online=True)
    result = await start(hass, account)
    assert not result["errors"]
    assert offered(result) == {IMEI: f"Water meter ({IMEI})"}
    result = await submit(hass, result, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {})
    placeholders = result["description_placeholders"]
    assert placeholders
    assert (placeholders["name"], placeholders["imei"]) == ("Water meter", IMEI)
    result = await submit(hass, result, resources=suggested(result))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Water meter")
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: [TEMPERATURE]}
    (subentry,) = account.subentries.values()
    assert (subentry.title, subentry.unique_id, dict(subentry.data)) == ("Water meter", IMEI, result["data"])
    state = hass.states.get("sensor.water_meter_temperature")
    assert state
    assert (state.state, state.attributes["unit_of_measurement"]) == ("21.5", "°C")
    connectivity = hass.states.get("binary_sensor.water_meter_connectivity")
    assert connectivity
    assert connectivity.state == "on"


@pytest.mark.parametrize("typed", [IMEI, f"  {IMEI}\n"])
async def test_a_person_types_an_imei(hass: HomeAssistant, account: MockConfigEntry, typed: str) -> None:
    """A device that no list has, or that was pasted with a blank, could not be added."""
    result = await submit(hass, await start(hass, account), imei=typed)
    assert (result["step_id"], result["errors"]) == ("resources", {})
    result = await submit(hass, result, resources=suggested(result))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, title(account))
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: [TEMPERATURE]}
    (subentry,) = account.subentries.values()
    assert subentry.unique_id == IMEI
    (device,) = (
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
        if device.serial_number
    )
    assert (device.name, device.serial_number) == (title(account), IMEI)
    assert device.config_subentry_id == subentry.subentry_id
    assert {f"sensor.{slug(account)}_temperature", f"binary_sensor.{slug(account)}_connectivity"} <= entity_ids(
        hass, subentry
    )
    state = hass.states.get(f"sensor.{slug(account)}_temperature")
    assert state
    # It has told nothing yet.
    assert state.state == STATE_UNKNOWN


async def test_without_a_list_the_imei_is_asked_for(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would look for devices in a list that never has any."""
    onenet.requests.clear()
    result = await start(hass, account)
    assert not result["errors"]
    assert isinstance(field(result)[1], SelectSelector) is lists_devices(account)
    assert len(onenet.requests) == lists_devices(account)


async def test_measurements_are_chosen_already(hass: HomeAssistant, account: MockConfigEntry, device: Device) -> None:
    """A person would have to know which of dozens of numbers are worth to be seen."""
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
        "19/0/0": "19/0/0 (19/0/0)",
        "3303/0/5700": "Temperature (3303/0/5700)",
        "3303/0/5701": "Temperature Sensor Units (3303/0/5701)",
        "3303/1/5700": "Temperature 1 (3303/1/5700)",
        "3342/0/5500": "Switch (3342/0/5500)",
    }
    # In the order of their numbers.
    assert list(offered(result)) == ["3/0/0", "3/0/9", "19/0/0", TEMPERATURE, UNIT, "3303/1/5700", "3342/0/5500"]
    assert suggested(result) == ["3/0/9", TEMPERATURE, "3303/1/5700", "3342/0/5500"]


async def test_what_is_offered_has_the_name_that_its_entity_gets(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """A person would choose something, and not find it again."""
    device.resources |= {
        (3, 0, 0): "Maker",
        (3, 0, 9): 87,
        (3303, 1, 5700): 3.5,
        (3342, 0, 5500): True,
        (3311, 2, 1): 1,
    }
    labels = offered(await choose(hass, account))
    subentry = await add(hass, account, *labels)
    for path, entity_id in resource_ids(hass, subentry).items():
        state = hass.states.get(entity_id)
        assert state
        assert state.name == f"{title(account)} {labels[path]}".removesuffix(f" ({path})")
    assert resource_ids(hass, subentry).keys() == labels.keys()


@pytest.mark.parametrize(
    ("language", "label"),
    [("zh-Hans", "温度"), ("en", "Temperature"), ("en-GB", "Temperature"), ("de", "Temperature")],
)
async def test_what_is_offered_is_in_the_language_of_home_assistant(
    hass: HomeAssistant, account: MockConfigEntry, language: str, label: str
) -> None:
    """A person in China would have to know English."""
    hass.config.language = language
    assert offered(await choose(hass, account))[TEMPERATURE] == f"{label} ({TEMPERATURE})"


@LEGACY_ONLY
async def test_what_a_device_has_sent_is_offered_too(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """A person could not choose what OneNET has values of but does not list."""
    onenet.onenet.report(IMEI, {(3304, 0, 5700): 40.0})
    del device.resources[3304, 0, 5700]
    result = await choose(hass, account)
    assert offered(result)["3304/0/5700"] == "Humidity (3304/0/5700)"
    assert suggested(result) == [TEMPERATURE, "3304/0/5700"]


@LEGACY_ONLY
async def test_a_datastream_of_another_name_is_left_out(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, device: Device
) -> None:
    """A person could add nothing of a device that sends something else, too."""
    streams = [{"id": name, "at": "2026-11-23 12:00:00", "value": 1} for name in ("level", "3304_0_5700")]
    data = {"devices": [{"id": device.id, "title": "", "datastreams": streams}]}
    onenet.faults.append(Fault(kind=FaultKind.DATA, path="/datapoints", data=data))
    assert list(offered(await choose(hass, account))) == [TEMPERATURE, UNIT, "3304/0/5700"]


@LEGACY_ONLY
async def test_a_list_of_thousands_of_devices_is_complete_and_in_order(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would scroll for ever, or not find a device."""
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
    assert [request.path for request in onenet.requests] == ["/devices"] * 24
    assert sorted(int(request.query["page"]) for request in onenet.requests) == list(range(1, 25))


@LEGACY_ONLY
async def test_a_device_without_a_title_is_called_by_its_imei(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would have a device, and entities, without a name."""
    onenet.onenet.products[0].add(OTHER_IMEI, "", {(3303, 0, 5700): 1.5})
    assert list(offered(await start(hass, account)).items()) == [
        (OTHER_IMEI, OTHER_IMEI),
        (IMEI, f"Water meter ({IMEI})"),
    ]
    subentry = await add(hass, account, TEMPERATURE, imei=OTHER_IMEI)
    assert subentry.title == OTHER_IMEI
    assert hass.states.get(f"sensor.{OTHER_IMEI}_temperature")


@LEGACY_ONLY
async def test_a_title_of_blanks_is_none(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A person would have a device, and entities, without a name."""
    onenet.onenet.products[0].add(OTHER_IMEI, "  ")
    subentry = await add(hass, account, imei=OTHER_IMEI)
    assert subentry.title == OTHER_IMEI


@LEGACY_ONLY
@pytest.mark.parametrize(("total_count", "requests"), [(-1, 1), (0, 1), (1, 1), (10**9, 6)])
async def test_a_wrong_number_of_devices_does_not_matter(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, total_count: int, requests: int
) -> None:
    """A person would see no device, or wait for ever."""
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


@LEGACY_ONLY
async def test_a_page_that_comes_again_ends_the_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would wait for ever, or see a device several times."""
    listed = [{"id": 1, "title": "Water meter", "auth_info": {IMEI: "460"}, "online": False}]
    onenet.faults.append(
        Fault(kind=FaultKind.DATA, path="/devices", data={"total_count": 10**5, "devices": listed}, times=10_000)
    )
    onenet.requests.clear()
    result = await start(hass, account)
    assert offered(result) == {IMEI: f"Water meter ({IMEI})"}
    assert len(onenet.requests) == 6


@LEGACY_ONLY
async def test_devices_of_other_protocols_are_left_out(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person could choose what cannot be added."""
    listed = [
        {"id": 1, "title": "Camera", "auth_info": "camera-1", "online": False},
        {"id": 2, "title": "Gateway", "online": False},
        {"id": 4, "title": "Bridge", "auth_info": {"bridge-1": "secret"}, "online": False},
        {"id": 3, "title": "Water meter", "auth_info": {IMEI: "460"}, "online": False},
    ]
    onenet.faults.append(Fault(kind=FaultKind.DATA, path="/devices", data={"total_count": 4, "devices": listed}))
    assert offered(await start(hass, account)) == {IMEI: f"Water meter ({IMEI})"}


@LEGACY_ONLY
async def test_a_device_that_was_added_is_not_offered_again(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person would choose a device only to hear that it is there."""
    await add(hass, account, TEMPERATURE)
    result = await start(hass, account)
    assert offered(result) == {}
    assert not result["errors"]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", {CONF_IMEI: "invalid_imei"}),
        ("Water meter", {CONF_IMEI: "invalid_imei"}),
        (IMEI[:-1], {CONF_IMEI: "invalid_imei"}),
        (f"0{IMEI[1:]}", {CONF_IMEI: "invalid_imei"}),
        ("８６６９７１０３０００００００１", {CONF_IMEI: "invalid_imei"}),  # noqa: RUF001 - a Chinese keyboard has them
        (OTHER_IMEI, {"base": "unknown_device"}),
        ("0815", {"base": "unknown_device"}),
    ],
)
async def test_a_wrong_imei_can_be_mended(
    hass: HomeAssistant, account: MockConfigEntry, typed: str, error: dict[str, str]
) -> None:
    """A person would have to start again, or have a device that never says anything."""
    form = await start(hass, account)
    result = await submit(hass, form, imei=typed)
    assert (result["step_id"], result["errors"]) == ("user", error)
    assert suggested(result) == typed
    assert offered(result) == offered(form)
    result = await submit(hass, result, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {})


async def test_a_device_is_not_added_twice(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A person would have everything twice."""
    await add(hass, account, TEMPERATURE)
    form = await start(hass, account)
    onenet.requests.clear()
    result = await submit(hass, form, imei=f" {IMEI}")
    assert (result["step_id"], result["errors"]) == ("user", {CONF_IMEI: "already_added"})
    assert not onenet.requests
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter")
    assert (await submit(hass, result, imei=OTHER_IMEI))["step_id"] == "resources"


async def test_of_two_dialogs_for_one_device_the_later_is_told(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Two persons would add one device twice, or one of them see an error of Home Assistant's."""
    dialogs = [await choose(hass, account) for _ in range(2)]
    results = [await submit(hass, dialog, resources=[TEMPERATURE]) for dialog in dialogs]
    assert results[0]["type"] is FlowResultType.CREATE_ENTRY
    assert (results[1]["type"], results[1]["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert len(account.subentries) == 1


@LEGACY_ONLY
@every_trouble
async def test_trouble_with_the_list_is_told_and_an_imei_can_be_typed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """A person could add nothing, and would not hear why."""
    onenet.faults.append(Fault(**vars(fault)))
    result = await start(hass, account)
    assert result["errors"] == {"base": error}
    assert message(result)
    assert isinstance(field(result)[1], TextSelector)
    result = await submit(hass, result, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {})
    # Opened again, it lists them.
    assert offered(await start(hass, account)) == {IMEI: f"Water meter ({IMEI})"}


@LEGACY_ONLY
async def test_trouble_on_a_later_page_is_told(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A person would take half a list for the whole."""
    for number in range(700):
        onenet.onenet.products[0].add(f"8669710400{number:05}", "Meter")
    onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/devices", times=3))
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/devices", times=2))
    result = await start(hass, account)
    assert result["errors"] == {"base": "no_reply"}
    assert (await submit(hass, result, imei=IMEI))["step_id"] == "resources"


@every_trouble
async def test_trouble_while_a_device_is_confirmed_is_told_and_can_be_mended(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """A person would have to start again, without a hint."""
    form = await start(hass, account)
    path = "/getbyimei" if lists_devices(account) else "/resources"
    onenet.faults.append(Fault(**vars(fault) | {"path": path}))
    result = await submit(hass, form, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("user", {"base": error})
    assert message(result)
    assert suggested(result) == IMEI
    result = await submit(hass, result, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {})


@every_trouble
async def test_trouble_with_the_resources_is_told_and_they_can_be_typed(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str
) -> None:
    """A person could not add a device of which OneNET cannot tell what it has."""
    form = await start(hass, account)
    if not lists_devices(account):
        # The device is confirmed by the same call.
        onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/resources"))
    onenet.faults.append(Fault(**vars(fault) | {"path": "/resources"}))
    result = await submit(hass, form, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {"base": error})
    assert message(result)
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_RESOURCES] == [TEMPERATURE]


@LEGACY_ONLY
@every_trouble
@pytest.mark.parametrize("later", [False, True])
async def test_trouble_with_the_datastreams_leaves_what_is_known(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, fault: Fault, error: str, *, later: bool
) -> None:
    """A person would have to type what OneNET had told already, where it has no datastreams."""
    form = await start(hass, account)
    if not later:
        onenet.faults.append(Fault(kind=FaultKind.DELAY, path="/getbyimei"))
    onenet.faults.append(Fault(**vars(fault) | {"path": "/datapoints" if later else "/getbyimei"}))
    result = await submit(hass, form, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("resources", {"base": error})
    assert list(offered(result)) == [TEMPERATURE, UNIT]
    assert suggested(result) == [TEMPERATURE]
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(("scheme", "error"), [("http", "cannot_connect"), ("https", "tls_failed")])
async def test_without_onenet_a_person_is_told_and_can_go_on(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, scheme: str, error: str
) -> None:
    """A person would see an error of Home Assistant's."""
    url = NOBODY if scheme == "http" else onenet.url.replace("http:", "https:")
    hass.config_entries.async_update_entry(account, data={**account.data, CONF_URL: url})
    result = await start(hass, account)
    assert result["errors"] == ({"base": error} if lists_devices(account) else {})
    result = await submit(hass, result, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("user", {"base": error})
    hass.config_entries.async_update_entry(account, data={**account.data, CONF_URL: onenet.url})
    assert (await submit(hass, result, imei=IMEI))["step_id"] == "resources"


@LEGACY_ONLY
async def test_what_onenet_says_shows_no_key(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A key would stand in a form that somebody takes a picture of."""
    assert account.data[CONF_API_KEY] == KEY
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=15, text=f"{KEY} calls too often", times=2))
    result = await start(hass, account)
    assert "calls too often" in message(result)
    result = await submit(hass, result, imei=IMEI)
    assert "calls too often" in message(result)


@pytest.mark.parametrize("typed", ["", "temperature", "3303", "3303/0", "3303/0/5700/0", "3303/0/65536", "-1/0/1"])
async def test_a_wrong_resource_can_be_mended(hass: HomeAssistant, account: MockConfigEntry, typed: str) -> None:
    """A person would have to choose all the others again."""
    form = await choose(hass, account)
    result = await submit(hass, form, resources=[TEMPERATURE, typed])
    assert (result["step_id"], result["errors"]) == ("resources", {CONF_RESOURCES: "invalid_resource"})
    assert suggested(result) == [TEMPERATURE, typed]
    assert offered(result) == offered(form)
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("typed", ["3/0/4", "0/0/5", "3200/0/5505"])
async def test_what_can_only_be_executed_is_not_shown(
    hass: HomeAssistant, account: MockConfigEntry, typed: str
) -> None:
    """A person would have an entity that stays unknown for ever."""
    result = await submit(hass, await choose(hass, account), resources=[TEMPERATURE, typed])
    assert (result["step_id"], result["errors"]) == ("resources", {CONF_RESOURCES: "unreadable_resource"})


async def test_a_resource_is_typed_as_lwm2m_or_as_datastreams_have_it(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A person would have everything twice, or be told that what OneNET's console shows is wrong."""
    typed = ["3304_0_5700", TEMPERATURE, " 3303_0_5700 ", "3304/0/5700", "03303/0/5700", "10241/65535/0"]
    result = await submit(hass, await choose(hass, account), resources=typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_RESOURCES] == ["3304/0/5700", TEMPERATURE, "10241/65535/0"]
    (subentry,) = account.subentries.values()
    assert resource_ids(hass, subentry).keys() == set(result["data"][CONF_RESOURCES])


@pytest.mark.parametrize("typed", [{}, {CONF_RESOURCES: []}])
async def test_nothing_need_be_shown(hass: HomeAssistant, account: MockConfigEntry, typed: dict[str, Any]) -> None:
    """A person who only sends commands would be made to show something."""
    result = await submit(hass, await choose(hass, account), **typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_IMEI: IMEI, CONF_RESOURCES: []}
    (subentry,) = account.subentries.values()
    assert resource_ids(hass, subentry) == {}
    assert f"binary_sensor.{slug(account)}_connectivity" in entity_ids(hass, subentry)


async def test_a_program_can_look_at_a_form_again(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A browser that is loaded anew would show an error."""
    form = await choose(hass, account)
    again = checked(await hass.config_entries.subentries.async_configure(form["flow_id"]))
    assert (again["step_id"], offered(again), suggested(again)) == ("resources", offered(form), suggested(form))


async def test_a_browser_can_show_the_forms(
    hass: HomeAssistant,
    account: MockConfigEntry,
    device: Device,
    hass_client: ClientSessionGenerator,
    expected_warnings: list[str],
) -> None:
    """A person would see an error instead of a form, because of a title that OneNET cut in the middle of a sign."""
    expected_warnings.append("zlib_ng and isal are not available")
    device.title = f"水表 {chr(0xD83D)}"
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    url = "/api/config/config_entries/subentries/flow"
    response = await client.post(url, json={"handler": [account.entry_id, SUBENTRY_DEVICE]})
    assert response.status == HTTPStatus.OK
    form = await response.json()
    (shown,) = form["data_schema"]
    assert (shown["name"], shown["required"]) == (CONF_IMEI, True)
    assert list(shown["selector"]) == ["select" if lists_devices(account) else "text"]
    response = await client.post(f"{url}/{form['flow_id']}", json={CONF_IMEI: IMEI})
    assert response.status == HTTPStatus.OK
    form = await response.json()
    (shown,) = form["data_schema"]
    assert shown["name"] == CONF_RESOURCES
    assert (shown["selector"]["select"]["multiple"], shown["selector"]["select"]["custom_value"]) == (True, True)
    assert shown["description"] == {"suggested_value": [TEMPERATURE]}
    response = await client.post(f"{url}/{form['flow_id']}", json={CONF_RESOURCES: [TEMPERATURE]})
    assert response.status == HTTPStatus.OK
    assert (await response.json())["type"] == FlowResultType.CREATE_ENTRY
    (subentry,) = account.subentries.values()
    # It can be stored, too.
    assert subentry.title == ("水表 ?" if lists_devices(account) else IMEI)


async def test_what_is_shown_can_be_changed(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """A person would have to remove a device, and its history, to see something more of it, or something less."""
    device.resources |= {(3, 0, 9): 87, (3304, 0, 5700): 40.5}
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, TEMPERATURE, UNIT, "3/0/9")
    before = resource_ids(hass, subentry)
    others = entity_ids(hass, subentry) - set(before.values())
    registry = er.async_get(hass)
    kept = registry.async_update_entity(before[TEMPERATURE], new_entity_id="sensor.cellar")
    result = await reconfigure(hass, account, subentry)
    assert not result["errors"]
    placeholders = result["description_placeholders"]
    assert placeholders
    assert (placeholders["name"], placeholders["imei"]) == (title(account), IMEI)
    assert suggested(result) == [TEMPERATURE, UNIT, "3/0/9"]
    assert list(offered(result)) == ["3/0/9", TEMPERATURE, UNIT, "3304/0/5700"]
    result = await submit(hass, result, resources=["3304/0/5700", TEMPERATURE])
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    (changed,) = account.subentries.values()
    assert (changed.subentry_id, changed.title, changed.unique_id) == (subentry.subentry_id, title(account), IMEI)
    assert dict(changed.data) == {CONF_IMEI: IMEI, CONF_RESOURCES: ["3304/0/5700", TEMPERATURE]}
    humidity = f"sensor.{slug(account)}_humidity"
    assert resource_ids(hass, changed) == {TEMPERATURE: kept.entity_id, "3304/0/5700": humidity}
    assert entity_ids(hass, changed) == others | {kept.entity_id, humidity}
    for gone in (before[UNIT], before["3/0/9"]):
        assert registry.async_get(gone) is None
        assert hass.states.get(gone) is None
    if lists_devices(account):
        await account.runtime_data.async_refresh()
        await hass.async_block_till_done(wait_background_tasks=True)
        state = hass.states.get(humidity)
        assert state
        assert state.state == "40.5"


async def test_what_is_shown_is_changed_in_vain_without_harm(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person who only looked, or mistyped, would lose something."""
    subentry = await add(hass, account, TEMPERATURE)
    before = entity_ids(hass, subentry)
    result = await submit(hass, await reconfigure(hass, account, subentry), resources=["temperature"])
    assert (result["step_id"], result["errors"]) == ("reconfigure", {CONF_RESOURCES: "invalid_resource"})
    assert suggested(result) == ["temperature"]
    result = await submit(hass, result, resources=[TEMPERATURE])
    assert result["reason"] == "reconfigure_successful"
    assert entity_ids(hass, subentry) == before


async def test_what_is_shown_stays_offered_when_onenet_knows_it_no_more(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """A person would lose what they see by opening a dialog."""
    subentry = await add(hass, account, TEMPERATURE, "3304/0/5700")
    device.resources.clear()
    result = await reconfigure(hass, account, subentry)
    assert offered(result) == {
        TEMPERATURE: f"Temperature ({TEMPERATURE})",
        "3304/0/5700": "Humidity (3304/0/5700)",
    }
    assert suggested(result) == [TEMPERATURE, "3304/0/5700"]


async def test_what_is_shown_can_be_changed_while_onenet_is_down(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """A person would lose what they see, or would have to wait."""
    expected_warnings.append("Error fetching OneNET data")
    subentry = await add(hass, account, TEMPERATURE, "3304/0/5700")
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, times=100))
    result = await reconfigure(hass, account, subentry)
    assert result["errors"] == {"base": "no_reply"}
    assert list(offered(result)) == suggested(result) == [TEMPERATURE, "3304/0/5700"]
    result = await submit(hass, result, resources=[TEMPERATURE, "3/0/9"])
    assert result["reason"] == "reconfigure_successful"
    (changed,) = account.subentries.values()
    assert changed.data[CONF_RESOURCES] == [TEMPERATURE, "3/0/9"]
    assert resource_ids(hass, changed).keys() == {TEMPERATURE, "3/0/9"}


async def test_a_device_is_removed_with_its_entities(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person would be left with entities that nobody can remove."""
    subentry = await add(hass, account, TEMPERATURE)
    ids = entity_ids(hass, subentry)
    assert len(dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)) == 2
    assert hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not [entity_id for entity_id in ids if hass.states.get(entity_id)]
    assert entity_ids(hass, subentry) == set()
    # That of the account.
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}
    assert account.runtime_data.devices.added == {}


async def test_a_removed_device_can_be_added_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person who removed a device by mistake could not undo it, or would see nothing of it for an hour."""
    onenet.onenet.report(IMEI)
    subentry = await add(hass, account, TEMPERATURE)
    ids = entity_ids(hass, subentry)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    again = await add(hass, account, TEMPERATURE)
    assert entity_ids(hass, again) == ids
    # So soon after another, the round waits a little.
    await account.runtime_data.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get(f"sensor.{slug(account)}_temperature")
    assert state
    assert state.state == ("21.5" if lists_devices(account) else STATE_UNKNOWN)


async def test_devices_are_added_while_the_account_is_not_set_up(
    hass: HomeAssistant, account: MockConfigEntry, device: Device, onenet: Server
) -> None:
    """A person would have to mend everything else first."""
    await hass.config_entries.async_unload(account.entry_id)
    subentry = await add(hass, account, TEMPERATURE, UNIT)
    assert entity_ids(hass, subentry) == set()
    result = await submit(hass, await reconfigure(hass, account, subentry), resources=[TEMPERATURE])
    assert result["reason"] == "reconfigure_successful"
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert resource_ids(hass, subentry) == {TEMPERATURE: f"sensor.{slug(account)}_temperature"}


async def test_what_is_shown_is_changed_while_the_account_is_not_set_up(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A person would see entities that they took away until they add something."""
    subentry = await add(hass, account, TEMPERATURE, UNIT)
    await hass.config_entries.async_unload(account.entry_id)
    await submit(hass, await reconfigure(hass, account, subentry), resources=["3304/0/5700", TEMPERATURE])
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert resource_ids(hass, subentry) == {
        TEMPERATURE: f"sensor.{slug(account)}_temperature",
        "3304/0/5700": f"sensor.{slug(account)}_humidity",
    }


async def test_a_device_is_removed_while_the_account_is_not_set_up(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A person would find the device again after the next start."""
    subentry = await add(hass, account, TEMPERATURE)
    await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_remove_subentry(account, subentry.subentry_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert account.runtime_data.devices.added == {}
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert device.identifiers == {(DOMAIN, account.entry_id)}


async def test_a_refused_key_is_told_in_the_dialog(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would look for the mistake in the IMEI."""
    form = await start(hass, account)
    revoke(onenet)
    result = await submit(hass, form, imei=IMEI)
    assert (result["step_id"], result["errors"]) == ("user", {"base": "invalid_auth"})


async def test_several_devices_are_added_at_once(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """Two persons, or two windows, would be in each other's way."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Gas meter", {(3303, 0, 5700): 5.5})
    await asyncio.gather(*(add(hass, account, TEMPERATURE, imei=imei) for imei in (IMEI, OTHER_IMEI)))
    assert {subentry.unique_id for subentry in account.subentries.values()} == {IMEI, OTHER_IMEI}
    assert account.runtime_data.devices.added.keys() == {IMEI, OTHER_IMEI}


async def test_what_tells_of_the_device_itself_is_apart(
    hass: HomeAssistant, account: MockConfigEntry, device: Device
) -> None:
    """A dashboard would be full of batteries and signal strengths."""
    device.resources[3, 0, 9] = 87
    subentry = await add(hass, account, TEMPERATURE, "3/0/9")
    ids = resource_ids(hass, subentry)
    categories = {path: er.async_get(hass).entities[entity_id].entity_category for path, entity_id in ids.items()}
    assert categories == {TEMPERATURE: None, "3/0/9": EntityCategory.DIAGNOSTIC}
