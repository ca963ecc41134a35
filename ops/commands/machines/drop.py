"""``python -m ops machine drop``: a machine's end, with all that it stored; its files are removed by the owner's own
credentials, as no function may delete a version."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.mail.phrases import count, format_bytes
from chalicelib.fleet_wire import MachineDropped, MachineDropPlan
from ops.buckets.let_go_files import Removed
from ops.buckets.machine_files import MachineSurvey, remove_machine_files, survey_machine
from ops.commands.arguments.for_good import check_typed, fee_line, minute_utc
from ops.commands.arguments.options import print_json, say, stage_options, typed
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import deployed_stage


@click.command()
@click.argument("name")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be removed.")
@click.option(
    "--confirm", "confirmed", metavar="NAME", help="For scripts: its name, instead of typing it back."
)
@stage_options
def drop(
    name: str, only_plan: bool, confirmed: str | None, stage: str, state_folder: Path, as_json: bool
) -> None:
    """Remove a machine and all that it stored, for good; nobody can bring it back.

    What there is and AWS's fee are shown first, and its name has to be typed back. After an interruption type it again:
    it goes on. `machine remove` leaves what it stored.
    """
    client = admin_client(stage, state_folder)
    plan = client.ask(MachineDropPlan, "machine_drop_plan", name=name)
    deployed = deployed_stage(stage, state_folder)
    s3, prices = deployed.aws.client("s3"), price_table(deployed.stage.region)
    found = survey_machine(s3, plan, prices, datetime.now(timezone.utc))
    if only_plan and as_json:
        print_json(_as_data(plan, found))
        return
    for line in drop_lines(plan, found):
        click.echo(line, err=as_json)
    if only_plan:
        return
    check_typed(name, confirmed, as_json)
    again = typed(f"machine drop {name}", stage)
    try:
        plan = client.ask(MachineDropPlan, "machine_drop", name=name, jobs=[job.job for job in plan.jobs])
        removed = remove_machine_files(s3, plan)
        ended = _remove_rows(client, name, removed)
    except KeyboardInterrupt:
        raise OpsError(
            f"Interrupted: some of what {name} stored may be gone already, and {again} goes on."
        ) from None
    if as_json:
        print_json({**_removed_as_data(removed), **vars(ended)})
    else:
        _say_removed(name, removed, ended, stage)
    if not ended.ended and removed.held_until is None:
        raise OpsError(f"Something of {name} came while its files were removed: {again} goes on.")


def drop_lines(plan: MachineDropPlan, found: MachineSurvey) -> list[str]:
    """What is said before the name is typed."""
    sets = sum(job.sets for job in plan.jobs)
    versions, locked = found.found.versions, found.found.locked
    whole = (
        f"You are about to remove {plan.machine} and all that it stored for good: {count(len(plan.jobs), 'job')},"
        f" {count(sets, 'set')}, {count(found.files, 'file')} in {count(versions.count, 'version')},"
        f" {format_bytes(versions.size_bytes)}."
    )
    lines = [whole]
    if plan.dropping_since is not None:
        lines.append(f"This was begun at {plan.dropping_since}; it goes on with what is left.")
    lines += [fee_line(one.storage_class, one.versions, one.fee) for one in found.found.classes]
    if found.found.locked_until is not None:
        lines.append(
            f"  Object Lock holds {count(locked.count, 'version')} ({format_bytes(locked.size_bytes)}) back until"
            f" {minute_utc(found.found.locked_until)}: they stay, and are billed, until you type this again after that."
        )
    return [*lines, "Its token and its recovery code end first. There is no way back."]


def _remove_rows(client: AdminClient, name: str, removed: Removed) -> MachineDropped:
    """Call after call, as a million rows take longer than one may."""
    while True:
        answer = client.ask(MachineDropped, "machine_dropped", name=name, held_until=_held_until(removed))
        if answer.ended or answer.keys_left:
            return answer


def _say_removed(name: str, removed: Removed, ended: MachineDropped, stage: str) -> None:
    say(
        f"Removed for good: {count(removed.gone.count, 'version')} of {name}'s files,"
        f" {format_bytes(removed.gone.size_bytes)}."
    )
    if ended.ended:
        say(f"{name} is gone.")
    elif removed.held_until is not None:
        say(
            f"Object Lock holds {count(removed.held.count, 'version')} ({format_bytes(removed.held.size_bytes)}) back"
            f" until {minute_utc(removed.held_until)}. {name} stays in the list as dropping; type"
            f" {typed(f'machine drop {name}', stage)} again after that."
        )


def _as_data(plan: MachineDropPlan, found: MachineSurvey) -> dict[str, Any]:
    survey = found.found
    return {
        **vars(plan),
        "files": found.files,
        "versions": survey.versions.count,
        "bytes": survey.versions.size_bytes,
        "fee_usd": None if survey.fee is None else float(survey.fee),
        "locked": survey.locked.count,
        "locked_bytes": survey.locked.size_bytes,
        "locked_until": survey.locked_until.isoformat() if survey.locked_until else None,
    }


def _removed_as_data(removed: Removed) -> dict[str, Any]:
    return {
        "removed": removed.gone.count,
        "removed_bytes": removed.gone.size_bytes,
        "held": removed.held.count,
        "held_bytes": removed.held.size_bytes,
        "held_until": _held_until(removed),
    }


def _held_until(removed: Removed) -> str | None:
    return removed.held_until.isoformat() if removed.held_until else None
