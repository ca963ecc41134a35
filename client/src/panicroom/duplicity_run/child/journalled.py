"""Records in the journal, at the end of each volume, how far the set's local files reach.

A resumed run cuts signatures and manifest back to there (backup/resume.py). On a resumed run the signatures go on
where they were cut, instead of being made anew from today's files.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.file_identity import identity_of
from panicroom.names import parse_name
from panicroom.transfer.checked_set import CheckedSet
from panicroom.transfer.journal import Journal, MadeVolume


class JournalWatch:
    """Watches what duplicity makes. ``began_at``: when the set began, before duplicity read anything.

    ``change_time``: whether this run finds changes by change time, which the journal has to say of the set.
    """

    def __init__(
        self, source: str, journal: Journal, events: Events, began_at: float, change_time: bool
    ) -> None:
        self._source, self._journal, self._events, self._began_at = source, journal, events, began_at
        self._change_time = change_time
        self._set: str | None = None
        self._blocks: Any = None
        self._signatures: Any = None
        self._signatures_before = 0
        self._manifest: Any = None

    def install(self) -> None:
        """Puts it in; once, before duplicity runs, and as the last of those that patch ``collate2iters``."""
        from duplicity import diffdir, dup_temp

        delta, open_local, collate = (
            diffdir.DirDelta_WriteSig,
            dup_temp.get_fileobj_duppath,
            diffdir.collate2iters,
        )

        def watched_delta(*arguments: Any) -> Any:
            self._blocks = delta(*arguments)
            return self._blocks

        def watched_open(*names: Any, overwrite: bool = False) -> Any:
            return self._open_local(open_local, names, overwrite)

        def watched_collate(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
            for pair in collate(first, second):
                self._signatures_before = self._signatures.tell()
                yield pair

        diffdir.DirDelta_WriteSig = watched_delta
        dup_temp.get_fileobj_duppath = watched_open
        diffdir.collate2iters = watched_collate

    def made(self, name: str, size: int) -> None:
        """A volume is finished: writes down how far the local files reach at this moment.

        The signature of a file that is still open may be there already, since librsync reads ahead; the
        resumed run writes it again, so it does not count.
        """
        parsed = parse_name(name)
        if parsed is None or parsed.volume is None:
            return
        index, next_block = self._blocks.get_previous_index()
        open_file = b"/".join(index) if index and next_block else None
        identity = None
        if open_file is not None:
            identity = identity_of(Path(self._source) / os.fsdecode(open_file))
        self._journal.made(
            MadeVolume(
                name=name,
                set=parsed.set,
                volume=parsed.volume,
                signature_bytes=self._signatures_before if open_file else self._signatures.tell(),
                manifest_bytes=self._manifest.tell(),
                began_at=self._began_at,
                source=self._source,
                open_file=None if open_file is None else open_file.hex(),
                open_identity=identity,
            )
        )
        self._events.send("made", name=name, bytes=size)

    def skipped(self, path: bytes) -> None:
        """``path``, relative to the source, could not be read: the next set has to try again."""
        if self._set is not None:
            self._journal.skipped(self._set, path)

    def _begin(self, set_name: str) -> None:
        """Records that the set is checked for all changes, unless an earlier client began it and did not."""
        from duplicity import config

        self._set = set_name
        earlier = self._journal.read().checked
        if not config.restart or (earlier is not None and earlier.set == set_name):
            self._journal.begun(CheckedSet(set_name, self._source, self._change_time))

    def _open_local(self, open_local: Any, names: tuple[Any, ...], overwrite: bool) -> Any:
        """Opens one of duplicity's local files of the set; signatures go on where they were cut."""
        from duplicity import file_naming

        _folder, partial_name, *_others = names
        parsed = file_naming.parse(partial_name)
        if parsed.type in ("full-sig", "new-sig"):
            named = parse_name(os.fsdecode(partial_name))
            assert named is not None
            self._begin(named.set)
            self._signatures = open_local(*names, overwrite=False)
            return self._signatures
        file = open_local(*names, overwrite=overwrite)
        if parsed.manifest:
            self._manifest = file
        return file
