"""The commands ``enrol`` and ``import-conf``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.setup.enrol import Enrolment


@click.command(short_help="Enrol this machine with the service.")
@click.argument("url")
@click.argument("code")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="[JOB=]DIR",
    help="The folder to back up, or the one with the pictures; repeat it for each job.",
)
@click.option(
    "--gpg-key",
    metavar="KEY",
    help="Encrypt for this GnuPG key, and not with a passphrase; PASSPHRASE, if set, is the key's.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; the passphrase comes from the variable PASSPHRASE.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print {machine, settings, recovery_code}; asks nothing, as --yes.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the recovery sheet with the code, for the printer if FILE ends with .html.",
)
def enrol(
    url: str,
    code: str,
    sources: tuple[str, ...],
    gpg_key: str | None,
    yes: bool,
    as_json: bool,
    sheet: Path | None,
) -> None:
    """Enrol this machine with the service at URL, with the one-time CODE from the owner.

    Asks for the folder, and for a passphrase (or a GnuPG key), unless they are given. If the service has backups of
    this machine, the passphrase is tried on one of them. Writes a settings file, and stores the secrets in the
    keyring (a private file where there is none). Running it again with the same code after a lost connection is
    safe; with a new code it replaces this machine's token.

    The recovery code is shown once, and stored nowhere: it belongs on paper, with the passphrase. With both, panicroom
    recover brings everything back on another computer. After panicroom recover, this command has the backups go on from
    the new computer: it asks for the folder of each job, and keeps the rest.

    Without questions, the passphrase in the variable PASSPHRASE:

    \b
    panicroom enrol URL CODE --source system=/home --source photos=/srv/photos --yes
    """
    from panicroom.secrets import passphrase_variable
    from panicroom.setup.enrol import begin

    given, yes = passphrase_variable(), yes or as_json
    enrolment = begin(url, gpg_key)
    if yes and not (
        (sources or enrolment.known) and (given or enrolment.stored_passphrase or enrolment.encrypt_key)
    ):
        raise Problem("--yes needs --source DIR and the variable PASSPHRASE, or --gpg-key", ExitCode.USAGE)
    enrolment.check_sources(sources)
    enrolment.exchange_code(code)
    path = None
    try:
        path = _finish(enrolment, sources, given, ask=not yes)
    finally:  # what follows the exchange may fail, and the service gives the recovery code once
        _report(enrolment, path, as_json=as_json)
    if sheet is not None:
        _write_sheet(sheet, enrolment.recovery_code)


def _write_sheet(sheet: Path, code: str | None) -> None:
    from panicroom.recovery.sheet.make import enrolled_sheet
    from panicroom.settings import load_settings

    enrolled_sheet(load_settings(), sheet, code)
    advice = "; it has the recovery code: print it, then delete the file" if code else ""
    click.echo(f"{sheet} is ready to print{advice}", err=True)


def _finish(enrolment: Enrolment, sources: tuple[str, ...], given: str | None, *, ask: bool) -> Path:
    """Folders, passphrase and settings; the path of the settings file."""
    if sources or not ask:
        folders = enrolment.folders_of(sources)
    else:
        restored = enrolment.restored_folders()
        hints = enrolment.families()
        folders = {
            name: _ask_pictures(name, hints[name]) if name in hints else _ask_source(name, restored.get(name))
            for name in enrolment.new_jobs()
        }
    passphrase = _passphrase_for(enrolment, given or enrolment.stored_passphrase, ask=ask)
    return enrolment.finish(folders, passphrase)


def _report(enrolment: Enrolment, path: Path | None, *, as_json: bool) -> None:
    """``path`` is None where the enrolment did not come to its end."""
    import json

    if as_json:
        settings = None if path is None else str(path)
        answer = {
            "machine": enrolment.machine,
            "settings": settings,
            "recovery_code": enrolment.recovery_code,
        }
        click.echo(json.dumps(answer))
        return
    if path is not None:
        click.echo(f"{enrolment.machine} is enrolled; its settings are in {path}")
    if enrolment.recovery_code is not None:
        click.echo(
            "The recovery code, which with the passphrase brings everything back on another computer. It is shown this "
            "once, and stored nowhere: write it on paper, or print it: panicroom recovery-sheet --code --output "
            "sheet.html\n\n"
            f"  {enrolment.recovery_code}\n"
        )
    if path is not None:
        click.echo("Now run: panicroom backup")
        if enrolment.encrypt_key:
            click.echo(f"Store a copy of the secret key {enrolment.encrypt_key} elsewhere: only it restores.")


def _passphrase_for(enrolment: Enrolment, known: str | None, *, ask: bool) -> str | None:
    """The one that is known, if it opens what is stored; else what is asked for."""
    from panicroom.setup.enrol import make_passphrase

    if known:
        enrolment.check_passphrase(known, "run the same command again with the right one")
        return known
    if not ask:
        return None
    if enrolment.encrypt_key is None and not enrolment.jobs_with_backups():
        enrolment.encrypt_key = _ask_key()
    if enrolment.encrypt_key:
        return _ask_passphrase_of_key()
    return _ask_passphrase(enrolment) or _shown_new(make_passphrase())


def _ask_source(job: str, restored: Path | None) -> Path:
    """``restored`` is where a recovery has put the job's files."""
    usual = None if restored is None else str(restored)
    return _ask_folder(f"Folder that the job {job} backs up", usual)


