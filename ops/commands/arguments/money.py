"""Sums of money as people type them: ``5``, ``$2.50``, ``0``. USD."""

from __future__ import annotations

import re

_SUM = re.compile(r"\$?(?P<usd>\d{1,6}(?:\.\d{1,2})?)", re.ASCII)


def parse_usd(text: str) -> str:
    """The sum as a text, which travels exactly. Raises ``ValueError`` with a sentence for anything else."""
    match = _SUM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"“{text}” is no sum in USD: write a number such as 5, 2.50 or 0.")
    return match["usd"]
