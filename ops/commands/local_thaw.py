"""``python -m ops local thaw``: thaws on the local stack, without the hours that they take on AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ops.commands.arguments.options import confirm, console, json_option, print_json, state_option
from ops.commands.arguments.whole_help import WholeHelp
from ops.local.stack import running_stack
from ops.local.thaw_hook import ThawHook

CLASSES = ("DEEP_ARCHIVE", "GLACIER", "GLACIER_IR", "STANDARD")
TIERS = ("Bulk", "Standard", "Expedited")

place_argument = click.argument("place", default="", metavar="[MACHINE[/JOB]]")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    return state_option(json_option(command))


@click.group(cls=WholeHelp)
def thaw() -> None:
    """Try thaws on the local stack: archive volumes, and have their thaw finish, lapse or fail.

    A thaw takes three seconds there. Without MACHINE or MACHINE/JOB, a command means all volumes.
    """


@thaw.command()
@place_argument
@click.option(
    "--class",
    "storage_class",
    type=click.Choice(CLASSES),
    default=CLASSES[0],
    show_default=True,
    help="The storage class.",
)
@options
def freeze(place: str, storage_class: str, state_folder: Path, as_json: bool) -> None:
    """Move volumes to an archive class, as a lifecycle rule would one day."""
    moved = _hook(state_folder).freeze(place, storage_class)
    confirm({"moved": moved}, as_json, f"Moved {_volumes(moved)} to {storage_class}.")


@thaw.command()
@place_argument
@options
def finish(place: str, state_folder: Path, as_json: bool) -> None:
    """Have thaws that are under way done now."""
    finished = _hook(state_folder).finish(place)
    confirm({"finished": finished}, as_json, f"Thawed {_volumes(finished)}.")


@thaw.command()
@place_argument
@click.option("--in", "in_seconds", type=click.FloatRange(min=0), default=0, help="So many seconds from now.")
@options
def expire(place: str, in_seconds: float, state_folder: Path, as_json: bool) -> None:
    """Have the copies of thawed volumes lapse."""
    expired = _hook(state_folder).expire(place, in_seconds)
    when = f"lapse in {in_seconds:g} s" if in_seconds else "have lapsed"
    confirm({"expired": expired}, as_json, f"The copies of {_volumes(expired)} {when}.")


@thaw.command()
@click.argument("seconds", type=click.FloatRange(min=0))
@options
def delay(seconds: float, state_folder: Path, as_json: bool) -> None:
    """Set how long a thaw takes, for those that begin from now on."""
    _hook(state_folder).delay(seconds)
    confirm({"delay_seconds": seconds}, as_json, f"A thaw takes {seconds:g} s from now on.")


@thaw.command("lose-events")
@click.option("--off", is_flag=True, help="Deliver them again.")
@options
def lose_events(off: bool, state_folder: Path, as_json: bool) -> None:
    """Drop the events that say that a volume is thawed."""
    _hook(state_folder).lose_events(not off)
    sentence = "Events of thaws are delivered." if off else "Events of thaws are lost from now on."
    confirm({"lose_events": not off}, as_json, sentence)


@thaw.command()
@click.argument("code", default="GlacierExpeditedRetrievalNotAvailable", metavar="[CODE]")
@click.option("--times", type=click.IntRange(min=0), default=1, show_default=True, help="How many requests.")
@click.option("--tier", type=click.Choice(TIERS), help="Requests of that tier only.")
@click.option("--status", type=click.IntRange(400, 599), help="The HTTP status, if the code's is not known.")
@options
def fail(
    code: str, times: int, tier: str | None, status: int | None, state_folder: Path, as_json: bool
) -> None:
    """Answer the next requests for a volume with an error of S3's."""
    status = _hook(state_folder).fail(code, times, status=status, tier=tier)
    answer = {"code": code, "status": status, "times": times, "tier": tier}
    confirm(answer, as_json, f"{code} ({status}) is the answer to the next requests for a volume: {times}.")


@thaw.command()
@click.option("--forget", is_flag=True, help="Begin to count anew after this.")
@options
def calls(forget: bool, state_folder: Path, as_json: bool) -> None:
    """Count the requests for volumes that reached S3 (RestoreObject)."""
    hook = _hook(state_folder)
    counted = hook.calls()
    if forget:
        hook.forget_calls()
    if as_json:
        print_json(counted)
        return
    for key, count in sorted(counted.by_key.items()):
        console.print(f"  {count:3}  {key}", markup=False)
    often = "once" if counted.calls == 1 else f"{counted.calls} times"
    console.print(f"S3 was asked {often}, for {_volumes(len(counted.by_key))}.")


def _hook(state_folder: Path) -> ThawHook:
    return ThawHook(running_stack(state_folder).endpoint)


def _volumes(count: int) -> str:
    return "1 volume" if count == 1 else f"{count} volumes"
