"""``restore``, ``restore --dry-run`` and ``cost`` of a family."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.several.family_paths import JobFamily, WantedJob, wanted_jobs
from panicroom.restore.several.plans import JobPlans, open_plans, priced
from panicroom.restore.several.run import (
    SeveralRequest,
    SeveralRestores,
    check_targets,
    ended,
    progress_file,
)
from panicroom.restore.several.text import cost_plans_lines, plans_as_json, plans_lines
from panicroom.settings import Settings
from panicroom.shown import shown, shown_path
from panicroom.terminal.amounts import size_text
from panicroom.terminal.progress import make_reporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import ThawUnderWay


def restore_family(
    settings: Settings,
    family: JobFamily,
    request: SeveralRequest,
    options: ThawOptions,
    *,
    as_json: bool,
) -> None:
    """Raises ``Problem`` where a folder is not restored as backed up, or has to be waited for."""
    file = progress_file(settings, family.name)
    check_targets(file, request)
    reporter = make_reporter(as_json=as_json)
    restores = SeveralRestores(settings, request, options, reporter, file)
    restored = restores.run()
    lines, problem = ended(restores.problems, len(request.jobs), options)
    if as_json:
        for folder, report in restores.reports.items():
            click.echo(json.dumps({"folder": folder, **report.as_json()}))
        for folder, failed in restores.problems.items():
            click.echo(json.dumps({"event": "failed", "folder": folder, **_as_json(failed)}))
    else:
        for line in lines:
            click.echo(f"panicroom: {shown(line, 2000)}", err=True)
        if restored and len(request.jobs) > 1:
            files = sum(each.files for each in restored.values())
            size = sum(each.size_bytes for each in restored.values())
            reporter.line(
                f"{family.name}: {len(restored)} of {len(request.jobs)} folders with {files} files ({size_text(size)}) "
                f"are in {shown_path(str(request.to))}"
            )
    if problem is not None:
        raise problem


def family_request(
    family: JobFamily, paths: Sequence[str], time: str | None, to: Path, *, nearest: bool
) -> SeveralRequest:
    """Raises ``Problem`` for a path that names no folder."""
    return SeveralRequest(
        to,
        tuple(wanted_jobs(family, paths)),
        key_of=lambda wanted: str(to / wanted.folder),
        first_command=first_command(family.name, time, to),
        time=time,
        nearest=nearest,
    )


def first_command(job: str, time: str | None, to: Path | None) -> Callable[[Sequence[str]], str]:
    """What restores some folders only; ``job`` may be a family."""

    def command(folders: Sequence[str]) -> str:
        words = ["panicroom", "restore", *folders, "--job", job]
        words += ["--time", time] if time is not None else []
        return shown_path(shlex.join([*words, "--to", "DIR" if to is None else str(to)]))

    return command


def show_family_plan(
    settings: Settings, family: JobFamily, paths: Sequence[str], time: str | None, *, as_json: bool
) -> None:
    """Raises ``Problem`` where a job of the family could not be planned."""
    plans = _plans(settings, family, paths, time, always=False)
    now = datetime.now(timezone.utc)
    if as_json:
        click.echo(json.dumps(plans_as_json(plans, now)))
    else:
        _echo(plans_lines(plans, now, first_command(family.name, time, None)))
    _raise_problems(plans)


def show_family_cost(
    settings: Settings, family: JobFamily, paths: Sequence[str], time: str | None, *, as_json: bool
) -> None:
    """Raises ``Problem`` where a job of the family could not be planned."""
    plans = _plans(settings, family, paths, time, always=True)
    now = datetime.now(timezone.utc)
    if as_json:
        click.echo(json.dumps(plans_as_json(plans, now, of_costs=True)))
    else:
        _echo(cost_plans_lines(plans, now, first_command(family.name, time, None)))
    _raise_problems(plans)


def _plans(
    settings: Settings, family: JobFamily, paths: Sequence[str], time: str | None, *, always: bool
) -> JobPlans:
    wanted: list[WantedJob] = wanted_jobs(family, paths)
    plans = open_plans(settings, wanted, time, make_reporter(sys.stderr))
    return priced(settings, plans, always=always)


def _raise_problems(plans: JobPlans) -> None:
    problems = plans.problems
    if not problems:
        return
    for folder, problem in problems.items():
        click.echo(f"panicroom: {shown_path(folder)}: {shown(str(problem), 2000)}", err=True)
    codes = {problem.exit_code for problem in problems.values()}
    code = codes.pop() if len(codes) == 1 else ExitCode.RESTORE_INCOMPLETE
    raise Problem(f"{len(problems)} of {len(plans.jobs) + len(problems)} folders are left out here", code)


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _as_json(problem: Problem) -> dict[str, object]:
    waits = isinstance(problem, ThawUnderWay)
    return {"exit_code": int(problem.exit_code), "message": str(problem), "thawing": waits}
