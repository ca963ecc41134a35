"""``panicroom schedule``: the texts of a systemd timer, a launchd agent or a cron line, and who takes them.

What these say, whatever the system: run ``panicroom backup --scheduled`` once a period, make up for a time
when the machine slept or was off, wait a random while so that a fleet does not come all at once, and stay out
of the way of whoever works at the machine. systemd does all of that; launchd and cron look every hour, and
``--if-due`` leaves the rest to the service's word. The functions that make texts are pure.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import plistlib
import random
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from panicroom.api import moment_of
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import SYSTEM_PLACES, Places
from panicroom.settings import JobSettings
from panicroom.wire import MachineStatus

NAME = "panicroom"
LABEL = "org.panicroom.backup"
_LOOK = ("backup", "--scheduled", "--if-due")
_CRON_MARK = "# panicroom"
_LONGEST_DELAY_SECONDS = 1800
_RETRY_SECONDS = 1800
_LOOK_SECONDS = 3600


@dataclass(frozen=True)
class ScheduledBackup:
    """What is to be run, and how often. ``environment`` is what must be set because it is not the default.

    Raises a Problem where a value has a control character: in a unit or a crontab a line break begins another line.
    """

    command: Path
    period_seconds: int
    environment: dict[str, str]
    system: bool = False

    def __post_init__(self) -> None:
        for name, value in {**self.environment, "the command's path": str(self.command)}.items():
            if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in value):
                raise Problem(
                    f"{name} has a line break or another control character in it, which no schedule can hold: "
                    f"change it, then type this again",
                    ExitCode.SETTINGS,
                )

    @property
    def delay_seconds(self) -> int:
        """At most so long a run is put off at random: a tenth of the period, and no more than half an hour."""
        return min(_LONGEST_DELAY_SECONDS, self.period_seconds // 10)


def environment_of(places: Places, gpg: str | None) -> dict[str, str]:
    """What a timer's bare environment lacks: the folders in use now, and where gpg is (launchd and cron do
    not look where Homebrew puts it)."""
    folders = [str(Path(gpg).parent)] if gpg else []
    folders += [folder for folder in ("/usr/local/bin", "/usr/bin", "/bin") if folder not in folders]
    return {
        "PATH": ":".join(folders),
        "PANICROOM_CONFIG_DIR": str(places.config),
        "PANICROOM_STATE_DIR": str(places.state),
        "PANICROOM_CACHE_DIR": str(places.cache),
        **{name: os.environ[name] for name in ("GNUPGHOME",) if name in os.environ},
    }


def due_jobs(jobs: tuple[JobSettings, ...], status: MachineStatus) -> tuple[JobSettings, ...]:
    """Those whose newest backup is as old as their period, or will be before anybody looks again; a photo job that was
    looked at since counts from then."""
    now = moment_of(status.server_time)

    def due(job: JobSettings) -> bool:
        known = next((each for each in status.jobs if each.job == job.job), None)
        if known is None or known.newest_complete_at is None:
            return True  # what the service does not know, the backup itself says best
        newest = max(map(moment_of, filter(None, (known.newest_complete_at, known.checked_at))))
        age = (now - newest).total_seconds()
        return age > known.period_seconds - _LOOK_SECONDS

    return tuple(job for job in jobs if due(job))


def shortest_period(status: MachineStatus) -> int:
    """Seconds between two backups: those of the job, or the family, that the owner wants looked at most often."""
    periods = [job.period_seconds for job in status.jobs]
    periods += [family.period_seconds for family in status.families]
    return min(periods, default=86400)


def check_places(places: Places, system: bool) -> None:
    """A Problem if the settings in use are a person's own and the schedule is to be the system's."""
    if system and places.config != SYSTEM_PLACES.config:
        raise Problem(
            f"a system's settings belong into {SYSTEM_PLACES.config}, not {places.config}: "
            f"mkdir -m 700 {SYSTEM_PLACES.config}, then enrol again as root",
            ExitCode.SETTINGS,
        )


# ---------------------------------------------------------------- systemd


def systemd_service(plan: ScheduledBackup) -> str:
    """The unit that makes one backup.

    It tries again after a failure that time heals (code 75), and never in parallel: systemd starts no unit
    that runs.
    """
    environment = "".join(
        f"Environment={_systemd_quoted(f'{name}={value}')}\n" for name, value in plan.environment.items()
    )
    network = "Wants=network-online.target\nAfter=network-online.target\n" if plan.system else ""
    return f"""\
