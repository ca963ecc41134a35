"""Many small files, where restic is at its best: in full, with nothing changed, and at the end of a long chain."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from panicroom.duplicity_run.file_identity import CHANGE_MARGIN_SECONDS

from bench.budgets import Budgets
from bench.programs import Client, Restic, UploadTarget, make_source
from bench.upload import places, restic_is_here

ROUNDS = 5
FULL_TO_RESTIC, UNCHANGED_TO_RESTIC = 2.0, 0.7
LONG_CHAIN = 50
NOTHING_TO_DO_SECONDS = 2.0
MANY_FILES_MB = 1500
"""Megabytes of small files: half a million of them."""

MOST_MEMORY_MB = 250


def _nothing_to_do(place: UploadTarget, source: Path, budgets: Budgets) -> None:
    client = Client(place, source)
    client.back_up()
    client.kind = "incremental"
    seconds = min(client.back_up().seconds for _ in range(ROUNDS))
    budgets.check("backup of 10,000 files with nothing to do", seconds, NOTHING_TO_DO_SECONDS, " s")


def _against_restic(place: UploadTarget, source: Path, budgets: Budgets) -> None:
    made_at = time.monotonic()
    pairs = [(Client(place, source), Restic(place, source)) for _ in range(ROUNDS)]
    costs = [(client.back_up(), restic.back_up()) for client, restic in pairs]
    budgets.compare("100,000 files, full: client to restic", costs, FULL_TO_RESTIC)
    client, restic = pairs[0]
    client.kind = "incremental"
    budgets.say("  waiting until the files are no younger than almost all files of a laptop ...")
    time.sleep(max(0.0, made_at + CHANGE_MARGIN_SECONDS + 2 - time.monotonic()))
    client.back_up()  # what the set before may have missed is read again once
    _with_nothing_changed("nothing changed", client, restic, budgets)
    for number in range(LONG_CHAIN - ROUNDS):
        next(source.rglob("file-00")).write_text(f"change {number}")
        client.back_up()
    _with_nothing_changed(f"nothing changed, after {LONG_CHAIN} increments", client, restic, budgets)


def _with_nothing_changed(what: str, client: Client, restic: Restic, budgets: Budgets) -> None:
    costs = [(client.back_up(), restic.back_up()) for _ in range(ROUNDS)]
    budgets.compare(f"{what}: client to restic", costs, UNCHANGED_TO_RESTIC)


def main(say: Callable[[str], None]) -> list[str]:
    """Says seconds and ratios; the budgets that were missed."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "many").mkdir()
        few, many = make_source(folder, "small files", 30), make_source(folder / "many", "small files", 300)
        with places(folder) as found:
            _nothing_to_do(found["near"], few, budgets)
            if restic_is_here(budgets):
                _against_restic(found["near"], many, budgets)
    return budgets.missed


def half_a_million(say: Callable[[str], None]) -> list[str]:
    """Time a file and memory with 500,000 files."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        source = make_source(folder, "small files", MANY_FILES_MB)
        with places(folder) as found:
            client = Client(found["near"], source)
            for kind, what in (("full", "full"), ("incremental", "nothing changed")):
                client.kind = kind
                cost = client.back_up()
                budgets.say(f"500,000 files, {what}: {cost}")
                budgets.check(
                    f"500,000 files, {what}: memory of all processes", cost.peak_mb, MOST_MEMORY_MB, " MB"
                )
    return budgets.missed
