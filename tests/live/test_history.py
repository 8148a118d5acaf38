"""The past in a real Home Assistant with its recorder: from before a device was added, and from a stop of 1 to 2 days.

A test cannot wait for a day. Home Assistant is told by OneNET that it is yesterday, is stopped, and the times in its
recorder's database are set back, so that it starts as if it had been stopped since.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import sqlite3
from typing import Any

import pytest
import pytest_asyncio

from tests.emulator import BEIJING, OneNet, Product, Server

from .conftest import ACCESS_KEY, KEY, PRODUCT_ID
from .home_assistant import INTERFACE, HomeAssistant, free_port, seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR = timedelta(hours=1)
VOLUME = (3424, 0, 1)
# How long the meters have reported when they are added, and how far back their history is imported.
REPORTED = timedelta(days=40)
IMPORTED = timedelta(days=30)
BEGINNING = 128_500
# Litres in each hour of a day.
LITRES = (12, 9, 8, 8, 11, 34, 122, 231, 166, 106, 95, 109, 165, 98, 74, 84, 107, 154, 286, 329, 221, 167, 79, 33)
# The account of a platform, and the IMEI of its meter.
METERS = {
    "legacy": ({"api_key": KEY}, "866971080000001"),
    "current": ({"product_id": PRODUCT_ID, "access_key": ACCESS_KEY, "platform": "current"}, "866971080000002"),
}
FETCHED = "fetched the history of"
# Litres that a person adds to an hour.
CORRECTION = 500
# The recorder compiles a row every 5 minutes; the first statement does so with the newest sums.
SET_BACK = """
INSERT INTO statistics_short_term (created_ts, metadata_id, start_ts, state, sum)
    SELECT created_ts, metadata_id, {period}, state, sum FROM statistics GROUP BY metadata_id
    HAVING start_ts = max(start_ts);
UPDATE statistics_short_term SET start_ts = start_ts - {seconds}, created_ts = created_ts - {seconds};
UPDATE statistics_runs SET start = strftime('%Y-%m-%d %H:%M:%f', start, '-{seconds} seconds');
UPDATE states SET last_changed_ts = last_changed_ts - {seconds}, last_reported_ts = last_reported_ts - {seconds},
    last_updated_ts = last_updated_ts - {seconds};
"""


def litres(hour: datetime) -> int:
    """Return the consumption of an hour."""
    return LITRES[hour.astimezone(BEIJING).hour]


def hours(start: datetime, end: datetime) -> list[datetime]:
    """Return the full hours of a period."""
    return [start + number * HOUR for number in range((end - start) // HOUR)]


@dataclass(kw_only=True)
class House:
    """A Home Assistant with a water meter on each platform, which report at the end of every hour.

    Home Assistant was stopped from the hour of `stopped_at` until that of `started_at`.
    """

    home_assistant: HomeAssistant
    server: Server
    accounts: dict[str, dict[str, Any]]
    stopped_at: datetime
    started_at: datetime
    sensors: dict[str, str] = field(default_factory=dict)
    corrections: dict[datetime, int] = field(default_factory=dict)

    def expected(self, start: datetime, end: datetime) -> dict[datetime, int]:
        """Return the litres of each hour of a period."""
        return {hour: litres(hour) + self.corrections.get(hour, 0) for hour in hours(start, end)}

    async def add_meters(self) -> None:
        """Add the meters, and wait until their history is imported."""
        fetched = self.home_assistant.log().count(FETCHED)
        for platform, (_, imei) in METERS.items():
            await self.home_assistant.add_device(self.accounts[platform], imei, history_days=IMPORTED.days)
        await self.import_ended(fetched + len(METERS))
        entities = await self.home_assistant.order("config/entity_registry/list")
        for platform, (_, imei) in METERS.items():
            (self.sensors[platform],) = [
                entity["entity_id"] for entity in entities if entity["unique_id"].endswith(f"{imei}_3424/0/1")
            ]

    async def import_ended(self, count: int) -> None:
        """Wait until the log has this many ends of an import."""
        async with asyncio.timeout(30):
            while self.home_assistant.log().count(FETCHED) < count:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def remove(self, imei: str) -> None:
        """Remove a device as its account's page does."""
        device = await self.home_assistant.device(imei)
        await self.home_assistant.order(
            "config_entries/subentries/delete",
            entry_id=device["primary_config_entry"],
            subentry_id=device["config_subentry_id"],
        )

    async def correct(self, platform: str, hour: datetime) -> None:
        """Add to the consumption of an hour, as a person does in the developer tools."""
        self.corrections[hour] = CORRECTION
        await self.home_assistant.order(
            "recorder/adjust_sum_statistics",
            statistic_id=self.sensors[platform],
            start_time=hour.isoformat(),
            adjustment=CORRECTION / 1000,
            adjustment_unit_of_measurement="m³",
        )

    async def litres(self, platform: str, start: datetime, end: datetime) -> dict[datetime, int]:
        """Return the litres of each hour of a period that has statistics."""
        found = await self.home_assistant.order(
            "recorder/statistics_during_period",
            start_time=start.isoformat(),
            end_time=end.isoformat(),
            statistic_ids=[self.sensors[platform]],
            period="hour",
            types=["change"],
        )
        rows = found.get(self.sensors[platform], [])
        return {datetime.fromtimestamp(row["start"] / 1000, UTC): round(row["change"] * 1000) for row in rows}

    async def litres_once(self, platform: str, expected: dict[datetime, int]) -> dict[datetime, int]:
        """Return the litres of each hour of a period once they are as expected, or after 20 seconds.

        The recorder writes in a thread of its own.
        """
        found: dict[datetime, int] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                while found != expected:
                    found = await self.litres(platform, min(expected), max(expected) + HOUR)
                    await asyncio.sleep(0.1)
        return found


