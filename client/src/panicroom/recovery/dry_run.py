"""``panicroom recover --dry-run``: what would be fetched of each job, and what all thaws together would cost."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from panicroom.recovery.run import JobsToRecover
from panicroom.restore.dry_run import plan_lines, plan_restore
from panicroom.settings import Settings
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.plan_text import money_text, tier_name
from panicroom.wire import ThawPlan, ThawTier


def recovery_plan_lines(settings: Settings, request: JobsToRecover, reporter: Reporter) -> Iterator[str]:
    """Raises ``Problem`` at the first job whose backup cannot be read."""
    thaws = []
    for job in request.jobs:
        if len(request.jobs) > 1:
            yield f"{job.job}:"
        if job.job in request.opened.empty:
            yield "it has no backup yet"
        elif job.job in request.opened.closed:
            yield "another passphrase opens its backups, an earlier one"
        else:
            priced = plan_restore(settings, job, (), None, reporter)
            yield from plan_lines(priced)
            if priced.thaw is not None and priced.thaw.archived:
                thaws.append(priced.thaw)
    if len(thaws) > 1:
        yield _together(thaws)


def _together(thaws: list[ThawPlan]) -> str:
    """A tier that one of the thaws has not, or not with a price, has no sum."""
    sums: dict[ThawTier, list[float]] = defaultdict(list)
    for thaw in thaws:
        for offer in thaw.tiers:
            if offer.tier is not None and offer.usd is not None:
                sums[offer.tier].append(offer.usd)
    prices = [
        f"{money_text(sum(usd))} by {tier_name(tier)}"
        for tier, usd in sorted(sums.items(), key=lambda item: sum(item[1]))
        if len(usd) == len(thaws)
    ]
    return f"All thaws together: {', '.join(prices) or 'unknown'}"
