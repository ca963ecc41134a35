"""The end of a restore: folders, links, pipes and devices are made from the signatures, and everything is compared once
more with them: kind, mode, time, target and owner."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.restored_tree.attributes import attributes_differ, owner_of
from panicroom.restored_tree.file_proof import ProvedFile
from panicroom.restored_tree.tree import Tree


def finish_tree(
    tree: Tree, entries: Mapping[PathIndex, SignatureEntry], proved: Mapping[PathIndex, ProvedFile]
) -> dict[PathIndex, str]:
    """Makes what is no file, and gives folders their attributes; what is not as it was backed up, with the reason.

    Files are written already; those in ``proved`` are right as long as nobody has touched them since.
    """
    failed: dict[PathIndex, str] = {}
    for path, entry in entries.items():
        try:
            if entry.kind == "folder":
                tree.make_folder(path)
            elif entry.kind != "file":
                tree.make_other(path, entry)
        except OSError as error:
            failed[path] = _reason(error)
    seen: dict[tuple[int, int], PathIndex] = {}
    # From the bottom up: a folder's time changes with what is made in it, and it may be closed to us after that.
    for path in sorted(entries, reverse=True):
        if path in failed:
            continue
        reason = _finish(tree, path, entries[path], proved.get(path), seen)
        if reason is not None:
            failed[path] = reason
    return failed


def _finish(
    tree: Tree,
    path: PathIndex,
    entry: SignatureEntry,
    proved: ProvedFile | None,
    seen: dict[tuple[int, int], PathIndex],
) -> str | None:
    """Gives a path its attributes and compares it with its entry; the reason if it differs."""
    try:
        status = tree.status(path)
        same = seen.setdefault((status.st_dev, status.st_ino), path)
        if same != path:
            return f"this file system takes its name and {path_of(same)!r} for the same"
        if entry.kind == "file":
            if proved is None:
                return "it was not restored"
            return None if ProvedFile.identity_of(status) == proved.identity else "it was changed meanwhile"
        tree.set_attributes(path, entry, owner_of(entry))
        return _difference(tree, path, entry)
    except FileNotFoundError:
        return "it was not restored"
    except OSError as error:
        return _reason(error)


def _difference(tree: Tree, path: PathIndex, entry: SignatureEntry) -> str | None:
    status = tree.status(path)
    if reason := attributes_differ(status, entry):
        return reason
    if entry.kind == "link" and tree.target_of(path) != entry.link:
        return "it leads elsewhere"
    if entry.kind == "device" and (
        stat.S_ISBLK(status.st_mode) != entry.is_block_device or status.st_rdev != os.makedev(*entry.device)
    ):
        return "it is another device"
    return None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
