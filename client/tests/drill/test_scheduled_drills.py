"""The drills of scheduled backups: run when the service waits for them, and of no consequence for the backup."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from drill.scenes import freeze, make_chains, volumes
from laptop import Laptop
from panicroom.drill.due import due_drills
from panicroom.exit_codes import ExitCode
from panicroom.settings import JobSettings
from panicroom.wire import DrillOutcome, DrillStatus, JobStatus, MachineStatus

NOW = "2027-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_chains(laptop_of_file, chains=1)
    return laptop_of_file


def test_a_scheduled_backup_runs_a_due_drill_and_the_next_one_none(backed_up: Laptop) -> None:
    said = backed_up.succeed("backup", "--scheduled")
    assert "the drill has passed" in said
    assert "drill" not in backed_up.succeed("backup", "--scheduled")
    assert backed_up.service.drills.outcomes == ["passed"]
    backed_up.service.drills.now += timedelta(days=31)
    backed_up.succeed("backup")
    assert backed_up.service.drills.outcomes == ["passed"]
    backed_up.succeed("backup", "--scheduled", "--if-due")  # no backup is due
    assert backed_up.service.drills.outcomes == ["passed", "passed"]
    assert len(backed_up.service.runs) == 2 + 3


def test_a_drill_that_fails_is_printed_and_reported_and_the_backup_is_done(backed_up: Laptop) -> None:
    del backed_up.service.objects[f"system/{volumes(backed_up)[0]}"]
    ended = backed_up.run("backup", "--scheduled", "--json")
    assert ended.returncode == 0, ended.stderr
    assert "panicroom: system: drill: volume 1 of the set" in ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert events[-1]["event"] == "drill"
    assert events[-1]["exit_code"] == ExitCode.RESTORE_INCOMPLETE
    assert backed_up.service.drills.outcomes == ["failed"]


def test_it_waits_for_the_archive_over_scheduled_backups(backed_up: Laptop) -> None:
    freeze(backed_up)
    ended = backed_up.run("backup", "--scheduled")
    assert ended.returncode == 0, ended.stderr
    assert "panicroom: system: drill: " in ended.stderr
    assert "being thawed" in ended.stderr
    backed_up.service.thaws.finish()
    assert "the drill has passed" in backed_up.succeed("backup", "--scheduled")
    assert backed_up.service.drills.outcomes == ["asked", "passed"]


def test_a_drill_without_a_network_is_no_alarm(backed_up: Laptop) -> None:
    done: list[str] = []

    def trouble(method: str, path: str) -> int | None:
        if method == "PATCH":
            done.append(path)
        return -1 if done and method == "GET" else None

    backed_up.service.trouble = trouble
    backed_up.succeed("backup", "--scheduled")
    assert backed_up.service.drills.reports == []


def test_a_drill_that_cannot_write_here_is_printed_and_the_backup_is_done(backed_up: Laptop) -> None:
    (backed_up.home / "state" / "laptop" / "system" / "drill.json").mkdir()
    ended = backed_up.run("backup", "--scheduled")
    assert ended.returncode == 0, ended.stderr
    assert "panicroom: system: drill: " in ended.stderr


def test_a_failed_backup_keeps_its_exit_code_and_the_drill_is_run(backed_up: Laptop) -> None:
    for path in backed_up.source.rglob("*"):
        if path.is_file():
            path.unlink()
    ended = backed_up.run("backup", "--scheduled")
    assert ended.returncode == ExitCode.SMALLER
    assert backed_up.service.drills.outcomes == ["passed"]


def test_none_is_run_where_the_owner_wants_none_or_for_a_dry_run(backed_up: Laptop) -> None:
    backed_up.run("backup", "--scheduled", "--dry-run")
    backed_up.service.drills.every = None
    backed_up.succeed("backup", "--scheduled")
    backed_up.service.drills.known = False
    backed_up.succeed("backup", "--scheduled")
    assert backed_up.service.drills.reports == []


def status(drill: DrillStatus | None) -> MachineStatus:
    job = JobStatus("system", "fresh", 86400, 86400, "DEEP_ARCHIVE", 7, drill=drill)
    return MachineStatus("laptop", NOW, (job,), "0.2.0", "0.2.0")


@pytest.mark.parametrize(
    ("drill", "due", "overdue"),
    [
        (None, False, False),
        (DrillStatus(due=False, every_seconds=30 * 86400), False, False),
        (DrillStatus(due=True, every_seconds=30 * 86400), True, False),
        (DrillStatus(due=True, every_seconds=30 * 86400, first_due_at="2027-02-10T00:00:00Z"), True, False),
        (DrillStatus(due=True, every_seconds=30 * 86400, first_due_at="2026-12-20T00:00:00Z"), True, True),
        (DrillStatus(due=True, every_seconds=30 * 86400, passed_at="2027-01-20T00:00:00Z"), True, False),
        (DrillStatus(due=True, every_seconds=30 * 86400, passed_at="2026-12-20T00:00:00Z"), True, True),
    ],
)
def test_on_a_low_battery_only_an_overdue_drill_is_run_a_first_one_too(
    drill: DrillStatus | None, due: bool, overdue: bool
) -> None:
    jobs = (JobSettings("system", Path("/home/anna")),)
    assert bool(due_drills(jobs, status(drill), only_overdue=False)) is due
    assert bool(due_drills(jobs, status(drill), only_overdue=True)) is overdue


def turns(*, only_overdue: bool = False, **days_since: int | DrillOutcome | None) -> list[str]:
    """The folders that are drilled, of a family with a drill every 30 days: by the days since each one's has passed."""
    now, found = datetime.fromisoformat(NOW), []
    for name, known in days_since.items():
        drill = DrillStatus(due=True, every_seconds=30 * 86400)
        if isinstance(known, int):
            passed_at = f"{now - timedelta(days=known):%Y-%m-%dT%H:%M:%SZ}"
            drill = replace(drill, due=known >= 30, passed_at=passed_at)
        elif known is not None:
            drill = replace(drill, outcome=known)
        found.append(
            JobStatus(name, "settled", 86400, 86400, "DEEP_ARCHIVE", 7, drill=drill, family="photos")
        )
    jobs = [JobSettings(job.job, Path("/pile"), family="photos") for job in found if job.job != "elsewhere"]
    answer = MachineStatus("laptop", NOW, tuple(found), "0.2.0", "0.2.0")
    return [job.job for job in due_drills(jobs, answer, only_overdue=only_overdue)]


