"""Permits uploads: each file of a request is evaluated by itself, and answered with a URL, *present* or a refusal."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import STORAGE_CAP_REACHED, Notice
from chalicelib.domain.backups import gates, order, uploads
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import (
    METADATA_PREFIX,
    BackupFile,
    FileKind,
    SetId,
    manifest_file,
    parse_file_name,
    signatures_file,
    volume_file,
)
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode, UploadAnswer, UploadFile, UploadPermit

Discard = Callable[[Job, Sequence[str]], Sequence[str]]
"""Writes delete markers for names of an open set; returns the names refused. A function of its own does it: the one
that signs uploads has no right to delete."""


@dataclasses.dataclass(frozen=True)
class UploadContext:
    """What permits are made from. ``stored`` is what the bucket holds under the keys of the request."""

    machines: MachineStore
    caps: CapStore
    notices: NoticeStore
    catalogue: CatalogueStore
    buckets: Buckets
    discard: Discard
    machine: Machine
    job: Job
    now: datetime
    stored: Mapping[str, StoredObject | None] = dataclasses.field(default_factory=dict)
    begun: set[SetId] = dataclasses.field(default_factory=set)
    """Sets that were found to be in order in this request or an earlier one."""

    @functools.cached_property
    def quarantined(self) -> frozenset[SetId]:
        return self.catalogue.quarantined(self.job)

    def sealed_sets(self) -> frozenset[SetId]:
        """The sets with a manifest in the bucket now; the catalogue may lag behind."""
        found = set()
        for prefix in MANIFEST_PREFIXES:
            for listed in self.buckets.list_files(self.job.location, prefix):
                file = parse_file_name(listed.name)
                if file is not None and file.kind is FileKind.MANIFEST:
                    found.add(file.set_id)
        return frozenset(found)

    def admit(self, file: BackupFile, size_bytes: int) -> None:
        """Raises ``Refusal`` unless its set takes that file now; begins the set with its first one."""
        gate, sealed = self.gate(file.set_id), self.sealed(file.set_id)
        gates.check_set_takes(file, sealed=sealed, gate=gate, now=self.now)
        uploads.check_signatures(file, size_bytes, self.job.last_run, self.machine.storage_cap_bytes)
        if file.set_id not in self.begun and not sealed:
            self._begin(file.set_id, is_new=gate.begun_at is None)

    def _begin(self, set_id: SetId, *, is_new: bool) -> None:
        """Checks once for each set that it follows the others, before its first file is permitted, and that not too
        many are open."""
        open_sets = set(self.catalogue.summaries.open_ids(self.job, self.now))
        if is_new or set_id not in open_sets:
            sealed = self.sealed_sets()
            order.check_room(set_id, open_sets - sealed - self.quarantined)
        if is_new:
            order.check_follows(set_id, sealed - self.quarantined)
            if not self.caps.count_set(self.machine, self.now):
                raise too_many_today(self, "begun as many sets")
            self.catalogue.begin_set(self.job, set_id, self.now)
        if set_id not in open_sets:
            self.catalogue.summaries.begin(self.job, set_id, self.now)
        self.begun.add(set_id)

    def reserve(self, size_bytes: int) -> None:
        """Counts a permit towards the machine's storage cap; raises ``Refusal`` beyond it."""
        if self.caps.count_upload(self.machine, size_bytes, self.now):
            return
        if self.caps.may_recount(self.machine, self.now):
            stored = self.catalogue.stored_bytes(self.machines.jobs(self.machine.name))
            self.caps.recount(self.machine, stored, self.now)
            if self.caps.count_upload(self.machine, size_bytes, self.now):
                return
        raise over_the_cap(self)

    def looking_at(self, names: Iterable[str]) -> UploadContext:
        """With what the bucket holds of these files now."""
        location = self.job.location
        stored = self.buckets.heads(location.bucket, [location.key(name) for name in names])
        return dataclasses.replace(self, stored=stored)

    def gate(self, set_id: SetId) -> gates.Gate:
        return self.catalogue.gate(self.job, set_id)

    def sealed(self, set_id: SetId) -> bool:
        return self.stored[self.job.location.key(manifest_file(set_id).name)] is not None

    def present(self, name: str) -> StoredObject | None:
        return self.stored[self.job.location.key(name)]


MANIFEST_PREFIXES = tuple(f"{METADATA_PREFIX}duplicity-{kind}." for kind in ("full", "inc"))
"""What the names of manifests begin with, and few others: two LISTs find them all."""


def issue_upload_urls(context: UploadContext, files: Sequence[UploadFile]) -> UploadAnswer:
    """One answer for each file, in the order asked."""
    evaluated = [_checked(upload, context.now) for upload in files]
    manifests = [
        file for file in evaluated if isinstance(file, BackupFile) and file.kind is FileKind.MANIFEST
    ]
    if len(manifests) > 1:
        raise Refusal(ErrorCode.BAD_REQUEST, "A request takes one manifest. Ask for each by itself.")
    if not context.caps.count_permits(context.machine, len(files), context.now):
        raise too_many_today(context, "asked for as many files")
    names: dict[str, None] = {}
    for upload, file in zip(files, evaluated, strict=True):
        if isinstance(file, BackupFile):
            names[upload.name] = names[manifest_file(file.set_id).name] = None
    context = context.looking_at(names)
    answers = []
    for upload, file in zip(files, evaluated, strict=True):
        try:
            answers.append(_permit(context, upload, file))
        except Refusal as refusal:
            answers.append(_refused(upload.name, refusal))
    return UploadAnswer(tuple(answers))


def _checked(upload: UploadFile, now: datetime) -> BackupFile | Refusal:
    try:
        return uploads.check_upload(upload, now)
    except Refusal as refusal:
        return refusal


