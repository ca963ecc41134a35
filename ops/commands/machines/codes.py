"""``python -m ops machine rotate | recovery | revoke``: codes and tokens, and their end."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.owner_wire import MachineAdded, MachineChanged, RecoveryMade
from ops.client.addresses import addresses_for_machines
from ops.commands.arguments.options import confirm, print_json, stage_options, typed
from ops.commands.arguments.recovery_codes import show_new_recovery
from ops.commands.machines.of_group import (
    check_one_is_named,
    exit_if_any_failed,
    for_group,
    name_or_group,
    show_results,
)
from ops.commands.machines.shown import show_code, show_codes
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import deployed_stage


@click.command()
@name_or_group
@stage_options
def rotate(
    name: str | None, group: str | None, yes: bool, stage: str, state_folder: Path, as_json: bool
) -> None:
    """Print a code for a new token, or one for each machine of a group; an old token ends when its code is used."""
    check_one_is_named(name, group)
    client = admin_client(stage, state_folder)
    if group:
        results = for_group(
            client, group, "machine_rotate", "Make new codes for these?", yes=yes, as_json=as_json
        )
        show_codes(results, addresses_of(stage, state_folder, client), as_json)
        exit_if_any_failed(results)
        return
    code = client.ask(MachineAdded, "machine_rotate", name=name)
    show_code(code, addresses_of(stage, state_folder, client), as_json)


@click.command()
@click.argument("name")
@stage_options
def recovery(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Make a new recovery code and print it this once; the old one, and who reads by it, end at once."""
    answer = admin_client(stage, state_folder).ask(RecoveryMade, "machine_recovery", name=name)
    if as_json:
        print_json(answer)
    else:
        show_new_recovery(answer)


@click.command()
@name_or_group
@click.option(
    "--recovery",
    "of_recovery",
    is_flag=True,
    help="Its recovery code instead, when the sheet was lost or seen: with it end all who read by it.",
)
@stage_options
def revoke(
    name: str | None,
    group: str | None,
    yes: bool,
    of_recovery: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Revoke a machine's token, for example when it was stolen, or those of a group. Backups stay, and recovery codes
    work."""
    check_one_is_named(name, group)
    client = admin_client(stage, state_folder)
    if group:
        what = "recovery codes" if of_recovery else "tokens"
        ask = f"Revoke the {what} of these?"
        results = for_group(
            client, group, "machine_revoke", ask, yes=yes, as_json=as_json, recovery=of_recovery
        )
        show_results(results, as_json, f"{what[:-1]} revoked")
        return
    answer = client.ask(MachineChanged, "machine_revoke", name=name, recovery=of_recovery)
    if of_recovery:
        ended = answer.recovery_ended
        done = (
            f"The recovery code of {name} that ends in {ended}, and all who read by it, are no longer valid"
        )
        new = f"{typed(f'machine recovery {name}', stage)} makes a new one."
        confirm(answer, as_json, f"{done if ended else f'{name} has no recovery code'}; {new}")
        return
    again = typed(f"machine add {name}", stage)
    confirm(answer, as_json, f"The token of {name} is revoked; {again} makes a code for a new one.")


def addresses_of(stage_name: str, state_folder: Path, client: AdminClient) -> dict[str, str]:
    """The local stack's own address is known already."""
    if client.api_url is not None:
        return {"api_url": client.api_url}
    deployed = deployed_stage(stage_name, state_folder)
    return addresses_for_machines(deployed.aws, deployed.stage)
