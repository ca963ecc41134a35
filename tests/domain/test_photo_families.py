"""A family of photo jobs in the mails: one line, one trouble, one sentence about its new folders."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.notices import Notice, added_together, job_added
from chalicelib.domain.backups.freshness import WORST_FIRST, Freshness, State, evaluate_freshness
from chalicelib.domain.backups.machines import Job, LastCheck, LastDrill, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.mail.alert_items import Alert, JobNow
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.mail.alerts import alerts_due
from chalicelib.domain.mail.report import compose_report
from chalicelib.domain.mail.report_parts import AT_RISK, EvaluatedJob, Report, Tone, failed_job
from chalicelib.domain.photos.family import Family, stand_in, without_jobs
from chalicelib.domain.photos.summary import worst_state, years_of
from chalicelib.rendering import render
from chalicelib.wire import DrillOutcome

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ZONE = ZoneInfo("Europe/Berlin")
GB = 2**30


def folder(
    name: str, state: State = State.SETTLED, backed_up: float | None = 400, looked: float = 2
) -> EvaluatedJob:
    """A job of photos whose newest backup and newest look are so many days old."""
    newest = None if backed_up is None else NOW - backed_up * DAY
    run = LastRun("r", "incremental", newest, newest, exit_code=0) if newest else None
    check = LastCheck(NOW - looked * DAY, 5_000, 25 * GB)
    job = Job("anna", name, Location("b", f"anna/{name}/"), family="photos", last_run=run, last_check=check)
    return EvaluatedJob(job, Freshness(state, newest, 1 if newest else 0, 25 * GB))


def nine(**others: EvaluatedJob) -> list[EvaluatedJob]:
    """2018 to 2026, settled but for those that are given."""
    jobs = {f"photos-{year}": folder(f"photos-{year}") for year in range(2018, 2027)}
    return list({**jobs, **{one.job.name: one for one in others.values()}}.values())


def system(state: State = State.FRESH) -> EvaluatedJob:
    run = LastRun("r", "incremental", NOW - HOUR, NOW - HOUR, exit_code=0)
    job = Job("anna", "system", Location("b", "anna/system/"), last_run=run)
    return EvaluatedJob(job, Freshness(state, NOW - HOUR, 3, GB))


def report(
    *jobs: EvaluatedJob, findings: tuple[Finding, ...] = (), notices: tuple[Notice, ...] = ()
) -> Report:
    return compose_report(jobs, findings, notices, now=NOW, next_issue=NOW + 7 * DAY, zone=ZONE)


def test_nine_folders_are_one_line_with_their_years_and_the_longest_time_without_a_look() -> None:
    composed = report(system(), *nine(old=folder("photos-2020", looked=6)))
    assert (composed.headline, composed.tone) == ("Both backups are well", Tone.WELL)
    assert [(line.job, line.label) for line in composed.others] == [
        ("photos 2018-2026", "settled"),
        ("system", "fresh"),
    ]
    line = composed.others[0]
    assert (line.stored, line.looked, line.advice) == ("225 GB in 9 folders", "6 days ago", "")
    assert [(one.label, one.count) for one in composed.states] == [("settled", 1), ("fresh", 1)]
    mail = render(composed)
    for text in (mail.text, mail.html):
        assert "photos 2018-2026" in text
        assert "6 days ago" in text
        assert "photos-2020" not in text


def test_the_attached_table_has_each_folder() -> None:
    [table] = report(*nine()).attachments
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["job"] for row in rows] == [f"photos-{year}" for year in range(2018, 2027)]
    assert {(row["state"], row["looked at"]) for row in rows} == {("settled", "2 days ago")}


@pytest.mark.parametrize("state", [one for one in WORST_FIRST if one not in (State.SETTLED, State.FRESH)])
def test_the_family_stands_as_its_worst_folder_which_is_named(state: State) -> None:
    composed = report(*nine(bad=folder("photos-2021", state)))
    [line] = (*composed.problems, *composed.others)
    assert line.label == state.value
    assert line.advice.startswith("photos-2021: ")
    assert line.needs_attention == (state in (State.OVERDUE, State.FAILING))


def test_of_many_folders_in_trouble_three_are_named_and_of_all_none() -> None:
    some = {f"x{year}": folder(f"photos-{year}", State.OVERDUE) for year in range(2018, 2023)}
    [line] = report(*nine(**some)).problems
    assert line.advice.startswith("photos-2018, photos-2019, photos-2020 and 2 more: ")
    every = {f"x{year}": folder(f"photos-{year}", State.OVERDUE) for year in range(2018, 2027)}
    [line] = report(*nine(**every)).problems
    assert line.advice.startswith("No backup within")


def test_a_critical_finding_about_one_folder_puts_the_family_at_risk() -> None:
    finding = Finding(
        "photo_rotted", Severity.CRITICAL, "anna", "photos-2021", "s", "It has rotted.", "Look."
    )
    composed = report(system(), *nine(), findings=(finding,))
    assert (composed.headline, composed.tone) == ("1 of 2 backups needs you", Tone.BAD)
    assert [line.label for line in composed.problems] == [AT_RISK]
    assert composed.problems[0].advice.startswith("photos-2021: The pictures on the disk")


def test_a_folder_that_could_not_be_evaluated_hides_no_other() -> None:
    broken = failed_job(folder("photos-2021").job, ValueError("x"))
    [line] = report(*nine(bad=broken)).problems
    assert (line.job, line.label) == ("photos 2018-2026", AT_RISK)


def test_a_drill_that_failed_in_one_folder_is_what_the_line_says() -> None:
    drill = LastDrill(DrillOutcome.FAILED, NOW - DAY, failed_at=NOW - DAY, failure="x")
    one = folder("photos-2021")
    one = dataclasses.replace(one, job=dataclasses.replace(one.job, last_drill=drill))
    [line] = report(*nine(drilled=one)).others
    assert line.drill == "failed 24 hours ago"


def test_a_family_of_which_no_folder_has_come_is_a_backup_that_is_missing() -> None:
    family = Family("anna", "photos", NOW - 36 * DAY)
    assert without_jobs([family], [system().job]) == [family]
    assert without_jobs([family], [folder("photos-2018").job]) == []
    machine, job = Machine("anna", NOW - 40 * DAY), stand_in(family)
    freshness = evaluate_freshness(machine, job, [], NOW)
    assert freshness.state is State.OVERDUE
    assert evaluate_freshness(machine, job, [], NOW - 2 * DAY).state is State.NEVER
    [line] = report(EvaluatedJob(job, freshness)).problems
    assert (line.job, line.label) == ("photos", "overdue")
    assert "None of the pictures" in line.advice


@pytest.mark.parametrize(
    ("jobs", "years"),
    [
        (["photos-2018", "photos-2026"], "2018-2026"),
        (["photos-2018-05-12-wedding", "photos-2018-06-01"], "2018"),
        (["photos-summer", "photos-1999"], "1999"),
        (["photos-summer", "photos-20180512", "photos-3018"], "2018"),
        (["photos-summer"], ""),
    ],
)
def test_years_are_read_from_the_names_of_folders(jobs: list[str], years: str) -> None:
    assert years_of("photos", jobs) == years


# ---------------------------------------------------------------- overdue, and when it is none


def test_who_imports_once_a_month_is_never_told_to_be_overdue() -> None:
    """The disk is looked at weekly; the last import is days or weeks old, and that is well."""
    machine = Machine("anna", NOW)
    imported = NOW
    job = folder("photos-2026").job
    for day in range(365):
        now = NOW + day * DAY
        if day % 30 == 0:
            imported = now
        looked = now - (day % 7) * DAY
        job = dataclasses.replace(
            job, period_seconds=7 * 86_400, grace_seconds=28 * 86_400, last_check=LastCheck(looked, 1, 1)
        )
        sets = [BackupSet(SetId.parse("full.20261122T195500Z"), sealed_at=imported, volumes_promised=0)]
        state = evaluate_freshness(machine, job, sets, now).state
        assert state in (State.SETTLED, State.FRESH), day


def mails(
    jobs: list[JobNow], notices: list[Notice], record: AlertRecord, now: datetime
) -> tuple[Alert | None, AlertRecord]:
    return alerts_due(record, findings=[], notices=notices, jobs=jobs, machines={"anna"}, now=now, zone=ZONE)


def states(**of: State) -> list[JobNow]:
    return [
        JobNow("anna", name.replace("_", "-"), state, f"So {name} stands.", family="photos")
        for name, state in of.items()
    ]


def test_nine_folders_that_are_overdue_are_one_item() -> None:
    jobs = states(**{f"photos_{year}": State.OVERDUE for year in range(2018, 2027)})
    jobs.append(JobNow("anna", "system", State.OVERDUE, "So it stands."))
    alert, record = mails(jobs, [], AlertRecord(), NOW)
    assert alert is not None
    assert [item.whose for item in alert.items] == ["anna/photos", "anna/system"]
    assert "9 of 9 folders" in alert.items[0].message
    assert "panicroom backup photos" in alert.items[0].commands
    assert mails(jobs, [], record, NOW + 2 * HOUR)[0] is None, "and not again within the day"


def test_where_some_folders_are_overdue_the_mail_names_the_command_that_ends_it_for_one_that_is_gone() -> (
    None
):
    jobs = states(photos_2018=State.OVERDUE, photos_2019=State.SETTLED, photos_2020=State.PAUSED)
    alert, _record = mails(jobs, [], AlertRecord(), NOW)
    assert alert is not None
    [item] = alert.items
    assert item.commands[-1] == "python -m ops machine pause anna --job photos-2018"
    assert "gone for good" in item.advice
    jobs[0] = dataclasses.replace(jobs[0], state=State.PAUSED)
    assert mails(jobs, [], AlertRecord(), NOW)[0] is None


def test_a_folder_that_is_paused_does_not_speak_for_the_family() -> None:
    assert worst_state([State.PAUSED, State.SETTLED, State.FRESH]) is State.SETTLED
    assert worst_state([State.PAUSED, State.DUE]) is State.DUE
    assert worst_state([State.PAUSED]) is State.PAUSED


def test_it_is_over_when_all_of_them_are_in_time_again() -> None:
    bad = states(photos_2018=State.OVERDUE, photos_2019=State.OVERDUE)
    record = mails(bad, [], AlertRecord(), NOW)[1]
    half = states(photos_2018=State.SETTLED, photos_2019=State.OVERDUE)
    alert, record = mails(half, [], record, NOW + 2 * HOUR)
    assert alert is None
    alert, record = mails(
        states(photos_2018=State.SETTLED, photos_2019=State.SETTLED), [], record, NOW + 4 * HOUR
    )
    assert alert is not None
    assert [(item.whose, item.title) for item in alert.over] == [
        ("anna/photos", "is backed up again after being overdue")
    ]


# ---------------------------------------------------------------- new folders


def test_the_new_folders_of_a_day_are_one_sentence_that_names_each_once_they_all_have_come() -> None:
    came = [
        job_added("anna", "photos", f"photos-{year}", NOW + year * timedelta(seconds=1)) for year in range(45)
    ]
    last = came[-1].at
    alert, record = mails([], came, AlertRecord(begun_at=NOW), last + timedelta(minutes=9))
    assert alert is None, "more may come"
    alert, record = mails([], came, record, last + timedelta(minutes=10))
    assert alert is not None
    [item] = alert.items
    assert item.message.startswith("anna has begun to back up 45 new folders of photos: photos-0, ")
    assert all(f"photos-{year}" in item.message for year in range(45))
    assert "python -m ops machine revoke anna" in item.commands
    later = job_added("anna", "photos", "photos-99", last + HOUR)
    alert, record = mails([], [*came, later], record, last + 2 * HOUR)
    assert alert is None, "one mail a day"
    alert, record = mails([], [*came, later], record, last + 25 * HOUR)
    assert alert is not None
    assert [one.message for one in alert.items] == [
        "anna has begun to back up photos-99, a new folder of photos."
    ]


def test_new_folders_of_two_machines_are_two_sentences_and_other_notices_stay_as_they_are() -> None:
    other = Notice("second_run", "ben", "system", "It was refused.", NOW)
    came = [
        job_added("anna", "photos", "photos-2018", NOW),
        other,
        job_added("ben", "photos", "photos-2018", NOW),
        job_added("anna", "photos", "photos-2019", NOW + DAY),
    ]
    together = added_together(came)
    assert [(shown.machine, shown.code) for shown, _ in together] == [
        ("anna", "job_added"),
        ("ben", "second_run"),
        ("ben", "job_added"),
    ]
    assert [of for _, of in together] == [(came[0], came[3]), (other,), (came[2],)]
    assert len(report(system(), notices=tuple(came)).notices) == 3
