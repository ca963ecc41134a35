"""``python -m ops machine``: which machines back up, and how often."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.markup import escape

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.backups.machines import DEFAULT_JOB
from chalicelib.domain.mail.phrases import count, format_bytes
from chalicelib.domain.photos.family import PHOTO_STORAGE
from chalicelib.owner_wire import (
    MachineAdded,
    MachineChanged,
    MachineListing,
    MachineShown,
    RecoveryMade,
    StoredCount,
)
from ops.buckets.adopt import Adoption, plan_adoption
from ops.buckets.audit import audit_bucket
from ops.buckets.found_backups import backups_to_adopt
from ops.client.addresses import addresses_for_machines
from ops.commands.arguments.options import (
    DURATION,
    DURATION_OR_NEVER,
    SIZE,
    USD,
    confirm,
    console,
    folding_table,
    print_json,
    say,
    stage_options,
    typed,
)
from ops.commands.arguments.photo_families import (
    check_families_followed,
    check_photos,
    family_line,
    jobs_shown,
    photo_options,
)
from ops.commands.arguments.recovery_codes import recovery_shown, show_new_recovery
from ops.commands.arguments.retention_choice import retention_options
from ops.commands.arguments.storage_choice import (
    after_option,
    check_followed,
    check_words,
    estimates,
    follow_change,
    policy_for,
    reason_of,
    show_estimates,
    storage_option,
    words_of,
)
from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.machine_shown import (
    show_code,
    show_job,
    thaw_budget_shown,
)
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import DeployedStage, deployed_stage
from ops.service.reconcile import jobs_to_reconcile, reconcile
from ops.steps import Steps, silent_steps
from ops.storage_costs import FirstBackup

thaw_budget_option = click.option(
    "--thaw-budget",
    type=USD,
    help="USD a month that it may spend on thaws without your approval: 1 at first, 0 for none.",
)


@click.group(cls=WholeHelp)
def machine() -> None:
    """The machines that back up to this service."""


@machine.command()
@click.argument("name")
@click.option(
    "--job", "jobs", multiple=True, help="A job of the machine; may be given again.  [default: system]"
)
@photo_options
@click.option("--every", type=DURATION, help="How often it should back up.  [default: 1d]")
@click.option("--grace", type=DURATION, help="How much later is still well.  [default: as --every]")
@click.option(
    "--bucket",
    help="A bucket with a backup that was there before; its policy and notifications are added to.",
)
@click.option(
    "--prefix", help="With --bucket: what the names of that backup's keys begin with.  [default: nothing]"
)
@click.option("--empty", is_flag=True, help="With --bucket: begin a new backup where none was found.")
@click.option("--owner-mail", help="Who gets the weekly mail and the alerts about this machine.")
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
def add(
    name: str,
    jobs: tuple[str, ...],
    photos: bool,
    source_hint: str | None,
    every: int | None,
    grace: int | None,
    bucket: str | None,
    prefix: str | None,
    empty: bool,
    owner_mail: str | None,
    storage: str | None,
    after: int | None,
    size: int | None,
    thaw_budget: str | None,
    keep_chains: int | None,
    keep_days: int | None,
    keep_yearly: int | None,
    only_plan: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Add a machine, or a new code for one that is enrolled again, and print its enrolment code.

    A machine that has no recovery code yet gets one, which is printed this once.
    """
    if bucket is None and (prefix is not None or only_plan or empty):
        raise click.UsageError("--prefix, --empty and --plan go with --bucket.")
    check_photos(photos, source_hint, bucket)
    named = check_words(storage, after)
    policy = policy_for(named or (PHOTO_STORAGE if photos and size else None), size)
    deployed = deployed_stage(stage, state_folder) if bucket or size else None
    adoption = plan_adoption(deployed, bucket, prefix or "") if deployed and bucket else None
    if adoption:
        s3 = adoption.deployed.aws.client("s3")
        found = backups_to_adopt(s3, adoption.bucket, prefix or "", may_be_empty=empty)
        if not _go_on(adoption, prefix or "", found, only_plan, as_json):
            return
    client = admin_client(stage, state_folder)
    region = deployed.stage.region if deployed else ""
    added = client.ask(
        MachineAdded,
        "machine_add",
        name=name,
        jobs=list(jobs) or None,
        photos=photos or None,
        source_hint=source_hint,
        owner_mail=owner_mail,
        **words_of(policy),
        thaw_budget_usd=thaw_budget,
        keep_chains=keep_chains,
        keep_days=keep_days,
        keep_yearly=keep_yearly,
        period_seconds=every,
        grace_seconds=grace,
        bucket=bucket,
        prefix=prefix,
    )
    if adoption:
        adoption.carry_out()
        _bring_in(adoption.deployed, client, name, stage, as_json)
    if photos:
        check_families_followed(added)
    if policy:
        check_followed(client.jobs(name), jobs or (() if photos else (DEFAULT_JOB,)), policy)
    costs = []
    if size and policy:
        backup = FirstBackup.of_photos(size) if photos else FirstBackup(size)
        costs = estimates(region, backup, policy)
        if not as_json:
            show_estimates(region, backup, policy, costs, reason_of(named, size, photos=photos))
    addresses = _addresses(stage, state_folder, client)
    show_code(added, addresses, as_json, goes_on=adoption is not None, estimates=costs)


