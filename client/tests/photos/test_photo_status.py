"""What ``status`` and the schedule say of a machine with pictures."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from panicroom.settings import JobSettings
from panicroom.setup.schedule import due_jobs, shortest_period
from panicroom.terminal.status import exit_code_of, only_job, status_json, status_lines
from panicroom.wire import DrillOutcome, DrillStatus, FamilyStatus, JobStatus, MachineStatus

NOW = "2026-11-30T12:00:00Z"
WEEK = 7 * 86_400
FAMILY = FamilyStatus("photos", WEEK, 200, 60)


def year(
    name: str, state: str = "settled", *, checked: str | None = "2026-11-28T12:00:00Z", **more: object
) -> JobStatus:
    facts: dict[str, object] = {
        "newest_complete_at": "2026-03-01T12:00:00Z",
        "chain_length": 2,
        "stored_bytes": 2**30,
        "family": "photos",
        "checked_at": checked,
        **more,
    }
    return JobStatus(f"photos-{name}", state, WEEK, WEEK, "DEEP_ARCHIVE", 7, **facts)  # type: ignore[arg-type]


def machine(*jobs: JobStatus) -> MachineStatus:
    return MachineStatus("laptop", NOW, jobs, "1", "1", families=(FAMILY,))


YEARS = machine(year("2018"), year("2019-12-rome", checked="2026-11-29T12:00:00Z"), year("2026"))


def test_a_family_is_one_line_with_its_years() -> None:
    lines = status_lines(YEARS, 200)
    assert len(lines) == 3
    for words in (
        "photos: 2018-2026, 3 folders",
        "settled",
        "looked at 2 days ago",
        "3.0 GB",
        "Deep Archive",
        "7 days",
    ):
        assert words in lines[2]


def test_each_job_has_its_line_where_the_family_is_named() -> None:
    lines = status_lines(only_job(YEARS, "photos"), 200, whole=True)
    assert [line.split()[0] for line in lines[2:]] == ["photos-2018", "photos-2019-12-rome", "photos-2026"]
    assert len(status_lines(only_job(YEARS, "photos-2026"), 200, whole=True)) == 3


def test_the_worst_year_gives_the_state_and_is_named() -> None:
    status = machine(year("2018"), year("2019", "overdue"), year("2020", "failing", checked=None))
    lines = status_lines(status, 200)
    assert "overdue" in lines[2]
    assert lines[3:] == ["photos: failing: photos-2020", "photos: overdue: photos-2019"]
    assert exit_code_of(status) == 2


def test_a_settled_family_is_well() -> None:
    assert exit_code_of(YEARS) == 0
    assert len(json.loads(status_json(YEARS))["jobs"]) == 3


def test_it_fits_a_narrow_terminal() -> None:
    assert max(map(len, status_lines(YEARS, 60)[1:])) < 80


def test_only_drills_of_pictures_that_did_not_pass_have_a_line() -> None:
    passed = DrillStatus(False, WEEK, NOW, DrillOutcome.PASSED, NOW)
    failed = DrillStatus(False, WEEK, NOW, DrillOutcome.FAILED, NOW, "no file")
    status = machine(year("2018", drill=passed), year("2019", drill=failed))
    assert [line.split(":")[0] for line in status_lines(status, 200)[3:]] == ["photos-2019"]


@pytest.mark.parametrize(("hours", "due"), [(1, False), (6 * 24, False), (7 * 24, True)])
def test_a_year_is_due_a_period_after_somebody_looked_at_it(hours: int, due: bool) -> None:
    from panicroom.api import moment_of

    looked = (moment_of(NOW) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = machine(year("2018", checked=looked))
    assert bool(due_jobs((JobSettings("photos-2018", None, family="photos"),), status)) is due


def test_the_schedule_of_a_machine_without_jobs_yet_follows_its_family() -> None:
    assert shortest_period(machine()) == WEEK
    daily = JobStatus("system", "fresh", 86_400, 1, "X", 1)
    assert shortest_period(machine(daily)) == 86_400
    assert shortest_period(MachineStatus("laptop", NOW, (), "1", "1")) == 86_400
