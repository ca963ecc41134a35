"""The lifecycle rules of a bucket compared with what is in it.

S3 reports neither that a rule matches nothing, nor that it moves a manifest out of reach, nor that it deletes a full
backup while its increments live. ``RuleBook`` knows it from what was counted of every object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.advice import corrected_rules, differences, write_command
from chalicelib.domain.audit.lifecycle.archiving import archived_by_tiers, archives_volumes, moves_metadata
from chalicelib.domain.audit.lifecycle.coverage import has_rule_for, takes_to_come
from chalicelib.domain.audit.lifecycle.expiry import expires_backup, removes_old_versions
from chalicelib.domain.audit.lifecycle.inventory import Inventory, MissedMoves, TakenByRule
from chalicelib.domain.audit.lifecycle.let_go_rules import wanted_let_go_rules
from chalicelib.domain.audit.lifecycle.own_rules import LET_GO_RULE, OWN_RULES, adopted_rule, own_rules
from chalicelib.domain.audit.lifecycle.prefixes import probable_prefix, volumes_alone
from chalicelib.domain.audit.lifecycle.rewriting import Correction
from chalicelib.domain.audit.lifecycle.rules import Document, Rule, rule_of
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences
from chalicelib.domain.audit.lifecycle.transitions import unmoved_volumes
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX
from chalicelib.domain.backups.sets import BackupSet


class RuleBook:
    """The lifecycle rules of one bucket."""

    def __init__(
        self,
        bucket: str,
        rules: Sequence[Rule],
        stored: Inventory,
        now: datetime,
        *,
        archive_tiers: Mapping[str, int] | None = None,
        stage_prefix: str = "",
    ) -> None:
        """``stored`` was made with these rules, and is fed every current object before the ``findings`` are asked for.
        ``archive_tiers``: days without access until Intelligent-Tiering archives, by the configuration's name; None
        where nobody could read them. ``stage_prefix`` begins the names of the rules that a stage adds."""
        self._rules = rules
        self._tiers = archive_tiers or {}
        self._stage_prefix = stage_prefix
        self._about = RuleSentences(bucket, now)
        self._stored = stored
        self.missed: dict[str, MissedMoves] = {}
        """What rules that match nothing were meant to move, by the key of the finding; ``findings`` fills it."""

    def findings(
        self, chains: Mapping[str, Sequence[BackupSet]], jobs: Iterable[WatchedJob]
    ) -> list[Finding]:
        """``chains`` are the sealed and open sets by the jobs' labels; ``jobs`` all that are in this bucket.

        Whatever is wrong with the rules, each finding has the same command: the one that corrects all of them.
        """
        watched, of_rules = list(jobs), list[Finding]()
        corrections: list[Correction] = []
        active = iter(self._stored.taken)
        for rule in self._rules:
            found, correction = (
                self._examine(next(active), chains, watched) if rule.enabled else ([], Correction())
            )
            of_rules += found
            corrections.append(correction)
        of_jobs = [self._stored.of_job(job) for job in watched]
        return [
            *self._with_advice(of_rules, corrections, watched),
            *archived_by_tiers(of_jobs, self._tiers, self._about),
            *(one for of_job in of_jobs for one in unmoved_volumes(of_job, self._active, self._about)),
        ]

    @property
    def _active(self) -> list[Rule]:
        return [rule for rule in self._rules if rule.enabled]

    def _examine(
        self, taken: TakenByRule, chains: Mapping[str, Sequence[BackupSet]], jobs: Sequence[WatchedJob]
    ) -> tuple[list[Finding], Correction]:
        """What is wrong with one rule that is on, and what has to change in it."""
        rule, is_own, found = taken.rule, taken.rule.id.startswith(OWN_RULES), list[Finding]()
        meant, as_meant = None, taken
        if rule.acts_on_current and self._stored.count and not taken.count and not is_own:
            if not any(takes_to_come(rule, job) for job in jobs if job.custody is not Custody.FOREIGN):
                meant = probable_prefix(rule, self._volume_prefixes, self._metadata_prefixes)
            found.append(self._matches_nothing(rule, meant))
            as_meant = taken if meant is None else self._stored.with_prefix(taken, meant)
            missed = self._stored.missed_by(as_meant)
            if missed is not None:
                self.missed[found[-1].key] = missed
        moves = moves_metadata(taken, jobs, self._tiers, self._about)
        to_archive = [] if is_own else archives_volumes(as_meant, jobs, self._about)
        expires = expires_backup(as_meant, rule, chains, self._stored.jobs, jobs, self._about)
        is_let_go_rule = rule.id == LET_GO_RULE and bool(wanted_let_go_rules(jobs, self._stage_prefix))
        removes = [] if is_let_go_rule else removes_old_versions(as_meant, rule, jobs, self._about)
        correction = Correction(
            prefix=meant,
            drops_expiry=bool(expires),
            moves_only=self._volumes_taken(as_meant, jobs) if moves else None,
            stays_readable=bool(
                to_archive or (moves and not is_own and not self._are_wanted(as_meant, jobs))
            ),
            keeps_old_versions=bool(removes),
        )
        # What a rule does to volumes goes without saying where it does nothing yet, or worse to metadata.
        shown = to_archive if as_meant is taken and not moves else []
        return [*found, *moves, *shown, *expires, *removes], correction

    def _are_wanted(self, taken: TakenByRule, jobs: Sequence[WatchedJob]) -> bool:
        """Whether the owner chose for each job whose volumes the rule takes where it moves them to."""
        of_jobs = [job for job in jobs if job in taken.volumes_of or takes_to_come(taken.rule, job)]
        return bool(of_jobs) and all(
            job.job.storage.accepts(one.storage_class) for job in of_jobs for one in taken.rule.transitions
        )

    def _matches_nothing(self, rule: Rule, meant: str | None) -> Finding:
        count = self._stored.count
        says = f"no object of {count} does" if count > 1 else "the only object does not"
        message = f"{self._about.named(rule)} asks for {rule.asks_for}, and {says}: it does nothing."
        if meant is not None:
            message += f" It probably means the prefix {meant}."
        return self._about.finding("rule_matches_nothing", rule, message)

    def _volumes_taken(self, taken: TakenByRule, jobs: Iterable[WatchedJob]) -> tuple[str, ...]:
        """What the rule's transitions are meant for: where it takes volumes, or where the first of ``jobs`` will be.

        Not where all volumes are too large for it, or have other tags: it would match nothing there.
        """
        places = [job.job.location for job in jobs]
        volumes = {place.key(VOLUME_PREFIX) for place in places}
        if self._volume_prefixes:
            here = [of_job for of_job in self._stored.jobs if of_job.watched in taken.volumes_of]
            volumes = {prefix for of_job in here for prefix in of_job.volume_prefixes}
        metadata = self._metadata_prefixes | {place.key(METADATA_PREFIX) for place in places}
        return volumes_alone(taken.rule, volumes, metadata)

    @property
    def _volume_prefixes(self) -> set[str]:
        return {prefix for of_job in self._stored.jobs for prefix in of_job.volume_prefixes}

    @property
    def _metadata_prefixes(self) -> set[str]:
        return {prefix for of_job in self._stored.jobs for prefix in of_job.metadata_prefixes}

    # ------------------------------------------------------------ the one command

    def _with_advice(
        self, found: Sequence[Finding], corrections: Sequence[Correction], jobs: Sequence[WatchedJob]
    ) -> list[Finding]:
        before = [rule.document for rule in self._rules]
        after = self._with_own(corrected_rules(before, corrections), jobs)
        changes = differences(before, after)
        if not changes:
            return [dataclasses.replace(one, commands=(self._about.show_rules(),)) for one in found]
        commands = (write_command(self._about.bucket, after, self._stored.default_size),)
        evidence = f"the command replaces all rules: {'; '.join(changes)}"
        return [
            dataclasses.replace(one, commands=commands, evidence=f"{one.evidence}; {evidence}")
            for one in found
        ]

    def _with_own(self, after: Sequence[Document], jobs: Sequence[WatchedJob]) -> list[Document]:
        """With what ``audit --fix`` writes: a command that replaces all rules must not take it away again."""
        let_go = {rule["ID"]: rule for rule in wanted_let_go_rules(jobs, self._stage_prefix)}
        after = [let_go.get(document.get("ID", ""), document) for document in after]
        rules = [rule_of(document) for document in after]
        names, active = {rule.id for rule in rules}, [rule for rule in rules if rule.enabled]
        wanted = own_rules() if any(job.custody is Custody.OWN for job in jobs) else list(let_go.values())
        wanted += [
            adopted_rule(self._stage_prefix, watched.job)
            for watched in jobs
            if watched.custody is Custody.ADOPTED
            and self._stage_prefix
            and watched.job.storage.moves
            and not has_rule_for(watched, active)
        ]
        return [*after, *(rule for rule in wanted if rule["ID"] not in names)]
