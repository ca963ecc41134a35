"""The sets that duplicity makes of a source in ten years, full or incremental by the client's own policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from panicroom.backup.policy import NewestChain, kind_by_policy
from panicroom.settings import JobSettings

from bench.years.lots import END, START, Lot
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.backups.tallies import Tally

WEEK = timedelta(days=7)


@dataclasses.dataclass(frozen=True)
class SourceOfYears:
    """A folder: bytes at first, those that come in a year, and those that change in a week (new ones included)."""

    first_bytes: int
    bytes_a_year: int
    bytes_a_week: int
    signature_ratio: float

    def size_at(self, moment: datetime) -> int:
        return self.first_bytes + int(self.bytes_a_year * ((moment - START) / timedelta(days=365)))


@dataclasses.dataclass(frozen=True)
class MadeSet:
    """One backup; its metadata are manifest, signatures and statistics."""

    made_at: datetime
    volume_bytes: int
    metadata_bytes: int

    def lots(
        self,
        volume_size: int,
        storage: StoragePolicy,
        *,
        tagged: bool = False,
        hidden_at: datetime | None = None,
        gone_at: datetime | None = None,
    ) -> tuple[Lot, Lot]:
        """Its volumes, and its metadata, which stay in Standard."""
        volumes = Tally(max(1, -(-self.volume_bytes // volume_size)), self.volume_bytes)
        return (
            Lot(volumes, self.made_at, storage, tagged, hidden_at, gone_at),
            Lot(Tally(3, self.metadata_bytes), self.made_at, hidden_at=hidden_at, gone_at=gone_at),
        )


MadeChain = tuple[MadeSet, ...]


def full_every(days: int) -> JobSettings:
    return JobSettings("system", Path("/"), full_every=timedelta(days=days))


def full_when(times_the_source: float | None) -> JobSettings:
    return JobSettings("system", Path("/"), full_when=times_the_source)


def weekly_chains(
    source: SourceOfYears,
    settings: JobSettings,
    *,
    begin: datetime = START,
    end: datetime = END,
    first_bytes: Callable[[datetime], int] | None = None,
) -> tuple[MadeChain, ...]:
    """A backup a week from ``begin`` to before ``end``. ``first_bytes``: how large a full one is, if not the source."""
    full_size = first_bytes or source.size_at
    chains: list[list[MadeSet]] = []
    now = begin
    while now < end:
        newest = _as_the_client_sees(chains[-1]) if chains else None
        is_full = kind_by_policy(newest, settings, full_size(now), now) == "full"
        size_bytes = full_size(now) if is_full else source.bytes_a_week
        if is_full:
            chains.append([])
        chains[-1].append(MadeSet(now, size_bytes, int(size_bytes * source.signature_ratio)))
        now += WEEK
    return tuple(tuple(chain) for chain in chains)


def _as_the_client_sees(chain: list[MadeSet]) -> NewestChain:
    stored_bytes = sum(one.volume_bytes for one in chain)
    return NewestChain(chain[0].made_at, len(chain), chain[0].volume_bytes, stored_bytes)
