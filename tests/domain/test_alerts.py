"""Which mail goes out when: at once, by the hour, by the day; nothing lost, nothing twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.audit.findings import Finding, OpenFinding, new_finding
from chalicelib.domain.audit.notices import (
    CATALOGUE_DIFFERED,
    CODE_REUSED,
    DISCARD_REFUSED,
    DOWNLOAD_CAP_REACHED,
    LATE_UPLOAD,
    OVER_BUDGET,
    SECOND_RUN,
    STORAGE_CAP_REACHED,
    THAW_LAPSING,
    THAW_READY,
    THAW_STARTED,
    THAW_STOPPED,
    THAW_WAITING,
    Notice,
)
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.alert_items import Alert, JobNow, Trouble
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.mail.alerts import alerts_due

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SAFETY, CRITICAL, WARNING = "gap", "wrong_prefix", "stray"


def found(code: str, subject: str = "x", machine: str = "anna", age: timedelta = HOUR) -> OpenFinding:
    one = new_finding(
        code, machine=machine, job="system" if machine else "", subject=subject, message="It is so."
    )
    return OpenFinding(one, NOW - age)


def job(state: State, name: str = "anna", **fields: object) -> JobNow:
    return dataclasses.replace(JobNow(name, "system", state, "So it stands."), **fields)  # type: ignore[arg-type]


class Owner:
    """What is wrong at a moment, and the mails that came of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.record = AlertRecord()
        self.findings: list[OpenFinding] = []
        self.notices: list[Notice] = []
        self.jobs: list[JobNow] | None = []
        self.machines = {"anna", "ben"}

    def mail(self, after: timedelta = timedelta(0), *, taken: bool = True) -> Alert | None:
        """The mail that is due ``after`` so long; ``taken``: SES took it."""
        self.now += after
        alert, record = alerts_due(
            self.record,
            findings=self.findings,
            notices=self.notices,
            jobs=self.jobs,
            machines=self.machines,
            now=self.now,
            zone=BERLIN,
        )
        if taken or alert is None:
            self.record = record
        return alert

    def sent(self, after: timedelta = timedelta(0)) -> list[str]:
        alert = self.mail(after)
        return [one.title for one in alert.items] if alert else []


@pytest.fixture
def owner() -> Owner:
    return Owner()


def title(code: str) -> str:
    return CODES[code].title


def test_nothing_wrong_is_no_mail(owner: Owner) -> None:
    owner.jobs = [job(state) for state in (State.FRESH, State.DUE, State.PAUSED, State.NEVER)]
    assert owner.mail() is None


# ---------------------------------------------------------------- findings


@pytest.mark.parametrize("code", [SAFETY, CRITICAL, WARNING])
def test_a_finding_is_mailed_once_when_it_has_settled(owner: Owner, code: str) -> None:
    owner.findings = [found(code, age=timedelta(0))]
    assert owner.sent() == owner.sent(119 * timedelta(seconds=1)) == []
    assert owner.sent(timedelta(seconds=1)) == [title(code)]
    assert owner.sent() == owner.sent(DAY) == owner.sent(30 * DAY) == []


def test_a_mail_that_was_not_taken_is_due_again(owner: Owner) -> None:
    owner.findings = [found(SAFETY), found(CRITICAL), found(WARNING)]
    owner.notices = [Notice(SECOND_RUN, "anna", "system", "Two.", NOW)]
    owner.jobs = [job(State.OVERDUE)]
    refused = owner.mail(taken=False)
    assert refused is not None
    assert len(refused.items) == 5
    assert owner.mail(MINUTE) == refused
    assert owner.mail(MINUTE) is None


def test_what_is_only_good_to_know_is_never_mailed(owner: Owner) -> None:
    note = dataclasses.replace(found(WARNING).finding, severity=Severity.INFO)
    owner.findings = [OpenFinding(note, NOW - DAY)]
    assert owner.mail() is None


def test_critical_findings_share_one_mail_an_hour(owner: Owner) -> None:
    owner.findings = [found(CRITICAL)]
    assert owner.sent() == [title(CRITICAL)]
    owner.findings += [found(CRITICAL, "y"), found("metadata_archived", "z")]
    assert owner.sent(59 * MINUTE) == []
    assert sorted(owner.sent(MINUTE)) == sorted([title(CRITICAL), title("metadata_archived")])


