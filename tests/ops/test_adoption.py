"""What is changed in a bucket that is adopted, as documents: the owner's part stays, the service's is there once."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.audit.notifications import NEEDED_EVENTS
from ops.buckets.documents import (
    changed_receivers,
    changed_statements,
    with_receiver,
    with_rights,
    without_receiver,
    without_rights,
)
from ops.errors import OpsError
from ops.functions.policies import policy_document
from ops.stages import LOCAL, Stage

HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="backup@example.org",
    recipients=("ada@example.org",),
)
ROLES = {
    name: f"arn:aws:iam::123456789012:role/panicroom-home-{name}"
    for name in (
        "api_handler",
        "catalogue",
        "daily_audit",
        "discard",
        "thaw",
        "let_go",
        "reconcile",
        "weekly_reconcile",
        "admin",
        "admin_read",
    )
}
SETTINGS = [
    "s3:GetBucketAcl",
    "s3:GetBucketLocation",
    "s3:GetBucketNotification",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucketMultipartUploads",
]
"""What the audit reads of a bucket, in the order of the policy."""
QUEUE = HOME.arn("sqs", HOME.queue)
OWNERS = {"Sid": "Mine", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


def rights(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}


class TestTheBucketsPolicy:
    def test_gives_each_role_below_the_prefix_what_it_has_in_the_services_own_bucket(self) -> None:
        policy = with_rights(None, HOME, ROLES, "attic", "old/")
        found = {
            sid: (statement["Principal"]["AWS"], statement["Action"])
            for sid, statement in rights(policy).items()
            if statement["Effect"] == "Allow"
        }
        listing, versions, tags = "s3:ListBucket", "s3:ListBucketVersions", "s3:GetObjectTagging"
        parts = "s3:ListMultipartUploadParts"
        expected = {
            "api_handler": ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"],
            "api_handler-listing": [listing],
            "catalogue": ["s3:GetObject", tags],
            "catalogue-listing": [listing, versions],
            "daily_audit": [tags, parts],
            "daily_audit-settings": SETTINGS,
            "discard": ["s3:DeleteObject", "s3:GetObject"],
            "discard-listing": [listing, versions],
            "thaw": ["s3:RestoreObject"],
            "thaw-listing": [listing],
            "let_go": [
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:GetObjectVersionTagging",
                "s3:PutObjectVersionTagging",
            ],
            "let_go-listing": [listing, versions],
            "let_go-settings": ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"],
            "reconcile": ["s3:GetObject", tags],
            "reconcile-listing": [listing, versions],
            "weekly_reconcile": ["s3:GetObject", tags],
            "weekly_reconcile-listing": [listing, versions],
            "admin": [tags, parts],
            "admin-listing": [versions],
            "admin-settings": SETTINGS,
            "admin_read-listing": [versions],
            "admin_read-settings": SETTINGS[:-1],  # the audit alone looks at unfinished uploads
        }
        assert found == {
            f"panicroom-home-{name}": (ROLES[name.partition("-")[0]], actions)
            for name, actions in expected.items()
        }
        for name in expected:
            objects, bucket = "arn:aws:s3:::attic/old/*", "arn:aws:s3:::attic"
            statement = rights(policy)[f"panicroom-home-{name}"]
            assert statement["Resource"] == [bucket if "-" in name else objects]

    def test_keeps_the_locks_of_a_bucket_that_has_its_own_and_by_no_more_than_its_days(self) -> None:
        policy = rights(with_rights(None, HOME, ROLES, "attic", "old/", lock_days=90))
        extend = policy["panicroom-home-let_go-locks"]
        assert (extend["Action"], extend["Resource"]) == (
            ["s3:PutObjectRetention"],
            ["arn:aws:s3:::attic/old/*"],
        )
        assert extend["Condition"] == {
            "NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "91"}
        }
        assert "s3:GetObjectRetention" in policy["panicroom-home-let_go"]["Action"]
        assert "s3:GetBucketObjectLockConfiguration" in policy["panicroom-home-let_go-settings"]["Action"]
        assert "Retention" not in str(with_rights(None, HOME, ROLES, "attic", "old/"))

    def test_lists_what_is_below_the_prefix_and_nothing_else(self) -> None:
        """S3 takes the key for the prefix where it decides between 404 and 403."""
        policy = with_rights(None, HOME, ROLES, "attic", "old/")
        listing = [one for sid, one in rights(policy).items() if sid.endswith("-listing")]
        assert len(listing) == 9
        assert [one["Condition"] for one in listing] == [{"StringLike": {"s3:prefix": ["old/*"]}}] * 9
        whole = with_rights(policy, HOME, ROLES, "attic", "")
        assert not [
            one for sid, one in rights(whole).items() if sid.endswith("-listing") and "Condition" in one
        ]

    def test_of_an_older_version_is_taken_apart(self) -> None:
        """It had one statement a role, for the bucket and for what is in it."""
        older = {
            "Sid": "panicroom-home-catalogue",
            "Effect": "Allow",
            "Principal": {"AWS": ROLES["catalogue"]},
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::attic", "arn:aws:s3:::attic/older/*"],
        }
        policy = rights(with_rights({"Statement": [older]}, HOME, ROLES, "attic", "old/"))
        assert policy["panicroom-home-catalogue"]["Resource"] == [
            "arn:aws:s3:::attic/old/*",
            "arn:aws:s3:::attic/older/*",
        ]
        assert policy["panicroom-home-catalogue-listing"]["Condition"] == {
            "StringLike": {"s3:prefix": ["old/*", "older/*"]}
        }

    def test_names_every_function_that_has_rights_on_objects(self) -> None:
        on_objects = {
            name
            for name in ROLES
            if "s3:" in str([s["Action"] for s in policy_document(HOME, name)["Statement"]])
        }
        assert on_objects == set(ROLES)

    def test_keeps_what_the_owner_has_in_it(self) -> None:
        before = {"Version": "2012-10-17", "Id": "mine", "Statement": [OWNERS]}
        policy = with_rights(before, HOME, ROLES, "attic", "")
        assert (policy["Id"], policy["Statement"][0]) == ("mine", OWNERS)
        assert before["Statement"] == [OWNERS]

    def test_can_be_one_statement_without_a_list(self) -> None:
        policy = with_rights({"Version": "2012-10-17", "Statement": OWNERS}, HOME, ROLES, "attic", "")
        assert policy["Statement"][0] == OWNERS

    def test_is_the_same_when_the_bucket_is_adopted_again(self) -> None:
        once = with_rights(None, HOME, ROLES, "attic", "old/")
        assert with_rights(once, HOME, ROLES, "attic", "old/") == once

    def test_keeps_a_prefix_that_was_adopted_earlier(self) -> None:
        first = with_rights(None, HOME, ROLES, "attic", "old/")
        both = with_rights(first, HOME, ROLES, "attic", "older/")
        for statement in both["Statement"]:
            if statement["Resource"] != ["arn:aws:s3:::attic"]:
                assert statement["Resource"] == ["arn:aws:s3:::attic/old/*", "arn:aws:s3:::attic/older/*"]

    def test_counts_as_unchanged_in_whatever_form_aws_tells_it(self) -> None:
        policy = with_rights(None, HOME, ROLES, "attic", "old/")
        told = [
            {
                **one,
                "Principal": {"AWS": [one["Principal"]["AWS"]]},
                "Resource": one["Resource"][0] if len(one["Resource"]) == 1 else one["Resource"][::-1],
            }
            for one in policy["Statement"]
        ]
        assert changed_statements({"Statement": told}, policy) == []

    def test_names_a_role_that_was_made_anew(self) -> None:
        """AWS then tells the id of the one that is gone."""
        policy = with_rights(None, HOME, ROLES, "attic", "old/")
        told = [
            {**one, "Principal": {"AWS": "AROAEXAMPLEOFONETHATISGONE"}} for one in policy["Statement"][:1]
        ]
        [said] = changed_statements({"Statement": [*told, *policy["Statement"][1:]]}, policy)
        assert said.startswith("its policy: let panicroom-home-api_handler do s3:GetObject")

    def test_is_given_back_as_it_was(self) -> None:
        before = {"Version": "2012-10-17", "Id": "mine", "Statement": [OWNERS]}
        assert without_rights(with_rights(before, HOME, ROLES, "attic", "old/"), HOME) == before

    def test_takes_a_prefix_by_its_letters(self) -> None:
        policy = with_rights(None, HOME, ROLES, "attic", "what*is$this?/")
        literally = "what${*}is${$}this${?}/*"
        assert rights(policy)["panicroom-home-api_handler"]["Resource"] == [f"arn:aws:s3:::attic/{literally}"]
        listing = rights(policy)["panicroom-home-api_handler-listing"]
        assert listing["Condition"] == {"StringLike": {"s3:prefix": [literally]}}

    def test_lets_the_signing_role_only_write_first_and_with_a_fresh_url(self) -> None:
        denials = [
            s for s in with_rights(None, HOME, ROLES, "attic", "")["Statement"] if s["Effect"] == "Deny"
        ]
        assert {denial["Principal"]["AWS"] for denial in denials} == {ROLES["api_handler"]}
        assert [denial["Resource"] for denial in denials] == [["arn:aws:s3:::attic/*"]] * 4
        assert denials[0]["Condition"]["Null"] == {"s3:if-none-match": "true"}
        assert denials[1]["Condition"]["NumericGreaterThan"] == {"s3:signatureAge": "900000"}
        assert [denial["Condition"] for denial in denials[2:]] == [
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
            {"Null": {"s3:x-amz-website-redirect-location": "false"}},
        ]

    def test_has_no_condition_that_the_stand_in_does_not_know(self) -> None:
        statements = with_rights(None, LOCAL, ROLES, "attic", "")["Statement"]
        assert not [statement for statement in statements if "Condition" in statement]


def receiver(configuration: dict[str, Any], prefix: str = "old/") -> dict[str, Any]:
    return with_receiver(configuration, HOME, QUEUE, prefix)


def topic(*events: str, prefix: str | None = None) -> dict[str, Any]:
    rules = [] if prefix is None else [{"Name": "Prefix", "Value": prefix}]
    chosen = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"Id": "mine", "TopicArn": "arn:aws:sns:x:1:mine", "Events": list(events), **chosen}


class TestTheBucketsNotifications:
    def test_send_every_kind_of_event_below_the_prefix(self) -> None:
        [ours] = receiver({})["QueueConfigurations"]
        assert (ours["QueueArn"], ours["Events"]) == (QUEUE, list(NEEDED_EVENTS))
        assert ours["Filter"] == {"Key": {"FilterRules": [{"Name": "prefix", "Value": "old/"}]}}

    def test_have_no_filter_for_a_whole_bucket(self) -> None:
        assert "Filter" not in receiver({}, "")["QueueConfigurations"][0]

    def test_write_a_prefix_as_s3_wants_it(self) -> None:
        [ours] = receiver({}, "old laptop/ä")["QueueConfigurations"]
        assert ours["Filter"]["Key"]["FilterRules"][0]["Value"] == "old+laptop/%C3%A4"
        assert receiver(receiver({}, "old laptop/ä"), "old laptop/ä")["QueueConfigurations"] == [ours]

    def test_keep_what_the_owner_has_in_them(self) -> None:
        before = {
            "ResponseMetadata": {},
            "TopicConfigurations": [topic("s3:ObjectCreated:*", prefix="photos/")],
            "QueueConfigurations": [{"Id": "q", "QueueArn": "other", "Events": ["s3:Replication:*"]}],
            "EventBridgeConfiguration": {},
        }
        after = receiver(before)
        assert after["TopicConfigurations"] == before["TopicConfigurations"]
        assert after["EventBridgeConfiguration"] == {}
        assert [one["QueueArn"] for one in after["QueueConfigurations"]] == ["other", QUEUE]
        assert "ResponseMetadata" not in after

    def test_are_the_same_when_the_bucket_is_adopted_again(self) -> None:
        once = receiver({})
        assert receiver(once) == once

    def test_count_as_unchanged_in_whatever_order_and_letters_s3_tells_them(self) -> None:
        before = receiver({})
        [ours] = before["QueueConfigurations"]
        rule = {"Name": "Prefix", "Value": "old/"}
        told = {**ours, "Events": ours["Events"][::-1], "Filter": {"Key": {"FilterRules": [rule]}}}
        before = {"QueueConfigurations": [told]}
        assert changed_receivers(before, receiver(before), HOME, "old/") == []
        before = {"QueueConfigurations": [{**told, "Events": ours["Events"][1:]}]}
        assert len(changed_receivers(before, receiver(before), HOME, "old/")) == 1

    def test_are_given_back_as_they_were(self) -> None:
        before = {
            "TopicConfigurations": [topic("s3:ObjectCreated:*", prefix="photos/")],
            "QueueConfigurations": [],
        }
        assert without_receiver(receiver(before), QUEUE) == before

    def test_of_prefixes_inside_each_other_name_the_wider_one(self) -> None:
        def prefixes(*adopted: str) -> list[str]:
            configuration: dict[str, Any] = {}
            for prefix in adopted:
                configuration = receiver(configuration, prefix)
            return [one["Id"].partition(":")[2] for one in configuration["QueueConfigurations"]]

        assert prefixes("a/", "b/") == ["a/", "b/"]
        assert prefixes("a/", "a/b/") == ["a/"] == prefixes("a/b/", "a/")
        assert prefixes("a/", "b/", "") == [""]

    @pytest.mark.parametrize(
        "other",
        [
            topic("s3:ObjectCreated:Put"),
            topic("s3:ObjectCreated:*", prefix="old/"),
            topic("s3:ObjectRemoved:Delete", prefix="o"),
            topic("s3:LifecycleTransition", prefix="old/inside/"),
        ],
    )
    def test_are_refused_where_another_receiver_has_some_of_the_events(self, other: dict[str, Any]) -> None:
        with pytest.raises(OpsError, match=r"to arn:aws:sns:x:1:mine already.*EventBridge"):
            receiver({"TopicConfigurations": [other]})

    @pytest.mark.parametrize(
        "other",
        [
            topic("s3:ObjectCreated:*", prefix="older/"),
            topic("s3:ObjectTagging:*"),
            topic("s3:Replication:*"),
        ],
    )
    def test_stand_beside_a_receiver_of_other_events(self, other: dict[str, Any]) -> None:
        assert receiver({"TopicConfigurations": [other]})["TopicConfigurations"] == [other]
