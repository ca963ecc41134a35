"""Old chains on a stack of these tests' own, IAM enforced, its clock half a year ahead: announced twice, gone, undone,
held, final; with Object Lock, and in buckets that were adopted.

Laptops back up and restore while the clock is that of this computer; the owner and the schedules act ahead of it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.domain.backups.names import parse_file_name
from chalicelib.domain.backups.storage import STORAGE_TAG_KEY
from ops.aws import Aws
from ops.cli import commands
from ops.demo.compare_trees import Tree, differences, record_tree
from ops.demo.laptop import gpg_folder
from ops.local.clock import set_clock_ahead
from ops.local.received_mail import received_mails
from ops.local.stack import LocalStack
from ops.resources.stack import put_object_lock
from ops.service.admin_client import local_admin_client
from ops.service.lambda_function import LambdaFunction
from ops.stages import Stage
from tests.end_to_end.conftest import Machine, Service

NOT_FOUND = 25
HALF_A_YEAR = 200
FILES_OF_A_SET = 4
"""A volume, the signatures, the manifest, and the numbers about it."""
LOCK_DAYS = HALF_A_YEAR + 12
"""The lock of what is stored today ends some days after the second weekly mail."""

LOCKED = Stage(
    name="locked",
    account="000000000000",
    region="us-east-1",
    sender="a@example.org",
    recipients=("a@example.org",),
    lock_days=LOCK_DAYS,
    lock_mode="COMPLIANCE",
    on_local_stack=True,
)
ATTIC, ATTIC_PREFIX = "attic", "backups/"
SCHEDULED = {
    "version": "0",
    "id": "",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}
HELD = "You hold it: it stays until you release it."
TAG = {"panicroom-let-go": "yes"}


@dataclass
class Backups:
    """A laptop, where its files are, and what its folder was like at each of its backups, the oldest first."""

    machine: Machine
    bucket: str
    prefix: str
    trees: list[Tree] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    random: random.Random = field(default_factory=lambda: random.Random(21))

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def old(self) -> str:
        """The oldest chain's name."""
        return self.sets[0]

    def backup(self, world: World, kind: str) -> None:
        """Changes the folder and backs it up."""
        number = len(self.trees)
        for name in (f"new-{number}", "changing"):
            (self.machine.source / name).write_bytes(self.random.randbytes(30_000))
        known = {one["set"] for one in world.service.sets(self.name) if one["complete"]}
        self.machine.do("backup", kind)
        self.trees.append(record_tree(self.machine.source))
        (new,) = {one["set"] for one in world.service.wait_for_sets(self.name, len(known) + 1)} - known
        self.sets.append(new)

    def restores(self, number: int, folder: Path) -> None:
        """That backup, by its time, is restored as the folder was."""
        time = self.sets[number].split(".")[-1]
        self.machine.do("restore", "--time", time, "--to", str(folder))
        assert differences(self.trees[number], record_tree(folder)) == []


