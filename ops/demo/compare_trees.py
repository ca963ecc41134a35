"""Whether a restored folder is the one that was backed up: bytes, kinds, modes, owners, times, links."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, fields
from pathlib import Path

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@dataclass(frozen=True)
class Entry:
    """What a restore has to bring back of one file, folder or link.

    ``content`` is the SHA-256 of a file, the target of a link, empty for the rest. ``modified`` is in whole
    seconds since 1970: duplicity's archives keep no more. A link's own mode and time are not compared: the
    one means nothing, and duplicity does not set the other.
    """

    kind: str
    content: str
    size: int
    mode: str
    owner: str
    modified: int


Tree = dict[str, Entry]
"""Path relative to the root -> entry; the root itself is ``"."``."""


def record_tree(root: Path) -> Tree:
    """Reads a whole folder. Sockets are left out, as backups leave them out."""
    tree = {".": _record(root)}
    for folder, folder_names, file_names in os.walk(root):
        for name in (*folder_names, *file_names):
            path = Path(folder, name)
            entry = _record(path)
            if entry.kind != "socket":
                tree[str(path.relative_to(root))] = entry
    return tree


def differences(expected: Tree, found: Tree) -> list[str]:
    """One sentence for each way in which ``found`` is not ``expected``; empty if they are equal."""
    sentences = [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    sentences += [f"{path} should not be there" for path in sorted(found.keys() - expected.keys())]
    for path in sorted(expected.keys() & found.keys()):
        sentences += _entry_differences(path, expected[path], found[path])
    return sentences


def count_files(tree: Tree) -> int:
    return sum(1 for entry in tree.values() if entry.kind == "file")


def _record(path: Path) -> Entry:
    status = path.lstat()
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "thing")
    content, size = "", 0
    if kind == "file":
        size = status.st_size
        content = _sha256(path)
    elif kind == "link":
        content = str(path.readlink())
    return Entry(
        kind=kind,
        content=content,
        size=size,
        mode="" if kind == "link" else f"{stat.S_IMODE(status.st_mode):o}",
        owner=f"{status.st_uid}:{status.st_gid}",
        modified=0 if kind == "link" else int(status.st_mtime),
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _entry_differences(path: str, expected: Entry, found: Entry) -> list[str]:
    if expected.kind != found.kind:
        return [f"{path} is a {found.kind} instead of a {expected.kind}"]
    changed = [
        field.name for field in fields(Entry) if getattr(expected, field.name) != getattr(found, field.name)
    ]
    return [
        f"{path} has another {name}: {_shown(getattr(found, name))} instead of {_shown(getattr(expected, name))}"
        for name in changed
    ]


def _shown(value: object) -> str:
    return str(value)[:80] or "nothing"
