"""The audit of one bucket: its settings, its lifecycle rules and all that is in it.

Pure: the caller reads the settings and adds every key; the same rules check a bucket of the service's from its
catalogue, and any other from a listing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.audit.bucket_settings import BucketSettings, Expected, check_noncurrent, check_settings
from chalicelib.domain.audit.custody import WatchedJob
from chalicelib.domain.audit.finding_codes import CODES, MOST_ALIKE
from chalicelib.domain.audit.findings import Finding, new_finding, worst_first
from chalicelib.domain.audit.lifecycle.inventory import Inventory, MissedMoves
from chalicelib.domain.audit.lifecycle.let_go_rules import check_let_go_rule, wanted_let_go_rules
from chalicelib.domain.audit.lifecycle.rule_book import RuleBook
from chalicelib.domain.audit.lifecycle.rules import rule_of
from chalicelib.domain.audit.lifecycle.sentences import RuleSentences
from chalicelib.domain.audit.notices import Notice, commands_after
from chalicelib.domain.audit.placement import check_object
from chalicelib.domain.audit.strays import check_stray
from chalicelib.domain.backups.names import SetId, parse_file_name
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally

NOTICES_COUNT_FOR = timedelta(days=7)
"""A refused deletion is over at once, but an audit some days later must still report it."""


class BucketAudit:
    """Feed it every key of a bucket once, whatever their order, then ask for ``findings``.

    ``sets`` are those of each job by its label; ``expiring`` too, those that were let go: their old versions do not
    pile up, the bucket's rule removes them. ``expected`` is ``None`` for a bucket that the service does not watch.
    """

    def __init__(
        self,
        settings: BucketSettings,
        sets: Mapping[WatchedJob, Sequence[BackupSet]],
        expected: Expected | None,
        now: datetime,
        *,
        is_own_bucket: bool,
        expiring: Mapping[str, Collection[SetId]] | None = None,
    ) -> None:
        self._settings = settings
        self._sets = {
            watched.label: {known.set_id: known for known in of_job} for watched, of_job in sets.items()
        }
        self._jobs = list(sets)
        self._is_own_bucket = is_own_bucket
        self._expiring = expiring or {}
        self._now = now
        self._rules = [rule_of(rule) for rule in settings.lifecycle or ()]
        self._stage_prefix = expected.stage_prefix if expected else ""
        self._stored = Inventory(self._rules, settings.smallest_moved, now)
        self._book = RuleBook(
            settings.bucket,
            self._rules,
            self._stored,
            now,
            archive_tiers=settings.archive_tiers,
            stage_prefix=self._stage_prefix,
        )
        self._of_bucket = check_settings(settings, expected, now)
        self._of_objects: dict[str, Finding] = {}
        self._alike: Counter[tuple[str, str, str]] = Counter()
        self._current = self._noncurrent = Tally()

    def add(self, watched: WatchedJob, row: ObjectRow, all_tags: Mapping[str, str] | None = None) -> None:
        """A key below a job's prefix; ``row.name`` is what stands behind it."""
        file = parse_file_name(row.name)
        if file is None:
            key = watched.job.location.key(row.name)
            self.add_stray(ObjectRow(key, row.stored, row.sequencer, row.noncurrent), watched)
            return
        is_expiring = file.set_id in self._expiring.get(watched.label, ())
        self._count(dataclasses.replace(row, noncurrent={}) if is_expiring else row)
        if row.stored is not None:
            self._stored.add(watched, row.name, file, row.stored, all_tags)
        self._keep(check_object(watched, row, self._set_of(watched, file.set_id)))

    def add_stray(self, row: ObjectRow, watched: WatchedJob | None) -> None:
        """A key that belongs to no set; ``row.name`` is the whole of it, ``watched`` the job whose prefix it has."""
        self._count(row)
        if row.stored is not None:
            self._stored.add_other(row.name, row.stored)
        job = watched.job if watched else None
        self._keep(check_stray(self._settings.bucket, row, job, is_own_bucket=self._is_own_bucket))

    def add_unwatched(self, row: ObjectRow) -> None:
        """A key in a place that nobody watches: somebody may need it, and rules may take it."""
        self._count(row)
        if row.stored is not None:
            self._stored.add_other(row.name, row.stored)

    @property
    def missed(self) -> Mapping[str, MissedMoves]:
        """What rules that match nothing were meant to move, by the keys of ``findings``, which come first."""
        return self._book.missed

    def findings(self) -> list[Finding]:
        """What is wrong with the bucket and with what is in it; ``anomalies`` checks the sets as such."""
        chains = {label: list(sets.values()) for label, sets in self._sets.items()}
        return worst_first(
            [
                *self._of_bucket,
                *check_noncurrent(self._settings.bucket, self._current, self._noncurrent),
                *self._book.findings(chains, self._jobs),
                *self._of_let_go_rule(),
                *self._of_objects.values(),
                *self._left_off(),
            ]
        )

    def _of_let_go_rule(self) -> list[Finding]:
        """Rules that could not be read are not missing: that is a finding of its own."""
        if self._settings.lifecycle is None:
            return []
        wanted = wanted_let_go_rules(self._jobs, self._stage_prefix)
        return check_let_go_rule(self._rules, wanted, RuleSentences(self._settings.bucket, self._now))

    def _left_off(self) -> list[Finding]:
        """One finding for all beyond ``MOST_ALIKE`` of a code and job, with their number."""
        found = []
        for (code, machine, job), number in self._alike.items():
            if number > MOST_ALIKE and not CODES[code].is_safety:
                more, whose = number - MOST_ALIKE, f"{machine}/{job}" if machine else self._settings.bucket
                found.append(
                    new_finding(
                        code,
                        machine=machine,
                        job=job,
                        subject=f"{self._settings.bucket}/ more than {MOST_ALIKE}",
                        message=f"{more} more findings of {whose} are like these: {CODES[code].title}.",
                        evidence=f"{number} in all, {MOST_ALIKE} listed",
                    )
                )
        return found

    def _set_of(self, watched: WatchedJob, set_id: SetId) -> BackupSet:
        return self._sets.get(watched.label, {}).get(set_id, BackupSet(set_id))

    def _count(self, row: ObjectRow) -> None:
        self._current = sum(row.current.values(), self._current)
        self._noncurrent = sum(row.noncurrent.values(), self._noncurrent)

    def _keep(self, found: Iterable[Finding]) -> None:
        for finding in found:
            kind = finding.code, finding.machine, finding.job
            if finding.key in self._of_objects:
                continue
            self._alike[kind] += 1
            if self._alike[kind] <= MOST_ALIKE or finding.is_safety:
                self._of_objects[finding.key] = finding


def findings_of_notices(notices: Iterable[Notice], now: datetime) -> list[Finding]:
    """What happened within the last days and is no state that could be checked: each kind once a job, the newest."""
    newest: dict[tuple[str, str, str], Notice] = {}
    for notice in notices:
        kind = notice.code, notice.machine, notice.job
        recent = now - notice.at <= NOTICES_COUNT_FOR and notice.code in CODES
        if recent and (kind not in newest or newest[kind].at < notice.at):
            newest[kind] = notice
    return [
        new_finding(
            notice.code,
            machine=notice.machine,
            job=notice.job,
            subject=f"{notice.at:%Y-%m-%d}",
            message=notice.message,
            evidence=f"at {notice.at:%Y-%m-%d %H:%M} UTC",
            commands=commands_after(notice),
        )
        for notice in newest.values()
    ]
