"""Lifecycle rules of S3, in one form.

What stands here is from the user guide, "Lifecycle configuration elements" and "Transitioning objects": a rule's day is
counted from the object's creation and rounded up to the next midnight UTC; objects under 128 KB are not moved unless a
rule names a size of its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta, timezone
from typing import Any

from chalicelib.domain.backups.storage import SMALLEST_MOVED_BYTES, needs_thaw

Document = Mapping[str, Any]
"""A rule as ``GetBucketLifecycleConfiguration`` returns it."""

MOVES_SMALL_ONES = "varies_by_storage_class"
"""The bucket's older default, by which Glacier and Deep Archive take objects of any size."""


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
    old_versions_days: int | None = None
    """Days after which a version that was deleted or overwritten is removed for good."""
    document: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def called(self) -> str:
        return self.id or "without a name"

    @property
    def asks_for(self) -> str:
        """Its filter in words."""
        parts = [f"the prefix {self.prefix}"] if self.prefix else []
        parts += [f"the tag {name}={value}" for name, value in self.tags.items()]
        parts += [f"more than {self.larger_than} bytes"] if self.larger_than is not None else []
        parts += [f"less than {self.smaller_than} bytes"] if self.smaller_than is not None else []
        return " and ".join(parts) or "every object"

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
        return next_midnight(stored_at + timedelta(days=self.expires_after_days))


def next_midnight(moment: datetime) -> datetime:
    midnight = datetime.combine(moment.astimezone(timezone.utc).date(), time(), timezone.utc)
    return midnight if midnight == moment else midnight + timedelta(days=1)


def rule_of(document: Mapping[str, Any]) -> Rule:
    """A rule from S3's own form of it, the older one (``Prefix``) or the present one."""
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
            Transition(one["StorageClass"], one.get("Days"), one.get("Date"))
            for one in document.get("Transitions", [])
        ),
        expires_after_days=expiration.get("Days"),
        expires_on=expiration.get("Date"),
        old_versions_days=document.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        document=document,
    )


def present_form(document: Document) -> dict[str, Any]:
    """The rule with a ``Filter``. Rules of before 2017 have ``Prefix`` beside the actions instead, and S3 refuses a
    configuration that has both forms ("Filter element can only be used in Lifecycle V2")."""
    if "Filter" in document:
        return {name: value for name, value in document.items() if name != "Prefix"}
    changed = {name: value for name, value in document.items() if name != "Prefix"}
    return {**changed, "Filter": {"Prefix": document.get("Prefix") or ""}}


def one_line(document: Document) -> str:
    return json.dumps(plain(document), ensure_ascii=False, sort_keys=True)


def plain(document: object) -> Any:
    """As JSON takes it: dates as texts."""
    if isinstance(document, Mapping):
        return {name: plain(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [plain(item) for item in document]
    return document.isoformat() if isinstance(document, datetime) else document
