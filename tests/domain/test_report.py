"""What the weekly mail says, and that both of its forms say the same."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.notices import SECOND_RUN, Notice
from chalicelib.domain.backups.freshness import Freshness, Progress, State
from chalicelib.domain.backups.machines import Job, LastDrill, LastRun
from chalicelib.domain.backups.names import Location
from chalicelib.domain.mail.phrases import (
    format_age,
    format_bytes,
    format_change,
    format_estimate,
    format_money,
    format_small_money,
    format_time_left,
    in_zone,
)
from chalicelib.domain.mail.report import compose_report
from chalicelib.domain.mail.report_parts import AT_RISK, EvaluatedJob, LastIssue, Report, Tone
from chalicelib.rendering import render
from chalicelib.wire import DrillOutcome

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
NEXT = NOW + timedelta(days=7)


def judged(machine: str, state: State, age_days: float | None = 1.0, size: int = 2**30) -> EvaluatedJob:
    run = LastRun("r", "incremental", NOW - timedelta(hours=5), NOW - timedelta(hours=4), exit_code=0)
    newest = NOW - timedelta(days=age_days) if age_days is not None else None
    job = Job(machine, "system", Location("b", "p/"), last_run=run)
    return EvaluatedJob(job, Freshness(state, newest, 3, size))


def report(
    *jobs: EvaluatedJob, findings: tuple[Finding, ...] = (), notices: tuple[Notice, ...] = ()
) -> Report:
    return compose_report(jobs, findings, notices, now=NOW, next_issue=NEXT, zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("states", "subject"),
    [
        ([State.FRESH], "Your backup is well - 1 GB"),
        ([State.FRESH, State.DUE, State.PAUSED], "All 3 backups are well - 3 GB"),
        ([State.FRESH, State.OVERDUE, State.FAILING], "2 of 3 backups need you - 3 GB"),
        ([State.FRESH, State.OVERDUE], "1 of 2 backups needs you - 2 GB"),
        ([State.OVERDUE], "Your backup needs you - 1 GB"),
        ([State.NEVER], "Your first backup is not complete yet - 1 GB"),
        ([State.NEVER, State.FRESH], "1 of 2 backups is not complete yet - 2 GB"),
        ([], "No backups are set up yet - 0 bytes"),
    ],
)
def test_the_subject_answers_whether_one_is_safe(states: list[State], subject: str) -> None:
    assert report(*(judged(f"m{index}", state) for index, state in enumerate(states))).subject == subject


def test_problems_come_first() -> None:
    names = {State.FRESH: "a", State.OVERDUE: "z", State.FAILING: "y", State.DUE: "b"}
    composed = report(*(judged(name, state) for state, name in names.items()))
    assert [line.machine for line in composed.problems] == ["z", "y"]
    assert [line.machine for line in composed.others] == ["b", "a"]


def test_times_are_the_owners_and_the_next_mail_is_announced() -> None:
    composed = report(judged("anna", State.FRESH))
    assert composed.written_at == "Mon 23 Nov 2026, 07:00"
    assert composed.next_issue == "Mon 30 Nov 2026, 07:00"


def test_a_failed_run_says_so() -> None:
    one = judged("anna", State.FAILING)
    run = dataclasses.replace(one.job.last_run or LastRun("r", "full", NOW), exit_code=30)
    one = dataclasses.replace(one, job=dataclasses.replace(one.job, last_run=run))
    assert report(one).problems[0].last_run == "incremental, failed (exit 30) 4 hours ago"


def gap(machine: str) -> Finding:
    advice = "Make a full backup."
    return Finding("gap", Severity.CRITICAL, machine, "system", "s", "It lacks volume 3.", advice)


def test_a_backup_that_is_in_time_and_damaged_needs_its_owner() -> None:
    composed = report(judged("anna", State.FRESH), judged("ben", State.FRESH), findings=(gap("ben"),))
    assert composed.headline == "1 of 2 backups needs you"
    [line] = composed.problems
    assert (line.machine, line.label) == ("ben", AT_RISK)
    assert "What is wrong" in line.advice


def test_a_finding_about_an_overdue_job_does_not_hide_that_it_is_overdue() -> None:
    composed = report(judged("ben", State.OVERDUE, 9), findings=(gap("ben"),))
    assert [line.label for line in composed.problems] == ["overdue"]


def test_a_first_backup_shows_its_progress() -> None:
    one = judged("anna", State.NEVER, None)
    progress = Progress(NOW - timedelta(days=6), 168 * 2**30, 41, timedelta(days=8, hours=20))
    one = dataclasses.replace(one, freshness=dataclasses.replace(one.freshness, progress=progress))
    composed = report(one)
    assert composed.headline == "Your first backup is at 41 %, about nine days left"
    assert composed.others[0].progress == "41 %, about nine days left"
    mail = render(composed)
    assert "41 %, about nine days left" in mail.text
    assert 'width="41%"' in mail.html


def test_a_machine_that_never_began_is_told_how_to_begin() -> None:
    one = judged("anna", State.NEVER, None, size=0)
    one = dataclasses.replace(one, job=dataclasses.replace(one.job, last_run=None))
    assert "panicroom backup" in report(one).others[0].advice


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        (State.FRESH, Tone.WELL),
        (State.NEVER, Tone.LOOK),
        (State.FAILING, Tone.BAD),
        (State.OVERDUE, Tone.BAD),
    ],
)
def test_the_first_colour_says_how_things_are(state: State, tone: Tone) -> None:
    assert report(judged("anna", state)).tone is tone


@given(st.lists(st.sampled_from(State), min_size=1, max_size=60))
def test_the_bar_of_states_is_whole_and_leaves_nobody_out(states: list[State]) -> None:
    counts = report(*(judged(f"m{index}", state) for index, state in enumerate(states))).states
    assert sum(one.count for one in counts) == len(states)
    assert sum(one.percent for one in counts) == 100
    assert all(one.percent > 0 for one in counts)


def test_what_does_not_fit_into_the_mail_is_in_a_table_beside_it() -> None:
    jobs = [judged(f"m{index:03d}", State.OVERDUE, 9.0) for index in range(25)]
    jobs += [judged(f"n{index:03d}", State.FRESH) for index in range(40)]
    composed = report(*jobs)
    assert composed.headline == "25 of 65 backups need you"
    assert len(composed.problems) == 20
    assert composed.more_problems == "5 more that need you: see the attached table."
    assert composed.others == ()
    assert composed.more_others == "40 other backups are in the attached table."
    [table] = composed.attachments
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.name == "backups-2026-11-23.csv"
    assert [row["machine"] for row in rows] == [one.job.machine for one in jobs]
    assert {row["state"] for row in rows} == {"overdue", "fresh"}


def test_many_of_one_problem_do_not_hide_the_others() -> None:
    jobs = [judged(f"m{index:03d}", State.OVERDUE, 9.0) for index in range(50)]
    jobs += [judged(f"n{index:03d}", State.FAILING) for index in range(50)]
    composed = report(*jobs)
    assert Counter(line.label for line in composed.problems) == {"overdue": 10, "failing": 10}
    assert composed.more_problems == "80 more that need you: see the attached table."


def test_a_mail_that_holds_everything_has_nothing_attached() -> None:
    assert report(judged("anna", State.OVERDUE, 9), judged("ben", State.FRESH)).attachments == ()


def test_what_changed_since_the_last_mail_is_said() -> None:
    last = LastIssue(NOW - timedelta(days=7), 2**30)
    composed = compose_report(
        [judged("anna", State.FRESH, size=3 * 2**30)],
        (),
        (),
        now=NOW,
        next_issue=NEXT,
        zone=ZoneInfo("Europe/Berlin"),
        last=last,
    )
    assert composed.since_last == "+2 GB since 16 Nov"


def test_a_hostile_name_in_a_notice_cannot_write_html() -> None:
    notice = Notice(SECOND_RUN, "anna", "system", "<script>alert(1)</script>", NOW)
    assert "<script" not in render(report(judged("anna", State.FRESH), notices=(notice,))).html


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-5), "0 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_ages_are_told_in_the_unit_people_use(age: timedelta, text: str) -> None:
    assert format_age(age) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "0.977 KB"),
        (2**20, "1 MB"),
        (412 * 2**30, "412 GB"),
        (3 * 2**40 // 2, "1.5 TB"),
    ],
)
def test_sizes_are_told_in_binary_units(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(minutes=20), "less than an hour left"),
        (timedelta(minutes=65), "about one hour left"),
        (timedelta(hours=30), "about 30 hours left"),
        (timedelta(hours=11), "about eleven hours left"),
        (timedelta(hours=36), "about two days left"),
        (timedelta(days=8, hours=20), "about nine days left"),
        (timedelta(days=40), "about 40 days left"),
    ],
)
def test_what_is_left_is_told_as_people_would(left: timedelta, text: str) -> None:
    assert format_time_left(left) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "1 minute"),
        (timedelta(seconds=61), "2 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=2, minutes=46), "3 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=3, seconds=1), "4 days"),
    ],
)
def test_an_estimate_is_rounded_up(duration: timedelta, text: str) -> None:
    assert format_estimate(duration) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.0049", "under $0.01"),
        ("0.005", "$0.01"),
        ("1.305", "$1.31"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_money_is_told_to_the_cent(amount: str, text: str) -> None:
    assert format_money(Decimal(amount)) == text


def test_changes_of_size_have_a_sign() -> None:
    assert [format_change(size) for size in (0, 2**30, -5 * 2**20)] == ["unchanged", "+1 GB", "-5 MB"]


def test_a_mail_has_one_zone_whatever_a_sentence_came_in() -> None:
    sentence = "Stored at 2026-11-23 06:00:07 UTC, expected by 2026-06-30 23:30 UTC."
    assert in_zone(sentence, ZoneInfo("Europe/Berlin")) == (
        "Stored at Mon 23 Nov 2026, 07:00, expected by Wed 01 Jul 2026, 01:30."
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.00001", "$0.0001"),
        ("0.0883", "$0.0883"),
        ("0.05", "$0.05"),
        ("0.1234", "$0.12"),
        ("9", "$9.00"),
    ],
)
def test_small_sums_have_four_decimals(amount: str, shown: str) -> None:
    assert format_small_money(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"passed_at": 12, "passed_files": 3}, "Drill: 3 files restored and proved 12 days ago"),
        ({"passed_at": 12, "failed_at": 2}, "Drill: failed 2 days ago"),
        ({}, "Drill: the first one waits for archived files"),
    ],
)
def test_each_backup_says_how_its_last_drill_went(fields: dict[str, int], said: str) -> None:
    times = {name: NOW - timedelta(days=days) for name, days in fields.items() if name.endswith("_at")}
    drill = LastDrill(DrillOutcome.ASKED, NOW, passed_files=fields.get("passed_files", 0), **times)
    one = judged("anna", State.FRESH)
    drilled = dataclasses.replace(one, job=dataclasses.replace(one.job, last_drill=drill))
    mail = render(report(drilled))
    assert said in mail.text
    assert said in mail.html


def test_a_backup_that_was_never_drilled_says_so_and_one_without_drills_says_nothing() -> None:
    one = judged("anna", State.FRESH)
    assert "Drill: none yet" in render(report(one)).text
    without = dataclasses.replace(one, job=dataclasses.replace(one.job, drill_every_seconds=0))
    assert "Drill" not in render(report(without)).text
