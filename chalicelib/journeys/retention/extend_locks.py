"""Keeps Object Lock on what the next restore needs: a lock that lapses leaves the newest chain to whoever has rights.

A chain that stays for years outlives the lock that its files were stored with. So each day one version is asked how
long it is locked still; when that is less than half of the bucket's period, all of the chain is locked anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.s3_versions import VersionLock, VersionStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import parse_file_name, volume_file
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.rules import counted_chains, is_sound, was_seen

_AT_ONCE = 1000


def locked_chains(facts: RetentionFacts) -> list[BackupChain]:
    """The chains whose locks are kept up: the newest sound one, and the newest that the owner has seen as well. A
    thief's full backup must not let the lock of the real one lapse."""
    sound = [chain for chain in counted_chains(facts) if is_sound(chain, facts)]
    seen = [chain for chain in sound if was_seen(chain, facts.choices)]
    return list({chain.id: chain for chain in (*seen[-1:], *sound[-1:])}.values())


def extend_locks(
    catalogue: CatalogueStore,
    versions: VersionStore,
    job: Job,
    chains: Sequence[BackupChain],
    period: timedelta,
    now: datetime,
    has_time: Callable[[], bool],
) -> int:
    """Locks anew, in the mode they have, what is locked for less than half of ``period`` still; how many versions.

    What has no lock gets none: it was stored before the bucket had one.
    """
    firsts = [volume_file(chain.id, 1).name for chain in chains]
    rows = catalogue.objects_named(job, firsts)
    stored = {name: row.stored.version_id for name, row in rows.items() if row.stored}
    asked = [(name, version) for name, version in stored.items() if version]
    due = {
        name for (name, _), lock in versions.locks(job.location, asked).items() if _is_due(lock, period, now)
    }
    sets = {
        set_id
        for chain, first in zip(chains, firsts, strict=True)
        if first in due
        for set_id in chain.set_ids
    }
    extended, current = 0, _current_versions(versions, job) if sets else iter(())
    wanted = (one for one in current if (file := parse_file_name(one[0])) and file.set_id in sets)
    while has_time() and (block := list(itertools.islice(wanted, _AT_ONCE))):
        for (name, version), lock in versions.locks(job.location, block).items():
            if _is_due(lock, period, now):
                versions.extend_lock(job.location, name, version, VersionLock(lock.mode, now + period))
                extended += 1
    return extended


def _is_due(lock: VersionLock, period: timedelta, now: datetime) -> bool:
    return lock.until - now < period / 2


def _current_versions(versions: VersionStore, job: Job) -> Iterator[tuple[str, str]]:
    """S3 lists the newest version of a name first."""
    return ((file.name, file.versions[0]) for file in versions.files(job.location) if not file.is_marked)
