"""Tests of the config flow of accounts and of their options flow."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult, FlowType
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow, FlowResultType, InvalidData, section
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot import config_flow
from custom_components.onenet_nbiot.const import (
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_REGION,
    CONF_SERVER,
    CONF_USER_ID,
    DOMAIN,
    SERVICE_GET_COMMAND,
    SERVICE_LIST_COMMANDS,
)
from custom_components.onenet_nbiot.device_flow import OneNetDeviceFlow
from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.platforms import PLATFORMS

from .common import (
    ACCESS_KEY,
    ACCOUNTS,
    DEVICE_KEY,
    IMEI,
    PRODUCT_ID,
    SECRETS,
    UNREACHABLE_URL,
    coordinator_of,
    offline_read,
)
from .emulator import Fault, FaultKind, Generation, OneNet, Product, Server, Trigger

SECOND_KEY = "key-of-the-second-product"
SECOND_ACCESS_KEY = b64encode(b"access key of the second product").decode()
SECOND_PRODUCT = {CONF_API_KEY: SECOND_KEY, CONF_PRODUCT_ID: "Second", CONF_ACCESS_KEY: SECOND_ACCESS_KEY}
# Keys that exist, but do not belong to this product.
OTHER_KEY = {CONF_API_KEY: DEVICE_KEY, CONF_ACCESS_KEY: SECOND_ACCESS_KEY}
USER = "user"
# The error for credentials that OneNET refuses.
REFUSED = {CONF_API_KEY: "invalid_auth", CONF_ACCESS_KEY: "access_refused"}
ACCESS_KEY_ACCOUNTS = {name: data for name, data in ACCOUNTS.items() if CONF_ACCESS_KEY in data}

# The call without a device by which OneNET accepts or refuses the credentials.
CHECKS = {"legacy": "/devices", "current": "/product/detail"}

every_account = pytest.mark.parametrize("account_data", ACCOUNTS.values(), ids=ACCOUNTS)
every_access_key_account = pytest.mark.parametrize(
    "account_data", ACCESS_KEY_ACCOUNTS.values(), ids=ACCESS_KEY_ACCOUNTS
)


def kind(account: Mapping[str, Any]) -> str:
    """Return the kind of key of an account, which is also the step of its form."""
    return CONF_API_KEY if CONF_API_KEY in account else CONF_ACCESS_KEY


def title(account: Mapping[str, Any]) -> str:
    """Return the title of the first account with this data."""
    if account.get(CONF_PLATFORM) == "current":
        return "OneNET Demo product"
    return f"OneNET {account.get(CONF_PRODUCT_ID, '')}".strip()


def on(url: str, account: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input for an account on a custom server."""
    return {**account, CONF_SERVER: {CONF_REGION: "custom", CONF_URL: url}}


def filled_in(typed: Mapping[str, Any], user_id: str | None = None) -> dict[str, Any]:
    """Return the suggested values of a form that repeats an input."""
    return {**typed} | ({USER: {CONF_USER_ID: user_id}} if CONF_ACCESS_KEY in typed else {})


