"""``ops audit``, typed against a running service with IAM enforced, and against a bucket that it never heard of."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.audit.notifications import NEEDED_EVENTS
from chalicelib.domain.backups.names import METADATA_PREFIX, VOLUME_PREFIX, format_time
from ops.errors import OpsError
from tests.ops.conftest import Owner
from tests.ops.test_commands import wait

NOW = datetime.now(timezone.utc)
BEGAN, ENDED = (format_time(NOW - timedelta(hours=hours)) for hours in (3, 2))
FULL, INCREMENT = f"full.{BEGAN}", f"inc.{BEGAN}.to.{ENDED}"
NAMES = [
    f"{VOLUME_PREFIX}duplicity-{FULL}.vol1.difftar.gpg",
    f"{METADATA_PREFIX}duplicity-full-signatures.{BEGAN}.sigtar.gpg",
    f"{METADATA_PREFIX}duplicity-{FULL}.manifest.gpg",
    f"{VOLUME_PREFIX}duplicity-{INCREMENT}.vol1.difftar.gpg",
    f"{METADATA_PREFIX}duplicity-new-signatures.{BEGAN}.to.{ENDED}.sigtar.gpg",
    f"{METADATA_PREFIX}duplicity-{INCREMENT}.manifest.gpg",
]
OF_THE_POST = {
    "ID": "to-glacier",
    "Status": "Enabled",
    "Filter": {"Prefix": "_data"},
    "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
    "Expiration": {"Days": 365},
}


def audited(owner: Owner, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """How the command ended, and what it found."""
    result = owner.types("audit", "--json", *words)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, json.loads(result.stdout)["findings"]


def made_by_hand(owner: Owner, bucket: str, folder: str = "") -> Any:
    s3 = owner.client("s3")
    s3.create_bucket(Bucket=bucket)
    for name in NAMES:
        s3.put_object(Bucket=bucket, Key=folder + name, Body=b"x")
    return s3


def test_the_bucket_of_the_post_is_reported_what_its_reader_would_want_to_know(owner: Owner) -> None:
    s3 = made_by_hand(owner, "annas-backup")
    s3.put_bucket_lifecycle_configuration(
        Bucket="annas-backup", LifecycleConfiguration={"Rules": [OF_THE_POST]}
    )
    code, found = audited(owner, "--bucket", "annas-backup")
    assert code == 2
    by_code = {one["code"]: one for one in found}
    assert {"rule_matches_nothing", "rule_expires_full", "versioning_off"} <= by_code.keys()
    assert "It probably means the prefix data_." in by_code["rule_matches_nothing"]["message"]
    assert "from under the increment that needs it" in by_code["rule_expires_full"]["message"]
    assert all({"severity", "machine", "job", "evidence", "advice"} <= one.keys() for one in found)
    shown = owner.types("audit", "--bucket", "annas-backup")
    assert shown.exit_code == 2
    for words in ("rule_matches_nothing", "critical", "put-bucket-versioning", "It probably means"):
        assert words in shown.stdout


def test_folders_of_a_foreign_bucket_are_jobs_and_what_lies_elsewhere_is_nobodys_business(
    owner: Owner,
) -> None:
    s3 = made_by_hand(owner, "mixed", "laptop/")
    s3.put_bucket_versioning(Bucket="mixed", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="mixed", Key="photos/beach.jpg", Body=b"sand")
    s3.put_object(Bucket="mixed", Key="laptop/notes.txt", Body=b"x")
    s3.delete_object(Bucket="mixed", Key=f"laptop/{NAMES[0]}")
    _, found = audited(owner, "--bucket", "mixed")
    told = {(one["code"], one["machine"], one["job"]) for one in found if one["job"]}
    assert told == {("stray", "mixed", "laptop"), ("no_volumes", "mixed", "laptop")}
    _, found = audited(owner, "--bucket", "mixed", "--prefix", "photos/")
    assert [one for one in found if one["job"]] == []


def test_a_rule_by_a_tag_that_nothing_has_is_found_by_reading_the_tags(owner: Owner) -> None:
    s3 = made_by_hand(owner, "tagged")
    by_tag = {**OF_THE_POST, "Filter": {"Tag": {"Key": "storage", "Value": "cold"}}}
    by_tag.pop("Expiration")
    s3.put_bucket_lifecycle_configuration(Bucket="tagged", LifecycleConfiguration={"Rules": [by_tag]})
    assert "rule_matches_nothing" in {one["code"] for one in audited(owner, "--bucket", "tagged")[1]}
    tags = {"TagSet": [{"Key": "storage", "Value": "cold"}]}
    s3.put_object_tagging(Bucket="tagged", Key=NAMES[0], Tagging=tags)
    assert "rule_matches_nothing" not in {one["code"] for one in audited(owner, "--bucket", "tagged")[1]}


def test_a_bucket_that_is_not_there_is_one_clear_line(owner: Owner) -> None:
    error = owner.types("audit", "--bucket", "nowhere-at-all").exception
    assert isinstance(error, OpsError)
    assert str(error) == "The bucket nowhere-at-all cannot be audited: it does not exist."


@pytest.mark.parametrize("words", [["--prefix", "x/"], ["--fix", "--json"]])
def test_a_wrong_use_is_reported(owner: Owner, words: list[str]) -> None:
    assert owner.types("audit", *words).exit_code == 2


def test_what_is_safe_is_mended_after_asking_and_the_owners_own_stays(owner: Owner) -> None:
    s3, bucket = owner.client("s3"), owner.stack.bucket
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    owner.types("machine", "add", "mended")
    own = {
        "ID": "mine",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
    }
    try:
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [own]})
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        code, found = audited(owner)
        assert code == 2
        wrong = {one["code"] for one in found if bucket in one["subject"] + one["message"]}
        assert {"no_archive_rule", "notifications_missing"} <= wrong

        asked = owner.types("audit", "--fix")  # nobody answers
        assert "Write the lifecycle rules" in asked.stdout
        assert "Do it?" in asked.stdout
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [own]

        result = owner.types("audit", "--fix", "--yes", "--json")
        answer = json.loads(result.stdout)
        assert len([one for one in answer["fixed"] if bucket in one]) == 2
        left = {one["code"] for one in answer["findings"] if bucket in one["subject"] + one["message"]}
        assert not left & {"no_archive_rule", "notifications_missing"}
        ids = [rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]]
        assert ids[0] == "mine"
        assert "panicroom-glacier-ir-7d" in ids
        [queue] = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
        assert set(queue["Events"]) == set(NEEDED_EVENTS)
        # And the events come again.
        s3.put_object(Bucket=bucket, Key="mended/system/notes.txt", Body=b"x")
        wait(lambda: "mended/system/notes.txt" in {one["subject"] for one in audited(owner)[1]})
        s3.delete_object(Bucket=bucket, Key="mended/system/notes.txt")
    finally:
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        configuration.pop("ResponseMetadata")
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def test_an_adopted_bucket_gets_a_rule_for_its_own_prefix(owner: Owner) -> None:
    s3 = made_by_hand(owner, "loft", "old/")
    s3.put_bucket_versioning(Bucket="loft", VersioningConfiguration={"Status": "Enabled"})
    owner.types("machine", "add", "loft", "--bucket", "loft", "--prefix", "old/")
    owner.asks("reconcile", "--machine", "loft")
    before = {one["code"] for one in audited(owner)[1] if one["machine"] == "loft"}
    assert before == {"no_archive_rule"}
    json.loads(owner.types("audit", "--fix", "--yes", "--json").stdout)
    assert not [one for one in audited(owner)[1] if one["machine"] == "loft"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket="loft")["Rules"]
    assert {"Prefix": "old/data_"} in [rule["Filter"] for rule in rules]


def test_the_next_alert_can_be_looked_at_and_sent(owner: Owner) -> None:
    owner.types("machine", "add", "littered")
    owner.client("s3").put_object(Bucket=owner.stack.bucket, Key="littered/system/notes.txt", Body=b"x")
    wait(lambda: "littered/system/notes.txt" in owner.types("alerts", "preview", "--at", "2031-01-01").stdout)
    assert owner.types("alerts", "send").stdout.strip() in ("Sent.", "There was nothing to mail.")
