"""``python -m ops retention preview | approve | hold | run``, and the group that ``undo`` and ``drop`` belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.naming import NotNamed, the_one
from chalicelib.owner_wire import JobRetention, RetentionListing, RetentionRan, moment_of
from ops.commands.arguments.options import confirm, console, print_json, say, stage_options, typed
from ops.commands.arguments.whole_help import WholeHelp
from ops.commands.retention.shown import (
    say_when_it_is_final,
    show_job_retention,
    show_preview,
    warn_of_critical,
)
from ops.commands.retention.undo_and_drop import drop, undo
from ops.commands.retention.words import (
    WHAT_A_CHAIN_IS,
    WHAT_APPROVING_DOES,
    day,
    differences,
    gone_words,
    needs_look,
    zone_of,
)
from ops.errors import OpsError
from ops.service.admin_client import AdminClient, admin_client


@click.group(cls=WholeHelp)
def retention() -> None:
    """Old backups: what goes, what stays, and what you say of it.

    Begin with `preview`. Nothing goes until you `approve` what is there; from then on old backups go by themselves,
    each named in two weekly mails before, and for 30 days `undo` brings one back.
    """


retention.add_command(undo)
retention.add_command(drop)


@retention.command()
@click.argument("machine", required=False)
@click.argument("job", required=False)
@stage_options
def preview(machine: str | None, job: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Show what becomes of each chain of backups, when, and what it costs. Nothing is changed."""
    listing = _preview(admin_client(stage, state_folder), machine, job)
    if as_json:
        print_json(listing)
    else:
        show_preview(listing, stage, whole=machine is not None)


