"""``python -m ops alerts``: the mails in between the weekly ones, before their time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from chalicelib.domain.shown import shown
from chalicelib.owner_wire import AlertPreview, AlertSent
from ops.commands.arguments.options import confirm, console, print_json, stage_options
from ops.commands.arguments.whole_help import WholeHelp
from ops.service.admin_client import admin_client

at_option = click.option(
    "--at", help="As if it were then, such as 2026-12-24T10:00Z: what would have to go out by that time."
)


@click.group(cls=WholeHelp)
def alerts() -> None:
    """The mails that come when something is wrong, and when it is well again."""


@alerts.command()
@at_option
@stage_options
def preview(at: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show the mail that would go out now; nothing is sent."""
    answer = admin_client(stage, state_folder).ask(AlertPreview, "alerts_preview", at=at)
    if as_json:
        print_json(answer)
    elif answer.mail is None:
        console.print("There is nothing to mail.")
    else:
        console.print(f"Subject: {answer.mail.subject}\n\n{answer.mail.text}", markup=False)


@alerts.command()
@at_option
@stage_options
def send(at: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Send what is due now; the schedule does so each minute by itself."""
    answer = admin_client(stage, state_folder).ask(AlertSent, "alerts_send", at=at)
    confirm(answer, as_json, "\n".join(_sentences(answer)))
    if answer.mail_failed or answer.publish_failed:
        raise SystemExit(1)


def _sentences(answer: AlertSent) -> Iterator[str]:
    if answer.message_id:
        yield "Sent."
    elif not answer.mail_failed:
        yield "There was nothing to mail."
    if answer.mail_failed:
        yield f"Not everything was mailed: {shown(answer.mail_failed)} `python -m ops doctor` shows more."
    if answer.publish_failed:
        yield f"The topic for alerts elsewhere got nothing: {shown(answer.publish_failed)}"
