"""Hides what a URL stored that outlived the token of a revoked machine, and tells the owner."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain.audit.notices import AFTER_REVOCATION, Notice
from chalicelib.domain.audit.set_order import quarantine_command
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext


def hide_what_outlived_a_token(
    context: CatalogueContext, job: Job, backup_set: BackupSet, rows: Sequence[ObjectRow]
) -> None:
    """``rows`` are those of the set that have just been catalogued.

    A set that was sealed since the revocation goes into quarantine whole. Of an open one the files are marked deleted:
    its laptop sends them again once it has enrolled anew. By S3's time, which has whole seconds.
    """
    machine = context.machines.machine(job.machine)
    if machine is None or machine.revoked_at is None:
        return
    late = [row.name for row in rows if row.stored and machine.was_revoked_before(row.stored.stored_at)]
    if not late:
        return
    if backup_set.sealed_at is not None and machine.was_revoked_before(backup_set.sealed_at):
        context.catalogue.quarantine(job, backup_set.set_id, hide=True)
        hidden = f"The set {backup_set.set_id} was finished so, and is in quarantine."
    elif backup_set.sealed:
        hidden = f"The finished set {backup_set.set_id} is as it was."
    elif backup_set.set_id in context.catalogue.hidden(job):
        hidden = f"The set {backup_set.set_id} was hidden before, and stays so."
    else:
        hidden = _discard(context, job, backup_set, late)
    message = (
        f"{len(late)} file(s) of {job.machine}/{job.name} were stored after its token was revoked, by URLs that were "
        f"given out before. {hidden}"
    )
    context.notices.put(Notice(AFTER_REVOCATION, job.machine, job.name, message, context.now))


def _discard(context: CatalogueContext, job: Job, backup_set: BackupSet, names: Sequence[str]) -> str:
    """Marks them deleted where nothing stands in the way, such as the set's seal; a sentence on what came of it."""
    refused = context.discard(job, names)
    if not refused:
        return f"They are marked deleted; the set {backup_set.set_id} is not finished."
    hide = quarantine_command(job, backup_set.set_id)
    return f"{len(refused)} of them could not be marked deleted. Hide the set {backup_set.set_id}: {hide}"
