"""``panicroom verify``: every byte of a backup compared with the source."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.stored_sets import Chain
from panicroom.duplicity_run.arguments import common_options, selection_options, target_url
from panicroom.duplicity_run.process import Event
from panicroom.duplicity_run.restore_plan import from_hex
from panicroom.reading.stored_backups import StoredBackups
from panicroom.reading.working_copy import raise_problem, run_reading, working_copy
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.stored.metadata import MANIFESTS, SetMetadata
from panicroom.stored.times import exact_time_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import Thawer

_DIFFERENCES = 1
"""duplicity's exit code of a verify that found some."""


def verify(
    settings: Settings,
    job: JobSettings,
    backups: StoredBackups,
    time: str | None,
    options: ThawOptions,
    reporter: Reporter,
    on_difference: Callable[[str], None],
) -> int:
    """Downloads the newest backup (or that at ``time``) and compares every byte of it with the source.

    ``on_difference`` gets each as it is found, a sentence; gives their number. Raises ``Problem`` if it could not
    be compared, or if what is archived has to be waited for.
    """
    comparison = _Comparison(settings, job, backups, backups.chain(time), reporter, on_difference)
    sets, cache = comparison.chain.sets, backups.cache
    copies = backups.at_hand(comparison.chain, MANIFESTS)
    passphrase = cache.passphrase_of(sets)
    thawer = Thawer(
        settings, job.job, backups.api, options, reporter, lambda: cache.check_opens(sets), line=cache.line
    )
    refused: set[str] = set()
    while True:
        thawer.make_readable([file for item in sets for file in item.volumes.values()], refused)
        refused = comparison.run(copies, passphrase)
        if not refused:
            return len(comparison.differences)


@dataclass
class _Comparison:
    """One comparison, begun anew where a volume turns out to be archived: each difference is reported once."""

    settings: Settings
    job: JobSettings
    backups: StoredBackups
    chain: Chain
    reporter: Reporter
    on_difference: Callable[[str], None]
    differences: set[str] = field(default_factory=set)

    def run(self, copies: Mapping[str, SetMetadata], passphrase: str | None) -> set[str]:
        """The volumes that could not be downloaded, as they are archived: then it is not finished."""
        archived: set[str] = set()

        def on_event(event: Event) -> None:
            match event["event"]:
                case "different":
                    self._report(f"{shown_path(path_of(from_hex(event['path'])))}: {event['reason']}")
                case "archived":
                    archived.add(event["name"])
                case _:
                    self.reporter.event(event)

        with (
            working_copy(self.settings, self.job, copies) as work,
            self.reporter.task(f"{self.job.job} verify", 0),
        ):
            ended = run_reading(
                self.settings,
                self.job,
                _arguments(self.settings, self.job, work, self.chain.end),
                work / "output",
                backups=self.backups,
                on_event=on_event,
                passphrase=passphrase,
            )
        # The same exit code means other trouble as well.
        is_compared = ended.stopped is None and ended.exit_code == _DIFFERENCES and self.differences
        if not (archived or is_compared):
            raise_problem(self.settings, ended)
        return archived

    def _report(self, difference: str) -> None:
        if difference not in self.differences:
            self.differences.add(difference)
            self.on_difference(difference)


def _arguments(settings: Settings, job: JobSettings, work: Path, time: datetime) -> list[str]:
    source = job.source.resolve()
    return [
        "verify",
        *common_options(settings, job.job, work / "archive", work / "tmp"),
        "--compare-data",
        "--volsize",
        str(settings.volume_mb_of(job.job)),
        "--time",
        exact_time_text(time),
        *selection_options(settings, job, source),
        target_url(settings, job.job),
        str(source),
    ]
