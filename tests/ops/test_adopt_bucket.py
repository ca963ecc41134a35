"""A bucket that somebody set up by hand, with a backup in it, is taken over; IAM is enforced."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.buckets.adopt import give_back
from ops.demo.compare_trees import differences, record_tree
from ops.demo.laptop import gpg_folder
from ops.deploy.pipeline import ADOPTED, Deployment
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import local_admin_client
from ops.service.deployed_stage import DeployedStage
from ops.stages import LOCAL
from tests.end_to_end.api_thaws import ApiThaws
from tests.end_to_end.conftest import Machine, Service
from tests.ops.conftest import Owner

OWNERS_STATEMENT = {
    "Sid": "MyOwn",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::attic/*",
}
OWNERS_EVENTS = {
    "Id": "mine",
    "TopicArn": "arn:aws:sns:us-east-1:000000000000:panicroom-local-alarms",
    "Events": ["s3:ObjectCreated:*"],
    "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "photos/"}]}},
}


def make_bucket(owner: Owner, name: str) -> Any:
    """A bucket that keeps versions, and a client."""
    s3 = owner.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return s3


def deployed(owner: Owner) -> DeployedStage:
    return DeployedStage(Aws(owner.stack.region, owner.stack.endpoint), LOCAL)


def deployment(owner: Owner) -> Deployment:
    return Deployment(deployed(owner).aws, LOCAL, PROJECT)


def wait(until: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 30
    while not until():
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


@pytest.fixture(scope="module")
def laptops(owner: Owner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with gpg_folder(is_quick=True) as gpg:
        folder = tmp_path_factory.mktemp("laptops")
        yield Service(owner.stack, local_admin_client(owner.stack), owner.client("s3"), folder, gpg)


@pytest.fixture(scope="module")
def old_laptop(laptops: Service) -> Machine:
    """A machine with a full backup."""
    machine = laptops.machine("old-laptop")
    (machine.source / "letter.txt").write_text("Dear Ben,\n" * 100)
    machine.do("backup", "full")
    laptops.wait_for_sets("old-laptop", 1)
    return machine


@pytest.fixture(scope="module")
def attic(owner: Owner, old_laptop: Machine) -> str:
    """A bucket with that backup in a folder of it, as if panicroom had never seen it, and things of its owner's."""
    s3 = make_bucket(owner, "attic")
    s3.put_bucket_policy(
        Bucket="attic", Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWNERS_STATEMENT]})
    )
    s3.put_bucket_notification_configuration(
        Bucket="attic", NotificationConfiguration={"TopicConfigurations": [OWNERS_EVENTS]}
    )
    s3.put_object(Bucket="attic", Key="photos/beach.jpg", Body=b"sand")
    for item in s3.list_objects_v2(Bucket=owner.stack.bucket, Prefix="old-laptop/")["Contents"]:
        body = s3.get_object(Bucket=owner.stack.bucket, Key=item["Key"])["Body"].read()
        s3.put_object(Bucket="attic", Key=f"backups/{item['Key'].rpartition('/')[2]}", Body=body)
    return "attic"


@pytest.fixture(scope="module")
def adopted(owner: Owner, attic: str) -> str:
    """The enrolment code of the machine that goes on with it."""
    answer = owner.asks("machine", "add", "anna", "--bucket", attic, "--prefix", "backups/")
    return str(answer["code"])


def test_what_is_in_it_already_is_in_the_catalogue(owner: Owner, adopted: str) -> None:
    [job] = owner.asks("machine", "show", "anna")["jobs"]
    assert [(one["kind"], one["sealed"], one["volumes_expected"]) for one in job["sets"]] == [
        ("full", True, None)
    ]
    assert "unproven" in owner.types("machine", "show", "anna").stdout
    assert owner.asks("reconcile", "--machine", "anna")["differences"] == []


