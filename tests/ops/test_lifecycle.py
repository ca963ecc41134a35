"""The lifecycle rules that the service writes, against moto's S3."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from chalicelib.domain.audit.lifecycle.own_rules import own_rules
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.storage import (
    KEPT_IN_STANDARD,
    STORAGE_POLICIES,
    STORAGE_TAG_KEY,
    StoragePolicy,
)
from ops.resources.lifecycle import changed_rules, has_adopted_rule, put_adopted_rules, put_lifecycle_rules
from ops.stages import LOCAL

BUCKET = "attic"
OWNERS_RULE: dict[str, Any] = {
    "ID": "my logs",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 30},
}


def rules_of(s3: Any) -> dict[str, Any]:
    answer = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
    return {rule["ID"]: rule for rule in answer["Rules"]}


def test_each_storage_policy_has_one_rule_filtered_by_its_tag(s3: Any) -> None:
    put_lifecycle_rules(s3, BUCKET)
    by_tag = {
        rule["Filter"]["Tag"]["Value"]: rule["Transitions"]
        for rule in rules_of(s3).values()
        if rule.get("Filter", {}).get("Tag", {}).get("Key") == STORAGE_TAG_KEY
    }
    assert by_tag == {
        policy.tag_value: [{"Days": policy.archive_after_days, "StorageClass": policy.archive_class}]
        for policy in STORAGE_POLICIES
        if policy.moves
    }
    assert len(by_tag) == 11


def test_no_rule_deletes_what_was_stored() -> None:
    assert "Expiration" not in json.dumps(own_rules())


def test_the_owners_own_rules_stay(s3: Any) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [OWNERS_RULE]})
    put_lifecycle_rules(s3, BUCKET)
    assert rules_of(s3)["my logs"]["Expiration"] == {"Days": 30}
    assert len(rules_of(s3)) == 1 + len(own_rules())


def test_a_second_time_changes_nothing(s3: Any) -> None:
    assert put_lifecycle_rules(s3, BUCKET) is True
    before = rules_of(s3)
    assert put_lifecycle_rules(s3, BUCKET) is False
    assert rules_of(s3) == before


def test_a_rule_of_ours_that_was_changed_is_put_right(s3: Any) -> None:
    broken = [{**rule, "Status": "Disabled"} for rule in own_rules()]
    s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [*broken, OWNERS_RULE]}
    )
    put_lifecycle_rules(s3, BUCKET)
    assert {rule["Status"] for rule in rules_of(s3).values()} == {"Enabled"}


def test_what_would_be_changed_is_named_rule_by_rule(s3: Any) -> None:
    wanted = own_rules()
    assert changed_rules(s3, BUCKET) == [f"set the lifecycle rule {rule['ID']}" for rule in wanted]
    former = {**wanted[0], "ID": "panicroom-of-an-earlier-version", "Filter": {"Prefix": "former/"}}
    changed = {**wanted[0], "Status": "Disabled"}
    s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [changed, *wanted[1:], former, OWNERS_RULE]}
    )
    assert changed_rules(s3, BUCKET) == [
        f"set the lifecycle rule {wanted[0]['ID']}",
        "remove the lifecycle rule panicroom-of-an-earlier-version",
    ]
    put_lifecycle_rules(s3, BUCKET)
    assert changed_rules(s3, BUCKET) == []


class TestInAnAdoptedBucket:
    HOME, CABIN = (dataclasses.replace(LOCAL, name=name) for name in ("home", "cabin"))
    JOB = Job("anna", "system", Location(BUCKET, "old/"))

    def test_a_jobs_volumes_are_found_by_their_prefix(self, s3: Any) -> None:
        put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB])
        rule = rules_of(s3)["panicroom-home-anna-system-glacier-ir-7d"]
        assert rule["Filter"] == {"Prefix": "old/data_"}

    def test_two_stages_leave_each_others_rules(self, s3: Any) -> None:
        put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB])
        put_adopted_rules(s3, BUCKET, self.CABIN, [self.JOB])
        assert put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB]) is False
        assert {name for name in rules_of(s3) if "anna" in name} == {
            "panicroom-home-anna-system-glacier-ir-7d",
            "panicroom-cabin-anna-system-glacier-ir-7d",
        }

    def test_a_rule_of_an_earlier_version_is_replaced_and_the_owners_stays(self, s3: Any) -> None:
        former = {**own_rules()[0], "ID": "panicroom-anna-system-glacier-ir-7d"}
        rules = [{**former, "Filter": {"Prefix": "old/data_"}}, OWNERS_RULE]
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
        put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB])
        assert "panicroom-anna-system-glacier-ir-7d" not in rules_of(s3)
        assert {"my logs", "panicroom-home-anna-system-glacier-ir-7d"} < set(rules_of(s3))

    def test_another_policy_of_a_job_replaces_its_rule(self, s3: Any) -> None:
        put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB])
        deep = dataclasses.replace(self.JOB, storage=StoragePolicy("DEEP_ARCHIVE", 30))
        assert has_adopted_rule(s3, BUCKET, self.HOME, [deep])
        assert not has_adopted_rule(s3, BUCKET, self.CABIN, [deep])
        put_adopted_rules(s3, BUCKET, self.HOME, [deep])
        assert [name for name in rules_of(s3) if "anna" in name] == [
            "panicroom-home-anna-system-deep-archive-30d"
        ]
        put_adopted_rules(s3, BUCKET, self.HOME, [dataclasses.replace(deep, storage=KEPT_IN_STANDARD)])
        assert not [name for name in rules_of(s3) if "anna" in name]


def test_a_stage_of_an_earlier_version_keeps_its_rules_and_gets_those_that_are_new(s3: Any) -> None:
    former = [rule for rule in own_rules() if rule["ID"].endswith(("-7d", "uploads"))]
    configuration = {"Rules": [OWNERS_RULE, *former]}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=configuration)
    assert all(line.startswith("set the lifecycle rule") for line in changed_rules(s3, BUCKET))
    assert len(changed_rules(s3, BUCKET)) == len(own_rules()) - len(former) == 8
    put_lifecycle_rules(s3, BUCKET)
    assert {rule["ID"] for rule in [OWNERS_RULE, *former]} < set(rules_of(s3))
