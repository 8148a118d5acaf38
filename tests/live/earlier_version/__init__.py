"""A configuration directory that the version before wrote; `python -m tests.live.earlier_version` writes it again."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
import json
from pathlib import Path
import re
import sqlite3
from typing import Any

from tests.emulator import Product

FILES = Path(__file__).parent / "files"
DOMAIN = "onenet_nbiot"
DATABASE = f"{DOMAIN}.db"
ENTRIES, DEVICES, ENTITIES, STATES = (
    f"core.{name}" for name in ("config_entries", "device_registry", "entity_registry", "restore_state")
)
# The states of the integration's entities, as the REST API returned them last.
SHOWN = "states"
# The emulator's address in the files.
URL = "http://onenet.example"

KEY = "earlier-master-key"
PRODUCT_ID = "Earl1erPr0duct"
ACCESS_KEY = "YWNjZXNzIGtleSBvZiB0aGUgZWFybGllciB2ZXJzaW9u"
METER = "866971070000001"
DETECTOR = "866971070000002"
GAS_METER = "866971070000003"
# The entity that a user renamed.
RENAMED = "sensor.kitchen_water"
RENAMED_NAME = "Kitchen water"

# A time with its fraction of a second and its zone.
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+|)(\+\d\d:\d\d)")
_BLOB = re.compile(r"X'([0-9A-F]*)'")


def products() -> list[Product]:
    """Return a product of each platform, with the devices in the files."""
    legacy = Product(key=KEY)
    legacy.add(METER, "Water meter", {(3303, 0, 5700): 21.5, (3303, 0, 5701): "Cel", (3, 0, 9): 87})
    legacy.add(DETECTOR, "Detector", {(3302, 0, 5500): True})
    current = Product(key="never-used", id=PRODUCT_ID, access_key=ACCESS_KEY)
    current.add(GAS_METER, "Gas meter", {(3303, 0, 5700): 8.5, (3303, 0, 5701): "Cel"})
    return [legacy, current]


def write_files(storage: Path, url: str, shown: list[dict[str, Any]]) -> None:
    """Write what a Home Assistant stored for the integration, and its last states."""
    FILES.mkdir(exist_ok=True)
    entries = _own(storage / ENTRIES, "entries", lambda entry: entry["domain"] == DOMAIN)
    devices = _own(storage / DEVICES, "devices", lambda device: DOMAIN in dict(device["identifiers"]))
    entities = _own(storage / ENTITIES, "entities", lambda entity: entity["platform"] == DOMAIN)
    entity_ids = {entity["entity_id"] for entity in entities["data"]["entities"]}
    states = _read(storage / STATES)
    states["data"] = [stored for stored in states["data"] if stored["state"]["entity_id"] in entity_ids]
    own = [state for state in shown if state["entity_id"] in entity_ids]
    for name, content in ((ENTRIES, entries), (DEVICES, devices), (ENTITIES, entities), (STATES, states), (SHOWN, own)):
        (FILES / name).write_text(json.dumps(content, indent=1, ensure_ascii=False).replace(url, URL) + "\n")
    (FILES / f"{DATABASE}.sql").write_text(_dump(storage / DATABASE))


def _own(path: Path, name: str, is_own: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return a file of Home Assistant's storage with the integration's items in one list and empty other lists."""
    content: dict[str, Any] = _read(path)
    for key, value in content["data"].items():
        if isinstance(value, list):
            content["data"][key] = [*filter(is_own, value)] if key == name else []
    return content


def restore_files(storage: Path, url: str) -> None:
    """Write the files to a configuration, with an emulator's address, as if Home Assistant had stopped just now."""
    for name in (ENTRIES, DEVICES, ENTITIES, STATES):
        (storage / name).write_text(_text(name).replace(URL, url))
    with closing(sqlite3.connect(storage / DATABASE)) as connection:
        connection.executescript(_text(f"{DATABASE}.sql"))


def read_file(name: str) -> Any:
    """Return the content of a file, with its times as if Home Assistant had stopped just now."""
    return json.loads(_text(name))


def read_commands(storage: Path) -> list[dict[str, Any]]:
    """Return the rows of commands in a configuration, in the order in which they were queued."""
    with closing(sqlite3.connect(storage / DATABASE)) as connection:
        return [json.loads(row) for (row,) in connection.execute("SELECT data FROM command ORDER BY id")]


def _text(name: str) -> str:
    """Return the text of a file, with all times moved by the same period."""

    def move(time: re.Match[str]) -> str:
        moved = datetime.fromisoformat(f"{time[1]}{time[3]}") + _moved_by()
        return f"{moved:%Y-%m-%dT%H:%M:%S}{time[2]}{time[3]}"

    return _TIME.sub(move, (FILES / name).read_text())


@cache
def _moved_by() -> timedelta:
    """Return the whole seconds since the Home Assistant that wrote the files stopped."""
    stopped_at = max(datetime.fromisoformat(stored["last_seen"]) for stored in _read(FILES / STATES)["data"])
    return timedelta(seconds=(datetime.now(UTC) - stopped_at) // timedelta(seconds=1))


def _read(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text())


def _dump(path: Path) -> str:
    """Return a database as SQL, with the JSON in its rows as text."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        statements = [*connection.iterdump(), f"PRAGMA user_version = {version};"]
    return "".join(f"{_BLOB.sub(_blob_as_text, statement)}\n" for statement in statements)


def _blob_as_text(blob: re.Match[str]) -> str:
    """Return a BLOB in SQL as readable text."""
    text = bytes.fromhex(blob[1]).decode().replace("'", "''")
    return f"CAST('{text}' AS BLOB)"
