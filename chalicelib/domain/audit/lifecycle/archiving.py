"""Lifecycle rules, and tiers of Intelligent-Tiering, that put files of a backup where they are out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from chalicelib.domain.audit.custody import WatchedJob
from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.lifecycle.coverage import (
    INTELLIGENT_TIERING,
    can_sink,
    takes_metadata_to_come,
    takes_to_come,
)
from chalicelib.domain.audit.lifecycle.inventory import FilesOfJob, TakenByRule
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX
from chalicelib.domain.backups.storage import needs_thaw


def moves_metadata(
    taken: TakenByRule, jobs: Sequence[WatchedJob], tiers: Mapping[str, int], about: RuleSentences
) -> list[Finding]:
    """Manifests and signatures are read in each run: an archive class, or a tier of one, ends all backups.

    ``tiers``: days without access until Intelligent-Tiering archives, by the configuration's name.
    """
    rule, seen = taken.rule, taken.sinking_metadata
    classes = [one.storage_class for one in rule.transitions if can_sink(one.storage_class)]
    will = [job for job in jobs if takes_metadata_to_come(rule, job)]
    if not classes or (seen is None and not will):
        return []
    watched = seen[0] if seen else will[0]
    below = watched.job.location.key(METADATA_PREFIX)
    evidence = f"it takes s3://{about.bucket}/{seen[1]}" if seen else f"it takes everything below {below}"
    archives = [storage_class for storage_class in classes if needs_thaw(storage_class)]
    name = f"{about.named(rule)} moves manifests and signatures to"
    stops = f"neither backup nor restore of {watched.label} works"
    if archives:
        message = f"{name} {archives[0]}: after that, {stops}."
    elif tiers:
        message = f"{name} {INTELLIGENT_TIERING}, whose archive tiers are on: after {min(tiers.values())} days without"
        message += f" access they cannot be read, and {stops}."
    else:
        message = f"{name} {INTELLIGENT_TIERING}: once an archive tier is on there, they cannot be read."
    code = "rule_archives_metadata" if archives or tiers else "rule_moves_metadata"
    return [about.finding(code, rule, message, evidence)]


def archives_volumes(taken: TakenByRule, jobs: Iterable[WatchedJob], about: RuleSentences) -> list[Finding]:
    """Not where the owner chose such a class for the job."""
    rule = taken.rule
    moves = [one for one in rule.transitions if needs_thaw(one.storage_class)]
    of_jobs = [
        job
        for job in jobs
        if not needs_thaw(job.job.storage.archive_class)
        and (job in taken.volumes_of or takes_to_come(rule, job, (VOLUME_PREFIX,)))
    ]
    if not moves or not of_jobs:
        return []
    first = min(moves, key=lambda one: one.after_days or 0)
    when = f"{first.after_days} days after the upload" if first.after_days is not None else "on its date"
    message = (
        f"{about.named(rule)} moves the volumes of {of_jobs[0].label} to {first.storage_class} {when}: "
        "then they cannot be restored before a thaw, which takes hours."
    )
    return [about.finding("rule_archives_volumes", rule, message)]


def archived_by_tiers(
    of_jobs: Iterable[FilesOfJob], tiers: Mapping[str, int], about: RuleSentences
) -> list[Finding]:
    """Files in Intelligent-Tiering where an archive tier is on: those that nobody reads sink out of reach."""
    if not tiers:
        return []
    name, days = min(tiers.items(), key=lambda item: item[1])
    words = ("aws", "s3api", "delete-bucket-intelligent-tiering-configuration", "--bucket", about.bucket)
    found = []
    for of_job in of_jobs:
        first, watched = of_job.first_tiered, of_job.watched
        if first is None:
            continue
        message = (
            f"{of_job.tiered} files of {watched.label} are in {INTELLIGENT_TIERING}, and {about.bucket} has its "
            f"archive tiers on: the first need a thaw {about.since(first + timedelta(days=days))}."
        )
        found.append(
            new_finding(
                "tiers_archive",
                machine=watched.job.machine,
                job=watched.job.name,
                subject=about.bucket,
                message=message,
                evidence=f"{name}: {days} days without access; the first was stored {first:%Y-%m-%d}",
                commands=tuple(command(*words, "--id", one) for one in tiers),
            )
        )
    return found
