"""The dialogs in which a person connects an account, and says how often OneNET is asked."""

import asyncio
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import CONF_INTERVAL, CONF_REGION, CONF_SERVER, DOMAIN

from .conftest import DEVICE_KEY, KEY
from .emulator import Fault, FaultKind, Product, Server

SECOND_KEY = "key-of-the-second-product"


def account_input(url: str, key: str = KEY) -> dict[str, Any]:
    """Return what a person types for an account on a server of their own."""
    return {CONF_API_KEY: key, CONF_SERVER: {CONF_REGION: "custom", CONF_URL: url}}


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the dialog for a new account."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "user", {})
    return result


async def submit(hass: HomeAssistant, result: ConfigFlowResult, user_input: dict[str, Any]) -> ConfigFlowResult:
    """Send the form of a dialog."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


async def test_a_person_connects_an_account(hass: HomeAssistant, onenet: Server) -> None:
    """Nobody could start."""
    result = await submit(hass, await start(hass), account_input(f" {onenet.url}/ ", f" {KEY}\n"))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "OneNET")
    assert result["data"] == {CONF_API_KEY: KEY, CONF_URL: onenet.url}
    assert result["result"].state.value == "loaded"
    assert KEY not in f"{result['title']}{result['result'].unique_id}"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind=FaultKind.ERRNO, errno=3, text="auth failed"), "invalid_auth"),
        (Fault(kind=FaultKind.ERRNO, errno=1, text="not a master key"), "invalid_auth"),
        (Fault(kind=FaultKind.ERRNO, errno=15, text="called too often"), "platform_error"),
        (Fault(kind=FaultKind.ERRNO, errno=424242, text="new"), "platform_error"),
        (Fault(kind=FaultKind.RESET_BEFORE), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=503), "no_reply"),
        (Fault(kind=FaultKind.PAGE, status=200), "unexpected_reply"),
        (Fault(kind=FaultKind.PAGE, status=404), "unexpected_reply"),
        (Fault(kind=FaultKind.PAGE, status=301, location="/login"), "unexpected_reply"),
    ],
)
async def test_every_trouble_has_its_own_text_and_can_be_mended(
    hass: HomeAssistant, onenet: Server, fault: Fault, error: str
) -> None:
    """A person would have to start again, without a hint."""
    onenet.faults.append(Fault(**vars(fault)))
    result = await submit(hass, await start(hass), account_input(onenet.url))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": error})
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["message"]
    result = await submit(hass, result, account_input(onenet.url))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(("scheme", "error"), [("http", "cannot_connect"), ("https", "tls_failed")])
async def test_a_wrong_address_can_be_mended(hass: HomeAssistant, onenet: Server, scheme: str, error: str) -> None:
    """A person could not tell a mistyped address from a wrong key."""
    url = "http://127.0.0.1:9" if scheme == "http" else onenet.url.replace("http:", "https:")
    result = await submit(hass, await start(hass), account_input(url))
    assert result["errors"] == {"base": error}
    assert (await submit(hass, result, account_input(onenet.url)))["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("key", ["", " ", "two words", "密钥", "a\nb"])
async def test_half_a_key_is_not_sent(hass: HomeAssistant, onenet: Server, key: str) -> None:
    """A person would be told that the server is wrong."""
    result = await submit(hass, await start(hass), account_input(onenet.url, key))
    assert result["errors"] == {CONF_API_KEY: "invalid_key"}
    assert not onenet.requests
    assert (await submit(hass, result, account_input(onenet.url)))["type"] is FlowResultType.CREATE_ENTRY


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
async def test_an_address_that_is_none_is_told(hass: HomeAssistant, onenet: Server, server: dict[str, str]) -> None:
    """A person would be told that their internet connection is broken."""
    result = await submit(hass, await start(hass), {CONF_API_KEY: KEY, CONF_SERVER: server})
    assert result["errors"] == {"base": "invalid_url"}
    assert (await submit(hass, result, account_input(onenet.url)))["type"] is FlowResultType.CREATE_ENTRY


async def test_a_key_alone_is_enough_in_mainland_china(
    hass: HomeAssistant, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most people would have to look up a server's address."""
    # The real server cannot be asked here.
    monkeypatch.setattr("custom_components.onenet_nbiot.config_flow._REGIONS", {"china": onenet.url})
    result = await submit(hass, await start(hass), {CONF_API_KEY: KEY})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == onenet.url


