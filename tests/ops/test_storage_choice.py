"""Choosing where a job's volumes go: the owner's commands, and what the service and its bucket then do."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from datetime import datetime, timezone
from typing import Any

import pytest

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.storage import StoragePolicy
from ops.errors import OpsError
from ops.resources.lifecycle import put_adopted_rules
from ops.stages import LOCAL
from tests.enrolling import enrolled
from tests.ops.conftest import Owner

CHOSEN = (
    "Volumes move to Glacier Deep Archive 7 days after their upload (deep), as it is at least 100 GB."
    " `--storage` chooses another."
)
VOLUME = "data_duplicity-full.20261101T000000Z.vol1.difftar.gpg"


def policies(owner: Owner, machine: str) -> dict[str, tuple[str, int]]:
    jobs = owner.asks("machine", "show", machine)["jobs"]
    return {job["job"]: (job["archive_class"], job["archive_after_days"]) for job in jobs}


def test_without_a_word_the_default_stays_glacier_instant(owner: Owner) -> None:
    said = owner.types("machine", "add", "unsaid").stdout
    assert "a month" not in said
    assert policies(owner, "unsaid") == {"system": ("GLACIER_IR", 7)}


def test_both_sums_are_shown_and_a_large_source_goes_to_deep_archive(owner: Owner) -> None:
    said = owner.types("machine", "add", "atelier", "--size", "200GB").stdout.splitlines()
    assert said[:4] == [
        "200 GB in volumes of 25 MB, at AWS's prices of us-east-1 of 2026-09-28, before tax:",
        "  instant: $0.90 a month; everything back $15.44, readable at once",
        "  deep: $0.30 a month; everything back $11.14, to be read within 48 hours",
        CHOSEN,
    ]
    assert policies(owner, "atelier") == {"system": ("DEEP_ARCHIVE", 7)}
    assert "move to Glacier Deep Archive 7 days" in owner.types("machine", "show", "atelier").stdout


def test_a_small_source_stays_readable_at_once_and_a_choice_goes_before_the_size(owner: Owner) -> None:
    small = owner.asks("machine", "add", "purse", "--size", "50GB")
    assert policies(owner, "purse") == {"system": ("GLACIER_IR", 7)}
    assert [(one["storage"], one["monthly"], one["wait_hours"]) for one in small["estimates"]] == [
        ("instant", "0.22", 0),
        ("deep", "0.07", 48),
    ]
    words = ["--size", "200GB", "--storage", "flexible", "--after", "30d"]
    chosen = owner.asks("machine", "add", "alcove", *words)
    assert [one["storage"] for one in chosen["estimates"]] == ["instant", "deep", "flexible"]
    assert policies(owner, "alcove") == {"system": ("GLACIER", 30)}


def test_the_policy_of_one_job_is_changed_and_what_that_means_is_said(owner: Owner) -> None:
    owner.types("machine", "add", "manor", "--job", "system", "--job", "photos")
    said = owner.types(
        "machine", "set", "manor", "--job", "photos", "--storage", "deep", "--after", "30d"
    ).stdout
    assert "From now on, new volumes move to Glacier Deep Archive 30 days after their upload (deep)." in said
    assert (
        "What is stored already stays with the policy that it was stored under: no command moves it." in said
    )
    assert "`panicroom restore` shows its price first" in said
    assert policies(owner, "manor") == {"system": ("GLACIER_IR", 7), "photos": ("DEEP_ARCHIVE", 30)}
    said = owner.types("machine", "set", "manor", "--storage", "standard").stdout
    assert "new volumes stay in Standard (standard)." in said
    assert "thaw" not in said
    assert set(policies(owner, "manor").values()) == {("STANDARD", 0)}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--after", "7d"], "--after goes with --storage."),
        (["--storage", "deep", "--after", "1d"], "after one of 7d, 30d, 90d"),
        (["--storage", "deep", "--after", "12h"], "no whole number of days"),
        (["--storage", "standard", "--after", "7d"], "Nothing is moved out of standard"),
        (["--storage", "cold"], "'cold' is not one of"),
    ],
)
@pytest.mark.parametrize("command", ["add", "set"])
def test_what_cannot_be_chosen_is_refused_before_anything_is_done(
    owner: Owner, command: str, words: list[str], says: str
) -> None:
    result = owner.types("machine", command, "nobody-at-all", *words)
    assert result.exit_code == 2
    assert says in result.output
    assert "nobody-at-all" not in owner.types("machine", "list").stdout


def test_a_job_that_is_there_is_not_changed_by_adding_it_again(owner: Owner) -> None:
    owner.types("machine", "add", "again-and-again")
    error = owner.types("machine", "add", "again-and-again", "--storage", "deep").exception
    assert isinstance(error, OpsError)
    assert "`python -m ops machine set again-and-again --job system --storage ...` changes them" in str(error)
    assert owner.types("machine", "add", "again-and-again", "--storage", "instant").exit_code == 0
    assert policies(owner, "again-and-again") == {"system": ("GLACIER_IR", 7)}


def test_a_volume_is_stored_with_the_tag_of_the_policy_and_the_bucket_has_the_rule_for_it(
    owner: Owner,
) -> None:
    added = owner.asks("machine", "add", "vault", "--storage", "deep", "--after", "90d")
    laptop = Laptop(added["api_url"], "vault", added["code"])
    tag = {"Key": "panicroom-storage", "Value": "deep-archive-90d"}
    key = laptop.stores(1, b"x")
    s3, bucket = owner.client("s3"), owner.stack.bucket
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [tag]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    [rule] = [one for one in rules if one.get("Filter", {}).get("Tag") == tag]
    assert (rule["Status"], rule["Transitions"]) == (
        "Enabled",
        [{"Days": 90, "StorageClass": "DEEP_ARCHIVE"}],
    )

    owner.types("machine", "set", "vault", "--storage", "standard")
    later = laptop.stores(2, b"y")
    assert s3.get_object_tagging(Bucket=bucket, Key=later)["TagSet"] == [{**tag, "Value": "standard"}]
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [tag]


def test_volumes_that_are_not_small_go_into_their_class_at_once_where_the_owner_wants_that(
    owner: Owner,
) -> None:
    added = owner.asks("machine", "add", "ice", "--storage", "instant", "--after", "0d")
    laptop = Laptop(added["api_url"], "ice", added["code"])
    s3, bucket = owner.client("s3"), owner.stack.bucket
    large = laptop.stores(1, bytes(128 * 1024))
    small = laptop.stores(2, bytes(128 * 1024 - 1))
    assert s3.head_object(Bucket=bucket, Key=large)["StorageClass"] == "GLACIER_IR"
    assert s3.head_object(Bucket=bucket, Key=small).get("StorageClass", "STANDARD") == "STANDARD"


class Laptop:
    """A machine in the middle of a backup, which stores volumes by presigned PUTs as the client does."""

    def __init__(self, api_url: str, machine: str, code: str) -> None:
        self.url, self.machine, self.token = (
            f"{api_url}/jobs/system",
            machine,
            enrolled(api_url, machine, code),
        )
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.run = _post(f"{self.url}/runs", {"kind": "full", "clock": now}, self.token)["run"]

    def stores(self, number: int, content: bytes) -> str:
        """The key of the stored volume."""
        name = VOLUME.replace("vol1", f"vol{number}")
        file = {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        [permit] = _post(f"{self.url}/uploads", {"run": self.run, "files": [file]}, self.token)["files"]
        request = urllib.request.Request(permit["url"], content, permit["headers"], method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        return f"{self.machine}/system/{name}"


def _post(url: str, body: dict[str, Any], token: str) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_in_a_bucket_that_was_there_before_the_services_own_rule_follows_and_the_owners_does_not(
    owner: Owner,
) -> None:
    s3, own = owner.client("s3"), {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "old/data_"}}
    mine = {**own, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}
    s3.create_bucket(Bucket="woodshed")
    s3.put_bucket_versioning(Bucket="woodshed", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket="woodshed", LifecycleConfiguration={"Rules": [mine]})
    words = ["machine", "add", "woodshed", "--bucket", "woodshed", "--prefix", "old/", "--empty"]
    assert owner.types(*words).exit_code == 0

    said = owner.types("machine", "set", "woodshed", "--storage", "flexible").stdout
    assert "In woodshed, which was there before the service, rules of your own move volumes" in said
    assert "stays with the policy" not in said
    assert [one["ID"] for one in s3.get_bucket_lifecycle_configuration(Bucket="woodshed")["Rules"]][:1] == [
        "mine"
    ]

    job = Job("woodshed", "system", Location("woodshed", "old/"), storage=StoragePolicy("GLACIER", 7))
    put_adopted_rules(s3, "woodshed", LOCAL, [job])
    said = owner.types("machine", "set", "woodshed", "--storage", "deep", "--after", "90d").stdout
    assert "it moves what is stored already as well" in said
    rules = {one["ID"]: one for one in s3.get_bucket_lifecycle_configuration(Bucket="woodshed")["Rules"]}
    assert rules["mine"]["Transitions"] == mine["Transitions"]
    [ours] = [
        one for one in rules.values() if one["Filter"].get("Prefix") == "old/data_" and one["ID"] != "mine"
    ]
    assert ours["Transitions"] == [{"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]
    owner.types("machine", "remove", "woodshed", "--yes")
