"""``python -m ops deploy``, ``doctor`` and ``destroy``: the service in one's own AWS account."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import boto3
import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.costs.price_table import PriceUnknown
from chalicelib.domain.costs.pricing import month_of_storage
from ops.aws import Aws
from ops.commands.options import Read, console, json_option, print_json
from ops.commands.sizes import show_size
from ops.deploy.access import Caller, caller, missing_rights
from ops.deploy.client_wheel import addresses_for_machines
from ops.deploy.deployer_policy import deployer_policy
from ops.deploy.destroy import Kept, remove_data, what_stays
from ops.deploy.destroy import destroy as destroy_service
from ops.deploy.pipeline import Deployment, carry_out, plan
from ops.doctor.checks import Check, admin, examine
from ops.errors import OpsError
from ops.functions.chalice_config import configured_region
from ops.functions.chalice_record import found_record
from ops.functions.package import PROJECT
from ops.functions.roles import region_of_roles
from ops.resources.stack import kept_resources
from ops.resources.stack_parameters import (
    check_stage_name,
    chosen_before,
    read_address,
    read_addresses,
    read_budget,
    read_endpoint,
    read_machine_name,
    read_region,
    read_time_zone,
)
from ops.stages import Stage
from ops.steps import Steps, silent_steps
from tools.docs.price_examples import service_month, usd

FIRST_MACHINE = "laptop"
POLL_SECONDS = 5
STAND_IN_POLL_SECONDS = 0.1

T = TypeVar("T")

stage_name_option = click.option(
    "--stage", "stage_name", required=True, help="What you call it: `home`, say."
)
region_option = click.option(
    "--region",
    type=Read("region", read_region),
    metavar="REGION",
    help="The AWS region.  [default: where this clone deployed it, else that of your credentials]",
)
endpoint_option = click.option(
    "--endpoint",
    type=Read("URL", read_endpoint),
    metavar="URL",
    help="A stand-in for AWS, such as the local stack's, instead of an account.",
)
project_option = click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=PROJECT,
    hidden=True,
)


@dataclasses.dataclass(frozen=True)
class Answers:
    """What was given by flags; None for what was not."""

    mail: tuple[str, ...] | None
    sender: str | None
    budget: str | None
    time_zone: str | None
    lock_days: int | None
    lock_mode: str | None


@click.command()
@stage_name_option
@region_option
@click.option(
    "--mail",
    type=Read("addresses", read_addresses),
    metavar="ADDRESS[,ADDRESS]",
    help="Where the weekly mail goes; alarms to the first.",
)
@click.option(
    "--sender",
    type=Read("address", read_address),
    metavar="ADDRESS",
    help="Where mail comes from.  [default: the first of --mail]",
)
@click.option(
    "--budget",
    type=Read("amount", read_budget),
    metavar="USD",
    help="What it may cost a month; `none` for no budget.",
)
@click.option(
    "--time-zone",
    type=Read("time zone", read_time_zone),
    metavar="ZONE",
    help="Yours, such as Europe/Berlin: for the weekly mail's hour.",
)
@click.option(
    "--lock-days",
    type=click.IntRange(0, 3650),
    help="Object Lock: for so many days S3 lets nobody delete what was stored.  [default: no lock]",
)
@click.option(
    "--lock-mode",
    type=click.Choice(["governance", "compliance"]),
    help="With --lock-days: whether somebody with a special right may end the lock.  [default: governance]",
)
@click.option(
    "--machine",
    type=Read("name", read_machine_name),
    metavar="NAME",
    default=FIRST_MACHINE,
    show_default=True,
    help="What the first machine is called.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option("--policy", "only_policy", is_flag=True, help="Only print the IAM policy that deploying needs.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@endpoint_option
@project_option
@json_option
def deploy(
    stage_name: str,
    region: str | None,
    mail: tuple[str, ...] | None,
    sender: str | None,
    budget: str | None,
    time_zone: str | None,
    lock_days: int | None,
    lock_mode: str | None,
    machine: str,
    only_plan: bool,
    only_policy: bool,
    yes: bool,
    endpoint: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Make the service in your AWS account, or bring it up to date. Safe to repeat, safe to interrupt."""
    check_stage_name(stage_name)
    ask = not (yes or as_json)
    aws = _aws(stage_name, region, endpoint, project, ask)
    who = caller(aws)
    _check_region(aws, stage_name, who)
    before = chosen_before(aws, stage_name, who.account)
    answers = Answers(mail, sender, budget, time_zone, lock_days, lock_mode)
    _check_lock(before, lock_days, lock_mode)
    if not only_policy:
        _check_rights(aws, before or _without_answers(stage_name, aws, who), who)
    stage = _stage(stage_name, aws, who, before, answers, ask)
    if only_policy:
        print_json(deployer_policy(stage))
        return
    if before is None or stage.addresses != before.addresses:
        _check_rights(aws, stage, who)
    deployment = Deployment(aws, stage, project, STAND_IN_POLL_SECONDS if endpoint else POLL_SECONDS)
    changes = plan(deployment)
    if not as_json:
        _show_plan(stage, who, changes)
    if only_plan:
        if as_json:
            print_json({"stage": stage.name, "settings": _settings(stage), "changes": changes})
        return
    if ask and any(changes.values()):
        click.confirm("Go on?", default=True, abort=True)
    done = carry_out(deployment, silent_steps() if as_json else Steps(console))
    checks = list(examine(aws, stage, project))
    first = _first_machine(aws, stage, machine)
    if as_json:
        print_json({"stage": stage.name, "changes": done, "checks": _as_data(checks), **first})
        return
    _show_checks(checks)
    _show_first_machine(stage, machine, first)


