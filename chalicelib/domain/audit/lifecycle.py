"""Lifecycle rules compared with what is in the bucket: what each matches, and what it will do to a backup.

S3 reports neither that a rule matches nothing, nor that it moves a manifest out of reach, nor that it deletes a full
backup while its increments live. ``RuleBook`` is fed every object once and then knows. An expiry is as good as a
deletion to duplicity, whether or not the bucket keeps the version.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.lifecycle_advice import (
    GRACE_DAYS,
    Correction,
    corrected_rules,
    differences,
    one_line,
    write_command,
)
from chalicelib.domain.audit.lifecycle_rules import (
    OWN_RULES,
    SMALLEST_MOVED_BYTES,
    Document,
    Rule,
    adopted_rule,
    next_midnight,
    own_rules,
    rule_of,
)
from chalicelib.domain.audit.placement import POLICY_OF_TAG, Custody, WatchedJob
from chalicelib.domain.backups.foreign_names import form_of
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX, BackupFile, FileKind, SetId
from chalicelib.domain.backups.sets import BackupSet, StoredObject, Tally
from chalicelib.domain.backups.storage import STANDARD, STORAGE_TAG_KEY, needs_thaw

INTELLIGENT_TIERING = "INTELLIGENT_TIERING"

LATE_BY = timedelta(days=3)
"""S3 works through the rules once a day and may take another day or two with many objects."""

SIMILAR_ENOUGH = 0.6


@dataclasses.dataclass(frozen=True)
class _StoredFile:
    key: str
    stored: StoredObject
    tags: Mapping[str, str | None] | None
    is_volume: bool


@dataclasses.dataclass
class _OfJob:
    """What was seen of one job: volumes that no rule moves, and those that one should have moved by now."""

    watched: WatchedJob
    unmoved: Tally = dataclasses.field(default_factory=Tally)
    late: Tally = dataclasses.field(default_factory=Tally)
    oldest_late: datetime | None = None
    files: dict[SetId, list[_StoredFile]] = dataclasses.field(default_factory=dict)
    tiered: Tally = dataclasses.field(default_factory=Tally)
    """What is in Intelligent-Tiering."""
    first_tiered: datetime | None = None


class RuleBook:
    """The lifecycle rules of one bucket. Feed it every current object, then ask for ``findings``."""

    def __init__(
        self,
        bucket: str,
        rules: Sequence[Rule],
        default_size: str,
        now: datetime,
        *,
        archive_tiers: Mapping[str, int] | None = None,
        stage_prefix: str = "",
    ) -> None:
        """``archive_tiers``: days without access until Intelligent-Tiering archives, by the configuration's name; None
        where nobody could read them. ``stage_prefix`` begins the names of the rules that a stage adds."""
        self._bucket = bucket
        self._rules = rules
        self._active = [rule for rule in rules if rule.enabled]
        self._default_size = default_size
        self._now = now
        self._matched = [0] * len(self._active)
        self._metadata_matched: list[tuple[WatchedJob, str] | None] = [None] * len(self._active)
        self._others_expire: list[tuple[datetime, str] | None] = [None] * len(self._active)
        """The first backup file of no known job that a rule deletes: the date, and the key."""
        self._archive_tiers = archive_tiers
        self._stage_prefix = stage_prefix
        self._count = 0
        self._expires = any(rule.expires for rule in self._active)
        self._prefixes: dict[bool, set[str]] = {True: set(), False: set()}
        """What the names begin with, folders included: those of volumes, and those of metadata."""
        self._jobs: dict[str, _OfJob] = {}

    def add_other(self, key: str, stored: StoredObject) -> None:
        """An object that belongs to no job. It may be a backup's all the same."""
        matching = self._match(key, stored, None)
        if form_of(key) is None:
            return
        for index in matching:
            date = self._active[index].expiry_of(stored.stored_at)
            if date is not None:
                self._others_expire[index] = min(self._others_expire[index] or (date, key), (date, key))

    def add(
        self,
        watched: WatchedJob,
        name: str,
        file: BackupFile,
        stored: StoredObject,
        all_tags: Mapping[str, str] | None = None,
    ) -> None:
        """A file of a job's; ``all_tags`` where somebody has read them all, otherwise the service's own is known."""
        key = watched.job.location.key(name)
        asked = [name for rule in self._active for name in rule.tags]
        tags = (
            {name: all_tags.get(name) for name in asked}
            if all_tags is not None
            else _own_tag(watched, file, stored)
        )
        matching = self._match(key, stored, tags)
        is_volume = file.kind is FileKind.VOLUME
        self._prefixes[is_volume].add(key.removesuffix(name) + file.prefix)
        of_job = self._jobs.setdefault(watched.label, _OfJob(watched))
        if is_volume:
            self._add_volume(of_job, matching, stored)
        else:
            for index in matching:
                if any(_can_sink(one.storage_class) for one in self._active[index].transitions):
                    self._metadata_matched[index] = self._metadata_matched[index] or (watched, key)
        if stored.storage_class == INTELLIGENT_TIERING:
            of_job.tiered += Tally(1, stored.size)
            of_job.first_tiered = min(of_job.first_tiered or stored.stored_at, stored.stored_at)
        if self._expires:
            of_job.files.setdefault(file.set_id, []).append(_StoredFile(key, stored, tags, is_volume))

    def _match(self, key: str, stored: StoredObject, tags: Mapping[str, str | None] | None) -> list[int]:
        self._count += 1
        matching = [index for index, rule in enumerate(self._active) if rule.takes(key, stored.size, tags)]
        for index in matching:
            self._matched[index] += 1
        return matching

    def _add_volume(self, of_job: _OfJob, matching: Iterable[int], stored: StoredObject) -> None:
        moving = [
            (rule, transition)
            for rule in (self._active[index] for index in matching)
            for transition in rule.transitions
        ]
        if stored.storage_class != STANDARD:
            return
        if not moving:
            watched = of_job.watched
            has_wrong_tag = watched.custody is Custody.OWN and (stored.storage_tag or "") not in POLICY_OF_TAG
            if stored.storage_tag is None or not has_wrong_tag:  # a wrong tag is a finding of its own
                of_job.unmoved += Tally(1, stored.size)
            return
        due = [
            next_midnight(stored.stored_at + timedelta(days=transition.after_days))
            for rule, transition in moving
            if transition.after_days is not None
            and rule.moves(stored.size, transition.storage_class, self._default_size)
        ]
        if due and self._now > min(due) + LATE_BY:
            of_job.late += Tally(1, stored.size)
            of_job.oldest_late = min(of_job.oldest_late or stored.stored_at, stored.stored_at)

    # ------------------------------------------------------------ what follows

    def findings(
        self, chains: Mapping[str, Sequence[BackupSet]], jobs: Iterable[WatchedJob]
    ) -> list[Finding]:
        """``chains`` are the sealed and open sets by the jobs' labels; ``jobs`` all that are in this bucket.

        Whatever is wrong with the rules, each finding has the same command: the one that corrects all of them.
        """
        watched = list(jobs)
        found: list[Finding] = []
        corrections: dict[int, Correction] = {}
        for index, rule in enumerate(self._active):
            about, correction = self._examine(index, rule, chains, watched)
            found += about
            corrections[self._rules.index(rule)] = correction
        advised = self._with_advice(found, corrections, watched)
        return [*advised, *self._tiers(watched), *(one for job in watched for one in self._of_job(job))]

    def _with_advice(
        self, found: Sequence[Finding], corrections: Mapping[int, Correction], jobs: Sequence[WatchedJob]
    ) -> list[Finding]:
        before = [rule.document for rule in self._rules]
        after = corrected_rules(self._rules, corrections)
        after += self._missing_rules(after, jobs)
        changes = differences(before, after)
        if not changes:
            return [dataclasses.replace(one, commands=(_look(self._bucket),)) for one in found]
        commands = (write_command(self._bucket, after, self._default_size),)
        evidence = f"the command replaces all rules: {'; '.join(changes)}"
        return [
            dataclasses.replace(one, commands=commands, evidence=f"{one.evidence}; {evidence}")
            for one in found
        ]

    def _missing_rules(self, after: Sequence[Document], jobs: Sequence[WatchedJob]) -> list[dict[str, Any]]:
        """What ``audit --fix`` writes: a command that replaces all rules must not take it away again."""
        rules = [rule_of(document) for document in after]
        names, active = {rule.id for rule in rules}, [rule for rule in rules if rule.enabled]
        wanted = own_rules() if any(job.custody is Custody.OWN for job in jobs) else []
        wanted += [
            adopted_rule(self._stage_prefix, watched.job)
            for watched in jobs
            if watched.custody is Custody.ADOPTED
            and self._stage_prefix
            and not _has_rule_for(watched, active)
        ]
        return [rule for rule in wanted if rule["ID"] not in names]

    def _examine(
        self, index: int, rule: Rule, chains: Mapping[str, Sequence[BackupSet]], jobs: Sequence[WatchedJob]
    ) -> tuple[list[Finding], Correction]:
        """What is wrong with one rule that is on, and what has to change in it."""
        is_own, found = rule.id.startswith(OWN_RULES), list[Finding]()
        meant, as_meant = None, rule
        if rule.acts_on_current and self._count and not self._matched[index] and not is_own:
            meant = self._probable_prefix(rule)
            found.append(self._matches_nothing(rule, meant))
            as_meant = dataclasses.replace(rule, prefix=meant) if meant is not None else rule
        moves = self._moves_metadata(rule, index, jobs)
        to_archive = not is_own and self._archives_volumes(as_meant, jobs)
        archives = to_archive if to_archive and as_meant == rule and not moves else []
        expires = self._expires_backup(rule, as_meant, index, chains, jobs)
        removes = self._removes_old_versions(rule, jobs)
        correction = Correction(
            prefix=meant,
            drops_expiry=bool(expires),
            moves_only=self._volumes_below(as_meant, jobs) if moves else None,
            stays_readable=bool(to_archive or (moves and not is_own)),
            keeps_old_versions=bool(removes),
        )
        return [*found, *moves, *archives, *expires, *removes], correction

    def _matches_nothing(self, rule: Rule, meant: str | None) -> Finding:
        asked = _asked(rule)
        says = f"no object of {self._count} does" if self._count > 1 else "the only object does not"
        message = f"The lifecycle rule {_called(rule)} of {self._bucket} asks for {asked}, and {says}: it does nothing."
        if meant is not None:
            message += f" It probably means the prefix {meant}."
        return self._about("rule_matches_nothing", rule, message)

    def _about(self, code: str, rule: Rule, message: str, evidence: str = "") -> Finding:
        document = one_line(rule.document)
        return new_finding(
            code,
            subject=f"{self._bucket}/{rule.id}",
            message=message,
            evidence=f"{evidence}; {document}" if evidence else document,
        )

    def _probable_prefix(self, rule: Rule) -> str | None:
        """The prefix that the rule was meant to have: ``_data`` is ``data_``, ``/laptop/data`` is ``laptop/data_``."""
        if not rule.prefix:
            return None
        archives = any(_can_sink(one.storage_class) for one in rule.transitions)
        of_volumes, of_metadata = self._prefixes[True], self._prefixes[False]
        # What archives is never advised to take the metadata.
        candidates = sorted((of_volumes - of_metadata if archives else of_volumes | of_metadata) - {""})
        asked = _letters(rule.prefix)
        for candidate in candidates:
            letters = _letters(candidate)
            if letters and (asked == letters or asked.endswith(letters)):
                return candidate
        last_parts = {_letters(one.rpartition("/")[2]): one for one in candidates}
        if asked in last_parts:
            return last_parts[asked]
        by_letters = {_letters(one): one for one in candidates}
        close = difflib.get_close_matches(asked, list(by_letters), 1, SIMILAR_ENOUGH)
        return by_letters[close[0]] if close else None

    def _volumes_below(self, rule: Rule, jobs: Iterable[WatchedJob]) -> tuple[str, ...]:
        """The prefixes of volumes that the rule covers and that no metadata has: what its transitions are meant for."""
        of_metadata = self._prefixes[False] | {job.job.location.key(METADATA_PREFIX) for job in jobs}
        of_volumes = self._prefixes[True] or {job.job.location.key(VOLUME_PREFIX) for job in jobs}
        covered = {
            max(prefix, rule.prefix, key=len) for prefix in of_volumes if _overlap(prefix, rule.prefix)
        }
        return tuple(
            sorted(
                prefix
                for prefix in covered
                if not any(
                    _overlap(prefix, metadata) and metadata.startswith(prefix) for metadata in of_metadata
                )
            )
        )

    def _moves_metadata(self, rule: Rule, index: int, jobs: Iterable[WatchedJob]) -> list[Finding]:
        """Manifests and signatures are read in each run: an archive class, or a tier of one, ends all backups."""
        classes = [one.storage_class for one in rule.transitions if _can_sink(one.storage_class)]
        seen = self._metadata_matched[index]
        will = [job for job in jobs if _takes_metadata_of(rule, job)]
        if not classes or (seen is None and not will):
            return []
        watched = seen[0] if seen else will[0]
        evidence = (
            f"it takes s3://{self._bucket}/{seen[1]}"
            if seen
            else f"it takes everything below {watched.job.location.key(METADATA_PREFIX)}"
        )
        archives = [storage_class for storage_class in classes if needs_thaw(storage_class)]
        name = f"The lifecycle rule {_called(rule)} of {self._bucket} moves manifests and signatures to"
        if archives:
            message = (
                f"{name} {archives[0]}: after that, neither backup nor restore of {watched.label} works."
            )
            return [self._about("rule_archives_metadata", rule, message, evidence)]
        if self._archive_tiers:
            days = min(self._archive_tiers.values())
            message = f"{name} {INTELLIGENT_TIERING}, whose archive tiers are on: after {days} days without access they"
            message += f" cannot be read, and neither backup nor restore of {watched.label} works."
            return [self._about("rule_archives_metadata", rule, message, evidence)]
        message = f"{name} {INTELLIGENT_TIERING}: once an archive tier is on there, they cannot be read."
        return [self._about("rule_moves_metadata", rule, message, evidence)]

    def _archives_volumes(self, rule: Rule, jobs: Iterable[WatchedJob]) -> list[Finding]:
        """Not where the owner chose such a class for the job."""
        moves = [one for one in rule.transitions if needs_thaw(one.storage_class)]
        taken = [
            job
            for job in jobs
            if not needs_thaw(job.job.storage.archive_class) and _takes_to_come(rule, job, (VOLUME_PREFIX,))
        ]
        if not moves or not taken:
            return []
        first = min(moves, key=lambda one: one.after_days or 0)
        when = f"{first.after_days} days after the upload" if first.after_days is not None else "on its date"
        message = (
            f"The lifecycle rule {_called(rule)} of {self._bucket} moves the volumes of {taken[0].label} to "
        )
        message += (
            f"{first.storage_class} {when}: then they cannot be restored before a thaw, which takes hours."
        )
        return [self._about("rule_archives_volumes", rule, message)]

    def _removes_old_versions(self, rule: Rule, jobs: Iterable[WatchedJob]) -> list[Finding]:
        days = rule.old_versions_days
        taken = [job for job in jobs if _takes_to_come(rule, job)]
        if days is None or days >= GRACE_DAYS or not taken:
            return []
        message = (
            f"The lifecycle rule {_called(rule)} of {self._bucket} removes old versions of the files of "
        )
        message += f"{taken[0].label} {days} {'day' if days == 1 else 'days'} after they were deleted or overwritten:"
        message += " after that nothing brings them back."
        return [self._about("versions_expire_soon", rule, message)]

    # ------------------------------------------------------------ what expires

    def _expires_backup(
        self,
        rule: Rule,
        as_meant: Rule,
        index: int,
        chains: Mapping[str, Sequence[BackupSet]],
        jobs: Iterable[WatchedJob],
    ) -> list[Finding]:
        """What belongs to a set that others need, or to the newest chain, and what will be uploaded yet."""
        if not rule.expires:
            return []
        name = f"he lifecycle rule {_called(rule)} of {self._bucket}"
        name = (
            f"T{name}" if as_meant == rule else f"Once its prefix is set right to {as_meant.prefix}, t{name}"
        )
        first = self._first_expiry(as_meant, chains)
        if first is not None:
            date, label, backup_set, needing, file = first
            what = f"the {'full backup' if backup_set.is_full else 'increment'} {backup_set}"
            what = what if file.is_volume else f"metadata of {what}"
            needed = f"{needing} increments that need it" if needing > 1 else "the increment that needs it"
            under = f"from under {needed}" if needing else "and there is no newer one"
            code = "rule_expires_full" if backup_set.is_full and file.is_volume else "rule_expires_backup"
            message = f"{name} deletes {what} of {label} {self._on(date)}, {under}."
            return [self._about(code, rule, message, f"first on {date:%Y-%m-%d}")]
        other = self._others_expire[index]
        if other is not None:
            message = f"{name} deletes s3://{self._bucket}/{other[1]}, a backup's file, {self._on(other[0])}."
            return [self._about("rule_expires_backup", rule, message, f"first on {other[0]:%Y-%m-%d}")]
        will = [job for job in jobs if _takes_to_come(as_meant, job)]
        if not will:
            return []
        days = rule.expires_after_days
        when = f"{days} days after their upload" if days is not None else "on its date"
        return [self._about("rule_expires_backup", rule, f"{name} deletes files of {will[0].label} {when}.")]

    def _on(self, date: datetime) -> str:
        return f"on {date:%Y-%m-%d}" if date > self._now else f"any day now ({date:%Y-%m-%d} is past)"

    def _first_expiry(
        self, rule: Rule, chains: Mapping[str, Sequence[BackupSet]]
    ) -> tuple[datetime, str, SetId, int, _StoredFile] | None:
        """The first file that goes: when, of which job and set, and how many later sets need that set."""
        found = [
            (date, label, set_id, needing, file)
            for label, of_job in self._jobs.items()
            for set_id, needing in _needed_sets(chains.get(label, ())).items()
            for file in of_job.files.get(set_id, ())
            if rule.takes(file.key, file.stored.size, file.tags)
            and (date := rule.expiry_of(file.stored.stored_at)) is not None
        ]
        # Of what goes on the same day, the volumes of a full backup are the worst loss.
        order = [(date, not set_id.is_full, not file.is_volume) for date, _, set_id, _, file in found]
        return found[order.index(min(order))] if found else None

    # ------------------------------------------------------------ Intelligent-Tiering

    def _tiers(self, jobs: Iterable[WatchedJob]) -> list[Finding]:
        """Files in Intelligent-Tiering where an archive tier is on: those that nobody reads sink out of reach."""
        tiers = self._archive_tiers or {}
        found = []
        for watched in jobs:
            of_job = self._jobs.get(watched.label, _OfJob(watched))
            if not tiers or of_job.first_tiered is None:
                continue
            name, days = min(tiers.items(), key=lambda item: item[1])
            date = of_job.first_tiered + timedelta(days=days)
            words = (
                "aws",
                "s3api",
                "delete-bucket-intelligent-tiering-configuration",
                "--bucket",
                self._bucket,
            )
            message = f"{of_job.tiered.count} files of {watched.label} are in {INTELLIGENT_TIERING}, and"
            message += f" {self._bucket} has its archive tiers on: the first need a thaw {self._from(date)}."
            found.append(
                new_finding(
                    "tiers_archive",
                    machine=watched.job.machine,
                    job=watched.job.name,
                    subject=self._bucket,
                    message=message,
                    evidence=f"{name}: {days} days without access; the first was stored {of_job.first_tiered:%Y-%m-%d}",
                    commands=tuple(command(*words, "--id", one) for one in tiers),
                )
            )
        return found

    def _from(self, date: datetime) -> str:
        return f"from {date:%Y-%m-%d} on" if date > self._now else f"since {date:%Y-%m-%d}"

    def _of_job(self, watched: WatchedJob) -> list[Finding]:
        of_job = self._jobs.get(watched.label, _OfJob(watched))
        found = []
        if watched.custody is not Custody.FOREIGN and (
            of_job.unmoved.count or not _has_rule_for(watched, self._active)
        ):
            found.append(self._no_rule(of_job))
        if of_job.oldest_late is not None:
            found.append(self._late(of_job, of_job.oldest_late))
        return found

    def _no_rule(self, of_job: _OfJob) -> Finding:
        watched, storage = of_job.watched, of_job.watched.job.storage
        unmoved = of_job.unmoved
        wanted = f"{storage.archive_class} after {storage.archive_after_days} days"
        return new_finding(
            "no_archive_rule",
            machine=watched.job.machine,
            job=watched.job.name,
            subject=self._bucket,
            message=f"The volumes of {watched.label} should go to {wanted}, and no lifecycle rule of {self._bucket} "
            "moves them.",
            evidence=f"{unmoved.count} volumes, {unmoved.size_bytes} bytes, that no rule takes"
            if unmoved.count
            else f"{len(self._active)} rules that are on, none for {watched.job.location.key(VOLUME_PREFIX)}",
            commands=("python -m ops audit --fix",),
        )

    def _late(self, of_job: _OfJob, oldest: datetime) -> Finding:
        watched, late = of_job.watched, of_job.late
        return new_finding(
            "transition_overdue",
            machine=watched.job.machine,
            job=watched.job.name,
            subject=self._bucket,
            message=f"{late.count} volumes of {watched.label} should have left Standard days ago and have not.",
            evidence=f"{late.size_bytes} bytes, the oldest stored {oldest:%Y-%m-%d}",
            commands=(_look(self._bucket),),
        )


