"""``python -m ops recovery-sheets``: the owner's own page, beside the sheet of each machine."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from chalicelib.domain.shown import all_shown
from chalicelib.owner_wire import MachineShown
from ops.commands.arguments.options import print_json, say, stage_options
from ops.errors import OpsError
from ops.functions.chalice_record import api_url, find_rest_api
from ops.owner_page.content import OwnerPage, owner_page
from ops.owner_page.html import as_html
from ops.owner_page.text import as_text
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import DeployedStage, deployed_stage


@click.command("recovery-sheets")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE: a page for the printer if its name ends in .html, else text.",
)
@stage_options
def recovery_sheets(output: Path | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Print the owner's own page: how to get into the account, and where all that opens the backups is kept.

    It is for whoever comes after you. It lists every machine with the date and the last group of its recovery code, and
    has blanks for where its sheet and its passphrase are. No code and no password is on it. Each machine prints its
    own sheet by `panicroom recovery-sheet`.
    """
    page = _page(deployed_stage(stage, state_folder), admin_client(stage, state_folder))
    if as_json:
        print_json(page)
    elif output is None:
        click.echo(as_text(page), nl=False)
    else:
        _write(page, output)
        say(f"{output} is ready to print; then fill in its blanks by hand.")


def _page(deployed: DeployedStage, client: AdminClient) -> OwnerPage:
    machines = [client.ask(MachineShown, "machine_show", name=row.machine) for row in client.machines()]
    page = owner_page(deployed.stage, _address(deployed, client), machines, date.today().isoformat())  # noqa: DTZ011
    return all_shown(page)


def _address(deployed: DeployedStage, client: AdminClient) -> str | None:
    """The local stack's own is known already."""
    if client.api_url is not None:
        return client.api_url
    api = find_rest_api(deployed.aws, deployed.stage)
    return api_url(deployed.aws, deployed.stage, api) if api else None


def _write(page: OwnerPage, output: Path) -> None:
    text = as_html(page) if output.suffix.lower() in (".html", ".htm") else as_text(page)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{output} cannot be written: {error.strerror}.") from error
