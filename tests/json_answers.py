"""Whether what a command printed with ``--json`` is what the reference says of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from tools.json_answers import PrintedAnswer


def answers_as(answers: tuple[PrintedAnswer, ...], printed: Any) -> bool:
    """Whether that is one of the answers, by the names of its fields."""
    return any(_is_as(one, printed) for one in answers)


def _is_as(answer: PrintedAnswer, printed: Any) -> bool:
    if isinstance(printed, list) != answer.many:
        return False
    own = {field.name for field in dataclasses.fields(answer.shape)} if answer.shape else set()
    for each in printed if answer.many else [printed]:
        names = set(each)
        if not names <= own | set(answer.more) or not (own <= names or answer.anything):
            return False
    return True
