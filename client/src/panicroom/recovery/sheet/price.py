"""What bringing everything back costs, as the service prices it. Each job is one of the machine's plans of the day."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable

from panicroom.api import Api
from panicroom.duplicity_files.stored_sets import chains
from panicroom.exit_codes import Problem
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.terminal.amounts import size_text
from panicroom.thaw.plan_text import money_text
from panicroom.thaw.together import together
from panicroom.thaw.volumes import thaw_request
from panicroom.wire import ListedFile, ThawPlan, ThawTier


def price_of_everything(settings: Settings) -> str | None:
    """In words; None where a job has no backup yet, or its price cannot be had now."""
    try:
        with Api(settings.url, token_of(settings)) as api:
            plans = [_plan(api, job.job) for job in settings.jobs]
    except Problem:
        return None
    return price_text([plan for plan in plans if plan is not None])


def _plan(api: Api, job: str) -> ThawPlan | None:
    names = tuple(newest_volumes(api.files(job)))
    return api.plan_thaw(job, thaw_request(names)) if names else None


def newest_volumes(listing: Iterable[ListedFile]) -> Iterable[str]:
    """All volumes that the newest backup builds on: a restore of everything fetches these, or a little less."""
    newest = chains(listing).newest
    for item in newest.sets if newest is not None else ():
        yield from (volume.name for volume in item.volumes.values())


def price_text(plans: Iterable[ThawPlan]) -> str | None:
    """``about $1.60 for everything, 200 GB, ...``: by Bulk what is archived; None if one price is not known."""
    plans = list(plans)
    if not plans:
        return None
    plan = together(plans)
    usd = _cheapest(plan)
    if usd is None:
        return None
    how = "thawed by Bulk and downloaded" if plan.archived else "downloaded"
    return (
        f"about {money_text(usd)} for everything ({size_text(plan.bytes)} {how}), on the AWS account's bill"
    )


def _cheapest(plan: ThawPlan) -> float | None:
    """By Bulk, or of what can be read now."""
    offers = [offer for offer in plan.tiers if offer.tier in (ThawTier.BULK, None)]
    return offers[0].usd if offers else None
