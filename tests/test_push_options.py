"""The options that set up the push, its URL, and its sensors."""

import asyncio
from collections.abc import Callable
import sys
from typing import Any

from aiohttp.test_utils import TestClient
from hass_nabucasa import NabuCasaBaseError
from homeassistant import components
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState, ConfigFlowResult
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot import options_flow, push as push_module
from custom_components.onenet_nbiot.const import CONF_INTERVAL, DOMAIN

from .common import EVERY_PLATFORM, run_with
from .emulator import Generation, Push, Server
from .push import PATH, health_of, push_options

URL = "https://home.example.com"
LEGACY_KEY = "KeyOfTheTestsOnlyNoRealKeyABCDEFGHIJKLMNOPQ"

variant = run_with(EVERY_PLATFORM)


@pytest.fixture
async def external_url(hass: HomeAssistant) -> str:
    """Set the external URL of Home Assistant, and return it."""
    await async_process_ha_core_config(hass, {"external_url": URL})
    return URL


async def configure(hass: HomeAssistant, result: ConfigFlowResult, **fields: Any) -> ConfigFlowResult:
    """Submit a step of the options."""
    return await hass.config_entries.options.async_configure(result["flow_id"], fields)


async def start(hass: HomeAssistant, account: MockConfigEntry, *, push: bool = True) -> ConfigFlowResult:
    """Submit the first step of the options."""
    result = await hass.config_entries.options.async_init(account.entry_id)
    return await configure(hass, result, interval=60, push=push)


async def turn_on(hass: HomeAssistant, account: MockConfigEntry, **fields: str) -> ConfigFlowResult:
    """Turn the push on, and return the step that shows what to enter in OneNET's console."""
    result = await start(hass, account)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "push")
    assert result["data_schema"]
    return await configure(hass, result, **suggested(result) | fields)


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return the suggested values of a form."""
    assert result["data_schema"]
    fields = result["data_schema"].schema
    return {str(f): f.description["suggested_value"] for f in fields if f.description}


async def url_check(client: TestClient[Any, Any], account: MockConfigEntry) -> bool:
    """Check the URL of an account as OneNET does."""
    push = account.options["push"]
    url = str(client.make_url(f"/api/webhook/{push['webhook_id']}"))
    return await Push(url, push["token"], generation=Generation.CURRENT, product_id="").check_url()


async def test_push_is_turned_on_with_a_new_token_and_the_check_of_the_url_is_shown(
    hass: HomeAssistant,
    account: MockConfigEntry,
    variant: str,
    external_url: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """The webhook answers before the URL is entered in the console."""
    result = await turn_on(hass, account)
    push = account.options["push"]
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, f"enter_{variant.split(',', maxsplit=1)[0]}")
    assert len(push["token"]) == 32
    url = f"{external_url}/api/webhook/{push['webhook_id']}"
    assert push["url"] == url
    assert result["description_placeholders"] == {"url": url, "token": push["token"], "encryption_key": "-"}
    result = await configure(hass, result, next_step_id="push_check")
    assert (result["type"], result["step_id"]) == (FlowResultType.SHOW_PROGRESS, "push_check")
    client = await hass_client_no_auth()
    assert await url_check(client, account)
    await hass.async_block_till_done()
    result = await hass.config_entries.options.async_configure(result["flow_id"])
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "push_checked")
    before = account.runtime_data
    result = await configure(hass, result)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 60, "push": push}
    # The account was reloaded when the settings were saved.
    assert account.runtime_data is before


async def test_the_options_can_be_finished_without_the_check_of_the_url(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five minutes the flow stops waiting, and shows again what to enter."""
    monkeypatch.setattr(options_flow, "CHECK_TIMEOUT", 0)
    result = await turn_on(hass, account)
    menu = result["step_id"]
    result = await configure(hass, result, next_step_id="push_check")
    await asyncio.sleep(0.05)
    await hass.async_block_till_done()
    result = await hass.config_entries.options.async_configure(result["flow_id"])
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "push_unchecked")
    result = await configure(hass, result)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, menu)
    result = await configure(hass, result, next_step_id="finish")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "push" in account.options


async def test_the_step_with_what_to_enter_can_be_opened_again(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str
) -> None:
    """The browser loads the step again after its connection was interrupted."""
    result = await turn_on(hass, account)
    again = await hass.config_entries.options.async_configure(result["flow_id"])
    assert (again["type"], again["step_id"]) == (FlowResultType.MENU, result["step_id"])
    assert again["description_placeholders"] == result["description_placeholders"]


