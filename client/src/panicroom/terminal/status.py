"""``panicroom status``: each job of this machine as the service evaluates it, for people and for programs."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from panicroom.api import Api, moment_of
from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.terminal.amounts import size_text
from panicroom.terminal.families import (
    ATTENTION,
    attention_lines,
    photo_families,
    worst_state,
    years_text,
)
from panicroom.wire import DrillOutcome, DrillStatus, JobStatus, MachineStatus

HEADINGS = ("job", "state", "newest backup", "chain", "stored", "in", "every")

STORAGE_NAMES = {
    "STANDARD": "Standard",
    "GLACIER_IR": "Glacier Instant",
    "GLACIER": "Glacier Flexible",
    "DEEP_ARCHIVE": "Deep Archive",
}
"""Short names of the classes that the volumes of a job move to."""


def fetch_status(settings: Settings) -> MachineStatus:
    with Api(settings.url, token_of(settings)) as api:
        return api.machine()


def status_lines(status: MachineStatus, columns: int, *, whole: bool = False) -> list[str]:
    """A plain table, or where that is too wide three lines a job; times are this machine's own. A family of photo jobs
    has one line, unless ``whole``."""
    now = moment_of(status.server_time)
    mail = (
        f"last weekly mail {_ago(status.last_weekly_mail_at, now)}"
        if status.last_weekly_mail_at
        else "no weekly mail yet"
    )
    families = {} if whole else photo_families(status.jobs)
    rows = [_row(job, now) for job in status.jobs if whole or job.family is None]
    rows += [_family_row(family, jobs, now) for family, jobs in families.items()]
    table = _table([HEADINGS, *rows])
    if max(map(len, table)) > columns:
        table = [
            line
            for job, state, newest, chain, stored, storage, every in rows
            for line in (
                f"{job}: {state}",
                f"  newest backup {newest}",
                f"  chain of {chain}, {stored} stored ({storage}), every {every}",
            )
        ]
    return [
        f"machine {status.machine}, {mail}",
        *_reader_lines(status),
        *table,
        *(line for family, jobs in families.items() for line in attention_lines(family, jobs)),
        *_drill_lines(status, now),
    ]


def _reader_lines(status: MachineStatus) -> list[str]:
    if status.reader_until is None:
        return []
    until = f"{moment_of(status.reader_until).astimezone():%Y-%m-%d %H:%M}"
    return [f"this computer only reads, until {until}, by a recovery code"]


def _drill_lines(status: MachineStatus, now: datetime) -> Iterator[str]:
    """A line for each job of which a drill was reported, or is due; of photo jobs only where it has not passed."""
    for job in status.jobs:
        drill = job.drill
        if drill is None or (drill.reported_at is None and not drill.due):
            continue
        if job.family is not None and drill.outcome in (None, DrillOutcome.PASSED):
            continue
        passed = (
            f"last drill passed {_ago(drill.passed_at, now)}"
            if drill.passed_at
            else "no drill has passed yet"
        )
        yield f"{job.job}: {passed}{_since(drill, now)}"


def _since(drill: DrillStatus, now: datetime) -> str:
    """What has come of the newest one, if it has not passed."""
    if drill.outcome is None or drill.outcome is DrillOutcome.PASSED or drill.reported_at is None:
        return ""
    reason = f": {drill.message}" if drill.message else ""
    return f"; {_DRILL_WORDS[drill.outcome]} {_ago(drill.reported_at, now)}{reason}"


_DRILL_WORDS = {
    DrillOutcome.ASKED: "one is under way since",
    DrillOutcome.FAILED: "THE NEWEST FAILED",
    DrillOutcome.SKIPPED: "the newest could not be tried",
}


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _family_row(family: str, jobs: Sequence[JobStatus], now: datetime) -> tuple[str, ...]:
    newest = max((job.newest_complete_at for job in jobs if job.newest_complete_at), default=None)
    looked = [job.checked_at for job in jobs if job.state == "settled" and job.checked_at]
    return (
        years_text(family, jobs),
        worst_state(jobs),
        _newest_text(newest, min(looked, default=None), now),
        str(sum(job.chain_length for job in jobs)),
        size_text(sum(job.stored_bytes for job in jobs)),
        STORAGE_NAMES.get(jobs[0].archive_class, jobs[0].archive_class),
        duration_text(jobs[0].period_seconds),
    )


def _newest_text(newest: str | None, looked_at: str | None, now: datetime) -> str:
    """``looked_at``: when it was last seen that nothing had changed since."""
    text = _ago(newest, now) if newest else "never"
    if looked_at is None:
        return text
    return f"{text}, looked at {duration_text((now - moment_of(looked_at)).total_seconds())} ago"


def _row(job: JobStatus, now: datetime) -> tuple[str, ...]:
    looked_at = job.checked_at if job.state == "settled" else None
    newest = _newest_text(job.newest_complete_at, looked_at, now)
    return (
        job.job,
        job.state,
        newest,
        str(job.chain_length),
        size_text(job.stored_bytes),
        STORAGE_NAMES.get(job.archive_class, job.archive_class),
        duration_text(job.period_seconds),
    )


def exit_code_of(status: MachineStatus) -> int:
    """0 well, 1 look at it, 2 bad: the worst of the jobs."""
    return max((ATTENTION.get(job.state, 0) for job in status.jobs), default=0)


def only_job(status: MachineStatus, name: str) -> MachineStatus:
    """The status with that job alone, or those of that family; a Problem if the service does not have it."""
    jobs = tuple(job for job in status.jobs if name in (job.job, job.family))
    if not jobs:
        raise Problem(
            f"the service knows no job {name!r} of this machine; ask the owner to add it", ExitCode.SETTINGS
        )
    return dataclasses.replace(status, jobs=jobs)


def status_json(status: MachineStatus) -> str:
    """The service's answer, with ``exit_code`` and each job's ``age_seconds`` (null where there is no backup)."""
    now = moment_of(status.server_time)
    jobs = [{**dataclasses.asdict(job), "age_seconds": _age_seconds(job, now)} for job in status.jobs]
    return json.dumps(
        {**dataclasses.asdict(status), "jobs": jobs, "exit_code": exit_code_of(status)}, indent=1
    )


_METRICS: tuple[tuple[str, str, Callable[[JobStatus, datetime], float | None]], ...] = (
    ("state", "0 well, 1 look at it, 2 bad", lambda job, _now: ATTENTION.get(job.state, 0)),
    (
        "newest_backup_age_seconds",
        "age of the newest complete backup",
        lambda job, now: _age_seconds(job, now),
    ),
    ("period_seconds", "how often the owner wants a backup", lambda job, _now: job.period_seconds),
    ("stored_bytes", "bytes stored in the bucket", lambda job, _now: job.stored_bytes),
    ("chain_length", "backups in the newest chain", lambda job, _now: job.chain_length),
)


def prometheus_text(status: MachineStatus) -> str:
    """The text format of Prometheus, one gauge a line."""
    now = moment_of(status.server_time)
    written = "panicroom_written_timestamp_seconds"
    lines = [
        f"# HELP {written} when the service answered",
        f"# TYPE {written} gauge",
        f"{written} {now.timestamp():.0f}",
    ]
    for name, explanation, value_of in _METRICS:
        lines += [f"# HELP panicroom_{name} {explanation}", f"# TYPE panicroom_{name} gauge"]
        for job in status.jobs:
            value = value_of(job, now)
            if value is not None:
                labels = f'machine="{_escaped(status.machine)}",job="{_escaped(job.job)}"'
                lines.append(f"panicroom_{name}{{{labels}}} {value:.0f}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def write_metrics(path: Path, text: str) -> None:
    """Replaces the file in one step, readable by the exporter's own user."""
    if path.suffix != ".prom":
        raise Problem(f"{path} must end with .prom: the node exporter reads no other files", ExitCode.USAGE)
    fresh = path.with_name(path.name + f".{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(path)


def _age_seconds(job: JobStatus, now: datetime) -> float | None:
    return (now - moment_of(job.newest_complete_at)).total_seconds() if job.newest_complete_at else None


def _ago(text: str, now: datetime) -> str:
    then = moment_of(text)
    return f"{then.astimezone():%Y-%m-%d %H:%M} ({duration_text((now - then).total_seconds())} ago)"


def duration_text(seconds: float) -> str:
    """The largest unit that fits: ``3 days``, ``1 hour``, ``40 seconds``."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return "0 seconds"