@click.command()
@stage_name_option
@region_option
@endpoint_option
@project_option
@json_option
def doctor(stage_name: str, region: str | None, endpoint: str | None, project: Path, as_json: bool) -> None:
    """Look at everything on the cloud side that a backup depends on; exit code 1 if something is wrong."""
    aws = _aws(stage_name, region, endpoint, project, ask=False)
    checks = list(examine(aws, _deployed(aws, stage_name), project))
    if as_json:
        print_json({"checks": _as_data(checks)})
    else:
        _show_checks(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)


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
    """Remove the service. The backups stay, unless --with-data and the bucket's name say otherwise."""
    aws = _aws(stage_name, region, endpoint, project, ask=False)
    who = caller(aws)
    _check_region(aws, check_stage_name(stage_name), who)
    known = chosen_before(aws, stage_name, who.account)
    stage = known or _without_answers(stage_name, aws, who)
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
        aws, stage, project, steps, poll_seconds=STAND_IN_POLL_SECONDS if endpoint else POLL_SECONDS
    )
    for line in left:
        console.print(line, markup=False)
    if with_data:
        remove_data(aws, stage, steps)
        console.print("Nothing of it is left.")
        return
    _show_kept(aws, stage)


# ---------------------------------------------------------------- where, who, and what was chosen


def _aws(stage_name: str, region: str | None, endpoint: str | None, project: Path, ask: bool) -> Aws:
    """Where to: by the flag, else where this clone has deployed it, else as boto3 finds it or the owner says."""
    configured = configured_region(stage_name, project / ".chalice")
    found = region or configured or boto3.Session().region_name
    if found is None and ask:
        found = _asked("AWS region (eu-central-1 is Frankfurt, us-east-1 Virginia)", read_region)
    elif found is None and endpoint:
        found = "us-east-1"
    if found is None:
        raise OpsError("No AWS region is set: name one, for example --region eu-central-1.")
    # A stand-in needs no credentials; where a person has set some for it, those are meant.
    return Aws(found, endpoint, own_keys=endpoint is not None and "AWS_ACCESS_KEY_ID" in os.environ)


def _deployed(aws: Aws, stage_name: str) -> Stage:
    stage = chosen_before(aws, check_stage_name(stage_name), caller(aws).account)
    if stage is None:
        raise OpsError(
            f"There is no stage {stage_name} in {aws.region}: `python -m ops deploy --stage {stage_name}` makes"
            " it, or name its region with --region."
        )
    return stage


def _without_answers(name: str, aws: Aws, who: Caller) -> Stage:
    """As much of a stage as is known before anybody has been asked."""
    return Stage(
        name=name,
        account=who.account,
        region=str(aws.region),
        sender="",
        recipients=(),
        on_stand_in=aws.endpoint is not None,
    )


