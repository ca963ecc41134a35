"""The command ``doctor``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path

import click

from panicroom.exit_codes import ExitCode


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