def test_a_laptop_goes_on_with_it(
    owner: Owner, adopted: str, old_laptop: Machine, laptops: Service, tmp_path: Path
) -> None:
    anna = Machine("anna", laptops.laptops / "anna", laptops.gpg)
    anna.source.mkdir(parents=True)
    (anna.source / "letter.txt").write_text("Dear Ben,\n" * 100)
    anna.do("enrol", owner.stack.api_url, adopted, "--source", str(anna.source), "--yes")
    (anna.source / "postcard.txt").write_text("Wish you were here.\n")
    anna.do("backup", "incremental")
    [increment] = laptops.wait_for_sets("anna", 1)
    assert increment["kind"] == "inc"
    anna.do("restore", "--to", str(tmp_path / "restored"))
    assert list(differences(record_tree(anna.source), record_tree(tmp_path / "restored"))) == []


def test_its_volumes_are_thawed_below_its_prefix(owner: Owner, adopted: str, laptops: Service) -> None:
    """The function that asks for them has its right from the bucket's policy."""
    hook, anna = ThawHook(owner.stack.endpoint), Machine("anna", laptops.laptops / "anna", laptops.gpg)
    hook.delay(0.1)
    assert hook.freeze("backups") >= 2
    sets = laptops.sets("anna")
    thaws = ApiThaws(owner.stack.api_url, anna)
    plan = thaws.plan(sets)
    thaws.start(plan)
    thaws.wait_until_ready(plan["thaw"])
    asked = [key for key in hook.calls().by_key if key.startswith("attic/backups/")]
    assert len(asked) == plan["archived"] == sum(one["volumes"] for one in sets)
    hook.freeze("backups", "STANDARD")


def test_its_events_reach_the_catalogue(owner: Owner, adopted: str) -> None:
    key = "backups/data_duplicity-full.20200101T000000Z.vol7.difftar.gpg"
    owner.client("s3").put_object(Bucket="attic", Key=key, Body=b"late")

    def sets() -> list[str]:
        [job] = owner.asks("machine", "show", "anna")["jobs"]
        return [one["set"] for one in job["sets"]]

    wait(lambda: "full.20200101T000000Z" in sets())


def test_what_the_owner_had_in_it_is_still_there(owner: Owner, adopted: str) -> None:
    s3 = owner.client("s3")
    assert OWNERS_STATEMENT in json.loads(s3.get_bucket_policy(Bucket="attic")["Policy"])["Statement"]
    [topic] = s3.get_bucket_notification_configuration(Bucket="attic")["TopicConfigurations"]
    assert (topic["Id"], topic["Events"]) == ("mine", ["s3:ObjectCreated:*"])


def test_the_functions_get_no_further_than_its_prefix(owner: Owner, adopted: str) -> None:
    statements = json.loads(owner.client("s3").get_bucket_policy(Bucket="attic")["Policy"])["Statement"]
    named = {arn for one in statements if one != OWNERS_STATEMENT for arn in one["Resource"]}
    assert named == {"arn:aws:s3:::attic", "arn:aws:s3:::attic/backups/*"}


def test_a_deploy_renews_what_an_adopted_bucket_grants(owner: Owner, adopted: str) -> None:
    """A policy keeps a role by its id: what is granted to one that was made anew since has to be granted again. And
    the version before wrote no rule of what is let go."""
    s3 = owner.client("s3")
    rules_there = s3.get_bucket_lifecycle_configuration(Bucket="attic")["Rules"]
    let_go_rules = [one["ID"] for one in rules_there]
    assert [one["Filter"] for one in rules_there] == [
        {"Tag": {"Key": "panicroom-let-go", "Value": "yes"}},
        {"Prefix": "backups/"},
    ]
    policy = json.loads(s3.get_bucket_policy(Bucket="attic")["Policy"])
    [catalogue] = [one for one in policy["Statement"] if one["Sid"] == "panicroom-local-catalogue"]
    catalogue["Principal"] = {"AWS": "AROAEXAMPLEOFONETHATISGONE"}
    s3.put_bucket_policy(Bucket="attic", Policy=json.dumps(policy))
    topics = s3.get_bucket_notification_configuration(Bucket="attic")["TopicConfigurations"]
    s3.put_bucket_notification_configuration(
        Bucket="attic", NotificationConfiguration={"TopicConfigurations": topics}
    )
    s3.delete_bucket_lifecycle(Bucket="attic")
    rights, events, *rules = ADOPTED.changes(deployment(owner))
    assert rights.startswith("attic: its policy: let ")
    assert events.startswith("attic: its notifications: every event below backups/ to panicroom-local-events")
    assert rules == [f"attic: set the lifecycle rule {name}" for name in let_go_rules]
    ADOPTED.carry_out(deployment(owner), print)
    assert ADOPTED.changes(deployment(owner)) == []


