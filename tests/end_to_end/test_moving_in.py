"""Moving in as ``docs/moving-in.md`` says: a bucket set up by hand as a blog post says, with backups in it that plain
duplicity made, and the post's files. Each command of the page is typed at a terminal, and counted."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.demo.compare_trees import Tree, differences, record_tree
from ops.demo.laptop import PROGRAMS
from ops.environments import SITE
from ops.functions.package import PROJECT
from tests.advised import type_commands
from tests.end_to_end.conftest import PASSPHRASE, Machine, Service
from tests.terminal import Terminal
from tools.docs.commands import logical_lines
from tools.docs.markdown import Document

PAGE = Document(Path("docs/moving-in.md"), (PROJECT / "docs" / "moving-in.md").read_text())
BUCKET = "annas-backup"
MOST_COMMANDS = 8
MOST_ANSWERS = 4
SECONDS = 120

OWNERS_RULE: dict[str, Any] = {
    # The post's own mistake: the files are called data_, so it has never moved nor deleted anything.
    "ID": "to-glacier",
    "Status": "Enabled",
    "Filter": {"Prefix": "_data"},
    "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
    "Expiration": {"Days": 365},
}
CONF = """\
# BackupToCloud.conf
export AWS_ACCESS_KEY_ID="AKIAEXAMPLE"
export AWS_SECRET_ACCESS_KEY="wJalr/KEY"
export PASSPHRASE="{passphrase}"
SOURCE="{source}"
DEST="boto3+s3://annas-backup"
EXCLUDE="exclude.txt"
VOLSIZE=1
"""
SCRIPT = """\
#!/bin/bash
. "$(dirname "$0")/BackupToCloud.conf"
duplicity --exclude-filelist "$EXCLUDE" --file-prefix-archive=data_ --file-prefix-manifest=meta_ "$SOURCE" "$DEST"
"""
EXCLUDE = "- **/.cache\n- **/Downloads\n"
LEFT_OUT = (".cache", "Downloads")


@dataclasses.dataclass
class House:
    """The bucket as it was found, the laptop whose backups are in it, and both people's terminals."""

    service: Service
    s3: Any
    home: Path
    owner: Terminal
    laptop: Terminal
    versions: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    trees: dict[str, Tree] = dataclasses.field(default_factory=dict)
    """What was there, by the name of the set that has it."""
    said: dict[str, str] = dataclasses.field(default_factory=dict)
    """What each step said, by the program's words."""

    @property
    def source(self) -> Path:
        return self.home / "source"

    def record(self, time_of_set: str) -> None:
        self.trees[time_of_set] = kept(record_tree(self.source))

    def sets(self) -> list[dict[str, Any]]:
        return self.service.sets("anna-laptop")


def kept(tree: Tree) -> Tree:
    return {path: entry for path, entry in tree.items() if path.split("/")[0] not in LEFT_OUT}


def of_page(begins: str) -> str:
    """The one line of the page that begins so."""
    [line] = [line for block in PAGE.blocks for line in logical_lines(block.text) if line.startswith(begins)]
    return line


@pytest.fixture(scope="module")
def house(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("anna")
    s3 = Aws(service.stack.region, service.stack.endpoint).client("s3")
    environment = Machine("anna-laptop", home, service.gpg).environment()
    del environment["PASSPHRASE"]
    programs = f"{home / 'bin'}:{PROGRAMS}:{os.environ['PATH']}"
    owners = {"HOME": str(home), "PATH": f"{PROJECT / SITE / 'bin'}:{os.environ['PATH']}"}
    owner = Terminal(PROJECT, owners, SECONDS)
    laptop = Terminal(home, {**environment, "PATH": programs}, SECONDS)
    try:
        house = House(service, s3, home, owner, laptop)
        make_bucket(house)
        write_the_posts_files(house)
        make_old_backups(house)
        yield house
    finally:
        owner.closes()
        laptop.closes()


def make_bucket(house: House) -> None:
    s3 = house.s3
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [OWNERS_RULE]})


def write_the_posts_files(house: House) -> None:
    home = house.home
    (home / "BackupToCloud.conf").write_text(CONF.format(passphrase=PASSPHRASE, source=house.source))
    (home / "exclude.txt").write_text(EXCLUDE)
    script = home / "BackupToCloud.sh"
    script.write_text(SCRIPT)
    (home / "crontab").write_text(f"MAILTO=anna\n0 12 * * * {script}\n")
    (home / "bin").mkdir()
    stand_in = home / "bin" / "crontab"
    stand_in.write_text('#!/bin/sh\nif [ "$1" = -l ]; then cat ~/crontab; else cat > ~/crontab; fi\n')
    stand_in.chmod(0o755)
    for folder in LEFT_OUT:
        (house.source / folder).mkdir(parents=True)
        (house.source / folder / "large").write_bytes(os.urandom(10_000))


def make_old_backups(house: House) -> None:
    """Two chains of two backups, as the script has made them."""
    source = house.source
    (source / "thesis.tex").write_bytes(os.urandom(1_500_000))
    for number, kind in enumerate(("full", "incremental", "full")):
        (source / "letter.txt").write_text(f"Dear Ben,\nthis is letter {number}.\n")
        time.sleep(1.1)  # the names of sets have whole seconds
        words = ("--volsize", "1", "--exclude-filelist", str(house.home / "exclude.txt"), str(source))
        house.service.plain_duplicity(house.home, kind, *words, f"boto3+s3://{BUCKET}")
        house.versions = versions_in(house.s3)
        ends = {match[1] for key, _ in house.versions if (match := re.search(r"(\w+Z)\.manifest", key))}
        [new] = ends - set(house.trees)
        house.record(new)


