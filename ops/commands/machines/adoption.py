"""A bucket that was there before, which ``machine add --bucket`` takes over: what is shown of it, and what follows."""

from __future__ import annotations

import sys

import click

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.mail.phrases import count
from ops.buckets.adopt import Adoption
from ops.buckets.audit import audit_bucket
from ops.buckets.found_backups import backups_to_adopt
from ops.commands.arguments.options import console, print_json, say, typed
from ops.errors import OpsError
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage
from ops.service.reconcile import jobs_to_reconcile, reconcile
from ops.steps import Steps, silent_steps


def go_on(adoption: Adoption, prefix: str, *, only_plan: bool, as_json: bool, may_be_empty: bool) -> bool:
    """Shows what is in the bucket and what would change in it; asks where somebody sits at the terminal."""
    s3 = adoption.deployed.aws.client("s3")
    found = backups_to_adopt(s3, adoption.bucket, prefix, may_be_empty=may_be_empty)
    if not as_json:
        for line in found:
            say(line)
        _show_adoption(adoption, prefix)
    elif only_plan:
        print_json({"found": found, "changes": adoption.changes, "findings": _audit(adoption, prefix)})
    if only_plan or as_json or not sys.stdin.isatty():
        return not only_plan
    return click.confirm("Continue?", default=True)


def bring_in(deployed: DeployedStage, client: AdminClient, name: str, stage: str, as_json: bool) -> None:
    """Catalogues what is there already. A failure must not cost the code: it can be typed again."""
    steps = silent_steps() if as_json else Steps(console)
    try:
        reconcile(deployed.function("reconcile"), jobs_to_reconcile(client, name, None), steps)
    except OpsError as error:
        again = typed(f"reconcile --machine {name}", stage)
        click.echo(f"Its backups are not in the catalogue yet ({error}): type {again} in a minute.", err=True)


def _audit(adoption: Adoption, prefix: str) -> list[Finding]:
    """What is wrong in the bucket before anything of it is changed."""
    return audit_bucket(adoption.deployed.aws, adoption.bucket, prefix)


def _show_adoption(adoption: Adoption, prefix: str) -> None:
    found = _audit(adoption, prefix)
    console.print(f"{adoption.bucket} as it is: {count(len(found), 'finding')}", markup=False)
    for one in found:
        say(f"  - {one.message}")
    console.print("What changes; no object is touched:", markup=False)
    for line in adoption.changes or ("nothing",):
        say(f"  - {line}")
    console.print()
