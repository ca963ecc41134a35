"""A chain as far as it can be opened: its signatures, and the manifests of the sets that a plan needs.

A file's place in the chain is known from the signatures alone, of all sets; its volumes from the manifests of the few
sets that have stored it. Each file of metadata has to be fetched and decrypted, and a long chain has hundreds.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from panicroom.duplicity_files.contents import SetContents, read_contents
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignaturesUnreadable
from panicroom.duplicity_files.stored_sets import Chain, StoredSet
from panicroom.restore.plan import sets_holding
from panicroom.stored.metadata import BOTH, MANIFESTS, SIGNATURES, MetadataCache, SetMetadata, is_other_key
from panicroom.stored.origins import quarantine_line


@dataclass(frozen=True)
class UnusableSet:
    """A set that cannot be opened, and why; the line for the owner hides it from later backups."""

    name: str
    reason: str
    quarantine: str

    @staticmethod
    def of(cache: MetadataCache, name: str, reason: str) -> UnusableSet:
        return UnusableSet(name, reason, quarantine_line(cache.machine, cache.job, name))


@dataclass(frozen=True)
class OpenedChain:
    """``contents`` are the sets up to the first that cannot be opened, which is ``unusable``. ``is_other_key``: nothing
    could be opened with the passphrase or key at hand."""

    chain: Chain
    contents: tuple[SetContents, ...]
    unusable: UnusableSet | None = None
    is_other_key: bool = False

    def with_manifests(self, cache: MetadataCache, selection: Iterable[PathIndex]) -> OpenedChain:
        """With the ranges of the sets that a plan for ``selection`` needs; ends before the first that lacks them."""
        numbers = sets_holding(self.contents, selection)
        found = cache.at_hand((self.chain.sets[number] for number in numbers), MANIFESTS)
        contents = list(self.contents)
        for number in numbers:
            name = contents[number].name
            manifest = found[name].manifest()
            if manifest is None:
                unusable = UnusableSet.of(cache, name, found[name].unopened[0].reason)
                return OpenedChain(self.chain, tuple(contents[:number]), unusable)
            contents[number] = contents[number].with_manifest(manifest)
        return dataclasses.replace(self, contents=tuple(contents))


def open_chain(
    cache: MetadataCache,
    chain: Chain,
    *,
    with_manifests: bool = False,
    on_fetching: Callable[[], None] = lambda: None,
) -> OpenedChain:
    """Fetches and reads the signatures of the chain. ``with_manifests``: all of them will be needed, so that they come
    at the same time. ``on_fetching``: see ``MetadataCache.at_hand``."""
    metadata = cache.at_hand(chain.sets, BOTH if with_manifests else SIGNATURES, on_fetching)
    contents: list[SetContents] = []
    for item in chain.sets:
        found = _contents(item, metadata[item.name])
        if isinstance(found, str):
            unusable = UnusableSet.of(cache, item.name, found)
            return OpenedChain(chain, tuple(contents), unusable, is_other_key(metadata.values()))
        contents.append(found)
    return OpenedChain(chain, tuple(contents))


def _contents(item: StoredSet, found: SetMetadata) -> SetContents | str:
    """What is in the set, or why it cannot be read."""
    if found.signatures is None:
        return next(file.reason for file in found.unopened)
    try:
        return read_contents(item, found.signatures)
    except SignaturesUnreadable as error:
        return f"its signatures are damaged: {error}"
