"""``python -m ops machine list | show | recount``: what there is of the machines."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from chalicelib.domain.mail.phrases import format_bytes
from chalicelib.domain.shown import all_shown, shown
from chalicelib.owner_wire import MachineListing, MachineRow, MachineShown, StoredCount
from ops.commands.arguments.group_settings import sources_shown
from ops.commands.arguments.machine_cells import (
    Row,
    age_shown,
    joined,
    machine_table,
    month_shown,
    size_shown,
    table_console,
)
from ops.commands.arguments.options import (
    confirm,
    console,
    print_json,
    say,
    stage_options,
    typed,
)
from ops.commands.arguments.photo_families import family_line, jobs_shown
from ops.commands.arguments.recovery_codes import recovery_shown
from ops.commands.machines.shown import show_job, thaw_budget_shown
from ops.service.admin_client import admin_client


@click.command("list")
@stage_options
def list_(stage: str, state_folder: Path, as_json: bool) -> None:
    """List the machines: the state and age of each, what it stores and costs, its jobs, its group and its owner."""
    answer = admin_client(stage, state_folder).ask(MachineListing, "machine_list")
    if as_json:
        print_json(answer)
        return
    if not answer.machines:
        console.print(f"No machine yet: {typed('machine add NAME', stage)} adds one.")
        return
    target = table_console()
    target.print(list_table(answer, datetime.now(timezone.utc), target.width), soft_wrap=False)


def list_table(listing: MachineListing, now: datetime, columns: int) -> Table:
    rows = [_row(all_shown(row), now) for row in listing.machines]
    return machine_table(rows, "jobs; group, owner", columns)


def _row(row: MachineRow, now: datetime) -> Row:
    state = row.state if row.state and row.status == "enrolled" else row.status
    about = "; ".join(filter(None, (jobs_shown(row).replace("\n", ", "), joined(row.group, row.owner_mail))))
    figures = state, age_shown(row.looked_at, now), size_shown(row.stored_bytes), month_shown(row.monthly)
    return row.machine, figures, about


@click.command()
@click.argument("name")
@stage_options
def show(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show a machine's jobs and their sets."""
    answer = admin_client(stage, state_folder).ask(MachineShown, "machine_show", name=name)
    if as_json:
        print_json(answer)
        return
    used = answer.last_used_at or "never"
    console.print(f"[bold]{escape(answer.machine)}[/] {answer.status}, last used {used}")
    say(f"  client {answer.client_version or 'not known yet'}")
    say(f"  group: {answer.group or 'none'}")
    say(f"  owner: {shown(answer.owner_mail or 'none of its own')}")
    say(f"  {thaw_budget_shown(answer)}")
    say(f"  {sources_shown(answer.sources)}")
    for line in recovery_shown(answer.recovery):
        say(f"  {line}")
    for family in answer.families:
        say(f"\n  {family_line(family)}")
        say(f"  {sources_shown(family.sources)}")
    for job in answer.jobs:
        if job.family is None:
            show_job(job)


@click.command()
@click.argument("name")
@stage_options
def recount(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Count what a machine has stored, for its cap, which counts every permission to upload as used."""
    answer = admin_client(stage, state_folder).ask(StoredCount, "machine_recount", name=name)
    stored, cap = format_bytes(answer.stored_bytes), format_bytes(answer.storage_cap_bytes)
    confirm(answer, as_json, f"{name} has stored {stored} of the {cap} that it may, older versions included.")
