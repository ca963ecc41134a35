"""Where volumes are kept: storage policies, the tag that names them, and which classes need a thaw.

S3 takes 1,000 lifecycle rules a bucket, so there is one rule a *policy*, not one a machine: the rule is filtered
by a tag that is signed into the PUT of each volume. Metadata carries no tag and so always stays in Standard.
"""

from __future__ import annotations

import dataclasses

STORAGE_TAG_KEY = "panicroom-storage"

STANDARD = "STANDARD"
GLACIER_INSTANT_RETRIEVAL = "GLACIER_IR"
GLACIER_FLEXIBLE_RETRIEVAL = "GLACIER"
DEEP_ARCHIVE = "DEEP_ARCHIVE"

ARCHIVE_CLASSES = frozenset({GLACIER_FLEXIBLE_RETRIEVAL, DEEP_ARCHIVE})
"""Classes whose objects cannot be read before a thaw; Glacier Instant Retrieval can."""


@dataclasses.dataclass(frozen=True)
class StoragePolicy:
    """Volumes move to ``archive_class`` that many days after the upload."""

    archive_class: str
    archive_after_days: int

    @property
    def tag_value(self) -> str:
        """The value of ``STORAGE_TAG_KEY`` on a volume, ``glacier-ir-7d``."""
        return f"{self.archive_class.lower().replace('_', '-')}-{self.archive_after_days}d"

    @property
    def tagging(self) -> str:
        """The tag as the ``x-amz-tagging`` header carries it."""
        return f"{STORAGE_TAG_KEY}={self.tag_value}"


DEFAULT_STORAGE_POLICY = StoragePolicy(GLACIER_INSTANT_RETRIEVAL, 7)
"""Readable at once, at a sixth of Standard's price; seven days leave an unfinished set in Standard, since a
resume has to read its first volume."""

STORAGE_POLICIES = (
    DEFAULT_STORAGE_POLICY,
    StoragePolicy(GLACIER_FLEXIBLE_RETRIEVAL, 7),
    StoragePolicy(DEEP_ARCHIVE, 7),
)
"""The policies that a job may have; the bucket carries one lifecycle rule for each."""


def needs_thaw(storage_class: str) -> bool:
    return storage_class in ARCHIVE_CLASSES


def readable_instead_of(storage_class: str) -> str:
    """The class itself if it can be read at once, else the cheapest one that can."""
    return GLACIER_INSTANT_RETRIEVAL if needs_thaw(storage_class) else storage_class