def _check_region(aws: Aws, stage_name: str, who: Caller) -> None:
    found = region_of_roles(aws, _without_answers(stage_name, aws, who))
    if found not in (None, aws.region):
        raise OpsError(
            f"The stage {stage_name} is in {found}, and its roles serve that region alone: name another stage, or"
            f" --region {found}."
        )


def _stage(name: str, aws: Aws, who: Caller, before: Stage | None, given: Answers, ask: bool) -> Stage:
    """The stage's settings: a flag first, then what was chosen before, then what the owner answers."""
    mail = _answer(
        "--mail",
        given.mail,
        before.recipients if before else None,
        read_addresses,
        "Your mail address, for the weekly mail and alarms" if ask else None,
    )
    budget = _answer(
        "--budget",
        given.budget,
        before.monthly_budget if before else None,
        read_budget,
        "What it may cost a month, in USD (none: no budget)" if ask else None,
    )
    time_zone = _answer(
        "--time-zone",
        given.time_zone,
        before.time_zone if before else None,
        read_time_zone,
        "Your time zone, such as Europe/Berlin" if ask else None,
    )
    stage = before or _without_answers(name, aws, who)
    return dataclasses.replace(
        stage,
        sender=given.sender or stage.sender or mail[0],
        recipients=mail,
        time_zone=time_zone,
        monthly_budget=budget,
        lock_days=stage.lock_days if given.lock_days is None else given.lock_days,
        lock_mode=given.lock_mode.upper() if given.lock_mode else stage.lock_mode,
    )


def _answer(
    flag: str, given: T | None, before: T | None, read: Callable[[str], T], question: str | None
) -> T:
    """``question`` is None where nobody is to be asked."""
    known = given if given is not None else before
    if known is not None:
        return known
    if question is None:
        raise OpsError(f"{flag} is needed where nothing is asked.")
    return _asked(question, read)


def _asked(question: str, read: Callable[[str], T]) -> T:
    """Asks until the answer can be read."""
    while True:
        try:
            return read(click.prompt(question))
        except ValueError as error:
            click.echo(f"{error}.")


def _check_lock(before: Stage | None, lock_days: int | None, lock_mode: str | None) -> None:
    days = before.lock_days if before else 0
    if lock_mode is not None and not (days or lock_days):
        raise OpsError("--lock-mode says how a lock works: say for how many days by --lock-days.")
    if before is None or not days:
        return
    if lock_days == 0:
        raise OpsError("Object Lock cannot be switched off again; the days of new objects can be changed.")
    if before.lock_mode == "COMPLIANCE" and lock_mode == "governance":
        raise OpsError("A lock in compliance mode cannot be weakened: leave --lock-mode as it is.")


def _check_rights(aws: Aws, stage: Stage, who: Caller) -> None:
    refused = missing_rights(aws, stage, who)
    if refused:
        raise OpsError(
            f"{who.arn} may not do what deploying needs: {', '.join(refused[:8])}"
            f"{f' and {len(refused) - 8} more' if len(refused) > 8 else ''}."
            f" `python -m ops deploy --stage {stage.name} --policy` prints the policy to give it."
        )
    if who.is_root and not stage.on_stand_in:
        click.echo(
            "You are signed in as the account's root user. It works; but let an everyday user do this, and"
            " lock the root away: docs/getting-started.md says how.",
            err=True,
        )


# ---------------------------------------------------------------- what is shown


def _show_plan(stage: Stage, who: Caller, changes: dict[str, list[str]]) -> None:
    console.print(
        f"{stage.prefix} in account {stage.account}, {stage.region}, as {who.arn.rpartition('/')[2]}\n",
        markup=False,
    )
    for name, value in _settings(stage).items():
        console.print(f"  {name + ':':8} {value}", markup=False)
    console.print()
    for title, lines in changes.items():
        console.print(f"  {title}: {'' if lines else 'nothing to do'}".rstrip(), markup=False)
        for line in lines:
            console.print(f"    - {line}", markup=False)
    console.print(f"\n{_cost(stage)}\n", markup=False)


