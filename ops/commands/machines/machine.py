"""``python -m ops machine``: the commands about machines, a file for those that belong together."""

from __future__ import annotations

import click

from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.machines.add import add
from ops.commands.machines.codes import recovery, revoke, rotate
from ops.commands.machines.drop import drop
from ops.commands.machines.listing import list_, recount, show
from ops.commands.machines.settings import set_
from ops.commands.machines.watching import pause, remove, resume


@click.group(cls=WholeHelp)
def machine() -> None:
    """The machines that back up to this service."""


for command in (add, list_, show, set_, rotate, recount, pause, resume, recovery, revoke, remove, drop):
    machine.add_command(command)
