"""The options that set what holds for machines and groups, and what the service calls each setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import click

from ops.commands.arguments.options import DURATION, DURATION_OR_NEVER, SIZE, USD, Read
from ops.commands.arguments.retention_choice import parse_kept_days


def parse_owner_mail(text: str) -> str:
    """As the service takes it: addresses, empty for nobody."""
    return "" if text == "none" else text


ADDRESSES = "at most five addresses with commas between them, `none` for nobody."
"""The end of the help of ``--owner-mail``."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """``field`` is the argument of the service's functions, ``kind`` reads the text of the option."""

    field: str
    kind: click.ParamType[Any]


TYPED_SETTINGS: Mapping[str, Setting] = {
    "every": Setting("period_seconds", DURATION),
    "grace": Setting("grace_seconds", DURATION),
    "drill_every": Setting("drill_every_seconds", DURATION_OR_NEVER),
    "storage_cap": Setting("storage_cap_bytes", SIZE),
    "download_cap": Setting("download_cap_bytes", SIZE),
    "owner_mail": Setting("owner_mail", Read("text", parse_owner_mail)),
    "thaw_budget": Setting("thaw_budget_usd", USD),
    "keep_chains": Setting("keep_chains", click.IntRange(min=1)),
    "keep_days": Setting("keep_days", Read("days", parse_kept_days)),
    "keep_yearly": Setting("keep_yearly", click.IntRange(min=0)),
}
"""By the option's name, as columns of a file have it; ``--storage`` and ``--after`` are read together, elsewhere."""

OF_WHOLE_MACHINES = {
    TYPED_SETTINGS[name].field for name in ("storage_cap", "download_cap", "owner_mail", "thaw_budget")
}
"""Fields that no single job has."""


def setting_option(name: str, explained: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The command gets the value by the name of the service's field."""
    setting = TYPED_SETTINGS[name]
    return click.option(f"--{name.replace('_', '-')}", setting.field, type=setting.kind, help=explained)


def retention_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--keep-chains``, ``--keep-days`` and ``--keep-yearly`` at once."""
    chains = setting_option(
        "keep_chains",
        "An old chain may go when so many newer ones that you approved can stand in for it.  [default: 1]",
    )
    days = setting_option("keep_days", "... and its newest backup is so old, as 90d.  [default: 0]")
    yearly = setting_option(
        "keep_yearly", "Keep the first chain of each of the last so many years besides.  [default: 0]"
    )
    return chains(days(yearly(command)))


thaw_budget_option = setting_option(
    "thaw_budget",
    "USD a month that it may spend on thaws without your approval: 1 at first, 0 for none.",
)
