"""``python -m ops audit``: is everything in its right place?"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, exit_code
from chalicelib.domain.shown import all_shown, shown
from chalicelib.owner_wire import AuditAnswer
from ops.buckets.audit import audit_bucket, audit_stage
from ops.buckets.fixes import Fix, fixes_for_stage, fixes_of_uploads
from ops.commands.arguments.options import console, folding_table, print_json, say, stage_options
from ops.service.admin_client import admin_client
from ops.service.deployed_stage import aws_of, deployed_stage

COLOURS = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


@click.command()
@click.option("--bucket", help="Audit this bucket instead, one that the service did not make.")
@click.option("--prefix", help="With --bucket: only what is below it.")
@click.option("--fix", is_flag=True, help="Do what is safe by itself, after showing it and asking.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
@stage_options
@click.pass_context
def audit(
    context: click.Context,
    bucket: str | None,
    prefix: str | None,
    fix: bool,
    yes: bool,
    stage: str,
    state_folder: Path,
    as_json: bool,
) -> None:
    """Check whether everything is in its right place, and list what is not.

    Ends with 2 if something critical was found, 1 for warnings, 0 otherwise.
    """
    if prefix is not None and bucket is None:
        raise click.UsageError("--prefix goes with --bucket.")
    if fix and as_json and not yes:
        raise click.UsageError("--fix asks first; with --json add --yes.")
    audited = _Audited(bucket, prefix or "", stage, state_folder)
    found = audited.answer()
    done: list[str] = []
    if fix and (fixes := audited.fixes(found.findings)):
        done = _carry_out(fixes, ask=not yes, shown=not as_json)
        found = audited.answer() if done else found
    if as_json:
        print_json({**dataclasses.asdict(found), "fixed": done} if fix else found)
    else:
        _show(found)
    context.exit(exit_code(found.findings))


@dataclasses.dataclass(frozen=True)
class _Audited:
    """What is audited: a stage, or a bucket, which needs no stage, only credentials that reach it."""

    bucket: str | None
    prefix: str
    stage: str
    state_folder: Path

    def answer(self) -> AuditAnswer:
        if self.bucket is None:
            return audit_stage(admin_client(self.stage, self.state_folder), self.stage)
        found = audit_bucket(aws_of(self.stage, self.state_folder), self.bucket, self.prefix)
        return AuditAnswer(tuple(found))

    def fixes(self, found: Sequence[Finding]) -> list[Fix]:
        if self.bucket is None:
            deployed = deployed_stage(self.stage, self.state_folder)
            return fixes_for_stage(deployed, admin_client(self.stage, self.state_folder), found)
        return fixes_of_uploads(aws_of(self.stage, self.state_folder), self.bucket)


def _carry_out(fixes: Sequence[Fix], *, ask: bool, shown: bool) -> list[str]:
    if shown:
        console.print("What can be done at once; nothing that can be read is removed:\n")
        for one in fixes:
            console.print(f"  - {one.what}", markup=False)
    if ask and not click.confirm("\nDo it?"):
        return []
    for one in fixes:
        one.carry_out()
    return [one.what for one in fixes]


def _show(answer: AuditAnswer) -> None:
    found = answer.findings
    if not found:
        console.print("Everything is in its right place.")
        return
    table = folding_table("severity", "where", "code", "what")
    for one in found:
        severity = Text(one.severity.value, style=COLOURS[one.severity])
        table.add_row(severity, Text(shown(one.whose)), Text(one.code), Text(one.title))
    console.print(table)
    typed_above: set[str] = set()
    for one in map(all_shown, found):
        say(f"\n{one.whose}: {one.message}", style="bold")
        if one.evidence:
            say(f"  found: {one.evidence}")
        say(f"  {one.advice}")
        for line in one.commands:
            again = line in typed_above
            console.print("    (by the same command as above)" if again else f"    {line}", markup=False)
            typed_above.add(line)
    counts = Counter(one.severity for one in found)
    counted = ", ".join(f"{counts[severity]} {severity.value}" for severity in Severity if counts[severity])
    console.print(f"\n{counted}.")
    if answer.left_off:
        kinds = ", ".join(f"{code} {number:,}" for code, number in answer.left_off_by_code.items())
        console.print(f"{answer.left_off:,} more that matter less are not listed ({kinds}).", markup=False)
