"""The dashboard of the demonstration, and the script that its button runs."""

from typing import Any

from .devices import COVER, LAMP, METER, THERMOMETER, SimulatedDevice

PATH = "onenet-demo"
WATER = f"sensor.{METER.slug}_water_volume"
TEMPERATURE = f"sensor.{THERMOMETER.slug}_temperature"
HUMIDITY = f"sensor.{THERMOMETER.slug}_humidity"
LIGHT = f"light.{LAMP.slug}_light"
READ_METER = "script.read_the_water_meter"
SCRIPTS = f"""\
read_the_water_meter:
  alias: Read the water meter
  icon: mdi:water-sync
  mode: parallel
  sequence:
    - action: onenet_nbiot.offline_read
      data:
        imei: "{METER.imei}"
        obj_id: 3424
        obj_inst_id: 0
        res_id: 1
        expires_in:
          days: 1
        if_waiting: keep
      response_variable: command
    - action: onenet_nbiot.wait_for_command
      data:
        uuid: "{{{{ command.uuid }}}}"
        timeout:
          days: 1
      response_variable: result
    - action: persistent_notification.create
      data:
        title: "{METER.title}"
        message: "{{{{ result['values'][0].value ~ ' m³' if result.state == 'succeeded' else result.state }}}}"
"""
NOTE = """\
OneNET and its devices are simulated, and so is the history up to now. Everything else is real.

- **Read the water meter** runs a script that queues a read. The value arrives when the meter wakes.
- **Switch the street lamp:** it stays as it is until the lamp has woken and confirmed.
- **Activity**, at the end of this page, shows what became of each command.
"""


def dashboard(device_ids: list[str], waiting: str) -> dict[str, Any]:
    """Return the dashboard; `waiting` is the sensor of the account's waiting commands."""
    # What became of commands, and all changes of the devices.
    logbook = {"type": "logbook", "target": {"device_id": device_ids}, "hours_to_show": 1}
    sections = [
        _section(*_meter()),
        _section(*_thermometer()),
        _section(*_lamp(), *_cover()),
        _section(_heading("Activity", "mdi:history"), logbook) | {"column_span": 3},
    ]
    view = {
        "type": "sections",
        "max_columns": 3,
        "header": {"layout": "responsive", "card": {"type": "markdown", "content": NOTE}},
        "badges": [{"type": "entity", "entity": waiting, "show_name": True, "name": "Waiting commands"}],
        "sections": sections,
    }
    return {"views": [view]}


def _section(*cards: dict[str, Any]) -> dict[str, Any]:
    """Return a section of the dashboard, with cards as wide as the section."""
    return {"type": "grid", "cards": [card | {"grid_options": {"columns": "full"}} for card in cards]}


def _heading(title: str, icon: str) -> dict[str, Any]:
    """Return a heading."""
    return {"type": "heading", "heading": title, "icon": icon}


def _entities(device: SimulatedDevice, *entity_ids: str) -> dict[str, Any]:
    """Return a card with these entities of a device and those that every device has."""
    ids = (
        *entity_ids,
        f"binary_sensor.{device.slug}_connectivity",
        f"sensor.{device.slug}_waiting_commands",
        f"button.{device.slug}_request_reading",
    )
    # The heading has the name of the device.
    rows = [{"entity": entity_id, "name": {"type": "entity"}} for entity_id in ids]
    return {"type": "entities", "entities": rows}


def _statistics(title: str, days: int, entity_id: str, **options: Any) -> dict[str, Any]:
    """Return a graph of the past days."""
    graph = {"type": "statistics-graph", "title": title, "days_to_show": days, "hide_legend": True}
    return graph | {"entities": [entity_id]} | options


def _meter() -> tuple[dict[str, Any], ...]:
    """Return the cards of the water meter."""
    button = {
        "type": "button",
        "name": "Read the water meter",
        "icon": "mdi:water-sync",
        "icon_height": "32px",
        "tap_action": {"action": "perform-action", "perform_action": READ_METER},
    }
    graph = _statistics("Water in a day (m³)", 14, WATER, stat_types=["change"], period="day", chart_type="bar")
    return _heading(METER.title, "mdi:water"), button, _entities(METER, WATER), graph


def _thermometer() -> tuple[dict[str, Any], ...]:
    """Return the cards of the thermometer."""
    graph = _statistics("Temperature (°C)", 7, TEMPERATURE, stat_types=["mean", "min", "max"], period="hour")
    entities = _entities(THERMOMETER, TEMPERATURE, HUMIDITY)
    return _heading(THERMOMETER.title, "mdi:thermometer"), entities, graph


def _lamp() -> tuple[dict[str, Any], ...]:
    """Return the cards of the street lamp."""
    tile = {"type": "tile", "entity": LIGHT, "name": LAMP.title, "features": [{"type": "light-brightness"}]}
    entities = _entities(LAMP)
    entities["entities"].insert(0, {"type": "attribute", "entity": LIGHT, "attribute": "pending", "name": "Pending"})
    return _heading(LAMP.title, "mdi:outdoor-lamp"), tile, entities


def _cover() -> tuple[dict[str, Any], ...]:
    """Return the cards of the manhole cover."""
    entities = _entities(COVER, f"binary_sensor.{COVER.slug}_manhole_cover", f"sensor.{COVER.slug}_tilt")
    return _heading(COVER.title, "mdi:square-outline"), entities