def test_the_folders_of_a_family_are_drilled_in_turn() -> None:
    assert turns(a=None, b=None, c=None) == ["a"]
    assert turns(a=1, b=None, c=None) == [], "one a month, of all of them"
    assert turns(a=31, b=None, c=40) == ["b"]
    assert turns(a=31, b=95, c=62) == ["b"]
    assert turns(a=31, b=95, c=DrillOutcome.ASKED) == ["c"], "what was begun goes on"
    assert turns(a=1, b=95, c=DrillOutcome.FAILED) == ["c"]
    assert turns(a=31, elsewhere=DrillOutcome.FAILED) == ["a"], "a folder that is not here stops no other"


def test_on_battery_a_family_waits_for_as_long_as_one_job() -> None:
    assert turns(a=40, b=100, only_overdue=True) == []
    assert turns(a=61, b=100, only_overdue=True) == ["b"]
    assert turns(a=None, b=None, only_overdue=True) == []


def test_on_a_metered_connection_an_overdue_drill_is_run_though_the_backup_waits(
    backed_up: Laptop, tmp_path: Path
) -> None:
    nmcli = tmp_path / "bin" / "nmcli"
    nmcli.parent.mkdir()
    nmcli.write_text("#!/bin/sh\necho GENERAL.METERED:yes\n")
    nmcli.chmod(0o755)
    metered = {"PATH": f"{nmcli.parent}:{backed_up.environment()['PATH']}"}
    ended = backed_up.run("backup", "--scheduled", **metered)
    assert ended.returncode == ExitCode.TRY_LATER
    assert backed_up.service.drills.reports == []
    backed_up.service.drills.passed_at = datetime.now(timezone.utc) - timedelta(days=61)
    ended = backed_up.run("backup", "--scheduled", **metered)
    assert ended.returncode == ExitCode.TRY_LATER
    assert "the connection is metered" in ended.stderr
    assert backed_up.service.drills.outcomes == ["passed"]
