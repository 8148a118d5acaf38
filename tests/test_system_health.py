"""System health."""

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN

from .common import (
    ACCOUNTS,
    EVERY_PLATFORM,
    UNREACHABLE_URL,
    add_device,
    client_of,
    offline_read,
    run_with,
    system_health,
)
from .emulator import Server
from .push import health_of, push_entry

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


async def test_system_health_shows_whether_pushes_arrive(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """A push has arrived; then OneNET returns that the push is off."""
    health = health_of(account)
    health.arrived(client_of(account).now())
    found = await system_health(hass)
    assert (found["active_pushes"], found["stopped_pushes"]) == (1, 0)
    health.is_off = True
    found = await system_health(hass)
    assert (found["active_pushes"], found["stopped_pushes"]) == (0, 1)


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
