"""Tools for conversation agents: look up devices and commands, and request readings.

A person selects them at the agent. Nothing is selected at first, and no tool writes to a device or executes anything.
"""

from abc import abstractmethod
import asyncio
from datetime import datetime, timedelta
from typing import Any, NamedTuple, override

from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.const import ATTR_ENTITY_ID, ATTR_STATE, ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er, llm
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .command import Command
from .const import (
    ATTR_COMMANDS,
    ATTR_DEVICES,
    ATTR_ERROR,
    ATTR_LAST_SEEN,
    ATTR_REASON,
    ATTR_VALUES,
    DOMAIN,
    SERVICE_REQUEST_READING,
)
from .coordinator import OneNetConfigEntry, OneNetRuntimeData
from .devices import BATCH_SIZE, NEVER, Device
from .lwm2m import lwm2m_name
from .onenet.models import CommandState

# More devices or commands would fill the context of the model.
_MAX_ITEMS = 50
_STATES = {
    "waiting": {CommandState.UNKNOWN, CommandState.QUEUED, CommandState.SENT},
    "failed": {CommandState.FAILED, CommandState.EXPIRED},
    "all": set(CommandState),
}
_LOOK_UP_PROMPT = (
    "The OneNET NB-IoT devices sleep most of the time to save their battery: it is normal that they are disconnected. "
    "A command for such a device is queued and waits until the device wakes, which may take days. "
    "Use the tools for questions about devices that are silent or overdue, and about commands that wait or failed."
)
_REQUEST_READING_PROMPT = (
    "Request a reading of an OneNET NB-IoT device only if the user asks for new values. "
    "If the device sleeps, the reading is queued: tell the user that values arrive when it wakes, perhaps in days."
)
_UNREACHABLE = "OneNET cannot be reached for some devices, whose data may be missing or out of date."
_UNKNOWN_NAME = "No device with this name is exposed to this assistant."
_SAME_NAME = "Several devices have this name. The user can rename them in Home Assistant."
_NO_ENTITY = "No resource of this device is exposed to this assistant."


class _ExposedDevice(NamedTuple):
    """Hold a device of which an assistant may see an entity, and the entities of its resources that it may see."""

    account: OneNetRuntimeData
    device: Device
    name: str
    area_id: str | None
    entities: dict[str, er.RegistryEntry]


async def _async_exposed_devices(hass: HomeAssistant, assistant: str) -> list[_ExposedDevice]:
    """Return the devices of the loaded accounts with an entity that is exposed to an assistant."""
    if not assistant:
        return []
    entries: list[OneNetConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    accounts = [entry.runtime_data for entry in entries]
    known = [(account, device) for account in accounts for device in account.devices.added.values()]
    devices, entities = dr.async_get(hass), er.async_get(hass)
    exposed = []
    for number, (account, device) in enumerate(known):
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)
        visible = [
            entity
            for entity in er.async_entries_for_device(entities, device.device_id)
            if entity.platform == DOMAIN and async_should_expose(hass, assistant, entity.entity_id)
        ]
        if visible and (registered := devices.async_get(device.device_id)) is not None:
            name = _without_imei(registered.name_by_user or registered.name or "", device)
            keys = {entity.unique_id.rpartition("_")[2]: entity for entity in visible}
            resources = {key: entity for key, entity in keys.items() if "/" in key}
            exposed.append(_ExposedDevice(account, device, name, registered.area_id, resources))
    return exposed


def _without_imei(text: str, device: Device) -> str:
    """Return a text with only the last digits of the device's IMEI, which is the title of a device without another."""
    return text.replace(device.imei, f"…{device.imei[-4:]}")


def _entity_name(entity: er.RegistryEntry) -> str:
    """Return the name of an entity without that of its device."""
    return entity.name or entity.original_name or entity.entity_id


def _state_with_unit(state: State) -> str:
    """Return a state with its unit."""
    return f"{state.state} {state.attributes.get(ATTR_UNIT_OF_MEASUREMENT, '')}".strip()


def _local(moment: datetime | None) -> str | None:
    """Return a time as text in Home Assistant's time zone, in whole seconds."""
    return None if moment is None else dt_util.as_local(moment).isoformat(timespec="seconds")


def _duration(duration: timedelta) -> str:
    """Return a duration as text, such as `3 days, 4:05:00`."""
    return str(timedelta(seconds=max(0, int(duration.total_seconds()))))