[Unit]
Description=Encrypted backup to the panicroom service
Documentation=man:duplicity(1)
{network}
[Service]
# Not oneshot: that one may not be tried again by its exit status, and has a time limit.
Type=exec
ExecStart=:{_systemd_quoted(str(plan.command))} backup --scheduled
{environment}Nice=19
CPUWeight=20
IOSchedulingClass=idle
# Only the client is asked to end: it gives the lease back and ends duplicity itself.
KillMode=mixed
TimeoutStopSec=60
# Offline, or the job is busy.
RestartForceExitStatus={int(ExitCode.TRY_LATER)}
RestartSec={_RETRY_SECONDS}
"""


def systemd_timer(plan: ScheduledBackup) -> str:
    """The timer: ``OnCalendar`` and not a span since the last run, as only that is made up for after sleep."""
    return f"""\
[Unit]
Description=When to back up to the panicroom service

[Timer]
OnCalendar={on_calendar(plan.period_seconds)}
RandomizedDelaySec={plan.delay_seconds}
Persistent=true

[Install]
WantedBy=timers.target
"""


def on_calendar(period_seconds: int) -> str:
    """The calendar expression for a period: the next shorter one that divides a day or a week evenly.

    The service counts a backup as due when it is older than the period, so that shorter is right.
    """
    hours = period_seconds // 3600
    if hours >= 7 * 24:
        return "weekly"
    if hours >= 24:
        return "daily"
    step = next((step for step in (12, 8, 6, 4, 3, 2) if hours >= step), 1)
    return "hourly" if step == 1 else f"*-*-* 00/{step}:00:00"


def _systemd_quoted(text: str) -> str:
    """One word of a unit file: quoted, and without a meaning for ``%``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# ---------------------------------------------------------------- launchd and cron


def launchd_agent(plan: ScheduledBackup) -> str:
    """The property list. ``StartInterval`` runs once after a sleep that took several of them; it knows no
    random delay, but counts from the moment of loading, which differs in a fleet of laptops."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [str(plan.command), *_LOOK],
            "EnvironmentVariables": plan.environment,
            "StartInterval": _LOOK_SECONDS,
            "RunAtLoad": True,
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 19,
            "ExitTimeOut": 60,
        },
        sort_keys=False,
    ).decode()


def cron_line(plan: ScheduledBackup, minute: int) -> str:
    """One line of a crontab: every hour, as cron makes up for nothing. ``minute`` (0 to 59) should differ
    from machine to machine."""
    words = [f"{name}={value}" for name, value in plan.environment.items()]
    command = shlex.join(["env", *words, "nice", "-n", "19", str(plan.command), *_LOOK])
    return f"{minute} * * * * {command.replace('%', chr(92) + '%')} >/dev/null 2>&1 {_CRON_MARK}\n"


def crontab_with(crontab: str, line: str | None) -> str:
    """A crontab with our line, or without it for None; every other line as it was."""
    kept = [each for each in crontab.splitlines() if not each.endswith(_CRON_MARK)]
    return "".join(f"{each}\n" for each in kept) + (line or "")


# ---------------------------------------------------------------- who takes them


class Scheduler(Protocol):
    """One way of this system to run something again and again. Methods return sentences for a person."""

    def install(self, plan: ScheduledBackup) -> list[str]: ...

    def show(self) -> list[str]:
        """What is installed; empty if nothing is."""

    def remove(self) -> list[str]: ...


def scheduler(system: bool) -> Scheduler:
    """The scheduler of this machine: systemd, launchd, or cron."""
    if system and os.geteuid() != 0:
        raise Problem("--system is for root; run it with sudo", ExitCode.USAGE)
    if sys.platform == "darwin":
        return Launchd(system)
    if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):
        return Systemd(system)
    if shutil.which("crontab"):
        return Cron()
    raise Problem(
        "there is neither systemd nor launchd nor cron here; have `panicroom backup --scheduled --if-due` run hourly",
        ExitCode.SETTINGS,
    )


class Systemd:
    """A timer of the user's, or of the system's for root."""

    def __init__(self, system: bool) -> None:
        self.system = system
        if system:
            self._folder = Path("/etc/systemd/system")
        else:
            home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
            self._folder = Path(home) / "systemd" / "user"
        self._control = ["systemctl", *([] if system else ["--user"])]

    def install(self, plan: ScheduledBackup) -> list[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{NAME}.service").write_text(systemd_service(plan), encoding="utf-8")
        (self._folder / f"{NAME}.timer").write_text(systemd_timer(plan), encoding="utf-8")
        _must([*self._control, "daemon-reload"])
        _must([*self._control, "enable", "--now", f"{NAME}.timer"])
        when = on_calendar(plan.period_seconds)
        said = [f"{self._folder}/{NAME}.timer backs up {when}; what a sleep made it miss it makes up for"]
        if not self.system and not user_lingers():
            said.append(
                "it runs only while you are logged in; for more: sudo loginctl enable-linger "
                f"{os.environ.get('USER') or os.getuid()}"
            )
        return said

    def show(self) -> list[str]:
        if not (self._folder / f"{NAME}.timer").exists():
            return []
        listed = _run([*self._control, "list-timers", "--all", "--no-pager", f"{NAME}.timer"]).stdout
        return [f"{self._folder}/{NAME}.timer", *listed.strip().splitlines()[:2]]

    def remove(self) -> list[str]:
        _run([*self._control, "disable", "--now", f"{NAME}.timer"])
        for ending in ("timer", "service"):
            (self._folder / f"{NAME}.{ending}").unlink(missing_ok=True)
        _run([*self._control, "daemon-reload"])
        return ["the timer is removed; a backup that runs goes on"]


class Launchd:
    """An agent of the user's, or a daemon for root. Not run on a Mac yet."""

    def __init__(self, system: bool) -> None:
        self.system = system
        root = Path("/Library/LaunchDaemons") if system else Path.home() / "Library" / "LaunchAgents"
        self._file = root / f"{LABEL}.plist"
        self._domain = "system" if system else f"gui/{os.getuid()}"

    def install(self, plan: ScheduledBackup) -> list[str]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(launchd_agent(plan), encoding="utf-8")
        _run(["launchctl", "bootout", f"{self._domain}/{LABEL}"])  # an older one, if there is one
        _must(["launchctl", "bootstrap", self._domain, str(self._file)])
        return [f"{self._file} looks every hour whether a backup is due"]

    def show(self) -> list[str]:
        return [str(self._file)] if self._file.exists() else []

    def remove(self) -> list[str]:
        _run(["launchctl", "bootout", f"{self._domain}/{LABEL}"])
        self._file.unlink(missing_ok=True)
        return ["the launchd agent is removed"]


