"""``python -m ops reconcile``: the catalogue against the buckets."""

from __future__ import annotations

from pathlib import Path

import click

from ops.commands.arguments.options import console, print_json, stage_options
from ops.service.admin_client import admin_client
from ops.service.deployed_stage import deployed_stage
from ops.service.reconcile import Reconciliation, jobs_to_reconcile
from ops.service.reconcile import reconcile as reconcile_jobs
from ops.steps import Steps, silent_steps


@click.command()
@click.option("--machine", help="Only this machine's jobs.")
@click.option("--job", help="Only jobs of this name.")
@stage_options
def reconcile(machine: str | None, job: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Compare the catalogue with the buckets, repair the catalogue, and list what differed.

    It is done every week by itself. A difference is worth a thought: an event was lost, or somebody changed
    the bucket by hand.
    """
    jobs = jobs_to_reconcile(admin_client(stage, state_folder), machine, job)
    steps = silent_steps() if as_json else Steps(console)
    found = reconcile_jobs(deployed_stage(stage, state_folder).function("reconcile"), jobs, steps)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Reconciliation) -> None:
    for one in found.differences:
        note = " (an event may be under way)" if one["settling"] else ""
        detail = f": {one['detail']}" if one["detail"] else ""
        console.print(f"  {one['what']:8} {one['key']}{detail}{note}", markup=False)
    count = len(found.differences)
    verdict = (
        f"{count} {'difference' if count == 1 else 'differences'}, repaired" if count else "no difference"
    )
    console.print(f"{found.examined:,} keys examined, {verdict}.")
