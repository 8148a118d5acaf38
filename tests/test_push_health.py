"""Whether the pushes of an account arrive, and how that changes polling."""

from datetime import UTC, datetime, timedelta

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot.const import DOMAIN
from custom_components.onenet_nbiot.push_health import PushHealth, value_key
from custom_components.onenet_nbiot.schedule import PollSchedule

from .common import (
    CURRENT_ONLY,
    EVERY_PLATFORM,
    IMEI,
    LEGACY_ONLY,
    OTHER_IMEI,
    add_device,
    client_of,
    commands_of,
    coordinator_of,
    offline_read,
    pass_time,
    refresh,
    run_with,
)
from .emulator import Server, Trigger
from .push import health_of, push_entry

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


variant = run_with(["legacy, access key, other switches"])
entry = push_entry


def is_known(_: str) -> bool:
    """Return that every device is known."""
    return True


@pytest.fixture
async def health(hass: HomeAssistant) -> PushHealth:
    """Return a state in which no push has arrived."""
    health = PushHealth(hass, "account")
    health.ready(NOON - SECOND)
    return health


def test_pushes_are_active_for_a_day_after_the_last_one(health: PushHealth) -> None:
    """They are neither active nor stopped before the first one, and after a day without any."""
    assert (health.is_active(NOON), health.is_stopped(NOON)) == (False, False)
    health.async_arrived(NOON, NOON)
    assert health.is_active(NOON + 24 * HOUR)
    assert not health.is_active(NOON + 24 * HOUR + SECOND)
    assert not health.is_stopped(NOON + 24 * HOUR + SECOND)


def test_more_than_a_day_without_pushes_is_a_stop_if_they_arrived_every_day(health: PushHealth) -> None:
    """A device that reports daily may be late. The next push ends the stop, and the days are counted again."""
    for day in range(3):
        health.async_arrived(NOON + day * 25 * HOUR, NOON + day * 25 * HOUR)
    last = NOON + 50 * HOUR
    assert not health.is_stopped(last + 30 * HOUR)
    assert health.is_stopped(last + 30 * HOUR + SECOND)
    later = last + 48 * HOUR
    health.async_arrived(later, later)
    assert health.is_active(later)
    assert not health.is_stopped(later + 31 * HOUR)


def test_three_outcomes_in_succession_without_a_push_are_a_stop(health: PushHealth) -> None:
    """An outcome that a push has brought starts the count again."""
    health.async_arrived(NOON, NOON)
    for uuid in "ab":
        health.polled(IMEI, uuid, NOON, NOON)
    health.async_check(NOON + 2 * MINUTE, is_known)
    health.pushed(IMEI, "c")
    for uuid in "de":
        health.polled(IMEI, uuid, NOON, NOON)
    health.async_check(NOON + 2 * MINUTE, is_known)
    assert (health.missed, health.is_stopped(NOON)) == (4, False)
    health.polled(IMEI, "f", NOON, NOON)
    health.async_check(NOON + 2 * MINUTE, is_known)
    assert (health.is_stopped(NOON), health.is_active(NOON)) == (True, False)
    health.pushed(IMEI, "g")
    assert not health.is_stopped(NOON)


def test_an_outcome_that_a_push_brings_within_a_minute_is_not_missed(health: PushHealth) -> None:
    """Nor is one that a push has brought before."""
    health.pushed(IMEI, "before")
    health.polled(IMEI, "before", NOON, NOON)
    health.polled(IMEI, "after", NOON, NOON)
    health.async_check(NOON + MINUTE, is_known)
    health.pushed(IMEI, "after")
    health.async_check(NOON + HOUR, is_known)
    assert health.missed == 0


def test_the_pushed_outcomes_that_are_kept_are_limited(health: PushHealth) -> None:
    """The oldest one is deleted."""
    for number in range(1001):
        health.pushed(IMEI, str(number))
    for uuid in ("0", "1"):
        health.polled(IMEI, uuid, NOON, NOON)
    health.async_check(NOON + HOUR, is_known)
    assert health.missed == 1


