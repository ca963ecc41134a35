"""``python -m ops prices``: what AWS asks, as the weekly mail counts it."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path

import click

from ops.aws import Aws
from ops.commands.arguments.options import console, json_option, print_json
from ops.commands.arguments.whole_help import WholeHelp
from ops.prices import Refreshed, refresh_prices


@click.group(cls=WholeHelp)
def prices() -> None:
    """The price tables that the weekly mail counts by."""


@prices.command()
@click.option(
    "--region", "regions", multiple=True, required=True, help="Such as eu-west-1; may be given again."
)
@click.option("--endpoint", help="Another address of the Price List API, for tests.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where to write the table.  [default: chalicelib/prices of this checkout]",
)
@json_option
def refresh(regions: tuple[str, ...], endpoint: str | None, folder: Path | None, as_json: bool) -> None:
    """Bring the tables up to date from AWS's Price List API; the next deploy takes them along."""
    today = datetime.now(timezone.utc).date()
    folders = {"folder": folder} if folder else {}
    found = [refresh_prices(Aws(None, endpoint), region, today, **folders) for region in regions]
    if as_json:
        print_json([_as_answer(one) for one in found])
        return
    for one in found:
        _show(one)


def _as_answer(found: Refreshed) -> dict[str, object]:
    changes = [
        {**dataclasses.asdict(change), "before": str(change.before) if change.before is not None else None}
        | {"after": str(change.after)}
        for change in found.changes
    ]
    return {
        "region": found.table.region,
        "changes": changes,
        "kept": list(found.kept),
        "file": str(found.path),
    }


def _show(found: Refreshed) -> None:
    region = found.table.region
    for change in found.changes:
        before = f"${change.before}" if change.before is not None else "not known"
        console.print(f"{region} {change.price}: {before} -> ${change.after}", markup=False)
    if not found.changes:
        console.print(f"{region}: nothing has changed.")
    if found.kept:
        console.print(f"{region}: not listed, and left as it was: {', '.join(found.kept)}.", markup=False)
    console.print(f"Written to {found.path}. `python -m ops deploy` takes it along.", markup=False)
