"""Secrets and personal data that are planted everywhere, and every place where they must not appear."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import json
import logging
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.const import CONF_API_KEY, CONF_URL, MATCH_ALL
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir, restore_state
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.json import ExtendedJSONEncoder
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.onenet_nbiot.const import CONF_ACCESS_KEY, DOMAIN, LOGGER
from custom_components.onenet_nbiot.diagnostics import async_get_config_entry_diagnostics, async_get_device_diagnostics
from custom_components.onenet_nbiot.onenet import operations
from custom_components.onenet_nbiot.store import FILE_NAME

from .common import (
    ACCESS_KEY,
    DEVICE_ACTIONS,
    DEVICE_KEY,
    IMEI,
    KEY,
    OPERATIONS,
    OTHER_IMEI,
    PRODUCT_ID,
    REQUIRED_FIELDS,
    VARIANTS,
    act,
    add_device,
    devices_of,
    pass_time,
    refresh,
    revoke,
    run_with,
    system_health,
)
from .emulator import Device, Fault, FaultKind, Generation, Push, Server, Trigger
from .emulator.push import body_of
from .push import PATH, TOKEN, WEBHOOK_ID, push_options

LEGACY_KEY = "KeyOfTheTestsOnlyNoRealKeyABCDEFGHIJKLMNOPQ"
CURRENT_KEY = "KeyOfTheTests016"
NEW_KEY = "bmV3IGtleQ=="
TITLE = "Bath of Mrs Wang"
NAME = "name-of-the-device-1"
TEXT = "text-of-a-resource"
NUMBER = 4711.4375
# That of the device in the emulator.
IMSI = "466971030000001"
CREDENTIALS = (KEY, DEVICE_KEY, ACCESS_KEY, NEW_KEY, "sign=", "sign%3D", TOKEN, LEGACY_KEY, CURRENT_KEY, WEBHOOK_ID)
PERSONAL = (IMEI, OTHER_IMEI, TITLE, NAME, TEXT, str(NUMBER))
# What every faulty reply repeats, and what it repeats of a request that has the name of the device. Other personal
# words in OneNET's texts cannot be recognized.
LEAK = f"denied for {{authorization}}, {IMEI}, {IMSI} and {OTHER_IMEI}"
NAMED_LEAK = f"{LEAK}: {NAME}"
ERRNOS = (1, 14, 16, 10403)
RESOURCES = ("3303/0/5700", "3/0/0", "3/0/1", "3303/0/5750")
# Files that have what a person sees: the serial number of a device, unique ids, the states of event entities, and the
# commands and devices of the account.
PERSONAL_FILES = {"core.device_registry", "core.entity_registry", "core.restore_state", FILE_NAME, f"{FILE_NAME}-wal"}

variant = run_with(VARIANTS)


@pytest.fixture
def expected_warnings() -> list[str]:
    """Return the beginning of every warning, since all of them are provoked."""
    return [""]


@pytest.fixture
def generation(variant: str) -> Generation:
    """Return the platform of the account."""
    return Generation.CURRENT if variant.startswith("current") else Generation.LEGACY


@pytest.fixture
def encryption_key(generation: Generation) -> str:
    """Return the key of encrypted pushes."""
    return CURRENT_KEY if generation is Generation.CURRENT else LEGACY_KEY


@pytest.fixture
def device(onenet: Server) -> Device:
    """Return a device with personal data in its title, its name and its values."""
    texts = dict.fromkeys(((3, 0, 0), (3, 0, 1), (3303, 0, 5750)), TEXT)
    resources = {(3303, 0, 5700): NUMBER, (3306, 0, 5850): True} | texts
    return onenet.onenet.products[0].add(IMEI, TITLE, resources, NAME)


@pytest.fixture
def entry(hass: HomeAssistant, onenet: Server, account_data: dict[str, str], encryption_key: str) -> MockConfigEntry:
    """Return an account on the emulator with encrypted push, which is not loaded."""
    data = account_data | {CONF_URL: onenet.url}
    entry = MockConfigEntry(domain=DOMAIN, title="OneNET", data=data, options=push_options(key=encryption_key))
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[dict[str, list[str]]]:
    """Return the lines of the log at debug, with tracebacks, by logger."""
    caplog.set_level(logging.DEBUG)
    # Home Assistant sets this level: the lines of this logger have the paths of webhooks.
    caplog.set_level(logging.WARNING, "aiohttp.access")
    lines: dict[str, list[str]] = {}

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.setdefault(record.name, []).append(self.format(record))

    logging.getLogger().addHandler(handler := Handler())
    yield lines
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def all_events(hass: HomeAssistant) -> list[Event]:
    """Return the list that collects all events of Home Assistant."""
    return async_capture_events(hass, MATCH_ALL)


class Life:
    """Let an account do all that it can, and collect the errors that people see."""

    def __init__(self, hass: HomeAssistant, account: MockConfigEntry, onenet: Server) -> None:
        """Create a life of an account that is set up."""
        self.errors: list[str] = []
        self._hass = hass
        self._account = account
        self._onenet = onenet

    def collect(self, err: BaseException | None) -> None:
        """Collect an error with its causes."""
        while err is not None:
            self.errors += [str(err), repr(err)]
            err = err.__cause__ or err.__context__

    async def act(self, action: str, **fields: Any) -> Any:
        """Call an action, and collect its error."""
        try:
            return await act(self._hass, action, **fields)
        except HomeAssistantError as err:
            self.collect(err)

    async def all_actions(self) -> None:
        """Call all actions of a device, some with the UUID of one of its commands."""
        queued = await self.act("offline_read", **OPERATIONS["offline_read"]) or {}
        for action in DEVICE_ACTIONS:
            fields = {"imei": IMEI} | REQUIRED_FIELDS[action]
            await self.act(action, **{name: queued.get(name, value) for name, value in fields.items()})
        await self.act("request_reading", device_id=[devices_of(self._account).added[IMEI].device_id])

    async def poll(self) -> None:
        """Poll the account, and collect its error."""
        await refresh(self._account)
        self.collect(self._account.runtime_data.coordinator.last_exception)
        await self._hass.async_block_till_done(wait_background_tasks=True)

    async def with_fault(self, kind: FaultKind, errno: int = 0) -> None:
        """Poll and call actions while all replies have a fault."""
        await self.act("offline_read", **OPERATIONS["offline_read"])
        await pass_time(self._account, self._onenet, timedelta(minutes=2))
        data = {"error": LEAK, "total_count": LEAK}
        fault: dict[str, Any] = {"kind": kind, "times": 10_000, "errno": errno, "data": data}
        # All of a huge reply, 128 MiB, would take long.
        self._onenet.bytes_of_huge_reply = 2**27 - 2**23
        id_ = self._onenet.onenet.products[0].devices[IMEI].id
        self._onenet.faults = [
            # A request that has the id, and not the name.
            Fault(**fault, path=f"/devices/{id_}/", text=LEAK, reason=IMEI),
            Fault(**fault, path="datapoint", text=NAMED_LEAK, reason=IMEI),
            Fault(**fault, text=LEAK, reason=IMEI),
        ]
        await self.poll()
        await self.all_actions()
        await self._hass.config_entries.async_reload(self._account.entry_id)
        self.errors.append(self._account.reason or "")
        self._onenet.faults = []
        await self._hass.config_entries.async_reload(self._account.entry_id)
        await self._hass.async_block_till_done(wait_background_tasks=True)
        await self.poll()
        await self.act("cancel_commands", imei=IMEI)

    async def replace_key(self) -> None:
        """Let OneNET refuse the key, and enter a wrong and a new one."""
        await pass_time(self._account, self._onenet, timedelta(minutes=2))
        revoke(self._onenet)
        await self.poll()
        (flow,) = self._hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        name = CONF_API_KEY if CONF_API_KEY in self._account.data else CONF_ACCESS_KEY
        flows = self._hass.config_entries.flow
        assert (await flows.async_configure(flow["flow_id"], {name: NEW_KEY}))["type"] is FlowResultType.FORM
        product = self._onenet.onenet.products[0]
        product.key = product.access_key = NEW_KEY
        assert (await flows.async_configure(flow["flow_id"], {name: NEW_KEY}))["type"] is FlowResultType.ABORT
        await self._hass.async_block_till_done(wait_background_tasks=True)


async def push_everything(
    client: TestClient[Any, Any], onenet: Server, generation: Generation, encryption_key: str
) -> None:
    """Push the values, the presence and the outcomes of the device, and requests that are refused."""
    url = str(client.make_url(PATH))
    push = Push(url, TOKEN, generation=generation, product_id=PRODUCT_ID, key=encryption_key)
    assert await push.check_url()
    onenet.onenet.push = push
    onenet.onenet.report(IMEI, {(3, 0, 0): f"{TEXT}-pushed"})
    onenet.onenet.wake(IMEI, Trigger.NOTIFY)
    await push.finish()
    onenet.onenet.push = None
    at = round(datetime.now(UTC).timestamp() * 1000)
    odd = {"type": 1, "imei": IMEI, "ds_id": TEXT, "value": TEXT, "at": at, "imsi": IMSI, "msg": TEXT}
    bodies = {
        body_of(generation, "another", encryption_key, odd): HTTPStatus.UNAUTHORIZED,
        body_of(generation, TOKEN, None, odd): HTTPStatus.OK,
        body_of(generation, TOKEN, encryption_key, odd): HTTPStatus.OK,
        body_of(generation, TOKEN, encryption_key[::-1], odd): HTTPStatus.BAD_REQUEST,
        f"{TOKEN} {KEY} {IMEI}": HTTPStatus.BAD_REQUEST,
        json.dumps(odd): HTTPStatus.BAD_REQUEST,
    }
    for body in bodies:
        async with client.post(PATH, data=body) as response:
            assert await response.text() == ""
    async with client.get(PATH, params={"msg": TEXT, "nonce": "1", "signature": KEY}) as response:
        assert response.status != HTTPStatus.OK


def find(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """Return the texts that have a secret."""
    return [text for text in texts if any(secret in text for secret in secrets)]


def read_files(hass: HomeAssistant) -> dict[str, str]:
    """Return the contents of the files in Home Assistant's storage, by name."""
    folder = Path(hass.config.path(".storage"))
    return {path.name: path.read_bytes().decode(errors="replace") for path in folder.iterdir()}


