"""The smallest IAM policy for ``deploy``, ``doctor`` and ``destroy``, made from ``deployer_policy.yaml``.

It cannot read, change or delete a backup: no object but the client's own wheel, no version, no bucket and no table.
It can create roles for this stage's functions only, and pass them to Lambda only.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import yaml

from ops.stages import Stage

TEMPLATE_PATH = Path(__file__).with_name("deployer_policy.yaml")

NOT_NARROWED_LOCALLY = {"SeeOwnRights", "Functions", "Schedules", "MailIdentities"}
"""MiniStack knows the actions of these statements on every resource or on none."""

LOCAL_ACTIONS = {"Functions": ["lambda:PutFunctionConcurrency"]}
"""What MiniStack asks for where Chalice removes a concurrency limit."""


def deployer_policy(stage: Stage) -> dict[str, Any]:
    """The policy document for one stage in one account and region."""
    names = {
        "prefix": stage.prefix,
        "account": stage.account,
        "region": stage.region,
        "bucket": stage.bucket,
        "table": stage.table,
        "queue": stage.queue,
        "alarms_topic": stage.alarms_topic,
        "resources_stack": stage.resources_stack,
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
        "Action": sorted([*filled["Action"], *LOCAL_ACTIONS.get(name, [])]),
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
