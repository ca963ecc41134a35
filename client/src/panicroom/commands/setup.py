"""Commands that set this machine up: enrol, import-conf, schedule, secrets, recovery-sheet, doctor."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    pass


@click.command(short_help="Make this machine known to the service.")
@click.argument("url")
@click.argument("code")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="[JOB=]DIR",
    help="The folder to back up; repeat it for each job.",
)
@click.option(
    "--gpg-key",
    metavar="KEY",
    help="Encrypt for this GnuPG key, and not with a passphrase; PASSPHRASE, if set, is the key's.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; the passphrase comes from the variable PASSPHRASE.")
def enrol(url: str, code: str, sources: tuple[str, ...], gpg_key: str | None, yes: bool) -> None:
    """Make this machine known to the service at URL, with the one-time CODE from the owner.

    Asks for the folder, and for a passphrase (or a GnuPG key), unless they are given. Leaves a settings file
    and keeps the secrets in the keyring (a private file where there is none). Running it again with the same
    code after a lost connection is safe; with a new code it replaces this machine's token.

    Without questions, the passphrase in the variable PASSPHRASE:

    \b
    panicroom enrol URL CODE --source system=/home --source photos=/srv/photos --yes
    """
    from panicroom.setup import enrol as enrolment
    from panicroom.setup.gpg_keys import key_fingerprint

    passphrase = os.environ.get("PASSPHRASE")
    known = enrolment.known_machine(url)
    encrypt_key = key_fingerprint(gpg_key) if gpg_key else (known.encrypt_key if known else None)
    kept = enrolment.stored_passphrase(known.machine) if known else None
    if yes and not ((sources or known) and (passphrase or kept or encrypt_key)):
        raise Problem("--yes needs --source DIR and the variable PASSPHRASE, or --gpg-key", ExitCode.USAGE)
    for option in sources:
        enrolment.check_source(enrolment.split_source(option)[1])
    if known and encrypt_key:
        enrolment.check_key(known, encrypt_key)
    if known and passphrase:
        enrolment.check_passphrase(known.machine, passphrase)
    answer = enrolment.exchange_code(url, code)
    if known and known.machine != answer.machine:
        raise Problem(
            f"the code is for {answer.machine}, but the settings here are of {known.machine}; "
            f"move {known.places.settings_file} away and run this again",
            ExitCode.SETTINGS,
        )
    here = {job.job for job in known.jobs} if known else set()
    jobs = tuple(job.job for job in answer.jobs if job.job not in here)
    if sources or yes:
        folders = enrolment.sources_from(sources, jobs)
    else:
        folders = {job: enrolment.ask_source(job, click.prompt) for job in jobs}
    passphrase = passphrase or kept
    if not passphrase and not yes:
        encrypt_key = encrypt_key or _ask_key()
        passphrase = _ask_passphrase_of_key() if encrypt_key else _ask_passphrase()
    path = enrolment.keep_settings(url, answer, folders, passphrase, known, encrypt_key)
    click.echo(f"{answer.machine} is enrolled; its settings are in {path}")
    click.echo("Now run: panicroom backup")
    if encrypt_key:
        click.echo(f"Keep a copy of the secret key {encrypt_key} away from here: only it restores.")


def _ask_key() -> str | None:
    """A fingerprint, or None for a passphrase; not asked of somebody who has no key."""
    from panicroom.setup.gpg_keys import has_secret_key, key_fingerprint

    while has_secret_key():
        question = "GnuPG key to encrypt for (empty: encrypt with a passphrase)"
        wanted = click.prompt(question, default="", show_default=False)
        if not wanted:
            break
        try:
            return key_fingerprint(wanted)
        except Problem as problem:
            click.echo(str(problem))
    return None


def _ask_passphrase_of_key() -> str | None:
    question = "Passphrase of that key (empty: it has none, or gpg's agent shall ask)"
    passphrase: str = click.prompt(question, default="", hide_input=True, show_default=False)
    return passphrase or None


def _ask_passphrase() -> str:
    from panicroom.setup.enrol import make_passphrase

    passphrase: str = click.prompt(
        "Passphrase for the encryption (empty: make one)",
        default="",
        hide_input=True,
        show_default=False,
        confirmation_prompt=True,
    )
    if not passphrase:
        passphrase = make_passphrase()
        click.echo(
            f"Your passphrase, without which nothing can be restored. Write it down:\n\n  {passphrase}\n"
        )
    return passphrase


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


@click.command("import-conf", short_help="Take over the set-up of a shell script.")
@click.argument("conf", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="CONF")
@click.argument(
    "exclude",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=False,
    metavar="[EXCLUDE]",
)
@click.option("--job", metavar="JOB", help="The job that it becomes; the first of the settings if not given.")
def import_conf(conf: Path, exclude: Path | None, job: str | None) -> None:
    """Take over the set-up of a shell script around duplicity: its variables and its + and - lines.

    CONF holds assignments as a shell reads them; it is not run. The source folder, the passphrase or the GnuPG
    key, the volume size and the age at which a backup is made in full are taken, and EXCLUDE becomes the job's
    file list, in duplicity's own syntax. AWS keys are not kept: this machine needs none. Each line is told with
    what became of it.

    Enrol first. Example: panicroom import-conf BackupToCloud.conf exclude.txt
    """
    from panicroom.settings import load_settings
    from panicroom.setup.import_conf import import_seed

    settings = load_settings()
    chosen = settings.job_named(job) if job else settings.jobs[0]
    for finding in import_seed(settings, chosen, conf, exclude, Path.home()):
        click.echo(str(finding))
    click.echo(f"After the first backup, delete {conf}: it holds secrets in the open.")


@click.group(short_help="Have backups made by themselves.")
def schedule() -> None:
    """Have backups made by themselves: by a systemd timer, a launchd agent, or a line for cron.

    They are made as often as the owner's period asks for. One that was missed in a sleep is made up for; the
    start is put off at random for a while, at most half an hour; and the work has the lowest priority.
    """


_for_system = click.option(
    "--system", is_flag=True, help="For root and servers: for all of the machine, settings in /etc/panicroom."
)


@schedule.command("install", short_help="Install the schedule, or bring it up to date.")
@_for_system
def schedule_install(system: bool) -> None:
    """Install the schedule, or bring it up to date with the owner's period. Running it again is harmless.

    A timer of the user's own runs only while that user is logged in, unless the user "lingers"; if that is
    so, the command to change it is shown.
    """
    import shutil

    from panicroom.duplicity_run.process import executable
    from panicroom.settings import load_settings
    from panicroom.setup import schedule as schedules
    from panicroom.terminal.status import fetch_status

    settings = load_settings()
    chosen = schedules.scheduler(system)
    schedules.check_places(settings.places, system)
    status = fetch_status(settings)
    plan = schedules.ScheduledBackup(
        command=executable(),
        period_seconds=min((job.period_seconds for job in status.jobs), default=86400),
        environment=schedules.environment_of(settings.places, shutil.which("gpg")),
        system=system,
    )
    for line in chosen.install(plan):
        click.echo(line)
    caveat = schedules.session_caveat(chosen, settings.secrets)
    if caveat is not None:
        click.echo(f"but {caveat}")


@schedule.command("show", short_help="Show what is installed.")
@_for_system
def schedule_show(system: bool) -> None:
    """Show what is installed, and when it runs next where the system tells. Exit code 25 if nothing is."""
    from panicroom.setup.schedule import scheduler

    lines = scheduler(system).show()
    if not lines:
        raise Problem("no schedule is installed; run: panicroom schedule install", ExitCode.NOT_FOUND)
    for line in lines:
        click.echo(line)


@schedule.command("remove", short_help="Remove the schedule.")
@_for_system
def schedule_remove(system: bool) -> None:
    """Remove the schedule. Backups, settings and secrets stay; no error if there is none."""
    from panicroom.setup.schedule import scheduler

    for line in scheduler(system).remove():
        click.echo(line)


@click.command(short_help="Show where secrets are kept, or move them.")
@click.argument("kind", type=click.Choice(["keyring", "file"]), required=False, metavar="[keyring|file]")
def secrets(kind: str | None) -> None:
    """Show where the token and the passphrase are kept, or move them: to the keyring, or to a private file.

    A keyring is open while its user is logged in. Backups by cron, by a system's timer, or of a user who
    "lingers" need the file. Neither secret is ever shown.
    """
    from panicroom.secrets import move_secrets, where_kept
    from panicroom.settings import load_settings

    settings = load_settings()
    click.echo(where_kept(move_secrets(settings, kind) if kind else settings))


@click.command(short_help="Look at everything that a backup depends on.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {check, verdict, text} instead.")
def doctor(as_json: bool) -> None:
    """Look at everything that a backup depends on, and say what to do about what is wrong.

    Service and token, clock, versions, last runs and the weekly mail, gpg, passphrase, keyring, disk, open
    files, sources, schedule, AWS keys that lie about, and Full Disk Access on a Mac. Changes nothing.

    Each line is ok, warn or fail; the exit code is 0 if none is fail, else 14.
    """
    import dataclasses
    import json

    from panicroom.settings import load_settings
    from panicroom.setup.doctor import FAIL, examine
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
