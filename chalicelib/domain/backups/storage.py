"""Where volumes are kept: storage policies, the tag that names them, and which classes need a thaw.

S3 takes 1,000 lifecycle rules a bucket, so there is one rule a *policy*, not one a machine: the rule is filtered
by a tag that is signed into the PUT of each volume. Metadata carries no tag and so always stays in Standard.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

STORAGE_TAG_KEY = "panicroom-storage"

LET_GO_TAG_KEY, LET_GO_TAG_VALUE = "panicroom-let-go", "yes"
"""On every version of a chain that was let go, beside the tag of its storage policy: the bucket's rule removes old
versions that carry it, and no others."""

STANDARD = "STANDARD"
GLACIER_INSTANT_RETRIEVAL = "GLACIER_IR"
GLACIER_FLEXIBLE_RETRIEVAL = "GLACIER"
DEEP_ARCHIVE = "DEEP_ARCHIVE"

SMALLEST_MOVED_BYTES = 128 * 1024
"""Since September 2024 S3 leaves smaller objects where they are, whatever the class, unless a rule names a size of its
own; where they are put into another class themselves, they are billed as that much."""

ARCHIVE_CLASSES = frozenset({GLACIER_FLEXIBLE_RETRIEVAL, DEEP_ARCHIVE})
"""Classes whose objects cannot be read before a thaw; Glacier Instant Retrieval can."""


DEPTH = (STANDARD, GLACIER_INSTANT_RETRIEVAL, GLACIER_FLEXIBLE_RETRIEVAL, DEEP_ARCHIVE)
"""The classes of the policies: each is cheaper to keep and slower to read than those before it."""

CLASS_OF_NAME: Mapping[str, str] = {
    "standard": STANDARD,
    "instant": GLACIER_INSTANT_RETRIEVAL,
    "flexible": GLACIER_FLEXIBLE_RETRIEVAL,
    "deep": DEEP_ARCHIVE,
}
"""What the owner types for a class."""

NAME_OF_CLASS: Mapping[str, str] = {storage_class: name for name, storage_class in CLASS_OF_NAME.items()}


@dataclasses.dataclass(frozen=True)
class StoragePolicy:
    """Volumes move to ``archive_class`` that many days after the upload; in Standard they stay where they are."""

    archive_class: str
    archive_after_days: int

    @property
    def moves(self) -> bool:
        return self.archive_class != STANDARD

    @property
    def name(self) -> str:
        """What the owner typed for its class."""
        return NAME_OF_CLASS.get(self.archive_class, self.archive_class)

    @property
    def tag_value(self) -> str:
        """The value of ``STORAGE_TAG_KEY`` on a volume, ``glacier-ir-7d``; ``standard`` has no days."""
        name = self.archive_class.lower().replace("_", "-")
        return f"{name}-{self.archive_after_days}d" if self.moves else name

    @property
    def tagging(self) -> str:
        """The tag as the ``x-amz-tagging`` header carries it."""
        return f"{STORAGE_TAG_KEY}={self.tag_value}"

    def accepts(self, storage_class: str) -> bool:
        """Whether a volume in that class can be read at once, or as soon as the owner chose for the job."""
        if not needs_thaw(storage_class):
            return True
        return needs_thaw(self.archive_class) and DEPTH.index(storage_class) <= DEPTH.index(
            self.archive_class
        )


DEFAULT_AFTER_DAYS = 7
"""Leaves an unfinished set in Standard for a week, since a resume has to read its first volume."""

DEFAULT_STORAGE_POLICY = StoragePolicy(GLACIER_INSTANT_RETRIEVAL, DEFAULT_AFTER_DAYS)
"""Readable at once, at a sixth of Standard's price."""

KEPT_IN_STANDARD = StoragePolicy(STANDARD, 0)

DAYS_TO_CHOOSE: Mapping[str, tuple[int, ...]] = {
    GLACIER_INSTANT_RETRIEVAL: (0, 1, 7, 30, 90),
    GLACIER_FLEXIBLE_RETRIEVAL: (7, 30, 90),
    DEEP_ARCHIVE: (7, 30, 90),
}
"""Each is a lifecycle rule in the bucket, so there are a few. None of those that need a thaw comes before a week: an
unfinished set could not be resumed."""

STORAGE_POLICIES = (
    *(StoragePolicy(storage_class, DEFAULT_AFTER_DAYS) for storage_class in DAYS_TO_CHOOSE),
    *(
        StoragePolicy(storage_class, days)
        for storage_class, choice in DAYS_TO_CHOOSE.items()
        for days in choice
        if days != DEFAULT_AFTER_DAYS
    ),
    KEPT_IN_STANDARD,
)
"""The policies that a job may have; the bucket carries one lifecycle rule for each that moves anything."""

POLICY_OF_TAG: Mapping[str, StoragePolicy] = {policy.tag_value: policy for policy in STORAGE_POLICIES}


def chosen_policy(name: str, after_days: int | None = None) -> StoragePolicy:
    """The policy that the owner named. Raises ``ValueError`` with what there is to choose."""
    storage_class = CLASS_OF_NAME.get(name)
    if storage_class is None:
        raise ValueError(f"{name!r} is no storage: choose {', '.join(CLASS_OF_NAME)}.")
    if storage_class == STANDARD:
        if after_days is not None:
            raise ValueError("Nothing is moved out of standard: leave out after how many days.")
        return KEPT_IN_STANDARD
    days = DEFAULT_AFTER_DAYS if after_days is None else after_days
    if days not in DAYS_TO_CHOOSE[storage_class]:
        allowed = ", ".join(f"{one}d" for one in DAYS_TO_CHOOSE[storage_class])
        raise ValueError(f"{name} moves volumes after one of {allowed}, not after {days}d.")
    return StoragePolicy(storage_class, days)


def needs_thaw(storage_class: str) -> bool:
    return storage_class in ARCHIVE_CLASSES


def readable_instead_of(storage_class: str) -> str:
    """The class itself if it can be read at once, else the cheapest one that can."""
    return GLACIER_INSTANT_RETRIEVAL if needs_thaw(storage_class) else storage_class
