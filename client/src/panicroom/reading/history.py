"""What the sets of a job say about its paths: the tree as of a set, and the sets in which something changed. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry

Tree = dict[PathIndex, SignatureEntry]


@dataclass(frozen=True)
class SetEntries:
    """A set and its entries in the order of paths; ``entries`` may be read once only."""

    name: str
    time: datetime
    kind: Literal["full", "incremental"]
    stored_bytes: int
    entries: Iterable[SignatureEntry]


@dataclass(frozen=True)
class Version:
    """A backup in which paths at or below the one asked for changed.

    ``new``, ``changed`` and ``deleted`` count paths of any kind; ``files`` and ``size_bytes`` are of all files there
    as of that time (sizes are rounded up to a block, see ``SignatureEntry``). ``stored_bytes`` is the whole set.
    ``archived`` counts the files that need archived volumes then.
    """

    name: str
    time: datetime
    kind: Literal["full", "incremental"]
    new: int
    changed: int
    deleted: int
    files: int
    size_bytes: int
    stored_bytes: int
    archived: int = 0


def tree_at(sets: Iterable[SetEntries], below: PathIndex = ()) -> Tree:
    """The paths at and below ``below`` as of the last of ``sets``, a full set and increments on it."""
    tree: Tree = {}
    for item in sets:
        _apply(tree, item, below)
    return tree


def versions(
    sets: Iterable[SetEntries], below: PathIndex = (), archived: Collection[PathIndex] = ()
) -> Iterator[Version]:
    """The sets in which something at or below ``below`` differs from the set before; in the order of ``sets``.

    ``sets`` may hold several chains, one after the other: a full set is compared with what was there before it.
    ``archived`` are the files that need a thaw as of the set whose entries were read last.
    """
    tree: Tree = {}
    for item in sets:
        before = tree
        if item.kind == "full":
            tree = {}
            _apply(tree, item, below)
            new = len(tree.keys() - before.keys())
            deleted = len(before.keys() - tree.keys())
            changed = sum(_differs(before[path], entry) for path, entry in tree.items() if path in before)
        else:
            new, changed, deleted = _apply(tree, item, below)
        if new or changed or deleted:
            files = [entry.size_bytes for entry in tree.values() if entry.kind == "file"]
            yield Version(
                item.name,
                item.time,
                item.kind,
                new,
                changed,
                deleted,
                len(files),
                sum(files),
                item.stored_bytes,
                sum(path[: len(below)] == below for path in archived),
            )


def _apply(tree: Tree, item: SetEntries, below: PathIndex) -> tuple[int, int, int]:
    """Brings the tree up to the set; the paths that are new, changed and deleted.

    A folder's entry for nothing but the new time of its list of names is no change to count.
    """
    new = changed = deleted = 0
    for entry in item.entries:
        if entry.path[: len(below)] != below:
            continue
        before = tree.get(entry.path)
        if entry.kind == "deleted":
            deleted += tree.pop(entry.path, None) is not None
        else:
            new += before is None
            changed += before is not None and (entry.kind == "file" or _differs(before, entry))
            tree[entry.path] = entry
    return new, changed, deleted


def _differs(before: SignatureEntry, after: SignatureEntry) -> bool:
    if before.kind == after.kind == "folder":
        return before.mode != after.mode
    return (before.kind, before.mode, before.modified_at, before.size_bytes, before.link) != (
        after.kind,
        after.mode,
        after.modified_at,
        after.size_bytes,
        after.link,
    )


def children(tree: Mapping[PathIndex, SignatureEntry], folder: PathIndex) -> list[bytes]:
    """The names in a folder."""
    depth = len(folder) + 1
    return [path[-1] for path in tree if len(path) == depth and path[:-1] == folder]