def second(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account of the same kind for the second product."""
    return {**account, **{name: value for name, value in SECOND_PRODUCT.items() if name in account}}


def add_second(onenet: Server) -> None:
    """Add a second product."""
    onenet.onenet.products.append(
        Product(key=SECOND_KEY, id=SECOND_PRODUCT[CONF_PRODUCT_ID], access_key=SECOND_ACCESS_KEY)
    )


def suggested(schema: vol.Schema | None) -> dict[str, Any]:
    """Return the suggested values of a form."""
    assert schema
    return {
        str(key): suggested(field.schema)
        if isinstance(field, section)
        else (key.description or {}).get("suggested_value")
        for key, field in schema.schema.items()
    }


def is_collapsed(result: ConfigFlowResult, name: str = CONF_SERVER) -> bool:
    """Return whether a section of a form is collapsed."""
    assert result["data_schema"]
    collapsed: bool = result["data_schema"].schema[name].options["collapsed"]
    return collapsed


async def choose_kind(hass: HomeAssistant, menu: ConfigFlowResult, name: str) -> ConfigFlowResult:
    """Select a kind of key, and return its form."""
    assert menu["type"] is FlowResultType.MENU
    result = await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": name})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, name, {})
    return result


async def start(hass: HomeAssistant, account: Mapping[str, Any]) -> ConfigFlowResult:
    """Start the flow of a new account, and return the form for its kind of key."""
    menu = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await choose_kind(hass, menu, kind(account))


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry, account: Mapping[str, Any]) -> ConfigFlowResult:
    """Start the reconfiguration of an account, and return the form for this kind of key."""
    return await choose_kind(hass, await entry.start_reconfigure_flow(hass), kind(account))


async def submit(hass: HomeAssistant, result: ConfigFlowResult, user_input: dict[str, Any]) -> ConfigFlowResult:
    """Submit a form."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


async def test_both_flows_start_with_the_kind_of_key(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The first step is a menu of the kinds of keys."""
    new = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    change = await account.start_reconfigure_flow(hass)
    for result, step in ((new, "user"), (change, "reconfigure")):
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, step)
        assert result["menu_options"] == ["api_key", "access_key"]
        placeholders = result["description_placeholders"]
        assert placeholders
        assert placeholders["console_url"]


@every_account
async def test_an_account_is_connected(
    hass: HomeAssistant, onenet: Server, device: object, account_data: dict[str, str]
) -> None:
    """The account is created with stripped values, is loaded, and queues commands."""
    pasted = {name: value if name == CONF_PLATFORM else f" {value}\n" for name, value in account_data.items()}
    result = await submit(hass, await start(hass, account_data), on(f" {onenet.url}/ ", pasted))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, title(account_data))
    assert result["data"] == account_data | {CONF_URL: onenet.url}
    assert result["result"].state.value == "loaded"
    assert not [secret for secret in SECRETS if secret in f"{result['title']}{result['result'].unique_id}"]
    current = account_data.get(CONF_PLATFORM) == "current"
    assert {Generation.of(request.path) is Generation.CURRENT for request in onenet.requests} == {current}
    await offline_read(hass)
    assert len(onenet.onenet.commands) == 1


@every_account
async def test_the_dialog_of_a_device_opens_after_the_account_is_created(
    hass: HomeAssistant, onenet: Server, device: object, account_data: dict[str, str]
) -> None:
    """It offers the devices of the account."""
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    kind_, flow_id = result["next_flow"]
    assert kind_ is FlowType.CONFIG_SUBENTRIES_FLOW
    # The frontend requests the form.
    form = await hass.config_entries.subentries.async_configure(flow_id)
    assert (form["step_id"], form["handler"]) == ("user", (result["result"].entry_id, "device"))
    form = await hass.config_entries.subentries.async_configure(flow_id, {"imei": IMEI})
    added = await hass.config_entries.subentries.async_configure(flow_id, {"resources": []})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert added["type"] is FlowResultType.CREATE_ENTRY
    assert [subentry.title for subentry in result["result"].subentries.values()] == ["Water meter"]


async def test_the_dialog_of_a_device_opens_although_devices_cannot_be_listed(
    hass: HomeAssistant, onenet: Server
) -> None:
    """The error is shown in that dialog."""
    account = ACCOUNTS["current, access key"]
    # Set-up does not list devices.
    onenet.faults.append(Fault(kind=FaultKind.RESET_BEFORE, path="/device/list"))
    result = await submit(hass, await start(hass, account), on(onenet.url, account))
    form = await hass.config_entries.subentries.async_configure(result["next_flow"][1])
    assert (form["step_id"], form["errors"]) == ("imei", {"base": "no_reply"})


@pytest.mark.parametrize("error", [AbortFlow("already_configured"), HomeAssistantError("removed")], ids=str)
async def test_an_account_is_created_although_the_dialog_of_a_device_does_not_open(
    hass: HomeAssistant, onenet: Server, monkeypatch: pytest.MonkeyPatch, error: HomeAssistantError
) -> None:
    """The result has no next flow."""

    async def fail(flow: OneNetDeviceFlow, user_input: object) -> None:
        raise error

    monkeypatch.setattr(OneNetDeviceFlow, "async_step_user", fail)
    account = ACCOUNTS["current, access key"]
    result = await submit(hass, await start(hass, account), on(onenet.url, account))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].state.value == "loaded"
    assert "next_flow" not in result


@every_account
async def test_the_credentials_are_checked_by_a_call_that_names_no_device(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str]
) -> None:
    """The flow sends a single request, which has no IMEI."""
    # Refused, so that the account sends no further requests.
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"))
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    assert result["errors"] == {"base": REFUSED[kind(account_data)]}
    (request,) = onenet.requests
    assert request.path == CHECKS[account_data.get(CONF_PLATFORM, "legacy")]
    assert not request.query.keys() & {"imei", "device_name"}


@pytest.mark.parametrize("errno", [404, 405, 10404, None])
async def test_without_product_detail_the_list_of_devices_checks_the_credentials(
    hass: HomeAssistant, onenet: Server, errno: int | None
) -> None:
    """If the platform lacks the first call, the second one is made."""
    kind_ = FaultKind.PAGE if errno is None else FaultKind.ERRNO
    onenet.faults.append(Fault(kind=kind_, path="/product/detail", status=404, errno=errno or 0, text="no such path"))
    typed = ACCOUNTS["current, access key"]
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert [request.path for request in onenet.requests][:2] == ["/product/detail", "/device/list"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"),
        Fault(kind=FaultKind.RESET_BEFORE),
        Fault(kind=FaultKind.DELAY, seconds=1),
        Fault(kind=FaultKind.BODY, text='{"code": 0, "data": []}'),
        Fault(kind=FaultKind.BODY, text='{"code": 0, "data": {"name": " "}}'),
        Fault(kind=FaultKind.BODY, text=f'{{"code": 0, "data": {{"name": "{"n" * 101}"}}}}'),
    ],
    ids=["refused", "reset", "slow", "list", "empty", "long"],
)
async def test_without_a_name_the_title_has_the_product_id(
    hass: HomeAssistant, onenet: Server, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is created nevertheless."""
    monkeypatch.setattr(config_flow, "_NAME_TIMEOUT", 0.3)
    check = OneNetClient.check_credentials

    async def check_then_fail(client: OneNetClient) -> None:
        await check(client)
        monkeypatch.setattr(OneNetClient, "check_credentials", check)
        onenet.faults.append(replace(fault, path="/product/detail"))

    monkeypatch.setattr(OneNetClient, "check_credentials", check_then_fail)
    typed = ACCOUNTS["current, access key"]
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, f"OneNET {PRODUCT_ID}")


async def test_reconfiguring_keeps_the_title(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """The title is that of the account, whatever the product is called."""
    typed = ACCOUNTS["current, access key"]
    result = await submit(hass, await reconfigure(hass, account, typed), on(onenet.url, typed))
    assert (result["reason"], account.title) == ("account_changed", "OneNET")


async def test_the_platform_defaults_to_the_current_one(hass: HomeAssistant, onenet: Server) -> None:
    """An input without a platform is an account on the current platform."""
    typed = {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY}
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    assert result["data"] == typed | {CONF_PLATFORM: "current", CONF_URL: onenet.url}


@every_account
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        # The error for refused credentials depends on the kind of key.
        (Fault(kind=FaultKind.ERRNO, errno=2, text="api-key missing"), None),
        (Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"), None),
        (Fault(kind=FaultKind.ERRNO, errno=1, text="authentication failed"), None),
        (Fault(kind=FaultKind.ERRNO, errno=10403, text="auth failed"), None),
        (Fault(kind=FaultKind.ERRNO, errno=10408, text="product not exist"), None),
        (Fault(kind=FaultKind.ERRNO, errno=8, text="not found"), None),
        (Fault(kind=FaultKind.ERRNO, errno=1, text="internal server error"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=10001, text="invalid parameter"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=10403, text="ip limit"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=10403, text="this request has expired"), "platform_error"),
        # An HTTP status 401 comes from a proxy.
        (Fault(kind=FaultKind.PAGE, status=401), "unexpected_reply"),
        (Fault(kind=FaultKind.ERRNO, errno=15, text="called too often"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=10500, text="internal error"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=424242, text="new"), "platform_error"),
        (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=503), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
        # All calls of the check are missing.
        (Fault(kind=FaultKind.PAGE, status=404, times=2), "unexpected_reply"),
        (Fault(kind=FaultKind.PAGE, status=301, location="/login"), "unexpected_reply"),
    ],
)
async def test_a_failed_check_shows_its_error_and_can_be_repeated(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], fault: Fault, error: str | None
) -> None:
    """Every error has its text, and the form keeps its values."""
    onenet.faults.append(Fault(**vars(fault)))
    typed = on(onenet.url, account_data)
    result = await submit(hass, await start(hass, account_data), typed)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, kind(account_data))
    assert result["errors"] == {"base": error or REFUSED[kind(account_data)]}
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["message"]
    assert suggested(result["data_schema"]) == filled_in(typed)
    assert not is_collapsed(result)
    onenet.faults.clear()
    assert (await submit(hass, result, typed))["type"] is FlowResultType.CREATE_ENTRY


