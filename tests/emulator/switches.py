"""The points that OneNET's documents leave open, one switch each."""

from dataclasses import dataclass
from typing import Any, Literal, Self

# Values of a device and the body of a command are passed through.
_UNCHANGED = frozenset({"val", "value", "content"})
_LISTS = frozenset({"data", "devices", "datastreams", "item", "items", "list"})
_IDS = frozenset({"did", "id"})


@dataclass(frozen=True, kw_only=True)
class Switches:
    """The open points: `Switches()` has one position of each, `Switches.other()` the opposite ones."""

    # Whether the detail of a command repeats cmd_uuid.
    detail_has_uuid: bool = False
    # Number that refuses an 11th waiting command.
    queue_full: Literal[5006, 13] = 5006
    # Number of the current platform for a device that is not online; the errno envelope always has 2001.
    not_online: Literal[10421, 10411, 2001] = 10421
    # Whether the current platform has /nb-iot/resources.
    current_resources: bool = False
    # Whether /nb-iot replies have errno and error, with the legacy numbers.
    nb_errno: bool = False
    # Whether "cancel all" of the current platform has a trailing slash; the form without it then does not exist.
    cancel_all_slash: bool = False
    # Largest page of the list of commands; a larger one is cut without an error.
    per_page_max: int | None = None
    # Most names in one call for newest values; more are refused.
    names_max: int | None = None
    # Whether newest values of several names lack the last device.
    last_name_left_out: bool = False
    # Whether a command can be cancelled only before its valid_time.
    cancel_before_valid_time: bool = False
    # Form of cmd_result: the whole reply, its bare data, or the reply as JSON text.
    cmd_result: Literal["reply", "data", "text"] = "reply"
    # Whether confirm_status is a number instead of a name.
    confirm_as_number: bool = False
    # Whether the type of a command is a number instead of a name.
    type_as_number: bool = False
    # Whether numbers outside of values are text of digits.
    numbers_as_digits: bool = False
    # Form of online on the legacy platform.
    online: Literal["bool", "word", "number"] = "bool"
    # Whether ids of devices are numbers instead of text.
    ids_as_numbers: bool = False
    # Whether empty data is null instead of an empty list or object.
    null_for_empty: bool = False
    # Whether the current platform's times of commands are ISO 8601 with a zone.
    iso_times: bool = False

    @classmethod
    def other(cls) -> Self:
        """Return the other position of every switch."""
        return cls(
            detail_has_uuid=True,
            queue_full=13,
            not_online=10411,
            current_resources=True,
            nb_errno=True,
            cancel_all_slash=True,
            per_page_max=30,
            names_max=50,
            last_name_left_out=True,
            cancel_before_valid_time=True,
            cmd_result="text",
            confirm_as_number=True,
            type_as_number=True,
            numbers_as_digits=True,
            online="word",
            ids_as_numbers=True,
            null_for_empty=True,
            iso_times=True,
        )

    def apply(self, value: Any, name: str = "") -> Any:
        """Return a reply in the forms that the switches choose for numbers, ids, online and empty data."""
        match value:
            case dict() | list() if not value and name in _LISTS and self.null_for_empty:
                return None
            case dict():
                return {key: item if key in _UNCHANGED else self.apply(item, key) for key, item in value.items()}
            case list():
                return [self.apply(item) for item in value]
            case bool() if name == "online":
                return {"bool": value, "word": str(value).lower(), "number": int(value)}[self.online]
            case str() if self.ids_as_numbers and name in _IDS and value.isdecimal():
                return int(value)
        return str(value) if self.numbers_as_digits and type(value) is int else value