def _settings(stage: Stage) -> dict[str, str]:
    """What was chosen, as a person reads it before going on."""
    locks = {
        "GOVERNANCE": "until then only somebody with a special right can delete what was stored",
        "COMPLIANCE": "until then nobody can delete what was stored, nor end the lock, the account's root included",
    }
    day, hour = stage.report_weekday.capitalize(), f"{stage.report_hour}:00"
    return {
        "mail": f"to {', '.join(stage.recipients)}, from {stage.sender}; {day} at {hour}, {stage.time_zone}",
        "budget": f"${stage.monthly_budget} a month" if stage.monthly_budget else "none",
        "lock": f"{stage.lock_days} days; {locks[stage.lock_mode]}" if stage.lock_days else "none",
    }


def _cost(stage: Stage) -> str:
    """What the service itself will cost, in a sentence or two."""
    table = price_table(stage.region)
    lock = (
        f" Object Lock itself costs nothing; but what it keeps for {stage.lock_days} days is billed so long,"
        " whatever is deleted."
        if stage.lock_days
        else ""
    )
    if table is None:
        return f"What it costs is in docs/prices.md, for other regions than {stage.region}.{lock}"
    in_full, after_allowance = service_month(table, machines=1)
    return (
        f"The service itself costs about {usd(in_full)} a month for one machine, {usd(after_allowance)} within AWS's"
        f" free allowances; what is stored comes on top (docs/prices.md).{lock}"
    )


def _show_checks(checks: list[Check]) -> None:
    console.print()
    for check in checks:
        console.print(f"{'[green]ok[/]   ' if check.ok else '[red]look[/] '} {check.title}")
        for line in check.wrong:
            console.print(f"       {line}", markup=False)


def _as_data(checks: list[Check]) -> list[dict[str, Any]]:
    return [{"title": check.title, "ok": check.ok, "wrong": check.wrong} for check in checks]


def _first_machine(aws: Aws, stage: Stage, name: str) -> dict[str, Any]:
    """The URL of the client, and a code for the first machine if there is none yet."""
    nowhere = {"api_url": None, "client_url": None}
    found: dict[str, Any] = {**nowhere, **addresses_for_machines(aws, stage)}
    client = admin(aws, stage)
    if not client.call("machine_list")["machines"]:
        found["code"] = client.call("machine_add", name=name)["code"]
    return found


def _show_first_machine(stage: Stage, name: str, first: dict[str, Any]) -> None:
    console.print()
    if "code" not in first:
        console.print(
            "On each machine, within a day, to bring its client up to date; on a new one too, before the line"
            f" that `python -m ops machine add NAME --stage {stage.name}` prints:"
        )
        console.print(f"\n  pipx install --force '{first['client_url']}'\n", markup=False)
        return
    console.print(f"On the first machine, which is called {name} here, within a day:\n", markup=False)
    console.print(f"  pipx install '{first['client_url']}'", markup=False)
    console.print(f"  panicroom enrol {first['api_url']} {first['code']}", markup=False)
    console.print("  panicroom backup\n", markup=False)
    console.print(
        "The first line's URL lives for a day, or as long as your sign-in, if that is shorter; a deploy prints"
        " a new one."
    )


def _month_of(stage: Stage, kept: Kept) -> str:
    """What keeping it costs, where the prices are known."""
    table = price_table(stage.region)
    if table is None or not kept.stored:
        return ""
    try:
        return f"; {usd(sum(month_of_storage(table, kept.stored).values(), Decimal(0)))} a month"
    except PriceUnknown:
        return ""


def _show_kept(aws: Aws, stage: Stage) -> None:
    kept = what_stays(aws, stage)
    if kept.bucket is None and kept.table is None:
        console.print("Nothing of it is left.")
        return
    console.print("The service is gone. What stays, and is billed until you remove it:", markup=False)
    if kept.bucket:
        sizes = ", ".join(f"{show_size(tally.size_bytes)} in {name}" for name, tally in kept.stored.items())
        console.print(f"  the bucket {kept.bucket}: {sizes or 'empty'}{_month_of(stage, kept)}", markup=False)
    if kept.table:
        console.print(f"  the table {kept.table}: the catalogue, a few cents a month at most", markup=False)
    console.print(
        f"`python -m ops deploy --stage {stage.name}` takes both up again, at another address, which each machine"
        " learns by `machine rotate` and enrolling again; plain duplicity restores without it (docs/leaving.md)."
        f" `python -m ops destroy --stage {stage.name} --with-data` deletes them for good.",
        markup=False,
    )
