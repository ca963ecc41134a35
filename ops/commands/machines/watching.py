"""``python -m ops machine pause | resume | remove``: whether backups are expected of a machine."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.owner_wire import MachineChanged
from ops.commands.arguments.options import confirm, stage_options, typed
from ops.commands.machines.of_group import check_one_is_named, for_group, name_or_group, show_results
from ops.errors import OpsError
from ops.service.admin_client import admin_client


@click.command()
@name_or_group
@click.option(
    "--until", help="When it is expected back, as 2026-12-24 or with a time; otherwise until `resume`."
)
@click.option("--job", help="Only this job, until `resume`: a folder of pictures that is gone for good.")
@stage_options
def pause(
    name: str | None,
    group: str | None,
    yes: bool,
    until: str | None,
    job: str | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Expect no backups from a machine, or from all of a group, for a while; or none of one job."""
    check_one_is_named(name, group)
    _check_job(job, group)
    if job and until:
        raise click.UsageError("--until is for a whole machine: leave out --job.")
    client, when = admin_client(stage, state_folder), f"until {until}" if until else "until you resume it"
    if group:
        ask = f"Pause these {when}?"
        results = for_group(client, group, "machine_pause", ask, yes=yes, as_json=as_json, until=until)
        show_results(results, as_json, f"paused {when}")
        return
    answer = client.ask(MachineChanged, "machine_pause", name=name, until=until, job=job)
    _check_followed(answer, job, "paused", stage)
    confirm(answer, as_json, f"{_whose(name, job)} is paused {when}.")


@click.command()
@name_or_group
@click.option("--job", help="Only this job, which was paused alone.")
@stage_options
def resume(
    name: str | None,
    group: str | None,
    yes: bool,
    job: str | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Expect backups from a paused machine, from all of a group, or of a paused job, again."""
    check_one_is_named(name, group)
    _check_job(job, group)
    client = admin_client(stage, state_folder)
    if group:
        results = for_group(client, group, "machine_resume", "Resume these?", yes=yes, as_json=as_json)
        show_results(results, as_json, "expected to back up again")
        return
    answer = client.ask(MachineChanged, "machine_resume", name=name, job=job)
    _check_followed(answer, job, "resumed", stage)
    confirm(answer, as_json, f"{_whose(name, job)} is expected to back up again.")


def _check_job(job: str | None, group: str | None) -> None:
    if job and group:
        raise click.UsageError("--job is for one machine: leave out --group.")


def _check_followed(answer: MachineChanged, job: str | None, done: str, stage: str) -> None:
    """Raises ``OpsError`` where an older service has passed over the job, and done it to the whole machine."""
    if answer.job != job:
        back = typed(f"machine {'pause' if done == 'resumed' else 'resume'} {answer.machine}", stage)
        raise OpsError(
            f"The service is older than this clone and has {done} all of {answer.machine}, as it knows no pause of one"
            f" job: {back} takes that back. Deploy it, then type this again."
        )


def _whose(name: str | None, job: str | None) -> str:
    return f"{name}/{job}" if job else str(name)


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stage_options
def remove(name: str, yes: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Watch a machine no longer; what it stored stays in the bucket."""
    if not yes:
        click.confirm(f"Remove {name} from the machines that are watched? What it stored stays.", abort=True)
    answer = admin_client(stage, state_folder).ask(MachineChanged, "machine_remove", name=name)
    confirm(answer, as_json, f"{name} is removed; what it stored stays in the bucket.")
