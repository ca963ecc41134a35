"""What a fleet's verdict is made of: states, findings, thaws that wait, machines that nobody enrolled."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.backups.freshness import Freshness, State
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.backups.names import Location
from chalicelib.domain.fleet.reasons import reasons_of
from chalicelib.domain.fleet.verdict import EXIT_CODES, FleetVerdict, Reason, worst_verdict
from chalicelib.domain.mail.report_parts import EvaluatedJob, failed_job
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.wire import ThawState, ThawTier

NOW = datetime(2026, 11, 30, 7, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
ANNA = Machine("anna", NOW - 100 * DAY, token_sha256="0" * 64)
WAITING = Thaw(
    "anna",
    "system",
    "a1b2c3d4",
    ThawState.WAITING,
    ThawTier.BULK,
    NOW,
    12,
    2**30,
    5,
    NOW + DAY,
    Decimal("2.50"),
)
VOLUME_MISSING = new_finding(
    "gap", machine="anna", job="system", subject="full", message="Volume 2 is missing."
)


def evaluated(state: State, job: str = "system", machine: str = "anna", **fields: object) -> EvaluatedJob:
    age = None if state is State.NEVER else timedelta(days=9)
    newest = NOW - age if age else None
    made = Job(machine, job, Location("b", f"{machine}/{job}/"), added_at=NOW - 100 * DAY)
    return EvaluatedJob(dataclasses.replace(made, **fields), Freshness(state, newest, 1, 10))  # type: ignore[arg-type]


def reasons(
    *jobs: EvaluatedJob,
    machine: Machine = ANNA,
    findings: tuple[Finding, ...] = (),
    thaws: tuple[Thaw, ...] = (),
    stage: str = "local",
) -> tuple[Reason, ...]:
    return reasons_of({machine.name: machine}, jobs, findings, thaws, now=NOW, stage=stage)


def verdict(*jobs: EvaluatedJob, **about: object) -> FleetVerdict:
    return worst_verdict(one.verdict for one in reasons(*jobs, **about))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.FRESH, "well"),
        (State.DUE, "well"),
        (State.SETTLED, "well"),
        (State.PAUSED, "well"),
        (State.FAILING, "look"),
        (State.NEVER, "look"),
        (State.OVERDUE, "bad"),
    ],
)
def test_each_state_has_its_verdict(state: State, expected: str) -> None:
    assert verdict(evaluated(state)).value == expected


def test_a_critical_finding_is_bad_and_a_warning_or_a_waiting_thaw_is_worth_a_look() -> None:
    warning = dataclasses.replace(VOLUME_MISSING, severity=Severity.WARNING)
    assert verdict(findings=(VOLUME_MISSING,)) is FleetVerdict.BAD
    assert verdict(findings=(warning,)) is FleetVerdict.LOOK
    assert verdict(findings=(dataclasses.replace(warning, severity=Severity.INFO),)) is FleetVerdict.WELL
    assert verdict(thaws=(WAITING,)) is FleetVerdict.LOOK
    assert verdict(thaws=(dataclasses.replace(WAITING, state=ThawState.THAWING),)) is FleetVerdict.WELL


def test_a_machine_without_a_token_is_one_reason_whatever_its_jobs() -> None:
    added = Machine("anna", NOW - 3 * DAY)
    [reason] = reasons(evaluated(State.NEVER), evaluated(State.NEVER, "home"), machine=added)
    assert (reason.verdict, reason.job) == (FleetVerdict.LOOK, "")
    assert "3 days ago" in reason.message
    assert reason.commands == ("python -m ops machine add anna",)
    assert (
        verdict(evaluated(State.OVERDUE), evaluated(State.NEVER, "home"), machine=added) is FleetVerdict.BAD
    )


def test_a_machine_that_nobody_enrolled_is_worth_a_look_also_where_its_adopted_backup_is_fresh() -> None:
    assert verdict(evaluated(State.FRESH), machine=Machine("anna", NOW - DAY)) is FleetVerdict.LOOK


def test_a_paused_machine_is_well_also_before_it_is_enrolled() -> None:
    paused = Machine("anna", NOW - DAY, paused_at=NOW - DAY)
    assert verdict(evaluated(State.PAUSED), machine=paused) is FleetVerdict.WELL


def test_a_revoked_machine_is_as_its_jobs_are_and_both_ways_out_are_named() -> None:
    revoked = Machine("anna", NOW - 100 * DAY, revoked_at=NOW - 2 * DAY)
    assert verdict(evaluated(State.FRESH), machine=revoked) is FleetVerdict.WELL
    [reason] = reasons(evaluated(State.OVERDUE), machine=revoked)
    assert reason.commands == ("python -m ops machine add anna", "python -m ops machine remove anna")


def test_a_machine_that_is_being_removed_is_worth_a_look_unless_a_lock_still_holds_what_is_left() -> None:
    dropping = Machine("anna", NOW - 9 * DAY, revoked_at=NOW - 2 * DAY, dropping_at=NOW - 2 * DAY)
    [reason] = reasons(evaluated(State.PAUSED), machine=dropping, stage="home")
    assert (
        reason.message == "You began to remove it 2 days ago. Some of it is left: the same command goes on."
    )
    assert reason.commands == ("python -m ops machine drop anna --stage home",)
    locked = dataclasses.replace(dropping, held_until=NOW + DAY)
    assert verdict(evaluated(State.PAUSED), machine=locked) is FleetVerdict.WELL
    [reason] = reasons(evaluated(State.PAUSED), machine=dataclasses.replace(locked, held_until=NOW))
    assert (reason.verdict, reason.code) == (FleetVerdict.LOOK, "dropping")
    assert "What Object Lock held back can go now" in reason.message


def test_the_folders_of_a_family_in_one_state_are_one_reason() -> None:
    years = [evaluated(State.OVERDUE, f"photos-{year}", family="photos") for year in range(2015, 2020)]
    [reason] = reasons(*years, evaluated(State.SETTLED, "photos-2020", family="photos"))
    assert reason.job == "photos"
    assert reason.message.startswith("photos-2015, photos-2016, photos-2017 and 2 more: ")
    assert reason.commands == ("panicroom backup",)


def test_an_overdue_job_names_the_age_of_its_backup_and_what_was_expected() -> None:
    [reason] = reasons(evaluated(State.OVERDUE))
    assert reason.message == "Its newest backup is 9 days old; after 2 days it is overdue."
    assert reason.commands == ("panicroom doctor",)


def test_a_failing_job_names_the_exit_code() -> None:
    run = LastRun("r", "full", NOW, NOW, exit_code=30)
    [reason] = reasons(evaluated(State.FAILING, last_run=run))
    assert "exit code 30" in reason.message


def test_a_job_that_could_not_be_evaluated_says_so_and_hides_no_other() -> None:
    broken = failed_job(evaluated(State.FRESH).job, KeyError("x"))
    found = reasons(broken, evaluated(State.OVERDUE, "home"))
    assert [one.job for one in found] == ["home", "system"]
    assert "could not be worked out (KeyError)" in found[1].message


def test_that_nothing_has_come_of_an_overdue_job_is_said_once() -> None:
    silent = new_finding("no_backup_yet", machine="anna", job="system", subject="system", message="Nothing.")
    assert len(reasons(evaluated(State.OVERDUE), findings=(silent,))) == 1
    assert len(reasons(evaluated(State.FRESH), findings=(silent,))) == 1


def test_a_hundred_findings_of_a_code_are_one_reason() -> None:
    one = dataclasses.replace(VOLUME_MISSING, commands=("aws s3 ls",))
    assert reasons(findings=(one,))[0].commands == ("aws s3 ls",)
    alike = tuple(dataclasses.replace(one, subject=str(number)) for number in range(100))
    [reason] = reasons(findings=alike)
    assert reason.message == "Volume 2 is missing. (99 more like this)"
    assert reason.commands == ("python -m ops audit",)


def test_the_owners_commands_name_the_stage_and_those_of_the_machine_do_not() -> None:
    found = reasons(evaluated(State.OVERDUE), thaws=(WAITING,), stage="home")
    assert [one.commands for one in found] == [
        ("panicroom doctor",),
        ("python -m ops thaw approve a1b2c3d4 --stage home",),
    ]
    assert found[1].message == "A thaw of 1 GB in 12 volumes waits for you: $2.50."


JOBS = st.lists(
    st.builds(
        evaluated,
        st.sampled_from(State),
        st.sampled_from(["system", "photos-2018", "photos-2019"]),
        st.sampled_from(["anna", "ben"]),
    ),
    unique_by=lambda one: (one.job.machine, one.job.name),
)


@given(JOBS, st.booleans(), st.booleans())
def test_the_worst_reason_comes_first_and_the_verdict_is_that_of_the_worst_state(
    jobs: list[EvaluatedJob], a_finding: bool, enrolled: bool
) -> None:
    machines = {name: dataclasses.replace(ANNA, name=name) for name in ("anna", "ben")}
    if not enrolled:
        machines["ben"] = dataclasses.replace(machines["ben"], token_sha256=None)
    findings = [VOLUME_MISSING] if a_finding else []
    found = reasons_of(machines, jobs, findings, [], now=NOW, stage="local")
    codes = [EXIT_CODES[one.verdict] for one in found]
    assert codes == sorted(codes, reverse=True)
    states = {one.freshness.state for one in jobs}
    bad = a_finding or State.OVERDUE in states
    look = not enrolled or bool(states & {State.NEVER, State.FAILING})
    assert max(codes, default=0) == (2 if bad else 1 if look else 0)
    assert all(one.message and one.commands for one in found)
