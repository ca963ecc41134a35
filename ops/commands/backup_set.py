"""``python -m ops set``: single sets of a job."""

from __future__ import annotations

from pathlib import Path

import click

from ops.commands.arguments.options import confirm, stage_options
from ops.service.admin_client import admin_client


@click.group("set")
def backup_set() -> None:
    """A single set of a job, as `machine show` names it."""


@backup_set.command()
@click.argument("machine")
@click.argument("job")
@click.argument("set_name", metavar="SET")
@click.option("--release", is_flag=True, help="Show a set again that was in quarantine.")
@stage_options
def quarantine(
    machine: str, job: str, set_name: str, release: bool, stage: str, state_folder: Path, as_json: bool
) -> None:
    """Hide a garbage set from the machine, so that increments go on without it; nothing is deleted."""
    arguments = {"name": machine, "job": job, "set": set_name, "release": release}
    answer = admin_client(stage, state_folder).call("set_quarantine", **arguments)
    sentence = (
        f"{machine}/{job} sees {set_name} again."
        if release
        else f"{set_name} is hidden from {machine}/{job}, and kept; --release shows it again."
    )
    confirm(answer, as_json, sentence)
