"""Which folders of a pile of pictures become which jobs. Pure, but for the listing of the top folder."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.walking import leads_out

LONGEST_NAME = 41
"""Of a job, by the service's rule."""

_OF_SYSTEMS = frozenset(
    [
        *("$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    ]
)
"""What systems and network disks put at the top of a disk, in small letters: folders and files."""


@dataclass(frozen=True)
class TopFolder:
    """What lies in the folder of a family: its folders by name, its links to folders that are elsewhere, and the files
    beside them. ``unnamed`` are folders whose names no settings file can hold."""

    folders: tuple[str, ...]
    links: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()


def look_at(folder: Path) -> TopFolder:
    """Raises ``Problem``. What begins with a dot belongs to the system or to a program, and is left out."""
    folders, links, unnamed, loose = list[str](), list[str](), list[str](), list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in _OF_SYSTEMS:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    (folders if is_text(entry.name) else unnamed).append(entry.name)
                elif entry.is_symlink() and entry.is_dir():
                    if leads_out(folder, entry.path):
                        links.append(entry.name)
                else:
                    loose.append(entry.name)
    except FileNotFoundError:
        raise Problem(f"the folder {folder} is not there; is its disk attached?", ExitCode.SOURCE) from None
    except OSError as error:
        raise Problem(f"the folder {folder} cannot be read: {error.strerror}", ExitCode.SOURCE) from None
    if not folders and not unnamed:
        raise Problem(
            f"{folder} has no folders; is its disk attached? panicroom wants a folder for each year or session: put "
            "the pictures into some",
            ExitCode.SOURCE,
        )
    return TopFolder(
        tuple(sorted(folders)), tuple(sorted(links)), tuple(sorted(unnamed)), tuple(sorted(loose))
    )


def is_text(name: str) -> bool:
    """Whether a settings file and a terminal can hold the name."""
    return name.isprintable()


def job_name(family: str, folder: str, taken: Collection[str] = ()) -> str:
    """``photos-2018`` for ``2018``, ``photos-2018-05-12-wedding`` for ``2018-05-12 Wedding``; another one where that is
    taken, or no letter of the folder's name can be in a job's."""
    plain = _plain_name(family, folder)
    # The last are for names that differ only in how an accent is written.
    more = (_with_digest(plain, _digest(f"{folder} {number}")) for number in itertools.count(2))
    names = itertools.chain([plain, _distinct_name(family, folder)], more)
    return next(name for name in names if name not in taken)


def name_folders(
    family: str, folders: Iterable[str], known: Collection[str], taken: Collection[str]
) -> dict[str, str]:
    """Folder by job. ``known`` are jobs of the family without a folder here, made by another computer or before: a
    folder gets the one that has its name, or that was made for a folder of its name. ``taken`` are all other jobs."""
    left, found = sorted(folders), dict[str, str]()
    own_names = {folder: folder for folder in left}
    for names in (own_names, {folder: _distinct_name(family, folder) for folder in left}):
        found |= {names[folder]: folder for folder in left if names[folder] in known}
        left = [folder for folder in left if folder not in found.values()]
    for folder in left:
        found[job_name(family, folder, {*taken, *found})] = folder
    return found


def _plain_name(family: str, folder: str) -> str:
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or _digest(folder)
    return f"{family}-{words}"[:LONGEST_NAME].rstrip("-")


def _distinct_name(family: str, folder: str) -> str:
    return _with_digest(_plain_name(family, folder), _digest(folder))


def _with_digest(name: str, digest: str) -> str:
    return f"{name[: LONGEST_NAME - 7].rstrip('-')}-{digest}"


def _digest(folder: str) -> str:
    """The same on every system: macOS takes letters with accents apart."""
    return hashlib.sha256(unicodedata.normalize("NFC", folder).encode()).hexdigest()[:6]
