"""Checks lifecycle rules against what is in the bucket: what each matches, and what it will do to a backup.

S3 does not report that a rule matches nothing, that it moves a manifest out of reach, or that it deletes a full backup
while its increments live. ``RuleBook`` is fed every object once and then knows.

The rules of S3 that stand here are those of the user guide, "Lifecycle configuration elements" and "Transitioning
objects": a rule's day is counted from the object's creation and rounded up to the next midnight UTC; objects under
128 KB are not moved unless a rule names a size of its own; an expiry is as good as a deletion to duplicity, whether or
not the bucket keeps the version.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta, timezone
from typing import Any

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.placement import POLICY_OF_TAG, Custody, WatchedJob
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX, BackupFile, FileKind
from chalicelib.domain.backups.sets import BackupSet, StoredObject, Tally
from chalicelib.domain.backups.storage import STANDARD, STORAGE_TAG_KEY, needs_thaw

SMALLEST_MOVED_BYTES = 128 * 1024
"""Since September 2024 S3 leaves smaller objects where they are, whatever the class, unless a rule names a size."""

MOVES_SMALL_ONES = "varies_by_storage_class"
"""The bucket's older default, by which Glacier and Deep Archive take objects of any size."""

LATE_BY = timedelta(days=3)
"""S3 works through the rules once a day and may take another day or two with many objects."""

OWN_RULES = "panicroom-"
"""The rules that this service writes: one a storage policy, so that most of them match nothing, and none of them is
wrong for that."""

SIMILAR_ENOUGH = 0.6


@dataclasses.dataclass(frozen=True)
class Transition:
    """``after_days`` from the object's creation, or on ``on`` for all objects that are there then."""

    storage_class: str
    after_days: int | None = None
    on: datetime | None = None


@dataclasses.dataclass(frozen=True)
class Rule:
    """One lifecycle rule; ``document`` is S3's own form of it. Sizes are exclusive bounds in bytes, as S3's are."""

    id: str
    enabled: bool
    prefix: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    larger_than: int | None = None
    smaller_than: int | None = None
    transitions: tuple[Transition, ...] = ()
    expires_after_days: int | None = None
    expires_on: datetime | None = None
    document: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def expires(self) -> bool:
        return self.expires_after_days is not None or self.expires_on is not None

    @property
    def acts_on_current(self) -> bool:
        """Whether it does anything to what a listing shows; others clear away old versions and unfinished uploads."""
        return self.expires or bool(self.transitions)

    def takes(self, key: str, size: int, tags: Mapping[str, str | None] | None) -> bool:
        """Whether its filter lets the object in.

        ``tags`` are as far as they are known, ``None`` for one that is not there. What is not known may be right.
        """
        if not key.startswith(self.prefix):
            return False
        if self.larger_than is not None and size <= self.larger_than:
            return False
        if self.smaller_than is not None and size >= self.smaller_than:
            return False
        known = tags or {}
        return all(known[name] == value for name, value in self.tags.items() if name in known)

    def moves(self, size: int, storage_class: str, default_size: str) -> bool:
        """Whether S3 moves an object of that size there; a size filter of the rule's own overrides the default."""
        if self.larger_than is not None or self.smaller_than is not None:
            return True
        return size >= SMALLEST_MOVED_BYTES or (
            default_size == MOVES_SMALL_ONES and needs_thaw(storage_class)
        )

    def expiry_of(self, stored_at: datetime) -> datetime | None:
        """When it deletes an object that was stored then."""
        if self.expires_after_days is None:
            return self.expires_on
        return _next_midnight(stored_at + timedelta(days=self.expires_after_days))


def _next_midnight(moment: datetime) -> datetime:
    midnight = datetime.combine(moment.astimezone(timezone.utc).date(), time(), timezone.utc)
    return midnight if midnight == moment else midnight + timedelta(days=1)