@machine.command("list")
@stage_options
def list_(stage: str, state_folder: Path, as_json: bool) -> None:
    """List the machines."""
    answer = admin_client(stage, state_folder).ask(MachineListing, "machine_list")
    if as_json:
        print_json(answer)
        return
    table = folding_table("machine", "status", "jobs", "added", "last used")
    for row in answer.machines:
        used = row.last_used_at or "never"
        table.add_row(row.machine, row.status, jobs_shown(row), row.created_at, used)
    console.print(
        table if answer.machines else f"No machine yet: {typed('machine add NAME', stage)} adds one."
    )


@machine.command()
@click.argument("name")
@stage_options
def show(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show a machine's jobs and their sets."""
    answer = admin_client(stage, state_folder).ask(MachineShown, "machine_show", name=name)
    if as_json:
        print_json(answer)
        return
    used = answer.last_used_at or "never"
    console.print(f"[bold]{escape(answer.machine)}[/] {answer.status}, last used {used}")
    say(f"  {thaw_budget_shown(answer)}")
    for line in recovery_shown(answer.recovery):
        say(f"  {line}")
    for family in answer.families:
        say(f"\n  {family_line(family)}")
    for job in answer.jobs:
        if job.family is None:
            show_job(job)


@machine.command("set")
@click.argument("name")
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
    "--owner-mail", help="Who gets the weekly mail and the alerts about this machine; `none` for nobody."
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
    name: str,
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
    if set(changes.values()) == {None}:
        raise click.UsageError(
            "Say what to change: --every, --grace, --storage, --drill-every, --storage-cap, --download-cap,"
            " --thaw-budget, --keep-chains, --keep-days, --keep-yearly or --owner-mail."
        )
    if job and all(of_jobs is None for of_jobs in (every, grace, policy, drill_every, *kept.values())):
        raise click.UsageError(
            "The caps, the budget and the owner are of the whole machine: leave out --job."
        )
    client = admin_client(stage, state_folder)
    answer = client.ask(MachineShown, "machine_set", name=name, job=job, **changes)
    said = follow_change(deployed_stage(stage, state_folder), client, answer, job, policy) if policy else []
    confirm(answer, as_json, " ".join([f"{name}{f'/{job}' if job else ''} is changed.", *said]))


@machine.command()
@click.argument("name")
@stage_options
def rotate(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Print a code for a new token; the old token ends when the code is used."""
    client = admin_client(stage, state_folder)
    code = client.ask(MachineAdded, "machine_rotate", name=name)
    show_code(code, _addresses(stage, state_folder, client), as_json)


@machine.command()
@click.argument("name")
@stage_options
def recount(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Count what a machine has stored, for its cap, which counts every permission to upload as used."""
    answer = admin_client(stage, state_folder).ask(StoredCount, "machine_recount", name=name)
    stored, cap = format_bytes(answer.stored_bytes), format_bytes(answer.storage_cap_bytes)
    confirm(answer, as_json, f"{name} has stored {stored} of the {cap} that it may, older versions included.")


@machine.command()
@click.argument("name")
@click.option(
    "--until", help="When it is expected back, as 2026-12-24 or with a time; otherwise until `resume`."
)
@stage_options
def pause(name: str, until: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Expect no backups from a machine for a while."""
    answer = admin_client(stage, state_folder).ask(MachineChanged, "machine_pause", name=name, until=until)
    confirm(answer, as_json, f"{name} is paused {f'until {until}' if until else 'until you resume it'}.")


@machine.command()
@click.argument("name")
@stage_options
def resume(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Expect backups from a paused machine again."""
    answer = admin_client(stage, state_folder).ask(MachineChanged, "machine_resume", name=name)
    confirm(answer, as_json, f"{name} is expected to back up again.")


@machine.command()
@click.argument("name")
@stage_options
def recovery(name: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Make a new recovery code and print it this once; the old one, and who reads by it, end at once."""
    answer = admin_client(stage, state_folder).ask(RecoveryMade, "machine_recovery", name=name)
    if as_json:
        print_json(answer)
    else:
        show_new_recovery(answer)


@machine.command()
@click.argument("name")
@click.option(
    "--recovery",
    "of_recovery",
    is_flag=True,
    help="Its recovery code instead, when the sheet was lost or seen: with it end all who read by it.",
)
@stage_options
def revoke(name: str, of_recovery: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Revoke a machine's token, for example when it was stolen. Its backups stay, and its recovery code works."""
    client = admin_client(stage, state_folder)
    answer = client.ask(MachineChanged, "machine_revoke", name=name, recovery=of_recovery)
    if of_recovery:
        ended = answer.recovery_ended
        done = (
            f"The recovery code of {name} that ends in {ended}, and all who read by it, are no longer valid"
        )
        new = f"{typed(f'machine recovery {name}', stage)} makes a new one."
        confirm(answer, as_json, f"{done if ended else f'{name} has no recovery code'}; {new}")
        return
    again = typed(f"machine add {name}", stage)
    confirm(answer, as_json, f"The token of {name} is revoked; {again} makes a code for a new one.")


@machine.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stage_options
def remove(name: str, yes: bool, stage: str, state_folder: Path, as_json: bool) -> None:
    """Watch a machine no longer; what it stored stays in the bucket."""
    if not yes:
        click.confirm(f"Remove {name} from the machines that are watched? What it stored stays.", abort=True)
    answer = admin_client(stage, state_folder).ask(MachineChanged, "machine_remove", name=name)
    confirm(answer, as_json, f"{name} is removed; what it stored stays in the bucket.")


def _go_on(adoption: Adoption, prefix: str, found: list[str], only_plan: bool, as_json: bool) -> bool:
    """Shows what is in the bucket and what would change in it; asks where somebody sits at the terminal."""
    if not as_json:
        for line in found:
            say(line)
        _show_adoption(adoption, prefix)
    elif only_plan:
        print_json({"found": found, "changes": adoption.changes, "findings": _audit(adoption, prefix)})
    if only_plan or as_json or not sys.stdin.isatty():
        return not only_plan
    return click.confirm("Continue?", default=True)


def _bring_in(deployed: DeployedStage, client: AdminClient, name: str, stage: str, as_json: bool) -> None:
    """Catalogues what is there already. A failure must not cost the code: it can be typed again."""
    steps = silent_steps() if as_json else Steps(console)
    try:
        reconcile(deployed.function("reconcile"), jobs_to_reconcile(client, name, None), steps)
    except OpsError as error:
        again = typed(f"reconcile --machine {name}", stage)
        click.echo(f"Its backups are not in the catalogue yet ({error}): type {again} in a minute.", err=True)


def _audit(adoption: Adoption, prefix: str) -> list[Finding]:
    """What is wrong in the bucket before anything of it is changed."""
    return audit_bucket(adoption.deployed.aws, adoption.bucket, prefix)


def _show_adoption(adoption: Adoption, prefix: str) -> None:
    found = _audit(adoption, prefix)
    console.print(f"{adoption.bucket} as it is: {count(len(found), 'finding')}", markup=False)
    for one in found:
        say(f"  - {one.message}")
    console.print("What changes; no object is touched:", markup=False)
    for line in adoption.changes or ("nothing",):
        say(f"  - {line}")
    console.print()


def _addresses(stage_name: str, state_folder: Path, client: AdminClient) -> dict[str, str]:
    """The local stack's own address is known already."""
    if client.api_url is not None:
        return {"api_url": client.api_url}
    deployed = deployed_stage(stage_name, state_folder)
    return addresses_for_machines(deployed.aws, deployed.stage)
