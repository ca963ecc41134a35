"""What counts as an agreement to a price, and what is spent without one: nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from panicroom.exit_codes import ExitCode, Problem
from panicroom.thaw.consent import Agreed, Spending, ThawOptions, agree
from panicroom.thaw.plan_text import money_text, plan_lines
from panicroom.wire import ThawOffer, ThawPlan, ThawState, ThawTier

COMMAND = ("panicroom", "restore", "a b", "--to", "/out")


def offer(
    tier: ThawTier, usd: float | None, *, needs_approval: bool = False, transfer: float = 0
) -> ThawOffer:
    ready, until = "2026-12-02T09:00:00Z", "2026-12-09T00:00:00Z"
    return ThawOffer(ready, tier, usd, transfer, until, needs_approval)


BULK, STANDARD = offer(ThawTier.BULK, 0.44), offer(ThawTier.STANDARD, 1.47)


def plan_of(*offers: ThawOffer) -> ThawPlan:
    return ThawPlan(
        thaw="a1",
        state=ThawState.PLANNED,
        bytes=34 * 2**30,
        archived_bytes=30 * 2**30,
        archived=1200,
        thawing=0,
        readable=100,
        missing=(),
        tiers=offers,
        needs_approval=False,
        left_usd=1.0,
    )


@dataclass
class Person:
    """Answers, and what was asked."""

    tier: str | None = None
    yes: bool = True
    asked: list[str] = field(default_factory=list)

    def choose(self, question: str, choices: Sequence[str], default: str) -> str:
        self.asked.append(f"{question} {'/'.join(choices)} [{default}]")
        return self.tier or default

    def agrees(self, question: str) -> bool:
        self.asked.append(question)
        return self.yes


def test_a_person_is_asked_for_the_tier_and_then_for_the_price() -> None:
    person = Person()
    agreed = agree(plan_of(STANDARD, BULK), ThawOptions(COMMAND, person=person))
    assert agreed == Agreed(ThawTier.BULK, 0.44)
    assert person.asked == ["Which tier bulk/standard [bulk]", "Thaw 1,200 volumes for $0.44?"]


def test_a_person_may_choose_another_tier_and_is_not_asked_where_there_is_one_only() -> None:
    assert agree(plan_of(BULK, STANDARD), ThawOptions(COMMAND, person=Person("standard"))).max_usd == 1.47
    person = Person()
    agree(plan_of(BULK, STANDARD), ThawOptions(COMMAND, tier=ThawTier.STANDARD, person=person))
    assert person.asked == ["Thaw 1,200 volumes for $1.47?"]


def test_no_is_no() -> None:
    with pytest.raises(Problem, match="nothing was spent") as raised:
        agree(plan_of(BULK), ThawOptions(COMMAND, person=Person(yes=False)))
    assert raised.value.exit_code == ExitCode.TRY_LATER


def test_where_nobody_can_be_asked_the_line_that_agrees_is_shown_and_nothing_is_spent() -> None:
    with pytest.raises(Problem) as raised:
        agree(plan_of(STANDARD, BULK), ThawOptions(COMMAND))
    assert raised.value.exit_code == ExitCode.USAGE
    assert str(raised.value) == (
        "1,200 volumes are archived, and the thaw costs $0.44; nothing was spent; to agree, run: "
        "panicroom restore 'a b' --to /out --yes --tier bulk --max-cost 0.44"
    )


@pytest.mark.parametrize(
    ("offers", "options", "agreed"),
    [
        ((STANDARD, BULK), {}, Agreed(ThawTier.BULK, 0.44)),
        ((STANDARD, BULK), {"tier": ThawTier.STANDARD}, Agreed(ThawTier.STANDARD, 1.47)),
        ((BULK,), {"max_usd": 2.0}, Agreed(ThawTier.BULK, 2.0)),
        ((BULK,), {"max_usd": 0.44}, Agreed(ThawTier.BULK, 0.44)),
        ((offer(ThawTier.BULK, None),), {}, Agreed(ThawTier.BULK, 0.0)),
        ((offer(ThawTier.BULK, None), STANDARD), {}, Agreed(ThawTier.STANDARD, 1.47)),
    ],
)
def test_yes_takes_the_cheapest_that_is_allowed(
    offers: tuple[ThawOffer, ...], options: dict[str, object], agreed: Agreed
) -> None:
    assert agree(plan_of(*offers), ThawOptions(COMMAND, yes=True, **options)) == agreed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offers", "options", "spent", "reason"),
    [
        (
            (BULK,),
            {"max_usd": 0.43},
            0.0,
            r"costs \$0.44 by the tier bulk, which is more than --max-cost 0.43",
        ),
        ((BULK,), {"max_usd": 0.5}, 0.44, r"after \$0.44 that this command has spent"),
        ((BULK, STANDARD), {"max_usd": 1.0, "tier": ThawTier.STANDARD}, 0.0, "by the tier standard"),
        ((offer(ThawTier.BULK, None),), {"max_usd": 5.0}, 0.0, "not known, so --max-cost cannot be kept"),
        ((BULK,), {"tier": ThawTier.EXPEDITED}, 0.0, "cannot be thawed by the tier expedited; there is bulk"),
    ],
)
def test_limits_hold_for_everybody(
    offers: tuple[ThawOffer, ...], options: dict[str, object], spent: float, reason: str
) -> None:
    for more in ({"yes": True}, {"person": Person()}):
        with pytest.raises(Problem, match=reason) as raised:
            agree(plan_of(*offers), ThawOptions(COMMAND, spent=Spending(spent), **options, **more))  # type: ignore[arg-type]
        assert raised.value.exit_code == ExitCode.USAGE


def test_the_plan_fits_into_sixty_columns() -> None:
    dear = offer(ThawTier.EXPEDITED, 456.0, needs_approval=True, transfer=83.16)
    sentence, *rows = plan_lines(plan_of(STANDARD, BULK, dear))
    assert sentence == "1200 of 1,300 volumes are archived and must be thawed first (30.0 GB of 34.0 GB)"
    table, notes = rows[:4], rows[4:]
    assert max(map(len, table)) <= 60
    assert [row.split()[0] for row in table] == ["tier", "bulk", "standard", "expedited"]
    assert table[3].split()[1:3] == ["$456.00", "*"]
    assert notes == [
        "  $83.16 of each is for what leaves AWS.",
        "  * needs the owner's approval; $1.00 of this month's budget is left.",
    ]


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unknown"),
        (0.0, "$0.00"),
        (0.00005, "$0.0001"),
        (0.0044, "$0.0044"),
        (0.05, "$0.05"),
        (0.4401, "$0.45"),
        (9.1, "$9.10"),
        (1234.561, "$1,234.57"),
    ],
)
def test_amounts_are_rounded_up(usd: float | None, text: str) -> None:
    assert money_text(usd) == text
