"""Which sets are stored, and how they build on each other. Pure.

A set can be restored if it has a manifest and so have all the sets that it builds on, down to a full one. Whether
all its volumes are there is a question for the manifest, which is encrypted.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from panicroom.names import parse_name, set_kind, set_start, set_time
from panicroom.wire import ListedFile


@dataclass(frozen=True)
class StoredSet:
    """A full or incremental backup as the bucket lists it. ``name`` is ``full.<T>`` or ``inc.<T0>.to.<T1>``.

    ``end`` is the time it stands for. ``start`` is the ``end`` of the set it builds on; of a full set, its own.
    ``volumes`` are by number, from 1; numbers may be missing.
    """

    name: str
    kind: Literal["full", "incremental"]
    start: datetime
    end: datetime
    manifest: ListedFile | None
    signatures: ListedFile | None
    volumes: Mapping[int, ListedFile]


@dataclass(frozen=True)
class Chain:
    """A full set and the increments on it, in order: what a restore of the last of them needs."""

    sets: tuple[StoredSet, ...]

    @property
    def start(self) -> datetime:
        return self.sets[0].end

    @property
    def end(self) -> datetime:
        return self.sets[-1].end


@dataclass(frozen=True)
class StoredChains:
    """All sets of a job, in the order of their times.

    ``chains``: each can be restored at each of its sets. Two increments on one set (a fork) are two chains with
    the same beginning. ``orphans``: sets with a manifest whose base is missing. ``unsealed``: sets without a
    manifest, which a backup left or is just making, or which have lost it.
    """

    chains: tuple[Chain, ...]
    orphans: tuple[StoredSet, ...]
    unsealed: tuple[StoredSet, ...]

    @property
    def times(self) -> tuple[datetime, ...]:
        """The times that can be restored, in order."""
        return tuple(sorted({item.end for chain in self.chains for item in chain.sets}))

    @property
    def newest(self) -> Chain | None:
        """The chain of the newest set."""
        return max(self.chains, key=lambda chain: chain.end, default=None)

    @property
    def newest_family(self) -> tuple[StoredSet, ...]:
        """All sets that build on the full set of the newest chain, forks included; oldest first.

        Where two increments follow one set, duplicity continues the one that ends first, and then finds no place for
        the other.
        """
        if self.newest is None:
            return ()
        full = self.newest.sets[0]
        family = {item.name: item for chain in self.chains if chain.sets[0] == full for item in chain.sets}
        return tuple(sorted(family.values(), key=lambda item: item.end))


def chains(files: Iterable[ListedFile], leave_out: Collection[str] = ()) -> StoredChains:
    """The chains among ``files``, the listing of a job. Sets named in ``leave_out`` count as not there.

    Files that are not duplicity's are passed over. Where a file is stored in two forms, the encrypted one counts.
    """
    sets = [item for item in _sets(files) if item.name not in leave_out]
    sealed = [item for item in sets if item.manifest is not None]
    built: dict[str, StoredSet | None] = {}
    by_end: dict[datetime, StoredSet] = {}
    # A full set before an increment of the same time: whatever follows builds on the full one.
    for item in sorted(sealed, key=lambda item: (item.end, item.kind != "full", item.name)):
        base = by_end.get(item.start) if item.kind == "incremental" and item.start < item.end else None
        if item.kind == "full" or base is not None:
            built[item.name] = base
            by_end.setdefault(item.end, item)
    continued = {base.name for base in built.values() if base is not None}
    return StoredChains(
        chains=tuple(
            _down_to_full(item, built) for item in sealed if item.name in built and item.name not in continued
        ),
        orphans=tuple(item for item in sealed if item.name not in built),
        unsealed=tuple(item for item in sets if item.manifest is None),
    )


def _down_to_full(item: StoredSet, built: Mapping[str, StoredSet | None]) -> Chain:
    path, base = [item], built[item.name]
    while base is not None:
        path.append(base)
        base = built[base.name]
    return Chain(tuple(reversed(path)))


def _sets(files: Iterable[ListedFile]) -> list[StoredSet]:
    found: dict[str, dict[tuple[str, int], ListedFile]] = {}
    for file in sorted(files, key=lambda file: _form(file.name), reverse=True):
        parsed = parse_name(file.name)
        if parsed is not None and not parsed.partial and _has_times(parsed.set):
            found.setdefault(parsed.set, {})[parsed.kind, parsed.volume or 0] = file
    return sorted(
        (
            StoredSet(
                name=name,
                kind="full" if set_kind(name) == "full" else "incremental",
                start=set_start(name),
                end=set_time(name),
                manifest=members.get(("manifest", 0)),
                signatures=members.get(("signatures", 0)),
                volumes={
                    number: members[kind, number] for kind, number in sorted(members) if kind == "volume"
                },
            )
            for name, members in found.items()
        ),
        key=lambda item: (item.end, item.name),
    )


def _form(name: str) -> int:
    """Encrypted before packed before plain."""
    return (".gpg", ".gz").index(name[name.rindex(".") :]) if name.endswith((".gpg", ".gz")) else 2


def _has_times(set_name: str) -> bool:
    """Not every row of digits is a time: ``20261399T...`` is none."""
    try:
        set_start(set_name)
        set_time(set_name)
    except ValueError:
        return False
    return True


def all_sets(stored: StoredChains) -> list[StoredSet]:
    """The sets of all chains, each once, in the order in which they build on each other."""
    return list({item.name: item for chain in stored.chains for item in chain.sets}.values())
