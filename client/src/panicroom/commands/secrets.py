"""The commands ``secrets`` and ``passphrase``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os

import click

from panicroom.exit_codes import ExitCode, Problem


@click.command(short_help="Show where secrets are stored, or move them.")
@click.argument("kind", type=click.Choice(["keyring", "file"]), required=False, metavar="[keyring|file]")
def secrets(kind: str | None) -> None:
    """Show where the token and the passphrase are stored, or move them: to the keyring, or to a private file.

    A keyring is open while its user is logged in. Backups by cron, by a system's timer, or of a user who
    "lingers" need the file. Neither secret is ever shown.
    """
    from panicroom.settings import load_settings
    from panicroom.setup.secrets_place import move_secrets, where_stored

    settings = load_settings()
    click.echo(where_stored(move_secrets(settings, kind) if kind else settings))


@click.group(short_help="Check the passphrase, or change it.")
def passphrase() -> None:
    """Check the passphrase of this machine's backups, or change it."""


@passphrase.command("check", short_help="Try the passphrase on the stored backups.")
@click.option("--job", metavar="JOB", help="Only this job.")
def passphrase_check(job: str | None) -> None:
    """Try the passphrase (the stored one, or the one in the variable PASSPHRASE) on the stored backups.

    It decrypts the smallest manifest of each job's newest chain. Exit code 22 if it does not open one.
    """
    from panicroom.secrets import passphrase_of
    from panicroom.settings import load_settings
    from panicroom.setup.passphrase_trial import Outcome, refuse_wrong, try_passphrase

    settings = load_settings()
    known = passphrase_of(settings)
    if settings.encrypt_key is not None or known is None:
        raise Problem(
            f"the backups are encrypted for the GnuPG key {settings.encrypt_key}, not with a passphrase",
            ExitCode.USAGE,
        )
    trials = try_passphrase(settings, known, [settings.job_named(job).job] if job else None)
    for trial in trials:
        click.echo(f"{trial.job}: {trial.outcome.value}{f': {trial.detail}' if trial.detail else ''}")
    refuse_wrong(trials, "give another in the variable PASSPHRASE")
    if any(trial.outcome == Outcome.UNKNOWN for trial in trials):
        raise Problem("the passphrase could not be tried on every job; try again later", ExitCode.TRY_LATER)


@passphrase.command("change", short_help="Begin new chains with another passphrase.")
@click.option("--yes", is_flag=True, help="Ask nothing; the new passphrase comes from NEW_PASSPHRASE.")
def passphrase_change(yes: bool) -> None:
    """Change the passphrase. The next backup of each job is a full one and begins a new chain with it.

    Stored backups are not encrypted anew: those made so far open with the old passphrase only, which stays stored
    here and belongs on paper as long as they are of use: PASSPHRASE=... panicroom restore --time T. An unfinished
    backup is begun afresh.
    """
    from panicroom.settings import load_settings
    from panicroom.setup.enrol import make_passphrase
    from panicroom.setup.passphrase_change import change_passphrase

    settings = load_settings()
    settings.refuse_reader()
    new: str | None = os.environ.get("NEW_PASSPHRASE")
    if not new and yes:
        raise Problem("--yes needs the new passphrase in the variable NEW_PASSPHRASE", ExitCode.USAGE)
    if not new:
        question = "New passphrase (empty: make one)"
        new = click.prompt(
            question, default="", hide_input=True, show_default=False, confirmation_prompt=True
        )
    if not new:
        new = make_passphrase()
        click.echo(f"Your new passphrase. Write it down:\n\n  {new}\n")
    for line in change_passphrase(settings, new):
        click.echo(line)