def report(onenet: OneNet, first: datetime, start: datetime, end: datetime) -> None:
    """Report the volumes of a period, of meters that began at `first`."""
    volume = BEGINNING
    for hour in hours(first, end):
        volume += litres(hour)
        if hour >= start:
            for _, imei in METERS.values():
                onenet.report(imei, {VOLUME: volume / 1000}, hour + timedelta(minutes=59))


def set_back(config: Path, seconds: int) -> None:
    """Set the times in the recorder's database back, as if Home Assistant had been stopped for so long."""
    with closing(sqlite3.connect(config / "home-assistant_v2.db")) as database:
        now = int(datetime.now(UTC).timestamp())
        database.executescript(SET_BACK.format(seconds=seconds, period=now - now % 300 - 300))


@asynccontextmanager
async def house_after_a_stop(config: Path, titles: Mapping[str, str]) -> AsyncIterator[House]:
    """Return a house which was stopped since the beginning of yesterday, with these titles of the meters."""
    product = Product(key=KEY, id=PRODUCT_ID, access_key=ACCESS_KEY)
    for platform, (_, imei) in METERS.items():
        product.add(imei, titles[platform], {VOLUME: 0.0})
    now = datetime.now(BEIJING)
    started_at = now.replace(minute=0, second=0, microsecond=0)
    stopped_at = started_at.replace(hour=0) - timedelta(days=1)
    server = await Server(OneNet(product)).start()
    onenet, first = server.onenet, stopped_at - REPORTED
    onenet.clock.offset = stopped_at - started_at
    report(onenet, first, first, stopped_at)
    port = free_port()
    seed(config, port, more=INTERFACE + "energy:\n")
    try:
        async with HomeAssistant.running(config, port) as home_assistant:
            accounts = {
                platform: (await home_assistant.connect_account(typed, server.url))["result"]
                for platform, (typed, _) in METERS.items()
            }
            house = House(
                home_assistant=home_assistant,
                server=server,
                accounts=accounts,
                stopped_at=stopped_at.astimezone(UTC),
                started_at=started_at.astimezone(UTC),
            )
            await house.add_meters()
            for platform in METERS:
                await house.correct(platform, house.stopped_at - 12 * HOUR)
            await home_assistant.stop()
            set_back(config, int((started_at - stopped_at).total_seconds()))
            onenet.clock.offset = timedelta()
            report(onenet, first, stopped_at, started_at)
            ended = home_assistant.log().count(FETCHED)
            await home_assistant.start()
            await house.import_ended(ended + len(METERS))
            yield house
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Return a house after a stop, in which the water of one hour was corrected before."""
    titles = {platform: f"Water meter, {platform} platform" for platform in METERS}
    async with house_after_a_stop(tmp_path_factory.mktemp("history"), titles) as house:
        yield house
        assert house.home_assistant.complaints() == []
        assert "Blocked attempt" not in house.home_assistant.log()


@pytest.mark.parametrize("platform", METERS)
async def test_a_device_is_added_with_its_history(house: House, platform: str) -> None:
    """Each hour before the device was added has its consumption, and no hour before that is imported."""
    # What was consumed in the first hour is unknown, and the first report may be a minute too old.
    first = house.stopped_at - IMPORTED + 2 * HOUR
    expected = house.expected(first, house.stopped_at)
    assert await house.litres_once(platform, expected) == expected
    earlier = await house.litres(platform, house.stopped_at - REPORTED, first)
    assert 0 < len(earlier) <= 2
    assert min(earlier.values()) >= 0


@pytest.mark.parametrize("platform", METERS)
async def test_a_stop_is_filled(house: House, platform: str) -> None:
    """Each hour of the stop has its consumption, after a sum that a person had corrected."""
    expected = house.expected(house.stopped_at, house.started_at)
    assert len(expected) >= 24
    assert await house.litres_once(platform, expected) == expected


async def test_corrections_survive_a_second_import(house: House) -> None:
    """A device that is removed and added again is imported again, and no hour changes."""
    for _, imei in METERS.values():
        await house.remove(imei)
    await house.add_meters()
    # The recorder writes one after the other.
    for platform in METERS:
        await house.correct(platform, house.stopped_at + 12 * HOUR)
        expected = house.expected(house.stopped_at - IMPORTED + 2 * HOUR, house.started_at)
        assert await house.litres_once(platform, expected) == expected
