"""``panicroom backup --dry-run``: what a backup would do, with nothing stored and no run begun."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from datetime import datetime, timezone

from panicroom.api import Api, ApiError
from panicroom.backup.change_search import plan_search
from panicroom.backup.policy import kind_by_policy, newest_chain
from panicroom.backup.readiness import allow_open_files, check_space
from panicroom.backup.run import changes_text, check_buildable, greet, survey_job
from panicroom.backup.sources import SourceMemory
from panicroom.duplicity_run.process import require_gpg
from panicroom.names import parse_name, sealed_sets, set_time
from panicroom.reading.duplicity_commands import rehearse_set
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.progress import Reporter, size_text
from panicroom.transfer.checked_set import CheckedSet, checked_set_file


def rehearse(settings: Settings, job: JobSettings, wanted: str | None, reporter: Reporter) -> None:
    """Makes every check of a backup and reports what would follow. Raises ``Problem`` where a backup would."""
    require_gpg()
    check_space(settings)
    allow_open_files()
    found = survey_job(settings, job)
    SourceMemory(settings.job_state(job.job), job).check(found)
    api = Api(settings.url, token_of(settings))
    try:
        greet(api, job.job, reporter)
        sizes = {file.name: file.size for file in api.files(job.job)}
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()
    sealed = sealed_sets(sizes)
    chain = newest_chain(sealed, sizes)
    kind = wanted or kind_by_policy(chain, job, found.bytes, datetime.now(timezone.utc))
    check_buildable(kind, sealed)
    reporter.line(f"{job.job}: {found.files} files, {size_text(found.bytes)}, are to be backed up")
    unfinished = {file.set for file in map(parse_name, sizes) if file and file.set not in sealed}
    if unfinished:
        began = set_time(max(unfinished, key=set_time)).astimezone()
        reporter.line(f"{job.job}: a backup would first finish the one begun on {began:%Y-%m-%d %H:%M}")
    checked_file = checked_set_file(settings.job_state(job.job))
    known, source = CheckedSet.load(checked_file), str(job.source.resolve())
    search = plan_search(sealed, checked_file, known, source, job.check_change_time)
    numbers = rehearse_set(settings, job, kind, search)
    reporter.line(f"{job.job}: {kind} backup: {changes_text(numbers)}; nothing was stored")
