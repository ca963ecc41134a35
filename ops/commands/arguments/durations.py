"""Durations as people type them: ``1d``, ``12h``, ``2w``, ``90m``, ``1w2d``."""

from __future__ import annotations

import re

from chalicelib.domain.backups.machines import LONGEST_SECONDS

UNIT_SECONDS = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([wdhms])")
_WHOLE = re.compile(r"(?:\d+[wdhms])+")


def parse_duration(text: str) -> int:
    """Seconds of a duration, ten years at most. Raises ``ValueError`` with a sentence for anything else, zero
    included."""
    compact = text.strip().lower().replace(" ", "")
    seconds = 0
    if _WHOLE.fullmatch(compact):
        seconds = sum(int(number) * UNIT_SECONDS[unit] for number, unit in _PART.findall(compact))
    if seconds == 0:
        raise ValueError(f"“{text}” is no duration: write a number and a unit, such as 1d, 12h, 2w or 90m.")
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"“{text}” is more than ten years.")
    return seconds


def parse_duration_or_never(text: str) -> int:
    """Seconds of a duration, 0 for ``never``. Raises ``ValueError`` with a sentence for anything else."""
    return 0 if text.strip().lower() == "never" else parse_duration(text)


def parse_ahead(text: str) -> int:
    """Seconds of ``+200d``, 0 for ``reset``. Raises ``ValueError`` with a sentence for anything else."""
    if text.strip().lower() == "reset":
        return 0
    if not text.strip().startswith("+"):
        raise ValueError(f"“{text}” is neither a time ahead, such as +200d, nor `reset`.")
    return parse_duration(text.strip()[1:])


def parse_days(text: str) -> int:
    """Whole days, ``0d`` included: ``30d``, ``4w``. Raises ``ValueError`` with a sentence for anything else."""
    seconds = 0 if text.strip().lower() == "0d" else parse_duration(text)
    if seconds % UNIT_SECONDS["d"]:
        raise ValueError(f"“{text}” is no whole number of days: write one such as 7d, or 0d for at once.")
    return seconds // UNIT_SECONDS["d"]


def show_duration(seconds: int) -> str:
    """The shortest text that ``parse_duration`` reads back: 1209600 -> ``2w``, 90000 -> ``1d1h``."""
    parts = []
    for unit, unit_seconds in UNIT_SECONDS.items():
        count, seconds = divmod(seconds, unit_seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
