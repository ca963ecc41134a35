"""Walks through photo jobs: looks at each file, and reads none."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from panicroom.duplicity_run.left_out import left_out_folders
from panicroom.duplicity_run.mounts import MOUNT_INFO, mounts_text
from panicroom.duplicity_run.sources import SourceSelection, survey
from panicroom.photos.walk import RACY_NANOSECONDS, Walk, WalkNotes, WalkScope, is_steady
from panicroom.settings import JobSettings, Settings

_WITHOUT_INODES = frozenset(["vfat", "msdos", "exfat", "fuse.exfat", "fuse.sshfs"])
"""File systems for which Linux makes inodes up, others each time."""


def walk_through(settings: Settings, job: JobSettings) -> Walk:
    """Raises ``Problem`` as a backup would."""
    source, began_ns = job.source.resolve(), time.time_ns()
    notes = WalkNotes(source)
    selection = SourceSelection(source, job.filelist, left_out_folders(settings, source))
    survey(
        job.source,
        notes.offer,
        selection,
        other_filesystems=job.other_filesystems,
        device_files=job.device_files,
    )
    return Walk(_scope(job, source), notes.files, began_ns, tuple(notes.links))


def leads_out(folder: Path, link: str) -> bool:
    """Whether something is where the ``link`` leads, and that is not below ``folder``."""
    target = os.path.realpath(link)
    return os.path.lexists(target) and not Path(target).is_relative_to(folder.resolve())


def steady_walk(
    settings: Settings, job: JobSettings, sleep: Callable[[float], None] = time.sleep
) -> tuple[Walk, bool]:
    """A walk that is to stand for the backup after it, and whether it can: see ``is_steady``.

    It waits two seconds where files were just written, as those of a card that was just copied.
    """
    _write_back(job.source)
    walk = walk_through(settings, job)
    if is_steady(walk):
        return walk, True
    sleep(RACY_NANOSECONDS / 10**9)
    again = walk_through(settings, job)
    return again, is_steady(again, walk)


def _scope(job: JobSettings, source: Path) -> WalkScope:
    listed = job.filelist.read_bytes() if job.filelist else b""
    limits = f"{hashlib.sha256(listed).hexdigest()} {job.other_filesystems} {job.device_files}"
    return WalkScope(os.fspath(job.source), limits, _keeps_inodes(source, mounts_text(MOUNT_INFO)))


def _keeps_inodes(source: Path, mounts: str) -> bool:
    """``mounts`` is in the format of proc_pid_mountinfo(5): a file system by the number of its device, its type after
    the hyphen."""
    device = source.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, kind = line.partition(" - ")
        if mount.split(" ")[2:3] == [number]:
            return kind.split(" ")[0] not in _WITHOUT_INODES
    return True


def _write_back(source: Path) -> None:
    """Has the kernel write what lies in memory: a program that has mapped a file moves its times no more while the page
    is waiting to be written, and from here on does again."""
    sync = getattr(ctypes.CDLL(None), "syncfs", None)
    if sync is None:  # macOS
        os.sync()
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # the walk says it better
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
