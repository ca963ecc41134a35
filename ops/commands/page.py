"""``python -m ops page``: all machines as one HTML file, to look at."""

from __future__ import annotations

import dataclasses
import os
import stat
import sys
import webbrowser
from pathlib import Path

import click

from ops.commands.arguments.options import print_json, say, stage_options
from ops.errors import OpsError
from ops.fleet_page.compose import fleet_page
from ops.fleet_page.facts import gather_facts
from ops.fleet_page.html import as_html
from ops.functions.package import PROJECT
from ops.service.admin_client import admin_client


@dataclasses.dataclass(frozen=True)
class PageWritten:
    """``python -m ops page --json``; ``verdict`` as ``status`` has it."""

    file: str
    bytes: int
    machines: int
    verdict: str
    written_at: str


@click.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE, or print it where FILE is -; without this, to build/page-STAGE.html in this clone.",
)
@click.option("--no-open", is_flag=True, help="Do not open it.")
@stage_options
def page(to: Path | None, no_open: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Write all machines as one page to look at, and open it: states, sizes, costs, chains, findings.

    The file holds everything, asks nothing of the network, and runs nothing. Only you can read it: it names machines
    and what they store. At a terminal it is opened in a browser.
    """
    is_printed = to == Path("-")
    if is_printed and as_json:
        raise click.UsageError("Choose one of --json and --to -.")
    facts = gather_facts(admin_client(stage, state_folder), stage)
    text = as_html(fleet_page(facts)).encode()
    if is_printed:
        click.echo(text, nl=False)
        return
    file = to or _usual_file(stage)
    _write(file, text)
    if as_json:
        status = facts.status
        print_json(
            PageWritten(str(file), len(text), len(status.machines), status.verdict.value, status.written_at)
        )
        return
    say(f"Written to {file}.")
    if not no_open and sys.stdout.isatty():
        webbrowser.open(file.resolve().as_uri())


def _usual_file(stage: str) -> Path:
    """In this clone's folder for what can be made again, which is made here; one that was typed must be there."""
    folder = PROJECT / "build"
    folder.mkdir(exist_ok=True)
    return folder / f"page-{stage}.html"


def _write(file: Path, text: bytes) -> None:
    """Readable by the owner of the file only, also where it was there before; a device stays as it is. Raises
    ``OpsError``."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
            stream.write(text)
    except OSError as error:
        raise OpsError(f"{file} cannot be written: {error.strerror}.") from error