def test_warnings_share_one_mail_a_day(owner: Owner) -> None:
    owner.findings = [found(WARNING)]
    assert owner.sent() == [title(WARNING)]
    owner.findings += [found(WARNING, "y"), found("wrong_tag", "z")]
    owner.notices = [Notice(STORAGE_CAP_REACHED, "anna", "", "Full.", NOW + HOUR)]
    assert owner.sent(DAY - MINUTE) == []
    assert len(owner.sent(MINUTE)) == 3


def test_a_day_of_25_hours_has_one_mail_of_warnings(owner: Owner) -> None:
    owner.now = datetime(
        2026, 10, 24, 22, 10, tzinfo=timezone.utc
    )  # ten past midnight in Berlin, summer time
    owner.findings = [dataclasses.replace(found(WARNING), opened_at=owner.now - DAY)]
    assert owner.sent() == [title(WARNING)]
    owner.findings += [dataclasses.replace(found(WARNING, "y"), opened_at=owner.now)]
    assert owner.sent(DAY) == []  # ten past eleven of the same day
    assert owner.sent(50 * MINUTE) == [title(WARNING)]


def test_safety_waits_for_neither_hour_nor_day(owner: Owner) -> None:
    owner.findings = [found(CRITICAL), found(WARNING)]
    owner.mail()
    owner.findings += [found(SAFETY)]
    alert = owner.mail(MINUTE)
    assert alert is not None
    assert [one.title for one in alert.safety] == [title(SAFETY)]
    assert len(alert.items) == 1
    owner.notices = [Notice(DISCARD_REFUSED, "ben", "system", "Asked.", owner.now)]
    assert owner.sent(MINUTE) == [title(DISCARD_REFUSED)]


def test_damage_that_spreads_is_not_a_mail_a_minute(owner: Owner) -> None:
    owner.findings = [found(SAFETY, "1"), found(SAFETY, "2")]
    assert len(owner.sent()) == 2
    owner.findings += [found(SAFETY, "3")]
    assert owner.sent(59 * MINUTE) == []
    owner.findings += [found(SAFETY, "4", machine="ben"), found("signatures_missing")]
    assert len(owner.sent()) == 2
    assert len(owner.sent(MINUTE)) == 1


def test_safety_does_not_use_up_the_hour(owner: Owner) -> None:
    owner.findings = [found(SAFETY)]
    owner.mail()
    owner.findings += [found(CRITICAL)]
    assert owner.sent(MINUTE) == [title(CRITICAL)]


def test_what_is_over_is_told_within_the_hour_once(owner: Owner) -> None:
    owner.findings = [found(CRITICAL), found(WARNING)]
    owner.mail()
    owner.findings = []
    assert owner.sent(59 * MINUTE) == []
    alert = owner.mail(MINUTE)
    assert alert is not None
    assert len(alert.over) == 2
    assert alert.subject == f"All clear: anna/system: over: {title(CRITICAL)} (and 1 more)"
    assert owner.mail(DAY) is None


def test_what_was_never_mailed_is_not_over(owner: Owner) -> None:
    owner.findings = [found(CRITICAL, age=MINUTE)]
    assert owner.sent() == []
    owner.findings = []
    assert owner.sent(HOUR) == []


def test_what_comes_back_before_it_was_told_to_be_over_was_never_away(owner: Owner) -> None:
    owner.findings = [found(CRITICAL)]
    owner.mail()
    owner.findings = []
    assert owner.sent(30 * MINUTE) == []
    owner.findings = [found(CRITICAL)]
    assert owner.sent(30 * MINUTE) == owner.sent(DAY) == []


def test_what_comes_back_after_that_is_new(owner: Owner) -> None:
    owner.findings = [found(CRITICAL)]
    owner.mail()
    owner.findings = []
    assert len(owner.sent(HOUR)) == 1
    owner.findings = [found(CRITICAL)]
    assert owner.sent(HOUR) == [title(CRITICAL)]


