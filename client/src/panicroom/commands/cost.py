"""The command ``cost``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import sys
from datetime import datetime, timezone

import click

from panicroom.commands.stored_job import chosen


@click.command(short_help="Show what keeping and restoring costs.")
@click.argument("path", required=False)
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; amounts are USD before tax.")
def cost(path: str | None, time: str | None, job: str | None, as_json: bool) -> None:
    """Show what everything in the backup, or PATH, costs: kept for a month, and brought back in each way.

    It counts the volumes that a restore would fetch; what is in a volume beside PATH counts as well. Nothing is
    started. The prices are the service's, in USD before tax.

    Examples:

    \b
    panicroom cost
    panicroom cost letters/1998 --time 3D
    panicroom cost 2018 --job photos
    """
    import json

    from panicroom.commands.family.restoring import first_command, show_family_cost
    from panicroom.restore.cost import cost_as_json, cost_lines
    from panicroom.restore.dry_run import plan_restore
    from panicroom.restore.paths import nothing_found
    from panicroom.restore.several.text import job_advice_lines
    from panicroom.settings import JobSettings, load_settings
    from panicroom.terminal.progress import make_reporter

    settings = load_settings()
    paths = () if path is None else (path,)
    found = chosen(settings, job)
    if not isinstance(found, JobSettings):
        show_family_cost(settings, found, paths, time, as_json=as_json)
        return
    priced = plan_restore(settings, found, paths, time, make_reporter(sys.stderr), always_priced=True)
    nothing = nothing_found(priced.plan)
    if nothing is not None:
        raise nothing
    if as_json:
        click.echo(json.dumps(cost_as_json(priced)))
        return
    now, first = datetime.now(timezone.utc), first_command(found.job, time, None)
    for line in (*cost_lines(priced), *job_advice_lines(found, priced, now, first)):
        click.echo(line)
