"""A pile of photos: 200 GB of twenty years, and 30 GB more each year, in weekly sessions."""

from __future__ import annotations

import functools
from datetime import timedelta

from bench.years.duplicity import WEEK, MadeChain, SourceOfYears, full_every, full_when, weekly_chains
from bench.years.laptop import DEEP, expiring, for_ever, keeps_two, objects_of
from bench.years.lots import DAYS, END, START, Lot
from bench.years.setups import TenYears, flat
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, GLACIER_INSTANT_RETRIEVAL, StoragePolicy
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from ops.storage_costs import MB

OLD_YEARS_GB = (2, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 23)
SESSION_BYTES = 30 * GB * 7 // 365
PHOTOS = SourceOfYears(sum(OLD_YEARS_GB) * GB, 30 * GB, SESSION_BYTES, signature_ratio=0.0014)
"""Signatures of raw files were measured: 1.3 MB for 960 MB."""
VOLUME_BYTES = 200 * MB
PHOTO_BYTES = 30 * MB
RENAMED_BYTES = 10 * GB
WEEKS_A_YEAR = 52

OURS_PHOTOS = "**panicroom: a job for each year, Deep Archive after 7 days, no second full backup**"


@functools.cache
def photo_setups() -> tuple[TenYears, ...]:
    quarterly, yearly = (weekly_chains(PHOTOS, full_every(days)) for days in (91, 365))
    synced = _sessions(PHOTO_BYTES, StoragePolicy(DEEP_ARCHIVE, 0))
    renamed = [
        Lot(
            objects_of(RENAMED_BYTES, PHOTO_BYTES),
            START + timedelta(days=365 * year + 100),
            synced[0].storage,
        )
        for year in range(1, 10)
    ]
    packs = _sessions(16 * MB, StoragePolicy(GLACIER_INSTANT_RETRIEVAL, 0))
    indexes = [Lot(Tally(3, 2 * MB), lot.stored_at) for lot in packs]
    ours = flat(one.lots(VOLUME_BYTES, DEEP, tagged=True) for chain in our_years() for one in chain)
    return (
        expiring("script: quarterly full backups, Flexible Retrieval, files expire after a year", quarterly),
        for_ever("the same, where the rules' prefix matches no file", quarterly),
        keeps_two("duplicity with yearly full backups, removes all but two, Deep Archive", yearly, DEEP),
        TenYears("like restic: packs of 16 MB, Instant Retrieval", [*packs, *indexes], packs),
        TenYears("`aws s3 sync` to Deep Archive, not encrypted", synced, synced),
        TenYears("the same, and a folder of 10 GB is renamed each year", [*synced, *renamed], synced),
        TenYears(OURS_PHOTOS, ours, ours),
    )


def our_years() -> list[MadeChain]:
    """The chains of each year's job: twenty that are there, and ten that grow for a year each."""
    made: list[MadeChain] = []
    for size_gb in OLD_YEARS_GB:
        old = SourceOfYears(size_gb * GB, 0, 0, PHOTOS.signature_ratio)
        made += weekly_chains(old, full_when(None), end=START + WEEK)
    year = WEEK * WEEKS_A_YEAR
    for number in range(-(-DAYS // year.days)):
        begin = START + WEEK + number * year
        made += weekly_chains(
            PHOTOS,
            full_when(None),
            begin=begin,
            end=min(begin + year, END),
            first_bytes=lambda _: SESSION_BYTES,
        )
    return made


def _sessions(object_bytes: int, storage: StoragePolicy) -> list[Lot]:
    first = Lot(objects_of(PHOTOS.first_bytes, object_bytes), START, storage)
    weekly = objects_of(SESSION_BYTES, object_bytes)
    return [first, *(Lot(weekly, START + week * WEEK, storage) for week in range(1, -(-DAYS // 7)))]
