"""``python -m ops machine set``: what holds for a machine and its jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.owner_wire import MachineShown
from ops.commands.arguments.group_settings import SETTINGS, check_service_knows_groups, flat
from ops.commands.arguments.options import confirm, stage_options
from ops.commands.arguments.setting_options import (
    ADDRESSES,
    OF_WHOLE_MACHINES,
    retention_options,
    setting_option,
    thaw_budget_option,
)
from ops.commands.arguments.storage_choice import (
    after_option,
    chosen_storage,
    follow_change,
    follow_places,
    storage_arguments,
    storage_option,
)
from ops.commands.machines.of_group import NEITHER_NAMED, for_group, show_results, yes_option
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import deployed_stage


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
@setting_option("every", "How often it should back up.")
@setting_option("grace", "How much later is still well.")
@setting_option("storage_cap", "The most that the machine may store, older versions included.")
@setting_option("download_cap", "The most that it may fetch a day, as for a large restore.")
@setting_option("owner_mail", f"Who gets the weekly mail and the alerts about this machine: {ADDRESSES}")
@storage_option
@after_option
@setting_option(
    "drill_every", "How often a few files are restored for real: 30d at first, `never` for no drills."
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
    storage: str | None,
    after: int | None,
    stage: str,
    state_folder: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Change how often a machine backs up and is drilled, where its volumes go, how long old backups are kept, how much
    it may store, download and spend, and who owns it."""
    policy = chosen_storage(storage, after)
    changes = {"as_group": flat(as_group), **settings, **storage_arguments(policy)}
    chosen = {field for field, value in changes.items() if value is not None}
    _check_something_is_changed(name, group, chosen)
    if job and chosen <= OF_WHOLE_MACHINES:
        raise click.UsageError(
            "The caps, the budget and the owner are of the whole machine: leave out --job."
        )
    change = _Change(admin_client(stage, state_folder), stage, state_folder, job, policy, changes)
    if name:
        change.of_machine(name, group, as_json)
    elif group:
        change.of_group(group, yes=yes, as_json=as_json)


def _check_something_is_changed(name: str | None, group: str | None, chosen: Collection[str]) -> None:
    if name is None and group is None:
        raise click.UsageError(NEITHER_NAMED)
    if not chosen and (name is None or group is None):
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
        consequences = self._followed(answer, group)
        sentence = f"{name}{f'/{self.job}' if self.job else ''} is changed."
        confirm(answer, as_json, " ".join([sentence, *consequences]))

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
        done = [result.machine for result in results if not result.error]
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
