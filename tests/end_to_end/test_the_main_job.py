"""Back up, change, back up again, restore both; the catalogue knows it all, and the owner gets the mail."""

from __future__ import annotations

import os
import random
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from chalicelib.domain.backups.names import parse_file_name
from ops.aws import Aws
from ops.demo.compare_trees import differences, record_tree
from ops.local.received_mail import ReceivedMail, received_mails
from tests.end_to_end.conftest import Machine, Service

MB = 2**20


def fill(root: Path) -> None:
    """A small tree with what backups get wrong."""
    content = random.Random(7)
    for session in ("2019/harbour", "2020/wedding"):
        folder = root / session
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"IMG_{number}.raw").write_bytes(content.randbytes(MB))
    (root / "Grüße, 世界.txt").write_text("not ASCII")
    (root / "two\nlines").write_text("a line break")
    (root / "empty").mkdir()
    (root / "link").symlink_to("2019/harbour/IMG_0.raw")
    (root / "dangling").symlink_to("nowhere")
    (root / "private").write_text("secret")
    (root / "private").chmod(0o400)
    os.utime(root / "2020/wedding/IMG_1.raw", (1e9, 1e9))


def change(root: Path) -> None:
    time.sleep(1.1)  # duplicity compares times in whole seconds
    with (root / "2019/harbour/IMG_0.raw").open("r+b") as file:
        file.seek(1000)
        file.write(b"retouched")
    (root / "2019/harbour/IMG_1.raw").unlink()
    (root / "2020/wedding/IMG_2.raw").rename(root / "best.raw")
    (root / "new").write_text("new")


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    """A laptop with a full backup and an increment."""
    machine = service.machine("main-laptop")
    fill(machine.source)
    machine.remember("full")
    machine.do("backup")
    change(machine.source)
    machine.remember("increment")
    machine.do("backup")
    return machine


def restored(machine: Machine, tmp_path: Path, *arguments: str) -> Path:
    target = tmp_path / "restored"
    machine.do("restore", "--to", str(target), *arguments)
    return target


def test_the_newest_state_restores_bit_for_bit(machine: Machine, tmp_path: Path) -> None:
    target = restored(machine, tmp_path)
    assert differences(machine.snapshots["increment"], record_tree(target)) == []


def test_the_state_at_the_full_backup_restores_bit_for_bit(
    service: Service, machine: Machine, tmp_path: Path
) -> None:
    full = service.wait_for_sets(machine.name, 2)[0]["set"].removeprefix("full.")
    target = restored(machine, tmp_path, "--time", full)
    assert differences(machine.snapshots["full"], record_tree(target)) == []


def test_a_single_folder_restores_by_its_path(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "one"
    machine.do("restore", "2020/wedding", "--to", str(target))
    assert sorted(path.name for path in target.rglob("*.raw")) == ["IMG_0.raw", "IMG_1.raw"]


def test_the_buckets_keys_are_exactly_machine_job_and_duplicitys_name(
    service: Service, machine: Machine
) -> None:
    keys = service.keys(f"{machine.name}/")
    assert keys
    for key in keys:
        owner, job, name = key.split("/")
        assert (owner, job) == (machine.name, "system")
        file = parse_file_name(name)
        assert file is not None
        assert (file.is_under_right_prefix, file.suffix) == (True, ".gpg")


def test_the_catalogue_says_both_sets_are_sealed_and_complete_and_knows_every_object(
    service: Service, machine: Machine
) -> None:
    sets = service.wait_for_sets(machine.name, 2)
    assert [one["kind"] for one in sets] == ["full", "inc"]
    assert all(one["volumes"] == one["volumes_expected"] > 0 for one in sets)
    known = service.wait(
        lambda: {one.key: one.size for one in service.admin.catalogue_objects(machine.name)},
        lambda found: len(found) >= len(service.keys(f"{machine.name}/")),
    )
    assert known == service.keys(f"{machine.name}/")


def test_status_says_what_the_service_knows(service: Service, machine: Machine) -> None:
    service.wait_for_sets(machine.name, 2)
    said = machine.do("status").output
    assert "fresh" in said
    assert "system" in said


def test_plain_duplicity_with_aws_keys_restores_without_this_service(
    service: Service, machine: Machine, tmp_path: Path
) -> None:
    target = tmp_path / "left"
    service.plain_duplicity(
        tmp_path,
        "restore",
        "--file-prefix-jsonstat=meta_",
        f"boto3+s3://{service.stack.bucket}/{machine.name}/system",
        str(target),
    )
    assert differences(machine.snapshots["increment"], record_tree(target)) == []


def weekly_mails(service: Service) -> list[ReceivedMail]:
    """Without the alerts that come in between, about machines of other tests."""
    return [
        mail for mail in received_mails(service.stack.endpoint) if "All that is wrong now" not in mail.text
    ]


@pytest.mark.soak  # the minute of the real rule; five firings at once are tests/ops/test_weekly_schedule.py
def test_the_schedule_itself_sends_the_weekly_mail_once(service: Service, machine: Machine) -> None:
    aws = Aws(service.stack.region, service.stack.endpoint)
    # A first mail waits for the first weekly hour after the first machine was added: so it was, a month ago.
    a_month_ago = (datetime.now(timezone.utc) - timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    aws.client("dynamodb").update_item(
        TableName=service.stack.table,
        Key={"pk": {"S": "MACHINES"}, "sk": {"S": machine.name}},
        UpdateExpression="SET created_at = :then",
        ExpressionAttributeValues={":then": {"S": a_month_ago}},
    )
    events = aws.client("events")
    (rule,) = [rule for rule in events.list_rules()["Rules"] if "report" in rule["Name"].lower()]
    assert rule["ScheduleExpression"].startswith("cron(0 ")
    events.put_rule(Name=rule["Name"], ScheduleExpression="rate(1 minute)")
    try:
        mails = service.wait(lambda: weekly_mails(service), len, seconds=90)
    finally:
        events.put_rule(Name=rule["Name"], ScheduleExpression=rule["ScheduleExpression"])
    lambdas = aws.client("lambda")
    for _ in range(3):
        lambdas.invoke(FunctionName=service.stack.functions["weekly_report"], Payload=b"{}")
    assert len(weekly_mails(service)) == len(mails) == 1
    assert machine.name in mails[0].text
    assert machine.name in mails[0].html
    assert "no weekly mail yet" not in machine.do("status").output
