"""``python -m ops set``: single sets of a job."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.domain.backups.names import SetId
from chalicelib.owner_wire import JobPlace, Quarantined
from ops.buckets.bring_back import bring_back
from ops.commands.arguments.options import confirm, stage_options
from ops.commands.arguments.whole_help import WholeHelp
from ops.errors import OpsError
from ops.service.admin_client import admin_client
from ops.service.deployed_stage import aws_of


@click.group("set", cls=WholeHelp)
def backup_set() -> None:
    """A single set of a job, as `machine show` names it."""


@backup_set.command()
@click.argument("machine")
@click.argument("job")
@click.argument("set_name", metavar="[SET]", required=False)
@click.option("--stored-since", metavar="TIME", help="All sets stored at that time or later, by S3's clock.")
@click.option("--release", is_flag=True, help="Show a set again that was in quarantine.")
@stage_options
def quarantine(
    machine: str,
    job: str,
    set_name: str | None,
    stored_since: str | None,
    release: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Hide a garbage set from the machine, so that increments go on without it; nothing is deleted.

    With --stored-since all sets that were begun or stored then or later, as after a theft.
    """
    if (set_name is None) == (stored_since is None) or (release and stored_since):
        raise click.UsageError("Name a SET, or a time with --stored-since.")
    arguments = {
        "name": machine,
        "job": job,
        "set": set_name,
        "release": release,
        "stored_since": stored_since,
    }
    answer = admin_client(stage, state_folder).ask(Quarantined, "set_quarantine", **arguments)
    if stored_since is not None:
        hidden = ", ".join(answer.sets) or "none"
        confirm(answer, as_json, f"Hidden from {machine}/{job}, and stored still: {hidden}.")
        return
    sentence = (
        f"{machine}/{job} sees {set_name} again."
        if release
        else f"{set_name} is hidden from {machine}/{job}, but not deleted; --release shows it again."
    )
    confirm(answer, as_json, sentence)


@backup_set.command("bring-back")
@click.argument("machine")
@click.argument("job")
@click.argument("set_name", metavar="SET")
@stage_options
def bring_back_(machine: str, job: str, set_name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Bring back files of a set that somebody deleted in the bucket, from their older versions."""
    try:
        set_id = SetId.parse(set_name)
    except ValueError as error:
        raise OpsError(f"{error}: `machine show` lists them.") from error
    place = admin_client(stage, state_folder).ask(
        JobPlace, "set_place", name=machine, job=job, set=str(set_id)
    )
    names = bring_back(aws_of(stage, state_folder).client("s3"), place.location, set_id)
    what = ", ".join(names) if names else "nothing: no file of it is deleted in the bucket"
    confirm({"brought_back": names}, as_json, f"Brought back: {what}.")