def test_a_whole_bucket_can_be_adopted(owner: Owner) -> None:
    s3 = make_bucket(owner, "barn")
    s3.put_object(Bucket="barn", Key="meta_duplicity-full.20200101T000000Z.manifest.gpg", Body=b"manifest")
    said = owner.types("machine", "add", "barn", "--bucket", "barn").stdout
    assert re.search(r"panicroom enrol .*\n  panicroom import-conf CONF EXCLUDE\n  panicroom backup\n", said)
    found = owner.asks("reconcile", "--machine", "barn")
    assert (found["examined"], found["differences"]) == (1, [])


def test_a_bucket_is_given_back_with_what_the_owner_had_in_it(owner: Owner, adopted: str) -> None:
    give_back(deployed(owner), "attic")
    s3 = owner.client("s3")
    assert json.loads(s3.get_bucket_policy(Bucket="attic")["Policy"])["Statement"] == [OWNERS_STATEMENT]
    configuration = s3.get_bucket_notification_configuration(Bucket="attic")
    assert [one["Id"] for one in configuration["TopicConfigurations"]] == ["mine"]
    assert configuration.get("QueueConfigurations", []) == []
    give_back(deployed(owner), "attic")
    give_back(deployed(owner), "a-bucket-that-is-gone")


class TestIsRefused:
    def refusal(self, owner: Owner, bucket: str, *words: str) -> str:
        result = owner.types("machine", "add", "nobody", "--bucket", bucket, *words)
        assert isinstance(result.exception, OpsError), result.output
        assert "nobody" not in {row["machine"] for row in owner.asks("machine", "list")["machines"]}
        return str(result.exception)

    def test_a_bucket_that_is_not_there(self, owner: Owner) -> None:
        assert "There is no bucket called nowhere" in self.refusal(owner, "nowhere")

    def test_the_services_own_bucket(self, owner: Owner) -> None:
        assert "leave out --bucket" in self.refusal(owner, owner.stack.bucket)

    def test_a_bucket_in_another_region(self, owner: Owner) -> None:
        Aws("eu-west-1", owner.stack.endpoint).client("s3").create_bucket(
            Bucket="faraway", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        said = self.refusal(owner, "faraway")
        assert "is in eu-west-1 and the service in us-east-1" in said
        assert "Deploy a stage of the service in eu-west-1" in said

    def test_a_bucket_of_another_account(self, owner: Owner) -> None:
        # MiniStack takes an access key of twelve digits for an account.
        boto3.client(
            "s3",
            region_name=owner.stack.region,
            endpoint_url=owner.stack.endpoint,
            aws_access_key_id="111111111111",
            aws_secret_access_key="test",
        ).create_bucket(Bucket="theirs")
        assert "belongs to another account" in self.refusal(owner, "theirs")

    def test_a_bucket_that_keeps_no_versions(self, owner: Owner) -> None:
        owner.client("s3").create_bucket(Bucket="forgetful")
        assert "put-bucket-versioning --bucket forgetful" in self.refusal(owner, "forgetful")

    def test_a_bucket_whose_events_somebody_else_has(self, owner: Owner) -> None:
        s3 = make_bucket(owner, "shared")
        everything = {name: value for name, value in OWNERS_EVENTS.items() if name != "Filter"}
        s3.put_bucket_notification_configuration(
            Bucket="shared", NotificationConfiguration={"TopicConfigurations": [everything]}
        )
        assert "Send its events by EventBridge instead" in self.refusal(owner, "shared")
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            s3.get_bucket_policy(Bucket="shared")

    def test_several_jobs_in_one_place(self, owner: Owner) -> None:
        s3 = make_bucket(owner, "double")
        assert "one job" in self.refusal(owner, "double", "--job", "one", "--job", "two")
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            s3.get_bucket_policy(Bucket="double")
