"""What the weekly mail says of chains that are let go, and which of them it may count as announced."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.backups.chains import BackupChain, chains_of
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.mail.report_parts import LettingGoSection, Tone
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.outlook import ChainOutlook, may_let_go, outlook_of
from chalicelib.domain.retention.plan import RetentionPlan, Waiting, Why
from chalicelib.domain.retention.schedule import RUNS_AT, next_run
from chalicelib.domain.retention.section import LINES_SHOWN, describe_letting_go
from chalicelib.rendering import render
from tests.mail_scenes import GB, SCENES, chain, set_of

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
NEXT, SINCE = NOW + 7 * DAY, NOW - 7 * DAY
BERLIN = ZoneInfo("Europe/Berlin")


def job(machine: str = "anna", name: str = "system") -> Job:
    return Job(machine, name, Location("bucket", f"{machine}/{name}/"))


def chain_of(days_ago: float) -> BackupChain:
    (one,) = chains_of(chain(days_ago, 10 * GB, 3, GB, newest=days_ago - 50)).chains
    return one


def outlooks(
    go: Sequence[BackupChain] = (),
    waits: Sequence[Waiting] = (),
    needs_owner: Sequence[Waiting] = (),
    announced: dict[SetId, int] | None = None,
    of: Job | None = None,
) -> list[ChainOutlook]:
    return outlook_of(
        of or job(),
        RetentionPlan(tuple(go), tuple(waits), tuple(needs_owner)),
        announced or {},
        now=NOW,
        next_issue=NEXT,
        zone=BERLIN,
        monthly=lambda stored: Decimal("0.6149") if stored else None,
    )


def goes(number: int, *, named: int = 0) -> ChainOutlook:
    return ChainOutlook(
        job(f"m{number:02d}"),
        SetId(None, NOW - 700 * DAY),
        2,
        GB,
        Decimal(1),
        named,
        goes_at=next_run(NOW),
    )


def waits_for_look(number: int) -> ChainOutlook:
    return dataclasses.replace(goes(number), goes_at=None, needs_owner=True, reason="Look, and approve.")


def let_go(days_ago: float, **fields: Any) -> LetGo:
    began = NOW - days_ago * DAY
    full = SetId(None, NOW - 900 * DAY)
    return LetGo("anna", "system", full, (full,) * 4, began, 88 * GB, 100, **{"marked_at": began, **fields})


def section(
    known: Sequence[ChainOutlook] = (), let_gos: Sequence[LetGo] = (), **fields: Any
) -> LettingGoSection | None:
    given = {"since": SINCE, "now": NOW, "zone": BERLIN, "stage": "local", **fields}
    return describe_letting_go(known, let_gos, **given)


def made(*arguments: Any, **fields: Any) -> LettingGoSection:
    found = section(*arguments, **fields)
    assert found is not None
    return found


def test_a_mail_of_a_job_whose_chain_is_its_only_one_has_no_section() -> None:
    assert section() is None
    assert SCENES["one-laptop"]().report().letting_go is None
    mail = render(SCENES["one-laptop"]().report())
    assert "letting go" not in (mail.html + mail.text).lower()


def test_a_chain_that_nothing_stands_in_for_is_not_spoken_of() -> None:
    old = chain_of(700)
    silent = [Waiting(old, why) for why in (Why.NO_SUCCESSOR, Why.HELD, Why.YOUNG, Why.FOR_ITS_YEAR)]
    assert outlooks(waits=silent, announced={old.id: 2}) == []


def test_only_a_second_full_set_gives_anything_to_plan() -> None:
    full, *increments = chain(90, GB, 5, GB)
    assert not may_let_go([full, *increments])
    assert may_let_go([full, *increments, set_of(None, NOW, GB)])


@pytest.mark.parametrize(
    ("named", "day"),
    [(0, datetime(2026, 12, 1, 5, 45)), (1, datetime(2026, 11, 24, 5, 45))],
)
def test_a_chain_goes_at_the_first_run_after_the_second_mail_that_names_it(named: int, day: datetime) -> None:
    old = chain_of(700)
    (one,) = outlooks(waits=[Waiting(old, Why.UNANNOUNCED)], announced={old.id: named})
    assert one.goes_at == day.replace(tzinfo=timezone.utc)


def test_the_days_of_a_jobs_chains_are_one_after_the_other() -> None:
    oldest, second, third = chain_of(900), chain_of(800), chain_of(700)
    waits = [Waiting(second, Why.ONE_A_DAY), Waiting(third, Why.ONE_A_DAY)]
    found = outlooks(go=[oldest], waits=waits, announced=dict.fromkeys((oldest.id, second.id, third.id), 2))
    assert [one.chain for one in found] == [oldest.id, second.id, third.id]
    assert [one.goes_at for one in found] == [next_run(NOW) + number * DAY for number in range(3)]


def test_runs_are_when_the_app_says() -> None:
    app = (Path(__file__).parents[2] / "app.py").read_text(encoding="utf-8")
    schedule = f'@app.schedule("cron({RUNS_AT.minute} {RUNS_AT.hour} * * ? *)")\ndef let_go('
    assert schedule in app
    early = datetime(2026, 11, 23, 5, 45, tzinfo=timezone.utc)
    assert next_run(early - timedelta(seconds=1)) == early
    assert next_run(early) == early + DAY


def test_what_goes_says_when_what_it_saves_and_how_to_keep_it() -> None:
    old = chain_of(700)
    found = made(outlooks(go=[old], announced={old.id: 2}), stage="home")
    (line,) = found.lines
    assert (line.machine, line.job, line.price) == ("anna", "system", "saves $0.61 a month")
    assert line.what == "Full backup of 23 Dec 2024 and 3 increments, 13.1 GB"
    assert line.note.startswith("Goes on 24 Nov 2026 or later; gone for good on 25 Dec 2026 or later.")
    assert line.command == f"python -m ops retention hold anna system {old.id} --stage home"
    assert found.named == ((job(), old.id),)


def test_where_prices_are_not_known_no_sum_is_shown() -> None:
    one = dataclasses.replace(goes(1), monthly=None)
    assert made([one]).lines[0].price == ""
    assert (
        made([waits_for_look(1), dataclasses.replace(waits_for_look(1), monthly=None)]).lines[0].price == ""
    )


def test_what_waits_for_a_look_stays_unannounced_and_brings_the_line_to_type() -> None:
    old = chain_of(700)
    found = made(outlooks(needs_owner=[Waiting(old, Why.NOT_LOOKED_AT)]))
    (line,) = found.lines
    assert line.note.startswith("Waits for you. You have not looked")
    assert (line.price, line.what) == ("saves $0.61 a month", "1 old chain, 13.1 GB")
    assert line.command == "python -m ops retention approve anna system"
    assert found.named == ()


def test_many_backups_that_wait_are_one_line_with_the_command_for_all() -> None:
    found = made([waits_for_look(number) for number in range(40)])
    (line,) = found.lines
    assert (line.machine, line.job, line.what) == ("40 backups", "", "40 old chains, 40 GB")
    assert line.price == "saves $40.00 a month"
    assert line.command == "python -m ops retention approve"
    assert found.more == ""


@pytest.mark.parametrize("why", [Why.MUCH_SMALLER, Why.OTHER_ENROLMENT])
def test_a_chain_that_the_owner_has_to_name_is_named_in_the_line_to_type(why: Why) -> None:
    old, older = chain_of(700), chain_of(900)
    found = made(outlooks(needs_owner=[Waiting(older, Why.NOT_LOOKED_AT), Waiting(old, why)]))
    assert [line.command for line in found.lines] == [
        "python -m ops retention approve anna system",
        f"python -m ops retention approve anna system {old.id}",
    ]
    assert found.lines[1].what == "Full backup of 23 Dec 2024 and 3 increments, 13.1 GB"


def test_chains_of_one_backup_that_wait_share_a_line() -> None:
    found = made([waits_for_look(1), waits_for_look(1), waits_for_look(2)])
    assert [line.what for line in found.lines] == ["2 old chains, 2 GB", "1 old chain, 1 GB"]


def test_a_chain_that_was_named_and_then_may_not_go_says_why() -> None:
    old, never_named = chain_of(700), chain_of(600)
    blocked = [Waiting(one, Why.BLOCKED, detail="A thaw is open.") for one in (old, never_named)]
    found = made(outlooks(waits=blocked, announced={old.id: 1}))
    assert [line.note for line in found.lines] == ["Was to go, and stays for now. A thaw is open."]
    assert found.named == ()


def test_what_was_let_go_says_until_when_it_can_be_brought_back_and_how() -> None:
    one = let_go(9.25)  # at midnight UTC; from the marker's next midnight on 30 days are counted
    (line,) = made((), [one]).lines
    assert line.note == "Can be brought back until Mon 14 Dec 2026, 01:00:"
    assert line.command == f"python -m ops retention undo anna system {one.chain}"
    assert line.what == "Full backup of 6 Jun 2024 and 3 increments, 88 GB, let go on 14 Nov 2026"


def test_what_is_being_brought_back_is_not_said_to_be_hidden() -> None:
    (line,) = made((), [let_go(9, undone_at=NOW - DAY)]).lines
    assert line.note.startswith("Is being brought back since Sun 22 Nov 2026, 07:00.")
    assert section((), [let_go(33, undone_at=NOW - 3 * DAY)]) is None


def test_what_became_final_since_the_last_mail_is_said_once() -> None:
    (line,) = made((), [let_go(33)]).lines
    assert line.note == "Gone for good since 21 Nov 2026."
    assert line.command == ""
    assert section((), [let_go(33)], since=NOW - DAY) is None
    assert section((), [let_go(60)]) is None


def test_what_was_dropped_is_said_once_and_cannot_be_brought_back() -> None:
    (line,) = made((), [let_go(3, dropped=True)]).lines
    assert line.note == "Removed with AWS credentials of yours on 20 Nov 2026."
    assert line.command == ""
    assert section((), [let_go(8, dropped=True)]) is None
    assert section((), [let_go(33, dropped=True)]) is None


def test_at_most_ten_lines_are_shown_and_what_is_cut_off_is_not_announced() -> None:
    found = made([goes(number) for number in range(13)] + [waits_for_look(20)], [let_go(9)])
    assert len(found.lines) == LINES_SHOWN
    assert found.more == "and 5 more: python -m ops retention preview"
    assert [one.machine for one, _ in found.named] == [f"m{number:02d}" for number in range(9)]
    shown = {line.machine for line in found.lines if line.note.startswith("Goes on")}
    assert shown == {one.machine for one, _ in found.named}


def test_a_list_that_is_too_long_moves_on() -> None:
    """Those that a mail has named are named again first, and so go: others follow."""
    first = made([goes(number) for number in range(15)])
    named = {one.machine for one, _ in first.named}
    again = made([goes(number, named=int(f"m{number:02d}" in named)) for number in range(14, -1, -1)])
    assert {one.machine for one, _ in again.named} == named


def test_a_machines_own_owner_is_given_no_command_that_wants_aws_rights() -> None:
    known = [goes(1), *(waits_for_look(number) for number in range(2))]
    found = made(known, [let_go(9), let_go(3, dropped=True)], to_the_owner=False)
    assert [line.command for line in found.lines] == [""] * 5
    assert not any("ops" in line.note or line.note.endswith(":") for line in found.lines)
    assert not any("your" in line.note.lower().split() for line in found.lines)
    assert found.lines[0].note == "Waits for whoever runs panicroom for you."
    many = made([goes(number) for number in range(11)], to_the_owner=False)
    assert many.more == "and 1 more"


def test_letting_go_colours_no_mail_and_is_in_both_forms() -> None:
    scene = SCENES["letting-go"]()
    scene.happened = []
    report = scene.report()
    assert report.tone is Tone.WELL
    assert report.letting_go is not None
    mail = render(report)
    for line in report.letting_go.lines:
        for text in (line.note, line.command, line.what):
            assert text in mail.text
            assert text.replace("'", "&#39;") in mail.html
