"""Diagnostics of an account and of a device."""

from datetime import timedelta
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.coordinator import platform_of
from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics, async_get_device_diagnostics

from .common import (
    EVERY_PLATFORM,
    IMEI,
    PRODUCT_ID,
    SECRETS,
    VARIANTS,
    act,
    add_device,
    client_of,
    devices_of,
    offline_read,
    pass_time,
    refresh,
    run_with,
)
from .emulator import Fault, FaultKind, Server
from .emulator.device import SendStatus

variant = run_with(VARIANTS)


async def diagnostics_of_device(hass: HomeAssistant, account: MockConfigEntry) -> dict[str, Any]:
    """Return the diagnostics of the device."""
    entry = dr.async_get(hass).async_get(devices_of(account).added[IMEI].device_id)
    assert isinstance(entry, dr.DeviceEntry)
    return await async_get_device_diagnostics(hass, account, entry)


async def test_diagnostics_have_the_state_of_the_account_without_keys_ids_and_titles(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """They have no key, product ID, IMEI or title of an account."""
    await offline_read(hass)
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics["entry"]["data"]["url"] == account.data["url"]
    # The title is redacted, since a user may put a key into it.
    assert diagnostics["entry"]["title"] == "**REDACTED**"
    assert (diagnostics["polls"]["reachable"], diagnostics["commands"]["by_state"]) == (True, {"queued": 1})
    text = json.dumps(diagnostics, default=str)
    assert not [secret for secret in (*SECRETS, PRODUCT_ID, IMEI) if secret in text]


async def test_diagnostics_of_a_device_have_its_state_without_ids_titles_and_values(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """They have no IMEI, title or value of a device."""
    onenet.onenet.report(IMEI)
    await add_device(hass, account, "3303/0/5700")
    await offline_read(hass)
    await refresh(account)
    diagnostics = await diagnostics_of_device(hass, account)
    assert diagnostics["commands"]["by_state"] == {"queued": 1}
    assert diagnostics["values"]["3303/0/5700"]["type"] == "float"
    text = json.dumps(diagnostics, default=str)
    assert not [private for private in (*SECRETS, PRODUCT_ID, IMEI, "Water meter", "21.5") if private in text]


async def test_the_service_device_has_the_diagnostics_of_the_account(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """It is the device that represents the account."""
    entry = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, account.entry_id), account.entry_id)
    assert entry
    expected = await async_get_config_entry_diagnostics(hass, account)
    assert await async_get_device_diagnostics(hass, account, entry) == expected


async def test_diagnostics_count_the_requests_by_call_without_ids(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A failed request is counted by its reason, too, with the time of OneNET."""
    uuid = (await offline_read(hass))["uuid"]
    await act(hass, "get_command", uuid=uuid)
    onenet.faults = [Fault(kind=FaultKind.ERRNO, errno=13, text=f"{IMEI} has 10 commands", path="/offline")]
    with pytest.raises(HomeAssistantError, match=r": \*\*\* has 10 commands \(errno 13\)"):
        await offline_read(hass)
    requests = (await async_get_config_entry_diagnostics(hass, account))["requests"]
    prefix = platform_of(account.data).nbiot_prefix
    queue = requests["calls"][f"GET {prefix}/offline"]
    assert (queue["count"], queue["failed"]) == (2, 1)
    assert 0 < queue["mean_seconds"] <= queue["longest_seconds"] < queue["mean_seconds"] * 2 + 0.002
    assert requests["calls"][f"GET {prefix}/offline/history/{{id}}"]["count"] == 1
    error = requests["errors"]["limit_reached"]
    assert abs(client_of(account).now() - error.pop("last_at")) < timedelta(minutes=1)
    assert error == {"kind": "limit", "count": 1, "last_call": f"GET {prefix}/offline", "last_errno": 13}


async def test_diagnostics_have_the_latest_error_of_each_reason_first(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Errors with the same reason are one line, with the number of the last one."""
    for errno in (13, 2001, 19):
        onenet.faults = [Fault(kind=FaultKind.ERRNO, errno=errno, text="no", path="/offline")]
        with pytest.raises(HomeAssistantError):
            await offline_read(hass)
    errors = (await async_get_config_entry_diagnostics(hass, account))["requests"]["errors"]
    found = [(reason, error["count"], error["last_errno"]) for reason, error in errors.items()]
    assert found == [("limit_reached", 2, 19), ("device_offline", 1, 2001)]


async def test_diagnostics_have_the_times_of_polls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """A failed poll is repeated after 30 seconds; a queued command is polled 10 seconds later."""
    expected_warnings.append("Error fetching OneNET data")
    await refresh(account)
    polls = (await async_get_config_entry_diagnostics(hass, account))["polls"]
    assert polls["last_poll"] <= client_of(account).now() < polls["next_poll"]
    await add_device(hass, account, "3303/0/5700")
    polls = (await async_get_config_entry_diagnostics(hass, account))["polls"]
    assert timedelta() <= polls["last_full_poll"] - polls["last_poll"] < timedelta(seconds=1)
    assert timedelta(seconds=50) < polls["next_full_poll"] - polls["last_poll"] < timedelta(seconds=61)

    await offline_read(hass)
    polls = (await async_get_config_entry_diagnostics(hass, account))["polls"]
    assert timedelta(seconds=9) < polls["next_poll"] - client_of(account).now() <= timedelta(seconds=10)
    of_device = await diagnostics_of_device(hass, account)
    assert timedelta(seconds=9) < of_device["polls"]["next_poll"] - client_of(account).now() <= timedelta(seconds=10)

    await pass_time(account, onenet, timedelta(minutes=2))
    onenet.faults = [Fault(kind=FaultKind.RESET_BEFORE, times=100)]
    await refresh(account)
    polls = (await async_get_config_entry_diagnostics(hass, account))["polls"]
    assert (polls["reachable"], polls["failures_in_succession"]) == (False, 1)
    assert timedelta(seconds=29) < polls["next_poll"] - client_of(account).now() <= timedelta(seconds=30)


async def test_diagnostics_have_the_calls_that_leave_out_a_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """The newest values of the device were refused in two polls."""
    expected_warnings.append("The newest values of a device could not be fetched")
    await add_device(hass, account, "3303/0/5700")
    for _ in range(2):
        await pass_time(account, onenet, timedelta(minutes=2))
        onenet.faults = [Fault(kind=FaultKind.ERRNO, errno=3, text="no", path="datapoint", times=100)]
        await refresh(account)
    onenet.faults = []
    suspended = (await diagnostics_of_device(hass, account))["polls"]["suspended_calls"]
    assert list(suspended) == ["newest values"]
    assert suspended["newest values"] > client_of(account).now()
    polls = (await async_get_config_entry_diagnostics(hass, account))["polls"]
    assert (polls["suspended_calls"], polls["suspended_devices"]) == ({}, 1)


@pytest.mark.parametrize("variant", EVERY_PLATFORM)
async def test_diagnostics_count_failed_commands_by_known_reasons(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A word that OneNET does not document may be anything."""
    for status in ("NOT_FOUND", "Bath of Mrs Wang"):
        await offline_read(hass)
        command = onenet.onenet.commands[-1]
        command.send_status, command.confirm_status = SendStatus.DELIVERED, status
    await pass_time(account, onenet, timedelta(minutes=20))
    await refresh(account)
    commands = (await async_get_config_entry_diagnostics(hass, account))["commands"]
    assert commands["failed_by_reason"] == {"not_found": 1, "other": 1}
    assert (commands["by_state"], commands["by_type"], commands["oldest_waiting"]) == ({"failed": 2}, {"read": 2}, None)


async def test_diagnostics_of_a_device_have_the_data_types_of_its_resources(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """A resource that the registry does not define has an unknown one, a button shows none."""
    await add_device(hass, account, "3303/0/5700", "19999/0/1", controls=["3/0/4"])
    assert (await diagnostics_of_device(hass, account))["entities"] == {
        "sensor 3303/0/5700": {"3303/0/5700": "Float"},
        "sensor 19999/0/1": {"19999/0/1": "unknown"},
        "button 3/0/4": {},
    }


async def test_an_account_that_is_not_loaded_has_diagnostics(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """They have the configuration without secrets."""
    assert await hass.config_entries.async_unload(account.entry_id)
    diagnostics = await async_get_config_entry_diagnostics(hass, account)
    assert diagnostics.keys() == {"entry", "platform"}