@retention.command()
@click.argument("machine", required=False)
@click.argument("job", required=False)
@click.argument("chain", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@stage_options
def approve(
    machine: str | None,
    job: str | None,
    chain: str | None,
    yes: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Say that you have seen the backups that are shown, and that they are yours: older ones may go then.

    With a CHAIN that one may go though the newer ones are much smaller, or came after another enrolment.
    """
    client = admin_client(stage, state_folder)
    listing = _preview(client, machine, job)
    jobs = _to_approve(listing, job, chain)
    if not jobs:
        _nothing_to_approve(listing, as_json)
        return
    named = _named(jobs[0], chain, listing.zone) if chain else None
    if not as_json:
        _show_list(jobs, listing.zone, named, stage)
    warn_of_critical(jobs, err=as_json)
    if not yes:
        click.confirm(f"Approve {_jobs_named(jobs)}?", abort=True, err=as_json)
    looks = [{"machine": one.machine, "job": one.job, "digest": one.digest} for one in jobs]
    answer = client.ask(RetentionListing, "retention_approve", looks=looks, chain=named)
    _show_approved(jobs, answer, stage, as_json)


def _to_approve(listing: RetentionListing, job: str | None, chain: str | None) -> list[JobRetention]:
    """With a job named, that one unless there is nothing in it to see; else those in which it changes anything."""
    if job is not None:
        return [
            one for one in listing.jobs if chain or one.critical or any(not row.seen for row in one.chains)
        ]
    return [one for one in listing.jobs if needs_look(one)]


def _nothing_to_approve(listing: RetentionListing, as_json: bool) -> None:
    empty = not any(job.chains for job in listing.jobs)
    reason = "there is no finished backup yet" if empty else "no old backup waits for your look"
    confirm(RetentionListing((), zone=listing.zone), as_json, f"Nothing to approve: {reason}.")


def _named(job: JobRetention, typed_name: str, zone: str) -> str:
    chains = {SetId.parse(row.chain): moment_of(row.first_at) for row in job.chains}
    try:
        return str(the_one(typed_name, {**chains}, zone_of(zone), f"{job.machine}/{job.job}"))
    except NotNamed as error:
        gone = [row for row in job.let_go if typed_name in row.chain]
        raise OpsError(gone_words(gone[0], zone_of(zone)) if gone else str(error)) from None


def _show_list(jobs: Sequence[JobRetention], zone: str, named: str | None, stage: str) -> None:
    say(WHAT_A_CHAIN_IS)
    for job in jobs:
        show_job_retention(job, zone_of(zone), stage)
    console.print()
    say(WHAT_APPROVING_DOES)
    say_when_it_is_final(stage)
    if named:
        say(
            f"You name {named}: it may go even if the newer ones are much smaller, or came after the machine was"
            " enrolled anew."
        )
    console.print()


def _jobs_named(jobs: Sequence[JobRetention]) -> str:
    names = [f"{job.machine}/{job.job}" for job in jobs]
    return names[0] if len(names) == 1 else f"these {len(names)} jobs"


def _show_approved(jobs: Sequence[JobRetention], answer: RetentionListing, stage: str, as_json: bool) -> None:
    """Raises ``OpsError`` where a list was another by the time it was approved."""
    if as_json:
        print_json(answer)
    now = {f"{job.machine}/{job.job}": job for job in answer.jobs}
    zone = zone_of(answer.zone)
    changed = []
    for before in jobs:
        name = f"{before.machine}/{before.job}"
        after = now[name]
        if name in answer.changed:
            changed.append(
                f"{name} was not approved, it has changed: {'; '.join(differences(before, after, zone))}."
            )
        elif not as_json:
            say(f"Approved: {name}. {_what_comes(after, answer.zone)}")
    if changed:
        raise OpsError(f"{' '.join(changed)} Look again: {typed('retention approve', stage)}")


def _what_comes(job: JobRetention, zone: str) -> str:
    if job.held or any(row.held for row in job.chains):
        return "What you hold stays all the same, until you release it."
    goes = [row.goes_on for row in job.chains if row.goes_on is not None]
    if goes:
        first = day(min(goes), zone_of(zone))
        return f"The next chain goes on {first} at the earliest; weekly mails name it before."
    return "Nothing goes yet: `python -m ops retention preview` says why."


@retention.command()
@click.argument("machine")
@click.argument("job")
@click.argument("chain", required=False)
@click.option("--release", is_flag=True, help="Let retention decide on it again.")
@stage_options
def hold(
    machine: str,
    job: str,
    chain: str | None,
    release: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Keep a chain, or without one all of a job, whatever is newer, until you release it."""
    client = admin_client(stage, state_folder)
    name = None
    if chain is not None:
        listing = _preview(client, machine, job)
        name = _named(listing.jobs[0], chain, listing.zone)
    answer = client.ask(
        RetentionListing, "retention_hold", name=machine, job=job, chain=name, release=release
    )
    what = f"{name} of {machine}/{job}" if name else f"all of {machine}/{job}"
    again = typed(" ".join(["retention hold", machine, job, *([name] if name else []), "--release"]), stage)
    released = f"Released: retention decides on {what} again."
    if release and name and answer.jobs[0].held:
        released = f"{what} is not held by itself any more, but you hold all of the job still."
    confirm(answer, as_json, released if release else f"You hold {what}: it stays until you type {again}.")


@retention.command()
@click.argument("machine", required=False)
@click.argument("job", required=False)
@stage_options
def run(machine: str | None, job: str | None, stage: str, state_folder: Path, as_json: bool) -> None:
    """Let go now what would go at the next daily run: at most one chain of a job a day."""
    client = admin_client(stage, state_folder)
    listing = _preview(client, machine, job)
    ran = [
        client.ask(RetentionRan, "retention_run", name=one.machine, job=one.job)
        for one in listing.jobs
        if job is not None or _has_work(one)
    ]
    answer = RetentionRan(
        tuple(row for one in ran for row in one.let_go), tuple(line for one in ran for line in one.waits)
    )
    if as_json:
        print_json(answer)
        return
    zone = zone_of(listing.zone)
    for row in answer.let_go:
        say(f"{row.machine}/{row.job}: {gone_words(row, zone)}")
        if row.state == "hidden":
            back = typed(f"retention undo {row.machine} {row.job} {row.chain}", stage)
            console.print(f"  {back} brings it back", markup=False)
    for line in answer.waits:
        say(line)
    if not ran or not (answer.let_go or answer.waits):
        say(f"Nothing goes now: {typed('retention preview', stage)} says why.")


def _has_work(job: JobRetention) -> bool:
    return any(row.verdict == "goes" for row in job.chains) or any(row.state == "going" for row in job.let_go)


def _preview(client: AdminClient, machine: str | None, job: str | None) -> RetentionListing:
    return client.ask(RetentionListing, "retention_preview", name=machine, job=job)
