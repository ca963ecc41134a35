"""Keeps Object Lock on what the next restore needs: a lock that lapses leaves the newest chain to whoever has rights.

A chain that stays for years outlives the lock that its files were stored with. So each day one version is asked how
long it is locked still; when that is less than half of the bucket's period, all of the chain is locked anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.s3_versions import VersionLock, VersionStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId, parse_file_name, volume_file
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.rules import counted_chains, is_sound, was_seen

_AT_ONCE = 1000

_VOLUME_SUFFIXES = (".gpg", ".p7m", ".gz", "")
"""Of an adopted backup, which was perhaps encrypted otherwise, or not at all."""

_LEAST_LEFT = 0.75
"""Of the period, on each file after the chain was locked anew: more than half of it goes by before the next time."""


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
    """Locks anew, in the mode they have, the files of the chains that are locked for less than half of ``period``; how
    many versions.

    What has no lock gets none: it was stored before the bucket had one.
    """
    firsts = {
        f"{volume_file(chain.id, 1).stem}{suffix}": chain for chain in chains for suffix in _VOLUME_SUFFIXES
    }
    rows = catalogue.objects_named(job, list(firsts))
    stored = {name: row.stored.version_id for name, row in rows.items() if row.stored}
    asked = [(name, version) for name, version in stored.items() if version]
    due = [
        (name, version)
        for (name, version), lock in versions.locks(job.location, asked).items()
        if lock.until - now < period / 2
    ]
    if not due:
        return 0
    asks = {name for name, _ in due}
    sets = {set_id for name in asks for set_id in firsts[name].set_ids}
    others = (one for one in _current_versions(versions, job, sets) if one[0] not in asks)
    # Those that are asked each day come last: a call that is cut off before is gone on with by the next one.
    wanted, extended = itertools.chain(others, due), 0
    while has_time() and (block := list(itertools.islice(wanted, _AT_ONCE))):
        for (name, version), lock in versions.locks(job.location, block).items():
            if lock.until - now < period * _LEAST_LEFT:
                versions.extend_lock(job.location, name, version, VersionLock(lock.mode, now + period))
                extended += 1
    return extended


def _current_versions(versions: VersionStore, job: Job, sets: Container[SetId]) -> Iterator[tuple[str, str]]:
    """S3 lists the newest version of a name first."""
    return (
        (one.name, one.versions[0])
        for one in versions.files(job.location)
        if not one.is_marked and (file := parse_file_name(one.name)) is not None and file.set_id in sets
    )
