"""What the commands about machines print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

from rich.markup import escape

from chalicelib.domain.backups.machines import DAY_SECONDS
from chalicelib.domain.mail.phrases import count, format_bytes, format_money, format_small_money
from chalicelib.domain.shown import shown
from chalicelib.fleet_wire import MachineResult
from chalicelib.owner_wire import (
    JobShown,
    MachineAdded,
    MachineShown,
    SetRow,
)
from chalicelib.wire import DrillOutcome, DrillStatus
from ops.client.addresses import install_line
from ops.commands.arguments.durations import show_duration
from ops.commands.arguments.group_settings import sources_shown
from ops.commands.arguments.options import console, folding_table, print_json, say
from ops.commands.arguments.photo_families import about_pictures, what_is_added
from ops.commands.arguments.recovery_codes import show_recovery_code
from ops.commands.arguments.retention_choice import policy_words
from ops.commands.arguments.storage_choice import Estimate, policy_of, policy_shown
from ops.commands.thaws.shown import time_shown


def show_code(
    added: MachineAdded,
    addresses: dict[str, str],
    as_json: bool,
    *,
    goes_on: bool = False,
    estimates: Sequence[Estimate] = (),
) -> None:
    """The lines to type on the machine. ``goes_on``: with a backup that its own script made until now."""
    if as_json:
        costs = {"estimates": list(estimates)} if estimates else {}
        print_json({**dataclasses.asdict(added), **addresses, **costs})
        return
    console.print(
        f"Machine [bold]{escape(added.machine)}[/] with {what_is_added(added.jobs, added.families)}."
    )
    console.print(f"On that machine, before {added.code_expires_at}:\n")
    if "client_url" in addresses:
        console.print(f"  {install_line(addresses)}", markup=False)
    console.print(f"  panicroom enrol {addresses.get('api_url', 'URL')} {added.code}", markup=False)
    for line in about_pictures(added.families):
        say(f"\n{line}")
    if goes_on:
        for line in ("import-conf CONF EXCLUDE", "backup", "schedule install"):
            console.print(f"  panicroom {line}", markup=False)
        console.print(
            "\nCONF and EXCLUDE are the files of the script that made the backups until now; leave that line out where"
            "\nthere is none. When the first backup is done, end the script and delete its AWS keys."
        )
    if added.recovery_code:
        show_recovery_code(added.recovery_code)
    elif added.recovery:
        made = f"made {added.recovery.made_at}, ends in {added.recovery.last_group}"
        say(f"\nIts recovery code ({made}) stays valid, and so does the sheet with it.")


def show_codes(results: Sequence[MachineResult], addresses: dict[str, str], as_json: bool) -> None:
    """Of several machines, the line to type on each."""
    if as_json:
        print_json([{**dataclasses.asdict(result), **addresses} for result in results])
        return
    for result in results:
        if result.added:
            url = addresses.get("api_url", "URL")
            say(f"{result.machine}, before {result.added.code_expires_at}:")
            console.print(f"  panicroom enrol {url} {result.added.code}", markup=False)
        else:
            say(f"{result.machine}: {result.error}")


def thaw_budget_shown(machine: MachineShown) -> str:
    """``thaws: $0.12 of $1.00 this month``."""
    budget = format_money(Decimal(str(machine.thaw_budget_usd)))
    if not machine.thaw_budget_usd:
        return "thaws: each one needs your approval"
    return f"thaws: {format_small_money(Decimal(str(machine.thaw_reserved_usd)))} of {budget} this month"


def show_job(job: JobShown) -> None:
    console.print(
        f"\n  [bold]{escape(job.job)}[/] {job.state}, every {show_duration(job.period_seconds)}"
        f" (grace {show_duration(job.grace_seconds)}),"
        f" newest complete {job.newest_complete_at or 'never'},"
        f" {format_bytes(job.stored_bytes)} stored"
    )
    say(f"  volumes {policy_shown(policy_of(job))}")
    say(f"  retention: {policy_words(job.keep_chains, job.keep_days, job.keep_yearly)}")
    say(f"  {sources_shown(job.sources)}")
    if job.drill:
        say(f"  drills {drills_shown(job.drill)}")
    table = folding_table("set", "volumes", "size", "state")
    for row in job.sets:
        expected = row.volumes_expected
        volumes = f"{row.volumes} of {expected}" if expected else str(row.volumes)
        table.add_row(row.set, volumes, format_bytes(row.bytes), set_state(row))
    if job.sets:
        console.print(table)


def drills_shown(drill: DrillStatus) -> str:
    """``every 30 days: passed at 2026-11-30 20:00 UTC``."""
    wanted = (
        f"every {count(drill.every_seconds // DAY_SECONDS, 'day')}" if drill.every_seconds else "not wanted"
    )
    if drill.outcome is None:
        return f"{wanted}: none yet"
    said = _OUTCOMES[drill.outcome].format(time_shown(drill.reported_at))
    why = f" ({shown(drill.message)})" if drill.message else ""  # whoever has the token chose it
    is_older = drill.passed_at and drill.outcome is not DrillOutcome.PASSED
    passed = f", the last one passed at {time_shown(drill.passed_at)}" if is_older else ""
    return f"{wanted}: {said}{why}{passed}"


_OUTCOMES = {
    DrillOutcome.PASSED: "passed at {}",
    DrillOutcome.FAILED: "failed at {}",
    DrillOutcome.ASKED: "waiting for archived volumes at {}",
    DrillOutcome.SKIPPED: "could not be tried at {}",
}


def set_state(row: SetRow) -> str:
    """A set's state in words."""
    if row.gaps:
        state = f"missing volumes {row.gaps}"
    elif row.complete:
        state = "complete"
    else:
        state = "unproven" if row.sealed else "open"
    return f"in quarantine ({state})" if row.quarantined else state
