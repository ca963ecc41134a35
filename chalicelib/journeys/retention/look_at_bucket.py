"""Asks S3 for the sets of a job: what the catalogue says of them is believed only where S3 says the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.s3_versions import VersionStore
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId, is_manifest, parse_file_name
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet, SetSum

_MANIFESTS_AT_ONCE = 100


@dataclasses.dataclass(frozen=True)
class BucketLook:
    """``locked_until`` by set, of those that Object Lock keeps."""

    sets: Mapping[SetId, BackupSet]
    locked_until: Mapping[SetId, datetime]


def look_at_bucket(buckets: Buckets, versions: VersionStore, job: Job) -> BucketLook:
    """Reads the versions of all the job's files once, and asks for each manifest by itself: how many volumes its set
    has, and until when it is locked, stands in no listing. Holds a few numbers a set, however many files there are."""
    location, sums = job.location, dict[SetId, SetSum]()
    manifests: dict[str, StoredObject] = {}
    for key, state in buckets.list_states(location.bucket, location.prefix):
        name = key.removeprefix(location.prefix)
        file = parse_file_name(name)
        if file is None or state.stored is None:
            continue
        if is_manifest(name):
            manifests[name] = state.stored
        else:
            _add(sums, file.set_id, ObjectRow(name, state.stored))
    for name, found in _heads(buckets, job, manifests).items():
        file = parse_file_name(name)
        if file is not None:
            _add(sums, file.set_id, ObjectRow(name, found))
    return BucketLook(
        {set_id: total.result() for set_id, total in sums.items()}, _locks(versions, job, manifests)
    )


def _add(sums: dict[SetId, SetSum], set_id: SetId, row: ObjectRow) -> None:
    sums.setdefault(set_id, SetSum(BackupSet(set_id))).change(None, row)


def _heads(buckets: Buckets, job: Job, manifests: Mapping[str, StoredObject]) -> dict[str, StoredObject]:
    names, location = list(manifests), job.location
    found: dict[str, StoredObject] = {}
    for first in range(0, len(names), _MANIFESTS_AT_ONCE):
        block = names[first : first + _MANIFESTS_AT_ONCE]
        heads = buckets.heads(location.bucket, [location.key(name) for name in block])
        found |= {name: head for name in block if (head := heads[location.key(name)]) is not None}
    return found


def _locks(versions: VersionStore, job: Job, manifests: Mapping[str, StoredObject]) -> dict[SetId, datetime]:
    """By the manifests, which are stored last and so locked longest."""
    if versions.default_lock(job.location.bucket) is None:
        return {}
    asked = [(name, stored.version_id) for name, stored in manifests.items() if stored.version_id]
    until: dict[SetId, datetime] = {}
    for (name, _), lock in versions.locks(job.location, asked).items():
        file = parse_file_name(name)
        if file is not None:  # a set may have two manifests, by their endings: the later lock keeps it
            until[file.set_id] = max(lock.until, until.get(file.set_id, lock.until))
    return until