def rule_of(document: Mapping[str, Any]) -> Rule:
    """A rule of ``GetBucketLifecycleConfiguration``, in its older form (``Prefix``) or the present one."""
    where = document.get("Filter") or {}
    narrowed = {**where, **where.get("And", {})}
    tags = [*narrowed.get("Tags", []), *([narrowed["Tag"]] if "Tag" in narrowed else [])]
    expiration = document.get("Expiration", {})
    return Rule(
        id=document.get("ID", ""),
        enabled=document.get("Status") == "Enabled",
        prefix=narrowed.get("Prefix") or document.get("Prefix") or "",
        tags={tag["Key"]: tag["Value"] for tag in tags},
        larger_than=narrowed.get("ObjectSizeGreaterThan"),
        smaller_than=narrowed.get("ObjectSizeLessThan"),
        transitions=tuple(
            Transition(transition["StorageClass"], transition.get("Days"), transition.get("Date"))
            for transition in document.get("Transitions", [])
        ),
        expires_after_days=expiration.get("Days"),
        expires_on=expiration.get("Date"),
        document=document,
    )


# ---------------------------------------------------------------- the book


@dataclasses.dataclass
class _OfJob:
    """What was seen of one job: volumes that no rule moves, and those that one should have moved by now."""

    watched: WatchedJob
    unmoved: Tally = dataclasses.field(default_factory=Tally)
    late: Tally = dataclasses.field(default_factory=Tally)
    oldest_late: datetime | None = None
    files: dict[str, list[tuple[str, datetime, int]]] = dataclasses.field(default_factory=dict)


