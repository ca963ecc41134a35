"""The command ``panicroom``: what can be typed. Each command has its own module, imported when used."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom import __version__
from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.settings import JobSettings, Settings

_KINDS = {"full": "full", "incremental": "incremental", "inc": "incremental"}

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


@cli.command(short_help="Make this machine known to the service.")
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


@cli.command(short_help="Back up all jobs, or one.")
@click.argument("what", nargs=-1, metavar="[full|incremental] [JOB]")
@click.option("--scheduled", is_flag=True, help="As timers run it: a failure also shows on the desktop.")
@click.option("--if-due", is_flag=True, help="Only jobs whose newest backup is older than their period.")
@click.option(
    "--accept-smaller", is_flag=True, help="Back up though half of the files are gone since the last backup."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event instead.")
@click.option("--dry-run", is_flag=True, help="Only say what a backup would do; nothing is stored.")
def backup(
    what: tuple[str, ...],
    scheduled: bool,
    if_due: bool,
    accept_smaller: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Back up all jobs, or JOB; in full where there is no full backup yet, else what changed.

    The setting full_every asks for a new full backup from time to time. A source that is missing, empty, or has
    lost half of its files since the last backup is not backed up, as that is rarely what somebody wanted.

    A backup that was interrupted is carried on with, and what changed in the meantime follows in an
    increment at once. Killing it, losing the network or shutting the lid is harmless.

    Examples:

    \b
    panicroom backup                      # all jobs
    panicroom backup photos --dry-run     # only say what would happen
    panicroom backup full photos          # everything again
    """
    from panicroom.backup.dry_run import rehearse
    from panicroom.backup.run import back_up
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    words = list(what)
    kind = _KINDS[words.pop(0)] if words and words[0] in _KINDS else None
    if len(words) > 1:
        raise Problem("give at most one JOB: panicroom backup [full|incremental] [JOB]", ExitCode.USAGE)
    settings = load_settings()
    reporter = make_reporter(as_json=as_json)
    jobs = (settings.job_named(words[0]),) if words else settings.jobs
    if if_due:
        from panicroom.setup.schedule import due_jobs
        from panicroom.terminal.status import fetch_status

        jobs = due_jobs(jobs, fetch_status(settings))
    exit_code = ExitCode.DONE
    for job in jobs:
        try:
            if dry_run:
                rehearse(settings, job, kind, reporter)
            else:
                back_up(settings, job, kind, reporter, accept_smaller=accept_smaller)
        except Problem as problem:  # the other jobs have a right to their backup
            click.echo(
                f"panicroom: {problem}" if len(jobs) == 1 else f"panicroom: {job.job}: {problem}", err=True
            )
            exit_code = problem.exit_code
            reporter.failed(job.job, problem)
            if scheduled:
                from panicroom.terminal.desktop_notification import tell_failure

                tell_failure(job.job, problem)
    raise click.exceptions.Exit(exit_code)


@cli.command(short_help="Restore everything, or some paths.")
@click.argument("paths", nargs=-1, metavar="[PATH ...]")
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new or empty folder."
)
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def restore(paths: tuple[str, ...], to: Path, time: str | None, job: str | None) -> None:
    """Restore everything, or each PATH, into the folder DIR; never over existing files.

    A PATH is relative to the job's source folder, or a full path below it, and keeps its place below DIR. It
    may run while a backup does. Only root gives files back to their owners.

    Examples:

    \b
    panicroom restore --to ~/restored
    panicroom restore letters/1998 --time 3D --to ~/restored
    """
    from panicroom.restore.run import restore as restore_paths
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    settings = load_settings()
    if job is None and len(settings.jobs) > 1:
        names = ", ".join(one.job for one in settings.jobs)
        raise Problem(f"this machine has several jobs ({names}); say which: --job JOB", ExitCode.USAGE)
    chosen = settings.job_named(job) if job else settings.jobs[0]
    restore_paths(settings, chosen, paths, time, to.absolute(), make_reporter())