def test_of_a_machine_that_was_removed_nobody_hears_and_of_a_bucket_one_does(owner: Owner) -> None:
    bucket = new_finding("versioning_off", subject="annas-bucket", message="It keeps none.")
    owner.findings = [found(CRITICAL), OpenFinding(bucket, NOW - DAY)]
    owner.mail()
    owner.findings, owner.machines = [], {"ben"}
    alert = owner.mail(HOUR)
    assert alert is not None
    assert [one.whose for one in alert.over] == ["annas-bucket"]
    assert owner.mail(HOUR) is None


def test_what_is_over_is_named_whatever_it_was(owner: Owner) -> None:
    owner.record = AlertRecord({"anna/system#a_code_of_old#a#b": NOW - DAY, "/#stray#bucket/c#d": NOW - DAY})
    alert = owner.mail()
    assert alert is not None
    assert [(one.whose, one.title) for one in alert.over] == [
        ("anna/system", "over: a_code_of_old"),
        ("bucket", f"over: {title('stray')}"),
    ]
    assert "(a#b)" in alert.over[0].message
    assert "(bucket/c#d)" in alert.over[1].message


# ---------------------------------------------------------------- notices


@pytest.mark.parametrize("code", [CODE_REUSED, SECOND_RUN, DISCARD_REFUSED, LATE_UPLOAD])
def test_what_happened_to_safety_goes_at_once(owner: Owner, code: str) -> None:
    owner.findings = [found(WARNING), found(CRITICAL)]
    owner.mail()
    owner.notices = [Notice(code, "anna", "system", "It happened.", owner.now)]
    alert = owner.mail()
    assert alert is not None
    assert alert.subject == f"Look now: anna/system: {title(code)}"
    assert alert.safety[0].advice == CODES[code].advice
    assert owner.mail(MINUTE) is None


@pytest.mark.parametrize(
    "code", [CATALOGUE_DIFFERED, STORAGE_CAP_REACHED, DOWNLOAD_CAP_REACHED, "unheard_of"]
)
def test_what_else_happened_comes_with_the_warnings(owner: Owner, code: str) -> None:
    owner.findings = [found(WARNING)]
    owner.mail()
    owner.notices = [Notice(code, "anna", "", "It happened.", owner.now)]
    assert owner.mail(HOUR) is None
    alert = owner.mail(DAY - HOUR)
    assert alert is not None
    assert [(one.whose, one.message) for one in alert.warnings] == [("anna", "It happened.")]
    assert owner.mail(DAY) is None


@pytest.mark.parametrize("code", [THAW_STARTED, THAW_WAITING, THAW_READY, THAW_LAPSING, THAW_STOPPED])
def test_what_somebody_waits_for_goes_at_once_and_is_no_alarm(owner: Owner, code: str) -> None:
    owner.findings = [found(WARNING), found(CRITICAL)]
    owner.mail()
    owner.notices = [Notice(code, "anna", "photos", "It happened.", owner.now, "5e02")]
    alert = owner.mail()
    assert alert is not None
    assert alert.subject == f"anna/photos: {title(code)}"
    assert [(item.message, item.advice) for item in alert.awaited] == [("It happened.", CODES[code].advice)]
    assert owner.mail(MINUTE) is None


def test_a_waiting_thaw_brings_the_line_that_approves_it(owner: Owner) -> None:
    owner.notices = [Notice(THAW_WAITING, "anna", "photos", "It costs $9.", owner.now, "5e02")]
    alert = owner.mail()
    assert alert is not None
    assert alert.awaited[0].commands == (
        "python -m ops thaw approve 5e02",
        "python -m ops machine revoke anna",
    )


def test_two_thaws_of_a_job_are_two_notices_on_one_day(owner: Owner) -> None:
    owner.notices = [Notice(THAW_READY, "anna", "photos", "One.", owner.now, "5e02")]
    owner.mail()
    owner.notices += [Notice(THAW_READY, "anna", "photos", "Two.", owner.now, "77aa")]
    alert = owner.mail(MINUTE)
    assert alert is not None
    assert [item.message for item in alert.awaited] == ["Two."]


