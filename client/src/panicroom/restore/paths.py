"""The paths that people ask for, as the backup knows them. Any list of paths means their union."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from panicroom.duplicity_files.contents import SetContents, path_of
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.plan import Plan
from panicroom.shown import shown_path
from panicroom.stored.similar_paths import meant_text

EVERYTHING = "everything"

_MOST_LINKS = 40
"""As many as Linux follows in one path."""


@dataclass(frozen=True)
class Selection:
    """``indexes`` by the path that was asked for. ``through_links`` are paths that lead through a link: the backup has
    them under another name, which is in ``indexes``."""

    indexes_by_path: Mapping[str, PathIndex]
    through_links: tuple[str, ...] = ()

    @property
    def indexes(self) -> set[PathIndex]:
        return set(self.indexes_by_path.values())

    @property
    def title(self) -> str:
        names = [shown_path(path_of(index)) for index in sorted(self.indexes)]
        if () in self.indexes:
            return EVERYTHING
        return names[0] if len(names) == 1 else f"{len(names)} paths"

    def missing(self, plan: Plan) -> tuple[str, ...]:
        """The paths that the backup has not, by the names they were asked for."""
        return tuple(
            path
            for path, index in self.indexes_by_path.items()
            if index in plan.missing or path in self.through_links
        )


def nothing_found(plan: Plan) -> Problem | None:
    """If the backup has nothing of what was asked for."""
    if plan.entries or plan.lost:
        return None
    first = path_of(plan.missing[0]) if plan.missing else "the source"
    more = f" (and {len(plan.missing) - 1} more)" if len(plan.missing) > 1 else ""
    known = {path_of(path) for contents in plan.sets for path in contents.entries if path}
    return Problem(
        f"{shown_path(first)}{more}: no such path in the backup at that time{meant_text(first, known)}",
        ExitCode.NOT_FOUND,
    )


def select_paths(paths: Sequence[str], source: Path | None, sets: Sequence[SetContents]) -> Selection:
    """What ``paths`` mean; none of them: everything. Raises ``Problem`` for one outside of ``source``."""
    if not paths:
        return Selection({"": ()})
    links = _links(sets)
    found: dict[str, PathIndex] = {}
    through = []
    for path in paths:
        index = relative_index(path, source)
        led = _through_links(index, links)
        if led != index:
            through.append(path)
        found[path] = led
    return Selection(found, tuple(through))


def relative_index(path: str, source: Path | None) -> PathIndex:
    """``path`` relative to the source, which it may be given with, by any of its names; where it is not known here,
    only without."""
    pure = PurePosixPath(os.path.normpath(path)) if path else PurePosixPath()
    if pure.is_absolute():
        source = known_source(path, source)
        for root, named in (
            (source, pure),
            (source.resolve(), pure),
            (source.resolve(), PurePosixPath(os.path.realpath(pure.parent), pure.name)),
            (source.resolve(), PurePosixPath(os.path.realpath(pure))),
        ):
            if named.is_relative_to(root):
                pure = named.relative_to(root)
                break
        else:
            raise Problem(f"{path} is not below the source {source}", ExitCode.USAGE)
    if ".." in pure.parts or not path:
        raise Problem(f"{path!r} names no path below the source {source}", ExitCode.USAGE)
    return tuple(os.fsencode(name) for name in pure.parts)


def known_source(path: str, source: Path | None) -> Path:
    """``source``; a Problem where it is not known, though ``path`` is a full one."""
    if source is None:
        raise Problem(
            f"{path} is a full path, and this computer does not know which folder was backed up; give it relative to "
            "that folder, as panicroom files lists it",
            ExitCode.USAGE,
        )
    return source


def _links(sets: Sequence[SetContents]) -> Mapping[PathIndex, SignatureEntry]:
    latest: dict[PathIndex, SignatureEntry] = {}
    for contents in sets:
        for path, entry in contents.entries.items():
            if entry.kind == "link":
                latest[path] = entry
            else:
                latest.pop(path, None)
    return latest


def _through_links(index: PathIndex, links: Mapping[PathIndex, SignatureEntry]) -> PathIndex:
    """Where ``index`` leads if a folder above it is a link within the backup; else ``index``."""
    for _link in range(_MOST_LINKS):
        above = next((index[:length] for length in range(1, len(index)) if index[:length] in links), None)
        if above is None:
            return index
        target = os.fsdecode(links[above].link)
        led = os.path.normpath(os.path.join(os.fsdecode(b"/".join(above[:-1])), target))  # noqa: PTH118
        if led.startswith(("/", "..")):
            return index
        index = (*(os.fsencode(name) for name in PurePosixPath(led).parts), *index[len(above) :])
    return index
