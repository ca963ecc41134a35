"""What a restore needs: for each file the volumes that hold it, and nothing more. Pure.

The signatures of a set list every path that the set changed. A file's entry is a difference to the entry before if
that one is a file too, else the file is stored whole. So a file needs the volumes that cover its path in each set from
the last whole one on. Folders, links, pipes and devices need no volume: their entry in the signatures holds all there
is of them.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.wire import ListedFile

VolumeKey = tuple[int, int]
"""Number of the set in the chain (0 is the full one), number of the volume in the set."""

_USUAL_MODE = 0o755
"""Of a folder that holds a chosen path and has no entry of its own."""


@dataclass(frozen=True)
class SetVolumes:
    """What is wanted of a set: what a download and a thaw have to know."""

    set: str
    numbers: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True)
class Plan:
    """What will be there after a restore, and what has to be fetched for it.

    ``entries`` are all paths to restore, in duplicity's order, with the folders above them. ``digests`` are those of
    the files' signatures, ``needs`` the volumes of each file. ``lost`` are the chosen paths that cannot be had, with
    the reason; they are not in ``entries``. ``missing`` are those of which the backup holds nothing at that time.
    """

    sets: tuple[SetContents, ...]
    entries: dict[PathIndex, SignatureEntry]
    digests: dict[PathIndex, bytes]
    needs: dict[PathIndex, tuple[VolumeKey, ...]]
    lost: dict[PathIndex, str] = field(default_factory=dict)
    missing: tuple[PathIndex, ...] = ()

    @property
    def most_bytes(self) -> int:
        """The bytes of all files together; signatures know each size up to one block of the file only."""
        return sum(entry.size_bytes for entry in self.entries.values())

    def by_set(self, files: Iterable[PathIndex]) -> dict[int, list[int]]:
        """The numbers of the volumes that ``files`` need, by the number of their set; both in order."""
        found: dict[int, list[int]] = {}
        for number, volume in sorted({key for path in files for key in self.needs[path]}):
            found.setdefault(number, []).append(volume)
        return found

    def volumes(self, files: Iterable[PathIndex] | None = None) -> list[ListedFile]:
        """The volumes that ``files`` need, else all files, in the order in which they are read."""
        by_set = self.by_set(self.needs if files is None else files)
        return [self.sets[number].stored[volume] for number, volumes in by_set.items() for volume in volumes]

    def wanted(self) -> tuple[SetVolumes, ...]:
        """The volumes that all files need, with their bytes."""
        return tuple(
            SetVolumes(
                self.sets[number].name,
                tuple(volumes),
                sum(self.sets[number].stored[volume].size for volume in volumes),
            )
            for number, volumes in self.by_set(self.needs).items()
        )


ABSENT = "a volume that holds it is not stored"
DAMAGED = "a volume that holds it is damaged"
UNSAFE_NAME = "its name is not one of a file"
BELOW_NO_FOLDER = "what it lies in is no folder in this backup"
UNKNOWN_KIND = "it is neither file, folder, link, pipe nor device"
_MADE_KINDS = ("file", "folder", "link", "pipe", "device")


def make_plan(
    sets: Sequence[SetContents],
    selection: Iterable[PathIndex] = ((),),
    damaged: Collection[str] = (),
) -> Plan:
    """The plan for everything at and below the paths of ``selection``, as of the last of ``sets``.

    ``sets`` is a full set and the increments on it, without a gap, with the manifests of ``sets_holding``. ``damaged``
    volumes, by name, are not used.
    """
    chosen = set(selection)
    latest, stored_in = _latest_entries(sets)
    plan = Plan(tuple(sets), {}, {}, {})
    found: set[PathIndex] = set()
    entries: dict[PathIndex, SignatureEntry] = {}
    for path in sorted(latest):
        entry = latest[path]
        if entry.kind == "deleted" or not (matching := chosen.intersection(_prefixes(path))):
            continue
        found |= matching
        keys: tuple[VolumeKey, ...] = ()
        reason = _unsafe(path, latest)
        if reason is None and entry.kind == "file":
            keys, reason = _volumes_of(path, stored_in[path], sets, damaged)
        if reason is not None:
            plan.lost[path] = reason
            continue
        entries[path] = entry
        if entry.kind == "file":
            plan.needs[path] = keys
            plan.digests[path] = sets[stored_in[path][-1]].digests[path]
    held = [path for path, reason in plan.lost.items() if reason in (ABSENT, DAMAGED)]
    _add_folders_above(entries, [*entries, *held], latest)
    plan.entries.update(sorted(entries.items()))
    return Plan(
        plan.sets, plan.entries, plan.digests, plan.needs, plan.lost, tuple(sorted(chosen - found - {()}))
    )


def sets_holding(sets: Sequence[SetContents], selection: Iterable[PathIndex]) -> list[int]:
    """The numbers of the sets that have stored a file at or below the paths of ``selection``, at any time."""
    chosen = set(selection)
    return [
        number
        for number, contents in enumerate(sets)
        if any(
            entry.kind == "file" and not chosen.isdisjoint(_prefixes(path))
            for path, entry in contents.entries.items()
        )
    ]


def newest_sets(
    lost: Iterable[PathIndex], sets: Sequence[SetContents], damaged: Collection[str] = ()
) -> dict[PathIndex, int]:
    """The number of the newest set as of which each of the ``lost`` files can be had, of those that one has."""
    wanted = set(lost)
    history: dict[PathIndex, list[tuple[int, bool]]] = {path: [] for path in wanted}
    for number, contents in enumerate(sets):
        for path in wanted & contents.entries.keys():
            history[path].append((number, contents.entries[path].kind == "file"))
    found = {}
    for path, changes in history.items():
        for last in range(len(sets) - 1, -1, -1):
            numbers = _data_sets(change for change in changes if change[0] <= last)
            if numbers and _volumes_of(path, numbers, sets, damaged)[1] is None:
                found[path] = last
                break
    return found


def _latest_entries(
    sets: Sequence[SetContents],
) -> tuple[dict[PathIndex, SignatureEntry], dict[PathIndex, list[int]]]:
    """Of each path its last entry, and the numbers of the sets that hold its data, the whole file first."""
    latest: dict[PathIndex, SignatureEntry] = {}
    stored_in: dict[PathIndex, list[int]] = {}
    for number, contents in enumerate(sets):
        for path, entry in contents.entries.items():
            before = latest.get(path)
            if entry.kind == "file" and before is not None and before.kind == "file":
                stored_in[path].append(number)
            else:
                stored_in[path] = [number]
            latest[path] = entry
    return latest, stored_in


def _prefixes(path: PathIndex) -> list[PathIndex]:
    """The folders above a path, and the path."""
    return [path[:length] for length in range(len(path) + 1)]


def _unsafe(path: PathIndex, latest: Mapping[PathIndex, SignatureEntry]) -> str | None:
    """Why a path must not be made. Whoever has the public key can store an archive with any names in it."""
    if any(name in (b"", b".", b"..") or b"\0" in name or b"/" in name for name in path):
        return UNSAFE_NAME
    if latest[path].kind not in _MADE_KINDS or (not path and latest[path].kind == "link"):
        return UNKNOWN_KIND
    for above in _prefixes(path)[:-1]:
        entry = latest.get(above)
        if entry is not None and entry.kind not in ("folder", "deleted"):
            return BELOW_NO_FOLDER
    return None


def _volumes_of(
    path: PathIndex,
    numbers: Iterable[int],
    sets: Sequence[SetContents],
    damaged: Collection[str],
) -> tuple[tuple[VolumeKey, ...], str | None]:
    """The volumes of a file, and why it cannot be had if so."""
    keys: list[VolumeKey] = []
    reason = None
    for number in numbers:
        covering = list(sets[number].covering(path))
        if not covering:
            return (), ABSENT
        for volume in covering:
            keys.append((number, volume))
            if volume not in sets[number].stored:
                reason = ABSENT
            elif sets[number].stored[volume].name in damaged:
                reason = reason or DAMAGED
    return tuple(keys), reason


def _add_folders_above(
    entries: dict[PathIndex, SignatureEntry],
    paths: Iterable[PathIndex],
    latest: Mapping[PathIndex, SignatureEntry],
) -> None:
    """Adds the folders in which the chosen paths lie. One without an entry in the backup gets the usual mode."""
    for path in paths:
        for above in _prefixes(path)[:-1]:
            if above in entries:
                continue
            known = latest.get(above)
            if known is None or known.kind != "folder":
                known = SignatureEntry(above, "folder", _USUAL_MODE)
            entries[above] = known


def _data_sets(changes: Iterable[tuple[int, bool]]) -> list[int]:
    """The sets that hold the data of a file with these changes; none if it was no file then."""
    numbers: list[int] = []
    for number, is_file in changes:
        numbers = [*numbers, number] if is_file else []
    return numbers
