"""What the client hands to the duplicity process of a restore: a file, as there may be a million paths in it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.manifest import PathIndex


@dataclass(frozen=True)
class ChildRestore:
    """The files to write below ``tree``, and the volumes to read for them: by set, the names by number.

    ``manifests`` are the names of the sets' manifests. Volumes are downloaded into ``spool`` and stay there;
    ``sizes`` are their bytes, by name.
    """

    tree: Path
    spool: Path
    manifests: tuple[str, ...]
    volumes: Mapping[str, Mapping[int, str]]
    sizes: Mapping[str, int]
    files: Collection[PathIndex]

    def write(self, path: Path) -> None:
        """First a line of JSON, then a line for each file: its path in hex."""
        head = {
            "tree": str(self.tree),
            "spool": str(self.spool),
            "manifests": self.manifests,
            "sizes": dict(self.sizes),
            "volumes": {
                name: {str(key): file for key, file in of.items()} for name, of in self.volumes.items()
            },
        }
        with path.open("w", encoding="ascii") as file:
            file.write(json.dumps(head) + "\n")
            file.writelines(f"{to_hex(index)}\n" for index in self.files)

    @staticmethod
    def read(path: Path) -> ChildRestore:
        with path.open(encoding="ascii") as file:
            head = json.loads(file.readline())
            files = frozenset(from_hex(line.strip()) for line in file)
        return ChildRestore(
            Path(head["tree"]),
            Path(head["spool"]),
            tuple(head["manifests"]),
            {name: {int(key): file for key, file in of.items()} for name, of in head["volumes"].items()},
            head["sizes"],
            files,
        )


def to_hex(path: PathIndex) -> str:
    """A path as ASCII: no name holds a slash."""
    return "/".join(name.hex() for name in path)


def from_hex(text: str) -> PathIndex:
    return tuple(bytes.fromhex(name) for name in text.split("/")) if text else ()


def partial_path(path: Path) -> Path:
    """Where a volume is while it is downloaded."""
    return path.with_name(f"{path.name}.part")
