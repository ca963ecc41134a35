"""The options of commands that may have to thaw something, and the questions that they ask."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from panicroom.thaw.consent import ThawOptions

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--tier",
        type=click.Choice(["expedited", "standard", "bulk"], case_sensitive=False),
        help="How fast archived volumes are thawed; the cheapest if not given.",
    ),
    click.option(
        "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="The most that the thaw may cost."
    ),
    click.option("--yes", is_flag=True, help="Agree to the thaw's price without being asked."),
    click.option("--wait", is_flag=True, help="Wait for the thaw, for days if need be, and go on by itself."),
)


def takes_thaw_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def thaw_options(
    tier: str | None, max_cost: float | None, yes: bool, wait: bool, *, may_ask: bool = True
) -> ThawOptions:
    """``may_ask``: whether a person may be asked, if one is there."""
    from panicroom.thaw.consent import ThawOptions
    from panicroom.wire import ThawTier

    person = _Terminal() if may_ask and sys.stdin.isatty() and sys.stderr.isatty() else None
    return ThawOptions(
        command=("panicroom", *sys.argv[1:]),
        tier=ThawTier(tier.capitalize()) if tier else None,
        max_usd=max_cost,
        yes=yes,
        wait=wait,
        person=person,
    )


class _Terminal:
    """Asks whoever sits there, on standard error: standard output may be a file."""

    def choose(self, question: str, choices: Sequence[str], default: str) -> str:
        answer: str = click.prompt(question, type=click.Choice(choices), default=default, err=True)
        return answer

    def agrees(self, question: str) -> bool:
        return click.confirm(question, default=False, err=True)
