"""The command ``panicroom``: the table of its commands, and where every failure becomes a line and an exit code."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import sys

import click

from panicroom import __version__
from panicroom.commands.backup import backup, status
from panicroom.commands.restore import duplicity, files, restore, verify, versions
from panicroom.commands.setup import doctor, enrol, import_conf, recovery_sheet, schedule, secrets
from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem

# click leaves lines after a backspace as they are.
_EPILOG = "\b\nExit codes:\n" + "\n".join(
    f"  {int(code):<4} {text}" for code, text in EXPLANATIONS.items() if code != ExitCode.START_AGAIN
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(__version__, prog_name="panicroom")
def cli() -> None:
    """Encrypted backups of this machine to the panicroom service.

    duplicity and gpg do the work; the files go straight to the owner's S3 bucket. This machine holds no
    cloud credentials and cannot destroy what it has stored.
    """


for command in (
    enrol,
    backup,
    restore,
    status,
    recovery_sheet,
    import_conf,
    schedule,
    files,
    versions,
    verify,
    duplicity,
    secrets,
    doctor,
):
    cli.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line; every expected failure becomes one line and its exit code here."""
    try:
        # click gives back the code of an Exit, or what the command returned, which is nothing.
        return ExitCode(cli.main(arguments, prog_name="panicroom", standalone_mode=False) or ExitCode.DONE)
    except Problem as problem:
        click.echo(f"panicroom: {problem}", err=True)
        return problem.exit_code
    except click.exceptions.Abort as abort:
        if isinstance(abort.__cause__, EOFError):  # click takes any for the end of the input
            raise abort.__cause__ from None
        click.echo("panicroom: interrupted; the next run carries on from there", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except OSError as error:
        click.echo(f"panicroom: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        return ExitCode.INTERNAL
