"""``make bench``: all measurements, or those that are named; exit code 1 where a budget is missed."""

from __future__ import annotations

import click
from rich.console import Console

from bench import cold_start, events, growth, report, restores, unchanged, upload


def uploads(console: Console) -> list[str]:
    """The client against duplicity's own backend and restic; it shows its numbers as they come."""
    return upload.main(say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))


def whole_restores(console: Console) -> list[str]:
    """A file of a long chain, a backup without its cache, and a restore against duplicity's own backend."""
    return restores.main(say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))


MEASUREMENTS = {
    "cold-start": cold_start.run,
    "events": events.run,
    "growth": growth.run,
    "report": report.run,
    "restores": whole_restores,
    "unchanged": unchanged.run,
    "uploads": uploads,
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
