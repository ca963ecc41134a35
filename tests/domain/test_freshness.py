"""A job's state: the first that holds of paused, overdue, never, failing, due, fresh."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.backups.freshness import (
    Progress,
    State,
    evaluate_freshness,
    evaluate_summary,
    summarize,
)
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
MACHINE = Machine("anna-laptop", NOW - 100 * DAY)
YOUNG = Machine("anna-laptop", NOW - DAY)
JOB = Job("anna-laptop", "system", Location("b", "p/"), period_seconds=7 * 86_400, grace_seconds=2 * 86_400)
FAILED = LastRun("r", "full", NOW - DAY, NOW - DAY, exit_code=30)


def a_set(age: timedelta, *, volumes: frozenset[int] = frozenset({1, 2})) -> BackupSet:
    return BackupSet(
        SetId(None, NOW - age), volumes, volumes_promised=2, has_signatures=True, sealed_at=NOW - age
    )


def state(sets: list[BackupSet], job: Job = JOB, machine: Machine = MACHINE) -> State:
    return evaluate_freshness(machine, job, sets, NOW).state


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), State.FRESH),
        (7 * DAY, State.FRESH),
        (7 * DAY + timedelta(seconds=1), State.DUE),
        (9 * DAY, State.DUE),
        (9 * DAY + timedelta(seconds=1), State.OVERDUE),
    ],
)
def test_age_counts_against_period_and_grace(age: timedelta, expected: State) -> None:
    assert state([a_set(age)]) is expected


def test_without_a_whole_set_it_is_never_however_many_were_begun() -> None:
    gap = a_set(DAY, volumes=frozenset({2}))
    unsealed = dataclasses.replace(a_set(DAY), sealed_at=None)
    unproven_gap = dataclasses.replace(gap, volumes_promised=None)
    for sets in ([], [gap], [unsealed], [unproven_gap]):
        assert state(sets, machine=YOUNG) is State.NEVER


@pytest.mark.parametrize(
    ("age", "expected"), [(DAY, State.FRESH), (8 * DAY, State.DUE), (10 * DAY, State.OVERDUE)]
)
def test_the_age_of_an_unproven_set_counts(age: timedelta, expected: State) -> None:
    """The owner's own script writes them, and it may stop."""
    assert state([dataclasses.replace(a_set(age), volumes_promised=None)]) is expected


@pytest.mark.parametrize(
    ("added", "expected"), [(9 * DAY, State.NEVER), (9 * DAY + timedelta(seconds=1), State.OVERDUE)]
)
def test_a_job_of_which_nothing_ever_came_is_overdue_when_its_period_and_grace_are_over(
    added: timedelta, expected: State
) -> None:
    assert state([], machine=dataclasses.replace(MACHINE, created_at=NOW - added)) is expected
    old = dataclasses.replace(MACHINE, created_at=NOW - 400 * DAY)
    assert state([], dataclasses.replace(JOB, added_at=NOW - added), old) is expected
    paused = dataclasses.replace(old, paused_at=NOW - 300 * DAY, paused_until=NOW - added)
    assert state([], machine=paused) is expected


def test_a_first_backup_that_takes_weeks_is_not_overdue_as_long_as_it_grows() -> None:
    old = dataclasses.replace(MACHINE, created_at=NOW - 40 * DAY)
    growing = dataclasses.replace(a_set(30 * DAY), sealed_at=None, changed_at=NOW - DAY)
    assert state([growing], machine=old) is State.NEVER
    stalled = dataclasses.replace(growing, changed_at=NOW - 3 * DAY)
    assert state([stalled], machine=old) is State.OVERDUE


def test_a_failed_run_shows_until_the_backup_is_overdue() -> None:
    failing = dataclasses.replace(JOB, last_run=FAILED)
    assert state([a_set(DAY)], failing) is State.FAILING
    assert state([a_set(8 * DAY)], failing) is State.FAILING
    assert state([a_set(10 * DAY)], failing) is State.OVERDUE


def test_a_run_that_goes_on_or_went_well_is_no_failure() -> None:
    for run in (LastRun("r", "full", NOW), dataclasses.replace(FAILED, exit_code=0)):
        assert state([a_set(DAY)], dataclasses.replace(JOB, last_run=run)) is State.FRESH


def test_a_pause_hides_everything_and_ends_by_itself() -> None:
    away = dataclasses.replace(MACHINE, paused_at=NOW - DAY, paused_until=NOW + DAY)
    back = dataclasses.replace(away, paused_until=NOW)
    for_good = dataclasses.replace(away, paused_until=None)
    assert state([], machine=away) is state([], machine=for_good) is State.PAUSED
    assert state([], machine=back) is State.NEVER
    assert state([], dataclasses.replace(JOB, paused_at=NOW - DAY)) is State.PAUSED, "one job alone"


