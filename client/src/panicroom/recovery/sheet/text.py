"""A recovery sheet as plain text: 80 columns, 66 lines a page of paper, as programs have always printed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from panicroom.recovery.sheet.page import Fact, Page, Step, Way

COLUMNS = 80
LINES = 66
"""A page of paper. A sheet has two: facts and the way with the service, then the way without."""

_BLANK = "_" * 48
_NAMES = 15


def as_text(page: Page) -> str:
    """The whole sheet; the second page begins with a form feed."""
    first, *rest = page.ways
    front = [*_front(page), *_way(first)]
    back = [line for way in rest for line in ["", *_way(way)]]
    if len(front) + len(back) <= LINES:
        return "\n".join([*front, *back]) + "\n"
    return "\n".join([*front, f"\fRECOVERY SHEET   {page.machine}   page 2 of 2", *back]) + "\n"


def _front(page: Page) -> Iterator[str]:
    yield from _wrapped(f"{page.machine}   {page.printed}", "RECOVERY SHEET   ")
    yield from _wrapped(page.opening, "")
    for group in page.groups:
        yield ""
        for fact in group.facts:
            yield from _fact(fact)
    yield ""


def _fact(fact: Fact, indent: str = "") -> Iterator[str]:
    name = f"{indent}{fact.name}".ljust(_NAMES)
    value = _BLANK if fact.value is None else fact.value
    if fact.typed or fact.value is None:
        yield f"{name}{value}"
    else:
        yield from _wrapped(value, name)
    if fact.note:
        yield from _wrapped(fact.note, " " * _NAMES)


def _way(way: Way) -> Iterator[str]:
    yield way.title.upper()
    for fact in way.facts:
        yield from _fact(fact, "   ")
    for number, step in enumerate(way.steps, start=1):
        yield from _step(step, f"{number:>2}. ")


def _step(step: Step, mark: str) -> Iterator[str]:
    inside = " " * len(mark)
    yield from _wrapped(step.text, mark)
    for line in step.lines:
        too_long = len(inside) + len(line) > COLUMNS
        yield (
            f"{inside[: max(0, COLUMNS - len(line.strip()))]}{line.strip()}"
            if too_long
            else f"{inside}{line}"
        )
    if step.after:
        yield from _wrapped(step.after, inside)


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
