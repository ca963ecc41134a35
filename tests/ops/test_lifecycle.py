"""The lifecycle rules that the service writes, against moto's S3."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from chalicelib.domain.audit.findings import new_finding
from chalicelib.domain.audit.lifecycle.own_rules import adopted_rules, own_rules
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.storage import (
    KEPT_IN_STANDARD,
    STORAGE_POLICIES,
    STORAGE_TAG_KEY,
    StoragePolicy,
)
from chalicelib.owner_wire import JobPlace
from ops.aws import Aws
from ops.buckets.fixes import fixes_for_stage
from ops.resources.lifecycle import (
    changed_let_go_rules,
    changed_rules,
    has_adopted_rule,
    put_adopted_rules,
    put_let_go_rules,
    put_lifecycle_rules,
)
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage
from ops.stages import LOCAL
from tests.ops.conftest import HOME

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


LET_GO = {"Tag": {"Key": "panicroom-let-go", "Value": "yes"}}


@pytest.mark.parametrize("where", ["own", "adopted"])
def test_no_rule_deletes_what_is_current_and_what_was_only_if_it_was_let_go(where: str) -> None:
    job = Job("anna", "system", Location(BUCKET, "old/"))
    rules = own_rules() if where == "own" else adopted_rules("panicroom-home", [job])
    removing = [rule for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert [(rule["Filter"], rule["NoncurrentVersionExpiration"]) for rule in removing] == [
        (LET_GO, {"NoncurrentDays": 30})
    ]
    expiring = [rule for rule in rules if "Expiration" in rule]
    place = "" if where == "own" else "old/"
    assert [(rule["Filter"], rule["Expiration"]) for rule in expiring] == [
        ({"Prefix": place}, {"ExpiredObjectDeleteMarker": True})
    ]


def test_a_bucket_has_room_for_more_rules_than_any_owner_has_jobs(s3: Any) -> None:
    """S3 takes a thousand a bucket, with names of 255 characters."""
    assert len(own_rules()) == 14
    jobs = [Job(f"machine-{n}", "j" * 32, Location(BUCKET, f"{n}/" + "x" * 900)) for n in range(400)]
    rules = adopted_rules("panicroom-home", jobs)
    assert len(rules) == len({rule["ID"] for rule in rules}) <= 1000
    assert max(len(rule["ID"]) for rule in rules) <= 255


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

    def test_what_was_let_go_is_removed_without_a_word_about_where_volumes_go(self, s3: Any) -> None:
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [OWNERS_RULE]})
        changes = changed_let_go_rules(s3, BUCKET, self.HOME, ["old/"])
        assert put_let_go_rules(s3, BUCKET, self.HOME, ["old/"]) is True
        assert changes == [f"set the lifecycle rule {name}" for name in rules_of(s3) if name != "my logs"]
        assert {name: rule["Filter"] for name, rule in rules_of(s3).items()} == {
            "my logs": {"Prefix": "logs/"},
            "panicroom-let-go": LET_GO,
            "panicroom-home-expired-markers-d6ad858e": {"Prefix": "old/"},
        }
        assert changed_let_go_rules(s3, BUCKET, self.HOME, ["old/"]) == []
        assert put_let_go_rules(s3, BUCKET, self.HOME, ["old/"]) is False

    def test_the_rules_of_two_places_and_of_volumes_stand_beside_each_other(self, s3: Any) -> None:
        put_let_go_rules(s3, BUCKET, self.HOME, ["old/"])
        put_let_go_rules(s3, BUCKET, self.CABIN, ["old/"])
        put_let_go_rules(s3, BUCKET, self.HOME, ["older/"])
        assert len(rules_of(s3)) == 4
        put_adopted_rules(s3, BUCKET, self.HOME, [self.JOB])
        assert changed_let_go_rules(s3, BUCKET, self.HOME, ["old/"]) == []
        assert changed_let_go_rules(s3, BUCKET, self.CABIN, ["old/"]) == []

    def test_a_rule_of_what_was_let_go_that_was_changed_is_put_right(self, s3: Any) -> None:
        put_let_go_rules(s3, BUCKET, self.HOME, ["old/"])
        rules = [{**rule, "Filter": {"Prefix": ""}} for rule in rules_of(s3).values()]
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
        assert len(changed_let_go_rules(s3, BUCKET, self.HOME, ["old/"])) == 2
        put_let_go_rules(s3, BUCKET, self.HOME, ["old/"])
        assert rules_of(s3)["panicroom-let-go"]["Filter"] == LET_GO

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
    assert len(changed_rules(s3, BUCKET)) == len(own_rules()) - len(former) == 10
    put_lifecycle_rules(s3, BUCKET)
    assert {rule["ID"] for rule in [OWNERS_RULE, *former]} < set(rules_of(s3))


class Admin:
    """Knows of one job in the service's own bucket and one in a bucket that was there before."""

    def jobs(self) -> list[JobPlace]:
        places = {HOME.bucket: "anna/system/", BUCKET: "old/"}
        return [
            JobPlace("anna", "system", bucket, prefix, "GLACIER_IR", 7) for bucket, prefix in places.items()
        ]


def test_a_rule_of_what_was_let_go_that_is_missing_is_written_by_audit_fix_and_nothing_else_is(
    s3: Any,
) -> None:
    s3.create_bucket(Bucket=HOME.bucket)
    for bucket in (HOME.bucket, BUCKET):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [OWNERS_RULE]})
    found = [
        new_finding("letgo_rule_differs", subject=f"{bucket}/panicroom-let-go", message="It is not there.")
        for bucket in (HOME.bucket, BUCKET)
    ]
    fixes = fixes_for_stage(DeployedStage(Aws("us-east-1"), HOME), cast("AdminClient", Admin()), found)
    assert [one.what for one in fixes] == [
        f"Write the lifecycle rules of what is let go in {bucket}, beside those that are there."
        for bucket in (HOME.bucket, BUCKET)
    ]
    for one in fixes:
        one.carry_out()
    assert changed_rules(s3, HOME.bucket) == []
    assert {name: rule["Filter"] for name, rule in rules_of(s3).items()} == {
        "my logs": {"Prefix": "logs/"},
        "panicroom-let-go": LET_GO,
        "panicroom-home-expired-markers-d6ad858e": {"Prefix": "old/"},
    }
