"""Brings the catalogue up to date with keys that have changed: events in, rows out.

Changes of one set are handled together: one consistent read, one LIST of versions a key (and a HEAD for a
manifest, a GetObjectTagging for what is stored), one transaction. One that lost against another worker is done again.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.audit.codes.code import Concern
from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.findings import Finding, codes_about
from chalicelib.domain.audit.notices import LATE_UPLOAD, Notice
from chalicelib.domain.audit.placement import check_object
from chalicelib.domain.audit.strays import check_stray
from chalicelib.domain.backups.events import KeyChange
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import (
    SERVICE_PREFIX,
    SetId,
    is_manifest,
    parse_file_name,
    split_key,
    volume_file,
)
from chalicelib.domain.backups.objects import ObjectRow, is_newer, newer_sequencer
from chalicelib.domain.backups.sets import BackupSet, apply_changes, first_proof
from chalicelib.domain.photos.photo_findings import find_photo_trouble
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext
from chalicelib.journeys.catalogue.hide_revoked import hide_what_outlived_a_token

MOST_OBJECTS_A_WRITE = 99
"""DynamoDB takes 100 items a transaction; the set is one of them."""

MOST_TRIES = 10


class Contended(Exception):
    """Other workers kept winning; the queue brings the message back."""


@dataclasses.dataclass(frozen=True)
class KeyOwner:
    """Which rows a key belongs to: a set of a job, or the strays of a bucket, ``job`` being whose prefix they have."""

    bucket: str
    job: Job | None = None
    set_id: SetId | None = None


def catalogue_changes(
    context: CatalogueContext, changes: Iterable[KeyChange]
) -> list[tuple[KeyChange, Exception]]:
    """Catalogues every change it can, and answers with those it could not, each with the reason."""
    failed: list[tuple[KeyChange, Exception]] = []
    for place, group in _by_place(context, changes).items():
        is_stray = place.job is None or place.set_id is None
        for chunk in _by_key(group) if is_stray else _chunks(group, MOST_OBJECTS_A_WRITE):
            try:
                if place.job is None or place.set_id is None:
                    catalogue_strays(context, place, chunk)
                else:
                    catalogue_set(context, place.job, place.set_id, chunk)
            except Exception as error:
                # One set's trouble must not hold back its neighbours; the queue brings these back.
                failed.extend((change, error) for change in chunk)
    return failed


def _by_place(context: CatalogueContext, changes: Iterable[KeyChange]) -> Mapping[KeyOwner, list[KeyChange]]:
    changes = [
        change
        for change in changes
        if not (change.bucket == context.bucket and change.key.startswith(SERVICE_PREFIX))
    ]
    shared = {change.key: split_key(change.key) for change in changes if change.bucket == context.bucket}
    jobs = context.machines.jobs_named([(parts[0], parts[1]) for parts in shared.values() if parts])
    adopted = {
        bucket: context.machines.adopted_jobs(bucket)
        for bucket in {change.bucket for change in changes} - {context.bucket}
    }
    places: dict[KeyOwner, list[KeyChange]] = defaultdict(list)
    for change in changes:
        if change.bucket == context.bucket:
            parts = shared[change.key]
            job = jobs.get((parts[0], parts[1])) if parts else None
            if job is not None and job.location.bucket != context.bucket:
                job = None  # its files are elsewhere
        else:
            job = owner_of(change.key, adopted[change.bucket])
            if job is None:
                continue  # somebody else's keys in a bucket that is not ours
        if job is not None and job.is_dropping:
            continue  # its rows go, and what is written meanwhile would outlive them
        places[place_of(change.bucket, change.key, job)].append(change)
    return places


def owner_of(key: str, jobs: Iterable[Job]) -> Job | None:
    """The job whose prefix the key has; of nested ones the closest."""
    owners = [job for job in jobs if key.startswith(job.location.prefix)]
    return max(owners, key=lambda job: len(job.location.prefix), default=None)


def place_of(bucket: str, key: str, job: Job | None) -> KeyOwner:
    file = parse_file_name(key.removeprefix(job.location.prefix)) if job else None
    return KeyOwner(bucket, job, file.set_id if file else None)


def catalogue_set(context: CatalogueContext, job: Job, set_id: SetId, changes: Sequence[KeyChange]) -> None:
    """Changes of one set, 99 keys at most. Raises ``Contended``."""
    sequencers: dict[str, str] = {}
    for change in changes:
        name = change.key.removeprefix(job.location.prefix)
        sequencers[name] = newer_sequencer(change.sequencer, sequencers.get(name, ""))
    for _ in range(MOST_TRIES):
        page = context.catalogue.read_page(job, set_id, list(sequencers))
        news = {
            name: sequencer
            for name, sequencer in sequencers.items()
            if name not in page.objects or is_newer(sequencer, page.objects[name].sequencer)
        }
        known = [page.objects[name] for name in sequencers if name not in news]
        if not news:
            _follow_up(context, job, None, page.backup_set, known)
            return
        rows = _present_rows(context, job.location.bucket, job.location.key, news, page.objects)
        backup_set = apply_changes(page.backup_set, page.objects, rows)
        if context.catalogue.write_page(job, page, backup_set, rows, context.now):
            _follow_up(context, job, None if known else page.backup_set, backup_set, [*known, *rows])
            return
    raise Contended(f"{job.full_name} {set_id}")


def _follow_up(
    context: CatalogueContext,
    job: Job,
    before: BackupSet | None,
    backup_set: BackupSet,
    rows: Sequence[ObjectRow],
) -> None:
    """What comes of rows that are written. ``before`` is the set before them, ``None`` where some were written by an
    earlier try: it may have failed after that, so all of this is done again. Each step may be repeated."""
    if job.is_dropping:
        return
    _record_placement(context, job, backup_set, rows)
    record_proofs(context.machines, job, rows)
    if before is None or backup_set.is_open != before.is_open:
        _record_open(context, job, backup_set)
    hide_what_outlived_a_token(context, job, backup_set, rows)
    if before is None or backup_set.sealed or before.sealed:
        _expel_late(context, job, backup_set)
        refresh_findings(context.catalogue, context.findings, job, context.now)


def _record_open(context: CatalogueContext, job: Job, backup_set: BackupSet) -> None:
    """A chain whose files are being marked deleted, the manifest among the first, is not open by that."""
    if not (backup_set.is_open and backup_set.set_id in context.catalogue.hidden(job)):
        context.catalogue.summaries.set_open(job, backup_set)


def record_proofs(machines: MachineStore, job: Job, rows: Iterable[ObjectRow]) -> None:
    """Once S3 holds a manifest with a proof of origin, every later one of the job needs one. At most one write a job:
    ``job`` was read with the events, and has ``proofs_since`` already from then on."""
    since = first_proof(rows)
    if since is not None and (job.proofs_since is None or since < job.proofs_since):
        machines.set_proofs_since(job, since)


def refresh_findings(
    catalogue: CatalogueStore, findings: FindingStore, job: Job, now: datetime
) -> list[Finding]:
    """Brings the job's findings, and what its laptop can read of it, up to date with its sets; what was found."""
    sets = catalogue.visible_sets(job)
    catalogue.summaries.bring_up_to_date(job, sets, now)
    found = [*find_anomalies(job, sets, now), *find_photo_trouble(job, now)]
    findings.replace(job, found, now, codes=codes_about(Concern.SETS, Concern.PHOTOS))
    return found


