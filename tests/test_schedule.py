"""When the commands of a device are polled next."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.onenet_nbiot.schedule import PollSchedule

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=10)


@pytest.fixture
def schedule() -> PollSchedule:
    """Return a schedule with an interval of a minute."""
    return PollSchedule(MINUTE, NOON)


def test_a_full_poll_is_due_at_first_and_then_after_the_interval(schedule: PollSchedule) -> None:
    """A timer that is early by a second is accepted."""
    assert schedule.is_full_poll_due(NOON)
    schedule.full_poll_started(NOON)
    assert not schedule.is_full_poll_due(NOON + MINUTE - timedelta(seconds=2))
    assert schedule.is_full_poll_due(NOON + MINUTE - timedelta(seconds=1))
    schedule.full_poll_started(NOON + MINUTE)
    schedule.request_full_poll(NOON + MINUTE)
    assert schedule.is_full_poll_due(NOON + MINUTE)


def test_polls_become_less_frequent(schedule: PollSchedule) -> None:
    """After ten seconds, they follow after one, one, two, five and ten intervals."""
    schedule.queued("1", NOON)
    now, delays = NOON, []
    for _ in range(7):
        start = now
        while not schedule.due(now):
            now += timedelta(seconds=1)
        delays.append(round((now - start) / SOON))
        schedule.polled("1", schedule.start("1"), now, None)
    assert delays == [1, 6, 6, 12, 30, 60, 60]


def test_a_queued_command_makes_its_device_due_soon(schedule: PollSchedule) -> None:
    """The poll of a device that was polled many times is not delayed."""
    schedule.set_devices(["1", "2"], NOON)
    for _ in range(5):
        schedule.polled("1", schedule.start("1"), NOON, None)
    schedule.queued("1", NOON)
    assert schedule.due(NOON) == ["2"]
    assert schedule.due(NOON + SOON, soon_only=True) == ["1"]
    assert schedule.due(NOON + SOON) == ["1", "2"]


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_command_that_is_queued_during_a_poll_is_polled_soon(schedule: PollSchedule, *, succeeds: bool) -> None:
    """The end of that poll does not delay it."""
    schedule.set_devices(["1"], NOON)
    # In the first turn its polls are rare, in the second one it has an early poll.
    for _ in range(2):
        token = schedule.start("1")
        schedule.queued("1", NOON)
        if succeeds:
            schedule.polled("1", token, NOON, None)
        else:
            schedule.failed("1", token, NOON)
        assert schedule.due(NOON + SOON, soon_only=True) == ["1"]


def test_a_failed_poll_is_repeated_in_the_next_one(schedule: PollSchedule) -> None:
    """It is not repeated in an early poll of other devices."""
    schedule.set_devices(["1"], NOON)
    schedule.failed("1", schedule.start("1"), NOON)
    assert schedule.due(NOON + SOON) == ["1"]
    assert schedule.due(NOON + SOON, soon_only=True) == []


def test_a_device_is_due_soon_after_a_command_becomes_valid(schedule: PollSchedule) -> None:
    """The time is that of the command, plus the delay of an early poll."""
    schedule.set_devices(["1"], NOON)
    schedule.polled("1", schedule.start("1"), NOON, NOON + timedelta(seconds=20))
    assert schedule.due(NOON + timedelta(seconds=20)) == []
    assert schedule.due(NOON + timedelta(seconds=30), soon_only=True) == ["1"]


def test_everything_is_due_after_the_clock_was_set_back(schedule: PollSchedule) -> None:
    """A wrong time at the last poll does not delay the next one for years."""
    schedule.queued("1", NOON)
    schedule.full_poll_started(NOON)
    assert schedule.due(NOON - timedelta(days=1)) == ["1"]
    assert schedule.is_full_poll_due(NOON - timedelta(days=1))


def test_the_next_poll_is_the_earliest(schedule: PollSchedule) -> None:
    """Without devices and commands, it follows after a quarter of an hour."""
    assert schedule.delay(NOON, is_idle=True) == timedelta(minutes=15)
    schedule.full_poll_started(NOON)
    assert schedule.delay(NOON, is_idle=False) == MINUTE
    schedule.queued("1", NOON)
    assert schedule.delay(NOON, is_idle=True) == SOON
    schedule.set_devices([], NOON)
    assert schedule.delay(NOON + timedelta(seconds=40), is_idle=False) == timedelta(seconds=20)
    assert PollSchedule(timedelta(hours=1), NOON).delay(NOON, is_idle=True) == timedelta(hours=1)
