"""Texts, labels and icons in every language match the code."""

import inspect
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.helpers import selector
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest
import voluptuous as vol

from custom_components.onenet_nbiot import command_filter, condition, device_flow, lwm2m, services, trigger
from custom_components.onenet_nbiot.binary_sensor import ConnectivitySensor
from custom_components.onenet_nbiot.event import EVENT_TYPES
from custom_components.onenet_nbiot.manager import IfWaiting
from custom_components.onenet_nbiot.onenet import errors, models
from custom_components.onenet_nbiot.onenet.models import CommandState
from custom_components.onenet_nbiot.onenet.operations import Trigger, WriteMode
from custom_components.onenet_nbiot.onenet.platforms import PLATFORMS
from custom_components.onenet_nbiot.validation import IfOffline

from .common import ACTIONS, UNKNOWN_UUID

INTEGRATION = Path(services.__file__).parent
LANGUAGES = ("en", "zh-Hans")
# Fields that the examples of other fields exclude, or whose example is a device id of no system.
EITHER = ("device_id", "expired_time", "cancel")
CONNECTING = errors.AuthenticationError, errors.CannotConnectError, errors.NoReplyError


def load(name: str) -> dict[str, Any]:
    """Return a JSON file of the integration."""
    content: dict[str, Any] = json.loads((INTEGRATION / name).read_text())
    return content


