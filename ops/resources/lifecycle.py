"""The bucket's lifecycle rules that this service writes: one for each storage policy, filtered by tag.

They are set by API call rather than in the CloudFormation template, since they stand beside whatever rules
the owner has in the same bucket, and a template would replace those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import VOLUME_PREFIX
from chalicelib.domain.backups.storage import STORAGE_POLICIES, STORAGE_TAG_KEY, StoragePolicy
from ops.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import TransitionStorageClassType
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleTypeDef, TransitionTypeDef

RULE_PREFIX = "panicroom-"
ABORT_UPLOADS_AFTER_DAYS = 7


def wanted_rules() -> list[LifecycleRuleTypeDef]:
    """The rules for every storage policy, and one that clears away multipart uploads nobody finished.

    None of them deletes anything that was stored.
    """
    return [*(_transition_rule(policy) for policy in STORAGE_POLICIES), _abort_rule()]


def put_lifecycle_rules(s3: S3Client, bucket: str) -> bool:
    """Sets the wanted rules in a stage's own bucket, and leaves the owner's as they are; false if they stood there."""
    return _put(s3, bucket, wanted_rules(), lambda name: name.startswith(RULE_PREFIX))


def put_adopted_rules(s3: S3Client, bucket: str, stage: Stage, jobs: Sequence[Job]) -> bool:
    """The same in a bucket that was there before, with a rule for each of its ``jobs``.

    Another stage may have jobs in it as well: its rules stay as the owner's do.
    """
    rules = [*wanted_rules(), *(_adopted_rule(stage, job) for job in jobs)]
    # Earlier versions did not name the stage.
    former = {
        f"{RULE_PREFIX}{job.machine}-{job.name}-{one.tag_value}" for job in jobs for one in STORAGE_POLICIES
    }
    replaced = former | set(_by_id(rules))
    return _put(s3, bucket, rules, lambda name: name in replaced or name.startswith(f"{stage.prefix}-"))


def _adopted_rule(stage: Stage, job: Job) -> LifecycleRuleTypeDef:
    """By prefix: the volumes that were there have no tag."""
    rule = _transition_rule(job.storage)
    name = f"{stage.prefix}-{job.machine}-{job.name}-{job.storage.tag_value}"
    return {**rule, "ID": name, "Filter": {"Prefix": job.location.key(VOLUME_PREFIX)}}


def _put(
    s3: S3Client, bucket: str, wanted: Sequence[LifecycleRuleTypeDef], is_ours: Callable[[str], bool]
) -> bool:
    existing, smallest = _existing_rules(s3, bucket)
    others = [rule for rule in existing if not is_ours(rule.get("ID", ""))]
    rules: list[LifecycleRuleTypeDef] = [*others, *wanted]  # type: ignore[list-item]
    if _by_id(existing) == _by_id(rules):
        return False
    # A PUT without it would set the owner's choice of the smallest object back to S3's.
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules}, **smallest)
    return True


def changed_rules(s3: S3Client, bucket: str) -> list[str]:
    """What ``put_lifecycle_rules`` would do to the service's own bucket, a line each."""
    existing, wanted = _by_id(_existing_rules(s3, bucket)[0]), _by_id(wanted_rules())
    ours = [name for name in existing if name.startswith(RULE_PREFIX)]
    return [
        *(f"set the lifecycle rule {name}" for name, rule in wanted.items() if existing.get(name) != rule),
        *(f"remove the lifecycle rule {name}" for name in ours if name not in wanted),
    ]


def _transition_rule(policy: StoragePolicy) -> LifecycleRuleTypeDef:
    transition: TransitionTypeDef = {
        "Days": policy.archive_after_days,
        "StorageClass": cast("TransitionStorageClassType", policy.archive_class),
    }
    return {
        "ID": f"{RULE_PREFIX}{policy.tag_value}",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": policy.tag_value}},
        "Transitions": [transition],
    }


def _abort_rule() -> LifecycleRuleTypeDef:
    return {
        "ID": f"{RULE_PREFIX}unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_UPLOADS_AFTER_DAYS},
    }


def _existing_rules(s3: S3Client, bucket: str) -> tuple[list[LifecycleRuleOutputTypeDef], Any]:
    """The rules, and the argument that keeps the smallest size of what is moved as it is."""
    try:
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return [], {}
        raise
    smallest = answer.get("TransitionDefaultMinimumObjectSize")
    return answer["Rules"], {"TransitionDefaultMinimumObjectSize": smallest} if smallest else {}


def _by_id(rules: list[LifecycleRuleOutputTypeDef] | list[LifecycleRuleTypeDef]) -> dict[str, object]:
    return {rule.get("ID", ""): rule for rule in rules}
