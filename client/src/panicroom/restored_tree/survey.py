"""What an earlier try has left in the working folder: what is right stays, all else is removed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import stat
from collections.abc import Mapping

from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.restored_tree.attributes import attributes_differ
from panicroom.restored_tree.file_proof import FileProver, ProofJournal, ProvedFile
from panicroom.restored_tree.tree import Tree
from panicroom.restored_tree.working_folder import WorkingFolder


def survey(
    folder: WorkingFolder,
    entries: Mapping[PathIndex, SignatureEntry],
    digests: Mapping[PathIndex, bytes],
) -> set[PathIndex]:
    """The files that are there already as the plan wants them: of another time or selection too, if they are equal.

    A file that was proved and has not been touched since is not read again. Links and pipes are made anew.
    """
    tree, journal = Tree(folder.tree), ProofJournal(folder.journal)
    proved, done, unproved = journal.read(), set(), []
    for path, status in tree.walk():
        entry = entries.get(path)
        if entry is not None and entry.kind == "folder" and stat.S_ISDIR(status.st_mode):
            continue
        if entry is None or entry.kind != "file" or not stat.S_ISREG(status.st_mode):
            tree.remove(path)
        elif (
            proved.get(path) == ProvedFile(digests[path], ProvedFile.identity_of(status))
            and attributes_differ(status, entry) is None
        ):
            done.add(path)
        else:
            unproved.append(path)
    prover = FileProver(folder.tree, journal)
    for path in unproved:
        if prover.prove(path, entries[path], digests[path]) is None:
            done.add(path)
        else:
            tree.remove(path)
    prover.close()
    tree.close()
    return done
