"""What this machine must have before a backup starts: room for volumes, and enough files open at once.

A run that starts without them fails hours later; the doctor looks at the same things at any time.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from pathlib import Path

from panicroom.duplicity_run.gpg_keys import check_keys
from panicroom.duplicity_run.process import require_gpg
from panicroom.exit_codes import ExitCode, Problem
from panicroom.settings import Settings

FEW_FILES = 1024
"""duplicity opens a file for each earlier set of a chain, and refuses to start below this."""

_ENOUGH_FILES = 8192
_OTHER_VOLUMES = 5
"""Volumes that lie on the disk beside those on their way: one being made, one being encrypted, and three ready."""


def check_machine(settings: Settings, volume_mb: int) -> None:
    """A ``Problem`` if anything of this machine's own is missing."""
    require_gpg()
    check_keys(settings.encrypt_key, settings.sign_key)
    check_space(settings, volume_mb)
    allow_open_files()


def check_space(settings: Settings, volume_mb: int) -> str:
    """How much room there is, as a sentence; a ``Problem`` if it is too little or cannot be written to.

    Volumes are made and wait in one folder of the cache. With little room fewer are uploaded at the same time.
    """
    for place in (settings.places.cache, settings.places.state):
        if not os.access(_existing(place), os.W_OK):
            raise Problem(f"{place} cannot be written; is it another user's?", ExitCode.SPACE)
    needed_mb = (1 + _OTHER_VOLUMES) * volume_mb
    free_mb = _free_mb(settings)
    said = f"{free_mb} MB free in {_existing(settings.places.cache)}"
    if free_mb < needed_mb:
        raise Problem(f"{said}, {needed_mb} MB needed; make room, or set PANICROOM_CACHE_DIR", ExitCode.SPACE)
    return said


def fitting_threads(settings: Settings, volume_mb: int) -> int:
    """As many uploads at the same time as the settings allow and the disk has room for; at least one."""
    return max(1, min(settings.upload_threads, _free_mb(settings) // volume_mb - _OTHER_VOLUMES))


def _free_mb(settings: Settings) -> int:
    return shutil.disk_usage(_existing(settings.places.cache)).free // 2**20


def allow_open_files() -> None:
    """Raises this process's limit as far as is useful; a ``Problem`` if that is not enough for duplicity."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(_ENOUGH_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        raise Problem(
            f"only {soft} files may be open at once, duplicity needs {FEW_FILES}; raise the limit "
            f"(ulimit -Hn, or LimitNOFILE in a systemd unit)",
            ExitCode.SPACE,
        )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
