"""Counts the source before a backup: a folder that is gone, empty or much smaller than it was must not silently
become the newest good backup. duplicity_run/source_watch.py checks it again at the end."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_run.filelists import filelist_lines
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.settings import JobSettings

_EXCLUDED, _INCLUDED, _LOOK_INSIDE = 0, 1, 2
"""What duplicity's selection functions answer; None means that another one has to say."""


@dataclass(frozen=True)
class Survey:
    """What is to be backed up: entries that are no folders, and their bytes. Sockets are none of them: what is in
    one cannot be stored."""

    files: int
    bytes: int
    sockets: int = 0


class _Entry:
    """A path as duplicity's selection functions see it."""

    __slots__ = ("_folder", "uc_name")

    def __init__(self, path: str, folder: bool) -> None:
        self.uc_name, self._folder = path, folder

    def isdir(self) -> bool:
        return self._folder


class SourceSelection:
    """duplicity's own rules, asked without duplicity's walk: a list may exclude most of a large disk."""

    def __init__(self, source: Path, filelist: Path | None, left_out: tuple[Path, ...] = ()) -> None:
        """``source`` with its links resolved. Raises ``Problem`` for a list that duplicity would not take."""
        self._left_out = {os.fspath(folder) for folder in left_out}
        self._rules = _rules(source, filelist) if filelist is not None else []

    def __call__(self, path: str, folder: bool) -> int:
        """Whether a path is excluded, included, or a folder to be looked into."""
        if path in self._left_out:
            return _EXCLUDED
        if not self._rules:
            return _INCLUDED
        entry, look = _Entry(path, folder), False
        for rule in self._rules:
            verdict = rule(entry)
            if verdict == _LOOK_INSIDE:
                look = True
            elif verdict is not None:
                return _LOOK_INSIDE if look and verdict == _EXCLUDED else int(verdict)
        return _LOOK_INSIDE if look else _INCLUDED


def _rules(source: Path, filelist: Path) -> list[Callable[[_Entry], int | None]]:
    from duplicity import globmatch, selection  # takes a moment
    from duplicity.path import Path as DuplicityPath

    lines = filelist_lines(filelist)
    authority = selection.Select(DuplicityPath(os.fsencode(source)))
    rules: list[Callable[[_Entry], int | None]] = []
    for number, raw in enumerate(lines, start=1):
        pattern, include = authority.filelist_sanitise_line(raw, _EXCLUDED)
        if not pattern:
            continue
        try:
            rules.append(authority.general_get_sf(pattern, include))
        except globmatch.FilePrefixError:
            why = f"{pattern} cannot match anything below {source}; begin it with ** or with that folder"
            raise Problem(f"{filelist}, line {number}: {why}", ExitCode.SETTINGS) from None
        except (globmatch.GlobbingError, re.error) as error:
            raise Problem(f"{filelist}, line {number}: {error}", ExitCode.SETTINGS) from None
    if rules and not getattr(rules[-1], "exclude", True):
        why = "the last line includes, which changes nothing; end the list with - **"
        raise Problem(f"{filelist}: {why}", ExitCode.SETTINGS)
    return rules


def survey(
    source: Path,
    on_file: Callable[[str, os.stat_result], None] = lambda _path, _status: None,
    selection: Callable[[str, bool], int] = lambda _path, _folder: _INCLUDED,
    *,
    other_filesystems: bool = True,
    device_files: bool = True,
) -> Survey:
    """Counts what ``selection`` leaves of the source; a Problem if it is missing, unreadable, or holds nothing.

    ``on_file`` gets the path and the status of each entry counted, so that nobody has to walk a second time.
    """
    empty = _check_there(source)
    files = size = sockets = 0
    device = None if other_filesystems else source.resolve().stat().st_dev
    for path, status in _selected(source, selection, device):
        if status is not None and stat.S_ISSOCK(status.st_mode):
            sockets += 1
            continue
        if not device_files and status is not None and _is_device(status):
            continue
        files += 1
        if status is not None:
            size += status.st_size
            on_file(path, status)
    if files == 0:
        why = "is empty" if empty else "holds no file, or the file list leaves none"
        raise Problem(
            f"the source {source} {why}; nothing was backed up, so that the stored files stay the newest",
            ExitCode.SOURCE,
        )
    return Survey(files, size, sockets)


def _check_there(source: Path) -> bool:
    """Whether the source is empty; a Problem if it cannot be looked at."""
    if not source.is_dir():
        raise Problem(f"the source {source} is not there; is its disk attached?", ExitCode.SOURCE)
    try:
        return next(os.scandir(source), None) is None
    except OSError as error:
        raise Problem(f"the source {source} cannot be read: {error.strerror}", ExitCode.SOURCE) from None


def _selected(
    source: Path, selection: Callable[[str, bool], int], device: int | None
) -> Iterator[tuple[str, os.stat_result | None]]:
    """The entries that are no folders, each with its status if it has one to read; all of them, or those on the
    file system ``device``."""
    folders = [os.fspath(source.resolve())]  # what duplicity is given, and its patterns mean
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    folder = entry.is_dir(follow_symlinks=False)
                    if device is not None and (status := _status(entry)) and status.st_dev != device:
                        continue
                    verdict = selection(entry.path, folder)
                    if folder and verdict != _EXCLUDED:
                        folders.append(entry.path)
                    elif not folder and verdict == _INCLUDED:
                        yield entry.path, _status(entry)
        except OSError:
            continue  # duplicity meets it again and counts it as skipped


def _is_device(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


class SourceMemory:
    """``source.json``: what the last good backup found in this source, under the same file list."""

    def __init__(self, state: Path, job: JobSettings) -> None:
        self._path = state / "source.json"
        self._job = job

    def check(self, found: Survey) -> None:
        """A Problem if half of the files, or more, are gone: a disk that is not attached, or folders that the
        system hides, and rarely what somebody wanted."""
        before = self._recall()
        if before is not None and found.files * 2 <= before.files:
            raise Problem(
                f"the source {self._job.source} has {found.files} files, and had {before.files} at the last backup; "
                "is a disk missing, or a folder hidden? If it is meant: panicroom backup --accept-smaller",
                ExitCode.SMALLER,
            )

    def keep(self, found: Survey) -> None:
        write_private(self._path, json.dumps({**self._scope(), **dataclasses.asdict(found)}) + "\n")

    def _recall(self) -> Survey | None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            same = {key: kept[key] for key in self._scope()} == self._scope()
            return Survey(kept["files"], kept["bytes"]) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _scope(self) -> dict[str, str]:
        """With another folder or another list the numbers do not compare."""
        listed = self._job.filelist.read_bytes() if self._job.filelist else b""
        return {"source": str(self._job.source), "filelist": hashlib.sha256(listed).hexdigest()}
