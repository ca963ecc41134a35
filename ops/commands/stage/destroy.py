"""``python -m ops destroy``: removes the service; the backups stay unless the owner wants otherwise."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.costs.price_table import PriceUnknown
from chalicelib.domain.costs.pricing import month_of_storage
from chalicelib.domain.mail.phrases import format_bytes, format_money
from ops.aws import Aws
from ops.commands.arguments.options import console
from ops.commands.stage.target import (
    LOCAL_POLL_SECONDS,
    POLL_SECONDS,
    check_region,
    check_rights,
    check_stage_name,
    endpoint_option,
    project_option,
    region_option,
    stage_name_option,
    stage_without_answers,
    target_aws,
)
from ops.deploy.access import caller
from ops.deploy.destroy import Kept, remove_data, what_stays
from ops.deploy.destroy import destroy as destroy_service
from ops.errors import OpsError
from ops.functions.chalice_record import found_record
from ops.resources.stack import kept_resources
from ops.resources.stack_parameters import chosen_before
from ops.stages import Stage
from ops.steps import Steps


@click.command()
@stage_name_option
@region_option
@click.option("--with-data", is_flag=True, help="Delete the backups too; asks for the bucket's name.")
@click.option("--bucket-name", help="With --with-data: the bucket's name, instead of being asked for it.")
@click.option("--yes", is_flag=True, help="Ask nothing; with --with-data --bucket-name is needed.")
@endpoint_option
@project_option
def destroy(
    stage_name: str,
    region: str | None,
    with_data: bool,
    bucket_name: str | None,
    yes: bool,
    endpoint: str | None,
    project: Path,
) -> None:
    """Remove the service. The backups stay, unless you give --with-data and the bucket's name."""
    aws = target_aws(stage_name, region, endpoint, project, ask=False)
    who = caller(aws)
    check_region(aws, check_stage_name(stage_name), who)
    known = chosen_before(aws, stage_name, who.account)
    stage = known or stage_without_answers(stage_name, aws, who)
    if known is None:
        check_rights(aws, stage, who)
    if known is None and not found_record(aws, stage)["resources"] and not kept_resources(aws, stage):
        raise OpsError(f"There is nothing of a stage {stage_name} in {aws.region}: nothing was removed.")
    if with_data:
        console.print(
            f"Every backup in {stage.bucket} will be deleted. Nothing brings them back.", markup=False
        )
        typed = bucket_name or (None if yes else click.prompt("The bucket's name, to go on"))
        if typed != stage.bucket:
            raise OpsError(f"That is not the bucket's name, which is {stage.bucket}: nothing was removed.")
    elif not yes:
        click.confirm(f"Remove the service {stage.prefix}? The backups stay.", abort=True)
    steps = Steps(console)
    left = destroy_service(
        aws, stage, project, steps, poll_seconds=LOCAL_POLL_SECONDS if endpoint else POLL_SECONDS
    )
    for line in left:
        console.print(line, markup=False)
    if with_data:
        remove_data(aws, stage, steps)
        console.print("Nothing of it is left.")
        return
    _show_kept(aws, stage)


def _month_of(stage: Stage, kept: Kept) -> str:
    """What keeping it costs, where the prices are known."""
    table = price_table(stage.region)
    if table is None or not kept.stored:
        return ""
    try:
        return f"; {format_money(sum(month_of_storage(table, kept.stored).values(), Decimal(0)))} a month"
    except PriceUnknown:
        return ""


def _show_kept(aws: Aws, stage: Stage) -> None:
    kept = what_stays(aws, stage)
    if kept.bucket is None and kept.table is None:
        console.print("Nothing of it is left.")
        return
    console.print("The service is gone. What stays, and is billed until you remove it:", markup=False)
    if kept.bucket:
        sizes = ", ".join(
            f"{format_bytes(tally.size_bytes)} in {name}" for name, tally in kept.stored.items()
        )
        console.print(f"  the bucket {kept.bucket}: {sizes or 'empty'}{_month_of(stage, kept)}", markup=False)
    if kept.table:
        console.print(f"  the table {kept.table}: the catalogue, a few cents a month at most", markup=False)
    console.print(
        f"`python -m ops deploy --stage {stage.name}` takes both up again, at another address, which each machine"
        " learns by `machine rotate` and enrolling again; plain duplicity restores without it (docs/leaving.md)."
        f" `python -m ops destroy --stage {stage.name} --with-data` deletes them for good.",
        markup=False,
    )
