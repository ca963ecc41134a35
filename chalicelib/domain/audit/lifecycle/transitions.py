"""Volumes that no lifecycle rule moves, and those that one should have moved by now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.audit.custody import Custody
from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.audit.lifecycle.coverage import has_rule_for
from chalicelib.domain.audit.lifecycle.inventory import FilesOfJob
from chalicelib.domain.audit.lifecycle.rules import Rule
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences
from chalicelib.domain.backups.names import VOLUME_PREFIX


def unmoved_volumes(of_job: FilesOfJob, active: Sequence[Rule], about: RuleSentences) -> list[Finding]:
    """``active``: the bucket's rules that are on."""
    found, watched = [], of_job.watched
    is_managed = watched.custody is not Custody.FOREIGN
    lacks_rule = watched.job.storage.moves and not has_rule_for(watched, active)
    if is_managed and (of_job.unmoved.count or lacks_rule):
        found.append(_no_rule(of_job, active, about))
    if of_job.oldest_late is not None:
        found.append(_late(of_job, of_job.oldest_late, about))
    return found


def _no_rule(of_job: FilesOfJob, active: Sequence[Rule], about: RuleSentences) -> Finding:
    job, unmoved, label = of_job.watched.job, of_job.unmoved, of_job.watched.label
    wanted = f"should go to {job.storage.archive_class} after {job.storage.archive_after_days} days"
    if not job.storage.moves:
        wanted = "were stored under an earlier policy, to be moved"
    return new_finding(
        "no_archive_rule",
        machine=job.machine,
        job=job.name,
        subject=about.bucket,
        message=f"The volumes of {label} {wanted}, and no lifecycle rule of {about.bucket} moves them.",
        evidence=f"{unmoved.count} volumes, {unmoved.size_bytes} bytes, that no rule takes"
        if unmoved.count
        else f"{len(active)} rules that are on, none for {job.location.key(VOLUME_PREFIX)}",
        commands=("python -m ops audit --fix",),
    )


def _late(of_job: FilesOfJob, oldest: datetime, about: RuleSentences) -> Finding:
    job, late, label = of_job.watched.job, of_job.late, of_job.watched.label
    return new_finding(
        "transition_overdue",
        machine=job.machine,
        job=job.name,
        subject=about.bucket,
        message=f"{late.count} volumes of {label} should have left Standard days ago and have not.",
        evidence=f"{late.size_bytes} bytes, the oldest stored {oldest:%Y-%m-%d}",
        commands=(about.show_rules(),),
    )
