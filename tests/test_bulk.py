"""Presence and newest values of many devices take few requests, and the fault of one device leaves the others."""

from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onenet_nbiot import bulk
from custom_components.onenet_nbiot.devices import Device as KnownDevice

from .common import (
    EVERY_PLATFORM,
    IMEI,
    LEGACY_ONLY,
    VARIANTS,
    client_of,
    coordinator_of,
    devices_of,
    refresh,
    run_with,
)
from .emulator import Fault, FaultKind, Server, Switches

variant = run_with(EVERY_PLATFORM)

TEMPERATURE = (3303, 0, 5700)
PATH = "3303/0/5700"
PICTURE = (3300, 0, 5750)
BATCHES = ("/devices/datapoints", "/datapoint/current-datapoints")
CURRENT_ONLY = pytest.mark.parametrize(
    ("account_data", "switches"), [VARIANTS["current, access key"]], ids=["current, access key"]
)


def add(account: MockConfigEntry, onenet: Server, count: int) -> list[KnownDevice]:
    """Add more devices at OneNET and to the account, without entities, and return all of them."""
    product = onenet.onenet.products[0]
    for number in range(1, count):
        product.add(str(int(IMEI) + number), f"Meter {number}", {TEMPERATURE: float(number)})
    devices = devices_of(account)
    for imei in product.devices:
        known = devices.added[imei] = devices.get(imei)
        known.tracked_paths = frozenset({PATH})
    onenet.onenet.report_all()
    return list(devices.added.values())


async def poll(account: MockConfigEntry, onenet: Server, after: timedelta = timedelta(minutes=1)) -> list[str]:
    """Let time pass and poll; return the paths of the requests, all of which have a short URL."""
    onenet.onenet.clock.offset += after
    await client_of(account).check_credentials()
    onenet.requests.clear()
    await refresh(account)
    assert coordinator_of(account).last_update_success
    for request in onenet.requests:
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        assert len(onenet.url) + len(request.path) + len(query) + 1 < 6000
    return [request.path for request in onenet.requests]


def values(devices: list[KnownDevice]) -> list[Any]:
    """Return the temperatures of the readings."""
    return [device.readings[PATH].value if PATH in device.readings else None for device in devices]


async def test_a_reply_that_is_too_large_is_requested_in_parts(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Forty devices with large values leave a thermometer up to date."""
    devices = add(account, onenet, 45)
    for device in devices[1:]:
        onenet.onenet.report(device.imei, {PICTURE: "x" * 100_000})
    await poll(account, onenet)
    assert values(devices) == [21.5, *map(float, range(1, 45))]
    onenet.onenet.report(IMEI, {TEMPERATURE: 30.0})
    # The batches are smaller from now on.
    again = [path for path in await poll(account, onenet) if path in BATCHES]
    assert values(devices)[0] == 30.0
    assert len(again) <= 4


async def test_a_device_with_unreadable_values_is_suspended_and_logged_once(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All other devices are up to date after every poll."""
    expected_warnings.append("The newest values of a device could not be fetched")
    devices = add(account, onenet, 70)
    onenet.onenet.report(devices[33].imei, {PICTURE: "x" * 5_000_000})
    for minute in range(4):
        onenet.onenet.report(IMEI, {TEMPERATURE: float(minute)})
        paths = await poll(account, onenet)
        assert values(devices) == [float(minute), *map(float, range(1, 33)), None, *map(float, range(34, 70))]
    # The device is suspended by now.
    assert len([path for path in paths if path in BATCHES]) == 1
    onenet.onenet.products[0].devices[devices[33].imei].datapoints.pop(PICTURE)
    await poll(account, onenet, timedelta(hours=1, minutes=1))
    assert values(devices)[33] == 33.0
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([record for record in warnings if "the device is skipped" in record.getMessage()]) == 1


@pytest.mark.parametrize("path", ["/datapoints", "current-datapoints", "/devices/status"])
async def test_a_call_that_fails_for_all_devices_is_suspended_for_an_hour(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, path: str
) -> None:
    """No device is logged, since none is the cause, and the other calls are still made."""
    devices = add(account, onenet, 30)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10407, text="operation", path=path, times=10_000))
    requests = len(await poll(account, onenet))
    assert requests <= 40
    assert sum(path in requested for requested in await poll(account, onenet)) == 0
    onenet.faults.clear()
    await poll(account, onenet, timedelta(hours=1, minutes=1))
    assert values(devices) == [21.5, *map(float, range(1, 30))]


