"""About how much room a sheet takes as a page, in rows of letters of the usual size."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator

from panicroom.recovery.sheet.page import Fact, Page, Step

FITTING_ROWS = 68
"""So many fit on one page of Letter; of smaller letters more do (client/tests/test_printed_sheet.py)."""

_FACT, _STEP, _TYPED = 110, 46, 80
"""Letters in a row: of a fact, of what stands beside lines, and of those lines."""


def rows_of(page: Page) -> int:
    facts = [fact for group in page.groups for fact in group.facts]
    facts += [fact for way in page.ways for fact in way.facts]
    steps = [step for way in page.ways for step in way.steps]
    return sum(map(_fact, facts)) + sum(map(_step, steps))


def _fact(fact: Fact) -> int:
    blank = 2 if fact.value is None else 0
    return blank + sum(_rows(fact.value or "", _FACT)) + sum(_rows(fact.note or "", _FACT))


def _step(step: Step) -> int:
    beside = sum(_rows(step.text, _STEP)) + sum(_rows(step.after or "", _STEP))
    return max(beside, sum(rows for line in step.lines for rows in _rows(line, _TYPED)))


def _rows(text: str, letters: int) -> Iterator[int]:
    if text:
        yield -(-len(text) // letters)
