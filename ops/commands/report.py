"""``python -m ops report``: the weekly mail, before its time."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.owner_wire import ReportSent, ReportStatus
from chalicelib.rendering import Mail
from ops.commands.arguments.options import console, print_json, stage_options
from ops.commands.arguments.whole_help import WholeHelp
from ops.service.admin_client import admin_client


@click.group(cls=WholeHelp)
def report() -> None:
    """The weekly mail."""


@report.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write report.html, report.txt and the attached tables there.",
)
@stage_options
def preview(out: Path | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show the mail as it would be now; nothing is sent."""
    answer = admin_client(stage, state_folder).ask(Mail, "report_preview")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.html").write_text(answer.html, encoding="utf-8")
        (out / "report.txt").write_text(answer.text, encoding="utf-8")
        for attachment in answer.attachments:
            (out / attachment.name).write_text(attachment.text, encoding="utf-8")
    if as_json:
        print_json(answer)
        return
    console.print(f"Subject: {answer.subject}\n\n{answer.text}", markup=False)
    if out:
        console.print(f"Written to {out / 'report.html'} and {out / 'report.txt'}.", markup=False)


@report.command()
@click.option("--to", multiple=True, help="Send to this address instead of the owner's; may be given again.")
@stage_options
def send(to: tuple[str, ...], stage: str, state_folder: Path, as_json: bool) -> None:
    """Send the mail now; the weekly one comes at its time all the same."""
    answer = admin_client(stage, state_folder).ask(ReportSent, "report_send", to=list(to) or None)
    if as_json:
        print_json(answer)
    else:
        console.print(f"Sent “{answer.subject}” to {', '.join(answer.sent_to)}.", markup=False)


@report.command()
@stage_options
def status(stage: str, state_folder: Path, as_json: bool) -> None:
    """Say when the newest weekly mail went out, and whom it could not reach."""
    answer = admin_client(stage, state_folder).ask(ReportStatus, "report_status")
    if as_json:
        print_json(answer)
        return
    console.print(f"The newest weekly mail: {answer.last_sent_at or 'none was sent yet'}.", markup=False)
    for address, reason in answer.refused.items():
        console.print(f"Not to {address}: {reason}", markup=False)
