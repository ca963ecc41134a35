"""The commands of ``python -m ops``."""

from __future__ import annotations

import click

from ops.commands.alerts import alerts
from ops.commands.audit import audit
from ops.commands.backup_set import backup_set
from ops.commands.dead_letters import dead_letters
from ops.commands.demo import demo
from ops.commands.deploy import deploy, destroy, doctor
from ops.commands.local import local
from ops.commands.machine import machine
from ops.commands.prices import prices
from ops.commands.reconcile import reconcile
from ops.commands.report import report


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """What the owner of a panicroom does: its machines, its mail, its catalogue, and the local stack."""


for command in (
    deploy,
    doctor,
    destroy,
    local,
    machine,
    backup_set,
    report,
    prices,
    audit,
    alerts,
    reconcile,
    dead_letters,
    demo,
):
    commands.add_command(command)
