"""``python -m ops machine add``: a machine, its jobs, and the code that enrols it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chalicelib.domain.backups.machines import DEFAULT_JOB
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.photos.family import PHOTO_STORAGE
from chalicelib.owner_wire import MachineAdded
from ops.buckets.adopt import plan_adoption
from ops.commands.arguments.group_settings import check_service_knows_groups
from ops.commands.arguments.options import SIZE, stage_options
from ops.commands.arguments.photo_families import (
    check_families_followed,
    check_photos,
    photo_options,
)
from ops.commands.arguments.setting_options import (
    ADDRESSES,
    retention_options,
    setting_option,
    thaw_budget_option,
)
from ops.commands.arguments.storage_choice import (
    Estimate,
    after_option,
    check_followed,
    chosen_storage,
    estimates,
    policy_for,
    reason_of,
    show_estimates,
    storage_arguments,
    storage_option,
)
from ops.commands.machines.add_many import from_a_file
from ops.commands.machines.adoption import bring_in, go_on
from ops.commands.machines.codes import addresses_of
from ops.commands.machines.shown import show_code
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import DeployedStage, deployed_stage
from ops.storage_costs import FirstBackup


@click.command()
@click.argument("name", required=False)
@click.option(
    "--job", "jobs", multiple=True, help="A job of the machine; may be given again.  [default: system]"
)
@photo_options
@setting_option("every", "How often it should back up.  [default: 1d]")
@setting_option("grace", "How much later is still well.  [default: as --every]")
@click.option(
    "--bucket",
    help="A bucket with a backup that was there before; its policy and notifications are added to.",
)
@click.option(
    "--prefix", help="With --bucket: what the names of that backup's keys begin with.  [default: nothing]"
)
@click.option("--empty", is_flag=True, help="With --bucket: begin a new backup where none was found.")
@click.option("--group", help="The group that it is put into: what is not said here is as the group has it.")
@setting_option("owner_mail", f"Who gets the weekly mail and the alerts about this machine: {ADDRESSES}")
@storage_option
@after_option
@click.option(
    "--size",
    type=SIZE,
    help="About how large its source is: both sums are shown, and without --storage the class goes by it"
    " (`instant`, from 100 GB on `deep`).  [default: unknown, and so `instant`]",
)
@thaw_budget_option
@retention_options
@click.option(
    "--plan", "only_plan", is_flag=True, help="With --bucket: only read it, and show what would change."
)
@stage_options
@from_a_file
def add(
    name: str,
    jobs: tuple[str, ...],
    photos: bool,
    source_hint: str | None,
    bucket: str | None,
    prefix: str | None,
    empty: bool,
    group: str | None,
    storage: str | None,
    after: int | None,
    size: int | None,
    only_plan: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Add a machine, or a new code for one that is enrolled again, and print its enrolment code.

    A machine that has no recovery code yet gets one, which is printed this once. With --from many machines are added at
    once: all of the file, or nothing of it where something is wrong.
    """
    if bucket is None and (prefix is not None or only_plan or empty):
        raise click.UsageError("--prefix, --empty and --plan go with --bucket.")
    _check_one_chooses_storage(group, size, storage)
    check_photos(photos, source_hint, bucket)
    named = chosen_storage(storage, after)
    policy = policy_for(named or (PHOTO_STORAGE if photos and size else None), size)
    deployed = deployed_stage(stage, state_folder) if bucket or size else None
    adoption = plan_adoption(deployed, bucket, prefix or "") if deployed and bucket else None
    if adoption and not go_on(
        adoption, prefix or "", only_plan=only_plan, as_json=as_json, may_be_empty=empty
    ):
        return
    client = admin_client(stage, state_folder)
    added = client.ask(
        MachineAdded,
        "machine_add",
        name=name,
        jobs=list(jobs) or None,
        photos=photos or None,
        source_hint=source_hint,
        group=group,
        bucket=bucket,
        prefix=prefix,
        **settings,
        **storage_arguments(policy),
    )
    check_service_knows_groups(group, added.group)
    if adoption:
        adoption.carry_out()
        bring_in(adoption.deployed, client, name, stage, as_json)
    _check_followed(client, added, jobs, policy, photos=photos)
    costs = _estimated(deployed, size, named, policy, photos=photos, silent=as_json)
    show_code(
        added,
        addresses_of(stage, state_folder, client),
        as_json,
        goes_on=adoption is not None,
        estimates=costs,
    )


def _check_one_chooses_storage(group: str | None, size: int | None, storage: str | None) -> None:
    if group and size and not storage:
        raise click.UsageError(
            "--size chooses a storage class, and so may the group: name one with --storage."
        )


def _check_followed(
    client: AdminClient,
    added: MachineAdded,
    jobs: Sequence[str],
    policy: StoragePolicy | None,
    *,
    photos: bool,
) -> None:
    """Raises ``OpsError`` where an older service has passed over what was asked for."""
    if photos:
        check_families_followed(added)
    if policy:
        check_followed(client.jobs(added.machine), jobs or (() if photos else (DEFAULT_JOB,)), policy)


def _estimated(
    deployed: DeployedStage | None,
    size: int | None,
    named: StoragePolicy | None,
    policy: StoragePolicy | None,
    *,
    photos: bool,
    silent: bool,
) -> list[Estimate]:
    """What a backup of ``size`` costs, shown unless ``silent``; nothing where no size was given."""
    if not deployed or not size or not policy:
        return []
    backup = FirstBackup.of_photos(size) if photos else FirstBackup(size)
    costs = estimates(deployed.stage.region, backup, policy)
    if not silent:
        show_estimates(deployed.stage.region, backup, policy, costs, reason_of(named, size, photos=photos))
    return costs