async def test_a_slow_reply_is_requested_in_smaller_batches(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The next poll requests half as many devices at a time."""
    add(account, onenet, 20)
    await poll(account, onenet)
    for path in BATCHES:
        onenet.faults.append(Fault(kind=FaultKind.PAGE, status=504, path=path))
    assert len([path for path in await poll(account, onenet) if path in BATCHES]) == 1
    assert len([path for path in await poll(account, onenet) if path in BATCHES]) == 2


@CURRENT_ONLY
async def test_presence_comes_from_the_list_of_the_current_platform(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """No call returns the presence of chosen devices; a list of many pages is fetched in every fifth poll."""
    devices = add(account, onenet, 250)
    for number in (0, 99, 100, 249):
        onenet.onenet.set_online(devices[number].imei, online=True)
    rounds = [await poll(account, onenet) for _ in range(11)]
    assert [number for number, device in enumerate(devices) if device.online] == [0, 99, 100, 249]
    assert all(device.last_seen is not None for device in devices if device.online)
    assert [paths.count("/device/list") for paths in rounds].count(3) in (2, 3)
    assert [paths.count("/device/list") for paths in rounds].count(0) >= 8
    assert all(paths.count("/datapoint/current-datapoints") == 3 for paths in rounds)
    assert values(devices) == [21.5, *map(float, range(1, 250))]
    onenet.onenet.set_online(devices[99].imei, online=False)
    for _ in range(5):
        await poll(account, onenet)
    assert devices[99].online is False


@CURRENT_ONLY
async def test_a_few_devices_of_a_large_product_are_looked_up_one_by_one(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """Lookups take fewer requests than the whole list."""
    devices = add(account, onenet, 4)
    product = onenet.onenet.products[0]
    for number in range(1000, 1700):
        product.add(str(int(IMEI) + number), "Other")
    # The added devices are the last ones of the list.
    for device in devices:
        product.devices[device.imei] = product.devices.pop(device.imei)
        onenet.onenet.set_online(device.imei, online=True)
    rounds = [await poll(account, onenet) for _ in range(8)]
    assert all(device.online for device in devices)
    assert values(devices) == [21.5, 1.0, 2.0, 3.0]
    assert max(map(len, rounds)) <= 8
    assert "/device/list" not in rounds[-1]


@pytest.mark.parametrize(
    ("account_data", "switches"),
    [
        (VARIANTS["current, access key"][0], Switches(names_max=50)),
        (VARIANTS["current, access key"][0], Switches(last_name_left_out=True)),
        (VARIANTS["current, access key"][0], Switches(names_max=7, last_name_left_out=True, ids_as_numbers=True)),
    ],
    ids=["at most 50 names", "the last name left out", "both"],
)
async def test_devices_that_a_reply_lacks_are_requested_again(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The documents state no maximum number of devices for a reply."""
    devices = add(account, onenet, 120)
    for _ in range(5):
        await poll(account, onenet)
    assert values(devices) == [21.5, *map(float, range(1, 120))]
    for device in devices:
        onenet.onenet.report(device.imei, {TEMPERATURE: -1.0})
    for _ in range(3):
        await poll(account, onenet)
    assert values(devices) == [-1.0] * 120


@pytest.mark.parametrize(
    ("account_data", "switches"),
    [(VARIANTS["current, access key"][0], Switches(last_name_left_out=True))],
    ids=["the last name left out"],
)
async def test_batches_do_not_shrink_because_each_reply_lacks_its_last_device(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The number of requests stays the same over many polls."""
    add(account, onenet, 200)
    polls = [await poll(account, onenet) for _ in range(12)]
    counts = [sum(path in BATCHES for path in paths) for paths in polls]
    # Two batches, one for the devices that they omit, and one for the device that this one omits.
    assert counts[2:] == [4] * 10


@CURRENT_ONLY
async def test_a_name_with_a_comma_is_requested_by_imei(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A comma separates the names in the parameter."""
    onenet.onenet.products[0].add(str(int(IMEI) + 1), "Lamp", {TEMPERATURE: 5.0}, name="lamp,2")
    devices = add(account, onenet, 1)
    for _ in range(3):
        await poll(account, onenet)
    assert values(devices) == [21.5, 5.0]


@CURRENT_ONLY
@pytest.mark.parametrize("path", ["/device/list", "/device/detail", "/datapoint/"])
async def test_a_call_that_the_platform_lacks_leaves_the_other_calls(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, path: str
) -> None:
    """The results of the other calls are shown."""
    devices = add(account, onenet, 5)
    onenet.onenet.set_online(IMEI, online=True)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10404, text="no such path", path=path, times=10_000))
    for _ in range(4):
        await poll(account, onenet)
    # Without the list, devices are looked up one by one.
    assert devices[0].online is True
    assert values(devices)[0] == (None if path == "/datapoint/" else 21.5)


