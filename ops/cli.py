"""The commands of ``python -m ops``."""

from __future__ import annotations

import click

from ops.commands.demo import demo
from ops.commands.local import local
from ops.commands.machine import machine
from ops.commands.report import report


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """What the owner of a panicroom does: its machines, its mail, and the local stack."""


for command in (local, machine, report, demo):
    commands.add_command(command)
