"""The smallest IAM policy for ``deploy``, ``doctor`` and ``destroy``, made from ``deployer_policy.yaml``.

By itself it reads, changes and deletes no backup: no object but the client's own wheel, no version, no bucket and no
table. It creates roles for this stage's functions only, within their boundary, and passes them to Lambda only. What
whoever deploys can do all the same is in docs/security.md: functions run the code that they deploy, and the bucket's
policy is theirs to write.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import yaml

from ops.stages import Stage

TEMPLATE_PATH = Path(__file__).with_name("deployer_policy.yaml")

NOT_NARROWED_LOCALLY = {"SeeOwnRights", "Functions", "Schedules", "MailIdentities", "Boundary"}
"""MiniStack knows the actions of these statements on every resource or on none."""


def deployer_policy(stage: Stage) -> dict[str, Any]:
    """The policy document for one stage in one account and region."""
    names = {
        "prefix": stage.prefix,
        "account": stage.account,
        "region": stage.region,
        "bucket": stage.bucket,
        "table": stage.table,
        "queue": stage.queue,
        "resources_stack": stage.resources_stack,
        "boundary": stage.boundary_arn,
    }
    text = string.Template(TEMPLATE_PATH.read_text(encoding="utf-8")).substitute(names)
    statements = [_filled_in(statement, stage) for statement in yaml.safe_load(text)]
    return {"Version": "2012-10-17", "Statement": statements}


def _filled_in(statement: dict[str, Any], stage: Stage) -> dict[str, Any]:
    name = statement["Sid"]
    filled = {**statement, "Resource": _identities(stage)} if name == "MailIdentities" else statement
    if not stage.on_local_stack:
        return filled
    # MiniStack evaluates none of the conditions either.
    filled = {key: value for key, value in filled.items() if key != "Condition"}
    return {
        **filled,
        "Resource": ["*"] if name in NOT_NARROWED_LOCALLY else filled["Resource"],
    }


def _identities(stage: Stage) -> list[str]:
    """SES identities of the stage's addresses: of each address, and of its whole domain."""
    return [
        stage.arn("ses", f"identity/{name}")
        for address in stage.addresses
        for name in (address, address.partition("@")[2])
        if name
    ]
