"""duplicity's options, as a variable or a call of duplicity in a script has them."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from panicroom.setup.script.meanings import OPTION_MEANINGS, SWITCHES


def options_of(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each long option and its value, which may be empty; what stands between them, as kind and target, is left out.

    duplicity takes ``--name value`` and ``--name=value``.
    """
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            name, separator, value = word.partition("=")
            takes_next = not separator and name not in SWITCHES and not following.startswith("-")
            yield name, following if takes_next and name in OPTION_MEANINGS else value


def words_of(value: str) -> list[str]:
    """The words of a variable that holds options."""
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