@every_account
@pytest.mark.parametrize(("scheme", "error"), [("http", "cannot_connect"), ("https", "tls_failed")])
async def test_an_unreachable_server_can_be_corrected(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], scheme: str, error: str
) -> None:
    """A failed connection has another error than a refused key."""
    url = UNREACHABLE_URL if scheme == "http" else onenet.url.replace("http:", "https:")
    result = await submit(hass, await start(hass, account_data), on(url, account_data))
    assert result["errors"] == {"base": error}
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("wrong", [{CONF_ACCESS_KEY: SECOND_ACCESS_KEY}, {CONF_PRODUCT_ID: "Pr0dukt"}], ids=str)
async def test_a_wrong_access_key_or_product_id_can_be_corrected(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], wrong: dict[str, str]
) -> None:
    """A refused product or key is an error of the form."""
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data | wrong))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": "access_refused"})
    assert onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("hours", [5, -30])
async def test_an_account_is_connected_although_the_clock_is_hours_off(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], hours: int
) -> None:
    """The token uses the time of the platform."""
    onenet.onenet.clock.offset = timedelta(hours=hours)
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].state.value == "loaded"


@every_account
@pytest.mark.parametrize("key", ["", " ", "two words", "密钥", "a\nb"])
async def test_a_key_with_invalid_characters_is_not_sent(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], key: str
) -> None:
    """The key's field shows the error."""
    name = kind(account_data)
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data | {name: key}))
    assert result["errors"] == {name: "invalid_key"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("key", [ACCESS_KEY[:-1], f"{ACCESS_KEY[:4]}-{ACCESS_KEY[5:]}", f'"{ACCESS_KEY}"', "===="])
async def test_an_access_key_that_is_not_base64_is_not_used(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], key: str
) -> None:
    """The key's field shows the error."""
    typed = on(onenet.url, account_data | {CONF_ACCESS_KEY: key})
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["errors"] == {CONF_ACCESS_KEY: "invalid_access_key"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("product_id", ["", " ", "two words", "产品", "a\nb", "products/Pr0duct", "Pr0duct&et=1"])
async def test_a_product_id_with_invalid_characters_is_not_sent(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], product_id: str
) -> None:
    """The product's field shows the error."""
    typed = on(onenet.url, account_data | {CONF_PRODUCT_ID: product_id})
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["errors"] == {CONF_PRODUCT_ID: "invalid_product_id"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


def user_key(onenet: Server, account: Mapping[str, str], user_id: str = "") -> dict[str, Any]:
    """Return the input for an account with the key of the user, who has the product, too."""
    typed = on(onenet.url, {**account, CONF_ACCESS_KEY: onenet.onenet.user_key})
    return {**typed, USER: {CONF_USER_ID: user_id or onenet.onenet.user_id}}


@every_access_key_account
async def test_the_key_of_a_user_signs_in_the_name_of_the_user(
    hass: HomeAssistant,
    onenet: Server,
    device: object,
    account_data: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The user ID is stored, and every token names the user; the key is not logged."""
    form = await start(hass, account_data)
    assert is_collapsed(form, USER)
    typed = user_key(onenet, account_data, f" {onenet.onenet.user_id}\n")
    result = await submit(hass, form, typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    key = {CONF_ACCESS_KEY: onenet.onenet.user_key, CONF_USER_ID: onenet.onenet.user_id}
    assert result["data"] == {**account_data, **key, CONF_URL: onenet.url}
    await offline_read(hass)
    assert len(onenet.onenet.commands) == 1
    signer = f"&res=userid%2F{onenet.onenet.user_id}&"
    assert [request.path for request in onenet.requests if signer not in request.headers["authorization"]] == []
    assert onenet.onenet.user_key not in caplog.text


@every_access_key_account
@pytest.mark.parametrize("section", [{}, {USER: {}}, {USER: {CONF_USER_ID: ""}}, {USER: {CONF_USER_ID: " "}}], ids=str)
async def test_a_blank_user_id_means_the_key_of_the_product(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], section: dict[str, Any]
) -> None:
    """Without a user ID, none is stored and the token names the product."""
    typed = on(onenet.url, account_data) | section
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["data"] == account_data | {CONF_URL: onenet.url}
    assert onenet.requests
    assert f"&res=products%2F{PRODUCT_ID}&" in onenet.requests[0].headers["authorization"]


@every_access_key_account
@pytest.mark.parametrize("user_id", ["two words", "用户", "a\nb", "userid/1", "1&et=1"])
async def test_a_user_id_with_invalid_characters_is_not_sent(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], user_id: str
) -> None:
    """The form shows the error, with the section open."""
    result = await submit(hass, await start(hass, account_data), user_key(onenet, account_data, user_id))
    assert result["errors"] == {"base": "invalid_user_id"}
    assert suggested(result["data_schema"])[USER] == {CONF_USER_ID: user_id}
    assert not is_collapsed(result, USER)
    assert not onenet.requests
    result = await submit(hass, result, user_key(onenet, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
async def test_a_wrong_user_id_can_be_corrected(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str]
) -> None:
    """A refused user ID is an error of the form."""
    result = await submit(hass, await start(hass, account_data), user_key(onenet, account_data, "200002"))
    assert result["errors"] == {"base": "access_refused"}
    result = await submit(hass, result, user_key(onenet, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.fixture
async def user_account(
    hass: HomeAssistant, onenet: Server, device: object, account_data: dict[str, str]
) -> MockConfigEntry:
    """Return a loaded account with the key of the user."""
    key = {CONF_ACCESS_KEY: onenet.onenet.user_key, CONF_USER_ID: onenet.onenet.user_id, CONF_URL: onenet.url}
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=account_data | key)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@every_access_key_account
async def test_reconfiguring_shows_the_user_id_and_keeps_it(
    hass: HomeAssistant, onenet: Server, user_account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """The section is open and filled in; an API client may omit it."""
    before = dict(user_account.data)
    result = await reconfigure(hass, user_account, account_data)
    known = on(onenet.url, account_data) | {CONF_ACCESS_KEY: None}
    assert suggested(result["data_schema"]) == filled_in(known, onenet.onenet.user_id)
    assert not is_collapsed(result, USER)
    typed = account_data | {CONF_ACCESS_KEY: onenet.onenet.user_key}
    assert (await submit(hass, result, typed))["reason"] == "account_changed"
    assert user_account.data == before


@every_access_key_account
async def test_clearing_the_user_id_returns_to_the_key_of_the_product(
    hass: HomeAssistant, onenet: Server, user_account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """An empty section removes the stored user ID."""
    result = await reconfigure(hass, user_account, account_data)
    assert (await submit(hass, result, {**account_data, USER: {}}))["reason"] == "account_changed"
    assert user_account.data == account_data | {CONF_URL: onenet.url}


@every_access_key_account
async def test_an_api_key_replaces_the_key_of_a_user(
    hass: HomeAssistant, onenet: Server, user_account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """The data of an account with an API key has no user ID."""
    typed = ACCOUNTS["legacy, API key"]
    result = await submit(hass, await reconfigure(hass, user_account, typed), typed)
    assert result["reason"] == "account_changed"
    assert user_account.data == typed | {CONF_URL: onenet.url}


@every_access_key_account
async def test_reauthentication_keeps_the_user_id(
    hass: HomeAssistant, onenet: Server, user_account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """A new key of the user replaces the old one."""
    before = dict(user_account.data)
    onenet.onenet.user_key = b64encode(b"the new key of the user").decode()
    result = await submit(hass, await user_account.start_reauth_flow(hass), {CONF_ACCESS_KEY: onenet.onenet.user_key})
    assert result["reason"] == "key_updated"
    assert user_account.data == before | {CONF_ACCESS_KEY: onenet.onenet.user_key}


@every_account
@pytest.mark.parametrize(
    "server",
    [
        {CONF_REGION: "custom"},
        {CONF_REGION: "custom", CONF_URL: " "},
        {CONF_REGION: "custom", CONF_URL: "api.example.com"},
        {CONF_REGION: "custom", CONF_URL: "ftp://api.example.com"},
        {CONF_REGION: "custom", CONF_URL: "https://"},
        {CONF_REGION: "custom", CONF_URL: "https://user:secret@api.example.com"},
        {CONF_REGION: "custom", CONF_URL: "https://api.example.com/?a=b"},
        {CONF_REGION: "custom", CONF_URL: "https://api.example.com:port"},
        {CONF_REGION: "china", CONF_URL: "https://api.example.com"},
    ],
)
async def test_an_invalid_address_is_an_error(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], server: dict[str, str]
) -> None:
    """An invalid address, or one that would not be used, can be corrected."""
    result = await submit(hass, await start(hass, account_data), {**account_data, CONF_SERVER: server})
    assert result["errors"] == {"base": "invalid_url"}
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_account
async def test_the_server_defaults_to_mainland_china(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The section of the server is collapsed and may be omitted."""
    # The public servers are not reachable here.
    for name, platform in PLATFORMS.items():
        url = onenet.url if name == account_data.get(CONF_PLATFORM, "legacy") else UNREACHABLE_URL
        monkeypatch.setitem(platform.regions, "china", url)
    form = await start(hass, account_data)
    assert is_collapsed(form)
    result = await submit(hass, form, account_data)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == onenet.url


@every_account
async def test_hong_kong_is_a_region_of_every_platform(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base URL is that of the account's platform in the selected region."""
    # The public servers are not reachable here.
    for name, platform in PLATFORMS.items():
        url = onenet.url if name == account_data.get(CONF_PLATFORM, "legacy") else UNREACHABLE_URL
        monkeypatch.setitem(platform.regions, "hong_kong", url)
    typed = {**account_data, CONF_SERVER: {CONF_REGION: "hong_kong"}}
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == account_data | {CONF_URL: onenet.url}


@every_account
async def test_the_same_account_is_not_connected_twice(
    hass: HomeAssistant, entry: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """A second flow for an account aborts before a request."""
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert not onenet.requests


@every_access_key_account
async def test_a_product_is_the_same_account_with_another_key(
    hass: HomeAssistant, entry: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """A second flow for a product aborts, whatever its key."""
    typed = on(onenet.url, account_data | {CONF_ACCESS_KEY: SECOND_ACCESS_KEY})
    result = await submit(hass, await start(hass, account_data), typed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@every_account
async def test_of_two_flows_at_once_one_connects_the_account(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str]
) -> None:
    """The slower flow for an account aborts."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.1, times=2))
    dialogs = [await start(hass, account_data) for _ in range(2)]
    typed = on(onenet.url, account_data)
    results = await asyncio.gather(*(submit(hass, dialog, typed) for dialog in dialogs))
    assert sorted(result["type"] for result in results) == [FlowResultType.ABORT, FlowResultType.CREATE_ENTRY]


@every_access_key_account
async def test_a_product_of_this_id_on_another_server_is_another_account(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """Product IDs are unique on one server only."""
    other = await Server(OneNet(Product(key=SECOND_KEY, id=PRODUCT_ID, access_key=SECOND_ACCESS_KEY))).start()
    hass.config_entries.async_update_entry(account, title=title(account_data))
    typed = on(other.url, account_data | {CONF_ACCESS_KEY: SECOND_ACCESS_KEY})
    result = await submit(hass, await start(hass, typed), typed)
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, f"{title(account_data)} 2")
    assert result["result"].state.value == "loaded"
    await other.stop()


@every_account
async def test_reconfiguring_without_a_server_keeps_it(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """An API client may omit the server; the key is not sent to another one."""
    result = await submit(hass, await reconfigure(hass, account, account_data), account_data)
    assert result["reason"] == "account_changed"
    assert account.data == account_data | {CONF_URL: onenet.url}


@every_access_key_account
async def test_reconfiguring_without_a_platform_keeps_it(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """An API client may omit the platform."""
    result = await reconfigure(hass, account, account_data)
    before = dict(account.data)
    typed = {name: value for name, value in account_data.items() if name != CONF_PLATFORM}
    assert (await submit(hass, result, typed))["reason"] == "account_changed"
    assert account.data == before


@every_account
async def test_accounts_of_two_products_have_different_titles(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """Both are loaded."""
    add_second(onenet)
    typed = second(account_data)
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    expected = "OneNET 2" if kind(typed) == CONF_API_KEY else title(typed)
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, expected)
    assert result["result"].state.value == "loaded"


@every_account
async def test_reauthentication_replaces_the_key(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """An accepted key is stored, and the account is loaded with it."""
    name = kind(account_data)
    new_key = b64encode(b"the new key").decode()
    onenet.onenet.products[0].key = onenet.onenet.products[0].access_key = new_key
    result = await account.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_confirm"
    assert suggested(result["data_schema"]) == {name: None}
    result = await submit(hass, result, {name: "two words"})
    assert result["errors"] == {name: "invalid_key"}
    result = await submit(hass, result, {name: OTHER_KEY[name]})
    assert (result["step_id"], result["errors"]) == ("reauth_confirm", {"base": REFUSED[name]})
    result = await submit(hass, result, {name: f" {new_key}\n"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "key_updated")
    assert account.data == account_data | {name: new_key, CONF_URL: onenet.url}
    assert account.state.value == "loaded"


async def test_reauthentication_escapes_the_title_of_the_account(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The description is Markdown; the title of an account is text."""
    hass.config_entries.async_update_entry(account, title="*OneNET* [1](x)")
    placeholders = (await account.start_reauth_flow(hass))["description_placeholders"]
    assert placeholders
    assert placeholders["name"] == r"\*OneNET\* \[1\]\(x\)"


@every_access_key_account
async def test_a_new_access_key_that_is_not_base64_can_be_corrected(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """The form of the reauthentication shows the error."""
    result = await submit(hass, await account.start_reauth_flow(hass), {CONF_ACCESS_KEY: "not-base64"})
    assert result["errors"] == {CONF_ACCESS_KEY: "invalid_access_key"}
    result = await submit(hass, result, {CONF_ACCESS_KEY: ACCESS_KEY})
    assert result["reason"] == "key_updated"


@every_account
async def test_reconfiguring_moves_an_account_to_another_server(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """The form shows all values but the key, and the account is loaded with the new server."""
    moved = await Server(onenet.onenet).start()
    result = await reconfigure(hass, account, account_data)
    assert suggested(result["data_schema"]) == filled_in(on(onenet.url, account_data) | {kind(account_data): None})
    assert not is_collapsed(result)
    result = await submit(hass, result, on(UNREACHABLE_URL, account_data))
    assert result["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, result, on(moved.url, account_data))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_changed")
    assert account.data == account_data | {CONF_URL: moved.url}
    assert account.state.value == "loaded"
    await moved.stop()


@pytest.mark.parametrize(
    ("account_data", "url", "region"),
    [
        (ACCOUNTS["legacy, API key"], "https://api.heclouds.com", "china"),
        (ACCOUNTS["legacy, API key"], "https://api.onenet.hk.chinamobile.com", "hong_kong"),
        (ACCOUNTS["legacy, access key"], "https://api.heclouds.com", "china"),
        (ACCOUNTS["legacy, access key"], "https://api.onenet.hk.chinamobile.com", "hong_kong"),
        (ACCOUNTS["current, access key"], "https://iot-api.heclouds.com", "china"),
        (ACCOUNTS["current, access key"], "https://www.onenet.hk.chinamobile.com:2616", "hong_kong"),
    ],
)
async def test_a_public_server_is_shown_as_its_region(
    hass: HomeAssistant, account_data: dict[str, str], url: str, region: str
) -> None:
    """The section is collapsed for the default region only."""
    entry = MockConfigEntry(domain=DOMAIN, data=account_data | {CONF_URL: url})
    entry.add_to_hass(hass)
    result = await reconfigure(hass, entry, account_data)
    assert suggested(result["data_schema"])[CONF_SERVER] == {CONF_REGION: region, CONF_URL: None}
    assert is_collapsed(result) == (region == "china")


@every_account
async def test_reconfiguring_to_another_account_aborts(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """Two entries are never the same account."""
    add_second(onenet)
    other = MockConfigEntry(domain=DOMAIN, data=second(account_data) | {CONF_URL: onenet.url})
    other.add_to_hass(hass)
    typed = on(onenet.url, second(account_data))
    result = await submit(hass, await reconfigure(hass, account, account_data), typed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_reauthentication_with_the_key_of_another_account_aborts(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Two entries are never the same account."""
    add_second(onenet)
    other = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: SECOND_KEY, CONF_URL: onenet.url})
    other.add_to_hass(hass)
    result = await submit(hass, await account.start_reauth_flow(hass), {CONF_API_KEY: SECOND_KEY})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.parametrize(
    ("account_data", "changed"),
    [
        (ACCOUNTS["legacy, API key"], ACCOUNTS["legacy, access key"]),
        (ACCOUNTS["legacy, API key"], ACCOUNTS["current, access key"]),
        (ACCOUNTS["legacy, access key"], ACCOUNTS["current, access key"]),
        (ACCOUNTS["current, access key"], ACCOUNTS["legacy, API key"]),
    ],
)
async def test_commands_survive_a_change_of_key_and_platform(
    hass: HomeAssistant,
    account: MockConfigEntry,
    account_data: dict[str, str],
    onenet: Server,
    changed: dict[str, str],
) -> None:
    """Commands queued before the change are listed and updated after it."""
    queued = await offline_read(hass)
    result = await reconfigure(hass, account, changed)
    shown = {name: account_data.get(name) for name in changed} | {kind(changed): None}
    assert suggested(result["data_schema"]) == filled_in(on(onenet.url, shown))
    result = await submit(hass, result, changed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "account_changed")
    assert account.data == changed | {CONF_URL: onenet.url}
    assert account.state.value == "loaded"

    async def ask(action: str, **fields: str) -> Any:
        return await hass.services.async_call(DOMAIN, action, fields, blocking=True, return_response=True)

    assert [command["uuid"] for command in (await ask(SERVICE_LIST_COMMANDS))["commands"]] == [queued["uuid"]]
    assert (await ask(SERVICE_GET_COMMAND, uuid=queued["uuid"]))["state"] == "queued"
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert (await ask(SERVICE_GET_COMMAND, uuid=queued["uuid"]))["state"] == "succeeded"


async def interval_shown(hass: HomeAssistant, account: MockConfigEntry) -> Any:
    """Return the interval that the options of an account show."""
    result = await hass.config_entries.options.async_init(account.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    schema = result["data_schema"]
    assert schema
    field = next(iter(schema.schema))
    hass.config_entries.options.async_abort(result["flow_id"])
    return (field.description or {}).get("suggested_value", field.default())


async def set_interval(hass: HomeAssistant, account: MockConfigEntry, interval: Any) -> ConfigFlowResult:
    """Submit an interval in the options of an account."""
    result = await hass.config_entries.options.async_init(account.entry_id)
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_INTERVAL: interval})
    await hass.async_block_till_done()
    return result


async def test_the_interval_is_set_and_reloads_the_account(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The options store the interval as an integer, and show it again."""
    before = coordinator_of(account)
    assert await interval_shown(hass, account) == 60
    # The frontend sends a float.
    result = await set_interval(hass, account, 30.0)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 30}
    assert isinstance(account.options[CONF_INTERVAL], int)
    assert account.state.value == "loaded"
    assert coordinator_of(account) is not before
    assert await interval_shown(hass, account) == 30


@pytest.mark.parametrize("interval", [10, 3600])
async def test_the_shortest_and_the_longest_interval_are_accepted(
    hass: HomeAssistant, account: MockConfigEntry, interval: int
) -> None:
    """Both limits are within the range."""
    await set_interval(hass, account, interval)
    assert account.options == {CONF_INTERVAL: interval}


@pytest.mark.parametrize("interval", [-1, 0, 9, 9.9, 3600.5, 3601, float("nan"), float("inf")])
async def test_an_interval_out_of_range_is_an_error_that_can_be_corrected(
    hass: HomeAssistant, account: MockConfigEntry, interval: float
) -> None:
    """The form shows the error of the integration, in the language of the browser, and the options stay unchanged."""
    result = await set_interval(hass, account, interval)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    assert result["errors"] == {CONF_INTERVAL: "invalid_interval"}
    assert not account.options
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_INTERVAL: 3600})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 3600}
    await hass.async_block_till_done()


@pytest.mark.parametrize("interval", [None, "often"])
async def test_an_interval_that_is_not_a_number_is_rejected(
    hass: HomeAssistant, account: MockConfigEntry, interval: Any
) -> None:
    """The options stay unchanged."""
    with pytest.raises(InvalidData):
        await set_interval(hass, account, interval)
    assert not account.options
