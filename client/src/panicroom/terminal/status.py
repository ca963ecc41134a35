"""``panicroom status``: the service's judgement of each job of this machine."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from datetime import datetime

from panicroom.api import Api, ApiError
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.terminal.progress import size_text
from panicroom.wire import JobStatus, MachineStatus

HEADINGS = ("job", "state", "newest backup", "chain", "stored", "every")


def fetch_status(settings: Settings) -> MachineStatus:
    api = Api(settings.url, token_of(settings))
    try:
        return api.machine()
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()


def status_lines(status: MachineStatus, columns: int) -> list[str]:
    """A plain table, or where that is too wide three lines a job; times are this machine's own."""
    now = _time(status.server_time)
    mail = (
        f"last weekly mail {_ago(status.last_weekly_mail_at, now)}"
        if status.last_weekly_mail_at
        else "no weekly mail yet"
    )
    rows = [_row(job, now) for job in status.jobs]
    table = _table([HEADINGS, *rows])
    if max(map(len, table)) > columns:
        table = [
            line
            for job, state, newest, chain, stored, every in rows
            for line in (
                f"{job}: {state}",
                f"  newest backup {newest}",
                f"  chain of {chain}, {stored} stored, every {every}",
            )
        ]
    return [f"machine {status.machine}, {mail}", *table]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(job: JobStatus, now: datetime) -> tuple[str, ...]:
    newest = _ago(job.newest_complete_at, now) if job.newest_complete_at else "never"
    return (
        job.job,
        job.state,
        newest,
        str(job.chain_length),
        size_text(job.stored_bytes),
        duration_text(job.period_seconds),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _ago(text: str, now: datetime) -> str:
    then = _time(text)
    return f"{then.astimezone():%Y-%m-%d %H:%M} ({duration_text((now - then).total_seconds())} ago)"


def duration_text(seconds: float) -> str:
    """The largest unit that fits: ``3 days``, ``1 hour``, ``40 seconds``."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return "0 seconds"
