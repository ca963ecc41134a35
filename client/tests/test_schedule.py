"""Schedules: what the units, the agent and the cron line say, and who is due."""

from __future__ import annotations

import os
import plistlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import SYSTEM_PLACES, Places
from panicroom.settings import JobSettings
from panicroom.setup.schedule import (
    ScheduledBackup,
    Systemd,
    check_places,
    cron_line,
    crontab_with,
    due_jobs,
    environment_of,
    launchd_agent,
    on_calendar,
    systemd_service,
    systemd_timer,
)
from panicroom.terminal.desktop_notification import notice_command, notify_failure
from panicroom.wire import JobStatus, MachineStatus

ODD = Path('/opt/my "apps"/100% $HOME/panicroom')


def a_plan(
    command: Path = Path("/usr/bin/panicroom"), period_seconds: int = 86400, system: bool = False
) -> ScheduledBackup:
    places = Places(Path("/c o"), Path("/s"), Path("/ca"))
    return ScheduledBackup(command, period_seconds, environment_of(places, "/opt/homebrew/bin/gpg"), system)


@pytest.mark.parametrize(
    ("hours", "expression"),
    [
        (1, "hourly"),
        (5, "*-*-* 00/4:00:00"),
        (12, "*-*-* 00/12:00:00"),
        (24, "daily"),
        (47, "daily"),
        (168, "weekly"),
    ],
)
def test_a_timer_runs_at_least_once_a_period(hours: int, expression: str) -> None:
    assert on_calendar(hours * 3600) == expression


@pytest.mark.parametrize("letter", ["\n", "\r", "\0", "\x1b", "\x85", "\u2028"])
@pytest.mark.parametrize("where", ["GNUPGHOME", "PANICROOM_CONFIG_DIR", "command"])
def test_no_value_makes_a_line_of_its_own(where: str, letter: str) -> None:
    """In a unit it would be an ExecStart of somebody else's, in a crontab a command."""
    odd = f"/home/anna{letter}ExecStart=/bin/false"
    command = Path(odd if where == "command" else "/usr/bin/panicroom")
    environment = {} if where == "command" else {where: odd}
    with pytest.raises(Problem, match="line break or another control character"):
        ScheduledBackup(command, 86400, environment)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("hours", [1, 5, 24, 168])
