"""``panicroom verify --quick``: the source compared with the signatures of a backup; no volume is downloaded.

A file is read here and its librsync signature made anew, with the block length of the stored one. That finds every
difference between source and signatures. Whether the volumes still hold the data is for the full ``verify`` to say.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.contents import path_of, signature_digest
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.duplicity_run.left_out import left_out_folders
from panicroom.duplicity_run.sources import SourceSelection, survey
from panicroom.reading.history import SetEntries
from panicroom.reading.stored_backups import StoredBackups, unopened_problem
from panicroom.restored_tree.file_proof import signature_of
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.terminal.reporter import Reporter


@dataclass(frozen=True)
class SignedPath:
    """A path in a backup: its entry without the signature, and the digest of that signature, of a file."""

    entry: SignatureEntry
    digest: bytes


def compare_quickly(
    settings: Settings,
    job: JobSettings,
    backups: StoredBackups,
    time: str | None,
    reporter: Reporter,
    on_difference: Callable[[str], None],
) -> int:
    """Compares the source with the signatures of the newest backup, or of that at ``time``.

    ``on_difference`` gets each as it is found, a sentence; gives their number. Raises ``Problem`` if it could not be
    compared.
    """
    chain = backups.chain(time)
    tree = signed_tree(backups.entries(chain.sets, with_contents=True))
    if backups.unopened:
        raise unopened_problem(backups.unopened[0])
    source = job.source.resolve()
    selected: list[str] = []
    found = survey(
        job.source,
        lambda path, _status: selected.append(path),
        SourceSelection(source, job.filelist, left_out_folders(settings, source)),
    )
    differences = read = 0
    with reporter.task(f"{job.job} quick verify", found.bytes):
        for size, difference in quick_differences(source, tree, selected):
            read += size
            reporter.event({"event": "read", "bytes": read})
            if difference is not None:
                differences += 1
                on_difference(difference)
    return differences


def signed_tree(sets: Iterable[SetEntries]) -> dict[PathIndex, SignedPath]:
    """The paths as of the last of ``sets``, a full set and increments on it, whose entries have their contents."""
    tree: dict[PathIndex, SignedPath] = {}
    for item in sets:
        for entry in item.entries:
            if entry.kind == "deleted":
                tree.pop(entry.path, None)
            else:
                tree[entry.path] = SignedPath(
                    entry.without_signature(), signature_digest(entry.signature or b"")
                )
    return tree


def quick_differences(
    source: Path, tree: Mapping[PathIndex, SignedPath], selected: Iterable[str]
) -> Iterator[tuple[int, str | None]]:
    """Compares each path of ``tree`` with ``source``; yields the bytes read and a sentence, or None if it is equal.

    ``selected`` are the paths in the source, folders aside, that a backup would store now: those that the backup does
    not have are differences too.
    """
    for path in sorted(tree):
        reason, size = _difference(source / os.fsdecode(b"/".join(path)), tree[path])
        yield size, f"{shown_path(path_of(path))}: {reason}" if reason else None
    root = os.fspath(source)
    for name in selected:
        path = tuple(os.fsencode(os.path.relpath(name, root)).split(b"/"))
        if path not in tree:
            yield 0, f"{shown_path(path_of(path))}: it is not in the backup"


def _difference(place: Path, signed: SignedPath) -> tuple[str | None, int]:
    """What differs, if anything does, and the bytes that were read for it."""
    entry = signed.entry
    try:
        status = place.lstat()
        if _kind(status) != entry.kind:
            return f"it is a {entry.kind} in the backup", 0
        if entry.kind == "link":
            changed = os.fsencode(place.readlink()) != entry.link
            return ("the link leads elsewhere" if changed else None), 0
        if stat.S_IMODE(status.st_mode) != entry.mode:
            return "its mode is another", 0
        if entry.kind != "file":
            return None, 0
        if not entry.size_bytes - entry.block_bytes < status.st_size <= entry.size_bytes and status.st_size:
            return "its size is another", 0
        with place.open("rb", buffering=0) as file:
            signature = signature_of(file.read, entry.block_bytes)
        if signature_digest(signature) != signed.digest:
            return "its content is another", status.st_size
        return ("its time is another" if int(status.st_mtime) != entry.modified_at else None), status.st_size
    except FileNotFoundError:
        return "it is not in the source", 0
    except OSError as error:
        return f"it cannot be read: {error.strerror}", 0


def _kind(status: os.stat_result) -> str:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe"}
    return kinds.get(stat.S_IFMT(status.st_mode), "device")
