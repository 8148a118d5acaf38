"""Match commands whose replies were lost with the commands in OneNET's lists."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import Enum, auto

from .command import Command
from .commands import Commands
from .onenet.clock import same_second
from .onenet.models import CommandDetail, CommandRecord

# The platform's time comes from the header of a reply: it has whole seconds, and the reply took time to arrive.
_CREATE_TIME_TOLERANCE = timedelta(seconds=5)


class Match(Enum):
    """Name the result of a comparison of an unconfirmed command with a command at OneNET."""

    SAME = auto()
    OTHER = auto()
    # The record is older than the command, or its values differ: another client's command, or a wrong clock.
    UNDECIDED = auto()


def matching_records(command: Command, records: Iterable[CommandRecord], commands: Commands) -> Iterator[CommandRecord]:
    """Yield the records of a device's list, the oldest first, that could match an unconfirmed command.

    Each record is checked when it is yielded, since commands may change between two of them.
    """
    return (record for record in reversed(list(records)) if could_match(command, record, commands))


def could_match(command: Command, record: CommandRecord, commands: Commands) -> bool:
    """Return whether a record of a device's list could match an unconfirmed command."""
    operation = command.asked.operation
    return (
        commands.is_unconfirmed(command)
        and commands.find(record.uuid) is None
        and record.command in ("", operation.command)
        and (record.expired_time is None or same_second(record.expired_time, command.asked.expired_time))
        # The record may belong to another command whose reply is pending.
        and not any(
            other.id in commands.in_flight and other.asked.operation.target == operation.target
            for other in commands.unfinished(operation.imei)
        )
    )


def compare(command: Command, record: CommandRecord, detail: CommandDetail) -> Match:
    """Compare an unconfirmed command with a record that could match, and the record's details."""
    operation = command.asked.operation
    if not detail.could_match(operation):
        return Match.OTHER
    early = record.create_time is not None and record.create_time < command.asked_at - _CREATE_TIME_TOLERANCE
    return Match.UNDECIDED if early or detail.contradicts(operation) else Match.SAME
