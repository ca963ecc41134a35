"""How long a job's old chains are kept: days as they are typed, and the policy in words."""

from __future__ import annotations

from chalicelib.domain.mail.phrases import count
from ops.commands.arguments.durations import parse_days


def parse_kept_days(text: str) -> int:
    """Whole days, ``90`` or ``90d``. Raises ``ValueError`` with a sentence for anything else."""
    return parse_days(f"{text.strip()}d" if text.strip().isdecimal() else text)


def policy_words(keep_chains: int, keep_days: int, keep_yearly: int) -> str:
    """The end of a sentence about a job."""
    parts = [
        f"an old chain may go when {count(keep_chains, 'newer chain')} that you approved can stand in for it"
    ]
    if keep_days:
        parts.append(f"its newest backup is {count(keep_days, 'day')} old")
    yearly = (
        f"; the first chain of each of the last {count(keep_yearly, 'year')} stays" if keep_yearly else ""
    )
    return " and ".join(parts) + yearly