def refresh_photo_findings(findings: FindingStore, job: Job, now: datetime) -> None:
    """Brings what is wrong with the job's pictures up to date, which is known from its row alone."""
    findings.replace(job, find_photo_trouble(job, now), now, codes=codes_about(Concern.PHOTOS))


def watched(context_bucket: str, job: Job) -> WatchedJob:
    """The job with how much may be expected of its bucket; ``context_bucket`` is the service's own."""
    return WatchedJob(job, Custody.OWN if job.location.bucket == context_bucket else Custody.ADOPTED)


def _record_placement(
    context: CatalogueContext, job: Job, backup_set: BackupSet, rows: Sequence[ObjectRow]
) -> None:
    """Records at its event what is misplaced, and what is not any more.

    What was misplaced before is evaluated again with the rest of its set: a duplicate that could be removed is the only
    copy when the other one has gone.
    """
    codes, seen = codes_about(Concern.OBJECTS), {row.name: row for row in rows}
    known = {finding.subject for finding in context.findings.findings(job) if finding.code in codes}
    others = [name for name in known - seen.keys() if _set_of(name) == backup_set.set_id]
    if others:
        seen |= context.catalogue.read_page(job, backup_set.set_id, others).objects
    found = _misplaced(context, job, backup_set, seen)
    if not (found or known):
        return
    for _ in range(MOST_TRIES):
        context.findings.replace(job, found, context.now, codes=codes, subjects=seen.keys())
        # A call that wrote the set since then may have looked for what was known before this was recorded.
        page = context.catalogue.read_page(job, backup_set.set_id, list(seen))
        before, found = found, _misplaced(context, job, page.backup_set, page.objects)
        if found == before:
            return
    raise Contended(f"{job.full_name} {backup_set.set_id}")


