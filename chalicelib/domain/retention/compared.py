"""What the catalogue and S3 say of the chains that go, and of those that stand in for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.ranges import format_ranges

EVENTS_COME_WITHIN = timedelta(hours=1)
"""What S3 stored later may only not be catalogued yet: that is no difference, and nothing goes on it either."""


def relevant(chain: BackupChain, chains: Iterable[BackupChain]) -> list[BackupSet]:
    """The sets of ``chain`` and of every newer one: whatever could stand in for it."""
    return [
        backup_set
        for other in chains
        if other.id == chain.id or other.first_sealed_at > chain.first_sealed_at
        for backup_set in other.sets
    ]


def differences(
    catalogued: Iterable[BackupSet], stored: Mapping[SetId, BackupSet], now: datetime
) -> tuple[list[str], list[str]]:
    """What differs, a sentence a set: first what is to be looked into, then what S3 stored in the last hour."""
    lasting: list[str] = []
    young: list[str] = []
    for known in catalogued:
        found = stored.get(known.set_id, BackupSet(known.set_id))
        if _of(known) == _of(found):
            continue
        is_young = found.changed_at is not None and now - found.changed_at < EVENTS_COME_WITHIN
        sentence = f"{known.set_id}: {_shown(known)} in the catalogue, {_shown(found)} in the bucket."
        (young if is_young else lasting).append(sentence)
    return lasting, young


def _of(one: BackupSet) -> tuple[object, ...]:
    """What a restore needs of it. The class may have changed a moment ago, and what is older does not count."""
    return one.volumes, one.volumes_promised, one.has_signatures, one.sealed_at, one.stored_bytes


def _shown(one: BackupSet) -> str:
    sealed = f"finished {one.sealed_at:%Y-%m-%d %H:%M:%S} UTC" if one.sealed_at else "no manifest"
    signatures = "" if one.has_signatures else ", no signatures"
    return f"volumes {format_ranges(one.volumes) or 'none'}, {one.stored_bytes} bytes, {sealed}{signatures}"
