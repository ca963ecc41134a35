"""``panicroom verify``: every byte of a backup compared with the source."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_run.arguments import common_options, selection_options, target_url
from panicroom.duplicity_run.process import Event
from panicroom.duplicity_run.restore_plan import from_hex
from panicroom.reading.stored_backups import StoredBackups
from panicroom.reading.working_copy import raise_problem, run_reading, working_copy
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.stored.metadata import MANIFESTS
from panicroom.stored.times import exact_time_text
from panicroom.terminal.reporter import Reporter

_DIFFERENCES = 1
"""duplicity's exit code of a verify that found some."""


def verify(
    settings: Settings,
    job: JobSettings,
    backups: StoredBackups,
    time: str | None,
    reporter: Reporter,
    on_difference: Callable[[str], None],
) -> int:
    """Downloads the newest backup (or that at ``time``) and compares every byte of it with the source.

    ``on_difference`` gets each as it is found, a sentence; gives their number. Raises ``Problem`` if it could
    not be compared.
    """
    chain = backups.chain(time)
    copies = backups.at_hand(chain, MANIFESTS)
    passphrase = backups.cache.passphrase_of(chain.sets)
    differences = 0

    def on_event(event: Event) -> None:
        nonlocal differences
        if event["event"] == "different":
            differences += 1
            on_difference(f"{shown_path(path_of(from_hex(event['path'])))}: {event['reason']}")
        else:
            reporter.event(event)

    with (
        working_copy(settings, job, copies) as work,
        reporter.task(f"{job.job} verify", 0),
    ):
        ended = run_reading(
            settings,
            job,
            _arguments(settings, job, work, chain.end),
            work / "output",
            backups=backups,
            on_event=on_event,
            passphrase=passphrase,
        )
        # The same exit code means other trouble as well.
        if ended.stopped is not None or ended.exit_code != _DIFFERENCES or not differences:
            raise_problem(settings, ended)
    return differences


def _arguments(settings: Settings, job: JobSettings, work: Path, time: datetime) -> list[str]:
    source = job.source.resolve()
    return [
        "verify",
        *common_options(settings, job.job, work / "archive", work / "tmp"),
        "--compare-data",
        "--volsize",
        str(settings.volume_mb),
        "--time",
        exact_time_text(time),
        *selection_options(settings, job, source),
        target_url(settings, job.job),
        str(source),
    ]
