"""``panicroom duplicity`` and the rehearsal of a backup: duplicity at work on copies, able to change nothing."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable

from panicroom.duplicity_run.arguments import common_options, selection_options, target_url
from panicroom.duplicity_run.plan import Search
from panicroom.duplicity_run.process import Event
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.stored_backups import StoredBackups, open_backups
from panicroom.reading.working_copy import raise_problem, run_reading, without_time, working_copy
from panicroom.settings import JobSettings, Settings
from panicroom.stored.metadata import BOTH, SetMetadata

TARGET = "TARGET"
"""What ``panicroom duplicity`` takes for the job's place among the arguments."""


def rehearse_set(settings: Settings, job: JobSettings, kind: str, search: Search) -> dict[str, float]:
    """Has duplicity go through the source as for a backup of ``kind``; its statistics. Nothing is stored."""
    numbers: dict[str, float] = {}

    def on_event(event: Event) -> None:
        if event["event"] == "statistics":
            numbers.update(event["numbers"])

    with (
        open_backups(settings, job) as backups,
        working_copy(settings, job, _newest_chain(backups)) as work,
    ):
        arguments = [
            kind,
            "--dry-run",
            *common_options(settings, job.job, work / "archive", work / "tmp"),
            "--allow-source-mismatch",
            *selection_options(settings, job, job.source.resolve()),
            str(job.source.resolve()),
            target_url(settings, job.job),
        ]
        ended = run_reading(
            settings, job, arguments, work / "output", backups=backups, on_event=on_event, search=search
        )
        raise_problem(settings, ended)
    return numbers


def pass_through(
    settings: Settings,
    job: JobSettings,
    arguments: tuple[str, ...],
    on_line: Callable[[str], None],
    on_error: Callable[[str], None],
) -> int:
    """Runs duplicity with ``arguments`` and passes on what it prints as it comes; its exit code.

    Prefixes, folders and backend are filled in after the first word, the command. Where the word ``TARGET``
    stands among the arguments goes the job's place; without that word it goes to the end. Sets of unknown origin are
    visible here: this is for looking at the bucket as it is.
    """
    if not arguments:
        raise Problem("give duplicity's arguments: panicroom duplicity -- collection-status", ExitCode.USAGE)
    target = target_url(settings, job.job)
    command, *rest = (target if word == TARGET else word for word in arguments)
    if target not in rest:
        rest.append(target)
    with (
        open_backups(settings, job) as backups,
        working_copy(settings, job, backups.copies_here()) as work,
    ):
        common = common_options(settings, job.job, work / "archive", work / "tmp")
        ended = run_reading(settings, job, [command, *common, *rest], work / "output", on_line=on_line)
        if ended.stopped is not None:
            raise ended.stopped
        for line in ended.errors:
            on_error(without_time(line))
        return ended.exit_code


def _newest_chain(backups: StoredBackups) -> dict[str, SetMetadata]:
    if not backups.stored.chains:
        return {}
    return backups.at_hand(backups.chain(None), BOTH)