@dataclass
class World:
    """The stack, and who acts on it."""

    service: Service
    backups: dict[str, Backups] = field(default_factory=dict)
    ran: dict[str, Any] = field(default_factory=dict)
    """What the function answered that was the first to let a chain go."""

    def types(self, *words: str) -> Result:
        """A command of the owner's, against this stack."""
        return CliRunner().invoke(commands, [*words, "--state", str(self.service.state_folder)])

    def says(self, *words: str) -> str:
        result = self.types(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return " ".join(result.stdout.split())

    def asks(self, *words: str) -> Any:
        result = self.types(*words, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)

    @contextmanager
    def in_days(self, days: float) -> Iterator[None]:
        """The service's clock is so far ahead, as ``ops local clock`` sets it; a laptop would be refused."""
        set_clock_ahead(self.service.stack, timedelta(days=days))
        try:
            yield
        finally:
            set_clock_ahead(self.service.stack, timedelta())

    def schedule(self, name: str) -> Any:
        """Calls a function as its schedule does."""
        aws = Aws(self.service.stack.region, self.service.stack.endpoint)
        return LambdaFunction(aws, self.service.stack.functions[name]).call(SCHEDULED)

    def mail(self) -> str:
        """The weekly mail of the clock's week."""
        before = len(self.mails())
        self.schedule("weekly_report")
        (sent,) = self.mails()[before:]
        return sent

    def mails(self) -> list[str]:
        found = received_mails(self.service.stack.endpoint)
        return [" ".join(mail.text.split()) for mail in found if "LETTING GO" in mail.text]

    def job(self, name: str) -> dict[str, Any]:
        (job,) = self.asks("retention", "preview", name)["jobs"]
        found: dict[str, Any] = job
        return found

    def chain(self, name: str) -> dict[str, Any]:
        """What is said of the oldest chain that is there."""
        found: dict[str, Any] = self.job(name)["chains"][0]
        return found

    def versions(self, backups: Backups) -> dict[str, dict[str, Any]]:
        """By file name: its only version, and whether a marker hides it."""
        found = self.service.s3.list_object_versions(Bucket=backups.bucket, Prefix=backups.prefix)
        markers = {one["Key"] for one in found.get("DeleteMarkers", []) if one["IsLatest"]}
        return {
            one["Key"].removeprefix(backups.prefix): {**one, "marked": one["Key"] in markers}
            for one in found["Versions"]
        }

    def tags(self, backups: Backups, version: dict[str, Any]) -> dict[str, str]:
        """MiniStack shows no tags of what is under a marker: for this moment it is taken away."""
        which = {"Bucket": backups.bucket, "Key": version["Key"]}
        if version["marked"]:
            self._remove_marker(which)
        tags = self.service.s3.get_object_tagging(**which)["TagSet"]
        if version["marked"]:
            self.service.s3.delete_object(**which)
        return {tag["Key"]: tag["Value"] for tag in tags}

    def play_the_rule(self, backups: Backups) -> None:
        """What S3 does 30 days later by the bucket's rules, which MiniStack does not carry out."""
        rules = self.service.s3.get_bucket_lifecycle_configuration(Bucket=backups.bucket)["Rules"]
        removing = [rule["Filter"] for rule in rules if "NoncurrentVersionExpiration" in rule]
        ((name, value),) = TAG.items()
        assert removing == [{"Tag": {"Key": name, "Value": value}}]
        for one in self.versions(backups).values():
            if one["marked"] and TAG.items() <= self.tags(backups, one).items():
                which = {"Bucket": backups.bucket, "Key": one["Key"]}
                self.service.s3.delete_object(**which, VersionId=one["VersionId"])
                self._remove_marker(which)

    def _remove_marker(self, which: dict[str, str]) -> None:
        found = self.service.s3.list_object_versions(Bucket=which["Bucket"], Prefix=which["Key"])
        for marker in found["DeleteMarkers"]:
            self.service.s3.delete_object(**which, VersionId=marker["VersionId"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four laptops, each with an old chain and a new one that were approved; half a year and two weekly mails on."""
    stack = LocalStack(tmp_path_factory.mktemp("stack"))
    try:
        description = stack.up(enforce_iam=True)
        s3, admin = (
            Aws(description.region, description.endpoint).client("s3"),
            local_admin_client(description),
        )
        with gpg_folder(is_quick=True) as gpg:
            laptops = tmp_path_factory.mktemp("laptops")
            world = World(Service(description, admin, s3, laptops, gpg, stack.state_folder))
            _make_machines(world)
            _let_half_a_year_pass(world)
            yield world
    finally:
        stack.down()


def _make_machines(world: World) -> None:
    s3, own = world.service.s3, world.service.stack.bucket
    for bucket in (LOCKED.bucket, ATTIC):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put_object_lock(s3, LOCKED)
    s3.put_object(Bucket=ATTIC, Key="photos/beach.jpg", Body=b"sand")
    for name, bucket, prefix, words in (
        ("anna", own, "anna/system/", ()),
        ("ben", own, "ben/system/", ()),
        ("vault", LOCKED.bucket, "", ("--bucket", LOCKED.bucket)),
        ("loft", ATTIC, ATTIC_PREFIX, ("--bucket", ATTIC, "--prefix", ATTIC_PREFIX)),
    ):
        machine = Machine(name, world.service.laptops / name, world.service.gpg)
        machine.source.mkdir(parents=True)
        code = world.asks("machine", "add", name, *words)["code"]
        machine.do("enrol", world.service.stack.api_url, code, "--source", str(machine.source), "--yes")
        backups = world.backups[name] = Backups(machine, bucket, prefix)
        for kind in ("full", "incremental", "incremental")[: 3 if name == "anna" else 1]:
            backups.backup(world, kind)
        for kind in ("full", "incremental")[: 2 if name == "anna" else 1]:
            backups.backup(world, kind)


def _let_half_a_year_pass(world: World) -> None:
    approved = world.says("retention", "approve", "--yes")
    assert all(f"Approved: {name}/system." in approved for name in world.backups)
    world.says("retention", "hold", "ben", "system", world.backups["ben"].old)
    for name in world.backups:
        world.says("machine", "pause", name)
    with world.in_days(HALF_A_YEAR):
        world.schedule("weekly_reconcile")
        assert "0 of 2 have named it" in world.chain("anna")["reason"]
        assert world.backups["anna"].old in world.mail()
        assert world.schedule("let_go")["let_go"] == []
    with world.in_days(HALF_A_YEAR + 7):
        world.schedule("weekly_reconcile")
        assert world.backups["anna"].old in world.mail()
    with world.in_days(HALF_A_YEAR + 8):
        world.ran = world.schedule("let_go")


def test_what_two_mails_have_named_goes_but_what_is_held_or_locked_waits_and_says_why(world: World) -> None:
    went = {(row["machine"], row["chain"], row["state"]) for row in world.ran["let_go"]}
    assert went == {(name, world.backups[name].old, "hidden") for name in ("anna", "loft")}
    waits = dict(line.split("/system: ", 1) for line in world.ran["waits"])
    assert waits["ben"] == HELD
    assert re.fullmatch(r"Object Lock keeps it until \d+ \w+ 20\d\d\.", waits["vault"])


@pytest.mark.parametrize("name", ["anna", "loft"])
def test_all_files_of_its_sets_are_tagged_and_marked_and_nothing_else_is_touched(
    world: World, name: str
) -> None:
    backups = world.backups[name]
    old_sets = backups.sets[: 3 if name == "anna" else 1]
    old = {file: one for file, one in world.versions(backups).items() if set_of(file) in old_sets}
    others = {file: one for file, one in world.versions(backups).items() if file not in old}
    assert len(old) == FILES_OF_A_SET * len(old_sets)
    for file, one in old.items():
        assert one["marked"], file
        tags = world.tags(backups, one)
        assert TAG.items() <= tags.items(), file
        if name == "anna" and "difftar" in file:
            assert STORAGE_TAG_KEY in tags, file
    assert others
    for file, one in others.items():
        assert not one["marked"], file
        assert not TAG.keys() & world.tags(backups, one).keys(), file
    assert world.service.s3.get_object(Bucket=ATTIC, Key="photos/beach.jpg")["Body"].read() == b"sand"


def test_the_laptop_restores_all_that_is_left_and_goes_on_with_a_right_increment(
    world: World, tmp_path: Path
) -> None:
    anna = world.backups["anna"]
    listed = [one["set"] for one in json.loads(anna.machine.do("versions", "--json").output)]
    assert listed == anna.sets[3:]
    anna.restores(4, tmp_path / "newest")
    anna.restores(3, tmp_path / "older")
    too_old = ("--time", anna.sets[1].split(".")[-1], "--to", str(tmp_path / "too-old"))
    refused = anna.machine.run("restore", *too_old)
    assert refused.code == NOT_FOUND, refused.said
    assert "there is no backup of" in refused.said
    assert "the oldest is of" in refused.said
    assert not (tmp_path / "too-old").exists()
    world.says("machine", "resume", "anna")
    try:
        anna.backup(world, "incremental")
    finally:
        world.says("machine", "pause", "anna")
    assert anna.sets[-1].startswith(f"inc.{anna.sets[-2].split('.')[-1]}.to.")
    anna.restores(5, tmp_path / "next")


def test_in_an_adopted_bucket_the_rule_takes_what_was_let_go_and_the_rest_restores(
    world: World, tmp_path: Path
) -> None:
    loft = world.backups["loft"]
    rules = world.service.s3.get_bucket_lifecycle_configuration(Bucket=ATTIC)["Rules"]
    cleared = [
        rule["Filter"]
        for rule in rules
        if rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker") and rule["Status"] == "Enabled"
    ]
    assert cleared == [{"Prefix": ATTIC_PREFIX}]
    world.play_the_rule(loft)
    assert {set_of(file) for file in world.versions(loft)} == {loft.sets[1]}
    loft.restores(1, tmp_path / "newest")


def test_what_is_held_stays_and_is_named_in_two_mails_when_it_is_released(world: World) -> None:
    ben = world.backups["ben"]
    with world.in_days(HALF_A_YEAR + 9):
        assert HELD in world.says("retention", "run", "ben", "system")
        assert world.chain("ben")["held"] is True
        world.says("retention", "hold", "ben", "system", ben.old, "--release")
        assert "0 of 2 have named it" in world.says("retention", "run", "ben", "system")
    assert not any(one["marked"] for one in world.versions(ben).values())


def test_a_locked_chain_goes_when_its_lock_ends_and_that_of_the_newest_is_extended(
    world: World, tmp_path: Path
) -> None:
    vault = world.backups["vault"]
    ends = datetime.now(timezone.utc) + timedelta(days=LOCK_DAYS + HALF_A_YEAR - 1)
    for file, one in world.versions(vault).items():
        found = world.service.s3.head_object(Bucket=vault.bucket, Key=file, VersionId=one["VersionId"])
        is_long = found["ObjectLockRetainUntilDate"] > ends
        assert is_long == (set_of(file) == vault.sets[1]), file
    with world.in_days(LOCK_DAYS + 1):
        assert f"{vault.old} (1 set" in world.says("retention", "run", "vault", "system")
    versions = world.versions(vault)
    assert {set_of(file) for file, one in versions.items() if one["marked"]} == {vault.old}
    vault.restores(1, tmp_path / "newest")


def test_it_comes_back_and_is_held_and_released_it_goes_for_good(world: World, tmp_path: Path) -> None:
    anna = world.backups["anna"]
    with world.in_days(HALF_A_YEAR + 9):
        assert f"{anna.old} of anna/system is back" in world.says(
            "retention", "undo", "anna", "system", anna.old
        )
    for number in (0, 2, 4):
        anna.restores(number, tmp_path / f"undone-{number}")
    with world.in_days(HALF_A_YEAR + 21):  # what was restored from is left alone for two weeks
        world.schedule("weekly_reconcile")
        assert HELD in world.says("retention", "run", "anna", "system")
        world.says("retention", "hold", "anna", "system", anna.old, "--release")
        assert "0 of 2 have named it" in world.says("retention", "run", "anna", "system")
        assert anna.old in world.mail()
    with world.in_days(HALF_A_YEAR + 28):
        world.schedule("weekly_reconcile")
        assert anna.old in world.mail()
        assert f"{anna.old} (3 sets" in world.says("retention", "run", "anna", "system")
    with world.in_days(HALF_A_YEAR + 35):
        assert "Can be brought back until" in world.mail()
    world.play_the_rule(anna)
    with world.in_days(HALF_A_YEAR + 61):
        mail = world.mail()
        assert "of old backups removed" in mail
        assert "Gone for good since" in mail
        world.schedule("let_go")
        assert [row["state"] for row in world.job("anna")["let_go"]] == ["gone"]
    stored = {one["set"] for one in world.service.sets("anna") if one["bytes"]}
    assert stored == set(anna.sets[3:])


def set_of(file_name: str) -> str:
    file = parse_file_name(file_name)
    assert file is not None, file_name
    return str(file.set_id)
