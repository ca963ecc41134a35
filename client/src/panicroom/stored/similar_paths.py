"""The paths that somebody may have meant who asked for one that is not there. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

from panicroom.shown import shown_path

_MOST = 3
_CLOSE = 0.7
"""As difflib counts: one letter of three may be another."""


def similar_paths(wanted: str, paths: Iterable[str]) -> list[str]:
    """At most three of ``paths``, the likeliest first.

    Those that differ in capitals, in the form of their letters or in backslashes only, if there are any; else those
    with the same name in another folder, and then those of a similar name in the deepest folder of ``wanted`` that
    there is.
    """
    known = list(paths)
    plain = _plain(wanted)
    *_folders, name = plain.split("/")
    same = [path for path in known if _plain(path) in (plain, plain.replace("\\", "/"))]
    if same:
        return same[:_MOST]
    elsewhere = [path for path in known if _plain(path).rpartition("/")[2] == name]
    folder, rest = _deepest(wanted, known)
    beginning = f"{folder}/" if folder else ""
    beside = {path[len(beginning) :]: path for path in known if path.startswith(beginning)}
    names = {_plain(rest_of_path): path for rest_of_path, path in beside.items() if "/" not in rest_of_path}
    first = _plain(rest.split("/")[0])
    close = [names[match] for match in difflib.get_close_matches(first, names, _MOST, _CLOSE)]
    return list(dict.fromkeys([*elsewhere, *close]))[:_MOST]


def meant_text(wanted: str, paths: Iterable[str]) -> str:
    """``; did you mean a or b?``, to follow what is wrong; empty where nothing is like it."""
    meant = similar_paths(wanted, paths)
    return f"; did you mean {' or '.join(map(shown_path, meant))}?" if meant else ""


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _deepest(wanted: str, known: Iterable[str]) -> tuple[str, str]:
    """The longest folder above ``wanted`` that is known, and what follows it."""
    there = set(known)
    folder, _, _name = wanted.rpartition("/")
    while folder and folder not in there:
        folder = folder.rpartition("/")[0]
    return folder, wanted[len(folder) :].lstrip("/")
