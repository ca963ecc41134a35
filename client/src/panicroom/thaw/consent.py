"""Whether somebody agrees to what a thaw costs: by options, or asked. Nothing is spent without that."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from panicroom.exit_codes import ExitCode, Problem
from panicroom.terminal.amounts import size_text
from panicroom.thaw.plan_text import by_price, money_text, tier_name, volumes_text
from panicroom.wire import ThawOffer, ThawPlan, ThawTier


class Person(Protocol):
    """Somebody at a terminal."""

    def choose(self, question: str, choices: Sequence[str], default: str) -> str:
        """One of ``choices``."""

    def agrees(self, question: str) -> bool:
        """Whether the answer is yes; without an answer it is no."""


class NotAgreed(Problem):
    """Somebody was asked, and did not agree."""


@dataclass
class Spending:
    """What the thaws of one command cost, as far as they were agreed to."""

    usd: float = 0.0


@dataclass(frozen=True)
class ThawOptions:
    """What was said on the command line, which is ``command``. ``person`` is None where nobody can be asked.

    ``agreeing_command``: where agreeing takes another command than going on. ``max_usd`` is the most that the thaws of
    this command may cost together. ``wait``: go on by itself when all can be read.
    ``drill``: from the allowance for drills. ``is_shown``: the plan was shown, as a part of a larger one. ``share`` is
    the part of the line that this job has, of several that are fetched one after the other.
    """

    command: Sequence[str]
    agreeing_command: Sequence[str] | None = None
    tier: ThawTier | None = None
    max_usd: float | None = None
    yes: bool = False
    wait: bool = False
    drill: bool = False
    is_shown: bool = False
    share: float = 1.0
    person: Person | None = None
    spent: Spending = field(default_factory=Spending)

    @property
    def command_line(self) -> str:
        return shlex.join(self.command)

    def agreeing_line(self, offer: ThawOffer) -> str:
        """The command with the options that agree to ``offer``."""
        words = [*(self.agreeing_command or self.command), "--yes"]
        if self.tier is None and offer.tier is not None:
            words += ["--tier", tier_name(offer.tier)]
        if self.max_usd is None and offer.usd is not None:
            words += ["--max-cost", money_text(offer.usd).removeprefix("$").replace(",", "")]
        return shlex.join(words)


@dataclass(frozen=True)
class Agreed:
    """A way to bring the volumes back, at most for ``max_usd``."""

    tier: ThawTier
    max_usd: float


def agree(plan: ThawPlan, options: ThawOptions) -> Agreed:
    """The offer that is agreed to, after what was spent before. Raises ``Problem`` where there is none."""
    spent_usd = options.spent.usd
    offers = _allowed(plan, options, spent_usd)
    if not options.yes and options.person is None:
        raise _not_agreed(plan, offers[0], options)
    offer = offers[0] if options.yes else _asked(plan, offers, options.person)
    assert offer.tier is not None
    if offer.usd is None:  # the service asks the owner, whatever the limit
        return Agreed(offer.tier, options.max_usd or 0.0)
    if options.yes and options.max_usd is not None:
        return Agreed(offer.tier, options.max_usd - spent_usd)
    return Agreed(offer.tier, offer.usd)


def agree_together(plan: ThawPlan, options: ThawOptions) -> ThawOptions:
    """Asks once for several jobs, whose plans are one here; the options with which each of them is then agreed to.

    Where nothing is archived it is about what leaving AWS costs. Raises ``Problem`` where nobody agrees.
    """
    if not plan.archived:
        _agree_to_download(plan, options)
        return options
    agreed = agree(plan, options)
    offer = next(offer for offer in plan.tiers if offer.tier == agreed.tier)
    most = None if offer.usd is None else agreed.max_usd  # a price that is not known is for the owner
    return dataclasses.replace(options, yes=True, tier=agreed.tier, max_usd=most, is_shown=True)


def _agree_to_download(plan: ThawPlan, options: ThawOptions) -> None:
    offer = plan.tiers[0]
    if options.yes:
        if options.max_usd is not None and (offer.usd is None or offer.usd > options.max_usd + 1e-9):
            raise _too_dear(offer, options.max_usd, options.spent.usd)
    elif options.person is None:
        raise Problem(
            f"downloading {size_text(plan.bytes)} costs {money_text(offer.usd)}; nothing was spent; to agree, run: "
            f"{options.agreeing_line(offer)}",
            ExitCode.USAGE,
        )
    elif not options.person.agrees(f"Download {size_text(plan.bytes)} for {money_text(offer.usd)}?"):
        raise NotAgreed("nothing was downloaded, and nothing was spent", ExitCode.TRY_LATER)


def _allowed(plan: ThawPlan, options: ThawOptions, spent_usd: float) -> list[ThawOffer]:
    """The offers within tier and limit, the cheapest first."""
    offers = [offer for offer in by_price(plan) if offer.tier is not None]
    of_tier = [offer for offer in offers if options.tier in (None, offer.tier)]
    if not of_tier:
        there = " or ".join(tier_name(offer.tier) for offer in offers) or "none"
        raise Problem(
            f"these volumes cannot be thawed by the tier {tier_name(options.tier)}; there is {there}",
            ExitCode.USAGE,
        )
    limit = options.max_usd
    if limit is None:
        return of_tier
    allowed = [offer for offer in of_tier if offer.usd is not None and spent_usd + offer.usd <= limit + 1e-9]
    if not allowed:
        raise _too_dear(of_tier[0], limit, spent_usd)
    return allowed


def _too_dear(offer: ThawOffer, limit: float, spent_usd: float) -> Problem:
    if offer.usd is None:
        return Problem(
            "the price of this thaw is not known, so --max-cost cannot be kept; nothing was spent; without it, the "
            "owner of the service is asked to approve the thaw",
            ExitCode.USAGE,
        )
    before = f", after {money_text(spent_usd)} that this command has spent" if spent_usd else ""
    what = "the download" if offer.tier is None else "the thaw"
    by = "" if offer.tier is None else f" by the tier {tier_name(offer.tier)}"
    return Problem(
        f"{what} costs {money_text(offer.usd)}{by}, which is more than --max-cost {limit:g}"
        f"{before}; nothing more was spent",
        ExitCode.USAGE,
    )


def _not_agreed(plan: ThawPlan, offer: ThawOffer, options: ThawOptions) -> Problem:
    return Problem(
        f"{volumes_text(plan.archived)} {'is' if plan.archived == 1 else 'are'} archived, and the thaw costs "
        f"{money_text(offer.usd)}; nothing was spent; to agree, run: {options.agreeing_line(offer)}",
        ExitCode.USAGE,
    )


def _asked(plan: ThawPlan, offers: Sequence[ThawOffer], person: Person | None) -> ThawOffer:
    assert person is not None
    offer = offers[0]
    if len(offers) > 1:
        names = [tier_name(offer.tier) for offer in offers]
        offer = offers[names.index(person.choose("Which tier", names, names[0]))]
    price = f"for {money_text(offer.usd)}" if offer.usd is not None else "at an unknown price"
    approval = ", once the owner approves," if offer.needs_approval or offer.usd is None else ""
    if not person.agrees(f"Thaw {volumes_text(plan.archived)}{approval} {price}?"):
        raise NotAgreed("nothing was thawed, and nothing was spent", ExitCode.TRY_LATER)
    return offer
