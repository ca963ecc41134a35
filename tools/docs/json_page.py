"""The page about ``--json``: what each command prints, and the fields of every shape in it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from tools.docs.command_pages import MADE
from tools.docs.markdown import anchor_of
from tools.json_answers import OF_MACHINE, OF_OWNER, SHAPES_BESIDE, PrintedAnswer

_INTRO = """\
With `--json` a command prints JSON for programs and nothing else; questions and errors go to the other stream, and exit
codes are the same. More fields may come at any time: pass over those that you do not know. *Time* is text, ISO 8601 in
UTC; sizes are whole numbers of bytes, money is USD before tax.
"""

_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    Decimal: "number",
    bool: "true or false",
    datetime: "time",
    type(None): "null",
    Any: "anything",
    object: "anything",
}


def json_page() -> str:
    parts = [f"# What `--json` prints\n\n{MADE}\n{_INTRO}"]
    for title, program, answers in (
        ("The owner's commands", "python -m ops", OF_OWNER),
        ("The commands of a machine", "panicroom", OF_MACHINE),
    ):
        parts.append(f"## {title}\n\n| command | prints |\n| --- | --- |")
        parts += [
            f"| `{program} {name}`{f' ({one.when})' if one.when else ''} | {_described(one)} |"
            for name, several in answers.items()
            for one in several
        ]
        parts.append("")
    parts.append("## Shapes\n")
    parts += [_shape(one) for one in sorted(_shapes(), key=lambda one: one.__name__)]
    return "\n".join(parts)


def _described(answer: PrintedAnswer) -> str:
    what = _link(answer.shape) if answer.shape else "an object"
    if answer.many or answer.lines:
        what = f"a list of {what}" if answer.many else f"{what} a line"
    beside = "; ".join(f"`{name}`: {meaning}" for name, meaning in answer.more.items())
    joined = f" with {beside}" if answer.shape else f": {beside}"
    joined = f", not always with all of it{joined}" if answer.anything else joined
    return f"{what}{joined}" if beside else what


def _shape(shape: type) -> str:
    lines = [f"### {shape.__name__}\n"]
    text = inspect.cleandoc(shape.__doc__ or "")
    if text and not text.startswith(f"{shape.__name__}("):
        lines.append(re.sub(r"``([^`]+)``", r"`\1`", " ".join(text.split())) + "\n")
    hints = get_type_hints(shape)
    lines += ["| field | is |", "| --- | --- |"]
    lines += [f"| `{field.name}` | {_worded(hints[field.name])} |" for field in dataclasses.fields(shape)]
    return "\n".join([*lines, ""])


def _worded(hint: Any) -> str:
    """A type as it is written in JSON."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _worded(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_worded, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object: {_worded(inner[1])} by name"
    if origin is not None:
        return f"list of {_worded(inner[0])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(f"`{one.value}`" for one in hint)
    if dataclasses.is_dataclass(hint):
        return _link(hint)
    return _WORDS[hint]


def _link(shape: Any) -> str:
    return f"[{shape.__name__}](#{anchor_of(shape.__name__)})"


def _shapes() -> set[type]:
    """Every dataclass that a command prints, with those that are in others."""
    found: set[type] = set()
    todo = [one.shape for several in (OF_OWNER, OF_MACHINE) for all_of in several.values() for one in all_of]
    todo += SHAPES_BESIDE
    while todo:
        shape = todo.pop()
        if shape is not None and shape not in found:
            found.add(shape)
            todo += [inner for hint in get_type_hints(shape).values() for inner in _dataclasses_in(hint)]
    return found


def _dataclasses_in(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint):
        yield typing.cast(type, hint)
    for inner in get_args(hint):
        yield from _dataclasses_in(inner)
