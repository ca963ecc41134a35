"""The listing that duplicity sees: the bucket's own word, less what is no part of a backup."""

from __future__ import annotations

from chalicelib.adapters.catalogue_store import CatalogueStore
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.domain.machines import Job
from chalicelib.domain.names import parse_file_name
from chalicelib.wire import FileListing


def list_files(catalogue: CatalogueStore, buckets: Buckets, job: Job, after: str) -> FileListing:
    """One page. Strays, misplaced files, quarantined sets, and volumes beyond the end of a sealed set are left out."""
    files, more = buckets.list_page(job.location, after=after)
    surplus = {backup_set.set_id: backup_set.surplus for backup_set in catalogue.sets(job)}
    quarantined = catalogue.quarantined(job)
    kept = []
    for listed in files:
        file = parse_file_name(listed.name)
        if file is None or not file.is_under_right_prefix or file.set_id in quarantined:
            continue
        if file.volume is None or file.volume not in surplus.get(file.set_id, ()):
            kept.append(listed)
    return FileListing(tuple(kept), files[-1].name if more else None)
