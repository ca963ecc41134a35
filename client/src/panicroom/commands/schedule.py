"""The commands ``schedule install``, ``show`` and ``remove``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import click

from panicroom.exit_codes import ExitCode, Problem


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
    settings.refuse_reader()
    chosen = schedules.scheduler(system)
    schedules.check_places(settings.places, system)
    status = fetch_status(settings)
    plan = schedules.ScheduledBackup(
        command=executable(),
        period_seconds=schedules.shortest_period(status),
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