def test_a_notice_of_another_day_is_another_one(owner: Owner) -> None:
    owner.notices = [Notice(SECOND_RUN, "anna", "system", "Two.", NOW)]
    assert len(owner.sent()) == 1
    owner.notices += [Notice(SECOND_RUN, "anna", "system", "Two.", NOW + DAY)]
    assert len(owner.sent(DAY)) == 1
    assert owner.sent(HOUR) == []


def test_the_first_alerts_do_not_mail_a_months_past_and_later_ones_lose_nothing(owner: Owner) -> None:
    owner.notices = [
        Notice(SECOND_RUN, "anna", "system", "Old.", NOW - DAY - MINUTE),
        Notice(SECOND_RUN, "ben", "system", "New.", NOW - DAY),
    ]
    alert = owner.mail()
    assert alert is not None
    assert [one.message for one in alert.safety] == ["New."]
    owner.notices += [Notice(DISCARD_REFUSED, "ben", "system", "Late.", NOW + DAY)]
    assert owner.sent(29 * DAY) == [title(DISCARD_REFUSED)]


def test_a_notice_is_remembered_for_as_long_as_it_is_looked_at(owner: Owner) -> None:
    owner.notices = [Notice(SECOND_RUN, "anna", "system", "Two.", NOW)]
    owner.mail()
    owner.mail(31 * DAY)
    assert len(owner.record.notices) == 1
    owner.notices = []
    owner.mail(MINUTE)
    assert owner.record.notices == {}


def test_a_notice_without_a_machine_has_a_sender_all_the_same(owner: Owner) -> None:
    owner.notices = [Notice("over_budget", "", "", "Too much.", NOW)]
    alert = owner.mail()
    assert alert is not None
    assert alert.subject == f"panicroom: {title('over_budget')}"


# ---------------------------------------------------------------- jobs


@pytest.mark.parametrize("state", [State.OVERDUE, State.FAILING])
def test_a_job_in_trouble_is_mailed_at_growing_intervals_and_once_when_it_is_over(
    owner: Owner, state: State
) -> None:
    owner.jobs = [job(state)]
    days = [day for day in range(120) if owner.mail(DAY if day else timedelta(0))]
    assert days == [0, 1, 3, 7, 15, 31, 61, 91]
    owner.jobs = [job(State.FRESH)]
    alert = owner.mail(DAY)
    assert alert is not None
    assert alert.subject == f"All clear: anna/system: is backed up again after being {state.value}"
    assert owner.mail(DAY) is None


def test_the_hour_holds_for_jobs_too(owner: Owner) -> None:
    owner.findings = [found(CRITICAL)]
    owner.mail()
    owner.jobs = [job(State.OVERDUE)]
    assert owner.mail(59 * MINUTE) is None
    assert owner.mail(MINUTE) is not None
    owner.jobs = [job(State.DUE)]
    assert owner.mail(59 * MINUTE) is None
    assert owner.mail(MINUTE) is not None


def test_first_mail_and_later_ones_say_so(owner: Owner) -> None:
    for state, first, later in (
        (State.OVERDUE, "no backup in time", "still no backup in time"),
        (State.FAILING, "the last backup failed", "backups still fail"),
    ):
        here = Owner()
        here.jobs = [job(state)]
        assert here.sent() == [first]
        assert here.sent(DAY) == [later]


def test_a_job_that_goes_from_failing_to_overdue_begins_anew(owner: Owner) -> None:
    owner.jobs = [job(State.FAILING)]
    owner.mail()
    owner.jobs = [job(State.OVERDUE)]
    assert owner.sent(HOUR) == ["no backup in time"]
    assert owner.sent(DAY) == ["still no backup in time"]


def test_a_run_that_goes_on_after_one_that_failed_is_neither_over_nor_a_second_failure(owner: Owner) -> None:
    owner.jobs = [job(State.FAILING)]
    owner.mail()
    owner.jobs = [job(State.FRESH, is_running=True, newest_complete_at=NOW - DAY)]
    assert owner.mail(HOUR) is None
    assert owner.mail(2 * DAY) is None  # nothing fails while it runs
    owner.jobs = [job(State.FAILING)]
    assert owner.sent(HOUR) == ["backups still fail"]
    owner.jobs = [job(State.FRESH, is_running=True, newest_complete_at=owner.now + HOUR)]
    assert owner.sent(2 * HOUR) == ["is backed up again after being failing"]