class RuleBook:
    """The lifecycle rules of one bucket. Feed it every current object, then ask for ``findings``."""

    def __init__(self, bucket: str, rules: Sequence[Rule], default_size: str, now: datetime) -> None:
        self._bucket = bucket
        self._rules = rules
        self._active = [rule for rule in rules if rule.enabled]
        self._default_size = default_size
        self._now = now
        self._matched = [0] * len(self._active)
        self._metadata_matched: list[tuple[WatchedJob, str] | None] = [None] * len(self._active)
        self._count = 0
        self._expires = any(rule.expires for rule in self._active)
        self._prefixes: dict[bool, set[str]] = {True: set(), False: set()}
        """What the names begin with, folders included: those of volumes, and those of metadata."""
        self._jobs: dict[str, _OfJob] = {}

    def add_other(self, key: str, stored: StoredObject) -> None:
        """An object that belongs to no job."""
        self._match(key, stored, None)

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
        if not is_volume:
            for index in matching:
                archives = any(
                    needs_thaw(transition.storage_class) for transition in self._active[index].transitions
                )
                if archives:
                    self._metadata_matched[index] = self._metadata_matched[index] or (watched, key)
        else:
            self._add_volume(of_job, matching, stored)
        if file.set_id.is_full and self._expires:
            of_job.files.setdefault(str(file.set_id), []).append((key, stored.stored_at, stored.size))

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
            _next_midnight(stored.stored_at + timedelta(days=transition.after_days))
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
        """``chains`` are the sealed and open sets by the jobs' labels; ``jobs`` all that are in this bucket."""
        found: list[Finding] = []
        watched = list(jobs)
        for index, rule in enumerate(self._active):
            if not rule.acts_on_current:
                continue
            as_meant = rule
            if self._count and not self._matched[index] and not rule.id.startswith(OWN_RULES):
                meant = self._probable_prefix(rule)
                found.append(self._matches_nothing(rule, meant))
                as_meant = dataclasses.replace(rule, prefix=meant) if meant is not None else rule
            found += self._archives_metadata(rule, index, watched)
            found += self._expires_full(rule, as_meant, chains)
        for job in watched:
            found += self._of_job(job)
        return found

    def _of_job(self, watched: WatchedJob) -> list[Finding]:
        of_job = self._jobs.get(watched.label, _OfJob(watched))
        found = []
        if watched.custody is not Custody.FOREIGN and (
            of_job.unmoved.count or not self._has_rule_for(watched)
        ):
            found.append(self._no_rule(of_job))
        if of_job.oldest_late is not None:
            found.append(self._late(of_job, of_job.oldest_late))
        return found

    def _has_rule_for(self, watched: WatchedJob) -> bool:
        """Whether a rule waits for the volumes that are still to come."""
        storage, location = watched.job.storage, watched.job.location
        volumes, tags = location.key(VOLUME_PREFIX), {STORAGE_TAG_KEY: storage.tag_value}
        return any(
            rule.takes(volumes, SMALLEST_MOVED_BYTES, tags)
            # In a bucket that was there before, its owner's choice of class is as good.
            and (watched.custody is Custody.ADOPTED or transition.storage_class == storage.archive_class)
            for rule in self._active
            for transition in rule.transitions
        )

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

    def _matches_nothing(self, rule: Rule, meant: str | None) -> Finding:
        asked = _asked(rule)
        says = f"no object of {self._count} does" if self._count > 1 else "the only object does not"
        message = f"The lifecycle rule {_called(rule)} of {self._bucket} asks for {asked}, and {says}: it does nothing."
        commands: tuple[str, ...] = (_look(self._bucket),)
        if meant is not None:
            message += f" It probably means the prefix {meant}."
            commands = (self._rewrite(rule, _with_prefix(rule.document, meant)),)
        evidence = json.dumps(_plain(rule.document), ensure_ascii=False, sort_keys=True)
        return new_finding(
            "rule_matches_nothing",
            subject=f"{self._bucket}/{rule.id}",
            message=message,
            evidence=evidence,
            commands=commands,
        )

    def _probable_prefix(self, rule: Rule) -> str | None:
        """The prefix that the rule was meant to have: ``_data`` is ``data_``, ``/laptop/data`` is ``laptop/data_``."""
        if not rule.prefix:
            return None
        archives = any(needs_thaw(transition.storage_class) for transition in rule.transitions)
        of_volumes, of_metadata = self._prefixes[True], self._prefixes[False]
        # A rule that archives is never suggested for metadata.
        candidates = sorted((of_volumes - of_metadata if archives else of_volumes | of_metadata) - {""})
        asked = _letters(rule.prefix)
        for candidate in candidates:
            letters = _letters(candidate)
            if letters and (asked == letters or asked.endswith(letters)):
                return candidate
        last_parts = {_letters(candidate.rpartition("/")[2]): candidate for candidate in candidates}
        if asked in last_parts:
            return last_parts[asked]
        by_letters = {_letters(candidate): candidate for candidate in candidates}
        close = difflib.get_close_matches(asked, list(by_letters), 1, SIMILAR_ENOUGH)
        return by_letters[close[0]] if close else None

    def _archives_metadata(self, rule: Rule, index: int, jobs: Iterable[WatchedJob]) -> list[Finding]:
        classes = [
            transition.storage_class
            for transition in rule.transitions
            if needs_thaw(transition.storage_class)
        ]
        if not classes:
            return []
        seen = self._metadata_matched[index]
        if seen is not None:
            watched, evidence = seen[0], f"it takes s3://{self._bucket}/{seen[1]}"
        else:
            will = [job for job in jobs if _takes_metadata_of(rule, job)]
            if not will:
                return []
            watched = will[0]
            evidence = f"it takes everything below {watched.job.location.key(METADATA_PREFIX)}"
        volumes = watched.job.location.key(VOLUME_PREFIX)
        return [
            new_finding(
                "rule_archives_metadata",
                subject=f"{self._bucket}/{rule.id}",
                message=f"The lifecycle rule {_called(rule)} of {self._bucket} moves manifests and signatures to "
                f"{classes[0]}: after that, neither backup nor restore of {watched.label} works.",
                evidence=f"{evidence}; {json.dumps(_plain(rule.document), ensure_ascii=False, sort_keys=True)}",
                commands=(self._rewrite(rule, _with_prefix(rule.document, volumes)),),
            )
        ]

    def _expires_full(
        self, rule: Rule, as_meant: Rule, chains: Mapping[str, Sequence[BackupSet]]
    ) -> list[Finding]:
        first: tuple[datetime, str, BackupSet, int] | None = None
        for label, of_job in self._jobs.items():
            for full, increments, is_newest in _chains(
                [backup_set for backup_set in chains.get(label, ()) if backup_set.sealed]
            ):
                dates = [
                    date
                    for key, stored_at, size in of_job.files.get(str(full.set_id), ())
                    if as_meant.takes(key, size, None) and (date := as_meant.expiry_of(stored_at)) is not None
                ]
                if dates and (increments or is_newest) and (first is None or min(dates) < first[0]):
                    first = min(dates), label, full, increments
        if first is None:
            return []
        date, label, full, increments = first
        needing = f"{increments} increments that need it" if increments > 1 else "the increment that needs it"
        under = f"from under {needing}" if increments else "and there is no newer one"
        when = f"on {date:%Y-%m-%d}" if date > self._now else f"any day now ({date:%Y-%m-%d} is past)"
        rule_name = f"the lifecycle rule {_called(rule)} of {self._bucket}"
        subject = (
            f"T{rule_name[1:]}"
            if as_meant == rule
            else f"Once its prefix is set right to {as_meant.prefix}, {rule_name}"
        )
        document = json.dumps(_plain(rule.document), ensure_ascii=False, sort_keys=True)
        repaired = _without_expiry(_with_prefix(rule.document, as_meant.prefix))
        return [
            new_finding(
                "rule_expires_full",
                subject=f"{self._bucket}/{rule.id}",
                message=f"{subject} deletes the full backup {full.set_id} of {label} {when}, {under}.",
                evidence=f"first on {date:%Y-%m-%d}; {document}",
                commands=(self._rewrite(rule, repaired),),
            )
        ]

    def _rewrite(self, rule: Rule, document: Mapping[str, Any] | None) -> str:
        """The command that writes the bucket's rules with this one changed, or left out where it does nothing any
        more."""
        others = [other.document if other is not rule else document for other in self._rules]
        rules = [_plain(rule_document) for rule_document in others if rule_document]
        words = ("aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", self._bucket)
        if not rules:
            return command("aws", "s3api", "delete-bucket-lifecycle", "--bucket", self._bucket)
        # Left out, S3's own default would take the place of the owner's choice.
        kept = ("--transition-default-minimum-object-size", MOVES_SMALL_ONES)
        size = kept if self._default_size == MOVES_SMALL_ONES else ()
        configuration = json.dumps({"Rules": rules}, ensure_ascii=False)
        return command(*words, *size, "--lifecycle-configuration", configuration)


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