@LEGACY_ONLY
async def test_devices_that_the_list_lacks_are_looked_up_by_imei(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The list is not fetched again for them in every poll."""
    devices = add(account, onenet, 30)
    product = onenet.onenet.products[0]
    for device in devices[10:]:
        product.devices.pop(device.imei)
    rounds = [await poll(account, onenet) for _ in range(10)]
    assert sum(paths.count("/devices") for paths in rounds) <= 2
    assert max(paths.count("/devices/getbyimei") for paths in rounds) <= 2
    assert values(devices)[:10] == [21.5, *map(float, range(1, 10))]


@CURRENT_ONLY
async def test_all_devices_that_a_long_list_lacks_are_looked_up_in_turn(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list takes two polls, and each device is looked up once an hour."""
    monkeypatch.setattr(bulk, "_PER_PAGE", 10)
    devices = add(account, onenet, 20)
    product = onenet.onenet.products[0]
    for number in range(40):
        product.add(str(int(IMEI) + 1000 + number), "Other meter")
    missing = devices[-3:]
    for device in missing:
        onenet.onenet.remove(device.imei)
    rounds = [await poll(account, onenet) for _ in range(40)]
    looked_up = [path for paths in rounds for path in paths if path == "/device/detail"]
    assert all(device.not_found_since for device in missing)
    assert len(looked_up) == len(missing)


@LEGACY_ONLY
async def test_ids_are_looked_up_one_by_one_without_the_list(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The list is not requested again in every poll."""
    devices = add(account, onenet, 6)
    onenet.faults.append(
        Fault(kind=FaultKind.PAGE, status=404, path="/devices", parameter=("per_page", "100"), times=10**6)
    )
    rounds = [await poll(account, onenet) for _ in range(6)]
    assert sum(paths.count("/devices") for paths in rounds) <= 2
    assert all(device.key for device in devices)


@LEGACY_ONLY
async def test_a_temporary_error_of_one_device_leaves_the_others_up_to_date(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, expected_warnings: list[str]
) -> None:
    """OneNET answers its batch with an internal error; the number of requests stays small."""
    expected_warnings.append("The newest values of a device could not be fetched")
    devices = add(account, onenet, 300)
    for _ in range(4):
        await poll(account, onenet)
    bad = onenet.onenet.products[0].devices[devices[123].imei].id
    onenet.faults.append(
        Fault(
            kind=FaultKind.ERRNO,
            errno=1,
            text="internal server error",
            path="/datapoints",
            device_id=str(bad),
            times=10**6,
        )
    )
    for minute in range(6):
        for device in (devices[0], devices[299]):
            onenet.onenet.report(device.imei, {TEMPERATURE: -float(minute)})
        assert len(await poll(account, onenet)) <= 30
        assert values(devices)[0] == values(devices)[299] == -float(minute)


@LEGACY_ONLY
async def test_a_busy_call_takes_a_limited_number_of_requests(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The values are up to date as soon as OneNET is no longer busy."""
    devices = add(account, onenet, 300)
    for _ in range(4):
        await poll(account, onenet)
    onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=15, text="too frequent", path="/datapoints", times=10**6))
    for _ in range(12):
        assert len(await poll(account, onenet)) <= 25
    onenet.faults.clear()
    onenet.onenet.report(IMEI, {TEMPERATURE: 30.0})
    await poll(account, onenet)
    assert values(devices)[0] == 30.0