async def test_the_options_are_saved_although_onenet_cannot_be_reached(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, external_url: str
) -> None:
    """The flow ends, since the account cannot answer the check of the URL."""
    await onenet.stop()
    result = await turn_on(hass, account)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "push" in account.options


async def test_without_a_public_address_the_dialog_warns(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The push can be set up nevertheless, with an address that only the user knows."""
    result = await start(hass, account)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "push_not_public")
    result = await configure(hass, result, token="token-of-mine")
    assert result["type"] is FlowResultType.MENU
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["url"] == f"{URL}/api/webhook/{account.options['push']['webhook_id']}"
    await async_process_ha_core_config(hass, {"external_url": "http://home.example.com"})
    assert (await start(hass, account))["step_id"] == "push_not_public"


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"token": "short"}, {"token": "invalid_token"}),
        ({"token": "token with blanks"}, {"token": "invalid_token"}),
        ({"encryption_key": "x" * 17}, {"encryption_key": "invalid_encryption_key"}),
        ({"encryption_key": "!" * 43}, {"encryption_key": "invalid_encryption_key"}),
    ],
)
async def test_a_wrong_token_or_key_is_an_error_that_can_be_corrected(
    hass: HomeAssistant,
    account: MockConfigEntry,
    external_url: str,
    fields: dict[str, str],
    errors: dict[str, str],
) -> None:
    """The options stay unchanged until then."""
    result = await turn_on(hass, account, **fields)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    assert not account.options
    result = await configure(hass, result, token="token-of-mine", encryption_key=f" {LEGACY_KEY} ")
    assert result["type"] is FlowResultType.MENU
    assert account.options["push"]["encryption_key"] == LEGACY_KEY


async def test_the_settings_are_shown_again_and_a_key_can_be_removed(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str
) -> None:
    """The webhook keeps its id, so that the URL in OneNET's console stays valid."""
    await turn_on(hass, account, token="token-of-mine", encryption_key=LEGACY_KEY)
    before = account.options["push"]
    result = await start(hass, account)
    shown = suggested(result)
    assert (shown["token"], shown["encryption_key"]) == ("token-of-mine", LEGACY_KEY)
    await configure(hass, result, token="token-of-mine")
    assert account.options["push"] == {name: value for name, value in before.items() if name != "encryption_key"}


async def test_an_api_client_that_only_sets_the_interval_keeps_the_push(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Only a false value turns it off, which removes its settings."""
    hass.config_entries.async_update_entry(account, options=push_options())
    result = await hass.config_entries.options.async_init(account.entry_id)
    result = await configure(hass, result, interval=30)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 30} | push_options()
    result = await start(hass, account, push=False)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_INTERVAL: 60}


async def test_turning_the_push_off_unregisters_the_webhook(
    hass: HomeAssistant, account: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    """Its sensors are removed, too."""
    hass.config_entries.async_update_entry(account, options=push_options())
    assert await hass.config_entries.async_reload(account.entry_id)
    client = await hass_client_no_auth()
    async with client.post(PATH, data=b"{}") as response:
        assert response.status == 400
    registry = er.async_get(hass)
    assert registry.async_get("sensor.onenet_last_push")
    await start(hass, account, push=False)
    await hass.async_block_till_done()
    async with client.post(PATH, data=b"{}") as response:
        # Home Assistant answers so for unknown webhooks.
        assert response.status == 200
    assert registry.async_get("sensor.onenet_last_push") is None


class Cloud:
    """Home Assistant Cloud with an active subscription; the real one needs packages that the tests do not have."""

    CloudNotAvailable = RuntimeError

    def __init__(self) -> None:
        """Start with an active subscription and without webhooks."""
        self.is_active = True
        self.error: Exception | None = None
        self.hooks: set[str] = set()
        self.is_connected = True
        self._listeners: set[Callable[[str], None]] = set()
        self._hook_listeners: set[Callable[[dict[str, Any] | None], None]] = set()

    def async_active_subscription(self, *_: HomeAssistant) -> bool:
        """Return whether there is a subscription."""
        return self.is_active

    def async_listen_connection_change(self, _: HomeAssistant, target: Callable[[str], None]) -> Callable[[], None]:
        """Call a function when the connection changes."""
        self._listeners.add(target)
        return lambda: self._listeners.remove(target)

    def set_active(self, *, is_active: bool) -> None:
        """Start or end the subscription."""
        self.is_active = is_active
        for listener in self._listeners:
            listener("cloud_connected")

    def async_is_connected(self, *_: HomeAssistant) -> bool:
        """Return whether there is a connection."""
        return self.is_connected

    def async_listen_cloudhook_change(
        self, _: HomeAssistant, __: str, on_change: Callable[[dict[str, Any] | None], None]
    ) -> Callable[[], None]:
        """Call a function when a webhook changes."""
        self._hook_listeners.add(on_change)
        return lambda: self._hook_listeners.remove(on_change)

    def delete_hooks(self) -> None:
        """Delete all webhooks."""
        self.hooks.clear()
        for listener in list(self._hook_listeners):
            listener(None)

    async def async_get_or_create_cloudhook(self, _: HomeAssistant, webhook_id: str) -> str:
        """Create a webhook."""
        if self.error is not None:
            raise self.error
        self.hooks.add(webhook_id)
        return f"https://hooks.nabu.casa/{len(self.hooks)}"

    async def async_delete_cloudhook(self, _: HomeAssistant, webhook_id: str) -> None:
        """Delete a webhook."""
        if webhook_id not in self.hooks:
            raise ValueError("Hook is not enabled for the cloud.")
        self.hooks.remove(webhook_id)


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Set up Home Assistant Cloud."""
    cloud = Cloud()
    monkeypatch.setitem(sys.modules, "homeassistant.components.cloud", cloud)
    monkeypatch.setattr(components, "cloud", cloud, raising=False)
    hass.config.components.add("cloud")
    return cloud


@pytest.mark.parametrize("remove", [False, True])
async def test_the_webhook_of_the_cloud_is_created_and_deleted(
    hass: HomeAssistant, account: MockConfigEntry, cloud: Cloud, *, remove: bool
) -> None:
    """Its URL is the one to enter; it is deleted when the push is turned off, and with the account."""
    result = await turn_on(hass, account)
    push = account.options["push"]
    assert cloud.hooks == {push["webhook_id"]}
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["url"] == push["url"] == push["cloudhook_url"] == "https://hooks.nabu.casa/1"
    if remove:
        assert await hass.config_entries.async_remove(account.entry_id)
    else:
        await start(hass, account, push=False)
        await hass.async_block_till_done()
    assert cloud.hooks == set()


def has_url_issue(hass: HomeAssistant, account: MockConfigEntry) -> bool:
    """Return whether there is a repair issue because another URL is to be entered in OneNET's console."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"push_url_changed_{account.entry_id}") is not None


async def test_the_end_of_the_cloud_subscription_creates_an_issue_until_it_is_renewed(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str, cloud: Cloud
) -> None:
    """Meanwhile, the external URL is to be entered in OneNET's console."""
    await turn_on(hass, account)
    assert not has_url_issue(hass, account)
    cloud.set_active(is_active=False)
    assert has_url_issue(hass, account)
    result = await start(hass, account)
    result = await configure(hass, result, **suggested(result))
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["url"].startswith(external_url)
    assert not has_url_issue(hass, account)
    assert "cloudhook_url" not in account.options["push"]


async def test_a_renewed_cloud_subscription_deletes_the_issue(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str, cloud: Cloud
) -> None:
    """The URL of Home Assistant Cloud is valid again."""
    await turn_on(hass, account)
    for is_active in (False, True):
        cloud.set_active(is_active=is_active)
    assert not has_url_issue(hass, account)


async def test_a_webhook_that_was_deleted_in_the_cloud_creates_an_issue(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str, cloud: Cloud
) -> None:
    """The external URL is to be entered in OneNET's console."""
    await turn_on(hass, account)
    cloud.delete_hooks()
    assert has_url_issue(hass, account)
    assert "cloudhook_url" not in account.options["push"]


async def test_the_dialog_warns_if_the_cloud_is_not_connected_and_keeps_its_url(
    hass: HomeAssistant, account: MockConfigEntry, cloud: Cloud
) -> None:
    """Without an external URL, nothing else can be entered in OneNET's console."""
    result = await start(hass, account)
    assert result["step_id"] == "push"
    await configure(hass, result, **suggested(result))
    cloud.is_connected, cloud.error = False, ValueError("Cloud is not connected")
    result = await start(hass, account)
    assert result["step_id"] == "push"
    await configure(hass, result, **suggested(result))
    url = account.options["push"]["cloudhook_url"]
    assert url == account.options["push"]["url"]
    await start(hass, account, push=False)
    assert cloud.hooks == set()
    await hass.async_block_till_done()
    result = await start(hass, account)
    assert result["step_id"] == "push_not_public"


async def test_an_external_url_that_was_removed_creates_an_issue(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str
) -> None:
    """OneNET cannot reach Home Assistant any more."""
    await turn_on(hass, account)
    await hass.config.async_update(external_url=None)
    await hass.async_block_till_done()
    assert has_url_issue(hass, account)
    await hass.config_entries.async_set_disabled_by(account.entry_id, ConfigEntryDisabler.USER)
    assert not has_url_issue(hass, account)


@pytest.mark.parametrize(
    "error", [ValueError("Cloud is not connected"), TimeoutError(), Cloud.CloudNotAvailable(), NabuCasaBaseError("no")]
)
async def test_an_error_of_the_cloud_leaves_the_external_url(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str, cloud: Cloud, error: Exception
) -> None:
    """The dialog goes on."""
    cloud.error = error
    result = await turn_on(hass, account)
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["url"].startswith(external_url)


async def test_the_options_are_saved_although_the_account_cannot_be_reloaded(
    hass: HomeAssistant, account: MockConfigEntry, external_url: str
) -> None:
    """It may be unloading at this moment."""
    result = await start(hass, account)
    account.mock_state(hass, ConfigEntryState.FAILED_UNLOAD)
    result = await configure(hass, result, **suggested(result))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "push" in account.options
    account.mock_state(hass, ConfigEntryState.LOADED)


async def test_results_of_other_applications_commands_are_offered_where_they_are_pushed(
    hass: HomeAssistant, account: MockConfigEntry, variant: str, external_url: str
) -> None:
    """The current platform pushes none."""
    result = await start(hass, account)
    assert result["data_schema"]
    assert ("other_commands" in result["data_schema"].schema) is variant.startswith("legacy")


@pytest.mark.parametrize("damaged", [{"token": None}, {"encryption_key": "short"}, {"webhook_id": None}])
async def test_an_account_with_damaged_options_works_without_push(
    hass: HomeAssistant,
    account: MockConfigEntry,
    external_url: str,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
    damaged: dict[str, str | None],
) -> None:
    """The log says what to do: turn the push off and on again."""
    expected_warnings.append("The push of OneNET is off: its options are damaged")
    await turn_on(hass, account)
    push = {name: value for name, value in (account.options["push"] | damaged).items() if value is not None}
    hass.config_entries.async_update_entry(account, options={**account.options, "push": push})
    assert await hass.config_entries.async_reload(account.entry_id)
    assert expected_warnings[-1] in caplog.text
    await start(hass, account, push=False)
    await hass.async_block_till_done()
    assert "push" not in account.options
    await turn_on(hass, account)
    assert {"webhook_id", "token"} <= account.options["push"].keys()


@pytest.fixture
def expected_warnings() -> list[str]:
    """Return the beginnings of expected warnings."""
    return ["A push was refused", "Config entry 'OneNET'", "Home Assistant Cloud has provided no URL"]


async def test_a_new_external_url_creates_an_issue_until_onenet_has_checked_it(
    hass: HomeAssistant,
    account: MockConfigEntry,
    external_url: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """The issue has the new URL."""
    await turn_on(hass, account)
    registry, issue_id = ir.async_get(hass), f"push_url_changed_{account.entry_id}"
    assert registry.async_get_issue(DOMAIN, issue_id) is None
    await hass.config.async_update(external_url="https://new.example.com")
    await hass.async_block_till_done()
    issue = registry.async_get_issue(DOMAIN, issue_id)
    assert issue
    assert issue.translation_placeholders
    assert "url" not in issue.translation_placeholders
    assert await url_check(await hass_client_no_auth(), account)
    assert registry.async_get_issue(DOMAIN, issue_id) is None
    assert account.options["push"]["url"].startswith("https://new.example.com/")


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_the_sensors_show_the_last_push_and_the_number_of_refused_ones(
    hass: HomeAssistant,
    account: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are updated at most once in a pause."""
    monkeypatch.setattr(push_module, "_SENSOR_PAUSE", 0.01)
    hass.config_entries.async_update_entry(account, options=push_options())
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done()
    last, refused = (hass.states.get(f"sensor.onenet_{name}") for name in ("last_push", "refused_pushes"))
    assert last
    assert refused
    assert (last.state, refused.state) == (STATE_UNKNOWN, "0")
    client = await hass_client_no_auth()
    for _ in range(2):
        async with client.post(PATH, data=b"{}") as response:
            assert response.status == 400
    push = Push(
        str(client.make_url(PATH)), push_options()["push"]["token"], generation=Generation.CURRENT, product_id=""
    )
    assert await push.check_url()
    assert health_of(account).last_push is None
    await asyncio.sleep(0.05)
    await hass.async_block_till_done()
    refused = hass.states.get("sensor.onenet_refused_pushes")
    assert refused
    assert refused.state == "2"
