"""The commands of ``python -m ops``."""

from __future__ import annotations

from typing import Any

import click

from ops.commands.alerts import alerts
from ops.commands.arguments.aws_errors import AWS_ERRORS, as_ops_error
from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.audit import audit
from ops.commands.backup_set import backup_set
from ops.commands.dead_letters import dead_letters
from ops.commands.demo import demo
from ops.commands.fleet.group import group
from ops.commands.fleet.journal import journal
from ops.commands.local import local
from ops.commands.machines.machine import machine
from ops.commands.page import page
from ops.commands.prices import prices
from ops.commands.reconcile import reconcile
from ops.commands.report import report
from ops.commands.retention.group import retention
from ops.commands.stage.deploy import deploy
from ops.commands.stage.destroy import destroy
from ops.commands.stage.doctor import doctor
from ops.commands.stage.recovery_sheets import recovery_sheets
from ops.commands.status.status import status
from ops.commands.thaws.thaw import thaw


class Commands(WholeHelp):
    """Shows an error of AWS in one line, with what to do, in every command."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AWS_ERRORS as error:
            raise as_ops_error(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """What the owner of a panicroom does: its machines, its mail, its catalogue, and the local stack."""


for command in (
    deploy,
    doctor,
    destroy,
    local,
    status,
    machine,
    group,
    journal,
    backup_set,
    retention,
    thaw,
    report,
    page,
    recovery_sheets,
    prices,
    audit,
    alerts,
    reconcile,
    dead_letters,
    demo,
):
    commands.add_command(command)