async def test_the_days_with_pushes_are_known_after_a_restart(hass: HomeAssistant, health: PushHealth) -> None:
    """Until the push is turned off."""
    for day in range(3):
        health.async_arrived(NOON + day * 24 * HOUR, NOON + day * 24 * HOUR)
    last = NOON + 48 * HOUR
    for uuid in "abc":
        health.polled(IMEI, uuid, NOON, NOON)
    health.async_check(last, is_known)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    restarted = PushHealth(hass, "account")
    await restarted.async_load()
    assert (restarted.last_push, restarted.is_stopped(last)) == (last, True)
    restarted.pushed(IMEI, "d")
    assert restarted.is_active(last)
    assert restarted.is_stopped(last + 31 * HOUR)
    restarted.async_arrived(last + HOUR, last)
    assert restarted.last_push == last
    await restarted.async_clear()
    restarted = PushHealth(hass, "account")
    await restarted.async_load()
    assert restarted.last_push is None


def test_a_time_in_the_future_is_no_sign_that_pushes_arrive(health: PushHealth) -> None:
    """A device may have a wrong clock."""
    health.async_arrived(NOON, NOON + HOUR)
    assert health.last_push is None
    health.async_arrived(NOON, NOON + MINUTE)
    assert health.last_push == NOON


def test_three_outcomes_of_a_device_without_a_push_are_a_stop_although_other_devices_are_pushed(
    health: PushHealth,
) -> None:
    """The push may have been set up for a group of devices only. The stop ends when the device is removed."""
    health.async_arrived(NOON, NOON)
    for uuid in "abc":
        health.polled(IMEI, uuid, NOON, NOON)
        health.async_check(NOON + 2 * MINUTE, is_known)
        health.pushed(OTHER_IMEI, f"pushed {uuid}")
        health.pushed(IMEI, value_key(IMEI, "3303/0/5700"))
    assert health.is_stopped(NOON)
    health.async_check(NOON + 72 * HOUR, is_known)
    assert health.is_stopped(NOON)
    health.async_check(NOON, lambda imei: imei == OTHER_IMEI)
    assert not health.is_stopped(NOON)


def test_news_from_before_the_webhook_was_ready_are_not_missed(health: PushHealth) -> None:
    """Home Assistant was not running, or the push was off."""
    for uuid in "abc":
        health.polled(IMEI, uuid, NOON - MINUTE, NOON)
    health.async_check(NOON + HOUR, is_known)
    assert health.missed == 0


def test_three_values_that_only_polls_find_are_a_stop_until_one_is_pushed(health: PushHealth) -> None:
    """A push may bring another time, and may be late."""
    path = "3303/0/5700"

    def poll(before: timedelta, at: timedelta) -> None:
        health.polled_value(IMEI, path, NOON + before, NOON + at, NOON + at)

    for hour in range(3):
        poll(hour * HOUR, (hour + 1) * HOUR)
        health.async_check(NOON + (hour + 1.5) * HOUR, is_known)
    assert health.is_stopped(NOON + 4 * HOUR)
    poll(4 * HOUR, 5 * HOUR)
    health.pushed(IMEI, value_key(IMEI, path))
    health.async_check(NOON + 6 * HOUR, is_known)
    assert not health.is_stopped(NOON + 6 * HOUR)
    poll(6 * HOUR, 6 * HOUR + SECOND)
    health.async_check(NOON + 7 * HOUR, is_known)
    assert health.missed == 3


def test_onenet_may_report_one_push_as_off_while_others_arrive(health: PushHealth) -> None:
    """A product may have pushes of groups and of rules, too."""
    health.async_arrived(NOON, NOON)
    health.set_status(is_active=False)
    assert not health.is_stopped(NOON + 24 * HOUR)
    assert health.is_stopped(NOON + 24 * HOUR + SECOND)
    health.set_status(is_active=True)
    assert not health.is_stopped(NOON + 24 * HOUR + SECOND)


def test_the_state_of_the_push_is_requested_soon_while_it_is_off_and_after_a_check_of_the_url(
    health: PushHealth,
) -> None:
    """Otherwise once an hour."""
    assert health.is_status_due(NOON)
    assert not health.is_status_due(NOON + 59 * MINUTE)
    health.set_status(is_active=False)
    assert health.is_status_due(NOON + 5 * MINUTE)
    health.set_status(is_active=True)
    assert not health.is_status_due(NOON + 10 * MINUTE)
    health.async_url_checked()
    assert health.is_status_due(NOON + 10 * MINUTE)


