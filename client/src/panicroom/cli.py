"""The command ``panicroom``: the table of its commands, and where every failure becomes a line and an exit code."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from panicroom import __version__
from panicroom.commands.backup import backup
from panicroom.commands.cost import cost
from panicroom.commands.doctor import doctor
from panicroom.commands.drill import drill
from panicroom.commands.enrol import enrol, import_conf
from panicroom.commands.photos.group import photos
from panicroom.commands.reading import duplicity, files, verify, versions
from panicroom.commands.recover import recover
from panicroom.commands.recovery_sheet import recovery_sheet
from panicroom.commands.restore import restore
from panicroom.commands.schedule import schedule
from panicroom.commands.secrets import passphrase, secrets
from panicroom.commands.status import status
from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem
from panicroom.shown import shown
from panicroom.terminal.interruption import MESSAGE

EXIT_CODES = "Exit codes:\n" + "\n".join(
    f"  {int(code):<4} {text}" for code, text in EXPLANATIONS.items() if code != ExitCode.START_AGAIN
)


_OF_ERRNO = {
    errno.ENOSPC: ExitCode.SPACE,
    errno.EDQUOT: ExitCode.SPACE,
    errno.ENOLCK: ExitCode.SETTINGS,
}

_LACKS_LOCKS = (
    "its file system has no locks; move it to another by PANICROOM_STATE_DIR, PANICROOM_CACHE_DIR or --to"
)


class _Commands(click.Group):
    """The commands, with ``--help exit-codes`` (and ``help exit-codes``) beside the usual help."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if words[-1:] == ["exit-codes"] and words[:-1] in (["--help"], ["-h"], ["help"]):
            click.echo(EXIT_CODES)
            return ExitCode.DONE
        if words == ["help"]:
            words = ["--help"]
        return super().main(words, *more, **options)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: panicroom --help exit-codes",
)
def cli() -> None:
    """Encrypted backups of this machine to the panicroom service.

    duplicity and gpg do the work; the files go straight to the owner's S3 bucket. This machine holds no
    cloud credentials and cannot destroy what it has stored.
    """


for command in (
    enrol,
    backup,
    restore,
    recover,
    status,
    recovery_sheet,
    import_conf,
    schedule,
    files,
    versions,
    cost,
    verify,
    drill,
    photos,
    duplicity,
    secrets,
    passphrase,
    doctor,
):
    cli.add_command(command)


def _take_version(command: click.Command, *, hidden: bool = False) -> None:
    """``--version`` for the command and those below it, which do not list it in their help."""
    click.version_option(__version__, prog_name="panicroom", hidden=hidden)(command)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _take_version(below, hidden=True)


_take_version(cli)


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line; every expected failure becomes one line and its exit code here."""
    try:
        # click gives back the code of an Exit, or what the command returned, which is nothing.
        return ExitCode(cli.main(arguments, prog_name="panicroom", standalone_mode=False) or ExitCode.DONE)
    except Problem as problem:
        click.echo(f"panicroom: {shown(_text_of(problem), 2000)}", err=True)
        return problem.exit_code
    except click.exceptions.Abort as abort:
        if isinstance(abort.__cause__, EOFError):  # click takes any for the end of the input
            raise abort.__cause__ from None
        click.echo(MESSAGE, err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.INTERRUPTED
    except OSError as error:
        text = _LACKS_LOCKS if error.errno == errno.ENOLCK else error.strerror or str(error)
        click.echo(f"panicroom: {error.filename or 'a file'}: {text}", err=True)
        return _OF_ERRNO.get(error.errno or 0, ExitCode.INTERNAL)


def _text_of(problem: Problem) -> str:
    """A refused token means something else on a computer that only reads."""
    if problem.exit_code != ExitCode.NOT_AUTHORIZED:
        return str(problem)
    from panicroom.recovery.reader import explained

    return explained(problem)
