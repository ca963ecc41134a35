"""doctor"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ops.commands.arguments.options import console, json_option, print_json
from ops.commands.stage.target import (
    deployed_stage,
    endpoint_option,
    project_option,
    region_option,
    stage_name_option,
    target_aws,
)
from ops.doctor.checks import Check, examine


@click.command()
@stage_name_option
@region_option
@endpoint_option
@project_option
@json_option
def doctor(stage_name: str, region: str | None, endpoint: str | None, project: Path, as_json: bool) -> None:
    """Look at everything on the cloud side that a backup depends on; exit code 1 if something is wrong."""
    aws = target_aws(stage_name, region, endpoint, project, ask=False)
    checks = list(examine(aws, deployed_stage(aws, stage_name), project))
    if as_json:
        print_json({"checks": checks_as_data(checks)})
    else:
        show_checks(checks)
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def show_checks(checks: list[Check]) -> None:
    console.print()
    for check in checks:
        console.print(f"{'[green]ok[/]   ' if check.ok else '[red]look[/] '} {check.title}")
        for line in check.wrong:
            console.print(f"       {line}", markup=False)


def checks_as_data(checks: list[Check]) -> list[dict[str, Any]]:
    return [{"title": check.title, "ok": check.ok, "wrong": check.wrong} for check in checks]