def family(error: type[errors.OneNetError]) -> set[str]:
    """Return the reasons of an error class and of its subclasses."""
    own = {error.reason} if hasattr(error, "reason") else set()
    return own.union(*(family(child) for child in error.__subclasses__()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_text(language: str) -> None:
    """Every key that is raised has a message in each language."""
    texts = load(f"translations/{language}.json")
    fields = {str(field) for schema in ACTIONS.values() for field in schema.schema}
    sources = "".join(path.read_text() for path in INTEGRATION.glob("*.py"))
    raised = set(re.findall(r'(?:translation_key=|invalid\()"(\w+)"', sources))
    assert set(texts["issues"]) == {"storage_kept_aside", "device_gone", "push_stopped", "push_url_changed"}
    raised -= set(texts["issues"])
    required = {str(field) for schema in ACTIONS.values() for field in schema.schema if isinstance(field, vol.Required)}
    raised |= {f"missing_{field}" for field in required}
    assert set(texts["exceptions"]) >= family(errors.OneNetError) | {f"invalid_{field}" for field in fields} | raised
    # Home Assistant reads the text of an exception from `message` only.
    assert [key for key, text in texts["exceptions"].items() if list(text) != ["message"]] == []
    assert set(texts["config"]["error"]) >= set().union(*map(family, CONNECTING)) | {errors.PlatformError.reason}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_abort_and_step_of_the_device_flow_has_a_text(language: str) -> None:
    """The texts are those that the flow uses."""
    texts = load(f"translations/{language}.json")["config_subentries"]["device"]
    source = inspect.getsource(device_flow)
    typed = set(re.findall(r'_errors = {\w+: "(\w+)"}', source))
    invalid = {f"invalid_{name}" for name in ("imei", "resource", "control", "overdue_after", "history_days")}
    assert typed == {"already_added"} | invalid
    reasons = {errors.PlatformError.reason, errors.UnknownDeviceError.reason}
    assert set(texts["error"]) >= set().union(*map(family, CONNECTING)) | reasons | typed
    aborted = set(re.findall(r'async_abort\(reason="(\w+)"', source))
    assert set(texts["abort"]) == aborted
    steps = set(re.findall(r"async_step_(\w+)(?:\(self| =)", source))
    # The last step shows nothing.
    assert set(texts["step"]) == steps - {"finish"}
    assert set(texts["progress"]) == set(re.findall(r'progress_action="(\w+)"', source))


def assert_labelled(shown: dict[str, Any]) -> None:
    """Check that labels in services.yaml, which are shown until the texts are loaded, equal the English texts."""
    if key := shown.get("select", {}).get("translation_key"):
        labels = {option["value"]: option["label"] for option in shown["select"]["options"]}
        assert labels == load("translations/en.json")["selector"][key]["options"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_field_of_an_action_has_a_selector_a_text_and_an_example(action: str, language: str) -> None:
    """services.yaml and the translations have the fields of the schema; sections have icons."""
    fields: dict[str, Any] = {}
    sections = set()
    for name, field in load_yaml_dict(str(INTEGRATION / "services.yaml"))[action]["fields"].items():
        if "fields" in field:
            sections.add(name)
            fields |= field["fields"]
        else:
            fields[name] = field
    assert set(fields) == {str(field) for field in ACTIONS[action].schema}
    required = {str(field) for field in ACTIONS[action].schema if isinstance(field, vol.Required)}
    assert {name for name, field in fields.items() if field.get("required")} == required
    assert set(load_yaml_dict(str(INTEGRATION / "services.yaml"))) == set(ACTIONS)
    for field in fields.values():
        selector.selector(field["selector"])
        assert "example" in field
        assert_labelled(field["selector"])
    texts = load(f"translations/{language}.json")["services"][action]
    assert (set(texts["fields"]), set(texts.get("sections", ()))) == (set(fields), sections)
    icons = load("icons.json")["services"][action]
    assert icons["service"]
    assert set(icons.get("sections", ())) == sections


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_has_a_name(language: str) -> None:
    """The options in the translations are those of the code."""
    texts = load(f"translations/{language}.json")["selector"]
    regions = dict.fromkeys(region for platform in PLATFORMS.values() for region in platform.regions)
    assert list(texts["region"]["options"]) == [*regions, "custom"]
    assert list(texts["platform"]["options"]) == list(PLATFORMS)
    assert list(texts["if_offline"]["options"]) == list(IfOffline)
    assert list(texts["kind"]["options"]) == list(lwm2m.DeviceKind)
    assert set(texts["mode"]["options"]) == {mode.name.lower() for mode in WriteMode}
    shown = load_yaml_dict(str(INTEGRATION / "services.yaml"))["offline_write"]["fields"]["values"]["selector"]
    assert set(texts["values"]["fields"]) == set(shown["object"]["fields"])
    assert list(texts["if_waiting"]["options"]) == list(IfWaiting)
    assert set(texts["state"]["options"]) == {str(state) for state in CommandState}
    assert set(texts["trigger_msg"]["options"]) == {trigger.name.lower() for trigger in Trigger if trigger.name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entity_and_every_event_type_has_a_name(language: str) -> None:
    """The event types are those of the event entity."""
    texts = load(f"translations/{language}.json")["entity"]
    assert texts["button"]["read_now"]["name"]
    assert texts["event"]["command"]["name"]
    assert texts["sensor"]["waiting_commands"]["name"]
    words = texts["event"]["command"]["state_attributes"]["event_type"]["state"]
    assert set(words) == set(EVENT_TYPES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_activity_has_a_text(language: str) -> None:
    """There is one for each change, each kind of command and each reason of a device."""
    texts = load(f"translations/{language}.json")["common"]
    ends = [{"send_status": 5, "confirm_status": status} for status in range(14)]
    ends += [{"send_status": status} for status in (6, 7, 8)]
    reasons = {models.CommandRecord.from_wire(record, UNKNOWN_UUID).reason for record in ends} - {None}
    named = {"command", "read", "write", "execute", "reads_queued", "value_read", "values_read"}
    expected = {*EVENT_TYPES, *named, *(f"reason_{reason}" for reason in reasons)}
    assert {key for key in texts if key.startswith("activity_")} == {f"activity_{key}" for key in expected}


def keys(entities: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the platforms and translation keys of entities."""
    return {(platform, key) for platform, names in entities.items() for key in names}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entity_has_an_icon_or_a_device_class_with_one(language: str) -> None:
    """Entities with a device class use its icon, which may change with the state."""
    texts = keys(load(f"translations/{language}.json")["entity"])
    icons = keys(load("icons.json")["entity"])
    connectivity = ConnectivitySensor.__new__(ConnectivitySensor)
    device_classes: dict[tuple[str, str | None], set[Any]] = {
        ("binary_sensor", connectivity.translation_key): {connectivity.device_class}
    }
    reboot = lwm2m.describe_control("3/0/4")
    assert isinstance(reboot, lwm2m.ResourceButtonDescription)
    device_classes["button", reboot.translation_key] = {reboot.device_class}
    for (obj_id, res_id), row in lwm2m.DESCRIPTIONS.items():
        device_classes.setdefault((row.platform, row.translation_key), set()).add(row.device_class)
        path = f"{obj_id}/0/{res_id}"
        if lwm2m.is_control(path) and isinstance(row, lwm2m.ResourceSensorDescription):
            device_classes.setdefault(("number", row.translation_key), set()).add(row.device_class)
    assert icons <= texts
    # Entities without an icon have a device class wherever they occur.
    assert texts - icons == {key for key, classes in device_classes.items() if None not in classes}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_defaults_of_the_action_panel_are_accepted(action: str) -> None:
    """The action panel fills in the defaults of a selected action."""
    data: dict[str, Any] = {}
    for name, field in load_yaml_dict(str(INTEGRATION / "services.yaml"))[action]["fields"].items():
        data |= field.get("fields", {name: field})
    filled = {name: field["default"] for name, field in data.items() if "default" in field}
    needed = {name: parse_yaml(str(data[name]["example"])) for name in data if data[name].get("required")}
    ACTIONS[action]({"imei": "866971030000001"} | needed | filled if "imei" in data else needed | filled)
    assert ("expires_in" in filled) == action.startswith("offline_")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_examples_of_the_action_panel_are_accepted(action: str) -> None:
    """The action panel can fill in the examples."""
    data: dict[str, Any] = {}
    for name, field in load_yaml_dict(str(INTEGRATION / "services.yaml"))[action]["fields"].items():
        data |= field.get("fields", {name: field})
    # The panel omits falsy examples, and parses the others as YAML.
    examples = {name: parse_yaml(str(field["example"])) for name, field in data.items() if field["example"]}
    assert set(examples) == set(data)
    ACTIONS[action]({name: example for name, example in examples.items() if name not in EITHER})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "platform"), [("trigger", trigger.TRIGGERS), ("condition", condition.CONDITIONS)])
def test_every_trigger_and_condition_has_a_text_and_an_icon(kind: str, platform: dict[str, Any], language: str) -> None:
    """Its YAML file has the options of the code, and names for each of them."""
    described = load_yaml_dict(str(INTEGRATION / f"{kind}s.yaml"))
    texts = load(f"translations/{language}.json")
    icons = load("icons.json")[f"{kind}s"]
    assert {key for key in described if not key.startswith(".")} == set(platform)
    assert texts[f"{kind}s"].keys() == icons.keys() == platform.keys()
    for key, implementation in platform.items():
        fields = described[key].get("fields", {})
        # Private, since the schema is made from it anew.
        options = {str(option) for option in implementation._options}  # noqa: SLF001
        assert set(fields) == options | ({"behavior"} if kind == "condition" else set())
        assert set(texts[f"{kind}s"][key].get("fields", {})) == set(fields)
        assert icons[key][kind]
        for field in fields.values():
            selector.selector(field["selector"])
            if name := field["selector"].get("select", {}).get("translation_key"):
                assert list(texts["selector"][name]["options"]) == field["selector"]["select"]["options"]
    assert list(texts["selector"]["outcome"]["options"]) == list(trigger.OUTCOMES)
    assert list(texts["selector"]["command"]["options"]) == list(command_filter.COMMANDS)
