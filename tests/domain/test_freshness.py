"""A job's state: the first that holds of paused, never, overdue, failing, due, fresh."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.freshness import State, judge
from chalicelib.domain.machines import Job, LastRun, Machine
from chalicelib.domain.names import Location, SetId
from chalicelib.domain.sets import BackupSet

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
MACHINE = Machine("anna-laptop", NOW - 100 * DAY)
JOB = Job("anna-laptop", "system", Location("b", "p/"), period_seconds=7 * 86_400, grace_seconds=2 * 86_400)
FAILED = LastRun("r", "full", NOW - DAY, NOW - DAY, exit_code=30)


def a_set(age: timedelta, *, volumes: frozenset[int] = frozenset({1, 2})) -> BackupSet:
    return BackupSet(
        SetId(None, NOW - age), volumes, volumes_promised=2, has_signatures=True, sealed_at=NOW - age
    )


def state(sets: list[BackupSet], job: Job = JOB, machine: Machine = MACHINE) -> State:
    return judge(machine, job, sets, NOW).state


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


def test_without_a_complete_set_it_is_never_however_many_were_begun() -> None:
    gap = a_set(DAY, volumes=frozenset({2}))
    unsealed = dataclasses.replace(a_set(DAY), sealed_at=None)
    unproven = dataclasses.replace(a_set(DAY), volumes_promised=None)
    assert state([]) is state([gap]) is state([unsealed]) is state([unproven]) is State.NEVER


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


@given(st.integers(1, 400), st.integers(0, 400), st.integers(0, 1000))
def test_more_age_never_makes_a_job_fresher(period: int, grace: int, age: int) -> None:
    job = dataclasses.replace(JOB, period_seconds=period, grace_seconds=grace)
    order = [State.FRESH, State.DUE, State.OVERDUE]
    younger, older = (state([a_set(timedelta(seconds=seconds))], job) for seconds in (age, age + 1))
    assert order.index(younger) <= order.index(older)
