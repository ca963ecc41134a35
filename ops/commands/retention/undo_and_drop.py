"""``python -m ops retention undo`` and ``drop``: the files are changed by the owner's own credentials, as no function
may delete a version or a marker."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import EXIT_CODES
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.mail.phrases import count, format_bytes
from chalicelib.domain.retention.naming import matching
from chalicelib.owner_wire import DropPlan, LetGoRow, RetentionListing, UndoEnded, moment_of
from ops.buckets.let_go_files import DropSurvey, StandsOver, bring_back_let_go, remove_for_good, survey
from ops.commands.arguments.for_good import check_typed, fee_line, minute_utc
from ops.commands.arguments.options import console, print_json, say, stage_options, typed
from ops.commands.retention.shown import LOUD
from ops.commands.retention.words import zone_of
from ops.service.admin_client import AdminClient, admin_client
from ops.service.deployed_stage import DeployedStage, deployed_stage
from ops.service.reconcile import reconcile
from ops.steps import Steps, silent_steps


@click.command()
@click.argument("machine")
@click.argument("job")
@click.argument("chain")
@stage_options
def undo(machine: str, job: str, chain: str, stage: str, state_folder: Path, as_json: bool) -> None:
    """Bring back a chain that was let go, while its files are there, and hold it.

    After a failure type it again: it goes on where it was.
    """
    client = admin_client(stage, state_folder)
    there = _is_there(client, machine, job, chain)
    if there is not None:
        _say_there_already(machine, job, there, as_json)
        return
    row = client.ask(LetGoRow, "retention_undo", name=machine, job=job, chain=chain)
    deployed = deployed_stage(stage, state_folder)
    s3, place = deployed.aws.client("s3"), Location(row.bucket, row.prefix)
    back = bring_back_let_go(s3, place, _sets(row), moment_of(row.begun_at))
    _look_again(deployed, machine, job, as_json)
    replaced = [one.name for one in back.stand_over]
    ended = client.ask(
        UndoEnded, "retention_undone", name=machine, job=job, chain=row.chain, replaced=replaced
    )
    if as_json:
        print_json(ended)
    elif ended.is_back:
        say(
            f"{row.chain} of {machine}/{job} is back, all {row.files:,} files, and the machine can restore from it."
        )
        say(
            f"You hold it now: it stays until {typed(f'retention hold {machine} {job} {row.chain} --release', stage)}."
        )
    else:
        say(f"It cannot be brought back whole. {ended.message}", LOUD)
        for line in _not_back(row, back.stand_over, stage):
            say(line)
    if not ended.is_back:
        sys.exit(EXIT_CODES[Severity.CRITICAL])


MOST_NAMED = 10


def _not_back(row: LetGoRow, stand_over: Sequence[StandsOver], stage: str) -> list[str]:
    """What is left of the chain, and what the owner can do."""
    hidden = "All of it stays hidden; your other backups are not touched."
    words = f"{row.machine} {row.job} {row.chain}"
    if not stand_over:
        return [hidden, f"{typed(f'retention drop {words}', stage)} removes the rest of it."]
    lines = [
        f"aws s3api delete-object --bucket {row.bucket} --key {shlex.quote(one.key)} --version-id {one.version_id}"
        for one in stand_over[:MOST_NAMED]
    ]
    more = (
        f", {count(len(stand_over) - MOST_NAMED, 'more file')} after that" if stand_over[MOST_NAMED:] else ""
    )
    return [
        hidden,
        f"These versions were stored over its files, by nobody who should{more}. This removes them:",
        *lines,
        f"After that {typed(f'retention undo {words}', stage)} goes on and brings the chain back.",
    ]


def _is_there(client: AdminClient, machine: str, job: str, chain: str) -> str | None:
    """The chain's name, where it was not let go, or is back already."""
    listing = client.ask(RetentionListing, "retention_preview", name=machine, job=job)
    zone = zone_of(listing.zone)
    there = {SetId.parse(row.chain): moment_of(row.first_at) for one in listing.jobs for row in one.chains}
    gone = {SetId.parse(row.chain): moment_of(row.begun_at) for one in listing.jobs for row in one.let_go}
    found = matching(chain, {**there}, zone)
    return str(found[0]) if len(found) == 1 and not matching(chain, {**gone}, zone) else None


