"""What the weekly mail says of thaws."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain.mail.report import compose_report
from chalicelib.domain.mail.report_parts import ThawSection, Tone
from chalicelib.domain.restore.thaw_section import THAWS_SHOWN, describe_thaws, recent_thaws
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.rendering import render
from chalicelib.wire import ThawState, ThawTier
from tests.mail_scenes import SCENES

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE = NOW - 8 * DAY
GB = 2**30

BULK = Thaw(
    machine="anna",
    job="photos",
    id="5e02",
    state=ThawState.THAWING,
    tier=ThawTier.BULK,
    started_at=NOW - DAY,
    volumes=2048,
    size_bytes=50 * GB,
    days=5,
    ready_by=NOW + 24 * HOUR,
    usd=Decimal("0.3687"),
    done=800,
)
WAITING = dataclasses.replace(BULK, id="77aa", machine="ben", state=ThawState.WAITING, done=0)
READY = dataclasses.replace(
    BULK, state=ThawState.READY, readable_until=NOW + 4 * DAY, downloaded_bytes=12 * GB
)
LAPSED = dataclasses.replace(READY, state=ThawState.LAPSED, readable_until=NOW - DAY)
ENDED = dataclasses.replace(BULK, state=ThawState.ENDED, message="The token was revoked.")


def section(*thaws: Thaw, stage: str = "local", **months: ThawMonth) -> ThawSection | None:
    budgets = {"anna": Decimal(1), "ben": Decimal(0)}
    return describe_thaws(thaws, months, budgets, zone=ZoneInfo("Europe/Berlin"), stage=stage)


def note(thaw: Thaw) -> str:
    made = section(thaw)
    assert made is not None
    return made.lines[0].note


def test_a_week_without_thaws_has_no_section() -> None:
    assert section() is None
    mail = render(SCENES["one-laptop"]().report())
    assert "archive" not in mail.text.lower().replace("deep archive", "")
    assert "budget for thaws" not in mail.html


def test_each_thaw_says_what_it_is_how_far_and_until_when_in_the_owners_zone() -> None:
    made = section(BULK)
    assert made is not None
    assert (made.lines[0].price, made.lines[0].what) == ("$0.37", "50 GB in 2,048 volumes, Bulk")
    assert note(BULK) == "800 of 2,048 can be read; all of them by Tue 24 Nov 2026, 07:00."
    assert note(READY) == "Can be downloaded until Fri 27 Nov 2026, 07:00; 12 GB of it downloaded."
    assert note(LAPSED) == "Its copies lapsed on Sun 22 Nov 2026, 07:00; 12 GB of it downloaded."
    assert note(ENDED) == "Over; 0 bytes of it downloaded. The token was revoked."


def test_what_waits_brings_the_line_that_approves_it_and_turns_the_mail_yellow() -> None:
    made = section(WAITING, stage="home")
    assert made is not None
    assert made.lines[0].command == "python -m ops thaw approve 77aa --stage home"
    assert made.lines[0].note == "Waits for your approval since Sun 22 Nov 2026, 07:00."
    assert SCENES["restoring"]().report().tone is Tone.LOOK
    scene = SCENES["restoring"]()
    scene.thawed = [thaw for thaw in scene.thawed if thaw.state is not ThawState.WAITING]
    assert scene.report().tone is Tone.WELL


def test_a_price_that_is_not_known_is_not_nothing() -> None:
    made = section(dataclasses.replace(WAITING, usd=None))
    assert made is not None
    assert made.lines[0].price == "price not known"


def test_what_is_left_of_each_budget_is_shown_and_what_was_approved_beside_it() -> None:
    made = section(WAITING, BULK, BULK, anna=ThawMonth(Decimal("0.3687"), Decimal("3.10")))
    assert made is not None
    assert [(bar.label, bar.value, bar.percent) for bar in made.budgets] == [
        ("ben", "$0.00 of $0.00, $0.00 left", 0),
        ("anna", "$0.37 of $1.00, $0.63 left", 36),
    ]
    assert made.approved == "Approved by you, beyond the budget: anna $3.10."
    none_approved = section(WAITING)
    assert none_approved is not None
    assert none_approved.approved == ""


def test_a_budget_that_was_lowered_is_used_up_and_no_more_than_that() -> None:
    made = section(BULK, anna=ThawMonth(Decimal("1.50")))
    assert made is not None
    assert (made.budgets[0].value, made.budgets[0].percent) == ("$1.50 of $1.00, $0.00 left", 100)


def test_only_what_is_open_or_changed_this_week_is_shown_what_waits_first() -> None:
    long_ago = {"started_at": NOW - 20 * DAY}
    old = dataclasses.replace(ENDED, id="old", **long_ago)  # type: ignore[arg-type]
    read_late = dataclasses.replace(old, id="late", last_download_at=NOW - DAY)
    lapsed = dataclasses.replace(LAPSED, id="lapsed", **long_ago)  # type: ignore[arg-type]
    lapsed_before = dataclasses.replace(lapsed, id="before", readable_until=SINCE - HOUR)
    ready = dataclasses.replace(READY, id="ready", **long_ago)  # type: ignore[arg-type]
    over_early = dataclasses.replace(old, id="early", readable_until=NOW + DAY)
    thaws = [old, read_late, lapsed, lapsed_before, over_early, ready, WAITING]
    assert [thaw.id for thaw in recent_thaws(thaws, SINCE, NOW)] == ["77aa", "ready", "lapsed", "late"]


def test_of_many_thaws_ten_are_shown_and_the_rest_is_counted() -> None:
    made = section(*[BULK] * (THAWS_SHOWN + 3))
    assert made is not None
    assert len(made.lines) == THAWS_SHOWN
    assert made.more == "and 3 more thaws: python -m ops thaw list"
    composed = compose_report(
        [], [], [], now=NOW, next_issue=NOW + 7 * DAY, zone=ZoneInfo("Europe/Berlin"), thaws=made
    )
    mail = render(composed)
    assert made.more in mail.html
    assert made.more in mail.text
