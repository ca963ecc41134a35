"""The lifecycle rules that this service writes. A storage policy has one, by tag, and in an adopted bucket each job; a
policy that moves nothing has none. What was let go is removed by its tag, and no rule removes old versions without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.audit.lifecycle.rewriting import GRACE_DAYS
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import VOLUME_PREFIX
from chalicelib.domain.backups.storage import (
    LET_GO_TAG_KEY,
    LET_GO_TAG_VALUE,
    STORAGE_POLICIES,
    STORAGE_TAG_KEY,
    StoragePolicy,
)
from chalicelib.domain.backups.uploads import UNFINISHED_AFTER

OWN_RULES = "panicroom-"
"""Their names begin so. Most of them match nothing."""

LET_GO_RULE = f"{OWN_RULES}let-go"
EXPIRED_MARKERS = "expired-markers"


def own_rules() -> list[dict[str, Any]]:
    """What the service's own bucket has: the rules of policies, of unfinished uploads, and of what was let go.

    None of them deletes anything that is current.
    """
    return [*_rules_of_policies(), let_go_rule(), _marker_rule(f"{OWN_RULES}{EXPIRED_MARKERS}", "")]


def adopted_rules(stage_prefix: str, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """What a bucket that was there before has for all of the stage's ``jobs`` in it."""
    moving = [adopted_rule(stage_prefix, job) for job in jobs if job.storage.moves]
    places = [job.location.prefix for job in jobs]
    return [*_rules_of_policies(), *moving, *let_go_rules_of(stage_prefix, places)]


def adopted_rule(stage_prefix: str, job: Job) -> dict[str, Any]:
    """The rule for a job in an adopted bucket: by prefix, as volumes that were there before have no tag.

    It is of a policy that moves volumes.
    """
    name = f"{stage_prefix}-{job.machine}-{job.name}-{job.storage.tag_value}"
    return {**_policy_rule(job.storage), "ID": name, "Filter": {"Prefix": job.location.key(VOLUME_PREFIX)}}


def let_go_rules_of(stage_prefix: str, prefixes: Sequence[str]) -> list[dict[str, Any]]:
    """What removes what was let go in an adopted bucket: nothing of its owner's, who may need a marker of his own."""
    markers = [_marker_rule(_name_of_markers(stage_prefix, one), one) for one in dict.fromkeys(prefixes)]
    return [let_go_rule(), *markers]


def let_go_rule() -> dict[str, Any]:
    """Makes final what was let go. The tag is what keeps every other delete marker one that can be undone."""
    return {
        "ID": LET_GO_RULE,
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": LET_GO_TAG_KEY, "Value": LET_GO_TAG_VALUE}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": GRACE_DAYS},
    }


def _marker_rule(name: str, prefix: str) -> dict[str, Any]:
    """Clears markers with nothing behind them. S3 takes no tag beside it, as a marker has none."""
    return {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }


def _name_of_markers(stage_prefix: str, prefix: str) -> str:
    """A prefix may be longer than the 255 characters of a rule's name."""
    return f"{stage_prefix}-{EXPIRED_MARKERS}-{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"


def _rules_of_policies() -> list[dict[str, Any]]:
    """A rule for every storage policy that moves volumes, and one that aborts uploads that nobody finished."""
    abort = {
        "ID": f"{OWN_RULES}unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_AFTER.days},
    }
    return [*(_policy_rule(policy) for policy in STORAGE_POLICIES if policy.moves), abort]


def _policy_rule(policy: StoragePolicy) -> dict[str, Any]:
    return {
        "ID": f"{OWN_RULES}{policy.tag_value}",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": STORAGE_TAG_KEY, "Value": policy.tag_value}},
        "Transitions": [{"Days": policy.archive_after_days, "StorageClass": policy.archive_class}],
    }
