"""What the commands about retention print: a table for each job, or short lines where the terminal is narrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

import click
from rich.table import Column, Table

from chalicelib.domain.mail.phrases import count, format_bytes
from chalicelib.domain.shown import shown
from chalicelib.owner_wire import ChainRow, JobRetention, RetentionListing
from ops.commands.arguments.options import console, say, typed
from ops.commands.arguments.retention_choice import policy_words
from ops.commands.retention.words import (
    BRING_BACK,
    WHAT_A_CHAIN_IS,
    WHEN_IT_IS_FINAL,
    becomes,
    day,
    days_of,
    gone_words,
    money,
    says_something,
    size_of,
    zone_of,
)

TABLE_FROM_COLUMNS = 80
"""Narrower, a table has no room for a sentence."""

LOUD = "bold red"


def show_preview(listing: RetentionListing, stage: str, *, whole: bool) -> None:
    """``whole``: all of the jobs, as somebody asked for them by name."""
    jobs = [job for job in listing.jobs if whole or says_something(job)]
    zone = zone_of(listing.zone)
    if not listing.jobs:
        say(f"There is no job yet: {typed('machine add NAME', stage)} adds a machine.")
        return
    if jobs:
        say(WHAT_A_CHAIN_IS)
        say_when_it_is_final(stage)
    for job in jobs:
        show_job_retention(job, zone, stage)
    others = len(listing.jobs) - len(jobs)
    if others:
        whose = count(others, "other job" if jobs else "job")
        verb = "keeps" if others == 1 else "keep"
        say(f"\n{whose} {verb} all that there is: nothing goes, and nothing waits for you.")
    _show_next_steps(jobs, stage)


def say_when_it_is_final(stage: str) -> None:
    say(WHEN_IT_IS_FINAL)
    console.print(f"  {typed(BRING_BACK, stage)}", markup=False)


def _show_next_steps(jobs: Sequence[JobRetention], stage: str) -> None:
    asking = [job for job in jobs if any(row.verdict == "needs_you" for row in job.chains)]
    if asking:
        say(f"\n{count(len(asking), 'job')} wait{'s' if len(asking) == 1 else ''} for you:")
    for job in asking:
        console.print(f"  {typed(f'retention approve {job.machine} {job.job}', stage)}", markup=False)
    if len(asking) > 1:
        console.print(f"  {typed('retention approve', stage)} shows all of them, and asks once", markup=False)


def show_job_retention(job: JobRetention, zone: tzinfo, stage: str) -> None:
    approved = f"approved {day(job.looked_at, zone)}" if job.looked_at else "never approved"
    console.print()
    say(f"{job.machine}/{job.job}: {count(len(job.chains), 'chain')}, {approved}", "bold")
    say(f"  Policy: {policy_words(job.keep_chains, job.keep_days, job.keep_yearly)}.")
    if job.held:
        say("  You hold all of this job: nothing of it goes until you release it.")
    for reason in job.blocks if any(row.why == "blocked" for row in job.chains) else ():
        say(f"  Nothing of it goes now: {shown(reason)}")
    if console.width >= TABLE_FROM_COLUMNS and job.chains:
        _show_table(job.chains, zone)
    else:
        _show_lines(job.chains, zone)
    for chain in [""] if job.held else [f" {row.chain}" for row in job.chains if row.held]:
        release = typed(f"retention hold {job.machine} {job.job}{chain} --release", stage)
        console.print(f"  {release} releases it", markup=False)
    for row in job.let_go:
        say(f"  {gone_words(row, zone)}")
    _show_loose(job)


def _show_table(chains: Sequence[ChainRow], zone: tzinfo) -> None:
    table = Table(Column("chain", no_wrap=True), "sets", "size", "a month", "what becomes of it")
    for row in chains:
        days = days_of(row, zone).replace(" to ", " to\n")
        monthly = "unknown" if row.monthly is None else money(row.monthly)
        numbers = f"{row.sets:,}", format_bytes(row.bytes), monthly
        table.add_row(
            f"{days}\n{row.chain}", *numbers, shown(becomes(row, zone, is_newest=row is chains[-1]))
        )
    console.print(table, soft_wrap=False)


def _show_lines(chains: Sequence[ChainRow], zone: tzinfo) -> None:
    for row in chains:
        say(f"  {days_of(row, zone)}")
        say(f"    {row.chain}")
        say(f"    {', '.join(size_of(row))}")
        say(f"    {shown(becomes(row, zone, is_newest=row is chains[-1]))}")


def _show_loose(job: JobRetention) -> None:
    """Counted by state; the names are needed where the owner asks for one job only, and are in the JSON."""
    if not job.loose:
        return
    states = Counter(one.state for one in job.loose)
    words = ", ".join(f"{number:,} {state}" for state, number in states.items())
    size = format_bytes(sum(one.bytes for one in job.loose))
    say(
        f"  Besides, in no chain, and never let go by itself: {count(len(job.loose), 'set')} ({words}), {size}."
    )


def warn_of_critical(jobs: Sequence[JobRetention], *, err: bool) -> None:
    """Approving says "these are mine": whoever does it should know what is wrong."""
    for job in jobs:
        if not job.critical:
            continue
        lines = [f"LOOK FIRST: something is wrong with {job.machine}/{job.job}."]
        lines += [f"  - {shown(message)}" for message in job.critical]
        lines.append(
            "If any of these backups is not yours, do not approve: `python -m ops set quarantine"
            f" {job.machine} {job.job} SET` hides one, and nothing is deleted."
        )
        if err:
            for line in lines:
                click.echo(line, err=True)
        else:
            for line in lines:
                say(line, LOUD)
