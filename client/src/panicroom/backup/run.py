"""``panicroom backup``: check, take the lease, tidy up after an interrupted run, let duplicity work."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timezone

from panicroom.api import Api
from panicroom.backup.change_search import job_search
from panicroom.backup.compression import Choice, Sampler, choose, gpg_settings
from panicroom.backup.local_metadata import LocalMetadata
from panicroom.backup.new_chain import has_begun, is_asked_for, outgrown_sets
from panicroom.backup.policy import kind_by_policy, newest_chain
from panicroom.backup.preconditions.clock import wait_for_clock
from panicroom.backup.preconditions.greeting import greet
from panicroom.backup.preconditions.lease import HeldLease, job_lock
from panicroom.backup.preconditions.readiness import check_machine, fitting_threads
from panicroom.backup.resume import Decision
from panicroom.backup.run_tally import RunTally
from panicroom.backup.tidying import Tidying
from panicroom.backup.trusted_sets import TrustedSets
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import backup_arguments
from panicroom.duplicity_run.file_identity import has_changed
from panicroom.duplicity_run.known_files import adopt, known_files_path
from panicroom.duplicity_run.left_out import left_out_folders
from panicroom.duplicity_run.plan import ChildPlan, ResumePoint, Search
from panicroom.duplicity_run.process import Ended, Event
from panicroom.duplicity_run.source_watch import mark_source
from panicroom.duplicity_run.sources import SourceMemory, SourceSelection, Survey, survey
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import sealed_sets, set_kind
from panicroom.private_files import close_to_others, private_folder
from panicroom.secrets import passphrase_of, signing_key_of, token_of
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.reporter import Reporter
from panicroom.terminal.run_totals import RunTotals
from panicroom.transfer.checked_set import checked_set_file
from panicroom.transfer.journal import Journal, JournalState, MadeVolume
from panicroom.wire import RunStart

_STARTS = 4


def back_up(
    settings: Settings,
    job: JobSettings,
    wanted: str | None,
    reporter: Reporter,
    *,
    accept_smaller: bool = False,
    renamed_files: int = 0,
    before_new_chain: Callable[[], None] = lambda: None,
) -> RunTotals:
    """Makes one set, ``wanted`` (``full`` or ``incremental``) or as the policy has it.

    A source that has lost half of its files is refused unless ``accept_smaller``. ``renamed_files`` are reported to the
    service, so that it does not take them for deleted. ``before_new_chain`` is called before a full set that follows
    others, and may refuse it.

    If an earlier run left a set unfinished, that one is finished first and an increment follows at once:
    it takes in everything that changed in between. The answer is about the last one. Raises ``Problem``.
    """
    check_machine(settings, settings.volume_mb_of(job.job))
    for folder in (settings.archives, settings.places.cache / "work", settings.job_state(job.job).parent):
        close_to_others(folder)
    sampler = Sampler()
    with reporter.busy(f"{job.job}: counting files"):
        found = survey_job(settings, job, sampler.offer)
    memory = SourceMemory(settings.job_state(job.job), job)
    if not accept_smaller:
        memory.check(found)
    passphrase = passphrase_of(settings)
    compression = choose("never" if job.family else settings.compress, sampler, gpg_settings())
    with Api(settings.url, token_of(settings)) as api, job_lock(settings.job_state(job.job)) as lock:
        status = greet(api, job.job, reporter)
        key = signing_key_of(settings, job.job, reporter.line)
        trust = TrustedSets(settings, api, status, key, reporter.line)
        run = _Backup(settings, job, api, passphrase, lock, found, compression, trust, reporter)
        run.renamed_files, run.before_new_chain = renamed_files, before_new_chain
        totals = run.make_sets(wanted, status.newest_complete_at)
        memory.keep(found)
        return totals


def survey_job(
    settings: Settings,
    job: JobSettings,
    on_file: Callable[[str, os.stat_result], None] = lambda _path, _status: None,
) -> Survey:
    """Counts what a backup of the job would hold."""
    source = job.source.resolve()
    selection = SourceSelection(source, job.filelist, left_out_folders(settings, source))
    return survey(
        job.source,
        on_file,
        selection,
        other_filesystems=job.other_filesystems,
        device_files=job.device_files,
    )


class _Backup:
    """One job's backup, while the lock is held."""

    def __init__(
        self,
        settings: Settings,
        job: JobSettings,
        api: Api,
        passphrase: str | None,
        lock: int,
        found: Survey,
        compression: Choice,
        trust: TrustedSets,
        reporter: Reporter,
    ) -> None:
        self._settings, self._job, self._api = settings, job, api
        self._passphrase, self._lock, self._survey, self._reporter = passphrase, lock, found, reporter
        self._compression, self._trust = compression, trust
        self._metadata = LocalMetadata(settings, job.job, api, reporter.line)
        self._source = job.source.resolve()
        self._mark = mark_source(self._source, found.files, left_out_folders(settings, self._source))
        self._state = settings.job_state(job.job)
        self._cache = settings.job_cache(job.job)
        self._journal = Journal(self._state / "journal.jsonl")
        self._checked_file = checked_set_file(self._state)
        self._known_file = known_files_path(self._state)
        self._broken_off: tuple[str, ...] = ()
        self._sizes: dict[str, int] = {}
        self.renamed_files = 0
        self.before_new_chain: Callable[[], None] = lambda: None
        self._tidying = Tidying(
            api,
            job.job,
            str(self._source),
            settings.archive(job.job),
            self._journal,
            trust,
            has_changed=self._open_file_changed,
            on_sealed=self._remember,
            on_line=self._say,
        )

    def make_sets(self, wanted: str | None, newest_complete_at: str | None) -> RunTotals:
        """One set; or the rest of one that an earlier run had begun, and an increment."""
        if is_asked_for(self._state):
            wanted = "full"
        resumed, totals = self._make_set(wanted, newest_complete_at)
        if wanted == "full" and (resumed is None or set_kind(resumed) == "full"):
            has_begun(self._state)
        if resumed is not None:
            self._say("an increment follows for what changed during the interruption")
            again = "full" if wanted == "full" and set_kind(resumed) == "incremental" else "incremental"
            _, totals = self._make_set(again, newest_complete_at)
        return totals

    def _make_set(self, wanted: str | None, newest_complete_at: str | None) -> tuple[str | None, RunTotals]:
        """Makes one set; the name of the set if it was one that an earlier run had begun, and how it was made."""
        lease = self._take_lease(wanted, newest_complete_at)
        tally, began = RunTally(self.renamed_files), time.monotonic()
        try:
            resumed, kind = self._run_duplicity(lease, wanted, tally)
        except BaseException as failure:
            code = failure.exit_code if isinstance(failure, Problem) else ExitCode.INTERRUPTED
            lease.finish(tally.update(code, self._trust.report()))
            raise
        self._trust.sealed()
        self._metadata.record(tally.metadata)
        lease.finish(tally.update(ExitCode.DONE, self._trust.report()))
        totals = tally.totals(
            self._job.job,
            kind,
            resumed=resumed is not None,
            seconds=time.monotonic() - began,
            sockets=self._survey.sockets,
            log_file=str(self._settings.places.log_file),
        )
        self._reporter.done(totals)
        return resumed, totals

    def _take_lease(self, wanted: str | None, newest_complete_at: str | None) -> HeldLease:
        finished = sealed_sets(self._tidying.local_files())
        unseen = newest_complete_at is not None and not finished
        request = RunStart(
            kind=wanted or ("incremental" if unseen else self._policy(finished)),
            clock=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            estimated_bytes=self._survey.bytes,
            source_files=self._survey.files,
            source_bytes=self._survey.bytes,
        )
        return HeldLease.start(self._api, self._job.job, self._state, request)

    def _run_duplicity(self, lease: HeldLease, wanted: str | None, tally: RunTally) -> tuple[str | None, str]:
        """Tidies up and runs duplicity, again if it finds that it has to; the set resumed and the kind."""
        again = ""
        for _start in range(_STARTS):
            decision, sealed = self._tidy(lease, wanted)
            kind = self._kind(decision, wanted, sealed)
            ended = self._duplicity(lease, kind, decision, self._search(sealed), tally)
            if ended.starts_again:
                again = str(ended.stopped)
                continue
            problem = ended.problem(self._settings.places.log_file)
            if problem is not None:
                if problem.exit_code == ExitCode.SOURCE and kind == "incremental":
                    # What it stored says that files were deleted: the next run must not carry on with it.
                    self._journal.forget_volumes()
                raise problem
            self._remember(self._journal.read(), sealed={*sealed, tally.sealed})
            adopt(self._known_file, resumed=decision.resume is not None)
            return (decision.resume.set if decision.resume else None), kind
        raise Problem(f"the set cannot be finished just now: {again}; try again later", ExitCode.TRY_LATER)

    def _tidy(self, lease: HeldLease, wanted: str | None) -> tuple[Decision, frozenset[str]]:
        """What to do with an unfinished set, and the finished ones that a backup may build on."""
        tidied = self._tidying.tidy(lease, begins_anew=wanted == "full")
        self._sizes = {file.name: file.size for file in tidied.remote}
        self._metadata.make_ready(tidied.remote)
        return tidied.decision, tidied.sealed - self._metadata.unopened

    def _kind(self, decision: Decision, wanted: str | None, sealed: Collection[str]) -> str:
        if decision.resume is not None:
            kind = set_kind(decision.resume.set)
            self._say(f"carrying on with the {kind} backup after volume {len(decision.resume.volumes) - 1}")
        else:
            wait_for_clock(sealed)
            kind = wanted or self._policy(sealed)
        blocked = self._trust.are_in_the_way(sealed) or self._metadata.blocks_increments
        if kind == "incremental" and blocked:
            kind = "full"
            self._say("a full backup, as that set stands in an increment's way")
        check_buildable(kind, sealed)
        if kind == "full" and sealed and decision.resume is None:
            self.before_new_chain()
        return kind

    def _policy(self, finished_sets: Collection[str]) -> str:
        chain = newest_chain(finished_sets, self._sizes)
        return kind_by_policy(chain, self._job, self._survey.bytes, datetime.now(timezone.utc))

    def _search(self, sealed: Collection[str]) -> Search:
        """Where to search for changes; without the files of which this run knows that they cannot be read."""
        search = job_search(self._state, self._job, sealed)
        return replace(search, leave_out=self._broken_off, read_first=bool(self._broken_off))

    def _remember(self, journal: JournalState, sealed: Collection[str]) -> None:
        """Once the journal's set is sealed: what it skipped, for the increment that follows it."""
        if journal.checked is not None and journal.checked.set in sealed:
            journal.checked.store(self._checked_file)

    def _duplicity(
        self, lease: HeldLease, kind: str, decision: Decision, search: Search, tally: RunTally
    ) -> Ended:
        for name in ("tmp", "spool"):
            shutil.rmtree(self._cache / name, ignore_errors=True)
            private_folder(self._cache / name)
        gpg_options = self._compression.gpg_options

        def on_event(event: Event) -> None:
            self._reporter.event(event)
            tally.take(event)
            if event["event"] == "broken_off":
                self._broken_off += (event["path"],)

        with self._reporter.task(f"{self._job.job} {kind}", self._survey.bytes):
            return duplicity_process.run(
                self._plan(lease, decision, search),
                backup_arguments(self._settings, self._job, kind, self._source, gpg_options),
                token=token_of(self._settings),
                passphrase=self._passphrase,
                log_file=self._settings.places.log_file,
                on_event=on_event,
                lock_descriptor=self._lock,
                lost=lease.lost,
                note=self._compression.reason,
                proof_key=self._trust.key,
            )

    def _plan(self, lease: HeldLease, decision: Decision, search: Search) -> ChildPlan:
        resume = decision.resume
        outgrown = outgrown_sets(sealed_sets(self._sizes), begins_anew=is_asked_for(self._state))
        return ChildPlan(
            url=self._settings.url,
            job=self._job.job,
            source=str(self._source),
            run=lease.run,
            journal=str(self._journal.path),
            spool=str(self._cache / "spool"),
            upload_threads=fitting_threads(self._settings, self._settings.volume_mb_of(self._job.job)),
            max_upload_rate=self._settings.max_upload_rate,
            speed_up=self._settings.speed_up,
            resume=None if resume is None else ResumePoint.after(resume.last_kept),
            hidden_sets=tuple(sorted(self._trust.false_sets | self._metadata.unopened | outgrown)),
            search=search,
            mark=replace(self._mark, files=0) if resume else self._mark,
        )

    def _open_file_changed(self, volume: MadeVolume) -> bool:
        assert volume.open_file is not None
        if volume.open_file in self._broken_off:
            return True
        path = self._source / os.fsdecode(bytes.fromhex(volume.open_file))
        return has_changed(path, volume.began_at, volume.open_identity)

    def _say(self, text: str) -> None:
        self._reporter.line(f"{self._job.job}: {text}")


def check_buildable(kind: str, finished_sets: Collection[str]) -> None:
    if kind == "incremental" and not finished_sets:
        raise Problem("there is no full backup to build on; run: panicroom backup full", ExitCode.USAGE)
