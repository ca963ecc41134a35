"""Permits downloads, within what the machine may fetch in a day."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import DOWNLOAD_CAP_REACHED, Notice
from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import needs_thaw
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import DownloadAnswer, DownloadPermit, ErrorCode


@dataclasses.dataclass(frozen=True)
class DownloadContext:
    caps: CapStore
    notices: NoticeStore
    buckets: Buckets
    machine: Machine
    job: Job
    now: datetime


def issue_download_urls(
    context: DownloadContext, names: Sequence[str], *, facts_only: bool = False
) -> DownloadAnswer:
    """One answer for each name, in the order asked; URLs live five minutes. ``facts_only``: without URLs, and free."""
    refusals: dict[str, Refusal] = {}
    for name in names:
        try:
            uploads.check_name(name)
        except Refusal as refusal:
            refusals[name] = refusal
    job = context.job
    keys = [job.location.key(name) for name in dict.fromkeys(names) if name not in refusals]
    found = context.buckets.heads(job.location.bucket, keys)
    answers = []
    for name in names:
        try:
            if name in refusals:
                raise refusals[name]
            stored = found[job.location.key(name)]
            permit = _facts(name, stored)
            answers.append(permit if facts_only else _permit(context, permit))
        except Refusal as refusal:
            answers.append(DownloadPermit(name, error=refusal.code.value, message=refusal.message))
    return DownloadAnswer(tuple(answers))


def _facts(name: str, stored: StoredObject | None) -> DownloadPermit:
    """What S3 knows of the file, without the permission to fetch it."""
    if stored is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such file in this backup.")
    return DownloadPermit(
        name,
        size=stored.size,
        archived=True if needs_thaw(stored.storage_class) else None,
        sha256=stored.sha256,
        volumes=stored.volumes_promised,
        proof=stored.proof,
    )


def _permit(context: DownloadContext, facts: DownloadPermit) -> DownloadPermit:
    if facts.archived:
        return facts
    machine = context.machine
    if not context.caps.count_download(machine, facts.size or 0, context.now):
        message = (
            f"{machine.name} has fetched as much as it may in a day. "
            f"The owner can lift the limit: python -m ops machine set {machine.name} --download-cap 1000GB"
        )
        context.notices.put(
            Notice(DOWNLOAD_CAP_REACHED, machine.name, context.job.name, message, context.now)
        )
        raise Refusal(ErrorCode.DOWNLOAD_CAP, message)
    url = context.buckets.presign_get(context.job.location, facts.name, uploads.DOWNLOAD_URL_LIFE)
    return dataclasses.replace(facts, url=url)