def _misplaced(
    context: CatalogueContext, job: Job, backup_set: BackupSet, rows: Mapping[str, ObjectRow]
) -> list[Finding]:
    """In the order of the names; nothing of what does not count, which nobody is to put right."""
    watch = watched(context.bucket, job)
    found = [finding for name in sorted(rows) for finding in check_object(watch, rows[name], backup_set)]
    return [] if found and backup_set.set_id in context.catalogue.hidden(job) else found


def _set_of(name: str) -> SetId | None:
    file = parse_file_name(name)
    return file.set_id if file else None


def _expel_late(context: CatalogueContext, job: Job, backup_set: BackupSet) -> None:
    """A volume beyond the end of a sealed set came by a permission from before the seal, used after it.

    The row may also only lag behind a volume that was given up before the seal, so S3 is asked first.
    """
    surplus = [volume_file(backup_set.set_id, number).name for number in sorted(backup_set.surplus)]
    stored = context.buckets.heads(job.location.bucket, [job.location.key(name) for name in surplus])
    late = [name for name in surplus if stored[job.location.key(name)] is not None]
    if not late:
        return
    # Of a set that is hidden nothing is discarded, as nothing of it is seen.
    became = "are hidden with it" if context.discard(job, late) else "hidden again. The set itself is whole"
    context.notices.put(
        Notice(
            LATE_UPLOAD,
            job.machine,
            job.name,
            f"{len(late)} file(s) were added to the finished set {backup_set.set_id} and {became}. "
            "If you did not interrupt a backup, somebody may have this machine's token.",
            context.now,
        )
    )


def catalogue_strays(context: CatalogueContext, place: KeyOwner, changes: Sequence[KeyChange]) -> None:
    """Changes of keys that belong to no set. Raises ``Contended``."""
    bucket = place.bucket
    for key in dict.fromkeys(change.key for change in changes):
        sequencer = ""
        for change in changes:
            if change.key == key:
                sequencer = newer_sequencer(change.sequencer, sequencer)
        for _ in range(MOST_TRIES):
            known = context.catalogue.stray(bucket, key)
            if known is not None and not is_newer(sequencer, known.sequencer):
                row = known
                break
            known_rows = {key: known} if known else {}
            row = _present_rows(context, bucket, str, {key: sequencer}, known_rows)[0]
            if known is None and row.stored is None and not row.noncurrent:
                break  # the last event of a file that is forgotten, as of a machine that was dropped
            if context.catalogue.put_stray(bucket, key, row, known, context.now):
                break
        else:
            raise Contended(key)
        _record_stray(context, place, dataclasses.replace(row, name=key))


def _record_stray(context: CatalogueContext, place: KeyOwner, row: ObjectRow) -> None:
    subjects = {row.name, f"{place.bucket}/{row.name}"}
    for _ in range(MOST_TRIES):
        found = check_stray(place.bucket, row, place.job, is_own_bucket=place.bucket == context.bucket)
        context.findings.replace(
            place.job, found, context.now, codes=codes_about(Concern.OBJECTS), subjects=subjects
        )
        newest = context.catalogue.stray(place.bucket, row.name)  # of a call that was quicker than this one
        if newest is None or newest.sequencer == row.sequencer:
            return
        row = dataclasses.replace(newest, name=row.name)
    raise Contended(row.name)


def _present_rows(
    context: CatalogueContext,
    bucket: str,
    key_of: Callable[[str], str],
    sequencers: Mapping[str, str],
    known: Mapping[str, ObjectRow],
) -> list[ObjectRow]:
    """The keys' present states in S3, under the newest sequencer known of each."""
    states = context.buckets.states(bucket, [key_of(name) for name in sequencers])
    stored = [name for name in sequencers if states[key_of(name)].stored and parse_file_name(name)]
    tags = context.buckets.storage_tags(bucket, [key_of(name) for name in stored])
    rows = []
    for name, sequencer in sequencers.items():
        state = states[key_of(name)]
        if is_manifest(name):
            state = context.buckets.with_promise(bucket, key_of(name), state)
        if state.stored is not None:
            tagged = dataclasses.replace(state.stored, storage_tag=tags.get(key_of(name)))
            state = dataclasses.replace(state, stored=tagged)
        if name in known:
            sequencer = newer_sequencer(sequencer, known[name].sequencer)
        rows.append(ObjectRow(name, state.stored, sequencer, state.noncurrent))
    return rows


def _by_key(changes: Iterable[KeyChange]) -> Iterable[Sequence[KeyChange]]:
    """Strays share no row, so that one key that fails takes no other with it."""
    by_key: dict[str, list[KeyChange]] = defaultdict(list)
    for change in changes:
        by_key[change.key].append(change)
    return by_key.values()


def _chunks(items: Sequence[KeyChange], size: int) -> Iterable[Sequence[KeyChange]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
