"""``panicroom files``, ``verify`` and ``duplicity``: looking at what is in the backup, by duplicity's means.

All of them work on a copy of duplicity's local folder (hard links), as a restore does: a backup may run at the
same time, and what it has not finished is none of their business. None of them may write to the backup: their
backend holds no run, and the service takes nothing without one.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import common_options, selection_options, target_url
from panicroom.duplicity_run.plan import ChildPlan, Search
from panicroom.duplicity_run.process import Ended, Event
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import parse_name
from panicroom.restore.plain import duplicity_time, relative_path
from panicroom.secrets import passphrase_of, token_of
from panicroom.settings import JobSettings, Settings

TARGET = "TARGET"
"""What ``panicroom duplicity`` takes for the job's place among the arguments."""

_TYPES = {"reg": "file", "dir": "folder", "sym": "link", "fifo": "pipe", "sock": "socket"}
_ENTRY = re.compile(r"^INFO 10 (?P<changed>\S+) '(?P<path>.*)' (?P<type>\S+)$")
_DIFFERENCES = 1
"""duplicity's exit code of a verify that found some."""


@dataclass(frozen=True)
class StoredPath:
    """A path as of the time asked for, relative to the source; ``changed_at`` is ISO 8601 in UTC."""

    path: str
    kind: str
    changed_at: str


def list_files(settings: Settings, job: JobSettings, time: str | None, path: str | None) -> list[StoredPath]:
    """What is in the backup at ``time`` (else the newest), below ``path`` or all. A Problem if nothing is."""
    below = None if path is None else relative_path(path, job.source)
    with reading_place(settings, job) as work:
        machine_log = work / "list.log"
        arguments = [
            "list-current-files",
            *common_options(settings, job.job, work / "archive", work / "tmp"),
            *(["--time", duplicity_time(time)] if time else []),
            "--log-file",
            str(machine_log),
            target_url(settings, job.job),
        ]
        _succeed(settings, _run(settings, job, arguments, work / "output"))
        found = parse_listing(machine_log.read_text(encoding="utf-8", errors="surrogateescape"))
    chosen = [item for item in found if below is None or f"{item.path}/".startswith(f"{below}/")]
    if not chosen:
        raise Problem("there is nothing of that path in the backup at that time", ExitCode.NOT_FOUND)
    return chosen


def parse_listing(text: str) -> list[StoredPath]:
    """The paths in duplicity's log for machines, where a name with a newline is still one line."""
    found = []
    for line in text.splitlines():
        match = _ENTRY.match(line)
        if match and match["path"] != ".":  # the source folder itself
            path = match["path"].encode("ascii", "replace").decode("unicode-escape")
            found.append(
                StoredPath(path, _TYPES.get(match["type"], match["type"]), duplicity_time(match["changed"]))
            )
    return found


def verify(
    settings: Settings, job: JobSettings, time: str | None, on_difference: Callable[[str], None]
) -> int:
    """Downloads the newest backup (or that at ``time``) and compares every byte of it with the source.

    ``on_difference`` gets each as it is found, a sentence; gives their number. Raises ``Problem`` if it could
    not be compared.
    """
    differences = 0

    def look(line: str) -> None:
        nonlocal differences
        if "Difference found" in line:
            differences += 1
            on_difference(re.sub(r"^.*Difference found: ", "", line))

    with reading_place(settings, job) as work:
        arguments = [
            "verify",
            *common_options(settings, job.job, work / "archive", work / "tmp"),
            "--compare-data",
            *(["--time", duplicity_time(time)] if time else []),
            *selection_options(settings, job, job.source.resolve()),
            target_url(settings, job.job),
            str(job.source.resolve()),
        ]
        ended = _run(settings, job, arguments, work / "output", look)
        # The same exit code means other trouble as well.
        if ended.stopped is not None or ended.exit_code != _DIFFERENCES or not differences:
            _succeed(settings, ended)
    return differences


def rehearse_set(settings: Settings, job: JobSettings, kind: str, search: Search) -> dict[str, float]:
    """Has duplicity go through the source as for a backup of ``kind``; its statistics. Nothing is stored."""
    numbers: dict[str, float] = {}

    def on_event(event: Event) -> None:
        if event["event"] == "statistics":
            numbers.update(event["numbers"])

    with reading_place(settings, job) as work:
        arguments = [
            kind,
            "--dry-run",
            *common_options(settings, job.job, work / "archive", work / "tmp"),
            "--allow-source-mismatch",
            *selection_options(settings, job, job.source.resolve()),
            str(job.source.resolve()),
            target_url(settings, job.job),
        ]
        ended = _run(settings, job, arguments, work / "output", on_event=on_event, search=search)
        _succeed(settings, ended)
    return numbers


def pass_through(
    settings: Settings,
    job: JobSettings,
    arguments: tuple[str, ...],
    on_line: Callable[[str], None],
    on_error: Callable[[str], None],
) -> int:
    """Runs duplicity with ``arguments`` and passes on what it says as it comes; its exit code.

    Prefixes, folders and backend are filled in after the first word, the command. Where the word ``TARGET``
    stands among the arguments goes the job's place; without that word it goes to the end.
    """
    if not arguments:
        raise Problem("give duplicity's arguments: panicroom duplicity -- collection-status", ExitCode.USAGE)
    target = target_url(settings, job.job)
    command, *rest = (target if word == TARGET else word for word in arguments)
    if target not in rest:
        rest.append(target)
    with reading_place(settings, job) as work:
        common = common_options(settings, job.job, work / "archive", work / "tmp")
        ended = _run(settings, job, [command, *common, *rest], work / "output", on_line)
        if ended.stopped is not None:
            raise ended.stopped
        for line in ended.errors:
            on_error(_plain(line))
        return ended.exit_code


@contextmanager
def reading_place(settings: Settings, job: JobSettings) -> Iterator[Path]:
    """A folder of its own, with the signatures and manifests of finished sets that are here already."""
    duplicity_process.require_gpg()
    cache = settings.job_cache(job.job)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="look-", dir=cache, ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        (work / "tmp").mkdir()
        fresh = work / "archive" / settings.archive_name(job.job)
        fresh.mkdir(parents=True)
        archive = settings.archive(job.job)
        for path in archive.iterdir() if archive.is_dir() else []:
            parsed = parse_name(path.name)
            if parsed and not parsed.partial and path.name.endswith((".manifest", ".sigtar.gz")):
                os.link(path, fresh / path.name)
        yield work


def _run(
    settings: Settings,
    job: JobSettings,
    arguments: list[str],
    output: Path,
    on_line: Callable[[str], None] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    search: Search | None = None,
) -> Ended:
    return duplicity_process.run(
        ChildPlan(url=settings.url, job=job.job, search=search),
        arguments,
        token=token_of(settings),
        passphrase=passphrase_of(settings),
        log_file=output,
        on_event=on_event,
        on_line=on_line and (lambda line: on_line(_plain(line))),
    )


def _succeed(settings: Settings, ended: Ended) -> None:
    problem = ended.problem(settings.places.log_file)
    if problem is not None:
        raise problem


def _plain(line: str) -> str:
    """A line of duplicity's without the time before it."""
    return re.sub(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[,.]?\d* ", "", line)
