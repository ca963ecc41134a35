"""Hides what a URL stored that outlived the token of a revoked machine, and tells the owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import AFTER_REVOCATION, Notice
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet


def hide_what_outlived_a_token(
    stores: tuple[MachineStore, CatalogueStore, NoticeStore],
    discard: Callable[[Job, Sequence[str]], Sequence[str]],
    job: Job,
    backup_set: BackupSet,
    rows: Sequence[ObjectRow],
    now: datetime,
) -> None:
    """``rows`` are those of the set that have just been catalogued.

    A set that was sealed since the revocation goes into quarantine whole. Of an open one the files are marked deleted:
    its laptop sends them again once it has enrolled anew. By S3's time, which has whole seconds.
    """
    machines, catalogue, notices = stores
    machine = machines.machine(job.machine)
    if machine is None or machine.revoked_at is None:
        return
    late = [row.name for row in rows if row.stored and machine.was_revoked_before(row.stored.stored_at)]
    if not late:
        return
    if backup_set.sealed_at is not None and machine.was_revoked_before(backup_set.sealed_at):
        catalogue.quarantine(job, backup_set.set_id, hide=True)
        hidden = f"The set {backup_set.set_id} was finished so, and is in quarantine."
    elif backup_set.sealed:
        hidden = f"The finished set {backup_set.set_id} is as it was."
    else:
        discard(job, late)
        hidden = f"They are marked deleted; the set {backup_set.set_id} is not finished."
    message = (
        f"{len(late)} file(s) of {job.machine}/{job.name} were stored after its token was revoked, by URLs that were "
        f"given out before. {hidden}"
    )
    notices.put(Notice(AFTER_REVOCATION, job.machine, job.name, message, now))