def read_registries(hass: HomeAssistant, account: MockConfigEntry) -> dict[str, str]:
    """Return what Home Assistant would write to other files, which the harness does not write, by name."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    return {
        "core.device_registry": str([device.dict_repr for device in devices]),
        "core.entity_registry": str([entity.extended_dict for entity in entities]),
        "core.restore_state": str(
            [state.as_dict() for state in restore_state.async_get(hass).async_get_stored_states()]
        ),
        "repairs.issue_registry": str([issue.to_json() for issue in ir.async_get(hass).issues.values()]),
    }


def representations(*roots: Any) -> Iterator[tuple[Any, str]]:
    """Yield the objects of the integration that can be reached from others, and their representations."""
    pending, seen = list(roots), set()
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            pending += found.values()
        elif isinstance(found, list | tuple | set | frozenset):
            pending += found
        if type(found).__module__.startswith(LOGGER.name):
            yield found, repr(found)
            names = [*getattr(found, "__dict__", ()), *getattr(type(found), "__slots__", ())]
            pending += [getattr(found, name, None) for name in names]


async def test_secrets_appear_nowhere_and_personal_data_only_where_a_person_looks_for_them(
    hass: HomeAssistant,
    log: dict[str, list[str]],
    all_events: list[Event],
    account: MockConfigEntry,
    onenet: Server,
    device: Device,
    generation: Generation,
    encryption_key: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """An account goes through its life with every kind of faulty reply, then all that it left behind is searched."""
    client = await hass_client_no_auth()
    await add_device(hass, account, *RESOURCES, title=TITLE)
    life = Life(hass, account, onenet)
    await life.all_actions()
    onenet.onenet.set_online(IMEI, online=True)
    await life.all_actions()
    onenet.onenet.set_online(IMEI, online=False)
    await push_everything(client, onenet, generation, encryption_key)
    await life.poll()
    for kind in FaultKind:
        for errno in ERRNOS if kind is FaultKind.ERRNO else (0,):
            await life.with_fault(kind, errno)
    await life.replace_key()
    await life.all_actions()
    await life.poll()
    temperature = hass.states.get("sensor.bath_of_mrs_wang_temperature")
    assert temperature
    assert temperature.state == str(NUMBER)

    found = devices_of(account).added[IMEI]
    registered = dr.async_get(hass).async_get(found.device_id)
    assert isinstance(registered, dr.DeviceEntry)
    uuids = [command.uuid for command in onenet.onenet.commands]
    everything = (*CREDENTIALS, *PERSONAL, IMSI, PRODUCT_ID, device.id, *uuids)
    diagnostics = [
        await async_get_config_entry_diagnostics(hass, account),
        await async_get_device_diagnostics(hass, account, registered),
        await system_health(hass),
    ]
    for shown in diagnostics:
        assert find([json.dumps(shown, cls=ExtendedJSONEncoder)], map(str, everything)) == []

    # The replies arrived.
    assert find(life.errors, ["denied for ***, ***"])
    assert find(life.errors, (*CREDENTIALS, *PERSONAL, IMSI)) == []
    ours = [line for name, lines in log.items() if name.startswith(LOGGER.name) for line in lines]
    assert find(ours, ["denied for ***, ***"])
    assert find(ours, (*CREDENTIALS, *PERSONAL, IMSI)) == []
    # Home Assistant logs the states and events that it handles.
    assert find([line for lines in log.values() for line in lines], (*CREDENTIALS, IMSI)) == []
    assert find(map(str, all_events), (*CREDENTIALS, IMSI)) == []
    states = [str(state.as_dict()) for state in hass.states.async_all()]
    assert find(states, (*CREDENTIALS, IMSI)) == []

    objects = list(representations(account.runtime_data, *hass.data.values()))
    assert len(objects) > 20
    assert find((shown for _, shown in objects), (*CREDENTIALS, IMSI)) == []
    # An entity shows its state, and an operation shows a user of the client what it does.
    others = [
        shown
        for item, shown in objects
        if type(item).__module__ != operations.__name__ and not isinstance(item, Entity)
    ]
    assert find(others, PERSONAL) == []

    assert await hass.config_entries.async_unload(account.entry_id)
    files = await hass.async_add_executor_job(read_files, hass) | read_registries(hass, account)
    assert FILE_NAME in files
    assert find(files.values(), (*CREDENTIALS, IMSI)) == []
    assert {name for name, content in files.items() if find([content], PERSONAL)} <= PERSONAL_FILES
