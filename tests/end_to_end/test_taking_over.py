"""A bucket set up by hand, as the post says, with a backup in it that plain duplicity made: taken over as it is."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ops.aws import Aws
from ops.cli import commands
from ops.demo.compare_trees import differences, record_tree
from tests.end_to_end.conftest import Machine, Service

BUCKET = "annas-own-backup"
OWNERS_TOPIC = "annas-topic"
OWNERS_RULE: dict[str, Any] = {
    # The post's own mistake: the files are called data_, so this one has never moved anything.
    "ID": "to-glacier",
    "Status": "Enabled",
    "Filter": {"Prefix": "_data"},
    "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
}


@dataclasses.dataclass
class Found:
    """The bucket as it was found, and the laptop whose backup is in it."""

    service: Service
    s3: Any
    folder: Path
    versions: set[tuple[str, str]]
    topic: str

    @property
    def source(self) -> Path:
        return self.folder / "source"

    def types(self, *words: str) -> Any:
        state = str(self.service.state_folder)
        result = CliRunner().invoke(commands, [*words, "--state", state, "--json"])
        assert result.stdout, result.exception or result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def found(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("anna")
    source = folder / "source"
    source.mkdir()
    (source / "thesis.tex").write_bytes(os.urandom(1_500_000))
    (source / "letter.txt").write_text("Dear Ben,\n")
    aws = Aws(service.stack.region, service.stack.endpoint)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [OWNERS_RULE]})
    topic = aws.client("sns").create_topic(Name=OWNERS_TOPIC)["TopicArn"]
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "TopicConfigurations": [
                {
                    "TopicArn": topic,
                    "Events": ["s3:ReducedRedundancyLostObject"],
                }
            ]
        },
    )
    service.plain_duplicity(folder, "full", "--volsize", "1", str(source), f"boto3+s3://{BUCKET}")
    return Found(service, s3, folder, versions_in(s3), topic)


def versions_in(s3: Any) -> set[tuple[str, str]]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", [])}


def test_the_audit_comes_first_and_finds_the_rule_that_never_moved_anything(found: Found) -> None:
    answer = found.types("machine", "add", "anna-old", "--bucket", BUCKET, "--plan")
    assert any("_data" in one["message"] for one in answer["findings"]), answer["findings"]
    assert any("its policy: let" in line for line in answer["changes"])
    assert any("beside the 1 that is there" in line for line in answer["changes"])


def test_to_look_at_it_changes_nothing(found: Found) -> None:
    configuration = found.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert "QueueConfigurations" not in configuration
    assert [one["machine"] for one in found.types("machine", "list")["machines"]].count("anna-old") == 0
    assert versions_in(found.s3) == found.versions


def test_it_is_taken_over_without_moving_a_byte(found: Found) -> None:
    code = found.types("machine", "add", "anna-old", "--bucket", BUCKET)["code"]
    found.types("reconcile", "--machine", "anna-old")
    assert versions_in(found.s3) == found.versions
    configuration = found.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert [one["TopicArn"] for one in configuration["TopicConfigurations"]] == [found.topic]
    assert len(configuration["QueueConfigurations"]) == 1
    rules = found.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert OWNERS_RULE["ID"] in [rule["ID"] for rule in rules]
    (found.folder / "code").write_text(code)


def test_its_backup_is_catalogued_and_called_unproven(found: Found) -> None:
    [one] = found.service.sets("anna-old")
    assert (one["kind"], one["sealed"], one["complete"]) == ("full", True, False)
    assert one["volumes"] >= 2


def test_the_audit_of_the_service_knows_it_from_then_on(found: Found) -> None:
    codes = {one["code"] for one in found.types("audit")["findings"] if one["machine"] == "anna-old"}
    assert "stray" not in codes
    assert "not_catalogued" not in codes


def test_the_new_client_goes_on_incrementally_and_restores_both_times(found: Found) -> None:
    before = record_tree(found.source)
    machine = Machine("anna-old", found.folder, found.service.gpg)
    code = (found.folder / "code").read_text()
    machine.do("enrol", found.service.stack.api_url, code, "--source", str(found.source), "--yes")
    (found.source / "letter.txt").write_text("Dear Ben,\nI have moved.\n")
    machine.do("backup", "incremental")
    sets = found.service.wait(
        lambda: found.service.sets("anna-old"), lambda sets: any(one["kind"] != "full" for one in sets)
    )
    assert [one["kind"] for one in sets].count("full") == 1
    machine.do("restore", "--to", str(found.folder / "now"))
    assert differences(record_tree(found.source), record_tree(found.folder / "now")) == []
    first = sets[0]["set"].partition(".")[2]
    machine.do("restore", "--time", first, "--to", str(found.folder / "then"))
    assert differences(before, record_tree(found.folder / "then")) == []


def test_what_was_there_before_is_still_there(found: Found) -> None:
    assert found.versions <= versions_in(found.s3)
