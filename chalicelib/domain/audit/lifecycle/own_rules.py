"""The lifecycle rules that this service writes: one a storage policy, by tag, and one a job in an adopted
bucket. A policy that moves nothing has none."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import VOLUME_PREFIX
from chalicelib.domain.backups.storage import STORAGE_POLICIES, STORAGE_TAG_KEY, StoragePolicy
from chalicelib.domain.backups.uploads import UNFINISHED_AFTER

OWN_RULES = "panicroom-"
"""Their names begin so. Most of them match nothing."""


def own_rules() -> list[dict[str, Any]]:
    """A rule for every storage policy that moves volumes, by tag, and one that aborts uploads that nobody finished.

    None of them deletes anything that was stored.
    """
    abort = {
        "ID": f"{OWN_RULES}unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_AFTER.days},
    }
    return [*(_policy_rule(policy) for policy in STORAGE_POLICIES if policy.moves), abort]


def adopted_rule(stage_prefix: str, job: Job) -> dict[str, Any]:
    """The rule for a job in an adopted bucket: by prefix, as volumes that were there before have no tag.

    It is of a policy that moves volumes.
    """
    name = f"{stage_prefix}-{job.machine}-{job.name}-{job.storage.tag_value}"
    return {**_policy_rule(job.storage), "ID": name, "Filter": {"Prefix": job.location.key(VOLUME_PREFIX)}}


def _policy_rule(policy: StoragePolicy) -> dict[str, Any]:
    return {
        "ID": f"{OWN_RULES}{policy.tag_value}",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": policy.tag_value}},
        "Transitions": [{"Days": policy.archive_after_days, "StorageClass": policy.archive_class}],
    }