def test_relaxed_polls_are_four_times_less_frequent() -> None:
    """The first poll of a new command is relaxed, too; afterwards polls are as frequent as before."""
    schedule = PollSchedule(MINUTE, NOON)
    schedule.full_poll_started(NOON)
    schedule.set_relaxed(NOON, is_relaxed=True)
    # A poll that is scheduled already is not delayed.
    assert schedule.is_full_poll_due(NOON + MINUTE)
    schedule.full_poll_started(NOON + MINUTE)
    assert not schedule.is_full_poll_due(NOON + 4 * MINUTE)
    assert schedule.is_full_poll_due(NOON + 5 * MINUTE)
    schedule.queued(IMEI, NOON + MINUTE)
    assert schedule.due(NOON + 4 * MINUTE) == []
    assert schedule.due(NOON + 5 * MINUTE) == [IMEI]
    schedule.set_relaxed(NOON + 2 * MINUTE, is_relaxed=False)
    assert schedule.is_full_poll_due(NOON + 3 * MINUTE)
    assert schedule.due(NOON + 3 * MINUTE) == [IMEI]


def seconds_between_polls(account: MockConfigEntry) -> int:
    """Return the number of seconds until the next poll of an account."""
    interval = coordinator_of(account).update_interval
    assert interval
    return round(interval.total_seconds())


@pytest.mark.parametrize("variant", EVERY_PLATFORM)
async def test_polling_slows_down_while_pushes_arrive(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """After a day without pushes, it is as frequent as before; so it is where pushes have no outcomes."""
    await add_device(hass, account, "3303/0/5700")
    await refresh(account)
    assert seconds_between_polls(account) == 60
    health_of(account).async_arrived(now := datetime.now(UTC), now)
    await refresh(account)
    await pass_time(account, onenet, 5 * MINUTE)
    await refresh(account)
    assert seconds_between_polls(account) == (240 if client_of(account).pushes_outcomes else 60)
    await pass_time(account, onenet, 25 * HOUR)
    await refresh(account)
    assert seconds_between_polls(account) == 60


def is_reported(hass: HomeAssistant, account: MockConfigEntry, issue: str = "push_stopped") -> bool:
    """Return whether an account has a repair issue."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{issue}_{account.entry_id}") is not None


@LEGACY_ONLY
async def test_three_outcomes_that_only_polls_find_create_an_issue_that_a_pushed_one_deletes(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The issue is also deleted with the account."""
    for _ in range(3):
        await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await pass_time(account, onenet, 20 * SECOND)
    await refresh(account)
    assert commands_of(account).waiting == 0
    assert not is_reported(hass, account)
    await pass_time(account, onenet, 2 * MINUTE)
    await refresh(account)
    assert is_reported(hass, account)
    health_of(account).pushed(IMEI, "any")
    await refresh(account)
    assert not is_reported(hass, account)
    health_of(account).set_status(is_active=False)
    await refresh(account)
    assert is_reported(hass, account)
    assert await hass.config_entries.async_remove(account.entry_id)
    assert not is_reported(hass, account)


@CURRENT_ONLY
async def test_outcomes_are_not_missed_on_the_platform_that_does_not_push_them(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Only polls find them there."""
    for _ in range(3):
        await offline_read(hass)
    onenet.onenet.wake(IMEI, Trigger.UPDATE)
    await pass_time(account, onenet, 20 * SECOND)
    await refresh(account)
    await pass_time(account, onenet, 2 * MINUTE)
    await refresh(account)
    assert health_of(account).missed == 0


async def test_a_push_that_onenet_has_turned_off_creates_an_issue(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """OneNET is asked once an hour."""
    onenet.onenet.products[0].push_enabled = False
    await pass_time(account, onenet, 2 * HOUR)
    await refresh(account)
    await refresh(account)
    assert is_reported(hass, account)
    assert sum(request.path == "/third/platform/status" for request in onenet.requests) <= 2
    onenet.onenet.products[0].push_enabled = True
    await pass_time(account, onenet, 2 * HOUR)
    await refresh(account)
    await pass_time(account, onenet, 2 * MINUTE)
    await refresh(account)
    assert not is_reported(hass, account)


async def test_turning_push_off_deletes_the_issue(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """It does not return when the push is turned on again."""
    health_of(account).set_status(is_active=False)
    await refresh(account)
    assert is_reported(hass, account)
    options = dict(account.options)
    for changed in ({}, options):
        hass.config_entries.async_update_entry(account, options=changed)
        assert await hass.config_entries.async_reload(account.entry_id)
        await refresh(account)
        assert not is_reported(hass, account)
