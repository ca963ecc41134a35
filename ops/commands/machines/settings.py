"""``python -m ops machine set``: what holds for a machine and its jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.owner_wire import MachineShown
from ops.commands.arguments.group_settings import SETTINGS, check_service_knows_groups, flat
from ops.commands.arguments.options import (
    DURATION,
    DURATION_OR_NEVER,
    SIZE,
    USD,
    confirm,
    stage_options,
)
from ops.commands.arguments.retention_choice import retention_options
from ops.commands.arguments.storage_choice import (
    after_option,
    check_words,
    follow_change,
    follow_places,
    storage_option,
    words_of,
)
from ops.commands.machines.of_group import NEITHER_NAMED, for_group, show_results, yes_option
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import deployed_stage

thaw_budget_option = click.option(
    "--thaw-budget",
    type=USD,
    help="USD a month that it may spend on thaws without your approval: 1 at first, 0 for none.",
)


@click.command("set")
@click.argument("name", required=False)
@click.option(
    "--group",
    help="Put the machine into this group, `none` for no group: what is not its own is as the group has it. Without"
    " NAME: all machines of this group, each of which gets the settings as its own (`group set` changes the group's).",
)
@click.option(
    "--as-group",
    type=SETTINGS,
    multiple=True,
    help="A setting that is as the group has it again: every, grace, storage, keep, thaw-budget, owner-mail or all."
    " May be given again.",
)
@yes_option
@click.option(
    "--job",
    help="Which of its jobs --every, --grace, --storage, --drill-every and --keep-... are for; `photos` for all folders"
    " of its pictures.  [default: all of them]",
)
@click.option("--every", type=DURATION, help="How often it should back up.")
@click.option("--grace", type=DURATION, help="How much later is still well.")
@click.option(
    "--storage-cap", type=SIZE, help="The most that the machine may store, older versions included."
)
@click.option("--download-cap", type=SIZE, help="The most that it may fetch a day, as for a large restore.")
@click.option(
    "--owner-mail",
    help="Who gets the weekly mail and the alerts about this machine: at most five addresses with commas between them,"
    " `none` for nobody.",
)
@storage_option
@after_option
@click.option(
    "--drill-every",
    type=DURATION_OR_NEVER,
    help="How often a few files are restored for real: 30d at first, `never` for no drills.",
)
@thaw_budget_option
@retention_options
@stage_options
def set_(
    name: str | None,
    group: str | None,
    as_group: tuple[list[str], ...],
    yes: bool,
    job: str | None,
    every: int | None,
    grace: int | None,
    storage_cap: int | None,
    download_cap: int | None,
    owner_mail: str | None,
    storage: str | None,
    after: int | None,
    drill_every: int | None,
    thaw_budget: str | None,
    keep_chains: int | None,
    keep_days: int | None,
    keep_yearly: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Change how often a machine backs up and is drilled, where its volumes go, how long old backups are kept, how much
    it may store, download and spend, and who owns it."""
    policy = check_words(storage, after)
    kept = {"keep_chains": keep_chains, "keep_days": keep_days, "keep_yearly": keep_yearly}
    changes = {
        "as_group": flat(as_group),
        "period_seconds": every,
        "grace_seconds": grace,
        "drill_every_seconds": drill_every,
        "storage_cap_bytes": storage_cap,
        "download_cap_bytes": download_cap,
        "owner_mail": "" if owner_mail == "none" else owner_mail,
        "thaw_budget_usd": thaw_budget,
        **kept,
        **words_of(policy),
    }
    _check_something_is_changed(name, group, changes)
    if job and all(
        of_jobs is None for of_jobs in (every, grace, policy, drill_every, *kept.values(), *as_group)
    ):
        raise click.UsageError(
            "The caps, the budget and the owner are of the whole machine: leave out --job."
        )
    change = _Change(admin_client(stage, state_folder), stage, state_folder, job, policy, changes)
    if name:
        change.of_machine(name, group, as_json)
    elif group:
        change.of_group(group, yes=yes, as_json=as_json)


def _check_something_is_changed(name: str | None, group: str | None, changes: Mapping[str, object]) -> None:
    if name is None and group is None:
        raise click.UsageError(NEITHER_NAMED)
    if all(value is None for value in changes.values()) and (name is None or group is None):
        raise click.UsageError(
            "Say what to change: --every, --grace, --storage, --drill-every, --storage-cap, --download-cap,"
            " --thaw-budget, --keep-chains, --keep-days, --keep-yearly, --owner-mail, --as-group or --group."
        )


@dataclasses.dataclass(frozen=True)
class _Change:
    """What was asked for, and whom to ask. ``policy`` is the storage that is among ``changes``."""

    client: AdminClient
    stage: str
    state_folder: Path
    job: str | None
    policy: StoragePolicy | None
    changes: Mapping[str, Any]

    def of_machine(self, name: str, group: str | None, as_json: bool) -> None:
        """``group``: the one that it is put into."""
        answer = self.client.ask(
            MachineShown, "machine_set", name=name, job=self.job, group=group, **self.changes
        )
        check_service_knows_groups(group if group != "none" else None, answer.group)
        said = self._followed(answer, group)
        sentence = f"{name}{f'/{self.job}' if self.job else ''} is changed."
        confirm(answer, as_json, " ".join([sentence, *said]))

    def of_group(self, group: str, *, yes: bool, as_json: bool) -> None:
        """Each of its machines gets the settings as its own."""
        results = for_group(
            self.client,
            group,
            "machine_set",
            "Change these?",
            yes=yes,
            as_json=as_json,
            job=self.job,
            **self.changes,
        )
        done = [one.machine for one in results if not one.error]
        if done and (self.policy or self.changes["as_group"]):
            deployed = deployed_stage(self.stage, self.state_folder)
            for line in follow_places(deployed, self.client.jobs(), done):
                click.echo(line, err=True)
        show_results(results, as_json, "changed")

    def _followed(self, answer: MachineShown, group: str | None) -> list[str]:
        """What another storage means, by whatever way it came."""
        if self.policy:
            deployed = deployed_stage(self.stage, self.state_folder)
            return follow_change(deployed, self.client, answer, self.job, self.policy)
        if group or "storage" in (self.changes["as_group"] or ()):
            deployed = deployed_stage(self.stage, self.state_folder)
            return follow_places(deployed, self.client.jobs(), {answer.machine})
        return []
