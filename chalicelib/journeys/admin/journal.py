"""The owner's command that reads the journal, and the one place that writes what the other commands have changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from chalicelib.domain.fleet.journal import UNKNOWN_CALLER, JournalEntry
from chalicelib.fleet_wire import JournalListing, JournalRow
from chalicelib.journeys.admin.request import AdminContext, Arguments, read_identifier, read_time
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.journal.sentences import JournalLine, lines_about

MOST_ENTRIES = 5_000
"""An entry takes some 300 bytes of JSON; a Lambda function answers with at most 6 MB."""

USUAL = timedelta(days=30)


def journal(context: AdminContext, request: Arguments) -> JournalListing:
    """What was changed in the last 30 days, or ``since`` another time; of all machines, or of ``name`` alone, which
    may be removed by now. The newest are last."""
    since = read_time(request["since"], "since") if request.get("since") else context.now - USUAL
    name = read_identifier(request, "name") if request.get("name") else None
    found = [entry for entry in context.journal.since(since, context.now) if name in (None, entry.machine)]
    kept = found[:MOST_ENTRIES]
    rows = tuple(map(_row, reversed(kept)))
    account = context.audit.queue_arn.split(":")[4]
    return JournalListing(format_wire_time(since), rows, len(found) - len(kept), account)


def _row(entry: JournalEntry) -> JournalRow:
    about = entry.who, entry.what, entry.machine, entry.job, entry.detail
    return JournalRow(format_wire_time(entry.at), *about)


def caller_of(context: AdminContext, request: Arguments) -> str:
    """Who asks, as STS says; what the caller says itself is worth nothing."""
    return context.callers.arn(request.get("caller"), context.now) or UNKNOWN_CALLER


def write_command(context: AdminContext, command: str, request: Arguments, answer: Any) -> None:
    """A command that was carried out with this answer. Never raises."""
    write_lines(context, command, lines_about(command, request, answer))


def write_lines(context: AdminContext, command: str, lines: Iterable[JournalLine]) -> None:
    """What a part of a command has done, once it is done: the command may be ended in the middle. Never raises."""
    context.journal.write(
        JournalEntry(context.now, context.who, command, line.machine, line.job, line.detail) for line in lines
    )
