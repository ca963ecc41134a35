"""The owner's page as plain text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from ops.owner_page.content import Line, OwnerPage, Task

COLUMNS = 80
_BLANK = "_" * 48
_NAMES = 18


def as_text(page: OwnerPage) -> str:
    return "\n".join(_lines(page)) + "\n"


def _lines(page: OwnerPage) -> Iterator[str]:
    yield from _wrapped(f"{page.title.upper()}   {page.printed}")
    yield from _wrapped(page.opening)
    yield from ("", "WHAT TO DO FIRST")
    for number, task in enumerate(page.first, start=1):
        yield from _task(task, f"{number:>2}. ")
    yield from ("", "HOW TO GET IN")
    yield from _facts(page.account)
    for note in page.account_notes:
        yield from _wrapped(note)
    yield from ("", "WHERE THINGS ARE")
    yield from _facts(page.places)
    for part in page.machines:
        yield from ("", f"COMPUTER {part.machine}")
        yield from _facts([*part.facts, *part.kept_at])
    yield from ("", "WHAT NOBODY CAN DO")
    for sentence in page.impossible:
        yield from _wrapped(sentence, "- ")


def _task(task: Task, mark: str) -> Iterator[str]:
    yield from _wrapped(task.text, mark)
    yield from (f"{' ' * len(mark)}{command}" for command in task.commands)


def _facts(facts: Iterable[Line]) -> Iterator[str]:
    for fact in facts:
        name = fact.name.ljust(_NAMES)
        yield from [f"{name}{_BLANK}"] if fact.value is None else _wrapped(fact.value, name)


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
