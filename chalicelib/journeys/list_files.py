"""The listing that duplicity gets: what the bucket lists, without what is no part of a backup."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.domain.backups.events import MAX_KEY_BYTES
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId, manifest_file, parse_file_name
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode, FileListing


def list_files(catalogue: CatalogueStore, buckets: Buckets, job: Job, after: str) -> FileListing:
    """One page. Strays, misplaced files, hidden sets, and volumes beyond the end of a sealed set are left out."""
    if "\0" in after or len(job.location.key(after).encode()) > MAX_KEY_BYTES:
        raise Refusal(ErrorCode.BAD_REQUEST, "after must be the 'next' of the page before.")
    files, more = buckets.list_page(job.location, after=after)
    parsed = [(listed, parse_file_name(listed.name)) for listed in files]
    last_volumes = _last_volumes(catalogue, buckets, job, {file.set_id for _, file in parsed if file})
    hidden = catalogue.hidden(job)
    kept = []
    for listed, file in parsed:
        if file is None or not file.is_under_right_prefix or file.set_id in hidden:
            continue
        last = last_volumes.get(file.set_id)
        if file.volume is None or last is None or file.volume <= last:
            kept.append(listed)
    return FileListing(tuple(kept), files[-1].name if more else None)


def _last_volumes(
    catalogue: CatalogueStore, buckets: Buckets, job: Job, set_ids: Collection[SetId]
) -> dict[SetId, int | None]:
    """The number of the last volume of those sets that are sealed, where it is known.

    The catalogue lags behind a seal by seconds, and a volume that is added in them must not show: of sets that the
    catalogue holds for open, S3 is asked for the manifest.
    """
    known = {
        backup_set.set_id: backup_set.volumes_promised
        for backup_set in catalogue.sets_between(job, set_ids)
        if backup_set.sealed
    }
    keys = {job.location.key(manifest_file(set_id).name): set_id for set_id in set_ids if set_id not in known}
    manifests = buckets.heads(job.location.bucket, list(keys))
    return known | {keys[key]: found.volumes_promised for key, found in manifests.items() if found}
