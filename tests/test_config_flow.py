"""The dialogs in which a person connects an account, and says how often OneNET is asked."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData, section
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot.const import (
    CONF_ACCESS_KEY,
    CONF_INTERVAL,
    CONF_PLATFORM,
    CONF_PRODUCT_ID,
    CONF_REGION,
    CONF_SERVER,
    DOMAIN,
    SERVICE_GET_COMMAND,
    SERVICE_LIST_COMMANDS,
)
from custom_components.onenet_nbiot.onenet.platforms import PLATFORMS

from .conftest import ACCESS_KEY, ACCOUNTS, DEVICE_KEY, IMEI, PRODUCT_ID, SECRETS, offline_read
from .emulator import Fault, FaultKind, Generation, OneNet, Product, Server, Trigger

NOBODY = "http://127.0.0.1:9"
SECOND_KEY = "key-of-the-second-product"
SECOND_ACCESS_KEY = b64encode(b"access key of the second product").decode()
SECOND_PRODUCT = {CONF_API_KEY: SECOND_KEY, CONF_PRODUCT_ID: "Second", CONF_ACCESS_KEY: SECOND_ACCESS_KEY}
# A key that is one, but not this product's.
OTHER_KEY = {CONF_API_KEY: DEVICE_KEY, CONF_ACCESS_KEY: SECOND_ACCESS_KEY}
# How a person is told that OneNET does not accept what they typed.
REFUSED = {CONF_API_KEY: "invalid_auth", CONF_ACCESS_KEY: "access_refused"}
ACCESS_KEY_ACCOUNTS = {name: data for name, data in ACCOUNTS.items() if CONF_ACCESS_KEY in data}

every_account = pytest.mark.parametrize("account_data", ACCOUNTS.values(), ids=ACCOUNTS)
every_access_key_account = pytest.mark.parametrize(
    "account_data", ACCESS_KEY_ACCOUNTS.values(), ids=ACCESS_KEY_ACCOUNTS
)


def kind(account: Mapping[str, Any]) -> str:
    """Return which kind of key an account has, which is also what the dialog calls its form."""
    return CONF_API_KEY if CONF_API_KEY in account else CONF_ACCESS_KEY


def on(url: str, account: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person types for an account on a server of their own."""
    return {**account, CONF_SERVER: {CONF_REGION: "custom", CONF_URL: url}}


