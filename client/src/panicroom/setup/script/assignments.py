"""The variables that a shell would have after reading a file, as far as it need not be run for them; and the
options of each call of duplicity in it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.duplicity_run.filelists import text_lines
from panicroom.setup.script.findings import ImportedLine

# Characters that quoting protects are put aside while shlex and the variables are at work.
_ASIDE = {"$": "\ue000", "`": "\ue001", "#": "\ue002"}
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?<=\S)#""")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_LIST = re.compile(r"\s*(?:export\s+|declare\s+(?:-\w+\s+)*)?([A-Za-z_]\w*)\+?=\(")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass
class Assignments:
    """``values`` by variable; ``calls``: the words after ``duplicity``, by the line's name; and a finding for each line
    that is neither."""

    values: dict[str, str] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)
    refused: list[ImportedLine] = field(default_factory=list)


def read_assignments(text: str, home: Path) -> Assignments:
    read = Assignments()
    for number, line in _lines(text):
        name, shell_list = f"line {number}", _LIST.match(line)
        if shell_list is not None:
            why = "a list; write + and - lines that say the same"
            read.refused.append(ImportedLine(shell_list[1], False, why))
            continue
        try:
            words = shlex.split(_QUOTED.sub(_put_aside, line), comments=True)
        except ValueError:
            why = "a quotation mark is not closed on that line"
            read.refused.append(ImportedLine(name, False, why))
            continue
        if words[:1] == ["export"]:
            words.pop(0)
        called = next((at for at, word in enumerate(words) if _is_duplicity(word)), None)
        _assign(words[:called], name, home, read)
        if called is not None:
            known = {"HOME": str(home), **read.values}
            read.calls[name] = [_filled_in(word, known) or word for word in words[called + 1 :]]
            read.refused.append(
                ImportedLine(name, False, "a command; only duplicity's options in it are read")
            )
    return read


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The number of each line's beginning, and the line; a backslash at its end joins it to the next one."""
    began, joined = 0, ""
    for number, line in enumerate(text_lines(text), start=1):
        began = began or number
        if line.endswith("\\") and not line.endswith("\\\\"):
            joined += line[:-1] + " "
            continue
        yield began, joined + line
        began, joined = 0, ""
    if joined:
        yield began, joined


def _is_duplicity(word: str) -> bool:
    return _ASSIGNMENT.fullmatch(word) is None and Path(word).name == "duplicity"


def _assign(words: list[str], line: str, home: Path, read: Assignments) -> None:
    for pair in [_ASSIGNMENT.fullmatch(word) for word in words]:
        if pair is None:
            read.refused.append(ImportedLine(line, False, "a command; only assignments are read"))
            return
        name, raw = pair.groups()
        value = _filled_in(raw, {"HOME": str(home), **read.values})
        if value is None:
            why = "its value would have to be worked out by a shell"
            read.refused.append(ImportedLine(name, False, why))
            read.values.pop(name, None)
            return  # what follows may be the rest of a command
        read.values[name] = value


def _put_aside(match: re.Match[str]) -> str:
    text = match.group()
    for character, stand_in in _ASIDE.items():
        text = text.replace("\\" + character, stand_in)
        if not text.startswith('"'):  # in there variables count
            text = text.replace(character, stand_in)
    return text


def _filled_in(raw: str, values: Mapping[str, str]) -> str | None:
    """``raw`` with its variables; None where that takes a shell or a variable that is not known."""
    if "`" in raw or any((match[1] or match[2]) not in values for match in _VARIABLE.finditer(raw)):
        return None
    text = _VARIABLE.sub(lambda match: values[match[1] or match[2]], raw)
    if "$" in _VARIABLE.sub("", raw):
        return None
    for character, stand_in in _ASIDE.items():
        text = text.replace(stand_in, character)
    return values["HOME"] + text[1:] if text == "~" or text.startswith("~/") else text
