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
    # It is another client's command for the same target, or a clock is wrong.
    UNDECIDED = auto()


def candidates(command: Command, records: Iterable[CommandRecord], commands: Commands) -> Iterator[CommandRecord]:
    """Yield the records of a device's list, the oldest first, that may be an unconfirmed command.

    Each record is checked when it is yielded, since commands may change between two of them.
    """
    return (record for record in reversed(list(records)) if may_be(command, record, commands))


def may_be(command: Command, record: CommandRecord, commands: Commands) -> bool:
    """Return whether an unconfirmed command may be this record of its device's list."""
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
    """Compare an unconfirmed command with a record that it may be, and the record's details."""
    operation = command.asked.operation
    if not detail.could_match(operation):
        return Match.OTHER
    early = record.create_time is not None and record.create_time < command.asked_at - _CREATE_TIME_TOLERANCE
    return Match.UNDECIDED if early or detail.contradicts(operation) else Match.SAME
