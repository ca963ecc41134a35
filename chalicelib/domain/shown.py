"""Text from outside, made safe to show: one line, left to right, without control characters.

Names of keys, versions and messages of clients come from whoever can write to the bucket or holds a token. In a mail
or on a terminal a line break forges a line of advice, an escape sequence colours or hides text, a bidi mark turns a
name around. So each such character is shown as its escape. What is stored and sent as JSON stays as it is.
"""

from __future__ import annotations

import dataclasses
import shlex
import unicodedata
from typing import Any, TypeVar

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode's categories of characters that have no glyph, or change how others are shown."""

FORMULA_STARTS = ("=", "+", "-", "@")

Value = TypeVar("Value")


def shown(text: str) -> str:
    """``text`` with each character that cannot be seen as its escape: ``two\\nlines``, ``\\u202egnp.exe``."""
    return "".join(_escape(character) if _is_hidden(character) else character for character in text)


def shown_command(line: str) -> str:
    """A command of one line that a shell reads as it read ``line``: hidden characters go into ``$'...'``."""
    if not any(map(_is_hidden, line)):
        return line
    return " ".join(_quoted(word) for word in shlex.split(line))


def shown_cell(text: str) -> str:
    """A cell of a table that a spreadsheet takes for text, not for a formula."""
    cell = shown(text)
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def all_shown(value: Value) -> Value:
    """``value`` with every text in it shown: dataclasses and tuples, however nested; ``commands`` as commands."""
    return _shown(value, "")  # type: ignore[no-any-return]


def _shown(value: Any, name: str) -> Any:
    if type(value) is str:
        return shown_command(value) if name == "commands" else shown(value)
    if isinstance(value, tuple):
        return tuple(_shown(item, name) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{key: _shown(item, key) for key, item in fields.items()})
    return value


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN_CATEGORIES


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if short is not None:
        return short
    number = ord(character)
    return (
        f"\\x{number:02x}"
        if number < 0x80
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


def _quoted(word: str) -> str:
    """As ``shlex.quote``, or in bash's and zsh's ``$'...'`` where a character is hidden."""
    if not any(map(_is_hidden, word)):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{shown(escaped)}'"
