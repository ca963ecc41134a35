"""How long a job's old chains are kept: the options, and the policy in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from chalicelib.domain.mail.phrases import count
from ops.commands.arguments.durations import parse_days
from ops.commands.arguments.options import Read


def parse_kept_days(text: str) -> int:
    """Whole days, ``90`` or ``90d``. Raises ``ValueError`` with a sentence for anything else."""
    return parse_days(f"{text.strip()}d" if text.strip().isdecimal() else text)


KEPT_DAYS = Read("days", parse_kept_days)


def retention_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--keep-chains``, ``--keep-days`` and ``--keep-yearly`` at once."""
    chains = click.option(
        "--keep-chains",
        type=click.IntRange(min=1),
        help="An old chain may go when so many newer ones that you approved can stand in for it.  [default: 1]",
    )
    days = click.option(
        "--keep-days", type=KEPT_DAYS, help="... and its newest backup is so old, as 90d.  [default: 0]"
    )
    yearly = click.option(
        "--keep-yearly",
        type=click.IntRange(min=0),
        help="Keep the first chain of each of the last so many years besides.  [default: 0]",
    )
    return chains(days(yearly(command)))


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
