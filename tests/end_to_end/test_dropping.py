"""A machine's end with real backups in a bucket with Object Lock: what is locked is held back and said, all else goes,
and the same command ends it when the lock has ended."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.domain.backups.names import parse_file_name
from ops.cli import commands
from ops.resources.stack import put_object_lock
from ops.stages import Stage
from tests.end_to_end.conftest import Machine, Service

NAME = "scrapped"
LOCKED = Stage(
    name="scrapyard",
    account="000000000000",
    region="us-east-1",
    sender="a@example.org",
    recipients=("a@example.org",),
    lock_days=30,
    lock_mode="GOVERNANCE",
    on_local_stack=True,
)


def types(service: Service, *words: str) -> Result:
    return CliRunner().invoke(commands, ["machine", *words, "--state", str(service.state_folder)])


def says(service: Service, *words: str) -> str:
    result = types(service, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


def stored(service: Service, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.s3.list_object_versions(Bucket=LOCKED.bucket).get(kind, [])
    return found


def end_lock(service: Service, version: dict[str, Any]) -> None:
    """As its day would; the stand-in takes one that is over."""
    service.s3.put_object_retention(
        Bucket=LOCKED.bucket,
        Key=version["Key"],
        VersionId=version["VersionId"],
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(timezone.utc) - timedelta(days=1)},
        BypassGovernanceRetention=True,
    )


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    """Killed in its first backup."""
    service.s3.create_bucket(Bucket=LOCKED.bucket)
    service.s3.put_bucket_versioning(Bucket=LOCKED.bucket, VersioningConfiguration={"Status": "Enabled"})
    put_object_lock(service.s3, LOCKED)
    code = json.loads(types(service, "add", NAME, "--bucket", LOCKED.bucket, "--json").stdout)["code"]
    machine = Machine(NAME, service.laptops / NAME, service.gpg)
    machine.source.mkdir(parents=True)
    (machine.source / "film").write_bytes(random.Random(1).randbytes(6_000_000))
    machine.do("enrol", service.stack.api_url, code, "--source", str(machine.source), "--yes")
    machine.set("volume_mb", 1)
    machine.run_and_kill(lambda: bool(stored(service, "Versions")), "backup")
    return machine


def test_a_locked_machine_ends_in_steps_and_each_says_what_is_left(
    service: Service, machine: Machine
) -> None:
    under_way = str(types(service, "drop", NAME, "--plan").exception)
    assert (
        f"A backup of {NAME}/system is under way. End it there (Ctrl-C, or stop its timer), or wait"
        in under_way
    )
    machine.do("backup")
    (machine.source / "letter").write_text("Dear Ben,\n")
    machine.do("backup")
    newest = service.wait_for_sets(NAME, 2)[-1]["set"]
    locked = []
    for version in stored(service, "Versions"):
        file = parse_file_name(version["Key"])
        if file is not None and str(file.set_id) == newest:
            locked.append(version)
        else:
            end_lock(service, version)
    service.s3.put_object(Bucket=LOCKED.bucket, Key="letters.txt", Body=b"not a backup")
    begun = service.s3.create_multipart_upload(Bucket=LOCKED.bucket, Key=locked[0]["Key"])

    held = f"Object Lock holds {len(locked)} versions ({sum(one['Size'] for one in locked) / 1024:.1f} KB) back until"
    day = f"{datetime.now(timezone.utc) + timedelta(days=30):%Y-%m-}"
    assert f"{held} {day}" in says(service, "drop", NAME, "--plan")
    assert len(stored(service, "Versions")) > len(locked) + 1
    said = says(service, "drop", NAME, "--confirm", NAME)
    assert f"{held} {day}" in said
    assert f"{NAME} stays in the list as dropping; type `python -m ops machine drop {NAME}` again" in said
    left = {one["Key"] for one in stored(service, "Versions")}
    assert left == {"letters.txt", *(one["Key"] for one in locked)}
    assert {one["Key"] for one in stored(service, "DeleteMarkers")} == left - {"letters.txt"}
    uploads = service.s3.list_multipart_uploads(Bucket=LOCKED.bucket).get("Uploads", [])
    assert begun["UploadId"] not in {one["UploadId"] for one in uploads}
    assert "revoked" in machine.run("backup").said
    assert "began to remove it" not in json.dumps(service.admin.call("status"))
    listed = json.loads(types(service, "list", "--json").stdout)["machines"]
    assert [one["status"] for one in listed if one["machine"] == NAME] == ["dropping"]
    assert held in says(service, "drop", NAME, "--confirm", NAME)

    for version in locked:
        end_lock(service, version)
    assert f"{NAME} is gone." in says(service, "drop", NAME, "--confirm", NAME)
    assert [one["Key"] for one in stored(service, "Versions")] == ["letters.txt"]
    assert stored(service, "DeleteMarkers") == []
    assert f"There is no machine called {NAME}" in str(types(service, "drop", NAME, "--plan").exception)