def _overlap(prefix: str, other: str) -> bool:
    return prefix.startswith(other) or other.startswith(prefix)


def _can_sink(storage_class: str) -> bool:
    """Whether S3 may put an object of that class where it cannot be read before a thaw."""
    return needs_thaw(storage_class) or storage_class == INTELLIGENT_TIERING


def _takes_to_come(
    rule: Rule, watched: WatchedJob, kinds: Sequence[str] = (VOLUME_PREFIX, METADATA_PREFIX)
) -> bool:
    """Whether the rule waits for files of the job that are still to come. Ours carry no tag but the service's own."""
    tag = {STORAGE_TAG_KEY: watched.job.storage.tag_value}
    if watched.custody is not Custody.FOREIGN and not (rule.tags.items() <= tag.items()):
        return False
    names = kinds if watched.custody is not Custody.FOREIGN else (*kinds, "duplicity-")
    return any(_overlap(rule.prefix, watched.job.location.key(name)) for name in names)


def _needed_sets(sets: Sequence[BackupSet]) -> dict[SetId, int]:
    """The sets that must not go, and how many later ones need each: those that others continue, and the newest chain.

    An unfinished set counts: it will be finished.
    """
    following: dict[datetime, list[SetId]] = {}
    for backup_set in sets:
        if backup_set.set_id.start is not None:
            following.setdefault(backup_set.set_id.start, []).append(backup_set.set_id)

    def later(set_id: SetId) -> list[SetId]:
        found: list[SetId] = []
        ends, seen = [set_id.end], set[datetime]()
        while ends:
            end = ends.pop()
            if end not in seen:  # a name that goes back in time would make a ring
                seen.add(end)
                found += following.get(end, [])
                ends += [one.end for one in following.get(end, [])]
        return found

    newest_full = max(
        (one.set_id for one in sets if one.set_id.is_full), key=lambda one: one.end, default=None
    )
    newest = {newest_full, *later(newest_full)} if newest_full else {one.set_id for one in sets}
    counted = {one.set_id: len(later(one.set_id)) for one in sets}
    return {set_id: count for set_id, count in counted.items() if count or set_id in newest}


