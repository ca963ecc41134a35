"""The command ``status``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from panicroom.settings import Settings


@click.command(short_help="Show how fresh the backups are.")
@click.option("--job", metavar="JOB", help="Only this job, or each job of this family of pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option(
    "--prometheus",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write FILE for the text folder of Prometheus's node exporter (its name must end with .prom).",
)
def status(job: str | None, as_json: bool, prometheus: Path | None) -> None:
    """Show how fresh the backups of this machine are, as the service evaluates them.

    With --json the exit code is 0 if every job is well (fresh, due, settled or paused), 1 if one is never or
    failing, 2 if one is overdue.
    """
    from panicroom.settings import load_settings
    from panicroom.terminal.status import (
        exit_code_of,
        fetch_status,
        only_job,
        prometheus_text,
        status_json,
        status_lines,
        write_metrics,
    )

    settings = load_settings()
    answer = fetch_status(settings)
    if job is not None:
        families = {family.family for family in settings.families}
        answer = only_job(answer, job if job in families else settings.job_named(job).job)
    if prometheus is not None:
        write_metrics(prometheus, prometheus_text(answer))
    if as_json:
        click.echo(status_json(answer))
        raise click.exceptions.Exit(exit_code_of(answer))
    if prometheus is None:
        for line in status_lines(answer, _columns(), whole=job is not None):
            click.echo(line)
        _show_last_read(settings)


def _show_last_read(settings: Settings) -> None:
    """Where there are pictures: since when nobody has read them, and what is damaged."""
    states = [settings.job_state(job.job) for job in settings.jobs if job.family is not None]
    if not states or settings.reader:
        return
    from datetime import datetime

    from panicroom.photos.coverage import damage_text, last_read_text  # takes a moment
    from panicroom.photos.hashes import recall_hashes

    stores = [recall_hashes(state) for state in states]
    click.echo(last_read_text([store.newest_pass for store in stores], datetime.now().astimezone()))
    rotted = sum(bool(file.rotted) for store in stores for file in store.files.values())
    if rotted:
        click.echo(f"{damage_text(rotted)}: panicroom photos check --list")


def _columns() -> int:
    """The width of the terminal; without one nothing is too wide."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