def second(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account of the same kind with the second product."""
    return {**account, **{name: value for name, value in SECOND_PRODUCT.items() if name in account}}


def add_second(onenet: Server) -> None:
    """Let there be a second product."""
    onenet.onenet.products.append(
        Product(key=SECOND_KEY, id=SECOND_PRODUCT[CONF_PRODUCT_ID], access_key=SECOND_ACCESS_KEY)
    )


def suggested(schema: vol.Schema | None) -> dict[str, Any]:
    """Return what a form is filled in with."""
    assert schema
    return {
        str(key): suggested(field.schema)
        if isinstance(field, section)
        else (key.description or {}).get("suggested_value")
        for key, field in schema.schema.items()
    }


def is_out_of_sight(result: ConfigFlowResult) -> bool:
    """Return whether a form hides which server an account is on."""
    assert result["data_schema"]
    hidden: bool = result["data_schema"].schema[CONF_SERVER].options["collapsed"]
    return hidden


async def choose_kind(hass: HomeAssistant, menu: ConfigFlowResult, name: str) -> ConfigFlowResult:
    """Choose a kind of key, and return the form for it."""
    assert menu["type"] is FlowResultType.MENU
    result = await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": name})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, name, {})
    return result


async def start(hass: HomeAssistant, account: Mapping[str, Any]) -> ConfigFlowResult:
    """Open the dialog for a new account as far as the form for its kind of key."""
    menu = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await choose_kind(hass, menu, kind(account))


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry, account: Mapping[str, Any]) -> ConfigFlowResult:
    """Open the dialog that changes an account as far as the form for this kind of key."""
    return await choose_kind(hass, await entry.start_reconfigure_flow(hass), kind(account))


async def submit(hass: HomeAssistant, result: ConfigFlowResult, user_input: dict[str, Any]) -> ConfigFlowResult:
    """Send the form of a dialog."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


async def test_the_dialogs_ask_which_kind_of_key_it_is(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person would be asked for a key that they do not have."""
    new = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    change = await account.start_reconfigure_flow(hass)
    for result, step in ((new, "user"), (change, "reconfigure")):
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, step)
        assert result["menu_options"] == ["api_key", "access_key"]
        placeholders = result["description_placeholders"]
        assert placeholders
        assert placeholders["console_url"]


@every_account
async def test_a_person_connects_an_account(
    hass: HomeAssistant, onenet: Server, device: object, account_data: dict[str, str]
) -> None:
    """Nobody could start."""
    pasted = {name: value if name == CONF_PLATFORM else f" {value}\n" for name, value in account_data.items()}
    result = await submit(hass, await start(hass, account_data), on(f" {onenet.url}/ ", pasted))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "OneNET")
    assert result["data"] == account_data | {CONF_URL: onenet.url}
    assert result["result"].state.value == "loaded"
    assert not [secret for secret in SECRETS if secret in f"{result['title']}{result['result'].unique_id}"]
    current = account_data.get(CONF_PLATFORM) == "current"
    assert {Generation.of(request.path) is Generation.CURRENT for request in onenet.requests} == {current}
    await offline_read(hass)
    assert len(onenet.onenet.commands) == 1


async def test_who_names_no_platform_has_the_current_one(hass: HomeAssistant, onenet: Server) -> None:
    """Whoever registered lately would have to know that there are two."""
    typed = {CONF_PRODUCT_ID: PRODUCT_ID, CONF_ACCESS_KEY: ACCESS_KEY}
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    assert result["data"] == typed | {CONF_PLATFORM: "current", CONF_URL: onenet.url}


@every_account
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        # It depends on the kind of key what a person is told when it is refused.
        (Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"), None),
        (Fault(kind=FaultKind.ERRNO, errno=1, text="not a master key"), None),
        (Fault(kind=FaultKind.ERRNO, errno=10403, text="auth failed"), None),
        (Fault(kind=FaultKind.PAGE, status=401), None),
        (Fault(kind=FaultKind.ERRNO, errno=15, text="called too often"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=10500, text="internal error"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=424242, text="new"), "platform_error"),
        (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=503), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
        (Fault(kind=FaultKind.PAGE, status=404), "unexpected_reply"),
        (Fault(kind=FaultKind.PAGE, status=301, location="/login"), "unexpected_reply"),
    ],
)
async def test_every_trouble_has_its_own_text_and_can_be_mended(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], fault: Fault, error: str | None
) -> None:
    """A person would have to start again, without a hint."""
    onenet.faults.append(Fault(**vars(fault)))
    typed = on(onenet.url, account_data)
    result = await submit(hass, await start(hass, account_data), typed)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, kind(account_data))
    assert result["errors"] == {"base": error or REFUSED[kind(account_data)]}
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["message"]
    assert suggested(result["data_schema"]) == typed
    assert not is_out_of_sight(result)
    assert (await submit(hass, result, typed))["type"] is FlowResultType.CREATE_ENTRY


@every_account
@pytest.mark.parametrize(("scheme", "error"), [("http", "cannot_connect"), ("https", "tls_failed")])
async def test_a_wrong_address_can_be_mended(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], scheme: str, error: str
) -> None:
    """A person could not tell a mistyped address from a wrong key."""
    url = NOBODY if scheme == "http" else onenet.url.replace("http:", "https:")
    result = await submit(hass, await start(hass, account_data), on(url, account_data))
    assert result["errors"] == {"base": error}
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("wrong", [{CONF_ACCESS_KEY: SECOND_ACCESS_KEY}, {CONF_PRODUCT_ID: "Pr0dukt"}], ids=str)
async def test_a_wrong_access_key_or_product_id_can_be_mended(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], wrong: dict[str, str]
) -> None:
    """A person would not hear of it before the first command fails."""
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data | wrong))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": "access_refused"})
    assert onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("hours", [5, -30])
async def test_a_clock_that_is_hours_off_refuses_no_key(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], hours: int
) -> None:
    """A person would look for a fault in a key that is right."""
    onenet.onenet.clock.offset = timedelta(hours=hours)
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].state.value == "loaded"


@every_account
@pytest.mark.parametrize("key", ["", " ", "two words", "密钥", "a\nb"])
async def test_half_a_key_is_not_sent(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], key: str
) -> None:
    """A person would be told that the server is wrong."""
    name = kind(account_data)
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data | {name: key}))
    assert result["errors"] == {name: "invalid_key"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("key", [ACCESS_KEY[:-1], f"{ACCESS_KEY[:4]}-{ACCESS_KEY[5:]}", f'"{ACCESS_KEY}"', "===="])
async def test_an_access_key_that_is_none_is_not_used(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], key: str
) -> None:
    """A person would be told that their product is wrong."""
    typed = on(onenet.url, account_data | {CONF_ACCESS_KEY: key})
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["errors"] == {CONF_ACCESS_KEY: "invalid_access_key"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_access_key_account
@pytest.mark.parametrize("product_id", ["", " ", "two words", "产品", "a\nb", "products/Pr0duct", "Pr0duct&et=1"])
async def test_a_product_id_that_is_none_is_not_sent(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], product_id: str
) -> None:
    """A person would be told that their key is wrong."""
    typed = on(onenet.url, account_data | {CONF_PRODUCT_ID: product_id})
    result = await submit(hass, await start(hass, account_data), typed)
    assert result["errors"] == {CONF_PRODUCT_ID: "invalid_product_id"}
    assert not onenet.requests
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


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
async def test_an_address_that_is_none_is_told(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], server: dict[str, str]
) -> None:
    """A person would be told that their internet connection is broken."""
    result = await submit(hass, await start(hass, account_data), {**account_data, CONF_SERVER: server})
    assert result["errors"] == {"base": "invalid_url"}
    result = await submit(hass, result, on(onenet.url, account_data))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@every_account
async def test_an_account_in_mainland_china_needs_no_server(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most people would have to look up a server's address."""
    # The real servers cannot be asked here.
    for name, platform in PLATFORMS.items():
        url = onenet.url if name == account_data.get(CONF_PLATFORM, "legacy") else NOBODY
        monkeypatch.setitem(platform.regions, "china", url)
    form = await start(hass, account_data)
    assert is_out_of_sight(form)
    result = await submit(hass, form, account_data)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == onenet.url


async def test_the_open_platform_is_not_in_hong_kong(
    hass: HomeAssistant, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product in Hong Kong would be looked for in mainland China."""
    # The real server cannot be asked here.
    monkeypatch.setitem(PLATFORMS["legacy"].regions, "hong_kong", onenet.url)
    typed: dict[str, Any] = {**ACCOUNTS["current, access key"], CONF_SERVER: {CONF_REGION: "hong_kong"}}
    result = await submit(hass, await start(hass, typed), typed)
    assert result["errors"] == {"base": "no_such_region"}
    assert not onenet.requests
    assert not is_out_of_sight(result)
    result = await submit(hass, result, typed | {CONF_PLATFORM: "legacy"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == onenet.url


@every_account
async def test_the_same_account_is_not_connected_twice(
    hass: HomeAssistant, entry: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """Every event would come twice."""
    result = await submit(hass, await start(hass, account_data), on(onenet.url, account_data))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert not onenet.requests


@every_access_key_account
async def test_a_product_is_the_same_with_another_key(
    hass: HomeAssistant, entry: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """Every event would come twice after a person connected an account anew instead of giving it a new key."""
    typed = on(onenet.url, account_data | {CONF_ACCESS_KEY: SECOND_ACCESS_KEY})
    result = await submit(hass, await start(hass, account_data), typed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@every_account
async def test_two_dialogs_at_once_do_not_connect_an_account_twice(
    hass: HomeAssistant, onenet: Server, account_data: dict[str, str]
) -> None:
    """Every event would come twice."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.1, times=2))
    dialogs = [await start(hass, account_data) for _ in range(2)]
    typed = on(onenet.url, account_data)
    results = await asyncio.gather(*(submit(hass, dialog, typed) for dialog in dialogs))
    assert sorted(result["type"] for result in results) == [FlowResultType.ABORT, FlowResultType.CREATE_ENTRY]


@every_access_key_account
async def test_a_product_of_this_name_on_another_server_is_another(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """A person with a server of their own could not use both."""
    other = await Server(OneNet(Product(key=SECOND_KEY, id=PRODUCT_ID, access_key=SECOND_ACCESS_KEY))).start()
    typed = on(other.url, account_data | {CONF_ACCESS_KEY: SECOND_ACCESS_KEY})
    result = await submit(hass, await start(hass, typed), typed)
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "OneNET 2")
    assert result["result"].state.value == "loaded"
    await other.stop()


@every_account
async def test_a_program_that_names_no_server_does_not_move_an_account(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """The key would be handed to another server."""
    result = await submit(hass, await reconfigure(hass, account, account_data), account_data)
    assert result["reason"] == "reconfigure_successful"
    assert account.data == account_data | {CONF_URL: onenet.url}


@every_access_key_account
async def test_a_program_that_names_no_platform_does_not_move_an_account(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """A new key would be asked for, though the old one was right."""
    result = await reconfigure(hass, account, account_data)
    before = dict(account.data)
    typed = {name: value for name, value in account_data.items() if name != CONF_PLATFORM}
    assert (await submit(hass, result, typed))["reason"] == "reconfigure_successful"
    assert account.data == before


@every_account
async def test_several_accounts_stand_side_by_side(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """A person with two products could use only one, or not tell them apart."""
    add_second(onenet)
    typed = second(account_data)
    result = await submit(hass, await start(hass, typed), on(onenet.url, typed))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "OneNET 2")
    assert result["result"].state.value == "loaded"


@every_account
async def test_a_new_key_mends_an_account(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """A person would have to remove the account, and lose what hangs on it."""
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
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert account.data == account_data | {name: new_key, CONF_URL: onenet.url}
    assert account.state.value == "loaded"


@every_access_key_account
async def test_a_new_access_key_that_is_none_can_be_mended(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str]
) -> None:
    """A person would have to start again."""
    result = await submit(hass, await account.start_reauth_flow(hass), {CONF_ACCESS_KEY: "not-base64"})
    assert result["errors"] == {CONF_ACCESS_KEY: "invalid_access_key"}
    result = await submit(hass, result, {CONF_ACCESS_KEY: ACCESS_KEY})
    assert result["reason"] == "reauth_successful"


@every_account
async def test_an_account_moves_to_another_server(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """A person would have to remove the account, and lose what hangs on it."""
    moved = await Server(onenet.onenet).start()
    result = await reconfigure(hass, account, account_data)
    # All that is known but the key.
    assert suggested(result["data_schema"]) == on(onenet.url, account_data) | {kind(account_data): None}
    assert not is_out_of_sight(result)
    result = await submit(hass, result, on(NOBODY, account_data))
    assert result["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, result, on(moved.url, account_data))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
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
    ],
)
async def test_a_known_server_is_shown_by_its_region(
    hass: HomeAssistant, account_data: dict[str, str], url: str, region: str
) -> None:
    """A person would see an address that they never typed."""
    entry = MockConfigEntry(domain=DOMAIN, data=account_data | {CONF_URL: url})
    entry.add_to_hass(hass)
    result = await reconfigure(hass, entry, account_data)
    assert suggested(result["data_schema"])[CONF_SERVER] == {CONF_REGION: region, CONF_URL: None}
    assert is_out_of_sight(result) == (region == "china")


@every_account
async def test_one_account_does_not_become_another(
    hass: HomeAssistant, account: MockConfigEntry, account_data: dict[str, str], onenet: Server
) -> None:
    """Two accounts would become one, and every event come twice."""
    add_second(onenet)
    other = MockConfigEntry(domain=DOMAIN, data=second(account_data) | {CONF_URL: onenet.url})
    other.add_to_hass(hass)
    typed = on(onenet.url, second(account_data))
    result = await submit(hass, await reconfigure(hass, account, account_data), typed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_one_account_does_not_take_over_the_key_of_another(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Two accounts would become one, and every event come twice."""
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
async def test_an_account_changes_its_key_and_platform_and_keeps_its_commands(
    hass: HomeAssistant,
    account: MockConfigEntry,
    account_data: dict[str, str],
    onenet: Server,
    changed: dict[str, str],
) -> None:
    """A person would have to wait for all commands before they take what OneNET offers today."""
    queued = await offline_read(hass)
    result = await reconfigure(hass, account, changed)
    shown = {name: account_data.get(name) for name in changed} | {kind(changed): None}
    assert suggested(result["data_schema"]) == on(onenet.url, shown)
    result = await submit(hass, result, changed)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert account.data == changed | {CONF_URL: onenet.url}
    assert account.state.value == "loaded"

    async def ask(action: str, **fields: str) -> Any:
        return await hass.services.async_call(DOMAIN, action, fields, blocking=True, return_response=True)

    assert [command["uuid"] for command in (await ask(SERVICE_LIST_COMMANDS))["commands"]] == [queued["uuid"]]
    assert (await ask(SERVICE_GET_COMMAND, uuid=queued["uuid"]))["state"] == "queued"
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    assert (await ask(SERVICE_GET_COMMAND, uuid=queued["uuid"]))["state"] == "succeeded"


async def interval_shown(hass: HomeAssistant, account: MockConfigEntry) -> Any:
    """Open the options of an account, and return the interval that a person sees there."""
    result = await hass.config_entries.options.async_init(account.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    schema = result["data_schema"]
    assert schema
    field = next(iter(schema.schema))
    hass.config_entries.options.async_abort(result["flow_id"])
    return (field.description or {}).get("suggested_value", field.default())


async def choose(hass: HomeAssistant, account: MockConfigEntry, interval: Any) -> ConfigFlowResult:
    """Type an interval into the options of an account."""
    result = await hass.config_entries.options.async_init(account.entry_id)
    result = await hass.config_entries.options.async_configure(result["flow_id"], {CONF_INTERVAL: interval})
    await hass.async_block_till_done()
    return result


async def test_a_person_says_how_often_onenet_is_asked(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A person would ask too often, or hear too late, until the next restart."""
    before = account.runtime_data
    assert await interval_shown(hass, account) == 60
    # A browser sends a fraction, if only by its type.
    result = await choose(hass, account, 30.0)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 30}
    assert isinstance(account.options[CONF_INTERVAL], int)
    assert account.state.value == "loaded"
    assert account.runtime_data is not before
    assert await interval_shown(hass, account) == 30


@pytest.mark.parametrize("interval", [10, 3600])
async def test_the_shortest_and_the_longest_interval_are_taken(
    hass: HomeAssistant, account: MockConfigEntry, interval: int
) -> None:
    """A person could not have what the dialog offers."""
    await choose(hass, account, interval)
    assert account.options == {CONF_INTERVAL: interval}


@pytest.mark.parametrize("interval", [-1, 0, 9, 9.9, 3600.5, 3601, float("nan"), float("inf"), None, "often"])
async def test_an_interval_out_of_range_is_refused(
    hass: HomeAssistant, account: MockConfigEntry, interval: Any
) -> None:
    """OneNET would be asked all the time, or never."""
    with pytest.raises(InvalidData):
        await choose(hass, account, interval)
    assert not account.options
