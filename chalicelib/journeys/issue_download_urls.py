"""Permits downloads, within what the machine may fetch in a day."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.notices import DOWNLOAD_CAP_REACHED, Notice
from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import needs_thaw
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import VolumeState, state_of
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.wire import DownloadAnswer, DownloadPermit, ErrorCode, ThawState


@dataclasses.dataclass(frozen=True)
class DownloadContext:
    caps: CapStore
    thaws: ThawStore
    notices: NoticeStore
    buckets: Buckets
    machine: Machine
    job: Job
    now: datetime

    @functools.cached_property
    def known_thaws(self) -> list[Thaw]:
        """Of the job; read only where a file is archived and was asked for."""
        return self.thaws.thaws_of(self.machine.name, self.job.name)

    @property
    def ready_thaw(self) -> Thaw | None:
        """The newest whose copies can be read; a restore's before a drill's."""
        ready = [thaw for thaw in self.known_thaws if thaw.state is ThawState.READY and thaw.volumes]
        return max(ready, key=lambda thaw: (not thaw.is_drill, thaw.started_at), default=None)


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
    job, now = context.job, context.now
    keys = [job.location.key(name) for name in dict.fromkeys(names) if name not in refusals]
    found = context.buckets.heads(job.location.bucket, keys)
    copies = {key for key, stored in found.items() if stored is not None and _is_copy(stored, now)}
    more_bytes = _approved_bytes(context) if copies and not facts_only else 0
    answers, copied_bytes = [], 0
    for name in names:
        try:
            if name in refusals:
                raise refusals[name]
            key = job.location.key(name)
            permit = _facts(context, name, found[key])
            if not facts_only:
                permit = _permit(context, permit, more_bytes)
                copied_bytes += (permit.size or 0) if key in copies else 0
            answers.append(permit)
        except Refusal as refusal:
            answers.append(DownloadPermit(name, error=refusal.code.value, message=refusal.message))
    if copied_bytes and context.ready_thaw is not None:
        context.thaws.record_download(context.ready_thaw, copied_bytes, now)
    return DownloadAnswer(tuple(answers))


def _is_copy(stored: StoredObject, now: datetime) -> bool:
    """Whether it is archived, and can be read all the same."""
    is_readable = state_of(stored.storage_class, stored.restore, now) is VolumeState.READABLE
    return needs_thaw(stored.storage_class) and is_readable


def _approved_bytes(context: DownloadContext) -> int:
    """By what the day's limit is lifted: whoever approved a thaw wants it downloaded."""
    approved = [thaw for thaw in context.known_thaws if thaw.state is ThawState.READY and thaw.approved_at]
    return sum(thaw.size_bytes for thaw in approved)


def _facts(context: DownloadContext, name: str, stored: StoredObject | None) -> DownloadPermit:
    """What S3 knows of the file, without the permission to fetch it."""
    if stored is None:
        raise Refusal(ErrorCode.NOT_FOUND, "There is no such file in this backup.")
    state = state_of(stored.storage_class, stored.restore, context.now)
    return DownloadPermit(
        name,
        size=stored.size,
        archived=None if state is VolumeState.READABLE else True,
        thawing=True if state is VolumeState.THAWING else None,
        thawing_until=_thawing_until(context) if state is VolumeState.THAWING else None,
        sha256=stored.sha256,
        volumes=stored.volumes_promised,
        proof=stored.proof,
    )


def _thawing_until(context: DownloadContext) -> str | None:
    """When the last of the job's thaws that are under way is ready; ``None`` where somebody else asked S3."""
    under_way = [thaw.ready_by for thaw in context.known_thaws if thaw.is_under_way]
    return format_wire_time(max(under_way)) if under_way else None


def _permit(context: DownloadContext, facts: DownloadPermit, more_bytes: int) -> DownloadPermit:
    if facts.archived:
        return facts
    machine = context.machine
    if not context.caps.count_download(machine, facts.size or 0, context.now, more_bytes=more_bytes):
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
