"""``python -m ops journal``: who changed what."""

from __future__ import annotations

import re
from pathlib import Path

import click

from chalicelib.domain.shown import shown
from chalicelib.fleet_wire import JournalListing, JournalRow
from ops.commands.arguments.options import print_json, say, stage_options
from ops.commands.thaws.shown import time_shown
from ops.service.admin_client import admin_client

_ARN = re.compile(r"arn:[a-z-]+:(?:iam|sts)::([0-9]{12}):(.*)", re.DOTALL)


@click.command()
@click.option("--machine", help="Only what was changed of this machine, which may be removed by now.")
@click.option(
    "--since", metavar="TIME", help="From that day or time on, as 2026-12-24.  [default: the last 30 days]"
)
@stage_options
def journal(machine: str | None, since: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show who changed what, the newest last. Entries stay for 400 days, and no command changes one."""
    answer = admin_client(stage, state_folder).ask(JournalListing, "journal", name=machine, since=since)
    if as_json:
        print_json(answer)
        return
    if answer.left_off:
        say(f"Older ones are left out: {answer.left_off:,}. --machine or --since shows less.\n")
    for entry in answer.entries:
        say(f"{time_shown(entry.at)}  {shown(_short(entry.who, answer.account))}", style="bold")
        say(f"  {_about(entry)}{entry.what.replace('_', ' ')}. {shown(entry.detail)}")
    if not answer.entries:
        say(f"Nothing{f' of {machine}' if machine else ''} was changed since {time_shown(answer.since)}.")


def _about(entry: JournalRow) -> str:
    """``web-3/system: ``, or nothing."""
    about = "/".join(filter(None, (entry.machine, entry.job)))
    return f"{shown(about)}: " if about else ""


def _short(who: str, account: str) -> str:
    """``user/anna`` of the service's own account. Of another one all of it is shown: anybody may call a user of an
    account of his own like yours, and sign with that."""
    arn = _ARN.fullmatch(who)
    return arn[2] if arn and arn[1] == account else who
