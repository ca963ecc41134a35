"""What the weekly mail says, and that both of its forms say the same."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.anomalies import Finding, Severity
from chalicelib.domain.freshness import Freshness, State
from chalicelib.domain.machines import Job, LastRun
from chalicelib.domain.names import Location
from chalicelib.domain.notices import SECOND_RUN, Notice
from chalicelib.domain.report import JudgedJob, Report, compose_report, format_age, format_bytes
from chalicelib.rendering import render

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
NEXT = NOW + timedelta(days=7)


def judged(machine: str, state: State, age_days: float | None = 1.0, size: int = 2**30) -> JudgedJob:
    run = LastRun("r", "incremental", NOW - timedelta(hours=5), NOW - timedelta(hours=4), exit_code=0)
    newest = NOW - timedelta(days=age_days) if age_days is not None else None
    job = Job(machine, "system", Location("b", "p/"), last_run=run)
    return JudgedJob(job, Freshness(state, newest, 3, size))


def report(*jobs: JudgedJob, findings: tuple[Finding, ...] = (), notices: tuple[Notice, ...] = ()) -> Report:
    return compose_report(jobs, findings, notices, now=NOW, next_issue=NEXT, zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("states", "subject"),
    [
        ([State.FRESH], "Your backup is well - 1 GB"),
        ([State.FRESH, State.DUE, State.PAUSED], "All 3 backups are well - 3 GB"),
        ([State.FRESH, State.OVERDUE, State.FAILING], "2 of 3 backups need you - 3 GB"),
        ([State.FRESH, State.OVERDUE], "1 of 2 backups needs you - 2 GB"),
        ([State.NEVER], "1 of 1 backups is not complete yet - 1 GB"),
        ([], "No backups are set up yet - 0 bytes"),
    ],
)
def test_the_subject_answers_whether_one_is_safe(states: list[State], subject: str) -> None:
    assert report(*(judged(f"m{index}", state) for index, state in enumerate(states))).subject == subject


def test_problems_come_first() -> None:
    names = {State.FRESH: "a", State.OVERDUE: "z", State.FAILING: "y", State.DUE: "b"}
    composed = report(*(judged(name, state) for state, name in names.items()))
    assert [line.machine for line in composed.lines] == ["z", "y", "b", "a"]


def test_times_are_the_owners_and_the_next_mail_is_announced() -> None:
    composed = report(judged("anna", State.FRESH))
    assert composed.written_at == "Mon 23 Nov 2026, 07:00"
    assert composed.next_issue == "Mon 30 Nov 2026, 07:00"


def test_a_failed_run_says_so() -> None:
    one = judged("anna", State.FAILING)
    run = dataclasses.replace(one.job.last_run or LastRun("r", "full", NOW), exit_code=30)
    one = dataclasses.replace(one, job=dataclasses.replace(one.job, last_run=run))
    assert report(one).lines[0].last_run == "incremental, failed (exit 30) 4 hours ago"


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def test_html_and_text_say_the_same() -> None:
    notice = Notice(SECOND_RUN, "bens-laptop", "system", "A second backup was started & refused.", NOW)
    finding = Finding(
        "gap", Severity.CRITICAL, "anna", "system", "s", "It lacks volume 3.", "Make a full backup."
    )
    composed = report(
        judged("anna", State.OVERDUE, 12),
        judged("bens-laptop", State.NEVER, None),
        findings=(finding,),
        notices=(notice,),
    )
    mail = render(composed)
    parser = _Words()
    parser.feed(mail.html)
    html = " ".join(" ".join(parser.words).split())
    said = [composed.headline, composed.stored, composed.written_at, composed.next_issue]
    for line in composed.lines:
        said += [line.machine, line.state, line.stored, line.last_run, line.advice, line.age]
    said += [text for found in composed.findings for text in (found.message, found.advice)]
    said += [text for one in composed.notices for text in (one.machine, one.message, one.at)]
    for words in said:
        assert words in " ".join(mail.text.split())
        if words != "never":  # the HTML says "No complete backup yet" instead
            assert words in html


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
