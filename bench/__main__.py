"""``make bench``: all measurements, or those that are named; exit code 1 where a budget is missed."""

from __future__ import annotations

from collections.abc import Callable

import click
from rich.console import Console

from bench import (
    cold_start,
    events,
    growth,
    report,
    restores,
    small_files,
    speed_ups,
    thaws,
    unchanged,
    upload,
)
from bench.fleet import page, status
from bench.photos import rot, settled
from bench.years import measure as years

Run = Callable[[Console], list[str]]


def saying(measure: Callable[[Callable[[str], None]], list[str]]) -> Run:
    """Shows its numbers as they come."""
    return lambda console: measure(
        lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True)
    )


MEASUREMENTS: dict[str, Run] = {
    "cold-start": cold_start.run,
    "commands": saying(upload.commands),
    "events": events.run,
    "growth": growth.run,
    "half-a-million": saying(small_files.half_a_million),
    "page": saying(page.measure),
    "report": report.run,
    "restores": saying(restores.main),
    "rot": saying(rot.measure),
    "settled": saying(settled.main),
    "small-files": saying(small_files.main),
    "speed-ups": saying(speed_ups.main),
    "status": saying(status.measure),
    "thaws": saying(thaws.main),
    "unchanged": unchanged.run,
    "uploads": saying(upload.main),
    "years": years.run,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(MEASUREMENTS)))
def main(names: tuple[str, ...]) -> None:
    """Measure how fast the service is; without NAMES everything."""
    console = Console()
    missed = [sentence for name in names or MEASUREMENTS for sentence in MEASUREMENTS[name](console)]
    for sentence in missed:
        console.print(f"[red]Missed:[/] {sentence}")
    if missed:
        raise SystemExit(1)
    console.print("Every budget is kept.")


if __name__ == "__main__":
    main(prog_name="python -m bench")
