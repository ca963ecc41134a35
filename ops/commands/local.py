"""``python -m ops local``: the local stack."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from ops.commands.arguments.durations import show_duration
from ops.commands.arguments.options import AHEAD, confirm, console, json_option, print_json, state_option
from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.local_thaw import thaw
from ops.local.clock import clock_ahead_of, set_clock_ahead
from ops.local.stack import LocalStack, running_stack
from ops.local.stack_file import StackDescription
from ops.steps import Steps, silent_steps


@click.group(cls=WholeHelp)
def local() -> None:
    """The whole service on this machine, on the loopback address only; no AWS account is needed."""


local.add_command(thaw)


@local.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on; otherwise a free one.")
@click.option("--auth", "enforce_iam", is_flag=True, help="Enforce the functions' IAM policies.")
@state_option
@json_option
def up(port: int | None, enforce_iam: bool, state_folder: Path, as_json: bool) -> None:
    """Start it, or deploy what changed to a running one; its data stay."""
    steps = silent_steps() if as_json else Steps(console)
    stack = LocalStack(state_folder).up(port, enforce_iam=enforce_iam, steps=steps)
    if as_json:
        print_json(stack)
    else:
        _show(stack)


@local.command()
@state_option
def down(state_folder: Path) -> None:
    """End it and remove all its data."""
    was_running = LocalStack(state_folder).down()
    console.print("The local stack is down." if was_running else "The local stack was not running.")


@local.command()
@state_option
@json_option
def status(state_folder: Path, as_json: bool) -> None:
    """Say whether it runs, and where; exit code 1 if it does not."""
    stack = LocalStack(state_folder).description()
    if as_json:
        print_json({"running": stack is not None, **(_described(stack) if stack else {})})
    elif stack:
        console.print("The local stack is running.")
        _show(stack)
        if clock_ahead_of(stack):
            console.print(f"  clock     {_clock(clock_ahead_of(stack))}")
    else:
        console.print("The local stack is not running: `python -m ops local up` starts it.")
    if stack is None:
        raise SystemExit(1)


@local.command()
@click.argument("ahead", type=AHEAD, required=False, metavar="[+DURATION|reset]")
@state_option
@json_option
def clock(ahead: int | None, state_folder: Path, as_json: bool) -> None:
    """Set the service's clock ahead, counted from this computer's time, to see what it does in half a year.

    Without a word it is shown. S3's times, events and schedules stay as they are, so that what you store now looks as
    old to the service as its clock is ahead. A laptop refuses to back up until it is `reset`: the clocks differ.
    """
    stack = running_stack(state_folder)
    if ahead is not None:
        set_clock_ahead(stack, timedelta(seconds=ahead))
    found = clock_ahead_of(stack)
    sentence = f"The service's clock: {_clock(found)}"
    if found:
        sentence += "\nBackups are refused meanwhile; `python -m ops local clock reset` ends it."
    confirm({"clock_ahead_seconds": round(found.total_seconds())}, as_json, sentence)


def _clock(ahead: timedelta) -> str:
    """``2027-06-18 09:30 UTC, 28w4d ahead``."""
    shown = f"{datetime.now(timezone.utc) + ahead:%Y-%m-%d %H:%M} UTC"
    return f"{shown}, {show_duration(round(ahead.total_seconds()))} ahead" if ahead else shown


def _described(stack: StackDescription) -> dict[str, object]:
    ahead = clock_ahead_of(stack)
    return {**dataclasses.asdict(stack), "clock_ahead_seconds": round(ahead.total_seconds())}


def _show(stack: StackDescription) -> None:
    console.print(f"  API       {stack.api_url}")
    console.print(f"  endpoint  {stack.endpoint}")
    console.print(f"  bucket    {stack.bucket}")