def test_a_run_that_goes_on_does_not_hide_that_an_overdue_job_has_a_backup(owner: Owner) -> None:
    owner.jobs = [job(State.OVERDUE)]
    owner.mail()
    owner.jobs = [job(State.FRESH, is_running=True)]
    assert owner.sent(HOUR) == ["is backed up again after being overdue"]


@pytest.mark.parametrize("state", [State.OVERDUE, State.FAILING])
def test_whoever_is_back_from_a_pause_has_half_a_day_to_make_a_backup(owner: Owner, state: State) -> None:
    owner.jobs = [job(state, pause_ended_at=NOW)]
    assert owner.mail(12 * HOUR - MINUTE) is None
    assert owner.mail(MINUTE) is not None
    later = Owner()
    later.jobs = [job(state, pause_ended_at=NOW - 3 * DAY)]
    assert later.mail() is not None


@pytest.mark.parametrize("state", [State.PAUSED, State.NEVER])
def test_a_pause_is_no_good_news_and_after_it_trouble_begins_anew(owner: Owner, state: State) -> None:
    owner.jobs = [job(State.OVERDUE)]
    owner.mail()
    owner.jobs = [job(state)]
    assert owner.mail(2 * DAY) is None
    owner.jobs = [job(State.OVERDUE)]
    assert owner.sent(DAY) == ["no backup in time"]


def test_trouble_that_was_never_mailed_is_never_over(owner: Owner) -> None:
    owner.findings = [found(CRITICAL)]
    owner.mail()
    owner.jobs = [job(State.OVERDUE)]
    assert owner.mail(MINUTE) is None
    owner.jobs = [job(State.FRESH)]
    assert owner.mail(2 * HOUR) is None


def test_trouble_that_comes_back_before_it_was_told_to_be_over_goes_on(owner: Owner) -> None:
    owner.jobs = [job(State.OVERDUE)]
    owner.mail()
    owner.jobs = [job(State.FRESH)]
    assert owner.mail(30 * MINUTE) is None
    owner.jobs = [job(State.OVERDUE)]
    assert owner.mail(HOUR) is None
    assert owner.sent(DAY) == ["still no backup in time"]


def test_a_job_that_was_removed_is_forgotten(owner: Owner) -> None:
    owner.jobs = [job(State.OVERDUE)]
    owner.mail()
    owner.jobs = []
    assert owner.mail(DAY) is None
    assert owner.record.troubles == {}


def test_nobody_looked_at_the_jobs_just_now(owner: Owner) -> None:
    owner.jobs = [job(State.OVERDUE)]
    owner.mail()
    evaluated_at = owner.record.evaluated_at
    owner.jobs = None
    assert owner.mail(5 * DAY) is None
    assert owner.record.evaluated_at == evaluated_at == NOW
    assert owner.record.troubles.keys() == {"anna/system"}


def test_overdue_comes_before_failing(owner: Owner) -> None:
    owner.jobs = [job(State.FAILING, "anna"), job(State.OVERDUE, "ben")]
    alert = owner.mail()
    assert alert is not None
    assert alert.subject == "ben/system: no backup in time (and 1 more)"
    assert "machine pause ben --until 2026-12-06" in alert.jobs[0].commands[1]


# ---------------------------------------------------------------- clocks


def test_a_clock_that_was_ahead_for_a_while_does_not_silence_the_alerts(owner: Owner) -> None:
    owner.findings = [found(CRITICAL), found(WARNING), found(SAFETY)]
    owner.jobs = [job(State.OVERDUE)]
    owner.now += 365 * DAY
    assert len(owner.sent()) == 4
    owner.now = NOW
    owner.findings += [found(code, "new") for code in (CRITICAL, WARNING, SAFETY)]
    assert owner.sent() == []
    assert len(owner.sent(HOUR)) == 2
    assert len(owner.sent(23 * HOUR)) == 2  # the warning, and that it is still overdue


