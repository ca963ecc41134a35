"""A file too large for a single PUT: begun, permitted part by part, and put together.

No permission that a client holds makes the file: its parts are no object until this service completes the upload,
for the run that holds the lease and while the set is open.
"""

from __future__ import annotations

import dataclasses

from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.names import manifest_file
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.uploads.upload_context import UploadContext, make_room, too_many_today
from chalicelib.wire import PARTS_PER_ANSWER, ErrorCode, MultipartAnswer, MultipartRequest, PartPermit


def upload_in_parts(context: UploadContext, request: MultipartRequest) -> MultipartAnswer:
    """Raises ``Refusal``."""
    file = uploads.check_multipart(request, context.now)
    context = context.looking_at([request.name, manifest_file(file.set_id).name])
    job, buckets = context.job, context.buckets
    context.hidden.check(file.set_id)
    known = context.present(request.name)
    if known is not None and uploads.is_same_in_parts(request, known):
        return MultipartAnswer(etag=known.etag)
    context.admit(file, request.size)
    digest = uploads.multipart_digest(request)
    if request.upload is not None and context.catalogue.multipart_digest(job, request.upload) != digest:
        raise Refusal(ErrorCode.NOT_FOUND, "This upload was not begun for these bytes. Begin a new one.")
    if request.etags is not None:
        if known is not None:
            make_room(context, request.name)
        return MultipartAnswer(etag=buckets.complete_multipart(job.location, request))
    if request.upload is None:
        if not context.caps.count_permits(context.machine, len(request.part_sha256), context.now):
            raise too_many_today(context, "asked for as many files")
        context.reserve(request.size)
        headers = uploads.headers_for(file, request.size, job.storage)
        upload = buckets.begin_multipart(job.location, request.name, headers)
        context.catalogue.record_multipart(job, upload, digest, context.now)
        request = dataclasses.replace(request, upload=upload)
    last = min(len(request.part_sha256), request.first_part + PARTS_PER_ANSWER - 1)
    return MultipartAnswer(
        request.upload,
        tuple(
            PartPermit(number, *buckets.presign_part(job.location, request, number, uploads.UPLOAD_URL_LIFE))
            for number in range(request.first_part, last + 1)
        ),
    )