def _limited(hass: HomeAssistant, name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the first items, the number of all, and a note if some may be missing or out of date."""
    entries: list[OneNetConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    loaded: list[OneNetConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    reachable = sum(1 for entry in loaded if entry.runtime_data.coordinator.last_update_success)
    note = {"note": _UNREACHABLE} if reachable < len(entries) else {}
    return {"total": len(items), name: items[:_MAX_ITEMS], **note}


class _OneNetTool(llm.Tool):
    """Represent a tool that answers with JSON, or with an `error`."""

    integration = DOMAIN
    is_read_only = True

    def __init__(self) -> None:
        """Describe what the tool does, for versions of Home Assistant that ask for it."""
        # Home Assistant 2026.8 has neither the annotations nor the class of the result.
        if hasattr(llm, "ToolAnnotations"):
            self.annotations = llm.ToolAnnotations(
                read_only=self.is_read_only, destructive=False, idempotent=True, open_world=not self.is_read_only
            )

    @override
    async def async_call(self, hass: HomeAssistant, tool_input: llm.ToolInput, llm_context: llm.LLMContext) -> Any:
        """Return the result of the tool; raise vol.Invalid for invalid arguments."""
        fields = self.parameters(tool_input.tool_args)
        exposed = await _async_exposed_devices(hass, llm_context.assistant)
        if (wanted := fields.get("device")) is not None:
            exposed = [item for item in exposed if item.name.casefold() == wanted.strip().casefold()]
        if wanted is not None and not exposed:
            data: dict[str, Any] = {ATTR_ERROR: _UNKNOWN_NAME}
        else:
            data = await self.async_answer(hass, exposed, fields, llm_context)
        return llm.ToolResult(data=data, error=ATTR_ERROR in data) if hasattr(llm, "ToolResult") else data

    @abstractmethod
    async def async_answer(
        self, hass: HomeAssistant, exposed: list[_ExposedDevice], fields: dict[str, Any], llm_context: llm.LLMContext
    ) -> dict[str, Any]:
        """Return the result for the exposed devices, or for those with the wanted name."""


class ListDevicesTool(_OneNetTool):
    """List devices, those that are silent for longest first."""

    name = "onenet_nbiot__list_devices"
    title = "List OneNET devices"
    description = (
        "List the OneNET NB-IoT devices: whether each is connected, when it was last seen, for how long it has been "
        "silent, whether it is overdue, and how many commands wait for it. Overdue devices are first, then those that "
        "have been silent for longest. An unknown value is null."
    )
    parameters = vol.Schema(
        {vol.Optional("only_overdue", default=False, description="Leave out devices that are not overdue"): bool}
    )

    @override
    async def async_answer(
        self, hass: HomeAssistant, exposed: list[_ExposedDevice], fields: dict[str, Any], llm_context: llm.LLMContext
    ) -> dict[str, Any]:
        exposed.sort(key=lambda item: (_is_overdue(item) is not True, item.device.last_seen or NEVER))
        found = [item for item in exposed if _is_overdue(item) or not fields["only_overdue"]]
        areas = ar.async_get(hass)
        return _limited(hass, ATTR_DEVICES, [_describe_device(item, areas) for item in found])


def _is_overdue(item: _ExposedDevice) -> bool | None:
    """Return whether a device is overdue, None while that is unknown."""
    return None if item.device.missing else item.device.was_overdue


def _describe_device(item: _ExposedDevice, areas: ar.AreaRegistry) -> dict[str, Any]:
    """Return the description of a device for a language model."""
    device, account = item.device, item.account
    area = areas.async_get_area(item.area_id) if item.area_id else None
    return {
        "name": item.name,
        "area": area.name if area else None,
        "connected": device.online,
        ATTR_LAST_SEEN: _local(device.last_seen),
        "silent_for": device.last_seen and _duration(account.client.now() - device.last_seen),
        "overdue": _is_overdue(item),
        "waiting_commands": account.commands.waiting_for(device.imei),
        **({"removed_from_onenet": True} if device.missing else {}),
    }


class ListCommandsTool(_OneNetTool):
    """List commands that wait, or that failed, with their age and the reason."""

    name = "onenet_nbiot__list_commands"
    title = "List OneNET commands"
    description = (
        "List the commands that Home Assistant queued for OneNET NB-IoT devices, the newest first: those that wait for "
        "a device to wake, and since when, or those that failed or expired, and why. Finished commands of the last 7 "
        "days are known."
    )
    parameters = vol.Schema(
        {
            vol.Optional("device", description="The name of a device; without it, of all devices"): str,
            vol.Optional("state", default="waiting", description="Which commands to list"): vol.In(list(_STATES)),
        }
    )

    @override
    async def async_answer(
        self, hass: HomeAssistant, exposed: list[_ExposedDevice], fields: dict[str, Any], llm_context: llm.LLMContext
    ) -> dict[str, Any]:
        by_imei = {(id(item.account), item.device.imei): item for item in exposed}
        found = [
            (command, item)
            for account in {id(item.account): item.account for item in exposed}.values()
            for command in account.commands.select(None, _STATES[fields[ATTR_STATE]])
            if (item := by_imei.get((id(account), command.asked.operation.imei))) is not None
        ]
        found.sort(key=lambda pair: pair[0].asked_at, reverse=True)
        return _limited(hass, ATTR_COMMANDS, [_describe_command(command, item) for command, item in found])


def _describe_command(command: Command, item: _ExposedDevice) -> dict[str, Any]:
    """Return the description of a command for a language model."""
    operation = command.asked.operation
    ids = (operation.obj_id, operation.obj_inst_id, operation.res_id)
    path = "/".join(str(number) for number in ids if number is not None)
    entity = item.entities.get(path)
    target = _entity_name(entity) if entity else lwm2m_name(path if "/" in path else f"{path}/0")
    now = item.account.client.now()
    details = {
        "valid_from": _local(command.asked.valid_time),
        "waiting_for": None if command.is_finished else _duration(now - command.asked_at),
        "finished_at": _local(command.over_at),
        ATTR_REASON: command.reason and _without_imei(command.reason, item.device),
    }
    return {
        "device": item.name,
        "command": f"{operation.command} {_without_imei(target, item.device)}",
        ATTR_STATE: command.state.value,
        "queued_at": _local(command.asked_at),
        "expires_at": _local(command.asked.expired_time),
        **{name: value for name, value in details.items() if value is not None},
    }


class RequestReadingTool(_OneNetTool):
    """Read the exposed resources of a device, at once or when it wakes."""

    name = "onenet_nbiot__request_reading"
    title = "Request a reading of an OneNET device"
    description = (
        "Read new values of a OneNET NB-IoT device: at once if it is awake, otherwise the reading is queued until it "
        "wakes. A reading that already waits is not queued again."
    )
    parameters = vol.Schema({vol.Required("device", description="The name of the device"): str})
    is_read_only = False

    @override
    async def async_answer(
        self, hass: HomeAssistant, exposed: list[_ExposedDevice], fields: dict[str, Any], llm_context: llm.LLMContext
    ) -> dict[str, Any]:
        item, *others = exposed
        if others:
            return {ATTR_ERROR: _SAME_NAME}
        if not item.entities:
            return {ATTR_ERROR: _NO_ENTITY}
        try:
            response: Any = await hass.services.async_call(
                DOMAIN,
                SERVICE_REQUEST_READING,
                {ATTR_ENTITY_ID: [entity.entity_id for entity in item.entities.values()]},
                blocking=True,
                context=llm_context.context,
                return_response=True,
            )
        except HomeAssistantError as err:
            # The text of an error may have the IMEI.
            return {ATTR_ERROR: err.translation_key or type(err).__name__}
        outcome = response[ATTR_DEVICES][item.device.device_id]
        read = {f"{value['obj_id']}/{value['obj_inst_id']}/{value['res_id']}" for value in outcome.get(ATTR_VALUES, ())}
        values = {
            _without_imei(_entity_name(entity), item.device): _state_with_unit(state)
            for path, entity in item.entities.items()
            if path in read and (state := hass.states.get(entity.entity_id)) is not None
        }
        failure = {ATTR_ERROR: outcome[ATTR_REASON]} if ATTR_REASON in outcome else {}
        return {ATTR_VALUES: values, "queued_reads": len(outcome.get(ATTR_COMMANDS, ())), **failure}


class OneNetLLMApi(llm.API):
    """Offer some of the tools to the agents at which a person selects them."""

    def __init__(self, hass: HomeAssistant, api_id: str, name: str, prompt: str, *tools: llm.Tool) -> None:
        """Create an API with these tools."""
        super().__init__(hass=hass, id=api_id, name=name)
        self._prompt = prompt
        self._tools = tools

    @override
    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        """Return the prompt and the tools."""
        return llm.APIInstance(api=self, api_prompt=self._prompt, llm_context=llm_context, tools=list(self._tools))


async def async_register_llm_apis(hass: HomeAssistant) -> None:
    """Register the APIs, which stay while Home Assistant runs: an agent fails without an API that it uses."""
    texts = await async_get_translations(hass, hass.config.language, "common", [DOMAIN])
    for key, prompt, *tools in (
        ("look_up", _LOOK_UP_PROMPT, ListDevicesTool(), ListCommandsTool()),
        ("request_readings", _REQUEST_READING_PROMPT, RequestReadingTool()),
    ):
        name = texts[f"component.{DOMAIN}.common.llm_{key}"]
        llm.async_register_api(hass, OneNetLLMApi(hass, f"{DOMAIN}_{key}", name, prompt, *tools))