def test_systemd_understands_every_word_of_the_units(tmp_path: Path, hours: int) -> None:
    command = tmp_path / "100% of $HOME" / "panicroom"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    for system in (False, True):
        plan = a_plan(command, hours * 3600, system)
        (tmp_path / "panicroom.service").write_text(systemd_service(plan))
        (tmp_path / "panicroom.timer").write_text(systemd_timer(plan))
        ended = subprocess.run(
            [
                "systemd-analyze",
                "verify",
                "--man=no",
                str(tmp_path / "panicroom.timer"),
                str(tmp_path / "panicroom.service"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        ours = [line for line in ended.stderr.splitlines() if "panicroom" in line]
        assert ours == []


def test_the_timer_makes_up_for_sleep_and_does_not_come_with_the_whole_fleet() -> None:
    text = systemd_timer(a_plan())
    assert "Persistent=true" in text
    assert "RandomizedDelaySec=1800" in text
    assert "RandomizedDelaySec=360" in systemd_timer(a_plan(period_seconds=3600))


def test_the_backup_stays_out_of_the_way() -> None:
    service = systemd_service(a_plan())
    assert "Nice=19" in service
    assert "IOSchedulingClass=idle" in service
    agent = plistlib.loads(launchd_agent(a_plan()).encode())
    assert agent["Nice"] == 19
    assert agent["LowPriorityIO"] is True


def test_the_launchd_agent_looks_every_hour_and_finds_gpg() -> None:
    agent = plistlib.loads(launchd_agent(a_plan(ODD)).encode())
    assert agent["ProgramArguments"] == [str(ODD), "backup", "--scheduled", "--if-due"]
    assert agent["StartInterval"] == 3600
    assert agent["EnvironmentVariables"]["PATH"].startswith("/opt/homebrew/bin:")


def test_a_shell_takes_the_cron_line_apart_as_it_was_meant(tmp_path: Path) -> None:
    command = tmp_path / "100% $HOME 'x'" / "panicroom"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$@" "$PANICROOM_CONFIG_DIR" > "{tmp_path}/said"\n')
    command.chmod(0o755)
    line = cron_line(a_plan(command), 7)
    assert line.startswith("7 * * * * ")
    assert line.count("%") == line.count("\\%")  # a bare one ends cron's command
    subprocess.run(["sh", "-c", line.split(" ", 5)[5].replace("\\%", "%")], check=True)
    assert (tmp_path / "said").read_text() == "backup --scheduled --if-due /c o\n"


def test_other_lines_of_a_crontab_stay() -> None:
    first, second = cron_line(a_plan(), 1), cron_line(a_plan(), 2)
    theirs = "# mine\n0 1 * * * panicroom-report\n"
    assert crontab_with(theirs + first, second) == theirs + second
    assert crontab_with(theirs + first, None) == theirs


def status(**newest: str | None) -> MachineStatus:
    jobs = tuple(
        JobStatus(job, "fresh", 86400, 86400, "GLACIER_IR", 7, newest_complete_at=at)
        for job, at in newest.items()
    )
    return MachineStatus("laptop", "2026-11-22T12:00:00Z", jobs, "0.1.0", "0.1.0")


def test_only_what_is_due_is_backed_up() -> None:
    jobs = tuple(JobSettings(name, Path("/")) for name in ("new", "old", "almost", "unknown", "never"))
    found = due_jobs(
        jobs,
        status(
            new="2026-11-22T01:00:00Z", old="2026-11-20T12:00:00Z", almost="2026-11-21T12:30:00Z", never=None
        ),
    )
    assert [job.job for job in found] == ["old", "almost", "unknown", "never"]


def test_a_job_that_is_not_due_is_left_alone(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.succeed("backup", "--scheduled", "--if-due")
    assert len(laptop.service.sealed()) == 1
    laptop.succeed("backup", "--scheduled", "--if-due")
    assert len(laptop.service.runs) == 1


def test_a_systems_schedule_wants_a_systems_settings() -> None:
    check_places(SYSTEM_PLACES, system=True)
    with pytest.raises(Problem, match="/etc/panicroom"):
        check_places(Places(Path("/root/.config"), Path("/s"), Path("/c")), system=True)


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of that name which notes how it was called."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/calls"\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_user_who_does_not_linger_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "systemctl", "")
    stand_in(tmp_path / "bin", "loginctl", "echo no")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    systemd = Systemd(system=False)
    assert any("enable-linger" in line for line in systemd.install(a_plan()))
    assert (tmp_path / "config/systemd/user/panicroom.timer").exists()
    assert systemd.show() != []
    systemd.remove()
    assert systemd.show() == []
    calls = (tmp_path / "bin" / "calls").read_text()
    assert "systemctl --user enable --now panicroom.timer" in calls
    assert "systemctl --user disable --now panicroom.timer" in calls


def test_a_failed_run_shows_on_the_desktop_but_being_offline_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "notify-send", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    notify_failure("system", Problem("no network", ExitCode.TRY_LATER))
    assert not (tmp_path / "calls").exists()
    notify_failure("system", Problem("the source /x is not there", ExitCode.SOURCE))
    assert "the source /x is not there" in (tmp_path / "calls").read_text()


def test_nothing_in_a_notice_becomes_part_of_a_script() -> None:
    command = notice_command("darwin", "title", 'x" & (do shell script "id") & "')
    assert "do shell script" not in command[2]


def test_a_machine_without_a_notice_program_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    notify_failure("system", Problem("failed", ExitCode.SOURCE))
