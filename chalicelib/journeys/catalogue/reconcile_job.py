"""Reconciles a job's rows with its bucket: compares, repairs the rows, reports the differences.

The bucket is read in blocks of a thousand keys, so memory does not grow with the job, and a call that runs out of time
returns where to go on. Rows of a block are read *before* the bucket is listed the second time, and written only
if nobody wrote them since: an event handled meanwhile wins. Rows of sets are added up anew at the end.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.s3_buckets import Buckets, KeyState
from chalicelib.adapters.stores.catalogue_store import LAST_NAME, CatalogueStore
from chalicelib.domain.audit.codes.code import Concern
from chalicelib.domain.audit.findings import codes_about
from chalicelib.domain.audit.notices import CATALOGUE_DIFFERED, Notice
from chalicelib.domain.backups.events import KeyChange
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import METADATA_PREFIX, SetId, is_manifest, parse_file_name
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet, SetSum, apply_changes
from chalicelib.domain.ranges import format_ranges
from chalicelib.journeys.catalogue.catalogue_changes import (
    MOST_OBJECTS_A_WRITE,
    catalogue_set,
    record_proofs,
    refresh_findings,
)
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext

KEYS_A_BLOCK = 1000
"""What S3 lists in one request."""

SETTLES_IN = timedelta(minutes=2)
"""Events take seconds, sometimes a minute: a younger difference may only be an event under way."""

HAS_ARRIVED_AFTER = timedelta(minutes=15)
"""Longer than an event takes, retries included: for what differs longer no event came."""

TRIES = 5

MOST_DIFFERENCES = 1000
"""An answer of a Lambda function has 6 MB at most; whatever was beyond it was repaired all the same."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """``what`` is ``unknown`` (stored, not in the catalogue), ``gone`` (the reverse), ``changed``, ``stray`` (stored
    before the job was added, and known as a stray since), or ``sum`` (a set's row did not add up). ``settling``: so
    young that it may only be an event under way."""

    key: str
    what: str
    settling: bool
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Reconciled:
    """``next`` is where to go on, if the time was up."""

    examined: int
    differences: tuple[Difference, ...]
    next: str | None


def reconcile_job(
    context: CatalogueContext, job: Job, after: str, has_time: Callable[[], bool]
) -> Reconciled:
    """Goes on behind the key name ``after`` (empty: from the beginning) for as long as ``has_time()``. Nothing is
    missed of a job whose files the owner is removing."""
    if job.is_dropping:
        return Reconciled(0, (), None)
    examined, last = 0, after
    differences: list[Difference] = []
    for block in _blocks(context, job, after):
        examined, last = examined + len(block.states), block.last
        differences += _repair_block(context, job, block)
        if not has_time():
            break
    if last == LAST_NAME:
        differences += _repair_sets(context, job)
        refresh_findings(context.catalogue, context.findings, job, context.now)
    _notify(context, job, differences)
    return Reconciled(examined, tuple(differences[:MOST_DIFFERENCES]), None if last == LAST_NAME else last)


def _notify(context: CatalogueContext, job: Job, differences: Iterable[Difference]) -> None:
    """Records a notice, at most once a day; not that a job was added after its files, as in adopted buckets, nor of
    what was let go: the owner's own credentials change that by hand, and ask for this at once."""
    lasting = [
        difference for difference in differences if not difference.settling and difference.what != "stray"
    ]
    if lasting:
        let_go = set(map(str, context.catalogue.hidden(job).let_go))
        lasting = [difference for difference in lasting if _set_named(job, difference.key) not in let_go]
    was_compared = job.reconcile is not None and job.reconcile.done_at is not None
    if lasting and (was_compared or job.location.bucket == context.bucket):
        message = (
            f"The catalogue of {job.machine}/{job.name} differed from the bucket in {len(lasting)} place(s) and "
            f"was repaired; the first is {lasting[0].key} ({lasting[0].what}). Events were lost, or the bucket was "
            "changed by hand."
        )
        context.notices.put(Notice(CATALOGUE_DIFFERED, job.machine, job.name, message, context.now))


def _set_named(job: Job, key: str) -> str:
    """The set that a key belongs to; of a set that did not add up the key ends with its own name."""
    name = key.removeprefix(job.location.prefix)
    file = parse_file_name(name)
    return str(file.set_id) if file else name


def find_differences(catalogue: CatalogueStore, buckets: Buckets, job: Job, now: datetime) -> list[str]:
    """Keys of the job's manifests and signatures that the catalogue does not have as the bucket does, though their
    events must have come long ago. They are few beside the volumes, and each set has some; nothing is repaired."""
    location = job.location
    listed = buckets.list_states(location.bucket, location.key(METADATA_PREFIX))
    states = {key.removeprefix(location.prefix): state for key, state in listed}
    last = METADATA_PREFIX + LAST_NAME
    known = {row.name: row for row in catalogue.objects_between(job, METADATA_PREFIX, last)}
    return [
        location.key(name)
        for name in sorted(name for name in known.keys() | states.keys() if parse_file_name(name))
        if _difference(known.get(name), states.get(name, KeyState(None, {})))
        and (name not in states or not _is_settling(states[name], now, HAS_ARRIVED_AFTER))
    ]


# ---------------------------------------------------------------- objects


@dataclasses.dataclass(frozen=True)
class _Block:
    """A range of file names with its rows, and what the bucket then listed."""

    last: str
    known: Mapping[str, ObjectRow]
    strays: Mapping[str, ObjectRow]
    states: Mapping[str, KeyState]


def _blocks(context: CatalogueContext, job: Job, after: str) -> Iterator[_Block]:
    while True:
        ahead = list(itertools.islice(_list_names(context, job, after), KEYS_A_BLOCK))
        more = len(ahead) == KEYS_A_BLOCK
        last = ahead[-1][0] if more else LAST_NAME
        known = {row.name: row for row in context.catalogue.objects_between(job, after, last)}
        strays = {row.name: row for row in context.catalogue.strays_between(job.location, after, last)}
        # The first look only found where the block ends; this one is newer than the rows.
        yield _Block(last, known, strays, _states_until(context, job, after, last))
        if not more:
            return
        after = last


def _states_until(context: CatalogueContext, job: Job, after: str, last: str) -> dict[str, KeyState]:
    return dict(itertools.takewhile(lambda pair: pair[0] <= last, _list_names(context, job, after)))


def _list_names(context: CatalogueContext, job: Job, after: str) -> Iterator[tuple[str, KeyState]]:
    location = job.location
    marker = location.key(after) if after else ""
    for key, state in context.buckets.list_states(location.bucket, location.prefix, after=marker):
        yield key.removeprefix(location.prefix), state


def _repair_block(context: CatalogueContext, job: Job, block: _Block) -> list[Difference]:
    differences: list[Difference] = []
    rows_of: dict[SetId, list[ObjectRow]] = defaultdict(list)
    strays: list[ObjectRow] = []
    for name in sorted(block.known.keys() | block.strays.keys() | block.states.keys()):
        stray = block.strays.get(name)
        comes_in = stray is not None and _belongs_to_the_job(stray)
        row = block.known.get(name, None if comes_in else stray)
        state = block.states.get(name, KeyState(None, {}))
        what = _difference(row, state)
        if comes_in:
            strays.append(ObjectRow(name, None))
            differences.append(Difference(job.location.key(name), "stray", settling=False))
        elif what:
            differences.append(Difference(job.location.key(name), what, _is_settling(state, context.now)))
        if what is None:
            continue
        file = parse_file_name(name)
        if is_manifest(name):
            state = context.buckets.with_promise(job.location.bucket, job.location.key(name), state)
        # Without a sequencer: one that was forged must not keep later events from the row.
        found = ObjectRow(name, state.stored, "", state.noncurrent)
        (rows_of[file.set_id] if file else strays).append(found)
    for set_id, rows in rows_of.items():
        for start in range(0, len(rows), MOST_OBJECTS_A_WRITE):
            _write_rows(context, job, set_id, rows[start : start + MOST_OBJECTS_A_WRITE], block.known)
    location = job.location
    for row in strays:
        known = block.strays.get(row.name)
        context.catalogue.put_stray(location.bucket, location.key(row.name), row, known, context.now)
    if any(difference.what == "stray" for difference in differences):
        codes, folder = codes_about(Concern.OBJECTS), f"{location.bucket}/{location.prefix}"
        context.findings.replace(
            None, (), context.now, codes=codes, subjects={folder}
        )  # its job is known now
    return differences


def _belongs_to_the_job(stray: ObjectRow) -> bool:
    """Whether it is a file of a set, stored before its job was added."""
    return bool(stray.stored or stray.noncurrent) and parse_file_name(stray.name) is not None


def _difference(row: ObjectRow | None, state: KeyState) -> str | None:
    if row is None:
        return "unknown" if state.stored or state.noncurrent else None
    if row.stored is None and state.stored is None:
        return None if row.noncurrent == state.noncurrent else "changed"
    if row.stored is None:
        return "unknown"
    if state.stored is None:
        return "gone"
    mine, theirs = (
        (stored.size, stored.etag, stored.storage_class, stored.version_id)
        for stored in (row.stored, state.stored)
    )
    return None if mine == theirs and row.noncurrent == state.noncurrent else "changed"


def _is_settling(state: KeyState, now: datetime, settles_in: timedelta = SETTLES_IN) -> bool:
    return state.changed_at is not None and now - state.changed_at < settles_in


def _write_rows(
    context: CatalogueContext,
    job: Job,
    set_id: SetId,
    rows: Sequence[ObjectRow],
    known: Mapping[str, ObjectRow],
) -> None:
    """The rows and their set together, as an event would. Where somebody wrote one since it was read, the keys are
    read again."""
    for _ in range(TRIES):
        page = context.catalogue.read_page(job, set_id, [])
        page = dataclasses.replace(
            page, objects={row.name: known[row.name] for row in rows if row.name in known}
        )
        backup_set = apply_changes(page.backup_set, page.objects, rows)
        if context.catalogue.write_page(job, page, backup_set, rows, context.now):
            record_proofs(context.machines, job, rows)
            return
    hints = [KeyChange(job.location.bucket, job.location.key(row.name), "") for row in rows]
    catalogue_set(context, job, set_id, hints)


# ---------------------------------------------------------------- sets


def _repair_sets(context: CatalogueContext, job: Job) -> list[Difference]:
    """Adds every set up from its object rows, and writes those that do not add up."""
    differences: list[Difference] = []
    for _ in range(TRIES):
        # The rows' revisions come first: a set that an event writes meanwhile is left to the next try.
        pages = context.catalogue.set_pages(job)
        contended = False
        added_up = _add_up(context, job, {set_id: page.backup_set for set_id, page in pages.items()})
        for set_id, backup_set in added_up.items():
            known = pages[set_id].backup_set if set_id in pages else BackupSet(set_id)
            if _facts(backup_set) == _facts(known):
                continue
            revision = pages[set_id].revision if set_id in pages else 0
            if context.catalogue.repair_set(job, backup_set, revision, context.now):
                differences.append(_sum_difference(job, known, backup_set, context.now))
            else:
                contended = True
        if not contended:
            break
    return differences


def _add_up(context: CatalogueContext, job: Job, known: Mapping[SetId, BackupSet]) -> dict[SetId, BackupSet]:
    """Each set from its rows; that it lost its manifest may be known of the set alone."""
    sums = {
        set_id: SetSum(BackupSet(set_id, manifest_removed=one.manifest_removed))
        for set_id, one in known.items()
    }
    for row in context.catalogue.objects(job):
        file = parse_file_name(row.name)
        if file is not None:
            sums.setdefault(file.set_id, SetSum(BackupSet(file.set_id))).change(None, row)
    return {set_id: total.result() for set_id, total in sums.items()}


def _sum_difference(job: Job, known: BackupSet, found: BackupSet, now: datetime) -> Difference:
    detail = (
        f"volumes {format_ranges(known.volumes) or 'none'}, {known.stored_bytes} bytes; in the bucket "
        f"{format_ranges(found.volumes) or 'none'}, {found.stored_bytes} bytes"
    )
    settling = found.changed_at is not None and now - found.changed_at < SETTLES_IN
    return Difference(f"{job.location.prefix}{found.set_id}", "sum", settling, detail)


def _facts(backup_set: BackupSet) -> BackupSet:
    """What the bucket knows of a set. When it last changed, the catalogue may know better."""
    return dataclasses.replace(backup_set, changed_at=None)
