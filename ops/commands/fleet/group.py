"""``python -m ops group``: groups of machines, and the settings that hold for all of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.mail.phrases import count
from chalicelib.domain.shown import shown
from chalicelib.fleet_wire import GroupChanged, GroupListing, GroupShown
from ops.commands.arguments.durations import show_duration
from ops.commands.arguments.group_settings import SETTINGS, flat, own_shown
from ops.commands.arguments.options import confirm, print_json, say, stage_options, typed
from ops.commands.arguments.retention_choice import policy_words
from ops.commands.arguments.setting_options import ADDRESSES, retention_options, setting_option
from ops.commands.arguments.storage_choice import (
    after_option,
    chosen_storage,
    follow_places,
    policy_shown,
    storage_arguments,
    storage_option,
)
from ops.commands.arguments.whole_help import WholeHelp
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import deployed_stage
from ops.service.lambda_function import FunctionFailed

NAMED_AT_MOST = 12
"""Of what was changed; beyond, only the number is said."""


@click.group(cls=WholeHelp)
def group() -> None:
    """Groups of machines: what a group says holds for each of them that has no setting of its own.

    `machine add NAME --group GROUP` and `machine set NAME --group GROUP` put a machine into one.
    """


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All that a group can say."""
    options = (
        setting_option("every", "How often its machines should back up."),
        setting_option("grace", "How much later is still well."),
        storage_option,
        after_option,
        retention_options,
        setting_option("thaw_budget", "USD a month that each may spend on thaws without your approval."),
        setting_option(
            "owner_mail", f"Who gets the weekly mail and the alerts about its machines: {ADDRESSES}"
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@group.command()
@click.argument("name")
@setting_options
@stage_options
def add(
    name: str,
    storage: str | None,
    after: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Add a group, of no machine yet. What you leave out is as the service has it."""
    policy, client = chosen_storage(storage, after), admin_client(stage, state_folder)
    added = client.ask(GroupShown, "group_add", name=name, **settings, **storage_arguments(policy))
    first = typed(f"machine set NAME --group {name}", stage)
    confirm(added, as_json, f"The group {name} is added; {first} puts a machine into it.")


@group.command("list")
@stage_options
def list_(stage: str, state_folder: Path, as_json: bool) -> None:
    """List the groups, with what each says."""
    answer = admin_client(stage, state_folder).ask(GroupListing, "group_list")
    if as_json:
        print_json(answer)
        return
    for one in answer.groups:
        _show(one)
    if not answer.groups:
        say(f"No group yet: {typed('group add NAME', stage)} adds one.")


@group.command()
@click.argument("name")
@stage_options
def show(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show what a group says, its machines, and what each of them has of its own."""
    answer = admin_client(stage, state_folder).ask(GroupShown, "group_show", name=name)
    if as_json:
        print_json(answer)
        return
    _show(answer)
    for machine in answer.machines:
        own = f": its own are {own_shown(machine.own)}" if machine.own else ""
        say(f"  {machine.machine}{own}")
    behind = [machine.machine for machine in answer.machines if machine.is_behind]
    if behind:
        again = typed(f"group set {name}", stage)
        say(f"A change has not come to all of {', '.join(behind)} yet: {again} does it.", style="bold red")


@group.command("set")
@click.argument("name")
@setting_options
@click.option(
    "--unset",
    type=SETTINGS,
    multiple=True,
    help="What the group says no more: every, grace, storage, keep, thaw-budget, owner-mail or all. May be given"
    " again.",
)
@stage_options
def set_(
    name: str,
    unset: tuple[list[str], ...],
    storage: str | None,
    after: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Change what a group says, and with it all machines that have nothing of their own there. Can be repeated: without
    a setting it brings those up to date that a change did not come to."""
    policy, client = chosen_storage(storage, after), admin_client(stage, state_folder)
    asked = {**settings, **storage_arguments(policy), "unset": flat(unset)}
    answer = _change(client, stage, "group_set", name=name, **asked)
    consequences = _followed(client, stage, state_folder, answer, policy) if _may_move(asked) else []
    _confirm_changed(answer, as_json, f"The group {name} is changed", consequences)


@group.command()
@click.argument("name")
@click.option(
    "--keep-settings",
    is_flag=True,
    help="Also where machines are in it: they keep what they have from it, as their own.",
)
@stage_options
def remove(name: str, keep_settings: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Remove a group that no machine is in."""
    client = admin_client(stage, state_folder)
    answer = _change(client, stage, "group_remove", name=name, keep_settings=keep_settings)
    _confirm_changed(answer, as_json, f"The group {name} is {'kept' if answer.missed else 'removed'}", [])


def _change(client: AdminClient, stage: str, command: str, *, name: str, **asked: Any) -> GroupChanged:
    """Raises ``OpsError``, and says what to do where the function died half way."""
    try:
        return client.ask(GroupChanged, command, name=name, **asked)
    except FunctionFailed as error:
        shows = typed(f"group show {name}", stage)
        raise OpsError(
            f"{error} Perhaps not all machines have the change yet: {shows} says which. Type the command again."
        ) from error


def _may_move(asked: dict[str, Any]) -> bool:
    """Whether volumes may go elsewhere from now on; also where what did not come to all is made good."""
    changed = {field for field, value in asked.items() if value is not None}
    return not changed or "storage" in changed or "storage" in (asked["unset"] or ())


def _followed(
    client: AdminClient, stage: str, state_folder: Path, answer: GroupChanged, policy: StoragePolicy | None
) -> list[str]:
    machines = {machine.machine for machine in answer.group.machines}
    if not machines:
        return []
    deployed = deployed_stage(stage, state_folder)
    return follow_places(deployed, client.jobs(), machines, policy=policy)


def _confirm_changed(answer: GroupChanged, as_json: bool, sentence: str, consequences: Sequence[str]) -> None:
    """Ends the command with 1 where something was missed."""
    names = (
        ", ".join(answer.changed)
        if len(answer.changed) <= NAMED_AT_MOST
        else f"{len(answer.changed):,} of them"
    )
    changed = f"{sentence}. Machines and jobs that changed with it: {names or 'none'}."
    confirm(answer, as_json, " ".join([changed, *consequences]))
    if answer.missed:
        missed = ", ".join(answer.missed)
        click.echo(f"Somebody else changed {missed} at the same moment: type the command again.", err=True)
        sys.exit(1)


def _show(one: GroupShown) -> None:
    say(f"{one.group}: {count(len(one.machines), 'machine')}", style="bold")
    for line in _says(one) or ["says nothing yet: all is as the service has it"]:
        say(f"  {line}")


def _says(one: GroupShown) -> list[str]:
    """What the group says, a line each."""
    lines = []
    if one.period_seconds is not None:
        lines.append(f"every {show_duration(one.period_seconds)}")
    if one.grace_seconds is not None:
        lines.append(f"grace {show_duration(one.grace_seconds)}")
    if one.archive_class is not None:
        lines.append(f"volumes {policy_shown(StoragePolicy(one.archive_class, one.archive_after_days or 0))}")
    if one.keep_chains is not None:
        lines.append(f"retention: {policy_words(one.keep_chains, one.keep_days or 0, one.keep_yearly or 0)}")
    if one.thaw_budget_usd is not None:
        lines.append(f"thaws: ${one.thaw_budget_usd:.2f} a month")
    if one.owner_mail is not None:
        lines.append(f"owner: {shown(one.owner_mail)}")
    return lines
