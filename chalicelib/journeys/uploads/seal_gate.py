"""The seal gate: what decides whether the manifest of a set may be uploaded, after which the set is sealed."""

from __future__ import annotations

from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.names import (
    BackupFile,
    FileKind,
    SetId,
    parse_file_name,
    signatures_file,
    volume_file,
)
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing import gates, order
from chalicelib.journeys.uploads.upload_context import UploadContext
from chalicelib.wire import ErrorCode, UploadFile


def pass_seal_gate(context: UploadContext, upload: UploadFile, file: BackupFile) -> int:
    """Lets a manifest pass only for exactly the set that the bucket holds; the number of its volumes.

    The set must follow the job's sealed sets, and one set of a job is sealed at a time: two that are sealed at once
    could continue the same base. The gate moves to *sealing* before the comparison that counts, so that nothing is
    discarded between that comparison and the manifest. What is stored beyond the list (left over by a killed run) is
    marked deleted first. Once the gate has moved it opens again by time alone: another request may have got a URL
    meanwhile, whatever becomes of this one. Raises ``Refusal``.
    """
    if context.present(upload.name) is not None:
        raise Refusal(ErrorCode.SET_SEALED, "This set is finished already. Start a new backup.")
    uploads.check_proof(upload, context.job.proofs_since)
    if upload.set is None:
        raise Refusal(ErrorCode.SET_LIST_MISSING, "A manifest must come with the list of its set's files.")
    gates.check_set_list(file.set_id, upload.set)
    sealed = context.sealed_sets()
    order.check_follows(file.set_id, sealed - context.hidden.every)
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
    order.check_follows(file.set_id, context.sealed_sets() - context.hidden.every)
    if not context.catalogue.begin_sealing(context.job, file.set_id, upload.sha256, until, context.now):
        raise gates.being_sealed(context.gate(file.set_id), context.now)
    check = gates.check_seal(upload.set, _stored_of(context, file.set_id))
    if check.missing_or_different or check.extra:
        raise gates.being_sealed(context.gate(file.set_id), context.now)
    return check.volumes


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
