"""Drills: when one is due, what a report makes of it, and what is wrong where none passes."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.stores.machine_rows import job_item, job_of, last_drill_map
from chalicelib.domain.backups.machines import Job, LastDrill, Machine
from chalicelib.domain.backups.names import Location
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import DRILLS_USD_A_MONTH, check_drill, with_thaw
from chalicelib.domain.restore.drill_findings import find_drill_trouble, speaking
from chalicelib.domain.restore.drills import after_report, first_due_at, is_drill_due
from chalicelib.domain.restore.plans import TierOffer
from chalicelib.domain.restore.progress import keeps_others_waiting
from chalicelib.domain.restore.thaws import Thaw, ThawMonth, ThawOwner
from chalicelib.wire import DrillOutcome, DrillReport, ErrorCode, ThawState, ThawTier

NOW = datetime(2026, 11, 22, 20, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MACHINE = Machine("anna-laptop", NOW - 900 * DAY, token_sha256="0" * 64)
JOB = Job("anna-laptop", "system", Location("bucket", "anna-laptop/system/"), drills_since=NOW - 800 * DAY)
OWNER = ThawOwner(MACHINE, JOB)
FIRST = NOW - 700 * DAY


def drilled(outcome: DrillOutcome, ago: timedelta, **fields: object) -> Job:
    return dataclasses.replace(JOB, last_drill=LastDrill(outcome, NOW - ago, **fields))  # type: ignore[arg-type]


def passed(ago: timedelta) -> Job:
    return drilled(DrillOutcome.PASSED, ago, passed_at=NOW - ago)


# ---------------------------------------------------------------- due


@pytest.mark.parametrize(
    ("first", "due"), [(None, False), (6 * DAY, False), (7 * DAY, True), (700 * DAY, True)]
)
def test_the_first_drill_is_due_a_week_after_the_first_complete_backup(
    first: timedelta | None, due: bool
) -> None:
    assert is_drill_due(JOB, NOW - first if first else None, NOW) is due


def test_a_first_drill_is_wanted_since_the_job_is_old_enough_and_the_owner_wants_drills_until_one_has_passed() -> (
    None
):
    assert first_due_at(JOB, FIRST) == FIRST + 7 * DAY
    wanted_lately = dataclasses.replace(JOB, drills_since=NOW - DAY)
    assert first_due_at(wanted_lately, FIRST) == NOW - DAY
    assert first_due_at(drilled(DrillOutcome.SKIPPED, DAY), FIRST) == FIRST + 7 * DAY
    assert first_due_at(passed(90 * DAY), FIRST) is None
    assert first_due_at(JOB, None) is None
    assert first_due_at(dataclasses.replace(JOB, drill_every_seconds=0), FIRST) is None


@pytest.mark.parametrize(("ago", "due"), [(1 * DAY, False), (29 * DAY, False), (30 * DAY, True)])
def test_another_drill_is_due_as_often_as_the_owner_wants(ago: timedelta, due: bool) -> None:
    assert is_drill_due(passed(ago), FIRST, NOW) is due
    weekly = dataclasses.replace(passed(ago), drill_every_seconds=7 * 86_400)
    assert is_drill_due(weekly, FIRST, NOW) is (ago >= 7 * DAY)


def test_who_wants_no_drills_has_none_due_nor_overdue() -> None:
    for job in (JOB, passed(500 * DAY), drilled(DrillOutcome.ASKED, 9 * DAY)):
        never = dataclasses.replace(job, drill_every_seconds=0)
        assert not is_drill_due(never, FIRST, NOW)
        assert find_drill_trouble(MACHINE, never, FIRST, NOW) == []


@pytest.mark.parametrize(("ago", "due"), [(5 * HOUR, False), (6 * HOUR, True), (90 * DAY, True)])
def test_one_that_waits_for_archived_volumes_is_looked_at_every_six_hours(ago: timedelta, due: bool) -> None:
    """Also one that was begun by hand, when none was due."""
    job = drilled(DrillOutcome.ASKED, ago, passed_at=NOW - max(3 * DAY, ago))
    assert is_drill_due(job, FIRST, NOW) is due


@pytest.mark.parametrize("outcome", [DrillOutcome.FAILED, DrillOutcome.SKIPPED])
def test_what_failed_or_could_not_be_tried_is_tried_again_a_day_later(outcome: DrillOutcome) -> None:
    assert not is_drill_due(drilled(outcome, 6 * HOUR), FIRST, NOW)
    assert is_drill_due(drilled(outcome, 23 * HOUR), FIRST, NOW), "a daily backup may begin an hour earlier"


def test_a_failure_is_tried_again_though_one_has_passed_lately_and_what_was_skipped_is_not() -> None:
    assert is_drill_due(drilled(DrillOutcome.FAILED, DAY, passed_at=NOW - 3 * DAY), FIRST, NOW)
    assert not is_drill_due(drilled(DrillOutcome.SKIPPED, DAY, passed_at=NOW - 3 * DAY), FIRST, NOW)


# ---------------------------------------------------------------- reports


def test_a_failure_stands_until_a_drill_passes() -> None:
    drill = after_report(None, DrillReport(DrillOutcome.FAILED, message="photos/a.jpg differs"), NOW - DAY)
    for outcome in (DrillOutcome.ASKED, DrillOutcome.SKIPPED):
        drill = after_report(drill, DrillReport(outcome, message="waits"), NOW)
        assert (drill.outcome, drill.message) == (outcome, "waits")
        assert (drill.failed_at, drill.failure) == (NOW - DAY, "photos/a.jpg differs")
    drill = after_report(drill, DrillReport(DrillOutcome.PASSED, files=3, bytes=7), NOW)
    assert (drill.failed_at, drill.failure, drill.passed_at) == (None, "", NOW)
    assert (drill.passed_files, drill.passed_bytes) == (3, 7)


def test_what_has_passed_before_is_known_after_a_failure() -> None:
    drill = after_report(None, DrillReport(DrillOutcome.PASSED, files=3), NOW - 9 * DAY)
    drill = after_report(drill, DrillReport(DrillOutcome.FAILED), NOW)
    assert (drill.passed_at, drill.passed_files) == (NOW - 9 * DAY, 3)


def test_how_long_a_drill_waits_counts_from_its_first_report() -> None:
    drill = after_report(None, DrillReport(DrillOutcome.ASKED), NOW - DAY)
    drill = after_report(drill, DrillReport(DrillOutcome.ASKED), NOW)
    assert (drill.asked_at, drill.reported_at) == (NOW - DAY, NOW)
    assert after_report(drill, DrillReport(DrillOutcome.SKIPPED), NOW).asked_at is None


def test_a_message_is_stored_no_longer_than_a_few_lines() -> None:
    drill = after_report(None, DrillReport(DrillOutcome.FAILED, message="x" * 9999), NOW)
    assert len(drill.message) == len(drill.failure) == 300


@given(st.lists(st.builds(DrillReport, st.sampled_from(DrillOutcome), st.integers(0, 9)), min_size=1))
def test_after_any_reports_the_row_reads_back_and_nothing_is_due_at_once(reports: list[DrillReport]) -> None:
    drill = None
    for report in reports:
        drill = after_report(drill, report, NOW)
    assert drill is not None
    job = dataclasses.replace(JOB, last_drill=drill)
    assert job_of({**job_item(JOB), "last_drill": last_drill_map(drill)}).last_drill == drill
    assert not is_drill_due(job, FIRST, NOW)


# ---------------------------------------------------------------- findings


def codes(
    job: Job, first: datetime | None = FIRST, machine: Machine = MACHINE, now: datetime = NOW
) -> list[str]:
    return [found.code for found in find_drill_trouble(machine, job, first, now)]


def test_a_failed_drill_is_critical_and_names_what_was_not_as_it_was_backed_up() -> None:
    job = drilled(DrillOutcome.ASKED, HOUR, failed_at=NOW - DAY, failure="photos/a.jpg differs")
    [found] = find_drill_trouble(MACHINE, job, FIRST, NOW)
    assert (found.code, found.severity.value) == ("drill_failed", "critical")
    assert found.message == "A drill of anna-laptop/system has failed: photos/a.jpg differs"
    assert "none has passed yet" in found.evidence
    assert found.commands[0] == "panicroom drill --job system"


def test_a_job_without_a_complete_backup_has_no_drill_overdue() -> None:
    assert codes(JOB, None) == []


@pytest.mark.parametrize(("ago", "found"), [(45 * DAY, []), (46 * DAY, ["drill_overdue"])])
def test_a_job_that_was_never_drilled_is_overdue_after_the_time_and_fifteen_days(
    ago: timedelta, found: list[str]
) -> None:
    assert codes(JOB, NOW - ago) == found


@pytest.mark.parametrize(("ago", "found"), [(60 * DAY, []), (61 * DAY, ["drill_overdue"])])
def test_a_job_is_overdue_when_none_has_passed_for_twice_the_time(ago: timedelta, found: list[str]) -> None:
    assert codes(passed(ago)) == found
    assert codes(dataclasses.replace(passed(ago), drill_every_seconds=90 * 86_400)) == []


@pytest.mark.parametrize(("ago", "found"), [(None, []), (44 * DAY, []), (46 * DAY, ["drill_overdue"])])
def test_the_day_after_an_upgrade_or_a_change_alarms_nobody(ago: timedelta | None, found: list[str]) -> None:
    """Backups may be years old, and the client from before there were drills."""
    assert codes(dataclasses.replace(JOB, drills_since=NOW - ago if ago else None)) == found


def test_of_a_family_the_folder_that_was_drilled_last_says_whether_drills_are_in_time() -> None:
    def folder(name: str, job: Job) -> Job:
        return dataclasses.replace(job, name=name, family="photos")

    jobs = [folder("b", passed(90 * DAY)), folder("a", passed(10 * DAY)), folder("c", JOB), JOB]
    assert {job.name for job in speaking(jobs)} == {"a", "system"}
    jobs[1] = dataclasses.replace(jobs[1], paused_at=NOW)
    assert {job.name for job in speaking(jobs)} == {"b", "system"}
    assert {job.name for job in speaking([folder("b", JOB), folder("a", JOB)])} == {"a"}, "none ever was"


def test_a_paused_machine_and_one_that_is_back_have_time() -> None:
    assert codes(JOB, machine=dataclasses.replace(MACHINE, paused_at=NOW - 90 * DAY)) == []
    back = dataclasses.replace(MACHINE, paused_at=NOW - 90 * DAY, paused_until=NOW - 2 * DAY)
    assert codes(JOB, machine=back) == []
    assert codes(JOB, machine=back, now=NOW + 45 * DAY) == ["drill_overdue"]


def test_an_overdue_drill_says_what_the_client_said_last_or_that_it_never_did() -> None:
    [found] = find_drill_trouble(MACHINE, JOB, FIRST, NOW)
    assert found.message == "No drill of anna-laptop/system has passed yet."
    assert found.evidence == (
        "one every 30 days is wanted; its client has never reported one: it may be too old to"
    )
    job = drilled(DrillOutcome.SKIPPED, HOUR, message="the allowance is used up", passed_at=NOW - 80 * DAY)
    [found] = find_drill_trouble(MACHINE, job, FIRST, NOW)
    assert found.message == "No drill of anna-laptop/system has passed for 80 days."
    assert found.evidence.endswith(
        "the last one could not be tried at 2026-11-22 19:00 UTC: the allowance is used up"
    )


# ---------------------------------------------------------------- their thaws

THAW = Thaw(
    "anna-laptop",
    "system",
    "0" * 20,
    ThawState.THAWING,
    ThawTier.BULK,
    NOW,
    3,
    75 * 2**20,
    3,
    NOW + 2 * DAY,
    usd=Decimal("0.0004"),
    is_drill=True,
)
OFFER = TierOffer(ThawTier.BULK, Decimal("0.0004"), Decimal(0), 3, NOW, NOW + 2 * DAY, None)


def test_a_drill_keeps_no_restore_waiting_but_other_drills() -> None:
    assert not keeps_others_waiting(THAW, OWNER, NOW)
    assert keeps_others_waiting(THAW, OWNER, NOW, for_drill=True)
    restore = dataclasses.replace(THAW, is_drill=False)
    assert keeps_others_waiting(restore, OWNER, NOW, for_drill=True)


def test_drills_have_an_allowance_of_their_own_and_leave_the_budget_alone() -> None:
    month = with_thaw(ThawMonth(), THAW, 75 * 2**20)
    assert month == ThawMonth(size_bytes=75 * 2**20, drilled=Decimal("0.0004"))
    check_drill(OFFER, dataclasses.replace(month, reserved=Decimal(5000)))


def test_two_cents_a_month_are_spent_on_drills_and_no_more() -> None:
    month = ThawMonth()
    for _ in range(50):
        check_drill(OFFER, month)
        month = with_thaw(month, THAW, 75 * 2**20)
    assert month.drilled == DRILLS_USD_A_MONTH
    with pytest.raises(Refusal) as refused:
        check_drill(OFFER, month)
    assert refused.value.code is ErrorCode.DRILL_ALLOWANCE


def test_a_drill_whose_price_is_not_known_is_refused() -> None:
    with pytest.raises(Refusal, match="not known"):
        check_drill(dataclasses.replace(OFFER, usd=None), ThawMonth())