def _has_rule_for(watched: WatchedJob, rules: Iterable[Rule]) -> bool:
    """Whether a rule waits for the volumes that are still to come."""
    storage, location = watched.job.storage, watched.job.location
    volumes, tags = location.key(VOLUME_PREFIX), {STORAGE_TAG_KEY: storage.tag_value}
    return any(
        rule.takes(volumes, SMALLEST_MOVED_BYTES, tags)
        # In a bucket that was there before, its owner's choice of class is as good.
        and (watched.custody is Custody.ADOPTED or transition.storage_class == storage.archive_class)
        for rule in rules
        for transition in rule.transitions
    )


def _own_tag(watched: WatchedJob, file: BackupFile, stored: StoredObject) -> Mapping[str, str | None]:
    """The tag that names the storage policy. Where nobody has asked for it: in the service's own bucket it is what was
    signed into the PUT; files that were there before the service was have none."""
    if watched.custody is Custody.FOREIGN:
        return {}
    if stored.storage_tag is not None:
        return {STORAGE_TAG_KEY: stored.storage_tag or None}
    is_tagged = watched.custody is Custody.OWN and file.kind is FileKind.VOLUME
    return {STORAGE_TAG_KEY: watched.job.storage.tag_value if is_tagged else None}


def _takes_metadata_of(rule: Rule, watched: WatchedJob) -> bool:
    """Whether the rule waits for metadata that is still to come; ours carries no tag."""
    metadata = watched.job.location.key(METADATA_PREFIX)
    return not rule.tags and (metadata.startswith(rule.prefix) or rule.prefix.startswith(metadata))


def _letters(prefix: str) -> str:
    return "".join(character for character in prefix.casefold() if character.isalnum())


def _called(rule: Rule) -> str:
    return rule.id or "without a name"


def _asked(rule: Rule) -> str:
    parts = [f"the prefix {rule.prefix}"] if rule.prefix else []
    parts += [f"the tag {name}={value}" for name, value in rule.tags.items()]
    parts += [f"more than {rule.larger_than} bytes"] if rule.larger_than is not None else []
    parts += [f"less than {rule.smaller_than} bytes"] if rule.smaller_than is not None else []
    return " and ".join(parts) or "every object"


def _look(bucket: str) -> str:
    return command("aws", "s3api", "get-bucket-lifecycle-configuration", "--bucket", bucket)
