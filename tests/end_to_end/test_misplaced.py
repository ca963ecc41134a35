"""A volume under the wrong prefix, a stray, a manifest out of reach: known, mailed, mended as advised, well again."""

from __future__ import annotations

import random
import shutil
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from chalicelib.domain.backups.names import FileKind, parse_file_name
from ops.aws import Aws
from ops.demo.compare_trees import differences, record_tree
from ops.local.received_mail import ReceivedMail, received_mails
from tests.advised import type_commands
from tests.end_to_end.conftest import Machine, Service

CODES = {"wrong_prefix", "stray", "metadata_archived"}


def file_name(service: Service, machine: Machine, kind: FileKind, *, full: bool) -> str:
    for key in service.keys(f"{machine.name}/"):
        file = parse_file_name(key.rpartition("/")[2])
        if file is not None and file.kind is kind and file.set_id.is_full is full:
            return file.name
    raise AssertionError(f"no {kind.value}")


def misplace(service: Service, machine: Machine) -> None:
    """As people do: a file renamed in the console, another dropped beside it, a third archived to save money."""
    bucket, folder = service.stack.bucket, f"{machine.name}/system/"
    volume = folder + file_name(service, machine, FileKind.VOLUME, full=False)
    wrong = volume.replace("data_", "meta_")
    service.s3.copy_object(Bucket=bucket, Key=wrong, CopySource=f"{bucket}/{volume}")
    service.s3.delete_object(Bucket=bucket, Key=volume)
    service.s3.put_object(Bucket=bucket, Key=f"{folder}holiday.jpg", Body=b"sand")
    manifest = folder + file_name(service, machine, FileKind.MANIFEST, full=True)
    service.s3.copy_object(
        Bucket=bucket, Key=manifest, CopySource=f"{bucket}/{manifest}", StorageClass="DEEP_ARCHIVE"
    )


def findings(service: Service, machine: Machine) -> dict[str, dict[str, Any]]:
    """The misplaced things of that machine by their codes; other tests have theirs."""
    found = service.admin.call("findings")["findings"]
    return {one["code"]: one for one in found if one["machine"] == machine.name and one["code"] in CODES}


def mails(service: Service, machine: Machine) -> list[ReceivedMail]:
    alerts = [mail for mail in received_mails(service.stack.endpoint) if "All that is wrong now" in mail.text]
    return [mail for mail in alerts if machine.name in mail.text]


def let_an_hour_pass(service: Service) -> None:
    """What is open was so for an hour, and nothing was mailed in it: other tests' machines have troubles too."""
    table = Aws(service.stack.region, service.stack.endpoint).client("dynamodb")
    record = {"pk": {"S": "ALERTS"}, "sk": {"S": "record"}}
    rows = table.query(
        TableName=service.stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "FINDINGS"}},
    )["Items"]
    an_hour_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for row in rows:
        table.update_item(
            TableName=service.stack.table,
            Key={"pk": row["pk"], "sk": row["sk"]},
            UpdateExpression="SET opened_at = :then",
            ExpressionAttributeValues={":then": {"S": an_hour_ago}},
        )
    table.delete_item(TableName=service.stack.table, Key=record)


def test_what_is_misplaced_is_known_mailed_mended_and_well_again(service: Service, tmp_path: Path) -> None:
    machine = service.machine("tidied-laptop")
    content = random.Random(3)
    (machine.source / "first.raw").write_bytes(content.randbytes(2**20))
    machine.do("backup")
    time.sleep(1.1)  # duplicity compares times in whole seconds
    (machine.source / "second.raw").write_bytes(content.randbytes(2**20))
    machine.do("backup")
    service.wait_for_sets(machine.name, 2)

    misplace(service, machine)
    # The copy was there before its original went: by now it is the only one.
    found = service.wait(
        lambda: findings(service, machine),
        lambda seen: seen.keys() == CODES and "does not find it" in seen["wrong_prefix"]["message"],
        seconds=60,
    )

    let_an_hour_pass(service)
    # The schedule itself does it, within a minute.
    (mail,) = service.wait(lambda: mails(service, machine), len, seconds=90)
    for one in found.values():
        assert one["message"] in mail.text
        assert one["advice"] in mail.text
        for line in one["commands"]:
            assert line in mail.text

    for one in found.values():
        type_commands(service.s3, one["commands"])
    service.wait(lambda: findings(service, machine), lambda left: not left, seconds=60)
    service.wait_for_sets(machine.name, 2)
    shutil.rmtree(machine.folder / "cache")  # so that the manifest has to be fetched
    machine.do("restore", "--to", str(tmp_path / "restored"))
    assert differences(record_tree(machine.source), record_tree(tmp_path / "restored")) == []

    in_an_hour = datetime.now(timezone.utc) + timedelta(minutes=61)
    service.admin.call("alerts_send", at=in_an_hour.isoformat())
    _, over = mails(service, machine)
    assert all(f"over: {one}" in over.text for one in ("a backup's file", "a stray object", "metadata is in"))
    assert "All clear" in over.subject or machine.name not in over.subject
