"""``panicroom cost``: what keeping files costs, and what bringing them back would, for people and as JSON. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from panicroom.restore.dry_run import PricedPlan
from panicroom.restore.paths import EVERYTHING
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text
from panicroom.thaw.plan_text import archived_text, money_text, offer_lines, volumes_text
from panicroom.wire import ThawPlan, to_json


def cost_lines(priced: PricedPlan) -> Iterator[str]:
    backup, plan, thaw = priced.backup, priced.plan, priced.thaw
    files = f"{len(plan.needs)} file{'s' if len(plan.needs) != 1 else ''}"
    title = backup.selection.title
    newest = " (the newest backup)" if backup.is_newest else ""
    volumes = plan.volumes()
    fetched = sum(file.size for file in volumes)
    yield (
        f"{'' if title == EVERYTHING else f'{title}: '}{files} (at most {size_text(plan.most_bytes)}) as of "
        f"{time_text(backup.as_of)}{newest}, in {volumes_text(len(volumes))} ({size_text(fetched)})"
    )
    if thaw is not None:
        yield f"Keeping them: {money_text(thaw.month_usd)} a month"
        yield f"Bringing them back: {archived_text(thaw)}"
        yield from offer_lines(thaw) if thaw.archived else _readable_lines(thaw)


def _readable_lines(thaw: ThawPlan) -> Iterator[str]:
    for offer in thaw.tiers[:1]:
        yield f"  fetching costs {money_text(offer.usd)}, without a thaw"


def cost_as_json(priced: PricedPlan) -> dict[str, Any]:
    """``thaw`` is the service's answer; null where no volume is needed."""
    volumes = priced.plan.volumes()
    return {
        "as_of": exact_time_text(priced.backup.as_of),
        "newest": priced.backup.is_newest,
        "files": len(priced.plan.needs),
        "volumes": len(volumes),
        "bytes": sum(file.size for file in volumes),
        "month_usd": None if priced.thaw is None else priced.thaw.month_usd,
        "thaw": None if priced.thaw is None else to_json(priced.thaw),
    }