def _say_there_already(machine: str, job: str, chain: str, as_json: bool) -> None:
    sentence = f"{chain} of {machine}/{job} is there: nothing is to be brought back."
    if as_json:
        print_json(UndoEnded(machine, job, chain, True, sentence))
    else:
        say(sentence)


@click.command()
@click.argument("machine")
@click.argument("job")
@click.argument("chain")
@click.option(
    "--confirm", "confirmed", metavar="NAME", help="For scripts: the whole name, instead of typing it back."
)
@stage_options
def drop(
    machine: str, job: str, chain: str, confirmed: str | None, stage: str, state_folder: Path, as_json: bool
) -> None:
    """Remove a chain, or a set that belongs to none, for good and at once; nobody can bring it back.

    Its bytes and AWS's fee are shown first, and its name has to be typed back.
    """
    client = admin_client(stage, state_folder)
    plan = client.ask(DropPlan, "retention_drop_plan", name=machine, job=job, chain=chain)
    deployed = deployed_stage(stage, state_folder)
    s3, place = deployed.aws.client("s3"), Location(plan.bucket, plan.prefix)
    sets, prices = [SetId.parse(text) for text in plan.sets], price_table(deployed.stage.region)
    found = survey(s3, place, sets, prices, plan.archive_after_days, datetime.now(timezone.utc))
    for line in drop_lines(plan, found):
        click.echo(line, err=as_json)
    check_typed(plan.chain, confirmed, as_json)
    client.ask(LetGoRow, "retention_drop", name=machine, job=job, chain=plan.chain, sets=list(plan.sets))
    removed = remove_for_good(s3, place, sets)
    _look_again(deployed, machine, job, as_json)
    ended = client.ask(LetGoRow, "retention_dropped", name=machine, job=job, chain=plan.chain)
    if as_json:
        print_json(ended)
        return
    say(
        f"Removed for good: {plan.chain} of {machine}/{job}, {count(removed.gone.count, 'file')},"
        f" {format_bytes(removed.gone.size_bytes)}."
    )
    if removed.held_until is not None:
        again = typed(f"retention drop {machine} {job} {plan.chain}", stage)
        until = minute_utc(removed.held_until)
        say(
            f"Object Lock holds {count(removed.held.count, 'file')} ({format_bytes(removed.held.size_bytes)}) back"
            f" until {until}: hidden, and billed until you type {again} after that."
        )


def drop_lines(plan: DropPlan, found: DropSurvey) -> list[str]:
    """What is said before the name is typed."""
    what = f"the chain {plan.chain}" if plan.what == "chain" else f"the set {plan.chain} ({plan.what})"
    whole = (
        f"You are about to remove {what} of {plan.machine}/{plan.job} for good: {count(len(plan.sets), 'set')},"
        f" {count(found.versions.count, 'file')}, {format_bytes(found.versions.size_bytes)}, older versions included."
    )
    lines = [whole]
    if plan.leaves_none:
        lines.append(
            f"THIS IS THE LAST ONE: {plan.machine}/{plan.job} has no other backup that can be restored."
        )
    elif plan.is_newest:
        lines.append("THIS IS THE NEWEST ONE: only older backups of this job are left.")
    lines += [fee_line(one.storage_class, one.versions, one.fee) for one in found.classes]
    if found.locked_until is not None:
        lines.append(
            f"  Object Lock holds {count(found.locked.count, 'file')} ({format_bytes(found.locked.size_bytes)}) back"
            f" until {minute_utc(found.locked_until)}; they are hidden at once."
        )
    return [*lines, "There is no way back: `retention undo` does not bring it back."]


def _look_again(deployed: DeployedStage, machine: str, job: str, as_json: bool) -> None:
    """The catalogue by the bucket: S3's events may come late."""
    steps = silent_steps() if as_json else Steps(console)
    reconcile(deployed.function("reconcile"), [(machine, job)], steps)


def _sets(row: LetGoRow) -> list[SetId]:
    return [SetId.parse(text) for text in row.sets]
