"""A laptop: 50 GB, 5 GB more each year, half a GB changed each week."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta

from bench.years.duplicity import WEEK, MadeChain, SourceOfYears, full_every, full_when, weekly_chains
from bench.years.letting_go import LOOKS_EVERY_DAYS, let_go
from bench.years.lots import DAYS, START, Lot
from bench.years.setups import LotChain, TenYears, broken_days, flat, gone_later
from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    KEPT_IN_STANDARD,
    StoragePolicy,
)
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB, KB
from ops.storage_costs import DEFAULT_VOLUME_BYTES, MB

LAPTOP = SourceOfYears(50 * GB, 5 * GB, GB // 2, signature_ratio=0.012)
EXPIRES = timedelta(days=365)
PACK_BYTES = 16 * MB
"""restic's default."""
SMALL_FILE_BYTES = 250 * KB

FLEXIBLE = StoragePolicy(GLACIER_FLEXIBLE_RETRIEVAL, 7)
INSTANT = StoragePolicy(GLACIER_INSTANT_RETRIEVAL, 7)
DEEP = StoragePolicy(DEEP_ARCHIVE, 7)

OURS_INSTANT = "**panicroom, Glacier Instant Retrieval**"
OURS_DEEP = "**panicroom, Deep Archive**"
OURS_NEVER = "panicroom, Glacier Instant Retrieval, and nobody ever approves"


@functools.cache
def laptop_setups() -> tuple[TenYears, ...]:
    """Others first."""
    quarterly, yearly = (weekly_chains(LAPTOP, full_every(days)) for days in (91, 365))
    return (
        expiring("script: quarterly full backups, Flexible Retrieval, files expire after a year", quarterly),
        expiring("the same with yearly full backups", yearly),
        for_ever("the same quarterly script, where the rules' prefix matches no file", quarterly),
        keeps_two(
            "duplicity with yearly full backups, removes all but two, Instant Retrieval", yearly, INSTANT
        ),
        _restic_like(),
        _sync(),
        ours(OURS_INSTANT, INSTANT),
        ours(OURS_DEEP, DEEP),
        ours(OURS_NEVER, INSTANT, looks_every_days=None),
    )


@functools.cache
def what_safety_costs() -> tuple[TenYears, ...]:
    """Of panicroom in Glacier Instant Retrieval: its rules made stricter or laxer than they are."""
    as_it_is = ours("as it is: a successor of 180 days, then 30 days under markers", INSTANT)
    return (
        as_it_is,
        TenYears("if a successor counted at once", gone_later(as_it_is.lots, -180), as_it_is.newest),
        TenYears("90 days under markers", gone_later(as_it_is.lots, 60), as_it_is.newest),
        ours("nobody ever approves", INSTANT, looks_every_days=None),
    )


@functools.cache
def our_chains() -> tuple[MadeChain, ...]:
    return weekly_chains(LAPTOP, full_when(2.0))


@functools.cache
def ours(name: str, storage: StoragePolicy, *, looks_every_days: int | None = LOOKS_EVERY_DAYS) -> TenYears:
    """The client's default policy, and chains that go by the service's own rules."""
    gone = {one.chain.end: one for one in let_go(our_chains(), looks_every_days=looks_every_days)}
    chains: list[LotChain] = []
    for chain in our_chains():
        went = gone.get(chain[0].made_at)
        hidden_at, gone_at = (went.begun_at, went.final_at) if went else (None, None)
        chains.append(
            flat(
                one.lots(DEFAULT_VOLUME_BYTES, storage, tagged=True, hidden_at=hidden_at, gone_at=gone_at)
                for one in chain
            )
        )
    return TenYears(name, flat(chains), chains[-1], broken_days(chains))


def expiring(name: str, made: Sequence[MadeChain], volume_size: int = DEFAULT_VOLUME_BYTES) -> TenYears:
    """A rule by age removes each file a year after its upload, whatever still needs it."""
    chains = [
        flat(one.lots(volume_size, FLEXIBLE, gone_at=one.made_at + EXPIRES) for one in chain)
        for chain in made
    ]
    return TenYears(name, flat(chains), chains[-1], broken_days(chains), "everything")


def for_ever(name: str, made: Sequence[MadeChain], volume_size: int = DEFAULT_VOLUME_BYTES) -> TenYears:
    """Nothing moves and nothing goes."""
    chains = [flat(one.lots(volume_size, KEPT_IN_STANDARD) for one in chain) for chain in made]
    return TenYears(name, flat(chains), chains[-1], broken_days(chains))


def keeps_two(name: str, made: Sequence[MadeChain], storage: StoragePolicy) -> TenYears:
    """The laptop removes a chain once two newer ones have begun, with keys that may delete everything."""
    ends = [chain[0].made_at for chain in made[2:]]
    chains = [
        flat(one.lots(200 * MB, storage, gone_at=end) for one in chain)
        for chain, end in zip(made, [*ends, None, None], strict=True)
    ]
    return TenYears(name, flat(chains), chains[-1], broken_days(chains))


def _restic_like() -> TenYears:
    """No chains: what has changed replaces as much, which is kept for a year."""
    kept = timedelta(days=365)
    now, changed = _live_and_replaced(PACK_BYTES, StoragePolicy(GLACIER_INSTANT_RETRIEVAL, 0), kept)
    indexes = [Lot(Tally(2, 3 * MB), lot.stored_at) for lot in changed]
    name = "like restic: packs of 16 MB, kept for a year, Instant Retrieval"
    return TenYears(name, [*now, *changed, *indexes], now)


def _sync() -> TenYears:
    now, old = _live_and_replaced(SMALL_FILE_BYTES, StoragePolicy(DEEP_ARCHIVE, 0), timedelta(days=200))
    name = "`aws s3 sync` to Deep Archive, not encrypted, files of 250 KB, old versions kept for 200 days"
    return TenYears(name, [*now, *old], now)


def _live_and_replaced(
    object_bytes: int, storage: StoragePolicy, kept: timedelta
) -> tuple[list[Lot], list[Lot]]:
    grown = LAPTOP.bytes_a_year * 7 // 365
    live = [Lot(objects_of(LAPTOP.first_bytes, object_bytes), START, storage)]
    replaced = []
    for week in range(1, -(-DAYS // 7)):
        at = START + week * WEEK
        live.append(Lot(objects_of(grown, object_bytes), at, storage))
        changed = objects_of(LAPTOP.bytes_a_week - grown, object_bytes)
        replaced.append(Lot(changed, at, storage, gone_at=at + kept))
    return live, replaced


def objects_of(size_bytes: int, object_bytes: int) -> Tally:
    return Tally(max(1, -(-size_bytes // object_bytes)), size_bytes)
