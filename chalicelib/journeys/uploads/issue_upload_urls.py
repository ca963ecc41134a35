"""Permits uploads: each file of a request is evaluated by itself, and answered with a URL, *present* or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.names import (
    BackupFile,
    FileKind,
    manifest_file,
)
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing import gates
from chalicelib.journeys.uploads.seal_gate import pass_seal_gate
from chalicelib.journeys.uploads.upload_context import UploadContext, make_room, too_many_today
from chalicelib.wire import ErrorCode, UploadAnswer, UploadFile, UploadPermit


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
    context.hidden.check(file.set_id)
    known = context.present(upload.name)
    if known is not None and uploads.is_same_content(upload, known):
        return UploadPermit(upload.name, present=True, etag=known.etag)
    if file.kind is FileKind.MANIFEST:
        return _sign(context, upload, file, volumes_promised=pass_seal_gate(context, upload, file))
    context.admit(file, upload.size)
    if known is not None:
        make_room(context, upload.name)
    return _sign(context, upload, file)


def _sign(
    context: UploadContext, upload: UploadFile, file: BackupFile, volumes_promised: int | None = None
) -> UploadPermit:
    context.reserve(upload.size)
    headers = uploads.headers_for(
        file, upload.size, context.job.storage, volumes_promised=volumes_promised, proof=upload.proof
    )
    life = gates.SEAL_URL_LIFE if file.kind is FileKind.MANIFEST else uploads.UPLOAD_URL_LIFE
    url, sent = context.buckets.presign_put(context.job.location, upload, headers, life)
    return UploadPermit(upload.name, url=url, headers=sent)


def _refused(name: str, refusal: Refusal) -> UploadPermit:
    return UploadPermit(
        name,
        error=refusal.code.value,
        message=refusal.message,
        names=refusal.names or None,
        retry_after_seconds=refusal.retry_after_seconds,
    )
