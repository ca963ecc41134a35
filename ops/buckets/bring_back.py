"""Bringing back files of a backup set that were deleted in a bucket that keeps versions."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.backups.names import (
    Location,
    SetId,
    manifest_file,
    parse_file_name,
    signatures_file,
    volume_file,
)


def bring_back(s3: Any, location: Location, set_id: SetId) -> list[str]:
    """Removes the delete markers over the set's files, so that the versions below them count again; returns the names.

    No version is removed. The files have the times that they had before.
    """
    found = []
    volumes = volume_file(set_id, 1).stem.partition(".vol")[0]
    for stem in (volumes, manifest_file(set_id).stem, signatures_file(set_id).stem):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.key(stem)
        )
        for marker in (one for page in pages for one in page.get("DeleteMarkers", []) if one["IsLatest"]):
            name = marker["Key"].removeprefix(location.prefix)
            file = parse_file_name(name)
            if file is not None and file.set_id == set_id:
                s3.delete_object(Bucket=location.bucket, Key=marker["Key"], VersionId=marker["VersionId"])
                found.append(name)
    return sorted(found)