class Cron:
    """A line in the crontab of whoever runs this."""

    def install(self, plan: ScheduledBackup) -> list[str]:
        line = cron_line(plan, random.randrange(60))  # noqa: S311
        self._write(crontab_with(self._read(), line))
        return [f"crontab: {line.strip()}", "it looks every hour whether a backup is due"]

    def show(self) -> list[str]:
        return [line for line in self._read().splitlines() if line.endswith(_CRON_MARK)]

    def remove(self) -> list[str]:
        self._write(crontab_with(self._read(), None))
        return ["the line is gone from the crontab"]

    def _read(self) -> str:
        return _run(["crontab", "-l"]).stdout  # nothing, where there is no crontab yet

    def _write(self, text: str) -> None:
        _must(["crontab", "-"], text)


def session_caveat(chosen: Scheduler, secrets: str, lingers: Callable[[], bool] | None = None) -> str | None:
    """A sentence if what runs by itself may not get at the secrets: a keyring is open while its user is logged in,
    and to what belongs to that session."""
    if secrets != "keyring":
        return None
    if isinstance(chosen, Cron):
        why = "cron runs without a session, and the keyring is closed to it"
    elif getattr(chosen, "system", False):
        why = "what the system runs has no session, and so no keyring"
    elif isinstance(chosen, Systemd) and (lingers or user_lingers)():
        why = "while you are not logged in the keyring is closed"
    else:
        return None
    return f"{why}; keep the secrets in a private file: panicroom secrets file"


def user_lingers() -> bool:
    """Whether this user's units run without a login; True where nobody can tell."""
    ended = _run(["loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value"])
    return ended.returncode != 0 or ended.stdout.strip() == "yes"


def _run(command: list[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")


def _must(command: list[str], text: str | None = None) -> None:
    ended = _run(command, text)
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or ["no reason given"]
        raise Problem(f"`{shlex.join(command)}` failed: {lines[-1]}", ExitCode.SETTINGS)
