"""``python -m ops machine set``: what holds for a machine and its jobs."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.owner_wire import MachineShown
from ops.commands.arguments.options import (
    DURATION,
    DURATION_OR_NEVER,
    SIZE,
    USD,
    confirm,
    stage_options,
)
from ops.commands.arguments.retention_choice import retention_options
from ops.commands.arguments.storage_choice import (
    after_option,
    check_words,
    follow_change,
    storage_option,
    words_of,
)
from ops.service.admin_client import admin_client
from ops.service.deployed_stage import deployed_stage

thaw_budget_option = click.option(
    "--thaw-budget",
    type=USD,
    help="USD a month that it may spend on thaws without your approval: 1 at first, 0 for none.",
)


@click.command("set")
@click.argument("name")
@click.option(
    "--job",
    help="Which of its jobs --every, --grace, --storage, --drill-every and --keep-... are for; `photos` for all folders"
    " of its pictures.  [default: all of them]",
)
@click.option("--every", type=DURATION, help="How often it should back up.")
@click.option("--grace", type=DURATION, help="How much later is still well.")
@click.option(
    "--storage-cap", type=SIZE, help="The most that the machine may store, older versions included."
)
@click.option("--download-cap", type=SIZE, help="The most that it may fetch a day, as for a large restore.")
@click.option(
    "--owner-mail", help="Who gets the weekly mail and the alerts about this machine; `none` for nobody."
)
@storage_option
@after_option
@click.option(
    "--drill-every",
    type=DURATION_OR_NEVER,
    help="How often a few files are restored for real: 30d at first, `never` for no drills.",
)
@thaw_budget_option
@retention_options
@stage_options
def set_(
    name: str,
    job: str | None,
    every: int | None,
    grace: int | None,
    storage_cap: int | None,
    download_cap: int | None,
    owner_mail: str | None,
    storage: str | None,
    after: int | None,
    drill_every: int | None,
    thaw_budget: str | None,
    keep_chains: int | None,
    keep_days: int | None,
    keep_yearly: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Change how often a machine backs up and is drilled, where its volumes go, how long old backups are kept, how much
    it may store, download and spend, and who owns it."""
    policy = check_words(storage, after)
    kept = {"keep_chains": keep_chains, "keep_days": keep_days, "keep_yearly": keep_yearly}
    changes = {
        "period_seconds": every,
        "grace_seconds": grace,
        "drill_every_seconds": drill_every,
        "storage_cap_bytes": storage_cap,
        "download_cap_bytes": download_cap,
        "owner_mail": "" if owner_mail == "none" else owner_mail,
        "thaw_budget_usd": thaw_budget,
        **kept,
        **words_of(policy),
    }
    if set(changes.values()) == {None}:
        raise click.UsageError(
            "Say what to change: --every, --grace, --storage, --drill-every, --storage-cap, --download-cap,"
            " --thaw-budget, --keep-chains, --keep-days, --keep-yearly or --owner-mail."
        )
    if job and all(of_jobs is None for of_jobs in (every, grace, policy, drill_every, *kept.values())):
        raise click.UsageError(
            "The caps, the budget and the owner are of the whole machine: leave out --job."
        )
    client = admin_client(stage, state_folder)
    answer = client.ask(MachineShown, "machine_set", name=name, job=job, **changes)
    said = follow_change(deployed_stage(stage, state_folder), client, answer, job, policy) if policy else []
    confirm(answer, as_json, " ".join([f"{name}{f'/{job}' if job else ''} is changed.", *said]))