@given(st.integers(1, 400), st.integers(0, 400), st.integers(0, 1000))
def test_more_age_never_makes_a_job_fresher(period: int, grace: int, age: int) -> None:
    job = dataclasses.replace(JOB, period_seconds=period, grace_seconds=grace)
    order = [State.FRESH, State.DUE, State.OVERDUE]
    younger, older = (state([a_set(timedelta(seconds=seconds))], job) for seconds in (age, age + 1))
    assert order.index(younger) <= order.index(older)


GB = 2**30
FIRST_RUN = LastRun("r", "full", NOW - 6 * DAY, estimated_bytes=1000 * GB)


def first_full(
    stored_gb: int, *, begun: timedelta = 6 * DAY, moved: timedelta = DAY, **fields: object
) -> BackupSet:
    current = {"STANDARD": Tally(stored_gb, stored_gb * GB)}
    begun_set = BackupSet(SetId(None, NOW - begun), frozenset({1}), current=current, changed_at=NOW - moved)
    return dataclasses.replace(begun_set, **fields)  # type: ignore[arg-type]


def progress(
    *sets: BackupSet, run: LastRun | None = FIRST_RUN, machine: Machine = MACHINE
) -> Progress | None:
    return evaluate_freshness(machine, dataclasses.replace(JOB, last_run=run), sets, NOW).progress


def test_a_first_full_backup_shows_how_far_it_is_and_how_long_it_will_take() -> None:
    assert progress(first_full(400)) == Progress(NOW - 6 * DAY, 400 * GB, 40, 9 * DAY)
    running = dataclasses.replace(JOB, last_run=FIRST_RUN)
    assert state([first_full(400)], running) is State.NEVER
    assert state([first_full(400)], dataclasses.replace(JOB, last_run=FAILED)) is State.NEVER


def test_there_is_progress_only_while_a_first_full_backup_is_on_its_way() -> None:
    assert progress() is None
    assert progress(a_set(DAY), first_full(400)) is None
    assert progress(first_full(0, current={})) is None
    assert progress(first_full(400, sealed_at=NOW)) is None
    increment = first_full(400, set_id=SetId(NOW - 9 * DAY, NOW - 6 * DAY))
    assert progress(increment) is None


def test_the_newest_of_several_beginnings_is_the_one_that_goes_on() -> None:
    told = progress(first_full(900, begun=9 * DAY), first_full(100), first_full(800, begun=8 * DAY))
    assert told is not None
    assert told.percent == 10


def test_without_a_size_there_are_bytes_only() -> None:
    for run in (
        None,
        dataclasses.replace(FIRST_RUN, estimated_bytes=None),
        dataclasses.replace(FIRST_RUN, kind="incremental"),
    ):
        assert progress(first_full(400), run=run) == Progress(NOW - 6 * DAY, 400 * GB, None, None)


def test_it_never_says_that_all_is_there_before_it_is() -> None:
    assert progress(first_full(1000)) == Progress(NOW - 6 * DAY, 1000 * GB, 99, timedelta(0))
    assert progress(first_full(1200)) == Progress(NOW - 6 * DAY, 1200 * GB, 99, timedelta(0))
    assert progress(first_full(990)).percent == 99  # type: ignore[union-attr]
    assert progress(first_full(989)).percent == 98  # type: ignore[union-attr]


def test_no_time_is_told_that_nobody_can_know() -> None:
    def time_left(backup_set: BackupSet) -> timedelta | None:
        told = progress(backup_set)
        assert told is not None
        return told.time_left

    hour = timedelta(hours=1)
    assert time_left(first_full(10, begun=hour)) == 99 * hour
    assert time_left(first_full(10, begun=hour - timedelta(seconds=1))) is None
    assert time_left(first_full(9)) is None
    assert time_left(first_full(400, changed_at=None)) == 9 * DAY
    assert time_left(first_full(400, moved=2 * DAY)) == 9 * DAY
    assert time_left(first_full(400, moved=2 * DAY + timedelta(seconds=1))) is None


def test_a_wrong_clock_makes_no_wrong_beginning() -> None:
    young = dataclasses.replace(MACHINE, created_at=NOW - 2 * DAY)
    told = progress(first_full(500, begun=9999 * DAY), machine=young)
    assert told == Progress(NOW - 2 * DAY, 500 * GB, 50, 2 * DAY)
    ahead = progress(first_full(500, begun=-DAY))
    assert ahead == Progress(NOW, 500 * GB, 50, None)


def test_a_sealed_set_that_is_still_noted_as_open_counts_once() -> None:
    """Its row of open sets may outlive its seal for a moment."""
    sealed = dataclasses.replace(a_set(DAY), current={"STANDARD": Tally(3, 100)}, changed_at=NOW - DAY)
    begun = BackupSet(SetId(NOW - DAY, NOW), current={"STANDARD": Tally(1, 7)}, changed_at=NOW)
    summary = summarize([sealed])
    assert evaluate_summary(MACHINE, JOB, summary, [sealed, begun], NOW).stored_bytes == 107
    assert evaluate_summary(MACHINE, JOB, summary, [sealed, begun], NOW) == evaluate_freshness(
        MACHINE, JOB, [sealed, begun], NOW
    )
