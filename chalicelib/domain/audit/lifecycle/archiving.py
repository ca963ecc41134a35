"""Lifecycle rules, and tiers of Intelligent-Tiering, that put files of a backup where they are out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from chalicelib.domain.audit.custody import Custody, WatchedJob
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
from chalicelib.domain.backups.storage import NAME_OF_CLASS, needs_thaw


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
    """Not where the owner chose such a class for the job, or one that takes as long."""
    rule = taken.rule
    of_jobs = [
        (job, one)
        for job in jobs
        if job in taken.volumes_of or takes_to_come(rule, job, (VOLUME_PREFIX,))
        for one in sorted(rule.transitions, key=lambda one: one.after_days or 0)
        if not job.job.storage.accepts(one.storage_class)
    ]
    if not of_jobs:
        return []
    watched, first = of_jobs[0]
    when = f"{first.after_days} days after the upload" if first.after_days is not None else "on its date"
    message = (
        f"{about.named(rule)} moves the volumes of {watched.label} to {first.storage_class} {when}: "
        "then a restore waits for a thaw, which takes hours and is paid for. If you want that, "
        f"{_choice(watched, first.storage_class)} makes it the job's policy."
    )
    return [about.finding("rule_archives_volumes", rule, message)]


def _choice(watched: WatchedJob, storage_class: str) -> str:
    """What the owner types to have that class as the job's own choice."""
    job, name = watched.job, NAME_OF_CLASS[storage_class]
    if watched.custody is Custody.FOREIGN:
        return f"`--storage {name}` with `python -m ops machine add`"
    return f"`{command('python', '-m', 'ops', 'machine', 'set', job.machine, '--job', job.name, '--storage', name)}`"


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
                commands=tuple(command(*words, "--id", tier) for tier in tiers),
            )
        )
    return found
