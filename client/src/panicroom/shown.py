"""Text from outside, as a terminal may show it: messages of the service, of S3, of gpg, and names of files."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LONGEST = 500
"""Characters of one message; a name of a file may have more, see ``shown_path``."""

_SHORT_PATH = 120


def shown(text: str, longest: int = LONGEST) -> str:
    """``text`` in one line, with ? for control characters, escape sequences, marks that turn the direction of
    writing, line separators and bytes that are no text; cut after ``longest`` characters."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def cleaned(data: Any) -> Any:
    """JSON data with every text in it as ``shown`` has it, of any length. Names and URLs that the service gives
    have no such characters; one that has becomes another name, which nothing matches."""
    if isinstance(data, str):
        return data if data.isprintable() else shown(data, len(data))
    if isinstance(data, list):
        return [cleaned(item) for item in data]
    if isinstance(data, dict):
        return {cleaned(key): cleaned(value) for key, value in data.items()}
    return data


def shown_path(path: str) -> str:
    """A path that a terminal can take: neither control characters nor bytes that are no text."""
    return "".join(letter if letter.isprintable() else "?" for letter in path)


def named(paths: Sequence[str], most: int = 3) -> str:
    """``a, b, c and 4 more``, each as ``shown_path`` has it."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(map(shown_path, paths[:most])) + more


def short_path(path: str) -> str:
    """``shown_path`` that fits into a message with others: its middle is left out where it is long."""
    whole = shown_path(path)
    return (
        whole if len(whole) <= _SHORT_PATH else f"{whole[: _SHORT_PATH // 2]}...{whole[-_SHORT_PATH // 2 :]}"
    )
