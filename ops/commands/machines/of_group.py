"""The same for all machines of a group: ``--group`` instead of a name. It shows them and asks, and each answers for
itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from chalicelib.fleet_wire import GroupShown, MachineResult, MachineResults
from ops.commands.arguments.options import print_json, say
from ops.errors import OpsError
from ops.service.admin_client import AdminClient


def name_or_group(command: Callable[..., Any]) -> Callable[..., Any]:
    """``NAME`` or ``--group``, and ``--yes``."""
    name = click.argument("name", required=False)
    group = click.option("--group", help="All machines of this group instead of NAME.")
    return name(group(yes_option(command)))


yes_option = click.option("--yes", is_flag=True, help="With --group: do not ask.")


NEITHER_NAMED = "Give the name of a machine, or --group with the name of a group."


def check_one_is_named(name: str | None, group: str | None) -> None:
    if (name is None) == (group is None):
        raise click.UsageError(NEITHER_NAMED)


def for_group(
    client: AdminClient,
    group: str,
    each: str,
    question: str,
    *,
    yes: bool,
    as_json: bool,
    **arguments: Any,
) -> tuple[MachineResult, ...]:
    """``question`` is asked with the names below it. Raises ``OpsError`` where the group is empty."""
    names = [machine.machine for machine in client.ask(GroupShown, "group_show", name=group).machines]
    if not names:
        raise OpsError(f"No machine is in the group {group}.")
    if not yes:
        click.echo("\n".join(names), err=as_json)
        click.confirm(question, abort=True, err=as_json)
    return client.ask(MachineResults, "for_machines", each=each, names=names, **arguments).results


def show_results(results: Sequence[MachineResult], as_json: bool, done: str) -> None:
    """A line each; ends the command with 1 if one failed."""
    if as_json:
        print_json(list(results))
    else:
        for result in results:
            say(f"{result.machine}: {result.error or done}")
    exit_if_any_failed(results)


def exit_if_any_failed(results: Sequence[MachineResult]) -> None:
    failed = [result.machine for result in results if result.error]
    if failed:
        click.echo(f"{len(failed)} of {len(results)} machines failed: {', '.join(failed)}.", err=True)
        sys.exit(1)
