"""``python -m ops deploy``: the service in one's own AWS account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.costs.price_table import PriceUnknown
from chalicelib.domain.mail.phrases import count, format_money
from chalicelib.owner_wire import MachineAdded
from ops.aws import Aws
from ops.client.addresses import addresses_for_machines, install_line
from ops.commands.arguments.options import Read, console, json_option, print_json, say
from ops.commands.arguments.photo_families import about_pictures
from ops.commands.arguments.recovery_codes import show_recovery_code
from ops.commands.stage.answers import (
    Answers,
    check_lock,
    read_machine_name,
    settings_options,
    stage_from_answers,
)
from ops.commands.stage.doctor import checks_as_data, show_checks
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
from ops.deploy.access import AwsCaller, caller
from ops.deploy.cost_preview import JOB_METRIC_USD, service_month
from ops.deploy.deployer_policy import deployer_policy
from ops.deploy.pipeline import Deployment, carry_out, plan
from ops.deploy.reader_policy import reader_policy
from ops.doctor.checks import examine
from ops.doctor.patient import admin
from ops.errors import OpsError
from ops.resources.stack_parameters import chosen_before
from ops.stages import Stage
from ops.steps import Steps, silent_steps

FIRST_MACHINE = "laptop"

POLICIES = {"deployer": deployer_policy, "reader": reader_policy}


@click.command()
@stage_name_option
@region_option
@settings_options
@click.option(
    "--machine",
    type=Read("name", read_machine_name),
    metavar="NAME",
    default=FIRST_MACHINE,
    show_default=True,
    help="What the first machine is called.",
)
@click.option(
    "--photos",
    is_flag=True,
    help="The first machine backs up a folder of pictures, as `machine add --photos` does.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option(
    "--policy",
    "policy_for",
    type=click.Choice(list(POLICIES)),
    is_flag=False,
    flag_value="deployer",
    help="Only print an IAM policy: what deploying needs, or what looking needs (`--policy reader`).",
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@endpoint_option
@project_option
@json_option
def deploy(
    stage_name: str,
    region: str | None,
    machine: str,
    photos: bool,
    only_plan: bool,
    policy_for: str | None,
    yes: bool,
    endpoint: str | None,
    project: Path,
    as_json: bool,
    **answers: Any,
) -> None:
    """Create the service in your AWS account, or update it. Safe to repeat, safe to interrupt."""
    ask = not (yes or as_json)
    aws = target_aws(check_stage_name(stage_name), region, endpoint, project, ask)
    who = caller(aws)
    stage = _chosen_stage(aws, who, stage_name, Answers(**answers), ask=ask, check=policy_for is None)
    if policy_for is not None:
        print_json(POLICIES[policy_for](stage))
        return
    deployment = Deployment(aws, stage, project, LOCAL_POLL_SECONDS if endpoint else POLL_SECONDS)
    changes = plan(deployment)
    if not as_json:
        _show_plan(stage, who, changes, _jobs_with_metrics(deployment))
    elif only_plan:
        print_json({"stage": stage.name, "settings": _settings(stage), "changes": changes})
    if only_plan:
        return
    if ask and any(changes.values()):
        click.confirm("Continue?", default=True, abort=True)
    _carry_out(deployment, machine, as_json, photos=photos)


def _chosen_stage(
    aws: Aws, who: AwsCaller, stage_name: str, answers: Answers, *, ask: bool, check: bool
) -> Stage:
    """The stage as it is to be. Raises ``OpsError`` before anything is created, also for rights that are missing."""
    check_region(aws, stage_name, who)
    before = chosen_before(aws, stage_name, who.account)
    check_lock(before, answers.lock_days, answers.lock_mode)
    if check:
        check_rights(aws, before or stage_without_answers(stage_name, aws, who), who)
    stage = stage_from_answers(stage_name, aws, who, before, answers, ask)
    if check and (before is None or stage.addresses != before.addresses):
        check_rights(aws, stage, who)
    return stage


def _carry_out(deployment: Deployment, machine: str, as_json: bool, *, photos: bool) -> None:
    aws, stage = deployment.aws, deployment.stage
    done = carry_out(deployment, silent_steps() if as_json else Steps(console))
    checks = list(examine(aws, stage, deployment.project))
    first = _first_machine(aws, stage, machine, photos=photos)
    if as_json:
        print_json({"stage": stage.name, "changes": done, "checks": checks_as_data(checks), **first})
        return
    show_checks(checks)
    _show_first_machine(stage, machine, first, photos=photos)


def _show_plan(stage: Stage, who: AwsCaller, changes: dict[str, list[str]], jobs: int) -> None:
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
    console.print(f"\n{_cost(stage)}{_metrics_cost(jobs)}\n", markup=False)


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
        "webhook": f"alerts go to {stage.webhook.host} as well" if stage.webhook.host else "none",
        "metrics": "of each job" if stage.job_metrics else "none of jobs",
    }


def _jobs_with_metrics(deployment: Deployment) -> int:
    """How many metrics of jobs there will be: one on a stage that is new."""
    if not deployment.stage.job_metrics:
        return 0
    try:
        return len(admin(deployment.aws, deployment.stage).jobs()) or 1
    except OpsError:
        return 1


def _metrics_cost(jobs: int) -> str:
    """What the metrics of so many jobs come to a month; empty for none."""
    if not jobs:
        return ""
    return (
        f" The metrics of {count(jobs, 'job')} cost {format_money(jobs * JOB_METRIC_USD)} a month on top, less as far"
        " as the account's ten free ones are not used up; `--no-job-metrics` ends them."
    )


def _cost(stage: Stage) -> str:
    """What the service itself will cost, in a sentence or two."""
    table = price_table(stage.region)
    lock = (
        f" Object Lock itself costs nothing; but what it holds for {stage.lock_days} days is billed that long,"
        " whatever is deleted."
        if stage.lock_days
        else ""
    )
    if table is None:
        return f"What it costs is in docs/prices.md, for other regions than {stage.region}.{lock}"
    try:
        in_full, after_allowance = service_month(table, machines=1)
    except PriceUnknown as error:
        return (
            f"What the service itself costs is not known: {stage.region} has no price of {error} here.{lock}"
        )
    return (
        f"The service itself costs about {format_money(in_full)} a month for one machine,"
        f" {format_money(after_allowance)} within AWS's free allowances;"
        f" what is stored comes on top (docs/prices.md).{lock}"
    )


def _first_machine(aws: Aws, stage: Stage, name: str, *, photos: bool) -> dict[str, Any]:
    """The URL of the client, and a code for the first machine if there is none yet."""
    nowhere = {"api_url": None, "client_url": None, "client_requirements_url": None}
    found: dict[str, Any] = {**nowhere, **addresses_for_machines(aws, stage)}
    client = admin(aws, stage)
    if not client.machines():
        added = client.ask(MachineAdded, "machine_add", name=name, photos=photos or None)
        found |= {"code": added.code, "recovery_code": added.recovery_code}
        found |= {"about": about_pictures(added.families)} if added.families else {}
    return found


def _show_first_machine(stage: Stage, name: str, first: dict[str, Any], *, photos: bool) -> None:
    console.print()
    if "code" not in first:
        console.print(
            "On each machine, within a day, to bring its client up to date; on a new one too, before the line"
            f" that `python -m ops machine add NAME{' --photos' if photos else ''} --stage {stage.name}` prints:"
        )
        console.print(f"\n  {install_line(first)}\n", markup=False)
        return
    console.print(f"On the first machine, which is called {name} here, within a day:\n", markup=False)
    console.print(f"  {install_line(first)}", markup=False)
    console.print(f"  panicroom enrol {first['api_url']} {first['code']}", markup=False)
    console.print("  panicroom backup\n", markup=False)
    console.print(
        "The first line's URL lives for a day, or as long as your sign-in, if that is shorter; a deploy prints"
        " a new one."
    )
    for line in first.get("about", ()):
        say(f"\n{line}")
    if first["recovery_code"]:
        show_recovery_code(first["recovery_code"])
