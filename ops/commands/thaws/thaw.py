"""``python -m ops thaw``: restores from the archive that the owner lists, approves or declines."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.owner_wire import ThawListing, ThawRow
from chalicelib.wire import ThawState
from ops.commands.arguments.options import confirm, print_json, say, stage_options, typed
from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.thaws.shown import lines_of, show_listing, time_shown
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client

SHORTEST_ID = 4
"""So much of an id has to be typed at least, if it names only one thaw."""


@click.group(cls=WholeHelp)
def thaw() -> None:
    """Restores of archived files: what they wait for, and what they cost."""


@thaw.command("list")
@stage_options
def list_(stage: str, state_folder: Path, as_json: bool) -> None:
    """List the thaws of the last two months, those that wait for you first."""
    listing = admin_client(stage, state_folder).ask(ThawListing, "thaws")
    if as_json:
        print_json(listing)
    else:
        show_listing(listing, stage)


@thaw.command()
@click.argument("thaw_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stage_options
def approve(thaw_id: str, yes: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Start a thaw that waits for your approval, at the price that is shown."""
    client = admin_client(stage, state_folder)
    known = _known(client, thaw_id, stage)
    if known.state is ThawState.WAITING and not yes:
        for line in lines_of(known):
            click.echo(line, err=as_json)
        click.confirm("Approve it?", abort=True, err=as_json)
    answer = client.ask(ThawRow, "thaw_approve", thaw=known.thaw)
    if as_json:
        print_json(answer)
    elif known.state is ThawState.WAITING:
        say(f"Approved: {answer.machine}/{answer.job} will be ready by {time_shown(answer.ready_by)}.")
        say("A mail comes when it is; the same `panicroom restore`, typed again there, goes on.")
    else:
        say(f"It was approved at {time_shown(answer.approved_at)} already:")
        for line in lines_of(answer):
            say(line)


@thaw.command()
@click.argument("thaw_id", metavar="ID")
@stage_options
def deny(thaw_id: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Decline a thaw that waits for your approval; it costs nothing, and the backup stays as it is."""
    client = admin_client(stage, state_folder)
    answer = client.ask(ThawRow, "thaw_deny", thaw=_known(client, thaw_id, stage).thaw)
    sentence = (
        f"Declined: what {answer.machine}/{answer.job} asked for stays in the archive, and costs nothing."
    )
    confirm(answer, as_json, sentence)


def _known(client: AdminClient, thaw_id: str, stage: str) -> ThawRow:
    """The thaw whose id begins so. Raises ``OpsError``."""
    thaws = client.ask(ThawListing, "thaws").thaws
    typed_id = thaw_id.strip().lower()
    found = [row for row in thaws if row.thaw == typed_id] or [
        row for row in thaws if len(typed_id) >= SHORTEST_ID and row.thaw.startswith(typed_id)
    ]
    listing = typed("thaw list", stage)
    if not found:
        raise OpsError(f"There is no thaw {thaw_id}: {listing} lists those of the last two months.")
    if len(found) > 1:
        raise OpsError(f"Several thaws begin with {thaw_id}: {listing} shows the whole ids.")
    return found[0]
