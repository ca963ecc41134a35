"""What becomes of a job's chains: those that go, those that wait, and those that wait for the owner."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from enum import Enum

from chalicelib.domain.backups.chains import BackupChain


class Why(str, Enum):
    """Why a chain does not go; the first that holds, in this order."""

    HELD = "held"
    LOCKED = "locked"
    OPEN_SET = "open_set"
    FOR_ITS_YEAR = "for_its_year"
    YOUNG = "young"
    MUCH_SMALLER = "much_smaller"
    OTHER_ENROLMENT = "other_enrolment"
    NOT_LOOKED_AT = "not_looked_at"
    NO_SUCCESSOR = "no_successor"
    TANGLED = "tangled"
    BLOCKED = "blocked"
    FETCHED = "fetched"
    UNANNOUNCED = "unannounced"
    ONE_A_DAY = "one_a_day"


ASKS_THE_OWNER = frozenset({Why.MUCH_SMALLER, Why.OTHER_ENROLMENT, Why.NOT_LOOKED_AT})


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A chain that does not go now. ``until`` is when that reason passes by itself, where that is known; ``detail``
    goes behind the reason: what blocks it, or how many mails have named it."""

    chain: BackupChain
    why: Why
    until: datetime | None = None
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class RetentionPlan:
    """``go`` has one chain at most, the oldest; ``needs_owner`` those that only a look, or a name, of the owner lets
    go; ``waits`` all others, the newest chain among them."""

    go: tuple[BackupChain, ...]
    waits: tuple[Waiting, ...]
    needs_owner: tuple[Waiting, ...]
