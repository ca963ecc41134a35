"""The commands ``doctor`` and ``recovery-sheet``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path

import click

from panicroom.exit_codes import ExitCode, Problem


@click.command("recovery-sheet", short_help="Print the page for the day when this machine is gone.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE instead of printing it.",
)
def recovery_sheet(output: Path | None) -> None:
    """Print one page of text with what a restore needs on the day when this machine is gone.

    It holds the service's URL, the jobs, the place of the files, and word for word how to restore with
    panicroom and with plain duplicity alone. The passphrase is not on it: write that by hand. Print it again
    when the jobs change.
    """
    from datetime import datetime

    from panicroom.secrets import stored_proof_key
    from panicroom.settings import load_settings
    from panicroom.setup.recovery_sheet import recovery_sheet as make_sheet
    from panicroom.terminal.status import fetch_status

    settings = load_settings()
    try:
        status = fetch_status(settings)
    except Problem as problem:
        click.echo(f"panicroom: {problem}; the place of the files is left blank", err=True)
        status = None
    proof_key = stored_proof_key(settings) if settings.encrypt_key else None
    text = make_sheet(settings, status, datetime.now().astimezone().date(), proof_key)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output} is ready to print; then write the passphrase on it")


@click.command(short_help="Check everything that a backup depends on.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {check, verdict, text} instead.")
def doctor(as_json: bool) -> None:
    """Check everything that a backup depends on, and say what to do about what is wrong.

    Service and token, clock, versions, last runs and the weekly mail, gpg, passphrase (tried on what is stored),
    keyring, rights of the client's folders, disk, open files, sources, schedule, AWS keys on this computer, and Full
    Disk Access on a Mac. Changes nothing.

    Each line is ok, warn or fail; the exit code is 0 if none is fail, else 14, with --json too.
    """
    import dataclasses
    import json

    from panicroom.settings import load_settings
    from panicroom.setup.health.check_result import FAIL
    from panicroom.setup.health.doctor import examine
    from panicroom.terminal.status import fetch_status

    settings = load_settings()
    findings = []
    for finding in examine(settings, lambda: fetch_status(settings), Path.home()):
        findings.append(finding)
        if not as_json:
            click.echo(str(finding))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1))
    if any(finding.verdict == FAIL for finding in findings):
        raise click.exceptions.Exit(ExitCode.UNHEALTHY)
