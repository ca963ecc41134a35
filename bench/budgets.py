"""What was measured against what it may be."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench.processes import Cost


class Budgets:
    """Says what is found, and remembers what was missed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.missed: list[str] = []

    def check(self, what: str, value: float, most: float, unit: str = "") -> None:
        kept = value <= most
        if not kept:
            self.missed.append(what)
        self.say(f"  {what}: {value:.2f}{unit} (at most {most:g}{unit}) {'ok' if kept else 'MISSED'}")

    def compare(self, what: str, pairs: Sequence[tuple[Cost, Cost]], most: float) -> None:
        """``pairs``: ours and theirs, made in turns. The median of ours as a part of the median of theirs."""
        for ours, theirs in pairs:
            self.say(f"  {ours} against {theirs}")
        medians = [statistics.median(pair[which].seconds for pair in pairs) for which in (0, 1)]
        self.check(what, medians[0] / medians[1], most)
