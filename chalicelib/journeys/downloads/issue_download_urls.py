"""Permits downloads, within what the machine may fetch in a day."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.notices import DOWNLOAD_CAP_REACHED, Notice
from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import parse_file_name
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import needs_thaw
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import VolumeState, state_of
from chalicelib.domain.sealing.hidden import HiddenSets
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.downloads.look_up_files import look_up_files
from chalicelib.wire import DownloadAnswer, DownloadPermit, DownloadRequest, ErrorCode, ThawState


@dataclasses.dataclass(frozen=True)
class DownloadContext:
    caps: CapStore
    thaws: ThawStore
    notices: NoticeStore
    catalogue: CatalogueStore
    retention: RetentionStore
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


def issue_download_urls(context: DownloadContext, request: DownloadRequest) -> DownloadAnswer:
    """One answer for each name, in the order asked; URLs live five minutes."""
    refused = _refused(request.names, context.catalogue.hidden(context.job))
    found = look_up_files(
        context.catalogue,
        context.buckets,
        context.job,
        [name for name in dict.fromkeys(request.names) if name not in refused],
        with_facts=request.facts_only or not request.facts_in_headers,
    )
    facts = [refused.get(name) or _facts(context, name, found[name]) for name in request.names]
    if request.facts_only:
        return DownloadAnswer(tuple(facts))
    copies = {name for name, stored in found.items() if stored is not None and _is_copy(stored, context.now)}
    permits = _permits(context, facts, _approved_bytes(context) if copies else 0, request)
    copied_bytes = sum(permit.size or 0 for permit in permits if permit.url and permit.name in copies)
    if copied_bytes and context.ready_thaw is not None:
        context.thaws.record_download(context.ready_thaw, copied_bytes, context.now)
    _record_fetches(context, permits)
    return DownloadAnswer(tuple(permits))


def _refused(names: Sequence[str], hidden: HiddenSets) -> dict[str, DownloadPermit]:
    """The names that no file of a backup has, and those of sets that are hidden.

    A hidden set's file is *not found*, whatever the bucket holds: clients of every version take a set that vanished
    since they listed it for one that is not there, and go on without it. Another code would end their backup.
    """
    refused = {}
    for name in names:
        try:
            why = hidden.why(uploads.check_name(name).set_id)
        except Refusal as refusal:
            refused[name] = DownloadPermit(name, error=refusal.code.value, message=refusal.message)
        else:
            if why is not None:
                refused[name] = DownloadPermit(name, error=ErrorCode.NOT_FOUND.value, message=why)
    return refused


def _record_fetches(context: DownloadContext, permits: Sequence[DownloadPermit]) -> None:
    """A chain is not let go while somebody restores from it. Metadata says nothing of that: backups read it too."""
    files = [parse_file_name(permit.name) for permit in permits if permit.url]
    sets = {file.set_id for file in files if file is not None and file.volume is not None}
    context.retention.record_fetch(context.job, sets, context.now)


def _is_copy(stored: StoredObject, now: datetime) -> bool:
    """Whether it is archived, and can be read all the same."""
    is_readable = state_of(stored.storage_class, stored.restore, now) is VolumeState.READABLE
    return needs_thaw(stored.storage_class) and is_readable


def _approved_bytes(context: DownloadContext) -> int:
    """By what the day's limit is lifted: whoever approved a thaw wants it downloaded."""
    approved = [thaw for thaw in context.known_thaws if thaw.state is ThawState.READY and thaw.approved_at]
    return sum(thaw.size_bytes for thaw in approved)


def _facts(context: DownloadContext, name: str, stored: StoredObject | None) -> DownloadPermit:
    """What is known of the file, without the permission to fetch it."""
    if stored is None:
        message = "There is no such file in this backup."
        return DownloadPermit(name, error=ErrorCode.NOT_FOUND.value, message=message)
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


def _permits(
    context: DownloadContext, facts: Sequence[DownloadPermit], more_bytes: int, request: DownloadRequest
) -> list[DownloadPermit]:
    """With URLs for the files that can be read, as far as the day's limit goes."""
    readable = [index for index, file in enumerate(facts) if file.error is None and not file.archived]
    within = _within_cap(context, {index: facts[index].size or 0 for index in readable}, more_bytes)
    permits = list(facts)
    for index in readable:
        if index in within:
            permits[index] = _with_url(context, facts[index], request.facts_in_headers)
    if len(within) < len(readable):
        message = _report_cap(context)
        for index in set(readable) - within:
            permits[index] = DownloadPermit(
                facts[index].name, error=ErrorCode.DOWNLOAD_CAP.value, message=message
            )
    return permits


def _within_cap(context: DownloadContext, sizes: dict[int, int], more_bytes: int) -> set[int]:
    """Those that the machine may still fetch today: all of them by one write, or one after the other."""

    def count(size_bytes: int) -> bool:
        return context.caps.count_download(context.machine, size_bytes, context.now, more_bytes=more_bytes)

    if len(sizes) > 1 and count(sum(sizes.values())):
        return set(sizes)
    return {index for index, size_bytes in sizes.items() if count(size_bytes)}


def _report_cap(context: DownloadContext) -> str:
    machine = context.machine
    message = (
        f"{machine.name} has fetched as much as it may in a day. "
        f"The owner can lift the limit: python -m ops machine set {machine.name} --download-cap 1000GB"
    )
    context.notices.put(Notice(DOWNLOAD_CAP_REACHED, machine.name, context.job.name, message, context.now))
    return message


def _with_url(context: DownloadContext, facts: DownloadPermit, facts_in_headers: bool) -> DownloadPermit:
    url, headers = context.buckets.presign_get(
        context.job.location,
        facts.name,
        uploads.DOWNLOAD_URL_LIFE,
        with_checksum=facts_in_headers and facts.sha256 is None,
    )
    return dataclasses.replace(facts, url=url, headers=headers or None)