@cli.command(short_help="Show how fresh the backups are.")
def status() -> None:
    """Show how fresh the backups of this machine are, as the service judges them."""
    from panicroom.settings import load_settings
    from panicroom.terminal.status import fetch_status, status_lines

    for line in status_lines(fetch_status(load_settings()), _columns()):
        click.echo(line)


@cli.command("recovery-sheet", short_help="Print the page for the day when this machine is gone.")
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

    from panicroom.settings import load_settings
    from panicroom.setup.recovery_sheet import recovery_sheet as make_sheet
    from panicroom.terminal.status import fetch_status

    settings = load_settings()
    try:
        status = fetch_status(settings)
    except Problem as problem:
        click.echo(f"panicroom: {problem}; the place of the files is left blank", err=True)
        status = None
    text = make_sheet(settings, status, datetime.now().astimezone().date())
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output} is ready to print; then write the passphrase on it")


@cli.command("import-conf", short_help="Take over the set-up of a shell script.")
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


@cli.group(short_help="Have backups made by themselves.")
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
    plan = schedules.Plan(
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


@cli.command(short_help="Show where secrets are kept, or move them.")
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


@cli.command(short_help="Look at everything that a backup depends on.")
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


@cli.command(short_help="List what is in the backup.")
@click.argument("path", required=False)
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {path, kind, changed_at} instead.")
def files(path: str | None, time: str | None, job: str | None, as_json: bool) -> None:
    """List what is in the backup, or what is below PATH: when it was changed (UTC), and its path.

    A PATH is relative to the job's source folder, or a full path below it. Folders end with a slash. Control
    characters in names are shown as ?; --json has the very names. Example: panicroom files --time 3D | less
    """
    import dataclasses
    import json

    from panicroom.restore.files import list_files
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import shown_path

    settings = load_settings()
    found = list_files(settings, _chosen_job(settings, job), time, path)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(item) for item in found], indent=1))
        return
    for item in found:
        click.echo(f"{item.changed_at}  {shown_path(item.path)}{'/' if item.kind == 'folder' else ''}")


@cli.command(short_help="Compare the backup with the source, byte by byte.")
@click.option("--time", metavar="T", help="Compare the backup of that time instead of the newest.")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def verify(time: str | None, job: str | None) -> None:
    """Download the backup and compare every byte with the source folder; nothing is changed.

    It takes as long as a whole restore, and counts as downloads. What changed since the backup is
    listed too: that is no fault of the backup. Exit code 15 if anything differs.
    """
    from panicroom.restore.files import verify as find_differences
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    differences = find_differences(settings, chosen, time, click.echo)
    if differences:
        raise Problem(
            f"{chosen.job}: {differences} differences between backup and source", ExitCode.DIFFERENT
        )
    click.echo(f"{chosen.job}: the backup and {chosen.source} are equal")


@cli.command(
    context_settings={"ignore_unknown_options": True}, short_help="Run duplicity itself, for anything else."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- ARGS")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def duplicity(arguments: tuple[str, ...], job: str | None) -> None:
    """Run duplicity itself, for anything else that it can: panicroom duplicity -- collection-status

    The backend, the file name prefixes and the folders are filled in, and the job's place: where the word
    TARGET stands among ARGS, else at the end (panicroom duplicity -- verify TARGET /home/anna). It can look,
    and cannot change anything in the backup. The exit code is duplicity's.
    """
    from panicroom.restore.files import pass_through
    from panicroom.settings import load_settings

    settings = load_settings()
    exit_code = pass_through(
        settings, _chosen_job(settings, job), arguments, click.echo, lambda line: click.echo(line, err=True)
    )
    raise click.exceptions.Exit(exit_code)


def _columns() -> int:
    """The width of the terminal; without one nothing is too wide."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000


def _chosen_job(settings: Settings, job: str | None) -> JobSettings:
    """The job that is named, or the only one."""
    if job is None and len(settings.jobs) > 1:
        names = ", ".join(one.job for one in settings.jobs)
        raise Problem(f"this machine has several jobs ({names}); say which: --job JOB", ExitCode.USAGE)
    return settings.job_named(job) if job else settings.jobs[0]


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
