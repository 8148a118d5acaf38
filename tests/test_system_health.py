"""System health."""

from datetime import timedelta

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot.const import DOMAIN

from .common import (
    ACCOUNTS,
    EVERY_PLATFORM,
    IMEI,
    PRODUCT_ID,
    UNREACHABLE_URL,
    add_device,
    offline_read,
    pass_time,
    refresh,
    run_with,
    system_health,
)
from .emulator import Generation, Push, Server
from .push import PATH, TOKEN, push_entry

variant = run_with(EVERY_PLATFORM)
entry = push_entry


async def test_system_health_counts_what_the_accounts_have(
    hass: HomeAssistant, account: MockConfigEntry, variant: str
) -> None:
    """The platform of the account can be reached; its push is on, but none has arrived."""
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    assert await system_health(hass) == {
        f"can_reach_{variant.partition(',')[0]}": "ok",
        "accounts": 1,
        "loaded_accounts": 1,
        "devices": 1,
        "waiting_commands": 1,
        "push_accounts": 1,
        "active_pushes": 0,
        "stopped_pushes": 0,
    }


async def test_system_health_counts_accounts_whose_pushes_arrive(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    variant: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """A push has arrived within a day."""
    await add_device(hass, account, "3303/0/5700")
    client = await hass_client_no_auth()
    generation = Generation.CURRENT if variant.startswith("current") else Generation.LEGACY
    url = str(client.make_url(PATH))
    onenet.onenet.push = Push(url, TOKEN, generation=generation, product_id=PRODUCT_ID)
    onenet.onenet.report(IMEI)
    await onenet.onenet.push.finish()
    found = await system_health(hass)
    assert (found["push_accounts"], found["active_pushes"], found["stopped_pushes"]) == (1, 1, 0)


@pytest.mark.parametrize("variant", ["legacy, access key, other switches"])
async def test_system_health_counts_accounts_whose_pushes_have_stopped(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """OneNET returns that the push is off."""
    onenet.onenet.products[0].push_enabled = False
    await pass_time(account, onenet, timedelta(hours=2))
    await refresh(account)
    found = await system_health(hass)
    assert (found["push_accounts"], found["active_pushes"], found["stopped_pushes"]) == (1, 0, 1)


async def test_system_health_has_accounts_that_are_not_loaded(
    hass: HomeAssistant, account: MockConfigEntry, variant: str
) -> None:
    """Their platform cannot be reached."""
    data = ACCOUNTS[next(name for name in EVERY_PLATFORM if name != variant)]
    MockConfigEntry(domain=DOMAIN, data=data | {CONF_URL: UNREACHABLE_URL}).add_to_hass(hass)
    found = await system_health(hass)
    reached = {name: value for name, value in found.items() if name.startswith("can_reach_")}
    assert len(reached) == 2
    assert reached.pop(f"can_reach_{variant.partition(',')[0]}") == "ok"
    assert list(reached.values()) == [{"type": "failed", "error": "unreachable"}]
    assert (found["accounts"], found["loaded_accounts"]) == (2, 1)


async def test_a_platform_is_reached_only_if_all_its_addresses_are(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, variant: str
) -> None:
    """One of two accounts on a platform has another address, which cannot be reached."""
    MockConfigEntry(domain=DOMAIN, data=ACCOUNTS[variant] | {CONF_URL: UNREACHABLE_URL}).add_to_hass(hass)
    found = await system_health(hass)
    assert found[f"can_reach_{variant.partition(',')[0]}"] == {"type": "failed", "error": "unreachable"}
    # The request has no key.
    request = next(request for request in onenet.requests if request.path == "/")
    assert not {"api-key", "authorization"} & request.headers.keys()
