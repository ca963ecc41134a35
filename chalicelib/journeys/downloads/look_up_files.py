"""Looks up what S3 holds of the files that a machine asks for: of many together, for less than a HEAD each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import is_manifest
from chalicelib.domain.backups.objects import StoredObject

FEW_FILES = 12
"""Up to here a HEAD for each is no dearer: S3 bills a LIST as 12.5 HEADs."""

Found = dict[str, StoredObject | None]


def look_up_files(
    catalogue: CatalogueStore, buckets: Buckets, job: Job, names: Sequence[str], *, with_facts: bool
) -> Found:
    """What is stored under each name. ``with_facts``: also what no listing has (digest, volumes, proof)."""
    # The catalogue asks S3 for the HEAD of manifests, and knows of any other file what a listing has.
    listable = [name for name in names if not with_facts or is_manifest(name)]
    found: Found = {}
    if len(listable) > FEW_FILES:
        found = buckets.listed(job.location, listable)
        if with_facts:
            found = _with_facts(catalogue, job, found)
    keys = {name: job.location.key(name) for name in names if name not in found}
    heads = buckets.heads(job.location.bucket, list(keys.values()))
    return found | {name: heads[key] for name, key in keys.items()}


def _with_facts(catalogue: CatalogueStore, job: Job, listed: Mapping[str, StoredObject | None]) -> Found:
    """Those of which the catalogue knows all facts, and those that are not there. The bucket is the truth: a row counts
    only while it is of the very object that is listed."""
    rows = catalogue.objects_named(job, [name for name, stored in listed.items() if stored is not None])
    found: Found = {}
    for name, stored in listed.items():
        known = rows[name].stored if name in rows else None
        if stored is None:
            found[name] = None
        elif known is not None and known.sha256 is not None and _print(known) == _print(stored):
            found[name] = dataclasses.replace(
                stored, sha256=known.sha256, volumes_promised=known.volumes_promised, proof=known.proof
            )
    return found


def _print(stored: StoredObject) -> tuple[int, str, int]:
    """Some stand-ins list fractions of a second, of which a HEAD has none."""
    return stored.size, stored.etag, int(stored.stored_at.timestamp())
