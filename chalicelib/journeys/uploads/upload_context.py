"""What permits are made from: the job, what the bucket holds of it, and the caps."""

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
from chalicelib.domain.backups import uploads
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import (
    METADATA_PREFIX,
    BackupFile,
    FileKind,
    SetId,
    manifest_file,
    parse_file_name,
)
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing import gates, order
from chalicelib.domain.sealing.hidden import HiddenSets
from chalicelib.wire import ErrorCode

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
    def hidden(self) -> HiddenSets:
        return self.catalogue.hidden(self.job)

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
            order.check_room(set_id, open_sets - sealed - self.hidden.every)
        if is_new:
            order.check_follows(set_id, sealed - self.hidden.every)
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


def make_room(context: UploadContext, name: str) -> None:
    """An unfinished set's file is to be replaced, as duplicity's resume does: its version is kept, not its key."""
    if context.discard(context.job, [name]):
        raise Refusal(
            ErrorCode.SET_SEALED,
            "This file is stored already, with other bytes, and its set is being finished.",
        )


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
