"""Gives up files of sets that are not sealed: delete markers, never a version.

This runs in a function of its own, the only one that may write delete markers, and checks the seal itself: it does
not trust the function that calls it, which talks to laptops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import DISCARD_REFUSED, Notice
from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import BackupFile, FileKind, SetId, manifest_file
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing import gates
from chalicelib.wire import DiscardAnswer, ErrorCode, RefusedDiscard

MANIFEST_SUFFIXES = (".gpg", ".p7m", "")


def discard_files(
    catalogue: CatalogueStore, buckets: Buckets, job: Job, names: Sequence[str], now: datetime
) -> DiscardAnswer:
    """Marks deleted what may be given up, set by set; the rest is refused by name."""
    discarded: list[str] = []
    refused: list[RefusedDiscard] = []
    files: list[tuple[str, BackupFile]] = []
    for name in names:
        try:
            files.append((name, uploads.check_name(name)))
        except Refusal as refusal:
            refused.append(_refused(name, refusal))
    files.sort(key=lambda pair: str(pair[1].set_id))
    for set_id, group in groupby(files, key=lambda pair: pair[1].set_id):
        members = list(group)
        try:
            kept = _discard_of_set(catalogue, buckets, job, set_id, members, now)
        except Refusal as refusal:
            refused.extend(_refused(name, refusal) for name, _ in members)
        else:
            discarded.extend(name for name, _ in members if name not in kept)
            refused.extend(_refused(name, SEALED) for name in kept)
    return DiscardAnswer(tuple(discarded), tuple(refused))


SEALED = Refusal(
    ErrorCode.SET_SEALED,
    "This set is finished: a laptop cannot remove it. Only the owner's retention policy does.",
)


def _discard_of_set(
    catalogue: CatalogueStore,
    buckets: Buckets,
    job: Job,
    set_id: SetId,
    files: Sequence[tuple[str, BackupFile]],
    now: datetime,
) -> frozenset[str]:
    """Names of ``files`` that must be kept; the others carry delete markers now."""
    catalogue.hidden(job).check(set_id)
    manifest = _manifest_of(buckets, job, set_id)
    if manifest is not None:
        kept = frozenset(name for name, file in files if gates.belongs_to_sealed(file, manifest))
        _mark_deleted(buckets, job, [name for name, _ in files if name not in kept])
        return kept
    if not catalogue.begin_discarding(job, set_id, now):
        raise gates.being_sealed(catalogue.gate(job, set_id), now)
    try:
        # The look before the lock may be old by now. From here on the set cannot be sealed.
        if _was_ever_sealed(catalogue, buckets, job, set_id):
            return frozenset(name for name, _ in files)
        _mark_deleted(buckets, job, [name for name, _ in files])
    finally:
        catalogue.end_discarding(job, set_id)
    return frozenset()


def _mark_deleted(buckets: Buckets, job: Job, names: Sequence[str]) -> None:
    for name in names:
        buckets.mark_deleted(job.location.bucket, job.location.key(name))


def _manifest_of(buckets: Buckets, job: Job, set_id: SetId) -> StoredObject | None:
    keys = [job.location.key(name) for name in _manifest_names(set_id)]
    found = buckets.heads(job.location.bucket, keys)
    return next((stored for stored in found.values() if stored is not None), None)


def _was_ever_sealed(catalogue: CatalogueStore, buckets: Buckets, job: Job, set_id: SetId) -> bool:
    """Whether a manifest of the set is stored, or was. If somebody deleted it, the owner is to bring it back, not the
    laptop to clear the rest away.

    S3 is asked, as no event of the deletion may have come yet. Where the versions are gone as well, the catalogue
    knows.
    """
    stem = job.location.key(manifest_file(set_id).stem)
    keys = {job.location.key(name) for name in _manifest_names(set_id)}
    states = dict(buckets.list_states(job.location.bucket, stem))
    if any(states[key].stored or states[key].noncurrent for key in keys & states.keys()):
        return True
    known = catalogue.read_page(job, set_id, []).backup_set
    return known.sealed or known.manifest_removed


def _manifest_names(set_id: SetId) -> list[str]:
    return [BackupFile(set_id, FileKind.MANIFEST, suffix=suffix).name for suffix in MANIFEST_SUFFIXES]


def _refused(name: str, refusal: Refusal) -> RefusedDiscard:
    return RefusedDiscard(name, refusal.code.value, refusal.message)


def ask_to_discard(
    notices: NoticeStore,
    ask: Callable[[Job, Sequence[str]], DiscardAnswer],
    job: Job,
    names: Sequence[str],
    now: datetime,
) -> DiscardAnswer:
    """Passes a laptop's request to the discard function; a refused file of a sealed set is a notice for the owner."""
    answer = ask(job, names)
    protected = [refused.name for refused in answer.refused if refused.error == ErrorCode.SET_SEALED.value]
    if protected:
        notices.put(
            Notice(
                DISCARD_REFUSED,
                job.machine,
                job.name,
                f"{job.full_name} asked to delete {len(protected)} file(s) of finished backups, and was "
                "refused: nothing is lost. If nobody ran 'remove-*' there, somebody may have the machine.",
                now,
            )
        )
    return answer
