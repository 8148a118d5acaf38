"""The conditions of automations."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.onenet_nbiot.const import DOMAIN

from .common import EXPIRY, IMEI, OTHER_IMEI, WRITE, act, add_device, device_id, offline_read, refresh
from .emulator import Server


async def check(hass: HomeAssistant, name: str, target: dict[str, Any] | None = None, **options: Any) -> bool | None:
    """Return the result of a condition that is set up anew."""
    config: dict[str, Any] = {"condition": f"{DOMAIN}.{name}"}
    if target is not None:
        config["target"] = target
    if options:
        config["options"] = options
    checker = await condition.async_from_config(hass, await condition.async_validate_condition_config(hass, config))
    try:
        return checker(hass)
    finally:
        checker.async_unload()


@pytest.fixture
async def devices(hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> dict[str, str]:
    """Return the ids of two devices that were added, by IMEI."""
    onenet.onenet.products[0].add(OTHER_IMEI, "Other meter", {(3303, 0, 5700): 5})
    onenet.onenet.report(IMEI)
    onenet.onenet.report(OTHER_IMEI)
    await add_device(hass, account, "3303/0/5700", overdue_after=7200)
    await add_device(hass, account, "3303/0/5700", imei=OTHER_IMEI, title="Other meter")
    return {imei: device_id(hass, account, imei) for imei in (IMEI, OTHER_IMEI)}


async def test_a_command_is_waiting(hass: HomeAssistant, account: MockConfigEntry, devices: dict[str, str]) -> None:
    """The device is selected itself, through its account, or without a target."""
    name = "command_is_waiting"
    assert await check(hass, name) is False
    queued = await offline_read(hass)
    assert await check(hass, name) is True
    assert await check(hass, name, {"device_id": devices[IMEI]}) is True
    assert await check(hass, name, {"device_id": devices[OTHER_IMEI]}) is False
    assert await check(hass, name, {"device_id": device_id(hass, account, "")}) is True
    both = {"device_id": list(devices.values())}
    assert await check(hass, name, both, behavior="any") is True
    assert await check(hass, name, both, behavior="all") is False
    await offline_read(hass, imei=OTHER_IMEI)
    assert await check(hass, name, both, behavior="all") is True
    await act(hass, "cancel_command", uuid=queued["uuid"])
    assert await check(hass, name, {"device_id": devices[IMEI]}) is False


async def test_a_command_waits_for_a_device_that_was_not_added(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """The account's device selects it."""
    target = {"device_id": device_id(hass, account, "")}
    assert await check(hass, "command_is_waiting", target) is False
    await offline_read(hass)
    assert await check(hass, "command_is_waiting", target) is True


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"command": ["read"]}, False),
        ({"command": ["write", "execute"]}, True),
        ({"obj_id": 3306, "obj_inst_id": 0, "res_id": 5850}, True),
        ({"obj_id": 3306, "obj_inst_id": 0, "res_id": 5851}, False),
        ({"obj_id": 3303}, False),
    ],
)
async def test_options_select_the_waiting_command(
    hass: HomeAssistant, account: MockConfigEntry, options: dict[str, Any], *, expected: bool
) -> None:
    """A write of a resource waits."""
    await act(hass, "offline_write", **WRITE | EXPIRY)
    assert await check(hass, "command_is_waiting", **options) is expected


async def test_a_device_is_overdue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, devices: dict[str, str]
) -> None:
    """The result is kept while the account is not loaded."""
    name = "device_is_overdue"
    assert await check(hass, name) is False
    onenet.onenet.clock.offset += timedelta(hours=3)
    await refresh(account)
    onenet.onenet.report(OTHER_IMEI)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert await hass.config_entries.async_unload(account.entry_id)
    assert await check(hass, name) is True
    assert await check(hass, name, {"device_id": devices[IMEI]}) is True
    assert await check(hass, name, {"device_id": devices[OTHER_IMEI]}) is False
    assert await check(hass, name, behavior="all") is False
    assert await check(hass, name, {"device_id": devices[IMEI]}, behavior="all") is True
    assert await hass.config_entries.async_setup(account.entry_id)


@pytest.mark.parametrize("behavior", ["any", "all"])
@pytest.mark.parametrize("name", ["command_is_waiting", "device_is_overdue"])
async def test_nothing_is_true_of_no_device(
    hass: HomeAssistant, account: MockConfigEntry, devices: dict[str, str], name: str, behavior: str
) -> None:
    """The area of the target has no device."""
    assert await check(hass, name, {"area_id": "attic"}, behavior=behavior) is False


async def test_a_condition_needs_no_account(hass: HomeAssistant) -> None:
    """It can be set up before the account."""
    assert await check(hass, "command_is_waiting") is False


@pytest.mark.parametrize("options", [{"behavior": "first"}, {"command": ["observe"]}, {"res_id": -1}, {"uuid": "x"}])
async def test_wrong_options_are_refused(hass: HomeAssistant, options: dict[str, Any]) -> None:
    """The condition cannot be set up."""
    with pytest.raises(vol.Invalid):
        await check(hass, "command_is_waiting", **options)
