"""The command ``recover``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from panicroom.commands.thaw_options import takes_thaw_options, thaw_options
from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

if TYPE_CHECKING:
    from panicroom.recovery.address import RecoveryAddress
    from panicroom.recovery.opening import OpenedJobs
    from panicroom.recovery.run import JobsToRecover
    from panicroom.settings import JobSettings, Settings
    from panicroom.thaw.consent import ThawOptions
    from panicroom.wire import MachineStatus

Answer = TypeVar("Answer")


@click.command(short_help="Bring a machine back from its recovery sheet.")
@click.argument("sheet", required=False, metavar="[URL#MACHINE]")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="Each job gets a folder in it.")
@click.option(
    "--job",
    "names",
    multiple=True,
    metavar="JOB",
    help="Only this job, or family of photo jobs; several times too.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be fetched, and what a thaw would cost.")
@click.option("--gpg-key", metavar="KEY", help="The GnuPG key that opens the backups, not a passphrase.")
@takes_thaw_options
def recover(
    sheet: str | None,
    to: Path | None,
    names: tuple[str, ...],
    dry_run: bool,
    gpg_key: str | None,
    tier: str | None,
    max_cost: float | None,
    yes: bool,
    wait: bool,
) -> None:
    """Bring back everything of a machine on an empty computer, from what its recovery sheet says.

    Asks for the line URL#MACHINE on the sheet, the recovery code and the passphrase, unless they are given: as an
    argument, and in the variables RECOVERY_CODE and PASSPHRASE. Every job is restored into a folder of its own in DIR
    (./restored-MACHINE if not given), with plan, thaw and proof as by panicroom restore. The passphrase is tried before
    anything is spent.

    Pictures come back by job, as DIR/photos-2018 and so on: the service does not know how folders are called.

    Where volumes have to be thawed, it ends with exit code 75 and the time to come back. Then, or after whatever has
    interrupted it, panicroom recover alone carries on, without the code.

    For 30 days this computer can read the backups, and makes none. To back up from here, run panicroom enrol with a
    code of the owner: settings, passphrase and cache stay, and the next backup goes on with the same chain.

    URL#MACHINE/CODE, as the QR code of the sheet has it, is taken too; but other users of this computer can see the
    arguments of a command while it runs, and the shell stores them. Quote the line: it has a #.

    Examples:

    \b
    panicroom recover 'https://example.org/api#annas-laptop'
    panicroom recover --dry-run
    panicroom recover --job photos-2018 --job photos-2019
    """
    from panicroom.recovery.run import JobsToRecover, check_recovery_targets, chosen_target

    person = _RecoveryTerminal() if sys.stdin.isatty() and sys.stderr.isatty() else None
    settings, status = _access(sheet, gpg_key, person)
    jobs = _chosen(settings, names)
    target = chosen_target(settings, to.absolute() if to else None)
    if not dry_run:
        check_recovery_targets(settings, jobs, target)
    request = JobsToRecover(target, jobs, _opened(settings, jobs, person))
    if dry_run:
        _show_plans(settings, request)
        return
    words = [
        *(word for name in names for word in ("--job", name)),
        *(["--tier", tier] if tier else []),
        *(["--max-cost", f"{max_cost:g}"] if max_cost is not None else []),
    ]
    options = _safe_options(words, thaw_options(tier, max_cost, yes, wait))
    _recover(settings, request, options, status.reader_until)


def _chosen(settings: Settings, names: tuple[str, ...]) -> tuple[JobSettings, ...]:
    """The jobs of these names, each of which may be a family's; all without names."""
    from panicroom.restore.several.family_paths import family_named

    found: dict[str, JobSettings] = {}
    for name in names:
        family = family_named(settings, name)
        jobs = family.jobs if family is not None else (settings.job_named(name),)
        found.update({job.job: job for job in jobs})
    return tuple(found.values()) if names else settings.jobs


