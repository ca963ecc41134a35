"""A chain that was let go, or dropped by the owner: hidden at once, marked deleted, and removed for good in the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tallies, add_tallies, sum_of, total_bytes
from chalicelib.domain.retention.limits import GRACE

UNDO_IMPOSSIBLE = "undo_impossible"
"""The finding of a chain that could not be brought back whole."""


@dataclasses.dataclass(frozen=True)
class LetGo:
    """``chain`` names it by its full set; a single set that the owner drops is named by itself. ``sets`` are all of it.
    ``size_bytes`` and ``files`` are what it had when it went, and ``went`` the same of each set, by storage class: the
    rows of the sets are emptied when S3 removes the files, and what it bills until then goes by this. ``let_go_of``
    makes all three.

    ``marked_at`` is when the last of its files was marked deleted: until then the work goes on. ``undone_at`` is when
    the owner began to bring it back. ``dropped``: removed for good by the owner's own credentials.
    """

    machine: str
    job: str
    chain: SetId
    sets: tuple[SetId, ...]
    begun_at: datetime
    size_bytes: int = 0
    files: int = 0
    marked_at: datetime | None = None
    undone_at: datetime | None = None
    dropped: bool = False
    went: Mapping[SetId, Tallies] = dataclasses.field(default_factory=dict)

    @property
    def is_going(self) -> bool:
        """Whether files of it are to be marked still; not where the owner brings it back, or removes it."""
        return self.marked_at is None and self.undone_at is None and not self.dropped

    @property
    def final_at(self) -> datetime:
        """From when on S3 bills it no more, whether or not it has removed it by then."""
        return final_after(self.marked_at or self.begun_at)

    def billed_until(self, now: datetime) -> datetime:
        """Of what S3 has removed, or will: when its billing ends. As long as files are still being marked, as if the
        last had been marked at ``now``; what the owner's credentials dropped is gone at once."""
        marked_at = self.marked_at or now
        return marked_at if self.dropped else dataclasses.replace(self, marked_at=marked_at).final_at


def final_after(marked_at: datetime) -> datetime:
    """S3 counts the days from the marker and rounds up to the next midnight UTC (user guide,
    "lifecycle-expire-general-considerations")."""
    midnight = marked_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if marked_at == midnight else midnight + timedelta(days=1)) + GRACE


def let_go_of(
    machine: str, job: str, chain: SetId, sets: Sequence[BackupSet], now: datetime, *, dropped: bool = False
) -> LetGo:
    """What goes when these sets, as they are stored at ``now``, are let go; of those that are dropped the older
    versions go as well."""
    went = {
        backup_set.set_id: add_tallies(backup_set.current, backup_set.noncurrent)
        if dropped
        else dict(backup_set.current)
        for backup_set in sets
    }
    return LetGo(
        machine,
        job,
        chain,
        tuple(backup_set.set_id for backup_set in sets),
        now,
        sum(total_bytes(tallies) for tallies in went.values()),
        sum(tally.count for tallies in went.values() for tally in tallies.values()),
        dropped=dropped,
        went=went,
    )


@dataclasses.dataclass(frozen=True)
class NotWhole:
    """Why a chain is not back: a sentence, and whether files of it are lost; others only stand over them."""

    message: str
    is_lost: bool


def what_is_wrong(
    let_go: LetGo, sets: Mapping[SetId, BackupSet], replaced: Sequence[str] = ()
) -> NotWhole | None:
    """``None`` where all of it is back: each set has as many files and bytes as went. ``replaced`` are files over which
    others were seen to stand."""
    name = f"{let_go.machine}/{let_go.job}"
    missing, other = 0, list[SetId]()
    for set_id, went in let_go.went.items():
        is_back = sum_of(sets[set_id].current if set_id in sets else {})
        lacks = sum_of(went).count - is_back.count
        missing += max(0, lacks)
        if lacks < 0 or (not lacks and is_back != sum_of(went)):
            other.append(set_id)
    if missing:
        lost = f"{missing:,} of the {let_go.files:,} files of {let_go.chain} of {name} have been removed for good."
        return NotWhole(lost, is_lost=True)
    if other or replaced:
        where = replaced[0] if replaced else f"those of {other[0]}"
        return NotWhole(f"Other files stand where {where} of {name} stood.", is_lost=False)
    return None
