"""The bucket's lifecycle rules that this service writes: one for each storage policy, and those of what was let go.

They are set by API call rather than in the CloudFormation template, since they stand beside whatever rules
the owner has in the same bucket, and a template would replace those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.audit.lifecycle.own_rules import (
    OWN_RULES,
    adopted_rule,
    adopted_rules,
    let_go_rules_of,
    own_rules,
)
from chalicelib.domain.audit.lifecycle.rules import present_form
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.storage import STORAGE_POLICIES
from ops.stages import Stage


def put_lifecycle_rules(s3: Any, bucket: str) -> bool:
    """Sets the wanted rules in a stage's own bucket, and leaves the owner's as they are; false if they stood there."""
    return _put(s3, bucket, own_rules(), lambda name: name.startswith(OWN_RULES))


def put_adopted_rules(s3: Any, bucket: str, stage: Stage, jobs: Sequence[Job]) -> bool:
    """The same in a bucket that was there before, with a rule for each of its ``jobs``.

    Another stage may have jobs in it as well: its rules stay as the owner's do.
    """
    rules = adopted_rules(stage.prefix, jobs)
    # Earlier versions did not name the stage.
    former = {
        f"{OWN_RULES}{job.machine}-{job.name}-{one.tag_value}" for job in jobs for one in STORAGE_POLICIES
    }
    replaced = former | set(_by_id(rules))
    return _put(s3, bucket, rules, lambda name: name in replaced or name.startswith(f"{stage.prefix}-"))


def put_let_go_rules(s3: Any, bucket: str, stage: Stage, prefixes: Sequence[str]) -> bool:
    """Sets the rules of what is let go below the prefixes of an adopted bucket; all others stay, the stage's too."""
    rules = let_go_rules_of(stage.prefix, prefixes)
    return _put(s3, bucket, rules, lambda name: name in _by_id(rules))


def changed_let_go_rules(s3: Any, bucket: str, stage: Stage, prefixes: Sequence[str]) -> list[str]:
    """What ``put_let_go_rules`` would do, a line each."""
    return _lines(_by_id(_existing_rules(s3, bucket)[0]), _by_id(let_go_rules_of(stage.prefix, prefixes)))


def has_adopted_rule(s3: Any, bucket: str, stage: Stage, jobs: Sequence[Job]) -> bool:
    """Whether this stage has written a rule for one of the jobs, by whichever of its policies."""
    names = {
        adopted_rule(stage.prefix, dataclasses.replace(job, storage=one))["ID"]
        for job in jobs
        for one in STORAGE_POLICIES
    }
    return any(rule.get("ID", "") in names for rule in _existing_rules(s3, bucket)[0])


def _put(s3: Any, bucket: str, wanted: Sequence[dict[str, Any]], is_ours: Callable[[str], bool]) -> bool:
    existing, smallest = _existing_rules(s3, bucket)
    # S3 refuses rules of both forms together: what is there in the old one is written in the present one.
    others = [present_form(rule) for rule in existing if not is_ours(rule.get("ID", ""))]
    rules = [*others, *wanted]
    if _by_id(existing) == _by_id(rules):
        return False
    # A PUT without it would set the owner's choice of the smallest object back to S3's.
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules}, **smallest)
    return True


def changed_rules(s3: Any, bucket: str) -> list[str]:
    """What ``put_lifecycle_rules`` would do to the service's own bucket, a line each."""
    existing, wanted = _by_id(_existing_rules(s3, bucket)[0]), _by_id(own_rules())
    ours = [name for name in existing if name.startswith(OWN_RULES)]
    former = [f"remove the lifecycle rule {name}" for name in ours if name not in wanted]
    return _lines(existing, wanted) + former


def _lines(existing: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    return [f"set the lifecycle rule {name}" for name, rule in wanted.items() if existing.get(name) != rule]


def _existing_rules(s3: Any, bucket: str) -> tuple[list[dict[str, Any]], Any]:
    """The rules, and the argument that keeps the smallest size of what is moved as it is."""
    try:
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return [], {}
        raise
    smallest = answer.get("TransitionDefaultMinimumObjectSize")
    return answer["Rules"], {"TransitionDefaultMinimumObjectSize": smallest} if smallest else {}


def _by_id(rules: Sequence[dict[str, Any]]) -> dict[str, object]:
    return {rule.get("ID", ""): rule for rule in rules}