def _ask_pictures(family: str, hint: str | None) -> Path:
    """``hint`` is where the owner thinks that they are."""
    name = "" if family == "photos" else f" ({family})"
    usual = hint if hint and Path(hint).expanduser().is_dir() else None
    return _ask_folder(f"Folder with your pictures{name}", usual)


def _ask_folder(question: str, usual: str | None) -> Path:
    """Asks until the answer is a folder."""
    from panicroom.setup.enrol import check_source

    while True:
        try:
            return check_source(click.prompt(question, default=usual))
        except Problem as problem:
            click.echo(str(problem))


def _ask_key() -> str | None:
    """A fingerprint, or None for a passphrase; not asked of somebody who has no key."""
    from panicroom.duplicity_run.gpg_keys import has_secret_key, key_fingerprint

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


def _ask_passphrase(enrolment: Enrolment) -> str | None:
    """Asks until the passphrase opens what is stored; None where nothing is, for a new one to be made."""
    stored = enrolment.jobs_with_backups()
    question = (
        f"Passphrase of the stored backups of {', '.join(stored)}"
        if stored
        else "Passphrase for the encryption (empty: make one)"
    )
    while True:
        passphrase: str = click.prompt(
            question, default="", hide_input=True, show_default=False, confirmation_prompt=not stored
        )
        if not passphrase and not stored:
            return None
        try:
            enrolment.check_passphrase(passphrase, "try another")
        except Problem as problem:
            click.echo(str(problem))
            continue
        return passphrase


def _shown_new(passphrase: str) -> str:
    click.echo(f"Your passphrase, without which nothing can be restored. Write it down:\n\n  {passphrase}\n")
    return passphrase


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
    key, the volume size and the age at which a backup is made in full are taken, also as options of duplicity, and
    EXCLUDE becomes the job's file list, in duplicity's own syntax. A passphrase is tried on the stored backups
    first. AWS keys are not taken: this machine needs none. Each line is listed with what became of it, and the lines
    of crontabs that still run the script are named.

    Enrol first. Example: panicroom import-conf BackupToCloud.conf exclude.txt
    """
    from panicroom.settings import load_settings
    from panicroom.setup.script.crontabs import lines_that_run, read_crontabs
    from panicroom.setup.script.import_conf import closing_advice, import_seed, schedule_advice

    settings = load_settings()
    settings.refuse_reader()
    own = [known for known in settings.jobs if known.family is None]
    if not own and job is None:
        raise Problem("no job here can take it over: this machine only backs up pictures", ExitCode.SETTINGS)
    chosen = settings.job_named(job) if job else own[0]
    lines = import_seed(settings, chosen, conf, exclude, Path.home())
    for line in lines:
        click.echo(str(line))
    for advice in schedule_advice(lines_that_run(conf, read_crontabs())):
        click.echo(advice)
    click.echo(closing_advice(conf, lines))