def versions_in(s3: Any) -> set[tuple[str, str]]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", [])}


def typed_by_owner(house: House, begins: str, **more: Any) -> str:
    """The page's line for the stage ``home``, typed for the local one."""
    line = of_page(begins).replace("--stage home", f"--state {house.service.state_folder}")
    return house.owner.types(line, **more)


# ---------------------------------------------------------------- 1. the audit, and its one command


def test_the_audit_names_the_rule_that_never_moved_anything_and_one_command(house: House) -> None:
    said = typed_by_owner(house, "python -m ops audit", ends_with=2)
    assert "_data" in said
    commands = re.findall(r"(?m)^    (aws s3api .*)$", said)
    assert [line.split()[2] for line in commands] == ["put-bucket-lifecycle-configuration"]
    house.owner.typed += commands
    type_commands(house.s3, commands)
    [rule] = house.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["Filter"]["Prefix"] == "data_"
    assert "Expiration" not in rule


# ---------------------------------------------------------------- 2. taking over


def test_to_look_at_it_changes_nothing(house: House) -> None:
    planned = (
        f"python -m ops machine add anna-laptop --bucket {BUCKET} --plan --state {house.service.state_folder}"
    )
    said = house.owner.types(planned)
    house.owner.typed.remove(planned)  # the page does without
    assert "its policy: let" in said
    configuration = house.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert "QueueConfigurations" not in configuration
    assert versions_in(house.s3) == house.versions


def test_it_is_taken_over_without_moving_a_byte_chain_by_chain(house: House) -> None:
    said = typed_by_owner(house, "python -m ops machine add", answers={"Continue?": "y"})
    house.said["add"] = said
    assert "Found 2 full and 1 incremental backups (" in said
    assert re.search(r"- full backup of [\d-]+\n *- full backup of [\d-]+, 1 increment until ", said), said
    assert versions_in(house.s3) == house.versions
    assert [(one["kind"], one["sealed"], one["complete"]) for one in house.sets()] == [
        ("full", True, False),
        ("inc", True, False),
        ("full", True, False),
    ]


# ---------------------------------------------------------------- 3. the laptop


def test_the_laptop_types_what_was_printed_and_goes_on_incrementally(house: House) -> None:
    [enrol] = re.findall(r"(?m)^  (panicroom enrol .*)$", house.said["add"])
    answers = {
        "Folder that the job system backs up": str(house.source),
        "Passphrase of the stored backups of system": PASSPHRASE,
    }
    house.laptop.types(enrol, answers)
    said = house.laptop.types(of_page("panicroom import-conf"))
    assert f"crontab -e: 0 12 * * * {house.home}/BackupToCloud.sh\n" in said
    assert "AKIAEXAMPLE" not in said
    (house.source / "letter.txt").write_text("Dear Ben,\nI have moved.\n")
    house.laptop.types(of_page("panicroom backup"))
    sets = house.service.wait(house.sets, lambda sets: any(one["complete"] for one in sets))
    [new] = [one for one in sets if one["complete"]]
    assert new["kind"] == "inc"
    house.record(new["set"].rpartition(".")[2])
    house.laptop.types(of_page("panicroom schedule"))
    assert "--scheduled" in (house.home / "crontab").read_text()


def test_what_was_there_before_is_still_there(house: House) -> None:
    assert house.versions <= versions_in(house.s3)


# ---------------------------------------------------------------- 5. being sure


def test_three_old_times_and_the_new_one_can_be_restored(house: House) -> None:
    assert len(house.trees) == 4
    restore = of_page("panicroom restore")
    for time_of_set, tree in house.trees.items():
        line = restore.replace("2024-02-01", time_of_set).replace("as-it-was", time_of_set)
        house.laptop.types(line)
        assert differences(tree, record_tree(house.home / time_of_set)) == []
    house.laptop.types(of_page("panicroom versions"))


def test_the_weekly_mail_has_no_false_alarm(house: House) -> None:
    said = typed_by_owner(house, "python -m ops report preview")
    assert "last run: incremental" in said
    of_anna = [line for line in said.splitlines() if "anna-laptop" in line]
    assert any("fresh" in line for line in of_anna), said
    found = house.service.admin.call("audit")["findings"]
    assert [one for one in found if one["machine"] == "anna-laptop" or BUCKET in one["subject"]] == []


def test_it_takes_eight_commands_and_four_answers_at_most(house: House) -> None:
    """The installation of the client is counted and not typed: tests/ops/test_from_a_clone.py types it."""
    of_being_sure = ("panicroom restore", "panicroom versions", "python -m ops report")
    typed = [line for line in house.owner.typed + house.laptop.typed if not line.startswith(of_being_sure)]
    typed.append(of_page("pipx install"))
    answered = house.owner.answered + house.laptop.answered
    print(f"{len(typed)} commands, {len(answered)} answers:", *typed, answered, sep="\n  ")
    assert len(typed) <= MOST_COMMANDS
    assert len(answered) <= MOST_ANSWERS
