"""Keeps duplicity's account of a long chain from taking longer than a backup.

- ``file_naming.parse`` remembers its results: duplicity parses each local name again for each set.
- ``dup_main.sync_archive`` fetches, one after the other, each manifest and each file of signatures that is not here.
  The client has seen to that, and of the manifests an increment reads that of the newest set only.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from typing import Any

from panicroom.duplicity_files.copies import local_name
from panicroom.names import parse_name, set_time

_METADATA = ("signatures", "manifest")


def install() -> None:
    """Puts it in; once, before duplicity runs."""
    from duplicity import config, dup_main, file_naming

    file_naming.parse = functools.lru_cache(maxsize=None)(file_naming.parse)
    synchronize = dup_main.sync_archive

    def sync_archive(collection: Any) -> None:
        here = map(os.fsdecode, config.archive_dir_path.listdir())
        if not is_ready(map(os.fsdecode, config.backend.list()), here):
            synchronize(collection)

    dup_main.sync_archive = sync_archive


def is_ready(stored: Iterable[str], here: Iterable[str]) -> bool:
    """Whether the local files are those that an increment on the ``stored`` ones needs, and no others. Pure."""
    known = [(name, file) for name in stored if (file := parse_name(name)) and file.kind in _METADATA]
    signatures = {local_name(name) for name, file in known if file.kind == "signatures"}
    manifests = {local_name(name): file.set for name, file in known if file.kind == "manifest"}
    newest = max(manifests, key=lambda name: set_time(manifests[name]), default=None)
    needed = signatures | ({newest} if newest is not None else set())
    sets = {file.set for _name, file in known}
    ours = [(name, file) for name in here if (file := parse_name(name)) and file.kind in _METADATA]
    if any(file.partial and file.set in sets for _name, file in ours):
        return False
    finished = {name for name, file in ours if not file.partial}
    return needed <= finished <= signatures | manifests.keys()
