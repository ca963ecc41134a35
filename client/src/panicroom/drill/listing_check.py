"""What is lost, as far as the listing and the manifests tell: nothing is downloaded for it. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Mapping

from panicroom.drill.choice import DrillVolume
from panicroom.duplicity_files.manifest import Manifest
from panicroom.duplicity_files.stored_sets import StoredChains, StoredSet, all_sets


def losses(stored: StoredChains, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """A sentence for each set that cannot be restored whole. ``manifests`` are those that could be opened."""
    newest = max((item.end for item in all_sets(stored)), default=None)
    for item in stored.orphans:
        yield f"the set {item.name} cannot be restored, as a set before it is missing"
    for item in stored.unsealed:
        # Signatures are stored after all volumes: a backup that was given up has none.
        if item.signatures is not None and newest is not None and item.end < newest:
            yield f"the set {item.name} has lost its manifest"
    for item in all_sets(stored):
        if item.signatures is None:
            yield f"the signatures of the set {item.name} are not stored"
        if item.name in manifests:
            yield from _lost_volumes(item, manifests[item.name])


def _lost_volumes(item: StoredSet, manifest: Manifest) -> Iterator[str]:
    lost = sorted(manifest.volumes.keys() - item.volumes.keys())
    if len(lost) == 1:
        yield f"volume {lost[0]} of the set {item.name} is not stored"
    elif lost:
        yield f"{len(lost)} volumes of the set {item.name} are not stored, the first is volume {lost[0]}"


def scopes_of(stored: StoredChains, manifests: Mapping[str, Manifest]) -> list[list[DrillVolume]]:
    """The volumes out of which a drill chooses: those of the newest set, of the oldest chain, and all."""
    newest = stored.newest
    assert newest is not None
    oldest = min(stored.chains, key=lambda chain: (chain.start, chain.end))
    return [
        [volume for item in sets for volume in _volumes(item, manifests[item.name])]
        for sets in (newest.sets[-1:], oldest.sets, all_sets(stored))
    ]


def _volumes(item: StoredSet, manifest: Manifest) -> Iterator[DrillVolume]:
    for number, file in item.volumes.items():
        if number in manifest.volumes:
            yield DrillVolume(item.name, number, file.name)
