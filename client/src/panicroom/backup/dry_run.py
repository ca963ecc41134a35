"""``panicroom backup --dry-run``: what a backup would do, with nothing stored and no run begun."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from panicroom.api import Api
from panicroom.backup.change_search import job_search
from panicroom.backup.policy import kind_by_policy, newest_chain
from panicroom.backup.preconditions.greeting import greet
from panicroom.backup.preconditions.readiness import check_machine
from panicroom.backup.run import check_buildable, survey_job
from panicroom.backup.run_tally import changes_text
from panicroom.duplicity_run.sources import SourceMemory
from panicroom.names import parse_name, sealed_sets, set_time
from panicroom.reading.duplicity_commands import rehearse_set
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter


def rehearse(
    settings: Settings,
    job: JobSettings,
    wanted: str | None,
    reporter: Reporter,
    before_new_chain: Callable[[], None] = lambda: None,
) -> None:
    """Makes every check of a backup and reports what would follow. Raises ``Problem`` where a backup would."""
    check_machine(settings, settings.volume_mb_of(job.job))
    found = survey_job(settings, job)
    SourceMemory(settings.job_state(job.job), job).check(found)
    with Api(settings.url, token_of(settings)) as api:
        greet(api, job.job, reporter)
        sizes = {file.name: file.size for file in api.files(job.job)}
    sealed = sealed_sets(sizes)
    chain = newest_chain(sealed, sizes)
    kind = wanted or kind_by_policy(chain, job, found.bytes, datetime.now(timezone.utc))
    check_buildable(kind, sealed)
    if kind == "full" and sealed:
        before_new_chain()
    reporter.line(f"{job.job}: {found.files} files, {size_text(found.bytes)}, are to be backed up")
    unfinished = {file.set for file in map(parse_name, sizes) if file and file.set not in sealed}
    if unfinished:
        began = set_time(max(unfinished, key=set_time)).astimezone()
        reporter.line(f"{job.job}: a backup would first finish the one begun on {began:%Y-%m-%d %H:%M}")
    search = job_search(settings.job_state(job.job), job, sealed)
    numbers = rehearse_set(settings, job, kind, search)
    reporter.line(f"{job.job}: {kind} backup: {changes_text(numbers)}; nothing was stored")
