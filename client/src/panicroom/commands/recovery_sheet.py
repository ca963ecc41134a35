"""The command ``recovery-sheet``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("recovery-sheet", short_help="Print the page for the day when this machine is gone.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE: a page for the printer if its name ends in .html, else text.",
)
@click.option(
    "--code",
    "with_code",
    is_flag=True,
    help="Ask for the recovery code, and print it on the sheet; from the variable RECOVERY_CODE if that is set.",
)
def recovery_sheet(output: Path | None, with_code: bool) -> None:
    """Print the page with all that somebody needs on the day when this machine is gone.

    It holds the service and the AWS account, the jobs and the places of their files, and step by step how to restore
    with the service and without it. The passphrase is not on it: write that by hand. The recovery code is on it only
    with --code; else there is a line to write it on. Print it again when jobs or code change.

    Examples:

    \b
    panicroom recovery-sheet --output sheet.html
    panicroom recovery-sheet --output sheet.html --code
    """
    from datetime import datetime

    from panicroom.recovery.sheet.code import asked_code
    from panicroom.recovery.sheet.make import make_sheet, write_sheet
    from panicroom.recovery.sheet.text import as_text
    from panicroom.settings import load_settings

    settings = load_settings()
    code = asked_code(_ask if sys.stdin.isatty() else None, _say) if with_code else None
    page = make_sheet(
        settings, datetime.now().astimezone().date(), code, lambda text: _say(f"panicroom: {text}")
    )
    if output is None:
        click.echo(as_text(page), nl=False)
        return
    write_sheet(page, output)
    by_hand = "secret key's place" if settings.encrypt_key else "passphrase"
    blanks = f"the {by_hand}" if code else f"the {by_hand} and the recovery code"
    click.echo(f"{output} is ready to print; then write {blanks} on it by hand")
    if code:
        click.echo(f"It has the recovery code: delete {output} when it is printed.")


def _ask() -> str:
    typed: str = click.prompt("Recovery code", err=True)
    return typed


def _say(text: str) -> None:
    click.echo(text, err=True)
