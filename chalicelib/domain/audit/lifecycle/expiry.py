"""Lifecycle rules that delete: current files of a backup, and old versions before anybody knows that they are needed.

To duplicity an expiry is as good as a deletion, whether or not the bucket keeps the version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.domain.audit.custody import WatchedJob
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.inventory import FileOfSet, FilesOfJob, TakenByRule
from chalicelib.domain.audit.lifecycle.rewriting import GRACE_DAYS
from chalicelib.domain.audit.lifecycle.rules import Rule
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences
from chalicelib.domain.backups.chains import count_needing, newest_chain
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet


@dataclasses.dataclass(frozen=True)
class _Loss:
    """A file that a rule deletes, and how many later sets need its set."""

    date: datetime
    label: str
    set_id: SetId
    needing: int
    file: FileOfSet

    @property
    def order(self) -> tuple[datetime, bool, bool]:
        """Of what goes on the same day, the volumes of a full backup are the worst loss."""
        return self.date, not self.set_id.is_full, not self.file.is_volume

    def sentence(self, when: str) -> str:
        what = f"the {'full backup' if self.set_id.is_full else 'increment'} {self.set_id}"
        what = what if self.file.is_volume else f"metadata of {what}"
        needed = (
            f"{self.needing} increments that need it" if self.needing > 1 else "the increment that needs it"
        )
        under = f"from under {needed}" if self.needing else "and there is no newer one"
        return f"{what} of {self.label} {when}, {under}."


def expires_backup(
    taken: TakenByRule,
    rule: Rule,
    chains: Mapping[str, Sequence[BackupSet]],
    stored: Iterable[FilesOfJob],
    jobs: Iterable[WatchedJob],
    about: RuleSentences,
) -> list[Finding]:
    """First what belongs to a set that others need, or to the newest chain, then what else is there or will be.

    ``taken`` by the rule as it was meant, ``rule`` as it stands.
    """
    as_meant = taken.rule
    if not rule.expires:
        return []
    name = about.named(rule, as_meant)
    loss = _first_loss(as_meant, chains, stored)
    if loss is not None:
        code = "rule_expires_full" if loss.set_id.is_full and loss.file.is_volume else "rule_expires_backup"
        message = f"{name} deletes {loss.sentence(about.on(loss.date))}"
        return [about.finding(code, rule, message, f"first on {loss.date:%Y-%m-%d}")]
    if taken.expiring_other is not None:
        date, key = taken.expiring_other
        message = f"{name} deletes s3://{about.bucket}/{key}, a backup's file, {about.on(date)}."
        return [about.finding("rule_expires_backup", rule, message, f"first on {date:%Y-%m-%d}")]
    of_jobs = taken.of(jobs)
    if not of_jobs:
        return []
    days = rule.expires_after_days
    when = f"{days} days after their upload" if days is not None else "on its date"
    return [about.finding("rule_expires_backup", rule, f"{name} deletes files of {of_jobs[0].label} {when}.")]


def removes_old_versions(
    taken: TakenByRule, rule: Rule, jobs: Iterable[WatchedJob], about: RuleSentences
) -> list[Finding]:
    days, of_jobs = rule.old_versions_days, taken.of(jobs)
    if days is None or days >= GRACE_DAYS or not of_jobs:
        return []
    message = (
        f"{about.named(rule, taken.rule)} removes old versions of the files of {of_jobs[0].label} {days} "
        f"{'day' if days == 1 else 'days'} after they were deleted or overwritten: after that nothing brings them back."
    )
    return [about.finding("versions_expire_soon", rule, message)]


def _first_loss(
    rule: Rule, chains: Mapping[str, Sequence[BackupSet]], stored: Iterable[FilesOfJob]
) -> _Loss | None:
    losses = [
        _Loss(date, of_job.watched.label, set_id, needing, file)
        for of_job in stored
        for set_id, needing in _needed_sets(chains.get(of_job.watched.label, ())).items()
        for file in of_job.sets.get(set_id, ())
        if rule.takes(file.key, file.stored.size, file.tags)
        and (date := rule.expiry_of(file.stored.stored_at)) is not None
    ]
    return min(losses, key=lambda loss: loss.order, default=None)


def _needed_sets(sets: Sequence[BackupSet]) -> dict[SetId, int]:
    """The sets that must not go, and how many later ones need each: those that others continue, and the newest chain.

    A full set that is not finished yet counts beside it: it may become the newest chain, or never.
    """
    newest, needing = newest_chain(sets), count_needing(sets)
    begun = [backup_set for backup_set in sets if backup_set.set_id.is_full and not backup_set.sealed]
    if newest is not None:
        begun = [one for one in begun if one.set_id.end > newest.full.set_id.end]
    kept = {one.set_id for one in (*(newest.sets if newest else ()), *begun)} or set(needing)
    return {set_id: count for set_id, count in needing.items() if count or set_id in kept}