@LEGACY_ONLY
async def test_an_id_that_onenet_refuses_is_looked_up(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The device was registered again; a batch with its old id is refused as a whole."""
    devices = add(account, onenet, 20)
    for _ in range(3):
        await poll(account, onenet)
    old = onenet.onenet.products[0].devices[IMEI].id
    onenet.onenet.remove(IMEI)
    onenet.onenet.products[0].add(IMEI, "Again", {TEMPERATURE: 40.0})
    onenet.onenet.report(IMEI)
    onenet.faults.append(
        Fault(
            kind=FaultKind.ERRNO,
            errno=6,
            text="invalid parameter: devIds",
            path="/devices/",
            device_id=str(old),
            times=10**6,
        )
    )
    for _ in range(4):
        await poll(account, onenet)
    assert values(devices)[0] == 40.0
    assert devices[0].key == str(onenet.onenet.products[0].devices[IMEI].id)


@CURRENT_ONLY
async def test_devices_that_onenet_omits_and_refuses_leave_the_others_up_to_date(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A batch silently lacks deleted devices; a request about one of them alone is refused."""
    devices = add(account, onenet, 20)
    await poll(account, onenet)
    for device in devices[5:7]:
        onenet.onenet.remove(device.imei)
    for minute in range(6):
        onenet.onenet.report(IMEI, {TEMPERATURE: -float(minute)})
        paths = await poll(account, onenet)
        assert values(devices)[0] == -float(minute)
    # Both are suspended by now.
    assert sum(path in BATCHES for path in paths) == 1


@LEGACY_ONLY
@pytest.mark.parametrize("bad", [slice(4), slice(-4, None)], ids=["first", "last"])
async def test_several_devices_that_are_refused_leave_the_others_up_to_date(
    hass: HomeAssistant,
    account: MockConfigEntry,
    onenet: Server,
    expected_warnings: list[str],
    bad: slice,
) -> None:
    """They are found wherever they are in the order of devices."""
    expected_warnings.append("The newest values of a device could not be fetched")
    devices = add(account, onenet, 100)
    await poll(account, onenet)
    for device in devices[bad]:
        id_ = str(onenet.onenet.products[0].devices[device.imei].id)
        refusal: dict[str, Any] = {"kind": FaultKind.ERRNO, "errno": 6, "text": "invalid", "path": BATCHES[0]}
        onenet.faults.append(Fault(**refusal, device_id=id_, times=10**6))
    good = [device for device in devices if device not in devices[bad]]
    for minute in range(6):
        for device in good:
            onenet.onenet.report(device.imei, {TEMPERATURE: -float(minute)})
        await poll(account, onenet)
    assert values(good) == [-5.0] * 96


@CURRENT_ONLY
async def test_an_unreadable_page_of_the_list_hides_its_devices_only(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """The presence of the devices on all other pages stays up to date."""
    devices = add(account, onenet, 250)
    for _ in range(6):
        await poll(account, onenet)
    second = ("offset", "100")
    onenet.faults.append(Fault(kind=FaultKind.DATA, data=7, path="/device/list", parameter=second, times=10**6))
    for online in (True, False):
        for device in devices:
            onenet.onenet.set_online(device.imei, online=online)
        for _ in range(12):
            await poll(account, onenet)
        assert [device.online for device in devices[:100] + devices[200:]] == [online] * 150
    assert not any(device.missing for device in devices)


@LEGACY_ONLY
@pytest.mark.parametrize("count", [1, 6], ids=["looked up by IMEI", "listed"])
async def test_the_keys_of_the_other_platform_are_reset(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, count: int
) -> None:
    """An account that moves to the other platform and back finds all its devices, even those just looked up."""
    devices = add(account, onenet, count)
    await poll(account, onenet)
    known = devices_of(account)
    for platform in ("current", "legacy"):
        for device in devices:
            device.last_lookup = client_of(account).now()
        known.async_set_platform(platform)
        assert [device.key for device in devices] == [None] * count
    onenet.onenet.report_all({TEMPERATURE: 1.5})
    await poll(account, onenet)
    assert values(devices) == [1.5] * count


@CURRENT_ONLY
async def test_devices_without_an_imei_in_the_list_are_looked_up_in_turn(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many products name their devices by the IMEI and list it nowhere else."""
    devices = add(account, onenet, 6)
    for device in onenet.onenet.products[0].devices.values():
        device.name = f"meter-{device.imei[-3:]}"
    page = '{"code": 0, "data": {"list": []}}'
    onenet.faults.append(Fault(kind=FaultKind.BODY, path="/device/list", text=page, times=10**6))
    for _ in range(6):
        await poll(account, onenet)
    assert values(devices) == [21.5, 1.0, 2.0, 3.0, 4.0, 5.0]


async def test_an_account_works_without_any_call_about_many_devices(
    hass: HomeAssistant, account: MockConfigEntry, onenet: Server
) -> None:
    """A missing call does not stop the account."""
    for path in ("/devices", "/product/detail", "/device/list"):
        onenet.faults.append(Fault(kind=FaultKind.ERRNO, errno=10404, text="no such path", path=path, times=10**6))
    await refresh(account)
    assert coordinator_of(account).last_update_success
    assert await hass.config_entries.async_reload(account.entry_id)
