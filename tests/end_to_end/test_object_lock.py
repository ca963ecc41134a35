"""A bucket with Object Lock: uploads, audit and restores go on as without, and nobody deletes what was stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from ops.cli import commands
from ops.demo.compare_trees import differences, record_tree
from ops.resources.stack import put_object_lock
from ops.stages import Stage
from tests.end_to_end.conftest import Machine, Service

BUCKET = "panicroom-locked-000000000000-us-east-1"
LOCKED = Stage(
    name="locked",
    account="000000000000",
    region="us-east-1",
    sender="a@example.org",
    recipients=("a@example.org",),
    lock_days=30,
    lock_mode="COMPLIANCE",
    on_local_stack=True,
)


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    assert LOCKED.bucket == BUCKET
    service.s3.create_bucket(Bucket=BUCKET)
    service.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put_object_lock(service.s3, LOCKED)
    state = ("--state", str(service.state_folder), "--json")
    added = CliRunner().invoke(commands, ["machine", "add", "locked", "--bucket", BUCKET, *state])
    machine = Machine("locked", service.laptops / "locked", service.gpg)
    machine.source.mkdir(parents=True)
    (machine.source / "letter.txt").write_text("Dear Ben,\n")
    url, code = service.stack.api_url, json.loads(added.stdout)["code"]
    machine.do("enrol", url, code, "--source", str(machine.source), "--yes")
    machine.do("backup")
    return machine


def versions(service: Service) -> list[dict[str, Any]]:
    return list(service.s3.list_object_versions(Bucket=BUCKET)["Versions"])


def test_every_file_of_a_backup_is_locked_for_as_long_as_was_chosen(
    service: Service, machine: Machine
) -> None:
    for one in versions(service):
        found = service.s3.head_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])
        assert found["ObjectLockMode"] == "COMPLIANCE"
        assert (found["ObjectLockRetainUntilDate"] - found["LastModified"]).days in (29, 30)


def test_not_even_the_owner_deletes_a_version(service: Service, machine: Machine) -> None:
    one = versions(service)[0]
    with pytest.raises(ClientError, match="AccessDenied"):
        service.s3.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])


def test_the_next_backup_is_an_increment_and_all_of_it_restores(
    service: Service, machine: Machine, tmp_path: Path
) -> None:
    service.wait_for_sets("locked", 1)
    (machine.source / "postcard.txt").write_text("Wish you were here.\n")
    machine.do("backup")
    assert [one["kind"] for one in service.wait_for_sets("locked", 2)] == ["full", "inc"]
    machine.do("restore", "--to", str(tmp_path / "restored"))
    assert differences(record_tree(machine.source), record_tree(tmp_path / "restored")) == []


def test_the_audit_finds_nothing_wrong_with_the_locked_files(service: Service, machine: Machine) -> None:
    words = ["audit", "--state", str(service.state_folder), "--json"]
    found = json.loads(CliRunner().invoke(commands, words).stdout)["findings"]
    assert [one for one in found if one["machine"] == "locked" and one["severity"] == "critical"] == []
