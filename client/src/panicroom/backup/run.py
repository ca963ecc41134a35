"""``panicroom backup``: check, take the lease, tidy up after an interrupted run, let duplicity work."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from panicroom import __version__
from panicroom.api import Api, ApiError
from panicroom.backup.change_search import plan_search
from panicroom.backup.compression import Choice, Sampler, choose, gpg_settings
from panicroom.backup.lease import HeldLease, check_clock, job_lock
from panicroom.backup.local_metadata import LocalMetadata, StoredMetadata, stored_metadata
from panicroom.backup.new_chain import has_begun, is_asked_for, outgrown_sets
from panicroom.backup.policy import kind_by_policy, newest_chain, seconds_behind
from panicroom.backup.readiness import allow_open_files, check_space
from panicroom.backup.resume import Decision, decide
from panicroom.backup.sources import SourceMemory, SourceSelection, Survey, survey
from panicroom.backup.trusted_sets import TrustedSets
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import backup_arguments
from panicroom.duplicity_run.file_identity import has_changed
from panicroom.duplicity_run.gpg_keys import check_keys
from panicroom.duplicity_run.left_out import left_out_folders
from panicroom.duplicity_run.plan import ChildPlan, ResumePoint, Search
from panicroom.duplicity_run.process import Ended, Event
from panicroom.duplicity_run.source_watch import mark_source
from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem
from panicroom.names import parse_name, sealed_sets, set_kind
from panicroom.private_files import close_to_others, private_folder
from panicroom.secrets import passphrase_of, signing_key_of, token_of
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.progress import Reporter, RunTotals
from panicroom.transfer.checked_set import CheckedSet, checked_set_file
from panicroom.transfer.journal import Journal, JournalState, MadeVolume
from panicroom.wire import MAX_FILES_PER_REQUEST, ErrorCode, JobStatus, RunStart, RunUpdate

_STARTS = 4
_SEALING_PATIENCE_SECONDS = 900.0
_CLOCK_PATIENCE_SECONDS = 30.0
_QUIET_MAIL = timedelta(days=8)


@dataclass
class _Tally:
    """What one duplicity process reported."""

    volumes: int = 0
    sealed: str = ""
    sent_bytes: int = 0
    left_out: int = 0
    statistics: dict[str, float] = field(default_factory=dict)
    metadata: list[StoredMetadata] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Paths that could not be read, and why; in the order in which duplicity came by."""

    def take(self, event: Event) -> None:
        match event["event"]:
            case "sent":
                self.sent_bytes += event["bytes"]
            case "stored":
                parsed = parse_name(event["name"])
                self.volumes += bool(parsed and parsed.kind == "volume")
                if stored := stored_metadata(event):
                    self.metadata.append(stored)
                if parsed and parsed.kind == "manifest":
                    self.sealed = parsed.set
            case "left_out":
                self.left_out = event["files"]
            case "skipped":
                self.skipped[event["path"]] = event["reason"]
            case "statistics":
                self.statistics = event["numbers"]


def back_up(
    settings: Settings,
    job: JobSettings,
    wanted: str | None,
    reporter: Reporter,
    *,
    accept_smaller: bool = False,
) -> None:
    """Makes one set, ``wanted`` (``full`` or ``incremental``) or as the policy has it.

    A source that has lost half of its files is refused unless ``accept_smaller``.

    If an earlier run left a set unfinished, that one is finished first and an increment follows at once:
    it takes in everything that changed in between. Raises ``Problem``.
    """
    duplicity_process.require_gpg()
    check_keys(settings.encrypt_key, settings.sign_key)
    check_space(settings)
    allow_open_files()
    for folder in (
        settings.archives,
        settings.places.cache / "work",
        settings.places.state / settings.machine,
    ):
        close_to_others(folder)
    sampler = Sampler()
    with reporter.busy(f"{job.job}: counting files"):
        found = survey_job(settings, job, sampler.offer)
    memory = SourceMemory(settings.job_state(job.job), job)
    if not accept_smaller:
        memory.check(found)
    passphrase = passphrase_of(settings)
    api = Api(settings.url, token_of(settings))
    try:
        with job_lock(settings.job_state(job.job)) as lock:
            status = greet(api, job.job, reporter)
            newest = status.newest_complete_at
            key = signing_key_of(settings, job.job, reporter.line)
            trust = TrustedSets(settings, api, status, key, reporter.line)
            compression = choose(settings.compress, sampler, gpg_settings())
            run = _Backup(settings, job, api, passphrase, lock, found, compression, trust, reporter)
            if is_asked_for(settings.job_state(job.job)):
                wanted = "full"
            resumed = run.make_set(wanted, newest)
            if wanted == "full" and (resumed is None or set_kind(resumed) == "full"):
                has_begun(settings.job_state(job.job))
            if resumed is not None:
                reporter.line(f"{job.job}: an increment follows for what changed during the interruption")
                again = "full" if wanted == "full" and set_kind(resumed) == "incremental" else "incremental"
                run.make_set(again, newest)
            memory.keep(found)
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()


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


