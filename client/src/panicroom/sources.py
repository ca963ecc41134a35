"""A look at the source before a backup: a folder that is gone or empty must not become a good backup."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem


@dataclass(frozen=True)
class Survey:
    """What lies under the source, before any exclusion: entries that are no folders, and their bytes."""

    files: int
    bytes: int


def survey(
    source: Path, on_file: Callable[[str, os.stat_result], None] = lambda _path, _status: None
) -> Survey:
    """Counts the source; a Problem if it is missing, unreadable, or holds nothing.

    ``on_file`` gets the path and the status of each entry counted, so that nobody has to walk a second time.
    """
    if not source.is_dir():
        raise Problem(f"the source {source} is not there; is its disk attached?", ExitCode.SOURCE)
    try:
        next(os.scandir(source), None)
    except OSError as error:
        raise Problem(f"the source {source} cannot be read: {error.strerror}", ExitCode.SOURCE) from None
    files = size = 0
    folders = [os.fspath(source)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        files += 1
                        status = _status(entry)
                        if status is not None:
                            size += status.st_size
                            on_file(entry.path, status)
        except OSError:
            continue  # duplicity meets it again and counts it as skipped
    if files == 0:
        raise Problem(
            f"the source {source} is empty; nothing was backed up, so that the stored files stay the newest",
            ExitCode.SOURCE,
        )
    return Survey(files, size)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
