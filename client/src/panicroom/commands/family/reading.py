"""``files``, ``versions`` and ``verify`` of a family: over all of its folders."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Iterator
from typing import TypeVar

import click

from panicroom.commands.stored_job import reading
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.files import Listing, list_files, listing_lines
from panicroom.reading.history import Version
from panicroom.reading.stored_backups import StoredBackups
from panicroom.reading.versions import list_versions, version_lines, versions_as_json
from panicroom.restore.paths import relative_index
from panicroom.restore.several.family_paths import JobFamily, WantedJob, wanted_jobs
from panicroom.restore.several.plans import END_ALL
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown, shown_path
from panicroom.stored.times import time_text

Found = TypeVar("Found")


class FoldersRead:
    """What was read of each folder of a family; what fails in one stops no other."""

    def __init__(self, settings: Settings, family: JobFamily, path: str | None) -> None:
        self._settings = settings
        self.wanted = wanted_jobs(family, () if path is None else (path,))
        self.problems: dict[str, Problem] = {}

    def each(self, read: Callable[[WantedJob, StoredBackups], Found]) -> Iterator[tuple[WantedJob, Found]]:
        for wanted in self.wanted:
            try:
                with reading(self._settings, wanted.job) as backups:
                    found = read(wanted, backups)
            except Problem as problem:
                if problem.exit_code in END_ALL or len(self.wanted) == 1:
                    raise
                self.problems[wanted.folder] = problem
            else:
                yield wanted, found

    def check(self) -> None:
        """Names each folder that could not be read. Raises ``Problem`` if there is one."""
        if not self.problems:
            return
        for folder, problem in self.problems.items():
            click.echo(f"panicroom: {shown_path(folder)}: {shown(str(problem), 2000)}", err=True)
        codes = {problem.exit_code for problem in self.problems.values()}
        raise Problem(
            f"{len(self.problems)} of {len(self.wanted)} folders could not be read",
            codes.pop() if len(codes) == 1 else ExitCode.RESTORE_INCOMPLETE,
        )


def below(wanted: WantedJob) -> tuple[bytes, ...]:
    return relative_index(wanted.paths[0], wanted.job.folder) if wanted.paths else ()


def list_family(folders: FoldersRead, time: str | None, word: str | None) -> list[Listing]:
    """The paths of each folder that has any, beginning with its name. Raises ``Problem`` where none has."""

    def read(wanted: WantedJob, backups: StoredBackups) -> Listing:
        listing = list_files(backups, below(wanted), time, word)
        paths = (dataclasses.replace(item, path=f"{wanted.folder}/{item.path}") for item in listing.paths)
        return dataclasses.replace(listing, paths=tuple(paths))

    found = [listing for _wanted, listing in folders.each(read)]
    problems = folders.problems
    if not found and problems:
        text = (
            str(next(iter(problems.values())))
            if word is None
            else f"no name in these backups has {word!r} in it"
        )
        if {problem.exit_code for problem in problems.values()} == {ExitCode.NOT_FOUND}:
            raise Problem(text, ExitCode.NOT_FOUND)
    if word is not None or time is not None:  # not every folder has what is looked for, or was there then
        folders.problems = {
            folder: each for folder, each in problems.items() if each.exit_code != ExitCode.NOT_FOUND
        }
    return found


def show_family_files(
    settings: Settings,
    family: JobFamily,
    path: str | None,
    word: str | None,
    time: str | None,
    *,
    as_json: bool,
) -> None:
    """Raises ``Problem`` where a folder could not be read."""
    folders = FoldersRead(settings, family, path)
    found = list_family(folders, time, word)
    items = [item for listing in found for item in listing.paths]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(item) for item in items], indent=1))
    else:
        _show_listings(family, found, path, time)
    folders.check()


def _show_listings(family: JobFamily, found: list[Listing], path: str | None, time: str | None) -> None:
    items = tuple(item for listing in found for item in listing.paths)
    if not found:
        return
    oldest = min(found, key=lambda listing: listing.as_of)
    is_newest = all(listing.is_newest for listing in found)
    together = dataclasses.replace(oldest, paths=items, is_newest=is_newest)
    for line in listing_lines(together):
        click.echo(line)
    newest = "the newest backup of each" if is_newest else f"backups since {time_text(oldest.as_of)}"
    count = f"{len(found)} folder{'s' if len(found) != 1 else ''}"
    click.echo(f"{together.amount()}, in {count} ({newest})", err=True)
    words = ["panicroom", "cost", *([path] if path is not None else []), "--job", family.name]
    advice = together.thaw_advice(
        shown_path(shlex.join([*words, *(["--time", time] if time is not None else [])]))
    )
    if advice is not None:
        click.echo(advice, err=True)


def show_family_versions(settings: Settings, family: JobFamily, path: str | None, *, as_json: bool) -> None:
    """Raises ``Problem`` where a folder could not be read, or a set of one cannot be opened."""
    folders = FoldersRead(settings, family, path)
    shown_json = []
    unopened: list[str] = []

    def read(wanted: WantedJob, backups: StoredBackups) -> list[Version]:
        found = list_versions(backups, below(wanted))
        unopened.extend(item.set.name for item in backups.unopened)
        return found

    for wanted, found in folders.each(read):
        if as_json:
            shown_json += [{"folder": wanted.folder, **item} for item in versions_as_json(found)]
            continue
        click.echo(f"{shown_path(wanted.folder)}:")
        for line in version_lines(found, of_path=bool(wanted.paths)):
            click.echo(line)
    if as_json:
        click.echo(json.dumps(shown_json, indent=1))
    folders.check()
    check_all_opened(unopened)


def verify_family(family: JobFamily, verify_job: Callable[[JobSettings], int]) -> None:
    """Verifies each job in turn; ``verify_job`` gives its differences. Raises ``Problem`` if one differs, or could not
    be compared."""
    differing, problems = [], {}
    for folder, job in family.folders.items():
        try:
            if verify_job(job):
                differing.append(folder)
            else:
                click.echo(f"{shown_path(folder)}: equal")
        except Problem as problem:
            if problem.exit_code in END_ALL:
                raise
            problems[folder] = problem
            click.echo(f"panicroom: {shown_path(folder)}: {shown(str(problem), 2000)}", err=True)
    count = len(family.jobs)
    if problems:
        codes = {problem.exit_code for problem in problems.values()}
        raise Problem(
            f"{len(problems)} of {count} folders could not be compared: {', '.join(map(shown_path, problems))}",
            ExitCode.TRY_LATER if ExitCode.TRY_LATER in codes else min(codes),
        )
    if differing:
        names = ", ".join(map(shown_path, differing))
        raise Problem(
            f"{len(differing)} of {count} folders differ from their backup: {names}", ExitCode.DIFFERENT
        )
    click.echo(f"{family.name}: backup and source are equal in all {count} folders")


def check_all_opened(names: list[str]) -> None:
    """Raises ``Problem`` if sets could not be opened."""
    if names:
        raise Problem(
            f"{len(names)} sets cannot be opened and are left out, the first is {names[0]}",
            ExitCode.RESTORE_INCOMPLETE,
        )