def _permit(context: UploadContext, upload: UploadFile, file: BackupFile | Refusal) -> UploadPermit:
    if isinstance(file, Refusal):
        raise file
    if file.set_id in context.quarantined:
        raise order.quarantined()
    known = context.present(upload.name)
    if known is not None and uploads.is_same_content(upload, known):
        return UploadPermit(upload.name, present=True, etag=known.etag)
    if file.kind is FileKind.MANIFEST:
        return _seal(context, upload, file)
    context.admit(file, upload.size)
    if known is not None:
        make_room(context, upload.name)
    return _sign(context, upload, file)


def make_room(context: UploadContext, name: str) -> None:
    """An unfinished set's file is to be replaced, as duplicity's resume does: its version is kept, not its key."""
    if context.discard(context.job, [name]):
        raise Refusal(
            ErrorCode.SET_SEALED,
            "This file is stored already, with other bytes, and its set is being finished.",
        )


def _seal(context: UploadContext, upload: UploadFile, file: BackupFile) -> UploadPermit:
    """The seal gate: a manifest is permitted only for exactly the set that the bucket holds.

    The set must follow the job's sealed sets, and one set of a job is sealed at a time: two that are sealed at once
    could continue the same base. The gate moves to *sealing* before the comparison that counts, so that nothing is
    discarded between that comparison and the manifest. What is stored beyond the list (left over by a killed run) is
    marked deleted first. Once the gate has moved it opens again by time alone: another request may have got a URL
    meanwhile, whatever becomes of this one.
    """
    if context.present(upload.name) is not None:
        raise Refusal(ErrorCode.SET_SEALED, "This set is finished already. Start a new backup.")
    uploads.check_proof(upload, context.job.proofs_since)
    if upload.set is None:
        raise Refusal(ErrorCode.SET_LIST_MISSING, "A manifest must come with the list of its set's files.")
    gates.check_set_list(file.set_id, upload.set)
    sealed = context.sealed_sets()
    order.check_follows(file.set_id, sealed - context.quarantined)
    check = gates.check_seal(upload.set, _stored_of(context, file.set_id))
    if check.missing_or_different:
        raise Refusal(
            ErrorCode.SET_INCOMPLETE,
            "These files of the set are missing or differ from what was sent: send them again, then the manifest.",
            names=check.missing_or_different,
        )
    if check.extra and context.discard(context.job, check.extra):
        raise gates.being_sealed(context.gate(file.set_id), context.now)
    until = context.now + gates.sealing_life(upload.size)
    if not context.catalogue.claim_seal(context.job, file.set_id, sealed, until, context.now):
        raise Refusal(
            ErrorCode.SET_SEALING,
            "Another set of this job is being finished. Ask again.",
            retry_after_seconds=30,
        )
    order.check_follows(file.set_id, context.sealed_sets() - context.quarantined)
    if not context.catalogue.begin_sealing(context.job, file.set_id, upload.sha256, until, context.now):
        raise gates.being_sealed(context.gate(file.set_id), context.now)
    check = gates.check_seal(upload.set, _stored_of(context, file.set_id))
    if check.missing_or_different or check.extra:
        raise gates.being_sealed(context.gate(file.set_id), context.now)
    return _sign(context, upload, file, volumes_promised=check.volumes)


def _stored_of(context: UploadContext, set_id: SetId) -> dict[str, StoredObject]:
    """The set's files but for its manifest, as the bucket lists them now, whatever their suffix.

    A jsonstat among them does not belong there: duplicity writes its own after the manifest.
    """
    location = context.job.location
    volumes_prefix = volume_file(set_id, 1).stem.removesuffix("1.difftar")
    found: dict[str, StoredObject] = {}
    jsonstat = BackupFile(set_id, FileKind.JSONSTAT).stem
    for prefix in (volumes_prefix, signatures_file(set_id).stem, jsonstat):
        for listed in context.buckets.list_files(location, prefix):
            file = parse_file_name(listed.name)
            if file is not None and file.set_id == set_id:
                found[listed.name] = StoredObject(listed.size, listed.etag, listed.storage_class, context.now)
    return found


def _sign(
    context: UploadContext, upload: UploadFile, file: BackupFile, volumes_promised: int | None = None
) -> UploadPermit:
    context.reserve(upload.size)
    headers = uploads.headers_for(
        file, context.job.storage, volumes_promised=volumes_promised, proof=upload.proof
    )
    life = gates.SEAL_URL_LIFE if file.kind is FileKind.MANIFEST else uploads.UPLOAD_URL_LIFE
    url, sent = context.buckets.presign_put(context.job.location, upload, headers, life)
    return UploadPermit(upload.name, url=url, headers=sent)


def too_many_today(context: UploadContext, what: str) -> Refusal:
    name = context.machine.name
    message = f"{name} has {what} as it may in a day. The next day begins at midnight UTC."
    context.notices.put(Notice(STORAGE_CAP_REACHED, name, context.job.name, message, context.now))
    return Refusal(ErrorCode.STORAGE_CAP, message)


def over_the_cap(context: UploadContext) -> Refusal:
    name = context.machine.name
    message = (
        f"{name} has stored as much as it may, older versions included. The owner can count again "
        f"(python -m ops machine recount {name}) or raise the limit (machine set {name} --storage-cap 20TB)."
    )
    context.notices.put(Notice(STORAGE_CAP_REACHED, name, context.job.name, message, context.now))
    return Refusal(ErrorCode.STORAGE_CAP, message)


def _refused(name: str, refusal: Refusal) -> UploadPermit:
    return UploadPermit(
        name,
        error=refusal.code.value,
        message=refusal.message,
        names=refusal.names or None,
        retry_after_seconds=refusal.retry_after_seconds,
    )
