"""Which folders of a pile of pictures become which jobs. Pure, but for the listing of the top folder."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem

LONGEST_NAME = 41
"""Of a job, by the service's rule."""


@dataclass(frozen=True)
class TopFolder:
    """What lies in the folder of a family: the names of its folders, and how many files lie beside them."""

    folders: tuple[str, ...]
    loose_files: int


def look_at(folder: Path) -> TopFolder:
    """Raises ``Problem``. What begins with a dot belongs to the system or to a program, and is left out."""
    folders, loose = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    loose += 1
    except FileNotFoundError:
        raise Problem(f"the folder {folder} is not there; is its disk attached?", ExitCode.SOURCE) from None
    except OSError as error:
        raise Problem(f"the folder {folder} cannot be read: {error.strerror}", ExitCode.SOURCE) from None
    if not folders:
        raise Problem(
            f"{folder} has no folders; panicroom wants one for each year or session: put the pictures into some",
            ExitCode.SOURCE,
        )
    return TopFolder(tuple(sorted(folders)), loose)


def job_name(family: str, folder: str, taken: Collection[str] = ()) -> str:
    """``photos-2018`` for ``2018``, ``photos-2018-05-12-wedding`` for ``2018-05-12 Wedding``; another one where that is
    taken, or no letter of the folder's name can be in a job's."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or digest[:6]
    name = f"{family}-{words}"[:LONGEST_NAME].rstrip("-")
    if name not in taken:
        return name
    return f"{name[: LONGEST_NAME - 7].rstrip('-')}-{digest[:6]}"


def new_jobs(family: str, folders: Collection[str], known: Mapping[str, str]) -> dict[str, str]:
    """Folder by job, for the folders that no job has yet; ``known`` is folder by job."""
    taken = set(known)
    found: dict[str, str] = {}
    for folder in sorted(set(folders) - set(known.values())):
        name = job_name(family, folder, taken)
        taken.add(name)
        found[name] = folder
    return found