@given(
    st.lists(
        st.tuples(
            st.integers(-90, 3000),
            st.sets(st.sampled_from([SAFETY, CRITICAL, WARNING, "wrong_tag", "metadata_archived"])),
            st.sampled_from([State.FRESH, State.OVERDUE, State.FAILING, State.PAUSED]),
            st.booleans(),
        ),
        max_size=60,
    )
)
@settings(max_examples=150)
def test_whatever_happens_the_rates_hold_and_nothing_is_lost(
    story: Iterable[tuple[int, set[str], State, bool]],
) -> None:
    """Minutes pass (sometimes backwards), findings come and go, mails are refused."""
    owner = Owner()
    hourly_at = warned_at = datetime.min.replace(tzinfo=timezone.utc)
    for minutes, codes, state, taken in story:
        owner.findings = [found(code, age=timedelta(days=400)) for code in sorted(codes)]
        owner.jobs = [job(state)]
        alert = owner.mail(minutes * MINUTE, taken=taken)
        # Where the clock went back, time counts from there.
        hourly_at, warned_at = min(hourly_at, owner.now), min(warned_at, owner.now)
        if alert is None or not taken:
            continue
        if alert.critical or alert.jobs or alert.over:
            assert owner.now - hourly_at >= HOUR
            hourly_at = owner.now
        if alert.warnings:
            assert owner.now - warned_at >= DAY
            warned_at = owner.now
    # Enough time later everything that is still wrong was told.
    for _ in range(3):
        owner.mail(2 * DAY)
    assert {one.finding.key for one in owner.findings} <= owner.record.findings.keys()
    assert owner.mail(timedelta(0)) is None


def test_a_record_tells_no_time_after_now() -> None:
    ahead = NOW + DAY
    trouble = Trouble(State.OVERDUE, ahead, ahead, 2)
    record = AlertRecord({"a": ahead}, {"b": trouble}, {"c": ahead}, {"d": ahead}, ahead, ahead, ahead, ahead)
    past = dataclasses.replace(trouble, since=NOW, mailed_at=NOW)
    assert record.not_after(NOW) == AlertRecord(
        {"a": NOW}, {"b": past}, {"c": NOW}, {"d": NOW}, NOW, NOW, NOW, NOW
    )
    assert AlertRecord().not_after(NOW) == AlertRecord()


def test_a_subject_says_whose_it_is_and_what() -> None:
    def subject(*findings: Finding) -> str:
        owner = Owner()
        owner.findings = [OpenFinding(one, NOW - DAY) for one in findings]
        alert = owner.mail()
        assert alert is not None
        return alert.subject

    one = found(CRITICAL).finding
    assert subject(one) == "anna/system: a backup's file is under the wrong prefix"
    assert subject(found(WARNING).finding, one) == f"{subject(one)} (and 1 more)"
    assert subject(found(SAFETY).finding).startswith("Look now: anna/system: ")


def test_the_owner_of_a_machine_gets_what_is_about_it_whatever_the_machine_is_called(owner: Owner) -> None:
    """Also one that is called like the service, or like a bucket: that is no affair of its owner's."""
    bucket = "attic"
    owner.machines = {"panicroom", bucket}
    owner.findings = [found(CRITICAL, f"{bucket}/x", machine=""), found(WARNING, f"{bucket}/y", machine="")]
    owner.notices = [Notice(OVER_BUDGET, "", "", "This month will cost $2.", NOW)]
    alert = owner.mail()
    assert alert is not None
    assert {one.whose for one in alert.items} == {"panicroom", bucket}
    assert alert.of_machines(owner.machines) is None
    owner.findings = [found(CRITICAL, machine=bucket)]
    owner.notices = [Notice(SECOND_RUN, bucket, "", "Two.", owner.now)]
    owner.jobs = [job(State.OVERDUE, "panicroom")]
    mails = [owner.mail(DAY)]
    owner.findings, owner.jobs = [], [job(State.FRESH, "panicroom", newest_complete_at=owner.now)]
    mails.append(owner.mail(DAY))
    for mail in mails:
        assert mail is not None
        for name in (bucket, "panicroom"):
            part = mail.of_machines({name})
            assert part is not None
            assert {one.whose.partition("/")[0] for one in part.items} == {name}
