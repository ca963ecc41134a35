"""What duplicity asks for without a plan: of each set the volumes whose range may hold a path, or what is below it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from panicroom.duplicity_files.manifest import PathIndex, VolumeRange
from panicroom.stored.metadata import SetMetadata
from panicroom.wire import ListedFile


def volumes_in_range(
    sets: Iterable[SetMetadata], paths: Collection[PathIndex] = ((),)
) -> Iterator[ListedFile]:
    """The stored volumes of the ``sets`` for the ``paths``; all of a set whose manifest is not at hand."""
    for item in sets:
        manifest = item.manifest()
        for number, file in item.set.volumes.items():
            known = manifest.volumes.get(number) if manifest is not None else None
            if manifest is None or (known is not None and any(_may_hold(known, path) for path in paths)):
                yield file


def _may_hold(volume: VolumeRange, path: PathIndex) -> bool:
    """As ``duplicity.manifest.VolumeInfo.contains`` has it."""
    return volume.first[: len(path)] <= path <= volume.last