def greet(api: Api, job: str, reporter: Reporter) -> JobStatus:
    """Checks clock and version with the service; what the service knows of the job."""
    status = api.machine()
    check_clock(status.server_time)
    mail = status.last_weekly_mail_at
    if mail is not None:
        age = datetime.now(timezone.utc) - datetime.fromisoformat(mail.replace("Z", "+00:00"))
        if age > _QUIET_MAIL:
            reporter.line(f"the last weekly mail went out {age.days} days ago; report it to the owner")
    if _version(__version__) < _version(status.oldest_client_version):
        raise Problem(
            f"panicroom {__version__} is too old for the service; ask its owner for the line that installs"
            f" {status.newest_client_version}",
            ExitCode.REFUSED,
        )
    if _version(__version__) < _version(status.newest_client_version):
        reporter.line(f"panicroom {status.newest_client_version} is out; this is {__version__}")
    for known in status.jobs:
        if known.job == job:
            return known
    raise Problem(
        f"the service knows no job {job!r} of this machine; ask the owner to add it", ExitCode.SETTINGS
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


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
        self._archive = settings.archive(job.job)
        self._cache = settings.job_cache(job.job)
        self._journal = Journal(self._state / "journal.jsonl")
        self._checked_file = checked_set_file(self._state)
        self._broken_off: tuple[str, ...] = ()
        self._sizes: dict[str, int] = {}

    def make_set(self, wanted: str | None, newest_complete_at: str | None) -> str | None:
        """Makes one set; the name of the set if it was one that an earlier run had begun."""
        lease = self._take_lease(wanted, newest_complete_at)
        tally, began = _Tally(), time.monotonic()
        try:
            resumed, kind = self._run_duplicity(lease, wanted, tally)
        except Problem as problem:
            lease.finish(self._update(tally, problem.exit_code))
            raise
        except BaseException:
            lease.finish(self._update(tally, ExitCode.INTERRUPTED))
            raise
        self._trust.sealed()
        self._metadata.record(tally.metadata)
        lease.finish(self._update(tally, ExitCode.DONE))
        self._sum_up(kind, resumed is not None, tally, time.monotonic() - began)
        return resumed

    def _take_lease(self, wanted: str | None, newest_complete_at: str | None) -> HeldLease:
        finished = sealed_sets(self._local())
        unseen = newest_complete_at is not None and not finished
        request = RunStart(
            kind=wanted or ("incremental" if unseen else self._policy(finished)),
            clock=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            estimated_bytes=self._survey.bytes,
            source_files=self._survey.files,
            source_bytes=self._survey.bytes,
        )
        return HeldLease.start(self._api, self._job.job, self._state, request)

    def _run_duplicity(self, lease: HeldLease, wanted: str | None, tally: _Tally) -> tuple[str | None, str]:
        """Tidies up and runs duplicity, again if it finds that it has to; the set resumed and the kind."""
        again = ""
        for _start in range(_STARTS):
            decision, sealed = self._tidy(lease, begins_anew=wanted == "full")
            if decision.resume is not None:
                kind = set_kind(decision.resume.set)
                reason = f"carrying on with the {kind} backup after volume {len(decision.resume.volumes) - 1}"
                self._reporter.line(f"{self._job.job}: {reason}")
            else:
                wait_for_clock(sealed)
                kind = wanted or self._policy(sealed)
            blocked = self._trust.are_in_the_way(sealed) or self._metadata.blocks_increments
            if kind == "incremental" and blocked:
                kind = "full"
                self._reporter.line(
                    f"{self._job.job}: a full backup, as that set stands in an increment's way"
                )
            check_buildable(kind, sealed)
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
            return (decision.resume.set if decision.resume else None), kind
        raise Problem(f"the set cannot be finished just now: {again}; try again later", ExitCode.TRY_LATER)

    def _policy(self, finished_sets: Collection[str]) -> str:
        chain = newest_chain(finished_sets, self._sizes)
        return kind_by_policy(chain, self._job, self._survey.bytes, datetime.now(timezone.utc))

    def _outgrown(self) -> set[str]:
        return outgrown_sets(sealed_sets(self._sizes), begins_anew=is_asked_for(self._state))

    def _search(self, sealed: Collection[str]) -> Search:
        """Where to search for changes; without the files of which this run knows that they cannot be read."""
        known = CheckedSet.load(self._checked_file)
        search = plan_search(
            sealed, self._checked_file, known, str(self._source), self._job.check_change_time
        )
        return replace(search, leave_out=self._broken_off, read_first=bool(self._broken_off))

    def _remember(self, journal: JournalState, sealed: Collection[str]) -> None:
        """Once the journal's set is sealed: what it skipped, for the increment that follows it."""
        if journal.checked is not None and journal.checked.set in sealed:
            journal.checked.store(self._checked_file)

    def _duplicity(
        self, lease: HeldLease, kind: str, decision: Decision, search: Search, tally: _Tally
    ) -> Ended:
        for name in ("tmp", "spool"):
            shutil.rmtree(self._cache / name, ignore_errors=True)
            private_folder(self._cache / name)
        resume = decision.resume
        plan = ChildPlan(
            url=self._settings.url,
            job=self._job.job,
            source=str(self._source),
            run=lease.run,
            journal=str(self._journal.path),
            spool=str(self._cache / "spool"),
            upload_threads=self._settings.upload_threads,
            max_upload_rate=self._settings.max_upload_rate,
            speed_up=self._settings.speed_up,
            resume=None if resume is None else ResumePoint.after(resume.last_kept),
            hidden_sets=tuple(sorted(self._trust.false_sets | self._metadata.unopened | self._outgrown())),
            search=search,
            mark=replace(self._mark, files=0) if resume else self._mark,
        )

        def on_event(event: Event) -> None:
            self._reporter.event(event)
            tally.take(event)
            if event["event"] == "broken_off":
                self._broken_off += (event["path"],)

        with self._reporter.task(f"{self._job.job} {kind}", self._survey.bytes):
            return duplicity_process.run(
                plan,
                backup_arguments(
                    self._settings, self._job, kind, self._source, self._compression.gpg_options
                ),
                token=token_of(self._settings),
                passphrase=self._passphrase,
                log_file=self._settings.places.log_file,
                on_event=on_event,
                lock_descriptor=self._lock,
                lost=lease.lost,
                note=self._compression.reason,
                proof_key=self._trust.key,
            )

    def _tidy(self, lease: HeldLease, *, begins_anew: bool) -> tuple[Decision, set[str]]:
        """Makes bucket, journal and duplicity's folder agree; what to resume, and the sealed sets that are trusted.

        A manifest on its way when the run before was killed keeps its set closed for a minute: wait.
        """
        give_up_at = time.monotonic() + _SEALING_PATIENCE_SECONDS
        said = False
        while True:
            remote = self._trust.only_trusted(self._api.files(self._job.job), begins_anew=begins_anew)
            if self._trust.false_sets:
                update = RunUpdate(false_proofs=self._trust.report())
                self._api.update_run(self._job.job, lease.run, update)
            self._sizes = {file.name: file.size for file in remote}
            sealed = sealed_sets(self._sizes)
            self._reopen_signatures(sealed)
            journal = self._journal.read()
            self._remember(journal, sealed)
            decision = decide(remote, self._local(), journal, str(self._source), self._open_file_changed)
            if decision.lost:
                raise Problem(
                    f"{len(decision.lost)} finished backups have lost their manifest in the bucket, the first is"
                    f" {decision.lost[0]}; nothing was changed. Ask the owner to bring it back (an older version"
                    " of the file may still be there)",
                    ExitCode.MANIFEST_GONE,
                )
            if self._apply(decision, lease):
                self._metadata.make_ready(remote)
                return decision, sealed - self._metadata.unopened
            if time.monotonic() > give_up_at:
                raise Problem("the last set is still being sealed; try again later", ExitCode.TRY_LATER)
            if not said:
                self._reporter.line(f"{self._job.job}: waiting for the service to close the set before")
                said = True
            time.sleep(3)

    def _apply(self, decision: Decision, lease: HeldLease) -> bool:
        """Carries the decision out, the bucket last; False if the set there is just being sealed.

        Each step alone leaves a state from which the next run decides the same or restarts the set.
        """
        names = decision.discard
        for start in range(0, len(names), MAX_FILES_PER_REQUEST):
            batch = names[start : start + MAX_FILES_PER_REQUEST]
            refused = self._api.discards(self._job.job, lease.run, batch).refused
            if any(refusal.error in (ErrorCode.SET_SEALING, ErrorCode.SET_SEALED) for refusal in refused):
                return False
            if refused:
                raise Problem(
                    f"the service keeps {refused[0].name} of an unfinished set: {refused[0].message}",
                    ExitCode.DISCARD_REFUSED,
                )
        if decision.resume is not None:
            for name, size in decision.resume.cut.items():
                os.truncate(self._archive / name, size)
        for name in decision.remove:
            (self._archive / name).unlink(missing_ok=True)
        self._journal.rewrite(decision.journal)
        return True

    def _reopen_signatures(self, sealed: set[str]) -> None:
        """Undoes duplicity's last step but one where a kill came before the manifest was stored: it had
        packed the set's local signatures already, and a resumed run has to go on writing them."""
        for name in self._local():
            parsed = parse_name(name)
            if (
                parsed
                and parsed.kind == "signatures"
                and parsed.set not in sealed
                and name.endswith(".sigtar.gz")
            ):
                packed = self._archive / name
                if packed.with_suffix(".part").exists():
                    continue  # killed while packing: the unpacked file is still whole
                fresh = packed.with_suffix(".unpacked")
                with gzip.open(packed, "rb") as source, fresh.open("wb") as target:
                    shutil.copyfileobj(source, target)
                fresh.replace(packed.with_suffix(".part"))
                packed.unlink()

    def _open_file_changed(self, volume: MadeVolume) -> bool:
        assert volume.open_file is not None
        if volume.open_file in self._broken_off:
            return True
        path = self._source / os.fsdecode(bytes.fromhex(volume.open_file))
        return has_changed(path, volume.began_at, volume.open_identity)

    def _local(self) -> Mapping[str, int]:
        """duplicity's files of this job and their sizes."""
        if not self._archive.is_dir():
            return {}
        return {path.name: path.stat().st_size for path in self._archive.iterdir() if path.is_file()}

    def _update(self, tally: _Tally, exit_code: ExitCode) -> RunUpdate:
        """What the service gets: numbers, and no more of a failure than its kind, since duplicity's messages may name
        files, and their names are encrypted for a reason."""
        return RunUpdate(
            exit_code=int(exit_code),
            volumes=tally.volumes,
            uploaded_bytes=tally.sent_bytes,
            files_skipped=len(tally.skipped),
            message=None if exit_code == ExitCode.DONE else EXPLANATIONS[exit_code],
            statistics=tally.statistics or None,
            false_proofs=self._trust.report(),
        )

    def _sum_up(self, kind: str, resumed: bool, tally: _Tally, seconds: float) -> None:
        numbers = tally.statistics
        self._reporter.done(
            RunTotals(
                job=self._job.job,
                kind=kind,
                resumed=resumed,
                new=int(numbers.get("NewFiles", 0)),
                changed=int(numbers.get("ChangedFiles", 0)),
                deleted=int(numbers.get("DeletedFiles", 0)),
                read_again=int(numbers.get("ReadAgainFiles", 0)),
                read_again_changed=int(numbers.get("ReadAgainChangedFiles", 0)),
                volumes=tally.volumes,
                sent_bytes=tally.sent_bytes,
                seconds=seconds,
                skipped=tuple(tally.skipped),
                sockets=self._survey.sockets,
                log_file=str(self._settings.places.log_file),
            )
        )


def wait_for_clock(finished_sets: Collection[str]) -> None:
    """Returns once a set that begins now is younger than all others; a Problem if that takes more than a moment."""
    seconds = seconds_behind(finished_sets, datetime.now(timezone.utc))
    if seconds > _CLOCK_PATIENCE_SECONDS:
        raise Problem(
            f"the newest backup is dated {seconds / 60:.0f} minutes ahead of this machine's clock; set the clock right"
            " if it is wrong, else try again later",
            ExitCode.CLOCK,
        )
    if seconds:
        time.sleep(seconds + 1)


def check_buildable(kind: str, finished_sets: Collection[str]) -> None:
    if kind == "incremental" and not finished_sets:
        raise Problem("there is no full backup to build on; run: panicroom backup full", ExitCode.USAGE)


def changes_text(statistics: Mapping[str, float]) -> str:
    """``3 new, 1 changed, 0 deleted``, of duplicity's statistics."""
    words = ("NewFiles", "new"), ("ChangedFiles", "changed"), ("DeletedFiles", "deleted")
    return ", ".join(f"{int(statistics.get(key, 0))} {word}" for key, word in words)
