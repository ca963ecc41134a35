"""What the client hands to the duplicity process of a restore: a file, as there may be a million paths in it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.manifest import PathIndex

UNREADABLE_DATA = "its data cannot be read"
"""How the reason begins for a file that failed for its volumes, and not for the target."""


@dataclass(frozen=True)
class PlannedVolume:
    """A volume to read: its name, its bytes, and its hash (algorithm, hex digits) if the manifest has one."""

    name: str
    size: int
    hash: tuple[str, str] | None


@dataclass(frozen=True)
class ChildRestore:
    """The files to write below ``tree``, and the volumes to read for them: of each set in turn, in their order.

    Volumes are downloaded into ``spool`` and stay there.
    """

    tree: Path
    spool: Path
    sets: tuple[tuple[PlannedVolume, ...], ...]
    files: Collection[PathIndex]

    @property
    def volumes(self) -> Iterator[PlannedVolume]:
        return (volume for of_set in self.sets for volume in of_set)

    def write(self, path: Path) -> None:
        """First a line of JSON, then a line for each file: its path in hex."""
        sets = [[dataclasses.astuple(volume) for volume in of_set] for of_set in self.sets]
        head = {"tree": str(self.tree), "spool": str(self.spool), "sets": sets}
        with path.open("w", encoding="ascii") as file:
            file.write(json.dumps(head) + "\n")
            file.writelines(f"{to_hex(index)}\n" for index in self.files)

    @staticmethod
    def read(path: Path) -> ChildRestore:
        with path.open(encoding="ascii") as file:
            head = json.loads(file.readline())
            files = frozenset(from_hex(line.strip()) for line in file)
        sets = tuple(
            tuple(PlannedVolume(name, size, known and tuple(known)) for name, size, known in of_set)
            for of_set in head["sets"]
        )
        return ChildRestore(Path(head["tree"]), Path(head["spool"]), sets, files)


def to_hex(path: PathIndex) -> str:
    """A path as ASCII: no name holds a slash."""
    return "/".join(name.hex() for name in path)


def from_hex(text: str) -> PathIndex:
    return tuple(bytes.fromhex(name) for name in text.split("/")) if text else ()


def partial_path(path: Path) -> Path:
    """Where a volume is while it is downloaded."""
    return path.with_name(f"{path.name}.part")
