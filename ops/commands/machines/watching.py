"""``python -m ops machine pause | resume | remove``: whether backups are expected of a machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from chalicelib.owner_wire import MachineChanged
from ops.commands.arguments.options import confirm, stage_options, typed
from ops.commands.machines.of_group import check_one_is_named, for_group, name_or_group, show_results
from ops.errors import OpsError
from ops.service.admin_client import admin_client


@dataclasses.dataclass(frozen=True)
class _Watched:
    """Of whom backups are expected or not: a machine, one job of it, or all machines of a group; and where to say so.

    Raises ``click.UsageError`` for what does not go together.
    """

    name: str | None
    group: str | None
    yes: bool
    job: str | None
    stage: str
    state_folder: Path
    as_json: bool

    def __post_init__(self) -> None:
        check_one_is_named(self.name, self.group)
        if self.job and self.group:
            raise click.UsageError("--job is for one machine: leave out --group.")

    def change(self, verb: str, when: str, done: str, **arguments: str | None) -> None:
        """``verb`` is ``pause`` or ``resume``; ``done`` ends the sentence about what was changed."""
        client = admin_client(self.stage, self.state_folder)
        if self.group:
            ask = f"{verb.capitalize()} these{when}?"
            results = for_group(
                client, self.group, f"machine_{verb}", ask, yes=self.yes, as_json=self.as_json, **arguments
            )
            show_results(results, self.as_json, done)
            return
        answer = client.ask(MachineChanged, f"machine_{verb}", name=self.name, job=self.job, **arguments)
        _check_followed(answer, self.job, verb, self.stage)
        confirm(answer, self.as_json, f"{self._whose()} is {done}.")

    def _whose(self) -> str:
        return f"{self.name}/{self.job}" if self.job else str(self.name)


def _check_followed(answer: MachineChanged, job: str | None, verb: str, stage: str) -> None:
    """Raises ``OpsError`` where an older service has passed over the job, and done it to the whole machine."""
    if answer.job != job:
        back = typed(f"machine {'pause' if verb == 'resume' else 'resume'} {answer.machine}", stage)
        raise OpsError(
            f"The service is older than this clone and has {verb}d all of {answer.machine}, as it knows no pause of one"
            f" job: {back} takes that back. Deploy it, then type this again."
        )


@click.command()
@name_or_group
@click.option(
    "--until", help="When it is expected back, as 2026-12-24 or with a time; otherwise until `resume`."
)
@click.option("--job", help="Only this job, until `resume`: a folder of pictures that is gone for good.")
@stage_options
def pause(until: str | None, **watched: Any) -> None:
    """Expect no backups from a machine, or from all of a group, for a while; or none of one job."""
    whose = _Watched(**watched)
    if whose.job and until:
        raise click.UsageError("--until is for a whole machine: leave out --job.")
    when = f" until {until}" if until else " until you resume it"
    whose.change("pause", when, f"paused{when}", until=until)


@click.command()
@name_or_group
@click.option("--job", help="Only this job, which was paused alone.")
@stage_options
def resume(**watched: Any) -> None:
    """Expect backups from a paused machine, from all of a group, or of a paused job, again."""
    _Watched(**watched).change("resume", "", "expected to back up again")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stage_options
def remove(name: str, yes: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Watch a machine no longer; what it stored stays in the bucket."""
    if not yes:
        click.confirm(f"Remove {name} from the machines that are watched? What it stored stays.", abort=True)
    answer = admin_client(stage, state_folder).ask(MachineChanged, "machine_remove", name=name)
    confirm(answer, as_json, f"{name} is removed; what it stored stays in the bucket.")
