"""What retention goes by: the sets of a job, what the owner has looked at, and what stands in the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet


@dataclasses.dataclass(frozen=True)
class OwnerChoices:
    """What the owner has said of a job's chains, each named by its full set.

    ``looked_at``: when the owner last approved the list of chains; ``digest`` of what was shown; ``seen`` the chains in
    it, as one that was stored before and catalogued after was not seen. ``named``: chains that may go though their
    successor is much smaller, or of another enrolment. ``held`` chains stay, or all of them. ``revision`` guards the
    row: nothing goes on choices that have changed since they were read.
    """

    looked_at: datetime | None = None
    digest: str = ""
    named: frozenset[SetId] = frozenset()
    held: frozenset[SetId] = frozenset()
    holds_all: bool = False
    seen: frozenset[SetId] = frozenset()
    revision: int = 0


@dataclasses.dataclass(frozen=True)
class RetentionFacts:
    """``sets`` are all of which something is stored, open ones too, but none of a chain that was let go.

    ``enrolled_at`` has every enrolment of the machine's name. ``announced`` counts the weekly mails that named a chain,
    ``let_go_at`` when the newest chain of the job was let go, ``fetched_at`` when a volume of a set was last fetched.
    ``blocks`` are sentences on why nothing of the job may go now (``chalicelib.domain.retention.blocks``).
    """

    sets: Sequence[BackupSet]
    quarantined: frozenset[SetId] = frozenset()
    choices: OwnerChoices = OwnerChoices()
    enrolled_at: tuple[datetime, ...] = ()
    locked_until: Mapping[SetId, datetime] = dataclasses.field(default_factory=dict)
    announced: Mapping[SetId, int] = dataclasses.field(default_factory=dict)
    fetched_at: Mapping[SetId, datetime] = dataclasses.field(default_factory=dict)
    let_go_at: datetime | None = None
    blocks: tuple[str, ...] = ()
