"""On a new computer: folders that look new while jobs of the family have no folder. One may be the other, renamed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.settings import Settings
from panicroom.shown import named


def check_claims(
    settings: Settings,
    family: str,
    folders: Sequence[str],
    without_folder: Collection[str],
    agree: Callable[[str], bool],
) -> Problem | None:
    """Whether ``folders`` may become new jobs; if not, what to do.

    ``without_folder`` are jobs with backups for which nothing here has a name. Those of which somebody has once agreed
    that they stay so are not asked about again.
    """
    file = (
        settings.places.state / settings.machine / f"{family}.without-folder.json"
    )  # a dot is in no job's name
    left = sorted(set(without_folder) - set(_agreed(file)))
    if not folders or not left:
        return None
    text = (
        f"{named(folders)} would be uploaded as new, and {named(left)} {'has' if len(left) == 1 else 'have'} backups "
        "and no folder here"
    )
    if agree(f"{family}: {text}"):
        write_private(file, json.dumps(sorted({*_agreed(file), *left})) + "\n")
        return None
    return Problem(
        f"{text}; if a folder was renamed, say so: panicroom photos folder --job {left[0]} DIR. If they are new: "
        f"panicroom backup {family} --yes",
        ExitCode.RENAMED,
    )


def _agreed(file: Path) -> list[str]:
    try:
        return [str(job) for job in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
