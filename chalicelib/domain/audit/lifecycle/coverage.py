"""Which files of a job a lifecycle rule takes: those that are there, and those that are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.lifecycle.rules import Rule
from chalicelib.domain.backups.names import (
    METADATA_PREFIX,
    VOLUME_PREFIX,
    BackupFile,
    FileKind,
    prefixes_overlap,
)
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import SMALLEST_MOVED_BYTES, STORAGE_TAG_KEY, needs_thaw

INTELLIGENT_TIERING = "INTELLIGENT_TIERING"

NAMES_BEGIN = "duplicity-"
"""How duplicity's names begin after their prefix, those of volumes and of metadata alike. A rule for ``data_*`` takes
none of them: S3 knows no wildcards."""


def can_sink(storage_class: str) -> bool:
    """Whether S3 may put an object of that class where it cannot be read before a thaw."""
    return needs_thaw(storage_class) or storage_class == INTELLIGENT_TIERING


def known_tags(watched: WatchedJob, file: BackupFile, stored: StoredObject) -> Mapping[str, str | None]:
    """The tag that names the storage policy. Where nobody has asked for it: in the service's own bucket it is what was
    signed into the PUT; files that were there before the service was have none."""
    if watched.custody is Custody.FOREIGN:
        return {}
    if stored.storage_tag is not None:
        return {STORAGE_TAG_KEY: stored.storage_tag or None}
    is_tagged = watched.custody is Custody.OWN and file.kind is FileKind.VOLUME and file.is_under_right_prefix
    return {STORAGE_TAG_KEY: watched.job.storage.tag_value if is_tagged else None}


def takes_to_come(
    rule: Rule, watched: WatchedJob, kinds: Sequence[str] = (VOLUME_PREFIX, METADATA_PREFIX)
) -> bool:
    """Whether the rule waits for files of the job that are still to come. Ours carry no tag but the service's own."""
    tag = {STORAGE_TAG_KEY: watched.job.storage.tag_value}
    if watched.custody is not Custody.FOREIGN and not (rule.tags.items() <= tag.items()):
        return False
    prefixes = kinds if watched.custody is not Custody.FOREIGN else (*kinds, "")
    return any(_takes_names(rule, watched, prefix) for prefix in prefixes)


def takes_metadata_to_come(rule: Rule, watched: WatchedJob) -> bool:
    """Metadata of ours carries no tag."""
    return not rule.tags and _takes_names(rule, watched, METADATA_PREFIX)


def _takes_names(rule: Rule, watched: WatchedJob, prefix: str) -> bool:
    return prefixes_overlap(rule.prefix, watched.job.location.key(prefix + NAMES_BEGIN))


def has_rule_for(watched: WatchedJob, rules: Iterable[Rule]) -> bool:
    """Whether a rule waits for the volumes that are still to come."""
    storage, location = watched.job.storage, watched.job.location
    volumes, tags = location.key(VOLUME_PREFIX + NAMES_BEGIN), {STORAGE_TAG_KEY: storage.tag_value}
    return any(
        rule.takes(volumes, SMALLEST_MOVED_BYTES, tags)
        # In a bucket that was there before, its owner's choice of class is as good.
        and (watched.custody is Custody.ADOPTED or transition.storage_class == storage.archive_class)
        for rule in rules
        for transition in rule.transitions
    )


def shortest_old_versions_days(rules: Iterable[Rule], prefix: str) -> int | None:
    """How soon a rule that may take files below ``prefix`` removes their old versions; ``None`` where none does."""
    days = [
        rule.old_versions_days
        for rule in rules
        if rule.enabled and rule.old_versions_days is not None and prefixes_overlap(rule.prefix, prefix)
    ]
    return min(days, default=None)