async def test_the_same_account_is_not_connected_twice(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Every event would come twice."""
    result = await submit(hass, await start(hass), account_input(entry.data[CONF_URL]))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_two_dialogs_at_once_do_not_connect_an_account_twice(hass: HomeAssistant, onenet: Server) -> None:
    """Every event would come twice."""
    onenet.faults.append(Fault(kind=FaultKind.DELAY, seconds=0.1, times=2))
    dialogs = [await start(hass) for _ in range(2)]
    results = await asyncio.gather(*(submit(hass, dialog, account_input(onenet.url)) for dialog in dialogs))
    assert sorted(result["type"] for result in results) == [FlowResultType.ABORT, FlowResultType.CREATE_ENTRY]


async def test_a_program_that_names_no_server_does_not_move_an_account(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The key would be handed to another server."""
    result = await submit(hass, await account.start_reconfigure_flow(hass), {CONF_API_KEY: KEY})
    assert result["reason"] == "reconfigure_successful"
    assert account.data[CONF_URL] == onenet.url


async def test_several_accounts_stand_side_by_side(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person with two products could use only one, or not tell them apart."""
    onenet.onenet.products.append(Product(key=SECOND_KEY))
    result = await submit(hass, await start(hass), account_input(onenet.url, SECOND_KEY))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "OneNET 2")


async def test_a_new_key_mends_an_account(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
    """A person would have to remove the account, and lose what hangs on it."""
    onenet.onenet.products[0].key = SECOND_KEY
    result = await account.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_confirm"
    result = await submit(hass, result, {CONF_API_KEY: DEVICE_KEY})
    assert result["errors"] == {"base": "invalid_auth"}
    result = await submit(hass, result, {CONF_API_KEY: SECOND_KEY})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert account.data == {CONF_API_KEY: SECOND_KEY, CONF_URL: onenet.url}
    assert account.state.value == "loaded"


async def test_an_account_moves_to_another_server(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A person would have to remove the account, and lose what hangs on it."""
    moved = await Server(onenet.onenet).start()
    result = await account.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure"
    schema = result["data_schema"]
    assert schema
    server = next(field for key, field in schema.schema.items() if key == CONF_SERVER)
    suggested = {str(key): (key.description or {}).get("suggested_value") for key in server.schema.schema}
    assert suggested == {CONF_REGION: "custom", CONF_URL: onenet.url}
    assert server.options == {"collapsed": False}
    assert KEY not in str(schema.schema)
    result = await submit(hass, result, account_input("http://127.0.0.1:9"))
    assert result["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, result, account_input(moved.url))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert account.data == {CONF_API_KEY: KEY, CONF_URL: moved.url}
    assert account.state.value == "loaded"
    await moved.stop()


@pytest.mark.parametrize(
    ("url", "region"),
    [("https://api.heclouds.com", "china"), ("https://api.onenet.hk.chinamobile.com", "hong_kong")],
)
async def test_a_known_server_is_shown_by_its_region(hass: HomeAssistant, url: str, region: str) -> None:
    """A person would see an address that they never typed."""
    entry = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: KEY, CONF_URL: url})
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    schema = result["data_schema"]
    assert schema
    server = next(field for key, field in schema.schema.items() if key == CONF_SERVER)
    suggested = {str(key): (key.description or {}).get("suggested_value") for key in server.schema.schema}
    assert suggested == {CONF_REGION: region, CONF_URL: None}
    assert server.options == {"collapsed": region == "china"}


async def test_one_account_does_not_take_over_the_key_of_another(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Two accounts would become one, and every event come twice."""
    onenet.onenet.products.append(Product(key=SECOND_KEY))
    other = MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: SECOND_KEY, CONF_URL: onenet.url})
    other.add_to_hass(hass)
    typed = account_input(onenet.url, SECOND_KEY)
    for dialog, user_input in (
        (await account.start_reauth_flow(hass), {CONF_API_KEY: SECOND_KEY}),
        (await account.start_reconfigure_flow(hass), typed),
    ):
        result = await submit(hass, dialog, user_input)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


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