def _chains(sets: Sequence[BackupSet]) -> list[tuple[BackupSet, int, bool]]:
    """Each full set with the number of increments that need it, and whether it is the newest one."""
    following: dict[datetime, list[BackupSet]] = {}
    for backup_set in sets:
        if backup_set.set_id.start is not None:
            following.setdefault(backup_set.set_id.start, []).append(backup_set)
    fulls = sorted(
        (backup_set for backup_set in sets if backup_set.set_id.is_full),
        key=lambda backup_set: backup_set.set_id.end,
    )
    chains = []
    for full in fulls:
        seen: set[datetime] = set()
        ends, increments = [full.set_id.end], 0
        while ends:
            end = ends.pop()
            if end in seen:
                continue  # a name that goes back in time would make a ring
            seen.add(end)
            increments += len(following.get(end, ()))
            ends += [backup_set.set_id.end for backup_set in following.get(end, ())]
        chains.append((full, increments, full is fulls[-1]))
    return chains


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


def _with_prefix(document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The rule with another prefix, the rest of its filter as it was."""
    changed = {name: value for name, value in document.items() if name not in ("Prefix", "Filter")}
    where = dict(document.get("Filter") or {})
    if "And" in where:
        return {**changed, "Filter": {"And": {**where["And"], "Prefix": prefix}}}
    where.pop("Prefix", None)
    if "Tag" in where:
        return {**changed, "Filter": {"And": {"Tags": [where["Tag"]], "Prefix": prefix}}}
    if where:
        return {**changed, "Filter": {"And": {**where, "Prefix": prefix}}}
    return {**changed, "Filter": {"Prefix": prefix}}


def _without_expiry(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rule without its expiry; ``None`` if nothing is left for it to do."""
    left = {name: value for name, value in document.items() if name != "Expiration"}
    actions = {"Transitions", "NoncurrentVersionTransitions", "NoncurrentVersionExpiration"}
    return left if (actions | {"AbortIncompleteMultipartUpload"}) & left.keys() else None


def _look(bucket: str) -> str:
    return command("aws", "s3api", "get-bucket-lifecycle-configuration", "--bucket", bucket)


def _plain(document: object) -> Any:
    """As JSON takes it: dates as texts."""
    if isinstance(document, Mapping):
        return {name: _plain(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_plain(value) for value in document]
    return document.isoformat() if isinstance(document, datetime) else document