def _access(
    sheet: str | None, gpg_key: str | None, person: _RecoveryTerminal | None
) -> tuple[Settings, MachineStatus]:
    """Settings with a token that the service takes. The code is asked for only where there is none such."""
    from panicroom.recovery import access
    from panicroom.recovery.address import RecoveryAddress, read_address

    known = access.reader_here()
    address = read_address(sheet) if sheet else None
    encrypt_key = access.usable_key(gpg_key) if gpg_key else None
    if known is not None:
        access.check_same_machine(known, address.machine if address else None)
        status = access.status_for(known) if address is None or address.url == known.url else None
        if status is not None:
            return access.brought_up_to_date(known, status, encrypt_key), status
        click.echo("the recovery code is needed again: its token is refused, or the URL is another", err=True)
        url = address.url if address else known.url
        address = RecoveryAddress(url, known.machine, address.code if address else None)
    url, machine, code = _asked(address, person)
    settings = access.exchange_code(url, machine, code, known, encrypt_key)
    status = access.status_for(settings)
    if status is None:
        raise Problem("the service refuses the token that it gave; try again later", ExitCode.NOT_AUTHORIZED)
    return access.brought_up_to_date(settings, status, encrypt_key), status


def _asked(address: RecoveryAddress | None, person: _RecoveryTerminal | None) -> tuple[str, str, str]:
    """URL, machine and code, from wherever they are given."""
    from panicroom.recovery.address import read_address, read_code, read_machine

    if address is None:
        address = _needed(person, "the line URL#MACHINE of the recovery sheet", "an argument", read_address)
    machine = address.machine or _needed(person, "the machine on the sheet", "URL#MACHINE", read_machine)
    given = os.environ.pop("RECOVERY_CODE", None)  # which duplicity and gpg would inherit
    code = address.code or (read_code(given) if given else None)
    return (
        address.url,
        machine,
        code or _needed(person, "the recovery code", "the variable RECOVERY_CODE", read_code),
    )


def _needed(person: _RecoveryTerminal | None, what: str, place: str, read: Callable[[str], Answer]) -> Answer:
    """Asks until the answer can be read."""
    if person is None:
        raise Problem(f"{what} is missing; give it as {place}", ExitCode.USAGE)
    while True:
        try:
            return read(person.answer(f"{what[0].upper()}{what[1:]}"))
        except Problem as problem:
            person.line(str(problem))


def _opened(
    settings: Settings, jobs: tuple[JobSettings, ...], person: _RecoveryTerminal | None
) -> OpenedJobs:
    from panicroom.recovery.opening import open_with_key, open_with_passphrase

    opens = open_with_passphrase if settings.encrypt_key is None else open_with_key
    return opens(settings, jobs, person)


def _safe_options(words: list[str], options: ThawOptions) -> ThawOptions:
    """The line to type next never has the code in it, and needs none."""
    import dataclasses

    flags = [*(["--yes"] if options.yes else []), *(["--wait"] if options.wait else [])]
    return dataclasses.replace(options, command=("panicroom", "recover", *words, *flags))


def _recover(
    settings: Settings, request: JobsToRecover, options: ThawOptions, reader_until: str | None
) -> None:
    from panicroom.recovery.reader import closing_lines
    from panicroom.recovery.run import RecoveryRun
    from panicroom.terminal.progress import make_reporter

    reporter = make_reporter()
    recovery = RecoveryRun(settings, request, options, reporter)
    restored = recovery.run()
    problems = list(recovery.problems.items())
    if len(request.jobs) == 1 and problems:
        raise problems[0][1]
    for job, problem in problems:
        click.echo(f"panicroom: {job}: {shown(str(problem), 2000)}", err=True)
    codes = [problem.exit_code for _job, problem in problems]
    if codes:
        raise click.exceptions.Exit(ExitCode.TRY_LATER if ExitCode.TRY_LATER in codes else codes[0])
    left = [job.job for job in settings.jobs if job not in request.jobs]
    for line in closing_lines(settings, restored, left, reader_until):
        reporter.line(line)


def _show_plans(settings: Settings, request: JobsToRecover) -> None:
    from panicroom.recovery.dry_run import recovery_plan_lines
    from panicroom.terminal.progress import make_reporter

    now = datetime.now(timezone.utc)
    for line in recovery_plan_lines(settings, request, make_reporter(sys.stderr), now):
        click.echo(line)


class _RecoveryTerminal:
    """Asks whoever sits there, on standard error: standard output may be a file."""

    def answer(self, question: str) -> str:
        answer: str = click.prompt(question, err=True)
        return answer

    def secret(self, question: str) -> str:
        answer: str = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
        return answer

    def line(self, text: str) -> None:
        click.echo(text, err=True)
